package slurm

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

func secondsText(d Duration) string { return fmt.Sprintf("%d sec", d) }

func keysQtoZ() []confKey {
	return []confKey{
		programKey("RebootProgram", func(c *Conf) *string { return &c.RebootProgram }),
		idleKey("ReconfigFlags", "", "a new configuration replaces the old one as it is written"),
		exitCodesKey("RequeueExit", func(c *Conf) *IndexSet { return &c.RequeueExit }),
		exitCodesKey("RequeueExitHold", func(c *Conf) *IndexSet { return &c.RequeueExitHold }),
		programKey("ResumeFailProgram", func(c *Conf) *string { return &c.ResumeFailProgram }),
		programKey("ResumeProgram", func(c *Conf) *string { return &c.ResumeProgram }),
		rateKey("ResumeRate", "300", func(c *Conf) *int { return &c.ResumeRate }),
		secondsKey("ResumeTimeout", "60", func(c *Conf) *Duration { return &c.ResumeTimeout }),
		idleKey("ResvEpilog", "", "a reservation ends without a program"),
		minutesKey("ResvOverRun", "0", func(c *Conf) *Duration { return &c.ResvOverRun }),
		idleKey("ResvProlog", "", "a reservation starts without a program"),
		countKey("ReturnToService", "0", 0, 2, func(c *Conf) *int { return &c.ReturnToService }),
		idleKey("RoutePlugin", "route/default", whyDirect),
		newer(idleKey("SallocDefaultCommand", "", "it has gone from Slurm; LaunchParameters=use_interactive_step does the same")),
		newer(idleKey("SbcastParameters", "", "sbcast takes its options from its command line")),
		paramsKey("SchedulerParameters", func(c *Conf) *Parameters { return &c.SchedulerParameters }, "there is no such setting", schedulerRules()...),
		idleKey("SchedulerTimeSlice", "30 sec", "jobs do not take turns on a node"),
		oneKey("SchedulerType", "sched/backfill", []string{"sched/backfill", "sched/builtin"}, func(c *Conf) *string { return &c.SchedulerType }),
		paramsKey("ScronParameters", func(c *Conf) *Parameters { return &c.ScronParameters }, "there is no such setting",
			honour("enable", "disable", "explicit_scancel")...),
		{name: "SelectType", def: "select/cons_tres", set: setSelectType, show: func(c *Conf) string { return c.SelectType }},
		{name: "SelectTypeParameters", def: "CR_CORE_MEMORY", set: setSelectParameters,
			show: func(c *Conf) string { return strings.Join(c.SelectTypeParameters, ",") }},
		textKey("SlurmUser", "root", func(c *Conf) *string { return &c.SlurmUser }),
		textKey("SlurmctldAddr", "", func(c *Conf) *string { return &c.SlurmctldAddr }),
		levelKey("SlurmctldDebug", func(c *Conf) *string { return &c.SlurmctldDebug }),
		{name: "SlurmctldHost", repeats: true, set: addHost},
		newer(idleKey("SlurmctldHttpAuthParameters", "", whyMetrics)),
		textKey("SlurmctldLogFile", "", func(c *Conf) *string { return &c.SlurmctldLogFile }),
		{name: "SlurmctldPort", def: "6817", set: setControllerPort, show: showControllerPort},
		idleKey("SlurmctldSyslogDebug", "", "what goes to the system's log has the level of SlurmctldDebug"),
		idleKey("SlurmctldPrimaryOffProg", "", "any controller may lead, and changes are in the log and the metrics"),
		idleKey("SlurmctldPrimaryOnProg", "", "any controller may lead, and changes are in the log and the metrics"),
		secondsKey("SlurmctldTimeout", "120", func(c *Conf) *Duration { return &c.SlurmctldTimeout }).withJudge(func(string) (Verdict, string) {
			return Ignored, "controllers elect a leader within seconds"
		}),
		paramsKey("SlurmctldParameters", func(c *Conf) *Parameters { return &c.SlurmctldParameters }, "there is no such setting",
			slices.Concat(honour("idle_on_node_suspend", "preempt_send_user_signal", "allow_user_triggers", "disable_triggers"),
				idle(whyNotYet, "reboot_from_controller", "user_resv_delete", "rl_enable"),
				idleNumbers(whyNotYet, "max_powered_nodes", "node_reg_mem_percent", "power_save_interval", "power_save_min_interval",
					"rl_bucket_size", "rl_refill_period", "rl_refill_rate", "rl_table_size", "rl_log_freq"),
				idle("nodes fetch the configuration from the controllers anyway", "enable_configless"),
				idle("nodes are known by their certificate, wherever they call from", "cloud_dns", "cloud_reg_addrs", "validate_nodeaddr_threads"),
				idle("the controllers work without it", "conmgr_*", "enable_async_reply", "enable_stepmgr", "enable_expedited_requeue",
					"max_dbd_msg_action", "no_quick_restart", "reconfig_on_restart"))...),
		levelKey("SlurmdDebug", func(c *Conf) *string { return &c.SlurmdDebug }),
		newer(idleKey("SlurmdHttpAuthParameters", "", whyMetrics)),
		textKey("SlurmdLogFile", "", func(c *Conf) *string { return &c.SlurmdLogFile }),
		paramsKey("SlurmdParameters", func(c *Conf) *Parameters { return &c.SlurmdParameters }, "there is no such setting",
			append(honour("config_overrides"), idle("the agent takes what the kernel reports", "l3cache_as_socket", "numa_node_as_socket",
				"shutdown_on_reboot", "contain_spank", "allow_ecores", "conmgr_*")...)...),
		textKey("SlurmdPidFile", "/var/run/slurmd.pid", func(c *Conf) *string { return &c.SlurmdPidFile }),
		countKey("SlurmdPort", "6818", 1, 65535, func(c *Conf) *int { return &c.SlurmdPort }),
		textKey("SlurmdSpoolDir", "/var/spool/slurmd", func(c *Conf) *string { return &c.SlurmdSpoolDir }),
		idleKey("SlurmdSyslogDebug", "", "what goes to the system's log has the level of SlurmdDebug"),
		secondsKey("SlurmdTimeout", "300", func(c *Conf) *Duration { return &c.SlurmdTimeout }),
		textKey("SlurmdUser", "root", func(c *Conf) *string { return &c.SlurmdUser }),
		idleKey("SlurmSchedLogFile", "", "the controller's log holds the decisions"),
		idleKey("SlurmSchedLogLevel", "0", "the controller's log holds the decisions"),
		textKey("SlurmctldPidFile", "/var/run/slurmctld.pid", func(c *Conf) *string { return &c.SlurmctldPidFile }),
		idleKey("SlurmctldPlugstack", "", whyPlugins),
		programKey("SrunEpilog", func(c *Conf) *string { return &c.SrunEpilog }),
		idleKey("SrunPortRange", "0-0", "srun listens on no port"),
		programKey("SrunProlog", func(c *Conf) *string { return &c.SrunProlog }),
		{name: "StateSaveLocation", def: "/var/spool", set: setStateSave, show: func(c *Conf) string { return c.StateSaveLocation }},
		textKey("SuspendExcNodes", "", func(c *Conf) *string { return &c.SuspendExcNodes }),
		textKey("SuspendExcParts", "", func(c *Conf) *string { return &c.SuspendExcParts }),
		newer(wordsKey("SuspendExcStates", "", "(null)", nil, func(c *Conf) *[]string { return &c.SuspendExcStates })),
		programKey("SuspendProgram", func(c *Conf) *string { return &c.SuspendProgram }),
		rateKey("SuspendRate", "60", func(c *Conf) *int { return &c.SuspendRate }),
		{name: "SuspendTime", def: "INFINITE",
			set: func(c *Conf, v string) (err error) { c.SuspendTime, err = confSpan(v, 1); return err },
			show: func(c *Conf) string {
				if c.SuspendTime == Unlimited {
					return "INFINITE"
				}
				return secondsText(c.SuspendTime)
			}},
		secondsKey("SuspendTimeout", "30", func(c *Conf) *Duration { return &c.SuspendTimeout }),
		idleKey("SwitchParameters", "", "there is no switch plugin"),
		idleKey("SwitchType", "switch/none", "there is no switch plugin"),
		programKey("TaskEpilog", func(c *Conf) *string { return &c.TaskEpilog }),
		wordsKey("TaskPlugin", "", "task/none", []string{"task/affinity", "task/cgroup", "task/none"}, func(c *Conf) *[]string { return &c.TaskPlugin }),
		wordsKey("TaskPluginParam", "", "(null type)", append(slices.Clone(bindParams), idleBindParams...),
			func(c *Conf) *[]string { return &c.TaskPluginParam }).withJudge(judgeBindParams),
		programKey("TaskProlog", func(c *Conf) *string { return &c.TaskProlog }),
		idleKey("TCPTimeout", "2 sec", "MessageTimeout bounds a call as a whole"),
		newer(idleKey("TLSParameters", "", whyCA)),
		newer(idleKey("TLSType", "", whyCA)),
		textKey("TmpFS", "/tmp", func(c *Conf) *string { return &c.TmpFS }),
		paramsKey("TopologyParam", func(c *Conf) *Parameters { return &c.TopologyParam }, "there is no such setting",
			append(honour("TopoOptional"), idle("daemons talk to each other directly", "RoutePart", "RouteTree", "NoInAddrAny", "NoCtldInAddrAny",
				"Dragonfly", "SwitchAsNodeRank", "BlockAsNodeRank")...)...),
		textKey("TopologyPlugin", "topology/none", func(c *Conf) *string { return &c.TopologyPlugin }).withJudge(judgeTopology),
		yesKey("TrackWCKey", func(c *Conf) *bool { return &c.TrackWCKey }),
		idleKey("TreeWidth", "50", whyDirect),
		idleKey("UsePam", "No", "slices open no PAM session"),
		programKey("UnkillableStepProgram", func(c *Conf) *string { return &c.UnkillableStepProgram }),
		secondsKey("UnkillableStepTimeout", "60", func(c *Conf) *Duration { return &c.UnkillableStepTimeout }),
		newer(idleKey("UrlParserType", "", whyPlugins)),
		idleKey("VSizeFactor", "0 percent", "address space is not limited"),
		secondsKey("WaitTime", "0", func(c *Conf) *Duration { return &c.WaitTime }),
		paramsKey("X11Parameters", func(c *Conf) *Parameters { return &c.X11Parameters }, "there is no such setting", honour("home_xauthority")...),
	}
}

