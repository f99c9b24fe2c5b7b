package sched

import (
	"cmp"
	"slices"
	"time"

	"github.com/runink/rink/slurm"
)

// slot is what one node could give to a request.
type slot struct {
	r     *room
	must  bool    // the request names this node
	tasks int     // at most so many
	shut  int     // free CPUs that are on sockets it is not to use
	turn  int     // in which order tasks fill the nodes, where that is not the order of configuration
	gres  []int64 // of each item of the request for the whole job
}

// field is the nodes a request may be placed on, with the moment it is to be
// placed at.
type field struct {
	t     *tuning
	rooms []room
	from  instant
	at    instant // the time of the pass
	left  spare   // reused from node to node
	found []slot  // reused from request to request
	where []int   // likewise
	any   []uint64
	looks int // how many nodes were looked at
	resv  *ResvView
}

// look returns what the room can give for the span of the request.
func (f *field) look(r *room, d time.Duration) *spare {
	f.looks++
	r.line.least(f.from, f.from.plus(d), &f.left)
	if r.shares {
		r.bound(&f.left, f.from <= f.at)
	}
	return &f.left
}

// onlyOf reports whether all that runs on a node by then is the request's user's, and
// nothing is promised there while it runs: what is promised to a job that keeps
// other users off is promised to it alone.
func (f *field) onlyOf(a *ask, r *room) bool {
	for i := range r.held {
		if h := &r.held[i]; h.uid != a.job.UID && h.end > f.from {
			return false
		}
	}
	for i := range r.holds {
		if h := &r.holds[i]; h.start < f.from.plus(a.span) && h.end > f.from {
			return false
		}
	}
	return true
}

// keptFor reports whether all jobs that keep others off a node by then keep only
// other users off, and are the request's user's.
func (f *field) keptFor(a *ask, r *room) bool {
	for i := range r.held {
		if h := &r.held[i]; h.end > f.from && (h.whole || h.user && h.uid != a.job.UID) {
			return false
		}
	}
	return true
}

// suits reports whether a node is of the kind asked for, whatever runs on it.
func (a *ask) suits(n *Node) bool {
	return (len(a.excluded) == 0 || !a.excluded[n.Name]) &&
		n.TmpDisk >= a.tmp &&
		(a.sockets == 0 || n.Sockets >= a.sockets) &&
		(a.cores == 0 || n.Cores >= a.cores) &&
		(a.needThreads == 0 || n.Threads >= a.needThreads)
}

