package sched

import (
	"time"

	"github.com/runink/rink/slurm"
)

// Forecast is where and when a job could start.
type Forecast struct {
	Start     time.Time
	Partition PartitionName
	CPUs      int
	Alloc     []NodeAlloc
}

// Nodes returns the names of the nodes, in order.
func (f Forecast) Nodes() []NodeName {
	j := Job{Alloc: f.Alloc}
	return j.Nodes()
}

// TestOnly says when and where a job could start, counting on running jobs to
// end by their limits, and not on what other jobs wait for. It changes nothing.
// A job that could never start is refused with the error of its submission.
func TestOnly(v View, j *Job, now time.Time) (Forecast, error) {
	v.Pending = nil
	c := NewScheduler(v).newCycle(now, true)
	c.reservations()
	from := c.now
	if j.Begin.After(now) {
		from = instantOf(j.Begin)
	}
	names := j.Partitions
	if len(names) == 0 {
		names = []PartitionName{j.Partition}
	}
	var best Forecast
	var why error = refuse(slurm.ErrnoRequestedNodeConfigUnavailable, "no node of %v could hold the job", names)
	for _, name := range names {
		p := c.part(name)
		if p == nil {
			continue
		}
		// Limits that an operator might lift do not matter here, as in Slurm.
		if w := sizeBars(j, c.t.widened(p.p, j.QOS), p.size); !w.IsZero() {
			why = refuse(slurm.ErrnoRequestedNodeConfigUnavailable, "partition %s: %s", name, w.Shown())
			continue
		}
		a := newAsk(j, p.p, c.t)
		c.inReservation(a)
		at, chosen := c.earliest(a, p, from)
		if chosen == nil || !best.Start.IsZero() && !at.time().Before(best.Start) {
			continue
		}
		best = Forecast{Start: at.time(), Partition: name, Alloc: c.allot(a, chosen, false)}
		for i := range best.Alloc {
			best.CPUs += best.Alloc[i].CPUs
		}
	}
	if best.Start.IsZero() {
		return Forecast{}, why
	}
	return best, nil
}
