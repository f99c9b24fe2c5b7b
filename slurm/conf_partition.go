package slurm

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// PartitionConf is a partition as slurm.conf describes it. In lists of names nil
// stands for all; in limits 0 stands for none; a Duration of Unset and a memory
// of 0 mean that the cluster's value holds.
type PartitionConf struct {
	Name      string
	Nodes     HostList // with node sets and ALL filled in
	NodesText string   // as given
	Default   bool
	State     string // UP, DOWN, DRAIN or INACTIVE

	MaxTime            Duration
	DefaultTime        Duration // Unset: MaxTime
	OverTimeLimit      Duration
	GraceTime          Duration
	MinNodes, MaxNodes int
	MaxCPUsPerNode     int
	MaxCPUsPerSocket   int
	DefMemPerCPU       MB
	DefMemPerNode      MB
	DefMemPerGPU       MB
	MaxMemPerCPU       MB
	MaxMemPerNode      MB
	DefCPUPerGPU       int

	AllowAccounts, DenyAccounts []string
	AllowQOS, DenyQOS           []string
	AllowGroups, AllocNodes     []string
	QOS                         string
	Quota                       string   // ours: what ParseQuota reads
	MIGProfiles                 []string // ours: what idle GPUs may be cut into for its jobs, or "all"
	RootOnly, ReqResv, Hidden   bool
	DisableRootJobs             bool

	PriorityTier         int
	PriorityJobFactor    int
	PreemptMode          []string // nil: the cluster's
	OverSubscribe        string   // NO, YES, FORCE or EXCLUSIVE
	OverSubscribeJobs    int      // how many jobs may share, with YES and FORCE
	ExclusiveUser        bool
	ExclusiveTopo        bool
	CPUBind              string // how tasks are bound when neither they nor their nodes say; "": TaskPluginParam says
	LLN                  bool
	SelectTypeParameters []string // nil: the cluster's
	TRESBillingWeights   []BillingWeight
	Alternate            string
	PowerDownOnIdle      bool
	SuspendTime          Duration
	SuspendTimeout       Duration
	ResumeTimeout        Duration

	// Slice is the partition's own, nil: the cluster's holds.
	Slice *SliceConf

	File string
	Line int

	disableRootGiven bool
	sliceGiven       []confPair
}

// BillingWeight is how much one unit of a trackable resource is billed.
type BillingWeight struct {
	TRES   string // lower case: cpu, mem, gres/gpu
	Weight float64
	Unit   byte // K, M, G, T or P for resources that are counted in bytes; 0
}

