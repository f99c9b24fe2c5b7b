package slurm

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// ArraySpec is a job array as asked for: which indexes, and how many of them may
// run at once.
type ArraySpec struct {
	Indexes  IndexSet
	Throttle int    // 0: all at once
	Step     uint32 // that of the first range that was given with one; 0: none was
}

// ParseArray reads indexes, ranges and stepped ranges separated by commas, with
// %N anywhere behind one of them: 0-15:4%3. As in Slurm, a % with no number behind
// it sets no limit, and brackets may stand around any of it. No index may be above
// maxIndex, which is one below MaxArraySize.
func ParseArray(s string, maxIndex uint32) (ArraySpec, error) {
	refuse := func(why string) (ArraySpec, error) {
		return ArraySpec{}, &SyntaxError{Input: s, What: "a job array", Why: why, Code: ErrnoInvalidArray}
	}
	text, throttle := s, 0
	if before, after, ok := strings.Cut(s, "%"); ok {
		number := after[:digits(after)]
		if number != "" {
			limit, fits := parseUint(number, math.MaxInt32)
			if !fits {
				return refuse(fmt.Sprintf("limit %q (want %%number)", after))
			}
			throttle = int(limit)
		}
		_, more, _ := strings.Cut(after, ",")
		text = before + "," + more
	}
	text = strings.NewReplacer("[", "", "]", "").Replace(text)
	parts := strings.Split(text, ",")
	for i, part := range parts {
		parts[i] = strings.TrimLeft(part, " \t")
	}
	set, err := ParseIndexSet(strings.Join(parts, ","), maxIndex)
	if err != nil {
		return refuse(err.(*SyntaxError).Why)
	}
	spec := ArraySpec{Indexes: set, Throttle: throttle}
	if _, step, ok := strings.Cut(text, ":"); ok {
		if n, fits := parseUint(step[:digits(step)], math.MaxUint32); fits {
			spec.Step = uint32(n)
		}
	}
	return spec, nil
}

// String prints the array so that ParseArray reads it back: 0-15%4.
func (a ArraySpec) String() string { return a.Text(0) }

// Text prints the array with its indexes cut as IndexSet.Text does; the limit is
// always there. It is what squeue shows behind the id, in brackets.
func (a ArraySpec) Text(size int) string {
	s := a.Indexes.Text(size)
	if a.Throttle > 0 {
		s += "%" + strconv.Itoa(a.Throttle)
	}
	return s
}

// maxArrayName is how much of the id of an array's remaining tasks squeue shows
// when SLURM_BITSTR_LEN is not set.
const maxArrayName = 31

// ArrayName prints the id of the tasks of an array that have no record of their
// own yet as squeue's %i shows it: 12_[4-10%2]. The argument bitstr is
// SLURM_BITSTR_LEN: the size of the text for the indexes, 0 for no bound; when it
// is "" the whole name is cut too.
func ArrayName(array JobID, rest ArraySpec, bitstr string) string {
	name := array.String() + "_[" + rest.Text(IndexTextSize(bitstr)) + "]"
	if bitstr == "" && len(name) > maxArrayName {
		return name[:maxArrayName]
	}
	return name
}

// IndexTextSize returns the size that SLURM_BITSTR_LEN sets for IndexSet.Text.
func IndexTextSize(bitstr string) int {
	if n, ok := parseUint(bitstr, 1<<20); ok {
		return int(n)
	}
	return DefaultIndexText
}
