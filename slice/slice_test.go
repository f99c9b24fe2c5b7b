package slice

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
}

// testHost is a machine without cgroups, whatever this one has.
func testHost(t testing.TB) *Host {
	h := Probe("rink/test." + strconv.Itoa(os.Getpid()))
	t.Cleanup(h.Close)
	return h
}

// cgroupHost is a machine with cgroups, or the test is skipped.
func cgroupHost(t testing.TB) *Host {
	needRoot(t)
	h := testHost(t)
	if h.Off != "" {
		t.Skipf("cgroups are off: %s", h.Off)
	}
	return h
}

// openDir is a temporary directory that any user may write to.
func openDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "slice-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o1777); err != nil {
		t.Fatal(err)
	}
	return dir
}

const nobody = 65534

var plainEnv = []string{"PATH=/usr/bin:/bin", "HOME=/"}

// shell is a slice of one shell as nobody, or as whoever runs the test, whose
// output and errors go to the file out.
func shell(script, out string) *Spec {
	s := &Spec{ID: "test.0", UID: nobody, GID: nobody, Umask: 0o022, Tasks: []Task{{
		Argv: []string{"/bin/sh", "-c", script}, Env: plainEnv, Dir: "/",
		Stdout: Stream{Kind: StreamFile, Path: out}, Stderr: Stream{Kind: StreamStdout}}}}
	if os.Geteuid() != 0 {
		s.UID, s.GID = uint32(os.Geteuid()), uint32(os.Getegid())
	}
	return s
}

func grouped(s *Spec, h *Host, job, step Limits) *Spec {
	s.Cgroup = Cgroup{On: true, Parent: h.parent, Levels: []Level{{Name: "job_1", Limits: job}, {Name: "step_0", Limits: step}}}
	return s
}

func start(t testing.TB, h *Host, s *Spec) *Slice {
	t.Helper()
	sl, err := h.Start(context.Background(), s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		sl.Kill()
		sl.Wait()
		sl.CloseFiles()
	})
	return sl
}

