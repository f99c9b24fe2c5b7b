package sched

import (
	"slices"
	"testing"
	"time"

	"github.com/runink/rink/gpu"
	"github.com/runink/rink/slurm"
)

// cutRig is two nodes with two GPUs each that can be cut, in two partitions of which
// one lets them be.
func cutRig() View {
	spans := func(step, size, n int) []gpu.Span {
		var list []gpu.Span
		for i := range n {
			list = append(list, gpu.Span{Start: i * step, Size: size})
		}
		return list
	}
	profiles := []gpu.Profile{{Name: "1g.10gb", Spans: spans(1, 1, 7)}, {Name: "3g.40gb", Spans: spans(4, 4, 2)}}
	v := View{Config: &Config{Conf: &slurm.Conf{Partitions: []slurm.PartitionConf{{Name: "cut", MIGProfiles: []string{"1g.10gb"}}, {Name: "plain"}}}}}
	for i, name := range []NodeName{"n1", "n2"} {
		n := &Node{Name: name, Index: i, CPUs: 8, Sockets: 1, Cores: 8, Threads: 1, Memory: 1000, State: slurm.NodeIdle, Registered: true}
		n.Gres = []NodeGres{{Name: "gpu", Type: "a100", Count: 2, Files: []string{"/dev/nvidia0", "/dev/nvidia1"}}}
		n.Shapes = []Shape{{File: "/dev/nvidia0", Profiles: profiles}, {File: "/dev/nvidia1", Profiles: profiles}}
		v.Nodes = append(v.Nodes, n)
	}
	for i, name := range []PartitionName{"cut", "plain"} {
		v.Config.Partitions = append(v.Config.Partitions, &Partition{Name: name, Nodes: []NodeName{"n1", "n2"}, State: "UP", MaxTime: slurm.Unlimited, Index: i})
	}
	return v
}

func cutWaiter(id slurm.JobID, part PartitionName, priority uint32, gres string) *Job {
	list, err := slurm.ParseGres(gres)
	if err != nil {
		panic(err)
	}
	return &Job{
		ID: id, Partition: part, Priority: priority, State: slurm.JobPending, Reason: slurm.ReasonResources, TimeLimit: 60, Spec: &slurm.JobOptions{},
		Need: Need{MinNodes: 1, MaxNodes: 1, Tasks: 1, CPUs: 1, CPUsPerTask: 1, GresPerNode: list},
	}
}

func inBoth(j *Job, parts ...PartitionName) *Job {
	j.Partitions = parts
	return j
}

