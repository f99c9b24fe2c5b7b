package slice_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/runink/rink/noded/launcher/launchertest"
	"github.com/runink/rink/slice"
)

// From an agent that has an order to the user's program executing, through the
// launcher's process, side by side with what else makes a container: in turns,
// so that what else the machine does is borne by all.

const benchUser = 65534

// jobDir is what the agent does for a job before it asks the launcher: a
// private /tmp with a secret in it, in memory, where secrets belong. On a disk it
// would say more of the file system: before ext4 makes a file it passes over all that
// others have lately removed.
func jobDir(b *testing.B, base string, n int) string {
	dir := filepath.Join(base, strconv.Itoa(n))
	if err := os.Mkdir(dir, 0o700); err != nil {
		b.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "secrets"), 0o700); err != nil {
		b.Fatal(err)
	}
	secret := filepath.Join(dir, "secrets", "token")
	if err := os.WriteFile(secret, []byte("a secret of one job"), 0o400); err != nil {
		b.Fatal(err)
	}
	for _, p := range []string{dir, filepath.Dir(secret), secret} {
		if err := os.Chown(p, benchUser, benchUser); err != nil {
			b.Fatal(err)
		}
	}
	return dir
}

// caged is a slice with all namespaces but net, limits, a private /tmp, and the
// calls of the kernel filtered.
func caged(parent, tmp string, n int) *slice.Spec {
	return &slice.Spec{ID: "bench." + strconv.Itoa(n), UID: benchUser, GID: benchUser, Umask: 0o022, Hostname: "bench", PrivateTmp: tmp, Shm: -1,
		Namespaces: slice.Namespaces{User: true, PID: true, Mount: true, UTS: true, IPC: true, Cgroup: true},
		Confine:    slice.Confine{DropCaps: true, Seccomp: slice.SeccompDefault},
		Cgroup: slice.Cgroup{On: true, Parent: parent, Levels: []slice.Level{
			{Name: "job_" + strconv.Itoa(n), Limits: slice.Limits{MemoryMax: 1 << 30, CPUShares: 1024, PIDsMax: 100}}, {Name: "step_batch"}}},
		Tasks: []slice.Task{{Argv: []string{"/bin/true"}, Env: []string{"PATH=/usr/bin:/bin", "HOME=/"}, Dir: "/tmp"}}}
}

// quantile of a list that it sorts.
func quantile(list []time.Duration, q float64) float64 {
	if len(list) == 0 {
		return 0
	}
	slices.Sort(list)
	return float64(list[min(int(float64(len(list))*q), len(list)-1)].Microseconds()) / 1000
}

// firstByte runs a command and returns when it has written something.
func firstByte(b *testing.B, name string, args ...string) time.Duration {
	cmd := exec.Command(name, args...)
	var words bytes.Buffer
	cmd.Stderr = &words
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	_, err = out.Read(make([]byte, 16))
	took := time.Since(began)
	if werr := cmd.Wait(); err != nil || werr != nil {
		b.Fatalf("%s: %v, %v: %s", name, err, werr, words.String())
	}
	return took
}

// bundle makes what runc runs: a root with a static shell's echo, and the
// specification that runc itself suggests.
func bundle(b *testing.B) string {
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		b.Log("no busybox: runc is left out")
		return ""
	}
	dir := b.TempDir()
	os.MkdirAll(filepath.Join(dir, "rootfs", "bin"), 0o755)
	text, err := os.ReadFile(busybox)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "rootfs", "bin", "echo"), text, 0o755)
	}
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command("runc", "spec")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("runc spec: %v: %s", err, out)
	}
	var spec map[string]any
	file := filepath.Join(dir, "config.json")
	if text, err = os.ReadFile(file); err == nil {
		err = json.Unmarshal(text, &spec)
	}
	if err != nil {
		b.Fatal(err)
	}
	process := spec["process"].(map[string]any)
	process["terminal"], process["args"] = false, []string{"/bin/echo", "x"}
	if text, err = json.Marshal(spec); err == nil {
		err = os.WriteFile(file, text, 0o644)
	}
	if err != nil {
		b.Fatal(err)
	}
	return dir
}

// cpuOf is the time that a process and those it waited for have had.
func cpuOf(b *testing.B, pid int) time.Duration {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	sum := 0
	for _, word := range strings.Fields(rest)[11:15] { // utime, stime, cutime, cstime, in hundredths of a second
		n, _ := strconv.Atoi(word)
		sum += n
	}
	return time.Duration(sum) * 10 * time.Millisecond
}

// ownCPU is the time that this process has had.
func ownCPU() time.Duration {
	var ru unix.Rusage
	unix.Getrusage(unix.RUSAGE_SELF, &ru)
	return time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
}

