package sched

import "github.com/runink/rink/slurm"

// IsPending reports whether j waits for a start. A job that is being requeued
// is not pending before the last of its nodes is free.
func (j *Job) IsPending() bool {
	return j.State.Base() == slurm.JobPending && !j.IsCompleting()
}

// IsRunning reports whether j runs and is not suspended.
func (j *Job) IsRunning() bool { return j.State.Base() == slurm.JobRunning }

// IsSuspended reports whether j has its allocation and its processes are
// stopped.
func (j *Job) IsSuspended() bool { return j.State.Base() == slurm.JobSuspended }

// HasEnded reports whether j's present incarnation has ended. Its nodes may
// not all be free yet: see IsCompleting.
func (j *Job) HasEnded() bool { return Final(j.State) }

// IsCompleting reports whether j has ended and something of it may be left on
// a node.
func (j *Job) IsCompleting() bool { return j.State&slurm.JobCompleting != 0 }

// IsRequeuing reports whether j has ended and goes back into the queue once
// its nodes are free.
func (j *Job) IsRequeuing() bool { return j.HasEnded() && j.State&slurm.JobRequeued != 0 }

// Holds reports whether j holds resources on nodes.
func (j *Job) Holds() bool {
	return j.IsRunning() || j.IsSuspended() || j.IsCompleting()
}

// Final reports whether a job of this state has ended.
func Final(s slurm.JobState) bool {
	switch s.Base() {
	case slurm.JobPending, slurm.JobRunning, slurm.JobSuspended:
		return false
	}
	return true
}

// MayBecome reports whether a job may go from one base state to another. The
// flags of both are ignored.
func MayBecome(from, to slurm.JobState) bool {
	for _, s := range nextStates(from.Base()) {
		if s == to.Base() {
			return true
		}
	}
	return false
}

// nextStates is the life of a job. All final states are alike: they are left
// only by a requeue.
func nextStates(from slurm.JobState) []slurm.JobState {
	switch from {
	case slurm.JobPending:
		// Pending jobs wait for resources, a dependency, a begin time or a
		// release; Reason says which. They leave by a start, or end unstarted:
		// cancelled, past their deadline, or found impossible.
		return []slurm.JobState{slurm.JobRunning, slurm.JobCancelled, slurm.JobDeadline, slurm.JobFailed}
	case slurm.JobRunning:
		// Running jobs hold resources on their nodes. They end, are suspended, or
		// are requeued, which is an end and then PENDING.
		return append([]slurm.JobState{slurm.JobSuspended, slurm.JobPending}, ends...)
	case slurm.JobSuspended:
		// Suspended jobs keep their memory and devices; their CPUs are free.
		return append([]slurm.JobState{slurm.JobRunning, slurm.JobPending}, ends...)
	case slurm.JobCompleted, slurm.JobCancelled, slurm.JobFailed, slurm.JobTimeout, slurm.JobNodeFail,
		slurm.JobPreempted, slurm.JobBootFail, slurm.JobDeadline, slurm.JobOutOfMemory:
		// Ended jobs stay until they are purged, or are requeued on demand.
		return []slurm.JobState{slurm.JobPending}
	}
	return nil
}

// ends are the states in which a started job can end.
var ends = []slurm.JobState{
	slurm.JobCompleted, slurm.JobCancelled, slurm.JobFailed, slurm.JobTimeout, slurm.JobNodeFail,
	slurm.JobPreempted, slurm.JobBootFail, slurm.JobDeadline, slurm.JobOutOfMemory,
}
