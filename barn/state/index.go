package state

import (
	"slices"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// set publishes j in place of the record of its id, or as a new one: every
// index follows, and a JobChanged is among the events. j must not be written
// to afterwards.
func (s *State) set(j *sched.Job) {
	old := s.jobs[j.ID]
	j.ChangedAt = s.index
	if j.AgeHeld = s.ledger.AgeHeld(old, j); !j.IsPending() || old != nil && old.Restarts != j.Restarts {
		j.AgeFrom = noTime
	}
	s.once.keep(old, j)
	s.jobs[j.ID] = j
	s.all.put(j)
	s.reindex(old, j)
	s.events = append(s.events, JobChanged{Old: old, New: j})
}

// forget removes a record from every index.
func (s *State) forget(j *sched.Job) {
	delete(s.jobs, j.ID)
	s.all.del(j.ID)
	s.once.letGo(j.Spec)
	s.reindex(j, nil)
}

// reindex moves a record from how it was to how it is; nil is not being there.
func (s *State) reindex(old, j *sched.Job) {
	s.view = nil
	id := either(old, j).ID
	if j != nil {
		s.ledger.Set(j, s.at)
	} else {
		s.ledger.Forget(id, s.at)
	}
	s.jobCount += tasksIn(j) - tasksIn(old)
	move(&s.pending, id, j, j != nil && j.IsPending(), old != nil && old.IsPending())
	move(&s.holding, id, j, j != nil && j.Holds(), old != nil && old.Holds())
	s.indexBlobs(old, j)
	s.indexHet(old, j)
	before, after := targetOf(old), targetOf(j)
	s.indexArray(old, j, before, after)
	s.indexEnded(old, j)
	s.indexName(old, j)
	s.indexWaits(old, j)
	if j != nil && before != after {
		s.touch(j)
	}
}

func either(old, j *sched.Job) *sched.Job {
	if j != nil {
		return j
	}
	return old
}

// isOver reports whether a record has ended and holds nothing any more.
func isOver(j *sched.Job) bool { return j != nil && j.HasEnded() && !j.IsCompleting() }

func targetOf(j *sched.Job) sched.Target {
	if j == nil {
		return sched.Target{}
	}
	return sched.TargetOf(j)
}

// move keeps a list of some of the jobs.
func move(l *jobList, id slurm.JobID, j *sched.Job, is, was bool) {
	switch {
	case is:
		l.put(j)
	case was:
		l.del(id)
	}
}

// tasksIn counts a record as MaxJobCount does.
func tasksIn(j *sched.Job) int {
	switch {
	case j == nil:
		return 0
	case j.IsArrayRest():
		return j.Tasks.Len()
	}
	return 1
}

func (s *State) indexBlobs(old, j *sched.Job) {
	if old != nil && j != nil && old.Script == j.Script && old.Env == j.Env {
		return
	}
	// The new before the old, so that a blob both use is not let go in between.
	if j != nil {
		s.hold(j.Script)
		s.hold(j.Env)
	}
	if old != nil {
		s.letGo(old.Script)
		s.letGo(old.Env)
	}
}

func (s *State) hold(id sched.BlobID) {
	if id != "" {
		s.blobs[id].refs++
	}
}

func (s *State) letGo(id sched.BlobID) {
	if id == "" {
		return
	}
	b := s.blobs[id]
	if b.refs--; b.refs == 0 {
		delete(s.blobs, id)
	}
}

func (s *State) indexHet(old, j *sched.Job) {
	leader := either(old, j).HetID
	if leader == 0 || old != nil && j != nil {
		return
	}
	id := either(old, j).ID
	list := s.hets[leader]
	at, ok := slices.BinarySearch(list, id)
	switch {
	case j != nil && !ok:
		s.hets[leader] = slices.Insert(list, at, id)
	case j == nil && ok && len(list) == 1:
		delete(s.hets, leader)
	case j == nil && ok:
		s.hets[leader] = slices.Delete(list, at, at+1)
	}
}

// array is the index of one array: its records, and all its tasks counted.
type array struct {
	records jobList
	tasks   map[uint32]slurm.JobID // tasks that have a record of their own
	total   sched.Target           // its records and its past
	past    ArrayPast
}

func newArray(past ArrayPast) *array {
	return &array{tasks: map[uint32]slurm.JobID{}, past: past, total: sched.Target{NotOK: past.NotOK, Began: past.Began}}
}

// recordsOf returns the records of those of the tasks that have one of their
// own, in id order.
func (a *array) recordsOf(tasks slurm.IndexSet) []slurm.JobID {
	var ids []slurm.JobID
	if tasks.Len() < len(a.tasks) {
		for task := range tasks.All() {
			if id, ok := a.tasks[task]; ok {
				ids = append(ids, id)
			}
		}
	} else {
		for task, id := range a.tasks {
			if tasks.Contains(task) {
				ids = append(ids, id)
			}
		}
	}
	slices.Sort(ids)
	return ids
}

func (s *State) indexArray(old, j *sched.Job, before, after sched.Target) {
	id := either(old, j).ArrayID
	if id == 0 {
		return
	}
	a := s.arrays[id]
	if a == nil {
		a = newArray(ArrayPast{Array: id})
		s.arrays[id] = a
	}
	a.total = a.total.Sub(before).Add(after)
	a.past.Began = a.total.Began
	if was, is := started(old), started(j); was != is {
		if s.active[id] += is - was; s.active[id] == 0 {
			delete(s.active, id)
		}
	}
	if j != nil {
		a.records.put(j)
		if !j.IsArrayRest() {
			a.tasks[j.TaskID] = j.ID
		}
		return
	}
	a.records.del(old.ID)
	if !old.IsArrayRest() {
		delete(a.tasks, old.TaskID)
	}
	a.past.NotOK += before.NotOK
	a.total.NotOK += before.NotOK
	if a.records.n == 0 {
		delete(s.arrays, id)
	}
}

// started counts a record that has started and not ended.
func started(j *sched.Job) int {
	if j != nil && (j.IsRunning() || j.IsSuspended()) {
		return 1
	}
	return 0
}
