package state

import (
	"container/heap"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// nameKey is what singleton goes by.
type nameKey struct {
	uid  uint32
	name string
}

// sameName is the jobs of one user with one name, as singleton sees them.
type sameName struct {
	running int // running and suspended ones
	pending int // pending ones and those being requeued
	singles int // pending ones with a singleton dependency
	// tasks counts the running ones of each array, which do not stand in the way of
	// its others.
	tasks map[slurm.JobID]int
	// queue holds the pending ones, the first to have a turn first, and some that no
	// longer are: they are thrown out when they come up, or when they outnumber
	// the others.
	queue turnHeap
	free  slurm.JobID // the turn whose singletons were found fulfilled last; 0: none
}

// turnOf is what a job has its turn with: its array, whose tasks start side by side, or
// itself.
func turnOf(j *sched.Job) slurm.JobID {
	if j.ArrayID != 0 {
		return j.ArrayID
	}
	return j.ID
}

type queued struct{ turn, id slurm.JobID }

type turnHeap []queued

func (h turnHeap) Len() int { return len(h) }
func (h turnHeap) Less(i, j int) bool {
	return h[i].turn < h[j].turn || h[i].turn == h[j].turn && h[i].id < h[j].id
}
func (h turnHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *turnHeap) Push(x any)   { *h = append(*h, x.(queued)) }
func (h *turnHeap) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	*h = (*h)[:last]
	return x
}

// place is where a job counts among those of its name.
type place uint8

const (
	nowhere place = iota
	amongPending
	amongRunning
)

func placeOf(j *sched.Job) place {
	switch {
	case j == nil:
		return nowhere
	case j.IsRunning(), j.IsSuspended():
		return amongRunning
	case j.IsPending(), j.IsRequeuing():
		return amongPending
	}
	return nowhere
}

// isSingle reports whether j waits for its turn among the jobs of its name.
func isSingle(j *sched.Job) bool {
	if j == nil || !j.IsPending() {
		return false
	}
	for _, d := range j.Deps {
		if d.Type == slurm.DependSingleton {
			return true
		}
	}
	return false
}

// indexName keeps the counts of jobs by name.
func (s *State) indexName(old, j *sched.Job) {
	if old != nil && j != nil && old.UID == j.UID && old.Name == j.Name &&
		placeOf(old) == placeOf(j) && isSingle(old) == isSingle(j) {
		return
	}
	if placeOf(old) != nowhere {
		key := nameKey{old.UID, old.Name}
		n := s.names[key]
		if placeOf(old) == amongRunning {
			n.runs(old, -1)
		} else {
			n.pending--
		}
		if isSingle(old) {
			n.singles--
		}
		s.nameChanged(key, n)
	}
	if placeOf(j) != nowhere {
		key := nameKey{j.UID, j.Name}
		n := s.names[key]
		if n == nil {
			n = &sameName{}
			s.names[key] = n
		}
		if placeOf(j) == amongRunning {
			n.runs(j, 1)
		} else {
			n.pending++
			heap.Push(&n.queue, queued{turnOf(j), j.ID})
			if len(n.queue) > 2*n.pending+64 {
				s.tidy(key, n)
			}
		}
		if isSingle(j) {
			n.singles++
		}
		s.nameChanged(key, n)
	}
}

// runs counts a running job in or out.
func (n *sameName) runs(j *sched.Job, by int) {
	n.running += by
	if j.ArrayID == 0 {
		return
	}
	if n.tasks == nil {
		n.tasks = map[slurm.JobID]int{}
	}
	if n.tasks[j.ArrayID] += by; n.tasks[j.ArrayID] == 0 {
		delete(n.tasks, j.ArrayID)
	}
}

func (s *State) nameChanged(key nameKey, n *sameName) {
	switch {
	case n.running == 0 && n.pending == 0:
		delete(s.names, key)
	case n.singles == 0:
		n.free = 0
		if n.pending == 0 {
			n.queue = nil
		}
	case len(s.touchedNames) == 0 || s.touchedNames[len(s.touchedNames)-1] != key:
		s.touchedNames = append(s.touchedNames, key)
	}
}

// tidy throws out of the queue what is no longer pending.
func (s *State) tidy(key nameKey, n *sameName) {
	old := n.queue
	n.queue = nil
	seen := map[slurm.JobID]bool{}
	for _, q := range old {
		if s.queued(key, q.id) && !seen[q.id] {
			seen[q.id] = true
			n.queue = append(n.queue, q)
		}
	}
	heap.Init(&n.queue)
}

func (s *State) queued(key nameKey, id slurm.JobID) bool {
	j := s.jobs[id]
	return j != nil && j.UID == key.uid && j.Name == key.name && placeOf(j) == amongPending
}

// firstOf returns the pending job that is the first to have a turn; nil: none is pending.
func (s *State) firstOf(key nameKey, n *sameName) *sched.Job {
	for len(n.queue) > 0 {
		if id := n.queue[0].id; s.queued(key, id) {
			return s.jobs[id]
		}
		heap.Pop(&n.queue)
	}
	return nil
}

// judgeSingleton says whether it is j's turn: no other job of its user and
// name runs, and none submitted earlier waits; tasks of one array have their turn
// together. Unlike other dependencies it can be taken back as long as j has not
// started.
func (s *State) judgeSingleton(j *sched.Job) sched.DependState {
	key := nameKey{j.UID, j.Name}
	n := s.names[key]
	if n == nil {
		return sched.DependFulfilled
	}
	turn, first := turnOf(j), s.firstOf(key, n)
	if n.running > n.tasks[turn] || first != nil && turnOf(first) < turn {
		return sched.DependWaiting
	}
	return sched.DependFulfilled
}

// turnNow is whose turn it is among the jobs of a name, when those wait for it by
// singleton; 0: nobody's.
func (s *State) turnNow(key nameKey, n *sameName) slurm.JobID {
	if first := s.firstOf(key, n); isSingle(first) && n.running == n.tasks[turnOf(first)] {
		return turnOf(first)
	}
	return 0
}

// settleName looks again at the jobs of a name for which the turn may have
// changed: the first of those that wait, and the one whose turn it was.
func (s *State) settleName(key nameKey) {
	n := s.names[key]
	if n == nil {
		return
	}
	was := n.free
	if n.free = s.turnNow(key, n); was == n.free {
		return
	}
	s.settleTurn(was)
	s.settleTurn(n.free)
}

func (s *State) settleTurn(turn slurm.JobID) {
	a := s.arrays[turn]
	if a == nil {
		s.settle(turn)
		return
	}
	var ids []slurm.JobID
	for j := range a.records.all() {
		if isSingle(j) {
			ids = append(ids, j.ID)
		}
	}
	for _, id := range ids {
		s.settle(id)
	}
}
