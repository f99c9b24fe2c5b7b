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
	if o.clusters != "" {
		if other := show.Cluster(o.clusters, client.Cluster); other != "" {
			env.Errorf("No cluster '%s' known by database.", other)
			return 1
		}
	}
	return list(env, o, client.ControllerClient, client.Cluster)
}

// sortAtMost is how many records are put in order before they are printed.
const sortAtMost = 200_000

// list asks the controller and prints what it says. Records come by their plain
// ids; they are printed by those that users see, which keeps the tasks of an
// array together. Of more than can be held at once, the rest is printed as it
// comes.
func list(env *cli.Env, o *options, client rinkpb.ControllerClient, cluster string) int {
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
	if needsWeights(columns) || o.encoding != "" {
		parts, err := show.Partitions(env, client)
		if err != nil {
			env.Errorf("%s", cli.Reason(err))
			return 1
		}
		v.SetWeights(parts)
	}
	w := bufio.NewWriterSize(env.Stdout, 1<<16)
	t := &table{w: w, o: o, columns: columns}
	var data []any
	one := func(r *record) error {
		rows := o.rowsOf(v.View, r)
		switch {
		case o.encoding != "":
			if len(rows) > 0 {
				data = append(data, recordData(v, r))
			}
		case o.script || o.variables:
			if len(rows) > 0 {
				return o.printScript(env, w, client, r)
			}
		default:
			for _, line := range rows {
				t.row(v, line)
			}
		}
		return nil
	}
	if o.encoding == "" && !o.script && !o.variables {
		t.header()
	}
	var held []*record
	flush := func() error {
		slices.SortStableFunc(held, func(a, b *record) int { return show.CompareID(a.job, b.job) })
		for _, r := range held {
			if err := one(r); err != nil {
				return err
			}
		}
		held = held[:0]
		return nil
	}
	err = history(env, client, o.request(), func(r *record) error {
		if !o.wantsRecord(v.View, r) {
			return nil
		}
		if held = append(held, r); len(held) < sortAtMost {
			return nil
		}
		return flush()
	})
	if err == nil {
		err = flush()
	}
	if err == nil {
		err = w.Flush()
	}
	if err == nil && o.encoding != "" {
		err = v.Data(env, o.encoding, "jobs", append([]any{}, data...))
	}
	if err != nil {
		env.Errorf("%s", cli.Reason(err))
		return 1
	}
	return 0
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
func history(env *cli.Env, client rinkpb.ControllerClient, req *rinkpb.HistoryRequest, each func(*record) error) error {
	ctx, cancel := env.Call(10 * show.CallLimit())
	defer cancel()
	stream, err := client.History(ctx, req)
	if err != nil {
		return cli.CallErr(err)
	}
	for {
		page, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return cli.CallErr(err)
		}
		for _, p := range page.Records {
			r, err := newRecord(p)
			if err != nil {
				return err
			}
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
func (o *options) printScript(env *cli.Env, w io.Writer, client rinkpb.ControllerClient, r *record) error {
	ctx, cancel := env.Call(show.CallLimit())
	defer cancel()
	reply, err := client.GetScript(ctx, &rinkpb.GetScriptRequest{Job: uint32(r.job.ID), Env: o.variables})
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
		fmt.Fprintf(w, "Batch Script for %d\n%s\n%s\n", r.job.ID, rule, text)
	}
	if o.variables {
		text := "NONE\n"
		if err == nil && len(reply.Env) > 0 {
			text = strings.Join(reply.Env, "\n") + "\n"
		}
		fmt.Fprintf(w, "Environment used for %d (must be batch to display)\n%s\n%s\n", r.job.ID, rule, text)
	}
	return nil
}

// recordData is everything known of a record.
func recordData(v *view, r *record) show.Object {
	one := &row{record: r}
	user, system := one.cpuTime()
	start, end := one.span(v.o)
	job := v.JobData(r.job)
	steps := make([]any, len(r.steps))
	for i, s := range r.steps {
		step := &row{record: r, step: s}
		u, sys := step.cpuTime()
		steps[i] = show.Object{
			{Key: "step", Value: show.Object{{Key: "id", Value: step.id(v.View, true)}, {Key: "name", Value: s.Name}}},
			{Key: "state", Value: s.State.Names()}, {Key: "exit_code", Value: show.ExitData(s.ExitCode)},
			{Key: "time", Value: show.Object{
				{Key: "elapsed", Value: int64(step.elapsed(v))}, {Key: "start", Value: show.Stamp(s.Start)}, {Key: "end", Value: show.Stamp(s.End)},
				{Key: "user", Value: seconds(u)}, {Key: "system", Value: seconds(sys)}, {Key: "total", Value: seconds(u + sys)}}},
			{Key: "nodes", Value: show.CompressNodes(step.nodes())}, {Key: "tasks", Value: s.Tasks},
			{Key: "statistics", Value: show.Object{{Key: "max_rss", Value: s.Usage.MaxRSS}, {Key: "max_vm_size", Value: s.Usage.MaxVMSize},
				{Key: "read_bytes", Value: s.Usage.ReadBytes}, {Key: "written_bytes", Value: s.Usage.WriteBytes}}},
			{Key: "tres", Value: step.held(v).String()},
		}
	}
	var out show.Object
	for _, m := range job {
		switch m.Key {
		case "steps", "job_state", "exit_code":
		default:
			out = append(out, m)
		}
	}
	return append(out,
		show.Member{Key: "state", Value: show.Object{{Key: "current", Value: []string{r.job.State.Base().String()}}, {Key: "reason", Value: r.job.ReasonText()}}},
		show.Member{Key: "exit_code", Value: show.ExitData(one.exitCode())},
		show.Member{Key: "time", Value: show.Object{
			{Key: "elapsed", Value: int64(one.elapsed(v))}, {Key: "eligible", Value: show.Stamp(r.job.Eligible)}, {Key: "submission", Value: show.Stamp(r.job.Submit)},
			{Key: "start", Value: show.Stamp(start)}, {Key: "end", Value: show.Stamp(end)}, {Key: "planned", Value: int64(one.planned(v))},
			{Key: "suspended", Value: int64(one.suspended(v))}, {Key: "limit", Value: show.Minutes(r.job.TimeLimit)},
			{Key: "user", Value: seconds(user)}, {Key: "system", Value: seconds(system)}, {Key: "total", Value: seconds(user + system)}}},
		show.Member{Key: "steps", Value: steps},
	)
}