// partitionKeys are the keys of a PartitionName line.
var partitionKeys = append(slicePartitionKeys(), []recordKey[PartitionConf]{
	recNames("AllocNodes", func(p *PartitionConf) *[]string { return &p.AllocNodes }),
	recNames("AllowAccounts", func(p *PartitionConf) *[]string { return &p.AllowAccounts }),
	recNames("AllowGroups", func(p *PartitionConf) *[]string { return &p.AllowGroups }),
	recNames("AllowQos", func(p *PartitionConf) *[]string { return &p.AllowQOS }),
	recText("Alternate", func(p *PartitionConf) *string { return &p.Alternate }).idle("a job waits for a partition that is down"),
	{name: "CpuBind", set: func(p *PartitionConf, v string) (err error) { p.CPUBind, err = ParseNodeBind(v); return err }},
	recFlag("Default", func(p *PartitionConf) *bool { return &p.Default }),
	recTime("DefaultTime", func(p *PartitionConf) *Duration { return &p.DefaultTime }),
	recLimit("DefCpuPerGPU", func(p *PartitionConf) *int { return &p.DefCPUPerGPU }),
	recMemory("DefMemPerCPU", func(p *PartitionConf) *MB { return &p.DefMemPerCPU }),
	recMemory("DefMemPerGPU", func(p *PartitionConf) *MB { return &p.DefMemPerGPU }),
	recMemory("DefMemPerNode", func(p *PartitionConf) *MB { return &p.DefMemPerNode }),
	recNames("DenyAccounts", func(p *PartitionConf) *[]string { return &p.DenyAccounts }),
	recNames("DenyQos", func(p *PartitionConf) *[]string { return &p.DenyQOS }),
	{name: "DisableRootJobs", set: func(p *PartitionConf, v string) (err error) {
		p.DisableRootJobs, err = confFlag(v)
		p.disableRootGiven = true
		return err
	}},
	{name: "Exclusive", set: setPartitionExclusive},
	recFlag("ExclusiveTopo", func(p *PartitionConf) *bool { return &p.ExclusiveTopo }),
	recFlag("ExclusiveUser", func(p *PartitionConf) *bool { return &p.ExclusiveUser }),
	recSpan("GraceTime", 1, func(p *PartitionConf) *Duration { return &p.GraceTime }),
	recFlag("Hidden", func(p *PartitionConf) *bool { return &p.Hidden }),
	recFlag("LLN", func(p *PartitionConf) *bool { return &p.LLN }),
	recLimit("MaxCPUsPerNode", func(p *PartitionConf) *int { return &p.MaxCPUsPerNode }),
	recLimit("MaxCPUsPerSocket", func(p *PartitionConf) *int { return &p.MaxCPUsPerSocket }),
	recMemory("MaxMemPerCPU", func(p *PartitionConf) *MB { return &p.MaxMemPerCPU }),
	recMemory("MaxMemPerNode", func(p *PartitionConf) *MB { return &p.MaxMemPerNode }),
	recLimit("MaxNodes", func(p *PartitionConf) *int { return &p.MaxNodes }),
	recTime("MaxTime", func(p *PartitionConf) *Duration { return &p.MaxTime }),
	recCount("MinNodes", 0, maxNodeCount, func(p *PartitionConf) *int { return &p.MinNodes }),
	recText("Nodes", func(p *PartitionConf) *string { return &p.NodesText }),
	{name: "MIGProfiles", set: setMIGProfiles},
	{name: "OverSubscribe", set: setOverSubscribe},
	{name: "Shared", set: setOverSubscribe},
	recSpan("OverTimeLimit", 60, func(p *PartitionConf) *Duration { return &p.OverTimeLimit }),
	recFlag("PowerDownOnIdle", func(p *PartitionConf) *bool { return &p.PowerDownOnIdle }),
	{name: "PreemptMode", set: func(p *PartitionConf, v string) (err error) {
		p.PreemptMode, err = confWords(v, preemptModes)
		return err
	}},
	{name: "Priority", set: func(p *PartitionConf, v string) (err error) {
		p.PriorityTier, err = confCount(v, 0, 65533)
		p.PriorityJobFactor = p.PriorityTier
		return err
	}},
	recCount("PriorityJobFactor", 0, 65533, func(p *PartitionConf) *int { return &p.PriorityJobFactor }),
	recCount("PriorityTier", 0, 65533, func(p *PartitionConf) *int { return &p.PriorityTier }),
	recText("QOS", func(p *PartitionConf) *string { return &p.QOS }),
	{name: "Quota", set: func(p *PartitionConf, v string) error {
		q, err := ParseQuota(v)
		p.Quota = q.String()
		return err
	}},
	recFlag("ReqResv", func(p *PartitionConf) *bool { return &p.ReqResv }),
	recSpan("ResumeTimeout", 1, func(p *PartitionConf) *Duration { return &p.ResumeTimeout }),
	recFlag("RootOnly", func(p *PartitionConf) *bool { return &p.RootOnly }),
	{name: "SelectTypeParameters", set: func(p *PartitionConf, v string) (err error) {
		p.SelectTypeParameters, err = confWords(v, selectWords)
		return err
	}},
	{name: "State", set: setPartitionState},
	recSpan("SuspendTime", 1, func(p *PartitionConf) *Duration { return &p.SuspendTime }),
	recSpan("SuspendTimeout", 1, func(p *PartitionConf) *Duration { return &p.SuspendTimeout }),
	recIdle[PartitionConf]("Topology", "there is one network"),
	{name: "TRESBillingWeights", set: func(p *PartitionConf, v string) (err error) {
		p.TRESBillingWeights, err = ParseBillingWeights(v)
		return err
	}},
}...)

