package accounting

import (
	"testing"
	"time"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

func TestTimesOfAJob(t *testing.T) {
	h := func(hhmmss string, frac time.Duration) time.Time {
		if hhmmss == "" {
			return time.Time{}
		}
		c, err := time.Parse("15:04:05", hhmmss)
		if err != nil {
			t.Fatal(err)
		}
		return testDay.Truncate(24 * time.Hour).Add(time.Duration(c.Hour())*time.Hour + time.Duration(c.Minute())*time.Minute + time.Duration(c.Second())*time.Second + frac)
	}
	now := h("12:00:00", 0)
	two := []sched.NodeAlloc{{Node: "n1", CPUs: 4, Mem: 100}, {Node: "n2", CPUs: 2, Mem: 50}}
	for _, tt := range []struct {
		name                        string
		job                         sched.Job
		elapsed, planned, suspended time.Duration
		cpuTime                     time.Duration
	}{
		{"Pending", sched.Job{State: slurm.JobPending, Eligible: h("11:00:00", 0)}, 0, time.Hour, 0, 0},
		{"Held", sched.Job{State: slurm.JobPending}, 0, 0, 0, 0},
		{"BeginsLater", sched.Job{State: slurm.JobPending, Eligible: h("13:00:00", 0)}, 0, 0, 0, 0},
		{"Running", sched.Job{State: slurm.JobRunning, Eligible: h("11:00:00", 0), Start: h("11:30:00", 0), End: h("18:00:00", 0), Alloc: two},
			30 * time.Minute, 30 * time.Minute, 0, 3 * time.Hour},
		{"Ended", sched.Job{State: slurm.JobCompleted, Eligible: h("09:00:00", 0), Start: h("09:00:01", 0), End: h("09:00:11", 0), Alloc: two},
			10 * time.Second, time.Second, 0, time.Minute},
		{"FractionsFollowTheClock", sched.Job{State: slurm.JobCompleted, Eligible: h("09:00:00", 0), Start: h("09:00:01", 900*time.Millisecond), End: h("09:00:02", 100*time.Millisecond)},
			time.Second, time.Second, 0, 0},
		{"Completing", sched.Job{State: slurm.JobFailed | slurm.JobCompleting, Start: h("09:00:00", 0), End: h("09:10:00", 0)}, 10 * time.Minute, 0, 0, 0},
		{"CancelledUnstarted", sched.Job{State: slurm.JobCancelled, Eligible: h("09:00:00", 0), End: h("09:10:00", 0)}, 0, 10 * time.Minute, 0, 0},
		{"WasSuspended", sched.Job{State: slurm.JobCompleted, Start: h("09:00:00", 0), End: h("10:00:00", 0), Suspended: h("09:30:00", 0), SuspendedFor: 20 * time.Minute},
			40 * time.Minute, 0, 20 * time.Minute, 0},
		{"IsSuspended", sched.Job{State: slurm.JobSuspended, Start: h("11:00:00", 0), Suspended: h("11:50:00", 0), SuspendedFor: 20 * time.Minute},
			30 * time.Minute, 0, 30 * time.Minute, 0},
		{"ClockWentBack", sched.Job{State: slurm.JobCompleted, Start: h("09:00:00", 0), End: h("08:59:00", 0)}, 0, 0, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			j := &tt.job
			if got := Elapsed(j, now); got != tt.elapsed {
				t.Errorf("elapsed %v, want %v", got, tt.elapsed)
			}
			if got := Planned(j, now); got != tt.planned {
				t.Errorf("planned %v, want %v", got, tt.planned)
			}
			if got := SuspendedFor(j, now); got != tt.suspended {
				t.Errorf("suspended %v, want %v", got, tt.suspended)
			}
			if got := CPUTime(j, now); got != tt.cpuTime {
				t.Errorf("CPU time %v, want %v", got, tt.cpuTime)
			}
		})
	}
}

