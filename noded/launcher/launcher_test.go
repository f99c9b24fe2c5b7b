package launcher

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/runink/rink/api/launcherpb"
	"github.com/runink/rink/noded/journal"
	"github.com/runink/rink/slice"
)

// The test binary is its own launcher, and its own client that is killed.
func TestMain(m *testing.M) {
	switch filepath.Base(os.Args[0]) {
	case Name:
		os.Exit(Main(os.Args[1:]))
	case "doomed-client":
		os.Exit(doomedClient(os.Args[1], os.Args[2]))
	}
	os.Exit(m.Run())
}

// rig is a launcher in a process of its own.
func rig(t testing.TB) (*Client, Config) {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "rink-launcher-test-")
	if err != nil {
		t.Fatal(err)
	}
	c := Config{Spool: filepath.Join(dir, "spool"), Parent: fmt.Sprintf("rink/test.%d", os.Getpid())}
	cl, err := Connect(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		text, _ := os.ReadFile(filepath.Join(c.Spool, "launcher.log"))
		if t.Failed() {
			t.Logf("launcher.log:\n%s", text)
		}
		if _, err := os.Stat(c.Spool); err == nil {
			end, err := Connect(ctx, c)
			if err == nil {
				err = end.Shutdown(ctx, true)
				end.Close()
			}
			if err != nil {
				t.Errorf("shutdown: %v", err)
			}
		}
		cl.Close()
		os.RemoveAll(dir)
	})
	return cl, c
}

func groups(c Config, cl *Client, t testing.TB, step string) slice.Cgroup {
	info, err := cl.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if info.CgroupOff != "" {
		return slice.Cgroup{}
	}
	return slice.Cgroup{On: true, Parent: c.Parent, Levels: []slice.Level{{Name: "job_1"}, {Name: step}}}
}

// shell is a slice of one shell whose streams are pipes.
func shell(id, script string, g slice.Cgroup) *slice.Spec {
	pipe := slice.Stream{Kind: slice.StreamPipe}
	return &slice.Spec{ID: id, UID: uint32(os.Geteuid()), GID: uint32(os.Getegid()), Cgroup: g, Tasks: []slice.Task{{
		Argv: []string{"/bin/sh", "-c", script}, Env: []string{"PATH=/usr/bin:/bin"}, Dir: "/", Stdin: pipe, Stdout: pipe, Stderr: pipe}}}
}

func launch(t testing.TB, cl *Client, s *slice.Spec) State {
	t.Helper()
	st, already, err := cl.Launch(t.Context(), s)
	if err != nil || already {
		t.Fatalf("launch of %s: already %v, %v", s.ID, already, err)
	}
	return st
}

