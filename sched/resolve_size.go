package sched

import (
	"slices"
	"strings"

	"github.com/runink/rink/slurm"
)

// size works out nodes, tasks and CPUs.
func (r *resolver) size() error {
	n, o := &r.job.Need, r.o
	n.OverCommit = o.OverCommit
	n.TasksPerNode = o.NTasksPerNode
	n.CPUsPerTask = max(o.CPUsPerTask, 1)
	if err := r.tresPerTask(); err != nil {
		return err
	}
	n.MinNodes, n.MaxNodes = max(o.MinNodes, 1), AnyNodes
	if r.given("nodes") {
		n.MaxNodes = o.MaxNodes
		if n.MaxNodes == 0 {
			n.MaxNodes = o.MinNodes
		}
		if o.MinNodes < 0 || n.MaxNodes <= 0 || n.MaxNodes < o.MinNodes {
			return refuse(slurm.ErrnoInvalidNodeCount, "%d to %d nodes asked for", o.MinNodes, n.MaxNodes)
		}
	}
	if k := len(o.NodeSizes); k > 0 {
		n.MinNodes, n.MaxNodes = slices.Min(o.NodeSizes), slices.Max(o.NodeSizes)
		if n.MinNodes <= 0 {
			return refuse(slurm.ErrnoInvalidNodeCount, "%v nodes asked for", o.NodeSizes)
		}
	}
	n.Tasks = o.NTasks
	r.tasksOfGPUs()
	if o.NTasks > 0 && !r.given("nodes") && len(n.NodeList) > o.NTasks {
		n.NodeList = n.NodeList[:o.NTasks]
		n.MinNodes = min(n.MinNodes, o.NTasks)
	}
	if len(n.NodeList) > n.MaxNodes {
		return refuse(slurm.ErrnoInvalidNodeCount, "%d nodes named and at most %d asked for", len(n.NodeList), n.MaxNodes).
			with("invalid number of nodes (-N %d-%d)", len(n.NodeList), n.MaxNodes)
	}
	n.MinNodes = max(n.MinNodes, len(n.NodeList))
	if per := n.TasksPerNode; per > 0 {
		if n.Tasks > n.MinNodes*per {
			n.MinNodes = (n.Tasks + per - 1) / per
		}
		if o.NTasks == 0 {
			n.Tasks = n.MinNodes * per
		}
		if n.MinNodes > n.MaxNodes {
			return refuse(slurm.ErrnoRequestedNodeConfigUnavailable, "%d tasks, %d on a node, do not fit on %d nodes", n.Tasks, per, n.MaxNodes)
		}
	}
	if n.Tasks <= 0 {
		n.Tasks = n.MinNodes
	}
	n.MinCPUsNode = max(o.MinCPUs, n.CPUsPerTask*max(n.TasksPerNode, 1))
	n.CPUs = max(n.Tasks*n.CPUsPerTask, n.MinNodes)
	if n.OverCommit {
		n.MinCPUsNode = max(o.MinCPUs, 1)
		n.CPUs = n.MinNodes
	}
	if o.MinCPUs > 0 {
		n.CPUs = max(n.CPUs, n.MinNodes*o.MinCPUs)
	}
	return nil
}

// tasksOfGPUs works out the number of tasks where it follows from GPUs.
func (r *resolver) tasksOfGPUs() {
	n, o := &r.job.Need, r.o
	total := o.GPUs.Total("gpu")
	onNodes := (o.Gres.Total("gpu") + o.GPUsPerNode.Total("gpu")) * int64(n.MinNodes)
	perTask := o.GPUsPerTask.Total("gpu")
	switch {
	case n.Tasks > 0 && r.given("ntasks"):
	case perTask > 0 && total > 0:
		n.Tasks = int(total / perTask)
	case o.NTasksPerGPU > 0 && total+onNodes > 0:
		n.Tasks = int(max(total, onNodes)) * o.NTasksPerGPU
	}
}

