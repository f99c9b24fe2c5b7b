// Package sinfo is the command that lists partitions and nodes.
package sinfo

import (
	_ "embed"
	"errors"
	"fmt"
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/show"
)

//go:embed help.txt
var helpText string

const usageText = `Usage: sinfo [-i SECONDS] [-n NODES] [-o FORMAT | -O FIELDS] [-p PARTITIONS] [-S KEYS] [-t STATES] [-adeFhlNRrsTvV]`

// Run is the command; it returns the exit status.
func Run(env *cli.Env) int {
	o, err := parse(env)
	if err != nil {
		fmt.Fprintln(env.Stderr, err)
		return 1
	}
	if o.done != "" {
		fmt.Fprint(env.Stdout, o.done)
		return 0
	}
	client, err := cli.Connect(env)
	if err != nil {
		fmt.Fprintf(env.Stderr, "slurm_load_partitions: %s\n", cli.Reason(err))
		return 1
	}
	defer client.Close()
	if o.hasClusters && !cli.OnCluster(env, client.Cluster, o.clusters) {
		return 1
	}
	if o.verbose > 0 {
		env.Infof("cluster=%s format=%q sort=%s exact=%t", client.Cluster, o.format, o.sort, o.exact)
	}
	for {
		code := list(env, o, client.Controller, client.Cluster)
		if o.iterate == 0 {
			return code
		}
		fmt.Fprintln(env.Stdout)
		ctx, cancel := env.Call(time.Duration(o.iterate) * time.Second)
		<-ctx.Done()
		cancel()
		if env.Ctx != nil && env.Ctx.Err() != nil {
			return code
		}
	}
}

// list asks the controller once and prints what it said.
func list(env *cli.Env, o *options, client rinkpb.Controller, cluster string) int {
	v := &view{View: show.NewView(env), exact: o.exact, asked: o.clusters}
	v.NoConvert, v.Cluster = o.noConvert, cluster
	if o.reservations {
		return listReservations(env, o, v, client)
	}
	parts, err := show.Partitions(env, client)
	if err != nil {
		return fail(env, err)
	}
	nodes, err := show.Nodes(env, client)
	if err != nil {
		return fail(env, err)
	}
	if o.encoding.On() {
		err = printData(env, o, v, parts, nodes)
	} else {
		err = printNodes(env, o, v, parts, nodes)
	}
	if err != nil {
		return fail(env, err)
	}
	return 0
}

func fail(env *cli.Env, err error) int {
	var usage *usageError
	if errors.As(err, &usage) {
		fmt.Fprintln(env.Stderr, err)
	} else {
		fmt.Fprintf(env.Stderr, "slurm_load_partitions: %s\n", cli.Reason(err))
	}
	return 1
}
