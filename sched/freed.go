package sched

import "slices"

// freed notes when a change lets jobs start that something else than room kept:
// licences come back, or a place below a limit.
func (s *Scheduler) freed(old, now *Job) {
	if old == nil || !old.Holds() || now != nil && now.State == old.State && sameLicenses(old, now) {
		return
	}
	if !old.LicensesUsed.IsZero() || old.ArrayID != 0 || s.limited {
		s.unbarred = true
	}
}

func sameLicenses(x, y *Job) bool {
	return slices.Equal(x.LicensesUsed.Items, y.LicensesUsed.Items)
}
