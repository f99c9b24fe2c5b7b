package slurm

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

func keysItoP() []confKey {
	return []confKey{
		secondsKey("InactiveLimit", "0", func(c *Conf) *Duration { return &c.InactiveLimit }),
		textKey("InteractiveStepOptions", "--interactive --preserve-env --pty $SHELL", func(c *Conf) *string { return &c.InteractiveStepOptions }),
		textKey("JobAcctGatherFrequency", "30", func(c *Conf) *string { return &c.JobAcctGatherFrequency }),
		{name: "JobAcctGatherType", def: "jobacct_gather/none", set: setGatherType, show: func(c *Conf) string { return c.JobAcctGatherType }},
		{name: "JobAcctGatherParams", set: func(c *Conf, v string) (err error) {
			c.JobAcctGatherParams, err = confWords(v, []string{"UsePss", "NoShared", "OverMemoryKill", "NoOverMemoryKill", "DisableGPUAcct"})
			return err
		}, show: func(c *Conf) string { return cmp.Or(strings.Join(c.JobAcctGatherParams, ","), "(null)") },
			rules: slices.Concat(honour("OverMemoryKill"), idle("what a job uses is what its cgroup says", "UsePss", "NoShared"),
				idle("the kernel keeps a job to its memory", "NoOverMemoryKill"), idle("what GPUs do is counted where NVML tells", "DisableGPUAcct"))},
		idleKey("JobCompHost", "localhost", whyCompletion),
		idleKey("JobCompLoc", "/var/log/slurm_jobcomp.log", whyCompletion),
		newer(idleKey("JobCompParams", "", whyCompletion)),
		newer(idleKey("JobCompPass", "", whyCompletion)),
		newer(idleKey("JobCompPassScript", "", whyCompletion)),
		idleKey("JobCompPort", "0", whyCompletion),
		idleKey("JobCompType", "jobcomp/none", whyCompletion),
		idleKey("JobCompUser", "root", whyCompletion),
		idleKey("JobContainerType", "job_container/none", whySlices),
		idleKey("JobCredentialPrivateKey", "", whyIdentity),
		idleKey("JobCredentialPublicCertificate", "", whyIdentity),
		bitKey("JobFileAppend", "0", func(c *Conf) *bool { return &c.JobFileAppend }),
		bitKey("JobRequeue", "1", func(c *Conf) *bool { return &c.JobRequeue }),
		{name: "JobSubmitPlugins", set: setSubmitPlugins, show: func(c *Conf) string { return orNull(strings.Join(c.JobSubmitPlugins, ",")) }},
		newer(idleKey("KeepAliveTime", "", whyDirect)),
		bitKey("KillOnBadExit", "0", func(c *Conf) *bool { return &c.KillOnBadExit }),
		secondsKey("KillWait", "30", func(c *Conf) *Duration { return &c.KillWait }),
		paramsKey("LaunchParameters", func(c *Conf) *Parameters { return &c.LaunchParameters }, "there is no such setting",
			append(honour("use_interactive_step"),
				idle("steps are started without it", "batch_step_set_cpu_freq", "interactive_step_set_cpu_freq", "cray_net_exclusive", "enable_nss_slurm",
					"lustre_no_flush", "mem_sort", "mpir_use_nodeaddr", "disable_send_gids", "slurmstepd_memlock", "slurmstepd_memlock_all",
					"srun_exclusive_allocation", "test_exec", "ulimit_pam_adopt")...)...),
		idleKey("LaunchType", "launch/slurm", "there is one way to launch"),
		newer(idleKey("LicenseParameters", "", "there are no licence servers")),
		{name: "Licenses", set: setLicenses, show: func(c *Conf) string { return orNull(c.Licenses.String()) }},
		idleKey("LogTimeFormat", "iso8601_ms", "logs have one form of time"),
		textKey("MailDomain", "", func(c *Conf) *string { return &c.MailDomain }),
		textKey("MailProg", "/bin/mail", func(c *Conf) *string { return &c.MailProg }),
		countKey("MaxArraySize", "1001", 0, largestIndex+1, func(c *Conf) *int { return &c.MaxArraySize }),
		newer(countKey("MaxBatchRequeue", "5", 0, math.MaxInt32, func(c *Conf) *int { return &c.MaxBatchRequeue })),
		idleKey("MaxDBDMsgs", "0", whyAccounting),
		countKey("MaxJobCount", "10000", 1, math.MaxInt32, func(c *Conf) *int { return &c.MaxJobCount }),
		weightKey("MaxJobId", "67043328", func(c *Conf) *uint32 { return &c.MaxJobID }),
		only(memoryKey("MaxMemPerCPU", func(c *Conf) *MB { return &c.MaxMemPerCPU }), func(c *Conf) bool { return c.MaxMemPerCPU > 0 }),
		only(memoryKey("MaxMemPerNode", func(c *Conf) *MB { return &c.MaxMemPerNode }), func(c *Conf) bool { return c.MaxMemPerCPU == 0 }),
		idleKey("MaxNodeCount", "", "nodes may be added at any time"),
		countKey("MaxStepCount", "40000", 1, math.MaxInt32, func(c *Conf) *int { return &c.MaxStepCount }),
		countKey("MaxTasksPerNode", "512", 1, 65533, func(c *Conf) *int { return &c.MaxTasksPerNode }),
		idleKey("MCSPlugin", "mcs/none", whyMCS),
		idleKey("MCSParameters", "", whyMCS),
		secondsKey("MessageTimeout", "10", func(c *Conf) *Duration { return &c.MessageTimeout }),
		newer(idleKey("MetricsAuthUsers", "", whyMetrics)),
		newer(idleKey("MetricsParameters", "", whyMetrics)),
		newer(idleKey("MetricsType", "", whyMetrics)),
		secondsKey("MinJobAge", "300", func(c *Conf) *Duration { return &c.MinJobAge }),
		textKey("MpiDefault", "none", func(c *Conf) *string { return &c.MpiDefault }),
		paramsKey("MpiParams", func(c *Conf) *Parameters { return &c.MpiParams }, "there is no such setting", honour("ports")...),
		newer(idleKey("NamespaceType", "", whySlices)),
		idleKey("NodeFeaturesPlugins", "", whyPlugins),
		minutesKey("OverTimeLimit", "0", func(c *Conf) *Duration { return &c.OverTimeLimit }),
		idleKey("PluginDir", "", whyPlugins),
		idleKey("PlugStackConfig", "", whyPlugins),
		idleKey("PowerParameters", "", whyPower),
		idleKey("PowerPlugin", "", whyPower).shownEmpty(),
		wordsKey("PreemptMode", "OFF", "OFF", preemptModes, func(c *Conf) *[]string { return &c.PreemptMode }),
		newer(paramsKey("PreemptParameters", func(c *Conf) *Parameters { return &c.PreemptParameters }, "there is no such setting",
			slices.Concat(idle(whyNotYet, "reclaim_licenses"), honour("strict_order", "youngest_first", "send_user_signal"), numbers("min_exempt_priority", "reorder_count", "suspend_grace_time"))...)),
		oneKey("PreemptType", "preempt/none", []string{"preempt/none", "preempt/partition_prio", "preempt/qos"}, func(c *Conf) *string { return &c.PreemptType }),
		{name: "PreemptExemptTime", def: "0", set: setExemptTime, show: func(c *Conf) string { return c.PreemptExemptTime.String() }},
		idleKey("PrEpParameters", "", whyPlugins),
		idleKey("PrEpPlugins", "prep/script", whyPlugins),
		idleKey("PriorityParameters", "", "there is no such setting"),
		idleKey("PrioritySiteFactorParameters", "", whyPlugins),
		idleKey("PrioritySiteFactorPlugin", "", whyPlugins),
		durationKey("PriorityDecayHalfLife", "7-0", func(c *Conf) *Duration { return &c.PriorityDecayHalfLife }),
		durationKey("PriorityCalcPeriod", "5", func(c *Conf) *Duration { return &c.PriorityCalcPeriod }),
		yesKey("PriorityFavorSmall", func(c *Conf) *bool { return &c.PriorityFavorSmall }),
		wordsKey("PriorityFlags", "", "", []string{"ACCRUE_ALWAYS", "CALCULATE_RUNNING", "DEPTH_OBLIVIOUS", "NO_FAIR_TREE", "INCR_ONLY", "MAX_TRES",
			"MAX_TRES_GRES", "NO_NORMAL_ALL", "NO_NORMAL_ASSOC", "NO_NORMAL_PART", "NO_NORMAL_QOS", "NO_NORMAL_TRES", "SMALL_RELATIVE_TO_TIME", "FAIR_TREE"},
			func(c *Conf) *[]string { return &c.PriorityFlags }),
		durationKey("PriorityMaxAge", "7-0", func(c *Conf) *Duration { return &c.PriorityMaxAge }),
		oneKey("PriorityUsageResetPeriod", "NONE", []string{"NONE", "NOW", "DAILY", "WEEKLY", "MONTHLY", "QUARTERLY", "YEARLY"},
			func(c *Conf) *string { return &c.PriorityUsageResetPeriod }),
		oneKey("PriorityType", "priority/multifactor", []string{"priority/basic", "priority/multifactor"}, func(c *Conf) *string { return &c.PriorityType }),
		weightKey("PriorityWeightAge", "0", func(c *Conf) *uint32 { return &c.PriorityWeightAge }),
		weightKey("PriorityWeightAssoc", "0", func(c *Conf) *uint32 { return &c.PriorityWeightAssoc }),
		weightKey("PriorityWeightFairShare", "0", func(c *Conf) *uint32 { return &c.PriorityWeightFairshare }),
		weightKey("PriorityWeightJobSize", "0", func(c *Conf) *uint32 { return &c.PriorityWeightJobSize }),
		weightKey("PriorityWeightPartition", "0", func(c *Conf) *uint32 { return &c.PriorityWeightPartition }),
		weightKey("PriorityWeightQOS", "0", func(c *Conf) *uint32 { return &c.PriorityWeightQOS }),
		{name: "PriorityWeightTRES", set: setWeightTRES,
			show: func(c *Conf) string { return orNull(c.PriorityWeightTRES.Raw()) }},
		wordsKey("PrivateData", "", "none", []string{"accounts", "cloud", "events", "jobs", "nodes", "partitions", "reservations", "usage", "users", "all"},
			func(c *Conf) *[]string { return &c.PrivateData }),
		textKey("ProctrackType", "proctrack/cgroup", func(c *Conf) *string { return &c.ProctrackType }).withJudge(func(string) (Verdict, string) {
			return Ignored, "a slice knows its processes by its cgroup, or by its namespace where there is none"
		}),
		programsKey("Prolog", func(c *Conf) *[]string { return &c.Prolog }),
		{name: "PrologEpilogTimeout", def: "INFINITE",
			set: func(c *Conf, v string) (err error) { c.PrologEpilogTimeout, err = confSpan(v, 1); return err },
			show: func(c *Conf) string {
				if c.PrologEpilogTimeout == Unlimited {
					return "65534"
				}
				return secondsText(c.PrologEpilogTimeout)
			}},
		programKey("PrologSlurmctld", func(c *Conf) *string { return &c.PrologSlurmctld }),
		{name: "PrologFlags", set: setPrologFlags, rules: []paramRule{
			{name: "Alloc", verdict: Honoured}, {name: "Contain", verdict: Honoured}, {name: "DeferBatch", verdict: Honoured}, {name: "NoHold", verdict: Honoured},
			{name: "ForceRequeueOnFail", verdict: Honoured}, {name: "Serial", verdict: Honoured},
			{name: "RunInJob", verdict: Ignored, why: "prologs run beside the job, not in it"},
			{name: "X11", verdict: Honoured},
		}, show: func(c *Conf) string { return orNull(strings.Join(c.PrologFlags, ",")) }},
		newer(secondsKey("PrologTimeout", "", func(c *Conf) *Duration { return &c.PrologTimeout })),
		countKey("PropagatePrioProcess", "0", 0, 2, func(c *Conf) *int { return &c.PropagatePrioProcess }),
		{name: "PropagateResourceLimits", def: "ALL",
			set:  func(c *Conf, v string) (err error) { c.PropagateResourceLimits, err = limitWords(v); return err },
			show: func(c *Conf) string { return showLimits(c.PropagateResourceLimits) }},
		{name: "PropagateResourceLimitsExcept",
			set: func(c *Conf, v string) (err error) {
				c.PropagateResourceLimitsExcept, err = limitWords(v)
				c.PropagateResourceLimits = nil
				return err
			},
			show: func(c *Conf) string { return showLimits(c.PropagateResourceLimitsExcept) }},
	}
}

