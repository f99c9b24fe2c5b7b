package slice

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrNotInGroup is that a process is in no group below the parent that was named.
var ErrNotInGroup = errors.New("the process is in no cgroup of that slice's")

// Accompany moves a process that no slice has made, with all of its threads, into the
// cgroups that a task of a slice is in: limits and ends are the slice's from then on,
// also for what the process forks. parent is a group that the task has to be below: else,
// or when it is gone, the error is ErrNotInGroup. In part done, it is an error.
func Accompany(pid, task int, parent string) error {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(task) + "/cgroup")
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
		return ErrNotInGroup
	}
	if err != nil {
		return err
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	v1, v2 := cgroupMounts(string(mounts))
	dirs := groupsOf(string(text), parent, v1, v2)
	if len(dirs) == 0 {
		return ErrNotInGroup
	}
	for _, dir := range dirs {
		err := writeValue(filepath.Join(dir, "cgroup.procs"), strconv.Itoa(pid))
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) { // removed meanwhile
			return ErrNotInGroup
		}
		if err != nil {
			return fmt.Errorf("%s: %w", dir, err)
		}
	}
	return nil
}

// groupsOf are the directories of the groups below parent that a process is in, each
// once; text is its /proc/PID/cgroup.
func groupsOf(text, parent string, v1 map[string]string, v2 string) []string {
	var out []string
	for line := range strings.Lines(text) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(f) != 3 || !strings.Contains(f[2]+"/", "/"+strings.Trim(parent, "/")+"/") {
			continue
		}
		root := v2
		if f[1] != "" {
			root = ""
			for name := range strings.SplitSeq(f[1], ",") {
				if root = v1[name]; root != "" {
					break
				}
			}
		}
		if dir := filepath.Join(root, f[2]); root != "" && !slices.Contains(out, dir) {
			out = append(out, dir)
		}
	}
	return out
}
