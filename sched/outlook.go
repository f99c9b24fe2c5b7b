package sched

import (
	"math"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"time"
)

// outlook answers for nodes of one kind in a partition when the first of them
// has so many CPUs, or generic resources of a name, free for so long. It is a tree over the nodes; each knot
// holds, for every step of CPUs, until when some node below it has them from now
// on, and for every step of CPUs and of time the earliest later moment at which
// one has at least these for at least that long. The steps round a question
// down, so that the answer is never too late, and what is found at a leaf is
// looked at exactly. A node that changes costs its own timeline once
// over and the way up to the root.
type outlook struct {
	rooms []int // positions, by leaf
	size  int   // leaves, a power of two
	cpus  []int32
	knots []uint32 // moments in seconds; knot k has its row at k*row: for each step of CPUs the end, then the beginnings by time
	row   int
	last  int // the knot that stands for all leaves beyond the nodes: it has nothing
	dirty []int32
	// What there is from the moment a leaf was looked at on: for each step of time
	// the CPUs free for so long, for each step of CPUs and of time the nodes that
	// have them. As time goes on they become fewer, unless a leaf is touched.
	spare  []int64
	nodes  []int32
	lasts  [][]int32 // of each leaf: the least free CPUs by step of time
	due    []int32   // leaves to be looked at and counted anew
	stale  []bool    // by leaf: in dirty, the knots above it may be wrong of it
	isDue  []bool    // by leaf: in due
	free   []int32
	opened int                 // leaves in service
	kind   *Node               // one of them: they differ in nothing that a request asks for but their names
	name   string              // of the generic resource that stands in for CPUs; "": CPUs
	gres   map[string]*outlook // the same nodes by their generic resources
}

// freeIn returns what the outlook counts of a segment.
func (o *outlook) freeIn(r *room, s *seg) int32 {
	if o.name == "" {
		return s.free()
	}
	return int32(min(r.gresIn(s, o.name), math.MaxInt32))
}

// smallField is up to how many nodes are looked at one by one.
const smallField = 16

// timeSteps are the spans an outlook tells apart.
var timeSteps = [stride - 1]time.Duration{0, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute, 45 * time.Minute, time.Hour, 90 * time.Minute, 2 * time.Hour, 3 * time.Hour, 4 * time.Hour, 6 * time.Hour, 8 * time.Hour, 12 * time.Hour, 24 * time.Hour, 72 * time.Hour}

// cpuSteps are the numbers of CPUs an outlook on nodes of this size tells apart:
// up to the size itself, since whole nodes are asked for most.
func cpuSteps(most int) []int32 {
	var steps []int32
	for n, step := 1, 1; n < most; n += step {
		steps = append(steps, int32(n))
		if n == 4*step {
			step *= 2
		}
	}
	return append(steps, int32(most))
}

// stride is what a knot says of one step of CPUs: an end, and a beginning for each
// step of time.
const stride = 16

const noMoment = math.MaxUint32

// seconds rounds a moment down to what an outlook counts in.
func (i instant) seconds() uint32 {
	switch {
	case i == never:
		return noMoment
	case i <= 0:
		return 0
	}
	return uint32(min(i/instant(time.Second), noMoment-1))
}

// newOutlook returns the outlook on these rooms, all of them to be looked at.
func newOutlook(rooms []room, where []int, gres string) *outlook {
	most := 1
	for _, pos := range where {
		if gres == "" {
			most = max(most, rooms[pos].total)
		} else {
			most = max(most, int(rooms[pos].stockOf(gres)))
		}
	}
	o := &outlook{rooms: where, size: 1 << bits.Len(uint(max(len(where)-1, 0))), cpus: cpuSteps(most), kind: rooms[where[0]].n, name: gres}
	o.row = len(o.cpus) * stride
	o.last = o.size + len(where)
	o.knots = make([]uint32, (o.last+1)*o.row)
	for k := range o.last + 1 {
		for i := range o.row {
			if i%stride != 0 {
				o.knots[k*o.row+i] = noMoment
			}
		}
	}
	o.stale, o.isDue = make([]bool, len(where)), make([]bool, len(where))
	o.spare, o.nodes = make([]int64, len(timeSteps)), make([]int32, len(o.cpus)*len(timeSteps))
	o.lasts = make([][]int32, len(where))
	all := make([]int32, len(where)*len(timeSteps))
	for i := range o.lasts {
		o.lasts[i] = all[i*len(timeSteps) : (i+1)*len(timeSteps)]
	}
	for leaf, pos := range where {
		rooms[pos].seats = append(rooms[pos].seats, seat{o, leaf})
		if rooms[pos].open {
			o.opened++
		}
		o.touch(leaf)
	}
	return o
}

