package sched

import (
	"cmp"
	"maps"
	"time"

	"github.com/runink/rink/slurm"
)

// shortest is the least time a job that waits will do with.
func (c *cycle) shortest(j *Job) slurm.Duration {
	if j.TimeMin > 0 && j.TimeMin < j.TimeLimit {
		return j.TimeMin
	}
	return cmp.Or(c.untilDeadline(j), j.TimeLimit)
}

// startLimit is the limit a job starts under: the one there was room for, or, with
// limit 0, what is left until its deadline, or else its own in this partition.
func (c *cycle) startLimit(e entry, limit slurm.Duration) slurm.Duration {
	if limit == 0 {
		limit = c.untilDeadline(e.job)
	}
	if limit == 0 {
		limit = limitIn(e.job, e.part.p, c.v.Config)
	}
	return limit
}

// limits says which limit of a QOS or an association keeps a job out just now.
func (c *cycle) limits(j *Job, p PartitionName, alloc []NodeAlloc, limit slurm.Duration) Why {
	w := c.v.Ledger.Bars(j, p, alloc, limit, c.at)
	if !w.IsZero() {
		c.limited = true
	}
	return w
}

// overLimits tells a job that there would be room for which limit it may not have
// it. Without an allocation what it asks for is held against the limits.
func (c *cycle) overLimits(e entry, alloc []NodeAlloc, limit slurm.Duration) bool {
	if alloc == nil && limit == 0 {
		limit = c.shortest(e.job)
	}
	w := c.limits(e.job, e.part.p.Name, alloc, c.startLimit(e, limit))
	if w.IsZero() {
		return false
	}
	c.note(e, w, time.Time{}, nil)
	return true
}

// countLimits keeps the book of limits in step with a change of a job.
func (s *Scheduler) countLimits(old, now *Job) {
	if s.v.Ledger == nil {
		return
	}
	if now == nil {
		s.v.Ledger.Forget(old.ID, old.End)
		return
	}
	s.v.Ledger.Set(now, changedAt(old, now))
}

// changedAt is when a job became what it is, as far as its times say.
func changedAt(old, now *Job) time.Time {
	switch {
	case now.HasEnded():
		return now.End
	case now.IsSuspended():
		return now.Suspended
	case now.IsRunning() && old != nil && old.IsSuspended():
		return now.Suspended.Add(now.SuspendedFor - old.SuspendedFor)
	case now.IsRunning():
		return now.Start
	}
	return now.Submit
}

// SetAccounts tells of a change of the accounts: a limit that changed counts from
// the next pass on.
func (s *Scheduler) SetAccounts(acc *Accounts, at time.Time) {
	s.v.Accounts, s.unbarred, s.pace.moved, s.calmAt = acc, true, true, 0
	if of := traitsOf(acc); !maps.Equal(of, s.t.qos) {
		s.t.qos, s.stale = of, true // what was worked out for waiting jobs no longer holds
	}
	if s.v.Ledger == nil {
		return
	}
	s.v.Ledger.Rebuild(s.v.Config, acc, at, func(yield func(*Job) bool) {
		for _, j := range s.holding {
			if !yield(j) {
				return
			}
		}
		for _, j := range s.aside {
			if !yield(j) {
				return
			}
		}
		for _, it := range s.items {
			if !yield(it.job) {
				return
			}
		}
	})
}

// ResetUsage tells that usage was forgotten, as by Ledger.Reset.
func (s *Scheduler) ResetUsage(all bool, assocs []AssocID, qos []uint32, at time.Time) {
	s.unbarred, s.pace.moved = true, true
	if s.v.Ledger != nil {
		s.v.Ledger.Reset(all, assocs, qos, at)
	}
}

// SetMonth tells which month it is, as by Ledger.SetMonth.
func (s *Scheduler) SetMonth(began, next, at time.Time) {
	s.unbarred, s.pace.moved = true, true
	if s.v.Ledger != nil {
		s.v.Ledger.SetMonth(began, next, at)
	}
}

// AddPast tells that what jobs used that ran elsewhere counts, as by Ledger.AddPast.
func (s *Scheduler) AddPast(used []PastUse, at time.Time) {
	s.unbarred, s.pace.moved = true, true
	s.v.Ledger.AddPast(used, at)
}
