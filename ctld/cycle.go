package ctld

import (
	"context"
	"time"

	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// loop is the scheduling loop: it sleeps until something happened or a begin
// time comes, plans, and has the plan committed.
type loop struct {
	s     *Server
	woken chan struct{} // holds one wake-up
}

func newLoop(s *Server) *loop { return &loop{s: s, woken: make(chan struct{}, 1)} }

// wake asks for a cycle soon; many wakes before it are one.
func (l *loop) wake() {
	select {
	case l.woken <- struct{}{}:
	default:
	}
}

// run plans whenever woken, until ctx ends.
func (l *loop) run(ctx context.Context) {
	alarm := time.NewTimer(time.Hour)
	defer alarm.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.woken:
		case <-alarm.C:
		}
		next := l.cycle(ctx)
		wait := time.Minute
		if !next.IsZero() {
			wait = max(time.Until(next), time.Millisecond)
		}
		alarm.Reset(min(wait, time.Minute))
	}
}

// cycle makes one plan and commits it. It returns when time alone will change
// the answer.
func (l *loop) cycle(ctx context.Context) time.Time {
	s := l.s
	now := time.Now()
	var view sched.View
	ready := false
	s.barn.Read(func(st *state.State) {
		if st.Config() != nil {
			view, ready = st.View(), true
		}
	})
	if !ready || len(view.Pending) == 0 {
		return time.Time{}
	}
	view.Nodes = s.reachable(view.Nodes)
	plan := sched.Cycle(view, now)
	var cmds []state.Command
	if len(plan.Starts) > 0 {
		cmds = append(cmds, state.StartJobs{Starts: plan.Starts})
	}
	for _, id := range plan.Late {
		cmds = append(cmds, state.EndJob{Job: id, Restarts: state.AnyIncarnation, State: slurm.JobDeadline, Reason: slurm.ReasonDeadline})
	}
	if waits := l.news(view, plan.Waits); len(waits) > 0 {
		cmds = append(cmds, state.SetWaits{Waits: waits})
	}
	s.waits.plan(plan.Waits)
	results, err := s.propose(ctx, cmds...)
	if err != nil {
		if ctx.Err() == nil {
			s.log.Warn("cannot commit a plan", "error", err)
		}
		return now.Add(time.Second)
	}
	if len(plan.Starts) > 0 && len(results[0].Started) < len(plan.Starts) {
		// Something changed between view and commit: the refused starts are
		// planned again on what is true now.
		s.log.Debug("starts refused at commit", "planned", len(plan.Starts), "started", len(results[0].Started))
		l.wake()
	}
	return plan.Next
}

// news leaves only the waits that say something the record does not say yet:
// the log is not for repeating the same reason at each cycle.
func (l *loop) news(view sched.View, waits []sched.Wait) []sched.Wait {
	byID := make(map[slurm.JobID]*sched.Job, len(view.Pending))
	for _, j := range view.Pending {
		byID[j.ID] = j
	}
	var fresh []sched.Wait
	for _, w := range waits {
		if j := byID[w.Job]; j != nil && (j.Reason != w.Reason || j.ReasonText != w.Text || j.LastSched.IsZero() && eligibleReason(w.Reason)) {
			w.Detail = nil // the leader keeps the whole story in memory
			fresh = append(fresh, w)
		}
	}
	return fresh
}

// eligibleReason reports whether a job that waits for this reason could run
// but for the others: its dependencies, begin time and holds are behind it.
func eligibleReason(r slurm.Reason) bool {
	switch r {
	case slurm.ReasonDependency, slurm.ReasonDependencyNeverSatisfied, slurm.ReasonBeginTime,
		slurm.ReasonJobHeldUser, slurm.ReasonJobHeldAdmin:
		return false
	}
	return true
}

// reachable marks the nodes whose agent is not connected, so that nothing is
// planned where no order would arrive.
func (s *Server) reachable(all []*sched.Node) []*sched.Node {
	out := all
	copied := false
	for i, n := range all {
		if s.sessions.connected(n.Name) {
			continue
		}
		if !copied {
			out, copied = append([]*sched.Node(nil), all...), true
		}
		c := n.Clone()
		c.State |= slurm.NodeNotResponding
		out[i] = c
	}
	return out
}
