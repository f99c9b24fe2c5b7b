package ctld

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/runink/rink/auth"
	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// triggerKinds are the events there are, of each thing triggers are set on.
var triggerKinds = map[string]map[string]bool{
	sched.TriggerOnJob:  {"fini": true, "time": true},
	sched.TriggerOnNode: {"down": true, "up": true, "drained": true, "draining": true, "resume": true, "fail": true, "idle": true},
	sched.TriggerOnCtld: {
		"reconfig": true, "primary_slurmctld_failure": true, "primary_slurmctld_resumed_operation": true,
		"primary_slurmctld_resumed_control": true, "backup_slurmctld_failure": true, "backup_slurmctld_resumed_operation": true,
		"backup_slurmctld_assumed_control": true,
	},
}

const (
	// maxPulled bounds the programs that run for triggers at the same time.
	maxPulled = 16
	// pulledFor is how long such a program may take.
	pulledFor = 5 * time.Minute
)

// triggers is what the leader remembers of events that triggers may want. What is
// remembered here and not in the state is lost with the leader: an event of the
// moment of a failover may pull nothing.
type triggers struct {
	mu     sync.Mutex // guards seen and looked
	seen   []happening
	looked time.Time                    // when what happened was looked at last
	idle   map[sched.NodeName]time.Time // since when; the tick's alone
	pulled map[uint32]time.Time         // job and idle triggers that stay: when they were pulled last; the tick's alone
	slots  chan struct{}                // one for each program that runs
	work   sync.WaitGroup
}

// happening is an event of a kind, to nodes where it is one of nodes.
type happening struct {
	on, kind string
	node     sched.NodeName
	at       time.Time // when it was noted
}

func newTriggers() *triggers {
	return &triggers{idle: map[sched.NodeName]time.Time{}, pulled: map[uint32]time.Time{}, slots: make(chan struct{}, maxPulled)}
}

// begin forgets what was noted in an earlier term: it was pulled then.
func (t *triggers) begin() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seen, t.looked = nil, time.Now()
}

func (t *triggers) note(h happening) {
	t.mu.Lock()
	defer t.mu.Unlock()
	h.at = time.Now() // under the lock, so that no look comes between
	if len(t.seen) < 1<<16 {
		t.seen = append(t.seen, h)
	}
}

// noticeNode remembers what of a node's change triggers may be set on.
func (t *triggers) noticeNode(ev state.NodeChanged) {
	if ev.Old == nil || ev.New == nil {
		return
	}
	for _, kind := range nodeEvents(ev.Old.State, ev.New.State) {
		t.note(happening{on: sched.TriggerOnNode, kind: kind, node: ev.New.Name})
	}
}

// nodeEvents are the events that a change of a node's state is.
func nodeEvents(old, now slurm.NodeState) []string {
	down := func(s slurm.NodeState) bool { return s.Base() == slurm.NodeDown || s.Has(slurm.NodeNotResponding) }
	unsaid := func(s slurm.NodeState) bool { return s.Base() == slurm.NodeUnknown || s.Base() == slurm.NodeFuture }
	busy := func(s slurm.NodeState) bool {
		return s.Base() == slurm.NodeAllocated || s.Base() == slurm.NodeMixed || s.Has(slurm.NodeCompleting)
	}
	var out []string
	add := func(kind string, on bool) {
		if on {
			out = append(out, kind)
		}
	}
	add("down", down(now) && !down(old) && !unsaid(old))
	add("up", down(old) && !down(now) && !unsaid(now))
	add("fail", now.Has(slurm.NodeFail) && !old.Has(slurm.NodeFail))
	add("draining", now.Has(slurm.NodeDrain) && busy(now) && !(old.Has(slurm.NodeDrain) && busy(old)))
	add("drained", now.Has(slurm.NodeDrain) && !busy(now) && !(old.Has(slurm.NodeDrain) && !busy(old)))
	add("resume", (old.Has(slurm.NodeDrain) || old.Has(slurm.NodeFail)) && !now.Has(slurm.NodeDrain) && !now.Has(slurm.NodeFail))
	return out
}

