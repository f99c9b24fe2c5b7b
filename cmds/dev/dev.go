// Package dev runs a whole cluster on this machine: a controller with its
// replicated state on disk, and the agents of its nodes, in one process; or several
// controllers, each a process of its own.
package dev

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	ucli "github.com/urfave/cli/v2"

	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/daemon"
	"github.com/runink/rink/ctld"
	"github.com/runink/rink/noded"
)

// Run is the command.
func Run(env *cli.Env) int {
	app := &ucli.App{
		Name: "rink dev", Usage: "run a cluster on this machine until interrupted", HideHelpCommand: true, HideVersion: true,
		Writer: env.Stdout, ErrWriter: env.Stderr,
		ExitErrHandler: func(*ucli.Context, error) {},
		Flags: []ucli.Flag{
			&ucli.StringFlag{Name: "dir", Usage: "keep the cluster in `DIR`, and take up what is there (default: a temporary directory, removed at the end)"},
			&ucli.StringFlag{Name: "config", Usage: "be the cluster that `SLURM_CONF` describes, all of its nodes on this machine"},
			&ucli.IntFlag{Name: "controllers", Value: 1, Usage: "run `N` controllers, each a process of its own when there are several"},
			&ucli.IntFlag{Name: "nodes", Value: 1, Usage: "run `N` nodes"},
			&ucli.IntFlag{Name: "cpus", Usage: "claim `N` CPUs a node (default: this machine's with one node, 16 with several)"},
			&ucli.IntFlag{Name: "memory", Usage: "claim `MB` of memory a node (default: this machine's with one node, 64000 with several)"},
			&ucli.StringFlag{Name: "features", Usage: "give every node the features `LIST`"},
			&ucli.StringFlag{Name: "gres", Usage: "give every node the generic resources `LIST`, such as gpu:a100:4"},
			&ucli.BoolFlag{Name: "v", Usage: "log more"},
		},
		Action: func(c *ucli.Context) error { return run(env, c) },
	}
	if err := app.Run(append([]string{"rink dev"}, env.Args...)); err != nil {
		env.Errorf("%v", err)
		return 1
	}
	return 0
}

