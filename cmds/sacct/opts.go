package sacct

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/runink/rink/auth/hostuser"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// options are what sacct was asked for.
type options struct {
	accounts, names, partitions, qos, constraints, wckeys, reasons, flags []string
	users                                                                 []uint32
	groups                                                                []uint32
	assocs                                                                []sched.AssocID
	allUsers                                                              bool
	states                                                                []slurm.JobState
	jobs                                                                  []slurm.JobRef
	hasJobs                                                               bool
	nodes                                                                 string
	ncpus, nnodes                                                         span
	limitMin, limitMax                                                    slurm.Duration
	start, end                                                            time.Time
	hasStart, hasEnd                                                      bool

	allocations, duplicates, truncate, expand, localUID bool
	wholeHet                                            string // yes: with the other components; no: of a leader its own alone
	script, variables                                   bool

	format      string
	fields      bool // -o or -b was given
	brief, long bool
	completion  bool
	delimiter   string
	parsable    int // 1: a delimiter behind each value, 2: between them
	noHeader    bool
	noConvert   bool
	unit        byte
	clusters    string
	now         time.Time // when it was asked
	cut         time.Time // where -T cuts off what goes on
	hasClusters bool
	verbose     int
	encoding    show.Encoding
	done        string
}

// span is a range of numbers, MIN[-MAX].
type span struct {
	low, high int
	given     bool
}

func (s span) holds(n int) bool { return !s.given || s.low <= n && n <= s.high }

func optionTable() []slurm.OptionSpec {
	const none, must, may = slurm.NoArg, slurm.RequiredArg, slurm.OptionalArg
	spec := func(short byte, arg slurm.ArgKind, names ...string) slurm.OptionSpec {
		return slurm.OptionSpec{Names: names, Short: short, Arg: arg}
	}
	return []slurm.OptionSpec{
		spec(0, must, "autocomplete"), spec('A', must, "accounts"), spec('L', none, "allclusters"), spec('X', none, "allocations"), spec('a', none, "allusers"), spec(0, none, "array"),
		spec('x', must, "associations"), spec('B', none, "batch-script"), spec('b', none, "brief"), spec('M', must, "clusters", "cluster"),
		spec('c', none, "completion"), spec('C', must, "constraints"), spec(0, must, "delimiter"), spec('D', none, "duplicates"), spec('E', must, "endtime"),
		spec(0, none, "env-vars"), spec(0, none, "expand-patterns"), spec(0, none, "federation"), spec('f', must, "file"), spec('F', must, "flags"),
		spec('o', must, "format", "fields"), spec('g', must, "group", "gid"), spec('h', none, "help"), spec('e', none, "helpformat", "help-fields"),
		spec(0, none, "helpreason"), spec(0, none, "helpstate"), spec('j', must, "jobs"), spec(0, may, "json"), spec(0, none, "local"), spec('l', none, "long"),
		spec(0, must, "name"), spec('I', must, "ncpus"), spec('i', must, "nnodes"), spec(0, none, "noconvert"), spec('N', must, "nodelist"),
		spec('n', none, "noheader"), spec('p', none, "parsable"), spec('P', none, "parsable2"), spec('r', must, "partition"), spec('q', must, "qos"),
		spec('R', must, "reason"), spec('S', must, "starttime"), spec('s', must, "state"), spec('K', must, "timelimit-max"), spec('k', must, "timelimit-min"),
		spec('T', none, "truncate"), spec('u', must, "user", "uid"), spec(0, must, "units"), spec('U', none, "usage"), spec(0, none, "use-local-uid"),
		spec('v', none, "verbose"), spec('V', none, "version"), spec('W', must, "wckeys"), spec(0, may, "whole-hetjob"), spec(0, may, "yaml"),
	}
}

// fatal is a mistake after which sacct prints nothing but this.
type fatal struct{ text string }

func (e *fatal) Error() string { return e.text }

func mistake(env *cli.Env, format string, args ...any) error {
	return &fatal{env.Name + ": error: " + fmt.Sprintf(format, args...)}
}

