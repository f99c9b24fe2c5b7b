package sched

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/runink/rink/slurm"
)

// tuning is what scheduling reads from the configuration.
type tuning struct {
	cfg            *Config
	qos            map[string]traits // what QOS change of it, those that do
	memory         bool              // memory is a consumable resource
	unit           byte              // what CPUs are given out by: 'p' CPUs, 'c' cores, 's' sockets
	oneTaskPerCore bool              // a core takes one task unless the job says otherwise
	blockCores     bool              // cores of one socket are given before those of the next
	packNodes      bool              // tasks fill one node after the other, even where the job has more than it needs
	specCores      bool              // jobs may say how many cores are left to the system
	leastLoaded    bool              // spread jobs over the emptiest nodes
	fifo           bool              // nothing starts before what is ahead of it in its partition
	name           string            // who is said to have started a job
	maxTests       int               // requests that room is looked for in one cycle

	policy       policy
	switchWait   time.Duration // how long at most a job waits for fewer switches
	completeWait time.Duration // how long a partition waits for jobs that are completing in it

	bounds   backfillBounds
	interval time.Duration // between full plans

	enforce       enforcement
	maxArraySize  uint32
	maxArrayTasks int
}

// enforcement says when a partition's limits refuse a job at its submission.
type enforcement uint8

const (
	enforceNo  enforcement = iota // never: it waits
	enforceAny                    // when no partition takes it
	enforceAll                    // when one of its partitions does not take it
)

// conf is the configuration as parsed; never nil.
func conf(cfg *Config) *slurm.Conf {
	if cfg.Conf == nil {
		return &slurm.Conf{}
	}
	return cfg.Conf
}

// tuningOf reads the configuration.
func tuningOf(cfg *Config) *tuning {
	c := conf(cfg)
	t := &tuning{
		cfg: cfg, memory: cfg.TracksMemory, unit: 'p', name: "Backfill",
		maxTests:      c.SchedulerParameters.Int("bf_max_job_test", 100_000),
		maxArraySize:  uint32(c.MaxArraySize),
		maxArrayTasks: c.SchedulerParameters.Int("max_array_tasks", 0),
		interval:      time.Duration(c.SchedulerParameters.Int("bf_interval", 30)) * time.Second,
		leastLoaded:   slices.Contains(c.SelectTypeParameters, "CR_LLN"),
	}
	t.policy, t.bounds = policyOf(c), boundsOf(c)
	t.switchWait = time.Duration(c.SchedulerParameters.Int("max_switch_wait", int(defaultSwitchWait/time.Second))) * time.Second
	t.specCores = c.AllowSpecResourcesUsage
	t.completeWait = time.Duration(c.CompleteWait) * time.Second
	for _, word := range c.SelectTypeParameters {
		switch word {
		case "CR_ONE_TASK_PER_CORE":
			t.oneTaskPerCore = true
		case "CR_CORE_DEFAULT_DIST_BLOCK":
			t.blockCores = true
		case "CR_PACK_NODES":
			t.packNodes = true
		case "CR_CORE", "CR_CORE_MEMORY":
			t.unit = 'c'
		case "CR_SOCKET", "CR_SOCKET_MEMORY":
			t.unit = 's'
		}
	}
	if strings.EqualFold(c.SchedulerType, "sched/builtin") {
		t.fifo, t.name = true, "Main"
	}
	switch strings.ToUpper(c.EnforcePartLimits) {
	case "ALL":
		t.enforce = enforceAll
	case "ANY", "YES":
		t.enforce = enforceAny
	}
	return t
}

// grain is how many CPUs of a node go together.
func (t *tuning) grain(n *Node) int {
	switch t.unit {
	case 'c':
		return max(n.Threads, 1)
	case 's':
		return max(n.Cores*n.Threads, 1)
	}
	return 1
}

// multifactor reports whether priorities are made of several factors.
func multifactor(cfg *Config) bool {
	return strings.EqualFold(conf(cfg).PriorityType, "priority/multifactor")
}

func priorityFlag(cfg *Config, flag string) bool {
	return slices.Contains(conf(cfg).PriorityFlags, flag)
}

// priorityMaxAge is how long a job must wait for its age to count in full.
func priorityMaxAge(cfg *Config) time.Duration {
	if d := conf(cfg).PriorityMaxAge; d > 0 {
		return span(d)
	}
	return 7 * 24 * time.Hour
}

func weightsOf(cfg *Config) Weights {
	c := conf(cfg)
	return Weights{Age: c.PriorityWeightAge, JobSize: c.PriorityWeightJobSize, Partition: c.PriorityWeightPartition,
		QOS: c.PriorityWeightQOS, FairShare: c.PriorityWeightFairshare, Assoc: c.PriorityWeightAssoc}
}

// gpuDefaultsOf reads the CPUs and the memory that a GPU comes with.
func gpuDefaultsOf(cfg *Config, p *Partition) (cpus int, mem slurm.MB) {
	cpus, mem = conf(cfg).DefCPUPerGPU, conf(cfg).DefMemPerGPU
	for item := range strings.SplitSeq(p.JobDefaults, ",") {
		key, value, _ := strings.Cut(strings.TrimSpace(item), "=")
		n, err := strconv.Atoi(value)
		if err != nil {
			continue
		}
		switch strings.ToLower(key) {
		case "defcpupergpu":
			cpus = n
		case "defmempergpu":
			mem = slurm.MB(n)
		}
	}
	return cpus, mem
}
