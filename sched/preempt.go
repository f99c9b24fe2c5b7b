package sched

import (
	"cmp"
	"maps"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/runink/rink/slurm"
)

// giving is what the scheduler knows of jobs that give way to others.
type giving struct {
	gone map[slurm.JobID]*Job  // jobs that hold resources and were told to give way
	made map[slurm.JobID]*item // jobs in line to which others gave way

	// Of the present pass.
	pass   uint64
	rules  preemptRules
	listed bool // cands are known
	lent   map[slurm.JobID]bool
	cands  []*candidate // lowest first
	paused []*Job       // suspended to make room, the most important first
	vain   map[vainKey]time.Duration
	served map[*Job]bool // jobs that room is being made for
	tests  int
	undo   []changedRoom
	// licenses are kept for jobs that room is made for.
	licenses map[slurm.JobID]slurm.Licenses
}

// vainKey tells apart requests that may fare differently when others give way.
type vainKey struct {
	*shape
	qos string
}

// changedRoom is what a job held in a room before the pass changed its end.
type changedRoom struct {
	pos int
	was holding
}

// candidate is a running job that could give way, or all components of a
// heterogeneous one.
type candidate struct {
	jobs  []*Job
	mode  PreemptMode
	word  preemptWord
	grace time.Duration
	rank  uint64
	cpus  int
	gone  bool // chosen in this pass
	lent  bool // it is beyond its herd's quota, and gives way to those who lend
}

// maxPreemptTests bounds how often one pass looks for room that others would
// leave.
const maxPreemptTests = 1000

// roomMadeFor is how long what others left is kept for the job they left it to.
const roomMadeFor = time.Minute

func (g *giving) holds(j *Job) {
	if j.PreemptedFor == 0 {
		return
	}
	if g.gone == nil {
		g.gone = make(map[slurm.JobID]*Job)
	}
	g.gone[j.ID] = j
}

func (g *giving) heldNoMore(j *Job) { delete(g.gone, j.ID) }

func (g *giving) enters(it *item) {
	if it.job.RoomMade.IsZero() {
		return
	}
	if g.made == nil {
		g.made = make(map[slurm.JobID]*item)
	}
	g.made[it.job.ID] = it
}

func (g *giving) takenOut(it *item) { delete(g.made, it.job.ID) }

// giveTurns begins a pass: what others left, or are about to leave, is promised to
// those for whom they do before anybody is placed.
func (c *cycle) giveTurns() {
	g := &c.giving
	*g = giving{gone: g.gone, made: g.made, pass: c.pass, rules: preemptRulesOf(c.v.Config)}
	g.rules.byQuota = c.v.Ledger != nil && c.v.Ledger.reclaims()
	if len(g.gone)+len(g.made) == 0 {
		return
	}
	for _, id := range slices.Sorted(maps.Keys(g.gone)) {
		if j := g.gone[id]; j.GaveWay() {
			g.paused = append(g.paused, j)
		}
	}
	slices.SortFunc(g.paused, func(a, b *Job) int {
		return cmp.Or(cmp.Compare(c.rankOf(b), c.rankOf(a)), cmp.Compare(b.Priority, a.Priority), cmp.Compare(a.ID, b.ID))
	})
	for _, id := range slices.Sorted(maps.Keys(g.made)) {
		it := g.made[id]
		if !c.roomMade(it.job) {
			continue
		}
		c.keepLicenses(it.job)
		if it.promise != nil {
			continue
		}
		at := c.leftBy(id)
		for _, e := range c.places(it.job) {
			a := c.ask(e)
			if alloc := c.asMade(a, e.part, at); alloc != nil {
				c.promise(it, a, at, alloc)
				break
			}
		}
	}
}

// roomMade reports whether others gave way to a job that has not started since.
func (c *cycle) roomMade(j *Job) bool {
	return !j.RoomMade.IsZero() && c.at.Before(j.RoomMade.Add(roomMadeFor))
}

// leftBy returns when the last of those that were told to give way to a job is
// gone: now, if none is left.
func (c *cycle) leftBy(id slurm.JobID) instant {
	at := c.now
	for _, j := range c.giving.gone {
		if j.PreemptedFor != id || j.GaveWay() {
			continue
		}
		end := c.now.plus(soon)
		if !j.IsCompleting() && !j.End.IsZero() {
			end = max(end, instantOf(j.End))
		}
		at = max(at, end)
	}
	return at
}

