package sched

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/runink/rink/slurm"
)

// Cycle decides which of the view's pending jobs start now, where, and why the
// others do not. It changes nothing it is given. It is what a Scheduler plans
// in its first pass.
func Cycle(v View, now time.Time) Plan { return NewScheduler(v).Plan(now, true) }

// Plan decides which of the pending jobs start now, where, and why the others do
// not. It changes nothing but its own promises: what it decided is true once the
// changes that follow from it are told by Job and Node.
//
// Jobs are looked at in order of priority; a job that finds no room is promised
// the earliest room there will be, and no later job gets in the way of that. A
// full plan looks at every job and makes all promises anew. Another one looks at
// the first of each partition and at those for which there may be room now, and
// lets older promises stand.
func (s *Scheduler) Plan(now time.Time, full bool) Plan {
	full = full || s.resvNews // what was promised may not be free any more
	c := s.newCycle(now, full)
	c.reservations()
	c.wake()
	switch {
	case c.t.policy.promises == 0:
		c.recall()
	case full && !c.t.policy.keepsPromises:
		c.liftAll()
	}
	c.giveTurns() // preempt.go
	c.rank()      // foresight.go
	c.takeCalm()  // calm.go
	c.line()
	for len(c.cursors) > 0 {
		k := c.cursors[0]
		p := k.lane.parts[k.part]
		e := entry{item: k.item, job: k.item.job, part: p, at: k.part, old: !k.any && len(k.lane.parts) == 1 && k.item.came+1 < s.pass}
		k.calm = c.full
		if s := c.supplyFor(p); !k.any && !s.any && (!s.holds(&k.item.want) && (!k.calm || k.item.want.calm) || !c.full && c.hopelessLane(k.lane, p)) {
			if k.next(s); k.item != nil && !c.full && c.hopelessLane(k.lane, p) {
				k.item = nil
			}
			c.cursors.fix()
			continue
		}
		if !k.item.saw(s.pass, k.part) {
			s.seen++
			k.item.see(s.pass, k.part)
			c.comeBack(&e) // preempt.go
			switch {
			case c.vain(e): // fit.go
			case c.settled(e):
			case c.barred(e): // limits.go, licenses.go
			case c.promisedLater(e): // backfill.go
			case c.placeReserved(e): // resv_pass.go, place.go
			case c.preempt(e): // preempt.go
			default:
				c.reserve(e) // backfill.go
			}
			c.calmed(k, e.item)
		}
		k.in++
		if p.failed && !p.turned && c.t.policy.shortFirst {
			c.turn(p)
			continue
		}
		if k.any {
			k.next(&everything)
		} else {
			k.next(c.supplyFor(p))
		}
		c.cursors.fix()
	}
	c.comeBack(nil)
	c.watched() // foresight.go
	c.tell()
	c.over()
	return c.plan
}

// turn makes what is left of a partition's line go on with the shortest first.
func (c *cycle) turn(p *part) {
	p.turned = true
	for _, k := range c.cursors {
		if k.lane.parts[k.part] == p && k.lane.short != nil {
			k.lane, k.at, k.in = k.lane.short, 0, 0
		} else if k.lane.parts[k.part] == p && k.any {
			l := *k.lane
			l.byLimit = true
			l.chunks = []*chunk{{items: slices.SortedFunc(slices.Values(l.chunks[0].items), l.compare)}}
			k.lane, k.at, k.in = &l, 0, 0
		}
		if k.any {
			k.next(&everything)
		} else {
			k.next(c.supplyFor(k.lane.parts[k.part]))
		}
	}
	c.cursors.init()
}

// over ends a pass: what it saw is not news to the next one.
func (c *cycle) over() {
	c.early, c.unbarred = false, false
	c.tested = c.tests
	for _, pos := range c.gained {
		c.rooms[pos].more = false
	}
	c.gained, c.gains.rows = c.gained[:0], c.gains.rows[:0]
	c.arrived = emptied(c.arrived)
	for _, x := range c.asides {
		x.only.items = emptied(x.only.items)
	}
	c.asides = c.asides[:0]
	if c.looks > maxLooks || c.tests >= c.t.maxTests || len(c.waitsFor) > 0 {
		c.unbarred = true // not all were looked at
	}
}

// emptied is a list without its items, to be filled again, unless it has been a very
// long one.
func emptied(list []*item) []*item {
	if cap(list) > keptCrowd {
		return nil
	}
	clear(list)
	return list[:0]
}

