// Package sstat is the command that tells what running steps use, as their
// agents see it at that moment.
package sstat

import (
	"bufio"
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"github.com/runink/rink/api"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

//go:embed help.txt
var helpText string

const usageText = `Usage: sstat [-aeinpPv] [-o FIELDS] -j JOB[.STEP],...
	Use --help for help
`

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
	columns, err := columnsOf(env, o.format)
	if err != nil {
		fmt.Fprintln(env.Stderr, err)
		return 1
	}
	if len(o.jobs) == 0 {
		env.Errorf("You didn't give me any jobs to stat.")
		return 1
	}
	client, err := cli.Connect(env)
	if err != nil {
		env.Errorf("%s", cli.Reason(err))
		return 1
	}
	defer client.Close()
	v := &view{View: show.NewView(env)}
	v.NoConvert, v.Cluster = o.noConvert, client.Cluster
	w := bufio.NewWriter(env.Stdout)
	t := &table{w: w, o: o, columns: columns}
	t.header()
	for _, ref := range o.jobs {
		if err := t.job(env, v, client.Controller, ref); err != nil {
			w.Flush()
			env.Errorf("%s", cli.Reason(err))
			return 1
		}
	}
	if err := w.Flush(); err != nil {
		env.Errorf("%v", err)
		return 1
	}
	return 0
}

// stat is one line: a step, and with --pidformat one of its nodes.
type stat struct {
	job  *show.Job
	step *sched.Step
	node *rinkpb.NodeStat // nil: all nodes together
	pids []int32
}

// job prints the steps of one job that are asked for: the one named, all with
// --allsteps, else the first that is no batch script.
func (t *table) job(env *cli.Env, v *view, client rinkpb.Controller, ref slurm.JobRef) error {
	whole := ref
	whole.HasStep, whole.Step = false, 0
	ctx, cancel := env.Call(show.CallLimit())
	defer cancel()
	reply, err := client.StepStats(ctx, &rinkpb.StepStatsRequest{Refs: show.Refs([]slurm.JobRef{whole})})
	if err == nil {
		err = cli.StatusErr(reply.Status)
	}
	if err != nil {
		return cli.CallErr(err)
	}
	if len(reply.Steps) == 0 {
		w := t.w
		w.Flush()
		if _, err := show.Jobs(env, client, &rinkpb.ListJobsRequest{Refs: show.Refs([]slurm.JobRef{whole}), Ended: true}); err != nil {
			env.Errorf("couldn't get steps for job %s", whole)
		} else {
			notRunning(env, ref)
		}
		return nil
	}
	steps := reply.Steps
	slices.SortStableFunc(steps, func(a, b *rinkpb.StepStat) int { return order(a) - order(b) })
	printed := 0
	for _, p := range steps {
		id := slurm.StepID(p.Step.Id)
		switch {
		case ref.HasStep && id != ref.Step:
			continue
		case !ref.HasStep && !t.o.all && (printed > 0 || id == slurm.StepBatch || id == slurm.StepExtern):
			continue
		}
		j, err := api.JobFromProto(p.Job)
		if err != nil {
			return err
		}
		st, err := api.StepFromProto(p.Step)
		if err != nil {
			return err
		}
		printed++
		for _, n := range p.Nodes {
			if n.Error != "" {
				t.w.Flush()
				env.Errorf("%s", n.Error)
			}
		}
		one := &stat{job: show.NewJob(j), step: st}
		for _, n := range p.Nodes {
			one.pids = append(one.pids, n.Pids...)
		}
		if !t.o.pids {
			t.row(v, one)
			continue
		}
		for _, n := range p.Nodes {
			t.row(v, &stat{job: one.job, step: st, node: n, pids: n.Pids})
		}
	}
	if printed == 0 {
		t.w.Flush()
		notRunning(env, ref)
	}
	return nil
}

func notRunning(env *cli.Env, ref slurm.JobRef) {
	if ref.HasStep {
		env.Errorf("StepId=%s not found running.", ref)
	} else {
		env.Errorf("No steps running for job %s", ref)
	}
}

// order is the place of a step among those of its job: what came from outside first,
// then the batch script.
func order(p *rinkpb.StepStat) int {
	switch slurm.StepID(p.Step.Id) {
	case slurm.StepExtern:
		return -2
	case slurm.StepBatch:
		return -1
	}
	return int(min(p.Step.Id, 1<<30))
}

// table prints lines as they come.
type table struct {
	w       *bufio.Writer
	o       *options
	columns []column
}

func (t *table) header() {
	if t.o.noHeader {
		return
	}
	t.line(func(c *column) string {
		if t.o.parsable == 0 && len(c.name) > c.width {
			return c.name[:c.width] // of a header nothing shows that it was cut
		}
		return c.name
	})
	if t.o.parsable == 0 {
		t.line(func(c *column) string { return strings.Repeat("-", c.width) })
	}
}

func (t *table) row(v *view, s *stat) { t.line(func(c *column) string { return c.value(v, s) }) }

func (t *table) line(value func(*column) string) {
	for i := range t.columns {
		c := &t.columns[i]
		switch text := value(c); t.o.parsable {
		case 1:
			t.w.WriteString(text + "|")
		case 2:
			if i > 0 {
				t.w.WriteString("|")
			}
			t.w.WriteString(text)
		default:
			t.w.WriteString(slurm.PadAcct(text, c.width, c.left) + " ")
		}
	}
	t.w.WriteByte('\n')
}
