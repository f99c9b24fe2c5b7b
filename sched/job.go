package sched

import (
	"time"

	"github.com/runink/rink/slurm"
)

// NodeName is a node's name in the configuration (NodeName=), not a host name.
type NodeName string

// PartitionName is the name of a partition, which is a herd.
type PartitionName string

// BlobID names a script or an environment kept once for all jobs that share
// it: the SHA-256 of its bytes in hexadecimal. "" is no blob.
type BlobID string

// Job is one record of the queue: a job, one started or singled-out task of an
// array, or the pending rest of an array.
//
// An array is submitted as one record, its ID being the array's ID and Tasks
// the indexes that have not been split off yet. A task gets a record of its
// own when it starts, or when something is done to it alone; the last task
// left keeps the array's record and ID.
//
// There are as many as jobs wait: what few have is kept small or behind a
// pointer, and TestJobIsSmall holds the size.
type Job struct {
	ID      slurm.JobID
	ArrayID slurm.JobID    // the array's ID; 0 when not part of an array
	TaskID  uint32         // meaningful when ArrayID != 0 and Tasks is empty
	Tasks   slurm.IndexSet // pending indexes; only on the array's own record
	// ArrayAll is the whole set of indexes the array was submitted with, for
	// SLURM_ARRAY_TASK_MIN, _MAX, _COUNT and _STEP.
	ArrayAll slurm.IndexSet
	Throttle int // at most this many tasks of the array run at once; 0: no bound

	HetID     slurm.JobID // heterogeneous job's leader; 0: not heterogeneous
	HetOffset int
	Run       string // pipeline run ("RUN-20261123-0001"); "" outside a run
	Stage     string // stage of the run

	// Spec is what was asked for. It is shared by all tasks of an array and is
	// replaced, never written, by an update.
	Spec *slurm.JobOptions

	// Who and from where.
	UID, GID   uint32
	User       string
	Group      string
	SubmitHost string // host the command ran on
	SubmitPID  int32  // session id of the submitting shell (AllocNode:Sid)
	Batch      bool   // has a script for the batch host to run
	SubmitLine string
	Script     BlobID // "" for salloc and srun jobs
	ScriptName string // path of the script as given, "" for --wrap and stdin
	ScriptArgs []string
	Env        BlobID
	Umask      int // the submitter's
	Rlimits    []Rlimit

	// Resolved by the controller at submission.
	Name             string
	Account          string
	AssocID          AssocID // the association it is charged to; 0: none
	QOS              string
	Partitions       []PartitionName // asked for or the default one; may be several while pending
	Partition        PartitionName   // where it runs, or the first of Partitions
	TimeLimit        slurm.Duration  // Unlimited, or positive
	TimeMin          slurm.Duration
	Need             Need
	WorkDir          string
	Deps             []Depend
	Nice             int
	Priority         uint32 // 0: held
	HeldBy           Holder
	Requeue          bool // may be requeued after a node failure or preemption
	DepsAny          bool
	KillOnInvalidDep bool

	// State.
	State        slurm.JobState // base and flags
	Reason       slurm.Reason
	ReasonText   string // free words shown instead of the reason's own, "" usually
	Restarts     uint32 // incarnation: how often it was requeued
	Submit       time.Time
	Eligible     time.Time // zero: not yet
	AgeFrom      time.Time // since when it gathers age, once it may; zero: since Eligible
	Begin        time.Time // earliest start; zero: at once
	Start        time.Time
	End          time.Time // when ended, or expected to for a running job with a limit
	Suspended    time.Time // when it was suspended last; zero: never
	SuspendedFor time.Duration
	// Preempted is when it was told to give way to PreemptedFor, and PreemptMode
	// what becomes of it at its End; a job suspended for another goes on when it
	// can.
	Preempted    time.Time
	PreemptedFor slurm.JobID
	PreemptMode  PreemptMode
	AgeHeld      bool     // a limit on how many jobs gather age keeps this one from it
	Cut          TasksCut // what cancelling has left of an array's own record
	// FailedStarts counts how often it went back into the queue since it could not be
	// started.
	FailedStarts uint32
	// RoomMade is until when others may take to leave what this pending job is to
	// have, RoomOn; zero: nobody gives way to it.
	RoomMade     time.Time
	RoomOn       []NodeAlloc
	LastSched    time.Time   // last time the scheduler looked at it
	Scheduler    string      // "Main" or "Backfill"
	Alloc        []NodeAlloc // in node-list order; the first is the batch host
	Completing   []NodeName  // nodes that have not yet reported the job gone
	ExitCode     ExitCode
	DerivedExit  ExitCode
	KilledBy     uint32 // uid of who cancelled it, or KilledByNobody; meaningful when State is CANCELLED
	Ended        string // extra words about the end, for AdminComment-like listings; "" usually
	LicensesUsed slurm.Licenses
	Extern       bool         // it has a step for what comes from outside (PrologFlags=Contain)
	WaitedFor    slurm.Reason // what it waited for last before it started
	// CPUsFree says that the job's CPUs are free for others although its
	// allocation is not: it is suspended, or was when it ended.
	CPUsFree bool
	// BatchDone, BatchExit and BatchUsage are what became of the batch script,
	// once its host has reported it; no usage is nil, for most jobs wait.
	BatchDone  bool
	BatchExit  ExitCode
	NextStep   uint32
	BatchUsage *Usage
	Resize     *Resize // nil: it has the nodes it was given
	// Steps are the live steps, in id order. Steps that the job's end cut off
	// stay, CANCELLED, until the job's last node is free, so that their usage
	// can still be told.
	Steps                       []*Step
	AdminComment, SystemComment string
	// Resv and ResvID are the reservation that a job which has started is in.
	Resv      string
	ResvID    uint32
	ChangedAt uint64 // log index of the last change
}

