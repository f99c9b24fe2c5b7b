package slurm

import (
	"fmt"
	"slices"
	"strings"
)

// Conf is a slurm.conf, read and judged. Every field holds the value in force,
// Slurm's default where the file does not say. Spans of time are Durations, even
// where Slurm counts minutes.
type Conf struct {
	// The cluster and its daemons.
	ClusterName                           string
	SlurmctldHost                         []ControlHost // the first one is the primary
	SlurmctldAddr                         string
	SlurmctldPort, SlurmctldPortEnd       int // a range, or twice the same
	SlurmdPort                            int
	SlurmUser, SlurmdUser                 string
	StateSaveLocation, SlurmdSpoolDir     string // %h and %n: see Expand
	SlurmctldPidFile, SlurmdPidFile       string
	SlurmctldLogFile, SlurmdLogFile       string // "": the system's log
	SlurmctldDebug, SlurmdDebug           string
	SlurmctldParameters, SlurmdParameters Parameters
	SlurmctldTimeout, SlurmdTimeout       Duration
	MessageTimeout                        Duration
	// BcastExclude lists where libraries lie that sbcast need not send.
	BcastExclude         string
	ReturnToService      int // 0, 1 or 2
	TmpFS                string
	MailProg, MailDomain string

	// What jobs may be.
	FirstJobID, MaxJobID                         uint32
	MaxArraySize, MaxJobCount, MaxStepCount      int
	MaxTasksPerNode, MaxBatchRequeue             int
	MinJobAge, KillWait, InactiveLimit           Duration
	OverTimeLimit, CompleteWait, WaitTime        Duration
	BatchStartTimeout, GetEnvTimeout             Duration
	UnkillableStepTimeout                        Duration
	UnkillableStepProgram                        string
	X11Parameters                                Parameters
	JobRequeue, JobFileAppend, KillOnBadExit     bool
	DisableRootJobs, AllowSpecResourcesUsage     bool
	DefMemPerCPU, DefMemPerNode, DefMemPerGPU    MB // 0: all of the node
	MaxMemPerCPU, MaxMemPerNode                  MB // 0: no limit
	DefCPUPerGPU                                 int
	Licenses                                     Licenses
	GresTypes                                    []string
	EnforcePartLimits                            string // NO, ANY or ALL
	RequeueExit, RequeueExitHold                 IndexSet
	DependencyParameters                         Parameters
	JobSubmitPlugins                             []string
	PropagateResourceLimits                      []string // names, ALL or NONE
	PropagateResourceLimitsExcept                []string
	PropagatePrioProcess                         int
	MpiDefault                                   string
	MpiParams, LaunchParameters, ScronParameters Parameters
	InteractiveStepOptions                       string
	ResvOverRun                                  Duration
	PrivateData                                  []string // lower case: accounts, events, jobs, ...

	// Scheduling.
	SchedulerType            string // sched/backfill or sched/builtin
	SchedulerParameters      Parameters
	SelectType               string
	SelectTypeParameters     []string // upper case
	TopologyPlugin           string
	TopologyParam            Parameters
	AuthAltTypes             []string
	AuthAltParameters        Parameters
	AuthInfo                 Parameters
	PreemptType              string
	PreemptMode              []string // OFF, CANCEL, REQUEUE, SUSPEND, GANG, PRIORITY, WITHIN
	PreemptParameters        Parameters
	PreemptExemptTime        Duration // 0: none
	PriorityType             string
	PriorityFlags            []string // upper case
	PriorityFavorSmall       bool
	PriorityDecayHalfLife    Duration // 0: usage does not decay
	PriorityCalcPeriod       Duration
	PriorityMaxAge           Duration
	PriorityUsageResetPeriod string
	PriorityWeightAge        uint32
	PriorityWeightAssoc      uint32
	PriorityWeightFairshare  uint32
	PriorityWeightJobSize    uint32
	PriorityWeightPartition  uint32
	PriorityWeightQOS        uint32
	PriorityWeightTRES       TRES
	FairShareDampeningFactor int

	// Accounting.
	AccountingStorageEnforce AccountingEnforce
	AccountingStorageTRES    []string // what is counted beyond cpu, mem, node, billing
	AccountingStoreFlags     []string // lower case: job_comment, job_env, job_script, ...
	JobAcctGatherType        string
	JobAcctGatherFrequency   string
	JobAcctGatherParams      []string
	TrackWCKey               bool

	// Programs.
	Prolog, Epilog                             []string // paths or globs, in order
	PrologSlurmctld, EpilogSlurmctld           string
	PrologFlags                                []string // as Slurm spells them: Alloc, Contain, ...
	PrologEpilogTimeout                        Duration // Unlimited: none
	PrologTimeout, EpilogTimeout               Duration // PrologEpilogTimeout where not said
	TaskProlog, TaskEpilog                     string
	SrunProlog, SrunEpilog                     string
	HealthCheckProgram                         string
	HealthCheckInterval, HealthCheckTimeout    Duration
	GPUHealthyMin                              int      // percent of a node's GPUs
	GPUQuietTime                               Duration // that a GPU must show nothing after an error before it is used again
	GPUFreqDef                                 string   // clocks of the GPUs of steps that do not say; "": they are left as they are
	MPSControl                                 string   // the program that jobs with shares of MPS have run; auto: NVIDIA's; none: no program
	MIGIdleTime                                Duration // after which a GPU that was cut on demand is made whole
	HealthCheckNodeState                       []string
	RebootProgram                              string
	ResumeProgram, ResumeFailProgram           string
	SuspendProgram                             string
	ResumeRate, SuspendRate                    int // nodes a minute, 0: no limit
	ResumeTimeout, SuspendTimeout, SuspendTime Duration
	SuspendExcNodes, SuspendExcParts           string
	SuspendExcStates                           []string
	ProctrackType                              string
	TaskPlugin                                 []string
	TaskPluginParam                            []string

	// What only Runink has.
	CommandSocket string // path of the socket for commands; %c is the cluster, %n the node
	JoinTokenFile string
	// StateEncryptionKeyFile has the key that seals what controllers keep on disk.
	StateEncryptionKeyFile string
	Slice                  SliceConf
	SchedulerPolicy        string
	LogForward             string // where the output of jobs goes too: HOST:PORT, or unix:PATH; "": nowhere
	LogForwardTag          string
	LogForwardRoom         int // MB kept on a node while the collector is away

	Nodes      []NodeConf
	NodeSets   []NodeSetConf
	Partitions []PartitionConf
	DownNodes  []DownNodesConf

	// Settings are the keys of the file as they were given, in order, the
	// lines of nodes and partitions left out.
	Settings []ConfSetting
	// Texts are the files that were read, the first the one that was named. With
	// them a daemon elsewhere reads the same configuration again.
	Texts []ConfText
}

