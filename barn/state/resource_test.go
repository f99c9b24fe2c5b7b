package state

import (
	"testing"

	"github.com/runink/rink/sched"
)

// Licences that the accounts give are there beside those of the configuration: when
// they are given, after a new configuration, after a snapshot, until they are taken.
func TestLicensesOfResources(t *testing.T) {
	r := newRig(t)
	a := r.s.Accounts()
	own := r.s.Licenses().String()
	r.must(EditAccounts{Edit: sched.AccountsEdit{Base: a.Version, Put: sched.AccountTables{
		Resources:    []*sched.Resource{{ID: 1, Name: "ans", Server: "flex", Count: 11, Allowed: true, Percent: 50}, {ID: 2, Name: "far", Server: "flex", Count: 3}},
		NextResource: 3,
	}}})
	want := func(when string, s *State, ans int64) {
		t.Helper()
		if got := s.Licenses(); got.Get("ans@flex") != ans || got.Get("far@flex") != 0 || ans == 0 && got.String() != own {
			t.Errorf("%s the licences are %s", when, got)
		}
		if v := s.View(); v.LicensesAll.Get("ans@flex") != ans {
			t.Errorf("%s the view has %s", when, v.LicensesAll)
		}
	}
	changed := false
	for _, ev := range r.events {
		if ev, ok := ev.(LicensesChanged); ok {
			changed = ev.Config.Licenses.Get("ans@flex") == 5
		}
	}
	if !changed {
		t.Errorf("nothing tells of it: %v", r.events)
	}
	want("given,", r.s, 5)
	r.must(SetConfig{Files: r.s.files})
	want("configured anew,", r.s, 5)
	loaded, err := Load(r.s.Dump())
	if err != nil {
		t.Fatal(err)
	}
	want("loaded,", loaded, 5)
	for _, bad := range []*sched.Resource{{ID: 3, Name: "x", Server: "y"}, {ID: 1, Name: "x", Server: "y", Percent: 101}, {ID: 1, Server: "y"}, {ID: 2, Name: "ans", Server: "flex"}} {
		if res := r.do(EditAccounts{Edit: sched.AccountsEdit{Base: r.s.Accounts().Version, Put: sched.AccountTables{Resources: []*sched.Resource{bad}}}}); res.Err == nil {
			t.Errorf("resource %+v was taken", bad)
		}
	}
	r.must(EditAccounts{Edit: sched.AccountsEdit{Base: r.s.Accounts().Version, DropResources: []uint32{1}}})
	want("taken,", r.s, 0)
}
