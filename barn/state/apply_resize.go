package state

import (
	"fmt"
	"slices"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// shrinkJob takes nodes out of a job that goes on without them. Where its batch
// script runs cannot be one of them.
func (s *State) shrinkJob(c ShrinkJob) error {
	old := s.jobs[c.Job]
	if err := checkShrink(old, c); err != nil {
		return err
	}
	j := *old
	j.Alloc = nil
	var less []sched.NodeAlloc
	for _, a := range old.Alloc {
		if slices.Contains(c.Nodes, a.Node) {
			less = append(less, a)
		} else {
			j.Alloc = append(j.Alloc, a)
		}
	}
	if len(less) == 0 {
		return nil
	}
	var ended []*sched.Step
	if c.Given {
		ended = cutOff(&j, c.Nodes, slurm.JobCancelled, false)
		j.Need.MinNodes, j.Need.MaxNodes = len(j.Alloc), max(len(j.Alloc), len(j.Need.NodeList)) // should it be sent back
		j.Resize = &sched.Resize{At: s.at}
	} else {
		ended = cutOff(&j, c.Nodes, slurm.JobNodeFail, true)
	}
	for _, step := range ended {
		step.End = s.at
	}
	s.set(&j)
	for _, a := range less {
		s.setNode(s.given(s.Node(a.Node), a, old))
	}
	told := &j
	// As in Slurm there is no record of a part that ends in the second in which it began.
	if c.Given && old.RecordedFrom().Unix() != s.at.Unix() {
		told = s.partOf(old)
		s.events = append(s.events, JobResized{Job: told})
		for i, step := range ended {
			at := slices.IndexFunc(told.Steps, func(one *sched.Step) bool { return one.ID == step.ID })
			ended[i] = told.Steps[at]
		}
	}
	for _, step := range ended {
		s.events = append(s.events, StepEnded{Job: told, Step: step})
	}
	return nil
}

// checkShrink says why a job cannot go on without some of its nodes.
func checkShrink(old *sched.Job, c ShrinkJob) error {
	switch {
	case old == nil:
		return refused("shrink", c.Job, slurm.ErrnoInvalidJobID)
	case old.Restarts != c.Restarts, !old.IsRunning() && !old.IsSuspended():
		return refused("shrink", c.Job, slurm.ErrnoAlreadyDone)
	case (old.Batch || !c.Given) && slices.Contains(c.Nodes, old.Alloc[0].Node):
		return fmt.Errorf("cannot shrink job %d: node %s has its script: %w", c.Job, old.Alloc[0].Node, slurm.ErrnoInvalidNodeName)
	case !slices.ContainsFunc(old.Alloc, func(a sched.NodeAlloc) bool { return !slices.Contains(c.Nodes, a.Node) }):
		return fmt.Errorf("cannot shrink job %d: no node would be left: %w", c.Job, slurm.ErrnoInvalidNodeName)
	}
	return nil
}

// cutOff takes steps out of j that end with some of its nodes, and returns them: those
// that have something there, or only those that have nothing elsewhere. The others go
// on with what they have left.
func cutOff(j *sched.Job, nodes []sched.NodeName, as slurm.JobState, any bool) []*sched.Step {
	var ended, rest []*sched.Step
	for _, step := range j.Steps {
		there := 0
		for _, n := range step.Nodes {
			if slices.Contains(nodes, n.Node) {
				there++
			}
		}
		if there == 0 || there < len(step.Nodes) && !any {
			rest = append(rest, step)
			continue
		}
		over := *step
		if over.State = as; as == slurm.JobCancelled {
			over.ExitCode = sched.ExitCode{Signal: 9}
		}
		ended = append(ended, &over)
	}
	j.Steps = rest
	return ended
}

// partOf is the record of what a job that gives nodes back was until now.
func (s *State) partOf(old *sched.Job) *sched.Job {
	part := *old
	part.State, part.End = slurm.JobCompleted|slurm.JobResizing, s.at
	if old.IsSuspended() {
		part.SuspendedFor += s.at.Sub(old.Suspended)
	}
	part.Steps = make([]*sched.Step, len(old.Steps))
	for i, step := range old.Steps {
		c := *step
		c.State, c.End = slurm.JobCompleted|slurm.JobResizing, s.at
		part.Steps[i] = &c
	}
	return &part
}
