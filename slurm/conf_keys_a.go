package slurm

import (
	"cmp"
	"strings"
)

// confKeys is the whole table, in the order of scontrol show config.
func confKeys() []confKey {
	out := keysAtoH()
	out = append(out, keysItoP()...)
	out = append(out, keysQtoZ()...)
	out = append(out, goneKeys()...)
	return append(out, ownKeys()...)
}

// Reasons that several keys share.
const (
	whyAccounting = "the controllers keep the accounts themselves"
	whySampling   = "there is no such sampling"
	whyIdentity   = "who calls comes from the kernel, and daemons know each other by certificate"
	whyCA         = "the cluster is its own certificate authority"
	whyPlugins    = "commands and daemons load no plugins"
	whyBurst      = "there are no burst buffers"
	whyPower      = "there is no such power control"
	whyMCS        = "there are no security labels"
	whyDirect     = "daemons talk to each other directly"
	whyCompletion = "the accounts keep ended jobs"
	whyMetrics    = "metrics have an endpoint of their own"
	whySlices     = "SliceNamespaces and SlicePrivateTmp say how jobs are shut off"
)

func keysAtoH() []confKey {
	return []confKey{
		idleKey("AccountingStorageBackupHost", "", whyAccounting),
		{name: "AccountingStorageEnforce", def: "none", set: setEnforce,
			show: func(c *Conf) string { return c.AccountingStorageEnforce.String() }},
		idleKey("AccountingStorageHost", "localhost", whyAccounting),
		idleKey("AccountingStorageExternalHost", "", whyAccounting),
		idleKey("AccountingStorageParameters", "", whyAccounting),
		newer(idleKey("AccountingStoragePass", "", whyAccounting)),
		idleKey("AccountingStoragePort", "0", whyAccounting),
		{name: "AccountingStorageTRES", show: showTRES,
			set: func(c *Conf, v string) error { c.AccountingStorageTRES = splitList(v); return checkTRESNames(v) }},
		idleKey("AccountingStorageType", "accounting_storage/none", whyAccounting),
		idleKey("AccountingStorageUser", "N/A", whyAccounting),
		wordsKey("AccountingStoreFlags", "", "(null)", []string{"job_comment", "job_env", "job_extra", "job_script", "no_stdio"},
			func(c *Conf) *[]string { return &c.AccountingStoreFlags }),
		newer(confKey{name: "AccountingStoreJobComment", set: setStoreJobComment}),
		idleKey("AcctGatherEnergyType", "acct_gather_energy/none", whySampling),
		idleKey("AcctGatherFilesystemType", "acct_gather_filesystem/none", whySampling),
		newer(idleKey("AcctGatherInfinibandType", "", whySampling)),
		idleKey("AcctGatherInterconnectType", "acct_gather_interconnect/none", whySampling),
		idleKey("AcctGatherNodeFreq", "0 sec", whySampling),
		idleKey("AcctGatherProfileType", "acct_gather_profile/none", whySampling),
		yesKey("AllowSpecResourcesUsage", func(c *Conf) *bool { return &c.AllowSpecResourcesUsage }),
		wordsKey("AuthAltTypes", "", "(null)", []string{AuthJWT, "auth/munge", "auth/slurm"}, func(c *Conf) *[]string { return &c.AuthAltTypes }).withJudge(judgeAuthAlt),
		paramsKey("AuthAltParameters", func(c *Conf) *Parameters { return &c.AuthAltParameters }, "there is no such setting",
			append(append(honour("jwt_key", "disable_token_creation"), numbers("max_token_lifespan")...),
				refuse("tokens are signed with the key of jwt_key (HS256); there are no key sets", "jwks", "userclaimfield")...)...),
		paramsKey("AuthInfo", func(c *Conf) *Parameters { return &c.AuthInfo }, whyIdentity, append(numbers("cred_expire"), idle(whyIdentity, "socket", "ttl", "use_client_ids", "jwt_key", "disable_token_creation")...)...),
		idleKey("AuthType", "auth/munge", whyIdentity),
		newer(confKey{name: "BackupAddr", set: func(c *Conf, v string) error { return setHostAddr(c, 1, v) }}),
		newer(confKey{name: "BackupController", set: func(c *Conf, v string) error { return setHost(c, 1, v) }}),
		secondsKey("BatchStartTimeout", "10", func(c *Conf) *Duration { return &c.BatchStartTimeout }),
		textKey("BcastExclude", "/lib,/usr/lib,/lib64,/usr/lib64", func(c *Conf) *string { return &c.BcastExclude }),
		idleKey("BcastParameters", "", "sbcast takes its options from its command line"),
		newer(idleKey("BurstBufferParameters", "", whyBurst)),
		idleKey("BurstBufferType", "", whyBurst),
		newer(idleKey("CertgenParameters", "", whyCA)),
		newer(idleKey("CertgenType", "", whyCA)),
		newer(idleKey("CertmgrParameters", "", whyCA)),
		newer(idleKey("CertmgrType", "", whyCA)),
		newer(idleKey("CliFilterParameters", "", whyPlugins)),
		idleKey("CliFilterPlugins", "", whyPlugins),
		{name: "ClusterName", set: setClusterName, show: func(c *Conf) string { return orNull(c.ClusterName) }},
		idleKey("CommunicationParameters", "", whyDirect),
		secondsKey("CompleteWait", "0", func(c *Conf) *Duration { return &c.CompleteWait }),
		newer(confKey{name: "ControlAddr", set: func(c *Conf, v string) error { return setHostAddr(c, 0, v) }}),
		newer(confKey{name: "ControlMachine", set: func(c *Conf, v string) error { return setHost(c, 0, v) }}),
		idleKey("CoreSpecPlugin", "core_spec/none", "cores are kept back with CoreSpecCount and CPUSpecList"),
		idleKey("CpuFreqDef", "Unknown", "CPU clocks are left as they are"),
		idleKey("CpuFreqGovernors", "OnDemand,Performance,UserSpace", "CPU clocks are left as they are"),
		idleKey("CredType", "cred/munge", whyIdentity),
		newer(idleKey("CryptoType", "", whyIdentity)),
		newer(idleKey("DataParserParameters", "", "there is one layout of JSON")),
		idleKey("DebugFlags", "", "logs are by level, not by category"),
		newer(countKey("DefCpuPerGPU", "", 0, maxNodeCount, func(c *Conf) *int { return &c.DefCPUPerGPU })),
		only(memoryKey("DefMemPerCPU", func(c *Conf) *MB { return &c.DefMemPerCPU }), func(c *Conf) bool { return c.DefMemPerCPU > 0 }),
		newer(memoryKey("DefMemPerGPU", func(c *Conf) *MB { return &c.DefMemPerGPU })),
		only(memoryKey("DefMemPerNode", func(c *Conf) *MB { return &c.DefMemPerNode }), func(c *Conf) bool { return c.DefMemPerCPU == 0 }),
		paramsKey("DependencyParameters", func(c *Conf) *Parameters { return &c.DependencyParameters }, "there is no such setting",
			append(append(honour("kill_invalid_depend"), idleNumbers(whyNotYet, "max_depend_depth")...),
				idle("there are no other clusters", "disable_remote_singleton")...)...),
		yesKey("DisableRootJobs", func(c *Conf) *bool { return &c.DisableRootJobs }),
		idleKey("EioTimeout", "60", "srun waits for output until it is complete"),
		{name: "EnforcePartLimits", def: "NO", set: setEnforcePartLimits, show: func(c *Conf) string { return c.EnforcePartLimits }},
		programsKey("Epilog", func(c *Conf) *[]string { return &c.Epilog }),
		idleKey("EpilogMsgTime", "2000 usec", "messages of nodes need no spreading"),
		programKey("EpilogSlurmctld", func(c *Conf) *string { return &c.EpilogSlurmctld }),
		newer(secondsKey("EpilogTimeout", "", func(c *Conf) *Duration { return &c.EpilogTimeout })),
		idleKey("ExtSensorsType", "ext_sensors/none", whySampling),
		idleKey("ExtSensorsFreq", "0 sec", whySampling),
		countKey("FairShareDampeningFactor", "1", 1, 1<<16, func(c *Conf) *int { return &c.FairShareDampeningFactor }),
		newer(idleKey("FastSchedule", "", "it has gone from Slurm")),
		idleKey("FederationParameters", "", "there are no federations"),
		weightKey("FirstJobId", "1", func(c *Conf) *uint32 { return &c.FirstJobID }),
		secondsKey("GetEnvTimeout", "2", func(c *Conf) *Duration { return &c.GetEnvTimeout }),
		wordsKey("GresTypes", "", "(null)", nil, func(c *Conf) *[]string { return &c.GresTypes }),
		confKey{name: "GpuFreqDef", set: setGPUFreqDef, show: func(c *Conf) string { return cmp.Or(c.GPUFreqDef, "high,memory=high") }},
		idleKey("GroupUpdateForce", "1", "groups are looked up when they are needed"),
		idleKey("GroupUpdateTime", "600 sec", "groups are looked up when they are needed"),
		newer(idleKey("HashPlugin", "", whyIdentity)),
		secondsKey("HealthCheckInterval", "0", func(c *Conf) *Duration { return &c.HealthCheckInterval }),
		wordsKey("HealthCheckNodeState", "ANY", "ANY", []string{"ALLOC", "ANY", "CYCLE", "IDLE", "MIXED", "NONDRAINED_IDLE", "START_ONLY"},
			func(c *Conf) *[]string { return &c.HealthCheckNodeState }),
		programKey("HealthCheckProgram", func(c *Conf) *string { return &c.HealthCheckProgram }),
		newer(secondsKey("HealthCheckTimeout", "60", func(c *Conf) *Duration { return &c.HealthCheckTimeout })),
		newer(idleKey("HttpParserType", "", whyPlugins)),
	}
}

