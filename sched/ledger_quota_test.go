package sched

import (
	"errors"
	"fmt"
	"slices"
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
	if h := l.Herds(at); len(h) != 1 || h[0].Jobs != 0 || h[0].Submitted != 0 || h[0].TRES.Raw() != "cpu=0" {
		t.Errorf("at the end there is %v", h)
	}
}

// What a herd does not use others may, as far as it lends; hours count by the month.
func TestQuotaLentAndHours(t *testing.T) {
	month := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	next := month.AddDate(0, 1, 0)
	cfg := &Config{Conf: &slurm.Conf{}, Partitions: []*Partition{
		{Name: "blue", Quota: "cpu=8,lend=reclaim"}, {Name: "red", Quota: "cpu=4,borrow=yes"}, {Name: "green", Quota: "cpu=4,borrow=yes,waiting=2"},
		{Name: "grey", Quota: "cpu-hours=10"},
	}}
	l := NewLedger(cfg, nil, month)
	l.SetMonth(month, next, month)
	at := month.Add(time.Hour)
	run := func(id int, part PartitionName, cpus int, start time.Time) *Job {
		j := &Job{ID: slurm.JobID(id), Partition: part, State: slurm.JobRunning, TimeLimit: 600, Need: Need{CPUs: cpus, MinNodes: 1},
			Start: start, End: start.Add(10 * time.Minute), Alloc: []NodeAlloc{{Node: "n1", CPUs: cpus}}}
		l.Set(j, start)
		return j
	}
	bars := func(part PartitionName, cpus int, now time.Time, want string) {
		t.Helper()
		j := &Job{ID: 99, Partition: part, State: slurm.JobPending, TimeLimit: 600, Need: Need{CPUs: cpus, MinNodes: 1}}
		got := ""
		if w := l.Bars(j, part, nil, j.TimeLimit, now); !w.IsZero() {
			got = fmt.Sprintf("%s: %d %s of %s %d", w.Reason, w.Detail[0].Asked, w.Detail[0].What, w.Detail[0].Where, w.Detail[0].There)
		}
		if got != want {
			t.Errorf("%d CPUs in %s: %q, want %q", cpus, part, got, want)
		}
	}
	first := run(1, "blue", 2, at)
	bars("red", 10, at, "")
	bars("red", 11, at, "QOSGrpCpuLimit: 11 cpu of the quota of partition red with what others lend 10")
	a, b := run(2, "red", 4, at), run(3, "red", 3, at.Add(time.Minute))
	bars("green", 7, at, "")
	bars("green", 8, at, "QOSGrpCpuLimit: 8 cpu of the quota of partition green with what others lend 7")
	bars("blue", 6, at, "") // whoever lends is not in the way of himself
	if got := l.borrowed(slices.Values([]*Job{first, a, b})); len(got) != 1 || !got[3] {
		t.Errorf("beyond the quota are %v, want the younger one", got)
	}
	for part, want := range map[PartitionName]bool{"blue": true, "red": false, "grey": false} {
		if j := (&Job{Partition: part, Need: Need{CPUs: 6, MinNodes: 1}}); l.takesBack(j, part) != want {
			t.Errorf("%s takes back: %v", part, !want)
		}
	}
	if j := (&Job{Partition: "blue", Need: Need{CPUs: 7, MinNodes: 1}}); l.takesBack(j, "blue") {
		t.Error("a herd takes back more than its own")
	}
	if got := l.Herds(at)[1]; got.Over.Raw() != "cpu=3" || got.Jobs != 2 {
		t.Errorf("red has %v", got)
	}
	waiting := func(id int) *Job {
		return &Job{ID: slurm.JobID(id), Partition: "green", State: slurm.JobPending, Need: Need{CPUs: 1}}
	}
	l.Set(waiting(20), at)
	if err := l.Admit([]*Job{waiting(21)}, at); err != nil {
		t.Errorf("a second one waits: %v", err)
	}
	err := l.Admit([]*Job{waiting(21), waiting(22)}, at)
	var r *Refused
	if !errors.As(err, &r) || len(r.Lines) != 1 || r.Lines[0] != "QOSGrpSubmitJobsLimit: 3 waiting jobs, and the quota of partition green is 2" {
		t.Errorf("a third one: %v, %v", err, r)
	}

	// 8 CPUs for an hour, and then for a quarter of one.
	bars("grey", 100, at, "")
	run(10, "grey", 8, at)
	l.Forget(10, at.Add(time.Hour))
	bars("grey", 1, at.Add(time.Hour), "")
	run(11, "grey", 8, at.Add(time.Hour))
	over := "QOSGrpCPUMinutesLimit: 10 cpu hours this month of the quota of partition grey 10"
	bars("grey", 1, at.Add(75*time.Minute), over)
	// What is only tried has used nothing.
	c := l.Clone()
	c.Try(&Job{ID: 12, Partition: "grey"}, "grey", []NodeAlloc{{Node: "n1", CPUs: 8}}, 600, at.Add(65*time.Minute))
	if w := c.Bars(&Job{ID: 13, Partition: "grey", Need: Need{CPUs: 1}}, "grey", nil, 600, at.Add(65*time.Minute)); !w.IsZero() {
		t.Errorf("beside a start that is tried: %v", w)
	}
	// A snapshot keeps it, with the job that runs.
	running := l.jobs[11]
	again := RestoreLedger(cfg, nil, l.Spent(), func(yield func(*Job) bool) {
		yield(&Job{ID: 11, Partition: "grey", State: slurm.JobRunning, TimeLimit: 600, Start: at.Add(time.Hour), End: at.Add(70 * time.Minute), Alloc: []NodeAlloc{{Node: "n1", CPUs: 8}}})
	})
	if !again.jobs[11].same(running) || again.hoursUsed(3, kindCPU, at.Add(2*time.Hour)) != l.hoursUsed(3, kindCPU, at.Add(2*time.Hour)) {
		t.Errorf("after a restart: %v, %v", again.hoursUsed(3, kindCPU, at.Add(2*time.Hour)), l.hoursUsed(3, kindCPU, at.Add(2*time.Hour)))
	}
	// A new month begins by itself, also for the job that runs on into it.
	bars("grey", 1, next.Add(time.Minute), "")
	bars("grey", 1, next.Add(75*time.Minute), over)
	l.Forget(11, next.Add(30*time.Minute))
	if got := l.hoursUsed(3, kindCPU, next.Add(40*time.Minute)); got != 8*1800 {
		t.Errorf("of the job's last half hour %v s count", got)
	}
	if began, then := l.Month(); !began.Equal(next) || !then.IsZero() {
		t.Errorf("it is the month of %v until %v", began, then)
	}
}
