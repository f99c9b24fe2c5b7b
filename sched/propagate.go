package sched

import (
	"slices"

	"github.com/runink/rink/slurm"
)

// Propagates says which of a submitter's resource limits, by their names without
// RLIMIT_, go with a job or a step: those that --propagate asked for, and where it
// was not given those of PropagateResourceLimits, or all but those of
// PropagateResourceLimitsExcept.
func Propagates(c *slurm.Conf, asked string) func(limit string) bool {
	if asked != "" {
		return func(string) bool { return true } // the client has sent these
	}
	list, except := c.PropagateResourceLimits, c.PropagateResourceLimitsExcept
	in := func(list []string, limit string) bool {
		return slices.Contains(list, "ALL") || slices.Contains(list, limit)
	}
	return func(limit string) bool {
		if len(except) > 0 {
			return !in(except, limit)
		}
		return in(list, limit)
	}
}
