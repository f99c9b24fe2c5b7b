package ctld

import (
	"context"
	"sync"
	"time"

	"github.com/runink/rink/barn"
	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// loop is the scheduling loop: it sleeps until something happened or a begin
// time comes, plans, and has the plan committed. Its scheduler is told of what
// happens in the order of the log, so that a plan costs what changed since the
// last one.
type loop struct {
	s     *Server
	woken chan struct{} // holds one wake-up
	asks  chan whyAsked // of the goroutine that runs, about jobs that wait

	mu    sync.Mutex                  // guards lines
	lines map[sched.NodeName]struct{} // nodes whose agent came or went

	// Of the goroutine that runs alone.
	live *sched.Scheduler // nil: to be made anew from the state
	log  *barn.Watcher    // what live has not been told of yet
	// refused counts the plans in a row of which the log refused starts.
	refused int
}

// maxRefused is of how many plans in a row the log may refuse starts because something
// came in between, before the scheduler's books are made anew.
const maxRefused = 5

func newLoop(s *Server) *loop {
	return &loop{s: s, woken: make(chan struct{}, 1), asks: make(chan whyAsked), lines: make(map[sched.NodeName]struct{})}
}

// wake asks for a cycle soon; many wakes before it are one.
func (l *loop) wake() {
	select {
	case l.woken <- struct{}{}:
	default:
	}
}

// line tells that a node's agent came or went.
func (l *loop) line(node sched.NodeName) {
	l.mu.Lock()
	l.lines[node] = struct{}{}
	l.mu.Unlock()
	l.wake()
}

// run plans whenever woken, until ctx ends.
func (l *loop) run(ctx context.Context) {
	alarm := time.NewTimer(time.Hour)
	defer alarm.Stop()
	l.live = nil
	defer func() { l.live, l.log = nil, nil }()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.woken:
		case <-alarm.C:
		case q := <-l.asks:
			l.answer(ctx, q) // rpc_why.go
			continue
		}
		next := l.cycle(ctx)
		wait := time.Minute
		if !next.IsZero() {
			wait = max(time.Until(next), time.Millisecond)
		}
		alarm.Reset(min(wait, time.Minute))
	}
}

// catchUp tells the scheduler what happened since the last plan. It reports
// whether there is a scheduler: there is none without a configuration.
func (l *loop) catchUp(ctx context.Context) bool {
	for l.live != nil {
		select {
		case <-l.log.Ready():
		default:
			l.reach()
			return true
		}
		batch, err := l.log.Next(ctx)
		if err != nil {
			l.live = nil
			return false
		}
		if batch.Reset || !l.tell(batch.Events) {
			l.live = nil
		}
	}
	l.log = l.s.barn.Follow(func(st *state.State) {
		if st.Config() != nil {
			v := st.View()
			v.Ledger = st.Limits()
			l.live = sched.NewScheduler(v)
		}
	})
	if l.live == nil {
		return false
	}
	l.learn()
	l.mu.Lock()
	clear(l.lines)
	l.mu.Unlock()
	for _, name := range l.live.Nodes() {
		l.live.Reach(name, l.s.sessions.connected(name))
	}
	return true
}

// tell passes events on. It returns false when the scheduler has to be made
// anew.
func (l *loop) tell(events []state.Event) bool {
	for _, ev := range events {
		switch ev := ev.(type) {
		case state.JobChanged:
			l.live.Job(ev.Old, ev.New)
		case state.NodeChanged:
			if ev.Old == nil || ev.New == nil {
				return false
			}
			l.live.Node(ev.New)
		case state.AccountsChanged:
			l.live.SetAccounts(ev.New, time.Now())
		case state.UsageReset:
			if !ev.Month.IsZero() {
				l.live.SetMonth(ev.Month, ev.NextMonth, ev.At)
			} else {
				l.live.ResetUsage(ev.All, ev.Assocs, ev.QOS, ev.At)
			}
		case state.ReservationChanged:
			l.live.Reservation(ev.Old, ev.New)
		case state.HistoryImported:
			l.live.AddPast(ev.Used, ev.At)
			l.learnFrom(ev.Records)
		case state.ConfigChanged, state.LicensesChanged:
			return false
		}
	}
	return !l.live.Stale()
}

// reach tells the scheduler which nodes' agents came or went.
func (l *loop) reach() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name := range l.lines {
		l.live.Reach(name, l.s.sessions.connected(name))
	}
	clear(l.lines)
}

// cycle makes one plan and commits it. It returns when time alone will change
// the answer.
func (l *loop) cycle(ctx context.Context) time.Time {
	s := l.s
	s.refreshPriorities(ctx, time.Now())
	if !l.catchUp(ctx) || l.live.Waiting() == 0 && !l.live.Paused() {
		return time.Time{}
	}
	now := time.Now()
	plan, full := l.live.Paced(now)
	s.diag.planned(full, now, time.Since(now), l.live)
	var cmds []state.Command
	if len(plan.Starts) > 0 {
		l.live.ChooseCPUs(plan.Starts)
		cmds = append(cmds, state.StartJobs{Starts: plan.Starts})
	}
	for _, id := range plan.Late {
		cmds = append(cmds, state.EndJob{Job: id, Restarts: state.AnyIncarnation, State: slurm.JobDeadline, Reason: slurm.ReasonDeadline})
	}
	cmds = append(cmds, roomCommands(&plan)...)
	if waits := l.news(plan.Waits); len(waits) > 0 {
		cmds = append(cmds, state.SetWaits{Waits: waits})
	}
	s.waits.plan(plan.Waits)
	results, err := s.propose(ctx, cmds...)
	if err != nil {
		if ctx.Err() == nil {
			s.log.Warn("cannot commit a plan", "error", err)
		}
		l.live = nil // it takes for told what was not committed
		return now.Add(time.Second)
	}
	l.catchUp(ctx) // what waits to be told keeps alive the records it replaced
	if len(plan.Starts) > 0 && len(results[0].Started) < len(plan.Starts) {
		// Something changed between view and commit: the refused starts are
		// planned again on what is true now.
		s.log.Debug("starts refused at commit", "planned", len(plan.Starts), "started", len(results[0].Started))
		if l.refused++; l.refused > maxRefused && len(results[0].Refused) > 0 {
			s.log.Warn("starts are refused again and again: the scheduler begins anew", "planned", len(plan.Starts), "started", len(results[0].Started),
				"first", results[0].Refused[0].Err)
			l.live = nil
			return now.Add(time.Second)
		}
		if l.live != nil {
			l.live.LookAgain()
		}
		l.wake()
		return plan.Next
	}
	if len(plan.Starts) > 0 {
		l.refused = 0
	}
	return plan.Next
}

// news leaves only the waits that say something the record does not say yet:
// the log is not for repeating the same reason at each cycle.
func (l *loop) news(waits []sched.Wait) []sched.Wait {
	var fresh []sched.Wait
	for _, w := range waits {
		if j := l.live.Pending(w.Job); j != nil && (j.Reason != w.Reason || j.ReasonText != w.Text || j.LastSched.IsZero() && eligibleReason(w.Reason)) {
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