// devices works out the generic resources.
func (r *resolver) devices() error {
	n, o := &r.job.Need, r.o
	perNode := slices.Concat(n.GresPerNode, o.GPUsPerNode)
	for _, g := range o.Gres {
		if !slices.ContainsFunc(o.GPUsPerNode, func(p slurm.GresItem) bool { return p.Name == g.Name && p.Type == g.Type }) {
			perNode = append(perNode, g) // --gpus-per-node says the same and is the stronger
		}
	}
	for _, g := range o.GPUsPerSocket {
		if o.SocketsPerNode <= 0 {
			return refuse(slurm.ErrnoInvalidGres, "GPUs for each socket without a number of sockets").
				with("--gpus-per-socket option requires --sockets-per-node specification")
		}
		g.Count *= int64(o.SocketsPerNode)
		perNode = append(perNode, g)
	}
	perNode = slices.DeleteFunc(perNode, func(g slurm.GresItem) bool { return g.Count == 0 || strings.EqualFold(g.Name, "none") })
	n.GresPerNode = perNode.Sum()
	n.GresPerTask = slices.Concat(n.GresPerTask, o.GPUsPerTask).Sum()
	n.GresPerJob = o.GPUs.Sum()
	if len(n.GresPerNode) == 0 {
		n.GresPerNode = nil
	}
	for _, list := range []slurm.Gres{n.GresPerNode, n.GresPerTask, n.GresPerJob} {
		for _, g := range list {
			if !r.gresKnown(g.Name) {
				return refuse(slurm.ErrnoInvalidGres, "gres %q is not known", g.Name)
			}
		}
	}
	perTask, total, onNode := n.GresPerTask.Total("gpu"), n.GresPerJob.Total("gpu"), n.GresPerNode.Total("gpu")
	switch {
	case perTask > 0 && total == 0 && !r.given("ntasks") && o.NTasks == 0 && n.TasksPerNode == 0 && !(r.given("nodes") && n.MinNodes == n.MaxNodes):
		return refuse(slurm.ErrnoInvalidGres, "GPUs for each task without a number of tasks").
			with("Failed to validate job spec. --gpus-per-task used without either --gpus or -n/--ntasks is not allowed.")
	case perTask > 0 && onNode > 0:
		// So many GPUs on a node, so many for a task, are a number of tasks on a node.
		if err := r.tasksByGPUs(perTask, onNode); err != nil {
			return err
		}
	case o.NTasksPerGPU > 0 && perTask == 0:
		if total > 0 && onNode > 0 {
			if err := r.nodesByGPUs(total, onNode); err != nil {
				return err
			}
			total = 0
		}
		if err := r.gpusByTasks(int64(o.NTasksPerGPU), total, onNode); err != nil {
			return err
		}
	case total > 0 && onNode > 0:
		if err := r.nodesByGPUs(total, onNode); err != nil {
			return err
		}
	case perTask > 0 && total > 0:
		n.GresPerJob = nil // the tasks say how many
	case total > 0 && total < int64(n.MinNodes):
		return refuse(slurm.ErrnoInvalidGres, "%d GPUs on %d nodes", total, n.MinNodes).with("Failed to validate job spec, --gpus < -N")
	}
	if o.MemPerGPU > 0 && n.GresPerTask.Total("gpu")+n.GresPerJob.Total("gpu")+n.GresPerNode.Total("gpu") == 0 {
		return refuse(slurm.ErrnoInvalidGres, "memory for each GPU without GPUs").
			with("Requested mem_per_tres=gres:gpu:%d but did not request any GPU.", int64(o.MemPerGPU))
	}
	r.gpuDefaults()
	if per := r.o.CPUsPerGPU; per > 0 {
		gpus := n.GresPerJob.Total("gpu") + n.GresPerTask.Total("gpu")*int64(n.Tasks) + n.GresPerNode.Total("gpu")*int64(n.MinNodes)
		n.CPUs = max(n.CPUs, int(gpus)*per)
	}
	return nil
}

