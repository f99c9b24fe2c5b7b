package slurm

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// JobID is the number of a job. Zero is none.
type JobID uint32

// maxJobID keeps clear of the numbers that mean something else.
const maxJobID = math.MaxUint32 - 16

// String prints the number.
func (id JobID) String() string { return strconv.FormatUint(uint64(id), 10) }

// ParseJobID reads a plain job number.
func ParseJobID(s string) (JobID, error) {
	n, ok := parseUint(s, maxJobID)
	if !ok || n == 0 {
		return 0, &SyntaxError{Input: s, What: "a job id", Code: ErrnoInvalidJobID}
	}
	return JobID(n), nil
}

// JobName returns the id of a job as users see it: 12, 12_3 for a task of array
// 12, and 12_* for the tasks of an array that have no record of their own yet.
func JobName(id, array JobID, task uint32, rest bool) string {
	switch {
	case array == 0:
		return id.String()
	case rest:
		return array.String() + "_*"
	}
	return array.String() + "_" + strconv.FormatUint(uint64(task), 10)
}

// StepID is the number of a step in its job. The first steps of srun are 0, 1, 2;
// steps that are not srun's have numbers at the other end.
type StepID uint32

// The steps that are not srun's.
const (
	StepInteractive StepID = math.MaxUint32 - 5 // the shell of salloc
	StepBatch       StepID = math.MaxUint32 - 4 // the batch script
	StepExtern      StepID = math.MaxUint32 - 3 // what came from outside, such as an ssh login
	StepPending     StepID = math.MaxUint32 - 2 // a step that has no number yet
)

// stepNames are the words for steps without a number of their own.
var stepNames = []struct {
	id   StepID
	name string
}{{StepBatch, "batch"}, {StepExtern, "extern"}, {StepInteractive, "interactive"}, {StepPending, "TBD"}}

// String prints the number, or batch, extern, interactive, TBD.
func (s StepID) String() string {
	for _, n := range stepNames {
		if s == n.id {
			return n.name
		}
	}
	return strconv.FormatUint(uint64(s), 10)
}

// ParseStepID reads what String prints.
func ParseStepID(s string) (StepID, error) {
	for _, n := range stepNames {
		if strings.EqualFold(s, n.name) {
			return n.id, nil
		}
	}
	n, ok := parseUint(s, uint64(StepInteractive)-1)
	if !ok {
		return 0, &SyntaxError{Input: s, What: "a step id", Why: "want a number, batch, extern or interactive", Code: ErrnoInvalidJobID}
	}
	return StepID(n), nil
}

// MarshalText writes what String prints.
func (s StepID) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what ParseStepID reads.
func (s *StepID) UnmarshalText(b []byte) (err error) {
	*s, err = ParseStepID(string(b))
	return err
}

// RefPart says which part of a job a JobRef names.
type RefPart uint8

// The parts.
const (
	RefJob       RefPart = iota // N: the job; an array or a set of components as a whole
	RefTask                     // N_3: one task of an array
	RefTasks                    // N_[1-3,5]: these tasks
	RefAllTasks                 // N_*: all tasks
	RefComponent                // N+1: a component of a heterogeneous job
)

// JobRef names a job, tasks of an array or a component, or a step of one, the
// way people write it. The zero value names nothing.
type JobRef struct {
	Job       JobID
	Part      RefPart
	Tasks     IndexSet // RefTask: exactly one; RefTasks: at least one
	Component uint32   // RefComponent
	Step      StepID
	HasStep   bool
}

// ParseJobRef reads N, N_T, N_[1-3,5], N_*, N+C, each perhaps with .S behind it,
// where S is a step number, batch, extern or interactive.
func ParseJobRef(s string) (JobRef, error) {
	refuse := func(why string) (JobRef, error) {
		return JobRef{}, &SyntaxError{Input: s, What: "a job id", Why: why, Code: ErrnoInvalidJobID}
	}
	var r JobRef
	job, step, hasStep := strings.Cut(s, ".")
	if hasStep {
		id, err := ParseStepID(step)
		if err != nil {
			return refuse(fmt.Sprintf("step %q", step))
		}
		r.Step, r.HasStep = id, true
	}
	number := job
	if k := strings.IndexAny(job, "_+"); k >= 0 {
		number = job[:k]
		part := job[k+1:]
		switch {
		case job[k] == '+':
			c, ok := parseUint(part, math.MaxInt32)
			if !ok {
				return refuse(fmt.Sprintf("component %q", part))
			}
			r.Part, r.Component = RefComponent, uint32(c)
		case part == "*":
			r.Part = RefAllTasks
		case strings.HasPrefix(part, "["):
			set, err := ParseIndexSet(part, math.MaxUint32-16)
			if err != nil || !strings.HasSuffix(part, "]") {
				return refuse(fmt.Sprintf("tasks %q", part))
			}
			r.Part, r.Tasks = RefTasks, set
		default:
			t, ok := parseUint(part, math.MaxUint32-16)
			if !ok {
				return refuse(fmt.Sprintf("task %q", part))
			}
			r.Part, r.Tasks = RefTask, NewIndexSet(uint32(t))
		}
	}
	id, err := ParseJobID(number)
	if err != nil {
		return refuse("")
	}
	r.Job = id
	return r, nil
}

// ParseJobRefs reads references separated by commas; commas within [ ] belong to
// one of them, and empty ones are skipped.
func ParseJobRefs(s string) ([]JobRef, error) {
	var out []JobRef
	for _, item := range splitHosts(s) {
		r, err := ParseJobRef(item)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// IsStarred reports whether all tasks of an array are named by a star.
func (r JobRef) IsStarred() bool { return r.Part == RefAllTasks }

// Task returns the one task that is named, if it is one.
func (r JobRef) Task() (uint32, bool) {
	if r.Part != RefTask {
		return 0, false
	}
	return r.Tasks.Min(), true
}

// String prints the reference so that ParseJobRef reads it back.
func (r JobRef) String() string {
	s := r.Job.String()
	switch r.Part {
	case RefTask:
		s += "_" + r.Tasks.String()
	case RefTasks:
		s += "_[" + r.Tasks.String() + "]"
	case RefAllTasks:
		s += "_*"
	case RefComponent:
		s += "+" + strconv.FormatUint(uint64(r.Component), 10)
	}
	if r.HasStep {
		s += "." + r.Step.String()
	}
	return s
}