func BenchmarkSlice(b *testing.B) {
	if os.Geteuid() != 0 {
		b.Skip("needs root")
	}
	if err := os.Chmod(b.TempDir(), 0o755); err != nil {
		b.Fatal(err)
	}
	parent := "rink/bench." + strconv.Itoa(os.Getpid())
	cl := launchertest.Start(b, launchertest.Build(b), parent)
	info, err := cl.Info(b.Context())
	if err != nil || info.CgroupOff != "" {
		b.Skipf("no cgroups: %s %v", info.CgroupOff, err)
	}
	base, err := os.MkdirTemp("/tmp", "bench-")
	if err != nil {
		b.Fatal(err)
	}
	defer os.RemoveAll(base)
	if err := unix.Mount("tmpfs", base, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755"); err != nil {
		b.Fatal(err)
	}
	defer unix.Unmount(base, unix.MNT_DETACH)
	events, err := cl.Subscribe(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	var number atomic.Int64
	// one starts a slice and sees it to its end; it returns how long the start took.
	one := func(change func(*slice.Spec)) time.Duration {
		n := int(number.Add(1))
		began := time.Now()
		spec := caged(parent, jobDir(b, base, n), n)
		change(spec)
		if _, _, err := cl.Launch(b.Context(), spec); err != nil {
			b.Fatal(err)
		}
		return time.Since(began)
	}
	end := func() {
		for e := range events {
			if e.Exit != nil {
				cl.Forget(b.Context(), e.Slice)
				return
			}
		}
	}
	plain := func(*slice.Spec) {}
	net := func(s *slice.Spec) { s.Namespaces.Net = true }

	rivals := map[string][]string{"bwrap": {"bwrap", "--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "/bin/echo", "x"}}
	if dir := bundle(b); dir != "" {
		rivals["runc"] = []string{"runc", "run", "--bundle", dir, "rink-bench-" + strconv.Itoa(os.Getpid())}
	}
	for name := range rivals {
		if _, err := exec.LookPath(name); err != nil {
			b.Logf("no %s: it is left out (Debian's packages bubblewrap and runc)", name)
			delete(rivals, name)
		}
	}
	took := map[string][]time.Duration{}
	for round := range 400 {
		for name, change := range map[string]func(*slice.Spec){"slice": plain, "net": net} {
			d := one(change)
			end()
			if round >= 10 { // what is prepared ahead is there by then
				took[name] = append(took[name], d)
			}
			time.Sleep(time.Millisecond)
		}
		if round%10 != 0 {
			continue
		}
		for name, cmd := range rivals {
			took[name] = append(took[name], firstByte(b, cmd[0], cmd[1:]...))
		}
		time.Sleep(20 * time.Millisecond) // what the kernel still takes apart of theirs is not for the next to bear
	}
	row := func(name string, value float64, unit string) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(value, unit)
		})
	}
	row("slice_start_p50", quantile(took["slice"], 0.5), "ms")
	row("slice_start_p99", quantile(took["slice"], 0.99), "ms")
	row("slice_start_net_p50", quantile(took["net"], 0.5), "ms")
	row("slice_start_net_p99", quantile(took["net"], 0.99), "ms")
	for name := range rivals {
		row(name+"_p50", quantile(took[name], 0.5), "ms")
	}

	// As fast as it goes: each of a few hands starts the next when it has started one.
	const many = 2000
	info, err = cl.Info(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	busy, mine := cpuOf(b, info.PID), ownCPU()
	began := time.Now()
	var hands sync.WaitGroup
	left := int64(many)
	for range 4 {
		hands.Go(func() {
			for atomic.AddInt64(&left, -1) >= 0 {
				one(plain)
			}
		})
	}
	for range many {
		end()
	}
	hands.Wait()
	rate := many / time.Since(began).Seconds()
	// What the launcher and all that it started took of the processors, and this process.
	launcherCPU, agentCPU := cpuOf(b, info.PID)-busy, ownCPU()-mine
	row("slices_per_second", rate, "slices/s")
	row("slice_cpu", float64(launcherCPU.Microseconds())/1000/many, "ms")
	row("slice_cpu_agent", float64(agentCPU.Microseconds())/1000/many, "ms")
	if info, err = cl.Info(context.Background()); err == nil {
		row("launcher_resident", float64(info.RSS)/1e6, "MB")
	}
	// And when it is left alone with some that run.
	const running = 100
	for range running {
		one(func(s *slice.Spec) { s.Tasks[0].Argv = []string{"/bin/sleep", "100"} })
	}
	time.Sleep(5 * time.Second)
	if info, err = cl.Info(b.Context()); err == nil {
		row("launcher_with_100", float64(info.RSS)/1e6, "MB")
	}
	states, err := cl.List(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	for _, s := range states {
		if s.Live {
			cl.Kill(b.Context(), s.ID)
			end()
		}
	}
}
