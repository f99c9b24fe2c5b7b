package slice

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"golang.org/x/sys/unix"
)

// v2Wanted are the controllers that are enabled for slices where the machine
// has them.
var v2Wanted = []string{"cpu", "cpuset", "memory", "pids", "io"}

func (h *Host) probeV2(parent string) error {
	err := h.prepareV2(h.v2, parent)
	if err != nil && os.Geteuid() != 0 {
		// An ordinary user may have been given the group it runs in.
		own, oerr := ownGroupV2()
		if oerr != nil {
			return fmt.Errorf("%w; and %w", err, oerr)
		}
		base := filepath.Join(h.v2, own)
		if oerr := h.prepareV2(base, parent); oerr != nil {
			return oerr
		}
		h.v2, err = base, nil
	}
	if err != nil {
		return err
	}
	h.Version, h.Root = V2, h.v2
	have, err := readControl(filepath.Join(h.v2, parent, "cgroup.subtree_control"))
	if err != nil {
		return err
	}
	h.Controllers = strings.Fields(have)
	if os.Geteuid() == 0 {
		h.Controllers = append(h.Controllers, "devices") // not a controller but a program, loaded by root
	}
	sort.Strings(h.Controllers)
	return nil
}

// prepareV2 makes the parent group below base and has the controllers passed
// down to what will be made in it.
func (h *Host) prepareV2(base, parent string) error {
	if err := mkdirs(base, parent); err != nil {
		return fmt.Errorf("cannot make %q: %w", filepath.Join(base, parent), err)
	}
	if err := unix.Access(filepath.Join(base, parent, "cgroup.procs"), unix.W_OK); err != nil {
		return fmt.Errorf("cannot use %q: %w", filepath.Join(base, parent), err)
	}
	dir := base
	for _, name := range append([]string{""}, strings.Split(parent, "/")...) {
		dir = filepath.Join(dir, name)
		err := enableV2(dir, v2Wanted)
		if errors.Is(err, unix.EBUSY) && dir == base {
			// Processes and controllers do not go together in one group. If
			// this process is alone in it, it can step aside.
			if serr := stepAside(base); serr != nil {
				return serr
			}
			err = enableV2(dir, v2Wanted)
		}
		if err != nil {
			return fmt.Errorf("cannot pass controllers down from %q: %w", dir, err)
		}
	}
	return nil
}

func ownGroupV2() (string, error) {
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	for _, line := range strings.Split(string(text), "\n") {
		if p, ok := strings.CutPrefix(line, "0::"); ok {
			return path.Clean("/" + p), nil
		}
	}
	return "", errors.New("this process is in no cgroup of version 2")
}

func stepAside(base string) error {
	pids, err := pidsIn(base)
	if err != nil {
		return err
	}
	if len(pids) != 1 || pids[0] != os.Getpid() {
		return fmt.Errorf("cannot use %q: other processes are in it", base)
	}
	leaf := filepath.Join(base, "rink-launcher")
	if err := unix.Mkdir(leaf, 0o755); err != nil && err != unix.EEXIST {
		return err
	}
	return writeValue(filepath.Join(leaf, "cgroup.procs"), "0")
}

// enableV2 has those of the controllers that dir has passed down.
func enableV2(dir string, controllers []string) error {
	have, err := readControl(filepath.Join(dir, "cgroup.controllers"))
	if err != nil {
		return err
	}
	on, err := readControl(filepath.Join(dir, "cgroup.subtree_control"))
	if err != nil {
		return err
	}
	var words []string
	for _, c := range controllers {
		if slices.Contains(strings.Fields(have), c) && !slices.Contains(strings.Fields(on), c) {
			words = append(words, "+"+c)
		}
	}
	if len(words) == 0 {
		return nil
	}
	return writeValue(filepath.Join(dir, "cgroup.subtree_control"), strings.Join(words, " "))
}

func (g *group) makeV2(c *Cgroup) *StartError {
	h := g.host
	if _, err := os.Stat(filepath.Join(h.v2, c.Parent)); err != nil || c.Parent != h.parent {
		if err := h.prepareV2(h.v2, c.Parent); err != nil {
			return cgroupError(filepath.Join(h.v2, c.Parent), err)
		}
	}
	for i, rel := range g.levels {
		dir := filepath.Join(h.v2, rel)
		last := i == len(g.levels)-1
		made := true
		var err error
		if last {
			g.dir = dir
			err = freshDir(dir)
		} else if err = unix.Mkdir(dir, 0o755); err == unix.EEXIST {
			made, err = false, nil
		}
		if err != nil {
			return cgroupError(dir, err)
		}
		if !last && made {
			if err := enableV2(dir, v2Wanted); err != nil {
				return cgroupError(filepath.Join(dir, "cgroup.subtree_control"), err)
			}
		}
		for _, v := range c.Levels[i].Limits.Values(V2) {
			err := writeValue(filepath.Join(dir, v.File), v.Value)
			if err == unix.ENOENT && v.File == "io.weight" { // without the controller by cost there is BFQ's
				err = writeValue(filepath.Join(dir, "io.bfq.weight"), v.Value)
			}
			if err == unix.ENOENT && v.File == "memory.swap.max" && !hasSwap() {
				err = nil // no swap is counted because there is none
			}
			if err != nil {
				return cgroupError(filepath.Join(dir, v.File), err)
			}
		}
		if rules := c.Levels[i].Limits.Devices; len(rules) > 0 && made {
			if err := fenceV2(dir, rules); err != nil {
				return cgroupError(dir, fmt.Errorf("cannot fence devices: %w", err))
			}
		}
	}
	return nil
}
