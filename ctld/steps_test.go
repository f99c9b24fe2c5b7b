package ctld

import (
	"testing"

	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// A step of which all has ended but what was on a node that its job gave back ends,
// whether that node's agent says so or not; others go on.
func TestStepsOfJobsThatGaveNodesBackSettle(t *testing.T) {
	step := &sched.Step{ID: 3, Nodes: []sched.StepNode{{Node: "n1"}, {Node: "n2"}, {Node: "n3"}}}
	job := &sched.Job{ID: 7, State: slurm.JobRunning, Alloc: []sched.NodeAlloc{{Node: "n1"}, {Node: "n2"}}, Steps: []*sched.Step{step}}
	find := func(id slurm.JobID) *sched.Job {
		if id == job.ID {
			return job
		}
		return nil
	}
	b := newStepBook()
	b.start(job, step, nil)
	b.start(&sched.Job{ID: 8}, step, nil) // of a job that is not there
	p := b.steps[stepKey{7, 3}]
	p.done["n1"] = true
	job.Resize = &sched.Resize{}
	if cmds := b.settled(find); len(cmds) != 0 {
		t.Errorf("%v while a node of the job has not reported", cmds)
	}
	p.done["n2"], p.worst = true, sched.ExitCode{Code: 4}
	job.Resize = nil
	if cmds := b.settled(find); len(cmds) != 0 {
		t.Errorf("%v of a job that gave nothing back", cmds)
	}
	job.Resize = &sched.Resize{}
	cmds := b.settled(find)
	if len(cmds) != 1 || cmds[0].(state.EndStep).Step != 3 || cmds[0].(state.EndStep).Exit.Code != 4 || cmds[0].(state.EndStep).State != slurm.JobFailed {
		t.Errorf("%v, want the step's end", cmds)
	}
	if cmds := b.settled(find); len(cmds) != 0 {
		t.Errorf("%v a second time", cmds)
	}
}
