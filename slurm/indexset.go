package slurm

import (
	"fmt"
	"iter"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// IndexSet is a set of array indexes. It is immutable: every change returns a new
// set, which shares what it can with the old one. It is held as runs of
// consecutive indexes, so that an array of 200,001 tasks costs what one of ten
// does, and taking the lowest index neither copies nor allocates.
type IndexSet struct {
	// head is the first run; it stands apart so that a set whose lowest index was
	// taken can share tail with the one before.
	head IndexRange
	tail []IndexRange
	n    int // indexes in all; 0: empty, whatever head says
}

// IndexRange is the indexes Lo, Lo+Step, ... up to Hi; both ends belong to it,
// and Step is at least 1.
type IndexRange struct{ Lo, Hi, Step uint32 }

// NewIndexSet returns the set of these indexes.
func NewIndexSet(indexes ...uint32) IndexSet {
	if len(indexes) == 1 {
		i := indexes[0]
		return IndexSet{head: IndexRange{i, i, 1}, n: 1}
	}
	sorted := slices.Clone(indexes)
	slices.Sort(sorted)
	var b indexBuilder
	for _, i := range sorted {
		b.add(i, i)
	}
	return b.set()
}

// IndexSetOf returns the union of ranges. A Step of 0 counts as 1; a range whose
// Hi is below its Lo is empty.
func IndexSetOf(ranges ...IndexRange) IndexSet {
	var b indexBuilder
	sorted := true
	last := int64(-1)
	for _, r := range ranges {
		if sorted = sorted && int64(r.Lo) >= last; !sorted {
			break
		}
		last = int64(r.Hi)
	}
	if !sorted {
		return unionOf(ranges)
	}
	for _, r := range ranges {
		b.addRange(r)
	}
	return b.set()
}

// unionOf joins ranges in any order by merging sets of one range each.
func unionOf(ranges []IndexRange) IndexSet {
	if len(ranges) == 1 {
		return IndexSetOf(ranges[0])
	}
	mid := len(ranges) / 2
	return unionOf(ranges[:mid]).Union(unionOf(ranges[mid:]))
}

// indexBuilder makes a set of ascending runs, which may touch or overlap.
type indexBuilder struct {
	runs []IndexRange
	n    int
}

func (b *indexBuilder) add(lo, hi uint32) {
	if k := len(b.runs) - 1; k >= 0 && uint64(lo) <= uint64(b.runs[k].Hi)+1 {
		if hi > b.runs[k].Hi {
			b.n += int(hi - b.runs[k].Hi)
			b.runs[k].Hi = hi
		}
		return
	}
	b.runs = append(b.runs, IndexRange{lo, hi, 1})
	b.n += int(hi-lo) + 1
}

func (b *indexBuilder) addRange(r IndexRange) {
	if r.Lo > r.Hi {
		return
	}
	if r.Step <= 1 {
		b.add(r.Lo, r.Hi)
		return
	}
	for i := uint64(r.Lo); i <= uint64(r.Hi); i += uint64(r.Step) {
		b.add(uint32(i), uint32(i))
	}
}

func (b *indexBuilder) set() IndexSet {
	if len(b.runs) == 0 {
		return IndexSet{}
	}
	return IndexSet{head: b.runs[0], tail: b.runs[1:len(b.runs):len(b.runs)], n: b.n}
}

// Len returns how many indexes there are.
func (s IndexSet) Len() int { return s.n }

// IsEmpty reports whether there are none.
func (s IndexSet) IsEmpty() bool { return s.n == 0 }

// runs returns the number of runs, and run the i-th.
func (s IndexSet) runs() int {
	if s.n == 0 {
		return 0
	}
	return 1 + len(s.tail)
}

func (s IndexSet) run(i int) IndexRange {
	if i == 0 {
		return s.head
	}
	return s.tail[i-1]
}

// Runs returns the set as ascending runs of consecutive indexes (Step 1).
func (s IndexSet) Runs() []IndexRange {
	if s.n == 0 {
		return nil
	}
	return append([]IndexRange{s.head}, s.tail...)
}

// Min returns the lowest index; 0 when there is none.
func (s IndexSet) Min() uint32 {
	if s.n == 0 {
		return 0
	}
	return s.head.Lo
}

// Max returns the highest index; 0 when there is none.
func (s IndexSet) Max() uint32 {
	if s.n == 0 {
		return 0
	}
	return s.run(s.runs() - 1).Hi
}

// Contains reports whether i is in the set.
func (s IndexSet) Contains(i uint32) bool {
	k := s.find(i)
	return k < s.runs() && s.run(k).Lo <= i
}

// find returns the first run that ends at i or later.
func (s IndexSet) find(i uint32) int {
	return sort.Search(s.runs(), func(k int) bool { return s.run(k).Hi >= i })
}

// All yields the indexes in ascending order.
func (s IndexSet) All() iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for k := range s.runs() {
			r := s.run(k)
			for i := uint64(r.Lo); i <= uint64(r.Hi); i++ {
				if !yield(uint32(i)) {
					return
				}
			}
		}
	}
}

