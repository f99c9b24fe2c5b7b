package ctld

import (
	"cmp"
	"slices"
	"strings"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// shareIdle charges the time in which reservations stood idle to those who might have
// used them, as Slurm's reports do: to each association of the users and accounts of a
// reservation the same. For the cluster that time is allocated. reply must have the
// reservations of its window; until is the end of what has passed, in nanoseconds.
func shareIdle(reply *rinkpb.UsageReply, accounts *sched.Accounts, until int64, uid func(user string) uint32) {
	type standing struct {
		span *rinkpb.ReservationSpan
		idle map[string]int64 // seconds by kind
	}
	var list []*standing
	for _, r := range reply.Reservations { // one of them may be there in several spans
		s := r.Span
		i := slices.IndexFunc(list, func(o *standing) bool { return o.span.Id == s.Id && o.span.Name == s.Name })
		if i < 0 {
			o := &standing{span: s, idle: map[string]int64{}}
			for _, t := range r.Allocated {
				o.idle[t.Tres] -= t.Seconds
			}
			i, list = len(list), append(list, o)
		}
		tres, err := slurm.ParseTRES(s.Tres)
		secs := (min(s.End, reply.End, until) - max(s.Start, reply.Start)) / 1e9
		if err != nil || secs <= 0 {
			continue
		}
		for _, item := range tres {
			list[i].idle[item.Key()] += item.Count * secs
		}
	}
	for _, r := range list {
		who := associationsOf(accounts, r.span.Associations)
		var kinds []string
		for kind, n := range r.idle {
			if n > 0 {
				kinds = append(kinds, kind)
			}
		}
		slices.Sort(kinds)
		if !slices.Contains(r.span.Flags, "MAINT") { // which is PlannedDown already
			for _, t := range reply.Tres {
				if slices.Contains(kinds, t.Tres) {
					n := min(r.idle[t.Tres], t.Idle)
					t.Allocated, t.Idle = t.Allocated+n, t.Idle-n
				}
			}
		}
		for _, key := range who {
			p := &rinkpb.PartyUsage{Party: &rinkpb.Party{Account: key.Account, User: key.User}}
			if key.User != "" {
				p.Party.Uid = uid(key.User)
			}
			for _, kind := range kinds {
				if n := r.idle[kind] / int64(len(who)); n > 0 {
					p.Tres = append(p.Tres, &rinkpb.TRESSeconds{Tres: kind, Seconds: n})
				}
			}
			if len(p.Tres) > 0 {
				reply.Parties = append(reply.Parties, p)
			}
		}
	}
}

// associationsOf are those that may use a reservation of these users and accounts: of
// users all, or those in the accounts; of accounts alone the accounts'. Names that are kept
// out leave none.
func associationsOf(accounts *sched.Accounts, names string) []sched.AssocKey {
	if accounts == nil {
		return nil
	}
	var users, below []string
	for name := range strings.SplitSeq(names, ",") {
		switch {
		case name == "":
		case accounts.Users[name] != nil && (accounts.Accounts[name] == nil || len(below) == 0): // users are named first
			users = append(users, name)
		case accounts.Accounts[name] != nil:
			below = append(below, name)
		}
	}
	var list []sched.AssocKey
	for key, a := range accounts.Assocs {
		in := len(below) == 0
		for _, up := range accounts.Chain(a) {
			in = in || slices.Contains(below, up.Key.Account)
		}
		switch {
		case len(users) > 0 && slices.Contains(users, key.User) && in,
			len(users) == 0 && len(below) > 0 && key.User == "" && slices.Contains(below, key.Account):
			list = append(list, key)
		}
	}
	slices.SortFunc(list, func(a, b sched.AssocKey) int {
		return cmp.Or(strings.Compare(a.Account, b.Account), strings.Compare(a.User, b.User), strings.Compare(string(a.Partition), string(b.Partition)))
	})
	return list
}
