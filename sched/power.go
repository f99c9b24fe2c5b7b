package sched

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/runink/rink/slurm"
)

// Power is what is to happen now to the nodes that go off and come up, and when
// time alone will ask for more; zero: only events can.
type Power struct {
	Off  []NodeName // are to be told to go off
	Gone []NodeName // have had the time to go off
	Up   []NodeName // are to be told to come up
	Lost []NodeName // have not come up in time
	Next time.Time
}

// Asleep reports whether a node has to come up before anything can run on it. It
// need not be reachable for jobs to be given to it.
func (n *Node) Asleep() bool {
	return n.State&(slurm.NodePoweredDown|slurm.NodePowerUp|slurm.NodePoweringUp) != 0
}

// Quiet reports whether nothing is expected of a node's agent: it is off, or on its
// way there or back.
func (n *Node) Quiet() bool { return n.Asleep() || n.State.Has(slurm.NodePoweringDown) }

// placeWeight is the weight by which nodes are chosen: of those that weigh the same
// the ones that are up go first.
func (n *Node) placeWeight() uint64 {
	w := uint64(n.Weight) << 1
	if n.Asleep() {
		w++
	}
	return w
}

// PowerSaves reports whether nodes of the cluster can go off and come up.
func PowerSaves(cfg *Config) bool {
	c := conf(cfg)
	return c.SuspendProgram != "" && c.ResumeProgram != ""
}

// powerTimes are a node's times of power.
type powerTimes struct {
	idle, off, up time.Duration // idle: never when negative
}

// powerTimesOf reads the times of all nodes. What a node says itself counts, then
// the longest of what its partitions say, then what the cluster does.
func powerTimesOf(cfg *Config) map[NodeName]powerTimes {
	c := conf(cfg)
	idle := func(d slurm.Duration) time.Duration {
		if d == slurm.Unlimited || d < 0 {
			return -1
		}
		return time.Duration(d) * time.Second
	}
	times := make(map[NodeName]powerTimes, len(c.Nodes))
	for i := range c.Nodes {
		times[NodeName(c.Nodes[i].Name)] = powerTimes{idle(c.SuspendTime), span(max(c.SuspendTimeout, 1)), span(max(c.ResumeTimeout, 1))}
	}
	said := make(map[NodeName]powerTimes)
	for i := range c.Partitions {
		p := &c.Partitions[i]
		for name := range p.Nodes.All() {
			t := said[NodeName(name)]
			if p.SuspendTime != slurm.Unset {
				if d := idle(p.SuspendTime); t.idle == 0 || d < 0 || t.idle > 0 && d > t.idle {
					t.idle = d
				}
			}
			if p.SuspendTimeout != slurm.Unset {
				t.off = max(t.off, span(p.SuspendTimeout))
			}
			if p.ResumeTimeout != slurm.Unset {
				t.up = max(t.up, span(p.ResumeTimeout))
			}
			if p.PowerDownOnIdle {
				t.idle = time.Nanosecond
			}
			said[NodeName(name)] = t
		}
	}
	for name, t := range times {
		s := said[name]
		times[name] = powerTimes{cmp.Or(s.idle, t.idle), cmp.Or(s.off, t.off), cmp.Or(s.up, t.up)}
	}
	for i := range c.Nodes {
		if d := c.Nodes[i].SuspendTime; d != slurm.Unset {
			t := times[NodeName(c.Nodes[i].Name)]
			t.idle = idle(d)
			times[NodeName(c.Nodes[i].Name)] = t
		}
	}
	return times
}

// exempt returns the nodes that stay up though they are idle: each of a name, or so
// many of a list (n[1-10]:4), of partitions, and those in certain states.
func powerExempt(cfg *Config, nodes []*Node) map[NodeName]bool {
	c := conf(cfg)
	out := make(map[NodeName]bool)
	byName := make(map[NodeName]*Node, len(nodes))
	for _, n := range nodes {
		byName[n.Name] = n
	}
	keep := func(names []NodeName, count int) {
		for _, name := range names {
			n := byName[name]
			if n == nil || count == 0 {
				continue
			}
			if count > 0 {
				if n.Quiet() || n.State.Base() == slurm.NodeDown {
					continue // so many of those that are up
				}
				count--
			}
			out[name] = true
		}
	}
	for _, item := range splitLists(c.SuspendExcNodes) {
		list, text, counted := strings.Cut(item, ":")
		count := -1
		if counted {
			if n, err := strconv.Atoi(text); err == nil {
				count = n
			}
		}
		if hosts, err := slurm.ParseHostList(list); err == nil {
			var names []NodeName
			for name := range hosts.All() {
				names = append(names, NodeName(name))
			}
			keep(names, count)
		}
	}
	for item := range strings.SplitSeq(c.SuspendExcParts, ",") {
		name, text, counted := strings.Cut(strings.TrimSpace(item), ":")
		count := -1
		if counted {
			if n, err := strconv.Atoi(text); err == nil {
				count = n
			}
		}
		if p := cfg.Partition(PartitionName(name)); p != nil {
			keep(p.Nodes, count)
		}
	}
	for _, word := range c.SuspendExcStates {
		f, err := slurm.ParseNodeStates(word)
		if err != nil {
			continue
		}
		for _, n := range nodes {
			if f.Match(n.State) {
				out[n.Name] = true
			}
		}
	}
	return out
}

