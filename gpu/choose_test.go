package gpu

import (
	"math/rand"
	"slices"
	"testing"
)

// pairs ties GPUs 0-1, 2-3, ... by four links and each pair to the next by one.
func pairs(n int) *Board {
	b := &Board{Links: make([][]int, n), Near: make([]int, n)}
	for i := range n {
		b.Links[i] = make([]int, n)
		for j := range n {
			switch {
			case i == j:
				b.Links[i][j] = -1
			case i/2 == j/2:
				b.Links[i][j] = 4
			case i/2 == j/2+1 || j/2 == i/2+1:
				b.Links[i][j] = 1
			}
		}
		b.Near[i] = i / (n / 2)
	}
	return b
}

func TestPick(t *testing.T) {
	for _, c := range []struct {
		name string
		b    *Board
		free []int
		n    int
		want []int
	}{
		{"TheFirstPair", pairs(8), []int{0, 1, 2, 3, 4, 5, 6, 7}, 2, []int{0, 1}},
		{"AWholePair", pairs(8), []int{1, 2, 3, 6}, 2, []int{2, 3}},
		{"OneOfABrokenPair", pairs(8), []int{0, 1, 3, 4, 5}, 1, []int{3}},
		{"NeighbouringPairs", pairs(8), []int{0, 1, 4, 5, 6, 7}, 4, []int{4, 5, 6, 7}},
		{"All", pairs(4), []int{0, 1, 2, 3}, 4, []int{0, 1, 2, 3}},
		{"FewerThanAsked", pairs(4), []int{2}, 3, []int{2}},
		{"None", pairs(4), nil, 1, []int{}},
		{"NearTheSameCores", &Board{Near: []int{0, 1, 0, 1}}, []int{0, 1, 2, 3}, 2, []int{0, 2}},
		{"NothingKnown", &Board{}, []int{1, 3, 5}, 2, []int{1, 3}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.b.Pick(c.free, c.n); !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// TestPickAny picks from random boards: as many as asked for, of those that are
// free, in order, each once, and none of the sets compared has more links.
func TestPickAny(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	for range 300 {
		n := 1 + r.Intn(24)
		b := &Board{Links: make([][]int, n)}
		for i := range n {
			b.Links[i] = make([]int, n)
			for j := range i {
				b.Links[i][j] = r.Intn(4)
				b.Links[j][i] = b.Links[i][j]
			}
		}
		var free []int
		for i := range n {
			if r.Intn(3) > 0 {
				free = append(free, i)
			}
		}
		want := r.Intn(n + 1)
		got := b.Pick(free, want)
		if len(got) != min(want, len(free)) || !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) {
			t.Fatalf("%d of %v: got %v", want, free, got)
		}
		for _, x := range got {
			if !slices.Contains(free, x) {
				t.Fatalf("%d is not free in %v", x, free)
			}
		}
		if len(got) > 0 && b.links(got) < b.links(free[:len(got)]) {
			t.Fatalf("%v have fewer links than %v", got, free[:len(got)])
		}
	}
}

func BenchmarkPick4Of8(b *testing.B) {
	board := pairs(8)
	free := []int{0, 1, 2, 3, 4, 5, 6, 7}
	for b.Loop() {
		board.Pick(free, 4)
	}
}
