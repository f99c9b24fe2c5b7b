package sched

import (
	"time"

	"github.com/runink/rink/slurm"
)

// MaxTriggers is how many triggers a cluster keeps.
const MaxTriggers = 4096

// The things that triggers are set on.
const (
	TriggerOnJob  = "job"
	TriggerOnNode = "node"
	TriggerOnCtld = "slurmctld"
)

// Trigger is a program to run when something happens. It is pulled once, unless
// it is permanent.
type Trigger struct {
	ID   uint32
	UID  uint32 // whose it is, and as whom its program runs
	User string
	// Kind is what happens: down, up, drained, draining, fail, idle, resume of a
	// node; fini and time of a job; reconfig, primary_slurmctld_failure and the
	// like of the controller.
	Kind    string
	On      string // one of the TriggerOn constants
	Nodes   string // a host list; "" stands for every node
	Job     slurm.JobID
	Offset  time.Duration // the program runs so long after, or before when negative
	Program string        // absolute path, perhaps with arguments behind it
	Perm    bool          // it stays when it was pulled
	Since   time.Time     // when it was set
}

// Same reports whether two triggers do the same for the same user.
func (t *Trigger) Same(o *Trigger) bool {
	return t.UID == o.UID && t.Kind == o.Kind && t.On == o.On && t.Nodes == o.Nodes && t.Job == o.Job && t.Offset == o.Offset && t.Program == o.Program
}
