// Package sacct is the command that lists past and present jobs with what they
// used.
package sacct

import (
	"bufio"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/slurm"
)

//go:embed help.txt
var helpText string

const usageText = `Usage: sacct [-A ACCOUNTS] [-E TIME] [-j JOBS] [-N NODES] [-o FIELDS] [-q QOS] [-r PARTITIONS] [-S TIME] [-s STATES]
             [-u USERS] [-abBcDehlLnpPTUvVX] [--delimiter=TEXT] [--name=NAMES] [--units=UNIT]`

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
	if _, err := columnsOf(env, o.format); err != nil {
		fmt.Fprintln(env.Stderr, err)
		return 1
	}
	client, err := cli.Connect(env)
	if err != nil {
		env.Errorf("%s", cli.Reason(err))
		return 1
	}
	defer client.Close()
	if o.hasClusters && !cli.HasCluster(o.clusters, client.Cluster) {
		return nothing(env, o) // Slurm's finds no jobs there, and does not say that there is no such cluster
	}
	if len(o.qos) > 0 {
		if err := checkQOS(env, o, client.Controller); err != nil {
			if wrong := (*fatal)(nil); errors.As(err, &wrong) {
				fmt.Fprintln(env.Stderr, err)
			} else {
				env.Errorf("%s", cli.Reason(err))
			}
			return 1
		}
	}
	return list(env, o, client.Controller, client.Cluster)
}

// nothing prints what there is to print without any job.
func nothing(env *cli.Env, o *options) int {
	columns, err := columnsOf(env, o.format)
	if err != nil {
		fmt.Fprintln(env.Stderr, err)
		return 1
	}
	w := bufio.NewWriter(env.Stdout)
	(&table{w: w, o: o, columns: columns}).header()
	if err := w.Flush(); err != nil {
		env.Errorf("%v", err)
		return 1
	}
	return 0
}

// checkQOS refuses QOS that there are none of.
func checkQOS(env *cli.Env, o *options, client rinkpb.Controller) error {
	ctx, cancel := env.Call(show.CallLimit())
	defer cancel()
	reply, err := client.ListAccounts(ctx, &rinkpb.ListAccountsRequest{})
	if err != nil {
		return cli.CallErr(err)
	}
	var known []string
	ids := map[string]string{}
	for _, q := range reply.Tables.GetQos() {
		known = append(known, q.Name)
		ids[strconv.FormatUint(uint64(q.Id), 10)] = q.Name
	}
	for i, name := range o.qos {
		name = strings.ToLower(strings.TrimSpace(name))
		if byID, ok := ids[name]; ok {
			name = byID
		}
		if !slices.Contains(known, name) {
			return &fatal{fmt.Sprintf("%s: error: You gave a bad qos '%s'. Valid QOS's are %s\n%s: fatal: problem processing qos list", env.Name, name, strings.Join(known, ","), env.Name)}
		}
		o.qos[i] = name
	}
	return nil
}

// list asks the controller and prints what it says. Records come by their plain
// ids; of more than can be held at once, the rest is printed as it comes.
func list(env *cli.Env, o *options, client rinkpb.Controller, cluster string) int {
	columns, err := columnsOf(env, o.format)
	if err != nil {
		fmt.Fprintln(env.Stderr, err)
		return 1
	}
	v := &view{View: show.NewView(env), o: o}
	v.NoConvert, v.Cluster = o.noConvert, cluster
	if o.verbose > 0 {
		env.Infof("from %s to %s, format %s", v.Time(o.start, "the beginning"), v.Time(o.end, "now"), o.format)
	}
	if needsWeights(columns) || o.encoding.On() {
		if _, err := v.LoadPartitions(env, client); err != nil {
			env.Errorf("%s", cli.Reason(err))
			return 1
		}
	}
	w := bufio.NewWriterSize(env.Stdout, 1<<16)
	var data []any
	h := &held{}
	t := &table{w: &h.text, o: o, columns: columns}
	hold := func(r *record) {
		rows := o.rowsOf(v.View, r)
		switch {
		case len(rows) == 0:
		case o.encoding.On():
			h.later(r, func() error { data = append(data, recordData(v, r)); return nil })
		case o.script || o.variables:
			h.later(r, func() error { return o.printScript(env, w, client, v.ID(r.job), r) })
		default:
			h.lines(r, func() {
				for _, line := range rows {
					t.row(v, line)
				}
			})
		}
	}
	if !o.encoding.On() && !o.script && !o.variables {
		(&table{w: w, o: o, columns: columns}).header()
	}
	if o.wholeHet == "yes" {
		if err := o.addLeaders(env, client); err != nil {
			env.Errorf("%s", cli.Reason(err))
			return 1
		}
	}
	err = history(env, client, o.request(), func(r *record) error {
		if !o.wantsRecord(v.View, r) {
			return nil
		}
		if hold(r); !h.full() {
			return nil
		}
		return h.flush(w)
	})
	if err == nil {
		err = h.flush(w)
	}
	if err == nil {
		err = w.Flush()
	}
	if err == nil && o.encoding.On() {
		v.Encoding = o.encoding
		err = v.DataWith(env, show.Object{{Key: "jobs", Value: append([]any{}, data...)}})
	}
	if err != nil {
		env.Errorf("%s", cli.Reason(err))
		return 1
	}
	return 0
}

