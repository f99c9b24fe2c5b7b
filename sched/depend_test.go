package sched

import (
	"testing"
	"time"

	"github.com/runink/rink/slurm"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func TestTargetOf(t *testing.T) {
	later := noon.Add(time.Hour)
	rest := slurm.IndexSetOf(slurm.IndexRange{Lo: 1, Hi: 5, Step: 1})
	for _, c := range []struct {
		name string
		job  Job
		want Target
	}{
		{"Pending", Job{State: slurm.JobPending}, Target{Waiting: 1, Live: 1}},
		{"Rest", Job{ArrayID: 1, Tasks: rest}, Target{Waiting: 5, Live: 5}},
		{"Running", Job{State: slurm.JobRunning, Start: noon}, Target{Live: 1, Began: noon}},
		{"Suspended", Job{State: slurm.JobSuspended, Start: noon}, Target{Live: 1, Began: noon}},
		{"CompletingWell", Job{State: slurm.JobCompleted | slurm.JobCompleting, Start: noon, End: later}, Target{Live: 1, Began: noon}},
		{"Requeuing", Job{State: slurm.JobFailed | slurm.JobCompleting | slurm.JobRequeued, Start: noon}, Target{Live: 1, Began: noon}},
		{"Completed", Job{State: slurm.JobCompleted, Start: noon, End: later}, Target{Began: noon}},
		{"Failed", Job{State: slurm.JobFailed, Start: noon, End: later}, Target{NotOK: 1, Began: noon}},
		{"CancelledUnstarted", Job{State: slurm.JobCancelled, End: later}, Target{NotOK: 1, Began: later}},
		{"CancelledRest", Job{State: slurm.JobCancelled, ArrayID: 1, Tasks: rest, End: later}, Target{NotOK: 5, Began: later}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := TargetOf(&c.job)
			if got != c.want {
				t.Errorf("TargetOf = %+v, want %+v", got, c.want)
			}
			sum := Target{Waiting: 1, Live: 2, NotOK: 3, Began: noon.Add(-time.Hour)}
			if back := sum.Add(got).Sub(got); back.Waiting != 1 || back.Live != 2 || back.NotOK != 3 {
				t.Errorf("added and taken out again: %+v", back)
			}
			if one := got.Single(); one.Waiting > 1 || one.Live > 1 || one.NotOK > 1 || one.Began != got.Began {
				t.Errorf("Single = %+v", one)
			}
		})
	}
}

func TestJudge(t *testing.T) {
	waiting, live := Target{Waiting: 1, Live: 2, Began: noon}, Target{Live: 1, Began: noon}
	good, bad := Target{Began: noon}, Target{NotOK: 1, Began: noon}
	for _, c := range []struct {
		kind                     slurm.DependType
		waiting, live, good, bad DependState
	}{
		{slurm.DependAfter, DependWaiting, DependFulfilled, DependFulfilled, DependFulfilled},
		{slurm.DependAfterAny, DependWaiting, DependWaiting, DependFulfilled, DependFulfilled},
		{slurm.DependAfterOK, DependWaiting, DependWaiting, DependFulfilled, DependFailed},
		{slurm.DependAfterNotOK, DependWaiting, DependWaiting, DependFailed, DependFulfilled},
		{slurm.DependAfterCorr, DependWaiting, DependWaiting, DependFulfilled, DependFailed},
		{slurm.DependAfterBurstBuffer, DependWaiting, DependWaiting, DependFulfilled, DependFulfilled},
		{slurm.DependSingleton, DependWaiting, DependWaiting, DependWaiting, DependWaiting},
	} {
		for i, target := range []Target{waiting, live, good, bad} {
			want := []DependState{c.waiting, c.live, c.good, c.bad}[i]
			if got, at := Judge(slurm.DependTerm{Type: c.kind}, target); got != want || !at.IsZero() {
				t.Errorf("%v of %+v: %v at %v, want %v", c.kind, target, got, at, want)
			}
		}
	}
	delayed := slurm.DependTerm{Type: slurm.DependAfter, Delay: 5 * time.Minute}
	if got, at := Judge(delayed, live); got != DependWaiting || !at.Equal(noon.Add(5*time.Minute)) {
		t.Errorf("after with a delay: %v at %v", got, at)
	}
}

