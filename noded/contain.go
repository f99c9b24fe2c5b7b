package noded

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/runink/rink/noded/container"
	"github.com/runink/rink/noded/taskenv"
	"github.com/runink/rink/slice"
)

// Containers of --container: an OCI bundle, a directory, or a squashfs image. What
// of them is read is read with the rights of the job's user, and what they bind
// from this machine is there for that user to be reached.

// scriptPlace is where a batch script is found in a container.
const scriptPlace = "/var/run/slurm/slurm_script"

// contained is what has to be done for a container beside its slice.
type contained struct{ loop *os.File }

// close lets go of what was only needed until the slice has started.
func (c *contained) close() {
	if c != nil && c.loop != nil {
		c.loop.Close()
	}
}

// contain puts the slice that spec describes into a container. script is the path
// of the batch script on this machine, which tasks find in it; "" when there is
// none. chdir says that the directory of the tasks was asked for, and counts before
// the container's own.
func (a *Agent) contain(j *job, spec *slice.Spec, bundle, script string, chdir bool) (*contained, error) {
	held := &contained{}
	user, err := a.rightsOf(j.here)
	if err != nil {
		return nil, err
	}
	if !filepath.IsAbs(bundle) {
		bundle = filepath.Join(j.here.WorkDir, bundle)
	}
	workDir := ""
	if len(spec.Tasks) > 0 {
		workDir = spec.Tasks[0].Dir
	}
	plan, err := a.planOf(user, spec, held, filepath.Clean(bundle), workDir)
	if err == nil {
		err = a.applyPlan(user, spec, plan, script, chdir)
	}
	if err != nil {
		held.close()
		return nil, fmt.Errorf("cannot make a container of %s: %w", bundle, err)
	}
	return held, nil
}

// intoContainer puts a slice that is being started into its container, if it is to
// have one.
func (a *Agent) intoContainer(j *job, id string, spec *slice.Spec, bundle, script string, chdir bool) error {
	if bundle == "" {
		return nil
	}
	held, err := a.contain(j, spec, bundle, script, chdir)
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	r := j.slices[id]
	if r == nil { // it was told to end meanwhile
		held.close()
		return nil
	}
	r.held.close()
	r.held = held
	return nil
}

// planOf finds out what kind of container is at a path, and reads it.
func (a *Agent) planOf(user *rights, spec *slice.Spec, held *contained, path, workDir string) (*container.Plan, error) {
	at, err := as(user, func() (bundleAt, error) { return lookAtBundle(path) })
	image := at.image
	if image != nil {
		defer image.Close()
	}
	path = at.path
	switch {
	case err != nil:
		return nil, err
	case at.config != nil:
		return container.Read(at.config, path, container.Who{UID: spec.UID, GID: spec.GID})
	case image == nil:
		if err := user.do(func() error { return enterable(path) }); err != nil {
			return nil, err
		}
		return container.Plain(path, false, workDir), nil
	}
	if known, err := os.ReadFile("/proc/filesystems"); err != nil || !slices.Contains(strings.Fields(string(known)), "squashfs") {
		return nil, errors.New("this machine's kernel has no squashfs (modprobe squashfs loads it): unpack the image with unsquashfs and use the directory")
	}
	if held.loop, err = slice.LoopDeviceOf(image); err != nil {
		return nil, err
	}
	return container.Plain(held.loop.Name(), true, workDir), nil
}

// bundleAt is what is at the path of a bundle: a directory, with a config.json or
// without, or an image.
type bundleAt struct {
	path   string // without links
	config []byte
	image  *os.File // nil: it is a directory
}

func lookAtBundle(path string) (at bundleAt, err error) {
	if at.path, err = filepath.EvalSymlinks(path); err != nil {
		return at, err
	}
	file, err := os.OpenFile(at.path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return at, err
	}
	info, err := file.Stat()
	switch {
	case err != nil:
	case info.IsDir():
		at.config, err = readConfig(filepath.Join(at.path, "config.json"))
	case !info.Mode().IsRegular():
		err = errors.New("it is neither a directory nor an image")
	default:
		magic := make([]byte, 4)
		if _, rerr := io.ReadFull(file, magic); rerr == nil && bytes.Equal(magic, []byte("hsqs")) {
			at.image = file
			return at, nil
		}
		err = errors.New("it is no squashfs image, and no directory")
	}
	file.Close()
	return at, err
}

// readConfig reads a bundle's config.json; nil when there is none.
func readConfig(path string) ([]byte, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, container.MaxConfig+1))
	if err == nil && text == nil {
		text = []byte{}
	}
	return text, err
}

