package sched

import (
	"strings"
	"testing"

	"github.com/runink/rink/slurm"
)

// checked is a small cluster that is all right.
func checked() (*Config, []*Node, []*Job, slurm.Licenses) {
	lic := slurm.Licenses{Items: []slurm.License{{Name: "lic", Count: 2}}}
	gpus := []GresAlloc{{Name: "gpu", Type: "a100", Count: 1, Index: []int{1}}}
	config := &Config{TracksMemory: true, Licenses: lic, Partitions: []*Partition{{Name: "main", Nodes: []NodeName{"n1", "n2"}}}}
	nodes := []*Node{
		{Name: "n1", CPUs: 8, Memory: 1000, State: slurm.NodeIdle, UsedCPUs: 4, UsedMem: 500, Running: []slurm.JobID{1},
			Gres: []NodeGres{{Name: "gpu", Type: "a100", Count: 2}}, UsedGres: gpus},
		{Name: "n2", CPUs: 8, Memory: 1000, State: slurm.NodeIdle | slurm.NodeCompleting, UsedCPUs: 2, UsedMem: 100,
			Running: []slurm.JobID{2}, CompletingJobs: 1, Index: 1},
	}
	spec := &slurm.JobOptions{}
	jobs := []*Job{
		{ID: 1, Spec: spec, State: slurm.JobRunning, Start: noon, LicensesUsed: lic,
			Alloc: []NodeAlloc{{Node: "n1", CPUs: 4, Mem: 500, Gres: gpus}}},
		{ID: 2, Spec: spec, State: slurm.JobFailed | slurm.JobCompleting, Start: noon, End: noon,
			Alloc: []NodeAlloc{{Node: "n2", CPUs: 2, Mem: 100}, {Node: "n1", CPUs: 8}}, Completing: []NodeName{"n2"}},
		{ID: 3, ArrayID: 3, Spec: spec, Tasks: slurm.NewIndexSet(1, 2), ArrayAll: slurm.NewIndexSet(1, 2, 3)},
		{ID: 4, ArrayID: 3, TaskID: 3, Spec: spec, ArrayAll: slurm.NewIndexSet(1, 2, 3)},
	}
	return config, nodes, jobs, lic
}

