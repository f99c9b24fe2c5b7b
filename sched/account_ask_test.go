package sched

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runink/rink/slurm"
)

// asking is a tree with changes made to it one after the other, in words such as
// sacctmgr takes, but spelled out.
type asking struct {
	t *testing.T
	a *Accounts
}

// parsed reads "verb entity names [where key=value ...] [set key=value ...]".
func (k *asking) parsed(line string) AccountAsk {
	k.t.Helper()
	words := strings.Fields(line)
	ask := AccountAsk{Verb: words[0], Entity: words[1]}
	set := ask.Verb == "add"
	for _, w := range words[2:] {
		key, value, ok := strings.Cut(w, "=")
		switch {
		case w == "set" || w == "where":
			set = w == "set"
		case !ok:
			ask.Names = append(ask.Names, strings.Split(w, ",")...)
		case key == "account":
			ask.Where.Accounts = strings.Split(value, ",")
		case key == "partition":
			ask.Where.Partitions = strings.Split(value, ",")
		case key == "user":
			ask.Where.Users = strings.Split(value, ",")
		case set:
			op := "="
			if n := len(key) - 1; key[n] == '+' || key[n] == '-' {
				key, op = key[:n], key[n:]+"="
			}
			ask.Set = append(ask.Set, AccountWord{key, op, value})
		default:
			k.t.Fatalf("%q is no condition of this test", w)
		}
	}
	return ask
}

// ask makes the change that a line tells of.
func (k *asking) ask(line string) (AccountsOutcome, error) {
	k.t.Helper()
	ask := k.parsed(line)
	edit, out, err := k.a.Ask(ask, "ref", time.Unix(9, 0))
	if err != nil {
		return out, err
	}
	next, err := k.a.With(edit, k.a.Version+1)
	if err != nil {
		k.t.Fatalf("%s: %v", line, err)
	}
	if d := k.a.Diff(next); len(d.Put.Assocs) != len(edit.Put.Assocs) {
		k.t.Errorf("%s: the difference is %+v, the edit %+v", line, d, edit)
	}
	if err := next.NoAccess(edit); err != nil {
		return out, err
	}
	k.a = next
	return out, nil
}

func (k *asking) must(lines ...string) (out AccountsOutcome) {
	k.t.Helper()
	for _, line := range lines {
		var err error
		if out, err = k.ask(line); err != nil {
			k.t.Fatalf("%s: %v", line, err)
		}
	}
	return out
}

func rowsText(rows []AssocRow) string {
	var out []string
	for _, r := range rows {
		text := r.Account
		if r.Parent != "" {
			text += " of " + r.Parent
		}
		if r.User != "" {
			text += "/" + r.User
		}
		if r.Partition != "" {
			text += "@" + r.Partition
		}
		out = append(out, text)
	}
	return strings.Join(out, " ")
}

// science is the tree of accounts that Slurm's cases are recorded on.
func science(t *testing.T) *asking {
	k := &asking{t: t, a: NewAccounts()}
	k.must("add account physics", "add account chem", "add account optics Parent=physics", "add account capped Parent=physics GrpTRES=cpu=8 MaxTRESPerJob=cpu=6 MaxWall=01:00:00",
		"add qos low Priority=10", "add qos high Preempt=low", "modify account root set QosLevel=normal,high,low",
		"add user alice account=physics DefaultAccount=physics", "add user alice account=chem", "add user alice account=capped", "add user bob account=chem")
	return k
}

func TestAskListsWhatSlurmLists(t *testing.T) {
	for _, c := range []struct {
		name, line, assocs, names string
	}{
		{"OKAddAccount", "add account zeta,chem Parent=physics", "zeta of physics", "zeta"},
		{"OKAddNothing", "add account chem", "", ""},
		{"OKAddUserPartitions", "add user carol account=chem,physics partition=debug,short", "chem/carol@debug chem/carol@short physics/carol@debug physics/carol@short", "carol"},
		{"OKAddUserDefaultElsewhere", "add user carol account=chem DefaultAccount=physics", "chem/carol physics/carol", "carol"},
		{"OKPassedOn", "modify account physics set MaxJobs=3", "physics of root physics/alice capped/alice", ""},
		{"OKNotPassedOn", "modify account physics set GrpJobs=3", "physics of root", ""},
		{"OKOwnStays", "modify account capped set MaxSubmitJobs=3", "capped of physics capped/alice", ""},
		{"OKUserEverywhere", "modify user alice set MaxJobs=2", "chem/alice physics/alice capped/alice", ""},
		{"OKUserThere", "modify user where user=alice account=chem set MaxJobs=2", "chem/alice", ""},
		{"OKNobody", "modify user carol set MaxJobs=2", "", ""},
		{"OKBoth", "modify user bob set AdminLevel=Operator MaxJobs=2", "chem/bob", "bob"},
		{"OKAccountItself", "modify account chem set Description=words", "", "chem"},
		{"OKCluster", "modify cluster ref set GrpJobs=100", "root", ""},
		{"OKDeleteThere", "delete user where user=alice account=chem", "chem/alice", ""},
		{"OKDeleteUser", "delete user alice", "", "alice"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := science(t).must(c.line)
			if got := rowsText(out.Assocs); got != c.assocs {
				t.Errorf("associations %q, want %q", got, c.assocs)
			}
			if got := strings.Join(slices.Concat(out.Accounts, out.Users), ","); got != c.names {
				t.Errorf("names %q, want %q", got, c.names)
			}
		})
	}
}