// run runs a slice to its end and returns what it wrote.
func run(t testing.TB, h *Host, s *Spec) (string, Exit) {
	t.Helper()
	e := start(t, h, s).Wait()
	text, err := os.ReadFile(s.Tasks[0].Stdout.Path)
	if err != nil {
		t.Fatal(err)
	}
	if e.Note != "" {
		t.Errorf("note: %s", e.Note)
	}
	return string(text), e
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

func alive(pid int) bool {
	st, err := readStat(pid)
	return err == nil && st.state != 'Z' && st.state != 'X'
}

func TestTaskIsTheUser(t *testing.T) {
	needRoot(t)
	dir := openDir(t)
	s := shell(`id -u; id -g; id -G; umask; pwd; ls /proc/self/fd | tr '\n' ' '; echo
		grep -E '^(SigBlk|SigIgn|CapEff|CapPrm)' /proc/self/status | tr -d '\n\t'; echo
		ulimit -n; awk '{ print $19 }' /proc/self/stat; cat /proc/self/oom_score_adj; touch f; exit 3`, dir+"/out")
	nice, oom := 5, 300
	s.Groups, s.Umask, s.Nice, s.OOMScoreAdj = []uint32{4, 20}, 0o027, &nice, &oom
	s.Rlimits = []Rlimit{{Resource: unix.RLIMIT_NOFILE, Soft: 77, Hard: 99}}
	s.Tasks[0].Dir = dir
	got, e := run(t, testHost(t), s)
	want := fmt.Sprintf("%d\n%d\n%d 4 20\n0027\n%s\n0 1 2 3 \n"+ // 3 is the listing itself
		"SigBlk:0000000000000000SigIgn:0000000000000000CapPrm:0000000000000000CapEff:0000000000000000\n"+
		"77\n5\n300\n", nobody, nobody, nobody, dir)
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if st := e.Tasks[0].Status; !st.Exited() || st.ExitStatus() != 3 {
		t.Errorf("status %#x, want exit 3", st)
	}
	var fi unix.Stat_t
	if err := unix.Stat(dir+"/out", &fi); err != nil || fi.Uid != nobody || fi.Mode&0o777 != 0o640 {
		t.Errorf("output file: uid %d mode %o (%v), want nobody's 640", fi.Uid, fi.Mode, err)
	}
	if e.Killed || e.Lost || e.OOMKills != 0 || len(e.Warnings) != 0 {
		t.Errorf("exit %+v", e)
	}
}

func TestExitStatusIsTheTasks(t *testing.T) {
	h, dir := testHost(t), openDir(t)
	for script, want := range map[string]func(syscall.WaitStatus) bool{
		"exit 0":        func(w syscall.WaitStatus) bool { return w.Exited() && w.ExitStatus() == 0 },
		"exit 255":      func(w syscall.WaitStatus) bool { return w.Exited() && w.ExitStatus() == 255 },
		"kill -TERM $$": func(w syscall.WaitStatus) bool { return w.Signaled() && w.Signal() == syscall.SIGTERM },
		"kill -KILL $$": func(w syscall.WaitStatus) bool { return w.Signaled() && w.Signal() == syscall.SIGKILL },
	} {
		if _, e := run(t, h, shell(script, dir+"/out")); !want(e.Tasks[0].Status) {
			t.Errorf("%s: wait status %#x", script, e.Tasks[0].Status)
		}
	}
}

func TestStartErrors(t *testing.T) {
	h, dir := testHost(t), openDir(t)
	notExec := dir + "/plain"
	if err := os.WriteFile(notExec, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir+"/bin", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/bin/tool", []byte("not a program"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		change func(*Spec)
		stage  Stage
		errno  syscall.Errno
		path   string
	}{
		{"output in no directory", func(s *Spec) { s.Tasks[0].Stdout.Path = dir + "/no/out" }, StageStdout, unix.ENOENT, dir + "/no/out"},
		{"output is a directory", func(s *Spec) { s.Tasks[0].Stdout.Path = dir }, StageStdout, unix.EISDIR, dir},
		{"errors in no directory", func(s *Spec) { s.Tasks[0].Stderr = Stream{Kind: StreamFile, Path: dir + "/no/err"} }, StageStderr, unix.ENOENT, dir + "/no/err"},
		{"no such input", func(s *Spec) { s.Tasks[0].Stdin = Stream{Kind: StreamFile, Path: dir + "/in"} }, StageStdin, unix.ENOENT, dir + "/in"},
		{"no such program", func(s *Spec) { s.Tasks[0].Argv = []string{"/no/such"} }, StageExec, unix.ENOENT, "/no/such"},
		{"not on the path", func(s *Spec) { s.Tasks[0].Argv = []string{"nosuch"} }, StageExec, unix.ENOENT, "nosuch"},
		{"not executable", func(s *Spec) { s.Tasks[0].Argv = []string{notExec} }, StageExec, unix.EACCES, notExec},
		{"not executable beats not found", func(s *Spec) {
			s.Tasks[0].Argv, s.Tasks[0].Env = []string{"plain"}, []string{"PATH=/bin:" + dir + ":/usr/bin"}
		}, StageExec, unix.EACCES, "plain"},
		{"not a program", func(s *Spec) { s.Tasks[0].Argv, s.Tasks[0].Env = []string{"tool"}, []string{"PATH=" + dir + "/bin"} }, StageExec, unix.ENOEXEC, "tool"},
		{"no such directory", func(s *Spec) { s.Tasks[0].Dir = "/no/such" }, StageChdir, unix.ENOENT, "/no/such"},
		{"nor a fallback", func(s *Spec) { s.Tasks[0].Dir, s.Tasks[0].FallbackDir = "/no/such", "/nor/this" }, StageChdir, unix.ENOENT, "/nor/this"},
		{"argument list too long", func(s *Spec) { s.Tasks[0].Argv = []string{"/bin/true", strings.Repeat("x", 1<<20)} }, StageExec, unix.E2BIG, "/bin/true"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := shell("echo ran; sleep 100", dir+"/out")
			c.change(s)
			sl, err := h.Start(t.Context(), s)
			var se *StartError
			if !errors.As(err, &se) {
				if err == nil {
					sl.Kill()
				}
				t.Fatalf("got %v, want a StartError", err)
			}
			if se.Stage != c.stage || se.Errno != c.errno || se.Path != c.path || se.Task != 0 && c.stage != StageSetup {
				t.Errorf("got %+v (%v), want stage %s, %v, path %q", se, se, c.stage, c.errno, c.path)
			}
			if !errors.Is(err, c.errno) {
				t.Errorf("errors.Is(%v, %v) is false", err, c.errno)
			}
		})
	}
	if left := descendants(os.Getpid()); len(left) > 0 {
		t.Errorf("processes left: %v", left)
	}
}