// AuthJWT is the one of AuthAltTypes that is honoured: who calls may be said by a signed token.
const AuthJWT = "auth/jwt"

// judgeAuthAlt honours tokens; the other ways daemons and users may know each other by
// are not needed.
func judgeAuthAlt(v string) (Verdict, string) {
	for _, word := range splitList(v) {
		if isPlugin(AuthJWT, strings.TrimSpace(word)) {
			return Honoured, ""
		}
	}
	return Ignored, whyIdentity
}

// only makes a key stand in the listing when it is in force.
func only(k confKey, when func(*Conf) bool) confKey {
	k.when = when
	return k
}

// programsKey is a list of programs, which may be given several times.
func programsKey(name string, field func(*Conf) *[]string) confKey {
	return confKey{name: name, repeats: true,
		set: func(c *Conf, v string) error {
			if strings.EqualFold(v, "none") || v == "(null)" {
				*field(c) = nil
				return nil
			}
			*field(c) = append(*field(c), splitList(v)...)
			return nil
		},
		show: func(c *Conf) string { return orNull(strings.Join(*field(c), ",")) }}
}

func setClusterName(c *Conf, v string) error {
	if v == "" || strings.ContainsAny(v, "/ \t,;") {
		return errorString("a cluster's name is one word without slashes")
	}
	c.ClusterName = strings.ToLower(v)
	return nil
}

