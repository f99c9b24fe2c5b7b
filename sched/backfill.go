package sched

import (
	"math"
	"slices"
	"time"

	"github.com/runink/rink/slurm"
)

// reserve tells a job that finds no room now what it waits for, and promises it
// the earliest room there will be: jobs looked at later get only what does not
// delay that.
func (c *cycle) reserve(e entry) {
	if e.job.HetID != 0 {
		c.reserveHet(e.job.HetID)
		return
	}
	if c.passed {
		c.note(e, because(slurm.ReasonPriority), time.Time{}, nil)
		return
	}
	a, p, it := c.ask(e), e.part, e.item
	c.waitWide(it, a)
	if len(a.required) > 0 || p.open < len(p.where) {
		if w := c.unavailable(a, p); !w.IsZero() {
			c.lift(it)
			c.note(e, w, time.Time{}, nil)
			return
		}
	}
	first := !p.failed
	if !first && !c.full && it.promise == nil && !c.t.policy.everyPromise && !it.fresh && !c.mayPromise(a.job, p.p.Name) &&
		len(it.shapes) == 1 && (it.told.reason == slurm.ReasonPriority || it.told.reason == slurm.ReasonResources && c.again[a.job.ID] == 0) {
		return // it goes on waiting
	}
	if first && p.open == len(p.where) && !c.couldRun(a, p) {
		c.note(e, because(slurm.ReasonBadConstraints), time.Time{}, nil)
		return
	}
	w := c.lacks(a, p)
	if c.t.qos[e.job.QOS].noRoom {
		c.lift(it)
		c.note(e, w, time.Time{}, nil)
		return
	}
	if it.promise != nil && it.promise.part != a.part.Name {
		c.note(e, w, time.Time{}, nil) // it stands in line for another partition with more hope
		return
	}
	switch {
	case first, c.t.policy.everyPromise:
	case it.promise != nil && !c.full:
		c.note(e, w, it.promise.start.time(), it.promise.nodes)
		return
	case !c.mayPromise(a.job, p.p.Name):
		c.note(e, w, time.Time{}, nil)
		return
	}
	old := c.raise(it)
	if !first && old == nil {
		c.promises++
	}
	defer func() {
		if first && len(c.former) > 0 {
			c.replace(it, p.p.Name)
		}
		if old != nil && !it.promise.same(old) {
			c.release(old)
		}
	}()
	at, chosen := c.soonest(a, p, first, c.now)
	if w := c.t.bounds.window; !first && w > 0 && at > c.now.plus(w) {
		chosen = nil
	}
	for later := c.rounded(at); chosen != nil && !first && later > at; later = c.rounded(at) {
		at, chosen = c.soonest(a, p, first, later)
	}
	if chosen == nil {
		c.note(e, w, time.Time{}, nil)
		return
	}
	c.promise(it, a, at, c.allot(a, chosen, false))
	if c.t.policy.keepsPromises {
		c.nextStart(at)
	}
	start, nodes := at.time(), it.promise.nodes
	// A start that hangs on a job without a limit is not worth telling.
	if time.Duration(at-c.now) > unlimitedSpan/2 {
		start, nodes = time.Time{}, nil
	}
	c.note(e, w, start, nodes)
}

// promisedLater reports whether a job keeps what it was promised although there
// may be room now: where every job holds a promise, they move forward only when a
// job has ended before it had to.
func (c *cycle) promisedLater(e entry) bool {
	p := e.item.promise
	if c.roomMade(e.job) || c.giving.rules.on() && c.goesFirst(e) {
		return false // others give way to it, or may
	}
	if !c.t.policy.keepsPromises || p == nil || p.start <= c.now || e.job.HetID != 0 {
		if p != nil && c.t.policy.keepsPromises {
			c.nextStart(p.start)
		}
		return false
	}
	if c.early && p.part == e.part.p.Name {
		a := c.ask(e)
		c.lift(e.item)
		if at, chosen := c.soonest(a, e.part, false, c.now); chosen != nil {
			c.promise(e.item, a, at, c.allot(a, chosen, false))
			p = e.item.promise
		} else {
			c.lower(e.item, p)
		}
		if p.start <= c.now {
			return false
		}
	}
	c.nextStart(p.start)
	e.part.failed = true
	c.note(e, because(slurm.ReasonPriority), p.start.time(), p.nodes)
	return true
}

// nextStart makes sure that there is a pass when a promise falls due.
func (c *cycle) nextStart(at instant) {
	if at > c.now {
		c.againBy(at.time())
	}
}

// promiseLooks bounds how many nodes are looked at in one pass for the sake of
// promises. The first job in line of a partition is promised room in any case.
const promiseLooks = 5_000_000

