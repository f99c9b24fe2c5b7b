package slice

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Host is what this machine offers for slices. Probe makes it; it is safe
// for use by several goroutines.
type Host struct {
	Version     Version
	Controllers []string // that can be used, sorted
	Root        string   // directory that group paths are relative to; V1: that of the hierarchies
	Off         string   // why there are no cgroups to use; empty when there are

	null   *os.File // /dev/null, for slices to have
	parent string
	v1     map[string]string // directory of each controller's hierarchy
	v2     string

	// mu is held while the groups of a slice are made, and while a group
	// shared by several slices is removed: so none is seen half made, and
	// none vanishes before the next is made in it.
	mu sync.Mutex

	// firstMu guards firsts, the first processes of live slices, and is held
	// while one is forked, so that none is taken for an orphan.
	firstMu sync.Mutex
	firsts  map[int]bool
	adopts  bool

	users  userSpaces
	spares spares
	nets   netSpaces
	near   []anchor

	ignored uint64 // signals that this process ignores, by number less one
}

// Probe finds out which cgroups can be used below parent, by making that
// group. It never fails: a machine without usable cgroups says why in Off,
// and slices that ask for none can be started on it. What signals this process
// ignores has to be settled by then: tasks ignore none of those.
func Probe(parent string) *Host {
	h := &Host{parent: parent, firsts: map[int]bool{}, ignored: ignoredSignals()}
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err == nil {
		h.null = os.NewFile(uintptr(null), "/dev/null")
	}
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		h.Off = fmt.Sprintf("cannot read mounts: %v", err)
		return h
	}
	v1, v2 := cgroupMounts(string(text))
	for _, p := range strings.Split(parent, "/") {
		if !validGroup(p) {
			h.Off = fmt.Sprintf("parent cgroup %q cannot be a group", parent)
			return h
		}
	}
	switch {
	case v1["memory"] != "" || v1["freezer"] != "" && v1["cpuacct"] != "":
		h.v1 = v1
		err = h.probeV1(parent)
	case v2 != "":
		h.v2 = v2
		err = h.probeV2(parent)
	default:
		err = errors.New("no cgroup file system is mounted")
	}
	if err != nil {
		h.Version, h.Controllers, h.Off = None, nil, err.Error()
	}
	return h
}

// Close removes the parent group if no slice is left in it. The Host cannot
// be used for slices with cgroups afterwards.
func (h *Host) Close() {
	h.spares.close()
	h.closeNets()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.null.Close()
	h.users.close()
	h.closeAnchors()
	dirs := []string{}
	switch h.Version {
	case V1:
		for _, root := range h.hierarchies() {
			dirs = append(dirs, root)
		}
	case V2:
		dirs = append(dirs, h.v2)
	}
	for _, root := range dirs {
		for p := h.parent; p != "." && p != ""; p = path.Dir(p) {
			if unix.Rmdir(filepath.Join(root, p)) != nil {
				break
			}
		}
	}
}

// cgroupMounts finds the hierarchies in the text of a mountinfo file.
func cgroupMounts(mountinfo string) (v1 map[string]string, v2 string) {
	v1 = map[string]string{}
	for sc := bufio.NewScanner(strings.NewReader(mountinfo)); sc.Scan(); {
		left, right, ok := strings.Cut(sc.Text(), " - ")
		l, r := strings.Fields(left), strings.Fields(right)
		if !ok || len(l) < 5 || len(r) < 3 {
			continue
		}
		dir := unescapeMount(l[4])
		switch r[0] {
		case "cgroup2":
			if v2 == "" {
				v2 = dir
			}
		case "cgroup":
			for _, opt := range strings.Split(r[2], ",") {
				switch opt {
				case "cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "pids", "blkio":
					if v1[opt] == "" {
						v1[opt] = dir
					}
				}
			}
		}
	}
	return v1, v2
}

