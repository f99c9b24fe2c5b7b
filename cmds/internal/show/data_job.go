package show

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"

	"github.com/runink/rink/api/rinkpb"
)

// JobData is everything known of a job, under the names of Slurm's data parser.
func (v *View) JobData(j *Job) Object {
	mem, memCPU := NoNumber(), NoNumber()
	switch {
	case j.Need.MemPerCPU > 0:
		memCPU = Number(int64(j.Need.MemPerCPU))
	case j.Need.MemPerNode > 0 || j.Need.MemAllOfNode:
		mem = Number(int64(j.Need.MemPerNode))
	}
	task, tasks := NoNumber(), ""
	switch {
	case j.IsTask():
		task = Number(int64(j.Task))
	case j.IsRest():
		tasks = v.ArrayTask(j)
	}
	reason, hets := Or(j.ReasonText(), "None"), ""
	if j.HetID != 0 {
		hets = v.HetSet(j)
	}
	evaluated := j.LastSched
	if evaluated.IsZero() {
		evaluated = j.Submit
	}
	before := int64(0)
	if !j.Suspended.IsZero() {
		before = int64(j.TimeUsed(j.Suspended))
	}
	least := Number(0)
	if j.TimeMin > 0 {
		least = Minutes(j.TimeMin)
	}
	low, high, governor := frequencies(j.Spec.CPUFreq)
	alone, sharing := v.sharing(j)
	return Object{
		{"account", j.Account}, {"accrue_time", Stamp(j.AgeSince())}, {"admin_comment", j.AdminComment}, {"allocating_node", j.SubmitHost},
		{"array_job_id", Number(int64(j.ArrayID))}, {"array_task_id", task}, {"array_max_tasks", Number(int64(j.Throttle))}, {"array_task_string", tasks},
		{"association_id", uint32(j.AssocID)}, {"batch_features", j.Spec.BatchFeatures}, {"batch_flag", j.Batch}, {"batch_host", j.BatchHost()},
		{"flags", jobFlags(j)}, {"burst_buffer", j.Spec.BurstBuffer}, {"burst_buffer_state", ""}, {"cluster", v.Cluster},
		{"cluster_features", j.Spec.ClusterConstraint}, {"command", j.Command()}, {"comment", j.Spec.Comment},
		{"container", j.Spec.Container}, {"container_id", j.Spec.ContainerID}, {"container_type", ""}, {"contiguous", j.Need.Contiguous},
		{"core_spec", max(0, j.Spec.CoreSpec)}, {"thread_spec", max(0, j.Spec.ThreadSpec)}, {"cores_per_socket", numberIf(int64(j.CoresAsked()))},
		{"billable_tres", v.billable(j)}, {"cpus_per_task", Number(int64(max(1, j.Need.CPUsPerTask)))},
		{"cpu_frequency_minimum", low}, {"cpu_frequency_maximum", high}, {"cpu_frequency_governor", governor},
		{"cpus_per_tres", perGPU(int64(j.Spec.CPUsPerGPU))}, {"cron", j.Spec.Cron}, {"deadline", Stamp(j.Spec.Deadline)},
		{"delay_boot", Number(int64(max(0, j.Spec.DelayBoot)))}, {"dependency", strings.TrimPrefix(j.Dependency(), Null)},
		{"derived_exit_code", ExitData(j.DerivedExit)}, {"eligible_time", Stamp(j.Eligible)}, {"end_time", v.endData(j)},
		{"excluded_nodes", SortedNodes(j.Need.Exclude)}, {"exit_code", ExitData(j.ExitCode)}, {"extra", j.Spec.Extra}, {"failed_node", ""},
		{"features", j.Spec.Constraint}, {"federation_origin", ""}, {"federation_siblings_active", ""}, {"federation_siblings_viable", ""},
		{"gres_detail", gresDetail(j)}, {"group_id", j.GID}, {"group_name", j.Group},
		{"het_job_id", Number(int64(j.HetID))}, {"het_job_id_set", hets}, {"het_job_offset", Number(int64(j.HetOffset))},
		{"hold", j.HeldBy != sched.HeldByNobody}, {"job_id", j.ID}, {"job_resources", v.allocData(j)}, {"job_size_str", []string{}},
		{"job_state", j.State.Names()}, {"last_sched_evaluation", Stamp(evaluated)},
		{"licenses", j.Spec.Licenses}, {"licenses_allocated", j.LicensesUsed.String()},
		{"mail_type", mailData(j.Spec.MailTypes)}, {"mail_user", Or(j.Spec.MailUser, j.User)},
		{"max_cpus", Number(0)}, {"max_nodes", Number(int64(j.Spec.MaxNodes))}, {"mcs_label", j.Spec.MCSLabel},
		{"memory_per_tres", perGPU(int64(j.Spec.MemPerGPU))}, {"name", j.Name}, {"network", j.Spec.Network}, {"nodes", j.NodeText()}, {"nice", j.Nice},
		{"tasks_per_core", boundIf(j.Spec.NTasksPerCore)}, {"tasks_per_tres", Number(int64(j.Spec.NTasksPerGPU))},
		{"tasks_per_node", Number(int64(j.Spec.NTasksPerNode))}, {"tasks_per_socket", boundIf(j.Spec.NTasksPerSocket)}, {"tasks_per_board", Number(0)},
		{"cpus", Number(int64(j.CPUs()))}, {"node_count", Number(int64(j.NodeCount()))}, {"tasks", Number(int64(j.TaskCount()))},
		{"partition", j.PartitionText()}, {"prefer", j.Spec.Prefer}, {"memory_per_cpu", memCPU}, {"memory_per_node", mem},
		{"minimum_cpus_per_node", Number(int64(j.MinCPUs()))}, {"minimum_tmp_disk_per_node", Number(int64(j.Need.TmpDisk))},
		{"power", Object{{"flags", []string{}}}}, {"preempt_time", Stamp(j.Preempted)}, {"preemptable_time", Number(0)}, {"pre_sus_time", Number(before)},
		{"priority", Number(int64(j.PriorityShown()))}, {"priority_by_partition", []any{}}, {"profile", profileData(j.Spec.Profile)}, {"qos", j.QOS},
		{"reboot", j.Spec.Reboot}, {"required_nodes", SortedNodes(j.Need.NodeList)},
		{"required_switches", j.Spec.Switches}, {"minimum_switches", j.Spec.Switches}, {"maximum_switch_wait_time", int64(max(0, j.Spec.SwitchesWait))},
		{"requeue", j.Requeue}, {"resize_time", Stamp(j.ResizedAt())}, {"restart_cnt", j.Restarts}, {"resv_name", j.ReservationName()}, {"run", j.Run},
		{"scheduled_nodes", CompressNodes(j.ExpectedNodes)}, {"segment_size", j.Spec.Segment}, {"selinux_context", j.Spec.Context},
		{"shared", sharing}, {"exclusive", alone}, {"oversubscribe", !j.Need.Exclusive}, {"stage", j.Stage},
		{"sockets_per_board", 0}, {"sockets_per_node", numberIf(int64(j.Spec.SocketsPerNode))},
		{"start_time", Stamp(j.StartAt(v.Now))}, {"state_description", j.Job.ReasonText}, {"state_reason", reason},
		{"standard_input", j.Stdin()}, {"standard_output", j.Stdout()}, {"standard_error", j.Stderr()},
		{"stdin_expanded", j.Stdin()}, {"stdout_expanded", j.Stdout()}, {"stderr_expanded", j.Stderr()},
		{"submit_line", j.SubmitLine}, {"submit_time", Stamp(j.Submit)}, {"suspend_time", Stamp(j.Suspended)}, {"system_comment", j.SystemComment},
		{"time_limit", Minutes(j.TimeLimit)}, {"time_minimum", least}, {"threads_per_core", numberIf(int64(j.ThreadsAsked()))},
		{"tres_bind", j.TRESBind()}, {"tres_freq", prefixIf("gpu:", j.Spec.GPUFreq)}, {"tres_per_job", gresData(j.GresPerJob())}, {"tres_per_node", gresData(j.GresPerNode())},
		{"tres_per_socket", gresData(j.GresPerSocket())}, {"tres_per_task", gresData(j.GresPerTask())},
		{"tres_req_str", v.TRESText(v.Requested(j))}, {"tres_alloc_str", v.TRESText(v.Allocated(j))},
		{"user_id", j.UID}, {"user_name", j.User}, {"wckey", j.Spec.WCKey}, {"current_working_directory", j.WorkDir},
		{"steps", stepData(j)},
	}
}

