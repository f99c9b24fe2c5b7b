package gpu

import (
	"math/bits"
	"slices"
)

// Board is how the GPUs of a node hang together, by their place on it.
type Board struct {
	// Links[i][j] is by how many links GPU i is tied to GPU j; nil when nothing is
	// known of links.
	Links [][]int
	// Near[i] numbers the cores near GPU i: equal numbers are the same cores. nil
	// when nothing is known of them.
	Near []int
}

// maxSets is how many sets are compared; with more to choose from the set grows one
// GPU at a time.
const maxSets = 20_000

// Pick chooses n of the free GPUs, which are in order: those with the most links
// among them, near the fewest different cores, that leave the best links among the
// rest, with the lowest numbers. It returns fewer only when there are fewer.
func (b *Board) Pick(free []int, n int) []int {
	if n >= len(free) || n <= 0 {
		return slices.Clone(free[:max(min(n, len(free)), 0)])
	}
	if sets(len(free), n) > maxSets {
		return b.grow(free, n)
	}
	best := make([]int, n)
	var bestWorth worth
	found := false
	set, rest := make([]int, n), make([]int, len(free)-n)
	// All sets of n, those of the lowest numbers first.
	at := make([]int, n)
	for i := range at {
		at[i] = i
	}
	for {
		var in uint64
		for i, k := range at {
			set[i] = free[k]
			in |= 1 << k
		}
		r := 0
		for k, x := range free {
			if in&(1<<k) == 0 {
				rest[r] = x
				r++
			}
		}
		if w := b.worth(set, rest); !found || w.beats(bestWorth) {
			copy(best, set)
			bestWorth, found = w, true
		}
		i := n - 1
		for i >= 0 && at[i] == len(free)-n+i {
			i--
		}
		if i < 0 {
			return best
		}
		at[i]++
		for k := i + 1; k < n; k++ {
			at[k] = at[k-1] + 1
		}
	}
}

// worth is what speaks for a set.
type worth struct{ links, cores, rest int }

func (w worth) beats(o worth) bool {
	switch {
	case w.links != o.links:
		return w.links > o.links
	case w.cores != o.cores:
		return w.cores < o.cores
	}
	return w.rest > o.rest
}

func (b *Board) worth(set, rest []int) worth {
	return worth{links: b.links(set), cores: b.cores(set), rest: b.links(rest)}
}

// links counts the links among some GPUs.
func (b *Board) links(set []int) int {
	n := 0
	for i, x := range set {
		for _, y := range set[i+1:] {
			n += b.between(x, y)
		}
	}
	return n
}

// between counts the links between two GPUs.
func (b *Board) between(x, y int) int {
	if x >= len(b.Links) || y >= len(b.Links[x]) {
		return 0
	}
	return max(b.Links[x][y], 0)
}

// cores counts the different cores near some GPUs.
func (b *Board) cores(set []int) int {
	if b.Near == nil {
		return 0
	}
	var seen uint64
	for _, x := range set {
		if x < len(b.Near) {
			seen |= 1 << (b.Near[x] & 63)
		}
	}
	return bits.OnesCount64(seen)
}

// grow takes, from each GPU to begin with, the one best tied to those taken, and
// returns the best of what comes out.
func (b *Board) grow(free []int, n int) []int {
	var best []int
	var bestWorth worth
	for _, first := range free {
		set := []int{first}
		for len(set) < n {
			next, nextWorth := -1, worth{}
			for _, x := range free {
				if slices.Contains(set, x) {
					continue
				}
				if w := b.worth(append(set[:len(set):len(set)], x), nil); next < 0 || w.beats(nextWorth) {
					next, nextWorth = x, w
				}
			}
			set = append(set, next)
		}
		slices.Sort(set)
		if w := b.worth(set, nil); best == nil || w.beats(bestWorth) {
			best, bestWorth = set, w
		}
	}
	return best
}

// sets is how many sets of k there are of n, up to more than maxSets; n above 64 is
// too many.
func sets(n, k int) int {
	if n > 64 {
		return maxSets + 1
	}
	k = min(k, n-k)
	c := 1
	for i := range k {
		if c = c * (n - i) / (i + 1); c > maxSets {
			return c
		}
	}
	return c
}
