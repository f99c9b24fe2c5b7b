package sched

import (
	"slices"
	"strings"
	"testing"

	"github.com/runink/rink/slurm"
)

// agingPool is four processors under priority/multifactor, where a job of the
// whole machine comes before a small one until that has waited for some minutes.
func agingPool(t *testing.T) (*Config, []*Node) {
	cfg, nodes, err := configOf(t, `
ClusterName=ref
SlurmctldHost=vm
SelectTypeParameters=CR_CPU
SchedulerPolicy=easy
PriorityType=priority/multifactor
PriorityWeightAge=1000
PriorityWeightJobSize=1000
PriorityMaxAge=00:20:00
PriorityCalcPeriod=00:05:00
NodeName=n1 CPUs=4
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE
`, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		n.State = slurm.NodeIdle
	}
	return cfg, nodes
}

func TestReplayedJobsGrowOld(t *testing.T) {
	for _, tt := range []struct {
		name string
		busy int64 // how long the machine is taken
		want []int64
	}{
		// Sizes make 625 and 1000; a wait of ten minutes counts 500.
		{"SizeCountsMore", 290, []int64{0, 340, 290}},
		{"AgeCountsMore", 700, []int64{0, 700, 800}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg, nodes := agingPool(t)
			jobs := []SimJob{{Run: tt.busy, Limit: tt.busy, Procs: 4}, {Submit: 1, Run: 100, Limit: 100, Procs: 1}, {Submit: tt.busy - 10, Run: 50, Limit: 50, Procs: 4}}
			for _, resolve := range []bool{false, true} {
				r, err := Simulation{Config: cfg, Nodes: nodes, Resolve: resolve}.Run(jobs)
				if err != nil || len(r.Refused) > 0 {
					t.Fatal(err, r.Refused)
				}
				var starts []int64
				for _, run := range r.Runs {
					starts = append(starts, run.Start)
				}
				if !slices.Equal(starts, tt.want) {
					t.Errorf("resolved %v: starts at %v, want %v", resolve, starts, tt.want)
				}
			}
		})
	}
}

// TestReplayGoesByTheConfiguration has partitions, limits, memory and time over
// the limit as the configuration says.
func TestReplayGoesByTheConfiguration(t *testing.T) {
	cfg, nodes, err := configOf(t, `
ClusterName=ref
SlurmctldHost=vm
SelectTypeParameters=CR_CPU_Memory
DefMemPerCPU=100
EnforcePartLimits=ALL
OverTimeLimit=1
NodeName=n[1-2] CPUs=4 RealMemory=1000
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE
PartitionName=short Nodes=n1 MaxTime=10 OverTimeLimit=2
PartitionName=down Nodes=n1 State=DOWN
`, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		n.State = slurm.NodeIdle
	}
	jobs := []SimJob{
		{Run: 500, Limit: 100, Procs: 2, MemPerCPU: 1000},    // one CPU a node for the memory; ended a minute late
		{Run: 500, Limit: 100, Procs: 1, Partition: "short"}, // behind it; ended two minutes late
		{Run: 10, Limit: 601, Procs: 1, Partition: "short"},  // too long
		{Run: 10, Limit: 60, Procs: 1, Partition: "nosuch"},  // nowhere
		{Run: 10, Limit: 60, Procs: 9},                       // more than there is
		{Run: 10, Limit: 60, Procs: 1, Partition: "down"},    // waits for ever
		{Run: 10, Limit: int64(slurm.Unlimited), Procs: 1},   // as soon as there is memory
	}
	r, err := Simulation{Config: cfg, Nodes: nodes, Resolve: true}.Run(jobs)
	if err != nil {
		t.Fatal(err)
	}
	never := SimRun{-1, -1}
	if want := []SimRun{{0, 160}, {160, 380}, never, never, never, never, {160, 170}}; !slices.Equal(r.Runs, want) {
		t.Errorf("runs are %v, want %v", r.Runs, want)
	}
	for i, want := range map[int]slurm.Errno{2: slurm.ErrnoInvalidTimeLimit, 3: slurm.ErrnoInvalidPartition, 4: slurm.ErrnoTooManyRequestedCPUs} {
		if bad := r.Refused[i]; bad == nil || bad.Error() != want.Error() {
			t.Errorf("job %d is refused with %v, want %v", i, bad, want)
		}
	}
	if len(r.Refused) != 3 {
		t.Errorf("%d are refused: %v", len(r.Refused), r.Refused)
	}
	if m := Measure(jobs, r, 8); m.Jobs != 3 || m.Unstarted != 4 || m.Makespan != 380 || m.MaxWait != 160 {
		t.Errorf("measured %+v", m)
	}
}

func TestMeasureNothing(t *testing.T) {
	if m := Measure(nil, SimResult{}, 4); m != (SimMetrics{}) {
		t.Errorf("no jobs measure %+v", m)
	}
	if m := Measure([]SimJob{{Submit: 5, Procs: 1}}, SimResult{Runs: []SimRun{{-1, -1}}}, 4); m != (SimMetrics{Unstarted: 1}) {
		t.Errorf("a job that never started measures %+v", m)
	}
	one := Measure([]SimJob{{Submit: 5, Run: 2, Procs: 2}}, SimResult{Runs: []SimRun{{7, 9}}}, 4)
	if one.MedianWait != 2 || one.P95Wait != 2 || one.MeanBSLD != 1 || one.Util != 0.25 || one.UtilW != 0 {
		t.Errorf("one job measures %+v", one)
	}
}

