package sched

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/runink/rink/slurm"
)

// FairShare says how far each association is from the share it was promised, and
// from that, which users come first. There are two ways to reckon it. The fair tree
// (the default) compares siblings: of two accounts every user of the one that is
// owed more comes before every user of the other. The classic way (NO_FAIR_TREE)
// gives each association a number of its own, 2^-(usage/shares).
//
// Siblings are kept in the order of what they are owed. Decay does not change that
// order, so that an update looks only at associations whose jobs run or whose usage
// was written to, and moves each past those it has overtaken: what it costs is their
// number times the depth of the tree. Ranks are dealt out by one walk over the tree
// without sorting; only accounts that are owed exactly the same have their children
// put in order together.
type FairShare struct {
	l       *Ledger
	m       moment
	tree    bool
	oblique bool // DEPTH_OBLIVIOUS
	damp    float64
	nodes   []fairNode // by place
	kids    [][]int32  // by place of the parent that counts; in order of what they are owed
	users   int
}

// fairNode is an association's place in the reckoning.
type fairNode struct {
	up     int32   // the parent whose part it takes; -1: the root
	norm   float64 // its shares among its siblings, or classic: of the whole
	used   float64 // seconds charged, decayed
	normed float64 // of all that was used
	effect float64 // of what its siblings used, or classic: with what they used
	below  float64 // what it and its siblings used of all that was used
	level  float64 // what it is owed: its shares over its usage, among its siblings
	factor float64 // from 0 to 1, of users
}

// NewFairShare reckons the fair shares of a book's associations as of now.
func NewFairShare(l *Ledger, now time.Time) *FairShare {
	f := &FairShare{l: l, tree: !priorityFlag(l.cfg, "NO_FAIR_TREE"), oblique: priorityFlag(l.cfg, "DEPTH_OBLIVIOUS"),
		damp: float64(max(conf(l.cfg).FairShareDampeningFactor, 1)), nodes: make([]fairNode, len(l.assocs)), kids: make([][]int32, len(l.assocs))}
	f.share()
	f.Update(now)
	return f
}

// share works out what does not depend on usage: who is whose sibling and the
// shares.
func (f *FairShare) share() {
	sums := make([]int64, len(f.nodes))
	for i := range f.nodes {
		a := &f.l.assoc[i]
		up := a.parent
		for up >= 0 && f.l.assoc[up].parent >= 0 && f.l.assoc[up].shares == SharesParent {
			up = f.l.assoc[up].parent
		}
		f.nodes[i].up = up
		if a.key.User != "" {
			f.users++
		}
		if up >= 0 && a.shares != SharesParent {
			sums[up] += a.shares
			f.kids[up] = append(f.kids[up], int32(i))
		} else if up >= 0 && a.key.User != "" {
			f.kids[up] = append(f.kids[up], int32(i))
		}
	}
	for i := range f.nodes { // parents come before their children
		n, a := &f.nodes[i], &f.l.assoc[i]
		switch {
		case n.up < 0:
			n.norm = 1
		case a.shares == SharesParent:
			n.norm = f.nodes[n.up].norm
		case sums[n.up] > 0:
			n.norm = float64(a.shares) / float64(sums[n.up])
			if !f.tree {
				n.norm *= f.nodes[n.up].norm
			}
		}
	}
}

// IsTree reports whether shares are those of the fair tree.
func (f *FairShare) IsTree() bool { return f.tree }

// Update reckons anew as of now.
func (f *FairShare) Update(now time.Time) {
	if len(f.nodes) == 0 {
		return
	}
	f.m = f.l.moment(now)
	charged := f.l.chargedAt()
	all := 0.0
	for i := range f.nodes {
		n := &f.nodes[i]
		n.used = f.l.assocs[i].usedBy(charged, f.m)
		if n.up < 0 {
			all = n.used
		}
		n.normed = 0
		if all > 0 {
			n.normed = n.used / all
		}
	}
	if f.tree {
		f.rank()
		return
	}
	for _, list := range f.kids {
		sum := 0.0
		for _, at := range list {
			if f.l.assoc[at].shares != SharesParent {
				sum += f.nodes[at].normed
			}
		}
		for _, at := range list {
			f.nodes[at].below = sum
		}
	}
	for i := range f.nodes {
		f.classic(i)
	}
}

