package ctld

import (
	"slices"
	"sync"

	"github.com/runink/rink/api"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// stepBook gathers, on the leader, how the nodes of running steps report. It
// is soft: a new leader begins with none and hears the rest from the agents,
// which repeat what was not acknowledged.
type stepBook struct {
	mu    sync.Mutex // guards steps
	steps map[stepKey]*stepProgress
}

type stepKey struct {
	job  slurm.JobID
	step slurm.StepID
}

type stepProgress struct {
	restarts uint32
	orders   map[sched.NodeName]*rinkpb.LaunchStep
	done     map[sched.NodeName]bool
	worst    sched.ExitCode
	oom      bool
	failed   bool
	killedBy uint32 // 1 + uid
	timedOut bool
	usage    sched.Usage
}

func newStepBook() *stepBook { return &stepBook{steps: map[stepKey]*stepProgress{}} }

func (b *stepBook) start(j *sched.Job, st *sched.Step, orders map[sched.NodeName]*rinkpb.LaunchStep) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.steps[stepKey{j.ID, st.ID}] = &stepProgress{restarts: j.Restarts, orders: orders, done: map[sched.NodeName]bool{}}
}

// killed notes who ended a step.
func (b *stepBook) killed(job slurm.JobID, step slurm.StepID, uid uint32) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if p := b.steps[stepKey{job, step}]; p != nil {
		p.killedBy = uid + 1
	}
}

// timedOut notes that a step has had its time.
func (b *stepBook) timedOut(job slurm.JobID, step slurm.StepID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if p := b.steps[stepKey{job, step}]; p != nil {
		p.timedOut = true
	}
}

// order is the launch order a node has not reported on yet; nil when this
// leader does not have it.
func (b *stepBook) order(job slurm.JobID, step slurm.StepID, node sched.NodeName) *rinkpb.LaunchStep {
	b.mu.Lock()
	defer b.mu.Unlock()
	if p := b.steps[stepKey{job, step}]; p != nil && !p.done[node] {
		return p.orders[node]
	}
	return nil
}

// done notes one node's report of a step. The command that ends the step comes
// with the report of its last node.
func (b *stepBook) done(s *Server, node sched.NodeName, d *rinkpb.StepDone, usage sched.Usage) []state.Command {
	key := stepKey{slurm.JobID(d.Job), slurm.StepID(d.Step)}
	var live *sched.Step
	var has []sched.NodeName // a node that its job gave back is not waited for
	s.barn.Read(func(t *state.State) {
		if j := t.Job(key.job); j != nil && j.Restarts == d.Restarts {
			has = j.Nodes()
			for _, st := range j.Steps {
				if st.ID == key.step {
					live = st
				}
			}
		}
	})
	b.mu.Lock()
	defer b.mu.Unlock()
	if live == nil {
		delete(b.steps, key)
		return nil
	}
	p := b.steps[key]
	if p == nil || p.restarts != d.Restarts {
		p = &stepProgress{restarts: d.Restarts, done: map[sched.NodeName]bool{}}
		b.steps[key] = p
	}
	p.done[node] = true
	for _, t := range d.Tasks {
		if e := api.ExitCodeFromProto(t.Exit); worse(e, p.worst) {
			p.worst = e
		}
		p.oom = p.oom || t.Oom
	}
	p.failed = p.failed || d.Error != ""
	p.usage = p.usage.Plus(usage)
	if !p.over(live, has) {
		return nil
	}
	return []state.Command{b.end(key, p)}
}

// over reports whether all nodes of a step have reported, but those that its job gave
// back.
func (p *stepProgress) over(live *sched.Step, has []sched.NodeName) bool {
	for _, n := range live.Nodes {
		if !p.done[n.Node] && slices.Contains(has, n.Node) {
			return false
		}
	}
	return true
}

// settled ends the steps that nothing is left of but what was on nodes their jobs gave
// back, whose agents may never say so.
func (b *stepBook) settled(find func(slurm.JobID) *sched.Job) []state.Command {
	b.mu.Lock()
	defer b.mu.Unlock()
	var cmds []state.Command
	for key, p := range b.steps {
		j := find(key.job)
		if j == nil || j.Resize == nil || j.Restarts != p.restarts || j.HasEnded() {
			continue
		}
		for _, live := range j.Steps {
			if live.ID == key.step && p.over(live, j.Nodes()) {
				cmds = append(cmds, b.end(key, p))
			}
		}
	}
	return cmds
}

// end is the command that ends a step as its nodes reported, which is forgotten with it.
func (b *stepBook) end(key stepKey, p *stepProgress) state.Command {
	delete(b.steps, key)
	st, _ := endState(p.worst, p.oom)
	switch {
	case p.timedOut:
		st = slurm.JobTimeout
	case p.failed && st == slurm.JobCompleted:
		st = slurm.JobFailed
	case st == slurm.JobFailed && p.worst.Signal != 0:
		st = slurm.JobCancelled // as in Slurm, whoever sent the signal
	}
	killer := uint32(0)
	if st == slurm.JobCancelled {
		killer = p.killedBy
	}
	return state.EndStep{Job: key.job, Restarts: p.restarts, Step: key.step, State: st, Exit: memoryExit(p.worst, p.oom), Usage: p.usage, KilledBy: killer}
}

// worse orders exit codes as a step's own is chosen: the highest code, a
// signal counting as 128 and its number.
func worse(a, b sched.ExitCode) bool { return rank(a) > rank(b) }

func rank(e sched.ExitCode) int {
	if e.Signal != 0 {
		return 128 + int(e.Signal)
	}
	return int(e.Code)
}
