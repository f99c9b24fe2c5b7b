package sched

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/runink/rink/slurm"
)

// Scheduler is the queue and the nodes as deciding needs them, kept from one pass
// to the next: a change of a job or a node costs what it changes, and not the
// length of the queue. It is told of changes in the order they happened; it is
// not for several goroutines at once.
type Scheduler struct {
	field
	v      View // as of the last Load: configuration, licences, accounts
	byName map[NodeName]int
	parts  map[PartitionName]*part

	items   map[slurm.JobID]*item // jobs in line
	aside   map[slurm.JobID]*Job  // jobs that wait for a time, another job or a release
	crowd   int                   // how many these were at most since the last pass
	tooLate []slurm.JobID         // jobs past their deadline
	dues    dueHeap               // when time alone may put one of those in line
	lanes   map[laneKey]*lane
	order   []*lane                 // in the order they came to be
	news    map[slurm.JobID]*item   // in line and never told anything
	again   map[slurm.JobID]instant // in line and to be told again then

	holding      map[slurm.JobID]*Job // jobs that hold resources
	ends         dueHeap              // their expected ends
	runningTasks map[slurm.JobID]int
	used         slurm.Licenses
	hets         map[slurm.JobID][]*Job // components that wait

	shapes       map[askKey]*shape
	tested, seen int     // requests tried and jobs looked at in the last pass
	promised     []*item // those that are promised room
	counts       promiseCount
	sweep        sweep
	tentative    []tentative // booked in the present pass
	giving       giving      // who gives way to whom
	pass         uint64      // number of the present pass
	loosened     uint64      // counts what is no longer promised or held
	opening      uint64      // counts changes of which nodes are in service
	gained       []int       // rooms that have more to give than the last pass saw
	gains        gains       // what they have
	arrived      []*item     // in line since the last pass
	asides       []*aside    // of the present pass
	calmAt       uint64      // the opening as of which calm jobs are known; 0: they are not
	limited      bool        // a limit kept a job out since the last full pass
	unbarred     bool        // what was barred then may not be any more
	last         cycle       // the last pass: its memory is used again
	steps        []cursor    // likewise
	fresh        ask         // likewise, of the job that is put in line
	fore         *foresight  // nil: the policy does without
	pace         pacing      // paced.go
	stale        bool
	early        bool                     // a job ended before it had to since the last pass
	resvTurns                             // resv_pass.go
	waits        map[slurm.JobID]wideWait // of jobs that were taken out of line; near_wait.go
	waitEnds     map[slurm.JobID]instant  // when the waits of those in line are over
}

// shape is a request as its equals share it.
type shape struct {
	ask  ask
	key  askKey
	refs int
	want demand
	// refused is the pass in which it found no room for least or longer.
	refused uint64
	least   time.Duration
	// may is whether the nodes in service could hold it, as of opening mayAt.
	may   bool
	mayAt uint64
	// dead are the rooms that turned it down in pass deadAt for deadSpan.
	dead     []uint64
	deadAt   uint64
	deadSpan time.Duration
	// floors are when there was none before, as of pass floorsAt.
	floors             []floor
	floorsAt, floorsOf uint64
}

// NewScheduler returns a scheduler that knows what the view shows.
func NewScheduler(v View) *Scheduler {
	s := &Scheduler{}
	s.Load(v)
	return s
}

