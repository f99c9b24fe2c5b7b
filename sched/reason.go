package sched

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/runink/rink/slurm"
)

// startShift is how far an expected start must move to be worth telling.
const startShift = time.Minute

// wait notes why a job does not start, if that is news.
func (c *cycle) wait(j *Job, w Why, start time.Time, nodes []NodeName) {
	c.waitIn(c.items[j.ID], j, w, start, nodes)
}

// waitIn is wait for a job whose place in line is known; it is nil without one.
func (c *cycle) waitIn(it *item, j *Job, w Why, start time.Time, nodes []NodeName) {
	last := told{reason: j.Reason, text: j.ReasonText, start: instantOf(j.Start)}
	if it != nil {
		last = it.told
	}
	at := instantOf(start)
	moved := (at == always) != (last.start == always) || at != always && time.Duration(at-last.start).Abs() > startShift
	if !moved && last.reason == w.Reason && last.text == w.Text && !j.LastSched.IsZero() {
		return
	}
	if it != nil {
		c.stir(it)
		it.told = told{reason: w.Reason, text: w.Text, start: at}
	}
	c.plan.Waits = append(c.plan.Waits, Wait{Job: j.ID, Reason: w.Reason, Text: w.Text,
		Start: start, Nodes: nodes, Detail: w.Detail})
}

// crowded says what to show for a job that found no room in a partition just
// now: Resources for the first one in line and Priority for those behind it.
// A job that is looked at for the first time is told what it lacks itself.
func (c *cycle) crowded(a *ask, p *part) Why {
	if a.job.LastSched.IsZero() {
		// Its place in the line is what it is told from the next look on.
		c.againBy(c.at.Add(time.Second))
		c.again[a.job.ID] = c.now.plus(time.Second)
		if !p.failed {
			c.fail(a, p)
		}
		return because(slurm.ReasonResources, c.lacking(a, p)...)
	}
	named, told := c.claimedOf(a, p), c.toldOf(a.job)
	switch {
	case (p.failed || p.short) && len(a.required) > 0 && strings.HasPrefix(told.text, unavailableNodes):
		return Why{Reason: told.reason, Text: told.text} // it says so until it is its turn again
	case len(named) > 0 && !p.failed && !p.short:
		return notAvailable(named)
	case p.failed:
		return because(slurm.ReasonPriority)
	case p.short:
		c.fail(a, p)
		return because(slurm.ReasonPriority)
	}
	if c.spokenFor(a, p) {
		p.short = true
		return Why{Reason: slurm.ReasonResources, Text: slurm.TextNodesDownReserved, Detail: c.lacking(a, p)}
	}
	c.fail(a, p)
	return because(slurm.ReasonResources, c.lacking(a, p)...)
}

