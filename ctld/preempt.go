package ctld

import (
	"time"

	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// roomCommands are what a plan says of jobs that give way and go on.
func roomCommands(plan *sched.Plan) []state.Command {
	var cmds []state.Command
	if len(plan.Preempts) > 0 {
		cmds = append(cmds, state.PreemptJobs{Preempts: plan.Preempts})
	}
	if len(plan.Resumes) > 0 {
		cmds = append(cmds, state.ResumeJobs{Resumes: plan.Resumes})
	}
	return cmds
}

// graceOver ends the jobs that gave way and whose grace is over. It is in the
// state, so that it goes on when the leader changes.
func graceOver(st *state.State, now time.Time) []state.Command {
	var cmds []state.Command
	for j := range st.Holding() {
		if !inGrace(j) || now.Before(j.End) {
			continue
		}
		cmds = append(cmds, state.EndJob{Job: j.ID, Restarts: j.Restarts, State: slurm.JobPreempted,
			Requeue: j.PreemptMode == sched.PreemptRequeue, NotBefore: now.Add(sched.RequeueDelay(st.Config()))})
	}
	return cmds
}

// inGrace reports whether a job was told to give way and has until its end to do so.
func inGrace(j *sched.Job) bool {
	return j.PreemptedFor != 0 && !j.GaveWay() && !j.IsCompleting() && (j.IsRunning() || j.IsSuspended())
}

// warnPreempted tells jobs that are to give way: what they run gets CONT and TERM,
// or the signal the job asked to be warned with. Each is told once in a leader's
// term; twice after a change of leader is better than never.
func (s *Server) warnPreempted(now time.Time) {
	var due []*sched.Job
	users := false
	s.barn.Read(func(t *state.State) {
		conf := t.Config()
		if conf == nil {
			return
		}
		users = conf.Conf.PreemptParameters.Has("send_user_signal") || conf.Conf.SlurmctldParameters.Has("preempt_send_user_signal")
		for j := range t.Holding() {
			if inGrace(j) && s.soft.tellOnce(j.ID, j.Restarts) {
				due = append(due, j)
			}
		}
	})
	for _, j := range due {
		s.signalJob(j, int32(18), false, false)
		if sig := j.Spec.Signal; users && sig.Num != 0 && s.soft.warnOnce(j.ID, j.Restarts) {
			s.signalJob(j, int32(sig.Num), sig.Shell, false)
			continue
		}
		s.signalJob(j, int32(15), false, false)
	}
}

// tellOnce reports true the first time it is asked for an incarnation.
func (f *softFacts) tellOnce(id slurm.JobID, restarts uint32) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r, ok := f.told[id]; ok && r == restarts {
		return false
	}
	if f.told == nil {
		f.told = map[slurm.JobID]uint32{}
	}
	f.told[id] = restarts
	return true
}

// suspendGrace is how long a job that is suspended has between being asked to stop
// and being stopped.
func suspendGrace(conf *slurm.Conf) time.Duration {
	return time.Duration(max(conf.PreemptParameters.Int("suspend_grace_time", 2), 0)) * time.Second
}
