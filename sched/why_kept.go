package sched

import (
	"cmp"
	"slices"
	"time"

	"github.com/runink/rink/slurm"
)

// Kept is what a reservation keeps from a request: nodes, or CPUs on them, over a
// span of time.
type Kept struct {
	Reservation string
	From, Until time.Time
	Nodes       []NodeName
	CPUs        int // on each node at most; 0: all of them
}

// keptFrom lists what reservations keep of a partition's nodes from a request while
// it would run if it started now, the first to begin first.
func (c *cycle) keptFrom(a *ask, p *part) []Kept {
	if c.resv == nil || over(a.resv) {
		return nil
	}
	var list []Kept
	at := map[string]int{}
	end := c.now.plus(a.span)
	for _, pos := range slices.Sorted(slices.Values(p.where)) {
		r := &c.rooms[pos]
		if !r.open || !a.suits(r.n) || len(a.required) >= a.minNodes && !a.required[r.n.Name] {
			continue
		}
		for i := range c.resv.blocks[r.n.Name] {
			b := &c.resv.blocks[r.n.Name][i]
			if sameResv(a.resv, b.resv) {
				continue
			}
			k := slices.IndexFunc(b.spans, func(s stretch) bool { return s.from < end && c.now < s.to })
			if k < 0 {
				continue
			}
			n, ok := at[b.resv.Name]
			if !ok {
				n = len(list)
				at[b.resv.Name] = n
				list = append(list, Kept{Reservation: b.resv.Name, From: b.spans[k].from.time(), Until: b.spans[k].to.time()})
			}
			list[n].Nodes = append(list[n].Nodes, r.n.Name)
			list[n].CPUs = max(list[n].CPUs, b.cpus)
		}
	}
	slices.SortStableFunc(list, func(x, y Kept) int { return cmp.Or(x.From.Compare(y.From), cmp.Compare(x.Reservation, y.Reservation)) })
	return list
}

// inSight is a moment as it is told: the zero time when it hangs on a job without a
// limit.
func (c *cycle) inSight(at instant) time.Time {
	if at > c.now.plus(unlimitedSpan/2) {
		return time.Time{}
	}
	return at.time()
}

// endless takes a start that hangs on jobs without a limit out of a story and names
// those jobs: the ones that hold its nodes, or are promised them.
func (c *cycle) endless(out *Place, j *Job) {
	far := c.now.plus(unlimitedSpan / 2)
	if out.Start.IsZero() || instantOf(out.Start) <= far {
		return
	}
	seen := map[slurm.JobID]bool{j.ID: true}
	note := func(id slurm.JobID, end instant) {
		if end > far && end <= instantOf(out.Start) && !seen[id] {
			seen[id] = true
			out.Endless = append(out.Endless, id)
		}
	}
	for _, name := range out.On {
		r := &c.rooms[c.byName[name]]
		for i := range r.held {
			note(r.held[i].job, r.held[i].end)
		}
		for i := range r.holds {
			note(r.holds[i].to.item.id, r.holds[i].end)
		}
	}
	slices.Sort(out.Endless)
	out.Start, out.On = time.Time{}, nil
}