// newcomers sets cursors to the jobs that are looked at in any case: those that came
// since the last pass, and those that are promised room where there is more now,
// since what there is for others leaves their own promise out.
func (c *cycle) newcomers() {
	c.waitsOver()
	list := c.heirs()
	if len(list) == 0 {
		return
	}
	for _, it := range list {
		if !it.gone {
			c.asideOf(it.lane).add(it)
		}
	}
	for _, x := range c.asides {
		slices.SortFunc(x.only.items, x.lane.compare)
		for i := range x.cursors {
			k := &x.cursors[i]
			*k = cursor{lane: &x.lane, part: i, any: true}
			k.next(&everything)
			c.cursors = append(c.cursors, k)
		}
	}
}

// aside is some of the jobs of a lane, that a pass looks at in any case. It is kept for
// the next one.
type aside struct {
	lane    lane
	only    chunk
	cursors []cursor
	pass    uint64
}

// asideOf returns what stands aside of a lane in this pass.
func (c *cycle) asideOf(l *lane) *aside {
	x := l.aside
	if x == nil {
		x = &aside{lane: lane{key: l.key, parts: l.parts}, cursors: make([]cursor, len(l.parts))}
		x.lane.chunks = []*chunk{&x.only}
		l.aside = x
	}
	if x.pass != c.pass {
		x.pass = c.pass
		c.asides = append(c.asides, x)
	}
	return x
}

func (x *aside) add(it *item) { x.only.items = append(x.only.items, it) }

// see notes that a pass looks at the item in one of its partitions.
func (x *item) see(pass uint64, part int) {
	if x.visited != pass {
		x.visited, x.seen = pass, 0
	}
	x.seen |= 1 << min(part, 63)
}

// saw reports whether the pass has looked at the item in that partition.
func (x *item) saw(pass uint64, part int) bool {
	return x.visited == pass && x.seen&(1<<min(part, 63)) != 0
}

// entry is a job in the line of one of its partitions.
type entry struct {
	item *item
	job  *Job
	part *part
	at   int  // which of its lane's partitions
	old  bool // was in line at the last pass, of one partition and no other
}

// cycle is one pass over the queue.
type cycle struct {
	*Scheduler
	now       instant
	at        time.Time // the same
	full      bool
	cursors   line
	free      slurm.Licenses
	plan      Plan
	claimed   []bool                      // nodes of partitions with a job in line
	scratch   ask                         // the request looked at last
	hetFailed map[slurm.JobID]bool        // heterogeneous jobs that found no room
	trial     *trial                      // what is being tried and may be taken back
	outcomes  map[*Job]outcome            // of jobs with several partitions
	done      map[*Job]bool               // jobs that started with all their tasks
	begun     map[*Job]int                // tasks started of what has no record each of arrays
	tasks     map[slurm.JobID]int         // tasks started of arrays with a throttle
	booked    int                         // allocations made
	promises  int                         // made to jobs behind the first that had none
	tests     int                         // requests that room was looked for
	behind    int                         // starts behind a job that waits
	calming   bool                        // jobs found calm are noted
	waitsFor  map[PartitionName]time.Time // partitions that wait for what is completing in them; nil: not looked at yet
	skipping  bool                        // those noted before may be left alone
	passed    bool                        // the job at hand was passed over without a look
	gainsOnly bool                        // it can only start where there is more than before
	former    []former                    // promises of the last pass, where only the first in line holds one
	way       resvPass                    // in which reservation the job at hand is placed
}

// outcome is what is told of a job that does not start.
type outcome struct {
	why   Why
	start time.Time
	nodes []NodeName
	place int // of the partition among those the job named
}

// maxLooks bounds how many nodes one pass looks at. What is not reached in it
// waits for the next one.
const maxLooks = 20_000_000

func (s *Scheduler) newCycle(at time.Time, full bool) *cycle {
	now := instantOf(at)
	s.pass++
	s.from, s.field.at, s.looks, s.seen = now, now, 0, 0
	s.overdue(now)
	if full {
		s.limited = false
		s.v.Ledger.ReckonShares(at)
	}
	c := &s.last
	clear(c.done)
	*c = cycle{Scheduler: s, now: now, at: at, full: full, cursors: c.cursors[:0], former: c.former[:0], done: c.done}
	c.free = s.v.LicensesAll.Minus(s.used)
	return c
}

