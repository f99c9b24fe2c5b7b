package ctld

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"

	"github.com/runink/rink/api"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/auth"
	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// target is one record a request means, or some tasks of an array's record.
type target struct {
	job   *sched.Job
	tasks slurm.IndexSet // not empty: these pending tasks of the record alone
}

// find resolves a reference to the records it means. It needs the state's read
// lock.
func find(t *state.State, ref *rinkpb.JobRef) ([]target, error) {
	id := slurm.JobID(ref.Job)
	if ref.HasHet {
		for _, j := range t.HetJobs(id) {
			if j.HetOffset == int(ref.Het) {
				return []target{{job: j}}, nil
			}
		}
		if j := t.Job(id); j != nil && j.HetID == 0 {
			return nil, slurm.ErrnoNotHetJob
		}
		return nil, slurm.ErrnoInvalidJobID
	}
	if !ref.HasTask && ref.Tasks == nil { // the whole, also written N_*
		list := t.ArrayJobs(id)
		if len(list) == 0 {
			list = t.HetJobs(id)
		}
		if len(list) == 0 {
			if j := t.Job(id); j != nil {
				list = []*sched.Job{j}
			}
		}
		if len(list) == 0 {
			return nil, slurm.ErrnoInvalidJobID
		}
		out := make([]target, len(list))
		for i, j := range list {
			out[i] = target{job: j}
		}
		return out, nil
	}
	want, err := api.IndexSetFromProto(ref.Tasks)
	if err != nil {
		return nil, err
	}
	if ref.HasTask {
		want = slurm.NewIndexSet(ref.Task)
	}
	var out []target
	for _, j := range t.ArrayJobs(id) {
		if j.IsArrayRest() {
			if some := j.Tasks.Intersect(want); some.Len() > 0 {
				out = append(out, target{j, some})
			}
		} else if want.Contains(j.TaskID) {
			out = append(out, target{job: j})
		}
	}
	if len(out) == 0 {
		return nil, slurm.ErrnoInvalidJobID
	}
	return out, nil
}

// Cancel ends or signals jobs, named or matched by filters. A user's request
// touches that user's jobs only, and those of accounts that the user coordinates;
// for others it is answered that they may not be touched.
func (c *controller) Cancel(ctx context.Context, req *rinkpb.CancelRequest) (*rinkpb.ActionReply, error) {
	_, u, err := c.caller(ctx)
	if err != nil {
		return nil, err
	}
	reply := &rinkpb.ActionReply{Status: &rinkpb.Status{}}
	var cmds []state.Command
	var owner []int // cmds[i] answers reply.Outcomes[owner[i]]
	var signals []func()
	c.s.barn.Read(func(t *state.State) {
		if len(req.Refs) == 0 && req.HasFilter {
			for _, j := range liveJobs(t) {
				// What is somebody else's is answered for, too: it is what was asked for.
				if matches(j, req) {
					what := slurm.JobName(j.ID, j.ArrayID, j.TaskID, false)
					if j.IsArrayRest() {
						what = fmt.Sprintf("%d_[%s]", j.ArrayID, j.Tasks)
					}
					out := &rinkpb.Outcome{What: what, Job: uint32(j.ID), Status: &rinkpb.Status{}}
					reply.Outcomes = append(reply.Outcomes, out)
					cmds, signals = c.cancelOne(t, req, target{job: j}, u, out, cmds, signals)
					for len(owner) < len(cmds) {
						owner = append(owner, len(reply.Outcomes)-1)
					}
				}
			}
			return
		}
		for _, ref := range req.Refs {
			what := refName(ref)
			list, err := find(t, ref)
			if err != nil {
				reply.Outcomes = append(reply.Outcomes, &rinkpb.Outcome{What: what, Job: ref.Job, Status: refuse(err)})
				continue
			}
			matched := 0
			for _, tg := range list {
				if (len(list) > 1 || req.HasFilter) && tg.job.State.Ended() {
					continue
				}
				if req.HasFilter && !matches(tg.job, req) {
					continue
				}
				matched++
				out := &rinkpb.Outcome{What: what, Job: uint32(tg.job.ID), Status: &rinkpb.Status{}}
				reply.Outcomes = append(reply.Outcomes, out)
				if len(list) == 1 && tg.job.HetOffset > 0 && tg.job.IsPending() {
					out.Status = refuse(slurm.ErrnoNotWholeHetJob)
					continue
				}
				if ref.HasStep {
					signals = c.cancelStep(ref, req, tg.job, u, out, signals)
					continue
				}
				cmds, signals = c.cancelOne(t, req, tg, u, out, cmds, signals)
				for len(owner) < len(cmds) {
					owner = append(owner, len(reply.Outcomes)-1)
				}
			}
			live := slices.ContainsFunc(list, func(tg target) bool { return !tg.job.State.Ended() })
			switch {
			case matched > 0 || live && req.HasFilter:
			case req.HasFilter: // filters look among the jobs that live
				reply.Outcomes = append(reply.Outcomes, &rinkpb.Outcome{What: what, Job: ref.Job, Status: refuse(slurm.ErrnoInvalidJobID)})
			default:
				reply.Outcomes = append(reply.Outcomes, &rinkpb.Outcome{What: what, Job: ref.Job, Status: refuse(slurm.ErrnoAlreadyDone)})
			}
		}
	})
	if len(cmds) > 0 {
		results, err := c.s.barn.Propose(ctx, actor(u), cmds...)
		if err != nil {
			return nil, unavailable(err)
		}
		for i, r := range results {
			out := reply.Outcomes[owner[i]]
			if r.Err == nil || errors.Is(r.Err, slurm.ErrnoAlreadyDone) && c.isHetPart(slurm.JobID(out.Job)) {
				continue // a part ended with the first component, which came before it
			}
			out.Status = refuse(r.Err)
		}
	}
	for _, send := range signals {
		send()
	}
	return reply, nil
}