func TestBatchStepFollowsTheJobsEnd(t *testing.T) {
	ok, three, killed := sched.ExitCode{}, sched.ExitCode{Code: 3}, sched.ExitCode{Signal: 9}
	for _, tt := range []struct {
		name  string
		job   sched.Job
		state slurm.JobState
		exit  sched.ExitCode
	}{
		{"Running", sched.Job{State: slurm.JobRunning}, slurm.JobRunning, ok},
		{"Completed", sched.Job{State: slurm.JobCompleted, BatchDone: true}, slurm.JobCompleted, ok},
		{"Failed", sched.Job{State: slurm.JobFailed, ExitCode: three, BatchDone: true, BatchExit: three}, slurm.JobFailed, three},
		{"FailedBeforeItsReport", sched.Job{State: slurm.JobFailed, ExitCode: three}, slurm.JobFailed, three},
		{"FailedByASignal", sched.Job{State: slurm.JobFailed, ExitCode: killed, BatchDone: true, BatchExit: killed}, slurm.JobFailed, killed},
		{"Cancelled", sched.Job{State: slurm.JobCancelled, BatchDone: true, BatchExit: sched.ExitCode{Signal: 15}}, slurm.JobCancelled, sched.ExitCode{Signal: 15}},
		{"CancelledBeforeItsReport", sched.Job{State: slurm.JobCancelled | slurm.JobCompleting}, slurm.JobCancelled, sched.ExitCode{Signal: 15}},
		{"CancelledButDone", sched.Job{State: slurm.JobCancelled, BatchDone: true}, slurm.JobCompleted, ok},
		{"Timeout", sched.Job{State: slurm.JobTimeout, BatchDone: true, BatchExit: sched.ExitCode{Signal: 15}}, slurm.JobCancelled, sched.ExitCode{Signal: 15}},
		{"Preempted", sched.Job{State: slurm.JobPreempted, BatchDone: true, BatchExit: killed}, slurm.JobCancelled, killed},
		{"NodeFailed", sched.Job{State: slurm.JobNodeFail}, slurm.JobCancelled, sched.ExitCode{Signal: 15}},
		{"OutOfMemory", sched.Job{State: slurm.JobOutOfMemory, ExitCode: sched.ExitCode{Signal: 125}, BatchDone: true, BatchExit: sched.ExitCode{Signal: 125}}, slurm.JobOutOfMemory, sched.ExitCode{Signal: 125}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := BatchState(&tt.job); got != tt.state {
				t.Errorf("state %v, want %v", got, tt.state)
			}
			if got := BatchExit(&tt.job); got != tt.exit {
				t.Errorf("exit %v, want %v", got, tt.exit)
			}
		})
	}
	if HasBatchStep(&sched.Job{Batch: true}) || HasBatchStep(&sched.Job{Start: testDay}) || !HasBatchStep(&sched.Job{Batch: true, Start: testDay}) {
		t.Error("which jobs have a batch step is wrong")
	}
}