// TRESBind is how tasks are tied to resources: --tres-bind, or --gpu-bind.
func (j *Job) TRESBind() string {
	return Or(j.Spec.TRESBind, prefixIf("gpu:", j.Spec.GPUBind))
}

func prefixIf(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}

// gresData writes generic resources that were asked for as the data parser's releases do, with
// the kind before a slash.
func gresData(text string) string {
	parts := strings.Split(text, ",")
	for i, p := range parts {
		if rest, ok := strings.CutPrefix(p, "gres:"); ok {
			parts[i] = "gres/" + rest
		}
	}
	return strings.Join(parts, ",")
}

func perGPU(n int64) string {
	if n <= 0 {
		return ""
	}
	return "gres/gpu:" + strconv.FormatInt(n, 10)
}

// boundIf is a bound that may not be there.
func boundIf(n int) Object {
	if n == 0 {
		return Endless()
	}
	return Number(int64(n))
}

// endData is when the job ended or will; of one without a limit that runs a year after its
// start, as in Slurm.
func (v *View) endData(j *Job) Object {
	if end := j.EndAt(v.Now); !end.IsZero() || !j.Endless() || j.Start.IsZero() {
		return Stamp(end)
	}
	return Stamp(j.Start.Add(365 * 24 * time.Hour))
}

