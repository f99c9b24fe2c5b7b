package sched

import (
	"testing"

	"github.com/runink/rink/slurm"
)

func TestHasFeatures(t *testing.T) {
	n := &Node{Features: []string{"fast", "ib"}}
	for text, want := range map[string]bool{
		"": true, "fast": true, "slow": false, "fast&ib": true, "fast&eth": false, "slow|ib": true, "slow|eth": false,
		"(slow|fast)&ib": true, "(slow|fast)&eth": false, "[slow|fast]": true, "[slow|eth]": false, "fast*4": true, "[fast*2&slow*1]": true,
	} {
		c, err := slurm.ParseConstraint(text)
		if err != nil {
			t.Fatal(text, err)
		}
		if got := hasFeatures(c, n); got != want {
			t.Errorf("%q: got %v", text, got)
		}
	}
}

func TestFeaturePlans(t *testing.T) {
	fast, slow := &Node{Features: []string{"fast", "ib"}}, &Node{Features: []string{"slow", "ib"}}
	for _, c := range []struct {
		text         string
		plans, nodes int
		fast, slow   bool // allowed by the first way
	}{
		{"", 1, 0, true, true},
		{"fast", 1, 0, true, false},
		{"[fast|slow]", 2, 0, true, false},
		{"[slow|fast]", 2, 0, false, true},
		{"[fast*2&slow*1]", 1, 3, true, true},
		{"fast*2", 1, 2, true, true},
		{"ib&[fast|slow]", 2, 0, true, false},
		{"ib&fast*2", 1, 2, true, true},
	} {
		t.Run(c.text, func(t *testing.T) {
			con, err := slurm.ParseConstraint(c.text)
			if err != nil {
				t.Fatal(err)
			}
			plans := featurePlans(con)
			if len(plans) != c.plans || plans[0].nodes() != c.nodes || plans[0].allows(fast) != c.fast || plans[0].allows(slow) != c.slow {
				t.Errorf("%d ways, the first of %d nodes, fast %v, slow %v", len(plans), plans[0].nodes(), plans[0].allows(fast), plans[0].allows(slow))
			}
		})
	}
}

func TestTakeLicenses(t *testing.T) {
	for _, c := range []struct{ name, need, free, want string }{
		{"None", "", "matlab:1", ""},
		{"All", "matlab:2,ansys", "matlab:2,ansys:1", "matlab:2,ansys:1"},
		{"OneShort", "matlab:2,ansys", "matlab:2", "no"},
		{"NamedTwice", "matlab:1,matlab:2", "matlab:2", "no"},
		{"AnyFirst", "matlab:1|ansys:1", "matlab:1,ansys:1", "matlab:1"},
		{"AnySecond", "matlab:2|ansys:1", "matlab:1,ansys:1", "ansys:1"},
		{"AnyNone", "matlab:2|ansys:2", "matlab:1,ansys:1", "no"},
		{"AtServer", "matlab@x:1", "matlab:1", "no"},
	} {
		t.Run(c.name, func(t *testing.T) {
			need, err1 := slurm.ParseLicenses(c.need)
			free, err2 := slurm.ParseLicenses(c.free)
			if err1 != nil || err2 != nil {
				t.Fatal(err1, err2)
			}
			got, ok := TakeLicenses(need, free)
			if text := got.String(); ok && text != c.want || ok == (c.want == "no") {
				t.Errorf("got %q %v", text, ok)
			}
		})
	}
}
