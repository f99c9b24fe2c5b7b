package sched

import (
	"time"

	"github.com/runink/rink/slurm"
)

// Admit says whether jobs submitted together may be: how many a QOS, a user, an
// account and an association may have submitted, each task of an array being one,
// and where a QOS denies at once what could never start (DenyOnLimit), that too. It
// returns a Refused with the limit's word as the line before the error.
func (l *Ledger) Admit(jobs []*Job, now time.Time) error {
	if !l.Enforced() {
		return nil
	}
	var counted []*claim
	defer func() {
		for _, e := range counted {
			l.count(e, -1)
		}
	}()
	for _, j := range jobs {
		if w := l.quotaSubmits(j.Partition, int64(max(j.Tasks.Len(), 1))); !w.IsZero() {
			return beyondQuota(w)
		}
		if err := l.admit(j, now); err != nil {
			return err
		}
		more := int64(max(j.Tasks.Len(), 1))
		e := &claim{assoc: l.find(j), herd: l.placeOfHerd(j.Partition), qos: l.pair(j, j.Partition), uid: j.UID, acct: j.Account, submit: more, wait: more, still: -1}
		l.count(e, 1)
		counted = append(counted, e)
	}
	return nil
}

// violates is the refusal for a limit.
func violates(w Why) error {
	r := refuse(slurm.ErrnoAccountingPolicy, "%s", w.Reason)
	if len(w.Detail) > 0 {
		o := w.Detail[0]
		r = refuse(slurm.ErrnoAccountingPolicy, "%s: %d %s, and %s may have %d", w.Reason, o.Asked, o.What, o.Where, o.There)
	}
	return r.with("%s", w.Reason)
}

func (l *Ledger) admit(j *Job, now time.Time) error {
	if !l.limited() {
		return nil
	}
	if j.TimeLimit == 0 {
		if w := l.noTime(j); !w.IsZero() {
			return violates(w)
		}
	}
	b := bar{l: l, j: j, assoc: l.find(j), qos: l.pair(j, j.Partition), limit: j.TimeLimit, moment: l.moment(now)}
	more := int64(max(j.Tasks.Len(), 1))
	strict := false
	for i, at := range b.qos {
		if at >= 0 && l.quality[at].deny {
			strict = true
		}
		if w := b.submitted(i, more); !w.IsZero() {
			return violates(w)
		}
	}
	if strict { // what the QOS says comes first, and how many may be submitted before how large they may be
		l.m.take(j, nil)
		l.m.place(l.want, l.kinds, l.weighing(j.Partition))
		if w := b.neverOfQOS(); !w.IsZero() {
			return violates(w)
		}
	}
	for at := b.assoc; at >= 0; at = l.assoc[at].parent {
		g, have := &l.assoc[at], &l.assocs[at]
		for _, f := range [...]numLimit{grpSubmit, userSubmit} {
			of := &g.own
			if f == userSubmit {
				of = &g.eff
				if at != b.assoc || b.spokenNum(acctSubmit) {
					continue
				}
			}
			if most := of.num[f]; most >= 0 && !b.spokenNum(f) && have.submitted+more > most {
				return violates(because(assocNums[f], Obstacle{What: numNames[f], Where: l.nameOf(at), Asked: have.submitted + more, There: most}))
			}
		}
	}
	if strict {
		if w := b.neverOfAssoc(); !w.IsZero() {
			return violates(w)
		}
	}
	return nil
}

// Denies says why a job may not come under the QOS it has: one that denies at once
// what could never start does so too when a waiting job is moved to it.
func (l *Ledger) Denies(j *Job, now time.Time) error {
	if !l.Enforced() || !l.limited() {
		return nil
	}
	b := bar{l: l, j: j, assoc: l.find(j), qos: l.pair(j, j.Partition), limit: j.TimeLimit, moment: l.moment(now)}
	for _, at := range b.qos {
		if at < 0 || !l.quality[at].deny {
			continue
		}
		l.m.take(j, nil)
		l.m.place(l.want, l.kinds, l.weighing(j.Partition))
		if w := b.never(); !w.IsZero() {
			return violates(w)
		}
		return nil
	}
	return nil
}

// submitted looks at how many jobs the i-th QOS lets be submitted.
func (b *bar) submitted(i int, more int64) Why {
	q := b.bounds(i)
	if q == nil {
		return Why{}
	}
	for _, f := range [...]numLimit{grpSubmit, acctSubmit, userSubmit} {
		most := q.num[f]
		if most < 0 || i == 1 && b.qos[0] >= 0 && b.bounds(0).num[f] >= 0 {
			continue
		}
		have := int64(0)
		switch {
		case f == grpSubmit:
			have = b.l.qos[b.qos[i]].submitted
		case f == acctSubmit && b.account(i) != nil:
			have = b.account(i).submitted
		case f == userSubmit && b.user(i) != nil:
			have = b.user(i).submitted
		}
		if have+more > most {
			return because(qosNums[f], Obstacle{What: numNames[f], Where: "QOS " + b.l.quality[b.qos[i]].name, Asked: have + more, There: most})
		}
	}
	return Why{}
}

