package sched

import (
	"math"
	"strings"

	"github.com/runink/rink/slurm"
)

// JobTRES counts what a job holds, or, while it waits, what it asks for, in
// Slurm's kinds: CPUs, memory, nodes, what is charged, and of generic resources
// and licences those that the cluster's accounts know of
// (AccountingStorageTRES).
func JobTRES(j *Job, cfg *Config) slurm.TRES {
	if len(j.Alloc) > 0 {
		return allocTRES(j, cfg)
	}
	n := &j.Need
	cpus := max(n.CPUs, 1)
	mem := n.MemPerNode * slurm.MB(max(n.MinNodes, 1))
	if n.MemPerCPU > 0 {
		mem = n.MemPerCPU * slurm.MB(cpus)
	}
	var gres slurm.Gres
	add := func(list slurm.Gres, times int) {
		for _, g := range list {
			g.Count *= int64(times)
			gres = append(gres, g)
		}
	}
	add(n.GresPerNode, max(n.MinNodes, 1))
	add(n.GresPerTask, max(n.Tasks, 1))
	add(n.GresPerJob, 1)
	return countTRES(j, cfg, cpus, mem, max(n.MinNodes, 1), gres, n.Licenses)
}

func allocTRES(j *Job, cfg *Config) slurm.TRES {
	cpus, mem := 0, slurm.MB(0)
	var gres slurm.Gres
	for i := range j.Alloc {
		a := &j.Alloc[i]
		cpus += a.CPUs
		mem += a.Mem
		for _, g := range a.Gres {
			gres = append(gres, slurm.GresItem{Name: g.Name, Type: g.Type, Count: g.Count})
		}
	}
	licenses := j.LicensesUsed
	if licenses.IsZero() && !j.Need.Licenses.Any {
		licenses = j.Need.Licenses
	}
	return countTRES(j, cfg, cpus, mem, len(j.Alloc), gres, licenses)
}

func countTRES(j *Job, cfg *Config, cpus int, mem slurm.MB, nodes int, gres slurm.Gres, licenses slurm.Licenses) slurm.TRES {
	var t slurm.TRES
	t = t.With("cpu", int64(cpus))
	if mem > 0 {
		t = t.With("mem", int64(mem))
	}
	t = t.With("node", int64(nodes))
	t = t.With("billing", billing(cfg, cfg.Partition(j.Partition), cpus, mem, nodes, gres, licenses))
	for _, key := range conf(cfg).AccountingStorageTRES {
		if n := countOf(key, gres, licenses); n > 0 {
			t = t.With(key, n)
		}
	}
	return t
}

// countOf counts what a key such as gres/gpu, gres/gpu:a100 or license/matlab
// names.
func countOf(key string, gres slurm.Gres, licenses slurm.Licenses) int64 {
	kind, name, _ := strings.Cut(key, "/")
	switch strings.ToLower(kind) {
	case "gres":
		name, typ, _ := strings.Cut(name, ":")
		n := int64(0)
		for _, g := range gres {
			if g.Name == name && (typ == "" || g.Type == typ) {
				n += g.Count
			}
		}
		return n
	case "license":
		return licenses.Get(name)
	}
	return 0
}

// billing is what the use of these resources is charged as: the CPUs, unless the
// partition weighs its resources (TRESBillingWeights).
func billing(cfg *Config, p *Partition, cpus int, mem slurm.MB, nodes int, gres slurm.Gres, licenses slurm.Licenses) int64 {
	if p == nil || p.BillingWeights == "" {
		return int64(cpus)
	}
	weights, err := slurm.ParseBillingWeights(p.BillingWeights)
	if err != nil {
		return int64(cpus)
	}
	// With MAX_TRES only what weighs most of a node's resources counts.
	onNodes, most, others := 0.0, 0.0, 0.0
	for _, w := range weights {
		charge := w.Weight
		switch w.TRES {
		case "cpu":
			charge *= float64(cpus)
		case "mem":
			charge *= float64(mem) / units(w.Unit, 'M')
		case "node":
			others += charge * float64(nodes)
			continue
		default:
			charge *= float64(countOf(w.TRES, gres, licenses)) / units(w.Unit, 0)
			if !strings.HasPrefix(w.TRES, "gres/") {
				others += charge
				continue
			}
		}
		onNodes += charge
		most = max(most, charge)
	}
	if priorityFlag(cfg, "MAX_TRES") {
		return int64(most + others)
	}
	return int64(onNodes + others)
}

// units is how many of the unit that amounts are counted in, 'M' or 0 for ones,
// one unit of a weight is; no unit is what amounts are counted in.
func units(unit, counted byte) float64 {
	const letters = "\x00KMGTP"
	if unit == 0 {
		return 1
	}
	return math.Pow(1024, float64(strings.IndexByte(letters, unit)-strings.IndexByte(letters, counted)))
}

// NodesTRES counts what nodes and licences come to, in the kinds of a cluster; keys
// are those that AccountingStorageTRES adds.
func NodesTRES(nodes []*Node, keys []string, licenses slurm.Licenses) slurm.TRES {
	cpus, mem := 0, slurm.MB(0)
	var gres slurm.Gres
	for _, n := range nodes {
		cpus += n.CPUs
		mem += n.Memory
		for _, g := range n.Gres {
			gres = append(gres, slurm.GresItem{Name: g.Name, Type: g.Type, Count: g.Count})
		}
	}
	var t slurm.TRES
	t = t.With("cpu", int64(cpus)).With("mem", int64(mem)).With("node", int64(len(nodes))).With("billing", int64(cpus))
	for _, key := range keys {
		if n := countOf(key, gres, licenses); n > 0 {
			t = t.With(key, n)
		}
	}
	return t
}