// Load makes the scheduler forget what it knew and take the view for true.
func (s *Scheduler) Load(v View) {
	pass, fore, waits := s.pass, s.fore, s.waitsOf(v.Pending)
	*s = Scheduler{v: v, byName: make(map[NodeName]int, len(v.Nodes)), parts: make(map[PartitionName]*part),
		items: make(map[slurm.JobID]*item), aside: make(map[slurm.JobID]*Job), lanes: make(map[laneKey]*lane),
		news: make(map[slurm.JobID]*item), again: make(map[slurm.JobID]instant),
		holding: make(map[slurm.JobID]*Job, len(v.Running)), runningTasks: maps.Clone(v.RunningTasks),
		hets: make(map[slurm.JobID][]*Job), shapes: make(map[askKey]*shape), counts: newPromiseCount(boundsOf(conf(v.Config))), used: v.LicensesUsed, pass: pass, opening: 1, waits: waits}
	if s.runningTasks == nil {
		s.runningTasks = make(map[slurm.JobID]int)
	}
	s.t = tuningOf(v.Config)
	s.t.qos = traitsOf(v.Accounts)
	s.rooms = make([]room, len(v.Nodes))
	for i, n := range v.Nodes {
		s.rooms[i] = emptyRoom(n, i)
		s.rooms[i].open = n.Usable()
		s.byName[n.Name] = i
	}
	s.v.Ledger.Adopt(v.Running, v.Pending)
	if s.t.policy.foresight {
		var pred *Predictor
		if fore != nil {
			pred = fore.pred
		}
		s.fore = newForesight(pred)
		s.fore.measure(s.rooms)
	}
	for _, j := range v.Running {
		s.holding[j.ID] = j
		s.foresee(nil, j)
		s.settle(j)
	}
	for _, j := range v.Pending {
		if j.IsPending() {
			s.queue(j)
		}
	}
	// The view's lists are not kept: they grow with the queue.
	s.v.Pending, s.v.Running, s.v.Nodes, s.v.RunningTasks = nil, nil, nil, nil
}

// Stale reports whether something changed that only Load can take in: the nodes
// there are, or what they have.
func (s *Scheduler) Stale() bool { return s.stale }

// Paused reports whether any job is suspended to make room for another.
func (s *Scheduler) Paused() bool {
	for _, j := range s.giving.gone {
		if j.GaveWay() {
			return true
		}
	}
	return false
}

// Waiting returns how many records wait for a start.
func (s *Scheduler) Waiting() int { return len(s.items) + len(s.aside) }

// Pending returns the record of a job that waits for a start, or nil.
func (s *Scheduler) Pending(id slurm.JobID) *Job {
	if it := s.items[id]; it != nil {
		return it.job
	}
	return s.aside[id]
}

// Nodes returns the names of the nodes it knows, in order.
func (s *Scheduler) Nodes() []NodeName {
	names := make([]NodeName, len(s.rooms))
	for i := range s.rooms {
		names[i] = s.rooms[i].n.Name
	}
	return names
}

// Job tells of a change of a job's record; old is nil for a new one, and now nil
// for one that is no longer there.
func (s *Scheduler) Job(old, now *Job) {
	s.pace.moved = true
	s.freed(old, now)
	s.countLimits(old, now) // ledger_pass.go
	s.foresee(old, now)     // foresight.go
	if old != nil && now != nil && old.IsPending() && now.IsPending() && s.swap(old, now) {
		return
	}
	if old != nil && now != nil && old.Holds() && old.State == now.State && old.End.Equal(now.End) && len(old.Alloc) == len(now.Alloc) &&
		old.CPUsFree == now.CPUsFree && len(old.Completing) == len(now.Completing) {
		s.holding[now.ID] = now // its steps changed, or its words, or its licences
		if !sameLicenses(old, now) {
			s.used = PlusLicenses(MinusLicenses(s.used, old.LicensesUsed), now.LicensesUsed)
		}
		return
	}
	if old != nil && old.IsRunning() && (now == nil || !now.IsRunning() && now.End.Before(old.End)) {
		s.early = true
	}
	if old != nil {
		if hasBegun(old) {
			s.countTask(old, -1)
		}
		if old.Holds() {
			s.vacate(old)
			delete(s.holding, old.ID)
			s.used = MinusLicenses(s.used, old.LicensesUsed)
		}
		if old.IsPending() {
			s.unqueue(old)
		}
		s.forgetWait(old, now) // near_wait.go
	}
	if now != nil {
		if hasBegun(now) {
			s.countTask(now, 1)
		}
		if now.Holds() {
			s.holding[now.ID] = now
			s.settle(now)
			s.used = PlusLicenses(s.used, now.LicensesUsed)
		}
		if now.IsPending() {
			s.queue(now)
		}
	}
}

// hasBegun reports whether a record has started and not ended.
func hasBegun(j *Job) bool { return j.IsRunning() || j.IsSuspended() }