// splitLists cuts at the commas that are not within brackets.
func splitLists(text string) []string {
	var out []string
	depth, from := 0, 0
	for i, r := range text {
		switch {
		case r == '[':
			depth++
		case r == ']':
			depth--
		case r == ',' && depth == 0:
			out, from = append(out, strings.TrimSpace(text[from:i])), i+1
		}
	}
	if rest := strings.TrimSpace(text[from:]); rest != "" {
		out = append(out, rest)
	}
	return out
}

// PlanPower decides which nodes are to go off and which to come up now. It changes
// nothing.
func PlanPower(cfg *Config, nodes []*Node, now time.Time) Power {
	var out Power
	if !PowerSaves(cfg) {
		return out
	}
	soonest := func(t time.Time) {
		if out.Next.IsZero() || t.Before(out.Next) {
			out.Next = t
		}
	}
	c := conf(cfg)
	times, exempt := powerTimesOf(cfg), powerExempt(cfg, nodes)
	// What was told within the last minute counts against the rates.
	offs, ups := rate{limit: c.SuspendRate}, rate{limit: c.ResumeRate}
	for _, n := range nodes {
		if n.PowerAt.IsZero() || !n.PowerAt.After(now.Add(-time.Minute)) {
			continue
		}
		if n.State&(slurm.NodePoweringDown|slurm.NodePoweredDown) != 0 {
			offs.count(n.PowerAt)
		} else {
			ups.count(n.PowerAt)
		}
	}
	for _, n := range nodes {
		t, known := times[n.Name]
		if !known {
			t = powerTimes{-1, span(max(c.SuspendTimeout, 1)), span(max(c.ResumeTimeout, 1))}
		}
		s := n.State
		switch {
		case s.Has(slurm.NodePoweringDown):
			if due := n.PowerAt.Add(t.off); due.After(now) {
				soonest(due)
			} else {
				out.Gone = append(out.Gone, n.Name)
			}
		case s.Has(slurm.NodePoweringUp):
			if due := n.PowerAt.Add(t.up); due.After(now) {
				soonest(due)
			} else {
				out.Lost = append(out.Lost, n.Name)
			}
		case s.Has(slurm.NodePowerUp):
			if ups.take() {
				out.Up = append(out.Up, n.Name)
			} else {
				soonest(ups.next(now))
			}
		case s.Has(slurm.NodePowerDown):
			if len(n.Running) > 0 || s.Has(slurm.NodePoweredDown) {
				continue // once they are gone
			}
			if offs.take() {
				out.Off = append(out.Off, n.Name)
			} else {
				soonest(offs.next(now))
			}
		default:
			if t.idle < 0 || exempt[n.Name] || !mayGoOff(n) {
				continue
			}
			if due := n.LastBusy.Add(t.idle); due.After(now) {
				soonest(due)
			} else if offs.take() {
				out.Off = append(out.Off, n.Name)
			} else {
				soonest(offs.next(now))
			}
		}
	}
	return out
}

// mayGoOff reports whether a node is idle in earnest.
func mayGoOff(n *Node) bool {
	const busy = slurm.NodePoweredDown | slurm.NodeCompleting | slurm.NodeMaint | slurm.NodeRebootIssued | slurm.NodeRebootRequested |
		slurm.NodeReserved | slurm.NodeExternal | slurm.NodeNotResponding
	return n.State.Base() == slurm.NodeIdle && n.State&busy == 0 && len(n.Running) == 0 && n.Registered
}

// rate bounds how many nodes are told something a minute; 0 is no bound.
type rate struct {
	limit int
	told  []time.Time
	taken int
}

func (r *rate) count(at time.Time) { r.told = append(r.told, at) }

func (r *rate) take() bool {
	if r.limit > 0 && len(r.told)+r.taken >= r.limit {
		return false
	}
	r.taken++
	return true
}

// next is when there is one to take again.
func (r *rate) next(now time.Time) time.Time {
	if len(r.told) == 0 {
		return now.Add(time.Minute)
	}
	return slices.MinFunc(r.told, time.Time.Compare).Add(time.Minute + time.Millisecond)
}