// offer returns what a room can give to the request out of what is left there.
func (f *field) offer(a *ask, r *room, s *spare) (slot, bool) {
	none := slot{}
	if f.resv != nil {
		left, open := *s, false
		if left.cpus, open = f.unreserved(a, r, s.cpus); !open {
			return none, false
		}
		s = &left
	}
	cpus := s.cpus
	if a.sharing > 1 {
		cpus = min(s.sharedCPUs(r.total, a.sharing), r.total)
		if f.resv != nil {
			cpus = min(cpus, f.unreservedShared(a, r))
		}
	}
	if most := a.part.mostCPUs(r.n); most > 0 {
		cpus = min(cpus, most-f.usedBy(a, r))
	}
	switch {
	case a.whole && cpus < r.total && s.cpus >= r.total:
		return none, false // the partition allows less than a whole node
	case a.whole && !s.idle,
		s.kept && !f.keptFor(a, r),
		a.ownUser && !s.idle && !f.onlyOf(a, r):
		return none, false
	}
	per := a.taskOn(f.t, r)
	cpus = min(cpus, per.most)
	var sockets socketRoom
	bySocket := a.bySocket()
	if bySocket {
		if sockets, bySocket = f.onSockets(a, r, per, s.cpus); bySocket {
			cpus = min(cpus, sockets.cpus)
		}
	}
	grain := f.t.grain(r.n)
	if cpus < grain || cpus < max(a.minCPUs, 1) {
		return none, false
	}
	cpus -= cpus % grain
	if f.t.memory {
		switch {
		case a.memAll:
			if s.mem < r.n.Memory {
				return none, false
			}
		case a.memNode > 0:
			if s.mem < a.memNode {
				return none, false
			}
		case a.memCPU > 0:
			cpus = min(cpus, int(s.mem/a.memCPU)*per.unit)
			cpus -= cpus % grain
			if cpus < max(a.minCPUs, 1) || a.whole && s.mem < a.memCPU*slurm.MB(per.shown(r.total)) {
				return none, false
			}
		}
	}
	o := slot{r: r, tasks: per.tasksIn(a, r.n, cpus)}
	if a.overcommit {
		o.tasks = a.tasks
	}
	switch {
	case bySocket:
		o.tasks, o.shut = min(o.tasks, sockets.tasks), sockets.shut
	case a.tasksPerSocket > 0:
		o.tasks = min(o.tasks, a.tasksPerSocket*max(r.n.Sockets, 1))
	}
	gpus := int64(0)
	for _, g := range a.perNode {
		if r.spareGres(s, g) < g.Count {
			return none, false
		}
		if g.Name == "gpu" {
			gpus += g.Count
		}
	}
	for _, g := range a.perTask {
		if g.Count > 0 {
			o.tasks = min(o.tasks, int(r.spareGres(s, g)/g.Count))
		}
	}
	if a.tpn > 0 {
		if o.tasks < a.tpn {
			return none, false
		}
		o.tasks = a.tpn
	}
	if int64(a.cpusPerGPU)*gpus > int64(cpus) || f.t.memory && a.memPerGPU*slurm.MB(gpus) > s.mem {
		return none, false
	}
	if len(a.perJob) > 0 {
		o.gres = make([]int64, len(a.perJob))
		some := int64(0)
		for i, g := range a.perJob {
			n := r.spareGres(s, g)
			if g.Name == "gpu" {
				if a.cpusPerGPU > 0 {
					n = min(n, int64(cpus/a.cpusPerGPU))
				}
				if a.memPerGPU > 0 && f.t.memory {
					n = min(n, int64(s.mem/a.memPerGPU))
				}
			}
			o.gres[i] = n
			some += n
		}
		if some == 0 {
			return none, false
		}
		if a.tasksPerGPU > 0 {
			o.tasks = min(o.tasks, int(some)*a.tasksPerGPU)
		}
	}
	return o, o.tasks > 0
}

// usedBy counts the CPUs that jobs of the partition have on a node at most at one
// moment while the request runs: those that are there still, and what is promised.
func (f *field) usedBy(a *ask, r *room) int {
	end := f.from.plus(a.span)
	at := func(t instant) int {
		n := 0
		for i := range r.held {
			if h := &r.held[i]; h.part == a.part.Name && h.end > t {
				n += h.load.cpus
			}
		}
		for i := range r.holds {
			if h := &r.holds[i]; h.to.part == a.part.Name && h.start <= t && h.end > t {
				n += h.load.cpus
			}
		}
		return n
	}
	// Jobs only leave as time passes, but where a promise begins.
	most := at(f.from)
	for i := range r.holds {
		if h := &r.holds[i]; h.to.part == a.part.Name && h.start > f.from && h.start < end {
			most = max(most, at(h.start))
		}
	}
	return most
}

// spareGres counts what is left of a kind on a node.
func (r *room) spareGres(s *spare, g slurm.GresItem) int64 {
	n := int64(0)
	for i := range r.gres {
		if r.gres[i].name == g.Name && (g.Type == "" || r.gres[i].typ == g.Type) && i < len(s.gres) {
			n += s.gres[i]
		}
	}
	return n
}

// place chooses nodes for a request among the rooms at these positions, which
// are in order of weight and configuration. It returns the slots in order of
// configuration, or nil.
func (f *field) place(a *ask, where []int) []slot {
	for i := range a.plans {
		if a.sizes == nil {
			if chosen := f.placeBy(a, &a.plans[i], where); chosen != nil {
				return chosen
			}
		}
		for _, size := range a.sizes {
			if size > a.maxNodes {
				continue // more than the partition lets a job have
			}
			exact := *a
			exact.minNodes, exact.maxNodes, exact.aim = size, size, size
			if chosen := f.placeBy(&exact, &a.plans[i], where); chosen != nil {
				return chosen
			}
			a.tooWide = a.tooWide || exact.tooWide
		}
	}
	return nil
}

// fitsOne reports whether a request can be met by a single node.
func (a *ask) fitsOne(plan *featurePlan) bool {
	return max(a.aim, plan.nodes()) == 1 && len(plan.quotas) == 0
}

