package state

import (
	"errors"
	"testing"
	"time"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// withAnn adds the account chem with the user ann to what a cluster begins with.
func withAnn(r *rig) {
	a := r.s.Accounts()
	r.must(EditAccounts{
		Edit: sched.AccountsEdit{Base: a.Version, Put: sched.AccountTables{
			Accounts: []*sched.Account{{Name: "chem"}},
			Users:    []*sched.AccountUser{{Name: "ann", DefaultAccount: "chem"}},
			Assocs: []*sched.Assoc{
				{ID: 3, Key: sched.AssocKey{Account: "chem"}, Parent: 1, Shares: 1, Limits: sched.NoLimits()},
				{ID: 4, Key: sched.AssocKey{Account: "chem", User: "ann"}, Parent: 3, Shares: 1, Limits: sched.NoLimits()},
				{ID: 5, Key: sched.AssocKey{Account: "chem", User: "ann", Partition: "short"}, Parent: 3, Shares: 1, Limits: sched.NoLimits()},
			},
			NextAssoc: 6,
		}},
		Notes: []sched.Transaction{{Action: "Add Users", Where: "ann"}},
	})
}

func TestAClusterBeginsWithRoot(t *testing.T) {
	r := newRig(t)
	a := r.s.Accounts()
	if a.AdminOf("root") != sched.AdminAdministrator || a.Find("root", "root", "main") == nil || a.QOS["normal"] == nil {
		t.Errorf("accounts are %+v", a.Tables())
	}
	if v := r.s.View(); v.Accounts != a {
		t.Error("the view has other accounts")
	}
}

func TestAccountsChange(t *testing.T) {
	r := newRig(t)
	before := r.s.Accounts()
	view := r.s.View()
	withAnn(r)
	after := r.s.Accounts()
	if before.Users["ann"] != nil || view.Accounts != before {
		t.Error("a reader's picture changed")
	}
	if len(r.events) != 1 || r.events[0] != (AccountsChanged{Old: before, New: after}) {
		t.Errorf("events are %v", r.events)
	}
	if at := after.Find("ann", "chem", "main"); at == nil || at.ID != 4 {
		t.Errorf("ann in main is charged to %+v", at)
	}
	list := r.s.Transactions()
	if n := list[len(list)-1]; n.ID != 1 || !n.At.Equal(r.at) || n.Actor != "ann" || n.Action != "Add Users" {
		t.Errorf("the last transaction is %+v", n)
	}
	// The same edit once more was made on what is no longer so.
	res := r.do(EditAccounts{Edit: sched.AccountsEdit{Base: before.Version, DropUsers: []string{"ann"}}})
	if !errors.Is(res.Err, sched.ErrAccountsChanged) || r.s.Accounts() != after || len(r.s.Transactions()) != len(list) {
		t.Errorf("a late edit gave %v", res.Err)
	}
	res = r.do(EditAccounts{Edit: sched.AccountsEdit{Base: after.Version, DropUsers: []string{"ann"}}})
	if res.Err == nil || r.s.Accounts() != after {
		t.Error("a user went and left associations behind")
	}
}

func TestJobsKeepTheirAssociation(t *testing.T) {
	r := newRig(t)
	withAnn(r)
	id := r.must(SubmitJobs{Jobs: []*sched.Job{asked(func(j *sched.Job) {
		j.Account, j.AssocID, j.Partitions = "chem", 4, []sched.PartitionName{"main", "short"}
	})}}).Jobs[0]
	drop := EditAccounts{Edit: sched.AccountsEdit{Base: r.s.Accounts().Version, DropAssocs: []sched.AssocID{4}}}
	if res := r.do(drop); !errors.Is(res.Err, slurm.ErrnoJobsRunningOnAssoc) {
		t.Errorf("an association with a job went: %v", res.Err)
	}
	r.must(StartJobs{Starts: []sched.Start{{Job: id, Partition: "short", Alloc: []sched.NodeAlloc{{Node: "n1", CPUs: 1, Tasks: 1}}}}})
	if j := r.s.Job(id); j.AssocID != 5 {
		t.Errorf("in short, the job is charged to %d", j.AssocID)
	}
	r.must(drop)
}

func TestKindsOfResourcesKeepTheirNumbers(t *testing.T) {
	r := newRig(t)
	ids := func() map[string]uint32 {
		m := map[string]uint32{}
		for _, k := range r.s.Accounts().TRES {
			m[k.Key()] = k.ID
		}
		return m
	}
	r.must(SetConfig{rigFiles("AccountingStorageTRES=gres/gpu,license/lic\n")})
	if m := ids(); m["cpu"] != 1 || m["pages"] != 8 || m["gres/gpu"] != 1001 || m["license/lic"] != 1002 {
		t.Errorf("numbers are %v", m)
	}
	r.must(SetConfig{rigFiles("AccountingStorageTRES=gres/gpu:a100,license/lic\n")})
	if m := ids(); m["gres/gpu"] != 1001 || m["license/lic"] != 1002 || m["gres/gpu:a100"] != 1003 {
		t.Errorf("numbers are %v", m)
	}
	before := r.s.Accounts()
	r.must(SetConfig{rigFiles("")})
	if r.s.Accounts() != before {
		t.Error("the accounts changed with nothing new to count")
	}
}

func TestTransactionsAreForgotten(t *testing.T) {
	r := newRig(t)
	withAnn(r)
	r.at = r.at.Add(transactionsKept - time.Hour)
	r.must(Purge{Before: r.at})
	if len(r.s.Transactions()) != 1 {
		t.Error("a change of this year was forgotten")
	}
	r.at = r.at.Add(2 * time.Hour)
	r.must(Purge{Before: r.at})
	if len(r.s.Transactions()) != 0 {
		t.Error("a change of last year is still there")
	}
	for range maxTransactions + 5 {
		r.s.note([]sched.Transaction{{}})
	}
	if list := r.s.Transactions(); len(list) != maxTransactions || list[0].ID != 7 {
		t.Errorf("%d transactions are there, the first is %d", len(list), list[0].ID)
	}
}

// A dump from before there were accounts loads with those a cluster begins with.
func TestOldDumpsHaveNoAccounts(t *testing.T) {
	r := newRig(t)
	d := r.s.Dump()
	d.Accounts = sched.AccountTables{}
	s, err := Load(d)
	if err != nil {
		t.Fatal(err)
	}
	if s.Accounts().Users["root"] == nil {
		t.Error("there is no root")
	}
}
