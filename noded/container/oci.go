// Package container reads what a container is to be, an OCI bundle's config.json
// above all, into what package slice makes of it. It touches no file. What it does
// not support is refused by the name it has in config.json: a container that lacks
// something it was promised does not start.
package container

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/runink/rink/slice"
)

// MaxConfig bounds a config.json.
const MaxConfig = 4 << 20

// Plan is a container as a slice can have it.
type Plan struct {
	Root       slice.Root
	Namespaces slice.Namespaces
	Hostname   string
	Inside     *slice.Identity // nil: who the job is
	Args, Env  []string
	Dir        string
	NoNewPrivs bool
	// Bounding are the capabilities that may be had, by their short names, when
	// Bounded.
	Bounded     bool
	Bounding    []string
	Rlimits     []slice.Rlimit
	OOMScoreAdj *int
}

// Who is whom a container runs for.
type Who struct{ UID, GID uint32 }

// reader gathers what is wrong with a config.json.
type reader struct{ errs []error }

func (r *reader) refuse(at, format string, args ...any) {
	r.errs = append(r.errs, fmt.Errorf("config.json: %s: %s", at, fmt.Sprintf(format, args...)))
}

// not refuses what is set and not supported.
func (r *reader) not(at string, set bool) {
	if set {
		r.refuse(at, "not supported")
	}
}