// unescapeMount undoes the octal escapes of mountinfo.
func unescapeMount(s string) string {
	for _, e := range [][2]string{{`\040`, " "}, {`\011`, "\t"}, {`\012`, "\n"}, {`\134`, `\`}} {
		s = strings.ReplaceAll(s, e[0], e[1])
	}
	return s
}

// hierarchies returns the distinct directories of version 1: controllers may
// share one.
func (h *Host) hierarchies() []string {
	var out []string
	for _, d := range h.v1 {
		if !slices.Contains(out, d) {
			out = append(out, d)
		}
	}
	sort.Strings(out)
	return out
}

func (h *Host) has(controller string) bool { return slices.Contains(h.Controllers, controller) }

// group is the place of one slice in the cgroup tree.
type group struct {
	host   *Host
	levels []string          // below the roots, outermost first; the last is the slice's own
	dirs   map[string]string // V1: controller to own directory
	dir    string            // V2: own directory
	files  []*os.File        // V1: by which a process enters it, if it was made ahead

	// V1: what its groups are kept as when it has ended, nil when they are not; whose
	// the slice is; and which values its groups have.
	kind   *spareKind
	uid    uint32
	pidns  bool // the slice has one of its own
	values map[valueAt]string
}

func cgroupError(p string, err error) *StartError {
	se := &StartError{Stage: StageCgroup, Path: p, Task: -1}
	if !errors.As(err, &se.Errno) {
		se.Detail = err.Error()
	}
	return se
}

// makeGroup makes the groups of a slice and writes their limits. Either all
// of it holds or nothing of it is left and the error says what could not be
// done.
func (h *Host) makeGroup(spec *Spec) (*group, *StartError) {
	c := &spec.Cgroup
	if h.Off != "" {
		return nil, &StartError{Stage: StageCgroup, Task: -1, Detail: "cgroups are off on this node: " + h.Off}
	}
	g := &group{host: h, dirs: map[string]string{}, uid: spec.UID, pidns: spec.Namespaces.PID}
	p := c.Parent
	for _, l := range c.Levels {
		p += "/" + l.Name
		g.levels = append(g.levels, p)
	}
	for i := range c.Levels {
		for name := range c.Levels[i].Limits.needs(h.Version) {
			if !h.has(name) {
				return nil, &StartError{Stage: StageCgroup, Path: g.levels[i], Task: -1,
					Detail: fmt.Sprintf("the %s controller is not available", name)}
			}
		}
	}
	h.mu.Lock()
	var err *StartError
	if h.Version == V1 {
		err = g.makeV1(c)
	} else {
		err = g.makeV2(c)
	}
	h.mu.Unlock()
	if err != nil {
		g.kind = nil // some values may be written and some not
		g.remove()
		return nil, err
	}
	return g, nil
}

// roots returns the own directories of the group: one for each hierarchy.
func (g *group) roots() map[string]string {
	if g.host.Version == V2 {
		return map[string]string{"": g.host.v2}
	}
	out := map[string]string{}
	for c := range g.dirs {
		out[c] = g.host.v1[c]
	}
	return out
}

// freshDir makes the group's own directory. One that is left from an earlier
// slice is replaced, so that its counters are not mistaken for this one's.
func freshDir(dir string) error {
	err := unix.Mkdir(dir, 0o755)
	if err != unix.EEXIST {
		return err
	}
	if err := removeTree(dir); err != nil {
		return fmt.Errorf("it is there and in use: %w", err)
	}
	return unix.Mkdir(dir, 0o755)
}

// mkdirs makes dir and what it lies in, down to but not including root.
func mkdirs(root, rel string) error {
	dir := filepath.Join(root, rel)
	err := unix.Mkdir(dir, 0o755)
	switch err {
	case nil, unix.EEXIST:
		return nil
	case unix.ENOENT:
		if up := path.Dir(rel); up != "." && up != "/" {
			if err := mkdirs(root, up); err != nil {
				return err
			}
			if err := unix.Mkdir(dir, 0o755); err != unix.EEXIST {
				return err
			}
			return nil
		}
	}
	return err
}

// removeTree removes a group and the groups below it. Processes that are
// about to be gone are waited for a little.
func removeTree(dir string) error {
	wait := 50 * time.Microsecond
	for deadline := time.Now().Add(2 * time.Second); ; {
		err := unix.Rmdir(dir)
		if err == nil || err == unix.ENOENT {
			return nil
		}
		if entries, rerr := os.ReadDir(dir); rerr == nil {
			for _, e := range entries {
				if e.IsDir() {
					removeTree(filepath.Join(dir, e.Name()))
				}
			}
		}
		if procs, perr := pidsIn(dir); perr == nil && len(procs) > 0 && !anyLive(procs) {
			// Only the dead: they leave without help.
		} else if perr == nil && len(procs) > 0 && time.Now().After(deadline.Add(-time.Second)) {
			return err
		}
		if time.Now().After(deadline) {
			return err
		}
		time.Sleep(wait)
		wait = min(wait*2, 20*time.Millisecond)
	}
}

func anyLive(pids []int) bool {
	for _, p := range pids {
		if st, err := readStat(p); err == nil && st.state != 'Z' && st.state != 'X' {
			return true
		}
	}
	return false
}

// remove removes the slice's own groups, and those above that it was the
// last member of.
func (g *group) remove() error {
	for _, f := range g.files {
		f.Close()
	}
	g.files = nil
	if g.kind != nil {
		g.host.mu.Lock()
		kept := g.recycle()
		g.host.mu.Unlock()
		if kept {
			return nil
		}
	}
	var first error
	own := g.levels[len(g.levels)-1]
	roots := g.roots()
	done := map[string]bool{}
	for _, root := range roots {
		if done[root] {
			continue
		}
		done[root] = true
		if err := removeTree(filepath.Join(root, own)); err != nil && first == nil {
			first = fmt.Errorf("cannot remove cgroup %q: %w", filepath.Join(root, own), err)
		}
	}
	if len(g.levels) == 1 {
		return first
	}
	g.host.mu.Lock()
	defer g.host.mu.Unlock()
	for root := range done {
		for i := len(g.levels) - 2; i >= 0; i-- {
			if unix.Rmdir(filepath.Join(root, g.levels[i])) != nil {
				break // others live in it
			}
		}
	}
	return first
}

// procFile is the directory whose cgroup.procs lists the slice's processes.
func (g *group) procDir() string {
	if g.host.Version == V2 {
		return g.dir
	}
	for _, c := range []string{"freezer", "memory", "cpuacct"} {
		if d := g.dirs[c]; d != "" {
			return d
		}
	}
	return ""
}

// pids returns the processes of the slice, those in groups below its own
// included.
func (g *group) pids() ([]int, error) {
	out, err := g.host.pidsBelow(g.procDir())
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENODEV) {
		return out, nil
	}
	return out, err
}

func (h *Host) pidsBelow(dir string) ([]int, error) {
	text, err := h.read(dir + "/cgroup.procs")
	if err != nil {
		return nil, err
	}
	out := pidList(text)
	var st unix.Stat_t
	if h.stat(dir, &st) == nil && st.Nlink == 2 {
		return out, nil // nothing below, as nearly always
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return out, err
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		more, err := h.pidsBelow(filepath.Join(dir, e.Name()))
		if err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ENODEV) {
			return out, err
		}
		out = append(out, more...)
	}
	return out, nil
}

func pidsIn(dir string) ([]int, error) {
	text, err := readControl(filepath.Join(dir, "cgroup.procs"))
	if err != nil {
		return nil, err
	}
	return pidList(text), nil
}

func pidList(text string) []int {
	var out []int
	n := 0
	for i := 0; i < len(text); i++ {
		if c := text[i]; c >= '0' && c <= '9' {
			n = n*10 + int(c-'0')
		} else {
			if n > 0 {
				out = append(out, n)
			}
			n = 0
		}
	}
	return out
}

// kill ends every process of the group, and returns when none is left or the
// deadline, if there is one, has passed.
func (g *group) kill(deadline time.Time) error {
	wait := 200 * time.Microsecond
	for {
		left, err := g.killOnce()
		if err == nil && !left {
			return nil
		}
		if err != nil {
			g.kind = nil
			return err
		}
		if !deadline.IsZero() && time.Now().After(deadline) {
			g.kind = nil // what has processes in it is nobody else's
			return fmt.Errorf("cannot kill all processes in cgroup %q", g.procDir())
		}
		time.Sleep(wait)
		wait = min(wait*2, 50*time.Millisecond) // a process that cannot be killed is looked at that often
	}
}

// killOnce kills what is there now and says whether there was anything.
// Freezing keeps a process that forks faster than it is killed from
// outrunning the list.
func (g *group) killOnce() (bool, error) {
	if g.host.Version == V2 {
		if err := writeValue(filepath.Join(g.dir, "cgroup.kill"), "1"); err == nil {
			return g.populated()
		}
	}
	pids, err := g.pids()
	if err != nil || len(pids) == 0 {
		return false, err
	}
	freeze, thaw := g.freezer() // which is not there, nor needed, where a pid namespace ends
	frozen := freeze()
	pids, err = g.pids()
	for _, pid := range pids {
		unix.Kill(pid, syscall.SIGKILL)
	}
	if frozen {
		thaw()
	}
	return len(pids) > 0, err
}

// freezer returns the two halves of a freeze. The first says whether the
// group could be told to freeze.
func (g *group) freezer() (freeze func() bool, thaw func()) {
	file, on, off := g.dirs["freezer"]+"/freezer.state", "FROZEN", "THAWED"
	if g.host.Version == V2 {
		file, on, off = filepath.Join(g.dir, "cgroup.freeze"), "1", "0"
	}
	if g.host.Version == V1 && g.dirs["freezer"] == "" {
		return func() bool { return false }, nil
	}
	return func() bool { return writeValue(file, on) == nil }, func() { writeValue(file, off) }
}

func (g *group) populated() (bool, error) {
	text, err := readControl(filepath.Join(g.dir, "cgroup.events"))
	if err != nil {
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENODEV) {
			return false, nil
		}
		return false, err
	}
	return field(text, "populated") != 0, nil
}

// field returns the number after name on its line of a "name number" file.
func field(text, name string) uint64 {
	for len(text) > 0 {
		line, rest, _ := strings.Cut(text, "\n")
		text = rest
		if v, ok := strings.CutPrefix(line, name); ok && len(v) > 1 && v[0] == ' ' {
			return number(v[1:])
		}
	}
	return 0
}

// number reads the digits at the front of a text; "max" and the like are 0.
func number(s string) uint64 {
	var n uint64
	for i := 0; i < len(s) && s[i] >= '0' && s[i] <= '9'; i++ {
		n = n*10 + uint64(s[i]-'0')
	}
	return n
}
