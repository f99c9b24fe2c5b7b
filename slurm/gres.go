package slurm

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// GresItem is a number of generic resources of one name and perhaps one type.
type GresItem struct {
	Name, Type string
	Count      int64
	// Bare means that no count was written: it is 1, and is not printed.
	Bare bool
}

// Gres is a request for generic resources, or an amount of them, in the order
// given.
type Gres []GresItem

// ParseGres reads name[:type][:count] items separated by commas, also in the
// forms gres:name... and gres/name...; = may stand before the count, which may
// have a suffix k, m, g, t or p. "none" is an empty list.
func ParseGres(s string) (Gres, error) {
	refuse := func(why string) (Gres, error) {
		return nil, &SyntaxError{Input: s, What: "a list of generic resources", Why: why + " (want name[:type][:count])", Code: ErrnoInvalidGres}
	}
	if strings.EqualFold(s, "none") || strings.EqualFold(s, "gres:none") {
		return nil, nil
	}
	var out Gres
	for part := range strings.SplitSeq(s, ",") {
		text := part
		if len(text) > 5 && (strings.EqualFold(text[:5], "gres:") || strings.EqualFold(text[:5], "gres/")) {
			text = text[5:]
		}
		if strings.Contains(text, "=") {
			text = strings.Replace(text, "=", ":", 1)
		}
		name, rest, more := strings.Cut(text, ":")
		if !isGresName(name) {
			return refuse(fmt.Sprintf("%q", part))
		}
		item, ok := gresItem(name, rest, more)
		if !ok {
			return refuse(fmt.Sprintf("%q", part))
		}
		out = append(out, item)
	}
	return out, nil
}

// ParseGPUs reads [type:]count items separated by commas, as --gpus and its like
// take them. A type alone is one of it. Items with and without a type cannot be
// mixed.
func ParseGPUs(s string) (Gres, error) {
	var out Gres
	for part := range strings.SplitSeq(s, ",") {
		item, ok := gresItem("gpu", part, true)
		if !ok {
			return nil, &SyntaxError{Input: s, What: "a number of GPUs", Why: fmt.Sprintf("%q (want [type:]count)", part), Code: ErrnoInvalidGres}
		}
		out = append(out, item)
	}
	for _, item := range out {
		if (item.Type == "") != (out[0].Type == "") {
			return nil, &SyntaxError{Input: s, What: "a number of GPUs", Why: "some have a type and some have none", Code: ErrnoInvalidGresType}
		}
	}
	return out, nil
}

// gresItem reads what stands behind a name: count, type or type:count.
func gresItem(name, rest string, more bool) (GresItem, bool) {
	item := GresItem{Name: name, Count: 1, Bare: true}
	if !more {
		return item, true
	}
	typ, count, two := strings.Cut(rest, ":")
	if !two {
		n, err := ParseCount(rest)
		if err == nil {
			item.Count, item.Bare = n, false
			return item, true
		}
		item.Type = rest
		return item, isGresName(rest) || isMIGType(rest)
	}
	n, err := ParseCount(count)
	item.Type, item.Count, item.Bare = typ, n, false
	return item, err == nil && gresWord(typ)
}

// isGresName reports whether s can be a name or type: it does not begin with a
// digit and holds nothing that separates.
func isGresName(s string) bool {
	if s == "" || '0' <= s[0] && s[0] <= '9' {
		return false
	}
	return gresWord(s)
}

func gresWord(s string) bool {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '.', c == '-' && i > 0, c == '+' && i > 0:
		default:
			return false
		}
	}
	return s != ""
}

// isMIGType reports whether s is the profile of a GPU instance, such as 1g.5gb:
// the only types that begin with a digit.
func isMIGType(s string) bool {
	n := digits(s)
	return n > 0 && strings.HasPrefix(s[n:], "g.") && gresWord(s)
}

// String prints name[:type][:count] items separated by commas.
func (g Gres) String() string { return g.prefixed("") }

// Display prints the items as TresPerNode and squeue's %b show them, each with
// gres: in front.
func (g Gres) Display() string { return g.prefixed("gres:") }

func (g Gres) prefixed(prefix string) string {
	var b strings.Builder
	for i, item := range g {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(prefix)
		b.WriteString(item.String())
	}
	return b.String()
}

