package sched

import (
	"maps"
	"slices"
	"time"

	"github.com/runink/rink/slurm"
)

// defaultSwitchWait is how long at most a job waits for fewer switches where
// max_switch_wait does not say.
const defaultSwitchWait = 300 * time.Second

// switchWait is how long a request waits for nodes behind as few switches as it
// asks for, from the moment it could start elsewhere.
func (a *ask) switchWait(t *tuning) time.Duration {
	most := t.switchWait
	if w := specOf(a.job).SwitchesWait; w > 0 && w != slurm.Unlimited {
		most = min(most, time.Duration(w)*time.Second)
	}
	return most
}

// wideWait is how far a job's wait for few switches is.
type wideWait struct {
	wide    instant // since when it could start behind more switches than it asks for; 0: not yet
	anyFrom instant // from when on a promise counted on more; 0: none did
}

// keepWait remembers the wait of a job that is taken out of line: a change of its
// record, such as a new priority, puts it back, and its wait goes on.
func (s *Scheduler) keepWait(it *item) {
	if it.wideWait == (wideWait{}) {
		delete(s.waits, it.job.ID) // a promise that counted on more may have been taken back
		return
	}
	if s.waits == nil {
		s.waits = make(map[slurm.JobID]wideWait)
	}
	s.waits[it.job.ID] = it.wideWait
}

// forgetWait forgets the wait of a job that waits no more.
func (s *Scheduler) forgetWait(old, now *Job) {
	if now == nil || !now.IsPending() {
		delete(s.waits, old.ID)
	}
}

// waitsOf returns what is remembered of jobs.
func (s *Scheduler) waitsOf(list []*Job) map[slurm.JobID]wideWait {
	for _, it := range s.items {
		s.keepWait(it)
	}
	if len(s.waits) == 0 {
		return nil
	}
	kept := make(map[slurm.JobID]wideWait, len(s.waits))
	for _, j := range list {
		if w, ok := s.waits[j.ID]; ok {
			kept[j.ID] = w
		}
	}
	return kept
}

// earliestNear is earliest for a request that waits for nodes behind few switches:
// the first moment at which there are such, or from the end of its wait on any.
// Where the wait has not begun, it is taken to begin when there will first be any. That
// moment is not kept free for it, and others may take what made it so early: then what
// it was promised by that holds all the same, as long as it is there to be had.
func (c *cycle) earliestNear(a *ask, p *part, from instant) (instant, []slot) {
	few, many := *a, *a
	few.wideFrom, few.decided = never, true
	many.wideFrom, many.decided = always, true
	by := func(until instant) (instant, []slot) {
		if at, chosen := c.earliest(&few, p, from); chosen != nil && at <= until {
			return at, chosen
		}
		return c.earliest(&many, p, max(from, until))
	}
	if a.wideFrom != never && !a.foretold {
		return by(a.wideFrom)
	}
	first, chosen := c.earliest(&many, p, from)
	if chosen == nil {
		return never, nil
	}
	wait := a.switchWait(c.t)
	at, chosen := by(first.plus(wait))
	if a.foretold && (chosen == nil || at > a.wideFrom) {
		if kept, there := by(a.wideFrom); there != nil && kept <= max(a.wideFrom, c.now).plus(wait) {
			return kept, there
		}
	}
	return at, chosen
}

// waitWide notes when a job could first have started behind too many switches, and
// sees to it that there is a pass when its wait is over.
func (c *cycle) waitWide(it *item, a *ask) {
	if a.switches == 0 || it == nil {
		return
	}
	if a.tooWide && it.wide == 0 {
		it.wide = c.now
		a.waits(it, c.t)
	}
	if a.wideFrom != never {
		c.waitsUntil(it, a.wideFrom)
	}
}

// waitsUntil sees to it that there is a pass when a job's wait for few switches is over,
// and that this looks at the job, though there may be no more room than before.
func (c *cycle) waitsUntil(it *item, at instant) {
	if at <= c.now {
		return
	}
	c.againBy(at.time())
	if c.waitEnds == nil {
		c.waitEnds = make(map[slurm.JobID]instant)
	}
	c.waitEnds[it.id] = at
}

// waitsOver has the jobs looked at whose wait for few switches is over.
func (c *cycle) waitsOver() {
	if len(c.waitEnds) == 0 {
		return // most passes
	}
	for _, id := range slices.Sorted(maps.Keys(c.waitEnds)) {
		if at := c.waitEnds[id]; at > c.now {
			c.againBy(at.time())
			continue
		}
		delete(c.waitEnds, id)
		if it := c.items[id]; it != nil {
			c.inherits(it)
		}
	}
}

// promiseWide notes from when on a job may have nodes behind more switches than it
// asked for, where it is promised such before its wait has begun.
func (c *cycle) promiseWide(it *item, a *ask, at instant, alloc []NodeAlloc) {
	if a.switches == 0 {
		return
	}
	leaves := make(map[int]bool, 4)
	for i := range alloc {
		leaves[c.t.cfg.Topology.leafOf(c.rooms[c.byName[alloc[i].Node]].n)] = true
	}
	switch {
	case len(leaves) <= a.switches:
		it.anyFrom = 0
	case it.anyFrom == 0 || at < it.anyFrom || at > max(it.anyFrom, c.now).plus(a.switchWait(c.t)):
		it.anyFrom = at
	}
	if it.anyFrom != 0 {
		c.waitsUntil(it, it.anyFrom)
	}
}

// waits sets from when on a request takes nodes behind more switches than it asks
// for: when its wait is over, or at what was promised to it earlier than that.
func (a *ask) waits(it *item, t *tuning) {
	if a.switches == 0 || it == nil {
		return
	}
	a.wideFrom, a.foretold = never, false
	if it.wide != 0 {
		a.wideFrom = it.wide.plus(a.switchWait(t))
	}
	if it.anyFrom != 0 && it.anyFrom < a.wideFrom {
		a.foretold = it.wide == 0
		a.wideFrom = it.anyFrom
	}
}
