package squeue

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/runink/rink/auth/hostuser"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/slurm"
)

// options are what squeue was asked for.
type options struct {
	accounts, names, partitions, qos, reservations, licenses []string
	nodes                                                    []string // names of --nodelist
	hasNodes                                                 bool
	users                                                    []uint32
	hasUsers                                                 bool
	notMe                                                    bool
	me                                                       uint32
	states                                                   slurm.JobStateFilter
	hasStates                                                bool
	jobs                                                     []slurm.JobRef
	hasJobs                                                  bool
	steps                                                    bool
	stepRefs                                                 []slurm.JobRef
	ran                                                      timeRange
	run                                                      string

	format                  string
	byName                  bool // format is one of names
	hasFormat               bool
	typed                   bool // the environment is read, the command line is next
	typedFormat, typedNames bool // --format, --Format on the command line
	sort                    string
	hasSort                 bool

	all, array, apart, perPartition, noHeader, noConvert bool
	long, start, onlyState                               bool
	iterate                                              int
	clusters                                             string
	hasClusters                                          bool
	verbose                                              int
	encoding                                             show.Encoding
	done                                                 string // text to print instead of a listing
}

// optionTable is every option of squeue, by its canonical name.
func optionTable() []slurm.OptionSpec {
	const none, must, may = slurm.NoArg, slurm.RequiredArg, slurm.OptionalArg
	spec := func(short byte, arg slurm.ArgKind, names ...string) slurm.OptionSpec {
		return slurm.OptionSpec{Names: names, Short: short, Arg: arg}
	}
	return []slurm.OptionSpec{
		spec(0, must, "autocomplete"), spec('A', must, "accounts", "account"), spec('U', must), spec('a', none, "all"), spec('r', none, "array"), spec(0, none, "array-unique"),
		spec('M', must, "clusters", "cluster"), spec(0, none, "expand-patterns"), spec(0, none, "federation"),
		spec('O', must, "Format"), spec('o', must, "format"), spec(0, none, "help"), spec(0, none, "helpstate"), spec(0, none, "helpformat"),
		spec(0, none, "helpFormat"), spec(0, none, "hide"), spec('i', must, "iterate"), spec('j', may, "jobs"), spec(0, may, "json"),
		spec('L', must, "licenses"), spec(0, none, "local"), spec('l', none, "long"), spec(0, none, "me"), spec('n', must, "name"),
		spec(0, none, "noconvert"), spec('w', must, "nodelist", "nodes", "node"), spec('h', none, "noheader"), spec(0, none, "notme"),
		spec(0, none, "only-job-state"), spec('p', must, "partition", "partitions"), spec('P', none, "priority"), spec('q', must, "qos"),
		spec('R', must, "reservation"), spec(0, must, "run"), spec(0, must, "running-over"), spec(0, must, "running-under"),
		spec(0, none, "sibling", "sib"), spec('S', must, "sort"), spec(0, none, "start"), spec('t', must, "states", "state"),
		spec('s', may, "steps"), spec(0, none, "usage"), spec('u', must, "user", "users"), spec('v', none, "verbose"), spec('V', none, "version"),
		spec(0, may, "yaml"),
	}
}

// usageError is a mistake after which squeue prints nothing but these lines.
type usageError struct{ lines []string }

func (e *usageError) Error() string { return strings.Join(e.lines, "\n") }

func mistake(env *cli.Env, format string, args ...any) error {
	return &usageError{[]string{env.Name + ": error: " + fmt.Sprintf(format, args...)}}
}

// parse reads the environment and the command line. A mistake that squeue goes
// on after is said at once; the others are the error.
func parse(env *cli.Env) (*options, error) {
	o := &options{states: slurm.LiveJobs(), me: env.UID()}
	if err := o.environment(env); err != nil {
		return nil, err
	}
	o.typed = true
	options, words, err := slurm.Getopt(env.Name, optionTable(), env.Args, slurm.PermuteWords)
	for _, g := range options {
		if err := o.set(env, g.Name(), g.Value, g.HasValue); err != nil {
			return nil, err
		}
		if o.done != "" {
			return o, nil
		}
	}
	if err != nil {
		return nil, err
	}
	// The lists of -j and -s may stand apart from their letter.
	if len(words) > 0 && o.hasJobs && len(o.jobs) == 0 {
		if err := o.setJobs(env, words[0]); err != nil {
			return nil, err
		}
		words = words[1:]
	} else if len(words) > 0 && o.steps && len(o.stepRefs) == 0 {
		if err := o.setSteps(env, words[0]); err != nil {
			return nil, err
		}
		words = words[1:]
	}
	if len(words) > 0 {
		return nil, &usageError{[]string{env.Name + ": error: Unrecognized option: " + words[0], usageText}}
	}
	if o.long && o.typedFormat {
		return nil, &usageError{[]string{env.Name + ": fatal: Options -o(--format) and -l(--long) are mutually exclusive. Please remove one and retry."}}
	}
	o.settle()
	return o, nil
}

