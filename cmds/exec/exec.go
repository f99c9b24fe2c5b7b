// Package exec is the command that runs another one inside a running job.
package exec

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"

	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/srun"
	"github.com/runink/rink/slurm"
)

//go:embed help.txt
var helpText string

// options are what the command was asked for.
type options struct {
	help      bool
	pty       bool
	node, dir string
	job       string // an id, or ARRAY_TASK
	step      int32  // -1: none was named
	command   []string
}

// parse reads the command line. What follows the job is the command.
func parse(args []string, terminal bool) (options, error) {
	o := options{pty: terminal, step: -1}
	for len(args) > 0 && o.job == "" {
		a := args[0]
		args = args[1:]
		name, value, given := strings.Cut(a, "=")
		need := func(to *string) error {
			if !given {
				if len(args) == 0 {
					return fmt.Errorf("option '%s' requires an argument", a)
				}
				value, args = args[0], args[1:]
			}
			*to = value
			return nil
		}
		var err error
		switch {
		case a == "-h" || a == "--help":
			o.help = true
			return o, nil
		case a == "--pty":
			o.pty = true
		case a == "--no-pty":
			o.pty = false
		case name == "-w" || name == "--node":
			err = need(&o.node)
		case name == "-D" || name == "--chdir":
			err = need(&o.dir)
		case strings.HasPrefix(a, "-"):
			err = fmt.Errorf("unrecognized option '%s'", a)
		default:
			o.job = a
		}
		if err != nil {
			return o, err
		}
	}
	if o.job == "" {
		return o, fmt.Errorf("which job?")
	}
	if job, step, ok := strings.Cut(o.job, "."); ok {
		o.job = job
		if step != "batch" {
			n, err := strconv.ParseInt(step, 10, 32)
			if err != nil || n < 0 {
				return o, slurm.ErrnoInvalidJobID
			}
			o.step = int32(n)
		}
	}
	if refs, err := slurm.ParseJobRefs(o.job); err != nil || len(refs) != 1 {
		return o, slurm.ErrnoInvalidJobID
	}
	o.command = args
	return o, nil
}

// Run is the command; it returns the exit status.
func Run(env *cli.Env) int {
	o, err := parse(env.Args, cli.IsTerminal(env.Stdin))
	if err != nil {
		env.Errorf("%s", cli.Reason(err))
		fmt.Fprintln(env.Stderr, "Try \"rink exec --help\" for more information")
		return 1
	}
	if o.help {
		fmt.Fprint(env.Stdout, helpText)
		return 0
	}
	// Which job this is run in, if any, is of no interest to the one it goes to.
	inner := *env
	inner.Vars = nil
	for _, kv := range env.Vars {
		if name, _, _ := strings.Cut(kv, "="); !strings.HasPrefix(name, "SLURM_") || name == "SLURM_CONF" {
			inner.Vars = append(inner.Vars, kv)
		}
	}
	inner.Args = []string{"--jobid=" + o.job, "--overlap", "--nodes=1", "--ntasks=1", "--job-name=exec", "--mpi=none"}
	if o.pty {
		inner.Args = append(inner.Args, "--pty")
	}
	if o.node != "" {
		inner.Args = append(inner.Args, "--nodelist="+o.node)
	}
	if o.dir != "" {
		inner.Args = append(inner.Args, "--chdir="+o.dir)
	}
	if len(o.command) == 0 {
		o.command = []string{"/bin/sh"}
	}
	inner.Args = append(inner.Args, o.command...)
	return srun.Join(&inner, o.step)
}