// line sets a cursor to the first job of each lane, once for each partition.
func (c *cycle) line() {
	for _, p := range c.parts {
		if p != nil {
			p.failed, p.short, p.turned, p.gres, p.asOf, p.refused = false, false, false, nil, 0, p.refused[:0]
			if p.spread {
				c.emptiestFirst(p.where)
			}
		}
	}
	n := 0
	for _, l := range c.order {
		if l.n > 0 {
			n += len(l.parts)
		}
	}
	if cap(c.steps) < n {
		c.steps = make([]cursor, n+n/2)
	}
	list := c.steps[:n]
	if !c.full {
		c.newcomers()
	}
	at := 0
	for _, l := range c.order {
		if l.n == 0 {
			continue
		}
		for i := range l.parts {
			k := &list[at]
			at++
			*k = cursor{lane: l, part: i}
			k.next(&everything)
			c.cursors = append(c.cursors, k)
		}
	}
	c.cursors.init()
}

// late notes a job that can no longer end by its deadline: one with a limit needs
// the time of its limit, or the least it asked for.
func (c *cycle) late(j *Job) bool {
	deadline := specOf(j).Deadline
	if deadline.IsZero() {
		return false
	}
	if last := deadline.Add(-leastSpan(j)); !last.Before(c.at) {
		c.againBy(last.Add(time.Second))
		return false
	}
	c.plan.Late = append(c.plan.Late, j.ID)
	return true
}

// leastSpan is how long a job with a deadline has to run at the least: the time it
// asked for at the least, or its limit, or a minute when it has none.
func leastSpan(j *Job) time.Duration {
	switch {
	case j.TimeMin > 0:
		return span(j.TimeMin)
	case j.TimeLimit != slurm.Unlimited:
		return span(j.TimeLimit)
	}
	return time.Minute
}

// untilDeadline is the limit of a job that starts now and has none but a deadline:
// the whole minutes until then. 0: it keeps its own.
func (c *cycle) untilDeadline(j *Job) slurm.Duration {
	deadline := specOf(j).Deadline
	if deadline.IsZero() || j.TimeLimit != slurm.Unlimited {
		return 0
	}
	return slurm.Duration(deadline.Sub(c.at) / time.Minute * 60)
}

// laterOf is the time to show as the expected start of a job that waits for a
// time: the zero time when it waits for anything else.
func laterOf(begin, due, now time.Time) time.Time {
	switch {
	case begin.After(due):
		due = begin
	case due.IsZero():
		return time.Time{}
	}
	if !due.After(now) {
		return time.Time{}
	}
	return due
}

// againBy notes that at t the plan may come out differently without any event.
func (c *cycle) againBy(t time.Time) {
	if !t.IsZero() && t.After(c.at) && (c.plan.Next.IsZero() || t.Before(c.plan.Next)) {
		c.plan.Next = t
	}
}

// settled reports whether a job has been dealt with already: it started in
// another partition, or with the other components of its heterogeneous job, or
// others give way to it.
func (c *cycle) settled(e entry) bool {
	return c.done != nil && c.done[e.job] || c.giving.served[e.job]
}

// barred tells a job why, whatever is free, it cannot start in this partition
// now.
func (c *cycle) barred(e entry) bool {
	j := e.job
	if j.HetID != 0 {
		return false // its components are looked at together
	}
	w := partitionBars(j, c.t.widened(e.part.p, j.QOS), e.part.size)
	var due time.Time
	if w.IsZero() {
		w, due = c.resvBars(j)
	}
	if w.IsZero() && !j.Need.Licenses.IsZero() {
		if _, ok := TakeLicenses(j.Need.Licenses, c.freeFor(j)); !ok {
			w = because(slurm.ReasonLicenses, c.missingLicenses(j)...)
		}
	}
	if w.IsZero() && j.Throttle > 0 && j.ArrayID != 0 {
		if n := c.tasksOf(j); n >= j.Throttle {
			w = because(slurm.ReasonJobArrayTaskLimit, Obstacle{What: "tasks at once", Asked: int64(n) + 1, There: int64(j.Throttle)})
		}
	}
	if w.IsZero() {
		w = c.limits(j, e.part.p.Name, nil, c.shortest(j)) // ledger_pass.go
	}
	if w.IsZero() {
		until := c.completingIn(e.part)
		if until.IsZero() {
			return false
		}
		w = because(slurm.ReasonResources, Obstacle{What: "jobs of the partition that are completing (CompleteWait)", Asked: 1})
		c.againBy(until)
	}
	c.forgo(e)
	c.note(e, w, due, nil)
	return true
}

