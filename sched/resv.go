package sched

import (
	"cmp"
	"slices"
	"time"

	"github.com/runink/rink/slurm"
)

// ResvView is the reservations as they stand at one moment, for asking where a job
// may start.
type ResvView struct {
	now      time.Time
	list     []*Reservation // as they stand now, in the order of their starts
	accounts *Accounts
	blocks   map[NodeName][]resvBlock
}

// resvBlock is what a reservation keeps of one node.
type resvBlock struct {
	resv  *Reservation
	spans []stretch // when, in order
	cpus  int       // 0: the whole node
}

// stretch is from one moment until before another.
type stretch struct{ from, to instant }

// NewResvView returns how the reservations stand at now, nil when there are none.
func NewResvView(list []*Reservation, accounts *Accounts, now time.Time) *ResvView {
	if len(list) == 0 {
		return nil
	}
	v := &ResvView{now: now, accounts: accounts, blocks: make(map[NodeName][]resvBlock)}
	for _, r := range list {
		var spans []stretch
		for _, s := range r.Spans(now) {
			spans = append(spans, stretch{instantOf(s.From), instantOf(s.To)})
		}
		r = r.At(now)
		v.list = append(v.list, r)
		for _, name := range r.Nodes {
			v.blocks[name] = append(v.blocks[name], resvBlock{resv: r, spans: spans, cpus: r.CPUsOn(name)})
		}
	}
	slices.SortStableFunc(v.list, func(a, b *Reservation) int { return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.Name, b.Name)) })
	return v
}

// Choices returns the reservations in which a job is to be tried, in that order,
// and whether it may be placed outside of them as well. A job that asks for some
// is tried in those; another in those that attract jobs.
func (v *ResvView) Choices(j *Job) (in []*Reservation, outside bool) {
	if names := Wants(j); len(names) > 0 {
		for _, name := range names {
			if r := ReservationOf(v.list, name); r != nil && r.Admits(j, r.Groups, v.accounts) {
				in = append(in, r)
			}
		}
		return in, false
	}
	for _, r := range v.list {
		if r.Has(slurm.ResvMagnetic) && len(r.Nodes) > 0 && r.openAt(v.now) && r.Admits(j, nil, v.accounts) {
			in = append(in, r)
		}
	}
	return in, true
}

// openAt reports whether jobs may start in the reservation at a moment.
func (r *Reservation) openAt(now time.Time) bool { return r.Has(slurm.ResvFlex) || r.Active(now) }

// NextTurn returns the next moment at which a reservation begins or ends; the zero
// time when there is none.
func (v *ResvView) NextTurn() time.Time {
	var next time.Time
	for _, r := range v.list {
		for _, t := range []time.Time{r.Start, r.End} {
			if t.After(v.now) && (next.IsZero() || t.Before(next)) && !r.Has(slurm.ResvTimeFloat) {
				next = t
			}
		}
	}
	return next
}

// floats reports whether a reservation's times move with the clock.
func (v *ResvView) floats() bool {
	return slices.ContainsFunc(v.list, func(r *Reservation) bool { return r.Has(slurm.ResvTimeFloat) })
}

// over reports whether a reservation with these flags lies over others: what is
// in it minds none of them.
func over(r *Reservation) bool {
	return r != nil && r.Flags&(slurm.ResvMaint|slurm.ResvOverlap) != 0
}

// closed returns the reservation that keeps a whole node from a job from one moment
// to another, nil when there is none. use is the reservation the job is placed in,
// nil for none.
func (v *ResvView) closed(node NodeName, use *Reservation, from, to instant) *Reservation {
	if over(use) {
		return nil
	}
	blocks := v.blocks[node]
	for i := range blocks {
		if b := &blocks[i]; b.cpus == 0 && !sameResv(use, b.resv) && b.meets(from, to) {
			return b.resv
		}
	}
	return nil
}

func (b *resvBlock) meets(from, to instant) bool {
	for _, s := range b.spans {
		if s.from < to && from < s.to {
			return true
		}
	}
	return false
}

