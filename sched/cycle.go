package sched

import (
	"cmp"
	"slices"
	"time"

	"github.com/runink/rink/slurm"
)

// Cycle decides which of the view's pending jobs start now, where, and why the
// others do not. It changes nothing it is given. Jobs are looked at in order of
// priority; a job that finds no room is promised the earliest room there will
// be, and no later job gets in the way of that.
func Cycle(v View, now time.Time) Plan {
	c := newCycle(v, now)
	for _, e := range c.order() {
		switch {
		case c.settled(e):
		case c.barred(e): // limits.go, licenses.go
		case c.place(e): // place.go
		default:
			c.reserve(e) // backfill.go
		}
	}
	c.tell()
	return c.plan
}

// entry is a job in the line of one of its partitions.
type entry struct {
	job  *Job
	part *part
	tier uint32
	last bool // the last of the job's partitions to be looked at
}

// cycle is one pass over the queue.
type cycle struct {
	field
	v       View
	now     time.Time
	byName  map[NodeName]int
	parts   map[PartitionName]*part
	claimed []bool // nodes of partitions with a job in line
	free    slurm.Licenses
	plan    Plan
	// refused holds the requests that found no room, with the shortest time they
	// asked for it. Room only shrinks during a cycle.
	refused   map[askKey]time.Duration
	dead      map[spanKey][]uint64   // rooms that turned a request down
	may       map[askKey]bool        // requests that could run on the nodes in service
	asked     *ask                   // the request looked at last
	hets      map[slurm.JobID][]*Job // heterogeneous jobs in line
	hetFailed map[slurm.JobID]bool   // those that found no room
	trial     *trial                 // what is being tried and may be taken back
	outcomes  map[*Job]outcome       // of jobs with several partitions
	done      map[*Job]bool          // jobs that started with all their tasks
	started   map[*Job]int           // tasks started of arrays
	booked    int                    // allocations made
	tests     int                    // requests that room was looked for
	passed    bool                   // the job at hand was passed over without a look
	times     []time.Time            // ends of running jobs
	timed     bool                   // those of all running jobs are in
	promised  int                    // jobs that are promised room
}

// spanKey is a request with the time it wants.
type spanKey struct {
	askKey
	span time.Duration
}

// outcome is what is told of a job that does not start.
type outcome struct {
	why   Why
	start time.Time
	nodes []NodeName
}

// maxLooks bounds how many nodes one cycle looks at. What is not reached in it
// waits for the next one.
const maxLooks = 20_000_000

func newCycle(v View, now time.Time) *cycle {
	c := &cycle{v: v, now: now,
		byName: make(map[NodeName]int, len(v.Nodes)), parts: make(map[PartitionName]*part),
		claimed: make([]bool, len(v.Nodes)), refused: make(map[askKey]time.Duration),
		dead: make(map[spanKey][]uint64), may: make(map[askKey]bool),
		outcomes: make(map[*Job]outcome), done: make(map[*Job]bool), started: make(map[*Job]int),
		hets: make(map[slurm.JobID][]*Job)}
	c.t = tuningOf(v.Config)
	c.from = now
	c.free = v.LicensesAll.Minus(v.LicensesUsed)
	c.rooms = make([]room, len(v.Nodes))
	for i, n := range v.Nodes {
		c.rooms[i] = newRoom(n, i)
		c.byName[n.Name] = i
	}
	c.occupy()
	return c
}

// occupy notes whose jobs are on each node and which of them share CPUs.
func (c *cycle) occupy() {
	seen := make([]bool, len(c.rooms))
	for _, j := range c.v.Running {
		p := c.v.Config.Partition(j.Partition)
		factor, bounded := ShareLimit(c.t.cfg, j, p), p != nil && p.MaxCPUsPerNode > 0
		whole, user := Exclusivity(c.t.cfg, j, p)
		for i := range j.Alloc {
			a := &j.Alloc[i]
			pos, ok := c.byName[a.Node]
			if !ok || !holdsNode(j, a.Node) {
				continue
			}
			r := &c.rooms[pos]
			r.mixed = r.mixed || seen[pos] && r.uid != j.UID
			r.uid, seen[pos] = j.UID, true
			if factor > 1 && !j.CPUsFree {
				r.shared += a.CPUs
			}
			if whole || user {
				r.keepers++
				r.owned = !whole
			}
			if bounded && !j.CPUsFree {
				if r.byPart == nil {
					r.byPart = make(map[PartitionName]int)
				}
				r.byPart[p.Name] += a.CPUs
			}
		}
	}
}

