package sched

import (
	"cmp"
	"slices"
	"time"

	"github.com/runink/rink/slurm"
)

// PlaceResult says what became of a request for a step.
type PlaceResult uint8

// The results of placing a step.
const (
	StepPlaced PlaceResult = iota
	StepWaits              // other steps of the job have what it needs; try again when one ends
)

// MaxSteps is how many steps a job may have when the configuration does not say.
const MaxSteps = 40000

// PlaceStep places a step in a running job: over which nodes, which ranks on
// each, with what CPUs, memory and devices. Unless it is asked for exactly what
// it needs (exact, exclusive, CPUs per task), a step takes all of the job on its
// nodes. Steps do not share, but for those that ask to overlap: the second
// result is StepWaits, with no step, while others have what this one needs. A
// step that the job could never hold is refused. The id is not drawn yet.
func PlaceStep(j *Job, opts *slurm.JobOptions, name string, cfg *Config, now time.Time) (*Step, PlaceResult, error) {
	switch {
	case j.IsPending():
		return nil, 0, refuse(slurm.ErrnoJobPending, "job %d is pending", j.ID)
	case j.HasEnded():
		return nil, 0, refuse(slurm.ErrnoAlreadyDone, "job %d is %v", j.ID, j.State)
	case j.IsSuspended():
		return nil, 0, refuse(slurm.ErrnoJobSuspended, "job %d is suspended", j.ID)
	}
	if most := cmp.Or(int(cfg.MaxSteps), MaxSteps); int(j.NextStep) >= most {
		return nil, 0, refuse(slurm.ErrnoStepLimit, "job %d has had %d steps of %d", j.ID, j.NextStep, most)
	}
	w, err := newStepWish(j, opts, cfg)
	if err != nil {
		return nil, 0, err
	}
	// What could be done with the job to itself decides whether to refuse, what
	// other steps leave whether to wait.
	all := make([]stepRoom, len(j.Alloc))
	for i := range j.Alloc {
		all[i] = wholeRoom(j, i)
	}
	if _, err := w.choose(all); err != nil {
		return nil, 0, err
	}
	left := all
	if !w.overlap {
		left = make([]stepRoom, len(all))
		for i := range all {
			left[i] = all[i].without(j.Steps)
		}
	}
	chosen, err := w.choose(left)
	if err != nil {
		return nil, StepWaits, nil
	}
	s := &Step{
		Name: name, CPUsPerTask: w.cpt, Overlap: w.overlap, Gres: w.asked, MemPerNode: w.memNode,
		Start: now, State: slurm.JobRunning, SubmitLine: "", CPUFreq: opts.CPUFreq,
	}
	if opts.Given["time"] && opts.TimeLimit > 0 && opts.TimeLimit != slurm.Unlimited {
		s.TimeLimit = opts.TimeLimit
	}
	w.lay(s, chosen)
	return s, StepPlaced, nil
}

// stepWish is what a step asks for, in numbers.
type stepWish struct {
	job                *Job
	tasks, cpt, tpn    int
	minNodes, maxNodes int
	exact, overlap     bool
	overcommit         bool
	memNode, memCPU    slurm.MB
	distribution       string
	packed             bool       // tasks fill one node after the other
	order              []NodeName // arbitrary: the node of each rank
	only               map[NodeName]bool
	must               map[NodeName]bool
	asked              slurm.Gres
	perNode            slurm.Gres
	perTask            slurm.Gres
	perStep            slurm.Gres
	spread             bool // a range of nodes was asked for
	allGres            bool // nothing was said of devices: all that the job has
}

// stepRoom is what a step could have on one of its job's nodes.
type stepRoom struct {
	node  NodeName
	at    int
	whole int // CPUs of the job
	cpus  int // of them, those no other step has
	mem   slurm.MB
	free  slurm.MB
	gres  []GresAlloc
	busy  bool // another step has some of the node
}

