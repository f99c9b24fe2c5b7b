package slurm

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// SWFJob is one job of a workload log in Standard Workload Format. What the log
// does not know of a job is -1.
type SWFJob struct {
	Job       int64 // its number in the log
	Submit    int64 // in seconds of the log's own
	Wait      int64 // seconds from submission to start
	Run       int64 // seconds from start to end
	Procs     int64 // processors it got
	CPUTime   float64
	Memory    int64 // KB a processor, used
	ReqProcs  int64
	ReqTime   int64 // seconds
	ReqMemory int64 // KB a processor
	Status    int64 // 1: completed, 0: failed, 5: cancelled
	User      int64
	Group     int64
	App       int64
	Queue     int64
	Partition int64
	Preceding int64 // number of the job it waited for
	ThinkTime int64 // seconds from the end of that to its own submission
}

// SWFLog is a workload log: its comments, which hold the header, and its jobs in
// the order of the file.
type SWFLog struct {
	Comments []string // without the semicolon
	Jobs     []SWFJob
}

// Header returns the value of a header comment "; Key: value", the first one of
// that key.
func (l *SWFLog) Header(key string) (string, bool) {
	for _, c := range l.Comments {
		if k, v, ok := strings.Cut(c, ":"); ok && strings.EqualFold(strings.Trim(k, "; \t"), key) {
			return strings.TrimSpace(v), true
		}
	}
	return "", false
}

// Processors returns how many processors the machine of the log had: MaxProcs of
// its header, or MaxNodes; 0 when it says neither.
func (l *SWFLog) Processors() int {
	for _, key := range []string{"MaxProcs", "MaxNodes"} {
		v, _ := l.Header(key)
		word, _, _ := strings.Cut(v, " ")
		if n, ok := parseUint(word, math.MaxInt32); ok && n > 0 {
			return int(n)
		}
	}
	return 0
}

const (
	maxSWFLine = 64 << 10 // bytes of a line
	maxSWFWord = 1 << 53  // a number of a log
	// shownSWFWord is how much of what is no number an error quotes.
	shownSWFWord = 24
	// leastSWFFields is how much of a line must be there for it to be a job: from
	// its number to its processors. What is missing after them is not known.
	leastSWFFields, swfFields = 5, 18
)

// ReadSWF reads a workload log; name is what errors call it, with the line. Logs
// are taken as they are found: numbers with a fraction lose it, except the CPU
// time, and what a short line lacks is not known.
func ReadSWF(name string, r io.Reader) (*SWFLog, error) {
	log := &SWFLog{}
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 4<<10), maxSWFLine)
	number := 0
	bad := func(line int, format string, args ...any) error {
		return fmt.Errorf("%s:%d: %s", name, line, fmt.Sprintf(format, args...))
	}
	for lines.Scan() {
		number++
		text := trimSpace(lines.Bytes())
		switch {
		case len(text) == 0:
			continue
		case text[0] == ';':
			log.Comments = append(log.Comments, string(text[1:]))
			continue
		}
		j, why := parseSWFJob(text)
		if why != "" {
			if !lines.Scan() && lines.Err() != nil {
				break // the line is what came before the reading failed
			}
			return nil, bad(number, "%s", why)
		}
		log.Jobs = append(log.Jobs, j)
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return nil, bad(number+1, "the line is longer than %d bytes", maxSWFLine)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, bad(number, "the file ends in the middle: it was cut short")
	case err != nil:
		return nil, fmt.Errorf("cannot read %s after line %d: %w", name, number, err)
	}
	return log, nil
}

// parseSWFJob reads the fields of one line.
func parseSWFJob(text []byte) (j SWFJob, why string) {
	var whole [swfFields]int64
	for i := range whole {
		whole[i] = -1
	}
	j.CPUTime = -1
	n := 0
	for len(text) > 0 {
		end := 0
		for end < len(text) && !isBlank(text[end]) {
			end++
		}
		word := text[:end]
		text = trimSpace(text[end:])
		if n == swfFields {
			return j, fmt.Sprintf("it has more than %d fields", swfFields)
		}
		v, cut, ok := swfNumber(word)
		if !ok {
			return j, fmt.Sprintf("field %d, %s, is not a number", n+1, quote(string(word[:min(len(word), shownSWFWord)])))
		}
		if whole[n] = v; n == 5 {
			j.CPUTime = cut
		}
		n++
	}
	if n < leastSWFFields {
		return j, fmt.Sprintf("it has %d fields, %d of %d at least make a job", n, leastSWFFields, swfFields)
	}
	for i, field := range j.fields() {
		if field != nil {
			*field = whole[i]
		}
	}
	return j, ""
}

// fields are the whole numbers of a job in the order of the format; nil stands
// for the one that has a fraction.
func (j *SWFJob) fields() [swfFields]*int64 {
	return [swfFields]*int64{&j.Job, &j.Submit, &j.Wait, &j.Run, &j.Procs, nil, &j.Memory, &j.ReqProcs, &j.ReqTime, &j.ReqMemory,
		&j.Status, &j.User, &j.Group, &j.App, &j.Queue, &j.Partition, &j.Preceding, &j.ThinkTime}
}

// swfNumber reads a number, whole and with its fraction.
func swfNumber(word []byte) (whole int64, exact float64, ok bool) {
	digits, sign := word, int64(1)
	if len(digits) > 0 && digits[0] == '-' {
		digits, sign = digits[1:], -1
	}
	if n := len(digits); n > 0 && n <= 15 {
		for i, c := range digits {
			if c < '0' || c > '9' {
				break
			}
			if whole = whole*10 + int64(c-'0'); i == n-1 {
				return sign * whole, float64(sign * whole), true
			}
		}
	}
	exact, err := strconv.ParseFloat(string(word), 64)
	if err != nil || math.IsNaN(exact) || math.Abs(exact) > maxSWFWord {
		return 0, 0, false
	}
	return int64(exact), exact, true
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f' }

func trimSpace(b []byte) []byte {
	for len(b) > 0 && isBlank(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && isBlank(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

// Write writes the log, comments first. ReadSWF reads the same from it.
func (l *SWFLog) Write(w io.Writer) error {
	b := bufio.NewWriter(w)
	for _, c := range l.Comments {
		b.WriteString(";" + c + "\n")
	}
	var buf []byte
	for i := range l.Jobs {
		j := &l.Jobs[i]
		buf = buf[:0]
		for k, field := range j.fields() {
			if k > 0 {
				buf = append(buf, ' ')
			}
			if field == nil {
				buf = strconv.AppendFloat(buf, j.CPUTime, 'f', -1, 64)
				continue
			}
			buf = strconv.AppendInt(buf, *field, 10)
		}
		b.Write(append(buf, '\n'))
	}
	return b.Flush()
}
