package ctld

import (
	"slices"
	"sync"
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// softFacts is what the leader knows and nobody else needs to agree on: when a
// node was last heard of, its load, what running steps use.
type softFacts struct {
	mu     sync.Mutex // guards all
	nodes  map[sched.NodeName]*nodeFacts
	warned map[slurm.JobID]uint32 // incarnation --signal was sent to
	told   map[slurm.JobID]uint32 // incarnation that was told to give way
	usage  map[stepOnNode]*rinkpb.StepUsage
}

type nodeFacts struct {
	seen    time.Time
	load    float64
	freeMem int64
	known   bool // load and freeMem were told
}

type stepOnNode struct {
	node sched.NodeName
	job  uint32
	step uint32
}

func newSoftFacts() *softFacts {
	return &softFacts{nodes: map[sched.NodeName]*nodeFacts{}, warned: map[slurm.JobID]uint32{}, usage: map[stepOnNode]*rinkpb.StepUsage{}}
}

// expectAll starts the clock for every node: a new leader has heard of none.
func (f *softFacts) expectAll(names []sched.NodeName, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, n := range names {
		f.node(n).seen = now
	}
}

func (f *softFacts) node(n sched.NodeName) *nodeFacts {
	facts := f.nodes[n]
	if facts == nil {
		facts = &nodeFacts{}
		f.nodes[n] = facts
	}
	return facts
}

func (f *softFacts) seen(n sched.NodeName) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.node(n).seen = time.Now()
}

func (f *softFacts) beat(n sched.NodeName, h *rinkpb.Heartbeat) {
	f.mu.Lock()
	defer f.mu.Unlock()
	facts := f.node(n)
	facts.seen, facts.load, facts.freeMem, facts.known = time.Now(), h.Load, h.FreeMem, true
}

func (f *softFacts) used(n sched.NodeName, u *rinkpb.StepUsage) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.usage[stepOnNode{n, u.Job, u.Step}] = u
}

// warnOnce reports true the first time it is asked for an incarnation.
func (f *softFacts) warnOnce(id slurm.JobID, restarts uint32) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r, ok := f.warned[id]; ok && r == restarts {
		return false
	}
	f.warned[id] = restarts
	return true
}

// fill puts the soft facts into a node's listing.
func (f *softFacts) fill(p *rinkpb.Node) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if facts := f.nodes[sched.NodeName(p.Name)]; facts != nil && facts.known {
		p.LoadKnown, p.CpuLoad, p.FreeMem = true, facts.load, facts.freeMem
	}
}

// lostNodes takes down the nodes that have not been heard of for SlurmdTimeout
// and ends their jobs by Slurm's rules.
func (s *Server) lostNodes(st *state.State, now time.Time) []state.Command {
	limit := seconds(st.Config().Conf.SlurmdTimeout)
	if limit <= 0 {
		return nil
	}
	var cmds []state.Command
	for _, n := range st.Nodes() {
		base := n.State.Base()
		if base == slurm.NodeDown || base == slurm.NodeFuture || !n.Registered || n.Quiet() {
			continue
		}
		s.soft.mu.Lock()
		silent := now.Sub(s.soft.node(n.Name).seen)
		s.soft.mu.Unlock()
		if silent < limit {
			if n.State.Has(slurm.NodeNotResponding) && silent < heardLately { // somebody said so, and it is not so
				cmds = append(cmds, state.UpdateNode{Nodes: []sched.NodeName{n.Name}, Clear: slurm.NodeNotResponding})
			}
			continue
		}
		s.sessions.drop(n.Name) // should the line stand, nothing comes over it
		down, why := slurm.NodeDown, "Not responding"
		cmds = append(cmds, state.UpdateNode{Nodes: []sched.NodeName{n.Name}, Base: &down, Set: slurm.NodeNotResponding, Reason: &why, ReasonUser: "slurm"})
		cmds = append(cmds, nodeLost(st, n.Name, now)...)
	}
	return cmds
}

// nodeLost ends or requeues every job that has something on a node which is
// gone for good, and frees what it held there. A job that goes on without it
// (--no-kill) is smaller afterwards, unless its script was there.
func nodeLost(st *state.State, node sched.NodeName, now time.Time) []state.Command {
	var cmds []state.Command
	n := st.Node(node)
	if n == nil {
		return nil
	}
	for _, id := range n.Running {
		j := st.Job(id)
		if j == nil {
			continue
		}
		if !j.State.Has(slurm.JobCompleting) {
			if j.Spec.NoKill && len(j.Alloc) > 1 && j.Alloc[0].Node != node {
				cmds = append(cmds, state.ShrinkJob{Job: id, Restarts: j.Restarts, Nodes: []sched.NodeName{node}})
				continue
			}
			cmds = append(cmds, state.EndJob{
				Job: id, Restarts: j.Restarts, State: slurm.JobNodeFail, Reason: slurm.ReasonNodeDown, Requeue: j.Requeue && j.Batch,
				NotBefore: now.Add(sched.RequeueDelay(st.Config())),
			})
		}
		if slices.Contains(j.Nodes(), node) {
			cmds = append(cmds, state.ReleaseNodes{Job: id, Restarts: j.Restarts, Nodes: []sched.NodeName{node}})
		}
	}
	return cmds
}

// heardLately is how lately a node must have spoken for it to be one that responds,
// whatever somebody set its state to.
const heardLately = 10 * time.Second
