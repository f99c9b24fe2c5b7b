package slice

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// This binary is the hostile program too: a real one, with the system calls
// that a shell cannot make.
func TestMain(m *testing.M) {
	if what := os.Getenv("RINK_HOSTILE"); what != "" {
		hostile(what, os.Getenv("RINK_VICTIM"))
		os.Exit(0)
	}
	os.Exit(m.Run())
}

const victimKey = 0x72696e6b // of the victim's System V shared memory

// an attempt returns what it got hold of, or the error that it met.
type attempt struct {
	name string
	try  func(victim string) (string, error)
}

func raw(nr uintptr, args ...uintptr) error {
	var a [6]uintptr
	copy(a[:], args)
	if _, _, e := syscall.RawSyscall6(nr, a[0], a[1], a[2], a[3], a[4], a[5]); e != 0 {
		return e
	}
	return nil
}

func got(what string, err error) (string, error) { return what, err }

func writeTo(path, text string) (string, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return "", err
	}
	defer f.Close()
	_, err = f.WriteString(text)
	return "wrote " + path, err
}

func text(s string) uintptr {
	p, _ := unix.BytePtrFromString(s)
	return uintptr(unsafe.Pointer(p))
}

// each tries one thing on many files and is refused when all of them are.
func each(pattern string, try func(path string) error) (string, error) {
	paths, _ := filepath.Glob(pattern)
	err := error(unix.ENOENT)
	for _, p := range paths {
		if err = try(p); err == nil {
			return p, nil
		}
	}
	return "", err
}

