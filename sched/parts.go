package sched

import (
	"cmp"
	"math/bits"
	"slices"

	"github.com/runink/rink/slurm"
)

// part is a partition as the scheduler works with it.
type part struct {
	p     *Partition
	where []int   // positions of its nodes, by weight and configuration
	in    []bool  // by position
	order []int32 // places in where, by position; nil until asked for
	size  PartitionSize
	open  int     // nodes in service
	alone []*part // the partition by itself
	tier  uint32
	rungs []*rung
	views []*outlook // nil: few nodes, or no two alike

	// What the nodes in service have free.
	byFree []int32 // how many have so many CPUs free
	most   int     // no node has more
	total  int     // CPUs together
	mem    int64   // memory together, in MB
	some   int     // nodes with any
	idle   int     // nodes with no job

	spread bool // the emptiest nodes go first
	// failed is set once in a pass a job is in line for resources here.
	failed  bool
	short   bool   // of nodes in service, for a job that was looked at before
	turned  bool   // the rest of its line goes by length
	gres    *stock // what was counted of generic resources
	now     supply // as of asOf
	refused []refusal
	asOf    int // what was booked in the pass, and one; 0: never
}

// rung holds the rooms of one partition that weigh the same, by free CPUs, so
// that the fullest one that still has enough is found without a search.
type rung struct {
	part   *part
	weight uint64
	pos    []int
	byFree [][]uint64 // for each number of free CPUs, the set of rooms by index into pos; nil when the rooms are few
	count  []int32    // for each number of free CPUs, how many
}

func newPart(conf *Partition, f *field, byName map[NodeName]int, t *tuning) *part {
	p := &part{p: conf, in: make([]bool, len(f.rooms)), spread: conf.LLN || t.leastLoaded}
	p.alone, p.tier = []*part{p}, conf.PriorityTier
	for _, n := range conf.Nodes {
		if pos, ok := byName[n]; ok && !p.in[pos] {
			p.where, p.in[pos] = append(p.where, pos), true
		}
	}
	slices.SortFunc(p.where, func(x, y int) int {
		a, b := f.rooms[x].n, f.rooms[y].n
		return cmp.Or(cmp.Compare(a.placeWeight(), b.placeWeight()), cmp.Compare(x, y))
	})
	for _, pos := range p.where {
		r := &f.rooms[pos]
		p.size.Nodes++
		p.size.CPUs += r.total
		if len(p.rungs) == 0 || p.rungs[len(p.rungs)-1].weight != r.n.placeWeight() {
			p.rungs = append(p.rungs, &rung{part: p, weight: r.n.placeWeight()})
		}
		g := p.rungs[len(p.rungs)-1]
		r.spots = append(r.spots, spot{g, len(g.pos)})
		g.pos = append(g.pos, pos)
	}
	for _, g := range p.rungs {
		for at, pos := range g.pos {
			if r := &f.rooms[pos]; r.open {
				g.put(at, r.cpus)
				p.open++
				p.count(r.cpus, r.mem, len(r.held) == 0, 1)
			}
		}
	}
	p.views = outlooksOf(f.rooms, p.where)
	return p
}

// count adds (by 1) or takes out (by -1) what a node in service has free.
func (p *part) count(cpus int, mem slurm.MB, idle bool, by int) {
	free := max(cpus, 0)
	p.mem += int64(by) * int64(mem)
	for len(p.byFree) <= free {
		p.byFree = append(p.byFree, 0)
	}
	p.byFree[free] += int32(by)
	p.total += by * free
	if free > 0 {
		p.some += by
	}
	if idle {
		p.idle += by
	}
	if by > 0 {
		p.most = max(p.most, free)
	}
}

// leaveRungs takes a room that goes out of service out of the counts.
func (s *Scheduler) leaveRungs(r *room) {
	for _, at := range r.spots {
		at.rung.drop(at.at, r.cpus)
		at.rung.part.open--
		at.rung.part.count(r.cpus, r.mem, len(r.held) == 0, -1)
	}
	for _, at := range r.seats {
		at.o.opened--
	}
}

// joinRungs puts a room that comes into service into the counts.
func (s *Scheduler) joinRungs(r *room) {
	for _, at := range r.spots {
		at.rung.put(at.at, r.cpus)
		at.rung.part.open++
		at.rung.part.count(r.cpus, r.mem, len(r.held) == 0, 1)
	}
	for _, at := range r.seats {
		at.o.opened++
	}
}

// emptiestFirst orders nodes of equal weight by the CPUs they have free, for
// partitions that spread their load.
func (f *field) emptiestFirst(where []int) {
	slices.SortStableFunc(where, func(x, y int) int {
		a, b := &f.rooms[x], &f.rooms[y]
		return cmp.Or(cmp.Compare(a.n.placeWeight(), b.n.placeWeight()), cmp.Compare(b.cpus, a.cpus), cmp.Compare(x, y))
	})
}

// few reports whether a rung has so few rooms that they are looked at one by one.
func (g *rung) few() bool { return len(g.pos) <= smallField }

func (g *rung) put(at, free int) {
	if g.few() {
		return
	}
	free = max(free, 0)
	for len(g.byFree) <= free {
		g.byFree, g.count = append(g.byFree, nil), append(g.count, 0)
	}
	if g.byFree[free] == nil {
		g.byFree[free] = make([]uint64, (len(g.pos)+63)/64)
	}
	g.byFree[free][at/64] |= 1 << (at % 64)
	g.count[free]++
}

func (g *rung) drop(at, free int) {
	if g.few() {
		return
	}
	if free = max(free, 0); free < len(g.byFree) && g.byFree[free] != nil {
		g.byFree[free][at/64] &^= 1 << (at % 64)
		g.count[free]--
	}
}

// roomsWith returns the positions of the rooms in service with at least so many
// free CPUs, by weight and configuration.
func (f *field) roomsWith(p *part, cpus int) []int {
	where := f.where[:0]
	for _, g := range p.rungs {
		if g.few() {
			for _, pos := range g.pos {
				if r := &f.rooms[pos]; r.open && r.cpus >= cpus {
					where = append(where, pos)
				}
			}
			continue
		}
		if len(g.byFree) <= cpus {
			continue
		}
		any := slices.Grow(f.any[:0], (len(g.pos)+63)/64)[:(len(g.pos)+63)/64]
		clear(any)
		f.any = any
		for free := max(cpus, 0); free < len(g.byFree); free++ {
			if g.count[free] == 0 {
				continue
			}
			for w, word := range g.byFree[free] {
				any[w] |= word
			}
		}
		for w, word := range any {
			for ; word != 0; word &= word - 1 {
				where = append(where, g.pos[w*64+bits.TrailingZeros64(word)])
			}
		}
	}
	f.where = where
	return where
}

// having counts the rooms in service with at least so many free CPUs, up to
// enough.
func (p *part) having(cpus, enough int) int {
	n := 0
	for free := p.supplyMost(); free >= max(cpus, 0) && n < enough; free-- {
		n += int(p.byFree[free])
	}
	return n
}

func (p *part) supplyMost() int {
	for p.most > 0 && p.byFree[p.most] == 0 {
		p.most--
	}
	return min(p.most, len(p.byFree)-1)
}
