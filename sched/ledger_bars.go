package sched

import (
	"slices"
	"time"

	"github.com/runink/rink/slurm"
)

// Bars says which limit of a QOS or an association keeps j from starting in a
// partition now: with an allocation, what it would hold; without one, what it asks
// for. limit is the time limit it would run under.
//
// The partition's QOS comes before the job's own, unless that one is to count more
// (OverPartQOS), and both before the associations: of two limits on the same thing
// only the first is looked at. Bars allocates nothing unless there is an obstacle.
func (l *Ledger) Bars(j *Job, p PartitionName, alloc []NodeAlloc, limit slurm.Duration, now time.Time) Why {
	if !l.Enforced() {
		return Why{}
	}
	if w := l.overQuota(j, p, alloc, limit, now); !w.IsZero() || !l.limited() {
		return w
	}
	b := bar{l: l, j: j, assoc: l.find(j), qos: l.pair(j, p), limit: limit}
	if b.assoc < 0 && b.qos[0] < 0 {
		return Why{}
	}
	if b.assoc >= 0 && j.QOS != "" && l.assoc[b.assoc].may != nil && !slices.Contains(l.assoc[b.assoc].may, j.QOS) {
		return because(slurm.ReasonInvalidQOS) // it was taken away since
	}
	b.moment = l.moment(now)
	if w := b.byShare(); !w.IsZero() {
		return w
	}
	if w := b.byNumbers(); !w.IsZero() {
		return w
	}
	l.m.take(j, alloc)
	l.m.place(l.want, l.kinds, l.weighing(p))
	return b.byAmounts(l.want)
}

// Enforced reports whether anything is looked at: limits (AccountingStorageEnforce)
// or the quotas of herds.
func (l *Ledger) Enforced() bool { return l != nil && (l.limited() || len(l.herd) > 0) }

// bar is a job held against the limits.
type bar struct {
	l      *Ledger
	j      *Job
	assoc  int32
	qos    [2]int32
	limit  slurm.Duration
	moment moment
	want   amounts // what it asks for
	mins   int64   // for how many minutes
	factor float64 // on what it may use
	wider  float64 // on the limits of associations; 0: none
}

// bounds of the i-th QOS; nil when there is none.
func (b *bar) bounds(i int) *bounds {
	if b.qos[i] < 0 {
		return nil
	}
	return &b.l.quality[b.qos[i]].bounds
}

// spoken reports whether a QOS has a limit on this, so that the associations'
// does not count.
func (b *bar) spoken(f tresLimit, kind int) bool {
	for i := range b.qos {
		if q := b.bounds(i); q != nil && q.has(f, kind) {
			return true
		}
	}
	return false
}

func (b *bar) spokenNum(f numLimit) bool {
	for i := range b.qos {
		if q := b.bounds(i); q != nil && q.num[f] >= 0 {
			return true
		}
	}
	return false
}

// user and account are what the job's user and account have under the i-th QOS.
func (b *bar) user(i int) *counts    { return b.l.qos[b.qos[i]].users[b.j.UID] }
func (b *bar) account(i int) *counts { return b.l.qos[b.qos[i]].accounts[b.j.Account] }

// asksFor is the time the job would run at most, in seconds.
func (b *bar) asksFor() int64 {
	if b.limit <= 0 || b.limit == slurm.Unlimited {
		return int64(yearOf)
	}
	return int64(b.limit)
}

