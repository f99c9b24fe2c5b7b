package ctld

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// What runs before a job begins and after it has ended: PrologSlurmctld and
// EpilogSlurmctld here, and with PrologFlags=Alloc the prologs of its nodes. The
// state says that a job waits for that (CONFIGURING); which of them have run is
// the leader's memory, and a new leader asks again.

// here stands for the controller among those a job waits for.
const here = ""

// prologBook knows what jobs wait for that are being made ready.
type prologBook struct {
	mu   sync.Mutex // guards jobs
	jobs map[incarnation]map[string]bool
}

type incarnation struct {
	job      slurm.JobID
	restarts uint32
}

func newPrologBook() *prologBook { return &prologBook{jobs: map[incarnation]map[string]bool{}} }

// begin notes whom a job waits for, and reports false when that is known.
func (b *prologBook) begin(k incarnation, who map[string]bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.jobs[k] != nil {
		return false
	}
	b.jobs[k] = who
	return true
}

func (b *prologBook) forget(k incarnation) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.jobs, k)
}

// done notes that who has run the prolog of a job. The job begins with the last.
func (b *prologBook) done(s *Server, id slurm.JobID, restarts uint32, who string) []state.Command {
	var j *sched.Job
	s.barn.Read(func(t *state.State) { j = t.Job(id) })
	if j == nil || j.Restarts != restarts || !j.State.Has(slurm.JobConfiguring) {
		return nil
	}
	k := incarnation{id, restarts}
	b.mu.Lock()
	defer b.mu.Unlock()
	waits := b.jobs[k]
	if waits == nil {
		return nil // dispatchStart is still to come, and asks again
	}
	delete(waits, who)
	if len(waits) > 0 {
		return nil
	}
	delete(b.jobs, k)
	return []state.Command{state.BeginJob{Job: id, Restarts: restarts}}
}

// launchesEarly reports whether batch scripts are sent to their nodes while the
// prologs there still run: the node makes the script wait for its own.
func (s *Server) launchesEarly() bool {
	c := s.liveConf()
	return c.PrologSlurmctld == "" && !slices.Contains(c.PrologFlags, "DeferBatch")
}

// prepare has run what runs before a job that was allocated nodes. It is told of a
// job when it starts, when its nodes are up, and when it begins.
func (s *Server) prepare(j *sched.Job) {
	var conf *sched.Config
	s.barn.Read(func(t *state.State) { conf = t.Config() })
	if conf == nil || conf.Conf == nil || !s.leads() {
		return
	}
	k := incarnation{j.ID, j.Restarts}
	alloc := sched.PrologAtAllocation(conf)
	if !j.State.Has(slurm.JobConfiguring) {
		s.prologs.forget(k)
		if alloc && !sched.RunsBefore(conf) { // NoHold
			s.sendPrologs(j, conf)
		}
		return
	}
	who := map[string]bool{}
	if alloc && !slices.Contains(conf.Conf.PrologFlags, "NoHold") {
		for _, n := range j.Nodes() {
			who[string(n)] = true
		}
	}
	if conf.Conf.PrologSlurmctld != "" {
		who[here] = true
	}
	if !s.prologs.begin(k, who) {
		return
	}
	if who[here] {
		s.prologSlurmctld(j, conf)
	}
	if alloc {
		s.sendPrologs(j, conf)
	}
	if len(who) == 0 { // the configuration changed meanwhile
		s.wg.Go(func() { s.commit(s.prologs.done(s, j.ID, j.Restarts, here)...) })
	}
}

// prepareOn asks one node, whose agent has just come, for what prepare asks all.
func (s *Server) prepareOn(sess *session, j *sched.Job) {
	var conf *sched.Config
	s.barn.Read(func(t *state.State) { conf = t.Config() })
	if conf == nil || !sched.PrologAtAllocation(conf) || j.State.Has(slurm.JobPowerUpNode) {
		return
	}
	if i := slices.Index(j.Nodes(), sess.node); i >= 0 {
		sess.push(prologOrder(s.jobHere(j, conf, i)))
	}
}

func (s *Server) sendPrologs(j *sched.Job, conf *sched.Config) {
	for i, n := range j.Nodes() {
		s.sessions.send(n, prologOrder(s.jobHere(j, conf, i)))
	}
}

func prologOrder(h *rinkpb.JobHere) *rinkpb.Order {
	return &rinkpb.Order{Order: &rinkpb.Order_Prolog{Prolog: &rinkpb.PrologHere{Here: h}}}
}

// prepareAll takes up, as a new leader, the jobs that are being made ready.
func (s *Server) prepareAll() {
	var jobs []*sched.Job
	s.barn.Read(func(t *state.State) {
		for j := range t.Holding() {
			if j.State.Has(slurm.JobConfiguring) && j.IsRunning() && !j.State.Has(slurm.JobPowerUpNode) {
				jobs = append(jobs, j)
			}
		}
	})
	for _, j := range jobs {
		s.prologs.forget(incarnation{j.ID, j.Restarts})
		s.prepare(j)
	}
}

// commit proposes what a program's end asks for, for as long as the server runs.
func (s *Server) commit(cmds ...state.Command) {
	if len(cmds) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if _, err := s.propose(ctx, cmds...); err != nil {
		s.log.Warn("cannot commit how a program ended", "error", err)
	}
}

