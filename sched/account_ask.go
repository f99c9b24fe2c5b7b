package sched

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/runink/rink/slurm"
)

// AccountAsk is a change of the accounts as sacctmgr asks for it.
type AccountAsk struct {
	Verb   string // "add", "modify" or "delete"
	Entity string // "account", "user", "qos", "coordinator", "cluster" or "resource"
	Names  []string
	Where  AccountWhere
	Set    []AccountWord
}

// AccountWhere says which accounts, users or associations are meant; a list that
// is empty rules out nothing. To add users it says where.
type AccountWhere struct {
	Accounts, Users, Clusters, Partitions, Parents []string
	Descriptions, Organizations, QOS, PreemptModes []string
	DefaultAccounts, DefaultQOS, DefaultWCKeys     []string
	WCKeys                                         []string // to delete: these of the users, and not the users
	Admins                                         []AdminLevel
	Servers, ServerTypes                           []string
	IDs                                            []uint32
}

// AccountsOutcome is what a change comes to, as sacctmgr lists it.
type AccountsOutcome struct {
	Accounts, Users, QOS []string   // added, changed or deleted by name
	Assocs               []AssocRow // added, changed or deleted
	Orphans              []string   // users deleted because no association is left
	Coordinators         []AssocRow // rows of a user and an account
	Resources            []ResourceRow
	WCKeys               []WCKeyRow // given to users or taken from them
	Notes                []Transaction
}

// WCKeyRow names a wckey of a user.
type WCKeyRow struct{ User, Name string }

// AssocRow names an association in a listing.
type AssocRow struct {
	ID                               AssocID
	Account, Parent, User, Partition string
}

// AccountTrouble is a refusal with the associations that it is about.
type AccountTrouble struct {
	Code slurm.Errno // what Slurm answers; its text may say less than Kind
	Kind TroubleKind
	Name string // what was named and is not there
	Rows []AssocRow
}

// TroubleKind says what stands in the way of a change.
type TroubleKind uint8

// The kinds of trouble.
const (
	TroubleNoAccount       TroubleKind = iota + 1 // there is no such account
	TroubleNoParent                               // there is no such parent account
	TroubleNoUser                                 // there is no such user
	TroubleNoCluster                              // there is no such cluster
	TroubleNoQOS                                  // there is no such QOS
	TroubleRoot                                   // the root account stays
	TroubleDefaultAccount                         // it is the default account of users
	TroubleNotIn                                  // users are not in what is to be their default account
	TroubleDefaultQOS                             // it is the default QOS of associations
	TroubleQOSAccess                              // associations may not use what is to be their default QOS
	TroubleJobs                                   // jobs are charged to it
	TroubleTaken                                  // the name is another's
	TroubleNoConditions                           // everything would go
	TroubleUnknown                                // a word that means nothing here
	TroubleOwnAlone                               // people change their own default account and wckey, nobody else's
	TroubleNothingAllowed                         // nothing of what is to be changed is theirs to change
	TroubleNotOfUser                              // users do not have what is to be their default wckey
	TroubleResourceNeeds                          // a new resource lacks a word; Name is that word and the resource, NUL between them
	TroubleResourcePercent                        // clusters would have more than there is; Name is the resource and the part, NUL between them
	TroubleResourceOver                           // the same of a change; Name is the resources, commas between them, and the part
	TroubleAdminLevel                             // who may do what, administrators alone say
)

func (e *AccountTrouble) Error() string {
	if e.Name != "" {
		return fmt.Sprintf("%s: %s", e.Code.Error(), e.Name)
	}
	return e.Code.Error()
}

// Unwrap returns the Errno, so that errors.Is and errors.As find it.
func (e *AccountTrouble) Unwrap() error { return e.Code }

