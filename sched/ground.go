package sched

import (
	"maps"
	"slices"

	"github.com/runink/rink/slurm"
)

// ground is what a Ledger stands on: the tree of associations and the QOS with
// their limits made ready to compare. It is not written to once it is made, so
// that books share it.
type ground struct {
	cfg      *Config
	enforced bool // limits are looked at
	safe     bool // a job starts only if what it may use is within its minutes
	kinds    *kinds
	assoc    []assocGround // parents before their children
	byKey    map[AssocKey]int32
	byID     map[AssocID]int32
	quality  []qosGround // in the order of their ids
	byQOS    map[string]int32
	parts    map[PartitionName]*weighing
	partQOS  map[PartitionName]int32 // of partitions that have one
	none     weighing                // of a partition that is not there
	herd     []herdGround            // partitions with a quota
	herdOf   map[PartitionName]int32
}

// assocGround is a place in the tree.
type assocGround struct {
	id     AssocID
	key    AssocKey
	parent int32 // -1: the root
	depth  int32
	shares int64
	prio   int64
	own    bounds   // its own and that of no child
	eff    bounds   // with what it has of its parents: what each job is held to
	may    []string // QOS that its jobs may have, where QOS are enforced; nil: no matter
}

// qosGround is a QOS.
type qosGround struct {
	id           uint32
	name         string
	factor       float64 // on usage
	limitFactor  float64 // on the limits of associations; 0: none
	threshold    float64 // of fair share; below 0: none
	prio         uint32
	flat         bool
	deny         bool
	overPart     bool
	safeFactor   bool
	partTime     bool
	partNodes    bool
	bounds       bounds
	enforceUsage bool
}

// The limits on amounts of resources.
type tresLimit uint8

const (
	grpTRES tresLimit = iota
	grpMins
	grpRunMins
	jobTRES
	nodeTRES
	jobMins
	jobMin
	userTRES
	userRunMins
	acctTRES
	acctRunMins
	tresLimits
)

// The limits that are one number.
type numLimit uint8

const (
	grpJobs numLimit = iota
	grpAccrue
	grpSubmit
	grpWall // seconds
	maxWall // seconds
	userJobs
	userAccrue
	userSubmit
	acctJobs
	acctAccrue
	acctSubmit
	minPrio
	numLimits
)

// bounds are Limits made ready to compare: NoLimit or nil where there is none.
type bounds struct {
	tres [tresLimits]amounts
	num  [numLimits]int64
}

// has reports whether there is a limit on a kind.
func (b *bounds) has(f tresLimit, kind int) bool { return b.tres[f] != nil && b.tres[f][kind] >= 0 }

func (k *kinds) boundsOf(l *Limits) bounds {
	var b bounds
	for f, t := range [tresLimits]slurm.TRES{
		grpTRES: l.GrpTRES, grpMins: l.GrpTRESMins, grpRunMins: l.GrpTRESRunMins,
		jobTRES: l.MaxTRESPerJob, nodeTRES: l.MaxTRESPerNode, jobMins: l.MaxTRESMinsPerJob, jobMin: l.MinTRESPerJob,
		userTRES: l.MaxTRESPerUser, userRunMins: l.MaxTRESRunMinsPerUser,
		acctTRES: l.MaxTRESPerAccount, acctRunMins: l.MaxTRESRunMinsPerAccount,
	} {
		b.tres[f] = k.bounds(t)
	}
	span := func(d slurm.Duration) int64 {
		switch {
		case d == NoTime:
			return 0
		case d <= 0 || d == slurm.Unlimited:
			return NoLimit
		}
		return int64(d)
	}
	b.num = [numLimits]int64{
		grpJobs: l.GrpJobs, grpAccrue: l.GrpJobsAccrue, grpSubmit: l.GrpSubmitJobs, grpWall: span(l.GrpWall), maxWall: span(l.MaxWall),
		userJobs: l.MaxJobsPerUser, userAccrue: l.MaxJobsAccruePerUser, userSubmit: l.MaxSubmitPerUser,
		acctJobs: l.MaxJobsPerAccount, acctAccrue: l.MaxJobsAccruePerAccount, acctSubmit: l.MaxSubmitPerAccount,
		minPrio: l.MinPrioThreshold,
	}
	return b
}

// inherited are the limits that an association has of its parent where it has none
// itself. Those on all jobs together are looked at in each place.
var (
	inheritedTRES = []tresLimit{jobTRES, nodeTRES, jobMins}
	inheritedNum  = []numLimit{maxWall, userJobs, userAccrue, userSubmit, minPrio}
)

func (b bounds) below(parent *bounds) bounds {
	for _, f := range inheritedTRES {
		switch {
		case b.tres[f] == nil:
			b.tres[f] = parent.tres[f]
		case parent.tres[f] != nil:
			own := slices.Clone(b.tres[f])
			for i := range own {
				if own[i] < 0 {
					own[i] = parent.tres[f][i]
				}
			}
			b.tres[f] = own
		}
	}
	for _, f := range inheritedNum {
		if b.num[f] < 0 {
			b.num[f] = parent.num[f]
		}
	}
	return b
}