// ControlHost is one SlurmctldHost line: a name, and the address to reach it
// at when the name does not serve.
type ControlHost struct{ Name, Addr string }

// String prints name or name(address).
func (h ControlHost) String() string {
	if h.Addr == "" || h.Addr == h.Name {
		return h.Name
	}
	return h.Name + "(" + h.Addr + ")"
}

// AccountingEnforce says what AccountingStorageEnforce asks for, with what each
// word implies.
type AccountingEnforce struct {
	Associations, Limits, QOS, Safe, WCKeys, NoJobs, NoSteps bool
}

// String prints the words as scontrol show config does.
func (a AccountingEnforce) String() string {
	var out []string
	for _, f := range []struct {
		on   bool
		word string
	}{{a.Associations, "associations"}, {a.Limits, "limits"}, {a.NoJobs, "nojobs"}, {a.NoSteps, "nosteps"},
		{a.QOS, "qos"}, {a.Safe, "safe"}, {a.WCKeys, "wckeys"}} {
		if f.on {
			out = append(out, f.word)
		}
	}
	if len(out) == 0 {
		return "none"
	}
	return strings.Join(out, ",")
}

// ConfSetting is a key as it was given.
type ConfSetting struct {
	Key, Value string
	File       string
	Line       int
}

// Value returns the text of a key as it was given, the last one if several times.
func (c *Conf) Value(key string) (string, bool) {
	for i := len(c.Settings) - 1; i >= 0; i-- {
		if strings.EqualFold(c.Settings[i].Key, key) {
			return c.Settings[i].Value, true
		}
	}
	return "", false
}

