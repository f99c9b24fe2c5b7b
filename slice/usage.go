package slice

import (
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// clockTicks is USER_HZ, in which /proc counts time; it is 100 on every
// machine that Go runs on.
const clockTicks = 100

// Usage returns what the slice has used so far, or in all if it has ended.
func (s *Slice) Usage() Usage {
	s.mu.Lock()
	if s.exit != nil {
		defer s.mu.Unlock()
		return s.exit.Usage
	}
	s.mu.Unlock()
	return s.sample(true)
}

// sample looks at the processes, if there are any to look at, and at the
// cgroup, if there is one, and remembers the highest memory it has seen.
func (s *Slice) sample(live bool) Usage {
	var u Usage
	s.mu.Lock()
	past, gone := s.past, s.gone
	s.mu.Unlock()

	switch {
	case live && s.group != nil:
		pids, _ := s.group.pids()
		u.addLive(pids)
	case live && !gone:
		u.addLive(descendants(s.first))
	}
	u.User += past.User
	u.System += past.System
	u.PageFaults += past.PageFaults
	u.ReadBytes += past.ReadBytes
	u.WriteBytes += past.WriteBytes
	if s.group != nil {
		s.group.usage(&u, live)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.maxRSS = max(s.maxRSS, u.RSS, s.truePeak(past.MaxRSS, u.MemoryPeak))
	s.maxVM = max(s.maxVM, u.VM)
	u.MaxRSS, u.MaxVM = s.maxRSS, s.maxVM
	return u
}

// truePeak corrects the highest memory of a process as its parent was told.
// A task counts from before its exec, while it still had the launcher's
// memory: a figure no higher than that says nothing of its own, except that
// it was not more than the whole group has had. s.mu is held.
func (s *Slice) truePeak(told, group uint64) uint64 {
	switch {
	case told > s.launcherPeak:
		return told
	case s.group == nil || group == 0:
		group = s.maxRSS // what was seen of it; nothing, if it was too short for that
	}
	return min(told, group)
}

// ownPeak returns the highest memory that this process has had.
func ownPeak() uint64 {
	var ru unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &ru) != nil {
		return 0
	}
	return uint64(ru.Maxrss) << 10
}

// addLive sums over processes. One that ends meanwhile is left out.
func (u *Usage) addLive(pids []int) {
	page := uint64(unix.Getpagesize())
	for _, pid := range pids {
		st, err := readStat(pid)
		if err != nil {
			continue
		}
		u.PIDs++
		u.User += time.Duration(st.utime) * time.Second / clockTicks
		u.System += time.Duration(st.stime) * time.Second / clockTicks
		u.RSS += st.rss * page
		u.VM += st.vsize
		u.PageFaults += st.majflt
		if io, err := readControl("/proc/" + strconv.Itoa(pid) + "/io"); err == nil {
			u.ReadBytes += colonField(io, "read_bytes")
			u.WriteBytes += colonField(io, "write_bytes")
		}
	}
}

// colonField returns the number of a "name: number" line.
func colonField(text, name string) uint64 {
	for _, line := range strings.Split(text, "\n") {
		if v, ok := strings.CutPrefix(line, name+": "); ok {
			return number(strings.TrimLeft(v, " "))
		}
	}
	return 0
}

// usage replaces in u what the cgroup knows better than its processes do:
// it has also seen those that nobody waited for.
// What there is now, other than what was used, is asked for if live.
func (g *group) usage(u *Usage, live bool) {
	read := func(dir, file string) (string, bool) {
		if dir == "" {
			return "", false
		}
		text, err := g.host.read(dir + "/" + file)
		return text, err == nil
	}
	now := func(dir, file string) (string, bool) {
		if !live {
			return "", false
		}
		return read(dir, file)
	}
	if g.host.Version == V2 {
		if t, ok := read(g.dir, "cpu.stat"); ok {
			u.User = time.Duration(field(t, "user_usec")) * time.Microsecond
			u.System = time.Duration(field(t, "system_usec")) * time.Microsecond
			u.FromCgroup = true
		}
		if t, ok := now(g.dir, "memory.current"); ok {
			u.Memory = number(t)
		}
		if t, ok := read(g.dir, "memory.peak"); ok {
			u.MemoryPeak = number(t)
		}
		if t, ok := now(g.dir, "memory.stat"); ok {
			u.RSS = field(t, "anon") + field(t, "file_mapped")
		}
		u.OOMKills = g.oomKills()
		return
	}
	if t, ok := read(g.dirs["cpuacct"], "cpuacct.usage"); ok {
		var user, system string
		if total := number(t); uint64(u.User+u.System) < total/2 {
			user, _ = read(g.dirs["cpuacct"], "cpuacct.usage_user")
			system, _ = read(g.dirs["cpuacct"], "cpuacct.usage_sys")
		}
		u.User, u.System = splitCPU(number(t), number(user), number(system), u.User, u.System)
		u.FromCgroup = true
	}
	mem := g.dirs["memory"]
	if t, ok := now(mem, "memory.usage_in_bytes"); ok {
		u.Memory = number(t)
	}
	if t, ok := read(mem, "memory.max_usage_in_bytes"); ok {
		u.MemoryPeak = number(t)
	}
	if t, ok := now(mem, "memory.stat"); ok {
		u.RSS = field(t, "total_rss") + field(t, "total_mapped_file")
	}
	u.OOMKills = g.oomKills()
}

// oomKills is how many processes of the group the kernel has killed for want of memory.
func (g *group) oomKills() uint64 {
	dir, file := g.dirs["memory"], "/memory.oom_control"
	if g.host.Version == V2 {
		dir, file = g.dir, "/memory.events"
	}
	if dir == "" {
		return 0
	}
	text, err := g.host.read(dir + file)
	if err != nil {
		return 0
	}
	return field(text, "oom_kill")
}

// splitCPU divides what a group has used, which version 1 knows exactly, in
// the proportion that the processes report if that covers most of it, or else
// in that which the kernel has seen by sampling.
func splitCPU(total, user, system uint64, seenUser, seenSystem time.Duration) (time.Duration, time.Duration) {
	a, b := float64(seenUser), float64(seenSystem)
	if a+b < float64(total)/2 && user+system > 0 {
		a, b = float64(user), float64(system)
	}
	if a+b == 0 {
		return time.Duration(total), 0
	}
	u := min(uint64(float64(total)*(a/(a+b))), total)
	return time.Duration(u), time.Duration(total - u)
}