func newStepWish(j *Job, o *slurm.JobOptions, cfg *Config) (*stepWish, error) {
	each, _, _ := slurm.ParseTRESPerTask(o.TRESPerTask) // devices refuses it
	w := &stepWish{job: j, tasks: o.NTasks, cpt: max(o.CPUsPerTask, each, 1), tpn: o.NTasksPerNode,
		minNodes: o.MinNodes, maxNodes: o.MaxNodes, overlap: o.Step.Overlap, overcommit: o.OverCommit,
		memNode: o.MemPerNode, memCPU: o.MemPerCPU, distribution: o.Distribution, packed: isPacked(o.Distribution, tuningOf(cfg))}
	w.exact = !o.Step.Whole && (o.Step.Exact || o.Exclusive == "exclusive" || o.Given["cpus-per-task"])
	if err := w.where(o); err != nil {
		return nil, err
	}
	if err := w.devices(o); err != nil {
		return nil, err
	}
	if gpus := o.GPUs.Total("gpu"); o.NTasksPerGPU > 0 && gpus > 0 && !o.Given["ntasks"] {
		w.tasks = o.NTasksPerGPU * int(gpus)
	}
	w.size(o)
	if w.minNodes > len(j.Alloc) {
		return nil, refuse(slurm.ErrnoRequestedNodeConfigUnavailable, "step wants %d nodes of the %d of job %d", w.minNodes, len(j.Alloc), j.ID)
	}
	if w.maxNodes < w.minNodes {
		return nil, refuse(slurm.ErrnoInvalidNodeCount, "step wants at least %d and at most %d nodes", w.minNodes, w.maxNodes)
	}
	return w, nil
}

// where reads which of the job's nodes the step may and must have.
func (w *stepWish) where(o *slurm.JobOptions) error {
	names, err := nodeNames(o.NodeList)
	if err != nil {
		return err
	}
	away, err := nodeNames(o.ExcludeList)
	if err != nil {
		return err
	}
	w.only = make(map[NodeName]bool, len(w.job.Alloc))
	for i := range w.job.Alloc {
		if node := w.job.Alloc[i].Node; (!o.Given["relative"] || i >= o.Step.Relative) && !slices.Contains(away, node) {
			w.only[node] = true
		}
	}
	if o.Given["relative"] && o.Step.Relative >= len(w.job.Alloc) {
		return refuse(slurm.ErrnoInvalidNodeCount, "step begins at node %d of the %d of job %d", o.Step.Relative, len(w.job.Alloc), w.job.ID)
	}
	w.must = make(map[NodeName]bool, len(names))
	for _, n := range names {
		if !w.only[n] {
			return refuse(slurm.ErrnoRequestedNodeConfigUnavailable, "node %s is not one job %d has for the step", n, w.job.ID)
		}
		w.must[n] = true
	}
	if arbitrary(o.Distribution) && len(names) > 0 {
		w.order = names
	}
	return nil
}

// devices reads what generic resources the step asks for. When nothing is said
// it has all of its job's.
func (w *stepWish) devices(o *slurm.JobOptions) error {
	some := func(list slurm.Gres) slurm.Gres {
		return slices.DeleteFunc(slices.Clone(list), func(g slurm.GresItem) bool { return g.Name == "none" || g.Count == 0 })
	}
	w.perNode = some(o.Gres)
	none := o.Given["gres"] && len(some(o.Gres)) == 0
	if !none && !slices.ContainsFunc(o.Gres, func(g slurm.GresItem) bool { return g.Name == "gpu" }) {
		// Else it is the job's number, which the step has from its environment.
		w.perNode = append(w.perNode, some(o.GPUsPerNode)...)
	}
	_, each, err := slurm.ParseTRESPerTask(o.TRESPerTask)
	if err != nil {
		return refuse(slurm.ErrnoInvalidTRES, "--tres-per-task: %v", err)
	}
	w.perTask, w.perStep = some(slices.Concat(o.GPUsPerTask, each).Sum()), some(o.GPUs)
	switch {
	case len(w.perTask) > 0 && o.NTasks > 0:
		w.perStep = nil // the tasks say how many
	case o.Given["gres"]:
		w.perStep = nil // what it is to have on a node, though its environment has its job's number
	}
	w.asked = slices.Concat(w.perNode, w.perTask, w.perStep)
	w.allGres = len(w.asked) == 0 && !o.Given["gres"] && len(o.GPUs) == 0
	for _, g := range w.asked {
		most, sum := int64(0), int64(0)
		for i := range w.job.Alloc {
			n := countGres(w.job.Alloc[i].Gres, g)
			most, sum = max(most, n), sum+n
		}
		if g.Type != "" && !w.job.asksForType(g) {
			return refuse(slurm.ErrnoInvalidGres, "step wants %s, job %d did not ask for that type", g, w.job.ID).
				with("Step requested GRES (%s:%s) not found in the job", g.Name, g.Type)
		}
		bad := refuse(slurm.ErrnoInvalidGres, "step wants %s, job %d has %d of it, at most %d on a node", g, w.job.ID, sum, most)
		switch {
		case sum == 0:
			return bad.with("Step requested GRES but job doesn't have GRES")
		case slices.Contains(w.perNode, g) && g.Count > most:
			return bad.with("Step requested gres_per_node=%s is more than the job's", g)
		case slices.Contains(w.perStep, g) && g.Count > sum:
			return bad.with("Step requested gres=%s is more than the job's gres=%s:%d", g, gresItemName(g), sum)
		}
	}
	return nil
}

