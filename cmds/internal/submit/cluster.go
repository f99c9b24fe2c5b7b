package submit

import (
	"errors"
	"io/fs"
	"strings"
	"time"

	"github.com/runink/rink/api"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// Cluster asks for the configuration in force and the nodes.
func Cluster(env *cli.Env, client *cli.Client) (*sched.Config, []*sched.Node, error) {
	ctx, cancel := env.Call(time.Minute)
	defer cancel()
	reply, err := client.GetConfig(ctx, &rinkpb.GetConfigRequest{})
	if err != nil {
		return nil, nil, cli.CallErr(err)
	}
	if len(reply.Files) == 0 {
		return nil, nil, errors.New("the controller has no configuration")
	}
	conf, _, err := slurm.ParseConf(reply.Files[0].Name, func(name string) ([]byte, error) {
		for _, f := range reply.Files {
			if f.Name == name {
				return f.Text, nil
			}
		}
		return nil, fs.ErrNotExist
	})
	if err != nil {
		return nil, nil, err
	}
	list, err := client.ListNodes(ctx, &rinkpb.ListNodesRequest{})
	if err != nil {
		return nil, nil, cli.CallErr(err)
	}
	nodes := make([]*sched.Node, len(list.Nodes))
	for i, n := range list.Nodes {
		if nodes[i], err = api.NodeFromProto(n); err != nil {
			return nil, nil, err
		}
	}
	return &sched.Config{Conf: conf}, nodes, nil
}

// OnCluster reports whether the cluster is among those --clusters names, if it
// names any, and says why not.
func OnCluster(env *cli.Env, client *cli.Client, names []string) bool {
	return len(names) == 0 || cli.OnCluster(env, client.Cluster, strings.Join(names, ","))
}

// Merge puts ours over the variables of vars.
func Merge(vars, ours []string) []string {
	set := make(map[string]bool, len(ours))
	for _, kv := range ours {
		name, _, _ := strings.Cut(kv, "=")
		set[name] = true
	}
	out := make([]string, 0, len(vars)+len(ours))
	for _, kv := range vars {
		if name, _, _ := strings.Cut(kv, "="); !set[name] {
			out = append(out, kv)
		}
	}
	return append(out, ours...)
}
