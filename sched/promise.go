package sched

import "slices"

// promise is room kept for a job that waits, from its expected start on.
type promise struct {
	item       *item
	part       PartitionName
	at         int // among those there are
	start, end instant
	where      []int // rooms
	loads      []load
	nodes      []NodeName
}

// newPromise returns a promise on so many nodes, most often one, in one piece.
func newPromise(nodes int) *promise {
	if nodes != 1 {
		return &promise{where: make([]int, nodes), loads: make([]load, nodes), nodes: make([]NodeName, nodes)}
	}
	p := &struct {
		promise
		where [1]int
		load  [1]load
		node  [1]NodeName
	}{}
	p.promise.where, p.loads, p.nodes = p.where[:], p.load[:], p.node[:]
	return &p.promise
}

// promise holds what a job will need from its expected start on.
func (c *cycle) promise(it *item, a *ask, at instant, alloc []NodeAlloc) {
	p := newPromise(len(alloc))
	p.item, p.part, p.start, p.end = it, a.part.Name, at, at.plus(a.span)
	for i, n := range alloc {
		pos := c.byName[n.Node]
		r := &c.rooms[pos]
		p.where[i], p.nodes[i] = pos, n.Node
		p.loads[i] = load{cpus: n.CPUs, mem: n.Mem, gres: r.promisedGres(a, n.Gres, at, p.end), block: a.whole || a.ownUser, strict: a.sharing <= 1}
		if a.sharing > 1 {
			p.loads[i].shared = n.CPUs
		}
	}
	for _, pos := range c.blockMates(a.wholeBlocks, alloc) {
		p.where, p.loads = append(p.where, pos), append(p.loads, load{block: true})
	}
	c.promiseWide(it, a, at, alloc)
	c.stir(it)
	c.lower(it, p)
}

// same reports whether two promises keep the same of the same nodes at the same time.
func (p *promise) same(o *promise) bool {
	return p != nil && o != nil && p.start == o.start && p.end == o.end && slices.Equal(p.where, o.where) && slices.EqualFunc(p.loads, o.loads, load.same)
}

// hold books what is promised.
func (s *Scheduler) hold(p *promise) {
	for i, pos := range p.where {
		r := &s.rooms[pos]
		r.promised(hold{to: p, start: p.start, end: p.end, load: p.loads[i]})
		s.touch(r)
	}
}

// unhold frees what is promised.
func (s *Scheduler) unhold(p *promise) {
	for _, pos := range p.where {
		r := &s.rooms[pos]
		s.loosened++
		r.unpromised(p)
		s.touch(r)
	}
}

// release notes that what was promised is not any more.
func (s *Scheduler) release(p *promise) {
	if p != nil {
		for _, pos := range p.where {
			s.gain(&s.rooms[pos])
		}
	}
}

// raise sets a job's promise aside while it is tried to start it at once.
func (s *Scheduler) raise(it *item) *promise {
	p := it.promise
	if p != nil {
		s.unhold(p)
		it.promise = nil
		s.counts.add(it.job, p.part, -1)
		last := len(s.promised) - 1
		if moved := s.promised[last]; moved != it {
			s.promised[p.at], moved.promise.at = moved, p.at
		}
		s.promised[last] = nil
		s.promised = s.promised[:last]
	}
	return p
}

// lower puts a promise back in force.
func (s *Scheduler) lower(it *item, p *promise) {
	if p != nil {
		it.promise = p
		s.counts.add(it.job, p.part, 1)
		p.at = len(s.promised)
		s.promised = append(s.promised, it)
		s.hold(p)
	}
}

// lift takes back what is promised to a job.
func (s *Scheduler) lift(it *item) { s.release(s.raise(it)) }

// liftAll takes back all promises.
func (s *Scheduler) liftAll() {
	for len(s.promised) > 0 {
		s.lift(s.promised[len(s.promised)-1])
	}
}

// former is a promise of the pass before.
type former struct {
	it *item
	p  *promise
}

// recall takes back the promises of the last pass, where only the first in line
// of each partition holds one: who is first may have changed.
func (c *cycle) recall() {
	for len(c.promised) > 0 {
		it := c.promised[len(c.promised)-1]
		c.former = append(c.former, former{it, c.raise(it)})
	}
}

// replace notes what room is no longer promised, now that the first job of a
// partition holds its promise.
func (c *cycle) replace(it *item, part PartitionName) {
	for _, f := range c.former {
		if f.p.part != part {
			continue
		}
		if f.it == it && it.promise.same(f.p) {
			continue
		}
		c.release(f.p)
	}
}
