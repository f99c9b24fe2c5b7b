// Package rinknoded starts the agent of a node.
package rinknoded

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	ucli "github.com/urfave/cli/v2"

	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/daemon"
	"github.com/runink/rink/noded"
)

// Internal returns what a process of the agent's own making runs, by the name
// it was started under; false when the name is none of those.
func Internal(name string) (func(args []string) int, bool) { return noded.Internal(name) }

// Run is the command.
func Run(env *cli.Env) int {
	app := &ucli.App{
		Name: "rinknoded", Usage: "the agent of a node", HideHelpCommand: true, HideVersion: true,
		Writer: env.Stdout, ErrWriter: env.Stderr,
		ExitErrHandler: func(*ucli.Context, error) {},
		Flags: []ucli.Flag{
			&ucli.StringFlag{Name: "f", Usage: "read the configuration from `FILE` (default: $RINK_CONF, $SLURM_CONF, /etc/rink/rink.conf, /etc/slurm/slurm.conf)"},
			&ucli.StringFlag{Name: "N", Usage: "be the node `NAME` (default: the one whose NodeHostname is this host)"},
			&ucli.StringFlag{Name: "join", Usage: "join the cluster with the one-time `TOKEN`, or with the one in the file @PATH"},
			&ucli.BoolFlag{Name: "b", Usage: "report the machine as rebooted with this start, for tests"},
			&ucli.BoolFlag{Name: "C", Usage: "print this machine as a NodeName line describes it and exit"},
			&ucli.BoolFlag{Name: "D", Usage: "stay in the foreground, which is always so; for scripts written for slurmd"},
			&ucli.StringFlag{Name: "L", Usage: "log to `FILE` instead of SlurmdLogFile"},
			&ucli.BoolFlag{Name: "v", Usage: "log more"},
			&ucli.BoolFlag{Name: "V", Usage: "print the version and exit"},
		},
		Action: func(c *ucli.Context) error { return run(env, c) },
	}
	if err := app.Run(append([]string{"rinknoded"}, env.Args...)); err != nil {
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
	if c.Bool("C") {
		host, err := os.Hostname()
		if err != nil {
			return err
		}
		text, err := noded.Describe(host)
		if err != nil {
			return err
		}
		fmt.Fprint(env.Stdout, text)
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
	parsed, files, err := noded.ReadConf(path)
	if err != nil {
		return err
	}
	token := c.String("join")
	if file, ok := strings.CutPrefix(token, "@"); ok {
		text, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("cannot read the join token: %w", err)
		}
		token = strings.TrimSpace(string(text))
	}
	conf, err := noded.ReadConfig(parsed, c.String("N"), host, token)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	conf.Rebooted = c.Bool("b")
	if conf.Path, err = filepath.Abs(path); err != nil {
		return err
	}
	conf.Files = files
	level := parsed.SlurmdDebug
	if c.Bool("v") {
		level = "debug"
	}
	file := strings.NewReplacer("%n", conf.Node, "%h", host).Replace(parsed.SlurmdLogFile)
	if c.IsSet("L") {
		file = c.String("L")
	}
	log, at, closer, err := daemon.Log(file, level, env.Stderr)
	if err != nil {
		return err
	}
	defer closer.Close()
	remove, err := daemon.PIDFile(strings.NewReplacer("%n", conf.Node, "%h", host).Replace(parsed.SlurmdPidFile))
	if err != nil {
		return err
	}
	defer remove()
	daemon.KeepSmall()
	// The configuration comes from the controller, reloads included.
	signal.Ignore(syscall.SIGHUP)
	ctx, cancel := daemon.UntilStopped(context.Background())
	defer cancel()
	err = noded.Run(ctx, noded.Options{Config: conf, Version: cli.SurfaceVersion, Logger: log, Level: at, Shutdown: cancel, StopLauncher: true})
	if err != nil {
		log.Error("stopped", "error", err)
	}
	return err
}
