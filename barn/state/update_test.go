package state

import (
	"testing"
	"time"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

func ptr[T any](v T) *T { return &v }

func TestUpdatePendingJob(t *testing.T) {
	r := newRig(t)
	id := r.submit()
	spec := &slurm.JobOptions{Comment: "old"}
	need := sched.Need{MinNodes: 2, MaxNodes: 2, Tasks: 4, CPUs: 4}
	begin := r.at.Add(time.Hour)
	r.must(UpdateJob{Job: id, Change: JobChange{
		Spec: spec, Name: ptr("new"), Account: ptr("chem"), QOS: ptr("low"), Comment: ptr("words"), AdminComment: ptr("a"),
		SystemComment: ptr("s"), Partitions: []sched.PartitionName{"short", "main"}, TimeLimit: ptr(slurm.Duration(60)),
		TimeMin: ptr(slurm.Duration(30)), Need: &need, Nice: ptr(5), Priority: ptr(uint32(7)), Begin: &begin, Requeue: ptr(false),
		Throttle: ptr(2),
	}})
	j := r.want(id, slurm.JobPending, slurm.ReasonBeginTime)
	if j.Name != "new" || j.Account != "chem" || j.QOS != "low" || j.Spec.Comment != "words" || !j.Spec.Given["comment"] ||
		j.AdminComment != "a" || j.SystemComment != "s" || j.Partition != "short" || len(j.Partitions) != 2 || j.TimeLimit != 60 ||
		j.TimeMin != 30 || j.Need.CPUs != 4 || j.Nice != 5 || j.Priority != 7 || !j.Begin.Equal(begin) || j.Requeue || j.Throttle != 2 {
		t.Errorf("%+v", j)
	}
	if spec.Comment != "old" {
		t.Error("the command's own options were written to")
	}
	r.must(UpdateJob{Job: id, Change: JobChange{Reason: ptr(slurm.ReasonBadConstraints), ReasonText: ptr("why")}})
	if j := r.want(id, slurm.JobPending, slurm.ReasonBadConstraints); j.ReasonText != "why" {
		t.Errorf("words %q", j.ReasonText)
	}
}

func TestUpdateRefusals(t *testing.T) {
	user := sched.HeldByUser
	cases := []struct {
		name   string
		change JobChange
		// What it answers for a pending, a running and an ended job; 0: done.
		pending, running, ended slurm.Errno
	}{
		{"Name", JobChange{Name: ptr("x")}, 0, 0, slurm.ErrnoJobFinished},
		{"Comment", JobChange{Comment: ptr("x")}, 0, 0, 0},
		{"AdminComment", JobChange{AdminComment: ptr("x")}, 0, 0, 0},
		{"CommentAndName", JobChange{Comment: ptr("x"), Name: ptr("x")}, 0, 0, slurm.ErrnoJobFinished},
		{"Nothing", JobChange{}, 0, 0, slurm.ErrnoJobFinished},
		{"Partition", JobChange{Partitions: []sched.PartitionName{"short"}}, 0, slurm.ErrnoNotPending, slurm.ErrnoJobFinished},
		{"NoPartition", JobChange{Partitions: []sched.PartitionName{}}, slurm.ErrnoInvalidPartition, slurm.ErrnoNotPending, slurm.ErrnoJobFinished},
		{"Need", JobChange{Need: &sched.Need{}}, 0, slurm.ErrnoNotPending, slurm.ErrnoJobFinished},
		{"Begin", JobChange{Begin: &began}, 0, slurm.ErrnoNotPending, slurm.ErrnoJobFinished},
		{"Hold", JobChange{Hold: &user}, 0, 0, slurm.ErrnoJobFinished},
		{"Deps", JobChange{Deps: &[]sched.Depend{}}, 0, slurm.ErrnoNotPending, slurm.ErrnoJobFinished},
		{"TimeLimit", JobChange{TimeLimit: ptr(slurm.Duration(60))}, 0, 0, slurm.ErrnoJobFinished},
		{"NoTimeLimit", JobChange{TimeLimit: ptr(slurm.Duration(0))}, slurm.ErrnoInvalidTimeLimit, slurm.ErrnoInvalidTimeLimit, slurm.ErrnoJobFinished},
		{"Throttle", JobChange{Throttle: ptr(-1)}, slurm.ErrnoInvalidArray, slurm.ErrnoInvalidArray, slurm.ErrnoJobFinished},
		{"EndBeforeStart", JobChange{EndAt: &began}, slurm.ErrnoNotRunning, slurm.ErrnoInvalidTime, slurm.ErrnoJobFinished},
		{"Suspend", JobChange{Suspend: ptr(true)}, slurm.ErrnoJobPending, 0, slurm.ErrnoJobFinished},
		{"Resume", JobChange{Suspend: ptr(false)}, slurm.ErrnoJobPending, slurm.ErrnoJobNotSuspended, slurm.ErrnoJobFinished},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			pending, running, ended := r.submit(), r.runs("n1"), r.runs("n2")
			r.end(ended, slurm.JobCompleted)
			for i, code := range []slurm.Errno{c.pending, c.running, c.ended} {
				cmd := UpdateJob{Job: []slurm.JobID{pending, running, ended}[i], Change: c.change}
				if code == 0 {
					r.must(cmd)
				} else {
					r.refuse(cmd, code)
				}
			}
			r.refuse(UpdateJob{Job: 999, Change: c.change}, slurm.ErrnoInvalidJobID)
			r.refuse(UpdateJob{Job: pending, IsTask: true, Task: 1, Change: c.change}, slurm.ErrnoInvalidJobID)
		})
	}
}

