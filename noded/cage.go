package noded

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/slice"
	"github.com/runink/rink/slurm"
)

// isolation is what a job's settings ask the kernel for.
type isolation struct {
	slurm.SliceConf
	ns slice.Namespaces
}

// isolationOf reads how far a job is to be shut off. A word that it does not
// know is an error: the job does not start with less than was set.
func isolationOf(here *rinkpb.JobHere) (isolation, error) {
	iso := isolation{SliceConf: slurm.DefaultSliceConf()}
	if here.Slice != "" {
		var err error
		if iso.SliceConf, err = slurm.ParseSliceConf(here.Slice); err != nil {
			return iso, err
		}
	} else { // a controller that is older
		iso.PrivateTmp, iso.Cgroup = here.PrivateTmp, here.Cgroup
		iso.Namespaces = strings.FieldsFunc(strings.ToLower(here.Namespaces), func(r rune) bool { return r == ',' || r == ' ' })
	}
	for _, w := range iso.Namespaces {
		switch w {
		case "pid":
			iso.ns.PID = true
		case "mount", "mnt":
			iso.ns.Mount = true
		case "uts":
			iso.ns.UTS = true
		case "ipc":
			iso.ns.IPC = true
		case "user":
			iso.ns.User = true
		case "net":
			iso.ns.Net = true
		case "cgroup":
			iso.ns.Cgroup = true
		case "none":
		default:
			return iso, fmt.Errorf("SliceNamespaces: %q is not a namespace (pid, mount, uts, ipc, user, net, cgroup or none)", w)
		}
	}
	// What one setting cannot be without.
	iso.ns.Mount = iso.ns.Mount || iso.PrivateTmp || iso.ReadOnly || iso.HideProcs || len(iso.Binds) > 0
	if iso.Net != "host" {
		iso.ns.Net = true
	}
	root := os.Geteuid() == 0
	if iso.Ephemeral {
		if !root {
			return iso, errors.New("SliceIdentity=ephemeral needs an agent run by root")
		}
		iso.ns.User, iso.ns.PID, iso.ns.Mount = true, true, true
	}
	// Only root makes these without a user namespace.
	if !root && (iso.ns.PID || iso.ns.Mount || iso.ns.UTS || iso.ns.IPC || iso.ns.Net || iso.ns.Cgroup) {
		iso.ns.User = true
	}
	return iso, nil
}

// cage lays down in a specification how far the slices of a job are shut off.
func (a *Agent) cage(j *job, iso isolation, spec *slice.Spec) error {
	spec.Namespaces = iso.ns
	if iso.ns.UTS {
		spec.Hostname = a.conf.Node
	}
	if iso.Ephemeral {
		if err := a.ephemeral(j, iso, spec); err != nil {
			return err
		}
	}
	if iso.PrivateTmp {
		dir, err := a.privateTmp(j.key, iso, slice.Identity{UID: spec.UID, GID: spec.GID})
		if err != nil {
			return err
		}
		spec.PrivateTmp, spec.Shm = dir, -1
		if iso.ShmSize > 0 {
			spec.Shm = int64(iso.ShmSize) << 20
		}
		if info, err := os.Lstat("/var/tmp"); err == nil && info.IsDir() {
			spec.Mounts = append(spec.Mounts, slice.Mount{Source: dir, Target: "/var/tmp"})
		}
	}
	for _, b := range iso.Binds {
		spec.Mounts = append(spec.Mounts, slice.Mount{Source: b.Source, Target: b.Target, ReadOnly: b.ReadOnly})
	}
	if iso.ns.Mount && a.wantsMPS(j) {
		dir := a.mpsDir(j.key) // also where the rest is read-only, or hidden
		spec.Mounts = append(spec.Mounts, slice.Mount{Source: dir, Target: dir})
	}
	if iso.Net == "private" {
		var err error
		if spec.Network, err = networkOf(iso); err != nil {
			return err
		}
	}
	spec.ReadOnly, spec.HideProcs = iso.ReadOnly, iso.HideProcs
	spec.Confine = slice.Confine{NoNewPrivs: iso.NoNewPrivs, DropCaps: iso.DropCaps, KeepCaps: iso.KeepCaps}
	switch iso.Seccomp {
	case "yes":
		spec.Confine.Seccomp = slice.SeccompDefault
	case "containers":
		spec.Confine.Seccomp = slice.SeccompContainers
	}
	return nil
}