// byNumbers looks at the limits that do not depend on what the job asks for but
// its time.
func (b *bar) byNumbers() Why {
	var done [numLimits]bool
	for i := range b.qos {
		if b.qos[i] < 0 {
			continue
		}
		if w := b.qosNumbers(i, &done); !w.IsZero() {
			return w
		}
	}
	for at := b.assoc; at >= 0; at = b.l.assoc[at].parent {
		g, have := &b.l.assoc[at], &b.l.assocs[at]
		over := func(f numLimit, is int64, of *bounds) Why {
			return because(assocNums[f], Obstacle{What: numNames[f], Where: b.l.nameOf(at), Asked: is, There: of.num[f]})
		}
		if most := g.own.num[grpJobs]; most >= 0 && !b.spokenNum(grpJobs) && have.jobs >= most {
			return over(grpJobs, have.jobs+1, &g.own)
		}
		if most := g.own.num[grpWall]; most >= 0 && !b.spokenNum(grpWall) {
			if used := have.usedBy(b.l.wallAt(), b.moment); used >= float64(most) {
				return over(grpWall, int64(used), &g.own)
			}
		}
		if at != b.assoc {
			continue
		}
		if most := g.eff.num[userJobs]; most >= 0 && !b.spokenNum(userJobs) && !b.spokenNum(acctJobs) && have.jobs >= most {
			return over(userJobs, have.jobs+1, &g.eff)
		}
		if most := g.eff.num[maxWall]; most >= 0 && !b.spokenNum(maxWall) && b.tooLong(most) {
			return over(maxWall, b.asksFor(), &g.eff)
		}
	}
	return Why{}
}

// byShare looks at the least fair share that a QOS wants (UsageThreshold with
// EnforceUsageThreshold), as of when shares were reckoned last.
func (b *bar) byShare() Why {
	if b.l.fair == nil || b.assoc < 0 {
		return Why{}
	}
	for _, at := range b.qos {
		if at < 0 {
			continue
		}
		q := &b.l.quality[at]
		if share := b.l.fair.nodes[b.assoc].factor; q.wantsShare() && share < q.threshold {
			// Parts of a thousand.
			return because(slurm.ReasonQOSUsageThreshold, Obstacle{What: "thousandths of fair share", Where: "QOS " + q.name,
				Asked: int64(share * 1000), There: int64(q.threshold * 1000)})
		}
	}
	return Why{}
}

func (q *qosGround) wantsShare() bool { return q.enforceUsage && q.threshold >= 0 }

// ReckonShares reckons the fair shares that a QOS may want jobs to have, where one
// does.
func (l *Ledger) ReckonShares(now time.Time) {
	if !l.Enforced() || !slices.ContainsFunc(l.quality, func(q qosGround) bool { return q.wantsShare() }) {
		return
	}
	l.fair = NewFairShare(l, now)
}

// tooLong reports whether the job's limit is beyond a bound. Limits are compared
// in minutes, as people set them.
func (b *bar) tooLong(most int64) bool {
	return b.limit == slurm.Unlimited || b.limit.Minutes() > slurm.Duration(most).Minutes()
}

func (b *bar) qosNumbers(i int, done *[numLimits]bool) Why {
	q, have := b.bounds(i), &b.l.qos[b.qos[i]]
	takes := func(f numLimit) bool {
		if q.num[f] < 0 || done[f] {
			return false
		}
		done[f] = true
		return true
	}
	over := func(f numLimit, is int64) Why {
		return because(qosNums[f], Obstacle{What: numNames[f], Where: "QOS " + b.l.quality[b.qos[i]].name, Asked: is, There: q.num[f]})
	}
	if takes(grpJobs) && have.jobs >= q.num[grpJobs] {
		return over(grpJobs, have.jobs+1)
	}
	if takes(grpWall) {
		if used := have.usedBy(b.l.wallAt(), b.moment); used >= float64(q.num[grpWall]) {
			return over(grpWall, int64(used))
		}
	}
	if takes(acctJobs) {
		if n := jobsOf(b.account(i)); n >= q.num[acctJobs] {
			return over(acctJobs, n+1)
		}
	}
	if takes(userJobs) {
		if n := jobsOf(b.user(i)); n >= q.num[userJobs] {
			return over(userJobs, n+1)
		}
	}
	if takes(maxWall) && b.tooLong(q.num[maxWall]) {
		return over(maxWall, b.asksFor())
	}
	return Why{}
}

func jobsOf(c *counts) int64 {
	if c == nil {
		return 0
	}
	return c.jobs
}

