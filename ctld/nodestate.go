package ctld

import (
	"slices"
	"strings"
	"time"

	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// nodeStateChange is what State= asks of nodes.
type nodeStateChange struct {
	base       *slurm.NodeState
	set, clear slurm.NodeState
	lost       bool // their jobs end
	needs      bool // a reason has to be given
	mute       bool // a reason given is not kept
}

// nodeStateOf reads State=.
func nodeStateOf(word string) (nodeStateChange, error) {
	idle, down, future := slurm.NodeIdle, slurm.NodeDown, slurm.NodeFuture
	const power = slurm.NodePowerUp | slurm.NodePoweringUp
	switch strings.ToLower(word) {
	case "drain", "draining", "drained":
		return nodeStateChange{set: slurm.NodeDrain, clear: slurm.NodeFail, needs: true}, nil
	case "undrain":
		return nodeStateChange{clear: slurm.NodeDrain | slurm.NodeFail}, nil
	case "resume":
		return nodeStateChange{base: &idle, clear: slurm.NodeDrain | slurm.NodeFail | slurm.NodeNotResponding}, nil
	case "idle":
		return nodeStateChange{base: &idle, clear: slurm.NodeDrain | slurm.NodeFail | slurm.NodeNotResponding}, nil
	case "down":
		return nodeStateChange{base: &down, clear: slurm.NodeNotResponding | power, lost: true, needs: true}, nil
	case "fail", "failing":
		return nodeStateChange{set: slurm.NodeFail, clear: slurm.NodeDrain, needs: true}, nil
	case "future":
		return nodeStateChange{base: &future, clear: slurm.NodeDrain | slurm.NodeFail | slurm.NodeNotResponding, lost: true}, nil
	case "noresp":
		return nodeStateChange{set: slurm.NodeNotResponding, mute: true}, nil
	case "cancel_reboot":
		return nodeStateChange{clear: slurm.NodeRebootRequested | slurm.NodeRebootIssued}, nil
	case "power_up":
		return nodeStateChange{set: slurm.NodePowerUp, clear: slurm.NodePowerDown}, nil
	case "power_down":
		return nodeStateChange{set: slurm.NodePowerDown, clear: power}, nil
	case "power_down_asap":
		return nodeStateChange{set: slurm.NodePowerDown | slurm.NodeDrain, clear: power, mute: true}, nil
	case "power_down_force":
		return nodeStateChange{set: slurm.NodePowerDown, clear: power, lost: true, mute: true}, nil
	}
	return nodeStateChange{}, slurm.ErrnoInvalidNodeState
}

// mayChange reports whether a node can be asked for that as it is now.
func (c nodeStateChange) mayChange(conf *sched.Config, n *sched.Node, word string) bool {
	const power = slurm.NodePowerUp | slurm.NodePowerDown
	switch strings.ToLower(word) {
	case "cancel_reboot": // one that was told to cannot be called back
		return n.State.Has(slurm.NodeRebootRequested)
	case "resume":
		const out = slurm.NodeDrain | slurm.NodeFail | slurm.NodeInvalidReg | slurm.NodePowerDown
		return n.State.Base() == slurm.NodeDown || n.State.Base() == slurm.NodeFuture || n.State&out != 0
	case "idle":
		return len(n.Running) == 0
	case "undrain", "drain", "draining", "drained", "fail", "failing", "down", "noresp":
		return true
	}
	if c.set&power != 0 {
		return sched.PowerSaves(conf) && n.State.Base() != slurm.NodeFuture && !n.State.Has(slurm.NodeExternal)
	}
	return true
}

// nodeUpdates are the commands for a change of State= on nodes, and an error when
// some of them cannot be asked for that; the others change all the same.
func nodeUpdates(t *state.State, up state.UpdateNode, c nodeStateChange, word string, now time.Time) ([]state.Command, error) {
	var err error
	var cmds []state.Command
	up.Base, up.Set, up.Clear = c.base, c.set, c.clear
	if strings.EqualFold(word, "resume") {
		up.Clear |= slurm.NodePowerDown
	}
	if c.mute || c.base != nil && *c.base == slurm.NodeIdle {
		up.Reason = nil
	}
	names := up.Nodes
	up.Nodes = nil
	for _, name := range names {
		n := t.Node(name)
		switch {
		case !c.mayChange(t.Config(), n, word):
			err = slurm.ErrnoInvalidNodeState
			continue
		case c.set.Has(slurm.NodePowerUp) && n.State&(slurm.NodePoweredDown|slurm.NodePoweringDown) == 0,
			c.set.Has(slurm.NodePowerDown) && n.State.Has(slurm.NodePoweredDown) && !n.State.Has(slurm.NodePowerUp):
			continue // it is as it is asked for
		case strings.EqualFold(word, "cancel_reboot"):
			one, none := up, slurm.NodeState(0)
			one.Nodes, one.NextState = []sched.NodeName{name}, &none
			if n.NextState != 0 {
				one.Clear |= slurm.NodeDrain // it was drained for this
			}
			if one.Reason == nil && (n.NextState != 0 || !n.State.Has(slurm.NodeDrain)) {
				nothing := ""
				one.Reason = &nothing
			}
			cmds = append(cmds, one)
			continue
		}
		up.Nodes = append(up.Nodes, name)
	}
	if strings.EqualFold(word, "undrain") && up.Reason != nil {
		// A reason is of a node that stays out of service.
		well := up
		well.Reason, well.Nodes = nil, slices.DeleteFunc(slices.Clone(up.Nodes), func(name sched.NodeName) bool { return t.Node(name).State.Base() == slurm.NodeDown })
		up.Nodes = slices.DeleteFunc(up.Nodes, func(name sched.NodeName) bool { return slices.Contains(well.Nodes, name) })
		if len(well.Nodes) > 0 {
			cmds = append(cmds, well)
		}
	}
	if len(up.Nodes) > 0 {
		cmds = append(cmds, up)
	}
	if c.lost {
		for _, name := range slices.Clone(up.Nodes) {
			cmds = append(cmds, nodeLost(t, name, now)...)
		}
	}
	return cmds, err
}

// reasons parts a change of a reason alone: only nodes that are out of use have one.
func (c *controller) reasons(up state.UpdateNode) []state.Command {
	out, well := up, up
	out.Nodes, well.Nodes, well.Reason = nil, nil, nil
	c.s.barn.Read(func(t *state.State) {
		for _, name := range up.Nodes {
			n := t.Node(name)
			if n != nil && (n.State.Base() == slurm.NodeDown || n.State.Has(slurm.NodeDrain) || n.State.Has(slurm.NodeFail)) {
				out.Nodes = append(out.Nodes, name)
			} else {
				well.Nodes = append(well.Nodes, name)
			}
		}
	})
	var cmds []state.Command
	for _, one := range []state.UpdateNode{out, well} {
		if len(one.Nodes) > 0 {
			cmds = append(cmds, one)
		}
	}
	return cmds
}

// sameGres refuses generic resources other than those the nodes have: how many
// there are is what their agents found and the configuration says.
func (c *controller) sameGres(nodes []sched.NodeName, list string) error {
	want, err := slurm.ParseGres(list)
	if err != nil && !strings.EqualFold(list, "none") {
		return slurm.ErrnoInvalidGres
	}
	same := true
	c.s.barn.Read(func(t *state.State) {
		for _, name := range nodes {
			n := t.Node(name)
			if n == nil {
				same = false // it has gone since
				return
			}
			have := n.Gres
			same = same && len(have) == len(want)
			for i := 0; same && i < len(have); i++ {
				same = slices.ContainsFunc(want, func(g slurm.GresItem) bool {
					return g.Name == have[i].Name && (g.Type == "" || g.Type == have[i].Type) && g.Count == have[i].Count
				})
			}
		}
	})
	if !same {
		return slurm.ErrnoInvalidGres
	}
	return nil
}
