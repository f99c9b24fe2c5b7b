package state

import (
	"slices"
	"time"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// waitKey is something a dependency waits for: a whole job or array, one task
// of an array, or, by aftercorr, each task of an array for itself.
type waitKey struct {
	job  slurm.JobID
	kind waitKind
	task uint32 // of onTask
}

type waitKind uint8

const (
	onWhole waitKind = iota
	onTask
	onEach
)

// touch is a waitKey whose waiters must look again.
type touch struct {
	key  waitKey
	task uint32 // of onEach: the task that changed
	all  bool   // of onEach: any task may have changed
}

// keyOf returns what the dependency d of j waits for, if it waits for another
// job's change.
func (s *State) keyOf(j *sched.Job, d sched.Depend) (waitKey, bool) {
	switch {
	case d.State != sched.DependWaiting || !d.At.IsZero() || d.Type == slurm.DependSingleton:
		return waitKey{}, false
	case d.HasTask:
		return waitKey{d.Job, onTask, d.Task}, true
	case d.Type == slurm.DependAfterCorr && j.ArrayID != 0 && s.arrays[d.Job] != nil:
		if j.IsArrayRest() {
			return waitKey{job: d.Job, kind: onEach}, true
		}
		if s.hasNoTask(d.Job, j.TaskID) {
			return waitKey{job: d.Job}, true
		}
		return waitKey{d.Job, onTask, j.TaskID}, true
	}
	return waitKey{job: d.Job}, true
}

// hasNoTask reports whether an array never had a task of that number. Who waits for it by
// aftercorr waits for the array, as in Slurm.
func (s *State) hasNoTask(array slurm.JobID, task uint32) bool {
	a := s.arrays[array]
	if a == nil {
		return false
	}
	for j := range a.records.all() {
		return !j.ArrayAll.Contains(task)
	}
	return false
}

// indexWaits keeps the list of who waits for what.
func (s *State) indexWaits(old, j *sched.Job) {
	if old != nil && j != nil && old.IsPending() == j.IsPending() && old.IsArrayRest() == j.IsArrayRest() &&
		len(old.Deps) == len(j.Deps) && (len(j.Deps) == 0 || &old.Deps[0] == &j.Deps[0]) {
		return
	}
	before, after := s.waitKeys(old), s.waitKeys(j)
	for key := range before {
		if !after[key] {
			s.waiters.del(key, old.ID)
		}
	}
	for key := range after {
		if !before[key] {
			s.waiters.add(key, j.ID)
		}
	}
}

func (s *State) waitKeys(j *sched.Job) map[waitKey]bool {
	if j == nil || !j.IsPending() || len(j.Deps) == 0 {
		return nil
	}
	keys := make(map[waitKey]bool, len(j.Deps))
	for _, d := range j.Deps {
		if key, ok := s.keyOf(j, d); ok {
			keys[key] = true
		}
	}
	return keys
}

// waitIndex is who waits for what, in id order.
type waitIndex struct {
	lists  map[waitKey][]slurm.JobID
	onTask map[slurm.JobID]int // array -> how many keys of its single tasks there are
}

func (w *waitIndex) add(key waitKey, id slurm.JobID) {
	list := w.lists[key]
	if len(list) == 0 && key.kind == onTask {
		w.onTask[key.job]++
	}
	if at, ok := slices.BinarySearch(list, id); !ok {
		w.lists[key] = slices.Insert(list, at, id)
	}
}

func (w *waitIndex) del(key waitKey, id slurm.JobID) {
	list := w.lists[key]
	at, ok := slices.BinarySearch(list, id)
	switch {
	case !ok:
	case len(list) > 1:
		w.lists[key] = slices.Delete(list, at, at+1)
	default:
		delete(w.lists, key)
		if key.kind == onTask {
			if w.onTask[key.job]--; w.onTask[key.job] == 0 {
				delete(w.onTask, key.job)
			}
		}
	}
}

// touch notes that those who wait for j must look again, if what changed can
// make a difference to them.
func (s *State) touch(j *sched.Job) {
	note := func(key waitKey, t touch) {
		if len(s.waiters.lists[key]) > 0 {
			t.key = key
			s.touched = append(s.touched, t)
		}
	}
	if j.ArrayID == 0 {
		note(waitKey{job: j.ID}, touch{})
		return
	}
	if j.IsArrayRest() {
		if j.HasEnded() {
			note(waitKey{job: j.ArrayID, kind: onEach}, touch{all: true})
			s.touchTasks(j.ArrayID, j.Tasks)
		}
	} else {
		note(waitKey{j.ArrayID, onTask, j.TaskID}, touch{})
		if j.HasEnded() {
			note(waitKey{job: j.ArrayID, kind: onEach}, touch{task: j.TaskID})
		}
		if j.ID != j.ArrayID {
			note(waitKey{job: j.ID}, touch{})
		}
	}
	// Whoever waits for a whole array cares when its last task has started or
	// has ended, and not for the thousands in between.
	if total := s.arrays[j.ArrayID].total; total.Waiting == 0 || total.Live == 0 {
		note(waitKey{job: j.ArrayID}, touch{})
		if total.Live == 0 {
			note(waitKey{job: j.ArrayID, kind: onEach}, touch{all: true})
		}
	}
}

// touchTasks notes that those who wait for one of these tasks must look again.
func (s *State) touchTasks(array slurm.JobID, tasks slurm.IndexSet) {
	if s.waiters.onTask[array] == 0 {
		return
	}
	for task := range tasks.All() {
		if key := (waitKey{array, onTask, task}); len(s.waiters.lists[key]) > 0 {
			s.touched = append(s.touched, touch{key: key})
		}
	}
}

// settleWaiters lets those who wait for what has changed look again, until
// nothing changes any more. It ends, because each dependency is decided once.
func (s *State) settleWaiters() {
	for len(s.touched) > 0 || len(s.touchedNames) > 0 {
		for len(s.touched) > 0 {
			t := s.touched[0]
			s.touched = s.touched[1:]
			for _, id := range slices.Clone(s.waiters.lists[t.key]) {
				if t.key.kind == onEach {
					s.settleTasks(id, t)
				} else {
					s.settle(id)
				}
			}
		}
		if len(s.touchedNames) > 0 {
			key := s.touchedNames[0]
			s.touchedNames = s.touchedNames[1:]
			s.settleName(key)
		}
	}
	s.touched, s.touchedNames, s.vanished = nil, nil, nil
}

// settle looks again at what a pending job waits for.
func (s *State) settle(id slurm.JobID) {
	old := s.jobs[id]
	if old == nil || !old.IsPending() {
		return
	}
	j := *old
	if s.judge(&j) {
		s.set(&j)
		s.tellIfEnded(&j)
	}
}

// tellIfEnded tells that a job has ended that was pending until now.
func (s *State) tellIfEnded(j *sched.Job) {
	if j.HasEnded() {
		s.events = append(s.events, JobEnded{Job: j, At: s.at})
	}
}

// judge works out what j's dependencies, hold and begin time make of it: its
// Deps, Reason, Eligible, and whether it is cancelled because it can never
// start. It reports whether anything changed. j is pending and not published.
func (s *State) judge(j *sched.Job) bool {
	changed := false
	for i, d := range j.Deps {
		state, at, decided := s.judgeTerm(j, d)
		if !decided || state == d.State && at.Equal(d.At) {
			continue
		}
		if !changed {
			j.Deps = slices.Clone(j.Deps)
			changed = true
		}
		j.Deps[i].State, j.Deps[i].At = state, at
	}
	return s.reasonFor(j) || changed
}

// judgeTerm says what has become of one dependency of j. It is not decided
// when what is known of it still holds.
func (s *State) judgeTerm(j *sched.Job, d sched.Depend) (state sched.DependState, at time.Time, decided bool) {
	if d.Type == slurm.DependSingleton {
		return s.judgeSingleton(j), time.Time{}, true
	}
	if d.State != sched.DependWaiting || !d.At.IsZero() {
		return 0, time.Time{}, false
	}
	key, _ := s.keyOf(j, d)
	if key.kind == onEach {
		return 0, time.Time{}, false // settleTasks judges it
	}
	t, known := s.target(key)
	if !known {
		// As in Slurm: what is not there, or no longer, keeps nobody waiting.
		return sched.DependFulfilled, time.Time{}, true
	}
	state, at = sched.Judge(d.DependTerm, t)
	return state, at, true
}

// target counts what a dependency waits for.
func (s *State) target(key waitKey) (t sched.Target, known bool) {
	if key.kind == onTask {
		j := s.ArrayTask(key.job, key.task)
		switch {
		case j == nil:
			if s.vanished[key.job].Contains(key.task) {
				return sched.Target{NotOK: 1, Began: s.at}, true
			}
			return sched.Target{}, false
		case j.IsArrayRest():
			return sched.TargetOf(j).Single(), true
		}
		return sched.TargetOf(j), true
	}
	if a := s.arrays[key.job]; a != nil {
		return a.total, true
	}
	if j := s.jobs[key.job]; j != nil {
		return sched.TargetOf(j), true
	}
	if j := s.arriving[key.job]; j != nil {
		return sched.TargetOf(j), true
	}
	return sched.Target{}, false
}

// reasonFor sets what j's dependencies, hold and begin time say of its Reason
// and Eligible, and reports whether that changed anything. A reason the
// scheduler gave stays as long as nothing of this sort keeps the job waiting.
func (s *State) reasonFor(j *sched.Job) bool {
	state := sched.JudgeAll(j.Deps, j.DepsAny, s.at)
	due := j.DependencyDue(s.at)
	if state == sched.DependFailed && s.killsInvalid(j) {
		j.State, j.Reason, j.ReasonText = slurm.JobCancelled, slurm.ReasonDependencyNeverSatisfied, ""
		j.End, j.Eligible, j.KilledBy = s.at, time.Time{}, sched.KilledByNobody
		return true
	}
	reason, text := j.Reason, j.ReasonText
	switch {
	case j.HeldBy == sched.HeldByUser:
		reason = slurm.ReasonJobHeldUser
	case j.HeldBy == sched.HeldByAdmin && reason == slurm.ReasonJobHoldMaxRequeue:
	case j.HeldBy == sched.HeldByAdmin:
		reason = slurm.ReasonJobHeldAdmin
	case state == sched.DependFailed:
		reason = slurm.ReasonDependencyNeverSatisfied
	case state == sched.DependWaiting:
		reason = slurm.ReasonDependency
	case j.Begin.After(s.at):
		reason = slurm.ReasonBeginTime
	case ownReason(reason):
		reason = slurm.ReasonNone
	}
	if reason != j.Reason {
		text = ""
	}
	eligible := j.Eligible
	waited := j.Reason == slurm.ReasonDependency || j.Reason == slurm.ReasonDependencyNeverSatisfied || heldReason(j.Reason)
	switch {
	case j.HeldBy != sched.HeldByNobody:
		eligible = j.Begin // the time it was to begin at stays what it is, as in Slurm's accounts
	case state == sched.DependFailed, state == sched.DependWaiting && due.IsZero():
		if eligible = j.Begin; !eligible.After(s.at) {
			eligible = time.Time{}
		}
	case waited:
		eligible = latest(s.at, j.Begin, due)
	case eligible.IsZero() || eligible.After(s.at):
		eligible = latest(s.at, j.Begin, due)
	case j.Begin.After(s.at):
		eligible = j.Begin
	}
	changed := reason != j.Reason || text != j.ReasonText || !eligible.Equal(j.Eligible)
	j.Reason, j.ReasonText, j.Eligible = reason, text, eligible
	return changed
}

// heldReason reports whether a reason is that somebody holds the job.
func heldReason(r slurm.Reason) bool {
	return r == slurm.ReasonJobHeldUser || r == slurm.ReasonJobHeldAdmin || r == slurm.ReasonJobHoldMaxRequeue
}

// ownReason reports whether a reason is one that Apply gives and takes back,
// and not the scheduler's.
func ownReason(r slurm.Reason) bool {
	switch r {
	case slurm.ReasonJobHeldUser, slurm.ReasonJobHeldAdmin, slurm.ReasonDependency,
		slurm.ReasonDependencyNeverSatisfied, slurm.ReasonBeginTime, slurm.ReasonJobHoldMaxRequeue:
		return true
	}
	return false
}

func latest(times ...time.Time) (last time.Time) {
	for _, t := range times {
		if t.After(last) {
			last = t
		}
	}
	return last
}

// killsInvalid reports whether j is cancelled when its dependencies can never
// be fulfilled.
func (s *State) killsInvalid(j *sched.Job) bool {
	return j.KillOnInvalidDep || j.Spec.KillOnInvalidDep != "no" && s.config.KillInvalidDepend
}

// settleTasks looks again at the tasks of an array's rest that wait, each for
// the task of its own number: those for which it is decided get records of
// their own.
func (s *State) settleTasks(id slurm.JobID, t touch) {
	rest := s.jobs[id]
	if rest == nil || !rest.IsPending() || !rest.IsArrayRest() || !s.waitsForEach(rest) {
		return
	}
	if !t.all {
		if rest.Tasks.Contains(t.task) {
			if deps, over := s.judgeTask(rest, t.task); over {
				s.freeTask(rest, t.task, deps)
			}
		}
		return
	}
	type freed struct {
		task uint32
		deps []sched.Depend
	}
	var free []freed
	alike := true
	for task := range rest.Tasks.All() {
		if deps, over := s.judgeTask(rest, task); over {
			free = append(free, freed{task, deps})
			alike = alike && slices.Equal(deps, free[0].deps)
		}
	}
	if alike && len(free) == rest.Tasks.Len() {
		j := *rest // nothing tells its tasks apart any more
		j.Deps = free[0].deps
		s.reasonFor(&j)
		s.set(&j)
		s.tellIfEnded(&j)
		return
	}
	for _, f := range free {
		s.freeTask(s.jobs[id], f.task, f.deps)
	}
}

// waitsForEach reports whether the tasks of an array's rest wait each for a
// task of another array.
func (s *State) waitsForEach(rest *sched.Job) bool {
	for _, d := range rest.Deps {
		if key, ok := s.keyOf(rest, d); ok && key.kind == onEach {
			return true
		}
	}
	return false
}

// judgeTask returns the dependencies of one task of an array's rest, and
// whether one of those it has by itself is decided. Then it must leave: what
// became of it is written down nowhere else.
func (s *State) judgeTask(rest *sched.Job, task uint32) (deps []sched.Depend, over bool) {
	deps = slices.Clone(rest.Deps)
	for i, d := range deps {
		key, ok := s.keyOf(rest, d)
		if !ok || key.kind != onEach {
			continue
		}
		key = waitKey{d.Job, onTask, task}
		if s.hasNoTask(d.Job, task) {
			key = waitKey{job: d.Job}
		}
		if t, known := s.target(key); known {
			deps[i].State, deps[i].At = sched.Judge(d.DependTerm, t)
		} else {
			deps[i].State = sched.DependFulfilled
		}
		over = over || deps[i].State != sched.DependWaiting
	}
	return deps, over
}

// freeTask gives a task a record of its own with these dependencies.
func (s *State) freeTask(rest *sched.Job, task uint32, deps []sched.Depend) {
	j := s.split(rest, task)
	j.Deps = deps
	s.judge(j)
	s.set(j)
	s.tellIfEnded(j)
}