// Resize is what is known of a job that gave nodes back while it ran.
type Resize struct{ At time.Time } // the last time

// ResizedAt is when j gave nodes back last; zero: never.
func (j *Job) ResizedAt() time.Time {
	if j.Resize == nil {
		return time.Time{}
	}
	return j.Resize.At
}

// RecordedFrom is when the record begins that accounting keeps of j as it is: when
// it was submitted or sent back, or gave nodes back since.
func (j *Job) RecordedFrom() time.Time {
	if at := j.ResizedAt(); at.After(j.Submit) {
		return at
	}
	return j.Submit
}

// Rlimit is one resource limit of the submitting process, by Slurm's name for
// it ("NOFILE"); RlimInfinity is no limit.
type Rlimit struct {
	Name       string
	Soft, Hard uint64
}

// RlimInfinity as a limit means that there is none.
const RlimInfinity = ^uint64(0)

// Depend is one dependency of a job with what has become of it.
type Depend struct {
	slurm.DependTerm
	State DependState
	// At is when a waiting dependency will be fulfilled by time alone (the delay
	// of "after"); zero: events must come first.
	At time.Time
}

// DependState says what has become of a dependency.
type DependState uint8

// The states of a dependency.
const (
	DependWaiting DependState = iota
	DependFulfilled
	DependFailed // can never be fulfilled
)

// Holder says who holds a pending job.
type Holder uint8

// The holders of a job.
const (
	HeldByNobody Holder = iota
	HeldByUser          // JobHeldUser: its owner may release it
	HeldByAdmin         // JobHeldAdmin: only an operator may release it
)

// Need is the request of a job resolved into numbers the scheduler works with.
type Need struct {
	MinNodes, MaxNodes int // at least 1; MaxNodes >= MinNodes
	Tasks              int // total tasks, at least 1
	CPUs               int // total CPUs asked for at least
	CPUsPerTask        int
	TasksPerNode       int // at most so many on a node; 0: no bound
	MinCPUsNode        int
	MemPerNode         slurm.MB // one of MemPerNode and MemPerCPU is used
	MemPerCPU          slurm.MB
	MemAllOfNode       bool // --mem=0
	TmpDisk            slurm.MB
	GresPerNode        slurm.Gres
	GresPerJob         slurm.Gres
	GresPerTask        slurm.Gres
	Features           slurm.Constraint
	NodeList           []NodeName // must be part of the allocation
	Exclude            []NodeName
	Contiguous         bool
	Exclusive          bool // whole nodes
	Share              bool // --oversubscribe
	OverCommit         bool
	Licenses           slurm.Licenses
}

// NodeAlloc is what a job holds on one node.
type NodeAlloc struct {
	Node  NodeName
	CPUs  int
	Mem   slurm.MB
	Tasks int
	Gres  []GresAlloc
	// CPUIDs lists which CPUs it is given there, as Slurm numbers them
	// (cores.go). "" before Scheduler.ChooseCPUs, and of jobs that were started without.
	CPUIDs string
}

