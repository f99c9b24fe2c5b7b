package state

import (
	"math/rand"
	"slices"
	"testing"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

func TestJobListStaysInOrder(t *testing.T) {
	rnd := rand.New(rand.NewSource(1))
	for _, span := range []int{3, 300, 5000} {
		var l jobList
		want := map[slurm.JobID]*sched.Job{}
		for range 20000 {
			id := slurm.JobID(1 + rnd.Intn(span))
			if rnd.Intn(5) < 2 {
				l.del(id)
				delete(want, id)
			} else {
				j := &sched.Job{ID: id}
				l.put(j)
				want[id] = j
			}
		}
		got := l.slice()
		if l.n != len(want) || len(got) != len(want) {
			t.Fatalf("%d jobs, %d in the slice, want %d", l.n, len(got), len(want))
		}
		if !slices.IsSortedFunc(got, byID) {
			t.Fatal("not in order")
		}
		for _, j := range got {
			if want[j.ID] != j {
				t.Fatalf("job %d is not the one put last", j.ID)
			}
		}
		if l.n > 0 && l.first() != got[0] {
			t.Error("first is not the first")
		}
		if all := slices.Collect(l.all()); !slices.Equal(all, got) {
			t.Error("all yields something else")
		}
		for id := range want {
			l.del(id)
		}
		if l.n != 0 || l.first() != nil || l.slice() != nil || len(l.pieces) != 0 {
			t.Errorf("%d jobs in %d pieces left", l.n, len(l.pieces))
		}
	}
}

func TestJobListFillsItsPiecesInOrder(t *testing.T) {
	var l jobList
	for id := range slurm.JobID(10 * pieceMax) {
		l.put(&sched.Job{ID: id + 1})
	}
	if len(l.pieces) != 10 {
		t.Errorf("%d pieces, want 10 full ones", len(l.pieces))
	}
}
