package sched

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/runink/rink/slurm"
)

// named makes the names of the ask a condition on accounts or users.
func named(list, names []string) []string { return append(slices.Clone(list), names...) }

func (p *accountPlan) modifyAccounts() error {
	own, words, err := p.words(accountOwnWords, false)
	if err != nil {
		return err
	}
	where := p.ask.Where
	where.Accounts = named(where.Accounts, p.ask.Names)
	if !where.Here(p.cluster) {
		return nil
	}
	changed := map[AssocID]bool{}
	for _, v := range p.a.Ordered() {
		if v.Key.User != "" || !where.MatchesAccount(p.a, p.a.Accounts[v.Key.Account]) {
			continue
		}
		if len(own) > 0 {
			acc := p.account(v.Key.Account)
			for key, w := range own {
				switch key {
				case "Description":
					acc.Description = w.Value
				case "Organization":
					acc.Organization = w.Value
				}
			}
			p.out.Accounts = append(p.out.Accounts, acc.Name)
		}
		if len(words) > 0 {
			if err := p.modifyAssoc(v, words, changed); err != nil {
				return err
			}
		}
	}
	if len(p.out.Accounts) > 0 {
		slices.Sort(p.out.Accounts)
		var info []string
		for _, key := range slices.Sorted(maps.Keys(own)) {
			info = append(info, fmt.Sprintf("%s='%s'", strings.ToLower(key), own[key].Value))
		}
		p.note("Modify Accounts", anyOf("name", p.out.Accounts), strings.Join(info, ", "))
	}
	p.list(changed, words)
	return nil
}

// modifyAssoc changes an association and notes what else is changed by it: the
// users below that have none of their own of what an account passes on.
func (p *accountPlan) modifyAssoc(v *Assoc, words []setWord, changed map[AssocID]bool) error {
	for _, w := range words {
		if w.def.Name == "Parent" {
			if err := p.move(v, strings.ToLower(w.Value)); err != nil {
				return err
			}
		}
		if err := p.setAssoc(p.assoc(v), w); err != nil {
			return err
		}
		if w.def.Inherited && v.Key.User == "" {
			p.passOn(v.ID, w.def, changed)
		}
	}
	changed[v.ID] = true
	return nil
}

// passOn notes the users below an account that have what it has.
func (p *accountPlan) passOn(id AssocID, def *WordDef, changed map[AssocID]bool) {
	for _, v := range p.a.Children(id) {
		var has bool
		switch def.Name {
		case "QosLevel":
			has = v.QOS != nil
		case "DefaultQOS":
			has = v.DefaultQOS != ""
		default:
			has = !v.Limits.Unset(def)
		}
		switch {
		case has:
		case v.Key.User != "":
			changed[v.ID] = true
		default:
			p.passOn(v.ID, def, changed)
		}
	}
}

// move puts an account below another. One that is below it now takes its place
// first.
func (p *accountPlan) move(v *Assoc, parent string) error {
	above := p.a.Own(parent)
	switch {
	case above == nil:
		return &AccountTrouble{Code: slurm.ErrnoInvalidParentAccount, Kind: TroubleNoParent, Name: parent}
	case v.Key.User != "" || v.Parent == 0 || above.ID == v.ID:
		return &AccountTrouble{Code: slurm.ErrnoInvalidParentAccount, Kind: TroubleNoParent, Name: parent}
	case p.assoc(v).Parent == above.ID:
		return nil
	}
	if slices.Contains(p.a.Chain(above), v) {
		p.put(above, v.Parent)
	}
	p.put(v, above.ID)
	return nil
}

// put makes an association the first below another.
func (p *accountPlan) put(v *Assoc, parent AssocID) {
	c := p.assoc(v)
	c.Parent, c.Place = parent, p.nextPlace
	p.nextPlace++
}

