package sched

import "github.com/runink/rink/slurm"

// traits are what the flags of a QOS change of how its jobs are placed.
type traits struct {
	anyTime  bool // beyond the partition's MaxTime (PartitionTimeLimit)
	anyNodes bool // more nodes than the partition's MaxNodes (PartitionMaxNodes)
	fewNodes bool // fewer nodes than its MinNodes (PartitionMinNodes)
	noRoom   bool // no room is kept for them (NoReserve)
}

// traitsOf are the traits of the QOS that have any, by name; nil when none has.
func traitsOf(acc *Accounts) map[string]traits {
	if acc == nil {
		return nil
	}
	var out map[string]traits
	for name, q := range acc.QOS {
		x := traits{q.HasFlag("PartitionTimeLimit"), q.HasFlag("PartitionMaxNodes"), q.HasFlag("PartitionMinNodes"), q.HasFlag("NoReserve")}
		if x != (traits{}) {
			if out == nil {
				out = make(map[string]traits)
			}
			out[name] = x
		}
	}
	return out
}

// widened is a partition as the jobs of a QOS see it: itself, unless the QOS lifts
// limits of it.
func (t *tuning) widened(p *Partition, qos string) *Partition {
	x := t.qos[qos]
	if !x.anyTime && !x.anyNodes && !x.fewNodes {
		return p
	}
	w := *p
	if x.anyTime {
		w.MaxTime = slurm.Unlimited
	}
	if x.anyNodes {
		w.MaxNodes = 0
	}
	if x.fewNodes {
		w.MinNodes = 0
	}
	return &w
}
