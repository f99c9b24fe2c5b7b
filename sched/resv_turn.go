package sched

import (
	"slices"
	"time"

	"github.com/runink/rink/slurm"
)

// Turn says what time makes of a reservation: the same, another (it comes again,
// or is noted to be idle), or that it is over. running counts the jobs that are in
// it, waiting those that wait for it.
func (r *Reservation) Turn(now time.Time, running, waiting int) (next *Reservation, over bool) {
	c := *r
	if r.Has(slurm.ResvPurgeComp) && r.PurgeAfter > 0 && r.Active(now) {
		switch {
		case running+waiting > 0:
			c.IdleSince = time.Time{}
		case r.IdleSince.IsZero():
			c.IdleSince = now
		case now.Sub(r.IdleSince) >= time.Duration(r.PurgeAfter)*time.Second:
			return r.again(now, true)
		}
		if !c.IdleSince.Equal(r.IdleSince) {
			return &c, false
		}
	}
	switch {
	case r.Has(slurm.ResvTimeFloat), r.End.After(now):
		return r, false
	case running > 0 && !r.Has(slurm.ResvFlex):
		return r, false // its jobs are being ended
	}
	return r.again(now, false)
}

// again returns the reservation as it comes next; over when it does not. Its
// present time counts as past when skip is set.
func (r *Reservation) again(now time.Time, skip bool) (*Reservation, bool) {
	if !r.Repeats() {
		return r, true
	}
	next := r
	if skip {
		next = next.Next(now)
	}
	for !next.End.After(now) {
		next = next.Next(now)
	}
	c := *next
	c.IdleSince, c.Made = time.Time{}, now
	return &c, false
}

// Skip returns the reservation without its present or next time, and false for one
// that does not come again.
func (r *Reservation) Skip(now time.Time) (*Reservation, bool) {
	next, over := r.again(now, true)
	return next, !over
}

// EndsJobs reports whether the reservation is over for the jobs in it, which may
// outlast it by grace.
func (r *Reservation) EndsJobs(now time.Time, grace time.Duration) bool {
	return !r.Has(slurm.ResvFlex) && !r.Has(slurm.ResvTimeFloat) && !now.Before(r.End.Add(grace))
}

// Replace returns a reservation with other nodes in place of those that are out of
// service, and with REPLACE of those its jobs have; the same when there is nothing
// to replace, or nothing to replace it by.
func Replace(v View, r *Reservation, now time.Time) *Reservation {
	if r.NodeCnt == 0 || len(r.Cores) > 0 || r.Flags&(slurm.ResvStatic|slurm.ResvSpecNodes|slurm.ResvAllNodes) != 0 {
		return r
	}
	gone := func(n *Node) bool {
		if !n.Usable() {
			return true
		}
		return r.Has(slurm.ResvReplace) && r.Active(now) && len(n.Running) > 0
	}
	d := newResvDraft(v, r.At(now), now)
	part := v.Config.Partition(r.Partition)
	constraint, err := slurm.ParseConstraint(r.Features)
	if part == nil || err != nil || constraint.Op == slurm.ConstraintCounts {
		return r
	}
	var kept []NodeName
	missing := 0
	for _, name := range r.Nodes {
		if n := d.node(name); n == nil || gone(n) {
			missing++
		} else {
			kept = append(kept, name)
		}
	}
	if missing == 0 {
		return r
	}
	found := 0
	for _, n := range v.Nodes {
		if found < missing && slices.Contains(part.Nodes, n.Name) && !r.HasNode(n.Name) && !gone(n) && len(n.Running) == 0 &&
			hasFeatures(constraint, n) && d.isFree(n) {
			kept, found = append(kept, n.Name), found+1
		}
	}
	if found == 0 {
		return r
	}
	for _, name := range r.Nodes {
		if n := d.node(name); found < missing && n != nil && gone(n) {
			kept, found = append(kept, name), found+1 // nothing better is there
		}
	}
	c := *r
	c.Nodes = nil
	for _, n := range v.Nodes {
		if slices.Contains(kept, n.Name) {
			c.Nodes = append(c.Nodes, n.Name)
		}
	}
	c.TRES = ReservedTRES(&c, v.Nodes, conf(v.Config).AccountingStorageTRES)
	return &c
}

// ReservedOn returns what reservations make of nodes' states at now, and the name
// of the one each node is in.
func ReservedOn(list []*Reservation, now time.Time) (flags map[NodeName]slurm.NodeState, names map[NodeName]string) {
	for _, r := range list {
		if !r.Active(now) {
			continue
		}
		if flags == nil {
			flags, names = make(map[NodeName]slurm.NodeState), make(map[NodeName]string)
		}
		set := slurm.NodeReserved
		if r.Has(slurm.ResvMaint) {
			set |= slurm.NodeMaint
		}
		for _, n := range r.Nodes {
			flags[n] |= set
			if names[n] == "" {
				names[n] = r.Name
			}
		}
	}
	return flags, names
}

// ReservedLicenses counts the licences that reservations keep at now.
func ReservedLicenses(list []*Reservation, now time.Time) slurm.Licenses {
	var sum slurm.Licenses
	for _, r := range list {
		if r.Active(now) {
			sum = PlusLicenses(sum, r.Licenses)
		}
	}
	return sum
}
