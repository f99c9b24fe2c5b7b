package state

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// limited is a rig where limits are enforced, with the account chem and ann in it,
// whose jobs may be changed by f to begin with.
func limited(t *testing.T, f func(chem *sched.Assoc, normal *sched.QOS)) *rig {
	r := newRig(t)
	r.must(SetConfig{rigFiles("AccountingStorageEnforce=limits\nPriorityDecayHalfLife=1:0:0\n")})
	a := r.s.Accounts()
	chem := &sched.Assoc{ID: a.NextAssoc, Key: sched.AssocKey{Account: "chem"}, Parent: 1, Shares: 1, Limits: sched.NoLimits()}
	ann := &sched.Assoc{ID: a.NextAssoc + 1, Key: sched.AssocKey{Account: "chem", User: "ann"}, Parent: a.NextAssoc, Shares: 1, Limits: sched.NoLimits()}
	normal := *a.QOS["normal"]
	f(chem, &normal)
	r.must(EditAccounts{Edit: sched.AccountsEdit{Base: a.Version, Put: sched.AccountTables{
		Accounts: []*sched.Account{{Name: "chem"}}, Users: []*sched.AccountUser{{Name: "ann", DefaultAccount: "chem"}},
		Assocs: []*sched.Assoc{chem, ann}, QOS: []*sched.QOS{&normal}, NextAssoc: a.NextAssoc + 2,
	}}})
	return r
}

func inChem(j *sched.Job) { j.Account, j.QOS = "chem", "normal" }

func cpus(n int64) slurm.TRES { return slurm.TRES{{Type: "cpu", Count: n}} }

func TestStartsBeyondALimitAreRefused(t *testing.T) {
	r := limited(t, func(chem *sched.Assoc, _ *sched.QOS) { chem.Limits.GrpTRES = cpus(3) })
	one, two := r.submit(inChem), r.submit(inChem)
	r.run(r.on(one, 2, "n1"))
	r.refuse(StartJobs{[]sched.Start{r.on(two, 2, "n2")}}, slurm.ErrnoAccountingPolicy)

	// A changed limit counts at once.
	a := r.s.Accounts()
	chem := *a.Own("chem")
	chem.Limits.GrpTRES = cpus(4)
	r.must(EditAccounts{Edit: sched.AccountsEdit{Base: a.Version, Put: sched.AccountTables{Assocs: []*sched.Assoc{&chem}}}})
	r.run(r.on(two, 2, "n2"))
	three := r.submit(inChem)
	r.refuse(StartJobs{[]sched.Start{r.on(three, 1, "n2")}}, slurm.ErrnoAccountingPolicy)
	r.end(one, slurm.JobCompleted)
	r.run(r.on(three, 1, "n2"))
}

func TestStartsOfOneEntryAreCountedTogether(t *testing.T) {
	r := limited(t, func(_ *sched.Assoc, normal *sched.QOS) { normal.Limits.MaxJobsPerUser = 2 })
	ids := []slurm.JobID{r.submit(inChem), r.submit(inChem), r.submit(inChem)}
	var starts []sched.Start
	for _, id := range ids {
		starts = append(starts, r.on(id, 1, "n1"))
	}
	if got := r.do(StartJobs{starts}); len(got.Started) != 2 || len(got.Refused) != 1 || !errors.Is(got.Refused[0].Err, slurm.ErrnoAccountingPolicy) {
		t.Errorf("started %v, refused %v", got.Started, got.Refused)
	}

	het := r.must(SubmitJobs{Het: true, Jobs: []*sched.Job{asked(inChem), asked(inChem)}}).Jobs
	r.end(ids[0], slurm.JobCompleted)
	r.refuse(StartJobs{[]sched.Start{r.on(het[0], 1, "n2"), r.on(het[1], 1, "n2")}}, slurm.ErrnoAccountingPolicy)
	r.end(ids[1], slurm.JobCompleted)
	if got := r.must(StartJobs{[]sched.Start{r.on(het[0], 1, "n2"), r.on(het[1], 1, "n2")}}); len(got.Started) != 2 {
		t.Errorf("started %v", got.Started)
	}
}

