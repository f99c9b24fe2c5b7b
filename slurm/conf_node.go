package slurm

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Unset is the value of a span of time that a node or partition does not say:
// the cluster's holds.
const Unset Duration = -1

// NodeConf is a node as slurm.conf describes it. A line with a host list makes
// one for each host.
type NodeConf struct {
	Name, Hostname, Addr  string // Hostname is Name, and Addr is Hostname, where not said
	Port                  int    // SlurmdPort where not said
	CPUs                  int
	Boards                int
	Sockets               int // of all boards
	CoresPerSocket        int
	ThreadsPerCore        int
	RealMemory, TmpDisk   MB
	MemSpecLimit          MB // kept for the system
	CoreSpecCount         int
	CPUSpecList           IndexSet
	Weight                int
	Features              []string
	CPUBind               string // how tasks are bound there when nobody says; "": TaskPluginParam says
	Gres                  []NodeGres
	State, Reason         string // UNKNOWN, DOWN, DRAIN, FAIL, FUTURE or CLOUD
	SuspendTime           Duration
	RestrictedCoresPerGPU int
	File                  string
	Line                  int

	hostnames, addrs, ports string // lists as given
	socketsPerBoard         int
}

// NodeSetConf is a NodeSet line: nodes under one name, listed or by a feature.
type NodeSetConf struct {
	Name, Feature string
	Nodes         string
	File          string
	Line          int
}

// DownNodesConf is a DownNodes line: nodes that start out of service.
type DownNodesConf struct {
	Nodes         HostList
	State, Reason string
}

// recordKey is one key of a line of nodes or partitions.
type recordKey[T any] struct {
	name    string
	verdict Verdict
	why     string
	set     func(rec *T, value string) error
}

// recordKeyOf finds a key.
func recordKeyOf[T any](keys []recordKey[T], name string) *recordKey[T] {
	for i := range keys {
		if strings.EqualFold(keys[i].name, name) {
			return &keys[i]
		}
	}
	return nil
}

// fill applies the pairs of a line, reporting on each unless quiet. It reports
// false when a value was refused.
func fill[T any](p *confParser, l *confLine, keys []recordKey[T], rec *T, pairs []confPair, quiet bool) bool {
	good := true
	for _, pair := range pairs {
		k := recordKeyOf(keys, pair.key)
		switch {
		case k == nil:
			p.report(l, pair.key, pair.value, Refused, "there is no such key on a line of this kind")
			good = false
			continue
		case pair.op != 0:
			p.report(l, k.name, pair.value, Refused, string(rune(pair.op))+"= is not meaningful here")
			good = false
			continue
		}
		if k.set != nil {
			if err := k.set(rec, pair.value); err != nil {
				p.report(l, k.name, pair.value, Refused, err.Error())
				good = false
				continue
			}
		}
		if !quiet {
			p.report(l, k.name, pair.value, k.verdict, k.why)
		}
	}
	return good
}

// Setters of fields of a record.

func recText[T any](name string, field func(*T) *string) recordKey[T] {
	return recordKey[T]{name: name, set: func(r *T, v string) error { *field(r) = v; return nil }}
}

func recCount[T any](name string, least, most int, field func(*T) *int) recordKey[T] {
	return recordKey[T]{name: name, set: func(r *T, v string) (err error) { *field(r), err = confCount(v, least, most); return err }}
}

// recLimit is a count where UNLIMITED, INFINITE and -1 are 0: no limit.
func recLimit[T any](name string, field func(*T) *int) recordKey[T] {
	return recordKey[T]{name: name, set: func(r *T, v string) (err error) {
		if strings.EqualFold(v, "unlimited") || strings.EqualFold(v, "infinite") || v == "-1" {
			*field(r) = 0
			return nil
		}
		*field(r), err = confCount(v, 0, maxNodeCount)
		return err
	}}
}

func recMemory[T any](name string, field func(*T) *MB) recordKey[T] {
	return recordKey[T]{name: name, set: func(r *T, v string) (err error) { *field(r), err = confMemory(v); return err }}
}

