package slice

import (
	"path"
	"strconv"
)

// Version is a generation of the kernel's cgroup interface.
type Version int

const (
	None Version = iota
	V1           // a hierarchy for each controller, alone or beside an unused V2 (hybrid)
	V2           // one hierarchy
)

func (v Version) String() string {
	switch v {
	case V1:
		return "v1"
	case V2:
		return "v2"
	}
	return "none"
}

// Value is one file of a cgroup and what is written to it.
type Value struct {
	Group      string // relative to the root that Probe found
	Controller string
	File       string
	Value      string
}

// Values returns what Start writes for the limits of the slice, in order.
// Device rules under V2 are not here: they are a program, not a file.
func (s *Spec) Values(v Version) []Value {
	var out []Value
	if !s.Cgroup.On {
		return nil
	}
	group := s.Cgroup.Parent
	for _, l := range s.Cgroup.Levels {
		group = path.Join(group, l.Name)
		for _, val := range l.Limits.Values(v) {
			val.Group = group
			out = append(out, val)
		}
	}
	return out
}

const cfsPeriod = 100000 // microseconds, the kernel's default

// Values returns the files of one group, without Group.
func (l *Limits) Values(v Version) []Value {
	var out []Value
	add := func(controller, file, value string) {
		out = append(out, Value{Controller: controller, File: file, Value: value})
	}
	num := func(n int64) string { return strconv.FormatInt(n, 10) }
	quota := max(int64(l.CPUs*cfsPeriod), 1000) // the kernel takes no less
	switch v {
	case V1:
		if l.CPUs > 0 {
			add("cpu", "cpu.cfs_period_us", num(cfsPeriod))
			add("cpu", "cpu.cfs_quota_us", num(quota))
		}
		if l.CPUShares > 0 {
			add("cpu", "cpu.shares", strconv.FormatUint(min(max(l.CPUShares, 2), 262144), 10))
		}
		if l.CPUSet != "" {
			add("cpuset", "cpuset.cpus", l.CPUSet)
		}
		if l.MemorySet != "" {
			add("cpuset", "cpuset.mems", l.MemorySet)
		}
		if l.MemoryMax > 0 {
			add("memory", "memory.limit_in_bytes", num(l.MemoryMax))
		}
		if l.SwapMax != nil {
			add("memory", "memory.memsw.limit_in_bytes", num(l.MemoryMax+*l.SwapMax))
		}
		if l.PIDsMax > 0 {
			add("pids", "pids.max", num(l.PIDsMax))
		}
		if l.IOWeight > 0 {
			add("blkio", "blkio.bfq.weight", strconv.FormatUint(l.IOWeight, 10))
		}
		for _, d := range l.Devices {
			file := "devices.deny"
			if d.Allow {
				file = "devices.allow"
			}
			add("devices", file, d.v1())
		}
	case V2:
		if l.CPUs > 0 {
			add("cpu", "cpu.max", num(quota)+" "+num(cfsPeriod))
		}
		if l.CPUShares > 0 {
			// The whole range of shares onto the whole range of weights.
			shares := min(max(l.CPUShares, 2), 262144)
			add("cpu", "cpu.weight", strconv.FormatUint(1+(shares-2)*9999/262142, 10))
		}
		if l.CPUSet != "" {
			add("cpuset", "cpuset.cpus", l.CPUSet)
		}
		if l.MemorySet != "" {
			add("cpuset", "cpuset.mems", l.MemorySet)
		}
		if l.MemoryMax > 0 {
			add("memory", "memory.max", num(l.MemoryMax))
		}
		if l.SwapMax != nil {
			add("memory", "memory.swap.max", num(*l.SwapMax))
		}
		if l.PIDsMax > 0 {
			add("pids", "pids.max", num(l.PIDsMax))
		}
		if l.IOWeight > 0 {
			add("io", "io.weight", strconv.FormatUint(l.IOWeight, 10))
		}
	}
	return out
}

// needs returns the controllers without which the limits cannot be set.
func (l *Limits) needs(v Version) map[string]bool {
	out := map[string]bool{}
	for _, val := range l.Values(v) {
		out[val.Controller] = true
	}
	return out
}
