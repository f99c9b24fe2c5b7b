package ctld

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// unknownUID is the number of a user that this host does not know.
const unknownUID = 4294967294

func (s *Server) uidOf(name string) uint32 {
	if u, err := s.users.ByName(name); err == nil {
		return u.UID
	}
	return unknownUID
}

// Standings tells what counts against the limits of associations and QOS as of
// now. Where PrivateData says so, users see what is theirs.
func (c *controller) Standings(ctx context.Context, req *rinkpb.StandingsRequest) (*rinkpb.StandingsReply, error) {
	_, u, err := c.caller(ctx)
	if err != nil {
		return nil, err
	}
	var acc *sched.Accounts
	var ledger *sched.Ledger
	c.s.barn.Read(func(t *state.State) {
		acc = t.Accounts()
		if t.Config() != nil {
			ledger = t.Ledger()
		}
	})
	reply := &rinkpb.StandingsReply{Cluster: c.s.conf.ClusterName}
	tables := acc.Tables()
	if !c.s.operator(u.UID) {
		tables = c.s.visibleTo(u.Name, acc, tables)
	}
	if req.Users {
		for _, v := range tables.Users {
			if len(req.OfUsers) > 0 && !slices.Contains(req.OfUsers, v.Name) {
				continue
			}
			reply.Users = append(reply.Users, &rinkpb.KnownUser{
				Name: v.Name, Uid: c.s.uidOf(v.Name), Account: v.DefaultAccount, Wckey: v.DefaultWCKey, Admin: v.Admin.String(),
			})
		}
		slices.SortFunc(reply.Users, func(a, b *rinkpb.KnownUser) int { return strings.Compare(a.Name, b.Name) })
	}
	if ledger == nil {
		return reply, nil
	}
	reply.Kinds = ledger.Kinds()
	now := time.Now()
	if req.Assocs {
		seen := map[sched.AssocID]bool{}
		for _, v := range tables.Assocs {
			seen[v.ID] = true
		}
		f, lefts := sched.NewFairShare(ledger, now), acc.Lefts()
		reply.FairTree = f.IsTree()
		for _, st := range f.Standings() {
			v := acc.ByID[st.ID]
			switch {
			case v == nil || !seen[st.ID],
				len(req.OfAccounts) > 0 && !slices.Contains(req.OfAccounts, st.Key.Account),
				len(req.OfUsers) > 0 && st.Key.User != "" && !slices.Contains(req.OfUsers, st.Key.User):
				continue
			}
			p := &rinkpb.AssocStanding{
				Share: shareToProto(&st.Share), Level: st.Level, Priority: st.Priority, Lft: int32(lefts[st.ID]), Usual: v.IsDefault, Standing: standingToProto(&st.Counted),
			}
			if up := acc.ByID[v.Parent]; up != nil && v.Key.User == "" {
				p.Parent = up.Key.Account
			}
			if v.Key.User != "" {
				p.Uid = c.s.uidOf(v.Key.User)
			}
			reply.Assocs = append(reply.Assocs, p)
		}
	}
	if req.Herds {
		for _, h := range ledger.Herds(now) {
			q := slurm.Quota{TRES: h.TRES, Jobs: h.Jobs, Waiting: h.Waiting, Submit: h.Submitted, Hours: h.Hours}
			reply.Herds = append(reply.Herds, &rinkpb.HerdStanding{Partition: string(h.Partition), Used: q.String(), Borrowed: h.Over.Raw()})
		}
	}
	if req.Qos {
		for _, q := range ledger.QOSStandings(now) {
			if len(req.OfQos) > 0 && !slices.Contains(req.OfQos, q.Name) {
				continue
			}
			p := &rinkpb.QOSStanding{Id: q.ID, Name: q.Name, Used: q.Used, Priority: q.Priority, Standing: standingToProto(&q.Counted)}
			if have := acc.QOS[q.Name]; have != nil {
				p.PreemptMode = have.PreemptMode
			}
			for _, part := range q.Accounts {
				p.Accounts = append(p.Accounts, &rinkpb.PartStanding{Name: part.Account, Standing: standingToProto(&part.Counted)})
			}
			own := !c.s.operator(u.UID) && c.s.private("usage")
			for _, part := range q.Users {
				if !own || part.UID == u.UID {
					p.Users = append(p.Users, &rinkpb.PartStanding{Name: strconv.FormatUint(uint64(part.UID), 10), Standing: standingToProto(&part.Counted)})
				}
			}
			reply.Qos = append(reply.Qos, p)
		}
	}
	return reply, nil
}