func TestAskRefuses(t *testing.T) {
	for _, c := range []struct {
		name, line string
		kind       TroubleKind
		rows       string
	}{
		{"ErrNoParent", "add account zeta Parent=nosuch", TroubleNoParent, ""},
		{"ErrNoAccount", "add user carol account=nosuch", TroubleNoAccount, ""},
		{"ErrNoCoordinator", "add coordinator nosuch account=chem", TroubleNoUser, ""},
		{"ErrRoot", "delete account root", TroubleRoot, ""},
		{"ErrDefaultAccount", "delete account chem", TroubleDefaultAccount, "chem/bob"},
		{"ErrDefaultAccountBelow", "delete account physics", TroubleDefaultAccount, "physics/alice"},
		{"ErrNotIn", "modify user bob set DefaultAccount=physics", TroubleNotIn, "/bob"},
		{"ErrQOSAccess", "modify user bob set QosLevel=low DefaultQOS=high", TroubleQOSAccess, "chem/bob"},
		{"ErrNoQOS", "modify user bob set DefaultQOS=nosuch", TroubleNoQOS, ""},
		{"ErrAll", "delete user", TroubleNoConditions, ""},
		{"ErrTaken", "modify user bob set NewName=alice", TroubleTaken, ""},
		{"ErrUnknown", "modify user bob set Colour=red", TroubleUnknown, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := science(t)
			before := k.a
			_, err := k.ask(c.line)
			var trouble *AccountTrouble
			if !errors.As(err, &trouble) || trouble.Kind != c.kind || rowsText(trouble.Rows) != c.rows {
				t.Errorf("got %#v, want kind %d about %q", err, c.kind, c.rows)
			}
			if k.a != before {
				t.Error("a refused change was made")
			}
		})
	}
	k := science(t)
	for line, want := range map[string]string{
		"modify user bob set MaxJobs=x":                 "Invalid value for MaxJobs (x)",
		"modify user bob set FairShare=-3":              "Invalid value for FairShare (-3)",
		"modify account chem set MaxWall=x":             " Bad MaxWall time format: maxwall=x",
		"modify account chem set GrpTRES=gres/nosuch=1": "slurmdb_format_tres_str: no TRES known by type gres/nosuch",
		"modify account chem set GrpTRES=cpu":           "slurmdb_format_tres_str: no TRES id found for cpu",
		"modify user bob set QosLevel=nosuch":           "You gave a bad qos 'nosuch'. Valid QOS's are normal,low,high",
		"add qos q Preempt=nosuch":                      "You gave a bad qos 'nosuch'. Valid QOS's are normal,low,high",
		"modify qos low set PreemptMode=maybe":          " Bad Preempt Mode given: preemptmode=maybe",
		"modify qos low set Preempt=high":               "QOS Preemption loop detected",
		"add qos q Flags=Nosuch":                        " Unknown QOS flag used in:\n  'Nosuch'",
	} {
		if _, err := k.ask(line); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: got %q, want %q", line, err, want)
		}
	}
}

