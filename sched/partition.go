package sched

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/runink/rink/slurm"
)

// DefaultPartition is a partition of that name with Slurm's defaults.
func DefaultPartition(name PartitionName) Partition {
	return Partition{
		Name: name, State: "UP", MaxTime: slurm.Unlimited, MinNodes: 0, PriorityTier: 1, PriorityJobFactor: 1, OverSubscribe: "NO",
	}
}

// ChangePartition makes one change of "scontrol update partition": key and
// value as typed. nodes are those of the configuration.
func ChangePartition(p *Partition, key, value string, nodes []*Node) error {
	bad := func(err error) error { return fmt.Errorf("Invalid %s value %q: %w", key, value, err) }
	words := func() []string {
		if value == "" || strings.EqualFold(value, "ALL") || strings.EqualFold(value, "NONE") {
			return nil
		}
		return strings.Split(value, ",")
	}
	count := func(to *int) error {
		if strings.EqualFold(value, "UNLIMITED") || value == "-1" {
			*to = 0
			return nil
		}
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 {
			return bad(slurm.ErrnoError)
		}
		*to = n
		return nil
	}
	limit := func(to *slurm.Duration) error {
		if strings.EqualFold(value, "NONE") || strings.EqualFold(value, "DEFAULT") {
			*to = 0
			return nil
		}
		d, err := slurm.ParseDuration(value)
		if err != nil {
			return bad(slurm.ErrnoInvalidTime)
		}
		*to = d
		return nil
	}
	number := func(to *uint32) error {
		n, err := strconv.ParseUint(value, 10, 16)
		if err != nil {
			return bad(slurm.ErrnoError)
		}
		*to = uint32(n)
		return nil
	}
	memory := func(to, other *slurm.MB) error {
		mb, err := slurm.ParseMB(value)
		if err != nil {
			return bad(slurm.ErrnoError)
		}
		*to, *other = mb, 0
		return nil
	}
	flag := func(to *bool) error {
		switch strings.ToLower(value) {
		case "yes", "1":
			*to = true
		case "no", "0":
			*to = false
		default:
			return bad(slurm.ErrnoError)
		}
		return nil
	}
	switch strings.ToLower(key) {
	case "state":
		switch s := strings.ToUpper(value); s {
		case "UP", "DOWN", "DRAIN", "INACTIVE":
			p.State = s
		default:
			return fmt.Errorf("Invalid input: State=%s. Acceptable State values are UP, DOWN, DRAIN and INACTIVE: %w", value, slurm.ErrnoError)
		}
	case "nodes":
		return changeNodes(p, value, nodes)
	case "maxtime":
		return limit(&p.MaxTime)
	case "defaulttime":
		return limit(&p.DefaultTime)
	case "quota":
		q, err := slurm.ParseQuota(value)
		if err != nil {
			return bad(slurm.ErrnoError)
		}
		p.Quota = q.String()
	case "gracetime":
		n, err := strconv.ParseUint(value, 10, 31)
		if err != nil {
			return limit(&p.GraceTime)
		}
		p.GraceTime = slurm.Duration(n) // plain numbers are seconds
	case "overtimelimit":
		return limit(&p.OverTimeLimit)
	case "minnodes":
		return count(&p.MinNodes)
	case "maxnodes":
		return count(&p.MaxNodes)
	case "maxcpuspernode":
		return count(&p.MaxCPUsPerNode)
	case "maxcpuspersocket":
		return count(&p.MaxCPUsPerSocket)
	case "cpubind":
		bind, err := slurm.ParseNodeBind(value)
		if err != nil {
			return bad(slurm.ErrnoError)
		}
		p.CPUBind = bind
	case "exclusivetopo":
		return flag(&p.ExclusiveTopo)
	case "priority":
		if err := number(&p.PriorityTier); err != nil {
			return err
		}
		p.PriorityJobFactor = p.PriorityTier
	case "prioritytier":
		return number(&p.PriorityTier)
	case "priorityjobfactor":
		return number(&p.PriorityJobFactor)
	case "defmempercpu":
		return memory(&p.DefMemPerCPU, &p.DefMemPerNode)
	case "defmempernode":
		return memory(&p.DefMemPerNode, &p.DefMemPerCPU)
	case "maxmempercpu":
		return memory(&p.MaxMemPerCPU, &p.MaxMemPerNode)
	case "maxmempernode":
		return memory(&p.MaxMemPerNode, &p.MaxMemPerCPU)
	case "default":
		return flag(&p.Default)
	case "hidden":
		return flag(&p.Hidden)
	case "rootonly":
		return flag(&p.RootOnly)
	case "reqresv":
		return flag(&p.ReqResv)
	case "disablerootjobs":
		return flag(&p.DisableRootJobs)
	case "lln":
		return flag(&p.LLN)
	case "exclusiveuser":
		return flag(&p.ExclusiveUser)
	case "oversubscribe", "shared":
		s := strings.ToUpper(value)
		if base, _, _ := strings.Cut(s, ":"); base != "NO" && base != "YES" && base != "FORCE" && base != "EXCLUSIVE" {
			return bad(slurm.ErrnoError)
		}
		p.OverSubscribe = s
	case "preemptmode":
		p.PreemptMode = strings.ToUpper(value)
	case "allowaccounts":
		p.AllowAccounts = words()
	case "denyaccounts":
		p.DenyAccounts = words()
	case "allowgroups":
		p.AllowGroups = words()
	case "allowqos":
		p.AllowQOS = words()
	case "denyqos":
		p.DenyQOS = words()
	case "allocnodes":
		p.AllocNodes = words()
	case "qos":
		p.QOS = value
	case "jobdefaults":
		var list []string
		for item := range strings.SplitSeq(value, ",") {
			name, text, _ := strings.Cut(item, "=")
			n, err := strconv.ParseUint(text, 10, 32)
			i := slices.IndexFunc([]string{"DefCpuPerGPU", "DefMemPerGPU"}, func(s string) bool { return strings.EqualFold(s, name) })
			switch {
			case value == "":
			case err != nil || i < 0:
				return slurm.ErrnoInvalidJobDefaults
			default:
				list = append(list, fmt.Sprintf("%s=%d", []string{"DefCpuPerGPU", "DefMemPerGPU"}[i], n))
			}
		}
		p.JobDefaults = strings.Join(list, ",")
	case "tresbillingweights":
		if _, err := slurm.ParseBillingWeights(value); err != nil && value != "" {
			return slurm.ErrnoInvalidTRESBillingWeights
		}
		p.BillingWeights = value
	case "alternate":
		p.Alternate = value
	default:
		return fmt.Errorf("Invalid input: %s: %w", key, slurm.ErrnoError)
	}
	return nil
}