// pull is a program to be run: for these triggers something has happened to these
// nodes or that job.
type pull struct {
	trigger *sched.Trigger
	arg     string
}

// due works out which triggers are pulled now. Events stay remembered as long as
// some trigger's offset has not passed since.
func (t *triggers) due(st *state.State) []pull {
	list := st.Triggers()
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	t.noteIdle(st, now)
	var out []pull
	longest := time.Duration(0)
	for _, tr := range list {
		longest = max(longest, tr.Offset)
		switch tr.On {
		case sched.TriggerOnJob:
			if jobTrigger(st.Job(tr.Job), tr, now) && t.pulled[tr.ID].IsZero() {
				t.pulled[tr.ID] = now
				out = append(out, pull{tr, tr.Job.String()})
			}
		case sched.TriggerOnNode:
			var hit []string
			for _, name := range t.happenedTo(tr, now) {
				hit = append(hit, string(name))
			}
			if len(hit) > 0 {
				out = append(out, pull{tr, slurm.HostListOf(hit...).Sorted().String()})
			}
		default:
			if slices.ContainsFunc(t.seen, func(h happening) bool { return h.fits(tr) && t.ripe(h, tr, now) }) {
				out = append(out, pull{tr, tr.Kind})
			}
		}
	}
	for id := range t.pulled {
		if !slices.ContainsFunc(list, func(tr *sched.Trigger) bool { return tr.ID == id }) {
			delete(t.pulled, id)
		}
	}
	if len(list) == 0 {
		longest = 0
	}
	t.seen = slices.DeleteFunc(t.seen, func(h happening) bool { return now.Sub(h.at) > longest })
	t.looked = now
	return out
}

// ripe reports whether a trigger's offset since an event has passed since the last
// look, so that a permanent trigger is pulled once an event.
func (t *triggers) ripe(h happening, tr *sched.Trigger, now time.Time) bool {
	due := h.at.Add(max(tr.Offset, 0))
	return !h.at.Before(tr.Since) && !due.After(now) && due.After(t.looked)
}

func (h happening) fits(tr *sched.Trigger) bool { return h.on == tr.On && h.kind == tr.Kind }