func TestSubmissionsBeyondALimitAreRefused(t *testing.T) {
	r := limited(t, func(_ *sched.Assoc, normal *sched.QOS) { normal.Limits.MaxSubmitPerUser = 3 })
	id := r.submit(inChem, tasks("1-2"))
	r.refuse(SubmitJobs{Jobs: []*sched.Job{asked(inChem), asked(inChem)}}, slurm.ErrnoAccountingPolicy)
	r.submit(inChem)
	r.refuse(SubmitJobs{Jobs: []*sched.Job{asked(inChem)}}, slurm.ErrnoAccountingPolicy)
	r.must(EndJob{Job: id, Task: 1, IsTask: true, Restarts: AnyIncarnation, State: slurm.JobCancelled})
	r.submit(inChem)
}

func TestUsageIsKeptAndForgotten(t *testing.T) {
	r := limited(t, func(_ *sched.Assoc, normal *sched.QOS) { normal.UsageFactor = 2 })
	id := r.runs("n1", inChem)
	used := func(s *State) float64 {
		for _, sh := range sched.NewFairShare(s.Ledger(), r.at).Shares() {
			if sh.Key.User == "ann" {
				return sh.Used
			}
		}
		t.Fatal("ann is not there")
		return 0
	}
	r.at = r.at.Add(time.Hour)
	r.end(id, slurm.JobCompleted)
	// An hour and a second at a rate of two, which fades by half in an hour.
	ran, past := 3601.0, 1.0
	want := 2 * 3600 / math.Ln2 * (1 - math.Exp2(-ran/3600)) * math.Exp2(-past/3600)
	if got := used(r.s); math.Abs(got-want) > 1 {
		t.Errorf("used %v, want %v", got, want)
	}
	loaded, err := Load(r.s.Dump())
	if err != nil {
		t.Fatal(err)
	}
	if used(loaded) != used(r.s) {
		t.Errorf("used %v, after a snapshot %v", used(r.s), used(loaded))
	}
	r.must(ResetUsage{Assocs: []sched.AssocID{r.s.Accounts().Own("chem").ID}})
	if got := used(r.s); got != 0 {
		t.Errorf("used %v after a reset", got)
	}
}

func TestOnlySoManyJobsGatherAge(t *testing.T) {
	r := limited(t, func(chem *sched.Assoc, _ *sched.QOS) { chem.Limits.GrpJobsAccrue = 2 })
	eligible := func(j *sched.Job) { inChem(j); j.Eligible = r.at }
	ids := []slurm.JobID{r.submit(eligible), r.submit(eligible), r.submit(eligible), r.submit(eligible, held(sched.HeldByUser))}
	for i, want := range []bool{false, false, true, false} {
		if j := r.job(ids[i]); j.AgeHeld != want {
			t.Errorf("job %d is kept from gathering age: %v", i, j.AgeHeld)
		}
	}
	again := SetPriorities{[]JobPriority{{Job: ids[2], Priority: 100, Age: true}}}
	r.must(again)
	if !r.job(ids[2]).AgeHeld {
		t.Error("it gathers age although two others do")
	}
	r.run(r.on(ids[0], 1, "n1"))
	r.must(again)
	if j := r.job(ids[2]); j.AgeHeld || !j.AgeSince().Equal(r.at) {
		t.Errorf("kept from gathering age: %v, since %v", j.AgeHeld, j.AgeSince())
	}
	r.must(UpdateJob{Job: ids[3], Change: JobChange{Hold: ptr(sched.HeldByNobody)}})
	if !r.job(ids[3]).AgeHeld {
		t.Error("a released job gathers age although two others do")
	}
}