// least is how much of each kind a node must have left to be of any use to a
// request.
type least struct {
	cpus int32
	mem  slurm.MB
	idle bool
	any  bool // how much is left is not told by the CPUs alone
}

func (f *field) leastOf(a *ask) least {
	n := least{cpus: int32(a.leastCPUs()), mem: math.MinInt64, any: a.sharing > 1}
	switch {
	case a.overcommit:
	case a.maxNodes == 1:
		n.cpus = max(n.cpus, int32(min(a.tasks*a.cpt, 1<<30)))
	case a.tpn > 0:
		n.cpus = max(n.cpus, int32(min(a.tpn*a.cpt, 1<<30)))
	}
	if f.t.memory {
		n.mem = max(a.memNode, 0)
		if a.memCPU > 0 {
			n.mem = max(n.mem, a.memCPU*slurm.MB(n.cpus))
		}
	}
	if a.whole {
		n.cpus, n.idle = 1, true
	}
	return n
}

// holds reports whether a segment has that much.
func (n *least) holds(s *seg) bool {
	if n.any {
		return true
	}
	return s.free() >= n.cpus && s.mem >= n.mem && (!n.idle || s.jobs <= 0)
}

// firstFit returns the first moment, from or later, at which a room can give
// something to a request for the whole of its time, what that is, and the
// last moment at which that still holds; never when there is none.
func (f *field) firstFit(a *ask, r *room, need *least, from instant) (at, until instant, o slot) {
	segs := r.line.segs
	for i := r.line.find(from); i < len(segs); {
		if !need.holds(&segs[i]) {
			i++
			continue
		}
		at = max(from, segs[i].at)
		end := at.plus(a.span)
		j := i + 1
		for j < len(segs) && segs[j].at < end && need.holds(&segs[j]) {
			j++
		}
		if j < len(segs) && segs[j].at < end {
			i = j + 1
			continue
		}
		f.looks++
		r.line.leastFrom(i, end, &f.left)
		f.from = at
		if o, ok := f.offer(a, r, &f.left); ok {
			until = never
			for ; j < len(segs); j++ {
				// Of shared CPUs a segment alone does not tell: each is looked at as it comes.
				if need.any || !need.holds(&segs[j]) {
					until = segs[j].at - instant(a.span)
					break
				}
			}
			return at, min(until, f.clearUntil(a, r, at)), o
		}
		i++
		if t := f.letGo(a, r, at, end); t != never && (i == len(segs) || t < segs[i].at) {
			from, i = t, i-1
		}
	}
	return never, never, slot{}
}

const (
	// maxTies is how many nodes that come free at the same moment are gathered
	// for a request that one of them could take.
	maxTies = 4
	// maxTries is how often a choice is tried of nodes that would do by number
	// before moments are passed over.
	maxTries = 100
)

// scarce returns the outlook that tells most of when nodes of a kind have room for
// a request, with what it is to be asked for: that on generic resources for a
// request for some.
func (a *ask) scarce(o *outlook, cpus int) (*outlook, int) {
	for _, list := range []slurm.Gres{a.perNode, a.perTask, a.perJob} {
		for _, g := range list {
			if t := o.gres[g.Name]; t != nil && g.Count > 0 {
				if len(a.perJob) > 0 {
					return t, 1
				}
				return t, int(g.Count)
			}
		}
	}
	return o, cpus
}

// soonest finds the first moment, from or later, at which there is room for a request. On many
// nodes a request that one of them can take is promised room on one, unless it is
// the first in line, and one that asks for several gets the same on each: what it
// might get a little sooner in pieces of many sizes is not worth the search, and
// when the time comes it takes what there is.
func (c *cycle) soonest(a *ask, p *part, first bool, from instant) (instant, []slot) {
	if !first && p.views != nil && a.tpn == 0 && a.sharing == 1 && len(a.perJob) == 0 && len(a.required) == 0 && a.sizes == nil && !a.overcommit && len(a.plans) == 1 &&
		len(a.plans[0].quotas) == 0 && !a.contiguous {
		plain := *a
		if !a.whole {
			plain.maxNodes = max(a.minNodes, 1)
		}
		if plain.maxNodes > 1 && !a.whole {
			plain.tpn = (a.tasks + a.minNodes - 1) / a.minNodes
		}
		if at, chosen := c.within(&plain, p, from); chosen != nil {
			return at, chosen
		}
	}
	return c.earliest(a, p, from)
}

