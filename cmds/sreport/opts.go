package sreport

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/slurm"
)

// unit is how time is printed.
type unit struct {
	seconds bool // it has an amount
	per     int64
	percent bool
	word    string
}

// units by the words that ask for them, which may be cut short to so many
// letters.
var units = []struct {
	word  string
	least int
	unit  unit
}{
	{"SecPer", 6, unit{true, 1, true, "Seconds/Percentage of Total"}}, {"MinPer", 6, unit{true, 60, true, "Minutes/Percentage of Total"}},
	{"HourPer", 6, unit{true, 3600, true, "Hours/Percentage of Total"}}, {"Seconds", 1, unit{true, 1, false, "Seconds"}},
	{"Minutes", 1, unit{true, 60, false, "Minutes"}}, {"Hours", 1, unit{true, 3600, false, "Hours"}}, {"Percent", 1, unit{false, 1, true, "Percentage of Total"}},
}

// options are what sreport was asked for, on the command line and by words.
type options struct {
	clusters    string
	tres        string
	hasTRES     bool
	unit        unit
	noHeader    bool
	parsable    int
	quiet       bool
	verbose     int
	byName      bool
	done        string
	interactive bool
}

func optionTable() []slurm.OptionSpec {
	const none, must = slurm.NoArg, slurm.RequiredArg
	spec := func(short byte, arg slurm.ArgKind, names ...string) slurm.OptionSpec {
		return slurm.OptionSpec{Names: names, Short: short, Arg: arg}
	}
	return []slurm.OptionSpec{
		spec(0, must, "autocomplete"), spec('a', none, "all_clusters"), spec('M', must, "cluster", "clusters"), spec(0, none, "federation"), spec('h', none, "help", "usage"),
		spec('i', none, "immediate"), spec(0, none, "local"), spec('n', none, "noheader"), spec('p', none, "parsable"), spec('P', none, "parsable2"),
		spec('Q', none, "quiet"), spec('s', must, "sort"), spec('t', must, "time"), spec('T', must, "tres"), spec('v', none, "verbose"), spec('V', none, "version"),
	}
}

// fatal is a mistake after which sreport prints nothing but this.
type fatal struct{ text string }

func (e *fatal) Error() string { return e.text }

// parse reads the environment and the command line; what is left are the words
// of a report.
func parse(env *cli.Env) (*options, []string, error) {
	o := &options{unit: units[4].unit}
	if v, ok := env.Lookup("SREPORT_CLUSTER"); ok {
		o.clusters = v
	}
	if v, ok := env.Lookup("SREPORT_TRES"); ok {
		o.tres, o.hasTRES = v, true
	}
	given, words, err := slurm.Getopt(env.Name, optionTable(), env.Args, slurm.PermuteWords)
	for _, g := range given {
		if err := o.set(env, g.Name(), g.Value); err != nil {
			return nil, nil, err
		}
		if o.done != "" {
			return o, nil, nil
		}
	}
	if err != nil {
		return nil, nil, err
	}
	return o, words, nil
}

func (o *options) set(env *cli.Env, name, value string) error {
	switch name {
	case "all_clusters":
		o.clusters = "all"
	case "cluster":
		o.clusters = value
	case "federation", "immediate", "local":
		// There is one cluster, and nothing to be told to hurry.
	case "help":
		o.done = helpText
	case "noheader":
		o.noHeader = true
	case "parsable":
		o.parsable = 1
	case "parsable2":
		o.parsable = 2
	case "quiet":
		o.quiet = true
	case "sort":
		switch strings.ToLower(value) {
		case "name":
			o.byName = true
		case "time":
			o.byName = false
		default:
			return &fatal{"unknown option '" + value + "' for sort field"}
		}
	case "time":
		return o.setUnit(env, value)
	case "tres":
		o.tres, o.hasTRES = value, true
	case "verbose":
		o.verbose++
	case "autocomplete":
		o.done = slurm.Completions(optionTable(), value)
	case "version":
		o.done = cli.VersionLine() + "\n"
	}
	return nil
}

func (o *options) setUnit(env *cli.Env, word string) error {
	for _, u := range units {
		if prefixed(word, u.word, u.least) {
			o.unit = u.unit
			return nil
		}
	}
	return &fatal{fmt.Sprintf("%s: unknown time format %s", env.Name, word)}
}

// prefixed reports whether word is full, or its first letters, at least so many.
func prefixed(word, full string, least int) bool {
	return len(word) >= least && len(word) <= len(full) && strings.EqualFold(word, full[:len(word)])
}

