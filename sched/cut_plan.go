package sched

import (
	"slices"
	"time"

	"github.com/runink/rink/gpu"
	"github.com/runink/rink/slurm"
)

// CutGPU is the decision to cut a GPU into instances, or with none to make it whole
// again.
type CutGPU struct {
	Node     NodeName
	File     string
	Profiles []string
}

// cutLooks is how many jobs that wait for instances are looked at in one go.
const cutLooks = 32

// PlanCuts decides which idle GPUs are to be cut for a job that waits. Of the view
// Pending are all jobs that wait; nodes that barred names are left alone.
//
// The jobs that want instances a herd may have are tried, in order, on what the nodes
// will have once all that is under way is done. For the first that does not start
// there the idle GPUs are cut in the mind; if it would start then, those that it would
// be given are to be cut in earnest. What it leaves of a GPU is cut into more of the
// same.
//
// A GPU is left whole while a job ahead of it in the order waits for whole ones of the
// node.
func PlanCuts(v View, barred func(node NodeName, file string) bool, now time.Time) []CutGPU {
	if v.Config == nil || !slices.ContainsFunc(v.Nodes, func(n *Node) bool { return len(n.Shapes) > 0 }) {
		return nil
	}
	jobs := cutJobs(v)
	if len(jobs) == 0 {
		return nil
	}
	ready := v
	ready.Nodes = make([]*Node, len(v.Nodes))
	for i, n := range v.Nodes {
		ready.Nodes[i] = n.onceCut()
	}
	ready.Pending, ready.Ledger = nil, nil
	for _, j := range jobs {
		ready.Pending = append(ready.Pending, j.Job)
	}
	started := map[slurm.JobID]bool{}
	starts := Cycle(ready, now).Starts
	for _, s := range starts {
		started[s.Job] = true
	}
	ready = ready.begun(starts, now)
	at := slices.IndexFunc(jobs, func(j cutJob) bool { return !started[j.ID] })
	if at < 0 {
		return nil
	}
	for tries := 0; at < len(jobs) && tries < 4; at++ {
		if started[jobs[at].ID] {
			continue
		}
		tries++
		if list := cutFor(ready, jobs[at], barred, now); list != nil {
			return list
		}
	}
	return nil
}

// cutJob is a job that waits for instances, and what may be cut for it.
type cutJob struct {
	*Job
	profiles []string
	ahead    []*Job // wait for whole GPUs, and come first
}

// cutJobs lists the jobs that wait for instances their herds may have, in order.
func cutJobs(v View) []cutJob {
	// Few of a long queue want GPUs: the rest is not put in order.
	var pending []*Job
	any := false
	for _, j := range v.Pending {
		if profiles, plain := gpusWanted(j); plain || len(profiles) > 0 {
			pending, any = append(pending, j), any || len(profiles) > 0
		}
	}
	if !any {
		return nil
	}
	slices.SortStableFunc(pending, func(a, b *Job) int {
		switch {
		case a.Priority > b.Priority:
			return -1
		case a.Priority < b.Priority:
			return 1
		}
		return int(a.ID) - int(b.ID)
	})
	var out []cutJob
	var whole []*Job
	for _, j := range pending {
		if j.State.Base() != slurm.JobPending || j.Priority == 0 {
			continue
		}
		switch j.Reason {
		case slurm.ReasonNone, slurm.ReasonResources, slurm.ReasonPriority:
		default:
			continue
		}
		profiles, plain := gpusWanted(j)
		profiles = slices.DeleteFunc(profiles, func(profile string) bool {
			return !slices.ContainsFunc(waitsIn(j), func(p PartitionName) bool { return cutAllowed(cutsAllowed(v.Config, p), profile) })
		})
		if len(profiles) > 0 && len(out) < cutLooks {
			out = append(out, cutJob{Job: j, profiles: profiles, ahead: whole[:len(whole):len(whole)]})
		} else if plain {
			whole = append(whole, j)
		}
	}
	return out
}

// waitsIn are the partitions a job waits in.
func waitsIn(j *Job) []PartitionName {
	if len(j.Partitions) > 0 {
		return j.Partitions
	}
	return []PartitionName{j.Partition}
}

// gpusWanted are the profiles of instances a job asks for, and whether it asks for
// GPUs that are none.
func gpusWanted(j *Job) (profiles []string, plain bool) {
	for _, list := range []slurm.Gres{j.Need.GresPerNode, j.Need.GresPerJob, j.Need.GresPerTask} {
		for _, g := range list {
			switch {
			case g.Name != "gpu":
			case gpu.IsProfile(g.Type):
				if !slices.Contains(profiles, g.Type) {
					profiles = append(profiles, g.Type)
				}
			default:
				plain = true
			}
		}
	}
	return profiles, plain
}

// onceCut is n as it will be when its GPUs are cut as was decided.
func (n *Node) onceCut() *Node {
	if !slices.ContainsFunc(n.Cuts, func(c Cut) bool { return len(c.Made) == 0 && len(c.Profiles) > 0 }) {
		return n
	}
	c := *n
	c.Cuts = slices.Clone(n.Cuts)
	for i := range c.Cuts {
		cut := &c.Cuts[i]
		if len(cut.Made) == 0 {
			cut.Made = inMind(cut.File, cut.Profiles, i)
		}
	}
	c.Gres = c.Outfit(SickFiles(n.Gres))
	return &c
}

