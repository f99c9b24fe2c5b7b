package strigger

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// options are what strigger was asked for.
type options struct {
	set, get, clear bool
	kinds           []string // events, in the order given
	node            bool
	nodes           string
	job             slurm.JobID
	user            string
	uid             uint32
	id              uint32
	offset          int
	program         string
	perm            bool
	noHeader, quiet bool
	verbose         int
	clusters        string
	hasClusters     bool
	done            string
	noDatabase      string // an event of the database was asked for
}

// kindsOf are the events by the names of their options, each with what it happens
// to.
var kindsOf = map[string]string{
	"fini": sched.TriggerOnJob, "time": sched.TriggerOnJob, "down": sched.TriggerOnNode, "up": sched.TriggerOnNode, "drained": sched.TriggerOnNode,
	"draining": sched.TriggerOnNode, "resume": sched.TriggerOnNode, "fail": sched.TriggerOnNode, "idle": sched.TriggerOnNode,
	"reconfig": sched.TriggerOnCtld, "primary_slurmctld_failure": sched.TriggerOnCtld, "primary_slurmctld_resumed_operation": sched.TriggerOnCtld,
	"primary_slurmctld_resumed_control": sched.TriggerOnCtld, "backup_slurmctld_failure": sched.TriggerOnCtld,
	"backup_slurmctld_resumed_operation": sched.TriggerOnCtld, "backup_slurmctld_assumed_control": sched.TriggerOnCtld,
}

// noDatabase are the events of a daemon that there is none of: accounting is the
// controller's.
var noDatabase = map[string]bool{
	"primary_slurmctld_acct_buffer_full": true, "primary_slurmdbd_failure": true, "primary_slurmdbd_resumed_operation": true,
	"primary_database_failure": true, "primary_database_resumed_operation": true,
}

// slurmTriggers is what Slurm names when no event is asked for.
const slurmTriggers = "--down, --up, --reconfig, --time, --fini, --burst_buffer,\n--primary_slurmctld_failure,\n--primary_slurmctld_resumed_operation,\n" +
	"--primary_slurmctld_resumed_control,\n--primary_slurmctld_acct_buffer_full,\n--backup_slurmctld_failure,\n--backup_slurmctld_resumed_operation,\n" +
	"--backup_slurmctld_as_ctrl,\n--primary_slurmdbd_failure,\n--primary_slurmdbd_resumed_operation,\n--primary_database_failure, or \n" +
	"--primary_database_resumed_operation"

func optionTable() []slurm.OptionSpec {
	const none, may, must = slurm.NoArg, slurm.OptionalArg, slurm.RequiredArg
	spec := func(short byte, arg slurm.ArgKind, names ...string) slurm.OptionSpec {
		return slurm.OptionSpec{Names: names, Short: short, Arg: arg}
	}
	return []slurm.OptionSpec{
		spec(0, must, "autocomplete"), spec('a', none, "primary_slurmctld_failure"), spec('A', none, "primary_slurmctld_resumed_operation"),
		spec('b', none, "primary_slurmctld_resumed_control"), spec('B', none, "backup_slurmctld_failure"), spec(0, none, "burst_buffer"),
		spec('c', none, "backup_slurmctld_resumed_operation"), spec('C', none, "backup_slurmctld_assumed_control"), spec('d', none, "down"),
		spec('D', none, "drained"), spec('e', none, "primary_slurmctld_acct_buffer_full"), spec('F', none, "fail"), spec('f', none, "fini"),
		spec('g', none, "primary_slurmdbd_failure"), spec('G', none, "primary_slurmdbd_resumed_operation"), spec('h', none, "primary_database_failure"),
		spec('H', none, "primary_database_resumed_operation"), spec('i', must, "id"), spec('I', none, "idle"), spec('j', must, "jobid"),
		spec('M', must, "clusters", "cluster"), spec('n', may, "node"), spec('N', none, "noheader"), spec('o', must, "offset"), spec('p', must, "program"),
		spec('Q', none, "quiet"), spec('r', none, "reconfig"), spec('R', none, "resume"), spec('t', none, "time"), spec('u', none, "up"),
		spec('v', none, "verbose"), spec('V', none, "version"), spec(0, none, "clear"), spec(0, none, "draining"), spec(0, must, "flags"),
		spec(0, none, "get"), spec(0, none, "help"), spec(0, none, "set"), spec(0, none, "usage"), spec(0, must, "user"),
	}
}

func mistake(env *cli.Env, format string, args ...any) error {
	return fmt.Errorf("%s: error: %s", env.Name, fmt.Sprintf(format, args...))
}