func recFlag[T any](name string, field func(*T) *bool) recordKey[T] {
	return recordKey[T]{name: name, set: func(r *T, v string) (err error) { *field(r), err = confFlag(v); return err }}
}

func recSpan[T any](name string, unit Duration, field func(*T) *Duration) recordKey[T] {
	return recordKey[T]{name: name, set: func(r *T, v string) (err error) { *field(r), err = confSpan(v, unit); return err }}
}

func recIdle[T any](name, why string) recordKey[T] {
	return recordKey[T]{name: name, verdict: Ignored, why: why}
}

var nodeStates = []string{"UNKNOWN", "IDLE", "DOWN", "DRAIN", "FAIL", "FAILING", "FUTURE", "CLOUD", "EXTERNAL"}

// nodeKeys are the keys of a NodeName line.
var nodeKeys = []recordKey[NodeConf]{
	recText("NodeHostname", func(n *NodeConf) *string { return &n.hostnames }),
	recText("NodeAddr", func(n *NodeConf) *string { return &n.addrs }),
	recText("Port", func(n *NodeConf) *string { return &n.ports }),
	recIdle[NodeConf]("BcastAddr", "sbcast goes the way of all messages"),
	recCount("Boards", 1, 1<<16, func(n *NodeConf) *int { return &n.Boards }),
	recCount("CoreSpecCount", 0, 1<<16, func(n *NodeConf) *int { return &n.CoreSpecCount }),
	recCount("CoresPerSocket", 1, 1<<16, func(n *NodeConf) *int { return &n.CoresPerSocket }),
	{name: "CpuBind", set: func(n *NodeConf, v string) (err error) { n.CPUBind, err = ParseNodeBind(v); return err }},
	recCount("CPUs", 1, 1<<20, func(n *NodeConf) *int { return &n.CPUs }),
	recCount("Procs", 1, 1<<20, func(n *NodeConf) *int { return &n.CPUs }),
	{name: "CPUSpecList", set: func(n *NodeConf, v string) (err error) { n.CPUSpecList, err = ParseIndexSet(v, 1<<20); return err }},
	{name: "Feature", set: setFeatures},
	{name: "Features", set: setFeatures},
	{name: "Gres", set: func(n *NodeConf, v string) (err error) { n.Gres, err = parseNodeGresConf(v); return err }},
	recIdle[NodeConf]("GresConf", "gres.conf describes the devices of all nodes"),
	recMemory("MemSpecLimit", func(n *NodeConf) *MB { return &n.MemSpecLimit }),
	recIdle[NodeConf]("Parameters", "nodes have no parameters of their own"),
	recMemory("RealMemory", func(n *NodeConf) *MB { return &n.RealMemory }),
	recText("Reason", func(n *NodeConf) *string { return &n.Reason }),
	recCount("RestrictedCoresPerGPU", 0, 1<<16, func(n *NodeConf) *int { return &n.RestrictedCoresPerGPU }).idle("cores are not kept back for GPUs"),
	recCount("Sockets", 1, 1<<16, func(n *NodeConf) *int { return &n.Sockets }),
	recCount("SocketsPerBoard", 1, 1<<16, func(n *NodeConf) *int { return &n.socketsPerBoard }),
	{name: "State", set: func(n *NodeConf, v string) error {
		n.State = strings.ToUpper(v)
		if !slices.Contains(nodeStates, n.State) {
			return errorString(quote(v) + " is none of " + strings.Join(nodeStates, ", "))
		}
		return nil
	}},
	recSpan("SuspendTime", 1, func(n *NodeConf) *Duration { return &n.SuspendTime }),
	recCount("ThreadsPerCore", 1, 1<<10, func(n *NodeConf) *int { return &n.ThreadsPerCore }),
	recMemory("TmpDisk", func(n *NodeConf) *MB { return &n.TmpDisk }),
	recIdle[NodeConf]("Topology", "topology.conf describes the network"),
	recIdle[NodeConf]("TRESWeights", "billing goes by partition"),
	recCount("Weight", 0, 1<<31-1, func(n *NodeConf) *int { return &n.Weight }),
}

