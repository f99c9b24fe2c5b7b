package ctld

import (
	"log/slog"
	"testing"
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/gpu"
	"github.com/runink/rink/sched"
)

// TestCutsAreForgotten holds that what agents answer does not pile up at the leader,
// and that as long as it counts it is there.
func TestCutsAreForgotten(t *testing.T) {
	var c cuts
	s := &Server{log: slog.New(slog.DiscardHandler)}
	n := &sched.Node{Name: "n1", Cuts: []sched.Cut{{File: "/dev/nvidia0"}}}
	now := time.Now()
	if got := c.due(n, now); len(got) != 1 {
		t.Fatalf("ordered: %v", got)
	}
	if got := c.due(n, now.Add(cutAgain/2)); len(got) != 0 {
		t.Errorf("ordered again: %v", got)
	}
	if got := c.noted(s, "n1", &rinkpb.NoteCut{File: "/dev/nvidia0", Error: "busy"}); len(got) != 1 || !c.rests(cutKey{"n1", "/dev/nvidia0"}, now.Add(cutRest/2)) {
		t.Errorf("it could not be cut: %v", got)
	}
	c.past(now.Add(cutAgain / 2))
	if len(c.ordered)+len(c.failed) != 2 {
		t.Errorf("forgotten too early: %v %v", c.ordered, c.failed)
	}
	c.past(now.Add(2 * cutRest))
	if len(c.ordered)+len(c.failed) != 0 {
		t.Errorf("not forgotten: %v %v", c.ordered, c.failed)
	}
	if got := c.noted(s, "n1", &rinkpb.NoteCut{File: "/dev/nvidia0", Made: make([]*rinkpb.CutPart, gpu.MaxInstances+1)}); got != nil {
		t.Errorf("more instances than a GPU has: %v", got)
	}
}

// TestShapesAreBounded refuses an agent that tells of GPUs that can be cut in more ways
// than any can.
func TestShapesAreBounded(t *testing.T) {
	shape := func(profiles, spans int) *rinkpb.RegisterNode {
		s := &rinkpb.Shape{File: "/dev/nvidia0"}
		for range profiles {
			s.Profiles = append(s.Profiles, &rinkpb.CutProfile{Name: "1g.10gb", Spans: make([]*rinkpb.CutSpan, spans)})
		}
		return &rinkpb.RegisterNode{Shapes: []*rinkpb.Shape{s}}
	}
	if _, err := foundOn(shape(maxProfiles, maxSpans)); err != nil {
		t.Error(err)
	}
	for _, p := range []*rinkpb.RegisterNode{shape(maxProfiles+1, 1), shape(1, maxSpans+1)} {
		if _, err := foundOn(p); err == nil {
			t.Error("it is taken")
		}
	}
}

// TestNodesAreToldInFew holds that a listing of nodes does not carry into what their
// GPUs could be cut, and takes nothing from the node.
func TestNodesAreToldInFew(t *testing.T) {
	n := &sched.Node{Name: "n1", Shapes: []sched.Shape{{File: "/dev/nvidia0"}}, Cuts: []sched.Cut{{File: "/dev/nvidia0"}}}
	if p := nodeToTell(n); p.Name != "n1" || len(p.Shapes) != 0 || len(p.Cuts) != 1 || len(n.Shapes) != 1 {
		t.Errorf("told %v of %+v", p, n)
	}
}