func TestJudgeAllAndText(t *testing.T) {
	const w, f, x = DependWaiting, DependFulfilled, DependFailed
	afterOK := func(job slurm.JobID, state DependState) Depend {
		return Depend{DependTerm: slurm.DependTerm{Type: slurm.DependAfterOK, Job: job}, State: state}
	}
	single := Depend{DependTerm: slurm.DependTerm{Type: slurm.DependSingleton}, State: f}
	delayed := Depend{DependTerm: slurm.DependTerm{Type: slurm.DependAfter, Job: 9, Delay: time.Minute}, At: noon.Add(time.Minute)}
	for _, c := range []struct {
		name  string
		deps  []Depend
		anyOf bool
		want  DependState
		text  string
		due   time.Time
	}{
		{"None", nil, false, f, "", time.Time{}},
		{"AllOpen", []Depend{afterOK(1, w), afterOK(2, w)}, false, w, "afterok:1(unfulfilled),afterok:2(unfulfilled)", time.Time{}},
		{"OneOpen", []Depend{afterOK(1, f), afterOK(2, w)}, false, w, "afterok:2(unfulfilled)", time.Time{}},
		{"AllDone", []Depend{afterOK(1, f), afterOK(2, f)}, false, f, "", time.Time{}},
		{"OneFailed", []Depend{afterOK(1, x), afterOK(2, w)}, false, x, "afterok:1(failed),afterok:2(unfulfilled)", time.Time{}},
		{"AnyOneFailed", []Depend{afterOK(1, x), afterOK(2, w)}, true, w, "afterok:1(failed)?afterok:2(unfulfilled)", time.Time{}},
		{"AnyOneDone", []Depend{afterOK(1, f), afterOK(2, w)}, true, f, "", time.Time{}},
		{"AnyAllFailed", []Depend{afterOK(1, x), afterOK(2, x)}, true, x, "afterok:1(failed)?afterok:2(failed)", time.Time{}},
		{"SingletonStaysOpen", []Depend{single, afterOK(1, w)}, false, w, "singleton(unfulfilled),afterok:1(unfulfilled)", time.Time{}},
		{"Delayed", []Depend{delayed}, false, w, "after:9+1(unfulfilled)", noon.Add(time.Minute)},
		{"DelayedAndOpen", []Depend{delayed, afterOK(1, w)}, false, w, "after:9+1(unfulfilled),afterok:1(unfulfilled)", time.Time{}},
		{"DelayedOrOpen", []Depend{delayed, afterOK(1, w)}, true, w, "after:9+1(unfulfilled)?afterok:1(unfulfilled)", noon.Add(time.Minute)},
		{"DelayedAndDone", []Depend{delayed, afterOK(1, f)}, false, w, "after:9+1(unfulfilled)", noon.Add(time.Minute)},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := &Job{State: slurm.JobPending, Deps: c.deps, DepsAny: c.anyOf}
			if got := j.DependencyAt(noon); got != c.want {
				t.Errorf("state %v, want %v", got, c.want)
			}
			if got := j.DependencyText(noon); got != c.text {
				t.Errorf("text %q, want %q", got, c.text)
			}
			if got := j.DependencyDue(noon); !got.Equal(c.due) {
				t.Errorf("due %v, want %v", got, c.due)
			}
			if !c.due.IsZero() && (j.DependencyAt(c.due) != f || !j.ReadyAt(c.due) || j.ReadyAt(noon)) {
				t.Error("it is not fulfilled when due, or before")
			}
			j.State = slurm.JobRunning
			if j.DependencyText(noon) != "" || j.ReadyAt(noon) {
				t.Error("a running job still waits")
			}
		})
	}
}

func TestReadyAt(t *testing.T) {
	for _, c := range []struct {
		name string
		job  Job
		want bool
	}{
		{"Ready", Job{}, true},
		{"Held", Job{HeldBy: HeldByAdmin}, false},
		{"BeginLater", Job{Begin: noon.Add(time.Second)}, false},
		{"BeginNow", Job{Begin: noon}, true},
		{"Completing", Job{State: slurm.JobPending | slurm.JobCompleting}, false},
	} {
		if got := c.job.ReadyAt(noon); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
