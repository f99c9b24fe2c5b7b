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

// trimAfter is how long nothing was asked for before memory is given back.
const trimAfter = 2 * time.Second

// trim gives back what is not in use: free memory of the heap, and the pages of the
// program, which come back from the page cache as they are needed.
func trim() {
	debug.FreeOSMemory()
	text, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return
	}
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) < 6 || !strings.HasPrefix(line[len(line)-len(f[5])-1:], exe) || strings.Contains(f[1], "w") {
			continue // what was written to is nowhere else
		}
		from, to, _ := strings.Cut(f[0], "-")
		begin, err1 := strconv.ParseUint(from, 16, 64)
		end, err2 := strconv.ParseUint(to, 16, 64)
		if err1 == nil && err2 == nil && end > begin {
			unix.Syscall(unix.SYS_MADVISE, uintptr(begin), uintptr(end-begin), unix.MADV_DONTNEED)
		}
	}
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
