package launcher

import (
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// The launcher is there for as long as the machine and mostly idle, so what it keeps
// is counted: little of its heap is in use, and most of its text ran once, when it
// came up.

// collectAt is at which growth of the heap it is collected, in percent: the runtime
// begins at four megabytes times this. Less costs a burst of slices more time than
// it takes to start them.
const collectAt = 40

// maxProcs is how many processors work on its own account, which is little next to
// what the kernel does for a slice: each more has memory of its own set aside and is
// woken to look for work. One alone would stand still with a call that takes long.
const maxProcs = 2

// trimAfter is how long nothing was asked for before memory is given back.
const trimAfter = 2 * time.Second

// trim gives back what is not in use: free memory of the heap, and the pages of the
// program, which come back from its file as they are needed.
func trim() {
	debug.FreeOSMemory()
	maps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		return
	}
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	for _, m := range cleanMaps(string(maps), exe) {
		unix.Syscall(unix.SYS_MADVISE, m[0], m[1]-m[0], unix.MADV_DONTNEED)
	}
}

// cleanMaps lists where parts of a file are mapped of which no page is the process's
// own: those alone can be had again from the file. That something may not be written
// to does not say so, since a loader writes to it before.
func cleanMaps(smaps, file string) [][2]uintptr {
	var out [][2]uintptr
	var now [2]uintptr
	for line := range strings.Lines(smaps) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		if name, ok := strings.CutSuffix(f[0], ":"); ok {
			if name == "Anonymous" && f[1] == "0" && now[1] > now[0] {
				out = append(out, now)
			}
			continue
		}
		now = [2]uintptr{}
		if len(f) < 6 || strings.Join(f[5:], " ") != file || strings.Contains(f[1], "w") {
			continue
		}
		from, to, _ := strings.Cut(f[0], "-")
		begin, err1 := strconv.ParseUint(from, 16, 64)
		end, err2 := strconv.ParseUint(to, 16, 64)
		if err1 == nil && err2 == nil {
			now = [2]uintptr{uintptr(begin), uintptr(end)}
		}
	}
	return out
}

// trims trims once whenever nothing has been asked for a while; it ends with the
// process.
func (s *server) trims() {
	trimmed := int64(0)
	for range time.Tick(trimAfter) {
		if n := s.asked.Load(); n != trimmed && n == s.before {
			trimmed = n
			trim()
		} else {
			s.before = n
		}
	}
}
