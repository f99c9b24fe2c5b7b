package state

import (
	"fmt"
	"testing"
	"time"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// TestDependencyMatrix: what each type of dependency makes of each way a job
// can go.
func TestDependencyMatrix(t *testing.T) {
	const (
		waits  = slurm.ReasonDependency
		free   = slurm.ReasonNone
		failed = slurm.ReasonDependencyNeverSatisfied
	)
	// The target goes through these stages; the columns say what has become of
	// the job that waits for it.
	stages := []struct {
		name                          string
		step                          func(r *rig, id slurm.JobID)
		after, any, ok, notok, corrAs slurm.Reason
	}{
		{"pending", nil, waits, waits, waits, waits, waits},
		{"running", func(r *rig, id slurm.JobID) { r.run(r.on(id, 1, "n1")) }, free, waits, waits, waits, waits},
		{"completing well", func(r *rig, id slurm.JobID) { r.must(EndJob{Job: id, State: slurm.JobCompleted}) }, free, waits, waits, waits, waits},
		{"completed", func(r *rig, id slurm.JobID) { r.free(id) }, free, free, free, failed, free},
	}
	check := func(t *testing.T, r *rig, ids map[string]slurm.JobID, want map[string]slurm.Reason) {
		t.Helper()
		for kind, id := range ids {
			r.want(id, slurm.JobPending, want[kind])
		}
	}
	waiters := func(r *rig, id slurm.JobID) map[string]slurm.JobID {
		ids := map[string]slurm.JobID{}
		for _, kind := range []string{"after", "afterany", "afterok", "afternotok", "aftercorr"} {
			ids[kind] = r.submit(after("%s:%d", kind, id))
		}
		return ids
	}
	t.Run("Completed", func(t *testing.T) {
		r := newRig(t)
		id := r.submit()
		ids := waiters(r, id)
		for _, s := range stages {
			if s.step != nil {
				s.step(r, id)
			}
			check(t, r, ids, map[string]slurm.Reason{"after": s.after, "afterany": s.any, "afterok": s.ok, "afternotok": s.notok, "aftercorr": s.corrAs})
		}
	})
	for _, state := range []slurm.JobState{slurm.JobFailed, slurm.JobTimeout, slurm.JobCancelled, slurm.JobNodeFail, slurm.JobOutOfMemory} {
		t.Run(state.String(), func(t *testing.T) {
			r := newRig(t)
			id := r.runs("n1")
			ids := waiters(r, id)
			r.end(id, state)
			check(t, r, ids, map[string]slurm.Reason{"after": free, "afterany": free, "afterok": failed, "afternotok": free, "aftercorr": failed})
			// One submitted afterwards fares the same, as long as the job is there.
			check(t, r, waiters(r, id), map[string]slurm.Reason{"after": free, "afterany": free, "afterok": failed, "afternotok": free, "aftercorr": failed})
			r.must(Purge{Before: r.at.Add(time.Hour)})
			check(t, r, waiters(r, id), map[string]slurm.Reason{"after": free, "afterany": free, "afterok": free, "afternotok": free, "aftercorr": free})
		})
	}
	t.Run("CancelledPending", func(t *testing.T) {
		r := newRig(t)
		id := r.submit()
		ids := waiters(r, id)
		r.must(EndJob{Job: id, State: slurm.JobCancelled})
		check(t, r, ids, map[string]slurm.Reason{"after": free, "afterany": free, "afterok": failed, "afternotok": free, "aftercorr": failed})
	})
	t.Run("Requeued", func(t *testing.T) {
		r := newRig(t)
		id := r.runs("n1")
		ids := waiters(r, id)
		r.must(EndJob{Job: id, State: slurm.JobFailed, Requeue: true})
		r.free(id)
		check(t, r, ids, map[string]slurm.Reason{"after": free, "afterany": waits, "afterok": waits, "afternotok": waits, "aftercorr": waits})
	})
}

func TestDependencyOnAnArrayIsDecidedByItsLastTask(t *testing.T) {
	for _, c := range []struct {
		name      string
		second    slurm.JobState
		ok, notok slurm.Reason
	}{
		{"AllWell", slurm.JobCompleted, slurm.ReasonNone, slurm.ReasonDependencyNeverSatisfied},
		{"OneFailed", slurm.JobFailed, slurm.ReasonDependencyNeverSatisfied, slurm.ReasonNone},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			a := r.submit(tasks("1-3"))
			begun := r.submit(after("after:%d", a))
			ok, notok := r.submit(after("afterok:%d", a)), r.submit(after("afternotok:%d_*", a))
			if text := r.job(ok).DependencyText(r.at); text != fmt.Sprintf("afterok:%d_*(unfulfilled)", a) {
				t.Errorf("shown as %q", text)
			}
			one := r.run(r.task(a, 1, 1, "n1"))
			two := r.run(r.task(a, 2, 1, "n1"))
			r.want(begun, slurm.JobPending, slurm.ReasonDependency)
			three := r.run(r.task(a, 3, 1, "n1"))
			r.want(begun, slurm.JobPending, slurm.ReasonNone)
			if three != a {
				t.Errorf("the last task has id %d, want the array's", three)
			}
			r.end(two, c.second)
			r.must(Purge{Before: r.at.Add(time.Hour)}) // what the purged task did still counts
			r.end(three, slurm.JobCompleted)
			r.want(ok, slurm.JobPending, slurm.ReasonDependency)
			r.end(one, slurm.JobCompleted)
			r.want(ok, slurm.JobPending, c.ok)
			r.want(notok, slurm.JobPending, c.notok)
		})
	}
}

