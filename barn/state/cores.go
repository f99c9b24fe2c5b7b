package state

import (
	"fmt"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// cpusFit says why j cannot have the CPUs of a node that were chosen for it, or nil:
// another has some of them, or they are not as many as it is given. A start without a
// choice is one of a controller that did not know of it.
func (c *claim) cpusFit(n *sched.Node, j *sched.Job, a *sched.NodeAlloc) error {
	if a.CPUIDs == "" {
		return nil
	}
	if err := sched.CheckCPUs(n, a); err != nil {
		return err
	}
	if sched.ShareLimit(c.s.config, j, c.s.config.Partition(j.Partition)) > 1 {
		return nil
	}
	meets := sched.CPUsMeeting(a.CPUIDs)
	for _, list := range c.cpus[n.Name] {
		if meets(list) {
			return fmt.Errorf("CPUs of %s are given twice: %w", a.CPUIDs, slurm.ErrnoNodesBusy)
		}
	}
	if err := c.cpusClear(n, j, a); err != nil {
		return err
	}
	if c.cpus == nil {
		c.cpus = map[sched.NodeName][]string{}
	}
	c.cpus[n.Name] = append(c.cpus[n.Name], a.CPUIDs)
	return nil
}

// cpusClear says which job has some of the CPUs that are j's, or nil. A suspended job
// that gave its own back has none.
func (c *claim) cpusClear(n *sched.Node, j *sched.Job, a *sched.NodeAlloc) error {
	if a.CPUIDs == "" {
		return nil
	}
	s, meets := c.s, sched.CPUsMeeting(a.CPUIDs)
	for _, id := range n.Running {
		o := s.jobs[id]
		if o == nil || id == j.ID || o.CPUsFree || sched.ShareLimit(s.config, o, s.config.Partition(o.Partition)) > 1 {
			continue
		}
		if meets(c.cpusOn(o, n.Name)) {
			return fmt.Errorf("job %d has CPUs of %s of node %s: %w", id, a.CPUIDs, n.Name, slurm.ErrnoNodesBusy)
		}
	}
	return nil
}

// fewNodes is on how many nodes a job's are looked for one by one.
const fewNodes = 16

// cpusOn is sched.Job.CPUsOn for a claim that asks it of each of many nodes.
func (c *claim) cpusOn(o *sched.Job, name sched.NodeName) string {
	if len(o.Alloc) <= fewNodes {
		return o.CPUsOn(name)
	}
	by := c.wide[o]
	if by == nil {
		by = make(map[sched.NodeName]string, len(o.Alloc))
		for i := range o.Alloc {
			by[o.Alloc[i].Node] = o.Alloc[i].CPUIDs
		}
		if c.wide == nil {
			c.wide = map[*sched.Job]map[sched.NodeName]string{}
		}
		c.wide[o] = by
	}
	return by[name]
}