// GresAlloc is a number of generic resources of one type on one node, with the
// numbers of the devices, among all of the name on the node, where the node's
// configuration has devices.
type GresAlloc struct {
	Name, Type string
	Count      int64
	Index      []int
}

// ExitCode is how a process ended: by exiting with Code, or by Signal.
type ExitCode struct {
	Code   uint8
	Signal uint8
}

// KilledByNobody is KilledBy of a job that ended as CANCELLED by itself: what it
// depended on can never be.
const KilledByNobody uint32 = 1<<32 - 1

// Step is one step of a running job.
type Step struct {
	ID           slurm.StepID
	Name         string
	Nodes        []StepNode
	Tasks        int
	CPUsPerTask  int
	Gres         slurm.Gres
	MemPerNode   slurm.MB
	Overlap      bool // shares the job's resources with other steps
	Distribution string
	Start        time.Time
	End          time.Time
	State        slurm.JobState
	ExitCode     ExitCode
	SubmitLine   string
	Usage        Usage
	KilledBy     uint32         // 1 + the uid of who ended it; 0: nobody did
	TimeLimit    slurm.Duration // its own, within its job's; 0: it has none
	CPUFreq      string         // what was asked for, as it was written
}

// StepNode is a step's part on one node: the global ranks that run there.
type StepNode struct {
	Node  NodeName
	CPUs  int
	Mem   slurm.MB
	Ranks []int
	Gres  []GresAlloc
}

// Usage is what processes consumed, as the kernel counted it.
type Usage struct {
	UserCPU, SystemCPU    time.Duration
	MaxRSS                int64 // bytes, the largest of any task
	MaxRSSNode            NodeName
	MaxRSSTask            int
	TotalRSS              int64 // bytes, sum over tasks of their maxima, for AveRSS
	MaxVMSize             int64
	PagesMajor            int64
	ReadBytes, WriteBytes int64
	Tasks                 int
	Energy                int64 // joules, where the machine tells
	GPUTime               time.Duration
	GPUMem                int64         // bytes, the most that was held on all devices together
	GPUSpan               time.Duration // how long its GPUs were looked at; 0: it had none, or they tell nothing
	// What single tasks used, of steps with more than one.
	CPUMin, CPUMax, RSSMin, PagesMin, PagesMax, ReadMin, ReadMax, WriteMin, WriteMax OfTask
	// The most of the GPUs' memory that single tasks held, and of the GPUs they used,
	// in percent of one.
	GPUMemMin, GPUMemMax, GPUUtilMin, GPUUtilMax OfTask
}

// OfTask is what one task of a step used of something, and where it ran. Amounts
// of CPU are in nanoseconds.
type OfTask struct {
	Amount int64
	Node   NodeName
	Task   int
}

// Clone returns a copy of j that may be changed: its slices and the things a
// job owns are copied, Spec is shared.
func (j *Job) Clone() *Job {
	c := *j
	c.Partitions = append([]PartitionName(nil), j.Partitions...)
	c.Deps = append([]Depend(nil), j.Deps...)
	c.Alloc = append([]NodeAlloc(nil), j.Alloc...)
	c.Completing = append([]NodeName(nil), j.Completing...)
	c.Steps = append([]*Step(nil), j.Steps...)
	return &c
}

// BatchUsed is what the batch script used, as far as its host has reported it.
func (j *Job) BatchUsed() Usage {
	if j.BatchUsage == nil {
		return Usage{}
	}
	return *j.BatchUsage
}

// AgeSince is from when on a job's age counts for its priority; zero: it does not.
func (j *Job) AgeSince() time.Time {
	switch {
	case j.AgeHeld:
		return time.Time{}
	case !j.AgeFrom.IsZero():
		return j.AgeFrom
	}
	return j.Eligible
}

// IsArrayRest reports whether j stands for the tasks of an array that have no
// record of their own yet.
func (j *Job) IsArrayRest() bool { return j.ArrayID != 0 && j.Tasks.Len() > 0 }

// Nodes returns the names of the allocated nodes, in order.
func (j *Job) Nodes() []NodeName {
	names := make([]NodeName, len(j.Alloc))
	for i, a := range j.Alloc {
		names[i] = a.Node
	}
	return names
}
