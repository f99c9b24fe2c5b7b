package ctld

import (
	"slices"
	"strings"
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// healthChecks is when nodes are asked next to look after their health. It is the
// leader's memory, of the goroutine that ticks alone.
type healthChecks struct {
	last time.Time // when a round began
	at   int       // with CYCLE: how many of the round's nodes were asked
}

// healthReason begins the reason of a node that its health check drained.
const healthReason = "Health check failed: "

// health drains a node whose health check fails, and takes it back into service
// when it passes again, if it was that alone that drained it.
func (s *Server) health(node sched.NodeName, h *rinkpb.NodeHealth) []state.Command {
	var n *sched.Node
	s.barn.Read(func(t *state.State) { n = t.Node(node) })
	if n == nil {
		return nil
	}
	drained := n.State.Has(slurm.NodeDrain)
	ours := drained && strings.HasPrefix(n.Reason, healthReason)
	switch {
	case h.Healthy && ours:
		return []state.Command{state.UpdateNode{Nodes: []sched.NodeName{node}, Clear: slurm.NodeDrain}}
	case !h.Healthy && (!drained || ours):
		reason := healthReason + strings.TrimPrefix(h.Reason, "HealthCheckProgram error: ")
		return []state.Command{state.UpdateNode{Nodes: []sched.NodeName{node}, Set: slurm.NodeDrain, Reason: &reason, ReasonUser: "root"}}
	}
	return nil
}

// checkHealth asks, once every HealthCheckInterval, the nodes of
// HealthCheckNodeState to run HealthCheckProgram; with CYCLE one after the other
// through the interval.
func (s *Server) checkHealth(now time.Time) {
	var list []sched.NodeName
	var every time.Duration
	cycle := false
	s.barn.Read(func(t *state.State) {
		conf := t.Config()
		if conf == nil || conf.Conf == nil || conf.Conf.HealthCheckProgram == "" || conf.Conf.HealthCheckInterval <= 0 {
			return
		}
		every = seconds(conf.Conf.HealthCheckInterval)
		cycle = slices.Contains(conf.Conf.HealthCheckNodeState, "CYCLE")
		for _, n := range t.Nodes() {
			if checkedIn(n, conf.Conf.HealthCheckNodeState) {
				list = append(list, n.Name)
			}
		}
	})
	if every == 0 {
		s.checks = healthChecks{}
		return
	}
	if s.checks.last.IsZero() {
		s.checks.last = now // agents have checked when they started
		s.checks.at = len(list)
	}
	if now.Sub(s.checks.last) >= every {
		s.checks.last, s.checks.at = now, 0
	}
	upTo := len(list)
	if cycle {
		upTo = int(int64(len(list))*int64(now.Sub(s.checks.last)+time.Second)/int64(every)) + 1
	}
	for ; s.checks.at < min(upTo, len(list)); s.checks.at++ {
		s.sessions.send(list[s.checks.at], &rinkpb.Order{Order: &rinkpb.Order_CheckHealth{CheckHealth: &rinkpb.CheckHealth{}}})
	}
}

// checkedIn reports whether a node's health is looked after in the state it is in.
func checkedIn(n *sched.Node, states []string) bool {
	if n.State.Base() == slurm.NodeFuture || n.Quiet() || n.State.Has(slurm.NodeRebootIssued) || slices.Contains(states, "START_ONLY") {
		return false
	}
	which := slices.DeleteFunc(slices.Clone(states), func(w string) bool { return w == "CYCLE" })
	if len(which) == 0 || slices.Contains(which, "ANY") {
		return true
	}
	busy := len(n.Running) > n.CompletingJobs
	for _, w := range which {
		switch w {
		case "ALLOC":
			if busy && n.UsedCPUs >= n.CPUs {
				return true
			}
		case "MIXED":
			if busy && n.UsedCPUs < n.CPUs {
				return true
			}
		case "IDLE":
			if !busy && n.State.Base() == slurm.NodeIdle {
				return true
			}
		case "NONDRAINED_IDLE":
			if !busy && n.State.Base() == slurm.NodeIdle && !n.State.Has(slurm.NodeDrain) {
				return true
			}
		}
	}
	return false
}
