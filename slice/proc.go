package slice

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// procStat is what is needed of /proc/PID/stat.
type procStat struct {
	pid, ppid  int
	state      byte
	majflt     uint64
	utime      uint64 // clock ticks
	stime      uint64
	startTicks uint64 // since boot: with the pid, names a process for good
	vsize      uint64
	rss        uint64 // pages
}

func readStat(pid int) (procStat, error) {
	text, err := readControl("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return procStat{}, err
	}
	st, ok := parseStat(text)
	if !ok {
		return procStat{}, unix.EINVAL
	}
	return st, nil
}

func parseStat(text string) (procStat, bool) {
	// The name is in parentheses and may hold anything, parentheses too.
	open, end := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if open < 1 || end < open {
		return procStat{}, false
	}
	f := strings.Fields(text[end+1:])
	if len(f) < 22 || len(f[0]) != 1 {
		return procStat{}, false
	}
	return procStat{
		pid: int(number(text)), ppid: int(number(f[1])), state: f[0][0], majflt: number(f[9]) + number(f[10]),
		utime: number(f[11]) + number(f[13]), stime: number(f[12]) + number(f[14]),
		startTicks: number(f[19]), vsize: number(f[20]), rss: number(f[21]),
	}, true
}

// StartTicks returns when a process started, in clock ticks since boot. With
// the pid it names a process for as long as the machine runs.
func StartTicks(pid int) (uint64, error) {
	st, err := readStat(pid)
	return st.startTicks, err
}

// bootTicks returns the time since boot, in clock ticks: what StartTicks is of a
// process that is made in this tick. 0 when there is no such clock.
func bootTicks() uint64 {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &t) != nil {
		return 0
	}
	return uint64(t.Nano()) / (1e9 / clockTicks)
}

// ignoredSignals returns the signals that this process ignores, by number less one.
func ignoredSignals() uint64 {
	text, err := readControl("/proc/self/status")
	if err != nil {
		return ^uint64(0)
	}
	_, text, _ = strings.Cut(text, "\nSigIgn:\t")
	line, _, _ := strings.Cut(text, "\n")
	set, err := strconv.ParseUint(line, 16, 64)
	if err != nil {
		return ^uint64(0) // none is taken for one that is not
	}
	return set
}

// Running says whether the process that had this pid and start is still
// there and not merely waiting for its parent to notice its end.
func Running(pid int, startTicks uint64) bool {
	st, err := readStat(pid)
	return err == nil && st.startTicks == startTicks && st.state != 'Z' && st.state != 'X'
}

// descendants returns the processes below root, root not included. It sees
// what is there while it looks; a caller that kills looks again until it
// finds none.
func descendants(root int) []int {
	var out []int
	queue := []int{root}
	for len(queue) > 0 {
		pid := queue[0]
		queue = queue[1:]
		tasks, err := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/task")
		if err != nil {
			continue
		}
		for _, t := range tasks {
			text, err := readControl(filepath.Join("/proc", strconv.Itoa(pid), "task", t.Name(), "children"))
			if err != nil {
				continue
			}
			for _, f := range strings.Fields(text) {
				child := int(number(f))
				out = append(out, child)
				queue = append(queue, child)
			}
		}
	}
	return out
}

// outerPids maps the ids that children of first have in their own pid
// namespace to those that they have in this one.
func outerPids(first int) map[int]int {
	out := map[int]int{}
	text, err := readControl("/proc/" + strconv.Itoa(first) + "/task/" + strconv.Itoa(first) + "/children")
	if err != nil {
		return out
	}
	for _, f := range strings.Fields(text) {
		outer := int(number(f))
		status, err := readControl("/proc/" + f + "/status")
		if err != nil {
			continue
		}
		for _, line := range strings.Split(status, "\n") {
			if ids, ok := strings.CutPrefix(line, "NSpid:"); ok {
				fields := strings.Fields(ids)
				if len(fields) > 0 {
					out[int(number(fields[len(fields)-1]))] = outer
				}
			}
		}
	}
	return out
}

// signalTree signals every process below root and returns how many it found.
func signalTree(root int, sig syscall.Signal) int {
	n := 0
	for _, pid := range descendants(root) {
		if unix.Kill(pid, sig) == nil {
			n++
		}
	}
	return n
}