// ownKeys are those that Slurm does not have.
func ownKeys() []confKey {
	return append(sliceConfKeys(), []confKey{
		newer(textKey("CommandSocket", "", func(c *Conf) *string { return &c.CommandSocket })),
		newer(countKey("GPUHealthyMin", "50", 0, 100, func(c *Conf) *int { return &c.GPUHealthyMin })),
		newer(secondsKey("GPUQuietTime", "60", func(c *Conf) *Duration { return &c.GPUQuietTime })),
		newer(textKey("MPSControl", "auto", func(c *Conf) *string { return &c.MPSControl })),
		newer(secondsKey("MIGIdleTime", "30", func(c *Conf) *Duration { return &c.MIGIdleTime })),
		newer(textKey("LogForward", "", func(c *Conf) *string { return &c.LogForward })),
		newer(countKey("LogForwardRoom", "256", 1, 1<<20, func(c *Conf) *int { return &c.LogForwardRoom })),
		newer(textKey("LogForwardTag", "rink", func(c *Conf) *string { return &c.LogForwardTag })),
		newer(textKey("JoinTokenFile", "", func(c *Conf) *string { return &c.JoinTokenFile })),
		newer(textKey("StateEncryptionKeyFile", "", func(c *Conf) *string { return &c.StateEncryptionKeyFile })),
		newer(confKey{name: "SchedulerPolicy", set: setPolicy, show: func(c *Conf) string { return orNull(c.SchedulerPolicy) }}),
	}...)
}