// wish is a report with its conditions.
type wish struct {
	start, end                                   time.Time
	accounts, users, wckeys, qos, names, ids     []string
	partitions, nodes, gids, jobs, grouping      []string
	flags, bare                                  []string // of reservations; words that stand alone, which name clusters
	format                                       string
	tree, group, flat, asParent, counts, allHere bool
	both                                         bool // by account and wckey
	clusters                                     string
	top                                          int
}

// conditions are the words behind a report's name: KEY=VALUE and single words.
func conditions(env *cli.Env, words []string) (*wish, error) {
	w := &wish{top: 10}
	now := env.Now()
	y, m, d := now.Date()
	w.start, w.end = time.Date(y, m, d-1, 0, 0, 0, 0, now.Location()), time.Date(y, m, d, 0, 0, 0, 0, now.Location())
	for _, word := range words {
		key, value, ok := strings.Cut(word, "=")
		if ok && strings.HasSuffix(key, "+") {
			key = strings.TrimSuffix(key, "+")
		}
		list := func() []string {
			var out []string
			for part := range strings.SplitSeq(value, ",") {
				if part = strings.Trim(strings.TrimSpace(part), `"'`); part != "" {
					out = append(out, part)
				}
			}
			return out
		}
		if !ok {
			switch {
			case prefixed(word, "All_Clusters", 1) && !prefixed(word, "AcctAsParent", 2):
				w.allHere = true
			case prefixed(word, "AcctAsParent", 2):
				w.asParent = true
			case prefixed(word, "FlatView", 2):
				w.flat = true
			case prefixed(word, "Group", 1):
				w.group = true
			case prefixed(word, "PrintJobCount", 2):
				w.counts = true
			case prefixed(word, "Tree", 1):
				w.tree = true
			case strings.EqualFold(word, "where") || strings.EqualFold(word, "set"):
			default:
				w.bare = append(w.bare, word)
			}
			continue
		}
		switch {
		case prefixed(key, "Start", 1), prefixed(key, "End", 1):
			t, err := slurm.ParseTime(value, now, true)
			if err != nil {
				return nil, &fatal{fmt.Sprintf("Invalid time specification (pos=0): %s", value)}
			}
			if prefixed(key, "Start", 1) {
				w.start = t
			} else {
				w.end = t
			}
		case prefixed(key, "Format", 1):
			w.format += "," + value
		case prefixed(key, "Clusters", 1):
			w.clusters = value
		case prefixed(key, "Accounts", 2), prefixed(key, "Acct", 4):
			w.accounts = append(w.accounts, list()...)
		case prefixed(key, "Users", 1):
			w.users = append(w.users, list()...)
		case prefixed(key, "Wckeys", 2):
			w.wckeys = append(w.wckeys, list()...)
		case prefixed(key, "QosLevel", 1):
			w.qos = append(w.qos, list()...)
		case prefixed(key, "Names", 2):
			w.names = append(w.names, list()...)
		case prefixed(key, "Nodes", 2):
			w.nodes = append(w.nodes, value)
		case prefixed(key, "Ids", 1):
			w.ids = append(w.ids, list()...)
		case prefixed(key, "Partitions", 1):
			w.partitions = append(w.partitions, list()...)
		case prefixed(key, "Flags", 2):
			w.flags = append(w.flags, list()...)
		case prefixed(key, "Gid", 2):
			w.gids = append(w.gids, list()...)
		case prefixed(key, "Jobs", 1):
			w.jobs = append(w.jobs, list()...)
		case prefixed(key, "Grouping", 3):
			w.grouping = append(w.grouping, list()...)
		case prefixed(key, "TopCount", 1):
			n, err := strconv.Atoi(value)
			if err != nil || n < 1 {
				return nil, &fatal{fmt.Sprintf("%s: error: Invalid value for TopCount (%s)", env.Name, value)}
			}
			w.top = n
		default:
			return nil, unknown(word)
		}
	}
	w.start, w.end = w.start.Add(30*time.Minute), w.end.Add(30*time.Minute)
	w.start, w.end = hourOf(w.start), hourOf(w.end)
	if !w.end.After(w.start) {
		w.end = w.start.Add(time.Hour)
	}
	return w, nil
}

func unknown(word string) error {
	return &fatal{fmt.Sprintf(" Unknown condition: %s\nUse keyword set to modify value", word)}
}

// hourOf is the hour that a moment is in.
func hourOf(t time.Time) time.Time {
	return t.Add(-time.Duration(t.Minute())*time.Minute - time.Duration(t.Second())*time.Second - time.Duration(t.Nanosecond()))
}
