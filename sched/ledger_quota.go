package sched

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/runink/rink/slurm"
)

// Quotas of herds: what the jobs of a partition may have together, and use in a
// month. They are limits as a partition's QOS would have them, told in its words,
// but hold whoever is charged and whatever AccountingStorageEnforce says, and beside
// any QOS.

// herdGround is a partition with a quota.
type herdGround struct {
	name                  PartitionName
	bounds                bounds
	waiting               int64   // pending jobs; NoLimit: any number
	hours                 amounts // of a month; nil: no bound
	lend, reclaim, borrow bool
}

// herdBook is what a herd has. What was used is that of the month.
type herdBook struct {
	account
	waiting int64
}

// month is the calendar month whose hours count: from when, and when the next one
// begins. The time zone is that of the controller that led when it was told.
type month struct{ began, next time.Time }

func (h *herdBook) count(e *claim, sign int64) {
	h.add(e, sign)
	h.waiting += sign * e.wait
	addTo(h.rate, e.rate, sign)
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
		g.herdOf[p.Name] = int32(len(g.herd))
		g.herd = append(g.herd, herdGround{p.Name, g.kinds.boundsOf(&l), q.Waiting, g.kinds.bounds(q.Hours), q.Lend, q.Reclaim, q.Borrow})
	}
}

// quotaKinds are the kinds that quotas bound: they are counted also where
// AccountingStorageTRES does not name them.
func quotaKinds(cfg *Config) []string {
	var keys []string
	for _, p := range cfg.Partitions {
		if q, err := slurm.ParseQuota(p.Quota); err == nil {
			for _, item := range slices.Concat(q.TRES, q.Hours) {
				keys = append(keys, item.Key())
			}
		}
	}
	return keys
}

// placeOfHerd is the place of a partition's quota; -1: it has none.
func (g *ground) placeOfHerd(p PartitionName) int32 {
	if at, ok := g.herdOf[p]; ok {
		return at
	}
	return -1
}

func (g *ground) sameHerds(o *ground) bool { return maps.Equal(g.herdOf, o.herdOf) }

func (g *ground) herdBooks() []herdBook {
	list := make([]herdBook, len(g.herd))
	for i := range list {
		list[i] = herdBook{account: newAccount(len(g.kinds.keys))}
		list[i].flat = true
	}
	return list
}

func cloneHerds(list []herdBook) []herdBook {
	out := make([]herdBook, len(list))
	for i := range list {
		h := &list[i]
		out[i] = herdBook{account{*h.counts.clone(len(h.tres)), slices.Clone(h.rate), slices.Clone(h.used), h.flat}, h.waiting}
	}
	return out
}

// CountsHours reports whether a herd has a quota of hours, for which somebody has to
// tell which month it is.
func (l *Ledger) CountsHours() bool {
	return l != nil && slices.ContainsFunc(l.herd, func(h herdGround) bool { return h.hours != nil })
}

// Month is the month whose hours count, and when the next one begins; zero when it
// was not told.
func (l *Ledger) Month() (began, next time.Time) { return l.month.began, l.month.next }

// SetMonth tells in which month the cluster is. The next one then begins by itself
// with whatever happens first in it.
func (l *Ledger) SetMonth(began, next, at time.Time) {
	l.rescale(at)
	l.usage++
	if l.month.began.IsZero() || !began.After(l.month.began) {
		l.month = month{began, next}
		return
	}
	l.month.next = began
	l.turnMonth(at)
	l.month.next = next
}

// turnMonth begins a new month when one has come: all that was used before counts no
// more.
func (l *Ledger) turnMonth(at time.Time) {
	if l.month.next.IsZero() || at.Before(l.month.next) {
		return
	}
	m := l.moment(l.month.next)
	for i := range l.herds {
		l.herds[i].forget(m)
	}
	l.month = month{began: l.month.next}
	l.usage++
}

// hoursUsed is what a herd has used of a kind in the month, in seconds.
func (l *Ledger) hoursUsed(at int32, kind int, now time.Time) float64 {
	used := l.herds[at].usedBy(kind, l.moment(now))
	if !l.month.next.IsZero() && !now.Before(l.month.next) { // a new one has begun, and nothing has happened in it yet
		used -= l.herds[at].usedBy(kind, l.moment(l.month.next))
	}
	return max(used, 0)
}