func orNone(words []string) string {
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, ",")
}

// setPolicy takes one word; which policies there are is the scheduler's to say.
func setPolicy(c *Conf, v string) error {
	if strings.ContainsAny(v, " \t") || v == "" {
		return errorString(quote(v) + " is not the name of a policy")
	}
	c.SchedulerPolicy = v
	return nil
}

// levelKey is a level of the log, by name or number.
func levelKey(name string, field func(*Conf) *string) confKey {
	levels := []string{"quiet", "fatal", "error", "info", "verbose", "debug", "debug2", "debug3", "debug4", "debug5"}
	return confKey{name: name, def: "info",
		set: func(c *Conf, v string) error {
			if n, ok := parseUint(v, uint64(len(levels)-1)); ok {
				*field(c) = levels[n]
				return nil
			}
			if i := slices.Index(levels, strings.ToLower(v)); i >= 0 {
				*field(c) = levels[i]
				return nil
			}
			return errorString(quote(v) + " is none of " + strings.Join(levels, ", "))
		},
		show: func(c *Conf) string { return *field(c) }}
}

// rateKey is a number of nodes a minute.
func rateKey(name, def string, field func(*Conf) *int) confKey {
	k := countKey(name, def, 0, 1<<30, field)
	k.show = func(c *Conf) string { return fmt.Sprintf("%d nodes/min", *field(c)) }
	return k
}

