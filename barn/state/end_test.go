package state

import (
	"testing"
	"time"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

func TestEndThenRelease(t *testing.T) {
	for _, state := range []slurm.JobState{
		slurm.JobCompleted, slurm.JobCancelled, slurm.JobFailed, slurm.JobTimeout, slurm.JobNodeFail,
		slurm.JobPreempted, slurm.JobBootFail, slurm.JobDeadline, slurm.JobOutOfMemory,
	} {
		t.Run(state.String(), func(t *testing.T) {
			r := newRig(t)
			id := r.submit(func(j *sched.Job) { j.Need.Licenses, _ = slurm.ParseLicenses("lic:1") })
			r.run(r.on(id, 2, "n1", "n2"))
			r.must(EndJob{Job: id, State: state, Reason: slurm.ReasonTimeLimit, Exit: sched.ExitCode{Code: 3}, Text: "words"})
			j := r.want(id, state|slurm.JobCompleting, slurm.ReasonTimeLimit)
			if !j.End.Equal(r.at) || j.ExitCode.Code != 3 || j.Ended != "words" || len(j.Completing) != 2 {
				t.Errorf("end %v exit %v words %q completing %v", j.End, j.ExitCode, j.Ended, j.Completing)
			}
			if e := event[JobEnded](r); e.Job != j || e.Requeued || !e.At.Equal(r.at) {
				t.Errorf("event %+v", e)
			}
			if r.s.LicensesUsed().Get("lic") != 0 {
				t.Error("the licence is still in use")
			}
			n := r.s.Node("n1")
			if n.UsedCPUs != 2 || n.CompletingJobs != 1 || !n.State.Has(slurm.NodeCompleting) {
				t.Errorf("n1 %v has %d CPUs in use", n.State, n.UsedCPUs)
			}

			usage := sched.Usage{MaxRSS: 42}
			r.must(ReleaseNodes{Job: id, Nodes: []sched.NodeName{"n1"}, Batch: true, Exit: sched.ExitCode{Code: 3}, Usage: usage})
			if n := r.s.Node("n1"); n.UsedCPUs != 0 || n.State != slurm.NodeIdle || !n.LastBusy.Equal(r.at) {
				t.Errorf("n1 %v has %d CPUs in use after it was freed", n.State, n.UsedCPUs)
			}
			if r.s.Node("n2").UsedCPUs != 2 || count[JobReleased](r) != 0 {
				t.Error("n2 came free with n1")
			}
			r.must(ReleaseNodes{Job: id, Nodes: []sched.NodeName{"n1"}})
			if len(r.events) != 0 {
				t.Errorf("telling it twice made %v", r.events)
			}
			r.must(ReleaseNodes{Job: id, Nodes: []sched.NodeName{"n2", "n1", "n77"}})
			j = r.want(id, state, slurm.ReasonTimeLimit)
			if e := event[JobReleased](r); e.Usage != usage || e.Job.BatchUsed() != usage {
				t.Errorf("released with %+v", e.Usage)
			}
			if len(j.Alloc) != 2 {
				t.Error("the record forgot its nodes")
			}
			r.must(ReleaseNodes{Job: id, Nodes: []sched.NodeName{"n2"}})
			if len(r.events) != 0 {
				t.Errorf("telling it late made %v", r.events)
			}
			r.refuse(EndJob{Job: id, State: slurm.JobFailed}, slurm.ErrnoAlreadyDone)
		})
	}
}

// TestSessionsAreAStepOfTheJob has both nodes of a job tell, with its end, what sessions
// from outside used there.
func TestSessionsAreAStepOfTheJob(t *testing.T) {
	r := newRig(t)
	id := r.submit()
	r.run(r.on(id, 2, "n1", "n2"))
	r.must(EndJob{Job: id, State: slurm.JobCompleted})
	j := r.s.Job(id)
	used := sched.Usage{UserCPU: 2 * time.Second, MaxRSS: 42, MaxRSSNode: "n1", Tasks: 1}
	r.must(ReleaseNodes{Job: id, Nodes: []sched.NodeName{"n1"}, Extern: used})
	if e := event[StepEnded](r); e.Step.ID != slurm.StepExtern || e.Step.Usage != used || e.Step.State != slurm.JobCompleted || !e.Step.End.Equal(j.End) || len(e.Step.Nodes) != 2 {
		t.Errorf("told of %+v", e.Step)
	}
	r.must(ReleaseNodes{Job: id, Nodes: []sched.NodeName{"n1"}, Extern: used})
	if len(r.events) != 0 {
		t.Errorf("telling it twice made %v", r.events)
	}
	r.must(ReleaseNodes{Job: id, Nodes: []sched.NodeName{"n2"}, Extern: sched.Usage{UserCPU: time.Second, MaxRSS: 99, MaxRSSNode: "n2", Tasks: 1}})
	if u := event[StepEnded](r).Step.Usage; u.UserCPU != 3*time.Second || u.MaxRSSNode != "n2" || u.Tasks != 2 {
		t.Errorf("both used %+v", u)
	}
	if event[JobReleased](r).Job.Steps != nil {
		t.Error("the step is still with the job")
	}
}

func TestEndRefusals(t *testing.T) {
	cases := []struct {
		name string
		code slurm.Errno
		cmd  func(r *rig) Command
	}{
		{"NoSuchJob", slurm.ErrnoInvalidJobID, func(r *rig) Command { return EndJob{Job: 999, State: slurm.JobCancelled} }},
		{"NoSuchArray", slurm.ErrnoInvalidJobID, func(r *rig) Command {
			return EndJob{Job: r.submit(), IsTask: true, Task: 1, State: slurm.JobCancelled}
		}},
		{"NoSuchTask", slurm.ErrnoInvalidJobID, func(r *rig) Command {
			return EndJob{Job: r.submit(tasks("1-3")), IsTask: true, Task: 42, Restarts: AnyIncarnation, State: slurm.JobCancelled}
		}},
		{"EarlierIncarnation", slurm.ErrnoAlreadyDone, func(r *rig) Command {
			id := r.runs("n1")
			r.must(EndJob{Job: id, State: slurm.JobFailed, Requeue: true})
			r.free(id)
			return EndJob{Job: id, Restarts: 0, State: slurm.JobCompleted}
		}},
		{"CompletedUnstarted", slurm.ErrnoInvalidJobState, func(r *rig) Command {
			return EndJob{Job: r.submit(), State: slurm.JobCompleted}
		}},
		{"NoEnd", slurm.ErrnoInvalidJobState, func(r *rig) Command { return EndJob{Job: r.runs("n1"), State: slurm.JobRunning} }},
		{"UnknownState", slurm.ErrnoInvalidJobState, func(r *rig) Command { return EndJob{Job: r.runs("n1"), State: 77} }},
		{"RequeuePending", slurm.ErrnoJobPending, func(r *rig) Command {
			return EndJob{Job: r.submit(), State: slurm.JobCancelled, Requeue: true}
		}},
		{"RequeueEndedNoRequeue", slurm.ErrnoDisabled, func(r *rig) Command {
			id := r.runs("n1", func(j *sched.Job) { j.Requeue = false })
			r.end(id, slurm.JobFailed)
			return EndJob{Job: id, State: slurm.JobFailed, Requeue: true}
		}},
		{"ReleaseRunning", slurm.ErrnoJobNotFinished, func(r *rig) Command {
			return ReleaseNodes{Job: r.runs("n1"), Nodes: []sched.NodeName{"n1"}}
		}},
		{"ReleaseNoSuchJob", slurm.ErrnoInvalidJobID, func(r *rig) Command { return ReleaseNodes{Job: 999} }},
		{"ReleaseLaterIncarnation", slurm.ErrnoInvalidJobID, func(r *rig) Command {
			return ReleaseNodes{Job: r.runs("n1"), Restarts: 1, Nodes: []sched.NodeName{"n1"}}
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			r.refuse(c.cmd(r), c.code)
		})
	}
}

func TestCancelPending(t *testing.T) {
	r := newRig(t)
	id := r.submit()
	r.must(EndJob{Job: id, Restarts: AnyIncarnation, State: slurm.JobCancelled})
	j := r.want(id, slurm.JobCancelled, slurm.ReasonNone)
	if !j.End.Equal(r.at) || !j.Start.IsZero() || j.KilledBy != 1000 {
		t.Errorf("end %v start %v by %d", j.End, j.Start, j.KilledBy)
	}
	if e := event[JobEnded](r); e.Job != j {
		t.Errorf("event %+v", e)
	}
	if v := r.s.View(); len(v.Pending)+len(v.Running) != 0 {
		t.Error("it is still in the view")
	}
}

func TestRequeue(t *testing.T) {
	r := newRig(t)
	id := r.runs("n1")
	begin := r.at.Add(time.Minute)
	r.must(EndJob{Job: id, State: slurm.JobPreempted, Requeue: true, NotBefore: begin})
	j := r.want(id, slurm.JobPreempted|slurm.JobRequeued|slurm.JobCompleting, slurm.ReasonNone)
	if j.State.String() != "COMPLETING" {
		t.Errorf("shown as %v", j.State)
	}
	if e := event[JobEnded](r); !e.Requeued || e.Job.State.Base() != slurm.JobPreempted {
		t.Errorf("event %+v", e)
	}
	r.refuse(StartJobs{[]sched.Start{r.on(id, 1, "n2")}}, slurm.ErrnoAlreadyDone)
	r.free(id)
	j = r.want(id, slurm.JobPending, slurm.ReasonBeginTime)
	if j.Restarts != 1 || !j.Begin.Equal(begin) || !j.Eligible.Equal(begin) || j.Alloc != nil || !j.Start.IsZero() || !j.Submit.Equal(r.at) {
		t.Errorf("requeued as %+v", j)
	}
	if e := event[JobReleased](r); e.Job.Restarts != 0 || e.Job.State != slurm.JobPreempted {
		t.Errorf("released %v", e.Job.State)
	}
	r.must(ReleaseNodes{Job: id, Restarts: 0, Nodes: []sched.NodeName{"n1"}})
	if len(r.events) != 0 {
		t.Error("a late word of the first incarnation did something")
	}
}

func TestRequeueHeld(t *testing.T) {
	r := newRig(t)
	id := r.runs("n1")
	r.must(EndJob{Job: id, State: slurm.JobCancelled, Requeue: true, Hold: sched.HeldByUser})
	r.free(id)
	j := r.want(id, slurm.JobPending, slurm.ReasonJobHeldUser)
	if j.ReasonText != "job requeued in held state" || j.Priority != 0 || j.HeldBy != sched.HeldByUser {
		t.Errorf("words %q priority %d held by %d", j.ReasonText, j.Priority, j.HeldBy)
	}
	nobody := sched.HeldByNobody
	r.must(UpdateJob{Job: id, Change: JobChange{Hold: &nobody}})
	if j := r.want(id, slurm.JobPending, slurm.ReasonNone); j.ReasonText != "" || j.Priority == 0 {
		t.Errorf("after its release: words %q priority %d", j.ReasonText, j.Priority)
	}
}

func TestRequeueAfterAFailedLaunchSaysSo(t *testing.T) {
	r := newRig(t)
	id := r.runs("n1")
	r.must(EndJob{Job: id, State: slurm.JobFailed, Reason: slurm.ReasonJobLaunchFailure, Requeue: true, Hold: sched.HeldByAdmin})
	r.free(id)
	if j := r.want(id, slurm.JobPending, slurm.ReasonJobHeldAdmin); j.ReasonText != "launch failed requeued held" {
		t.Errorf("words %q", j.ReasonText)
	}
}

func TestRequeueAfterTheEnd(t *testing.T) {
	r := newRig(t)
	id := r.runs("n1")
	r.must(EndJob{Job: id, State: slurm.JobFailed, Exit: sched.ExitCode{Code: 3}})
	r.free(id)
	r.must(EndJob{Job: id, Restarts: AnyIncarnation, State: slurm.JobCancelled, Requeue: true})
	if j := r.want(id, slurm.JobPending, slurm.ReasonNone); j.Restarts != 1 || j.ExitCode.Code != 3 {
		t.Errorf("restarts %d, exit code %v", j.Restarts, j.ExitCode)
	}
	if count[JobEnded](r) != 0 {
		t.Error("it ended once more")
	}
	if old := event[JobTakenBack](r).Job; old.Restarts != 0 || old.State != slurm.JobFailed {
		t.Errorf("taken back: run %d, %v", old.Restarts, old.State)
	}
	r.must(Purge{Before: r.at.Add(time.Hour)})
	r.job(id) // what waits again is not purged

	late := r.runs("n2")
	r.must(EndJob{Job: late, State: slurm.JobFailed})
	r.must(EndJob{Job: late, State: slurm.JobCancelled, Requeue: true})
	r.free(late)
	r.want(late, slurm.JobPending, slurm.ReasonNone)
}

func TestRequeueOfAJobThatMustNotIsAnEnd(t *testing.T) {
	r := newRig(t)
	id := r.runs("n1", func(j *sched.Job) { j.Requeue = false })
	r.must(EndJob{Job: id, State: slurm.JobNodeFail, Requeue: true})
	if event[JobEnded](r).Requeued {
		t.Error("it says that it is requeued")
	}
	r.free(id)
	r.want(id, slurm.JobNodeFail, slurm.ReasonNone)
}

func TestEndOfSuspendedJobKeepsItsCPUsFree(t *testing.T) {
	r := newRig(t)
	id := r.submit()
	r.run(r.on(id, 6, "n1"))
	yes := true
	r.must(UpdateJob{Job: id, Change: JobChange{Suspend: &yes}})
	r.run(r.on(r.submit(), 6, "n1"))
	r.must(EndJob{Job: id, State: slurm.JobCancelled})
	if n := r.s.Node("n1"); n.UsedCPUs != 6 || n.UsedMem != 200 {
		t.Errorf("n1 has %d CPUs and %d MB in use", n.UsedCPUs, n.UsedMem)
	}
	r.free(id)
	if n := r.s.Node("n1"); n.UsedCPUs != 6 || n.UsedMem != 100 {
		t.Errorf("n1 has %d CPUs and %d MB in use", n.UsedCPUs, n.UsedMem)
	}
}

func TestBatchExitOfAJobEndedFromOutside(t *testing.T) {
	r := newRig(t)
	id := r.runs("n1")
	r.must(EndJob{Job: id, State: slurm.JobTimeout, Reason: slurm.ReasonTimeLimit})
	r.must(ReleaseNodes{Job: id, Nodes: []sched.NodeName{"n1"}, Batch: true, Exit: sched.ExitCode{Signal: 9}})
	if j := r.job(id); j.ExitCode.Signal != 9 || j.BatchExit.Signal != 9 || !j.BatchDone {
		t.Errorf("exit %v, batch %v %v", j.ExitCode, j.BatchExit, j.BatchDone)
	}
	if e := event[JobReleased](r); e.Job.BatchExit.Signal != 9 {
		t.Errorf("released with %v", e.Job.BatchExit)
	}
}

func TestSteps(t *testing.T) {
	r := newRig(t)
	id := r.submit()
	r.run(r.on(id, 4, "n1"))
	step := func(cpus int, change ...func(*sched.Step)) *sched.Step {
		s := &sched.Step{ID: slurm.StepPending, Name: "s", Nodes: []sched.StepNode{{Node: "n1", CPUs: cpus}}, Tasks: 1}
		for _, f := range change {
			f(s)
		}
		return s
	}
	first := r.must(StartStep{Job: id, Step: step(2), Key: "k"})
	if e := event[StepStarted](r); first.Step != 0 || e.Step.ID != 0 || e.Step.State != slurm.JobRunning || !e.Step.Start.Equal(r.at) {
		t.Errorf("first step %v: %+v", first.Step, e.Step)
	}
	if again := r.must(StartStep{Job: id, Step: step(2), Key: "k"}); again.Step != 0 || len(r.events) != 0 {
		t.Errorf("the same key made step %v", again.Step)
	}
	if res := r.must(StartStep{Job: id, Step: step(2)}); res.Step != 1 {
		t.Errorf("second step %v", res.Step)
	}
	r.refuse(StartStep{Job: id, Step: step(1)}, slurm.ErrnoNodesBusy)
	r.refuse(StartStep{Job: id}, slurm.ErrnoNoSteps)
	r.refuse(StartStep{Job: id, Restarts: 1, Step: step(1)}, slurm.ErrnoJobPending)
	r.refuse(StartStep{Job: 999, Step: step(1)}, slurm.ErrnoInvalidJobID)
	r.refuse(StartStep{Job: r.submit(), Step: step(1)}, slurm.ErrnoJobPending)
	r.refuse(StartStep{Job: id, Step: step(1, func(s *sched.Step) { s.Nodes[0].Node = "n2" })}, slurm.ErrnoInvalidNodeName)
	r.must(StartStep{Job: id, Step: step(4, func(s *sched.Step) { s.Overlap = true })}) // 2
	special := func(s *sched.Step) { s.ID = slurm.StepInteractive }
	if res := r.must(StartStep{Job: id, Step: step(4, special)}); res.Step != slurm.StepInteractive {
		t.Errorf("interactive step %v", res.Step)
	}
	r.refuse(StartStep{Job: id, Step: step(4, special)}, slurm.ErrnoDuplicateStepID)

	r.must(EndStep{Job: id, Step: 1, State: slurm.JobFailed, Exit: sched.ExitCode{Code: 5}, Usage: sched.Usage{MaxRSS: 7}})
	if e := event[StepEnded](r); e.Step.State != slurm.JobFailed || e.Step.ExitCode.Code != 5 || e.Step.Usage.MaxRSS != 7 || !e.Step.End.Equal(r.at) {
		t.Errorf("ended step %+v", e.Step)
	}
	r.refuse(EndStep{Job: id, Step: 1, State: slurm.JobFailed}, slurm.ErrnoAlreadyDone)
	r.refuse(EndStep{Job: id, Step: 0, State: slurm.JobRunning}, slurm.ErrnoInvalidJobState)
	r.refuse(EndStep{Job: id, Restarts: 3, Step: 0, State: slurm.JobFailed}, slurm.ErrnoAlreadyDone)
	r.must(EndStep{Job: id, Step: 0, State: slurm.JobCompleted})
	j := r.job(id)
	if j.DerivedExit.Code != 5 || j.NextStep != 3 || len(j.Steps) != 2 {
		t.Errorf("derived exit %v, next step %d, %d live", j.DerivedExit, j.NextStep, len(j.Steps))
	}

	r.must(EndJob{Job: id, State: slurm.JobCancelled})
	if count[StepEnded](r) != 2 {
		t.Errorf("%d steps ended with their job, want 2", count[StepEnded](r))
	}
	for _, s := range r.job(id).Steps {
		if s.State != slurm.JobCancelled || !s.End.Equal(r.at) {
			t.Errorf("step %v is %v", s.ID, s.State)
		}
	}
	r.refuse(StartStep{Job: id, Step: step(1)}, slurm.ErrnoAlreadyDone)
	r.must(EndStep{Job: id, Step: 2, State: slurm.JobFailed, Exit: sched.ExitCode{Signal: 15}, Usage: sched.Usage{MaxRSS: 9}})
	if e := event[StepEnded](r); e.Step.State != slurm.JobCancelled || e.Step.ExitCode.Signal != 15 || e.Step.Usage.MaxRSS != 9 {
		t.Errorf("late word of step 2: %+v", e.Step)
	}
	r.free(id)
	if j := r.job(id); len(j.Steps) != 0 || j.DerivedExit.Code != 5 {
		t.Errorf("%d steps left, derived exit %v", len(j.Steps), j.DerivedExit)
	}
	r.must(Purge{Before: r.at.Add(time.Hour)})
	if len(r.s.Dump().StepKeys) != 0 {
		t.Error("the step's key is still kept")
	}
}

func TestPurge(t *testing.T) {
	r := newRig(t)
	a := r.runs("n1")
	b := r.runs("n2")
	waiting := r.submit()
	if r.s.EndedBefore(r.at.Add(time.Hour)) {
		t.Error("nothing has ended yet")
	}
	r.end(a, slurm.JobCompleted)
	if !r.s.EndedBefore(r.at.Add(time.Hour)) || r.s.EndedBefore(r.at.Add(-time.Hour)) {
		t.Error("EndedBefore does not know that a job has ended")
	}
	between := r.at
	r.must(EndJob{Job: b, State: slurm.JobCompleted}) // its node has not answered
	r.must(Purge{Before: between})
	if r.s.Job(a) != nil || count[JobPurged](r) != 1 || event[JobPurged](r).Job != a {
		t.Errorf("events %v", r.events)
	}
	r.must(Purge{Before: r.at.Add(time.Hour)})
	r.job(b)
	r.job(waiting)
	r.free(b)
	r.must(Purge{Before: r.at.Add(time.Hour)})
	if r.s.Job(b) != nil || r.s.JobCount() != 1 {
		t.Errorf("%d jobs left, want 1", r.s.JobCount())
	}
}
