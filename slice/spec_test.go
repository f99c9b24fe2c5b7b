package slice

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

func swap(n int64) *int64 { return &n }

func TestValues(t *testing.T) {
	limits := Limits{CPUs: 1.5, CPUShares: 2048, CPUSet: "0-3,8", MemorySet: "0", MemoryMax: 1 << 30, SwapMax: swap(1 << 20), PIDsMax: 100, IOWeight: 200,
		Devices: []DeviceRule{DenyAllDevices, {Allow: true, Type: 'c', Major: 1, Minor: 3, Access: "rwm"}, {Allow: true, Type: 'c', Major: 136, Minor: -1, Access: "rw"}}}
	for _, c := range []struct {
		name    string
		limits  Limits
		version Version
		want    []string
	}{
		{"nothing asked is nothing written", Limits{}, V1, nil},
		{"nothing asked is nothing written, v2", Limits{}, V2, nil},
		{"no cgroups is nothing written", limits, None, nil},
		{"all of v1", limits, V1, []string{
			"cpu.cfs_period_us=100000", "cpu.cfs_quota_us=150000", "cpu.shares=2048", "cpuset.cpus=0-3,8", "cpuset.mems=0",
			"memory.limit_in_bytes=1073741824", "memory.memsw.limit_in_bytes=1074790400", "pids.max=100", "blkio.bfq.weight=200",
			"devices.deny=a *:* rwm", "devices.allow=c 1:3 rwm", "devices.allow=c 136:* rw"}},
		{"all of v2", limits, V2, []string{
			"cpu.max=150000 100000", "cpu.weight=79", "cpuset.cpus=0-3,8", "cpuset.mems=0", "memory.max=1073741824",
			"memory.swap.max=1048576", "pids.max=100", "io.weight=200"}},
		{"no swap is memory and swap alike in v1", Limits{MemoryMax: 4096, SwapMax: swap(0)}, V1,
			[]string{"memory.limit_in_bytes=4096", "memory.memsw.limit_in_bytes=4096"}},
		{"no swap is zero in v2", Limits{MemoryMax: 4096, SwapMax: swap(0)}, V2, []string{"memory.max=4096", "memory.swap.max=0"}},
		{"a sliver of a CPU is what the kernel takes at least", Limits{CPUs: 0.001}, V2, []string{"cpu.max=1000 100000"}},
		{"shares end where the kernel's do", Limits{CPUShares: 1 << 40}, V1, []string{"cpu.shares=262144"}},
		{"the most shares are the most weight", Limits{CPUShares: 1 << 40}, V2, []string{"cpu.weight=10000"}},
		{"the fewest shares are the least weight", Limits{CPUShares: 1}, V2, []string{"cpu.weight=1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, v := range c.limits.Values(c.version) {
				if !strings.HasPrefix(v.File, v.Controller+".") {
					t.Errorf("file %q is not of controller %q", v.File, v.Controller)
				}
				got = append(got, v.File+"="+v.Value)
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

func TestSpecValuesNameGroupsFromOutside(t *testing.T) {
	s := Spec{Cgroup: Cgroup{On: true, Parent: "rink/c.n", Levels: []Level{
		{Name: "job_7", Limits: Limits{MemoryMax: 10}}, {Name: "step_0", Limits: Limits{PIDsMax: 5}}}}}
	var got []string
	for _, v := range s.Values(V2) {
		got = append(got, v.Group+"/"+v.File+"="+v.Value)
	}
	want := []string{"rink/c.n/job_7/memory.max=10", "rink/c.n/job_7/step_0/pids.max=5"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	s.Cgroup.On = false
	if got := s.Values(V2); got != nil {
		t.Errorf("off: got %v", got)
	}
}

func good() *Spec {
	return &Spec{ID: "12.batch", Tasks: []Task{{Argv: []string{"true"}, Dir: "/"}}}
}

func TestValidate(t *testing.T) {
	n := func(v int) *int { return &v }
	level := func(l Limits) Cgroup {
		return Cgroup{On: true, Parent: "rink/c.n", Levels: []Level{{Name: "job_1", Limits: l}}}
	}
	for name, change := range map[string]func(*Spec){
		"ErrNoID":             func(s *Spec) { s.ID = "" },
		"ErrIDWithSlash":      func(s *Spec) { s.ID = "a/b" },
		"ErrIDHidden":         func(s *Spec) { s.ID = ".a" },
		"ErrIDTooLong":        func(s *Spec) { s.ID = strings.Repeat("a", 129) },
		"ErrUmask":            func(s *Spec) { s.Umask = 0o1000 },
		"ErrHostnameNoUTS":    func(s *Spec) { s.Hostname = "x" },
		"ErrTmpNoMountNS":     func(s *Spec) { s.PrivateTmp = "/x" },
		"ErrTmpRelative":      func(s *Spec) { s.Namespaces.Mount, s.PrivateTmp = true, "x" },
		"ErrMountDotDot":      func(s *Spec) { s.Namespaces.Mount, s.Mounts = true, []Mount{{Source: "/a/../b", Target: "/c"}} },
		"ErrOOMScore":         func(s *Spec) { s.OOMScoreAdj = n(1001) },
		"ErrNice":             func(s *Spec) { s.Nice = n(20) },
		"ErrNoTasks":          func(s *Spec) { s.Tasks = nil },
		"ErrTooManyTasks":     func(s *Spec) { s.Tasks = make([]Task, MaxTasks+1) },
		"ErrNoCommand":        func(s *Spec) { s.Tasks[0].Argv = nil },
		"ErrZeroInArg":        func(s *Spec) { s.Tasks[0].Argv = []string{"a", "b\x00c"} },
		"ErrZeroInEnv":        func(s *Spec) { s.Tasks[0].Env = []string{"A=\x00"} },
		"ErrDirRelative":      func(s *Spec) { s.Tasks[0].Dir = "x" },
		"ErrFallbackRelative": func(s *Spec) { s.Tasks[0].FallbackDir = "x" },
		"ErrFileNoPath":       func(s *Spec) { s.Tasks[0].Stdout.Kind = StreamFile },
		"ErrStdinIsStdout":    func(s *Spec) { s.Tasks[0].Stdin.Kind = StreamStdout },
		"ErrStreamKind":       func(s *Spec) { s.Tasks[0].Stdin.Kind = 99 },
		"ErrCPUList":          func(s *Spec) { s.Tasks[0].CPUs = "0-x" },
		"ErrRlimitSoftOver":   func(s *Spec) { s.Rlimits = []Rlimit{{Resource: 7, Soft: 2, Hard: 1}} },
		"ErrRlimitUnknown":    func(s *Spec) { s.Tasks[0].Rlimits = []Rlimit{{Resource: 99}} },
		"ErrLimitsButOff":     func(s *Spec) { s.Cgroup = level(Limits{PIDsMax: 1}); s.Cgroup.On = false },
		"ErrNoParent":         func(s *Spec) { s.Cgroup = level(Limits{}); s.Cgroup.Parent = "" },
		"ErrParentAbsolute":   func(s *Spec) { s.Cgroup = level(Limits{}); s.Cgroup.Parent = "/rink" },
		"ErrParentDotDot":     func(s *Spec) { s.Cgroup = level(Limits{}); s.Cgroup.Parent = "rink/../.." },
		"ErrNoLevel":          func(s *Spec) { s.Cgroup = level(Limits{}); s.Cgroup.Levels = nil },
		"ErrLevelDotDot":      func(s *Spec) { s.Cgroup = level(Limits{}); s.Cgroup.Levels[0].Name = ".." },
		"ErrLevelIsAFile":     func(s *Spec) { s.Cgroup = level(Limits{}); s.Cgroup.Levels[0].Name = "memory.max" },
		"ErrCgroupNSNoCgroup": func(s *Spec) { s.Namespaces.Cgroup = true },
		"ErrNegative":         func(s *Spec) { s.Cgroup = level(Limits{MemoryMax: -1}) },
		"ErrNegativeCPUs":     func(s *Spec) { s.Cgroup = level(Limits{CPUs: -1}) },
		"ErrSwapNoMemory":     func(s *Spec) { s.Cgroup = level(Limits{SwapMax: swap(0)}) },
		"ErrCPUSet":           func(s *Spec) { s.Cgroup = level(Limits{CPUSet: "3-1"}) },
		"ErrDeviceType":       func(s *Spec) { s.Cgroup = level(Limits{Devices: []DeviceRule{{Type: 'x', Access: "r"}}}) },
		"ErrDeviceAccess":     func(s *Spec) { s.Cgroup = level(Limits{Devices: []DeviceRule{{Type: 'c', Access: "x"}}}) },
		"ErrDeviceAllPart": func(s *Spec) {
			s.Cgroup = level(Limits{Devices: []DeviceRule{{Type: 'a', Major: 1, Minor: -1, Access: "rwm"}}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := good()
			change(s)
			if err := s.Validate(); !errors.Is(err, ErrInvalid) {
				t.Errorf("got %v, want ErrInvalid", err)
			}
		})
	}
	if err := good().Validate(); err != nil {
		t.Errorf("OK: got %v", err)
	}
}

func TestCgroupMounts(t *testing.T) {
	for _, c := range []struct {
		name, text string
		v1         map[string]string
		v2         string
	}{
		{"nothing", "21 1 0:20 / /proc rw - proc proc rw\n", map[string]string{}, ""},
		{"hybrid with shared controllers", `
30 25 0:26 / /sys/fs/cgroup/unified rw,nosuid shared:4 - cgroup2 cgroup2 rw
31 25 0:27 / /sys/fs/cgroup/cpu,cpuacct rw shared:5 - cgroup cgroup rw,cpu,cpuacct
32 25 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
33 25 0:29 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
`, map[string]string{"cpu": "/sys/fs/cgroup/cpu,cpuacct", "cpuacct": "/sys/fs/cgroup/cpu,cpuacct", "memory": "/sys/fs/cgroup/memory"}, "/sys/fs/cgroup/unified"},
		{"v2 alone, with a space in its path", `30 25 0:26 / /sys/fs\040x/cgroup rw - cgroup2 cgroup2 rw`, map[string]string{}, "/sys/fs x/cgroup"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v1, v2 := cgroupMounts(c.text)
			if !reflect.DeepEqual(v1, c.v1) || v2 != c.v2 {
				t.Errorf("got %v %q, want %v %q", v1, v2, c.v1, c.v2)
			}
		})
	}
}

func TestCPUMask(t *testing.T) {
	for list, want := range map[string]string{
		"0":      "0100000000000000",
		"0-3,8":  "0f01000000000000",
		"63-64":  "00000000000000800100000000000000",
		"1,1,1":  "0200000000000000",
		"127":    "00000000000000000000000000000080",
		"":       "error",
		"1-":     "error",
		"-1":     "error",
		"2-1":    "error",
		"999999": "error",
	} {
		mask, err := cpuMask(list)
		got := fmt.Sprintf("%x", mask)
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%q: got %s (%v), want %s", list, got, err, want)
		}
	}
}

func TestParseStat(t *testing.T) {
	st, ok := parseStat("42 (a) b (c) S 7 42 42 0 -1 4194560 100 5 3 2 11 12 5 6 20 0 1 0 98765 4096000 250 18446744073709551615 0 0")
	want := procStat{pid: 42, ppid: 7, state: 'S', majflt: 5, utime: 16, stime: 18, startTicks: 98765, vsize: 4096000, rss: 250}
	if !ok || st != want {
		t.Errorf("got %+v %v, want %+v", st, ok, want)
	}
	for _, bad := range []string{"", "1 (x", "x) (", "1 (x) S 1 2"} {
		if _, ok := parseStat(bad); ok {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestSplitCPU(t *testing.T) {
	for _, c := range []struct {
		name                                      string
		total, user, system, seenUser, seenSystem uint64
		wantUser, wantSystem                      int64
	}{
		{"by what the processes report", 100, 0, 0, 60, 20, 75, 25},
		{"by sampling when most was not reported", 100, 30, 10, 5, 5, 75, 25},
		{"all user when nothing is known", 100, 0, 0, 0, 0, 100, 0},
		{"nothing of nothing", 0, 0, 0, 0, 0, 0, 0},
	} {
		u, s := splitCPU(c.total, c.user, c.system, time.Duration(c.seenUser), time.Duration(c.seenSystem))
		if int64(u) != c.wantUser || int64(s) != c.wantSystem {
			t.Errorf("%s: got %d %d, want %d %d", c.name, u, s, c.wantUser, c.wantSystem)
		}
	}
}

func TestField(t *testing.T) {
	text := "low 0\noom 3\noom_kill 17\noom_group_kill 9\n"
	if got := field(text, "oom_kill"); got != 17 {
		t.Errorf("oom_kill: got %d", got)
	}
	if got := field(text, "oom_ki"); got != 0 {
		t.Errorf("a prefix of a name was taken for it: %d", got)
	}
}

func TestStartErrorText(t *testing.T) {
	for _, c := range []struct {
		err  StartError
		want string
	}{
		{StartError{Stage: StageStdout, Path: "/x/out", Errno: 13, Task: 0}, `task 0: cannot open standard output "/x/out": permission denied`},
		{StartError{Stage: StageCgroup, Path: "job_1", Task: -1, Detail: "the pids controller is not available"}, `cannot set up cgroup "job_1": the pids controller is not available`},
		{StartError{Stage: StageFork, Task: -1, Errno: 11}, `cannot make a process: resource temporarily unavailable`},
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}
