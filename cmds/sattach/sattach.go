// Package sattach is the command that watches a running step beside the srun
// that started it.
package sattach

import (
	"bufio"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"strings"
	"syscall"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/cmds/internal/steps"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

//go:embed help.txt
var helpText string

const usageText = "Usage: sattach [options] <jobid.stepid>\n"

// Run is the command; it returns the exit status: the step's own when it saw the
// step's end.
func Run(env *cli.Env) int {
	o, err := parse(env)
	if err != nil {
		text, _ := strings.CutSuffix(err.Error(), "\n"+errUsage.Error())
		fmt.Fprintln(env.Stderr, text)
		if errors.Is(err, errUsage) {
			fmt.Fprint(env.Stdout, usageText)
		}
		return 1
	}
	if o.done != "" {
		fmt.Fprint(env.Stdout, o.done)
		return 0
	}
	client, err := cli.Connect(env)
	if err != nil {
		env.Errorf("Could not get job step info: %s", cli.Reason(err))
		return 1
	}
	defer client.Close()
	job, step, err := find(env, client, o.ref)
	if err != nil {
		env.Errorf("Could not get job step info: %s", cli.Reason(err))
		return 1
	}
	if o.layout {
		w := bufio.NewWriter(env.Stdout)
		printLayout(w, step)
		if err := w.Flush(); err != nil {
			env.Errorf("%v", err)
			return 1
		}
		return 0
	}
	if step.ID == slurm.StepBatch {
		env.Errorf("The batch script of job %s writes to its files: there is nothing to attach to", o.ref.Job)
		return 1
	}
	return attach(env, client, o, job, step)
}

// find returns the step that is meant. One that does not run is an error.
func find(env *cli.Env, client *cli.Client, ref slurm.JobRef) (*sched.Job, *sched.Step, error) {
	whole := ref
	whole.HasStep, whole.Step = false, 0
	ctx, cancel := env.Call(show.CallLimit())
	defer cancel()
	jobs, err := cli.ListJobs(ctx, client, &rinkpb.ListJobsRequest{Refs: show.Refs([]slurm.JobRef{whole}), Ended: true})
	if err != nil {
		return nil, nil, err
	}
	for _, j := range jobs {
		switch {
		case j.IsPending() && len(jobs) == 1:
			return nil, nil, slurm.ErrnoJobPending
		case j.HasEnded() && len(jobs) == 1:
			return nil, nil, slurm.ErrnoAlreadyDone
		case j.HasEnded():
			continue
		case ref.Step == slurm.StepBatch && j.Batch && !j.BatchDone:
			return j, show.BatchStep(j), nil
		}
		for _, st := range j.Steps {
			if st.ID == ref.Step && !st.HasEnded() {
				return j, st, nil
			}
		}
	}
	return nil, nil, slurm.ErrnoInvalidJobID
}

// printLayout writes which tasks run where.
func printLayout(w io.Writer, step *sched.Step) {
	names := make([]sched.NodeName, len(step.Nodes))
	for i, n := range step.Nodes {
		names[i] = n.Node
	}
	fmt.Fprintf(w, "Job step layout:\n\t%d tasks, %d nodes (%s)\n\n", max(1, step.Tasks), len(names), show.CompressNodes(names))
	for i, n := range step.Nodes {
		fmt.Fprintf(w, "\tNode %d (%s), %d task(s): ", i, n.Node, len(n.Ranks))
		for _, r := range n.Ranks {
			fmt.Fprintf(w, "%d ", r)
		}
		fmt.Fprintln(w)
	}
}

// attachment is one step that is watched.
type attachment struct {
	env   *cli.Env
	o     *options
	out   *steps.Printer
	exits map[int32]bool
	code  int
}

// attach carries what the tasks write until all have ended.
func attach(env *cli.Env, client *cli.Client, o *options, job *sched.Job, step *sched.Step) int {
	ctx, stop := context.WithCancel(env.Ctx)
	defer stop()
	at := &rinkpb.StepAttach{Job: uint32(job.ID), Step: uint32(step.ID), Uid: env.UID()}
	for _, n := range step.Nodes {
		at.Nodes = append(at.Nodes, string(n.Node))
	}
	stream, err := client.StepIO(ctx)
	if err == nil {
		err = stream.Send(&rinkpb.StepUp{Attach: &rinkpb.StepAttach{Job: at.Job, Step: at.Step, Uid: at.Uid, Nodes: at.Nodes, Watch: true}})
	}
	if err != nil {
		env.Errorf("Could not get job step info: %s", cli.Reason(cli.CallErr(err)))
		return 1
	}
	if o.pty {
		restore := steps.RawTerminal()
		defer restore()
		rows, cols := steps.WindowSize()
		stream.Send(&rinkpb.StepUp{Rows: rows, Cols: cols, StdinTask: -1}) // a broken stream shows below
	}
	signal.Ignore(syscall.SIGPIPE) // output that nobody reads any more is dropped
	at.Input = true
	// Its end is theirs, as it is with Slurm's.
	go steps.Feed(ctx, client.StepIO, at, o.input, env.Stdin, nil) // ends with the input, or ctx
	a := &attachment{env: env, o: o, out: steps.NewPrinter(env.Stdout, env.Stderr, o.label, step.Tasks), exits: map[int32]bool{}}
	defer a.out.Flush()
	left, heard := len(step.Nodes), false
	for left > 0 {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil && !heard {
			env.Errorf("Could not get job step info: %s", cli.Reason(cli.CallErr(err)))
			return 1
		}
		if err != nil {
			env.Errorf("the line to the step is lost: %s", cli.Reason(cli.CallErr(err)))
			return max(a.code, 1)
		}
		heard = true
		a.take(m)
		if m.NodeDone {
			left--
		}
	}
	return a.code
}

// take deals with one message from an agent.
func (a *attachment) take(m *rinkpb.StepDown) {
	for _, line := range m.Messages {
		fmt.Fprintln(a.env.Stderr, line)
	}
	if t := m.Output; t != nil {
		only := a.o.out
		if t.Stream == 2 {
			only = a.o.err
		}
		if only == anyTask || only == t.Rank {
			a.out.Write(t)
		}
	}
	if m.NodeError != "" {
		a.env.Errorf("Node %s: %s", m.Node, m.NodeError)
		a.code = max(a.code, 1)
	}
	e := m.Exited
	if e == nil || a.exits[e.Rank] {
		return
	}
	a.exits[e.Rank] = true
	code, sig := int(e.Exit.GetCode()), e.Exit.GetSignal()
	a.tell("1 tasks finished (rc=%d)", code<<8|int(sig))
	switch {
	case code != 0:
		a.code = max(a.code, code)
		a.env.Errorf("task %d exited with exit code %d", e.Rank, code)
	case sig != 0:
		a.tell("task %d killed by signal %d", e.Rank, sig)
	}
}

// tell prints what only --verbose wants to know.
func (a *attachment) tell(format string, args ...any) {
	if a.o.verbose > 0 && a.o.quiet == 0 {
		a.env.Infof(format, args...)
	}
}