func (s *Scheduler) countTask(j *Job, by int) {
	if j.ArrayID == 0 {
		return
	}
	if s.runningTasks[j.ArrayID] += by; s.runningTasks[j.ArrayID] == 0 {
		delete(s.runningTasks, j.ArrayID)
	}
}

// swap takes a new record of a job that stays where it is in line.
func (s *Scheduler) swap(old, now *Job) bool {
	it := s.items[now.ID]
	same := old.Priority == now.Priority && old.Spec == now.Spec && old.TimeLimit == now.TimeLimit && old.TimeMin == now.TimeMin &&
		old.HeldBy == now.HeldBy && old.Begin.Equal(now.Begin) && old.HetID == now.HetID && old.Restarts == now.Restarts &&
		old.QOS == now.QOS && old.RoomMade.Equal(now.RoomMade) && old.Account == now.Account && old.IsArrayRest() == now.IsArrayRest() &&
		len(old.Deps) == len(now.Deps) && slices.Equal(old.Partitions, now.Partitions) && old.Partition == now.Partition && old.Need.same(&now.Need)
	if it == nil || !same || len(now.Deps) > 0 || now.HetID != 0 {
		return false
	}
	it.job = now
	if it.fresh && !now.LastSched.IsZero() {
		it.fresh = false
		delete(s.news, now.ID)
	}
	return true
}

// same reports whether two requests are the same numbers, as far as they are
// cheap to compare.
func (n *Need) same(o *Need) bool {
	return n.MinNodes == o.MinNodes && n.MaxNodes == o.MaxNodes && n.Tasks == o.Tasks && n.CPUs == o.CPUs && n.CPUsPerTask == o.CPUsPerTask &&
		n.TasksPerNode == o.TasksPerNode && n.MinCPUsNode == o.MinCPUsNode && n.MemPerNode == o.MemPerNode && n.MemPerCPU == o.MemPerCPU &&
		n.MemAllOfNode == o.MemAllOfNode && n.TmpDisk == o.TmpDisk && slices.Equal(n.NodeList, o.NodeList) && slices.Equal(n.Exclude, o.Exclude) &&
		slices.Equal(n.GresPerNode, o.GresPerNode) && slices.Equal(n.GresPerJob, o.GresPerJob) && slices.Equal(n.GresPerTask, o.GresPerTask) &&
		n.Contiguous == o.Contiguous && n.Exclusive == o.Exclusive && n.Share == o.Share && n.OverCommit == o.OverCommit &&
		n.Features.String() == o.Features.String() && n.Licenses.String() == o.Licenses.String()
}

// Node tells of a change of a node's record.
func (s *Scheduler) Node(n *Node) {
	pos, ok := s.byName[n.Name]
	if !ok {
		s.stale = true
		return
	}
	r := &s.rooms[pos]
	old := r.n
	if old == n {
		return
	}
	if old.CPUs != n.CPUs || old.Memory != n.Memory || old.TmpDisk != n.TmpDisk || old.placeWeight() != n.placeWeight() || old.CoreSpec != n.CoreSpec ||
		old.Sockets != n.Sockets || old.Cores != n.Cores || old.Threads != n.Threads || old.Index != n.Index ||
		!slices.Equal(old.Features, n.Features) || !slices.EqualFunc(old.Gres, n.Gres, sameNodeGres) {
		s.stale = true
		return
	}
	r.n = n
	s.setOpen(r, n.Usable())
}

func sameNodeGres(a, b NodeGres) bool {
	return a.Name == b.Name && a.Type == b.Type && a.Count == b.Count && a.Cores == b.Cores && slices.Equal(a.Files, b.Files) && slices.Equal(a.Near, b.Near) &&
		slices.EqualFunc(a.Links, b.Links, slices.Equal) && slices.Equal(a.Numbers, b.Numbers) && slices.Equal(a.Sick, b.Sick)
}

// Reach tells whether a node can be reached just now. The state does not know of
// it; while a node cannot be reached nothing is started there.
func (s *Scheduler) Reach(name NodeName, can bool) {
	pos, ok := s.byName[name]
	if !ok {
		return
	}
	r := &s.rooms[pos]
	r.away = !can
	s.setOpen(r, r.n.Usable())
}

