// Package reff is the command that reports how much of what they held the jobs
// of users, accounts, herds and arrays used.
package reff

import (
	"cmp"
	_ "embed"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/efficiency"
	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/slurm"
)

//go:embed help.txt
var helpText string

// options are what reff was asked for.
type options struct {
	by                        string // user, account or herd; "" for the jobs named
	start, end                time.Time
	weekly                    bool
	format                    string // table, csv or json
	users, accounts, herds    []string
	jobs                      []slurm.JobRef
	noHeader                  bool
	done                      string
	weeks                     int
	hasStart, hasEnd, hasKind bool
}

// fatal is a mistake after which reff prints nothing but this.
type fatal struct{ text string }

func (e *fatal) Error() string { return e.text }

func parse(env *cli.Env) (*options, error) {
	const none, must = slurm.NoArg, slurm.RequiredArg
	spec := func(short byte, arg slurm.ArgKind, names ...string) slurm.OptionSpec {
		return slurm.OptionSpec{Names: names, Short: short, Arg: arg}
	}
	o := &options{by: "user", format: "table", weeks: 1}
	given, words, err := slurm.Getopt(env.Name, []slurm.OptionSpec{
		spec('A', must, "accounts"), spec('b', must, "by"), spec('E', must, "endtime"), spec('f', must, "format"), spec('h', none, "help"),
		spec('n', none, "noheader"), spec('r', must, "herd", "partition"), spec('S', must, "starttime"), spec('u', must, "user"), spec('V', none, "version"),
		spec('w', none, "weekly"), spec(0, must, "weeks"),
	}, env.Args, slurm.PermuteWords)
	mistake := func(format string, args ...any) error {
		return &fatal{env.Name + ": error: " + fmt.Sprintf(format, args...)}
	}
	for _, g := range given {
		switch g.Name() {
		case "accounts":
			o.accounts = append(o.accounts, show.Words(g.Value)...)
		case "by":
			o.hasKind = true
			switch strings.ToLower(g.Value) {
			case "user", "users":
				o.by = "user"
			case "account", "accounts":
				o.by = "account"
			case "herd", "herds", "partition", "partitions":
				o.by = "herd"
			default:
				return nil, mistake("cannot report by %q (want user, account or herd)", g.Value)
			}
		case "starttime", "endtime":
			t, err := slurm.ParseTime(g.Value, env.Now(), true)
			if err != nil {
				return nil, mistake("%v", err)
			}
			if g.Name() == "starttime" {
				o.start, o.hasStart = t, true
			} else {
				o.end, o.hasEnd = t, true
			}
		case "format":
			o.format = strings.ToLower(g.Value)
			if !slices.Contains([]string{"table", "csv", "json"}, o.format) {
				return nil, mistake("cannot print %q (want table, csv or json)", g.Value)
			}
		case "help":
			o.done = helpText
			return o, nil
		case "noheader":
			o.noHeader = true
		case "herd":
			o.herds = append(o.herds, show.Words(g.Value)...)
		case "user":
			o.users = append(o.users, show.Words(g.Value)...)
		case "version":
			o.done = cli.VersionLine() + "\n"
			return o, nil
		case "weekly":
			o.weekly = true
		case "weeks":
			n := 0
			if _, err := fmt.Sscanf(g.Value, "%d", &n); err != nil || n < 1 || n > 520 {
				return nil, mistake("cannot report on %q weeks (want 1 to 520)", g.Value)
			}
			o.weekly, o.weeks = true, n
		}
	}
	if err != nil {
		return nil, err
	}
	for _, word := range words {
		for _, one := range show.Words(word) {
			ref, err := slurm.ParseJobRef(one)
			if err != nil {
				return nil, mistake("%v", err)
			}
			o.jobs = append(o.jobs, ref)
		}
	}
	if o.weekly && !o.hasKind {
		o.by = "herd"
	}
	now := env.Now()
	y, m, d := now.Date()
	if !o.hasEnd {
		o.end = now
	}
	if !o.hasStart {
		o.start = time.Date(y, m, d-30, 0, 0, 0, 0, now.Location())
	}
	if !o.start.Before(o.end) {
		return nil, mistake("the time ends (%s) before it begins (%s)", o.end.Format(stampForm), o.start.Format(stampForm))
	}
	return o, nil
}