func open(path string, flags int) error {
	fd, err := unix.Open(path, flags|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err == nil {
		unix.Close(fd)
	}
	return err
}

// attempts are the ways out that are tried one by one. The victim is a process
// of the same user in another slice, by its id on the machine.
var attempts = []attempt{
	{"see the processes of others", func(victim string) (string, error) {
		entries, err := os.ReadDir("/proc")
		if err != nil {
			return "", err
		}
		for _, e := range entries {
			line, _ := os.ReadFile("/proc/" + e.Name() + "/cmdline")
			if strings.Contains(string(line), "rink-victim") {
				return "saw " + string(line), nil
			}
		}
		return got("saw "+victim, unix.Access("/proc/"+victim+"/status", unix.F_OK))
	}},
	{"signal another job", func(victim string) (string, error) {
		pid, _ := strconv.Atoi(victim)
		return got("signalled it", unix.Kill(pid, 0))
	}},
	{"signal the slice's first process", func(string) (string, error) { return got("signalled it", unix.Kill(1, unix.SIGKILL)) }},
	{"read the memory of the first process", func(string) (string, error) { return got("opened it", open("/proc/1/mem", unix.O_RDONLY)) }},
	{"look through the root of the first process", func(string) (string, error) { return got("opened it", open("/proc/1/root/tmp", unix.O_RDONLY)) }},
	{"read another job's /tmp", func(string) (string, error) {
		return each("/tmp/*", func(p string) error {
			if b, err := os.ReadFile(p); err != nil || !strings.Contains(string(b), "secret") {
				return unix.ENOENT
			}
			return nil
		})
	}},
	{"read the /tmp of the machine", func(string) (string, error) { return each("/tmp/slice-test-*", func(string) error { return nil }) }},
	{"read another job's /dev/shm", func(string) (string, error) { return got("opened it", open("/dev/shm/victim", unix.O_RDONLY)) }},
	{"find another job's shared memory", func(string) (string, error) { return got("found it", raw(unix.SYS_SHMGET, victimKey, 0, 0)) }},
	{"open a disk", func(string) (string, error) {
		return each("/dev/[vsx][d]a*", func(p string) error { return open(p, unix.O_RDONLY) })
	}},
	// Everybody may open it, by its mode; the fence alone says no.
	{"open a device not given", func(string) (string, error) { return got("opened it", open(os.Getenv("RINK_DEVICE"), unix.O_RDONLY)) }},
	{"make a device", func(string) (string, error) {
		return got("made it", unix.Mknod("/tmp/disk", unix.S_IFBLK|0o666, int(unix.Mkdev(254, 0))))
	}},
	{"write to the root", func(string) (string, error) { return writeTo("/escaped", "x") }},
	{"write to /var/tmp", func(string) (string, error) { return writeTo("/var/tmp/escaped", "x") }},
	{"write to a read-only mount", func(string) (string, error) { return writeTo("/mnt/escaped", "x") }},
	{"make the system writable", func(string) (string, error) {
		return got("did", raw(unix.SYS_MOUNT, 0, text("/"), 0, unix.MS_REMOUNT|unix.MS_BIND, 0))
	}},
	{"become root", func(string) (string, error) { return got("did", raw(unix.SYS_SETRESUID, 0, 0, 0)) }},
	{"become another user", func(string) (string, error) { return got("did", raw(unix.SYS_SETRESUID, 1, 1, 1)) }},
	{"run a set-user-id program", func(string) (string, error) {
		cmd := exec.Command("/mnt/suid")
		cmd.Env = []string{"RINK_HOSTILE=euid"}
		out, err := cmd.CombinedOutput()
		if err == nil && strings.TrimSpace(string(out)) != "0" {
			err = unix.EPERM
		}
		return string(out), err
	}},
	{"trace another job", func(victim string) (string, error) {
		pid, _ := strconv.Atoi(victim)
		return got("did", raw(unix.SYS_PTRACE, unix.PTRACE_SEIZE, uintptr(pid), 0, 0))
	}},
	{"trace the first process", func(string) (string, error) { return got("did", raw(unix.SYS_PTRACE, unix.PTRACE_SEIZE, 1, 0, 0)) }},
	{"mount", func(string) (string, error) {
		return got("did", raw(unix.SYS_MOUNT, text("tmpfs"), text("/tmp"), text("tmpfs"), 0, 0))
	}},
	{"unmount", func(string) (string, error) { return got("did", unix.Unmount("/tmp", unix.MNT_DETACH)) }},
	{"make a user namespace", func(string) (string, error) { return got("did", raw(unix.SYS_UNSHARE, unix.CLONE_NEWUSER)) }},
	{"be born into a user namespace", func(string) (string, error) {
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = []string{"RINK_HOSTILE=euid"}
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNS}
		return got("was", cmd.Run())
	}},
	{"enter the namespace of the first process", func(string) (string, error) {
		fd, err := unix.Open("/proc/1/ns/mnt", unix.O_RDONLY, 0)
		if err == nil {
			err = unix.Setns(fd, 0)
		}
		return "did", err
	}},
	{"change the root", func(string) (string, error) { return got("did", unix.Chroot("/tmp")) }},
	{"load a module", func(string) (string, error) { return got("did", unix.FinitModule(0, "", 0)) }},
	{"load a kernel program", func(string) (string, error) { return got("did", raw(unix.SYS_BPF, 0, 0, 0)) }},
	{"reach the keys of the session", func(string) (string, error) { return got("did", raw(unix.SYS_KEYCTL, 0, 0, 0)) }},
	{"open a file by its handle", func(string) (string, error) {
		h := unix.NewFileHandle(1, make([]byte, 8))
		_, err := unix.OpenByHandleAt(unix.AT_FDCWD, h, unix.O_RDONLY)
		return "did", err
	}},
	{"type at a terminal", func(string) (string, error) { return got("did", raw(unix.SYS_IOCTL, 0, unix.TIOCSTI, text("x"))) }},
	{"use the calls of another processor mode", func(string) (string, error) {
		return got("did", raw(0x40000000+unix.SYS_GETPID))
	}},
	{"join another cgroup", func(string) (string, error) {
		for _, p := range []string{"/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/memory/cgroup.procs", "/sys/fs/cgroup/pids/tasks",
			"/sys/fs/cgroup/rink/cgroup.procs"} {
			if _, err := writeTo(p, "0"); err == nil {
				return p, nil
			}
		}
		return "", unix.EACCES
	}},
	{"raise a limit of the cgroup", func(string) (string, error) {
		for _, p := range []string{"/sys/fs/cgroup/memory/rink/*/job_*/memory.limit_in_bytes", "/sys/fs/cgroup/rink/*/job_*/memory.max",
			"/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
			if at, err := each(p, func(p string) error { return open(p, unix.O_WRONLY) }); err == nil {
				return at, nil
			}
		}
		return "", unix.EACCES
	}},
	{"make a cgroup", func(string) (string, error) {
		for _, p := range []string{"/sys/fs/cgroup/escaped", "/sys/fs/cgroup/memory/escaped"} {
			if os.Mkdir(p, 0o755) == nil {
				return p, nil
			}
		}
		return "", unix.EACCES
	}},
	{"be dumped by the machine's handler", func(string) (string, error) {
		return writeTo("/proc/sys/kernel/core_pattern", "|/tmp/x")
	}},
	{"be spared when memory is short", func(string) (string, error) { return writeTo("/proc/self/oom_score_adj", "-1000") }},
	{"take priority", func(string) (string, error) { return got("did", unix.Setpriority(unix.PRIO_PROCESS, 0, -5)) }},
}

