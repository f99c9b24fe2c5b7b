package ctld

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/runink/rink/api"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// asking is the questions to agents that wait for an answer, by their number.
type asking struct {
	mu   sync.Mutex // guards what follows
	last uint64
	open map[uint64]question
}

// question is one that waits: whom it was put to, and where the answer goes.
type question struct {
	node   sched.NodeName
	answer chan *rinkpb.Sampled
}

// ask draws a number for a question.
func (a *asking) ask(node sched.NodeName) (uint64, chan *rinkpb.Sampled) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.open == nil {
		a.open = map[uint64]question{}
	}
	a.last++
	c := make(chan *rinkpb.Sampled, 1)
	a.open[a.last] = question{node, c}
	return a.last, c
}

// answered passes an answer on to who asked, if they still wait.
func (a *asking) answered(node sched.NodeName, m *rinkpb.Sampled) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if q := a.open[m.Ask]; q.answer != nil && q.node == node {
		q.answer <- m // it has room for the one answer
		delete(a.open, m.Ask)
	}
}

func (a *asking) forget(number uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.open, number)
}

// statsWait is how long agents have to answer.
const statsWait = 5 * time.Second

// StepStats asks the agents of running jobs what their steps use. A user is told
// of their own jobs; what a node does not answer is left out and said.
func (c *controller) StepStats(ctx context.Context, req *rinkpb.StepStatsRequest) (*rinkpb.StepStatsReply, error) {
	_, u, err := c.caller(ctx)
	if err != nil {
		return nil, err
	}
	var jobs []*sched.Job
	c.s.barn.Read(func(t *state.State) {
		for _, ref := range req.Refs {
			list, err := find(t, ref)
			if err != nil {
				continue
			}
			for _, tg := range list {
				if j := tg.job; j.State.Base() == slurm.JobRunning || j.State.Base() == slurm.JobSuspended {
					jobs = append(jobs, j)
				}
			}
		}
	})
	reply := &rinkpb.StepStatsReply{Status: &rinkpb.Status{}}
	for _, j := range jobs {
		if j.UID != u.UID && !c.s.operator(u.UID) {
			return &rinkpb.StepStatsReply{Status: refuse(slurm.ErrnoAccessDenied)}, nil
		}
		reply.Steps = append(reply.Steps, c.s.stepStats(ctx, j)...)
	}
	return reply, nil
}

// stepStats asks the agents of one job.
func (s *Server) stepStats(ctx context.Context, j *sched.Job) []*rinkpb.StepStat {
	ctx, cancel := context.WithTimeout(ctx, statsWait)
	defer cancel()
	type answer struct {
		node sched.NodeName
		from chan *rinkpb.Sampled
		ask  uint64
	}
	var asked []answer
	for _, node := range j.Nodes() {
		if !s.sessions.connected(node) {
			continue
		}
		number, from := s.asking.ask(node)
		asked = append(asked, answer{node, from, number})
		s.sessions.send(node, &rinkpb.Order{Order: &rinkpb.Order_Sample{Sample: &rinkpb.Sample{Job: uint32(j.ID), Ask: number}}})
	}
	told := map[sched.NodeName]*rinkpb.Sampled{}
	for _, a := range asked {
		select {
		case m := <-a.from:
			told[a.node] = m
		case <-ctx.Done():
			s.asking.forget(a.ask)
		}
	}
	var list []*rinkpb.StepStat
	add := func(st *sched.Step, id slurm.StepID, nodes []sched.NodeName) {
		stat := &rinkpb.StepStat{Job: api.JobToProto(j), Step: api.StepToProto(st)}
		var sum sched.Usage
		for _, node := range nodes {
			one := &rinkpb.NodeStat{Node: string(node)}
			if told[node] == nil {
				one.Error = fmt.Sprintf("node %s does not answer", node)
			}
			for _, sl := range told[node].GetSlices() {
				if sl.Step == uint32(id) && sl.Restarts == j.Restarts {
					one.Usage, one.Pids = sl.Usage, sl.Pids
					sum = sum.Plus(onNode(api.UsageFromProto(sl.Usage), node))
				}
			}
			stat.Nodes = append(stat.Nodes, one)
		}
		stat.Step.Usage = api.UsageToProto(sum)
		list = append(list, stat)
	}
	extern := j.Extern
	for _, m := range told {
		extern = extern || slices.ContainsFunc(m.GetSlices(), func(one *rinkpb.SliceStat) bool {
			return one.Step == uint32(slurm.StepExtern) && one.Restarts == j.Restarts
		})
	}
	if extern && len(j.Alloc) > 0 {
		add(sched.ExternStep(j), slurm.StepExtern, j.Nodes())
	}
	if j.Batch && !j.BatchDone && len(j.Alloc) > 0 {
		a := j.Alloc[0]
		add(&sched.Step{
			ID: slurm.StepBatch, Name: "batch", Tasks: 1, Start: j.Start, State: slurm.JobRunning,
			Nodes: []sched.StepNode{{Node: a.Node, CPUs: a.CPUs, Mem: a.Mem, Gres: a.Gres}},
		}, slurm.StepBatch, []sched.NodeName{a.Node})
	}
	for _, st := range j.Steps {
		if st.HasEnded() {
			continue
		}
		nodes := make([]sched.NodeName, 0, len(st.Nodes))
		for _, n := range st.Nodes {
			if !slices.Contains(nodes, n.Node) {
				nodes = append(nodes, n.Node)
			}
		}
		add(st, st.ID, nodes)
	}
	return list
}
