package sched

import (
	"slices"
	"time"

	"github.com/runink/rink/slurm"
)

// Ledger is the book of what counts against the limits of associations and QOS:
// jobs that run, are submitted or gather age, what they have in use, what those
// that run may still use, and what was used before. Set tells it how a job stands
// now; everything else follows, and what a job no longer has is taken out to the
// unit. Set and Forget cost as much as the job's place in the tree is deep.
//
// What a job counts is worked out when it is told and kept, so that the book comes
// out even whatever is configured meanwhile.
type Ledger struct {
	*ground
	decay  decay
	assocs []account    // by place
	qos    []qosAccount // by place
	herds  []herdBook   // by place of the herd
	month  month        // whose hours count
	jobs   map[slurm.JobID]*claim
	trials []*claim // starts that are only being tried
	m      measure
	want   amounts
	usage  uint64     // how often usage was written
	fair   *FairShare // as of when it was reckoned last; nil when nobody needs it
	reset  time.Time  // when all usage was forgotten last, or the book begun
}

// account is what one association or QOS has.
type account struct {
	counts
	// What running jobs use, in millionths a second: of each kind, what is charged,
	// and time.
	rate []int64
	// What was used, on the scale of decay, but for what running jobs have used
	// since they started: the same places.
	used []float64
	flat bool // what was used does not fade
}

// counts counts jobs and what they hold.
type counts struct {
	jobs, submitted, accruing int64
	tres                      amounts
	// What running jobs may still use, in sixteenths: the amounts, times the seconds
	// at which they end; less the amounts for each second that has passed. Sums
	// may run over; what is left does not.
	weight, ends amounts
	left         amounts // of those whose time stands still
}

// qosAccount is what a QOS has, altogether and for each user and account.
type qosAccount struct {
	account
	users    map[uint32]*counts
	accounts map[string]*counts
}

// claim is what a job counts.
type claim struct {
	assoc  int32    // -1: none
	herd   int32    // the partition's quota; -1: none
	qos    [2]int32 // of the partition and of the job; -1: none
	uid    uint32
	acct   string
	jobs   int64
	submit int64
	wait   int64 // of them pending
	accrue int64
	tres   amounts // nil unless it runs
	weight amounts
	rate   []int64
	end    int64 // seconds; what it may still use, it uses by then
	still  int64 // seconds left of a job whose time stands still; -1: it does not
}

// millionth is the unit of rates, sixteenth that of what is left.
const (
	millionth = 1_000_000
	sixteenth = 16
)

// yearOf is how long a job without a limit is taken to run.
const yearOf = slurm.Duration(365 * 24 * 3600)

// NewLedger returns the book of a cluster in which nothing has happened.
func NewLedger(cfg *Config, acc *Accounts, at time.Time) *Ledger {
	if cfg == nil {
		cfg = &Config{}
	}
	l := &Ledger{ground: newGround(cfg, acc), reset: at, decay: decay{decayOf(cfg), at.Truncate(time.Second)}, jobs: map[slurm.JobID]*claim{}}
	l.assocs, l.qos, l.herds = l.accountsOf(), l.qosOf(), l.herdBooks()
	l.want = make(amounts, len(l.kinds.keys))
	return l
}

func (g *ground) accountsOf() []account {
	list := make([]account, len(g.assoc))
	for i := range list {
		list[i] = newAccount(len(g.kinds.keys))
	}
	return list
}

func (g *ground) qosOf() []qosAccount {
	list := make([]qosAccount, len(g.quality))
	for i := range list {
		list[i] = qosAccount{newAccount(len(g.kinds.keys)), map[uint32]*counts{}, map[string]*counts{}}
		list[i].flat = g.quality[i].flat
	}
	return list
}

func newCounts(n int) counts {
	all := make(amounts, 4*n)
	return counts{tres: all[:n:n], weight: all[n : 2*n : 2*n], ends: all[2*n : 3*n : 3*n], left: all[3*n:]}
}

// The places behind the kinds: what is charged exactly, and time.
func newAccount(n int) account {
	return account{counts: newCounts(n), rate: make([]int64, n+2), used: make([]float64, n+2)}
}

func (g *ground) chargedAt() int { return len(g.kinds.keys) }
func (g *ground) wallAt() int    { return len(g.kinds.keys) + 1 }