func TestOutputIsOpenedAsTheUser(t *testing.T) {
	needRoot(t)
	dir := t.TempDir() // root's alone
	_, err := testHost(t).Start(t.Context(), shell("echo hello", dir+"/out"))
	var se *StartError
	if !errors.As(err, &se) || se.Stage != StageStdout || se.Errno != unix.EACCES {
		t.Errorf("got %v, want permission denied on standard output", err)
	}
}

func TestFallbackDirectory(t *testing.T) {
	dir := openDir(t)
	s := shell("pwd", dir+"/out")
	task := &s.Tasks[0]
	task.Dir, task.FallbackDir, task.DirNote = "/no/such", "/tmp", "manager: couldn't chdir to `/no/such': %s: going to /tmp instead\nerror: %s\n"
	got, e := run(t, testHost(t), s)
	want := "manager: couldn't chdir to `/no/such': No such file or directory: going to /tmp instead\nerror: No such file or directory\n/tmp\n"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if len(e.Warnings) != 1 || e.Warnings[0].Stage != StageChdir || e.Warnings[0].Errno != unix.ENOENT {
		t.Errorf("warnings %v", e.Warnings)
	}
}

func TestNoteComesFirst(t *testing.T) {
	dir := openDir(t)
	s := shell("echo $$", dir+"/out")
	s.Tasks[0].Note = "first [%d]\nthen [%d]: so\n"
	got, _ := run(t, testHost(t), s)
	pid := got[strings.LastIndexByte(strings.TrimSpace(got), '\n')+1 : len(got)-1]
	if want := "first [" + pid + "]\nthen [" + pid + "]: so\n" + pid + "\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestOneOfTwoTasksCannotStart(t *testing.T) {
	dir := openDir(t)
	s := shell("echo fine", dir+"/out")
	bad := s.Tasks[0]
	bad.Argv, bad.Stdout = []string{"/no/such"}, Stream{}
	s.Tasks = append(s.Tasks, bad)
	got, e := run(t, testHost(t), s)
	if got != "fine\n" {
		t.Errorf("output %q", got)
	}
	if e.Tasks[0].StartError != nil || e.Tasks[0].Status != 0 {
		t.Errorf("task 0: %+v", e.Tasks[0])
	}
	if se := e.Tasks[1].StartError; se == nil || se.Stage != StageExec || se.Errno != unix.ENOENT || se.Task != 1 {
		t.Errorf("task 1: %v", se)
	}
}

func TestOutputIsAppendedOrTruncated(t *testing.T) {
	h, dir := testHost(t), openDir(t)
	out := dir + "/out"
	for _, c := range []struct {
		append bool
		want   string
	}{{false, "x\n"}, {true, "x\nx\n"}, {false, "x\n"}} {
		s := shell("echo x", out)
		s.Tasks[0].Stdout.Append = c.append
		if got, _ := run(t, h, s); got != c.want {
			t.Errorf("append %v: got %q, want %q", c.append, got, c.want)
		}
	}
}

