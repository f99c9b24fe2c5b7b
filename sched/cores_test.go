package sched

import (
	"math/rand"
	"strings"
	"testing"

	"github.com/runink/rink/slurm"
)

// TestCPUsAreChosenAsInSlurm holds what Slurm 22.05 gave on a node of 2 sockets of 8
// cores: jobs of "tasks x CPUs of each[,option]", one beside the other.
func TestCPUsAreChosenAsInSlurm(t *testing.T) {
	for _, row := range []struct{ unit, jobs, want string }{
		{"CR_CPU", "1x1", "0"},
		{"CR_CPU", "7x1", "0-6"},
		{"CR_CPU", "9x1", "0-8"},
		{"CR_CPU", "15x1", "0-14"},
		{"CR_CPU", "16x1", "0-15"},
		{"CR_CPU", "3x4", "0-11"},
		{"CR_CPU", "1x9", "0-8"},
		{"CR_CPU", "4x1,socket=2", "0-1,8-9"},
		{"CR_CPU", "4x1,block:cyclic", "0-3"},
		{"CR_CPU", "3x1 1x1", "3"},
		{"CR_CPU", "3x1 5x1", "3-7"},
		{"CR_CPU", "3x1 6x1", "8-13"},
		{"CR_CPU", "3x1 9x1", "3,8-15"},
		{"CR_CPU", "3x1 12x1", "3-6,8-15"},
		{"CR_CPU", "3x1 7x1 1x1", "15"},
		{"CR_CPU", "3x1 7x1 2x1", "3-4"},
		{"CR_CPU", "3x1 7x1 6x1", "3-7,15"},
		{"CR_Core", "1x1", "0"},
		{"CR_Core", "2x1", "0,8"},
		{"CR_Core", "7x1", "0-3,8-10"},
		{"CR_Core", "9x1", "0-4,8-11"},
		{"CR_Core", "15x1", "0-14"},
		{"CR_Core", "1x2", "0-1"},
		{"CR_Core", "2x3", "0-5"},
		{"CR_Core", "3x3", "0-5,8-10"},
		{"CR_Core", "3x4", "0-11"},
		{"CR_Core", "1x9", "0-4,8-11"},
		{"CR_Core", "4x1,block:block", "0-3"},
		{"CR_Core", "4x1,block:cyclic", "0-1,8-9"},
		{"CR_Core", "3x2,block:fcyclic", "0-5"},
		{"CR_Core", "4x1,socket=2", "0-1,8-9"},
		{"CR_Core", "3x1 1x1", "2"},
		{"CR_Core", "3x1 2x1", "2,9"},
		{"CR_Core", "3x1 5x1", "2-4,9-10"},
		{"CR_Core", "3x1 9x1", "2-6,9-12"},
		{"CR_Core", "3x1 2x2", "2-5"},
		{"CR_Core", "3x1 1x5", "2-6"},
	} {
		cfg := testConfig()
		setConf(cfg, "SelectTypeParameters", row.unit)
		n := &Node{Name: "n1", CPUs: 16, Sockets: 2, Cores: 8, Threads: 1}
		var taken []string
		got := ""
		for _, text := range strings.Fields(row.jobs) {
			text, option, _ := strings.Cut(text, ",")
			tasks, cpt, _ := strings.Cut(text, "x")
			w := parseWords([]string{"tasks=" + tasks, "cpt=" + cpt})
			j := &Job{Spec: &slurm.JobOptions{}, Need: Need{Tasks: w.num("tasks", 1), CPUsPerTask: w.num("cpt", 1)}}
			if of, ok := strings.CutPrefix(option, "socket="); ok {
				j.Spec.NTasksPerSocket = parseWords([]string{"x=" + of}).num("x", 0)
			} else {
				j.Spec.Distribution = option
			}
			got = chooseCPUs(cfg, n, j, &NodeAlloc{Node: "n1", CPUs: j.Need.Tasks * j.Need.CPUsPerTask, Tasks: j.Need.Tasks}, taken, nil)
			taken = append(taken, got)
		}
		if got != row.want {
			t.Errorf("%s, %s: the last has %s, Slurm gives %s", row.unit, row.jobs, got, row.want)
		}
	}
}

