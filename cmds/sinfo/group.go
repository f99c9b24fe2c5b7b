package sinfo

import (
	"slices"
	"strings"

	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// group is a row: nodes of a partition that are alike in all that is printed of
// them.
type group struct {
	part  *sched.Partition
	index int // place of the partition in the configuration
	nodes []*show.Node
	has   map[sched.NodeName]bool
	key   string
}

// first returns the node that stands for the others, nil in an empty group.
func (g *group) first() *show.Node {
	if len(g.nodes) == 0 {
		return nil
	}
	return g.nodes[0]
}

// names returns the names of the nodes, in order.
func (g *group) names() []string {
	names := make([]string, len(g.nodes))
	for i, n := range g.nodes {
		names[i] = string(n.Name)
	}
	slices.SortFunc(names, show.CompareNames)
	return names
}

// ofFirst is what a function says of the node that stands for the group.
func (g *group) ofFirst(f func(*show.Node) string, none string) string {
	if n := g.first(); n != nil {
		return f(n)
	}
	return none
}

// tally counts nodes or CPUs that are allocated, idle, out of use, and all.
type tally struct{ alloc, idle, other, total int }

func (g *group) nodeTally() (t tally) {
	for _, n := range g.nodes {
		s := n.NodeState()
		t.total++
		switch base := s.Base(); {
		case base == slurm.NodeAllocated || base == slurm.NodeMixed || s.Has(slurm.NodeCompleting):
			t.alloc++
		case outOfUse(s):
			t.other++
		default:
			t.idle++
		}
	}
	return t
}

func (g *group) cpuTally() (t tally) {
	for _, n := range g.nodes {
		t.total += n.CPUs
		t.alloc += min(n.UsedCPUs, n.CPUs) // jobs that share CPUs have them several times
		if rest := max(0, n.CPUs-n.UsedCPUs); outOfUse(n.NodeState()) {
			t.other += rest
		} else {
			t.idle += rest
		}
	}
	return t
}

func outOfUse(s slurm.NodeState) bool {
	base := s.Base()
	return s.Has(slurm.NodeDrain) || base == slurm.NodeDown || base == slurm.NodeError || base == slurm.NodeFuture || base == slurm.NodeUnknown
}

// span returns the least and the greatest of a number over the nodes.
func (g *group) span(f func(*show.Node) int64) (low, high int64) {
	for i, n := range g.nodes {
		v := f(n)
		if i == 0 || v < low {
			low = v
		}
		if i == 0 || v > high {
			high = v
		}
	}
	return low, high
}

// build puts the nodes of the partitions into groups by what the columns say of
// them. With apart, every node of every partition is a group of its own; with
// empty, partitions of which no node is left have one too.
func build(o *options, parts []*sched.Partition, nodes []*show.Node, keys []keyFunc, empty bool) []*group {
	byName := make(map[sched.NodeName]*show.Node, len(nodes))
	for _, n := range nodes {
		if o.wants(n) {
			byName[n.Name] = n
		}
	}
	var groups []*group
	at := map[string]*group{}
	var key strings.Builder
	for i, p := range parts {
		if !o.wantsPartition(p) {
			continue
		}
		var here []*group // of this partition alone
		for _, name := range p.Nodes {
			n := byName[name]
			if n == nil {
				continue
			}
			key.Reset()
			for _, f := range keys {
				key.WriteString(f(p, n))
				key.WriteByte(0)
			}
			g := at[key.String()]
			if g == nil || o.apart {
				g = &group{part: p, index: i, key: key.String(), has: map[sched.NodeName]bool{}}
				at[g.key] = g
				groups = append(groups, g)
				here = append(here, g)
			}
			if !g.has[name] {
				g.has[name] = true
				g.nodes = append(g.nodes, n)
			}
		}
		if len(here) == 0 && empty && !o.apart {
			groups = append(groups, &group{part: p, index: i})
		}
	}
	return groups
}

// wants reports whether a node is one of those asked for.
func (o *options) wants(n *show.Node) bool {
	state := n.NodeState()
	if o.dead && !state.Has(slurm.NodeNotResponding) || o.responding && state.Has(slurm.NodeNotResponding) {
		return false
	}
	if !o.future && state.Base() == slurm.NodeFuture {
		return false
	}
	if o.hasNodes && !slices.Contains(o.nodes, string(n.Name)) {
		return false
	}
	return o.states.IsEmpty() && !o.hasStates || o.states.Match(coarse(state))
}

func (o *options) wantsPartition(p *sched.Partition) bool {
	if o.partitions != nil {
		return slices.Contains(o.partitions, string(p.Name))
	}
	return o.all || !p.Hidden || o.me == 0
}
