package sched

import "github.com/runink/rink/slurm"

// A waiting job is calm when a full pass would tell it just what it has been told,
// as long as there is no room for it: that it waits behind others (Priority), with
// no start in sight. A full pass leaves calm jobs alone that cannot have room, a
// whole chunk at a time, so that it costs what has changed and what might start,
// and not the length of the queue. What may change the reason of a job that has no
// room makes the next full pass look at all of them: nodes that come and go,
// accounts, reservations, limits and preemption.

// takeCalm begins a pass.
func (c *cycle) takeCalm() {
	known := c.calmAt == c.opening
	may := c.resv == nil && !c.giving.rules.on() && !c.v.Ledger.Enforced() && !c.t.policy.everyPromise && !c.t.fifo && !c.t.policy.shortFirst
	if !may {
		c.calmAt = 0
		return
	}
	if c.full {
		c.calming = true
		c.skipping = known
		c.calmAt = c.opening
	}
}

// calmly reports whether calm jobs may be left alone from now on in a full pass:
// those behind the first are promised nothing any more.
func (c *cycle) calmly() bool {
	return c.skipping && (len(c.promised) >= c.t.policy.promises && c.t.bounds.partReserve == 0 || c.looks > promiseLooks)
}

// calmed notes that the job a cursor is at is calm, if it is after a full pass has
// looked at it.
func (c *cycle) calmed(k *cursor, it *item) {
	if !c.calming || it.want.calm || it.gone || len(k.lane.parts) > 1 || k.lane.byLimit || it.told != (told{reason: slurm.ReasonPriority, start: always}) || it.promise != nil {
		return
	}
	j := it.job
	if it.fresh || j.LastSched.IsZero() || j.HetID != 0 || !j.Need.Licenses.IsZero() || j.Throttle > 0 || !j.RoomMade.IsZero() ||
		len(j.Need.NodeList) > 0 || c.done[j] || c.begun[j] > 0 {
		return
	}
	if sh := it.shapes[0]; sh.ask.switches > 0 {
		return // its wait for few of them begins when it could start
	}
	ch := k.lane.chunks[k.at]
	it.want.calm, ch.wants[k.in].calm = true, true
	ch.fussy--
}

// stir notes that a job is told something new, or promised room.
func (s *Scheduler) stir(it *item) {
	if !it.want.calm {
		return
	}
	it.want.calm = false
	if it.lane == nil {
		return
	}
	at, in := it.lane.place(it)
	ch := it.lane.chunks[at]
	ch.wants[in].calm = false
	ch.fussy++
}
