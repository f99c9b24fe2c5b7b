package noded

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"syscall"
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/slurm"
)

// maxHookOutput is how much of what a hook prints is kept for the log.
const maxHookOutput = 4096

// Slurm's words for a node that is drained for its prolog or epilog.
const (
	prologWords = "Prolog error"
	epilogWords = "Epilog error"
)

// prolog runs the node's Prolog before the first thing of a job starts here,
// once a job. Its failure is the node's.
func (a *Agent) prolog(ctx context.Context, j *job) error {
	j.mu.Lock()
	if done := j.prologed; done != nil {
		j.mu.Unlock()
		<-done
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return j.prologErr
	}
	done := make(chan struct{})
	j.prologed = done
	j.mu.Unlock()
	defer close(done)
	conf := a.liveConf()
	j.prologErr = a.runHooks(ctx, "Prolog", conf.Prolog, seconds(cmp.Or(conf.PrologTimeout, conf.PrologEpilogTimeout)), j, "SLURM_SCRIPT_CONTEXT=prolog_slurmd")
	if ctx.Err() != nil {
		return ctx.Err() // the agent stops; its successor runs it again
	}
	if err := a.spool.put(j.key, "prologed", &rinkpb.HeldJob{Job: j.key.job}); err != nil && j.prologErr == nil {
		j.prologErr = err
	}
	return j.prologErr
}

// epilog runs the node's Epilog when nothing of a job is left here.
func (a *Agent) epilog(ctx context.Context, j *job) error {
	conf := a.liveConf()
	j.mu.Lock()
	end := j.endEnv
	if b := j.batch; b != nil {
		end = endEnv(b.Exit, j.derived)
	}
	j.mu.Unlock()
	return a.runHooks(ctx, "Epilog", conf.Epilog, seconds(cmp.Or(conf.EpilogTimeout, conf.PrologEpilogTimeout)), j, append([]string{"SLURM_SCRIPT_CONTEXT=epilog_slurmd"}, end...)...)
}

// epilogAlone runs the epilog of a job that had this node and ran nothing here,
// and reports whether there was one to run.
func (a *Agent) epilogAlone(k jobKey, o *rinkpb.EndJobHere) bool {
	if len(a.liveConf().Epilog) == 0 || len(o.HookEnv) == 0 {
		return false
	}
	a.mu.Lock()
	known := a.past.has(k)
	a.mu.Unlock()
	if known {
		return false
	}
	j := a.enter(&rinkpb.JobHere{Job: o.Job, Restarts: o.Restarts, HookEnv: o.HookEnv})
	if j == nil {
		return false
	}
	ran := make(chan struct{})
	close(ran)
	j.mu.Lock()
	j.prologed, j.endEnv = ran, o.HookEnv
	j.mu.Unlock()
	if err := a.spool.put(k, "job", j.here); err != nil {
		a.log.Error("cannot keep a job", "job", k.job, "error", err)
	}
	a.endJob(j, 0, true, "")
	return true
}

// endEnv tells an epilog how the batch script ended here, and the highest exit
// code of the steps that ran here.
func endEnv(exit *rinkpb.ExitCode, derived uint32) []string {
	return []string{
		fmt.Sprintf("SLURM_JOB_DERIVED_EC=%d", derived<<8),
		fmt.Sprintf("SLURM_JOB_EXIT_CODE=%d", exit.GetCode()<<8|exit.GetSignal()),
		fmt.Sprintf("SLURM_JOB_EXIT_CODE2=%d:%d", exit.GetCode(), exit.GetSignal()),
	}
}

func seconds(d slurm.Duration) time.Duration {
	if d <= 0 || d > 1<<31 {
		return 0
	}
	return time.Duration(d) * time.Second
}