// addLeaders adds to the jobs asked for the leaders of the heterogeneous jobs
// that they are components of: their ids stand for all components.
func (o *options) addLeaders(env *cli.Env, client rinkpb.Controller) error {
	if len(o.jobs) == 0 {
		return nil
	}
	return history(env, client, o.request(), func(r *record) error {
		if id := r.job.HetID; id != 0 {
			if !slices.ContainsFunc(o.jobs, func(ref slurm.JobRef) bool { return ref.Job == id && !ref.HasStep }) {
				o.jobs = append(o.jobs, slurm.JobRef{Job: id})
			}
		}
		return nil
	})
}

// needsWeights reports whether a column tells what jobs are charged as.
func needsWeights(columns []column) bool {
	for _, c := range columns {
		if c.name == "AllocTRES" || c.name == "ReqTRES" {
			return true
		}
	}
	return false
}

// history gives each record that the controller has for a request.
func history(env *cli.Env, client rinkpb.Controller, req *rinkpb.HistoryRequest, each func(*record) error) error {
	ctx, cancel := env.Call(10 * show.CallLimit())
	defer cancel()
	stream, err := client.History(ctx, req)
	if err != nil {
		return cli.CallErr(err)
	}
	qos := map[string]uint32{}
	var before *record
	for {
		page, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return cli.CallErr(err)
		}
		for _, q := range page.Qos {
			qos[q.Name] = q.Id
		}
		for _, p := range page.Records {
			r, err := newRecord(p, req.Steps, before)
			if err != nil {
				return err
			}
			before = r
			r.qos = qos[r.job.QOS]
			if err := each(r); err != nil {
				return err
			}
		}
		if err := cli.StatusErr(page.Status); err != nil {
			return err
		}
	}
}

// printScript prints the script or the environment a job was submitted with.
func (o *options) printScript(env *cli.Env, w io.Writer, client rinkpb.Controller, id string, r *record) error {
	ctx, cancel := env.Call(show.CallLimit())
	defer cancel()
	reply, err := client.GetScript(ctx, &rinkpb.GetScriptRequest{Job: uint32(r.job.ID), Env: o.variables, Accounting: true})
	if err == nil {
		err = cli.StatusErr(reply.Status)
	}
	if err != nil && !cli.Is(err, slurm.ErrnoInvalidJobID) && !cli.Is(err, slurm.ErrnoJobScriptMissing) {
		return cli.CallErr(err)
	}
	rule := strings.Repeat("-", 80)
	if o.script {
		text := "NONE\n"
		if err == nil && len(reply.Script) > 0 {
			text = string(reply.Script)
		}
		fmt.Fprintf(w, "Batch Script for %s\n%s\n%s\n", id, rule, text)
	}
	if o.variables {
		text := "NONE\n"
		if err == nil && len(reply.Env) > 0 {
			text = strings.Join(reply.Env, "\n") + "\n"
		}
		fmt.Fprintf(w, "Environment used for %s (must be batch to display)\n%s\n%s\n", id, rule, text)
	}
	return nil
}
