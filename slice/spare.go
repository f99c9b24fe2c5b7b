package slice

import (
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Version 1 has a directory to make in every hierarchy, twice, and to remove again,
// which is what most of the time of a short slice goes to. So groups are made ahead
// while slices come in, and get their names when they are wanted; and where a group
// keeps nothing of what was in it, those of slices that have ended are taken again.
// Memory is not such a one: what is cached for a job that has ended is charged to its
// group for as long as it stays.

// maxSpares is how many are ready of a kind, and how many used ones are kept to be
// made ready. A burst that is quicker makes its own.
const (
	maxSpares = 12
	maxUsed   = 32
)

// spareName is the front of the names of groups that nobody has yet.
const spareName = "spare_"

// spareStep is the lower group of a spare: what a batch job's is called.
const spareStep = "step_batch"

type spares struct {
	mu    sync.Mutex // guards what follows
	kinds map[string]*spareKind
	ended bool
	work  sync.WaitGroup // those that make spares
	next  atomic.Uint64
}

// spareKind are the spares that are alike.
type spareKind struct {
	parent string
	roots  []spareRoot
	ready  []spare
	used   []spare // without what is to be made anew
	making bool
}

// spareRoot is one hierarchy of a kind, and whether it has the lower group.
type spareRoot struct {
	dir  string
	deep bool
	anew bool // one of a slice that has ended is not taken again
}

type spare struct {
	name  string
	files []*os.File // by which a process enters it, in the order of the kind's roots
	// values are those that were written to files of it which is not made anew, where
	// they are not what the kernel makes a group with, by controller and file.
	values map[string]string
}

// plainValues are what a group is made with in the files that limits are written to.
var plainValues = map[string]string{"cpu.shares": "1024", "cpu.cfs_quota_us": "-1", "cpu.cfs_period_us": strconv.Itoa(cfsPeriod), "pids.max": "max"}

// spareKindOf is the kind of the groups of a slice: which hierarchies they are in, and
// how deep. nil when none are kept of it.
func (g *group) spareKindOf(c *Cgroup, roots map[string]bool) *spareKind {
	if len(c.Levels) != 2 {
		return nil
	}
	var list []spareRoot
	key := c.Parent
	for root, deep := range roots {
		list = append(list, spareRoot{dir: root, deep: deep, anew: root == g.host.v1["memory"]})
	}
	sort.Slice(list, func(i, j int) bool { return list[i].dir < list[j].dir })
	for _, r := range list {
		key += " " + r.dir + " " + strconv.FormatBool(r.deep)
	}
	s := &g.host.spares
	s.mu.Lock()
	defer s.mu.Unlock()
	kind := s.kinds[key]
	if kind == nil {
		kind = &spareKind{parent: c.Parent, roots: list}
		if s.kinds == nil {
			s.kinds = map[string]*spareKind{}
		}
		s.kinds[key] = kind
	}
	return kind
}

// spareGroup names a group out of those made ahead; false when there is none
// that fits.
func (g *group) spareGroup(c *Cgroup, kind *spareKind) bool {
	s := &g.host.spares
	s.mu.Lock()
	var one spare
	if n := len(kind.ready); n > 0 {
		one, kind.ready = kind.ready[n-1], kind.ready[:n-1]
	}
	if !kind.making && !s.ended && len(kind.ready) < maxSpares/2 {
		kind.making = true
		s.work.Go(func() { s.fill(kind) }) // stops when there are enough
	}
	s.mu.Unlock()
	if one.name == "" {
		return false
	}
	if !g.rename(kind, one, c) {
		one.drop(kind)
		return false
	}
	g.files, g.values = one.files, one.values
	return true
}

// written notes a value of the job's group, and reports whether it is to be written:
// whether the group does not have it already.
func (g *group) written(v Value) bool {
	if g.values[v.File] == v.Value {
		return false
	}
	if g.values == nil {
		g.values = map[string]string{}
	}
	g.values[v.File] = v.Value
	return true
}

// plain puts back what another slice of the group had written and this one has not.
func (g *group) plain(values []Value) error {
	for file := range g.values {
		if !slices.ContainsFunc(values, func(v Value) bool { return v.File == file }) {
			controller, _, _ := strings.Cut(file, ".")
			if err := writeValue(filepath.Join(g.host.v1[controller], g.levels[0], file), plainValues[file]); err != nil {
				return err
			}
			delete(g.values, file)
		}
	}
	return nil
}

// recycle keeps the groups of a slice that has ended for another, and reports whether
// it has; of what is made anew it removes them. Nobody else may be in the job's group,
// nor have left groups in it. Needs host.mu held.
func (g *group) recycle() bool {
	kind, s := g.kind, &g.host.spares
	if kind == nil || !g.reusable {
		return false
	}
	s.mu.Lock()
	room := !s.ended && len(kind.used) < maxUsed
	s.mu.Unlock()
	if !room {
		return false
	}
	job, step := filepath.Base(g.levels[0]), filepath.Base(g.levels[1])
	for _, r := range kind.roots {
		var st unix.Stat_t
		own := filepath.Join(r.dir, kind.parent, job)
		want := uint64(2)
		if r.deep {
			if unix.Stat(filepath.Join(own, step), &st) != nil || uint64(st.Nlink) != want {
				return false
			}
			want++
		}
		if unix.Stat(own, &st) != nil || uint64(st.Nlink) != want {
			return false
		}
	}
	// What is made anew first: that it can be removed shows that no process is in it.
	proof := false
	for _, r := range kind.roots {
		if !r.anew {
			continue
		}
		parent := filepath.Join(r.dir, kind.parent)
		if r.deep && removeTree(filepath.Join(parent, job, step)) != nil || unix.Rmdir(filepath.Join(parent, job)) != nil {
			return false
		}
		proof = true
	}
	if !proof {
		return false
	}
	one := spare{name: spareName + strconv.FormatUint(s.next.Add(1), 10), values: g.values}
	for i, r := range kind.roots {
		if r.anew {
			continue
		}
		parent := filepath.Join(r.dir, kind.parent)
		err := unix.Rename(filepath.Join(parent, job), filepath.Join(parent, one.name))
		if err == nil && r.deep && step != spareStep {
			err = unix.Rename(filepath.Join(parent, one.name, step), filepath.Join(parent, one.name, spareStep))
		}
		if err == nil && r.dir == g.host.v1["cpuacct"] {
			for _, dir := range []string{one.name + "/" + spareStep, one.name} {
				if err == nil && (r.deep || dir == one.name) {
					err = writeValue(filepath.Join(parent, dir, "cpuacct.usage"), "0")
				}
			}
		}
		if err != nil { // what has its new name goes, the rest is removed by the caller
			for _, back := range kind.roots[:i+1] {
				dropSpare(filepath.Join(back.dir, kind.parent, one.name))
			}
			return false
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		one.drop(kind)
		return true
	}
	kind.used = append(kind.used, one)
	return true
}

// rename gives a spare the names of a slice. It does not where the job has a
// group already.
func (g *group) rename(kind *spareKind, one spare, c *Cgroup) bool {
	job, step := c.Levels[0].Name, c.Levels[1].Name
	for i, r := range kind.roots {
		parent := filepath.Join(r.dir, kind.parent)
		err := unix.Rename(filepath.Join(parent, one.name), filepath.Join(parent, job))
		if err == nil && r.deep && step != spareStep {
			err = unix.Rename(filepath.Join(parent, job, spareStep), filepath.Join(parent, job, step))
			i++ // this one too has to go back
		}
		if err != nil {
			for _, back := range kind.roots[:i] {
				parent := filepath.Join(back.dir, kind.parent)
				unix.Rename(filepath.Join(parent, job), filepath.Join(parent, one.name))
				unix.Rename(filepath.Join(parent, one.name, step), filepath.Join(parent, one.name, spareStep))
			}
			return false
		}
	}
	return true
}

// fill makes spares until there are enough.
func (s *spares) fill(kind *spareKind) {
	for {
		s.mu.Lock()
		if s.ended || len(kind.ready) >= maxSpares {
			kind.making = false
			s.mu.Unlock()
			return
		}
		one, old := spare{name: spareName + strconv.FormatUint(s.next.Add(1), 10)}, false
		if n := len(kind.used); n > 0 {
			one, kind.used, old = kind.used[n-1], kind.used[:n-1], true
		}
		s.mu.Unlock()
		one, err := kind.make(one, old)
		s.mu.Lock()
		if err != nil || s.ended { // a slice that meets the same will say why
			kind.making = false
			s.mu.Unlock()
			one.drop(kind)
			return
		}
		kind.ready = append(kind.ready, one)
		s.mu.Unlock()
	}
}

// make completes a spare: an old one has all but what is made anew.
func (k *spareKind) make(one spare, old bool) (spare, error) {
	for _, r := range k.roots {
		dir := filepath.Join(r.dir, k.parent, one.name)
		fresh := !old || r.anew
		if fresh {
			if err := unix.Mkdir(dir, 0o755); err != nil {
				return one, err
			}
		}
		if r.deep {
			dir = filepath.Join(dir, spareStep)
			if fresh {
				if err := unix.Mkdir(dir, 0o755); err != nil {
					return one, err
				}
			}
		}
		f, err := openControl(filepath.Join(dir, "tasks"))
		if err != nil {
			return one, err
		}
		one.files = append(one.files, f)
	}
	return one, nil
}

// openControl opens a file of a group to be written by a slice. The runtime does not
// watch it, which it would for nothing.
func openControl(path string) (*os.File, error) {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}

func (s spare) drop(k *spareKind) {
	for _, f := range s.files {
		f.Close()
	}
	for _, r := range k.roots {
		dropSpare(filepath.Join(r.dir, k.parent, s.name))
	}
}

func dropSpare(dir string) {
	unix.Rmdir(filepath.Join(dir, spareStep))
	unix.Rmdir(dir)
}

// close removes all spares.
func (s *spares) close() {
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	s.work.Wait()
	for _, k := range s.kinds {
		for _, one := range append(k.ready, k.used...) {
			one.drop(k)
		}
		k.ready, k.used = nil, nil
	}
}

// sweepSpares removes what another process has made ahead in a group.
func sweepSpares(parent string) {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), spareName) {
			dropSpare(filepath.Join(parent, e.Name()))
		}
	}
}