// networkOf is the private network of SliceNet, SliceNetRange and SliceNetAllow.
func networkOf(iso isolation) (*slice.Network, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("SliceNet=private needs an agent run by root")
	}
	from, err := netip.ParsePrefix(iso.NetRange)
	if err != nil {
		return nil, fmt.Errorf("cannot use SliceNetRange: %w", err)
	}
	n := &slice.Network{Range: from}
	for _, d := range iso.NetAllow {
		to, err := netip.ParsePrefix(d.To)
		if err != nil {
			return nil, fmt.Errorf("cannot use SliceNetAllow: %w", err)
		}
		n.Allow = append(n.Allow, slice.Destination{To: to.Masked(), Port: d.Port})
	}
	return n, nil
}

// ephemeral has a job run under the user id that was drawn for it, which is an
// account of the node outside.
func (a *Agent) ephemeral(j *job, iso isolation, spec *slice.Spec) error {
	owner, err := a.onDisk(j.here, iso)
	if err != nil {
		return err
	}
	spec.UID, spec.GID = owner.UID, owner.GID
	if j.here.InsideUid == 0 {
		return fmt.Errorf("all user ids of SliceUIDs=%d-%d are in use on this node", iso.UIDs[0], iso.UIDs[1])
	}
	// Groups would show who it is, and open what the account's others may.
	spec.Inside, spec.Groups = &slice.Identity{UID: j.here.InsideUid, GID: j.here.InsideUid}, nil
	return nil
}

// onDisk is who owns what a job leaves on the node: its user, or the account of an
// ephemeral one.
func (a *Agent) onDisk(here *rinkpb.JobHere, iso isolation) (slice.Identity, error) {
	if !iso.Ephemeral || iso.Account == "" {
		return slice.Identity{UID: here.Uid, GID: here.Gid}, nil
	}
	u, err := a.users.ByName(iso.Account)
	if err != nil {
		return slice.Identity{}, fmt.Errorf("cannot look up the account of SliceIdentity=ephemeral:%s: %w", iso.Account, err)
	}
	return slice.Identity{UID: u.UID, GID: u.GID}, nil
}

// drawUID notes the user id of an ephemeral job in its order, which is kept for
// as long as the job is here. Needs a.mu held.
func (a *Agent) drawUID(here *rinkpb.JobHere) {
	iso, err := isolationOf(here)
	if here.InsideUid = 0; err != nil || !iso.Ephemeral {
		return
	}
	used := map[uint32]bool{}
	for _, j := range a.jobs {
		used[j.here.InsideUid] = true
	}
	count := uint64(iso.UIDs[1]) - uint64(iso.UIDs[0]) + 1
	for i := range min(count, uint64(len(used))+1) {
		uid := iso.UIDs[0] + uint32((uint64(here.Job)+i)%count)
		if !used[uid] {
			here.InsideUid = uid
			return
		}
	}
}

// privateTmp returns the directory that is a job's /tmp, and makes it: on the
// node's disk, or in memory.
func (a *Agent) privateTmp(k jobKey, iso isolation, owner slice.Identity) (string, error) {
	if iso.TmpSize <= 0 {
		dir, err := a.spool.file(k, "tmp")
		if err != nil {
			return "", err
		}
		return dir, userDir(dir, owner.UID, owner.GID)
	}
	if os.Geteuid() != 0 {
		return "", fmt.Errorf("SlicePrivateTmp=%s needs an agent run by root: a user cannot mount a /tmp that all of a job's steps see", iso.TmpSize.Raw())
	}
	a.shelfMu.Lock()
	defer a.shelfMu.Unlock()
	shelf, err := a.shelf()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(shelf, k.group())
	err = os.Mkdir(dir, 0o700)
	if errors.Is(err, os.ErrExist) && mounted(dir) {
		return dir, nil
	}
	if err != nil && !errors.Is(err, os.ErrExist) {
		return "", fmt.Errorf("cannot make a private /tmp: %w", err)
	}
	options := fmt.Sprintf("mode=0700,size=%dm,uid=%d,gid=%d", iso.TmpSize, owner.UID, owner.GID)
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
		return "", fmt.Errorf("cannot mount a private /tmp of %s: %w", iso.TmpSize.Raw(), err)
	}
	return dir, nil
}

