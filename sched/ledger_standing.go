package sched

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Bounded are amounts of each kind, in the order of Ledger.Kinds: the most there
// may be (nil when nothing is limited, NoLimit for a kind without a limit) and what
// counts against it (nil of limits on each job).
type Bounded struct{ Most, Used []int64 }

// Counted is what counts against the limits of an association, of a QOS or of a
// user's or an account's part of one, and the limits. NoLimit is none; times are
// in seconds.
type Counted struct {
	Jobs, Accruing, Submitted               int64
	Wall                                    float64
	GrpJobs, GrpAccrue, GrpSubmit, GrpWall  int64
	MaxJobs, MaxAccrue, MaxSubmit, MaxWall  int64
	MinPrio                                 int64
	GrpTRES, GrpMins, GrpRunMins            Bounded
	PerJob, PerNode, MinsPerJob, LeastOfJob Bounded
}

// AssocStanding is how an association stands. Level is the sum of its siblings'
// shares and its own.
type AssocStanding struct {
	Share
	Counted
	Level    int64
	Priority int64
}

// QOSStanding is how a QOS stands, altogether and for each user and account of
// which it has jobs, in their order.
type QOSStanding struct {
	Counted
	ID       uint32
	Name     string
	Priority uint32
	Used     float64 // seconds charged, decayed
	Accounts []AccountPart
	Users    []UserPart
}

// AccountPart is how the jobs of an account stand within a QOS.
type AccountPart struct {
	Account string
	Counted
}

// UserPart is how the jobs of a user stand within a QOS.
type UserPart struct {
	UID uint32
	Counted
}

// Kinds names the resources that are counted, in their order.
func (l *Ledger) Kinds() []string { return slices.Clone(l.kinds.keys) }

// Standings lists how the associations stand, in the order of Shares.
func (f *FairShare) Standings() []AssocStanding {
	l := f.l
	sums := make([]int64, len(f.nodes))
	for i := range f.nodes {
		if up := f.nodes[i].up; up >= 0 && l.assoc[i].shares != SharesParent {
			sums[up] += l.assoc[i].shares
		}
	}
	var out []AssocStanding
	for _, s := range f.Shares() {
		at := l.byID[s.ID]
		a := &l.assoc[at]
		x := AssocStanding{Share: s, Counted: l.standing(&l.assocs[at], &a.eff, f.m), Level: 1, Priority: l.prioOf(at)}
		// Those on groups are its own; what its parents have counts there.
		x.GrpJobs, x.GrpAccrue, x.GrpSubmit, x.GrpWall = a.own.num[grpJobs], a.own.num[grpAccrue], a.own.num[grpSubmit], a.own.num[grpWall]
		x.GrpTRES.Most, x.GrpMins.Most, x.GrpRunMins.Most = a.own.tres[grpTRES], a.own.tres[grpMins], a.own.tres[grpRunMins]
		if up := f.nodes[at].up; up >= 0 {
			x.Level = sums[up]
		}
		out = append(out, x)
	}
	return out
}

// prioOf is the priority that an association gives its jobs: its own, or that of
// the nearest above it that has one.
func (l *Ledger) prioOf(at int32) int64 {
	for ; at >= 0; at = l.assoc[at].parent {
		if p := l.assoc[at].prio; p >= 0 {
			return p
		}
	}
	return 0
}

// QOSStandings lists how the QOS stand, by their numbers.
func (l *Ledger) QOSStandings(now time.Time) []QOSStanding {
	m := l.moment(now)
	var out []QOSStanding
	for i := range l.qos {
		q, g := &l.qos[i], &l.quality[i]
		x := QOSStanding{Counted: l.standing(&q.account, &g.bounds, m), ID: g.id, Name: g.name, Priority: g.prio, Used: q.usedBy(l.chargedAt(), m)}
		for _, name := range slices.Sorted(maps.Keys(q.accounts)) {
			x.Accounts = append(x.Accounts, AccountPart{name, g.part(q.accounts[name], acctJobs, acctAccrue, acctSubmit, acctTRES)})
		}
		for _, uid := range slices.Sorted(maps.Keys(q.users)) {
			x.Users = append(x.Users, UserPart{uid, g.part(q.users[uid], userJobs, userAccrue, userSubmit, userTRES)})
		}
		out = append(out, x)
	}
	slices.SortFunc(out, func(a, b QOSStanding) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// part is how one user or account stands within a QOS.
func (g *qosGround) part(c *counts, jobs, accrue, submit numLimit, tres tresLimit) Counted {
	return Counted{
		Jobs: c.jobs, Accruing: c.accruing, Submitted: c.submitted, MaxJobs: g.bounds.num[jobs], MaxAccrue: g.bounds.num[accrue],
		MaxSubmit: g.bounds.num[submit], GrpTRES: Bounded{g.bounds.tres[tres], slices.Clone(c.tres)},
	}
}

func (l *Ledger) standing(a *account, b *bounds, m moment) Counted {
	used, run := make([]int64, len(l.kinds.keys)), make([]int64, len(l.kinds.keys))
	for i := range used {
		used[i], run[i] = int64(a.usedBy(i, m)/60), a.runSecs(i, m.unix)/60
	}
	return Counted{
		Jobs: a.jobs, Accruing: a.accruing, Submitted: a.submitted, Wall: a.usedBy(l.wallAt(), m),
		GrpJobs: b.num[grpJobs], GrpAccrue: b.num[grpAccrue], GrpSubmit: b.num[grpSubmit], GrpWall: b.num[grpWall],
		MaxJobs: b.num[userJobs], MaxAccrue: b.num[userAccrue], MaxSubmit: b.num[userSubmit], MaxWall: b.num[maxWall], MinPrio: b.num[minPrio],
		GrpTRES: Bounded{b.tres[grpTRES], slices.Clone(a.tres)}, GrpMins: Bounded{b.tres[grpMins], used}, GrpRunMins: Bounded{b.tres[grpRunMins], run},
		PerJob: Bounded{Most: b.tres[jobTRES]}, PerNode: Bounded{Most: b.tres[nodeTRES]}, MinsPerJob: Bounded{Most: b.tres[jobMins]},
		LeastOfJob: Bounded{Most: b.tres[jobMin]},
	}
}