func TestTasksShareAnOutputFile(t *testing.T) {
	dir := openDir(t)
	if err := os.WriteFile(dir+"/out", []byte("old\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	os.Chmod(dir+"/out", 0o666)
	s := shell("for i in 1 2 3 4 5; do echo line; done", dir+"/out")
	for len(s.Tasks) < 8 {
		s.Tasks = append(s.Tasks, s.Tasks[0])
	}
	got, _ := run(t, testHost(t), s)
	if want := strings.Repeat("line\n", 40); got != want {
		t.Errorf("got %d bytes %q, want %d", len(got), got, len(want))
	}
	s.Tasks[3].Stdout.Path, s.Tasks[4].Stdout.Path = dir+"/no/out", dir+"/no/out"
	_, err := testHost(t).Start(t.Context(), s)
	var se *StartError
	if !errors.As(err, &se) || se.Stage != StageStdout || se.Errno != unix.ENOENT || se.Task != 3 {
		t.Errorf("a shared file that cannot be opened: got %v", err)
	}
}

func TestPipesKeepWhatIsInThem(t *testing.T) {
	s := shell(`read a; echo "out $a"; echo "err $a" >&2`, "")
	s.Tasks[0].Stdin, s.Tasks[0].Stdout, s.Tasks[0].Stderr = Stream{Kind: StreamPipe}, Stream{Kind: StreamPipe}, Stream{Kind: StreamPipe}
	sl := start(t, testHost(t), s)
	f, err := sl.Files()
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(f[0].Stdin, "word\n")
	f[0].Stdin.Close()
	sl.Wait()
	for _, c := range []struct {
		file *os.File
		want string
	}{{f[0].Stdout, "out word\n"}, {f[0].Stderr, "err word\n"}} {
		if got, err := io.ReadAll(c.file); err != nil || string(got) != c.want {
			t.Errorf("got %q, %v, want %q", got, err, c.want)
		}
		c.file.Close()
	}
}

func TestStdinEnds(t *testing.T) {
	s := shell("cat", "")
	s.Tasks[0].Stdin, s.Tasks[0].Stdout = Stream{Kind: StreamPipe}, Stream{Kind: StreamPipe}
	sl := start(t, testHost(t), s)
	f, err := sl.Files()
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(f[0].Stdin, "bytes")
	f[0].Stdin.Close()
	if err := sl.CloseStdin(0); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(f[0].Stdout); err != nil || string(got) != "bytes" {
		t.Errorf("got %q, %v", got, err)
	}
	f[0].Stdout.Close()
	if e := sl.Wait(); e.Tasks[0].Status != 0 {
		t.Errorf("status %#x", e.Tasks[0].Status)
	}
}

func TestTerminal(t *testing.T) {
	s := shell(`test -t 0 && test -t 1 && test -t 2 && echo three; stty size; tty; ls -l $(tty) | cut -c1-10; read x; stty size`, "")
	pty := Stream{Kind: StreamPTY}
	s.Tasks[0].Stdin, s.Tasks[0].Stdout, s.Tasks[0].Stderr = pty, pty, pty
	s.Pty = Winsize{Rows: 33, Cols: 99}
	h := testHost(t)
	sl, err := h.Start(t.Context(), s)
	if err != nil {
		var se *StartError
		if errors.As(err, &se) && se.Stage == StagePTY {
			t.Skipf("no terminals here: %v", err)
		}
		t.Fatal(err)
	}
	defer func() { sl.Kill(); sl.Wait(); sl.CloseFiles() }()
	f, err := sl.Files()
	if err != nil {
		t.Fatal(err)
	}
	defer f[0].PTY.Close()
	if err := sl.Resize(0, Winsize{Rows: 40, Cols: 120}); err != nil {
		t.Fatal(err)
	}
	io.WriteString(f[0].PTY, "\n")
	var got strings.Builder
	io.Copy(&got, f[0].PTY) // ends with an error when the last process closes it
	text := strings.ReplaceAll(got.String(), "\r\n", "\n")
	if !strings.Contains(text, "three\n") || !strings.Contains(text, "40 120\n") || !strings.Contains(text, "/dev/pts/") {
		t.Errorf("got %q", text)
	}
	if err := sl.Resize(1, Winsize{}); err == nil {
		t.Error("a task that is not there was resized")
	}
}

func TestLeftoversDieWithTheTask(t *testing.T) {
	for _, c := range []struct {
		name string
		spec func(t *testing.T) (*Host, func(*Spec))
	}{
		{"by the process tree", func(t *testing.T) (*Host, func(*Spec)) { return testHost(t), func(*Spec) {} }},
		{"by the cgroup", func(t *testing.T) (*Host, func(*Spec)) {
			h := cgroupHost(t)
			return h, func(s *Spec) { grouped(s, h, Limits{}, Limits{}) }
		}},
		{"by the pid namespace", func(t *testing.T) (*Host, func(*Spec)) {
			needRoot(t)
			return testHost(t), func(s *Spec) { s.Namespaces.PID = true }
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, change := c.spec(t)
			dir := openDir(t)
			// A daemon, in a session of its own and with a dead parent, and a
			// child that does not listen.
			script := `(setsid sh -c 'trap "" TERM HUP INT; sleep 1000 & sleep 1001' >/dev/null 2>&1 &) ; sleep 1002 & sleep 0.2; echo done`
			s := shell(script, dir+"/out")
			change(s)
			sl := start(t, h, s)
			var seen []int
			eventually(t, "four sleepers", func() bool {
				seen = descendants(sl.first)
				return len(seen) >= 4
			})
			e := sl.Wait()
			for _, pid := range seen {
				if alive(pid) {
					t.Errorf("process %d is alive", pid)
				}
			}
			if e.Killed || e.Tasks[0].Status != 0 {
				t.Errorf("exit %+v", e)
			}
		})
	}
}

func TestKillLeavesNothing(t *testing.T) {
	for _, c := range []struct {
		name string
		spec func(t *testing.T) (*Host, func(*Spec))
	}{
		{"by the process tree", func(t *testing.T) (*Host, func(*Spec)) { return testHost(t), func(*Spec) {} }},
		{"by the cgroup", func(t *testing.T) (*Host, func(*Spec)) {
			h := cgroupHost(t)
			return h, func(s *Spec) { grouped(s, h, Limits{}, Limits{}) }
		}},
		{"by the pid namespace", func(t *testing.T) (*Host, func(*Spec)) {
			needRoot(t)
			return testHost(t), func(s *Spec) { s.Namespaces.PID = true }
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, change := c.spec(t)
			dir := openDir(t)
			s := shell(`trap "" TERM HUP INT; for i in 1 2 3 4 5; do (setsid sleep 1000 &); sleep 1001 & done; sleep 1002; :`, dir+"/out")
			s.Tasks = append(s.Tasks, s.Tasks[0])
			s.Tasks[1].Stdout = Stream{}
			change(s)
			sl := start(t, h, s)
			var seen []int
			eventually(t, "24 processes", func() bool {
				seen = descendants(sl.first)
				return len(seen) >= 24
			})
			if err := sl.Kill(); err != nil {
				t.Fatal(err)
			}
			e := sl.Wait()
			for _, pid := range seen {
				if alive(pid) {
					t.Errorf("process %d is alive", pid)
				}
			}
			if !e.Killed || e.Note != "" {
				t.Errorf("exit %+v", e)
			}
			for i := range e.Tasks {
				if st := e.Tasks[i].Status; !st.Signaled() || st.Signal() != syscall.SIGKILL {
					t.Errorf("task %d: status %#x, want killed", i, st)
				}
			}
			if err := sl.Kill(); err != nil {
				t.Errorf("second kill: %v", err)
			}
			if err := sl.Signal(TargetTasks, syscall.SIGTERM); !errors.Is(err, ErrEnded) {
				t.Errorf("signal after the end: %v", err)
			}
		})
	}
}

// Whichever is faster, the kill or the word about it, the status is known.
func TestKillNeverLosesTheStatus(t *testing.T) {
	h, dir := testHost(t), openDir(t)
	for i := range 50 {
		s := shell("sleep 1000", dir+"/out")
		if h.Off == "" && os.Geteuid() == 0 {
			grouped(s, h, Limits{}, Limits{})
		}
		sl := start(t, h, s)
		sl.Kill()
		if e := sl.Wait(); e.Note != "" || e.Tasks[0].Status.Signal() != syscall.SIGKILL {
			t.Fatalf("run %d: %+v", i, e)
		}
	}
}

func TestFirstProcessIsKilledByForce(t *testing.T) {
	dir := openDir(t)
	sl := start(t, testHost(t), shell("sleep 1000 & sleep 1001; :", dir+"/out"))
	task := sl.Pids()[0]
	first, _ := sl.FirstPid()
	eventually(t, "two sleepers", func() bool { return len(descendants(first)) == 3 })
	for _, pid := range descendants(first) {
		// This process does not adopt orphans; the launcher does.
		defer unix.Kill(pid, syscall.SIGKILL)
	}
	unix.Kill(first, syscall.SIGKILL)
	e := sl.Wait()
	if !strings.Contains(e.Note, "first process of the slice was killed") {
		t.Errorf("note %q", e.Note)
	}
	if st := e.Tasks[0].Status; !st.Signaled() || st.Signal() != syscall.SIGKILL {
		t.Errorf("status %#x", st)
	}
	eventually(t, "the task dies with it", func() bool { return !alive(task) })
}

func TestSignalTargets(t *testing.T) {
	h, dir := testHost(t), openDir(t)
	script := `trap 'echo parent' USR1; trap 'kill $!; exit' TERM
		sh -c 'trap "echo child" USR1; echo ready; while :; do sleep 0.01; done' & while :; do wait $!; done`
	for _, c := range []struct {
		name    string
		target  Target
		cgroup  bool
		pidns   bool
		tasks   []int
		parents int
		kids    int
	}{
		{"tasks only", TargetTasks, false, false, nil, 2, 0},
		{"one task only", TargetTasks, false, false, []int{1}, 1, 0},
		{"process groups", TargetTaskGroups, false, false, nil, 2, 2},
		{"one process group", TargetTaskGroups, false, false, []int{0}, 1, 1},
		{"all, by the process tree", TargetAll, false, false, nil, 2, 2},
		{"all, by the cgroup", TargetAll, true, false, nil, 2, 2},
		{"all, by the pid namespace", TargetAll, false, true, nil, 2, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			host := h
			s := shell(script, dir+"/"+strings.ReplaceAll(c.name, " ", "_"))
			s.Tasks = append(s.Tasks, s.Tasks[0])
			if c.cgroup {
				host = cgroupHost(t)
				grouped(s, host, Limits{}, Limits{})
			}
			if c.pidns {
				needRoot(t)
				s.Namespaces.PID = true
			}
			out := func() string { b, _ := os.ReadFile(s.Tasks[0].Stdout.Path); return string(b) }
			sl := start(t, host, s)
			eventually(t, "both are ready", func() bool { return strings.Count(out(), "ready") == 2 })
			if err := sl.Signal(c.target, syscall.SIGUSR1, c.tasks...); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the signals come: "+c.name, func() bool {
				return strings.Count(out(), "parent") >= c.parents && strings.Count(out(), "child") >= c.kids
			})
			time.Sleep(30 * time.Millisecond)
			if p, k := strings.Count(out(), "parent"), strings.Count(out(), "child"); p != c.parents || k != c.kids {
				t.Errorf("got %d parents, %d children, want %d, %d", p, k, c.parents, c.kids)
			}
			if err := sl.Signal(c.target, 65); err == nil {
				t.Error("signal 65 was taken")
			}
			if err := sl.Signal(TargetTasks, syscall.SIGUSR1, 2); err == nil {
				t.Error("task 2 was taken")
			}
		})
	}
}