// hostile is the program. What it says goes to its standard output, a line an
// attempt.
func hostile(what, victim string) {
	switch what {
	case "euid":
		fmt.Println(os.Geteuid())
	case "attempts":
		for _, a := range attempts {
			if what, err := a.try(victim); err != nil {
				fmt.Printf("%s: refused: %v\n", a.name, err)
			} else {
				fmt.Printf("%s: ESCAPED: %s\n", a.name, what)
			}
		}
	case "dial": // say the own address, and what an address says; its gate is the one before its own
		own, gate := netip.Addr{}, netip.Addr{}
		if links, err := net.InterfaceByName("eth0"); err == nil {
			addrs, _ := links.Addrs()
			for _, a := range addrs {
				if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Is4() {
					own, gate = p.Addr(), p.Addr().Prev()
				}
			}
		}
		c, err := net.DialTimeout("tcp", strings.Replace(victim, "gate", gate.String(), 1), 10*time.Second)
		if err != nil {
			fmt.Println(own, "refused", err)
			return
		}
		text, err := io.ReadAll(c)
		fmt.Println(own, string(text), err)
	case "memory":
		var all [][]byte
		for range 4096 {
			b := make([]byte, 1<<20)
			for i := 0; i < len(b); i += 4096 {
				b[i] = 1
			}
			all = append(all, b)
		}
		fmt.Println("ESCAPED: had", len(all), "MiB")
	case "forks":
		n := 0
		for range 5000 {
			cmd := exec.Command("/bin/sleep", "1000."+victim)
			if err := cmd.Start(); err != nil {
				fmt.Println("refused after", n, err)
				return
			}
			n++
		}
		fmt.Println("ESCAPED:", n, "processes")
	case "stay": // twice removed, in a session of its own, deaf to all it can be
		signal.Ignore()
		for range 3 {
			cmd := exec.Command("/proc/self/exe")
			cmd.Stdout = os.Stdout
			cmd.Env = []string{"RINK_HOSTILE=stay-child", "RINK_VICTIM=" + victim}
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
			if err := cmd.Start(); err != nil {
				fmt.Println(err)
			}
		}
		fmt.Println("started")
		for { // with nothing else to wait for, select {} would be a deadlock
			time.Sleep(time.Hour)
		}
	case "stay-child":
		signal.Ignore()
		cmd := exec.Command("/bin/sh", "-c", "trap '' TERM HUP INT; : "+victim+"; while :; do sleep 1; done")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := cmd.Start(); err != nil {
			fmt.Println(err)
		}
	case "flood":
		line := []byte(strings.Repeat("flood", 13) + "\n")
		w := bufio.NewWriterSize(os.Stdout, 1<<16)
		for {
			w.Write(line)
		}
	}
}

// cage is a slice with everything that there is switched on.
func cage(h *Host, dir, tmp, id, what, victim string) *Spec {
	devices := append([]DeviceRule{DenyAllDevices}, BasicDevices()...)
	s := &Spec{ID: id, UID: nobody, GID: nobody, Umask: 0o022, Hostname: "cage", PrivateTmp: tmp, Shm: 8 << 20, ReadOnly: true,
		Namespaces: Namespaces{PID: true, Mount: true, UTS: true, IPC: true},
		Mounts:     []Mount{{Source: dir, Target: "/mnt", ReadOnly: true}},
		Confine:    Confine{DropCaps: true, Seccomp: SeccompDefault},
		Cgroup: Cgroup{On: true, Parent: h.parent, Levels: []Level{{Name: "job_" + id, Limits: Limits{MemoryMax: 96 << 20, SwapMax: swap(0), Devices: devices}},
			{Name: "step_0", Limits: Limits{PIDsMax: 64}}}},
		Tasks: []Task{{Argv: []string{"/mnt/hostile"}, Env: append(slices.Clone(plainEnv), "RINK_HOSTILE="+what, "RINK_VICTIM="+victim, "RINK_DEVICE=/mnt/device"), Dir: "/tmp",
			Stdout: Stream{Kind: StreamPipe}, Stderr: Stream{Kind: StreamStdout}}}}
	return s
}

