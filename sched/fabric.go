package sched

import (
	"cmp"
	"slices"
)

// inFabric chooses the nodes of a job with GPUs on several nodes where nobody has told
// how the network is: within one set of nodes whose GPUs NVLinks tie together, of
// those that hold the job the one with the fewest nodes to spare, so that larger ones
// stay free for larger jobs. Nodes of more weight are taken only for what those of less
// do not hold. nil when no set holds it: then it lies on several, or on none.
func (f *field) inFabric(a *ask, offers []slot, plan *featurePlan, minNodes int) []slot {
	if a.maxNodes == 1 || !a.wantsGPUs() || !slices.ContainsFunc(offers, func(o slot) bool { return o.r.n.Fabric != "" }) {
		return nil
	}
	var sets [][]slot // by the most weight of their nodes, the least first
	largest := 0
	for to := 0; to < len(offers); {
		for weight := offers[to].r.n.placeWeight(); to < len(offers) && offers[to].r.n.placeWeight() == weight; {
			to++
		}
		sets = append(sets, fabricsOf(offers[:to], len(a.required))...)
	}
	for _, set := range sets {
		largest = max(largest, len(set))
	}
	for goal := min(max(a.aim, minNodes), largest); goal >= max(minNodes, 2); goal-- {
		ask := *a
		ask.aim = goal
		for _, set := range sets {
			if len(set) >= goal {
				if chosen := ask.choose(set, plan, goal); chosen != nil {
					return chosen
				}
			}
		}
	}
	return nil
}

// fabricsOf sorts nodes by their fabrics, those with the fewest nodes first. A fabric
// in which some of those asked for by name are not is none.
func fabricsOf(offers []slot, must int) [][]slot {
	at := map[string]int{}
	var sets [][]slot
	for _, o := range offers {
		name := o.r.n.Fabric
		if name == "" {
			continue
		}
		k, ok := at[name]
		if !ok {
			k = len(sets)
			at[name], sets = k, append(sets, nil)
		}
		sets[k] = append(sets[k], o)
	}
	sets = slices.DeleteFunc(sets, func(set []slot) bool {
		n := 0
		for _, o := range set {
			if o.must {
				n++
			}
		}
		return n < must
	})
	slices.SortStableFunc(sets, func(x, y []slot) int { return cmp.Compare(len(x), len(y)) })
	return sets
}

// wantsGPUs reports whether a request is for GPUs, or instances of them.
func (a *ask) wantsGPUs() bool {
	n := &a.job.Need
	return n.GresPerNode.Total("gpu")+n.GresPerJob.Total("gpu")+n.GresPerTask.Total("gpu") > 0
}
