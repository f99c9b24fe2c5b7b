package slice

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"golang.org/x/sys/unix"
)

func (h *Host) probeV1(parent string) error {
	if h.v1["freezer"] == "" {
		return errors.New("the freezer controller is not mounted: a slice could not be killed as a whole")
	}
	for _, root := range h.hierarchies() {
		// Hierarchical accounting is a choice on old kernels, and one that
		// can only be made before there are groups below.
		if root == h.v1["memory"] {
			if mkdirs(root, strings.Split(parent, "/")[0]) == nil {
				writeValue(filepath.Join(root, strings.Split(parent, "/")[0], "memory.use_hierarchy"), "1")
			}
		}
		if err := mkdirs(root, parent); err != nil {
			return fmt.Errorf("cannot make %q: %w", filepath.Join(root, parent), err)
		}
		if err := unix.Access(filepath.Join(root, parent, "cgroup.procs"), unix.W_OK); err != nil {
			return fmt.Errorf("cannot use %q: %w", filepath.Join(root, parent), err)
		}
	}
	for _, root := range h.hierarchies() {
		sweepSpares(filepath.Join(root, parent))
		h.addAnchor(filepath.Join(root, parent))
	}
	h.Version = V1
	for c, d := range h.v1 {
		h.Controllers = append(h.Controllers, c)
		h.Root = filepath.Dir(d)
	}
	sort.Strings(h.Controllers)
	return nil
}

// makeV1 makes the group in those hierarchies that are of use: the freezer to
// kill it by, memory and cpuacct to account by, and what the limits need. Where
// no limit of its own asks for it, and nothing is counted, a slice is in the
// group of the level above. What has a pid namespace is killed by that, all at
// once, and found by its memory.
func (g *group) makeV1(c *Cgroup) *StartError {
	depth := map[string]int{} // how many levels, by controller
	for _, name := range []string{"freezer", "memory", "cpuacct"} {
		if g.host.has(name) && (name != "freezer" || !g.pidns || !g.host.has("memory")) {
			depth[name] = len(g.levels)
		}
	}
	plain := true // as those made ahead are
	for i := range c.Levels {
		for name := range c.Levels[i].Limits.needs(V1) {
			depth[name] = max(depth[name], i+1)
			plain = plain && name != "devices" && name != "cpuset"
		}
	}
	roots := map[string]int{} // levels by hierarchy: controllers may share one
	for name, n := range depth {
		roots[g.host.v1[name]] = max(roots[g.host.v1[name]], n)
	}
	for name := range depth {
		g.dirs[name] = filepath.Join(g.host.v1[name], g.levels[roots[g.host.v1[name]]-1])
	}
	made := map[string]bool{} // directories made here
	deep := map[string]bool{}
	for root, n := range roots {
		deep[root] = n == 2
	}
	if plain {
		g.kind = g.spareKindOf(c, deep)
	}
	if g.kind == nil || !g.spareGroup(c, g.kind) {
		for root, n := range roots {
			if err := g.makeDirsV1(c, root, n, made); err != nil {
				return err
			}
		}
	}
	if depth["cpuset"] > 0 {
		if err := g.fillCPUSets(c, roots[g.host.v1["cpuset"]]); err != nil {
			return err
		}
	}
	for i := range c.Levels {
		values := c.Levels[i].Limits.Values(V1)
		for _, v := range values {
			if v.Controller == "devices" {
				continue // written when it was made
			}
			if g.kind != nil {
				if plainValues[v.File] == "" {
					g.kind = nil // nobody would know to put it back
				} else if !g.written(i, v) {
					continue
				}
			}
			dir := g.host.v1[v.Controller] + "/" + g.levels[i]
			if err := g.setV1(dir, v, values); err != nil {
				return cgroupError(filepath.Join(dir, v.File), err)
			}
		}
		if err := g.plain(i, values); err != nil {
			return cgroupError(g.levels[i], err)
		}
	}
	return nil
}

