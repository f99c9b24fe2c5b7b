package sattach

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/slurm"
)

// anyTask is a filter that lets all tasks through.
const anyTask = -1

// options are what sattach was asked for.
type options struct {
	ref                slurm.JobRef
	input, out, err    int32 // the one task, or anyTask
	label, layout, pty bool
	quiet, verbose     int
	done               string
}

func optionTable() []slurm.OptionSpec {
	const none, must = slurm.NoArg, slurm.RequiredArg
	spec := func(short byte, arg slurm.ArgKind, names ...string) slurm.OptionSpec {
		return slurm.OptionSpec{Names: names, Short: short, Arg: arg}
	}
	return []slurm.OptionSpec{
		spec(0, must, "autocomplete"), spec(0, none, "debugger-test"), spec(0, must, "error-filter"), spec('h', none, "help"), spec(0, must, "input-filter"), spec('l', none, "label"), spec(0, none, "layout"),
		spec(0, must, "output-filter"), spec(0, none, "pty"), spec('Q', none, "quiet"), spec('u', none, "usage"), spec('v', none, "verbose"),
		spec('V', none, "version"),
	}
}

// errUsage is a mistake after which the usage is printed.
var errUsage = errors.New("how it is called")

// parse reads the command line: options, and one step.
func parse(env *cli.Env) (*options, error) {
	o := &options{input: anyTask, out: anyTask, err: anyTask}
	given, words, err := slurm.Getopt(env.Name, optionTable(), env.Args, slurm.PermuteWords)
	for _, g := range given {
		var filter *int32
		switch g.Name() {
		case "input-filter":
			filter = &o.input
		case "output-filter":
			filter = &o.out
		case "error-filter":
			filter = &o.err
		case "debugger-test":
			env.Warnf("--debugger-test has no effect here: a debugger finds the tasks by itself")
		case "label":
			o.label = true
		case "layout":
			o.layout = true
		case "pty":
			o.pty = true
		case "quiet":
			o.quiet++
		case "verbose":
			o.verbose++
		case "help":
			o.done = helpText
		case "usage":
			o.done = usageText
		case "autocomplete":
			o.done = slurm.Completions(optionTable(), g.Value)
		case "version":
			o.done = cli.VersionLine() + "\n"
		}
		if filter != nil {
			n, err := strconv.ParseInt(g.Value, 10, 32)
			if err != nil || n < 0 {
				return nil, fmt.Errorf("%s: error: Invalid numeric value %q for %s.", env.Name, g.Value, g.Name())
			}
			*filter = int32(n)
		}
		if o.done != "" {
			return o, nil
		}
	}
	if err != nil {
		return nil, err
	}
	if len(words) != 1 {
		return nil, fmt.Errorf("%s: error: too many parameters\n%w", env.Name, errUsage)
	}
	if job, step, ok := strings.Cut(words[0], "."); ok {
		if _, bad := slurm.ParseJobRef(words[0]); bad != nil && (step == "" || step[0] < '0' || step[0] > '9') {
			return nil, fmt.Errorf("%s: fatal: Bad step specified: %s", env.Name, job)
		} else if bad != nil { // Slurm reads what numbers there are, and there is no such step
			return nil, fmt.Errorf("%s: error: Could not get job step info: %w", env.Name, slurm.ErrnoInvalidJobID)
		}
	}
	if o.ref, err = slurm.ParseJobRef(words[0]); err != nil || !o.ref.HasStep {
		return nil, fmt.Errorf("%s: error: Failed to parse stepid from command line options\n%w", env.Name, errUsage)
	}
	return o, nil
}
