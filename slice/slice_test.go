package slice

import (
	"context"
	"os"
	"path/filepath"
	"testing"
)

func testHost(t testing.TB) *Host {
	h := Probe("rink/test." + filepath.Base(os.Args[0]))
	t.Cleanup(h.Close)
	if h.Off != "" {
		t.Logf("cgroups off: %s", h.Off)
	}
	return h
}

func TestHello(t *testing.T) {
	h := testHost(t)
	dir := openDir(t)
	out := filepath.Join(dir, "out")
	spec := &Spec{ID: "a", UID: 65534, GID: 65534, Umask: 0o22,
		Cgroup: Cgroup{On: true, Parent: h.parent, Levels: []Level{{Name: "job_1", Limits: Limits{MemoryMax: 64 << 20}}, {Name: "step_batch", Limits: Limits{PIDsMax: 10, CPUSet: "0"}}}},
		Tasks: []Task{{Argv: []string{"sh", "-c", "id; cat /proc/self/cgroup; ls -l /proc/self/fd; exit 3"}, Env: []string{"PATH=/bin:/usr/bin"}, Dir: "/",
			Stdout: Stream{Kind: StreamFile, Path: out}, Stderr: Stream{Kind: StreamStdout}}}}
	s, err := h.Start(context.Background(), spec)
	if err != nil {
		t.Fatal(err)
	}
	e := s.Wait()
	b, _ := os.ReadFile(out)
	t.Logf("%s\n%+v", b, e)
}

// openDir is a temporary directory that any user may write to.
func openDir(t testing.TB) string {
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
