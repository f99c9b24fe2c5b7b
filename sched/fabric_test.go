package sched

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runink/rink/slurm"
)

// TestFabrics lays jobs with GPUs on several nodes into sets of nodes that NVLinks tie
// together: two nodes in fabric a, four in b, two in none.
func TestFabrics(t *testing.T) {
	rig := func(busy string) View {
		v := View{Config: &Config{Conf: &slurm.Conf{}}}
		all := &Partition{Name: "p", State: "UP", MaxTime: slurm.Unlimited}
		for i, fabric := range strings.Split(",b,a,b,b,a,b,", ",") {
			n := &Node{Name: NodeName(fmt.Sprint("n", i)), Index: i, CPUs: 8, Sockets: 1, Cores: 8, Threads: 1, Memory: 1000, State: slurm.NodeIdle, Registered: true, Fabric: fabric}
			n.Gres = []NodeGres{{Name: "gpu", Count: 4, Files: []string{"/dev/g0", "/dev/g1", "/dev/g2", "/dev/g3"}}}
			if strings.Contains(busy, string(n.Name)) {
				n.State |= slurm.NodeDrain
			}
			v.Nodes, all.Nodes = append(v.Nodes, n), append(all.Nodes, n.Name)
		}
		v.Config.Partitions = []*Partition{all}
		return v
	}
	for _, c := range []struct {
		name  string
		busy  string
		nodes int
		gres  string
		list  []NodeName
		want  string
	}{
		{"TwoInTheSmallest", "", 2, "gpu:4", nil, "n2 n5"},
		{"ThreeInTheLarger", "", 3, "gpu:4", nil, "n1 n3 n4"},
		{"TheSmallestIsBroken", "n2", 2, "gpu:4", nil, "n3 n4"},
		{"NoneHoldsIt", "", 5, "gpu:1", nil, "n0 n1 n2 n3 n4"},
		{"WhereTheNamedOneIs", "", 2, "gpu:1", []NodeName{"n6"}, "n1 n6"},
		{"WithoutGPUs", "", 2, "", nil, "n0 n1"},
		{"OneNode", "", 1, "gpu:4", nil, "n0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := rig(c.busy)
			j := cutWaiter(1, "p", 10, "gpu:1")
			j.Need.GresPerNode = nil
			if c.gres != "" {
				j.Need.GresPerNode, _ = slurm.ParseGres(c.gres)
			}
			j.Need.MinNodes, j.Need.MaxNodes, j.Need.Tasks, j.Need.CPUs, j.Need.NodeList = c.nodes, c.nodes, c.nodes, c.nodes, c.list
			v.Pending = []*Job{j}
			plan := Cycle(v, time.Unix(1e9, 0))
			if len(plan.Starts) != 1 {
				t.Fatalf("%+v", plan)
			}
			var got []string
			for _, a := range plan.Starts[0].Alloc {
				got = append(got, string(a.Node))
			}
			if slices.Sort(got); strings.Join(got, " ") != c.want {
				t.Errorf("got %v, want %s", got, c.want)
			}
		})
	}
}