// String prints name[:type][:count].
func (item GresItem) String() string {
	s := item.Name
	if item.Type != "" {
		s += ":" + item.Type
	}
	if !item.Bare {
		s += ":" + strconv.FormatInt(item.Count, 10)
	}
	return s
}

// Total returns how many of that name there are, over all types.
func (g Gres) Total(name string) int64 {
	var n int64
	for _, item := range g {
		if item.Name == name {
			n += item.Count
		}
	}
	return n
}

// Sum returns the list with items of the same name and type added up, in the
// order of their first appearance. It prints with counts.
func (g Gres) Sum() Gres {
	var out Gres
	for _, item := range g {
		item.Bare = false
		i := slices.IndexFunc(out, func(o GresItem) bool { return o.Name == item.Name && o.Type == item.Type })
		if i < 0 {
			out = append(out, item)
		} else {
			out[i].Count += item.Count
		}
	}
	return out
}

// NodeGres is what a node has or uses of one generic resource, as scontrol shows
// it: gpu:a100:4(S:0-1) with the sockets it hangs on, or gpu:a100:2(IDX:0-1) with
// the numbers of the devices in use.
type NodeGres struct {
	GresItem
	Sockets IndexSet // empty: not said
	Index   IndexSet // the devices in use
	// Indexed means that devices have numbers: (IDX:...) is printed, N/A when none
	// is in use.
	Indexed bool
}

// String prints the resource with its sockets or its devices.
func (n NodeGres) String() string {
	item := n.GresItem
	item.Bare = false
	s := item.String()
	switch {
	case n.Indexed && n.Index.IsEmpty():
		s += "(IDX:N/A)"
	case n.Indexed:
		s += "(IDX:" + plainRuns(n.Index) + ")"
	case !n.Sockets.IsEmpty():
		s += "(S:" + plainRuns(n.Sockets) + ")"
	}
	return s
}

// plainRuns prints runs without steps.
func plainRuns(s IndexSet) string {
	var b strings.Builder
	for i, r := range s.Runs() {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatUint(uint64(r.Lo), 10))
		if r.Hi > r.Lo {
			b.WriteString("-" + strconv.FormatUint(uint64(r.Hi), 10))
		}
	}
	return b.String()
}

// NodeGresText prints what scontrol shows behind Gres= and GresUsed=; (null) for
// nothing.
func NodeGresText(list []NodeGres) string {
	if len(list) == 0 {
		return "(null)"
	}
	parts := make([]string, len(list))
	for i, n := range list {
		parts[i] = n.String()
	}
	return strings.Join(parts, ",")
}

// ParseNodeGres reads what NodeGresText prints.
func ParseNodeGres(s string) ([]NodeGres, error) {
	refuse := func(part string) ([]NodeGres, error) {
		return nil, &SyntaxError{Input: s, What: "the generic resources of a node", Why: fmt.Sprintf("%q", part), Code: ErrnoInvalidGres}
	}
	if s == "" || s == "(null)" {
		return nil, nil
	}
	var out []NodeGres
	for rest := s; rest != ""; {
		// The item ends at a comma outside its parentheses.
		end, depth := 0, 0
		for end < len(rest) && (rest[end] != ',' || depth > 0) {
			switch rest[end] {
			case '(':
				depth++
			case ')':
				depth--
			}
			end++
		}
		part := rest[:end]
		if rest = rest[end:]; rest != "" {
			if rest = rest[1:]; rest == "" {
				return refuse(s)
			}
		}
		var n NodeGres
		text := part
		if open := strings.IndexByte(part, '('); open >= 0 {
			inner, closed := strings.CutSuffix(part[open+1:], ")")
			text = part[:open]
			var err error
			switch {
			case !closed:
				return refuse(part)
			case inner == "IDX:N/A":
				n.Indexed = true
			case strings.HasPrefix(inner, "IDX:"):
				n.Indexed = true
				n.Index, err = ParseIndexSet(inner[4:], 1<<20)
			case strings.HasPrefix(inner, "S:"):
				n.Sockets, err = ParseIndexSet(inner[2:], 1<<20)
			default:
				return refuse(part)
			}
			if err != nil {
				return refuse(part)
			}
		}
		g, err := ParseGres(text)
		if err != nil || len(g) != 1 {
			return refuse(part)
		}
		n.GresItem = g[0]
		n.Bare = false
		out = append(out, n)
	}
	return out, nil
}
