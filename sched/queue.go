package sched

import (
	"cmp"
	"math/bits"
	"slices"

	"github.com/runink/rink/slurm"
)

// item is a pending job in line. There are as many as jobs, so what is small stands
// together.
type item struct {
	job    *Job
	first  float64 // goes before all else, the highest first
	rank   float64 // by what the policy goes, the highest first
	submit instant
	id     slurm.JobID // the job's, beside what it is compared by
	place  uint8       // its tier among those that go before all else, the lowest first
	fresh  bool        // has never been told anything
	gone   bool        // out of line
	joint  bool        // a component of a heterogeneous job
	lane   *lane
	shapes []*shape  // by partition of the lane
	alone  [1]*shape // where these lie when it is one
	want   demand
	// promise is the room it is promised; nil for none.
	promise *promise
	told    told
	wideWait
	came    uint64    // the last pass before it came into line, or before its promise was taken back to be sought anew
	visited uint64    // the last pass that looked at it
	seen    uint64    // for which partitions of its lane, a bit each
	fore    *foreseen // what the default policy sees of it; nil elsewhere
}

// told is what was said of a job last.
type told struct {
	reason slurm.Reason
	text   string
	start  instant
}

// compare puts items of one lane in order: priority, then age.
func (x *item) compare(y *item) int {
	switch {
	case x.first != y.first:
		return before(x.first > y.first)
	case x.place != y.place:
		return before(x.place < y.place)
	case x.rank != y.rank:
		return before(x.rank > y.rank)
	}
	return x.compareAge(y)
}

// compareAge puts the item first that was submitted first.
func (x *item) compareAge(y *item) int {
	switch {
	case x.submit != y.submit:
		return before(x.submit < y.submit)
	case x.id != y.id:
		return before(x.id < y.id)
	}
	return 0
}

// before is what a comparison returns of two that differ.
func before(first bool) int {
	if first {
		return -1
	}
	return 1
}

// laneKey tells lanes apart: jobs of one lane may run in the same partitions and
// are of about the same size, so that what the smallest of them takes says
// something of all.
type laneKey struct {
	parts string
	size  demand
}

// rough rounds a demand down to the sizes that lanes are told apart by.
func (d *demand) rough() demand {
	down := func(n int32) int32 {
		if n < 1 {
			return 0
		}
		return 1 << (bits.Len32(uint32(n)) - 1)
	}
	t := 0
	for t+1 < len(timeSteps) && timeSteps[t+1] <= d.span {
		t++
	}
	return demand{node: down(d.node), nodes: min(down(d.nodes), 2), idle: min(d.idle, 1), gres: min(d.gres, 1), span: timeSteps[t]}
}

// lane is jobs in line in chunks, each with the least that any of its jobs takes, so
// that what cannot start now is passed over a chunk at a time. Changing a job
// moves it alone.
type lane struct {
	key    laneKey
	parts  []*part
	chunks []*chunk
	n      int
	// noRoom is what was found of it in pass checked, with so much booked.
	noRoom    bool
	checked   uint64
	checkedAt int
	// short is the same jobs, those with the shortest limits first; nil where the
	// policy does not look at them in that order.
	short *lane
	// byLimit is set in a lane that is the short one of another.
	byLimit bool
	aside   *aside // jobs of it that a pass looks at in any case
}

// compare puts two of the lane's items in order.
func (l *lane) compare(x, y *item) int {
	if l.byLimit {
		if x.want.span != y.want.span {
			return before(x.want.span < y.want.span)
		}
		return x.compareAge(y)
	}
	return x.compare(y)
}

// chunk is a run of neighbours in a lane.
type chunk struct {
	items []*item
	wants []demand // of the items, side by side: a pass reads these of most
	least demand
	fussy int // items that are not calm
}

// chunkSize is how many items a chunk may have; one that grows beyond is halved.
const chunkSize = 128

// sum works out the least demand of a chunk.
func (c *chunk) sum() {
	c.least = c.wants[0]
	c.least.calm = false
	for i := range c.wants {
		c.least.least(&c.wants[i])
	}
}

// newChunk returns a chunk of these items, which it keeps.
func newChunk(items []*item) *chunk {
	c := &chunk{items: items, wants: make([]demand, len(items), cap(items))}
	for i, it := range items {
		c.wants[i] = it.want
	}
	c.sum()
	c.fussy = fussy(c.wants)
	return c
}

func fussy(list []demand) int {
	n := 0
	for i := range list {
		if !list[i].calm {
			n++
		}
	}
	return n
}

// place finds where an item is, or would be.
func (l *lane) place(it *item) (at, in int) {
	at, _ = slices.BinarySearchFunc(l.chunks, it, func(c *chunk, it *item) int { return l.compare(c.items[len(c.items)-1], it) })
	if at == len(l.chunks) {
		return at, 0
	}
	in, _ = slices.BinarySearchFunc(l.chunks[at].items, it, l.compare)
	return at, in
}

// add puts an item in line.
func (l *lane) add(it *item) {
	if l.short != nil {
		l.short.add(it)
	}
	if !l.byLimit {
		it.lane = l
	}
	l.insert(it)
}