// byAmounts looks at the limits on resources.
func (b *bar) byAmounts(want amounts) Why {
	b.prepare(want)
	if w := b.nodes(); !w.IsZero() {
		return w
	}
	for i := range b.qos {
		if b.qos[i] < 0 {
			continue
		}
		if w := b.qosAmounts(i); !w.IsZero() {
			return w
		}
	}
	for at := b.assoc; at >= 0; at = b.l.assoc[at].parent {
		if w := b.assocAmounts(at); !w.IsZero() {
			return w
		}
	}
	return Why{}
}

// nodes looks at how many nodes each job may have, before anything else: it is what
// nodes are chosen by.
func (b *bar) nodes() Why {
	asked := b.want[kindNode]
	for i := range b.qos {
		if q := b.bounds(i); q != nil && q.has(jobTRES, kindNode) {
			if most := q.tres[jobTRES][kindNode]; asked > most {
				return because(qosReasons[jobTRES][classNode], Obstacle{What: "node", Where: "QOS " + b.l.quality[b.qos[i]].name, Asked: asked, There: most})
			}
			return Why{}
		}
	}
	if b.assoc < 0 || !b.l.assoc[b.assoc].eff.has(jobTRES, kindNode) {
		return Why{}
	}
	if most := b.widened(jobTRES, b.l.assoc[b.assoc].eff.tres[jobTRES][kindNode]); asked > most {
		return because(assocReasons[jobTRES][classNode], Obstacle{What: "node", Where: b.l.nameOf(b.assoc), Asked: asked, There: most})
	}
	return Why{}
}

// prepare reads what the job wants and what its QOS makes of it.
func (b *bar) prepare(want amounts) {
	b.want, b.mins, b.factor = want, b.asksFor()/60, 1
	if at, ok := b.l.byQOS[b.j.QOS]; ok {
		q := &b.l.quality[at]
		b.wider = q.limitFactor
		// What it may use counts with its QOS' factor only where the QOS says so.
		if q.safeFactor {
			b.factor = q.factor
		}
	}
}

// minsOf is what the job may use of a kind, in minutes.
func (b *bar) minsOf(kind int) int64 { return int64(float64(b.want[kind]*b.mins) * b.factor) }

// qosAmounts looks at the i-th QOS. What an earlier one has a limit on is passed
// over.
func (b *bar) qosAmounts(i int) Why {
	q := b.bounds(i)
	at := holder{all: &b.l.qos[b.qos[i]].account, user: b.user(i), acct: b.account(i)}
	for _, f := range barOrder {
		for kind, most := range q.tres[f] {
			if most < 0 || i == 1 && b.qos[0] >= 0 && b.bounds(0).has(f, kind) {
				continue
			}
			if n, over := b.is(at, f, kind, most); over {
				key := b.l.kinds.keys[kind]
				return because(qosReasons[f][classOf(key)],
					Obstacle{What: limitName(key, f), Where: "QOS " + b.l.quality[b.qos[i]].name, Asked: n, There: most})
			}
		}
	}
	return Why{}
}

// holder is who is held to limits: an association, or a QOS with the part of it
// that the job's user and account have.
type holder struct {
	all        *account
	user, acct *counts
}

// is says what the amount that a limit bounds would come to with the job, and
// whether that is too much, or too little.
func (b *bar) is(h holder, f tresLimit, kind int, most int64) (int64, bool) {
	want, now := b.want[kind], b.moment.unix
	switch f {
	case grpMins:
		return b.minutes(h.all, kind, most)
	case grpTRES:
		return above(want, h.all.tres[kind], most)
	case grpRunMins:
		return above(b.minsOf(kind), h.all.runSecs(kind, now)/60, most)
	case jobMins:
		return b.minsOf(kind), b.minsOf(kind) > most
	case jobTRES:
		return want, want > most
	case nodeTRES:
		n := want / max(b.want[kindNode], 1) // on the average
		return n, n > most
	case jobMin:
		return want, want < most
	case acctTRES:
		return above(want, h.acct.inUse(kind), most)
	case userTRES:
		return above(want, h.user.inUse(kind), most)
	case acctRunMins:
		return above(b.minsOf(kind), h.acct.runLeft(kind, now)/60, most)
	case userRunMins:
		return above(b.minsOf(kind), h.user.runLeft(kind, now)/60, most)
	}
	return 0, false
}