// asMade returns what a job is to have where others gave way to it, if it is there
// from a moment on, with the devices that are free now.
func (c *cycle) asMade(a *ask, p *part, at instant) []NodeAlloc {
	if !c.roomMade(a.job) {
		return nil
	}
	f := c.field
	f.left, f.from = spare{}, at
	alloc := slices.Clone(a.job.RoomOn)
	for i := range alloc {
		n := &alloc[i]
		pos, ok := c.byName[n.Node]
		if !ok || !p.in[pos] || !c.rooms[pos].open {
			return nil
		}
		r := &c.rooms[pos]
		s := f.look(r, a.span)
		o, ok := f.offer(a, r, s)
		if !ok || o.tasks < n.Tasks && !a.overcommit || s.cpus < n.CPUs && a.sharing == 1 || c.t.memory && s.mem < n.Mem {
			return nil
		}
		var want slurm.Gres
		for _, g := range n.Gres {
			item := slurm.GresItem{Name: g.Name, Type: g.Type, Count: g.Count}
			if r.spareGres(s, item) < g.Count {
				return nil
			}
			want = append(want, item)
		}
		n.Gres = r.chooseGres(want, at <= c.now)
	}
	return alloc
}

// keepLicenses keeps the licences of a job for which others give way.
func (c *cycle) keepLicenses(j *Job) {
	if got, ok := TakeLicenses(j.Need.Licenses, c.free); ok && !got.IsZero() {
		if c.giving.licenses == nil {
			c.giving.licenses = make(map[slurm.JobID]slurm.Licenses)
		}
		c.giving.licenses[j.ID] = got
		c.free = c.free.Minus(got)
	}
}

// listCandidates finds, once a pass, which jobs could give way.
func (c *cycle) listCandidates() {
	g := &c.giving
	if g.listed {
		return
	}
	g.listed, g.vain, g.served = true, make(map[vainKey]time.Duration), make(map[*Job]bool)
	if g.rules.byQuota {
		g.lent = c.v.Ledger.borrowed(maps.Values(c.holding))
	}
	hets := map[slurm.JobID]*candidate{}
	spoilt := map[slurm.JobID]bool{}
	for _, j := range c.holding {
		one := c.candidate(j)
		switch {
		case j.HetID == 0 && one != nil:
			g.cands = append(g.cands, one)
		case j.HetID == 0:
		case one == nil:
			spoilt[j.HetID] = true
		case hets[j.HetID] == nil:
			hets[j.HetID] = one
		default:
			h := hets[j.HetID]
			h.jobs, h.cpus = append(h.jobs, j), h.cpus+one.cpus
			h.lent = h.lent && one.lent
			h.mode, h.grace, h.rank = max(h.mode, one.mode), max(h.grace, one.grace), max(h.rank, one.rank)
		}
	}
	for id, h := range hets {
		if !spoilt[id] {
			slices.SortFunc(h.jobs, func(a, b *Job) int { return cmp.Compare(a.ID, b.ID) })
			g.cands = append(g.cands, h)
		}
	}
	slices.SortFunc(g.cands, g.before)
}

// before orders candidates by who gives way first.
func (g *giving) before(a, b *candidate) int {
	x, y := a.jobs[0], b.jobs[0]
	if g.rules.youngest {
		return cmp.Or(y.Start.Compare(x.Start), cmp.Compare(a.rank, b.rank), cmp.Compare(y.ID, x.ID))
	}
	return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(x.Priority, y.Priority), y.Start.Compare(x.Start), cmp.Compare(y.ID, x.ID))
}

