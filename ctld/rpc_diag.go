package ctld

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/slurm"
)

// Diag tells what the controller did and how long that took. An operator may
// have the counts begin anew.
func (c *controller) Diag(ctx context.Context, req *rinkpb.DiagRequest) (*rinkpb.DiagReply, error) {
	_, u, err := c.caller(ctx)
	if err != nil {
		return nil, err
	}
	s := c.s
	now := time.Now()
	if req.Anew {
		if !c.s.operator(u.UID) {
			return &rinkpb.DiagReply{Status: refuse(slurm.ErrnoAccessDenied)}, nil
		}
		s.diag.reset(now)
		return &rinkpb.DiagReply{Status: &rinkpb.Status{}}, nil
	}
	reply := s.diag.reply(s)
	reply.Status, reply.Now, reply.Booted = &rinkpb.Status{}, now.UnixNano(), s.start.UnixNano()
	reply.HistoryQueue = int32(s.store.Waiting())
	s.barn.Read(func(t *state.State) {
		reply.StatesAt = time.Now().UnixNano()
		for j := range t.Jobs() {
			switch {
			case j.IsPending():
				reply.Pending += int64(max(1, j.Tasks.Len()))
			case j.State.Base() == slurm.JobRunning && !j.State.Has(slurm.JobCompleting):
				reply.Running++
			}
		}
	})
	began := time.Now()
	for range 1000 {
		_ = time.Now()
	}
	reply.Clock = time.Since(began).Microseconds()
	waiting := map[message]int64{}
	for _, n := range s.sessions.unsent(waiting) {
		reply.AgentQueue += int32(n)
		reply.Agents++
		reply.AgentThreads++ // the one that sends them
	}
	for m, n := range waiting {
		reply.Waiting = append(reply.Waiting, &rinkpb.RpcCount{Name: m.name, Id: m.id, Count: n})
	}
	slices.SortFunc(reply.Waiting, func(a, b *rinkpb.RpcCount) int { return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Id, b.Id)) })
	return reply, nil
}

// unsent returns how many orders wait to be sent for each agent that has any,
// and adds them up by their kind.
func (ss *sessions) unsent(kinds map[message]int64) []int {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	var list []int
	for _, sess := range ss.byNode {
		sess.mu.Lock()
		if len(sess.queue) > 0 {
			list = append(list, len(sess.queue))
		}
		for _, o := range sess.queue {
			kinds[orderOf(o)]++
		}
		sess.mu.Unlock()
	}
	return list
}

// reply is the counts as they are sent.
func (d *diag) reply(s *Server) *rinkpb.DiagReply {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := &d.counts
	r := &rinkpb.DiagReply{
		Since: d.since.UnixNano(), Threads: d.serving.Load(), Submitted: c.submitted, Started: c.started, Completed: c.completed,
		Canceled: c.canceled, Failed: c.failed, Main: c.main.toProto(), Backfill: c.full.toProto(),
		Backfilled: c.backfilled, BackfilledAll: d.backfilled, BackfilledHet: c.backfilledHet,
	}
	for name, n := range d.types {
		r.ByType = append(r.ByType, &rinkpb.RpcCount{Name: name, Id: n.id, Count: n.count, Time: n.time})
	}
	for uid, n := range d.users {
		one := &rinkpb.RpcCount{Id: uid, Count: n.count, Time: n.time}
		if u, err := s.users.ByUID(uid); err == nil {
			one.Name = u.Name
		}
		r.ByUser = append(r.ByUser, one)
	}
	for _, list := range [][]*rinkpb.RpcCount{r.ByType, r.ByUser} {
		slices.SortFunc(list, func(a, b *rinkpb.RpcCount) int {
			return cmp.Or(cmp.Compare(a.Id, b.Id), strings.Compare(a.Name, b.Name))
		})
	}
	return r
}

func (p *planCount) toProto() *rinkpb.PlanCount {
	return &rinkpb.PlanCount{
		Cycles: p.cycles, Last: p.last, Max: p.most, Sum: p.sum, DepthSum: p.depthSum, LastDepth: p.depth, Queue: p.queue, QueueSum: p.queueSum,
		LastAt: p.lastAt, TriedSum: p.triedSum, LastTried: p.tried, Table: p.promises, TableSum: p.promisesSum,
	}
}
