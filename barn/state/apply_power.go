package state

import (
	"fmt"
	"slices"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// powerNodes moves nodes from one state of power to the next.
func (s *State) powerNodes(c PowerNodes) error {
	if c.Step > PowerNoReboot {
		return fmt.Errorf("there is no step of power number %d", c.Step)
	}
	for _, name := range c.Nodes {
		if s.Node(name) == nil {
			return fmt.Errorf("cannot power node %q: %w", name, slurm.ErrnoInvalidNodeName)
		}
	}
	for _, name := range c.Nodes {
		old := s.Node(name)
		n := *old
		switch c.Step {
		case PowerGoOff:
			if len(n.Running) > 0 || n.State.Has(slurm.NodePoweringDown) {
				continue
			}
			n.State = n.State&^(slurm.NodePowerDown|slurm.NodePowerUp|slurm.NodePoweringUp|slurm.NodeNotResponding|slurm.NodePoweredDown) | slurm.NodePoweringDown
			if old.State.Has(slurm.NodePowerDown) {
				// It was drained for this, or is to be idle whatever it was before.
				n.State &^= slurm.NodeDrain
				n.State = slurm.NodeIdle | n.State.Flags()
				s.giveReason(&n, "", "")
			}
			if c := s.config.Conf; c != nil && c.SlurmctldParameters.Has("idle_on_node_suspend") {
				n.State = slurm.NodeIdle | n.State.Flags()&^(slurm.NodeDrain|slurm.NodeFail)
				s.giveReason(&n, "", "")
			}
			n.PowerAt = s.at
		case PowerIsOff:
			if !n.State.Has(slurm.NodePoweringDown) {
				continue
			}
			n.State = n.State&^(slurm.NodePoweringDown|slurm.NodeNotResponding) | slurm.NodePoweredDown
		case PowerComeUp:
			if !n.State.Has(slurm.NodePoweredDown) && !n.State.Has(slurm.NodePowerUp) || n.State.Has(slurm.NodePoweringDown) {
				continue
			}
			n.State = n.State&^(slurm.NodePowerUp|slurm.NodePowerDown|slurm.NodePoweredDown) | slurm.NodePoweringUp
			n.PowerAt = s.at
		case PowerIsUp:
			if !n.State.Has(slurm.NodePoweringUp) {
				continue
			}
			s.isUp(&n)
		case PowerLost:
			if !n.State.Has(slurm.NodePoweringUp) {
				continue
			}
			n.State = slurm.NodeDown | n.State.Flags()&^(slurm.NodePoweringUp|slurm.NodePowerUp) | slurm.NodeNotResponding
			s.giveReason(&n, c.Reason, "slurm")
		case PowerReboot:
			if len(n.Running) > 0 || !n.State.Has(slurm.NodeRebootRequested) {
				continue
			}
			s.rebootNow(&n)
		case PowerNoReboot:
			if !n.State.Has(slurm.NodeRebootIssued) {
				continue
			}
			n.State = slurm.NodeDown | n.State.Flags()&^slurm.NodeRebootIssued
			n.NextState = 0
			s.giveReason(&n, c.Reason, "slurm")
		}
		s.setNode(&n)
		if c.Step == PowerIsUp {
			s.configured(&n)
		}
	}
	return nil
}

// isUp is a node that was coming up and is there.
func (s *State) isUp(n *sched.Node) {
	n.State &^= slurm.NodePoweringUp | slurm.NodePowerUp | slurm.NodePoweredDown | slurm.NodeNotResponding
	n.LastBusy = s.at
}

// mustComeUp reports whether a job that starts has to wait for any of its nodes.
func (s *State) mustComeUp(j *sched.Job) bool {
	return slices.ContainsFunc(j.Alloc, func(a sched.NodeAlloc) bool { return s.Node(a.Node).Asleep() })
}

// configured lets the jobs begin that waited for a node to come up, if it was the
// last. Their time counts from now.
func (s *State) configured(n *sched.Node) {
	for _, id := range slices.Clone(n.Running) {
		old := s.jobs[id]
		if old == nil || !old.State.Has(slurm.JobPowerUpNode) || !old.IsRunning() ||
			slices.ContainsFunc(old.Alloc, func(a sched.NodeAlloc) bool { return s.Node(a.Node).Asleep() }) {
			continue
		}
		j := *old
		j.State &^= slurm.JobPowerUpNode
		if s.mustPrepare() {
			s.set(&j)
			s.events = append(s.events, JobStarted{Job: &j})
			continue
		}
		s.begin(&j)
	}
}

// begin lets a job begin that was being made ready. Its time counts from now.
func (s *State) begin(j *sched.Job) {
	j.State &^= slurm.JobConfiguring
	j.Start = s.at
	j.End = expectedEnd(j)
	s.set(j)
	s.events = append(s.events, JobStarted{Job: j})
}

// mustPrepare reports whether something has to run between the allocation of a
// job and its begin.
func (s *State) mustPrepare() bool {
	return s.config != nil && sched.RunsBefore(s.config)
}

// beginJob is a job that has been made ready. Telling it twice does no harm.
func (s *State) beginJob(c BeginJob) error {
	old := s.jobs[c.Job]
	switch {
	case old == nil:
		return refused("begin", c.Job, slurm.ErrnoInvalidJobID)
	case old.Restarts != c.Restarts, !old.IsRunning() || !old.State.Has(slurm.JobConfiguring):
		return refused("begin", c.Job, slurm.ErrnoAlreadyDone)
	case old.State.Has(slurm.JobPowerUpNode):
		return refused("begin", c.Job, slurm.ErrnoNodesBusy)
	}
	j := *old
	s.begin(&j)
	return nil
}

// rebootNow marks a node that is told to reboot. What drained it for that is over.
func (s *State) rebootNow(n *sched.Node) {
	n.State = slurm.NodeDown | n.State.Flags()&^slurm.NodeRebootRequested | slurm.NodeRebootIssued
	if n.NextState != 0 {
		n.State &^= slurm.NodeDrain
	}
	n.Reason = joinReason(n.Reason, "reboot issued")
	n.PowerAt = s.at
}

// rebooted takes back a node that was told to reboot, and did.
func (s *State) rebooted(n *sched.Node) {
	next := n.NextState
	n.State &^= slurm.NodeRebootIssued
	n.NextState = 0
	if next == slurm.NodeDown {
		n.Reason = joinReason(n.Reason, "reboot complete")
		return
	}
	n.State = slurm.NodeIdle | n.State.Flags()
}

func joinReason(a, b string) string {
	if a == "" {
		return b
	}
	return a + " : " + b
}
