package sched

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/runink/rink/slurm"
)

// RootAccount is the account that every other one is below of.
const RootAccount = "root"

// firstSiteTRES is the first id of a kind that a site adds.
const firstSiteTRES = 1001

// builtinTRES are the kinds that every cluster counts, by id from 1 on.
var builtinTRES = []TRESKind{
	{1, "cpu", ""}, {2, "mem", ""}, {3, "energy", ""}, {4, "node", ""},
	{5, "billing", ""}, {6, "fs", "disk"}, {7, "vmem", ""}, {8, "pages", ""},
}

// NewAccounts is the tree a cluster begins with: the account root with the user
// root, who administers, and the QOS normal.
func NewAccounts() *Accounts {
	a, err := AccountsOf(AccountTables{
		Accounts: []*Account{{Name: RootAccount, Description: "default root account", Organization: "root"}},
		Users:    []*AccountUser{{Name: "root", DefaultAccount: RootAccount, Admin: AdminAdministrator}},
		Assocs: []*Assoc{
			{ID: 1, Key: AssocKey{Account: RootAccount}, Shares: 1, Limits: NoLimits(), QOS: []string{"normal"}, Place: 1},
			{ID: 2, Key: AssocKey{Account: RootAccount, User: "root"}, Parent: 1, Shares: 1, Limits: NoLimits(), IsDefault: true, Place: 2},
		},
		QOS:       []*QOS{NewQOS(1, "normal", "Normal QOS default")},
		TRES:      slices.Clone(builtinTRES),
		NextAssoc: 3, NextQOS: 2, NextWCKey: 1, NextPlace: 3,
	})
	if err != nil {
		panic("the tree a cluster begins with is wrong: " + err.Error())
	}
	return a
}

// NewQOS is a QOS that changes nothing.
func NewQOS(id uint32, name, description string) *QOS {
	return &QOS{ID: id, Name: name, Description: description, Limits: NoLimits(), PreemptMode: "cluster", UsageFactor: 1, UsageThreshold: NoLimit}
}

// AccountTables is Accounts as lists, each in the order of its ids or names: as it
// is stored and sent.
type AccountTables struct {
	Accounts  []*Account
	Users     []*AccountUser
	Assocs    []*Assoc
	QOS       []*QOS
	TRES      []TRESKind
	Resources []*Resource

	NextAssoc    AssocID
	NextQOS      uint32
	NextWCKey    uint32
	NextPlace    uint32
	NextResource uint32
	Version      uint64
}

// Tables returns a as lists. What they point to is shared with a.
func (a *Accounts) Tables() AccountTables {
	t := AccountTables{
		TRES: a.TRES, NextAssoc: a.NextAssoc, NextQOS: a.NextQOS, NextWCKey: a.NextWCKey, NextPlace: a.NextPlace, Version: a.Version,
		NextResource: a.NextResource, Resources: a.ResourceList(),
	}
	for _, name := range slices.Sorted(maps.Keys(a.Accounts)) {
		t.Accounts = append(t.Accounts, a.Accounts[name])
	}
	for _, name := range slices.Sorted(maps.Keys(a.Users)) {
		t.Users = append(t.Users, a.Users[name])
	}
	for _, id := range slices.Sorted(maps.Keys(a.ByID)) {
		t.Assocs = append(t.Assocs, a.ByID[id])
	}
	t.QOS = a.QOSList()
	return t
}

// QOSList returns the QOS in the order of their ids.
func (a *Accounts) QOSList() []*QOS {
	list := slices.Collect(maps.Values(a.QOS))
	slices.SortFunc(list, func(x, y *QOS) int { return cmp.Compare(x.ID, y.ID) })
	return list
}

// AccountsShown builds Accounts of tables of which some rows may have been left
// out, to look at.
func AccountsShown(t AccountTables) *Accounts {
	a := &Accounts{
		Accounts: make(map[string]*Account, len(t.Accounts)), Users: make(map[string]*AccountUser, len(t.Users)),
		Assocs: make(map[AssocKey]*Assoc, len(t.Assocs)), ByID: make(map[AssocID]*Assoc, len(t.Assocs)),
		QOS: make(map[string]*QOS, len(t.QOS)), TRES: t.TRES,
		NextAssoc: t.NextAssoc, NextQOS: t.NextQOS, NextWCKey: t.NextWCKey, NextPlace: t.NextPlace, Version: t.Version,
		NextResource: t.NextResource,
	}
	a.put(t)
	return a
}