func TestSums(t *testing.T) {
	gpus := func(typ string, n int64) []sched.GresAlloc {
		return []sched.GresAlloc{{Name: "gpu", Type: typ, Count: n}}
	}
	j := &sched.Job{
		State: slurm.JobCompleted, Start: testDay, End: testDay.Add(100 * time.Second), DerivedExit: sched.ExitCode{Code: 1},
		Alloc: []sched.NodeAlloc{{Node: "n1", CPUs: 4, Mem: 1000, Gres: gpus("a100", 2)}, {Node: "n2", CPUs: 1, Mem: 24, Gres: gpus("a100", 1)}, {Node: "n3", Gres: gpus("v100", 1)}},
	}
	if AllocCPUs(j) != 5 || AllocMem(j) != 1024 {
		t.Errorf("%d CPUs, %d MB", AllocCPUs(j), AllocMem(j))
	}
	if g := AllocGres(j); len(g) != 2 || g[0] != (slurm.GresItem{Name: "gpu", Type: "a100", Count: 3}) || g[1].Type != "v100" || g[1].Count != 1 {
		t.Errorf("gres %v", g)
	}
	steps := []*sched.Step{
		{ExitCode: sched.ExitCode{Code: 2}, Start: testDay, End: testDay.Add(10 * time.Second), Nodes: []sched.StepNode{{Node: "n1", CPUs: 2, Mem: 5, Gres: gpus("a100", 1)}, {Node: "n2", CPUs: 1, Mem: 6, Gres: gpus("a100", 1)}},
			Usage: sched.Usage{UserCPU: 100 * time.Second, SystemCPU: 50 * time.Second, MaxRSS: 256 << 20, MaxRSSNode: "n2", MaxRSSTask: 1, TotalRSS: 400 << 20, Tasks: 2, ReadBytes: 3, MaxVMSize: 10}},
		{ExitCode: sched.ExitCode{Code: 2, Signal: 1}, Start: testDay, Usage: sched.Usage{UserCPU: 50 * time.Second, MaxRSS: 1, Tasks: 1, TotalRSS: 112 << 20, WriteBytes: 4, MaxVMSize: 20, PagesMajor: 5}},
	}
	u := TotalUsage(sched.Usage{UserCPU: 40 * time.Second, SystemCPU: 10 * time.Second, MaxRSS: 5, MaxRSSNode: "n1", Tasks: 1}, steps)
	want := sched.Usage{
		UserCPU: 190 * time.Second, SystemCPU: 60 * time.Second, MaxRSS: 256 << 20, MaxRSSNode: "n2", MaxRSSTask: 1, TotalRSS: 512 << 20,
		Tasks: 4, ReadBytes: 3, WriteBytes: 4, MaxVMSize: 20, PagesMajor: 5,
	}
	if u != want {
		t.Errorf("usage %+v, want %+v", u, want)
	}
	if TotalCPU(u) != 250*time.Second || AveCPU(u) != 62500*time.Millisecond || AveRSS(u) != 128<<20 || AveRSS(sched.Usage{}) != 0 {
		t.Errorf("CPU %v, mean %v, memory %d", TotalCPU(u), AveCPU(u), AveRSS(u))
	}
	if e := CPUEfficiency(j, u, testDay); e != 0.5 {
		t.Errorf("CPU efficiency %v, want 0.5", e)
	}
	if e := MemEfficiency(j, u); e != 0.5 {
		t.Errorf("memory efficiency %v, want 0.5", e)
	}
	if CPUEfficiency(&sched.Job{}, u, testDay) != 0 || MemEfficiency(&sched.Job{}, u) != 0 {
		t.Error("a job that held nothing has an efficiency")
	}
	if e := DerivedExit(j, steps); e != (sched.ExitCode{Code: 2, Signal: 1}) {
		t.Errorf("derived exit %v", e)
	}
	if StepCPUs(steps[0]) != 3 || StepMem(steps[0]) != 11 || StepGres(steps[0])[0].Count != 2 || len(StepNodes(steps[0])) != 2 {
		t.Error("sums over a step's nodes are wrong")
	}
	if StepElapsed(steps[0], testDay) != 10*time.Second || StepElapsed(steps[1], testDay.Add(time.Minute)) != time.Minute || StepCPUTime(steps[0], testDay) != 30*time.Second {
		t.Error("times of steps are wrong")
	}
}

func TestStateText(t *testing.T) {
	for _, tt := range []struct {
		job  sched.Job
		want string
	}{
		{sched.Job{State: slurm.JobCancelled | slurm.JobCompleting, KilledBy: 3001}, "CANCELLED by 3001"},
		{sched.Job{State: slurm.JobCompleted | slurm.JobCompleting}, "COMPLETED"},
		{sched.Job{State: slurm.JobRunning | slurm.JobConfiguring}, "RUNNING"},
		{sched.Job{State: slurm.JobOutOfMemory}, "OUT_OF_MEMORY"},
	} {
		if got := StateText(&tt.job); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}
