package scontrol

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// slurmdPort is the port that is not worth a mention.
const slurmdPort = 6818

// showNodes is "show node [NODES]".
func (c *call) showNodes(list string) int {
	var names []string
	if list != "" {
		hosts, err := slurm.ParseHostList(list)
		if err != nil {
			return c.failed("slurm_load_node error", slurm.ErrnoInvalidNodeName)
		}
		names = hosts.Hosts()
	}
	nodes, err := show.Nodes(c.env, c.client, names...)
	if err != nil {
		return c.failed("slurm_load_node error", err)
	}
	parts, err := show.Partitions(c.env, c.client)
	if err != nil {
		return c.failed("slurm_load_node error", err)
	}
	c.view.SetWeights(parts)
	byName := map[string]*show.Node{}
	var all []*show.Node
	for _, n := range nodes {
		if c.o.future || n.State.Base() != slurm.NodeFuture {
			byName[string(n.Name)] = n
			all = append(all, n)
		}
	}
	if c.o.encoding.On() {
		data := make([]any, len(all))
		for i, n := range all {
			data[i] = c.view.NodeData(n, parts)
		}
		return c.dataOf("nodes", data, "Node", slices.DeleteFunc(names, func(n string) bool { return byName[n] != nil })...)
	}
	var b strings.Builder
	code := 0
	if len(names) == 0 {
		for _, n := range all {
			b.WriteString(c.nodeRecord(n, parts))
		}
		if len(all) == 0 {
			b.WriteString("No nodes in the system\n")
		}
	}
	for _, name := range names {
		if n := byName[name]; n != nil {
			b.WriteString(c.nodeRecord(n, parts))
			continue
		}
		code = 1
		fmt.Fprintf(&b, "Node %s not found\n", name)
	}
	c.print(b.String())
	return code
}

// nodeRecord is the record of a node.
func (c *call) nodeRecord(n *show.Node, parts []*sched.Partition) string {
	v := c.view
	r := newRecord(c.o.oneLine)
	r.put("NodeName", string(n.Name))
	if n.Arch != "" {
		r.text(" ")
		r.put("Arch", n.Arch)
	}
	if n.CPUBind != "" {
		r.text(" ")
		r.put("CpuBind", n.CPUBind)
	}
	r.text(" ")
	r.put("CoresPerSocket", strconv.Itoa(n.Cores))
	r.text(" ")
	load, free := show.NA, show.NA
	if n.LoadKnown {
		load, free = fmt.Sprintf("%.2f", n.Load), strconv.FormatInt(int64(n.FreeMem), 10)
	}
	r.line("CPUAlloc", strconv.Itoa(n.UsedCPUs), "CPUEfctv", strconv.Itoa(max(0, n.CPUs-n.CoreSpec*max(1, n.Threads))), "CPUTot", strconv.Itoa(n.CPUs), "CPULoad", load)
	r.line("AvailableFeatures", n.FeatureText())
	r.line("ActiveFeatures", n.ActiveText())
	r.line("Gres", n.GresText())
	if c.o.details > 0 {
		r.line("GresDrain", show.Or(sched.SickGres(n.Node), show.NA))
		r.line("GresUsed", n.GresUsedText())
		if n.Fabric != "" { // ours: the nodes whose GPUs NVLinks tie to those of this one
			r.line("GPUFabric", n.Fabric)
		}
	}
	r.line("NodeAddr", show.Or(n.Addr, string(n.Name)), "NodeHostName", show.Or(n.Hostname, string(n.Name)))
	if n.Port != 0 && n.Port != slurmdPort {
		r.text(" ")
		r.put("Port", strconv.Itoa(n.Port))
	}
	if n.Version != "" {
		r.text(" ")
		r.put("Version", n.Version)
	}
	if n.OS != "" {
		r.line("OS", n.OS)
		r.text(" ")
	}
	r.line("RealMemory", strconv.FormatInt(int64(n.Memory), 10), "AllocMem", strconv.FormatInt(int64(n.UsedMem), 10), "FreeMem", free,
		"Sockets", strconv.Itoa(n.Sockets), "Boards", strconv.Itoa(max(1, n.Boards)))
	if n.CoreSpec > 0 {
		r.line("CoreSpecCount", strconv.Itoa(n.CoreSpec))
	}
	holder := show.NA
	if n.ExclusiveBy != 0 && n.ExclusiveUser != sched.NoUser {
		holder = strconv.FormatUint(uint64(n.ExclusiveUser), 10)
	}
	r.line("State", n.NodeState().String(), "ThreadsPerCore", strconv.Itoa(n.Threads), "TmpDisk", strconv.FormatInt(int64(n.TmpDisk), 10),
		"Weight", strconv.FormatUint(uint64(n.Weight), 10), "Owner", holder, "MCS_label", show.NA)
	if n.NextState != 0 {
		next := "RESUME"
		if n.NextState == slurm.NodeDown {
			next = "DOWN"
		}
		r.line("NextState", next)
	}
	names := show.PartitionsOf(n.Name, parts)
	if len(names) > 0 {
		r.line("Partitions", strings.Join(names, ","))
		r.text(" ")
	}
	r.line("BootTime", v.Time(n.BootTime, "None"), "SlurmdStartTime", v.Time(n.AgentStart, "None"))
	r.line("LastBusyTime", v.Time(lastBusy(n), "Unknown"))
	weights := ""
	if len(names) > 0 {
		weights = v.Weights[sched.PartitionName(names[0])]
	}
	r.line("CfgTRES", n.Configured(weights).String())
	r.line("AllocTRES", n.Used().String())
	r.line("CapWatts", "n/a")
	r.line("CurrentWatts", "0", "AveWatts", "0")
	r.line("ExtSensorsJoules", "n/s", "ExtSensorsWatts", "0", "ExtSensorsTemp", "n/s")
	if n.Reason != "" {
		r.line("Reason", n.Reason)
		if !n.ReasonTime.IsZero() {
			r.text(" [" + n.ReasonBy() + "@" + v.Time(n.ReasonTime, "Unknown") + "]")
		}
	}
	if n.Reservation != "" {
		r.line("ReservationName", n.Reservation)
	}
	for _, p := range [][2]string{{"Comment", n.Comment}, {"Extra", n.Extra}} {
		if p[1] != "" {
			r.line(p[0], p[1])
		}
	}
	return r.close()
}