// applyPlan puts what a container is to be into a slice's description. The
// settings of the cluster stay: a container can only be shut off further.
func (a *Agent) applyPlan(user *rights, spec *slice.Spec, plan *container.Plan, script string, chdir bool) error {
	root := plan.Root
	if spec.Inside != nil && plan.Inside != nil {
		return errors.New("config.json: process.user: jobs have a user of their own here (SliceIdentity)")
	}
	var mounts []slice.RootMount
	for _, m := range root.Mounts {
		if m.Type == "bind" {
			real, err := as(user, func() (slice.RootMount, error) { return reach(m) })
			if errors.Is(err, os.ErrNotExist) && m.Optional {
				continue
			}
			if err != nil {
				return fmt.Errorf("cannot bind %s: %w", m.Source, err)
			}
			m = real
		}
		mounts = append(mounts, m)
	}
	root.Mounts = mounts
	if !root.Image {
		at, err := as(user, func() (string, error) {
			at, err := filepath.EvalSymlinks(plan.Root.Path)
			if err == nil {
				err = enterable(at)
			}
			return at, err
		})
		if err != nil {
			return err
		}
		root.Path = at
	}
	// What the cluster's settings give every job.
	if tmp := spec.PrivateTmp; tmp != "" {
		root.Mounts = append(root.Mounts, slice.RootMount{Type: "bind", Source: tmp, Target: "/tmp"})
		if spec.Shm == 0 {
			root.Mounts = append(root.Mounts, slice.RootMount{Type: "bind", Source: filepath.Join(tmp, "shm"), Target: "/dev/shm"})
		}
	}
	if spec.Shm != 0 {
		data := "mode=1777"
		if spec.Shm > 0 {
			data += fmt.Sprintf(",size=%d", spec.Shm)
		}
		root.Mounts = append(root.Mounts, slice.RootMount{Type: "tmpfs", Target: "/dev/shm", Flags: unix.MS_NOSUID | unix.MS_NODEV, Data: data})
	}
	for _, m := range spec.Mounts {
		one := slice.RootMount{Type: "bind", Source: m.Source, Target: m.Target}
		if m.ReadOnly {
			one.Flags = unix.MS_RDONLY
		}
		real, err := reach(one)
		if err != nil {
			return fmt.Errorf("cannot bind %s: %w", m.Source, err)
		}
		root.Mounts = append(root.Mounts, real)
	}
	spec.PrivateTmp, spec.Shm, spec.Mounts, spec.ReadOnly, spec.HideProcs = "", 0, nil, false, false
	if script != "" {
		root.Mounts = append(root.Mounts, slice.RootMount{Type: "bind", Source: script, Target: scriptPlace, File: true, Only: true, Flags: unix.MS_RDONLY})
	}
	spec.Root = &root
	n, m := &spec.Namespaces, plan.Namespaces
	*n = slice.Namespaces{PID: true, Mount: true, UTS: n.UTS || m.UTS, IPC: n.IPC || m.IPC, User: n.User || m.User, Net: n.Net || m.Net, Cgroup: n.Cgroup || m.Cgroup && spec.Cgroup.On}
	if os.Geteuid() != 0 {
		n.User = true
	}
	if plan.Hostname != "" {
		spec.Hostname = plan.Hostname
	}
	if plan.Inside != nil {
		if os.Geteuid() != 0 {
			return errors.New("config.json: process.user: another user than the job's needs an agent run by root")
		}
		spec.Inside = plan.Inside
		// The main group is another inside, and so is one that would have its number.
		in, out := plan.Inside.GID, spec.GID
		spec.Groups = slices.DeleteFunc(slices.Clone(spec.Groups), func(g uint32) bool { return g == in || g == out })
	}
	if plan.OOMScoreAdj != nil {
		spec.OOMScoreAdj = plan.OOMScoreAdj
	}
	for _, l := range plan.Rlimits {
		var have unix.Rlimit
		if err := unix.Getrlimit(l.Resource, &have); err != nil {
			return fmt.Errorf("cannot read a resource limit: %w", err)
		}
		l.Hard = min(l.Hard, have.Max)
		l.Soft = min(l.Soft, l.Hard)
		spec.Rlimits = append(spec.Rlimits, l)
	}
	c := &spec.Confine
	c.NoNewPrivs = c.NoNewPrivs || plan.NoNewPrivs
	if plan.Bounded && os.Geteuid() == 0 {
		keep := plan.Bounding
		if c.DropCaps {
			keep = slices.DeleteFunc(slices.Clone(keep), func(name string) bool { return !slices.Contains(c.KeepCaps, name) })
		}
		c.DropCaps, c.KeepCaps = true, keep
	}
	for i := range spec.Tasks {
		t := &spec.Tasks[i]
		for _, st := range []*slice.Stream{&t.Stdin, &t.Stdout, &t.Stderr} {
			if st.Kind == slice.StreamFile && !filepath.IsAbs(st.Path) {
				st.Path = filepath.Join(t.Dir, st.Path)
			}
		}
		if !chdir {
			t.Dir = plan.Dir
		}
		t.FallbackDir, t.DirNote = "/", ""
		if len(t.Argv) == 0 {
			t.Argv = plan.Args
		}
		if len(t.Argv) == 0 {
			return errors.New("config.json: process.args: is not there, and no program was given")
		}
		if script != "" && t.Argv[0] == script {
			t.Argv = append([]string{scriptPlace}, t.Argv[1:]...)
		}
		env := taskenv.New(t.Env)
		for _, kv := range plan.Env {
			if name, value, ok := strings.Cut(kv, "="); ok && !strings.HasPrefix(name, "SLURM_") {
				env.Set(name, value)
			}
		}
		t.Env = env.List()
	}
	return nil
}

// enterable says why a directory cannot be entered.
func enterable(dir string) error {
	_, err := os.Stat(dir + "/.")
	return err
}

// reach makes sure that the source of a bind mount can be reached, and says by
// what path without links and whether it is a directory.
func reach(m slice.RootMount) (slice.RootMount, error) {
	real, err := filepath.EvalSymlinks(m.Source)
	if err != nil {
		return m, err
	}
	info, err := os.Stat(real)
	if err != nil {
		return m, err
	}
	m.Source, m.File = real, !info.IsDir()
	return m, nil
}