// candidate returns j as one that could give way, nil when it could not.
func (c *cycle) candidate(j *Job) *candidate {
	w, lent := c.wordOf(j), c.giving.lent[j.ID]
	if lent && w.mode == PreemptOff {
		w.mode = PreemptRequeue
		if p := c.v.Config.Partition(j.Partition); p != nil && parsePreemptWord(strings.Split(p.PreemptMode, ",")).mode != PreemptOff {
			w.mode = parsePreemptWord(strings.Split(p.PreemptMode, ",")).mode
		}
	}
	if w.mode == PreemptOff || !lent && !c.giving.rules.byQOS && !c.giving.rules.byTier || j.IsCompleting() || j.PreemptedFor != 0 || !j.IsRunning() && !j.IsSuspended() {
		return nil
	}
	if from := c.giving.rules.exemptFrom; from > 0 && j.Priority >= from {
		return nil
	}
	one := &candidate{jobs: []*Job{j}, mode: w.mode, word: w, rank: c.rankOf(j), lent: lent}
	if lent {
		one.rank = 0
	}
	switch w.mode {
	case PreemptSuspend:
		if j.CPUsFree {
			return nil // nothing is won
		}
	case PreemptRequeue:
		if !j.Requeue || !j.Batch {
			one.mode = PreemptCancel
		}
	}
	if one.mode != PreemptSuspend {
		if until := c.exemptUntil(j); until.After(c.at) {
			c.againBy(until)
			return nil
		}
		one.grace = c.graceOf(j)
	}
	for i := range j.Alloc {
		one.cpus += j.Alloc[i].CPUs
	}
	return one
}

// preemptNew has others give way to a job that the pass did not look at, as there
// cannot be room for it.
func (c *cycle) preemptNew(it *item) bool {
	if it.visited == c.pass || !c.giving.rules.on() {
		return false
	}
	c.passed = false
	for _, e := range c.places(it.job) {
		if partitionBars(e.job, e.part.p, e.part.size).IsZero() && c.preempt(e) {
			return true
		}
	}
	return false
}

// preempt has running jobs give way to a job that finds no room, if it may and if
// that would do: the fewest of the lowest. What they leave is promised to it, and
// it starts in a later pass, when the room is there.
func (c *cycle) preempt(e entry) bool {
	g := &c.giving
	if !g.rules.on() || c.passed || e.job.HetID != 0 || e.part.open == 0 || !c.goesFirst(e) {
		return false
	}
	c.listCandidates()
	a, p := c.ask(e), e.part
	old := c.raise(e.item)
	if c.roomMade(e.job) {
		at := c.leftBy(e.job.ID)
		if alloc := c.asMade(a, p, at); alloc != nil {
			c.promiseGiven(e, a, at, alloc)
			return true
		}
		if at > c.now {
			if chosen := c.placeAt(a, p.where, at, nil); chosen != nil {
				c.promiseGiven(e, a, at, c.allot(a, chosen, false))
				return true
			}
		}
	}
	if victims, at, chosen := c.victimsFor(e, a); chosen != nil {
		alloc := c.allot(a, chosen, false)
		for _, v := range victims {
			v.gone = true
			for _, j := range v.jobs {
				c.plan.Preempts = append(c.plan.Preempts, Preempt{Job: j.ID, Restarts: j.Restarts, Mode: v.mode, Grace: v.grace,
					For: e.job.ID, Alloc: alloc})
				c.leaves(j, at, v.mode)
			}
		}
		c.promiseGiven(e, a, at, alloc)
		return true
	}
	c.lower(e.item, old)
	return false
}

// victimsFor returns who gives way to a job, when they are gone, and where it will
// start then; nothing when nobody's going would help, or none is needed.
func (c *cycle) victimsFor(e entry, a *ask) ([]*candidate, instant, []slot) {
	g, p := &c.giving, e.part
	key := vainKey{a.shape, e.job.QOS}
	if least, ok := g.vain[key]; ok && a.span >= least || g.tests >= maxPreemptTests {
		return nil, 0, nil
	}
	list := c.candidatesFor(e)
	if len(list) == 0 {
		return nil, 0, nil
	}
	if c.placeAt(a, p.where, c.now.plus(soon), nil) != nil {
		return nil, 0, nil // room comes by itself as soon as anybody could leave
	}
	for i, other := range e.item.lane.parts {
		if other == p || other.open == 0 {
			continue
		}
		b := e.item.shapes[i].ask
		b.job, b.span, b.resv, b.core = e.job, a.span, a.resv, a.core
		if c.placeAt(&b, other.where, c.now, nil) != nil {
			return nil, 0, nil // it will start there
		}
	}
	victims, at, chosen := c.cheapest(a, p, list)
	if chosen == nil && a.shape != nil && !g.byPriority(list) {
		g.vain[key] = a.span
	}
	return victims, at, chosen
}

