package show

import (
	"slices"
	"time"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// Step is a row of a listing of steps.
type Step struct {
	*sched.Step
	Job *Job
}

// Steps returns the steps of a job that are under way, the batch script among
// them.
func Steps(j *Job) []*Step {
	if !j.IsRunning() && !j.IsSuspended() {
		return nil
	}
	var list []*Step
	if j.Extern && len(j.Alloc) > 0 {
		list = append(list, &Step{sched.ExternStep(j.Job), j})
	}
	if j.Batch && j.HetOffset == 0 && !j.BatchDone && len(j.Alloc) > 0 { // other components have no script
		list = append(list, &Step{BatchStep(j.Job), j})
	}
	for _, s := range j.Job.Steps {
		if !s.State.Ended() {
			list = append(list, &Step{s, j})
		}
	}
	return list
}

// BatchStep is a job's batch script as a step.
func BatchStep(j *sched.Job) *sched.Step {
	s := &sched.Step{
		ID: slurm.StepBatch, Name: "batch", Tasks: 1, CPUsPerTask: max(1, j.Need.CPUsPerTask), Start: j.Start, State: slurm.JobRunning,
		SubmitLine: j.SubmitLine, Usage: j.BatchUsed(), ExitCode: j.BatchExit,
	}
	if len(j.Alloc) > 0 {
		a := j.Alloc[0]
		s.Nodes = []sched.StepNode{{Node: a.Node, CPUs: a.CPUs, Mem: a.Mem, Ranks: []int{0}, Gres: a.Gres}}
	}
	return s
}

// StepID prints job.step, the job as users see it, but for a component of a
// heterogeneous one, which is named by its own number.
func (v *View) StepID(s *Step) string {
	id := v.ID(s.Job)
	if s.Job.HetID != 0 {
		id = s.Job.ID.String()
	}
	return id + "." + s.ID.String()
}

// HeldNodes returns the nodes the step runs on.
func (s *Step) HeldNodes() []sched.NodeName {
	names := make([]sched.NodeName, len(s.Nodes))
	for i, n := range s.Nodes {
		names[i] = n.Node
	}
	return names
}

// Limit is the time the step itself may take; its job's limit ends it all the same.
func (s *Step) Limit() slurm.Duration {
	if s.TimeLimit > 0 {
		return s.TimeLimit
	}
	return slurm.Unlimited
}

// NodeText prints the step's nodes in ranges.
func (s *Step) NodeText() string { return CompressNodes(s.HeldNodes()) }

// PerNode is what the step asked for on each node, or of one that said nothing and has
// all of its job's what its job did.
func (s *Step) PerNode() slurm.Gres {
	if len(s.Gres) > 0 || s.ID == slurm.StepBatch || s.ID == slurm.StepExtern || !slices.ContainsFunc(s.Nodes, func(n sched.StepNode) bool { return len(n.Gres) > 0 }) {
		return s.Gres
	}
	return slices.Concat(s.Job.Spec.Gres, s.Job.Spec.GPUsPerNode)
}

// CPUs returns how many CPUs the step has.
func (s *Step) CPUs() int {
	n := 0
	for _, node := range s.Nodes {
		n += node.CPUs
	}
	return n
}

// CPUsShown is CPUs as listings have it: a script and what comes from outside are
// counted with their job.
func (s *Step) CPUsShown() int {
	if s.ID == slurm.StepBatch || s.ID == slurm.StepExtern {
		return 0
	}
	return s.CPUs()
}

// TimeUsed returns how long the step has been running, without the time its job
// was suspended.
func (s *Step) TimeUsed(now time.Time) slurm.Duration {
	switch {
	case s.Start.IsZero():
		return 0
	case s.State.Ended():
		return Seconds(max(0, wholeSeconds(s.Start, s.End)))
	case s.Job.IsSuspended():
		now = s.Job.Suspended
	}
	return Seconds(max(0, now.Sub(s.Start)-s.Job.SuspendedFor))
}

// Held returns what the step holds, as accounting counts it: no billing.
func (s *Step) Held() slurm.TRES {
	var mem slurm.MB
	gres := newGresCount()
	for _, n := range s.Nodes {
		mem += n.Mem
		for _, g := range n.Gres {
			gres.add(g.Name, g.Type, g.Count)
		}
	}
	var t slurm.TRES
	for _, item := range (&View{}).tres("", s.CPUs(), mem, len(s.Nodes), gres, slurm.Licenses{}) {
		if item.Type != "billing" {
			t = append(t, item)
		}
	}
	return t
}
