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

// Version 1 has a directory to make in every hierarchy, twice. So groups are
// made ahead while slices come in, and get their names when they are wanted.

// maxSpares is how many are kept of a kind. A burst that is quicker makes its
// own.
const maxSpares = 8

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
	making bool
}

// spareRoot is one hierarchy of a kind, and whether it has the lower group.
type spareRoot struct {
	dir  string
	deep bool
}

type spare struct {
	name  string
	files []*os.File // by which a process enters it, in the order of the kind's roots
}

// spareGroup names a group out of those made ahead; false when there is none
// that fits.
func (g *group) spareGroup(c *Cgroup, roots map[string]bool) bool {
	if len(c.Levels) != 2 {
		return false
	}
	var list []spareRoot
	key := c.Parent
	for root, deep := range roots {
		list = append(list, spareRoot{root, deep})
	}
	sort.Slice(list, func(i, j int) bool { return list[i].dir < list[j].dir })
	for _, r := range list {
		key += " " + r.dir + " " + strconv.FormatBool(r.deep)
	}
	s := &g.host.spares
	s.mu.Lock()
	kind := s.kinds[key]
	if kind == nil {
		kind = &spareKind{parent: c.Parent, roots: list}
		if s.kinds == nil {
			s.kinds = map[string]*spareKind{}
		}
		s.kinds[key] = kind
	}
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
	g.files = one.files
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
		s.mu.Unlock()
		one, err := kind.make(spareName + strconv.FormatUint(s.next.Add(1), 10))
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

func (k *spareKind) make(name string) (spare, error) {
	one := spare{name: name}
	for _, r := range k.roots {
		dir := filepath.Join(r.dir, k.parent, name)
		if err := unix.Mkdir(dir, 0o755); err != nil {
			return one, err
		}
		if r.deep {
			dir = filepath.Join(dir, spareStep)
			if err := unix.Mkdir(dir, 0o755); err != nil {
				return one, err
			}
		}
		f, err := os.OpenFile(filepath.Join(dir, "tasks"), os.O_WRONLY, 0)
		if err != nil {
			return one, err
		}
		one.files = append(one.files, f)
	}
	return one, nil
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
		for _, one := range k.ready {
			one.drop(k)
		}
		k.ready = nil
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