func TestLimitsAreSetAndCleared(t *testing.T) {
	k := science(t)
	of := func(user, account string) *Assoc { return k.a.Find(user, account, "") }
	k.must("modify user bob set MaxTRESPerJob=cpu=4,mem=8G MaxJobs=3 MaxWall=90 FairShare=parent Priority=7")
	if v := of("bob", "chem"); v.Limits.MaxTRESPerJob.String() != "cpu=4,mem=8G" || v.Limits.MaxJobsPerUser != 3 || v.Limits.MaxWall != 5400 ||
		v.Shares != SharesParent || v.Limits.Priority != 7 {
		t.Errorf("got %+v", v)
	}
	k.must("modify user bob set MaxTRESPerJob=mem=-1 MaxNodes=2 MaxJobs=-1 MaxWall=-1")
	if v := of("bob", "chem"); v.Limits.MaxTRESPerJob.String() != "cpu=4,node=2" || v.Limits.MaxJobsPerUser != NoLimit || v.Limits.MaxWall != 0 {
		t.Errorf("got %+v", v)
	}
	k.must("modify qos low set Flags=NoDecay,DenyOnLimit", "modify qos low set Flags-=NoDecay", "modify qos low set GraceTime=30 PreemptExemptTime=5:00 UsageFactor=2.5")
	if q := k.a.QOS["low"]; fmt.Sprint(q.Flags) != "[DenyOnLimit]" || q.GraceTime != 30 || q.PreemptExempt != 300 || q.UsageFactor != 2.5 {
		t.Errorf("got %+v", q)
	}
	k.must("modify qos low set Flags=-1 UsageFactor=-1 UsageThreshold=-1 Priority=-1 GraceTime=-1")
	if q := k.a.QOS["low"]; q.Flags != nil || q.UsageFactor != 1 || q.UsageThreshold != NoLimit || q.Priority != 0 || q.GraceTime != 0 {
		t.Errorf("got %+v", q)
	}
	for _, word := range []string{"maxj", "MAXSUBMIT", "grptres", "grptresm", "maxtrespn", "fair", "q", "maxwall", "parent", "defaultqos"} {
		if FindWord(false, word) == nil {
			t.Errorf("%s is no word", word)
		}
	}
	for _, word := range []string{"max", "grp", "maxtresperuser", "maxwallx", ""} {
		if w := FindWord(false, word); w != nil {
			t.Errorf("%q is %s", word, w.Name)
		}
	}
}

func TestQOSOfAssociationsChange(t *testing.T) {
	k := science(t)
	qos := func() string { return strings.Join(k.a.QOSOf(k.a.Find("alice", "chem", "")), ",") }
	for _, c := range []struct{ line, want string }{
		{"add qos brief", "high,low,normal"},
		{"modify user alice set QosLevel+=brief", "brief,high,low,normal"},
		{"modify account root set QosLevel-=low", "brief,high,normal"},
		{"modify user alice set QosLevel-=high", "brief,normal"},
		{"modify user alice set QosLevel=low,high", "high,low"},
		{"modify user alice set QosLevel+=brief", "brief,high,low"},
		{"delete qos brief", "high,low"},
		{"modify user alice set QosLevel=", "high,normal"},
	} {
		k.must(c.line)
		if got := qos(); got != c.want {
			t.Errorf("after %s: %s, want %s", c.line, got, c.want)
		}
	}
}

