package noded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/slurm"
)

// maxHookOutput is how much of what a hook prints is kept for the log.
const maxHookOutput = 4096

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
	j.prologErr = a.runHooks(ctx, "Prolog", conf.Prolog, seconds(conf.PrologEpilogTimeout), j)
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
	return a.runHooks(ctx, "Epilog", conf.Epilog, seconds(conf.PrologEpilogTimeout), j)
}

func seconds(d slurm.Duration) time.Duration {
	if d <= 0 || d > 1<<31 {
		return 0
	}
	return time.Duration(d) * time.Second
}

// runHooks runs the programs a pattern names, in order, as the agent's own
// user and outside any slice.
func (a *Agent) runHooks(ctx context.Context, what string, patterns []string, limit time.Duration, j *job) error {
	for _, pattern := range patterns {
		programs, err := filepath.Glob(pattern)
		if err != nil || len(programs) == 0 {
			return fmt.Errorf("%s error: no program %q", what, pattern)
		}
		sort.Strings(programs)
		for _, p := range programs {
			if err := a.runHook(ctx, what, p, limit, hookEnv(j.here, a.conf.Node)); err != nil {
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
	cmd := exec.CommandContext(ctx, program)
	cmd.Env, cmd.Dir = env, "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	out := &tail{max: maxHookOutput}
	cmd.Stdout, cmd.Stderr = out, out
	err := cmd.Run()
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

// hookEnv is the environment of prologs and epilogs: what describes the job
// and nothing the job's user chose.
func hookEnv(h *rinkpb.JobHere, node string) []string {
	env := []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"SLURM_CLUSTER_NAME=" + h.Cluster, "SLURMD_NODENAME=" + node, "SLURM_NODE_ALIASES=(null)",
		fmt.Sprintf("SLURM_JOB_ID=%d", h.Job), fmt.Sprintf("SLURM_JOBID=%d", h.Job),
		fmt.Sprintf("SLURM_JOB_UID=%d", h.Uid), fmt.Sprintf("SLURM_UID=%d", h.Uid), fmt.Sprintf("SLURM_JOB_GID=%d", h.Gid),
		"SLURM_JOB_USER=" + h.User, "SLURM_JOB_GROUP=" + h.Group, "SLURM_JOB_NAME=" + h.Name, "SLURM_JOB_PARTITION=" + h.Partition,
		"SLURM_JOB_ACCOUNT=" + h.Account, "SLURM_JOB_WORK_DIR=" + h.WorkDir, "SLURM_WORK_DIR=" + h.WorkDir,
		"SLURM_JOB_NODELIST=" + slurm.Compress(h.Nodes), "SLURM_JOB_COMMENT=" + h.Comment, "SLURM_JOB_CONSTRAINTS=" + h.Constraints,
		fmt.Sprintf("SLURM_RESTART_COUNT=%d", h.Restarts),
	}
	if h.ArrayId != 0 {
		env = append(env, fmt.Sprintf("SLURM_ARRAY_JOB_ID=%d", h.ArrayId), fmt.Sprintf("SLURM_ARRAY_TASK_ID=%d", h.TaskId))
	}
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

// healthCheck runs HealthCheckProgram every HealthCheckInterval and drains the
// node when it fails. It ends with ctx.
func (a *Agent) healthCheck(ctx context.Context) {
	failed := false
	for {
		conf := a.liveConf()
		every := seconds(conf.HealthCheckInterval)
		if every <= 0 || conf.HealthCheckProgram == "" {
			every = time.Minute // look again whether one was configured
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(every):
		}
		conf = a.liveConf()
		if conf.HealthCheckProgram == "" || conf.HealthCheckInterval <= 0 {
			continue
		}
		err := a.runHook(ctx, "HealthCheckProgram", conf.HealthCheckProgram, time.Minute, []string{
			"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "SLURMD_NODENAME=" + a.conf.Node, "SLURM_CLUSTER_NAME=" + conf.ClusterName,
		})
		if ctx.Err() != nil {
			return
		}
		if err != nil != failed {
			failed = err != nil
			health := &rinkpb.NodeHealth{Healthy: !failed}
			if err != nil {
				health.Reason = err.Error()
			}
			a.report(&rinkpb.Report{Report: &rinkpb.Report_Health{Health: health}})
		}
	}
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
	a.mu.Lock()
	defer a.mu.Unlock()
	a.conf.Conf = conf
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
