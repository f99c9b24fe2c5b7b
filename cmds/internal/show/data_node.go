package show

import (
	"slices"
	"strconv"
	"strings"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// NodeData is everything known of a node, under the names of Slurm's data parser.
func (v *View) NodeData(n *Node, parts []*sched.Partition) Object {
	names := append([]string{}, PartitionsOf(n.Name, parts)...)
	free, weights := NoNumber(), ""
	if n.LoadKnown {
		free = Number(int64(n.FreeMem))
	}
	if len(names) > 0 {
		weights = v.Weights[sched.PartitionName(names[0])]
	}
	next := []string{"INVALID"}
	switch n.NextState {
	case 0:
	case slurm.NodeDown:
		next = []string{"DOWN"}
	default:
		next = []string{"RESUME"}
	}
	owner := ""
	if n.ExclusiveBy != 0 && n.ExclusiveUser != sched.NoUser {
		owner = strconv.FormatUint(uint64(n.ExclusiveUser), 10)
	}
	specialized := n.CoreSpec * max(1, n.Threads)
	return Object{
		{"architecture", n.Arch}, {"burstbuffer_network_address", ""}, {"boards", max(1, n.Boards)}, {"boot_time", Stamp(n.BootTime)},
		{"cluster_name", v.Cluster}, {"cores", n.Cores}, {"specialized_cores", n.CoreSpec}, {"cpu_binding", cpuBindNumber(n.CPUBind)},
		{"cpu_load", int64(n.Load * 100)}, {"free_mem", free}, {"cpus", n.CPUs}, {"effective_cpus", max(0, n.CPUs-specialized)}, {"specialized_cpus", ""},
		{"extra", n.Extra}, {"power", Object{}}, {"energy", noEnergy()}, {"features", append([]string{}, n.AllFeatures()...)}, {"active_features", append([]string{}, n.Features...)},
		{"gres", strings.TrimPrefix(n.GresText(), Null)}, {"gres_drained", Or(sched.SickGres(n.Node), NA)}, {"gres_used", strings.TrimPrefix(n.GresUsedText(), Null)},
		{"gpu_spec", ""}, {"res_cores_per_gpu", 0}, {"topology", ""}, {"cert_flags", []string{}}, {"tls_cert_last_renewal", Number(0)}, {"suspend_time", NoNumber()},
		{"instance_id", ""}, {"instance_type", ""}, {"last_busy", Stamp(n.LastBusy)}, {"mcs_label", ""}, {"specialized_memory", 0}, {"name", string(n.Name)},
		{"next_state_after_reboot", next}, {"address", Or(n.Addr, string(n.Name))}, {"hostname", Or(n.Hostname, string(n.Name))},
		{"state", strings.Split(n.NodeState().String(), "+")}, {"operating_system", n.OS}, {"owner", owner}, {"partitions", names}, {"port", n.Port},
		{"real_memory", int64(n.Memory)}, {"comment", n.Comment}, {"reason", n.Reason}, {"reason_changed_at", Stamp(n.ReasonTime)},
		{"reason_set_by_user", n.ReasonUser}, {"resume_after", NoNumber()}, {"reservation", n.Reservation}, {"alloc_memory", int64(n.UsedMem)},
		{"alloc_cpus", n.UsedCPUs}, {"alloc_idle_cpus", max(0, n.CPUs-n.UsedCPUs)}, {"tres_used", n.Used().String()}, {"tres_weighted", 0.0},
		{"slurmd_start_time", Stamp(n.AgentStart)}, {"sockets", n.Sockets}, {"threads", n.Threads}, {"temporary_disk", int64(n.TmpDisk)},
		{"weight", n.Weight}, {"tres", n.Configured(weights).String()}, {"version", n.Version},
	}
}

// cpuBindNumber is a way of binding as Slurm's cpu_bind_type_t has it.
func cpuBindNumber(kind string) int {
	i := slices.Index([]string{"threads", "cores", "sockets", "ldoms", "none"}, kind)
	if i < 0 {
		return 0
	}
	return 1 << (i + 1)
}

// PartitionTotal adds up what the nodes of a partition have; licences are the whole
// cluster's.
func PartitionTotal(p *sched.Partition, nodes map[sched.NodeName]*Node, licenses slurm.TRES) (cpus, count int, tres slurm.TRES) {
	for _, name := range p.Nodes {
		n := nodes[name]
		if n == nil {
			continue
		}
		count++
		cpus += n.CPUs
		tres = tres.Plus(n.Configured(p.BillingWeights))
	}
	if count > 0 {
		tres = tres.With("node", int64(count))
	}
	return cpus, count, append(tres, licenses...)
}

// PartitionData is everything known of a partition, under the names of Slurm's data
// parser.
func (v *View) PartitionData(p *sched.Partition, nodes map[sched.NodeName]*Node, licenses slurm.TRES) Object {
	cpus, count, tres := PartitionTotal(p, nodes, licenses)
	list := func(names []string) string { return strings.Join(names, ",") }
	limit := func(n int) Object { // 0: none
		if n == 0 {
			return Object{{"set", false}, {"infinite", true}, {"number", 0}}
		}
		return Number(int64(n))
	}
	perCPU := func(cpu, node slurm.MB) []Member {
		return []Member{{"memory_per_cpu", int64(cpu)}, {"partition_memory_per_cpu", numberIf(int64(cpu))}, {"partition_memory_per_node", numberIf(int64(node))}}
	}
	shares, flags := 1, []string{}
	kind, times, _ := strings.Cut(strings.ToUpper(p.OverSubscribe), ":")
	if n, err := strconv.Atoi(times); err == nil && n > 0 {
		shares = n
	} else if kind == "YES" || kind == "FORCE" {
		shares = 4
	}
	if kind == "FORCE" {
		flags = append(flags, "force")
	}
	var bind any = []string{}
	if v.Encoding.olderThan("v0.0.45") {
		bind = 0
	}
	return Object{
		{"nodes", Object{{"allowed_allocation", list(p.AllocNodes)}, {"configured", p.NodesText}, {"total", count}}},
		{"accounts", Object{{"allowed", list(p.AllowAccounts)}, {"deny", list(p.DenyAccounts)}}},
		{"groups", Object{{"allowed", list(p.AllowGroups)}}},
		{"qos", Object{{"allowed", list(p.AllowQOS)}, {"deny", list(p.DenyQOS)}, {"assigned", p.QOS}}},
		{"alternate", p.Alternate},
		{"tres", Object{{"billing_weights", p.BillingWeights}, {"configured", tres.String()}}},
		{"cluster", v.Cluster}, {"select_type", []string{}},
		{"cpus", Object{{"task_binding", bind}, {"total", cpus}}},
		{"defaults", append(Object(perCPU(p.DefMemPerCPU, p.DefMemPerNode)), Member{"time", Minutes(p.DefaultTime)}, Member{"job", p.JobDefaults})},
		{"grace_time", int64(p.GraceTime)},
		{"maximums", append(Object{
			{"cpus_per_node", limit(p.MaxCPUsPerNode)}, {"cpus_per_socket", limit(p.MaxCPUsPerSocket)}, {"nodes", limit(p.MaxNodes)}, {"shares", shares},
			{"oversubscribe", Object{{"jobs", shares}, {"flags", flags}}}, {"time", Minutes(p.MaxTime)}, {"over_time_limit", Minutes(p.OverTimeLimit)},
		}, perCPU(p.MaxMemPerCPU, p.MaxMemPerNode)...)},
		{"minimums", Object{{"nodes", p.MinNodes}}},
		{"name", string(p.Name)}, {"node_sets", ""},
		{"priority", Object{{"job_factor", p.PriorityJobFactor}, {"tier", p.PriorityTier}}},
		{"timeouts", Object{{"resume", NoNumber()}, {"suspend", NoNumber()}}},
		{"partition", Object{{"state", []string{Or(p.State, "UP")}}, {"oversubscribe", Or(p.OverSubscribe, "NO")}, {"exclusive", partitionExclusive(p)}}},
		{"flags", partitionFlags(p)}, {"preempt_mode", partitionPreempts(p)}, {"topology", ""},
		{"suspend_time", NoNumber()},
		{"default", p.Default}, {"hidden", p.Hidden}, // ours: Slurm has them as flags
	}
}

// noEnergy is what is told of a node's energy, which is not measured for nodes.
func noEnergy() Object {
	return Object{{"average_watts", 0}, {"base_consumed_energy", 0}, {"consumed_energy", 0}, {"current_watts", NoNumber()}, {"previous_consumed_energy", 0}, {"last_collected", 0}}
}

func partitionExclusive(p *sched.Partition) string {
	switch {
	case p.ExclusiveUser:
		return "USER"
	case p.ExclusiveTopo:
		return "TOPO"
	case strings.EqualFold(p.OverSubscribe, "EXCLUSIVE"):
		return "YES"
	}
	return "NO"
}

func partitionFlags(p *sched.Partition) []string {
	flags := []string{}
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"DEFAULT", p.Default}, {"HIDDEN", p.Hidden}, {"NO_ROOT", p.DisableRootJobs}, {"ROOT_ONLY", p.RootOnly}, {"REQ_RESV", p.ReqResv}, {"LLN", p.LLN},
		{"EXCLUSIVE_USER", p.ExclusiveUser}, {"EXCLUSIVE_TOPO", p.ExclusiveTopo},
	} {
		if f.set {
			flags = append(flags, f.name)
		}
	}
	return flags
}

// partitionPreempts is how jobs of a partition give way.
func partitionPreempts(p *sched.Partition) []string {
	switch mode := strings.ToUpper(p.PreemptMode); mode {
	case "":
		return []string{"CLUSTER_GLOBAL"}
	case "OFF":
		return []string{"DISABLED"}
	default:
		return strings.Split(mode, ",")
	}
}
