package sched

import (
	"time"

	"github.com/runink/rink/slurm"
)

// Prioritizer works out the priorities of jobs: what all jobs have in common is
// reckoned once, so that one job costs as much whatever the number of others. It is
// not written to once it is made.
type Prioritizer struct {
	cfg      *Config
	l        *Ledger
	fair     *FairShare
	all      Totals
	maxQOS   float64
	maxAssoc float64
	weights  []tresWeight
	parts    map[PartitionName]amounts // what each has of each kind
}

type tresWeight struct {
	kind   int
	key    string
	weight float64
}

// NewPrioritizer reckons what the priorities of now are made of. The book is its
// own from then on.
func NewPrioritizer(cfg *Config, nodes []*Node, l *Ledger, now time.Time) *Prioritizer {
	p := &Prioritizer{cfg: cfg, l: l, fair: NewFairShare(l, now), all: TotalsOf(nodes)}
	for i := range l.quality {
		p.maxQOS = max(p.maxQOS, float64(l.quality[i].prio))
	}
	for i := range l.assoc {
		p.maxAssoc = max(p.maxAssoc, float64(l.assoc[i].prio))
	}
	for _, w := range conf(cfg).PriorityWeightTRES {
		if at, ok := l.kinds.at[w.Key()]; ok && w.Count > 0 {
			p.weights = append(p.weights, tresWeight{at, w.Key(), float64(w.Count)})
		}
	}
	if len(p.weights) > 0 {
		p.sumParts(nodes)
	}
	return p
}

// sumParts adds up what the partitions have.
func (p *Prioritizer) sumParts(nodes []*Node) {
	byName := make(map[NodeName]*Node, len(nodes))
	for _, n := range nodes {
		byName[n.Name] = n
	}
	p.parts = make(map[PartitionName]amounts, len(p.cfg.Partitions))
	for _, part := range p.cfg.Partitions {
		sum := make(amounts, len(p.l.kinds.keys))
		var m measure
		for _, name := range part.Nodes {
			n := byName[name]
			if n == nil {
				continue
			}
			m.cpus += n.CPUs
			m.mem += n.Memory
			m.nodes++
			for _, g := range n.Gres {
				m.gres = append(m.gres, gresUse{g.Name, g.Type, g.Count})
			}
		}
		m.licenses = p.cfg.Licenses
		m.place(sum, p.l.kinds, p.l.weighing(part.Name))
		p.parts[part.Name] = sum
	}
}

// Reckons reports whether priorities are made of several factors (PriorityType).
func (p *Prioritizer) Reckons() bool { return multifactor(p.cfg) }

// FairShare is how the associations stood when p was made.
func (p *Prioritizer) FairShare() *FairShare { return p.fair }

// Standing is what accounting adds to a job's priority.
func (p *Prioritizer) Standing(j *Job) Standing {
	s := Standing{FairShare: p.fair.Factor(j)}
	if at, ok := p.l.byQOS[j.QOS]; ok {
		s.QOS = fraction(float64(p.l.quality[at].prio), p.maxQOS, noNormal(p.cfg, "QOS"))
	}
	if at := p.l.find(j); at >= 0 {
		s.Assoc = fraction(float64(p.l.prioOf(at)), p.maxAssoc, noNormal(p.cfg, "ASSOC"))
	}
	return s
}

// fraction is n as a part of most, or as it is.
func fraction(n, most float64, asItIs bool) float64 {
	switch {
	case asItIs:
		return n
	case most <= 0:
		return 0
	}
	return n / most
}

// Factors are what a job's priority is made of in all its partitions, the best of
// them.
func (p *Prioritizer) Factors(j *Job, now time.Time) Factors {
	f := FactorsOf(j, p.cfg, p.all, p.Standing(j), now)
	f.TRES = p.tres(j)
	return f
}

