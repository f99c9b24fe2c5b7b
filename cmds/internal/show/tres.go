package show

import (
	"slices"
	"strconv"
	"strings"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// TRES returns what the job holds, or asks for as long as it holds nothing, as
// accounting counts it.
func (v *View) TRES(j *Job) slurm.TRES {
	if len(j.Alloc) == 0 || j.IsPending() {
		return v.Requested(j)
	}
	return v.Allocated(j)
}

// Allocated returns what the job holds or held; nothing when it never started.
func (v *View) Allocated(j *Job) slurm.TRES {
	if len(j.Alloc) == 0 {
		return nil
	}
	var mem slurm.MB
	cpus := 0
	gres := newGresCount()
	for _, a := range j.Alloc {
		cpus += a.CPUs
		mem += a.Mem
		for _, g := range a.Gres {
			gres.add(g.Name, g.Type, g.Count)
		}
	}
	used := j.LicensesUsed
	if len(used.Items) == 0 && !j.Need.Licenses.Any {
		used = j.Need.Licenses // of a job that has ended
	}
	return v.tres(j.Partition, cpus, mem, len(j.Alloc), gres, used)
}

// Requested returns what the job asked for at least.
func (v *View) Requested(j *Job) slurm.TRES {
	n := &j.Need
	nodes := max(1, n.MinNodes)
	if n.TasksPerNode > 0 && len(n.NodeList) == 0 && len(j.Spec.NodeSizes) == 0 && len(j.Spec.GPUs) == 0 {
		nodes = max(1, j.Spec.MinNodes) // how many the tasks make it is not asked for
	}
	mem := n.MemPerNode * slurm.MB(nodes)
	cpus := j.WantedCPUs()
	if n.MemPerCPU > 0 {
		mem = n.MemPerCPU * slurm.MB(cpus)
	}
	if n.MemAllOfNode {
		node := j.nodeMemory
		if len(j.Alloc) > 0 {
			node = j.Alloc[0].Mem
		}
		mem = node * slurm.MB(nodes)
	}
	gres := newGresCount()
	for _, g := range n.GresPerNode {
		gres.add(g.Name, g.Type, g.Count*int64(nodes))
	}
	if perTask := j.Spec.GPUsPerTask.Total("gpu") * int64(n.Tasks); len(n.GresPerNode) > 0 && len(n.GresPerTask) == 0 && perTask > gres.count["gpu"] {
		gres.add("gpu", "", perTask-gres.count["gpu"]) // the tasks make it more nodes
	}
	for _, g := range n.GresPerJob {
		gres.add(g.Name, g.Type, g.Count)
	}
	for _, g := range n.GresPerTask {
		gres.add(g.Name, g.Type, g.Count*int64(max(1, n.Tasks)))
	}
	if j.Spec.MemPerGPU > 0 {
		mem = j.Spec.MemPerGPU * slurm.MB(gres.count["gpu"])
	}
	return v.tres(j.Partition, cpus, mem, nodes, gres, n.Licenses)
}

// tres puts the amounts together; what there is nothing of is left out.
func (v *View) tres(partition sched.PartitionName, cpus int, mem slurm.MB, nodes int, gres *gresCount, licenses slurm.Licenses) slurm.TRES {
	var t slurm.TRES
	put := func(typ, name string, n int64) {
		if n > 0 {
			t = append(t, slurm.TRESItem{Type: typ, Name: name, Count: n})
		}
	}
	put("cpu", "", int64(cpus))
	put("mem", "", int64(mem))
	put("node", "", int64(nodes))
	for _, key := range gres.keys {
		if strings.Contains(key, ":") && len(v.Tracked) > 0 && !slices.ContainsFunc(v.Tracked, func(t string) bool { return strings.EqualFold(t, "gres/"+key) }) {
			continue // a type that is not accounted for counts by its name alone
		}
		put("gres", key, gres.count[key])
	}
	for _, key := range v.Tracked { // licences are counted where they are named
		typ, name, _ := strings.Cut(key, "/")
		if strings.EqualFold(typ, "license") && !licenses.Any {
			put("license", name, int64(licenses.Get(name)))
		}
	}
	put("billing", "", Billing(t, v.Weights[partition]))
	return t
}

// gresCount adds up generic resources by name and by name and type.
type gresCount struct {
	keys  []string
	count map[string]int64
}

func newGresCount() *gresCount { return &gresCount{} }

func (g *gresCount) add(name, typ string, n int64) {
	if n == 0 {
		return
	}
	if g.count == nil {
		g.count = map[string]int64{}
	}
	keys := []string{name}
	if typ != "" {
		keys = append(keys, name+":"+typ)
	}
	for _, key := range keys {
		if _, ok := g.count[key]; !ok {
			g.keys = append(g.keys, key)
		}
		g.count[key] += n
	}
}

// Billing works out what amounts are charged as, by a partition's
// TRESBillingWeights; without weights it is the CPUs.
func Billing(t slurm.TRES, weights string) int64 {
	if weights == "" {
		n, _ := t.Get("cpu")
		return n
	}
	sum := 0.0
	for part := range strings.SplitSeq(weights, ",") {
		key, text, ok := strings.Cut(strings.TrimSpace(part), "=")
		if !ok {
			continue
		}
		key = strings.ToLower(key)
		scale := 1.0
		if key == "mem" && text != "" {
			if i := strings.IndexByte("KMGTP", text[len(text)-1]&^0x20); i >= 0 {
				text = text[:len(text)-1]
				// The weight is for one of that unit; amounts of mem are in MB.
				for ; i > 1; i-- {
					scale /= 1024
				}
				if i == 0 {
					scale = 1024
				}
			}
		}
		weight, err := strconv.ParseFloat(text, 64)
		if err != nil {
			continue
		}
		if n, ok := t.Get(key); ok {
			sum += float64(n) * weight * scale
		}
	}
	return int64(sum)
}

// TRESText prints amounts in Slurm's order.
func (v *View) TRESText(t slurm.TRES) string {
	if v.NoConvert {
		return t.Raw()
	}
	return t.String()
}
