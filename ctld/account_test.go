package ctld

import (
	"os/user"
	"strconv"
	"testing"
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/auth"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// What AccountingStorageEnforce wants not to be kept is not kept.
func TestKeptRecords(t *testing.T) {
	job := &rinkpb.Record{Job: &rinkpb.Job{Id: 1}}
	step := &rinkpb.Record{Job: &rinkpb.Job{Id: 1}, Steps: []*rinkpb.Step{{Id: 2}}}
	other := &rinkpb.Record{}
	for _, c := range []struct {
		name    string
		enforce slurm.AccountingEnforce
		want    int
	}{
		{"OKAll", slurm.AccountingEnforce{Associations: true}, 3},
		{"OKNoSteps", slurm.AccountingEnforce{NoSteps: true}, 2},
		{"OKNoJobs", slurm.AccountingEnforce{NoJobs: true, NoSteps: true}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := kept([]*rinkpb.Record{job, step, other}, c.enforce); len(got) != c.want {
				t.Errorf("%d records are kept, want %d", len(got), c.want)
			}
		})
	}
}

func nobodyUID(t *testing.T) uint32 {
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Skip("this machine has no user nobody")
	}
	n, _ := strconv.ParseUint(nobody.Uid, 10, 32)
	return uint32(n)
}

// A level in the accounts makes an operator or an administrator, and never the
// one who may act as others or as a daemon.
func TestLevelsDoNotLeadToRoot(t *testing.T) {
	uid := nobodyUID(t)
	for _, c := range []struct {
		level            sched.AdminLevel
		operator, admins bool
	}{{sched.AdminNone, false, false}, {sched.AdminOperator, true, false}, {sched.AdminAdministrator, true, true}} {
		t.Run(c.level.String(), func(t *testing.T) {
			s := &Server{users: auth.NewUsers(time.Minute)}
			tables := sched.NewAccounts().Tables()
			tables.Users = append(tables.Users, &sched.AccountUser{Name: "nobody", Admin: c.level})
			tables.Accounts = append(tables.Accounts, &sched.Account{Name: "chem", Coordinators: []string{"nobody"}})
			tables.Assocs = append(tables.Assocs, &sched.Assoc{ID: 3, Key: sched.AssocKey{Account: "chem"}, Parent: 1})
			s.accounts.Store(sched.AccountsShown(tables))
			if s.operator(uid) != c.operator || s.administers(uid) != c.admins || s.superUser(uid) {
				t.Errorf("operator %v, administers %v, root %v", s.operator(uid), s.administers(uid), s.superUser(uid))
			}
			u := auth.User{UID: uid, Name: "nobody"}
			if !s.mayTouch(u, &sched.Job{UID: 7, Account: "chem"}) {
				t.Error("a coordinator may not touch a job of the account")
			}
			if got := s.mayTouch(u, &sched.Job{UID: 7, Account: "root"}); got != c.operator {
				t.Errorf("touching another account's job: %v", got)
			}
			s.seeConfig(&sched.Config{Conf: &slurm.Conf{SlurmUser: "nobody"}})
			if !s.administers(uid) || s.superUser(uid) {
				t.Error("SlurmUser is no administrator, or may act as root")
			}
			if !s.superUser(0) || !s.administers(0) {
				t.Error("root is no root")
			}
		})
	}
}