// recNames is a list of names; ALL is nil.
func recNames(name string, field func(*PartitionConf) *[]string) recordKey[PartitionConf] {
	return recordKey[PartitionConf]{name: name, set: func(p *PartitionConf, v string) error {
		if strings.EqualFold(v, "ALL") {
			*field(p) = nil
			return nil
		}
		*field(p) = splitList(v)
		return nil
	}}
}

// recTime is a time limit; NONE is none said.
func recTime(name string, field func(*PartitionConf) *Duration) recordKey[PartitionConf] {
	return recordKey[PartitionConf]{name: name, set: func(p *PartitionConf, v string) error {
		if strings.EqualFold(v, "NONE") && name == "DefaultTime" {
			*field(p) = Unset
			return nil
		}
		d, err := ParseDuration(v)
		if err == nil {
			*field(p) = d.RoundUp()
		}
		return err
	}}
}

func setPartitionState(p *PartitionConf, v string) error {
	states := []string{"UP", "DOWN", "DRAIN", "INACTIVE"}
	p.State = strings.ToUpper(v)
	if !slices.Contains(states, p.State) {
		return errorString(quote(v) + " is none of " + strings.Join(states, ", "))
	}
	return nil
}

// setOverSubscribe reads NO, EXCLUSIVE, YES[:jobs] or FORCE[:jobs].
func setOverSubscribe(p *PartitionConf, v string) error {
	word, count, counted := strings.Cut(strings.ToUpper(v), ":")
	jobs := 4
	if counted {
		n, err := confCount(count, 1, 1<<15)
		if err != nil {
			return err
		}
		jobs = n
	}
	switch {
	case word == "NO" && !counted, word == "EXCLUSIVE" && !counted:
		p.OverSubscribe, p.OverSubscribeJobs = word, 0
	case word == "YES" || word == "FORCE":
		p.OverSubscribe, p.OverSubscribeJobs = word, jobs
	default:
		return errorString(quote(v) + " is none of NO, EXCLUSIVE, YES[:jobs], FORCE[:jobs]")
	}
	return nil
}

// setPartitionExclusive is the newer spelling of OverSubscribe=EXCLUSIVE and
// ExclusiveUser.
func setPartitionExclusive(p *PartitionConf, v string) error {
	switch strings.ToUpper(v) {
	case "NO", "NONE":
	case "NODE", "YES":
		p.OverSubscribe, p.OverSubscribeJobs = "EXCLUSIVE", 0
	case "USER":
		p.ExclusiveUser = true
	case "TOPO":
		p.ExclusiveTopo = true
	default:
		return errorString(quote(v) + " is none of NONE, NODE, USER, TOPO")
	}
	return nil
}

// ParseBillingWeights reads TRES=weight[unit] items separated by commas.
func ParseBillingWeights(v string) ([]BillingWeight, error) {
	var out []BillingWeight
	for _, item := range splitList(v) {
		name, number, ok := strings.Cut(item, "=")
		w := BillingWeight{TRES: strings.ToLower(strings.TrimSpace(name))}
		if n := len(number); n > 1 && strings.IndexByte("kmgtpKMGTP", number[n-1]) >= 0 {
			w.Unit = strings.ToUpper(number[n-1:])[0]
			number = number[:n-1]
		}
		weight, err := strconv.ParseFloat(number, 64)
		if _, bad := ParseTRES(w.TRES + "=1"); !ok || err != nil || bad != nil || weight < 0 || weight > 1e18 {
			return nil, fmt.Errorf("%s is not TRES=weight", quote(item))
		}
		w.Weight = weight
		out = append(out, w)
	}
	return out, nil
}

// partitionLine takes a PartitionName line.
func (p *confParser) partitionLine(l *confLine) {
	name := l.pairs[0].value
	part := PartitionConf{State: "UP", MaxTime: Unlimited, DefaultTime: Unset, OverTimeLimit: Unset, PriorityTier: 1, PriorityJobFactor: 1,
		OverSubscribe: "NO", SuspendTime: Unset, SuspendTimeout: Unset, ResumeTimeout: Unset, File: l.file, Line: l.line}
	p.report(l, "PartitionName", name, Honoured, "")
	if strings.EqualFold(name, "DEFAULT") {
		if fill(p, l, partitionKeys, &part, l.pairs[1:], false) {
			p.partitionDefault = append(p.partitionDefault, l.pairs[1:]...)
		}
		return
	}
	fill(p, l, partitionKeys, &part, p.partitionDefault, true)
	if !fill(p, l, partitionKeys, &part, l.pairs[1:], false) {
		return
	}
	for _, one := range splitList(name) {
		part.Name = one
		if old, ok := p.conf.Partition(one); ok {
			p.errs = append(p.errs, l.errorf("cannot use partition %s: it is described at %s:%d already", one, old.File, old.Line))
			continue
		}
		p.conf.Partitions = append(p.conf.Partitions, part)
	}
}

