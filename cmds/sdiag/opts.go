package sdiag

import (
	"fmt"

	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/slurm"
)

// options are what sdiag was asked for.
type options struct {
	reset      bool
	sort       order
	cluster    string
	hasCluster bool
	encoding   show.Encoding
	done       string
}

// order is what requests are listed by.
type order int

// Orders of requests: how many there were, their number, the time of all and of
// one.
const (
	byCount order = iota
	byID
	byTotal
	byMean
)

func optionTable() []slurm.OptionSpec {
	const none, may, must = slurm.NoArg, slurm.OptionalArg, slurm.RequiredArg
	spec := func(short byte, arg slurm.ArgKind, names ...string) slurm.OptionSpec {
		return slurm.OptionSpec{Names: names, Short: short, Arg: arg}
	}
	return []slurm.OptionSpec{
		spec(0, must, "autocomplete"), spec('a', none, "all"), spec('h', none, "help"), spec('i', none, "sort-by-id"), spec(0, may, "json"), spec('M', must, "cluster", "clusters"),
		spec(0, none, "no-trunc"), spec('r', none, "reset"), spec('t', none, "sort-by-time"), spec('T', none, "sort-by-time2"),
		spec(0, none, "usage"), spec('V', none, "version"), spec(0, may, "yaml"),
	}
}

// parse reads the environment and the command line; words behind the options mean
// nothing.
func parse(env *cli.Env) (*options, error) {
	o := &options{}
	o.cluster, o.hasCluster = env.Lookup("SLURM_CLUSTERS")
	enc, err := show.EnvEncoding(env)
	if err != nil {
		return nil, fmt.Errorf("%s: error: %w", env.Name, err)
	}
	o.encoding = enc
	given, _, err := slurm.Getopt(env.Name, optionTable(), env.Args, slurm.PermuteWords)
	for _, g := range given {
		if name := g.Name(); name == "json" || name == "yaml" {
			enc, err := show.ParseEncoding(name, g.Value)
			if err != nil {
				return nil, fmt.Errorf("%s: error: %w", env.Name, err)
			}
			o.encoding = enc
			continue
		}
		switch g.Name() {
		case "all":
			o.reset = false
		case "reset":
			o.reset = true
		case "sort-by-id":
			o.sort = byID
		case "sort-by-time":
			o.sort = byTotal
		case "sort-by-time2":
			o.sort = byMean
		case "cluster":
			o.cluster, o.hasCluster = g.Value, true
		case "help":
			o.done = helpText
		case "usage":
			o.done = usageText
		case "no-trunc": // what waits is never shortened
		case "autocomplete":
			o.done = slurm.Completions(optionTable(), g.Value)
		case "version":
			o.done = cli.VersionLine() + "\n"
		}
		if o.done != "" {
			return o, nil
		}
	}
	return o, err
}
