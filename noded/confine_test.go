package noded

import (
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/slice"
	"github.com/runink/rink/slurm"
)

func TestMemoryLimits(t *testing.T) {
	const none = -1
	for _, c := range []struct {
		conf       string
		mem, total slurm.MB
		ram, swap  int64 // MiB
	}{
		{"ConstrainRAMSpace=no\n", 1000, 8000, 0, none},
		{"ConstrainRAMSpace=yes\n", 1000, 8000, 1000, none},
		{"ConstrainRAMSpace=yes\nAllowedRAMSpace=110\n", 1000, 8000, 1100, none},
		{"ConstrainRAMSpace=yes\nMaxRAMPercent=10\n", 1000, 8000, 800, none},
		{"ConstrainRAMSpace=yes\n", 10, 8000, 30, none},
		{"ConstrainRAMSpace=yes\nMinRAMSpace=64\n", 10, 8000, 64, none},
		{"ConstrainRAMSpace=yes\nMaxRAMPercent=50\n", 0, 8000, 4000, none},
		{"ConstrainRAMSpace=yes\nConstrainSwapSpace=yes\n", 1000, 8000, 1000, 0},
		{"ConstrainRAMSpace=yes\nConstrainSwapSpace=yes\nAllowedSwapSpace=25\n", 1000, 8000, 1000, 250},
		{"ConstrainRAMSpace=yes\nConstrainSwapSpace=yes\nAllowedSwapSpace=900\nMaxSwapPercent=0\n", 1000, 8000, 1000, 7000},
		{"ConstrainSwapSpace=yes\nAllowedSwapSpace=25\n", 1000, 8000, 1250, 0},
		{"ConstrainRAMSpace=yes\n", 1000, 0, 1000, none},
	} {
		conf, _, err := slurm.ParseCgroupConf("cgroup.conf", func(string) ([]byte, error) { return []byte(c.conf), nil })
		if err != nil {
			t.Fatal(err)
		}
		ram, swap := memoryLimits(conf, c.mem, c.total)
		got := int64(none)
		if swap != nil {
			got = *swap >> 20
		}
		if ram>>20 != c.ram || got != c.swap {
			t.Errorf("%q with %d of %d: %d and swap %d, want %d and %d", c.conf, c.mem, c.total, ram>>20, got, c.ram, c.swap)
		}
	}
}

// machineOf numbers CPUs as Linux does on servers: the first threads of all cores,
// then the second.
func machineOf(sockets, cores, threads int) []cpuPlace {
	var out []cpuPlace
	for range threads {
		for s := range sockets {
			for c := range cores {
				out = append(out, cpuPlace{id: len(out), core: c, socket: s, node: s})
			}
		}
	}
	return out
}

