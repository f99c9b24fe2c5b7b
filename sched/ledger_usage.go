package sched

import (
	"cmp"
	"iter"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/runink/rink/slurm"
)

// settle opens what a job uses at a moment (sign 1), or closes it: the book has
// what it would have used from the epoch on taken out, and all it used since put
// in.
func (l *Ledger) settle(e *claim, at time.Time, sign int64) {
	if e.rate == nil {
		return
	}
	l.usage++
	fading, flat := l.decay.grown(at)/millionth, l.decay.since(at)/millionth
	for i := e.assoc; i >= 0; i = l.assoc[i].parent {
		l.assocs[i].settle(e, fading, sign)
	}
	if e.herd >= 0 {
		l.herds[e.herd].settle(e, flat, sign)
	}
	for _, i := range e.qos {
		switch {
		case i < 0:
		case l.qos[i].flat:
			l.qos[i].settle(e, flat, sign)
		default:
			l.qos[i].settle(e, fading, sign)
		}
	}
}

func (a *account) settle(e *claim, grown float64, sign int64) {
	for i, r := range e.rate {
		if r != 0 {
			a.used[i] -= float64(float64(sign*r) * grown)
		}
	}
}

// rescale begins a new scale when the old one has grown long.
func (l *Ledger) rescale(at time.Time) {
	l.turnMonth(at)
	n, epoch := l.decay.shift(at)
	if n == 0 {
		return
	}
	passed := l.decay.since(epoch)
	l.eachAccount(func(a *account) {
		for i, v := range a.used {
			if a.flat {
				a.used[i] = v + float64(float64(a.rate[i])*(passed/millionth))
			} else {
				a.used[i] = math.Ldexp(v, -n)
			}
		}
	})
	l.decay.epoch = epoch
	l.usage++
}

func (l *Ledger) eachAccount(f func(*account)) {
	for i := range l.assocs {
		f(&l.assocs[i])
	}
	for i := range l.qos {
		f(&l.qos[i].account)
	}
	for i := range l.herds {
		f(&l.herds[i].account)
	}
}

// moment is a time on the scale of decay.
type moment struct {
	unix               int64
	scale, grown, flat float64
}

func (l *Ledger) moment(now time.Time) moment {
	return moment{now.Unix(), l.decay.scale(now), l.decay.grown(now) / millionth, l.decay.since(now) / millionth}
}

// usedBy is what an account has used in one place by a moment, decayed, in
// seconds.
func (a *account) usedBy(i int, m moment) float64 {
	v, grown, scale := a.used[i], m.grown, m.scale
	if a.flat {
		grown, scale = m.flat, 1
	}
	if a.rate[i] != 0 {
		v += float64(float64(a.rate[i]) * grown)
	}
	return max(v/scale, 0)
}

// Rebuild makes the book one of another configuration and other accounts from at
// on. What was used stays with whom it was used by, and what jobs count is worked
// out anew, unless only limits have changed: then that is all there is to do.
func (l *Ledger) Rebuild(cfg *Config, acc *Accounts, at time.Time, jobs iter.Seq[*Job]) {
	next := newGround(cfg, acc)
	if l.decay.epoch.IsZero() { // nothing has happened yet
		*l = *NewLedger(cfg, acc, at)
		for j := range jobs {
			l.Set(j, at)
		}
		return
	}
	if decayOf(cfg) == l.decay.half && next.sameShape(l.ground) {
		l.ground, l.fair = next, nil
		return
	}
	for _, id := range slices.Sorted(maps.Keys(l.jobs)) {
		l.settle(l.jobs[id], at, -1)
		l.count(l.jobs[id], -1)
	}
	old := *l
	*l = *NewLedger(cfg, acc, at)
	l.usage, l.reset, l.month = old.usage+1, old.reset, old.month
	l.inherit(&old, at)
	for j := range jobs {
		l.Set(j, at)
	}
}

