package state

import (
	"testing"
	"time"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// reboot asks for a reboot of n1 and has it begin.
func (r *rig) reboot(next slurm.NodeState, drain bool, reason string) {
	r.t.Helper()
	up := UpdateNode{Nodes: []sched.NodeName{"n1"}, Set: slurm.NodeRebootRequested, NextState: &next, Reason: &reason}
	if drain {
		up.Set |= slurm.NodeDrain
	}
	r.must(up)
	r.must(PowerNodes{Nodes: []sched.NodeName{"n1"}, Step: PowerReboot})
}

func TestANodeComesBackFromItsReboot(t *testing.T) {
	for _, c := range []struct {
		name   string
		next   slurm.NodeState
		drain  bool
		want   slurm.NodeState
		reason string
	}{
		{"AsItWas", 0, false, slurm.NodeIdle, ""},
		{"Resume", slurm.NodeResume, true, slurm.NodeIdle, ""},
		{"Down", slurm.NodeDown, true, slurm.NodeDown, "why : reboot issued : reboot complete"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			r.reboot(c.next, c.drain, "why")
			n := r.wantNode("n1", slurm.NodeDown|slurm.NodeRebootIssued)
			if n.Reason != "why : reboot issued" {
				t.Errorf("reason %q", n.Reason)
			}
			// Its agent comes back before the machine has gone down.
			r.must(RegisterNode{Node: "n1", Up: true, BootTime: n.PowerAt.Add(-time.Hour)})
			r.wantNode("n1", slurm.NodeDown|slurm.NodeRebootIssued)
			r.must(RegisterNode{Node: "n1", Up: true, BootTime: n.PowerAt.Add(time.Minute)})
			if n = r.wantNode("n1", c.want); n.Reason != c.reason || n.NextState != 0 {
				t.Errorf("reason %q, next state %v", n.Reason, n.NextState)
			}
		})
	}
}

func TestANodeThatRunsSomethingDoesNotReboot(t *testing.T) {
	r := newRig(t)
	id := r.submit()
	r.run(r.on(id, 1, "n1"))
	r.reboot(0, false, "why")
	r.wantNode("n1", slurm.NodeIdle|slurm.NodeRebootRequested)
	r.end(id, slurm.JobCompleted)
}

func TestANodeThatDoesNotComeBackIsDown(t *testing.T) {
	r := newRig(t)
	r.reboot(slurm.NodeResume, true, "why")
	r.must(PowerNodes{Nodes: []sched.NodeName{"n1"}, Step: PowerNoReboot, Reason: "reboot timed out"})
	if n := r.wantNode("n1", slurm.NodeDown); n.Reason != "reboot timed out" {
		t.Errorf("reason %q", n.Reason)
	}
}
