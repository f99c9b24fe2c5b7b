package state

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// parseConfig reads a cluster's configuration: the first file is slurm.conf,
// gres.conf is found by its name, and what they include by the name it is
// included by.
func parseConfig(files []ConfigFile) (*sched.Config, []*sched.Node, error) {
	if len(files) == 0 {
		return nil, nil, errors.New("there is no configuration")
	}
	text := make(map[string][]byte, len(files))
	for _, f := range files {
		text[path.Clean(f.Name)] = f.Text
	}
	read := func(name string) ([]byte, error) {
		if t, ok := text[path.Clean(name)]; ok {
			return t, nil
		}
		return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	conf, _, err := slurm.ParseConf(files[0].Name, read)
	if err != nil {
		return nil, nil, err
	}
	var gres *slurm.GresConf
	if _, ok := text["gres.conf"]; ok {
		if gres, _, err = slurm.ParseGresConf("gres.conf", read); err != nil {
			return nil, nil, err
		}
	}
	return sched.NewConfig(conf, gres)
}
