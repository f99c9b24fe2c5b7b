package launcher

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/runink/rink/slice"
)

// waiting launches a slice whose output is a FIFO that nobody reads, and returns when
// it waits for that. What becomes of the launch comes through the channel.
func waiting(t *testing.T, cl *Client, id string, g slice.Cgroup) <-chan State {
	t.Helper()
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	s := shell(id, "echo never", g)
	s.Tasks[0].Stdout = slice.Stream{Kind: slice.StreamFile, Path: fifo}
	launched := make(chan State, 1)
	go func() {
		st, _, err := cl.Launch(t.Context(), s)
		if err != nil {
			t.Errorf("launch of %s: %v", id, err)
		}
		launched <- st
	}()
	eventually(t, "the slice is being started", func() bool {
		list, err := cl.List(t.Context())
		return err == nil && len(list) == 1 && list[0].Live && list[0].FirstPid == 0
	})
	time.Sleep(20 * time.Millisecond)
	return launched
}

// TestStartThatWaitsCanBeKilled has a slice end that waits, in its start, for a file of
// its user's: it has an end like any that was killed, also for the next launcher.
func TestStartThatWaitsCanBeKilled(t *testing.T) {
	cl, c := rig(t)
	exits := subscribe(t, cl)
	g := groups(c, cl, t, "step_0")
	launched := waiting(t, cl, "1.0", g)
	if err := cl.Signal(t.Context(), "1.0", slice.TargetAll, syscall.SIGTERM); !errors.Is(err, ErrBusy) {
		t.Errorf("signal: %v", err)
	}
	if err := cl.Kill(t.Context(), "1.0"); err != nil {
		t.Fatal(err)
	}
	e := next(t, exits)
	if e.ID != "1.0" || !e.Killed || len(e.Tasks) != 1 || e.Tasks[0].Status.Signal() != syscall.SIGKILL {
		t.Errorf("exit %+v", e)
	}
	if st := <-launched; st.Live || st.Exit == nil || !st.Exit.Killed {
		t.Errorf("launched: %+v", st)
	}
	if err := cl.Shutdown(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	after, err := Connect(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer after.Close()
	if list, err := after.List(t.Context()); err != nil || len(list) != 1 || list[0].Exit == nil || !list[0].Exit.Killed || list[0].Exit.Lost {
		t.Fatalf("the next launcher has %+v, %v", list, err)
	}
	if err := after.Forget(t.Context(), "1.0"); err != nil {
		t.Fatal(err)
	}
	s := shell("1.0", "exit 3", g)
	launch(t, after, s)
	if e := next(t, subscribe(t, after)); e.Tasks[0].Status.ExitStatus() != 3 {
		t.Errorf("the name is not free: %+v", e)
	}
}

// TestForcedShutdownEndsAStartThatWaits holds that a launcher that is told to end does.
func TestForcedShutdownEndsAStartThatWaits(t *testing.T) {
	cl, c := rig(t)
	launched := waiting(t, cl, "1.0", groups(c, cl, t, "step_0"))
	if err := cl.Shutdown(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if st := <-launched; st.Live || st.Exit == nil || !st.Exit.Killed {
		t.Errorf("launched: %+v", st)
	}
}

// TestFullDisk has the launcher's spool take nothing while a slice ends and another is
// to start: the end is told all the same, nothing starts that could be lost, and all is
// well once there is room.
func TestFullDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to mount a small file system")
	}
	dir, err := os.MkdirTemp("/tmp", "rink-launcher-test-")
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		os.Remove(dir)
		t.Skip(err)
	}
	c := Config{Spool: filepath.Join(dir, "spool"), Parent: fmt.Sprintf("rink/test.%d", os.Getpid())}
	cl, err := Connect(t.Context(), c)
	t.Cleanup(func() {
		if cl != nil {
			cl.Shutdown(context.Background(), true)
			cl.Close()
		}
		unix.Unmount(dir, unix.MNT_DETACH)
		os.Remove(dir)
	})
	if err != nil {
		t.Fatal(err)
	}
	exits := subscribe(t, cl)
	g := groups(c, cl, t, "step_0")
	launch(t, cl, shell("1.0", "read line; exit 3", g))
	big := filepath.Join(dir, "big")
	if err := os.WriteFile(big, make([]byte, 1<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk is not full: %v", err)
	}
	// What is left of the journal's last page is filled with records of its own.
	s := shell("2.0", "exit 4", g)
	if g.On {
		s.Cgroup.Levels = []slice.Level{{Name: "job_2"}, {Name: "step_0"}}
	}
	var lerr error
	for i := 0; lerr == nil && i < 200; i++ {
		s.ID = fmt.Sprintf("2.%d", i)
		if _, _, lerr = cl.Launch(t.Context(), s); lerr == nil {
			next(t, exits)
		}
	}
	if lerr == nil || !strings.Contains(lerr.Error(), "no space left") {
		t.Fatalf("a slice is started without a record: %v", lerr)
	}
	if err := cl.CloseStdin(t.Context(), "1.0", 0); err != nil {
		t.Fatal(err)
	}
	if e := next(t, exits); e.ID != "1.0" || e.Tasks[0].Status.ExitStatus() != 3 {
		t.Errorf("exit %+v", e)
	}
	if list, err := cl.List(t.Context()); err != nil || slices.ContainsFunc(list, func(st State) bool { return st.ID == s.ID }) {
		t.Errorf("what did not start is known: %v, %v", list, err)
	}
	if err := os.Remove(big); err != nil {
		t.Fatal(err)
	}
	launch(t, cl, s)
	if e := next(t, exits); e.ID != s.ID || e.Tasks[0].Status.ExitStatus() != 4 {
		t.Errorf("exit %+v", e)
	}
	for _, id := range []string{"1.0", s.ID} {
		if err := cl.Forget(t.Context(), id); err != nil {
			t.Error(err)
		}
	}
	if err := cl.Shutdown(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	cl.Close()
	if cl, err = Connect(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	list, err := cl.List(t.Context())
	if err != nil || slices.ContainsFunc(list, func(st State) bool { return st.ID == "1.0" || st.ID == s.ID || st.Exit == nil || st.Exit.Lost }) {
		t.Errorf("the next launcher has %v, %v", list, err)
	}
}
