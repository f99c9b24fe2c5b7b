// Package rinkctld starts the controller.
package rinkctld

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	ucli "github.com/urfave/cli/v2"

	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/daemon"
	"github.com/runink/rink/ctld"
)

// Run is the command.
func Run(env *cli.Env) int { return RunOn(env, ctld.BarnForTests{}) }

// RunOn is Run with a barn as a test wants it.
func RunOn(env *cli.Env, barn ctld.BarnForTests) int {
	app := &ucli.App{
		Name: "rinkctld", Usage: "a controller of a cluster", UsageText: "rinkctld [options]\nrinkctld [options] join TOKEN|@PATH   get this controller its part in the cluster, and exit", HideHelpCommand: true, HideVersion: true,
		Writer: env.Stdout, ErrWriter: env.Stderr,
		ExitErrHandler: func(*ucli.Context, error) {},
		Flags: []ucli.Flag{
			&ucli.StringFlag{Name: "f", Usage: "read the configuration from `FILE` (default: $RINK_CONF, $SLURM_CONF, /etc/rink/rink.conf, /etc/slurm/slurm.conf)"},
			&ucli.BoolFlag{Name: "D", Usage: "stay in the foreground, which is always so; for scripts written for slurmctld"},
			&ucli.StringFlag{Name: "name", Usage: "be the controller that SlurmctldHost calls `NAME` (default: the one of this host)"},
			&ucli.StringFlag{Name: "join", Usage: "should this controller have no part in the cluster yet, join with the one-time `TOKEN`, or with the one in the file @PATH"},
			&ucli.BoolFlag{Name: "check", Usage: "say of every key of the configuration whether it is honoured, ignored or refused, and exit"},
			&ucli.StringFlag{Name: "L", Usage: "log to `FILE` instead of SlurmctldLogFile"},
			&ucli.BoolFlag{Name: "v", Usage: "log more"},
			&ucli.BoolFlag{Name: "V", Usage: "print the version and exit"},
		},
		Action: func(c *ucli.Context) error { return run(env, c, barn) },
	}
	if err := app.Run(append([]string{"rinkctld"}, env.Args...)); err != nil {
		env.Errorf("%v", err)
		return 1
	}
	return 0
}

func run(env *cli.Env, c *ucli.Context, barn ctld.BarnForTests) error {
	if c.Bool("V") {
		fmt.Fprintln(env.Stdout, cli.VersionLine())
		return nil
	}
	joins := c.Args().First() == "join"
	if c.Args().Len() > 0 && !joins || c.Args().Len() > 2 {
		return fmt.Errorf("unexpected argument %q", c.Args().Get(c.Args().Len()-1))
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
		return check(env, path, host, c.String("name"))
	}
	conf, err := ctld.ReadConfigOf(path, host, c.String("name"))
	if err != nil {
		return err
	}
	token := c.String("join")
	if joins {
		if token = c.Args().Get(1); token == "" {
			return errors.New("join needs a token: rink token --controller " + conf.Name + ", run where the cluster is, makes one")
		}
	}
	if token != "" {
		if conf.Token, err = tokenOf(token); err != nil {
			return err
		}
	}
	if joins {
		ctx, cancel := daemon.UntilStopped(context.Background())
		defer cancel()
		if err := ctld.Join(ctx, ctld.Options{Config: conf, Version: cli.VersionLine()}); err != nil {
			return err
		}
		fmt.Fprintf(env.Stdout, "controller %s has its part in cluster %s: start it now\n", conf.Name, conf.Conf.ClusterName)
		return nil
	}
	level := conf.Conf.SlurmctldDebug
	if c.Bool("v") {
		level = "debug"
	}
	file := conf.Fill(conf.Conf.SlurmctldLogFile)
	if c.IsSet("L") {
		file = c.String("L")
	}
	log, at, closer, err := daemon.Log(file, level, env.Stderr)
	if err != nil {
		return err
	}
	defer closer.Close()
	remove, err := daemon.PIDFile(conf.Fill(conf.Conf.SlurmctldPidFile))
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
	err = ctld.Run(ctx, ctld.Options{Config: conf, Version: cli.VersionLine(), Logger: log, Level: at, Shutdown: cancel, Reload: hup, Barn: barn})
	if err != nil {
		log.Error("stopped", "error", err)
	}
	return err
}

// tokenOf is a token as it is given: itself, or the name of a file behind an @.
func tokenOf(given string) (string, error) {
	file, ok := strings.CutPrefix(given, "@")
	if !ok {
		return given, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("cannot read the join token: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}
