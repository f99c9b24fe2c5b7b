package noded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/noded/launcher"
	"github.com/runink/rink/noded/taskenv"
	"github.com/runink/rink/slice"
)

// Programs that run as the job's user before and after each task: TaskProlog
// and TaskEpilog of the configuration, --task-prolog and --task-epilog of srun.
// Each runs in a slice of its own beside the task's, with the same limits,
// mounts and identity.

const (
	// maxPrologOutput is how much of what a task prolog prints is read.
	maxPrologOutput = 1 << 20
	// taskEpilogTime is how long a task epilog may take.
	taskEpilogTime = 5 * time.Second
	// execFailed is the wait status of who could not become the program it should.
	execFailed = 127 << 8
)

// aside runs a program in a slice beside the one spec describes, as its task i,
// and returns what it printed on standard output and standard error.
func (a *Agent) aside(ctx context.Context, j *job, spec *slice.Spec, i int, what string, task slice.Task) (out, errOut []byte, exit slice.TaskExit, err error) {
	s := *spec
	s.ID = fmt.Sprintf("%s.%s.%d", spec.ID, what, i)
	s.Tasks = []slice.Task{task}
	s.Cgroup.Levels = append([]slice.Level(nil), spec.Cgroup.Levels...)
	if n := len(s.Cgroup.Levels); n > 0 {
		s.Cgroup.Levels[n-1].Name += fmt.Sprintf("_%s_%d", what, i)
	}
	ended := make(chan slice.Exit, 1)
	a.mu.Lock()
	a.asides[s.ID] = ended
	a.mu.Unlock()
	j.mu.Lock()
	j.asides[s.ID] = true
	j.mu.Unlock()
	defer func() {
		a.mu.Lock()
		delete(a.asides, s.ID)
		a.mu.Unlock()
		j.mu.Lock()
		delete(j.asides, s.ID)
		j.mu.Unlock()
	}()
	box := a.launcher()
	if _, _, err := box.Launch(ctx, &s); err != nil {
		return nil, nil, exit, err
	}
	if a.unwanted(j, spec.ID) {
		box.Kill(a.work, s.ID)
	}
	files, err := box.Attach(a.work, s.ID)
	if err != nil {
		box.Kill(a.work, s.ID)
		return nil, nil, exit, err
	}
	var readers sync.WaitGroup
	read := func(from io.Reader, to *[]byte) {
		if text, err := io.ReadAll(io.LimitReader(from, maxPrologOutput)); err == nil || len(text) > 0 {
			*to = text
		}
		io.Copy(io.Discard, from)
	}
	for _, f := range files {
		if f.Stdout != nil {
			readers.Go(func() { read(f.Stdout, &out) })
		}
		if f.Stderr != nil {
			readers.Go(func() { read(f.Stderr, &errOut) })
		}
	}
	var e slice.Exit
	select {
	case e = <-ended:
	case <-ctx.Done():
		if err := box.Kill(a.work, s.ID); err != nil && !errors.Is(err, launcher.ErrNotFound) {
			a.log.Warn("cannot kill a slice", "slice", s.ID, "error", err)
		}
		select {
		case e = <-ended:
		case <-a.work.Done():
		}
		err = ctx.Err()
	}
	// All that could write has ended, unless a descriptor was passed elsewhere.
	for _, f := range files {
		for _, end := range []interface{ SetReadDeadline(time.Time) error }{f.Stdout, f.Stderr} {
			end.SetReadDeadline(time.Now().Add(endGrace))
		}
	}
	readers.Wait()
	for _, f := range files {
		closeFiles(f)
	}
	if ferr := box.Forget(a.work, s.ID); ferr != nil && a.work.Err() == nil && !errors.Is(ferr, launcher.ErrNotFound) {
		a.log.Warn("the launcher does not forget a slice", "slice", s.ID, "error", ferr)
	}
	if len(e.Tasks) > 0 {
		exit = e.Tasks[0]
	}
	return out, errOut, exit, err
}

