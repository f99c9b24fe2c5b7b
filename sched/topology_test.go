package sched

import (
	"strconv"
	"testing"

	"github.com/runink/rink/slurm"
)

// treeCluster is ten nodes behind four leaf switches.
func treeCluster(t testing.TB) *recorded {
	t.Helper()
	r := &recorded{next: 1}
	conf := "ClusterName=ref\nSlurmctldHost=vm\nTopologyPlugin=topology/tree\nNodeName=n[1-10] CPUs=16\nPartitionName=debug Nodes=ALL Default=YES\n"
	r.cfg, r.nodes = clusterOf(t, conf, "", treeConf)
	return r
}

func TestTopologyOfSwitches(t *testing.T) {
	net := treeCluster(t).cfg.Topology
	for name, want := range map[string]struct {
		level int
		nodes string
	}{"s1": {0, "n[1-2]"}, "a2": {1, "n[6-10]"}, "top": {2, "n[1-10]"}} {
		for _, s := range net.Switches {
			if s.Name == name && (s.Level != want.level || nodeListText(s.Nodes) != want.nodes) {
				t.Errorf("switch %s is of level %d with %s", name, s.Level, nodeListText(s.Nodes))
			}
		}
	}
	if net.tops != 1 {
		t.Errorf("%d switches have none above them", net.tops)
	}
	if addr, pattern := net.Address("n6"); addr != "top.a2.s3.n6" || pattern != "switch.switch.switch.node" {
		t.Errorf("n6 is at %s, %s", addr, pattern)
	}
	var flat *Topology
	if addr, pattern := flat.Address("n6"); addr != "n6" || pattern != "node" {
		t.Errorf("in a flat network n6 is at %s, %s", addr, pattern)
	}
	if n := net.SwitchesOf(treeCluster(t).nodes[1:4]); n != 2 {
		t.Errorf("n[2-4] are at %d switches", n)
	}
}

func TestTopologyIsFlatWithoutSwitches(t *testing.T) {
	cfg, _ := clusterOf(t, "ClusterName=ref\nSlurmctldHost=vm\nTopologyPlugin=topology/tree\nNodeName=n1\nPartitionName=debug Nodes=ALL\n", "", "")
	if cfg.Topology != nil {
		t.Errorf("got %+v", cfg.Topology)
	}
}

func TestBlockSpan(t *testing.T) {
	net := &Topology{Blocks: make([]Block, 8), BlockSizes: []int{4, 8}}
	for nodes, want := range map[int]int{1: 1, 4: 1, 5: 2, 8: 2, 9: 4, 17: 8, 40: 8} {
		if got := net.blockSpan(nodes); got != want {
			t.Errorf("%d nodes lie in %d base blocks, want %d", nodes, got, want)
		}
	}
}

// BenchmarkTreePlacing places a job of 32 nodes on a tree of 10,000.
func BenchmarkTreePlacing(b *testing.B) {
	conf := "ClusterName=ref\nSlurmctldHost=vm\nTopologyPlugin=topology/tree\nNodeName=n[1-10000] CPUs=16\nPartitionName=debug Nodes=ALL Default=YES\n"
	text := ""
	for i := range 250 {
		text += "SwitchName=s" + strconv.Itoa(i) + " Nodes=n[" + strconv.Itoa(i*40+1) + "-" + strconv.Itoa(i*40+40) + "]\n"
	}
	for i := range 10 {
		text += "SwitchName=a" + strconv.Itoa(i) + " Switches=s[" + strconv.Itoa(i*25) + "-" + strconv.Itoa(i*25+24) + "]\n"
	}
	text += "SwitchName=top Switches=a[0-9]\n"
	cfg, nodes := clusterOf(b, conf, "", text)
	j, _, err := refJob(b, cfg, nodes, slurm.Salloc, "-N 64 --exclusive")
	if err != nil {
		b.Fatal(err)
	}
	s := NewScheduler(View{Config: cfg, Nodes: nodes})
	c := s.newCycle(refNow, true)
	p := c.part("debug")
	a := newAsk(j, p.p, s.t)
	b.ResetTimer()
	for b.Loop() {
		if c.find(a, p) == nil {
			b.Fatal("no room")
		}
	}
}