// Stopped by force, and by the signal of a terminal, which the kernel keeps from
// groups that nobody in their session could continue.
func TestStopAndContinue(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGTSTP} {
		t.Run(sig.String(), func(t *testing.T) {
			dir := openDir(t)
			sl := start(t, testHost(t), shell("while :; do echo x; sleep 0.01; done", dir+"/out"))
			size := func() int64 {
				fi, err := os.Stat(dir + "/out")
				if err != nil {
					return 0
				}
				return fi.Size()
			}
			eventually(t, "output", func() bool { return size() > 0 })
			if err := sl.Signal(TargetAll, sig); err != nil {
				t.Fatal(err)
			}
			// A shell may stand in a vfork whose child was stopped: that is as good.
			eventually(t, "a stop", func() bool {
				st, err := readStat(sl.Pids()[0])
				return err == nil && (st.state == 'T' || st.state == 'D')
			})
			at := size()
			time.Sleep(50 * time.Millisecond)
			if size() != at {
				t.Error("it runs on")
			}
			sl.Signal(TargetAll, syscall.SIGCONT)
			eventually(t, "more output", func() bool { return size() > at })
			sl.Signal(TargetAll, sig)
			sl.Kill()
			if e := sl.Wait(); e.Tasks[0].Status.Signal() != syscall.SIGKILL {
				t.Errorf("a stopped slice was not killed: %#x", e.Tasks[0].Status)
			}
		})
	}
}

