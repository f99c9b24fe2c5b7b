package sched

import (
	"math"
	"slices"
	"time"

	"github.com/runink/rink/slurm"
)

// instant is a moment in nanoseconds since 1970, which the scheduler compares
// more often than anything else.
type instant int64

const (
	// always is before every moment, never after.
	always instant = math.MinInt64
	never  instant = math.MaxInt64
)

func instantOf(t time.Time) instant {
	if t.IsZero() {
		return always
	}
	return instant(t.UnixNano())
}

// time returns the moment as a time; never is the zero time.
func (i instant) time() time.Time {
	if i == never || i == always {
		return time.Time{}
	}
	return time.Unix(0, int64(i)).UTC()
}

// plus is d later, and never where that is beyond counting.
func (i instant) plus(d time.Duration) instant {
	if i == never || d > 0 && i > never-instant(d) {
		return never
	}
	return i + instant(d)
}

// load is what one allocation takes of one node.
type load struct {
	cpus   int
	shared int // of them, shared with other jobs
	mem    slurm.MB
	gres   []int64 // by shelf; nil: none
	keeper bool    // keeps others off the node
	block  bool    // promised whole: nothing else may be there
	strict bool    // a promise to a job that does not share CPUs
	silent bool    // of a job that gave way: it does not count as one
}

func (d load) same(o load) bool {
	return d.cpus == o.cpus && d.shared == o.shared && d.mem == o.mem && slices.Equal(d.gres, o.gres) && d.keeper == o.keeper && d.block == o.block &&
		d.strict == o.strict && d.silent == o.silent
}

// spare is what a node can give over some span of time: the least of each kind
// that is there at any moment of it.
type spare struct {
	cpus   int
	shared int // CPUs in use by jobs that share them
	mem    slurm.MB
	gres   []int64 // by shelf
	idle   bool
	kept   bool // some job keeps others off
	// strict is set while CPUs are promised to a job that does not share them:
	// when it starts, no CPU may be in use twice.
	strict bool

	// Where it was read: from segment seg on until to, with so many CPUs. nil: it
	// was not read from a timeline.
	line *timeline
	seg  int
	to   instant
	read int
}

// seg is what is left on a node from one moment until the next segment's.
type seg struct {
	at              instant
	cpus, shared    int32
	jobs, keepers   int32 // jobs there, running or promised; those of them that keep others off
	blocks, stricts int32
	mem             slurm.MB
	gres            []int64
}

// free returns the CPUs that may be given from the segment.
func (s *seg) free() int32 {
	if s.blocks > 0 {
		return 0
	}
	return s.cpus
}

// same reports whether two segments say the same.
func (s *seg) same(o *seg) bool {
	return s.cpus == o.cpus && s.shared == o.shared && s.jobs == o.jobs && s.keepers == o.keepers &&
		s.blocks == o.blocks && s.stricts == o.stricts && s.mem == o.mem && slices.Equal(s.gres, o.gres)
}

// timeline is what is left on a node over time, as running jobs end by their
// limits and promises begin and end: segments in order, the first from always
// on, the last for ever. Neighbours differ.
type timeline struct{ segs []seg }

// reset makes the timeline that of a node with so much and nothing on it.
func (l *timeline) reset(cpus int, mem slurm.MB, gres []int64) {
	l.segs = append(l.segs[:0], seg{at: always, cpus: int32(cpus), mem: mem, gres: gres})
}

// find returns the index of the segment that t lies in.
func (l *timeline) find(t instant) int {
	lo, hi := 0, len(l.segs)
	for hi-lo > 1 {
		if mid := int(uint(lo+hi) >> 1); l.segs[mid].at <= t {
			lo = mid
		} else {
			hi = mid
		}
	}
	return lo
}

// cut makes a segment begin at t and returns its index.
func (l *timeline) cut(t instant) int {
	i := l.find(t)
	if l.segs[i].at == t {
		return i
	}
	s := l.segs[i]
	s.at, s.gres = t, slices.Clone(s.gres)
	l.segs = slices.Insert(l.segs, i+1, s)
	return i + 1
}

// join drops the boundary before segment i when nothing changes there.
func (l *timeline) join(i int) {
	if i > 0 && i < len(l.segs) && l.segs[i].same(&l.segs[i-1]) {
		l.segs = slices.Delete(l.segs, i, i+1)
	}
}

// add takes a load from the node over a span (sign 1) or gives it back (-1).
func (l *timeline) add(from, to instant, d *load, sign int32) {
	if to <= from {
		return
	}
	i := 0
	if from != always {
		i = l.cut(from)
	}
	j := len(l.segs)
	if to != never {
		j = l.cut(to)
	}
	for k := i; k < j; k++ {
		s := &l.segs[k]
		s.cpus -= sign * int32(d.cpus)
		s.shared += sign * int32(d.shared)
		if !d.silent {
			s.jobs += sign
		}
		s.mem -= slurm.MB(sign) * d.mem
		if d.keeper {
			s.keepers += sign
		}
		if d.block {
			s.blocks += sign
		}
		if d.strict {
			s.stricts += sign
		}
		for g, n := range d.gres {
			s.gres[g] -= int64(sign) * n
		}
	}
	l.join(j)
	l.join(i)
}

// least returns what is left at every moment from one to another.
func (l *timeline) least(from, to instant, out *spare) {
	i := 0
	if len(l.segs) > 1 && l.segs[1].at <= from {
		i = l.find(from)
	}
	l.leastFrom(i, to, out)
}

// leastFrom is least from the beginning of segment i on, or where in it the span
// begins.
func (l *timeline) leastFrom(i int, to instant, out *spare) {
	out.line, out.seg, out.to = l, i, to
	s := &l.segs[i]
	out.cpus, out.shared, out.mem = int(s.free()), int(s.shared), s.mem
	out.idle, out.kept, out.strict = s.jobs <= 0, s.keepers > 0, s.stricts > 0
	out.gres = append(out.gres[:0], s.gres...)
	for i++; i < len(l.segs) && l.segs[i].at < to; i++ {
		s = &l.segs[i]
		out.cpus, out.shared, out.mem = min(out.cpus, int(s.free())), max(out.shared, int(s.shared)), min(out.mem, s.mem)
		out.idle, out.kept, out.strict = out.idle && s.jobs <= 0, out.kept || s.keepers > 0, out.strict || s.stricts > 0
		for g, n := range s.gres {
			out.gres[g] = min(out.gres[g], n)
		}
	}
	out.read = out.cpus
}
