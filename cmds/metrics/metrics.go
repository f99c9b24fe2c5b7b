// Package metrics prints what there is to count, in the text format of Prometheus: for
// the textfile collector of its node exporter, or whatever else reads that.
package metrics

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	ucli "github.com/urfave/cli/v2"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
)

// Run is the command.
func Run(env *cli.Env) int {
	app := &ucli.App{
		Name: "rink metrics", Usage: "print what there is to count, in the text format of Prometheus", HideHelpCommand: true, HideVersion: true,
		Description: "The cluster's: jobs, nodes, partitions, the scheduler, the controllers. With --node, that of a node of this host: its jobs and GPUs.",
		Writer:      env.Stdout, ErrWriter: env.Stderr,
		ExitErrHandler: func(*ucli.Context, error) {},
		Flags: []ucli.Flag{
			&ucli.BoolFlag{Name: "node", Usage: "of this host's node, in place of the cluster"},
			&ucli.StringFlag{Name: "name", Usage: "with --node, where the host plays several: the one of that `NAME`"},
			&ucli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write to `FILE`, whole or not at all, in place of standard output"},
		},
		Action: func(c *ucli.Context) error { return run(env, c) },
	}
	if err := app.Run(append([]string{"rink metrics"}, env.Args...)); err != nil {
		env.Errorf("%v", err)
		return 1
	}
	return 0
}

func run(env *cli.Env, c *ucli.Context) error {
	if c.Args().Len() > 0 {
		return fmt.Errorf("%q is one word too many", c.Args().First())
	}
	node := c.Bool("node") || c.IsSet("name")
	connect := cli.Connect
	if node {
		connect = func(env *cli.Env) (*cli.Client, error) { return cli.ConnectNode(env, c.String("name")) }
	}
	client, err := connect(env)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := env.Call(30 * time.Second)
	defer cancel()
	ask := client.Metrics
	if node {
		ask = client.NodeMetrics
	}
	reply, err := ask(ctx, &rinkpb.MetricsRequest{})
	if err != nil {
		return cli.CallErr(err)
	}
	path := c.String("output")
	if path == "" {
		_, err := env.Stdout.Write(reply.Text)
		return err
	}
	// A collector may look at any moment.
	f, err := os.CreateTemp(filepath.Dir(path), ".rink-metrics-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(reply.Text)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if shut := f.Close(); err == nil {
		err = shut
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	return err
}
