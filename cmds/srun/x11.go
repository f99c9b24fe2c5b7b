package srun

import (
	"cmp"
	"context"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/display"
	"github.com/runink/rink/slurm"
)

// findDisplay finds the display that the steps of srun's own job are to have; those
// of a job around it have one when the job was begun so, and srun has one to give.
func (s *run) findDisplay(o *slurm.JobOptions, inside bool) error {
	if !inside {
		if o.Step.X11 == "" {
			return nil
		}
		var err error
		s.display, err = display.Find(s.env)
		return err
	}
	if o.Given["x11"] {
		s.env.Errorf("Ignoring --x11 option for a job step within an existing job. Set x11 options at job allocation time.")
		delete(o.Given, "x11")
	}
	if o.Step.X11 = s.env.Getenv(display.Mode); o.Step.X11 == "" {
		return nil
	}
	var err error
	if s.display, err = display.Find(s.env); err != nil {
		o.Step.X11 = "" // the job has one, and this command has none to give
	}
	return nil
}

// x11Variables pass on to commands in a step that the job's steps have displays.
func (s *run) x11Variables() []string {
	if s.display == nil {
		return nil
	}
	return []string{display.Mode + "=" + s.o.Job.Step.X11}
}

// carryDisplay carries a connection of a task's to the display.
func (c *carrier) carryDisplay(ctx context.Context, node string, id uint64) {
	if c.s.display == nil {
		return
	}
	at := &rinkpb.StepAttach{Job: uint32(c.job.ID), Step: uint32(c.step.ID), Uid: c.s.env.UID(), Nodes: []string{node}, X11: id}
	open := func(ctx context.Context) (rinkpb.Exchange[rinkpb.StepUp, rinkpb.StepDown], error) {
		return c.s.client.StepIO(ctx)
	}
	go func() { // ends with the connection, or with the step
		if err := c.s.display.Carry(ctx, open, at); err != nil && ctx.Err() == nil {
			c.s.env.Errorf("x11 forwarding: a connection from %s is lost: %s", node, cmp.Or(cli.Reason(cli.CallErr(err)), err.Error()))
		}
	}()
}
