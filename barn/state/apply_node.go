package state

import (
	"fmt"
	"slices"
	"time"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// setNode publishes n in place of the node of its name.
func (s *State) setNode(n *sched.Node) {
	at := s.nodeAt[n.Name]
	old := s.nodes[at]
	s.nodes[at] = n
	s.view = nil
	s.events = append(s.events, NodeChanged{Old: old, New: n, At: s.at})
}

// registerNode records what a node's agent found when it came up.
func (s *State) registerNode(c RegisterNode) error {
	old := s.Node(c.Node)
	if old == nil {
		return fmt.Errorf("cannot register node %q: %w", c.Node, slurm.ErrnoInvalidNodeName)
	}
	n := *old
	n.Arch, n.OS, n.Version = c.Arch, c.OS, c.Version
	n.BootTime, n.AgentStart, n.SpoolID = c.BootTime, c.AgentStart, c.SpoolID
	n.Registered = true
	n.Found, n.Shapes, n.Fabric = c.Gres, c.Shapes, c.Fabric
	n.Cuts = cutsAsFound(old, c.Cuts)
	n.Gres = n.Outfit(sched.SickFiles(n.Gres))
	if n.State.Has(slurm.NodeRebootIssued) {
		// Times of boot are known to the second.
		if !n.BootTime.Add(2 * time.Second).After(n.PowerAt) {
			n.State &^= slurm.NodeNotResponding
			s.setNode(&n) // its agent is there, on the way down
			return nil
		}
		s.rebooted(&n)
	}
	if c.Up {
		if base := n.State.Base(); base == slurm.NodeDown && s.returns(&n) || base == slurm.NodeUnknown || base == slurm.NodeFuture {
			n.State = slurm.NodeIdle | n.State.Flags()
		}
		n.State &^= slurm.NodeNotResponding | slurm.NodeInvalidReg
		if n.Asleep() {
			s.isUp(&n)
		}
		if old.State.Has(slurm.NodeInvalidReg) && !old.State.Has(slurm.NodeFail) {
			n.State &^= slurm.NodeDrain // it was drained for what it lacked
		}
		if !withheld(n.State) {
			n.Reason, n.ReasonUID, n.ReasonUser, n.ReasonTime = "", 0, "", noTime
		}
	} else {
		n.State &^= slurm.NodeNotResponding
		if n.State.Base() != slurm.NodeDown {
			if n.State.Base() == slurm.NodeUnknown {
				n.State = slurm.NodeIdle | n.State.Flags()
			}
			n.State |= slurm.NodeInvalidReg | slurm.NodeDrain
			s.giveReason(&n, c.Reason, "")
		} else if n.Reason == "" {
			s.giveReason(&n, c.Reason, "")
		}
	}
	s.setNode(&n)
	if c.Up && !n.Asleep() {
		s.configured(&n)
	}
	return nil
}

// returns reports whether a node that is DOWN is back in service once it has
// registered: always (ReturnToService=2), when it was down for not responding (1),
// or not before it is told to resume (0).
func (s *State) returns(n *sched.Node) bool {
	if s.config.Conf == nil {
		return true
	}
	switch s.config.Conf.ReturnToService {
	case 2:
		return true
	case 1:
		return n.State.Has(slurm.NodeNotResponding)
	}
	return false
}

// setDevices records which devices of a node are out of service. The node is
// drained while too few are left, and only then.
func (s *State) setDevices(c SetDevices) error {
	old := s.Node(c.Node)
	if old == nil {
		return fmt.Errorf("cannot set the devices of node %q: %w", c.Node, slurm.ErrnoInvalidNodeName)
	}
	n := *old
	n.Gres = n.Outfit(c.Sick)
	least := 0
	if s.config.Conf != nil {
		least = s.config.Conf.GPUHealthyMin
	}
	reason := sched.SickReason(n.Gres, c.Sick, least)
	ours := n.State.Has(slurm.NodeDrain) && sched.DrainedForDevices(n.Reason)
	switch {
	case reason != "" && (!withheld(n.State) || ours):
		n.State |= slurm.NodeDrain
		s.giveReason(&n, reason, "")
	case reason == "" && ours && !n.State.Has(slurm.NodeInvalidReg):
		n.State &^= slurm.NodeDrain
		if !withheld(n.State) {
			n.Reason, n.ReasonUID, n.ReasonUser, n.ReasonTime = "", 0, "", noTime
		}
	}
	s.setNode(&n)
	return nil
}

// withheld reports whether a node of this state is out of service, which is
// when its reason matters.
func withheld(state slurm.NodeState) bool {
	return state.Base() == slurm.NodeDown || state&(slurm.NodeDrain|slurm.NodeFail|slurm.NodeInvalidReg|slurm.NodeRebootRequested|slurm.NodeRebootIssued) != 0
}

func (s *State) giveReason(n *sched.Node, reason, user string) {
	n.Reason, n.ReasonUID, n.ReasonUser, n.ReasonTime = reason, s.actor.UID, user, s.at
	if user == "" {
		n.ReasonUser = s.actor.User
	}
	if reason == "" {
		n.ReasonUID, n.ReasonUser, n.ReasonTime = 0, "", noTime
	}
}

// updateNode changes the state or properties of nodes, all or none.
func (s *State) updateNode(c UpdateNode) error {
	for _, name := range c.Nodes {
		if s.Node(name) == nil {
			return fmt.Errorf("cannot update node %q: %w", name, slurm.ErrnoInvalidNodeName)
		}
	}
	const computed = slurm.NodeCompleting
	const words = slurm.NodeResume | slurm.NodeUndrain | slurm.NodeCancelReboot
	switch {
	case c.Base != nil && c.Base.Base() != *c.Base,
		c.Base != nil && !slices.Contains([]slurm.NodeState{slurm.NodeDown, slurm.NodeIdle, slurm.NodeUnknown, slurm.NodeFuture, slurm.NodeError}, *c.Base):
		return fmt.Errorf("cannot update nodes to base state %v: %w", *c.Base, slurm.ErrnoInvalidNodeState)
	case c.Set.Base() != 0, c.Clear.Base() != 0, (c.Set|c.Clear)&(computed|words) != 0:
		return fmt.Errorf("cannot update nodes with flags +%v -%v: %w", c.Set, c.Clear, slurm.ErrnoInvalidNodeState)
	}
	if c.Features != nil || c.Available != nil {
		for _, name := range c.Nodes {
			n := *s.Node(name)
			if setFeatures(&n, c); slices.ContainsFunc(n.Features, func(f string) bool { return !slices.Contains(n.AllFeatures(), f) }) {
				return fmt.Errorf("cannot change the features of node %q: %w", name, slurm.ErrnoActiveFeatureNotSubset)
			}
		}
	}
	for _, name := range c.Nodes {
		n := *s.Node(name)
		n.State = n.State&^c.Clear | c.Set
		if c.Base != nil {
			n.State = *c.Base | n.State.Flags()
			if *c.Base == slurm.NodeIdle && !n.Registered {
				n.State = slurm.NodeUnknown | n.State.Flags() // it is idle once it has come
			}
		}
		if c.Reason != nil {
			s.giveReason(&n, *c.Reason, c.ReasonUser)
		} else if !withheld(n.State) {
			s.giveReason(&n, "", "")
		}
		put2(&n.NextState, c.NextState)
		put2(&n.Weight, c.Weight)
		put2(&n.Comment, c.Comment)
		put2(&n.Extra, c.Extra)
		put2(&n.Addr, c.Addr)
		put2(&n.Hostname, c.Hostname)
		put2(&n.CPUBind, c.CPUBind)
		setFeatures(&n, c)
		if !sameNode(s.Node(name), &n) {
			s.setNode(&n)
		}
	}
	return nil
}

// sameNode reports whether updateNode changed nothing.
func sameNode(a, b *sched.Node) bool {
	return a.State == b.State && a.Reason == b.Reason && a.ReasonUID == b.ReasonUID && a.ReasonUser == b.ReasonUser &&
		a.ReasonTime.Equal(b.ReasonTime) && a.Weight == b.Weight && a.Comment == b.Comment && a.Extra == b.Extra && a.NextState == b.NextState &&
		slices.Equal(a.Features, b.Features) && slices.Equal(a.Available, b.Available) && a.Addr == b.Addr && a.Hostname == b.Hostname && a.CPUBind == b.CPUBind
}

// setFeatures changes what features a node has and which of them are active. Those
// that are all active are kept once.
func setFeatures(n *sched.Node, c UpdateNode) {
	if c.Features == nil && c.Available == nil {
		return
	}
	all, active := n.AllFeatures(), n.Features
	if c.Available != nil {
		all = append([]string{}, *c.Available...) // none is not the same as not said
	}
	if c.Features != nil {
		active = *c.Features
	}
	switch {
	case c.Features == nil && len(active) == 0:
		active = all
	case c.Available == nil: // which is how it was written before there was more to say
		all = active
	}
	n.Features, n.Available = slices.Clone(active), slices.Clone(all)
	if slices.Equal(active, all) {
		n.Available = nil
	}
}