// rank orders siblings by what they are owed and deals out the users' ranks.
func (f *FairShare) rank() {
	for i := range f.nodes {
		n, a := &f.nodes[i], &f.l.assoc[i]
		if n.up < 0 {
			n.effect, n.level = 1, math.Inf(1)
			continue
		}
		up := &f.nodes[n.up]
		n.effect = 0
		if up.used > 0 {
			n.effect = n.used / up.used
		}
		switch {
		case a.shares == SharesParent:
			n.level = math.Inf(1) // it takes its parent's part, before all who have one of their own
		case a.shares <= 0:
			n.level = 0
		case n.effect == 0:
			n.level = math.Inf(1)
		default:
			n.level = n.norm / n.effect
		}
	}
	for _, list := range f.kids {
		f.arrange(list)
	}
	d := dealer{f: f, next: f.users}
	if len(f.kids) > 0 {
		d.walk(f.kids[0], false)
	}
}

// arrange puts siblings in order: who is owed more comes first, and of those who
// are owed the same, users before accounts. The list is almost in order already.
func (f *FairShare) arrange(list []int32) {
	moved := 0
	for i := 1; i < len(list); i++ {
		for k := i; k > 0 && f.before(list[k], list[k-1]); k-- {
			list[k], list[k-1] = list[k-1], list[k]
			if moved++; moved > 8*len(list) {
				slices.SortFunc(list, f.compare)
				return
			}
		}
	}
}

func (f *FairShare) before(a, b int32) bool { return f.compare(a, b) < 0 }

func (f *FairShare) compare(a, b int32) int {
	user := func(i int32) int {
		if f.l.assoc[i].key.User != "" {
			return 0
		}
		return 1
	}
	return cmp.Or(cmp.Compare(f.nodes[b].level, f.nodes[a].level), cmp.Compare(user(a), user(b)), cmp.Compare(a, b))
}

// dealer deals out ranks: the first user in the order of the tree gets the highest,
// and those who are owed the same get the same.
type dealer struct {
	f          *FairShare
	next, rank int
}

// walk goes through siblings in order. tied says that the first of them is owed the
// same as who came before.
func (d *dealer) walk(list []int32, tied bool) {
	f := d.f
	for i := 0; i < len(list); i++ {
		if i > 0 {
			tied = f.nodes[list[i]].level == f.nodes[list[i-1]].level
		}
		at := list[i]
		if f.l.assoc[at].key.User != "" {
			if !tied {
				d.rank = d.next
			}
			f.nodes[at].factor = float64(d.rank) / float64(f.users)
			d.next--
			continue
		}
		// Accounts that are owed the same compete as one.
		last := i
		for last+1 < len(list) && f.nodes[list[last+1]].level == f.nodes[at].level {
			last++
		}
		children := f.kids[at]
		if last > i {
			children = nil
			for _, one := range list[i : last+1] {
				children = append(children, f.kids[one]...)
			}
			slices.SortFunc(children, f.compare)
		}
		d.walk(children, tied)
		i = last
	}
}

// classic reckons one association by the old formula; its parent's comes first.
func (f *FairShare) classic(i int) {
	n, a := &f.nodes[i], &f.l.assoc[i]
	n.effect = n.normed
	if n.up < 0 {
		n.factor = math.Exp2(-n.effect / f.damp)
		return
	}
	up := &f.nodes[n.up]
	switch {
	case a.shares == SharesParent:
		n.effect = up.effect
	case f.oblique:
		if n.up != 0 {
			n.effect = f.obliqueUsage(n, up)
		}
	case n.up == 0:
	default:
		mine := 0.0 // its shares among its siblings
		if up.norm > 0 {
			mine = n.norm / up.norm
		}
		n.effect = n.normed + (up.effect-n.normed)*mine
	}
	n.factor = 0
	if n.norm > 0 {
		n.factor = math.Exp2(-(n.effect / n.norm) / f.damp)
	}
}

