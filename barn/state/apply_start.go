package state

import (
	"fmt"
	"slices"
	"time"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// startJobs starts jobs as the scheduler planned. The plan was made of a
// picture that may have changed since, so each start is checked again, in
// order, and left out when it no longer holds; the components of a
// heterogeneous job start together or not at all.
func (s *State) startJobs(c StartJobs) Result {
	var r Result
	done := map[slurm.JobID]bool{}
	resv := sched.NewResvView(s.resvs, nil, s.at)
	for i, start := range c.Starts {
		group := c.Starts[i : i+1]
		if j := s.jobs[start.Job]; j != nil && j.HetID != 0 {
			if done[j.HetID] {
				continue
			}
			done[j.HetID] = true
			group = s.hetStarts(j.HetID, c.Starts)
		}
		jobs, refused := s.startGroup(group, resv)
		if refused != nil {
			r.Refused = append(r.Refused, Refusal{start, refused})
			continue
		}
		r.Started = append(r.Started, jobs...)
	}
	return r
}

// hetStarts returns the starts of a heterogeneous job's components.
func (s *State) hetStarts(leader slurm.JobID, starts []sched.Start) []sched.Start {
	var group []sched.Start
	for _, start := range starts {
		if j := s.jobs[start.Job]; j != nil && j.HetID == leader {
			group = append(group, start)
		}
	}
	return group
}

// startGroup starts one job, or several together, and returns the ids of the
// records that run, or says why it does not.
func (s *State) startGroup(group []sched.Start, resv *sched.ResvView) ([]slurm.JobID, error) {
	claim := s.newClaim()
	used := s.licensesUsed
	defer s.ledger.Undo(0)
	jobs := make([]*sched.Job, len(group))
	for i, start := range group {
		old := s.jobs[start.Job]
		if err := s.checkStart(old, start); err != nil {
			return nil, fmt.Errorf("cannot start job %d: %w", start.Job, err)
		}
		j := *old
		j.Partition, j.Alloc = start.Partition, start.Alloc
		if at := s.accounts.Find(j.User, j.Account, j.Partition); j.AssocID != 0 && at != nil {
			j.AssocID = at.ID
		}
		if start.IsTask && old.Tasks.Len() > 1 {
			j.ID = s.peekID() // what the task's own record will have
		}
		if err := s.checkReserved(&j, start, resv, claim); err != nil {
			return nil, fmt.Errorf("cannot start job %d: %w", start.Job, err)
		}
		if err := claim.take(&j); err != nil {
			return nil, fmt.Errorf("cannot start job %d: %w", start.Job, err)
		}
		if err := s.withinLimits(&j, start); err != nil {
			return nil, fmt.Errorf("cannot start job %d: %w", start.Job, err)
		}
		licenses, ok := sched.TakeLicenses(j.Need.Licenses, s.config.Licenses.Minus(used))
		if !ok {
			return nil, fmt.Errorf("cannot start job %d: %w", start.Job, slurm.ErrnoLicensesUnavailable)
		}
		j.LicensesUsed = licenses
		used = sched.PlusLicenses(used, licenses)
		jobs[i] = &j
	}
	if leader := s.jobs[group[0].Job].HetID; leader != 0 {
		if err := s.checkWholeHet(leader, group); err != nil {
			return nil, fmt.Errorf("cannot start job %d: %w", leader, err)
		}
	}

	s.ledger.Undo(0) // from here on they count as running
	ids := make([]slurm.JobID, len(group))
	for i, j := range jobs {
		if group[i].IsTask {
			s.roomTaken(s.jobs[group[i].Job])
			one := s.split(s.jobs[group[i].Job], group[i].Task)
			one.Partition, one.Alloc, one.LicensesUsed = j.Partition, j.Alloc, j.LicensesUsed
			one.Resv, one.ResvID = j.Resv, j.ResvID
			j = one
		}
		s.run(j, group[i])
		claim.publish(j.Alloc)
		ids[i] = j.ID
	}
	s.licensesUsed = used
	return ids, nil
}

// withinLimits says which limit of a QOS or an association keeps j from starting
// with what it holds, and counts it for those that start together with it.
func (s *State) withinLimits(j *sched.Job, start sched.Start) error {
	limit := j.TimeLimit
	if start.TimeLimit > 0 {
		limit = start.TimeLimit
	}
	if w := s.ledger.Bars(j, start.Partition, start.Alloc, limit, s.at); !w.IsZero() {
		return fmt.Errorf("%s: %w", w.Reason, slurm.ErrnoAccountingPolicy)
	}
	if j.HetID != 0 {
		s.ledger.Try(j, start.Partition, start.Alloc, limit, s.at)
	}
	return nil
}

// checkStart says why a job may not start now, whatever the nodes say.
func (s *State) checkStart(j *sched.Job, start sched.Start) error {
	switch {
	case j == nil:
		return slurm.ErrnoInvalidJobID
	case j.HasEnded():
		return slurm.ErrnoAlreadyDone
	case !j.IsPending():
		return slurm.ErrnoJobStarted
	case j.Restarts != start.Restarts:
		return fmt.Errorf("restart %d is meant and it is at %d: %w", start.Restarts, j.Restarts, slurm.ErrnoNotPending)
	case j.IsArrayRest() && !start.IsTask:
		return fmt.Errorf("it is an array and no task is named: %w", slurm.ErrnoInvalidArray)
	case start.IsTask && !(j.IsArrayRest() && j.Tasks.Contains(start.Task)):
		return fmt.Errorf("it has no task %d waiting: %w", start.Task, slurm.ErrnoInvalidArray)
	case j.HeldBy != sched.HeldByNobody:
		return slurm.ErrnoJobHeld
	case j.Begin.After(s.at):
		return fmt.Errorf("it begins at %v: %w", j.Begin, slurm.ErrnoCanNotStartImmediately)
	case j.DependencyAt(s.at) != sched.DependFulfilled, isSingle(j) && !j.DepsAny && s.judgeSingleton(j) != sched.DependFulfilled:
		return slurm.ErrnoDependency
	case j.ArrayID != 0 && j.Throttle > 0 && s.active[j.ArrayID] >= j.Throttle:
		return fmt.Errorf("%d tasks of the array run already: %w", s.active[j.ArrayID], slurm.ErrnoNodesBusy)
	}
	members, ok := s.members[start.Partition]
	p := s.config.Partition(start.Partition)
	switch {
	case !ok:
		return fmt.Errorf("%q: %w", start.Partition, slurm.ErrnoInvalidPartition)
	case !slices.Contains(j.Partitions, start.Partition) && j.Partition != start.Partition:
		return fmt.Errorf("it did not ask for partition %s: %w", start.Partition, slurm.ErrnoInvalidPartition)
	case p.State == "DOWN" || p.State == "INACTIVE":
		return fmt.Errorf("partition %s is %s: %w", p.Name, p.State, slurm.ErrnoPartitionNotAvail)
	}
	for _, a := range start.Alloc {
		if !members[a.Node] && s.Node(a.Node) != nil {
			return fmt.Errorf("node %s: %w", a.Node, slurm.ErrnoRequestedNodesNotInPartition)
		}
	}
	return nil
}

// checkWholeHet says why a group is not all that is left of a heterogeneous
// job.
func (s *State) checkWholeHet(leader slurm.JobID, group []sched.Start) error {
	seen := map[slurm.JobID]bool{}
	for _, start := range group {
		if seen[start.Job] {
			return fmt.Errorf("component %d is there twice: %w", start.Job, slurm.ErrnoNotWholeHetJob)
		}
		seen[start.Job] = true
	}
	for _, id := range s.hets[leader] {
		if s.jobs[id].IsPending() && !seen[id] {
			return fmt.Errorf("component %d is missing: %w", id, slurm.ErrnoNotWholeHetJob)
		}
	}
	return nil
}

// roomTaken notes that one task of an array starts where others gave way to it:
// the rest of the array has its place in line again.
func (s *State) roomTaken(rest *sched.Job) {
	if rest != nil && !rest.RoomMade.IsZero() {
		j := *rest
		j.RoomMade, j.RoomOn = noTime, nil
		s.set(&j)
	}
}

// run publishes j, which has what it takes, as running.
func (s *State) run(j *sched.Job, start sched.Start) {
	j.State = slurm.JobRunning
	j.ExitCode = sched.ExitCode{} // an earlier run's
	j.RoomMade, j.RoomOn = noTime, nil
	if s.mustComeUp(j) {
		j.State |= slurm.JobConfiguring | slurm.JobPowerUpNode
	}
	if s.mustPrepare() {
		j.State |= slurm.JobConfiguring
	}
	j.Extern = s.config != nil && slices.Contains(s.config.Conf.PrologFlags, "Contain")
	j.WaitedFor, j.Reason, j.ReasonText = j.Reason, slurm.ReasonNone, ""
	j.Start, j.LastSched, j.Scheduler = s.at, s.at, start.Scheduler
	if start.TimeLimit > 0 {
		j.TimeLimit = start.TimeLimit
	}
	j.End = expectedEnd(j)
	if j.Eligible.IsZero() {
		j.Eligible = s.at
	}
	s.set(j)
	s.events = append(s.events, JobStarted{Job: j})
}

// expectedEnd returns when a started job reaches its time limit; zero: never.
func expectedEnd(j *sched.Job) time.Time {
	if j.TimeLimit == slurm.Unlimited || j.TimeLimit <= 0 {
		return time.Time{}
	}
	return j.Start.Add(j.SuspendedFor + seconds(j.TimeLimit))
}

// seconds returns d as a duration, as long as one can be.
func seconds(d slurm.Duration) time.Duration {
	const most = 100 * 365 * 24 * 3600
	return time.Duration(min(d, most)) * time.Second
}
