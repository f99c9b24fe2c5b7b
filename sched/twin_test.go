package sched

import (
	"math"
	"math/rand"
	"testing"
)

// toldJob is what the twin is told of a job in these tests: what it asked for, and
// what the real machine did with it.
type toldJob struct {
	at, limit, run, start int64
	units                 int
}

// drive tells a twin a whole history and returns it and when each job started in it.
func drive(units int, jobs []toldJob, expect func(toldJob) int64) *Twin {
	t := NewTwin(units)
	last := int64(0)
	for _, j := range jobs {
		last = max(last, j.start+j.run, j.at)
	}
	busy := 0
	for now := int64(0); now <= last; now++ {
		t.At(now)
		for i, j := range jobs {
			if j.start+j.run == now {
				t.Ended(int64(i), j.run)
				busy -= j.units
			}
		}
		for i, j := range jobs {
			if j.at == now {
				t.Submitted(int64(i), j.units, j.limit, expect(j))
			}
		}
		for i, j := range jobs {
			if j.start == now {
				t.Started(int64(i))
				busy += j.units
			}
		}
		t.Passed(busy)
	}
	return t
}

func exactly(j toldJob) int64 { return j.run }

func TestTwinDoesWhatEASYDoes(t *testing.T) {
	// The wide job waits for the first; the short one fits in before it, the long
	// one does not. All is as in the real machine, so nobody is ahead.
	jobs := []toldJob{
		{at: 0, units: 6, limit: 100, run: 100, start: 0},
		{at: 1, units: 10, limit: 50, run: 50, start: 100},
		{at: 2, units: 4, limit: 50, run: 50, start: 2},
		{at: 3, units: 4, limit: 200, run: 200, start: 150},
	}
	tw := drive(10, jobs, exactly)
	if lag := tw.Lag(); math.Abs(lag) > 1e-9 {
		t.Errorf("lag %g s of a machine that does the same", lag)
	}
}

func TestTwinSeesAMachineFallBehind(t *testing.T) {
	// The real machine leaves half of itself idle for 100 s.
	jobs := []toldJob{
		{at: 0, units: 5, limit: 100, run: 100, start: 0},
		{at: 0, units: 5, limit: 100, run: 100, start: 100},
	}
	tw := NewTwin(10)
	tw.At(0)
	for i, j := range jobs {
		tw.Submitted(int64(i), j.units, j.limit, j.run)
	}
	tw.Started(0)
	tw.Passed(5)
	tw.At(60)
	if lag := tw.Lag(); math.Abs(lag-30) > 1e-9 {
		t.Errorf("lag %g s after 60 s half idle, want 30", lag)
	}
}

// When all is over the twin has done exactly the work there was, however wrong
// the predictions were.
func TestTwinCountsWork(t *testing.T) {
	for _, seed := range seeds(20) {
		rnd := rand.New(rand.NewSource(seed))
		var jobs []toldJob
		start := int64(0)
		for range 40 {
			j := toldJob{at: int64(rnd.Intn(300)), limit: int64(1 + rnd.Intn(80)), units: 1 + rnd.Intn(10)}
			j.run = 1 + rnd.Int63n(j.limit)
			j.start = max(start, j.at) // one at a time, as badly as can be
			start = j.start + j.run
			jobs = append(jobs, j)
		}
		tw := drive(10, jobs, func(j toldJob) int64 { return 1 + rnd.Int63n(j.limit) })
		tw.At(1 << 20)
		tw.Passed(0)
		tw.At(1 << 21)
		if lag := tw.Lag(); math.Abs(lag) > 1e-6 {
			t.Errorf("seed %d: lag %g s after all is done", seed, lag)
		}
		if len(tw.jobs) > 0 || len(tw.queue) > 0 || len(tw.runs) > 0 || tw.free != 10 {
			t.Errorf("seed %d: the twin keeps jobs that are over", seed)
		}
	}
}

func TestTwinWithdrawn(t *testing.T) {
	tw := NewTwin(10)
	tw.At(0)
	tw.Submitted(1, 10, 100, 100)
	tw.Submitted(2, 10, 100, 100)
	tw.Submitted(3, 11, 100, 100) // more than there is: not its business
	tw.Passed(0)
	tw.At(10)
	tw.Withdrawn(2)
	tw.Withdrawn(1)
	tw.Passed(0)
	tw.At(500)
	tw.Passed(0)
	if lag := tw.Lag(); math.Abs(lag) > 1 || len(tw.jobs) != 0 || tw.free != 10 {
		t.Errorf("after all were withdrawn: lag %g s, %d jobs, %d units free", lag, len(tw.jobs), tw.free)
	}
}
