package sched

import (
	"strconv"
	"strings"

	"github.com/runink/rink/slurm"
)

// TaskCounts says how many of tasks run on each node, slots being how many
// tasks each node has CPUs for. Nodes are filled evenly, a task a node and
// round, a node dropping out when its slots are used; when all are used up the
// rounds go on over every node, so that a request that overcommits is spread
// too.
func TaskCounts(slots []int, tasks int) []int {
	counts := make([]int, len(slots))
	if len(slots) == 0 {
		return counts
	}
	over := false
	for round, left := 0, tasks; left > 0; round++ {
		more := false
		for i, n := range slots {
			if left == 0 {
				break
			}
			if round < n || over {
				counts[i]++
				left--
				more = more || round+1 < n
			}
		}
		over = over || !more
	}
	return counts
}

// packedCounts says the same where tasks are to fill one node after the other: as
// many as its slots, as long as each node behind it gets one.
func packedCounts(slots []int, tasks int) []int {
	room := 0
	for _, n := range slots {
		room += n
	}
	if tasks < len(slots) || tasks > room {
		return TaskCounts(slots, tasks)
	}
	counts := make([]int, len(slots))
	for i, n := range slots {
		counts[i] = min(n, tasks-(len(slots)-i-1))
		tasks -= counts[i]
	}
	return counts
}

// isPacked reports whether tasks fill one node after the other: because the
// distribution says so, or the cluster does and the distribution nothing else.
func isPacked(distribution string, t *tuning) bool {
	if distribution == "" {
		return t.packNodes
	}
	d, err := slurm.ReadDistribution(distribution)
	if err != nil || d.Pack == "" {
		return t.packNodes && (err != nil || d.Nodes == "" || d.Nodes == "block")
	}
	return d.Pack == "Pack"
}

// planeSize is the size that a distribution in planes names; 0 for others.
func planeSize(distribution string) int {
	first, _, _ := strings.Cut(distribution, ":")
	first, _, _ = strings.Cut(first, ",")
	if size, ok := strings.CutPrefix(strings.ToLower(first), "plane="); ok {
		if n, err := strconv.Atoi(size); err == nil && n > 0 {
			return n
		}
	}
	return 0
}

// planeCounts is TaskCounts with so many tasks a node and round. In planes of one
// the slots do not count, as in Slurm.
func planeCounts(slots []int, tasks, size int) []int {
	counts := make([]int, len(slots))
	room := 0
	for _, n := range slots {
		room += n
	}
	if tasks > room {
		return TaskCounts(slots, tasks)
	}
	for left := tasks; left > 0; {
		for i, n := range slots {
			k := min(size, n-counts[i], left)
			if size == 1 {
				k = min(1, left)
			}
			counts[i] += k
			left -= k
		}
	}
	return counts
}

// TaskRanks says which ranks run on each node, given how many do: in blocks
// ("block"), dealt out one by one ("cyclic") or in planes of a size
// ("plane=SIZE"). What follows a colon, the binding within a node, is not
// looked at.
func TaskRanks(counts []int, distribution string) [][]int {
	first, _, _ := strings.Cut(distribution, ":")
	first, _, _ = strings.Cut(first, ",")
	ranks := make([][]int, len(counts))
	total := 0
	for i, n := range counts {
		ranks[i] = make([]int, 0, n)
		total += n
	}
	chunk := total
	switch {
	case strings.EqualFold(first, "cyclic"):
		chunk = 1
	case planeSize(first) > 0:
		chunk = planeSize(first)
	}
	for rank := 0; rank < total; {
		for i, n := range counts {
			for k := 0; k < chunk && len(ranks[i]) < n; k++ {
				ranks[i] = append(ranks[i], rank)
				rank++
			}
		}
	}
	return ranks
}

// arbitraryRanks deals ranks out as a list of node names says, one entry a
// rank; nodes are the places in order. It returns false when a name is not
// among them.
func arbitraryRanks(nodes, list []NodeName) ([][]int, bool) {
	at := make(map[NodeName]int, len(nodes))
	for i, n := range nodes {
		at[n] = i
	}
	ranks := make([][]int, len(nodes))
	for rank, name := range list {
		i, ok := at[name]
		if !ok {
			return nil, false
		}
		ranks[i] = append(ranks[i], rank)
	}
	return ranks, true
}

// nodeListText writes node names in bracket form, in the order given.
func nodeListText(names []NodeName) string {
	list := make([]string, len(names))
	for i, n := range names {
		list[i] = string(n)
	}
	return slurm.Compress(list)
}