func sameResv(a, b *Reservation) bool { return a != nil && b != nil && a.Name == b.Name }

// Left returns how many of so many free CPUs of a node a job may have during a
// span of time, and false when the node is closed to it. used tells how many CPUs
// jobs of a reservation have there already.
func (v *ResvView) Left(node NodeName, use *Reservation, during Span, cpus int, whole bool, used func(resv string) int) (int, bool) {
	from, to := instantOf(during.From), instantOf(during.To)
	cpus, open := v.left(node, use, from, to, cpus, whole, used)
	return cpus - v.keeps(node, use, from, to, used), open
}

// left is Left without what other reservations keep of the node's CPUs.
func (v *ResvView) left(node NodeName, use *Reservation, from, to instant, cpus int, whole bool, used func(resv string) int) (int, bool) {
	inside := use == nil || use.Has(slurm.ResvFlex) || len(use.Nodes) == 0
	blocks := v.blocks[node]
	for i := range blocks {
		b := &blocks[i]
		switch {
		case sameResv(use, b.resv):
			inside = true
			if b.cpus > 0 && !use.Has(slurm.ResvFlex) {
				if whole {
					return 0, false
				}
				cpus = min(cpus, b.cpus-used(use.Name))
			}
		case over(use) || !b.meets(from, to):
		case b.cpus == 0 || whole:
			return 0, false
		}
	}
	return cpus, inside
}

// keeps counts the CPUs of a node that reservations keep from a job at some moment
// of a span of time.
func (v *ResvView) keeps(node NodeName, use *Reservation, from, to instant, used func(resv string) int) int {
	if over(use) {
		return 0
	}
	sum := 0
	blocks := v.blocks[node]
	for i := range blocks {
		if b := &blocks[i]; b.cpus > 0 && !sameResv(use, b.resv) && b.meets(from, to) {
			sum += max(b.cpus-used(b.resv.Name), 0)
		}
	}
	return sum
}

// nextEnd returns the first moment after at when a reservation that is in the way of
// a job there from at until to lets go of the node; never when none does.
func (v *ResvView) nextEnd(node NodeName, use *Reservation, at, to instant) instant {
	next := never
	blocks := v.blocks[node]
	for i := range blocks {
		b := &blocks[i]
		for _, s := range b.spans {
			if s.from < to && at < s.to && !sameResv(use, b.resv) {
				next = min(next, s.to)
			}
		}
	}
	if use != nil && instantOf(use.Start) > at {
		next = min(next, instantOf(use.Start))
	}
	return next
}

// lastStart returns the last moment, at or later, at which a job that takes so long
// is still clear of the reservations that begin on the node after at.
func (v *ResvView) lastStart(node NodeName, use *Reservation, at instant, d time.Duration) instant {
	last := never
	blocks := v.blocks[node]
	for i := range blocks {
		b := &blocks[i]
		for _, s := range b.spans {
			// What the job would reach into already has been counted.
			if t := s.from - instant(d); t >= at && !sameResv(use, b.resv) {
				last = min(last, t)
			}
		}
	}
	return last
}

// SpanOf is the time that a job with this limit has when it starts at t.
func SpanOf(t time.Time, limit slurm.Duration) Span { return Span{t, t.Add(span(limit))} }

// endsIts reports whether jobs of the reservation end with it.
func endsIts(r *Reservation) bool {
	return r != nil && r.Flags&(slurm.ResvFlex|slurm.ResvTimeFloat) == 0
}

// Within returns the part of a job's time that it has in the reservation: it ends
// with it. A job in none has all of its time.
func (r *Reservation) Within(s Span) Span {
	if endsIts(r) && r.End.After(s.From) && r.End.Before(s.To) {
		s.To = r.End
	}
	return s
}

// nameOf is the name of a reservation, "" for none.
func nameOf(r *Reservation) string {
	if r == nil {
		return ""
	}
	return r.Name
}
