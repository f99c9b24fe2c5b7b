package sim

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// trace is a workload log as it was read: one of the two kinds.
type trace struct {
	file    string
	records int
	procs   int // 0: not known
	swf     *slurm.SWFLog
	history []pastJob
}

// workload is the jobs to be replayed.
type workload struct {
	trace  *trace
	jobs   []sched.SimJob
	labels []string // the jobs' names in the log
	memory bool     // some of them ask for memory
	left   []leftOut
}

// readTrace reads a log, whichever kind it is. Times without a zone are in that
// of the location.
func readTrace(file string, loc *time.Location) (*trace, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("cannot read the log: %w", err)
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 64<<10)
	if head, _ := in.Peek(2); bytes.Equal(head, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, fmt.Errorf("cannot read the log %s: %w", file, err)
		}
		in = bufio.NewReaderSize(z, 64<<10)
	}
	return parseTrace(file, in, loc)
}

func parseTrace(file string, in *bufio.Reader, loc *time.Location) (*trace, error) {
	t := &trace{file: file}
	var err error
	if looksLikeHistory(in) {
		if t.history, err = readHistory(file, in, loc); err != nil {
			return nil, err
		}
		t.records = len(t.history)
		return t, nil
	}
	if t.swf, err = slurm.ReadSWF(file, in); err != nil {
		return nil, err
	}
	t.records, t.procs = len(t.swf.Jobs), t.swf.Processors()
	return t, nil
}

// looksLikeHistory reports whether a file begins with a line of an export of
// accounting: an object of JSON, or the names of columns.
func looksLikeHistory(in *bufio.Reader) bool {
	line := firstLine(in)
	if line == "" || line[0] == ';' {
		return false
	}
	return line[0] == '{' || (line[0] >= 'A' && line[0] <= 'Z' || line[0] >= 'a' && line[0] <= 'z') && strings.ContainsAny(line, "|,")
}

// firstLine is the first line that says anything, which stays to be read.
func firstLine(in *bufio.Reader) string {
	head, _ := in.Peek(in.Size())
	line, _, _ := strings.Cut(strings.TrimLeft(string(head), " \t\r\n"), "\n")
	return line
}

// load makes the jobs to be replayed of a log.
func (t *trace) load(o options, c cluster) (*workload, error) {
	w := &workload{trace: t}
	if t.swf == nil {
		if o.Partitions != "" {
			return nil, errors.New("--partitions is for logs whose queues have numbers; those of an export have names")
		}
		w.jobs, w.labels = simJobs(t.history, c)
	} else {
		jobs, at := sched.SimJobs(t.swf, c.procs)
		w.left = leftOutOf(t.swf, c.procs)
		put, err := o.putter(t.swf, at, c)
		if err != nil {
			return nil, err
		}
		w.jobs, w.labels = jobs, make([]string, len(jobs))
		for i, k := range at {
			w.labels[i] = strconv.FormatInt(t.swf.Jobs[k].Job, 10)
			if put != nil {
				jobs[i].Partition = put[queueOf(&t.swf.Jobs[k], o.By)]
			}
		}
	}
	if o.First > 0 && len(w.jobs) > o.First {
		w.jobs, w.labels = w.jobs[:o.First], w.labels[:o.First]
	}
	if len(w.jobs) == 0 {
		words := ""
		for _, l := range w.left {
			words += fmt.Sprintf(", %d %s", l.count, l.why)
		}
		return nil, fmt.Errorf("%s has no job that can be replayed on %d processors, of %d records%s", t.file, c.procs, t.records, words)
	}
	w.memory = slices.ContainsFunc(w.jobs, func(j sched.SimJob) bool { return j.MemPerCPU > 0 })
	return w, nil
}

// leftOut is how many records are not replayed for one reason.
type leftOut struct {
	why   string
	count int
}

// leftOutOf counts the records of a log that cannot be replayed on so many
// processors, by the first reason of each.
func leftOutOf(log *slurm.SWFLog, procs int) []leftOut {
	why := []leftOut{{why: "did not run"}, {why: "were submitted before the log begins"}, {why: "have no processors"}, {why: fmt.Sprintf("ask for more than %d processors", procs)}}
	for i := range log.Jobs {
		j := &log.Jobs[i]
		asked := j.ReqProcs
		if asked <= 0 {
			asked = j.Procs
		}
		switch {
		case j.Run <= 0:
			why[0].count++
		case j.Submit < 0:
			why[1].count++
		case asked <= 0:
			why[2].count++
		case asked > int64(procs):
			why[3].count++
		}
	}
	return slices.DeleteFunc(why, func(l leftOut) bool { return l.count == 0 })
}

func queueOf(j *slurm.SWFJob, by string) int64 {
	if by == "partition" {
		return j.Partition
	}
	return j.Queue
}

// putter reads --partitions: the partition for each of the numbers of the jobs'
// queues; nil without the option.
func (o *options) putter(log *slurm.SWFLog, at []int, c cluster) (map[int64]sched.PartitionName, error) {
	if o.Partitions == "" {
		return nil, nil
	}
	var numbers []int64
	for _, k := range at {
		numbers = append(numbers, queueOf(&log.Jobs[k], o.By))
	}
	slices.Sort(numbers)
	numbers = slices.Compact(numbers)
	put := map[int64]sched.PartitionName{}
	names := strings.Split(o.Partitions, ",")
	for i, item := range names {
		name := item
		number := int64(-1)
		switch left, right, given := strings.Cut(item, "="); {
		case given:
			n, err := strconv.ParseInt(left, 10, 64)
			if err != nil {
				return nil, fmt.Errorf("--partitions: %q is not the number of a %s", left, o.By)
			}
			number, name = n, right
		case i < len(numbers):
			number = numbers[i]
		default:
			return nil, fmt.Errorf("--partitions has %d names, the log has only %d %ss", len(names), len(numbers), o.By)
		}
		if c.config.Partition(sched.PartitionName(name)) == nil {
			return nil, fmt.Errorf("--partitions: %s has no partition %q", o.Config, name)
		}
		put[number] = sched.PartitionName(name)
	}
	for _, n := range numbers {
		if _, ok := put[n]; !ok {
			return nil, fmt.Errorf("--partitions says nothing of %s %d of the log, which has %s", o.By, n, joinNumbers(numbers))
		}
	}
	return put, nil
}

func joinNumbers(list []int64) string {
	words := make([]string, len(list))
	for i, n := range list {
		words[i] = strconv.FormatInt(n, 10)
	}
	return strings.Join(words, ", ")
}

// lines yields the lines of a file that say anything, none of them too long. What
// goes wrong with one is said with its number.
func lines(file string, in io.Reader, yield func(line string) error) error {
	s := bufio.NewScanner(in)
	s.Buffer(make([]byte, 0, 64<<10), maxLine)
	number := 0
	for s.Scan() {
		number++
		if line := strings.TrimSpace(s.Text()); line != "" {
			if err := yield(line); err != nil {
				return fmt.Errorf("%s:%d: %w", file, number, err)
			}
		}
	}
	switch err := s.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return fmt.Errorf("%s:%d: the line is longer than %d bytes", file, number+1, maxLine)
	case err != nil:
		return fmt.Errorf("cannot read %s after line %d: %w", file, number, err)
	}
	return nil
}

// maxLine bounds a line of an export, which may hold a job's whole command line.
const maxLine = 4 << 20