// inMind are instances that are only thought of, of the GPU at a place.
func inMind(file string, profiles []string, place int) []CutPart {
	out := make([]CutPart, len(profiles))
	for k, p := range profiles {
		out[k] = CutPart{Profile: p, Files: file, Number: mindNumber + place*gpu.MaxInstances + k}
	}
	return out
}

// begun is the view once these jobs run.
func (v View) begun(starts []Start, now time.Time) View {
	v.Nodes, v.Running = slices.Clone(v.Nodes), slices.Clone(v.Running)
	for _, s := range starts {
		at := slices.IndexFunc(v.Pending, func(j *Job) bool { return j.ID == s.Job })
		if at < 0 || s.IsTask {
			continue // of an array the rest waits on; what one takes is not counted
		}
		j := *v.Pending[at]
		j.State, j.Alloc, j.Partition, j.Start, j.End = slurm.JobRunning, s.Alloc, s.Partition, now, now.Add(span(j.TimeLimit))
		v.Running = append(v.Running, &j)
		for _, a := range s.Alloc {
			if k := slices.IndexFunc(v.Nodes, func(n *Node) bool { return n.Name == a.Node }); k >= 0 {
				n := v.Nodes[k].Clone()
				n.UsedCPUs, n.UsedMem = n.UsedCPUs+a.CPUs, n.UsedMem+a.Mem
				for _, g := range a.Gres {
					n.UsedGres = AddGres(n.UsedGres, g)
				}
				n.Running = append(n.Running, j.ID)
				v.Nodes[k] = n
			}
		}
	}
	return v
}

// cutFor decides what is to be cut so that a job starts; nil when nothing helps.
func cutFor(v View, job cutJob, barred func(NodeName, string) bool, now time.Time) []CutGPU {
	kept, parts := map[NodeName]bool{}, map[PartitionName]bool{}
	for _, j := range job.ahead {
		for _, name := range waitsIn(j) {
			if parts[name] {
				continue
			}
			parts[name] = true
			if p := v.Config.Partition(name); p != nil {
				for _, n := range p.Nodes {
					kept[n] = true
				}
			}
		}
	}
	for _, profile := range job.profiles {
		mind := v
		there := *job.Job // where it may be cut for
		there.Partitions = slices.DeleteFunc(slices.Clone(waitsIn(job.Job)), func(p PartitionName) bool { return !cutAllowed(cutsAllowed(v.Config, p), profile) })
		there.Partition = there.Partitions[0]
		mind.Pending = []*Job{&there}
		mind.Nodes = slices.Clone(v.Nodes)
		for i, n := range v.Nodes {
			if !kept[n.Name] {
				mind.Nodes[i] = n.allCut(profile, barred)
			}
		}
		for _, s := range Cycle(mind, now).Starts {
			if s.Job == job.ID {
				return cutsOf(mind.Nodes, s.Alloc, profile)
			}
		}
	}
	return nil
}

// allCut is n with every idle GPU cut into as many instances of a profile as there can
// be.
func (n *Node) allCut(profile string, barred func(NodeName, string) bool) *Node {
	if len(n.Shapes) == 0 || !n.Usable() {
		return n
	}
	c := *n
	c.Cuts = slices.Clone(n.Cuts)
	for i, s := range n.Shapes {
		if n.CutOf(s.File) >= 0 || !n.idleGPU(s.File) || barred != nil && barred(n.Name, s.File) {
			continue
		}
		if list := gpu.Fill(s.Profiles, []string{profile}, profile); list != nil {
			c.Cuts = append(c.Cuts, Cut{File: s.File, Profiles: list, Made: inMind(s.File, list, cutsInMind+i)})
		}
	}
	if len(c.Cuts) == len(n.Cuts) {
		return n
	}
	c.Gres = c.Outfit(SickFiles(n.Gres))
	return &c
}

// cutsInMind is more than a node has GPUs.
const cutsInMind = 1 << 10

// cutsOf lists which of the GPUs that were cut in the mind a job would be given parts
// of.
func cutsOf(nodes []*Node, alloc []NodeAlloc, profile string) []CutGPU {
	var out []CutGPU
	for _, a := range alloc {
		at := slices.IndexFunc(nodes, func(n *Node) bool { return n.Name == a.Node })
		if at < 0 {
			continue
		}
		for _, g := range a.Gres {
			for _, x := range g.Index {
				place := (x-mindNumber)/gpu.MaxInstances - cutsInMind
				if x < mindNumber || place < 0 || place >= len(nodes[at].Shapes) {
					continue
				}
				s := &nodes[at].Shapes[place]
				if !slices.ContainsFunc(out, func(c CutGPU) bool { return c.Node == a.Node && c.File == s.File }) {
					out = append(out, CutGPU{Node: a.Node, File: s.File, Profiles: gpu.Fill(s.Profiles, []string{profile}, profile)})
				}
			}
		}
	}
	return out
}

// IdleCuts lists the GPUs that are cut and of which nobody has an instance.
func IdleCuts(nodes []*Node) []CutGPU {
	var out []CutGPU
	for _, n := range nodes {
		for i := range n.Cuts {
			if c := &n.Cuts[i]; len(c.Made) > 0 && !n.CutInUse(c) {
				out = append(out, CutGPU{Node: n.Name, File: c.File})
			}
		}
	}
	return out
}
