package ctld

import (
	"context"
	"errors"
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
	if n := len(req.Refs); req.Action == rinkpb.ActRequest_TOP && n > 1 {
		for _, ref := range slices.Backward(req.Refs) { // the first of them comes to be above the others
			one, err := c.Act(ctx, &rinkpb.ActRequest{Action: req.Action, Refs: []*rinkpb.JobRef{ref}})
			if err != nil {
				return nil, err
			}
			reply.Outcomes = append(one.Outcomes, reply.Outcomes...)
		}
		return reply, nil
	}
	var cmds []state.Command
	var owner []int
	c.s.barn.Read(func(t *state.State) {
		type named struct {
			what   string
			list   []target
			absent *rinkpb.Outcome // for what was named and is not there
			part   bool            // one component of a heterogeneous job, by its number
		}
		var all []named
		for _, ref := range req.Refs {
			list, _ := find(t, ref)
			all = append(all, named{what: refName(ref), list: list, absent: absent(t, ref, list), part: ref.HasHet})
		}
		for _, name := range req.Names {
			for _, j := range liveJobs(t) {
				if j.Name == name && c.s.mayTouch(u, j) {
					all = append(all, named{what: nameOf(j), list: []target{{job: j}}})
				}
			}
		}
		for _, n := range all {
			for _, tg := range n.list {
				// What has ended of an array is answered for, of a heterogeneous job not.
				if len(n.list) > 1 && tg.job.State.Ended() && tg.job.ArrayID == 0 {
					continue
				}
				out := outcomeOf(n.what, tg)
				if req.Action == rinkpb.ActRequest_TOP {
					out.Array, out.Tasks = 0, nil // the array is answered for as one
				}
				reply.Outcomes = append(reply.Outcomes, out)
				some, err := c.act(t, req, tg, u)
				if odd := onlyWhole(req.Action, tg.job, n.part, len(n.list)); odd != nil {
					err = odd
				}
				if err != nil {
					out.Status = refuse(err)
					continue
				}
				for _, cmd := range some {
					cmds = append(cmds, cmd)
					owner = append(owner, len(reply.Outcomes)-1)
				}
			}
			if n.absent != nil {
				switch req.Action {
				case rinkpb.ActRequest_TOP:
					n.absent.Array, n.absent.Tasks = 0, nil
				case rinkpb.ActRequest_SUSPEND, rinkpb.ActRequest_RESUME:
					if len(t.ArrayJobs(slurm.JobID(n.absent.Array))) == 0 {
						n.absent.Array, n.absent.Tasks = 0, nil
					}
					if len(n.list) == 0 && t.Job(slurm.JobID(n.absent.Job)) == nil {
						n.absent.Status = refuse(slurm.ErrnoUnexpectedMsg) // Slurm's word for a job it has not
					}
				}
				reply.Outcomes = append(reply.Outcomes, n.absent)
			}
		}
	})
	if len(cmds) > 0 {
		results, err := c.s.barn.Propose(ctx, actor(u), cmds...)
		if err != nil {
			return nil, unavailable(err)
		}
		for i, r := range results {
			part := errors.Is(r.Err, slurm.ErrnoAlreadyDone) && c.isHetPart(slurm.JobID(reply.Outcomes[owner[i]].Job))
			if r.Err != nil && !part { // a component goes as the first one does
				reply.Outcomes[owner[i]].Status = refuse(r.Err)
			}
		}
		if req.Action == rinkpb.ActRequest_TOP {
			c.s.reckonNow(ctx, cmds)
		}
	}
	return reply, nil
}

// onlyWhole refuses what is done to one component of a heterogeneous job and only the
// whole can have, in Slurm's words.
func onlyWhole(what rinkpb.ActRequest_Action, j *sched.Job, part bool, named int) error {
	requeue := what == rinkpb.ActRequest_REQUEUE || what == rinkpb.ActRequest_REQUEUEHOLD
	switch {
	case j.HetID == 0:
	case part && (requeue || what == rinkpb.ActRequest_TOP):
		return slurm.ErrnoInvalidJobID
	case requeue && named == 1 && j.HetOffset > 0:
		return slurm.ErrnoNotHetJobLeader
	}
	return nil
}

// act is what is to be done to one record, or the reason it cannot be.
func (c *controller) act(t *state.State, req *rinkpb.ActRequest, tg target, u auth.User) ([]state.Command, error) {
	one := func(cmd state.Command) ([]state.Command, error) { return []state.Command{cmd}, nil }
	j, op := tg.job, c.s.operatorOf(u, tg.job)
	if !op && j.UID != u.UID {
		switch req.Action {
		case rinkpb.ActRequest_HOLD, rinkpb.ActRequest_UHOLD, rinkpb.ActRequest_RELEASE:
			return nil, slurm.ErrnoUserIDMissing
		}
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
		return one(changeOf(tg, state.JobChange{Hold: &by}))
	case rinkpb.ActRequest_RELEASE:
		if j.State.Ended() {
			return nil, slurm.ErrnoJobFinished
		}
		if j.HeldBy == sched.HeldByAdmin && !op {
			return nil, slurm.ErrnoAccessDenied
		}
		return one(changeOf(tg, c.s.releaseOf(j)))
	case rinkpb.ActRequest_REQUEUE, rinkpb.ActRequest_REQUEUEHOLD:
		if req.Incomplete && !j.IsRunning() && !j.IsSuspended() {
			return nil, nil
		}
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
		if hold := req.Action == rinkpb.ActRequest_REQUEUEHOLD; hold || req.SpecialExit {
			end.Hold = sched.HeldByUser
			if op {
				end.Hold = sched.HeldByAdmin
			}
			end.Special, end.SaysHeld = req.SpecialExit, hold
		} else if j.IsSuspended() {
			// What was suspended goes back with nothing to its priority, as one that an operator holds.
			by := sched.HeldByAdmin
			return []state.Command{changeOf(tg, state.JobChange{Hold: &by}), end}, nil
		}
		return one(end)
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
		return one(changeOf(tg, state.JobChange{Suspend: &on}))
	case rinkpb.ActRequest_TOP:
		return c.top(t, tg, u)
	}
	return nil, slurm.ErrnoNotSupported
}

// top moves a job to the head of its owner's pending jobs of the same partition,
// account and QOS, as Slurm's manual says, and nobody else's place changes.
func (c *controller) top(t *state.State, tg target, u auth.User) ([]state.Command, error) {
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
	if j.HeldBy != sched.HeldByNobody {
		return nil, slurm.ErrnoJobHeld
	}
	return topOf(t, tg), nil
}
