package pipeline

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/runink/rink/slurm"
)

// Run is one submission of a script of stages. It says which jobs the stages
// became; how far they are stands with the jobs.
type Run struct {
	ID        RunID
	Name      string // the script's name, or the --job-name all stages share
	User      string
	Submitted time.Time
	Stages    []RunStage // in the order of submission
}

// RunStage is a stage of a run and the job it became.
type RunStage struct {
	Name  string
	Job   slurm.JobID // of the array when the stage is one
	Needs []string
}

// Job returns the job that a stage became.
func (r *Run) Job(stage string) (slurm.JobID, bool) {
	i := slices.IndexFunc(r.Stages, func(st RunStage) bool { return st.Name == stage })
	if i < 0 {
		return 0, false
	}
	return r.Stages[i].Job, true
}

// RunID names a run: the day it was submitted, as YYYYMMDD, and its number
// among the runs of that day, from 1. The zero RunID names none.
type RunID struct {
	Day string
	N   uint32
}

const dayLayout = "20060102"

// Day returns the day of a time, in the time's zone, as RunID has it.
func Day(t time.Time) string { return t.Format(dayLayout) }

// NextRunID returns the id of the run submitted on day after the run last,
// which is the zero RunID before the first. A day earlier than last's, from a
// clock set back, counts on with last's, so that no id comes twice.
func NextRunID(last RunID, day string) (RunID, error) {
	if !isDay(day) {
		return RunID{}, fmt.Errorf("%q is not a day (want YYYYMMDD)", day)
	}
	if day > last.Day {
		return RunID{Day: day, N: 1}, nil
	}
	if last.N == ^uint32(0) {
		return RunID{}, fmt.Errorf("cannot number another run of %s: %s is the last", last.Day, last)
	}
	return RunID{Day: last.Day, N: last.N + 1}, nil
}

// ParseRunID reads an id as String prints it.
func ParseRunID(s string) (RunID, error) {
	fail := func(what string) (RunID, error) {
		return RunID{}, fmt.Errorf("%q is not a run: %s (want RUN-YYYYMMDD-NNNN)", s, what)
	}
	rest, ok := strings.CutPrefix(s, "RUN-")
	if !ok {
		return fail("it does not begin with RUN-")
	}
	day, number, ok := strings.Cut(rest, "-")
	if !ok {
		return fail("no number follows the day")
	}
	if !isDay(day) {
		return fail(fmt.Sprintf("%q is not a day", day))
	}
	n, err := strconv.ParseUint(number, 10, 32)
	id := RunID{Day: day, N: uint32(n)}
	if err != nil || n == 0 || id.String() != s {
		return fail(fmt.Sprintf("%q is not a number of at least four digits, from 0001", number))
	}
	return id, nil
}

// String returns the id as RUN-20261123-0001, or "" for the zero RunID.
func (id RunID) String() string {
	if id == (RunID{}) {
		return ""
	}
	return fmt.Sprintf("RUN-%s-%04d", id.Day, id.N)
}

// IsZero reports whether the id names no run.
func (id RunID) IsZero() bool { return id == RunID{} }

// Compare orders ids by day, then by number.
func (id RunID) Compare(other RunID) int {
	if c := strings.Compare(id.Day, other.Day); c != 0 {
		return c
	}
	switch {
	case id.N < other.N:
		return -1
	case id.N > other.N:
		return 1
	}
	return 0
}

// MarshalText returns what String returns.
func (id RunID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (id *RunID) UnmarshalText(text []byte) (err error) {
	if len(text) == 0 {
		*id = RunID{}
		return nil
	}
	*id, err = ParseRunID(string(text))
	return err
}

func isDay(s string) bool {
	if len(s) != len(dayLayout) || strings.Trim(s, "0123456789") != "" {
		return false
	}
	_, err := time.Parse(dayLayout, s)
	return err == nil
}