const stampForm = "2006-01-02T15:04:05"

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
		env.Errorf("%s", cli.Reason(err))
		return 1
	}
	defer client.Close()
	lines, err := gather(env, o, client.Controller)
	if err == nil {
		err = o.print(env.Stdout, lines)
	}
	if err != nil {
		env.Errorf("%s", cli.Reason(err))
		return 1
	}
	return 0
}

// line is one row of the report.
type line struct {
	week, name string
	sums       efficiency.Sums
	low, high  int64 // of an array: the least and the most memory a task used
}

// gather asks for what is reported: the jobs named, the weeks, or one span.
func gather(env *cli.Env, o *options, client rinkpb.Controller) ([]line, error) {
	if len(o.jobs) > 0 {
		return jobs(env, o, client)
	}
	if !o.weekly {
		return span(env, o, client, "", o.start, o.end)
	}
	// The last whole weeks, from Monday to Monday.
	now := env.Now()
	y, m, d := now.Date()
	monday := time.Date(y, m, d-(int(now.Weekday())+6)%7, 0, 0, 0, 0, now.Location())
	if o.hasStart {
		y, m, d = o.start.Date()
		monday = time.Date(y, m, d-(int(o.start.Weekday())+6)%7+7*o.weeks, 0, 0, 0, 0, now.Location())
	}
	var all []line
	for i := o.weeks; i > 0; i-- {
		y, m, d := monday.Date()
		from, to := time.Date(y, m, d-7*i, 0, 0, 0, 0, now.Location()), time.Date(y, m, d-7*(i-1), 0, 0, 0, 0, now.Location())
		year, week := from.ISOWeek()
		list, err := span(env, o, client, fmt.Sprintf("%d-W%02d", year, week), from, to)
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
	}
	return all, nil
}

// span is the report on the jobs that ended in a span of whole hours.
func span(env *cli.Env, o *options, client rinkpb.Controller, week string, from, to time.Time) ([]line, error) {
	ctx, cancel := env.Call(10 * show.CallLimit())
	defer cancel()
	reply, err := client.Usage(ctx, &rinkpb.UsageRequest{Start: from.UnixNano(), End: to.UnixNano(), Parties: true})
	if err == nil {
		err = cli.StatusErr(reply.Status)
	}
	if err != nil {
		return nil, cli.CallErr(err)
	}
	sums := map[string]*rinkpb.EndedSums{}
	for _, p := range reply.Parties {
		party := p.Party
		if p.Ended.GetJobs() == 0 || !among(o.users, party.User) || !among(o.accounts, party.Account) || !among(o.herds, party.Partition) {
			continue
		}
		name := map[string]string{"user": party.User, "account": party.Account, "herd": party.Partition}[o.by]
		s := sums[name]
		if s == nil {
			s = &rinkpb.EndedSums{}
			sums[name] = s
		}
		add(s, p.Ended)
	}
	var list []line
	for name, s := range sums {
		list = append(list, line{week: week, name: name, sums: efficiency.OfEnded(s)})
	}
	slices.SortFunc(list, func(a, b line) int {
		return cmp.Or(cmp.Compare(b.sums.CPUHeld, a.sums.CPUHeld), strings.Compare(a.name, b.name))
	})
	return list, nil
}

func among(list []string, name string) bool { return len(list) == 0 || slices.Contains(list, name) }

