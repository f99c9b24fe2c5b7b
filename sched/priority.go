package sched

import (
	"strings"
	"time"

	"github.com/runink/rink/slurm"
)

// Totals is how much a cluster has altogether.
type Totals struct{ Nodes, CPUs int }

// TotalsOf adds up the nodes of a cluster.
func TotalsOf(nodes []*Node) Totals {
	t := Totals{Nodes: len(nodes)}
	for _, n := range nodes {
		t.CPUs += n.CPUs
	}
	return t
}

// Factors are the parts of a job's priority, each from 0 to 1 before its weight
// is put on it, and the weights.
type Factors struct {
	Age, JobSize, Partition, QOS, FairShare, Assoc float64
	TRES                                           []TRESFactor
	Weights                                        Weights
	Nice                                           int
}

// TRESFactor is how much of a partition's resources of one kind a job asks for, and
// the weight (PriorityWeightTRES).
type TRESFactor struct {
	Key    string
	Value  float64
	Weight float64
}

// Weights are what the factors of priority/multifactor are multiplied by.
type Weights struct{ Age, JobSize, Partition, QOS, FairShare, Assoc uint32 }

// Standing is what accounting adds to a job's priority: the standing of its QOS
// and of its association, each from 0 to 1. The zero value is none.
type Standing struct{ QOS, FairShare, Assoc float64 }

// FactorsOf returns the parts of a job's priority under priority/multifactor.
func FactorsOf(j *Job, cfg *Config, all Totals, s Standing, now time.Time) Factors {
	f := Factors{QOS: s.QOS, FairShare: s.FairShare, Assoc: s.Assoc, Nice: j.Nice, Weights: weightsOf(cfg)}
	if since := ageFrom(j, cfg); !since.IsZero() && now.After(since) {
		f.Age = min(float64(now.Sub(since))/float64(priorityMaxAge(cfg)), 1)
	}
	if all.Nodes > 0 && all.CPUs > 0 {
		f.JobSize = sizeFactor(j, cfg, all)
	}
	most := uint32(0)
	for _, p := range cfg.Partitions {
		most = max(most, p.PriorityJobFactor)
	}
	if most > 0 {
		names := j.Partitions
		if len(names) == 0 || !j.IsPending() {
			names = []PartitionName{j.Partition}
		}
		for _, name := range names {
			if p := cfg.Partition(name); p != nil {
				factor := float64(p.PriorityJobFactor)
				if !noNormal(cfg, "PART") {
					factor /= float64(most)
				}
				f.Partition = max(f.Partition, factor)
			}
		}
	}
	return f
}

// ageFrom is from when on a job's age counts: once it is eligible, or with
// ACCRUE_ALWAYS once it is submitted.
func ageFrom(j *Job, cfg *Config) time.Time {
	if priorityFlag(cfg, "ACCRUE_ALWAYS") {
		return j.Submit
	}
	return eligibleSince(j)
}

// eligibleSince is from when on a job has waited for nothing but resources.
func eligibleSince(j *Job) time.Time {
	if j.AgeHeld || !j.AgeFrom.IsZero() {
		return j.AgeSince()
	}
	if j.Eligible.IsZero() && j.HeldBy == HeldByNobody && len(j.Deps) == 0 {
		return j.Submit
	}
	return j.Eligible
}

// sizeFactor is a job's share of the cluster, the mean of that of its nodes and
// that of its CPUs; or with PriorityFavorSmall what is left of it.
func sizeFactor(j *Job, cfg *Config, all Totals) float64 {
	nodes, cpus := max(j.Need.MinNodes, 1), max(j.Need.CPUs, 1)
	if len(j.Alloc) > 0 {
		nodes, cpus = len(j.Alloc), 0
		for i := range j.Alloc {
			cpus += j.Alloc[i].CPUs
		}
	}
	if priorityFlag(cfg, "SMALL_RELATIVE_TO_TIME") {
		f := 0.0
		if minutes := j.TimeLimit.Minutes(); j.TimeLimit != slurm.Unlimited && minutes > 0 {
			f = min(float64(cpus)/float64(minutes)/float64(all.CPUs), 1)
		}
		if conf(cfg).PriorityFavorSmall {
			return 1 - f
		}
		return f
	}
	if conf(cfg).PriorityFavorSmall {
		return (float64(max(all.Nodes-nodes, 0))/float64(all.Nodes) + float64(max(all.CPUs-cpus, 0))/float64(all.CPUs)) / 2
	}
	return (min(float64(nodes)/float64(all.Nodes), 1) + min(float64(cpus)/float64(all.CPUs), 1)) / 2
}

// sum adds up the factors.
func (f *Factors) sum() float64 {
	w := f.Weights
	sum := f.Age*float64(w.Age) + f.JobSize*float64(w.JobSize) + f.Partition*float64(w.Partition) +
		f.QOS*float64(w.QOS) + f.FairShare*float64(w.FairShare) + f.Assoc*float64(w.Assoc) - float64(f.Nice)
	for _, t := range f.TRES {
		sum += t.Value * t.Weight
	}
	return sum
}

// Total is the priority the factors come to, at least 1.
func (f Factors) Total() uint32 {
	sum := f.sum()
	switch {
	case sum < 1:
		return 1
	case sum > 1<<32-2:
		return 1<<32 - 2
	}
	return uint32(sum)
}

// topPriority is where priority/basic begins to count down.
const topPriority = 4294901760

// Priority returns the priority of a job: 0 while it is held, what was asked for
// where somebody set it, and else what PriorityType makes of it. Under
// priority/basic each job comes behind those submitted before it.
func Priority(j *Job, cfg *Config, all Totals, s Standing, now time.Time) uint32 {
	switch {
	case j.HeldBy != HeldByNobody:
		return 0
	case j.Spec != nil && j.Spec.Given["priority"] && j.Spec.Priority > 0:
		return j.Spec.Priority
	case multifactor(cfg):
		return FactorsOf(j, cfg, all, s, now).Total()
	}
	id := j.ID
	if j.ArrayID != 0 {
		id = j.ArrayID
	}
	after := int64(id)
	if first := int64(cfg.FirstJobID); after >= first {
		after -= first
	}
	return uint32(min(max(topPriority-1-after-int64(j.Nice), 1), 1<<32-2))
}

// noNormal reports whether a factor is taken as it is, not as a part of the
// greatest there is.
func noNormal(cfg *Config, which string) bool {
	return priorityFlag(cfg, "NO_NORMAL_ALL") || priorityFlag(cfg, "NO_NORMAL_"+which)
}

func hasWord(list, word string) bool {
	for w := range strings.SplitSeq(list, ",") {
		if strings.EqualFold(strings.TrimSpace(w), word) {
			return true
		}
	}
	return false
}
