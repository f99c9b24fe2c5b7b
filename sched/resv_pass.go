package sched

import (
	"slices"
	"time"

	"github.com/runink/rink/slurm"
)

// resvChoice is one of the ways to place a job: in a reservation, or in none.
type resvChoice struct {
	resv *Reservation
	core bool // on nodes of the reservation alone, although it is FLEX
}

// resvTurns is what the scheduler keeps of reservations from one pass to the next.
type resvTurns struct {
	resvDue  time.Time // when one begins or ends next
	resvNews bool      // there are others than in the last pass
}

// resvPass is the reservations as one pass of the scheduler works with them.
type resvPass struct {
	job     *Job // of the choices
	choices []resvChoice
	pick    int            // the choice at hand
	off     map[offKey]Why // what reservations keep requests from
}

type offKey struct {
	shape *shape
	span  time.Duration
}

// Reservations tells of the reservations there are from now on.
func (s *Scheduler) Reservations(list []*Reservation) {
	s.gainReserved()
	s.v.Reservations = list
	s.gainReserved()
	s.resv, s.resvDue, s.resvNews = nil, time.Time{}, true
	s.LookAgain()
}

// Reservation tells of a reservation that was made, changed or dropped: old is nil
// for a new one, now for one that is gone.
func (s *Scheduler) Reservation(old, now *Reservation) {
	list := slices.Clone(s.v.Reservations)
	at := -1
	if old != nil {
		at = slices.IndexFunc(list, func(r *Reservation) bool { return r.ID == old.ID })
	}
	switch {
	case at < 0 && now != nil:
		list = append(list, now)
	case at >= 0 && now != nil:
		list[at] = now
	case at >= 0:
		list = slices.Delete(list, at, at+1)
	}
	s.Reservations(list)
}

// gainReserved notes that the nodes of reservations may have more to give.
func (s *Scheduler) gainReserved() {
	for _, r := range s.v.Reservations {
		for _, name := range r.Nodes {
			if pos, ok := s.byName[name]; ok {
				s.gain(&s.rooms[pos])
			}
		}
	}
	s.unbarred = true
}

// reservations brings what is known of reservations up to date at the beginning
// of a pass: once one has begun or ended, what it kept back is looked at again.
func (c *cycle) reservations() {
	if len(c.v.Reservations) == 0 && !c.resvNews {
		return
	}
	turned := c.resv == nil || !c.resvDue.IsZero() && !c.at.Before(c.resvDue)
	if turned || c.resv.floats() {
		c.resv = NewResvView(c.v.Reservations, c.v.Accounts, c.at)
	}
	if turned {
		c.gainReserved()
	}
	if c.resvNews {
		c.liftAll()
		c.resvNews = false
	}
	if c.resv == nil {
		return
	}
	c.resv.now = c.at
	c.resvDue = c.resv.NextTurn()
	c.againBy(c.resvDue)
}

// endIn returns when a job that would end by itself then does end: with its
// reservation at the latest.
func (s *Scheduler) endIn(j *Job, end instant) instant {
	if j.Resv == "" || j.IsCompleting() {
		return end
	}
	if r := ReservationOf(s.v.Reservations, j.Resv); endsIts(r) {
		return min(end, instantOf(r.End))
	}
	return end
}

// choose works out the ways to place a job, and takes one of them: that in which
// room is promised to it when there is none now.
func (c *cycle) choose(j *Job) []resvChoice {
	if c.way.job == j {
		return c.way.choices
	}
	c.way.job, c.way.choices = j, c.way.choices[:0]
	in, outside := c.resv.Choices(j)
	for _, r := range in {
		if !r.openAt(c.at) && len(in) > 1 && slices.ContainsFunc(in, func(o *Reservation) bool { return o.openAt(c.at) }) {
			continue // another one is open
		}
		if r.Has(slurm.ResvFlex) && len(r.Nodes) > 0 {
			c.way.choices = append(c.way.choices, resvChoice{r, true}) // its own nodes first
		}
		c.way.choices = append(c.way.choices, resvChoice{resv: r})
	}
	if outside {
		c.way.choices = append(c.way.choices, resvChoice{})
	}
	c.way.pick = len(c.way.choices) - 1
	return c.way.choices
}

