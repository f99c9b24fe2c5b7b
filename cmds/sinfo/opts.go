package sinfo

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/slurm"
)

// options are what sinfo was asked for.
type options struct {
	partitions []string
	nodes      []string
	hasNodes   bool
	states     slurm.NodeStateFilter
	hasStates  bool

	me                            uint32 // root sees hidden partitions too
	all, dead, responding, future bool
	apart                         bool // --Node: a row for each node of each partition
	exact                         bool
	long, reasons, summary        bool
	reservations                  bool

	format    string
	byName    bool
	hasFormat bool
	sort      string
	hasSort   bool

	typed, typedFormat, typedAll bool // the command line is being read; --format and --all stood there

	noHeader, noConvert bool
	iterate             int
	clusters            string
	hasClusters         bool
	verbose             int
	encoding            show.Encoding
	done                string
}

// optionTable is every option of sinfo, by its canonical name.
func optionTable() []slurm.OptionSpec {
	const none, must, may = slurm.NoArg, slurm.RequiredArg, slurm.OptionalArg
	spec := func(short byte, arg slurm.ArgKind, names ...string) slurm.OptionSpec {
		return slurm.OptionSpec{Names: names, Short: short, Arg: arg}
	}
	return []slurm.OptionSpec{
		spec(0, must, "autocomplete"), spec('a', none, "all"), spec('M', must, "clusters", "cluster"), spec('d', none, "dead"), spec('e', none, "exact"), spec(0, none, "federation"),
		spec('o', must, "format"), spec('O', must, "Format"), spec('F', none, "future"), spec(0, none, "help"), spec(0, none, "helpformat"),
		spec(0, none, "helpFormat"), spec(0, none, "helpstate"), spec(0, none, "hide"), spec('i', must, "iterate"), spec(0, may, "json"),
		spec('R', none, "list-reasons"), spec(0, none, "local"), spec('l', none, "long"), spec('N', none, "Node"),
		spec('n', must, "nodes"), spec(0, none, "noconvert"), spec('h', none, "noheader"), spec('p', must, "partition"), spec('T', none, "reservation"), spec('r', none, "responding"),
		spec('S', must, "sort"), spec('t', must, "states"), spec('s', none, "summarize"), spec(0, none, "usage"), spec('v', none, "verbose"),
		spec('V', none, "version"), spec(0, may, "yaml"),
	}
}

// usageError is a mistake after which sinfo prints nothing but these lines.
type usageError struct{ lines []string }

func (e *usageError) Error() string { return strings.Join(e.lines, "\n") }

func mistake(env *cli.Env, format string, args ...any) error {
	return &usageError{[]string{env.Name + ": error: " + fmt.Sprintf(format, args...)}}
}

// parse reads the environment and the command line.
func parse(env *cli.Env) (*options, error) {
	o := &options{me: env.UID()}
	for _, v := range []struct{ name, option string }{
		{"SINFO_ALL", "all"}, {"SINFO_FORMAT", "format"}, {"SINFO_FUTURE", "future"}, {"SINFO_PARTITION", "partition"}, {"SINFO_SORT", "sort"},
		{"SLURM_CLUSTERS", "clusters"}, {"SLURM_JSON", "json"}, {"SLURM_YAML", "yaml"},
	} {
		if value, ok := env.Lookup(v.name); ok {
			if err := o.set(env, v.option, value); err != nil {
				return nil, err
			}
		}
	}
	o.typed = true
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
	if o.typedAll && o.partitions != nil {
		return nil, mistake(env, "Conflicting options, -a and -p, specified. Please choose one or the other.")
	}
	_ = words // words that belong to no option mean nothing, as in Slurm
	if o.long && o.typedFormat {
		return nil, &usageError{[]string{env.Name + ": fatal: Options -o(--format) and -l(--long) are mutually exclusive. Please remove one and retry."}}
	}
	o.settle()
	return o, nil
}

