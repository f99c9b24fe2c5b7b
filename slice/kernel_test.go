package slice

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What needs the kernel's cgroups and namespaces.

func groupFile(h *Host, controller, level, file string) string {
	dir := h.v2
	if h.Version == V1 {
		dir = h.v1[controller]
	}
	b, err := os.ReadFile(filepath.Join(dir, h.parent, level, file))
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(b))
}

func TestLimitsAreSetBeforeTheFirstInstruction(t *testing.T) {
	h := cgroupHost(t)
	dir := openDir(t)
	s := grouped(shell("cat /proc/self/cgroup; grep Cpus_allowed_list /proc/self/status; sleep 1000", dir+"/out"), h,
		Limits{MemoryMax: 1 << 30}, Limits{MemoryMax: 1 << 28, CPUs: 0.5, CPUShares: 512, CPUSet: "0", PIDsMax: 33})
	sl := start(t, h, s)
	var text string
	eventually(t, "output", func() bool {
		b, _ := os.ReadFile(dir + "/out")
		text = string(b)
		return strings.Contains(text, "Cpus_allowed")
	})
	if !strings.Contains(text, "Cpus_allowed_list:\t0\n") {
		t.Errorf("CPUs: %s", text)
	}
	want := [][4]string{
		{"memory", "job_1", "memory.limit_in_bytes", "1073741824"}, {"memory", "job_1/step_0", "memory.limit_in_bytes", "268435456"},
		{"cpu", "job_1/step_0", "cpu.cfs_quota_us", "50000"}, {"cpu", "job_1/step_0", "cpu.shares", "512"},
		{"cpuset", "job_1/step_0", "cpuset.cpus", "0"}, {"pids", "job_1/step_0", "pids.max", "33"},
	}
	if h.Version == V2 {
		want = [][4]string{
			{"memory", "job_1", "memory.max", "1073741824"}, {"memory", "job_1/step_0", "memory.max", "268435456"},
			{"cpu", "job_1/step_0", "cpu.max", "50000 100000"}, {"cpu", "job_1/step_0", "cpu.weight", "20"},
			{"cpuset", "job_1/step_0", "cpuset.cpus", "0"}, {"pids", "job_1/step_0", "pids.max", "33"},
		}
	}
	for _, w := range want {
		if got := groupFile(h, w[0], w[1], w[2]); got != w[3] {
			t.Errorf("%s %s: got %s, want %s", w[1], w[2], got, w[3])
		}
		if h.Version == V1 && !strings.Contains(text, ":"+w[0]+":/"+h.parent+"/job_1/step_0\n") {
			t.Errorf("the task was not in the %s group from the start: %s", w[0], text)
		}
	}
	sl.Kill()
	if e := sl.Wait(); e.Note != "" {
		t.Error(e.Note)
	}
	left, _ := filepath.Glob("/sys/fs/cgroup/*/" + h.parent + "/job_1")
	more, _ := filepath.Glob("/sys/fs/cgroup/" + h.parent + "/job_1")
	if len(left)+len(more) > 0 {
		t.Errorf("groups left: %v %v", left, more)
	}
}

func TestLimitThatCannotBeSetIsAFailedStart(t *testing.T) {
	h := cgroupHost(t)
	dir := openDir(t)
	s := grouped(shell("echo ran", dir+"/out"), h, Limits{}, Limits{CPUSet: "4000"})
	_, err := h.Start(t.Context(), s)
	var se *StartError
	if !errors.As(err, &se) || se.Stage != StageCgroup || !strings.HasSuffix(se.Path, "cpuset.cpus") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(dir + "/out"); err == nil {
		t.Error("it ran")
	}
	if got := groupFile(h, "freezer", "job_1", "cgroup.procs"); !strings.Contains(got, "no such file") {
		t.Errorf("group left: %s", got)
	}
	off := &Host{Off: "for the test", null: h.null, firsts: map[int]bool{}}
	if _, err := off.Start(t.Context(), grouped(shell("echo ran", dir+"/out"), h, Limits{}, Limits{})); !errors.As(err, &se) || !strings.Contains(err.Error(), "for the test") {
		t.Errorf("cgroups off: got %v", err)
	}
}