// isHetPart reports whether a job is a component of a heterogeneous job other
// than the first.
func (c *controller) isHetPart(id slurm.JobID) (is bool) {
	c.s.barn.Read(func(t *state.State) {
		j := t.Job(id)
		is = j != nil && j.HetOffset > 0
	})
	return is
}

// cancelOne adds what ends or signals one record.
func (c *controller) cancelOne(t *state.State, req *rinkpb.CancelRequest, tg target, u auth.User, out *rinkpb.Outcome, cmds []state.Command, signals []func()) ([]state.Command, []func()) {
	j := tg.job
	if !c.s.mayTouch(u, j) {
		out.Status = refuse(slurm.ErrnoAccessDenied)
		return cmds, signals
	}
	if isCron(j) && !req.Cron && explicitCron(t) {
		out.Status = refuse(slurm.ErrnoCannotCancelCronJob)
		return cmds, signals
	}
	if j.State.Ended() || j.State.Has(slurm.JobCompleting) {
		if j.State.Has(slurm.JobCompleting) {
			out.Status = refuse(slurm.ErrnoAlreadyDone)
			return cmds, append(signals, func() {
				for _, n := range j.Completing {
					c.s.sessions.send(n, c.s.endOrder(j))
				}
			})
		}
		out.Status = refuse(slurm.ErrnoAlreadyDone)
		return cmds, signals
	}
	if req.AdminComment != "" {
		if !c.s.operatorOf(u, j) {
			out.Status = refuse(slurm.ErrnoAccessDenied)
			return cmds, signals
		}
		cmds = append(cmds, state.UpdateJob{Job: j.ID, Tasks: tg.tasks, Change: state.JobChange{AdminComment: &req.AdminComment}})
	}
	pending := j.State.Base() == slurm.JobPending
	suspended := j.State.Base() == slurm.JobSuspended
	if req.Signal != 0 && (req.Signal != 9 || req.Batch && !suspended) {
		if pending || suspended {
			out.Status = refuse(slurm.ErrnoTransitionStateNoUpdate)
			return cmds, signals
		}
		if req.Batch && j.Script == "" {
			out.Status = refuse(slurm.ErrnoJobScriptMissing)
			return cmds, signals
		}
		return cmds, append(signals, func() { c.s.signalJob(j, req.Signal, req.Batch, req.Full) })
	}
	if req.Batch && !pending && !suspended {
		if j.Script == "" {
			out.Status = refuse(slurm.ErrnoJobScriptMissing)
			return cmds, signals
		}
		return cmds, append(signals, func() { c.s.signalJob(j, int32(syscall.SIGKILL), true, false) })
	}
	if isCron(j) {
		return append(cmds, state.DropCron{Job: j.ID}), signals
	}
	tasks := tg.tasks
	if req.HasFilter && j.IsArrayRest() && tasks.IsEmpty() {
		tasks = j.Tasks // found task by task, as in Slurm
	}
	return append(cmds, state.EndJob{Job: j.ID, Tasks: tasks, Restarts: j.Restarts, State: slurm.JobCancelled}), signals
}

