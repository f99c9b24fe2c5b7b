package sched

import "time"

// refusal is a request for which a pass found no room in a partition: tasks on any
// nodes, or on so many, and nothing else. As a pass only takes room away, what asks
// for more finds none either.
type refusal struct {
	node, total, mem int32 // demands of no less are refused
	span             time.Duration
	cpt, tasks       int32
	nodes            int32 // exactly so many; 0: any
	whole            bool  // nodes for itself; only with a number of them
}

// covers reports whether there is no room for a demand as there was none for the
// refusal: each node that has room for the demand's part of it has room for so
// many tasks of the refusal.
func (r *refusal) covers(d *demand) bool {
	switch {
	case d.span < r.span || d.mem < r.mem:
		return false
	case r.nodes == 0:
		return d.total >= r.total && d.node >= r.node || d.cpt == r.cpt && d.tasks >= r.tasks
	}
	// Of more nodes those with most to give hold no smaller a share of the tasks.
	return d.exact && d.nodes >= r.nodes && d.cpt >= r.cpt && int64(d.tasks)*int64(r.nodes) >= int64(r.tasks)*int64(d.nodes) && (d.idle > 0 || !r.whole)
}

// coversAll reports whether whatever the other refuses is refused by r.
func (r *refusal) coversAll(o *refusal) bool {
	if r.nodes == 0 {
		return o.nodes == 0 && o.total >= r.total && o.node >= r.node && o.span >= r.span && o.mem >= r.mem && o.cpt == r.cpt
	}
	return o.nodes >= r.nodes && o.span >= r.span && o.mem >= r.mem && o.cpt >= r.cpt &&
		int64(o.tasks)*int64(r.nodes) >= int64(r.tasks)*int64(o.nodes) && (o.whole || !r.whole)
}

// maxRefusals is how many refusals are kept of a partition.
const maxRefusals = 16

// isPlain reports whether a request is nothing but tasks of some CPUs and memory by
// CPU on any nodes, or on a number of them, so that there is room for it wherever there
// is for more.
func (a *ask) isPlain() bool {
	return (a.minNodes == 1 && a.aim == 1 && a.maxNodes == AnyNodes && !a.whole || a.minNodes == a.maxNodes && a.aim == a.minNodes) &&
		a.tpn == 0 && a.tasksPerSocket == 0 && a.tasksPerCore == 0 && a.threads == 0 &&
		a.hint == "" && !a.spread && a.specCPUs < 0 && a.minCPUs <= a.cpt && a.memNode == 0 && !a.memAll && a.tmp == 0 &&
		len(a.perNode)+len(a.perJob)+len(a.perTask) == 0 && a.cpusPerGPU == 0 && a.memPerGPU == 0 && !a.ownUser && !a.overcommit &&
		!a.contiguous && a.sharing <= 1 && a.sockets == 0 && a.cores == 0 && a.needThreads == 0 && len(a.required)+len(a.excluded)+len(a.sizes) == 0 &&
		len(a.plans) == 1 && len(a.plans[0].quotas) == 0 && a.plans[0].every == nil && a.switches == 0 && a.segment == 0 && !a.wholeBlocks && a.resv == nil
}

// refuse notes that there is no room for a request.
func (c *cycle) refuse(a *ask, p *part) {
	if c.resv != nil || c.t.cfg.Topology != nil || c.giving.rules.on() || p.p.MaxCPUsPerNode > 0 || p.p.MaxCPUsPerSocket > 0 || !a.isPlain() {
		return
	}
	r := refusal{node: int32(a.cpt), total: int32(min(a.tasks, 1<<30)), span: a.span, mem: memOf(a, c.t), cpt: int32(a.cpt), tasks: int32(min(a.tasks, 1<<30))}
	if a.maxNodes != AnyNodes {
		r.nodes, r.whole = int32(a.minNodes), a.whole
	} else if a.cpt > 1 {
		// A node with room for tasks of another size has room for half as many CPUs in
		// tasks of this one at least.
		r.total = int32(min(2*a.tasks*a.cpt, 1<<30))
	}
	kept := p.refused[:0]
	for _, o := range p.refused {
		if !r.coversAll(&o) {
			kept = append(kept, o)
		}
	}
	if len(kept) < maxRefusals {
		kept = append(kept, r)
	}
	p.refused = kept
	p.now.refused = kept
}

// memOf is the memory a request takes for each CPU at least.
func memOf(a *ask, t *tuning) int32 {
	if !t.memory {
		return 0
	}
	return int32(min(max(a.memCPU, 0), 1<<30))
}
