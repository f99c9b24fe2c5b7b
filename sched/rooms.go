package sched

import (
	"math/bits"
	"slices"
	"time"

	"github.com/runink/rink/gpu"
	"github.com/runink/rink/slurm"
)

// room is a node as the scheduler works with it: what is left now, and how that
// changes as running jobs end and promises fall due.
type room struct {
	n     *Node
	pos   int // position in the view's nodes
	open  bool
	away  bool // cannot be reached, whatever its state says
	more  bool // has more to give than the last pass saw: it is among the gained
	total int  // CPUs that jobs may use
	cpus  int  // free ones
	mem   slurm.MB
	gres  []shelf
	// shared is how many of the CPUs in use are in use by jobs that share them.
	shared int
	// uid is the owner of the jobs here, unless there are several owners
	// (mixed). keepers counts the jobs that keep others off the node: all others,
	// or if it is owned, those of other users.
	uid     uint32
	mixed   bool
	keepers int
	owned   bool
	shares  bool // some of its GPUs are given in parts

	held  []holding // what is here now
	holds []hold    // what is promised
	line  timeline  // all of these over time
	rev   uint32    // counts changes of it
	spots []spot
	seats []seat // where it stands in the outlooks
}

// spot is where a room stands in the ladder of a partition.
type spot struct {
	rung *rung
	at   int
}

// seat is the leaf of a room in an outlook.
type seat struct {
	o    *outlook
	leaf int
}

// shelf is one kind of generic resource of a node.
type shelf struct {
	name, typ string
	total     int64
	free      int64
	used      []uint64   // bit set of the places of devices in use; nil when the kind is only counted
	sick      []uint64   // and of those that are not to be used; nil: none
	ill       int64      // how many those are
	board     *gpu.Board // how the devices hang together; nil: not known
	entry     *NodeGres
	on        *shares // the GPUs its parts lie on; nil: it has none
}

// holding is what a job has on one node, until its expected end.
type holding struct {
	job         slurm.JobID
	resv        string
	part        PartitionName
	uid         uint32
	whole, user bool
	end         instant
	load        load
	gres        []GresAlloc
	cpuIDs      string // NodeAlloc.CPUIDs of what was started
	cpusFree    bool   // Job.CPUsFree
}

// hold is what is promised on one node to a job that waits.
type hold struct {
	to         *promise
	start, end instant
	load       load
}

