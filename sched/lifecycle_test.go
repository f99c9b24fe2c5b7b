package sched

import (
	"testing"

	"github.com/runink/rink/slurm"
)

func TestMayBecome(t *testing.T) {
	names := []slurm.JobState{
		slurm.JobPending, slurm.JobRunning, slurm.JobSuspended, slurm.JobCompleted, slurm.JobCancelled, slurm.JobFailed,
		slurm.JobTimeout, slurm.JobNodeFail, slurm.JobPreempted, slurm.JobBootFail, slurm.JobDeadline, slurm.JobOutOfMemory,
	}
	//               PD R S CD CA F TO NF PR BF DL OOM
	table := map[slurm.JobState]string{
		slurm.JobPending:     ". x . . x x . . . . x .",
		slurm.JobRunning:     "x . x x x x x x x x x x",
		slurm.JobSuspended:   "x x . x x x x x x x x x",
		slurm.JobCompleted:   "x . . . . . . . . . . .",
		slurm.JobCancelled:   "x . . . . . . . . . . .",
		slurm.JobFailed:      "x . . . . . . . . . . .",
		slurm.JobTimeout:     "x . . . . . . . . . . .",
		slurm.JobNodeFail:    "x . . . . . . . . . . .",
		slurm.JobPreempted:   "x . . . . . . . . . . .",
		slurm.JobBootFail:    "x . . . . . . . . . . .",
		slurm.JobDeadline:    "x . . . . . . . . . . .",
		slurm.JobOutOfMemory: "x . . . . . . . . . . .",
	}
	for _, from := range names {
		for i, to := range names {
			want := table[from][2*i] == 'x'
			if got := MayBecome(from, to); got != want {
				t.Errorf("MayBecome(%v, %v) = %v", from, to, got)
			}
			if MayBecome(from|slurm.JobCompleting, to|slurm.JobRequeued) != want {
				t.Errorf("flags decide whether %v becomes %v", from, to)
			}
		}
	}
	if MayBecome(77, slurm.JobPending) || MayBecome(slurm.JobRunning, 77) {
		t.Error("a state that is none may become something")
	}
}

func TestStates(t *testing.T) {
	for _, c := range []struct {
		name                                                             string
		state                                                            slurm.JobState
		pending, running, suspended, ended, completing, requeuing, holds bool
	}{
		{name: "Pending", state: slurm.JobPending, pending: true},
		{name: "Running", state: slurm.JobRunning, running: true, holds: true},
		{name: "Suspended", state: slurm.JobSuspended, suspended: true, holds: true},
		{name: "Completing", state: slurm.JobFailed | slurm.JobCompleting, ended: true, completing: true, holds: true},
		{name: "Requeuing", state: slurm.JobPreempted | slurm.JobRequeued | slurm.JobCompleting, ended: true, completing: true, requeuing: true, holds: true},
		{name: "Completed", state: slurm.JobCompleted, ended: true},
		{name: "OutOfMemory", state: slurm.JobOutOfMemory, ended: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := &Job{State: c.state}
			for what, ok := range map[string]bool{
				"IsPending": j.IsPending() == c.pending, "IsRunning": j.IsRunning() == c.running, "IsSuspended": j.IsSuspended() == c.suspended,
				"HasEnded": j.HasEnded() == c.ended, "IsCompleting": j.IsCompleting() == c.completing,
				"IsRequeuing": j.IsRequeuing() == c.requeuing, "Holds": j.Holds() == c.holds, "Final": Final(c.state) == c.ended,
			} {
				if !ok {
					t.Errorf("%s is wrong for %v", what, c.state.Complete())
				}
			}
		})
	}
}