func TestUpdateTimeLimitMovesTheEnd(t *testing.T) {
	r := newRig(t)
	id := r.runs("n1")
	start := r.at
	r.must(UpdateJob{Job: id, Change: JobChange{TimeLimit: ptr(slurm.Duration(1800))}})
	if end := r.job(id).End; !end.Equal(start.Add(30 * time.Minute)) {
		t.Errorf("end %v", end)
	}
	r.must(UpdateJob{Job: id, Change: JobChange{TimeLimit: ptr(slurm.Unlimited)}})
	if end := r.job(id).End; !end.IsZero() {
		t.Errorf("end %v of an unlimited job", end)
	}
	soon := r.at.Add(time.Second)
	r.must(UpdateJob{Job: id, Change: JobChange{EndAt: &soon}})
	if j := r.job(id); !j.End.Equal(soon) || j.TimeLimit != 60 {
		t.Errorf("end %v, limit %v, want a minute", j.End, j.TimeLimit)
	}
}

func TestSuspendAndResume(t *testing.T) {
	r := newRig(t)
	id := r.submit()
	r.run(r.on(id, 6, "n1"))
	start, end := r.at, r.job(id).End
	r.must(UpdateJob{Job: id, Change: JobChange{Suspend: ptr(true)}})
	j := r.want(id, slurm.JobSuspended, slurm.ReasonNone)
	if n := r.s.Node("n1"); n.UsedCPUs != 0 || n.UsedMem != 100 || len(n.Running) != 1 || !j.CPUsFree {
		t.Errorf("n1 has %d CPUs, %d MB, jobs %v", n.UsedCPUs, n.UsedMem, n.Running)
	}
	r.refuse(UpdateJob{Job: id, Change: JobChange{Suspend: ptr(true)}}, slurm.ErrnoJobSuspended)
	r.refuse(StartStep{Job: id, Step: &sched.Step{}}, slurm.ErrnoJobSuspended)
	other := r.submit()
	r.run(r.on(other, 4, "n1"))
	r.refuse(UpdateJob{Job: id, Change: JobChange{Suspend: ptr(false)}}, slurm.ErrnoNodesBusy)
	r.end(other, slurm.JobCompleted)
	paused := r.at.Add(time.Second).Sub(j.Suspended)
	r.must(UpdateJob{Job: id, Change: JobChange{Suspend: ptr(false)}})
	j = r.want(id, slurm.JobRunning, slurm.ReasonNone)
	if j.SuspendedFor != paused || !j.End.Equal(end.Add(paused)) || j.CPUsFree || !j.Start.Equal(start) {
		t.Errorf("suspended for %v, end %v", j.SuspendedFor, j.End)
	}
	if n := r.s.Node("n1"); n.UsedCPUs != 6 {
		t.Errorf("n1 has %d CPUs in use", n.UsedCPUs)
	}
	r.must(UpdateJob{Job: id, Change: JobChange{TimeLimit: ptr(slurm.Duration(3600))}})
	if got := r.job(id).End; !got.Equal(end.Add(paused)) {
		t.Errorf("end %v, want %v", got, end.Add(paused))
	}
}