// byPriority reports whether it depends on a job's own priority who gives way to
// it.
func (g *giving) byPriority(list []*candidate) bool {
	return slices.ContainsFunc(list, func(v *candidate) bool { return v.word.within || v.word.priority })
}

// candidatesFor returns the jobs that would give way to the one at hand and hold
// something where it could run, the lowest first.
func (c *cycle) candidatesFor(e entry) []*candidate {
	var list []*candidate
	back := c.giving.rules.byQuota && c.v.Ledger.takesBack(e.job, e.part.p.Name)
	for _, v := range c.giving.cands {
		if v.gone {
			continue
		}
		may, here := true, false
		for _, j := range v.jobs {
			may = may && (back && v.lent && j.Partition != e.part.p.Name || c.mayPreempt(e.job, e.part.p, j, v.word))
			for i := range j.Alloc {
				pos, ok := c.byName[j.Alloc[i].Node]
				here = here || ok && e.part.in[pos]
			}
		}
		if may && here {
			list = append(list, v)
		}
	}
	return list
}

// cheapest chooses who gives way: nobody of a higher rank than must be, on the
// nodes on which the fewest have to go, and of those none that need not. It
// returns them with the moment at which all are gone, and where the request is
// met then; nothing when it would not be met if all of them went.
func (c *cycle) cheapest(a *ask, p *part, list []*candidate) ([]*candidate, instant, []slot) {
	r := &c.giving.rules
	single := r.youngest || r.strict
	// How many there are up to each step that may be taken.
	var steps []int
	for i := range list {
		if i == len(list)-1 || single || list[i].rank != list[i+1].rank {
			steps = append(steps, i+1)
		}
	}
	fits := func(n int) []slot { return c.placeAt(a, p.where, c.goneBy(list[:n]), list[:n]) }
	if fits(len(list)) == nil {
		return nil, 0, nil
	}
	n := steps[sort.Search(len(steps)-1, func(i int) bool { return fits(steps[i]) != nil })]
	list = list[:n]
	at := c.goneBy(list)
	chosen := c.placeAt(a, c.cheapNodes(a, p, list, at), at, list)
	if chosen == nil {
		if chosen = c.placeAt(a, p.where, at, list); chosen == nil {
			return nil, 0, nil
		}
	}
	// Only what is on those nodes counts from here on.
	where := make([]int, len(chosen))
	on := make(map[NodeName]bool, len(chosen))
	for i := range chosen {
		where[i], on[chosen[i].r.n.Name] = chosen[i].r.pos, true
	}
	c.byWeight(where)
	var there []*candidate
	for _, v := range list {
		if slices.ContainsFunc(v.jobs, func(j *Job) bool {
			return slices.ContainsFunc(j.Alloc, func(n NodeAlloc) bool { return on[n.Node] })
		}) {
			there = append(there, v)
		}
	}
	best := c.spare(a, where, there, func(x, y *candidate) int { return cmp.Compare(y.cpus, x.cpus) })
	if len(best) > 1 && !single {
		if other := c.spare(a, where, there, func(x, y *candidate) int { return cmp.Compare(x.cpus, y.cpus) }); len(other) < len(best) {
			best = other
		}
	}
	for try := 0; len(best) > 1 && try < max(r.reorder, 1); try++ {
		// Other nodes may do with fewer of them.
		before := len(best)
		best = c.spare(a, p.where, best, func(x, y *candidate) int { return cmp.Compare(y.cpus, x.cpus) })
		if where = p.where; len(best) == before {
			break
		}
	}
	at = c.goneBy(best)
	if chosen = c.placeAt(a, where, at, best); chosen == nil || len(best) == 0 {
		return nil, 0, nil
	}
	return best, at, chosen
}