// barOrder is the order in which limits are looked at.
var barOrder = [tresLimits]tresLimit{grpMins, grpTRES, grpRunMins, jobMins, jobTRES, nodeTRES, jobMin, acctTRES, userTRES, acctRunMins, userRunMins}

// above adds what is asked to what is there already, and says whether that is over
// a limit. Nothing is never too much.
func above(asked, there, most int64) (int64, bool) {
	return asked + there, asked > 0 && asked+there > most
}

func (c *counts) inUse(kind int) int64 {
	if c == nil {
		return 0
	}
	return c.tres[kind]
}

func (c *counts) runLeft(kind int, now int64) int64 {
	if c == nil {
		return 0
	}
	return c.runSecs(kind, now)
}

// minutes compares what was used with a limit on minutes. Where the job must be
// safe, what it and those that run may still use counts as well.
func (b *bar) minutes(a *account, kind int, most int64) (int64, bool) {
	used := int64(a.usedBy(kind, b.moment) / 60)
	if used >= most {
		return used, true
	}
	if !b.l.safe {
		return used, false
	}
	asked := b.minsOf(kind)
	all := used + asked + a.runSecs(kind, b.moment.unix)/60
	return all, asked > 0 && all > most
}

// assocAmounts looks at one place of the tree; at what is of each job alone only in
// the job's own.
func (b *bar) assocAmounts(at int32) Why {
	g := &b.l.assoc[at]
	for i, f := range barOrder[:6] {
		limits := g.own.tres[f]
		if i >= 3 { // of each job
			if at != b.assoc {
				break
			}
			limits = g.eff.tres[f]
		}
		for kind, most := range limits {
			if most < 0 || b.spoken(f, kind) {
				continue
			}
			most = b.widened(f, most)
			if n, over := b.is(holder{all: &b.l.assocs[at]}, f, kind, most); over {
				key := b.l.kinds.keys[kind]
				return because(assocReasons[f][classOf(key)], Obstacle{What: limitName(key, f), Where: b.l.nameOf(at), Asked: n, There: most})
			}
		}
	}
	return Why{}
}

// widened is a limit of an association as the job's QOS has it (LimitFactor); what
// is counted in minutes stays as it is.
func (b *bar) widened(f tresLimit, most int64) int64 {
	if b.wider > 0 && (f == grpTRES || f == jobTRES || f == nodeTRES) {
		return int64(float64(most) * b.wider)
	}
	return most
}

// numNames say what a limit that is a number counts, and limitName what a limit on
// a kind of resource does.
var numNames = [numLimits]string{
	grpJobs: "running jobs", userJobs: "running jobs of the user", acctJobs: "running jobs of the account",
	grpSubmit: "submitted jobs", userSubmit: "submitted jobs of the user", acctSubmit: "submitted jobs of the account",
	grpWall: "seconds run", maxWall: "seconds",
}

func limitName(key string, f tresLimit) string {
	switch f {
	case grpMins, jobMins:
		return key + " minutes"
	case grpRunMins, userRunMins, acctRunMins:
		return key + " minutes of running jobs"
	case nodeTRES:
		return key + " a node"
	case userTRES:
		return key + " of the user"
	case acctTRES:
		return key + " of the account"
	}
	return key
}

// nameOf says which association stands in a place.
func (g *ground) nameOf(at int32) string {
	a := &g.assoc[at]
	if a.key.User == "" {
		return "account " + a.key.Account
	}
	return "user " + a.key.User + " in account " + a.key.Account
}
