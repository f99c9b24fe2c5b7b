// Package strigger sets, lists and takes back triggers: programs to run when
// something happens.
package strigger

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/runink/rink/api"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

//go:embed help.txt
var helpText string

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
	client, err := cli.Connect(env)
	if err != nil {
		return o.failed(env, verb(o), err)
	}
	defer client.Close()
	if o.hasClusters && !cli.OnCluster(env, client.Cluster, o.clusters) {
		return 1
	}
	switch {
	case o.set:
		return o.setAll(env, client)
	case o.clear:
		return o.clearSome(env, client)
	}
	return o.list(env, client)
}

func verb(o *options) string {
	switch {
	case o.set:
		return "slurm_set_trigger"
	case o.clear:
		return "slurm_clear_trigger"
	}
	return "slurm_get_triggers"
}

func (o *options) failed(env *cli.Env, what string, err error) int {
	if !o.quiet {
		fmt.Fprintf(env.Stderr, "%s: %s\n", what, cli.Reason(err))
	}
	return 1
}

// setAll sets a trigger for each event asked for.
func (o *options) setAll(env *cli.Env, client rinkpb.Controller) int {
	if o.noDatabase != "" {
		env.Warnf("--%s has no effect here: there is no database daemon", o.noDatabase)
	}
	for _, kind := range o.kinds {
		t := sched.Trigger{Kind: kind, On: kindsOf[kind], Offset: time.Duration(o.offset) * time.Second, Program: o.program, Perm: o.perm}
		switch t.On {
		case sched.TriggerOnJob:
			t.Job = o.job
		case sched.TriggerOnNode:
			t.Nodes = o.nodes
		}
		if o.verbose > 0 {
			env.Infof("trigger on %s of %s, program %s", kind, resource(&t), o.program)
		}
		ctx, cancel := env.Call(show.CallLimit())
		reply, err := client.SetTrigger(ctx, &rinkpb.SetTriggerRequest{Trigger: api.TriggerToProto(&t)})
		cancel()
		if err == nil {
			err = cli.StatusErr(reply.Status)
		} else {
			err = cli.CallErr(err)
		}
		if err != nil {
			return o.failed(env, verb(o), err)
		}
	}
	return 0
}

func (o *options) clearSome(env *cli.Env, client rinkpb.Controller) int {
	ctx, cancel := env.Call(show.CallLimit())
	defer cancel()
	reply, err := client.ClearTriggers(ctx, &rinkpb.ClearTriggersRequest{Id: o.id, Job: uint32(o.job), ByUser: o.user != "", Uid: o.uid})
	if err == nil {
		err = cli.StatusErr(reply.Status)
	} else {
		err = cli.CallErr(err)
	}
	if err != nil {
		return o.failed(env, verb(o), err)
	}
	return 0
}

// resource is what a trigger is set on, as a listing has it.
func resource(t *sched.Trigger) string {
	switch {
	case t.On == sched.TriggerOnJob:
		return t.Job.String()
	case t.On == sched.TriggerOnNode && t.Nodes != "":
		return t.Nodes
	}
	return "*"
}

// list prints the triggers that fit what is asked.
func (o *options) list(env *cli.Env, client rinkpb.Controller) int {
	ctx, cancel := env.Call(show.CallLimit())
	defer cancel()
	reply, err := client.ListTriggers(ctx, &rinkpb.ListTriggersRequest{})
	if err == nil {
		err = cli.StatusErr(reply.Status)
	} else {
		err = cli.CallErr(err)
	}
	if err != nil {
		return o.failed(env, verb(o), err)
	}
	if o.verbose > 0 {
		env.Infof("Read %d trigger records", len(reply.Triggers))
	}
	head := !o.noHeader
	for _, p := range reply.Triggers {
		t := api.TriggerFromProto(p)
		if !o.wants(t) {
			continue
		}
		if head {
			fmt.Fprintln(env.Stdout, "TRIG_ID RES_TYPE   RES_ID TYPE                                OFFSET USER     FLAGS PROGRAM")
			head = false
		}
		flags := ""
		if t.Perm {
			flags = "PERM"
		}
		on := t.On
		if t.Kind == "reconfig" {
			on = sched.TriggerOnNode // as Slurm lists it
		}
		fmt.Fprintf(env.Stdout, "%7d %-9s %7s %-35s %6d %-8s %-5s %s\n",
			t.ID, on, resource(t), t.Kind, int(t.Offset/time.Second), show.Or(t.User, strconv.FormatUint(uint64(t.UID), 10)), flags, t.Program)
	}
	return 0
}

// wants reports whether a trigger fits the filters given.
func (o *options) wants(t *sched.Trigger) bool {
	switch {
	case o.id != 0 && t.ID != o.id, o.user != "" && t.UID != o.uid, o.job != 0 && (t.On != sched.TriggerOnJob || t.Job != o.job):
		return false
	case o.node && t.On != sched.TriggerOnNode, len(o.kinds) > 0 && !slices.Contains(o.kinds, t.Kind):
		return false
	}
	if o.node && o.nodes != "" && t.Nodes != "" {
		want, err1 := slurm.ParseHostList(o.nodes)
		have, err2 := slurm.ParseHostList(t.Nodes)
		if err1 != nil || err2 != nil {
			return false
		}
		names := have.Hosts()
		return slices.ContainsFunc(want.Hosts(), func(n string) bool { return slices.Contains(names, n) })
	}
	return true
}
