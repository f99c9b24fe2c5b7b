package ctld

import (
	"context"
	"slices"
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/auth"
	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// Act holds, releases, requeues, suspends or resumes jobs.
func (c *controller) Act(ctx context.Context, req *rinkpb.ActRequest) (*rinkpb.ActionReply, error) {
	_, u, err := c.caller(ctx)
	if err != nil {
		return nil, err
	}
	reply := &rinkpb.ActionReply{Status: &rinkpb.Status{}}
	var cmds []state.Command
	var owner []int
	c.s.barn.Read(func(t *state.State) {
		type named struct {
			what string
			list []target
		}
		var all []named
		for _, ref := range req.Refs {
			list, err := find(t, ref)
			if err != nil {
				reply.Outcomes = append(reply.Outcomes, &rinkpb.Outcome{What: refName(ref), Job: ref.Job, Status: refuse(err)})
				continue
			}
			all = append(all, named{refName(ref), list})
		}
		for _, name := range req.Names {
			var list []target
			for _, j := range liveJobs(t) {
				if j.Name == name && c.s.mayTouch(u, j) {
					list = append(list, target{job: j})
				}
			}
			all = append(all, named{name, list})
		}
		for _, n := range all {
			for _, tg := range n.list {
				if len(n.list) > 1 && tg.job.State.Ended() {
					continue
				}
				out := &rinkpb.Outcome{What: n.what, Job: uint32(tg.job.ID), Status: &rinkpb.Status{}}
				reply.Outcomes = append(reply.Outcomes, out)
				cmd, err := c.act(t, req, tg, u)
				if err != nil {
					out.Status = refuse(err)
					continue
				}
				if cmd != nil {
					cmds = append(cmds, cmd)
					owner = append(owner, len(reply.Outcomes)-1)
				}
			}
		}
	})
	if len(cmds) > 0 {
		results, err := c.s.barn.Propose(ctx, actor(u), cmds...)
		if err != nil {
			return nil, unavailable(err)
		}
		for i, r := range results {
			if r.Err != nil {
				reply.Outcomes[owner[i]].Status = refuse(r.Err)
			}
		}
	}
	return reply, nil
}

// act is the command for one record, or the reason it cannot be done.
func (c *controller) act(t *state.State, req *rinkpb.ActRequest, tg target, u auth.User) (state.Command, error) {
	j, op := tg.job, c.s.operatorOf(u, tg.job)
	if !op && j.UID != u.UID {
		return nil, slurm.ErrnoAccessDenied
	}
	pending := j.State.Base() == slurm.JobPending
	if isCron(j) {
		return nil, slurm.ErrnoCannotModifyCronJob
	}
	switch req.Action {
	case rinkpb.ActRequest_HOLD, rinkpb.ActRequest_UHOLD:
		if j.State.Ended() {
			return nil, slurm.ErrnoJobFinished
		}
		by := sched.HeldByUser
		if op && req.Action == rinkpb.ActRequest_HOLD {
			by = sched.HeldByAdmin
		}
		if j.HeldBy == sched.HeldByAdmin && !op {
			return nil, nil // a user's hold adds nothing to an operator's
		}
		return state.UpdateJob{Job: j.ID, Tasks: tg.tasks, Change: state.JobChange{Hold: &by}}, nil
	case rinkpb.ActRequest_RELEASE:
		if j.State.Ended() {
			return nil, slurm.ErrnoJobFinished
		}
		if j.HeldBy == sched.HeldByAdmin && !op {
			return nil, slurm.ErrnoAccessDenied
		}
		return state.UpdateJob{Job: j.ID, Tasks: tg.tasks, Change: c.s.releaseOf(j)}, nil
	case rinkpb.ActRequest_REQUEUE, rinkpb.ActRequest_REQUEUEHOLD:
		if !j.Batch {
			return nil, slurm.ErrnoBatchOnly
		}
		if pending {
			return nil, slurm.ErrnoJobPending
		}
		if !j.Requeue {
			return nil, slurm.ErrnoDisabled
		}
		end := state.EndJob{Job: j.ID, Restarts: j.Restarts, State: slurm.JobCancelled, Requeue: true, NotBefore: time.Now().Add(sched.RequeueDelay(t.Config()))}
		if req.Action == rinkpb.ActRequest_REQUEUEHOLD {
			end.Hold = sched.HeldByUser
			if op {
				end.Hold = sched.HeldByAdmin
			}
			end.Special = req.SpecialExit
		}
		return end, nil
	case rinkpb.ActRequest_SUSPEND, rinkpb.ActRequest_RESUME:
		if !op {
			return nil, slurm.ErrnoAccessDenied
		}
		on := req.Action == rinkpb.ActRequest_SUSPEND
		if pending {
			return nil, slurm.ErrnoJobPending
		}
		switch {
		case j.State.Ended() || j.State.Has(slurm.JobCompleting):
			return nil, slurm.ErrnoAlreadyDone
		case on && j.IsSuspended():
			return nil, nil // as it is asked for
		case !on && !j.IsSuspended():
			return nil, slurm.ErrnoJobNotSuspended
		}
		return state.UpdateJob{Job: j.ID, Change: state.JobChange{Suspend: &on}}, nil
	case rinkpb.ActRequest_TOP:
		return c.top(t, tg, u)
	}
	return nil, slurm.ErrnoNotSupported
}

// top moves a job to the head of its owner's pending jobs of the same partition,
// account and QOS, as Slurm's manual says: it takes the
// highest priority among them and the others give way by their nice values, so
// that nobody else's place changes.
func (c *controller) top(t *state.State, tg target, u auth.User) (state.Command, error) {
	conf := t.Config().Conf
	if !c.s.operator(u.UID) {
		if _, ok := conf.SchedulerParameters.Get("enable_user_top"); !ok {
			return nil, slurm.ErrnoAccessDenied
		}
	}
	j := tg.job
	if j.State.Base() != slurm.JobPending {
		return nil, slurm.ErrnoNotPending
	}
	best := j.Priority
	for other := range t.Pending() {
		alike := other.UID == j.UID && other.Account == j.Account && other.QOS == j.QOS && slices.Equal(other.Partitions, j.Partitions)
		if alike && other.Priority > best && other.HeldBy == sched.HeldByNobody {
			best = other.Priority
		}
	}
	nice := j.Nice - int(best-j.Priority) - 1
	return state.UpdateJob{Job: j.ID, Tasks: tg.tasks, Change: state.JobChange{Nice: &nice}}, nil
}