func (s *Scheduler) setOpen(r *room, open bool) {
	open = open && (!r.away || r.n.Asleep())
	if open == r.open {
		return
	}
	s.opening++
	s.pace.moved = true
	if !open {
		s.leaveRungs(r)
	}
	r.open = open
	if open {
		s.joinRungs(r)
		s.gain(r)
	}
	s.touch(r)
}

// settle books what a job holds on its nodes.
func (s *Scheduler) settle(j *Job) {
	p := s.v.Config.Partition(j.Partition)
	factor := ShareLimit(s.v.Config, j, p)
	whole, user := Exclusivity(s.v.Config, j, p)
	end := s.endIn(j, endOf(j))
	for i := range j.Alloc {
		a := &j.Alloc[i]
		pos, ok := s.byName[a.Node]
		if !ok || !holdsNode(j, a.Node) {
			continue
		}
		r := &s.rooms[pos]
		h := holding{job: j.ID, resv: j.Resv, part: j.Partition, uid: j.UID, whole: whole, user: user, end: end, gres: a.Gres, cpuIDs: a.CPUIDs, cpusFree: j.CPUsFree,
			load: load{cpus: a.CPUs, mem: a.Mem, gres: r.gresCounts(a.Gres), keeper: whole || user}}
		if j.Aside() {
			// Its devices stay in use, so that a job that wants the node whole cannot have it.
			h.whole, h.user, h.load.keeper, h.load.silent = false, false, false, len(a.Gres) == 0
		}
		if j.CPUsFree {
			h.load.cpus = 0
		}
		if factor > 1 {
			h.load.shared = h.load.cpus
		}
		s.put(r, &h)
	}
	s.keepMates(j, end)
	s.ends.push(due{end, j.ID})
	s.giving.holds(j)
}

// vacate gives back what a job held.
func (s *Scheduler) vacate(j *Job) {
	s.giving.heldNoMore(j)
	for i := range j.Alloc {
		if pos, ok := s.byName[j.Alloc[i].Node]; ok && holdsNode(j, j.Alloc[i].Node) {
			r := &s.rooms[pos]
			s.loosened++
			s.leave(r, j.ID)
			s.gain(r)
		}
	}
	s.leaveMates(j)
}

// gain notes that a room has more to give.
func (s *Scheduler) gain(r *room) {
	if !r.more {
		r.more = true
		s.gained = append(s.gained, r.pos)
	}
}

// put notes that a job is on a node, and keeps what is known of that in step.
func (s *Scheduler) put(r *room, h *holding) {
	before, mem, idle := r.cpus, r.mem, len(r.held) == 0
	r.put(h)
	s.changed(r, before, mem, idle)
}

// leave notes that a job is on a node no more.
func (s *Scheduler) leave(r *room, id slurm.JobID) {
	before, mem, idle := r.cpus, r.mem, len(r.held) == 0
	r.leave(id)
	s.changed(r, before, mem, idle)
}

// changed keeps what is known of a room in step, which had so much free before.
func (s *Scheduler) changed(r *room, before int, mem slurm.MB, idle bool) {
	if r.open && (r.cpus != before || r.mem != mem || idle != (len(r.held) == 0)) {
		for _, at := range r.spots {
			at.rung.part.count(before, mem, idle, -1)
			at.rung.part.count(r.cpus, r.mem, len(r.held) == 0, 1)
			at.rung.drop(at.at, before)
			at.rung.put(at.at, r.cpus)
		}
	}
	s.touch(r)
}

// touch notes that the outlook on a room has changed.
func (s *Scheduler) touch(r *room) {
	r.rev++
	for _, at := range r.seats {
		at.o.touch(at.leaf)
	}
}

// soon is how long a job is taken to stay that should be gone already.
const soon = 5 * time.Second

// endOf is when a job that holds resources is expected to give them back. One
// without a limit counts as ending a little before any that would start after
// it, so that none of those gets in the way of a job that waits for it.
func endOf(j *Job) instant {
	switch {
	case j.IsCompleting():
		return instantOf(j.End).plus(soon)
	case j.IsSuspended():
		return instantOf(cmp.Or(j.Suspended, j.Start)).plus(unlimitedSpan - 24*time.Hour)
	case j.End.IsZero():
		return instantOf(j.Start).plus(unlimitedSpan - 24*time.Hour)
	}
	return instantOf(j.End)
}

