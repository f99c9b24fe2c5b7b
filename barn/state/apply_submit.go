package state

import (
	"errors"
	"fmt"
	"slices"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// ErrNoBlob refuses a submission that refers to a script or an environment
// which is neither stored nor sent along. It may have been stored when the
// submission was made; sending it along makes the submission good.
var ErrNoBlob = errors.New("the script or environment is not stored")

// submitJobs accepts jobs, all or none.
func (s *State) submitJobs(c SubmitJobs) Result {
	if c.Key != "" {
		if k := s.keys[c.Key]; k != nil {
			return Result{Jobs: slices.Clone(k.Jobs), Run: k.Run}
		}
	}
	if err := s.checkSubmit(c); err != nil {
		return Result{Err: fmt.Errorf("cannot submit: %w", err)}
	}

	for _, b := range c.Blobs {
		used := slices.ContainsFunc(c.Jobs, func(j *sched.Job) bool { return j.Script == b.ID || j.Env == b.ID })
		if s.blobs[b.ID] == nil && used {
			s.blobs[b.ID] = &blob{data: b.Data}
		}
	}
	ids := make([]slurm.JobID, len(c.Jobs))
	s.arriving = make(map[slurm.JobID]*sched.Job, len(c.Jobs))
	jobs := make([]*sched.Job, len(c.Jobs))
	for i, asked := range c.Jobs {
		ids[i] = s.newID()
		jobs[i] = s.fresh(asked, ids[i])
		s.arriving[ids[i]] = jobs[i]
	}
	run := ""
	if c.Run != nil {
		run = s.newRun(*c.Run, c.Jobs, ids)
	}
	for i, j := range jobs {
		j.Run = run
		if c.Het {
			j.HetID, j.HetOffset = ids[0], i
		}
		if i < len(c.Needs) {
			for _, n := range c.Needs[i] {
				term := slurm.DependTerm{Type: slurm.DependAfterOK, Job: ids[n], AllTasks: jobs[n].ArrayID != 0}
				j.Deps = with(j.Deps, sched.Depend{DependTerm: term})
			}
		}
	}
	for _, j := range jobs {
		s.judge(j)
		s.set(j)
		s.tellIfEnded(j)
	}
	s.arriving = nil
	for _, id := range ids {
		s.settleTasks(id, touch{all: true})
	}
	if c.Key != "" {
		s.keys[c.Key] = &SubmitKey{Key: c.Key, At: s.at, Jobs: ids, Run: run}
	}
	return Result{Jobs: slices.Clone(ids), Run: run}
}

// fresh returns a job as it begins: asked for what it is asked for, with an id,
// and nothing having happened to it.
func (s *State) fresh(asked *sched.Job, id slurm.JobID) *sched.Job {
	j := *asked
	j.ID = id
	j.ArrayID, j.TaskID = 0, 0
	if j.Tasks.Len() > 0 {
		j.ArrayID, j.ArrayAll = id, j.Tasks
	}
	j.HetID, j.HetOffset = 0, 0
	j.State, j.Reason, j.ReasonText = slurm.JobPending, slurm.ReasonNone, ""
	j.Restarts, j.Submit, j.Eligible = 0, s.at, noTime
	j.Start, j.End, j.Suspended, j.SuspendedFor, j.LastSched = noTime, noTime, noTime, 0, noTime
	j.Alloc, j.Completing, j.Steps, j.NextStep, j.Scheduler = nil, nil, nil, 0, ""
	j.ExitCode, j.DerivedExit, j.Ended, j.KilledBy = sched.ExitCode{}, sched.ExitCode{}, "", 0
	j.BatchDone, j.BatchExit, j.BatchUsage = false, sched.ExitCode{}, nil
	j.LicensesUsed, j.CPUsFree = slurm.Licenses{}, false
	j.Preempted, j.PreemptedFor, j.PreemptMode = noTime, 0, sched.PreemptOff
	j.RoomMade, j.RoomOn, j.FailedStarts = noTime, nil, 0
	j.Resv, j.ResvID = "", 0
	j.Deps = s.newDeps(j.Deps)
	if j.HeldBy != sched.HeldByNobody {
		j.Priority = 0
	}
	if len(j.Partitions) == 0 && j.Partition != "" {
		j.Partitions = []sched.PartitionName{j.Partition}
	} else if len(j.Partitions) > 0 {
		j.Partition = j.Partitions[0]
	}
	return &j
}

// checkSubmit says why a submission cannot be accepted. Who may submit what is
// not asked here.
func (s *State) checkSubmit(c SubmitJobs) error {
	if len(c.Jobs) == 0 {
		return errors.New("there is no job")
	}
	blobs := make(map[sched.BlobID]bool, len(c.Blobs))
	for _, b := range c.Blobs {
		if b.ID == "" {
			return errors.New("a script or environment has no name")
		}
		blobs[b.ID] = true
	}
	count := 0
	for i, j := range c.Jobs {
		if err := s.checkNewJob(j, blobs); err != nil {
			if len(c.Jobs) > 1 {
				return fmt.Errorf("job %d of %d: %w", i+1, len(c.Jobs), err)
			}
			return err
		}
		if c.Het && j.Tasks.Len() > 0 {
			return fmt.Errorf("a component of a heterogeneous job cannot be an array: %w", slurm.ErrnoInvalidArray)
		}
		count += max(j.Tasks.Len(), 1)
	}
	if most := s.config.MaxJobs; most > 0 && s.jobCount+count > most {
		return fmt.Errorf("%d jobs are there, %d more would be over MaxJobCount=%d: %w", s.jobCount, count, most, slurm.ErrnoMaxJobCount)
	}
	if !s.idsLeft(count) {
		return fmt.Errorf("no job ids are left: %w", slurm.ErrnoMaxJobCount)
	}
	if err := s.ledger.Admit(c.Jobs, s.at); err != nil {
		return err
	}
	return s.checkNeeds(c)
}

func (s *State) checkNewJob(j *sched.Job, blobs map[sched.BlobID]bool) error {
	switch {
	case j == nil || j.Spec == nil:
		return errors.New("it has no request")
	case j.ArrayAll.Len() > 0 && j.Tasks.Len() == 0:
		return fmt.Errorf("it is an array without tasks: %w", slurm.ErrnoInvalidArray)
	case j.TimeLimit < 0:
		return fmt.Errorf("time limit %d: %w", j.TimeLimit, slurm.ErrnoInvalidTimeLimit)
	case j.Throttle < 0:
		return fmt.Errorf("throttle %d: %w", j.Throttle, slurm.ErrnoInvalidArray)
	}
	for _, id := range []sched.BlobID{j.Script, j.Env} {
		if id != "" && !blobs[id] && s.blobs[id] == nil {
			return fmt.Errorf("blob %q: %w", id, ErrNoBlob)
		}
	}
	return s.checkDeps(nil, j.Deps)
}

// checkNeeds says what is wrong with what jobs of one submission need of each
// other.
func (s *State) checkNeeds(c SubmitJobs) error {
	if len(c.Needs) > len(c.Jobs) {
		return fmt.Errorf("needs of %d jobs are given for %d: %w", len(c.Needs), len(c.Jobs), slurm.ErrnoDependency)
	}
	// A job is done once all it needs is done; whoever is never done waits in a
	// circle.
	done := make([]bool, len(c.Jobs))
	for left, before := len(c.Needs), 0; left != before; {
		before, left = left, 0
		for i, needs := range c.Needs {
			if done[i] {
				continue
			}
			ready := true
			for _, n := range needs {
				if n < 0 || n >= len(c.Jobs) {
					return fmt.Errorf("job %d needs job %d of %d: %w", i+1, n+1, len(c.Jobs), slurm.ErrnoDependency)
				}
				ready = ready && (done[n] || n >= len(c.Needs))
			}
			if len(needs) > 0 && c.Jobs[i].DepsAny && len(c.Jobs[i].Deps) > 0 {
				return fmt.Errorf("job %d needs others and waits for any one of its dependencies: %w", i+1, slurm.ErrnoDependency)
			}
			if done[i] = ready; !ready {
				left++
			}
		}
		if left == 0 {
			return nil
		}
	}
	if len(c.Needs) == 0 {
		return nil
	}
	return fmt.Errorf("stages that need each other: %w", slurm.ErrnoCircularDependency)
}
