package sim

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// pastJob is a job of an export of accounting, with what a replay needs of it.
type pastJob struct {
	id, user, account, qos, partition string
	uid                               uint32
	submit                            int64
	run                               int64 // 0: it never ran, or still does
	limit                             int64 // 0: not known
	procs                             int
	mem                               slurm.MB // a CPU
}

// row is a record of an export by the names of its columns, as key makes them.
type row map[string]string

// key makes names that different programs spell differently the same: JobIDRaw is
// job_id_raw.
func key(name string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.TrimSpace(name)))
}

// get returns the first of the named columns that is there and says something.
func (r row) get(names ...string) string {
	for _, n := range names {
		switch v := strings.TrimSpace(r[n]); strings.ToLower(v) {
		case "", "unknown", "none", "null", "n/a":
		default:
			return v
		}
	}
	return ""
}

// readHistory reads an export of accounting: one object of JSON a line, or a
// line with the names of the columns and one for each job, separated by commas as
// rink export writes them or, as sacct -P has it, bars. Steps are passed over.
func readHistory(file string, in *bufio.Reader, loc *time.Location) ([]pastJob, error) {
	var jobs []pastJob
	add := func(r row) error {
		j, err := r.job(loc)
		if err == nil && !strings.Contains(j.id, ".") {
			jobs = append(jobs, j)
		}
		return err
	}
	t := table{add: add}
	switch first := firstLine(in); {
	case first[0] == '{':
		err := lines(file, in, func(line string) error {
			r, err := objectRow(line)
			if err != nil {
				return err
			}
			return add(r)
		})
		return jobs, err
	case strings.Contains(first, "|"):
		err := lines(file, in, func(line string) error { return t.line(strings.Split(line, "|")) })
		return jobs, err
	}
	records := csv.NewReader(in) // a field may have several lines
	records.FieldsPerRecord = -1
	for {
		values, err := records.Read()
		if errors.Is(err, io.EOF) {
			return jobs, nil
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read %s: %w", file, err)
		}
		if err := t.line(values); err != nil {
			number, _ := records.FieldPos(0)
			return nil, fmt.Errorf("%s:%d: %w", file, number, err)
		}
	}
}

// table makes rows of lines, the first of which names the columns.
type table struct {
	header []string
	add    func(row) error
}

func (t *table) line(values []string) error {
	if t.header == nil {
		for _, n := range values {
			t.header = append(t.header, key(n))
		}
		return checkHeader(t.header)
	}
	if len(values) != len(t.header) {
		return fmt.Errorf("it has %d fields, the first line names %d", len(values), len(t.header))
	}
	r := make(row, len(t.header))
	for i, n := range t.header {
		r[n] = values[i]
	}
	return t.add(r)
}

// checkHeader refuses an export that lacks what every replay needs.
func checkHeader(header []string) error {
	for _, need := range [][]string{{"JobIDRaw", "JobID"}, {"Submit"}, {"ElapsedRaw", "Elapsed", "End"}, {"ReqCPUS", "AllocCPUS", "NCPUS"}} {
		if !slices.ContainsFunc(need, func(n string) bool { return slices.Contains(header, key(n)) }) {
			return fmt.Errorf("there is no column %s", strings.Join(need, " or "))
		}
	}
	return nil
}