// happenedTo are the nodes that what a trigger waits for has happened to.
func (t *triggers) happenedTo(tr *sched.Trigger, now time.Time) []sched.NodeName {
	wants := func(sched.NodeName) bool { return true }
	if tr.Nodes != "" {
		list, err := slurm.ParseHostList(tr.Nodes)
		if err != nil {
			return nil // it could be read when it was set
		}
		names := list.Hosts()
		wants = func(n sched.NodeName) bool { return slices.Contains(names, string(n)) }
	}
	var out []sched.NodeName
	if tr.Kind == "idle" {
		last := t.pulled[tr.ID]
		for n, since := range t.idle {
			if wants(n) && !now.Before(since.Add(tr.Offset)) && last.Before(since) {
				out = append(out, n)
			}
		}
		if len(out) > 0 {
			t.pulled[tr.ID] = now
		}
		return out
	}
	for _, h := range t.seen {
		if h.fits(tr) && wants(h.node) && t.ripe(h, tr, now) {
			out = append(out, h.node)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// noteIdle keeps since when nodes are idle.
func (t *triggers) noteIdle(st *state.State, now time.Time) {
	for _, n := range st.Nodes() {
		idle := n.State.Base() == slurm.NodeIdle && !n.State.Has(slurm.NodeDrain) && !n.State.Has(slurm.NodeCompleting)
		if _, was := t.idle[n.Name]; idle && !was {
			t.idle[n.Name] = now
		} else if !idle {
			delete(t.idle, n.Name)
		}
	}
}

// jobTrigger reports whether a job has come to what a trigger waits for.
func jobTrigger(j *sched.Job, tr *sched.Trigger, now time.Time) bool {
	switch {
	case tr.Kind == "fini":
		return j == nil || j.State.Ended() && !now.Before(j.End.Add(tr.Offset))
	case j == nil || j.State.Ended():
		return true // its limit will not come any more
	}
	return j.State.Base() == slurm.JobRunning && !j.End.IsZero() && !now.Before(j.End.Add(tr.Offset))
}

// pullTriggers runs what is due: a trigger that is pulled is forgotten first, unless
// it is permanent, so that no other leader pulls it again.
func (s *Server) pullTriggers(ctx context.Context) {
	var list []pull
	var conf *sched.Config
	s.barn.Read(func(st *state.State) {
		if conf = st.Config(); conf != nil {
			list = s.triggers.due(st)
		}
	})
	if len(list) == 0 {
		return
	}
	var drop state.DropTriggers
	for _, p := range list {
		if !p.trigger.Perm || p.trigger.On == sched.TriggerOnJob {
			drop.IDs = append(drop.IDs, p.trigger.ID)
		}
	}
	if len(drop.IDs) > 0 {
		if _, err := s.propose(ctx, drop); err != nil {
			if ctx.Err() == nil {
				s.log.Warn("cannot commit that triggers were pulled", "error", err)
			}
			return
		}
	}
	for _, p := range list {
		s.runTrigger(p)
	}
}

// runsAs reports whether programs can be run as a user: root's controller can run
// anybody's, another its own user's alone.
func (s *Server) runsAs(uid uint32) bool { return os.Getuid() == 0 || uint32(os.Getuid()) == uid }

// runTrigger runs a trigger's program as its owner, with what happened to whom as
// its last argument.
func (s *Server) runTrigger(p pull) {
	t := p.trigger
	u, err := s.users.ByUID(t.UID)
	if err != nil || !s.runsAs(t.UID) {
		s.log.Error("cannot run a trigger's program", "trigger", t.ID, "user", t.User, "error", err)
		return
	}
	select {
	case s.triggers.slots <- struct{}{}:
	default:
		s.log.Error("cannot run a trigger's program: too many run already", "trigger", t.ID, "program", t.Program)
		return
	}
	words := append(strings.Fields(t.Program), p.arg)
	s.triggers.work.Go(func() { // ends with the program, at the latest after pulledFor
		defer func() { <-s.triggers.slots }()
		ctx, cancel := context.WithTimeout(context.Background(), pulledFor)
		defer cancel()
		cmd := exec.CommandContext(ctx, words[0], words[1:]...)
		var said bytes.Buffer
		cmd.Dir, cmd.Stdout, cmd.Stderr = "/", &bounded{&said}, &bounded{&said}
		cmd.Env = s.triggerEnv(u)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
		cmd.WaitDelay = time.Second
		if os.Getuid() == 0 {
			cmd.SysProcAttr.Credential = &syscall.Credential{Uid: u.UID, Gid: u.GID, Groups: u.Groups}
		}
		s.log.Info("a trigger was pulled", "trigger", t.ID, "event", t.Kind, "of", p.arg, "program", t.Program, "user", u.Name)
		if err := cmd.Run(); err != nil {
			s.log.Warn("a trigger's program failed", "trigger", t.ID, "program", t.Program, "error", err, "output", strings.TrimSpace(said.String()))
		}
	})
}

func (s *Server) triggerEnv(u auth.User) []string {
	return []string{
		"PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME=" + u.Home, "USER=" + u.Name, "LOGNAME=" + u.Name, "SHELL=/bin/sh",
		"SLURM_CONF=" + s.opt.Config.Path, "RINK_CONF=" + s.opt.Config.Path, "SLURM_CLUSTER_NAME=" + s.conf.ClusterName,
		"SLURM_JOB_UID=" + strconv.FormatUint(uint64(u.UID), 10),
	}
}

// bounded keeps the beginning of what is written to it.
type bounded struct{ b *bytes.Buffer }

func (w *bounded) Write(p []byte) (int, error) {
	if room := 4096 - w.b.Len(); room > 0 {
		w.b.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

// close waits for the programs that run, a moment; then they are left alone, as they
// would be if the controller were killed.
func (t *triggers) close() {
	done := make(chan struct{})
	go func() { t.work.Wait(); close(done) }() // ends with the programs, at the latest after pulledFor
	select {
	case <-done:
	case <-time.After(2 * time.Second):
	}
}