// asksForType reports whether a job was asked for with a type of GPU, or of what else
// it is. Of one that says nothing of types a step does not either.
func (j *Job) asksForType(g slurm.GresItem) bool {
	for _, list := range []slurm.Gres{j.Need.GresPerNode, j.Need.GresPerJob, j.Need.GresPerTask} {
		if slices.ContainsFunc(list, func(have slurm.GresItem) bool { return have.Name == g.Name && have.Type == g.Type }) {
			return true
		}
	}
	return false
}

// size works out how many tasks and nodes the step has where it does not say.
func (w *stepWish) size(o *slurm.JobOptions) {
	var cpus, nodes int
	for i := range w.job.Alloc {
		if a := &w.job.Alloc[i]; w.only[a.Node] {
			nodes++
			cpus += a.CPUs / w.cpt
		}
	}
	if len(w.order) > 0 {
		w.tasks = len(w.order)
		w.minNodes, w.maxNodes = len(w.must), len(w.must)
		return
	}
	if w.tasks <= 0 || o.Given["cpus-per-task"] && !o.Given["ntasks"] && w.tpn == 0 {
		n := cmp.Or(w.minNodes, nodes)
		switch {
		case w.tpn > 0:
			w.tasks = w.tpn * n
		case o.Given["cpus-per-task"]:
			w.tasks = max(cpus, 1)
		default:
			w.tasks = n
		}
	}
	if w.tpn > 0 && w.minNodes == 0 {
		w.minNodes = (w.tasks + w.tpn - 1) / w.tpn
	}
	w.minNodes = max(w.minNodes, len(w.must), 1)
	if w.maxNodes == 0 {
		w.maxNodes = max(len(w.job.Alloc), w.minNodes)
		if o.MinNodes > 0 {
			w.maxNodes = w.minNodes
		}
	}
	// A node without a task would be of no use.
	w.minNodes = max(min(w.minNodes, w.tasks), 1)
	w.spread = o.MinNodes > 0 && o.MaxNodes > o.MinNodes
}

func wholeRoom(j *Job, i int) stepRoom {
	a := &j.Alloc[i]
	return stepRoom{node: a.Node, at: i, whole: a.CPUs, cpus: a.CPUs, mem: a.Mem, free: a.Mem, gres: a.Gres}
}

// without takes off what the live steps have that do not overlap.
func (r stepRoom) without(steps []*Step) stepRoom {
	for _, s := range steps {
		if s.Overlap || s.ID >= slurm.StepInteractive || s.HasEnded() {
			continue
		}
		for i := range s.Nodes {
			n := &s.Nodes[i]
			if n.Node != r.node {
				continue
			}
			r.busy = true
			r.cpus -= n.CPUs
			if s.MemPerNode > 0 {
				r.free -= n.Mem
			}
			for _, g := range n.Gres {
				r.gres = SubGres(r.gres, g)
			}
		}
	}
	return r
}

// HasEnded reports whether the step is over.
func (s *Step) HasEnded() bool { return Final(s.State) }

// choose picks nodes for the step out of what these rooms have.
func (w *stepWish) choose(rooms []stepRoom) ([]stepRoom, error) {
	var picked, others []stepRoom
	for _, r := range rooms {
		if !w.only[r.node] || !w.fits(&r) {
			if w.must[r.node] {
				return nil, w.tooLittle(&r)
			}
			continue
		}
		if w.must[r.node] {
			picked = append(picked, r)
		} else {
			others = append(others, r)
		}
	}
	try := func(others []stepRoom) []stepRoom {
		list := slices.Clone(picked)
		for len(list) < w.minNodes || !w.enough(list) {
			if len(others) == 0 || len(list) == w.maxNodes {
				return nil
			}
			list, others = append(list, others[0]), others[1:]
		}
		slices.SortFunc(list, func(a, b stepRoom) int { return cmp.Compare(a.at, b.at) })
		return list
	}
	if w.spread { // as many nodes as there may be
		least := w.minNodes
		for w.minNodes = min(w.maxNodes, w.tasks, len(picked)+len(others)); w.minNodes > least; w.minNodes-- {
			if list := try(others); list != nil {
				return list, nil
			}
		}
	}
	if list := try(others); list != nil {
		return list, nil
	}
	slices.SortStableFunc(others, func(a, b stepRoom) int { return cmp.Compare(b.cpus, a.cpus) })
	if list := try(others); list != nil {
		return list, nil
	}
	for i := range rooms {
		if w.only[rooms[i].node] && !w.fits(&rooms[i]) && w.memTooMuch(&rooms[i]) {
			return nil, w.tooLittle(&rooms[i])
		}
	}
	for _, g := range w.perStep {
		sum := int64(0)
		for _, r := range rooms {
			sum += countGres(r.gres, g)
		}
		if sum < g.Count {
			return nil, refuse(slurm.ErrnoInvalidGres, "step wants %s of job %d", g, w.job.ID)
		}
	}
	return nil, refuse(slurm.ErrnoTooManyRequestedCPUs, "step wants %d tasks of %d CPUs on %d to %d nodes of job %d", w.tasks, w.cpt, w.minNodes, w.maxNodes, w.job.ID)
}

