package sched

import "time"

// shortQueue is up to how many waiting records every plan is a full one.
const shortQueue = 500

// pacing is when the last full plan was made.
type pacing struct {
	whole time.Time // zero: the next plan is a full one
	moved bool      // something changed since
}

// Paced plans at the pace of a controller: in full while the queue is short, when
// the last full plan is bf_interval ago, and after what makes all promises
// doubtful; else quickly. Plan.Next is then no later than the next full plan is
// due, if anything changed since the last. It reports whether the plan is a full
// one.
func (s *Scheduler) Paced(now time.Time) (Plan, bool) {
	by := s.pace.whole.Add(s.t.interval)
	full := s.pace.whole.IsZero() || s.Waiting() <= shortQueue || !by.After(now)
	if full {
		s.pace = pacing{whole: now}
	}
	p := s.Plan(now, full)
	if !full && s.pace.moved && (p.Next.IsZero() || p.Next.After(by)) {
		p.Next = by
	}
	return p, full
}

// LookAgain makes the next paced plan a full one: what the last one decided did
// not come true, or all that was promised is in doubt.
func (s *Scheduler) LookAgain() { s.pace.whole = time.Time{} }