func TestChooseCPUs(t *testing.T) {
	for _, c := range []struct {
		sockets, cores, threads int
		used                    []int
		n                       int
		want                    string
	}{
		{1, 2, 1, nil, 1, "0"},
		{1, 2, 1, []int{0}, 1, "1"},
		{2, 4, 2, nil, 4, "0-1,8-9"},
		{2, 4, 2, []int{0, 8}, 8, "4-7,12-15"},
		{2, 4, 2, []int{0}, 1, "8"},   // what is left of a core before another
		{2, 4, 2, []int{0}, 2, "1,9"}, // a whole core before what is left of one
		{2, 4, 2, []int{0}, 3, "1,8-9"},
		{2, 2, 1, []int{0, 2}, 2, "1,3"},  // no socket has both
		{1, 2, 1, []int{0, 1}, 1, "0"},    // shared
		{1, 2, 1, []int{0, 0, 1}, 1, "1"}, // with the fewest
		{1, 2, 1, []int{0}, 2, "0-1"},
		{1, 2, 1, nil, 5, "0-1"},
	} {
		used := map[int]int{}
		for _, id := range c.used {
			used[id]++
		}
		if got := cpuText(chooseCPUs(machineOf(c.sockets, c.cores, c.threads), used, c.n)); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

// Jobs that fit share nothing, whatever came and went; in the end all is free.
func TestCPUBook(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		conf := slurm.DefaultCgroupConf()
		conf.ConstrainCores = true
		c := &confine{log: slog.New(slog.DiscardHandler), conf: conf, machine: machineOf(1+r.IntN(3), 1+r.IntN(5), 1+r.IntN(2))}
		c.cpus = len(c.machine)
		left, here := len(c.machine), map[jobKey]*rinkpb.JobHere{}
		for id := range uint32(200) {
			k := jobKey{job: id}
			if n := 1 + r.IntN(len(c.machine)); n <= left {
				h := &rinkpb.JobHere{Job: id, Cpus: int32(n), CpuSet: "77"}
				c.choose(k, h)
				here[k], left = h, left-n
			}
			seen := map[int]bool{}
			for _, h := range here {
				list := readCPUs(h.CpuSet)
				if len(list) != int(h.Cpus) {
					t.Fatalf("%d CPUs chosen for %d", len(list), h.Cpus)
				}
				for _, id := range list {
					if seen[id] || id >= len(c.machine) {
						t.Fatalf("CPU %d given twice, or none", id)
					}
					seen[id] = true
				}
			}
			if r.IntN(5) == 0 { // the agent begins anew
				c.given = nil
				for k, h := range here {
					c.takeUp(k, h)
				}
			}
			for k, h := range here {
				if r.IntN(3) == 0 {
					c.free(k)
					left += int(h.Cpus)
					delete(here, k)
				}
			}
		}
		for k := range here {
			c.free(k)
		}
		if len(c.given) != 0 {
			t.Fatalf("left over: %v", c.given)
		}
	}
}

func TestConfine(t *testing.T) {
	c := &confine{log: slog.New(slog.DiscardHandler), node: "n1", machine: machineOf(2, 2, 2), memory: 8000}
	here := &rinkpb.JobHere{Cpus: 2, Mem: 100}
	set := func(cpus int, text string) slice.Limits {
		var files []slurm.ConfFile
		if text != "" {
			files = []slurm.ConfFile{{Name: "cgroup.conf", Text: []byte(text)}}
		}
		c.configure(files, &slurm.Conf{Nodes: []slurm.NodeConf{{Name: "n1", CPUs: cpus}}})
		c.choose(jobKey{job: 1}, here)
		defer c.free(jobKey{job: 1})
		var l slice.Limits
		c.limit(&l, here)
		return l
	}
	if l := set(8, ""); l.MemoryMax != 100<<20 || l.SwapMax != nil || l.CPUSet != "" {
		t.Errorf("without cgroup.conf: %+v", l)
	}
	if l := set(8, "ConstrainCores=yes\n"); l.MemoryMax != 0 || l.CPUSet != "0,4" || l.MemorySet != "0" {
		t.Errorf("ConstrainCores: %+v", l)
	}
	if l := set(4, "ConstrainCores=yes\n"); l.CPUSet != "0-1,4-5" {
		t.Errorf("a node counted in cores: %+v", l)
	}
	if l := set(9, "ConstrainCores=yes\n"); l.CPUSet != "" {
		t.Errorf("a node larger than the machine: %+v", l)
	}
	if set(8, "CgroupPlugin=disabled\nConstrainCores=yes\n"); !c.off() || here.CpuSet != "" {
		t.Errorf("CgroupPlugin=disabled: off %v, CPUs %q", c.off(), here.CpuSet)
	}
	// What the controller chose holds, as the node's CPUs are numbered, unless the
	// machine has no such CPUs.
	for _, row := range []struct {
		cpus      int
		ids, want string
	}{{8, "0-1", "0,4"}, {8, "2-5", "1-2,5-6"}, {8, "0,7", "0,7"}, {4, "1-2", "1-2,5-6"}, {8, "8", "0,4"}} {
		here.CpuIds = row.ids
		if l := set(row.cpus, "ConstrainCores=yes\n"); l.CPUSet != row.want {
			t.Errorf("CPUs %s of %d are %s of the machine, want %s", row.ids, row.cpus, l.CPUSet, row.want)
		}
	}
	here.CpuIds = ""
	// Steps of one job keep off each other.
	set(8, "ConstrainCores=yes\n")
	j := newJob(jobKey{job: 2}, &rinkpb.JobHere{Cpus: 4})
	c.choose(j.key, j.here)
	for _, want := range []string{"0,4", "1,5", "0,4"} {
		s := &rinkpb.LaunchStep{Cpus: 2}
		if c.chooseStep(j, s); s.CpuSet != want {
			t.Errorf("a step of %s has %s, want %s", j.here.CpuSet, s.CpuSet, want)
		}
		j.slices[want] = &running{step: s}
	}
	whole := &rinkpb.LaunchStep{Cpus: 4, CpuSet: "7"}
	if c.chooseStep(j, whole); whole.CpuSet != "" {
		t.Errorf("a step as large as its job has %q", whole.CpuSet)
	}
}

func TestMachineCPUs(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	real := machineCPUs("/sys/devices/system")
	if len(real) == 0 {
		t.Skip("this machine tells of no CPUs")
	}
	id := real[0].id // one this process may use
	base := filepath.Join("cpu", "cpu"+cpuText([]int{id}))
	write("cpu/online", cpuText([]int{id})+"\n")
	write(base+"/topology/core_id", "3\n")
	write(base+"/topology/physical_package_id", "1\n")
	write(base+"/node2/x", "")
	if got := machineCPUs(dir); !slices.Equal(got, []cpuPlace{{id: id, core: 3, socket: 1, node: 2}}) {
		t.Errorf("read %+v", got)
	}
}
