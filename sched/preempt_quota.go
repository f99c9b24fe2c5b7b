package sched

import (
	"cmp"
	"iter"
	"slices"

	"github.com/runink/rink/slurm"
)

// Taking back what was lent: a herd that lends its idle quota with lend=reclaim and
// finds no room for a job within that quota has jobs of those herds give way that
// have more than their own. Nobody goes while there is room elsewhere, and a herd
// does not lose what is within its quota.

// reclaims reports whether any herd takes back what it lends.
func (g *ground) reclaims() bool {
	return slices.ContainsFunc(g.herd, func(h herdGround) bool { return h.reclaim })
}

// takesBack reports whether a job in a partition may have others give way that use
// what its herd lends: it would be within the herd's own quota.
func (l *Ledger) takesBack(j *Job, p PartitionName) bool {
	if l == nil {
		return false
	}
	at := l.placeOfHerd(p)
	if at < 0 || !l.herd[at].reclaim {
		return false
	}
	l.m.take(j, nil)
	l.m.place(l.want, l.kinds, l.weighing(p))
	for kind, most := range l.herd[at].bounds.tres[grpTRES] {
		if most >= 0 && l.want[kind] > 0 && l.herds[at].tres[kind]+l.want[kind] > most {
			return false
		}
	}
	return true
}

// borrowed finds, of the jobs that run, those that are beyond the quotas of their
// herds: of each herd that has more than its own the youngest, as many as are beyond
// it.
func (l *Ledger) borrowed(running iter.Seq[*Job]) map[slurm.JobID]bool {
	out := map[slurm.JobID]bool{}
	for i := range l.herd {
		g := &l.herd[i]
		var over amounts
		for kind, most := range g.bounds.tres[grpTRES] {
			if n := l.herds[i].tres[kind] - most; most >= 0 && n > 0 && g.borrow {
				if over == nil {
					over = make(amounts, len(l.kinds.keys))
				}
				over[kind] = n
			}
		}
		if over == nil {
			continue
		}
		var jobs []*Job
		for j := range running {
			if j.Partition == g.name && j.IsRunning() {
				jobs = append(jobs, j)
			}
		}
		slices.SortFunc(jobs, func(a, b *Job) int { return cmp.Or(b.Start.Compare(a.Start), cmp.Compare(b.ID, a.ID)) })
		for _, j := range jobs {
			has := l.entryOf(j)
			if has == nil {
				continue
			}
			for kind, n := range over {
				if n > 0 && has.tres[kind] > 0 {
					out[j.ID] = true
				}
			}
			if out[j.ID] {
				for kind := range over {
					over[kind] -= has.tres[kind]
				}
			}
		}
	}
	return out
}
