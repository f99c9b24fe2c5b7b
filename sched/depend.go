package sched

import (
	"strings"
	"time"

	"github.com/runink/rink/slurm"
)

// Target is what a dependency names, counted: one record, one task, or all
// tasks of an array.
type Target struct {
	Waiting int       // tasks that have neither started nor ended
	Live    int       // tasks that have not ended, or are not yet gone from their nodes
	NotOK   int       // tasks that ended otherwise than COMPLETED
	Began   time.Time // when the last task started, or was cancelled unstarted
}

// TargetOf counts one record: the pending rest of an array counts each of its
// tasks.
func TargetOf(j *Job) Target {
	n := 1
	if j.IsArrayRest() {
		n = j.Tasks.Len()
	}
	switch {
	case j.HasEnded() && !j.IsRequeuing():
		t := Target{Began: j.Start}
		if t.Began.IsZero() {
			t.Began = j.End
		}
		if j.IsCompleting() {
			t.Live = n
		}
		if j.State.Base() != slurm.JobCompleted {
			t.NotOK = n
		}
		return t
	case j.IsPending():
		return Target{Waiting: n, Live: n}
	default:
		return Target{Live: n, Began: j.Start}
	}
}

// Add counts another target in.
func (t Target) Add(u Target) Target {
	t.Waiting += u.Waiting
	t.Live += u.Live
	t.NotOK += u.NotOK
	if u.Began.After(t.Began) {
		t.Began = u.Began
	}
	return t
}

// Single returns the target that is any one of the tasks counted, when all are
// alike.
func (t Target) Single() Target {
	return Target{Waiting: min(t.Waiting, 1), Live: min(t.Live, 1), NotOK: min(t.NotOK, 1), Began: t.Began}
}

// Sub takes the counts of u out again; Began stays.
func (t Target) Sub(u Target) Target {
	t.Waiting -= u.Waiting
	t.Live -= u.Live
	t.NotOK -= u.NotOK
	return t
}

// Judge says what has become of a dependency of this type and delay on t. A
// dependency that time alone still holds back is waiting, with the moment
// when it will be fulfilled. Nothing is known of singleton here.
func Judge(term slurm.DependTerm, t Target) (DependState, time.Time) {
	switch term.Type {
	case slurm.DependAfter:
		if t.Waiting > 0 {
			return DependWaiting, time.Time{}
		}
		if term.Delay > 0 {
			return DependWaiting, t.Began.Add(term.Delay)
		}
		return DependFulfilled, time.Time{}
	case slurm.DependAfterAny, slurm.DependAfterBurstBuffer:
		return fulfilledIf(t.Live == 0, true)
	case slurm.DependAfterOK, slurm.DependAfterCorr:
		return fulfilledIf(t.Live == 0, t.NotOK == 0)
	case slurm.DependAfterNotOK:
		return fulfilledIf(t.Live == 0, t.NotOK > 0)
	}
	return DependWaiting, time.Time{}
}

// fulfilledIf waits for decided and then goes by ok.
func fulfilledIf(decided, ok bool) (DependState, time.Time) {
	switch {
	case !decided:
		return DependWaiting, time.Time{}
	case ok:
		return DependFulfilled, time.Time{}
	}
	return DependFailed, time.Time{}
}

// StateAt returns what has become of the dependency at that time.
func (d Depend) StateAt(now time.Time) DependState {
	if d.State == DependWaiting && !d.At.IsZero() && !now.Before(d.At) {
		return DependFulfilled
	}
	return d.State
}

// DependencyAt returns what has become of j's dependencies taken together: all
// of them must be fulfilled, or any one when they were given with "?". A job
// without any is fulfilled.
func (j *Job) DependencyAt(now time.Time) DependState {
	return JudgeAll(j.Deps, j.DepsAny, now)
}

// JudgeAll returns what has become of dependencies taken together.
func JudgeAll(deps []Depend, anyOf bool, now time.Time) DependState {
	if len(deps) == 0 {
		return DependFulfilled
	}
	var fulfilled, failed int
	for _, d := range deps {
		switch d.StateAt(now) {
		case DependFulfilled:
			fulfilled++
		case DependFailed:
			failed++
		}
	}
	switch {
	case anyOf && fulfilled > 0, fulfilled == len(deps):
		return DependFulfilled
	case anyOf && failed == len(deps), !anyOf && failed > 0:
		return DependFailed
	}
	return DependWaiting
}

// DependencyDue returns the moment when j's dependencies will be fulfilled by
// time alone, or the zero time when events must come first.
func (j *Job) DependencyDue(now time.Time) time.Time {
	var due time.Time
	for _, d := range j.Deps {
		switch state := d.StateAt(now); {
		case state == DependFulfilled && !j.DepsAny, state == DependFailed && j.DepsAny:
		case state == DependWaiting && !d.At.IsZero():
			if due.IsZero() || d.At.After(due) != j.DepsAny {
				due = d.At
			}
		case state == DependWaiting && j.DepsAny:
		default:
			return time.Time{}
		}
	}
	return due
}

// DependencyText returns what of j's dependencies is still open, as squeue and
// scontrol show it: "afterok:12(unfulfilled),singleton(unfulfilled)". It is ""
// when nothing is. A singleton is open as long as anything else is, because
// another job of the name may come in between.
func (j *Job) DependencyText(now time.Time) string {
	if !j.IsPending() || j.DependencyAt(now) == DependFulfilled {
		return ""
	}
	var b strings.Builder
	for _, d := range j.Deps {
		mark := "(unfulfilled)"
		switch d.StateAt(now) {
		case DependFailed:
			mark = "(failed)"
		case DependFulfilled:
			if d.Type != slurm.DependSingleton && !j.DepsAny {
				continue
			}
		}
		if b.Len() > 0 {
			if j.DepsAny {
				b.WriteByte('?')
			} else {
				b.WriteByte(',')
			}
		}
		b.WriteString(d.DependTerm.String())
		b.WriteString(mark)
	}
	return b.String()
}

// ReadyAt reports whether nothing but resources and limits keeps j from
// starting at that time: it is pending, not held, its dependencies are
// fulfilled and its begin time has come.
func (j *Job) ReadyAt(now time.Time) bool {
	return j.IsPending() && j.HeldBy == HeldByNobody &&
		!j.Begin.After(now) && j.DependencyAt(now) == DependFulfilled
}