// Clone returns a book that says the same and is written to by itself. It has no
// jobs of its own: it is for trying starts.
func (l *Ledger) Clone() *Ledger {
	if l == nil {
		return nil
	}
	c := &Ledger{ground: l.ground, decay: l.decay, usage: l.usage, reset: l.reset, want: make(amounts, len(l.kinds.keys))}
	n := len(l.kinds.keys)
	c.herds, c.month = cloneHerds(l.herds), l.month
	ints := make([]int64, (len(l.assocs)+len(l.qos))*(5*n+2))
	floats := make([]float64, (len(l.assocs)+len(l.qos))*(n+2))
	carve := func(a *account) account {
		b := account{counts: a.counts, rate: ints[4*n : 5*n+2 : 5*n+2], used: floats[: n+2 : n+2], flat: a.flat}
		b.tres, b.weight, b.ends, b.left = amounts(ints[:n:n]), amounts(ints[n:2*n:2*n]), amounts(ints[2*n:3*n:3*n]), amounts(ints[3*n:4*n:4*n])
		copy(b.tres, a.tres)
		copy(b.weight, a.weight)
		copy(b.ends, a.ends)
		copy(b.left, a.left)
		copy(b.rate, a.rate)
		copy(b.used, a.used)
		ints, floats = ints[5*n+2:], floats[n+2:]
		return b
	}
	c.assocs = make([]account, len(l.assocs))
	for i := range l.assocs {
		c.assocs[i] = carve(&l.assocs[i])
	}
	c.qos = make([]qosAccount, len(l.qos))
	for i := range l.qos {
		q := &l.qos[i]
		c.qos[i] = qosAccount{carve(&q.account), make(map[uint32]*counts, len(q.users)), make(map[string]*counts, len(q.accounts))}
		for uid, t := range q.users {
			c.qos[i].users[uid] = t.clone(n)
		}
		for name, t := range q.accounts {
			c.qos[i].accounts[name] = t.clone(n)
		}
	}
	return c
}

func (t *counts) clone(n int) *counts {
	b := newCounts(n)
	b.jobs, b.submitted, b.accruing = t.jobs, t.submitted, t.accruing
	copy(b.tres, t.tres)
	copy(b.weight, t.weight)
	copy(b.ends, t.ends)
	copy(b.left, t.left)
	return &b
}

// Set tells how a job stands since at: whatever the book knew of it, from now on
// it counts as j is.
func (l *Ledger) Set(j *Job, at time.Time) {
	if l == nil || len(l.assocs)+len(l.herd) == 0 {
		return
	}
	old := l.jobs[j.ID]
	e := l.entryOf(j)
	if old == nil && e == nil {
		return
	}
	if old != nil && e != nil && old.same(e) {
		return
	}
	l.rescale(at)
	if old != nil {
		l.count(old, -1)
		l.settle(old, at, -1)
		delete(l.jobs, j.ID)
	}
	if e != nil {
		l.count(e, 1)
		l.settle(e, at, 1)
		l.jobs[j.ID] = e
	}
}

// Forget takes a job out.
func (l *Ledger) Forget(id slurm.JobID, at time.Time) {
	if old := l.jobs[id]; old != nil {
		l.rescale(at)
		l.count(old, -1)
		l.settle(old, at, -1)
		delete(l.jobs, id)
	}
}

// entryOf is what a job counts; nil when it counts nothing.
func (l *Ledger) entryOf(j *Job) *claim {
	if j.HasEnded() && !j.IsCompleting() {
		return nil
	}
	e := &claim{assoc: l.find(j), herd: l.placeOfHerd(j.Partition), qos: l.pair(j, j.Partition), uid: j.UID, acct: j.Account, submit: int64(max(j.Tasks.Len(), 1)), still: -1}
	if j.IsPending() {
		e.submit = int64(tasksIn(j))
		e.wait = e.submit
		if gathersAge(j) {
			e.accrue = e.submit
		}
		return e
	}
	l.hold(e, j, j.Alloc)
	if j.HasEnded() {
		// Something of it is still on its nodes, and holds what it held; it uses no more.
		e.submit, e.end, e.weight, e.rate = 0, 0, nil, nil
		return e
	}
	switch {
	case j.IsSuspended():
		e.still = max(e.end-j.Suspended.Unix(), 0)
		if j.TimeLimit == slurm.Unlimited {
			e.still = int64(yearOf)
		}
	case j.TimeLimit == slurm.Unlimited:
		e.end = j.Start.Unix() + int64(yearOf)
	}
	return e
}