func add(a, b *rinkpb.EndedSums) {
	a.Jobs += b.Jobs
	a.Failed += b.Failed
	a.CpuHeld += b.CpuHeld
	a.CpuUsed += b.CpuUsed
	a.MemHeld += b.MemHeld
	a.MemUsed += b.MemUsed
	a.GpuHeld += b.GpuHeld
	a.GpuUsed += b.GpuUsed
	a.GpuTold += b.GpuTold
	a.Wait += b.Wait
	a.Wall += b.Wall
	a.Energy += b.Energy
}

// jobs is the report on the jobs named, one line each; an array named as a whole
// is one line of all its tasks that ended.
func jobs(env *cli.Env, o *options, client rinkpb.Controller) ([]line, error) {
	ctx, cancel := env.Call(10 * show.CallLimit())
	defer cancel()
	var all []line
	for _, ref := range o.jobs {
		stream, err := client.History(ctx, &rinkpb.HistoryRequest{Refs: show.Refs([]slurm.JobRef{ref}), AllUsers: true, Steps: true})
		if err != nil {
			return nil, cli.CallErr(err)
		}
		one := line{name: ref.String()}
		memHeld, memUsed := 0.0, 0.0
		for {
			page, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return nil, cli.CallErr(err)
			}
			for _, r := range page.Records {
				if !slurm.JobState(r.Job.State).Ended() || r.Job.Start == 0 {
					continue
				}
				s := efficiency.OfRecord(r, env.Now())
				t := &one.sums
				if t.Jobs == 0 {
					*t, one.low = s, s.MemUsed
				} else {
					t.Jobs, t.Failed, t.CPUHeld, t.CPUUsed = t.Jobs+1, t.Failed+s.Failed, t.CPUHeld+s.CPUHeld, t.CPUUsed+s.CPUUsed
					t.GPUHeld, t.GPUUsed, t.GPUTold = t.GPUHeld+s.GPUHeld, t.GPUUsed+s.GPUUsed, t.GPUTold+s.GPUTold
					t.Wall, t.Wait, t.Energy = t.Wall+s.Wall, t.Wait+s.Wait, t.Energy+s.Energy
				}
				memHeld += float64(s.MemHeld) * s.Wall.Seconds()
				memUsed += float64(s.MemUsed) * s.Wall.Seconds()
				one.low, one.high = min(one.low, s.MemUsed), max(one.high, s.MemUsed)
			}
			if err := cli.StatusErr(page.Status); err != nil {
				return nil, err
			}
		}
		if t := &one.sums; t.Jobs > 1 && t.Wall > 0 {
			t.MemHeld, t.MemUsed = int64(memHeld/t.Wall.Seconds()), int64(memUsed/t.Wall.Seconds())
		}
		if one.sums.Jobs == 0 {
			return nil, fmt.Errorf("job %s has not ended, or is not known", ref.String())
		}
		all = append(all, one)
	}
	return all, nil
}

// percent prints a part, "-" when there is none.
func percent(p float64, ok bool) string {
	if !ok {
		return "-"
	}
	return fmt.Sprintf("%.1f%%", 100*p)
}

func hours(d time.Duration) string { return fmt.Sprintf("%.1f", d.Hours()) }

// mean is a span shared out among jobs.
func mean(d time.Duration, jobs int64) time.Duration { return d / time.Duration(max(1, jobs)) }