// cheapNodes returns as few nodes as hold the request, those taken first on which
// the fewest jobs would have to go.
func (c *cycle) cheapNodes(a *ask, p *part, list []*candidate, at instant) []int {
	jobs, cpus := make(map[int]int), make(map[int]int)
	for _, v := range list {
		for _, j := range v.jobs {
			for i := range j.Alloc {
				if pos, ok := c.byName[j.Alloc[i].Node]; ok {
					jobs[pos]++
					cpus[pos] += j.Alloc[i].CPUs
				}
			}
		}
	}
	order := slices.Clone(p.where)
	slices.SortStableFunc(order, func(x, y int) int {
		return cmp.Or(cmp.Compare(jobs[x], jobs[y]), cmp.Compare(cpus[x], cpus[y]))
	})
	prefix := func(n int) []int {
		where := slices.Clone(order[:n])
		c.byWeight(where)
		return where
	}
	n := sort.Search(len(order), func(n int) bool { return c.placeAt(a, prefix(n), at, list) != nil })
	return prefix(n)
}

// byWeight puts positions in the order in which nodes are looked at.
func (c *cycle) byWeight(where []int) {
	slices.SortFunc(where, func(x, y int) int {
		return cmp.Or(cmp.Compare(c.rooms[x].n.placeWeight(), c.rooms[y].n.placeWeight()), cmp.Compare(x, y))
	})
}

// spare leaves out of a list all whose going is not needed, those that count most
// first and equal ones in the given order.
func (c *cycle) spare(a *ask, where []int, list []*candidate, equal func(x, y *candidate) int) []*candidate {
	keep := slices.Clone(list)
	order := slices.Clone(list)
	slices.Reverse(order)
	if !c.giving.rules.youngest && !c.giving.rules.strict {
		slices.SortStableFunc(order, func(x, y *candidate) int { return cmp.Or(cmp.Compare(y.rank, x.rank), equal(x, y)) })
	}
	for _, v := range order {
		if c.giving.tests >= maxPreemptTests {
			break
		}
		fewer := slices.DeleteFunc(slices.Clone(keep), func(x *candidate) bool { return x == v })
		if c.placeAt(a, where, c.goneBy(fewer), fewer) != nil {
			keep = fewer
		}
	}
	return keep
}

// goneBy returns when all of a list have gone.
func (c *cycle) goneBy(list []*candidate) instant {
	longest := time.Duration(0)
	for _, v := range list {
		longest = max(longest, v.grace)
	}
	return c.now.plus(longest + soon)
}

// placeAt finds room for a request from a moment on, as it would be with some
// jobs gone.
func (c *cycle) placeAt(a *ask, where []int, at instant, without []*candidate) []slot {
	c.giving.tests++
	var kept []changedRoom
	for _, v := range without {
		for _, j := range v.jobs {
			kept = c.replaced(kept, j, v.mode, always)
		}
	}
	f := c.field
	f.left, f.found, f.where, f.from = spare{}, nil, nil, at
	chosen := f.place(a, where)
	c.looks = f.looks
	for _, k := range slices.Backward(kept) {
		c.putBack(k)
	}
	return chosen
}

// replaced has a job give back on its nodes what giving way frees, at some moment
// instead of at its end; always is at once. It returns what was there with the
// rest of the list.
func (c *cycle) replaced(list []changedRoom, j *Job, mode PreemptMode, at instant) []changedRoom {
	for i := range j.Alloc {
		pos, ok := c.byName[j.Alloc[i].Node]
		if !ok {
			continue
		}
		r := &c.rooms[pos]
		k := slices.IndexFunc(r.held, func(h holding) bool { return h.job == j.ID })
		if k < 0 {
			continue
		}
		was := r.held[k]
		list = append(list, changedRoom{pos, was})
		r.leave(j.ID)
		if mode == PreemptSuspend {
			rest := was
			rest.whole, rest.user = false, false
			rest.load = load{mem: was.load.mem, gres: was.load.gres, silent: len(was.gres) == 0}
			r.put(&rest)
			was.load.mem, was.load.gres, was.gres = 0, nil, nil
		}
		if at != always {
			was.end = at
			r.put(&was)
		}
	}
	return list
}

// putBack undoes replaced.
func (c *cycle) putBack(k changedRoom) {
	r := &c.rooms[k.pos]
	for slices.ContainsFunc(r.held, func(h holding) bool { return h.job == k.was.job }) {
		r.leave(k.was.job)
	}
	r.put(&k.was)
}

