// Package slice is what the Linux kernel does for one step of a job on one
// node: a cgroup with limits, namespaces, mounts, devices, the identity of
// the submitting user, the files of the step, its processes, their exit
// status and what they used. It knows Linux and knows nothing of jobs.
//
// The caller probes the machine once (Probe), describes a slice (Spec) and
// starts it (Start). From then on the Slice is signalled, sampled, killed and
// waited for through its methods. Nothing of a slice is left behind once
// Wait has returned: no process, no cgroup, no mount.
//
// See DESIGN.md for how a slice comes to life without a second executable.
package slice

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// Spec describes a slice. The zero value of every field but ID and Tasks is
// valid and means "as the launcher has it" or "not limited".
type Spec struct {
	// ID names the slice on this node: letters, digits and ".", "_", "-",
	// "+" and "@", at most 128 bytes, not starting with a dot.
	ID string

	// UID, GID and Groups are the identity of the tasks. They must be the
	// launcher's own unless it runs as root.
	UID    uint32
	GID    uint32
	Groups []uint32

	// Inside is who the tasks are to themselves, in a user namespace that maps it
	// to UID and GID: what they leave on disk is UID's. Needs Namespaces.User and
	// a root launcher; nil is UID and GID.
	Inside *Identity

	Hostname string // set when Namespaces.UTS; empty keeps the node's
	Umask    uint32 // 0 to 0777; always set

	Namespaces Namespaces

	// PrivateTmp is a directory of the host that the slice sees as /tmp and,
	// its subdirectory "shm", as /dev/shm. The caller makes the directory,
	// both levels, owned by UID with mode 0700, and removes it. Steps of one
	// job that name the same directory share it. Needs Namespaces.Mount.
	PrivateTmp string

	// Shm gives the slice a /dev/shm of its own, in memory, of at most so many
	// bytes; below 0 is as many as its memory limit allows, 0 is none. Needs
	// Namespaces.Mount.
	Shm int64

	// Mounts are bind mounts made in order after PrivateTmp. Needs
	// Namespaces.Mount.
	Mounts []Mount

	// ReadOnly makes all of the file system read-only but PrivateTmp, Shm and
	// those Mounts that are not. Needs Namespaces.Mount and a kernel from 5.12.
	ReadOnly bool

	// Root is a file system of its own; nil is the host's.
	Root *Root

	// Join is the first process of another slice of this host whose namespaces
	// the tasks enter, other than its user namespace; 0: none. Such a slice has
	// no namespaces, mounts or root of its own.
	Join int

	// HideProcs mounts a /proc in which processes of others are not seen. Needs
	// Namespaces.Mount; with Namespaces.PID there are none to begin with.
	HideProcs bool

	// Network is what the slice's own network reaches beside itself; nil is
	// nothing. Needs Namespaces.Net and a root launcher.
	Network *Network

	// Confine is what the tasks are kept from.
	Confine Confine

	// Cgroup says where in the cgroup tree the slice lives and its limits.
	Cgroup Cgroup

	// Rlimits of the tasks; what is not named is the launcher's, except that
	// the soft limit of open files is then at most 1024.
	Rlimits     []Rlimit
	OOMScoreAdj *int // -1000 to 1000; lowering it needs privilege
	Nice        *int // -20 to 19; lowering it needs privilege

	// Pty is the window size of the pty of tasks that have one.
	Pty Winsize

	// Tasks are the processes to start, at least one. They start in order, each
	// leader of its own process group in the slice's session, or of a session of
	// its own when it has a pty.
	Tasks []Task
}

// Identity is a user and its group.
type Identity struct{ UID, GID uint32 }

// Namespaces says which namespaces a slice has of its own.
type Namespaces struct {
	PID   bool // own process ids; with Mount also an own /proc
	Mount bool
	UTS   bool
	IPC   bool
	// User lets an unprivileged launcher make the other namespaces. Under a
	// root launcher the tasks alone enter it, last of all, so that the others
	// belong to nobody in it. Uid and gid map to themselves unless Inside says
	// otherwise; supplementary groups are kept for a root launcher and lost
	// for another.
	User   bool
	Net    bool // own network with nothing but loopback, which is up
	Cgroup bool // the slice sees its own cgroup as the root
}

// Mount binds Source, a path of the host, on Target.
type Mount struct {
	Source   string
	Target   string
	ReadOnly bool
}