func TestDependencyOnOneTask(t *testing.T) {
	r := newRig(t)
	a := r.submit(tasks("1-5"))
	ok2, any3 := r.submit(after("afterok:%d_2", a)), r.submit(after("afterany:%d_3", a))
	ok4 := r.submit(after("afterok:%d_4", a))
	r.end(r.run(r.task(a, 2, 1, "n1")), slurm.JobCompleted)
	r.want(ok2, slurm.JobPending, slurm.ReasonNone)
	r.want(any3, slurm.JobPending, slurm.ReasonDependency)
	r.must(EndJob{Job: a, Tasks: indexes("3-4"), Restarts: AnyIncarnation, State: slurm.JobCancelled})
	r.want(any3, slurm.JobPending, slurm.ReasonNone)
	r.want(ok4, slurm.JobPending, slurm.ReasonDependencyNeverSatisfied)
	if text := r.job(ok4).DependencyText(r.at); text != fmt.Sprintf("afterok:%d_4(failed)", a) {
		t.Errorf("shown as %q", text)
	}
	ok5 := r.submit(after("afterok:%d_5", a))
	r.must(EndJob{Job: a, Restarts: AnyIncarnation, State: slurm.JobCancelled})
	r.want(ok5, slurm.JobPending, slurm.ReasonDependencyNeverSatisfied)
}

func TestAfterWithDelayWaitsForTime(t *testing.T) {
	r := newRig(t)
	id := r.submit()
	w := r.submit(after("after:%d+5", id))
	r.run(r.on(id, 1, "n1"))
	j := r.want(w, slurm.JobPending, slurm.ReasonDependency)
	due := r.at.Add(5 * time.Minute)
	if got := j.DependencyDue(r.at); !got.Equal(due) || !j.Eligible.Equal(due) {
		t.Errorf("due %v, eligible %v, want %v", got, j.Eligible, due)
	}
	if text := j.DependencyText(r.at); text != fmt.Sprintf("after:%d+5(unfulfilled)", id) {
		t.Errorf("shown as %q", text)
	}
	r.refuse(StartJobs{[]sched.Start{r.on(w, 1, "n1")}}, slurm.ErrnoDependency)
	r.at = due
	if j.DependencyText(r.at) != "" || !j.ReadyAt(r.at) {
		t.Error("it is not ready when due")
	}
	r.run(r.on(w, 1, "n1"))
}

