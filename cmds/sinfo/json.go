package sinfo

import (
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/sched"
)

// printData prints what is known of partitions and their nodes, as JSON or YAML.
func printData(env *cli.Env, o *options, v *view, parts []*sched.Partition, nodes []*show.Node) error {
	var keys []keyFunc
	for _, f := range fields() {
		if f.same != ofAll && f.Letter != 'n' && f.Letter != 'o' {
			keys = append(keys, f.key)
		}
	}
	groups := build(o, parts, nodes, keys, true)
	sortGroups(columns(), o.sort, v, groups)
	rows := make([]any, len(groups))
	for i, g := range groups {
		rows[i] = groupData(v, g)
	}
	return v.Data(env, o.encoding, "sinfo", rows)
}

func groupData(v *view, g *group) show.Object {
	text := func(letter byte) string {
		for _, f := range fields() {
			if f.Letter == letter {
				return f.Value(v, g)
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
		state = append(state, n.NodeState().Long())
	}
	names := g.names()
	if names == nil {
		names = []string{}
	}
	return show.Object{
		{Key: "node", Value: show.Object{{Key: "state", Value: state}}},
		{Key: "nodes", Value: append(counts(g.nodeTally()), show.Member{Key: "nodes", Value: names})},
		{Key: "cpus", Value: append(span(func(n *show.Node) int64 { return int64(n.CPUs) }), counts(g.cpuTally())...)},
		{Key: "sockets", Value: span(func(n *show.Node) int64 { return int64(n.Sockets) })},
		{Key: "cores", Value: span(func(n *show.Node) int64 { return int64(n.Cores) })},
		{Key: "threads", Value: span(func(n *show.Node) int64 { return int64(n.Threads) })},
		{Key: "disk", Value: span(func(n *show.Node) int64 { return int64(n.TmpDisk) })},
		{Key: "memory", Value: append(span(func(n *show.Node) int64 { return int64(n.Memory) }), show.Member{Key: "allocated", Value: allocated(g)})},
		{Key: "weight", Value: span(func(n *show.Node) int64 { return int64(n.Weight) })},
		{Key: "features", Value: show.Object{{Key: "total", Value: text('f')}, {Key: "active", Value: text('b')}}},
		{Key: "gres", Value: show.Object{{Key: "total", Value: text('G')}, {Key: "used", Value: g.ofFirst((*show.Node).GresUsedText, show.Null)}}},
		{Key: "cluster", Value: v.Cluster},
		{Key: "reason", Value: show.Object{{Key: "description", Value: g.ofFirst(func(n *show.Node) string { return n.Reason }, "")}, {Key: "user", Value: text('u')}}},
		{Key: "partition", Value: show.Object{
			{Key: "name", Value: string(g.part.Name)}, {Key: "default", Value: g.part.Default}, {Key: "state", Value: text('a')},
			{Key: "max_time", Value: text('l')}, {Key: "default_time", Value: text('L')}, {Key: "job_size", Value: text('s')},
			{Key: "groups", Value: text('g')}, {Key: "oversubscribe", Value: text('h')}, {Key: "priority_tier", Value: g.part.PriorityTier},
			{Key: "priority_job_factor", Value: g.part.PriorityJobFactor}, {Key: "nodes", Value: g.part.NodesText},
		}},
	}
}

func allocated(g *group) int64 {
	var sum int64
	for _, n := range g.nodes {
		sum += int64(n.UsedMem)
	}
	return sum
}