// given is a list that was asked for: an empty one, unlike none, lets nothing through.
func given(list string) []string { return append([]string{}, show.Words(list)...) }

// environment takes over the variables that stand for options.
func (o *options) environment(env *cli.Env) error {
	for _, v := range []struct{ name, option string }{
		{"SQUEUE_ACCOUNT", "accounts"}, {"SQUEUE_ALL", "all"}, {"SQUEUE_ARRAY", "array"}, {"SQUEUE_FORMAT", "format"}, {"SQUEUE_FORMAT2", "Format"},
		{"SQUEUE_LICENSES", "licenses"}, {"SQUEUE_NAMES", "name"}, {"SQUEUE_PARTITION", "partition"}, {"SQUEUE_PRIORITY", "priority"},
		{"SQUEUE_QOS", "qos"}, {"SQUEUE_SORT", "sort"}, {"SQUEUE_STATES", "states"}, {"SQUEUE_USERS", "user"}, {"SLURM_CLUSTERS", "clusters"},
		{"SLURM_JSON", "json"}, {"SLURM_YAML", "yaml"},
	} {
		if value, ok := env.Lookup(v.name); ok {
			if err := o.set(env, v.option, value, true); err != nil {
				return err
			}
		}
	}
	return nil
}

// set takes one option.
func (o *options) set(env *cli.Env, name, value string, hasValue bool) error {
	switch name {
	case "accounts", "U":
		o.accounts = given(strings.ToLower(value))
	case "all":
		o.all = true
	case "hide":
		o.all = false
	case "array":
		o.array = true
	case "array-unique":
		o.apart = true
	case "clusters":
		o.clusters, o.hasClusters = value, true
	case "federation", "local", "sibling", "expand-patterns":
		// One cluster is all there is to show, and file names are always shown with
		// their patterns filled in.
	case "Format":
		if o.typed && o.typedFormat {
			return mistake(env, "-O (--Format) is incompatible with -o (--format)")
		}
		o.format, o.byName, o.hasFormat, o.typedNames = value, true, true, o.typed
	case "format":
		if o.typed && o.typedNames {
			return mistake(env, "-o (--format) is incompatible with -O (--Format)")
		}
		o.format, o.byName, o.hasFormat, o.typedFormat = value, false, true, o.typed
	case "help":
		o.done = helpText
	case "usage":
		o.done = usageText + "\n"
	case "autocomplete":
		o.done = slurm.Completions(optionTable(), value)
	case "version":
		o.done = cli.VersionLine() + "\n"
	case "helpstate":
		o.done = strings.Join(slurm.JobStateNames(), "\n") + "\n"
	case "helpformat":
		o.done = letterList()
	case "helpFormat":
		o.done = nameList()
	case "iterate":
		n, err := strconv.Atoi(value)
		if err != nil || n <= 0 {
			return mistake(env, "--iterate=%s\n", value)
		}
		o.iterate = n
	case "jobs":
		o.hasJobs = true
		if hasValue {
			return o.setJobs(env, value)
		}
	case "json", "yaml":
		enc, err := show.ParseEncoding(name, value)
		if err != nil {
			return mistake(env, "%v", err)
		}
		o.encoding = enc
	case "licenses":
		o.licenses = show.Words(value)
	case "long":
		o.long = true
	case "me":
		o.users, o.hasUsers = []uint32{o.me}, true
	case "name":
		o.names = strings.Split(value, ",")
	case "noconvert":
		o.noConvert = true
	case "nodelist":
		list, err := slurm.ParseHostList(value)
		if err != nil || list.Len() == 0 {
			return mistake(env, "Invalid node list specification: %s", value)
		}
		o.nodes, o.hasNodes = list.Hosts(), true
	case "noheader":
		o.noHeader = true
	case "notme":
		o.notMe = true
	case "only-job-state":
		o.onlyState = true
	case "partition":
		o.partitions, o.all = show.Words(value), true
	case "priority":
		o.perPartition = true
	case "qos":
		o.qos = given(strings.ToLower(value))
	case "reservation":
		o.reservations = given(value)
	case "run":
		o.run = value
	case "running-over", "running-under":
		return o.setRange(env, name, value)
	case "sort":
		o.sort, o.hasSort = value, true
	case "start":
		o.start = true
	case "states":
		return o.setStates(env, value)
	case "steps":
		o.steps = true
		if hasValue {
			return o.setSteps(env, value)
		}
	case "user":
		o.setUsers(env, value)
	case "verbose":
		o.verbose++
	}
	return nil
}