// leaves notes for this pass that a job gives way at some moment.
func (c *cycle) leaves(j *Job, at instant, mode PreemptMode) {
	c.giving.undo = c.replaced(c.giving.undo, j, mode, at)
	for i := range j.Alloc {
		if pos, ok := c.byName[j.Alloc[i].Node]; ok {
			c.touch(&c.rooms[pos])
		}
	}
}

// asBefore takes back, at the end of the pass, what it noted of jobs that give
// way: it is true once it has been committed.
func (c *cycle) asBefore() {
	for _, k := range slices.Backward(c.giving.undo) {
		c.putBack(k)
		c.touch(&c.rooms[k.pos])
	}
	c.giving.undo = nil
}

// promiseGiven promises a job the room that others leave for it, and tells it so.
func (c *cycle) promiseGiven(e entry, a *ask, at instant, alloc []NodeAlloc) {
	c.giving.served[e.job] = true
	if _, kept := c.giving.licenses[e.job.ID]; !kept {
		c.keepLicenses(e.job)
	}
	w := c.crowded(a, e.part)
	c.promise(e.item, a, at, alloc)
	c.note(e, w, at.time(), e.item.promise.nodes)
}

// comeBack lets jobs go on that were suspended to make room, where the CPUs are
// free again: those to which the job in line next, if there is one, would not go
// first. The next job gets back the licences that were kept for it.
func (c *cycle) comeBack(next *entry) {
	g := &c.giving
	if next != nil && len(g.licenses) > 0 {
		if kept, ok := g.licenses[next.job.ID]; ok {
			c.free = c.free.Plus(kept)
			delete(g.licenses, next.job.ID)
		}
	}
	if len(g.paused) == 0 {
		return
	}
	g.paused = slices.DeleteFunc(g.paused, func(v *Job) bool {
		if next != nil && c.mayPreempt(next.job, next.part.p, v, c.wordOf(v)) {
			return false
		}
		p := c.part(v.Partition)
		if p == nil {
			return false
		}
		a := newAsk(v, p.p, c.t)
		a.resv = ReservationOf(c.v.Reservations, v.Resv)
		a.span = unlimitedSpan
		if !v.End.IsZero() {
			a.span = max(v.End.Sub(v.Suspended), 0)
		}
		for i := range v.Alloc {
			pos, ok := c.byName[v.Alloc[i].Node]
			if !ok || !c.roomToResume(a, &c.rooms[pos], v.Alloc[i].CPUs) || a.sharing == 1 && cpusGone(&c.rooms[pos], v, v.Alloc[i].CPUIDs) {
				return false
			}
		}
		for i := range v.Alloc {
			c.book(c.byName[v.Alloc[i].Node], &NodeAlloc{Node: v.Alloc[i].Node, CPUs: v.Alloc[i].CPUs}, a, c.now.plus(a.span))
		}
		c.plan.Resumes = append(c.plan.Resumes, Resume{Job: v.ID, Restarts: v.Restarts})
		return true
	})
}

// cpusGone reports whether another job has some of the CPUs of a node that a suspended
// one is to go on with.
func cpusGone(r *room, v *Job, list string) bool {
	meets := CPUsMeeting(list)
	return slices.ContainsFunc(r.held, func(o holding) bool { return o.job != v.ID && !o.cpusFree && meets(o.cpuIDs) })
}

// roomToResume reports whether a job that holds all but its CPUs may have so many
// of them on a node again.
func (c *cycle) roomToResume(a *ask, r *room, cpus int) bool {
	c.from = c.now
	s := c.look(r, a.span)
	free := s.cpus
	if a.sharing > 1 {
		free = s.sharedCPUs(r.total, a.sharing)
	}
	return free >= cpus && !(a.whole && !s.idle) && !(s.kept && !c.keptFor(a, r)) && !(a.ownUser && c.othersOn(a, r))
}

// othersOn reports whether other users' jobs run on a node, or are promised room there
// while the request runs.
func (c *cycle) othersOn(a *ask, r *room) bool {
	end := c.now.plus(a.span)
	return slices.ContainsFunc(r.held, func(h holding) bool { return h.uid != a.job.UID && h.load.cpus > 0 && h.end > c.now }) ||
		slices.ContainsFunc(r.holds, func(h hold) bool { return h.to.item.job.UID != a.job.UID && h.start < end && h.end > c.now })
}
