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
	defer func() { c.scratch.job = nil }() // what it excluded is of this job alone
	placed := make(map[*Job][]NodeName, len(list))
	for _, j := range componentOrder(list) {
		if !c.placeComponent(j, apart(j, list, placed)) {
			c.takeBack()
			for i, j := range list {
				c.lower(c.items[j.ID], raised[i])
			}
			return false
		}
		for _, n := range c.plan.Starts[len(c.plan.Starts)-1].Alloc {
			placed[j] = append(placed[j], n.Node)
		}
	}
	c.keep()
	for _, j := range list {
		c.finish(j)
	}
	return true
}

// ComponentsApart refuses a heterogeneous job of which two components name the same
// node: none is part of two of them.
func ComponentsApart(list []*Job) error {
	named := make(map[NodeName]bool)
	for _, j := range list {
		for _, n := range j.Need.NodeList {
			if named[n] {
				return refuse(slurm.ErrnoInvalidNodeName, "node %s is named by two components", n)
			}
			named[n] = true
		}
	}
	return nil
}

// componentOrder is the order in which components look for nodes.
func componentOrder(list []*Job) []*Job {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b *Job) int { return cmp.Compare(b.Priority, a.Priority) })
	return list
}

// apart names the nodes that a component leaves to the others: no node is part of two
// of them. These are the nodes that others have been placed on and those they ask for
// by name.
func apart(j *Job, list []*Job, placed map[*Job][]NodeName) map[NodeName]bool {
	out := make(map[NodeName]bool)
	for _, other := range list {
		if other == j {
			continue
		}
		nodes, ok := placed[other]
		if !ok {
			nodes = other.Need.NodeList
		}
		for _, n := range nodes {
			out[n] = true
		}
	}
	for _, n := range j.Need.Exclude {
		out[n] = true
	}
	return out
}

// placeComponent starts one component in the first of its partitions with room, clear of
// the nodes that are for the others.
func (c *cycle) placeComponent(j *Job, others map[NodeName]bool) bool {
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
		a.excluded = others
		alloc, limit := c.fit(a, e.part)
		if slices.ContainsFunc(alloc, func(n NodeAlloc) bool { return others[n.Node] }) {
			return false // what others left it is not for it alone
		}
		if alloc != nil {
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
	all := componentOrder(c.components(id))
	placed := make(map[*Job][]NodeName, len(all))
	for _, j := range all {
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
			if w = c.lacks(a, e.part); w.IsZero() || w.Reason == slurm.ReasonPriority {
				w.Reason = slurm.ReasonResources // what they lack is nodes for all of them, whoever is ahead
			}
		}
		if known {
			a.excluded = apart(j, all, placed)
			at, chosen := c.earliest(a, e.part, c.now)
			known = chosen != nil
			latest = max(latest, at)
			placed[j] = nodesOf(chosen)
		}
		parts = append(parts, part{entry: e, ask: a, why: w})
	}
	clear(placed)
	for i := range parts {
		p := &parts[i]
		var start time.Time
		var nodes []NodeName
		if known {
			// Not before all of them may start; what is promised to the others by
			// then counts.
			p.ask.excluded = apart(p.job, all, placed)
			if at, chosen := c.earliest(p.ask, p.part, latest); chosen != nil && at == latest {
				placed[p.job] = nodesOf(chosen)
				c.promise(p.item, p.ask, latest, c.allot(p.ask, chosen, false))
				if time.Duration(latest-c.now) <= unlimitedSpan/2 {
					start, nodes = latest.time(), p.item.promise.nodes
				}
			}
		}
		c.wait(p.job, p.why, start, nodes)
	}
}

// nodesOf names the nodes that were chosen.
func nodesOf(chosen []slot) []NodeName {
	out := make([]NodeName, len(chosen))
	for i := range chosen {
		out[i] = chosen[i].r.n.Name
	}
	return out
}
