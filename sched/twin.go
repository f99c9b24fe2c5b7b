package sched

import (
	"cmp"
	"slices"
)

// Twin is a machine of the mind on which the same jobs are run first come, first
// served with one reservation and backfilling (EASY), so that the real order can
// be held to it: whatever is preferred, the machine should not do less work than
// that would have done.
//
// The machine is a pool of units, and a job takes a number of them (on a real
// cluster: its dominant share). The twin learns how long a job runs when the
// real one has ended, and goes by the prediction until then; what it let go too
// early it makes up for with units that are idle.
//
// Times are in seconds and must not run backwards.
type Twin struct {
	units, free int
	jobs        map[int64]*twinJob
	queue       []*twinJob // waiting, in order of arrival
	runs        []*twinJob // running, by the time their limits end
	now         int64
	work, debt  float64 // done by the twin; still owed for jobs let go too early
	busy        int     // units in use in the real machine
	real        float64 // work done by it
	begun       bool
	longest     int64 // wait of a job that started in the twin
}

// twinJob is a job in the twin.
type twinJob struct {
	id            int64
	units         int
	came          int64
	limit, expect int64
	start, end    int64 // in the twin
	realStart     int64
	run           int64 // what it really ran, once known
	state         twinState
	started       bool // the real one
	known         bool
}

type twinState uint8

const (
	twinWaits twinState = iota
	twinRuns
	twinGone
)

// twinLooks bounds how far down the queue the twin looks for jobs to backfill.
const twinLooks = 1000

// NewTwin returns an empty machine.
func NewTwin(units int) *Twin {
	return &Twin{units: units, free: units, jobs: make(map[int64]*twinJob)}
}

// At moves the twin to a moment. It comes before anything told of that moment.
func (t *Twin) At(now int64) {
	if !t.begun {
		t.now, t.begun = now, true
	}
	t.real += float64(t.busy) * float64(now-t.now)
	for {
		end := now + 1
		for _, r := range t.runs {
			end = min(end, r.end)
		}
		if end > now {
			break
		}
		t.let(max(end, t.now))
		if t.now < now {
			t.fill()
		}
	}
	t.deliver(now)
}

// let lets the jobs go whose time has come.
func (t *Twin) let(at int64) {
	t.deliver(at)
	t.runs = slices.DeleteFunc(t.runs, func(r *twinJob) bool {
		if r.end > at {
			return false
		}
		if !r.known && at < r.start+r.limit {
			if r.end = t.endOf(r); r.end > at {
				return false // the real one runs longer than was expected
			}
		}
		t.free += r.units
		r.state = twinGone
		if r.known {
			t.work += float64(r.run-(at-r.start)) * float64(r.units)
			delete(t.jobs, r.id)
		} else {
			r.end = at
		}
		return true
	})
}

// deliver counts the work done up to a moment.
func (t *Twin) deliver(to int64) {
	dt := float64(to - t.now)
	t.now = to
	t.work += float64(t.units-t.free) * dt
	paid := min(t.debt, float64(t.free)*dt)
	t.work += paid
	t.debt -= paid
}

// endOf is when a job that runs in the twin is expected to end there.
func (t *Twin) endOf(r *twinJob) int64 {
	run := r.expect
	switch {
	case r.known:
		run = r.run
	case r.started:
		run = Outlived(r.expect, t.now-r.realStart, r.limit)
	}
	return max(t.now, r.start+min(max(run, 1), r.limit))
}

// Submitted adds a job that is expected to run so long.
func (t *Twin) Submitted(id int64, units int, limit, expect int64) {
	if units > t.units || t.jobs[id] != nil {
		return
	}
	r := &twinJob{id: id, units: units, came: t.now, limit: max(limit, 1), expect: expect}
	t.jobs[id] = r
	t.queue = append(t.queue, r)
}

// Started tells that the real job has started.
func (t *Twin) Started(id int64) {
	if r := t.jobs[id]; r != nil {
		r.started, r.realStart = true, t.now
	}
}

// Ended tells how long the real job ran.
func (t *Twin) Ended(id, run int64) {
	r := t.jobs[id]
	if r == nil {
		return
	}
	r.known, r.run = true, run
	switch r.state {
	case twinRuns:
		r.end = t.endOf(r)
	case twinGone:
		if more := float64(run-(r.end-r.start)) * float64(r.units); more > 0 {
			t.debt += more
		} else {
			t.work += more
		}
		delete(t.jobs, id)
	}
}

// Withdrawn tells that a job will not run: it was cancelled or held.
func (t *Twin) Withdrawn(id int64) {
	r := t.jobs[id]
	if r == nil {
		return
	}
	if r.state == twinWaits {
		t.queue = slices.DeleteFunc(t.queue, func(q *twinJob) bool { return q == r })
		delete(t.jobs, id)
		return
	}
	t.Ended(id, 0)
}

// Passed ends what was told of a moment: the twin starts what it would start,
// and busy units are in use in the real machine from now on.
func (t *Twin) Passed(busy int) {
	t.let(t.now) // what was told to have ended
	t.fill()
	t.busy = busy
}

// Lag is how much more work the twin has done than the real machine, in seconds
// of the whole machine; less than nothing where the real one is ahead.
func (t *Twin) Lag() float64 { return (t.work - t.real) / float64(t.units) }

// Longest is the longest that a job has waited in the twin until now, whether it
// has started there or not.
func (t *Twin) Longest() int64 {
	if len(t.queue) == 0 {
		return t.longest
	}
	return max(t.longest, t.now-t.queue[0].came)
}

// fill is one pass of EASY over the twin's queue.
func (t *Twin) fill() {
	n := 0
	for n < len(t.queue) && t.queue[n].units <= t.free {
		t.begin(t.queue[n])
		n++
	}
	clear(t.queue[:n])
	t.queue = t.queue[n:]
	if len(t.queue) == 0 || t.free == 0 {
		return
	}
	shadow, extra := t.shadow(t.queue[0].units)
	window := t.queue[:min(len(t.queue), twinLooks)]
	begun := 0
	for _, q := range window[1:] {
		if q.units > t.free {
			continue
		}
		if t.now+q.limit > shadow {
			if q.units > extra {
				continue
			}
			extra -= q.units
		}
		t.begin(q)
		begun++
	}
	if begun == 0 {
		return
	}
	// Those that wait on close up to the rest behind them: it is long.
	to := len(window)
	for i := len(window) - 1; i >= 0; i-- {
		if q := window[i]; q.state == twinWaits {
			to--
			window[to] = q
		}
	}
	clear(window[:to])
	t.queue = t.queue[to:]
}

// shadow is when so many units will be free if all run to their limits, and how
// many more there will be then.
func (t *Twin) shadow(units int) (at int64, extra int) {
	there := t.free
	for i := 0; i < len(t.runs); {
		at = t.runs[i].start + t.runs[i].limit
		for i < len(t.runs) && t.runs[i].start+t.runs[i].limit == at {
			there += t.runs[i].units
			i++
		}
		if there >= units {
			break
		}
	}
	return at, there - units
}

func (t *Twin) begin(r *twinJob) {
	t.free -= r.units
	r.state, r.start = twinRuns, t.now
	t.longest = max(t.longest, t.now-r.came)
	r.end = t.endOf(r)
	i, _ := slices.BinarySearchFunc(t.runs, r.start+r.limit, func(o *twinJob, at int64) int {
		return cmp.Or(cmp.Compare(o.start+o.limit, at), -1)
	})
	t.runs = slices.Insert(t.runs, i, r)
}
