package state

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// ErrStale refuses a change that was made from a state of the thing which is not
// the present one any more: it is to be worked out again.
var ErrStale = errors.New("it was changed meanwhile")

// Reservations returns the reservations in the order in which they were made.
func (s *State) Reservations() []*sched.Reservation { return slices.Clone(s.resvs) }

// Reservation returns the reservation of that name, or nil.
func (s *State) Reservation(name string) *sched.Reservation {
	return sched.ReservationOf(s.resvs, name)
}

// setReservation makes or replaces a reservation. What it needs was chosen from a
// picture of the cluster; whether others have taken that since is asked again.
func (s *State) setReservation(c SetReservation) Result {
	r := c.Reservation
	old := s.Reservation(r.Name)
	fail := func(err error) Result {
		return refusal(fmt.Errorf("cannot set reservation %q: %w", r.Name, err))
	}
	except := ""
	if !c.Create {
		switch {
		case old == nil || old.ID != r.ID:
			return fail(slurm.ErrnoReservationInvalid)
		case old.ChangedAt != r.ChangedAt:
			return fail(ErrStale)
		}
		except = r.Name
	}
	for _, n := range r.Nodes {
		if s.Node(n) == nil {
			return fail(fmt.Errorf("node %q: %w", n, slurm.ErrnoInvalidNodeName))
		}
	}
	if !r.End.After(r.Start) {
		return fail(slurm.ErrnoInvalidTime)
	}
	if c.Create {
		if o := sched.Overlapping(&r, s.resvs, except, s.at); o != nil {
			return fail(fmt.Errorf("reservation %s: %w", o.Name, slurm.ErrnoReservationOverlap))
		}
		r.ID = s.nextResv
		if r.Name == "" {
			r.Name = sched.ResvName(&r, r.ID)
		}
		if s.Reservation(r.Name) != nil {
			return fail(slurm.ErrnoReservationNameDup)
		}
		if strings.ContainsAny(r.Name, " \t\n,=") {
			return fail(slurm.ErrnoReservationInvalid)
		}
		s.nextResv++
	}
	r.ChangedAt = s.index
	s.putReservation(old, &r, c.Create)
	return Result{Name: r.Name}
}

// putReservation publishes r in place of old, or as a new one.
func (s *State) putReservation(old, r *sched.Reservation, create bool) {
	list := slices.Clone(s.resvs)
	if create {
		old = nil
		list = append(list, r)
	} else {
		list[slices.Index(list, old)] = r
	}
	s.resvs, s.view = list, nil
	s.events = append(s.events, ReservationChanged{Old: old, New: r, At: s.at})
}

// dropReservation deletes a reservation.
func (s *State) dropReservation(c DropReservation) error {
	r := s.Reservation(c.Name)
	if r == nil || c.ID != 0 && r.ID != c.ID {
		return fmt.Errorf("cannot delete reservation %q: %w", c.Name, slurm.ErrnoReservationInvalid)
	}
	if !c.Over {
		for _, list := range []*jobList{&s.holding, &s.pending} {
			for j := range list.all() {
				if inReservation(j, r) || j.IsPending() && slices.Contains(sched.Wants(j), r.Name) {
					return fmt.Errorf("cannot delete reservation %s: job %d: %w", r.Name, j.ID, slurm.ErrnoReservationBusy)
				}
			}
		}
	}
	s.resvs, s.view = without(s.resvs, func(o *sched.Reservation) bool { return o == r }), nil
	s.events = append(s.events, ReservationChanged{Old: r, At: s.at})
	for _, j := range s.pending.slice() {
		if slices.Contains(sched.Wants(j), r.Name) {
			s.loseReservation(j, r)
		}
	}
	return nil
}

// inReservation reports whether a job that has not ended is in the reservation.
func inReservation(j *sched.Job, r *sched.Reservation) bool {
	return sched.Uses(j, r) && !j.HasEnded()
}

