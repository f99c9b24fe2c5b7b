// Package sdiag is the command that tells what the controller did and how long
// that took.
package sdiag

import (
	"bufio"
	"cmp"
	_ "embed"
	"fmt"
	"slices"
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/show"
)

//go:embed help.txt
var helpText string

const usageText = "Usage: sdiag [-M cluster] [-aritT]\n"

// Run is the command; it returns the exit status.
func Run(env *cli.Env) int {
	o, err := parse(env)
	if err != nil {
		fmt.Fprintln(env.Stderr, err)
		return 1
	}
	if o.done != "" {
		fmt.Fprint(env.Stdout, o.done)
		return 0
	}
	client, err := cli.Connect(env)
	if err != nil {
		return o.trouble(env, err)
	}
	defer client.Close()
	if o.hasCluster && !cli.OnCluster(env, client.Cluster, o.cluster) {
		return 1
	}
	if err := run(env, o, client); err != nil {
		return o.trouble(env, err)
	}
	return 0
}

// trouble says what did not work, in the words and with the status of Slurm's
// command.
func (o *options) trouble(env *cli.Env, err error) int {
	what := "slurm_get_statistics"
	if o.reset {
		what = "slurm_reset_statistics"
	}
	fmt.Fprintf(env.Stderr, "%s: %s\n", what, cli.Reason(err))
	return 255
}

func run(env *cli.Env, o *options, client *cli.Client) error {
	ctx, cancel := env.Call(show.CallLimit())
	defer cancel()
	reply, err := client.Diag(ctx, &rinkpb.DiagRequest{Anew: o.reset})
	if err == nil {
		err = cli.StatusErr(reply.Status)
	}
	if err != nil {
		return cli.CallErr(err)
	}
	if o.reset {
		fmt.Fprintln(env.Stdout, "Reset scheduling statistics")
		return nil
	}
	sortCounts(reply.ByType, o.sort)
	sortCounts(reply.ByUser, o.sort)
	if o.encoding.On() {
		v := show.NewView(env)
		v.Cluster, v.Encoding = client.Cluster, o.encoding
		return v.Data(env, "statistics", data(reply))
	}
	w := bufio.NewWriter(env.Stdout)
	print(w, reply, env.Now().Location())
	// The counts are the leader's; how the others stand is worth a line each, and
	// no reason to fail.
	list, err := client.ListControllers(ctx, &rinkpb.ListControllersRequest{})
	if err != nil {
		env.Errorf("cannot list the controllers: %s", cli.Reason(cli.CallErr(err)))
	} else if len(list.Controllers) > 1 {
		printControllers(w, list.Controllers)
	}
	return w.Flush()
}

func sortCounts(list []*rinkpb.RpcCount, by order) {
	slices.SortStableFunc(list, func(a, b *rinkpb.RpcCount) int {
		switch by {
		case byID:
			return cmp.Compare(a.Id, b.Id)
		case byTotal:
			return cmp.Compare(b.Time, a.Time)
		case byMean:
			return cmp.Compare(mean(b.Time, b.Count), mean(a.Time, a.Count))
		}
		return cmp.Compare(b.Count, a.Count)
	})
}

// mean is 0 of nothing.
func mean(sum, n int64) int64 {
	if n == 0 {
		return 0
	}
	return sum / n
}

// perMinute is how often something happened in a minute; none is known of less
// than one.
func perMinute(r *rinkpb.DiagReply, n int64) int64 {
	return mean(n, (r.Now-r.Since)/int64(time.Minute))
}
