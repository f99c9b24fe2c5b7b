package sched

import "github.com/runink/rink/slurm"

// JobTRES counts what a job holds, or, while it waits, what it asks for, in
// Slurm's kinds: CPUs, memory, nodes, what is charged, and of generic resources
// and licences those that the cluster's accounts know of
// (AccountingStorageTRES).
func JobTRES(j *Job, cfg *Config) slurm.TRES {
	var m measure
	m.take(j, j.Alloc)
	k := kindsOf(cfg)
	a := make(amounts, len(k.keys))
	m.place(a, k, weighingOf(cfg, cfg.Partition(j.Partition)))
	t := slurm.TRES{{Type: "cpu", Count: a[kindCPU]}}
	for _, item := range k.tres(a)[kindMem:] {
		if item.Count > 0 || item.Type == "node" || item.Type == "billing" {
			t = append(t, item)
		}
	}
	return t
}

// NodesTRES counts what nodes and licences come to, in the kinds of a cluster; keys
// are those that AccountingStorageTRES adds.
func NodesTRES(nodes []*Node, keys []string, licenses slurm.Licenses) slurm.TRES {
	var m measure
	m.nodes, m.licenses = len(nodes), licenses
	for _, n := range nodes {
		m.cpus += n.CPUs
		m.mem += n.Memory
		for _, g := range n.Gres {
			m.gres = append(m.gres, gresUse{g.Name, g.Type, g.Count})
		}
	}
	t := slurm.TRES{{Type: "cpu", Count: int64(m.cpus)}, {Type: "mem", Count: int64(m.mem)}, {Type: "node", Count: int64(m.nodes)},
		{Type: "billing", Count: int64(m.cpus)}}
	for _, key := range keys {
		s := siteKindOf(key)
		if n := m.count(&s); n > 0 {
			t = t.With(key, n)
		}
	}
	return t
}
