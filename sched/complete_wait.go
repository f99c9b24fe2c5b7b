package sched

import "time"

// completingIn returns until when a partition waits for jobs that are completing in it
// (CompleteWait): their nodes are about to be free, and what starts before takes
// room in pieces. The zero time: it does not.
func (c *cycle) completingIn(p *part) time.Time {
	wait := c.t.completeWait
	if wait <= 0 {
		return time.Time{}
	}
	if c.waitsFor == nil {
		c.waitsFor = make(map[PartitionName]time.Time)
		for _, j := range c.holding {
			if until := j.End.Add(wait); j.IsCompleting() && until.After(c.at) && until.After(c.waitsFor[j.Partition]) {
				c.waitsFor[j.Partition] = until
			}
		}
	}
	return c.waitsFor[p.p.Name]
}