// escapeRig lays out the directories of a hostile job and its victim, which is
// one of the same user, and starts the victim.
func escapeRig(t *testing.T) (h *Host, dir string, tmp func() string, victim string) {
	h = cgroupHost(t)
	dir = openDir(t)
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]os.FileMode{"hostile": 0o755, "suid": 0o755 | os.ModeSetuid} {
		if err := os.WriteFile(filepath.Join(dir, name), self, 0o755); err != nil {
			t.Fatal(err)
		}
		os.Chmod(filepath.Join(dir, name), mode)
	}
	// A device that this machine has and no job is given: fuse, kvm, tun, autofs, loop-control.
	for _, minor := range []uint32{229, 232, 200, 235, 237} {
		os.Remove(dir + "/device")
		if unix.Mknod(dir+"/device", unix.S_IFCHR|0o666, int(unix.Mkdev(10, minor))) == nil && open(dir+"/device", unix.O_RDONLY) == nil {
			break
		}
	}
	os.Chmod(dir+"/device", 0o666)
	tmp = func() string {
		d, err := os.MkdirTemp(dir, "tmp-")
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range []string{d, d + "/shm"} {
			os.Mkdir(p, 0o700)
			os.Chown(p, nobody, nobody)
		}
		return d
	}
	s := cage(h, dir, tmp(), "victim", "", "")
	s.Tasks[0].Argv = []string{"/bin/sh", "-c", ": rink-victim; echo secret >/tmp/file; echo secret >/dev/shm/victim; echo up; exec sleep 1000"}
	sl := start(t, h, s)
	files, err := sl.Files()
	if err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(files[0].Stdout).ReadString('\n'); line != "up\n" {
		t.Fatalf("victim: %q %v", line, err)
	}
	files[0].Stdout.Close()
	return h, dir, tmp, strconv.Itoa(sl.Pids()[0])
}