// earliest finds the first moment, from or later, at which there is room for a
// request, counting on running jobs to end by their limits and keeping clear of
// what was promised to others.
func (c *cycle) earliest(a *ask, p *part, from instant) (instant, []slot) {
	if a.switches > 0 && !a.decided {
		return c.earliestNear(a, p, from)
	}
	f := c.field
	w := &c.sweep
	f.left, f.found, f.where, f.any = spare{}, w.found, nil, nil
	w.found = nil // it is this search's
	defer func() { c.looks, w.found = f.looks, f.found }()
	need := f.leastOf(a)
	w.heap, w.members, w.sum, w.trees = w.heap[:0], w.members[:0], tally{}, w.trees[:0]
	w.begin(len(f.rooms))
	w.suited, w.blocks = false, nil
	if a.wholeBlocks && c.t.cfg.Topology.IsBlocks() {
		w.blocks = f.blockRooms()
	}
	cpus := int(need.cpus)
	seed := func(where []int) {
		for _, pos := range where {
			w.push(sweepItem{from, -1, int32(pos)})
		}
	}
	switch {
	case len(a.required) > 0 && len(a.required) >= a.aim:
		for _, pos := range p.where {
			if a.required[c.rooms[pos].n.Name] {
				w.push(sweepItem{from, -1, int32(pos)})
			}
		}
		if a.maxNodes > len(a.required) {
			w.heap = w.heap[:0]
			seed(p.where)
		}
	case p.views == nil || a.sharing > 1:
		seed(p.where)
	default:
		w.suited = true
		for _, o := range p.views {
			if !c.suitsKind(a, o) {
				continue
			}
			if a.whole {
				cpus = int(o.cpus[len(o.cpus)-1])
			}
			o.fresh(c.rooms, c.now)
			t := sweepTree{o: o, q: o.ask(cpus, a.span)}
			if g, count := a.scarce(o, cpus); g != o {
				g.fresh(c.rooms, c.now)
				t.gres, t.ofGres = g, g.ask(count, a.span)
				for _, leaf := range g.dirty {
					if !o.stale[leaf] {
						w.pushLeaf(&t, int(leaf), from)
					}
				}
			}
			for _, leaf := range o.dirty {
				w.pushLeaf(&t, int(leaf), from)
			}
			w.trees = append(w.trees, t)
			if at := t.earliest(1, from); at != never {
				w.push(sweepItem{at, int32(len(w.trees) - 1), 1})
			}
		}
	}
	one := a.maxNodes == 1
	w.reached = from
	tries, patience := 0, instant(0)
	for len(w.heap) > 0 {
		at := w.heap[0].at
		if tries <= maxTries {
			w.reached = at
		}
		grown := false
		for len(w.heap) > 0 && w.heap[0].at == at {
			if one && grown && len(w.members) >= maxTies {
				break
			}
			x := w.pop()
			if x.view >= 0 {
				tree := &w.trees[x.view]
				o := tree.o
				// Down to the leaf that is first; the others wait on the heap.
				k := int(x.knot)
				for k < o.size {
					first, second := 2*k, 2*k+1
					t, u := tree.earliest(first, at), tree.earliest(second, at)
					if u < t {
						first, second, t, u = second, first, u, t
					}
					if u != never {
						w.push(sweepItem{max(u, at), x.view, int32(second)})
					}
					if t > at {
						if t != never {
							w.push(sweepItem{t, x.view, int32(first)})
						}
						k = 0
						break
					}
					k = first
				}
				if k == 0 {
					continue
				}
				leaf := k - o.size
				if leaf >= len(o.rooms) || tree.isStale(leaf) {
					continue
				}
				x = sweepItem{at, -1, int32(o.rooms[leaf])}
			}
			if w.budget > 0 {
				if w.budget--; w.budget == 0 {
					w.budget = -1
					return never, nil
				}
			}
			grown = w.visit(&f, a, &need, &c.rooms[x.knot], at) || grown
		}
		if !grown || !a.met(&w.sum, a.minNodes) {
			continue
		}
		if tries++; tries > maxTries {
			if at < patience {
				continue
			}
			patience = at.plus(time.Duration(at-from) / 64)
		}
		f.from = at
		if chosen := f.place(a, w.inLine(p)); chosen != nil {
			return at, chosen
		}
	}
	return never, nil
}

// visit looks at a room at a moment: it takes part in what is gathered while it
// can. It reports whether what is gathered became more.
func (w *sweep) visit(f *field, a *ask, need *least, r *room, at instant) bool {
	if !r.open || !w.suited && !a.suits(r.n) || w.suited && len(a.excluded) > 0 && a.excluded[r.n.Name] {
		return false
	}
	old, in := w.slots[r.pos], w.in[r.pos] == w.search
	t, until, o := f.firstFit(a, r, need, at)
	if t != at {
		if in {
			w.in[r.pos] = 0
			w.members = slices.DeleteFunc(w.members, func(pos int) bool { return pos == r.pos })
			w.sum.sub(old)
		}
		if t != never {
			w.push(sweepItem{t, -1, int32(r.pos)})
		}
		return false
	}
	next := never
	if until != never {
		next = until + 1
	}
	if a.grows(o) {
		segs := r.line.segs
		if i := r.line.find(at) + 1; i < len(segs) {
			next = min(next, segs[i].at)
		}
	}
	next = min(next, f.letGo(a, r, at, at.plus(a.span)))
	if w.blocks != nil {
		next = min(next, f.nextInBlock(w.blocks, r, at))
	}
	if next != never {
		w.push(sweepItem{max(next, at+1), -1, int32(r.pos)})
	}
	if in {
		w.sum.sub(old)
	} else {
		w.members = append(w.members, r.pos)
	}
	w.slots[r.pos], w.in[r.pos] = o, w.search
	w.sum.add(o)
	return !in || o.tasks > old.tasks || len(o.gres) > 0 || w.blocks != nil
}

