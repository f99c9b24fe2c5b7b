package sched

import (
	"fmt"
	"math/rand"
	"reflect"
	"strings"
	"testing"
	"time"
)

// networkOver hangs a story's nodes behind switches, or puts them into blocks, a few
// at a time.
func networkOver(s *story, r *rand.Rand, kind string) error {
	if kind == "block" {
		if err := s.do("blocksizes 1,2,4", nil); err != nil {
			return err
		}
	}
	for i := 0; i < len(s.nodes); {
		n := min(1+r.Intn(3), len(s.nodes)-i)
		var names []string
		for _, x := range s.nodes[i : i+n] {
			names = append(names, string(x.Name))
		}
		if err := s.do(fmt.Sprintf("%s x%d Nodes=%s", kind, i, strings.Join(names, ",")), nil); err != nil {
			return err
		}
		i += n
	}
	if kind == "block" {
		return nil
	}
	var kids []string
	for _, w := range s.cfg.Topology.Switches {
		kids = append(kids, w.Name)
	}
	return s.do("switch top Switches="+strings.Join(kids, ","), nil)
}

// TestQuickPlansStartWhatFullOnesDo plays random queues on flat networks, behind
// switches and in blocks with two schedulers that are told of every change: one that
// only looks at what may start, and one that looks at everything. In one partition, and
// with room promised to the first in line alone, they start the same jobs on the same
// nodes. (Of partitions that overlap, what one is promised no more comes too late for
// those of another that were looked at before it.)
func TestQuickPlansStartWhatFullOnesDo(t *testing.T) {
	for _, kind := range []string{"flat", "switch", "block"} {
		t.Run(kind, func(t *testing.T) {
			for _, seed := range seeds(90) {
				r := rand.New(rand.NewSource(seed))
				s, err := randomCluster(r)
				if err == nil && s.parted {
					continue
				}
				if err == nil && kind != "flat" {
					err = networkOver(s, r, kind)
					s.extras = []string{"switches=1 switchwait=10m", "segment=1", "exclusive=topo", "switches=1", "segment=2 nodes=2"}
				}
				if err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
				s.cfg.Conf.SchedulerPolicy = "easy"
				quick, full := follower{s: s}, follower{s: s}
				var next time.Time
				if err := playQueue(s, r, func(again bool) (Plan, error) {
					quick.catchUp()
					full.catchUp()
					if again {
						return Plan{Next: next}, nil
					}
					got, want := quick.live.Plan(s.now, false), full.live.Plan(s.now, true)
					next = got.Next
					if len(got.Starts)+len(want.Starts) > 0 && !reflect.DeepEqual(got.Starts, want.Starts) {
						return got, fmt.Errorf("a quick plan starts %+v, a full one %+v", got.Starts, want.Starts)
					}
					return got, quick.live.check()
				}); err != nil {
					t.Errorf("seed %d: %v", seed, err)
				}
			}
		})
	}
}