// Reset forgets what was used up to now: by everybody, or by these associations and
// QOS. What is above an association in the tree then has that much less, and what is
// below it nothing. A QOS whose usage does not fade is reset only by name.
func (l *Ledger) Reset(all bool, assocs []AssocID, qos []uint32, at time.Time) {
	l.rescale(at)
	l.usage++
	m := l.moment(at)
	if all {
		l.reset = at
	}
	for i := range l.qos {
		if q := &l.qos[i].account; all && !q.flat || slices.Contains(qos, l.quality[i].id) {
			q.forget(m)
		}
	}
	gone := make([]bool, len(l.assocs))
	for place := range l.assocs {
		up := l.assoc[place].parent
		below := up >= 0 && gone[up]
		switch {
		case !all && !below && !slices.Contains(assocs, l.assoc[place].id):
			continue
		case !all && !below:
			for p := up; p >= 0; p = l.assoc[p].parent {
				for i := range l.assocs[p].used {
					l.assocs[p].used[i] -= float64(l.assocs[place].usedBy(i, m) * m.scale)
				}
			}
		}
		gone[place] = true
		l.assocs[place].forget(m)
	}
}

// forget leaves what will be used from a moment on.
func (a *account) forget(m moment) {
	grown := m.grown
	if a.flat {
		grown = m.flat
	}
	for i := range a.used {
		a.used[i] = 0
		if a.rate[i] != 0 {
			a.used[i] = -float64(float64(a.rate[i]) * grown)
		}
	}
}

// LastReset is when all usage was forgotten last, or when the book was begun.
func (l *Ledger) LastReset() time.Time { return l.reset }

// NextUsageReset is when all usage is to be forgotten next, last having been the
// last time; zero: never. Periods begin at midnight in a time zone, weeks with
// Sunday.
func NextUsageReset(period string, last time.Time, zone *time.Location) time.Time {
	at := last.In(zone)
	y, m, d := at.Date()
	switch period {
	case "DAILY":
		d++
	case "WEEKLY":
		d += 7 - int(at.Weekday())
	case "MONTHLY":
		m, d = m+1, 1
	case "QUARTERLY":
		m, d = m+3-(m-1)%3, 1
	case "YEARLY":
		y, m, d = y+1, time.January, 1
	default:
		return time.Time{}
	}
	return time.Date(y, m, d, 0, 0, 0, 0, zone)
}

// Spent is what associations and QOS have used, as it is stored: on a scale that
// begins at Epoch.
type Spent struct {
	Epoch            time.Time
	Reset            time.Time // when all was forgotten last
	Month, NextMonth time.Time // whose hours count against quotas, and when the next begins; zero: not told
	Kinds            []string  // what the amounts of a row are of; behind them what is charged, and time
	Rows             []SpentRow
}

// SpentRow is what one association or QOS has used.
type SpentRow struct {
	Assoc AssocID // or
	QOS   uint32  // or
	Herd  PartitionName
	Used  []float64
}

// Spent returns what was used, for RestoreLedger. Rows of nothing are left out.
func (l *Ledger) Spent() Spent {
	u := Spent{Epoch: l.decay.epoch, Reset: l.reset, Month: l.month.began, NextMonth: l.month.next, Kinds: l.kinds.keys}
	add := func(row SpentRow, used []float64) {
		for _, v := range used {
			if v != 0 {
				row.Used = slices.Clone(used)
				u.Rows = append(u.Rows, row)
				return
			}
		}
	}
	for i := range l.assocs {
		add(SpentRow{Assoc: l.assoc[i].id}, l.assocs[i].used)
	}
	for i := range l.qos {
		add(SpentRow{QOS: l.quality[i].id}, l.qos[i].used)
	}
	for i := range l.herds {
		add(SpentRow{Herd: l.herd[i].name}, l.herds[i].used)
	}
	slices.SortFunc(u.Rows, func(a, b SpentRow) int {
		return cmp.Or(cmp.Compare(a.Assoc, b.Assoc), cmp.Compare(a.QOS, b.QOS), cmp.Compare(a.Herd, b.Herd))
	})
	return u
}

