package sched

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// tree is root > physics > capped, and alice in all of them, in capped's
// partition short once more.
func tree(t *testing.T) *Accounts {
	t.Helper()
	a, err := NewAccounts().With(AccountsEdit{Put: AccountTables{
		Accounts: []*Account{{Name: "physics", Coordinators: []string{"bob"}}, {Name: "capped"}},
		Users:    []*AccountUser{{Name: "alice"}, {Name: "bob", Admin: AdminOperator}},
		Assocs: []*Assoc{
			{ID: 3, Key: AssocKey{Account: "physics"}, Parent: 1, QOS: []string{"normal", "high"}, Place: 3},
			{ID: 4, Key: AssocKey{Account: "capped"}, Parent: 3, DefaultQOS: "high", Place: 4},
			{ID: 5, Key: AssocKey{Account: "physics", User: "alice"}, Parent: 3, QOSDelta: []string{"-high", "+low"}, Place: 5},
			{ID: 6, Key: AssocKey{Account: "capped", User: "alice"}, Parent: 4, Place: 6},
			{ID: 7, Key: AssocKey{Account: "capped", User: "alice", Partition: "short"}, Parent: 4, QOS: []string{"low"}, Place: 7},
		},
		QOS:       []*QOS{NewQOS(2, "high", ""), NewQOS(3, "low", "")},
		NextAssoc: 8, NextQOS: 4, NextPlace: 8,
	}}, 9)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestFindAssociation(t *testing.T) {
	a := tree(t)
	for _, c := range []struct {
		name, user, account string
		partition           PartitionName
		want                AssocID // 0: none
	}{
		{"OKAnyPartition", "alice", "capped", "debug", 6},
		{"OKThePartition", "alice", "capped", "short", 7},
		{"OKNoPartition", "alice", "physics", "", 5},
		{"ErrNoAccount", "alice", "nosuch", "", 0},
		{"ErrNotInIt", "alice", "root", "", 0},
		{"ErrAccountItself", "", "capped", "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := a.Find(c.user, c.account, c.partition)
			if got == nil && c.want != 0 || got != nil && got.ID != c.want {
				t.Errorf("got %+v, want %d", got, c.want)
			}
		})
	}
}

func TestQOSAreInherited(t *testing.T) {
	a := tree(t)
	for id, want := range map[AssocID]string{1: "normal", 3: "high,normal", 4: "high,normal", 5: "low,normal", 6: "high,normal", 7: "low", 2: "normal"} {
		if got := strings.Join(a.QOSOf(a.ByID[id]), ","); got != want {
			t.Errorf("association %d has QOS %s, want %s", id, got, want)
		}
	}
	for id, want := range map[AssocID]string{3: "", 4: "high", 6: "high"} {
		if got := a.DefaultQOSOf(a.ByID[id]); got != want {
			t.Errorf("association %d has default QOS %q, want %q", id, got, want)
		}
	}
}

func TestWhoCoordinates(t *testing.T) {
	a := tree(t)
	for _, c := range []struct {
		user, account string
		want          bool
	}{{"bob", "physics", true}, {"bob", "capped", true}, {"bob", "root", false}, {"alice", "capped", false}, {"bob", "nosuch", false}, {"", "physics", false}} {
		if got := a.Coordinates(c.user, c.account); got != c.want {
			t.Errorf("%q coordinates %q: %v", c.user, c.account, got)
		}
	}
}

func TestOrderOfTheTree(t *testing.T) {
	var got []AssocID
	a := tree(t)
	for _, v := range a.Ordered() {
		got = append(got, v.ID)
	}
	if want := []AssocID{1, 3, 5, 4, 7, 6, 2}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestEditsThatDoNotHoldTogether(t *testing.T) {
	moved := func(a *Accounts, id, parent AssocID) *Assoc {
		v := *a.ByID[id]
		v.Parent = parent
		return &v
	}
	for _, c := range []struct {
		name string
		edit func(a *Accounts) AccountsEdit
		want string
	}{
		{"ErrBase", func(a *Accounts) AccountsEdit { return AccountsEdit{Base: a.Version + 1} }, "changed meanwhile"},
		{"ErrUserStays", func(*Accounts) AccountsEdit { return AccountsEdit{DropUsers: []string{"alice"}} }, `of user "alice"`},
		{"ErrAccountStays", func(*Accounts) AccountsEdit { return AccountsEdit{DropAssocs: []AssocID{6, 7, 4}} }, `account "capped" is nowhere`},
		{"ErrRootGone", func(*Accounts) AccountsEdit { return AccountsEdit{DropAssocs: []AssocID{1}} }, "account root"},
		{"ErrCircle", func(a *Accounts) AccountsEdit {
			return AccountsEdit{Put: AccountTables{Assocs: []*Assoc{moved(a, 3, 4)}}}
		}, "below itself"},
		{"ErrBelowUser", func(a *Accounts) AccountsEdit {
			return AccountsEdit{Put: AccountTables{Assocs: []*Assoc{moved(a, 4, 2)}}}
		}, "which is no account"},
		{"ErrUserElsewhere", func(a *Accounts) AccountsEdit {
			return AccountsEdit{Put: AccountTables{Assocs: []*Assoc{moved(a, 6, 3)}}}
		}, "not below its account"},
		{"ErrQOSInUse", func(*Accounts) AccountsEdit { return AccountsEdit{DropQOS: []string{"high"}} }, `QOS "high", which is not there`},
		{"ErrQOSNumber", func(*Accounts) AccountsEdit {
			return AccountsEdit{Put: AccountTables{QOS: []*QOS{NewQOS(9, "far", "")}}}
		}, "number 9"},
		{"ErrEmptyRow", func(*Accounts) AccountsEdit { return AccountsEdit{Put: AccountTables{Users: []*AccountUser{nil}}} }, "empty row"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := tree(t)
			e := c.edit(a)
			if e.Base == 0 {
				e.Base = a.Version
			}
			_, err := a.With(e, 10)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if errors.Is(err, ErrAccountsChanged) != (c.name == "ErrBase") {
				t.Errorf("got %v", err)
			}
			if err := a.Check(); err != nil {
				t.Errorf("the tree itself changed: %v", err)
			}
		})
	}
}

// A QOS that changes its name is the same one.
func TestRenamedQOS(t *testing.T) {
	a := tree(t)
	q := *a.QOS["low"]
	q.Name = "lower"
	if _, err := a.With(AccountsEdit{Base: 9, Put: AccountTables{QOS: []*QOS{&q}}}, 10); err == nil {
		t.Error("a name that associations use went")
	}
	five, seven := *a.ByID[5], *a.ByID[7]
	five.QOSDelta, seven.QOS = []string{"+lower"}, []string{"lower"}
	next, err := a.With(AccountsEdit{Base: 9, Put: AccountTables{QOS: []*QOS{&q}, Assocs: []*Assoc{&five, &seven}}}, 10)
	if err != nil || next.QOS["low"] != nil || next.QOS["lower"] == nil || a.QOS["low"] == nil {
		t.Errorf("got %v", err)
	}
}
