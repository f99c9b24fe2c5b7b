package slurm

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Quota is the most that the jobs of a partition may have together, on whichever
// nodes they run. It is ours; its syntax is that of TRES with two kinds more.
// Its zero value bounds jobs to none: NoQuota has no bounds.
type Quota struct {
	TRES         TRES  // what running jobs hold
	Jobs, Submit int64 // running jobs; jobs that have not ended; -1: no bound
}

// NoQuota bounds nothing.
func NoQuota() Quota { return Quota{Jobs: -1, Submit: -1} }

// ParseQuota reads "cpu=64,mem=500G,gres/gpu=4,jobs=100,submit=1000".
func ParseQuota(s string) (Quota, error) {
	q := NoQuota()
	var rest []string
	for item := range strings.SplitSeq(s, ",") {
		key, value, _ := strings.Cut(item, "=")
		var to *int64
		switch strings.ToLower(strings.TrimSpace(key)) {
		case "jobs":
			to = &q.Jobs
		case "submit":
			to = &q.Submit
		default:
			rest = append(rest, item)
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
		if err != nil || n < 0 {
			return NoQuota(), &SyntaxError{Input: s, What: "a quota", Why: fmt.Sprintf("%q is no number of jobs", item), Code: ErrnoInvalidTRES}
		}
		*to = n
	}
	var err error
	if q.TRES, err = ParseTRES(strings.Join(rest, ",")); err != nil {
		return NoQuota(), err
	}
	for _, item := range q.TRES {
		known := slices.Contains([]string{"cpu", "mem", "node", "billing", "gres", "license"}, item.Type)
		if !known || (item.Type == "gres" || item.Type == "license") != (item.Name != "") || item.Count < 0 {
			return NoQuota(), &SyntaxError{Input: s, What: "a quota", Why: fmt.Sprintf("%s cannot be bounded by it", item.Key()), Code: ErrnoInvalidTRES}
		}
	}
	return q, nil
}

// IsZero reports whether nothing is bounded.
func (q Quota) IsZero() bool { return len(q.TRES) == 0 && q.Jobs < 0 && q.Submit < 0 }

// String is what ParseQuota reads.
func (q Quota) String() string {
	var list []string
	if len(q.TRES) > 0 {
		list = append(list, q.TRES.Raw())
	}
	if q.Jobs >= 0 {
		list = append(list, "jobs="+strconv.FormatInt(q.Jobs, 10))
	}
	if q.Submit >= 0 {
		list = append(list, "submit="+strconv.FormatInt(q.Submit, 10))
	}
	return strings.Join(list, ",")
}
