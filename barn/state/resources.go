package state

import (
	"fmt"
	"slices"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// claim is what jobs that start together take of nodes, before any of it is
// published.
type claim struct {
	s     *State
	nodes map[sched.NodeName]*sched.Node
	cpus  map[sched.NodeName][]string              // which CPUs the claim takes
	wide  map[*sched.Job]map[sched.NodeName]string // CPUs of jobs on many nodes
}

func (s *State) newClaim() *claim { return &claim{s: s, nodes: map[sched.NodeName]*sched.Node{}} }

// node returns a node as the claim leaves it.
func (c *claim) node(name sched.NodeName) *sched.Node {
	if n := c.nodes[name]; n != nil {
		return n
	}
	return c.s.Node(name)
}

// take adds what j takes to the claim, or says what is missing and leaves the
// claim useless.
func (c *claim) take(j *sched.Job) error {
	if len(j.Alloc) == 0 {
		return fmt.Errorf("no nodes are given")
	}
	for _, a := range j.Alloc {
		n := c.node(a.Node)
		if n == nil {
			return fmt.Errorf("%q: %w", a.Node, slurm.ErrnoInvalidNodeName)
		}
		if err := c.s.fits(n, a, j); err != nil {
			return fmt.Errorf("node %s: %w", a.Node, err)
		}
		if err := c.cpusFit(n, j, &a); err != nil {
			return fmt.Errorf("node %s: %w", a.Node, err)
		}
		c.nodes[a.Node] = c.s.taken(n, a, j)
	}
	return nil
}

// publish makes the claim true.
func (c *claim) publish(order []sched.NodeAlloc) {
	for _, a := range order {
		if n := c.nodes[a.Node]; n != nil {
			c.s.setNode(n)
			delete(c.nodes, a.Node)
		}
	}
}

// fits says why a does not fit on n for j, or nil.
func (s *State) fits(n *sched.Node, a sched.NodeAlloc, j *sched.Job) error {
	if a.CPUs < 0 || a.Mem < 0 || a.Tasks < 0 {
		return fmt.Errorf("an amount below zero: %d CPUs, %d MB, %d tasks", a.CPUs, a.Mem, a.Tasks)
	}
	if !n.Usable() {
		return fmt.Errorf("it is %v: %w", n.State, slurm.ErrnoNodeNotAvail)
	}
	if slices.Contains(n.Running, j.ID) {
		return fmt.Errorf("it is given twice")
	}
	p := s.config.Partition(j.Partition)
	switch whole, user := sched.Exclusivity(s.config, j, p); {
	case n.ExclusiveBy != 0 && n.ExclusiveUser != j.UID, n.ExclusiveBy != 0 && n.ExclusiveUser == sched.NoUser:
		return fmt.Errorf("job %d has it to itself: %w", n.ExclusiveBy, slurm.ErrnoNodesBusy)
	case whole && s.present(n, 0) != 0:
		return fmt.Errorf("job %d is on it: %w", s.present(n, 0), slurm.ErrnoNodesBusy)
	case user:
		for _, id := range n.Running {
			if other := s.jobs[id]; other != nil && other.UID != j.UID && !other.Aside() {
				return fmt.Errorf("job %d of another user is on it: %w", id, slurm.ErrnoNodesBusy)
			}
		}
	}
	if have := n.CPUs * sched.ShareLimit(s.config, j, p); n.UsedCPUs+a.CPUs > have {
		return fmt.Errorf("%d of %d CPUs are in use, %d asked: %w", n.UsedCPUs, have, a.CPUs, slurm.ErrnoNodesBusy)
	}
	if s.config.TracksMemory && n.UsedMem+a.Mem > n.Memory {
		return fmt.Errorf("%d of %d MB are in use, %d asked: %w", n.UsedMem, n.Memory, a.Mem, slurm.ErrnoNodesBusy)
	}
	used := n.UsedGres
	for _, g := range a.Gres {
		if err := g.CountsNamed(); err != nil {
			return err
		}
		if err := n.GresFits(used, g); err != nil {
			return err
		}
		used = sched.AddGres(used, g)
	}
	return nil
}

// taken returns n with a in use by j.
func (s *State) taken(n *sched.Node, a sched.NodeAlloc, j *sched.Job) *sched.Node {
	c := *n
	c.Running = with(n.Running, j.ID)
	c.UsedCPUs += a.CPUs
	c.UsedMem += a.Mem
	for _, g := range a.Gres {
		c.UsedGres = sched.AddGres(c.UsedGres, g)
	}
	c.LastBusy = s.at
	if c.State.Has(slurm.NodePoweredDown) {
		c.State |= slurm.NodePowerUp
	}
	if whole, user := sched.Exclusivity(s.config, j, s.config.Partition(j.Partition)); whole {
		c.ExclusiveBy, c.ExclusiveUser = j.ID, sched.NoUser
	} else if user && c.ExclusiveBy == 0 {
		c.ExclusiveBy, c.ExclusiveUser = j.ID, j.UID
	}
	return &c
}

// given returns n with what j holds there free again. j is the record as it
// was while it held it.
func (s *State) given(n *sched.Node, a sched.NodeAlloc, j *sched.Job) *sched.Node {
	c := *n
	c.Running = without(n.Running, func(id slurm.JobID) bool { return id == j.ID })
	if !j.CPUsFree {
		c.UsedCPUs -= a.CPUs
	}
	c.UsedMem -= a.Mem
	for _, g := range a.Gres {
		c.UsedGres = sched.SubGres(c.UsedGres, g)
	}
	c.LastBusy = s.at
	if j.IsCompleting() {
		countCompleting(&c, -1)
	}
	if c.ExclusiveBy == j.ID {
		c.ExclusiveBy, c.ExclusiveUser = 0, 0
		s.findKeeper(&c)
	}
	return &c
}

// countCompleting counts the jobs that are ending on n.
func countCompleting(n *sched.Node, by int) {
	n.CompletingJobs += by
	n.State &^= slurm.NodeCompleting
	if n.CompletingJobs > 0 {
		n.State |= slurm.NodeCompleting
	}
}