// order returns the jobs to look at, those of partitions of a higher tier
// first, then by priority, then by age. What waits for a time, another job or a
// release is told so and left out.
func (c *cycle) order() []entry {
	line := make([]entry, 0, len(c.v.Pending))
	held := make(map[slurm.JobID]Why) // heterogeneous jobs with a component that is held back
	for _, j := range c.v.Pending {
		if !j.IsPending() {
			continue
		}
		if c.late(j) {
			continue
		}
		if w, due := heldBack(j, c.now); !w.IsZero() {
			c.againBy(due)
			c.wait(j, w, laterOf(j.Begin, due, c.now), nil)
			if j.HetID != 0 {
				held[j.HetID] = w
			}
			continue
		}
		before := len(line)
		line = c.enter(line, j)
		if j.HetID != 0 {
			c.hets[j.HetID] = append(c.hets[j.HetID], j)
		}
		if len(line) == before {
			c.wait(j, because(slurm.ReasonPartitionDown), time.Time{}, nil)
			continue
		}
	}
	if len(held) > 0 {
		line = slices.DeleteFunc(line, func(e entry) bool {
			w, ok := held[e.job.HetID]
			if ok && e.job.HetID != 0 {
				c.wait(e.job, w, time.Time{}, nil)
			}
			return ok && e.job.HetID != 0
		})
	}
	less := func(a, b entry) int {
		return cmp.Or(cmp.Compare(b.tier, a.tier), cmp.Compare(b.job.Priority, a.job.Priority),
			a.job.Submit.Compare(b.job.Submit), cmp.Compare(a.job.ID, b.job.ID))
	}
	if !slices.IsSortedFunc(line, less) {
		slices.SortStableFunc(line, less)
	}
	return line
}

// late notes a job that can no longer end by its deadline: one with a limit needs
// the time of its limit, or the least it asked for.
func (c *cycle) late(j *Job) bool {
	deadline := specOf(j).Deadline
	if deadline.IsZero() {
		return false
	}
	least := time.Duration(0)
	switch {
	case j.TimeMin > 0:
		least = span(j.TimeMin)
	case j.TimeLimit != slurm.Unlimited:
		least = span(j.TimeLimit)
	}
	if last := deadline.Add(-least); !last.Before(c.now) {
		c.againBy(last.Add(time.Second))
		return false
	}
	c.plan.Late = append(c.plan.Late, j.ID)
	return true
}

// enter adds a job's places in the lines of its partitions.
func (c *cycle) enter(line []entry, j *Job) []entry {
	if len(j.Partitions) == 0 {
		if p := c.part(j.Partition); p != nil {
			line = append(line, entry{job: j, part: p, tier: p.p.PriorityTier})
		}
	}
	for _, name := range j.Partitions {
		if p := c.part(name); p != nil {
			line = append(line, entry{job: j, part: p, tier: p.p.PriorityTier})
		}
	}
	return line
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
	if !t.IsZero() && t.After(c.now) && (c.plan.Next.IsZero() || t.Before(c.plan.Next)) {
		c.plan.Next = t
	}
}

// settled reports whether a job has been dealt with already: it started in
// another partition, or with the other components of its heterogeneous job.
func (c *cycle) settled(e entry) bool { return c.done[e.job] }

