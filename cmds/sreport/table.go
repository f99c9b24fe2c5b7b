package sreport

import (
	"fmt"
	"slices"
	"strings"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/auth/hostuser"
	"github.com/runink/rink/slurm"
)

// cells are the values of one line, by the names of the columns.
type cells map[string]string

// column is one that a report can have: its name in a format, what its header
// is, and its widths, wide being with both an amount and a percentage.
type column struct {
	name, header string
	width, wide  int
	aliases      []string
	left         bool
}

// layout is a table that is being printed.
type layout struct {
	s       *session
	columns []column
}

// layout reads a format, or takes the report's own. It returns nil when a field
// is unknown, which has then been said.
func (s *session) layout(known []column, own, asked string) *layout {
	l := &layout{s: s}
	if asked = strings.Trim(asked, ","); asked == "" {
		asked = own
	}
	fields, err := slurm.ParseAcctFields(asked)
	if err != nil {
		fmt.Fprintf(s.env.Stderr, " Unknown field '%s'\n", asked)
		return nil
	}
	for _, f := range fields {
		i := slices.IndexFunc(known, func(c column) bool {
			return strings.EqualFold(c.name, f.Name) || slices.ContainsFunc(c.aliases, func(a string) bool { return strings.EqualFold(a, f.Name) })
		})
		if i < 0 {
			i = slices.IndexFunc(known, func(c column) bool { return f.Name != "" && prefixed(f.Name, c.name, 1) })
		}
		if i < 0 {
			fmt.Fprintf(s.env.Stderr, " Unknown field '%s'\n", f.Name)
			return nil
		}
		c := known[i]
		if s.o.unit.seconds && s.o.unit.percent && c.wide > 0 {
			c.width = c.wide
		}
		if f.Width > 0 {
			c.width, c.left = f.Width, f.Left
		}
		l.columns = append(l.columns, c)
	}
	return l
}

func (l *layout) line(value func(*column) string) {
	var b strings.Builder
	for i := range l.columns {
		c := &l.columns[i]
		switch text := value(c); l.s.o.parsable {
		case 1:
			b.WriteString(text + "|")
		case 2:
			if i > 0 {
				b.WriteByte('|')
			}
			b.WriteString(text)
		default:
			b.WriteString(slurm.PadAcct(text, c.width, c.left) + " ")
		}
	}
	fmt.Fprintln(l.s.env.Stdout, b.String())
}

func (l *layout) header() {
	if l.s.o.noHeader {
		return
	}
	l.line(func(c *column) string {
		if l.s.o.parsable == 0 && len(c.header) > c.width {
			return c.header[:c.width]
		}
		return c.header
	})
	if l.s.o.parsable == 0 {
		l.line(func(c *column) string { return strings.Repeat("-", c.width) })
	}
}

func (l *layout) row(c cells) {
	l.line(func(col *column) string { return c[strings.ToLower(col.name)] })
}

// counted are the kinds of resources a report is about.
func (s *session) counted(reply *rinkpb.UsageReply) ([]string, bool) {
	if !s.o.hasTRES {
		return []string{"cpu"}, true
	}
	fixed := []string{"cpu", "mem", "energy", "node", "billing", "fs/disk", "vmem", "pages"}
	var others []string
	add := func(name string) {
		if !slices.Contains(fixed, name) && !slices.Contains(others, name) {
			others = append(others, name)
		}
	}
	for _, t := range reply.Tres {
		add(t.Tres)
	}
	for _, list := range [][]*rinkpb.PartyUsage{reply.Parties, reply.Sizes} {
		for _, p := range list {
			for _, t := range p.Tres {
				add(t.Tres)
			}
		}
	}
	slices.Sort(others)
	all := slices.Concat(fixed, others)
	var list []string
	for word := range strings.SplitSeq(s.o.tres, ",") {
		word = strings.ToLower(strings.TrimSpace(word))
		if word == "all" {
			list = all
			break
		}
		if slices.Contains(all, word) || strings.HasPrefix(word, "gres/") || strings.HasPrefix(word, "license/") {
			list = append(list, word)
		}
	}
	if len(list) == 0 {
		fmt.Fprintf(s.env.Stderr, "%s: fatal: No valid TRES given\n", s.env.Name)
		return nil, false
	}
	slices.SortStableFunc(list, func(a, b string) int { return rank(all, a) - rank(all, b) })
	return slices.Compact(list), true
}

func rank(all []string, name string) int {
	if i := slices.Index(all, name); i >= 0 {
		return i
	}
	return len(all)
}

// reported is the whole of the cluster's time, by kind.
func reported(reply *rinkpb.UsageReply) map[string]int64 {
	m := map[string]int64{}
	for _, t := range reply.Tres {
		m[t.Tres] = t.Reported
	}
	return m
}

// properName is the name of a person as this host has it.
func properName(login string) string {
	u, err := hostuser.Lookup(login)
	if err != nil {
		return ""
	}
	name, _, _ := strings.Cut(u.Name, ",")
	return name
}

// usage adds up what parties held: seconds by kind, and the joules their jobs
// drew.
type usage struct {
	seconds map[string]int64
	energy  int64
}

func (u *usage) add(list []*rinkpb.TRESSeconds, energy int64) {
	if u.seconds == nil {
		u.seconds = map[string]int64{}
	}
	for _, t := range list {
		u.seconds[t.Tres] += t.Seconds
	}
	u.energy += energy
}

// none reports whether there is nothing of these kinds.
func (u *usage) none(kinds []string) bool {
	for _, k := range kinds {
		if u.seconds[k] != 0 || k == "energy" && u.energy != 0 {
			return false
		}
	}
	return true
}

func (u *usage) of(kind string) int64 {
	if kind == "energy" {
		return u.energy
	}
	return u.seconds[kind]
}
