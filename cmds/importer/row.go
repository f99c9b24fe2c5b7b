package importer

import (
	"encoding/csv"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/runink/rink/api"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// table is what a header says of the lines below it.
type table struct {
	delimiter string
	at        map[string]int // by the name in small letters
	ids       ids
	zone      *time.Location
}

// newTable reads a header. Without a delimiter given it is the one that stands
// behind the first name.
func newTable(head, delimiter string) (*table, error) {
	if delimiter == "" {
		i := strings.IndexFunc(head, func(r rune) bool {
			return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_')
		})
		if i < 0 {
			return nil, fmt.Errorf("it is no header of sacct -P: %q", head)
		}
		delimiter = head[i : i+1]
	}
	t := &table{delimiter: delimiter, at: map[string]int{}}
	names, err := t.split(head)
	if err != nil {
		return nil, err
	}
	for i, name := range names {
		if name = strings.ToLower(strings.TrimSpace(name)); name == "" {
			continue
		}
		if _, twice := t.at[name]; !twice {
			t.at[name] = i
		}
	}
	var missing []string
	need := func(words ...string) {
		if !slices.ContainsFunc(words, func(w string) bool { _, ok := t.at[strings.ToLower(w)]; return ok }) {
			missing = append(missing, strings.Join(words, " or "))
		}
	}
	need("JobIDRaw", "JobID")
	need("Submit")
	need("Start")
	need("End", "ElapsedRaw", "Elapsed")
	need("State")
	need("User", "UID")
	need("NCPUS", "AllocCPUS", "AllocTRES")
	if len(missing) > 0 {
		return nil, fmt.Errorf("the header lacks %s", strings.Join(missing, ", "))
	}
	return t, nil
}

// split parts a line. Commas may be quoted, as CSV has it; other delimiters are
// never part of a value.
func (t *table) split(line string) ([]string, error) {
	if t.delimiter != "," {
		return strings.Split(line, t.delimiter), nil
	}
	return csv.NewReader(strings.NewReader(line)).Read()
}

// row is one line.
type row struct {
	t      *table
	values []string
}

func (t *table) row(line string) (*row, error) {
	values, err := t.split(line)
	if err != nil {
		return nil, err
	}
	if most := len(t.at); len(values) < most {
		return nil, fmt.Errorf("it has %d values for %d columns", len(values), most)
	}
	return &row{t, values}, nil
}

// get returns the value of the first of these columns that is there and filled.
func (r *row) get(names ...string) string {
	for _, name := range names {
		if i, ok := r.t.at[strings.ToLower(name)]; ok && i < len(r.values) {
			if v := strings.TrimSpace(r.values[i]); v != "" {
				return v
			}
		}
	}
	return ""
}

func (r *row) id() string      { return r.get("JobIDRaw", "JobID") }
func (r *row) isStep() bool    { return strings.Contains(r.id(), ".") }
func (r *row) jobPart() string { job, _, _ := strings.Cut(r.id(), "."); return job }

// record makes a record of a job's line; nil when the job has not ended.
func (r *row) record() (*rinkpb.Record, error) {
	state, cancelledBy, err := readState(r.get("State"))
	if err != nil {
		return nil, err
	}
	if !state.Ended() {
		return nil, nil
	}
	j := &sched.Job{
		Spec: &slurm.JobOptions{}, State: state, KilledBy: cancelledBy, User: r.get("User"), Group: r.get("Group"), Account: r.get("Account"), QOS: r.get("QOS"),
		Name: r.get("JobName"), WorkDir: r.get("WorkDir"), SubmitLine: r.get("SubmitLine"), ReasonText: "", AdminComment: r.get("AdminComment"),
		SystemComment: r.get("SystemComment"),
	}
	j.Spec.Name, j.Spec.WorkDir, j.Spec.WCKey, j.Spec.Reservation = j.Name, j.WorkDir, strings.TrimPrefix(r.get("WCKey"), "*"), r.get("Reservation")
	j.Spec.Constraint, j.Spec.Comment = r.get("Constraints"), r.get("Comment")
	j.Resv = r.get("Reservation")
	if reason, err := slurm.ParseReason(r.get("Reason")); err == nil {
		j.WaitedFor = reason
	}
	if n, err := strconv.ParseUint(r.get("ReservationId"), 10, 32); err == nil {
		j.ResvID = uint32(n)
	}
	if strings.Contains(r.get("Flags"), "SchedBackfill") {
		j.Scheduler = "Backfill"
	}
	if err := r.identify(j); err != nil {
		return nil, err
	}
	for i, word := range strings.Split(r.get("Partition"), ",") {
		if i == 0 {
			j.Partition = sched.PartitionName(word)
		}
		j.Partitions = append(j.Partitions, sched.PartitionName(word))
	}
	if err := r.owners(j); err != nil {
		return nil, err
	}
	if err := r.times(j); err != nil {
		return nil, err
	}
	if err := r.exits(j); err != nil {
		return nil, err
	}
	billing, err := r.amounts(j)
	if err != nil {
		return nil, err
	}
	rec := &rinkpb.Record{Job: api.JobToProto(j), Imported: true, Billing: billing, Requeued: strings.HasPrefix(r.get("State"), "REQUEUED")}
	rec.Batch, err = r.usage()
	if err != nil {
		return nil, err
	}
	return rec, nil
}

// readState reads a state as sacct prints it: "CANCELLED by 1000". Without a user
// nobody in particular did it.
func readState(text string) (slurm.JobState, uint32, error) {
	word, rest, _ := strings.Cut(text, " ")
	word = strings.TrimSuffix(word, "+")
	if word == "REQUEUED" || word == "REVOKED" {
		return slurm.JobCancelled, 0, nil
	}
	state, err := slurm.ParseJobState(word)
	if err != nil {
		return 0, 0, fmt.Errorf("state %q: %w", text, err)
	}
	by, err := strconv.ParseUint(strings.TrimPrefix(rest, "by "), 10, 32)
	if err != nil {
		return state.Base(), sched.KilledByNobody, nil
	}
	return state.Base(), uint32(by), nil
}

// identify reads the ids: the raw one, and what it is part of.
func (r *row) identify(j *sched.Job) error {
	raw, shown := r.get("JobIDRaw"), r.get("JobID")
	if shown == "" {
		shown = raw
	}
	base := shown
	var part string
	array, het := false, false
	if i := strings.IndexAny(shown, "_+"); i >= 0 {
		base, part = shown[:i], shown[i+1:]
		array, het = shown[i] == '_', shown[i] == '+'
	}
	first, err := strconv.ParseUint(base, 10, 32)
	if err != nil || first == 0 {
		return fmt.Errorf("%q is no job id", shown)
	}
	id := first
	if raw != "" && !strings.ContainsAny(raw, "_+") {
		if id, err = strconv.ParseUint(raw, 10, 32); err != nil || id == 0 {
			return fmt.Errorf("%q is no job id", raw)
		}
	} else if part != "" && (het && part != "0" || array && !strings.HasPrefix(part, "[")) {
		return fmt.Errorf("job %s cannot be told from others of its kind without the column JobIDRaw", shown)
	}
	j.ID = slurm.JobID(id)
	switch {
	case array:
		j.ArrayID = slurm.JobID(first)
		if list, ok := strings.CutPrefix(part, "["); ok {
			list, _, _ = strings.Cut(strings.TrimSuffix(list, "]"), "%")
			set, err := slurm.ParseIndexSet(list, 1<<32-2)
			if err != nil {
				return fmt.Errorf("tasks of %q: %w", shown, err)
			}
			j.Tasks = set
			break
		}
		n, err := strconv.ParseUint(part, 10, 32)
		if err != nil {
			return fmt.Errorf("%q is no job id", shown)
		}
		j.TaskID = uint32(n)
	case het:
		n, err := strconv.ParseUint(part, 10, 31)
		if err != nil {
			return fmt.Errorf("%q is no job id", shown)
		}
		j.HetID, j.HetOffset = slurm.JobID(first), int(n)
	}
	return nil
}

func (r *row) owners(j *sched.Job) error {
	for _, one := range []struct {
		column, name string
		to           *uint32
		find         func(string) uint32
	}{{"UID", j.User, &j.UID, r.t.ids.user}, {"GID", j.Group, &j.GID, r.t.ids.group}} {
		if text := r.get(one.column); text != "" {
			n, err := strconv.ParseUint(text, 10, 32)
			if err != nil {
				return fmt.Errorf("%s %q is no number", one.column, text)
			}
			*one.to = uint32(n)
		} else if one.name != "" {
			*one.to = one.find(one.name)
		}
	}
	if j.User == "" {
		j.User = r.get("UID")
	}
	return nil
}

// moment reads a time as sacct prints it, or seconds since the epoch.
func moment(text string, zone *time.Location) (time.Time, error) {
	switch text {
	case "", "Unknown", "None", "N/A", "0":
		return time.Time{}, nil
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return time.Unix(n, 0), nil
	}
	t, err := time.ParseInLocation("2006-01-02T15:04:05", text, zone)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is no time (want YYYY-MM-DDTHH:MM:SS)", text)
	}
	return t, nil
}

