package sched

import (
	"cmp"

	"github.com/runink/rink/slurm"
)

// tentative is what a pass has booked for a job that it starts.
type tentative struct {
	pos int
	job slurm.JobID
}

// due is a job with a moment at which something is due.
type due struct {
	at  instant
	job slurm.JobID
}

// before orders them by time.
func (d due) before(o due) bool {
	return cmp.Or(cmp.Compare(d.at, o.at), cmp.Compare(d.job, o.job)) < 0
}

// dueHeap is a heap of them, the first first.
type dueHeap []due

func (h *dueHeap) push(d due) {
	l := append(*h, d)
	for i := len(l) - 1; i > 0; {
		up := (i - 1) / 2
		if !l[i].before(l[up]) {
			break
		}
		l[i], l[up] = l[up], l[i]
		i = up
	}
	*h = l
}

func (h *dueHeap) pop() due {
	l := *h
	first, last := l[0], len(l)-1
	l[0] = l[last]
	l = l[:last]
	for i := 0; ; {
		m := i
		for k := 2*i + 1; k <= 2*i+2 && k < last; k++ {
			if l[k].before(l[m]) {
				m = k
			}
		}
		if m == i {
			break
		}
		l[i], l[m] = l[m], l[i]
		i = m
	}
	*h = l
	return first
}

// keptCrowd is for how many jobs that came at once memory is kept.
const keptCrowd = 4096