// obliqueUsage is the effective usage where depth in the tree is not to count: an
// association stands as its parent does times as it does among its siblings. Where
// the one is above its share and the other below, how it stands among its siblings
// counts the less the further the parent is off.
func (f *FairShare) obliqueUsage(n, up *fairNode) float64 {
	if up.norm <= 0 || n.norm <= 0 || n.below <= 0 || up.effect <= 0 {
		return 0
	}
	parent := up.effect / up.norm
	local := (n.normed / n.below) / (n.norm / up.norm)
	k := 1.0
	const steep = 5
	if math.Log(parent)*math.Log(local) < 0 {
		k = 1 / (1 + math.Pow(steep*math.Log(parent), 2))
	}
	return parent * math.Pow(local, k) * n.norm
}

// Factor is the fair-share factor of a job, from 0 to 1; 0 when nobody is charged.
func (f *FairShare) Factor(j *Job) float64 {
	if f == nil {
		return 0
	}
	if at := f.l.find(j); at >= 0 {
		return f.nodes[at].factor
	}
	return 0
}

// FactorOf is the factor of an association.
func (f *FairShare) FactorOf(id AssocID) float64 {
	if f == nil {
		return 0
	}
	if at, ok := f.l.byID[id]; ok {
		return f.nodes[at].factor
	}
	return 0
}

// Share is how an association stands, as sshare lists it.
type Share struct {
	ID        AssocID
	Key       AssocKey
	Parent    AssocID
	Depth     int
	Shares    int64
	Norm      float64
	Used      float64 // seconds charged, decayed
	Normed    float64
	Effective float64
	Factor    float64    // of users
	Level     float64    // of the fair tree
	Limits    slurm.TRES // GrpTRESMins
	UsedTRES  slurm.TRES // minutes, decayed
	RunTRES   slurm.TRES // minutes that running jobs may still use
}

// Shares lists how all associations stand: each followed by what is below it,
// users before accounts and both by name, one user's newest first.
func (f *FairShare) Shares() []Share {
	below := make(map[int32][]int32, len(f.nodes))
	for i := range f.nodes {
		up := f.l.assoc[i].parent
		below[up] = append(below[up], int32(i))
	}
	out := make([]Share, 0, len(f.nodes))
	var walk func(int32)
	walk = func(of int32) {
		list := below[of]
		slices.SortFunc(list, func(x, y int32) int {
			a, b := f.l.assoc[x].key, f.l.assoc[y].key
			if (a.User == "") != (b.User == "") {
				return cmp.Compare(b.User, a.User)
			}
			return cmp.Or(cmp.Compare(a.User, b.User), cmp.Compare(a.Account, b.Account), cmp.Compare(f.l.assoc[y].id, f.l.assoc[x].id))
		})
		for _, at := range list {
			out = append(out, f.shareOf(at))
			walk(at)
		}
	}
	walk(-1)
	return out
}

func (f *FairShare) shareOf(at int32) Share {
	n, a, have := &f.nodes[at], &f.l.assoc[at], &f.l.assocs[at]
	k := f.l.kinds
	used, run := make(amounts, len(k.keys)), make(amounts, len(k.keys))
	for i := range k.keys {
		used[i], run[i] = int64(have.usedBy(i, f.m)/60), have.runSecs(i, f.m.unix)/60
	}
	s := Share{ID: a.id, Key: a.key, Parent: f.l.idOf(a.parent), Depth: int(a.depth), Shares: a.shares, Norm: n.norm, Used: n.used, Normed: n.normed,
		Effective: n.effect, Factor: n.factor, Level: n.level, UsedTRES: k.tres(used), RunTRES: k.tres(run)}
	for i, most := range a.own.tres[grpMins] {
		if most >= 0 {
			item := slurm.TRESItem{Count: most}
			item.Type, item.Name = k.tres(nil)[i].Type, k.tres(nil)[i].Name
			s.Limits = append(s.Limits, item)
		}
	}
	return s
}