// placeBy places a request under one of the ways to meet its constraint.
func (f *field) placeBy(a *ask, plan *featurePlan, where []int) []slot {
	minNodes := max(a.minNodes, plan.nodes())
	if minNodes > a.maxNodes {
		return nil
	}
	one := a.fitsOne(plan) && !a.wholeBlocks
	offers := f.found[:0]
	defer func() { f.found = offers }()
	var best slot
	bestLeft := -1
	must := 0
	for _, pos := range where {
		r := &f.rooms[pos]
		if !r.open || !a.suits(r.n) || !plan.allows(r.n) {
			continue
		}
		if bestLeft >= 0 && r.n.placeWeight() != best.r.n.placeWeight() {
			break
		}
		s := f.look(r, a.span)
		o, ok := f.offer(a, r, s)
		if !ok {
			continue
		}
		if o.must = a.required[r.n.Name]; o.must {
			must++
		}
		// Of the nodes that hold the job alone, the one with the least to spare.
		// Or the most, where the load is to be spread.
		free := a.toSpare(o, s.cpus-o.shut)
		better := bestLeft < 0 || free < bestLeft
		if a.part.LLN || f.t.leastLoaded {
			better = bestLeft < 0 || free > bestLeft
		}
		if one && better && (o.must || len(a.required) == 0) {
			var t tally
			t.add(o)
			if a.met(&t, 1) {
				best, bestLeft = o, free
			}
		}
		offers = append(offers, o)
	}
	switch {
	case must < len(a.required):
		return nil
	case bestLeft >= 0:
		return []slot{best}
	case a.contiguous:
		if a.wholeBlocks && f.t.cfg.Topology.IsBlocks() {
			offers = f.idleBlocks(a, offers)
		}
		return a.contiguousRun(offers, plan, max(a.aim, minNodes), minNodes)
	case f.t.cfg.Topology != nil:
		return f.near(a, offers, plan, minNodes)
	}
	if chosen := f.inFabric(a, offers, plan, minNodes); chosen != nil {
		return chosen
	}
	return a.choose(offers, plan, minNodes)
}

// tally counts what some slots hold together.
type tally struct {
	nodes, tasks int
	gres         []int64
}

func (t *tally) add(o slot) {
	t.nodes++
	t.tasks += o.tasks
	if t.gres == nil && len(o.gres) > 0 {
		t.gres = make([]int64, len(o.gres))
	}
	for i, n := range o.gres {
		t.gres[i] += n
	}
}

func (t *tally) remove(o slot) {
	t.nodes--
	t.tasks -= o.tasks
	for i, n := range o.gres {
		t.gres[i] -= n
	}
}

// met reports whether what was counted holds the whole request on at least so
// many nodes.
func (a *ask) met(t *tally, nodes int) bool {
	if t.nodes < nodes || t.tasks < a.tasks {
		return false
	}
	for i, g := range a.perJob {
		if t.gres[i] < g.Count {
			return false
		}
	}
	return true
}

// choose picks nodes for a request that needs several, or certain ones. Nodes
// of less weight go first; among equals a run of neighbours that can hold the
// job, and of those the one with the least to spare, as long as there is one.
func (a *ask) choose(offers []slot, plan *featurePlan, minNodes int) []slot {
	if !a.mayHold(offers) {
		return nil
	}
	if len(a.perJob) > 1 && len(plan.quotas) == 0 {
		// Few nodes have all of it: neighbours would only be more of them.
		if chosen := a.mixed(offers, plan, minNodes); chosen != nil && len(chosen) >= a.aim {
			return chosen
		}
	}
	chosen := a.chooseFrom(a.tightFirst(offers, plan), offers, plan, minNodes)
	if chosen == nil && len(plan.quotas) > 0 {
		// The first nodes of each kind do not hold it; those with most to give may.
		rich := slices.Clone(offers)
		slices.SortStableFunc(rich, func(x, y slot) int { return cmp.Compare(y.tasks, x.tasks) })
		chosen = a.chooseFrom(rich, offers, plan, minNodes)
	}
	if chosen == nil {
		chosen = a.mixed(offers, plan, minNodes)
	}
	return chosen
}

