package slice

import (
	"slices"
	"testing"
)

func TestGroupsOf(t *testing.T) {
	v1 := map[string]string{"cpu": "/cg/cpu", "cpuacct": "/cg/cpu", "memory": "/cg/memory", "pids": "/cg/pids"}
	for _, c := range []struct {
		text string
		want []string
	}{
		{"9:memory:/rink/c1.n1/job_7.0/extern\n8:cpu,cpuacct:/rink/c1.n1/job_7.0\n7:pids:/\n6:rdma:/rink/c1.n1/job_7.0\n0::/system.slice\n", []string{"/cg/memory/rink/c1.n1/job_7.0/extern", "/cg/cpu/rink/c1.n1/job_7.0"}},
		{"0::/sys/rink/c1.n1/job_7.0/extern\n", []string{"/cg/v2/sys/rink/c1.n1/job_7.0/extern"}},
		{"0::/rink/c1.n10/job_7.0\n", nil}, // another node's
		{"0::/user.slice\n", nil},
		{"nonsense\n", nil},
	} {
		if got := groupsOf(c.text, "rink/c1.n1", v1, "/cg/v2"); !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, want %q", c.text, got, c.want)
		}
	}
}
