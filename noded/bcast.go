package noded

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/runink/rink/api/lz4"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/auth"
)

// maxBlock bounds a block once it is unpacked.
const maxBlock = 64 << 20

// Bcast writes one file for the user that calls, with that user's own rights. It
// is there whole, under its name, or not at all.
func (s *stepIO) Bcast(stream rinkpb.Agent_BcastServer) error {
	who, err := auth.Caller(stream.Context())
	if err != nil {
		return err
	}
	// Which job a user has where is the controller's to say, and no other daemon's.
	if peer, ok := auth.PeerFrom(stream.Context()); !ok || !peer.IsDaemon(auth.RoleController) || !who.IsUser() {
		return status.Error(codes.PermissionDenied, "files are written for users, by the controller's word")
	}
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	f := first.GetFile()
	if f == nil || f.Here == nil || f.Here.Uid != who.UID || !filepath.IsAbs(f.Dest) {
		return status.Error(codes.InvalidArgument, "a file begins with what it is and whose job it is for")
	}
	out := &rinkpb.BcastOutcome{Node: s.a.conf.Node}
	if err := s.a.receive(stream, f); err != nil {
		var errno syscall.Errno
		if !errors.As(err, &errno) {
			return status.Error(codes.Aborted, err.Error())
		}
		out.Errno, out.Error = int32(errno), upperFirst(errno.Error())
	}
	return stream.SendAndClose(&rinkpb.BcastReply{Status: &rinkpb.Status{}, Outcomes: []*rinkpb.BcastOutcome{out}})
}

func upperFirst(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// receive takes a file's blocks and puts it in its place.
func (a *Agent) receive(stream rinkpb.Agent_BcastServer, f *rinkpb.BcastFile) error {
	user, err := a.rightsOf(f.Here)
	if err != nil {
		return err
	}
	dest, err := a.placeOf(f)
	if err != nil {
		return err
	}
	if f.Directory {
		return user.do(func() error { return makeDir(dest, f.Force) })
	}
	file, err := as(user, func() (*os.File, error) { return openBeside(dest, f.Force) })
	if err != nil {
		return err
	}
	kept := false
	defer func() {
		file.Close()
		if !kept {
			user.do(func() error { return os.Remove(file.Name()) })
		}
	}()
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return errors.New("the file ended before its end was told")
		}
		if err != nil {
			return err
		}
		if m.End {
			break
		}
		block := m.Block
		if f.Compress != "" {
			if f.Compress != "lz4" || m.Size > maxBlock {
				return unix.EINVAL
			}
			if block, err = lz4.Unpack(block, int(m.Size)); err != nil {
				return unix.EBADMSG
			}
		}
		if _, err := file.Write(block); err != nil {
			return err
		}
	}
	if err := user.do(func() error { return settle(file, dest, f) }); err != nil {
		return err
	}
	kept = true
	return nil
}

// placeOf is where on this machine a file goes: a job with a /tmp of its own finds
// it there.
func (a *Agent) placeOf(f *rinkpb.BcastFile) (string, error) {
	dest := filepath.Clean(f.Dest)
	iso, err := isolationOf(f.Here)
	if err != nil || !iso.PrivateTmp {
		return dest, err
	}
	for _, tmp := range []string{"/tmp", "/var/tmp"} {
		rest, ok := strings.CutPrefix(dest, tmp+"/")
		if !ok {
			continue
		}
		// The directory goes with the job, which is therefore known here from now on.
		j := a.enter(f.Here)
		if j == nil {
			return "", unix.ESRCH
		}
		if !a.spool.has(j.key, "job") {
			if err := a.spool.put(j.key, "job", j.noted(f.Here)); err != nil {
				return "", err
			}
		}
		owner, err := a.onDisk(f.Here, iso)
		if err != nil {
			return "", err
		}
		dir, err := a.privateTmp(j.key, iso, owner)
		if err != nil {
			return "", err
		}
		return filepath.Join(dir, rest), nil
	}
	return dest, nil
}

// openBeside opens a new file in the directory of dest, and refuses a dest that
// cannot be written anyway before any of it is sent.
func openBeside(dest string, force bool) (*os.File, error) {
	var st unix.Stat_t
	switch err := unix.Lstat(dest, &st); {
	case err == nil && !force:
		return nil, unix.EEXIST
	case err == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR:
		return nil, unix.EISDIR
	case err != nil && err != unix.ENOENT:
		return nil, err
	}
	var random [8]byte
	rand.Read(random[:])
	name := filepath.Join(filepath.Dir(dest), ".rbcast-"+hex.EncodeToString(random[:]))
	fd, err := unix.Open(name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// settle gives a file that is written its mode, its times and its name.
func settle(file *os.File, dest string, f *rinkpb.BcastFile) error {
	mode := f.Mode & 0o777
	if f.Preserve {
		mode = f.Mode & 0o7777
	}
	fd := int(file.Fd())
	if err := unix.Fchmod(fd, mode); err != nil {
		return err
	}
	if f.Preserve {
		times := []unix.Timespec{unix.NsecToTimespec(f.Atime), unix.NsecToTimespec(f.Mtime)}
		if err := unix.UtimesNanoAt(unix.AT_FDCWD, file.Name(), times, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return err
		}
	}
	if f.Force {
		return unix.Rename(file.Name(), dest)
	}
	err := unix.Renameat2(unix.AT_FDCWD, file.Name(), unix.AT_FDCWD, dest, unix.RENAME_NOREPLACE)
	if err == unix.EINVAL || err == unix.ENOSYS { // the file system cannot
		if err = unix.Link(file.Name(), dest); err == nil {
			err = unix.Unlink(file.Name())
		}
	}
	return err
}

func makeDir(dest string, force bool) error {
	err := unix.Mkdir(dest, 0o700)
	if err == unix.EEXIST && force {
		var st unix.Stat_t
		if err = unix.Lstat(dest, &st); err == nil && st.Mode&unix.S_IFMT != unix.S_IFDIR {
			err = unix.ENOTDIR
		}
	}
	return err
}