// never says which limit the job is beyond whatever else runs: what it asks for
// alone, and what was used up before.
func (b *bar) never() Why {
	if w := b.neverOfQOS(); !w.IsZero() {
		return w
	}
	return b.neverOfAssoc()
}

func (b *bar) neverOfQOS() Why {
	b.prepare(b.l.want)
	for i := range b.qos {
		q := b.bounds(i)
		if q == nil {
			continue
		}
		first := func(f numLimit) bool { return i == 0 || b.qos[0] < 0 || b.bounds(0).num[f] < 0 }
		where := "QOS " + b.l.quality[b.qos[i]].name
		have := &b.l.qos[b.qos[i]].account
		if w := b.tooMuch(have, &q.tres, barOrder[:9], &qosReasons, where, func(f tresLimit, kind int) bool {
			return i == 0 || b.qos[0] < 0 || !b.bounds(0).has(f, kind)
		}); !w.IsZero() {
			return w
		}
		if w := b.usedUp(have, q, &qosNums, where, first); !w.IsZero() {
			return w
		}
	}
	return Why{}
}

// neverOfAssoc is never for the associations; neverOfQOS goes before.
func (b *bar) neverOfAssoc() Why {
	for at := b.assoc; at >= 0; at = b.l.assoc[at].parent {
		g, have := &b.l.assoc[at], &b.l.assocs[at]
		of, order := g.own, barOrder[:3]
		if at == b.assoc {
			of, order = g.eff, barOrder[:6]
		} else {
			of.num[maxWall] = NoLimit
		}
		silent := func(f tresLimit, kind int) bool { return !b.spoken(f, kind) }
		if w := b.tooMuch(have, &of.tres, order, &assocReasons, b.l.nameOf(at), silent); !w.IsZero() {
			return w
		}
		if w := b.usedUp(have, &of, &assocNums, b.l.nameOf(at), func(f numLimit) bool { return !b.spokenNum(f) }); !w.IsZero() {
			return w
		}
	}
	return Why{}
}

// tooMuch looks at limits on resources as if nothing else ran.
func (b *bar) tooMuch(have *account, limits *[tresLimits]amounts, order []tresLimit, words *[tresLimits][classes]slurm.Reason, where string,
	counts func(tresLimit, int) bool) Why {
	for _, f := range order {
		for kind, most := range limits[f] {
			if most < 0 || !counts(f, kind) {
				continue
			}
			if words == &assocReasons {
				most = b.widened(f, most)
			}
			if n, over := b.alone(have, f, kind, most); over {
				key := b.l.kinds.keys[kind]
				return because(words[f][classOf(key)], Obstacle{What: limitName(key, f), Where: where, Asked: n, There: most})
			}
		}
	}
	return Why{}
}

// alone compares what the job asks for with a limit as if nothing else ran.
func (b *bar) alone(have *account, f tresLimit, kind int, most int64) (int64, bool) {
	switch f {
	case grpTRES, acctTRES, userTRES:
		return b.want[kind], b.want[kind] > most
	case grpRunMins:
		return b.minsOf(kind), b.minsOf(kind) > most
	case grpMins:
		if n := b.minsOf(kind); n > most {
			return n, true
		}
	}
	return b.is(holder{all: have}, f, kind, most)
}

// usedUp looks at the time the job asks for and the time that was used.
func (b *bar) usedUp(have *account, of *bounds, words *[numLimits]slurm.Reason, where string, counts func(numLimit) bool) Why {
	if most := of.num[maxWall]; most >= 0 && counts(maxWall) && b.tooLong(most) {
		return because(words[maxWall], Obstacle{What: numNames[maxWall], Where: where, Asked: b.asksFor(), There: most})
	}
	if most := of.num[grpWall]; most >= 0 && counts(grpWall) {
		if b.tooLong(most) {
			return because(words[grpWall], Obstacle{What: numNames[grpWall], Where: where, Asked: b.asksFor(), There: most})
		}
		if used := have.usedBy(b.l.wallAt(), b.moment); used >= float64(most) {
			return because(words[grpWall], Obstacle{What: numNames[grpWall], Where: where, Asked: int64(used), There: most})
		}
	}
	return Why{}
}

