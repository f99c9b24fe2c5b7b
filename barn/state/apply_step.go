package state

import (
	"fmt"
	"slices"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// startStep begins a step of a running job.
func (s *State) startStep(c StartStep) Result {
	if c.Key != "" {
		if k := s.stepKeys[c.Key]; k != nil {
			return Result{Step: k.Step}
		}
	}
	old := s.jobs[c.Job]
	if err := s.checkStartStep(old, c); err != nil {
		return Result{Err: fmt.Errorf("cannot start a step of job %d: %w", c.Job, err)}
	}
	j, step := *old, *c.Step
	if !isSpecial(step.ID) {
		step.ID = slurm.StepID(j.NextStep)
		j.NextStep++
	}
	step.Start, step.State = s.at, slurm.JobRunning
	j.Steps = with(j.Steps, &step)
	slices.SortFunc(j.Steps, func(a, b *sched.Step) int { return int(int64(a.ID) - int64(b.ID)) })
	s.set(&j)
	s.events = append(s.events, StepStarted{Job: &j, Step: &step})
	if c.Key != "" {
		s.stepKeys[c.Key] = &StepKey{Key: c.Key, At: s.at, Job: j.ID, Step: step.ID}
	}
	return Result{Step: step.ID}
}

// isSpecial reports whether a step's number says what it is, and is not drawn.
func isSpecial(id slurm.StepID) bool {
	return id == slurm.StepBatch || id == slurm.StepExtern || id == slurm.StepInteractive
}

// checkStartStep says why a step cannot start.
func (s *State) checkStartStep(j *sched.Job, c StartStep) error {
	switch {
	case j == nil:
		return slurm.ErrnoInvalidJobID
	case c.Step == nil:
		return fmt.Errorf("no step is given: %w", slurm.ErrnoNoSteps)
	case j.HasEnded(), c.Restarts < j.Restarts:
		return slurm.ErrnoAlreadyDone
	case j.IsSuspended():
		return slurm.ErrnoJobSuspended
	case !j.IsRunning(), c.Restarts != j.Restarts:
		return slurm.ErrnoJobPending
	case !isSpecial(c.Step.ID) && s.config.MaxSteps > 0 && j.NextStep >= s.config.MaxSteps:
		return slurm.ErrnoStepLimit
	}
	if isSpecial(c.Step.ID) {
		if slices.ContainsFunc(j.Steps, func(live *sched.Step) bool { return live.ID == c.Step.ID }) {
			return slurm.ErrnoDuplicateStepID
		}
	}
	for _, n := range c.Step.Nodes {
		at := slices.IndexFunc(j.Alloc, func(a sched.NodeAlloc) bool { return a.Node == n.Node })
		if at < 0 {
			return fmt.Errorf("node %q is not the job's: %w", n.Node, slurm.ErrnoInvalidNodeName)
		}
		if isSpecial(c.Step.ID) || c.Step.Overlap {
			continue
		}
		used := n.CPUs
		for _, live := range j.Steps {
			if live.Overlap || isSpecial(live.ID) {
				continue
			}
			for _, m := range live.Nodes {
				if m.Node == n.Node {
					used += m.CPUs
				}
			}
		}
		if used > j.Alloc[at].CPUs {
			return fmt.Errorf("%d CPUs of the job's %d on node %s would be in use: %w", used, j.Alloc[at].CPUs, n.Node, slurm.ErrnoNodesBusy)
		}
	}
	return nil
}

// endStep ends a step. One that its job's end cut off before stays CANCELLED
// and learns what it used.
func (s *State) endStep(c EndStep) error {
	old := s.jobs[c.Job]
	if old == nil {
		return refused("end a step of", c.Job, slurm.ErrnoInvalidJobID)
	}
	at := slices.IndexFunc(old.Steps, func(live *sched.Step) bool { return live.ID == c.Step })
	switch {
	case at < 0, old.Restarts != c.Restarts:
		return refused(fmt.Sprintf("end step %v of", c.Step), c.Job, slurm.ErrnoAlreadyDone)
	case !sched.Final(c.State):
		return fmt.Errorf("cannot end step %d.%v as %v: %w", c.Job, c.Step, c.State, slurm.ErrnoInvalidJobState)
	}
	j, step := *old, *old.Steps[at]
	step.ExitCode, step.Usage, step.KilledBy = c.Exit, c.Usage, c.KilledBy
	if j.HasEnded() {
		// As in Slurm, tasks that ended by themselves when they were told to have done so.
		if st := c.State.Base(); !isSpecial(step.ID) && c.Exit.Signal == 0 && (st == slurm.JobCompleted || st == slurm.JobFailed) {
			step.State = st
		}
		j.Steps = slices.Clone(j.Steps)
		j.Steps[at] = &step
	} else {
		step.State, step.End = c.State.Base(), s.at
		j.Steps = without(j.Steps, func(live *sched.Step) bool { return live.ID == c.Step })
		if !isSpecial(step.ID) && worse(c.Exit, j.DerivedExit) {
			j.DerivedExit = c.Exit
		}
	}
	s.set(&j)
	s.events = append(s.events, StepEnded{Job: &j, Step: &step})
	return nil
}

// worse reports whether a is the worse of two ends: the higher code, then the
// higher signal.
func worse(a, b sched.ExitCode) bool {
	return a.Code > b.Code || a.Code == b.Code && a.Signal > b.Signal
}