func TestAnyAndAll(t *testing.T) {
	r := newRig(t)
	a, b := r.runs("n1"), r.runs("n2")
	all := r.submit(after("afterok:%d,afterok:%d", a, b))
	either := r.submit(after("afterok:%d?afterok:%d", a, b))
	none := r.submit(after("afternotok:%d?afternotok:%d", a, b))
	r.end(a, slurm.JobCompleted)
	r.want(all, slurm.JobPending, slurm.ReasonDependency)
	if text := r.job(all).DependencyText(r.at); text != fmt.Sprintf("afterok:%d(unfulfilled)", b) {
		t.Errorf("all waits for %q", text)
	}
	r.want(either, slurm.JobPending, slurm.ReasonNone)
	r.want(none, slurm.JobPending, slurm.ReasonDependency)
	if text := r.job(none).DependencyText(r.at); text != fmt.Sprintf("afternotok:%d(failed)?afternotok:%d(unfulfilled)", a, b) {
		t.Errorf("none waits for %q", text)
	}
	r.end(b, slurm.JobCompleted)
	r.want(all, slurm.JobPending, slurm.ReasonNone)
	r.want(none, slurm.JobPending, slurm.ReasonDependencyNeverSatisfied)
}

func TestAfterCorrFreesEachTaskByItself(t *testing.T) {
	r := newRig(t)
	a := r.submit(tasks("1-3"))
	b := r.submit(tasks("1-4"), after("aftercorr:%d", a))
	// Task 4 has no counterpart, and waits for them all.
	if left := r.want(b, slurm.JobPending, slurm.ReasonDependency); left.Tasks.String() != "1-4" {
		t.Errorf("%v wait, want 1-4", left.Tasks)
	}
	r.end(r.run(r.task(a, 2, 1, "n1")), slurm.JobCompleted)
	two := r.s.ArrayTask(b, 2)
	if two.ID == b || two.Tasks.Len() != 0 {
		t.Fatalf("task 2 is on record %d", two.ID)
	}
	r.want(two.ID, slurm.JobPending, slurm.ReasonNone)
	r.end(r.run(r.task(a, 1, 1, "n1")), slurm.JobFailed)
	r.want(r.s.ArrayTask(b, 1).ID, slurm.JobPending, slurm.ReasonDependencyNeverSatisfied)
	if left := r.want(b, slurm.JobPending, slurm.ReasonDependency); left.Tasks.String() != "3-4" {
		t.Errorf("left: %v", left.Tasks)
	}
	r.run(r.on(two.ID, 1, "n2"))
	r.must(EndJob{Job: a, Restarts: AnyIncarnation, State: slurm.JobCancelled})
	for _, task := range []uint32{3, 4} {
		r.want(r.s.ArrayTask(b, task).ID, slurm.JobPending, slurm.ReasonDependencyNeverSatisfied)
	}
}

func TestAfterCorrOnAFinishedArrayKeepsTheArrayWhole(t *testing.T) {
	r := newRig(t)
	a := r.submit(tasks("1-2"))
	r.end(r.run(r.task(a, 1, 1, "n1")), slurm.JobCompleted)
	r.end(r.run(r.task(a, 2, 1, "n1")), slurm.JobCompleted)
	b := r.submit(tasks("1-2"), after("aftercorr:%d", a))
	if j := r.want(b, slurm.JobPending, slurm.ReasonNone); j.Tasks.Len() != 2 {
		t.Errorf("left %v", j.Tasks)
	}
	r.run(r.task(b, 1, 1, "n1"))
}

func TestAfterCorrOfCancelledTasks(t *testing.T) {
	r := newRig(t)
	a := r.submit(tasks("1-3"))
	b := r.submit(tasks("1-3"), after("aftercorr:%d", a))
	r.must(EndJob{Job: a, IsTask: true, Task: 2, Restarts: AnyIncarnation, State: slurm.JobCancelled})
	r.want(r.s.ArrayTask(b, 2).ID, slurm.JobPending, slurm.ReasonDependencyNeverSatisfied)
	if j := r.job(b); j.Tasks.String() != "1,3" {
		t.Errorf("left %v", j.Tasks)
	}
}

