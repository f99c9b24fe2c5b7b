package squeue

import (
	"slices"
	"strings"
	"time"

	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// Letters that may stand in --sort without being any order: rows stay as they are.
const (
	sortsNothing = "bcfn"
	sortsByTable = "BCDGHIJLMNOPQSTUVdeghijlmptuvz"
)

// sortKey is one letter of --sort.
type sortKey struct {
	letter     byte
	descending bool
}

// parseSort reads an order such as "P,t,-p", as Slurm does: every letter is a
// key, whatever stands between them, so that "ij" is two. It returns the first
// key last, which is the order in which they are to be sorted by.
func parseSort(order string) []sortKey {
	var out []sortKey
	for i := len(order) - 1; i >= 0; i-- {
		if c := order[i]; c != ',' && c != '-' && c != '+' {
			out = append(out, sortKey{c, i > 0 && order[i-1] == '-'})
		}
	}
	return out
}

// sortJobs sorts rows that stand in the order of their ids by the keys of order.
// Rows that no key tells apart stand with what started or will start last in
// front, and what has no start at the end.
func sortJobs(env *cli.Env, order string, v *show.View, rows []*show.Job) error {
	byStart(v, rows, true)
	for _, k := range parseSort(order) {
		if strings.IndexByte(sortsNothing, k.letter) >= 0 {
			if k.letter == 'b' {
				env.Infof("Invalid sort specification: b")
			}
			continue
		}
		if strings.IndexByte(sortsByTable, k.letter) < 0 {
			return mistake(env, "Invalid sort specification: %c", k.letter)
		}
		switch k.letter {
		case 'S':
			byStart(v, rows, k.descending)
		case 'N':
			byNode(rows, k.descending, func(j *show.Job) []sched.NodeName { return j.HeldNodes() })
		default:
			stable(rows, jobOrder(v, k.letter), k.descending)
		}
	}
	return nil
}

// stable sorts rows, those that are alike left as they are.
func stable[R any](rows []R, compare func(a, b R) int, descending bool) {
	slices.SortStableFunc(rows, func(a, b R) int {
		n := compare(a, b)
		if descending {
			n = -n
		}
		return n
	})
}

// jobOrder is the order of jobs by a letter.
func jobOrder(v *show.View, letter byte) func(a, b *show.Job) int {
	second := func(at func(*show.Job) time.Time) func(a, b *show.Job) int {
		unix := func(j *show.Job) int64 {
			if t := at(j); !t.IsZero() {
				return t.Unix()
			}
			return 0
		}
		return func(a, b *show.Job) int { return int(unix(a) - unix(b)) }
	}
	switch letter {
	case 'e':
		return second(func(j *show.Job) time.Time { return lastEnd(v, j) })
	case 'V':
		return second(func(j *show.Job) time.Time { return j.Submit })
	case 'T':
		letter = 't' // both by the short words
	}
	cols := columns()
	c := &cols[slices.IndexFunc(cols, func(c column) bool { return c.Letter == letter })]
	return func(a, b *show.Job) int {
		if c.Compare != nil {
			return c.Compare(v, a, b)
		}
		return strings.Compare(c.Value(v, a), c.Value(v, b))
	}
}

// lastEnd is when the job ends at the latest: a year after its start when
// nothing else ends it.
func lastEnd(v *show.View, j *show.Job) time.Time {
	if j.HasEnded() || j.TimeLimit != slurm.Unlimited {
		return j.EndAt(v.Now)
	}
	start := j.StartAt(v.Now)
	if start.IsZero() {
		return start
	}
	return start.Add(365 * 24 * time.Hour)
}

// byStart sorts by the second of the start. What has none comes last whichever
// way the others are sorted, in the reverse of the order it was in.
func byStart(v *show.View, rows []*show.Job, descending bool) {
	known := make([]*show.Job, 0, len(rows))
	var unknown []*show.Job
	for _, j := range rows {
		if j.StartAt(v.Now).IsZero() {
			unknown = append(unknown, j)
		} else {
			known = append(known, j)
		}
	}
	stable(known, func(a, b *show.Job) int { return int(a.StartAt(v.Now).Unix() - b.StartAt(v.Now).Unix()) }, descending)
	slices.Reverse(unknown)
	copy(rows, append(known, unknown...))
}

// byNode sorts by the first node. What is on none comes last, in the reverse of
// the order it was in; descending it comes first, in that order.
func byNode[R any](rows []R, descending bool, nodes func(R) []sched.NodeName) {
	first := func(r R) string {
		if list := nodes(r); len(list) > 0 {
			return string(list[0])
		}
		return ""
	}
	placed := make([]R, 0, len(rows))
	var nowhere []R
	for _, r := range rows {
		if first(r) == "" {
			nowhere = append(nowhere, r)
		} else {
			placed = append(placed, r)
		}
	}
	stable(placed, func(a, b R) int { return slurm.CompareHosts(first(a), first(b)) }, descending)
	if descending {
		copy(rows, append(nowhere, placed...))
		return
	}
	slices.Reverse(nowhere)
	copy(rows, append(placed, nowhere...))
}

// sortSteps sorts steps by the letters that are an order of steps; others sort
// nothing and are not refused.
func sortSteps(env *cli.Env, order string, v *show.View, rows []*step) {
	cols := stepColumns()
	for _, k := range parseSort(order) {
		switch k.letter {
		case 'b':
			env.Infof("Invalid sort specification: b")
		case 'N':
			byNode(rows, k.descending, func(s *step) []sched.NodeName { return s.HeldNodes() })
		case 'S':
			stable(rows, func(a, b *step) int { return int(a.Start.Unix() - b.Start.Unix()) }, k.descending)
		case 'P', 'u', 'U', 'i', 'M':
			c := &cols[slices.IndexFunc(cols, func(c stepColumn) bool { return c.Letter == k.letter })]
			stable(rows, func(a, b *step) int {
				if c.Compare != nil {
					return c.Compare(v, a, b)
				}
				return strings.Compare(c.Value(v, a), c.Value(v, b))
			}, k.descending)
		}
	}
}