// Cgroup places a slice. With On false no cgroup is made and no limit may be
// asked for; the slice is then held together by its pid namespace or by the
// process tree under its first process.
type Cgroup struct {
	On bool
	// Parent is the group that all slices of one node daemon share, relative
	// to the root that Probe found, for instance "rink/c1.n7". It is left in
	// place.
	Parent string
	// Levels are the groups below Parent, outermost first, for instance
	// job_12 and step_batch. The tasks live in the last one. A level but the
	// last may be shared with other slices: its limits are written each time
	// a slice starts, and it is removed with its last member.
	Levels []Level
}

// Level is one cgroup with its limits.
type Level struct {
	Name   string
	Limits Limits
}

// Limits of one cgroup. Zero or nil means not limited.
type Limits struct {
	CPUs      float64 // hard cap in CPUs: 1.5 is 150 ms of each 100 ms
	CPUShares uint64  // weight against siblings in v1 units: 1024 is one CPU
	CPUSet    string  // CPU list, for instance "0-3,8"
	MemorySet string  // NUMA node list; empty with CPUSet means the parent's

	MemoryMax int64  // bytes
	SwapMax   *int64 // bytes of swap beside MemoryMax; nil is not limited, 0 is none

	PIDsMax int64

	// IOWeight is the share of the disks against siblings, 1 to 1000; the
	// kernel's own is 100. Disks whose scheduler knows no shares are not affected.
	IOWeight uint64

	// Devices are rules applied in order to a state in which all devices are
	// allowed. An allow-list begins with DenyAllDevices.
	Devices []DeviceRule
}

// DeviceRule allows or denies access to device nodes.
type DeviceRule struct {
	Allow  bool
	Type   byte   // 'a' (all), 'b' or 'c'
	Major  int64  // -1 is any
	Minor  int64  // -1 is any
	Access string // letters of "rwm"
}

// DenyAllDevices is the first rule of an allow-list.
var DenyAllDevices = DeviceRule{Type: 'a', Major: -1, Minor: -1, Access: "rwm"}

// BasicDevices are the device nodes that every program may expect: null,
// zero, full, random, urandom, tty, ptmx and pseudo terminals.
func BasicDevices() []DeviceRule {
	rules := []DeviceRule{}
	for _, n := range [][2]int64{{1, 3}, {1, 5}, {1, 7}, {1, 8}, {1, 9}, {5, 0}, {5, 2}, {136, -1}} {
		rules = append(rules, DeviceRule{Allow: true, Type: 'c', Major: n[0], Minor: n[1], Access: "rwm"})
	}
	return rules
}

// Rlimit is one resource limit of the tasks (unix.RLIMIT_NOFILE and so on).
type Rlimit struct {
	Resource int
	Soft     uint64
	Hard     uint64
	// Optional makes a limit that cannot be set a warning instead of a
	// failed start.
	Optional bool
}

// Winsize is the size of a terminal window in characters.
type Winsize struct{ Rows, Cols uint16 }

// Task is one process of a slice.
type Task struct {
	// Argv is the command. Argv[0] without a slash is looked up, by the user,
	// in the PATH of Env.
	Argv []string
	Env  []string
	// PidEnv names a variable that the task finds its own process id in, as it
	// sees it itself; empty is none. It takes the place of one in Env.
	PidEnv string
	// Note is written to its standard error before its program begins, with its
	// process id, as it sees it itself, for the "%d" in each line; empty is none.
	// Where that is a pipe, and the first task's too, it is written to the first
	// task's.
	Note string
	// SocketEnv names a variable that the task finds the number of a
	// descriptor in, one end of a stream socket whose other end is in
	// Slice.Files; empty is none. It takes the place of one in Env.
	SocketEnv string

	// Dir is the working directory. When it cannot be entered and
	// FallbackDir is set, the task runs there instead, DirNote is written to
	// its standard error with "%s" in each line replaced by the system's error
	// text, and the start carries a warning.
	Dir         string
	FallbackDir string
	DirNote     string

	Stdin  Stream
	Stdout Stream
	Stderr Stream

	// CPUs binds the task to a CPU list; empty leaves it unbound.
	CPUs string
	// MemoryNodes are the NUMA nodes that the task's memory is to come from; empty
	// leaves it to the kernel. With MemoryPrefer others are taken from when the first
	// of them has none left, else nothing is.
	MemoryNodes  string
	MemoryPrefer bool
	// Rlimits are applied after those of the slice.
	Rlimits []Rlimit
}

// StreamKind says what a standard stream of a task is connected to.
type StreamKind int

const (
	StreamNull   StreamKind = iota // /dev/null
	StreamFile                     // a file, opened as the user
	StreamPipe                     // a pipe; the other end is in Slice.Files
	StreamPTY                      // the task's pseudo terminal, shared by its PTY streams
	StreamStdout                   // stderr only: the same open file as stdout
)