// sharedCPUs returns how many CPUs a job may have that shares each with at most
// factor-1 others: CPUs that jobs have for themselves are not shared, and none is
// while some are promised to a job that does not share. It is the least that is
// so at any one moment: what is in use at different moments does not add up.
func (s *spare) sharedCPUs(total, factor int) int {
	at := func(cpus, shared int, strict bool) int {
		if strict {
			return cpus
		}
		own := total - cpus - shared
		return (total-own)*factor - shared
	}
	if s.line == nil {
		return at(s.cpus, s.shared, s.strict)
	}
	least := total * factor
	segs := s.line.segs
	for i := s.seg; i < len(segs) && (i == s.seg || segs[i].at < s.to); i++ {
		g := &segs[i]
		if g.blocks > 0 {
			return 0
		}
		least = min(least, at(int(g.cpus), int(g.shared), g.stricts > 0))
	}
	// What was taken from it or given to it since it was read is of CPUs that
	// jobs have for themselves.
	return least + (s.cpus-s.read)*factor
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

// emptyRoom is the node with nothing running on it and nothing wrong with it.
func emptyRoom(n *Node, pos int) room {
	r := room{n: n, pos: pos, open: true, total: UsableCPUs(n), mem: n.Memory}
	r.cpus = r.total
	r.stockShelves()
	r.line.reset(r.total, r.mem, r.stock())
	return r
}

// stockShelves puts up the node's generic resources, none of them in use.
func (r *room) stockShelves() {
	if len(r.n.Gres) == 0 {
		return
	}
	r.gres = make([]shelf, len(r.n.Gres))
	for i, g := range r.n.Gres {
		s := &r.gres[i]
		*s = shelf{name: g.Name, typ: g.Type, total: g.Count, free: g.Count, entry: &r.n.Gres[i]}
		if len(g.Files) == 0 || isSharedGres(g.Name) {
			continue
		}
		s.used = make([]uint64, (g.Count+63)/64)
		s.board = boardOf(&r.n.Gres[i])
		for _, d := range g.Sick {
			if x := g.Place(d.Number); x >= 0 {
				if s.sick == nil {
					s.sick = make([]uint64, len(s.used))
				}
				s.sick[x/64] |= 1 << (x % 64)
				s.ill++
			}
		}
		s.free -= s.ill
	}
	r.stockShares()
}

// stock counts what is on the shelves in all, and can be used.
func (r *room) stock() []int64 {
	if len(r.gres) == 0 {
		return nil
	}
	list := make([]int64, len(r.gres))
	for i := range r.gres {
		list[i] = r.gres[i].total - r.gres[i].ill
	}
	return list
}

// stockOf counts the generic resources of a name in all.
func (r *room) stockOf(name string) int64 {
	n := int64(0)
	for i := range r.gres {
		if r.gres[i].name == name {
			n += r.gres[i].total
		}
	}
	return n
}

// freeOf counts the generic resources of a name that are free now.
func (r *room) freeOf(name string) int64 {
	n := int64(0)
	for i := range r.gres {
		if r.gres[i].name == name {
			n += r.gres[i].free
		}
	}
	return n
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
	if s.on != nil {
		for _, number := range g.Index {
			s.on.used[number] += sign * g.Count
		}
	}
	for _, number := range g.Index {
		if x := s.entry.Place(number); x >= 0 && x/64 < len(s.used) {
			if sign > 0 {
				s.used[x/64] |= 1 << (x % 64)
			} else {
				s.used[x/64] &^= 1 << (x % 64)
			}
		}
	}
}

// freeIndexes returns the places of the n lowest devices of the shelf that are free.
func (s *shelf) freeIndexes(n int64) []int {
	if s.used == nil {
		return nil
	}
	index := make([]int, 0, n)
	for w, word := range s.used {
		if s.sick != nil {
			word |= s.sick[w]
		}
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

// put notes that a job is here.
func (r *room) put(h *holding) {
	r.cpus -= h.load.cpus
	r.shared += h.load.shared
	r.mem -= h.load.mem
	for _, g := range h.gres {
		r.takeGres(g, 1)
	}
	r.held = append(r.held, *h)
	r.line.add(always, h.end, &h.load, 1)
	if len(r.held) == 1 {
		r.uid, r.mixed = h.uid, false
	} else {
		r.mixed = r.mixed || r.uid != h.uid
		r.uid = h.uid
	}
	if h.whole || h.user {
		r.keepers++
		r.owned = !h.whole
	}
}

// leave notes that a job is gone.
func (r *room) leave(id slurm.JobID) {
	i := slices.IndexFunc(r.held, func(h holding) bool { return h.job == id })
	if i < 0 {
		return
	}
	h := r.held[i]
	last := len(r.held) - 1
	r.held[i] = r.held[last]
	r.held[last] = holding{}
	r.held = r.held[:last]
	r.cpus += h.load.cpus
	r.shared -= h.load.shared
	r.mem += h.load.mem
	for _, g := range h.gres {
		r.takeGres(g, -1)
	}
	r.line.add(always, h.end, &h.load, -1)
	if r.mixed || r.keepers > 0 {
		r.mixed, r.keepers, r.owned = false, 0, false
		for k := range r.held {
			o := &r.held[k]
			r.mixed = r.mixed || k > 0 && r.uid != o.uid
			r.uid = o.uid
			if o.whole || o.user {
				r.keepers++
				r.owned = !o.whole
			}
		}
	}
	if last > 0 && !r.mixed {
		r.uid = r.held[0].uid
	}
}

// extend moves the expected end of a job that is still here.
func (r *room) extend(id slurm.JobID, end instant) {
	for i := range r.held {
		if h := &r.held[i]; h.job == id && h.end != end {
			r.line.add(always, h.end, &h.load, -1)
			h.end = end
			r.line.add(always, h.end, &h.load, 1)
		}
	}
}

// promised notes that room is promised here.
func (r *room) promised(h hold) {
	r.holds = append(r.holds, h)
	r.line.add(h.start, h.end, &h.load, 1)
}

// unpromised takes a promise back.
func (r *room) unpromised(p *promise) {
	for i := range r.holds {
		if h := r.holds[i]; h.to == p {
			last := len(r.holds) - 1
			r.holds[i] = r.holds[last]
			r.holds[last] = hold{}
			r.holds = r.holds[:last]
			r.line.add(h.start, h.end, &h.load, -1)
			return
		}
	}
}

// gresCounts counts an allocation's generic resources by shelf.
func (r *room) gresCounts(list []GresAlloc) []int64 {
	if len(list) == 0 || len(r.gres) == 0 {
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

// holdsNode reports whether a job still holds what it was given on a node.
func holdsNode(j *Job, n NodeName) bool {
	return !j.IsCompleting() || slices.Contains(j.Completing, n)
}
