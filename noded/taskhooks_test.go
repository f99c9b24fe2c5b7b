package noded

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/noded/taskenv"
)

func TestTaskPrologIsObeyed(t *testing.T) {
	for _, c := range []struct{ out, env, prints string }{
		{"export A=2\nexport NEW=x y=z\n", "A=2 B=b NEW=x y=z", ""},
		{"unset A\nunset NONE\nexport C=c", "B=b C=c", ""},
		{"print hello  there\nnoise\nprint\n", "A=1 B=b", "hello  there|"},
		{"export\nexport =x\nexport NOVALUE\nexport E=\n", "A=1 B=b E=", ""},
		{"export Z=\x00\n", "A=1 B=b", ""},
	} {
		env := taskenv.New([]string{"A=1", "B=b"})
		prints := obey(env, []byte(c.out))
		if got := strings.Join(env.List(), " "); got != c.env || strings.Join(prints, "|") != c.prints {
			t.Errorf("%q: environment %q, printed %q", c.out, got, prints)
		}
	}
}

func TestTaskPrologAndEpilogRunAroundTheTask(t *testing.T) {
	dir := spoolDir(t)
	hook := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	r := startAgent(t, dir)
	r.conf.Conf.TaskProlog = hook("all", "echo export ADDED=by all; echo print first $SLURM_PROCID\n")
	order := step(t, 20, 0, dir, "echo body $ADDED $MORE; exit 4")
	order.TaskProlog = hook("mine", "echo export MORE=$ADDED; echo print second; echo complaint >&2\n")
	order.TaskEpilog = hook("after", "echo $SLURM_PROCID $MORE >>after.out; echo lost\n")
	r.launchStep(r.work, order)
	got := <-r.listen(t, 20, 0)
	if text := output(got, 0); text != "first 0\nsecond\nbody by all by all\n" {
		t.Errorf("output %q", text)
	}
	var words []string
	for _, m := range got {
		words = append(words, m.Messages...)
	}
	if len(words) > 0 {
		t.Errorf("words %q", words)
	}
	eventually(t, "the step is reported", func() bool { return len(r.kept(isStepDone)) == 1 })
	if c := r.kept(isStepDone)[0].GetStepDone().Tasks[0].Exit.Code; c != 4 {
		t.Errorf("exit code %d, want the task's 4", c)
	}
	if text, _ := os.ReadFile(filepath.Join(dir, "after.out")); string(text) != "0 by all\n" {
		t.Errorf("the epilog wrote %q before the step's end", text)
	}
	// What a prolog prints for a batch script stands before its output.
	r.launchJob(r.work, batch(t, 21, dir, "echo body $ADDED"))
	eventually(t, "the job is over", func() bool { return len(r.kept(isNodeDone)) == 1 })
	if text, _ := os.ReadFile(filepath.Join(dir, "out")); string(text) != "first 0\nbody by all\n" {
		t.Errorf("the job's file has %q", text)
	}
	eventually(t, "the launcher forgot all", func() bool { l, err := r.box.List(t.Context()); return err == nil && len(l) == 0 })
}

// A task whose prolog fails does not run, and ends as that did.
func TestTaskPrologFails(t *testing.T) {
	dir := spoolDir(t)
	r := startAgent(t, dir)
	bad := filepath.Join(dir, "bad")
	if err := os.WriteFile(bad, []byte("#!/bin/sh\nexit 3\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		program string
		code    uint32
		words   string
	}{
		{bad, 3, "slurmstepd: error: --task-prolog failed status=3"},
		{dir + "/nosuch", 1, "slurmstepd: error: run_command: user task_prolog can not be executed (" + dir + "/nosuch) No such file or directory|" +
			"slurmstepd: error: user task_prolog did not exit normally. reason: Run command failed - configuration error|" +
			"slurmstepd: error: --task-prolog failed status=1"},
	} {
		order := step(t, 23, uint32(i), dir, "touch ran")
		order.TaskProlog = c.program
		r.launchStep(r.work, order)
		var words []string
		for _, m := range <-r.listen(t, 23, uint32(i)) {
			words = append(words, m.Messages...)
			if m.Exited != nil && m.Exited.Exit.GetCode() != c.code {
				t.Errorf("exit code %d, want %d", m.Exited.Exit.GetCode(), c.code)
			}
		}
		if w := strings.Join(words, "|"); w != c.words {
			t.Errorf("words %q, want %q", w, c.words)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "ran")); err == nil {
		t.Error("the task ran")
	}
}

// A task epilog that fails changes nothing but that the owner hears of it.
func TestTaskEpilogFails(t *testing.T) {
	dir := spoolDir(t)
	r := startAgent(t, dir)
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	bad, garbage := write("bad", "#!/bin/sh\nexit 3\n", 0o755), write("garbage", "no program\n", 0o755)
	for i, c := range []struct{ program, words string }{
		{bad, "slurmstepd: error: TaskEpilog failed status=768"},
		{write("killed", "#!/bin/sh\nkill -9 $$\n", 0o755), "slurmstepd: error: TaskEpilog failed status=9"},
		{write("shut", "#!/bin/sh\n", 0o644), "slurmstepd: error: Could not run user task_epilog [" + dir + "/shut]: access denied|slurmstepd: error: TaskEpilog failed status=-1"},
		{garbage, "slurmstepd: error: execve(" + garbage + "): Exec format error|slurmstepd: error: TaskEpilog failed status=32512"},
	} {
		order := step(t, 25, uint32(i), dir, "exit 4")
		order.TaskEpilog = c.program
		r.launchStep(r.work, order)
		var words []string
		for _, m := range <-r.listen(t, 25, uint32(i)) {
			words = append(words, m.Messages...)
		}
		if w := strings.Join(words, "|"); w != c.words {
			t.Errorf("words %q, want %q", w, c.words)
		}
	}
	r.conf.Conf.TaskEpilog = bad
	r.launchJob(r.work, batch(t, 26, dir, "echo body"))
	eventually(t, "the job is over", func() bool { return len(r.kept(isNodeDone)) == 1 })
	if text, _ := os.ReadFile(filepath.Join(dir, "out")); string(text) != "body\nslurmstepd: error: --task-epilog failed status=768\n" {
		t.Errorf("the job's file has %q", text)
	}
}

func TestStepIsEndedWhileItsTaskPrologRuns(t *testing.T) {
	dir := spoolDir(t)
	r := startAgent(t, dir)
	order := step(t, 22, 0, dir, "touch ran")
	order.TaskProlog = filepath.Join(dir, "slow")
	os.WriteFile(order.TaskProlog, []byte("#!/bin/sh\ntouch began; sleep 60\n"), 0o755)
	r.launchStep(r.work, order)
	heard := r.listen(t, 22, 0)
	eventually(t, "the prolog runs", func() bool { _, err := os.Stat(filepath.Join(dir, "began")); return err == nil })
	r.endHere(&rinkpb.EndJobHere{Job: 22, HasStep: true})
	got := <-heard
	if last := got[len(got)-2]; last.Exited.GetExit().GetSignal() != 9 {
		t.Errorf("told %v, want that the task was killed", last)
	}
	if _, err := os.Stat(filepath.Join(dir, "ran")); err == nil {
		t.Error("the task ran")
	}
}