// overdue puts the ends of jobs that should be gone a moment further off.
func (s *Scheduler) overdue(now instant) {
	for len(s.ends) > 0 && s.ends[0].at <= now {
		d := s.ends.pop()
		j := s.holding[d.job]
		if j == nil {
			continue
		}
		later := now.plus(soon)
		found := false
		for _, pos := range s.matesOf(j) {
			s.rooms[pos].extend(j.ID, later)
			s.touch(&s.rooms[pos])
		}
		for i := range j.Alloc {
			if pos, ok := s.byName[j.Alloc[i].Node]; ok {
				r := &s.rooms[pos]
				for k := range r.held {
					if h := &r.held[k]; h.job == j.ID && h.end <= now {
						r.extend(j.ID, later)
						s.touch(r)
						found = true
					}
				}
			}
		}
		if found {
			s.ends.push(due{later, j.ID})
		}
	}
}

// queue puts a pending job in line, or aside while it waits for a time, another
// job or a release.
func (s *Scheduler) queue(j *Job) {
	s.aside[j.ID] = j
	s.crowd = max(s.crowd, len(s.aside))
	s.dues.push(due{always, j.ID}) // the next pass looks at it
	if j.HetID == 0 {
		return
	}
	// The components of a heterogeneous job are in line together or not at all.
	for _, o := range s.hets[j.HetID] {
		if it := s.items[o.ID]; it != nil {
			s.takeOut(it)
			s.aside[o.ID] = o
		}
		s.dues.push(due{always, o.ID})
	}
	s.hets[j.HetID] = append(s.hets[j.HetID], j)
}

func (s *Scheduler) unqueue(j *Job) {
	delete(s.aside, j.ID)
	if it := s.items[j.ID]; it != nil {
		s.takeOut(it)
	}
	if j.HetID != 0 {
		list := slices.DeleteFunc(s.hets[j.HetID], func(o *Job) bool { return o.ID == j.ID })
		if s.hets[j.HetID] = list; len(list) == 0 {
			delete(s.hets, j.HetID)
		}
	}
}

// takeOut removes an item from the line with what is promised to it.
func (s *Scheduler) takeOut(it *item) {
	s.lift(it)
	s.keepWait(it)
	it.gone = true
	if s.fore != nil {
		s.fore.left(it.job.ID)
	}
	for i, sh := range it.shapes {
		if sh.refs--; sh.refs == 0 {
			delete(s.shapes, sh.key)
		}
		it.shapes[i] = nil
	}
	it.lane.remove(it)
	s.giving.takenOut(it)
	delete(s.items, it.job.ID)
	delete(s.news, it.job.ID)
	delete(s.again, it.job.ID)
	delete(s.waitEnds, it.job.ID)
}

// enter puts a job into the line of its partitions.
func (s *Scheduler) enter(j *Job) bool {
	parts := s.partsOf(j)
	if len(parts) == 0 {
		return false
	}
	it := &item{job: j, id: j.ID, came: s.pass, rank: s.t.policy.rank(j), submit: instantOf(j.Submit), fresh: j.LastSched.IsZero(), joint: j.HetID != 0}
	if it.shapes = it.alone[:]; len(parts) > 1 {
		it.shapes = make([]*shape, len(parts))
	}
	it.wideWait = s.waits[j.ID]
	it.told = told{reason: j.Reason, text: j.ReasonText, start: instantOf(j.Start)}
	for i, p := range parts {
		sh := s.shapeOf(j, p)
		it.shapes[i] = sh
		if i == 0 {
			it.want = sh.want
		} else {
			it.want.least(&sh.want)
		}
	}
	it.want.lasts(span(j.TimeLimit))
	if j.TimeMin > 0 {
		it.want.lasts(min(it.want.span, span(j.TimeMin)))
	}
	if f := s.fore; f != nil {
		f.arrived(it, len(s.rooms))
		if multifactor(s.v.Config) || specOf(j).Given["priority"] {
			it.first = float64(j.Priority)
		}
		if x := it.fore; x != nil {
			it.place, it.rank = f.placeOf(x, max(x.since, f.twin.now))
		}
	}
	s.laneOf(j, it, parts).add(it)
	s.items[j.ID] = it
	s.arrived = append(s.arrived, it)
	s.giving.enters(it)
	if it.fresh {
		s.news[j.ID] = it
	}
	if deadline := specOf(j).Deadline; !deadline.IsZero() {
		s.dues.push(due{instantOf(deadline.Add(-leastSpan(j))).plus(time.Second), j.ID})
	}
	return true
}