func TestUpdateTasksOfAnArray(t *testing.T) {
	r := newRig(t)
	a := r.submit(tasks("1-5"), held(sched.HeldByUser))
	r.must(UpdateJob{Job: a, IsTask: true, Task: 2, Change: JobChange{Hold: ptr(sched.HeldByNobody)}})
	two := r.s.ArrayTask(a, 2)
	if two.ID == a || two.Reason != slurm.ReasonNone || r.job(a).Tasks.String() != "1,3-5" {
		t.Errorf("task 2 on record %d, %v; left %v", two.ID, two.Reason, r.job(a).Tasks)
	}
	r.want(a, slurm.JobPending, slurm.ReasonJobHeldUser)
	run := r.run(r.on(two.ID, 1, "n1"))

	r.must(UpdateJob{Job: a, Tasks: indexes("2-3"), Change: JobChange{Name: ptr("both")}})
	if r.job(run).Name != "both" || r.s.ArrayTask(a, 3).Name != "both" || r.job(a).Name != "job" {
		t.Error("not tasks 2 and 3 were renamed")
	}

	// On the whole array: whatever can be changed is.
	r.must(UpdateJob{Job: a, Change: JobChange{Hold: ptr(sched.HeldByNobody)}})
	r.want(a, slurm.JobPending, slurm.ReasonNone)
	r.want(r.s.ArrayTask(a, 3).ID, slurm.JobPending, slurm.ReasonNone)
	r.want(run, slurm.JobRunning, slurm.ReasonNone)
	r.must(UpdateJob{Job: a, Change: JobChange{Name: ptr("all")}})
	for _, j := range r.s.ArrayJobs(a) {
		if j.Name != "all" {
			t.Errorf("record %d is named %q", j.ID, j.Name)
		}
	}
	r.refuse(UpdateJob{Job: a, IsTask: true, Task: 2, Change: JobChange{Begin: &began}}, slurm.ErrnoNotPending)
	r.refuse(UpdateJob{Job: a, IsTask: true, Task: 9, Change: JobChange{Name: ptr("x")}}, slurm.ErrnoInvalidJobID)
}

func TestResumeOfAnArrayStopsWhereCPUsEnd(t *testing.T) {
	r := newRig(t)
	a := r.submit(tasks("1-2"))
	one, two := r.run(r.task(a, 1, 8, "n1")), slurm.JobID(0)
	r.must(UpdateJob{Job: one, Change: JobChange{Suspend: ptr(true)}})
	two = r.run(r.task(a, 2, 8, "n1"))
	r.must(UpdateJob{Job: a, IsTask: true, Task: 2, Change: JobChange{Suspend: ptr(true)}})
	r.must(UpdateJob{Job: a, Change: JobChange{Suspend: ptr(false)}})
	if a, b := r.job(one).IsRunning(), r.job(two).IsRunning(); a == b {
		t.Errorf("running: %v and %v, want one of them", a, b)
	}
}

func TestSetWaits(t *testing.T) {
	r := newRig(t)
	id, blocked := r.submit(), r.submit(held(sched.HeldByUser))
	waits := SetWaits{[]sched.Wait{{Job: id, Reason: slurm.ReasonResources, Text: "t"}, {Job: blocked, Reason: slurm.ReasonResources}, {Job: 999}}}
	r.must(waits)
	if j := r.want(id, slurm.JobPending, slurm.ReasonResources); j.ReasonText != "t" || !j.LastSched.Equal(r.at) {
		t.Errorf("words %q, looked at %v", j.ReasonText, j.LastSched)
	}
	r.want(blocked, slurm.JobPending, slurm.ReasonJobHeldUser)
	r.must(waits)
	if len(r.events) != 0 {
		t.Error("the same reason again changed something")
	}
	r.must(UpdateJob{Job: id, Change: JobChange{Nice: ptr(1)}})
	r.want(id, slurm.JobPending, slurm.ReasonResources)
}

