package submit

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/slurm"
)

// A login shell is run, which may take long, only when --export leaves out the
// caller's environment.
func TestLoginShellIsRunOnlyWhenItsEnvironmentIsWanted(t *testing.T) {
	dir := t.TempDir()
	mark, shell := filepath.Join(dir, "mark"), filepath.Join(dir, "shell")
	if err := os.WriteFile(shell, []byte("#!/bin/sh\ntouch "+mark+"\nprintf 'FROM_LOGIN=1\\0'\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		export string
		given  bool
		login  bool
	}{{"", false, false}, {"ALL", true, false}, {"ALL,X=1", true, false}, {"NONE", true, true}, {"NIL", true, true}, {"A", true, true}, {"A,X=1", true, true}} {
		os.Remove(mark)
		env := &cli.Env{Vars: []string{"A=1", "SHELL=" + shell}, Now: time.Now, Ctx: context.Background(), Stderr: os.Stderr}
		o := &slurm.JobOptions{Export: c.export, Given: map[string]bool{"export": c.given}}
		vars, err := Environment(env, o)
		if err != nil {
			t.Fatal(err)
		}
		_, err = os.Stat(mark)
		if ran := err == nil; ran != c.login || slices.Contains(vars, "FROM_LOGIN=1") != c.login {
			t.Errorf("--export=%s: a login shell ran: %v, want %v; %q", c.export, ran, c.login, vars)
		}
	}
}

// What a step gets by --export, whose list may begin with a word that stands for all of it.
func TestStepsGetWhatIsExported(t *testing.T) {
	for export, want := range map[string]string{
		"ALL": "A=1 B=2", "NONE": "", "X=3": "X=3", "NONE,X=3": "", "none,ALL": "", "X=3,NONE": "X=3", "NIL,X=3": "X=3", "ALL,NONE": "A=1 B=2", "NONESUCH=4,A": "NONESUCH=4 A=1",
	} {
		env := &cli.Env{Vars: []string{"A=1", "B=2"}, Now: time.Now, Ctx: context.Background(), Stderr: os.Stderr}
		vars, err := StepEnvironment(env, &slurm.JobOptions{Export: export, Given: map[string]bool{"export": true}})
		if got := strings.Join(vars, " "); err != nil || got != want {
			t.Errorf("--export=%s: %q, %v, want %q", export, got, err, want)
		}
	}
}

// A login's PATH has the directory of the commands once, in front where it lacks it, and
// only where there are commands.
func TestLoginFindsTheCommands(t *testing.T) {
	dir, empty := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "srun"), nil, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ dir, path, want string }{
		{dir, "/usr/bin:/bin", dir + ":/usr/bin:/bin"}, {dir, "/usr/bin:" + dir, "/usr/bin:" + dir}, {empty, "/usr/bin", "/usr/bin"},
	} {
		vars := []string{"HOME=/", "PATH=" + c.path}
		if withCommands(vars, c.dir); vars[1] != "PATH="+c.want {
			t.Errorf("%s with %s: %s, want %s", c.path, c.dir, vars[1], c.want)
		}
	}
}