// tellNew tells the jobs that were passed over as there cannot be room for them,
// and have not been told why they wait, or only what they lack themselves.
func (c *cycle) tellNew() {
	if len(c.news)+len(c.again) == 0 {
		return
	}
	tell := func(id slurm.JobID) {
		if it := c.items[id]; it != nil && !c.done[it.job] && it.job.HetID == 0 && !c.preemptNew(it) {
			c.lookOver(it)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(c.news)) {
		tell(id)
		delete(c.news, id)
	}
	for _, id := range slices.Sorted(maps.Keys(c.again)) {
		if at := c.again[id]; at > c.now {
			c.againBy(at.time())
			continue
		}
		delete(c.again, id)
		tell(id)
	}
}

// lookOver notes why a job waits in those of its partitions in which the pass did
// not look at it, as there cannot be room for it.
func (c *cycle) lookOver(it *item) {
	for i, p := range it.lane.parts {
		if it.saw(c.pass, i) {
			continue
		}
		it.see(c.pass, i)
		e := entry{item: it, job: it.job, part: p, at: i}
		if c.barred(e) {
			continue
		}
		a := c.ask(e)
		if len(a.required) > 0 || p.open < len(p.where) {
			if w := c.unavailable(a, p); !w.IsZero() {
				c.note(e, w, time.Time{}, nil)
				continue
			}
		}
		var start time.Time
		var nodes []NodeName
		if it.promise != nil && it.promise.part == p.p.Name {
			start, nodes = it.promise.start.time(), it.promise.nodes
		}
		w := c.lacks(a, p)
		c.note(e, w, start, nodes)
	}
}

// fail remembers that a job of the partition is in line for resources: for the
// nodes it named, or else for those of the partition.
func (c *cycle) fail(a *ask, p *part) {
	named := len(a.required) > 0 && len(a.required) >= a.minNodes
	if p.failed = p.failed || !named && a.resv == nil; a.resv != nil || !named && len(c.parts) == 1 {
		return
	}
	if c.claimed == nil {
		c.claimed = make([]bool, len(c.rooms))
	}
	if named {
		for name := range a.required {
			if pos, ok := c.byName[name]; ok {
				c.claimed[pos] = true
			}
		}
		return
	}
	for _, pos := range p.where {
		c.claimed[pos] = true
	}
}

// toldOf is what a job was last told of why it waits.
func (c *cycle) toldOf(j *Job) told {
	if it := c.items[j.ID]; it != nil {
		return it.told
	}
	return told{reason: j.Reason, text: j.ReasonText}
}

// claimedOf returns the nodes a request names that jobs before it are in line for.
func (c *cycle) claimedOf(a *ask, p *part) []NodeName {
	if c.claimed == nil {
		return nil
	}
	var names []NodeName
	for name := range a.required {
		if pos, ok := c.byName[name]; ok && p.in[pos] && c.claimed[pos] {
			names = append(names, name)
		}
	}
	return names
}

// spokenFor reports whether the nodes of the partition that are in service and
// that no job before it is in line for could not hold a request even if they were idle.
func (c *cycle) spokenFor(a *ask, p *part) bool {
	open, claimed := false, false
	for _, pos := range p.where {
		switch {
		case !c.rooms[pos].open:
		case c.claimed != nil && c.claimed[pos]:
			claimed = true
		default:
			open = true
		}
		if open && (claimed || c.claimed == nil) {
			break
		}
	}
	return !open || claimed && !c.couldRunOn(a, p, nil, c.claimed)
}

// unavailable says whether a request cannot be met because nodes are out of
// service: nodes it names, all nodes of the partition, or so many that those in
// service would not do even if they were idle.
func (c *cycle) unavailable(a *ask, p *part) Why {
	var away []NodeName
	for name := range a.required {
		if pos, ok := c.byName[name]; ok && p.in[pos] && !c.rooms[pos].open {
			away = append(away, name)
		}
	}
	if len(away) > 0 {
		return notAvailable(away)
	}
	if p.open == len(p.where) || p.open > 0 && c.couldRun(a, p) {
		return Why{}
	}
	for _, pos := range p.where {
		if r := &c.rooms[pos]; !r.open {
			away = append(away, r.n.Name)
		}
	}
	w := notAvailable(away)
	if a.minNodes > p.open {
		w.Detail = append(w.Detail, Obstacle{What: "nodes", Where: string(p.p.Name), Asked: int64(a.minNodes), There: int64(p.open)})
		if !p.failed && !p.short { // the first in line
			p.short, w.Text = true, slurm.TextNodesDownReserved
		}
	}
	return w
}

// notAvailable is ReqNodeNotAvail, naming the nodes.
func notAvailable(away []NodeName) Why {
	slices.Sort(away)
	return Why{Reason: slurm.ReasonReqNodeNotAvail, Text: unavailableNodes + sortedNodeList(away)}
}

// unavailableNodes is how the text of notAvailable begins.
const unavailableNodes = "ReqNodeNotAvail, UnavailableNodes:"

// sortedNodeList writes node names in bracket form, sorted by prefix and number.
func sortedNodeList(names []NodeName) string {
	list := make([]string, len(names))
	for i, n := range names {
		list[i] = string(n)
	}
	return slurm.HostListOf(list...).Sorted().String()
}

// stock is what the nodes in service of a partition have free of generic resources
// together, by name and by name:type.
type stock struct {
	taken int // how much was booked in the cycle when it was counted
	of    map[string]int64
}

// gresOf counts what a partition has free of them. It is counted again only after
// something was booked.
func (c *cycle) gresOf(p *part) map[string]int64 {
	if p.gres != nil && p.gres.taken == c.booked {
		return p.gres.of
	}
	type kind struct{ name, typ string }
	var kinds []kind
	var free []int64
	count := func(where []int) {
		for _, pos := range where {
			r := &c.rooms[pos]
			for i := range r.gres {
				g := &r.gres[i]
				if !r.open {
					continue
				}
				at := slices.Index(kinds, kind{g.name, g.typ})
				if at < 0 {
					at = len(kinds)
					kinds, free = append(kinds, kind{g.name, g.typ}), append(free, 0)
				}
				free[at] += g.free
			}
		}
	}
	if p.views == nil {
		count(p.where)
	}
	for _, o := range p.views {
		if len(o.gres) > 0 { // nodes of this kind have some
			count(o.rooms)
		}
	}
	of := make(map[string]int64)
	for i, k := range kinds {
		of[k.name] += free[i]
		if k.typ != "" {
			of[k.name+":"+k.typ] += free[i]
		}
	}
	p.gres = &stock{c.booked, of}
	return of
}

// lacking names what a request that found no room is short of in a partition:
// CPUs, memory or generic resources, or else whole nodes.
func (c *cycle) lacking(a *ask, p *part) []Obstacle {
	var out []Obstacle
	add := func(what string, asked, there int64) {
		if asked > there {
			out = append(out, Obstacle{What: what, Where: string(p.p.Name), Asked: asked, There: there})
		}
	}
	add("cpus", int64(max(a.tasks*a.cpt, a.minNodes)), int64(p.total))
	if c.t.memory {
		add("mem", int64(max(a.memCPU*slurm.MB(a.tasks*a.cpt), a.memNode*slurm.MB(a.minNodes))), p.mem)
	}
	for _, list := range []struct {
		gres  slurm.Gres
		times int
	}{{a.perNode, a.minNodes}, {a.perTask, a.tasks}, {a.perJob, 1}} {
		for _, g := range list.gres {
			name := strings.TrimSuffix(g.Name+":"+g.Type, ":")
			add("gres/"+name, g.Count*int64(list.times), c.gresOf(p)[name])
		}
	}
	if len(out) == 0 {
		out = append(out, Obstacle{What: "idle nodes", Where: string(p.p.Name), Asked: int64(a.minNodes), There: int64(p.idle)})
	}
	return out
}
