package sacctmgr

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/sched"
)

// loader works out the changes that make the accounts what a dump says, one after
// the other, on a picture of them.
type loader struct {
	cl   *cluster
	now  *sched.Accounts
	asks []sched.AccountAsk
	// What is said of it.
	changed         []string
	accounts, users []*sched.Assoc
	newUsers        []string
	newAccounts     []string
}

// loadAsks turns a dump into changes; report prints what they are.
func loadAsks(cl *cluster, list []dumped, clean bool) ([]sched.AccountAsk, func(*call), error) {
	l := &loader{cl: cl, now: cl.Accounts}
	if clean {
		if err := l.clean(list); err != nil {
			return nil, nil, err
		}
	}
	for _, d := range list {
		if d.kind != "cluster" && l.now.Accounts[d.parent] == nil {
			return nil, nil, &noParent{d.line - 1, d.parent}
		}
		if err := l.take(d, clean); err != nil {
			return nil, nil, fmt.Errorf(" line %d: %w", d.line, err)
		}
	}
	if err := l.late(list); err != nil {
		return nil, nil, err
	}
	return l.asks, l.report, nil
}

// errNoParent is what a noParent is.
var errNoParent = errors.New("no such parent")

// noParent is a parent that the file names before there is such an account.
type noParent struct {
	line int
	name string
}

func (e *noParent) Error() string {
	return fmt.Sprintf(" line(%d) You need to add this parent (%s) as a child before you can add children to it.", e.line, e.name)
}

func (e *noParent) Is(target error) bool { return target == errNoParent }

// do adds a change and makes it in the picture.
func (l *loader) do(ask sched.AccountAsk) error {
	edit, out, err := l.now.Ask(ask, l.cl.name, timeOf(l.cl))
	if err != nil {
		return err
	}
	if edit.IsZero() {
		return nil
	}
	next, err := l.now.With(edit, l.now.Version)
	if err != nil {
		return err
	}
	l.now = next
	l.asks = append(l.asks, ask)
	for _, row := range out.Assocs {
		if v := next.ByID[row.ID]; v != nil && ask.Verb == "add" {
			if ask.Entity == "user" {
				l.users = append(l.users, v)
			} else {
				l.accounts = append(l.accounts, v)
			}
		}
	}
	if ask.Verb == "add" {
		l.newUsers = append(l.newUsers, out.Users...)
		l.newAccounts = append(l.newAccounts, out.Accounts...)
	}
	return nil
}

// clean takes away what was there: every account but root, and every user of it.
// Whoever does it stays an administrator by being root or in the file.
func (l *loader) clean(list []dumped) error {
	var names []string
	for _, u := range l.now.Tables().Users {
		names = append(names, u.Name)
	}
	if len(names) > 0 {
		if err := l.do(sched.AccountAsk{Verb: "delete", Entity: "user", Names: names}); err != nil {
			return err
		}
	}
	names = nil
	for _, v := range l.now.Children(l.now.Own(sched.RootAccount).ID) {
		names = append(names, v.Key.Account)
	}
	if len(names) > 0 {
		slices.Sort(names)
		return l.do(sched.AccountAsk{Verb: "delete", Entity: "account", Names: names})
	}
	return nil
}

// take works out what one line asks for.
func (l *loader) take(d dumped, clean bool) error {
	own, limits, err := l.words(d)
	if err != nil {
		return err
	}
	switch d.kind {
	case "cluster":
		return l.change("cluster", sched.AccountAsk{Verb: "modify", Entity: "cluster", Names: []string{l.cl.name}}, l.now.Own(sched.RootAccount), limits)
	case "account":
		name := strings.ToLower(d.name)
		if l.now.Accounts[name] == nil {
			set := append(limits, sched.AccountWord{Key: "Parent", Op: "=", Value: d.parent})
			for _, key := range []string{"Description", "Organization"} {
				if v := own[key]; v != "" {
					set = append(set, sched.AccountWord{Key: key, Op: "=", Value: v})
				}
			}
			return l.do(sched.AccountAsk{Verb: "add", Entity: "account", Names: []string{name}, Set: set})
		}
		return l.changeAccount(name, d.parent, own, limits)
	case "user":
		return l.takeUser(d, own, limits)
	}
	return nil
}

// words parts what is said of a line's thing into what is of itself and limits.
func (l *loader) words(d dumped) (own map[string]string, limits []sched.AccountWord, err error) {
	own = map[string]string{}
	for _, w := range d.words {
		key, value := w[0], w[1]
		switch strings.ToLower(key) {
		case "description", "organization", "partition", "defaultaccount", "defaultwckey", "adminlevel", "coordinator", "wckeys", "wckey":
			own[canonical(key)] = value
			continue
		case "classification", "federation":
			continue
		}
		def := sched.FindWord(false, key)
		if def == nil {
			return nil, nil, fmt.Errorf("Unknown option: %s", key)
		}
		if def.Name == "FairShare" && value == fmt.Sprint(sharesOfParent) {
			value = "parent"
		}
		word := sched.AccountWord{Key: def.Name, Op: "=", Value: value}
		if err := l.now.CheckWord(false, word, key); err != nil {
			return nil, nil, err
		}
		limits = append(limits, word)
	}
	return own, limits, nil
}

