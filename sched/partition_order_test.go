package sched

import (
	"testing"

	"github.com/runink/rink/slurm"
)

// TestSeveralPartitionsAreTriedInOrder starts a job that may run in two partitions
// with room in both.
func TestSeveralPartitionsAreTriedInOrder(t *testing.T) {
	for _, c := range []struct{ name, conf, a, b, want string }{
		{"AsListed", "", "", "", "a"},
		{"Factor", "PriorityType=priority/multifactor\nPriorityWeightPartition=1000", "", "PriorityJobFactor=10", "b"},
		{"FactorWithoutWeight", "PriorityType=priority/multifactor", "", "PriorityJobFactor=10", "a"},
		{"Tier", "PriorityType=priority/multifactor\nPriorityWeightPartition=1000", "PriorityJobFactor=10", "PriorityTier=2 PriorityJobFactor=1", "b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg, nodes, err := configOf(t, "ClusterName=c\nSlurmctldHost=h\n"+c.conf+"\nNodeName=n[1-2] CPUs=4 RealMemory=1000 State=UNKNOWN\n"+
				"PartitionName=a Nodes=n1 Default=YES "+c.a+"\nPartitionName=b Nodes=n2 "+c.b+"\n", "")
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range nodes {
				n.State = slurm.NodeIdle
			}
			s := NewScheduler(View{Config: cfg, Nodes: nodes})
			s.Job(nil, &Job{ID: 1, Spec: &slurm.JobOptions{}, Priority: 5, Partitions: []PartitionName{"a", "b"}, Partition: "a", State: slurm.JobPending,
				Submit: refNow, Eligible: refNow, TimeLimit: 60, Need: Need{MinNodes: 1, MaxNodes: 1, Tasks: 1, CPUs: 1, CPUsPerTask: 1, MinCPUsNode: 1}})
			p := s.Plan(refNow, true)
			if len(p.Starts) != 1 || string(p.Starts[0].Partition) != c.want {
				t.Errorf("starts %+v, want one in %s", p.Starts, c.want)
			}
		})
	}
}
