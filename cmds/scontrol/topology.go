package scontrol

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// topology reads the network from the configuration in force, nil when it is flat.
func (c *call) topology() (*sched.Topology, error) {
	conf, err := c.config()
	if err != nil || conf == nil {
		return nil, err
	}
	read := func(path string) ([]byte, error) {
		for _, f := range c.reply.Files {
			if f.Name == path || filepath.Base(f.Name) == filepath.Base(path) {
				return f.Text, nil
			}
		}
		return nil, fmt.Errorf("cannot read %s: the controller did not send it", path)
	}
	var file *slurm.TopologyConf
	if _, err := read("topology.conf"); err == nil {
		file, _, _ = slurm.ParseTopologyConf("topology.conf", read)
	}
	nodes := make([]*sched.Node, len(conf.Nodes))
	for i := range conf.Nodes {
		nodes[i] = &sched.Node{Name: sched.NodeName(conf.Nodes[i].Name), Index: i}
	}
	return sched.NewTopology(conf, file, nodes)
}

// showTopology is "show topology [SWITCH|BLOCK|NODE]"; newer words, unit=NAME and
// node=NAME, say which is meant.
func (c *call) showTopology(name string) int {
	net, err := c.topology()
	if err != nil {
		return c.failed("slurm_load_topo error", err)
	}
	if net == nil {
		return c.without("No topology information available")
	}
	kind, rest, given := strings.Cut(name, "=")
	switch {
	case !given:
		kind = ""
	case strings.EqualFold(kind, "unit"), strings.EqualFold(kind, "node"):
		kind, name = strings.ToLower(kind), rest
	default:
		kind = ""
	}
	lines := switchLines(net, kind, name)
	what := "switch"
	if net.IsBlocks() {
		lines, what = blockLines(net, kind, name), "block"
	}
	if len(lines) == 0 {
		c.env.Errorf("Topology information contains no %s or node named %s", what, name)
		return 1
	}
	return c.print(strings.Join(lines, "\n") + "\n")
}

// switchLines are the lines of all switches, of the one of that name, or of those
// above a node of it.
func switchLines(net *sched.Topology, kind, name string) []string {
	line := func(s *sched.Switch) string {
		text := fmt.Sprintf("SwitchName=%s Level=%d LinkSpeed=%s Nodes=%s", s.Name, s.Level, show.Or(s.LinkSpeed, "1"), show.CompressNodes(s.Nodes))
		if s.KidsText != "" {
			text += " Switches=" + s.KidsText
		}
		return text
	}
	var all, one, above []string
	order := make([]int, len(net.Switches))
	for i := range order {
		order[i] = i
	}
	for _, i := range order {
		s := &net.Switches[i]
		all = append(all, line(s))
		if s.Name == name && kind != "node" {
			one = append(one, line(s))
		}
		if slices.Contains(s.Nodes, sched.NodeName(name)) && kind != "unit" {
			above = append(above, line(s))
		}
	}
	switch {
	case name == "":
		return all
	case len(one) > 0:
		return one
	}
	return above
}

// blockLines are the same of blocks: the base blocks, and then those of several.
func blockLines(net *sched.Topology, kind, name string) []string {
	var lines []string
	want := func(block string, nodes []sched.NodeName) bool {
		return name == "" || block == name && kind != "node" || slices.Contains(nodes, sched.NodeName(name)) && kind != "unit"
	}
	for i := range net.Blocks {
		b := &net.Blocks[i]
		if want(b.Name, b.Nodes) {
			lines = append(lines, fmt.Sprintf("BlockName=%s BlockIndex=%d Nodes=%s BlockSize=%d", b.Name, i, show.CompressNodes(b.Nodes), net.BlockSizes[0]))
		}
	}
	index := len(net.Blocks)
	for _, size := range net.BlockSizes[1:] {
		span := size / net.BlockSizes[0]
		for from := 0; from < len(net.Blocks); from += span {
			group := net.Blocks[from:min(from+span, len(net.Blocks))]
			names := make([]string, len(group))
			var nodes []sched.NodeName
			for k := range group {
				names[k] = group[k].Name
				nodes = append(nodes, group[k].Nodes...)
			}
			text := slurm.Compress(names)
			if want(text, nodes) {
				lines = append(lines, fmt.Sprintf("AggregatedBlock=%s BlockIndex=%d Nodes=%s BlockSize=%d", text, index, show.CompressNodes(nodes), size))
			}
			index++
		}
	}
	return lines
}

// without says what there is none of, which is no failure.
func (c *call) without(text string) int {
	c.env.Errorf("%s", text)
	return 0
}