// addHost reads name or name(address). The old keys may have named hosts too;
// SlurmctldHost lines come in their place.
func addHost(c *Conf, v string) error {
	name, rest, ok := strings.Cut(v, "(")
	h := ControlHost{Name: name}
	if ok {
		addr, closed := strings.CutSuffix(rest, ")")
		if !closed || addr == "" {
			return errorString("want name or name(address)")
		}
		h.Addr = addr
	}
	if name == "" || strings.ContainsAny(name, "[],) ") {
		return errorString("want name or name(address)")
	}
	for _, o := range c.SlurmctldHost {
		if o.Name == name {
			return errorString("the host is named twice")
		}
	}
	c.SlurmctldHost = append(c.SlurmctldHost, h)
	return nil
}

func setControllerPort(c *Conf, v string) error {
	low, high, ranged := strings.Cut(v, "-")
	lo, err := confCount(low, 1, 65535)
	if err != nil {
		return err
	}
	hi := lo
	if ranged {
		if hi, err = confCount(high, lo, 65535); err != nil {
			return err
		}
	}
	c.SlurmctldPort, c.SlurmctldPortEnd = lo, hi
	return nil
}

func showControllerPort(c *Conf) string {
	if c.SlurmctldPort == c.SlurmctldPortEnd {
		return fmt.Sprint(c.SlurmctldPort)
	}
	return fmt.Sprintf("%d-%d", c.SlurmctldPort, c.SlurmctldPortEnd)
}

func setStateSave(c *Conf, v string) error {
	if !path.IsAbs(v) {
		return errorString("the path is not absolute")
	}
	c.StateSaveLocation = v
	return nil
}

// setSelectType takes cons_res for cons_tres, which it became.
func setSelectType(c *Conf, v string) error {
	switch name := "select/" + strings.TrimPrefix(strings.ToLower(v), "select/"); name {
	case "select/cons_res", "select/cons_tres":
		c.SelectType = name
	case "select/linear":
		c.SelectType = "select/linear"
		c.SelectTypeParameters = nil
	default:
		return errorString(quote(v) + " is none of select/cons_tres, select/cons_res, select/linear")
	}
	return nil
}

// selectWords are the values of SelectTypeParameters, in upper case.
var selectWords = []string{"CR_CPU", "CR_CPU_MEMORY", "CR_CORE", "CR_CORE_MEMORY", "CR_SOCKET", "CR_SOCKET_MEMORY", "CR_MEMORY",
	"CR_ONE_TASK_PER_CORE", "CR_CORE_DEFAULT_DIST_BLOCK", "CR_LLN", "CR_PACK_NODES", "CR_NO_DIST_TOPO_BLOCK", "LL_SHARED_GRES",
	"MULTIPLE_SHARING_GRES_PJ", "ENFORCE_BINDING_GRES", "ONE_TASK_PER_SHARING_GRES", "OTHER_CONS_RES", "OTHER_CONS_TRES", "NONE"}

func setSelectParameters(c *Conf, v string) error {
	words, err := confWords(v, selectWords)
	if err != nil {
		return err
	}
	kinds := 0
	for _, w := range words {
		switch w {
		case "CR_CPU", "CR_CPU_MEMORY", "CR_CORE", "CR_CORE_MEMORY", "CR_SOCKET", "CR_SOCKET_MEMORY":
			kinds++
		}
	}
	if kinds > 1 {
		return errorString("only one of CR_CPU, CR_Core and CR_Socket can be what is allocated")
	}
	c.SelectTypeParameters = words
	return nil
}

