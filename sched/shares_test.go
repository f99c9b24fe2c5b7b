package sched

import (
	"math/rand"
	"slices"
	"testing"

	"github.com/runink/rink/slurm"
)

// sharedNode has four GPUs, of two types, and eight shards on each.
func sharedNode() *Node {
	return &Node{Name: "n", CPUs: 64, Sockets: 1, Cores: 64, Threads: 1, State: slurm.NodeIdle, Gres: []NodeGres{
		{Name: "gpu", Type: "a", Count: 3, Files: []string{"/dev/g0", "/dev/g1", "/dev/g2"}},
		{Name: "gpu", Type: "b", Count: 1, Files: []string{"/dev/g3"}, Numbers: []int{3}},
		{Name: "shard", Count: 32},
	}}
}

func TestShareCaps(t *testing.T) {
	n := sharedNode()
	for x := range 4 {
		if got := n.ShareCaps(&n.Gres[2])[x]; got != 8 {
			t.Errorf("GPU %d has %d shards", x, got)
		}
	}
	by := NodeGres{Name: "shard", Count: 3, Files: []string{"/dev/g1", "/dev/g1", "/dev/g3"}}
	if c := n.ShareCaps(&by); len(c) != 2 || c[1] != 2 || c[3] != 1 {
		t.Errorf("by files: %v", c)
	}
	if c := n.ShareCaps(&n.Gres[0]); c != nil {
		t.Errorf("whole GPUs: %v", c)
	}
	n.Gres = n.Gres[2:]
	if c := n.ShareCaps(&n.Gres[0]); c != nil {
		t.Errorf("without GPUs: %v", c)
	}
}

// TestPartsAndWholes gives GPUs of a node away, whole and in parts, and takes them
// back, at random: what the room offers is what the record of the node admits, and no
// GPU is ever given both ways or beyond what it has.
func TestPartsAndWholes(t *testing.T) {
	for _, seed := range seeds(40, 104) {
		rnd := rand.New(rand.NewSource(seed))
		n := sharedNode()
		r := emptyRoom(n, 0)
		f := field{t: &tuning{}}
		var held []GresAlloc
		for step := range 200 {
			if len(held) > 0 && rnd.Intn(3) == 0 {
				k := rnd.Intn(len(held))
				g := held[k]
				held = slices.Delete(held, k, k+1)
				r.takeGres(g, -1)
				r.line.add(0, always+1<<40, &load{gres: r.gresCounts([]GresAlloc{g})}, -1)
				n.UsedGres = SubGres(n.UsedGres, g)
			} else {
				want := slurm.GresItem{Name: "shard", Count: int64(1 + rnd.Intn(8))}
				if rnd.Intn(3) == 0 {
					want = slurm.GresItem{Name: "gpu", Type: []string{"", "a", "b"}[rnd.Intn(3)], Count: int64(1 + rnd.Intn(2))}
				}
				left := f.look(&r, 1)
				free := int64(0)
				for i := range r.gres {
					if r.gres[i].name == want.Name && (want.Type == "" || want.Type == r.gres[i].typ) {
						free += left.gres[i]
					}
				}
				if free < want.Count {
					continue
				}
				got := r.chooseGres(slurm.Gres{want}, true)
				sum := int64(0)
				for _, g := range got {
					if err := n.GresFits(n.UsedGres, g); err != nil {
						t.Fatalf("seed %d step %d: %v is offered for %v and refused: %v; in use %v", seed, step, g, want, err, n.UsedGres)
					}
					if len(g.Index) != int(g.Count) && g.Name == "gpu" {
						t.Fatalf("seed %d step %d: %v has not as many devices as it counts", seed, step, g)
					}
					sum += g.Count
					r.takeGres(g, 1)
					r.line.add(0, always+1<<40, &load{gres: r.gresCounts([]GresAlloc{g})}, 1)
					n.UsedGres = AddGres(n.UsedGres, g)
					held = append(held, g)
				}
				if sum != want.Count {
					t.Fatalf("seed %d step %d: %d of %v given: %v", seed, step, sum, want, got)
				}
			}
			parts, whole := map[int]int64{}, map[int]bool{}
			for _, g := range held {
				for _, x := range g.Index {
					if g.Name == "shard" {
						parts[x] += g.Count
					} else if whole[x] {
						t.Fatalf("seed %d step %d: GPU %d is given twice", seed, step, x)
					} else {
						whole[x] = true
					}
				}
			}
			for x, k := range parts {
				if whole[x] || k > 8 {
					t.Fatalf("seed %d step %d: GPU %d has %d parts in use, whole %v", seed, step, x, k, whole[x])
				}
			}
		}
		for _, g := range held {
			n.UsedGres = SubGres(n.UsedGres, g)
		}
		if n.UsedGres != nil {
			t.Fatalf("seed %d: %v is left", seed, n.UsedGres)
		}
	}
}
