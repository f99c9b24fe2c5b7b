package sched

import (
	"cmp"
	"math/bits"
	"slices"
)

// part is a partition as one cycle works with it.
type part struct {
	p     *Partition
	where []int  // positions of its nodes, by weight and configuration
	in    []bool // by position
	size  PartitionSize
	open  int // nodes in service
	rungs []*rung
	// failed is set once a job is in line for resources here.
	failed bool
	stock  *stock
}

// rung holds the rooms of one partition that weigh the same, by free CPUs, so
// that the fullest one that still has enough is found without a search.
type rung struct {
	weight uint32
	pos    []int
	byFree [][]uint64 // for each number of free CPUs, the set of rooms by index into pos
}

// part returns a partition as the cycle works with it, nil when there is none of
// that name.
func (c *cycle) part(name PartitionName) *part {
	if p, ok := c.parts[name]; ok {
		return p
	}
	conf := c.v.Config.Partition(name)
	if conf == nil {
		c.parts[name] = nil
		return nil
	}
	p := &part{p: conf, in: make([]bool, len(c.rooms))}
	for _, n := range conf.Nodes {
		if pos, ok := c.byName[n]; ok && !p.in[pos] {
			p.where, p.in[pos] = append(p.where, pos), true
		}
	}
	slices.SortFunc(p.where, func(x, y int) int {
		a, b := c.rooms[x].n, c.rooms[y].n
		return cmp.Or(cmp.Compare(a.Weight, b.Weight), cmp.Compare(x, y))
	})
	if conf.LLN || c.t.leastLoaded {
		c.emptiestFirst(p.where)
	}
	for _, pos := range p.where {
		r := &c.rooms[pos]
		p.size.Nodes++
		p.size.CPUs += r.total
		if !r.open {
			continue
		}
		p.open++
		if len(p.rungs) == 0 || p.rungs[len(p.rungs)-1].weight != r.n.Weight {
			p.rungs = append(p.rungs, &rung{weight: r.n.Weight})
		}
		g := p.rungs[len(p.rungs)-1]
		r.spots = append(r.spots, spot{g, len(g.pos)})
		g.pos = append(g.pos, pos)
	}
	for _, g := range p.rungs {
		for at, pos := range g.pos {
			g.put(at, c.rooms[pos].cpus)
		}
	}
	c.parts[name] = p
	return p
}

// emptiestFirst orders nodes of equal weight by the CPUs they have free, for
// partitions that spread their load.
func (c *cycle) emptiestFirst(where []int) {
	slices.SortStableFunc(where, func(x, y int) int {
		a, b := &c.rooms[x], &c.rooms[y]
		return cmp.Or(cmp.Compare(a.n.Weight, b.n.Weight), cmp.Compare(b.cpus, a.cpus))
	})
}

func (g *rung) put(at, free int) {
	free = max(free, 0)
	for len(g.byFree) <= free {
		g.byFree = append(g.byFree, nil)
	}
	if g.byFree[free] == nil {
		g.byFree[free] = make([]uint64, (len(g.pos)+63)/64)
	}
	g.byFree[free][at/64] |= 1 << (at % 64)
}

func (g *rung) drop(at, free int) {
	if free = max(free, 0); free < len(g.byFree) && g.byFree[free] != nil {
		g.byFree[free][at/64] &^= 1 << (at % 64)
	}
}

// roomsWith returns the positions of the rooms with at least so many free CPUs,
// by weight and configuration.
func (p *part) roomsWith(cpus int) []int {
	var where []int
	for _, g := range p.rungs {
		if len(g.byFree) <= cpus {
			continue
		}
		any := make([]uint64, (len(g.pos)+63)/64)
		for _, set := range g.byFree[max(cpus, 0):] {
			for w, word := range set {
				any[w] |= word
			}
		}
		for w, word := range any {
			for ; word != 0; word &= word - 1 {
				where = append(where, g.pos[w*64+bits.TrailingZeros64(word)])
			}
		}
	}
	return where
}

// having counts the rooms with at least so many free CPUs, up to enough.
func (p *part) having(cpus, enough int) int {
	n := 0
	for _, g := range p.rungs {
		for free := max(cpus, 0); free < len(g.byFree) && n < enough; free++ {
			for _, w := range g.byFree[free] {
				n += bits.OnesCount64(w)
			}
		}
	}
	return n
}
