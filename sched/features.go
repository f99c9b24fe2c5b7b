package sched

import (
	"slices"

	"github.com/runink/rink/slurm"
)

// featurePlan is one way to meet a constraint: what every node must have, and
// of which nodes there must be so many.
type featurePlan struct {
	every  func(*Node) bool // nil: any node will do
	quotas []featureQuota
}

// featureQuota asks for a number of nodes of a kind.
type featureQuota struct {
	match func(*Node) bool
	count int
}

// allows reports whether a node may be part of the allocation.
func (p *featurePlan) allows(n *Node) bool { return p.every == nil || p.every(n) }

// nodes returns how many nodes the quotas come to.
func (p *featurePlan) nodes() int {
	sum := 0
	for _, q := range p.quotas {
		sum += q.count
	}
	return sum
}

// meets reports whether the nodes fill the quotas.
func (p *featurePlan) meets(list []slot) bool {
	for _, q := range p.quotas {
		n := 0
		for _, o := range list {
			if q.match(o.r.n) {
				n++
			}
		}
		if n < q.count {
			return false
		}
	}
	return true
}

// hasFeatures reports whether a node alone meets a constraint. Counts, which
// speak of several nodes, do not matter here.
func hasFeatures(c slurm.Constraint, n *Node) bool {
	switch c.Op {
	case slurm.ConstraintFeature:
		return slices.Contains(n.Features, c.Name)
	case slurm.ConstraintAnd:
		return !slices.ContainsFunc(c.Kids, func(k slurm.Constraint) bool { return !hasFeatures(k, n) })
	case slurm.ConstraintOr, slurm.ConstraintOneOf, slurm.ConstraintCounts:
		return slices.ContainsFunc(c.Kids, func(k slurm.Constraint) bool { return hasFeatures(k, n) })
	}
	return true
}

// anyNodes is the one way to meet no constraint. Nobody writes to it.
var anyNodes = []featurePlan{{}}

// featurePlans returns the ways to meet a constraint, to be tried in order. A
// bracket of alternatives is a way each; a count asks for so many nodes of a
// kind and leaves the other nodes free.
func featurePlans(c slurm.Constraint) []featurePlan {
	switch {
	case c.IsZero():
		return anyNodes
	case c.Count > 0:
		return []featurePlan{{quotas: []featureQuota{quotaOf(c)}}}
	}
	if q, rest, ok := countsOutside(c); ok {
		var plans []featurePlan
		for _, p := range featurePlans(rest) {
			plans = append(plans, bothPlans(featurePlan{quotas: []featureQuota{q}}, p))
		}
		return plans
	}
	switch c.Op {
	case slurm.ConstraintOneOf:
		plans := make([]featurePlan, 0, len(c.Kids))
		for _, k := range c.Kids {
			plans = append(plans, featurePlan{every: func(n *Node) bool { return hasFeatures(k, n) }})
		}
		return plans
	case slurm.ConstraintCounts:
		plan := featurePlan{}
		for _, k := range c.Kids {
			plan.quotas = append(plan.quotas, quotaOf(k))
		}
		return []featurePlan{plan}
	case slurm.ConstraintAnd:
		// Each part narrows the ways of the others down.
		plans := []featurePlan{{}}
		for _, k := range c.Kids {
			var next []featurePlan
			for _, p := range plans {
				for _, q := range featurePlans(k) {
					next = append(next, bothPlans(p, q))
				}
			}
			plans = next
		}
		return plans
	}
	return []featurePlan{{every: func(n *Node) bool { return hasFeatures(c, n) }}}
}

// countsOutside finds several counts outside a bracket, such as fast*1&ib*2. To Slurm
// these ask, with either operator, for as many nodes as the largest says, each of
// which has all that is counted. Rest is what is not counted.
func countsOutside(c slurm.Constraint) (q featureQuota, rest slurm.Constraint, ok bool) {
	if c.Op != slurm.ConstraintAnd && c.Op != slurm.ConstraintOr || c.Count > 0 {
		return q, rest, false
	}
	all := slurm.Constraint{Op: slurm.ConstraintAnd}
	rest.Op = c.Op
	for _, k := range c.Kids {
		if k.Count == 0 {
			rest.Kids = append(rest.Kids, k)
			continue
		}
		q.count = max(q.count, k.Count)
		k.Count = 0
		all.Kids = append(all.Kids, k)
	}
	if len(all.Kids) < 2 {
		return q, rest, false
	}
	if len(rest.Kids) == 0 {
		rest = slurm.Constraint{}
	}
	q.match = func(n *Node) bool { return hasFeatures(all, n) }
	return q, rest, true
}

func quotaOf(c slurm.Constraint) featureQuota {
	one := c
	one.Count = 0
	return featureQuota{match: func(n *Node) bool { return hasFeatures(one, n) }, count: c.Count}
}

// bothPlans is the way that meets p and q.
func bothPlans(p, q featurePlan) featurePlan {
	both := featurePlan{every: p.every, quotas: slices.Concat(p.quotas, q.quotas)}
	switch {
	case both.every == nil:
		both.every = q.every
	case q.every != nil:
		both.every = func(n *Node) bool { return p.every(n) && q.every(n) }
	}
	return both
}

// knownFeatures reports whether every feature a constraint names is one that
// some node has.
func knownFeatures(c slurm.Constraint, nodes []*Node) bool {
	for _, name := range c.Features() {
		if !slices.ContainsFunc(nodes, func(n *Node) bool { return slices.Contains(n.AllFeatures(), name) }) {
			return false
		}
	}
	return true
}