func (o *options) setJobs(env *cli.Env, list string) error {
	// What stands behind a blank is not read, as in Slurm.
	list, _, _ = strings.Cut(list, " ")
	refs, err := parseRefs(env, list)
	o.jobs, o.hasJobs = append([]slurm.JobRef{}, refs...), true
	return err
}

func (o *options) setSteps(env *cli.Env, list string) error {
	for _, word := range show.Words(list) {
		ref, err := slurm.ParseJobRef(word)
		if err != nil || !ref.HasStep {
			id, _, _ := strings.Cut(word, ".")
			return mistake(env, "Invalid job_step id: %s.??", id)
		}
		o.stepRefs = append(o.stepRefs, ref)
	}
	o.steps = true
	return nil
}

// parseRefs reads job ids; the error names the one that is none.
func parseRefs(env *cli.Env, list string) ([]slurm.JobRef, error) {
	refs, err := slurm.ParseJobRefs(list)
	if err == nil {
		return refs, nil
	}
	for _, word := range show.Words(list) {
		if _, err := slurm.ParseJobRef(word); err != nil {
			return nil, mistake(env, "Invalid job id: %s", word)
		}
	}
	return nil, mistake(env, "Invalid job id: %s", list)
}

func (o *options) setStates(env *cli.Env, list string) error {
	f, err := slurm.ParseJobStates(list)
	if err == nil {
		o.states, o.hasStates = f, true
		return nil
	}
	for _, word := range show.Words(list) {
		if _, err := slurm.ParseJobStates(word); err != nil {
			list = strings.TrimSpace(word)
			break
		}
	}
	e := mistake(env, "Invalid job state specified: %s", list).(*usageError)
	e.lines = append(e.lines, env.Name+": error: Valid job states include: "+strings.Join(slurm.JobStateNames(), ",")+"\n")
	return e
}

// setUsers takes names and numbers; one that nobody has is said, and stands for
// no job at all.
func (o *options) setUsers(env *cli.Env, list string) {
	o.users, o.hasUsers = nil, true
	for _, name := range show.Words(list) {
		uid, err := cli.LookupUID(strings.TrimSpace(name))
		if _, unknown := hostuser.LookupID(strconv.FormatUint(uint64(uid), 10)); err != nil || unknown != nil {
			env.Errorf("Invalid user: %s\n", name)
			continue
		}
		o.users = append(o.users, uid)
	}
}

func (o *options) setRange(env *cli.Env, name, value string) error {
	d, err := slurm.ParseDuration(value)
	if err != nil {
		return mistake(env, "Invalid --%s specification: %s", name, value)
	}
	if name == "running-over" {
		o.ran.over, o.ran.hasOver = d, true
	} else {
		o.ran.under, o.ran.hasUnder = d, true
	}
	return nil
}

// Formats and orders when none is asked for.
const (
	defaultFormat = "%.18i %.9P %.8j %.8u %.2t %.10M %.6D %R"
	longFormat    = "%.18i %.9P %.8j %.8u %.8T %.10M %.9l %.6D %R"
	stepFormat    = "%.15i %.8j %.9P %.8u %.9M %N"
	startFormat   = "%.18i %.9P %.8j %.8u %.2t %.19S %.6D %20Y %R"
	stateFormat   = "%.18i %.2t"

	defaultSort = "P,t,-p"
	stepSort    = "P,i"
)

// settle fills in what follows from the options taken together.
func (o *options) settle() {
	if o.start {
		o.states, _ = slurm.ParseJobStates("PENDING")
		o.hasStates = true
	}
	if !o.hasFormat {
		switch {
		case o.steps:
			o.format = stepFormat
		case o.onlyState:
			o.format = stateFormat
		case o.start:
			o.format = startFormat
		case o.long:
			o.format = longFormat
		default:
			o.format = defaultFormat
		}
	}
	if !o.hasSort {
		switch {
		case o.steps:
			o.sort = stepSort
		case o.start:
			o.sort = "S"
		default:
			o.sort = defaultSort
		}
	}
}

// wantsEnded reports whether jobs that are over may be shown.
func (o *options) wantsEnded() bool {
	return slices.ContainsFunc([]slurm.JobState{
		slurm.JobCompleted, slurm.JobCancelled, slurm.JobFailed, slurm.JobTimeout, slurm.JobNodeFail, slurm.JobPreempted, slurm.JobBootFail,
		slurm.JobDeadline, slurm.JobOutOfMemory,
	}, o.states.HasBase)
}
