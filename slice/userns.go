package slice

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// A process that is born into a user namespace cannot share the launcher's
// memory. So under a root launcher nobody is: user namespaces are made ahead,
// by a process that does nothing else, and kept; a task enters the one with its
// identity when it becomes the user. Jobs of one identity have one in common,
// which gives them nothing: they have no capability in it.

// maxUserSpaces is how many are kept for later, the longest unused leaving.
const maxUserSpaces = 128

type userSpaces struct {
	mu   sync.Mutex // guards what follows
	kept []userSpace
}

type userSpace struct {
	uids, gids string
	file       *os.File
}

// idMaps are the lines of uid_map and gid_map for a slice: its identity inside,
// and its supplementary groups as they are.
func idMaps(s *Spec) (uids, gids string) {
	in := Identity{s.UID, s.GID}
	if s.Inside != nil {
		in = *s.Inside
	}
	uids, gids = fmt.Sprintf("%d %d 1\n", in.UID, s.UID), fmt.Sprintf("%d %d 1\n", in.GID, s.GID)
	groups := slices.Clone(s.Groups)
	slices.Sort(groups)
	for _, g := range slices.Compact(groups) {
		if g != s.GID && g != in.GID {
			gids += fmt.Sprintf("%d %d 1\n", g, g)
		}
	}
	return uids, gids
}

// userSpace returns the user namespace of a slice's identity, the caller's to
// close.
func (h *Host) userSpace(s *Spec) (*os.File, error) {
	uids, gids := idMaps(s)
	h.users.mu.Lock()
	defer h.users.mu.Unlock()
	kept := h.users.kept
	at := slices.IndexFunc(kept, func(u userSpace) bool { return u.uids == uids && u.gids == gids })
	if at < 0 {
		file, err := h.makeUserSpace(uids, gids)
		if err != nil {
			return nil, err
		}
		if len(kept) == maxUserSpaces {
			kept[0].file.Close()
			kept = kept[1:]
		}
		kept = append(kept, userSpace{uids, gids, file})
		at = len(kept) - 1
	} else {
		u := kept[at]
		kept = append(slices.Delete(kept, at, at+1), u)
		at = len(kept) - 1
	}
	h.users.kept = kept
	fd, err := unix.FcntlInt(kept[at].file.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, &StartError{Stage: StageNamespace, Path: "user", Task: -1, Detail: err.Error()}
	}
	return os.NewFile(uintptr(fd), "user namespace"), nil
}

func (u *userSpaces) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, k := range u.kept {
		k.file.Close()
	}
	u.kept = nil
}

// makeUserSpace makes a user namespace with these maps. Its one process waits
// for a word and is gone without one.
func (h *Host) makeUserSpace(uids, gids string) (*os.File, error) {
	b := &builder{host: h, p: &program{waitGo: true, cloneFlags: unix.CLONE_NEWUSER | sharesMemory}}
	defer b.close()
	if err := b.p.stack(); err != nil {
		return nil, &StartError{Stage: StageNamespace, Path: "user", Task: -1, Detail: err.Error()}
	}
	defer b.p.free()
	if err := b.channel(); err != nil {
		return nil, err
	}
	b.gaps()
	h.firstMu.Lock()
	syscall.ForkLock.Lock()
	pid, e := b.p.fork()
	syscall.ForkLock.Unlock()
	if e == 0 {
		h.firsts[pid] = true
	}
	h.firstMu.Unlock()
	runtime.KeepAlive(b.p)
	if e != 0 {
		b.ctl.Close()
		return nil, &StartError{Stage: StageNamespace, Path: "user", Task: -1, Errno: e}
	}
	defer h.bury(pid)
	defer b.ctl.Close()
	dir := "/proc/" + strconv.Itoa(pid) + "/"
	for _, m := range [][2]string{{"uid_map", uids}, {"gid_map", gids}} {
		if err := writeValue(dir+m[0], m[1]); err != nil {
			return nil, mapError(dir+m[0], fmt.Errorf("%w (%s)", err, strings.TrimSpace(m[1])))
		}
	}
	file, err := os.Open(dir + "ns/user")
	if err != nil {
		var e syscall.Errno
		errors.As(err, &e)
		return nil, &StartError{Stage: StageNamespace, Path: "user", Task: -1, Errno: e, Detail: err.Error()}
	}
	return file, nil
}
