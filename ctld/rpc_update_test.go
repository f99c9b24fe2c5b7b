package ctld

import (
	"errors"
	"testing"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// The counts of GPUs of a job are of GPUs, and CPUs are given by GPU: what names
// anything else is refused, not taken for them.
func TestUpdatesOfGPUCounts(t *testing.T) {
	for _, c := range []struct {
		key, value string
		ok         bool
	}{
		{"tresperjob", "gres:gpu:2", true}, {"tresperjob", "gpu:a100:2", true}, {"tresperjob", "gres:shard:2", false}, {"tresperjob", "foo:2", false}, {"trespersocket", "foo:1", false}, {"trespertask", "cpu:1", false},
		{"trespertask", "gres:gpu:1", true}, {"cpuspertres", "gres:gpu:3", true}, {"cpuspertres", "gpu:3", true},
		{"cpuspertres", "foo:3", false}, {"cpuspertres", "gpu:0", false}, {"cpuspertres", "gpu:a100:3", false}, {"cpuspertres", "gpu:x", false},
	} {
		spec := &slurm.JobOptions{Given: map[string]bool{}}
		up := &jobUpdate{j: &sched.Job{State: slurm.JobPending, Spec: spec}, spec: spec}
		if err := up.word(c.key, c.value, ""); (err == nil) != c.ok || err != nil && !errors.Is(err, slurm.ErrnoInvalidGres) {
			t.Errorf("%s=%s: %v", c.key, c.value, err)
		}
	}
}
