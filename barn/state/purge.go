package state

import (
	"container/heap"
	"slices"
	"time"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// runKept is how long a run is remembered after its submission when all its
// jobs are gone, so that parts of it can be run again.
const runKept = 30 * 24 * time.Hour

// endOf is a job with the time it ended.
type endOf struct {
	at time.Time
	id slurm.JobID
}

// endQueue is the ended jobs, the first to end first. Jobs that were requeued
// since, or have ended again, may be in it more than once; Purge looks twice.
type endQueue []endOf

func (q endQueue) Len() int { return len(q) }
func (q endQueue) Less(i, j int) bool {
	if !q[i].at.Equal(q[j].at) {
		return q[i].at.Before(q[j].at)
	}
	return q[i].id < q[j].id
}
func (q endQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *endQueue) Push(x any)   { *q = append(*q, x.(endOf)) }
func (q *endQueue) Pop() any {
	last := len(*q) - 1
	x := (*q)[last]
	*q = (*q)[:last]
	return x
}

// EndedBefore reports whether a Purge of that time may find something to
// forget.
func (s *State) EndedBefore(t time.Time) bool {
	return len(s.ended) > 0 && s.ended[0].at.Before(t)
}

// mayPurge reports whether nothing but its age keeps j in memory. An array's
// own record stays as long as any other of its tasks has one: its id names the
// array.
func (s *State) mayPurge(j *sched.Job) bool {
	return isOver(j) && (j.ID != j.ArrayID || s.arrays[j.ArrayID].records.n == 1)
}

// indexEnded queues j, or the record of its array, for the day it is purged.
func (s *State) indexEnded(old, j *sched.Job) {
	switch {
	case j == nil:
		if head := s.jobs[old.ArrayID]; head != nil && s.mayPurge(head) {
			heap.Push(&s.ended, endOf{head.End, head.ID})
		}
	case s.mayPurge(j) && !(isOver(old) && old.End.Equal(j.End)):
		heap.Push(&s.ended, endOf{j.End, j.ID})
	}
}

// purge forgets ended jobs, old keys, expired tokens and runs long gone.
func (s *State) purge(c Purge) Result {
	for s.EndedBefore(c.Before) { // once more when array's own records follow
		var gone []*sched.Job
		for s.EndedBefore(c.Before) {
			e := heap.Pop(&s.ended).(endOf)
			if j := s.jobs[e.id]; j != nil && s.mayPurge(j) && j.End.Equal(e.at) {
				gone = append(gone, j)
			}
		}
		slices.SortFunc(gone, byID)
		for _, j := range slices.Compact(gone) {
			s.forget(j)
			s.events = append(s.events, JobPurged{Job: j.ID})
		}
	}

	s.purgeTransactions()
	for key, k := range s.keys {
		if k.At.Before(c.Before) {
			delete(s.keys, key)
		}
	}
	for key, k := range s.stepKeys {
		if k.At.Before(c.Before) {
			delete(s.stepKeys, key)
		}
	}
	for hash, t := range s.tokens {
		if t.Expires.Before(s.at) {
			delete(s.tokens, hash)
		}
	}
	for id, r := range s.runs {
		if r.Submit.Add(runKept).Before(s.at) && !slices.ContainsFunc(r.Jobs, func(id slurm.JobID) bool { return s.jobs[id] != nil }) {
			delete(s.runs, id)
		}
	}
	return Result{}
}

func byID(a, b *sched.Job) int { return int(int64(a.ID) - int64(b.ID)) }
