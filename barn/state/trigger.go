package state

import (
	"fmt"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// setTrigger keeps a trigger, under the next id.
func (s *State) setTrigger(c SetTrigger) Result {
	t := c.Trigger
	switch {
	case t.Program == "" || t.Kind == "":
		return Result{Err: fmt.Errorf("cannot set a trigger without an event or a program: %w", slurm.ErrnoError)}
	case len(s.triggers) >= sched.MaxTriggers:
		return Result{Err: fmt.Errorf("cannot set a trigger: %d are there already: %w", len(s.triggers), slurm.ErrnoAgain)}
	}
	for _, have := range s.triggers {
		if have.Same(&t) {
			return Result{Err: fmt.Errorf("cannot set a trigger twice: %w", slurm.ErrnoTriggerDup)}
		}
	}
	s.nextTrigger++
	t.ID, t.Since = s.nextTrigger, s.at
	s.triggers[t.ID] = &t
	return Result{Number: t.ID}
}

// dropTriggers forgets triggers; those that are not there are no mistake, so that
// one that has been pulled may be dropped twice.
func (s *State) dropTriggers(c DropTriggers) error {
	for _, id := range c.IDs {
		delete(s.triggers, id)
	}
	return nil
}

// Triggers returns the triggers in the order of their ids.
func (s *State) Triggers() []*sched.Trigger { return sortedValues(s.triggers) }
