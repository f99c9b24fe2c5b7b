package sacct

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/slurm"
)

// column is a field as the format asks for it.
type column struct {
	field
	width int
	left  bool
}

// columnsOf reads a format; ALL is every field.
func columnsOf(env *cli.Env, format string) ([]column, error) {
	list := fields()
	asked, err := slurm.ParseAcctFields(format)
	if err != nil {
		return nil, mistake(env, "Invalid field requested: \"%s\"", format)
	}
	var out []column
	// A field has one width: one given anywhere holds for all columns of it.
	type shape struct {
		width int
		left  bool
	}
	shapes := map[string]shape{}
	for _, a := range asked {
		if strings.EqualFold(a.Name, "all") {
			for _, f := range list {
				out = append(out, column{f, f.width, f.left})
			}
			continue
		}
		f, ok := find(list, a.Name)
		if left, found := strings.CutSuffix(strings.ToLower(a.Name), "gres"); found && !ok && (left == "alloc" || left == "req") {
			name := strings.ToUpper(left[:1]) + left[1:]
			return nil, &fatal{env.Name + ": fatal: " + name + "GRES has been removed, please use " + name + "TRES"}
		}
		if !ok {
			return nil, mistake(env, "Invalid field requested: \"%s\"", a.Name)
		}
		if a.Width > 0 {
			shapes[f.name] = shape{a.Width, a.Left}
		}
		out = append(out, column{f, f.width, f.left})
	}
	for i := range out {
		if s, ok := shapes[out[i].name]; ok {
			out[i].width, out[i].left = s.width, s.left
		}
	}
	return out, nil
}

// wantsRecord reports whether a record is one of those asked for; what the
// controller was asked to look for it has looked for.
func (o *options) wantsRecord(v *show.View, r *record) bool {
	j := r.job
	rows := &row{record: r}
	if !o.ncpus.holds(rows.allocCPUs()) || !o.nnodes.holds(len(j.Nodes())) {
		return false
	}
	if o.limitMin > 0 && (j.TimeLimit < o.limitMin || o.limitMax > 0 && j.TimeLimit > o.limitMax || o.limitMax == 0 && j.TimeLimit != o.limitMin) {
		return false
	}
	if len(o.constraints) > 0 && !slices.ContainsFunc(o.constraints, func(c string) bool { return hasFeature(j.Spec.Constraint, c) }) {
		return false
	}
	if len(o.flags) > 0 && !slices.ContainsFunc(o.flags, func(f string) bool {
		return slices.ContainsFunc(strings.Split(flags(j), ","), func(has string) bool { return strings.EqualFold(f, has) })
	}) {
		return false
	}
	if len(o.reasons) > 0 && !slices.ContainsFunc(o.reasons, func(s string) bool { return strings.EqualFold(s, j.Reason.String()) }) {
		return false
	}
	if len(o.assocs) > 0 && !slices.Contains(o.assocs, j.AssocID) {
		return false
	}
	return len(o.wckeys) == 0 || slices.Contains(o.wckeys, j.Spec.WCKey)
}

func hasFeature(constraint, feature string) bool {
	tree, err := slurm.ParseConstraint(constraint)
	return err == nil && names(&tree, feature)
}

func names(c *slurm.Constraint, feature string) bool {
	return c.Name == feature || slices.ContainsFunc(c.Kids, func(kid slurm.Constraint) bool { return names(&kid, feature) })
}

// rowsOf are the lines of a record: the job and its steps, or of them only what
// was asked for.
func (o *options) rowsOf(v *show.View, r *record) []*row {
	wantsJob, whole, steps := o.named(r)
	if !whole && !wantsJob && len(steps) == 0 {
		return nil
	}
	if len(o.jobs) > 0 {
		if r = o.narrowed(r); r == nil {
			return nil
		}
	}
	var out []*row
	for one := range o.split(r) {
		if wantsJob {
			out = append(out, &row{record: one})
		}
		if o.allocations {
			continue
		}
		for _, s := range one.steps {
			if whole || slices.Contains(steps, s.ID) {
				out = append(out, &row{record: one, step: s})
			}
		}
	}
	return out
}

// named says what of a record the list of jobs names: the job's own line, all
// steps, or some of them.
func (o *options) named(r *record) (job, whole bool, steps []slurm.StepID) {
	if len(o.jobs) == 0 {
		return true, true, nil
	}
	for _, ref := range o.jobs {
		if !o.refers(ref, r.job) {
			continue
		}
		if ref.HasStep {
			steps = append(steps, ref.Step)
		} else {
			job, whole = true, true
		}
	}
	return job, whole, steps
}

func (o *options) refers(ref slurm.JobRef, j *show.Job) bool {
	if o.wholeHet == "no" && ref.Part != slurm.RefComponent && j.HetID == ref.Job && j.HetID != 0 && j.ID != ref.Job {
		return false // the leader alone
	}
	return refers(ref, j)
}

