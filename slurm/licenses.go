package slurm

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// License is a number of licences of one name, perhaps at one server.
type License struct {
	Name, Server string
	Count        int64
	// Bare means that no count was written: it is 1, and is not printed.
	Bare bool
}

// Licenses are the licences a job asks for, all of them, or with Any, those of
// one item. The zero value asks for none.
type Licenses struct {
	Any   bool
	Items []License
}

// ParseLicenses reads name[@server][:count] items. Commas between them ask for
// all; semicolons or bars for any one. The two cannot be mixed; empty items are
// skipped.
func ParseLicenses(s string) (Licenses, error) {
	refuse := func(why string) (Licenses, error) {
		return Licenses{}, &SyntaxError{Input: s, What: "a list of licences", Why: why, Code: ErrnoInvalidLicenses}
	}
	var out Licenses
	out.Any = strings.ContainsAny(s, ";|")
	if out.Any && strings.Contains(s, ",") {
		return refuse("it has both , (all) and ; or | (any)")
	}
	for _, part := range strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ';' || r == '|' }) {
		l := License{Count: 1, Bare: true}
		name, count, counted := strings.Cut(part, ":")
		if counted {
			n, ok := parseUint(count, math.MaxInt32)
			if !ok {
				return refuse(fmt.Sprintf("count %q", count))
			}
			l.Count, l.Bare = int64(n), false
		}
		var remote bool
		l.Name, l.Server, remote = strings.Cut(name, "@")
		if !licenseWord(l.Name) || remote && !licenseWord(l.Server) {
			return refuse(fmt.Sprintf("name %q", name))
		}
		out.Items = append(out.Items, l)
	}
	if len(out.Items) < 2 {
		out.Any = false
	}
	return out, nil
}

func licenseWord(s string) bool { return s != "" && !strings.ContainsAny(s, "*=@: \t\n\"'") }

// String prints the list so that ParseLicenses reads it back.
func (l Licenses) String() string {
	sep := ","
	if l.Any {
		sep = "|"
	}
	parts := make([]string, len(l.Items))
	for i, item := range l.Items {
		parts[i] = item.String()
	}
	return strings.Join(parts, sep)
}

// FullName returns name or name@server.
func (l License) FullName() string {
	if l.Server == "" {
		return l.Name
	}
	return l.Name + "@" + l.Server
}

// String prints name[@server][:count].
func (l License) String() string {
	if l.Bare {
		return l.FullName()
	}
	return l.FullName() + ":" + strconv.FormatInt(l.Count, 10)
}

// IsZero reports whether none are asked for.
func (l Licenses) IsZero() bool { return len(l.Items) == 0 }

// Get returns the count of name or name@server, summed over its items.
func (l Licenses) Get(fullName string) int64 {
	var n int64
	for _, item := range l.Items {
		if item.FullName() == fullName {
			n += item.Count
		}
	}
	return n
}

// Plus returns the licences of both lists taken together, one item a name in the
// order of their first appearance, each with its count.
func (l Licenses) Plus(o Licenses) Licenses { return l.combine(o, 1) }

// Minus returns what is left of l without the licences of o. Names of which
// nothing is left stay, with a count of zero.
func (l Licenses) Minus(o Licenses) Licenses { return l.combine(o, -1) }

func (l Licenses) combine(o Licenses, sign int64) Licenses {
	var out Licenses
	add := func(items []License, sign int64) {
		for _, item := range items {
			i := slices.IndexFunc(out.Items, func(x License) bool { return x.Name == item.Name && x.Server == item.Server })
			if i < 0 {
				out.Items = append(out.Items, License{Name: item.Name, Server: item.Server})
				i = len(out.Items) - 1
			}
			out.Items[i].Count += sign * item.Count
		}
	}
	add(l.Items, 1)
	add(o.Items, sign)
	return out
}