// TakeLowest returns the lowest index and the set without it. The set must not
// be empty.
func (s IndexSet) TakeLowest() (uint32, IndexSet) {
	if s.n == 0 {
		panic("slurm: TakeLowest of an empty IndexSet")
	}
	i := s.head.Lo
	s.n--
	switch {
	case s.head.Lo < s.head.Hi:
		s.head.Lo++
	case len(s.tail) > 0:
		s.head, s.tail = s.tail[0], s.tail[1:]
	default:
		s = IndexSet{}
	}
	return i, s
}

// TakeLowestN splits off the n lowest indexes; all of them when there are fewer.
func (s IndexSet) TakeLowestN(n int) (taken, rest IndexSet) {
	if n <= 0 {
		return IndexSet{}, s
	}
	if n >= s.n {
		return s, IndexSet{}
	}
	var b indexBuilder
	for k := range s.runs() {
		r := s.run(k)
		size := int(r.Hi-r.Lo) + 1
		if b.n+size <= n {
			b.add(r.Lo, r.Hi)
			continue
		}
		rest = IndexSet{head: r, tail: s.tail[k:], n: s.n - n}
		if cut := n - b.n; cut > 0 {
			b.add(r.Lo, r.Lo+uint32(cut)-1)
			rest.head.Lo += uint32(cut)
		}
		break
	}
	return b.set(), rest
}

// With returns the set with i in it.
func (s IndexSet) With(i uint32) IndexSet {
	if s.Contains(i) {
		return s
	}
	return s.Union(NewIndexSet(i))
}

// Without returns the set without i.
func (s IndexSet) Without(i uint32) IndexSet {
	k := s.find(i)
	if k == s.runs() || s.run(k).Lo > i {
		return s
	}
	r := s.run(k)
	if k == 0 && r.Lo == i {
		_, s = s.TakeLowest()
		return s
	}
	out := make([]IndexRange, 0, s.runs()+1)
	out = append(out, s.head)
	out = append(out, s.tail...)
	switch {
	case r.Lo == r.Hi:
		out = slices.Delete(out, k, k+1)
	case r.Lo == i:
		out[k].Lo++
	case r.Hi == i:
		out[k].Hi--
	default:
		out[k].Hi = i - 1
		out = slices.Insert(out, k+1, IndexRange{i + 1, r.Hi, 1})
	}
	return IndexSet{head: out[0], tail: out[1:], n: s.n - 1}
}

// Union returns the indexes that are in either set.
func (s IndexSet) Union(o IndexSet) IndexSet {
	switch {
	case s.n == 0:
		return o
	case o.n == 0:
		return s
	}
	var b indexBuilder
	b.runs = make([]IndexRange, 0, s.runs()+o.runs())
	for i, k := 0, 0; i < s.runs() || k < o.runs(); {
		if k == o.runs() || i < s.runs() && s.run(i).Lo <= o.run(k).Lo {
			b.add(s.run(i).Lo, s.run(i).Hi)
			i++
		} else {
			b.add(o.run(k).Lo, o.run(k).Hi)
			k++
		}
	}
	return b.set()
}

// Intersect returns the indexes that are in both sets.
func (s IndexSet) Intersect(o IndexSet) IndexSet {
	var b indexBuilder
	for i, k := 0, 0; i < s.runs() && k < o.runs(); {
		x, y := s.run(i), o.run(k)
		if lo, hi := max(x.Lo, y.Lo), min(x.Hi, y.Hi); lo <= hi {
			b.add(lo, hi)
		}
		if x.Hi < y.Hi {
			i++
		} else {
			k++
		}
	}
	return b.set()
}

// Minus returns the indexes of s that are not in o.
func (s IndexSet) Minus(o IndexSet) IndexSet {
	if s.n == 0 || o.n == 0 {
		return s
	}
	var b indexBuilder
	k := 0
	for i := range s.runs() {
		r := s.run(i)
		lo := uint64(r.Lo)
		for k < o.runs() && o.run(k).Hi < r.Lo {
			k++
		}
		for ; k < o.runs() && o.run(k).Lo <= r.Hi; k++ {
			if cut := o.run(k); uint64(cut.Lo) > lo {
				b.add(uint32(lo), cut.Lo-1)
			}
			lo = max(lo, uint64(o.run(k).Hi)+1)
			if o.run(k).Hi >= r.Hi {
				break // it may reach into the next run too
			}
		}
		if lo <= uint64(r.Hi) {
			b.add(uint32(lo), r.Hi)
		}
	}
	return b.set()
}

// Equal reports whether both sets hold the same indexes.
func (s IndexSet) Equal(o IndexSet) bool {
	return s.n == o.n && (s.n == 0 || s.head == o.head && slices.Equal(s.tail, o.tail))
}

