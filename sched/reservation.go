package sched

import (
	"time"

	"github.com/runink/rink/slurm"
)

// Reservation keeps nodes, or CPUs on them, for some jobs over a span of time.
// It is replaced, never written to.
type Reservation struct {
	Name       string
	ID         uint32
	Start, End time.Time
	// Duration is how long it lasts when that was said, and not its end: the end
	// then moves with the start. 0: it was not.
	Duration slurm.Duration
	// Made is when its times were set: with TIME_FLOAT they stay as far ahead of
	// the present as they were then.
	Made      time.Time
	Nodes     []NodeName      // in configuration order
	Cores     []ReservedCores // what is kept on each of the nodes when not all of it
	Partition PartitionName   // "" for any
	// Who may use it; a list that begins with "-" names who may not.
	Users, Accounts, Groups, QOS []string
	Features                     string
	Licenses                     slurm.Licenses
	TRES                         slurm.TRES // what it keeps, as accounting counts it
	Flags                        slurm.ResvFlags
	Comment                      string
	NodeCnt                      int // how many nodes were asked for by number; 0: by name
	CoreCnt                      int // how many cores were asked for; 0: whole nodes
	MaxStartDelay                slurm.Duration
	PurgeAfter                   slurm.Duration // PURGE_COMP=: unused for so long, it goes
	IdleSince                    time.Time      // since when no job is in it or waits for it; zero: some is
	Creator                      string
	ChangedAt                    uint64 // log index of the last change
}

// ReservedCores is what a reservation keeps of one node.
type ReservedCores struct {
	Node  NodeName
	Cores slurm.IndexSet // numbers of the cores on the node
	CPUs  int            // what they come to
}

// Has reports whether a reservation has all of these flags.
func (r *Reservation) Has(flags slurm.ResvFlags) bool { return r.Flags.Has(flags) }

// At returns the reservation as it stands at now: one whose time floats has moved
// on since it was made.
func (r *Reservation) At(now time.Time) *Reservation {
	if !r.Has(slurm.ResvTimeFloat) || !now.After(r.Made) {
		return r
	}
	c := *r
	by := now.Sub(r.Made)
	c.Start, c.End = r.Start.Add(by), r.End.Add(by)
	return &c
}

// Active reports whether now lies in the span of the reservation.
func (r *Reservation) Active(now time.Time) bool {
	r = r.At(now)
	return !r.Start.After(now) && now.Before(r.End)
}

// Repeats reports whether the reservation comes again when it is over.
func (r *Reservation) Repeats() bool { return r.Flags&slurm.ResvRepeats != 0 }

// Next returns the reservation as it comes again after this time, in the time
// zone of at: at the same hour of the day, whatever the clocks do.
func (r *Reservation) Next(at time.Time) *Reservation {
	c := *r
	days := func(n int) {
		c.Start = c.Start.In(at.Location()).AddDate(0, 0, n)
		c.End = c.End.In(at.Location()).AddDate(0, 0, n)
	}
	switch day := r.Start.In(at.Location()).Weekday(); {
	case r.Has(slurm.ResvHourly):
		c.Start, c.End = c.Start.Add(time.Hour), c.End.Add(time.Hour)
	case r.Has(slurm.ResvDaily):
		days(1)
	case r.Has(slurm.ResvWeekday):
		switch day {
		case time.Friday:
			days(3)
		case time.Saturday:
			days(2)
		default:
			days(1)
		}
	case r.Has(slurm.ResvWeekend):
		switch day {
		case time.Saturday:
			days(1)
		case time.Sunday:
			days(6)
		default:
			days(int(time.Saturday - day))
		}
	case r.Has(slurm.ResvWeekly):
		days(7)
	}
	return &c
}

// Span is a stretch of time: from From until before To.
type Span struct{ From, To time.Time }

// Meets reports whether two spans have a moment in common.
func (s Span) Meets(o Span) bool { return s.From.Before(o.To) && o.From.Before(s.To) }

// aheadTimes is how many times a reservation that comes again is looked ahead.
const aheadTimes = 16

// Spans returns when the reservation keeps its nodes, seen from now: the present
// or coming time, and those after it of one that comes again. The last of many is
// without an end, so that nothing is planned where nobody has looked.
func (r *Reservation) Spans(now time.Time) []Span {
	r = r.At(now)
	spans := []Span{{r.Start, r.End}}
	if !r.Repeats() {
		return spans
	}
	for next := r; len(spans) < aheadTimes; {
		next = next.Next(now)
		spans = append(spans, Span{next.Start, next.End})
	}
	last := &spans[len(spans)-1]
	last.To = last.From.Add(10 * yearLong)
	return spans
}

// week returns when the reservation keeps its nodes, from its start on for a week
// when it comes again. Those of weekdays and weekends count once, as in Slurm: it
// lets others lie over their later times.
func (r *Reservation) week() []Span {
	spans := []Span{{r.Start, r.End}}
	if r.Flags&(slurm.ResvHourly|slurm.ResvDaily|slurm.ResvWeekly) == 0 {
		return spans
	}
	until := r.Start.AddDate(0, 0, 7)
	for next := r.Next(r.Start); next.Start.Before(until); next = next.Next(r.Start) {
		spans = append(spans, Span{next.Start, next.End})
	}
	return spans
}

// HasNode reports whether the reservation keeps a node, or part of it.
func (r *Reservation) HasNode(name NodeName) bool {
	for _, n := range r.Nodes {
		if n == name {
			return true
		}
	}
	return false
}

// CPUsOn returns how many CPUs the reservation keeps on a node; 0 is the whole
// node, as long as it has it.
func (r *Reservation) CPUsOn(name NodeName) int {
	for _, c := range r.Cores {
		if c.Node == name {
			return c.CPUs
		}
	}
	return 0
}