func (r *row) times(j *sched.Job) error {
	for _, one := range []struct {
		column string
		to     *time.Time
	}{{"Submit", &j.Submit}, {"Eligible", &j.Eligible}, {"Start", &j.Start}, {"End", &j.End}} {
		t, err := moment(r.get(one.column), r.t.zone)
		if err != nil {
			return fmt.Errorf("%s: %w", one.column, err)
		}
		*one.to = t
	}
	span := func(column string) (time.Duration, error) {
		text := r.get(column)
		if text == "" {
			return 0, nil
		}
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return time.Duration(n) * time.Second, nil
		}
		d, err := cpuTime(text)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", column, err)
		}
		return d, nil
	}
	elapsed, err := span("ElapsedRaw")
	if err == nil && elapsed == 0 {
		elapsed, err = span("Elapsed")
	}
	if err != nil {
		return err
	}
	if j.SuspendedFor, err = span("Suspended"); err != nil {
		return err
	}
	switch {
	case j.Submit.IsZero():
		return fmt.Errorf("it has no time of submission")
	case j.End.IsZero() && j.Start.IsZero():
		j.End = j.Submit
	case j.End.IsZero():
		j.End = j.Start.Add(elapsed + j.SuspendedFor)
	}
	if j.Eligible.IsZero() && !j.Start.IsZero() {
		j.Eligible = j.Submit
	}
	if j.End.Before(j.Start) {
		return fmt.Errorf("it ended (%s) before it began (%s)", r.get("End"), r.get("Start"))
	}
	if j.SuspendedFor > 0 {
		j.Suspended = j.Start
	}
	switch text := r.get("Timelimit", "TimelimitRaw"); text {
	case "", "Partition_Limit":
	case "UNLIMITED":
		j.TimeLimit = slurm.Unlimited
	default:
		d, err := slurm.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("Timelimit: %w", err)
		}
		j.TimeLimit = d
	}
	return nil
}

