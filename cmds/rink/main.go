// Command rink is every command of the system in one executable: it looks at the
// name it was called by. What runs a daemon is rinkd, an executable of its own.
package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/runink/rink/cmds/adopt"
	"github.com/runink/rink/cmds/controller"
	rinkexec "github.com/runink/rink/cmds/exec"
	"github.com/runink/rink/cmds/export"
	"github.com/runink/rink/cmds/importer"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/metrics"
	"github.com/runink/rink/cmds/reff"
	"github.com/runink/rink/cmds/sacct"
	"github.com/runink/rink/cmds/sacctmgr"
	"github.com/runink/rink/cmds/salloc"
	"github.com/runink/rink/cmds/sattach"
	"github.com/runink/rink/cmds/sbatch"
	"github.com/runink/rink/cmds/sbcast"
	"github.com/runink/rink/cmds/scancel"
	"github.com/runink/rink/cmds/scontrol"
	"github.com/runink/rink/cmds/scrontab"
	"github.com/runink/rink/cmds/sdiag"
	"github.com/runink/rink/cmds/seff"
	"github.com/runink/rink/cmds/sim"
	"github.com/runink/rink/cmds/sinfo"
	"github.com/runink/rink/cmds/sprio"
	"github.com/runink/rink/cmds/squeue"
	"github.com/runink/rink/cmds/sreport"
	"github.com/runink/rink/cmds/srun"
	"github.com/runink/rink/cmds/sshare"
	"github.com/runink/rink/cmds/sstat"
	"github.com/runink/rink/cmds/strigger"
	"github.com/runink/rink/cmds/token"
	"github.com/runink/rink/cmds/why"
)

// command is one name of the program. Slurm's name, when there is one, is what
// the command calls itself in messages, whichever name it was called by.
type command struct {
	names []string // the first is what messages begin with
	run   func(*cli.Env) int
	what  string
}

var commands = []command{
	{[]string{"rinkctld"}, daemon("rinkctld"), "the controller"},
	{[]string{"rinknoded"}, daemon("rinknoded"), "the agent of a node"},
	{[]string{"rinkrestd", "slurmrestd"}, daemon("rinkrestd"), "the cluster over HTTP"},
	{[]string{"sbatch", "rbatch"}, sbatch.Run, "submit a job script or a pipeline"},
	{[]string{"squeue", "rqueue"}, squeue.Run, "list jobs, steps and runs"},
	{[]string{"scancel", "rcancel"}, scancel.Run, "cancel or signal jobs"},
	{[]string{"sinfo", "rinfo"}, sinfo.Run, "list partitions and nodes"},
	{[]string{"srun", "rrun"}, srun.Run, "run tasks on the cluster"},
	{[]string{"salloc", "ralloc"}, salloc.Run, "hold nodes for a command"},
	{[]string{"scontrol", "rcontrol"}, scontrol.Run, "look at and change everything"},
	{[]string{"sacct", "racct"}, sacct.Run, "list past and present jobs"},
	{[]string{"sprio", "rprio"}, sprio.Run, "list what priorities are made of"},
	{[]string{"sshare", "rshare"}, sshare.Run, "list how accounts stand to their fair shares"},
	{[]string{"sreport", "rreport"}, sreport.Run, "report who used how much"},
	{[]string{"sstat", "rstat"}, sstat.Run, "what running steps use"},
	{[]string{"sdiag", "rdiag"}, sdiag.Run, "what the controller did, and how long that took"},
	{[]string{"sbcast", "rbcast"}, sbcast.Run, "copy a file to the nodes of a job"},
	{[]string{"sattach", "rattach"}, sattach.Run, "see and feed a running step"},
	{[]string{"scrontab", "rcrontab"}, scrontab.Run, "have jobs started again and again"},
	{[]string{"strigger", "rtrigger"}, strigger.Run, "have a program run when something happens"},
	{[]string{"seff"}, seff.Run, "what a job used of what it held"},
	{[]string{"reff"}, reff.Run, "the same of users, accounts, herds and arrays"},
	{[]string{"sacctmgr", "racctmgr"}, sacctmgr.Run, "look at accounts, users and QOS, and change them"},
}

// verbs are what Slurm has no word for: rink VERB.
var verbs = []command{
	{[]string{"adopt"}, adopt.Run, "a session from outside into its user's job, for PAM"},
	{[]string{"metrics"}, metrics.Run, "what there is to count, for Prometheus"},
	{[]string{"controller"}, controller.Run, "look after the controllers: list, remove, transfer"},
	{[]string{"barn"}, daemon("barn"), "back up what the controllers keep, check it, and put it back"},
	{[]string{"dev"}, daemon("dev"), "a whole cluster on this machine"},
	{[]string{"exec"}, rinkexec.Run, "a command or a shell inside a running job"},
	{[]string{"export"}, export.Run, "write the history for other programs"},
	{[]string{"import"}, importer.Run, "take in the history of a Slurm site"},
	{[]string{"sim"}, sim.Run, "replay a workload log under another policy or configuration"},
	{[]string{"token"}, token.Run, "make a one-time token with which a daemon joins"},
	{[]string{"why"}, why.Run, "why a job waits, and until when"},
}

// daemons are the names that rinkd answers to.
var daemons = []string{"rinkctld", "rinknoded", "rinkrestd", "slurmrestd"}

// daemon has rinkd take over: a command that only asks a daemon starts in half the
// time without what daemons are made of. rinkd is looked for beside this
// executable, then on PATH.
func daemon(name string) func(*cli.Env) int {
	return func(env *cli.Env) int {
		path, err := rinkd()
		if err == nil {
			err = syscall.Exec(path, append([]string{"rinkd", name}, env.Args...), env.Vars)
		}
		env.Errorf("cannot run rinkd: %v", err)
		return 1
	}
}

func rinkd() (string, error) {
	if self, err := os.Executable(); err == nil {
		path := filepath.Join(filepath.Dir(self), "rinkd")
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return exec.LookPath("rinkd")
}

func main() {
	os.Exit(run(os.Args))
}

// run dispatches on the name the program was called by, or on its first
// argument when called as rink.
func run(args []string) int {
	name := strings.TrimPrefix(filepath.Base(args[0]), "-")
	args = args[1:]
	if name == "rink" && len(args) > 0 {
		name, args = args[0], args[1:]
		for _, c := range verbs {
			if c.names[0] == name {
				return c.run(cli.OSEnv("rink "+name, args))
			}
		}
	}
	for _, c := range commands {
		for _, n := range c.names {
			if n == name {
				return c.run(cli.OSEnv(c.names[0], args))
			}
		}
	}
	switch name {
	case "links": // what make install and make build link to rink, one name a line
		for _, c := range commands {
			if !slices.Contains(daemons, c.names[0]) {
				fmt.Println(strings.Join(c.names, "\n"))
			}
		}
		return 0
	case "version", "-V", "--version":
		fmt.Printf("rink %s (%s)\n", cli.Version, cli.Commit)
		return 0
	case "rink", "help", "-h", "--help":
		usage(os.Stdout)
		return 0
	}
	fmt.Fprintf(os.Stderr, "rink: error: %q is not a command of rink\n", name)
	usage(os.Stderr)
	return 1
}

func usage(w io.Writer) {
	fmt.Fprintln(w, "Usage: rink COMMAND [ARGUMENTS], or a link named COMMAND\n\nCommands:")
	for _, c := range append(append([]command(nil), verbs...), commands...) {
		fmt.Fprintf(w, "  %-20s %s\n", strings.Join(c.names, ", "), c.what)
	}
}
