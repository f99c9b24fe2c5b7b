package ctld

import (
	"slices"
	"testing"

	"github.com/runink/rink/slurm"
)

func TestNodeEvents(t *testing.T) {
	const idle, alloc, down = slurm.NodeIdle, slurm.NodeAllocated, slurm.NodeDown
	for _, c := range []struct {
		old, now slurm.NodeState
		want     []string
	}{
		{idle, idle, nil}, {idle, alloc, nil}, {idle, down, []string{"down"}}, {down, idle, []string{"up"}},
		{slurm.NodeUnknown, idle, nil}, {slurm.NodeUnknown, down, nil}, {idle, idle | slurm.NodeNotResponding, []string{"down"}},
		{idle, idle | slurm.NodeDrain, []string{"drained"}}, {alloc, alloc | slurm.NodeDrain, []string{"draining"}},
		{alloc | slurm.NodeDrain, idle | slurm.NodeDrain, []string{"drained"}}, {idle | slurm.NodeDrain, idle, []string{"resume"}},
		{idle, idle | slurm.NodeFail, []string{"fail"}}, {down | slurm.NodeDrain, idle, []string{"up", "resume"}},
	} {
		if got := nodeEvents(c.old, c.now); !slices.Equal(got, c.want) {
			t.Errorf("%v to %v: %v, want %v", c.old, c.now, got, c.want)
		}
	}
}
