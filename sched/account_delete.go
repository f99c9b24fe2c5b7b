package sched

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/runink/rink/slurm"
)

// nothingSaid refuses to delete without a condition: everything would go.
func (p *accountPlan) nothingSaid() error {
	if len(p.ask.Names) == 0 && p.ask.Where.bare() {
		return &AccountTrouble{Code: slurm.ErrnoError, Kind: TroubleNoConditions}
	}
	return nil
}

func (p *accountPlan) deleteAccounts() error {
	if err := p.nothingSaid(); err != nil {
		return err
	}
	where := p.ask.Where
	where.Accounts = named(where.Accounts, p.ask.Names)
	if !where.Here(p.cluster) {
		return nil
	}
	if len(where.Accounts) > 0 && hasFold(where.Accounts, RootAccount) {
		return &AccountTrouble{Code: slurm.ErrnoError, Kind: TroubleRoot}
	}
	gone := map[AssocID]bool{}
	for _, v := range p.a.Ordered() {
		if v.Key.Account == RootAccount {
			continue
		}
		if v.Key.User == "" && where.MatchesAccount(p.a, p.a.Accounts[v.Key.Account]) {
			p.out.Accounts = append(p.out.Accounts, v.Key.Account)
			gone[v.ID] = true
		}
		if gone[v.Parent] {
			gone[v.ID] = true
		}
	}
	slices.Sort(p.out.Accounts)
	var defaults []AssocRow
	for _, v := range p.a.Ordered() {
		if gone[v.ID] && v.IsDefault {
			defaults = append(defaults, p.row(v))
		}
	}
	if len(defaults) > 0 {
		slices.SortStableFunc(defaults, func(x, y AssocRow) int { return strings.Compare(x.User, y.User) })
		return &AccountTrouble{Code: slurm.ErrnoError, Kind: TroubleDefaultAccount, Rows: defaults}
	}
	for id := range gone {
		v := p.a.ByID[id]
		p.drop(v)
		if v.Key.User == "" {
			p.accounts[v.Key.Account] = nil
		}
	}
	if len(p.out.Accounts) > 0 {
		p.note("Remove Accounts", strings.Trim(anyOf("name", p.out.Accounts), "()"), "")
	}
	return nil
}

func (p *accountPlan) deleteUsers() error {
	if err := p.nothingSaid(); err != nil {
		return err
	}
	where := p.ask.Where
	where.Users = named(where.Users, p.ask.Names)
	if !where.Here(p.cluster) {
		return nil
	}
	if len(where.WCKeys) > 0 {
		return p.deleteWCKeys(&where)
	}
	if !where.placed() {
		for _, name := range slices.Sorted(maps.Keys(p.a.Users)) {
			if where.MatchesUser(p.a, p.a.Users[name]) {
				p.dropUser(name)
				p.out.Users = append(p.out.Users, name)
			}
		}
		if len(p.out.Users) > 0 {
			p.note("Remove Users", strings.Trim(anyOf("name", p.out.Users), "()"), "")
		}
		return nil
	}
	var ids []string
	hit := map[string]bool{}
	for _, v := range p.a.Ordered() {
		if v.Key.User == "" || !where.MatchesAssoc(p.a, v) || !where.MatchesUser(p.a, p.a.Users[v.Key.User]) {
			continue
		}
		p.drop(v)
		hit[v.Key.User] = true
		p.out.Assocs = append(p.out.Assocs, p.row(v))
		ids = append(ids, fmt.Sprintf("id_assoc=%d", v.ID))
	}
	if len(ids) > 0 {
		p.note("Remove Associations", strings.Join(ids, " || "), "", p.out.Assocs...)
	}
	for _, name := range slices.Sorted(maps.Keys(hit)) {
		left, inDefault := 0, false
		for key := range p.byKey {
			if key.User == name {
				left++
				inDefault = inDefault || key.Account == p.a.Users[name].DefaultAccount
			}
		}
		switch {
		case left == 0:
			p.dropUser(name)
			p.out.Orphans = append(p.out.Orphans, name)
		case !inDefault:
			p.user(name).DefaultAccount = ""
		}
	}
	return nil
}

