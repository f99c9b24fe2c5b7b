package sched

import (
	"slices"
	"sort"
	"time"

	"github.com/runink/rink/slurm"
)

// maxPromises bounds how many jobs are promised room in one cycle, and
// promiseLooks how many nodes are looked at for it. The first job in line of a
// partition is promised room in any case.
const (
	maxPromises  = 200
	promiseLooks = 200_000
	maxTries     = 100
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
	a, p := c.ask(e), e.part
	if len(a.required) > 0 || p.open < len(p.where) {
		if w := c.unavailable(a, p); !w.IsZero() {
			c.note(e, w, time.Time{}, nil)
			return
		}
	}
	first := !p.failed
	if first && p.open == len(p.where) && !c.couldRun(a, p) {
		c.note(e, because(slurm.ReasonBadConstraints), time.Time{}, nil)
		return
	}
	w := c.crowded(a, p)
	if !first && (c.promised >= maxPromises || c.looks > promiseLooks) {
		c.note(e, w, time.Time{}, nil)
		return
	}
	at, chosen := c.earliest(a, p)
	if chosen == nil {
		c.note(e, w, time.Time{}, nil)
		return
	}
	alloc := c.allot(a, chosen, false)
	c.promise(a, at, alloc)
	start, nodes := at, make([]NodeName, len(alloc))
	for i := range alloc {
		nodes[i] = alloc[i].Node
	}
	// A start that hangs on a job without a limit is not worth telling.
	if at.Sub(c.now) > unlimitedSpan/2 {
		start, nodes = time.Time{}, nil
	}
	c.note(e, w, start, nodes)
}

// promise holds what a job will need from its expected start on.
func (c *cycle) promise(a *ask, at time.Time, alloc []NodeAlloc) {
	c.promised++
	for _, n := range alloc {
		r := &c.rooms[c.byName[n.Node]]
		h := hold{part: a.part.Name, start: at, end: at.Add(a.span), cpus: n.CPUs, mem: n.Mem, gres: r.gresCounts(n.Gres), whole: a.whole || a.ownUser}
		if a.sharing > 1 {
			h.shared = n.CPUs
		}
		r.holds = append(r.holds, h)
	}
}

// earliest finds the first moment at which there is room for a request, counting
// on running jobs to end by their limits and keeping clear of what was promised
// to others.
func (c *cycle) earliest(a *ask, p *part) (time.Time, []slot) {
	c.foresee()
	later := c.field
	later.left = spare{}
	at := func(t time.Time, plain bool) []slot {
		later.from, later.plain = t, plain
		return later.place(a, p.where)
	}
	defer func() { c.looks = later.looks }()
	// Without promises there is only ever more room, so that the first moment
	// is found by halving.
	i := sort.Search(len(c.times), func(i int) bool { return at(c.times[i], true) != nil })
	if i == len(c.times) {
		return time.Time{}, nil
	}
	// Promises end, and begin, anywhere: from there on moments are tried in turn.
	moments := slices.Clone(c.times[i:min(len(c.times), i+maxTries)])
	for _, pos := range p.where {
		for _, h := range c.rooms[pos].holds {
			if h.end.After(c.times[i]) {
				moments = append(moments, h.end)
			}
		}
	}
	slices.SortFunc(moments, time.Time.Compare)
	moments = slices.CompactFunc(moments, time.Time.Equal)
	for n, t := range moments {
		if n == maxTries {
			break
		}
		if chosen := at(t, false); chosen != nil {
			return t, chosen
		}
	}
	// All promises are over by then.
	last := moments[len(moments)-1]
	return last, at(last, false)
}

// foresee notes, once a cycle, when running jobs will give back what they hold.
func (c *cycle) foresee() {
	if c.timed {
		return
	}
	c.times = append(c.times, c.now)
	for _, j := range c.v.Running {
		p := c.v.Config.Partition(j.Partition)
		factor := ShareLimit(c.t.cfg, j, p)
		whole, user := Exclusivity(c.t.cfg, j, p)
		end := c.endOf(j)
		for i := range j.Alloc {
			a := &j.Alloc[i]
			pos, ok := c.byName[a.Node]
			if !ok || !holdsNode(j, a.Node) {
				continue
			}
			cpus := a.CPUs
			if j.CPUsFree {
				cpus = 0
			}
			c.giveBack(pos, end, j.Partition, a, cpus, factor > 1, whole || user)
		}
		c.noteTime(end)
	}
	slices.SortFunc(c.times, time.Time.Compare)
	c.times = slices.CompactFunc(c.times, time.Time.Equal)
	for i := range c.rooms {
		c.rooms[i].sortBacks()
	}
	c.timed = true
}

// giveBack notes that at some time a room gets back what an allocation holds.
func (c *cycle) giveBack(pos int, at time.Time, part PartitionName, a *NodeAlloc, cpus int, shared, keeper bool) {
	r := &c.rooms[pos]
	b := giveBack{at: at, part: part, keeper: keeper, cpus: cpus, mem: a.Mem, gres: r.gresCounts(a.Gres)}
	if shared {
		b.shared = cpus
	}
	r.backs = append(r.backs, b)
	if c.timed {
		r.sortBacks()
	}
}

// noteTime adds a moment at which something is given back.
func (c *cycle) noteTime(t time.Time) {
	if !c.timed {
		c.times = append(c.times, t)
		return
	}
	if i, found := slices.BinarySearchFunc(c.times, t, time.Time.Compare); !found {
		c.times = slices.Insert(c.times, i, t)
	}
}

// soon is how long a job is taken to stay that should be gone already.
const soon = 5 * time.Second

// endOf is when a job that holds resources is expected to give them back.
func (c *cycle) endOf(j *Job) time.Time {
	end := j.End
	switch {
	case j.IsCompleting():
		return c.now.Add(soon)
	case j.IsSuspended():
		return c.now.Add(unlimitedSpan - 24*time.Hour)
	case end.IsZero():
		// Before any job without a limit that would start now, so that none of
		// those gets in the way of a job that waits for this one.
		end = c.now.Add(unlimitedSpan - 24*time.Hour)
	}
	if !end.After(c.now) {
		end = c.now.Add(soon)
	}
	return end
}

// couldRun reports whether the nodes in service could hold a request if nothing
// ran on them.
func (c *cycle) couldRun(a *ask, p *part) bool {
	key := a.keyed()
	if could, ok := c.may[key]; ok {
		return could
	}
	order := slices.Sorted(slices.Values(p.where))
	empty := field{t: c.t, rooms: make([]room, len(order)), from: c.now}
	for i, pos := range order {
		empty.rooms[i] = emptyRoom(c.rooms[pos].n, i)
		empty.rooms[i].open = c.rooms[pos].open
	}
	where := make([]int, len(order))
	for i, pos := range p.where {
		where[i], _ = slices.BinarySearch(order, pos)
	}
	c.may[key] = empty.place(a, where) != nil
	return c.may[key]
}
