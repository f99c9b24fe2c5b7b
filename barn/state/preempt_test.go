package state

import (
	"testing"
	"time"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

func (r *rig) gives(v slurm.JobID, mode sched.PreemptMode, grace time.Duration, to slurm.JobID) {
	r.t.Helper()
	r.must(PreemptJobs{[]sched.Preempt{{Job: v, Restarts: r.job(v).Restarts, Mode: mode, Grace: grace, For: to,
		Alloc: r.on(to, 8, "n1").Alloc}}})
}

func TestJobsGiveWay(t *testing.T) {
	t.Run("Cancel", func(t *testing.T) {
		r := newRig(t)
		v, to := r.runs("n1"), r.submit()
		r.gives(v, sched.PreemptCancel, 0, to)
		j := r.want(v, slurm.JobPreempted|slurm.JobCompleting, slurm.ReasonNone)
		if !j.Preempted.Equal(r.at) || j.PreemptedFor != to {
			t.Errorf("preempted at %v for %d", j.Preempted, j.PreemptedFor)
		}
		if p := r.job(to); !p.RoomMade.Equal(r.at) || len(p.RoomOn) != 1 {
			t.Errorf("room %v on %v", p.RoomMade, p.RoomOn)
		}
		r.free(v)
		r.want(v, slurm.JobPreempted, slurm.ReasonNone)
		r.run(r.on(to, 8, "n1"))
		if p := r.job(to); !p.RoomMade.IsZero() || p.RoomOn != nil {
			t.Errorf("room is kept after the start: %v", p.RoomMade)
		}
	})
	t.Run("Requeue", func(t *testing.T) {
		r := newRig(t)
		v, to := r.runs("n1"), r.submit()
		r.gives(v, sched.PreemptRequeue, 0, to)
		told := r.at
		r.free(v)
		j := r.want(v, slurm.JobPending, slurm.ReasonBeginTime)
		// The default of Slurm: two minutes, and one second.
		if !j.Begin.Equal(told.Add(121*time.Second)) || j.Restarts != 1 || j.PreemptedFor != 0 || !j.Preempted.IsZero() {
			t.Errorf("begins %v, restart %d, for %d", j.Begin.Sub(told), j.Restarts, j.PreemptedFor)
		}
	})
	t.Run("Grace", func(t *testing.T) {
		r := newRig(t)
		v, to := r.runs("n1"), r.submit()
		r.gives(v, sched.PreemptRequeue, 30*time.Second, to)
		j := r.want(v, slurm.JobRunning, slurm.ReasonNone)
		if !j.End.Equal(r.at.Add(30*time.Second)) || !r.job(to).RoomMade.Equal(r.at.Add(30*time.Second)) {
			t.Errorf("ends %v", j.End)
		}
		// Told again, it does not get more time.
		end := j.End
		r.gives(v, sched.PreemptCancel, time.Hour, to)
		if j := r.job(v); !j.End.Equal(end) || j.PreemptMode != sched.PreemptRequeue {
			t.Errorf("ends %v, %v", j.End, j.PreemptMode)
		}
	})
	t.Run("Suspend", func(t *testing.T) {
		r := newRig(t)
		whole := func(j *sched.Job) { j.Need.Exclusive = true }
		v, to := r.run(r.on(r.submit(whole), 8, "n1")), r.submit(whole)
		r.gives(v, sched.PreemptSuspend, 0, to)
		j := r.want(v, slurm.JobSuspended, slurm.ReasonNone)
		if !j.GaveWay() || r.s.Node("n1").UsedCPUs != 0 || r.s.Node("n1").UsedMem != 100 || r.s.Node("n1").ExclusiveBy != 0 {
			t.Errorf("%+v", r.s.Node("n1"))
		}
		// While the other has its place it cannot go on.
		r.run(r.on(to, 8, "n1"))
		r.must(ResumeJobs{[]sched.Resume{{Job: v}}})
		r.want(v, slurm.JobSuspended, slurm.ReasonNone)
		r.end(to, slurm.JobCompleted)
		r.must(ResumeJobs{[]sched.Resume{{Job: v}}})
		j = r.want(v, slurm.JobRunning, slurm.ReasonNone)
		if j.PreemptedFor != 0 || j.SuspendedFor <= 0 || r.s.Node("n1").ExclusiveBy != v || r.s.Node("n1").UsedCPUs != 8 {
			t.Errorf("%+v of %+v", j, r.s.Node("n1"))
		}
	})
	t.Run("NobodyForNobody", func(t *testing.T) {
		r := newRig(t)
		v, to := r.runs("n1"), r.submit()
		r.must(EndJob{Job: to, Restarts: AnyIncarnation, State: slurm.JobCancelled})
		r.must(PreemptJobs{[]sched.Preempt{{Job: v, Mode: sched.PreemptCancel, For: to}, {Job: 9999, Mode: sched.PreemptCancel, For: to}}})
		r.want(v, slurm.JobRunning, slurm.ReasonNone)
	})
	t.Run("WhatItAsksForIsNotWhatRoomWasMadeFor", func(t *testing.T) {
		r := newRig(t)
		v, to := r.runs("n1"), r.submit()
		r.gives(v, sched.PreemptCancel, 0, to)
		need := r.job(to).Need
		need.MinNodes, need.MaxNodes = 2, 2
		r.must(UpdateJob{Job: to, Change: JobChange{Need: &need}})
		if j := r.job(to); !j.RoomMade.IsZero() || j.RoomOn != nil {
			t.Errorf("room %v", j.RoomMade)
		}
	})
}

func TestAnArrayGetsRoomForOneTask(t *testing.T) {
	r := newRig(t)
	v, array := r.runs("n1"), r.submit(tasks("0-3"))
	r.gives(v, sched.PreemptCancel, 0, array)
	r.free(v)
	one := r.run(r.task(array, 0, 1, "n1"))
	for _, id := range []slurm.JobID{one, array} {
		if j := r.job(id); !j.RoomMade.IsZero() {
			t.Errorf("job %d keeps its room", id)
		}
	}
}

func TestAJobGoesOnWithoutALostNode(t *testing.T) {
	r := newRig(t)
	id := r.run(r.on(r.submit(), 2, "n1", "n2", "n3"))
	step := &sched.Step{ID: slurm.StepID(0), Nodes: []sched.StepNode{{Node: "n1"}, {Node: "n3"}}}
	here := &sched.Step{ID: slurm.StepID(1), Nodes: []sched.StepNode{{Node: "n1"}}}
	r.must(StartStep{Job: id, Step: step})
	r.must(StartStep{Job: id, Step: here})
	r.refuse(ShrinkJob{Job: id, Nodes: []sched.NodeName{"n1"}}, slurm.ErrnoInvalidNodeName)
	r.refuse(ShrinkJob{Job: id, Restarts: 3, Nodes: []sched.NodeName{"n2"}}, slurm.ErrnoAlreadyDone)
	r.must(ShrinkJob{Job: id, Nodes: []sched.NodeName{"n3"}})
	j := r.want(id, slurm.JobRunning, slurm.ReasonNone)
	if len(j.Alloc) != 2 || r.s.Node("n3").UsedCPUs != 0 || len(j.Steps) != 1 {
		t.Errorf("%v %v, node n3 has %d CPUs in use", j.Alloc, j.Steps, r.s.Node("n3").UsedCPUs)
	}
	if e := event[StepEnded](r); e.Step.State != slurm.JobNodeFail {
		t.Errorf("the step ended %v", e.Step.State)
	}
	r.end(id, slurm.JobCompleted)
}

func TestWhatCannotBeStartedIsHeldInTheEnd(t *testing.T) {
	r := newRig(t)
	r.must(SetConfig{rigFiles("MaxBatchRequeue=2\n")})
	id := r.submit()
	for range 3 {
		r.run(r.on(id, 1, "n1"))
		r.must(EndJob{Job: id, Restarts: r.job(id).Restarts, State: slurm.JobNodeFail, Reason: slurm.ReasonJobLaunchFailure, Requeue: true})
		r.free(id)
	}
	j := r.want(id, slurm.JobPending, slurm.ReasonJobHoldMaxRequeue)
	if j.Priority != 0 || j.Restarts != 3 {
		t.Errorf("priority %d after %d restarts", j.Priority, j.Restarts)
	}
	r.must(UpdateJob{Job: id, Change: JobChange{Hold: ptr(sched.HeldByNobody)}})
	r.want(id, slurm.JobPending, slurm.ReasonNone)
}

func TestSpecialExit(t *testing.T) {
	r := newRig(t)
	id := r.runs("n1")
	r.must(EndJob{Job: id, State: slurm.JobCancelled, Requeue: true, Hold: sched.HeldByAdmin, Special: true})
	r.free(id)
	j := r.want(id, slurm.JobPending|slurm.JobSpecialExit, slurm.ReasonJobHeldAdmin)
	if j.State.Short() != "SE" || j.Priority != 0 || !j.IsPending() {
		t.Errorf("%s with priority %d", j.State.Short(), j.Priority)
	}
	r.must(UpdateJob{Job: id, Change: JobChange{Hold: ptr(sched.HeldByNobody)}})
	r.want(id, slurm.JobPending, slurm.ReasonNone)
}