func subscribe(t testing.TB, cl *Client) <-chan Event {
	t.Helper()
	ch, err := cl.Subscribe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

func nextEvent(t testing.TB, ch <-chan Event) Event {
	t.Helper()
	select {
	case e, ok := <-ch:
		if !ok {
			t.Fatal("the subscription has ended")
		}
		return e
	case <-time.After(20 * time.Second):
		t.Fatal("no exit was told")
	}
	panic("never")
}

// next returns the next exit of a slice.
func next(t testing.TB, ch <-chan Event) slice.Exit {
	t.Helper()
	for {
		if e := nextEvent(t, ch); e.Exit != nil {
			return *e.Exit
		}
	}
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

func alive(pid int) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	return !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X")
}

func TestSliceFromLaunchToForget(t *testing.T) {
	cl, c := rig(t)
	exits := subscribe(t, cl)
	s := shell("1.batch", "read word; echo said $word; exit 4", groups(c, cl, t, "step_batch"))
	st := launch(t, cl, s)
	if !st.Live || st.ID != "1.batch" || !alive(st.FirstPid) || time.Since(st.Started) > time.Minute {
		t.Errorf("state %+v", st)
	}
	if list, err := cl.List(t.Context()); err != nil || len(list) != 1 || !list[0].Live || len(list[0].PIDs) != 1 || !alive(list[0].PIDs[0]) {
		t.Errorf("list %+v, %v", list, err)
	}
	if err := cl.Forget(t.Context(), "1.batch"); !errors.Is(err, ErrBusy) {
		t.Errorf("forget of a live slice: %v", err)
	}
	if err := cl.Shutdown(t.Context(), false); !errors.Is(err, ErrBusy) {
		t.Errorf("shutdown over a live slice: %v", err)
	}
	if runs, exits := recorded(t, c.Spool); len(runs) != 1 || runs[0].GetSpec().GetId() != "1.batch" || runs[0].GetInitPid() == 0 || len(exits) != 0 {
		t.Errorf("records of the live slice: %v %v", runs, exits)
	}
	f, err := cl.Attach(t.Context(), "1.batch")
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(f[0].Stdin, "hello\n")
	e := next(t, exits)
	if e.ID != "1.batch" || e.Tasks[0].Status.ExitStatus() != 4 || e.Killed || e.Lost || e.Note != "" || e.Ended.Before(e.Started) {
		t.Errorf("exit %+v", e)
	}
	if runs, exits := recorded(t, c.Spool); len(runs) != 0 || len(exits) != 1 || exits[0].GetSlice() != "1.batch" {
		t.Errorf("records of the exit: %v %v", runs, exits)
	}
	if got, err := io.ReadAll(f[0].Stdout); string(got) != "said hello\n" {
		t.Errorf("output %q, %v", got, err)
	}
	for _, file := range []*os.File{f[0].Stdin, f[0].Stdout, f[0].Stderr} {
		file.Close()
	}
	st, already, err := cl.Launch(t.Context(), s)
	if err != nil || !already || st.Live || st.Exit == nil || st.Exit.Tasks[0].Status.ExitStatus() != 4 {
		t.Errorf("launch of an ended slice: %+v %v %v", st, already, err)
	}
	if err := cl.Kill(t.Context(), "1.batch"); err != nil {
		t.Errorf("kill of an ended slice: %v", err)
	}
	if err := cl.Signal(t.Context(), "1.batch", slice.TargetTasks, syscall.SIGTERM); !errors.Is(err, ErrBusy) {
		t.Errorf("signal to an ended slice: %v", err)
	}
	if err := cl.Forget(t.Context(), "1.batch"); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(c.Spool + "/1.batch*"); len(left) > 0 {
		t.Errorf("records left: %v", left)
	}
	for name, err := range map[string]error{
		"forget": cl.Forget(t.Context(), "1.batch"), "kill": cl.Kill(t.Context(), "1.batch"),
		"signal": cl.Signal(t.Context(), "nosuch", slice.TargetTasks, 1),
	} {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("%s of no slice: %v", name, err)
		}
	}
}

func TestLaunchErrorsKeepTheirKind(t *testing.T) {
	cl, _ := rig(t)
	s := shell("bad", "true", slice.Cgroup{})
	s.Tasks[0].Argv = []string{"/no/such\xff"}
	_, _, err := cl.Launch(t.Context(), s)
	var se *slice.StartError
	if !errors.As(err, &se) || se.Stage != slice.StageExec || !errors.Is(err, syscall.ENOENT) || se.Task != 0 {
		t.Errorf("got %v", err)
	}
	s.Tasks = nil
	if _, _, err := cl.Launch(t.Context(), s); !errors.Is(err, slice.ErrInvalid) {
		t.Errorf("got %v", err)
	}
	if list, err := cl.List(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("list %+v, %v", list, err)
	}
}

func TestTwoLaunchesStartOne(t *testing.T) {
	cl, c := rig(t)
	marks := filepath.Join(filepath.Dir(c.Spool), "marks")
	s := shell("once", "echo x >> "+marks, slice.Cgroup{})
	var wg sync.WaitGroup
	var mu sync.Mutex
	started := 0
	for range 8 {
		wg.Go(func() {
			_, already, err := cl.Launch(context.Background(), s)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if !already {
				started++
			}
		})
	}
	wg.Wait()
	next(t, subscribe(t, cl))
	if b, _ := os.ReadFile(marks); string(b) != "x\n" || started != 1 {
		t.Errorf("started %d, ran %q", started, b)
	}
}

// doomedClient launches a slice, reads a little of its output, says so, and
// waits to be killed.
func doomedClient(spool, parent string) int {
	ctx := context.Background()
	cl, err := Connect(ctx, Config{Spool: spool, Parent: parent})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	s := shell("survivor", "i=0; while [ $i -lt 2000 ]; do i=$((i+1)); echo line $i; done; read word; echo last $word; exit 9", slice.Cgroup{})
	if _, _, err := cl.Launch(ctx, s); err != nil {
		fmt.Println(err)
		return 1
	}
	f, err := cl.Attach(ctx, "survivor")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	buf := make([]byte, 7)
	io.ReadFull(f[0].Stdout, buf)
	fmt.Printf("read %q\n", buf)
	select {}
}