// list tells which associations have changed, in the tree's order.
func (p *accountPlan) list(changed map[AssocID]bool, words []setWord) {
	if len(changed) == 0 {
		return
	}
	var ids []string
	for _, v := range p.a.Ordered() {
		if changed[v.ID] {
			p.out.Assocs = append(p.out.Assocs, p.row(v))
			if p.assocs[v.ID] != nil {
				ids = append(ids, fmt.Sprintf("id_assoc=%d", v.ID))
			}
		}
	}
	var info []string
	for _, w := range words {
		info = append(info, p.column(w))
	}
	p.note("Modify Associations", "("+strings.Join(ids, " || ")+")", strings.Join(info, ", "), p.out.Assocs...)
}

// anyOf writes (key='a' || key='b').
func anyOf(key string, list []string) string {
	out := make([]string, len(list))
	for i, n := range list {
		out[i] = fmt.Sprintf("%s='%s'", key, n)
	}
	return "(" + strings.Join(out, " || ") + ")"
}

func (p *accountPlan) modifyUsers() error {
	own, words, err := p.words(userOwnWords, false)
	if err != nil {
		return err
	}
	where := p.ask.Where
	where.Users = named(where.Users, p.ask.Names)
	if !where.Here(p.cluster) {
		return nil
	}
	changed := map[AssocID]bool{}
	if len(words) > 0 {
		for _, v := range p.a.Ordered() {
			if v.Key.User == "" || !where.MatchesAssoc(p.a, v) || !where.MatchesUser(p.a, p.a.Users[v.Key.User]) {
				continue
			}
			if err := p.modifyAssoc(v, words, changed); err != nil {
				return err
			}
		}
	}
	p.list(changed, words)
	if len(own) > 0 {
		return p.modifyUsersThemselves(&where, own)
	}
	return nil
}

// modifyUsersThemselves changes what is of users and not of associations.
func (p *accountPlan) modifyUsersThemselves(where *AccountWhere, own map[string]AccountWord) error {
	var meant []string
	for _, name := range slices.Sorted(maps.Keys(p.a.Users)) {
		if where.MatchesUser(p.a, p.a.Users[name]) && (!where.placed() || p.isIn(name, where)) {
			meant = append(meant, name)
		}
	}
	if w, ok := own["DefaultWCKey"]; ok {
		var out []AssocRow
		for _, name := range meant {
			if !slices.ContainsFunc(p.a.Users[name].WCKeys, func(k WCKey) bool { return k.Name == w.Value }) {
				out = append(out, AssocRow{User: name})
			}
		}
		if len(out) > 0 {
			return &AccountTrouble{Code: slurm.ErrnoInvalidWCKey, Kind: TroubleNotOfUser, Name: w.Value, Rows: out}
		}
	}
	if w, ok := own["DefaultAccount"]; ok {
		account := strings.ToLower(w.Value)
		var out []AssocRow
		for _, name := range meant {
			if !slices.ContainsFunc(slices.Collect(maps.Keys(p.byKey)), func(k AssocKey) bool { return k.User == name && k.Account == account }) {
				out = append(out, AssocRow{User: name})
			}
		}
		if len(out) > 0 {
			return &AccountTrouble{Code: slurm.ErrnoInvalidAccount, Kind: TroubleNotIn, Name: account, Rows: out}
		}
	}
	var info []string
	for _, key := range slices.Sorted(maps.Keys(own)) {
		info = append(info, fmt.Sprintf("%s='%s'", strings.ToLower(key), own[key].Value))
	}
	for _, name := range meant {
		u := p.user(name)
		for key, w := range own {
			switch key {
			case "AdminLevel":
				u.Admin = adminLevel(w.Value)
			case "DefaultAccount":
				p.setDefaultAccount(u, strings.ToLower(w.Value))
			case "DefaultWCKey", "WCKeys":
				p.addWCKeys(u, map[string]AccountWord{key: w})
			}
		}
		p.out.Users = append(p.out.Users, name)
	}
	if w, ok := own["NewName"]; ok && len(meant) > 0 {
		if err := p.rename(meant, strings.ToLower(w.Value)); err != nil {
			return err
		}
	}
	if len(meant) > 0 {
		p.note("Modify Users", anyOf("name", meant), strings.Join(info, ", "))
	}
	return nil
}

// isIn reports whether a user has an association that is meant.
func (p *accountPlan) isIn(user string, where *AccountWhere) bool {
	for _, v := range p.a.ByID {
		if v.Key.User == user && where.MatchesAssoc(p.a, v) {
			return true
		}
	}
	return false
}

