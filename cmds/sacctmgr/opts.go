package sacctmgr

import (
	"fmt"

	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/slurm"
)

// options are what stands beside the command's words.
type options struct {
	immediate, noHeader, quiet, readonly, assocs bool
	parsable                                     int // 1: a bar behind each value, 2: between them
	verbose                                      int
	encoding                                     show.Encoding
	done                                         string
	words                                        []string
}

func optionTable() []slurm.OptionSpec {
	const none, may, must = slurm.NoArg, slurm.OptionalArg, slurm.RequiredArg
	spec := func(short byte, arg slurm.ArgKind, names ...string) slurm.OptionSpec {
		return slurm.OptionSpec{Names: names, Short: short, Arg: arg}
	}
	return []slurm.OptionSpec{
		spec(0, must, "autocomplete"), spec('s', none, "associations"), spec('h', none, "help", "usage"), spec('i', none, "immediate"), spec(0, may, "json"), spec('n', none, "noheader"),
		spec('o', none, "oneliner"), spec('p', none, "parsable"), spec('P', none, "parsable2"), spec('Q', none, "quiet"), spec('r', none, "readonly"),
		spec('v', none, "verbose"), spec('V', none, "version"), spec(0, may, "yaml"),
	}
}

// parse reads the command line; options may stand anywhere among the words.
func parse(env *cli.Env) (*options, error) {
	o := &options{}
	enc, err := show.EnvEncoding(env)
	if err != nil {
		return nil, fmt.Errorf("%s: error: %w", env.Name, err)
	}
	o.encoding = enc
	given, words, err := slurm.Getopt(env.Name, optionTable(), env.Args, slurm.PermuteWords)
	for _, g := range given {
		switch g.Name() {
		case "associations":
			o.assocs = true
		case "help":
			o.done = helpText
		case "immediate":
			o.immediate = true
		case "json", "yaml":
			enc, err := show.ParseEncoding(g.Name(), g.Value)
			if err != nil {
				return nil, fmt.Errorf("%s: error: %w", env.Name, err)
			}
			o.encoding = enc
		case "noheader":
			o.noHeader = true
		case "parsable":
			o.parsable = 1
		case "parsable2":
			o.parsable = 2
		case "quiet":
			o.quiet = true
		case "readonly":
			o.readonly = true
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
	o.words = words
	return o, err
}