// grows reports whether a node that gives so much might give more later.
func (a *ask) grows(o slot) bool {
	return !a.whole && a.tpn == 0 && o.tasks < a.tasks || len(a.perJob) > 0
}

// inLine returns the gathered rooms in the order of the partition's.
func (w *sweep) inLine(p *part) []int {
	if p.order == nil || p.spread {
		if p.order == nil {
			p.order = make([]int32, len(p.in))
		}
		for i, pos := range p.where {
			p.order[pos] = int32(i)
		}
	}
	slices.SortFunc(w.members, func(x, y int) int { return int(p.order[x] - p.order[y]) })
	return w.members
}

// sub takes a slot out of the count.
func (t *tally) sub(o slot) {
	t.nodes--
	t.tasks -= o.tasks
	for i, n := range o.gres {
		t.gres[i] -= n
	}
}

// suitsKind reports whether nodes of the outlook's kind could take part in a
// request at all.
func (c *cycle) suitsKind(a *ask, o *outlook) bool {
	n := o.kind
	if n.TmpDisk < a.tmp || a.sockets > 0 && n.Sockets < a.sockets || a.cores > 0 && n.Cores < a.cores || a.needThreads > 0 && n.Threads < a.needThreads {
		return false
	}
	if !slices.ContainsFunc(a.plans, func(p featurePlan) bool { return p.allows(n) }) {
		return false
	}
	for _, list := range []slurm.Gres{a.perNode, a.perTask} {
		for _, g := range list {
			have := int64(0)
			for _, x := range n.Gres {
				if x.Name == g.Name && (g.Type == "" || g.Type == x.Type) {
					have += x.Count
				}
			}
			if have < g.Count {
				return false
			}
		}
	}
	return true
}

// couldRun reports whether the nodes in service could hold a request if nothing
// ran on them.
func (c *cycle) couldRun(a *ask, p *part) bool {
	sh := a.shape
	if sh != nil && sh.mayAt == c.opening {
		return sh.may
	}
	may := c.couldRunAny(a, p)
	if sh != nil {
		sh.may, sh.mayAt = may, c.opening
	}
	return may
}

func (c *cycle) couldRunAny(a *ask, p *part) bool {
	if a.switches > 0 {
		any := *a
		any.wideFrom = always
		a = &any
	}
	if p.views != nil && c.t.cfg.Topology == nil && !a.contiguous && len(a.required) == 0 && len(a.excluded) == 0 && len(a.sizes) == 0 && len(a.plans) == 1 && len(a.plans[0].quotas) == 0 {
		var sum tally
		empty := field{t: c.t}
		for _, o := range p.views {
			if o.opened == 0 || !c.suitsKind(a, o) {
				continue
			}
			r := emptyRoom(o.kind.atBest(c.t.cfg, p.p), 0)
			r.open = true
			if got, ok := empty.offer(a, &r, empty.look(&r, a.span)); ok {
				for range min(o.opened, a.maxNodes-sum.nodes, max(a.tasks, a.minNodes)) {
					sum.add(got)
				}
			}
			if a.met(&sum, a.minNodes) {
				return true
			}
		}
	}
	return c.couldRunOn(a, p, nil, nil)
}

// couldRunOn is couldRun where reservations keep some of the nodes, and where some
// are not to be had; nil: none.
func (c *cycle) couldRunOn(a *ask, p *part, resv *ResvView, without []bool) bool {
	order := slices.Sorted(slices.Values(p.where))
	empty := field{t: c.t, rooms: make([]room, len(order)), from: c.now, at: c.now, resv: resv}
	for i, pos := range order {
		empty.rooms[i] = emptyRoom(c.rooms[pos].n.atBest(c.t.cfg, p.p), i)
		empty.rooms[i].open = c.rooms[pos].open && (without == nil || !without[pos])
	}
	where := make([]int, len(order))
	for i, pos := range p.where {
		where[i], _ = slices.BinarySearch(order, pos)
	}
	return empty.place(a, where) != nil
}
