package state

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

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
	var topology *slurm.TopologyConf
	if _, ok := text["topology.conf"]; ok && !flat(conf) {
		if topology, _, err = slurm.ParseTopologyConf("topology.conf", read); err != nil {
			return nil, nil, err
		}
	}
	cfg, nodes, err := sched.NewConfig(conf, gres)
	if err != nil {
		return nil, nil, err
	}
	if cfg.Topology, err = sched.NewTopology(conf, topology, nodes); err != nil {
		return nil, nil, err
	}
	return cfg, nodes, nil
}

// flat reports whether topology.conf does not matter.
func flat(conf *slurm.Conf) bool {
	switch strings.ToLower(conf.TopologyPlugin) {
	case "topology/tree", "topology/block":
		return false
	}
	return true
}
