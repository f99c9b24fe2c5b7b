package noded

import (
	"log/slog"
	"os"
	"slices"
	"sync"
	"syscall"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/slice"
	"github.com/runink/rink/slurm"
)

// confine is what cgroup.conf has this node hold jobs to, and the book of the CPUs
// that jobs were given here.
type confine struct {
	log     *slog.Logger
	node    string
	machine []cpuPlace // the CPUs this agent may use; nil: not known
	memory  slurm.MB   // of the machine

	mu    sync.Mutex // guards all below
	conf  *slurm.CgroupConf
	affin bool     // tasks are bound to CPUs
	param []string // and how when nobody says
	cpus  int      // CPUs of the node as configured
	said  bool     // that the node has more CPUs than the machine
	given map[jobKey][]int
}

// find asks the machine what it has.
func (c *confine) find(log *slog.Logger, node string) {
	c.log, c.node, c.machine = log, node, machineCPUs("/sys/devices/system")
	var info syscall.Sysinfo_t
	if syscall.Sysinfo(&info) == nil {
		c.memory = slurm.MB(uint64(info.Totalram) * uint64(info.Unit) >> 20)
	}
}

// configure takes what the configuration says of this node. Without a cgroup.conf
// a job's memory is limited and its CPUs are not.
func (c *confine) configure(files []slurm.ConfFile, conf *slurm.Conf) {
	read := func(name string) ([]byte, error) {
		for _, f := range files {
			if f.Name == name {
				return f.Text, nil
			}
		}
		return nil, os.ErrNotExist
	}
	var own *slurm.CgroupConf
	if _, err := read("cgroup.conf"); err == nil {
		// The leader refuses files that do not parse.
		if own, _, err = slurm.ParseCgroupConf("cgroup.conf", read); err != nil {
			c.log.Error("cgroup.conf does not parse", "error", err)
			own = nil
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conf = own
	if conf == nil {
		return
	}
	c.affin, c.param = slices.Contains(conf.TaskPlugin, "task/affinity"), conf.TaskPluginParam
	for i := range conf.Nodes {
		if n := &conf.Nodes[i]; n.Name == c.node {
			c.cpus = n.CPUs
		}
	}
}

// off says that cgroup.conf switches cgroups off.
func (c *confine) off() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.conf != nil && c.conf.Plugin == "disabled"
}

// limit adds to a job's limits what cgroup.conf says of its memory, and the CPUs
// that were chosen for it.
func (c *confine) limit(l *slice.Limits, here *rinkpb.JobHere) {
	c.mu.Lock()
	conf, fences := c.conf, c.fences()
	c.mu.Unlock()
	if conf == nil {
		if here.Mem > 0 {
			l.MemoryMax = here.Mem << 20
		}
	} else {
		l.MemoryMax, l.SwapMax = memoryLimits(conf, slurm.MB(here.Mem), c.memory)
	}
	if fences {
		l.CPUSet, l.MemorySet = here.CpuSet, c.memoryNodes(here.CpuSet)
	}
}

// fences says that jobs are kept by their cgroups to the CPUs they were given. Needs
// c.mu held.
func (c *confine) fences() bool {
	return c.conf != nil && c.conf.ConstrainCores && c.conf.Plugin != "disabled"
}

// limitStep adds the CPUs that were chosen for a step.
func (c *confine) limitStep(l *slice.Limits, order *rinkpb.LaunchStep) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fences() {
		l.CPUSet, l.MemorySet = order.CpuSet, c.memoryNodes(order.CpuSet)
	}
}

// binds says that tasks are bound to CPUs.
func (c *confine) binds() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.affin
}

// memoryNodes lists the NUMA nodes near the CPUs of a list.
func (c *confine) memoryNodes(list string) string {
	if list == "" {
		return ""
	}
	var near []int
	for _, id := range readCPUs(list) {
		for _, p := range c.machine {
			if p.id != id {
				continue
			}
			if p.node < 0 {
				return "" // the kernel tells of none
			}
			near = append(near, p.node)
		}
	}
	return cpuText(near)
}