// lastBusy is when a node last had work; one that had none since its agent came up
// counts from then.
func lastBusy(n *show.Node) time.Time {
	if n.LastBusy.IsZero() {
		return n.AgentStart
	}
	return n.LastBusy
}

// createNode is "create NodeName=NAME ...": the nodes of a cluster are those of its
// configuration, which "reconfigure" reads again.
func (c *call) createNode(name string, list []*rinkpb.KeyValue) int {
	state, _, _ := target(list, "state")
	switch strings.ToUpper(state) {
	case "FUTURE", "CLOUD":
		c.env.Errorf("cannot create node %s: nodes are added to slurm.conf and taken over with scontrol reconfigure", name)
		fmt.Fprintln(c.env.Stderr, "Error creating the node(s): Requested operation not supported on this system")
	default:
		c.env.Errorf("Only State=FUTURE and State=CLOUD allowed for nodes created by scontrol")
		fmt.Fprintln(c.env.Stderr, "Error creating the node(s): Invalid node state specified")
	}
	return 1
}

// deleteNode is "delete NodeName=LIST": none are taken out but by the configuration.
func (c *call) deleteNode(list, word string) int {
	why := slurm.ErrnoNotSupported
	nodes, err := show.Nodes(c.env, c.client)
	if err != nil {
		return c.failed("slurm_load_node error", err)
	}
	names, err := slurm.ParseHostList(list)
	if err != nil || names.Len() == 0 {
		why = slurm.ErrnoInvalidNodeName
	} else {
		for name := range names.All() {
			if !slices.ContainsFunc(nodes, func(n *show.Node) bool { return string(n.Name) == name }) {
				why = slurm.ErrnoInvalidNodeName
			}
		}
	}
	if why == slurm.ErrnoNotSupported {
		c.env.Errorf("cannot delete node %s: nodes are taken out of slurm.conf, and scontrol reconfigure takes it over", list)
	} else {
		c.env.Errorf("cannot delete node %s: there is no such node", list)
	}
	fmt.Fprintf(c.env.Stderr, "delete_node %s: %s\n", word, why)
	return 1
}