// tres are the factors of the resources a job asks for.
func (p *Prioritizer) tres(j *Job) []TRESFactor {
	if len(p.weights) == 0 {
		return nil
	}
	var m measure
	m.take(j, j.Alloc)
	want := make(amounts, len(p.l.kinds.keys))
	m.place(want, p.l.kinds, p.l.weighing(j.Partition))
	have := p.parts[j.Partition]
	var out []TRESFactor
	for _, w := range p.weights {
		if want[w.kind] <= 0 || have == nil {
			continue
		}
		value := fraction(float64(want[w.kind]), float64(have[w.kind]), noNormal(p.cfg, "TRES"))
		out = append(out, TRESFactor{Key: w.key, Value: value, Weight: w.weight})
	}
	return out
}

// Weights are what the factors are multiplied by.
func (p *Prioritizer) Weights() (Weights, []TRESFactor) {
	var tres []TRESFactor
	for _, w := range p.weights {
		tres = append(tres, TRESFactor{Key: w.key, Weight: w.weight})
	}
	return weightsOf(p.cfg), tres
}

// Explained are the factors of a job's priority in one of its partitions, and what
// they come to.
type Explained struct {
	Factors
	In  PartitionName
	Sum float64
}

// Explain says what the priority of a job is made of, in each of its partitions: of
// a job that waits for nothing but its turn. One whose priority somebody set has
// that and no factors.
func (p *Prioritizer) Explain(j *Job, now time.Time) []Explained {
	if !multifactor(p.cfg) || !j.IsPending() || j.HeldBy != HeldByNobody || j.Priority == 0 {
		return nil
	}
	if j.Begin.After(now) && !priorityFlag(p.cfg, "ACCRUE_ALWAYS") {
		return nil
	}
	names := j.Partitions
	if len(names) == 0 {
		names = []PartitionName{j.Partition}
	}
	var out []Explained
	for _, name := range names {
		if givenPriority(j) {
			out = append(out, Explained{Factors: Factors{Nice: j.Nice}, In: name, Sum: float64(j.Priority)})
			continue
		}
		one := *j
		one.Partition, one.Partitions = name, nil
		f := p.Factors(&one, now)
		out = append(out, Explained{Factors: f, In: name, Sum: max(f.sum(), 1)})
	}
	return out
}

// Priority is a job's priority as of now: 0 while it is held, what was asked for
// where somebody set it, and else what PriorityType makes of it.
func (p *Prioritizer) Priority(j *Job, now time.Time) uint32 {
	if !multifactor(p.cfg) || j.HeldBy != HeldByNobody || givenPriority(j) {
		return Priority(j, p.cfg, p.all, Standing{}, now)
	}
	return p.Factors(j, now).Total()
}

// givenPriority reports whether somebody said what a job's priority is to be.
func givenPriority(j *Job) bool {
	return j.Spec != nil && j.Spec.Given["priority"] && j.Spec.Priority > 0
}

// Refresh returns the priorities that have changed of jobs that gather age or whose
// owners' shares have moved. With INCR_ONLY none goes down.
func (p *Prioritizer) Refresh(jobs []*Job, now time.Time) []Reranked {
	if !multifactor(p.cfg) {
		return nil
	}
	running, only := priorityFlag(p.cfg, "CALCULATE_RUNNING"), priorityFlag(p.cfg, "INCR_ONLY")
	var out []Reranked
	for _, j := range jobs {
		if j.HasEnded() || !j.IsPending() && !running || j.HeldBy != HeldByNobody || j.Priority == 0 || givenPriority(j) {
			continue
		}
		n := p.Priority(j, now)
		if only {
			n = max(n, j.Priority)
		}
		if age := j.AgeHeld && !p.l.AgeFull(j); n != j.Priority || age {
			out = append(out, Reranked{j.ID, n, age})
		}
	}
	return out
}

// Reranked is a job with another priority.
type Reranked struct {
	Job      slurm.JobID
	Priority uint32
	Age      bool // a limit kept it from gathering age: it may have become free
}
