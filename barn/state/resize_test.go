package state

import (
	"testing"
	"time"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

func TestAJobGivesNodesBack(t *testing.T) {
	r := newRig(t)
	id := r.run(r.on(r.submit(), 2, "n1", "n2", "n3"))
	wide := &sched.Step{ID: 0, Nodes: []sched.StepNode{{Node: "n1"}, {Node: "n3"}}}
	there := &sched.Step{ID: 1, Nodes: []sched.StepNode{{Node: "n3"}}}
	r.must(StartStep{Job: id, Step: wide})
	r.must(StartStep{Job: id, Step: there})
	r.refuse(ShrinkJob{Job: id, Nodes: []sched.NodeName{"n1"}, Given: true}, slurm.ErrnoInvalidNodeName)
	r.refuse(ShrinkJob{Job: id, Nodes: []sched.NodeName{"n1", "n2", "n3"}, Given: true}, slurm.ErrnoInvalidNodeName)

	r.must(ShrinkJob{Job: id, Nodes: []sched.NodeName{"n3"}, Given: true})
	at := r.at
	part := event[JobResized](r).Job
	if len(part.Alloc) != 3 || part.State != slurm.JobCompleted|slurm.JobResizing || !part.End.Equal(at) || len(part.Steps) != 2 || part.Resize != nil {
		t.Errorf("the part that is over: %v, ends %v, on %d nodes with %d steps", part.State, part.End, len(part.Alloc), len(part.Steps))
	}
	if e := event[StepEnded](r); e.Job != part || e.Step.ID != 1 {
		t.Errorf("step %v of a job on %d nodes is told of as over, want 1 of the part", e.Step.ID, len(e.Job.Alloc))
	}
	j := r.want(id, slurm.JobRunning, slurm.ReasonNone)
	if len(j.Alloc) != 2 || r.s.Node("n3").UsedCPUs != 0 || len(j.Steps) != 1 || j.Steps[0].ID != 0 || !j.ResizedAt().Equal(at) || !j.RecordedFrom().Equal(at) {
		t.Errorf("%v %v, node n3 has %d CPUs in use", j.Alloc, j.Steps, r.s.Node("n3").UsedCPUs)
	}

	// A part that ends in the second in which it began has no record, and its steps are
	// told of with the job.
	r.must(StartStep{Job: id, Step: &sched.Step{ID: 2, Nodes: []sched.StepNode{{Node: "n2"}}}})
	r.at = at.Add(-time.Second)
	r.must(ShrinkJob{Job: id, Nodes: []sched.NodeName{"n2"}, Given: true})
	if n := count[JobResized](r); n != 0 {
		t.Errorf("%d records of a part of no length", n)
	}
	if e := event[StepEnded](r); e.Step.State != slurm.JobCancelled || e.Step.ExitCode.Signal != 9 || len(e.Job.Alloc) != 1 {
		t.Errorf("the step ended %v %v", e.Step.State, e.Step.ExitCode)
	}

	// Sent back, it asks for what it had last.
	r.must(EndJob{Job: id, State: slurm.JobNodeFail, Requeue: true})
	r.free(id)
	if j := r.job(id); j.Need.MinNodes != 1 || j.Need.MaxNodes != 1 || !j.RecordedFrom().Equal(j.Submit) {
		t.Errorf("it waits for %d to %d nodes, recorded from %v", j.Need.MinNodes, j.Need.MaxNodes, j.RecordedFrom())
	}
}

// Where there is no script any node can go, also of a job that is suspended.
func TestAnAllocationGivesItsFirstNodeBack(t *testing.T) {
	r := newRig(t)
	id := r.run(r.on(r.submit(func(j *sched.Job) { j.Batch = false }), 2, "n1", "n2"))
	yes := true
	r.must(UpdateJob{Job: id, Change: JobChange{Suspend: &yes}})
	r.must(ShrinkJob{Job: id, Nodes: []sched.NodeName{"n1"}, Given: true})
	j := r.want(id, slurm.JobSuspended, slurm.ReasonNone)
	if len(j.Alloc) != 1 || j.Alloc[0].Node != "n2" || r.s.Node("n1").UsedMem != 0 {
		t.Errorf("it has %v", j.Alloc)
	}
	if part := event[JobResized](r).Job; part.SuspendedFor != time.Second {
		t.Errorf("the part was suspended for %v", part.SuspendedFor)
	}
	r.end(id, slurm.JobCompleted)
	r.free(id)
}
