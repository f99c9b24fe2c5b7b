package sched

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/runink/rink/slurm"
)

// setWord is a word of the change with its definition.
type setWord struct {
	AccountWord
	def *WordDef
}

// Words that are of an account or a user rather than of an association.
var (
	accountOwnWords = []string{"Description", "Organization"}
	userOwnWords    = []string{"AdminLevel", "DefaultAccount", "DefaultWCKey", "NewName", "WCKeys"}
)

// words parts the change into what is of the entity itself, by name, and what is
// of associations, or of a QOS.
func (p *accountPlan) words(own []string, qos bool) (map[string]AccountWord, []setWord, error) {
	mine := map[string]AccountWord{}
	var rest []setWord
	for _, w := range p.ask.Set {
		if slices.Contains(own, w.Key) {
			mine[w.Key] = w
			continue
		}
		def := FindWord(qos, w.Key)
		if def == nil {
			return nil, nil, &AccountTrouble{Code: slurm.ErrnoError, Kind: TroubleUnknown, Name: w.Key + w.Op + w.Value}
		}
		rest = append(rest, setWord{w, def})
	}
	return mine, rest, nil
}

// setAssoc changes v, which must be the plan's own, as a word says. Where it
// stands in the tree is not changed here.
func (p *accountPlan) setAssoc(v *Assoc, w setWord) error {
	switch w.def.Name {
	case "DefaultQOS":
		name := strings.ToLower(w.Value)
		switch {
		case name == "-1":
			name = ""
		case p.a.QOS[name] == nil:
			return &AccountTrouble{Code: slurm.ErrnoInvalidQOS, Kind: TroubleNoQOS, Name: w.Value}
		}
		v.DefaultQOS = name
	case "FairShare":
		n, err := sharesValue(w.AccountWord)
		if err != nil {
			return err
		}
		v.Shares = n
	case "QosLevel":
		c, err := p.a.qosNames(w.AccountWord)
		switch {
		case err != nil:
			return err
		case c.whole && len(c.names) == 0:
			v.QOS, v.QOSDelta = nil, nil
		case c.whole:
			v.QOS, v.QOSDelta = c.names, nil
		case v.QOS != nil:
			v.QOS = changeNames(v.QOS, c.names)
		default:
			v.QOSDelta = changeDelta(v.QOSDelta, c.names)
		}
	case "Comment":
		v.Comment = w.Value
	case "Parent":
	default:
		taken, err := p.a.SetLimit(&v.Limits, w.def, w.AccountWord)
		if err != nil {
			return err
		}
		if !taken {
			return &AccountTrouble{Code: slurm.ErrnoError, Kind: TroubleUnknown, Name: w.Key + w.Op + w.Value}
		}
	}
	return nil
}

// changeDelta adds names with signs to a change of what the parent has; the last
// word on a name is the one that counts.
func changeDelta(delta, signed []string) []string {
	out := slices.Clone(delta)
	for _, w := range signed {
		out = slices.DeleteFunc(out, func(d string) bool { return strings.EqualFold(d[1:], w[1:]) })
		out = append(out, w)
	}
	return out
}