// overQuota says whether a start would take a herd beyond its quota.
func (l *Ledger) overQuota(j *Job, p PartitionName, alloc []NodeAlloc, limit slurm.Duration, now time.Time) Why {
	at := l.placeOfHerd(p)
	if at < 0 {
		return Why{}
	}
	g, have := &l.herd[at], &l.herds[at]
	if most := g.bounds.num[grpJobs]; most >= 0 && have.jobs >= most {
		return because(qosNums[grpJobs], Obstacle{What: numNames[grpJobs], Where: g.where(), Asked: have.jobs + 1, There: most})
	}
	if g.bounds.tres[grpTRES] == nil && g.hours == nil {
		return Why{}
	}
	l.m.take(j, alloc)
	l.m.place(l.want, l.kinds, l.weighing(p))
	for kind, most := range g.bounds.tres[grpTRES] {
		if n := have.tres[kind] + l.want[kind]; most >= 0 && n > most && l.want[kind] > 0 {
			where := g.where()
			if g.borrow {
				lent := l.lent(at, kind)
				if n-most <= lent {
					continue
				}
				most, where = most+lent, where+" with what others lend"
			}
			key := l.kinds.keys[kind]
			return because(qosReasons[grpTRES][classOf(key)], Obstacle{What: limitName(key, grpTRES), Where: where, Asked: n, There: most})
		}
	}
	for kind, most := range g.hours {
		if most < 0 || l.want[kind] == 0 {
			continue
		}
		used := l.hoursUsed(at, kind, now)
		if l.safe { // what runs and the job itself must end within the hours
			span := limit
			if span <= 0 || span == slurm.Unlimited {
				span = yearOf
			}
			used += float64(have.runSecs(kind, now.Unix())) + float64(float64(l.want[kind])*float64(span))
			if used <= float64(most)*3600 {
				continue
			}
		}
		if used >= float64(most)*3600 {
			key := l.kinds.keys[kind]
			return because(qosReasons[grpMins][classOf(key)],
				Obstacle{What: strings.TrimPrefix(key, "gres/") + " hours this month", Where: g.where(), Asked: int64(used / 3600), There: most})
		}
	}
	return Why{}
}

// lent is how much of a kind a herd may have beyond its quota: what the herds that
// lend do not use themselves, less what others have of it.
func (l *Ledger) lent(to int32, kind int) int64 {
	idle := int64(0)
	for i := range l.herd {
		g := &l.herd[i]
		if int32(i) == to || !g.bounds.has(grpTRES, kind) {
			continue
		}
		rest := g.bounds.tres[grpTRES][kind] - l.herds[i].tres[kind]
		if rest > 0 && g.lend || rest < 0 && g.borrow {
			idle += rest
		}
	}
	return max(idle, 0)
}

// quotaSubmits says whether a herd may have so many jobs more.
func (l *Ledger) quotaSubmits(p PartitionName, more int64) Why {
	at := l.placeOfHerd(p)
	if at < 0 {
		return Why{}
	}
	g, have := &l.herd[at], &l.herds[at]
	if most := g.bounds.num[grpSubmit]; most >= 0 && have.submitted+more > most {
		return because(qosNums[grpSubmit], Obstacle{What: numNames[grpSubmit], Where: g.where(), Asked: have.submitted + more, There: most})
	}
	if g.waiting >= 0 && have.waiting+more > g.waiting {
		return because(qosNums[grpSubmit], Obstacle{What: "waiting jobs", Where: g.where(), Asked: have.waiting + more, There: g.waiting})
	}
	return Why{}
}

// beyondQuota is the refusal for a quota: Slurm's word for such a limit, and its
// numbers.
func beyondQuota(w Why) error {
	o := w.Detail[0]
	r := refuse(slurm.ErrnoAccountingPolicy, "%s", w.Reason)
	return r.with("%s: %d %s, and %s is %d", w.Reason, o.Asked, o.What, o.Where, o.There)
}

func (g *herdGround) where() string { return "the quota of partition " + string(g.name) }

// HerdStanding is what a partition's jobs have of its quota.
type HerdStanding struct {
	Partition                PartitionName
	Jobs, Waiting, Submitted int64
	TRES                     slurm.TRES // of the kinds that are bounded
	Hours                    slurm.TRES // used this month, of the kinds that are bounded
	Since                    time.Time  // when the month began; zero: not told yet
	Over                     slurm.TRES // what it has of others' quotas
}

// Herds lists how the partitions with a quota stand.
func (l *Ledger) Herds(now time.Time) []HerdStanding {
	if l == nil {
		return nil
	}
	var out []HerdStanding
	for i := range l.herds {
		g, b := &l.herd[i], &l.herds[i]
		h := HerdStanding{Partition: g.name, Jobs: b.jobs, Waiting: b.waiting, Submitted: b.submitted, Since: l.month.began}
		all := l.kinds.tres(b.tres)
		for kind, most := range g.bounds.tres[grpTRES] {
			if most < 0 {
				continue
			}
			h.TRES = append(h.TRES, all[kind])
			if item := all[kind]; item.Count > most {
				item.Count -= most
				h.Over = append(h.Over, item)
			}
		}
		for kind, most := range g.hours {
			if most >= 0 {
				item := all[kind]
				item.Count = int64(l.hoursUsed(int32(i), kind, now) / 3600)
				h.Hours = append(h.Hours, item)
			}
		}
		out = append(out, h)
	}
	return slices.Clip(out)
}

// limited reports whether limits of associations and QOS are looked at.
func (l *Ledger) limited() bool { return l.enforced && len(l.assocs) > 0 }
