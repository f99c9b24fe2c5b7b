package slurm

import (
	"strconv"
	"strings"
)

// FormatRunLengths prints numbers as SLURM_TASKS_PER_NODE and
// SLURM_JOB_CPUS_PER_NODE hold them: 2(x3),1.
func FormatRunLengths(counts []int) string {
	var b strings.Builder
	for i := 0; i < len(counts); {
		end := i + 1
		for end < len(counts) && counts[end] == counts[i] {
			end++
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Itoa(counts[i]))
		if end > i+1 {
			b.WriteString("(x" + strconv.Itoa(end-i) + ")")
		}
		i = end
	}
	return b.String()
}

// ParseRunLengths reads what FormatRunLengths prints, of at most MaxHosts numbers.
func ParseRunLengths(s string) ([]int, error) {
	refuse := func(part string) ([]int, error) {
		return nil, &SyntaxError{Input: s, What: "a list of counts", Why: quote(part) + " (want count or count(xtimes))"}
	}
	var out []int
	if s == "" {
		return out, nil
	}
	for part := range strings.SplitSeq(s, ",") {
		count, rest, repeated := strings.Cut(part, "(x")
		n, ok := parseUint(count, 1<<31-1)
		times := uint64(1)
		if repeated {
			var closed bool
			if rest, closed = strings.CutSuffix(rest, ")"); !closed {
				return refuse(part)
			}
			var okTimes bool
			times, okTimes = parseUint(rest, MaxHosts)
			ok = ok && okTimes && times > 0
		}
		if !ok || uint64(len(out))+times > MaxHosts {
			return refuse(part)
		}
		for range times {
			out = append(out, int(n))
		}
	}
	return out, nil
}