func refers(ref slurm.JobRef, j *show.Job) bool { return show.Select(j, []slurm.JobRef{ref}) != nil }

// narrowed is the record with only those of the tasks it stands for that are
// named.
func (o *options) narrowed(r *record) *record {
	one := *r
	if one.job = show.Select(r.job, o.jobs); one.job == nil {
		return nil
	}
	return &one
}

// split yields the record, or with --array one for each task it stands for.
func (o *options) split(r *record) func(func(*record) bool) {
	return func(yield func(*record) bool) {
		if !o.expand {
			yield(r)
			return
		}
		for j := range r.job.Split {
			one := *r
			one.job = j
			if !yield(&one) {
				return
			}
		}
	}
}

// writer is what lines are written to, a piece at a time.
type writer interface {
	io.StringWriter
	io.ByteWriter
}

// table prints rows as they come.
type table struct {
	w       writer
	o       *options
	columns []column
}

// pad prints a value in the column; names of columns are text.
func (c *column) pad(value string) string {
	if value == c.name {
		return slurm.PadAcct(value, c.width, c.left)
	}
	return c.kind.Pad(value, c.width, c.left)
}

func (t *table) header() {
	if t.o.noHeader {
		return
	}
	t.line(func(c *column) string {
		if t.o.parsable == 0 && len(c.name) > c.width {
			return c.name[:c.width] // cut, without the + that values get
		}
		return c.name
	})
	if t.o.parsable == 0 {
		for _, c := range t.columns {
			for range c.width {
				t.w.WriteByte('-')
			}
			t.w.WriteByte(' ')
		}
		t.w.WriteByte('\n')
	}
}

func (t *table) row(v *view, r *row) {
	t.line(func(c *column) string { return c.value(v, r) })
}

func (t *table) line(value func(*column) string) {
	for i := range t.columns {
		c := &t.columns[i]
		switch s := value(c); t.o.parsable {
		case 1:
			t.w.WriteString(s)
			t.w.WriteString(t.o.delimiter)
		case 2:
			if i > 0 {
				t.w.WriteString(t.o.delimiter)
			}
			t.w.WriteString(s)
		default:
			t.w.WriteString(c.pad(s))
			t.w.WriteByte(' ')
		}
	}
	t.w.WriteByte('\n')
}

// fieldTable is what --helpformat prints: the names of all fields, four a line.
func fieldTable() string {
	var b strings.Builder
	list := fields()
	for i, f := range list {
		fmt.Fprintf(&b, "%-19s", f.name)
		if i%4 == 3 || i == len(list)-1 {
			b.WriteByte('\n')
		} else {
			b.WriteByte(' ')
		}
	}
	return b.String()
}

// reasonList is what --helpreason prints.
func reasonList() string {
	var b strings.Builder
	for r := slurm.Reason(0); ; r++ {
		text, err := r.MarshalText()
		if err != nil {
			return b.String()
		}
		b.Write(append(text, '\n'))
	}
}

// request is what the controller is asked for.
func (o *options) request() *rinkpb.HistoryRequest {
	req := &rinkpb.HistoryRequest{
		Uids: o.users, AllUsers: len(o.users) == 0, Gids: o.groups, Names: o.names, Accounts: o.accounts, Partitions: o.partitions, Qos: o.qos,
		Nodes: o.nodes, Duplicates: o.duplicates, Steps: o.needsSteps(),
	}
	for _, s := range o.states {
		req.States = append(req.States, uint32(s))
	}
	seen := map[string]bool{}
	for _, ref := range o.jobs {
		ref.HasStep, ref.Step = false, 0
		if key := ref.String(); !seen[key] {
			seen[key] = true
			req.Refs = append(req.Refs, show.Refs([]slurm.JobRef{ref})...)
		}
	}
	if o.hasStart || o.hasEnd || !o.hasJobs {
		req.HasWindow = true
		if !o.start.IsZero() {
			req.Start = o.start.UnixNano()
		}
		// The window ends before its last moment: what is of the present second is
		// within now.
		end := o.end
		if !o.hasEnd {
			end = end.Add(time.Second)
		}
		req.End = end.UnixNano()
	}
	return req
}

// needsSteps reports whether steps are printed, or needed for what is printed of
// jobs.
func (o *options) needsSteps() bool {
	if !o.allocations || o.encoding.On() {
		return true
	}
	asked, _ := slurm.ParseAcctFields(o.format)
	list := fields()
	return slices.ContainsFunc(asked, func(a slurm.AcctField) bool {
		f, _ := find(list, a.Name)
		return strings.EqualFold(a.Name, "all") || f.name == "TotalCPU" || f.name == "UserCPU" || f.name == "SystemCPU"
	})
}