func TestSetPriorities(t *testing.T) {
	r := newRig(t)
	id, blocked, running := r.submit(), r.submit(held(sched.HeldByUser)), r.runs("n1")
	r.must(SetPriorities{[]JobPriority{{Job: id, Priority: 5}, {Job: blocked, Priority: 5}, {Job: running, Priority: 5}, {Job: 999, Priority: 5}}})
	if r.job(id).Priority != 5 || r.job(blocked).Priority != 0 || r.job(running).Priority != 5 {
		t.Errorf("priorities %d %d %d", r.job(id).Priority, r.job(blocked).Priority, r.job(running).Priority)
	}
	if count[JobChanged](r) != 2 {
		t.Errorf("events %v", r.events)
	}
}

// TestHoldOfARunningJob holds a job that runs, as Slurm does: it goes on, and is held
// when it comes back into the queue.
func TestHoldOfARunningJob(t *testing.T) {
	r := newRig(t)
	id := r.runs("n1")
	hold := func(by sched.Holder, ch JobChange) *sched.Job {
		ch.Hold = &by
		r.must(UpdateJob{Job: id, Change: ch})
		return r.job(id)
	}
	if j := hold(sched.HeldByUser, JobChange{}); j.State.Base() != slurm.JobRunning || j.Reason != slurm.ReasonJobHeldUser || j.Priority != 0 {
		t.Errorf("held: %v %v %d", j.State, j.Reason, j.Priority)
	}
	if j := hold(sched.HeldByNobody, JobChange{Priority: ptr(uint32(7))}); j.State.Base() != slurm.JobRunning || j.Reason != slurm.ReasonNone || j.Priority != 7 {
		t.Errorf("released: %v %v %d", j.State, j.Reason, j.Priority)
	}
	hold(sched.HeldByUser, JobChange{})
	j := r.job(id)
	r.must(EndJob{Job: id, Restarts: j.Restarts, State: slurm.JobCancelled, Requeue: true})
	r.free(id)
	if j = r.job(id); !j.IsPending() || j.HeldBy != sched.HeldByUser || j.Reason != slurm.ReasonJobHeldUser || j.Priority != 0 {
		t.Errorf("back in the queue: %v %v held by %v, priority %d", j.State, j.Reason, j.HeldBy, j.Priority)
	}
}

// TestLicensesOfARunningJob: it may be given others and give its own back, as far as there are
// any, and what is there for the next job follows.
func TestLicensesOfARunningJob(t *testing.T) {
	r := newRig(t)
	id, next := r.runs("n1"), r.submit()
	list := func(text string) *slurm.Licenses {
		l, err := slurm.ParseLicenses(text)
		if err != nil {
			t.Fatal(err)
		}
		return &l
	}
	change := func(text string) UpdateJob { return UpdateJob{Job: id, Change: JobChange{Licenses: list(text)}} }
	for _, step := range []struct{ ask, used string }{{"lic:1", "lic:1"}, {"lic:2", "lic:2"}, {"", ""}, {"lic", "lic:1"}} {
		r.must(change(step.ask))
		if j := r.job(id); j.LicensesUsed.String() != step.used || r.s.LicensesUsed().String() != step.used || j.Need.Licenses.String() != step.ask {
			t.Errorf("%q: the job has %s of %s, all have %s", step.ask, j.LicensesUsed, j.Need.Licenses, r.s.LicensesUsed())
		}
	}
	r.refuse(change("lic:999"), slurm.ErrnoInvalidLicenses)
	r.refuse(change("nosuch"), slurm.ErrnoInvalidLicenses)
	r.refuse(UpdateJob{Job: next, Change: JobChange{Licenses: list("lic")}}, slurm.ErrnoNotRunning)
	if used := r.s.LicensesUsed().String(); used != "lic:1" {
		t.Errorf("%s are used", used)
	}
}