// lowered returns the names in small letters, each once, in order.
func lowered(names []string) []string {
	var out []string
	for _, n := range names {
		if n = strings.ToLower(n); n != "" && !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

func (p *accountPlan) addAccounts() error {
	own, words, err := p.words(accountOwnWords, false)
	if err != nil {
		return err
	}
	parent := RootAccount
	for _, w := range words {
		if w.def.Name == "Parent" && w.Value != "" {
			parent = strings.ToLower(w.Value)
		}
	}
	above := p.a.Own(parent)
	if above == nil {
		return &AccountTrouble{Code: slurm.ErrnoInvalidParentAccount, Kind: TroubleNoParent, Name: parent}
	}
	var added []*Assoc
	defer func() { asNamed(added) }()
	for _, name := range lowered(p.ask.Names) {
		if p.a.Accounts[name] != nil {
			continue
		}
		org := name
		if parent != RootAccount {
			org = parent
		}
		acc := &Account{Name: name, Description: cmp.Or(own["Description"].Value, name), Organization: cmp.Or(own["Organization"].Value, org)}
		p.accounts[name] = acc
		v := p.newAssoc(AssocKey{Account: name}, above.ID)
		added = append(added, v)
		for _, w := range words {
			if err := p.setAssoc(v, w); err != nil {
				return err
			}
		}
		row := p.row(v)
		p.out.Accounts = append(p.out.Accounts, name)
		p.out.Assocs = append(p.out.Assocs, row)
		p.note("Add Accounts", name, fmt.Sprintf("description='%s', organization='%s'", acc.Description, acc.Organization))
		p.note("Add Associations", fmt.Sprintf("id_assoc=%d", v.ID), fmt.Sprintf("acct='%s', parent_acct='%s', user=''%s", name, parent, p.columns(v, words)), row)
	}
	return nil
}

func (p *accountPlan) addUsers() error {
	own, words, err := p.words(userOwnWords, false)
	if err != nil {
		return err
	}
	accounts := lowered(p.ask.Where.Accounts)
	def := strings.ToLower(own["DefaultAccount"].Value)
	if def != "" && !slices.Contains(accounts, def) {
		accounts = append(accounts, def)
	}
	for _, name := range accounts {
		if p.a.Own(name) == nil {
			return &AccountTrouble{Code: slurm.ErrnoInvalidAccount, Kind: TroubleNoAccount, Name: name}
		}
	}
	partitions := lowered(p.ask.Where.Partitions)
	if len(partitions) == 0 {
		partitions = []string{""}
	}
	// Slurm puts new users into the tree before those it knows, so that these come
	// first; they are listed as they were named.
	users := lowered(p.ask.Names)
	order := slices.Clone(users)
	slices.SortStableFunc(order, func(x, y string) int { return known(p.a, x) - known(p.a, y) })
	places := map[string][]*Assoc{}
	for _, name := range order {
		places[name] = p.addUserTo(name, accounts, partitions)
	}
	for _, name := range users {
		added := places[name]
		if len(added) == 0 {
			if known(p.a, name) == 1 {
				p.giveWCKeys(name, own)
			}
			continue
		}
		if known(p.a, name) == 0 {
			u := &AccountUser{Name: name, Admin: adminLevel(own["AdminLevel"].Value)}
			p.users[name] = u
			p.out.Users = append(p.out.Users, name)
			p.note("Add Users", name, fmt.Sprintf("admin_level=%d", u.Admin+1))
		}
		p.giveWCKeys(name, own)
		if u := p.user(name); u.DefaultAccount == "" || def != "" && slices.ContainsFunc(added, func(v *Assoc) bool { return v.Key.Account == def }) {
			p.setDefaultAccount(u, cmp.Or(def, accounts[0]))
		}
		for _, v := range added {
			for _, w := range words {
				if err := p.setAssoc(v, w); err != nil {
					return err
				}
			}
			row := p.row(v)
			p.out.Assocs = append(p.out.Assocs, row)
			p.note("Add Associations", fmt.Sprintf("id_assoc=%d", v.ID),
				fmt.Sprintf("acct='%s', user='%s', `partition`='%s'%s", v.Key.Account, name, v.Key.Partition, p.columns(v, words)), row)
		}
	}
	return nil
}

// known is 1 for a user who is there, 0 for a new one.
func known(a *Accounts, user string) int {
	if a.Users[user] != nil {
		return 1
	}
	return 0
}

// addUserTo adds the associations of a user that are not there yet. What is added
// together stands in the order in which it was named.
func (p *accountPlan) addUserTo(name string, accounts, partitions []string) []*Assoc {
	var added []*Assoc
	for _, account := range accounts {
		first := len(added)
		for _, part := range partitions {
			key := AssocKey{Account: account, User: name, Partition: PartitionName(part)}
			if p.byKey[key] == nil {
				added = append(added, p.newAssoc(key, p.a.Own(account).ID))
			}
		}
		asNamed(added[first:])
	}
	return added
}

// asNamed has siblings that were added together stand in the order in which they
// were named: of those that come one by one the last stands first.
func asNamed(added []*Assoc) {
	for i, j := 0, len(added)-1; i < j; i, j = i+1, j-1 {
		added[i].Place, added[j].Place = added[j].Place, added[i].Place
	}
}

// giveWCKeys gives a user wckeys as they are asked for, and notes it.
func (p *accountPlan) giveWCKeys(name string, own map[string]AccountWord) {
	if own["WCKeys"].Value == "" && own["DefaultWCKey"].Value == "" {
		return
	}
	u := p.user(name)
	had := len(u.WCKeys)
	p.addWCKeys(u, own)
	for _, k := range u.WCKeys[had:] {
		p.out.WCKeys = append(p.out.WCKeys, WCKeyRow{User: name, Name: k.Name})
		p.note("Add WCKeys", name, fmt.Sprintf("wckey='%s'", k.Name), AssocRow{User: name})
	}
}

// addWCKeys gives a user wckeys, and the default one: the first ever, unless another is
// named.
func (p *accountPlan) addWCKeys(u *AccountUser, own map[string]AccountWord) {
	names := splitWords(own["WCKeys"].Value)
	if def := own["DefaultWCKey"].Value; def != "" {
		u.DefaultWCKey = def
		if !slices.Contains(names, def) {
			names = append(names, def)
		}
	}
	for _, name := range names {
		if !slices.ContainsFunc(u.WCKeys, func(k WCKey) bool { return k.Name == name }) {
			u.WCKeys = append(slices.Clip(u.WCKeys), WCKey{p.nextWCKey, name})
			p.nextWCKey++
		}
	}
	if u.DefaultWCKey == "" && len(u.WCKeys) > 0 {
		u.DefaultWCKey = u.WCKeys[0].Name
	}
}

// setDefaultAccount makes an account the one that a user's jobs are charged to
// when they name none. The user must be the plan's own.
func (p *accountPlan) setDefaultAccount(u *AccountUser, account string) {
	u.DefaultAccount = account
	for key, v := range p.byKey {
		if is := key.Account == account; key.User == u.Name && v.IsDefault != is {
			p.assoc(v).IsDefault = is
		}
	}
}

// adminLevel reads AdminLevel=, of which Slurm looks at the first letter alone.
func adminLevel(word string) AdminLevel {
	w := strings.ToLower(word)
	switch {
	case w == "":
		return AdminNone
	case w[0] == 'o':
		return AdminOperator
	case w[0] == 'a' || w[0] == 's': // administrator, superuser
		return AdminAdministrator
	}
	return AdminNone
}

// ParseAdminLevel reads AdminLevel=, of which a beginning is enough.
func ParseAdminLevel(word string) AdminLevel { return adminLevel(word) }

// String is the level as sacctmgr shows it.
func (l AdminLevel) String() string {
	switch l {
	case AdminOperator:
		return "Operator"
	case AdminAdministrator:
		return "Administrator"
	}
	return "None"
}

// columns tells the list of transactions what the words made of an association.
func (p *accountPlan) columns(v *Assoc, words []setWord) string {
	s := fmt.Sprintf(", shares=%d", v.Shares)
	if v.IsDefault {
		s += ", is_def=1"
	}
	for _, w := range words {
		if w.def.Name != "FairShare" && w.def.Name != "Parent" {
			s += ", " + p.column(w)
		}
	}
	return s
}

// column is one word as the list of transactions has it.
func (p *accountPlan) column(w setWord) string {
	name := w.def.Column
	if w.def.TRES != "" {
		name = strings.ToLower(w.def.Name)
	}
	value := w.Value
	switch {
	case value == "-1":
		value = "NULL"
	case w.def.Kind == WordText || w.def.Kind == WordTRES || w.def.Kind == WordQOS || w.def.Kind == WordFlags:
		value = "'" + value + "'"
	}
	return name + w.Op + value
}

func (p *accountPlan) addQOS() error {
	_, words, err := p.words(nil, true)
	if err != nil {
		return err
	}
	for _, name := range lowered(p.ask.Names) {
		if p.a.QOS[name] != nil {
			continue
		}
		q := NewQOS(p.nextQOS, name, name)
		p.nextQOS++
		p.qos[name] = q
		info := []string{}
		for _, w := range words {
			if err := p.setQOS(q, w); err != nil {
				return err
			}
			info = append(info, p.column(w))
		}
		p.out.QOS = append(p.out.QOS, name)
		p.note("Add QOS", name, strings.Join(info, ", "))
	}
	return nil
}

func (p *accountPlan) addCoordinators() error {
	users, accounts := lowered(p.ask.Names), lowered(p.ask.Where.Accounts)
	for _, name := range users {
		if p.a.Users[name] == nil {
			return &AccountTrouble{Code: slurm.ErrnoUserIDMissing, Kind: TroubleNoUser, Name: name}
		}
	}
	for _, name := range accounts {
		if p.a.Accounts[name] == nil {
			return &AccountTrouble{Code: slurm.ErrnoInvalidAccount, Kind: TroubleNoAccount, Name: name}
		}
	}
	for _, name := range accounts {
		acc := p.account(name)
		for _, user := range users {
			if !slices.Contains(acc.Coordinators, user) {
				acc.Coordinators = append(slices.Clip(acc.Coordinators), user)
			}
			p.out.Coordinators = append(p.out.Coordinators, AssocRow{Account: name, User: user})
			p.note("Add Account Coord", user, name)
		}
	}
	return nil
}
