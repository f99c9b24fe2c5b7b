// Package export is the verb that writes history for other programs: CSV, JSON
// lines, or the standard workload format.
package export

import (
	"bufio"
	_ "embed"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/runink/rink/api"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/efficiency"
	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

//go:embed help.txt
var helpText string

// options are what was asked for.
type options struct {
	format   string
	req      *rinkpb.HistoryRequest
	noHeader bool
	done     string
}

// fatal is a mistake after which nothing is written.
type fatal struct{ text string }

func (e *fatal) Error() string { return e.text }

func parse(env *cli.Env) (*options, error) {
	const none, must = slurm.NoArg, slurm.RequiredArg
	spec := func(short byte, arg slurm.ArgKind, names ...string) slurm.OptionSpec {
		return slurm.OptionSpec{Names: names, Short: short, Arg: arg}
	}
	o := &options{format: "csv", req: &rinkpb.HistoryRequest{AllUsers: true, Steps: true, Duplicates: true}}
	given, words, err := slurm.Getopt(env.Name, []slurm.OptionSpec{
		spec('A', must, "accounts"), spec('E', must, "endtime"), spec('f', must, "format"), spec('h', none, "help"), spec('j', must, "jobs"),
		spec('N', must, "nodelist"), spec('n', none, "noheader"), spec('q', must, "qos"), spec('r', must, "partition", "herd"), spec('S', must, "starttime"),
		spec('s', must, "state"), spec('u', must, "user"), spec('V', none, "version"),
	}, env.Args, slurm.PermuteWords)
	mistake := func(format string, args ...any) error {
		return &fatal{env.Name + ": error: " + fmt.Sprintf(format, args...)}
	}
	for _, g := range given {
		switch g.Name() {
		case "accounts":
			o.req.Accounts = append(o.req.Accounts, show.Words(g.Value)...)
		case "starttime", "endtime":
			t, err := slurm.ParseTime(g.Value, env.Now(), true)
			if err != nil {
				return nil, mistake("%v", err)
			}
			o.req.HasWindow = true
			if g.Name() == "starttime" {
				o.req.Start = t.UnixNano()
			} else {
				o.req.End = t.UnixNano()
			}
		case "format":
			if o.format = strings.ToLower(g.Value); !slices.Contains([]string{"csv", "jsonl", "swf"}, o.format) {
				return nil, mistake("cannot write %q (want csv, jsonl or swf)", g.Value)
			}
		case "help":
			o.done = helpText
			return o, nil
		case "jobs":
			refs, err := slurm.ParseJobRefs(g.Value)
			if err != nil {
				return nil, mistake("%v", err)
			}
			o.req.Refs = append(o.req.Refs, show.Refs(refs)...)
		case "nodelist":
			if _, err := slurm.ParseHostList(g.Value); err != nil {
				return nil, mistake("%v", err)
			}
			o.req.Nodes = g.Value
		case "noheader":
			o.noHeader = true
		case "qos":
			o.req.Qos = append(o.req.Qos, show.Words(g.Value)...)
		case "partition":
			o.req.Partitions = append(o.req.Partitions, show.Words(g.Value)...)
		case "state":
			for _, word := range show.Words(g.Value) {
				st, err := slurm.ParseJobState(word)
				if err != nil {
					return nil, mistake("%v", err)
				}
				o.req.States = append(o.req.States, uint32(st))
			}
		case "user":
			for _, word := range show.Words(g.Value) {
				uid, err := cli.LookupUID(word)
				if err != nil {
					return nil, mistake("Invalid user id: %s", word)
				}
				o.req.Uids, o.req.AllUsers = append(o.req.Uids, uid), false
			}
		case "version":
			o.done = cli.VersionLine() + "\n"
			return o, nil
		}
	}
	if err != nil {
		return nil, err
	}
	if len(words) > 0 {
		return nil, mistake("unknown argument %q", words[0])
	}
	if o.req.HasWindow && o.req.End == 0 {
		o.req.End = env.Now().Add(time.Second).UnixNano()
	}
	return o, nil
}

// Run is the verb; it returns the exit status.
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
		env.Errorf("%s", cli.Reason(err))
		return 1
	}
	defer client.Close()
	v := show.NewView(env)
	v.Cluster, v.NoConvert = client.Cluster, true
	parts, err := show.Partitions(env, client.Controller)
	if err != nil {
		env.Errorf("%s", cli.Reason(err))
		return 1
	}
	v.SetWeights(parts)
	out := bufio.NewWriterSize(env.Stdout, 1<<16)
	var w writer
	switch o.format {
	case "csv":
		w = &csvWriter{w: csv.NewWriter(out), noHeader: o.noHeader}
	case "jsonl":
		w = &jsonWriter{w: json.NewEncoder(out)}
	default:
		w = &swfWriter{w: out, cluster: client.Cluster, noHeader: o.noHeader}
	}
	err = stream(env, client.Controller, o.req, func(r *rinkpb.Record) error {
		e, err := newEntry(v, r)
		if err != nil {
			return err
		}
		return w.write(e)
	})
	if err == nil {
		err = w.close()
	}
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		env.Errorf("%s", cli.Reason(err))
		return 1
	}
	return 0
}