// Node finds a node by name.
func (c *Conf) Node(name string) (*NodeConf, bool) {
	for i := range c.Nodes {
		if c.Nodes[i].Name == name {
			return &c.Nodes[i], true
		}
	}
	return nil, false
}

// Partition finds a partition by name, whatever the case of its letters.
func (c *Conf) Partition(name string) (*PartitionConf, bool) {
	for i := range c.Partitions {
		if strings.EqualFold(c.Partitions[i].Name, name) {
			return &c.Partitions[i], true
		}
	}
	return nil, false
}

// Expand fills in a path of a daemon: %h is the host's name, %n the node's, %c
// the cluster's, %% a percent sign.
func (c *Conf) Expand(path, node, host string) string {
	return strings.NewReplacer("%%", "%", "%h", host, "%n", node, "%c", c.ClusterName).Replace(path)
}

// ParseConf reads slurm.conf and the files it includes. The reports say of each
// key what becomes of it, in the order of the files. The error, when there is
// one, holds every mistake with its file and line, and says the same as the
// reports with the verdict Refused; the Conf is then good for reading only.
func ParseConf(file string, read FileReader) (*Conf, []KeyReport, error) {
	p := &confParser{conf: newConf()}
	r := readConf(file, read)
	p.errs = r.errs
	p.conf.Texts = r.texts
	for i := range r.lines {
		p.line(&r.lines[i])
	}
	if len(r.lines) > 0 || len(r.errs) == 0 {
		p.finish(file)
	}
	return p.conf, p.reports, errOf(p.errs)
}

// TextReader reads from texts that were read before, such as Conf.Texts, which a
// daemon got from another.
func TextReader(texts []ConfText) FileReader {
	return func(path string) ([]byte, error) {
		for _, t := range texts {
			if t.Path == path {
				return []byte(t.Text), nil
			}
		}
		return nil, fmt.Errorf("cannot find %s among the texts of the configuration", path)
	}
}

// newConf returns Slurm's defaults.
func newConf() *Conf {
	c := &Conf{}
	for _, k := range confKeys() {
		if k.set == nil || k.def == "" {
			continue
		}
		if err := k.set(c, k.def); err != nil {
			panic(fmt.Sprintf("the default %q of %s cannot be read: %v", k.def, k.name, err))
		}
	}
	return c
}

// confParser takes the lines of one slurm.conf.
type confParser struct {
	conf    *Conf
	reports []KeyReport
	errs    []error

	nodeDefault, partitionDefault []confPair // of the DEFAULT lines so far
	keys                          []confKey
	reported                      map[string]int // where the last report on a key is
}

// report keeps what becomes of a key; a refused one is an error as well.
func (p *confParser) report(l *confLine, key, value string, v Verdict, why string) {
	p.reports = append(p.reports, KeyReport{File: l.file, Line: l.line, Key: key, Value: value, Verdict: v, Why: why})
	if v == Refused {
		p.errs = append(p.errs, l.errorf("cannot use %s=%s: %s", key, value, why))
	}
}

