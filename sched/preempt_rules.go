package sched

import (
	"slices"
	"strings"
	"time"

	"github.com/runink/rink/slurm"
)

// PreemptMode says what becomes of a job that gives way to another.
type PreemptMode uint8

// What becomes of a job that gives way.
const (
	PreemptOff     PreemptMode = iota // it does not give way
	PreemptCancel                     // it ends, as PREEMPTED
	PreemptRequeue                    // it goes back into the queue
	PreemptSuspend                    // it keeps its memory and devices, and its CPUs are free
)

// Preempt is the decision that a job gives way to another, now or after Grace.
type Preempt struct {
	Job      slurm.JobID
	Restarts uint32 // the incarnation the decision was made for
	Mode     PreemptMode
	Grace    time.Duration
	For      slurm.JobID // the pending job it makes room for
	Alloc    []NodeAlloc // what that job will have, devices not chosen yet
}

// Resume is the decision that a job that was suspended to make room goes on.
type Resume struct {
	Job      slurm.JobID
	Restarts uint32
}

// GaveWay reports whether j is suspended because another job took its place.
func (j *Job) GaveWay() bool { return j.IsSuspended() && j.PreemptedFor != 0 }

// Aside reports whether j gave way in that manner, and perhaps ended since. It keeps
// nobody off its nodes but by its memory and devices.
func (j *Job) Aside() bool { return j.CPUsFree && j.PreemptedFor != 0 }

// preemptRules are the rules by which jobs give way to others.
type preemptRules struct {
	byQOS, byTier bool
	byQuota       bool // herds take back what they lend
	mode          preemptWord
	exempt        time.Duration
	exemptFrom    uint32 // jobs of this priority and above never give way; 0: no bound
	youngest      bool
	strict        bool
	reorder       int
}

// preemptWord is a PreemptMode as configured: a mode with its flags.
type preemptWord struct {
	mode             PreemptMode
	within, priority bool
}

// parsePreemptWord reads words such as REQUEUE,WITHIN. Of the modes the last
// counts; GANG is no mode of its own.
func parsePreemptWord(words []string) (w preemptWord) {
	for _, word := range words {
		switch strings.ToUpper(strings.TrimSpace(word)) {
		case "CANCEL":
			w.mode = PreemptCancel
		case "REQUEUE":
			w.mode = PreemptRequeue
		case "SUSPEND":
			w.mode = PreemptSuspend
		case "WITHIN":
			w.within = true
		case "PRIORITY":
			w.priority = true
		}
	}
	return w
}

// preemptRulesOf reads the configuration.
func preemptRulesOf(cfg *Config) preemptRules {
	c := conf(cfg)
	r := preemptRules{
		byQOS:      strings.EqualFold(c.PreemptType, "preempt/qos"),
		byTier:     strings.EqualFold(c.PreemptType, "preempt/partition_prio"),
		mode:       parsePreemptWord(c.PreemptMode),
		exemptFrom: uint32(c.PreemptParameters.Int("min_exempt_priority", 0)),
		youngest:   c.PreemptParameters.Has("youngest_first") || c.SchedulerParameters.Has("preempt_youngest_first"),
		strict:     c.PreemptParameters.Has("strict_order") || c.SchedulerParameters.Has("preempt_strict_order"),
		reorder:    c.PreemptParameters.Int("reorder_count", c.SchedulerParameters.Int("preempt_reorder_count", 1)),
	}
	if c.PreemptExemptTime > 0 {
		r.exempt = span(c.PreemptExemptTime)
	}
	return r
}

// on reports whether any job gives way to another.
func (r *preemptRules) on() bool { return r.byQOS || r.byTier || r.byQuota }

// wordOf returns how j gives way: as its QOS or its partition says, or else as
// the cluster does.
func (c *cycle) wordOf(j *Job) preemptWord {
	r := &c.giving.rules
	if r.byTier {
		if p := c.v.Config.Partition(j.Partition); p != nil && p.PreemptMode != "" {
			return parsePreemptWord(strings.Split(p.PreemptMode, ","))
		}
		return r.mode
	}
	w := r.mode
	if q := c.qosOf(j); q != nil {
		own := parsePreemptWord(strings.Split(q.PreemptMode, ","))
		if own.mode != PreemptOff || strings.EqualFold(q.PreemptMode, "off") {
			w.mode = own.mode
		}
		w.within, w.priority = w.within || own.within, w.priority || own.priority
	}
	return w
}

// qosOf returns the QOS of a job, nil when it is not known.
func (c *cycle) qosOf(j *Job) *QOS {
	if c.v.Accounts == nil {
		return nil
	}
	return c.v.Accounts.QOS[j.QOS]
}

// mayPreempt reports whether j, in partition p, goes before v at all, whatever
// protects v just now.
func (c *cycle) mayPreempt(j *Job, p *Partition, v *Job, w preemptWord) bool {
	if c.giving.rules.byTier {
		vp := c.v.Config.Partition(v.Partition)
		return vp != nil && p.PriorityTier > vp.PriorityTier
	}
	mine, other := c.qosOf(j), c.qosOf(v)
	switch {
	case mine == nil || other == nil || !c.giving.rules.byQOS:
		return false
	case mine == other:
		return w.within && j.Priority > v.Priority
	case w.priority && j.Priority <= v.Priority:
		return false
	}
	return slices.Contains(mine.Preempt, other.Name)
}

// goesFirst reports whether there can be jobs that give way to this one.
func (c *cycle) goesFirst(e entry) bool {
	r := &c.giving.rules
	if r.byQuota && c.v.Ledger.takesBack(e.job, e.part.p.Name) {
		return true
	}
	if r.byTier {
		return slices.ContainsFunc(c.v.Config.Partitions, func(p *Partition) bool { return p.PriorityTier < e.part.p.PriorityTier })
	}
	q := c.qosOf(e.job)
	return r.byQOS && q != nil && (len(q.Preempt) > 0 || r.mode.within || strings.Contains(strings.ToUpper(q.PreemptMode), "WITHIN"))
}

// exemptUntil returns until when a job that runs is exempt; zero: it is not.
func (c *cycle) exemptUntil(j *Job) time.Time {
	d := c.giving.rules.exempt
	if q := c.qosOf(j); q != nil && q.PreemptExempt > 0 {
		d = span(q.PreemptExempt)
	}
	if d <= 0 || j.Start.IsZero() {
		return time.Time{}
	}
	return j.Start.Add(d)
}

// graceOf returns how long a job has left once it is told to give way.
func (c *cycle) graceOf(j *Job) time.Duration {
	var d slurm.Duration
	if c.giving.rules.byTier {
		if p := c.v.Config.Partition(j.Partition); p != nil {
			d = p.GraceTime
		}
	} else if q := c.qosOf(j); q != nil {
		d = q.GraceTime
	}
	if d <= 0 {
		return 0
	}
	return span(d)
}

// rankOf says how much a running job counts: those of the lowest rank give way
// first.
func (c *cycle) rankOf(j *Job) uint64 {
	var tier, qos uint32
	if p := c.v.Config.Partition(j.Partition); p != nil {
		tier = p.PriorityTier
	}
	if q := c.qosOf(j); q != nil {
		qos = q.Priority
	}
	return uint64(tier)<<32 | uint64(qos)
}
