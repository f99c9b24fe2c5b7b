package slice

import (
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Groups of slices that have ended, of which DESIGN.md says why they are taken again
// and what they must not carry from one to the next. Those of memory are the dearest
// by far to make and to remove, which goes on long after, and the only ones that keep
// what was in them: what is cached for a job stays charged to its group.

const (
	// maxUsed is how many used groups are kept of a kind.
	maxUsed = 32
	// maxCharge is how much may be charged to a group that is taken again. The kernel
	// itself takes memory for a group in lots of 64 pages for each processor, and has
	// a group that is empty still hold them.
	maxCharge = 1 << 20
)

// usedBy takes the group that a slice of the user had last. Needs spares.mu held.
func (k *spareKind) usedBy(uid uint32) (spare, bool) {
	for i := len(k.used) - 1; i >= 0; i-- {
		if one := k.used[i]; one.uid == uid {
			k.used = append(k.used[:i], k.used[i+1:]...)
			return one, true
		}
	}
	return spare{}, false
}

// valueAt is a file of one level of a group.
type valueAt struct {
	level int
	file  string
}

// written notes a value of a level, and reports whether it is to be written: whether
// the group does not have it already.
func (g *group) written(level int, v Value) bool {
	at := valueAt{level, v.File}
	if g.values[at] == v.Value {
		return false
	}
	if g.values == nil {
		g.values = map[valueAt]string{}
	}
	g.values[at] = v.Value
	return true
}

// plainFiles are the keys of plainValues, in an order in which they can be written: a
// limit of memory with swap before that without, which it may not be below.
var plainFiles = []string{"cpu.shares", "cpu.cfs_quota_us", "cpu.cfs_period_us", "pids.max", "memory.memsw.limit_in_bytes", "memory.limit_in_bytes"}

// plain puts back what another slice of the group had written at a level and this one
// has not.
func (g *group) plain(level int, values []Value) error {
	if len(g.values) == 0 {
		return nil
	}
	for _, file := range plainFiles {
		at := valueAt{level, file}
		if g.values[at] == "" || slices.ContainsFunc(values, func(v Value) bool { return v.File == file }) {
			continue
		}
		controller, _, _ := strings.Cut(file, ".")
		if err := g.host.write(g.host.v1[controller]+"/"+g.levels[level]+"/"+file, plainValues[file]); err != nil {
			return err
		}
		delete(g.values, at)
	}
	return nil
}

// recycle keeps the groups of a slice that has ended for another, and reports whether
// it has. Nobody else may be in the job's group, nor have left groups in it. Needs
// host.mu held.
func (g *group) recycle() bool {
	kind, s := g.kind, &g.host.spares
	if kind == nil || g.uid == 0 {
		return false
	}
	s.mu.Lock()
	ended := s.ended
	s.mu.Unlock()
	if ended {
		return false
	}
	job, step := path.Base(g.levels[0]), path.Base(g.levels[1])
	alone := true
	proof := false // that no process is in it
	for _, r := range kind.roots {
		var st unix.Stat_t
		own := r.dir + "/" + g.levels[0]
		want := uint64(2)
		if r.deep {
			want++
			alone = alone && g.host.stat(own+"/"+step, &st) == nil && uint64(st.Nlink) == 2
		}
		alone = alone && g.host.stat(own, &st) == nil && uint64(st.Nlink) == want
		if alone && r.anew {
			proof = r.deep && g.forgets(own, own+"/"+step)
		}
	}
	if !alone || !proof {
		return false
	}
	one := spare{name: s.name(), uid: g.uid, values: g.values}
	for i, r := range kind.roots {
		parent := r.dir + "/" + kind.parent + "/"
		err := g.host.rename(parent+job, parent+one.name)
		if err == nil && r.deep && step != spareStep {
			err = g.host.rename(parent+one.name+"/"+step, parent+one.name+"/"+spareStep)
		}
		if err == nil && r.dir == g.host.v1["cpuacct"] {
			err = g.host.write(parent+one.name+"/cpuacct.usage", "0")
			if err == nil && r.deep {
				err = g.host.write(parent+one.name+"/"+spareStep+"/cpuacct.usage", "0")
			}
		}
		if err != nil { // what has its new name goes, the rest is removed by the caller
			for _, back := range kind.roots[:i+1] {
				dropSpare(filepath.Join(back.dir, kind.parent, one.name))
			}
			return false
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		one.drop(kind)
		return true
	}
	if len(kind.used) == maxUsed {
		kind.used[0].drop(kind)
		kind.used = append(kind.used[:0], kind.used[1:]...)
	}
	kind.used = append(kind.used, one)
	return true
}

// forgets has the groups of memory of a job and its step count from nothing, and
// reports whether they are as good as new: nobody is in them, nothing has been killed
// in them for want of memory, nor been close to it, and they hold no more than one
// that is empty may.
func (g *group) forgets(job, step string) bool {
	h := g.host
	for _, dir := range []string{job, step} {
		if dir == g.procDir() {
			continue // that nobody is there has been seen
		}
		if text, err := h.read(dir + "/cgroup.procs"); err != nil || text != "" {
			return false
		}
	}
	text, err := h.read(job + "/memory.oom_control")
	if err != nil || !strings.Contains(text, "oom_kill ") || field(text, "oom_kill") != 0 {
		return false
	}
	counters := []string{"memory.memsw", "memory"} // the first has what is swapped out too
	held, err := h.read(job + "/" + counters[0] + ".usage_in_bytes")
	if err == unix.ENOENT {
		counters = counters[1:]
		held, err = h.read(job + "/" + counters[0] + ".usage_in_bytes")
	}
	if err != nil || number(held) > maxCharge {
		return false
	}
	for _, counter := range counters {
		for level, dir := range []string{job, step} {
			if !h.resetPeak(dir+"/"+counter+".max_usage_in_bytes", g.values[valueAt{level, counter + ".limit_in_bytes"}]) {
				return false
			}
		}
	}
	return true
}

// resetPeak has a counter of memory forget the most that there was. It reports false
// when that came near the limit, if there is one: then the count of what was refused
// may have risen.
func (h *Host) resetPeak(file, limit string) bool {
	flags := unix.O_WRONLY
	if limit != "" {
		flags = unix.O_RDWR
	}
	fd, err := h.open(file, flags)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	if limit != "" {
		var text [32]byte
		n, err := unix.Read(fd, text[:])
		if err != nil || number(string(text[:n]))+maxCharge > number(limit) {
			return false
		}
	}
	_, err = unix.Write(fd, []byte("0"))
	return err == nil
}
