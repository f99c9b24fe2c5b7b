// Package sprio is the command that lists what the priorities of pending jobs are
// made of.
package sprio

import (
	"bufio"
	_ "embed"
	"fmt"
	"slices"
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/slurm"
)

//go:embed help.txt
var helpText string

const usageText = `Usage: sprio [-j jid[s]] [-u user_name[s]] [-o format] [-p partitions] [-S keys]
   [--federation] [--local] [--sibling] [--usage] [-hlnvVw]`

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
	if o.verbose > 0 {
		o.tell(env)
	}
	client, err := cli.Connect(env)
	if err != nil {
		fmt.Fprintf(env.Stderr, "Couldn't get priority factors from controller: %s\n", cli.Reason(err))
		return 1
	}
	defer client.Close()
	if o.hasClusters && !cli.OnCluster(env, client.Cluster, o.clusters) {
		return 1
	}
	return list(env, o, client.Controller)
}

// tell says what was asked for.
func (o *options) tell(env *cli.Env) {
	const line = "-----------------------------"
	or := func(name string) string { return show.Or(o.given[name], show.Null) }
	flag := 0
	if o.hasJobs {
		flag = 1
	}
	fmt.Fprintf(env.Stdout, "%s\nformat     = %s\njob_flag   = %d\njobs       = %s\npartition  = %s\nusers      = %s\nverbose    = %d\n%s\n\n\n",
		line, or("format"), flag, or("jobs"), or("partition"), or("user"), o.verbose, line)
}

// list asks the controller once and prints what it said.
func list(env *cli.Env, o *options, client rinkpb.Controller) int {
	ctx, cancel := env.Call(30 * time.Second)
	defer cancel()
	reply, err := client.Priorities(ctx, &rinkpb.PrioritiesRequest{})
	if err != nil {
		fmt.Fprintf(env.Stderr, "Couldn't get priority factors from controller: %s\n", cli.Reason(cli.CallErr(err)))
		return 1
	}
	v := &view{w: reply.Weights}
	if o.clusters != "" {
		v.cluster = reply.Cluster
	}
	if v.w == nil {
		v.w = &rinkpb.PriorityWeights{}
	}
	format := o.format
	if !o.hasFormat {
		format = o.formatFor(v.w)
	}
	table, unknown := show.Letters(columns(), format)
	table = table.Bare() // sprio leaves out what squeue prints as it is written
	for _, u := range unknown {
		env.Errorf("Invalid job format specification: %s", u)
	}
	w := bufio.NewWriter(env.Stdout)
	defer w.Flush()
	if o.weights {
		if !o.noHeader {
			table.Header(w)
		}
		table.Row(w, v, nil)
		return 0
	}
	rows := slices.DeleteFunc(reply.Jobs, func(r row) bool { return !o.wants(r) })
	if len(rows) == 0 && o.hasJobs {
		fmt.Fprintln(w, "Unable to find jobs matching user/id(s) specified")
		return 0
	}
	sort := o.sort
	if sort == "" {
		sort = "i"
	}
	if bad := show.Sort(columns(), v, rows, slurm.ParseSort(sort), nil); len(bad) > 0 {
		env.Errorf("Invalid sort specification: %s", bad[0])
		return 1
	}
	if !o.noHeader {
		table.Header(w)
	}
	for _, r := range rows {
		table.Row(w, v, r)
	}
	return 0
}

// wants reports whether a job is one of those asked for.
func (o *options) wants(r row) bool {
	return (!o.hasJobs || len(o.jobs) == 0 || slices.Contains(o.jobs, slurm.JobID(r.Job))) &&
		(!o.hasPartitions || slices.Contains(o.partitions, r.PartitionName)) &&
		(!o.hasUsers || slices.Contains(o.users, r.Uid))
}
