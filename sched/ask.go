package sched

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/runink/rink/slurm"
)

// AnyNodes as the most nodes of a job says that any number will do: the job
// gets as many as its tasks need.
const AnyNodes = 1<<31 - 1

// ask is what one job wants in one partition, in the numbers placing works
// with.
type ask struct {
	job                     *Job
	part                    *Partition
	span                    time.Duration
	minNodes, maxNodes, aim int
	tasks, cpt, tpn         int
	tasksPerSocket          int
	tasksPerCore            int
	threads                 int // threads of a core that may be used; 0: all
	hint                    string
	spread                  bool // over the emptiest nodes
	specCPUs                int  // CPUs of each node, or cores (specCores), left to the system instead of the node's own; -1: the node's own
	specCores               bool // see specCPUs
	minCPUs                 int  // on each node
	memCPU, memNode         slurm.MB
	memAll                  bool
	tmp                     slurm.MB
	perNode, perJob         slurm.Gres
	perTask                 slurm.Gres
	cpusPerGPU              int
	memPerGPU               slurm.MB
	tasksPerGPU             int  // tasks that have one of the job's GPUs together
	whole                   bool // nodes for this job alone
	ownUser                 bool // nodes for this user's jobs alone
	overcommit              bool
	contiguous              bool
	sharing                 int // how many jobs may share a CPU that this one gets
	sockets, cores          int // least a node must have; 0: any
	needThreads             int
	required                map[NodeName]bool
	excluded                map[NodeName]bool
	plans                   []featurePlan
	sizes                   []int            // the numbers of nodes that will do, largest first; nil: any
	batchHost               func(*Node) bool // nil: any node
	switches                int              // at most so many leaf switches; 0: any number
	wideFrom                instant          // from when on more will do
	tooWide                 bool             // set when more were what there was
	foretold                bool             // wideFrom is only what a promise went by, see item.anyFrom
	decided                 bool             // wideFrom is not to be looked into again
	segment                 int              // nodes that must be in one block; 0: all
	apart, together         bool             // segments in blocks of their own, or in one larger block
	wholeBlocks             bool             // nobody else in its blocks
	resv                    *Reservation     // the reservation to be placed in; nil: in none
	core                    bool             // on nodes of the reservation alone, although it is FLEX
	shape                   *shape           // what its equals share; nil: it stands alone
}

// newAsk reads the request of a job for one of its partitions.
func newAsk(j *Job, p *Partition, t *tuning) *ask {
	a := &ask{}
	a.read(j, p, t)
	return a
}

// read makes it the request of a job.
func (a *ask) read(j *Job, p *Partition, t *tuning) {
	n, spec := &j.Need, j.Spec
	if spec == nil {
		spec = &slurm.JobOptions{}
	}
	*a = ask{
		job: j, part: p, span: span(j.TimeLimit),
		minNodes: max(n.MinNodes, 1), maxNodes: n.MaxNodes,
		tasks: max(n.Tasks, 1), cpt: max(n.CPUsPerTask, 1), tpn: n.TasksPerNode,
		tasksPerSocket: spec.NTasksPerSocket, tasksPerCore: spec.NTasksPerCore, threads: spec.ThreadsPerCore,
		minCPUs: n.MinCPUsNode, memCPU: n.MemPerCPU, memNode: n.MemPerNode, memAll: n.MemAllOfNode, tmp: n.TmpDisk,
		perNode: n.GresPerNode, perJob: n.GresPerJob, perTask: n.GresPerTask,
		cpusPerGPU: spec.CPUsPerGPU, memPerGPU: spec.MemPerGPU, tasksPerGPU: spec.NTasksPerGPU,
		overcommit: n.OverCommit, contiguous: n.Contiguous,
		sockets: spec.SocketsPerNode, cores: spec.CoresPerSocket, needThreads: spec.ThreadsPerCore,
	}
	if len(n.NodeList) > 0 {
		a.required = make(map[NodeName]bool, len(n.NodeList))
		for _, x := range n.NodeList {
			a.required[x] = true
		}
	}
	if a.maxNodes < a.minNodes {
		a.maxNodes = AnyNodes
	}
	if p.MaxNodes > 0 && !t.qos[j.QOS].anyNodes {
		a.maxNodes = min(a.maxNodes, p.MaxNodes)
	}
	if !t.qos[j.QOS].fewNodes {
		a.minNodes = max(a.minNodes, p.MinNodes)
	}
	if oneThread(spec.Hint) && a.threads == 0 {
		a.threads, a.needThreads = 1, 0
	}
	a.whole, a.ownUser = Exclusivity(t.cfg, j, p)
	a.hint, a.specCPUs, a.spread = spec.Hint, -1, p.LLN || t.leastLoaded
	if t.specCores {
		switch {
		case spec.Given["core-spec"]:
			a.whole, a.specCores = true, true
			a.specCPUs = spec.CoreSpec
		case spec.Given["thread-spec"]:
			a.whole, a.specCPUs = true, spec.ThreadSpec
		}
	}
	a.sharing = ShareLimit(t.cfg, j, p)
	if a.whole {
		a.sharing = 1
	}
	a.minNodes = max(a.minNodes, len(a.required))
	a.aim = a.minNodes
	if len(n.GresPerJob) == 0 {
		a.tasksPerGPU = 0 // said by the tasks on a node
	}
	switch {
	case len(n.GresPerJob) > 0 || len(spec.GPUs) > 0 || len(spec.GPUsPerTask) > 0 || spec.NTasksPerGPU > 0:
		// As few nodes as hold the GPUs.
	case spec.SpreadJob:
		a.aim = max(a.aim, min(a.maxNodes, a.tasks))
	case a.maxNodes != AnyNodes && spec.MaxNodes > spec.MinNodes && !spec.UseMinNodes && !tasksKnown(j):
		a.aim = a.maxNodes // as many as there are, each with a task
	case a.maxNodes != AnyNodes && spec.MaxNodes > spec.MinNodes && !spec.UseMinNodes:
		a.aim = max(a.aim, min(a.maxNodes, a.tasks))
	}
	if len(n.Exclude) > 0 {
		a.excluded = make(map[NodeName]bool, len(n.Exclude))
		for _, x := range n.Exclude {
			a.excluded[x] = true
		}
	}
	if len(spec.NodeSizes) > 0 {
		a.sizes = slices.Sorted(slices.Values(spec.NodeSizes))
		slices.Reverse(a.sizes)
	}
	if net := t.cfg.Topology; net.IsBlocks() {
		a.segment, a.apart, a.together, a.wholeBlocks = spec.Segment, spec.SpreadSegments, spec.ConsolidateSegments, wholeBlocks(j, p)
	} else if net != nil {
		a.switches, a.wideFrom = spec.Switches, never
	}
	a.plans = featurePlans(n.Features)
	if spec.Prefer != "" {
		if c, err := slurm.ParseConstraint(spec.Prefer); err == nil {
			a.plans = append(featurePlans(c), a.plans...) // in place of the others, if it can be
		}
	}
	if spec.BatchFeatures != "" {
		if c, err := slurm.ParseConstraint(spec.BatchFeatures); err == nil {
			a.batchHost = func(n *Node) bool { return hasFeatures(c, n) }
		}
	}
}

