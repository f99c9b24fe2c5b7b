//go:build (!amd64 && !arm64) || race

package slice

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Without the few lines of assembly that put a child on a stack of its own,
// processes are plain forks. So they are under the race detector, which puts
// calls of its own into what assembly calls.
const (
	sharesMemory = 0
	waitsForExec = unix.CLONE_VFORK
	argOffset    = 0
)

//go:norace
//go:nosplit
func spawn(nr, a, b uintptr) uintptr {
	if nr != unix.SYS_CLONE {
		return ^uintptr(unix.ENOSYS) + 1
	}
	pid, _, e := syscall.RawSyscall6(unix.SYS_CLONE, a, 0, 0, 0, 0, 0)
	if e != 0 {
		return ^uintptr(e) + 1
	}
	if pid == 0 {
		args := *(**[2]uintptr)(unsafe.Pointer(&b))
		p := *(**program)(unsafe.Pointer(&args[0]))
		p.born(p, int(args[1]))
	}
	return pid
}
