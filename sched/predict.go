package sched

import "math"

// Predictor says how long jobs will run, from what jobs like them did. It keeps
// means at five levels, from all jobs to those of one user with the same limit
// and shape, and lets each level correct the one above it by as much as it has
// seen. It is deterministic and holds a bounded number of classes: of those not
// touched for long it forgets the finer levels first.
//
// Times are in seconds.
type Predictor struct {
	now, old map[classKey]*classMean
}

// Expected is what a job is expected to run. Typical is the geometric mean of
// jobs like it, which says what to expect of a single one and is what an order
// goes by; Mean is the arithmetic mean, which is what to add up when many jobs
// are counted together. Neither is more than the limit or less than a second.
type Expected struct{ Typical, Mean float64 }

// Asked is what is known of a job when it is submitted, as far as it says
// something about how long it will run. Class is what else tells jobs of a user
// apart (the size, say, or the name); User is empty when unknown.
type Asked struct {
	User, Class string
	Limit       int64
}

// How much the levels trust what they have seen. The broad ones go by hundreds
// of jobs, the fine ones by the last few: runs of the same kind come in bursts.
const (
	predictDoubt      = 2    // observations the level above counts for
	predictBroad      = 300  // jobs a broad level looks back
	predictTypical    = 4    // jobs a fine level looks back for Typical
	predictMean       = 20   // jobs a fine level looks back for Mean
	predictClasses    = 1e5  // classes kept, twice
	predictShortest   = 10.0 // runs shorter than this are all alike
	predictFineLevels = 2    // the first fine level
)

// classKey names a class of jobs; level keeps levels apart.
type classKey struct {
	level       uint8
	limit       int64
	user, class string
}

// classMean is what ended jobs of a class did, relative to their limits.
type classMean struct {
	n          float64 // jobs seen, as far back as any mean looks
	log, ratio float64 // means of log(run/limit) and run/limit
}

// NewPredictor returns a predictor that has seen nothing and expects every job
// to run up to its limit.
func NewPredictor() *Predictor {
	return &Predictor{now: make(map[classKey]*classMean), old: make(map[classKey]*classMean)}
}

// levels lists the classes of a job, broad ones first.
func (a Asked) levels(room *[5]classKey) []classKey {
	octave := int64(math.Log2(float64(max(a.Limit, 1))))
	keys := append(room[:0], classKey{level: 0}, classKey{level: 1, limit: octave})
	if a.User != "" {
		keys = append(keys, classKey{level: 2, user: a.User}, classKey{level: 3, user: a.User, limit: a.Limit})
	} else {
		keys = append(keys, classKey{level: 3, limit: a.Limit})
	}
	return append(keys, classKey{level: 4, user: a.User, limit: a.Limit, class: a.Class})
}

// Observe learns how long a job ran that has ended.
func (p *Predictor) Observe(a Asked, run int64) {
	limit := clampRun(float64(a.Limit))
	log, ratio := math.Log(clampRun(float64(run))/limit), float64(run)/float64(max(a.Limit, 1))
	var room [5]classKey
	for i, k := range a.levels(&room) {
		m := p.touch(k)
		m.n = min(m.n+1, predictBroad)
		typical, mean := m.n, m.n
		if i >= predictFineLevels {
			typical, mean = min(m.n, predictTypical), min(m.n, predictMean)
		}
		m.log += (log - m.log) / typical
		m.ratio += (ratio - m.ratio) / mean
	}
}

// Predict says how long a job will run.
func (p *Predictor) Predict(a Asked) Expected {
	log, ratio := 0.0, 1.0
	var room [5]classKey
	for i, k := range a.levels(&room) {
		m := p.seen(k)
		if m == nil {
			continue
		}
		typical, mean := m.n, m.n
		if i >= predictFineLevels {
			typical, mean = min(m.n, predictTypical), min(m.n, predictMean)
		}
		log += (m.log - log) * typical / (typical + predictDoubt)
		ratio += (m.ratio - ratio) * mean / (mean + predictDoubt)
	}
	limit := float64(max(a.Limit, 1))
	return Expected{
		Typical: max(1, min(limit, math.Exp(log)*clampRun(limit))),
		Mean:    max(1, min(limit, ratio*limit)),
	}
}

// Outlived is what to expect of a job that runs already: what was predicted
// until it has run as long, then half as much again as it has run, and never
// more than its limit.
func Outlived(predicted, elapsed, limit int64) int64 {
	if elapsed > predicted {
		predicted = elapsed + elapsed/2
	}
	return max(min(predicted, limit), 1)
}

func clampRun(t float64) float64 { return max(t, predictShortest) }

func (p *Predictor) seen(k classKey) *classMean {
	if m := p.now[k]; m != nil {
		return m
	}
	return p.old[k]
}

// touch returns a class to change. Classes live in two generations: what is
// touched moves to the younger, and when that is full the elder is dropped.
func (p *Predictor) touch(k classKey) *classMean {
	if m := p.now[k]; m != nil {
		return m
	}
	if len(p.now) >= predictClasses {
		p.now, p.old = make(map[classKey]*classMean), p.now
	}
	m := p.old[k]
	if m == nil {
		m = &classMean{}
	}
	p.now[k] = m
	return m
}
