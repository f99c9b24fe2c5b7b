// Package launchertest runs a launcher of its own for a test or a benchmark: the
// real process of the real binary.
package launchertest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/runink/rink/noded/launcher"
)

// Build builds the executable of launchers and returns its path.
func Build(tb testing.TB) string {
	tb.Helper()
	exe := filepath.Join(tb.TempDir(), launcher.Name)
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", exe, "github.com/runink/rink/noded/rink-launcher")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("cannot build a launcher: %v\n%s", err, out)
	}
	return exe
}

// Start starts a launcher whose slices live below the cgroup parent. It ends
// with the test, and its slices with it.
func Start(tb testing.TB, exe, parent string) *launcher.Client {
	tb.Helper()
	dir, err := os.MkdirTemp("", "lt") // short: the socket lies in it
	if err != nil {
		tb.Fatal(err)
	}
	cl, err := launcher.Connect(context.Background(), launcher.Config{Spool: dir, Exe: exe, Parent: parent})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		cl.Shutdown(ctx, true)
		cl.Close()
		os.RemoveAll(dir)
	})
	return cl
}
