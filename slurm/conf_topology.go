package slurm

import (
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"
)

// TopologyConf is a topology.conf: the switches of a network, or its blocks.
type TopologyConf struct {
	Switches []SwitchConf // in the file's order
	Blocks   []BlockConf  // likewise
	// BlockSizes are how many nodes the planner takes for a block, and how many
	// those made of several have, smallest first.
	BlockSizes []int
	Texts      []ConfText
}

// SwitchConf is a SwitchName line: a switch with nodes (a leaf) or with other
// switches behind it.
type SwitchConf struct {
	Name            string
	Nodes, Switches HostList
	LinkSpeed       string // as given; shown, and otherwise no matter
	File            string
	Line            int
}

// BlockConf is a BlockName line.
type BlockConf struct {
	Name  string
	Nodes HostList
	File  string
	Line  int
}

func recHosts[T any](name string, field func(*T) *HostList) recordKey[T] {
	return recordKey[T]{name: name, set: func(r *T, v string) (err error) { *field(r), err = ParseHostList(v); return err }}
}

var switchKeys = []recordKey[SwitchConf]{
	recText("SwitchName", func(s *SwitchConf) *string { return &s.Name }),
	recHosts("Nodes", func(s *SwitchConf) *HostList { return &s.Nodes }),
	recHosts("Switches", func(s *SwitchConf) *HostList { return &s.Switches }),
	{name: "LinkSpeed", set: func(s *SwitchConf, v string) error {
		if _, err := confCount(v, 0, 1<<31-1); err != nil {
			return err
		}
		s.LinkSpeed = v
		return nil
	}},
}

var blockKeys = []recordKey[BlockConf]{
	recText("BlockName", func(b *BlockConf) *string { return &b.Name }),
	recHosts("Nodes", func(b *BlockConf) *HostList { return &b.Nodes }),
}

// ParseTopologyConf reads topology.conf, with the same reports and errors as
// ParseConf. What it returns is a tree of switches, or blocks that share no node.
func ParseTopologyConf(file string, read FileReader) (*TopologyConf, []KeyReport, error) {
	r := readConf(file, read)
	p := &confParser{errs: r.errs}
	t := &TopologyConf{Texts: r.texts}
	for i := range r.lines {
		l := &r.lines[i]
		switch strings.ToLower(l.pairs[0].key) {
		case "switchname":
			s := SwitchConf{File: l.file, Line: l.line}
			if fill(p, l, switchKeys, &s, l.pairs, false) {
				t.Switches = append(t.Switches, s)
			}
		case "blockname":
			b := BlockConf{File: l.file, Line: l.line}
			if fill(p, l, blockKeys, &b, l.pairs, false) {
				t.Blocks = append(t.Blocks, b)
			}
		case "blocksizes":
			fill(p, l, []recordKey[TopologyConf]{{name: "BlockSizes", set: setBlockSizes}}, t, l.pairs, false)
		default:
			for _, pair := range l.pairs {
				p.report(l, pair.key, pair.value, Refused, "a line begins with SwitchName, BlockName or BlockSizes")
			}
		}
	}
	p.checkSwitches(t)
	p.checkBlocks(t)
	return t, p.reports, errOf(p.errs)
}

// setBlockSizes reads the sizes: each a power of two times the first.
func setBlockSizes(t *TopologyConf, v string) error {
	t.BlockSizes = nil
	for _, part := range splitList(v) {
		n, err := confCount(part, 1, maxNodeCount)
		if err != nil {
			return err
		}
		t.BlockSizes = append(t.BlockSizes, n)
	}
	slices.Sort(t.BlockSizes)
	for _, n := range t.BlockSizes {
		if times := n / t.BlockSizes[0]; n%t.BlockSizes[0] != 0 || bits.OnesCount(uint(times)) != 1 {
			return errorString(strconv.Itoa(n) + " is not " + strconv.Itoa(t.BlockSizes[0]) + " times a power of two")
		}
	}
	return nil
}

// checkSwitches holds that the switches are trees whose leaves share no node.
func (p *confParser) checkSwitches(t *TopologyConf) {
	bad := func(s *SwitchConf, format string, args ...any) {
		l := &confLine{file: s.File, line: s.Line}
		p.errs = append(p.errs, l.errorf("cannot use switch %s: %s", s.Name, fmt.Sprintf(format, args...)))
	}
	at := make(map[string]int, len(t.Switches))
	leafOf := map[string]string{}
	for i := range t.Switches {
		s := &t.Switches[i]
		if first, ok := at[s.Name]; ok {
			bad(s, "it is described at %s:%d already", t.Switches[first].File, t.Switches[first].Line)
			continue
		}
		at[s.Name] = i
		switch nodes, switches := s.Nodes.Len(), s.Switches.Len(); {
		case nodes > 0 && switches > 0:
			bad(s, "it has both Nodes and Switches")
		case nodes+switches == 0:
			bad(s, "it has neither Nodes nor Switches")
		}
		for name := range s.Nodes.All() {
			if other, ok := leafOf[name]; ok {
				bad(s, "node %s is at switch %s already", name, other)
				break
			}
			leafOf[name] = s.Name
		}
	}
	parent := make([]int, len(t.Switches))
	for i := range parent {
		parent[i] = -1
	}
	for i := range t.Switches {
		s := &t.Switches[i]
		for name := range s.Switches.All() {
			kid, ok := at[name]
			switch {
			case !ok:
				bad(s, "switch %s is not described", name)
			case kid == i:
				bad(s, "it is behind itself")
			case parent[kid] >= 0:
				bad(s, "switch %s is behind %s already", name, t.Switches[parent[kid]].Name)
			default:
				parent[kid] = i
			}
		}
	}
	for i := range t.Switches {
		for up, steps := parent[i], 0; up >= 0; up, steps = parent[up], steps+1 {
			if steps > len(parent) {
				bad(&t.Switches[i], "it is behind itself")
				return
			}
		}
	}
}

// checkBlocks holds that blocks share no node and none is smaller than the
// smallest size.
func (p *confParser) checkBlocks(t *TopologyConf) {
	names := map[string]bool{}
	blockOf := map[string]string{}
	for i := range t.Blocks {
		b := &t.Blocks[i]
		l := &confLine{file: b.File, line: b.Line}
		bad := func(format string, args ...any) {
			p.errs = append(p.errs, l.errorf("cannot use block %s: %s", b.Name, fmt.Sprintf(format, args...)))
		}
		if names[b.Name] {
			bad("it is described twice")
		}
		names[b.Name] = true
		if b.Nodes.Len() == 0 {
			bad("it has no Nodes")
		}
		if len(t.BlockSizes) > 0 && b.Nodes.Len() < t.BlockSizes[0] {
			bad("it has %d nodes, the smallest of BlockSizes is %d", b.Nodes.Len(), t.BlockSizes[0])
		}
		for name := range b.Nodes.All() {
			if other, ok := blockOf[name]; ok {
				bad("node %s is in block %s already", name, other)
				break
			}
			blockOf[name] = b.Name
		}
	}
}
