package sched

import (
	"testing"
	"time"

	"github.com/runink/rink/slurm"
)

// TestAWaitForSwitchesGoesOn: a job's wait for few switches goes on while its
// priority changes time and again, while it is held for a while, and when nodes
// change so that everything is loaded anew; alone or as a component.
func TestAWaitForSwitchesGoesOn(t *testing.T) {
	for _, het := range []bool{false, true} {
		r := treeCluster(t)
		wide, _, err := refJob(t, r.cfg, r.nodes, slurm.Salloc, "-N 6 --switches=2@00:04:00 --exclusive")
		if err != nil {
			t.Fatal(err)
		}
		// n3 and n7 are taken, so that six nodes are behind three switches at least.
		taken := func(id slurm.JobID, node NodeName) *Job {
			j := *wide
			j.ID, j.State, j.Partition, j.Start, j.End = id, slurm.JobRunning, "debug", refNow, refNow.Add(time.Hour)
			j.Alloc = []NodeAlloc{{Node: node, CPUs: 16, Tasks: 1}}
			return &j
		}
		running := []*Job{taken(1, "n3"), taken(2, "n7")}
		wide.ID, wide.Priority = 10, 1000
		pending := []*Job{wide}
		if het {
			wide.HetID = 10
			other := *wide
			small, _, err := refJob(t, r.cfg, r.nodes, slurm.Salloc, "-N 1")
			if err != nil {
				t.Fatal(err)
			}
			other = *small
			other.ID, other.HetID, other.HetOffset, other.Priority = 11, 10, 1, 1000
			pending = append(pending, &other)
		}
		s := NewScheduler(View{Config: r.cfg, Nodes: r.nodes, Pending: pending, Running: running})
		started := time.Duration(-1)
		for minute := range 10 {
			now := refNow.Add(time.Duration(minute) * time.Minute)
			if plan := s.Plan(now, true); len(plan.Starts) > 0 {
				started = time.Duration(minute) * time.Minute
				break
			}
			change := func(f func(*Job)) {
				for i, j := range pending {
					next := *j
					f(&next)
					s.Job(j, &next)
					pending[i] = &next
				}
			}
			change(func(j *Job) { j.Priority += 10 })
			switch minute {
			case 1:
				change(func(j *Job) { j.HeldBy = HeldByAdmin })
				change(func(j *Job) { j.HeldBy = HeldByNobody })
			case 2:
				s.Load(View{Config: r.cfg, Nodes: r.nodes, Pending: pending, Running: running})
			}
		}
		if started != 4*time.Minute {
			t.Errorf("heterogeneous %v: it starts after %v, and waits for few switches for 4m", het, started)
		}
		for _, j := range pending {
			s.Job(j, nil)
		}
		if len(s.waits) != 0 {
			t.Errorf("heterogeneous %v: what is remembered of jobs that are gone: %v", het, s.waits)
		}
	}
}

// TestAPromiseTakenBackIsForgotten: a job that a promise behind many switches was taken
// back from does not find it again when its record changes.
func TestAPromiseTakenBackIsForgotten(t *testing.T) {
	s := &Scheduler{}
	it := &item{job: &Job{ID: 1}, wideWait: wideWait{anyFrom: 5}}
	s.keepWait(it)
	if s.waits[1] != it.wideWait {
		t.Fatalf("remembered %v", s.waits)
	}
	it.wideWait = wideWait{}
	s.keepWait(it)
	if len(s.waits) != 0 {
		t.Errorf("still remembered: %v", s.waits)
	}
}
