package sched

import (
	"cmp"
	"slices"
)

// near chooses nodes where the network matters: behind the lowest switch that
// holds the job, at as few leaf switches as there; or in as few blocks.
func (f *field) near(a *ask, offers []slot, plan *featurePlan, minNodes int) []slot {
	net := f.t.cfg.Topology
	if a.maxNodes == 1 && !a.wholeBlocks || net.Optional && a.switches == 0 && a.segment == 0 && !a.wholeBlocks {
		return a.choose(offers, plan, minNodes)
	}
	if net.IsBlocks() {
		return f.inBlocks(a, offers, plan, minNodes)
	}
	aim := max(a.aim, minNodes)
	for goal := aim; goal >= minNodes; goal-- {
		for to := 0; to < len(offers); {
			for weight := offers[to].r.n.Weight; to < len(offers) && offers[to].r.n.Weight == weight; {
				to++
			}
			c := clique{a: a, net: net, plan: plan, goal: goal, offers: offers[:to]}
			chosen := c.underSwitch()
			if chosen == nil {
				continue
			}
			if a.switches > 0 && c.leaves(chosen) > a.switches && f.from < a.wideFrom {
				// It fits, behind too many switches: it waits for better, for a while.
				a.tooWide = true
				continue
			}
			return chosen
		}
	}
	return nil
}

// clique looks for a set of nodes that are close to each other.
type clique struct {
	a      *ask
	net    *Topology
	plan   *featurePlan
	goal   int
	offers []slot // of the least weight first
}

// leaves counts the leaf switches of nodes.
func (c *clique) leaves(list []slot) int {
	seen := make(map[int]bool, 4)
	for _, o := range list {
		seen[c.net.leafOf(o.r.n)] = true
	}
	return len(seen)
}

// maxSwitches is how many switches of a level are tried for the one that takes the
// fewest leaves.
const maxSwitches = 4

