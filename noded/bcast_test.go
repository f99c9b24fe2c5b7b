package noded

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/runink/rink/api/rinkpb"
)

// put writes a file as receive does.
func put(user *rights, dest, text string, f *rinkpb.BcastFile) error {
	file, err := as(user, func() (*os.File, error) { return openBeside(dest, f.Force) })
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := file.WriteString(text); err != nil {
		return err
	}
	return user.do(func() error { return settle(file, dest, f) })
}

func TestBcastFile(t *testing.T) {
	dir := t.TempDir()
	dest := filepath.Join(dir, "x")
	then := time.Unix(1577934245, 123000000)
	f := &rinkpb.BcastFile{Mode: 0o100751, Preserve: true, Atime: then.UnixNano(), Mtime: then.UnixNano()}
	if err := put(nil, dest, "one", f); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(dest)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != 0o751 || !info.ModTime().Equal(then) {
		t.Errorf("mode %v, time %v", info.Mode(), info.ModTime())
	}
	if err := put(nil, dest, "two", &rinkpb.BcastFile{}); !errors.Is(err, syscall.EEXIST) {
		t.Errorf("without force: %v", err)
	}
	if err := put(nil, dest, "three", &rinkpb.BcastFile{Force: true, Mode: 0o4644}); err != nil {
		t.Error(err)
	}
	if info, _ := os.Stat(dest); info.Mode() != 0o644 {
		t.Errorf("mode %v: without -p a file gets no rights but those to read, write and run it", info.Mode())
	}
	if text, _ := os.ReadFile(dest); string(text) != "three" {
		t.Errorf("it holds %q", text)
	}
	if err := put(nil, dir, "", &rinkpb.BcastFile{Force: true}); !errors.Is(err, syscall.EISDIR) {
		t.Errorf("over a directory: %v", err)
	}
	if err := put(nil, dest+"/y", "", &rinkpb.BcastFile{}); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("below a file: %v", err)
	}
}

// A file that came to be there while another was sent is not replaced.
func TestBcastFileLate(t *testing.T) {
	dest := filepath.Join(t.TempDir(), "x")
	file, err := openBeside(dest, false)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := os.WriteFile(dest, []byte("theirs"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := settle(file, dest, &rinkpb.BcastFile{}); !errors.Is(err, syscall.EEXIST) {
		t.Errorf("settled: %v", err)
	}
	if text, _ := os.ReadFile(dest); string(text) != "theirs" {
		t.Errorf("it holds %q", text)
	}
}

func TestBcastRights(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root acts with the rights of others")
	}
	dir, err := os.MkdirTemp("/tmp", "bcast")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	nobody := &rights{uid: 65534, gid: 65534, turns: make(chan struct{}, maxTurns)}
	if err := put(nobody, filepath.Join(dir, "no"), "", &rinkpb.BcastFile{}); !errors.Is(err, syscall.EACCES) {
		t.Errorf("in a directory of root's: %v", err)
	}
	group := &rights{uid: 65534, gid: 65534, groups: []uint32{54321}, turns: make(chan struct{}, maxTurns)}
	if err := errors.Join(os.Chown(dir, 0, 54321), os.Chmod(dir, 0o770)); err != nil {
		t.Fatal(err)
	}
	if err := put(group, filepath.Join(dir, "yes"), "", &rinkpb.BcastFile{}); err != nil {
		t.Fatalf("in a directory of the user's group: %v", err)
	}
	info, err := os.Stat(filepath.Join(dir, "yes"))
	if err != nil {
		t.Fatal(err)
	}
	if st := info.Sys().(*syscall.Stat_t); st.Uid != 65534 || st.Gid != 65534 {
		t.Errorf("it belongs to %d:%d", st.Uid, st.Gid)
	}
	if os.Geteuid() != 0 {
		t.Error("the process itself has changed")
	}
	for range 20 { // no thread stays behind with another's rights
		done := make(chan error)
		go func() { _, err := os.ReadDir(dir); done <- err }()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
}

func TestMakeDir(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "libs")
	if err := makeDir(dir, false); err != nil {
		t.Fatal(err)
	}
	if err := makeDir(dir, false); !errors.Is(err, syscall.EEXIST) {
		t.Errorf("again: %v", err)
	}
	if err := makeDir(dir, true); err != nil {
		t.Errorf("with force: %v", err)
	}
	file := filepath.Join(dir, "f")
	os.WriteFile(file, nil, 0o600)
	if err := makeDir(file, true); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("over a file: %v", err)
	}
}

// A job with a /tmp of its own finds the file there, also where nothing of it runs
// yet; the directory goes with the job.
func TestBcastPrivateTmp(t *testing.T) {
	sp, err := openSpool(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer sp.close()
	a := &Agent{spool: sp, jobs: map[jobKey]*job{}, past: newTombstones()}
	here := &rinkpb.JobHere{Job: 7, Restarts: 1, Uid: uint32(os.Geteuid()), Gid: uint32(os.Getegid()), PrivateTmp: true}
	key := jobKey{7, 1}
	for _, c := range []struct{ dest, want string }{
		{"/tmp/x/../y", filepath.Join(sp.jobDir(key), "tmp", "y")},
		{"/tmp/../etc/x", "/etc/x"},
		{"/tmpx/y", "/tmpx/y"},
		{"/home/y", "/home/y"},
	} {
		got, err := a.placeOf(&rinkpb.BcastFile{Dest: c.dest, Here: here})
		if err != nil || got != c.want {
			t.Errorf("%s goes to %s, %v", c.dest, got, err)
		}
	}
	if a.find(key) == nil || !sp.has(key, "job") {
		t.Error("the job is not known here: its directory would stay")
	}
	if info, err := os.Stat(filepath.Join(sp.jobDir(key), "tmp")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("its directory: %v, %v", info, err)
	}
	here.PrivateTmp = false
	if got, err := a.placeOf(&rinkpb.BcastFile{Dest: "/tmp/y", Here: here}); err != nil || got != "/tmp/y" {
		t.Errorf("a shared /tmp: %s, %v", got, err)
	}
}