// print writes the report in the form asked for.
func (o *options) print(w io.Writer, list []line) error {
	kind := map[string]string{"user": "User", "account": "Account", "herd": "Herd"}[o.by]
	if len(o.jobs) > 0 {
		kind = "Job"
	}
	switch o.format {
	case "json":
		return o.printJSON(w, kind, list)
	case "csv":
		return o.printCSV(w, kind, list)
	}
	header := []string{kind, "Jobs", "Failed", "CPUHours", "CPUEff", "MemEff", "GPUHours", "GPUEff", "MeanWait", "Advice"}
	rows := [][]string{}
	for _, l := range list {
		s := &l.sums
		advice := s.Advice()
		if len(o.jobs) > 0 && s.Jobs > 1 && l.high > 0 {
			advice = strings.Trim(fmt.Sprintf("tasks used %s to %s; %s", efficiency.Bytes(l.low), efficiency.Bytes(l.high), advice), "; ")
		}
		rows = append(rows, []string{l.name, fmt.Sprint(s.Jobs), fmt.Sprint(s.Failed), hours(s.CPUHeld), percent(s.CPU()), percent(s.Mem()),
			hours(s.GPUHeld), percent(s.GPU()), efficiency.Clock(mean(s.Wait, s.Jobs)), advice})
	}
	if o.weekly {
		header = append([]string{"Week"}, header...)
		for i := range rows {
			rows[i] = append([]string{list[i].week}, rows[i]...)
		}
	}
	widths := make([]int, len(header))
	all := rows
	if !o.noHeader {
		all = append([][]string{header}, rows...)
	}
	for _, row := range all {
		for i, cell := range row {
			widths[i] = max(widths[i], len(cell))
		}
	}
	for _, row := range all {
		var b strings.Builder
		for i, cell := range row {
			left := header[i] == kind || header[i] == "Week" || header[i] == "Advice"
			b.WriteString(slurm.Pad(cell, widths[i], !left) + " ")
		}
		if _, err := fmt.Fprintln(w, strings.TrimRight(b.String(), " ")); err != nil {
			return err
		}
	}
	return nil
}

func (o *options) printCSV(w io.Writer, kind string, list []line) error {
	out := csv.NewWriter(w)
	if !o.noHeader {
		out.Write([]string{"week", strings.ToLower(kind), "jobs", "failed", "cpu_seconds_held", "cpu_seconds_used", "cpu_efficiency", "memory_bytes_held",
			"memory_bytes_used", "memory_efficiency", "gpu_seconds_held", "gpu_seconds_used", "gpu_efficiency", "mean_wait_seconds", "energy_joules", "advice"})
	}
	part := func(p float64, ok bool) string {
		if !ok {
			return ""
		}
		return fmt.Sprintf("%.4f", p)
	}
	secs := func(d time.Duration) string { return fmt.Sprintf("%.0f", d.Seconds()) }
	for _, l := range list {
		s := &l.sums
		used := ""
		if s.GPUTold > 0 {
			used = secs(s.GPUUsed)
		}
		out.Write([]string{l.week, l.name, fmt.Sprint(s.Jobs), fmt.Sprint(s.Failed), secs(s.CPUHeld), secs(s.CPUUsed), part(s.CPU()), fmt.Sprint(s.MemHeld),
			fmt.Sprint(s.MemUsed), part(s.Mem()), secs(s.GPUHeld), used, part(s.GPU()), secs(mean(s.Wait, s.Jobs)), fmt.Sprint(s.Energy), s.Advice()})
	}
	out.Flush()
	return out.Error()
}

func (o *options) printJSON(w io.Writer, kind string, list []line) error {
	rows := []map[string]any{}
	for _, l := range list {
		s := &l.sums
		part := func(p float64, ok bool) any {
			if !ok {
				return nil
			}
			return p
		}
		row := map[string]any{
			strings.ToLower(kind): l.name, "jobs": s.Jobs, "failed": s.Failed, "cpu_seconds_held": s.CPUHeld.Seconds(), "cpu_seconds_used": s.CPUUsed.Seconds(),
			"cpu_efficiency": part(s.CPU()), "memory_bytes_held": s.MemHeld, "memory_bytes_used": s.MemUsed, "memory_efficiency": part(s.Mem()),
			"gpu_seconds_held": s.GPUHeld.Seconds(), "gpu_efficiency": part(s.GPU()), "mean_wait_seconds": mean(s.Wait, s.Jobs).Seconds(),
			"energy_joules": s.Energy, "advice": s.Advice(),
		}
		if s.GPUTold > 0 {
			row["gpu_seconds_used"] = s.GPUUsed.Seconds()
		}
		if l.week != "" {
			row["week"] = l.week
		}
		rows = append(rows, row)
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(map[string]any{"efficiency": rows})
}