// tasksByGPUs works out how many tasks go on a node that has so many GPUs of which each
// takes some.
func (r *resolver) tasksByGPUs(perTask, onNode int64) error {
	n := &r.job.Need
	per := int(onNode / perTask)
	switch {
	case onNode%perTask != 0:
		return refuse(slurm.ErrnoInvalidGres, "%d GPUs on a node, %d for a task", onNode, perTask).
			with("Failed to validate job spec, --gres=gpu/--gpus-per-node not multiple of --gpus-per-task.")
	case n.TasksPerNode > 0 && n.TasksPerNode != per:
		return refuse(slurm.ErrnoInvalidGres, "%d tasks on a node, %d by its GPUs", n.TasksPerNode, per).
			with("Failed to validate job spec. Based on --gres=gpu/--gpus-per-node and --gpus-per-task requested number of tasks per node differ from --ntasks-per-node.")
	}
	n.GresPerTask = slices.DeleteFunc(n.GresPerTask, func(g slurm.GresItem) bool { return g.Name == "gpu" })
	return r.onEachNode(per)
}

// nodesByGPUs works out on how many nodes total GPUs of the whole job are, with onNode
// on each.
func (r *resolver) nodesByGPUs(total, onNode int64) error {
	n, o := &r.job.Need, r.o
	if total%onNode != 0 {
		return refuse(slurm.ErrnoInvalidGres, "%d GPUs, %d on a node", total, onNode)
	}
	nodes := int(total / onNode)
	if nodes < n.MinNodes || nodes > n.MaxNodes {
		return refuse(slurm.ErrnoInvalidGres, "%d GPUs, %d on a node, on %d to %d nodes", total, onNode, n.MinNodes, n.MaxNodes)
	}
	if n.TasksPerNode > 0 && o.NTasks == 0 || n.Tasks < nodes {
		n.Tasks = nodes * max(n.TasksPerNode, 1)
	}
	n.MinNodes, n.MaxNodes = nodes, nodes
	if o.NTasks > 0 || n.TasksPerNode > 0 {
		n.CPUs = max(n.CPUs, n.Tasks*n.CPUsPerTask)
	}
	n.GresPerJob = nil
	return nil
}

// gpusByTasks works out what goes on a node where several tasks have a GPU
// together: per is how many, total the GPUs of the job, onNode those of a node.
func (r *resolver) gpusByTasks(per, total, onNode int64) error {
	n := &r.job.Need
	if total+onNode == 0 {
		// So many tasks want so many GPUs.
		total = (int64(n.Tasks) + per - 1) / per
		n.GresPerJob = slurm.Gres{{Name: "gpu", Count: total}}
	}
	nodes := int64(n.MinNodes)
	switch {
	case onNode == 0 && n.MinNodes == n.MaxNodes && total%nodes == 0:
		// On each node the same.
		for _, g := range n.GresPerJob {
			if g.Count%nodes != 0 {
				return nil
			}
		}
		for _, g := range n.GresPerJob {
			g.Count /= nodes
			n.GresPerNode = append(n.GresPerNode, g)
		}
		n.GresPerJob = nil
		return r.onEachNode(int(total / nodes * per))
	case onNode > 0 && total == 0:
		return r.onEachNode(int(onNode * per))
	}
	n.Tasks = max(n.Tasks, int(total*per))
	n.CPUs = max(n.CPUs, n.Tasks*n.CPUsPerTask)
	return nil
}

// onEachNode puts so many tasks on each of the job's nodes, and takes as many
// nodes as its tasks then want.
func (r *resolver) onEachNode(per int) error {
	n := &r.job.Need
	if n.Tasks < per {
		return refuse(slurm.ErrnoRequestedNodeConfigUnavailable, "%d tasks, where the GPUs of one node are for %d", n.Tasks, per)
	}
	n.TasksPerNode = per
	if n.Tasks > n.MinNodes*per {
		n.MinNodes = (n.Tasks + per - 1) / per
	}
	if n.MinNodes > n.MaxNodes {
		return refuse(slurm.ErrnoRequestedNodeConfigUnavailable, "%d tasks, %d on a node, do not fit on %d nodes", n.Tasks, per, n.MaxNodes)
	}
	if !r.given("ntasks") {
		n.Tasks = max(n.Tasks, n.MinNodes*per)
	}
	n.CPUs = max(n.CPUs, n.Tasks*n.CPUsPerTask)
	n.MinCPUsNode = max(n.MinCPUsNode, n.CPUsPerTask*per)
	return nil
}

