package sched

import (
	"time"

	"github.com/runink/rink/slurm"
)

// View is what the scheduler looks at: values it only reads.
type View struct {
	Config  *Config
	Nodes   []*Node // in configuration order
	Pending []*Job
	Running []*Job // jobs that hold resources, completing ones included
	// RunningTasks counts the started and not yet ended tasks of an array.
	RunningTasks map[slurm.JobID]int
	LicensesUsed slurm.Licenses
	LicensesAll  slurm.Licenses
	// Accounts is the tree of accounts with the QOS, nil where there is none.
	Accounts *Accounts
	// Ledger is the book of limits, for the pass to try starts in; nil where there
	// are none.
	Ledger       *Ledger
	Reservations []*Reservation // in the order of their starts
}

// Start is the decision that a job, or one task of an array's record, starts
// now on these nodes.
type Start struct {
	Job       slurm.JobID
	Task      uint32 // the task to split off; meaningful when IsTask
	IsTask    bool
	Restarts  uint32 // the incarnation the decision was made for
	Partition PartitionName
	Alloc     []NodeAlloc
	Scheduler string         // "Main" or "Backfill"
	TimeLimit slurm.Duration // runs under this limit instead of its own, of a job with TimeMin or a deadline; 0: its own
	// Reservation is the one it starts in; "" for none.
	Reservation string
}

// Wait says why a job does not start and when it is expected to.
type Wait struct {
	Job    slurm.JobID
	Reason slurm.Reason
	Text   string     // shown instead of the reason's word, such as "ReqNodeNotAvail, UnavailableNodes:n1"; "" usually
	Start  time.Time  // expected start; zero: not known
	Nodes  []NodeName // where it is expected to start
	Detail []Obstacle
}

// Obstacle is one thing that keeps a job from starting, with the amounts.
type Obstacle struct {
	What         string // resource or limit, such as "cpus", "mem", "gres/gpu:a100", "licence matlab", "nodes"
	Where        string // nodes or partition it was counted on
	Asked, There int64
}

// Plan is what a cycle decided. It holds only jobs for which something changes
// or is worth telling.
type Plan struct {
	Starts []Start
	Waits  []Wait
	// Preempts are the running jobs that give way to pending ones, and Resumes those
	// that gave way and go on.
	Preempts []Preempt
	Resumes  []Resume
	// Late are the pending jobs that can no longer end by their deadline. They are
	// to be ended, as DEADLINE.
	Late []slurm.JobID
	// Next is when time alone will change the answer (a begin time, a requeue
	// delay); zero: only events can.
	Next time.Time
}
