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
	if l == nil || !l.enforced || len(l.assocs) == 0 {
		return nil
	}
	var counted []*claim
	defer func() {
		for _, e := range counted {
			l.count(e, -1)
		}
	}()
	for _, j := range jobs {
		if err := l.admit(j, now); err != nil {
			return err
		}
		e := &claim{assoc: l.find(j), qos: l.pair(j, j.Partition), uid: j.UID, acct: j.Account, submit: int64(max(j.Tasks.Len(), 1)), still: -1}
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
	if !strict {
		return nil
	}
	l.m.take(j, nil)
	l.m.place(l.want, l.kinds, l.weighing(j.Partition))
	if w := b.never(); !w.IsZero() {
		return violates(w)
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

// never says which limit the job alone is beyond, whatever else runs.
func (b *bar) never() Why {
	b.prepare(b.l.want)
	for i := range b.qos {
		q := b.bounds(i)
		if q == nil {
			continue
		}
		for _, f := range neverOrder {
			for kind, most := range q.tres[f] {
				if most < 0 || i == 1 && b.qos[0] >= 0 && b.bounds(0).has(f, kind) {
					continue
				}
				if n, over := b.alone(f, kind, most); over {
					key := b.l.kinds.keys[kind]
					return because(qosReasons[f][classOf(key)],
						Obstacle{What: limitName(key, f), Where: "QOS " + b.l.quality[b.qos[i]].name, Asked: n, There: most})
				}
			}
		}
		if most := q.num[maxWall]; most >= 0 && !(i == 1 && b.qos[0] >= 0 && b.bounds(0).num[maxWall] >= 0) && b.tooLong(most) {
			return because(qosNums[maxWall], Obstacle{What: numNames[maxWall], Where: "QOS " + b.l.quality[b.qos[i]].name, Asked: b.asksFor(), There: most})
		}
	}
	for at := b.assoc; at >= 0; at = b.l.assoc[at].parent {
		g := &b.l.assoc[at]
		for _, f := range neverOrder {
			limits := g.eff.tres[f]
			switch {
			case f == grpTRES:
				limits = g.own.tres[f]
			case at != b.assoc || f != jobTRES && f != nodeTRES:
				continue
			}
			for kind, most := range limits {
				if most < 0 || b.spoken(f, kind) {
					continue
				}
				if b.wider > 0 {
					most = int64(float64(most) * b.wider)
				}
				if n, over := b.alone(f, kind, most); over {
					key := b.l.kinds.keys[kind]
					return because(assocReasons[f][classOf(key)], Obstacle{What: limitName(key, f), Where: b.l.nameOf(at), Asked: n, There: most})
				}
			}
		}
		if most := g.eff.num[maxWall]; at == b.assoc && most >= 0 && !b.spokenNum(maxWall) && b.tooLong(most) {
			return because(assocNums[maxWall], Obstacle{What: numNames[maxWall], Where: b.l.nameOf(at), Asked: b.asksFor(), There: most})
		}
	}
	return Why{}
}

// neverOrder are the limits that a job alone can be beyond, in the order in which
// they are looked at when it is submitted.
var neverOrder = [...]tresLimit{grpTRES, jobTRES, nodeTRES, acctTRES, userTRES, jobMin}

// alone compares what the job asks for with a limit as if nothing else ran.
func (b *bar) alone(f tresLimit, kind int, most int64) (int64, bool) {
	want := b.want[kind]
	switch f {
	case nodeTRES:
		n := want / max(b.want[kindNode], 1)
		return n, n > most
	case jobMin:
		return want, want < most
	}
	return want, want > most
}

// MaxWall is the longest time limit that a job's QOS, or else its association, lets
// it have in a partition; Unlimited where nobody says. A job that asks for no time
// gets it.
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
	return slurm.Unlimited
}

// Try counts a start that is being planned, so that those planned after it are held
// against what it leaves. Undo takes it back.
func (l *Ledger) Try(j *Job, p PartitionName, alloc []NodeAlloc, limit slurm.Duration, now time.Time) {
	if l == nil || !l.enforced || len(l.assocs) == 0 {
		return
	}
	run := *j
	run.Partition, run.Tasks, run.State, run.Start = p, slurm.IndexSet{}, slurm.JobRunning, now
	run.TimeLimit, run.End = limit, time.Time{}
	if limit > 0 && limit != slurm.Unlimited {
		run.End = now.Add(span(limit))
	}
	e := &claim{assoc: l.find(j), qos: l.pair(j, p), uid: j.UID, acct: j.Account, still: -1}
	l.hold(e, &run, alloc)
	if run.End.IsZero() {
		e.end = now.Unix() + int64(yearOf)
	}
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
