package ctld

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/barn"
	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/gpu"
	"github.com/runink/rink/sched"
)

// cuts looks after the GPUs that are cut into instances on demand. What is to be cut is
// in the state, so that any leader carries it on; what is here is the leader's own: how
// long a GPU was idle, what was ordered when, and what did not work.
type cuts struct {
	mu      sync.Mutex // guards all below
	idle    map[cutKey]time.Time
	ordered map[cutKey]time.Time
	failed  map[cutKey]time.Time
}

type cutKey struct {
	node sched.NodeName
	file string
}

// cutAgain is after how long an order to cut a GPU that was not answered is repeated,
// and cutRest how long one is left alone that could not be cut.
const (
	cutAgain = 2 * time.Minute
	cutRest  = 10 * time.Minute
	// maxGPUs bounds of how many GPUs an agent tells, maxProfiles into what each can be
	// cut and maxSpans where on it; drivers know of some twenty and seven.
	maxGPUs, maxProfiles, maxSpans = 1024, 64, 16
)

// cutWork is the leader's look at what GPUs are cut into, at each tick: it cuts idle
// ones for jobs that wait, makes whole those nobody has used for a while, and repeats
// what was not answered.
func (s *Server) cutWork(ctx context.Context, now time.Time) {
	s.cuts.past(now)
	var cmds []state.Command
	var view sched.View
	s.barn.Read(func(st *state.State) {
		if st.Config() == nil || !slices.ContainsFunc(st.Nodes(), func(n *sched.Node) bool { return len(n.Shapes)+len(n.Cuts) > 0 }) {
			return
		}
		for _, c := range s.cuts.over(st, now) {
			cmds = append(cmds, state.CutGPU{Node: c.Node, File: c.File})
		}
		view = st.View()
	})
	barred := func(node sched.NodeName, file string) bool {
		return !s.sessions.connected(node) || s.cuts.rests(cutKey{node, file}, now)
	}
	for _, c := range sched.PlanCuts(view, barred, now) {
		cmds = append(cmds, state.CutGPU{Node: c.Node, File: c.File, Profiles: c.Profiles})
	}
	if len(cmds) > 0 {
		if _, err := s.propose(ctx, cmds...); err != nil {
			if ctx.Err() == nil {
				s.log.Warn("cannot commit what GPUs are to be cut into", "error", err)
			}
			return
		}
		for _, c := range cmds {
			if c := c.(state.CutGPU); len(c.Profiles) > 0 {
				s.log.Info("a GPU is cut for a job that waits", "node", c.Node, "gpu", c.File, "into", strings.Join(c.Profiles, ","))
			} else {
				s.log.Info("a GPU that was cut is made whole", "node", c.Node, "gpu", c.File)
			}
		}
	}
	s.orderCuts(now)
}

// over lists the GPUs whose instances nobody has had for the time of MIGIdleTime.
func (c *cuts) over(st *state.State, now time.Time) []sched.CutGPU {
	c.mu.Lock()
	defer c.mu.Unlock()
	seen := make(map[cutKey]time.Time)
	var out []sched.CutGPU
	for _, g := range sched.IdleCuts(st.Nodes()) {
		k := cutKey{g.Node, g.File}
		since, was := c.idle[k]
		if !was {
			since = now
		}
		if now.Sub(since) >= seconds(st.Config().Conf.MIGIdleTime) {
			out = append(out, g)
			continue
		}
		seen[k] = since
	}
	c.idle = seen
	return out
}

// past forgets what is too long ago to matter.
func (c *cuts) past(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.ordered, func(_ cutKey, at time.Time) bool { return now.Sub(at) >= cutAgain })
	maps.DeleteFunc(c.failed, func(_ cutKey, at time.Time) bool { return now.Sub(at) >= cutRest })
}

// rests reports whether a GPU is left alone because it could not be cut lately.
func (c *cuts) rests(k cutKey, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return now.Before(c.failed[k].Add(cutRest)) && !c.failed[k].IsZero()
}

// orderCuts has agents make of GPUs what was decided.
func (s *Server) orderCuts(now time.Time) {
	var orders []*rinkpb.CutGPU
	s.barn.Read(func(st *state.State) {
		for _, n := range st.Nodes() {
			if len(n.Cuts) > 0 && s.sessions.connected(n.Name) {
				orders = append(orders, s.cuts.due(n, now)...)
			}
		}
	})
	for _, o := range orders {
		s.sessions.send(sched.NodeName(o.Node), &rinkpb.Order{Order: &rinkpb.Order_Cut{Cut: o}})
	}
}

// due lists what an agent is to be told of its GPUs.
func (c *cuts) due(n *sched.Node, now time.Time) []*rinkpb.CutGPU {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []*rinkpb.CutGPU
	for _, cut := range n.Cuts {
		k := cutKey{n.Name, cut.File}
		if len(cut.Made) > 0 || now.Before(c.ordered[k].Add(cutAgain)) && !c.ordered[k].IsZero() {
			continue
		}
		if c.ordered == nil {
			c.ordered = make(map[cutKey]time.Time)
		}
		c.ordered[k] = now
		out = append(out, &rinkpb.CutGPU{Node: string(n.Name), File: cut.File, Profiles: cut.Profiles})
	}
	return out
}

// again forgets what a node was told, so that an agent that has come anew is told.
func (c *cuts) again(sess *session) {
	c.mu.Lock()
	for k := range c.ordered {
		if k.node == sess.node {
			delete(c.ordered, k)
		}
	}
	c.mu.Unlock()
}

// noted takes what an agent made of a GPU.
func (c *cuts) noted(s *Server, node sched.NodeName, m *rinkpb.NoteCut) []state.Command {
	note := barn.NoteCutFromProto(m)
	note.Node = node
	if len(note.Made) > gpu.MaxInstances {
		s.log.Warn("an agent tells of more instances than a GPU has", "node", node, "gpu", note.File, "instances", len(note.Made))
		return nil
	}
	k := cutKey{node, note.File}
	c.mu.Lock()
	if note.Error != "" {
		if c.failed == nil {
			c.failed = make(map[cutKey]time.Time)
		}
		c.failed[k] = time.Now()
	} else {
		delete(c.ordered, k)
	}
	c.mu.Unlock()
	if note.Error != "" {
		s.log.Warn("a GPU could not be reshaped", "node", node, "gpu", note.File, "error", note.Error)
	}
	return []state.Command{note}
}