// prologSlurmctld runs PrologSlurmctld. Should it fail, a batch job goes back into
// the queue, and another one ends.
func (s *Server) prologSlurmctld(j *sched.Job, conf *sched.Config) {
	env := append(sched.HookEnv(j, conf), "SLURM_SCRIPT_CONTEXT=prolog_slurmctld")
	s.wg.Go(func() { // ends with the program, which stopping ends
		err := s.runProgram(conf.Conf.PrologSlurmctld, conf.Conf.PrologTimeout, env)
		if s.stopping.Err() != nil {
			return // the next leader runs it again
		}
		if err == nil {
			s.commit(s.prologs.done(s, j.ID, j.Restarts, here)...)
			return
		}
		s.log.Warn("PrologSlurmctld failed", "job", j.ID, "error", err)
		s.prologs.forget(incarnation{j.ID, j.Restarts})
		end := state.EndJob{Job: j.ID, Restarts: j.Restarts, State: slurm.JobCancelled, Reason: slurm.ReasonProlog, Text: "PrologSlurmctld: " + err.Error()}
		if j.Batch && j.Requeue {
			end.State, end.Requeue, end.NotBefore = slurm.JobNodeFail, true, time.Now().Add(sched.RequeueDelay(conf))
		}
		s.commit(end)
	})
}

// epilogSlurmctld runs EpilogSlurmctld for a job that no node has any more. Its end
// changes nothing.
func (s *Server) epilogSlurmctld(j *sched.Job) {
	s.prologs.forget(incarnation{j.ID, j.Restarts})
	if !s.leads() {
		return
	}
	var conf *sched.Config
	s.barn.Read(func(t *state.State) { conf = t.Config() })
	if conf == nil || conf.Conf == nil || conf.Conf.EpilogSlurmctld == "" || len(j.Alloc) == 0 {
		return
	}
	env := slices.Concat(sched.HookEnv(j, conf), sched.EndEnv(j.ExitCode, j.DerivedExit), []string{"SLURM_SCRIPT_CONTEXT=epilog_slurmctld"})
	s.wg.Go(func() { // ends with the program, which stopping ends
		if err := s.runProgram(conf.Conf.EpilogSlurmctld, conf.Conf.EpilogTimeout, env); err != nil && s.stopping.Err() == nil {
			s.log.Warn("EpilogSlurmctld failed", "job", j.ID, "error", err)
		}
	})
}

func (s *Server) leads() bool {
	s.sessions.mu.Lock()
	defer s.sessions.mu.Unlock()
	return s.sessions.leading != 0
}

// runProgram runs a program of the configuration beside the controller. It is
// killed, with what it has started, when the time or the server is over.
func (s *Server) runProgram(program string, limit slurm.Duration, env []string) error {
	ctx := s.stopping
	if limit > 0 && limit < 1<<31 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, seconds(limit))
		defer cancel()
	}
	cmd := exec.CommandContext(ctx, program)
	cmd.Env = append([]string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "SLURM_CONF=" + s.opt.Config.Path}, env...)
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	if errors.Is(err, exec.ErrWaitDelay) {
		return nil
	}
	return err
}

// prologFailed is a node whose prolog for a job failed: it drains, and the job
// goes back into the queue, held unless that is not wanted. A job without a
// script, or one that may not be requeued, ends.
func (s *Server) prologFailed(node sched.NodeName, f *rinkpb.LaunchFailed) []state.Command {
	var cmds []state.Command
	id := slurm.JobID(f.Job)
	if f.IsStep {
		cmds = append(cmds, s.stepFailed(node, f)...)
	}
	s.barn.Read(func(t *state.State) {
		j, conf := t.Job(id), t.Config()
		if j == nil || j.Restarts != f.Restarts || conf == nil {
			return
		}
		s.prologs.forget(incarnation{j.ID, j.Restarts})
		end := state.EndJob{Job: id, Restarts: f.Restarts, State: slurm.JobCancelled, Reason: slurm.ReasonJobLaunchFailure, Text: f.Error}
		requeue := j.Requeue
		if !requeue && j.Batch && slices.Contains(conf.Conf.PrologFlags, "ForceRequeueOnFail") {
			yes := true
			cmds = append(cmds, state.UpdateJob{Job: id, Change: state.JobChange{Requeue: &yes}})
			requeue = true
		}
		if j.Batch && requeue {
			end.State, end.Requeue, end.NotBefore = slurm.JobNodeFail, true, time.Now().Add(sched.RequeueDelay(conf))
			if !conf.Conf.SchedulerParameters.Has("nohold_on_prolog_fail") {
				end.Hold = sched.HeldByAdmin
			}
		}
		cmds = append(cmds, end)
	})
	reason := "Prolog error"
	return append(cmds, state.UpdateNode{Nodes: []sched.NodeName{node}, Set: slurm.NodeDrain, Reason: &reason, ReasonUser: "root"})
}

// epilogEnv is what an epilog is told of a job; nothing when there is none.
func (s *Server) epilogEnv(j *sched.Job) []string {
	var conf *sched.Config
	s.barn.Read(func(t *state.State) { conf = t.Config() })
	if conf == nil || conf.Conf == nil || len(conf.Conf.Epilog) == 0 {
		return nil
	}
	return append(sched.HookEnv(j, conf), sched.EndEnv(j.ExitCode, j.DerivedExit)...)
}