func changeNodes(p *Partition, value string, nodes []*Node) error {
	all := strings.EqualFold(value, "ALL")
	var wanted slurm.HostList
	if !all && value != "" {
		var err error
		if wanted, err = slurm.ParseHostList(value); err != nil {
			return slurm.ErrnoInvalidNodeName
		}
	}
	var list []NodeName
	for _, n := range nodes {
		if all || wanted.Len() > 0 && wanted.Contains(string(n.Name)) {
			list = append(list, n.Name)
		}
	}
	if !all && len(list) != wanted.Unique().Len() {
		return slurm.ErrnoInvalidNodeName
	}
	p.Nodes, p.NodesText = list, value
	return nil
}

// defaultLimit is the time limit of a job that names none.
func (p *Partition) defaultLimit() slurm.Duration {
	switch {
	case p.DefaultTime > 0:
		return p.DefaultTime
	case p.MaxTime > 0:
		return p.MaxTime
	}
	return slurm.Unlimited
}

// LimitShown is the limit that a job in the queue is said to have: of one that names
// several partitions and no limit, that of the first.
func LimitShown(j *Job, cfg *Config) slurm.Duration {
	if len(j.Partitions) > 1 && j.IsPending() && cfg != nil {
		if p := cfg.Partition(j.Partitions[0]); p != nil {
			return limitIn(j, p, cfg)
		}
	}
	return j.TimeLimit
}

// LimitMoved is the limit of a job that is moved to other partitions, when it has named
// none and has got none by default: the longest that the first of them allows.
func LimitMoved(j *Job, to []PartitionName, cfg *Config) (slurm.Duration, bool) {
	if specOf(j).Given["time"] || slices.Equal(j.Partitions, to) || len(j.Partitions) == 0 || len(to) == 0 {
		return 0, false
	}
	from, first := cfg.Partition(j.Partitions[0]), cfg.Partition(to[0])
	if from == nil || first == nil || from.DefaultTime > 0 || LimitShown(j, cfg) != from.defaultLimit() {
		return 0, false
	}
	if first.MaxTime > 0 {
		return first.MaxTime, true
	}
	return slurm.Unlimited, true
}

// limitIn is the limit a job would start under in a partition. One that names several
// partitions and no limit has that of the partition.
func limitIn(j *Job, p *Partition, cfg *Config) slurm.Duration {
	if len(j.Partitions) < 2 || specOf(j).Given["time"] || cfg == nil {
		return j.TimeLimit
	}
	least := slurm.Duration(slurm.Unlimited)
	for _, name := range j.Partitions {
		if q := cfg.Partition(name); q != nil {
			least = min(least, q.defaultLimit())
		}
	}
	if least != j.TimeLimit {
		return j.TimeLimit // somebody has set it since
	}
	return p.defaultLimit()
}