// memoryHog writes to about as many MiB of memory as it is told.
const memoryHog = `awk 'BEGIN { s = "0123456789abcdef"; while (length(s) < %d*1048576) s = s s; print length(s) }'`

func TestOutOfMemoryIsTold(t *testing.T) {
	h := cgroupHost(t)
	dir := openDir(t)
	s := grouped(shell(fmt.Sprintf(memoryHog+"; echo $?; exit 7", 128), dir+"/out"), h, Limits{MemoryMax: 48 << 20, SwapMax: swap(0)}, Limits{})
	got, e := run(t, h, s)
	if e.OOMKills == 0 || e.Usage.OOMKills != e.OOMKills {
		t.Errorf("oom kills %d, usage %d; output %q", e.OOMKills, e.Usage.OOMKills, got)
	}
	if st := e.Tasks[0].Status; !st.Exited() || st.ExitStatus() != 7 || !strings.Contains(got, "137") {
		t.Errorf("the shell outlives its child: status %#x, output %q", st, got)
	}
	s = grouped(shell(fmt.Sprintf(memoryHog, 4), dir+"/out2"), h, Limits{MemoryMax: 256 << 20}, Limits{})
	if _, e := run(t, h, s); e.OOMKills != 0 || e.Tasks[0].Status != 0 {
		t.Errorf("within the limit: %+v", e)
	}
}

func TestJobLimitIsSharedBySteps(t *testing.T) {
	h := cgroupHost(t)
	dir := openDir(t)
	hog := fmt.Sprintf(memoryHog+"; sleep 1000", 8)
	job := Limits{MemoryMax: 512 << 20}
	a := grouped(shell("exec sleep 1000", dir+"/a"), h, job, Limits{})
	b := grouped(shell(hog, dir+"/b"), h, job, Limits{})
	b.Cgroup.Levels[1].Name = "step_1"
	sa, sb := start(t, h, a), start(t, h, b)
	sa.Kill()
	sa.Wait()
	if got := groupFile(h, "freezer", "job_1/step_1", "cgroup.procs"); strings.Contains(got, "no such") || got == "" {
		t.Errorf("the other step's group went with the first: %q", got)
	}
	sb.Kill()
	sb.Wait()
	if got := groupFile(h, "freezer", "job_1", "cgroup.procs"); !strings.Contains(got, "no such") {
		t.Errorf("the job's group stays: %q", got)
	}
}

func TestForkBombMeetsItsLimit(t *testing.T) {
	h := cgroupHost(t)
	dir := openDir(t)
	s := grouped(shell(`f() { f | f & }; f; sleep 1000`, dir+"/out"), h, Limits{}, Limits{PIDsMax: 40})
	sl := start(t, h, s)
	eventually(t, "the limit is met", func() bool {
		b, _ := os.ReadFile(dir + "/out")
		return strings.Contains(string(b), "ork") || sl.Usage().PIDs >= 38
	})
	if n := sl.Usage().PIDs; n > 40 {
		t.Errorf("%d processes", n)
	}
	pids, err := sl.group.pids()
	if err != nil {
		t.Fatal(err)
	}
	at := time.Now()
	sl.Kill()
	e := sl.Wait()
	if d := time.Since(at); d > 3*time.Second || e.Note != "" {
		t.Errorf("killed in %v: %+v", d, e)
	}
	for _, p := range pids {
		if alive(p) {
			t.Errorf("process %d is alive", p)
		}
	}
}

func TestForkBombWithoutCgroupCanBeKilled(t *testing.T) {
	needRoot(t)
	dir := openDir(t)
	s := shell(`f() { sleep 1000 & f & }; f; sleep 1000`, dir+"/out")
	s.UID = 65500 // its own user, so that its own process limit stops it
	s.Rlimits = []Rlimit{{Resource: unix.RLIMIT_NPROC, Soft: 60, Hard: 60}}
	sl := start(t, testHost(t), s)
	time.Sleep(100 * time.Millisecond)
	sl.Kill()
	sl.Wait()
	out, _ := exec.Command("sh", "-c", "ps -eo uid= | grep -c 65500").Output()
	if strings.TrimSpace(string(out)) != "0" {
		t.Errorf("%s processes left", out)
	}
}

