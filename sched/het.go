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
	rooms    []savedRoom
	starts   int
	licenses slurm.Licenses
}

type savedRoom struct {
	pos  int
	room room
}

// saved is a copy of the room that booking does not reach.
func (r *room) saved() room {
	c := *r
	c.gres = slices.Clone(r.gres)
	for i := range c.gres {
		c.gres[i].used = slices.Clone(c.gres[i].used)
	}
	c.backs = slices.Clone(r.backs)
	if r.byPart != nil {
		c.byPart = make(map[PartitionName]int, len(r.byPart))
		for name, n := range r.byPart {
			c.byPart[name] = n
		}
	}
	return c
}

// try begins a trial.
func (c *cycle) try() { c.trial = &trial{starts: len(c.plan.Starts), licenses: c.free} }

// keep ends a trial that went well.
func (c *cycle) keep() { c.trial = nil }

// takeBack undoes what was booked in the trial, the last first.
func (c *cycle) takeBack() {
	for _, s := range slices.Backward(c.trial.rooms) {
		r := &c.rooms[s.pos]
		for _, at := range r.spots {
			at.rung.drop(at.at, r.cpus)
			at.rung.put(at.at, s.room.cpus)
		}
		*r = s.room
		c.booked++
	}
	c.free = c.trial.licenses
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
	c.try()
	for _, j := range list {
		if !c.placeComponent(j) {
			c.takeBack()
			return false
		}
	}
	c.keep()
	for _, j := range list {
		c.done[j] = true
	}
	return true
}

// placeComponent starts one component in the first of its partitions with room.
func (c *cycle) placeComponent(j *Job) bool {
	for _, e := range c.enter(nil, j) {
		if !partitionBars(j, e.part.p, e.part.size).IsZero() || e.part.open == 0 {
			continue
		}
		if _, ok := TakeLicenses(j.Need.Licenses, c.free); !ok {
			return false
		}
		a := newAsk(j, e.part.p, c.t)
		if alloc, limit := c.fit(a, e.part); alloc != nil {
			c.start(e, a, alloc, limit)
			return true
		}
	}
	return false
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
		ask   *ask
		why   Why
		alloc []NodeAlloc
	}
	var parts []part
	latest := c.now
	known := c.promised < maxPromises && c.looks <= promiseLooks
	for _, j := range c.components(id) {
		list := c.enter(nil, j)
		e := list[0]
		w := partitionBars(j, e.part.p, e.part.size)
		for _, other := range list[1:] {
			if w.IsZero() {
				break
			}
			if w2 := partitionBars(j, other.part.p, other.part.size); w2.IsZero() {
				e, w = other, w2
			}
		}
		a := newAsk(j, e.part.p, c.t)
		if w.IsZero() && (len(a.required) > 0 || e.part.open < len(e.part.where)) {
			w = c.unavailable(a, e.part)
		}
		if !w.IsZero() {
			known = false
		} else {
			w = c.crowded(a, e.part)
		}
		if known {
			at, chosen := c.earliest(a, e.part)
			known = chosen != nil
			if at.After(latest) {
				latest = at
			}
		}
		parts = append(parts, part{entry: e, ask: a, why: w})
	}
	for i := range parts {
		p := &parts[i]
		var start time.Time
		var nodes []NodeName
		if known {
			later := c.field
			later.left, later.from, later.plain = spare{}, latest, false
			if chosen := later.place(p.ask, p.part.where); chosen != nil {
				p.alloc = c.allot(p.ask, chosen, false)
				c.promise(p.ask, latest, p.alloc)
				if latest.Sub(c.now) <= unlimitedSpan/2 {
					start = latest
					for k := range p.alloc {
						nodes = append(nodes, p.alloc[k].Node)
					}
				}
			}
		}
		c.wait(p.job, p.why, start, nodes)
	}
}