// finishPartitions fills in node lists, the one default partition and slices.
func (p *confParser) finishPartitions() {
	known := make(map[string]bool, len(p.conf.Nodes))
	for _, n := range p.conf.Nodes {
		known[n.Name] = true
	}
	last := -1
	for i := range p.conf.Partitions {
		part := &p.conf.Partitions[i]
		l := &confLine{file: part.File, line: part.Line}
		var err error
		if part.Nodes, err = p.nodesOf(part.NodesText, known, 0); err != nil {
			p.errs = append(p.errs, l.errorf("cannot use Nodes=%s of partition %s: %v", part.NodesText, part.Name, err))
		}
		if part.DefaultTime != Unset && part.DefaultTime > part.MaxTime {
			p.errs = append(p.errs, l.errorf("cannot use DefaultTime=%s of partition %s: MaxTime is %s", part.DefaultTime, part.Name, part.MaxTime))
		}
		if part.Default {
			if last >= 0 {
				p.conf.Partitions[last].Default = false
			}
			last = i
		}
		if !part.disableRootGiven {
			part.DisableRootJobs = p.conf.DisableRootJobs
		}
		if len(part.sliceGiven) > 0 {
			s := p.conf.Slice
			for _, pair := range part.sliceGiven {
				// The values were read once already.
				_ = applySlice(&s, pair.key, pair.value)
			}
			part.Slice = &s
		}
	}
}

// nodesOf expands a list of nodes, node sets and ALL; the order is that of the
// list, and no node is named twice.
func (p *confParser) nodesOf(text string, known map[string]bool, depth int) (HostList, error) {
	var names []string
	for _, item := range splitHosts(text) {
		if strings.EqualFold(item, "ALL") {
			for _, n := range p.conf.Nodes {
				names = append(names, n.Name)
			}
			continue
		}
		i := slices.IndexFunc(p.conf.NodeSets, func(s NodeSetConf) bool { return s.Name == item })
		if i >= 0 {
			set := &p.conf.NodeSets[i]
			if depth > 0 {
				return HostList{}, fmt.Errorf("node set %s cannot hold another node set", set.Name)
			}
			if set.Nodes != "" {
				inner, err := p.nodesOf(set.Nodes, known, depth+1)
				if err != nil {
					return HostList{}, fmt.Errorf("node set %s: %w", set.Name, err)
				}
				names = append(names, inner.Hosts()...)
			}
			for _, n := range p.conf.Nodes {
				if set.Feature != "" && slices.Contains(n.Features, set.Feature) {
					names = append(names, n.Name)
				}
			}
			continue
		}
		hosts, err := ParseHostList(item)
		if err != nil {
			return HostList{}, err
		}
		for _, name := range hosts.Hosts() {
			if !known[name] {
				return HostList{}, fmt.Errorf("no NodeName line describes %s", name)
			}
			names = append(names, name)
		}
	}
	return HostListOf(names...).Unique(), nil
}

// setMIGProfiles reads the names of profiles, such as 1g.10gb, or all.
func setMIGProfiles(p *PartitionConf, v string) error {
	p.MIGProfiles = nil
	for word := range strings.SplitSeq(strings.ToLower(v), ",") {
		word = strings.TrimSpace(word)
		if word != "all" && !migProfile().MatchString(word) {
			return fmt.Errorf("%q is no profile of a GPU's instances: want one such as 1g.10gb, or all", word)
		}
		p.MIGProfiles = append(p.MIGProfiles, word)
	}
	return nil
}

var migProfile = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(\d+c\.)?\d+g\.\d+gb(\.[a-z]+)*$`) })