// fits reports whether a node can be part of the step.
func (w *stepWish) fits(r *stepRoom) bool {
	if r.busy && !w.exact && !w.overlap {
		return false
	}
	if r.cpus <= 0 && !w.overcommit {
		return false
	}
	if w.memNode > 0 && r.free < w.memNode || w.memCPU > 0 && r.free < w.memCPU {
		return false
	}
	for _, g := range w.perNode {
		if countGres(r.gres, g) < g.Count {
			return false
		}
	}
	for _, g := range w.perTask {
		if countGres(r.gres, g) < g.Count {
			return false
		}
	}
	if w.allGres && !w.overlap {
		// It has all devices of the job here, or none that others have.
		for _, g := range w.job.Alloc[r.at].Gres {
			if countGres(r.gres, slurm.GresItem{Name: g.Name, Type: g.Type}) < g.Count {
				return false
			}
		}
	}
	return true
}

func (w *stepWish) memTooMuch(r *stepRoom) bool {
	return w.memNode > r.free || w.memCPU > r.free
}

// tooLittle says what a node lacks for the step.
func (w *stepWish) tooLittle(r *stepRoom) error {
	switch {
	case w.memTooMuch(r):
		return refuse(slurm.ErrnoInvalidTaskMemory, "step wants more than the %s that job %d has on %s", r.mem, w.job.ID, r.node)
	case r.cpus <= 0:
		return refuse(slurm.ErrnoTooManyRequestedCPUs, "job %d has no CPUs for the step on %s", w.job.ID, r.node)
	}
	return refuse(slurm.ErrnoInvalidGres, "job %d does not have on %s what the step wants there", w.job.ID, r.node)
}

// enough reports whether these nodes hold the step.
func (w *stepWish) enough(list []stepRoom) bool {
	cpus, byMem := 0, 0
	tasks := int64(0)
	for _, r := range list {
		cpus += r.cpus
		if w.memCPU > 0 {
			byMem += min(r.cpus, int(r.free/w.memCPU))
		}
		fit := int64(w.tasks)
		for _, g := range w.perTask {
			if g.Count > 0 {
				fit = min(fit, countGres(r.gres, g)/g.Count)
			}
		}
		tasks += fit
	}
	for _, g := range w.perStep {
		sum := int64(0)
		for _, r := range list {
			sum += countGres(r.gres, g)
		}
		if sum < g.Count {
			return false
		}
	}
	return tasks >= int64(w.tasks) && (w.overcommit || cpus >= w.tasks*w.cpt && (w.memCPU == 0 || byMem >= w.tasks*w.cpt))
}

