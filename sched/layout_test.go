package sched

import (
	"fmt"
	"slices"
	"testing"
)

func TestTaskCounts(t *testing.T) {
	for _, c := range []struct {
		name  string
		slots []int
		tasks int
		want  []int
	}{
		{"Even", []int{16, 16}, 20, []int{10, 10}},
		{"SmallNodeFull", []int{5, 1}, 6, []int{5, 1}},
		{"FewerThanNodes", []int{4, 4, 4}, 2, []int{1, 1, 0}},
		{"MoreThanSlots", []int{5, 1}, 10, []int{7, 3}},
		{"NoSlots", []int{0, 0}, 3, []int{2, 1}},
		{"NoTasks", []int{2}, 0, []int{0}},
		{"NoNodes", nil, 3, []int{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := TaskCounts(c.slots, c.tasks); !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestTaskRanks(t *testing.T) {
	for _, c := range []struct {
		distribution string
		want         string
	}{
		{"block", "[[0 1 2] [3 4] [5]]"},
		{"", "[[0 1 2] [3 4] [5]]"},
		{"block:cyclic", "[[0 1 2] [3 4] [5]]"},
		{"cyclic", "[[0 3 5] [1 4] [2]]"},
		{"CYCLIC:block", "[[0 3 5] [1 4] [2]]"},
		{"plane=2", "[[0 1 5] [2 3] [4]]"},
		{"plane=9", "[[0 1 2] [3 4] [5]]"},
	} {
		t.Run(c.distribution, func(t *testing.T) {
			if got := fmt.Sprint(TaskRanks([]int{3, 2, 1}, c.distribution)); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// FuzzTaskLayout checks that every rank runs exactly once, whatever is asked for.
func FuzzTaskLayout(f *testing.F) {
	f.Add(uint8(3), uint8(2), uint8(1), uint8(7), "cyclic")
	f.Add(uint8(0), uint8(0), uint8(9), uint8(40), "plane=3")
	f.Add(uint8(16), uint8(16), uint8(16), uint8(48), "block")
	f.Fuzz(func(t *testing.T, a, b, c, tasks uint8, distribution string) {
		counts := TaskCounts([]int{int(a), int(b), int(c)}, int(tasks))
		seen := make([]bool, tasks)
		for i, ranks := range TaskRanks(counts, distribution) {
			if len(ranks) != counts[i] {
				t.Fatalf("%v on a node for %d", ranks, counts[i])
			}
			for _, r := range ranks {
				if r >= int(tasks) || seen[r] {
					t.Fatalf("rank %d twice or beyond %d", r, tasks)
				}
				seen[r] = true
			}
		}
		if slices.Contains(seen, false) {
			t.Fatalf("not all of %d tasks run: %v", tasks, counts)
		}
	})
}

func TestPackedCounts(t *testing.T) {
	for _, c := range []struct {
		slots []int
		tasks int
		want  []int
	}{
		{[]int{16, 16}, 20, []int{16, 4}},
		{[]int{16, 16, 16}, 18, []int{16, 1, 1}},
		{[]int{4, 4}, 2, []int{1, 1}},
		{[]int{2, 2}, 6, []int{3, 3}}, // more than there is room for: spread
	} {
		if got := packedCounts(c.slots, c.tasks); !slices.Equal(got, c.want) {
			t.Errorf("%d tasks on %v: %v, want %v", c.tasks, c.slots, got, c.want)
		}
	}
}

func TestWhetherTasksArePacked(t *testing.T) {
	pack, even := &tuning{packNodes: true}, &tuning{}
	for _, c := range []struct {
		distribution string
		t            *tuning
		want         bool
	}{
		{"", even, false}, {"", pack, true}, {"block", pack, true}, {"cyclic", pack, false}, {"block,NoPack", pack, false}, {"block,Pack", even, true},
	} {
		if got := isPacked(c.distribution, c.t); got != c.want {
			t.Errorf("%q with CR_Pack_Nodes %v: %v", c.distribution, c.t.packNodes, got)
		}
	}
}
