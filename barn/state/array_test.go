package state

import (
	"slices"
	"testing"
	"time"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

func TestArrayTasksSplitOffAndTheLastKeepsTheRecord(t *testing.T) {
	r := newRig(t)
	a := r.submit(tasks("3-7:2"), func(j *sched.Job) { j.Throttle = 5 })
	if r.s.JobCount() != 3 {
		t.Errorf("an array of three counts as %d jobs", r.s.JobCount())
	}
	one := r.run(r.task(a, 5, 1, "n1"))
	if one != a+1 {
		t.Errorf("the task has id %d, want a fresh one", one)
	}
	rest, j := r.job(a), r.job(one)
	if rest.Tasks.String() != "3,7" || !rest.IsArrayRest() || !rest.IsPending() {
		t.Errorf("left %v", rest.Tasks)
	}
	if j.ArrayID != a || j.TaskID != 5 || j.Tasks.Len() != 0 || j.ArrayAll.String() != "3,5,7" || j.Throttle != 5 || j.Spec != rest.Spec {
		t.Errorf("task %+v", j)
	}
	if count[JobChanged](r) != 2 || count[JobStarted](r) != 1 {
		t.Errorf("events %v", r.events)
	}
	if got := r.s.View().RunningTasks[a]; got != 1 {
		t.Errorf("%d tasks run", got)
	}
	two := r.run(r.task(a, 3, 1, "n1"))
	last := r.run(r.task(a, 7, 1, "n1"))
	if last != a || r.job(a).TaskID != 7 || r.job(a).IsArrayRest() {
		t.Errorf("the last task is on record %d: %+v", last, r.job(a))
	}
	if jobs := r.s.ArrayJobs(a); len(jobs) != 3 || jobs[0].ID != a || jobs[2].ID != two {
		t.Errorf("records of the array: %v", jobs)
	}
	for task, id := range map[uint32]slurm.JobID{3: two, 5: one, 7: a} {
		if j := r.s.ArrayTask(a, task); j == nil || j.ID != id {
			t.Errorf("task %d is on %v, want record %d", task, j, id)
		}
	}
	if r.s.ArrayTask(a, 4) != nil || r.s.ArrayTask(77, 4) != nil || r.s.ArrayJobs(77) != nil {
		t.Error("what is not there was found")
	}
	if r.s.JobCount() != 3 {
		t.Errorf("%d jobs, want 3 still", r.s.JobCount())
	}
}

func TestArrayOfOneIsAnArray(t *testing.T) {
	r := newRig(t)
	a := r.submit(tasks("5"))
	if j := r.job(a); !j.IsArrayRest() || j.ArrayID != a {
		t.Errorf("%+v", j)
	}
	if id := r.run(r.task(a, 5, 1, "n1")); id != a || r.job(a).TaskID != 5 {
		t.Errorf("record %d", id)
	}
}

func TestCancelSomeTasks(t *testing.T) {
	r := newRig(t)
	a := r.submit(tasks("0-9"))
	cancel := func(text string) Result {
		return r.do(EndJob{Job: a, Tasks: indexes(text), Restarts: AnyIncarnation, State: slurm.JobCancelled})
	}
	cancel("1-3")
	if j := r.job(a); j.Tasks.String() != "0,4-9" || !j.IsPending() {
		t.Errorf("left %v", j.Tasks)
	}
	if len(r.s.ArrayJobs(a)) != 1 || count[JobEnded](r) != 0 {
		t.Error("cancelled tasks that never ran have records")
	}
	// One that has started meanwhile is cancelled too, and one that is not there
	// does no harm.
	four := r.run(r.task(a, 4, 1, "n1"))
	if res := cancel("4-5,40"); res.Err != nil {
		t.Error(res.Err)
	}
	r.want(four, slurm.JobCancelled|slurm.JobCompleting, slurm.ReasonNone)
	if j := r.job(a); j.Tasks.String() != "0,6-9" {
		t.Errorf("left %v", j.Tasks)
	}
	if res := cancel("40"); res.Err == nil {
		t.Error("a task that is not there was cancelled")
	}
	if res := cancel("4"); res.Err == nil {
		t.Error("a task was cancelled twice")
	}
	// What is left, taken by its tasks, is the array's record.
	if res := cancel("0-9"); res.Err != nil {
		t.Error(res.Err)
	}
	if j := r.want(a, slurm.JobCancelled, slurm.ReasonNone); j.Tasks.String() != "0,6-9" {
		t.Errorf("the cancelled record shows %v", j.Tasks)
	}
	if count[JobEnded](r) != 1 {
		t.Errorf("events %v", r.events)
	}
}

func TestCancelWholeRest(t *testing.T) {
	r := newRig(t)
	a := r.submit(tasks("0-9"))
	one := r.run(r.task(a, 0, 1, "n1"))
	r.must(EndJob{Job: a, Restarts: AnyIncarnation, State: slurm.JobCancelled})
	if j := r.want(a, slurm.JobCancelled, slurm.ReasonNone); j.Tasks.Len() != 9 {
		t.Errorf("the cancelled record shows %v", j.Tasks)
	}
	r.want(one, slurm.JobRunning, slurm.ReasonNone) // a record of its own
	if r.s.JobCount() != 10 {
		t.Errorf("%d jobs in memory, want 10", r.s.JobCount())
	}
}

func TestArraysOwnRecordIsPurgedLast(t *testing.T) {
	r := newRig(t)
	a := r.submit(tasks("1-2"))
	one := r.run(r.task(a, 1, 1, "n1"))
	last := r.run(r.task(a, 2, 1, "n1"))
	r.end(last, slurm.JobCompleted)
	r.must(Purge{Before: r.at.Add(time.Hour)})
	r.job(a)
	r.end(one, slurm.JobFailed)
	r.must(Purge{Before: r.at.Add(time.Hour)})
	if r.s.Job(a) != nil || r.s.Job(one) != nil || r.s.JobCount() != 0 || len(r.s.arrays) != 0 {
		t.Errorf("left: %v, %d jobs", r.s.arrays, r.s.JobCount())
	}
}

func TestRequeuedTaskStaysApart(t *testing.T) {
	r := newRig(t)
	a := r.submit(tasks("1-3"), func(j *sched.Job) { j.Throttle = 1 })
	one := r.run(r.task(a, 1, 1, "n1"))
	r.must(EndJob{Job: a, IsTask: true, Task: 1, State: slurm.JobFailed, Requeue: true})
	r.free(one)
	if j := r.want(one, slurm.JobPending, slurm.ReasonNone); j.TaskID != 1 || j.Restarts != 1 {
		t.Errorf("%+v", j)
	}
	r.run(r.task(a, 2, 1, "n1"))
	r.refuse(StartJobs{[]sched.Start{r.on(one, 1, "n1")}}, slurm.ErrnoNodesBusy)
}

func TestHugeArrayIsCheap(t *testing.T) {
	r := newRig(t)
	a := r.submit(tasks("0-199999"))
	apply := func(cmd Command) Result {
		r.index++
		res, _ := r.s.Apply(r.index, Entry{At: r.at, Cmd: cmd})
		return res
	}
	for i := range uint32(1000) {
		id := apply(StartJobs{[]sched.Start{r.task(a, i, 1, "n1")}}).Started[0]
		apply(EndJob{Job: id, State: slurm.JobCompleted})
		apply(ReleaseNodes{Job: id, Nodes: []sched.NodeName{"n1"}})
	}
	if err := r.check(); err != nil {
		t.Error(err)
	}
	if j := r.job(a); j.Tasks.Len() != 199000 || len(j.Tasks.Runs()) != 1 {
		t.Errorf("%d tasks in %d runs left", j.Tasks.Len(), len(j.Tasks.Runs()))
	}
}

func TestJobsOf(t *testing.T) {
	r := newRig(t)
	plain := r.submit()
	a := r.submit(tasks("1-5"))
	one, two := r.run(r.task(a, 1, 1, "n1")), r.run(r.task(a, 2, 1, "n1"))
	het := r.must(SubmitJobs{Het: true, Jobs: []*sched.Job{asked(), asked()}}).Jobs
	for _, c := range []struct {
		ref  string
		want []slurm.JobID
	}{
		{"100", []slurm.JobID{plain}},
		{"101", []slurm.JobID{a, one, two}},
		{"101_*", []slurm.JobID{a, one, two}},
		{"101_1", []slurm.JobID{one}},
		{"101_4", []slurm.JobID{a}},
		{"101_[2-4]", []slurm.JobID{a, two}},
		{"101_9", nil},
		{"100_1", nil},
		{"102", []slurm.JobID{one}},
		{"104", het},
		{"104+1", het[1:]},
		{"104+2", nil},
		{"105", het[1:]},
		{"999", nil},
	} {
		ref, err := slurm.ParseJobRef(c.ref)
		if err != nil {
			t.Fatal(err)
		}
		var got []slurm.JobID
		for _, j := range r.s.JobsOf(ref) {
			got = append(got, j.ID)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("JobsOf(%s) = %v, want %v", c.ref, got, c.want)
		}
	}
}
