package launcher

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/runink/rink/slice"
)

// TestNothingIsLeftOfSlices has a launcher see slices of all kinds come and go, started
// or not, attached to, killed, with clients that hang up, and holds that it is left with
// no descriptor, thread or process more.
func TestNothingIsLeftOfSlices(t *testing.T) {
	cl, c := rig(t)
	exits := subscribe(t, cl)
	info, err := cl.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	g := groups(c, cl, t, "step_0")
	proc := fmt.Sprintf("/proc/%d/", info.PID)
	count := func(dir string) int {
		l, err := os.ReadDir(proc + dir)
		if err != nil {
			t.Fatal(err)
		}
		return len(l)
	}
	n := 0
	round := func() {
		n++
		id := fmt.Sprintf("r%d", n)
		plain := shell(id+".plain", "exit 0", g)
		bad := shell(id+".bad", "", slice.Cgroup{})
		bad.Tasks[0].Argv = []string{"/no/such/program"}
		if _, _, err := cl.Launch(t.Context(), bad); err == nil {
			t.Fatal("it started")
		}
		pty := shell(id+".pty", "sleep 100", slice.Cgroup{})
		s := slice.Stream{Kind: slice.StreamPTY}
		pty.Tasks[0].Stdin, pty.Tasks[0].Stdout, pty.Tasks[0].Stderr = s, s, s
		for _, one := range []*slice.Spec{plain, pty} {
			launch(t, cl, one)
			files, err := cl.Attach(t.Context(), one.ID)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range files {
				for _, end := range []*os.File{f.Stdin, f.Stdout, f.Stderr, f.PTY} {
					if end != nil {
						end.Close()
					}
				}
			}
			if err := cl.Kill(t.Context(), one.ID); err != nil {
				t.Fatal(err)
			}
			next(t, exits)
			if err := cl.Forget(t.Context(), one.ID); err != nil {
				t.Fatal(err)
			}
		}
		other, err := Connect(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		if _, err := other.Subscribe(ctx); err != nil {
			t.Fatal(err)
		}
		half, _, err := other.conn(ctx, true)
		if err != nil {
			t.Fatal(err)
		}
		half.Write([]byte{0, 0}) // of a length, and gone
		half.Close()
		stop()
		other.Close()
	}
	for range 8 { // what is kept ahead is there by then
		round()
	}
	fds, threads := count("fd"), count("task")
	const rounds = 40
	for range rounds {
		round()
	}
	ok := func() bool { return count("fd") <= fds+8 && count("task") <= threads+4 }
	for end := time.Now().Add(5 * time.Second); !ok() && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	if !ok() {
		t.Errorf("%d descriptors and %d threads, after %d rounds %d and %d", fds, threads, rounds, count("fd"), count("task"))
	}
	kids, err := os.ReadFile(proc + fmt.Sprintf("task/%d/children", info.PID))
	if err == nil && len(kids) > 0 {
		t.Errorf("children are left: %s", kids)
	}
}