func shareToProto(sh *sched.Share) *rinkpb.AssocShare {
	return &rinkpb.AssocShare{
		Id: uint32(sh.ID), Parent: uint32(sh.Parent), Account: sh.Key.Account, User: sh.Key.User, Partition: string(sh.Key.Partition), Shares: sh.Shares,
		NormShares: sh.Norm, RawUsage: sh.Used, NormUsage: sh.Normed, EffectiveUsage: sh.Effective, Factor: sh.Factor, Level: sh.Level,
		GrpTresMins: sh.Limits.Raw(), UsedTresMins: sh.UsedTRES.Raw(), RunTresMins: sh.RunTRES.Raw(),
	}
}

func standingToProto(s *sched.Counted) *rinkpb.Standing {
	bounded := func(b sched.Bounded) *rinkpb.Bounded { return &rinkpb.Bounded{Most: b.Most, Used: b.Used} }
	return &rinkpb.Standing{
		Jobs: s.Jobs, Accruing: s.Accruing, Submitted: s.Submitted, Wall: s.Wall,
		GrpJobs: s.GrpJobs, GrpAccrue: s.GrpAccrue, GrpSubmit: s.GrpSubmit, GrpWall: s.GrpWall,
		MaxJobs: s.MaxJobs, MaxAccrue: s.MaxAccrue, MaxSubmit: s.MaxSubmit, MaxWall: s.MaxWall, MinPrio: s.MinPrio,
		GrpTres: bounded(s.GrpTRES), GrpMins: bounded(s.GrpMins), GrpRunMins: bounded(s.GrpRunMins),
		Job: bounded(s.PerJob), Node: bounded(s.PerNode), JobMins: bounded(s.MinsPerJob), JobMin: bounded(s.LeastOfJob),
	}
}

// ResetUsage forgets what associations or QOS have used, as operators may have it.
// Of accounts with users only those users' associations are meant. What is not
// there is an error, and nothing is forgotten then.
func (c *controller) ResetUsage(ctx context.Context, req *rinkpb.ResetUsageRequest) (*rinkpb.ResetUsageReply, error) {
	_, u, err := c.caller(ctx)
	if err != nil {
		return nil, err
	}
	if !c.s.operator(u.UID) {
		return &rinkpb.ResetUsageReply{Status: refuse(slurm.ErrnoAccessDenied)}, nil
	}
	acc := c.s.accounts.Load()
	cmd := state.ResetUsage{}
	add := func(match func(*sched.Assoc) bool, what string) error {
		n := len(cmd.Assocs)
		for _, v := range acc.Ordered() {
			if match(v) {
				cmd.Assocs = append(cmd.Assocs, v.ID)
			}
		}
		if len(cmd.Assocs) == n {
			return fmt.Errorf("cannot forget what was used: %s", what)
		}
		return nil
	}
	for _, account := range req.Accounts {
		if len(req.Users) == 0 {
			if err := add(func(v *sched.Assoc) bool { return v.Key.Account == account && v.Key.User == "" },
				fmt.Sprintf("account %s has no association", account)); err != nil {
				return &rinkpb.ResetUsageReply{Status: refuse(err)}, nil
			}
		}
		for _, user := range req.Users {
			if err := add(func(v *sched.Assoc) bool { return v.Key.Account == account && v.Key.User == user },
				fmt.Sprintf("account %s has no association of user %s", account, user)); err != nil {
				return &rinkpb.ResetUsageReply{Status: refuse(err)}, nil
			}
		}
	}
	for _, name := range req.Qos {
		q := acc.QOS[name]
		if q == nil {
			return &rinkpb.ResetUsageReply{Status: refuse(fmt.Errorf("cannot forget what was used: there is no QOS %s", name))}, nil
		}
		cmd.QOS = append(cmd.QOS, q.ID)
	}
	if len(cmd.Assocs)+len(cmd.QOS) == 0 {
		return nil, invalid(errors.New("nothing is named whose usage is to be forgotten"))
	}
	results, err := c.s.barn.Propose(ctx, actor(u), cmd)
	if err != nil {
		return nil, unavailable(err)
	}
	return &rinkpb.ResetUsageReply{Status: refuse(results[0].Err)}, nil
}