func TestDevicesAreFenced(t *testing.T) {
	h := cgroupHost(t)
	if !h.has("devices") {
		t.Skip("no devices controller")
	}
	dir := openDir(t)
	s := shell(`t() { if sh -c "$1" 2>/dev/null; then echo yes; else echo no; fi; }; t ': < /dev/zero'; t ': < /dev/kmsg'; t ': > /dev/null'`, dir+"/out")
	s.UID, s.GID = 0, 0
	grouped(s, h, Limits{}, Limits{Devices: append([]DeviceRule{DenyAllDevices}, BasicDevices()...)})
	got, _ := run(t, h, s)
	if got != "yes\nno\nyes\n" {
		t.Errorf("got %q", got)
	}
}

func TestUsage(t *testing.T) {
	h := cgroupHost(t)
	dir := openDir(t)
	s := grouped(shell(`i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done; `+fmt.Sprintf(memoryHog, 16)+`; echo go; sleep 1000`, dir+"/out"), h, Limits{}, Limits{})
	sl := start(t, h, s)
	eventually(t, "work", func() bool { b, _ := os.ReadFile(dir + "/out"); return strings.Contains(string(b), "go") })
	u := sl.Usage()
	if u.User+u.System < 5*time.Millisecond || u.MemoryPeak < 16<<20 || u.PIDs == 0 || !u.FromCgroup || u.VM == 0 {
		t.Errorf("live: %+v", u)
	}
	sl.Kill()
	e := sl.Wait()
	if e.Usage.User+e.Usage.System < u.User+u.System || e.Usage.MaxRSS < 16<<20 || e.Usage.MaxVM < u.VM || e.Usage.PIDs != 0 {
		t.Errorf("at the end: %+v, live %+v", e, u)
	}
}

func TestUsageWithoutCgroup(t *testing.T) {
	dir := openDir(t)
	sl := start(t, testHost(t), shell(`(i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done); echo go; read x < /dev/tty; sleep 1000`, dir+"/out"))
	eventually(t, "work", func() bool { b, _ := os.ReadFile(dir + "/out"); return strings.Contains(string(b), "go") })
	u := sl.Usage()
	if u.User+u.System < 5*time.Millisecond || u.RSS == 0 || u.VM == 0 || u.PIDs == 0 || u.FromCgroup {
		t.Errorf("live: %+v", u)
	}
	sl.Kill()
	if e := sl.Wait(); e.Usage.User+e.Usage.System < 5*time.Millisecond || e.Usage.MaxRSS < u.RSS {
		t.Errorf("at the end: %+v", e.Usage)
	}
}

func TestSmallTaskIsNotChargedTheLaunchersMemory(t *testing.T) {
	h := cgroupHost(t)
	dir := openDir(t)
	ballast := make([]byte, 64<<20)
	for i := range ballast {
		ballast[i] = 1
	}
	_, e := run(t, h, grouped(shell("exit 0", dir+"/out"), h, Limits{}, Limits{}))
	if e.Usage.MaxRSS > 32<<20 || e.Tasks[0].MaxRSS > 32<<20 {
		t.Errorf("MaxRSS %d, task %d; this process %d", e.Usage.MaxRSS, e.Tasks[0].MaxRSS, ownPeak()+uint64(ballast[0])-1)
	}
}