// parse reads the environment and the command line.
func parse(env *cli.Env) (*options, error) {
	o := &options{delimiter: "|", now: env.Now()}
	if v, ok := env.Lookup("SACCT_FORMAT"); ok {
		o.format = v
	}
	if v, ok := env.Lookup("SLURM_CLUSTERS"); ok {
		o.clusters, o.hasClusters = v, true
	}
	var err error
	if o.encoding, err = show.EnvEncoding(env); err != nil {
		return nil, mistake(env, "%v", err)
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
	if wrong := (*slurm.OptionError)(nil); errors.As(err, &wrong) {
		return nil, &fatal{wrong.Lines[0]} // without the hint at --help that other commands give
	}
	if len(words) > 0 {
		text := env.Name + ": error: Unknown arguments:"
		for _, word := range words {
			text += "\n" + env.Name + ": error:  " + word
		}
		return nil, &fatal{text}
	}
	return o, o.settle(env)
}

func (o *options) set(env *cli.Env, name, value string) error {
	switch name {
	case "accounts":
		o.accounts = append(o.accounts, show.Words(value)...)
	case "allclusters":
		o.clusters, o.hasClusters = "all", true
	case "allocations":
		o.allocations = true
	case "allusers":
		o.allUsers = true // until users are named
	case "array":
		o.expand = true
	case "associations":
		for _, word := range show.Words(value) {
			n, _ := strconv.ParseUint(word, 10, 32) // what is none names none: there is no 0
			o.assocs = append(o.assocs, sched.AssocID(n))
		}
	case "batch-script":
		o.script = true
	case "brief":
		o.brief = true
		o.addFormat(briefFormat)
	case "clusters":
		o.clusters, o.hasClusters = value, true
	case "completion":
		o.completion = true
	case "constraints":
		o.constraints = append(o.constraints, show.Words(value)...)
	case "delimiter":
		o.delimiter = value
	case "duplicates":
		o.duplicates = true
	case "starttime", "endtime":
		return o.setTime(env, name, value)
	case "env-vars":
		o.variables = true
	case "expand-patterns", "federation", "local":
		// File names are always shown with their patterns filled in, and there is
		// one cluster.
	case "whole-hetjob":
		switch strings.ToLower(value) {
		case "", "yes":
			o.wholeHet = "yes"
		case "no":
			o.wholeHet = "no"
		default:
			return mistake(env, "Invalid --whole-hetjob value \"%s\". Valid values: [yes|no].", value)
		}
	case "file":
		// No log of completed jobs is written: none can be read either.
		if _, err := os.Stat(value); err != nil {
			return &fatal{value + " is not a valid file"}
		}
		o.completion = true
	case "flags":
		for _, word := range show.Words(value) {
			if !slices.ContainsFunc(jobFlags(), func(f string) bool { return strings.EqualFold(f, word) }) {
				return mistake(env, "str_2_job_flags: Invalid job flag %s", word)
			}
			o.flags = append(o.flags, word)
		}
	case "format":
		o.addFormat(value)
	case "group":
		return o.setGroups(env, value)
	case "help":
		o.done = helpText
	case "helpformat":
		o.done = fieldTable()
	case "helpreason":
		o.done = reasonList()
	case "helpstate":
		o.done = strings.Join(slurm.JobStateNames(), "\n") + "\n"
	case "jobs":
		return o.setJobs(env.Name, value)
	case "json", "yaml":
		enc, err := show.ParseEncoding(name, value)
		if err != nil {
			return mistake(env, "%v", err)
		}
		o.encoding = enc
	case "long":
		o.long = true
	case "name":
		o.names = append(o.names, show.Words(value)...)
	case "ncpus":
		return o.setSpan(env, &o.ncpus, name, value)
	case "nnodes":
		return o.setSpan(env, &o.nnodes, name, value)
	case "noconvert":
		o.noConvert = true
	case "nodelist":
		if _, err := slurm.ParseHostList(value); err != nil {
			return mistake(env, "Invalid node list: %s", value)
		}
		o.nodes = value
	case "noheader":
		o.noHeader = true
	case "parsable":
		o.parsable = 1
	case "parsable2":
		o.parsable = 2
	case "partition":
		o.partitions = append(o.partitions, show.Words(value)...)
	case "qos":
		o.qos = append(o.qos, show.Words(value)...)
	case "reason":
		o.reasons = append(o.reasons, show.Words(value)...)
	case "state":
		return o.setStates(env, value)
	case "timelimit-max", "timelimit-min":
		d, err := slurm.ParseDuration(value)
		if err != nil {
			return &fatal{env.Name + ": fatal: Invalid time limit specification"}
		}
		if name == "timelimit-max" {
			o.limitMax = d
		} else {
			o.limitMin = d
		}
	case "truncate":
		o.truncate = true
	case "user":
		return o.setUsers(env, value)
	case "units":
		unit := strings.ToUpper(value)
		if len(unit) != 1 || !strings.Contains("KMGTP", unit) {
			return &fatal{fmt.Sprintf("%s: error: Invalid unit type '%s'. Possible options are 'KMGTP'\n%s: fatal: Invalid unit type", env.Name, value, env.Name)}
		}
		o.unit = unit[0]
	case "usage":
		o.done = usageText + "\n"
	case "use-local-uid":
		o.localUID = true
	case "verbose":
		o.verbose++
	case "autocomplete":
		o.done = slurm.Completions(optionTable(), value)
	case "version":
		o.done = cli.VersionLine() + "\n"
	case "wckeys":
		o.wckeys = append(o.wckeys, show.Words(value)...)
	}
	return nil
}

// addFormat takes fields; those of several -o and -b add up, and what the
// environment asked for gives way to them.
func (o *options) addFormat(list string) {
	if o.fields && o.format != "" {
		list = o.format + "," + list
	}
	o.format, o.fields = list, true
}

func (o *options) setStates(env *cli.Env, list string) error {
	for _, word := range show.Words(list) {
		if strings.EqualFold(word, "all") {
			o.states = nil
			continue
		}
		state, err := slurm.ParseJobState(word)
		switch {
		case err != nil:
			return &fatal{fmt.Sprintf("%s: fatal: unrecognized job state value '%s'", env.Name, word)}
		case !accounted(state):
			return &fatal{fmt.Sprintf("%s: fatal: job state %s is not supported / accounted", env.Name, word)}
		}
		o.states = append(o.states, state)
	}
	return nil
}

// accounted reports whether accounting knows jobs in a state.
func accounted(s slurm.JobState) bool {
	switch s.Flags() {
	case 0, slurm.JobResizing, slurm.JobRequeued, slurm.JobRevoked:
		return true
	}
	return false
}

func (o *options) setUsers(env *cli.Env, list string) error {
	for _, name := range show.Words(list) {
		if name == "-1" { // everybody, as in Slurm
			o.allUsers = true
			continue
		}
		uid, err := cli.LookupUID(strings.TrimSpace(name))
		if err != nil {
			return mistake(env, "Invalid user id: %s", name)
		}
		o.users, o.allUsers = append(o.users, uid), false
	}
	return nil
}

func (o *options) setGroups(env *cli.Env, list string) error {
	for _, name := range show.Words(list) {
		gid, err := show.GID(strings.TrimSpace(name))
		if err != nil {
			return mistake(env, "Invalid group id: %s", name)
		}
		o.groups = append(o.groups, gid)
	}
	return nil
}

// setTime takes a moment, seen from now.
func (o *options) setTime(env *cli.Env, name, value string) error {
	t, err := slurm.ParseTime(value, o.now, true)
	if err != nil {
		return &fatal{err.Error()}
	}
	if name == "starttime" {
		o.start, o.hasStart = t, true
	} else {
		// A time has no parts of a second: the one that says now means what there is
		// by now, also what was submitted a moment ago.
		if t.Unix() == o.now.Unix() {
			t = o.now
		}
		o.end, o.hasEnd = t, true
	}
	return nil
}

func (o *options) setSpan(env *cli.Env, s *span, name, value string) error {
	low, high, ranged := strings.Cut(value, "-")
	a, err := strconv.Atoi(low)
	b := a
	if err == nil && ranged {
		b, err = strconv.Atoi(high)
	}
	if err != nil || a < 0 || b < 0 {
		what := map[string]string{"ncpus": "cpu", "nnodes": "node"}[name]
		return mistake(env, "Invalid numeric value %q for requested %s range.", value, what)
	}
	*s = span{a, b, b > 0} // none at all is not asked for
	return nil
}

// Formats when none is asked for.
const (
	defaultFormat = "jobid,jobname,partition,account,alloccpus,state,exitcode"
	briefFormat   = "jobid,state,exitcode"
	longFormat    = "jobid,jobidraw,jobname,partition,maxvmsize,maxvmsizenode,maxvmsizetask,avevmsize,maxrss,maxrssnode,maxrsstask,averss,maxpages," +
		"maxpagesnode,maxpagestask,avepages,mincpu,mincpunode,mincputask,avecpu,ntasks,alloccpus,elapsed,state,exitcode,avecpufreq,reqcpufreqmin," +
		"reqcpufreqmax,reqcpufreqgov,reqmem,consumedenergy,maxdiskread,maxdiskreadnode,maxdiskreadtask,avediskread,maxdiskwrite,maxdiskwritenode," +
		"maxdiskwritetask,avediskwrite,reqtres,alloctres,tresusageinave,tresusageinmax,tresusageinmaxnode,tresusageinmaxtask,tresusageinmin," +
		"tresusageinminnode,tresusageinmintask,tresusageintot,tresusageoutmax,tresusageoutmaxnode,tresusageoutmaxtask,tresusageoutave,tresusageouttot"
)

// settle fills in what follows from the options taken together.
func (o *options) settle(env *cli.Env) error {
	switch {
	case o.completion:
		return &fatal{"Slurm job completion is disabled"} // JobCompType is of no effect here
	case o.long && o.fields && !o.brief:
		return &fatal{env.Name + ": fatal: Options -o(--format) and -l(--long) are mutually exclusive. Please remove one and retry."}
	case o.long && o.fields:
		o.format += "," + longFormat
	case o.long:
		o.format = longFormat
	case o.format == "":
		o.format = defaultFormat
	}
	now := o.now
	switch {
	case o.hasStart:
	case o.hasJobs:
		// Jobs asked for by id are shown from whenever they are.
	case len(o.states) > 0:
		// Jobs that are in a state now.
		o.start = now
	default:
		y, m, d := now.Date()
		o.start = time.Date(y, m, d, 0, 0, 0, 0, now.Location())
	}
	switch {
	case o.hasEnd:
	case o.hasStart && len(o.states) > 0:
		o.end, o.hasEnd = o.start, true // those that were in a state at that moment
		o.cut = o.end.Add(time.Second)
	default:
		o.end = now
	}
	if o.cut.IsZero() {
		o.cut = o.end
	}
	if len(o.jobs) == 0 && (o.script || o.variables) {
		what := "environment"
		if o.script {
			what = "scripts"
		}
		return &fatal{fmt.Sprintf("%s: fatal: When requesting job %s you must also request specific jobs with the '-j' option.", env.Name, what)}
	}
	if !o.start.IsZero() && o.start.After(o.end) {
		return mistake(env, "Start time (%s) requested is after end time (%s).", o.start.Format("2006-01-02T15:04:05"), o.end.Format("2006-01-02T15:04:05"))
	}
	me := env.UID()
	if len(o.users) == 0 && !o.allUsers && !o.hasJobs && me != 0 {
		o.users = []uint32{me}
	}
	if o.allUsers {
		o.users = nil
	}
	return nil
}

// localName is the name this host knows a user by.
func localName(uid uint32) string {
	u, err := hostuser.LookupID(strconv.FormatUint(uint64(uid), 10))
	if err != nil {
		return ""
	}
	return u.Username
}
