package sim

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/runink/rink/cmds/internal/cli"
)

// figure is one row of the table: what it is called, there and in JSON, and how
// it is written.
type figure struct {
	name, key string
	digits    int
	plain     bool // no difference in percent is worth telling
	value     func(r *replay) float64
}

var figures = []figure{
	{"jobs", "jobs", 0, true, func(r *replay) float64 { return float64(r.figures.Jobs) }},
	{"mean wait s", "mean_wait", 0, false, func(r *replay) float64 { return r.figures.MeanWait }},
	{"median wait s", "median_wait", 0, false, func(r *replay) float64 { return r.figures.MedianWait }},
	{"p95 wait s", "p95_wait", 0, false, func(r *replay) float64 { return r.figures.P95Wait }},
	{"max wait s", "max_wait", 0, false, func(r *replay) float64 { return r.figures.MaxWait }},
	{"mean bsld", "mean_bsld", 2, false, func(r *replay) float64 { return r.figures.MeanBSLD }},
	{"p95 bsld", "p95_bsld", 1, false, func(r *replay) float64 { return r.figures.P95BSLD }},
	{"util", "util", 4, false, func(r *replay) float64 { return r.figures.Util }},
	{"util_w", "util_w", 4, false, func(r *replay) float64 { return r.figures.UtilW }},
	{"makespan s", "makespan", 0, false, func(r *replay) float64 { return float64(r.figures.Makespan) }},
	{"refused", "refused", 0, true, func(r *replay) float64 { return float64(len(r.result.Refused)) }},
	{"never started", "unstarted", 0, true, func(r *replay) float64 { return float64(r.figures.Unstarted - len(r.result.Refused)) }},
	{"replayed in s", "wall_seconds", 3, true, func(r *replay) float64 { return r.wall.Seconds() }},
}

// percent is by how much a figure differs from the first replay's, "" where that
// says nothing.
func (f *figure) percent(r, base *replay) (float64, bool) {
	was, is := f.value(base), f.value(r)
	if f.plain || was == 0 {
		return 0, false
	}
	return (is - was) / was * 100, true
}

// printTable prints a line on the log and a row a figure, a column a replay.
func printTable(w io.Writer, load *workload, replays []*replay) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "%s: %d of %d records, %d processors", load.trace.file, len(load.jobs), load.trace.records, replays[0].cluster.procs)
	for i, l := range load.left {
		fmt.Fprintf(b, "%s %d %s", []string{",", "; left out:"}[max(0, 1-i)], l.count, l.why)
	}
	b.WriteByte('\n')
	table := [][]string{{""}}
	for _, r := range replays {
		table[0] = append(table[0], r.name)
		if r != replays[0] {
			table[0] = append(table[0], "")
		}
	}
	for i := range figures {
		f := &figures[i]
		cells := []string{f.name}
		any := false
		for _, r := range replays {
			any = any || f.value(r) != 0
			cells = append(cells, strconv.FormatFloat(f.value(r), 'f', f.digits, 64))
			if r != replays[0] {
				cell := ""
				if d, ok := f.percent(r, replays[0]); ok {
					cell = fmt.Sprintf("%+.1f%%", d)
				}
				cells = append(cells, cell)
			}
		}
		if any || f.key != "refused" && f.key != "unstarted" {
			table = append(table, cells)
		}
	}
	widths := make([]int, len(table[0]))
	for _, cells := range table {
		for i, c := range cells {
			widths[i] = max(widths[i], utf8.RuneCountInString(c))
		}
	}
	for _, cells := range table {
		line := fmt.Sprintf("%-*s", widths[0], cells[0])
		for i, c := range cells[1:] {
			line += fmt.Sprintf("  %*s", widths[i+1], c)
		}
		fmt.Fprintln(b, strings.TrimRight(line, " "))
	}
	return b.Flush()
}

// object is an object of JSON whose keys stay in order.
type object []member

type member struct {
	key   string
	value any
}

func (o object) MarshalJSON() ([]byte, error) {
	out := []byte{'{'}
	for i, m := range o {
		if i > 0 {
			out = append(out, ',')
		}
		v, err := json.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		out = append(append(strconv.AppendQuote(out, m.key), ':'), v...)
	}
	return append(out, '}'), nil
}

// printJSON prints one object: the figures of the first replay and, under "with",
// those of the others and by how many percent they differ.
func printJSON(w io.Writer, load *workload, replays []*replay) error {
	base := replays[0]
	out := object{{"trace", load.trace.file}, {"records", load.trace.records}}
	if len(load.left) > 0 {
		left := object{}
		for _, l := range load.left {
			left = append(left, member{l.why, l.count})
		}
		out = append(out, member{"left_out", left})
	}
	out = append(out, base.object()...)
	var others []object
	for _, r := range replays[1:] {
		o := append(object{{"set", r.name}}, r.object()...)
		change := object{}
		for i := range figures {
			if d, ok := figures[i].percent(r, base); ok {
				change = append(change, member{figures[i].key, d})
			}
		}
		others = append(others, append(o, member{"change_percent", change}))
	}
	if len(others) > 0 {
		out = append(out, member{"with", others})
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(out)
}

func (r *replay) object() object {
	out := object{{"policy", r.cluster.name()}, {"processors", r.cluster.procs}}
	for i := range figures {
		out = append(out, member{figures[i].key, figures[i].value(r)})
	}
	return out
}

// writeCSV writes when each job ran: with several replays, a pair of columns each.
func writeCSV(env *cli.Env, file string, load *workload, replays []*replay) error {
	if file == "-" {
		return printCSV(env.Stdout, load, replays)
	}
	f, err := os.Create(file)
	if err == nil {
		err = errors.Join(printCSV(f, load, replays), f.Close())
	}
	if err != nil {
		return fmt.Errorf("cannot write the start times: %w", err)
	}
	return nil
}

func printCSV(w io.Writer, load *workload, replays []*replay) error {
	b := bufio.NewWriter(w)
	b.WriteString("job,submit")
	for i := range replays {
		n := ""
		if i > 0 {
			n = strconv.Itoa(i + 1)
		}
		fmt.Fprintf(b, ",start%s,end%s", n, n)
	}
	b.WriteByte('\n')
	var line []byte
	for i := range load.jobs {
		line = append(append(line[:0], load.labels[i]...), ',')
		line = strconv.AppendInt(line, load.jobs[i].Submit, 10)
		for _, r := range replays {
			run := r.result.Runs[i]
			line = strconv.AppendInt(append(line, ','), run.Start, 10)
			line = strconv.AppendInt(append(line, ','), run.End, 10)
		}
		b.Write(append(line, '\n'))
	}
	return b.Flush()
}
