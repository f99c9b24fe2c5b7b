package slurm

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// DependType says what a job waits for in another one.
type DependType uint8

// The kinds of dependency.
const (
	DependAfter            DependType = iota + 1 // it has begun or was cancelled, perhaps some time ago
	DependAfterAny                               // it has ended, in whatever way
	DependAfterOK                                // it has ended with exit code zero
	DependAfterNotOK                             // it has ended in any other way
	DependAfterCorr                              // the task of the same index in that array has ended well
	DependAfterBurstBuffer                       // it has ended and its data are staged out
	DependExpand                                 // this job's nodes shall grow that one
	DependSingleton                              // no other job of this user and name is running
)

var dependNames = [...]string{
	DependAfter: "after", DependAfterAny: "afterany", DependAfterOK: "afterok", DependAfterNotOK: "afternotok",
	DependAfterCorr: "aftercorr", DependAfterBurstBuffer: "afterburstbuffer", DependExpand: "expand", DependSingleton: "singleton",
}

// String returns the word, such as "afterok".
func (t DependType) String() string {
	if t >= DependAfter && int(t) < len(dependNames) {
		return dependNames[t]
	}
	return fmt.Sprintf("DependType(%d)", uint8(t))
}

// ParseDependType reads a kind of dependency, in any case of letters.
func ParseDependType(s string) (DependType, error) {
	for t := DependAfter; int(t) < len(dependNames); t++ {
		if strings.EqualFold(s, dependNames[t]) {
			return t, nil
		}
	}
	return 0, &SyntaxError{Input: s, What: "a kind of dependency", Why: "want after, afterany, afterok, afternotok, aftercorr or singleton", Code: ErrnoDependency}
}

// DependTerm is one thing to wait for.
type DependTerm struct {
	Type     DependType
	Job      JobID // 0 for singleton
	HasTask  bool  // one task of the array Job, namely Task
	Task     uint32
	AllTasks bool          // the array Job as a whole, written ID_*
	Delay    time.Duration // whole minutes that must have passed since
}

// Dependencies are what a job waits for: all terms, or with Any, one of them.
type Dependencies struct {
	Any   bool
	Terms []DependTerm
}

// ParseDependencies reads type:id[:id...] terms. Commas between terms ask for all
// of them; a question mark anywhere makes any one enough. An id is a job, a task
// ID_T, tasks ID_[1-3] or an array ID_*, with +minutes behind it; a bare id
// means afterany. A term that is there already is not added again. "" and "0"
// are no dependency.
func ParseDependencies(s string) (Dependencies, error) {
	refuse := func(why string) (Dependencies, error) {
		return Dependencies{}, &SyntaxError{Input: s, What: "a dependency", Why: why, Code: ErrnoDependency}
	}
	if s == "" || s == "0" {
		return Dependencies{}, nil
	}
	var d Dependencies
	// Commas within brackets belong to an id.
	start, inside := 0, false
	for i := 0; i <= len(s); i++ {
		if i < len(s) {
			switch s[i] {
			case '[':
				inside = true
				continue
			case ']':
				inside = false
				continue
			case '?':
				d.Any = true
			case ',':
				if inside {
					continue
				}
			default:
				continue
			}
		}
		terms, why := parseDependItem(s[start:i])
		if why != "" {
			return refuse(why)
		}
		for _, t := range terms {
			if !slices.ContainsFunc(d.Terms, t.same) {
				d.Terms = append(d.Terms, t)
			}
		}
		if len(d.Terms) > maxDependTerms {
			return refuse(fmt.Sprintf("more than %d terms", maxDependTerms))
		}
		start = i + 1
	}
	return d, nil
}

// maxDependTerms bounds what one job may wait for.
const maxDependTerms = 1 << 14

// same reports whether o waits for the same, the delay aside.
func (t DependTerm) same(o DependTerm) bool {
	t.Delay, o.Delay = 0, 0
	return t == o
}