// AgeFull reports whether as many jobs gather age already as a QOS or an association
// of j lets do so: it is to wait until one of them is gone.
func (l *Ledger) AgeFull(j *Job) bool {
	if l == nil || !l.limited() {
		return false
	}
	b := bar{l: l, j: j, assoc: l.find(j), qos: l.pair(j, j.Partition)}
	more := int64(tasksIn(j))
	for i := range b.qos {
		q := b.bounds(i)
		if q == nil {
			continue
		}
		over := func(f numLimit, c *counts) bool {
			if q.num[f] < 0 || i == 1 && b.qos[0] >= 0 && b.bounds(0).num[f] >= 0 {
				return false
			}
			have := int64(0)
			if c != nil {
				have = c.accruing
			}
			return have+more > q.num[f]
		}
		if over(grpAccrue, &l.qos[b.qos[i]].counts) || over(acctAccrue, b.account(i)) || over(userAccrue, b.user(i)) {
			return true
		}
	}
	for at := b.assoc; at >= 0; at = l.assoc[at].parent {
		g, have := &l.assoc[at], l.assocs[at].accruing+more
		if most := g.own.num[grpAccrue]; most >= 0 && !b.spokenNum(grpAccrue) && have > most {
			return true
		}
		if most := g.eff.num[userAccrue]; at == b.assoc && most >= 0 && !b.spokenNum(userAccrue) && !b.spokenNum(acctAccrue) && have > most {
			return true
		}
	}
	return false
}

// AgeHeld says whether a job that changes from old to j is to wait for gathering
// age: one that begins to, and finds as many as may doing so.
func (l *Ledger) AgeHeld(old, j *Job) bool {
	if j.AgeHeld || !mayAge(j) || old != nil && mayAge(old) {
		return j.AgeHeld && mayAge(j)
	}
	return l.AgeFull(j)
}

// MaxWall is the longest time limit that a job's QOS, or else its association, lets it
// have in a partition; Unlimited where nobody says. A job that asks for no time
// gets it, unless the partition has a default.
func (l *Ledger) MaxWall(j *Job, p PartitionName) slurm.Duration {
	if l == nil || !l.enforced {
		return slurm.Unlimited
	}
	for _, at := range l.pair(j, p) {
		if at >= 0 && l.quality[at].bounds.num[maxWall] >= 0 {
			return slurm.Duration(l.quality[at].bounds.num[maxWall])
		}
	}
	if at := l.find(j); at >= 0 && l.assoc[at].eff.num[maxWall] >= 0 {
		return slurm.Duration(l.assoc[at].eff.num[maxWall])
	}
	if w := l.noTime(j); !w.IsZero() {
		return 0
	}
	return slurm.Unlimited
}

// noTime says which of the limits of nothing at all on times leaves none for a job
// that asks for no time: Slurm refuses it, while others wait.
func (l *Ledger) noTime(j *Job) Why {
	for _, at := range l.pair(j, j.Partition) {
		if at < 0 {
			continue
		}
		for _, f := range [...]numLimit{maxWall, grpWall} {
			switch l.quality[at].bounds.num[f] {
			case NoLimit:
				continue
			case 0:
				return because(qosNums[f], Obstacle{What: numNames[f], Where: "QOS " + l.quality[at].name})
			}
			return Why{}
		}
	}
	for at := l.find(j); at >= 0; at = l.assoc[at].parent {
		for _, f := range [...]numLimit{maxWall, grpWall} {
			if l.assoc[at].own.num[f] == 0 {
				return because(assocNums[f], Obstacle{What: numNames[f], Where: l.nameOf(at)})
			}
		}
	}
	return Why{}
}

// Try counts a start that is being planned, so that those planned after it are held
// against what it leaves. Undo takes it back.
func (l *Ledger) Try(j *Job, p PartitionName, alloc []NodeAlloc, limit slurm.Duration, now time.Time) {
	if !l.Enforced() {
		return
	}
	run := *j
	run.Partition, run.Tasks, run.State, run.Start = p, slurm.IndexSet{}, slurm.JobRunning, now
	run.TimeLimit, run.End = limit, time.Time{}
	if limit > 0 && limit != slurm.Unlimited {
		run.End = now.Add(span(limit))
	}
	e := &claim{assoc: l.find(j), herd: l.placeOfHerd(p), qos: l.pair(j, p), uid: j.UID, acct: j.Account, still: -1}
	l.hold(e, &run, alloc)
	if run.End.IsZero() {
		e.end = now.Unix() + int64(yearOf)
	}
	e.rate = nil // it has used nothing
	l.count(e, 1)
	l.trials = append(l.trials, e)
}

// Tried returns how many starts are being tried, for Undo.
func (l *Ledger) Tried() int {
	if l == nil {
		return 0
	}
	return len(l.trials)
}

// Undo takes back the starts tried since there were n of them.
func (l *Ledger) Undo(n int) {
	if l == nil {
		return
	}
	for _, e := range l.trials[n:] {
		l.count(e, -1)
	}
	l.trials = l.trials[:n]
}
