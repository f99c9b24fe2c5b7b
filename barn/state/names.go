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
	// queue holds the ids of the pending ones, lowest first, and some that no
	// longer are: they are thrown out when they come up, or when they outnumber
	// the others.
	queue idHeap
	free  slurm.JobID // the job whose singleton was found fulfilled last; 0: none
}

type idHeap []slurm.JobID

func (h idHeap) Len() int           { return len(h) }
func (h idHeap) Less(i, j int) bool { return h[i] < h[j] }
func (h idHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *idHeap) Push(x any)        { *h = append(*h, x.(slurm.JobID)) }
func (h *idHeap) Pop() any {
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
			n.running--
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
			n.running++
		} else {
			n.pending++
			heap.Push(&n.queue, j.ID)
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
	for _, id := range old {
		if s.queued(key, id) && !seen[id] {
			seen[id] = true
			n.queue = append(n.queue, id)
		}
	}
	heap.Init(&n.queue)
}

func (s *State) queued(key nameKey, id slurm.JobID) bool {
	j := s.jobs[id]
	return j != nil && j.UID == key.uid && j.Name == key.name && placeOf(j) == amongPending
}

// firstOf returns the pending job of the lowest id with that name; 0: none.
func (s *State) firstOf(key nameKey, n *sameName) slurm.JobID {
	for len(n.queue) > 0 {
		if id := n.queue[0]; s.queued(key, id) {
			return id
		}
		heap.Pop(&n.queue)
	}
	return 0
}

// judgeSingleton says whether it is j's turn: no other job of its user and
// name runs, and none submitted earlier waits. Unlike other dependencies it
// can be taken back as long as j has not started.
func (s *State) judgeSingleton(j *sched.Job) sched.DependState {
	key := nameKey{j.UID, j.Name}
	n := s.names[key]
	if n == nil {
		return sched.DependFulfilled
	}
	first := s.firstOf(key, n)
	if n.running > 0 || first != 0 && first < j.ID {
		return sched.DependWaiting
	}
	return sched.DependFulfilled
}

// settleName looks again at the jobs of a name for which the turn may have
// changed: the first of those that wait, and the one whose turn it was.
func (s *State) settleName(key nameKey) {
	n := s.names[key]
	if n == nil {
		return
	}
	if was := n.free; was != 0 {
		s.settle(was)
	}
	first := s.firstOf(key, n)
	n.free = 0
	if j := s.jobs[first]; isSingle(j) {
		s.settle(first)
		if j = s.jobs[first]; isSingle(j) && n.running == 0 {
			n.free = first
		}
	}
}
