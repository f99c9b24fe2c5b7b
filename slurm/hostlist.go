package slurm

import (
	"cmp"
	"fmt"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"
)

// MaxHosts is the most hosts one list may name, so that a short text cannot ask
// for unbounded memory.
const MaxHosts = 1 << 20

// HostList is a list of host names in Slurm's notation: n[1-4,7],a,b[001-010].
// It keeps order and duplicates; it is held as ranges, and immutable.
type HostList struct {
	runs []hostRun
	n    int
}

// hostRun is a name that does not end in a number, or a prefix and consecutive
// numbers behind it.
type hostRun struct {
	prefix string
	// lo and hi are the numbers; width their least number of digits, zeros in
	// front; 0: as many as needed.
	lo, hi   uint64
	width    int
	numbered bool
}

// ParseHostList reads names separated by commas or blanks. A bracket holds
// numbers and ranges; zeros in front of the low end are kept; several brackets
// in one name give all combinations, the last one running fastest.
func ParseHostList(s string) (HostList, error) {
	var h HostList
	for _, item := range splitHosts(s) {
		if err := h.parseItem(s, item); err != nil {
			return HostList{}, err
		}
	}
	return h, nil
}

// splitHosts cuts at commas and white space outside brackets.
func splitHosts(s string) []string {
	var items []string
	start, inside := 0, false
	for i := 0; i <= len(s); i++ {
		switch {
		case i < len(s) && s[i] == '[':
			inside = true
		case i < len(s) && s[i] == ']':
			inside = false
		case i == len(s) || !inside && (s[i] == ',' || s[i] == ' ' || s[i] == '\t' || s[i] == '\n' || s[i] == '\r'):
			if start < i {
				items = append(items, s[start:i])
			}
			start = i + 1
		}
	}
	return items
}

// parseItem adds one name, with its brackets expanded.
func (h *HostList) parseItem(whole, item string) error {
	refuse := func(why string) error {
		return &SyntaxError{Input: whole, What: "a host list", Why: why, Code: ErrnoInvalidNodeName}
	}
	literal, sets, why := brackets(item)
	if why != "" {
		return refuse(fmt.Sprintf("%s in %q", why, item))
	}
	total := uint64(1)
	for _, set := range sets {
		n := uint64(0)
		for _, r := range set {
			n += r.hi - r.lo + 1
		}
		if total *= n; total > MaxHosts {
			return refuse(fmt.Sprintf("more than %d hosts", MaxHosts))
		}
	}
	if h.n+int(total) > MaxHosts {
		return refuse(fmt.Sprintf("more than %d hosts", MaxHosts))
	}
	if len(sets) == 0 {
		h.add(splitHost(item))
		return nil
	}
	h.combine(literal[0], literal[1:], sets)
	return nil
}

// combine adds every combination of sets behind prefix; literal[i] follows
// sets[i].
func (h *HostList) combine(prefix string, literal []string, sets [][]hostRun) {
	for _, r := range sets[0] {
		if len(sets) == 1 && literal[0] == "" {
			// A prefix that itself ends in digits takes part in the number.
			if k := len(prefix); k == 0 || prefix[k-1] < '0' || prefix[k-1] > '9' {
				r.prefix, r.numbered = prefix, true
				h.add(r)
				continue
			}
		}
		for n := r.lo; ; n++ {
			name := prefix + r.number(n) + literal[0]
			if len(sets) == 1 {
				h.add(splitHost(name))
			} else {
				h.combine(name, literal[1:], sets[1:])
			}
			if n == r.hi {
				break
			}
		}
	}
}

// brackets cuts a name into the texts around its brackets and what the brackets
// hold; why says what is wrong.
func brackets(item string) (literal []string, sets [][]hostRun, why string) {
	for {
		open := strings.IndexByte(item, '[')
		if shut := strings.IndexByte(item, ']'); shut >= 0 && (open < 0 || shut < open) {
			return nil, nil, "] without ["
		}
		if open < 0 {
			return append(literal, item), sets, ""
		}
		shut := strings.IndexByte(item, ']')
		if shut < 0 {
			return nil, nil, "[ without ]"
		}
		inner := item[open+1 : shut]
		if strings.IndexByte(inner, '[') >= 0 {
			return nil, nil, "[ within [ ]"
		}
		var set []hostRun
		for part := range strings.SplitSeq(inner, ",") {
			r, ok := parseHostRange(part)
			if !ok {
				return nil, nil, fmt.Sprintf("invalid range %q", part)
			}
			set = append(set, r)
		}
		literal, sets = append(literal, item[:open]), append(sets, set)
		item = item[shut+1:]
	}
}

