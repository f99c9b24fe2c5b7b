package sinfo

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

type column = show.Column[*view, *group]

// view is how the rows are looked at.
type view struct {
	*show.View
	exact bool   // --exact: rows do not mix nodes of different make
	asked string // the cluster, when one was asked for by name
}

// keyFunc says of a node and its partition what must be the same for two nodes
// to share a row.
type keyFunc func(*sched.Partition, *show.Node) string

// sort of column: what it is that nodes must have in common.
type sameness uint8

const (
	ofAll       sameness = iota // nothing: it is summed up or a range is printed
	ofNode                      // nodes that differ in it are rows apart
	ofPartition                 // partitions that differ in it are rows apart
	ofMake                      // a range is printed, but with --exact nodes that differ are rows apart
)

// field is a column with what its rows have in common.
type field struct {
	column
	same sameness
	key  keyFunc
}

// wholeHeader leaves the header as it is where the value is cut.
func (f field) wholeHeader() field { f.WholeHeader = true; return f }

// starred keeps the star behind a name that is cut.
func (f field) starred() field { f.Star = true; return f }

// partition is a field that belongs to the partition.
func partition(letter byte, names, header string, value func(*sched.Partition) string) field {
	return field{
		column: column{Letter: letter, Names: strings.Fields(names), Header: header, Value: func(_ *view, g *group) string { return value(g.part) }},
		same:   ofPartition, key: func(p *sched.Partition, _ *show.Node) string { return value(p) },
	}
}

// node is a field that all nodes of a row have in common; none is printed of an
// empty row.
func node(letter byte, names, header, none string, value func(*view, *show.Node) string) field {
	return field{
		column: column{Letter: letter, Names: strings.Fields(names), Header: header,
			Value: func(v *view, g *group) string {
				return g.ofFirst(func(n *show.Node) string { return value(v, n) }, none)
			}},
		same: ofNode, key: func(_ *sched.Partition, n *show.Node) string { return value(&view{View: &show.View{}}, n) },
	}
}

// ranged is a field of numbers: one when all nodes have the same, the least with
// a plus behind it otherwise.
func ranged(letter byte, names, header string, value func(*show.Node) int64) field {
	return field{
		column: column{Letter: letter, Names: strings.Fields(names), Header: header,
			Value: func(_ *view, g *group) string { return least(g, value) },
			Compare: show.By(func(_ *view, g *group) int64 {
				low, _ := g.span(value)
				return low
			})},
		same: ofMake, key: func(_ *sched.Partition, n *show.Node) string { return strconv.FormatInt(value(n), 10) },
	}
}

func least(g *group, value func(*show.Node) int64) string {
	low, high := g.span(value)
	if low == high {
		return strconv.FormatInt(low, 10)
	}
	return strconv.FormatInt(low, 10) + "+"
}

// sum is a field that is added up over the nodes.
func sum(letter byte, names, header string, value func(*group) string) field {
	return field{column: column{Letter: letter, Names: strings.Fields(names), Header: header, Value: func(_ *view, g *group) string { return value(g) }}}
}

