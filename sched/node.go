package sched

import (
	"slices"
	"time"

	"github.com/runink/rink/slurm"
)

// Node is a machine that runs work: what the configuration says of it, what
// its agent found when it registered, its state, and what jobs hold on it.
type Node struct {
	Name     NodeName
	Hostname string
	Addr     string
	Port     int
	Index    int // position in the configuration; lists are printed in this order

	CPUs, Boards, Sockets, Cores, Threads int // Cores per socket, Threads per core
	Memory                                slurm.MB
	TmpDisk                               slurm.MB
	Weight                                uint32
	Features                              []string // the active ones, which jobs may ask for
	Available                             []string // all it might have; nil: the active ones
	CPUBind                               string   // how tasks are bound there when nobody says; "": as the configuration says
	Gres                                  []NodeGres
	AutoDetect                            string // gres.conf's: nvml, off, or "" when it does not say
	CoreSpec                              int
	Comment, Extra                        string

	// From registration.
	Arch, OS, Version    string
	BootTime, AgentStart time.Time
	Found                []NodeGres // the devices its agent found: see WithFound
	Shapes               []Shape    // the GPUs that can be cut into instances
	Fabric               string     // names the GPUs of which nodes NVLinks tie together; "": none
	SpoolID              string     // names the agent's spool; a new one means running work is lost
	Registered           bool

	State      slurm.NodeState // base (UNKNOWN, DOWN, IDLE...) and flags; ALLOCATED and MIXED are worked out
	Reason     string
	ReasonUID  uint32
	ReasonUser string
	ReasonTime time.Time
	LastBusy   time.Time
	PowerAt    time.Time       // when it was told to go off, to come up or to reboot last; zero: never
	NextState  slurm.NodeState // what it is to be after the reboot asked for: DOWN, RESUME (in service), or 0, as it was

	Cuts []Cut // the GPUs that are cut on demand, in the order that was decided

	// Held by jobs.
	UsedCPUs       int
	UsedMem        slurm.MB
	UsedGres       []GresAlloc
	Running        []slurm.JobID // jobs that hold resources here, completing ones included
	CompletingJobs int
	// ExclusiveBy is the job that keeps others off the node; 0: none. With
	// --exclusive=user, ExclusiveUser is the uid whose jobs may still join it; a
	// job that has the node for itself alone leaves NoUser there.
	ExclusiveBy   slurm.JobID
	ExclusiveUser uint32
}

// NoUser is no user's uid.
const NoUser = ^uint32(0)

// NodeGres is a generic resource a node has.
type NodeGres struct {
	Name, Type string
	Count      int64
	Files      []string // device files in order; empty: counted only
	Cores      string   // cores near it, as configured
	// Links are by how many links each device is tied to each other one of the
	// entry, and Near which devices are near the same cores: equal numbers. Both are
	// nil when gres.conf does not say.
	Links [][]int
	Near  []int
	// Numbers are those of the devices among all of the name on the node, in order;
	// nil: they count from 0. GresAlloc names devices by them.
	Numbers []int
	// Found means that the devices are those its agent found, not gres.conf's.
	Found bool
	// Sick are the devices that are not to be used, in order.
	Sick []SickDevice
	Made int // the last so many devices are instances made on demand
	// Lacks is how many gres.conf leaves out where it names some of the kind: a node
	// has them in name only.
	Lacks int64
}

// SickDevice is a device that its driver does not vouch for, and why.
type SickDevice struct {
	Number int
	Why    string
	Cut    bool // nothing is wrong with it: it is cut into instances
}

// Number returns the number on the node of the device at a place of the entry.
func (g *NodeGres) Number(place int) int {
	if place < len(g.Numbers) {
		return g.Numbers[place]
	}
	return place
}

// Place returns where in the entry the device of a number is, -1 when it is not
// among them.
func (g *NodeGres) Place(number int) int {
	if g.Numbers != nil {
		return slices.Index(g.Numbers, number)
	}
	if number < 0 || int64(number) >= g.Count {
		return -1
	}
	return number
}

// Clone returns a copy of n that may be changed.
func (n *Node) Clone() *Node {
	c := *n
	c.UsedGres = append([]GresAlloc(nil), n.UsedGres...)
	c.Running = append([]slurm.JobID(nil), n.Running...)
	return &c
}

// Partition is a herd as the scheduler sees it: a named set of nodes with
// limits, priority and access rules.
type Partition struct {
	Name                                                                    PartitionName
	Nodes                                                                   []NodeName
	NodesText                                                               string // Nodes= as configured
	Default                                                                 bool
	State                                                                   string         // UP, DOWN, DRAIN or INACTIVE
	MaxTime, DefaultTime                                                    slurm.Duration // DefaultTime 0: none, the job gets MaxTime
	MinNodes, MaxNodes                                                      int            // MaxNodes 0: no bound
	MaxCPUsPerNode                                                          int
	MaxCPUsPerSocket                                                        int // 0: no bound
	DefMemPerCPU, DefMemPerNode, MaxMemPerCPU, MaxMemPerNode                slurm.MB
	OverTimeLimit                                                           slurm.Duration
	GraceTime                                                               slurm.Duration
	PriorityTier, PriorityJobFactor                                         uint32
	PreemptMode                                                             string
	OverSubscribe                                                           string // NO, EXCLUSIVE, YES:n or FORCE:n
	AllowAccounts, DenyAccounts, AllowGroups, AllowQOS, DenyQOS, AllocNodes []string
	QOS, Alternate                                                          string
	DisableRootJobs, RootOnly, ReqResv, Hidden, LLN, ExclusiveUser          bool
	ExclusiveTopo                                                           bool   // jobs have their blocks to themselves
	CPUBind                                                                 string // how tasks are bound when neither they nor their nodes say; "": as the configuration says
	Quota                                                                   string // what its jobs may have together: slurm.ParseQuota
	BillingWeights                                                          string
	JobDefaults                                                             string
	Slice                                                                   string // slurm.SliceConf as text; "" the cluster's
	Index                                                                   int
}

// Config is the configuration the scheduler and the controller work by, read
// from the cluster's slurm.conf.
type Config struct {
	Conf       *slurm.Conf // everything as parsed
	Partitions []*Partition
	Default    PartitionName // "" when there is none
	Licenses   slurm.Licenses
	Topology   *Topology // nil: the network is flat

	// What the state goes by, read from Conf.
	TracksMemory      bool        // memory is a consumable resource
	WholeNodes        bool        // every job has its nodes to itself (select/linear)
	KillInvalidDepend bool        // jobs whose dependency can never hold are cancelled
	FirstJobID        slurm.JobID // ids are drawn from here up to MaxJobID, and from here again
	MaxJobID          slurm.JobID
	MaxJobs           int    // jobs in memory, each task of an array counted
	MaxSteps          uint32 // steps of a job
}

// Partition returns the partition of that name, or nil.
func (c *Config) Partition(name PartitionName) *Partition {
	for _, p := range c.Partitions {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// AllFeatures are the features that a node has or might have.
func (n *Node) AllFeatures() []string {
	if n.Available != nil {
		return n.Available
	}
	return n.Features
}