func parseHostRange(s string) (hostRun, bool) {
	lo, hi, ranged := strings.Cut(s, "-")
	if !ranged {
		hi = lo
	}
	if len(lo) > maxHostDigits || len(hi) > maxHostDigits {
		return hostRun{}, false
	}
	a, ok1 := parseUint(lo, math.MaxUint64)
	b, ok2 := parseUint(hi, math.MaxUint64)
	if !ok1 || !ok2 || b < a || b-a >= MaxHosts {
		return hostRun{}, false
	}
	return hostRun{lo: a, hi: b, width: padding(lo)}, true
}

// maxHostDigits is the most digits a number in a host name may have to be
// counted with; a longer one is part of the name.
const maxHostDigits = 18

// padding returns the width that keeps the zeros in front of a number.
func padding(digits string) int {
	if len(digits) > 1 && digits[0] == '0' {
		return len(digits)
	}
	return 0
}

// CompareHosts is the order of two host names: by what stands before the number
// at their end, then by that number.
func CompareHosts(a, b string) int {
	x, y := splitHost(a), splitHost(b)
	if n := strings.Compare(x.prefix, y.prefix); n != 0 {
		return n
	}
	return cmp.Compare(x.lo, y.lo)
}

// splitHost takes the number off the end of a name.
func splitHost(name string) hostRun {
	k := len(name)
	for k > 0 && '0' <= name[k-1] && name[k-1] <= '9' {
		k--
	}
	if k == len(name) || len(name)-k > maxHostDigits {
		return hostRun{prefix: name}
	}
	n, _ := strconv.ParseUint(name[k:], 10, 64)
	return hostRun{prefix: name[:k], lo: n, hi: n, width: padding(name[k:]), numbered: true}
}

// add puts hosts at the end, joined to the last ones where they continue them.
func (h *HostList) add(r hostRun) {
	h.n += r.len()
	if len(h.runs) > 0 {
		last := &h.runs[len(h.runs)-1]
		if last.numbered && r.numbered && last.prefix == r.prefix && last.hi+1 == r.lo && last.printsAlike(r) {
			last.hi = r.hi
			return
		}
	}
	h.runs = append(h.runs, r)
}

// printsAlike reports whether the numbers of o would look the same with the
// padding of r.
func (r hostRun) printsAlike(o hostRun) bool {
	return r.width == o.width || o.width == 0 && len(strconv.FormatUint(o.lo, 10)) >= r.width
}

func (r hostRun) len() int {
	if !r.numbered {
		return 1
	}
	return int(r.hi-r.lo) + 1
}

// number prints n with the padding of the range.
func (r hostRun) number(n uint64) string {
	s := strconv.FormatUint(n, 10)
	if len(s) < r.width {
		s = strings.Repeat("0", r.width-len(s)) + s
	}
	return s
}

func (r hostRun) name(i int) string {
	if !r.numbered {
		return r.prefix
	}
	return r.prefix + r.number(r.lo+uint64(i))
}

// HostListOf makes a list of plain names, taken as they are.
func HostListOf(names ...string) HostList {
	h := HostList{runs: make([]hostRun, 0, 8)}
	for _, name := range names {
		h.add(splitHost(name))
	}
	return h
}

// Compress prints plain names in Slurm's notation, in the order given:
// n1,n2,n4 becomes n[1-2,4].
func Compress(names []string) string { return HostListOf(names...).String() }

// Len returns the number of hosts, duplicates included.
func (h HostList) Len() int { return h.n }

// String prints the list in ranges. Only the last number of a name is made a
// range of, and neighbours alone share a bracket: order and duplicates stay.
func (h HostList) String() string {
	var b strings.Builder
	for i := 0; i < len(h.runs); {
		if i > 0 {
			b.WriteByte(',')
		}
		first := h.runs[i]
		b.WriteString(first.prefix)
		if !first.numbered {
			i++
			continue
		}
		end := i + 1
		for end < len(h.runs) && h.runs[end].numbered && h.runs[end].prefix == first.prefix {
			end++
		}
		single := end == i+1 && first.lo == first.hi
		if !single {
			b.WriteByte('[')
		}
		for k := i; k < end; k++ {
			if k > i {
				b.WriteByte(',')
			}
			r := h.runs[k]
			b.WriteString(r.number(r.lo))
			if r.hi > r.lo {
				b.WriteByte('-')
				b.WriteString(r.number(r.hi))
			}
		}
		if !single {
			b.WriteByte(']')
		}
		i = end
	}
	return b.String()
}

// All yields the names in order.
func (h HostList) All() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, r := range h.runs {
			for i := range r.len() {
				if !yield(r.name(i)) {
					return
				}
			}
		}
	}
}

// Hosts returns the names in order.
func (h HostList) Hosts() []string {
	out := make([]string, 0, h.n)
	for name := range h.All() {
		out = append(out, name)
	}
	return out
}