// loseReservation is what becomes of a job that waits for a reservation which is
// gone: it waits for the others it asked for; without any it is held, unless the
// reservation lets such jobs go on without it.
func (s *State) loseReservation(old *sched.Job, r *sched.Reservation) {
	j := *old
	left := without(sched.Wants(old), func(name string) bool { return name == r.Name })
	if len(left) > 0 || r.Has(slurm.ResvNoHoldJobs) {
		spec := *old.Spec
		spec.Reservation = strings.Join(left, ",")
		j.Spec = &spec
	} else {
		spec := *old.Spec
		spec.Reservation = ""
		j.Spec = &spec
		j.HeldBy, j.Priority = sched.HeldByUser, 0
		j.State |= slurm.JobResvDelHold
		j.Reason, j.ReasonText = slurm.ReasonReservationDeleted, "Reservation "+r.Name+" was deleted"
	}
	s.set(&j)
}

// checkReserved says why reservations do not let a job start as planned, and notes
// in j the one it starts in.
func (s *State) checkReserved(j *sched.Job, start sched.Start, view *sched.ResvView, claim *claim) error {
	if start.Reservation == "" {
		if len(sched.Wants(j)) > 0 {
			return fmt.Errorf("it asked for reservation %s: %w", j.Spec.Reservation, slurm.ErrnoReservationNotUsable)
		}
		if view == nil {
			return nil
		}
	}
	var use *sched.Reservation
	if start.Reservation != "" {
		if use = s.Reservation(start.Reservation); use == nil {
			return fmt.Errorf("reservation %q: %w", start.Reservation, slurm.ErrnoReservationInvalid)
		}
		if use = use.At(s.at); !use.Active(s.at) && !use.Has(slurm.ResvFlex) {
			return fmt.Errorf("reservation %s: %w", use.Name, slurm.ErrnoReservationNotUsable)
		}
		j.Resv, j.ResvID = use.Name, use.ID
	}
	p := s.config.Partition(j.Partition)
	whole, _ := sched.Exclusivity(s.config, j, p)
	limit := j.TimeLimit
	if start.TimeLimit > 0 {
		limit = start.TimeLimit
	}
	during := use.Within(sched.SpanOf(s.at, limit))
	for _, a := range j.Alloc {
		n := claim.node(a.Node)
		if n == nil {
			continue // the claim refuses it
		}
		free := n.CPUs*sched.ShareLimit(s.config, j, p) - n.UsedCPUs
		left, open := view.Left(a.Node, use, during, free, whole, func(resv string) int { return s.usedIn(n, resv) })
		if !open || left < a.CPUs {
			return fmt.Errorf("node %s is reserved: %w", a.Node, slurm.ErrnoNodesBusy)
		}
	}
	return nil
}

// usedIn counts the CPUs that jobs of a reservation have on a node.
func (s *State) usedIn(n *sched.Node, resv string) int {
	sum := 0
	for _, id := range n.Running {
		j := s.jobs[id]
		if j == nil || j.Resv != resv {
			continue
		}
		for _, a := range j.Alloc {
			if a.Node == n.Name {
				sum += a.CPUs
			}
		}
	}
	return sum
}

// followNodes takes nodes that are gone out of the reservations, and gives those
// that follow a partition its present nodes.
func (s *State) followNodes() {
	for _, old := range s.resvs {
		r := *old
		r.Nodes = without(old.Nodes, func(n sched.NodeName) bool { return s.Node(n) == nil })
		r.Cores = without(old.Cores, func(c sched.ReservedCores) bool { return s.Node(c.Node) == nil })
		if p := s.config.Partition(r.Partition); p != nil && r.Has(slurm.ResvPartNodes) {
			r.Nodes = slices.Clone(p.Nodes)
		}
		if !slices.Equal(r.Nodes, old.Nodes) {
			var known []string
			if s.config.Conf != nil {
				known = s.config.Conf.AccountingStorageTRES
			}
			r.TRES = sched.ReservedTRES(&r, s.nodes, known)
			r.ChangedAt = s.index
			s.putReservation(old, &r, false)
		}
	}
}
