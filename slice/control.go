package slice

import (
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// The files of groups are opened some twenty times for a slice, and most of what that
// takes is the way from the root. So the groups that all slices are in are kept open,
// and what lies below one of them is looked for from there.

// anchor is a directory that is open.
type anchor struct {
	dir string // with a slash at the end
	fd  int
}

// addAnchor keeps a directory open; one that cannot be is not.
func (h *Host) addAnchor(dir string) {
	if fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err == nil {
		h.near = append(h.near, anchor{dir + "/", fd})
	}
}

func (h *Host) closeAnchors() {
	for _, a := range h.near {
		unix.Close(a.fd)
	}
	h.near = nil
}

// from is where to look for a path, and by what name there.
func (h *Host) from(path string) (int, string) {
	for i := range h.near {
		if rest, ok := strings.CutPrefix(path, h.near[i].dir); ok && rest != "" {
			return h.near[i].fd, rest
		}
	}
	return unix.AT_FDCWD, path
}

// gone says that what was looked for is not there, or that the anchor was removed, and
// another made in its place.
func gone(err error) bool { return err == unix.ENOENT || err == unix.ENODEV }

// open opens a file of a group.
func (h *Host) open(file string, flags int) (int, error) {
	at, name := h.from(file)
	for {
		fd, err := unix.Openat(at, name, flags|unix.O_CLOEXEC, 0)
		if at != unix.AT_FDCWD && gone(err) {
			at, name = unix.AT_FDCWD, file
			continue
		}
		if err != unix.EINTR {
			return fd, err
		}
	}
}

func (h *Host) rename(from, to string) error {
	at, name := h.from(from)
	at2, name2 := h.from(to)
	err := unix.Renameat(at, name, at2, name2)
	if at != unix.AT_FDCWD && gone(err) {
		err = unix.Rename(from, to)
	}
	return err
}

func (h *Host) stat(path string, st *unix.Stat_t) error {
	at, name := h.from(path)
	err := unix.Fstatat(at, name, st, 0)
	if at != unix.AT_FDCWD && gone(err) {
		err = unix.Stat(path, st)
	}
	return err
}

// read reads a file of a group whole, and write writes one that is there.
func (h *Host) read(file string) (string, error) { return readFrom(h.open(file, unix.O_RDONLY)) }

func (h *Host) write(file, value string) error {
	fd, err := h.open(file, unix.O_WRONLY)
	if err != nil {
		return err
	}
	return writeInto(fd, value)
}

// readControl reads a control file whole.
func readControl(file string) (string, error) {
	return readFrom(unix.Open(file, unix.O_RDONLY|unix.O_CLOEXEC, 0))
}

// writeValue writes one control file without making it.
func writeValue(file, value string) error {
	fd, err := unix.Open(file, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	return writeInto(fd, value)
}

func readFrom(fd int, err error) (string, error) {
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	var room [1024]byte
	out := room[:0]
	for {
		out = slices.Grow(out, 1)
		n, err := unix.Read(fd, out[len(out):cap(out)])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return "", err
		}
		if n == 0 {
			return string(out), nil
		}
		out = out[:len(out)+n]
	}
}

func writeInto(fd int, value string) error {
	defer unix.Close(fd)
	for {
		// The kernel gives way to signals while it makes room for a memory
		// limit, and the runtime sends itself signals.
		if _, err := unix.Write(fd, []byte(value)); err != unix.EINTR {
			return err
		}
	}
}

// openControl opens a file of a group to be written by a slice. The runtime does not
// watch it, which it would for nothing.
func (h *Host) openControl(path string) (*os.File, error) {
	fd, err := h.open(path, unix.O_WRONLY)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}
