package sched

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/runink/rink/slurm"
)

// NewConfig returns the configuration the scheduler works by and the nodes it
// describes, in its order and with nothing known of them yet. gres is what
// gres.conf says, nil without one: slurm.conf says how much of a generic
// resource a node has, gres.conf which devices they are.
func NewConfig(conf *slurm.Conf, gres *slurm.GresConf) (*Config, []*Node, error) {
	if err := checkPolicy(conf); err != nil {
		return nil, nil, err
	}
	c := &Config{
		Conf:              conf,
		Licenses:          PlusLicenses(slurm.Licenses{}, conf.Licenses),
		WholeNodes:        strings.EqualFold(conf.SelectType, "select/linear"),
		KillInvalidDepend: conf.DependencyParameters.Has("kill_invalid_depend"),
		FirstJobID:        slurm.JobID(conf.FirstJobID),
		MaxJobID:          slurm.JobID(conf.MaxJobID),
		MaxJobs:           conf.MaxJobCount,
		MaxSteps:          uint32(max(conf.MaxStepCount, 0)),
	}
	for _, word := range conf.SelectTypeParameters {
		c.TracksMemory = c.TracksMemory || strings.HasSuffix(strings.ToUpper(word), "MEMORY")
	}
	nodes := make([]*Node, len(conf.Nodes))
	at := make(map[NodeName]int, len(conf.Nodes))
	for i := range conf.Nodes {
		var lines []slurm.GresLine
		detect := ""
		if gres != nil {
			lines, detect = gres.ForNode(conf.Nodes[i].Name)
		}
		n, err := newNode(&conf.Nodes[i], i, lines)
		if err != nil {
			return nil, nil, fmt.Errorf("cannot use node %s: %w", conf.Nodes[i].Name, err)
		}
		n.AutoDetect = detect
		nodes[i] = n
		at[n.Name] = i
	}
	for i := range conf.Partitions {
		p, err := newPartition(&conf.Partitions[i], i, at)
		if err != nil {
			return nil, nil, fmt.Errorf("cannot use partition %s: %w", conf.Partitions[i].Name, err)
		}
		if p.Default {
			c.Default = p.Name
		}
		c.Partitions = append(c.Partitions, p)
	}
	return c, nodes, nil
}

// newNode returns a node as configured. Memory that MemSpecLimit keeps for the
// system is not the scheduler's to know of.
func newNode(n *slurm.NodeConf, index int, lines []slurm.GresLine) (*Node, error) {
	out := &Node{
		Name: NodeName(n.Name), Hostname: n.Hostname, Addr: n.Addr, Port: n.Port, Index: index,
		CPUs: n.CPUs, Boards: n.Boards, Sockets: n.Sockets, Cores: n.CoresPerSocket, Threads: n.ThreadsPerCore,
		Memory: max(n.RealMemory-n.MemSpecLimit, 1), TmpDisk: n.TmpDisk, Weight: uint32(n.Weight),
		Features: slices.Clone(n.Features), CoreSpec: n.CoreSpecCount, CPUBind: n.CPUBind,
	}
	if threads := max(n.ThreadsPerCore, 1); out.CoreSpec == 0 {
		out.CoreSpec = (n.CPUSpecList.Len() + threads - 1) / threads
	}
	switch n.State {
	case "DOWN":
		out.State = slurm.NodeDown
	case "DRAIN":
		out.State = slurm.NodeUnknown | slurm.NodeDrain
	case "FAIL", "FAILING":
		out.State = slurm.NodeUnknown | slurm.NodeFail
	case "FUTURE":
		out.State = slurm.NodeFuture
	case "CLOUD":
		// It is off until it is called for.
		out.State = slurm.NodeIdle | slurm.NodeCloud | slurm.NodePoweredDown
	case "EXTERNAL":
		out.State = slurm.NodeUnknown | slurm.NodeExternal
	}
	if out.State != slurm.NodeUnknown && !out.State.Has(slurm.NodeCloud) {
		out.Reason = n.Reason
	}
	for _, g := range n.Gres {
		list, err := devicesOf(g, lines)
		if err != nil {
			return nil, err
		}
		out.Gres = append(out.Gres, list...)
	}
	return out, nil
}

