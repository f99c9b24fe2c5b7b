package sched

import (
	"math/bits"
	"slices"
	"time"

	"github.com/runink/rink/slurm"
)

// room is a node as one cycle works with it: what is left now, what running
// jobs give back and when, and what is promised to jobs that wait.
type room struct {
	n     *Node
	pos   int // position in the view's nodes
	open  bool
	total int // CPUs that jobs may use
	cpus  int // free ones
	mem   slurm.MB
	gres  []shelf
	jobs  int
	// shared is how many of the CPUs in use are in use by jobs that share them.
	shared int
	// uid is the owner of the jobs here, unless there are several owners
	// (mixed). keepers counts the jobs that keep others off the node: all others,
	// or if it is owned, those of other users.
	uid     uint32
	mixed   bool
	keepers int
	owned   bool
	// byPart counts the CPUs in use by partition, where partitions bound it.
	byPart map[PartitionName]int

	backs []giveBack // by time
	holds []hold
	spots []spot
}

// spot is where a room stands in the ladder of a partition.
type spot struct {
	rung *rung
	at   int
}

// shelf is one kind of generic resource of a node.
type shelf struct {
	name, typ string
	total     int64
	free      int64
	used      []uint64 // bit set of devices in use; nil when the kind is only counted
}

// giveBack is what a running job returns on one node at its expected end.
type giveBack struct {
	at     time.Time
	part   PartitionName
	keeper bool
	cpus   int
	shared int // of them, shared
	mem    slurm.MB
	gres   []int64 // by shelf; nil: none
}

// hold is what is promised on one node to a job that waits, from start until
// end.
type hold struct {
	start, end time.Time
	part       PartitionName
	cpus       int
	shared     int
	mem        slurm.MB
	gres       []int64
	whole      bool
}

// spare is what a node can give over some span of time.
type spare struct {
	cpus   int
	shared int // CPUs in use by jobs that share them
	mem    slurm.MB
	gres   []int64 // by shelf
	idle   bool
	kept   bool // some job keeps others off
	// strict is set while CPUs are promised to a job that does not share them:
	// when it starts, no CPU may be in use twice.
	strict bool
}

// sharedCPUs returns how many CPUs a job may have that shares each with at most
// factor-1 others: CPUs that jobs have for themselves are not shared.
func (s *spare) sharedCPUs(total, factor int) int {
	if s.strict {
		return s.cpus
	}
	own := total - s.cpus - s.shared
	return (total-own)*factor - s.shared
}

// unlimitedSpan is how long a job without a limit is taken to run.
const unlimitedSpan = 365 * 24 * time.Hour

// span is how long a job with this limit may run.
func span(limit slurm.Duration) time.Duration {
	if limit <= 0 || limit == slurm.Unlimited || limit > slurm.Duration(unlimitedSpan/time.Second) {
		return unlimitedSpan
	}
	return time.Duration(limit) * time.Second
}

// UsableCPUs returns the CPUs of n that jobs may use: those not set aside for
// the system.
func UsableCPUs(n *Node) int { return max(n.CPUs-n.CoreSpec*max(n.Threads, 1), 0) }

// newRoom takes stock of a node. share is how many jobs may have a CPU at once.
func newRoom(n *Node, pos int) room {
	r := room{n: n, pos: pos, open: n.Usable(), total: UsableCPUs(n), jobs: len(n.Running)}
	r.cpus = r.total - n.UsedCPUs
	r.mem = n.Memory - n.UsedMem
	r.stockShelves()
	for _, g := range n.UsedGres {
		r.takeGres(g, 1)
	}
	return r
}

// emptyRoom is the node with nothing running on it and nothing wrong with it.
func emptyRoom(n *Node, pos int) room {
	r := room{n: n, pos: pos, open: true, total: UsableCPUs(n), mem: n.Memory}
	r.cpus = r.total
	r.stockShelves()
	return r
}

// stockShelves puts up the node's generic resources, none of them in use.
func (r *room) stockShelves() {
	if len(r.n.Gres) == 0 {
		return
	}
	r.gres = make([]shelf, len(r.n.Gres))
	for i, g := range r.n.Gres {
		r.gres[i] = shelf{name: g.Name, typ: g.Type, total: g.Count, free: g.Count}
		if len(g.Files) > 0 && !isSharedGres(g.Name) {
			r.gres[i].used = make([]uint64, (g.Count+63)/64)
		}
	}
}

// shelfOf finds the shelf of a name and type, -1 when the node has none.
func (r *room) shelfOf(name, typ string) int {
	return slices.IndexFunc(r.gres, func(s shelf) bool { return s.name == name && s.typ == typ })
}