// rename gives the one user that is meant another name, everywhere.
func (p *accountPlan) rename(meant []string, to string) error {
	if len(meant) > 1 || to == "" || p.a.Users[to] != nil {
		return &AccountTrouble{Code: slurm.ErrnoError, Kind: TroubleTaken, Name: to}
	}
	old := meant[0]
	u := p.user(old)
	u.Name = to
	p.users[old], p.users[to] = nil, u
	for key, v := range maps.Clone(p.byKey) {
		if key.User == old {
			c := p.assoc(v)
			delete(p.byKey, key)
			c.Key.User = to
			p.byKey[c.Key] = c
		}
	}
	for name, acc := range p.a.Accounts {
		if i := slices.Index(acc.Coordinators, old); i >= 0 {
			c := p.account(name)
			c.Coordinators = slices.Clone(c.Coordinators)
			c.Coordinators[i] = to
		}
	}
	return nil
}

func (p *accountPlan) modifyCluster() error {
	_, words, err := p.words(nil, false)
	if err != nil {
		return err
	}
	where := p.ask.Where
	where.Clusters = named(where.Clusters, p.ask.Names)
	if !where.Here(p.cluster) {
		return nil
	}
	root := p.a.Own(RootAccount)
	changed := map[AssocID]bool{}
	for _, w := range words {
		if w.def.Name == "Parent" {
			return &AccountTrouble{Code: slurm.ErrnoError, Kind: TroubleUnknown, Name: w.Key + w.Op + w.Value}
		}
	}
	if err := p.modifyAssoc(root, words, changed); err != nil {
		return err
	}
	p.list(changed, words)
	return nil
}

func (p *accountPlan) modifyQOS() error {
	_, words, err := p.words(nil, true)
	if err != nil {
		return err
	}
	for _, old := range p.a.QOSList() {
		if !p.ask.Where.MatchesQOS(p.ask.Names, old) {
			continue
		}
		q := *old
		p.qos[old.Name] = &q
		var info []string
		for _, w := range words {
			if err := p.setQOS(&q, w); err != nil {
				return err
			}
			info = append(info, p.column(w))
		}
		p.out.QOS = append(p.out.QOS, old.Name)
		p.note("Modify QOS", anyOf("name", []string{old.Name}), strings.Join(info, ", "))
	}
	return nil
}

// takeQOS takes a QOS out wherever it stands.
func (p *accountPlan) takeQOS(old string) {
	change := func(list []string, sign string) []string {
		return slices.DeleteFunc(slices.Clone(list), func(n string) bool { return strings.TrimLeft(n, sign) == old })
	}
	for _, v := range p.byKey {
		if !slices.Contains(v.QOS, old) && !slices.Contains(trimSigns(v.QOSDelta), old) && v.DefaultQOS != old {
			continue
		}
		c := p.assoc(v)
		if c.QOS = change(c.QOS, ""); len(c.QOS) == 0 {
			c.QOS = nil
		}
		c.QOSDelta = change(c.QOSDelta, "+-")
		if len(c.QOSDelta) == 0 {
			c.QOSDelta = nil
		}
		if c.DefaultQOS == old {
			c.DefaultQOS = ""
		}
	}
	for name, q := range p.a.QOS {
		if planned, ok := p.qos[name]; ok {
			q = planned
		}
		if q != nil && slices.Contains(q.Preempt, old) {
			c := *q
			c.Preempt = change(c.Preempt, "")
			p.qos[name] = &c
		}
	}
}

// preemptModes are what a QOS may say of those it preempts.
var preemptModes = []string{"cluster", "cancel", "gang", "requeue", "suspend", "within"}

// IsPreemptMode reports whether a word is one of them.
func IsPreemptMode(word string) bool {
	word = strings.ToLower(word)
	return word == "off" || slices.Contains(preemptModes, word)
}

// preemptMode reads PreemptMode=; off is what the cluster does.
func preemptMode(word string) (mode string, ok bool) {
	mode = strings.ToLower(word)
	if mode == "off" {
		mode = "cluster"
	}
	return mode, slices.Contains(preemptModes, mode)
}