// touch notes that a leaf must be looked at again. Until then the knots above it
// may say too much or too little of it, of the others they tell the truth.
func (o *outlook) touch(leaf int) {
	if !o.isDue[leaf] {
		o.isDue[leaf] = true
		o.due = append(o.due, int32(leaf))
	}
	if !o.stale[leaf] {
		o.stale[leaf] = true
		o.dirty = append(o.dirty, int32(leaf))
	}
}

func (o *outlook) knot(k int) []uint32 {
	at := min(k, o.last) * o.row
	return o.knots[at : at+o.row]
}

// counted brings what is counted and the leaves up to date. They are never behind when
// they are asked for: a leaf that counted for what it has free at the moment would hide
// what is promised there, and each job that waits would hope for it.
func (o *outlook) counted(rooms []room, now instant) {
	for _, leaf := range o.due {
		o.isDue[leaf] = false
		r := &rooms[o.rooms[leaf]]
		o.look(int(leaf), r)
		o.recount(int(leaf), r, now)
	}
	o.due = o.due[:0]
}

// fresh brings what is counted and the leaves up to date, and the tree above them when
// more than a few have changed: those are looked at one by one until then, and the way
// to the root is gone up for many at once.
func (o *outlook) fresh(rooms []room, now instant) {
	o.counted(rooms, now)
	if len(o.dirty) <= fewDirty {
		return
	}
	for _, leaf := range o.dirty {
		o.stale[leaf] = false
	}
	if len(o.dirty) > o.size/8 {
		for k := o.size - 1; k > 0; k-- {
			o.sum(k)
		}
		o.dirty = o.dirty[:0]
		return
	}
	slices.Sort(o.dirty)
	level := o.dirty // knots to be worked out, in order
	for i := range level {
		level[i] = (level[i] + int32(o.size)) / 2
	}
	for len(level) > 0 && level[0] > 0 {
		n := 0
		for i, k := range level {
			if i > 0 && n > 0 && level[n-1] == k {
				continue
			}
			level[n] = k
			n++
		}
		level = level[:n]
		n = 0
		for _, k := range level {
			if o.sum(int(k)) {
				level[n] = k / 2
				n++
			}
		}
		level = level[:n]
	}
	o.dirty = o.dirty[:0]
}

// fewDirty is how many leaves may be out of date.
const fewDirty = 16

// sum works out a knot from the two below it, and reports whether it changed.
func (o *outlook) sum(k int) bool {
	to, a, b := o.knot(k), o.knot(2*k), o.knot(2*k+1)
	changed := false
	b, to = b[:len(a)], to[:len(a)]
	for i := 0; i+stride <= len(a); i += stride {
		if x := max(a[i], b[i]); to[i] != x { // the latest end
			to[i], changed = x, true
		}
		for k := i + 1; k < i+stride; k++ { // the earliest beginning
			if x := min(a[k], b[k]); to[k] != x {
				to[k], changed = x, true
			}
		}
	}
	return changed
}

// look reads a room's timeline into its leaf.
func (o *outlook) look(leaf int, r *room) {
	to := o.knot(o.size + leaf)
	steps := len(timeSteps)
	for i := range to {
		to[i] = noMoment
		if i%stride == 0 {
			to[i] = 0
		}
	}
	if !r.open {
		return
	}
	segs := r.line.segs
	free := o.free[:0]
	most := int32(0)
	for i := range segs {
		f := o.freeIn(r, &segs[i])
		free = append(free, f)
		most = max(most, f)
	}
	o.free = free
	for c, least := range o.cpus {
		if least > most {
			break
		}
		row := to[c*stride+1 : (c+1)*stride]
		next := 0 // the first step of time that has no moment yet
		for i := 0; i < len(free) && next < steps; {
			if free[i] < least {
				i++
				continue
			}
			from := i
			for i < len(free) && free[i] >= least {
				i++
			}
			switch {
			case from == 0 && i == len(free):
				to[c*stride] = noMoment
				next = steps
			case from == 0:
				to[c*stride] = segs[i].at.seconds() + 1
			default:
				at := segs[from].at
				for next < steps && (i == len(free) || segs[i].at-at >= instant(timeSteps[next])) {
					row[next] = at.seconds()
					next++
				}
			}
		}
	}
}

