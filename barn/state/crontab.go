package state

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// Crontab is what a user wants done again and again: the text as it was given,
// and the jobs that stand for its lines.
type Crontab struct {
	UID  uint32
	User string
	Text string
	Jobs []slurm.JobID
}

// Disabled begins a line of a crontab whose job was cancelled.
const Disabled = "#DISABLED: "

// setCrontab replaces a user's crontab: the jobs of the old one end, those of the
// new one are submitted. A crontab that cannot be had whole changes nothing.
func (s *State) setCrontab(c SetCrontab) Result {
	if len(c.Submit.Jobs) > 0 {
		for i, j := range c.Submit.Jobs {
			if j == nil || j.Spec == nil || j.Spec.Cron == "" || j.UID != c.UID || j.Tasks.Len() > 0 {
				return Result{Err: fmt.Errorf("cannot set the crontab of user %d: job %d is none of a crontab's", c.UID, i+1)}
			}
		}
		if err := s.checkSubmit(c.Submit); err != nil {
			return Result{Err: fmt.Errorf("cannot set a crontab: %w", err)}
		}
	}
	if old := s.crontabs[c.UID]; old != nil {
		for _, id := range old.Jobs {
			s.endCron(id)
		}
	}
	delete(s.crontabs, c.UID)
	r := Result{}
	if len(c.Submit.Jobs) > 0 {
		if r = s.submitJobs(c.Submit); r.Err != nil {
			return r
		}
	}
	if c.Text != "" {
		s.crontabs[c.UID] = &Crontab{UID: c.UID, User: c.User, Text: c.Text, Jobs: slices.Clone(r.Jobs)}
	}
	return r
}

// endCron cancels a crontab's job, unless it has ended.
func (s *State) endCron(id slurm.JobID) {
	if j := s.jobs[id]; j != nil && !j.State.Ended() {
		// What is refused here is a job that ends already.
		_ = s.endJob(EndJob{Job: id, Restarts: AnyIncarnation, State: slurm.JobCancelled})
	}
}

// dropCron cancels a job of a crontab for good: its lines are switched off.
func (s *State) dropCron(c DropCron) error {
	j := s.jobs[c.Job]
	if j == nil || j.Spec.Cron == "" {
		return fmt.Errorf("cannot take job %d out of a crontab: %w", c.Job, slurm.ErrnoInvalidJobID)
	}
	tab := s.crontabs[j.UID]
	if tab == nil || !slices.Contains(tab.Jobs, c.Job) {
		return errors.Join(s.endJob(EndJob{Job: c.Job, Restarts: AnyIncarnation, State: slurm.JobCancelled}))
	}
	next := *tab
	next.Jobs = without(tab.Jobs, func(id slurm.JobID) bool { return id == c.Job })
	lines := strings.Split(tab.Text, "\n")
	for n := max(j.Spec.CronFirstLine, 1); n <= min(j.Spec.CronLine, len(lines)); n++ {
		if !strings.HasPrefix(lines[n-1], Disabled) {
			lines[n-1] = Disabled + lines[n-1]
		}
	}
	next.Text = strings.Join(lines, "\n")
	s.crontabs[j.UID] = &next
	s.endCron(c.Job)
	return nil
}

// Crontab returns a user's crontab, or nil.
func (s *State) Crontab(uid uint32) *Crontab { return s.crontabs[uid] }

// CronDone returns the jobs of crontabs whose turn is over, in the order of their
// ids: they are to be put back into the queue for the next one.
func (s *State) CronDone() []*sched.Job {
	var done []*sched.Job
	for _, tab := range s.crontabs {
		for _, id := range tab.Jobs {
			if j := s.jobs[id]; j != nil && j.State.Ended() && !j.State.Has(slurm.JobCompleting) {
				done = append(done, j)
			}
		}
	}
	slices.SortFunc(done, func(a, b *sched.Job) int { return int(int64(a.ID) - int64(b.ID)) })
	return done
}
