package slice

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// busyRoot is a root with a shell in it that needs no library.
func busyRoot(t testing.TB) string {
	t.Helper()
	needRoot(t)
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		t.Skip("there is no busybox")
	}
	if out, err := exec.Command("ldd", busybox).CombinedOutput(); err == nil {
		t.Skipf("busybox is not static: %s", out)
	}
	text, err := os.ReadFile(busybox)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(openDir(t), "rootfs")
	for _, d := range []string{"bin", "etc", "dev", "home"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "bin/busybox"), text, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"sh", "cat", "id", "ls", "mount", "touch", "hostname", "grep", "chmod", "mknod", "mkdir"} {
		if err := os.Symlink("busybox", filepath.Join(dir, "bin", name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "etc/name"), []byte("inside\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// inRoot runs a script in a root and returns what it wrote.
func inRoot(t *testing.T, r *Root, script string, change func(*Spec)) string {
	t.Helper()
	out := filepath.Join(openDir(t), "out")
	s := shell(script, out)
	s.Root = r
	s.Namespaces = Namespaces{PID: true, Mount: true}
	if change != nil {
		change(s)
	}
	h := testHost(t)
	sl, err := h.Start(context.Background(), s)
	if err != nil {
		t.Fatal(err)
	}
	exit := sl.Wait()
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if st := exit.Tasks[0].Status; st != 0 {
		t.Errorf("ended with %v: %s", syscall.WaitStatus(st), text)
	}
	return string(text)
}

var procMount = RootMount{Type: "proc", Target: "/proc", Flags: unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC}

var nullMount = RootMount{Type: "bind", Source: "/dev/null", Target: "/dev/null", File: true}

func TestASliceLivesInItsRoot(t *testing.T) {
	dir := busyRoot(t)
	r := &Root{Path: dir, Mounts: []RootMount{procMount, nullMount}}
	got := inRoot(t, r, "cat /etc/name; ls / | grep -c boot; test -e "+dir+" || echo gone; echo x >/dev/null && echo null; grep -c . /proc/self/mountinfo", nil)
	if got != "inside\n0\ngone\nnull\n3\n" {
		t.Errorf("%q", got)
	}
	if _, err := os.Stat(filepath.Join(dir, "proc")); err != nil {
		t.Errorf("the place of /proc: %v", err)
	}
}

func TestARootsOverlayIsGoneWithTheSlice(t *testing.T) {
	if types, err := os.ReadFile("/proc/filesystems"); err == nil && !strings.Contains(string(types), "\toverlay\n") {
		t.Skip("this kernel has no overlay file system")
	}
	dir := busyRoot(t)
	r := &Root{Path: dir, Overlay: true, Mounts: []RootMount{procMount, {Type: "tmpfs", Target: "/made/deep", Data: "mode=1777"}}}
	got := inRoot(t, r, "touch /made/deep/x && ls /made/deep; touch /home/x && ls /home", func(s *Spec) { s.UID, s.GID = 0, 0 })
	if got != "x\nx\n" {
		t.Errorf("%q", got)
	}
	for _, name := range []string{"made", "proc", "home/x"} {
		if _, err := os.Stat(filepath.Join(dir, name)); !os.IsNotExist(err) {
			t.Errorf("%s was written to the root: %v", name, err)
		}
	}
}

func TestARootHasMasksAndReadOnlyPaths(t *testing.T) {
	dir := busyRoot(t)
	bound := openDir(t)
	r := &Root{Path: dir, ReadOnly: true, Mounts: []RootMount{procMount, nullMount, {Type: "tmpfs", Target: "/tmp", Data: "mode=1777"}, {Type: "bind", Source: bound, Target: "/home"},
		{Type: "bind", Source: bound, Target: "/ro", Flags: unix.MS_RDONLY}},
		Links:       []Link{{"/dev/fd", "/proc/self/fd"}},
		MaskedPaths: []string{"/proc/cpuinfo", "/etc", "/nothing"}, ReadOnlyPaths: []string{"/proc/sys", "/nothing"}}
	got := inRoot(t, r, `cat /proc/cpuinfo; ls /etc
touch /x 2>/dev/null || echo ro; touch /home/y && echo bound; touch /ro/z 2>/dev/null || echo rob; touch /tmp/t && echo tmp
echo 1 2>/dev/null >/proc/sys/kernel/core_uses_pid || echo sys`, func(s *Spec) { s.UID, s.GID = 0, 0 })
	if got != "ro\nbound\nrob\ntmp\nsys\n" {
		t.Errorf("%q", got)
	}
	if _, err := os.Stat(filepath.Join(bound, "y")); err != nil {
		t.Error(err)
	}
	// What was made in the root for it to be mounted on is there, and nothing else.
	if _, err := os.Stat(filepath.Join(dir, "x")); err == nil {
		t.Error("the root was written to")
	}
}

func TestNothingInARootGivesPrivilege(t *testing.T) {
	dir := busyRoot(t)
	if err := os.Chmod(filepath.Join(dir, "bin/busybox"), 0o4755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mknod(filepath.Join(dir, "home/zero"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 5))); err != nil {
		t.Fatal(err)
	}
	got := inRoot(t, &Root{Path: dir, Mounts: []RootMount{procMount, nullMount}}, "id -u; cat /home/zero 2>/dev/null || echo closed", nil)
	if got != "65534\nclosed\n" {
		t.Errorf("%q", got)
	}
}

func TestARootCannotLeadOut(t *testing.T) {
	dir := busyRoot(t)
	outside := openDir(t)
	if err := os.Symlink(outside, filepath.Join(dir, "trap")); err != nil {
		t.Fatal(err)
	}
	h := testHost(t)
	s := shell("true", filepath.Join(outside, "out"))
	s.Namespaces = Namespaces{PID: true, Mount: true}
	s.Root = &Root{Path: dir, Mounts: []RootMount{procMount, {Type: "tmpfs", Target: "/trap/in"}}}
	if _, err := h.Start(context.Background(), s); err == nil {
		t.Error("a mount over a link that leads nowhere in the root")
	}
	if list, _ := os.ReadDir(outside); len(list) != 1 {
		t.Errorf("outside: %v", list)
	}
	// Nor may the way to the root be a link.
	link := filepath.Join(outside, "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	s.Root = &Root{Path: link, Mounts: []RootMount{procMount}}
	if _, err := h.Start(context.Background(), s); err == nil || !strings.Contains(err.Error(), "link") {
		t.Errorf("a link for a root: %v", err)
	}
}

func TestARootsUserIsAnotherInside(t *testing.T) {
	dir := busyRoot(t)
	defer syscall.Umask(syscall.Umask(0o077)) // as a launcher may have it
	got := inRoot(t, &Root{Path: dir, Mounts: []RootMount{procMount, nullMount}}, "id -u; id -g; touch /home/x 2>/dev/null || echo closed", func(s *Spec) {
		s.Namespaces.User, s.Inside = true, &Identity{0, 0}
	})
	if got != "0\n0\nclosed\n" {
		t.Errorf("%q", got)
	}
}

func TestARootFromAnImage(t *testing.T) {
	dir := busyRoot(t)
	pack, err := exec.LookPath("mksquashfs")
	if err != nil {
		t.Skip("there is no mksquashfs")
	}
	image := filepath.Join(openDir(t), "image")
	if out, err := exec.Command(pack, dir, image, "-quiet", "-no-progress").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	loop, err := LoopDevice(image)
	if err != nil {
		t.Skip(err)
	}
	defer loop.Close()
	got := inRoot(t, &Root{Path: loop.Name(), Image: true, Mounts: []RootMount{procMount}}, "cat /etc/name; touch /home/x && ls /home", func(s *Spec) { s.UID, s.GID = 0, 0 })
	if got != "inside\nx\n" {
		t.Errorf("%q", got)
	}
}