// devicesOf returns a generic resource of a node with its devices, one entry for
// each type that gres.conf tells apart where slurm.conf does not.
func devicesOf(g slurm.NodeGres, lines []slurm.GresLine) ([]NodeGres, error) {
	left := g.Count
	var out []NodeGres
	var ties boards
	var cores []slurm.IndexSet
	place := 0 // of the line's first device among all of the name
	for _, l := range lines {
		first := place
		if l.Name == g.Name {
			place += int(l.Count)
		}
		if l.Name != g.Name || g.Type != "" && l.Type != "" && l.Type != g.Type || left == 0 {
			continue
		}
		typ := cmp.Or(g.Type, l.Type)
		at := slices.IndexFunc(out, func(have NodeGres) bool { return have.Type == typ })
		if at < 0 {
			at = len(out)
			out, cores = append(out, NodeGres{Name: g.Name, Type: typ}), append(cores, slurm.IndexSet{})
		}
		n := min(l.Count, left)
		left -= n
		// Without files for all of them there are none: a number would not say
		// which device is meant.
		if files := filesOf(l); files != nil && int64(len(out[at].Files)) == out[at].Count {
			out[at].Files = append(out[at].Files, files[:n]...)
		} else {
			out[at].Files = nil
		}
		ties.add(at, first, l, n)
		out[at].Count += n
		cores[at] = cores[at].Union(l.Cores)
	}
	if len(out) == 0 {
		one := NodeGres{Name: g.Name, Type: g.Type, Count: g.Count}
		if slices.ContainsFunc(lines, func(l slurm.GresLine) bool { return l.Name == g.Name }) {
			one.Lacks = g.Count // it names others alone
		}
		return []NodeGres{one}, nil
	}
	if left > 0 {
		one := &out[len(out)-1]
		one.Count, one.Lacks, one.Files = one.Count+left, left, nil
	}
	for i := range out {
		if !cores[i].IsEmpty() {
			out[i].Cores = cores[i].String()
		}
		if len(out[i].Files) > 0 {
			out[i].Links, out[i].Near = ties.of(i)
		}
	}
	return out, nil
}

// filesOf returns the device file of each unit that a line describes, nil when
// it names none. Units that share a device follow each other; the devices of
// one unit are separated by commas.
func filesOf(l slurm.GresLine) []string {
	list := l.Files
	if len(l.MultipleFiles) > 0 {
		list = []string{strings.Join(l.MultipleFiles, ",")}
	}
	if len(list) == 0 || l.Count%int64(len(list)) != 0 {
		return nil
	}
	var files []string
	for _, f := range list {
		for range l.Count / int64(len(list)) {
			files = append(files, f)
		}
	}
	return files
}

// newPartition returns a partition as configured, its nodes in the order of the
// configuration.
func newPartition(p *slurm.PartitionConf, index int, at map[NodeName]int) (*Partition, error) {
	out := &Partition{
		Name: PartitionName(p.Name), NodesText: p.NodesText, Default: p.Default, State: p.State, Index: index,
		MaxTime: p.MaxTime, DefaultTime: max(p.DefaultTime, 0), MinNodes: p.MinNodes, MaxNodes: p.MaxNodes,
		MaxCPUsPerNode: p.MaxCPUsPerNode, MaxCPUsPerSocket: p.MaxCPUsPerSocket, ExclusiveTopo: p.ExclusiveTopo, CPUBind: p.CPUBind, DefMemPerCPU: p.DefMemPerCPU, DefMemPerNode: p.DefMemPerNode,
		MaxMemPerCPU: p.MaxMemPerCPU, MaxMemPerNode: p.MaxMemPerNode, OverTimeLimit: max(p.OverTimeLimit, 0), GraceTime: p.GraceTime,
		PriorityTier: uint32(p.PriorityTier), PriorityJobFactor: uint32(p.PriorityJobFactor),
		PreemptMode: strings.Join(p.PreemptMode, ","), OverSubscribe: p.OverSubscribe,
		AllowAccounts: p.AllowAccounts, DenyAccounts: p.DenyAccounts, AllowGroups: p.AllowGroups, AllowQOS: p.AllowQOS,
		Quota: p.Quota, DenyQOS: p.DenyQOS, AllocNodes: p.AllocNodes, QOS: p.QOS, Alternate: p.Alternate, DisableRootJobs: p.DisableRootJobs,
		RootOnly: p.RootOnly, ReqResv: p.ReqResv, Hidden: p.Hidden, LLN: p.LLN, ExclusiveUser: p.ExclusiveUser,
	}
	if p.OverSubscribeJobs > 0 {
		out.OverSubscribe += ":" + strconv.Itoa(p.OverSubscribeJobs)
	}
	for name := range p.Nodes.All() {
		if _, ok := at[NodeName(name)]; !ok {
			return nil, fmt.Errorf("node %q: %w", name, slurm.ErrnoInvalidNodeName)
		}
		out.Nodes = append(out.Nodes, NodeName(name))
	}
	slices.SortFunc(out.Nodes, func(a, b NodeName) int { return cmp.Compare(at[a], at[b]) })
	var defaults, weights []string
	if p.DefCPUPerGPU > 0 {
		defaults = append(defaults, fmt.Sprintf("DefCpuPerGPU=%d", p.DefCPUPerGPU))
	}
	if p.DefMemPerGPU > 0 {
		defaults = append(defaults, fmt.Sprintf("DefMemPerGPU=%d", p.DefMemPerGPU))
	}
	out.JobDefaults = strings.Join(defaults, ",")
	for _, w := range p.TRESBillingWeights {
		text := w.TRES + "=" + strconv.FormatFloat(w.Weight, 'f', -1, 64)
		if w.Unit != 0 {
			text += string(w.Unit)
		}
		weights = append(weights, text)
	}
	out.BillingWeights = strings.Join(weights, ",")
	if p.Slice != nil {
		out.Slice = p.Slice.OwnText()
	}
	return out, nil
}