func newGround(cfg *Config, acc *Accounts) *ground {
	enforce := conf(cfg).AccountingStorageEnforce
	g := &ground{cfg: cfg, enforced: enforce.Limits || enforce.Safe, safe: enforce.Safe, kinds: kindsOf(cfg), parts: map[PartitionName]*weighing{}}
	for _, p := range cfg.Partitions {
		g.parts[p.Name] = weighingOf(cfg, p)
	}
	g.herdsOf(cfg)
	if acc == nil {
		return g
	}
	g.byKey, g.byID = make(map[AssocKey]int32, len(acc.ByID)), make(map[AssocID]int32, len(acc.ByID))
	g.plant(acc)
	for _, q := range acc.QOS {
		x := qosGround{id: q.ID, name: q.Name, factor: q.UsageFactor, limitFactor: q.LimitFactor, threshold: q.UsageThreshold, prio: q.Priority,
			flat: q.HasFlag("NoDecay"), deny: q.HasFlag("DenyOnLimit"), overPart: q.HasFlag("OverPartQOS"), safeFactor: q.HasFlag("UsageFactorSafe"),
			partTime: q.HasFlag("PartitionTimeLimit"), partNodes: q.HasFlag("PartitionMaxNodes"),
			enforceUsage: q.HasFlag("EnforceUsageThreshold"), bounds: g.kinds.boundsOf(&q.Limits)}
		if x.factor < 0 {
			x.factor = 1
		}
		g.quality = append(g.quality, x)
	}
	slices.SortFunc(g.quality, func(a, b qosGround) int { return int(a.id) - int(b.id) })
	g.byQOS = make(map[string]int32, len(g.quality))
	for i := range g.quality {
		g.byQOS[g.quality[i].name] = int32(i)
	}
	for _, p := range cfg.Partitions {
		if at, ok := g.byQOS[p.QOS]; ok {
			if g.partQOS == nil {
				g.partQOS = map[PartitionName]int32{}
			}
			g.partQOS[p.Name] = at
		}
	}
	return g
}

// plant puts the associations into places, parents first and siblings by id.
func (g *ground) plant(acc *Accounts) {
	below := make(map[AssocID][]*Assoc, len(acc.Accounts))
	for _, a := range acc.ByID {
		below[a.Parent] = append(below[a.Parent], a)
	}
	var walk func(of AssocID, parent, depth int32)
	walk = func(of AssocID, parent, depth int32) {
		list := below[of]
		delete(below, of)
		slices.SortFunc(list, func(a, b *Assoc) int { return int(a.ID) - int(b.ID) })
		for _, a := range list {
			at := int32(len(g.assoc))
			x := assocGround{id: a.ID, key: a.Key, parent: parent, depth: depth, shares: a.Shares, prio: a.Limits.Priority, own: g.kinds.boundsOf(&a.Limits)}
			x.eff = x.own
			if parent >= 0 {
				x.eff = x.own.below(&g.assoc[parent].eff)
				x.may = g.assoc[parent].may
			}
			if conf(g.cfg).AccountingStorageEnforce.QOS && (parent < 0 || a.QOS != nil || a.QOSDelta != nil) {
				if x.may = acc.QOSOf(a); x.may == nil && (a.QOS != nil || a.QOSDelta != nil) {
					x.may = []string{} // none at all
				}
			}
			g.assoc = append(g.assoc, x)
			g.byKey[a.Key], g.byID[a.ID] = at, at
			walk(a.ID, at, depth+1)
		}
	}
	walk(0, -1, 0)
}

// sameShape reports whether jobs count the same on both, and only limits or shares
// differ.
func (g *ground) sameShape(o *ground) bool {
	if !slices.Equal(g.kinds.keys, o.kinds.keys) || len(g.assoc) != len(o.assoc) || len(g.quality) != len(o.quality) || len(g.parts) != len(o.parts) {
		return false
	}
	for i := range g.assoc {
		if a, b := &g.assoc[i], &o.assoc[i]; a.id != b.id || a.key != b.key || a.parent != b.parent {
			return false
		}
	}
	for i := range g.quality {
		if a, b := &g.quality[i], &o.quality[i]; a.id != b.id || a.name != b.name || a.factor != b.factor || a.flat != b.flat || a.overPart != b.overPart {
			return false
		}
	}
	for name, w := range g.parts {
		if x := o.parts[name]; x == nil || !w.same(x) {
			return false
		}
	}
	return maps.Equal(g.partQOS, o.partQOS) && g.sameHerds(o)
}

func (w *weighing) same(o *weighing) bool {
	return w.most == o.most && w.gresToo == o.gresToo && slices.Equal(w.weights, o.weights)
}

// idOf is the id of an association by its place; 0 for none.
func (g *ground) idOf(place int32) AssocID {
	if place < 0 {
		return 0
	}
	return g.assoc[place].id
}

// find is the place of the association a job is charged to; -1: none.
func (g *ground) find(j *Job) int32 {
	if at, ok := g.byID[j.AssocID]; ok {
		return at
	}
	key := AssocKey{Account: j.Account, User: j.User, Partition: j.Partition}
	if at, ok := g.byKey[key]; ok {
		return at
	}
	key.Partition = ""
	if at, ok := g.byKey[key]; ok {
		return at
	}
	return -1
}

// pair are the QOS whose limits a job is held to in a partition, the one whose
// word counts first: the partition's and its own, or only one of them.
func (g *ground) pair(j *Job, p PartitionName) [2]int32 {
	own, part := int32(-1), int32(-1)
	if at, ok := g.byQOS[j.QOS]; ok {
		own = at
	}
	if at, ok := g.partQOS[p]; ok && at != own {
		part = at
	}
	switch {
	case part < 0:
		return [2]int32{own, -1}
	case own < 0 || !g.quality[own].overPart:
		return [2]int32{part, own}
	}
	return [2]int32{own, part}
}

// factor is what the usage of a job is multiplied by: its own QOS says it, not its
// partition's.
func (g *ground) factor(j *Job) float64 {
	if at, ok := g.byQOS[j.QOS]; ok {
		return g.quality[at].factor
	}
	return 1
}

func (g *ground) weighing(p PartitionName) *weighing {
	if w := g.parts[p]; w != nil {
		return w
	}
	return &g.none
}