// idle turns a key into one that is read and changes nothing.
func (k recordKey[T]) idle(why string) recordKey[T] {
	k.verdict, k.why = Ignored, why
	return k
}

func setFeatures(n *NodeConf, v string) error {
	n.Features = splitList(v)
	for _, f := range n.Features {
		if strings.ContainsAny(f, "&|*()[]! \t") {
			return errorString(quote(f) + " cannot be a feature: a constraint could not name it")
		}
	}
	return nil
}

// parseNodeGresConf reads the Gres of a node: name[:type][:no_consume][:count][(S:sockets)].
func parseNodeGresConf(v string) ([]NodeGres, error) {
	if strings.EqualFold(v, "none") || strings.EqualFold(v, "(null)") {
		return nil, nil
	}
	return ParseNodeGres(strings.ReplaceAll(v, ":no_consume", ""))
}

// nodeLine takes a NodeName line.
func (p *confParser) nodeLine(l *confLine) {
	name := l.pairs[0].value
	n := NodeConf{Boards: 1, CoresPerSocket: 1, ThreadsPerCore: 1, RealMemory: 1, Weight: 1, State: "UNKNOWN", SuspendTime: Unset, File: l.file, Line: l.line}
	if strings.EqualFold(name, "DEFAULT") {
		p.report(l, "NodeName", name, Honoured, "")
		if fill(p, l, nodeKeys, &n, l.pairs[1:], false) {
			p.nodeDefault = append(p.nodeDefault, l.pairs[1:]...)
		}
		return
	}
	hosts, err := ParseHostList(name)
	if err != nil || hosts.Len() == 0 {
		p.report(l, "NodeName", name, Refused, fmt.Sprint(orText(err, "it names no node")))
		return
	}
	p.report(l, "NodeName", name, Honoured, "")
	fill(p, l, nodeKeys, &n, p.nodeDefault, true)
	if !fill(p, l, nodeKeys, &n, l.pairs[1:], false) {
		return
	}
	p.shape(l, &n)
	hostnames, err1 := spread("NodeHostname", n.hostnames, hosts)
	addrs, err2 := spread("NodeAddr", n.addrs, hosts)
	ports, err3 := spread("Port", n.ports, hosts)
	for _, err := range []error{err1, err2, err3} {
		if err != nil {
			p.errs = append(p.errs, l.errorf("cannot use NodeName=%s: %v", name, err))
			return
		}
	}
	for i, host := range hosts.Hosts() {
		node := n
		node.Name, node.Hostname, node.Addr = host, host, ""
		if len(hostnames) > 0 {
			node.Hostname = hostnames[i%len(hostnames)]
		}
		node.Addr = node.Hostname
		if len(addrs) > 0 {
			node.Addr = addrs[i%len(addrs)]
		}
		if len(ports) > 0 {
			port, err := confCount(ports[i%len(ports)], 1, 65535)
			if err != nil {
				p.errs = append(p.errs, l.errorf("cannot use Port=%s: %v", n.ports, err))
				return
			}
			node.Port = port
		}
		p.conf.Nodes = append(p.conf.Nodes, node)
	}
}

func orText(err error, otherwise string) string {
	if err != nil {
		return err.Error()
	}
	return otherwise
}

// spread expands a list that goes with the nodes of a line: one for all, or one
// for each.
func spread(key, list string, hosts HostList) ([]string, error) {
	if list == "" {
		return nil, nil
	}
	values, err := ParseHostList(list)
	if err != nil {
		return nil, err
	}
	if n := values.Len(); n != 1 && n != hosts.Len() {
		return nil, fmt.Errorf("%s=%s stands for %d hosts, the line for %d nodes", key, list, n, hosts.Len())
	}
	return values.Hosts(), nil
}