// TestCPUsAreChosenOnce plays jobs that come and go on nodes of all shapes: each has as
// many CPUs as it was given, which nobody else has; cores are given whole where they
// are the unit; and what a suspended job left is taken last.
func TestCPUsAreChosenOnce(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	for range 400 {
		cfg := testConfig()
		unit := pick(r, "CR_CPU", "CR_Core", "CR_Core_Memory,CR_CORE_DEFAULT_DIST_BLOCK")
		setConf(cfg, "SelectTypeParameters", unit)
		n := &Node{Name: "n1", Sockets: 1 + r.Intn(4), Cores: 1 + r.Intn(10), Threads: 1 + r.Intn(2)}
		n.CPUs = n.Sockets * n.Cores * n.Threads
		step := 1
		if unit != "CR_CPU" {
			step = n.Threads
		}
		var there []string
		var aside []string
		for range 30 {
			free := n.CPUs
			for _, list := range there {
				free -= cpusOf(list).count()
			}
			left := free
			for _, list := range aside {
				left -= cpusOf(list).count()
			}
			if free < step || r.Intn(3) == 0 && len(there) > 0 {
				k := r.Intn(len(there))
				if r.Intn(4) == 0 && len(aside) == 0 {
					aside = append(aside, there[k])
				} else {
					aside = nil
				}
				there = append(there[:k:k], there[k+1:]...)
				continue
			}
			cpus := step * (1 + r.Intn(free/step))
			j := &Job{Spec: &slurm.JobOptions{NTasksPerSocket: r.Intn(3), Distribution: pick(r, "", "block:block", "cyclic:cyclic")},
				Need: Need{Tasks: 1 + r.Intn(4), CPUsPerTask: 1 + r.Intn(4)}}
			list := chooseCPUs(cfg, n, j, &NodeAlloc{Node: "n1", CPUs: cpus, Tasks: j.Need.Tasks}, there, aside)
			set := cpusOf(list)
			if set.count() != cpus || set.String() != list {
				t.Fatalf("%d CPUs of %+v beside %v: %s", cpus, n, there, list)
			}
			for i := range len(set) * 64 {
				if set.has(i) && (i >= n.CPUs || step > 1 && !set.has(i^1)) {
					t.Fatalf("%s: %d CPUs of %+v for %+v, %+v, beside %v and %v: %s", unit, cpus, gridOf(n), j.Need, j.Spec.NTasksPerSocket, there, aside, list)
				}
			}
			for _, other := range there {
				if CPUsMeet(list, other) {
					t.Fatalf("%s is given beside %v", list, there)
				}
			}
			for _, other := range aside {
				if CPUsMeet(list, other) && left >= cpus {
					t.Fatalf("%s is given, %s waits for its own", list, other)
				}
			}
			there = append(there, list)
			if len(aside) > 0 && CPUsMeet(list, aside[0]) {
				aside = nil
			}
		}
	}
}

// TestCPUsNearDevicesComeFirst and those left to the system last.
func TestCPUsNearDevicesComeFirst(t *testing.T) {
	n := &Node{Name: "n1", CPUs: 16, Sockets: 2, Cores: 8, Threads: 1, Gres: []NodeGres{
		{Name: "gpu", Type: "a", Count: 2, Files: []string{"0", "1"}, Cores: "0-7"}, {Name: "gpu", Type: "b", Count: 2, Files: []string{"2", "3"}, Cores: "8-15"}}}
	j := &Job{Spec: &slurm.JobOptions{}, Need: Need{Tasks: 1, CPUsPerTask: 2}}
	a := &NodeAlloc{Node: "n1", CPUs: 2, Tasks: 1, Gres: []GresAlloc{{Name: "gpu", Type: "b", Count: 1, Index: []int{0}}}}
	if got := chooseCPUs(testConfig(), n, j, a, nil, nil); got != "8-9" {
		t.Errorf("beside a GPU near 8-15: %s", got)
	}
	apart := &Job{Spec: &slurm.JobOptions{GresFlags: "disable-binding"}, Need: j.Need}
	if got := chooseCPUs(testConfig(), n, apart, a, nil, nil); got != "0-1" {
		t.Errorf("with --gres-flags=disable-binding: %s", got)
	}
	n.CoreSpec = 2
	a.Gres, a.CPUs = nil, 14
	if got := chooseCPUs(testConfig(), n, j, a, nil, nil); got != "0-6,8-14" {
		t.Errorf("with two cores left to the system: %s", got)
	}
}

// TestPartsOfCoresWhereNoneIsWhole chooses CPUs on a node whose jobs were started while
// CPUs were the unit: a start that takes somebody's is refused, and would be planned
// again and again.
func TestPartsOfCoresWhereNoneIsWhole(t *testing.T) {
	cfg := testConfig()
	setConf(cfg, "SelectTypeParameters", "CR_Core")
	n := &Node{Name: "n1", CPUs: 8, Sockets: 2, Cores: 2, Threads: 2}
	j := &Job{Spec: &slurm.JobOptions{}, Need: Need{Tasks: 1, CPUsPerTask: 1}}
	for _, c := range []struct {
		cpus  int
		taken []string
		want  string
	}{
		{2, []string{"0", "2", "4", "6"}, "1,3"},
		{4, []string{"0", "2", "4", "6"}, "1,3,5,7"},
		{4, []string{"0", "2", "4"}, "1,5-7"},
		{2, []string{"0", "2", "4"}, "6-7"},
		{2, []string{"0-7"}, "0-1"}, // shared
	} {
		want := cpusOf(c.want).String()
		if got := chooseCPUs(cfg, n, j, &NodeAlloc{Node: "n1", CPUs: c.cpus, Tasks: 1}, c.taken, nil); got != want {
			t.Errorf("%d CPUs beside %v: %s, want %s", c.cpus, c.taken, got, want)
		}
	}
}