// Stride returns the distance between neighbours when it is the same throughout
// and there are at least two indexes; else 1.
func (s IndexSet) Stride() uint32 {
	switch {
	case s.n < 2 || s.head.Lo != s.head.Hi:
		return 1
	}
	step := s.tail[0].Lo - s.head.Lo
	prev := s.head.Lo
	for _, r := range s.tail {
		if r.Lo != r.Hi || r.Lo-prev != step {
			return 1
		}
		prev = r.Lo
	}
	return step
}

// String prints the set as Slurm does: 0-9, 3,5,7 or 2,4,6-8; more than five
// evenly spaced indexes that span more than eleven places as 0-20:2.
func (s IndexSet) String() string {
	var b strings.Builder
	s.write(&b, math.MaxInt)
	return b.String()
}

// write appends the text, and stops soon after it has grown beyond most bytes.
func (s IndexSet) write(b *strings.Builder, most int) {
	if s.n > 5 && s.Max()-s.Min() > 10 {
		if step := s.Stride(); step > 1 {
			fmt.Fprintf(b, "%d-%d:%d", s.Min(), s.Max(), step)
			return
		}
	}
	start := b.Len()
	for k := range s.runs() {
		if b.Len()-start > most {
			return
		}
		if k > 0 {
			b.WriteByte(',')
		}
		r := s.run(k)
		b.WriteString(strconv.FormatUint(uint64(r.Lo), 10))
		if r.Hi > r.Lo {
			b.WriteByte('-')
			b.WriteString(strconv.FormatUint(uint64(r.Hi), 10))
		}
	}
}

// DefaultIndexText is the size of the buffer into which squeue and scontrol
// print the indexes of an array, unless SLURM_BITSTR_LEN says otherwise.
const DefaultIndexText = 64

// Text prints the set as a buffer of size bytes holds it in Slurm: at most size-1
// bytes, the last three of them dots when it was cut. Size 0 sets no bound.
func (s IndexSet) Text(size int) string {
	if size <= 0 {
		return s.String()
	}
	var b strings.Builder
	s.write(&b, size)
	text := b.String()
	if len(text) < size {
		return text
	}
	const dots = "..."
	if size-1 <= len(dots) {
		return dots[:size-1]
	}
	return text[:size-1-len(dots)] + dots
}

// ParseIndexSet reads indexes and ranges, lo-hi or lo-hi:step, separated by
// commas, in any order and perhaps within [ ]; none may be above most.
func ParseIndexSet(s string, most uint32) (IndexSet, error) {
	refuse := func(why string) (IndexSet, error) {
		return IndexSet{}, &SyntaxError{Input: s, What: "a set of indexes", Why: why, Code: ErrnoInvalidArray}
	}
	text := s
	if strings.HasPrefix(text, "[") && strings.HasSuffix(text, "]") {
		text = text[1 : len(text)-1]
	}
	var ranges []IndexRange
	total := uint64(0)
	for part := range strings.SplitSeq(text, ",") {
		if part == "" {
			continue
		}
		span, by, stepped := strings.Cut(part, ":")
		lo, hi, ranged := strings.Cut(span, "-")
		if !ranged {
			hi = lo
		}
		a, ok1 := parseUint(lo, math.MaxUint32)
		z, ok2 := parseUint(hi, math.MaxUint32)
		switch {
		case !ok1 || !ok2 || stepped && !ranged:
			return refuse(fmt.Sprintf("%q (want index, low-high or low-high:step)", part))
		case z < a:
			return refuse(fmt.Sprintf("%q ends before it begins", part))
		case z > uint64(most):
			return refuse(fmt.Sprintf("%q is above the highest index, %d", part, most))
		}
		step := uint64(1)
		if stepped {
			var ok bool
			if step, ok = parseUint(by, math.MaxUint32); !ok || step == 0 {
				return refuse(fmt.Sprintf("step %q", by))
			}
			// Only stepped ranges cost memory by their members.
			if step > 1 {
				total += (z-a)/step + 1
			}
			if total > maxSteppedIndexes {
				return refuse("too many indexes")
			}
		}
		ranges = append(ranges, IndexRange{uint32(a), uint32(z), uint32(step)})
	}
	if len(ranges) == 0 {
		return refuse("it names none")
	}
	return unionOf(ranges), nil
}

// maxSteppedIndexes bounds what stepped ranges may name in all: half of the
// largest array there can be.
const maxSteppedIndexes = 1 << 21

// MarshalText writes what String prints; an empty set is "".
func (s IndexSet) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what ParseIndexSet reads, and "".
func (s *IndexSet) UnmarshalText(b []byte) (err error) {
	if len(b) == 0 {
		*s = IndexSet{}
		return nil
	}
	*s, err = ParseIndexSet(string(b), math.MaxUint32)
	return err
}
