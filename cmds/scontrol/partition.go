package scontrol

import (
	"slices"
	"strconv"
	"strings"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// showPartitions is "show partition [NAME]".
func (c *call) showPartitions(name string) int {
	parts, err := c.view.LoadPartitions(c.env, c.client)
	if err != nil {
		return c.failed("slurm_load_partitions error", err)
	}
	nodes, err := show.Nodes(c.env, c.client)
	if err != nil {
		return c.failed("slurm_load_partitions error", err)
	}
	byName := map[sched.NodeName]*show.Node{}
	for _, n := range nodes {
		byName[n.Name] = n
	}
	licenses, err := c.trackedLicenses()
	if err != nil {
		return c.failed("slurm_load_partitions error", err)
	}
	c.view.Encoding = c.o.encoding
	var b strings.Builder
	var data []any
	for _, p := range parts {
		if name != "" && string(p.Name) != name || p.Hidden && !c.o.seesAll() {
			continue
		}
		if c.o.encoding.On() {
			data = append(data, c.view.PartitionData(p, byName, licenses))
			continue
		}
		b.WriteString(c.partitionRecord(p, byName, licenses))
	}
	switch {
	case c.o.encoding.On():
		if len(data) > 0 {
			name = ""
		}
		return c.dataOf("partitions", data, "Partition", name)
	case b.Len() > 0:
		return c.print(b.String())
	case name != "":
		return c.say(1, "Partition %s not found", name)
	}
	return c.say(0, "No partitions in the system")
}

// trackedLicenses are the licences that AccountingStorageTRES names; they belong
// to every partition.
func (c *call) trackedLicenses() (slurm.TRES, error) {
	if !slices.ContainsFunc(c.view.Tracked, func(key string) bool { return strings.HasPrefix(strings.ToLower(key), "license/") }) {
		return nil, nil
	}
	ctx, cancel := c.env.Call(show.CallLimit())
	defer cancel()
	reply, err := c.client.ListLicenses(ctx, &rinkpb.ListLicensesRequest{})
	if err != nil {
		return nil, cli.CallErr(err)
	}
	var out slurm.TRES
	for _, key := range c.view.Tracked {
		typ, name, _ := strings.Cut(key, "/")
		i := slices.IndexFunc(reply.Licenses, func(l *rinkpb.LicenseInfo) bool { return l.Name == name })
		if strings.EqualFold(typ, "license") && i >= 0 {
			out = append(out, slurm.TRESItem{Type: "license", Name: name, Count: int64(reply.Licenses[i].Total)})
		}
	}
	return out, nil
}

// herds are how the partitions with a quota stand; nobody knows when the controller
// cannot be asked.
func (c *call) herds() map[string]*rinkpb.HerdStanding {
	ctx, cancel := c.env.Call(show.CallLimit())
	defer cancel()
	reply, err := c.client.Standings(ctx, &rinkpb.StandingsRequest{Herds: true})
	if err != nil {
		return nil
	}
	out := map[string]*rinkpb.HerdStanding{}
	for _, h := range reply.Herds {
		out[h.Partition] = h
	}
	return out
}

// partitionRecord is the record of a partition.
func (c *call) partitionRecord(p *sched.Partition, nodes map[sched.NodeName]*show.Node, licenses slurm.TRES) string {
	cpus, count, tres := show.PartitionTotal(p, nodes, licenses)
	r := newRecord(c.o.oneLine)
	r.put("PartitionName", string(p.Name))
	accounts, accountList := "AllowAccounts", p.AllowAccounts
	if len(p.AllowAccounts) == 0 && len(p.DenyAccounts) > 0 {
		accounts, accountList = "DenyAccounts", p.DenyAccounts
	}
	qos, qosList := "AllowQos", p.AllowQOS
	if len(p.AllowQOS) == 0 && len(p.DenyQOS) > 0 {
		qos, qosList = "DenyQos", p.DenyQOS
	}
	r.line("AllowGroups", show.List(p.AllowGroups, "ALL"), accounts, show.List(accountList, "ALL"), qos, show.List(qosList, "ALL"))
	r.line("AllocNodes", show.List(p.AllocNodes, "ALL"))
	if p.Alternate != "" {
		r.text(" ")
		r.put("Alternate", p.Alternate)
	}
	r.text(" ")
	r.put("Default", show.YesNo(p.Default))
	if p.CPUBind != "" {
		r.text(" ")
		r.put("CpuBind", p.CPUBind)
		r.text(" ") // as Slurm has it
	}
	r.text(" ")
	r.put("QoS", show.Or(p.QOS, show.NA))
	def := "NONE"
	if p.DefaultTime != 0 {
		def = p.DefaultTime.String()
	}
	r.line("DefaultTime", def, "DisableRootJobs", show.YesNo(p.DisableRootJobs), "ExclusiveUser", show.YesNo(p.ExclusiveUser),
		"GraceTime", strconv.FormatInt(int64(p.GraceTime), 10), "Hidden", show.YesNo(p.Hidden))
	r.line("MaxNodes", show.CountOr(p.MaxNodes, "UNLIMITED"), "MaxTime", p.MaxTime.String(), "MinNodes", strconv.Itoa(p.MinNodes), "LLN", show.YesNo(p.LLN),
		"MaxCPUsPerNode", show.CountOr(p.MaxCPUsPerNode, "UNLIMITED"))
	if p.MaxCPUsPerSocket > 0 {
		r.text(" ")
		r.put("MaxCPUsPerSocket", strconv.Itoa(p.MaxCPUsPerSocket))
	}
	r.line("Nodes", show.Or(show.CompressNodes(p.Nodes), show.Null))
	r.line("PriorityJobFactor", strconv.FormatUint(uint64(p.PriorityJobFactor), 10), "PriorityTier", strconv.FormatUint(uint64(p.PriorityTier), 10),
		"RootOnly", show.YesNo(p.RootOnly), "ReqResv", show.YesNo(p.ReqResv), "OverSubscribe", show.Or(p.OverSubscribe, "NO"))
	over := "NONE"
	switch {
	case p.OverTimeLimit == slurm.Unlimited:
		over = "UNLIMITED"
	case p.OverTimeLimit > 0:
		over = strconv.FormatInt(p.OverTimeLimit.Minutes(), 10)
	}
	r.line("OverTimeLimit", over, "PreemptMode", show.Or(p.PreemptMode, "OFF"))
	r.line("State", show.Or(p.State, "UP"), "TotalCPUs", strconv.Itoa(cpus), "TotalNodes", strconv.Itoa(count), "SelectTypeParameters", "NONE")
	r.line("JobDefaults", show.Or(p.JobDefaults, show.Null))
	defKey, defMem := memory("Def", p.DefMemPerCPU, p.DefMemPerNode)
	maxKey, maxMem := memory("Max", p.MaxMemPerCPU, p.MaxMemPerNode)
	r.line(defKey, defMem, maxKey, maxMem)
	r.line("TRES", show.Or(tres.String(), show.Null))
	if p.Quota != "" {
		r.line("Quota", p.Quota)
		if used := c.herds()[string(p.Name)]; used != nil {
			r.line("QuotaUsed", used.Used)
			if used.Borrowed != "" {
				r.text(" ")
				r.put("Borrowed", used.Borrowed)
			}
		}
	}
	if p.BillingWeights != "" {
		r.line("TRESBillingWeights", p.BillingWeights)
	}
	return r.close()
}

// memory is a limit on memory: for each CPU when it is given so, else for each
// node.
func memory(which string, perCPU, perNode slurm.MB) (key, value string) {
	switch {
	case perCPU > 0:
		return which + "MemPerCPU", strconv.FormatInt(int64(perCPU), 10)
	case perNode > 0:
		return which + "MemPerNode", strconv.FormatInt(int64(perNode), 10)
	}
	return which + "MemPerNode", "UNLIMITED"
}
