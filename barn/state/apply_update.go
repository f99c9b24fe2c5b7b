package state

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// updateJob changes what was asked of a job, of tasks of an array, or of all
// that is left of an array. Waiting tasks that are named get records of their
// own. Of several records those are changed that can be; only when none can,
// the command is refused.
func (s *State) updateJob(c UpdateJob) error {
	tasks := c.Tasks
	if c.IsTask && tasks.Len() == 0 {
		tasks = slurm.NewIndexSet(c.Task)
	}
	a := s.arrays[c.Job]
	var records []*sched.Job
	switch {
	case tasks.Len() > 0:
		if a == nil {
			return refused("update", c.Job, slurm.ErrnoInvalidJobID)
		}
		for _, id := range a.recordsOf(tasks) {
			records = append(records, s.jobs[id])
		}
	case a != nil:
		records = a.records.slice()
	case s.jobs[c.Job] != nil:
		records = []*sched.Job{s.jobs[c.Job]}
	}

	var first error
	var change []*sched.Job
	for _, j := range records {
		if err := s.checkUpdate(j, c.Change); err == nil {
			change = append(change, j)
		} else if first == nil {
			first = fmt.Errorf("cannot update job %d: %w", j.ID, err)
		}
	}
	var waiting slurm.IndexSet
	rest := s.jobs[c.Job]
	if tasks.Len() > 0 && rest != nil && rest.IsArrayRest() {
		waiting = rest.Tasks.Intersect(tasks)
		if err := s.checkUpdate(rest, c.Change); waiting.Len() > 0 && err != nil {
			first = fmt.Errorf("cannot update job %d: %w", rest.ID, err)
			waiting = slurm.IndexSet{}
		}
	}
	if len(change) == 0 && waiting.Len() == 0 {
		if first == nil {
			first = refused("update", c.Job, slurm.ErrnoInvalidJobID)
		}
		return first
	}
	for _, j := range change {
		// A change of one record can stand in the way of the next: CPUs that a
		// resumed task has taken are gone.
		if s.checkUpdate(j, c.Change) == nil {
			s.change(*j, c.Change)
		}
	}
	if n := waiting.Len(); n > 1 && n == rest.Tasks.Len() {
		s.change(*rest, c.Change)
		return nil
	}
	for task := range waiting.All() {
		s.change(*s.split(s.jobs[c.Job], task), c.Change)
	}
	return nil
}

// checkUpdate says why j cannot be changed like that.
func (s *State) checkUpdate(j *sched.Job, ch JobChange) error {
	words := ch.Comment != nil || ch.AdminComment != nil || ch.SystemComment != nil
	if j.HasEnded() {
		only := ch
		only.Comment, only.AdminComment, only.SystemComment = nil, nil, nil
		if !words || !only.isZero() {
			return slurm.ErrnoJobFinished
		}
		return nil
	}
	if ch.Licenses != nil {
		if err := s.checkLicenses(j, *ch.Licenses); err != nil {
			return err
		}
	}
	if !j.IsPending() && (ch.Partitions != nil || ch.Need != nil || ch.Deps != nil || ch.DepsAny != nil ||
		ch.Begin != nil || ch.TimeMin != nil) {
		return slurm.ErrnoNotPending
	}
	switch {
	case ch.TimeLimit != nil && *ch.TimeLimit <= 0:
		return fmt.Errorf("time limit %d: %w", *ch.TimeLimit, slurm.ErrnoInvalidTimeLimit)
	case ch.Partitions != nil && len(ch.Partitions) == 0:
		return slurm.ErrnoInvalidPartition
	case ch.Throttle != nil && *ch.Throttle < 0:
		return slurm.ErrnoInvalidArray
	case ch.EndAt != nil && j.IsPending(), len(ch.StepLimits) > 0 && j.IsPending():
		return slurm.ErrnoNotRunning
	case slices.ContainsFunc(ch.StepLimits, func(l StepLimit) bool { return l.Limit < 0 }):
		return slurm.ErrnoInvalidTimeLimit
	case ch.EndAt != nil && !ch.EndAt.After(j.Start):
		return fmt.Errorf("it would end at %v, before it began: %w", *ch.EndAt, slurm.ErrnoInvalidTime)
	}
	if ch.Suspend != nil {
		if err := s.checkSuspend(j, *ch.Suspend); err != nil {
			return err
		}
	}
	if ch.Deps != nil {
		return s.checkDeps(j, *ch.Deps)
	}
	return nil
}

