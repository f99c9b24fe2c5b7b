package sched

import (
	"math"
	"time"

	"github.com/runink/rink/slurm"
)

// Usage that decays by halves is kept as if the scale it is measured on grew
// instead: an amount used at t is written down as amount × 2^((t-epoch)/half), and
// what is written is divided by that power at the time it is read. So nothing has
// to be touched for time to pass, a resource in use at a constant rate needs two
// numbers whatever its job's age, and one association's usage is greater than
// another's for as long as neither uses anything.
//
// The arithmetic is the same on every machine: no fused operations, no library
// function but the square root, which is exact.

// decay is how usage fades, and the scale it is written on.
type decay struct {
	half  float64 // seconds; 0: it does not fade
	epoch time.Time
}

// scaleSpan is after how many half-lives the scale begins anew.
const scaleSpan = 16

// since is how many seconds t is after the epoch.
func (d decay) since(t time.Time) float64 { return float64(t.Sub(d.epoch)) / float64(time.Second) }

// scale is what an amount of t is multiplied by to be written down.
func (d decay) scale(t time.Time) float64 {
	if d.half <= 0 {
		return 1
	}
	return pow2(d.since(t) / d.half)
}

// grown is the integral of scale up to t: what a rate of one has used by then, but
// for a constant.
func (d decay) grown(t time.Time) float64 {
	if d.half <= 0 {
		return d.since(t)
	}
	return float64(pow2(d.since(t)/d.half) * (d.half / math.Ln2))
}

// shift is by how many powers of two what is written down is to be divided to
// begin a new scale at t, and the new epoch; 0 while the old scale will do.
func (d decay) shift(t time.Time) (int, time.Time) {
	if d.half <= 0 {
		return 0, d.epoch
	}
	n := int(d.since(t) / d.half)
	if n < scaleSpan {
		return 0, d.epoch
	}
	return n, d.epoch.Add(time.Duration(n) * time.Duration(d.half*float64(time.Second)))
}

// rootsOfTwo are 2^(1/2), 2^(1/4), 2^(1/8)...
var rootsOfTwo = func() (r [52]float64) {
	v := 2.0
	for i := range r {
		v = math.Sqrt(v)
		r[i] = v
	}
	return r
}()

// pow2 returns 2^x.
func pow2(x float64) float64 {
	whole := math.Floor(x)
	rest := x - whole
	out := 1.0
	for i := range rootsOfTwo {
		rest *= 2
		if rest >= 1 {
			rest--
			out = float64(out * rootsOfTwo[i])
		}
	}
	return math.Ldexp(out, int(max(min(whole, 1<<20), -1<<20)))
}

// decayOf reads how usage fades from the configuration.
func decayOf(cfg *Config) float64 {
	if half := conf(cfg).PriorityDecayHalfLife; half > 0 && half != slurm.Unlimited {
		return float64(half)
	}
	return 0
}