// sharing reads a partition's OverSubscribe: how many jobs may have a CPU at
// once, 1 when none may share, and whether a job need not ask to share.
func sharing(p *Partition, asked bool) (factor int, forced bool) {
	word, count, given := strings.Cut(strings.ToUpper(p.OverSubscribe), ":")
	forced = word == "FORCE"
	if !forced && (word != "YES" || !asked) {
		return 1, false
	}
	factor = 4
	if n, err := strconv.Atoi(count); given && err == nil && n > 0 {
		factor = n
	}
	return factor, forced
}

// askKey tells requests apart that may fare differently. Two requests with the
// same key fit the same nodes as long as they may run equally long.
type askKey struct {
	part                               PartitionName
	minNodes, maxNodes, aim            int
	tasks, cpt, tpn, perSocket, minCPU int
	memCPU, memNode, tmp, memGPU       slurm.MB
	flags                              uint16
	sharing, cpusGPU                   int
	shape                              [4]int
	uid                                uint32
	text                               string
}

// key works the request's key out.
func (a *ask) key() askKey {
	k := askKey{
		part: a.part.Name, minNodes: a.minNodes, maxNodes: a.maxNodes, aim: a.aim,
		tasks: a.tasks, cpt: a.cpt, tpn: a.tpn, perSocket: a.tasksPerSocket, minCPU: a.minCPUs,
		memCPU: a.memCPU, memNode: a.memNode, tmp: a.tmp, memGPU: a.memPerGPU,
		sharing: a.sharing, cpusGPU: a.cpusPerGPU,
		shape: [4]int{a.sockets, a.cores, a.needThreads<<16 | a.specCPUs + 1, a.threads<<16 | a.tasksPerCore},
	}
	for i, b := range []bool{a.memAll, a.whole, a.ownUser, a.overcommit, a.contiguous, a.apart, a.together, a.wholeBlocks, a.specCores, a.hint == "multithread"} {
		if b {
			k.flags |= 1 << i
		}
	}
	if a.ownUser {
		k.uid = a.job.UID
	}
	n, spec := &a.job.Need, a.job.Spec
	prefer, batch := "", ""
	if spec != nil {
		prefer, batch = spec.Prefer, spec.BatchFeatures
	}
	features := n.Features.String()
	if a.segment > 0 || a.switches > 0 {
		features += ";segment=" + strconv.Itoa(a.segment)
	}
	if a.switches > 0 {
		// Its wait for few switches is its own.
		features += ";switches=" + strconv.Itoa(a.switches) + "," + a.job.ID.String()
	}
	for _, size := range a.sizes {
		features += ";" + strconv.Itoa(size)
	}
	if len(a.perNode)+len(a.perJob)+len(a.perTask)+len(a.required)+len(n.Exclude) > 0 || features+prefer+batch != "" {
		var b strings.Builder
		for _, list := range []slurm.Gres{a.perNode, a.perJob, a.perTask} {
			for _, g := range list {
				b.WriteString(g.Name + ":" + g.Type + ":" + strconv.FormatInt(g.Count, 10) + ",")
			}
			b.WriteByte(';')
		}
		for _, list := range [][]NodeName{n.NodeList, n.Exclude} {
			for _, name := range list {
				b.WriteString(string(name) + ",")
			}
			b.WriteByte(';')
		}
		b.WriteString(features + ";" + prefer + ";" + batch)
		k.text = b.String()
	}
	return k
}
