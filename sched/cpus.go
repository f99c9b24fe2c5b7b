package sched

import (
	"math"

	"github.com/runink/rink/slurm"
)

// oneThread reports whether a hint asks for one task on a core and none on its
// other threads.
func oneThread(hint string) bool {
	switch hint {
	case "nomultithread", "compute_bound", "memory_bound":
		return true
	}
	return false
}

// ShownCPUs returns how many CPUs a job is told it has on each of its nodes: those
// it was given, without the threads it asked not to use where CPUs are given out
// by the core.
func ShownCPUs(j *Job, cfg *Config) []int {
	cpus := make([]int, len(j.Alloc))
	for i := range j.Alloc {
		cpus[i] = j.Alloc[i].CPUs
	}
	spec := specOf(j)
	use := spec.ThreadsPerCore
	if use == 0 && oneThread(spec.Hint) {
		use = 1
	}
	if use == 0 {
		return cpus
	}
	whole := tuningOf(cfg).unit == 'p' // threads are given out one by one
	at := make(map[NodeName]int, len(j.Alloc))
	for i := range j.Alloc {
		at[j.Alloc[i].Node] = i
	}
	for k := range conf(cfg).Nodes {
		n := &conf(cfg).Nodes[k]
		i, ok := at[NodeName(n.Name)]
		switch {
		case !ok || n.ThreadsPerCore <= use:
		case whole:
			cpus[i] = min(cpus[i], max(n.CPUs*use/n.ThreadsPerCore, 1))
		default:
			cpus[i] = max(cpus[i]*use/n.ThreadsPerCore, 1)
		}
	}
	return cpus
}

// perTask is what a task takes of a node.
type perTask struct {
	unit  int // CPUs taken for each one that is used
	most  int // CPUs that may be taken
	cores int // cores that tasks of their own take, 0 where tasks may share a core
	share int // tasks that share a core where their number on it is bounded, 0 elsewhere
	used  int // CPUs of the whole node that may be used
}

// taskOn works out what a task of the request takes of a node.
func (a *ask) taskOn(t *tuning, r *room) perTask {
	threads := max(r.n.Threads, 1)
	use := threads
	if a.threads > 0 {
		use = min(use, a.threads)
	}
	p := perTask{unit: 1, most: math.MaxInt, used: max(r.total*use/threads, 1)}
	if t.unit != 'p' {
		p.unit = threads / max(use, 1)
	} else if use < threads {
		p.most = p.used
	}
	most := a.tasksPerCore
	if most == 0 && t.oneTaskPerCore && a.hint != "multithread" {
		most = 1
	}
	switch {
	case most == 0 || most >= use:
	case a.cpt*most >= use: // a task has its cores to itself
		p.cores = (a.cpt + use - 1) / use
	default:
		p.share = most
	}
	return p
}

// shown is how many of so many CPUs the request uses.
func (p perTask) shown(cpus int) int { return min(max(cpus/p.unit, 1), p.used) }

// tasksIn returns how many tasks so many CPUs of a node hold.
func (p perTask) tasksIn(a *ask, n *Node, cpus int) int {
	cores := cpus / max(n.Threads, 1)
	switch {
	case p.cores > 0:
		return cores / p.cores
	case p.share > 0:
		return min(cores*p.share, cpus/(a.cpt*p.unit))
	}
	return cpus / (a.cpt * p.unit)
}

// cpusFor returns how many CPUs so many tasks take of a node.
func (p perTask) cpusFor(a *ask, t *tuning, n *Node, tasks int) int {
	threads := max(n.Threads, 1)
	switch {
	case t.unit == 'p':
		return tasks * a.cpt
	case p.cores > 0:
		return tasks * p.cores * threads
	case p.share > 0:
		return max((tasks+p.share-1)/p.share*threads, tasks*a.cpt*p.unit)
	}
	return tasks * a.cpt * p.unit
}

// wholeGrains rounds CPUs up to what is given out together: CPUs, cores or
// sockets. Cores are dealt out to the sockets in turn, those of a task with several
// on one, unless they are to fill one socket after the other.
func (a *ask) wholeGrains(t *tuning, n *Node, cpus int) int {
	grain := t.grain(n)
	whole := (cpus + grain - 1) / grain
	if t.unit == 's' && a.cpt == 1 && !a.fillSockets(t) {
		cores := (cpus + max(n.Threads, 1) - 1) / max(n.Threads, 1)
		whole = max(whole, min(cores, n.Sockets))
	}
	return whole * grain
}

// fillSockets reports whether one socket is filled after the other.
func (a *ask) fillSockets(t *tuning) bool {
	d, err := slurm.ReadDistribution(specOf(a.job).Distribution)
	if err != nil || d.Sockets == "" {
		return t.blockCores
	}
	return d.Sockets == "block"
}

// wholeNode is how many CPUs a job gets that has a node for itself.
func (a *ask) wholeNode(r *room) int {
	switch {
	case a.specCPUs < 0:
		return r.total
	case a.specCores:
		return max(r.n.CPUs-a.specCPUs*max(r.n.Threads, 1), 1)
	}
	return max(r.n.CPUs-a.specCPUs, 1)
}

// mostCPUs is how many CPUs of a node the partition's jobs may have together; 0: any
// number. A bound on each socket counts for all of the node's, as CPUs are counted
// and not bound here.
func (p *Partition) mostCPUs(n *Node) int {
	most := p.MaxCPUsPerNode
	if p.MaxCPUsPerSocket > 0 {
		if k := p.MaxCPUsPerSocket * max(n.Sockets, 1); most == 0 || k < most {
			most = k
		}
	}
	return most
}
