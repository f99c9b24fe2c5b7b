package sched

import (
	"maps"
	"slices"

	"github.com/runink/rink/slurm"
)

// Quotas of herds: what the jobs of a partition may have together. They are limits
// as a partition's QOS would have them, told in its words, but hold whoever is
// charged and whatever AccountingStorageEnforce says, and beside any QOS.

// herdGround is a partition with a quota.
type herdGround struct {
	name   PartitionName
	bounds bounds
}

// herdsOf reads the quotas of a configuration.
func (g *ground) herdsOf(cfg *Config) {
	for _, p := range cfg.Partitions {
		q, err := slurm.ParseQuota(p.Quota)
		if err != nil || q.IsZero() {
			continue
		}
		l := NoLimits()
		l.GrpTRES, l.GrpJobs, l.GrpSubmitJobs = q.TRES, q.Jobs, q.Submit
		if g.herdOf == nil {
			g.herdOf = map[PartitionName]int32{}
		}
		g.herdOf[p.Name] = int32(len(g.herds))
		g.herds = append(g.herds, herdGround{p.Name, g.kinds.boundsOf(&l)})
	}
}

// quotaKinds are the kinds that quotas bound: they are counted also where
// AccountingStorageTRES does not name them.
func quotaKinds(cfg *Config) []string {
	var keys []string
	for _, p := range cfg.Partitions {
		if q, err := slurm.ParseQuota(p.Quota); err == nil {
			for _, item := range q.TRES {
				keys = append(keys, item.Key())
			}
		}
	}
	return keys
}

// herd is the place of a partition's quota; -1: it has none.
func (g *ground) herd(p PartitionName) int32 {
	if at, ok := g.herdOf[p]; ok {
		return at
	}
	return -1
}

func (g *ground) sameHerds(o *ground) bool { return maps.Equal(g.herdOf, o.herdOf) }

func (g *ground) herdBook() []counts {
	list := make([]counts, len(g.herds))
	for i := range list {
		list[i] = newCounts(len(g.kinds.keys))
	}
	return list
}

func cloneHerds(list []counts, n int) []counts {
	out := make([]counts, len(list))
	for i := range list {
		out[i] = *list[i].clone(n)
	}
	return out
}

// overQuota says whether a start would take a herd beyond its quota.
func (l *Ledger) overQuota(j *Job, p PartitionName, alloc []NodeAlloc) Why {
	at := l.herd(p)
	if at < 0 {
		return Why{}
	}
	g, have := &l.herds[at], &l.herdHas[at]
	if most := g.bounds.num[grpJobs]; most >= 0 && have.jobs >= most {
		return because(qosNums[grpJobs], Obstacle{What: numNames[grpJobs], Where: g.where(), Asked: have.jobs + 1, There: most})
	}
	if g.bounds.tres[grpTRES] == nil {
		return Why{}
	}
	l.m.take(j, alloc)
	l.m.place(l.want, l.kinds, l.weighing(p))
	for kind, most := range g.bounds.tres[grpTRES] {
		if n := have.tres[kind] + l.want[kind]; most >= 0 && n > most && l.want[kind] > 0 {
			key := l.kinds.keys[kind]
			return because(qosReasons[grpTRES][classOf(key)], Obstacle{What: limitName(key, grpTRES), Where: g.where(), Asked: n, There: most})
		}
	}
	return Why{}
}

// quotaSubmits says whether a herd may have so many jobs more.
func (l *Ledger) quotaSubmits(p PartitionName, more int64) Why {
	at := l.herd(p)
	if at < 0 {
		return Why{}
	}
	g, have := &l.herds[at], &l.herdHas[at]
	if most := g.bounds.num[grpSubmit]; most >= 0 && have.submitted+more > most {
		return because(qosNums[grpSubmit], Obstacle{What: numNames[grpSubmit], Where: g.where(), Asked: have.submitted + more, There: most})
	}
	return Why{}
}

func (g *herdGround) where() string { return "the quota of partition " + string(g.name) }

// HerdStanding is what a partition's jobs have of its quota.
type HerdStanding struct {
	Partition       PartitionName
	Jobs, Submitted int64
	TRES            slurm.TRES // of the kinds that are bounded
}

// Herds lists how the partitions with a quota stand.
func (l *Ledger) Herds() []HerdStanding {
	var out []HerdStanding
	for i := range l.herds {
		h := HerdStanding{Partition: l.herds[i].name, Jobs: l.herdHas[i].jobs, Submitted: l.herdHas[i].submitted}
		all := l.kinds.tres(l.herdHas[i].tres)
		for kind, most := range l.herds[i].bounds.tres[grpTRES] {
			if most >= 0 {
				h.TRES = append(h.TRES, all[kind])
			}
		}
		out = append(out, h)
	}
	return slices.Clip(out)
}

// limited reports whether limits of associations and QOS are looked at.
func (l *Ledger) limited() bool { return l.enforced && len(l.assocs) > 0 }
