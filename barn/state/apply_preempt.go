package state

import (
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// preemptJobs has jobs give way as the scheduler planned. What no longer holds is
// left out: the job has ended, gives way already, or nobody waits for its room.
func (s *State) preemptJobs(c PreemptJobs) {
	for _, p := range c.Preempts {
		v, to := s.jobs[p.Job], s.jobs[p.For]
		if v == nil || to == nil || v.Restarts != p.Restarts || v.PreemptedFor != 0 || p.Mode == sched.PreemptOff || !to.IsPending() || !v.IsRunning() && !v.IsSuspended() {
			continue
		}
		s.makeRoom(to, p)
		s.giveWay(v, p)
	}
}

// makeRoom notes what others leave to a pending job, and until when.
func (s *State) makeRoom(to *sched.Job, p sched.Preempt) {
	j := *to
	until := s.at.Add(p.Grace)
	if j.RoomMade.After(until) {
		until = j.RoomMade
	}
	j.RoomMade, j.RoomOn = until, p.Alloc
	s.set(&j)
}

// giveWay has one job give way: it is suspended, ended or requeued at once, or told
// to end within its grace.
func (s *State) giveWay(v *sched.Job, p sched.Preempt) {
	j := *v
	j.Preempted, j.PreemptedFor, j.PreemptMode = s.at, p.For, p.Mode
	switch {
	case p.Mode == sched.PreemptSuspend:
		if !v.IsRunning() {
			return
		}
		s.suspend(&j, true)
		s.set(&j)
		s.keepers(&j)
	case p.Grace > 0:
		if end := s.at.Add(p.Grace); j.End.IsZero() || j.End.After(end) {
			j.End = end
		}
		s.set(&j)
	default:
		s.set(&j)
		s.endChecked(s.jobs[j.ID], EndJob{Job: j.ID, State: slurm.JobPreempted, Requeue: p.Mode == sched.PreemptRequeue,
			NotBefore: s.at.Add(sched.RequeueDelay(s.config))})
	}
}

// resumeJobs lets jobs go on that were suspended to make room, where their CPUs are
// free.
func (s *State) resumeJobs(c ResumeJobs) {
	for _, r := range c.Resumes {
		v := s.jobs[r.Job]
		if v == nil || v.Restarts != r.Restarts || !v.GaveWay() || s.checkSuspend(v, false) != nil {
			continue
		}
		j := *v
		s.suspend(&j, false)
		s.set(&j)
		s.keepers(&j)
	}
}

// keepers works out anew who keeps others off the nodes of a job.
func (s *State) keepers(j *sched.Job) {
	for _, a := range j.Alloc {
		n := *s.Node(a.Node)
		before, user := n.ExclusiveBy, n.ExclusiveUser
		n.ExclusiveBy, n.ExclusiveUser = 0, 0
		s.findKeeper(&n)
		if n.ExclusiveBy != before || n.ExclusiveUser != user {
			s.setNode(&n)
		}
	}
}

// findKeeper finds a job that keeps others off n, if there is one.
func (s *State) findKeeper(n *sched.Node) {
	for _, id := range n.Running {
		other := s.jobs[id]
		if other == nil || other.Aside() {
			continue
		}
		whole, user := sched.Exclusivity(s.config, other, s.config.Partition(other.Partition))
		if !whole && !user {
			continue
		}
		n.ExclusiveBy, n.ExclusiveUser = id, other.UID
		if whole {
			n.ExclusiveUser = sched.NoUser
		}
		return
	}
}

// present returns the first of the jobs on n that is there in earnest: not
// suspended to make room for another; 0 when there is none, or only besides.
func (s *State) present(n *sched.Node, besides slurm.JobID) slurm.JobID {
	for _, id := range n.Running {
		if j := s.jobs[id]; id != besides && j != nil && !(j.Aside() && len(gresOn(j, n.Name)) == 0) {
			return id
		}
	}
	return 0
}

func gresOn(j *sched.Job, name sched.NodeName) []sched.GresAlloc {
	for i := range j.Alloc {
		if j.Alloc[i].Node == name {
			return j.Alloc[i].Gres
		}
	}
	return nil
}
