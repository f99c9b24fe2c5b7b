package sched

import (
	"cmp"
	"iter"
	"math"
	"slices"
	"strings"

	"github.com/runink/rink/slurm"
)

// possible refuses a job that could never run in any of its partitions. What only
// a partition's limits rule out waits for them to change, unless they are
// enforced at once.
func (r *resolver) possible() error {
	if r.t.enforce == enforceNo {
		return r.possibleOrLimited()
	}
	limited := Why{}
	var lines []string
	for _, p := range r.parts {
		// What is enforced at once is looked at before what no node has.
		lines = r.perNode(p)
		w := r.bars(p)
		switch {
		case !w.IsZero() && r.t.enforce == enforceAll:
			return r.overLimit(p, w)
		case !w.IsZero():
			if limited.IsZero() {
				limited = w
			}
		case lines == nil && r.fitsReserved(p):
			return nil
		case r.t.enforce == enforceAll:
			return r.impossible(lines)
		}
	}
	if !limited.IsZero() {
		return r.overLimit(r.parts[0], limited)
	}
	return r.impossible(lines)
}

// possibleOrLimited is possible where a job may wait for a partition's limits to be
// changed. A partition that is down is not asked for its limits, and must have what
// the job wants. Of several that cannot hold the job the last one decides: a job waits
// when that one is down or has a limit set that is in the way, but not because it is
// too small.
func (r *resolver) possibleOrLimited() error {
	last := r.parts[len(r.parts)-1]
	limited := Why{}
	var lines []string
	for _, p := range r.parts {
		down := strings.EqualFold(p.State, "DOWN")
		if w := r.bars(p); !w.IsZero() && !down && !(w.Reason == slurm.ReasonPartitionNodeLimit && r.elsewhere(p)) {
			if len(r.parts) == 1 || r.limitSet(p) && p == last || !accessBars(r.job, p).IsZero() {
				limited = w
			}
			continue
		}
		if lines = r.perNode(p); lines == nil && r.fitsReserved(p) {
			return nil
		}
		if down && p == last && len(r.parts) > 1 {
			limited = because(slurm.ReasonPartitionDown)
		}
	}
	switch {
	case !limited.IsZero():
		r.limit = limited
		return nil
	case r.held():
		return nil // nodes are looked for once it is released
	case lines == nil:
		lines = r.perNode(last)
	}
	return r.impossible(lines)
}

func (r *resolver) impossible(lines []string) error {
	if r.held() {
		return nil // nodes are looked for once it is released
	}
	bad := refuse(slurm.ErrnoRequestedNodeConfigUnavailable, "no node of %v could ever hold the job", r.job.Partitions)
	bad.Lines = append(lines, r.outside()...)
	return bad
}

// bars says what of a partition's access, size and limits keeps the job out.
func (r *resolver) bars(p *Partition) Why {
	w := accessBars(r.job, p)
	if w.IsZero() {
		size, n := r.sizeFor(p), &r.job.Need
		w = sizeBars(r.job, r.t.widened(p, r.job.QOS), size)
		if w.Reason == slurm.ReasonPartitionConfig && n.Tasks*n.CPUsPerTask <= size.CPUs {
			w = Why{} // only for what it wants on each node
		}
	}
	if w.IsZero() {
		w = timeBars(r.job, r.t.widened(p, r.job.QOS))
	}
	return w
}

// limitSet reports whether a limit that was set for the partition keeps the job out,
// rather than how large it is.
func (r *resolver) limitSet(p *Partition) bool {
	wide := r.t.widened(p, r.job.QOS)
	return !timeBars(r.job, wide).IsZero() || !sizeBars(r.job, wide, PartitionSize{Nodes: math.MaxInt, CPUs: math.MaxInt}).IsZero()
}

// elsewhere reports whether the job names nodes without saying how many it wants, as
// many as the partition has, and some of them are not of the partition.
func (r *resolver) elsewhere(p *Partition) bool {
	list := r.job.Need.NodeList
	return !r.given("nodes") && len(list) <= len(p.Nodes) && slices.ContainsFunc(list, func(n NodeName) bool { return !slices.Contains(p.Nodes, n) })
}