// setQOS changes q, which must be the plan's own, as a word says.
func (p *accountPlan) setQOS(q *QOS, w setWord) error {
	switch w.def.Name {
	case "Description":
		q.Description = w.Value
	case "Flags":
		flags, err := qosFlags(q.Flags, w.AccountWord)
		if err != nil {
			return err
		}
		q.Flags = flags
	case "GraceTime":
		n, err := countValue(w.def, w.AccountWord)
		if err != nil {
			return err
		}
		q.GraceTime = slurm.Duration(max(n, 0))
	case "Priority":
		n, err := countValue(w.def, w.AccountWord)
		if err != nil {
			return err
		}
		q.Priority = uint32(max(n, 0))
	case "PreemptExemptTime":
		d, err := wallValue(w.def, w.AccountWord)
		if err != nil {
			return err
		}
		q.PreemptExempt = max(d, 0)
	case "PreemptMode":
		mode, ok := preemptMode(w.Value)
		if !ok {
			return badWord(w.AccountWord, " Bad Preempt Mode given: %s%s%s", strings.ToLower(w.Key), w.Op, w.Value)
		}
		q.PreemptMode = mode
	case "Preempt":
		return p.setPreempt(q, w)
	case "UsageFactor", "UsageThreshold", "LimitFactor":
		f, err := floatValue(w.def, w.AccountWord)
		if err != nil {
			return err
		}
		switch {
		case w.def.Name == "UsageThreshold":
			q.UsageThreshold = f
		case w.def.Name == "LimitFactor":
			q.LimitFactor = max(f, 0)
		case f < 0:
			q.UsageFactor = 1
		default:
			q.UsageFactor = f
		}
	default:
		taken, err := p.a.SetLimit(&q.Limits, w.def, w.AccountWord)
		if err != nil {
			return err
		}
		if !taken {
			return &AccountTrouble{Code: slurm.ErrnoError, Kind: TroubleUnknown, Name: w.Key + w.Op + w.Value}
		}
	}
	return nil
}

// setPreempt says whom a QOS may preempt; QOS that preempt each other are refused.
func (p *accountPlan) setPreempt(q *QOS, w setWord) error {
	c, err := p.a.qosNames(w.AccountWord)
	switch {
	case err != nil:
		return err
	case c.whole:
		q.Preempt = c.names
	default:
		q.Preempt = changeNames(q.Preempt, c.names)
	}
	slices.Sort(q.Preempt)
	if len(q.Preempt) == 0 {
		q.Preempt = nil
	}
	seen := map[string]bool{}
	var loops func(list []string) bool
	loops = func(list []string) bool {
		for _, n := range list {
			if n == q.Name {
				return true
			}
			if !seen[n] {
				seen[n] = true
				if loops(p.a.QOS[n].Preempt) {
					return true
				}
			}
		}
		return false
	}
	if loops(q.Preempt) {
		return slurm.ErrnoQOSPreemptionLoop
	}
	return nil
}

// qosFlags reads Flags=, in the order in which Slurm lists them.
func qosFlags(old []string, w AccountWord) ([]string, error) {
	if w.Value == "-1" {
		return nil, nil
	}
	var given []string
	for _, word := range splitWords(w.Value) {
		at := slices.IndexFunc(QOSFlags, func(f string) bool {
			return len(word) >= min(len(f), 4) && len(word) <= len(f) && strings.EqualFold(f[:len(word)], word)
		})
		if at < 0 {
			return nil, badWord(w, " Unknown QOS flag used in:\n  '%s'\n Valid QOS flags are\n  '%s'", w.Value, strings.Join(QOSFlags, ","))
		}
		given = append(given, QOSFlags[at])
	}
	has := map[string]bool{}
	if w.Op != "=" {
		for _, f := range old {
			has[f] = true
		}
	}
	for _, f := range given {
		has[f] = w.Op != "-="
	}
	var out []string
	for _, f := range QOSFlags {
		if has[f] {
			out = append(out, f)
		}
	}
	return out, nil
}