// stream gives each record of jobs that have ended.
func stream(env *cli.Env, client rinkpb.Controller, req *rinkpb.HistoryRequest, each func(*rinkpb.Record) error) error {
	ctx, cancel := env.Call(24 * time.Hour)
	defer cancel()
	pages, err := client.History(ctx, req)
	if err != nil {
		return cli.CallErr(err)
	}
	for {
		page, err := pages.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return cli.CallErr(err)
		}
		for _, r := range page.Records {
			if !slurm.JobState(r.Job.State).Ended() {
				continue
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

// entry is one job as it is written.
type entry struct {
	v    *show.View
	rec  *rinkpb.Record
	job  *show.Job
	sums efficiency.Sums
	user time.Duration
	sys  time.Duration
	all  sched.Usage // sums and the highest of its steps
}

func newEntry(v *show.View, r *rinkpb.Record) (*entry, error) {
	j, err := api.JobFromProto(r.Job)
	if err != nil {
		return nil, err
	}
	e := &entry{v: v, rec: r, job: show.NewJob(j), sums: efficiency.OfRecord(r, v.Now)}
	add := func(p *rinkpb.Usage) {
		u := api.UsageFromProto(p)
		e.user += u.UserCPU
		e.sys += u.SystemCPU
		e.all.MaxRSS = max(e.all.MaxRSS, u.MaxRSS)
		e.all.MaxVMSize = max(e.all.MaxVMSize, u.MaxVMSize)
		e.all.ReadBytes += u.ReadBytes
		e.all.WriteBytes += u.WriteBytes
		e.all.PagesMajor += u.PagesMajor
		e.all.Energy += u.Energy
	}
	add(r.Batch)
	for _, s := range r.Steps {
		add(s.Usage)
	}
	return e, nil
}

func (e *entry) state() string {
	st := e.job.State.Base()
	switch {
	case st == slurm.JobCancelled && e.rec.Requeued:
		return "REQUEUED"
	case st == slurm.JobCancelled:
		return fmt.Sprintf("%s by %d", st, e.job.KilledBy)
	}
	return st.String()
}

// moment is a time as sacct prints it, so that what is written can be read in
// again; "Unknown" when it never came.
func (e *entry) moment(t time.Time) string {
	if t.IsZero() {
		return "Unknown"
	}
	return t.In(e.v.Now.Location()).Format("2006-01-02T15:04:05")
}

// column is one of a file's: its name, which is sacct's, and its value.
type column struct {
	name  string
	value func(*entry) any
}

// columns are those of CSV and JSON lines.
func columns() []column {
	secs := func(d time.Duration) any { return int64(d / time.Second) }
	return []column{
		{"Cluster", func(e *entry) any { return show.Or(e.rec.Cluster, e.v.Cluster) }},
		{"JobIDRaw", func(e *entry) any { return int64(e.job.ID) }},
		{"JobID", func(e *entry) any { return e.v.ID(e.job) }},
		{"JobName", func(e *entry) any { return e.job.Name }},
		{"User", func(e *entry) any { return e.job.User }},
		{"UID", func(e *entry) any { return int64(e.job.UID) }},
		{"Group", func(e *entry) any { return e.job.Group }},
		{"GID", func(e *entry) any { return int64(e.job.GID) }},
		{"Account", func(e *entry) any { return e.job.Account }},
		{"Partition", func(e *entry) any { return e.job.PartitionText() }},
		{"QOS", func(e *entry) any { return e.job.QOS }},
		{"WCKey", func(e *entry) any { return e.job.Spec.WCKey }},
		{"Reservation", func(e *entry) any { return e.job.Spec.Reservation }},
		{"Constraints", func(e *entry) any { return e.job.Spec.Constraint }},
		{"State", func(e *entry) any { return e.state() }},
		{"ExitCode", func(e *entry) any { return show.ExitCode(e.job.ExitCode) }},
		{"DerivedExitCode", func(e *entry) any { return show.ExitCode(e.job.DerivedExit) }},
		{"Restarts", func(e *entry) any { return int64(e.job.Restarts) }},
		{"Submit", func(e *entry) any { return e.moment(e.job.Submit) }},
		{"Eligible", func(e *entry) any { return e.moment(e.job.Eligible) }},
		{"Start", func(e *entry) any { return e.moment(e.job.Start) }},
		{"End", func(e *entry) any { return e.moment(e.job.End) }},
		{"Suspended", func(e *entry) any { return efficiency.Clock(e.job.SuspendedFor) }},
		{"ElapsedRaw", func(e *entry) any { return secs(e.sums.Wall) }},
		{"Timelimit", func(e *entry) any { return e.job.TimeLimit.String() }},
		{"NNodes", func(e *entry) any { return max(len(e.job.Alloc), 1) }},
		{"NCPUS", func(e *entry) any { return e.sums.CPUs }},
		{"ReqCPUS", func(e *entry) any { return max(1, e.job.Need.CPUs) }},
		{"ReqTRES", func(e *entry) any { return e.v.Requested(e.job).ByName(true) }},
		{"AllocTRES", func(e *entry) any {
			t := e.v.Allocated(e.job)
			if e.rec.Billing > 0 && len(t) > 0 {
				t = t.With("billing", e.rec.Billing)
			}
			return t.ByName(true)
		}},
		{"NodeList", func(e *entry) any { return show.Or(show.CompressNodes(e.job.Nodes()), "None assigned") }},
		{"Priority", func(e *entry) any { return int64(e.job.Priority) }},
		{"UserCPU", func(e *entry) any { return fine(e.user) }},
		{"SystemCPU", func(e *entry) any { return fine(e.sys) }},
		{"MaxRSS", func(e *entry) any { return e.all.MaxRSS }},
		{"MaxVMSize", func(e *entry) any { return e.all.MaxVMSize }},
		{"DiskRead", func(e *entry) any { return e.all.ReadBytes }},
		{"DiskWrite", func(e *entry) any { return e.all.WriteBytes }},
		{"ConsumedEnergyRaw", func(e *entry) any { return e.all.Energy }},
		{"WorkDir", func(e *entry) any { return e.job.WorkDir }},
		{"SubmitLine", func(e *entry) any { return e.job.SubmitLine }},
		{"Comment", func(e *entry) any { return e.job.Spec.Comment }},
	}
}

// fine is a span of CPU time to the millisecond, as sacct has it.
func fine(d time.Duration) string {
	s := efficiency.Clock(d)
	return fmt.Sprintf("%s.%03d", s, d%time.Second/time.Millisecond)
}

// writer writes one form.
type writer interface {
	write(*entry) error
	close() error
}

type csvWriter struct {
	w        *csv.Writer
	noHeader bool
	begun    bool
	columns  []column
}

func (c *csvWriter) begin() error {
	if c.begun {
		return nil
	}
	c.begun, c.columns = true, columns()
	if c.noHeader {
		return nil
	}
	var names []string
	for _, col := range c.columns {
		names = append(names, col.name)
	}
	return c.w.Write(names)
}

func (c *csvWriter) write(e *entry) error {
	if err := c.begin(); err != nil {
		return err
	}
	row := make([]string, len(c.columns))
	for i, col := range c.columns {
		row[i] = fmt.Sprint(col.value(e))
	}
	return c.w.Write(row)
}

func (c *csvWriter) close() error {
	if err := c.begin(); err != nil {
		return err
	}
	c.w.Flush()
	return c.w.Error()
}

type jsonWriter struct{ w *json.Encoder }

func (j *jsonWriter) write(e *entry) error {
	var o show.Object
	for _, col := range columns() {
		o = append(o, show.Member{Key: col.name, Value: col.value(e)})
	}
	return j.w.Encode(o)
}

func (j *jsonWriter) close() error { return nil }

// swfWriter writes the standard workload format, version 2.2. Jobs are to be in
// the order of their submission, and the first to be submitted is the beginning
// of time: they are put in order before they are written, as many as can be
// held; of more, the rest follows as it comes.
type swfWriter struct {
	w                           *bufio.Writer
	cluster                     string
	noHeader                    bool
	rows                        []swfRow
	base                        int64
	begun                       bool
	n                           int64
	users, groups, queues, apps map[string]int64
}

type swfRow [18]int64

// swfAtMost bounds the rows held: some 150 MB.
const swfAtMost = 1_000_000

// number gives names numbers, from 1 in the order in which they come.
func number(m *map[string]int64, name string) int64 {
	if name == "" {
		return -1
	}
	if *m == nil {
		*m = map[string]int64{}
	}
	n, ok := (*m)[name]
	if !ok {
		n = int64(len(*m)) + 1
		(*m)[name] = n
	}
	return n
}

func (s *swfWriter) write(e *entry) error {
	j := e.job
	nothing := func(n int64) int64 {
		if n == 0 {
			return -1
		}
		return n
	}
	row := swfRow{0, j.Submit.Unix(), -1, -1, nothing(e.sums.CPUs), -1, -1, int64(max(1, j.Need.CPUs)), -1, -1, 0}
	if !j.Start.IsZero() {
		row[2], row[3] = max(0, j.Start.Unix()-j.Submit.Unix()), int64(e.sums.Wall/time.Second)
		if e.sums.CPUs > 0 && e.sums.CPUUsed > 0 {
			row[5] = int64(e.sums.CPUUsed/time.Second) / e.sums.CPUs
			row[6] = e.sums.MemUsed >> 10 / e.sums.CPUs
		}
	} else {
		row[2] = max(0, j.End.Unix()-j.Submit.Unix())
	}
	if e.sums.Limit > 0 {
		row[8] = int64(e.sums.Limit / time.Second)
	}
	if mb, ok := e.v.Requested(j).Get("mem"); ok {
		row[9] = mb << 10 / int64(max(1, j.Need.CPUs))
	}
	switch j.State.Base() {
	case slurm.JobCompleted:
		row[10] = 1
	case slurm.JobCancelled:
		row[10] = 5
	}
	row[11], row[12], row[13] = number(&s.users, strconv.FormatUint(uint64(j.UID), 10)), number(&s.groups, strconv.FormatUint(uint64(j.GID), 10)), number(&s.apps, j.Name)
	row[14], row[15], row[16], row[17] = number(&s.queues, string(j.Partition)), 1, -1, -1
	if s.rows = append(s.rows, row); len(s.rows) == swfAtMost {
		return s.flush()
	}
	return nil
}

func (s *swfWriter) flush() error {
	slices.SortStableFunc(s.rows, func(a, b swfRow) int { return int(a[1] - b[1]) })
	if !s.begun {
		s.begun = true
		if len(s.rows) > 0 {
			s.base = s.rows[0][1]
		}
		if !s.noHeader {
			fmt.Fprintf(s.w, "; Version: 2.2\n; Computer: %s\n; Acknowledge: written by rink export\n; UnixStartTime: %d\n; TimeZoneString: UTC\n; Note: memory and CPU time are per processor\n",
				s.cluster, s.base)
		}
	}
	for _, row := range s.rows {
		s.n++
		row[0], row[1] = s.n, max(0, row[1]-s.base)
		for i, n := range row {
			if i > 0 {
				s.w.WriteByte(' ')
			}
			s.w.WriteString(strconv.FormatInt(n, 10))
		}
		if err := s.w.WriteByte('\n'); err != nil {
			return err
		}
	}
	s.rows = s.rows[:0]
	return nil
}

func (s *swfWriter) close() error {
	if err := s.flush(); err != nil {
		return err
	}
	if s.noHeader {
		return nil
	}
	queues := make([]string, len(s.queues))
	for name, n := range s.queues {
		queues[n-1] = name
	}
	for i, name := range queues {
		fmt.Fprintf(s.w, "; Queue: %d %s\n", i+1, name)
	}
	return nil
}