// fields is what sinfo can print of nodes and partitions.
func fields() []field {
	cpus := func(n *show.Node) int64 { return int64(n.CPUs) }
	sockets := func(n *show.Node) int64 { return int64(n.Sockets) }
	cores := func(n *show.Node) int64 { return int64(n.Cores) }
	threads := func(n *show.Node) int64 { return int64(n.Threads) }
	list := []field{
		node(0, "AllocMem", "ALLOCMEM", "0", func(_ *view, n *show.Node) string { return strconv.FormatInt(int64(n.UsedMem), 10) }),
		partition('S', "AllocNodes", "ALLOCNODES", func(p *sched.Partition) string { return show.List(p.AllocNodes, "all") }),
		partition('a', "Available", "AVAIL", avail),
		{column: column{Letter: 'V', Names: []string{"Cluster"}, Header: "CLUSTER", Value: func(v *view, _ *group) string { return show.Or(v.asked, show.NA) }}},
		node(0, "Comment", "COMMENT", show.Null, func(_ *view, n *show.Node) string { return show.Or(n.Comment, show.Null) }),
		ranged('Y', "Cores", "CORES", cores),
		ranged('c', "CPUs", "CPUS", cpus),
		load(),
		sum('C', "CPUsState", "CPUS(A/I/O/T)", func(g *group) string { return g.cpuTally().aiot() }),
		partition('L', "DefaultTime", "DEFAULTTIME", func(p *sched.Partition) string { return limit(p.DefaultTime) }),
		ranged('d', "Disk", "TMP_DISK", func(n *show.Node) int64 { return int64(n.TmpDisk) }),
		node(0, "Extra", "EXTRA", show.Null, func(_ *view, n *show.Node) string { return show.Or(n.Extra, show.Null) }),
		node('f', "Features", "AVAIL_FEATURES", show.Null, func(_ *view, n *show.Node) string { return n.FeatureText() }),
		node('b', "features_act", "ACTIVE_FEATURES", show.Null, func(_ *view, n *show.Node) string { return n.ActiveText() }),
		freeMem(),
		node('G', "Gres", "GRES", show.Null, func(_ *view, n *show.Node) string { return n.GresText() }),
		node(0, "GresUsed", "GRES_USED", show.Null, func(_ *view, n *show.Node) string { return n.GresUsedText() }),
		partition('g', "Groups", "GROUPS", func(p *sched.Partition) string { return show.List(p.AllowGroups, "all") }),
		partition('B', "MaxCPUsPerNode", "MAX_CPUS_PER_NODE", func(p *sched.Partition) string { return show.CountOr(p.MaxCPUsPerNode, "UNLIMITED") }),
		ranged('m', "Memory", "MEMORY", func(n *show.Node) int64 { return int64(n.Memory) }),
		node('o', "NodeAddr", "NODE_ADDR", "", func(_ *view, n *show.Node) string { return show.Or(n.Addr, string(n.Name)) }),
		sum('A', "NodeAI", "NODES(A/I)", func(g *group) string { t := g.nodeTally(); return fmt.Sprintf("%d/%d", t.alloc, t.idle) }),
		sum('F', "NodeAIOT", "NODES(A/I/O/T)", func(g *group) string { return g.nodeTally().aiot() }),
		node('n', "NodeHost", "HOSTNAMES", "", func(_ *view, n *show.Node) string { return show.Or(n.Hostname, string(n.Name)) }),
		nodeList(),
		{column: column{Letter: 'D', Names: []string{"Nodes"}, Header: "NODES",
			Value:   func(_ *view, g *group) string { return strconv.Itoa(len(g.nodes)) },
			Compare: show.By(func(_ *view, g *group) int { return len(g.nodes) })}},
		partition('h', "OverSubscribe Share", "OVERSUBSCRIBE", func(p *sched.Partition) string { return show.Or(p.OverSubscribe, "NO") }),
		partition('P', "Partition", "PARTITION", starred).starred(),
		partition('R', "PartitionName", "PARTITION", func(p *sched.Partition) string { return string(p.Name) }),
		node(0, "Port", "PORT", "", func(_ *view, n *show.Node) string { return strconv.Itoa(n.Port) }),
		partition('M', "PreemptMode", "PREEMPT_MODE", func(p *sched.Partition) string { return show.Or(p.PreemptMode, "OFF") }),
		partition('I', "PriorityJobFactor", "PRIO_JOB_FACTOR", func(p *sched.Partition) string { return strconv.FormatUint(uint64(p.PriorityJobFactor), 10) }),
		partition('p', "PriorityTier", "PRIO_TIER", func(p *sched.Partition) string { return strconv.FormatUint(uint64(p.PriorityTier), 10) }),
		node('E', "Reason", "REASON", "none", func(_ *view, n *show.Node) string { return show.Or(n.Reason, "none") }),
		node('i', "Reservation", "RESERVATION", "", func(_ *view, n *show.Node) string { return n.Reservation }),
		partition('r', "Root", "ROOT", func(p *sched.Partition) string { return strings.ToLower(show.YesNo(p.RootOnly)) }),
		partition('s', "Size", "JOB_SIZE", jobSize),
		ranged('X', "Sockets", "SOCKETS", sockets),
		{column: column{Letter: 'z', Names: []string{"SocketCoreThread"}, Header: "S:C:T", Value: func(_ *view, g *group) string {
			return least(g, sockets) + ":" + least(g, cores) + ":" + least(g, threads)
		}}, same: ofMake, key: func(_ *sched.Partition, n *show.Node) string {
			return fmt.Sprintf("%d:%d:%d", n.Sockets, n.Cores, n.Threads)
		}},
		state('t', "StateCompact", "STATE", func(s slurm.NodeState) string { return s.Short() }),
		state(0, "StateComplete", "STATECOMPLETE", slurm.NodeState.String),
		state('T', "StateLong State", "STATE", func(s slurm.NodeState) string { return s.Long() }),
		ranged('Z', "Threads", "THREADS", threads),
		partition('l', "Time", "TIMELIMIT", func(p *sched.Partition) string { return limit(p.MaxTime) }),
		node('H', "TimeStamp", "TIMESTAMP", "Unknown", timeStamp),
		node('u', "User", "USER", "Unknown", func(_ *view, n *show.Node) string { return n.ReasonBy() }),
		node('U', "UserLong", "USER", "Unknown", userLong),
		node('v', "Version", "VERSION", "", func(_ *view, n *show.Node) string { return show.Or(n.Version, "none") }),
		ranged('w', "Weight", "WEIGHT", func(n *show.Node) int64 { return int64(n.Weight) }),
	}
	return list
}

