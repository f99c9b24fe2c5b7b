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