// line takes one line: a node, a partition, or a key of the cluster.
func (p *confParser) line(l *confLine) {
	switch first := strings.ToLower(l.pairs[0].key); first {
	case "nodename":
		p.nodeLine(l)
	case "partitionname":
		p.partitionLine(l)
	case "nodeset":
		p.nodeSetLine(l)
	case "downnodes":
		p.downNodesLine(l)
	case "frontendname", "poweraction":
		why := "there are no front end nodes"
		if first == "poweraction" {
			why = "power programs are ResumeProgram and SuspendProgram"
		}
		for _, pair := range l.pairs {
			p.report(l, pair.key, pair.value, Ignored, why)
		}
	default:
		if len(l.pairs) > 1 {
			extra := l.pairs[1]
			p.report(l, extra.key, extra.value, Refused, "only lines of nodes and partitions may hold several keys")
			return
		}
		p.setting(l, l.pairs[0])
	}
}

// setting takes a key of the cluster.
func (p *confParser) setting(l *confLine, pair confPair) {
	k := p.key(pair.key)
	if k == nil {
		p.report(l, pair.key, pair.value, Refused, "there is no such key")
		return
	}
	if pair.op != 0 {
		p.report(l, k.name, pair.value, Refused, string(rune(pair.op))+"= is not meaningful here")
		return
	}
	if k.set != nil {
		if err := k.set(p.conf, pair.value); err != nil {
			p.report(l, k.name, pair.value, Refused, err.Error())
			return
		}
	}
	if !k.repeats {
		p.overrule(l, k.name)
	}
	p.conf.Settings = append(p.conf.Settings, ConfSetting{Key: k.name, Value: pair.value, File: l.file, Line: l.line})
	verdict, why := k.verdict, k.why
	if k.judge != nil {
		verdict, why = k.judge(pair.value)
	}
	if verdict == Honoured && unacted[k.name] != "" {
		verdict, why = Ignored, unacted[k.name]
	}
	p.report(l, k.name, pair.value, verdict, why)
	if k.rules == nil {
		return
	}
	for _, item := range ParseParameters(pair.value).judge(k.rules, k.unruled) {
		p.report(l, k.name+":"+item.Key, item.Value, item.Verdict, item.Why)
	}
}

// overrule marks the report that the same key had before: the later value
// counts. It is called just before the new report is made.
func (p *confParser) overrule(l *confLine, key string) {
	if p.reported == nil {
		p.reported = map[string]int{}
	}
	if i, ok := p.reported[key]; ok && p.reports[i].Verdict == Honoured {
		k := &p.reports[i]
		k.Verdict, k.Why = Ignored, fmt.Sprintf("it is given again at %s:%d", l.file, l.line)
	}
	p.reported[key] = len(p.reports)
}

func (p *confParser) key(name string) *confKey {
	if p.keys == nil {
		p.keys = confKeys()
	}
	for i := range p.keys {
		if strings.EqualFold(p.keys[i].name, name) {
			return &p.keys[i]
		}
	}
	return nil
}

// finish checks what only the whole file can show.
func (p *confParser) finish(file string) {
	c := p.conf
	whole := &confLine{file: file, line: 0}
	if c.ClusterName == "" {
		p.errs = append(p.errs, whole.errorf("cannot use a configuration without ClusterName"))
	}
	c.SlurmctldHost = slices.DeleteFunc(c.SlurmctldHost, func(h ControlHost) bool { return h.Name == "" })
	if len(c.SlurmctldHost) == 0 {
		p.errs = append(p.errs, whole.errorf("cannot use a configuration without SlurmctldHost"))
	}
	if c.FirstJobID > c.MaxJobID {
		p.errs = append(p.errs, whole.errorf("cannot use FirstJobId=%d above MaxJobId=%d", c.FirstJobID, c.MaxJobID))
	}
	if c.PrologTimeout == 0 {
		c.PrologTimeout = c.PrologEpilogTimeout
	}
	if c.EpilogTimeout == 0 {
		c.EpilogTimeout = c.PrologEpilogTimeout
	}
	p.finishNodes()
	p.finishPartitions()
}