// What is added together stands in the order in which it was named; what comes
// later stands before it; a parent below takes the place first.
func TestPlacesInTheTree(t *testing.T) {
	k := science(t)
	order := func() string {
		var rows []AssocRow
		for _, v := range k.a.Ordered() {
			rows = append(rows, AssocRow{Account: v.Key.Account, User: v.Key.User, Partition: string(v.Key.Partition)})
		}
		return rowsText(rows)
	}
	k.must("add user bob account=chem partition=debug,short")
	want := "root chem chem/bob@debug chem/bob@short chem/bob chem/alice physics physics/alice capped capped/alice optics root/root"
	if got := order(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	k.must("modify account physics set Parent=optics")
	if own := k.a.Own("physics"); own.Parent != k.a.Own("optics").ID || k.a.Own("optics").Parent != 1 {
		t.Errorf("physics is below %d, optics below %d", own.Parent, k.a.Own("optics").Parent)
	}
}

func TestUsersLeaveTheirAccounts(t *testing.T) {
	k := science(t)
	k.must("add coordinator bob account=physics", "modify user bob set NewName=rob")
	if !k.a.Coordinates("rob", "capped") || k.a.Users["bob"] != nil || k.a.Find("rob", "chem", "") == nil {
		t.Error("the new name is not everywhere")
	}
	out := k.must("delete user where user=rob account=chem")
	if fmt.Sprint(out.Orphans) != "[rob]" || k.a.Users["rob"] != nil || k.a.Coordinates("rob", "physics") {
		t.Errorf("orphans are %v", out.Orphans)
	}
	k.must("delete user where user=alice account=physics")
	if u := k.a.Users["alice"]; u == nil || u.DefaultAccount != "" {
		t.Errorf("alice is %+v", u)
	}
	k.must("modify user alice set DefaultAccount=chem", "delete account physics")
	if k.a.Accounts["capped"] != nil || k.a.Own("optics") != nil {
		t.Error("what was below physics is still there")
	}
	out = k.must("delete coordinator rob account=chem")
	if len(out.Coordinators) != 0 {
		t.Errorf("removed %v", out.Coordinators)
	}
}

// TestOwnChoice: who asks for another default of their own is told whether there is such a
// one, whatever they may do.
func TestOwnChoice(t *testing.T) {
	k := &asking{t: t, a: NewAccounts()}
	for line, want := range map[string]bool{
		"modify user bob set DefaultAccount=nosuch":           true,
		"modify user where user=bob set DefaultWCKey=w":       true,
		"modify user bob set DefaultAccount=x AdminLevel=adm": false,
		"modify user alice set DefaultAccount=x":              false,
		"modify user set DefaultAccount=x":                    false,
		"add user bob DefaultAccount=x":                       false,
	} {
		ask := k.parsed(line)
		if got := ask.OwnChoice("bob"); got != want {
			t.Errorf("%s: %v", line, got)
		}
	}
}

func TestMayAsk(t *testing.T) {
	k := science(t)
	k.must("add account organic Parent=chem", "add coordinator alice account=chem", "add user olga account=physics AdminLevel=Operator")
	for _, c := range []struct {
		name, user, line string
		level            AdminLevel
		may              bool
	}{
		{"OKAdmin", "root", "add qos q", AdminAdministrator, true},
		{"ErrOperatorQOS", "olga", "add qos q", AdminOperator, false},
		{"OKOperator", "olga", "modify account chem set MaxJobs=3", AdminOperator, true},
		{"ErrOperatorLevel", "olga", "modify user bob set AdminLevel=Operator", AdminOperator, false},
		{"ErrOperatorAbove", "olga", "modify user bob set AdminLevel=Administrator", AdminOperator, false},
		{"ErrOperatorDeletesAdmin", "olga", "delete user root", AdminOperator, false},
		{"OKCoordinatorAdds", "alice", "add user carol account=chem", AdminNone, true},
		{"ErrCoordinatorElsewhere", "alice", "add user carol account=physics", AdminNone, false},
		{"ErrCoordinatorLevel", "alice", "add user carol account=chem AdminLevel=Operator", AdminNone, false},
		{"OKCoordinatorLimits", "alice", "modify user bob set MaxJobs=3", AdminNone, true},
		{"ErrCoordinatorOwnAccount", "alice", "modify account chem set MaxJobs=3", AdminNone, false},
		{"OKCoordinatorLimitsBelow", "alice", "modify account organic set MaxJobs=3", AdminNone, true},
		{"ErrCoordinatorDescribesBelow", "alice", "modify account organic set Description=x", AdminNone, false},
		{"OKUserDefaultQOS", "alice", "modify user alice set DefaultQOS=normal", AdminNone, true},
		{"OKCoordinatorBelow", "alice", "add account sub Parent=chem", AdminNone, true},
		{"ErrCoordinatorBeside", "alice", "add account sub", AdminNone, false},
		{"OKCoordinatorDeletes", "alice", "delete user where user=bob account=chem", AdminNone, true},
		{"ErrCoordinatorDeletesUser", "alice", "delete user bob", AdminNone, false},
		{"OKCoordinatorAppoints", "alice", "add coordinator bob account=chem", AdminNone, true},
		{"ErrUserLimits", "bob", "modify user bob set MaxJobs=3", AdminNone, false},
		{"OKUserDefault", "alice", "modify user alice set DefaultAccount=chem", AdminNone, true},
		{"ErrOtherDefault", "alice", "modify user bob set DefaultAccount=chem", AdminNone, false},
		{"ErrUserLevel", "bob", "modify user bob set AdminLevel=Administrator", AdminNone, false},
		{"ErrUserAdds", "bob", "add account mine", AdminNone, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			words := strings.Fields(c.line)
			k := &asking{t: t, a: k.a}
			ask := k.parsed(c.line)
			_, out, err := k.a.Ask(ask, "ref", time.Unix(9, 0))
			if err != nil {
				t.Fatal(err)
			}
			err = k.a.MayAsk(c.user, c.level, ask, out)
			if c.may != (err == nil) || err != nil && !errors.Is(err, slurm.ErrnoAccessDenied) {
				t.Errorf("%s may %s: %v", c.user, words[0], err)
			}
		})
	}
}
