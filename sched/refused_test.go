package sched

import (
	"math/rand"
	"slices"
	"testing"
	"time"

	"github.com/runink/rink/slurm"
)

// TestWhatARefusalCoversFindsNoRoom tries requests on random nodes: where one finds
// room, so does each plain one whose refusal would have kept it from being tried.
func TestWhatARefusalCoversFindsNoRoom(t *testing.T) {
	r := rand.New(rand.NewSource(5))
	cfg, _ := bigCluster(1)
	covered, exact := 0, 0
	for range 6000 {
		nodes := make([]*Node, 1+r.Intn(6))
		cfg.Partitions[0].Nodes = nil
		for i := range nodes {
			nodes[i] = &Node{Name: NodeName("n" + string(rune('a'+i))), Index: i, CPUs: 1 + r.Intn(12), Sockets: 1, Cores: 12, Threads: 1, Memory: slurm.MB(100 * (1 + r.Intn(30))),
				Weight: uint32(1 + r.Intn(2)), State: slurm.NodeIdle}
			cfg.Partitions[0].Nodes = append(cfg.Partitions[0].Nodes, nodes[i].Name)
		}
		asks := func(id int, plain bool) *Job {
			j := &Job{ID: slurm.JobID(id), Spec: &slurm.JobOptions{}, Priority: 1, Partitions: []PartitionName{"main"}, Partition: "main", State: slurm.JobPending,
				Submit: refNow, LastSched: refNow, TimeLimit: slurm.Duration(60 * (1 + r.Intn(5)))}
			j.Need = Need{MinNodes: 1, MaxNodes: AnyNodes, Tasks: 1 + r.Intn(9), CPUsPerTask: 1 + r.Intn(4), MemPerCPU: slurm.MB(50 * r.Intn(4))}
			j.Need.MinCPUsNode = j.Need.CPUsPerTask
			switch fixed := r.Intn(3) == 0; {
			case fixed:
				j.Need.MinNodes = 1 + r.Intn(3)
				j.Need.MaxNodes, j.Need.Exclusive = j.Need.MinNodes, r.Intn(3) == 0
				j.Need.Tasks = max(j.Need.Tasks, j.Need.MinNodes)
				if !plain {
					j.Need.MinCPUsNode += r.Intn(2)
				}
			case !plain:
				switch r.Intn(4) {
				case 0:
					j.Need.MinNodes = 1 + r.Intn(3)
				case 1:
					j.Need.MaxNodes = j.Need.MinNodes
				case 2:
					j.Need.MinCPUsNode += r.Intn(3)
				}
			}
			j.Need.CPUs = j.Need.Tasks * j.Need.CPUsPerTask
			return j
		}
		less, more := asks(1, true), asks(2, false)
		s := NewScheduler(View{Config: cfg, Nodes: nodes})
		fits := func(j *Job) (bool, *shape) {
			s.Job(nil, j)
			p := s.Plan(refNow, true)
			sh := s.shapeOf(j, s.part("main"))
			s.Job(j, nil)
			return len(p.Starts) > 0, sh
		}
		room, sh := fits(less)
		c := s.newCycle(refNow, true)
		part := s.part("main")
		part.refused = nil
		c.refuse(&sh.ask, part)
		if len(part.refused) != 1 {
			t.Fatalf("%+v is not plain", less.Need)
		}
		ref := part.refused[0]
		any, big := fits(more)
		want := big.want
		want.lasts(time.Duration(more.TimeLimit) * time.Second)
		if !ref.covers(&want) {
			continue
		}
		covered++
		if ref.nodes > 0 {
			exact++
		}
		if any && !room {
			t.Fatalf("there is room for %+v and none for %+v on %v", more.Need, less.Need, slices.Collect(func(yield func(Node) bool) {
				for _, n := range nodes {
					yield(*n)
				}
			}))
		}
	}
	if covered < 100 || exact < 30 {
		t.Errorf("only %d requests were covered, %d of them of a number of nodes", covered, exact)
	}
}

// TestAFullPassLeavesTheCalmAlone has a queue that cannot move looked at twice.
func TestAFullPassLeavesTheCalmAlone(t *testing.T) {
	for _, policy := range []string{"easy", "slurm", "default"} {
		m := newMachine(200, 3000, policy)
		m.apply(m.live.Plan(m.now, true))
		m.apply(m.live.Plan(m.now, true))
		before := m.live.Waiting()
		p := m.live.Plan(m.now, true)
		if len(p.Starts) > 0 || len(p.Waits) > 0 {
			t.Fatalf("%s: %d start and %d are told something when nothing has changed", policy, len(p.Starts), len(p.Waits))
		}
		if most := 600 + 100; m.live.seen > most {
			t.Errorf("%s: %d of %d jobs are looked at when nothing has changed", policy, m.live.seen, before)
		}
		// A node that goes may change what all are told.
		down := *m.live.rooms[3].n
		down.State |= slurm.NodeDrain
		m.live.Node(&down)
		m.live.Plan(m.now, true)
		if m.live.seen < before {
			t.Errorf("%s: %d of %d jobs are looked at when a node has gone", policy, m.live.seen, before)
		}
	}
}
