package slice

import (
	"encoding/binary"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Root is a file system of its own for a slice: its tasks see what is in there,
// and nothing of the host but what Mounts bring along. Needs Namespaces.Mount and
// Namespaces.PID, and a kernel from 5.12. Streams that are files are opened
// outside of it, in the file system of the host, so their paths are absolute.
type Root struct {
	// Path is a directory or, with Image, a block device with a squashfs. It has
	// no symbolic link in it. Set-user-id bits and device nodes in there mean
	// nothing.
	Path  string
	Image bool

	// Overlay keeps what is written to the root in memory, of at most Scratch
	// bytes, and it is gone with the slice. An Image always has that.
	Overlay bool
	Scratch int64

	ReadOnly bool // but for the Mounts

	Mounts        []RootMount // in order
	Links         []Link
	MaskedPaths   []string // seen as empty, where they are
	ReadOnlyPaths []string // where they are
}

// RootMount is one mount within a Root. The target is made when it is not there,
// if that can be.
type RootMount struct {
	// Type is a file system of the kernel, or "bind".
	Type   string
	Source string // for bind a path of the host with no symbolic link in it
	Target string // absolute, in the root
	File   bool   // of a bind: Source is no directory
	Only   bool   // of a bind: without what is mounted below Source
	Flags  uint64 // MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_NOATIME and so on
	Data   string // options of the file system
	// Optional leaves the mount out where the kernel would not have it.
	Optional bool
}

// Link is a symbolic link made within a Root unless something is there.
type Link struct{ Path, To string }

// attrOf are the flags of a mount as mount_setattr knows them.
var attrOf = []struct{ ms, attr uint64 }{
	{unix.MS_RDONLY, unix.MOUNT_ATTR_RDONLY}, {unix.MS_NOSUID, unix.MOUNT_ATTR_NOSUID}, {unix.MS_NODEV, unix.MOUNT_ATTR_NODEV},
	{unix.MS_NOEXEC, unix.MOUNT_ATTR_NOEXEC},
}

const mayFlag = unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_NOATIME | unix.MS_NODIRATIME | unix.MS_RELATIME |
	unix.MS_STRICTATIME

func (r *Root) validate(s *Spec) error {
	if !s.Namespaces.Mount || !s.Namespaces.PID {
		return invalid("a root of its own without a mount and a pid namespace")
	}
	if s.PrivateTmp != "" || len(s.Mounts) > 0 || s.Shm != 0 || s.ReadOnly {
		return invalid("a root of its own beside mounts of the host's")
	}
	if !cleanAbs(r.Path) || r.Scratch < 0 {
		return invalid("root %q with %d bytes to write", r.Path, r.Scratch)
	}
	for _, m := range r.Mounts {
		if m.Type == "" || strings.IndexByte(m.Type+m.Data, 0) >= 0 || !cleanAbs(m.Target) || m.Type == "bind" && !cleanAbs(m.Source) || m.Flags&^uint64(mayFlag) != 0 {
			return invalid("mount of %s %q on %q, flags %#x", m.Type, m.Source, m.Target, m.Flags)
		}
	}
	for _, p := range append(append([]string{}, r.MaskedPaths...), r.ReadOnlyPaths...) {
		if !cleanAbs(p) {
			return invalid("path %q in a root", p)
		}
	}
	for _, l := range r.Links {
		if !cleanAbs(l.Path) || strings.IndexByte(l.To, 0) >= 0 {
			return invalid("link %q in a root", l.Path)
		}
	}
	for i := range s.Tasks {
		t := &s.Tasks[i]
		for _, st := range []Stream{t.Stdin, t.Stdout, t.Stderr} {
			if st.Kind == StreamFile && !path.IsAbs(st.Path) {
				return invalid("task %d: the file %q of a slice with a root of its own is not absolute", i, st.Path)
			}
		}
	}
	return nil
}

// stage is where the new root is put together before the slice moves there. What
// it covers is only needed before.
const stage = "/tmp"

// rootOps put the root together and move the slice there. They come after the
// opening of files, which are the host's; what the user can change, the root, is
// only walked through once nothing of the host is left to be reached from it.
func (b *builder) rootOps() error {
	p, r := b.p, b.spec.Root
	add := func(o ...op) { p.inside = append(p.inside, o...) }
	sys := func(path string, nr uintptr, args ...uintptr) op {
		return call(p.label(StageMount, path, -1), nr, args...)
	}
	none := p.bytes("")
	add(call(-1, unix.SYS_UMASK, 0)) // places to mount on are as they are made; tasks set their own
	p.setup = append(p.setup, sys("/", unix.SYS_MOUNT, 0, p.bytes("/"), 0, unix.MS_REC|unix.MS_SLAVE, 0))

	// hold copies off what is mounted at a path of the host.
	hold := func(from string, only bool) (uintptr, error) {
		fd, err := b.place(from)
		if err != nil {
			return 0, &StartError{Stage: StageMount, Path: from, Task: -1, Detail: err.Error()}
		}
		how := make([]byte, 24) // struct open_how
		binary.NativeEndian.PutUint64(how, unix.O_PATH|unix.O_CLOEXEC)
		binary.NativeEndian.PutUint64(how[16:], unix.RESOLVE_NO_SYMLINKS)
		flags := uintptr(unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC | unix.AT_EMPTY_PATH | unix.AT_RECURSIVE)
		if only {
			flags &^= unix.AT_RECURSIVE
		}
		add(sys(from, unix.SYS_OPENAT2, atFdCwd, p.bytes(from), p.raw(how), 24).with(opKeep),
			sys(from, unix.SYS_DUP3, 0, fd, unix.O_CLOEXEC).with(opUse), sys(from, unix.SYS_CLOSE, 0).with(opUse|opOptional),
			sys(from, unix.SYS_OPEN_TREE, fd, none, flags).with(opKeep),
			sys(from, unix.SYS_DUP3, 0, fd, unix.O_CLOEXEC).with(opUse), sys(from, unix.SYS_CLOSE, 0).with(opUse|opOptional))
		return fd, nil
	}
	set := func(label string, fd uintptr, flags uint64, recursive bool) op {
		attr := make([]byte, 32) // struct mount_attr
		var bits uint64
		for _, a := range attrOf {
			if flags&a.ms != 0 {
				bits |= a.attr
			}
		}
		binary.NativeEndian.PutUint64(attr, bits)
		at := uintptr(unix.AT_EMPTY_PATH)
		if recursive {
			at |= unix.AT_RECURSIVE
		}
		return sys(label, unix.SYS_MOUNT_SETATTR, fd, none, at, p.raw(attr), 32)
	}
	sources := make([]uintptr, len(r.Mounts))
	for i, m := range r.Mounts {
		if m.Type != "bind" {
			continue
		}
		fd, err := hold(m.Source, m.Only)
		if err != nil {
			return err
		}
		if m.Flags&(unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC) != 0 {
			add(set(m.Source, fd, m.Flags, !m.Only))
		}
		sources[i] = fd
	}
	masks := make([]uintptr, len(r.MaskedPaths))
	for i := range masks {
		fd, err := hold("/dev/null", true)
		if err != nil {
			return err
		}
		masks[i] = fd
	}
	root := uintptr(0)
	if !r.Image {
		fd, err := hold(r.Path, false)
		if err != nil {
			return err
		}
		add(set(r.Path, fd, unix.MS_NOSUID|unix.MS_NODEV, false))
		root = fd
	}

	options := "mode=755"
	if r.Scratch > 0 {
		options += ",size=" + strconv.FormatInt(r.Scratch, 10)
	}
	add(sys(stage, unix.SYS_MOUNT, p.bytes("tmpfs"), p.bytes(stage), p.bytes("tmpfs"), unix.MS_NOSUID|unix.MS_NODEV, p.bytes(options)))
	for _, d := range []string{"root", "low", "up", "work"} {
		add(sys(stage+"/"+d, unix.SYS_MKDIRAT, atFdCwd, p.bytes(stage+"/"+d), 0o755))
	}
	overlay := r.Overlay || r.Image
	at := stage + "/root"
	if overlay {
		at = stage + "/low"
	}
	if r.Image {
		add(sys(r.Path, unix.SYS_MOUNT, p.bytes(r.Path), p.bytes(at), p.bytes("squashfs"), unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV, 0))
	} else {
		add(sys(r.Path, unix.SYS_MOVE_MOUNT, root, none, atFdCwd, p.bytes(at), unix.MOVE_MOUNT_F_EMPTY_PATH))
	}
	if overlay {
		layers := "lowerdir=" + stage + "/low,upperdir=" + stage + "/up,workdir=" + stage + "/work"
		add(sys(r.Path, unix.SYS_MOUNT, p.bytes("overlay"), p.bytes(stage+"/root"), p.bytes("overlay"), unix.MS_NOSUID|unix.MS_NODEV, p.bytes(layers)))
	}
	dot := p.bytes(".")
	add(sys(r.Path, unix.SYS_CHDIR, p.bytes(stage+"/root")), sys(r.Path, unix.SYS_PIVOT_ROOT, dot, dot),
		sys(r.Path, unix.SYS_UMOUNT2, dot, unix.MNT_DETACH), sys(r.Path, unix.SYS_CHDIR, p.bytes("/")))

	for i, m := range r.Mounts {
		add(b.makePlace(m.Target, m.File)...)
		target := p.bytes(m.Target)
		flags := uint8(0)
		if m.Optional {
			flags = opOptional
		}
		if m.Type == "bind" {
			add(sys(m.Target, unix.SYS_MOVE_MOUNT, sources[i], none, atFdCwd, target, unix.MOVE_MOUNT_F_EMPTY_PATH).with(flags))
			continue
		}
		data := uintptr(0)
		if m.Data != "" {
			data = p.bytes(m.Data)
		}
		add(sys(m.Target, unix.SYS_MOUNT, p.bytes(m.Type), target, p.bytes(m.Type), uintptr(m.Flags), data).with(flags))
	}
	for _, l := range r.Links {
		add(sys(l.Path, unix.SYS_SYMLINKAT, p.bytes(l.To), atFdCwd, p.bytes(l.Path)).with(opOptional))
	}
	for i, name := range r.MaskedPaths {
		target := p.bytes(name)
		file := sys(name, unix.SYS_MOVE_MOUNT, masks[i], none, atFdCwd, target, unix.MOVE_MOUNT_F_EMPTY_PATH).with(opOptional)
		file.skip = 1
		add(file, sys(name, unix.SYS_MOUNT, p.bytes("tmpfs"), target, p.bytes("tmpfs"), unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, 0).with(opOptional))
	}
	for _, name := range r.ReadOnlyPaths {
		target := p.bytes(name)
		add(sys(name, unix.SYS_MOUNT, target, target, 0, unix.MS_BIND|unix.MS_REC, 0).with(opOptional),
			sys(name, unix.SYS_MOUNT_SETATTR, atFdCwd, target, unix.AT_RECURSIVE, p.raw(readOnlyAttr()), 32).with(opOptional))
	}
	if r.ReadOnly {
		add(sys("/", unix.SYS_MOUNT_SETATTR, atFdCwd, p.bytes("/"), 0, p.raw(readOnlyAttr()), 32))
	}
	return nil
}

func readOnlyAttr() []byte {
	return append(binary.NativeEndian.AppendUint64(nil, unix.MOUNT_ATTR_RDONLY), make([]byte, 24)...)
}

// makePlace makes a directory, or a file, to mount on, as far as it is missing.
func (b *builder) makePlace(target string, file bool) []op {
	var out []op
	dir := target
	if file {
		dir = path.Dir(target)
	}
	for i := 1; i <= len(dir); i++ {
		if i == len(dir) || dir[i] == '/' {
			if at := dir[:i]; at != "/" {
				out = append(out, call(-1, unix.SYS_MKDIRAT, atFdCwd, b.p.bytes(at), 0o755).with(opOptional))
			}
		}
	}
	if file {
		made := call(-1, unix.SYS_MKNODAT, atFdCwd, b.p.bytes(target), unix.S_IFREG|0o644, 0).with(opOptional)
		out = append(out, made)
	}
	return out
}