// withJudge decides a key by its value.
func (k confKey) withJudge(judge func(string) (Verdict, string)) confKey {
	k.judge = judge
	return k
}

var preemptModes = []string{"OFF", "CANCEL", "GANG", "REQUEUE", "SUSPEND", "WITHIN", "PRIORITY"}

func setGatherType(c *Conf, v string) error {
	known := []string{"jobacct_gather/none", "jobacct_gather/linux", "jobacct_gather/cgroup"}
	for _, k := range known {
		if isPlugin(k, v) {
			c.JobAcctGatherType = k
			return nil
		}
	}
	return errorString(quote(v) + " is none of " + strings.Join(known, ", "))
}

// setSubmitPlugins refuses a site's own submit filter: without it jobs would be
// let in that the site turns away.
func setSubmitPlugins(c *Conf, v string) error {
	words, err := confWords(v, []string{"all_partitions", "require_timelimit", "defaults", "logging", "partition"})
	if err != nil {
		return errorString("submit filters cannot be loaded, and leaving one out would let in jobs that it turns away; " + err.Error())
	}
	c.JobSubmitPlugins = words
	return nil
}

func setLicenses(c *Conf, v string) error {
	l, err := ParseLicenses(v)
	if err != nil {
		return err
	}
	c.Licenses = l
	return nil
}

