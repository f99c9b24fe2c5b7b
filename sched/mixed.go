package sched

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// A request that needs tasks, generic resources of the whole job and nodes of
// certain kinds on few nodes may find room on a mixture alone: neither the nodes with
// the most tasks nor those with the most devices do. mixed looks for such a mixture
// where taking the richest nodes has failed, so that whether there is room is
// answered the same, however the question is put.

// mixedSteps bounds how many mixtures are compared for one request.
const mixedSteps = 200_000

// portions are what nodes give to a request, each up to what it needs: tasks, each
// item of the whole job, each of the plan's quotas.
type portion []int64

// covers reports whether each of the portions is at least the other's.
func (x portion) covers(y portion) bool {
	for i := range x {
		if x[i] < y[i] {
			return false
		}
	}
	return true
}

// mixture is so many nodes of each kind, as the last step towards it.
type mixture struct {
	has    portion
	before int32 // the mixture it was made of; -1: none
	kind   int32
	copies int32
}

// alike are the slots that give the same.
type alike struct {
	gives portion
	slots []slot
}

// mixed returns slots that meet a request on at least so many nodes and no more than
// it may have; nil when there are none, or it would take too long to find them. The
// fewest nodes are taken.
func (a *ask) mixed(offers []slot, plan *featurePlan, minNodes int) []slot {
	if len(a.perJob)+len(plan.quotas) == 0 || a.maxNodes >= len(offers) && len(plan.quotas) == 0 && len(a.perJob) < 2 {
		return nil
	}
	need := a.needed(plan)
	base, picked := make(portion, len(need)), []slot(nil)
	var kinds []alike
	where := map[string]int{}
	var key []byte
	for _, o := range offers {
		gives := a.portionOf(o, plan, need)
		if o.must {
			picked = append(picked, o)
			for i := range base {
				base[i] = min(base[i]+gives[i], need[i])
			}
			continue
		}
		key = key[:0]
		for _, n := range gives {
			key = binary.AppendVarint(key, n)
		}
		at, known := where[string(key)]
		if !known {
			at = len(kinds)
			where[string(key)] = at
			kinds = append(kinds, alike{gives: gives})
		}
		kinds[at].slots = append(kinds[at].slots, o)
	}
	most := min(a.maxNodes, len(offers)) - len(picked)
	if most < 0 || !enoughOfEach(base, need, kinds, most) {
		return nil
	}
	// What gives less of everything than others of which there are plenty is of no use.
	slices.SortStableFunc(kinds, func(x, y alike) int { return -slices.Compare(x.gives, y.gives) })
	var plenty []alike
	for _, k := range kinds {
		if len(k.slots) >= most {
			plenty = append(plenty, k)
		}
	}
	kinds = slices.DeleteFunc(kinds, func(k alike) bool {
		return slices.ContainsFunc(plenty, func(o alike) bool { return !slices.Equal(o.gives, k.gives) && o.gives.covers(k.gives) })
	})
	m := mixing{need: need, all: []mixture{{has: base, before: -1}}, layers: make([][]int32, most+1)}
	m.layers[0] = []int32{0}
	for k := range kinds {
		if !m.with(int32(k), &kinds[k], most) {
			return nil
		}
	}
	for _, layer := range m.layers {
		for _, at := range layer {
			if m.all[at].has.covers(need) {
				return a.fromMixture(m.all, at, kinds, picked, offers, minNodes)
			}
		}
	}
	return nil
}

// mixing is the search for a mixture.
type mixing struct {
	need   portion
	all    []mixture
	layers [][]int32 // by number of nodes: places in all of those that none of as many nodes outdoes
	steps  int
}

// with adds the mixtures that have nodes of one more kind. It returns false when there
// are too many to be looked at.
func (m *mixing) with(k int32, kind *alike, most int) bool {
	ends := make([]int, len(m.layers))
	for n := range m.layers {
		ends[n] = len(m.layers[n])
	}
	for n, end := range ends {
		for _, from := range m.layers[n][:end] {
			has := m.all[from].has
			for copies := 1; copies <= len(kind.slots) && n+copies <= most && !has.covers(m.need); copies++ {
				next := make(portion, len(m.need))
				for i := range next {
					next[i] = min(has[i]+kind.gives[i], m.need[i])
				}
				has = next
				m.add(n+copies, mixture{has, from, k, int32(copies)})
				if m.steps > mixedSteps {
					return false
				}
			}
		}
	}
	return true
}

// add adds one to those of as many nodes, unless one of them has as much.
func (m *mixing) add(nodes int, x mixture) {
	for _, at := range m.layers[nodes] {
		if m.steps++; m.all[at].has.covers(x.has) {
			return
		}
	}
	m.steps++
	m.layers[nodes] = append(m.layers[nodes], int32(len(m.all)))
	m.all = append(m.all, x)
}

// needed is what all nodes must give together.
func (a *ask) needed(plan *featurePlan) portion {
	need := portion{int64(a.tasks)}
	for _, g := range a.perJob {
		need = append(need, g.Count)
	}
	for _, q := range plan.quotas {
		need = append(need, int64(q.count))
	}
	return need
}

// portionOf is what one of them gives. It counts for the first quota that it is of the
// kind of.
func (a *ask) portionOf(o slot, plan *featurePlan, need portion) portion {
	gives := make(portion, 0, len(need))
	gives = append(gives, min(int64(o.tasks), need[0]))
	for i := range a.perJob {
		gives = append(gives, min(o.gres[i], need[1+i]))
	}
	counted := false
	for _, q := range plan.quotas {
		n := int64(0)
		if !counted && q.match(o.r.n) {
			n, counted = 1, true
		}
		gives = append(gives, n)
	}
	return gives
}

// enoughOfEach reports whether the nodes that give most of each amount give enough of
// it, which a mixture cannot do without.
func enoughOfEach(base, need portion, kinds []alike, most int) bool {
	byMost := slices.Clone(kinds)
	for i := range need {
		slices.SortFunc(byMost, func(x, y alike) int { return cmp.Compare(y.gives[i], x.gives[i]) })
		sum, left := base[i], most
		for _, k := range byMost {
			n := min(len(k.slots), left)
			sum, left = sum+k.gives[i]*int64(n), left-n
		}
		if sum < need[i] {
			return false
		}
	}
	return true
}

// fromMixture takes the nodes of a mixture, and as many more as the request wants at
// least.
func (a *ask) fromMixture(all []mixture, at int32, kinds []alike, picked, offers []slot, minNodes int) []slot {
	taken := make(map[int]bool)
	for at >= 0 && all[at].before >= 0 {
		m := &all[at]
		// The copies of a step are the first of their kind: each kind is taken once.
		picked = append(picked, kinds[m.kind].slots[:m.copies]...)
		at = m.before
	}
	for _, o := range picked {
		taken[o.r.pos] = true
	}
	for _, o := range offers {
		if len(picked) >= minNodes {
			break
		}
		if !taken[o.r.pos] {
			picked = append(picked, o)
		}
	}
	if len(picked) < minNodes {
		return nil
	}
	for i := range picked {
		picked[i].turn = i
	}
	return inOrder(picked)
}