func (ch JobChange) isZero() bool {
	return ch.Spec == nil && ch.Name == nil && ch.Account == nil && ch.QOS == nil && ch.Comment == nil &&
		ch.AdminComment == nil && ch.SystemComment == nil && ch.Partitions == nil && ch.TimeLimit == nil &&
		ch.TimeMin == nil && ch.Need == nil && ch.Nice == nil && ch.Priority == nil && ch.Hold == nil &&
		ch.Begin == nil && ch.Requeue == nil && ch.Throttle == nil && ch.Deps == nil && ch.DepsAny == nil &&
		ch.Reason == nil && ch.ReasonText == nil && ch.Suspend == nil && ch.EndAt == nil && ch.Assoc == nil && len(ch.StepLimits) == 0 && ch.Licenses == nil
}

// checkLicenses says why a running job cannot have other licences than it has.
func (s *State) checkLicenses(j *sched.Job, want slurm.Licenses) error {
	if !j.IsRunning() {
		return slurm.ErrnoNotRunning
	}
	if _, ok := sched.TakeLicenses(want, s.config.Licenses.Minus(sched.MinusLicenses(s.licensesUsed, j.LicensesUsed))); !ok {
		return slurm.ErrnoInvalidLicenses
	}
	return nil
}

// relicense gives a running job other licences, which checkLicenses found to be there.
func (s *State) relicense(j *sched.Job, want slurm.Licenses) {
	others := sched.MinusLicenses(s.licensesUsed, j.LicensesUsed)
	j.Need.Licenses = want
	j.LicensesUsed, _ = sched.TakeLicenses(want, s.config.Licenses.Minus(others))
	s.licensesUsed = sched.PlusLicenses(others, j.LicensesUsed)
}

// holdReason is the reason of a job that is held, none for one that is not.
func holdReason(by sched.Holder) slurm.Reason {
	switch by {
	case sched.HeldByUser:
		return slurm.ReasonJobHeldUser
	case sched.HeldByAdmin:
		return slurm.ReasonJobHeldAdmin
	}
	return slurm.ReasonNone
}

// checkSuspend says why j cannot be suspended, or resumed.
func (s *State) checkSuspend(j *sched.Job, suspend bool) error {
	switch {
	case j.IsPending():
		return slurm.ErrnoJobPending
	case suspend && j.IsSuspended():
		return slurm.ErrnoJobSuspended
	case !suspend && !j.IsSuspended():
		return slurm.ErrnoJobNotSuspended
	case suspend:
		return nil
	}
	p := s.config.Partition(j.Partition)
	whole, _ := sched.Exclusivity(s.config, j, p)
	claim := s.newClaim()
	for _, a := range j.Alloc {
		n := s.Node(a.Node)
		if n.ExclusiveBy != 0 && n.ExclusiveBy != j.ID && n.ExclusiveUser != j.UID || whole && s.present(n, j.ID) != 0 {
			return fmt.Errorf("node %s is taken: %w", n.Name, slurm.ErrnoNodesBusy)
		}
		if n.UsedCPUs+a.CPUs > n.CPUs*sched.ShareLimit(s.config, j, p) {
			return fmt.Errorf("node %s has %d of %d CPUs in use: %w", n.Name, n.UsedCPUs, n.CPUs, slurm.ErrnoNodesBusy)
		}
		if sched.ShareLimit(s.config, j, p) == 1 {
			if err := claim.cpusClear(n, j, &a); err != nil {
				return err // it is bound to those it has
			}
		}
	}
	return nil
}

