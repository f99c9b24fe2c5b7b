package sched

import (
	"slices"
	"time"

	"github.com/runink/rink/slurm"
)

// lasting are the spans that demands and supplies are told apart by.
var lasting = [...]time.Duration{0, 1 * time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 20 * time.Minute,
	30 * time.Minute, 45 * time.Minute, time.Hour, 90 * time.Minute, 2 * time.Hour, 3 * time.Hour, 4 * time.Hour, 6 * time.Hour, 8 * time.Hour,
	10 * time.Hour, 12 * time.Hour, 18 * time.Hour, 24 * time.Hour, 36 * time.Hour, 48 * time.Hour, 72 * time.Hour, 168 * time.Hour}

// outlookStep is the step of an outlook that is no longer, by step of lasting.
var outlookStep = func() (to [len(lasting)]int) {
	for i, d := range lasting {
		for t := range timeSteps {
			if timeSteps[t] <= d {
				to[i] = t
			}
		}
	}
	return to
}()

// lastingStep is the last step that is no longer than a span.
func lastingStep(d time.Duration) uint8 {
	i := len(lasting) - 1
	for i > 0 && lasting[i] > d {
		i--
	}
	return uint8(i)
}

// demand is the least a job takes, whatever else it asks for.
type demand struct {
	node  int32 // CPUs on each of its nodes
	total int32 // CPUs in all
	nodes int32
	idle  int32         // nodes to itself
	mem   int32         // for each CPU, in MB
	gres  int32         // of some generic resource, on each of its nodes
	cpt   int32         // CPUs of each task; 0: not known
	tasks int32         // how many of these
	span  time.Duration // how long
	step  uint8         // the same in steps of lasting
	calm  bool          // see Scheduler.calm
	exact bool          // on nodes, no more
}

// least is the least of two demands in each kind.
func (d *demand) least(o *demand) {
	d.exact = d.exact && o.exact && d.nodes == o.nodes
	d.node, d.total, d.nodes, d.idle = min(d.node, o.node), min(d.total, o.total), min(d.nodes, o.nodes), min(d.idle, o.idle)
	d.mem, d.gres = min(d.mem, o.mem), min(d.gres, o.gres)
	if d.cpt != o.cpt {
		d.cpt, d.tasks = 0, 0
	}
	d.tasks = min(d.tasks, o.tasks)
	d.span, d.step = min(d.span, o.span), min(d.step, o.step)
}

// lasts sets how long.
func (d *demand) lasts(span time.Duration) { d.span, d.step = span, lastingStep(span) }

// supply is what a partition has for a pass to give away, for no less than each
// step of lasting.
type supply struct {
	node, total [len(lasting)]int32 // CPUs on the node with the most; CPUs together
	nodes, idle [len(lasting)]int32 // nodes with any CPUs; idle ones
	gres        [len(lasting)]int32 // of any generic resource on the node with the most
	any         bool                // as much as one likes
	refused     []refusal           // what there was no room for
}

// everything is a supply that holds any demand.
var everything = supply{any: true}

// holds reports whether the supply may be enough for a demand.
func (s *supply) holds(d *demand) bool {
	if s.any {
		return true
	}
	if d.node > s.node[d.step] || d.total > s.total[d.step] || d.nodes > s.nodes[d.step] || d.idle > s.idle[d.step] || d.gres > s.gres[d.step] {
		return false
	}
	for i := range s.refused {
		if s.refused[i].covers(d) {
			return false
		}
	}
	return true
}

// lasting works out how many CPUs a room has free from now on for each of the
// steps.
func (r *room) lasting(now instant, to *[len(lasting)]int32) {
	segs := r.line.segs
	i := r.line.find(now)
	left := segs[i].free()
	for t := range to {
		end := now.plus(lasting[t])
		for i+1 < len(segs) && segs[i+1].at < end {
			i++
			left = min(left, segs[i].free())
		}
		to[t] = max(left, 0)
	}
}

// lastingGres is lasting for the generic resource of which there is most at each step.
func (r *room) lastingGres(now instant, to *[len(lasting)]int32) {
	clear(to[:])
	for k := range r.gres {
		if slices.ContainsFunc(r.gres[:k], func(g shelf) bool { return g.name == r.gres[k].name }) {
			continue // counted with the first of the name
		}
		segs := r.line.segs
		i := r.line.find(now)
		left := r.gresIn(&segs[i], r.gres[k].name)
		for t := range to {
			end := now.plus(lasting[t])
			for i+1 < len(segs) && segs[i+1].at < end {
				i++
				left = min(left, r.gresIn(&segs[i], r.gres[k].name))
			}
			to[t] = max(to[t], int32(min(left, 1<<30)))
		}
	}
}

