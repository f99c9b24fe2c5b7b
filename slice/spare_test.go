package slice

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestGroupsOfEndedSlicesAreAsNew starts slices, one after another, in groups that
// others have had: they find no limit, no time and no memory of these.
func TestGroupsOfEndedSlicesAreAsNew(t *testing.T) {
	h := cgroupHost(t)
	dir := openDir(t)
	inodes := map[uint64]int{}
	for i := range 40 {
		// Of two kinds of limits that need the same hierarchies.
		job, shares, quota := Limits{MemoryMax: 1 << 30, CPUShares: 512, PIDsMax: 50}, "512", "-1"
		if i%2 == 1 {
			job, shares, quota = Limits{MemoryMax: 1 << 29, CPUs: 0.5, PIDsMax: int64(60 + i)}, "1024", "50000"
		}
		name := "job_" + strconv.Itoa(i)
		s := grouped(shell("i=0; while [ $i -lt 3000 ]; do i=$((i+1)); done; read x", dir+"/out"), h, job, Limits{})
		s.ID, s.Cgroup.Levels[0].Name, s.Cgroup.Levels[1].Name = name, name, []string{"step_batch", "step_0"}[i/2%2]
		s.Tasks[0].Stdin = Stream{Kind: StreamPipe}
		sl := start(t, h, s)
		step := name + "/" + s.Cgroup.Levels[1].Name
		want := [][4]string{
			{"memory", name, "memory.limit_in_bytes", strconv.FormatInt(job.MemoryMax, 10)}, {"cpu", name, "cpu.shares", shares},
			{"cpu", name, "cpu.cfs_quota_us", quota}, {"pids", name, "pids.max", strconv.FormatInt(job.PIDsMax, 10)}, {"freezer", step, "freezer.state", "THAWED"},
		}
		if h.Version == V2 {
			want = [][4]string{{"memory", name, "memory.max", strconv.FormatInt(job.MemoryMax, 10)}, {"pids", name, "pids.max", strconv.FormatInt(job.PIDsMax, 10)}}
		}
		for _, w := range want {
			if got := groupFile(h, w[0], w[1], w[2]); got != w[3] {
				t.Errorf("slice %d: %s %s: got %s, want %s", i, w[1], w[2], got, w[3])
			}
		}
		if h.Version == V1 {
			var st unix.Stat_t
			if err := unix.Stat(filepath.Join(h.v1["freezer"], h.parent, name), &st); err != nil {
				t.Fatal(err)
			}
			inodes[st.Ino]++
			if procs := groupFile(h, "cpuacct", step, "cgroup.procs"); len(strings.Fields(procs)) != 1 {
				t.Errorf("slice %d: processes %q", i, procs)
			}
		}
		sl.CloseStdin(0)
		e := sl.Wait()
		if e.Note != "" || e.Usage.User+e.Usage.System <= 0 || e.Usage.User+e.Usage.System > 1e9 || e.Usage.MemoryPeak == 0 || e.Usage.MemoryPeak > 64<<20 {
			t.Errorf("slice %d: %+v", i, e)
		}
		for _, root := range append(h.hierarchies(), h.v2) {
			if _, err := os.Stat(filepath.Join(root, h.parent, name)); root != "" && err == nil {
				t.Errorf("slice %d: its group is left in %s", i, root)
			}
		}
	}
	if h.Version == V1 && len(inodes) >= 40 {
		t.Error("no group was taken twice")
	}
}

// TestGroupsAreNotKept has a slice of root, who could have changed anything of its
// groups, and one in whose group there is another.
func TestGroupsAreNotKept(t *testing.T) {
	h := cgroupHost(t)
	if h.Version != V1 {
		t.Skip("groups are made ahead with version 1 alone")
	}
	dir := openDir(t)
	used := func() (n int) {
		h.spares.mu.Lock()
		defer h.spares.mu.Unlock()
		for _, k := range h.spares.kinds {
			n += len(k.used)
		}
		return n
	}
	s := grouped(shell("true", dir+"/out"), h, Limits{MemoryMax: 1 << 30, CPUShares: 512}, Limits{})
	s.UID, s.GID = 0, 0
	run(t, h, s)
	s = grouped(shell("read x", dir+"/out1"), h, Limits{MemoryMax: 1 << 30, CPUShares: 512}, Limits{})
	s.Tasks[0].Stdin = Stream{Kind: StreamPipe}
	sl := start(t, h, s)
	below := filepath.Join(h.v1["freezer"], h.parent, "job_1", "below")
	if err := os.Mkdir(below, 0o755); err != nil {
		t.Fatal(err)
	}
	sl.CloseStdin(0)
	sl.Wait()
	os.Remove(below)
	os.Remove(filepath.Dir(below))
	if n := used(); n > 0 {
		t.Errorf("%d groups are kept", n)
	}
}

