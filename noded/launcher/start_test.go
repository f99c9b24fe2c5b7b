package launcher

import (
	"errors"
	"path/filepath"
	"syscall"
	"testing"
	"time"

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