// AccountsOf builds Accounts of its tables, and says what is wrong with them.
func AccountsOf(t AccountTables) (*Accounts, error) {
	a := AccountsShown(t)
	switch {
	case len(a.Resources) != len(t.Resources), len(a.Accounts) != len(t.Accounts), len(a.Users) != len(t.Users), len(a.QOS) != len(t.QOS),
		len(a.Assocs) != len(t.Assocs), len(a.ByID) != len(t.Assocs):
		return nil, errors.New("cannot use the accounts: a name or number is there twice")
	}
	if err := a.Check(); err != nil {
		return nil, err
	}
	return a, nil
}

// put writes the rows of t into a's tables, which must be a's own.
func (a *Accounts) put(t AccountTables) {
	for _, v := range t.Accounts {
		a.Accounts[v.Name] = v
	}
	for _, v := range t.Users {
		a.Users[v.Name] = v
	}
	for _, v := range t.Assocs {
		if old := a.ByID[v.ID]; old != nil {
			delete(a.Assocs, old.Key)
		}
		a.Assocs[v.Key], a.ByID[v.ID] = v, v
	}
	for _, v := range t.QOS {
		for name, old := range a.QOS { // renamed
			if old.ID == v.ID && name != v.Name {
				delete(a.QOS, name)
			}
		}
		a.QOS[v.Name] = v
	}
	if len(t.Resources) > 0 && a.Resources == nil {
		a.Resources = make(map[uint32]*Resource, len(t.Resources))
	}
	for _, v := range t.Resources {
		a.Resources[v.ID] = v
	}
}

// AccountsEdit is a change of Accounts: rows that take the place of those with the
// same name or id, and rows that go. It was made on the version Base and holds
// for no other.
type AccountsEdit struct {
	Base          uint64
	Put           AccountTables // its TRES and Version are not used
	DropAccounts  []string
	DropUsers     []string
	DropAssocs    []AssocID
	DropQOS       []string
	DropResources []uint32
}

// IsZero reports whether the edit changes nothing.
func (e *AccountsEdit) IsZero() bool {
	return len(e.Put.Accounts)+len(e.Put.Users)+len(e.Put.Assocs)+len(e.Put.QOS)+len(e.Put.Resources)+len(e.DropResources)+
		len(e.DropAccounts)+len(e.DropUsers)+len(e.DropAssocs)+len(e.DropQOS) == 0
}

// ErrAccountsChanged is the error of an edit made on another version than there
// is.
var ErrAccountsChanged = errors.New("the accounts have changed meanwhile")

// With returns a with an edit made to it, as of a version; a stays as it is. An
// edit that would leave the tables wrong is refused.
func (a *Accounts) With(e AccountsEdit, version uint64) (*Accounts, error) {
	if e.Base != a.Version {
		return nil, fmt.Errorf("an edit of version %d, there is %d: %w", e.Base, a.Version, ErrAccountsChanged)
	}
	next := &Accounts{
		Accounts: maps.Clone(a.Accounts), Users: maps.Clone(a.Users), Assocs: maps.Clone(a.Assocs), ByID: maps.Clone(a.ByID), QOS: maps.Clone(a.QOS),
		TRES: a.TRES, NextAssoc: max(a.NextAssoc, e.Put.NextAssoc), NextQOS: max(a.NextQOS, e.Put.NextQOS),
		NextWCKey: max(a.NextWCKey, e.Put.NextWCKey), NextPlace: max(a.NextPlace, e.Put.NextPlace), Version: version,
		Resources: maps.Clone(a.Resources), NextResource: max(a.NextResource, e.Put.NextResource),
	}
	for _, id := range e.DropAssocs {
		if v := next.ByID[id]; v != nil {
			delete(next.Assocs, v.Key)
			delete(next.ByID, id)
		}
	}
	for _, name := range e.DropAccounts {
		delete(next.Accounts, name)
	}
	for _, name := range e.DropUsers {
		delete(next.Users, name)
	}
	for _, name := range e.DropQOS {
		delete(next.QOS, name)
	}
	for _, id := range e.DropResources {
		delete(next.Resources, id)
	}
	for _, list := range [][]bool{nils(e.Put.Accounts), nils(e.Put.Users), nils(e.Put.Assocs), nils(e.Put.QOS), nils(e.Put.Resources)} {
		if slices.Contains(list, true) {
			return nil, errors.New("cannot use the accounts: an edit with an empty row")
		}
	}
	next.put(e.Put)
	if err := next.Check(); err != nil {
		return nil, err
	}
	return next, nil
}