// parse reads the command line.
func parse(env *cli.Env) (*options, error) {
	o := &options{}
	o.clusters, o.hasClusters = env.Lookup("SLURM_CLUSTERS")
	given, words, err := slurm.Getopt(env.Name, optionTable(), env.Args, slurm.PermuteWords)
	for _, g := range given {
		if err := o.take(env, g.Name(), g.Value); err != nil {
			return nil, err
		}
		if o.done != "" {
			return o, nil
		}
	}
	if err != nil {
		return nil, err
	}
	if len(words) > 0 {
		return nil, mistake(env, "Unrecognized command line parameter %s", words[0])
	}
	return o, o.check(env)
}

func (o *options) take(env *cli.Env, name, value string) error {
	switch {
	case kindsOf[name] != "":
		o.kinds = append(o.kinds, name)
		return nil
	case noDatabase[name]:
		o.noDatabase = name
		return nil
	}
	switch name {
	case "autocomplete":
		o.done = slurm.Completions(optionTable(), value)
	case "burst_buffer":
		return mistake(env, "--burst_buffer: there are no burst buffers")
	case "clear":
		o.clear = true
	case "clusters":
		o.clusters, o.hasClusters = value, true
	case "flags":
		if !strings.EqualFold(value, "PERM") {
			return mistake(env, "Invalid flags %s", value)
		}
		o.perm = true
	case "get":
		o.get = true
	case "help", "usage":
		o.done = helpText
	case "id":
		n, err := strconv.ParseUint(value, 10, 32)
		if err != nil || n == 0 {
			return mistake(env, "Invalid id %s", value)
		}
		o.id = uint32(n)
	case "jobid":
		n, err := strconv.ParseUint(value, 10, 32)
		if err != nil || n == 0 {
			return mistake(env, "Invalid jobid %s", value)
		}
		o.job = slurm.JobID(n)
	case "node":
		o.node, o.nodes = true, value
	case "noheader":
		o.noHeader = true
	case "offset":
		n, err := strconv.Atoi(value)
		if err != nil {
			return mistake(env, "Invalid offset: %s", value) // which Slurm takes for 0
		}
		if n < -32000 || n > 32000 {
			return mistake(env, "The --offset parameter must be between +/-32000")
		}
		o.offset = n
	case "program":
		o.program = value
	case "quiet":
		o.quiet = true
	case "set":
		o.set = true
	case "user":
		uid, err := cli.LookupUID(value)
		if err != nil {
			return mistake(env, "Invalid user %s", value)
		}
		o.user, o.uid = value, uid
	case "verbose":
		o.verbose++
	case "version":
		o.done = cli.VersionLine() + "\n"
	}
	return nil
}

// check refuses what does not go together.
func (o *options) check(env *cli.Env) error {
	n := 0
	for _, on := range []bool{o.set, o.get, o.clear} {
		if on {
			n++
		}
	}
	if n > 1 {
		return mistake(env, "You must use exactly one of the following options: --set, --get or --clear")
	}
	if n == 0 {
		return mistake(env, "You must use exactly one of the following options: --set, --get or --clear")
	}
	if o.clear && o.id == 0 && o.user == "" && o.job == 0 {
		return mistake(env, "You must specify a --id, --jobid, or --user to clear")
	}
	if !o.set {
		return nil
	}
	on := map[string]bool{}
	for _, k := range o.kinds {
		on[kindsOf[k]] = true
	}
	switch {
	case len(o.kinds) == 0 && o.noDatabase == "", o.job != 0 && !on[sched.TriggerOnJob]:
		return mistake(env, "You must specify a trigger (%s)\n", slurmTriggers)
	case o.program == "":
		return mistake(env, "You must specify a --program value")
	case on[sched.TriggerOnJob] && o.job == 0:
		return mistake(env, "You must specify a --jobid value")
	case o.node && !on[sched.TriggerOnNode]:
		return mistake(env, "You must specify a --down, --up, --drained, --fail or --idle with a --node")
	}
	path, _, _ := strings.Cut(o.program, " ")
	if !strings.HasPrefix(path, "/") {
		return mistake(env, "The --program value must start with \"/\"")
	}
	switch info, err := os.Stat(path); {
	case err != nil:
		return mistake(env, "Invalid --program value, file not found")
	case !info.Mode().IsRegular():
		return mistake(env, "Invalid --program value, not regular file")
	case info.Mode()&0o111 == 0:
		return mistake(env, "Invalid --program value, %s may not be executed", path)
	}
	return nil
}
