// Package salloc holds nodes for a command run on this host.
package salloc

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/display"
	"github.com/runink/rink/cmds/internal/submit"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

//go:embed help.txt
var help string

// Run is the command.
func Run(env *cli.Env) int {
	in := submit.Input(env)
	line, err := slurm.ParseCommandLine(slurm.Salloc, env.Name, env.Args)
	if err != nil {
		return submit.Refused(env, err, 1)
	}
	switch {
	case line.Client.Help:
		fmt.Fprint(env.Stdout, help)
		return 0
	case line.Client.Usage:
		fmt.Fprintln(env.Stdout, "Usage: salloc [OPTIONS(0)...] [ : [OPTIONS(N)...]] [command(0) [args(0)...]]")
		return 0
	case line.Client.Version:
		fmt.Fprintln(env.Stdout, cli.VersionLine())
		return 0
	}
	comps, err := line.Resolve(in)
	if err != nil {
		return submit.Refused(env, err, 1)
	}
	o := &comps[0]
	quiet := o.Client.Quiet > 0
	env.Quiet = quiet
	submit.Listing(env, o)
	if o.Job.Name == "" && !o.Job.Given["job-name"] {
		o.Job.Name = "interactive"
	}
	for i := range comps {
		if comps[i].Job.Step.X11 == "" {
			continue
		}
		if _, err := display.Find(env); err != nil {
			env.Errorf("%v", err)
			return 255
		}
	}
	client, err := cli.Connect(env)
	if err != nil {
		env.Errorf("Job submit/allocate failed: %s", cli.Reason(err))
		return 1
	}
	defer client.Close()
	if !submit.OnCluster(env, client, o.Job.Clusters) {
		return 1
	}
	if dir := o.Job.WorkDir; dir != "" {
		if err := unix.Access(dir, unix.X_OK); err != nil {
			env.Errorf("chdir(%s): %s", dir, submit.Cause(err))
			return 1
		}
	}
	asked := env.Now()
	ctx, stop := signal.NotifyContext(env.Ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	got, err := submit.Allocate(ctx, env, client, comps, quiet, "job")
	stop()
	if err != nil {
		var revoked *submit.RevokedError
		var interrupted *submit.InterruptedError
		var busy *submit.BusyError
		switch {
		case errors.As(err, &interrupted):
			env.Infof("Job allocation %d has been revoked.", interrupted.Job)
			env.Infof("Job aborted due to signal")
		case errors.As(err, &revoked):
			env.Infof("Job allocation %d has been revoked.", revoked.Job)
			env.Infof("Job has been cancelled")
			env.Errorf("Job submit/allocate failed: %s", cli.Reason(err))
		case errors.As(err, &busy) && busy.Why != 0:
			env.Infof("Job allocation %d has been revoked.", busy.Job)
			env.Errorf("Job submit/allocate failed: %s", cli.Reason(err))
		case errors.As(err, &busy):
			if !o.Job.NoShell {
				env.Infof("Job allocation %d has been revoked.", busy.Job)
			}
			why := cli.Reason(err)
			if busy.Waited {
				why = "Connection timed out"
			}
			env.Errorf("Unable to allocate resources: %s", why)
		case errors.Is(err, slurm.ErrnoInvalidGres):
			env.Errorf("%s", cli.Reason(err)) // which Slurm's commands find by themselves
		default:
			env.Errorf("Job submit/allocate failed: %s", cli.Reason(err))
		}
		return submit.FailureCode(env, err)
	}
	id := got.Job.ID
	if !quiet {
		env.Infof("Granted job allocation %d", id)
	}
	if o.Job.Bell || !o.Job.NoBell && env.Now().Sub(asked) > bellAfter {
		ring()
	}
	if o.Job.NoShell {
		return 0
	}
	relinquish := func(code, sig int) {
		if !quiet {
			env.Infof("Relinquishing job allocation %d", id)
		}
		if err := submit.Release(client, id, code, sig); err != nil && !cli.Is(err, slurm.ErrnoAlreadyDone) {
			env.Errorf("Unable to clean up job allocation %d: %s", id, cli.Reason(err))
		}
	}
	ctx, stop = signal.NotifyContext(env.Ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err = submit.WaitReady(ctx, env, client, got.Job, quiet)
	stop()
	if err != nil {
		var interrupted *submit.InterruptedError
		var revoked *submit.RevokedError
		switch {
		case errors.As(err, &revoked):
			env.Infof("Job allocation %d has been revoked.", id)
			return 1
		case !errors.As(err, &interrupted):
			env.Errorf("%s", cli.Reason(err))
		}
		relinquish(1, 0)
		return 1
	}
	argv := line.Rest
	if len(argv) == 0 {
		shell := env.Getenv("SHELL")
		if shell == "" {
			shell = "/bin/sh"
		}
		argv = []string{shell}
		if step := interactiveStep(env, client, shell); step != nil && len(comps) == 1 {
			argv = step
		}
	}
	path, err := exec.LookPath(argv[0])
	if err != nil {
		env.Errorf("_fork_command: Unable to find command \"%s\"", argv[0])
		relinquish(1, 0)
		return 1
	}
	vars, err := allocVars(env, client, got)
	if err != nil {
		env.Errorf("%s", cli.Reason(err))
		relinquish(1, 0)
		return 1
	}
	vars = slices.DeleteFunc(vars, func(kv string) bool { return strings.HasPrefix(kv, display.Mode+"=") })
	if mode := o.Job.Step.X11; mode != "" {
		vars = append(vars, display.Mode+"="+mode) // the steps that are begun from here carry it
	}
	code, sig, revoked := runCommand(env, client, path, argv, vars, got.Job, len(line.Rest) == 0)
	if sig == hungUp {
		code, sig = 1, 0
		if !revoked {
			relinquish(0, 0)
		}
	} else if !revoked {
		relinquish(code, sig)
	}
	switch syscall.Signal(sig) {
	case 0:
	case syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGKILL:
		return 0 // as Slurm: the signal is told to accounting, not to the caller
	default:
		return 1
	}
	return code
}

// interactiveStep is the srun that gives a shell on the first node of the
// allocation, with LaunchParameters=use_interactive_step; nil without.
func interactiveStep(env *cli.Env, client *cli.Client, shell string) []string {
	conf, _, err := submit.Cluster(env, client)
	if err != nil || conf.Conf == nil || !conf.Conf.LaunchParameters.Has("use_interactive_step") {
		return nil
	}
	beside := ""
	if self, err := os.Executable(); err == nil {
		beside = filepath.Dir(self)
	}
	argv := []string{ownSrun(beside)}
	for _, word := range strings.Fields(conf.Conf.InteractiveStepOptions) {
		argv = append(argv, strings.ReplaceAll(word, "$SHELL", shell))
	}
	return argv
}

// ownSrun is the srun that is in a directory, by either name: without Slurm's names
// the srun on PATH is Slurm's. Where there is none, PATH has it.
func ownSrun(dir string) string {
	names := []string{"srun", "rrun"}
	for _, name := range names {
		if path := filepath.Join(dir, name); dir != "" && isProgram(path) {
			return path
		}
	}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return names[0]
}

func isProgram(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// allocVars is the caller's environment with what describes the allocation.
func allocVars(env *cli.Env, client *cli.Client, got *submit.Allocation) ([]string, error) {
	conf, _, err := submit.Cluster(env, client)
	if err != nil {
		return nil, err
	}
	var components []*sched.Job
	if len(got.IDs) > 1 {
		for _, id := range got.IDs {
			ctx, cancel := env.Call(time.Minute)
			jobs, err := cli.ListJobs(ctx, client, &rinkpb.ListJobsRequest{Refs: []*rinkpb.JobRef{{Job: uint32(id)}}})
			cancel()
			if err != nil {
				return nil, err
			}
			if len(jobs) == 1 {
				components = append(components, jobs[0])
			} else if i := slices.IndexFunc(jobs, func(j *sched.Job) bool { return j.ID == id }); i >= 0 {
				components = append(components, jobs[i])
			}
		}
	}
	vars := append(sched.AllocEnv(got.Job, conf, components...), "SLURM_SUBMIT_DIR="+submit.WorkDir(env, ""))
	return submit.Merge(env.Vars, vars), nil
}

// hungUp stands for the signal that ended a command when that went on, and salloc itself
// was told that its terminal is gone.
const hungUp = -1

// runCommand runs the command until it ends. Should the allocation end first, a
// shell on a terminal is told to go, and others are sent what --kill-command
// says.
func runCommand(env *cli.Env, client *cli.Client, path string, argv, vars []string, j *sched.Job, shell bool) (code, sig int, gone bool) {
	cmd := exec.Command(path)
	cmd.Args, cmd.Env = argv, vars
	cmd.Stdin, cmd.Stdout, cmd.Stderr = env.Stdin, env.Stdout, env.Stderr
	if j.Spec != nil && j.Spec.Given["chdir"] {
		cmd.Dir = j.WorkDir
	}
	// What the terminal sends goes to the command too, which decides for itself. Other
	// signals take the allocation back, and leave the command to find that out.
	caught := make(chan os.Signal, 8)
	signal.Notify(caught, os.Interrupt, syscall.SIGQUIT, syscall.SIGTSTP, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE, syscall.SIGUSR1, syscall.SIGUSR2)
	defer signal.Stop(caught)
	if err := cmd.Start(); err != nil {
		env.Errorf("_fork_command: cannot run %s: %v", argv[0], err)
		return 1, 0, false
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }() // ends with the command
	ctx, stop := context.WithCancel(env.Ctx)
	defer stop()
	ended := make(chan struct{})
	go func() { // ends with ctx or the job
		if watchEnd(ctx, client, j.ID) {
			close(ended)
		}
	}()
	revoked := (<-chan struct{})(ended)
	for {
		select {
		case s := <-caught:
			switch {
			case s == syscall.SIGTSTP, (s == os.Interrupt || s == syscall.SIGQUIT) && cli.IsTerminal(os.Stdin):
			case s == syscall.SIGHUP:
				return 0, hungUp, gone
			default:
				submit.Take(client, j.ID)
			}
		case <-revoked:
			revoked, gone = nil, true
			env.Infof("Job allocation %d has been revoked.", j.ID)
			switch {
			case j.Spec != nil && j.Spec.KillCommand != "":
				if sig, err := slurm.ParseSignalName(j.Spec.KillCommand); err == nil {
					cmd.Process.Signal(syscall.Signal(sig))
				}
			case shell && cli.IsTerminal(os.Stdin):
				cmd.Process.Signal(syscall.SIGHUP)
				cmd.Process.Signal(syscall.SIGCONT)
			}
		case <-done:
			st, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
			switch {
			case !ok:
				return 1, 0, gone
			case st.Signaled():
				return 0, int(st.Signal()), gone
			}
			return st.ExitStatus(), 0, gone
		}
	}
}

// watchEnd waits for a job's end and reports whether it saw it.
func watchEnd(ctx context.Context, client *cli.Client, id slurm.JobID) bool {
	for ctx.Err() == nil {
		stream, err := client.WaitJob(ctx, &rinkpb.WaitJobRequest{Job: uint32(id)})
		for err == nil {
			var p *rinkpb.Job
			if p, err = stream.Recv(); err == nil && slurm.JobState(p.State).Ended() {
				return true
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
	return false
}

// bellAfter is how long one waits for an allocation before the terminal rings
// when it is there.
const bellAfter = 10 * time.Second

// ring rings the terminal's bell, if output goes to one.
func ring() {
	if cli.IsTerminal(os.Stdout) {
		fmt.Fprint(os.Stdout, "\a")
	}
}
