package sprio

import (
	"fmt"
	"strings"

	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/slurm"
)

// options are what sprio was asked for.
type options struct {
	jobs       []slurm.JobID
	partitions []string
	users      []uint32

	hasJobs, hasPartitions, hasUsers bool
	long, normal, weights            bool

	format      string
	sort        string
	noHeader    bool
	clusters    string
	hasClusters bool
	verbose     int
	given       map[string]string // as typed, for -v
	done        string
	hasFormat   bool
}

// optionTable is every option of sprio, by its canonical name.
func optionTable() []slurm.OptionSpec {
	const none, must = slurm.NoArg, slurm.RequiredArg
	may := slurm.OptionalArg
	spec := func(short byte, arg slurm.ArgKind, names ...string) slurm.OptionSpec {
		return slurm.OptionSpec{Names: names, Short: short, Arg: arg}
	}
	return []slurm.OptionSpec{
		spec(0, must, "autocomplete"), spec('M', must, "clusters", "cluster"), spec(0, none, "federation"), spec('o', must, "format"), spec(0, none, "help"),
		spec(0, none, "helpformat"), spec('j', may, "jobs"), spec(0, none, "local"), spec('l', none, "long"), spec('h', none, "noheader"),
		spec('n', none, "norm"), spec('p', must, "partition", "partitions"), spec(0, none, "sibling", "sib"), spec('S', must, "sort"), spec(0, none, "usage"),
		spec('u', must, "user", "users"), spec('v', none, "verbose"), spec('V', none, "version"), spec('w', none, "weights"),
	}
}

// fatal is a mistake after which sprio prints nothing but this.
type fatal struct{ text string }

func (e *fatal) Error() string { return e.text }

func mistake(env *cli.Env, format string, args ...any) error {
	return &fatal{env.Name + ": error: " + fmt.Sprintf(format, args...)}
}

// parse reads the environment and the command line.
func parse(env *cli.Env) (*options, error) {
	o := &options{given: map[string]string{}}
	for _, v := range []struct{ name, option string }{{"SPRIO_FORMAT", "format"}, {"SLURM_CLUSTERS", "clusters"}} {
		if value, ok := env.Lookup(v.name); ok {
			if err := o.set(env, v.option, value); err != nil {
				return nil, err
			}
		}
	}
	given, words, err := slurm.Getopt(env.Name, optionTable(), env.Args, slurm.PermuteWords)
	for _, g := range given {
		if err := o.set(env, g.Name(), g.Value); err != nil {
			return nil, err
		}
		if o.done != "" {
			return o, nil
		}
	}
	if err != nil {
		return nil, err
	}
	// A list that stands behind -j by itself is what -j takes: its argument may be
	// left out.
	if o.hasJobs && len(o.jobs) == 0 && len(words) > 0 {
		if err := o.set(env, "jobs", words[0]); err != nil {
			return nil, err
		}
		words = words[1:]
	}
	if len(words) > 0 {
		return nil, &fatal{fmt.Sprintf("%s: error: Unrecognized option: %s\n%s", env.Name, words[0], usageText)}
	}
	return o, nil
}

func (o *options) set(env *cli.Env, name, value string) error {
	o.given[name] = value
	switch name {
	case "autocomplete":
		o.done = slurm.Completions(optionTable(), value)
	case "federation", "local", "sibling": // there is one cluster
	case "clusters":
		o.clusters, o.hasClusters = value, true
	case "format":
		o.format, o.hasFormat = value, true
	case "help":
		o.done = helpText
	case "helpformat":
		o.done = letters()
	case "usage":
		o.done = usageText + "\n"
	case "version":
		o.done = cli.VersionLine() + "\n"
	case "jobs":
		o.hasJobs = true
		for _, word := range show.Words(value) {
			ref, err := slurm.ParseJobRef(word)
			if err != nil {
				return mistake(env, "Invalid job id: %s", word)
			}
			o.jobs = append(o.jobs, ref.Job)
		}
	case "long":
		o.long = true
	case "noheader":
		o.noHeader = true
	case "norm":
		o.normal = true
	case "partition":
		o.partitions, o.hasPartitions = show.Words(value), true
	case "sort":
		o.sort = value
	case "user":
		o.hasUsers = true
		for _, word := range show.Words(value) {
			uid, err := cli.LookupUID(strings.TrimSpace(word))
			if err != nil {
				env.Errorf("Invalid user: %s\n", word)
				continue
			}
			o.users = append(o.users, uid)
		}
	case "verbose":
		o.verbose++
	case "weights":
		o.weights = true
	}
	return nil
}
