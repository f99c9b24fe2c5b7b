package sched

import (
	"testing"
	"time"

	"github.com/runink/rink/slurm"
)

// A herd's quota holds without AccountingStorageEnforce and without accounts, beside
// whatever other partitions have.
func TestQuotaOfAHerd(t *testing.T) {
	cfg := &Config{Conf: &slurm.Conf{}, Partitions: []*Partition{
		{Name: "blue", Quota: "cpu=8,gres/gpu=2,jobs=3,submit=5"}, {Name: "red"}, {Name: "green", Quota: "jobs=0"},
	}}
	at := time.Unix(1_700_000_000, 0)
	l := NewLedger(cfg, nil, at)
	if !l.Enforced() || NewLedger(&Config{Conf: &slurm.Conf{}, Partitions: []*Partition{{Name: "red"}}}, nil, at).Enforced() {
		t.Fatal("a quota is looked at, and nothing without one")
	}
	job := func(id int, part PartitionName, cpus, gpus int) *Job {
		j := &Job{ID: slurm.JobID(id), UID: 7, Partition: part, State: slurm.JobPending, TimeLimit: 600, Need: Need{CPUs: cpus, MinNodes: 1}}
		if gpus > 0 {
			j.Need.GresPerNode = slurm.Gres{{Name: "gpu", Count: int64(gpus)}}
		}
		return j
	}
	run := func(j *Job) {
		c := *j
		c.State, c.Start, c.End = slurm.JobRunning, at, at.Add(10*time.Minute)
		c.Alloc = []NodeAlloc{{Node: "n1", CPUs: j.Need.CPUs}}
		for _, g := range j.Need.GresPerNode {
			c.Alloc[0].Gres = append(c.Alloc[0].Gres, GresAlloc{Name: g.Name, Count: g.Count})
		}
		l.Set(&c, at)
	}
	bars := func(j *Job, want slurm.Reason) {
		t.Helper()
		w := l.Bars(j, j.Partition, nil, j.TimeLimit, at)
		if w.IsZero() != (want == 0) || w.Reason != want {
			t.Errorf("job %d of %d CPUs in %s: %v, want %v", j.ID, j.Need.CPUs, j.Partition, w, want)
		}
	}
	bars(job(1, "blue", 8, 0), 0)
	bars(job(1, "blue", 9, 0), slurm.ReasonQOSGrpCpuLimit)
	bars(job(1, "green", 1, 0), slurm.ReasonQOSGrpJobsLimit)
	run(job(1, "blue", 6, 1))
	bars(job(2, "blue", 2, 1), 0)
	bars(job(2, "blue", 3, 0), slurm.ReasonQOSGrpCpuLimit)
	bars(job(2, "blue", 1, 2), slurm.ReasonQOSGrpGRES)
	bars(job(2, "red", 100, 9), 0)
	run(job(2, "blue", 1, 0))

	// What is tried counts, and a clone by itself.
	c := l.Clone()
	c.Adopt()
	try := job(3, "blue", 1, 0)
	c.Try(try, "blue", []NodeAlloc{{Node: "n1", CPUs: 1}}, 600, at)
	if w := c.Bars(job(4, "blue", 1, 0), "blue", nil, 600, at); w.Reason != slurm.ReasonQOSGrpJobsLimit {
		t.Errorf("behind a start that is tried: %v", w)
	}
	bars(job(4, "blue", 1, 0), 0)
	c.Undo(0)
	if w := c.Bars(job(4, "blue", 1, 0), "blue", nil, 600, at); !w.IsZero() {
		t.Errorf("after it was taken back: %v", w)
	}

	if err := l.Admit([]*Job{job(5, "blue", 1, 0), job(6, "blue", 1, 0), job(7, "blue", 1, 0)}, at); err != nil {
		t.Errorf("up to the quota: %v", err)
	}
	if err := l.Admit([]*Job{job(5, "blue", 1, 0), job(6, "blue", 1, 0), job(7, "blue", 1, 0), job(8, "blue", 1, 0)}, at); err == nil {
		t.Error("beyond the quota of submitted jobs")
	}

	// A quota that changes counts at once; the book comes out even.
	next := *cfg
	next.Partitions = []*Partition{{Name: "blue", Quota: "cpu=7"}, {Name: "red"}}
	running := []*Job{}
	for id, cpus := range map[int]int{1: 6, 2: 1} {
		j := job(id, "blue", cpus, 0)
		j.State, j.Start, j.End, j.Alloc = slurm.JobRunning, at, at.Add(10*time.Minute), []NodeAlloc{{Node: "n1", CPUs: cpus}}
		running = append(running, j)
	}
	l.Rebuild(&next, nil, at, func(yield func(*Job) bool) {
		for _, j := range running {
			if !yield(j) {
				return
			}
		}
	})
	bars(job(9, "blue", 1, 0), slurm.ReasonQOSGrpCpuLimit)
	l.Forget(1, at)
	bars(job(9, "blue", 6, 0), 0)
	l.Forget(2, at)
	if h := l.Herds(); len(h) != 1 || h[0].Jobs != 0 || h[0].Submitted != 0 || h[0].TRES.Raw() != "cpu=0" {
		t.Errorf("at the end there is %v", h)
	}
}
