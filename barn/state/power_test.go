package state

import (
	"testing"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

func (r *rig) power(step PowerStep, names ...sched.NodeName) {
	r.t.Helper()
	r.must(PowerNodes{Nodes: names, Step: step, Reason: "ResumeTimeout reached"})
}

func (r *rig) wantNode(name sched.NodeName, state slurm.NodeState) *sched.Node {
	r.t.Helper()
	n := r.s.Node(name)
	if n.State != state {
		r.t.Fatalf("node %s is %v, want %v", name, n.State, state)
	}
	return n
}

func TestANodeGoesOffAndComesUpForAJob(t *testing.T) {
	r := newRig(t)
	r.power(PowerGoOff, "n1", "n2")
	off := r.wantNode("n1", slurm.NodeIdle|slurm.NodePoweringDown)
	if !off.PowerAt.Equal(r.at) {
		t.Errorf("told at %v", off.PowerAt)
	}
	id := r.submit()
	r.refuse(StartJobs{[]sched.Start{r.on(id, 2, "n1", "n3")}}, slurm.ErrnoNodeNotAvail) // it is on its way
	r.power(PowerIsOff, "n1", "n2")
	r.wantNode("n1", slurm.NodeIdle|slurm.NodePoweredDown)

	r.run(r.on(id, 2, "n1", "n2", "n3"))
	r.want(id, slurm.JobRunning|slurm.JobConfiguring|slurm.JobPowerUpNode, slurm.ReasonNone)
	given := r.job(id).Start
	r.wantNode("n1", slurm.NodeIdle|slurm.NodePoweredDown|slurm.NodePowerUp)
	r.power(PowerComeUp, "n1", "n2")
	r.wantNode("n1", slurm.NodeIdle|slurm.NodePoweringUp)
	r.must(RegisterNode{Node: "n1", Up: true, SpoolID: "new"})
	r.wantNode("n1", slurm.NodeIdle)
	r.want(id, slurm.JobRunning|slurm.JobConfiguring|slurm.JobPowerUpNode, slurm.ReasonNone)
	// The last one, whose agent never was away.
	r.power(PowerIsUp, "n2")
	j := r.want(id, slurm.JobRunning, slurm.ReasonNone)
	if !j.Start.Equal(r.at) || !j.Start.After(given) || j.End.Sub(j.Start).Seconds() != 3600 {
		t.Errorf("its time counts from %v to %v, it was given its nodes at %v", j.Start, j.End, given)
	}
	if e := event[JobStarted](r); e.Job.ID != id {
		t.Errorf("started %d", e.Job.ID)
	}
	r.end(id, slurm.JobCompleted)
}

func TestANodeThatDoesNotComeIsDown(t *testing.T) {
	r := newRig(t)
	r.power(PowerGoOff, "n1")
	r.power(PowerIsOff, "n1")
	id := r.run(r.on(r.submit(), 1, "n1"))
	r.power(PowerComeUp, "n1")
	r.power(PowerLost, "n1")
	if n := r.wantNode("n1", slurm.NodeDown|slurm.NodeNotResponding); n.Reason != "ResumeTimeout reached" {
		t.Errorf("reason %q", n.Reason)
	}
	r.must(EndJob{Job: id, State: slurm.JobNodeFail, Requeue: true})
	r.free(id)
	r.want(id, slurm.JobPending, slurm.ReasonNone)
}

func TestStepsOfPowerThatMakeNoSense(t *testing.T) {
	r := newRig(t)
	busy := r.runs("n2")
	r.power(PowerIsOff, "n1")
	r.power(PowerComeUp, "n1")
	r.power(PowerIsUp, "n1")
	r.power(PowerLost, "n1")
	r.wantNode("n1", slurm.NodeIdle)
	r.power(PowerGoOff, "n2")
	r.wantNode("n2", slurm.NodeIdle)
	r.want(busy, slurm.JobRunning, slurm.ReasonNone)
	r.refuse(PowerNodes{Nodes: []sched.NodeName{"nosuch"}}, slurm.ErrnoInvalidNodeName)
}

// ANodeThatIsAskedToGoOff is drained until it is off, and idle then.
func TestPowerDownASAP(t *testing.T) {
	r := newRig(t)
	id := r.runs("n1")
	r.must(UpdateNode{Nodes: []sched.NodeName{"n1"}, Set: slurm.NodePowerDown | slurm.NodeDrain})
	r.power(PowerGoOff, "n1")
	r.wantNode("n1", slurm.NodeIdle|slurm.NodePowerDown|slurm.NodeDrain) // it is busy
	r.end(id, slurm.JobCompleted)
	r.power(PowerGoOff, "n1")
	r.wantNode("n1", slurm.NodeIdle|slurm.NodePoweringDown)
}

func TestReturnToService(t *testing.T) {
	for _, c := range []struct {
		conf   string
		set    slurm.NodeState
		reason string
		back   bool
	}{
		{"ReturnToService=0", slurm.NodeNotResponding, "Not responding", false},
		{"ReturnToService=1", slurm.NodeNotResponding, "Not responding", true},
		{"ReturnToService=1", 0, "no power", false},
		{"ReturnToService=2", slurm.NodeNotResponding, "Not responding", true},
		{"ReturnToService=2", 0, "no power", true},
	} {
		r := newRig(t)
		r.must(SetConfig{rigFiles(c.conf + "\n")})
		r.must(UpdateNode{Nodes: []sched.NodeName{"n1"}, Base: ptr(slurm.NodeDown), Set: c.set, Reason: &c.reason})
		r.must(RegisterNode{Node: "n1", Up: true})
		want := slurm.NodeDown
		if c.back {
			want = slurm.NodeIdle
		}
		if n := r.s.Node("n1"); n.State != want {
			t.Errorf("%s, %q: %v, want %v", c.conf, c.reason, n.State, want)
		}
	}
}