func setExemptTime(c *Conf, v string) error {
	if v == "-1" {
		c.PreemptExemptTime = 0
		return nil
	}
	d, err := ParseDuration(v)
	if err == nil {
		c.PreemptExemptTime = d
	}
	return err
}

func setWeightTRES(c *Conf, v string) error {
	t, err := ParseTRES(strings.ToLower(v))
	if err == nil {
		c.PriorityWeightTRES = t
	}
	return err
}

// setPrologFlags adds what a flag implies: Contain and X11 need the prolog at
// the start of the allocation, NoHold does too.
func setPrologFlags(c *Conf, v string) error {
	words, err := confWords(v, []string{"Alloc", "Contain", "DeferBatch", "NoHold", "ForceRequeueOnFail", "Serial", "RunInJob", "X11"})
	if err != nil {
		return err
	}
	imply := func(flag string) {
		if !slices.Contains(words, flag) {
			words = append([]string{flag}, words...)
		}
	}
	if slices.Contains(words, "X11") || slices.Contains(words, "RunInJob") {
		imply("Contain")
	}
	if slices.Contains(words, "Contain") || slices.Contains(words, "NoHold") {
		imply("Alloc")
	}
	c.PrologFlags = words
	return nil
}

// limitWords reads names of resource limits, ALL or NONE.
func limitWords(v string) ([]string, error) {
	var out []string
	for _, word := range splitList(strings.ToUpper(v)) {
		name := strings.TrimPrefix(word, "RLIMIT_")
		if name != "ALL" && name != "NONE" && !knownLimit(name) {
			return nil, errorString(quote(word) + " is not the name of a resource limit")
		}
		out = append(out, name)
	}
	return out, nil
}

func showLimits(names []string) string { return orNull(strings.Join(names, ",")) }
