package sched

import (
	"math/bits"
	"slices"
	"sort"
	"time"

	"github.com/runink/rink/slurm"
)

// fit finds room for a request now, and nil when there is none. A job that is
// content with less time than its limit gets as much as there is room for; the
// limit is then what it gets, and else 0.
func (c *cycle) fit(a *ask, p *part) ([]NodeAlloc, slurm.Duration) {
	least, most := a.job.TimeMin, a.job.TimeLimit
	if least <= 0 || least >= most {
		return c.fitSpan(a, p), 0
	}
	if p.p.MaxTime > 0 {
		most = min(most, p.p.MaxTime)
	}
	a.span = span(most)
	alloc := c.fitSpan(a, p)
	if alloc == nil {
		a.span = span(least)
		if alloc = c.fitSpan(a, p); alloc == nil {
			return nil, 0
		}
		most = c.longest(a, alloc, least, most)
		a.span = span(most)
	}
	if most == a.job.TimeLimit {
		most = 0
	}
	return alloc, most
}

// longest finds the longest time, in whole minutes, for which an allocation is
// clear of what is promised to others.
func (c *cycle) longest(a *ask, alloc []NodeAlloc, least, most slurm.Duration) slurm.Duration {
	minutes := min(most.Minutes(), int64(unlimitedSpan/time.Minute)) - least.Minutes()
	n := sort.Search(int(max(minutes, 0)), func(i int) bool {
		d := span(least) + time.Duration(i+1)*time.Minute
		for k := range alloc {
			r := &c.rooms[c.byName[alloc[k].Node]]
			s := c.look(r, d)
			if s.cpus < alloc[k].CPUs || c.t.memory && s.mem < alloc[k].Mem || a.whole && !s.idle {
				return true
			}
			for g, n := range r.gresCounts(alloc[k].Gres) {
				if s.gres[g] < n {
					return true
				}
			}
		}
		return false
	})
	return min(least+slurm.Duration(n)*60, most)
}

// fitSpan finds room for a request for the time it wants.
func (c *cycle) fitSpan(a *ask, p *part) []NodeAlloc {
	key := a.keyed()
	if least, ok := c.refused[key]; ok && a.span >= least {
		return nil
	}
	c.tests++
	chosen := c.find(a, p, key)
	if chosen == nil {
		if c.trial == nil {
			c.refused[key] = a.span
		}
		return nil
	}
	return c.allot(a, chosen, true)
}

// find looks for room by the shortest way: the nodes the request names, the
// rungs of the partition when one node will do, and else all its nodes.
func (c *cycle) find(a *ask, p *part, key askKey) []slot {
	if len(a.required) > 0 && len(a.required) >= a.aim {
		where := make([]int, 0, len(a.required))
		for name := range a.required {
			if pos, ok := c.byName[name]; ok && p.in[pos] {
				where = append(where, pos)
			}
		}
		slices.Sort(where)
		if chosen := c.field.place(a, where); chosen != nil || a.maxNodes <= len(a.required) {
			return chosen
		}
	}
	if a.sharing == 1 && !c.t.leastLoaded && !p.p.LLN {
		least := a.leastCPUs()
		if a.minNodes > 1 && p.having(least, a.minNodes) < a.minNodes {
			return nil
		}
		one := true
		for i := range a.plans {
			one = one && a.fitsOne(&a.plans[i])
		}
		if one && len(a.required) == 0 {
			if o, ok := c.findOne(a, p, key); ok {
				return []slot{o}
			}
			if a.maxNodes == 1 {
				return nil
			}
			if least := max(a.tasks*a.cpt, 1); !a.overcommit && len(a.perJob) == 0 && !p.freeAtLeast(least) {
				return nil
			}
		}
	}
	if a.sharing > 1 {
		return c.field.place(a, p.where)
	}
	return c.field.place(a, p.roomsWith(a.leastCPUs()))
}

// leastCPUs is how many CPUs any node of the request gives at least.
func (a *ask) leastCPUs() int {
	if a.overcommit {
		return max(a.minCPUs, 1)
	}
	return max(a.minCPUs, a.cpt, 1)
}

// freeAtLeast reports whether the free CPUs of the partition come to so many.
func (p *part) freeAtLeast(cpus int) bool {
	sum := 0
	for _, g := range p.rungs {
		for free, set := range g.byFree {
			for _, w := range set {
				sum += free * bits.OnesCount64(w)
			}
			if sum >= cpus {
				return true
			}
		}
	}
	return false
}

// findOne finds the node of least weight with the fewest free CPUs that holds
// the request alone.
func (c *cycle) findOne(a *ask, p *part, key askKey) (slot, bool) {
	least := max(a.tasks*a.cpt, a.minCPUs)
	if a.overcommit {
		least = max(1, a.minCPUs)
	}
	k := spanKey{key, a.span}
	dead := c.dead[k]
	for i := range a.plans {
		for _, g := range p.rungs {
			for free := least; free < len(g.byFree); free++ {
				for w, word := range g.byFree[free] {
					for ; word != 0; word &= word - 1 {
						pos := g.pos[w*64+bits.TrailingZeros64(word)]
						if dead != nil && dead[pos/64]&(1<<(pos%64)) != 0 {
							continue
						}
						r := &c.rooms[pos]
						if a.suits(r.n) && a.plans[i].allows(r.n) {
							var sum tally
							if o, ok := c.offer(a, r, c.look(r, a.span)); ok {
								if sum.add(o); a.met(&sum, 1) {
									return o, true
								}
							}
						}
						if len(a.plans) == 1 && c.trial == nil {
							if dead == nil {
								dead = make([]uint64, (len(c.rooms)+63)/64)
								c.dead[k] = dead
							}
							dead[pos/64] |= 1 << (pos % 64)
						}
					}
				}
			}
		}
	}
	return slot{}, false
}
