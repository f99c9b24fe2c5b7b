package sched

import (
	"strings"
	"testing"

	"github.com/runink/rink/slurm"
)

func TestPropagates(t *testing.T) {
	for _, c := range []struct{ conf, asked, want string }{
		{"", "", "CORE NOFILE STACK"},
		{"PropagateResourceLimits=NONE", "", ""},
		{"PropagateResourceLimits=NONE", "STACK", "CORE NOFILE STACK"},
		{"PropagateResourceLimits=RLIMIT_CORE,stack", "", "CORE STACK"},
		{"PropagateResourceLimitsExcept=CORE", "", "NOFILE STACK"},
		{"PropagateResourceLimitsExcept=ALL", "", ""},
		{"PropagateResourceLimitsExcept=NONE", "", "CORE NOFILE STACK"},
	} {
		text := "ClusterName=c\nSlurmctldHost=h\nNodeName=n\nPartitionName=p Nodes=n Default=YES\n" + c.conf + "\n"
		conf, _, err := slurm.ParseConf("slurm.conf", func(string) ([]byte, error) { return []byte(text), nil })
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		passes := Propagates(conf, c.asked)
		for _, l := range []string{"CORE", "NOFILE", "STACK"} {
			if passes(l) {
				got = append(got, l)
			}
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%q, --propagate=%q: %q, want %q", c.conf, c.asked, s, c.want)
		}
	}
}