// Read reads a config.json. bundle is its directory: relative paths begin there.
func Read(text []byte, bundle string, who Who) (*Plan, error) {
	if len(text) > MaxConfig {
		return nil, fmt.Errorf("config.json is larger than %d bytes", MaxConfig)
	}
	var s specs.Spec
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil {
		return nil, fmt.Errorf("config.json: %w", err)
	}
	r := &reader{}
	if !strings.HasPrefix(s.Version, "1.") {
		r.refuse("ociVersion", "%q is not a version 1", s.Version)
	}
	p := &Plan{Namespaces: slice.Namespaces{PID: true, Mount: true}, Hostname: s.Hostname, Dir: "/"}
	r.root(&s, p, bundle)
	r.process(s.Process, p, who)
	r.not("domainname", s.Domainname != "")
	r.not("hooks", s.Hooks != nil && len(s.Hooks.Prestart)+len(s.Hooks.CreateRuntime)+len(s.Hooks.CreateContainer)+len(s.Hooks.StartContainer)+len(s.Hooks.Poststart)+len(s.Hooks.Poststop) > 0) //nolint:staticcheck // Prestart is old, and refused
	for name, other := range map[string]bool{"solaris": s.Solaris != nil, "windows": s.Windows != nil, "vm": s.VM != nil, "zos": s.ZOS != nil, "freebsd": s.FreeBSD != nil} {
		r.not(name, other)
	}
	if s.Linux != nil {
		r.linux(s.Linux, p, who)
	}
	for i := range s.Mounts {
		r.mount(fmt.Sprintf("mounts[%d]", i), &s.Mounts[i], p, bundle)
	}
	if p.Hostname != "" {
		p.Namespaces.UTS = true
	}
	devices(p)
	if len(r.errs) > 0 {
		slices.SortFunc(r.errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
		return nil, errors.Join(r.errs...)
	}
	return p, nil
}

func (r *reader) root(s *specs.Spec, p *Plan, bundle string) {
	if s.Root == nil || s.Root.Path == "" {
		r.refuse("root.path", "is not there")
		return
	}
	p.Root.Path, p.Root.ReadOnly = s.Root.Path, s.Root.Readonly
	if !filepath.IsAbs(p.Root.Path) {
		p.Root.Path = filepath.Join(bundle, p.Root.Path)
	}
}

func (r *reader) process(c *specs.Process, p *Plan, who Who) {
	if c == nil {
		return
	}
	p.Args, p.Env, p.NoNewPrivs = c.Args, c.Env, c.NoNewPrivileges
	if c.Cwd != "" {
		if p.Dir = filepath.Clean(c.Cwd); !filepath.IsAbs(c.Cwd) {
			r.refuse("process.cwd", "%q is not absolute", c.Cwd)
		}
	}
	if c.User.UID != who.UID || c.User.GID != who.GID {
		p.Inside = &slice.Identity{UID: c.User.UID, GID: c.User.GID}
		p.Namespaces.User = true
	}
	r.not("process.user.additionalGids", len(c.User.AdditionalGids) > 0)
	r.not("process.user.username", c.User.Username != "")
	r.not("process.apparmorProfile", c.ApparmorProfile != "")
	r.not("process.selinuxLabel", c.SelinuxLabel != "")
	r.not("process.scheduler", c.Scheduler != nil)
	r.not("process.ioPriority", c.IOPriority != nil)
	if c.OOMScoreAdj != nil {
		if v := *c.OOMScoreAdj; v < 0 || v > 1000 {
			r.refuse("process.oomScoreAdj", "%d is not from 0 to 1000", v)
		}
		p.OOMScoreAdj = c.OOMScoreAdj
	}
	if c.Capabilities != nil {
		p.Bounded = true
		for _, name := range c.Capabilities.Bounding {
			p.Bounding = append(p.Bounding, strings.ToLower(strings.TrimPrefix(name, "CAP_")))
		}
	}
	for i, l := range c.Rlimits {
		at := fmt.Sprintf("process.rlimits[%d]", i)
		n, ok := rlimits[l.Type]
		switch {
		case !ok:
			r.refuse(at, "there is no limit %q", l.Type)
		case l.Soft > l.Hard:
			r.refuse(at, "the soft limit is above the hard one")
		}
		p.Rlimits = append(p.Rlimits, slice.Rlimit{Resource: n, Soft: l.Soft, Hard: l.Hard})
	}
	if c.User.Umask != nil && *c.User.Umask > 0o777 {
		r.refuse("process.user.umask", "%#o", *c.User.Umask)
	}
}

var rlimits = map[string]int{
	"RLIMIT_AS": unix.RLIMIT_AS, "RLIMIT_CORE": unix.RLIMIT_CORE, "RLIMIT_CPU": unix.RLIMIT_CPU, "RLIMIT_DATA": unix.RLIMIT_DATA,
	"RLIMIT_FSIZE": unix.RLIMIT_FSIZE, "RLIMIT_LOCKS": unix.RLIMIT_LOCKS, "RLIMIT_MEMLOCK": unix.RLIMIT_MEMLOCK, "RLIMIT_MSGQUEUE": unix.RLIMIT_MSGQUEUE,
	"RLIMIT_NICE": unix.RLIMIT_NICE, "RLIMIT_NOFILE": unix.RLIMIT_NOFILE, "RLIMIT_NPROC": unix.RLIMIT_NPROC, "RLIMIT_RSS": unix.RLIMIT_RSS,
	"RLIMIT_RTPRIO": unix.RLIMIT_RTPRIO, "RLIMIT_RTTIME": unix.RLIMIT_RTTIME, "RLIMIT_SIGPENDING": unix.RLIMIT_SIGPENDING, "RLIMIT_STACK": unix.RLIMIT_STACK,
}

func (r *reader) linux(l *specs.Linux, p *Plan, who Who) {
	for i, n := range l.Namespaces {
		at := fmt.Sprintf("linux.namespaces[%d]", i)
		r.not(at+".path", n.Path != "")
		switch n.Type {
		case specs.PIDNamespace, specs.MountNamespace: // always
		case specs.NetworkNamespace:
			p.Namespaces.Net = true
		case specs.IPCNamespace:
			p.Namespaces.IPC = true
		case specs.UTSNamespace:
			p.Namespaces.UTS = true
		case specs.UserNamespace:
			p.Namespaces.User = true
		case specs.CgroupNamespace:
			p.Namespaces.Cgroup = true
		default:
			r.refuse(at, "a namespace of type %q is not supported", n.Type)
		}
	}
	id := slice.Identity{UID: who.UID, GID: who.GID}
	if p.Inside != nil {
		id = *p.Inside
	}
	r.mapping("linux.uidMappings", l.UIDMappings, id.UID, who.UID)
	r.mapping("linux.gidMappings", l.GIDMappings, id.GID, who.GID)
	r.not("linux.devices", len(l.Devices) > 0)
	r.not("linux.netDevices", len(l.NetDevices) > 0)
	r.not("linux.seccomp", l.Seccomp != nil)
	r.not("linux.sysctl", len(l.Sysctl) > 0)
	r.not("linux.mountLabel", l.MountLabel != "")
	r.not("linux.intelRdt", l.IntelRdt != nil)
	r.not("linux.memoryPolicy", l.MemoryPolicy != nil)
	r.not("linux.personality", l.Personality != nil && l.Personality.Domain != specs.PerLinux)
	r.not("linux.timeOffsets", len(l.TimeOffsets) > 0)
	switch l.RootfsPropagation {
	case "", "private", "rprivate", "slave", "rslave":
	default:
		r.refuse("linux.rootfsPropagation", "%q is not supported", l.RootfsPropagation)
	}
	if res := l.Resources; res != nil {
		for i, d := range res.Devices {
			if d.Allow {
				r.refuse(fmt.Sprintf("linux.resources.devices[%d]", i), "devices are given by the scheduler: ask with --gres")
			}
		}
		given := map[string]bool{"memory": res.Memory != nil, "cpu": res.CPU != nil, "pids": res.Pids != nil, "blockIO": res.BlockIO != nil,
			"hugepageLimits": len(res.HugepageLimits) > 0, "network": res.Network != nil, "rdma": len(res.Rdma) > 0, "unified": len(res.Unified) > 0}
		for name, set := range given {
			if set {
				r.refuse("linux.resources."+name, "limits are set by the scheduler: ask for them with the job")
			}
		}
	}
	p.Root.MaskedPaths, p.Root.ReadOnlyPaths = r.paths("linux.maskedPaths", l.MaskedPaths), r.paths("linux.readonlyPaths", l.ReadonlyPaths)
}

// mapping accepts a map of ids in which the container's user is the job's.
func (r *reader) mapping(at string, list []specs.LinuxIDMapping, inside, outside uint32) {
	if len(list) == 0 {
		return
	}
	for _, m := range list {
		if inside >= m.ContainerID && inside-m.ContainerID < m.Size {
			if got := m.HostID + (inside - m.ContainerID); got != outside {
				r.refuse(at, "the container's %d is %d of this machine there, and the job's is %d", inside, got, outside)
			}
			return
		}
	}
	r.refuse(at, "the container's %d is not there", inside)
}

func (r *reader) paths(at string, list []string) []string {
	var out []string
	for i, p := range list {
		if !filepath.IsAbs(p) {
			r.refuse(fmt.Sprintf("%s[%d]", at, i), "%q is not absolute", p)
			continue
		}
		out = append(out, filepath.Clean(p))
	}
	return out
}

// mountFlags are the options that are flags of a mount: what is set by them.
var mountFlags = map[string]uint64{
	"ro": unix.MS_RDONLY, "nosuid": unix.MS_NOSUID, "nodev": unix.MS_NODEV, "noexec": unix.MS_NOEXEC, "noatime": unix.MS_NOATIME,
	"nodiratime": unix.MS_NODIRATIME, "relatime": unix.MS_RELATIME, "strictatime": unix.MS_STRICTATIME,
	"rw": 0, "suid": 0, "dev": 0, "exec": 0, "atime": 0, "diratime": 0, "defaults": 0, "async": 0, "bind": 0, "rbind": 0,
	"private": 0, "rprivate": 0, "slave": 0, "rslave": 0,
}

// mountData are the options that a file system takes, by its type.
var mountData = map[string][]string{
	"tmpfs":  {"mode", "size", "uid", "gid", "nr_inodes", "nr_blocks"},
	"devpts": {"newinstance", "ptmxmode", "mode", "gid", "uid", "max"},
	"proc":   {"hidepid", "gid", "subset"},
	"sysfs":  {},
	"mqueue": {},
}

func (r *reader) mount(at string, m *specs.Mount, p *Plan, bundle string) {
	if !filepath.IsAbs(m.Destination) {
		r.refuse(at+".destination", "%q is not absolute", m.Destination)
		return
	}
	r.not(at+".uidMappings", len(m.UIDMappings) > 0)
	r.not(at+".gidMappings", len(m.GIDMappings) > 0)
	one := slice.RootMount{Type: m.Type, Source: m.Source, Target: filepath.Clean(m.Destination)}
	if one.Target == "/" {
		r.refuse(at+".destination", "the root is root.path")
		return
	}
	bind, rbind := slices.Contains(m.Options, "bind"), slices.Contains(m.Options, "rbind")
	switch {
	case bind || rbind || m.Type == "bind":
		one.Type, one.Only = "bind", !rbind
		if !filepath.IsAbs(one.Source) {
			one.Source = filepath.Join(bundle, one.Source)
		}
		one.Source = filepath.Clean(one.Source)
	case m.Type == "cgroup" || m.Type == "cgroup2":
		// What there is of the host, to look at: the limits are the scheduler's.
		one = slice.RootMount{Type: "bind", Source: "/sys/fs/cgroup", Target: one.Target, Flags: unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC}
	case mountData[m.Type] == nil:
		r.refuse(at+".type", "%q is not supported", m.Type)
		return
	}
	var data []string
	for _, o := range m.Options {
		if flag, ok := mountFlags[o]; ok {
			one.Flags |= flag
			continue
		}
		key, value, _ := strings.Cut(o, "=")
		if one.Type != m.Type || !slices.Contains(mountData[m.Type], key) {
			r.refuse(at+".options", "%q is not supported", o)
			continue
		}
		if key == "gid" || key == "uid" {
			if _, err := strconv.ParseUint(value, 10, 32); err != nil {
				r.refuse(at+".options", "%q is not a number", o)
			}
		}
		data = append(data, o)
	}
	one.Data = strings.Join(data, ",")
	p.Root.Mounts = append(p.Root.Mounts, one)
}

// devices adds what a container finds in /dev, after what config.json mounts
// there.
func devices(p *Plan) {
	for _, name := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		p.Root.Mounts = append(p.Root.Mounts, slice.RootMount{Type: "bind", Source: "/dev/" + name, Target: "/dev/" + name, File: true, Only: true})
	}
	p.Root.Links = append(p.Root.Links, slice.Link{Path: "/dev/fd", To: "/proc/self/fd"}, slice.Link{Path: "/dev/stdin", To: "/proc/self/fd/0"},
		slice.Link{Path: "/dev/stdout", To: "/proc/self/fd/1"}, slice.Link{Path: "/dev/stderr", To: "/proc/self/fd/2"},
		slice.Link{Path: "/dev/ptmx", To: "pts/ptmx"})
}