func run(env *cli.Env, c *ucli.Context) error {
	if c.Args().Len() > 0 {
		return fmt.Errorf("unexpected argument %q", c.Args().First())
	}
	if n := c.Int("controllers"); n < 1 || n > maxControllers {
		return fmt.Errorf("--controllers=%d is not from 1 to %d", n, maxControllers)
	}
	if n := c.Int("nodes"); n < 1 || n > maxNodes {
		return fmt.Errorf("--nodes=%d is not from 1 to %d", n, maxNodes)
	}
	dir := c.String("dir")
	temporary := dir == ""
	if temporary {
		var err error
		if dir, err = os.MkdirTemp("", "rink-dev-"); err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		// Other users of the machine may use the cluster too.
		if err := os.Chmod(dir, 0o755); err != nil {
			return err
		}
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	path, err := prepare(dir, settings{
		Config: c.String("config"), Controllers: c.Int("controllers"), Nodes: c.Int("nodes"), CPUs: c.Int("cpus"), MemoryMB: c.Int("memory"),
		Features: c.String("features"), Gres: c.String("gres"),
	})
	if err != nil {
		return err
	}
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	parsed, err := ctld.ReadConf(path)
	if err != nil {
		return err
	}
	level := "info"
	if c.Bool("v") {
		level = "debug"
	}
	log, _, closer, err := daemon.Log(filepath.Join(dir, "log", "rink.log"), level, env.Stderr)
	if err != nil {
		return err
	}
	defer closer.Close()
	daemon.KeepSmall()
	base := env.Ctx
	if base == nil {
		base = context.Background()
	}
	ctx, stop := daemon.UntilStopped(base)
	defer stop()

	// The agents stop before the controller, so that their last reports arrive.
	ctldCtx, stopCtld := context.WithCancel(context.WithoutCancel(ctx))
	defer stopCtld()
	ctldEnd := make(chan error, 1)
	up := make(chan struct{})
	if len(parsed.SlurmctldHost) > 1 {
		p := &processes{env: env, path: path, dir: dir, verbose: c.Bool("v"), names: controllerNames(parsed)}
		go func() { ctldEnd <- p.run(ctldCtx, func() { close(up) }) }() // ends with ctldCtx
	} else {
		conf, err := ctld.ReadConfig(path, host)
		if err != nil {
			return err
		}
		go func() { // ends with ctldCtx
			ctldEnd <- ctld.Run(ctldCtx, ctld.Options{Config: conf, Version: cli.VersionLine(), Logger: log.With("daemon", "rinkctld"), Ready: func() { close(up) }})
		}()
	}
	select {
	case <-up:
	case err := <-ctldEnd:
		return withLog(err, log.Handler() != nil, dir)
	case <-time.After(startLimit):
		stopCtld()
		<-ctldEnd
		return withLog(errors.New("the controller does not come up"), true, dir)
	case <-ctx.Done():
		stopCtld()
		return <-ctldEnd
	}
	agents, stopAgents := context.WithCancel(ctx)
	defer stopAgents()
	var wg sync.WaitGroup
	ends := make(chan error, len(parsed.Nodes))
	joined := make(chan struct{}, len(parsed.Nodes))
	said := notices{to: env.Stderr}
	for _, n := range parsed.Nodes {
		nc, err := noded.ReadConfig(parsed, n.Name, host, "")
		if err != nil {
			stopAgents()
			wg.Wait()
			return err
		}
		wg.Go(func() {
			err := noded.Run(agents, noded.Options{
				Config: nc, Version: cli.SurfaceVersion, Logger: log.With("daemon", "rinknoded"), StopLauncher: true,
				Ready: func() { joined <- struct{}{} }, Notice: said.once,
			})
			if err != nil && agents.Err() == nil {
				ends <- fmt.Errorf("node %s: %w", nc.Node, err)
			}
		})
	}
	err = serve(ctx, env, path, len(parsed.Nodes), joined, ends, ctldEnd)
	stopAgents()
	wg.Wait()
	stopCtld()
	if end := <-ctldEnd; err == nil {
		err = end
	}
	return withLog(err, !temporary, dir)
}

// notices says each thing once, however many nodes have it to say.
type notices struct {
	to   io.Writer
	mu   sync.Mutex // guards what follows, and writing
	seen map[string]bool
}

func (n *notices) once(text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.seen[text] {
		return
	}
	if n.seen == nil {
		n.seen = map[string]bool{}
	}
	n.seen[text] = true
	fmt.Fprintf(n.to, "rink dev: %s\n", text)
}

// startLimit is how long the cluster may take to come up.
const startLimit = 60 * time.Second

// serve says when the cluster is ready and waits for its end.
func serve(ctx context.Context, env *cli.Env, path string, nodes int, joined <-chan struct{}, ends, ctldEnd chan error) error {
	limit := time.NewTimer(startLimit)
	defer limit.Stop()
	for n := 0; n < nodes; n++ {
		select {
		case <-joined:
		case err := <-ends:
			return err
		case err := <-ctldEnd:
			ctldEnd <- err
			return err
		case <-limit.C:
			return fmt.Errorf("only %d of %d nodes have joined", n, nodes)
		case <-ctx.Done():
			return nil
		}
	}
	fmt.Fprintf(env.Stdout, "export RINK_CONF=%s\n", path)
	select {
	case <-ctx.Done():
		return nil
	case err := <-ends:
		return err
	case err := <-ctldEnd:
		ctldEnd <- err
		return err
	}
}

// withLog adds where the log is to an error, when it stays.
func withLog(err error, stays bool, dir string) error {
	if err == nil || !stays {
		return err
	}
	return fmt.Errorf("%w (log: %s)", err, filepath.Join(dir, "log", "rink.log"))
}