func (c *controller) cancelStep(ref *rinkpb.JobRef, req *rinkpb.CancelRequest, j *sched.Job, u auth.User, out *rinkpb.Outcome, signals []func()) []func() {
	if !c.s.mayTouch(u, j) {
		out.Status = refuse(slurm.ErrnoAccessDenied)
		return signals
	}
	for _, st := range j.Steps {
		if uint32(st.ID) != ref.Step {
			continue
		}
		if req.Signal != 0 {
			return append(signals, func() { c.s.passToStep(j, st, req.Signal) })
		}
		// A step gets no time to take leave, as in Slurm.
		return append(signals, func() { c.s.signalStep(j, st, int32(syscall.SIGKILL), u.UID) })
	}
	switch {
	case j.HasEnded(): // and its steps are forgotten
		out.Status = refuse(slurm.ErrnoInvalidJobID)
	case !j.IsPending(): // no step can be there yet
		out.Status = refuse(slurm.ErrnoAlreadyDone)
	}
	return signals
}

// signalStep signals a step on all of its nodes; 0 and KILL end it, and its srun and
// its record tell who did.
func (s *Server) signalStep(j *sched.Job, st *sched.Step, sig int32, uid uint32) {
	if sig != 0 && sig != 9 {
		s.passToStep(j, st, sig)
		return
	}
	if j.State.Has(slurm.JobCompleting) {
		return // its steps have been told to go, and have their time
	}
	if !j.HasEnded() {
		s.stepBook.killed(j.ID, st.ID, uid)
	}
	for _, n := range st.Nodes {
		s.sessions.send(n.Node, &rinkpb.Order{Order: &rinkpb.Order_End{End: &rinkpb.EndJobHere{
			Job: uint32(j.ID), Restarts: j.Restarts, KillWait: int64(s.killWait().Seconds()), Now: sig == 9, HasStep: true, Step: uint32(st.ID),
		}}})
	}
}

// passToStep has a step's nodes signal it.
func (s *Server) passToStep(j *sched.Job, st *sched.Step, sig int32) {
	for _, n := range st.Nodes {
		s.sessions.send(n.Node, &rinkpb.Order{Order: &rinkpb.Order_Signal{Signal: &rinkpb.SignalJob{
			Job: uint32(j.ID), Restarts: j.Restarts, Signal: sig, HasStep: true, Step: uint32(st.ID),
		}}})
	}
}

// matches reports whether a live job passes every filter given.
func matches(j *sched.Job, req *rinkpb.CancelRequest) bool {
	if req.ByUser && j.UID != req.Uid {
		return false
	}
	if req.Name != "" && j.Name != req.Name || req.Account != "" && j.Account != req.Account || req.Qos != "" && j.QOS != req.Qos {
		return false
	}
	if req.Reservation != "" && j.ReservationName() != req.Reservation || req.Wckey != "" && j.Spec.WCKey != req.Wckey {
		return false
	}
	if req.Run != "" && j.Run != req.Run {
		return false
	}
	if len(req.Partitions) > 0 && !slices.ContainsFunc(j.Partitions, func(p sched.PartitionName) bool {
		return slices.Contains(req.Partitions, string(p))
	}) {
		return false
	}
	if len(req.States) > 0 && !slices.Contains(req.States, uint32(j.State.Base())) {
		return false
	}
	if len(req.Nodes) > 0 && !slices.ContainsFunc(j.Alloc, func(a sched.NodeAlloc) bool {
		return slices.Contains(req.Nodes, string(a.Node))
	}) {
		return false
	}
	return true
}

// refName is how a person would have written the reference.
func refName(r *rinkpb.JobRef) string {
	name := fmt.Sprint(r.Job)
	switch {
	case r.HasTask:
		name += fmt.Sprintf("_%d", r.Task)
	case r.Tasks != nil:
		name += "_[" + indexText(r.Tasks) + "]"
	case r.HasHet:
		name += fmt.Sprintf("+%d", r.Het)
	}
	if r.HasStep {
		name += "." + slurm.StepID(r.Step).String()
	}
	return name
}

func indexText(p *rinkpb.IndexSet) string {
	set, err := api.IndexSetFromProto(p)
	if err != nil {
		return "?"
	}
	return set.String()
}
