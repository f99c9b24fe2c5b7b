package sched

import (
	"fmt"
	"math"
	"testing"
)

func TestPredictorKnowsNothing(t *testing.T) {
	e := NewPredictor().Predict(Asked{User: "ann", Class: "4", Limit: 3600})
	if e.Typical != 3600 || e.Mean != 3600 {
		t.Errorf("a new predictor expects %+v, want the limit", e)
	}
}

func TestPredictorLearns(t *testing.T) {
	p := NewPredictor()
	mine := Asked{User: "ann", Class: "4", Limit: 3600}
	for range 20 {
		p.Observe(mine, 60)
		p.Observe(Asked{User: "bob", Class: "4", Limit: 3600}, 3600)
	}
	tests := []struct {
		name     string
		asked    Asked
		from, to float64 // of Typical
	}{
		{"SameKind", mine, 60, 200},
		{"SameUserOtherClass", Asked{User: "ann", Class: "8", Limit: 3600}, 60, 600},
		{"SameUserOtherLimit", Asked{User: "ann", Class: "4", Limit: 7200}, 120, 2000},
		{"OtherUserRunsLong", Asked{User: "bob", Class: "4", Limit: 3600}, 2000, 3600},
		{"StrangerBetween", Asked{User: "cid", Class: "4", Limit: 3600}, 200, 2000},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := p.Predict(tt.asked)
			if e.Typical < tt.from || e.Typical > tt.to {
				t.Errorf("Typical = %.0f, want %.0f to %.0f", e.Typical, tt.from, tt.to)
			}
			if e.Mean < 1 || e.Mean > float64(tt.asked.Limit) {
				t.Errorf("Mean = %.0f is not within the limit", e.Mean)
			}
		})
	}
}

// Typical is what one job does, Mean what many do together.
func TestPredictorTypicalAndMean(t *testing.T) {
	p := NewPredictor()
	a := Asked{User: "ann", Class: "1", Limit: 10_000}
	for i := range 400 {
		run := int64(20)
		if i%4 == 0 {
			run = 10_000
		}
		p.Observe(a, run)
	}
	e := p.Predict(a)
	if e.Typical >= e.Mean || math.Abs(e.Mean-2500) > 1500 {
		t.Errorf("three short runs and a long one in turn: %+v", e)
	}
}

// A new habit is believed within a few jobs.
func TestPredictorForgets(t *testing.T) {
	p := NewPredictor()
	a := Asked{User: "ann", Class: "1", Limit: 10_000}
	for range 100 {
		p.Observe(a, 9000)
	}
	for range 6 {
		p.Observe(a, 10)
	}
	if e := p.Predict(a); e.Typical > 1000 {
		t.Errorf("after six short runs Typical is still %.0f", e.Typical)
	}
}

func TestPredictorWithoutUsers(t *testing.T) {
	p := NewPredictor()
	for range 10 {
		p.Observe(Asked{Class: "8", Limit: 600}, 30)
	}
	if e := p.Predict(Asked{Class: "8", Limit: 600}); e.Typical > 120 {
		t.Errorf("Typical = %.0f for a request seen ten times", e.Typical)
	}
}

// Memory is bounded, and what is used all the time is not forgotten.
func TestPredictorIsBounded(t *testing.T) {
	p := NewPredictor()
	mine := Asked{User: "ann", Class: "4", Limit: 3600}
	for i := range 150_000 {
		p.Observe(Asked{User: fmt.Sprint("u", i), Class: "1", Limit: 3600}, 3600)
		if i%1000 == 0 {
			p.Observe(mine, 60)
		}
	}
	if n := len(p.now) + len(p.old); n > 2*predictClasses {
		t.Errorf("%d classes are kept", n)
	}
	if e := p.Predict(mine); e.Typical > 200 {
		t.Errorf("a user seen all along is forgotten: Typical = %.0f", e.Typical)
	}
}

func TestOutlived(t *testing.T) {
	for _, tt := range []struct{ predicted, elapsed, limit, want int64 }{
		{100, 0, 1000, 100}, {100, 100, 1000, 100}, {100, 200, 1000, 300}, {100, 900, 1000, 1000}, {2000, 0, 1000, 1000}, {0, 0, 10, 1},
	} {
		if got := Outlived(tt.predicted, tt.elapsed, tt.limit); got != tt.want {
			t.Errorf("Outlived(%d, %d, %d) = %d, want %d", tt.predicted, tt.elapsed, tt.limit, got, tt.want)
		}
	}
}
