package sched

import (
	"math"
	"testing"
	"time"

	"github.com/runink/rink/slurm"
)

// What is taken in afterwards counts as much as if the job had run here.
func TestPastUseIsThatOfAJobThatRan(t *testing.T) {
	for _, half := range []slurm.Duration{0, 3600, 7 * 24 * 3600} {
		cfg := &Config{Conf: &slurm.Conf{PriorityDecayHalfLife: half}, Partitions: []*Partition{{Name: "p"}}}
		acc := plant(t, "1 0 root", "2 1 chem", "3 2 chem ann", "4 1 bio", "5 4 bio bob")
		withQOS(t, acc, "normal")
		start := time.Unix(1_700_000_000, 0)
		end, now := start.Add(90*time.Minute), start.Add(50*time.Hour)

		ran := NewLedger(cfg, acc, start.Add(-time.Hour))
		who := acc.Assocs[AssocKey{Account: "chem", User: "ann"}]
		j := &Job{ID: 1, AssocID: who.ID, Account: "chem", User: "ann", Partition: "p", QOS: "normal", State: slurm.JobRunning, Start: start,
			End: end, TimeLimit: 5400, Alloc: []NodeAlloc{{Node: "n1", CPUs: 4, Mem: 1000}}}
		ran.Set(j, start)
		over := *j
		over.State = slurm.JobCompleted
		ran.Set(&over, end)
		ran.Forget(1, end)

		late := NewLedger(cfg, acc, now)
		late.AddPast([]PastUse{
			{Assoc: who.ID, QOS: "normal", From: start, To: end, Held: JobTRES(j, cfg), Charged: 4},
			{Assoc: 999, From: start, To: end, Charged: 4},
			{Assoc: who.ID, From: end, To: end, Charged: 4},
			{Assoc: who.ID, From: now, To: now.Add(time.Hour), Charged: 4},
		}, now)

		want, got := NewFairShare(ran, now).Shares(), NewFairShare(late, now).Shares()
		if len(got) != len(want) || want[0].Used <= 0 {
			t.Fatalf("half-life %d: %d shares, the root used %v", half, len(got), want[0].Used)
		}
		for i := range want {
			if math.Abs(got[i].Used-want[i].Used) > 1e-6*(1+want[i].Used) || got[i].UsedTRES.Raw() != want[i].UsedTRES.Raw() {
				t.Errorf("half-life %d: %v has used %v %s, want %v %s", half, got[i].Key, got[i].Used, got[i].UsedTRES.Raw(), want[i].Used, want[i].UsedTRES.Raw())
			}
		}
		if a, b := ran.QOSStandings(now)[0].Used, late.QOSStandings(now)[0].Used; math.Abs(a-b) > 1e-6*(1+a) || a <= 0 {
			t.Errorf("half-life %d: the QOS has used %v, want %v", half, b, a)
		}
		again := RestoreLedger(cfg, acc, late.Spent(), func(func(*Job) bool) {})
		if a, b := NewFairShare(late, now).Shares()[0].Used, NewFairShare(again, now).Shares()[0].Used; a != b {
			t.Errorf("half-life %d: after a restart %v, want %v", half, b, a)
		}
	}
}
