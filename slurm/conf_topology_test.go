package slurm

import (
	"strings"
	"testing"
)

func parseTopologyText(text string) (*TopologyConf, []KeyReport, error) {
	return ParseTopologyConf("topology.conf", func(string) ([]byte, error) { return []byte(text), nil })
}

func TestParseTopologyConfOK(t *testing.T) {
	c, reports, err := parseTopologyText(`# a tree
SwitchName=s0 Nodes=tux[0-3] LinkSpeed=100
SwitchName=s1 Nodes=tux[4-7] \
  LinkSpeed=100
SwitchName=s2 Switches=s[0-1]
`)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Switches) != 3 || c.Switches[1].Nodes.String() != "tux[4-7]" || c.Switches[1].LinkSpeed != "100" || c.Switches[2].Switches.Len() != 2 {
		t.Errorf("got %+v", c.Switches)
	}
	if len(reports) != 8 {
		t.Errorf("%d keys are reported on: %v", len(reports), reports)
	}
	c, _, err = parseTopologyText("BlockName=b1 Nodes=n[1-4]\nBlockName=b2 Nodes=n[5-8]\nBlockSizes=8,4\n")
	if err != nil || len(c.Blocks) != 2 || len(c.BlockSizes) != 2 || c.BlockSizes[0] != 4 {
		t.Errorf("got %+v, %v", c, err)
	}
}

func TestParseTopologyConfRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"SwitchName=s1\n": "topology.conf:1: cannot use switch s1: it has neither Nodes nor Switches",
		"SwitchName=s1 Nodes=n1 Switches=s2\nSwitchName=s2 Nodes=n2":                   "it has both Nodes and Switches",
		"SwitchName=s1 Nodes=n1\nSwitchName=s1 Nodes=n2\n":                             "topology.conf:2: cannot use switch s1: it is described at topology.conf:1 already",
		"SwitchName=s1 Nodes=n[1-2]\nSwitchName=s2 Nodes=n2\n":                         "node n2 is at switch s1 already",
		"SwitchName=s1 Switches=s9\n":                                                  "switch s9 is not described",
		"SwitchName=s1 Switches=s2\nSwitchName=s2 Switches=s1\n":                       "it is behind itself",
		"SwitchName=s1 Nodes=n1\nSwitchName=a Switches=s1\nSwitchName=b Switches=s1\n": "switch s1 is behind a already",
		"SwitchName=s1 Nodes=n1 LinkSpeed=fast\n":                                      "cannot use LinkSpeed=fast",
		"SwitchName=s1 Nodes=n[1-\n":                                                   "cannot use Nodes=n[1-",
		"Nodes=n1\n":                                                                   "a line begins with SwitchName, BlockName or BlockSizes",
		"BlockName=b1 Nodes=n1\nBlockName=b2 Nodes=n1\n":                               "node n1 is in block b1 already",
		"BlockName=b1\n":                            "it has no Nodes",
		"BlockSizes=4,12\n":                         "12 is not 4 times a power of two",
		"BlockName=b1 Nodes=n[1-2]\nBlockSizes=4\n": "it has 2 nodes, the smallest of BlockSizes is 4",
	} {
		if _, _, err := parseTopologyText(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

func FuzzTopologyConf(f *testing.F) {
	f.Add("SwitchName=s0 Nodes=tux[0-3]\nSwitchName=s1 Switches=s0\n")
	f.Add("BlockName=b1 Nodes=n[1-4]\nBlockSizes=4,8\n")
	f.Add("SwitchName=s1 Switches=s[1-3]\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, _, err := parseTopologyText(text)
		if err != nil {
			return
		}
		// What is accepted has no node at two leaves.
		seen := map[string]bool{}
		for _, s := range c.Switches {
			for name := range s.Nodes.All() {
				if seen[name] {
					t.Fatalf("node %s is at two switches of %q", name, text)
				}
				seen[name] = true
			}
		}
	})
}