// errorString is an error of a fixed text.
type errorString string

func (e errorString) Error() string { return string(e) }

// setHost and setHostAddr set a controller by the old keys, which name two at most.
func setHost(c *Conf, i int, v string) error {
	c.oldHost(i).Name = v
	return nil
}

func setHostAddr(c *Conf, i int, v string) error {
	c.oldHost(i).Addr = v
	return nil
}

func (c *Conf) oldHost(i int) *ControlHost {
	for len(c.SlurmctldHost) <= i {
		c.SlurmctldHost = append(c.SlurmctldHost, ControlHost{})
	}
	return &c.SlurmctldHost[i]
}

func setEnforce(c *Conf, v string) error {
	var a AccountingEnforce
	for _, word := range splitList(v) {
		switch strings.ToLower(word) {
		case "none", "0":
		case "1":
			a.Associations = true
		case "2":
			a.Associations, a.Limits = true, true
		case "associations":
			a.Associations = true
		case "limits":
			a.Associations, a.Limits = true, true
		case "qos":
			a.Associations, a.QOS = true, true
		case "safe":
			a.Associations, a.Limits, a.Safe = true, true, true
		case "wckeys":
			a.Associations, a.WCKeys = true, true
		case "nojobs":
			a.NoJobs, a.NoSteps = true, true
		case "nosteps":
			a.NoSteps = true
		case "all":
			a.Associations, a.Limits, a.QOS, a.Safe, a.WCKeys = true, true, true, true, true
		default:
			return errorString(quote(word) + " is none of associations, limits, qos, safe, wckeys, nojobs, nosteps, all, none")
		}
	}
	c.AccountingStorageEnforce = a
	if a.WCKeys {
		c.TrackWCKey = true
	}
	return nil
}

func setStoreJobComment(c *Conf, v string) error {
	on, err := confFlag(v)
	if err == nil && on {
		c.AccountingStoreFlags = append(c.AccountingStoreFlags, "job_comment")
	}
	return err
}

// checkTRESNames refuses names that are no trackable resources.
func checkTRESNames(v string) error {
	for _, name := range splitList(v) {
		if _, err := ParseTRES(name + "=1"); err != nil {
			return errorString(quote(name) + " is not the name of a trackable resource")
		}
	}
	return nil
}

// showTRES lists what is always counted and then what the file adds.
func showTRES(c *Conf) string {
	all := []string{"cpu", "mem", "energy", "node", "billing", "fs/disk", "vmem", "pages"}
	for _, name := range c.AccountingStorageTRES {
		known := false
		for _, a := range all {
			known = known || strings.EqualFold(a, name)
		}
		if !known {
			all = append(all, name)
		}
	}
	return strings.Join(all, ",")
}

func setEnforcePartLimits(c *Conf, v string) error {
	switch strings.ToUpper(v) {
	case "YES", "ANY":
		c.EnforcePartLimits = "ANY"
	case "ALL":
		c.EnforcePartLimits = "ALL"
	case "NO":
		c.EnforcePartLimits = "NO"
	default:
		return errorString(quote(v) + " is none of ALL, ANY, YES, NO")
	}
	return nil
}