// overLimit refuses what is beyond the limits of a partition.
func (r *resolver) overLimit(p *Partition, w Why) error {
	code := slurm.ErrnoRequestedPartConfigUnavailable
	switch w.Reason {
	case slurm.ReasonPartitionTimeLimit:
		code = slurm.ErrnoInvalidTimeLimit
	case slurm.ReasonPartitionNodeLimit:
		code = slurm.ErrnoInvalidNodeCount
	case slurm.ReasonPartitionConfig:
		code = slurm.ErrnoTooManyRequestedCPUs
	case slurm.ReasonAccountNotAllowed:
		code = slurm.ErrnoInvalidAccount
	case slurm.ReasonQOSNotAllowed:
		code = slurm.ErrnoInvalidQOS
	}
	return refuse(code, "partition %s: %s", p.Name, w.Shown())
}

// nodesOf yields the nodes of a partition. Both are in order of configuration, so
// that one mostly follows the other and no index is needed.
func (r *resolver) nodesOf(p *Partition) iter.Seq[*Node] {
	return func(yield func(*Node) bool) {
		next := 0
		for _, name := range p.Nodes {
			for tries := 0; tries < len(r.nodes); tries++ {
				n := r.nodes[next]
				if next++; next == len(r.nodes) {
					next = 0
				}
				if n.Name == name {
					if r.resv == nil || r.resv.HasNode(name) {
						if !yield(n) {
							return
						}
					}
					break
				}
			}
		}
	}
}

// sizeFor is the size of a partition, counted as far as the job needs it.
func (r *resolver) sizeFor(p *Partition) PartitionSize {
	s := PartitionSize{Nodes: len(p.Nodes)}
	for n := range r.nodesOf(p) {
		if s.CPUs += UsableCPUs(n); s.CPUs >= r.job.Need.CPUs {
			break
		}
	}
	return s
}

// perNode names what no node of the partition has enough of.
func (r *resolver) perNode(p *Partition) []string {
	var cpus, sockets, cores, threads int
	var mem, tmp slurm.MB
	need, o := &r.job.Need, r.o
	for n := range r.nodesOf(p) {
		cpus, sockets, cores, threads = max(cpus, UsableCPUs(n)), max(sockets, n.Sockets), max(cores, n.Cores), max(threads, n.Threads)
		mem, tmp = max(mem, n.Memory), max(tmp, n.TmpDisk)
		if cpus >= need.MinCPUsNode && mem >= max(need.MemPerNode, need.MemPerCPU) && tmp >= need.TmpDisk &&
			sockets >= o.SocketsPerNode && cores >= o.CoresPerSocket && threads >= o.ThreadsPerCore {
			return nil
		}
	}
	var lines []string
	if o.SocketsPerNode > sockets || o.CoresPerSocket > cores || o.ThreadsPerCore > threads {
		lines = append(lines, "Socket, core and/or thread specification can not be satisfied")
	}
	if need.MinCPUsNode > cpus {
		lines = append(lines, "CPU count per node can not be satisfied")
	}
	if r.cfg.TracksMemory && max(need.MemPerNode, need.MemPerCPU) > mem {
		lines = append(lines, "Memory specification can not be satisfied")
	}
	if need.TmpDisk > tmp {
		lines = append(lines, "Temporary disk specification can not be satisfied")
	}
	return lines
}

// fits reports whether the nodes of the partition could hold the job if nothing
// else ran and nothing were out of service.
func (r *resolver) fits(p *Partition) bool {
	a := newAsk(r.job, p, r.t)
	a.wideFrom = always
	f := field{t: r.t, from: instantOf(r.now), at: instantOf(r.now)}
	// Most requests are met by the first few nodes.
	if len(a.plans) == 1 && len(a.plans[0].quotas) == 0 && !a.contiguous && len(a.required) == 0 && a.sizes == nil && r.cfg.Topology == nil {
		var sum tally
		for n := range r.nodesOf(p) {
			if !a.suits(n) || !a.plans[0].allows(n) {
				continue
			}
			room := emptyRoom(n.atBest(r.cfg, p), 0)
			if o, ok := f.offer(a, &room, f.look(&room, 0)); ok {
				if sum.add(o); a.met(&sum, a.minNodes) {
					return true
				}
				if sum.nodes == a.maxNodes {
					break
				}
			}
		}
	}
	for n := range r.nodesOf(p) {
		f.rooms = append(f.rooms, emptyRoom(n.atBest(r.cfg, p), 0))
	}
	slices.SortFunc(f.rooms, func(a, b room) int { return cmp.Compare(a.n.Index, b.n.Index) })
	for i := range f.rooms {
		f.rooms[i].pos = i
	}
	where := make([]int, len(f.rooms))
	for i := range where {
		where[i] = i
	}
	return f.place(a, where) != nil
}