// mayHold reports whether as many of the slots as the request may have nodes hold
// its tasks, if those with the most are taken.
func (a *ask) mayHold(offers []slot) bool {
	const few = 128 // more tasks on a node than that are not told apart
	var count [few + 1]int
	sum := 0
	for i := range offers {
		n := offers[i].tasks
		if n >= few {
			return true
		}
		count[n]++
		sum += n
	}
	if sum < a.tasks || len(offers) < a.minNodes {
		return false
	}
	left, best := a.maxNodes, 0
	for n := few; n > 0 && left > 0; n-- {
		k := min(count[n], left)
		left, best = left-k, best+k*n
	}
	return best >= a.tasks
}

// chooseFrom is choose with nodes for what the plan counts taken in an order of
// their own.
func (a *ask) chooseFrom(counted, offers []slot, plan *featurePlan, minNodes int) []slot {
	aim := max(a.aim, minNodes)
	var picked []slot
	var sum tally
	var taken map[int]bool
	pick := func(o slot) {
		if taken == nil {
			taken = make(map[int]bool)
		}
		o.turn = len(picked)
		picked, taken[o.r.pos] = append(picked, o), true
		sum.add(o)
	}
	for _, o := range offers {
		if o.must {
			pick(o)
		}
	}
	for _, q := range plan.quotas {
		n := 0
		for _, o := range counted {
			if n < q.count && !taken[o.r.pos] && q.match(o.r.n) {
				pick(o)
				n++
			}
		}
		for _, o := range offers {
			// A node asked for by name may stand for one of the quota too.
			if n < q.count && o.must && q.match(o.r.n) {
				n++
			}
		}
		if n < q.count {
			return nil
		}
	}
	if len(picked) > a.maxNodes {
		return nil
	}
	if a.met(&sum, aim) {
		return inOrder(picked)
	}
	for to := 0; to < len(offers); {
		for weight := offers[to].r.n.placeWeight(); to < len(offers) && offers[to].r.n.placeWeight() == weight; {
			to++
		}
		group := make([]slot, 0, to)
		for _, o := range offers[:to] {
			if !taken[o.r.pos] {
				group = append(group, o)
			}
		}
		goal := aim
		if to == len(offers) {
			goal = max(minNodes, min(aim, len(picked)+len(group)))
		}
		if more := a.extend(picked, sum, group, goal); more != nil {
			for i := range more {
				more[i].turn = len(picked) + i
			}
			return inOrder(append(picked, more...))
		}
	}
	return nil
}

func tasksOf(list []slot) int {
	n := 0
	for _, o := range list {
		n += o.tasks
	}
	return n
}

func inOrder(list []slot) []slot {
	slices.SortFunc(list, func(x, y slot) int { return cmp.Compare(x.r.pos, y.r.pos) })
	return list
}

// fillOrder is the order in which tasks fill nodes.
func fillOrder(chosen []slot) []int {
	order := make([]int, len(chosen))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(x, y int) int { return cmp.Compare(chosen[x].turn, chosen[y].turn) })
	return order
}

