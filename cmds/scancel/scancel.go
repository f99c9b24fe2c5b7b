// Package scancel cancels or signals jobs and steps.
package scancel

import (
	"bufio"
	_ "embed"
	"errors"
	"fmt"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/runink/rink/api"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

//go:embed help.txt
var help string

const usage = "Usage: scancel [-A account] [--batch] [--full] [--interactive] [-n job_name] [-p partition] [-Q] [-q qos] [-R reservation] [-s signal] [-t state] [-u user] [-v] [-w hosts] [--wckey=key] [job_id[_array_id][.step_id] ...]\n"

// Run is the command.
func Run(env *cli.Env) int {
	o, err := parse(env)
	if err != nil {
		fmt.Fprintln(env.Stderr, err)
		return 1
	}
	if o.done != "" {
		fmt.Fprint(env.Stdout, o.done)
		return 0
	}
	if len(o.refs) == 0 && o.nothing {
		return 0
	}
	if len(o.refs) == 0 && !o.filtered {
		env.Errorf("No job identification provided")
		return 1
	}
	client, err := cli.Connect(env)
	if err != nil {
		env.Errorf("%s", cli.Reason(err))
		return 1
	}
	defer client.Close()
	if o.hasClusters && !cli.OnCluster(env, client.Cluster, o.clusters) {
		return 1
	}
	req := &rinkpb.CancelRequest{
		ByUser: o.byUser, Uid: o.uid, Name: o.name, Partitions: o.partitions, Account: o.account, Qos: o.qos, States: o.states,
		Nodes: o.nodes, Reservation: o.reservation, Wckey: o.wckey, Run: o.run, Signal: o.signal, Batch: o.batch, Full: o.full,
		Hurry: o.hurry, HasFilter: o.filtered, Cron: o.cron, AdminComment: o.adminComment,
	}
	for _, r := range o.refs {
		req.Refs = append(req.Refs, api.JobRefToProto(r))
	}
	rc := 0
	if o.interactive {
		if rc = o.confirm(env, client, req); len(req.Refs) == 0 {
			return rc
		}
	}
	ctx, cancel := env.Call(2 * time.Minute)
	defer cancel()
	reply, err := client.Cancel(ctx, req)
	if err != nil {
		return o.notAsked(env, cli.CallErr(err))
	}
	if len(reply.Outcomes) == 0 && len(o.refs) == 0 && o.verbose > 0 && !o.quiet {
		env.Errorf("No active jobs match ALL job filters, including: %s", o.filters())
	}
	for _, out := range reply.Outcomes {
		rc = max(rc, o.tell(env, out.What, cli.StatusErr(out.Status)))
	}
	return rc
}

// notAsked says why the controller took nothing of it, of each job where jobs are
// named, and is the exit code.
func (o *options) notAsked(env *cli.Env, err error) int {
	if !cli.Is(err, slurm.ErrnoProtocolAuthentication) {
		env.Errorf("%s", cli.Reason(err))
		return 1
	}
	if o.lookedUp() {
		fmt.Fprintf(env.Stderr, "slurm_load_jobs error: %s\n", err)
		return 1
	}
	rc := 0
	for _, r := range o.refs {
		rc = max(rc, o.tell(env, r.String(), err))
	}
	return rc
}

// filters lists what the jobs had to match.
func (o *options) filters() string {
	var b strings.Builder
	say := func(key, value string) {
		if value != "" {
			b.WriteString(key + "=" + value + " ")
		}
	}
	say("account", o.account)
	say("job_name", o.name)
	say("nodelist", strings.Join(o.nodes, ","))
	say("partition", strings.Join(o.partitions, ","))
	say("qos", o.qos)
	say("reservation", o.reservation)
	for _, s := range o.states {
		say("state", slurm.JobState(s).String())
	}
	if o.byUser {
		say("user_id", strconv.FormatUint(uint64(o.uid), 10))
	}
	say("wckey", o.wckey)
	return b.String()
}

// tell says what became of a job or step, and returns what that leaves for an
// exit code.
func (o *options) tell(env *cli.Env, name string, err error) int {
	noun := "job id"
	job, _, step := strings.Cut(name, ".")
	if step {
		noun = "job step id"
	}
	if o.verbose > 0 && !o.quiet && (err == nil || !o.lookedUp()) {
		what, _ := strings.CutSuffix(noun, " id")
		what = strings.TrimPrefix(what, "job ")
		if o.batch {
			what = "batch " + what
		}
		if o.signal != 0 {
			env.Infof("Signal %d to %s %s", o.signal, what, name)
		} else {
			env.Infof("Terminating %s %s", what, name)
		}
	}
	switch {
	case err == nil:
		return 0
	case len(o.refs) > 0 && o.lookedUp() && (cli.Is(err, slurm.ErrnoAlreadyDone) || cli.Is(err, slurm.ErrnoInvalidJobID)):
		code := 1
		if step && cli.Is(err, slurm.ErrnoAlreadyDone) { // of a job that runs
			name, code = job, exitCode(slurm.ErrnoInvalidJobID)
		}
		if !o.quiet {
			env.Errorf("Kill job error on %s %s: %s", noun, name, slurm.ErrnoInvalidJobID)
		}
		return code
	case o.forgiven(err):
		if o.verbose > 0 && !o.quiet {
			env.Errorf("Kill job error on %s %s: %s", noun, name, err)
		}
		return 0
	}
	env.Errorf("Kill job error on %s %s: %s", noun, job, err)
	return exitCode(err)
}

// exitCode is what an error ends scancel with: as much of Slurm's number for it as an
// exit code holds, and 1 for what has none.
func exitCode(err error) int {
	var errno slurm.Errno
	if errors.As(err, &errno) && errno&0xff != 0 {
		return int(errno & 0xff)
	}
	return 1
}

// forgiven reports whether an outcome is neither a failure nor worth a word
// unless asked for: ending what has ended and, when jobs are named and nothing
// else is said of them, ending what never was. A filter, a signal, a step or a
// question to the user makes the named jobs be looked up first, and then they
// must exist and not have ended. What a filter alone found was there, and may have
// ended since.
func (o *options) forgiven(err error) bool {
	return cli.Is(err, slurm.ErrnoAlreadyDone) || cli.Is(err, slurm.ErrnoInvalidJobID)
}

func (o *options) lookedUp() bool {
	return o.filtered || o.batch || o.signal != 0 || o.interactive || slices.ContainsFunc(o.refs, func(r slurm.JobRef) bool { return r.HasStep })
}

// options are what the command line asks for.
type options struct {
	done                                         string // text to print instead of anything else
	quiet, interactive, batch, full, hurry, cron bool
	verbose                                      int
	filtered, byUser                             bool
	nothing                                      bool // what was named is nothing
	uid                                          uint32
	name, account, qos, reservation, wckey, run  string
	clusters, adminComment                       string
	hasClusters                                  bool
	partitions, nodes                            []string
	states                                       []uint32
	signal                                       int32
	refs                                         []slurm.JobRef
}

var table = []slurm.OptionSpec{
	{Names: []string{"account"}, Short: 'A', Arg: slurm.RequiredArg}, {Names: []string{"admin-comment"}, Arg: slurm.RequiredArg}, {Names: []string{"autocomplete"}, Arg: slurm.RequiredArg},
	{Names: []string{"batch"}, Short: 'b'}, {Names: []string{"clusters", "cluster"}, Short: 'M', Arg: slurm.RequiredArg},
	{Names: []string{"ctld"}}, {Names: []string{"cron"}, Short: 'c'}, {Names: []string{"full"}, Short: 'f'}, {Names: []string{"help"}}, {Names: []string{"hurry"}, Short: 'H'}, {Names: []string{"interactive"}, Short: 'i'},
	{Names: []string{"name", "jobname"}, Short: 'n', Arg: slurm.RequiredArg}, {Names: []string{"me"}},
	{Names: []string{"nodelist"}, Short: 'w', Arg: slurm.RequiredArg}, {Names: []string{"partition"}, Short: 'p', Arg: slurm.RequiredArg},
	{Names: []string{"qos"}, Short: 'q', Arg: slurm.RequiredArg}, {Names: []string{"quiet"}, Short: 'Q'}, {Names: []string{"reservation"}, Short: 'R', Arg: slurm.RequiredArg},
	{Names: []string{"run"}, Arg: slurm.RequiredArg}, {Names: []string{"sibling"}, Arg: slurm.RequiredArg}, {Names: []string{"signal"}, Short: 's', Arg: slurm.RequiredArg},
	{Names: []string{"state"}, Short: 't', Arg: slurm.RequiredArg}, {Names: []string{"usage"}}, {Names: []string{"user"}, Short: 'u', Arg: slurm.RequiredArg},
	{Names: []string{"verbose"}, Short: 'v'}, {Names: []string{"version"}, Short: 'V'}, {Names: []string{"wckey"}, Arg: slurm.RequiredArg},
}

// parse reads the environment and the command line.
func parse(env *cli.Env) (*options, error) {
	o := &options{}
	given, rest, err := slurm.Getopt(env.Name, table, env.Args, slurm.PermuteWords)
	for _, name := range []string{"account", "batch", "full", "interactive", "name", "nodelist", "partition", "qos", "reservation", "state", "user", "verbose", "wckey"} {
		if v, ok := env.Lookup("SCANCEL_" + strings.ToUpper(name)); ok {
			switch name {
			case "batch", "full", "interactive", "verbose":
				switch strings.ToLower(v) {
				case "t", "true":
				case "f", "false":
					continue
				default:
					env.Errorf("Unrecognized SCANCEL_%s value: %s", strings.ToUpper(name), v)
					continue
				}
			case "state":
				if _, bad := slurm.ParseJobState(v); bad != nil {
					return nil, fmt.Errorf("Unrecognized SCANCEL_STATE value: %s\nValid job states are PENDING, RUNNING, and SUSPENDED", v)
				}
			}
			if err := o.set(env, name, v); err != nil {
				return nil, err
			}
		}
	}
	for _, g := range given {
		if err := o.set(env, g.Name(), g.Value); err != nil || o.done != "" {
			return o, err
		}
	}
	if err != nil {
		return nil, err
	}
	for _, word := range rest {
		word = strings.TrimLeft(word, " ")
		if word == "" || strings.ContainsAny(word, " \t") {
			return nil, fmt.Errorf("%s: error: Invalid job id %s", env.Name, word)
		}
		refs, err := slurm.ParseJobRefs(word)
		if id, ok := strings.CutSuffix(word, "_"); err != nil && ok { // no task of the array
			if _, bad := slurm.ParseJobRef(id); bad == nil && !strings.Contains(id, "_") {
				o.nothing = true
				continue
			}
		}
		if err != nil || slices.ContainsFunc(refs, func(r slurm.JobRef) bool { return r.HasStep && r.Step >= slurm.StepBatch }) {
			return nil, fmt.Errorf("%s: error: Invalid job id %s", env.Name, word) // batch script and the like are the job
		}
		o.refs = append(o.refs, refs...)
	}
	return o, nil
}

func (o *options) set(env *cli.Env, name, value string) error {
	filter := func() { o.filtered = true }
	switch name {
	case "account":
		o.account = value
		filter()
	case "batch":
		o.batch = true
	case "full":
		o.full = true
	case "hurry":
		o.hurry = true
	case "interactive":
		o.interactive = true
	case "name":
		o.name = value
		filter()
	case "me":
		o.byUser, o.uid = true, env.UID()
		filter()
	case "user":
		uid, err := cli.LookupUID(value)
		if err == nil {
			_, err = user.LookupId(strconv.FormatUint(uint64(uid), 10))
		}
		if err != nil {
			return fmt.Errorf("%s: error: Invalid user name: %s", env.Name, value)
		}
		o.byUser, o.uid = true, uid
		filter()
	case "nodelist":
		list, err := slurm.ParseHostList(value)
		if err != nil {
			return fmt.Errorf("%s: error: invalid node list %s", env.Name, value)
		}
		o.nodes = list.Hosts()
		filter()
	case "partition":
		o.partitions = []string{value} // a list is no name of a partition, as in Slurm
		filter()
	case "qos":
		o.qos = value
		filter()
	case "reservation":
		o.reservation = value
		filter()
	case "wckey":
		o.wckey = value
		filter()
	case "run":
		o.run = value
		filter()
	case "state":
		st, err := slurm.ParseJobState(value)
		if err != nil { // of jobs that are over there are none to be found
			return fmt.Errorf("Invalid job state specified: %s\nValid job states are PENDING, RUNNING, and SUSPENDED", value)
		}
		o.states = []uint32{uint32(st.Base())}
		filter()
	case "signal":
		n, err := slurm.ParseSignalName(value)
		if k, bad := strconv.ParseUint(value, 10, 16); err != nil && bad == nil {
			n, err = int(k), nil // a number is taken as it is
		}
		if err != nil || n == 0 {
			return fmt.Errorf("Unknown job signal: %s", value)
		}
		o.signal = int32(n)
	case "clusters":
		o.clusters, o.hasClusters = value, true
	case "admin-comment":
		o.adminComment = value
	case "cron":
		o.cron = true
	case "sibling":
		env.Warnf("--sibling=%s has no effect here: there is no federation", value)
	case "ctld": // requests always go through the controller
	case "quiet":
		o.quiet = true
	case "verbose":
		o.verbose++
	case "help":
		o.done = help
	case "usage":
		o.done = usage
	case "version":
		o.done = cli.VersionLine() + "\n"
	case "autocomplete":
		o.done = slurm.Completions(table, value)
	default:
		return fmt.Errorf("%s: error: option %s is not known", env.Name, strconv.Quote(name))
	}
	return nil
}

// confirm asks on the terminal about each thing to be cancelled, and leaves in
// the request what was agreed to. The exit code is 1 when a job that was named
// is not there.
func (o *options) confirm(env *cli.Env, client *cli.Client, req *rinkpb.CancelRequest) int {
	ctx, cancel := env.Call(time.Minute)
	defer cancel()
	refs, rc := req.Refs, 0
	req.Refs = nil
	if len(refs) == 0 {
		refs = append(refs, nil) // every job there is, then filtered
	}
	in := bufio.NewReader(env.Stdin)
	for _, ref := range refs {
		list := &rinkpb.ListJobsRequest{Hidden: true}
		if ref != nil {
			list.Refs = []*rinkpb.JobRef{ref}
		}
		jobs, err := cli.ListJobs(ctx, client, list)
		if err != nil && !cli.Is(err, slurm.ErrnoInvalidJobID) {
			env.Errorf("%s", cli.Reason(err))
			return 1
		}
		jobs = slices.DeleteFunc(jobs, (*sched.Job).HasEnded)
		if len(jobs) == 0 && ref != nil {
			rc = 1
			if !o.quiet {
				noun := "job id"
				if ref.HasStep {
					noun = "job step id"
				}
				env.Errorf("Kill job error on %s %s: %s", noun, api.JobRefFromProto(ref), slurm.ErrnoInvalidJobID)
			}
		}
		for _, j := range jobs {
			if !o.matches(j) {
				continue
			}
			one := &rinkpb.JobRef{Job: uint32(j.ID), Tasks: api.IndexSetToProto(j.Tasks)}
			name := "job_id=" + slurm.JobName(j.ID, j.ArrayID, j.TaskID, j.IsArrayRest())
			switch {
			case ref != nil && ref.HasStep:
				one, name = ref, "step_id="+api.JobRefFromProto(ref).String()
			case j.IsArrayRest():
				name = "job_id=" + slurm.JobRef{Job: j.ID, Part: slurm.RefTasks, Tasks: j.Tasks}.String()
			default:
				one.Tasks = nil
			}
			fmt.Fprintf(env.Stdout, "Cancel %s name=%s partition=%s [y/n]? ", name, j.Name, j.Partition)
			answer, _ := in.ReadString('\n')
			if strings.HasPrefix(strings.ToLower(strings.TrimSpace(answer)), "y") {
				req.Refs = append(req.Refs, one)
			}
		}
	}
	return rc
}

// matches reports whether a job passes every filter given.
func (o *options) matches(j *sched.Job) bool {
	switch {
	case o.byUser && j.UID != o.uid,
		o.name != "" && j.Name != o.name,
		o.account != "" && j.Account != o.account,
		o.qos != "" && j.QOS != o.qos,
		o.wckey != "" && j.Spec.WCKey != o.wckey,
		o.reservation != "" && j.ReservationName() != o.reservation,
		o.run != "" && j.Run != o.run,
		len(o.states) > 0 && !slices.Contains(o.states, uint32(j.State.Base())):
		return false
	}
	if len(o.partitions) > 0 && !slices.ContainsFunc(j.Partitions, func(p sched.PartitionName) bool { return slices.Contains(o.partitions, string(p)) }) {
		return false
	}
	return len(o.nodes) == 0 || slices.ContainsFunc(j.Nodes(), func(n sched.NodeName) bool { return slices.Contains(o.nodes, string(n)) })
}