// Ask works out what a change comes to: the edit that makes it, and what sacctmgr
// lists. An outcome that lists nothing changes nothing. Who may ask is decided by
// MayAsk.
func (a *Accounts) Ask(ask AccountAsk, cluster string, now time.Time) (AccountsEdit, AccountsOutcome, error) {
	p := &accountPlan{a: a, ask: ask, cluster: cluster, now: now,
		accounts: map[string]*Account{}, users: map[string]*AccountUser{}, assocs: map[AssocID]*Assoc{}, qos: map[string]*QOS{}, resources: map[uint32]*Resource{},
		byKey:     maps.Clone(a.Assocs),
		nextAssoc: a.NextAssoc, nextQOS: a.NextQOS, nextWCKey: a.NextWCKey, nextPlace: a.NextPlace, nextResource: max(a.NextResource, 1),
	}
	do := map[string]func() error{
		"add account": p.addAccounts, "add user": p.addUsers, "add qos": p.addQOS, "add coordinator": p.addCoordinators,
		"modify account": p.modifyAccounts, "modify user": p.modifyUsers, "modify qos": p.modifyQOS, "modify cluster": p.modifyCluster,
		"add resource": p.addResources, "modify resource": p.modifyResources, "delete resource": p.deleteResources,
		"delete account": p.deleteAccounts, "delete user": p.deleteUsers, "delete qos": p.deleteQOS, "delete coordinator": p.deleteCoordinators,
	}[ask.Verb+" "+ask.Entity]
	if do == nil {
		return AccountsEdit{}, AccountsOutcome{}, fmt.Errorf("cannot %s a %s: %w", ask.Verb, ask.Entity, slurm.ErrnoNotSupported)
	}
	for _, c := range ask.Where.Clusters {
		if (ask.Verb == "add" || ask.Entity == "resource") && !strings.EqualFold(c, cluster) {
			return AccountsEdit{}, AccountsOutcome{}, &AccountTrouble{Code: slurm.ErrnoError, Kind: TroubleNoCluster, Name: c}
		}
	}
	if err := do(); err != nil {
		return AccountsEdit{}, p.out, err
	}
	return p.edit(), p.out, nil
}

// accountPlan gathers the rows that a change puts and drops.
type accountPlan struct {
	a       *Accounts
	ask     AccountAsk
	cluster string
	now     time.Time
	out     AccountsOutcome

	// Rows as they will be; nil for those that go.
	accounts  map[string]*Account
	users     map[string]*AccountUser
	assocs    map[AssocID]*Assoc
	qos       map[string]*QOS
	resources map[uint32]*Resource
	byKey     map[AssocKey]*Assoc // all associations as they will be

	nextAssoc          AssocID
	nextQOS, nextWCKey uint32
	nextPlace          uint32
	nextResource       uint32
}

// edit is the change as rows.
func (p *accountPlan) edit() AccountsEdit {
	e := AccountsEdit{Base: p.a.Version, Put: AccountTables{NextAssoc: p.nextAssoc, NextQOS: p.nextQOS, NextWCKey: p.nextWCKey, NextPlace: p.nextPlace}}
	if len(p.resources) > 0 {
		e.Put.NextResource = p.nextResource
	}
	for _, id := range slices.Sorted(maps.Keys(p.resources)) {
		if v := p.resources[id]; v != nil {
			e.Put.Resources = append(e.Put.Resources, v)
		} else {
			e.DropResources = append(e.DropResources, id)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.accounts)) {
		if v := p.accounts[name]; v != nil {
			e.Put.Accounts = append(e.Put.Accounts, v)
		} else {
			e.DropAccounts = append(e.DropAccounts, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.users)) {
		if v := p.users[name]; v != nil {
			e.Put.Users = append(e.Put.Users, v)
		} else {
			e.DropUsers = append(e.DropUsers, name)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(p.assocs)) {
		if v := p.assocs[id]; v != nil {
			e.Put.Assocs = append(e.Put.Assocs, v)
		} else {
			e.DropAssocs = append(e.DropAssocs, id)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.qos)) {
		if v := p.qos[name]; v != nil {
			e.Put.QOS = append(e.Put.QOS, v)
		} else {
			e.DropQOS = append(e.DropQOS, name)
		}
	}
	return e
}

// account returns the row of an account as it will be, free to change; nil when
// there is none.
func (p *accountPlan) account(name string) *Account {
	if v, ok := p.accounts[name]; ok {
		return v
	}
	v := p.a.Accounts[name]
	if v == nil {
		return nil
	}
	c := *v
	p.accounts[name] = &c
	return &c
}

// user is account for users.
func (p *accountPlan) user(name string) *AccountUser {
	if v, ok := p.users[name]; ok {
		return v
	}
	v := p.a.Users[name]
	if v == nil {
		return nil
	}
	c := *v
	p.users[name] = &c
	return &c
}

// assoc is account for associations that are there.
func (p *accountPlan) assoc(v *Assoc) *Assoc {
	if c := p.assocs[v.ID]; c != nil {
		return c
	}
	c := *v
	c.Modified = p.now
	p.assocs[v.ID], p.byKey[c.Key] = &c, &c
	return &c
}

// newAssoc adds an association.
func (p *accountPlan) newAssoc(key AssocKey, parent AssocID) *Assoc {
	v := &Assoc{ID: p.nextAssoc, Key: key, Parent: parent, Shares: 1, Limits: NoLimits(), Created: p.now, Modified: p.now, Place: p.nextPlace}
	p.nextAssoc++
	p.nextPlace++
	p.assocs[v.ID], p.byKey[key] = v, v
	return v
}

// drop takes an association away.
func (p *accountPlan) drop(v *Assoc) {
	p.assocs[v.ID] = nil
	delete(p.byKey, v.Key)
}

func (p *accountPlan) note(action, where, info string, rows ...AssocRow) {
	n := Transaction{Action: action, Where: where, Info: info}
	for _, r := range rows {
		n.Clusters = []string{p.cluster}
		if r.Account != "" && !slices.Contains(n.Accounts, r.Account) {
			n.Accounts = append(n.Accounts, r.Account)
		}
		if r.User != "" && !slices.Contains(n.Users, r.User) {
			n.Users = append(n.Users, r.User)
		}
	}
	p.out.Notes = append(p.out.Notes, n)
}

// row is how a listing names an association.
func (p *accountPlan) row(v *Assoc) AssocRow {
	r := AssocRow{ID: v.ID, Account: v.Key.Account, User: v.Key.User, Partition: string(v.Key.Partition)}
	if parent := p.a.ByID[v.Parent]; parent != nil && v.Key.User == "" {
		r.Parent = parent.Key.Account
	}
	return r
}

// hasFold reports whether a list is empty or names something.
func hasFold(list []string, name string) bool {
	return len(list) == 0 || slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, name) })
}

