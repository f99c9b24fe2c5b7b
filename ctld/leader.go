package ctld

import (
	"context"
	"errors"
	"runtime/debug"
	"time"

	"github.com/runink/rink/barn"
	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// lead waits for leadership and runs the leader's loops while it lasts. It
// ends with ctx.
func (s *Server) lead(ctx context.Context) {
	changes := s.barn.Leadership()
	for {
		var number uint64
		select {
		case <-ctx.Done():
			return
		case l, ok := <-changes:
			if !ok {
				return // the barn is closed
			}
			if !l.Leader {
				continue
			}
			number = l.Term
		}
		term, cancel := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() { defer close(done); s.term(term, number) }() // ended by cancel below
		for lost := false; !lost; {
			select {
			case <-ctx.Done():
				lost = true
			case l, ok := <-changes:
				lost = !ok || !l.Leader
			}
		}
		cancel()
		<-done
		if ctx.Err() != nil {
			return
		}
	}
}

// term is one term of leadership: the configuration is brought up to date, the
// nodes known so far get a moment to come back, and the loops run until ctx
// ends.
func (s *Server) term(ctx context.Context, number uint64) {
	if err := s.barn.Barrier(ctx); err != nil {
		s.log.Error("cannot catch up as leader", "error", err)
		return
	}
	if err := s.adoptConfig(ctx); err != nil {
		s.log.Error("cannot put the configuration into the state", "error", err)
		if s.noConfig() {
			return
		}
	}
	s.soft.expectAll(s.nodeNames(), time.Now())
	s.triggers.begin()
	for _, kind := range []string{"primary_slurmctld_resumed_operation", "primary_slurmctld_resumed_control"} {
		s.triggers.note(happening{on: sched.TriggerOnCtld, kind: kind})
	}
	s.log.Info("leads the cluster", "cluster", s.conf.ClusterName)
	began, _ := s.barn.Index()
	s.sessions.lead(number, began)
	s.prepareAll()
	defer s.sessions.lead(0, 0)
	if s.opt.Ready != nil {
		s.opt.Ready()
		s.opt.Ready = nil
	}
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	late := time.Now()
	s.loop.wake()
	done := make(chan struct{})
	go func() { defer close(done); s.loop.run(ctx) }() // ends with ctx
	tended := make(chan struct{})
	go func() { defer close(tended); s.steward(ctx) }() // ends with ctx
	defer func() { <-tended }()
	for {
		select {
		case <-ctx.Done():
			<-done
			return
		case <-ticker.C:
			now := time.Now()
			if now.Sub(late) > stalled {
				// It was this controller that did not listen.
				s.soft.expectAll(s.nodeNames(), now)
			}
			s.tick(ctx, now)
			late = time.Now()
		}
	}
}

// stalled is how late the once-a-second look is when this process stood still, or
// the clock was set.
const stalled = 4 * time.Second

// adoptConfig puts the configuration files into the barn when they differ from
// what is there. Of several controllers none does so by coming to lead: each has
// files of its own, and which of them are meant is an operator's to say.
func (s *Server) adoptConfig(ctx context.Context) error {
	same := false
	s.barn.Read(func(st *state.State) { same = sameFiles(st.ConfigFiles(), s.opt.Config.Files) })
	if same {
		return nil
	}
	if len(s.barn.Servers()) > 1 && !s.noConfig() {
		s.log.Warn("the configuration files here are not those in force; scontrol reconfigure puts these in force", "file", s.opt.Config.Path)
		return nil
	}
	results, err := s.propose(ctx, state.SetConfig{Files: s.opt.Config.Files})
	if err != nil {
		return err
	}
	return results[0].Err
}

func (s *Server) noConfig() bool {
	none := true
	s.barn.Read(func(st *state.State) { none = st.Config() == nil })
	return none
}

func (s *Server) nodeNames() []sched.NodeName {
	var names []sched.NodeName
	s.barn.Read(func(st *state.State) {
		for _, n := range st.Nodes() {
			names = append(names, n.Name)
		}
	})
	return names
}

// act follows the log: what was committed is carried out here, in order. It
// ends when the watcher is closed.
func (s *Server) act(ctx context.Context, w *barn.Watcher) {
	for {
		batch, err := w.Next(ctx)
		if err != nil {
			if !errors.Is(err, context.Canceled) && !errors.Is(err, barn.ErrClosed) {
				s.log.Error("cannot follow the log", "error", err)
			}
			return
		}
		if batch.Reset {
			s.seeAccounts()
		}
		plan := batch.Reset
		for _, ev := range batch.Events {
			s.carryOut(ev, s.sessions.since(batch.Index))
			plan = plan || matters(ev)
		}
		if plan {
			s.loop.wake()
		}
	}
}

// matters reports whether an event can change what the scheduler would decide.
// Its own words on why jobs wait cannot.
func matters(ev state.Event) bool {
	c, ok := ev.(state.JobChanged)
	if !ok || c.Old == nil || c.New == nil {
		return true
	}
	return c.Old.State != c.New.State || c.Old.LastSched.Equal(c.New.LastSched)
}

// carryOut does what an event asks for outside the state. Orders go out when this
// controller leads and the event was committed since it does: what came before is
// in the state that agents are welcomed by, and a log that is read again tells of
// jobs that are long over.
func (s *Server) carryOut(ev state.Event, leads bool) {
	s.diag.happened(ev)
	switch ev := ev.(type) {
	case state.JobStarted:
		s.waits.forget(ev.Job.ID)
		if leads {
			s.dispatchStart(ev.Job)
		}
		if leads {
			s.mailStarted(ev.Job)
		}
	case state.JobChanged:
		s.waits.notify(ev.New)
		if ev.New != nil && ev.New.IsPending() && ev.New.HeldBy != sched.HeldByNobody {
			s.waits.forget(ev.New.ID)
		}
		if ev.Old != nil && ev.New != nil && ev.Old.State != ev.New.State {
			s.waits.stepRoomMade(ev.New.ID) // it was made ready, or goes on
		}
		if leads {
			s.dispatchChange(ev.Old, ev.New)
		}
		s.noticePriority(ev)
		if leads {
			s.mailChanged(ev)
		}
	case state.JobEnded:
		s.waits.forget(ev.Job.ID)
		if leads {
			s.mailEnded(ev)
		}
	case state.JobPurged:
		s.waits.forget(ev.Job)
	case state.StepEnded:
		s.waits.stepRoomMade(ev.Job.ID)
	case state.AccountsChanged:
		s.accounts.Store(ev.New)
	case state.JobReleased:
		if leads {
			s.epilogSlurmctld(ev.Job)
		}
	case state.NodeChanged:
		if leads {
			s.triggers.noticeNode(ev)
		}
	case state.ConfigChanged:
		s.seeConfig(ev.Config)
		if leads {
			s.triggers.note(happening{on: sched.TriggerOnCtld, kind: "reconfig"})
		}
		s.sessions.broadcastConfig()
	}
}

// tick is the leader's once-a-second look at what only time changes: limits
// that ran out, nodes not heard of, ended jobs to forget.
func (s *Server) tick(ctx context.Context, now time.Time) {
	var cmds []state.Command
	s.barn.Read(func(st *state.State) {
		conf := st.Config()
		if conf == nil {
			return
		}
		cmds = append(cmds, overTime(st, now)...)
		cmds = append(cmds, graceOver(st, now)...)
		cmds = append(cmds, s.lostNodes(st, now)...)
		cmds = append(cmds, s.stepBook.settled(st.Job)...)
		cmds = append(cmds, usageReset(st, now)...)
		cmds = append(cmds, quotaMonth(st, now)...)
		cmds = append(cmds, turnReservations(st, now)...)
		cmds = append(cmds, cronTurns(st, now)...)
		if age := conf.Conf.MinJobAge; age > 0 && st.EndedBefore(now.Add(-seconds(age))) {
			cmds = append(cmds, state.Purge{Before: now.Add(-seconds(age))})
		}
	})
	if _, err := s.propose(ctx, cmds...); err != nil && ctx.Err() == nil {
		s.log.Warn("cannot commit what the clock asks for", "error", err)
	}
	s.signalWarnings(now)
	s.warnPreempted(now)
	s.mailTimes(now)
	s.powerWork(ctx, now)
	s.cutWork(ctx, now)
	s.rebootWork(ctx, now)
	s.overTimeSteps(now)
	s.checkHealth(now)
	s.pullTriggers(ctx)
	s.resendKills(now)
	if len(cmds) == 0 && now.Unix()%restEvery == 0 {
		// What a burst of work needed goes back to the system once it is over.
		debug.FreeOSMemory()
	}
}

// restEvery is how often, in seconds, a controller with nothing to do gives back
// memory.
const restEvery = 30

// overTime ends the jobs whose time limit has run out.
func overTime(st *state.State, now time.Time) []state.Command {
	var cmds []state.Command
	over := st.Config().Conf.OverTimeLimit
	for j := range st.Holding() {
		if j.State.Base() != slurm.JobRunning || j.State.Has(slurm.JobCompleting) || j.End.IsZero() || inGrace(j) || j.State.Has(slurm.JobConfiguring) {
			continue
		}
		grace := seconds(over)
		if p := st.Config().Partition(j.Partition); p != nil && p.OverTimeLimit > 0 {
			grace = seconds(p.OverTimeLimit)
		}
		if now.After(j.End.Add(grace)) {
			cmds = append(cmds, state.EndJob{Job: j.ID, Restarts: j.Restarts, State: slurm.JobTimeout, Reason: slurm.ReasonTimeLimit})
		}
	}
	return cmds
}

func seconds(d slurm.Duration) time.Duration { return time.Duration(d) * time.Second }

// liveJobs lists the records that have not ended, in the order of their ids.
func liveJobs(st *state.State) []*sched.Job {
	var out []*sched.Job
	for j := range st.Jobs() {
		if !j.State.Ended() || j.State.Has(slurm.JobCompleting) {
			out = append(out, j)
		}
	}
	return out
}
