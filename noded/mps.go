package noded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/runink/rink/noded/launcher"
	"github.com/runink/rink/noded/taskenv"
	"github.com/runink/rink/slice"
)

// A job with shares of MPS gets a control daemon of its own, which runs as the job's
// user in a slice beside the job's, with pipes and logs of its own in the job's spool.
// It is there before anything of the job starts and ends when nothing is left of it.

// mpsDaemon is the control daemon of a job here.
type mpsDaemon struct {
	ready chan struct{} // closed when it answers, or err says why it does not
	err   error
	ended chan slice.Exit // nil for one that a former agent started
	over  bool            // it is being ended; guarded by the job's mu
}

const (
	// mpsProgram is what NVIDIA calls the daemon.
	mpsProgram = "nvidia-cuda-mps-control"
	// mpsTime is how long it may take to come up.
	mpsTime = 30 * time.Second
	mpsEnd  = ".mps" // ends the id of its slice
)

// mpsScript starts the daemon, which returns when it listens, and stays for as long as
// the slice is to.
const mpsScript = `"$0" -d && : >"$1" && exec sleep 2147483647`

func mpsID(k jobKey) string { return fmt.Sprintf("%d.%d%s", k.job, k.restarts, mpsEnd) }

func (a *Agent) mpsDir(k jobKey) string { return filepath.Join(a.spool.jobDir(k), "mps") }

// wantsMPS reports whether a job is to have a control daemon: when it has shares of
// MPS of a GPU that the driver tells of, unless MPSControl=none says that the site
// looks after that itself.
func (a *Agent) wantsMPS(j *job) bool {
	return a.liveConf().MPSControl != "none" && len(a.gear.mpsUUIDs(heldByJob(j.here))) > 0
}

// mpsUUIDs names the GPUs of which shares of MPS were given.
func (g *gear) mpsUUIDs(list []held) []string {
	if g.lib == nil {
		return nil
	}
	var out []string
	for _, h := range list {
		if h.name != "mps" {
			continue
		}
		for _, at := range g.indexes([]held{h}) {
			if at < len(g.gpus) && g.gpus[at].UUID != "" {
				out = append(out, g.gpus[at].UUID)
			}
		}
	}
	return out
}