// gresIn counts what a segment has of a generic resource, of all types.
func (r *room) gresIn(s *seg, name string) int64 {
	n := int64(0)
	for i := range r.gres {
		if r.gres[i].name == name {
			n += s.gres[i]
		}
	}
	return n
}

// gains is what the rooms that have more to give than the last pass saw have.
type gains struct {
	rows []gainRow
}

// gainRow is what one of them has.
type gainRow struct {
	rev  uint32 // of the room when it was looked at
	free [len(lasting)]int32
	gres [len(lasting)]int32 // of the generic resource of which it has most
}

// fresh looks at those rooms anew that have changed.
func (g *gains) fresh(c *cycle) {
	for len(g.rows) < len(c.gained) {
		g.rows = append(g.rows, gainRow{rev: c.rooms[c.gained[len(g.rows)]].rev - 1})
	}
	for i, pos := range c.gained {
		if r, row := &c.rooms[pos], &g.rows[i]; row.rev != r.rev {
			row.rev = r.rev
			r.lasting(c.now, &row.free)
			r.lastingGres(c.now, &row.gres)
		}
	}
}

// heirs adds to the jobs that came since the last pass those whose promise falls due,
// which is taken back, since what is left of it may be in the way of one ahead of
// them, and those that are promised room on a node that has more to give and might begin
// at once: what there is for others leaves their own promise out.
func (c *cycle) heirs() []*item {
	if c.t.policy.keepsPromises || len(c.promised) == 0 {
		return c.arrived
	}
	all := c.unbarred || len(c.gained) > manyGains
	for i := len(c.promised) - 1; i >= 0; i-- {
		it := c.promised[i]
		due := it.promise.start <= c.now
		if due || all && c.mayInherit(it) {
			c.inherits(it)
		}
		if due && !c.roomMade(it.job) {
			c.lift(it)
			c.promises-- // it may have another
		}
	}
	if all {
		return c.arrived
	}
	for _, pos := range c.gained {
		r := &c.rooms[pos]
		if !r.open {
			continue
		}
		for i := range r.holds {
			h := &r.holds[i]
			if it := h.to.item; it.visited != c.pass && r.lastsBut(h.to, &h.load, c.now, &it.want) && (len(h.to.where) == 1 || c.mayInherit(it)) {
				c.inherits(it)
			}
		}
	}
	return c.arrived
}

func (c *cycle) inherits(it *item) {
	if it.visited != c.pass {
		it.visited, it.seen, it.came = c.pass, 0, c.pass
		c.arrived = append(c.arrived, it)
	}
}

// mayInherit reports whether a job may find nodes enough now: some of those it is
// promised, and others.
func (c *cycle) mayInherit(it *item) bool {
	p, d, n := it.promise, &it.want, int32(0)
	for i, pos := range p.where {
		if r := &c.rooms[pos]; r.open && r.lastsBut(p, &p.loads[i], c.now, d) {
			n++
		}
	}
	if n == 0 || n >= d.nodes {
		return n > 0
	}
	for _, part := range it.lane.parts {
		if part.p.Name != p.part {
			continue
		}
		if part.views == nil {
			return true
		}
		for _, o := range part.views {
			least := int(d.node)
			if d.idle > 0 {
				least = int(o.cpus[len(o.cpus)-1])
			}
			o.counted(c.rooms, c.now)
			more, _ := o.room(o.ask(least, d.span))
			n += int32(more)
		}
	}
	return n >= d.nodes
}

// lastsBut reports whether a room may have what a demand takes of a node from now
// on, were it not for what is promised to the same job there.
func (r *room) lastsBut(p *promise, of *load, now instant, d *demand) bool {
	segs := r.line.segs
	end := now.plus(d.span)
	for i := r.line.find(now); i < len(segs) && segs[i].at < end; i++ {
		free := segs[i].cpus
		blocks := segs[i].blocks
		if segs[i].at < p.end && (i+1 == len(segs) || segs[i+1].at > p.start) {
			free += int32(of.cpus)
			if of.block {
				blocks--
			}
		}
		if blocks > 0 || free < d.node || d.idle > 0 && int(free) < r.total {
			return false
		}
	}
	return true
}

// manyGains is from how many rooms with more to give on they are not told from
// the others.
const manyGains = 256