// Here reports whether the conditions leave this cluster in.
func (w *AccountWhere) Here(cluster string) bool { return hasFold(w.Clusters, cluster) }

// MatchesAccount reports whether an account is meant, by name, text and parent.
func (w *AccountWhere) MatchesAccount(a *Accounts, acc *Account) bool {
	own := a.Own(acc.Name)
	if own == nil {
		return false
	}
	parent := ""
	if v := a.ByID[own.Parent]; v != nil {
		parent = v.Key.Account
	}
	return hasFold(w.Accounts, acc.Name) && hasFold(w.Descriptions, acc.Description) && hasFold(w.Organizations, acc.Organization) &&
		hasFold(w.Parents, parent) && w.matchesQOS(a, own)
}

// MatchesUser reports whether a user is meant.
func (w *AccountWhere) MatchesUser(a *Accounts, u *AccountUser) bool {
	return hasFold(w.Users, u.Name) && (len(w.Admins) == 0 || slices.Contains(w.Admins, u.Admin)) &&
		hasFold(w.DefaultAccounts, u.DefaultAccount) && hasFold(w.DefaultWCKeys, u.DefaultWCKey)
}

// MatchesAssoc reports whether an association is meant.
func (w *AccountWhere) MatchesAssoc(a *Accounts, v *Assoc) bool {
	if !hasFold(w.Accounts, v.Key.Account) || len(w.IDs) > 0 && !slices.Contains(w.IDs, uint32(v.ID)) {
		return false
	}
	if len(w.Users) > 0 && !(v.Key.User == "" && slices.Contains(w.Users, "")) && (v.Key.User == "" || !hasFold(w.Users, v.Key.User)) {
		return false
	}
	if len(w.Partitions) > 0 && (v.Key.Partition == "" || !hasFold(w.Partitions, string(v.Key.Partition))) {
		return false
	}
	if len(w.Parents) > 0 {
		parent := a.ByID[v.Parent]
		if v.Key.User != "" || parent == nil || !hasFold(w.Parents, parent.Key.Account) {
			return false
		}
	}
	return w.matchesQOS(a, v)
}

func (w *AccountWhere) matchesQOS(a *Accounts, v *Assoc) bool {
	if len(w.DefaultQOS) > 0 && !hasFold(w.DefaultQOS, cmp.Or(a.DefaultQOSOf(v), "\x00")) {
		return false
	}
	// What is inherited is not looked at.
	return len(w.QOS) == 0 || slices.ContainsFunc(v.QOS, func(q string) bool { return hasFold(w.QOS, strings.TrimLeft(q, "+-")) })
}

// MatchesQOS reports whether a QOS is meant.
func (w *AccountWhere) MatchesQOS(names []string, q *QOS) bool {
	return hasFold(names, q.Name) && hasFold(w.Descriptions, q.Description) && (len(w.IDs) == 0 || slices.Contains(w.IDs, q.ID)) &&
		hasFold(w.PreemptModes, q.PreemptMode)
}

// bare reports whether there is no condition at all.
func (w *AccountWhere) bare() bool {
	return len(w.Accounts)+len(w.Users)+len(w.Clusters)+len(w.Partitions)+len(w.Parents)+len(w.Descriptions)+len(w.Organizations)+
		len(w.QOS)+len(w.PreemptModes)+len(w.DefaultAccounts)+len(w.DefaultQOS)+len(w.DefaultWCKeys)+len(w.WCKeys)+len(w.Admins)+len(w.IDs) == 0
}

// placed reports whether the conditions say where in the tree, so that
// associations are meant and not the users themselves.
func (w *AccountWhere) placed() bool { return len(w.Accounts)+len(w.Partitions) > 0 }
