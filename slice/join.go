package slice

import (
	"errors"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// joinSlice has the first process enter the namespaces of another slice of this
// host. Its own pid stays outside: tasks alone are born into a pid namespace.
func (b *builder) joinSlice() error {
	pid := b.spec.Join
	if pid == 0 {
		return nil
	}
	gone := &StartError{Stage: StageNamespace, Path: "join", Task: -1, Errno: syscall.ESRCH}
	known := func() bool {
		b.host.firstMu.Lock()
		defer b.host.firstMu.Unlock()
		return b.host.firsts[pid]
	}
	if !known() {
		return gone
	}
	for _, ns := range []struct {
		name string
		flag uintptr
	}{{"ipc", unix.CLONE_NEWIPC}, {"uts", unix.CLONE_NEWUTS}, {"net", unix.CLONE_NEWNET}, {"pid", unix.CLONE_NEWPID}, {"mnt", unix.CLONE_NEWNS}} {
		file, err := os.Open("/proc/" + strconv.Itoa(pid) + "/ns/" + ns.name)
		if err != nil {
			var e syscall.Errno
			errors.As(err, &e)
			return &StartError{Stage: StageNamespace, Path: ns.name, Task: -1, Errno: e}
		}
		b.child = append(b.child, file)
		b.enter = append(b.enter, call(b.p.label(StageNamespace, ns.name, -1), unix.SYS_SETNS, file.Fd(), ns.flag))
	}
	if !known() { // its number may be another's by now
		return gone
	}
	return nil
}