func TestSingleton(t *testing.T) {
	r := newRig(t)
	first := r.runs("n1", name("one"))
	b := r.submit(name("one"), after("singleton"))
	other := r.submit(name("other"), after("singleton"))
	users := r.submit(name("one"), after("singleton"), func(j *sched.Job) { j.UID = 1001 })
	d := r.submit(name("one"), after("singleton"))
	r.want(b, slurm.JobPending, slurm.ReasonDependency)
	r.want(other, slurm.JobPending, slurm.ReasonNone)
	r.want(users, slurm.JobPending, slurm.ReasonNone)
	if text := r.job(b).DependencyText(r.at); text != "singleton(unfulfilled)" {
		t.Errorf("shown as %q", text)
	}
	r.must(EndJob{Job: first, State: slurm.JobFailed})
	r.want(b, slurm.JobPending, slurm.ReasonNone)
	r.want(d, slurm.JobPending, slurm.ReasonDependency)
	// Its turn can be taken by one that does not wait for turns.
	barge := r.runs("n2", name("one"))
	r.want(b, slurm.JobPending, slurm.ReasonDependency)
	r.end(barge, slurm.JobCompleted)
	r.want(b, slurm.JobPending, slurm.ReasonNone)
	r.must(EndJob{Job: b, State: slurm.JobCancelled})
	r.want(d, slurm.JobPending, slurm.ReasonNone)
}

func TestSingletonOrSomethingElse(t *testing.T) {
	r := newRig(t)
	c := r.runs("n1", name("one"))
	d := r.submit(name("one"), after("singleton?after:%d", c))
	r.want(d, slurm.JobPending, slurm.ReasonNone)
	r.run(r.on(d, 1, "n2"))
}

func TestSingletonStaysOpenAsLongAsAnythingElseIs(t *testing.T) {
	r := newRig(t)
	c := r.runs("n1", name("other"))
	d := r.submit(name("one"), after("singleton,afterany:%d", c))
	if text := r.job(d).DependencyText(r.at); text != fmt.Sprintf("singleton(unfulfilled),afterany:%d(unfulfilled)", c) {
		t.Errorf("shown as %q", text)
	}
	r.end(c, slurm.JobCancelled)
	if j := r.want(d, slurm.JobPending, slurm.ReasonNone); j.DependencyText(r.at) != "" {
		t.Errorf("shown as %q", j.DependencyText(r.at))
	}
}

func TestTasksOfAnArrayHaveTheirTurnTogether(t *testing.T) {
	r := newRig(t)
	before := r.runs("n1", name("one"))
	a := r.submit(tasks("1-3"), name("one"), after("singleton"))
	b := r.submit(name("one"), after("singleton"))
	c := r.submit(tasks("1-2"), name("one"), after("singleton"))
	r.want(a, slurm.JobPending, slurm.ReasonDependency)
	r.end(before, slurm.JobCompleted)
	r.want(a, slurm.JobPending, slurm.ReasonNone)
	one, two := r.run(r.task(a, 1, 1, "n1")), r.run(r.task(a, 2, 1, "n1"))
	r.want(a, slurm.JobPending, slurm.ReasonNone)
	r.want(b, slurm.JobPending, slurm.ReasonDependency)
	// A task that begins anew is no later than b for that.
	r.must(EndJob{Job: two, State: slurm.JobFailed, Requeue: true})
	r.free(two)
	r.end(one, slurm.JobCompleted)
	r.refuse(StartJobs{[]sched.Start{r.on(b, 1, "n1")}}, slurm.ErrnoDependency)
	r.must(EndJob{Job: a, IsTask: true, Task: 2, Restarts: AnyIncarnation, State: slurm.JobCancelled})
	r.want(b, slurm.JobPending, slurm.ReasonDependency)
	r.end(r.run(r.task(a, 3, 1, "n1")), slurm.JobCompleted)
	r.want(b, slurm.JobPending, slurm.ReasonNone)
	r.want(c, slurm.JobPending, slurm.ReasonDependency)
	r.must(EndJob{Job: b, State: slurm.JobCancelled})
	r.want(c, slurm.JobPending, slurm.ReasonNone)
	r.run(r.task(c, 1, 1, "n1"))
	r.run(r.task(c, 2, 1, "n2"))
}