// Stream is one standard stream of a task.
type Stream struct {
	Kind StreamKind
	// Path of a StreamFile, taken relative to Dir unless absolute. It is
	// opened with the user's identity, inside the slice's mounts. An output
	// file that several tasks name is opened once and shared by them.
	Path string
	// Append keeps what is in an output file; otherwise it is truncated. Either
	// way writing is at the end of the file.
	Append bool
	// Mode of an output file that is created, before the umask. 0 is 0666.
	Mode uint32
}

// ErrInvalid is wrapped by every error of Spec.Validate.
var ErrInvalid = errors.New("invalid slice specification")

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrInvalid}, args...)...)
}

// ValidID says whether id can name a slice: it is used in file names.
func ValidID(id string) bool {
	if id == "" || len(id) > 128 || id[0] == '.' {
		return false
	}
	for _, c := range []byte(id) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9',
			c == '.', c == '_', c == '-', c == '+', c == '@':
		default:
			return false
		}
	}
	return true
}

// Validate says what about the specification can never work, on any machine.
func (s *Spec) Validate() error {
	if !ValidID(s.ID) {
		return invalid("id %q", s.ID)
	}
	if s.Umask > 0o777 {
		return invalid("umask %#o", s.Umask)
	}
	if len(s.Hostname) > 64 || strings.ContainsRune(s.Hostname, 0) {
		return invalid("host name %q", s.Hostname)
	}
	if s.Hostname != "" && !s.Namespaces.UTS {
		return invalid("host name %q without a uts namespace", s.Hostname)
	}
	if !s.Namespaces.Mount && (s.PrivateTmp != "" || len(s.Mounts) > 0 || s.Shm != 0 || s.ReadOnly || s.HideProcs) {
		return invalid("mounts without a mount namespace")
	}
	if s.Root != nil {
		if err := s.Root.validate(s); err != nil {
			return err
		}
	}
	if s.Join != 0 {
		n := s.Namespaces
		n.User = false
		if s.Join < 0 || n != (Namespaces{}) || s.Root != nil || s.Hostname != "" {
			return invalid("namespaces of another slice and of its own")
		}
	}
	if s.Inside != nil && !s.Namespaces.User {
		return invalid("another identity inside without a user namespace")
	}
	if s.Network != nil {
		if !s.Namespaces.Net {
			return invalid("a private network without a net namespace")
		}
		if err := s.Network.validate(); err != nil {
			return err
		}
	}
	if err := s.Confine.validate(); err != nil {
		return err
	}
	if s.PrivateTmp != "" && !cleanAbs(s.PrivateTmp) {
		return invalid("private /tmp %q is not a clean absolute path", s.PrivateTmp)
	}
	for _, m := range s.Mounts {
		if !cleanAbs(m.Source) || !cleanAbs(m.Target) {
			return invalid("mount of %q on %q: not clean absolute paths", m.Source, m.Target)
		}
	}
	if s.OOMScoreAdj != nil && (*s.OOMScoreAdj < -1000 || *s.OOMScoreAdj > 1000) {
		return invalid("oom score adjustment %d", *s.OOMScoreAdj)
	}
	if s.Nice != nil && (*s.Nice < -20 || *s.Nice > 19) {
		return invalid("nice value %d", *s.Nice)
	}
	if err := s.Cgroup.validate(); err != nil {
		return err
	}
	if s.Namespaces.Cgroup && !s.Cgroup.On {
		return invalid("a cgroup namespace without a cgroup")
	}
	if err := validateRlimits(s.Rlimits); err != nil {
		return err
	}
	if len(s.Tasks) == 0 || len(s.Tasks) > MaxTasks {
		return invalid("%d tasks (want 1 to %d)", len(s.Tasks), MaxTasks)
	}
	for i := range s.Tasks {
		if err := s.Tasks[i].validate(); err != nil {
			return fmt.Errorf("task %d: %w", i, err)
		}
	}
	return nil
}

// MaxTasks is the most tasks one slice can have.
const MaxTasks = 4096

func validateRlimits(limits []Rlimit) error {
	for _, r := range limits {
		if r.Resource < 0 || r.Resource > 15 || r.Soft > r.Hard {
			return invalid("resource limit %d: soft %d, hard %d", r.Resource, r.Soft, r.Hard)
		}
	}
	return nil
}