// laneOf returns the lane that an item stands in.
func (s *Scheduler) laneOf(j *Job, it *item, parts []*part) *lane {
	key := laneKey{parts: string(parts[0].p.Name), size: it.want.rough()}
	for _, p := range parts[1:] {
		key.parts += "," + string(p.p.Name)
	}
	if l := s.lanes[key]; l != nil {
		return l
	}
	l := &lane{key: key, parts: parts}
	if s.t.policy.shortFirst {
		l.short = &lane{key: key, parts: l.parts, byLimit: true}
	}
	s.lanes[key] = l
	s.order = append(s.order, l)
	return l
}

// shapeOf returns the shape of a job's request for a partition.
func (s *Scheduler) shapeOf(j *Job, p *part) *shape {
	a := &s.fresh
	a.read(j, p.p, s.t)
	key := a.key()
	sh := s.shapes[key]
	if sh == nil {
		sh = &shape{ask: *a, key: key, want: a.demand(p)}
		sh.want.mem = memOf(a, s.t)
		sh.ask.shape = sh
		s.shapes[key] = sh
	}
	sh.refs++
	return sh
}

// wake moves on the jobs aside for which it is time.
func (c *cycle) wake() {
	for _, id := range c.tooLate { // until they are gone
		c.dues.push(due{always, id})
	}
	c.tooLate = c.tooLate[:0]
	for len(c.dues) > 0 && c.dues[0].at <= c.now {
		d := c.dues.pop()
		j := c.aside[d.job]
		if it := c.items[d.job]; it != nil && j == nil {
			if c.late(it.job) { // its deadline has come while it stood in line
				c.tooLate = append(c.tooLate, d.job)
			}
			continue
		}
		if j == nil {
			continue
		}
		if c.late(j) {
			c.tooLate = append(c.tooLate, d.job)
			continue
		}
		w, at := heldBack(j, c.at)
		for _, o := range c.hets[j.HetID] {
			if w.IsZero() && j.HetID != 0 && o.ID != j.ID {
				w, at = heldBack(o, c.at)
			}
		}
		if !w.IsZero() {
			c.againBy(at)
			if !at.IsZero() {
				c.dues.push(due{instantOf(at), j.ID})
			}
			c.wait(j, w, laterOf(j.Begin, at, c.at), nil)
			continue
		}
		delete(c.aside, d.job)
		if !c.enter(j) {
			c.aside[d.job] = j
			c.wait(j, because(slurm.ReasonPartitionDown), time.Time{}, nil)
		}
	}
	if len(c.dues) > 0 && c.dues[0].at != always {
		c.againBy(c.dues[0].at.time())
	}
	// What a flood of jobs went through is not kept for the next one.
	if len(c.aside) == 0 && c.crowd > keptCrowd {
		c.aside = make(map[slurm.JobID]*Job)
	}
	if c.crowd = len(c.aside); len(c.dues) < cap(c.dues)/4 && cap(c.dues) > keptCrowd {
		c.dues = slices.Clone(c.dues)
	}
}

// part returns a partition as the scheduler works with it, nil when there is
// none of that name.
func (s *Scheduler) part(name PartitionName) *part {
	if p, ok := s.parts[name]; ok {
		return p
	}
	conf := s.v.Config.Partition(name)
	if conf == nil {
		s.parts[name] = nil
		return nil
	}
	p := newPart(conf, &s.field, s.byName, s.t)
	s.parts[name] = p
	return p
}