// memoryLimits are what a job that was given mem of the total of a node may hold in
// memory, in bytes, 0 being without limit, and beside it in swap; nil is without
// limit. Percentages, bounds and what they do to each other are those of Slurm's
// cgroup.conf(5): a job that was given no memory of its own is taken for one that
// was given the node's, and with ConstrainSwapSpace alone memory and swap together
// are one bound, which is memory's too.
func memoryLimits(c *slurm.CgroupConf, mem, total slurm.MB) (int64, *int64) {
	if !c.ConstrainRAM && !c.ConstrainSwap {
		return 0, nil
	}
	whole := float64(total)
	of := float64(mem)
	if mem <= 0 {
		if of = whole; of <= 0 {
			return 0, nil
		}
	}
	// The kernel counts from 1 MiB up; sums are kept in MiB.
	bound := func(v, most float64) float64 {
		if whole > 0 {
			v = min(v, most)
		}
		return max(v, float64(c.MinRAMSpace), 1)
	}
	allowed := c.AllowedRAMSpace
	if !c.ConstrainRAM {
		allowed = 100
	}
	ram := bound(of*allowed/100, whole*c.MaxRAMPercent/100)
	bytes := func(v float64) int64 { return int64(v) << 20 }
	if !c.ConstrainSwap {
		return bytes(ram), nil
	}
	both := max(ram, bound(of*(allowed+c.AllowedSwapSpace)/100, whole*(1+c.MaxSwapPercent/100)))
	if !c.ConstrainRAM {
		none := int64(0)
		return bytes(both), &none
	}
	swap := bytes(both) - bytes(ram)
	return bytes(ram), &swap
}

// choose notes in a job's order the CPUs it may use here, where it is held to those it
// was given: by its cgroup as ConstrainCores says, or as its tasks are bound.
func (c *confine) choose(k jobKey, here *rinkpb.JobHere) {
	here.CpuSet = "" // the note is the agent's own
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.fences() && !c.affin || here.Cpus <= 0 || len(c.machine) == 0 {
		return
	}
	if c.cpus > len(c.machine) {
		if !c.said {
			c.log.Warn("jobs are not held to CPUs: the node has more of them than the machine", "configured", c.cpus, "machine", len(c.machine))
		}
		c.said = true
		return
	}
	list := namedCPUs(c.machine, here.CpuIds, c.perCPU())
	if list == nil {
		// No controller has chosen.
		used := map[int]int{}
		for _, list := range c.given {
			for _, id := range list {
				used[id]++
			}
		}
		list = chooseCPUs(c.machine, used, int(here.Cpus)*c.perCPU())
	}
	c.keep(k, list)
	here.CpuSet = cpuText(list)
}

// perCPU is how many CPUs of the machine one CPU of the node stands for: where the
// node was configured with its cores, each with all its threads. Needs c.mu held.
func (c *confine) perCPU() int {
	cores := map[[2]int]bool{}
	for _, p := range c.machine {
		cores[[2]int{p.socket, p.core}] = true
	}
	if len(cores) == c.cpus {
		return max(1, len(c.machine)/len(cores))
	}
	return 1
}

// chooseStep notes in a step's order which of its job's CPUs it may use, when it is
// fewer: those first that none of the steps that run has. Needs j.mu held.
func (c *confine) chooseStep(j *job, order *rinkpb.LaunchStep) {
	order.CpuSet = ""
	if j.here.CpuSet == "" || order.Cpus <= 0 || order.Cpus >= j.here.Cpus {
		return
	}
	mine := map[int]bool{}
	for _, id := range readCPUs(j.here.CpuSet) {
		mine[id] = true
	}
	var places []cpuPlace
	for _, p := range c.machine {
		if mine[p.id] {
			places = append(places, p)
		}
	}
	used := map[int]int{}
	for _, r := range j.slices {
		for _, id := range readCPUs(r.step.GetCpuSet()) {
			used[id]++
		}
	}
	c.mu.Lock()
	n := int(order.Cpus) * c.perCPU()
	c.mu.Unlock()
	order.CpuSet = cpuText(chooseCPUs(places, used, n))
}

// takeUp puts a job back in the book whose CPUs were chosen before this agent came
// up.
func (c *confine) takeUp(k jobKey, here *rinkpb.JobHere) {
	if here.CpuSet == "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keep(k, readCPUs(here.CpuSet))
}

// keep needs c.mu held.
func (c *confine) keep(k jobKey, list []int) {
	if c.given == nil {
		c.given = map[jobKey][]int{}
	}
	c.given[k] = list
}

// free takes a job that is finished here out of the book.
func (c *confine) free(k jobKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.given, k)
}

// readCPUs reads a list of CPUs that cpuText wrote.
func readCPUs(list string) []int {
	if list == "" {
		return nil
	}
	set, err := slurm.ParseIndexSet(list, 1<<16)
	if err != nil {
		return nil
	}
	var out []int
	for i := range set.All() {
		out = append(out, int(i))
	}
	return out
}