func TestCheckFindsWhatIsWrong(t *testing.T) {
	if err := Check(checked()); err != nil {
		t.Fatalf("of a cluster that is all right: %v", err)
	}
	type cluster struct {
		c *Config
		n []*Node
		j []*Job
		l slurm.Licenses
	}
	for _, c := range []struct {
		name  string
		spoil func(*cluster)
		want  string
	}{
		{"CPUsNotTheSum", func(c *cluster) { c.n[0].UsedCPUs++ }, "n1 counts 5 CPUs"},
		{"MemoryNotTheSum", func(c *cluster) { c.n[0].UsedMem-- }, "n1 counts 4 CPUs and 499 MB"},
		{"Overbooked", func(c *cluster) { c.n[0].CPUs = 3 }, "4 CPUs in use of 3"},
		{"MemoryOverbooked", func(c *cluster) { c.n[0].Memory = 400 }, "500 MB in use of 400"},
		{"JobUnknownToNode", func(c *cluster) { c.n[0].Running = nil }, "n1 says jobs [] are on it, the jobs say [1]"},
		{"NodeUnknown", func(c *cluster) { c.j[0].Alloc[0].Node = "n9" }, `node "n9", which is not there`},
		{"CompletingCount", func(c *cluster) { c.n[1].CompletingJobs = 0 }, "counts 0 completing"},
		{"CompletingFlag", func(c *cluster) { c.n[1].State = slurm.NodeIdle }, "counts 1 completing"},
		{"GPUTwice", func(c *cluster) {
			c.j[1].Alloc[1] = NodeAlloc{Node: "n1", Gres: c.j[0].Alloc[0].Gres}
			c.j[1].Completing = append(c.j[1].Completing, "n1")
		}, "gres/gpu:a100 number 1 is in use"},
		{"GPUNotCounted", func(c *cluster) { c.n[0].UsedGres = nil }, "in use, its jobs have"},
		{"NoSuchGPU", func(c *cluster) { c.n[0].Gres = nil }, "there is no gres/gpu:a100"},
		{"Licences", func(c *cluster) { c.l = slurm.Licenses{} }, "licence lic is counted 0 times, its jobs have 2"},
		{"TooManyLicences", func(c *cluster) { c.c.Licenses.Items = nil }, "licence lic is in use 2 times of 0"},
		{"TwoJobs", func(c *cluster) { c.j[3].ID = 1 }, "job 1 is there twice"},
		{"TaskTwice", func(c *cluster) { c.j[3].TaskID = 2 }, "task 3_2 is in jobs"},
		{"TaskTwiceOtherWay", func(c *cluster) { c.j[3].TaskID = 2; c.j[2], c.j[3] = c.j[3], c.j[2] }, "task 3_2 is in jobs"},
		{"TaskNeverSubmitted", func(c *cluster) { c.j[3].TaskID = 7 }, "never submitted"},
		{"RestElsewhere", func(c *cluster) { c.j[2].ID = 9 }, "job 9 holds the rest of array 3"},
		{"TasksOfNoArray", func(c *cluster) { c.j[2].ArrayID = 0 }, "is no array"},
		{"RunningWithoutNodes", func(c *cluster) { c.j[3].State = slurm.JobRunning }, "RUNNING without nodes"},
		{"RunningRest", func(c *cluster) {
			c.j[2].State, c.j[2].Alloc = slurm.JobRunning, []NodeAlloc{{Node: "n1"}}
			c.n[0].Running = []slurm.JobID{1, 3}
		}, "and an array's rest"},
		{"PendingWithNodes", func(c *cluster) { c.j[3].Alloc = c.j[0].Alloc }, "pending and has nodes"},
		{"PendingWithLicences", func(c *cluster) { c.j[3].LicensesUsed = c.l }, "holds licences"},
		{"EndedWithoutEnd", func(c *cluster) { c.j[1].End = c.j[3].End }, "without an end"},
		{"CompletingNowhere", func(c *cluster) { c.j[1].Completing = nil }, "completes on 0 nodes"},
		{"CompletingElsewhere", func(c *cluster) { c.j[1].Completing = []NodeName{"n2", "n5"} }, "which it did not have"},
		{"NodeTwiceInAlloc", func(c *cluster) { c.j[0].Alloc = append(c.j[0].Alloc, c.j[0].Alloc[0]) }, "has node n1 twice"},
		{"CPUsFree", func(c *cluster) { c.j[0].CPUsFree = true }, "CPUsFree is true"},
		{"HeldWithPriority", func(c *cluster) { c.j[3].HeldBy, c.j[3].Priority = HeldByUser, 5 }, "held with priority 5"},
		{"NoSpec", func(c *cluster) { c.j[3].Spec = nil }, "has no request"},
		{"NoID", func(c *cluster) { c.j[3].ID = 0 }, "has no id"},
		{"NotAlone", func(c *cluster) {
			c.j[0].Need.Exclusive = true
			c.j[1].Completing = append(c.j[1].Completing, "n1")
		}, "n1 is job 1's alone"},
		{"KeptByNobody", func(c *cluster) { c.n[0].ExclusiveBy = 7 }, "kept by job 7"},
		{"NodeTwice", func(c *cluster) { c.n[1].Name = "n1" }, "node n1 is there twice"},
		{"NodeIndex", func(c *cluster) { c.n[1].Index = 0 }, "index 0 at place 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var w cluster
			w.c, w.n, w.j, w.l = checked()
			c.spoil(&w)
			err := Check(w.c, w.n, w.j, w.l)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestCheckAllowsSharedCPUs(t *testing.T) {
	c, n, j, l := checked()
	n[0].CPUs = 3
	c.Partitions[0].OverSubscribe = "FORCE:2"
	if err := Check(c, n, j, l); err != nil {
		t.Error(err)
	}
}