// shelf is where the /tmp directories in memory are mounted. It is a mount of
// its own that passes nothing on: a /tmp that appears there does not appear in
// every slice that runs.
func (a *Agent) shelf() (string, error) {
	dir := filepath.Join(a.conf.Spool, "tmp")
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return "", fmt.Errorf("cannot make a place for private /tmp directories: %w", err)
	}
	if !mounted(dir) {
		if err := unix.Mount(dir, dir, "", unix.MS_BIND, ""); err != nil {
			return "", fmt.Errorf("cannot make a place for private /tmp directories: %w", err)
		}
	}
	if err := unix.Mount("", dir, "", unix.MS_PRIVATE, ""); err != nil {
		return "", fmt.Errorf("cannot make a place for private /tmp directories: %w", err)
	}
	return dir, nil
}

// mounted says that something is mounted on a directory.
func mounted(dir string) bool {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 4 && f[4] == dir {
			return true
		}
	}
	return false
}

// dropTmp takes away a job's /tmp in memory.
func (a *Agent) dropTmp(k jobKey) {
	a.shelfMu.Lock()
	defer a.shelfMu.Unlock()
	shelf := filepath.Join(a.conf.Spool, "tmp")
	if a.dropTmpAt(filepath.Join(shelf, fmt.Sprintf("%d.%d", k.job, k.restarts))) {
		dropEmpty(shelf)
	}
}

// dropEmpty takes the shelf down when nothing is on it.
func dropEmpty(shelf string) {
	if left, err := os.ReadDir(shelf); err == nil && len(left) == 0 {
		unix.Unmount(shelf, unix.MNT_DETACH)
		os.Remove(shelf)
	}
}

func (a *Agent) dropTmpAt(dir string) (there bool) {
	if _, err := os.Lstat(dir); err != nil {
		return false
	}
	if err := unix.Unmount(dir, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil && err != unix.EINVAL {
		a.log.Warn("cannot unmount a private /tmp", "directory", dir, "error", err)
	}
	if err := os.Remove(dir); err != nil {
		a.log.Warn("cannot remove a private /tmp", "directory", dir, "error", err)
	}
	return true
}

// sweepShelf takes away the /tmp directories of jobs that are no more, as after
// a crash, and the shelf itself when it is empty.
func (a *Agent) sweepShelf() {
	a.shelfMu.Lock()
	defer a.shelfMu.Unlock()
	shelf := filepath.Join(a.conf.Spool, "tmp")
	entries, err := os.ReadDir(shelf)
	if err != nil {
		return
	}
	for _, e := range entries {
		job, restarts, _ := strings.Cut(e.Name(), ".")
		n, err1 := strconv.ParseUint(job, 10, 32)
		r, err2 := strconv.ParseUint(restarts, 10, 32)
		if k := (jobKey{uint32(n), uint32(r)}); err1 == nil && err2 == nil && a.find(k) == nil {
			a.dropTmpAt(filepath.Join(shelf, e.Name()))
		}
	}
	dropEmpty(shelf)
}

// userDir makes a directory of the job's user that nobody else reads.
func userDir(dir string, uid, gid uint32) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("cannot make a private /tmp: %w", err)
	}
	if os.Geteuid() == 0 {
		if err := os.Lchown(dir, int(uid), int(gid)); err != nil {
			return fmt.Errorf("cannot make a private /tmp: %w", err)
		}
	}
	return nil
}