// billable is what the job is charged for while it has something.
func (v *View) billable(j *Job) Object {
	for _, item := range v.Allocated(j) {
		if item.Type == "billing" {
			return Float(float64(item.Count))
		}
	}
	return Object{{"set", false}, {"infinite", false}, {"number", 0.0}}
}

// sharing says of whom the job's nodes are kept free, and how it shares them.
func (v *View) sharing(j *Job) (alone, shared []string) {
	switch kind := j.Sharing(); kind {
	case "USER", "MCS", "TOPO":
		kind = strings.ToLower(kind)
		return []string{kind}, []string{kind}
	case "NO":
		return []string{"true"}, []string{"none"}
	case "YES":
		return []string{}, []string{"oversubscribe"}
	}
	return []string{}, []string{}
}

// jobFlags are the flags of a job that follow from what was asked for and what became of it.
func jobFlags(j *Job) []string {
	asked := func(option string) bool { return j.Spec.Given[option] }
	flags := []string{}
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"KILL_INVALID_DEPENDENCY", j.Spec.KillOnInvalidDep == "yes"}, {"NO_KILL_INVALID_DEPENDENCY", j.Spec.KillOnInvalidDep == "no"},
		{"CRON_JOB", j.Spec.Cron != ""}, {"DEPENDENT", len(j.Deps) > 0}, {"EXACT_TASK_COUNT_REQUESTED", asked("ntasks")},
		{"GRES_BINDING_DISABLED", strings.Contains(j.Spec.GresFlags, "disable-binding")}, {"GRES_BINDING_ENFORCED", strings.Contains(j.Spec.GresFlags, "enforce-binding")},
		{"HETEROGENEOUS_JOB", j.HetID != 0}, {"JOB_WAS_RUNNING", !j.Start.IsZero()}, {"PREFER_MINIMUM_NODE_COUNT", j.Spec.UseMinNodes},
		{"SPREAD_JOB", j.Spec.SpreadJob}, {"SPREAD_SEGMENTS", j.Spec.SpreadSegments}, {"CONSOLIDATE_SEGMENTS", j.Spec.ConsolidateSegments},
		{"USING_DEFAULT_ACCOUNT", !asked("account")}, {"USING_DEFAULT_PARTITION", !asked("partition")},
		{"USING_DEFAULT_QOS", !asked("qos")}, {"USING_DEFAULT_WCKEY", !asked("wckey")},
	} {
		if f.set {
			flags = append(flags, f.name)
		}
	}
	return flags
}

