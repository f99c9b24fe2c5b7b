package slice

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// cloneFlags are the namespaces that the first process is born into. The
// cgroup namespace is not among them: its root is where a process is at the
// time, so the tasks make it after they have entered their group. Nor, for a
// root launcher, is the user namespace (userns.go),
// nor the network, which is made ahead (net.go).
func cloneFlags(n Namespaces, root bool) uintptr {
	var f uintptr
	for _, c := range []struct {
		on   bool
		flag uintptr
	}{{n.PID, unix.CLONE_NEWPID}, {n.Mount, unix.CLONE_NEWNS}, {n.UTS, unix.CLONE_NEWUTS}, {n.IPC, unix.CLONE_NEWIPC},
		{n.User && !root, unix.CLONE_NEWUSER}, {n.Net && !root, unix.CLONE_NEWNET}} {
		if c.on {
			f |= c.flag
		}
	}
	return f
}

// loopbackOps bring up the loopback interface of a new network namespace.
func (b *builder) loopbackOps() []op {
	label := b.p.label(StageNamespace, "lo", -1)
	req := make([]byte, 40) // struct ifreq
	copy(req, "lo")
	binary.NativeEndian.PutUint16(req[16:], unix.IFF_UP|unix.IFF_RUNNING)
	return []op{
		call(label, unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0).with(opKeep),
		call(label, unix.SYS_IOCTL, 0, unix.SIOCSIFFLAGS, b.p.raw(req)).with(opUse),
		call(label, unix.SYS_CLOSE, 0).with(opUse | opOptional),
	}
}