// asideEnded hands the end of a slice to the one who waits for it there. One
// that nobody waits for, a former agent's, is forgotten.
func (a *Agent) asideEnded(ctx context.Context, exit slice.Exit) {
	a.mu.Lock()
	ended := a.asides[exit.ID]
	a.mu.Unlock()
	if ended != nil {
		select {
		case ended <- exit:
		default: // it was told already: a launcher that is asked anew repeats it
		}
		return
	}
	a.launcher().Forget(ctx, exit.ID)
}

// taskPrologs runs programs before each task of a slice and does what they
// print: "export NAME=value" and "unset NAME" change the task's environment,
// "print ..." goes to its standard output. What else they print changes nothing.
// A task whose prolog fails ends as that did. own is the program that srun named.
// Words are for the job's owner.
func (a *Agent) taskPrologs(ctx context.Context, j *job, spec *slice.Spec, programs []string, own string, say func(task int, text string), words func(string)) error {
	opened := map[string]bool{}
	for i := range spec.Tasks {
		t := &spec.Tasks[i]
		env := taskenv.New(t.Env)
		var prints []string
		failed := 0
		for n, program := range programs {
			pipe := slice.Stream{Kind: slice.StreamPipe}
			hook := slice.Task{
				Argv: []string{program}, Env: append(env.List(), "SLURM_SCRIPT_CONTEXT=prolog_task"), PidEnv: t.PidEnv, Dir: t.Dir, FallbackDir: t.FallbackDir,
				Stdin: slice.Stream{Kind: slice.StreamNull}, Stdout: pipe, Stderr: pipe,
			}
			out, errOut, exit, err := a.aside(ctx, j, spec, i, fmt.Sprintf("prolog%d", n), hook)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if a.unwanted(j, spec.ID) {
				return nil
			}
			var start *slice.StartError
			switch {
			case errors.As(err, &start):
				words(fmt.Sprintf("slurmstepd: error: run_command: %s can not be executed (%s) %s", hookWords(program, own), program, reasonOf(start)))
				words(fmt.Sprintf("slurmstepd: error: %s did not exit normally. reason: Run command failed - configuration error", hookWords(program, own)))
				failed = 1
			case err != nil:
				return fmt.Errorf("cannot run %s: %w", program, err)
			case exit.Status.Signaled():
				failed = 128 + int(exit.Status.Signal())
			case exit.Status.ExitStatus() != 0:
				failed = exit.Status.ExitStatus()
			}
			if text := strings.TrimRight(string(errOut), "\n"); text != "" {
				a.log.Info("a task prolog complains", "slice", spec.ID, "program", program, "text", text)
			}
			if failed != 0 {
				name := "TaskProlog"
				if program == own {
					name = "--task-prolog"
				}
				words(fmt.Sprintf("slurmstepd: error: %s failed status=%d", name, failed))
				break
			}
			prints = append(prints, obey(env, out)...)
		}
		t.Env = env.List()
		if failed != 0 { // the task ends as its prolog did, without having run
			t.Argv = []string{"/bin/sh", "-c", fmt.Sprintf("exit %d", failed&0xff)}
		}
		if len(prints) == 0 {
			continue
		}
		text := strings.Join(prints, "\n") + "\n"
		if t.Stdout.Kind != slice.StreamFile {
			say(i, text)
			continue
		}
		key := t.Dir + "\x00" + t.Stdout.Path
		printer := slice.Task{
			Argv: []string{"/bin/sh", "-c", `printf %s "$1"`, "sh", text}, Dir: t.Dir, FallbackDir: t.FallbackDir,
			Stdin: slice.Stream{Kind: slice.StreamNull}, Stdout: t.Stdout, Stderr: slice.Stream{Kind: slice.StreamNull},
		}
		printer.Stdout.Append = t.Stdout.Append || opened[key]
		if _, _, _, err := a.aside(ctx, j, spec, i, "print", printer); err != nil {
			return fmt.Errorf("cannot print what %s wants: %w", strings.Join(programs, ", "), err)
		}
		opened[key] = true
	}
	for i := range spec.Tasks {
		t := &spec.Tasks[i]
		if opened[t.Dir+"\x00"+t.Stdout.Path] {
			t.Stdout.Append = true
		}
	}
	return nil
}