func TestWhatCancellingLeavesOfAnArray(t *testing.T) {
	r := newRig(t)
	a := r.submit(tasks("1-3"))
	cancel := func(list string) {
		t.Helper()
		set, err := slurm.ParseIndexSet(list, 10)
		if err != nil {
			t.Fatal(err)
		}
		r.must(EndJob{Job: a, Tasks: set, Restarts: AnyIncarnation, State: slurm.JobCancelled})
	}
	cancel("1-2")
	if j := r.job(a); j.Cut != sched.TasksSome || j.IsLast() {
		t.Errorf("%+v", j)
	}
	cancel("3")
	if j := r.want(a, slurm.JobCancelled, slurm.ReasonNone); j.Cut != sched.TasksGone {
		t.Errorf("%+v", j)
	}

	a = r.submit(tasks("1-3"))
	cancel("2")
	r.run(r.task(a, 1, 1, "n1")) // what is left is as if it had been submitted so
	if j := r.job(a); j.Cut != sched.TasksWhole || !j.IsLast() {
		t.Errorf("%+v", j)
	}
	cancel("3")
	if j := r.job(a); j.Cut != sched.TasksWhole {
		t.Errorf("%+v", j)
	}
}

func TestTasksCancelledBeforeTheyHadARecordHaveNotEndedWell(t *testing.T) {
	r := newRig(t)
	a := r.submit(tasks("1-3"))
	ok, bad, done := r.submit(after("afterok:%d", a)), r.submit(after("afternotok:%d", a)), r.submit(after("afterany:%d", a))
	r.must(EndJob{Job: a, IsTask: true, Task: 2, Restarts: AnyIncarnation, State: slurm.JobCancelled})
	r.want(ok, slurm.JobPending, slurm.ReasonDependency)
	r.end(r.run(r.task(a, 1, 1, "n1")), slurm.JobCompleted)
	r.end(r.run(r.task(a, 3, 1, "n1")), slurm.JobCompleted)
	r.want(ok, slurm.JobPending, slurm.ReasonDependencyNeverSatisfied)
	r.want(bad, slurm.JobPending, slurm.ReasonNone)
	r.want(done, slurm.JobPending, slurm.ReasonNone)
}

func TestRenamedJobLeavesItsTurn(t *testing.T) {
	r := newRig(t)
	first := r.submit(name("one"))
	b := r.submit(name("one"), after("singleton"))
	r.want(b, slurm.JobPending, slurm.ReasonDependency)
	two := "two"
	r.must(UpdateJob{Job: first, Change: JobChange{Name: &two}})
	r.want(b, slurm.JobPending, slurm.ReasonNone)
}

func TestChainBreaksOneLinkAtATime(t *testing.T) {
	r := newRig(t)
	a := r.runs("n1")
	b := r.submit(after("afterok:%d", a))
	c := r.submit(after("afterok:%d", b))
	r.end(a, slurm.JobFailed)
	r.want(b, slurm.JobPending, slurm.ReasonDependencyNeverSatisfied)
	r.want(c, slurm.JobPending, slurm.ReasonDependency)
	r.must(EndJob{Job: b, State: slurm.JobCancelled})
	r.want(c, slurm.JobPending, slurm.ReasonDependencyNeverSatisfied)
}

func TestInvalidDependencyCancelsWhenAskedTo(t *testing.T) {
	kill := func(j *sched.Job) { j.KillOnInvalidDep = true }
	t.Run("JobByJob", func(t *testing.T) {
		r := newRig(t)
		a := r.runs("n1")
		b := r.submit(after("afterok:%d", a), kill)
		c := r.submit(after("afterok:%d", b), kill)
		d := r.submit(after("afterany:%d", c))
		r.end(a, slurm.JobFailed)
		r.want(b, slurm.JobCancelled, slurm.ReasonDependencyNeverSatisfied)
		r.want(c, slurm.JobCancelled, slurm.ReasonDependencyNeverSatisfied)
		r.want(d, slurm.JobPending, slurm.ReasonNone)
		if n := count[JobEnded](r); n != 2 {
			t.Errorf("%d jobs ended with it, want 2", n)
		}
		late := r.submit(after("afterok:%d", a), kill)
		r.want(late, slurm.JobCancelled, slurm.ReasonDependencyNeverSatisfied)
		if count[JobEnded](r) != 1 {
			t.Errorf("events %v", r.events)
		}
	})
	t.Run("ByConfiguration", func(t *testing.T) {
		r := newRig(t)
		r.must(SetConfig{rigFiles("DependencyParameters=kill_invalid_depend\n")})
		a := r.runs("n1")
		b := r.submit(after("afterok:%d", a))
		keep := r.submit(after("afterok:%d", a), func(j *sched.Job) { j.Spec = &slurm.JobOptions{KillOnInvalidDep: "no"} })
		r.end(a, slurm.JobFailed)
		r.want(b, slurm.JobCancelled, slurm.ReasonDependencyNeverSatisfied)
		r.want(keep, slurm.JobPending, slurm.ReasonDependencyNeverSatisfied)
	})
}