func (r *row) exits(j *sched.Job) error {
	for _, one := range []struct {
		column string
		to     *sched.ExitCode
	}{{"ExitCode", &j.ExitCode}, {"DerivedExitCode", &j.DerivedExit}} {
		text := r.get(one.column)
		if text == "" {
			continue
		}
		code, signal, _ := strings.Cut(text, ":")
		a, err := strconv.ParseUint(code, 10, 8)
		if err != nil {
			return fmt.Errorf("%s %q: want code:signal", one.column, text)
		}
		b, err := strconv.ParseUint(signal, 10, 8)
		if err != nil && signal != "" {
			return fmt.Errorf("%s %q: want code:signal", one.column, text)
		}
		*one.to = sched.ExitCode{Code: uint8(a), Signal: uint8(b)}
	}
	for _, one := range []struct {
		column string
		to     *uint32
	}{{"Priority", &j.Priority}, {"Restarts", &j.Restarts}} {
		if text := r.get(one.column); text != "" {
			n, err := strconv.ParseUint(text, 10, 32)
			if err != nil {
				return fmt.Errorf("%s %q is no number", one.column, text)
			}
			*one.to = uint32(n)
		}
	}
	return nil
}

// amounts reads what the job asked for and held, and shares it out evenly among
// its nodes.
func (r *row) amounts(j *sched.Job) (billing int64, err error) {
	count := func(names ...string) (int64, error) {
		text := r.get(names...)
		if text == "" {
			return 0, nil
		}
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil || n < 0 {
			return 0, fmt.Errorf("%s %q is no number", names[0], text)
		}
		return n, nil
	}
	has, err := slurm.ParseTRES(r.get("AllocTRES"))
	if err != nil {
		return 0, fmt.Errorf("AllocTRES: %w", err)
	}
	asked, err := slurm.ParseTRES(r.get("ReqTRES"))
	if err != nil {
		return 0, fmt.Errorf("ReqTRES: %w", err)
	}
	cpus, err := count("NCPUS", "AllocCPUS")
	if err != nil {
		return 0, err
	}
	if n, ok := has.Get("cpu"); ok {
		cpus = n
	}
	reqCPUs, err := count("ReqCPUS")
	if err != nil {
		return 0, err
	}
	if n, ok := asked.Get("cpu"); ok && reqCPUs == 0 {
		reqCPUs = n
	}
	nodes, err := count("NNodes", "AllocNodes", "ReqNodes")
	if err != nil {
		return 0, err
	}
	j.Need = sched.Need{MinNodes: int(max(1, nodes)), MaxNodes: int(max(1, nodes)), Tasks: 1, CPUs: int(max(1, reqCPUs, min(cpus, 1))), CPUsPerTask: 1}
	if mem, ok := asked.Get("mem"); ok {
		j.Need.MemPerNode = slurm.MB(mem / int64(j.Need.MinNodes))
	} else if text := r.get("ReqMem"); text != "" {
		perCPU := strings.HasSuffix(text, "c")
		mb, err := slurm.ParseMB(strings.TrimRight(text, "cn"))
		if err != nil {
			return 0, fmt.Errorf("ReqMem: %w", err)
		}
		switch {
		case perCPU:
			j.Need.MemPerCPU = mb
		case strings.HasSuffix(text, "n"):
			j.Need.MemPerNode = mb
		default:
			j.Need.MemPerNode = mb / slurm.MB(j.Need.MinNodes)
		}
	}
	if j.Start.IsZero() {
		return 0, nil
	}
	var names []string
	if text := r.get("NodeList"); text != "" && text != "None assigned" && text != "(null)" {
		list, err := slurm.ParseHostList(text)
		if err != nil {
			return 0, fmt.Errorf("NodeList: %w", err)
		}
		names = list.Hosts()
	}
	if len(names) == 0 {
		names = []string{"unknown"}
	}
	j.Alloc = make([]sched.NodeAlloc, len(names))
	share := func(total int64, i int) int64 {
		n := int64(len(names))
		s := total / n
		if int64(i) < total%n {
			s++
		}
		return s
	}
	mem, _ := has.Get("mem")
	for i, name := range names {
		a := &j.Alloc[i]
		*a = sched.NodeAlloc{Node: sched.NodeName(name), CPUs: int(share(cpus, i)), Mem: slurm.MB(share(mem, i))}
		for _, item := range has {
			if item.Type != "gres" {
				continue
			}
			kind, typ, typed := strings.Cut(item.Name, ":")
			if !typed && slices.ContainsFunc(has, func(o slurm.TRESItem) bool { return o.Type == "gres" && strings.HasPrefix(o.Name, kind+":") }) {
				continue // it is there by type
			}
			if n := share(item.Count, i); n > 0 {
				a.Gres = append(a.Gres, sched.GresAlloc{Name: kind, Type: typ, Count: n})
			}
		}
	}
	billing, _ = has.Get("billing")
	return billing, nil
}

