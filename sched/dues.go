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

type dueHeap []due

func (h dueHeap) Len() int { return len(h) }
func (h dueHeap) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(h[i].at, h[j].at), cmp.Compare(h[i].job, h[j].job)) < 0
}
func (h dueHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *dueHeap) Push(x any)   { *h = append(*h, x.(due)) }
func (h *dueHeap) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	*h = (*h)[:last]
	return x
}
