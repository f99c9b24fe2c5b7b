// Package scancel cancels or signals jobs and steps.
package scancel

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/runink/rink/api"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/slurm"
)

//go:embed help.txt
var help string

// Run is the command.
func Run(env *cli.Env) int {
	o, err := parse(env)
	if err != nil {
		fmt.Fprintln(env.Stderr, err)
		return 1
	}
	switch {
	case o.help:
		fmt.Fprint(env.Stdout, help)
		return 0
	case o.usage:
		fmt.Fprintln(env.Stdout, "Usage: scancel [-A account] [--batch] [--full] [--interactive] [-n job_name] [-p partition] [-Q] [-q qos] [-R reservation] [-s signal] [-t state] [-u user] [-v] [-w hosts] [--wckey=key] [job_id[_array_id][.step_id] ...]")
		return 0
	case o.version:
		fmt.Fprintln(env.Stdout, cli.VersionLine())
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
	req := &rinkpb.CancelRequest{
		ByUser: o.byUser, Uid: o.uid, Name: o.name, Partitions: o.partitions, Account: o.account, Qos: o.qos, States: o.states,
		Nodes: o.nodes, Reservation: o.reservation, Wckey: o.wckey, Run: o.run, Signal: o.signal, Batch: o.batch, Full: o.full,
		Hurry: o.hurry, HasFilter: o.filtered,
	}
	for _, r := range o.refs {
		req.Refs = append(req.Refs, api.JobRefToProto(r))
	}
	if o.interactive && !o.confirm(env, client, req) {
		return 0
	}
	ctx, cancel := env.Call(2 * time.Minute)
	defer cancel()
	reply, err := client.Cancel(ctx, req)
	if err != nil {
		env.Errorf("%s", cli.Reason(cli.CallErr(err)))
		return 1
	}
	rc := 0
	for _, out := range reply.Outcomes {
		name := out.What
		err := cli.StatusErr(out.Status)
		if err == nil {
			if o.verbose > 0 {
				env.Infof("Terminating job %s", name)
			}
			continue
		}
		// Ending what has ended is not a failure, nor worth a word unless asked.
		if cli.Is(err, slurm.ErrnoAlreadyDone) {
			if o.verbose > 0 {
				env.Errorf("Kill job error on job id %s: %s", name, err)
			}
			continue
		}
		if cli.Is(err, slurm.ErrnoInvalidJobID) && o.quiet {
			continue
		}
		env.Errorf("Kill job error on job id %s: %s", name, err)
		rc = 1
	}
	return rc
}

// options are what the command line asks for.
type options struct {
	help, usage, version, quiet, interactive, batch, full, hurry bool
	verbose                                                      int
	filtered, byUser                                             bool
	uid                                                          uint32
	name, account, qos, reservation, wckey, run                  string
	partitions, nodes                                            []string
	states                                                       []uint32
	signal                                                       int32
	refs                                                         []slurm.JobRef
}

var table = []slurm.OptionSpec{
	{Names: []string{"account"}, Short: 'A', Arg: slurm.RequiredArg}, {Names: []string{"batch"}, Short: 'b'}, {Names: []string{"clusters"}, Short: 'M', Arg: slurm.RequiredArg},
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
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"account", "batch", "full", "interactive", "name", "nodelist", "partition", "qos", "reservation", "state", "user", "verbose", "wckey"} {
		if v, ok := env.Lookup("SCANCEL_" + strings.ToUpper(name)); ok {
			if (name == "batch" || name == "full" || name == "interactive" || name == "verbose") && (v == "0" || strings.EqualFold(v, "false")) {
				continue
			}
			if err := o.set(env, name, v); err != nil {
				return nil, err
			}
		}
	}
	for _, g := range given {
		if err := o.set(env, g.Name(), g.Value); err != nil {
			return nil, err
		}
	}
	for _, word := range rest {
		for _, part := range strings.Fields(word) {
			refs, err := slurm.ParseJobRefs(part)
			if err != nil {
				return nil, fmt.Errorf("%s: error: Invalid job id %s", env.Name, part)
			}
			o.refs = append(o.refs, refs...)
		}
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
		o.byUser, o.uid = true, cli.UID()
		filter()
	case "user":
		uid, err := cli.LookupUID(value)
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
		o.partitions = strings.Split(value, ",")
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
		for _, w := range strings.Split(value, ",") {
			st, err := slurm.ParseJobState(w)
			if err != nil || st.Base() != slurm.JobPending && st.Base() != slurm.JobRunning && st.Base() != slurm.JobSuspended {
				return fmt.Errorf("%s: error: Invalid job state specified: %s", env.Name, w)
			}
			o.states = append(o.states, uint32(st.Base()))
		}
		filter()
	case "signal":
		n, err := slurm.ParseSignalName(value)
		if err != nil {
			return fmt.Errorf("%s: error: Unknown job signal: %s", env.Name, value)
		}
		o.signal = int32(n)
	case "clusters":
		env.Warnf("--clusters=%s has no effect: there is one cluster", value)
	case "cron", "sibling":
		return fmt.Errorf("%s: error: --%s is not supported", env.Name, name)
	case "ctld": // requests always go through the controller
	case "quiet":
		o.quiet = true
	case "verbose":
		o.verbose++
	case "help":
		o.help = true
	case "usage":
		o.usage = true
	case "version":
		o.version = true
	default:
		return fmt.Errorf("%s: error: option %s is not known", env.Name, strconv.Quote(name))
	}
	return nil
}

// confirm asks on the terminal about each thing to be cancelled, and leaves in
// the request what was agreed to.
func (o *options) confirm(env *cli.Env, client *cli.Client, req *rinkpb.CancelRequest) bool {
	if len(req.Refs) == 0 {
		list := &rinkpb.ListJobsRequest{Partitions: req.Partitions, Run: req.Run}
		if req.ByUser {
			list.Uids = []uint32{req.Uid}
		}
		if req.Name != "" {
			list.Names = []string{req.Name}
		}
		if req.Account != "" {
			list.Accounts = []string{req.Account}
		}
		ctx, cancel := env.Call(time.Minute)
		defer cancel()
		jobs, err := cli.ListJobs(ctx, client, list)
		if err != nil {
			env.Errorf("%s", cli.Reason(err))
			return false
		}
		for _, j := range jobs {
			req.Refs = append(req.Refs, &rinkpb.JobRef{Job: uint32(j.ID)})
		}
	}
	var agreed []*rinkpb.JobRef
	for _, r := range req.Refs {
		fmt.Fprintf(env.Stdout, "Cancel job_id=%s [y/n]? ", api.JobRefFromProto(r))
		var answer string
		if _, err := fmt.Fscanln(env.Stdin, &answer); err == nil && strings.HasPrefix(strings.ToLower(answer), "y") {
			agreed = append(agreed, r)
		}
	}
	req.Refs = agreed
	return len(agreed) > 0
}