// recount counts what a room has free from now on, and for how long.
func (o *outlook) recount(leaf int, r *room, now instant) {
	steps := len(timeSteps)
	last := o.lasts[leaf]
	if !r.open {
		for t := range last {
			o.counts(t, last[t], 0)
		}
		clear(last)
		return
	}
	segs := r.line.segs
	i := r.line.find(now)
	left := o.freeIn(r, &segs[i])
	for t := range steps {
		end := now.plus(timeSteps[t])
		for i+1 < len(segs) && segs[i+1].at < end {
			i++
			left = min(left, o.freeIn(r, &segs[i]))
		}
		if free := max(left, 0); free != last[t] {
			o.counts(t, last[t], free)
			last[t] = free
		}
	}
}

// counts notes that a leaf has so much free for a step of time, and no more what it
// had before.
func (o *outlook) counts(t int, before, free int32) {
	o.spare[t] += int64(free) - int64(before)
	by, less, more := int32(1), before, free
	if free < before {
		by, less, more = -1, free, before
	}
	for c, steps := 0, len(timeSteps); c < len(o.cpus) && o.cpus[c] <= more; c++ {
		if o.cpus[c] > less {
			o.nodes[c*steps+t] += by
		}
	}
}

// room returns no fewer than the nodes that have so many CPUs free from now on
// for so long, and no fewer than the CPUs that are free for so long.
func (o *outlook) room(q question) (nodes int, cpus int64) {
	t := q.at%stride - 1
	return int(o.nodes[q.cpu/stride*len(timeSteps)+t]), o.spare[t]
}

// question is a number of CPUs and a time rounded down to the steps of an
// outlook.
type question struct {
	cpu, at int // places in a knot
	d       time.Duration
}

// ask rounds a question.
func (o *outlook) ask(cpus int, d time.Duration) question {
	c := len(o.cpus) - 1
	for c > 0 && int(o.cpus[c]) > cpus {
		c--
	}
	t := len(timeSteps) - 1
	for t > 0 && timeSteps[t] > d {
		t--
	}
	return question{cpu: c * stride, at: c*stride + 1 + t, d: d}
}

// earliest returns a moment, from or later, before which no node below knot k
// can answer the question; never if none ever will.
func (o *outlook) earliest(k int, q question, from instant) instant {
	knot := o.knot(k)
	if first := knot[q.cpu]; first == noMoment || first >= from.plus(q.d).seconds() {
		return from
	}
	if s := knot[q.at]; s != noMoment {
		return max(from, instant(s)*instant(time.Second))
	}
	return never
}

// kindOf is what a request may ask of a node, in words.
func kindOf(r *room) string {
	n := r.n
	var b strings.Builder
	for _, x := range []int{r.total, n.Sockets, n.Cores, n.Threads, int(n.Memory), int(n.TmpDisk), int(n.placeWeight())} {
		b.WriteString(strconv.Itoa(x))
		b.WriteByte(' ')
	}
	b.WriteString(strings.Join(n.Features, ","))
	for _, g := range n.Gres {
		b.WriteString(" " + g.Name + ":" + g.Type + ":" + strconv.FormatInt(g.Count, 10))
	}
	return b.String()
}

// outlooksOf parts the rooms at these positions by kind, in their order.
func outlooksOf(rooms []room, where []int) []*outlook {
	if len(where) <= smallField {
		return nil
	}
	var kinds []string
	byKind := map[string][]int{}
	for _, pos := range where {
		k := kindOf(&rooms[pos])
		if byKind[k] == nil {
			kinds = append(kinds, k)
		}
		byKind[k] = append(byKind[k], pos)
	}
	if len(kinds) > max(len(where)/4, 1) {
		return nil // every node is its own kind: there is nothing to gain
	}
	list := make([]*outlook, len(kinds))
	for i, k := range kinds {
		list[i] = newOutlook(rooms, slices.Clip(byKind[k]), "")
		for _, g := range list[i].kind.Gres {
			if list[i].gres[g.Name] == nil && g.Count > 0 {
				if list[i].gres == nil {
					list[i].gres = make(map[string]*outlook)
				}
				list[i].gres[g.Name] = newOutlook(rooms, list[i].rooms, g.Name)
			}
		}
	}
	return list
}
