package sched

import (
	"fmt"
	"slices"
	"strings"

	"github.com/runink/rink/slurm"
)

// checkPolicy refuses a SchedulerPolicy that there is none of.
func checkPolicy(c *slurm.Conf) error {
	if c.SchedulerPolicy == "" || slices.Contains(Policies, strings.ToLower(c.SchedulerPolicy)) {
		return nil
	}
	bad := &slurm.ConfError{Why: fmt.Sprintf("cannot use SchedulerPolicy=%s: it is none of %s", c.SchedulerPolicy, strings.Join(Policies, ", "))}
	for _, s := range c.Settings {
		if s.Key == "SchedulerPolicy" {
			bad.File, bad.Line = s.File, s.Line
		}
	}
	return bad
}

// PolicyName is the policy a configuration asks for, or goes by without asking.
func PolicyName(c *slurm.Conf) string { return policyName(c) }
