package sched

import (
	"math/bits"
	"slices"
	"sort"
	"time"

	"github.com/runink/rink/slurm"
)

// fit finds room for a request now, and nil when there is none. A job that is
// content with less time than its limit gets as much as there is room for; the
// limit is then what it gets, and else 0.
func (c *cycle) fit(a *ask, p *part) ([]NodeAlloc, slurm.Duration) {
	own := limitIn(a.job, p.p, c.v.Config)
	least, most := a.job.TimeMin, own
	if least <= 0 || least >= most {
		return c.fitSpan(a, p), 0
	}
	if p.p.MaxTime > 0 {
		most = min(most, p.p.MaxTime)
	}
	a.span = span(most)
	alloc := c.fitSpan(a, p)
	if alloc == nil {
		a.span = span(least)
		if alloc = c.fitSpan(a, p); alloc == nil {
			return nil, 0
		}
		most = c.longest(a, alloc, least, most)
		a.span = span(most)
	}
	if most == own {
		most = 0
	}
	return alloc, most
}

// longest finds the longest time, in whole minutes, for which an allocation is
// clear of what is promised to others.
func (c *cycle) longest(a *ask, alloc []NodeAlloc, least, most slurm.Duration) slurm.Duration {
	minutes := min(most.Minutes(), int64(unlimitedSpan/time.Minute)) - least.Minutes()
	n := sort.Search(int(max(minutes, 0)), func(i int) bool {
		d := span(least) + time.Duration(i+1)*time.Minute
		for k := range alloc {
			r := &c.rooms[c.byName[alloc[k].Node]]
			s := c.look(r, d)
			if c.resv != nil && c.resv.closed(r.n.Name, a.resv, c.from, c.from.plus(d)) != nil {
				return true
			}
			if s.cpus < alloc[k].CPUs || c.t.memory && s.mem < alloc[k].Mem || a.whole && !s.idle {
				return true
			}
			for g, n := range r.gresCounts(alloc[k].Gres) {
				if s.gres[g] < n {
					return true
				}
			}
		}
		return false
	})
	return min(least+slurm.Duration(n)*60, most)
}

// fitSpan finds room for a request for the time it wants.
func (c *cycle) fitSpan(a *ask, p *part) []NodeAlloc {
	if alloc := c.asMade(a, p, c.now); alloc != nil {
		return alloc // others left it
	}
	sh := a.shape
	if sh != nil && sh.refused == c.pass && a.span >= sh.least {
		return nil
	}
	if c.hopeless(a, a.span, p) {
		return nil
	}
	c.tests++
	chosen := c.find(a, p)
	if chosen == nil {
		if c.trial == nil && sh != nil {
			if sh.refused != c.pass {
				sh.refused, sh.least = c.pass, a.span
			}
			sh.least = min(sh.least, a.span)
			c.refuse(a, p)
		}
		return nil
	}
	return c.allot(a, chosen, true)
}

// find looks for room by the shortest way: the nodes the request names, the
// rungs of the partition when one node will do, and else all its nodes.
func (c *cycle) find(a *ask, p *part) []slot {
	if a.sharing > 1 {
		// CPUs are shared only where none are free.
		own := *a
		own.sharing = 1
		if chosen := c.find(&own, p); chosen != nil {
			return chosen
		}
		a.tooWide = a.tooWide || own.tooWide
	}
	if len(a.required) > 0 && len(a.required) >= a.aim {
		where := make([]int, 0, len(a.required))
		for name := range a.required {
			if pos, ok := c.byName[name]; ok && p.in[pos] {
				where = append(where, pos)
			}
		}
		slices.Sort(where)
		if chosen := c.field.place(a, where); chosen != nil || a.maxNodes <= len(a.required) {
			return chosen
		}
	}
	if a.sharing == 1 && !c.t.leastLoaded && !p.p.LLN {
		least := a.leastCPUs()
		if a.minNodes > 1 && p.having(least, a.minNodes) < a.minNodes {
			return nil
		}
		one := true
		for i := range a.plans {
			one = one && a.fitsOne(&a.plans[i])
		}
		if one && len(a.required) == 0 && !a.wholeBlocks && !a.alikeOnNodes() && !a.bySocket() {
			if o, ok := c.findOne(a, p); ok {
				return []slot{o}
			}
			if a.maxNodes == 1 {
				return nil
			}
			if least := max(a.tasks*a.cpt, 1); !a.overcommit && len(a.perJob) == 0 && !p.freeAtLeast(least) {
				return nil
			}
		}
	}
	if a.sharing > 1 {
		return c.field.place(a, p.where)
	}
	return c.field.place(a, c.worthALook(a, p))
}

