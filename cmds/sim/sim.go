// Package sim replays a workload log in virtual time with the scheduler of the
// controller, on a cluster that is described and not there: what would these jobs
// have waited under another policy, other parameters, other nodes.
package sim

import (
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	ucli "github.com/urfave/cli/v2"

	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/sched"
)

// options are what the command line says.
type options struct {
	Trace      string
	Policy     string
	Config     string
	With       []string
	Partitions string
	By         string
	Procs      int
	First      int
	CSV        string
	JSON       bool
}

// Run is the command.
func Run(env *cli.Env) int {
	app := &ucli.App{
		Name: "rink sim", Usage: "replay a workload log in virtual time", UsageText: usageText, HideHelpCommand: true, HideVersion: true,
		Writer: env.Stdout, ErrWriter: env.Stderr, DisableSliceFlagSeparator: true,
		ExitErrHandler: func(*ucli.Context, error) {},
		Flags: []ucli.Flag{
			&ucli.StringFlag{Name: "trace", Usage: "replay `FILE`, in Standard Workload Format or an export of accounting, compressed with gzip or not"},
			&ucli.StringFlag{Name: "policy", Usage: "schedule by `POLICY`: " + strings.Join(sched.Policies, ", ") + " (default: what the configuration says)"},
			&ucli.StringFlag{Name: "config", Usage: "on the cluster that slurm.conf `FILE` describes (default: one pool of as many processors as the log says)"},
			&ucli.StringSliceFlag{Name: "with", Usage: "and once more with `KEY=VALUE[;KEY=VALUE...]` in the configuration, in a column beside; may be repeated"},
			&ucli.StringFlag{Name: "partitions", Usage: "put the jobs of the log's queues into `LIST`: names in the order of the queues' numbers, or NUMBER=NAME each"},
			&ucli.StringFlag{Name: "by", Value: "queue", Usage: "the `FIELD` that --partitions goes by, queue or partition"},
			&ucli.IntFlag{Name: "procs", Usage: "a pool of `N` processors instead of as many as the log says"},
			&ucli.IntFlag{Name: "n", Usage: "only the first `N` jobs that can be replayed"},
			&ucli.StringFlag{Name: "csv", Usage: "write job,submit,start,end of each job to `FILE`, - for standard output instead of the figures"},
			&ucli.BoolFlag{Name: "json", Usage: "print the figures as JSON"},
		},
		Action: func(c *ucli.Context) error {
			if c.Args().Len() > 0 {
				return fmt.Errorf("unexpected argument %q", c.Args().First())
			}
			return run(env, options{
				Trace: c.String("trace"), Policy: c.String("policy"), Config: c.String("config"), With: c.StringSlice("with"),
				Partitions: c.String("partitions"), By: c.String("by"), Procs: c.Int("procs"), First: c.Int("n"),
				CSV: c.String("csv"), JSON: c.Bool("json"),
			})
		},
	}
	if err := app.Run(append([]string{"rink sim"}, env.Args...)); err != nil {
		env.Errorf("%v", err)
		return 1
	}
	return 0
}

const usageText = `rink sim --trace FILE [--policy POLICY] [--config FILE] [--with KEY=VALUE]... [-n JOBS] [--csv FILE] [--json]`

// check refuses options that do not go together.
func (o *options) check() error {
	switch {
	case o.Trace == "":
		return errors.New("--trace=FILE is missing")
	case o.Policy != "" && !slices.ContainsFunc(sched.Policies, func(p string) bool { return strings.EqualFold(p, o.Policy) }):
		return fmt.Errorf("--policy=%s is none of %s", o.Policy, strings.Join(sched.Policies, ", "))
	case o.First < 0:
		return fmt.Errorf("-n %d is not a number of jobs", o.First)
	case o.Procs < 0:
		return fmt.Errorf("--procs=%d is not a number of processors", o.Procs)
	case o.Procs > 0 && o.Config != "":
		return errors.New("--procs and --config both say what the cluster is")
	case o.Partitions != "" && o.Config == "":
		return errors.New("--partitions needs --config, which describes them")
	case o.CSV == "-" && o.JSON:
		return errors.New("--csv=- and --json would both be standard output")
	case o.By != "queue" && o.By != "partition":
		return fmt.Errorf("--by=%s is none of queue, partition", o.By)
	}
	return nil
}

// replay is one replay of the workload and what came of it.
type replay struct {
	name    string
	cluster cluster
	result  sched.SimResult
	figures sched.SimMetrics
	wall    time.Duration
}

func run(env *cli.Env, o options) error {
	if err := o.check(); err != nil {
		return err
	}
	log, err := readTrace(o.Trace, env.Now().Location())
	if err != nil {
		return err
	}
	base, err := o.cluster(log, "")
	if err != nil {
		return err
	}
	load, err := log.load(o, base)
	if err != nil {
		return err
	}
	replays := []*replay{{name: base.name(), cluster: base}}
	for _, with := range o.With {
		c, err := o.cluster(log, with)
		if err != nil {
			return err
		}
		replays = append(replays, &replay{name: with, cluster: c})
	}
	for _, note := range base.notes(load) {
		env.Warnf("%s", note)
	}
	// A replay makes and drops much, and keeps little.
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	for _, r := range replays {
		for _, note := range r.cluster.idle {
			env.Warnf("%s: %s", r.name, note)
		}
		began := env.Now()
		r.result, err = sched.Simulation{Config: r.cluster.config, Nodes: r.cluster.nodes, Resolve: o.Config != ""}.Run(load.jobs)
		if err != nil {
			return err
		}
		r.wall = env.Now().Sub(began)
		r.figures = sched.Measure(load.jobs, r.result, r.cluster.procs)
		for _, note := range r.refusals() {
			env.Warnf("%s", note)
		}
	}
	if o.CSV != "" {
		if err := writeCSV(env, o.CSV, load, replays); err != nil {
			return err
		}
		if o.CSV == "-" {
			return nil
		}
	}
	if o.JSON {
		return printJSON(env.Stdout, load, replays)
	}
	return printTable(env.Stdout, load, replays)
}

// refusals say how many jobs the cluster of the replay does not take, and why.
func (r *replay) refusals() []string {
	var notes []string
	by := map[string]int{}
	for _, err := range r.result.Refused {
		by[err.Error()]++
	}
	for _, why := range sortedKeys(by) {
		notes = append(notes, fmt.Sprintf("%s: %d jobs are refused at their submission: %s", r.name, by[why], why))
	}
	if n := r.figures.Unstarted - len(r.result.Refused); n > 0 {
		notes = append(notes, fmt.Sprintf("%s: %d jobs never start", r.name, n))
	}
	if g := r.result.GaveWay; g != (sched.SimGaveWay{}) {
		notes = append(notes, fmt.Sprintf("%s: jobs gave way to others: %d times one was ended, %d times sent back into the queue, %d times suspended", r.name, g.Ended, g.Requeued, g.Suspended))
	}
	return notes
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