// deleteWCKeys takes wckeys from the users who are meant; their default one goes on to the
// first of those that are left.
func (p *accountPlan) deleteWCKeys(where *AccountWhere) error {
	for _, name := range slices.Sorted(maps.Keys(p.a.Users)) {
		if !where.MatchesUser(p.a, p.a.Users[name]) {
			continue
		}
		var left []WCKey
		var ids []string
		for _, k := range p.a.Users[name].WCKeys {
			if !slices.Contains(where.WCKeys, k.Name) {
				left = append(left, k)
				continue
			}
			p.out.WCKeys = append(p.out.WCKeys, WCKeyRow{User: name, Name: k.Name})
			ids = append(ids, fmt.Sprintf("id_wckey='%d'", k.ID))
		}
		if len(ids) == 0 {
			continue
		}
		u := p.user(name)
		if u.WCKeys = left; slices.Contains(where.WCKeys, u.DefaultWCKey) {
			u.DefaultWCKey = ""
			if len(left) > 0 {
				u.DefaultWCKey = left[0].Name
			}
		}
		p.note("Remove WCKeys", strings.Join(ids, " || "), "", AssocRow{User: name})
	}
	return nil
}

// dropUser takes a user away, with the associations and the accounts it
// coordinates.
func (p *accountPlan) dropUser(name string) {
	p.users[name] = nil
	for key, v := range maps.Clone(p.byKey) {
		if key.User == name {
			p.drop(v)
		}
	}
	for account, acc := range p.a.Accounts {
		if slices.Contains(acc.Coordinators, name) {
			c := p.account(account)
			c.Coordinators = slices.DeleteFunc(slices.Clone(c.Coordinators), func(u string) bool { return u == name })
		}
	}
}

func (p *accountPlan) deleteQOS() error {
	if err := p.nothingSaid(); err != nil {
		return err
	}
	for _, q := range p.a.QOSList() {
		if p.ask.Where.MatchesQOS(p.ask.Names, q) {
			p.out.QOS = append(p.out.QOS, q.Name)
		}
	}
	var defaults []AssocRow
	for _, v := range p.a.Ordered() {
		if v.DefaultQOS != "" && slices.Contains(p.out.QOS, v.DefaultQOS) {
			row := p.row(v)
			row.Parent = v.DefaultQOS // what the listing has in front
			defaults = append(defaults, row)
		}
	}
	if len(defaults) > 0 {
		return &AccountTrouble{Code: slurm.ErrnoError, Kind: TroubleDefaultQOS, Rows: defaults}
	}
	for _, name := range p.out.QOS {
		p.takeQOS(name)
		p.qos[name] = nil
		p.note("Remove QOS", fmt.Sprintf("id='%d'", p.a.QOS[name].ID), "")
	}
	return nil
}

func (p *accountPlan) deleteCoordinators() error {
	users, accounts := lowered(p.ask.Names), lowered(p.ask.Where.Accounts)
	if len(users)+len(accounts) == 0 {
		return &AccountTrouble{Code: slurm.ErrnoError, Kind: TroubleNoConditions}
	}
	for _, name := range slices.Sorted(maps.Keys(p.a.Accounts)) {
		if !hasFold(accounts, name) {
			continue
		}
		gone := func(u string) bool { return hasFold(users, u) }
		old := p.a.Accounts[name].Coordinators
		if !slices.ContainsFunc(old, gone) {
			continue
		}
		acc := p.account(name)
		for _, u := range old {
			if gone(u) {
				p.out.Coordinators = append(p.out.Coordinators, AssocRow{Account: name, User: u})
			}
		}
		acc.Coordinators = slices.DeleteFunc(slices.Clone(old), gone)
	}
	if len(p.out.Coordinators) > 0 {
		slices.SortStableFunc(p.out.Coordinators, func(x, y AssocRow) int {
			return cmp.Or(strings.Compare(x.Account, y.Account), strings.Compare(x.User, y.User))
		})
		var where []string
		for _, c := range [][2]any{{"user", users}, {"acct", accounts}} {
			if list := c[1].([]string); len(list) > 0 {
				where = append(where, anyOf(c[0].(string), list))
			}
		}
		p.note("Remove Account Coords", strings.Join(where, " && "), "")
	}
	return nil
}