// parseDependItem reads type:id[:id...], singleton or a bare id.
func parseDependItem(item string) ([]DependTerm, string) {
	if item == "" {
		return nil, "an empty term"
	}
	word, ids, typed := strings.Cut(item, ":")
	if !typed && '0' <= item[0] && item[0] <= '9' {
		if strings.Contains(item, "+") {
			return nil, fmt.Sprintf("%q: a delay needs a type in front", item)
		}
		return parseDependIDs(DependAfterAny, item)
	}
	t, err := ParseDependType(word)
	switch {
	case err != nil:
		return nil, fmt.Sprintf("type %q", word)
	case t == DependSingleton && typed:
		return nil, "singleton takes no job id"
	case t == DependSingleton:
		return []DependTerm{{Type: t}}, ""
	case !typed:
		return nil, fmt.Sprintf("%s without a job id", t)
	}
	return parseDependIDs(t, ids)
}

func parseDependIDs(t DependType, ids string) ([]DependTerm, string) {
	var out []DependTerm
	for id := range strings.SplitSeq(ids, ":") {
		id = strings.TrimLeft(id, " ")
		term := DependTerm{Type: t}
		if at, minutes, delayed := strings.Cut(id, "+"); delayed {
			n, ok := parseUint(minutes, math.MaxInt32)
			if !ok || n == 0 {
				return nil, fmt.Sprintf("delay %q (want minutes)", minutes)
			}
			term.Delay, id = time.Duration(n)*time.Minute, at
		}
		ref, err := ParseJobRef(id)
		if err != nil || ref.HasStep {
			return nil, fmt.Sprintf("job id %q", id)
		}
		term.Job = ref.Job
		switch ref.Part {
		case RefAllTasks:
			term.AllTasks = true
		case RefTask, RefTasks:
			if ref.Tasks.Len()+len(out) > maxDependTerms {
				return nil, fmt.Sprintf("more than %d terms", maxDependTerms)
			}
			term.HasTask = true
			for task := range ref.Tasks.All() {
				term.Task = task
				out = append(out, term)
			}
			continue
		}
		out = append(out, term)
	}
	return out, ""
}

// String prints type:id+delay.
func (t DependTerm) String() string {
	if t.Type == DependSingleton {
		return t.Type.String()
	}
	s := t.Type.String() + ":" + t.Job.String()
	switch {
	case t.AllTasks:
		s += "_*"
	case t.HasTask:
		s += "_" + strconv.FormatUint(uint64(t.Task), 10)
	}
	if t.Delay > 0 {
		s += "+" + strconv.FormatInt(int64(t.Delay/time.Minute), 10)
	}
	return s
}

// String prints the terms so that ParseDependencies reads them back.
func (d Dependencies) String() string {
	return d.join(func(DependTerm) DependShow { return DependBare })
}

// DependShow says how Display shows a term.
type DependShow uint8

// The ways to show a term.
const (
	DependBare   DependShow = iota // the term alone
	DependHidden                   // not at all: it is fulfilled
	DependUnfulfilled
	DependFailed
)

// Display prints what is still open, as squeue and scontrol do, with what show
// says of each term: afterok:12(unfulfilled),afterany:13(failed). It is (null)
// when nothing is open.
func (d Dependencies) Display(show func(DependTerm) DependShow) string {
	if s := d.join(show); s != "" {
		return s
	}
	return "(null)"
}

func (d Dependencies) join(show func(DependTerm) DependShow) string {
	var b strings.Builder
	sep := byte(',')
	if d.Any {
		sep = '?'
	}
	for _, t := range d.Terms {
		mark := ""
		switch show(t) {
		case DependHidden:
			continue
		case DependUnfulfilled:
			mark = "(unfulfilled)"
		case DependFailed:
			mark = "(failed)"
		}
		if b.Len() > 0 {
			b.WriteByte(sep)
		}
		b.WriteString(t.String())
		b.WriteString(mark)
	}
	return b.String()
}

// IsZero reports whether there is nothing to wait for.
func (d Dependencies) IsZero() bool { return len(d.Terms) == 0 }