// inReservation has a request placed in the choice at hand of its job. In a
// reservation, at whose end the job ends at the latest, it is like no other
// request.
func (c *cycle) inReservation(a *ask) {
	if c.resv == nil {
		return
	}
	list := c.choose(a.job)
	if len(list) == 0 {
		return
	}
	choice := list[c.way.pick]
	a.resv, a.core = choice.resv, choice.core
	if a.resv == nil {
		return
	}
	a.shape = nil
	if endsIts(a.resv) && a.resv.End.After(c.at) {
		a.span = min(a.span, a.resv.End.Sub(c.at))
	}
}

// placeReserved is place for a job that may be placed in several ways.
func (c *cycle) placeReserved(e entry) bool {
	if c.resv == nil || e.job.HetID != 0 {
		return c.place(e)
	}
	n := len(c.choose(e.job))
	for i := range n - 1 {
		c.way.pick = i
		if c.place(e) {
			return true
		}
	}
	c.way.pick = n - 1
	return c.place(e)
}

// resvBars says why reservations keep a job from starting, whatever is free, and
// from when on they do not.
func (c *cycle) resvBars(j *Job) (Why, time.Time) {
	if c.resv == nil {
		if len(Wants(j)) > 0 {
			return because(slurm.ReasonReservationInvalid), time.Time{}
		}
		return Why{}, time.Time{}
	}
	list := c.choose(j)
	if len(list) == 0 {
		return because(slurm.ReasonReservationInvalid), time.Time{}
	}
	var due time.Time
	for _, choice := range list {
		if choice.resv == nil || choice.resv.openAt(c.at) {
			return Why{}, time.Time{}
		}
		if t := choice.resv.Start; t.After(c.at) && (due.IsZero() || t.Before(due)) {
			due = t
		}
	}
	c.againBy(due)
	return because(slurm.ReasonReservation), due
}

// unreserved returns how many of a room's free CPUs a request may have as far as
// reservations go, and false when the node is closed to it.
func (f *field) unreserved(a *ask, r *room, cpus int) (int, bool) {
	if u := a.resv; u != nil {
		if a.core && !u.HasNode(r.n.Name) || !u.Has(slurm.ResvFlex) && (f.from < instantOf(u.Start) || f.from >= instantOf(u.End)) {
			return 0, false
		}
	}
	used := func(name string) int {
		if f.from > instantOf(f.resv.now) {
			return 0 // its jobs may have ended by then, and it keeps its CPUs
		}
		return r.usedIn(name)
	}
	end := f.from.plus(a.span)
	cpus, open := f.resv.left(r.n.Name, a.resv, f.from, end, cpus, a.whole, used)
	if !open || f.resv.keeps(r.n.Name, a.resv, f.from, end, used) == 0 {
		return cpus, open
	}
	// What is kept is looked at together with what is free at the same time.
	segs := r.line.segs
	for i := r.line.find(f.from); i < len(segs) && segs[i].at < end; i++ {
		until := end
		if i+1 < len(segs) {
			until = min(until, segs[i+1].at)
		}
		cpus = min(cpus, int(segs[i].free())-f.resv.keeps(r.n.Name, a.resv, max(segs[i].at, f.from), until, used))
	}
	return cpus, true
}

// unreservedShared returns how many CPUs of a room a request that shares them may
// have as far as the CPUs go that reservations keep, which nobody shares: at each
// moment what is kept then counts.
func (f *field) unreservedShared(a *ask, r *room) int {
	used := func(name string) int {
		if f.from > instantOf(f.resv.now) {
			return 0
		}
		return r.usedIn(name)
	}
	least, end := r.total*a.sharing, f.from.plus(a.span)
	segs := r.line.segs
	for i := r.line.find(f.from); i < len(segs) && segs[i].at < end; i++ {
		g, until := &segs[i], end
		if i+1 < len(segs) {
			until = min(until, segs[i+1].at)
		}
		kept := f.resv.keeps(r.n.Name, a.resv, max(g.at, f.from), until, used)
		own := r.total - int(g.cpus) - int(g.shared)
		least = min(least, (r.total-own-kept)*a.sharing-int(g.shared))
	}
	return least
}

