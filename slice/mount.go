package slice

import (
	"errors"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// mountOps are the mounts of a slice with its own mount namespace. Mounts
// made on the host later still reach the slice; none of the slice's own
// reach the host.
func (b *builder) mountOps() error {
	if !b.spec.Namespaces.Mount {
		return nil
	}
	p := b.p
	add := func(o ...op) { p.setup = append(p.setup, o...) }
	root := p.bytes("/")
	add(call(p.label(StageMount, "/", -1), unix.SYS_MOUNT, 0, root, 0, unix.MS_REC|unix.MS_SLAVE, 0))
	mounts := b.spec.Mounts
	if tmp := b.spec.PrivateTmp; tmp != "" {
		mounts = append([]Mount{{Source: tmp, Target: "/tmp"}, {Source: tmp + "/shm", Target: "/dev/shm"}}, mounts...)
	}
	// All sources are taken hold of before the first mount, which may cover
	// others: a source under /tmp is the host's.
	sources := make([]uintptr, len(mounts))
	for i, m := range mounts {
		fd, err := b.place(m.Source)
		if err != nil {
			return &StartError{Stage: StageMount, Path: m.Source, Task: -1, Detail: err.Error()}
		}
		sources[i] = fd
		label := p.label(StageMount, m.Source, -1)
		add(p.openOp(label, m.Source, unix.O_PATH, 0), call(label, unix.SYS_DUP3, 0, fd, unix.O_CLOEXEC).with(opUse),
			call(label, unix.SYS_CLOSE, 0).with(opUse|opOptional))
	}
	for i, m := range mounts {
		label := p.label(StageMount, m.Target, -1)
		target := p.bytes(m.Target)
		add(call(label, unix.SYS_MOUNT, p.bytes("/proc/self/fd/"+strconv.Itoa(int(sources[i]))), target, 0, unix.MS_BIND|unix.MS_REC, 0))
		if m.ReadOnly {
			flags, err := mountFlags(m.Source)
			if err != nil {
				return &StartError{Stage: StageMount, Path: m.Source, Task: -1, Errno: err.(unix.Errno)}
			}
			add(call(label, unix.SYS_MOUNT, 0, target, 0, unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY|flags, 0))
		}
	}
	if b.spec.Namespaces.PID {
		add(call(p.label(StageMount, "/proc", -1), unix.SYS_MOUNT, p.bytes("proc"), p.bytes("/proc"), p.bytes("proc"),
			unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, 0))
	}
	return nil
}

// mountFlags returns the flags of the file system at path that a remount must
// repeat: leaving one out is refused where it was set by somebody else.
func mountFlags(path string) (uintptr, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		var e unix.Errno
		if !errors.As(err, &e) {
			e = unix.EIO
		}
		return 0, e
	}
	var out uintptr
	for _, f := range []struct{ st, ms uintptr }{
		{unix.ST_NOSUID, unix.MS_NOSUID}, {unix.ST_NODEV, unix.MS_NODEV}, {unix.ST_NOEXEC, unix.MS_NOEXEC},
		{unix.ST_NOATIME, unix.MS_NOATIME}, {unix.ST_NODIRATIME, unix.MS_NODIRATIME}, {unix.ST_RELATIME, unix.MS_RELATIME},
	} {
		if uintptr(st.Flags)&f.st != 0 {
			out |= f.ms
		}
	}
	return out, nil
}

// place keeps a place in the slice's descriptor table, for what the slice
// will open itself.
func (b *builder) place(name string) (uintptr, error) {
	fd, err := unix.FcntlInt(b.host.null.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return 0, err
	}
	b.child = append(b.child, os.NewFile(uintptr(fd), name))
	return uintptr(fd), nil
}