// makeDirsV1 makes the first n levels in one hierarchy.
func (g *group) makeDirsV1(c *Cgroup, root string, n int, made map[string]bool) *StartError {
	for i, rel := range g.levels[:n] {
		dir := filepath.Join(root, rel)
		var err error
		if i == len(g.levels)-1 {
			err = freshDir(dir)
			made[dir] = err == nil
		} else {
			err = unix.Mkdir(dir, 0o755)
			made[dir] = err == nil
			if err == unix.EEXIST {
				err = nil
			}
		}
		if err == unix.ENOENT { // the parent was removed behind our back
			if err = mkdirs(root, rel); err == nil {
				made[dir] = true
			}
		}
		if err != nil {
			return cgroupError(dir, err)
		}
		if root != g.host.v1["devices"] || !made[dir] {
			continue
		}
		// Now or never: the kernel takes no rule for all devices once there
		// are groups below.
		for _, v := range c.Levels[i].Limits.Values(V1) {
			if v.Controller != "devices" {
				continue
			}
			if err := g.setV1(dir, v, nil); err != nil {
				return cgroupError(filepath.Join(dir, v.File), err)
			}
		}
	}
	return nil
}

// setV1 writes one value. The two memory limits may only be changed in the
// order in which the smaller stays the smaller.
func (g *group) setV1(dir string, v Value, all []Value) error {
	err := g.host.write(dir+"/"+v.File, v.Value)
	switch {
	case err == nil:
		return nil
	case v.File == "blkio.bfq.weight" && err == unix.ENOENT: // as it was called before there was BFQ
		return writeValue(filepath.Join(dir, "blkio.weight"), v.Value)
	case v.File == "memory.memsw.limit_in_bytes" && err == unix.ENOENT && !hasSwap():
		return nil // no swap is counted because there is none
	case v.File == "memory.limit_in_bytes" && err == unix.EINVAL:
		wide := "-1"
		for _, o := range all {
			if o.File == "memory.memsw.limit_in_bytes" {
				wide = o.Value
			}
		}
		if writeValue(filepath.Join(dir, "memory.memsw.limit_in_bytes"), wide) == nil {
			return writeValue(filepath.Join(dir, v.File), v.Value)
		}
	}
	return err
}

func hasSwap() bool {
	text, err := os.ReadFile("/proc/swaps")
	return err == nil && strings.Count(string(text), "\n") > 1
}

// fillCPUSets gives every group from the parent down a set of CPUs and memory
// nodes, without which no process may enter it: that of the group above, or its
// own, since a group cannot be given less than those below it have.
func (g *group) fillCPUSets(c *Cgroup, depth int) *StartError {
	root := g.host.v1["cpuset"]
	limits := map[string]*Limits{} // by directory
	for i := range depth {
		limits[filepath.Join(root, g.levels[i])] = &c.Levels[i].Limits
	}
	above := root
	for _, name := range strings.Split(g.levels[depth-1], "/") {
		dir := filepath.Join(above, name)
		own := map[string]string{}
		if l := limits[dir]; l != nil {
			own["cpuset.cpus"], own["cpuset.mems"] = l.CPUSet, l.MemorySet
		}
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
			have, err := readControl(filepath.Join(dir, file))
			if err != nil {
				return cgroupError(filepath.Join(dir, file), err)
			}
			if strings.TrimSpace(have) != "" {
				continue
			}
			want := own[file]
			if want == "" {
				want, err = readControl(filepath.Join(above, file))
			}
			if err == nil {
				err = writeValue(filepath.Join(dir, file), strings.TrimSpace(want))
			}
			if err != nil {
				return cgroupError(filepath.Join(dir, file), err)
			}
		}
		above = dir
	}
	return nil
}

// joinFilesV1 opens the files by which a process enters the group. Those
// named "tasks" take a process of one thread without the lock that
// "cgroup.procs" waits for, which can be milliseconds.
func (g *group) joinFilesV1() ([]*os.File, error) {
	if out := g.files; out != nil {
		g.files = nil
		return out, nil
	}
	var out []*os.File
	done := map[string]bool{}
	for _, dir := range g.dirs {
		if done[dir] {
			continue
		}
		done[dir] = true
		f, err := g.host.openControl(dir + "/tasks")
		if err != nil {
			for _, f := range out {
				f.Close()
			}
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}