// leastCPUs is how many CPUs any node of the request gives at least.
func (a *ask) leastCPUs() int {
	if a.overcommit {
		return max(a.minCPUs, 1)
	}
	return max(a.minCPUs, a.cpt, 1)
}

// freeAtLeast reports whether the free CPUs of the partition come to so many.
func (p *part) freeAtLeast(cpus int) bool { return p.total >= cpus }

// worthALook returns the rooms with enough CPUs free for one node of a request,
// without those that an outlook knows to be promised too soon.
func (c *cycle) worthALook(a *ask, p *part) []int {
	where := c.roomsWith(p, a.leastCPUs())
	if p.views == nil {
		return where
	}
	return slices.DeleteFunc(where, func(pos int) bool { return !c.lasts(a, &c.rooms[pos], a.leastCPUs()) })
}

// lasts reports whether the free CPUs of a room may be free for as long as a
// request takes, as far as its outlook tells.
func (c *cycle) lasts(a *ask, r *room, cpus int) bool {
	if len(r.holds) == 0 || len(r.seats) == 0 {
		return true
	}
	at := r.seats[0]
	if at.o.stale[at.leaf] {
		return true
	}
	return at.o.earliest(at.o.size+at.leaf, at.o.ask(cpus, a.span), c.from) == c.from
}

// vain reports whether a quick plan may leave a job as it is, since there is
// surely no room for it and it has been told why it waits.
func (c *cycle) vain(e entry) bool {
	it := e.item
	if c.full && !(it.want.calm && c.calmly()) || !e.part.failed || it.fresh || it.promise != nil || c.t.policy.everyPromise || len(it.shapes) > 1 || it.joint {
		return false
	}
	if c.mayPromise(e.job, e.part.p.Name) || it.told.reason != slurm.ReasonPriority && it.told.reason != slurm.ReasonResources {
		return false
	}
	if len(c.again) > 0 && c.again[it.id] != 0 {
		return false
	}
	sh := it.shapes[e.at]
	least := it.want.span
	if sh.refused == c.pass && least >= sh.least {
		return true
	}
	for i := range e.part.refused {
		if e.part.refused[i].covers(&it.want) {
			return true
		}
	}
	return c.hopeless(&sh.ask, least, e.part)
}

// hopelessLane reports whether there is surely no room now for any job of a lane.
func (c *cycle) hopelessLane(l *lane, p *part) bool {
	d := &l.key.size
	if d.node == 0 || p.views == nil {
		return false
	}
	if l.checked == c.pass && l.checkedAt == c.booked && len(l.parts) == 1 {
		return l.noRoom
	}
	l.checked, l.checkedAt, l.noRoom = c.pass, c.booked, true
	nodes, cpus := 0, int64(0)
	for _, o := range p.views {
		o.fresh(c.rooms, c.now)
		least := int(d.node)
		if d.idle > 0 {
			least = int(o.cpus[len(o.cpus)-1])
		}
		n, free := o.room(o.ask(least, d.span))
		nodes, cpus = nodes+n, cpus+free
	}
	l.noRoom = nodes < int(d.nodes) || cpus < int64(d.node)*int64(d.nodes)
	return l.noRoom
}

// hopeless reports whether there is surely no room now for a request: too few
// nodes of a partition have what each must give for as long as it wants, or they
// have too little together.
func (c *cycle) hopeless(a *ask, span time.Duration, p *part) bool {
	if a.sharing > 1 {
		return false
	}
	least := a.leastCPUs()
	need := int64(a.tasks) * int64(a.cpt)
	if a.maxNodes == 1 && !a.overcommit {
		least = max(least, int(min(need, 1<<30)))
	}
	if p.supplyMost() < least || p.some < a.minNodes || a.whole && p.idle < a.minNodes {
		return true
	}
	if p.views == nil {
		return false
	}
	if a.whole || a.overcommit {
		need = 0
	}
	nodes, cpus := 0, int64(0)
	for _, o := range p.views {
		o.fresh(c.rooms, c.now)
		k := least
		if a.whole {
			k = int(o.cpus[len(o.cpus)-1])
		}
		n, free := o.room(o.ask(k, span))
		if t, k := a.scarce(o, k); t != o {
			t.fresh(c.rooms, c.now)
			has, _ := t.room(t.ask(k, span))
			n = min(n, has)
		} else if len(a.perNode)+len(a.perTask)+len(a.perJob) > 0 {
			continue // there is none of it here
		}
		nodes, cpus = nodes+n, cpus+free
		if nodes >= a.minNodes && cpus >= need && nodes > 0 {
			return false
		}
	}
	return true
}