func TestPlanCuts(t *testing.T) {
	now := time.Unix(1e9, 0)
	for _, c := range []struct {
		name    string
		pending []*Job
		change  func(*View)
		barred  func(NodeName, string) bool
		node    NodeName // "": nothing is cut
		file    string
	}{
		{name: "NobodyWaits"},
		{name: "OneWaits", pending: []*Job{cutWaiter(1, "cut", 10, "gpu:1g.10gb:2")}, node: "n1", file: "/dev/nvidia0"},
		{name: "TheHerdMayNot", pending: []*Job{cutWaiter(1, "plain", 10, "gpu:1g.10gb:2")}},
		{name: "OneOfItsHerdsMay", pending: []*Job{inBoth(cutWaiter(1, "plain", 10, "gpu:1g.10gb:2"), "plain", "cut")}, node: "n1", file: "/dev/nvidia0"},
		{name: "OneAheadWantsThemWholeInEither", pending: []*Job{
			cutWaiter(1, "cut", 10, "gpu:1g.10gb:1"), inBoth(cutWaiter(2, "other", 20, "gpu:a100:2"), "other", "cut")}},
		{name: "NotThisProfile", pending: []*Job{cutWaiter(1, "cut", 10, "gpu:3g.40gb:1")}},
		{name: "WholeOnesAreThere", pending: []*Job{cutWaiter(1, "cut", 10, "gpu:a100:1")}},
		{name: "MoreThanFit", pending: []*Job{cutWaiter(1, "cut", 10, "gpu:1g.10gb:15")}},
		{name: "Held", pending: []*Job{func() *Job { j := cutWaiter(1, "cut", 10, "gpu:1g.10gb:1"); j.Priority = 0; return j }()}},
		{name: "OneAheadWantsThemWhole", pending: []*Job{cutWaiter(1, "cut", 10, "gpu:1g.10gb:1"), cutWaiter(2, "plain", 20, "gpu:a100:2")}},
		{name: "OneBehindWantsThemWhole", pending: []*Job{cutWaiter(1, "cut", 20, "gpu:1g.10gb:1"), cutWaiter(2, "plain", 10, "gpu:a100:2")}, node: "n1", file: "/dev/nvidia0"},
		{name: "TheFirstIsInUse", pending: []*Job{cutWaiter(1, "cut", 10, "gpu:1g.10gb:1")}, change: func(v *View) {
			v.Nodes[0].UsedGres = []GresAlloc{{Name: "gpu", Type: "a100", Count: 1, Index: []int{0}}}
		}, node: "n1", file: "/dev/nvidia1"},
		{name: "OneIsBarred", pending: []*Job{cutWaiter(1, "cut", 10, "gpu:1g.10gb:1")}, barred: func(n NodeName, _ string) bool { return n == "n1" }, node: "n2", file: "/dev/nvidia0"},
		{name: "OneIsOnTheWay", pending: []*Job{cutWaiter(1, "cut", 10, "gpu:1g.10gb:1")}, change: func(v *View) {
			v.Nodes[1].Cuts = []Cut{{File: "/dev/nvidia0", Profiles: slices.Repeat([]string{"1g.10gb"}, 7)}}
			v.Nodes[1].Gres = v.Nodes[1].Outfit(nil)
		}},
		{name: "ThoseAreTaken", pending: []*Job{cutWaiter(1, "cut", 10, "gpu:1g.10gb:1"), cutWaiter(2, "cut", 9, "gpu:1g.10gb:7")}, change: func(v *View) {
			v.Nodes[1].Cuts = []Cut{{File: "/dev/nvidia0", Profiles: slices.Repeat([]string{"1g.10gb"}, 7)}}
			v.Nodes[1].Gres = v.Nodes[1].Outfit(nil)
		}, node: "n2", file: "/dev/nvidia1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := cutRig()
			v.Pending = c.pending
			if c.change != nil {
				c.change(&v)
			}
			got := PlanCuts(v, c.barred, now)
			if c.node == "" {
				if got != nil {
					t.Fatalf("got %+v", got)
				}
				return
			}
			if len(got) != 1 || got[0].Node != c.node || got[0].File != c.file || len(got[0].Profiles) != 7 {
				t.Fatalf("got %+v, want %s %s", got, c.node, c.file)
			}
			if err := v.Nodes[slices.IndexFunc(v.Nodes, func(n *Node) bool { return n.Name == c.node })].MayCut(got[0].File, got[0].Profiles); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestOutfitOfCuts cuts a GPU, fails it and makes it whole: what comes out at last is
// what there was at first.
func TestOutfitOfCuts(t *testing.T) {
	n := cutRig().Nodes[0]
	n.Gres[0].Links, n.Gres[0].Near = [][]int{{0, 4}, {4, 0}}, []int{0, 1}
	n.Gres = append(n.Gres, NodeGres{Name: "gpu", Type: "1g.10gb", Count: 1, Files: []string{"/dev/nvidia2,/dev/cap1"}, Links: [][]int{{0}}, Near: []int{0}, Numbers: []int{2}})
	first := n.Outfit(nil)
	n.Cuts = []Cut{{File: "/dev/nvidia1", Profiles: []string{"1g.10gb"}, Made: []CutPart{{"1g.10gb", "/dev/nvidia1,/dev/cap7", 11}}}}
	n.Gres = n.Outfit(nil)
	part := n.Gres[1]
	if part.Count != 2 || part.Place(11) != 1 || part.Made != 1 || len(part.Links) != 2 || !n.Gres[0].Sick[0].Cut {
		t.Errorf("cut: %+v", n.Gres)
	}
	if files, _ := n.DeviceFiles(GresAlloc{Name: "gpu", Type: "1g.10gb", Count: 1, Index: []int{11}}); !slices.Equal(files, []string{"/dev/nvidia1,/dev/cap7"}) {
		t.Errorf("opened by %v", files)
	}
	n.Gres = n.Outfit([]SickFile{{File: "/dev/nvidia1", Why: "XID 79"}})
	if len(n.Gres[1].Sick) != 1 || n.Gres[1].Sick[0].Number != 11 {
		t.Errorf("an instance of a GPU that fails: %+v", n.Gres[1])
	}
	if why := SickReason(n.Gres, nil, 50); why != "" {
		t.Errorf("drained: %q", why)
	}
	n.Cuts = nil
	n.Gres = n.Outfit(nil)
	if !slices.EqualFunc(n.Gres, first, sameNodeGres) {
		t.Errorf("whole again: %+v, want %+v", n.Gres, first)
	}
}
