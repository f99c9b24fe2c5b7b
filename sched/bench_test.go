package sched

import (
	"fmt"
	"math/rand"
	"testing"
	"time"

	"github.com/runink/rink/slurm"
)

// bigCluster is a cluster of so many nodes of 64 CPUs, some with GPUs.
func bigCluster(nodes int) (*Config, []*Node) {
	cfg := testConfig()
	list := make([]*Node, nodes)
	for i := range list {
		n := &Node{Name: NodeName(fmt.Sprintf("n%d", i+1)), Index: i, CPUs: 64, Sockets: 2, Cores: 32, Threads: 1, Memory: 256000, Weight: 1,
			State: slurm.NodeIdle}
		if i%10 == 0 {
			n.Gres = []NodeGres{{Name: "gpu", Type: "a100", Count: 4, Files: []string{"0", "1", "2", "3"}}}
		}
		list[i] = n
		cfg.Partitions[0].Nodes = append(cfg.Partitions[0].Nodes, n.Name)
	}
	return cfg, list
}

// bigQueue is a queue of jobs of many shapes. They share a request, as jobs in
// the state do that were asked for the same.
func bigQueue(jobs int) []*Job {
	r := rand.New(rand.NewSource(1))
	list := make([]*Job, jobs)
	spec := &slurm.JobOptions{}
	for i := range list {
		j := &Job{ID: slurm.JobID(i + 1), Spec: spec, Priority: uint32(jobs - i), Partitions: []PartitionName{"main"}, Partition: "main",
			State: slurm.JobPending, Submit: refNow, LastSched: refNow, TimeLimit: slurm.Duration(60 * (1 + r.Intn(600)))}
		j.Need = Need{MinNodes: 1, MaxNodes: AnyNodes, Tasks: 1 + r.Intn(16), CPUsPerTask: 1 + r.Intn(4), MemPerCPU: slurm.MB(100 * (1 + r.Intn(20)))}
		if r.Intn(20) == 0 {
			j.Need.MinNodes = 1 + r.Intn(64)
			j.Need.MaxNodes, j.Need.Tasks = j.Need.MinNodes, j.Need.MinNodes*4
			j.Need.Exclusive = r.Intn(2) == 0
		}
		if r.Intn(20) == 0 {
			j.Need.GresPerNode = slurm.Gres{{Name: "gpu", Count: int64(1 + r.Intn(4))}}
		}
		j.Need.CPUs = j.Need.Tasks * j.Need.CPUsPerTask
		j.Need.MinCPUsNode = j.Need.CPUsPerTask
		list[i] = j
	}
	return list
}

// run takes the starts of a plan as running.
func run(v View, plan Plan, now time.Time) View {
	byID := make(map[slurm.JobID]*Job, len(v.Pending))
	for _, j := range v.Pending {
		byID[j.ID] = j
	}
	at := make(map[NodeName]int, len(v.Nodes))
	nodes := make([]*Node, len(v.Nodes))
	for i, n := range v.Nodes {
		at[n.Name], nodes[i] = i, n.Clone()
	}
	gone := map[slurm.JobID]bool{}
	for _, s := range plan.Starts {
		j := byID[s.Job].Clone()
		j.State, j.Alloc, j.Start = slurm.JobRunning, s.Alloc, now
		j.End = now.Add(time.Duration(j.TimeLimit) * time.Second)
		for _, a := range s.Alloc {
			n := nodes[at[a.Node]]
			n.UsedCPUs += a.CPUs
			n.UsedMem += a.Mem
			n.Running = append(n.Running, j.ID)
			for _, g := range a.Gres {
				n.UsedGres = AddGres(n.UsedGres, g)
			}
		}
		v.Running = append(v.Running, j)
		gone[j.ID] = true
	}
	var rest []*Job
	for _, j := range v.Pending {
		if !gone[j.ID] {
			rest = append(rest, j)
		}
	}
	v.Pending, v.Nodes = rest, nodes
	return v
}

func BenchmarkCycle(b *testing.B) {
	for _, size := range []struct{ nodes, jobs int }{{100, 1000}, {1000, 10000}, {10000, 100000}} {
		cfg, nodes := bigCluster(size.nodes)
		v := View{Config: cfg, Nodes: nodes, Pending: bigQueue(size.jobs)}
		b.Run(fmt.Sprintf("empty/%dx%d", size.nodes, size.jobs), func(b *testing.B) {
			for b.Loop() {
				Cycle(v, refNow)
			}
		})
		full := run(v, Cycle(v, refNow), refNow)
		b.Run(fmt.Sprintf("full/%dx%d", size.nodes, size.jobs), func(b *testing.B) {
			for b.Loop() {
				Cycle(full, refNow.Add(time.Second))
			}
		})
	}
}

func BenchmarkResolve(b *testing.B) {
	cfg, nodes := bigCluster(10000)
	o := &slurm.JobOptions{NTasks: 4, Given: map[string]bool{"ntasks": true}}
	for b.Loop() {
		if _, _, err := Resolve(Request{Options: o, UID: 1, User: "u", Batch: true}, cfg, nodes, refNow); err != nil {
			b.Fatal(err)
		}
	}
}
