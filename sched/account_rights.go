package sched

import (
	"slices"
	"strings"

	"github.com/runink/rink/slurm"
)

// MayAsk says why a user of that level may not make a change, of which out is what
// it comes to. Administrators may all, operators what is about accounts and users
// up to their own level; coordinators look after the users of their accounts and
// what is below; everybody chooses among the accounts they are in.
func (a *Accounts) MayAsk(user string, level AdminLevel, ask AccountAsk, out AccountsOutcome) error {
	if level >= AdminAdministrator {
		return nil
	}
	denied := slurm.ErrnoAccessDenied
	if ask.Entity == "qos" || ask.Entity == "cluster" || ask.Entity == "resource" {
		return denied
	}
	if level >= AdminOperator && ask.Verb == "modify" && slices.ContainsFunc(ask.Set, func(w AccountWord) bool { return w.Key == "AdminLevel" }) {
		return &AccountTrouble{Code: denied, Kind: TroubleAdminLevel, Name: user}
	}
	for _, w := range ask.Set {
		if w.Key == "AdminLevel" && adminLevel(w.Value) > level && !(level < AdminOperator && ask.Verb == "modify") {
			return denied
		}
	}
	if ask.Entity == "user" && ask.Verb != "add" {
		for _, name := range slices.Concat(out.Users, out.Orphans) {
			if a.AdminOf(name) > level && name != user {
				return denied
			}
		}
	}
	if level >= AdminOperator {
		return nil
	}
	mine := func(account string) bool { return a.Coordinates(user, account) }
	switch ask.Verb + " " + ask.Entity {
	case "add account":
		for _, row := range out.Assocs {
			if !mine(row.Parent) {
				return denied
			}
		}
		return nil
	case "add user":
		if slices.ContainsFunc(ask.Set, func(w AccountWord) bool { return w.Key == "AdminLevel" }) {
			return denied
		}
		for _, row := range out.Assocs {
			if !mine(row.Account) {
				return denied
			}
		}
		return nil
	case "modify account":
		// Limits of what is below what they coordinate; what an account is stays the
		// operators'.
		if len(out.Accounts) > 0 || len(out.Assocs) == 0 {
			return denied
		}
		for _, row := range out.Assocs {
			if row.Parent == "" || !mine(row.Parent) {
				return denied
			}
		}
		return nil
	case "modify user":
		return a.mayModifyUsers(user, ask, out)
	case "delete user":
		if len(out.Users) > 0 || len(out.Assocs) == 0 {
			return denied
		}
		for _, row := range out.Assocs {
			if !mine(row.Account) {
				return denied
			}
		}
		return nil
	case "add coordinator", "delete coordinator":
		if len(ask.Where.Accounts) == 0 {
			return denied
		}
		for _, account := range lowered(ask.Where.Accounts) {
			if !mine(account) {
				return denied
			}
		}
		return nil
	}
	return denied
}

// OwnChoice reports whether that user asks for nothing but another default of their own,
// which is theirs to choose: what is said of it is whether there is such a one.
func (ask *AccountAsk) OwnChoice(user string) bool {
	who := slices.Concat(ask.Names, ask.Where.Users)
	return ask.Verb == "modify" && ask.Entity == "user" && len(ask.Set) > 0 && len(who) > 0 &&
		!slices.ContainsFunc(who, func(name string) bool { return !strings.EqualFold(name, user) }) &&
		!slices.ContainsFunc(ask.Set, func(w AccountWord) bool { return w.Key != "DefaultAccount" && w.Key != "DefaultWCKey" })
}

// mayModifyUsers is MayAsk for the limits of users, which coordinators may change,
// and for what users may change of themselves.
func (a *Accounts) mayModifyUsers(user string, ask AccountAsk, out AccountsOutcome) error {
	// Of what limits them people choose their default QOS alone; the rest of such a
	// change is passed over.
	chooses := slices.ContainsFunc(ask.Set, func(w AccountWord) bool { return w.Key == "DefaultQOS" })
	for _, row := range out.Assocs {
		switch {
		case a.Coordinates(user, row.Account) || chooses && row.User == user && len(ask.Set) == 1:
		case row.User == user:
			return &AccountTrouble{Code: slurm.ErrnoAccessDenied, Kind: TroubleNothingAllowed, Name: user}
		default:
			return slurm.ErrnoAccessDenied
		}
	}
	for _, w := range ask.Set {
		if !slices.Contains(userOwnWords, w.Key) {
			continue
		}
		own := w.Key == "DefaultAccount" || w.Key == "DefaultWCKey"
		switch self := len(out.Users) == 1 && out.Users[0] == user; {
		case self && !own:
			return &AccountTrouble{Code: slurm.ErrnoAccessDenied, Kind: TroubleOwnAlone, Name: user}
		case !self:
			return slurm.ErrnoAccessDenied
		}
	}
	if len(out.Assocs)+len(out.Users) == 0 {
		return slurm.ErrnoAccessDenied
	}
	return nil
}

// NoAccess names the associations that an edit gives a default QOS which they may
// not use; nil when there are none. a is as the edit leaves it.
func (a *Accounts) NoAccess(e AccountsEdit) *AccountTrouble {
	t := &AccountTrouble{Code: slurm.ErrnoInvalidQOS, Kind: TroubleQOSAccess}
	for _, v := range e.Put.Assocs {
		if name := v.DefaultQOS; name != "" && !slices.Contains(a.QOSOf(v), name) {
			t.Name = name
			t.Rows = append(t.Rows, AssocRow{ID: v.ID, Account: v.Key.Account, User: v.Key.User, Partition: string(v.Key.Partition)})
		}
	}
	if t.Rows == nil {
		return nil
	}
	return t
}