// mailData are the occasions for mail as the data parser calls them.
func mailData(types []string) []string {
	out := []string{}
	for _, t := range types {
		switch limit, timed := strings.CutPrefix(t, "TIME_LIMIT"); {
		case timed:
			out = append(out, "TIME="+Or(strings.TrimPrefix(limit, "_"), "100")+"%")
		case t == "ALL":
			out = append(out, "BEGIN", "END", "FAIL", "REQUEUE", "STAGE_OUT", "INVALID_DEPENDENCY")
		case t == "INVALID_DEPEND":
			out = append(out, "INVALID_DEPENDENCY")
		case t != "NONE":
			out = append(out, t)
		}
	}
	return out
}

func profileData(asked string) []string {
	if asked == "" {
		return []string{"NOT_SET"}
	}
	return Words(strings.ToUpper(asked))
}

// frequencies are the parts of --cpu-freq that are numbers, in kHz; words and governors have
// the numbers by which Slurm keeps them.
func frequencies(asked string) (low, high, governor Object) {
	low, high, governor = NoNumber(), NoNumber(), NoNumber()
	number := func(text string) Object {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return Number(n)
		}
		if i := slices.Index([]string{"low", "medium", "high", "highm1"}, strings.ToLower(text)); i >= 0 {
			return Number(1<<31 + int64(i) + 1)
		}
		return NoNumber()
	}
	governed := func(text string) Object {
		for i, name := range []string{"conservative", "ondemand", "performance", "powersave", "userspace", "schedutil"} {
			if strings.EqualFold(name, text) {
				return Number(1<<31 | 0x80<<i)
			}
		}
		return NoNumber()
	}
	if asked == "" {
		return low, high, governor
	}
	if slurm.IsGovernor(asked) {
		return low, high, governed(asked)
	}
	span, kind, _ := strings.Cut(asked, ":")
	first, second, ranged := strings.Cut(span, "-")
	if ranged {
		return number(first), number(second), governed(kind)
	}
	return low, number(first), governed(kind)
}

// gresDetail lists what the job holds of generic resources on each of its nodes.
func gresDetail(j *Job) []string {
	out := []string{}
	if j.IsPending() {
		return out
	}
	for _, a := range j.Alloc {
		if len(a.Gres) > 0 {
			out = append(out, GresText(a.Gres))
		}
	}
	return out
}

// LoadNodes fetches the nodes on which the job's CPUs are laid out, for a view that prints data.
func (v *View) LoadNodes(env *cli.Env, client rinkpb.Controller) error {
	list, err := Nodes(env, client)
	if err != nil {
		return err
	}
	v.Nodes = make(map[sched.NodeName]*Node, len(list))
	for _, n := range list {
		v.Nodes[n.Name] = n
	}
	return nil
}