// runHooks runs the programs a pattern names, in order, as the agent's own
// user and outside any slice.
func (a *Agent) runHooks(ctx context.Context, what string, patterns []string, limit time.Duration, j *job, more ...string) error {
	if len(patterns) == 0 {
		return nil
	}
	if slices.Contains(a.liveConf().PrologFlags, "Serial") {
		select {
		case a.serial <- struct{}{}:
			defer func() { <-a.serial }()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	env := append(a.hookEnv(j.here), more...)
	for _, pattern := range patterns {
		programs, err := filepath.Glob(pattern)
		if err != nil || len(programs) == 0 {
			return fmt.Errorf("%s error: no program %q", what, pattern)
		}
		sort.Strings(programs)
		for _, p := range programs {
			if err := a.runHook(ctx, what, p, limit, env); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *Agent) runHook(ctx context.Context, what, program string, limit time.Duration, env []string) error {
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	out := &tail{max: maxHookOutput}
	err := whileTextBusy(ctx, func() error {
		cmd := exec.CommandContext(ctx, program)
		cmd.Env, cmd.Dir = env, "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
		cmd.WaitDelay = time.Second
		cmd.Stdout, cmd.Stderr = out, out
		return cmd.Run()
	})
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil // it ended well; what it left running has its output still
	}
	if err == nil {
		return nil
	}
	a.log.Warn(what+" failed", "program", program, "error", err, "output", out.String())
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%s error: %s did not end within %v", what, program, limit)
	case errors.As(err, &exit):
		return fmt.Errorf("%s error: %s: %s", what, program, exit)
	}
	return fmt.Errorf("%s error: %w", what, err)
}

// hookPath is the PATH of what the agent itself runs.
const hookPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// ownEnv is what any program the agent runs finds in its environment.
func (a *Agent) ownEnv() []string {
	env := []string{hookPath, "SLURMD_NODENAME=" + a.conf.Node, "SLURM_CLUSTER_NAME=" + a.cluster}
	if a.conf.Path != "" {
		env = append(env, "SLURM_CONF="+a.conf.Path)
	}
	return env
}

// hookEnv is the environment of prologs and epilogs: what describes the job
// and nothing the job's user chose the name of.
func (a *Agent) hookEnv(h *rinkpb.JobHere) []string {
	env := append(a.ownEnv(), h.HookEnv...)
	var gpus []string
	for _, g := range h.Gres {
		if g.Name == "gpu" {
			for _, i := range g.Index {
				gpus = append(gpus, fmt.Sprint(i))
			}
		}
	}
	if len(gpus) > 0 {
		env = append(env, "SLURM_JOB_GPUS="+strings.Join(gpus, ","))
	}
	return env
}

// prologHere runs a job's prolog at its allocation, and reports that it has.
func (a *Agent) prologHere(ctx context.Context, order *rinkpb.PrologHere) {
	j := a.enter(order.Here)
	if j == nil {
		return
	}
	j.mu.Lock()
	ending := j.ending
	j.mu.Unlock()
	if ending {
		return
	}
	if !a.spool.has(j.key, "job") {
		if err := a.spool.put(j.key, "job", j.noted(order.Here)); err != nil {
			a.allocFailed(j, "spool", err)
			return
		}
	}
	a.wg.Go(func() { // ends with the prolog, or with the agent
		if err := a.prolog(ctx, j); err != nil {
			if ctx.Err() == nil {
				a.allocFailed(j, "prolog", err)
			}
			return
		}
		a.report(&rinkpb.Report{Report: &rinkpb.Report_PrologDone{PrologDone: &rinkpb.PrologDone{Job: j.key.job, Restarts: j.key.restarts}}})
	})
}

// allocFailed reports that a node cannot take a job it was allocated for.
func (a *Agent) allocFailed(j *job, stage string, err error) {
	a.log.Warn("cannot make ready for a job", "job", j.key.job, "stage", stage, "error", err)
	a.report(&rinkpb.Report{Report: &rinkpb.Report_Failed{Failed: &rinkpb.LaunchFailed{
		Job: j.key.job, Restarts: j.key.restarts, Stage: stage, Error: err.Error(), Drain: true, Requeue: true,
	}}})
	a.endJob(j, 0, true, "")
}

// liveConf is the configuration in force.
func (a *Agent) liveConf() *slurm.Conf {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.conf.Conf
}

// newConfig takes a configuration from the leader.
func (a *Agent) newConfig(files []*rinkpb.ConfigFile) {
	if len(files) == 0 {
		return
	}
	list := make([]slurm.ConfFile, len(files))
	for i, f := range files {
		list[i] = slurm.ConfFile{Name: f.Name, Text: f.Text}
	}
	conf, err := parseFiles(list)
	if err != nil {
		a.log.Error("the leader's configuration does not parse", "error", err)
		return
	}
	a.gear.configure(list, conf)
	a.confine.configure(list, conf)
	a.mu.Lock()
	a.conf.Conf = conf
	a.mu.Unlock()
	if all := controllersOf(conf); len(all) > 0 {
		a.lines.set(all)
		a.watchLeaders(a.work)
	}
}

// tail keeps the last bytes written to it.
type tail struct {
	max int
	buf bytes.Buffer
}

func (t *tail) Write(p []byte) (int, error) {
	t.buf.Write(p)
	if over := t.buf.Len() - t.max; over > 0 {
		t.buf.Next(over)
	}
	return len(p), nil
}

func (t *tail) String() string { return strings.TrimSpace(t.buf.String()) }
