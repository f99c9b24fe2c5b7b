package state

import (
	"time"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// Event is something that followed from an applied command. Events are what
// the controller acts on and what accounting keeps; the values in them are
// never written to again.
type Event interface{ event() }

// JobChanged tells of a new or changed record. Old is nil for a new one.
type JobChanged struct{ Old, New *sched.Job }

// JobStarted tells of a record that holds resources from now on. It follows
// the JobChanged of the same record.
type JobStarted struct{ Job *sched.Job }

// JobEnded tells of an incarnation that ended: the final record, to be kept in
// accounting. A requeued job has a new incarnation after it.
type JobEnded struct {
	Job      *sched.Job
	Requeued bool
	At       time.Time
}

// JobResized tells of a part of a job's run that is over, as the job gave nodes back:
// Job is the record to be kept in accounting, ended and RESIZING, with its steps of
// then. What the job is from now on is told of at its end.
type JobResized struct{ Job *sched.Job }

// JobTakenBack tells that a job that had ended goes back into the queue: Job is the
// incarnation that is over, and was not told of as one that is requeued.
type JobTakenBack struct{ Job *sched.Job }

// JobReleased tells that a job's last node came free. Usage is that of the
// batch script, also to be found in Job.BatchUsage beside Job.BatchExit. For a
// job that is requeued, Job is the incarnation that is over.
type JobReleased struct {
	Job   *sched.Job
	Usage sched.Usage
}

// JobPurged tells that an ended record is no longer in memory.
type JobPurged struct{ Job slurm.JobID }

// StepStarted and StepEnded tell of a step.
type StepStarted struct {
	Job  *sched.Job
	Step *sched.Step
}

// StepEnded tells of a step that ended; the step is final. A step that its
// job's end cut off is told of twice when its nodes report it afterwards, with
// what it used; the later one holds.
type StepEnded struct {
	Job  *sched.Job
	Step *sched.Step
}

// NodeChanged tells of a changed node. Old is nil for a new one, New for one
// that is gone.
type NodeChanged struct {
	Old, New *sched.Node
	At       time.Time
}

// ConfigChanged tells of a new configuration.
type ConfigChanged struct{ Config *sched.Config }

// LicensesChanged tells that the accounts give other licences than before, which the
// configuration has beside its own.
type LicensesChanged struct{ Config *sched.Config }

// AccountsChanged tells of a change of the accounts.
type AccountsChanged struct{ Old, New *sched.Accounts }

// UsageReset tells that what was used was forgotten: all of it, or that of some. Or
// which month it is.
type UsageReset struct {
	ResetUsage
	At time.Time
}

func (UsageReset) event()      {}
func (JobChanged) event()      {}
func (JobStarted) event()      {}
func (JobEnded) event()        {}
func (JobReleased) event()     {}
func (JobResized) event()      {}
func (JobTakenBack) event()    {}
func (JobPurged) event()       {}
func (StepStarted) event()     {}
func (StepEnded) event()       {}
func (NodeChanged) event()     {}
func (ConfigChanged) event()   {}
func (LicensesChanged) event() {}
func (AccountsChanged) event() {}

// ReservationChanged tells of a reservation that was made or changed. Old is nil
// for a new one, New for one that is gone.
type ReservationChanged struct {
	Old, New *sched.Reservation
	At       time.Time
}

func (ReservationChanged) event() {}
