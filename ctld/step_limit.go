package ctld

import (
	"context"
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/auth"
	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// updateSteps changes the time limits of running steps: of the one named, or of all
// that a job has. Its owner may give a step more time as well as less: the job's own
// limit holds all the same.
func (c *controller) updateSteps(ctx context.Context, req *rinkpb.UpdateJobRequest, u auth.User) (*rinkpb.ActionReply, error) {
	reply := &rinkpb.ActionReply{Status: &rinkpb.Status{}}
	var cmds []state.Command
	for _, ref := range req.Refs {
		var err error
		c.s.barn.Read(func(t *state.State) {
			j := t.Job(slurm.JobID(ref.Job))
			var limits []state.StepLimit
			if limits, err = c.s.stepLimits(j, ref, req.Changes, u); err == nil && len(limits) > 0 {
				cmds = append(cmds, state.UpdateJob{Job: j.ID, Change: state.JobChange{StepLimits: limits}})
			}
		})
		if err != nil {
			reply.Status = refuse(err)
			return reply, nil
		}
	}
	if len(cmds) == 0 {
		return reply, nil
	}
	results, err := c.s.barn.Propose(ctx, actor(u), cmds...)
	if err != nil {
		return nil, unavailable(err)
	}
	for _, r := range results {
		if r.Err != nil {
			reply.Status = refuse(r.Err)
		}
	}
	return reply, nil
}

// stepLimits reads what limits the steps meant are to have.
func (s *Server) stepLimits(j *sched.Job, ref *rinkpb.JobRef, words []*rinkpb.KeyValue, u auth.User) ([]state.StepLimit, error) {
	if j == nil || j.HasEnded() || j.IsPending() {
		return nil, slurm.ErrnoInvalidJobID
	}
	if !s.mayTouch(u, j) {
		return nil, slurm.ErrnoUserIDMissing
	}
	var limits []state.StepLimit
	for _, st := range j.Steps {
		if st.HasEnded() || ref.HasStep && uint32(st.ID) != ref.Step {
			continue
		}
		limit := st.TimeLimit
		for _, w := range words {
			d, err := newLimit(limit, w)
			if err != nil {
				return nil, err
			}
			limit = d
		}
		limits = append(limits, state.StepLimit{Step: st.ID, Limit: limit})
	}
	if ref.HasStep && len(limits) == 0 {
		return nil, slurm.ErrnoInvalidJobID
	}
	return limits, nil
}

// newLimit is TimeLimit=, with a sign for more or less of what there is; 0 is no limit.
func newLimit(now slurm.Duration, w *rinkpb.KeyValue) (slurm.Duration, error) {
	value, sign := w.Value, w.Op
	if value != "" && (value[0] == '+' || value[0] == '-') {
		value, sign = value[1:], value[:1]+"="
	}
	d, err := slurm.ParseDuration(value)
	switch {
	case err != nil:
		return 0, slurm.ErrnoInvalidTimeLimit
	case d == slurm.Unlimited:
		return 0, nil
	case sign != "+=" && sign != "-=":
		return d, nil
	case now == 0:
		return 0, slurm.ErrnoInvalidTimeLimit // nothing to add to
	case sign == "-=":
		d = -d
	}
	return max(now+d, 60), nil
}

// overTimeSteps ends the steps that have had their time. What is told again does no
// harm: an agent ends a step once.
func (s *Server) overTimeSteps(now time.Time) {
	type due struct {
		job  *sched.Job
		step *sched.Step
	}
	var over []due
	s.barn.Read(func(t *state.State) {
		for j := range t.Holding() {
			if j.State.Base() != slurm.JobRunning || j.HasEnded() {
				continue
			}
			for _, st := range j.Steps {
				if st.TimeLimit > 0 && !st.HasEnded() && now.Sub(st.Start)-j.SuspendedFor > seconds(st.TimeLimit) {
					over = append(over, due{j, st})
				}
			}
		}
	})
	for _, d := range over {
		s.stepBook.timedOut(d.job.ID, d.step.ID)
		for _, n := range d.step.Nodes {
			s.sessions.send(n.Node, &rinkpb.Order{Order: &rinkpb.Order_End{End: &rinkpb.EndJobHere{
				Job: uint32(d.job.ID), Restarts: d.job.Restarts, KillWait: int64(s.killWait().Seconds()), HasStep: true,
				Step: uint32(d.step.ID), Reason: "DUE TO TIME LIMIT",
			}}})
		}
	}
}