func outputOf(t *testing.T, sl *Slice) string {
	t.Helper()
	files, err := sl.Files()
	if err != nil {
		t.Fatal(err)
	}
	sl.CloseFiles()
	defer files[0].Stdout.Close()
	b, err := io.ReadAll(files[0].Stdout)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestEscape has a hostile job try its ways out of its slice. Each attempt has
// to be refused, and its end to be told for what it was.
func TestEscape(t *testing.T) {
	h, dir, tmp, victim := escapeRig(t)
	for name, identity := range map[string]func(*Spec){
		"User":      func(*Spec) {},
		"Ephemeral": func(s *Spec) { s.Namespaces.User, s.Inside = true, &Identity{61234, 61234} },
	} {
		t.Run(name, func(t *testing.T) {
			s := cage(h, dir, tmp(), "hostile", "attempts", victim)
			identity(s)
			sl := start(t, h, s)
			out := outputOf(t, sl)
			if e := sl.Wait(); e.Tasks[0].Status != 0 || strings.Count(out, ": refused: ") != len(attempts) || strings.Contains(out, "ESCAPED") {
				t.Errorf("status %#x, %d attempts:\n%s", e.Tasks[0].Status, len(attempts), out)
			}
			t.Log("\n" + out)
		})
	}
}

// TestEscapeAttemptsAreReal has the same program in a slice that nothing was
// switched on for: what it gets hold of there shows that it is not the program
// that fails.
func TestEscapeAttemptsAreReal(t *testing.T) {
	h, dir, _, victim := escapeRig(t)
	sl := start(t, h, &Spec{ID: "bare", UID: nobody, GID: nobody, Tasks: []Task{{Argv: []string{dir + "/hostile"}, Dir: "/tmp",
		Env: append(slices.Clone(plainEnv), "RINK_HOSTILE=attempts", "RINK_VICTIM="+victim, "RINK_DEVICE="+dir+"/device"), Stdout: Stream{Kind: StreamPipe}}}})
	out := outputOf(t, sl)
	os.Remove("/var/tmp/escaped")
	names := []string{"see the processes of others", "signal another job", "read the /tmp of the machine", "trace another job"}
	if open(dir+"/device", unix.O_RDONLY) == nil {
		names = append(names, "open a device not given")
	}
	for _, name := range names {
		if !strings.Contains(out, name+": ESCAPED") {
			t.Errorf("%s: not even without a cage:\n%s", name, out)
		}
	}
}

func TestEscapeMemory(t *testing.T) {
	h, dir, tmp, _ := escapeRig(t)
	sl := start(t, h, cage(h, dir, tmp(), "hog", "memory", ""))
	out := outputOf(t, sl)
	e := sl.Wait()
	if e.OOMKills == 0 || !e.Tasks[0].Status.Signaled() || e.Tasks[0].Status.Signal() != syscall.SIGKILL || strings.Contains(out, "ESCAPED") {
		t.Errorf("oom kills %d, status %#x: %s", e.OOMKills, e.Tasks[0].Status, out)
	}
	if e.Usage.MemoryPeak > 100<<20 {
		t.Errorf("it had %d bytes", e.Usage.MemoryPeak)
	}
	// Memory in files of /tmp and /dev/shm counts as well, and has a bound of its own.
	s := cage(h, dir, tmp(), "shm", "", "")
	s.Tasks[0].Argv = []string{"/bin/sh", "-c", "head -c 64000000 /dev/zero >/dev/shm/big; ls -l /dev/shm/big"}
	sl = start(t, h, s)
	out = outputOf(t, sl)
	if sl.Wait(); !strings.Contains(out, "head: ") || !strings.Contains(out, strconv.Itoa(8<<20)) {
		t.Errorf("a /dev/shm of 8 MiB: %s", out)
	}
}

func TestEscapeForks(t *testing.T) {
	h, dir, tmp, _ := escapeRig(t)
	sl := start(t, h, cage(h, dir, tmp(), "bomb", "forks", strconv.Itoa(os.Getpid())))
	out := outputOf(t, sl)
	if e := sl.Wait(); !strings.Contains(out, "refused after") && e.Tasks[0].Status == 0 || strings.Contains(out, "ESCAPED") {
		t.Errorf("status %#x: %s", e.Tasks[0].Status, out)
	}
	if n := named("sleep\x001000." + strconv.Itoa(os.Getpid()) + "\x00"); n != 0 {
		t.Errorf("%d processes left", n)
	}
}

// named counts the processes of the machine whose command line has these words.
func named(words string) int {
	n := 0
	dirs, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, d := range dirs {
		if line, err := os.ReadFile(d); err == nil && strings.Contains(string(line), words) {
			n++
		}
	}
	return n
}

func TestEscapeLeftovers(t *testing.T) {
	h, dir, tmp, _ := escapeRig(t)
	mark := "rink-leftover-" + strconv.Itoa(os.Getpid())
	s := cage(h, dir, tmp(), "stay", "stay", mark)
	sl := start(t, h, s)
	for deadline := time.Now().Add(time.Minute); named(mark) < 3; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			sl.Kill()
			t.Fatalf("%d leftovers run: %s", named(mark), outputOf(t, sl))
		}
	}
	sl.Signal(TargetAll, syscall.SIGTERM)
	time.Sleep(20 * time.Millisecond)
	if n := named(mark); n < 3 {
		t.Errorf("the test has lost its point: %d left after TERM", n)
	}
	sl.Kill()
	e := sl.Wait()
	if n := named(mark); n != 0 || e.Note != "" || !e.Killed {
		t.Errorf("%d processes left, note %q, killed %v", n, e.Note, e.Killed)
	}
}

func TestEscapeFlood(t *testing.T) {
	h, dir, tmp, _ := escapeRig(t)
	flood := start(t, h, cage(h, dir, tmp(), "flood", "flood", ""))
	before := ownMemory()
	time.Sleep(100 * time.Millisecond)
	s := cage(h, dir, tmp(), "other", "", "")
	s.Tasks[0].Argv = []string{"/bin/echo", "undisturbed"}
	sl := start(t, h, s)
	if out := outputOf(t, sl); out != "undisturbed\n" || sl.Wait().Tasks[0].Status != 0 {
		t.Errorf("beside a flood: %q", out)
	}
	if now := ownMemory(); now > before+32<<20 {
		t.Errorf("this process has grown from %d to %d", before, now)
	}
	flood.Kill()
	if e := flood.Wait(); e.Tasks[0].Status.Signal() != syscall.SIGKILL {
		t.Errorf("status %#x", e.Tasks[0].Status)
	}
}

func ownMemory() uint64 {
	text, _ := readControl("/proc/self/status")
	return colonField(strings.ReplaceAll(text, "\t", " "), "VmRSS") << 10
}
