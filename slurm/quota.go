package slurm

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Quota is the most that the jobs of a partition may have together, on whichever
// nodes they run. It is ours; its syntax is that of TRES with some kinds more.
// Its zero value bounds jobs to none: NoQuota has no bounds.
type Quota struct {
	TRES                  TRES  // what running jobs hold
	Jobs, Waiting, Submit int64 // running jobs; pending ones; both; -1: no bound
	// Hours is what jobs may use in a calendar month: as much of each kind for so
	// many hours.
	Hours TRES
	// Lend lets other herds use what this one does not; with Reclaim jobs that do
	// give way to this one's. Borrow lets this one use what others lend.
	Lend, Reclaim, Borrow bool
}

// NoQuota bounds nothing.
func NoQuota() Quota { return Quota{Jobs: -1, Waiting: -1, Submit: -1} }

// hoursOf marks the amounts of a month: cpu-hours, gres/gpu-hours. That of CPUs is
// also called core-hours.
const hoursOf = "-hours"

// ParseQuota reads
// "cpu=64,mem=500G,gres/gpu=4,jobs=100,waiting=50,submit=1000,cpu-hours=20000,lend=reclaim,borrow=yes".
func ParseQuota(s string) (Quota, error) {
	q := NoQuota()
	bad := func(format string, args ...any) (Quota, error) {
		return NoQuota(), &SyntaxError{Input: s, What: "a quota", Why: fmt.Sprintf(format, args...), Code: ErrnoInvalidTRES}
	}
	var rest, hours []string
	for item := range strings.SplitSeq(s, ",") {
		key, value, _ := strings.Cut(item, "=")
		key, value = strings.ToLower(strings.TrimSpace(key)), strings.ToLower(strings.TrimSpace(value))
		var to *int64
		switch key {
		case "jobs":
			to = &q.Jobs
		case "waiting":
			to = &q.Waiting
		case "submit":
			to = &q.Submit
		case "lend", "borrow":
			switch {
			case value == "yes" && key == "lend":
				q.Lend = true
			case value == "reclaim" && key == "lend":
				q.Lend, q.Reclaim = true, true
			case value == "yes":
				q.Borrow = true
			case value != "no":
				return bad("%q: it is lend=yes, no or reclaim, and borrow=yes or no", item)
			}
			continue
		default:
			if kind, ok := strings.CutSuffix(key, hoursOf); ok {
				if kind == "core" {
					kind = "cpu"
				}
				hours = append(hours, kind+"="+value)
			} else {
				rest = append(rest, item)
			}
			continue
		}
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < 0 {
			return bad("%q is no number of jobs", item)
		}
		*to = n
	}
	for _, list := range []struct {
		to    *TRES
		items []string
	}{{&q.TRES, rest}, {&q.Hours, hours}} {
		var err error
		if *list.to, err = ParseTRES(strings.Join(list.items, ",")); err != nil {
			return NoQuota(), err
		}
		for _, item := range *list.to {
			known := slices.Contains([]string{"cpu", "mem", "node", "billing", "gres", "license"}, item.Type)
			if !known || (item.Type == "gres" || item.Type == "license") != (item.Name != "") || item.Count < 0 {
				return bad("%s cannot be bounded by it", item.Key())
			}
		}
	}
	// What is idle and who may have it is told by the amounts.
	if (q.Lend || q.Borrow) && len(q.TRES) == 0 {
		return bad("lend and borrow are about amounts, and there are none")
	}
	return q, nil
}

// IsZero reports whether nothing is bounded.
func (q Quota) IsZero() bool {
	return len(q.TRES) == 0 && len(q.Hours) == 0 && max(q.Jobs, q.Waiting, q.Submit) < 0
}

// String is what ParseQuota reads.
func (q Quota) String() string {
	var list []string
	if len(q.TRES) > 0 {
		list = append(list, q.TRES.Raw())
	}
	for _, n := range []struct {
		name string
		most int64
	}{{"jobs", q.Jobs}, {"waiting", q.Waiting}, {"submit", q.Submit}} {
		if n.most >= 0 {
			list = append(list, n.name+"="+strconv.FormatInt(n.most, 10))
		}
	}
	hours := slices.Clone(q.Hours)
	slices.SortFunc(hours, func(a, b TRESItem) int { return cmp.Compare(a.Key(), b.Key()) })
	for _, item := range hours {
		list = append(list, item.Key()+hoursOf+"="+strconv.FormatInt(item.Count, 10))
	}
	switch {
	case q.Reclaim:
		list = append(list, "lend=reclaim")
	case q.Lend:
		list = append(list, "lend=yes")
	}
	if q.Borrow {
		list = append(list, "borrow=yes")
	}
	return strings.Join(list, ",")
}
