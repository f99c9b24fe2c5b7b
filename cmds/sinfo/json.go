package sinfo

import (
	"strings"
	"time"

	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/sched"
)

// printData prints what is known of partitions and their nodes, as JSON or YAML.
func printData(env *cli.Env, o *options, v *view, parts []*sched.Partition, nodes []*show.Node) error {
	v.Encoding = o.encoding
	var keys []keyFunc
	for _, f := range fields() {
		if f.same != ofAll && f.Letter != 'n' && f.Letter != 'o' {
			keys = append(keys, f.key)
		}
	}
	groups := build(o, parts, nodes, keys, true)
	sortGroups(columns(), o.sort, v, groups)
	rows := make([]any, len(groups))
	byName := make(map[sched.NodeName]*show.Node, len(nodes))
	for _, n := range nodes {
		byName[n.Name] = n
	}
	for i, g := range groups {
		rows[i] = groupData(v, g, v.PartitionData(g.part, byName, nil))
	}
	return v.Data(env, "sinfo", rows)
}

func groupData(v *view, g *group, part show.Object) show.Object {
	text := func(letter byte) string {
		for _, f := range fields() {
			if f.Letter == letter {
				return given(f.Value(v, g))
			}
		}
		return ""
	}
	span := func(f func(*show.Node) int64) show.Object {
		low, high := g.span(f)
		return show.Object{{Key: "minimum", Value: low}, {Key: "maximum", Value: high}}
	}
	counts := func(t tally) show.Object {
		return show.Object{{Key: "allocated", Value: t.alloc}, {Key: "idle", Value: t.idle}, {Key: "other", Value: t.other}, {Key: "total", Value: t.total}}
	}
	state := []string{}
	if n := g.first(); n != nil {
		state = strings.Split(n.NodeState().String(), "+")
	}
	names := append([]string{}, g.names()...)
	hosts, addrs := []string{}, []string{}
	for _, n := range g.nodes {
		hosts, addrs = append(hosts, show.Or(n.Hostname, string(n.Name))), append(addrs, show.Or(n.Addr, string(n.Name)))
	}
	port, since := 0, time.Time{}
	if n := g.first(); n != nil {
		port, since = n.Port, n.ReasonTime
	}
	most := show.Endless()
	if g.part.MaxCPUsPerNode > 0 {
		most = show.Number(int64(g.part.MaxCPUsPerNode))
	}
	known := func(value func(*show.Node) int64) (low, high show.Object) {
		low, high = show.NoNumber(), show.NoNumber()
		if a, b := g.span(value); len(g.nodes) > 0 && a >= 0 {
			low, high = show.Number(a), show.Number(b)
		}
		return low, high
	}
	freeLow, freeHigh := known(func(n *show.Node) int64 {
		if !n.LoadKnown {
			return -1
		}
		return int64(n.FreeMem)
	})
	loadLow, loadHigh := g.span(func(n *show.Node) int64 { return int64(n.Load * 100) })
	return show.Object{
		{Key: "port", Value: port},
		{Key: "node", Value: show.Object{{Key: "state", Value: state}}},
		{Key: "nodes", Value: append(counts(g.nodeTally()), show.Member{Key: "hostnames", Value: hosts}, show.Member{Key: "addresses", Value: addrs}, show.Member{Key: "nodes", Value: names})},
		{Key: "cpus", Value: append(append(counts(g.cpuTally()), span(func(n *show.Node) int64 { return int64(n.CPUs) })...), show.Member{Key: "per_node", Value: show.Object{{Key: "max", Value: most}}},
			show.Member{Key: "load", Value: show.Object{{Key: "minimum", Value: loadLow}, {Key: "maximum", Value: loadHigh}}})},
		{Key: "sockets", Value: span(func(n *show.Node) int64 { return int64(n.Sockets) })},
		{Key: "cores", Value: span(func(n *show.Node) int64 { return int64(n.Cores) })},
		{Key: "threads", Value: span(func(n *show.Node) int64 { return int64(n.Threads) })},
		{Key: "disk", Value: span(func(n *show.Node) int64 { return int64(n.TmpDisk) })},
		{Key: "memory", Value: append(span(func(n *show.Node) int64 { return int64(n.Memory) }), show.Member{Key: "free", Value: show.Object{{Key: "minimum", Value: freeLow}, {Key: "maximum", Value: freeHigh}}},
			show.Member{Key: "allocated", Value: allocated(g)})},
		{Key: "weight", Value: span(func(n *show.Node) int64 { return int64(n.Weight) })},
		{Key: "features", Value: show.Object{{Key: "total", Value: text('f')}, {Key: "active", Value: text('b')}}},
		{Key: "gres", Value: show.Object{{Key: "total", Value: text('G')}, {Key: "used", Value: given(g.ofFirst((*show.Node).GresUsedText, ""))}}},
		{Key: "cluster", Value: v.Cluster},
		{Key: "reason", Value: show.Object{{Key: "description", Value: g.ofFirst(func(n *show.Node) string { return n.Reason }, "")},
			{Key: "time", Value: show.Stamp(since)}, {Key: "user", Value: g.ofFirst(func(n *show.Node) string { return n.ReasonUser }, "")}}},
		{Key: "comment", Value: g.ofFirst(func(n *show.Node) string { return n.Comment }, "")},
		{Key: "extra", Value: g.ofFirst(func(n *show.Node) string { return n.Extra }, "")},
		{Key: "reservation", Value: g.ofFirst(func(n *show.Node) string { return n.Reservation }, "")},
		{Key: "partition", Value: part},
	}
}

// given is a text of the tables, "" where they say that there is none.
func given(text string) string {
	if text == show.Null {
		return ""
	}
	return text
}

func allocated(g *group) int64 {
	var sum int64
	for _, n := range g.nodes {
		sum += int64(n.UsedMem)
	}
	return sum
}
