// Package why is the command that says why a job waits.
package why

import (
	_ "embed"
	"fmt"
	"strings"
	"time"

	"github.com/runink/rink/api"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

//go:embed help.txt
var helpText string

// options are what the command was asked for.
type options struct {
	json bool
	help bool
	job  slurm.JobRef
}

// parse reads the command line.
func parse(args []string) (options, error) {
	var o options
	id := ""
	for _, a := range args {
		switch {
		case a == "--json":
			o.json = true
		case a == "-h" || a == "--help":
			o.help = true
			return o, nil
		case strings.HasPrefix(a, "-"):
			return o, fmt.Errorf("unrecognized option '%s'", a)
		case id != "":
			return o, fmt.Errorf("one job is asked about at a time")
		default:
			id = a
		}
	}
	if id == "" {
		return o, fmt.Errorf("which job?")
	}
	refs, err := slurm.ParseJobRefs(id)
	if err != nil || len(refs) != 1 {
		return o, slurm.ErrnoInvalidJobID
	}
	o.job = refs[0]
	return o, nil
}

// answer is what the controller says of the job.
type answer struct {
	job   *sched.Job
	story *sched.Story // nil: it does not wait
	now   time.Time
}

// Run is the command; it returns the exit status.
func Run(env *cli.Env) int {
	o, err := parse(env.Args)
	if err != nil {
		env.Errorf("%s", cli.Reason(err))
		fmt.Fprintln(env.Stderr, "Try \"rink why --help\" for more information")
		return 1
	}
	if o.help {
		fmt.Fprint(env.Stdout, helpText)
		return 0
	}
	a, err := ask(env, o.job)
	if err != nil {
		env.Errorf("%s", cli.Reason(err))
		return 1
	}
	if o.json {
		return a.printJSON(env)
	}
	p := printer{v: show.NewView(env)}
	p.print(a)
	fmt.Fprint(env.Stdout, p.b.String())
	return 0
}

func ask(env *cli.Env, ref slurm.JobRef) (*answer, error) {
	client, err := cli.Connect(env)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	ctx, cancel := env.Call(time.Minute)
	defer cancel()
	refs := show.Refs([]slurm.JobRef{ref})
	reply, err := client.Explain(ctx, &rinkpb.ExplainRequest{Job: refs[0].Job, HasTask: refs[0].HasTask, Task: refs[0].Task})
	if err != nil {
		return nil, cli.CallErr(err)
	}
	if err := cli.StatusErr(reply.Status); err != nil {
		return nil, err
	}
	a := &answer{now: api.TimeFromProto(reply.Now)}
	if a.job, err = api.JobFromProto(reply.Job); err != nil {
		return nil, fmt.Errorf("the controller sent a job that makes no sense: %w", err)
	}
	a.story, err = api.StoryFromProto(reply.Story)
	return a, err
}