// takeGres books (sign 1) or returns (sign -1) generic resources.
func (r *room) takeGres(g GresAlloc, sign int64) {
	i := r.shelfOf(g.Name, g.Type)
	if i < 0 {
		return
	}
	s := &r.gres[i]
	s.free -= sign * g.Count
	for _, x := range g.Index {
		if x >= 0 && x/64 < len(s.used) {
			if sign > 0 {
				s.used[x/64] |= 1 << (x % 64)
			} else {
				s.used[x/64] &^= 1 << (x % 64)
			}
		}
	}
}

// freeIndexes returns the n lowest devices of the shelf that are free.
func (s *shelf) freeIndexes(n int64) []int {
	if s.used == nil {
		return nil
	}
	index := make([]int, 0, n)
	for w, word := range s.used {
		for free := ^word; free != 0 && int64(len(index)) < n; free &= free - 1 {
			x := w*64 + bits.TrailingZeros64(free)
			if int64(x) >= s.total {
				break
			}
			index = append(index, x)
		}
	}
	return index
}

// take books an allocation.
func (r *room) take(a NodeAlloc, k *ask) {
	j := k.job
	r.cpus -= a.CPUs
	if k.sharing > 1 {
		r.shared += a.CPUs
	}
	if k.part.MaxCPUsPerNode > 0 {
		if r.byPart == nil {
			r.byPart = make(map[PartitionName]int)
		}
		r.byPart[k.part.Name] += a.CPUs
	}
	r.mem -= a.Mem
	for _, g := range a.Gres {
		r.takeGres(g, 1)
	}
	r.jobs++
	r.mixed = r.mixed || r.jobs > 1 && r.uid != j.UID
	r.uid = j.UID
	if k.whole || k.ownUser {
		r.keepers++
		r.owned = !k.whole
	}
}

// gresCounts counts an allocation's generic resources by shelf.
func (r *room) gresCounts(list []GresAlloc) []int64 {
	if len(list) == 0 {
		return nil
	}
	counts := make([]int64, len(r.gres))
	for _, g := range list {
		if i := r.shelfOf(g.Name, g.Type); i >= 0 {
			counts[i] += g.Count
		}
	}
	return counts
}

// at returns what is left at one moment: what is free now and what jobs that
// end until then give back, less what is promised at that moment.
func (r *room) at(t time.Time, s *spare) {
	s.cpus, s.shared, s.mem, s.strict = r.cpus, r.shared, r.mem, false
	s.gres = s.gres[:0]
	for i := range r.gres {
		s.gres = append(s.gres, r.gres[i].free)
	}
	back, keepers := 0, r.keepers
	for i := range r.backs {
		b := &r.backs[i]
		if b.at.After(t) {
			break
		}
		back++
		if b.keeper {
			keepers--
		}
		s.cpus += b.cpus
		s.shared -= b.shared
		s.mem += b.mem
		for k, n := range b.gres {
			s.gres[k] += n
		}
	}
	s.idle, s.kept = r.jobs-back <= 0, keepers > 0
	for i := range r.holds {
		h := &r.holds[i]
		if h.start.After(t) || !h.end.After(t) {
			continue
		}
		s.idle = false
		s.cpus -= h.cpus
		s.shared += h.shared
		s.strict = s.strict || h.shared == 0
		s.mem -= h.mem
		for k, n := range h.gres {
			s.gres[k] -= n
		}
		if h.whole {
			s.cpus = 0
		}
	}
}

// over returns what is left at every moment from t for d. Jobs only give back
// as time passes, so the least is left at t or where a promise begins.
func (r *room) over(t time.Time, d time.Duration, s *spare) {
	r.at(t, s)
	if len(r.holds) == 0 {
		return
	}
	end := t.Add(d)
	var then spare
	for i := range r.holds {
		if start := r.holds[i].start; start.After(t) && start.Before(end) {
			r.at(start, &then)
			s.cpus, s.mem, s.idle = min(s.cpus, then.cpus), min(s.mem, then.mem), s.idle && then.idle
			s.kept = s.kept || then.kept
			s.shared, s.strict = max(s.shared, then.shared), s.strict || then.strict
			for k := range s.gres {
				s.gres[k] = min(s.gres[k], then.gres[k])
			}
		}
	}
}

// sortBacks puts what is given back in order of time.
func (r *room) sortBacks() {
	slices.SortFunc(r.backs, func(a, b giveBack) int { return a.at.Compare(b.at) })
}

// holdsNode reports whether a job still holds what it was given on a node.
func holdsNode(j *Job, n NodeName) bool {
	return !j.IsCompleting() || slices.Contains(j.Completing, n)
}
