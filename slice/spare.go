package slice

import (
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Version 1 has a directory to make in every hierarchy, twice, and to remove again,
// which is what most of the time of a short slice goes to. So groups are made ahead
// while slices come in, and get their names when they are wanted; and those of slices
// that have ended are taken again (recycle.go).

// maxSpares is how many are ready of a kind. A burst that is quicker makes its own.
const maxSpares = 6

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
	used   []spare // of slices that have ended, the longest unused first
	making bool
}

// spareRoot is one hierarchy of a kind, and whether it has the lower group.
type spareRoot struct {
	dir  string
	deep bool
	anew bool // one of a slice that has ended is taken again for the same user alone
}

type spare struct {
	name  string
	uid   uint32     // whose slice had it, if it is a used one
	files []*os.File // by which a process enters it, in the order of the kind's roots
	// values are those that were written to files of it which is not made anew, where
	// they are not what the kernel makes a group with, by controller and file.
	values map[valueAt]string
}

// plainValues are what a group is made with in the files that limits are written to.
var plainValues = map[string]string{"cpu.shares": "1024", "cpu.cfs_quota_us": "-1", "cpu.cfs_period_us": strconv.Itoa(cfsPeriod), "pids.max": "max",
	"memory.limit_in_bytes": "-1", "memory.memsw.limit_in_bytes": "-1"}

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

// spareGroup names a group out of those that the user's slices have left, or that
// were made ahead; false when there is none that fits.
func (g *group) spareGroup(c *Cgroup, kind *spareKind) bool {
	s := &g.host.spares
	s.mu.Lock()
	one, ok := kind.usedBy(g.uid)
	if n := len(kind.ready); !ok && n > 0 {
		one, kind.ready = kind.ready[n-1], kind.ready[:n-1]
	}
	if !kind.making && !s.ended && len(kind.ready) < maxSpares/2 {
		kind.making = true
		s.work.Go(func() { s.fill(g.host, kind) }) // stops when there are enough
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

// rename gives a spare the names of a slice. It does not where the job has a
// group already.
func (g *group) rename(kind *spareKind, one spare, c *Cgroup) bool {
	job, step := c.Levels[0].Name, c.Levels[1].Name
	for i, r := range kind.roots {
		parent := r.dir + "/" + kind.parent
		err := g.host.rename(parent+"/"+one.name, parent+"/"+job)
		if err == nil && r.deep && step != spareStep {
			err = g.host.rename(parent+"/"+job+"/"+spareStep, parent+"/"+job+"/"+step)
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
func (s *spares) fill(h *Host, kind *spareKind) {
	for {
		s.mu.Lock()
		if s.ended || len(kind.ready) >= maxSpares {
			kind.making = false
			s.mu.Unlock()
			return
		}
		one, old := spare{name: s.name()}, false
		if len(kind.used) > maxUsed/2 { // whose user has nothing to run, as it seems
			one, kind.used, old = kind.used[0], kind.used[1:], true
		}
		s.mu.Unlock()
		one, err := kind.make(h, one, old)
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

// make completes a spare: of an old one, what is not for another user is made anew.
func (k *spareKind) make(h *Host, one spare, old bool) (spare, error) {
	for _, r := range k.roots {
		dir := filepath.Join(r.dir, k.parent, one.name)
		fresh := !old || r.anew
		if old && r.anew {
			if r.deep {
				if err := unix.Rmdir(filepath.Join(dir, spareStep)); err != nil {
					return one, err
				}
			}
			if err := unix.Rmdir(dir); err != nil {
				return one, err
			}
		}
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
		f, err := h.openControl(dir + "/tasks")
		if err != nil {
			return one, err
		}
		one.files = append(one.files, f)
	}
	if old {
		for at := range one.values {
			if strings.HasPrefix(at.file, "memory.") {
				delete(one.values, at)
			}
		}
	}
	return one, nil
}

// name is one for a spare that none has had.
func (s *spares) name() string { return spareName + strconv.FormatUint(s.next.Add(1), 10) }

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