// Contains reports whether the list names that host.
func (h HostList) Contains(name string) bool {
	want := splitHost(name)
	for _, r := range h.runs {
		if r.numbered != want.numbered || r.prefix != want.prefix {
			continue
		}
		if !r.numbered || r.lo <= want.lo && want.lo <= r.hi && r.number(want.lo) == want.number(want.lo) {
			return true
		}
	}
	return false
}

// Sorted returns the list in order of prefix and number, duplicates included.
// Numbers whose zeros in front do not go together are kept apart.
func (h HostList) Sorted() HostList {
	// Plain numbers print alike with padded ones of at most their width: each
	// goes with the widest such padding that occurs behind the same prefix.
	widths := map[string][]int{}
	for _, r := range h.runs {
		if r.width > 0 && !slices.Contains(widths[r.prefix], r.width) {
			widths[r.prefix] = append(widths[r.prefix], r.width)
		}
	}
	type host struct {
		hostRun
		group int
	}
	hosts := make([]host, 0, len(h.runs))
	for _, r := range h.runs {
		ws := widths[r.prefix]
		if r.width > 0 || len(ws) == 0 {
			hosts = append(hosts, host{r, r.width})
			continue
		}
		for i := range r.len() {
			one := r
			if r.numbered {
				one.lo = r.lo + uint64(i)
				one.hi = one.lo
			}
			group, size := 0, len(strconv.FormatUint(one.lo, 10))
			for _, w := range ws {
				if w <= size {
					group = max(group, w)
				}
			}
			hosts = append(hosts, host{one, group})
		}
	}
	slices.SortStableFunc(hosts, func(a, b host) int {
		if c := strings.Compare(a.prefix, b.prefix); c != 0 {
			return c
		}
		switch {
		case a.numbered != b.numbered:
			if b.numbered {
				return -1
			}
			return 1
		case a.group != b.group:
			return a.group - b.group
		case a.lo < b.lo:
			return -1
		case a.lo > b.lo:
			return 1
		}
		return 0
	})
	var out HostList
	for i := 0; i < len(hosts); {
		// Runs that overlap are taken apart, so that the names come in order.
		end, hi := i+1, hosts[i].hi
		for end < len(hosts) && hosts[end].numbered && hosts[i].numbered && hosts[end].prefix == hosts[i].prefix &&
			hosts[end].group == hosts[i].group && hosts[end].lo <= hi {
			hi = max(hi, hosts[end].hi)
			end++
		}
		if end == i+1 {
			out.add(hosts[i].hostRun)
		} else {
			var each []hostRun
			for _, r := range hosts[i:end] {
				for k := range r.len() {
					one := r.hostRun
					one.lo += uint64(k)
					one.hi = one.lo
					each = append(each, one)
				}
			}
			slices.SortStableFunc(each, func(a, b hostRun) int {
				if a.lo < b.lo {
					return -1
				}
				return int(min(a.lo-b.lo, 1))
			})
			for _, r := range each {
				out.add(r)
			}
		}
		i = end
	}
	return out
}

// Unique returns the list without the second and later naming of any host.
func (h HostList) Unique() HostList {
	seen := make(map[string]bool, h.n)
	var out HostList
	for _, r := range h.runs {
		for i := range r.len() {
			if name := r.name(i); !seen[name] {
				seen[name] = true
				out.add(splitHost(name))
			}
		}
	}
	return out
}

// MarshalText writes what String prints.
func (h HostList) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads what ParseHostList reads.
func (h *HostList) UnmarshalText(b []byte) (err error) {
	*h, err = ParseHostList(string(b))
	return err
}

// ParseHostFile reads the text of a file of hosts (--nodefile, SLURM_HOSTFILE):
// host lists on lines or behind commas, # begins a remark, and host*3 or 3*host
// stands for three times the same hosts.
func ParseHostFile(text string) (HostList, error) {
	var out HostList
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		for _, item := range splitHosts(line) {
			times := uint64(1)
			if a, b, star := strings.Cut(item, "*"); star {
				var ok bool
				if times, ok = parseUint(b, MaxHosts); ok {
					item = a
				} else if times, ok = parseUint(a, MaxHosts); ok {
					item = b
				} else {
					return HostList{}, &SyntaxError{Input: item, What: "a host of a host file", Why: "want host*count", Code: ErrnoInvalidNodeName}
				}
			}
			h, err := ParseHostList(item)
			if err != nil {
				return HostList{}, err
			}
			if uint64(out.n)+times*uint64(h.n) > MaxHosts {
				return HostList{}, &SyntaxError{Input: item, What: "a host of a host file", Why: fmt.Sprintf("more than %d hosts", MaxHosts), Code: ErrnoInvalidNodeName}
			}
			for range times {
				for _, r := range h.runs {
					out.add(r)
				}
			}
		}
	}
	return out, nil
}
