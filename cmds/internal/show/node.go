package show

import (
	"slices"
	"strconv"
	"strings"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// NodeState returns a node's state with what jobs make of it: allocated or mixed
// while jobs run there, completing while jobs end there.
func (n *Node) NodeState() slurm.NodeState {
	state := n.State
	if n.CompletingJobs > 0 {
		state |= slurm.NodeCompleting
	}
	if base := state.Base(); base != slurm.NodeIdle || len(n.Running) <= n.CompletingJobs {
		return state
	}
	switch {
	case n.UsedCPUs >= n.CPUs:
		return slurm.NodeAllocated | state.Flags()
	case n.UsedCPUs > 0:
		return slurm.NodeMixed | state.Flags()
	}
	return state
}

// nodeBits are the flags of a node in the order in which they count when nodes
// are sorted by state, the least first.
var nodeBits = []slurm.NodeState{
	slurm.NodeReserved, slurm.NodeUndrain, slurm.NodeCloud, slurm.NodeResume, slurm.NodeDrain, slurm.NodeCompleting, slurm.NodeNotResponding,
	slurm.NodePoweredDown, slurm.NodeFail, slurm.NodePoweringUp, slurm.NodeMaint, slurm.NodeRebootRequested, slurm.NodeCancelReboot,
	slurm.NodePoweringDown, slurm.NodeDynamicFuture, slurm.NodeRebootIssued, slurm.NodePlanned, slurm.NodeInvalidReg, slurm.NodePowerDown,
	slurm.NodePowerUp, slurm.NodeDynamicNorm, slurm.NodeBlocked, slurm.NodeExternal,
}

// StateRank is the place of a state in the order by state.
func StateRank(s slurm.NodeState) uint64 {
	rank := uint64(s.Base())
	for i, flag := range nodeBits {
		if s.Has(flag) {
			rank |= 1 << (i + 8)
		}
	}
	return rank
}

// GresText prints the generic resources of a node, with the sockets they hang on
// where the configuration says.
func (n *Node) GresText() string {
	list := make([]slurm.NodeGres, len(n.Gres))
	for i, g := range n.Gres {
		list[i] = slurm.NodeGres{GresItem: slurm.GresItem{Name: g.Name, Type: g.Type, Count: g.Count}, Sockets: n.socketsOf(g.Cores)}
	}
	return slurm.NodeGresText(list)
}

func (n *Node) socketsOf(cores string) slurm.IndexSet {
	set, err := slurm.ParseIndexSet(cores, 1<<20)
	if err != nil || n.Cores <= 0 {
		return slurm.IndexSet{}
	}
	var sockets []uint32
	for core := range set.All() {
		if s := core / uint32(n.Cores); len(sockets) == 0 || sockets[len(sockets)-1] != s {
			sockets = append(sockets, s)
		}
	}
	return slurm.NewIndexSet(sockets...)
}

// GresUsedText prints what is in use of the generic resources, (null) for a node
// that has none.
func (n *Node) GresUsedText() string {
	list := make([]slurm.NodeGres, len(n.Gres))
	for i, g := range n.Gres {
		used := slurm.NodeGres{GresItem: slurm.GresItem{Name: g.Name, Type: g.Type}, Indexed: len(g.Files) > 0}
		var indexes []uint32
		for _, u := range n.UsedGres {
			if u.Name != g.Name || u.Type != g.Type {
				continue
			}
			used.Count += u.Count
			for _, at := range u.Index {
				indexes = append(indexes, uint32(at))
			}
		}
		used.Index = slurm.NewIndexSet(indexes...)
		if len(indexes) > 0 {
			used.Indexed = true
		}
		list[i] = used
	}
	for _, u := range n.UsedGres {
		if u.Count == 0 { // a kind the cluster has and this node has not
			list = append(list, slurm.NodeGres{GresItem: slurm.GresItem{Name: u.Name}})
		}
	}
	return slurm.NodeGresText(list)
}

// Configured and Used return what a node has, and what jobs hold of it, as
// accounting counts it.
func (n *Node) Configured(weights string) slurm.TRES {
	t := slurm.TRES{{Type: "cpu", Count: int64(n.CPUs)}, {Type: "mem", Count: int64(n.Memory)}}
	gres := newGresCount()
	for _, g := range n.Gres {
		gres.add(g.Name, g.Type, g.Count)
	}
	for _, key := range gres.keys {
		t = append(t, slurm.TRESItem{Type: "gres", Name: key, Count: gres.count[key]})
	}
	return append(t, slurm.TRESItem{Type: "billing", Count: Billing(t, weights)})
}

// Used is described at Configured.
func (n *Node) Used() slurm.TRES {
	var t slurm.TRES
	if n.UsedCPUs > 0 {
		t = append(t, slurm.TRESItem{Type: "cpu", Count: int64(n.UsedCPUs)})
	}
	if n.UsedMem > 0 {
		t = append(t, slurm.TRESItem{Type: "mem", Count: int64(n.UsedMem)})
	}
	gres := newGresCount()
	for _, g := range n.UsedGres {
		gres.add(g.Name, g.Type, g.Count)
	}
	for _, key := range gres.keys {
		t = append(t, slurm.TRESItem{Type: "gres", Name: key, Count: gres.count[key]})
	}
	return t
}

// ReasonBy prints who set a node's reason.
func (n *Node) ReasonBy() string {
	if n.Reason == "" {
		return "Unknown"
	}
	return Or(n.ReasonUser, strconv.FormatUint(uint64(n.ReasonUID), 10))
}

// FeatureText prints a node's features, (null) for none.
func (n *Node) FeatureText() string { return List(n.AllFeatures(), Null) }

// ActiveText is those of them that are active.
func (n *Node) ActiveText() string {
	if n.Available != nil {
		return strings.Join(n.Features, ",")
	}
	return List(n.Features, Null)
}

// CompareNames is the order of node names: by what stands before the number at
// their end, then by the number.
func CompareNames(a, b string) int {
	cut := func(s string) (string, string) {
		k := len(s)
		for k > 0 && '0' <= s[k-1] && s[k-1] <= '9' {
			k--
		}
		return s[:k], strings.TrimLeft(s[k:], "0")
	}
	aName, aNumber := cut(a)
	bName, bNumber := cut(b)
	if c := strings.Compare(aName, bName); c != 0 {
		return c
	}
	if len(aNumber) != len(bNumber) {
		return len(aNumber) - len(bNumber)
	}
	if c := strings.Compare(aNumber, bNumber); c != 0 {
		return c
	}
	return strings.Compare(a, b)
}

// PartitionsOf returns the names of the partitions that a node is in.
func PartitionsOf(node sched.NodeName, parts []*sched.Partition) []string {
	var names []string
	for _, p := range parts {
		if slices.Contains(p.Nodes, node) {
			names = append(names, string(p.Name))
		}
	}
	return names
}
