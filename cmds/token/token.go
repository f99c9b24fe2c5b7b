// Package token makes one-time tokens with which daemons join the cluster.
package token

import (
	"errors"
	"fmt"
	"time"

	ucli "github.com/urfave/cli/v2"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
)

// Run is the command.
func Run(env *cli.Env) int {
	app := &ucli.App{
		Name: "rink token", Usage: "make a one-time token with which a daemon joins the cluster", HideHelpCommand: true, HideVersion: true,
		Writer: env.Stdout, ErrWriter: env.Stderr,
		ExitErrHandler: func(*ucli.Context, error) {},
		Flags: []ucli.Flag{
			&ucli.StringFlag{Name: "node", Usage: "good for the node `NAME` alone (default: any node of the configuration)"},
			&ucli.StringFlag{Name: "controller", Usage: "good for the controller `NAME` alone, in place of a node"},
			&ucli.DurationFlag{Name: "for", Value: time.Hour, Usage: "good for so `LONG`, at most a week"},
		},
		Action: func(c *ucli.Context) error {
			role, name := "node", c.String("node")
			if c.IsSet("controller") {
				if c.IsSet("node") {
					return errors.New("--node and --controller do not go together")
				}
				if role, name = "controller", c.String("controller"); name == "" {
					return errors.New("--controller needs a name: a controller holds the cluster's authority")
				}
			}
			client, err := cli.Connect(env)
			if err != nil {
				return err
			}
			defer client.Close()
			ctx, cancel := env.Call(30 * time.Second)
			defer cancel()
			r, err := client.CreateToken(ctx, &rinkpb.CreateTokenRequest{
				Role: role, Name: name, Lifetime: int64(c.Duration("for") / time.Second),
			})
			if err != nil {
				return cli.CallErr(err)
			}
			if err := cli.StatusErr(r.Status); err != nil {
				return err
			}
			fmt.Fprintln(env.Stdout, r.Token)
			return nil
		},
	}
	if err := app.Run(append([]string{"rink token"}, env.Args...)); err != nil {
		env.Errorf("%v", err)
		return 1
	}
	return 0
}