func canonical(key string) string {
	for _, name := range []string{"Description", "Organization", "Partition", "DefaultAccount", "DefaultWCKey", "AdminLevel", "Coordinator", "WCKeys"} {
		if strings.EqualFold(name, key) || strings.EqualFold(name, key+"s") {
			return name
		}
	}
	return key
}

// change sets of an association what the file has otherwise.
func (l *loader) change(kind string, ask sched.AccountAsk, v *sched.Assoc, limits []sched.AccountWord) error {
	for _, w := range limits {
		was, is := l.differs(v, w)
		if was == is {
			continue
		}
		ask.Set = append(ask.Set, w)
		l.changed = append(l.changed, fmt.Sprintf(" Changed %-21.21s for %-7.7s %-10.10s %8s -> %s", label(w.Key), kind, strings.TrimSpace(nameOf(kind, v, l.cl.name)), was, is))
	}
	if len(ask.Set) == 0 {
		return nil
	}
	return l.do(ask)
}

func nameOf(kind string, v *sched.Assoc, cluster string) string {
	switch kind {
	case "cluster":
		return cluster
	case "User":
		return v.Key.User
	}
	return v.Key.Account
}

// label is what a list of changes calls a word.
func label(key string) string {
	for _, s := range assocLines {
		if s.key == key {
			return s.label
		}
	}
	return key
}

// differs says what a word would make of an association, and what it is, as they
// would be dumped.
func (l *loader) differs(v *sched.Assoc, w sched.AccountWord) (was, is string) {
	c := *v
	one := sched.AccountAsk{Verb: "modify", Entity: "user", Names: []string{c.Key.User}, Where: sched.AccountWhere{Accounts: []string{c.Key.Account}}, Set: []sched.AccountWord{w}}
	if c.Key.User == "" {
		one.Entity, one.Names, one.Where = "account", []string{c.Key.Account}, sched.AccountWhere{}
	}
	if c.Key.Partition != "" {
		one.Where.Partitions = []string{string(c.Key.Partition)}
	}
	edit, _, err := l.now.Ask(one, l.cl.name, timeOf(l.cl))
	if err != nil {
		return "", "?"
	}
	for _, n := range edit.Put.Assocs {
		if n.ID == c.ID {
			return difference(&c, n)
		}
	}
	return "", ""
}

// difference is what is dumped otherwise of two states of an association.
func difference(a, b *sched.Assoc) (was, is string) {
	before, after := splitColons(dumpLimits(a)), splitColons(dumpLimits(b))
	value := func(list, other []string) string {
		for _, p := range list {
			if p != "" && !slices.Contains(other, p) {
				_, v, _ := strings.Cut(p, "=")
				return unquote(v)
			}
		}
		return ""
	}
	return value(before, after), value(after, before)
}

func (l *loader) changeAccount(name, parent string, own map[string]string, limits []sched.AccountWord) error {
	acc, v := l.now.Accounts[name], l.now.Own(name)
	ask := sched.AccountAsk{Verb: "modify", Entity: "account", Names: []string{name}}
	for _, f := range [][2]string{{"Description", acc.Description}, {"Organization", acc.Organization}} {
		if is := own[f[0]]; is != "" && is != f[1] {
			ask.Set = append(ask.Set, sched.AccountWord{Key: f[0], Op: "=", Value: is})
			l.changed = append(l.changed, fmt.Sprintf(" Changed %-21.21s for %-7.7s %-10.10s %8s -> %s", f[0], "Account", name, f[1], is))
		}
	}
	if above := l.now.ByID[v.Parent]; above != nil && above.Key.Account != parent {
		ask.Set = append(ask.Set, sched.AccountWord{Key: "Parent", Op: "=", Value: parent})
		l.changed = append(l.changed, fmt.Sprintf(" Changed parent of account '%s' from '%s' to '%s'", name, above.Key.Account, parent))
	}
	return l.change("Account", ask, v, limits)
}

// takeUser adds a user to an account, or changes what the file has otherwise.
func (l *loader) takeUser(d dumped, own map[string]string, limits []sched.AccountWord) error {
	name := strings.ToLower(d.name)
	part := own["Partition"]
	where := sched.AccountWhere{Accounts: []string{d.parent}}
	if part != "" {
		where.Partitions = []string{part}
	}
	v := l.now.Assocs[sched.AssocKey{Account: d.parent, User: name, Partition: sched.PartitionName(part)}]
	if v != nil {
		return l.change("User", sched.AccountAsk{Verb: "modify", Entity: "user", Names: []string{name}, Where: where}, v, limits)
	}
	set := limits
	if l.now.Users[name] == nil {
		for _, key := range []string{"AdminLevel", "DefaultWCKey", "WCKeys"} {
			if value := own[key]; value != "" {
				set = append(set, sched.AccountWord{Key: key, Op: "=", Value: value})
			}
		}
	}
	return l.do(sched.AccountAsk{Verb: "add", Entity: "user", Names: []string{name}, Where: where, Set: set})
}