// columns are the fields without what they have to do with rows.
func columns() []column {
	list := fields()
	out := make([]column, len(list))
	for i, f := range list {
		out[i] = f.column
	}
	return out
}

func (t tally) aiot() string { return fmt.Sprintf("%d/%d/%d/%d", t.alloc, t.idle, t.other, t.total) }

func nodeList() field {
	return field{column: column{Letter: 'N', Names: []string{"NodeList"}, Header: "NODELIST",
		Value: func(_ *view, g *group) string { return slurm.Compress(g.names()) },
		Compare: func(_ *view, a, b *group) int {
			x, y := a.names(), b.names()
			if len(x) == 0 || len(y) == 0 {
				return cmp.Compare(len(x), len(y))
			}
			return show.CompareNames(x[0], y[0])
		}}}.wholeHeader()
}

// coarse is the state as sinfo tells it: what is drained or reserved is not told to
// be in use in part only.
func coarse(s slurm.NodeState) slurm.NodeState {
	if s.Base() == slurm.NodeMixed && s&(slurm.NodeDrain|slurm.NodeReserved|slurm.NodeMaint) != 0 {
		return s.Flags() | slurm.NodeAllocated
	}
	return s
}

// state is a field that words a node's state.
func state(letter byte, names, header string, word func(slurm.NodeState) string) field {
	f := node(letter, names, header, "n/a", func(_ *view, n *show.Node) string { return strings.ToLower(word(coarse(n.NodeState()))) })
	f.Compare = show.By(func(_ *view, g *group) uint64 {
		if n := g.first(); n != nil {
			return show.StateRank(n.NodeState())
		}
		return 0
	})
	return f
}

// load is the load of the nodes, a range when it differs.
func load() field {
	value := func(n *show.Node) int64 {
		if !n.LoadKnown {
			return -1
		}
		return int64(n.Load*100 + 0.5)
	}
	text := func(hundredths int64) string {
		if hundredths < 0 {
			return show.NA
		}
		return fmt.Sprintf("%.2f", float64(hundredths)/100)
	}
	return extremes('O', "CPUsLoad", "CPU_LOAD", value, text)
}

// freeMem is the memory the nodes' kernels have free, a range when it differs.
func freeMem() field {
	value := func(n *show.Node) int64 {
		if !n.LoadKnown {
			return -1
		}
		return int64(n.FreeMem)
	}
	text := func(mb int64) string {
		if mb < 0 {
			return show.NA
		}
		return strconv.FormatInt(mb, 10)
	}
	return extremes('e', "FreeMem", "FREE_MEM", value, text)
}

// extremes is a field that prints the least and the greatest value.
func extremes(letter byte, name, header string, value func(*show.Node) int64, text func(int64) string) field {
	f := ranged(letter, name, header, value)
	f.Value = func(_ *view, g *group) string {
		low, high := g.span(value)
		if len(g.nodes) == 0 {
			low, high = -1, -1
		}
		if low == high {
			return text(low)
		}
		return text(low) + "-" + text(high)
	}
	return f
}

func avail(p *sched.Partition) string {
	return strings.ToLower(show.Or(p.State, "UP"))
}

// limit prints a partition's time limit.
func limit(d slurm.Duration) string {
	switch d {
	case slurm.Unlimited:
		return "infinite"
	case 0:
		return "n/a"
	}
	return d.Short()
}

// starred is the partition's name, with a star when it is the default one.
func starred(p *sched.Partition) string {
	if p.Default {
		return string(p.Name) + "*"
	}
	return string(p.Name)
}

// jobSize is how many nodes a job may have in the partition.
func jobSize(p *sched.Partition) string {
	low := max(1, p.MinNodes)
	switch {
	case p.MaxNodes == 0:
		return strconv.Itoa(low) + "-infinite"
	case p.MaxNodes == low:
		return strconv.Itoa(low)
	}
	return strconv.Itoa(low) + "-" + strconv.Itoa(p.MaxNodes)
}

func timeStamp(v *view, n *show.Node) string {
	if n.Reason == "" {
		return "Unknown"
	}
	if v.Now.IsZero() { // as a key
		return strconv.FormatInt(n.ReasonTime.Unix(), 10)
	}
	return v.Time(n.ReasonTime, "Unknown")
}

func userLong(_ *view, n *show.Node) string {
	if n.Reason == "" {
		return "Unknown"
	}
	return fmt.Sprintf("%s(%d)", n.ReasonBy(), n.ReasonUID)
}