func TestSliceOutlivesAClientThatIsKilled(t *testing.T) {
	dir, err := os.MkdirTemp("/tmp", "rink-launcher-test-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	spool, parent := dir+"/spool", fmt.Sprintf("rink/test.%d", os.Getpid())
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{"doomed-client", spool, parent}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 100)
	n, _ := out.Read(line)
	if want := "read \"line 1\\n\"\n"; string(line[:n]) != want {
		t.Fatalf("the client said %q, want %q", line[:n], want)
	}
	cmd.Process.Kill() // with the launcher as its child
	cmd.Wait()

	cl, err := Connect(t.Context(), Config{Spool: spool, Parent: parent})
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Shutdown(context.Background(), true)
	list, err := cl.List(t.Context())
	if err != nil || len(list) != 1 || !list[0].Live || !alive(list[0].PIDs[0]) {
		t.Fatalf("list %+v, %v", list, err)
	}
	f, err := cl.Attach(t.Context(), "survivor")
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(f[0].Stdin, "word\n")
	got, err := io.ReadAll(f[0].Stdout)
	var want bytes.Buffer
	for i := 2; i <= 2000; i++ {
		fmt.Fprintf(&want, "line %d\n", i)
	}
	want.WriteString("last word\n")
	if err != nil || !bytes.Equal(got, want.Bytes()) {
		t.Errorf("got %d bytes ending in %q, want %d; %v", len(got), got[max(0, len(got)-20):], want.Len(), err)
	}
	if e := next(t, subscribe(t, cl)); e.Tasks[0].Status.ExitStatus() != 9 {
		t.Errorf("exit %+v", e)
	}
}

func TestLauncherThatIsKilledTakesItsSlicesAndSaysSo(t *testing.T) {
	for _, mode := range []string{"process tree", "cgroup", "pid namespace"} {
		t.Run(mode, func(t *testing.T) {
			cl, c := rig(t)
			info, err := cl.Info(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			g := slice.Cgroup{}
			switch {
			case mode == "cgroup":
				if g = groups(c, cl, t, "step_0"); !g.On {
					t.Skipf("cgroups are off: %s", info.CgroupOff)
				}
			case mode == "pid namespace" && os.Geteuid() != 0:
				t.Skip("needs root")
			}
			launch(t, cl, shell("ended", "exit 5", slice.Cgroup{}))
			if e := next(t, subscribe(t, cl)); e.Tasks[0].Status.ExitStatus() != 5 {
				t.Errorf("exit %+v", e)
			}
			pids := filepath.Join(filepath.Dir(c.Spool), "pids")
			script := `trap "" TERM; (setsid sleep 1000 &); sleep 1001 & echo ready > ` + pids + `; sleep 1002; :`
			s := shell("live", script, g)
			s.Namespaces.PID = mode == "pid namespace"
			st := launch(t, cl, s)
			eventually(t, "it is ready", func() bool { b, _ := os.ReadFile(pids); return len(b) > 0 })
			var below []int
			eventually(t, "its last process is there", func() bool { below = family(st.FirstPid); return len(below) >= 4 })
			u, err := cl.Usage(t.Context(), "live")
			if err != nil {
				t.Fatal(err)
			}
			if u.PIDs < 4 {
				t.Errorf("usage %+v", u)
			}
			syscall.Kill(info.PID, syscall.SIGKILL)
			for _, pid := range append(below, st.FirstPid) {
				eventually(t, "process "+strconv.Itoa(pid)+" ends", func() bool { return !alive(pid) })
			}
			if _, err := cl.Info(t.Context()); !errors.Is(err, ErrGone) {
				t.Errorf("after the kill: %v", err)
			}
			again, err := Connect(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			defer again.Close()
			got := map[string]slice.Exit{}
			exits := subscribe(t, again)
			for range 2 {
				e := next(t, exits)
				got[e.ID] = e
			}
			if e := got["ended"]; e.Lost || e.Tasks[0].Status.ExitStatus() != 5 {
				t.Errorf("ended before: %+v", e)
			}
			if e := got["live"]; !e.Lost || !e.Tasks[0].Ended.IsZero() || !strings.Contains(e.Note, "the launcher died") {
				t.Errorf("live then: %+v", e)
			}
			if st, already, err := again.Launch(t.Context(), s); err != nil || !already || st.Live {
				t.Errorf("launched again: %+v %v %v", st, already, err)
			}
			if left, _ := filepath.Glob("/sys/fs/cgroup/*/" + c.Parent + "/job_1"); len(left) > 0 {
				t.Errorf("groups left: %v", left)
			}
			// The first client finds the new launcher too.
			if _, err := cl.Info(t.Context()); err != nil {
				t.Errorf("the first client: %v", err)
			}
		})
	}
}

// family lists the processes below one.
func family(pid int) []int {
	var out []int
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	for _, f := range strings.Fields(string(b)) {
		child, _ := strconv.Atoi(f)
		out = append(append(out, child), family(child)...)
	}
	return out
}

func TestFirstProcessIsKilledByForce(t *testing.T) {
	cl, _ := rig(t)
	exits := subscribe(t, cl)
	st := launch(t, cl, shell("forced", `(setsid sleep 1000 &); sleep 1001 & sleep 1002; :`, slice.Cgroup{}))
	var below []int
	eventually(t, "four processes", func() bool { below = family(st.FirstPid); return len(below) == 4 })
	syscall.Kill(st.FirstPid, syscall.SIGKILL)
	if e := next(t, exits); !strings.Contains(e.Note, "was killed") || e.Tasks[0].Status.Signal() != syscall.SIGKILL {
		t.Errorf("exit %+v", e)
	}
	for _, pid := range below {
		if alive(pid) {
			t.Errorf("process %d is alive", pid)
		}
	}
}

func TestSecondLauncherGivesWay(t *testing.T) {
	cl, c := rig(t)
	info, err := cl.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{Name, c.Spool, filepath.Join(c.Spool, "launcher.sock"), c.Parent}
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "another launcher has it") {
		t.Errorf("%v: %s", err, out)
	}
	if again, err := cl.Info(t.Context()); err != nil || again.PID != info.PID {
		t.Errorf("the first: %+v, %v", again, err)
	}
}

func TestOtherUsersAreRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	cl, c := rig(t)
	if _, err := cl.Info(t.Context()); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(c.Spool, "launcher.sock")
	if fi, err := os.Stat(socket); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("socket %v, %v", fi.Mode(), err)
	}
	// The mode alone keeps them out; see that the launcher would too.
	for p := socket; p != "/tmp"; p = filepath.Dir(p) {
		os.Chmod(p, 0o777)
	}
	dir, err := os.MkdirTemp("/tmp", "rink-launcher-test-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	os.Chmod(dir, 0o755)
	exe, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/test", exe, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(dir+"/test", "-test.run", "TestAsStranger", "-test.v")
	cmd.Env = []string{"STRANGER_SOCKET=" + socket}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "PASS: TestAsStranger") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestAsStranger(t *testing.T) {
	socket := os.Getenv("STRANGER_SOCKET")
	if socket == "" {
		t.Skip("TestOtherUsersAreRefused runs this")
	}
	cl := &Client{config: Config{Socket: socket}}
	if info, err := cl.Info(t.Context()); !errors.Is(err, ErrGone) {
		t.Errorf("got %+v, %v", info, err)
	}
}