// obey does what a task prolog printed to an environment and returns the lines
// it wants printed.
func obey(env *taskenv.Env, out []byte) (prints []string) {
	for line := range bytes.Lines(out) {
		text := strings.TrimSuffix(string(line), "\n")
		if strings.IndexByte(text, 0) >= 0 {
			continue
		}
		word, rest, _ := strings.Cut(strings.TrimLeft(text, " \t"), " ")
		switch word {
		case "print":
			prints = append(prints, rest)
		case "export":
			if name, value, ok := strings.Cut(strings.TrimLeft(rest, " "), "="); ok && name != "" {
				env.Set(strings.TrimSpace(name), value)
			}
		case "unset":
			env.Unset(strings.TrimSpace(rest))
		}
	}
	return prints
}

// taskEpilogs runs programs after the tasks of a slice. One that fails changes nothing;
// the slice's owner is told.
func (a *Agent) taskEpilogs(j *job, r *running, spec *slice.Spec, programs []string) {
	var all sync.WaitGroup
	for i := range spec.Tasks {
		all.Go(func() {
			for n, program := range programs {
				ctx, cancel := context.WithTimeout(a.work, taskEpilogTime)
				null := slice.Stream{Kind: slice.StreamNull}
				t := &spec.Tasks[i]
				_, _, exit, err := a.aside(ctx, j, spec, i, fmt.Sprintf("epilog%d", n), slice.Task{
					Argv: []string{program}, Env: append(slices.Clip(t.Env), "SLURM_SCRIPT_CONTEXT=epilog_task"), PidEnv: t.PidEnv, Dir: t.Dir, FallbackDir: t.FallbackDir, Stdin: null, Stdout: null, Stderr: null,
				})
				cancel()
				if a.work.Err() == nil && (err != nil || exit.Status != 0) {
					for _, line := range epilogFailed(program, program == r.step.GetTaskEpilog(), exit, err) {
						a.sayTo(j, r, line)
					}
					a.log.Warn("a task epilog failed", "slice", spec.ID, "program", program, "error", err, "status", exit.Status, "signal", unix.SignalName(exit.Status.Signal()))
				}
			}
		})
	}
	all.Wait()
}

// epilogFailed says how a task epilog failed. Slurm has the names of the two mixed up, and
// so who reads its words has.
func epilogFailed(program string, own bool, exit slice.TaskExit, err error) []string {
	whose, name, status := "slurm", "--task-epilog", int(exit.Status)
	if own {
		whose, name = "user", "TaskEpilog"
	}
	var lines []string
	var start *slice.StartError
	switch {
	case errors.As(err, &start) && start.Errno == unix.ENOEXEC:
		status = execFailed
		lines = append(lines, fmt.Sprintf("slurmstepd: error: execve(%s): %s", program, reasonOf(start)))
	case errors.As(err, &start):
		status = -1
		lines = append(lines, fmt.Sprintf("slurmstepd: error: Could not run %s task_epilog [%s]: access denied", whose, program))
	case errors.Is(err, context.DeadlineExceeded):
		status = int(unix.SIGKILL)
	}
	return append(lines, fmt.Sprintf("slurmstepd: error: %s failed status=%d", name, status))
}

// prologsOf and epilogsOf list the programs for a step's tasks, or with nil for
// a batch script.
func (a *Agent) prologsOf(step *rinkpb.LaunchStep) []string {
	return programs(a.liveConf().TaskProlog, step.GetTaskProlog())
}

func (a *Agent) epilogsOf(step *rinkpb.LaunchStep) []string {
	return programs(step.GetTaskEpilog(), a.liveConf().TaskEpilog)
}

func programs(list ...string) (out []string) {
	for _, p := range list {
		if p != "" {
			out = append(out, p)
		}
	}
	return out
}

// hookWords is what Slurm calls a task prolog in its messages.
func hookWords(program, own string) string {
	if program == own {
		return "user task_prolog"
	}
	return "slurm task_prolog"
}

func reasonOf(e *slice.StartError) string {
	if e.Errno == 0 {
		return e.Detail
	}
	text := e.Errno.Error()
	return strings.ToUpper(text[:1]) + text[1:]
}