// tasksOf counts the tasks of a job's array that run, those that start in this pass
// included.
func (c *cycle) tasksOf(j *Job) int { return c.runningTasks[j.ArrayID] + c.tasks[j.ArrayID] }

// forgo takes back what is promised to a job in a partition in which something else
// than room keeps it: it would stand in the way of others and not start. Where
// promises are kept it has until its own falls due.
func (c *cycle) forgo(e entry) {
	p := e.item.promise
	if p == nil || p.part != e.part.p.Name || c.t.policy.keepsPromises && p.start > c.now {
		return
	}
	c.lift(e.item)
}

// missingLicenses names the licences a job waits for.
func (c *cycle) missingLicenses(j *Job) []Obstacle {
	var out []Obstacle
	for _, l := range j.Need.Licenses.Items {
		if free := c.free.Get(l.FullName()); free < l.Count {
			out = append(out, Obstacle{What: "licence " + l.FullName(), Asked: l.Count, There: free})
		}
	}
	return out
}

// place starts a job here and now, or as many tasks of an array as there is room
// for. It returns false when resources are what is missing.
func (c *cycle) place(e entry) bool {
	j := e.job
	c.gainsOnly = false
	if j.HetID != 0 {
		return c.placeHet(j.HetID)
	}
	c.passed = c.t.fifo && e.part.failed || c.looks > maxLooks || c.tests >= c.t.maxTests ||
		c.t.bounds.starts > 0 && e.part.failed && c.behind >= c.t.bounds.starts
	if c.passed || e.part.open == 0 {
		return false
	}
	c.gainsOnly = e.old && !c.full && e.part.failed && !c.unbarred && len(c.gained) <= manyGains && e.item.promise == nil &&
		!c.t.policy.everyPromise && !c.t.fifo && !j.IsArrayRest()
	a := c.ask(e)
	lifted := c.raise(e.item)
	if !j.IsArrayRest() {
		alloc, limit := c.fit(a, e.part)
		if alloc == nil {
			c.lower(e.item, lifted)
			return false
		}
		if c.overLimits(e, alloc, limit) {
			return true
		}
		c.start(e, a, alloc, limit)
		c.finish(j)
		return true
	}
	before := c.begun[j] // in another partition
	most, bound := throttled(j, c.tasksOf(j))
	if c.roomMade(j) {
		most = 1 // there is room for one task, and others are ahead of the next
	}
	n := 0
	for task := range j.Tasks.All() {
		if n++; n <= before {
			continue
		}
		if n-before > most {
			break
		}
		if _, ok := TakeLicenses(j.Need.Licenses, c.freeFor(j)); !ok {
			c.note(e, because(slurm.ReasonLicenses, c.missingLicenses(j)...), time.Time{}, nil)
			return true
		}
		if n > 1 && c.overLimits(e, nil, 0) {
			return true
		}
		alloc, limit := c.fit(a, e.part)
		if alloc == nil {
			if c.begun[j] == before {
				c.lower(e.item, lifted)
			}
			return false
		}
		if c.overLimits(e, alloc, limit) {
			return true
		}
		c.start(e, a, alloc, limit)
		start := &c.plan.Starts[len(c.plan.Starts)-1]
		start.Task, start.IsTask = task, true
		if c.begun == nil {
			c.begun = make(map[*Job]int)
		}
		c.begun[j]++
	}
	switch {
	case c.begun[j] == j.Tasks.Len():
		c.finish(j)
	case bound:
		c.note(e, because(slurm.ReasonJobArrayTaskLimit), time.Time{}, nil)
	}
	return true
}

// finish notes that a job has started with all its tasks.
func (c *cycle) finish(j *Job) {
	if c.done == nil {
		c.done = make(map[*Job]bool)
	}
	c.done[j] = true
}

// ask returns the request of a job for the partition of the entry. It holds
// until the next is asked for.
func (c *cycle) ask(e entry) *ask {
	a := &c.scratch
	if a.job != e.job || a.part != e.part.p {
		*a = e.item.shapes[e.at].ask
		a.job = e.job
		a.waits(e.item, c.t)
	}
	a.span = span(limitIn(e.job, e.part.p, c.v.Config))
	a.shape = e.item.shapes[e.at]
	c.inReservation(a)
	return a
}

