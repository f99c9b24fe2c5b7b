package state

import (
	"fmt"
	"slices"
	"time"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// endJob ends a job, or tasks of an array. A task is looked for in the array's
// record first and among those with a record of their own then, so that one
// that started while the command was under way is ended all the same.
func (s *State) endJob(c EndJob) error {
	tasks := c.Tasks
	if c.IsTask && tasks.Len() == 0 {
		tasks = slurm.NewIndexSet(c.Task)
	}
	if tasks.Len() == 0 {
		return s.endRecord(s.jobs[c.Job], c)
	}

	a := s.arrays[c.Job]
	if a == nil {
		return refused("end", c.Job, slurm.ErrnoInvalidJobID)
	}
	rest := s.jobs[c.Job]
	waiting := slurm.IndexSet{}
	if rest != nil && rest.IsArrayRest() && rest.IsPending() {
		waiting = rest.Tasks.Intersect(tasks)
	}
	var own []*sched.Job
	for _, j := range a.recordsOf(tasks) {
		own = append(own, s.jobs[j])
	}
	if waiting.Len() == 0 && len(own) == 0 {
		return refused("end a task of", c.Job, slurm.ErrnoInvalidJobID)
	}
	if waiting.Len() > 0 {
		if err := s.checkEnd(rest, c); err != nil {
			return err
		}
	}
	var err error
	ended := 0
	for _, j := range own {
		if e := s.checkEnd(j, c); e != nil {
			err = e
			continue
		}
		s.endChecked(j, c)
		ended++
	}
	if waiting.Len() > 0 {
		s.endWaiting(rest, waiting, c)
		ended++
	}
	if ended == 0 {
		return err
	}
	return nil
}

// endWaiting ends pending tasks of an array. As in Slurm they leave no record
// behind, unless nothing is left of the array's own.
func (s *State) endWaiting(rest *sched.Job, tasks slurm.IndexSet, c EndJob) {
	j := *rest
	if tasks.Len() == rest.Tasks.Len() {
		if !rest.IsLast() {
			j.Cut = sched.TasksGone
		}
		s.endChecked(&j, c)
		return
	}
	j.Cut = sched.TasksSome
	j.Tasks = rest.Tasks.Minus(tasks)
	a := s.arrays[rest.ArrayID] // who waits for the whole array must know of them at its end
	a.past.NotOK += tasks.Len()
	a.total.NotOK += tasks.Len()
	s.vanish(rest.ArrayID, tasks)
	s.set(&j)
}

// vanish notes tasks that end without a record.
func (s *State) vanish(array slurm.JobID, tasks slurm.IndexSet) {
	if s.vanished == nil {
		s.vanished = map[slurm.JobID]slurm.IndexSet{}
	}
	s.vanished[array] = s.vanished[array].Union(tasks)
	s.touchTasks(array, tasks)
	if key := (waitKey{job: array, kind: onEach}); len(s.waiters.lists[key]) > 0 {
		for task := range tasks.All() {
			s.touched = append(s.touched, touch{key: key, task: task})
		}
	}
}

// endRecord ends one record.
func (s *State) endRecord(j *sched.Job, c EndJob) error {
	if j == nil {
		return refused("end", c.Job, slurm.ErrnoInvalidJobID)
	}
	if err := s.checkEnd(j, c); err != nil {
		return err
	}
	s.endChecked(j, c)
	if j.HetID == j.ID {
		// The leader has the script: the other components end as it does.
		c.Restarts = AnyIncarnation
		for _, part := range slices.Clone(s.HetJobs(j.ID)) {
			if part.ID != j.ID && s.checkEnd(part, c) == nil {
				s.endChecked(part, c)
			}
		}
	}
	return nil
}

// checkEnd says why j may not be ended as c says.
func (s *State) checkEnd(j *sched.Job, c EndJob) error {
	if c.Restarts != AnyIncarnation && c.Restarts != j.Restarts {
		return refused("end an earlier run of", j.ID, slurm.ErrnoAlreadyDone)
	}
	switch {
	case c.Requeue && j.IsPending():
		return refused("requeue", j.ID, slurm.ErrnoJobPending)
	case c.Requeue && j.HasEnded():
		switch {
		case !j.Requeue:
			return refused("requeue", j.ID, slurm.ErrnoDisabled)
		case j.IsRequeuing(), j.IsArrayRest():
			return refused("requeue", j.ID, slurm.ErrnoAlreadyDone)
		}
		return nil
	case j.HasEnded():
		return refused("end", j.ID, slurm.ErrnoAlreadyDone)
	}
	if !sched.Final(c.State) || !sched.MayBecome(j.State, c.State) {
		return fmt.Errorf("cannot end job %d as %v while it is %v: %w", j.ID, c.State, j.State, slurm.ErrnoInvalidJobState)
	}
	return nil
}

// endChecked ends j, for which checkEnd found nothing wrong.
func (s *State) endChecked(old *sched.Job, c EndJob) {
	j := *old
	switch {
	case old.HasEnded(): // requeued after its end
		s.events = append(s.events, JobTakenBack{Job: old})
		if j.Reason == slurm.ReasonNonZeroExitCode {
			j.Reason = slurm.ReasonNone // it does not go back for that
		}
		if old.IsCompleting() {
			s.toRequeue(&j, c)
			s.set(&j)
		} else {
			if c.Special {
				j.State |= slurm.JobSpecialExit
			}
			if c.Hold != sched.HeldByNobody {
				j.ReasonText = c.heldText()
			}
			s.requeue(&j, c.Hold, c.NotBefore, true)
		}
		return
	case old.IsPending():
		j.State, j.End, j.Eligible = c.State.Base(), s.at, old.Eligible
		s.describeEnd(&j, c)
		if c.Exit == (sched.ExitCode{}) { // it has that of its last run
			j.ExitCode = old.ExitCode
		}
		if c.Reason == slurm.ReasonNone { // it keeps saying what it waited for
			j.Reason, j.ReasonText = old.Reason, old.ReasonText
		}
		s.set(&j)
		s.events = append(s.events, JobEnded{Job: &j, At: s.at})
		return
	}

	j.State, j.End = c.State.Base()|slurm.JobCompleting, s.at
	if old.IsSuspended() {
		j.SuspendedFor += s.at.Sub(old.Suspended)
	}
	s.describeEnd(&j, c)
	// RequeueExit holds for jobs that are not to be requeued for other reasons too.
	requeued := c.Requeue && (old.Requeue || c.Reason == slurm.ReasonNonZeroExitCode)
	if requeued {
		s.toRequeue(&j, c)
	}
	j.Completing = j.Nodes()
	j.LicensesUsed = slurm.Licenses{}
	s.licensesUsed = sched.MinusLicenses(s.licensesUsed, old.LicensesUsed)
	cut := s.cutSteps(&j)
	s.set(&j)
	for _, step := range cut {
		s.events = append(s.events, StepEnded{Job: &j, Step: step})
	}
	s.events = append(s.events, JobEnded{Job: &j, Requeued: requeued, At: s.at})
	for _, a := range j.Alloc {
		n := *s.Node(a.Node)
		countCompleting(&n, 1)
		s.setNode(&n)
	}
}

// describeEnd writes down how j ended.
func (s *State) describeEnd(j *sched.Job, c EndJob) {
	j.Reason, j.ReasonText = c.Reason, ""
	j.ExitCode, j.Ended = c.Exit, c.Text
	if c.State.Base() == slurm.JobCancelled {
		j.KilledBy = s.actor.UID
	}
}

// toRequeue marks an ended job as one that goes back into the queue.
func (s *State) toRequeue(j *sched.Job, c EndJob) {
	j.State |= slurm.JobRequeued
	if j.Begin = c.NotBefore; c.Hold != sched.HeldByNobody {
		j.HeldBy, j.ReasonText = c.Hold, c.heldText() // otherwise whoever held it while it ran still does
	}
	if c.Special {
		j.State |= slurm.JobSpecialExit
	}
	if c.Reason == slurm.ReasonJobLaunchFailure {
		j.FailedStarts++
	}
}

// heldText is what a job says that was put back to be held.
func (c *EndJob) heldText() string {
	if c.Special && !c.SaysHeld {
		return slurm.TextSpecialExit
	}
	return slurm.TextRequeuedHeld
}

// cutSteps ends the live steps of a job that ends. They stay with the job
// until its nodes are free.
func (s *State) cutSteps(j *sched.Job) []*sched.Step {
	if len(j.Steps) == 0 {
		return nil
	}
	steps := make([]*sched.Step, len(j.Steps))
	for i, step := range j.Steps {
		c := *step
		c.State, c.End = slurm.JobCancelled, s.at
		steps[i] = &c
	}
	j.Steps = steps
	return steps
}

// requeue publishes j, of which nothing is left on any node, as pending again. One
// that was over keeps its exit code until it has run again.
func (s *State) requeue(j *sched.Job, hold sched.Holder, notBefore time.Time, over bool) {
	text := slurm.TextRequeuedHeld
	if j.Reason == slurm.ReasonJobLaunchFailure {
		text = slurm.TextLaunchRequeued
	}
	special := j.State & slurm.JobSpecialExit
	byItself := j.Reason == slurm.ReasonNonZeroExitCode // it says so until it runs again
	if special != 0 {
		switch {
		case byItself:
			text = ""
		case j.ReasonText != slurm.TextRequeuedHeld:
			text = slurm.TextSpecialExit
		}
	}
	exit := j.ExitCode
	if !byItself && !over {
		exit = sched.ExitCode{}
	}
	failed := j.Reason == slurm.ReasonJobLaunchFailure && j.FailedStarts > sched.MaxRequeues(s.config)
	if failed {
		hold = sched.HeldByAdmin
	}
	if hold == sched.HeldByNobody {
		hold = j.HeldBy // while it ran, or when it was cancelled
		if j.ReasonText != slurm.TextRequeuedHeld && j.ReasonText != slurm.TextSpecialExit {
			text = ""
		}
	}
	j.State = slurm.JobPending | special
	j.Restarts++
	j.Reason, j.ReasonText = slurm.ReasonNone, ""
	j.Submit, j.Eligible, j.Begin = s.at, time.Time{}, notBefore
	j.Start, j.End, j.Suspended, j.SuspendedFor = time.Time{}, time.Time{}, time.Time{}, 0
	j.Alloc, j.Completing, j.CPUsFree = nil, nil, false
	j.ExitCode, j.DerivedExit, j.Ended, j.KilledBy = exit, sched.ExitCode{}, "", 0
	j.BatchDone, j.BatchExit, j.BatchUsage = false, sched.ExitCode{}, nil
	j.Steps, j.NextStep, j.Scheduler = nil, 0, ""
	j.Preempted, j.PreemptedFor, j.PreemptMode = noTime, 0, sched.PreemptOff
	j.RoomMade, j.RoomOn = noTime, nil
	j.Resv, j.ResvID = "", 0
	if j.HeldBy = hold; hold != sched.HeldByNobody {
		j.Priority = 0
	}
	s.judge(j)
	if hold != sched.HeldByNobody {
		j.ReasonText = text
	}
	if failed {
		j.Reason, j.ReasonText = slurm.ReasonJobHoldMaxRequeue, ""
	}
	s.set(j)
	s.tellIfEnded(j)
}

// externUsed adds what sessions from outside used on a node to the step of an ended
// job that stands for them, which is as long as the job.
func (s *State) externUsed(j *sched.Job, used sched.Usage) {
	step := sched.ExternStep(j)
	at := slices.IndexFunc(j.Steps, func(one *sched.Step) bool { return one.ID == step.ID })
	if at >= 0 {
		step.Usage = j.Steps[at].Usage.Plus(used)
		j.Steps = slices.Clone(j.Steps)
		j.Steps[at] = step
	} else {
		step.Usage = used
		j.Steps = with(j.Steps, step)
	}
	s.events = append(s.events, StepEnded{Job: j, Step: step})
}

// releaseNodes frees what an incarnation held on nodes where nothing of it is
// left. Telling it twice does no harm.
func (s *State) releaseNodes(c ReleaseNodes) error {
	old := s.jobs[c.Job]
	switch {
	case old == nil:
		return refused("free the nodes of", c.Job, slurm.ErrnoInvalidJobID)
	case old.Restarts > c.Restarts, old.HasEnded() && !old.IsCompleting():
		return nil // told before
	case old.Restarts < c.Restarts:
		return refused("free the nodes of a later run of", c.Job, slurm.ErrnoInvalidJobID)
	case !old.IsCompleting():
		return refused("free the nodes of", c.Job, slurm.ErrnoJobNotFinished)
	}
	j := *old
	if c.Batch && !j.BatchDone {
		j.BatchDone, j.BatchExit = true, c.Exit
		if c.Usage != (sched.Usage{}) {
			j.BatchUsage = &c.Usage
		}
		if j.ExitCode == (sched.ExitCode{}) && j.State.Base() != slurm.JobCompleted {
			j.ExitCode = c.Exit // of a job that was ended from outside
		}
	}
	j.Completing = without(old.Completing, func(n sched.NodeName) bool { return slices.Contains(c.Nodes, n) })
	if c.Extern.Tasks > 0 && len(j.Completing) < len(old.Completing) {
		s.externUsed(&j, c.Extern)
	}
	if len(j.Completing) == len(old.Completing) && j.BatchDone == old.BatchDone {
		return nil
	}
	if len(j.Completing) == 0 {
		j.State &^= slurm.JobCompleting
		j.CPUsFree, j.Steps = false, nil
	}

	for _, a := range j.Alloc {
		if slices.Contains(old.Completing, a.Node) && !slices.Contains(j.Completing, a.Node) {
			s.setNode(s.given(s.Node(a.Node), a, old))
		}
	}
	if len(j.Completing) > 0 {
		s.set(&j)
		return nil
	}
	over := &j
	if old.IsRequeuing() {
		j.State &^= slurm.JobRequeued | slurm.JobSpecialExit
		next := j
		next.State |= old.State & slurm.JobSpecialExit
		s.requeue(&next, sched.HeldByNobody, old.Begin, false)
	} else {
		s.set(&j)
	}
	s.events = append(s.events, JobReleased{Job: over, Usage: over.BatchUsed()})
	return nil
}
