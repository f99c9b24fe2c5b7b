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