// RestoreLedger returns the book that had that usage, with the jobs there were.
func RestoreLedger(cfg *Config, acc *Accounts, u Spent, jobs iter.Seq[*Job]) *Ledger {
	l := NewLedger(cfg, acc, u.Epoch)
	l.decay.epoch, l.reset, l.month = u.Epoch, u.Reset, month{u.Month, u.NextMonth}
	read := func(a *account, row *SpentRow) {
		for i, v := range row.Used {
			switch {
			case i < len(u.Kinds):
				if at, ok := l.kinds.at[u.Kinds[i]]; ok {
					a.used[at] = v
				}
			case i < len(u.Kinds)+2:
				a.used[l.chargedAt()+i-len(u.Kinds)] = v
			}
		}
	}
	for i := range u.Rows {
		row := &u.Rows[i]
		if at := l.placeOfHerd(row.Herd); at >= 0 {
			read(&l.herds[at].account, row)
		}
		if at, ok := l.byID[row.Assoc]; ok && row.Assoc != 0 {
			read(&l.assocs[at], row)
		}
		for at := range l.qos {
			if row.QOS != 0 && l.quality[at].id == row.QOS {
				read(&l.qos[at].account, row)
			}
		}
	}
	for j := range jobs {
		if e := l.entryOf(j); e != nil {
			l.count(e, 1)
			l.jobs[j.ID] = e
		}
	}
	return l
}

// Adopt makes a clone know the jobs that it counts already, so that changes of
// them may be told to it.
func (l *Ledger) Adopt(lists ...[]*Job) {
	if l == nil {
		return
	}
	l.jobs = map[slurm.JobID]*claim{}
	for _, list := range lists {
		for _, j := range list {
			if e := l.entryOf(j); e != nil {
				l.jobs[j.ID] = e
			}
		}
	}
}

// inherit takes over what was used by a moment at which nothing runs.
func (l *Ledger) inherit(old *Ledger, at time.Time) {
	m := old.moment(at)
	places := make([]int, len(old.kinds.keys)+2)
	for i, key := range old.kinds.keys {
		to, ok := l.kinds.at[key]
		if !ok {
			to = -1
		}
		places[i] = to
	}
	places[old.chargedAt()], places[old.wallAt()] = l.chargedAt(), l.wallAt()
	scale := l.decay.scale(at)
	add := func(to, from *account, sign float64) {
		for i, place := range places {
			if place < 0 {
				continue
			}
			v := from.usedBy(i, m)
			if !to.flat {
				v *= scale
			}
			to.used[place] += float64(sign * v)
		}
	}
	for i := range old.assocs {
		id := old.assoc[i].id
		to, ok := l.byID[id]
		if !ok {
			continue
		}
		add(&l.assocs[to], &old.assocs[i], 1)
	}
	// What hangs elsewhere in the tree now takes its usage along.
	for i := range old.assocs {
		to, ok := l.byID[old.assoc[i].id]
		if !ok || l.idOf(l.assoc[to].parent) == old.idOf(old.assoc[i].parent) {
			continue
		}
		for p := old.assoc[i].parent; p >= 0; p = old.assoc[p].parent {
			if at, ok := l.byID[old.idOf(p)]; ok {
				add(&l.assocs[at], &old.assocs[i], -1)
			}
		}
		for p := l.assoc[to].parent; p >= 0; p = l.assoc[p].parent {
			add(&l.assocs[p], &old.assocs[i], 1)
		}
	}
	for i := range old.herds {
		if to := l.placeOfHerd(old.herd[i].name); to >= 0 {
			add(&l.herds[to].account, &old.herds[i].account, 1)
		}
	}
	for i := range old.qos {
		for to := range l.qos {
			if l.quality[to].id == old.quality[i].id {
				add(&l.qos[to].account, &old.qos[i].account, 1)
			}
		}
	}
}
