package sched

import (
	"cmp"
	"slices"
	"time"

	"github.com/runink/rink/slurm"
)

// trial is what has been booked for something that may yet fail, so that it can
// be taken back.
type trial struct {
	booked   int // of the pass's tentative bookings
	starts   int
	licenses slurm.Licenses
	counted  int // starts tried against the limits
}

// try begins a trial.
func (c *cycle) try() {
	c.trial = &trial{booked: len(c.tentative), starts: len(c.plan.Starts), licenses: c.free, counted: c.v.Ledger.Tried()}
}

// keep ends a trial that went well.
func (c *cycle) keep() { c.trial = nil }

// takeBack undoes what was booked in the trial, the last first.
func (c *cycle) takeBack() {
	for _, t := range slices.Backward(c.tentative[c.trial.booked:]) {
		r := &c.rooms[t.pos]
		c.leave(r, t.job)
		c.booked++
	}
	c.tentative = c.tentative[:c.trial.booked]
	c.free = c.trial.licenses
	c.v.Ledger.Undo(c.trial.counted)
	c.plan.Starts = c.plan.Starts[:c.trial.starts]
	c.trial = nil
}

// components returns the components of a heterogeneous job that wait, the leader
// first.
func (c *cycle) components(id slurm.JobID) []*Job {
	list := c.hets[id]
	slices.SortFunc(list, func(a, b *Job) int { return cmp.Compare(a.HetOffset, b.HetOffset) })
	return list
}

// placeHet starts the components of a heterogeneous job, all of them or none. It
// is tried once a cycle, at the first of its components in line.
func (c *cycle) placeHet(id slurm.JobID) bool {
	list := c.components(id)
	if c.hetFailed[id] {
		return true // the others have been told with the first one
	}
	raised := make([]*promise, len(list))
	for i, j := range list {
		if it := c.items[j.ID]; it == nil {
			return true
		} else {
			raised[i] = c.raise(it)
		}
	}
	c.try()
	for _, j := range list {
		if !c.placeComponent(j) {
			c.takeBack()
			for i, j := range list {
				c.lower(c.items[j.ID], raised[i])
			}
			return false
		}
	}
	c.keep()
	for _, j := range list {
		c.finish(j)
	}
	return true
}

// placeComponent starts one component in the first of its partitions with room.
func (c *cycle) placeComponent(j *Job) bool {
	for _, e := range c.places(j) {
		if !partitionBars(j, c.t.widened(e.part.p, j.QOS), e.part.size).IsZero() || e.part.open == 0 {
			continue
		}
		if w, _ := c.resvBars(j); !w.IsZero() {
			continue
		}
		if _, ok := TakeLicenses(j.Need.Licenses, c.freeFor(j)); !ok {
			return false
		}
		a := c.ask(e)
		if alloc, limit := c.fit(a, e.part); alloc != nil {
			if !c.limits(j, e.part.p.Name, alloc, c.startLimit(e, limit)).IsZero() {
				return false
			}
			c.start(e, a, alloc, limit)
			return true
		}
		c.waitWide(e.item, a)
	}
	return false
}

// places returns a job's places in the lines of its partitions.
func (c *cycle) places(j *Job) []entry {
	it := c.items[j.ID]
	var list []entry
	if it != nil {
		for i, p := range it.lane.parts {
			list = append(list, entry{item: it, job: j, part: p, at: i})
		}
	}
	return list
}

// reserveHet tells the components of a heterogeneous job what they wait for, and
// promises them room from the moment on at which there is room for each.
func (c *cycle) reserveHet(id slurm.JobID) {
	if c.hetFailed == nil {
		c.hetFailed = make(map[slurm.JobID]bool)
	}
	c.hetFailed[id] = true
	type part struct {
		entry
		ask *ask
		why Why
	}
	var parts []part
	latest := c.now
	known := c.looks <= promiseLooks
	for _, j := range c.components(id) {
		list := c.places(j)
		e := list[0]
		c.lift(e.item)
		w := partitionBars(j, c.t.widened(e.part.p, j.QOS), e.part.size)
		for _, other := range list[1:] {
			if w.IsZero() {
				break
			}
			if w2 := partitionBars(j, c.t.widened(other.part.p, j.QOS), other.part.size); w2.IsZero() {
				e, w = other, w2
			}
		}
		if w.IsZero() {
			w, _ = c.resvBars(j)
		}
		a := newAsk(j, e.part.p, c.t)
		a.waits(e.item, c.t)
		c.inReservation(a)
		if w.IsZero() && (len(a.required) > 0 || e.part.open < len(e.part.where)) {
			w = c.unavailable(a, e.part)
		}
		if w.IsZero() {
			w = c.limits(j, e.part.p.Name, nil, c.shortest(j))
		}
		if !w.IsZero() {
			known = false
		} else {
			w = c.lacks(a, e.part)
		}
		if known {
			at, chosen := c.earliest(a, e.part, c.now)
			known = chosen != nil
			latest = max(latest, at)
		}
		parts = append(parts, part{entry: e, ask: a, why: w})
	}
	for i := range parts {
		p := &parts[i]
		var start time.Time
		var nodes []NodeName
		if known {
			// Not before all of them may start; what is promised to the others by
			// then counts.
			if at, chosen := c.earliest(p.ask, p.part, latest); chosen != nil && at == latest {
				c.promise(p.item, p.ask, latest, c.allot(p.ask, chosen, false))
				if time.Duration(latest-c.now) <= unlimitedSpan/2 {
					start, nodes = latest.time(), p.item.promise.nodes
				}
			}
		}
		c.wait(p.job, p.why, start, nodes)
	}
}