// supplyFor is what decides whether a job of a partition is worth a look: until
// its first one waits all are.
func (c *cycle) supplyFor(p *part) *supply {
	if !p.failed || c.t.fifo || c.t.policy.everyPromise || c.full && !c.calmly() {
		return &everything
	}
	if p.asOf == c.booked+1 {
		return &p.now
	}
	p.asOf = c.booked + 1
	s := &p.now
	p.supply(s)
	s.refused = p.refused
	timed := !c.giving.rules.on() // for others that give way room is looked for in any case
	if timed {
		c.sooner(p, s)
	}
	if c.full || c.unbarred || len(c.gained) > manyGains {
		return s
	}
	// What found no room in the last pass finds some only where there is more now.
	c.gains.fresh(c)
	var node, idle, gres [len(lasting)]int32
	for i, pos := range c.gained {
		r := &c.rooms[pos]
		if !r.open || !p.in[pos] {
			continue
		}
		alone := len(r.held) == 0
		if !timed {
			for t := range node {
				node[t], gres[t] = max(node[t], int32(r.cpus)), s.gres[t]
				if alone {
					idle[t] = s.idle[t]
				}
			}
			continue
		}
		for t, free := range c.gains.rows[i].free {
			if free == 0 {
				break
			}
			node[t], gres[t] = max(node[t], free), max(gres[t], c.gains.rows[i].gres[t])
			if alone && int(free) >= r.total {
				idle[t] = s.idle[t]
			}
		}
	}
	for t := range node {
		s.node[t], s.idle[t], s.gres[t] = min(s.node[t], node[t]), idle[t], gres[t]
		if node[t] == 0 {
			s.total[t], s.nodes[t] = 0, 0
		}
	}
	return s
}

// supply is what the partition has to give now, for however long.
func (p *part) supply(s *supply) {
	node, total, nodes, idle := int32(p.supplyMost()), int32(min(p.total, 1<<30)), int32(p.some), int32(p.idle)
	for t := range s.node {
		s.node[t], s.total[t], s.nodes[t], s.idle[t], s.gres[t] = node, total, nodes, idle, 1<<30
	}
}

// sooner leaves out of a supply what is promised before a step is over.
func (c *cycle) sooner(p *part, s *supply) {
	if p.views == nil {
		if len(p.where) > smallField {
			return
		}
		var total, nodes [len(lasting)]int32
		var row [len(lasting)]int32
		for _, pos := range p.where {
			r := &c.rooms[pos]
			if !r.open {
				continue
			}
			r.lasting(c.now, &row)
			for t, free := range row {
				total[t] = min(total[t]+free, 1<<30)
				if free > 0 {
					nodes[t]++
				}
			}
		}
		for t := range total {
			s.total[t], s.nodes[t] = min(s.total[t], total[t]), min(s.nodes[t], nodes[t])
		}
		return
	}
	steps := len(timeSteps)
	var node, nodes, idle [stride - 1]int32
	var total [stride - 1]int64
	for _, o := range p.views {
		o.fresh(c.rooms, c.now)
		for t := range steps {
			total[t] += o.spare[t]
			nodes[t] += o.nodes[t]
			idle[t] += o.nodes[(len(o.cpus)-1)*steps+t]
			for k := len(o.cpus) - 1; k >= 0; k-- {
				if o.nodes[k*steps+t] > 0 {
					most := o.cpus[k]
					if k+1 < len(o.cpus) {
						most = o.cpus[k+1] - 1
					}
					node[t] = max(node[t], most)
					break
				}
			}
		}
	}
	for t, k := range outlookStep {
		s.node[t], s.nodes[t], s.idle[t] = min(s.node[t], node[k]), min(s.nodes[t], nodes[k]), min(s.idle[t], idle[k])
		s.total[t] = int32(min(int64(s.total[t]), total[k]))
	}
}

// demand is the least a request takes.
func (a *ask) demand(p *part) demand {
	d := demand{node: int32(a.leastCPUs()), nodes: int32(a.minNodes), span: a.span, step: lastingStep(a.span)}
	d.total = max(int32(min(a.tasks*a.cpt, 1<<30)), d.node*d.nodes)
	if a.overcommit {
		d.total = d.node * d.nodes
	}
	if a.whole {
		d.idle, d.total, d.node = d.nodes, 0, 1
	}
	if a.maxNodes == 1 && !a.whole && !a.overcommit {
		d.node = max(d.node, int32(min(a.tasks*a.cpt, 1<<30)))
	}
	for _, list := range []slurm.Gres{a.perNode, a.perTask} { // each node has a task
		for _, g := range list {
			d.gres = max(d.gres, int32(min(g.Count, 1<<30)))
		}
	}
	if !a.overcommit && a.sharing <= 1 {
		d.cpt, d.tasks = int32(a.cpt), int32(min(a.tasks, 1<<30))
		d.exact = a.minNodes == a.maxNodes && len(a.sizes) == 0
	}
	if a.sharing > 1 || a.specCPUs >= 0 {
		d = demand{span: d.span, step: d.step}
	}
	return d
}
