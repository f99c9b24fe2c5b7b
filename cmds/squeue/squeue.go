// Package squeue is the command that lists jobs, steps and runs.
package squeue

import (
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

//go:embed help.txt
var helpText string

const usageText = `Usage: squeue [-A ACCOUNTS] [-i SECONDS] [-j JOBS] [-n NAMES] [-o FORMAT | -O FIELDS] [-p PARTITIONS] [-q QOS]
              [-R RESERVATIONS] [-S KEYS] [-t STATES] [-u USERS] [-w NODES] [--run RUN] [--start] [-ahlPrsvV] [--me]`

// Run is the command; it returns the exit status.
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
	client, err := cli.Connect(env)
	if err != nil {
		fmt.Fprintf(env.Stderr, "slurm_load_jobs error: %s\n", cli.Reason(err))
		return 1
	}
	defer client.Close()
	if o.hasClusters && !cli.OnCluster(env, client.Cluster, o.clusters) {
		return 1
	}
	if o.verbose > 0 {
		env.Infof("cluster=%s format=%q sort=%s states given=%t jobs=%d users=%d", client.Cluster, o.format, o.sort, o.hasStates, len(o.jobs), len(o.users))
	}
	for {
		code := list(env, o, client.Controller, client.Cluster)
		if o.iterate == 0 {
			return code
		}
		fmt.Fprintln(env.Stdout)
		ctx, cancel := env.Call(time.Duration(o.iterate) * time.Second)
		<-ctx.Done()
		cancel()
		if env.Ctx != nil && env.Ctx.Err() != nil {
			return code
		}
	}
}

// list asks the controller once and prints what it said.
func list(env *cli.Env, o *options, client rinkpb.Controller, cluster string) int {
	v := show.NewView(env)
	v.NoConvert, v.Cluster = o.noConvert, cluster
	if err := o.checkNodes(env, client); err != nil {
		return fail(env, err)
	}
	if o.hasUsers && len(o.users) == 0 {
		return o.print(env, nil, v, nil)
	}
	type answer struct {
		parts []*sched.Partition
		err   error
	}
	asked := make(chan answer, 1)
	if hides := !o.all && o.me != 0; hides || o.needsWeights() {
		go func() {
			parts, err := v.LoadPartitions(env, client)
			asked <- answer{parts, err}
		}()
	} else {
		asked <- answer{}
	}
	jobs, err := show.Jobs(env, client, o.request())
	if errors.Is(err, slurm.ErrnoInvalidJobID) && len(o.stepRefs) > 0 {
		err = nil // steps of a job that is not there are no steps
	}
	if err != nil {
		return fail(env, err)
	}
	got := <-asked
	if got.err != nil {
		return fail(env, got.err)
	}
	if !o.all && o.me != 0 {
		hidden := show.Hidden(got.parts)
		jobs = slices.DeleteFunc(jobs, func(j *show.Job) bool { return j.InHidden(hidden) })
	}
	v.FindHets(jobs)
	return o.print(env, client, v, jobs)
}

func (o *options) print(env *cli.Env, client rinkpb.Controller, v *show.View, jobs []*show.Job) int {
	var err error
	v.Encoding = o.encoding
	switch {
	case o.encoding.On() && !o.steps:
		if client != nil {
			err = v.LoadNodes(env, client)
		}
		if err == nil {
			err = printData(env, o, v, jobs)
		}
	case o.steps:
		err = printSteps(env, o, v, jobs)
	default:
		err = printJobs(env, o, v, jobs)
	}
	if err != nil {
		return fail(env, err)
	}
	return 0
}

func fail(env *cli.Env, err error) int {
	var usage *usageError
	if errors.As(err, &usage) {
		fmt.Fprintln(env.Stderr, err)
	} else {
		fmt.Fprintf(env.Stderr, "slurm_load_jobs error: %s\n", cli.Reason(err))
	}
	return 1
}

// request is what the controller is asked for. It may answer with more: what is
// not wanted is left out here.
func (o *options) request() *rinkpb.ListJobsRequest {
	req := &rinkpb.ListJobsRequest{
		Uids: o.users, Partitions: o.partitions, Names: o.names, Accounts: o.accounts, Run: o.run,
		Ended: o.wantsEnded(), Steps: o.steps, Hidden: o.all, Plan: o.needsPlan(),
	}
	if o.steps {
		req.Names, req.Accounts, req.Run = nil, nil, ""
	}
	seen := map[slurm.JobID]bool{}
	for _, r := range append(append([]slurm.JobRef(nil), o.jobs...), o.stepRefs...) {
		if !seen[r.Job] {
			seen[r.Job] = true
			req.Refs = append(req.Refs, &rinkpb.JobRef{Job: uint32(r.Job)})
		}
	}
	return req
}

// needsPlan reports whether it matters when jobs are expected to start: that is
// printed, and it is the order of what nothing else tells apart.
func (o *options) needsPlan() bool {
	return !o.onlyState && !o.steps
}

func (o *options) needsWeights() bool { return o.encoding.On() || !o.steps && o.shows("TRES_ALLOC") }

func (o *options) shows(headers ...string) bool {
	if o.byName {
		t, _ := show.Names(columns(), o.format)
		return t.Shows(headers...)
	}
	t, _ := show.Letters(columns(), o.format)
	return t.Shows(headers...)
}

// checkNodes refuses names of --nodelist that are no node's.
func (o *options) checkNodes(env *cli.Env, client rinkpb.Controller) error {
	if !o.hasNodes {
		return nil
	}
	found, err := show.Nodes(env, client, o.nodes...)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, n := range found {
		known[string(n.Name)] = true
	}
	for _, name := range o.nodes {
		if !known[name] {
			return mistake(env, "Invalid node name %s", name)
		}
	}
	return nil
}