// Scratch is how many bytes a plain image or directory takes of what is written to
// it, in memory.
const Scratch = 256 << 20

// Plain is a container of a directory, or of an image, without a config.json: the
// job's user and environment, the host's network, and of the host /tmp, /dev/shm
// and the work directory.
func Plain(path string, image bool, workDir string) *Plan {
	p := &Plan{Namespaces: slice.Namespaces{PID: true, Mount: true}, Dir: workDir, NoNewPrivs: true}
	p.Root = slice.Root{Path: path, Image: image, Overlay: true, Scratch: Scratch}
	const hard = unix.MS_NOSUID | unix.MS_NODEV
	p.Root.Mounts = []slice.RootMount{
		{Type: "proc", Target: "/proc", Flags: hard | unix.MS_NOEXEC},
		{Type: "bind", Source: "/sys", Target: "/sys", Flags: unix.MS_RDONLY | hard | unix.MS_NOEXEC},
		{Type: "tmpfs", Target: "/dev", Flags: unix.MS_NOSUID | unix.MS_STRICTATIME, Data: "mode=755,size=65536k"},
		{Type: "devpts", Target: "/dev/pts", Flags: unix.MS_NOSUID | unix.MS_NOEXEC, Data: "newinstance,ptmxmode=0666,mode=0620,gid=5"},
		{Type: "bind", Source: "/dev/shm", Target: "/dev/shm", Flags: hard},
		{Type: "bind", Source: "/tmp", Target: "/tmp", Flags: hard},
		{Type: "bind", Source: "/etc/resolv.conf", Target: "/etc/resolv.conf", File: true, Only: true, Optional: true, Flags: unix.MS_RDONLY | hard},
		{Type: "bind", Source: "/etc/hosts", Target: "/etc/hosts", File: true, Only: true, Optional: true, Flags: unix.MS_RDONLY | hard},
	}
	if workDir != "" && workDir != "/" {
		p.Root.Mounts = append(p.Root.Mounts, slice.RootMount{Type: "bind", Source: workDir, Target: workDir, Flags: hard, Optional: true})
	}
	p.Root.MaskedPaths = []string{"/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/sched_debug", "/sys/firmware"}
	p.Root.ReadOnlyPaths = []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
	devices(p)
	return p
}