// allocData is what the job holds, node by node.
func (v *View) allocData(j *Job) Object {
	held := j.Alloc
	if j.IsPending() {
		held = nil
	}
	total := 0
	for _, a := range held {
		total += a.CPUs
	}
	names := CompressNodes(j.HeldNodes())
	if v.Encoding.olderThan("v0.0.41") {
		nodes := make([]any, len(held))
		for i, a := range held {
			sockets := Object{}
			for s, cores := range v.coresOf(a) {
				in := Object{}
				for c, taken := range cores {
					if taken {
						in = append(in, Member{strconv.Itoa(c), "allocated"})
					}
				}
				if len(in) > 0 {
					sockets = append(sockets, Member{strconv.Itoa(s), Object{{"cores", in}}})
				}
			}
			nodes[i] = Object{{"sockets", sockets}, {"nodename", string(a.Node)}, {"cpus_used", a.CPUs}, {"memory_used", int64(a.Mem)}, {"memory_allocated", int64(a.Mem)}}
		}
		return Object{{"nodes", names}, {"allocated_cores", total}, {"allocated_cpus", total}, {"allocated_hosts", len(held)}, {"allocated_nodes", nodes}}
	}
	nodes := make([]any, len(held))
	for i, a := range held {
		sockets := []any{}
		for s, cores := range v.coresOf(a) {
			in := []any{}
			for c, taken := range cores {
				if taken { // of the others there may be a hundred to each
					in = append(in, Object{{"index", c}, {"status", []string{"ALLOCATED"}}})
				}
			}
			if len(in) > 0 {
				sockets = append(sockets, Object{{"index", s}, {"cores", in}})
			}
		}
		gres := make([]string, len(a.Gres))
		for k, g := range a.Gres {
			gres[k] = GresText([]sched.GresAlloc{g})
		}
		nodes[i] = Object{
			{"index", i}, {"name", string(a.Node)}, {"cpus", Object{{"count", a.CPUs}, {"used", a.CPUs}}},
			{"memory", Object{{"used", int64(a.Mem)}, {"allocated", int64(a.Mem)}}}, {"sockets", sockets},
			{"tasks", a.Tasks}, {"gres", gres}, // ours: Slurm does not tell them here
		}
	}
	kind := []string{}
	if len(held) > 0 {
		kind = append(kind, "AVAILABLE")
	}
	return Object{
		{"select_type", []string{}},
		{"nodes", Object{{"count", len(held)}, {"select_type", kind}, {"list", names}, {"whole", j.Need.Exclusive}, {"allocation", nodes}}},
		{"cpus", total}, {"threads_per_core", numberIf(int64(j.ThreadsAsked()))},
	}
}

// coresOf are the cores of a node by socket, and whether the job has CPUs of them; none where
// the node or the job's CPUs on it are not known.
func (v *View) coresOf(a sched.NodeAlloc) [][]bool {
	n := v.Nodes[a.Node]
	if n == nil || n.Cores <= 0 {
		return nil
	}
	ids, err := slurm.ParseIndexSet(a.CPUIDs, 1<<20)
	if err != nil {
		return nil
	}
	sockets := make([][]bool, max(1, n.Sockets))
	for i := range sockets {
		sockets[i] = make([]bool, n.Cores)
	}
	for id := range ids.All() {
		core := int(id) / max(1, n.Threads)
		if s := core / n.Cores; s < len(sockets) {
			sockets[s][core%n.Cores] = true
		}
	}
	return sockets
}

// stepData lists the steps in the record of their job, which Slurm does not.
func stepData(j *Job) []any {
	out := []any{}
	for _, s := range Steps(j) {
		out = append(out, Object{{"id", j.ID.String() + "." + s.ID.String()}, {"name", s.Name}, {"nodes", s.NodeText()}, {"tasks", s.Tasks},
			{"cpus", s.CPUs()}, {"start_time", Stamp(s.Start)}, {"state", s.State.Names()}})
	}
	return out
}

// StepData is everything known of a running step.
func (v *View) StepData(s *Step) Object {
	j := s.Job
	names := []string{}
	for _, n := range s.Nodes {
		names = append(names, string(n.Node))
	}
	return Object{
		{"time", Object{{"start", Stamp(s.Start)}, {"limit", Minutes(s.Limit())}, {"elapsed", int64(v.Now.Sub(s.Start).Seconds())}}},
		{"nodes", Object{{"count", len(s.Nodes)}, {"range", s.NodeText()}, {"list", names}}},
		{"tasks", Object{{"count", s.Tasks}}},
		{"step", Object{{"id", v.StepID(s)}, {"name", s.Name}, {"stderr", ""}}},
		{"state", []string{s.State.String()}}, {"partition", string(j.Partition)},
		{"user", j.User}, {"user_id", j.UID}, {"cluster", v.Cluster},
		{"cpus", s.CPUs()}, {"tres", Object{{"allocated", s.Held().String()}}},
		{"submit_host", j.SubmitHost}, {"submit_pid", j.SubmitPID},
	}
}
