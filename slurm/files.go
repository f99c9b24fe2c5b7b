package slurm

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
)

// ConfFile is one file of a cluster's configuration, by the name it goes by in
// the others.
type ConfFile struct {
	Name string
	Text []byte
}

// DefaultCommandSocket is where a daemon listens for the commands of its host
// when CommandSocket does not say: %c is the cluster's name and %d the daemon,
// "ctld" or "noded.NODE".
const DefaultCommandSocket = "/run/rink/%c/%d.sock"

// sideFiles are read from the directory of slurm.conf when they are there.
var sideFiles = []string{"gres.conf", "cgroup.conf", "topology.conf"}

// maxIncludes bounds how deep Include may go and maxConfFiles how many files
// there may be in all.
const (
	maxIncludes  = 16
	maxConfFiles = 256
)

// ReadConfFiles gathers a cluster's configuration: slurm.conf at path, what it
// includes, and the files that stand beside it. read reads one file and wraps
// fs.ErrNotExist when there is none.
func ReadConfFiles(path string, read func(path string) ([]byte, error)) ([]ConfFile, error) {
	main, err := read(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read configuration: %w", err)
	}
	dir := filepath.Dir(path)
	files := []ConfFile{{filepath.Base(path), main}}
	have := map[string]bool{}
	cluster := ""
	var follow func(text []byte, depth int) error
	follow = func(text []byte, depth int) error {
		var names []string
		names, cluster = includes(text, cluster)
		for _, name := range names {
			if depth > maxIncludes {
				return fmt.Errorf("cannot include %s: included files go more than %d deep", name, maxIncludes)
			}
			if have[name] {
				continue
			}
			if len(files) >= maxConfFiles {
				return fmt.Errorf("cannot include %s: the configuration has more than %d files", name, maxConfFiles)
			}
			have[name] = true
			at := name
			if !filepath.IsAbs(at) {
				at = filepath.Join(dir, at)
			}
			more, err := read(at)
			if err != nil {
				return fmt.Errorf("cannot include %s: %w", name, err)
			}
			files = append(files, ConfFile{name, more})
			if err := follow(more, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	if err := follow(main, 1); err != nil {
		return nil, err
	}
	for _, name := range sideFiles {
		text, err := read(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read configuration: %w", err)
		}
		files = append(files, ConfFile{name, text})
	}
	return files, nil
}

// includes lists the names on a file's Include lines, with the cluster's name in place
// of %c. It returns the cluster's name as it is known behind the file.
func includes(text []byte, cluster string) (names []string, now string) {
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		line = strings.TrimSpace(line)
		if name, ok := includeName(line); ok {
			names = append(names, strings.ReplaceAll(name, "%c", cluster))
		} else if key, value, ok := strings.Cut(line, "="); ok && strings.EqualFold(strings.TrimSpace(key), "ClusterName") {
			cluster = strings.Trim(strings.TrimSpace(value), `"`)
		}
	}
	return names, cluster
}