// lay puts the tasks on the chosen nodes.
func (w *stepWish) lay(s *Step, chosen []stepRoom) {
	nodes := make([]NodeName, len(chosen))
	slots := make([]int, len(chosen))
	for i, r := range chosen {
		nodes[i] = r.node
		slots[i] = max(r.cpus/w.cpt, 1)
		if w.tpn > 0 {
			slots[i] = min(slots[i], w.tpn)
		}
		for _, g := range w.perTask {
			if g.Count > 0 {
				slots[i] = min(slots[i], int(countGres(r.gres, g)/g.Count))
			}
		}
	}
	s.Tasks, s.Distribution = w.tasks, w.distribution
	if s.Distribution == "" {
		s.Distribution = "block"
		if w.tasks <= len(chosen) {
			s.Distribution = "cyclic"
		}
	}
	layOut := TaskCounts
	if w.packed {
		layOut = packedCounts
	}
	if size := planeSize(s.Distribution); size > 0 {
		layOut = func(slots []int, tasks int) []int { return planeCounts(slots, tasks, size) }
	}
	ranks := TaskRanks(layOut(slots, w.tasks), s.Distribution)
	if w.order != nil {
		ranks, _ = arbitraryRanks(nodes, w.order)
	}
	left := make([]int64, len(w.perStep))
	for k, g := range w.perStep {
		left[k] = g.Count
	}
	s.Nodes = make([]StepNode, len(chosen))
	for i, r := range chosen {
		n := StepNode{Node: r.node, CPUs: r.whole, Mem: r.mem, Ranks: ranks[i]}
		if w.exact {
			n.CPUs = min(len(ranks[i])*w.cpt, r.cpus)
			if w.overcommit {
				n.CPUs = min(max(len(ranks[i])*w.cpt, 1), max(r.cpus, 1))
			}
		}
		switch {
		case w.memNode > 0:
			n.Mem = w.memNode
		case w.memCPU > 0:
			n.Mem = min(w.memCPU*slurm.MB(max(len(ranks[i])*w.cpt, 1)), r.free)
			if !w.exact && !w.overlap {
				n.Mem = min(w.memCPU*slurm.MB(n.CPUs), r.free) // that of all CPUs it has
			}
			s.MemPerNode = max(s.MemPerNode, n.Mem)
		}
		want := slices.Clone(w.perNode)
		for _, g := range w.perTask {
			g.Count *= int64(len(ranks[i]))
			want = append(want, g)
		}
		for k, g := range w.perStep {
			g.Count = min(countGres(r.gres, g), max(left[k]-int64(len(chosen)-i-1), min(left[k], 1)))
			left[k] -= g.Count
			want = append(want, g)
		}
		if w.allGres {
			n.Gres = w.job.Alloc[r.at].Gres
		} else {
			n.Gres = chooseFrom(r.gres, want)
		}
		s.Nodes[i] = n
	}
}

// countGres counts what a list has of a kind.
func countGres(list []GresAlloc, g slurm.GresItem) int64 {
	n := int64(0)
	for _, x := range list {
		if x.Name == g.Name && (g.Type == "" || x.Type == g.Type) {
			n += x.Count
		}
	}
	return n
}

// chooseFrom takes kinds and devices out of what a job has on a node, what names
// a type first, the lowest devices first.
func chooseFrom(have []GresAlloc, want slurm.Gres) []GresAlloc {
	left := slices.Clone(have)
	var out []GresAlloc
	for _, typed := range []bool{true, false} {
		for _, g := range want {
			if (g.Type != "") != typed {
				continue
			}
			n := g.Count
			for i := range left {
				x := &left[i]
				if n == 0 || x.Name != g.Name || typed && x.Type != g.Type || x.Count == 0 {
					continue
				}
				take := GresAlloc{Name: x.Name, Type: x.Type, Count: min(n, x.Count)}
				if isSharedGres(x.Name) {
					take.Index = slices.Clone(x.Index)
				} else if k := min(int(take.Count), len(x.Index)); k > 0 {
					take.Index = slices.Clone(x.Index[:k])
					x.Index = x.Index[k:]
				}
				x.Count -= take.Count
				n -= take.Count
				out = AddGres(out, take)
			}
		}
	}
	return out
}

// nodeNames reads a host list; "" is no names.
func nodeNames(text string) ([]NodeName, error) {
	if text == "" {
		return nil, nil
	}
	list, err := slurm.ParseHostList(text)
	if err != nil {
		return nil, refuse(slurm.ErrnoInvalidNodeName, "%v", err)
	}
	names := make([]NodeName, 0, list.Len())
	for n := range list.All() {
		names = append(names, NodeName(n))
	}
	return names, nil
}

// ExternStep is the step of a job for what comes from outside, such as a login: it is
// there for as long as the job has its nodes.
func ExternStep(j *Job) *Step {
	s := &Step{ID: slurm.StepExtern, Name: "extern", Tasks: len(j.Alloc), CPUsPerTask: 1, Start: j.Start, State: slurm.JobRunning, Distribution: "block"}
	for i, a := range j.Alloc {
		s.Nodes = append(s.Nodes, StepNode{Node: a.Node, CPUs: a.CPUs, Mem: a.Mem, Ranks: []int{i}, Gres: a.Gres})
	}
	if j.HasEnded() {
		s.End, s.State = j.End, slurm.JobCompleted
	}
	return s
}