// insert puts an item where it belongs in this lane alone.
func (l *lane) insert(it *item) {
	l.n++
	at, in := l.place(it)
	if at == len(l.chunks) {
		if at == 0 {
			l.chunks = append(l.chunks, newChunk([]*item{it}))
			return
		}
		at--
		in = len(l.chunks[at].items)
	}
	c := l.chunks[at]
	c.items, c.wants = slices.Insert(c.items, in, it), slices.Insert(c.wants, in, it.want)
	c.fussy += fussy(c.wants[in : in+1])
	if len(c.items) <= chunkSize {
		c.least.least(&it.want)
		return
	}
	half := len(c.items) / 2
	rest := newChunk(append(make([]*item, 0, chunkSize), c.items[half:]...))
	clear(c.items[half:])
	c.items, c.wants = c.items[:half], c.wants[:half]
	c.sum()
	c.fussy -= rest.fussy
	l.chunks = slices.Insert(l.chunks, at+1, rest)
}

// remove takes an item out of the line.
func (l *lane) remove(it *item) {
	at, in := l.place(it)
	if at == len(l.chunks) || in == len(l.chunks[at].items) || l.chunks[at].items[in] != it {
		return
	}
	if l.short != nil {
		l.short.remove(it)
	}
	if !l.byLimit {
		it.lane = nil
	}
	l.n--
	c := l.chunks[at]
	c.fussy -= fussy(c.wants[in : in+1])
	c.wants = slices.Delete(c.wants, in, in+1)
	if c.items = slices.Delete(c.items, in, in+1); len(c.items) == 0 {
		l.chunks = slices.Delete(l.chunks, at, at+1)
		return
	}
	if w := &it.want; w.node == c.least.node || w.total == c.least.total || w.nodes == c.least.nodes || w.idle == c.least.idle || w.gres == c.least.gres ||
		w.span == c.least.span {
		c.sum()
	}
}

// cursor goes along a lane for one of its partitions.
type cursor struct {
	lane *lane
	part int // of lane.parts
	at   int // chunk
	in   int // item
	item *item
	any  bool // every item is looked at
	calm bool // every item is looked at that is not calm

	// What the item is compared by.
	tier   uint32
	first  float64
	place  uint8
	rank   float64
	submit instant
	id     slurm.JobID
}

// next moves on to the next item whose demand the supply may hold, from the one
// at at and in on; item is nil at the end.
func (k *cursor) next(s *supply) {
	l := k.lane
	for ; k.at < len(l.chunks); k.at, k.in = k.at+1, 0 {
		c := l.chunks[k.at]
		if s.any {
			if k.in < len(c.items) {
				k.take(c.items[k.in])
				return
			}
			continue
		}
		if k.in == 0 && !s.holds(&c.least) && (!k.calm || c.fussy == 0) {
			continue
		}
		for ; k.in < len(c.items); k.in++ {
			if w := &c.wants[k.in]; s.holds(w) || k.calm && !w.calm {
				k.take(c.items[k.in])
				return
			}
		}
	}
	k.item = nil
}

// take notes what the cursor is at, with what it is compared by.
func (k *cursor) take(it *item) {
	k.item = it
	k.tier, k.submit, k.id = k.lane.parts[k.part].tier, it.submit, it.id
	if k.lane.byLimit {
		k.rank = -it.want.span.Seconds()
	} else {
		k.first, k.place, k.rank = it.first, it.place, it.rank
	}
}

// before reports whether what the cursor is at comes before what the other is
// at: partitions of a higher tier first, then by priority, then by age.
func (k *cursor) before(o *cursor) bool {
	switch {
	case k.tier != o.tier:
		return k.tier > o.tier
	case k.first != o.first:
		return k.first > o.first
	case k.place != o.place:
		return k.place < o.place
	case k.rank != o.rank:
		return k.rank > o.rank
	case k.submit != o.submit:
		return k.submit < o.submit
	case k.id != o.id:
		return k.id < o.id
	}
	return k.part < o.part
}

// line is the cursors of all lanes, a heap by what they are at.
type line []*cursor

func (h line) down(i int) {
	for {
		m := i
		for k := 2*i + 1; k <= 2*i+2 && k < len(h); k++ {
			if h[k].before(h[m]) {
				m = k
			}
		}
		if m == i {
			return
		}
		h[i], h[m] = h[m], h[i]
		i = m
	}
}

// init makes a heap of the cursors that are at something.
func (h *line) init() {
	*h = slices.DeleteFunc(*h, func(k *cursor) bool { return k.item == nil })
	for i := len(*h)/2 - 1; i >= 0; i-- {
		h.down(i)
	}
}

// fix restores the heap after the first cursor has moved.
func (h *line) fix() {
	if (*h)[0].item == nil {
		last := len(*h) - 1
		(*h)[0] = (*h)[last]
		*h = (*h)[:last]
	}
	h.down(0)
}

// partsOf returns the partitions a job may run in, in the order in which they are
// tried: Slurm has a job in each of them with a priority of its own, of which the
// tier and the partition's factor differ.
func (s *Scheduler) partsOf(j *Job) []*part {
	if len(j.Partitions) == 0 {
		if p := s.part(j.Partition); p != nil {
			return p.alone
		}
		return nil
	}
	if len(j.Partitions) == 1 {
		if p := s.part(j.Partitions[0]); p != nil {
			return p.alone
		}
		return nil
	}
	var parts []*part
	for _, name := range j.Partitions {
		if p := s.part(name); p != nil {
			parts = append(parts, p)
		}
	}
	weighed := multifactor(s.v.Config) && conf(s.v.Config).PriorityWeightPartition > 0
	slices.SortStableFunc(parts, func(a, b *part) int {
		if a.p.PriorityTier != b.p.PriorityTier || !weighed {
			return cmp.Compare(b.p.PriorityTier, a.p.PriorityTier)
		}
		return cmp.Compare(b.p.PriorityJobFactor, a.p.PriorityJobFactor)
	})
	return parts
}
