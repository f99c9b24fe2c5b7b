package sched

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/runink/rink/slurm"
)

// Topology is how the nodes hang together: a tree of switches or several, or
// blocks of nodes that are close. A flat network has none.
type Topology struct {
	Switches []Switch // as configured; empty for blocks
	Blocks   []Block  // as configured; empty for switches
	// BlockSizes are the sizes a job's blocks are planned by: the base block's and
	// those of several together, smallest first.
	BlockSizes []int
	// Optional topologies matter only to jobs that ask for it (TopoOptional).
	Optional bool

	leaf []int32 // by the node's place in the configuration: its leaf switch or block, -1 for none
	tops int     // switches with none above them
}

// Switch is a switch of a tree.
type Switch struct {
	Name      string
	Level     int        // 0 for a leaf
	LinkSpeed string     // as configured, "" for none
	Parent    int        // place of the switch above, -1 for none
	Kids      []int      // places of those right below
	Nodes     []NodeName // all below, in the configuration's order
	KidsText  string     // Switches= as configured
}

// Block is a block of nodes.
type Block struct {
	Name  string
	Nodes []NodeName // in the configuration's order
}

// NewTopology reads the network of a cluster: nil for a flat one. file is what
// topology.conf says, nil without one. Nodes that the cluster does not have are
// passed over, as in Slurm.
func NewTopology(conf *slurm.Conf, file *slurm.TopologyConf, nodes []*Node) (*Topology, error) {
	kind := strings.ToLower(strings.TrimPrefix(strings.ToLower(conf.TopologyPlugin), "topology/"))
	switch kind {
	case "tree":
		if file == nil || len(file.Switches) == 0 {
			return nil, nil // as in Slurm: a tree without switches is flat
		}
	case "block":
		if file == nil || len(file.Blocks) == 0 {
			return nil, fmt.Errorf("TopologyPlugin=topology/block, and topology.conf describes no block: %w", slurm.ErrnoRequestedTopoConfigUnavailable)
		}
	default:
		return nil, nil
	}
	t := &Topology{Optional: conf.TopologyParam.Has("TopoOptional"), leaf: make([]int32, len(nodes))}
	at := make(map[NodeName]int, len(nodes))
	for i, n := range nodes {
		t.leaf[i] = -1
		at[n.Name] = i
	}
	known := func(list slurm.HostList, leaf int) []NodeName {
		var names []NodeName
		for name := range list.All() {
			if i, ok := at[NodeName(name)]; ok && t.leaf[i] < 0 {
				t.leaf[i] = int32(leaf)
				names = append(names, NodeName(name))
			}
		}
		slices.SortFunc(names, func(x, y NodeName) int { return cmp.Compare(at[x], at[y]) })
		return names
	}
	if kind == "block" {
		t.blocks(file, known)
		return t, nil
	}
	t.tree(file, known)
	for i := range t.Switches {
		s := &t.Switches[i]
		slices.SortFunc(s.Nodes, func(x, y NodeName) int { return cmp.Compare(at[x], at[y]) })
	}
	return t, nil
}

// tree fills in the switches.
func (t *Topology) tree(file *slurm.TopologyConf, known func(slurm.HostList, int) []NodeName) {
	place := make(map[string]int, len(file.Switches))
	for i := range file.Switches {
		s := &file.Switches[i]
		place[s.Name] = i
		t.Switches = append(t.Switches, Switch{Name: s.Name, LinkSpeed: s.LinkSpeed, Parent: -1, Nodes: known(s.Nodes, i)})
		if s.Switches.Len() > 0 {
			t.Switches[i].KidsText = s.Switches.String()
		}
	}
	for i := range file.Switches {
		for name := range file.Switches[i].Switches.All() {
			if kid, ok := place[name]; ok {
				t.Switches[kid].Parent = i
				t.Switches[i].Kids = append(t.Switches[i].Kids, kid)
			}
		}
	}
	for i := range t.Switches {
		if t.Switches[i].Parent < 0 {
			t.tops++
		}
		if len(t.Switches[i].Kids) > 0 {
			continue
		}
		for up, level := t.Switches[i].Parent, 1; up >= 0; up, level = t.Switches[up].Parent, level+1 {
			s := &t.Switches[up]
			s.Level = max(s.Level, level)
			s.Nodes = append(s.Nodes, t.Switches[i].Nodes...)
		}
	}
}

// blocks fills in the blocks.
func (t *Topology) blocks(file *slurm.TopologyConf, known func(slurm.HostList, int) []NodeName) {
	least := 0
	for i := range file.Blocks {
		b := Block{Name: file.Blocks[i].Name, Nodes: known(file.Blocks[i].Nodes, i)}
		if n := len(b.Nodes); least == 0 || n > 0 && n < least {
			least = n
		}
		t.Blocks = append(t.Blocks, b)
	}
	t.BlockSizes = slices.Clone(file.BlockSizes)
	if len(t.BlockSizes) == 0 {
		t.BlockSizes = []int{max(least, 1)}
	}
}

// IsBlocks reports whether the network is one of blocks.
func (t *Topology) IsBlocks() bool { return t != nil && len(t.Blocks) > 0 }

// leafOf returns the leaf switch or block of a node, -1 when it has none.
func (t *Topology) leafOf(n *Node) int {
	if n.Index < 0 || n.Index >= len(t.leaf) {
		return -1
	}
	return int(t.leaf[n.Index])
}

// Address returns where a node is in the network, from the top down, with its own
// name last, and of what kind each part is: "top.s1.n1" and
// "switch.switch.node". In a flat network a node's address is its name.
func (t *Topology) Address(n NodeName) (addr, pattern string) {
	addr, pattern = string(n), "node"
	if t == nil {
		return addr, pattern
	}
	if t.IsBlocks() {
		for i := range t.Blocks {
			if slices.Contains(t.Blocks[i].Nodes, n) {
				return t.Blocks[i].Name + "." + addr, "block.node"
			}
		}
		return addr, pattern
	}
	i := slices.IndexFunc(t.Switches, func(s Switch) bool { return s.Level == 0 && slices.Contains(s.Nodes, n) })
	for ; i >= 0; i = t.Switches[i].Parent {
		addr, pattern = t.Switches[i].Name+"."+addr, "switch."+pattern
	}
	return addr, pattern
}

// SwitchesOf counts the leaf switches, or blocks, that nodes are at; 0 in a flat
// network.
func (t *Topology) SwitchesOf(nodes []*Node) int {
	if t == nil {
		return 0
	}
	seen := map[int]bool{}
	for _, n := range nodes {
		if leaf := t.leafOf(n); leaf >= 0 {
			seen[leaf] = true
		}
	}
	return len(seen)
}

// TopologyEnv returns the variables that tell a batch script or a task where the
// node it runs on is in the network.
func TopologyEnv(cfg *Config, n NodeName) []string {
	addr, pattern := cfg.Topology.Address(n)
	return []string{"SLURM_TOPOLOGY_ADDR=" + addr, "SLURM_TOPOLOGY_ADDR_PATTERN=" + pattern}
}
