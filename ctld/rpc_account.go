package ctld

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/runink/rink/api"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/auth"
	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// seeAccounts keeps the accounts as they are now within reach of whoever asks what
// a user may do, without the state's lock.
func (s *Server) seeAccounts() {
	s.barn.Read(s.see)
}

// see keeps of the state what says who may do what: that is asked while the state is
// being read too, and reading it once more then could wait for ever.
func (s *Server) see(t *state.State) {
	s.accounts.Store(t.Accounts())
	if c := t.Config(); c != nil {
		s.seeConfig(c)
	}
}

func (s *Server) seeConfig(c *sched.Config) {
	if c.Conf != nil {
		s.slurmUser.Store(&c.Conf.SlurmUser)
	}
}

// adminLevel is what a user may do to the accounts and jobs of others: root and the
// user the controller runs as everything, others what the accounts say.
func (s *Server) adminLevel(uid uint32) sched.AdminLevel {
	if s.superUser(uid) {
		return sched.AdminAdministrator
	}
	u, err := s.users.ByUID(uid)
	if err != nil {
		return sched.AdminNone
	}
	if name := s.slurmUser.Load(); name != nil && u.Name == *name {
		return sched.AdminAdministrator
	}
	return s.accounts.Load().AdminOf(u.Name)
}

// superUser reports whether a user is root or the one the controller runs as. To
// act in another's name, in another's job, or as a daemon takes no less: a level
// in the accounts must not lead to root.
func (s *Server) superUser(uid uint32) bool { return uid == 0 || uid == s.opt.Config.ownerUID() }

// administers reports whether a user may change the cluster itself.
func (s *Server) administers(uid uint32) bool { return s.adminLevel(uid) >= sched.AdminAdministrator }

// operatorOf reports whether a user may do to a job what an operator may: an
// operator, or a coordinator of the job's account.
func (s *Server) operatorOf(u auth.User, j *sched.Job) bool {
	return s.operator(u.UID) || j.Account != "" && s.accounts.Load().Coordinates(u.Name, j.Account)
}

// mayTouch reports whether a job is the user's, or one that the user has a say in.
func (s *Server) mayTouch(u auth.User, j *sched.Job) bool {
	return j.UID == u.UID || s.operatorOf(u, j)
}

// ListAccounts returns who may use the cluster and how much of it. Where
// PrivateData says so, users see what is theirs.
func (c *controller) ListAccounts(ctx context.Context, req *rinkpb.ListAccountsRequest) (*rinkpb.AccountsReply, error) {
	_, u, err := c.caller(ctx)
	if err != nil {
		return nil, err
	}
	var a *sched.Accounts
	var nodes []*sched.Node
	var notes []*sched.Transaction
	c.s.barn.Read(func(t *state.State) {
		a, nodes = t.Accounts(), t.Nodes()
		if req.Transactions {
			notes = t.Transactions()
		}
	})
	tables := a.Tables()
	if !c.s.operator(u.UID) {
		tables = c.s.visibleTo(u.Name, a, tables)
		if c.s.private("accounts") || c.s.private("users") {
			notes = slices.DeleteFunc(slices.Clone(notes), func(n *sched.Transaction) bool { return n.Actor != u.Name })
		}
	}
	conf := c.s.liveConf()
	reply := &rinkpb.AccountsReply{
		Tables: api.AccountTablesToProto(&tables), Cluster: conf.ClusterName, TrackWckey: conf.TrackWCKey, Now: time.Now().UnixNano(), User: u.Name,
		ControlPort: int32(conf.SlurmctldPort), Level: uint32(c.s.adminLevel(u.UID)),
	}
	if len(conf.SlurmctldHost) > 0 {
		h := conf.SlurmctldHost[0]
		if reply.ControlHost = h.Addr; h.Addr == "" {
			reply.ControlHost = h.Name
		}
	}
	for _, n := range nodes {
		reply.Nodes = append(reply.Nodes, string(n.Name))
	}
	reply.Tres = api.TRESToProto(sched.NodesTRES(nodes, conf.AccountingStorageTRES, conf.Licenses))
	for _, n := range notes {
		reply.Transactions = append(reply.Transactions, api.TransactionToProto(n))
	}
	return reply, nil
}