func (t *Task) validate() error {
	if len(t.Argv) == 0 || t.Argv[0] == "" {
		return invalid("no command")
	}
	for _, list := range [][]string{t.Argv, t.Env, {t.PidEnv, t.SocketEnv, t.Dir, t.FallbackDir, t.DirNote, t.Note, t.Stdin.Path, t.Stdout.Path, t.Stderr.Path}} {
		for _, v := range list {
			if strings.IndexByte(v, 0) >= 0 {
				return invalid("%q contains a zero byte", v)
			}
		}
	}
	for _, name := range []string{t.PidEnv, t.SocketEnv} {
		if strings.ContainsRune(name, '=') {
			return invalid("variable %q", name)
		}
	}
	if t.Dir != "" && !filepath.IsAbs(t.Dir) {
		return invalid("working directory %q is not absolute", t.Dir)
	}
	if t.FallbackDir != "" && !filepath.IsAbs(t.FallbackDir) {
		return invalid("fallback directory %q is not absolute", t.FallbackDir)
	}
	for i, st := range []Stream{t.Stdin, t.Stdout, t.Stderr} {
		switch st.Kind {
		case StreamNull, StreamPipe, StreamPTY:
		case StreamFile:
			if st.Path == "" {
				return invalid("stream %d is a file without a path", i)
			}
		case StreamStdout:
			if i != 2 {
				return invalid("stream %d cannot be the same as standard output", i)
			}
		default:
			return invalid("stream %d of unknown kind %d", i, st.Kind)
		}
	}
	if t.MemoryNodes != "" {
		if _, err := cpuMask(t.MemoryNodes); err != nil {
			return err
		}
	}
	if t.CPUs != "" {
		if _, err := cpuMask(t.CPUs); err != nil {
			return err
		}
	}
	return validateRlimits(t.Rlimits)
}

func cleanAbs(p string) bool {
	return filepath.IsAbs(p) && filepath.Clean(p) == p && strings.IndexByte(p, 0) < 0
}

// validGroup says whether name can be one directory of the cgroup tree. Dots
// are kept out of the front, and with them "..", and so are the prefixes of
// the kernel's own files.
func validGroup(name string) bool {
	if name == "" || len(name) > 200 || name[0] == '.' || strings.ContainsAny(name, "/\x00\n") {
		return false
	}
	for _, p := range []string{"cgroup.", "cpu.", "cpuset.", "memory.", "io.", "pids.", "devices.", "freezer."} {
		if strings.HasPrefix(name, p) {
			return false
		}
	}
	return true
}

func (c *Cgroup) validate() error {
	if !c.On {
		for _, l := range c.Levels {
			if !l.Limits.IsZero() {
				return invalid("limits on %q with cgroups off", l.Name)
			}
		}
		return nil
	}
	if c.Parent == "" {
		return invalid("no parent cgroup")
	}
	for _, p := range strings.Split(c.Parent, "/") {
		if !validGroup(p) {
			return invalid("parent cgroup %q", c.Parent)
		}
	}
	if len(c.Levels) == 0 {
		return invalid("no cgroup below %q", c.Parent)
	}
	for _, l := range c.Levels {
		if !validGroup(l.Name) {
			return invalid("cgroup name %q", l.Name)
		}
		if err := l.Limits.validate(); err != nil {
			return fmt.Errorf("cgroup %q: %w", l.Name, err)
		}
	}
	return nil
}

// IsZero says that nothing is limited.
func (l *Limits) IsZero() bool {
	return l.CPUs == 0 && l.CPUShares == 0 && l.CPUSet == "" && l.MemorySet == "" && l.MemoryMax == 0 &&
		l.SwapMax == nil && l.PIDsMax == 0 && l.IOWeight == 0 && len(l.Devices) == 0
}

func (l *Limits) validate() error {
	if l.CPUs < 0 || l.CPUs > 1e6 || l.CPUs != l.CPUs {
		return invalid("cpus %v", l.CPUs)
	}
	if l.MemoryMax < 0 || l.PIDsMax < 0 || l.SwapMax != nil && *l.SwapMax < 0 {
		return invalid("a negative limit")
	}
	if l.IOWeight > 1000 {
		return invalid("a weight of %d on the disks (want 1 to 1000)", l.IOWeight)
	}
	if l.SwapMax != nil && l.MemoryMax == 0 {
		return invalid("a swap limit without a memory limit")
	}
	for _, set := range []string{l.CPUSet, l.MemorySet} {
		if set != "" {
			if _, err := parseList(set); err != nil {
				return err
			}
		}
	}
	for _, d := range l.Devices {
		if d.Type != 'a' && d.Type != 'b' && d.Type != 'c' || d.Major < -1 || d.Minor < -1 ||
			d.Access == "" || strings.Trim(d.Access, "rwm") != "" {
			return invalid("device rule %q", d.String())
		}
		if d.Type == 'a' && (d.Major != -1 || d.Minor != -1 || d.Access != "rwm") {
			return invalid("device rule %q: type a is all devices", d.String())
		}
	}
	return nil
}
