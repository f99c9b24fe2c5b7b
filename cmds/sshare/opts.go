package sshare

import (
	"fmt"
	"strings"

	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/slurm"
)

// options are what sshare was asked for.
type options struct {
	accounts, users []string
	allUsers        bool
	usersOnly       bool
	partition       bool
	long            bool

	format      string
	noHeader    bool
	parsable    bool // with a bar behind the last column
	parsable2   bool
	encoding    show.Encoding
	clusters    string
	hasClusters bool
	verbose     int
	done        string
}

// optionTable is every option of sshare, by its canonical name. -h leaves out the
// headers, as -n does.
func optionTable() []slurm.OptionSpec {
	const none, must, may = slurm.NoArg, slurm.RequiredArg, slurm.OptionalArg
	spec := func(short byte, arg slurm.ArgKind, names ...string) slurm.OptionSpec {
		return slurm.OptionSpec{Names: names, Short: short, Arg: arg}
	}
	return []slurm.OptionSpec{
		spec('A', must, "accounts"), spec('a', none, "all"), spec(0, must, "autocomplete"), spec('M', must, "clusters", "cluster"),
		spec('o', must, "format"), spec(0, none, "help"), spec('e', none, "helpformat"), spec(0, may, "json"), spec('l', none, "long"),
		spec('n', none, "noheader"), spec('h', none), spec('p', none, "parsable"), spec('P', none, "parsable2"),
		spec('m', none, "partition"), spec(0, none, "usage"), spec('u', must, "users", "user"), spec('U', none, "Users"), spec('v', none, "verbose"),
		spec('V', none, "version"), spec(0, may, "yaml"),
	}
}

// fatal is a mistake after which sshare prints nothing but this.
type fatal struct{ text string }

func (e *fatal) Error() string { return e.text }

func mistake(env *cli.Env, format string, args ...any) error {
	return &fatal{env.Name + ": error: " + fmt.Sprintf(format, args...)}
}

// parse reads the environment and the command line.
func parse(env *cli.Env) (*options, error) {
	o := &options{}
	if v, ok := env.Lookup("SLURM_CLUSTERS"); ok {
		o.clusters, o.hasClusters = v, true
	}
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
		o.set(g.Name(), g.Value)
		if o.done != "" {
			return o, nil
		}
	}
	if err != nil {
		return nil, err
	}
	return o, nil
}

func (o *options) set(name, value string) {
	switch name {
	case "accounts":
		o.accounts = append(o.accounts, lower(show.Words(value))...)
	case "all":
		o.allUsers = true
	case "clusters":
		o.clusters, o.hasClusters = value, true
	case "format":
		o.format = strings.TrimPrefix(o.format+","+value, ",")
	case "help":
		o.done = helpText
	case "helpformat":
		o.done = fieldList()
	case "long":
		o.long = true
	case "noheader", "h":
		o.noHeader = true
	case "parsable":
		o.parsable, o.parsable2 = true, false
	case "parsable2":
		o.parsable2, o.parsable = true, false
	case "partition":
		o.partition = true
	case "usage":
		o.done = usageText + "\n"
	case "users":
		o.users = append(o.users, show.Words(value)...)
	case "Users":
		o.usersOnly = true
	case "verbose":
		o.verbose++
	case "autocomplete":
		o.done = slurm.Completions(optionTable(), value)
	case "version":
		o.done = cli.VersionLine() + "\n"
	}
}

func lower(list []string) []string {
	for i := range list {
		list[i] = strings.ToLower(list[i])
	}
	return list
}

// settle fills in what follows from the options taken together: without a word
// about users, the rows of the user who asks.
func (o *options) settle(env *cli.Env) {
	if o.allUsers {
		o.users = nil
		return
	}
	if len(o.users) > 0 {
		return
	}
	if u, err := env.User(); err == nil {
		o.users = []string{u.Username}
	} else {
		o.users = []string{fmt.Sprint(env.UID())}
	}
}