func (o *options) set(env *cli.Env, name, value string) error {
	switch name {
	case "all":
		o.all, o.typedAll = true, o.typedAll || o.typed
	case "hide":
		o.all = false
	case "clusters":
		o.clusters, o.hasClusters = value, true
	case "dead":
		o.dead = true
	case "exact":
		o.exact = true
	case "federation", "local":
		// One cluster is all there is to show.
	case "format", "Format":
		o.format, o.byName, o.hasFormat = value, o.byName || name == "Format", true
		o.typedFormat = o.typedFormat || o.typed && name == "format"
	case "future":
		o.future = true
	case "help":
		o.done = helpText
	case "helpformat":
		o.done = letterList()
	case "helpFormat":
		o.done = nameList()
	case "helpstate":
		o.done = strings.Join(slurm.NodeStateNames(), "\n") + "\n"
	case "usage":
		o.done = usageText + "\n"
	case "autocomplete":
		o.done = slurm.Completions(optionTable(), value)
	case "version":
		o.done = cli.VersionLine() + "\n"
	case "iterate":
		n, err := strconv.Atoi(value)
		if err != nil || n <= 0 {
			return mistake(env, "Error: invalid entry for --iterate=%s", value)
		}
		o.iterate = n
	case "json", "yaml":
		enc, err := show.ParseEncoding(name, value)
		if err != nil {
			return mistake(env, "%v", err)
		}
		o.encoding = enc
	case "list-reasons":
		o.reasons = true
	case "long":
		o.long = true
	case "noconvert":
		o.noConvert = true
	case "Node":
		o.apart = true
	case "nodes":
		list, err := slurm.ParseHostList(value)
		if o.nodes, o.hasNodes = nil, true; err == nil { // what is no list names no node
			o.nodes = list.Hosts()
		}
	case "noheader":
		o.noHeader = true
	case "partition":
		o.partitions, o.all = append([]string{}, show.Words(value)...), true
	case "reservation":
		o.reservations = true
	case "responding":
		o.responding = true
	case "sort":
		o.sort, o.hasSort = value, true
	case "states":
		return o.setStates(env, value)
	case "summarize":
		o.summary = true
	case "verbose":
		o.verbose++
	}
	return nil
}

// validStates is what Slurm names when a state is none, which is not all it takes.
const validStates = "unknown,down,idle,allocated,?,mixed,future,drain,drained,draining,no_respond,reserved,perfctrs,cloud,completing," +
	"powering_down,powered_down,power_down,powering_up,fail,maint,reboot,reboot^,unknown"

func (o *options) setStates(env *cli.Env, list string) error {
	f, err := slurm.ParseNodeStates(list)
	if err == nil {
		o.states, o.hasStates = f, true
		return nil
	}
	for _, word := range show.Words(list) {
		if _, err := slurm.ParseNodeStates(word); err != nil {
			list = word
			break
		}
	}
	e := mistake(env, "Bad state string: \"%s\"", list).(*usageError)
	e.lines = append(e.lines, env.Name+": error: valid states: "+validStates)
	return e
}

// Formats and orders when none is asked for.
const (
	defaultFormat    = "%9P %.5a %.10l %.6D %.6t %N"
	longFormat       = "%9P %.5a %.10l %.10s %.4r %.8h %.10g %.6D %.11T %N"
	nodeFormat       = "%9N %.6D %.9P %6t"
	longNodeFormat   = "%9N %.6D %.9P %.11T %4c %.8z %.6m %.8d %.6w %.8f %20E"
	reasonFormat     = "%20E %9u %19H %N"
	longReasonFormat = "%20E %12U %19H %6t %N"
	summaryFormat    = "%9P %.5a %.10l %.16F %N"

	defaultSort = "#P,-t"
	nodeSort    = "N"
)

// settle fills in what follows from the options taken together.
func (o *options) settle() {
	if o.reasons && !o.hasStates {
		o.states, _ = slurm.ParseNodeStates("down,drain,fail")
	}
	if !o.hasFormat {
		switch {
		case o.summary:
			o.format = summaryFormat
		case o.apart && o.long:
			o.format = longNodeFormat
		case o.apart:
			o.format = nodeFormat
		case o.reasons && o.long:
			o.format = longReasonFormat
		case o.reasons:
			o.format = reasonFormat
		case o.long:
			o.format = longFormat
		default:
			o.format = defaultFormat
		}
	}
	if !o.hasSort {
		o.sort = defaultSort
		if o.apart {
			o.sort = nodeSort
		}
	}
}