// memoryGroup starts a slice of a user that waits, returns it and which group of
// memory its job has.
func memoryGroup(t *testing.T, h *Host, uid uint32, script string, job, step Limits) (*Slice, uint64) {
	t.Helper()
	s := grouped(shell("read x; "+script, "/dev/null"), h, job, step)
	s.UID, s.GID = uid, uid
	s.Tasks[0].Stdin, s.Tasks[0].Dir = Stream{Kind: StreamPipe}, "/"
	sl := start(t, h, s)
	var st unix.Stat_t
	if err := unix.Stat(filepath.Join(h.v1["memory"], sl.group.levels[0]), &st); err != nil {
		t.Fatal(err)
	}
	return sl, st.Ino
}

// TestMemoryIsNotHandedOn has groups that may be taken again, by the same user alone,
// and what keeps them from it.
func TestMemoryIsNotHandedOn(t *testing.T) {
	h := cgroupHost(t)
	if h.Version != V1 {
		t.Skip("groups are taken again with version 1 alone")
	}
	needRoot(t)
	one := func(uid uint32, script string, job, step Limits) (uint64, Exit) {
		sl, group := memoryGroup(t, h, uid, script, job, step)
		sl.CloseStdin(0)
		return group, sl.Wait()
	}
	plain := Limits{MemoryMax: 1 << 30}
	ours := map[uint64]bool{}
	first, _ := one(nobody, "true", plain, Limits{})
	ours[first] = true
	again := 0
	for range 5 {
		group, e := one(nobody, "true", plain, Limits{})
		if ours[group] {
			again++
		}
		ours[group] = true
		if e.Usage.MemoryPeak == 0 || e.Usage.MemoryPeak > 16<<20 || e.OOMKills != 0 || e.Note != "" {
			t.Errorf("a slice of little: %+v", e)
		}
	}
	if again == 0 {
		t.Error("no group of memory was taken again")
	}
	for range 3 {
		if group, _ := one(nobody-1, "true", plain, Limits{}); ours[group] {
			t.Error("a group of memory was taken again for another user")
		}
	}
	// What is cached for a slice stays with its group.
	dir := openDir(t)
	group, e := one(nobody, "head -c 20000000 /dev/zero >"+dir+"/big", plain, Limits{})
	if e.Usage.MemoryPeak < 16<<20 {
		t.Errorf("20 MB were written: %+v", e.Usage)
	}
	for range 8 {
		next, e := one(nobody, "true", plain, Limits{})
		if next == group || e.Usage.MemoryPeak > 16<<20 {
			t.Errorf("a slice after one with a cache: the same group %v, %+v", next == group, e.Usage)
		}
	}
	// Nor is one taken in which something was killed for want of memory.
	group, e = one(nobody, "exec tail /dev/zero", Limits{MemoryMax: 16 << 20}, Limits{})
	if e.OOMKills == 0 {
		t.Errorf("no end of memory in 16 MB: %+v", e)
	}
	for range 8 {
		next, e := one(nobody, "true", plain, Limits{})
		if next == group || e.OOMKills != 0 || e.Usage.MemoryPeak > 16<<20 {
			t.Errorf("a slice after one that was killed: the same group %v, %+v", next == group, e)
		}
	}
	// A limit of the step's own is taken back, and one of memory with swap.
	swap := int64(0)
	one(nobody, "true", Limits{MemoryMax: 64 << 20, SwapMax: &swap}, Limits{MemoryMax: 32 << 20})
	sl, _ := memoryGroup(t, h, nobody, "true", Limits{}, Limits{})
	for i, dir := range sl.group.levels {
		for _, file := range []string{"memory.limit_in_bytes", "memory.memsw.limit_in_bytes"} {
			text, err := os.ReadFile(filepath.Join(h.v1["memory"], dir, file))
			if n, _ := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64); err == nil && n < 1<<60 {
				t.Errorf("level %d: %s is still %d", i, file, n)
			}
		}
	}
	sl.CloseStdin(0)
	if e := sl.Wait(); e.Note != "" {
		t.Error(e.Note)
	}
}