func TestNamespaces(t *testing.T) {
	needRoot(t)
	dir := openDir(t)
	for _, d := range []string{"/tmp", "/tmp/shm", "/data"} {
		if err := os.Mkdir(dir+d, 0o777); err != nil {
			t.Fatal(err)
		}
		os.Chmod(dir+d, 0o777)
	}
	if err := os.WriteFile(dir+"/data/f", []byte("bound\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	s := shell(`echo $$ $(ls /proc | grep -c '^[0-9]'); hostname; ls -a /tmp | wc -l; touch /tmp/made /dev/shm/made
		cat /mnt/f; (touch /mnt/g) 2>/dev/null || echo readonly; cat /sys/class/net/lo/operstate 2>/dev/null; ls /sys/class/net | wc -w
		grep -c . /proc/net/dev; ip -o link show lo 2>/dev/null | grep -o '<.*>'; cat /proc/self/cgroup | head -1`, dir+"/tmp/out")
	s.Tasks[0].Stdout.Path = "/tmp/out"
	s.Namespaces = Namespaces{PID: true, Mount: true, UTS: true, IPC: true, Net: true}
	s.Hostname, s.PrivateTmp = "inside", dir+"/tmp"
	s.Mounts = []Mount{{Source: dir + "/data", Target: "/mnt", ReadOnly: true}}
	h := testHost(t)
	e := start(t, h, s).Wait()
	b, err := os.ReadFile(dir + "/tmp/out")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(b), "\n")
	if len(lines) < 6 || !strings.HasPrefix(lines[0], "2 ") || lines[1] != "inside" || lines[3] != "bound" || lines[4] != "readonly" {
		t.Errorf("got %q, exit %+v", lines, e)
	}
	if n, _ := strconv.Atoi(strings.TrimPrefix(lines[0], "2 ")); n > 6 {
		t.Errorf("the slice sees %d processes", n)
	}
	for _, f := range []string{"/tmp/made", "/tmp/shm/made"} {
		if _, err := os.Stat(dir + f); err != nil {
			t.Error(err)
		}
	}
	if host, _ := os.Hostname(); host == "inside" {
		t.Error("the host's name was changed")
	}
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	if strings.Contains(string(mounts), dir) {
		t.Error("a mount of the slice reached the host")
	}
}

func TestLoopbackIsUp(t *testing.T) {
	needRoot(t)
	dir := openDir(t)
	s := shell(`cat /proc/net/route /proc/net/if_inet6 /proc/net/fib_trie 2>/dev/null | grep -c 127.0.0.1`, dir+"/out")
	s.Namespaces.Net = true
	if got, _ := run(t, testHost(t), s); strings.TrimSpace(got) == "0" {
		t.Errorf("no loopback address: %q", got)
	}
}

func TestCgroupNamespace(t *testing.T) {
	h := cgroupHost(t)
	dir := openDir(t)
	s := grouped(shell("cat /proc/self/cgroup", dir+"/out"), h, Limits{}, Limits{})
	s.Namespaces.Cgroup = true
	got, _ := run(t, h, s)
	if strings.Contains(got, "step_0") || !strings.Contains(got, "freezer:/\n") && !strings.Contains(got, "0::/\n") {
		t.Errorf("got %q", got)
	}
}

func TestUserNamespaceOfARootLauncher(t *testing.T) {
	needRoot(t)
	dir := openDir(t)
	s := shell("id -u; id -g; id -G; cat /proc/self/uid_map | tr -s ' '; hostname", dir+"/out")
	s.Groups = []uint32{4}
	s.Namespaces = Namespaces{User: true, UTS: true, PID: true}
	s.Hostname = "inside"
	got, e := run(t, testHost(t), s)
	want := fmt.Sprintf("%d\n%d\n%d 4\n %d %d 1\ninside\n", nobody, nobody, nobody, nobody, nobody)
	if got != want {
		t.Errorf("got %q, want %q; %+v", got, want, e)
	}
}

func TestMountThatCannotBeMadeIsAFailedStart(t *testing.T) {
	needRoot(t)
	dir := openDir(t)
	s := shell("echo ran", dir+"/out")
	s.Namespaces.Mount = true
	s.Mounts = []Mount{{Source: "/no/such", Target: "/mnt"}}
	_, err := testHost(t).Start(t.Context(), s)
	var se *StartError
	if !errors.As(err, &se) || se.Stage != StageMount || se.Path != "/no/such" || se.Errno != unix.ENOENT || se.Task != -1 {
		t.Errorf("got %v", err)
	}
}

func TestAffinityAndTaskRlimits(t *testing.T) {
	dir := openDir(t)
	s := shell("grep Cpus_allowed_list /proc/self/status | cut -f2; ulimit -n", dir+"/out")
	s.Tasks[0].CPUs = "0"
	s.Rlimits = []Rlimit{{Resource: unix.RLIMIT_NOFILE, Soft: 64, Hard: 99}}
	s.Tasks[0].Rlimits = []Rlimit{{Resource: unix.RLIMIT_NOFILE, Soft: 55, Hard: 88}}
	if got, _ := run(t, testHost(t), s); got != "0\n55\n" {
		t.Errorf("got %q", got)
	}
	plain := shell("ulimit -n", dir+"/out2")
	if got, _ := run(t, testHost(t), plain); got != "1024\n" {
		t.Errorf("files without a limit asked for: %q", got)
	}
	s.Tasks[0].CPUs = "8000"
	_, err := testHost(t).Start(t.Context(), s)
	var se *StartError
	if !errors.As(err, &se) || se.Stage != StageAffinity || se.Errno != unix.EINVAL {
		t.Errorf("a CPU that is not there: got %v", err)
	}
}

func TestMemoryIsBound(t *testing.T) {
	if _, err := os.Stat("/proc/self/numa_maps"); err != nil {
		t.Skip("a kernel without NUMA: ", err)
	}
	h, dir := testHost(t), openDir(t)
	for i, want := range []string{"bind:0", "prefer:0", "default"} {
		s := shell("read x rest </proc/self/numa_maps; echo $rest", fmt.Sprintf("%s/out%d", dir, i))
		if i < 2 {
			s.Tasks[0].MemoryNodes, s.Tasks[0].MemoryPrefer = "0", i == 1
		}
		if text, _ := run(t, h, s); !strings.HasPrefix(text, want+" ") {
			t.Errorf("%q, want %s", text, want)
		}
	}
}

func TestOptionalRlimitIsAWarning(t *testing.T) {
	dir := openDir(t)
	s := shell("exit 0", dir+"/out")
	// More files than the system lets anybody have.
	s.Rlimits = []Rlimit{{Resource: unix.RLIMIT_NOFILE, Soft: 1 << 40, Hard: 1 << 40}}
	_, err := testHost(t).Start(t.Context(), s)
	var se *StartError
	if !errors.As(err, &se) || se.Stage != StageRlimit || se.Path != "NOFILE" || se.Errno != unix.EPERM {
		t.Errorf("got %v", err)
	}
	s.Rlimits[0].Optional = true
	if _, e := run(t, testHost(t), s); len(e.Warnings) != 1 || e.Warnings[0].Stage != StageRlimit {
		t.Errorf("warnings %v", e.Warnings)
	}
}

// TestUnprivileged runs the tests again as an ordinary user.
func TestUnprivileged(t *testing.T) {
	needRoot(t)
	dir := openDir(t)
	bin := dir + "/slice.test"
	exe, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(bin, exe, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, "-test.run", "^Test(Exit|Start|Fallback|One|Output|Tasks|Pipes|Stdin|Terminal|Leftovers|Kill|First|Signal|Stop|Abandoned|Many|UsageWithout|Ordinary)", "-test.v")
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "PASS: TestOrdinaryUserInNamespaces") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestOrdinaryUserInNamespaces(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("TestUnprivileged runs this as an ordinary user")
	}
	h, dir := testHost(t), openDir(t)
	if h.Off == "" {
		t.Errorf("an ordinary user can use cgroups %s at %s", h.Version, h.Root)
	}
	s := shell("echo $$; id -u; hostname; ls /tmp; cat /proc/self/setgroups; grep CapEff /proc/self/status | cut -f2", dir+"/out")
	if err := os.MkdirAll(dir+"/tmp/shm", 0o700); err != nil {
		t.Fatal(err)
	}
	s.Namespaces = Namespaces{PID: true, Mount: true, UTS: true, IPC: true, User: true, Net: true}
	s.Hostname, s.PrivateTmp = "inside", dir+"/tmp"
	s.Tasks[0].Stdout.Path = "/tmp/out"
	e := start(t, h, s).Wait()
	b, err := os.ReadFile(dir + "/tmp/out")
	want := fmt.Sprintf("2\n%d\ninside\nout\nshm\ndeny\n0000000000000000\n", os.Geteuid())
	if err != nil || string(b) != want {
		t.Errorf("got %q, %v, want %q; %+v", b, err, want, e)
	}
	s.UID = 0
	_, err = h.Start(t.Context(), s)
	var se *StartError
	if !errors.As(err, &se) || se.Stage != StageIdentity {
		t.Errorf("a slice for root: got %v", err)
	}
	s.UID = uint32(os.Geteuid())
	s.Namespaces.User = false
	if _, err = h.Start(t.Context(), s); !errors.As(err, &se) || se.Stage != StageNamespace || se.Errno != unix.EPERM {
		t.Errorf("namespaces without a user namespace: got %v", err)
	}
}