// shape makes CPUs, sockets, cores and threads agree. A number of CPUs that fits
// none of the ways to count them gives way to the product, as in Slurm.
func (p *confParser) shape(l *confLine, n *NodeConf) {
	if n.socketsPerBoard > 0 {
		n.Sockets = n.Boards * n.socketsPerBoard
	}
	if n.Sockets == 0 {
		n.Sockets = n.Boards
		if n.CPUs > 0 && n.CoresPerSocket == 1 && n.ThreadsPerCore == 1 {
			n.Sockets = n.CPUs
		}
	}
	cores := n.Sockets * n.CoresPerSocket
	threads := cores * n.ThreadsPerCore
	switch n.CPUs {
	case 0:
		n.CPUs = threads
	case n.Sockets, cores, threads:
	default:
		p.report(l, "CPUs", strconv.Itoa(n.CPUs), Ignored,
			fmt.Sprintf("%d sockets of %d cores with %d threads are %d CPUs", n.Sockets, n.CoresPerSocket, n.ThreadsPerCore, threads))
		n.CPUs = threads
	}
}

func (p *confParser) nodeSetLine(l *confLine) {
	set := NodeSetConf{Name: l.pairs[0].value, File: l.file, Line: l.line}
	keys := []recordKey[NodeSetConf]{
		recText("Nodes", func(s *NodeSetConf) *string { return &s.Nodes }),
		recText("Feature", func(s *NodeSetConf) *string { return &s.Feature }),
	}
	p.report(l, "NodeSet", set.Name, Honoured, "")
	if fill(p, l, keys, &set, l.pairs[1:], false) {
		p.conf.NodeSets = append(p.conf.NodeSets, set)
	}
}

func (p *confParser) downNodesLine(l *confLine) {
	down := DownNodesConf{State: "DOWN"}
	hosts, err := ParseHostList(l.pairs[0].value)
	if err != nil {
		p.report(l, "DownNodes", l.pairs[0].value, Refused, err.Error())
		return
	}
	down.Nodes = hosts
	states := []string{"DOWN", "DRAIN", "FAIL", "FAILING", "FUTURE"}
	keys := []recordKey[DownNodesConf]{
		recText("Reason", func(d *DownNodesConf) *string { return &d.Reason }),
		{name: "State", set: func(d *DownNodesConf, v string) error {
			d.State = strings.ToUpper(v)
			if !slices.Contains(states, d.State) {
				return errorString(quote(v) + " is none of " + strings.Join(states, ", "))
			}
			return nil
		}},
	}
	p.report(l, "DownNodes", l.pairs[0].value, Honoured, "")
	if fill(p, l, keys, &down, l.pairs[1:], false) {
		p.conf.DownNodes = append(p.conf.DownNodes, down)
	}
}

// finishNodes checks the nodes as a whole and gives them the ports they lack.
func (p *confParser) finishNodes() {
	at := make(map[string]*NodeConf, len(p.conf.Nodes))
	for i := range p.conf.Nodes {
		n := &p.conf.Nodes[i]
		if n.Port == 0 {
			n.Port = p.conf.SlurmdPort
		}
		l := &confLine{file: n.File, line: n.Line}
		if first, ok := at[n.Name]; ok {
			p.errs = append(p.errs, l.errorf("cannot use node %s: it is described at %s:%d already", n.Name, first.File, first.Line))
			continue
		}
		at[n.Name] = n
		for _, g := range n.Gres {
			if !slices.Contains(p.conf.GresTypes, g.Name) {
				p.errs = append(p.errs, l.errorf("cannot use Gres=%s of node %s: GresTypes has no %s", g.String(), n.Name, g.Name))
			}
		}
	}
	for _, d := range p.conf.DownNodes {
		for _, name := range d.Nodes.Hosts() {
			n, ok := at[name]
			if !ok {
				p.errs = append(p.errs, fmt.Errorf("cannot use DownNodes=%s: no NodeName line describes %s", d.Nodes, name))
				break
			}
			n.State, n.Reason = d.State, d.Reason
		}
	}
}
