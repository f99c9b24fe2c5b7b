package sched

import (
	"container/heap"
	"fmt"
	"time"

	"github.com/runink/rink/slurm"
)

// SimJob is a job of a workload to be replayed. Times are in seconds.
type SimJob struct {
	Submit int64
	Run    int64 // how long it really runs; it is ended at its limit
	Limit  int64 // how long it may run
	Procs  int   // CPUs, on any nodes
	User   string
	UID    uint32
	Name   string
}

// SimRun is when a replayed job ran, in seconds; Start and End are -1 of one that
// never started.
type SimRun struct{ Start, End int64 }

// simEnd is a job that ends.
type simEnd struct {
	at int64
	i  int
}

type simEnds []simEnd

func (h simEnds) Len() int { return len(h) }
func (h simEnds) Less(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].i < h[j].i
}
func (h simEnds) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *simEnds) Push(x any)   { *h = append(*h, x.(simEnd)) }
func (h *simEnds) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	*h = (*h)[:last]
	return x
}

// Simulate replays jobs, which are in order of their submission, in virtual time
// on empty nodes, with the same Scheduler that a controller has. At each second at
// which anything happens first all ends count, then all submissions, then there
// is one plan, and what it starts runs at once. full has every plan look at every
// job. Jobs that never start are left at -1.
func Simulate(config *Config, nodes []*Node, jobs []SimJob, full bool) ([]SimRun, error) {
	p := config.Partition(config.Default)
	if p == nil {
		return nil, fmt.Errorf("cannot simulate: no partition is the default: %w", slurm.ErrnoInvalidPartition)
	}
	s := NewScheduler(View{Config: config, Nodes: nodes, LicensesAll: config.Licenses})
	runs := make([]SimRun, len(jobs))
	records := make([]*Job, len(jobs))
	for i := range runs {
		runs[i] = SimRun{-1, -1}
	}
	spec := &slurm.JobOptions{}
	partitions := []PartitionName{p.Name}
	all := TotalsOf(nodes)
	var ends simEnds
	next := 0
	var due time.Time
	for next < len(jobs) || len(ends) > 0 || !due.IsZero() {
		now := int64(1<<63 - 1)
		if next < len(jobs) {
			now = jobs[next].Submit
		}
		if len(ends) > 0 {
			now = min(now, ends[0].at)
		}
		if !due.IsZero() {
			// A plan is made at whole seconds.
			at := due.Unix()
			if due.Nanosecond() > 0 {
				at++
			}
			if next == len(jobs) && len(ends) == 0 && at > now {
				break
			}
			now = min(now, at)
		}
		at := time.Unix(now, 0).UTC()
		for len(ends) > 0 && ends[0].at == now {
			e := heap.Pop(&ends).(simEnd)
			ended := *records[e.i]
			ended.State, ended.End = slurm.JobCompleted, at
			s.Job(records[e.i], &ended)
			records[e.i] = nil
		}
		for ; next < len(jobs) && jobs[next].Submit == now; next++ {
			w := &jobs[next]
			j := &Job{ID: slurm.JobID(next + 1), Spec: spec, UID: w.UID, User: w.User, Name: w.Name, Partitions: partitions, Partition: p.Name,
				TimeLimit: slurm.Duration(w.Limit), State: slurm.JobPending, Submit: at, Eligible: at, LastSched: at,
				Need: Need{MinNodes: 1, MaxNodes: AnyNodes, Tasks: w.Procs, CPUs: w.Procs, CPUsPerTask: 1, MinCPUsNode: 1}}
			j.Priority = Priority(j, config, all, Standing{}, at)
			records[next] = j
			s.Job(nil, j)
		}
		plan := s.Plan(at, full)
		for i := range plan.Starts {
			start := &plan.Starts[i]
			k := int(start.Job) - 1
			j := *records[k]
			j.State, j.Alloc, j.Start, j.Partition = slurm.JobRunning, start.Alloc, at, start.Partition
			j.End = at.Add(time.Duration(j.TimeLimit) * time.Second)
			s.Job(records[k], &j)
			records[k] = &j
			runs[k] = SimRun{now, now + min(jobs[k].Run, jobs[k].Limit)}
			heap.Push(&ends, simEnd{runs[k].End, k})
		}
		due = plan.Next
	}
	return runs, nil
}
