package sstat

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/slurm"
)

// options are what sstat was asked for.
type options struct {
	jobs      []slurm.JobRef
	all, pids bool
	format    string
	noHeader  bool
	noConvert bool
	parsable  int
	verbose   int
	done      string
}

func optionTable() []slurm.OptionSpec {
	const none, must = slurm.NoArg, slurm.RequiredArg
	spec := func(short byte, arg slurm.ArgKind, names ...string) slurm.OptionSpec {
		return slurm.OptionSpec{Names: names, Short: short, Arg: arg}
	}
	return []slurm.OptionSpec{
		spec(0, must, "autocomplete"), spec('a', none, "allsteps"), spec('e', none, "helpformat"), spec('h', none, "help"), spec('i', none, "pidformat"), spec('j', must, "jobs"),
		spec('n', none, "noheader"), spec(0, none, "noconvert"), spec('o', must, "format", "fields"), spec('p', none, "parsable"),
		spec('P', none, "parsable2"), spec(0, none, "usage"), spec('v', none, "verbose"), spec('V', none, "version"),
	}
}

// fatal is a mistake after which sstat prints nothing but this.
type fatal struct{ text string }

func (e *fatal) Error() string { return e.text }

// parse reads the command line; words behind the options are jobs too.
func parse(env *cli.Env) (*options, error) {
	o := &options{format: defaultFormat}
	given, words, err := slurm.Getopt(env.Name, optionTable(), env.Args, slurm.PermuteWords)
	for _, g := range given {
		switch g.Name() {
		case "allsteps":
			o.all = true
		case "helpformat":
			o.done = fieldTable()
		case "help":
			o.done = helpText
		case "pidformat":
			o.pids, o.format = true, pidFormat
		case "jobs":
			if err := o.setJobs(g.Value); err != nil {
				return nil, err
			}
		case "noheader":
			o.noHeader = true
		case "noconvert":
			o.noConvert = true
		case "format":
			if o.pids {
				o.format = pidFormat + "," + g.Value
			} else {
				o.format = g.Value
			}
		case "parsable":
			o.parsable = 1
		case "parsable2":
			o.parsable = 2
		case "usage":
			o.done = usageText
		case "verbose":
			o.verbose++
		case "autocomplete":
			o.done = slurm.Completions(optionTable(), g.Value)
		case "version":
			o.done = cli.VersionLine() + "\n"
		}
		if o.done != "" {
			return o, nil
		}
	}
	if wrong := (*slurm.OptionError)(nil); errors.As(err, &wrong) {
		return nil, &fatal{wrong.Lines[0]} // without the hint at --help that other commands give
	}
	for _, word := range words {
		if err := o.setJobs(word); err != nil {
			return nil, err
		}
	}
	return o, nil
}

func (o *options) setJobs(list string) error {
	for _, word := range show.Words(list) {
		ref, err := slurm.ParseJobRef(strings.TrimSpace(word))
		if err != nil {
			return &fatal{fmt.Sprintf("sstat: fatal: Bad job/step specified: %s", word)}
		}
		if !slices.ContainsFunc(o.jobs, func(r slurm.JobRef) bool { return r.String() == ref.String() }) {
			o.jobs = append(o.jobs, ref)
		}
	}
	return nil
}