func TestSimulationRefusesDisorder(t *testing.T) {
	cfg, nodes := onePool(4, "easy")
	if _, err := Simulate(cfg, nodes, []SimJob{{Submit: 2, Run: 1, Limit: 1, Procs: 1}, {Submit: 1, Run: 1, Limit: 1, Procs: 1}}, false); err == nil {
		t.Error("jobs out of order were replayed")
	}
	if _, err := Simulate(cfg, nodes, []SimJob{{Submit: 1 << 40, Run: 1, Limit: 1, Procs: 1}}, false); err == nil || !strings.Contains(err.Error(), "job 1 of the workload") {
		t.Errorf("a job of the distant future was replayed: %v", err)
	}
	if runs, err := Simulate(cfg, nodes, []SimJob{{Submit: 1, Run: 1, Limit: 1 << 60, Procs: 1}}, false); err != nil || runs[0] != (SimRun{1, 2}) {
		t.Errorf("a job with a limit beyond counting ran %v, %v", runs, err)
	}
	cfg.Default = ""
	if _, err := Simulate(cfg, nodes, nil, false); err == nil {
		t.Error("jobs were replayed in no partition")
	}
}

// TestReplayedJobsGiveWay has a job of a higher tier take the place of others in
// each of the ways there are.
func TestReplayedJobsGiveWay(t *testing.T) {
	for _, tt := range []struct {
		name, mode, low string
		runs            []SimRun
		gave            SimGaveWay
		wait            float64 // of the job that gave way
	}{
		{"Cancel", "CANCEL", "", []SimRun{{0, 50}, {51, 61}}, SimGaveWay{Ended: 1}, 0},
		{"CancelAfterGrace", "CANCEL", "GraceTime=20", []SimRun{{0, 70}, {70, 80}}, SimGaveWay{Ended: 1}, 0},
		{"Requeue", "REQUEUE", "", []SimRun{{80, 180}, {51, 61}}, SimGaveWay{Requeued: 1}, 80},
		{"Suspend", "SUSPEND,GANG", "", []SimRun{{0, 111}, {51, 61}}, SimGaveWay{Suspended: 1}, 11},
		{"Exempt", "CANCEL", "PreemptMode=OFF", []SimRun{{0, 100}, {100, 110}}, SimGaveWay{}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg, nodes, err := configOf(t, `
ClusterName=ref
SlurmctldHost=vm
SelectTypeParameters=CR_CPU
SchedulerParameters=requeue_delay=30
PreemptType=preempt/partition_prio
PreemptMode=`+tt.mode+`
NodeName=n1 CPUs=4
PartitionName=low Nodes=ALL Default=YES MaxTime=INFINITE `+tt.low+`
PartitionName=high Nodes=ALL MaxTime=INFINITE PriorityTier=5
`, "")
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range nodes {
				n.State = slurm.NodeIdle
			}
			jobs := []SimJob{{Run: 100, Limit: 100, Procs: 4}, {Submit: 50, Run: 10, Limit: 10, Procs: 2, Partition: "high"}}
			r, err := Simulation{Config: cfg, Nodes: nodes, Resolve: true}.Run(jobs)
			if err != nil || len(r.Refused) > 0 {
				t.Fatal(err, r.Refused)
			}
			if !slices.Equal(r.Runs, tt.runs) || r.GaveWay != tt.gave {
				t.Errorf("runs are %v, gave way %+v; want %v, %+v", r.Runs, r.GaveWay, tt.runs, tt.gave)
			}
			if m := Measure(jobs[:1], r, 4); m.MeanWait != tt.wait {
				t.Errorf("the first job waited %v s, want %v", m.MeanWait, tt.wait)
			}
		})
	}
}

func TestSimJobs(t *testing.T) {
	log, err := slurm.ReadSWF("log", strings.NewReader(`
3 30 -1 10  2 -1 -1 -1 -1 -1 1 -1
1 20 -1 10  2 -1 -1  3 60 1500 1 0
2 20 -1 10  1 -1 -1  1 -1 -1 1 7
4 10 -1  0  1
5 10 -1 10  5
6 -1 -1 10  1
7 10 -1 10 -1
`))
	if err != nil {
		t.Fatal(err)
	}
	jobs, at := SimJobs(log, 4)
	want := []SimJob{
		{Submit: 20, Run: 10, Limit: 60, Procs: 3, User: "user0", UID: firstUID, MemPerCPU: 2},
		{Submit: 20, Run: 10, Limit: 10, Procs: 1, User: "user7", UID: firstUID + 7},
		{Submit: 30, Run: 10, Limit: 10, Procs: 2, UID: unknownUID},
	}
	if !slices.Equal(jobs, want) || !slices.Equal(at, []int{1, 2, 0}) {
		t.Errorf("jobs %+v at %v, want %+v", jobs, at, want)
	}
}