func TestForcedShutdownRecordsTheKilled(t *testing.T) {
	cl, c := rig(t)
	launch(t, cl, shell("victim", "sleep 1000", groups(c, cl, t, "step_0")))
	if err := cl.Shutdown(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the launcher ends", func() bool { _, err := cl.Info(t.Context()); return err != nil })
	again, err := Connect(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if e := next(t, subscribe(t, again)); !e.Killed || e.Lost || e.Tasks[0].Status.Signal() != syscall.SIGKILL {
		t.Errorf("exit %+v", e)
	}
}

// recorded is what a launcher that comes next would read, from a copy.
func recorded(t *testing.T, spool string) ([]*launcherpb.Record, []*launcherpb.Exit) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(spool, "records"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "records")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	j, trouble, err := journal.Open(path)
	if err != nil || trouble != nil {
		t.Fatal(err, trouble)
	}
	defer j.Close()
	runs, exits, trouble := records{j}.load()
	if trouble != nil {
		t.Fatal(trouble)
	}
	return runs, exits
}

func TestBrokenRecordsAreLeftAlone(t *testing.T) {
	cl, c := rig(t)
	if err := cl.Shutdown(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the launcher ends", func() bool { _, err := cl.Info(t.Context()); return err != nil })
	path := filepath.Join(c.Spool, "records")
	j, _, err := journal.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	book := records{j}
	book.put("run", recordRun, &launcherpb.Record{Spec: &launcherpb.Spec{Id: "run"}, BootId: "another"})
	book.Put("torn", recordExit, []byte("\x0a\xff"))
	book.put("misnamed", recordRun, &launcherpb.Record{Spec: &launcherpb.Spec{Id: "other"}})
	j.Close()
	// And then what nothing ever wrote.
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString("neither length nor check")
	f.Close()
	again, err := Connect(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if list, err := again.List(t.Context()); err != nil || len(list) != 1 || list[0].ID != "run" || list[0].Exit == nil || !list[0].Exit.Lost {
		t.Errorf("list %v, %v", list, err)
	}
	if text, err := os.ReadFile(path + ".bad"); err != nil || !bytes.HasSuffix(text, []byte("neither length nor check")) {
		t.Errorf("what could not be read: %q, %v", text, err)
	}
}

func TestTerminalAndResize(t *testing.T) {
	cl, _ := rig(t)
	s := shell("pty", "read x; stty size", slice.Cgroup{})
	pty := slice.Stream{Kind: slice.StreamPTY}
	s.Tasks[0].Stdin, s.Tasks[0].Stdout, s.Tasks[0].Stderr = pty, pty, pty
	launch(t, cl, s)
	f, err := cl.Attach(t.Context(), "pty")
	if err != nil {
		t.Fatal(err)
	}
	defer f[0].PTY.Close()
	if f[0].Stdin != nil || f[0].Stdout != nil {
		t.Error("a terminal and pipes")
	}
	if err := cl.Resize(t.Context(), "pty", 0, slice.Winsize{Rows: 41, Cols: 123}); err != nil {
		t.Fatal(err)
	}
	io.WriteString(f[0].PTY, "\n")
	var got strings.Builder
	buf := make([]byte, 100)
	for !strings.Contains(got.String(), "41 123") {
		n, err := f[0].PTY.Read(buf)
		got.Write(buf[:n])
		if err != nil {
			t.Fatalf("got %q, then %v", got.String(), err)
		}
	}
}

func TestManyTasksPassManyDescriptors(t *testing.T) {
	cl, _ := rig(t)
	s := shell("wide", "read x; echo $x", slice.Cgroup{})
	for len(s.Tasks) < 120 { // three descriptors each: more than one send takes
		s.Tasks = append(s.Tasks, s.Tasks[0])
	}
	launch(t, cl, s)
	f, err := cl.Attach(t.Context(), "wide")
	if err != nil || len(f) != 120 {
		t.Fatalf("%d, %v", len(f), err)
	}
	for i := range f {
		fmt.Fprintf(f[i].Stdin, "%d\n", i)
	}
	for i := range f {
		got, err := io.ReadAll(f[i].Stdout)
		if err != nil || string(got) != fmt.Sprintf("%d\n", i) {
			t.Errorf("task %d: %q, %v", i, got, err)
		}
		for _, file := range []*os.File{f[i].Stdin, f[i].Stdout, f[i].Stderr} {
			file.Close()
		}
	}
}

func TestStdinOfAttachedSliceEnds(t *testing.T) {
	cl, _ := rig(t)
	launch(t, cl, shell("cat", "cat", slice.Cgroup{}))
	f, err := cl.Attach(t.Context(), "cat")
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(f[0].Stdin, "x")
	f[0].Stdin.Close()
	if err := cl.CloseStdin(t.Context(), "cat", 0); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(f[0].Stdout); err != nil || string(got) != "x" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestMessagesAreBounded(t *testing.T) {
	_, c := rig(t)
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: filepath.Join(c.Spool, "launcher.sock"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.Write([]byte{0xff, 0xff, 0xff, 0xff, 1, 2, 3})
	conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	if n, err := conn.Read(make([]byte, 1)); n != 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a message of 4 GiB was waited for: %v", err)
	}
}

func TestCancelledCallLeavesTheClientUsable(t *testing.T) {
	cl, _ := rig(t)
	dir := t.TempDir()
	if err := syscall.Mkfifo(dir+"/fifo", 0o600); err != nil {
		t.Fatal(err)
	}
	s := shell("slow", "echo $(cat)", slice.Cgroup{})
	s.Tasks[0].Stdin = slice.Stream{Kind: slice.StreamFile, Path: dir + "/fifo"} // opens when somebody writes
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, _, err := cl.Launch(ctx, s); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	list, err := cl.List(t.Context())
	if err != nil || len(list) != 1 || !list[0].Live {
		t.Errorf("it goes on: %+v, %v", list, err)
	}
	if err := os.WriteFile(dir+"/fifo", []byte("late\n"), 0); err != nil {
		t.Fatal(err)
	}
	if e := next(t, subscribe(t, cl)); e.Tasks[0].Status != 0 {
		t.Errorf("exit %+v", e)
	}
}

func TestLauncherStaysSmall(t *testing.T) {
	cl, _ := rig(t)
	exits := subscribe(t, cl)
	for i := range 200 {
		id := "s" + strconv.Itoa(i)
		launch(t, cl, shell(id, "exit 0", slice.Cgroup{}))
		next(t, exits)
		if err := cl.Forget(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	info, err := cl.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d MiB after 200 slices", info.RSS>>20)
	if info.RSS > 24<<20 && !raceEnabled {
		t.Errorf("the launcher takes %d bytes", info.RSS)
	}
}