// lastsOnOne reports whether some node may have so many CPUs free for as long as
// a request takes.
func (c *cycle) lastsOnOne(a *ask, p *part, cpus int) bool {
	if p.views == nil {
		return true
	}
	for _, o := range p.views {
		o.fresh(c.rooms, c.now)
		if n, _ := o.room(o.ask(cpus, a.span)); n > 0 {
			return true
		}
	}
	return false
}

// findOne finds the node of least weight with the fewest free CPUs that holds
// the request alone.
func (c *cycle) findOne(a *ask, p *part) (slot, bool) {
	least := max(a.tasks*a.cpt, a.minCPUs)
	if a.overcommit {
		least = max(1, a.minCPUs)
	}
	if p.supplyMost() < least || !c.lastsOnOne(a, p, least) {
		return slot{}, false
	}
	dead, mine := c.deadFor(a), false // mine: it is noted for this very time
	try := func(i, pos int) (slot, bool) {
		if dead != nil && dead[pos/64]&(1<<(pos%64)) != 0 {
			return slot{}, false
		}
		r := &c.rooms[pos]
		if a.suits(r.n) && a.plans[i].allows(r.n) && c.lasts(a, r, least) {
			var sum tally
			if o, ok := c.offer(a, r, c.look(r, a.span)); ok {
				if sum.add(o); a.met(&sum, 1) {
					return o, true
				}
			}
		}
		if len(a.plans) == 1 && c.trial == nil && a.shape != nil && a.shape.refs > 1 {
			if !mine {
				dead, mine = c.killFor(a), true
			}
			dead[pos/64] |= 1 << (pos % 64)
		}
		return slot{}, false
	}
	if c.gainsOnly {
		// The other rooms turned it down before and have no more to give now.
		var found slot
		best := -1
		for i := range a.plans {
			for _, pos := range c.gained {
				r := &c.rooms[pos]
				if !r.open || !p.in[pos] || r.cpus < least {
					continue
				}
				if best >= 0 && (r.n.Weight > found.r.n.Weight || r.n.Weight == found.r.n.Weight && (r.cpus > best || r.cpus == best && pos > found.r.pos)) {
					continue
				}
				if o, ok := try(i, pos); ok {
					found, best = o, r.cpus
				}
			}
			if best >= 0 {
				return found, true
			}
		}
		return slot{}, false
	}
	for i := range a.plans {
		for _, g := range p.rungs {
			if g.few() {
				best := -1
				var found slot
				for _, pos := range g.pos {
					if r := &c.rooms[pos]; r.open && r.cpus >= least && (best < 0 || r.cpus < best) {
						if o, ok := try(i, pos); ok {
							found, best = o, r.cpus
						}
					}
				}
				if best >= 0 {
					return found, true
				}
				continue
			}
			for free := least; free < len(g.byFree); free++ {
				if g.count[free] == 0 {
					continue
				}
				for w, word := range g.byFree[free] {
					for ; word != 0; word &= word - 1 {
						if o, ok := try(i, g.pos[w*64+bits.TrailingZeros64(word)]); ok {
							return o, true
						}
					}
				}
			}
		}
	}
	return slot{}, false
}

// deadFor returns the rooms that turned the request's equals down in this pass
// for no longer a time; nil when there are none.
func (c *cycle) deadFor(a *ask) []uint64 {
	if sh := a.shape; sh != nil && sh.deadAt == c.pass && a.span >= sh.deadSpan {
		return sh.dead
	}
	return nil
}

// killFor returns the set to note the rooms in that turn a request down.
func (c *cycle) killFor(a *ask) []uint64 {
	sh := a.shape
	if sh.deadAt == c.pass && sh.deadSpan <= a.span {
		// What turned down a shorter time turns this one down too.
		if sh.deadSpan == a.span {
			return sh.dead
		}
		sh.deadSpan = a.span
		return sh.dead
	}
	if len(sh.dead) != (len(c.rooms)+63)/64 {
		sh.dead = make([]uint64, (len(c.rooms)+63)/64)
	}
	clear(sh.dead)
	sh.deadAt, sh.deadSpan = c.pass, a.span
	return sh.dead
}
