package sreport

import (
	"fmt"
	"slices"
	"strconv"
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
	own          int  // its width before it was widened
	fixed        bool // its width was asked for
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
			i = slices.IndexFunc(known, func(c column) bool {
				return slices.ContainsFunc(c.aliases, func(a string) bool { return prefixed(f.Name, a, 2) })
			})
		}
		if i < 0 {
			fmt.Fprintf(s.env.Stderr, " Unknown field '%s'\n", strings.ToLower(f.Name))
			return nil
		}
		c := known[i]
		if s.o.unit.seconds && s.o.unit.percent && c.wide > 0 {
			c.width = c.wide
		}
		c.own = c.width
		if f.Width > 0 {
			c.width, c.left, c.fixed = f.Width, f.Left, true
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

// cellSeconds are amounts by the names of columns.
type cellSeconds map[string]int64

// widen makes columns wide enough for amounts in seconds, whatever unit they are printed
// in, as Slurm does.
func (l *layout) widen(amounts cellSeconds) {
	for i := range l.columns {
		c := &l.columns[i]
		if c.wide > 0 && !c.fixed {
			c.width = max(c.width, c.own+len(strconv.FormatInt(amounts[strings.ToLower(c.name)], 10))-8)
		}
	}
}

// widenUsed is widen for what was used.
func (l *layout) widenUsed(kinds []string, u *usage) {
	for _, k := range kinds {
		l.widen(cellSeconds{"used": u.of(k)})
	}
}

// counted are the kinds of resources a report is about, in the order in which they were
// asked for. Nodes are in no report named here, and have no percentages.
func (s *session) counted(reply *rinkpb.UsageReply, noNodes string) ([]string, bool) {
	if noNodes == "" && s.o.unit.percent {
		noNodes = "percent format reports"
	}
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
	if noNodes != "" {
		all = slices.DeleteFunc(all, func(k string) bool { return k == "node" })
	}
	var list []string
	for word := range strings.SplitSeq(s.o.tres, ",") {
		word = strings.ToLower(strings.TrimSpace(word))
		if word == "all" {
			list = all
			break
		}
		if word == "node" && noNodes != "" {
			fmt.Fprintf(s.env.Stderr, "%s: fatal: TRES node usage is no longer reported in %s.  Please use TRES CPU instead.\n", s.env.Name, noNodes)
			return nil, false
		}
		if !slices.Contains(list, word) && (slices.Contains(all, word) || strings.HasPrefix(word, "gres/") || strings.HasPrefix(word, "license/")) {
			list = append(list, word)
		}
	}
	if len(list) == 0 {
		fmt.Fprintf(s.env.Stderr, "%s: fatal: No valid TRES given\n", s.env.Name)
		return nil, false
	}
	return list, true
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

// none reports whether there is nothing at all.
func (u *usage) none() bool {
	for _, n := range u.seconds {
		if n != 0 {
			return false
		}
	}
	return u.energy == 0
}

func (u *usage) of(kind string) int64 {
	if kind == "energy" {
		return u.energy
	}
	return u.seconds[kind]
}
