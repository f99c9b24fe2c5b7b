package sched

import (
	"slices"
	"time"
)

// within is earliest for a job behind the first, on many nodes: when enough of
// them have been looked at without success, it is promised nodes after all that
// they are known to do. That is later than it might be; as others end early it
// moves forward.
func (c *cycle) within(a *ask, p *part, from instant) (instant, []slot) {
	c.sweep.budget = behindLooks
	at, chosen := c.earliest(a, p, max(from, c.notBefore(a)))
	if from == c.now {
		c.foundBefore(a, c.sweep.reached)
	}
	spent := c.sweep.budget < 0
	c.sweep.budget = 0
	if chosen != nil || !spent {
		return at, chosen
	}
	return c.afterAll(a, p, from)
}

// floor is a moment before which there is no room for requests of a shape that take
// no less time.
type floor struct {
	span time.Duration
	at   instant
}

// notBefore is a moment before which there is no room for a request, as the pass has
// found for others of its shape: since then room was only taken away.
func (c *cycle) notBefore(a *ask) instant {
	at := always
	if sh := a.shape; sh != nil && sh.floorsAt == c.pass && sh.floorsOf == c.loosened {
		for _, f := range sh.floors {
			if f.span <= a.span {
				at = max(at, f.at)
			}
		}
	}
	return at
}

// foundBefore notes what notBefore tells.
func (c *cycle) foundBefore(a *ask, at instant) {
	sh := a.shape
	if sh == nil || sh.refs < 2 || at <= c.now {
		return
	}
	if sh.floorsAt != c.pass || sh.floorsOf != c.loosened {
		sh.floors, sh.floorsAt, sh.floorsOf = sh.floors[:0], c.pass, c.loosened
	}
	sh.floors = slices.DeleteFunc(sh.floors, func(f floor) bool { return f.span >= a.span && f.at <= at })
	sh.floors = append(sh.floors, floor{a.span, at})
}

// behindLooks is how many nodes are looked at for a promise behind the first.
const behindLooks = 400

// tail is when a room has nothing more to do.
type tail struct {
	at  instant
	pos int
}

// afterAll finds the nodes that have nothing more to do soonest, from or later, as
// many as a request takes.
func (c *cycle) afterAll(a *ask, p *part, from instant) (instant, []slot) {
	n := max(a.minNodes, 1)
	best := c.sweep.tails[:0] // a heap, the latest first
	down := func(i int) {
		for {
			m := i
			for k := 2*i + 1; k <= 2*i+2 && k < len(best); k++ {
				if best[k].at > best[m].at {
					m = k
				}
			}
			if m == i {
				return
			}
			best[i], best[m] = best[m], best[i]
			i = m
		}
	}
	for _, o := range p.views {
		if !c.suitsKind(a, o) {
			continue
		}
		for _, pos := range o.rooms {
			r := &c.rooms[pos]
			at := r.line.segs[len(r.line.segs)-1].at
			if len(best) == n && at >= best[0].at || !r.open || len(a.excluded) > 0 && a.excluded[r.n.Name] {
				continue
			}
			if len(best) < n {
				best = append(best, tail{at, pos})
				if len(best) == n {
					for i := n/2 - 1; i >= 0; i-- {
						down(i)
					}
				}
				continue
			}
			best[0] = tail{at, pos}
			down(0)
		}
	}
	c.sweep.tails = best
	if len(best) < n {
		return never, nil
	}
	f := c.field
	f.left, f.found, f.where = spare{}, nil, nil
	f.from = from
	w := &c.sweep
	w.members = w.members[:0]
	for _, t := range best {
		f.from = max(f.from, t.at)
		w.members = append(w.members, t.pos)
	}
	if chosen := f.place(a, w.inLine(p)); chosen != nil {
		return f.from, slices.Clone(chosen)
	}
	return never, nil
}