// allot shares the request out over the chosen nodes: tasks fill the first
// nodes as far as the others keep one each, and so do resources asked for the
// whole job. With devices set, devices are picked by index, so the choice must
// be for now.
func (f *field) allot(a *ask, chosen []slot, devices bool) []NodeAlloc {
	tasks := a.tasks
	left := make([]int64, len(a.perJob))
	for i, g := range a.perJob {
		left[i] = g.Count
	}
	holders := make([]int64, len(a.perJob)) // of the nodes that are left, those that have some of it
	for i := range chosen {
		for k := range a.perJob {
			if chosen[i].gres[k] > 0 {
				holders[k]++
			}
		}
	}
	share := func(o slot, k int) int64 {
		return min(o.gres[k], max(left[k]-holders[k], min(left[k], 1)))
	}
	alloc := make([]NodeAlloc, len(chosen))
	var few [8]int
	slots := few[:0]
	if len(chosen) > len(few) {
		slots = make([]int, 0, len(chosen))
	}
	slots = slots[:len(chosen)]
	var first [1]int
	order := first[:]
	if len(chosen) > 1 {
		order = fillOrder(chosen)
	}
	dealt := a.deal(chosen, order)
	for k, i := range order {
		o, others := chosen[i], len(chosen)-k-1
		r := o.r
		for k := range a.perJob {
			if o.gres[k] > 0 {
				holders[k]--
			}
		}
		per := a.taskOn(f.t, r)
		// Each of the others keeps a task, and of those there must be what is given
		// out together.
		must := min(max(a.minNodes-k-1, 0), others)
		n := min(o.tasks, max(tasks-must*max(per.tasksIn(a, r.n, f.t.grain(r.n)), 1)-(others-must), 1))
		switch {
		case dealt != nil:
			n = dealt[k]
		case a.tpn > 0:
			n = o.tasks
		case a.tasksPerGPU > 0:
			n = 0 // as many as belong to the GPUs here
			for k, g := range a.perJob {
				if g.Name == "gpu" {
					n += int(share(o, k)) * a.tasksPerGPU
				}
			}
			n = max(min(n, tasks-others), 1)
		}
		tasks -= n
		cpus := per.cpusFor(a, f.t, r.n, n)
		if a.overcommit {
			cpus = per.unit
		}
		var want slurm.Gres
		want = append(want, a.perNode...)
		for _, g := range a.perTask {
			g.Count *= int64(n)
			want = append(want, g)
		}
		for k, g := range a.perJob {
			g.Count = share(o, k)
			left[k] -= g.Count
			want = append(want, g)
		}
		gpus := int64(0)
		for _, g := range want {
			if g.Name == "gpu" {
				gpus += g.Count
			}
		}
		cpus = max(cpus, int(gpus)*a.cpusPerGPU, a.minCPUs)
		cpus = a.wholeGrains(f.t, r.n, cpus)
		if a.whole {
			cpus = a.wholeNode(r)
			want = want[:0]
			for k := range r.gres {
				want = append(want, slurm.GresItem{Name: r.gres[k].name, Type: r.gres[k].typ, Count: r.gres[k].total})
			}
		}
		mem := a.memNode
		switch {
		case a.memAll:
			mem = r.n.Memory
		case a.memPerGPU > 0:
			mem = a.memPerGPU * slurm.MB(gpus)
		case a.memCPU > 0:
			mem = a.memCPU * slurm.MB(per.shown(cpus))
		}
		alloc[i] = NodeAlloc{Node: r.n.Name, CPUs: cpus, Mem: mem, Gres: r.chooseGres(want, devices)}
		slots[i] = max(per.shown(cpus)/a.cpt, 1)
	}
	if len(alloc) == 1 {
		alloc[0].Tasks = max(a.tasks, 1)
	} else {
		var counts []int
		if all := max(a.tasks, len(chosen)); isPacked(specOf(a.job).Distribution, f.t) {
			counts = packedCounts(slots, all)
		} else {
			counts = TaskCounts(slots, all)
		}
		for i, n := range counts {
			alloc[i].Tasks = n
		}
	}
	if a.tpn > 0 {
		for i := range alloc {
			alloc[i].Tasks = a.tpn
		}
	}
	if a.batchHost != nil {
		for i := range chosen {
			if a.batchHost(chosen[i].r.n) {
				first := alloc[i]
				copy(alloc[1:i+1], alloc[:i])
				alloc[0] = first
				break
			}
		}
	}
	return alloc
}

// chooseGres takes kinds and devices off a node's shelves: what names a type
// first, the lowest devices first.
func (r *room) chooseGres(want slurm.Gres, devices bool) []GresAlloc {
	if len(want) == 0 || len(r.gres) == 0 {
		return nil
	}
	counts := make([]int64, len(r.gres))
	for _, typed := range []bool{true, false} {
		for _, g := range want {
			if (g.Type != "") != typed {
				continue
			}
			n := g.Count
			for i := range r.gres {
				s := &r.gres[i]
				if n == 0 || s.name != g.Name || typed && s.typ != g.Type {
					continue
				}
				there := s.total
				if devices {
					there = r.atHand(s, n)
				}
				take := min(n, there-counts[i])
				if take > 0 {
					counts[i] += take
					n -= take
				}
			}
		}
	}
	var list []GresAlloc
	for i, n := range counts {
		if n > 0 {
			g := GresAlloc{Name: r.gres[i].name, Type: r.gres[i].typ, Count: n}
			if devices {
				g.Index = r.pick(&r.gres[i], n)
			}
			list = append(list, g)
		}
	}
	return list
}