// objectRow reads one object of JSON. What is within its values is no column.
func objectRow(line string) (row, error) {
	d := json.NewDecoder(strings.NewReader(line))
	d.UseNumber()
	var o map[string]any
	if err := d.Decode(&o); err != nil {
		return nil, fmt.Errorf("it is no object of JSON: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("it has more than one object of JSON")
	}
	r := make(row, len(o))
	for k, v := range o {
		switch v := v.(type) {
		case string:
			r[key(k)] = v
		case json.Number:
			r[key(k)] = v.String()
		}
	}
	return r, nil
}

// job reads a row.
func (r row) job(loc *time.Location) (pastJob, error) {
	j := pastJob{id: r.get("jobid", "jobidraw", "id"), user: r.get("user"), account: r.get("account"), qos: r.get("qos"), partition: r.get("partition")}
	if j.id == "" {
		return j, errors.New("the job has no JobID")
	}
	bad := func(what, v string) error { return fmt.Errorf("%s of job %s, %q, cannot be read", what, j.id, v) }
	moment := func(what string, names ...string) (int64, error) {
		v := r.get(names...)
		if v == "" {
			return -1, nil
		}
		t, ok := parseMoment(v, loc)
		if !ok {
			return -1, bad(what, v)
		}
		return t, nil
	}
	var err error
	if j.submit, err = moment("Submit", "submit", "submittime"); err != nil {
		return j, err
	}
	if j.submit < 0 {
		return j, fmt.Errorf("job %s has no Submit", j.id)
	}
	start, err := moment("Start", "start", "starttime")
	if err != nil {
		return j, err
	}
	end, err := moment("End", "end", "endtime")
	if err != nil {
		return j, err
	}
	switch v, text := r.get("elapsedraw"), r.get("elapsed"); {
	case v != "":
		if j.run, err = strconv.ParseInt(v, 10, 64); err != nil {
			return j, bad("ElapsedRaw", v)
		}
	case text != "":
		d, err := slurm.ParseDuration(text)
		if err != nil || d == slurm.Unlimited {
			return j, bad("Elapsed", text)
		}
		j.run = int64(d)
	case start >= 0 && end >= start:
		j.run = end - start
	}
	if end < 0 && r.get("end", "endtime", "elapsedraw", "elapsed") == "" {
		j.run = 0
	}
	switch v, text := r.get("timelimitraw"), r.get("timelimit"); {
	case strings.EqualFold(v, "unlimited"), v == "" && strings.EqualFold(text, "unlimited"):
		j.limit = int64(slurm.Unlimited)
	case v != "":
		minutes, err := strconv.ParseInt(v, 10, 64)
		if err != nil && !strings.EqualFold(v, "partition_limit") {
			return j, bad("TimelimitRaw", v)
		}
		j.limit = max(minutes, 0) * 60
	case text != "" && !strings.EqualFold(text, "partition_limit"):
		d, err := slurm.ParseDuration(text)
		if err != nil {
			return j, bad("Timelimit", text)
		}
		j.limit = int64(d)
	}
	for _, name := range []string{"reqcpus", "alloccpus", "ncpus"} {
		if v := r.get(name); v != "" && j.procs <= 0 {
			if j.procs, err = strconv.Atoi(v); err != nil {
				return j, bad("the number of CPUs", v)
			}
		}
	}
	j.uid = 65534
	if v := r.get("uid"); v != "" {
		n, err := strconv.ParseUint(v, 10, 32)
		if err != nil {
			return j, bad("UID", v)
		}
		j.uid = uint32(n)
	}
	for item := range strings.SplitSeq(r.get("reqtres"), ",") {
		v, ok := strings.CutPrefix(item, "mem=")
		if !ok || j.procs <= 0 {
			continue
		}
		all, err := slurm.ParseMB(v)
		if err != nil {
			return j, bad("the memory in ReqTRES", v)
		}
		j.mem = (all + slurm.MB(j.procs) - 1) / slurm.MB(j.procs)
	}
	return j, nil
}

// parseMoment reads a time as sacct prints it, as RFC 3339 has it, or in seconds
// since 1970.
func parseMoment(v string, loc *time.Location) (int64, bool) {
	if n, err := strconv.ParseInt(v, 10, 64); err == nil {
		return n, n >= 0
	}
	for _, layout := range []string{"2006-01-02T15:04:05", time.RFC3339, time.DateTime} {
		if t, err := time.ParseInLocation(layout, v, loc); err == nil {
			return t.Unix(), t.Unix() >= 0
		}
	}
	return 0, false
}

// simJobs returns those jobs of an export that can be replayed on the cluster, in
// order of submission, and their ids. Of several partitions they go into the first
// that the cluster has, and into the default one when it has none of them.
func simJobs(past []pastJob, c cluster) (jobs []sched.SimJob, labels []string) {
	past = slices.Clone(past)
	slices.SortStableFunc(past, func(a, b pastJob) int { return int(max(min(a.submit-b.submit, 1), -1)) })
	for _, p := range past {
		if p.run <= 0 || p.procs <= 0 || p.procs > c.procs {
			continue
		}
		j := sched.SimJob{Submit: p.submit, Run: p.run, Limit: p.limit, Procs: p.procs, User: p.user, UID: p.uid, Account: p.account, QOS: p.qos, MemPerCPU: p.mem}
		if j.Limit <= 0 {
			j.Limit = j.Run
		}
		for name := range strings.SplitSeq(p.partition, ",") {
			if j.Partition == "" && c.config.Partition(sched.PartitionName(name)) != nil {
				j.Partition = sched.PartitionName(name)
			}
		}
		jobs, labels = append(jobs, j), append(labels, p.id)
	}
	return jobs, labels
}