// bindParams are the words of TaskPluginParam that are acted on, and idleBindParams
// the others.
var (
	bindParams     = []string{"none", "sockets", "cores", "threads", "verbose", "quiet", "autobind=threads", "autobind=cores", "autobind=sockets", "autobind=none"}
	idleBindParams = []string{"boards", "SlurmdOffSpec", "OOMKillStep", "sched", "cpusets"}
)

func judgeBindParams(v string) (Verdict, string) {
	for _, word := range splitList(v) {
		if slices.ContainsFunc(idleBindParams, func(k string) bool { return strings.EqualFold(k, strings.TrimSpace(word)) }) {
			return Ignored, quote(word) + " changes nothing"
		}
	}
	return Honoured, ""
}

func judgeTopology(v string) (Verdict, string) {
	switch "topology/" + strings.TrimPrefix(strings.ToLower(v), "topology/") {
	case "topology/flat", "topology/none", "topology/default", "topology/tree", "topology/block":
		return Honoured, ""
	}
	return Ignored, "networks are flat, trees or blocks; jobs are placed as in a flat one"
}

// schedulerRules say what becomes of each scheduler parameter.
func schedulerRules() []paramRule {
	const whyLocks = "there are no locks to give back"
	const whyEvents = "every event may start jobs at once"
	return slices.Concat(
		honour("disable_job_shrink", "enable_user_top", "nohold_on_prolog_fail", "preempt_strict_order", "preempt_youngest_first"),
		numbers("bf_interval", "bf_job_part_count_reserve", "bf_max_job_assoc", "bf_max_job_part", "bf_max_job_start", "bf_max_job_test",
			"bf_max_job_user", "bf_max_job_user_part", "bf_min_age_reserve", "bf_min_prio_reserve", "bf_resolution", "bf_window",
			"max_array_tasks", "max_script_size", "max_switch_wait", "preempt_reorder_count", "max_batch_requeue", "requeue_delay"),
		idle(whyEvents, "defer", "defer_batch"),
		idleNumbers(whyEvents, "batch_sched_delay", "sched_interval", "sched_min_interval"),
		idle("a plan is made to its end", "bf_continue"),
		idleNumbers("a plan looks at as many jobs as it takes", "default_queue_depth", "partition_job_depth", "sched_max_job_start", "max_sched_time",
			"bf_max_time", "bf_max_job_array_resv"),
		idle("a job is promised room in one partition at a time anyway", "bf_one_resv_per_job"),
		idle("a job that a limit keeps waiting keeps no other one", "assoc_limit_stop"),
		idle("a job whose nodes do not come is requeued anyway", "requeue_on_resume_failure"),
		idle("licences are looked at when a job starts", "bf_licenses"),
		idle(whyNotYet, "allow_zero_lic", "bf_busy_nodes", "ignore_constraint_validation", "ignore_prefer_validation",
			"pack_serial_at_end", "time_min_as_soft_limit", "whole_hetjob"),
		idleNumbers(whyNotYet, "delay_boot"),
		idle(whyLocks, "bf_yield_interval", "bf_yield_rpc_cnt", "bf_yield_sleep"),
		idle(whyEvents, "build_queue_timeout", "max_rpc_cnt", "correspond_after_task_cnt"),
		idle(whyBurst, "bb_array_stage_cnt"),
		idle("the plan grows as it needs", "bf_node_space_size", "bf_window_linear"),
		idle("any controller that leads schedules", "no_backup_scheduling"),
		idle("the command line is kept whole", "max_submit_line_size"),
		idle("a step that cannot start is told when it can", "step_retry_count", "step_retry_time"),
		idle("--extra is a note", "extra_constraints"),
		idle("the scheduler does without it", "bf_allow_magnetic_slot", "bf_hetjob_immediate", "bf_hetjob_prio", "bf_running_job_reserve", "bf_topopt_*",
			"disable_hetjob_steps", "enable_hetjob_steps", "Ignore_NUMA", "preempt_*", "reduce_completing_frag", "salloc_wait_nodes", "sbatch_wait_nodes",
			"spec_cores_first", "bf_ignore_newly_avail_nodes"))
}
