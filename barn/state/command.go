package state

import (
	"time"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// Command is one change of the cluster's state. Commands say what was decided
// and when; Apply works out what follows. Nothing in a command depends on the
// controller that applies it.
type Command interface{ command() }

// Entry is a command with the time its proposer stamped on it and who asked.
type Entry struct {
	At    time.Time
	Actor Actor
	Cmd   Command
}

// Actor is who asked for a change: a user of the cluster, or the controller
// itself (System).
type Actor struct {
	UID    uint32
	User   string
	System bool
}

// SubmitJobs accepts jobs, all or none. Key is made by the client; a second
// submission with a key already seen answers with the first one's ids.
type SubmitJobs struct {
	Key   string
	Jobs  []*sched.Job // without ids; HetOffset and Run stages say how they belong together
	Blobs []Blob       // scripts and environments not known to be stored yet
	// Needs holds, for each job, indexes into Jobs that it depends on with
	// afterok; the terms are added to its dependencies once ids are known.
	Needs [][]int
	Run   *RunInfo // set when the jobs are the stages of a pipeline run
	Het   bool     // the jobs are the components of one heterogeneous job
}

// Blob is a script or an environment, named by the hash of its bytes.
type Blob struct {
	ID   sched.BlobID
	Data []byte
}

// RunInfo names a pipeline run being submitted; its id is drawn by Apply.
type RunInfo struct {
	Name string
	User string
	Day  string // YYYYMMDD in the cluster's zone, for the id
}

// StartJobs starts jobs as the scheduler planned; a start that no longer holds
// is refused alone.
type StartJobs struct{ Starts []sched.Start }

// SetWaits records why pending jobs wait.
type SetWaits struct{ Waits []sched.Wait }

// EndJob ends one incarnation of a job that holds resources, or cancels one
// that is pending. Nodes that must still report stay completing.
type EndJob struct {
	Job      slurm.JobID
	Task     uint32 // meaningful when IsTask: a task still in the array's record
	IsTask   bool
	Tasks    slurm.IndexSet // several pending tasks at once; used instead of Task when not empty
	Restarts uint32         // the incarnation meant; AnyIncarnation for whichever there is
	State    slurm.JobState
	Reason   slurm.Reason
	Exit     sched.ExitCode
	Text     string
	// Requeue puts the job back in the queue instead, if it may be requeued.
	Requeue   bool
	Hold      sched.Holder // held after the requeue
	NotBefore time.Time    // earliest new start after a requeue
	Special   bool         // held after the requeue as SPECIAL_EXIT
	SaysHeld  bool         // Special, and it says that it is held all the same
}

// AnyIncarnation in EndJob.Restarts matches every incarnation.
const AnyIncarnation = ^uint32(0)

// ReleaseNodes says that nothing of an incarnation is left on these nodes, so
// that its resources there are free again.
type ReleaseNodes struct {
	Job      slurm.JobID
	Restarts uint32
	Nodes    []sched.NodeName
	// Batch says that the batch script ended on one of these nodes, with Exit and
	// Usage.
	Batch bool
	Exit  sched.ExitCode
	Usage sched.Usage
	// Extern is what sessions that were taken into the job used there.
	Extern sched.Usage
}

// UpdateJob replaces what was asked of a job. Only the fields of Change that
// are not nil are applied.
type UpdateJob struct {
	Job    slurm.JobID
	Task   uint32 // meaningful when IsTask
	IsTask bool
	Tasks  slurm.IndexSet // as in EndJob
	Change JobChange
}

// JobChange is a change of a job; nil leaves a thing as it is.
type JobChange struct {
	Spec                                                     *slurm.JobOptions
	Name, Account, QOS, Comment, AdminComment, SystemComment *string
	Partitions                                               []sched.PartitionName
	TimeLimit, TimeMin                                       *slurm.Duration
	Need                                                     *sched.Need
	Nice                                                     *int
	Priority                                                 *uint32
	Hold                                                     *sched.Holder
	Begin                                                    *time.Time
	Requeue                                                  *bool
	Throttle                                                 *int
	Deps                                                     *[]sched.Depend
	DepsAny                                                  *bool
	Reason                                                   *slurm.Reason
	ReasonText                                               *string
	Suspend                                                  *bool // true suspends a running job, false resumes it
	EndAt                                                    *time.Time
	Assoc                                                    *sched.AssocID // goes with Account
	StepLimits                                               []StepLimit
	Licenses                                                 *slurm.Licenses // those of a running job from now on
}

// StepLimit gives a running step a time limit of its own, or takes it: 0.
type StepLimit struct {
	Step  slurm.StepID
	Limit slurm.Duration
}

// SetPriorities records priorities the controller computed for pending jobs.
type SetPriorities struct{ Jobs []JobPriority }

// JobPriority is a priority for a pending job.
type JobPriority struct {
	Job      slurm.JobID
	Priority uint32
	Age      bool // it gathers age from now on, if a limit kept it from that so far
}

// StartStep begins a step of a running job; its id is drawn by Apply unless it
// is one of the special ids.
type StartStep struct {
	Job      slurm.JobID
	Restarts uint32
	Step     *sched.Step
	Key      string // client-made, as in SubmitJobs
}

// EndStep ends a step.
type EndStep struct {
	Job      slurm.JobID
	Restarts uint32
	Step     slurm.StepID
	State    slurm.JobState
	Exit     sched.ExitCode
	Usage    sched.Usage
	KilledBy uint32 // 1 + uid; 0: nobody
}

// RegisterNode records what a node's agent found when it came up.
type RegisterNode struct {
	Node                                  sched.NodeName
	Arch, OS, Version                     string
	BootTime, AgentStart                  time.Time
	SpoolID                               string
	CPUs, Boards, Sockets, Cores, Threads int // as found on the machine
	Memory, TmpDisk                       slurm.MB
	Gres                                  []sched.NodeGres
	Shapes                                []sched.Shape // the GPUs that can be cut
	Cuts                                  []sched.Cut   // and those that are, on demand
	Fabric                                string
	// Up puts the node into service (DOWN for lack of contact ends); otherwise
	// it goes DOWN or drains with Reason.
	Up     bool
	Reason string
}

// UpdateNode changes a node's state or properties; nil leaves a thing alone.
type UpdateNode struct {
	Nodes          []sched.NodeName
	Set, Clear     slurm.NodeState  // flags
	Base           *slurm.NodeState // DOWN, IDLE (resume), UNKNOWN
	Reason         *string
	ReasonUser     string
	Weight         *uint32
	Features       *[]string // the active ones; without Available they are all
	Available      *[]string
	Comment, Extra *string
	Addr, Hostname *string
	CPUBind        *string
	NextState      *slurm.NodeState // see sched.Node
}

// UpdatePartition changes a partition until the next reconfiguration.
type UpdatePartition struct {
	Partition sched.Partition // complete, as it is to be
	Delete    bool
}

// SetConfig replaces the configuration.
type SetConfig struct{ Files []ConfigFile }

// ConfigFile is one file of the configuration: "slurm.conf", "gres.conf",
// "cgroup.conf", "topology.conf" or an included file.
type ConfigFile struct {
	Name string
	Text []byte
}

// Purge forgets ended jobs that ended before Before, and submission keys
// older than it.
type Purge struct{ Before time.Time }

// AddToken lets one daemon join with a one-time token; only its hash is kept.
type AddToken struct {
	Hash    string // SHA-256 of the secret, hexadecimal
	Role    string // "node" or "controller"
	Name    string // the name it is bound to; "" any
	Expires time.Time
}

// SetReservation makes a reservation, or replaces the one of its name.
type SetReservation struct {
	// Reservation is complete, as it is to be. One that is made gets its id here,
	// and its name when it has none; of one that is changed, ChangedAt says which
	// state of it the change was made from.
	Reservation sched.Reservation
	Create      bool
}

// SetDevices says which devices of a node are not to be used, in place of what was
// said before.
type SetDevices struct {
	Node sched.NodeName
	Sick []sched.SickFile
}

// CutGPU says that an idle GPU is to be cut into instances, or with none to be made
// whole again. Until its agent has told that it is done it is given to nobody.
type CutGPU struct {
	Node     sched.NodeName
	File     string // opens the GPU
	Profiles []string
}

// NoteCut records what an agent made of a GPU: the instances, or that it is whole, and
// what went wrong if something did.
type NoteCut struct {
	Node  sched.NodeName
	File  string
	Made  []sched.CutPart
	Whole bool
	Error string
}

// DropReservation deletes a reservation. Over says that its time is up: jobs that
// wait for it are held, or go on without it. Otherwise it is refused as long as
// some job is in it or waits for it.
type DropReservation struct {
	Name string
	ID   uint32
	Over bool
}

// UseToken consumes a token, if it is there, unexpired and good for the name.
type UseToken struct{ Hash, Role, Name string }

// EditAccounts changes the accounts, all of it or nothing. Notes are what the
// list of transactions says of it; their ids, times and actors are Apply's.
type EditAccounts struct {
	Edit  sched.AccountsEdit
	Notes []sched.Transaction
}

// PreemptJobs has running jobs give way to pending ones, as the scheduler planned.
// One that no longer holds is left out.
type PreemptJobs struct{ Preempts []sched.Preempt }

// ResumeJobs lets jobs go on that were suspended to make room; one whose CPUs are
// not free is left out.
type ResumeJobs struct{ Resumes []sched.Resume }

// PowerNodes moves nodes from one state of power to the next. Nodes for which the
// step makes no sense are left alone.
type PowerNodes struct {
	Nodes  []sched.NodeName
	Step   PowerStep
	Reason string // of PowerLost and PowerNoReboot
}

// PowerStep is a change of a node's state of power.
type PowerStep uint8

// The steps of power.
const (
	PowerGoOff    PowerStep = iota // it is told to go off
	PowerIsOff                     // it has had the time to
	PowerComeUp                    // it is told to come up
	PowerIsUp                      // it is there, though it did not register anew
	PowerLost                      // it has not come in time: it is DOWN
	PowerReboot                    // it was to reboot once nothing runs there, and is told to
	PowerNoReboot                  // it has not come back from that: it is DOWN
)

// BeginJob says that all that had to run before a job, prologs at its allocation
// and PrologSlurmctld, has run.
type BeginJob struct {
	Job      slurm.JobID
	Restarts uint32
}

// ShrinkJob takes nodes out of a job that goes on without them: they are lost, or
// Given back by whoever may change the job. What is given back is free at once, and
// history keeps a record of the job as it was.
type ShrinkJob struct {
	Job      slurm.JobID
	Restarts uint32
	Nodes    []sched.NodeName
	Given    bool
}

// ResetUsage forgets what was used up to now: by everybody, or by these
// associations and QOS. What is above an association then has that much less. With
// Month it forgets nothing and tells which calendar month it is, by the leader's
// zone, whose hours count against the quotas of herds.
type ResetUsage struct {
	All    bool
	Assocs []sched.AssocID
	QOS    []uint32

	Month, NextMonth time.Time // when it began, and when the next one does
}

// SetCrontab replaces a user's crontab and the jobs it asks for, all or nothing.
// An empty text removes it.
type SetCrontab struct {
	UID    uint32
	User   string
	Text   string
	Submit SubmitJobs // a job a line, with Spec.Cron; none when no line is due ever
}

// DropCron cancels a job of a crontab and switches its lines off.
type DropCron struct{ Job slurm.JobID }

// SetTrigger keeps a trigger; its id and its time are Apply's.
type SetTrigger struct{ Trigger sched.Trigger }

// DropTriggers forgets triggers, pulled or taken back.
type DropTriggers struct{ IDs []uint32 }

func (SubmitJobs) command()      {}
func (StartJobs) command()       {}
func (SetWaits) command()        {}
func (EndJob) command()          {}
func (ReleaseNodes) command()    {}
func (UpdateJob) command()       {}
func (SetPriorities) command()   {}
func (StartStep) command()       {}
func (EndStep) command()         {}
func (RegisterNode) command()    {}
func (UpdateNode) command()      {}
func (UpdatePartition) command() {}
func (SetConfig) command()       {}
func (Purge) command()           {}
func (AddToken) command()        {}
func (SetReservation) command()  {}
func (DropReservation) command() {}
func (SetDevices) command()      {}
func (CutGPU) command()          {}
func (NoteCut) command()         {}
func (UseToken) command()        {}
func (EditAccounts) command()    {}
func (PreemptJobs) command()     {}
func (ResumeJobs) command()      {}
func (PowerNodes) command()      {}
func (BeginJob) command()        {}
func (ShrinkJob) command()       {}
func (ResetUsage) command()      {}
func (SetCrontab) command()      {}
func (DropCron) command()        {}
func (SetTrigger) command()      {}
func (DropTriggers) command()    {}

// Result is what a command answers to who proposed it.
type Result struct {
	Err     error         // why it was refused, a slurm.Errno within; nil when applied
	Jobs    []slurm.JobID // SubmitJobs: ids in the order of its jobs
	Run     string        // SubmitJobs: the run's id
	Started []slurm.JobID // StartJobs: ids of the records that started, refused ones left out
	Refused []Refusal     // StartJobs: the starts left out, in order
	Step    slurm.StepID  // StartStep
	Name    string        // SetReservation: the name it was given
	Number  uint32        // SetTrigger: its id
	Index   uint64        // log index
}

// Refusal says why a start was left out.
type Refusal struct {
	Start sched.Start
	Err   error
}
