package sched

import (
	"math/rand"
	"testing"

	"github.com/runink/rink/slurm"
)

// TestAMixtureIsFound asks for tasks, GPUs and nodes of a kind on few nodes: there is
// room when some choice of the nodes has it, whichever that is.
func TestAMixtureIsFound(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	found, none := 0, 0
	for range 3000 {
		offers := make([]slot, 3+r.Intn(5))
		for i := range offers {
			n := &Node{Name: NodeName(rune('a' + i)), Index: i, Weight: uint32(1 + r.Intn(2)), Features: []string{pick(r, "x", "y")}}
			offers[i] = slot{r: &room{n: n, pos: i, open: true}, tasks: 1 + r.Intn(6), gres: []int64{int64(1 + r.Intn(4))}}
		}
		most := 1 + r.Intn(len(offers))
		a := &ask{minNodes: 1 + r.Intn(most), maxNodes: most, tasks: 1 + r.Intn(4*most), perJob: slurm.Gres{{Name: "gpu", Count: int64(1 + r.Intn(3*most))}}}
		a.aim = a.minNodes
		var plan featurePlan
		if r.Intn(2) == 0 {
			plan.quotas = []featureQuota{{func(n *Node) bool { return n.Features[0] == "x" }, 1 + r.Intn(2)}}
		}
		holds := func(list []slot) bool {
			var sum tally
			for _, o := range list {
				sum.add(o)
			}
			return len(list) <= most && a.met(&sum, a.minNodes) && plan.meets(list)
		}
		may := false
		for set := range 1 << len(offers) {
			var list []slot
			for i := range offers {
				if set>>i&1 == 1 {
					list = append(list, offers[i])
				}
			}
			may = may || holds(list)
		}
		got := a.choose(offers, &plan, max(a.minNodes, plan.nodes()))
		switch {
		case may != (got != nil):
			t.Fatalf("%d tasks and %d GPUs on %d to %d of %+v: there is room: %v, found %+v", a.tasks, a.perJob[0].Count, a.minNodes, most, offers, may, got)
		case got != nil && !holds(got):
			t.Fatalf("%d tasks and %d GPUs on %d to %d nodes: %+v do not hold them", a.tasks, a.perJob[0].Count, a.minNodes, most, got)
		case may:
			found++
		default:
			none++
		}
	}
	if found < 500 || none < 500 {
		t.Errorf("%d of the requests had room, %d not", found, none)
	}
}
