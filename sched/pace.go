package sched

import (
	"cmp"
	"math"
)

// The default order of jobs. First come, first served lets a five-minute job
// wait for days behind large ones; shortest first lets large ones wait for ever
// and leaves a machine that has too much to do half empty. The order here puts
// jobs first that have waited long for what they are expected to run, and is
// held in check twice: a job that has waited about as long as the machine needs
// for its longest backlog goes before all others, and while the machine has
// done less work than first come, first served would have, large jobs go first.

// Cand is a job that waits, as far as its place in line goes.
type Cand struct {
	Seq     int64   // order of arrival, which settles ties
	Submit  int64   // seconds
	Typical float64 // Expected.Typical, seconds
	Share   float64 // of the machine, 0 to 1
}

// Rank is a job's place in line: lower tiers first, in a tier lower keys first.
type Rank struct {
	Tier Tier
	Key  float64
	Seq  int64
}

// Tier is what puts a job where it is in line.
type Tier uint8

// The tiers, first to last.
const (
	TierDue     Tier = iota // has waited too long: first come, first served
	TierFavored             // by how long it has waited for what it will run
	TierFill                // while the machine has work to catch up on: large jobs first
)

// Compare orders ranks.
func (r Rank) Compare(o Rank) int {
	return cmp.Or(cmp.Compare(r.Tier, o.Tier), cmp.Compare(r.Key, o.Key), cmp.Compare(r.Seq, o.Seq))
}

// The constants of the order, in seconds where they are times. They were picked
// together on four very different logs and some hundred variants of them, the same
// for all.
const (
	headStart      = 3600.0        // wait that all jobs are credited with
	dueShare       = 0.7           // of the longest backlog, after which a job is due
	dueWide        = 0.6           // how much sooner a job is due that takes the whole machine
	dueLeast       = 3600.0        // no job is due before
	dueBeyond      = 6 * 3600.0    // beyond the longest wait in the twin every job is due
	backlogHalf    = 365 * 86400.0 // in which the longest backlog is half forgotten
	biasMemory     = 0.999         // of ended jobs, in correcting predictions of work
	lagAllowed     = 2 * 3600.0    // work the machine may be behind with,
	lagAllowedRate = 0.001         // and more by this share of the time since the start
	lagIdle        = 2 * 86400.0   // and by what the machine, at the load it has, would make up for in this time,
	loadPrior      = 15 * 86400.0  // time for which a load of 1 is taken for granted
	lagTolerated   = 0.5           // of that, before anything is done about it
	lagDecades     = 2.5           // powers of ten by which slowdown stops counting until all is used
	lagMost        = 1.3           // beyond that nothing more is done
	lagYear        = 365 * 86400.0 // time since the start counts up to here
)

// Line holds what the order of jobs depends on besides the jobs: how long a job
// is let wait, and how much the machine has to catch up on.
type Line struct {
	Due      float64 // wait after which a narrow job is due, seconds
	Sluggish float64 // slowdown below which a job is not favored; 0 favors all
}

// Rank gives a job its place in line at a moment.
func (l Line) Rank(c Cand, now int64) Rank {
	wait := float64(max(now-c.Submit, 0))
	r := Rank{Tier: TierFavored, Seq: c.Seq}
	switch {
	case wait > max(dueLeast, l.Due*(1-dueWide*c.Share)):
		r.Tier, r.Key = TierDue, float64(c.Seq)
	case wait >= l.Sluggish*clampRun(c.Typical):
		r.Key = -(wait + headStart) / (c.Typical * c.Typical)
	default:
		r.Tier, r.Key = TierFill, -c.Typical*c.Share
	}
	return r
}

// Pace works out a Line. It keeps the longest backlog there was, in time the
// whole machine needs for it: about what the unluckiest job waits if jobs are
// started as they come.
type Pace struct {
	begun         bool
	start, at     int64
	peak          float64
	asked         float64 // work that came in
	foreseen, did float64 // work of ended jobs, as predicted and as it was
}

// Submitted counts the work that comes in: share is what a job takes of the
// machine, mean its Expected.Mean.
func (p *Pace) Submitted(now int64, share, mean float64) {
	p.begin(now)
	p.asked += share * mean
}

// load is the work that came in over the work the machine can do, counted since
// the start and taken to be all it can do until more is known.
func (p *Pace) load(now int64) float64 {
	return (p.asked*p.bias() + loadPrior) / (float64(now-p.start) + loadPrior)
}

// bias is what ended jobs did over what was foreseen.
func (p *Pace) bias() float64 {
	if p.foreseen <= 0 {
		return 1
	}
	return p.did / p.foreseen
}

func (p *Pace) begin(now int64) {
	if !p.begun {
		p.begun, p.start, p.at = true, now, now
	}
}

// Ended learns how well the work of a job was foreseen: share is what it held of
// the machine, mean its Expected.Mean when it was submitted.
func (p *Pace) Ended(share, mean float64, run int64) {
	p.foreseen = p.foreseen*biasMemory + mean*share
	p.did = p.did*biasMemory + float64(run)*share
}

// Line returns what to order jobs by at a moment. Backlog is the work there is:
// the sum over waiting and running jobs of the share of the machine times what
// they are still expected to run (Expected.Mean), in seconds. Lag and longest are the twin's.
func (p *Pace) Line(now int64, backlog, lag float64, longest int64) Line {
	p.begin(now)
	p.peak = max(backlog*p.bias(), p.peak*math.Exp2(-float64(now-p.at)/backlogHalf))
	p.at = now
	l := Line{Due: min(dueShare*p.peak, float64(longest)+dueBeyond)}
	allowed := lagAllowed + lagAllowedRate*min(float64(now-p.start), lagYear) + lagIdle*max(0, 1-p.load(now))
	if over := lag/allowed - lagTolerated; over > 0 {
		l.Sluggish = math.Pow(10, lagDecades*min(lagMost, over/(1-lagTolerated))) - 1
	}
	return l
}