// readyMPS starts the control daemon of a job, once, and returns when it listens. A
// job without one is ready.
func (a *Agent) readyMPS(ctx context.Context, j *job) error {
	if !a.wantsMPS(j) {
		return nil
	}
	j.mu.Lock()
	m := j.mps
	if m != nil {
		j.mu.Unlock()
		select {
		case <-m.ready:
			return m.err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	m = &mpsDaemon{ready: make(chan struct{}), ended: make(chan slice.Exit, 1)}
	j.mps = m
	j.mu.Unlock()
	defer close(m.ready)
	if m.err = a.startMPS(ctx, j, m); m.err != nil && ctx.Err() == nil {
		m.err = fmt.Errorf("cannot start an MPS control daemon: %w", m.err)
	}
	return m.err
}

func (a *Agent) startMPS(ctx context.Context, j *job, m *mpsDaemon) error {
	name := a.liveConf().MPSControl
	if name == "" || name == "auto" {
		name = mpsProgram
	}
	program, err := exec.LookPath(name)
	if err != nil {
		return err
	}
	dir, id := a.mpsDir(j.key), mpsID(j.key)
	if err := a.makeMPSDirs(j, dir); err != nil {
		return err
	}
	spec, err := a.baseSpec(j, id, "mps")
	if err != nil {
		return err
	}
	env := taskenv.New([]string{"PATH=" + os.Getenv("PATH"), "CUDA_VISIBLE_DEVICES=" + strings.Join(a.gear.mpsUUIDs(heldByJob(j.here)), ",")})
	mpsEnv(env, dir)
	ready, words := filepath.Join(dir, "pipe", ".ready"), filepath.Join(dir, "log", "start.log")
	os.Remove(ready)
	spec.Tasks = []slice.Task{{
		Argv: []string{"/bin/sh", "-c", mpsScript, program, ready}, Env: env.List(), Dir: dir, FallbackDir: "/",
		Stdin: slice.Stream{Kind: slice.StreamNull}, Stdout: slice.Stream{Kind: slice.StreamFile, Path: words}, Stderr: slice.Stream{Kind: slice.StreamStdout},
	}}
	a.mu.Lock()
	a.asides[id] = m.ended
	a.mu.Unlock()
	if _, _, err := a.launcher().Launch(ctx, spec); err != nil {
		a.dropAside(id)
		return err
	}
	limit := time.NewTimer(mpsTime)
	defer limit.Stop()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for {
		select {
		case <-poll.C:
			if _, err := os.Lstat(ready); err == nil {
				a.wg.Go(func() { a.watchMPS(j, m) }) // ends with the daemon, or the agent
				return nil
			}
		case exit := <-m.ended:
			m.ended <- exit // for who ends it
			return fmt.Errorf("%s ended: %s", program, a.mpsWords(j, words, exit))
		case <-limit.C:
			a.launcher().Kill(a.work, id)
			return fmt.Errorf("%s does not listen after %v: %s", program, mpsTime, a.mpsWords(j, words, slice.Exit{}))
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// makeMPSDirs makes the directories of the daemon's pipes and logs, which are its
// user's.
func (a *Agent) makeMPSDirs(j *job, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, d := range []string{"pipe", "log"} {
		path := filepath.Join(dir, d)
		if err := os.MkdirAll(path, 0o700); err != nil {
			return err
		}
		if os.Geteuid() == 0 {
			if err := os.Chown(path, int(j.here.Uid), int(j.here.Gid)); err != nil {
				return err
			}
		}
	}
	return nil
}

// mpsWords is what a daemon that did not come up said last. Its log is its user's,
// and is read with their rights: they may have put a link in its place.
func (a *Agent) mpsWords(j *job, path string, exit slice.Exit) string {
	why := "no answer"
	if len(exit.Tasks) > 0 {
		if e := exit.Tasks[0].StartError; e != nil {
			why = e.Error()
		} else {
			why = fmt.Sprintf("exit code %d", exit.Tasks[0].Status.ExitStatus())
		}
	}
	if text := strings.Join(strings.Fields(a.firstLineAs(j.here, path)), " "); text != "" {
		return text
	}
	return why
}

// watchMPS tells the job's owner when the daemon ends before its job does.
func (a *Agent) watchMPS(j *job, m *mpsDaemon) {
	select {
	case exit := <-m.ended:
		m.ended <- exit
		j.mu.Lock()
		over := m.over
		j.mu.Unlock()
		if !over {
			a.log.Warn("the MPS control daemon of a job has ended", "job", j.key.job)
			a.tellOwner(j, fmt.Sprintf("slurmstepd: error: the MPS control daemon of job %d on %s has ended\n", j.key.job, a.conf.Node))
		}
	case <-a.work.Done():
	case <-a.stopped:
	}
}

// endMPS ends the control daemon of a job of which nothing else is left.
func (a *Agent) endMPS(j *job) {
	j.mu.Lock()
	m := j.mps
	if m != nil {
		m.over = true
	}
	j.mu.Unlock()
	if m == nil {
		return
	}
	id := mpsID(j.key)
	defer a.dropAside(id)
	if err := a.launcher().Kill(a.work, id); err != nil {
		if !errors.Is(err, launcher.ErrNotFound) && a.work.Err() == nil {
			a.log.Warn("cannot end an MPS control daemon", "job", j.key.job, "error", err)
		}
		return
	}
	select {
	case exit := <-m.ended:
		m.ended <- exit
	case <-time.After(endGrace):
	case <-a.work.Done():
		return
	}
	if err := a.launcher().Forget(a.work, id); err != nil && a.work.Err() == nil && !errors.Is(err, launcher.ErrNotFound) {
		a.log.Warn("the launcher does not forget a slice", "slice", id, "error", err)
	}
}

func (a *Agent) dropAside(id string) {
	a.mu.Lock()
	delete(a.asides, id)
	a.mu.Unlock()
}

// takeUpMPS takes up the control daemon of a job that a former agent started.
func (a *Agent) takeUpMPS(j *job) {
	m := &mpsDaemon{ready: make(chan struct{}), ended: make(chan slice.Exit, 1)}
	close(m.ready)
	j.mps = m
	a.mu.Lock()
	a.asides[mpsID(j.key)] = m.ended
	a.mu.Unlock()
	a.wg.Go(func() { a.watchMPS(j, m) }) // ends with the daemon, or the agent
}

func mpsEnv(env *taskenv.Env, dir string) {
	env.Set("CUDA_MPS_PIPE_DIRECTORY", filepath.Join(dir, "pipe"))
	env.Set("CUDA_MPS_LOG_DIRECTORY", filepath.Join(dir, "log"))
}

// tellMPS names to a task the control daemon of its job. The daemon shows the job's
// GPUs alone, so that they count from 0.
func (a *Agent) tellMPS(env *taskenv.Env, j *job) {
	j.mu.Lock()
	has := j.mps != nil
	j.mu.Unlock()
	if has {
		mpsEnv(env, a.mpsDir(j.key))
		if env.Get("CUDA_VISIBLE_DEVICES") != "" {
			env.Set("CUDA_VISIBLE_DEVICES", "0")
		}
	}
}