// start notes a start and books what it takes.
func (c *cycle) start(e entry, a *ask, alloc []NodeAlloc, limit slurm.Duration) {
	runs := c.startLimit(e, limit)
	a.span = span(runs)
	if limit = runs; runs == e.job.TimeLimit {
		limit = 0
	}
	end := c.now.plus(a.span)
	for i := range alloc {
		c.book(c.byName[alloc[i].Node], &alloc[i], a, end)
	}
	for _, pos := range c.blockMates(a.wholeBlocks, alloc) {
		c.book(pos, &NodeAlloc{}, a, end)
	}
	c.v.Ledger.Try(e.job, e.part.p.Name, alloc, runs, c.at)
	if got, ok := TakeLicenses(e.job.Need.Licenses, c.free); ok && !got.IsZero() {
		c.free = c.free.Minus(got)
	}
	if e.part.failed {
		c.behind++
	}
	if e.job.Throttle > 0 && e.job.ArrayID != 0 {
		if c.tasks == nil {
			c.tasks = make(map[slurm.JobID]int)
		}
		c.tasks[e.job.ArrayID]++
	}
	c.plan.Starts = append(c.plan.Starts, Start{Job: e.job.ID, Restarts: e.job.Restarts,
		Partition: e.part.p.Name, Alloc: alloc, Scheduler: c.t.name, TimeLimit: limit, Reservation: nameOf(a.resv)})
}

// book takes an allocation out of a room.
func (c *cycle) book(pos int, alloc *NodeAlloc, a *ask, end instant) {
	c.booked++
	r := &c.rooms[pos]
	h := holding{job: a.job.ID, resv: nameOf(a.resv), part: a.part.Name, uid: a.job.UID, whole: a.whole, user: a.ownUser, end: end, gres: alloc.Gres,
		load: load{cpus: alloc.CPUs, mem: alloc.Mem, gres: r.gresCounts(alloc.Gres), keeper: a.whole || a.ownUser}}
	if a.sharing > 1 {
		h.load.shared = alloc.CPUs
	}
	c.put(r, &h)
	c.tentative = append(c.tentative, tentative{pos, a.job.ID})
}

// note keeps what is to be told of a job. A job with several partitions is told
// the best of what they have to say.
func (c *cycle) note(e entry, w Why, start time.Time, nodes []NodeName) {
	if len(e.job.Partitions) <= 1 {
		c.waitIn(e.item, e.job, w, start, nodes)
		return
	}
	old, ok := c.outcomes[e.job]
	place := slices.Index(e.job.Partitions, e.part.p.Name)
	switch {
	case !ok, rank(w) > rank(old.why):
	case rank(w) == 0 && rank(old.why) == 0 && start.IsZero() && old.start.IsZero() && place > old.place:
		// Of those that cannot take it the last one it named has the word, as in Slurm.
	case rank(w) == rank(old.why) && !start.IsZero() && (old.start.IsZero() || start.Before(old.start)):
		w = old.why
	default:
		return
	}
	if c.outcomes == nil {
		c.outcomes = make(map[*Job]outcome)
	}
	c.outcomes[e.job] = outcome{w, start, nodes, place}
}

// rank says which of two reasons tells a job more: that it is in line somewhere
// before that it cannot be.
func rank(w Why) int {
	switch w.Reason {
	case slurm.ReasonResources:
		return 3
	case slurm.ReasonPriority:
		return 2
	case slurm.ReasonLicenses, slurm.ReasonJobArrayTaskLimit, slurm.ReasonReqNodeNotAvail, slurm.ReasonReservation:
		return 1
	}
	return 0
}

// tell reports on the jobs with several partitions that did not start, and on
// those that were passed over and have not been told why they wait.
func (c *cycle) tell() {
	if !c.full {
		c.tellNew()
	}
	if len(c.outcomes) > 0 {
		jobs := slices.SortedFunc(maps.Keys(c.outcomes), func(a, b *Job) int { return cmp.Compare(a.ID, b.ID) })
		for _, j := range jobs {
			if it := c.items[j.ID]; it != nil && !c.full && !c.done[j] {
				c.lookOver(it)
			}
			if o := c.outcomes[j]; !c.done[j] {
				c.wait(j, o.why, o.start, o.nodes)
			}
		}
	}
	c.asBefore()
	// What was booked is taken back: it is true once it has been committed.
	for _, t := range slices.Backward(c.tentative) {
		r := &c.rooms[t.pos]
		c.leave(r, t.job)
	}
	c.tentative = c.tentative[:0]
	c.v.Ledger.Undo(0)
}