// barred tells a job why, whatever is free, it cannot start in this partition
// now.
func (c *cycle) barred(e entry) bool {
	j := e.job
	if j.HetID != 0 {
		return false // its components are looked at together
	}
	w := partitionBars(j, e.part.p, e.part.size)
	if w.IsZero() && !j.Need.Licenses.IsZero() {
		if _, ok := TakeLicenses(j.Need.Licenses, c.free); !ok {
			w = because(slurm.ReasonLicenses, c.missingLicenses(j)...)
		}
	}
	if w.IsZero() && j.IsArrayRest() {
		if most, _ := throttled(j, c.v.RunningTasks[j.ArrayID]+c.started[j]); most == 0 {
			w = because(slurm.ReasonJobArrayTaskLimit)
		}
	}
	if w.IsZero() {
		return false
	}
	c.note(e, w, time.Time{}, nil)
	return true
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
	if j.HetID != 0 {
		return c.placeHet(j.HetID)
	}
	c.passed = c.t.fifo && e.part.failed || c.looks > maxLooks || c.tests >= c.t.maxTests
	if c.passed || e.part.open == 0 {
		return false
	}
	a := c.ask(e)
	if !j.IsArrayRest() {
		alloc, limit := c.fit(a, e.part)
		if alloc == nil {
			return false
		}
		c.start(e, a, alloc, limit)
		c.done[j] = true
		return true
	}
	before := c.started[j] // in another partition
	most, bound := throttled(j, c.v.RunningTasks[j.ArrayID]+before)
	n := 0
	for task := range j.Tasks.All() {
		if n++; n <= before {
			continue
		}
		if n-before > most {
			break
		}
		if _, ok := TakeLicenses(j.Need.Licenses, c.free); !ok {
			c.note(e, because(slurm.ReasonLicenses, c.missingLicenses(j)...), time.Time{}, nil)
			return true
		}
		alloc, limit := c.fit(a, e.part)
		if alloc == nil {
			return false
		}
		c.start(e, a, alloc, limit)
		start := &c.plan.Starts[len(c.plan.Starts)-1]
		start.Task, start.IsTask = task, true
		c.started[j]++
	}
	switch {
	case c.started[j] == j.Tasks.Len():
		c.done[j] = true
	case bound:
		c.note(e, because(slurm.ReasonJobArrayTaskLimit), time.Time{}, nil)
	}
	return true
}

// ask returns the request of a job for the partition of the entry.
func (c *cycle) ask(e entry) *ask {
	if a := c.asked; a == nil || a.job != e.job || a.part != e.part.p {
		c.asked = newAsk(e.job, e.part.p, c.t)
	}
	return c.asked
}

// start notes a start and books what it takes.
func (c *cycle) start(e entry, a *ask, alloc []NodeAlloc, limit slurm.Duration) {
	end := c.now.Add(a.span)
	for i := range alloc {
		pos := c.byName[alloc[i].Node]
		c.book(pos, alloc[i], a)
		c.giveBack(pos, end, a.part.Name, &alloc[i], alloc[i].CPUs, a.sharing > 1, a.whole || a.ownUser)
	}
	c.noteTime(end)
	if got, ok := TakeLicenses(e.job.Need.Licenses, c.free); ok {
		c.free = c.free.Minus(got)
	}
	c.plan.Starts = append(c.plan.Starts, Start{Job: e.job.ID, Restarts: e.job.Restarts,
		Partition: e.part.p.Name, Alloc: alloc, Scheduler: c.t.name, TimeLimit: limit})
}

// book takes an allocation out of a room and keeps the rungs in step.
func (c *cycle) book(pos int, alloc NodeAlloc, a *ask) {
	c.booked++
	r := &c.rooms[pos]
	if c.trial != nil {
		c.trial.rooms = append(c.trial.rooms, savedRoom{pos, r.saved()})
	}
	before := r.cpus
	r.take(alloc, a)
	if r.cpus != before {
		for _, s := range r.spots {
			s.rung.drop(s.at, before)
			s.rung.put(s.at, r.cpus)
		}
	}
}

// note keeps what is to be told of a job. A job with several partitions is told
// the best of what they have to say.
func (c *cycle) note(e entry, w Why, start time.Time, nodes []NodeName) {
	if len(e.job.Partitions) <= 1 {
		c.wait(e.job, w, start, nodes)
		return
	}
	old, ok := c.outcomes[e.job]
	switch {
	case !ok, rank(w) > rank(old.why):
	case rank(w) == rank(old.why) && !start.IsZero() && (old.start.IsZero() || start.Before(old.start)):
		w = old.why
	default:
		return
	}
	c.outcomes[e.job] = outcome{w, start, nodes}
}

// rank says which of two reasons tells a job more: that it is in line somewhere
// before that it cannot be.
func rank(w Why) int {
	switch w.Reason {
	case slurm.ReasonResources:
		return 3
	case slurm.ReasonPriority:
		return 2
	case slurm.ReasonLicenses, slurm.ReasonJobArrayTaskLimit, slurm.ReasonReqNodeNotAvail:
		return 1
	}
	return 0
}

// tell reports on the jobs with several partitions that did not start.
func (c *cycle) tell() {
	for _, j := range c.v.Pending {
		if o, ok := c.outcomes[j]; ok && !c.done[j] {
			c.wait(j, o.why, o.start, o.nodes)
		}
	}
}
