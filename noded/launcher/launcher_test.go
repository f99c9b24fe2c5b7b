package launcher

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/runink/rink/slice"
)

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == Name {
		os.Exit(Main(os.Args[1:]))
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
		end, err := Connect(ctx, c)
		if err == nil {
			err = end.Shutdown(ctx, true)
			end.Close()
		}
		if err != nil {
			t.Errorf("shutdown: %v", err)
		}
		cl.Close()
		text, _ := os.ReadFile(filepath.Join(c.Spool, "launcher.log"))
		if t.Failed() {
			t.Logf("launcher.log:\n%s", text)
		}
		os.RemoveAll(dir)
	})
	return cl, c
}

func TestFirst(t *testing.T) {
	cl, c := rig(t)
	i, err := cl.Info(t.Context())
	t.Logf("%+v %v", i, err)
	sp := &slice.Spec{ID: "1.batch", Cgroup: slice.Cgroup{On: true, Parent: c.Parent, Levels: []slice.Level{{Name: "job_1"}, {Name: "step_batch"}}},
		Tasks: []slice.Task{{Argv: []string{"/bin/sh", "-c", "echo hello; exit 4"}, Dir: "/", Stdout: slice.Stream{Kind: slice.StreamPipe}}}}
	ch, err := cl.Subscribe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t0 := time.Now()
	st, already, err := cl.Launch(t.Context(), sp)
	t.Logf("%v %+v %v %v", time.Since(t0), st, already, err)
	x := <-ch
	t.Logf("%v %+v", time.Since(t0), x)
	f, err := cl.Attach(t.Context(), "1.batch")
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 100)
	n, _ := f[0].Stdout.Read(b)
	t.Logf("%q", b[:n])
	t.Log(cl.Forget(t.Context(), "1.batch"))
	i, err = cl.Info(t.Context())
	t.Logf("%+v %v", i, err)
}
