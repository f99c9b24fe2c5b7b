package sched

import (
	"cmp"
	"slices"
)

// extend returns slots of group that meet the request together with those picked
// already, which sum counts, in the order in which tasks are to fill them. Next to
// nodes that are wanted by name or feature their neighbours of the same weight go
// first, those behind the first of them before those in front of it.
func (a *ask) extend(picked []slot, sum tally, group []slot, goal int) []slot {
	if len(picked) == 0 {
		return a.fill(sum, group, goal)
	}
	first := slices.MinFunc(picked, func(x, y slot) int { return cmp.Compare(x.r.pos, y.r.pos) })
	at := make(map[int]slot, len(group))
	there := make(map[int]bool, len(picked))
	for _, o := range group {
		if o.r.n.Weight == first.r.n.Weight {
			at[o.r.n.Index] = o
		}
	}
	for _, o := range picked {
		there[o.r.n.Index] = true
	}
	var next []slot
	for _, by := range []int{1, -1} {
		for i := first.r.n.Index + by; ; i += by {
			o, ok := at[i]
			if ok {
				next = append(next, o)
				delete(at, i)
			} else if !there[i] {
				break
			}
		}
	}
	if found := a.enough(sum, next, goal); found != nil {
		return found
	}
	return a.fill(sum, group, goal)
}

// enough returns as many slots of a list, from its beginning, as meet the request
// together with what was counted already; nil when all of them do not. For the last
// node that the request may have those are passed over that do not complete it.
func (a *ask) enough(base tally, list []slot, goal int) []slot {
	sum := base
	sum.gres = slices.Clone(base.gres)
	for i, o := range list {
		if sum.nodes == a.maxNodes {
			break
		}
		sum.add(o)
		if a.met(&sum, goal) {
			found := make([]slot, 0, i+1)
			return append(append(found, list[:sum.nodes-base.nodes-1]...), o)
		}
		if sum.nodes == a.maxNodes {
			sum.remove(o)
		}
	}
	return nil
}

// fill returns the slots of group that meet the request together with what was
// counted already, in the order in which tasks are to fill them.
func (a *ask) fill(base tally, group []slot, goal int) []slot {
	if len(group) == 0 {
		return nil
	}
	if a.spread {
		// The emptiest nodes first.
		slices.SortStableFunc(group, func(x, y slot) int {
			return cmp.Or(cmp.Compare(x.r.n.Weight, y.r.n.Weight), cmp.Compare(y.tasks, x.tasks), cmp.Compare(x.r.pos, y.r.pos))
		})
		if found := a.enough(base, group, goal); found != nil {
			return found
		}
	}
	slices.SortFunc(group, func(x, y slot) int { return cmp.Compare(x.r.pos, y.r.pos) })
	if found := a.fillRuns(base, group, goal); found != nil {
		return found
	}
	// As in Slurm, again and again without the nodes that have the least to give: they
	// use up the nodes that the request may have.
	for rich := group; base.nodes+len(rich) > a.maxNodes; {
		if rich = withoutLeast(rich); len(rich) == 0 {
			break
		}
		if found := a.fillRuns(base, rich, goal); found != nil {
			return found
		}
	}
	return a.fewest(base, group, goal)
}

// withoutLeast leaves out the slots that have the least to give.
func withoutLeast(list []slot) []slot {
	least := list[0].tasks
	for _, o := range list {
		least = min(least, o.tasks)
	}
	return slices.DeleteFunc(slices.Clone(list), func(o slot) bool { return o.tasks == least })
}

// fillRuns is fill by runs of neighbours: the one with the least to spare of those that
// are enough, or else the largest ones. Group is in order of configuration.
func (a *ask) fillRuns(base tally, group []slot, goal int) []slot {
	runs := neighbourRuns(group)
	var best []slot
	least := 0
	light, heavy := group[0].r.n.Weight, group[0].r.n.Weight
	for _, o := range group {
		light, heavy = min(light, o.r.n.Weight), max(heavy, o.r.n.Weight)
	}
	for _, list := range runs {
		if light < heavy {
			break // the lighter nodes alone would not do, and go first
		}
		if found := a.enough(base, list, goal); found != nil && (best == nil || tasksOf(list) < least) {
			best, least = found, tasksOf(list)
		}
	}
	if best != nil {
		return best
	}
	// No run of neighbours is enough: the largest runs one after the other.
	if light < heavy {
		runs = sameWeight(runs)
	}
	slices.SortStableFunc(runs, func(x, y []slot) int {
		return cmp.Or(cmp.Compare(x[0].r.n.Weight, y[0].r.n.Weight), cmp.Compare(tasksOf(y), tasksOf(x)))
	})
	return a.enough(base, slices.Concat(runs...), goal)
}

// sameWeight cuts runs of neighbours where their weight changes.
func sameWeight(runs [][]slot) [][]slot {
	var out [][]slot
	for _, list := range runs {
		from := 0
		for i := range list {
			if list[i].r.n.Weight != list[from].r.n.Weight {
				out = append(out, list[from:i:i])
				from = i
			}
		}
		out = append(out, list[from:])
	}
	return out
}

// fewest is the choice where few nodes are allowed: those with the most to give,
// and for the last the one with the least that completes the request.
func (a *ask) fewest(base tally, group []slot, goal int) []slot {
	wealth := func(o slot) (n int64) {
		for _, g := range o.gres {
			n += g
		}
		return n
	}
	slices.SortStableFunc(group, func(x, y slot) int {
		return cmp.Or(cmp.Compare(wealth(y), wealth(x)), cmp.Compare(y.tasks, x.tasks))
	})
	found := a.enough(base, group, goal)
	if len(found) < 2 {
		return found
	}
	sum := base
	sum.gres = slices.Clone(base.gres)
	for _, o := range found[:len(found)-1] {
		sum.add(o)
	}
	last := &found[len(found)-1]
	for _, o := range group[len(found):] {
		one := sum
		one.gres = slices.Clone(sum.gres)
		if one.add(o); a.met(&one, goal) && cmp.Or(cmp.Compare(wealth(o), wealth(*last)), cmp.Compare(o.tasks, last.tasks)) < 0 {
			*last = o
		}
	}
	return found
}

// contiguousRun finds neighbouring nodes for a request, the ones it names among
// them.
func (a *ask) contiguousRun(offers []slot, plan *featurePlan, aim, minNodes int) []slot {
	slices.SortFunc(offers, func(x, y slot) int { return cmp.Compare(x.r.pos, y.r.pos) })
	for goal := aim; goal >= minNodes; goal-- {
		var best []slot
		least := 0
		for _, list := range neighbourRuns(offers) {
			for from := range list {
				var sum tally
				must := 0
				for to := from; to < len(list) && sum.nodes < a.maxNodes; to++ {
					sum.add(list[to])
					if list[to].must {
						must++
					}
					if must == len(a.required) && a.met(&sum, goal) {
						if found := list[from : to+1]; plan.meets(found) && (best == nil || tasksOf(list) < least) {
							best, least = found, tasksOf(list)
						}
						break
					}
				}
				if best != nil && len(a.required) == 0 {
					break // the first window of a run is as good as the others
				}
			}
		}
		if best != nil {
			return slices.Clone(best)
		}
	}
	return nil
}

// neighbourRuns cuts slots in order of configuration into runs of neighbours.
func neighbourRuns(list []slot) [][]slot {
	var runs [][]slot
	for from := 0; from < len(list); {
		to := from + 1
		for to < len(list) && list[to].r.n.Index == list[to-1].r.n.Index+1 {
			to++
		}
		runs = append(runs, list[from:to:to])
		from = to
	}
	return runs
}
