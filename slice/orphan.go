package slice

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// AdoptOrphans has this process become the parent of what a slice leaves
// behind when its first process is killed, so that it can be ended and waited
// for. It is for a process whose children are slices and nothing else: any
// other child would be taken for an orphan.
func (h *Host) AdoptOrphans() error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("cannot adopt orphaned processes: %w", err)
	}
	h.adopts = true
	return nil
}

// bury waits for a first process, and sees to its orphans if it was killed.
func (h *Host) bury(first int) syscall.WaitStatus {
	status, _ := waitFor(first)
	h.firstMu.Lock()
	delete(h.firsts, first)
	h.firstMu.Unlock()
	if h.adopts && status.Signaled() {
		for deadline := time.Now().Add(5 * time.Second); h.reapOrphans() > 0 && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond)
		}
	}
	return status
}

// reapOrphans kills and collects children that are no first processes, and
// returns how many are left.
func (h *Host) reapOrphans() int {
	h.firstMu.Lock()
	defer h.firstMu.Unlock()
	left := 0
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return 0
	}
	for _, t := range threads {
		text, err := readControl("/proc/self/task/" + t.Name() + "/children")
		if err != nil {
			continue
		}
		for _, f := range strings.Fields(text) {
			pid, err := strconv.Atoi(f)
			if err != nil || h.firsts[pid] {
				continue
			}
			unix.Kill(pid, syscall.SIGKILL)
			if got, err := syscall.Wait4(pid, nil, syscall.WNOHANG, nil); err == nil && got == 0 {
				left++
			}
		}
	}
	return left
}

// Sweep ends and removes what is left in the cgroup of a slice that another
// process had started, and returns what the group has counted. It is no error
// if there is nothing.
func (h *Host) Sweep(c *Cgroup) (Usage, error) {
	var u Usage
	if !c.On || len(c.Levels) == 0 || c.validate() != nil {
		return u, nil
	}
	if h.Off != "" {
		return u, fmt.Errorf("cannot look for what is left in cgroup %q: cgroups are off: %s", c.Parent, h.Off)
	}
	g := &group{host: h, dirs: map[string]string{}}
	p := c.Parent
	for _, l := range c.Levels {
		p = path.Join(p, l.Name)
		g.levels = append(g.levels, p)
	}
	if h.Version == V2 {
		g.dir = filepath.Join(h.v2, p)
		if _, err := os.Stat(g.dir); err != nil {
			return u, nil
		}
	} else {
		for controller, root := range h.v1 {
			if dir := filepath.Join(root, p); unix.Access(dir, unix.F_OK) == nil {
				g.dirs[controller] = dir
			}
		}
		if g.procDir() == "" {
			return u, nil
		}
	}
	err := g.kill(time.Now().Add(killTime))
	g.usage(&u, true)
	u.MaxRSS = u.RSS
	if rerr := g.remove(); err == nil {
		err = rerr
	}
	return u, err
}