// underSwitch finds the lowest switch with enough below it, of those the one
// with the least to spare, and takes nodes there.
func (c *clique) underSwitch() []slot {
	count := make([]int, len(c.net.Switches))
	for _, o := range c.offers {
		for at := c.net.leafOf(o.r.n); at >= 0; at = c.net.Switches[at].Parent {
			count[at]++
		}
	}
	order := make([]int, 0, len(count))
	for i, n := range count {
		if n >= c.goal {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(x, y int) int {
		return cmp.Or(cmp.Compare(c.net.Switches[x].Level, c.net.Switches[y].Level), cmp.Compare(count[x], count[y]))
	})
	var best []slot
	level, most, tries := 0, 0, 0
	for _, i := range order {
		if best != nil && (c.net.Switches[i].Level > level || tries == maxSwitches) {
			break
		}
		chosen := c.among(c.below(i, count[i]))
		if chosen == nil {
			continue
		}
		tries++
		n := c.leaves(chosen)
		if best == nil || n < most {
			best, level, most = chosen, c.net.Switches[i].Level, n
		}
		if n == 1 {
			break
		}
	}
	return best
}

// below returns the offers behind a switch.
func (c *clique) below(at, count int) []slot {
	if count == len(c.offers) {
		return c.offers
	}
	list := make([]slot, 0, count)
	for _, o := range c.offers {
		for up := c.net.leafOf(o.r.n); up >= 0; up = c.net.Switches[up].Parent {
			if up == at {
				list = append(list, o)
				break
			}
		}
	}
	return list
}

// among takes nodes out of a set, leaf by leaf: those that are wanted by name and
// by feature first, then what is left at their leaves, then the smallest leaf that
// completes the job or else the one with the most to give.
func (c *clique) among(set []slot) []slot {
	a := c.a
	var picked []slot
	var sum tally
	taken := make(map[int]bool, len(set))
	pick := func(o slot) {
		o.turn = len(picked)
		picked, taken[o.r.pos] = append(picked, o), true
		sum.add(o)
	}
	musts := 0
	for _, o := range set {
		if o.must {
			musts++
			pick(o)
		}
	}
	if musts < len(a.required) {
		return nil
	}
	for _, q := range c.plan.quotas {
		n := 0
		for _, o := range picked {
			if o.must && q.match(o.r.n) {
				n++
			}
		}
		for _, o := range set {
			if n < q.count && !taken[o.r.pos] && q.match(o.r.n) {
				pick(o)
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
	leaves := c.leavesOf(set, taken, picked)
	for !a.met(&sum, c.goal) {
		l := c.nextLeaf(leaves, &sum)
		if l == nil {
			// Too few nodes are allowed for going by leaves: those with the most to give.
			return a.choose(slices.Clone(set), c.plan, c.goal)
		}
		l.used, l.empty = true, true
		for _, o := range l.list {
			if a.met(&sum, c.goal) || sum.nodes == a.maxNodes {
				break
			}
			pick(o)
		}
		if sum.nodes == a.maxNodes && !a.met(&sum, c.goal) {
			return a.choose(slices.Clone(set), c.plan, c.goal)
		}
	}
	return inOrder(picked)
}

// leaf is what a set has at one leaf switch, or in one block.
type leaf struct {
	id    int
	list  []slot
	sum   tally
	used  bool // some of the job is there already
	empty bool // nothing is left there
}

// leavesOf parts a set by leaf, without what is taken.
func (c *clique) leavesOf(set []slot, taken map[int]bool, picked []slot) []leaf {
	at := make(map[int]int, 8)
	var out []leaf
	for _, o := range set {
		if taken[o.r.pos] {
			continue
		}
		id := c.net.leafOf(o.r.n)
		i, ok := at[id]
		if !ok {
			i = len(out)
			at[id] = i
			out = append(out, leaf{id: id})
		}
		out[i].list = append(out[i].list, o)
		out[i].sum.add(o)
	}
	for _, o := range picked {
		if i, ok := at[c.net.leafOf(o.r.n)]; ok {
			out[i].used = true
		}
	}
	slices.SortFunc(out, func(x, y leaf) int { return cmp.Compare(x.id, y.id) })
	for i := range out {
		slices.SortStableFunc(out[i].list, func(x, y slot) int {
			return cmp.Or(cmp.Compare(x.r.n.Weight, y.r.n.Weight), cmp.Compare(x.r.pos, y.r.pos))
		})
	}
	return out
}

// nextLeaf returns the leaf to take from next: one in use already; of these, or of
// all others, the smallest that completes the job, or else the one with the most
// nodes, or tasks when there are nodes enough.
func (c *clique) nextLeaf(leaves []leaf, sum *tally) *leaf {
	var best *leaf
	var bestRank [3]int
	for i := range leaves {
		l := &leaves[i]
		if l.empty {
			continue
		}
		all := tally{nodes: sum.nodes + l.sum.nodes, tasks: sum.tasks + l.sum.tasks}
		if len(c.a.perJob) > 0 {
			all.gres = slices.Clone(l.sum.gres)
			for g, n := range sum.gres {
				all.gres[g] += n
			}
		}
		rank := [3]int{1, 1, -l.sum.nodes}
		if l.used {
			rank[0] = 0
		}
		if c.a.met(&all, c.goal) {
			rank[1], rank[2] = 0, l.sum.nodes
		} else if c.goal <= sum.nodes {
			rank[2] = -l.sum.tasks
		}
		if best == nil || slices.Compare(rank[:], bestRank[:]) < 0 {
			best, bestRank = l, rank
		}
	}
	return best
}

// inBlocks chooses nodes in blocks. A job gets its nodes in one block of the least
// size of BlockSizes that it fits in, made of neighbouring base blocks; with
// --segment each segment does, wherever the others are.
func (f *field) inBlocks(a *ask, offers []slot, plan *featurePlan, minNodes int) []slot {
	net := f.t.cfg.Topology
	if a.wholeBlocks {
		offers = f.idleBlocks(a, offers)
	}
	aim := max(a.aim, minNodes)
	for goal := aim; goal >= minNodes; goal-- {
		for to := 0; to < len(offers); {
			for weight := offers[to].r.n.Weight; to < len(offers) && offers[to].r.n.Weight == weight; {
				to++
			}
			c := clique{a: a, net: net, plan: plan, goal: goal, offers: offers[:to]}
			var chosen []slot
			if a.segment > 0 && a.segment < goal {
				chosen = c.segments()
			} else {
				chosen = c.oneBlock(goal)
			}
			if chosen != nil {
				return chosen
			}
		}
	}
	return nil
}

// span is how many neighbouring base blocks a job of so many nodes may lie in.
func (t *Topology) blockSpan(nodes int) int {
	base := t.BlockSizes[0]
	for _, size := range t.BlockSizes {
		if nodes <= size {
			return size / base
		}
	}
	largest := t.BlockSizes[len(t.BlockSizes)-1] / base
	for nodes > largest*base && largest < len(t.Blocks) {
		largest *= 2
	}
	return largest
}

// oneBlock finds the block, of the size that goes with so many nodes, with the
// least to spare.
func (c *clique) oneBlock(nodes int) []slot {
	span := c.net.blockSpan(nodes)
	groups := map[int][]slot{}
	var order []int
	for _, o := range c.offers {
		leaf := c.net.leafOf(o.r.n)
		if leaf < 0 {
			continue
		}
		if groups[leaf/span] == nil {
			order = append(order, leaf/span)
		}
		groups[leaf/span] = append(groups[leaf/span], o)
	}
	slices.SortFunc(order, func(x, y int) int { return cmp.Or(cmp.Compare(len(groups[x]), len(groups[y])), cmp.Compare(x, y)) })
	for _, g := range order {
		if chosen := c.among(groups[g]); chosen != nil {
			return chosen
		}
	}
	return nil
}

// segments lays a job out in segments of equal size, each in a base block: as
// many as go into a block are put there, unless each is to have its own.
func (c *clique) segments() []slot {
	a := c.a
	if c.goal%a.segment != 0 {
		return nil
	}
	spans := []int{len(c.net.Blocks)}
	if a.together {
		spans = []int{c.net.blockSpan(c.goal)}
	}
	byBlock := make([][]slot, len(c.net.Blocks))
	for _, o := range c.offers {
		if leaf := c.net.leafOf(o.r.n); leaf >= 0 {
			byBlock[leaf] = append(byBlock[leaf], o)
		}
	}
	for _, span := range spans {
		for from := 0; from < len(byBlock); from += span {
			if chosen := c.segmentsIn(byBlock[from:min(from+span, len(byBlock))]); chosen != nil {
				return chosen
			}
		}
	}
	return nil
}

func (c *clique) segmentsIn(blocks [][]slot) []slot {
	a := c.a
	var set []slot
	order := make([]int, len(blocks))
	for i := range blocks {
		order[i] = i
	}
	need := c.goal / a.segment
	// The block that holds the most segments first, so that there are few; of the
	// last, the one with the least to spare.
	for need > 0 && len(order) > 0 {
		best, bestRank := -1, [2]int{}
		for k, i := range order {
			n := len(blocks[i]) / a.segment
			if a.apart {
				n = min(n, 1)
			}
			if n == 0 {
				continue
			}
			rank := [2]int{-min(n, need), len(blocks[i])}
			if best < 0 || slices.Compare(rank[:], bestRank[:]) < 0 {
				best, bestRank = k, rank
			}
		}
		if best < 0 {
			return nil
		}
		list := slices.Clone(blocks[order[best]])
		slices.SortStableFunc(list, func(x, y slot) int {
			return cmp.Or(-compareBool(x.must, y.must), cmp.Compare(x.r.n.Weight, y.r.n.Weight), cmp.Compare(x.r.pos, y.r.pos))
		})
		n := -bestRank[0]
		set = append(set, list[:n*a.segment]...)
		need -= n
		order = slices.Delete(order, best, best+1)
	}
	if need > 0 {
		return nil
	}
	if chosen := c.among(set); chosen != nil {
		return chosen
	}
	// These do not hold it: they were taken by number. Those with most to give may.
	if !a.mayHold(slices.Concat(blocks...)) {
		return nil
	}
	for i := range len(a.perJob) + 1 {
		if chosen := c.among(c.richSegments(blocks, i-1)); chosen != nil {
			return chosen
		}
	}
	return nil
}

// richSegments takes the segments that give most, one after the other: nodes that the
// request names, nodes that its constraint counts and has too few of, then tasks, or
// the item of the whole job with this number.
func (c *clique) richSegments(blocks [][]slot, item int) []slot {
	a := c.a
	lacks := make([]int, len(c.plan.quotas))
	for i, q := range c.plan.quotas {
		lacks[i] = q.count
	}
	// worth is what a node gives beside those that were taken, and the quota it fills.
	worth := func(o slot, lacks []int) ([3]int64, int) {
		w, fills := [3]int64{0, 0, int64(o.tasks)}, -1
		if o.must {
			w[0] = 1
		}
		if item >= 0 && item < len(o.gres) {
			w[2] = o.gres[item]
		}
		for i, q := range c.plan.quotas {
			if lacks[i] > 0 && q.match(o.r.n) {
				w[1], fills = 1, i
				break
			}
		}
		return w, fills
	}
	// A block's best segment, in front of what is left there.
	type rest struct {
		list    []slot
		sum     [3]int64
		missing []int
		known   bool
	}
	left := make([]rest, len(blocks))
	for i := range blocks {
		left[i].list = slices.Clone(blocks[i])
	}
	var set []slot
	for range c.goal / a.segment {
		best := -1
		for i := range left {
			b := &left[i]
			if len(b.list) < a.segment || a.apart && len(b.list) < len(blocks[i]) {
				continue
			}
			if !b.known {
				b.sum, b.missing, b.known = [3]int64{}, slices.Clone(lacks), true
				for n := range a.segment {
					at := n
					top, fills := worth(b.list[n], b.missing)
					for k := n + 1; k < len(b.list); k++ {
						if w, f := worth(b.list[k], b.missing); slices.Compare(w[:], top[:]) > 0 {
							at, top, fills = k, w, f
						}
					}
					b.list[n], b.list[at] = b.list[at], b.list[n]
					if fills >= 0 {
						b.missing[fills]--
					}
					for k := range b.sum {
						b.sum[k] += top[k]
					}
				}
			}
			if best < 0 || slices.Compare(b.sum[:], left[best].sum[:]) > 0 {
				best = i
			}
		}
		if best < 0 {
			return nil
		}
		b := &left[best]
		set, b.list, b.known = append(set, b.list[:a.segment]...), b.list[a.segment:], false
		if !slices.Equal(lacks, b.missing) {
			lacks = b.missing
			for i := range left {
				left[i].known = false
			}
		}
	}
	return set
}

func compareBool(x, y bool) int {
	switch {
	case x == y:
		return 0
	case x:
		return 1
	}
	return -1
}

// idleBlocks leaves the offers in blocks on which no other job runs, or is
// promised room, while the request would run: it takes its blocks whole.
func (f *field) idleBlocks(a *ask, offers []slot) []slot {
	busy := map[int]bool{}
	s := spare{}
	for i := range f.rooms {
		r := &f.rooms[i]
		if leaf := f.t.cfg.Topology.leafOf(r.n); leaf >= 0 && !busy[leaf] {
			r.line.least(f.from, f.from.plus(a.span), &s)
			busy[leaf] = !s.idle || s.cpus < 0 || len(r.held) > 0 && f.from == always
		}
	}
	return slices.DeleteFunc(slices.Clone(offers), func(o slot) bool { return busy[f.t.cfg.Topology.leafOf(o.r.n)] })
}

// blockRooms lists the rooms of each block.
func (f *field) blockRooms() [][]int {
	net := f.t.cfg.Topology
	list := make([][]int, len(net.Blocks))
	for pos := range f.rooms {
		if leaf := net.leafOf(f.rooms[pos].n); leaf >= 0 {
			list[leaf] = append(list[leaf], pos)
		}
	}
	return list
}

// nextInBlock is when something changes next on a node of a room's block: the block
// may be idle then, though the room itself gives no more than before.
func (f *field) nextInBlock(blocks [][]int, r *room, at instant) instant {
	next := never
	leaf := f.t.cfg.Topology.leafOf(r.n)
	if leaf < 0 {
		return next
	}
	for _, pos := range blocks[leaf] {
		segs := f.rooms[pos].line.segs
		if i := f.rooms[pos].line.find(at) + 1; i < len(segs) {
			next = min(next, segs[i].at)
		}
	}
	return next
}

// wholeBlocks reports whether a job, in partition p, has its blocks to itself.
func wholeBlocks(j *Job, p *Partition) bool {
	return specOf(j).Exclusive == "topo" || p != nil && p.ExclusiveTopo
}

// blockMates returns the rooms that a job keeps others off besides its nodes: the
// rest of its blocks, where it has them whole.
func (s *Scheduler) blockMates(whole bool, alloc []NodeAlloc) []int {
	net := s.t.cfg.Topology
	if !whole || !net.IsBlocks() {
		return nil
	}
	mine, blocks := map[int]bool{}, map[int]bool{}
	for i := range alloc {
		if pos, ok := s.byName[alloc[i].Node]; ok {
			mine[pos] = true
			blocks[net.leafOf(s.rooms[pos].n)] = true
		}
	}
	delete(blocks, -1)
	var mates []int
	for pos := range s.rooms {
		if !mine[pos] && blocks[net.leafOf(s.rooms[pos].n)] {
			mates = append(mates, pos)
		}
	}
	return mates
}

// matesOf is blockMates of a job that runs.
func (s *Scheduler) matesOf(j *Job) []int {
	return s.blockMates(s.t.cfg.Topology.IsBlocks() && wholeBlocks(j, s.v.Config.Partition(j.Partition)), j.Alloc)
}

// keepMates books the rest of the blocks of a job that has them whole.
func (s *Scheduler) keepMates(j *Job, end instant) []int {
	mates := s.matesOf(j)
	for _, pos := range mates {
		r := &s.rooms[pos]
		s.put(r, &holding{job: j.ID, part: j.Partition, uid: j.UID, whole: true, end: end, load: load{keeper: true}})
	}
	return mates
}

// leaveMates gives them back.
func (s *Scheduler) leaveMates(j *Job) {
	for _, pos := range s.matesOf(j) {
		r := &s.rooms[pos]
		s.loosened++
		s.leave(r, j.ID)
		s.gain(r)
	}
}