// late does what can be done only when all are there: default accounts, levels
// and coordinators.
func (l *loader) late(list []dumped) error {
	done := map[string]bool{}
	for _, d := range list {
		name := strings.ToLower(d.name)
		if d.kind != "user" || done[name] {
			continue
		}
		done[name] = true
		own, _, err := l.words(d)
		if err != nil {
			return err
		}
		u := l.now.Users[name]
		ask := sched.AccountAsk{Verb: "modify", Entity: "user", Names: []string{name}}
		if def := strings.ToLower(own["DefaultAccount"]); def != "" && u.DefaultAccount != def {
			ask.Set = append(ask.Set, sched.AccountWord{Key: "DefaultAccount", Op: "=", Value: def})
			if !slices.Contains(l.newUsers, name) {
				l.changed = append(l.changed, fmt.Sprintf(" Changed %-21.21s for %-7.7s %-10.10s %8s -> %s", "Default Account", "User", name, or(u.DefaultAccount, "(null)"), def))
			}
		}
		if w := own["AdminLevel"]; w != "" && sched.ParseAdminLevel(w) != u.Admin {
			ask.Set = append(ask.Set, sched.AccountWord{Key: "AdminLevel", Op: "=", Value: w})
			l.changed = append(l.changed, fmt.Sprintf(" Changed %-21.21s for %-7.7s %-10.10s %8s -> %s", "Admin Level", "User", name, u.Admin, sched.ParseAdminLevel(w)))
		}
		if len(ask.Set) > 0 {
			if err := l.do(ask); err != nil {
				return err
			}
		}
		for _, account := range parts(own["Coordinator"]) {
			acc := l.now.Accounts[strings.ToLower(account)]
			if acc != nil && slices.Contains(acc.Coordinators, name) {
				continue
			}
			if err := l.do(sched.AccountAsk{Verb: "add", Entity: "coordinator", Names: []string{name}, Where: sched.AccountWhere{Accounts: []string{account}}}); err != nil {
				return err
			}
		}
	}
	return nil
}

// report prints what a load adds and changes.
func (l *loader) report(c *call) {
	for _, line := range l.changed {
		c.print("%s\n", line)
	}
	shown := &cluster{Accounts: l.now, reply: l.cl.reply, name: l.cl.name}
	if len(l.newAccounts) > 0 {
		var rows []*row
		for _, name := range l.newAccounts {
			rows = append(rows, &row{cl: shown, acc: l.now.Accounts[name]})
		}
		c.section("Accounts", []string{"Name", "Description", "Organization", "QOSLevel"}, rows, 51)
	}
	users := func() {
		if len(l.newUsers) == 0 {
			return
		}
		var rows []*row
		for _, name := range l.newUsers {
			rows = append(rows, &row{cl: shown, user: l.now.Users[name]})
		}
		c.section("Users", []string{"Name", "DefaultAccount", "DefaultWCKey", "QOSLevel", "AdminLevel", "Coordinators"}, rows, 51)
	}
	limits := []string{"Share", "GrpTRESMins", "GrpTRESRunMins", "GrpTRES", "GrpJobs", "GrpJobsAccrue", "GrpMemory", "GrpNodes", "GrpSubmitJobs", "GrpWall", "MaxTRESMinsPerJob", "MaxTRES",
		"MaxTRESPerNode", "MaxJobs", "MaxSubmitJobs", "MaxNodesPerJob", "MaxWallDurationPerJob", "QOSLevel", "DefaultQOS"}
	rowsOf := func(list []*sched.Assoc) (rows []*row) {
		for _, v := range list {
			rows = append(rows, &row{cl: &cluster{Accounts: l.now, name: l.cl.name}, assoc: v, limits: &v.Limits, own: true})
		}
		return rows
	}
	if len(l.accounts) > 0 {
		c.section("Account Associations", append([]string{"Account", "ParentName"}, limits...), rowsOf(l.accounts), 62)
	}
	users()
	if len(l.users) > 0 {
		c.section("User Associations", append([]string{"User", "Account"}, limits...), rowsOf(l.users), 62)
	}
}

// section is a titled listing with a rule below it.
func (c *call) section(title string, names []string, rows []*row, rule int) {
	c.print("%s\n", title)
	out, _ := fields(names)
	for i := range out {
		if out[i].name == "Name" && title == "Users" {
			out[i].value = userName
		}
	}
	c.table(out, rows)
	c.print("%s\n\n", strings.Repeat("-", rule))
}

// loadTrouble says why a file could not be loaded.
func (c *call) loadTrouble(cl *cluster, err error, p *rinkpb.AccountTrouble, asks []sched.AccountAsk) {
	entity := "account"
	if at := int(p.GetAsk()); at < len(asks) {
		entity = asks[at].Entity
	}
	c.trouble(cl, err, p, entity)
	c.code = 1
}
