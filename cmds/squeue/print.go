package squeue

import (
	"bufio"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// keep returns the row for what the options want of a job, nil for nothing.
func (o *options) keep(v *show.View, j *show.Job) *show.Job {
	if o.jobs != nil {
		if j = show.Select(j, o.jobs); j == nil {
			return nil
		}
	}
	if o.hasUsers && !slices.Contains(o.users, j.UID) || o.notMe && j.UID == o.me {
		return nil
	}
	if o.steps { // only these choose among steps, and their nodes
		if len(o.partitions) > 0 && !j.InPartition(o.partitions) {
			return nil
		}
		return j
	}
	if !o.states.Match(j.State) {
		return nil
	}
	if o.accounts != nil && !slices.Contains(o.accounts, j.Account) || len(o.names) > 0 && !slices.Contains(o.names, j.Name) ||
		o.qos != nil && !slices.Contains(o.qos, j.QOS) || len(o.partitions) > 0 && !j.InPartition(o.partitions) ||
		o.run != "" && j.Run != o.run || !o.ran.holds(j, v.Now) {
		return nil
	}
	if o.reservations != nil && !shares(o.reservations, show.Words(j.ReservationName())) ||
		len(o.licenses) > 0 && !shares(o.licenses, licenseNames(j.Spec.Licenses)) {
		return nil
	}
	if !o.onNodes(j.HeldNodes()) {
		return nil
	}
	return j
}

// onNodes reports whether one of the nodes is asked for, or none is.
func (o *options) onNodes(nodes []sched.NodeName) bool {
	return !o.hasNodes || slices.ContainsFunc(nodes, func(n sched.NodeName) bool { return slices.Contains(o.nodes, string(n)) })
}

func shares(want, have []string) bool {
	return slices.ContainsFunc(have, func(s string) bool { return slices.Contains(want, s) })
}

func licenseNames(list string) []string {
	l, err := slurm.ParseLicenses(list)
	if err != nil {
		return nil
	}
	names := make([]string, len(l.Items))
	for i, item := range l.Items {
		names[i] = item.FullName()
	}
	return names
}

// printJobs prints the table of jobs.
func printJobs(env *cli.Env, o *options, v *show.View, list []*show.Job) error {
	table, err := jobTable(env, o)
	if err != nil {
		return err
	}
	var rows []*show.Job
	for _, j := range list {
		if j = o.keep(v, j); j == nil {
			continue
		}
		if !o.perPartition || !j.IsPending() || len(j.Partitions) < 2 {
			rows = append(rows, j)
			continue
		}
		for _, p := range j.Partitions {
			one := *j
			if one.Shown = p; len(o.partitions) == 0 || one.InPartition(o.partitions) {
				rows = append(rows, &one)
			}
		}
	}
	if !o.array && !o.apart {
		rows = joinTasks(partCorresponding(v, rows))
	}
	if err := sortJobs(env, o.sort, v, rows); err != nil {
		return err
	}
	w := bufio.NewWriterSize(env.Stdout, 1<<16)
	heading(w, o, v)
	if !o.noHeader {
		table.Header(w)
	}
	for _, j := range rows {
		if !o.array {
			table.Row(w, v, j)
			continue
		}
		for one := range j.Split {
			table.Row(w, v, one)
		}
	}
	return w.Flush()
}

// joinTasks takes tasks that wait into the row of their array's others, if there
// is one: what they wait for is listed, the others' reason first.
func joinTasks(rows []*show.Job) []*show.Job {
	at := map[slurm.JobID]*show.Job{}
	for i, j := range rows {
		if j.IsRest() && j.IsPending() && j.Shown == "" && j.Rest.Len() > 1 {
			one := *j
			rows[i], at[j.ArrayID] = &one, &one
		}
	}
	if len(at) == 0 {
		return rows
	}
	return slices.DeleteFunc(rows, func(j *show.Job) bool {
		whole := at[j.ArrayID]
		if whole == nil || !j.IsTask() || !j.IsPending() || j.Shown != "" ||
			j.Name != whole.Name || j.Partition != whole.Partition {
			return false
		}
		whole.Rest = whole.Rest.Union(slurm.NewIndexSet(j.Task))
		if whole.Throttle > 0 { // which is said of tasks without records of their own alone
			record := *whole.Job
			record.Throttle, whole.Job = 0, &record
		}
		whole.AddReason(j.ReasonText())
		return true
	})
}

// splitTasks is how many tasks of an array Slurm's scheduler gives records of their own
// when each of them waits for the task of its number of another array.
const splitTasks = 10

// firstLook is how long it may take until Slurm's scheduler has had its first look.
const firstLook = time.Second

// partCorresponding shows the tasks of a small array that wait by aftercorr in a row each.
// Slurm's first look at such an array makes records of its first splitTasks tasks; where
// at most one more is left, nothing holds them together in one row any longer. Within
// firstLook of its submission it is whole, and nothing is said yet of what it waits for.
func partCorresponding(v *show.View, rows []*show.Job) []*show.Job {
	var out []*show.Job
	for i, j := range rows {
		parted := j.IsRest() && j.IsPending() && j.Rest.Len() > 1 && j.Rest.Len() <= splitTasks+1 &&
			slices.ContainsFunc(j.Deps, func(d sched.Depend) bool { return d.Type == slurm.DependAfterCorr && d.State != sched.DependFulfilled })
		if parted && out == nil {
			out = slices.Clone(rows[:i])
		}
		switch {
		case parted && v.Now.Sub(j.Submit) < firstLook:
			one, record := *j, *j.Job
			if record.Reason == slurm.ReasonDependency {
				record.Reason = slurm.ReasonNone
			}
			one.Job = &record
			out = append(out, &one)
		case parted:
			for one := range j.Split {
				out = append(out, one)
			}
		case out != nil:
			out = append(out, j)
		}
	}
	if out == nil {
		return rows
	}
	return out
}

// jobTable is the format made ready; letters and names that are no column are
// said and left out.
func jobTable(env *cli.Env, o *options) (show.Table[*show.View, *show.Job], error) {
	var table show.Table[*show.View, *show.Job]
	var unknown []string
	if o.byName {
		table, unknown = show.Names(columns(), o.format)
	} else {
		table, unknown = show.Letters(columns(), o.format)
	}
	for _, u := range unknown {
		env.Errorf("Invalid job format specification: %s", u)
	}
	return table, nil
}

// printSteps prints the table of steps.
func printSteps(env *cli.Env, o *options, v *show.View, list []*show.Job) error {
	var table show.Table[*show.View, *step]
	var unknown []string
	if o.byName {
		table, unknown = show.Names(stepColumns(), o.format)
	} else {
		table, unknown = show.Letters(stepColumns(), o.format)
	}
	for _, u := range unknown {
		env.Errorf("Invalid job step format specification: %s", u)
	}
	var rows []*step
	for _, j := range list {
		for _, one := range show.Steps(j) {
			if o.keepStep(one) && o.keep(v, j) != nil && o.onNodes(one.HeldNodes()) {
				rows = append(rows, one)
			}
		}
	}
	sortSteps(env, o.sort, v, rows)
	if o.encoding.On() {
		data := make([]any, len(rows))
		for i, s := range rows {
			data[i] = v.StepData(s)
		}
		return v.Data(env, "steps", data)
	}
	w := bufio.NewWriterSize(env.Stdout, 1<<16)
	heading(w, o, v)
	if !o.noHeader {
		table.Header(w)
	}
	for _, s := range rows {
		table.Row(w, v, s)
	}
	return w.Flush()
}

// keepStep reports whether the list of -s names the step or its job.
func (o *options) keepStep(s *step) bool {
	if len(o.stepRefs) == 0 {
		return true
	}
	for _, r := range o.stepRefs {
		if show.Select(s.Job, []slurm.JobRef{r}) != nil && (!r.HasStep || r.Step == s.ID) {
			return true
		}
	}
	return false
}

// heading is what stands over the headers: the date of a long or repeated
// listing, and the cluster when clusters were asked for by name.
func heading(w *bufio.Writer, o *options, v *show.View) {
	if o.noHeader {
		return
	}
	if o.long || o.iterate > 0 {
		fmt.Fprintln(w, v.Date())
	}
	if o.clusters != "" {
		fmt.Fprintf(w, "CLUSTER: %s\n", v.Cluster)
	}
}

// letterList and nameList are what --helpformat and --helpFormat print.
func letterList() string {
	var b strings.Builder
	for _, c := range columns() {
		if c.Letter != 0 {
			fmt.Fprintf(&b, "%%%c  %s\n", c.Letter, c.Header)
		}
	}
	return b.String()
}

func nameList() string {
	var names []string
	for _, c := range columns() {
		names = append(names, c.Names...)
	}
	slices.SortFunc(names, func(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) })
	return strings.Join(names, "\n") + "\n"
}
