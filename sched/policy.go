package sched

import (
	"cmp"
	"strings"

	"github.com/runink/rink/slurm"
)

// policy is in which order jobs are looked at and which of them are promised
// room.
type policy struct {
	// rank is a job's place in line, the highest first.
	rank func(*Job) float64
	// shortFirst looks at those behind the first that waits by their limits,
	// shortest first.
	shortFirst bool
	// promises is how many jobs are promised room at the same time; the first of
	// each partition is in any case.
	promises int
	// everyPromise promises each job room when it is seen first; keepsPromises
	// moves them forward only when a job ended early, in order.
	everyPromise, keepsPromises bool
	// foresight orders jobs by how long they have waited for what they are expected
	// to run (pace.go), within equal priority.
	foresight bool
}

// Policies are the values of SchedulerPolicy.
var Policies = []string{"default", "slurm", "easy", "easy-sjbf", "sjf-easy", "conservative"}

func byPriority(j *Job) float64 { return float64(j.Priority) }

func byLimit(j *Job) float64 { return -span(j.TimeLimit).Seconds() }

// policyName is the policy a configuration asks for.
func policyName(c *slurm.Conf) string {
	return cmp.Or(strings.ToLower(c.SchedulerPolicy), "slurm")
}

// policyOf reads SchedulerPolicy.
func policyOf(c *slurm.Conf) policy {
	p := policy{rank: byPriority, promises: max(c.SchedulerParameters.Int("bf_max_job_test", 500), 1)}
	switch policyName(c) {
	case "default":
		p.promises, p.foresight = 0, true
		p.rank = func(*Job) float64 { return 0 }
	case "easy":
		p.promises = 0
	case "easy-sjbf":
		p.promises, p.shortFirst = 0, true
	case "sjf-easy":
		p.promises, p.rank = 0, byLimit
	case "conservative":
		p.everyPromise, p.keepsPromises = true, true
	}
	return p
}
