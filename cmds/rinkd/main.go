// Command rinkd is what runs a daemon in its own process: the controller, the agent
// of a node, a whole cluster on one machine, and what looks after a controller's
// files. It looks at the name it was called by, or at its first argument.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/runink/rink/cmds/barn"
	"github.com/runink/rink/cmds/dev"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/rinkctld"
	"github.com/runink/rink/cmds/rinknoded"
	"github.com/runink/rink/cmds/rinkrestd"
)

// command is one of those. The first two have links of their own.
type command struct {
	name, calls string // calls is what it calls itself in messages
	run         func(*cli.Env) int
}

var commands = []command{
	{"rinkctld", "rinkctld", rinkctld.Run},
	{"rinknoded", "rinknoded", rinknoded.Run},
	{"rinkrestd", "rinkrestd", rinkrestd.Run},
	{"slurmrestd", "slurmrestd", rinkrestd.Run},
	{"dev", "rink dev", dev.Run},
	{"barn", "rink barn", barn.Run},
}

func main() {
	if run, ok := rinknoded.Internal(os.Args[0]); ok {
		os.Exit(run(os.Args))
	}
	name, args := filepath.Base(os.Args[0]), os.Args[1:]
	if name == "rinkd" && len(args) > 0 {
		name, args = args[0], args[1:]
	}
	for _, c := range commands {
		if c.name == name {
			os.Exit(c.run(cli.OSEnv(c.calls, args)))
		}
	}
	const usage = "Usage: rinkd rinkctld|rinknoded|rinkrestd|dev|barn [ARGUMENTS], or a link named rinkctld, rinknoded or rinkrestd"
	switch name {
	case "-h", "--help", "help":
		fmt.Println(usage)
		fmt.Println(`
  rinkctld    the controller of a cluster; rinkctld --help
  rinknoded   the agent of a node; rinknoded --help
  rinkrestd   the cluster over HTTP; rinkrestd --help
  dev         a cluster on this machine; rink dev --help
  barn        backups and what else there is to do with a controller's files; rink barn --help
  links       print the names that stand for a daemon
  --version   print the version`)
	case "links": // what make install and make build link to rinkd
		fmt.Println("rinkctld\nrinknoded\nrinkrestd\nslurmrestd")
	case "-V", "--version", "version":
		fmt.Printf("rinkd %s (%s)\n", cli.Version, cli.Commit)
	default:
		fmt.Fprintln(os.Stderr, usage)
		os.Exit(2)
	}
}
