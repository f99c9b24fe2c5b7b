package sched

import (
	"slices"
	"testing"
)

const day = int64(86400)

// rankAll gives the numbers of jobs in the order of their ranks.
func rankAll(l Line, now int64, cands ...Cand) []int64 {
	slices.SortFunc(cands, func(a, b Cand) int { return l.Rank(a, now).Compare(l.Rank(b, now)) })
	var out []int64
	for _, c := range cands {
		out = append(out, c.Seq)
	}
	return out
}

func TestLineOrder(t *testing.T) {
	now := 10 * day
	short := Cand{Seq: 3, Submit: now - 600, Typical: 60, Share: 0.01}
	long := Cand{Seq: 2, Submit: now - 7200, Typical: 36000, Share: 0.02}
	wide := Cand{Seq: 4, Submit: now - 600, Typical: 36000, Share: 0.9}
	old := Cand{Seq: 1, Submit: now - 3*day, Typical: 80000, Share: 0.1}
	tests := []struct {
		name string
		line Line
		want []int64
	}{
		{"ShortFirst", Line{Due: float64(9 * day)}, []int64{3, 1, 2, 4}},
		{"DueFirst", Line{Due: float64(2 * day)}, []int64{1, 3, 2, 4}},
		{"CatchingUpLargeFirst", Line{Due: float64(9 * day), Sluggish: 100}, []int64{4, 1, 2, 3}},
		{"CatchingUpSlowedDownBeforeThem", Line{Due: float64(9 * day), Sluggish: 5}, []int64{3, 4, 1, 2}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := rankAll(tt.line, now, short, long, wide, old); !slices.Equal(got, tt.want) {
				t.Errorf("order %v, want %v", got, tt.want)
			}
		})
	}
}

// Whatever is submitted after it, a job comes first once it is due, and those due
// come in the order of their arrival.
func TestLineStarvesNobody(t *testing.T) {
	l := Line{Due: float64(day), Sluggish: 1000}
	huge := Cand{Seq: 1, Typical: 1e6, Share: 1}
	if at := int64(dueLeast) + int64(float64(day)*(1-dueWide)); l.Rank(huge, at).Tier != TierDue {
		t.Errorf("a job as wide as the machine is not due after %d s", at)
	}
	var jobs []Cand
	for i := range int64(50) {
		jobs = append(jobs, Cand{Seq: 50 - i, Submit: (50 - i) * 10, Typical: float64(10 + i*i*100), Share: float64(i%10) / 10})
	}
	if got := rankAll(l, 5*day, jobs...); !slices.IsSorted(got) {
		t.Errorf("jobs that are due are not in the order of arrival: %v", got)
	}
}

func TestPaceBacklog(t *testing.T) {
	var p Pace
	if l := p.Line(0, 1000, 0, day); l.Due != dueShare*1000 || l.Sluggish != 0 {
		t.Errorf("first line %+v", l)
	}
	if l := p.Line(100, 10, 0, day); l.Due < 0.99*dueShare*1000 {
		t.Errorf("the longest backlog is forgotten at once: %+v", l)
	}
	if l := p.Line(100+int64(backlogHalf), 0, 0, day); l.Due > 0.51*dueShare*1000 {
		t.Errorf("the longest backlog is not forgotten in time: %+v", l)
	}
	for range 10_000 {
		p.Ended(0.5, 100, 50)
	}
	var q Pace
	for range 10_000 {
		q.Ended(0.5, 100, 50)
	}
	if l := q.Line(0, 1000, 0, day); l.Due < 0.49*dueShare*1000 || l.Due > 0.51*dueShare*1000 {
		t.Errorf("work is foreseen twice as large as it is, and taken as %+v", l)
	}
}

// TestDueByTheTwin has a backlog that is foreseen far too large: nobody is let wait
// much longer for it than first come, first served lets anybody.
func TestDueByTheTwin(t *testing.T) {
	var p Pace
	if l := p.Line(0, 100*float64(day), 0, 2*day); l.Due != float64(2*day)+dueBeyond {
		t.Errorf("due after %.0f s where the unluckiest waits two days", l.Due)
	}
	if l := p.Line(1, 100*float64(day), 0, 0); l.Due != dueBeyond {
		t.Errorf("due after %.0f s where nobody waits", l.Due)
	}
}

func TestPaceCatchesUp(t *testing.T) {
	busy := func() *Pace {
		p := &Pace{}
		p.Submitted(0, 1, 200*float64(day)) // more than the machine can do
		return p
	}
	last := -1.0
	for hours := range int64(20) {
		l := busy().Line(100*day, 0, float64(hours*3600), day)
		if l.Sluggish < last {
			t.Errorf("at %d h behind %.0f, less than %.0f before", hours, l.Sluggish, last)
		}
		last = l.Sluggish
	}
	if last < 100 {
		t.Errorf("20 h behind only jobs slowed down %.0f times go first", last)
	}
	if l := busy().Line(100*day, 0, -3600, day); l.Sluggish != 0 {
		t.Errorf("ahead, and yet %+v", l)
	}
	var idle Pace // a machine that is mostly idle makes up for it by itself
	idle.Submitted(0, 1, 10*float64(day))
	if l := idle.Line(100*day, 0, 20*3600, day); l.Sluggish != 0 {
		t.Errorf("20 h behind on an idle machine: %+v", l)
	}
}
