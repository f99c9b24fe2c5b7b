package sched

import (
	"cmp"
	"slices"
)

// deal shares the tasks of a request out over nodes that are more than hold them, as a
// range of numbers of nodes may have it: they fill the fewest nodes that do, and each
// further node is given one by the node that has the most, the last of those that have
// as many. It returns nil where filling the nodes in turn comes to the same.
func (a *ask) deal(chosen []slot, order []int) []int {
	if a.aim <= a.minNodes || a.tpn > 0 || a.tasksPerGPU > 0 || a.whole || len(chosen) <= a.minNodes {
		return nil
	}
	first, room := 0, 0
	for first < len(order) && (first < a.minNodes || room < a.tasks) {
		room += chosen[order[first]].tasks
		first++
	}
	if first == len(order) || room < a.tasks || a.tasks < len(order) {
		return nil
	}
	counts, left := make([]int, len(order)), a.tasks
	for k := range first {
		counts[k] = max(min(chosen[order[k]].tasks, left-(first-k-1)), 1)
		left -= counts[k]
	}
	for k := first; k < len(order); k++ {
		most := 0
		for i := range first {
			if counts[i] >= counts[most] {
				most = i
			}
		}
		counts[most]--
		counts[k] = 1
	}
	return counts
}

// alikeOnNodes reports whether each node can give a request for GPUs only so many CPUs
// that what else is free there says nothing of how well the request fits: where it is
// known how many tasks a node gets.
func (a *ask) alikeOnNodes() bool {
	switch {
	case a.whole || len(a.perTask)+len(a.perNode)+len(a.perJob) == 0:
		return false
	case len(a.perTask) > 0:
		return a.cpusPerGPU == 0
	}
	spec := specOf(a.job)
	return a.tpn > 0 || spec.NTasksPerGPU > 0 || a.maxNodes == 1 && spec.MaxNodes == 1 && spec.Given["ntasks"]
}

// toSpare is what a node that holds a request has beyond it: the less, the better the
// request fits there. That is its free CPUs, or as many as the tasks that may run
// there take.
func (a *ask) toSpare(o slot, free int) int {
	if !a.alikeOnNodes() {
		return free
	}
	tasks := o.tasks
	if len(a.perTask) == 0 || a.maxNodes == 1 || a.tasks == 1 {
		tasks = min(tasks, a.tasks)
	}
	return min(free, tasks*a.cpt)
}

// tightFirst puts nodes in the order in which they are taken for what a plan counts: what
// stands for one node alone is the one that the request leaves the least of, as elsewhere.
func (a *ask) tightFirst(list []slot, plan *featurePlan) []slot {
	if a.spread || !slices.ContainsFunc(plan.quotas, func(q featureQuota) bool { return q.count == 1 }) {
		return list
	}
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(x, y slot) int {
		return cmp.Or(cmp.Compare(x.r.n.placeWeight(), y.r.n.placeWeight()), cmp.Compare(x.tasks, y.tasks))
	})
	return list
}