// Diff is the edit that makes next of a.
func (a *Accounts) Diff(next *Accounts) AccountsEdit {
	e := AccountsEdit{Base: a.Version, Put: AccountTables{NextAssoc: next.NextAssoc, NextQOS: next.NextQOS, NextWCKey: next.NextWCKey, NextPlace: next.NextPlace, NextResource: next.NextResource}}
	e.Put.Accounts, e.DropAccounts = diff(a.Accounts, next.Accounts)
	e.Put.Users, e.DropUsers = diff(a.Users, next.Users)
	e.Put.Assocs, e.DropAssocs = diff(a.ByID, next.ByID)
	e.Put.QOS, e.DropQOS = diff(a.QOS, next.QOS)
	e.Put.Resources, e.DropResources = diff(a.Resources, next.Resources)
	return e
}

// diff lists what is new or other in next, and the keys that are gone, in order.
func diff[K cmp.Ordered, V any](old, next map[K]*V) (put []*V, drop []K) {
	for _, k := range slices.Sorted(maps.Keys(next)) {
		if v := next[k]; old[k] != v {
			put = append(put, v)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(old)) {
		if next[k] == nil {
			drop = append(drop, k)
		}
	}
	return put, drop
}

func nils[T any](list []*T) []bool {
	out := make([]bool, len(list))
	for i, v := range list {
		out[i] = v == nil
	}
	return out
}

// Check says in what the tables do not hold together.
func (a *Accounts) Check() error {
	wrong := func(format string, args ...any) error {
		return fmt.Errorf("cannot use the accounts: "+format, args...)
	}
	root := a.Assocs[AssocKey{Account: RootAccount}]
	if root == nil || root.Parent != 0 {
		return wrong("the account root has no place at the top")
	}
	if len(a.Assocs) != len(a.ByID) {
		return wrong("%d associations and %d numbers of them", len(a.Assocs), len(a.ByID))
	}
	for id, v := range a.ByID {
		own := a.Assocs[AssocKey{Account: v.Key.Account}]
		switch parent := a.ByID[v.Parent]; {
		case id == 0 || id != v.ID || a.Assocs[v.Key] != v || id >= a.NextAssoc:
			return wrong("association %d is out of its place", id)
		case a.Accounts[v.Key.Account] == nil:
			return wrong("association %d is in account %q, which is not there", id, v.Key.Account)
		case v.Key.User != "" && a.Users[v.Key.User] == nil:
			return wrong("association %d is of user %q, who is not there", id, v.Key.User)
		case v.Key.User != "" && (own == nil || v.Parent != own.ID):
			return wrong("association %d of user %q is not below its account", id, v.Key.User)
		case v.Key.User == "" && v.Key.Partition != "":
			return wrong("association %d is of an account in a partition", id)
		case v.Key.User == "" && v != root && (parent == nil || parent.Key.User != ""):
			return wrong("association %d is below %d, which is no account", id, v.Parent)
		}
		for _, name := range append(slices.Clone(v.QOS), trimSigns(v.QOSDelta)...) {
			if a.QOS[name] == nil {
				return wrong("association %d has QOS %q, which is not there", id, name)
			}
		}
		if v.DefaultQOS != "" && a.QOS[v.DefaultQOS] == nil {
			return wrong("association %d has QOS %q, which is not there", id, v.DefaultQOS)
		}
		if len(v.QOS) > 0 && len(v.QOSDelta) > 0 {
			return wrong("association %d has QOS and a change of its parent's", id)
		}
		if v.Key.User == "" {
			at := v
			for steps := 0; at != root; steps++ {
				if at = a.ByID[at.Parent]; at == nil || steps > len(a.Accounts) {
					return wrong("account %q is below itself", v.Key.Account)
				}
			}
		}
	}
	for name := range a.Accounts {
		if name == "" || a.Assocs[AssocKey{Account: name}] == nil {
			return wrong("account %q is nowhere in the tree", name)
		}
	}
	for name, u := range a.Users {
		if name == "" || u.Name != name || u.Admin > AdminAdministrator {
			return wrong("user %q is none", name)
		}
	}
	ids := map[uint32]string{}
	for name, q := range a.QOS {
		if name == "" || q.Name != name || q.ID == 0 || q.ID >= a.NextQOS || ids[q.ID] != "" {
			return wrong("QOS %q has number %d", name, q.ID)
		}
		ids[q.ID] = name
		for _, p := range q.Preempt {
			if a.QOS[p] == nil {
				return wrong("QOS %q preempts %q, which is not there", name, p)
			}
		}
	}
	if err := a.checkResources(); err != nil {
		return err
	}
	for i, k := range a.TRES {
		if k.Type == "" || k.ID == 0 || i > 0 && k.ID <= a.TRES[i-1].ID {
			return wrong("resource %q has number %d", k.Key(), k.ID)
		}
	}
	return nil
}

func trimSigns(list []string) []string {
	out := make([]string, len(list))
	for i, w := range list {
		out[i] = strings.TrimLeft(w, "+-")
	}
	return out
}

// WithTRES returns a with the kinds that AccountingStorageTRES names among those
// that are counted; a itself when they all are.
func (a *Accounts) WithTRES(keys []string, version uint64) *Accounts {
	list := a.TRES
	for _, key := range keys {
		typ, name, _ := strings.Cut(key, "/")
		if typ == "" || slices.ContainsFunc(list, func(k TRESKind) bool { return strings.EqualFold(k.Key(), key) }) {
			continue
		}
		next := uint32(firstSiteTRES)
		if len(list) > 0 {
			next = max(next, list[len(list)-1].ID+1)
		}
		list = append(slices.Clip(list), TRESKind{next, typ, name})
	}
	if len(list) == len(a.TRES) {
		return a
	}
	next := *a
	next.TRES, next.Version = list, version
	return &next
}

// Find returns the association a job of the user is charged to in an account and
// a partition: the one for that partition, or the one for all; nil when there is
// none.
func (a *Accounts) Find(user, account string, partition PartitionName) *Assoc {
	if a == nil || user == "" {
		return nil
	}
	if v := a.Assocs[AssocKey{Account: account, User: user, Partition: partition}]; v != nil {
		return v
	}
	return a.Assocs[AssocKey{Account: account, User: user}]
}

// Own returns an account's own association; nil when there is none.
func (a *Accounts) Own(account string) *Assoc { return a.Assocs[AssocKey{Account: account}] }

// Chain returns an association and what is above it, the root's last.
func (a *Accounts) Chain(v *Assoc) []*Assoc {
	var out []*Assoc
	for v != nil && len(out) <= len(a.ByID) {
		out = append(out, v)
		v = a.ByID[v.Parent]
	}
	return out
}

// QOSOf returns the names of the QOS that jobs of an association may have, in the
// alphabet's order.
func (a *Accounts) QOSOf(v *Assoc) []string {
	chain := a.Chain(v)
	var have []string
	for _, at := range slices.Backward(chain) {
		if at.QOS != nil {
			have = slices.Clone(at.QOS)
		}
		for _, w := range at.QOSDelta {
			name := strings.TrimLeft(w, "+-")
			have = slices.DeleteFunc(have, func(q string) bool { return q == name })
			if w[0] == '+' {
				have = append(have, name)
			}
		}
	}
	slices.Sort(have)
	return slices.Compact(have)
}

// DefaultQOSOf returns the QOS that jobs of an association get when they ask for
// none; "" when nobody has said.
func (a *Accounts) DefaultQOSOf(v *Assoc) string {
	for _, at := range a.Chain(v) {
		if at.DefaultQOS != "" {
			return at.DefaultQOS
		}
	}
	return ""
}

// Coordinates reports whether a user coordinates an account: that one or one above
// it.
func (a *Accounts) Coordinates(user, account string) bool {
	if a == nil || user == "" {
		return false
	}
	for _, at := range a.Chain(a.Own(account)) {
		if acc := a.Accounts[at.Key.Account]; acc != nil && slices.Contains(acc.Coordinators, user) {
			return true
		}
	}
	return false
}

// AdminOf returns what a user may do to the accounts and jobs of others.
func (a *Accounts) AdminOf(user string) AdminLevel {
	if a == nil || a.Users[user] == nil {
		return AdminNone
	}
	return a.Users[user].Admin
}

// Children returns the associations right below another, in the tree's order: the
// one that was put there last comes first.
func (a *Accounts) Children(id AssocID) []*Assoc {
	var out []*Assoc
	for _, v := range a.ByID {
		if v.Parent == id {
			out = append(out, v)
		}
	}
	slices.SortFunc(out, comparePlace)
	return out
}

func comparePlace(x, y *Assoc) int {
	return cmp.Or(cmp.Compare(y.Place, x.Place), cmp.Compare(y.ID, x.ID))
}

// Ordered returns every association in the tree's order: each followed by what is
// below it.
func (a *Accounts) Ordered() []*Assoc {
	below := make(map[AssocID][]*Assoc, len(a.Accounts))
	for _, v := range a.ByID {
		below[v.Parent] = append(below[v.Parent], v)
	}
	out := make([]*Assoc, 0, len(a.ByID))
	var walk func(AssocID)
	walk = func(id AssocID) {
		list := below[id]
		slices.SortFunc(list, comparePlace)
		for _, v := range list {
			out = append(out, v)
			walk(v.ID)
		}
	}
	walk(0)
	return out
}

// Lefts numbers the associations as nested intervals begin: each is one more than
// what began or ended before it, in the order of Children.
func (a *Accounts) Lefts() map[AssocID]int {
	lefts, n := make(map[AssocID]int, len(a.ByID)), 0
	below := make(map[AssocID][]*Assoc, len(a.Accounts))
	for _, v := range a.ByID {
		below[v.Parent] = append(below[v.Parent], v)
	}
	var walk func(AssocID)
	walk = func(id AssocID) {
		list := below[id]
		slices.SortFunc(list, comparePlace)
		for _, v := range list {
			n++
			lefts[v.ID] = n
			walk(v.ID)
			n++
		}
	}
	walk(0)
	return lefts
}

// KnownTRES reports whether a kind of resource is counted.
func (a *Accounts) KnownTRES(key string) bool {
	return slices.ContainsFunc(a.TRES, func(k TRESKind) bool { return strings.EqualFold(k.Key(), key) })
}

// SortTRES returns a list of amounts in the order of the kinds' numbers.
func (a *Accounts) SortTRES(list slurm.TRES) slurm.TRES {
	at := func(item slurm.TRESItem) int {
		i := slices.IndexFunc(a.TRES, func(k TRESKind) bool { return k.Key() == item.Key() })
		if i < 0 {
			return len(a.TRES)
		}
		return i
	}
	out := slices.Clone(list)
	slices.SortStableFunc(out, func(x, y slurm.TRESItem) int { return cmp.Compare(at(x), at(y)) })
	return out
}

// Transaction is one change of the accounts as sacctmgr show transactions lists
// it.
type Transaction struct {
	ID                        uint32
	At                        time.Time
	Action, Actor             string // "Add Users", "root"
	Where, Info               string
	Accounts, Users, Clusters []string // what it was about
}

// Effective returns the limits of an association with what it has of those above:
// where it has no maximum of its own, the nearest one's holds. What is of a group
// together (Grp...) is not handed down.
func (a *Accounts) Effective(v *Assoc) Limits {
	l := v.Limits
	for _, at := range a.Chain(v)[1:] {
		up := &at.Limits
		for _, f := range [][2]*int64{
			{&l.MaxJobsPerUser, &up.MaxJobsPerUser}, {&l.MaxJobsAccruePerUser, &up.MaxJobsAccruePerUser}, {&l.MaxSubmitPerUser, &up.MaxSubmitPerUser},
			{&l.MinPrioThreshold, &up.MinPrioThreshold}, {&l.Priority, &up.Priority},
		} {
			if *f[0] == NoLimit {
				*f[0] = *f[1]
			}
		}
		if l.MaxWall == 0 {
			l.MaxWall = up.MaxWall
		}
		for _, f := range [][2]*slurm.TRES{
			{&l.MaxTRESPerJob, &up.MaxTRESPerJob}, {&l.MaxTRESPerNode, &up.MaxTRESPerNode}, {&l.MaxTRESMinsPerJob, &up.MaxTRESMinsPerJob},
			{&l.MaxTRESRunMinsPerUser, &up.MaxTRESRunMinsPerUser},
		} {
			for _, item := range *f[1] {
				if _, has := f[0].Get(item.Key()); !has {
					*f[0] = f[0].With(item.Key(), item.Count)
				}
			}
		}
	}
	return l
}