// gpuDefaults puts the partition's CPUs and memory for each GPU where the job
// asks for GPUs and says nothing of either.
func (r *resolver) gpuDefaults() {
	n := &r.job.Need
	if n.GresPerTask.Total("gpu")+n.GresPerJob.Total("gpu")+n.GresPerNode.Total("gpu") == 0 {
		return
	}
	cpus, mem := gpuDefaultsOf(r.cfg, r.parts[0])
	if r.o.CPUsPerGPU > 0 || r.given("cpus-per-task") {
		cpus = 0
	}
	if r.given("mem") || r.given("mem-per-cpu") || r.o.MemPerGPU > 0 {
		mem = 0
	}
	if cpus == 0 && mem == 0 {
		return
	}
	o := *r.o
	if cpus > 0 {
		o.CPUsPerGPU = cpus
	}
	if mem > 0 {
		o.MemPerGPU = mem
	}
	r.o, r.job.Spec = &o, &o
}

// tresPerTask takes what --tres-per-task wants of each task.
func (r *resolver) tresPerTask() error {
	cpus, gres, err := slurm.ParseTRESPerTask(r.o.TRESPerTask)
	if err != nil {
		return refuse(slurm.ErrnoInvalidTRES, "--tres-per-task: %v", err)
	}
	n := &r.job.Need
	if cpus > 0 {
		n.CPUsPerTask = cpus
	}
	n.GresPerTask = append(n.GresPerTask, gres...)
	return nil
}

// memory works out the memory: what was asked for, the partition's or the
// cluster's default, or all of the node.
func (r *resolver) memory() error {
	n, o, p := &r.job.Need, r.o, r.parts[0]
	defCPU, defNode := p.DefMemPerCPU, p.DefMemPerNode
	if defCPU == 0 && defNode == 0 {
		defCPU, defNode = conf(r.cfg).DefMemPerCPU, conf(r.cfg).DefMemPerNode
	}
	switch {
	case o.MemPerGPU > 0:
	case r.given("mem") && o.MemPerNode == 0, r.given("mem-per-cpu") && o.MemPerCPU == 0:
		n.MemAllOfNode = true
	case o.MemPerNode > 0:
		n.MemPerNode = o.MemPerNode
	case o.MemPerCPU > 0:
		n.MemPerCPU = o.MemPerCPU
	case defCPU > 0:
		n.MemPerCPU = defCPU
	case defNode > 0:
		n.MemPerNode = defNode
	default:
		n.MemAllOfNode = r.cfg.TracksMemory
	}
	maxCPU, maxNode := p.MaxMemPerCPU, p.MaxMemPerNode
	if maxCPU == 0 && maxNode == 0 {
		maxCPU, maxNode = conf(r.cfg).MaxMemPerCPU, conf(r.cfg).MaxMemPerNode
	}
	switch {
	case maxNode > 0 && n.MemPerNode > maxNode:
		return refuse(slurm.ErrnoInvalidTaskMemory, "%s on a node, partition %s allows %s", n.MemPerNode, p.Name, maxNode)
	case maxNode > 0 && n.MemAllOfNode:
		n.MemAllOfNode, n.MemPerNode = false, maxNode
	case maxCPU > 0 && n.MemPerCPU > maxCPU:
		// More memory than a CPU may have takes more CPUs.
		times := int((n.MemPerCPU + maxCPU - 1) / maxCPU)
		n.MemPerCPU = (n.MemPerCPU + slurm.MB(times) - 1) / slurm.MB(times)
		n.CPUsPerTask *= times
		n.CPUs = max(n.CPUs, n.Tasks*n.CPUsPerTask)
		n.MinCPUsNode = max(n.MinCPUsNode, n.CPUsPerTask*max(n.TasksPerNode, 1))
	case maxCPU > 0 && n.MemPerNode > 0:
		n.MinCPUsNode = max(n.MinCPUsNode, int((n.MemPerNode+maxCPU-1)/maxCPU))
		n.CPUs = max(n.CPUs, n.MinNodes*n.MinCPUsNode)
	}
	return nil
}