// visibleTo leaves out what PrivateData keeps from a user: of others with users,
// and with accounts those that the user is neither in nor coordinates.
func (s *Server) visibleTo(user string, a *sched.Accounts, t sched.AccountTables) sched.AccountTables {
	if s.private("users") {
		t.Users = slices.DeleteFunc(slices.Clone(t.Users), func(u *sched.AccountUser) bool { return u.Name != user })
		t.Assocs = slices.DeleteFunc(slices.Clone(t.Assocs), func(v *sched.Assoc) bool {
			return v.Key.User != "" && v.Key.User != user && !a.Coordinates(user, v.Key.Account)
		})
	}
	if s.private("accounts") {
		mine := map[string]bool{}
		for _, v := range t.Assocs {
			if v.Key.User == user {
				for _, above := range a.Chain(v) {
					mine[above.Key.Account] = true
				}
			}
			if a.Coordinates(user, v.Key.Account) {
				mine[v.Key.Account] = true
			}
		}
		t.Accounts = slices.DeleteFunc(slices.Clone(t.Accounts), func(acc *sched.Account) bool { return !mine[acc.Name] })
		t.Assocs = slices.DeleteFunc(slices.Clone(t.Assocs), func(v *sched.Assoc) bool { return !mine[v.Key.Account] })
	}
	return t
}

// accountTries is how often a change is worked out anew because another one came
// first.
const accountTries = 20

// ChangeAccounts makes changes of the accounts one after the other, all or none.
func (c *controller) ChangeAccounts(ctx context.Context, req *rinkpb.ChangeAccountsRequest) (*rinkpb.ChangeAccountsReply, error) {
	_, u, err := c.caller(ctx)
	if err != nil {
		return nil, err
	}
	var asks []sched.AccountAsk
	for _, p := range req.Asks {
		ask, err := api.AccountAskFromProto(p)
		if err != nil {
			return nil, invalid(err)
		}
		asks = append(asks, *ask)
	}
	for range accountTries {
		edit, outcomes, jobs, at, err := c.accountsEdit(u, asks)
		reply := &rinkpb.ChangeAccountsReply{Status: refuse(err), Trouble: api.AccountTroubleToProto(err)}
		if err != nil {
			if reply.Trouble == nil {
				reply.Trouble = &rinkpb.AccountTrouble{}
			}
			reply.Trouble.Ask = int32(at)
			reply.Trouble.Jobs = jobs
			var errno slurm.Errno
			if !errors.As(err, &errno) {
				return nil, invalid(err)
			}
			return reply, nil
		}
		var notes []sched.Transaction
		for i := range outcomes {
			reply.Outcomes = append(reply.Outcomes, api.AccountsOutcomeToProto(&outcomes[i]))
			notes = append(notes, outcomes[i].Notes...)
		}
		if req.DryRun || edit.IsZero() {
			return reply, nil
		}
		results, err := c.s.barn.Propose(ctx, actor(u), state.EditAccounts{Edit: edit, Notes: notes})
		if err != nil {
			return nil, unavailable(err)
		}
		if errors.Is(results[0].Err, sched.ErrAccountsChanged) {
			continue
		}
		if results[0].Err != nil {
			reply.Status = refuse(results[0].Err)
		}
		c.s.seeAccounts()
		return reply, nil
	}
	return nil, unavailable(fmt.Errorf("other changes of the accounts came first, %d times", accountTries))
}

// accountsEdit works out what the changes come to on the accounts as they are. A
// refusal comes with the change it is about, and the jobs that are in its way.
func (c *controller) accountsEdit(u auth.User, asks []sched.AccountAsk) (edit sched.AccountsEdit, outcomes []sched.AccountsOutcome, jobs []uint32, at int, err error) {
	var base *sched.Accounts
	c.s.barn.Read(func(t *state.State) { base = t.Accounts() })
	cluster, now, next := c.s.conf.ClusterName, time.Now(), base
	level := c.s.adminLevel(u.UID)
	for i, ask := range asks {
		one, out, err := next.Ask(ask, cluster, now)
		if denied := next.MayAsk(u.Name, level, ask, out); denied != nil && (err == nil || level == sched.AdminNone && !ask.OwnChoice(u.Name)) {
			return edit, outcomes, nil, i, denied
		}
		if err != nil {
			return edit, outcomes, nil, i, err
		}
		outcomes = append(outcomes, out)
		if next, err = next.With(one, base.Version); err != nil {
			return edit, outcomes, nil, i, err
		}
		if t := next.NoAccess(one); t != nil {
			return edit, outcomes, nil, i, t
		}
	}
	edit = base.Diff(next)
	c.s.barn.Read(func(t *state.State) {
		var rows []sched.AssocRow
		for _, j := range t.ChargedTo(edit.DropAssocs) {
			v := base.ByID[j.AssocID]
			jobs = append(jobs, uint32(j.ID))
			rows = append(rows, sched.AssocRow{ID: v.ID, Account: v.Key.Account, User: v.Key.User, Partition: string(v.Key.Partition)})
		}
		if len(rows) > 0 {
			err = &sched.AccountTrouble{Code: slurm.ErrnoJobsRunningOnAssoc, Kind: sched.TroubleJobs, Rows: rows}
		}
	})
	return edit, outcomes, jobs, 0, err
}
