package slice

import (
	"encoding/binary"
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
	if b.spec.Root != nil {
		return b.rootOps()
	}
	p := b.p
	add := func(o ...op) { p.setup = append(p.setup, o...) }
	root := p.bytes("/")
	add(call(p.label(StageMount, "/", -1), unix.SYS_MOUNT, 0, root, 0, unix.MS_REC|unix.MS_SLAVE, 0))
	mounts := b.spec.Mounts
	if tmp := b.spec.PrivateTmp; tmp != "" {
		own := []Mount{{Source: tmp, Target: "/tmp"}, {Source: tmp + "/shm", Target: "/dev/shm"}}
		if b.spec.Shm != 0 {
			own = own[:1]
		}
		mounts = append(own, mounts...)
	}
	bind := b.bindOps
	if b.spec.ReadOnly {
		bind = b.bindReadOnlyOps
	}
	if err := bind(mounts); err != nil {
		return err
	}
	if size := b.spec.Shm; size != 0 {
		options := "mode=1777"
		if size > 0 {
			options += ",size=" + strconv.FormatInt(size, 10)
		}
		add(call(p.label(StageMount, "/dev/shm", -1), unix.SYS_MOUNT, p.bytes("tmpfs"), p.bytes("/dev/shm"), p.bytes("tmpfs"),
			unix.MS_NOSUID|unix.MS_NODEV, p.bytes(options)))
	}
	if b.spec.Namespaces.PID || b.spec.HideProcs {
		var options uintptr
		if b.spec.HideProcs && !b.spec.Namespaces.PID {
			options = p.bytes("hidepid=2")
		}
		add(call(p.label(StageMount, "/proc", -1), unix.SYS_MOUNT, p.bytes("proc"), p.bytes("/proc"), p.bytes("proc"),
			unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, options))
	}
	return nil
}

// bindOps make bind mounts in a way that every kernel knows. All sources are
// taken hold of before the first mount, which may cover others: a source under
// /tmp is the host's.
func (b *builder) bindOps(mounts []Mount) error {
	p := b.p
	add := func(o ...op) { p.setup = append(p.setup, o...) }
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
	return nil
}

// bindReadOnlyOps make bind mounts over a file system that is read-only as a
// whole. What is to be bound is copied off first, so that it stays as it was.
func (b *builder) bindReadOnlyOps(mounts []Mount) error {
	p := b.p
	add := func(o ...op) { p.setup = append(p.setup, o...) }
	readOnly := binary.NativeEndian.AppendUint64(nil, unix.MOUNT_ATTR_RDONLY)
	attr := p.raw(append(readOnly, make([]byte, 24)...)) // struct mount_attr: set, clear, propagation, namespace
	none := p.bytes("")
	sources := make([]uintptr, len(mounts))
	for i, m := range mounts {
		fd, err := b.place(m.Source)
		if err != nil {
			return &StartError{Stage: StageMount, Path: m.Source, Task: -1, Detail: err.Error()}
		}
		sources[i] = fd
		label := p.label(StageMount, m.Source, -1)
		add(call(label, unix.SYS_OPEN_TREE, atFdCwd, p.bytes(m.Source), unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE).with(opKeep),
			call(label, unix.SYS_DUP3, 0, fd, unix.O_CLOEXEC).with(opUse), call(label, unix.SYS_CLOSE, 0).with(opUse|opOptional))
		if m.ReadOnly {
			add(call(label, unix.SYS_MOUNT_SETATTR, fd, none, unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, attr, 32))
		}
	}
	add(call(p.label(StageMount, "/", -1), unix.SYS_MOUNT_SETATTR, atFdCwd, p.bytes("/"), unix.AT_RECURSIVE, attr, 32))
	for i, m := range mounts {
		add(call(p.label(StageMount, m.Target, -1), unix.SYS_MOVE_MOUNT, sources[i], none, atFdCwd, p.bytes(m.Target), unix.MOVE_MOUNT_F_EMPTY_PATH))
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