func TestUpdateDependencies(t *testing.T) {
	r := newRig(t)
	deps := func(format string, args ...any) JobChange {
		j := &sched.Job{}
		after(format, args...)(j)
		return JobChange{Deps: &j.Deps, DepsAny: &j.DepsAny}
	}
	a, b := r.submit(), r.submit()
	c := r.submit(after("afterok:%d", b))
	r.refuse(UpdateJob{Job: a, Change: deps("afterok:%d", a)}, slurm.ErrnoDependency)
	r.refuse(UpdateJob{Job: b, Change: deps("afterok:%d", c)}, slurm.ErrnoCircularDependency)
	r.refuse(UpdateJob{Job: b, Change: deps("expand:%d", a)}, slurm.ErrnoNotSupported)
	r.must(UpdateJob{Job: b, Change: deps("afterok:%d", a)})
	r.want(b, slurm.JobPending, slurm.ReasonDependency)
	r.refuse(UpdateJob{Job: a, Change: deps("afterok:%d", c)}, slurm.ErrnoCircularDependency)
	none := []sched.Depend{}
	r.must(UpdateJob{Job: b, Change: JobChange{Deps: &none}})
	r.want(b, slurm.JobPending, slurm.ReasonNone)
	if len(r.s.waiters.lists) != 1 {
		t.Errorf("waiters %v, want those of job %d", r.s.waiters.lists, b)
	}
	r.end(r.run(r.on(b, 1, "n1")), slurm.JobCompleted)
	r.want(c, slurm.JobPending, slurm.ReasonNone)
	if len(r.s.waiters.lists) != 0 {
		t.Errorf("waiters %v are left", r.s.waiters.lists)
	}
}

func TestBeginTimeAndHoldSetEligible(t *testing.T) {
	r := newRig(t)
	user, nobody := sched.HeldByUser, sched.HeldByNobody
	id := r.submit()
	first := r.job(id).Eligible
	r.must(UpdateJob{Job: id, Change: JobChange{Hold: &user}})
	if j := r.want(id, slurm.JobPending, slurm.ReasonJobHeldUser); !j.Eligible.IsZero() || j.Priority != 0 {
		t.Errorf("held: eligible %v priority %d", j.Eligible, j.Priority)
	}
	r.must(UpdateJob{Job: id, Change: JobChange{Hold: &nobody}})
	if j := r.want(id, slurm.JobPending, slurm.ReasonNone); !j.Eligible.After(first) {
		t.Errorf("released: eligible %v", j.Eligible)
	}
	begin := r.at.Add(time.Hour)
	r.must(UpdateJob{Job: id, Change: JobChange{Begin: &begin}})
	if j := r.want(id, slurm.JobPending, slurm.ReasonBeginTime); !j.Eligible.Equal(begin) {
		t.Errorf("begin: eligible %v", j.Eligible)
	}
	// Held or not, what was to begin at a time is eligible at that time, and once released from then on.
	r.must(UpdateJob{Job: id, Change: JobChange{Hold: &user}})
	if j := r.want(id, slurm.JobPending, slurm.ReasonJobHeldUser); !j.Eligible.Equal(begin) {
		t.Errorf("held before its time: eligible %v", j.Eligible)
	}
	r.at = begin.Add(time.Hour)
	r.must(UpdateJob{Job: id, Change: JobChange{Hold: &nobody}})
	if j := r.want(id, slurm.JobPending, slurm.ReasonNone); !j.Eligible.Equal(r.at) {
		t.Errorf("released late: eligible %v", j.Eligible)
	}
	sooner := r.at
	r.must(UpdateJob{Job: id, Change: JobChange{Begin: &sooner}})
	if j := r.want(id, slurm.JobPending, slurm.ReasonNone); j.Eligible.After(r.at) {
		t.Errorf("begin now: eligible %v", j.Eligible)
	}
}
