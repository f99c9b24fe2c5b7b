package scontrol

import (
	"fmt"
	"strings"

	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/slurm"
)

// options are what stands beside the command's words.
type options struct {
	all, future        bool
	root               bool // called by root, who sees what is hidden too
	details            int
	oneLine            bool
	quiet              bool
	verbose            int
	clusters           string
	hasClusters        bool
	uid                string
	encoding           show.Encoding
	done               string
	words              []string
	interactive, ended bool // ended: an interactive session was told to
}

func optionTable() []slurm.OptionSpec {
	const none, must, may = slurm.NoArg, slurm.RequiredArg, slurm.OptionalArg
	spec := func(short byte, arg slurm.ArgKind, names ...string) slurm.OptionSpec {
		return slurm.OptionSpec{Names: names, Short: short, Arg: arg}
	}
	return []slurm.OptionSpec{
		spec(0, must, "autocomplete"), spec('a', none, "all"), spec('M', must, "clusters", "cluster"), spec('d', none, "details"), spec(0, none, "federation"),
		spec('F', none, "future"), spec('h', none, "help"), spec(0, none, "usage"), spec(0, none, "hide"), spec(0, may, "json"), spec(0, none, "local"),
		spec('o', none, "oneliner"), spec('Q', none, "quiet"), spec(0, none, "sibling"), spec('u', must, "uid"), spec('v', none, "verbose"),
		spec('V', none, "version"), spec(0, may, "yaml"),
	}
}

// parse reads the environment and the command line; options may stand anywhere
// among the words.
func parse(env *cli.Env) (*options, error) {
	o := &options{root: env.UID() == 0}
	if _, ok := env.Lookup("SCONTROL_ALL"); ok {
		o.all = true
	}
	if _, ok := env.Lookup("SCONTROL_FUTURE"); ok {
		o.future = true
	}
	if v, ok := env.Lookup("SLURM_CLUSTERS"); ok {
		o.clusters, o.hasClusters = v, true
	}
	enc, err := show.EnvEncoding(env)
	if err != nil {
		return nil, fmt.Errorf("%s: error: %w", env.Name, err)
	}
	o.encoding = enc
	args, flags := env.Args, []string(nil)
	for i, a := range args {
		// What follows setdebugflags begins with + or -, and is no option.
		if len(a) > 8 && strings.HasPrefix("setdebugflags", strings.ToLower(a)) {
			args, flags = args[:i+1], args[i+1:]
			break
		}
	}
	given, words, err := slurm.Getopt(env.Name, optionTable(), args, slurm.PermuteWords)
	words = append(words, flags...)
	for _, g := range given {
		if name := g.Name(); name == "json" || name == "yaml" {
			enc, err := show.ParseEncoding(name, g.Value)
			if err != nil {
				return nil, fmt.Errorf("%s: error: %w", env.Name, err)
			}
			o.encoding = enc
			continue
		}
		o.set(g.Name(), g.Value)
		if o.done != "" {
			return o, nil
		}
	}
	o.words = words
	o.interactive = len(words) == 0
	return o, err
}

// seesAll reports whether hidden partitions are shown.
func (o *options) seesAll() bool { return o.all || o.root }

func (o *options) set(name, value string) {
	switch name {
	case "all":
		o.all = true
	case "clusters":
		o.clusters, o.hasClusters = value, true
	case "details":
		o.details++
	case "federation", "local", "sibling":
		// One cluster is all there is.
	case "future":
		o.future = true
	case "help":
		o.done = helpText
	case "usage":
		o.done = helpText[:strings.IndexByte(helpText, '\n')+1]
	case "hide":
		o.all = false
	case "oneliner":
		o.oneLine = true
	case "quiet":
		o.quiet = true
	case "uid":
		o.uid = value
	case "verbose":
		o.verbose++
	case "autocomplete":
		o.done = slurm.Completions(optionTable(), value)
	case "version":
		o.done = cli.VersionLine() + "\n"
	}
}
