package state

import (
	"fmt"
	"slices"
	"strings"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// setConfig replaces the configuration, and keeps what is known and running on
// the nodes that stay. What would pull the ground from under running jobs is
// refused: such a node has to be drained first.
func (s *State) setConfig(c SetConfig) error {
	config, nodes, err := parseConfig(c.Files)
	if err != nil {
		return fmt.Errorf("cannot set the configuration: %w", err)
	}
	kept := make(map[sched.NodeName]bool, len(nodes))
	for i, n := range nodes {
		kept[n.Name] = true
		if old := s.Node(n.Name); old != nil {
			nodes[i] = keepNode(n, old)
			if err := shrunk(nodes[i], config); err != nil {
				return fmt.Errorf("cannot set the configuration: %w", err)
			}
		}
	}
	for _, old := range s.nodes {
		if !kept[old.Name] && len(old.Running) > 0 {
			return fmt.Errorf("cannot set the configuration: it has no node %s, on which job %d runs: %w", old.Name, old.Running[0], slurm.ErrnoNodesBusy)
		}
	}

	gone := without(s.nodes, func(n *sched.Node) bool { return kept[n.Name] })
	before := s.nodeAt
	was := s.nodes
	s.files = slices.Clone(c.Files)
	s.nodes = nodes
	config = config.WithResources(s.accounts)
	s.useConfig(config)
	s.events = append(s.events, ConfigChanged{Config: config})
	for _, n := range gone {
		s.events = append(s.events, NodeChanged{Old: n, At: s.at})
	}
	for _, n := range nodes {
		if at, ok := before[n.Name]; ok {
			s.events = append(s.events, NodeChanged{Old: was[at], New: n, At: s.at})
		} else {
			s.events = append(s.events, NodeChanged{New: n, At: s.at})
		}
	}
	s.nextJob = max(s.nextJob, config.FirstJobID)
	s.countTRES(config)
	s.followNodes()
	return nil
}

// useConfig makes config the one that counts, s.nodes being its nodes.
func (s *State) useConfig(config *sched.Config) {
	s.config, s.view = config, nil
	s.nodeAt = make(map[sched.NodeName]int, len(s.nodes))
	for i, n := range s.nodes {
		s.nodeAt[n.Name] = i
	}
	s.members = make(map[sched.PartitionName]map[sched.NodeName]bool, len(config.Partitions))
	for _, p := range config.Partitions {
		s.members[p.Name] = membersOf(p)
	}
	if s.ledger != nil {
		s.ledger.Rebuild(s.config, s.accounts, s.at, s.all.all())
	}
}

func membersOf(p *sched.Partition) map[sched.NodeName]bool {
	m := make(map[sched.NodeName]bool, len(p.Nodes))
	for _, n := range p.Nodes {
		m[n] = true
	}
	return m
}

// keepNode returns the newly configured node n with what is known of and held
// on the old one.
func keepNode(n, old *sched.Node) *sched.Node {
	c := *n
	c.Arch, c.OS, c.Version = old.Arch, old.OS, old.Version
	c.BootTime, c.AgentStart, c.SpoolID, c.Registered = old.BootTime, old.AgentStart, old.SpoolID, old.Registered
	c.State = old.State
	c.Reason, c.ReasonUID, c.ReasonUser, c.ReasonTime = old.Reason, old.ReasonUID, old.ReasonUser, old.ReasonTime
	c.LastBusy = old.LastBusy
	c.UsedCPUs, c.UsedMem, c.UsedGres = old.UsedCPUs, old.UsedMem, old.UsedGres
	c.Running, c.CompletingJobs = old.Running, old.CompletingJobs
	c.ExclusiveBy, c.ExclusiveUser = old.ExclusiveBy, old.ExclusiveUser
	c.Found, c.Shapes, c.Cuts, c.Fabric = old.Found, old.Shapes, old.Cuts, old.Fabric
	c.Gres = c.Outfit(sched.SickFiles(old.Gres))
	if n.State.Base() == slurm.NodeFuture && len(old.Running) == 0 {
		c.State = n.State
	} else if old.State.Base() == slurm.NodeFuture {
		c.State = n.State
	}
	return &c
}

// shrunk says why a node is too small for what its jobs hold.
func shrunk(n *sched.Node, config *sched.Config) error {
	most := n.CPUs
	for _, p := range config.Partitions {
		if slices.Contains(p.Nodes, n.Name) {
			most = max(most, n.CPUs*sched.MostSharing(p))
		}
	}
	switch {
	case n.UsedCPUs > most:
		return fmt.Errorf("node %s has %d CPUs and its jobs have %d: %w", n.Name, n.CPUs, n.UsedCPUs, slurm.ErrnoNodesBusy)
	case config.TracksMemory && n.UsedMem > n.Memory:
		return fmt.Errorf("node %s has %d MB of memory and its jobs have %d: %w", n.Name, n.Memory, n.UsedMem, slurm.ErrnoNodesBusy)
	}
	well := *n // what a job has may fail under it
	well.Gres = sched.WithSick(n.Gres, nil)
	for _, g := range n.UsedGres {
		if err := well.GresFits(nil, g); err != nil {
			return fmt.Errorf("node %s: jobs %v use it: %w", n.Name, n.Running, err)
		}
	}
	return nil
}

// updatePartition changes, adds or deletes a partition until the next
// configuration.
func (s *State) updatePartition(c UpdatePartition) error {
	name := c.Partition.Name
	old := s.config.Partition(name)
	if c.Delete {
		if old == nil {
			return fmt.Errorf("cannot delete partition %q: %w", name, slurm.ErrnoInvalidPartition)
		}
		if id := s.userOf(name); id != 0 {
			return slurm.ErrnoPartitionInUse
		}
		s.setPartitions(without(s.config.Partitions, func(p *sched.Partition) bool { return p == old }))
		return nil
	}
	p := c.Partition
	switch {
	case name == "" || strings.ContainsAny(string(name), " \t\n,"):
		return fmt.Errorf("cannot update partition %q: %w", name, slurm.ErrnoInvalidPartition)
	case !slices.Contains([]string{"UP", "DOWN", "DRAIN", "INACTIVE"}, p.State):
		return fmt.Errorf("cannot update partition %s to state %q: %w", name, p.State, slurm.ErrnoInvalidPartition)
	}
	for _, n := range p.Nodes {
		if s.Node(n) == nil {
			return fmt.Errorf("cannot update partition %s: node %q: %w", name, n, slurm.ErrnoInvalidNodeName)
		}
	}
	list := slices.Clone(s.config.Partitions)
	if old == nil {
		list = append(list, &p)
	} else {
		list[slices.Index(list, old)] = &p
	}
	if p.Default {
		for i, other := range list {
			if other.Default && other.Name != name {
				c := *other
				c.Default = false
				list[i] = &c
			}
		}
	}
	s.setPartitions(list)
	return nil
}

// userOf returns a job that is in a partition, or may start there; 0: none.
func (s *State) userOf(name sched.PartitionName) slurm.JobID {
	for _, list := range []*jobList{&s.holding, &s.pending} {
		for j := range list.all() {
			if j.Partition == name || j.IsPending() && slices.Contains(j.Partitions, name) {
				return j.ID
			}
		}
	}
	return 0
}

// setPartitions replaces the partitions.
func (s *State) setPartitions(list []*sched.Partition) {
	config := *s.config
	config.Partitions, config.Default = list, ""
	for i, p := range list {
		if p.Index != i {
			c := *p
			c.Index = i
			list[i] = &c
		}
		if p.Default {
			config.Default = p.Name
		}
	}
	s.useConfig(&config)
	s.events = append(s.events, ConfigChanged{Config: &config})
	s.followNodes()
}