func TestAbandonedStart(t *testing.T) {
	dir := openDir(t)
	fifo := dir + "/fifo"
	if err := unix.Mkfifo(fifo, 0o666); err != nil {
		t.Fatal(err)
	}
	s := shell("echo never", dir+"/out")
	s.Tasks[0].Stdin = Stream{Kind: StreamFile, Path: fifo} // opens when somebody writes
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := testHost(t).Start(ctx, s)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if left := descendants(os.Getpid()); len(left) > 0 {
		t.Errorf("processes left: %v", left)
	}
}

func TestManyAtOnce(t *testing.T) {
	h, dir := testHost(t), openDir(t)
	const n = 60
	errs := make(chan error, n)
	for i := range n {
		go func() {
			s := shell("echo "+strconv.Itoa(i), filepath.Join(dir, strconv.Itoa(i)))
			s.ID = "many." + strconv.Itoa(i)
			if h.Off == "" && os.Geteuid() == 0 {
				grouped(s, h, Limits{MemoryMax: 1 << 30}, Limits{PIDsMax: 50})
				s.Cgroup.Levels[1].Name = s.ID
			}
			sl, err := h.Start(context.Background(), s)
			if err == nil {
				if e := sl.Wait(); e.Tasks[0].Status != 0 || e.Note != "" {
					err = fmt.Errorf("slice %d: %+v", i, e)
				}
			}
			if err == nil {
				if b, rerr := os.ReadFile(s.Tasks[0].Stdout.Path); string(b) != strconv.Itoa(i)+"\n" {
					err = fmt.Errorf("slice %d: %q, %v", i, b, rerr)
				}
			}
			errs <- err
		}()
	}
	for range n {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if h.Off == "" && os.Geteuid() == 0 {
		left, _ := filepath.Glob("/sys/fs/cgroup/*/" + h.parent + "/job_1")
		if len(left) > 0 {
			t.Errorf("groups left: %v", left)
		}
	}
}