// checkDeps says why j cannot have these dependencies. j may be nil for a job
// that is not there yet.
func (s *State) checkDeps(j *sched.Job, deps []sched.Depend) error {
	for _, d := range deps {
		switch {
		case d.Type < slurm.DependAfter || d.Type > slurm.DependSingleton:
			return fmt.Errorf("dependency type %d: %w", d.Type, slurm.ErrnoDependency)
		case d.Type == slurm.DependExpand:
			return fmt.Errorf("dependency %v: jobs cannot be expanded: %w", d.DependTerm, slurm.ErrnoNotSupported)
		case j != nil && d.Type != slurm.DependSingleton && (d.Job == j.ID || j.ArrayID != 0 && d.Job == j.ArrayID):
			return fmt.Errorf("dependency %v on itself: %w", d.DependTerm, slurm.ErrnoDependency)
		}
	}
	if j != nil && s.leadsTo(deps, j) {
		return slurm.ErrnoCircularDependency
	}
	return nil
}

// leadsTo reports whether waiting for deps is, in the end, waiting for j.
func (s *State) leadsTo(deps []sched.Depend, j *sched.Job) bool {
	seen := map[slurm.JobID]bool{}
	var follow func(deps []sched.Depend) bool
	follow = func(deps []sched.Depend) bool {
		for _, d := range deps {
			if d.State != sched.DependWaiting || d.Type == slurm.DependSingleton || seen[d.Job] {
				continue
			}
			if d.Job == j.ID || j.ArrayID != 0 && d.Job == j.ArrayID {
				return true
			}
			seen[d.Job] = true
			if a := s.arrays[d.Job]; a != nil {
				for other := range a.records.all() {
					if other.IsPending() && follow(other.Deps) {
						return true
					}
				}
			} else if other := s.jobs[d.Job]; other != nil && other.IsPending() && follow(other.Deps) {
				return true
			}
		}
		return false
	}
	return follow(deps)
}

// change publishes j with the changes that checkUpdate found nothing wrong
// with.
func (s *State) change(j sched.Job, ch JobChange) {
	waited := j.IsPending()
	if ch.Spec != nil && j.Spec != nil && ch.Spec.WorkDir != j.Spec.WorkDir {
		j.WorkDir = ch.Spec.WorkDir
	}
	put(&j.Spec, ch.Spec)
	put2(&j.Name, ch.Name)
	put2(&j.Account, ch.Account)
	put2(&j.AssocID, ch.Assoc)
	put2(&j.QOS, ch.QOS)
	put2(&j.AdminComment, ch.AdminComment)
	put2(&j.SystemComment, ch.SystemComment)
	put2(&j.TimeMin, ch.TimeMin)
	put2(&j.Need, ch.Need)
	if ch.Licenses != nil {
		s.relicense(&j, *ch.Licenses)
	}
	put2(&j.Nice, ch.Nice)
	put2(&j.Begin, ch.Begin)
	put2(&j.Requeue, ch.Requeue)
	put2(&j.Throttle, ch.Throttle)
	put2(&j.DepsAny, ch.DepsAny)
	if ch.Comment != nil {
		spec := *j.Spec
		spec.Comment = *ch.Comment
		spec.Given = maps.Clone(spec.Given)
		if spec.Given == nil {
			spec.Given = map[string]bool{}
		}
		spec.Given["comment"] = true
		j.Spec = &spec
	}
	if ch.Partitions != nil || ch.Need != nil || ch.QOS != nil || ch.Hold != nil {
		j.RoomMade, j.RoomOn = time.Time{}, nil // it was made for what it asked before
	}
	if ch.Partitions != nil {
		j.Partitions = slices.Clone(ch.Partitions)
		j.Partition = j.Partitions[0]
	}
	if ch.Hold != nil {
		if j.HeldBy = *ch.Hold; j.HeldBy == sched.HeldByNobody {
			j.Priority = max(j.Priority, 1) // until it is worked out again
			j.State &^= slurm.JobSpecialExit
			j.FailedStarts = 0
			j.State &^= slurm.JobResvDelHold
		}
		if !j.IsPending() {
			// It goes on running, and is held when it comes back into the queue.
			j.Reason, j.ReasonText = holdReason(j.HeldBy), ""
		}
	}
	put2(&j.Priority, ch.Priority)
	if j.HeldBy != sched.HeldByNobody {
		j.Priority = 0
	}
	if ch.TimeLimit != nil {
		if j.TimeLimit = *ch.TimeLimit; !j.IsPending() && !j.HasEnded() {
			j.End = expectedEnd(&j)
		}
	}
	if ch.EndAt != nil {
		ran := ch.EndAt.Sub(j.Start) - j.SuspendedFor
		j.TimeLimit = slurm.Duration(math.Ceil(max(ran, time.Second).Minutes())) * 60
		j.End = *ch.EndAt
	}
	if ch.Suspend != nil {
		s.suspend(&j, *ch.Suspend)
	}
	if len(ch.StepLimits) > 0 {
		j.Steps = limitSteps(j.Steps, ch.StepLimits)
	}
	if ch.Deps != nil {
		j.Deps = s.newDeps(*ch.Deps)
	}
	if waited {
		s.judge(&j)
	}
	if !j.HasEnded() {
		put2(&j.Reason, ch.Reason)
		put2(&j.ReasonText, ch.ReasonText)
	}
	s.set(&j)
	if waited {
		s.tellIfEnded(&j)
	}
	if ch.Deps != nil {
		s.settleTasks(j.ID, touch{all: true})
	}
}