// usedIn counts the CPUs that jobs of a reservation have in the room.
func (r *room) usedIn(name string) int {
	sum := 0
	for i := range r.held {
		if h := &r.held[i]; h.resv == name {
			sum += h.load.cpus
		}
	}
	return sum
}

// letGo returns the first moment after at when a reservation that keeps a room from
// a request, which would be there until to, lets go of it: that may be before
// anything else changes there. It is never when none does.
func (f *field) letGo(a *ask, r *room, at, to instant) instant {
	if f.resv == nil {
		return never
	}
	return f.resv.nextEnd(r.n.Name, a.resv, at, to)
}

// clearUntil returns the last moment, at or later, at which a request is still clear
// of the reservations that begin in a room later.
func (f *field) clearUntil(a *ask, r *room, at instant) instant {
	if f.resv == nil {
		return never
	}
	return f.resv.lastStart(r.n.Name, a.resv, at, a.span)
}

// lacks says what a request that finds no room waits for: a reservation, or what
// others have.
func (c *cycle) lacks(a *ask, p *part) Why {
	if w := c.keptOff(a, p); !w.IsZero() {
		return w
	}
	return c.crowded(a, p)
}

// keptOff says why a request waits when reservations are what it waits for: the
// nodes that none keeps from it could not hold it even if they were idle.
func (c *cycle) keptOff(a *ask, p *part) Why {
	if c.resv == nil {
		return Why{}
	}
	if a.shape == nil {
		return c.whyOff(a, p)
	}
	key := offKey{a.shape, a.span}
	w, ok := c.way.off[key]
	if !ok {
		w = c.whyOff(a, p)
		if c.way.off == nil {
			c.way.off = make(map[offKey]Why)
		}
		c.way.off[key] = w
	}
	return w
}

func (c *cycle) whyOff(a *ask, p *part) Why {
	var by *Reservation
	for _, pos := range p.where {
		r := &c.rooms[pos]
		if len(a.required) > 0 && !a.required[r.n.Name] {
			continue
		}
		if got := c.resv.closed(r.n.Name, a.resv, c.now, c.now.plus(a.span)); got != nil && (by == nil || got.Has(slurm.ResvMaint)) {
			by = got
		}
	}
	if by == nil || c.couldRunOn(a, p, c.resv, nil) {
		return Why{}
	}
	text := slurm.ReasonReqNodeNotAvail.String() + ", May be reserved for other job"
	if by.Has(slurm.ResvMaint) {
		text = slurm.ReasonReqNodeNotAvail.String() + ", Reserved for maintenance"
	}
	return Why{Reason: slurm.ReasonReqNodeNotAvail, Text: text}
}

// freeFor returns the licences that are free for a job: those that reservations
// keep while it would run are not, but for what their own jobs have of them.
func (c *cycle) freeFor(j *Job) slurm.Licenses {
	if c.resv == nil || j.Need.Licenses.IsZero() {
		return c.free
	}
	var use *Reservation
	if list := c.choose(j); len(list) > 0 {
		use = list[c.way.pick].resv
	}
	free, during := c.free, SpanOf(c.at, j.TimeLimit)
	for _, r := range c.resv.list {
		if r.Licenses.IsZero() || sameResv(r, use) || !slices.ContainsFunc(r.Spans(c.at), during.Meets) {
			continue
		}
		kept := slurm.Licenses{}.Plus(r.Licenses)
		for _, o := range c.holding {
			if Uses(o, r) {
				kept = kept.Minus(o.LicensesUsed)
			}
		}
		for i := range kept.Items {
			kept.Items[i].Count = max(kept.Items[i].Count, 0)
		}
		free = free.Minus(kept)
	}
	return free
}
