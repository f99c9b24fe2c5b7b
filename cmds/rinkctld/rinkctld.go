// Package rinkctld starts the controller.
package rinkctld

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	ucli "github.com/urfave/cli/v2"

	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/daemon"
	"github.com/runink/rink/ctld"
)

// Run is the command.
func Run(env *cli.Env) int {
	app := &ucli.App{
		Name: "rinkctld", Usage: "the controller of a cluster", HideHelpCommand: true, HideVersion: true,
		Writer: env.Stdout, ErrWriter: env.Stderr,
		ExitErrHandler: func(*ucli.Context, error) {},
		Flags: []ucli.Flag{
			&ucli.StringFlag{Name: "f", Usage: "read the configuration from `FILE` (default: $RINK_CONF, $SLURM_CONF, /etc/rink/rink.conf, /etc/slurm/slurm.conf)"},
			&ucli.BoolFlag{Name: "D", Usage: "stay in the foreground, which is always so; for scripts written for slurmctld"},
			&ucli.BoolFlag{Name: "check", Usage: "say of every key of the configuration whether it is honoured, ignored or refused, and exit"},
			&ucli.StringFlag{Name: "L", Usage: "log to `FILE` instead of SlurmctldLogFile"},
			&ucli.BoolFlag{Name: "v", Usage: "log more"},
			&ucli.BoolFlag{Name: "V", Usage: "print the version and exit"},
		},
		Action: func(c *ucli.Context) error { return run(env, c) },
	}
	if err := app.Run(append([]string{"rinkctld"}, env.Args...)); err != nil {
		env.Errorf("%v", err)
		return 1
	}
	return 0
}

func run(env *cli.Env, c *ucli.Context) error {
	if c.Bool("V") {
		fmt.Fprintln(env.Stdout, cli.VersionLine())
		return nil
	}
	if c.Args().Len() > 0 {
		return fmt.Errorf("unexpected argument %q", c.Args().First())
	}
	path := c.String("f")
	if path == "" {
		var err error
		if path, err = cli.ConfigPath(env); err != nil {
			return err
		}
	}
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	if c.Bool("check") {
		return check(env, path)
	}
	conf, err := ctld.ReadConfig(path, host)
	if err != nil {
		return err
	}
	level := conf.Conf.SlurmctldDebug
	if c.Bool("v") {
		level = "debug"
	}
	file := conf.Conf.SlurmctldLogFile
	if c.IsSet("L") {
		file = c.String("L")
	}
	log, closer, err := daemon.Log(file, level, env.Stderr)
	if err != nil {
		return err
	}
	defer closer.Close()
	remove, err := daemon.PIDFile(conf.Conf.SlurmctldPidFile)
	if err != nil {
		return err
	}
	defer remove()
	daemon.KeepSmall()
	ctx, cancel := daemon.UntilStopped(context.Background())
	defer cancel()
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	err = ctld.Run(ctx, ctld.Options{Config: conf, Version: cli.VersionLine(), Logger: log, Reload: hup})
	if err != nil {
		log.Error("stopped", "error", err)
	}
	return err
}