// tasksIn counts the jobs a record stands for.
func tasksIn(j *Job) int {
	if j.IsArrayRest() {
		return j.Tasks.Len()
	}
	return 1
}

// hold adds to e what an allocation of j holds.
func (l *Ledger) hold(e *claim, j *Job, alloc []NodeAlloc) {
	n := len(l.kinds.keys)
	e.jobs = 1
	all := make([]int64, 3*n+2)
	e.tres, e.weight, e.rate = all[:n:n], all[n:2*n:2*n], all[2*n:]
	w := l.weighing(j.Partition)
	l.m.take(j, alloc)
	l.m.place(e.tres, l.kinds, w)
	factor := l.factor(j)
	for i, v := range e.tres {
		e.weight[i] = int64(float64(v)*factor*sixteenth + 0.5)
		if !j.IsSuspended() {
			e.rate[i] = int64(float64(v)*factor*millionth + 0.5)
		}
	}
	if !j.IsSuspended() {
		e.rate[l.chargedAt()] = int64(l.weighing(j.Partition).bill(&l.m)*factor*millionth + 0.5)
		e.rate[l.wallAt()] = int64(factor*millionth + 0.5)
	}
	if !j.End.IsZero() {
		e.end = j.End.Unix()
	}
}

// same reports whether both count the same.
func (e *claim) same(o *claim) bool {
	return e.assoc == o.assoc && e.herd == o.herd && e.qos == o.qos && e.uid == o.uid && e.acct == o.acct && e.jobs == o.jobs &&
		e.submit == o.submit && e.wait == o.wait && e.accrue == o.accrue && e.end == o.end && e.still == o.still &&
		slices.Equal(e.tres, o.tres) && slices.Equal(e.weight, o.weight) && slices.Equal(e.rate, o.rate)
}

// count adds what a job counts, or with a sign of -1 takes it out.
func (l *Ledger) count(e *claim, sign int64) {
	for i := e.assoc; i >= 0; i = l.assoc[i].parent {
		l.assocs[i].add(e, sign)
		addTo(l.assocs[i].rate, e.rate, sign)
	}
	if e.herd >= 0 {
		l.herds[e.herd].count(e, sign)
	}
	for _, i := range e.qos {
		if i < 0 {
			continue
		}
		q := &l.qos[i]
		q.add(e, sign)
		addTo(q.rate, e.rate, sign)
		addPart(q.users, e.uid, e, sign, len(l.kinds.keys))
		addPart(q.accounts, e.acct, e, sign, len(l.kinds.keys))
	}
}

// addPart counts for one user or account. What has nothing left is let go.
func addPart[K comparable](m map[K]*counts, key K, e *claim, sign int64, n int) {
	t := m[key]
	if t == nil {
		fresh := newCounts(n)
		t = &fresh
		m[key] = t
	}
	t.add(e, sign)
	if t.jobs == 0 && t.submitted == 0 && t.accruing == 0 {
		delete(m, key)
	}
}

func (t *counts) add(e *claim, sign int64) {
	t.jobs += sign * e.jobs
	t.submitted += sign * e.submit
	t.accruing += sign * e.accrue
	if e.tres == nil {
		return
	}
	addTo(t.tres, e.tres, sign)
	for i, w := range e.weight {
		if e.still >= 0 {
			t.left[i] += sign * w * e.still
			continue
		}
		t.weight[i] += sign * w
		t.ends[i] += sign * w * e.end
	}
}

func addTo[T ~[]int64](to T, by []int64, sign int64) {
	for i, v := range by {
		to[i] += sign * v
	}
}

// runSecs is what running jobs may still use of a kind.
func (t *counts) runSecs(kind int, now int64) int64 {
	return max(t.ends[kind]-t.weight[kind]*now+t.left[kind], 0) / sixteenth
}

// gathersAge reports whether a pending job's priority grows with time.
func gathersAge(j *Job) bool { return !j.AgeHeld && mayAge(j) }

// mayAge reports whether nothing but a limit keeps a job from gathering age.
func mayAge(j *Job) bool {
	return j.IsPending() && !j.Eligible.IsZero() && j.HeldBy == HeldByNobody && j.Reason != slurm.ReasonDependency && j.Reason != slurm.ReasonBeginTime
}
