package sched

import (
	"time"

	"github.com/runink/rink/slurm"
)

// PastUse is what a job has used that ran elsewhere, or before this cluster was
// there: what it held from one moment until another, and what that was charged as.
type PastUse struct {
	Assoc    AssocID
	QOS      string
	From, To time.Time
	Held     slurm.TRES
	Charged  float64
}

// AddPast counts what was used as if the jobs had run here: faded by as much as
// lies between then and now. Nothing counts that was used after at.
func (l *Ledger) AddPast(list []PastUse, at time.Time) {
	if l == nil || len(list) == 0 || len(l.assocs) == 0 {
		return
	}
	l.rescale(at)
	l.usage++
	n := len(l.kinds.keys)
	e := &claim{herd: -1, rate: make([]int64, n+2)}
	for i := range list {
		u := &list[i]
		to := u.To
		if to.After(at) {
			to = at
		}
		place, ok := l.byID[u.Assoc]
		if !ok || !to.After(u.From) {
			continue
		}
		factor := 1.0
		e.assoc, e.qos = place, [2]int32{-1, -1}
		if q, ok := l.byQOS[u.QOS]; ok {
			factor, e.qos[1] = l.quality[q].factor, q
		}
		clear(e.rate)
		for _, item := range u.Held {
			if k, ok := l.kinds.at[item.Key()]; ok && item.Count > 0 {
				e.rate[k] = int64(float64(float64(item.Count)*factor*millionth) + 0.5)
			}
		}
		e.rate[l.chargedAt()] = int64(float64(u.Charged*factor*millionth) + 0.5)
		e.rate[l.wallAt()] = int64(float64(factor*millionth) + 0.5)
		// As a job that runs from then on, and no longer does.
		l.settle(e, u.From, 1)
		l.settle(e, to, -1)
	}
}