// limitSteps returns the steps with new limits. A step that has ended since is left out.
func limitSteps(steps []*sched.Step, limits []StepLimit) []*sched.Step {
	out := slices.Clone(steps)
	for _, l := range limits {
		if at := slices.IndexFunc(out, func(s *sched.Step) bool { return s.ID == l.Step && !s.HasEnded() }); at >= 0 {
			step := *out[at]
			step.TimeLimit = l.Limit
			out[at] = &step
		}
	}
	return out
}

// put replaces *at by new when there is one; put2 does so through a pointer.
func put[T any](at **T, new *T) {
	if new != nil {
		*at = new
	}
}

func put2[T any](at *T, new *T) {
	if new != nil {
		*at = *new
	}
}

// newDeps returns dependencies as they are when a job gets them: undecided,
// and with arrays named as such.
func (s *State) newDeps(deps []sched.Depend) []sched.Depend {
	deps = slices.Clone(deps)
	for i := range deps {
		d := &deps[i]
		d.State, d.At = sched.DependWaiting, time.Time{}
		if !d.HasTask && s.arrays[d.Job] != nil && d.Type != slurm.DependSingleton {
			d.AllTasks = true
		}
	}
	return deps
}

// suspend suspends j or resumes it, and the CPUs of its nodes with it.
func (s *State) suspend(j *sched.Job, suspend bool) {
	sign := 1
	if suspend {
		j.State, j.Suspended, sign = slurm.JobSuspended, s.at, -1
	} else {
		paused := s.at.Sub(j.Suspended)
		j.State = slurm.JobRunning
		j.Preempted, j.PreemptedFor, j.PreemptMode = time.Time{}, 0, sched.PreemptOff
		j.SuspendedFor += paused
		if !j.End.IsZero() {
			j.End = j.End.Add(paused)
		}
	}
	j.CPUsFree = suspend
	for _, a := range j.Alloc {
		n := *s.Node(a.Node)
		n.UsedCPUs += sign * a.CPUs
		n.LastBusy = s.at
		s.setNode(&n)
	}
}

// setWaits records why pending jobs wait, where nothing but the scheduler's
// word keeps them waiting.
func (s *State) setWaits(c SetWaits) Result {
	for _, w := range c.Waits {
		old := s.jobs[w.Job]
		if old == nil || !old.ReadyAt(s.at) {
			continue
		}
		if old.Reason == w.Reason && old.ReasonText == w.Text && !old.LastSched.IsZero() {
			continue
		}
		j := *old
		j.Reason, j.ReasonText, j.LastSched = w.Reason, w.Text, s.at
		s.set(&j)
	}
	return Result{}
}

// setPriorities records priorities of jobs that nobody holds.
func (s *State) setPriorities(c SetPriorities) Result {
	for _, p := range c.Jobs {
		old := s.jobs[p.Job]
		if old == nil || old.HasEnded() || old.HeldBy != sched.HeldByNobody {
			continue
		}
		j := *old
		j.Priority = p.Priority
		if p.Age && old.AgeHeld && !s.ledger.AgeFull(old) {
			j.AgeHeld, j.AgeFrom = false, s.at
		}
		if j.Priority == old.Priority && j.AgeHeld == old.AgeHeld {
			continue
		}
		s.set(&j)
	}
	return Result{}
}
