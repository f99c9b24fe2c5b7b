package sinfo

import (
	"bufio"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/sched"
)

// printNodes prints the table of partitions and nodes.
func printNodes(env *cli.Env, o *options, v *view, parts []*sched.Partition, nodes []*show.Node) error {
	cols := columns()
	var table show.Table[*view, *group]
	var unknown []string
	first, _, _ := strings.Cut(o.format, ",")
	switch {
	case o.byName && strings.EqualFold(first, "all"), !o.byName && strings.EqualFold(o.format, "%all"):
		table = show.All(cols)
		table.SpaceAfter('A', 'Z') // as it came to be in Slurm
	case o.byName:
		table, unknown = show.Names(cols, o.format)
	default:
		table, unknown = show.Letters(cols, o.format)
	}
	for _, u := range unknown {
		if o.byName {
			env.Errorf("Invalid job format specification: %s", u)
		} else {
			fmt.Fprintf(env.Stderr, "Invalid node format specification: %s\n", u)
		}
	}
	groups := build(o, parts, nodes, keysOf(table, o.exact), table.Shows("PARTITION"))
	sortGroups(cols, o.sort, v, groups)
	if !o.hasFormat {
		widen(&table, groups, o.apart)
	}
	w := bufio.NewWriter(env.Stdout)
	if !o.noHeader {
		if o.long || o.iterate > 0 {
			fmt.Fprintln(w, v.Date())
		}
		if o.clusters != "" {
			fmt.Fprintf(w, "CLUSTER: %s\n", v.Cluster)
		}
		table.Header(w)
	}
	for _, g := range groups {
		table.Row(w, v, g)
	}
	return w.Flush()
}

// keysOf returns what nodes must have in common to share a row of the table.
func keysOf(table show.Table[*view, *group], exact bool) []keyFunc {
	var keys []keyFunc
	for _, f := range fields() {
		if f.same != ofAll && (f.same != ofMake || exact) && table.Has(f.Letter, f.Names) {
			keys = append(keys, f.key)
		}
	}
	return keys
}

// sortGroups sorts the rows by the letters of order, the last first, whatever
// stands between them; #P is the order of the partitions in the configuration,
// which has no other direction.
func sortGroups(cols []column, order string, v *view, groups []*group) {
	for i := len(order) - 1; i >= 0; i-- {
		before := byte(0)
		if i > 0 {
			before = order[i-1]
		}
		compare := func(a, b *group) int { return cmp.Compare(a.index, b.index) }
		if c := order[i]; before != '#' || c != 'P' && c != 'R' {
			k := slices.IndexFunc(cols, func(col column) bool { return col.Letter == c })
			// A letter that is no column, and these, sort nothing and are not refused.
			if k < 0 || strings.IndexByte("ACFGIL", c) >= 0 {
				continue
			}
			compare = func(a, b *group) int {
				if c == 'S' { // which names another column in a format
					return cmp.Compare(a.part.PriorityJobFactor, b.part.PriorityJobFactor)
				}
				if cols[k].Compare != nil {
					return cols[k].Compare(v, a, b)
				}
				return strings.Compare(cols[k].Value(v, a), cols[k].Value(v, b))
			}
		}
		slices.SortStableFunc(groups, func(a, b *group) int {
			if before == '-' {
				return -compare(a, b)
			}
			return compare(a, b)
		})
	}
}

// widen makes the column of partitions wide enough for the longest name, and in
// the listing by node the column of nodes too.
func widen(table *show.Table[*view, *group], groups []*group, apart bool) {
	part, node := 0, 0
	for _, g := range groups {
		part = max(part, len(starred(g.part)))
		for _, n := range g.nodes {
			node = max(node, len(n.Name))
		}
	}
	table.Widen(part, "PARTITION")
	if apart {
		table.Widen(node, "NODELIST")
	}
}

// letterList and nameList are what --helpformat and --helpFormat print.
func letterList() string {
	var b strings.Builder
	for _, c := range columns() {
		if c.Letter != 0 {
			fmt.Fprintf(&b, "%%%c  %s\n", c.Letter, c.Header)
		}
	}
	return b.String()
}

func nameList() string {
	var names []string
	for _, c := range columns() {
		names = append(names, c.Names...)
	}
	slices.SortFunc(names, func(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) })
	return strings.Join(names, "\n") + "\n"
}