// cpuTime reads a span of CPU time: [DD-[HH:]]MM:SS[.mmm].
func cpuTime(text string) (time.Duration, error) {
	whole, frac, _ := strings.Cut(text, ".")
	days := int64(0)
	if d, rest, ok := strings.Cut(whole, "-"); ok {
		n, err := strconv.ParseInt(d, 10, 32)
		if err != nil {
			return 0, fmt.Errorf("%q is no span of time", text)
		}
		days, whole = n, rest
	}
	secs := int64(0)
	for part := range strings.SplitSeq(whole, ":") {
		n, err := strconv.ParseInt(part, 10, 32)
		if err != nil || n < 0 {
			return 0, fmt.Errorf("%q is no span of time", text)
		}
		secs = secs*60 + n
	}
	out := time.Duration(days*86400+secs) * time.Second
	if frac != "" {
		n, err := strconv.ParseUint((frac + "000000000")[:9], 10, 32)
		if err != nil {
			return 0, fmt.Errorf("%q is no span of time", text)
		}
		out += time.Duration(n)
	}
	return out, nil
}

// bytesOf reads an amount of bytes as sacct prints it: 10432K, 0.06M, 4096.
func bytesOf(text string) (int64, error) {
	scale := float64(1)
	if i := strings.IndexByte("KMGTPE", text[len(text)-1]); i >= 0 {
		text = text[:len(text)-1]
		for ; i >= 0; i-- {
			scale *= 1024
		}
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || v < 0 || v*scale > 1<<62 {
		return 0, fmt.Errorf("%q is no amount", text)
	}
	return int64(v * scale), nil
}

// usage reads what a line says was used; nil when it says nothing.
func (r *row) usage() (*rinkpb.Usage, error) {
	u := &rinkpb.Usage{}
	said := false
	var failed error
	span := func(to *int64, column string) {
		if text := r.get(column); text != "" && failed == nil {
			d, err := cpuTime(text)
			if err != nil {
				failed = fmt.Errorf("%s: %w", column, err)
			}
			*to, said = int64(d), said || d > 0
		}
	}
	amount := func(to *int64, columns ...string) {
		if text := r.get(columns...); text != "" && failed == nil {
			n, err := bytesOf(text)
			if err != nil {
				failed = fmt.Errorf("%s: %w", columns[0], err)
			}
			*to, said = n, said || n > 0
		}
	}
	span(&u.UserCpu, "UserCPU")
	span(&u.SystemCpu, "SystemCPU")
	if u.UserCpu+u.SystemCpu == 0 {
		span(&u.UserCpu, "TotalCPU")
	}
	amount(&u.MaxRss, "MaxRSS")
	amount(&u.MaxVmSize, "MaxVMSize")
	amount(&u.ReadBytes, "DiskRead", "AveDiskRead", "MaxDiskRead")
	amount(&u.WriteBytes, "DiskWrite", "AveDiskWrite", "MaxDiskWrite")
	amount(&u.Energy, "ConsumedEnergyRaw", "ConsumedEnergy")
	var mean int64
	amount(&mean, "AveRSS")
	if failed != nil {
		return nil, failed
	}
	u.Tasks = 1
	if n, err := strconv.ParseInt(r.get("NTasks"), 10, 31); err == nil && n > 0 {
		u.Tasks = int32(n)
	}
	u.TotalRss = max(u.MaxRss, mean*int64(u.Tasks))
	u.MaxRssNode = r.get("MaxRSSNode")
	if !said {
		return nil, nil
	}
	return u, nil
}

// addTo adds a step's line to its job. What the batch script used is the job's
// own; other steps are kept each.
func (r *row) addTo(job *rinkpb.Record) error {
	u, err := r.usage()
	if err != nil {
		return err
	}
	_, word, _ := strings.Cut(r.id(), ".")
	if len(job.Steps) == 0 && job.Batch != nil && !job.Job.Batch {
		job.Batch = nil // the job's line had the sum of its steps
	}
	job.Job.Batch = job.Job.Batch || word == "batch"
	if word == "batch" {
		job.Batch, job.Job.BatchDone, job.Job.BatchExit = u, true, r.exitCode()
		return nil
	}
	ref, err := slurm.ParseJobRef(strconv.FormatUint(uint64(job.Job.Id), 10) + "." + word)
	if err != nil {
		return err
	}
	state, by, err := readState(r.get("State"))
	if err != nil {
		return err
	}
	s := &rinkpb.Step{
		Id: uint32(ref.Step), Name: r.get("JobName"), State: uint32(state), Usage: u, Tasks: 1, Start: job.Job.Start, End: job.Job.End,
		SubmitLine: r.get("SubmitLine"), Distribution: strings.ToLower(strings.TrimPrefix(r.get("Layout"), "Unknown")), ExitCode: r.exitCode(),
	}
	if state == slurm.JobCancelled && by != sched.KilledByNobody {
		s.KilledBy = by + 1
	}
	if u != nil {
		s.Tasks = u.Tasks
	}
	for _, one := range []struct {
		column string
		to     *int64
	}{{"Start", &s.Start}, {"End", &s.End}} {
		if t, err := moment(r.get(one.column), r.t.zone); err == nil && !t.IsZero() {
			*one.to = t.UnixNano()
		}
	}
	own := &sched.Job{Start: time.Unix(0, job.Job.Start)} // what the step had, told as a job's is
	if _, err := r.amounts(own); err != nil {
		return err
	}
	had := map[string]*rinkpb.NodeAlloc{}
	for _, a := range job.Job.Alloc {
		had[a.Node] = a
	}
	list := api.JobToProto(own).Alloc
	if r.get("NodeList") == "" {
		list = job.Job.Alloc
	}
	for _, a := range list {
		// What the line does not say is what the job had there.
		if of := had[a.Node]; of != nil {
			if a.Cpus == 0 {
				a.Cpus = of.Cpus
			}
			if r.get("AllocTRES") == "" || !strings.Contains(r.get("AllocTRES"), "mem=") {
				a.Mem = of.Mem
			}
			if r.get("AllocTRES") == "" {
				a.Gres = of.Gres
			}
		}
		s.Nodes = append(s.Nodes, &rinkpb.StepNode{Node: a.Node, Cpus: a.Cpus, Mem: a.Mem, Gres: a.Gres})
	}
	job.Steps = append(job.Steps, s)
	return nil
}

// exitCode is how a step ended.
func (r *row) exitCode() *rinkpb.ExitCode {
	code, signal, _ := strings.Cut(r.get("ExitCode"), ":")
	a, _ := strconv.ParseUint(code, 10, 8)
	b, _ := strconv.ParseUint(signal, 10, 8)
	return &rinkpb.ExitCode{Code: uint32(a), Signal: uint32(b)}
}
