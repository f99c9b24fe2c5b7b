package sacctmgr

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/auth/hostuser"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

var (
	added = []entityName{
		{"Accounts", 1, "account"}, {"Acct", 4, "account"}, {"Clusters", 2, "cluster"}, {"Coordinators", 2, "coordinator"}, {"Federations", 1, "federation"},
		{"QOS", 1, "qos"}, {"Resource", 1, "resource"}, {"Users", 1, "user"},
	}
	removed  = append([]entityName{{"QOS", 2, "qos"}}, slices.DeleteFunc(slices.Clone(added), func(e entityName) bool { return e.entity == "qos" })...)
	modified = []entityName{
		{"Accounts", 1, "account"}, {"Acct", 4, "account"}, {"Clusters", 5, "cluster"}, {"Federations", 1, "federation"}, {"Jobs", 1, "job"},
		{"QOS", 1, "qos"}, {"Resource", 1, "resource"}, {"Users", 1, "user"},
	}
)

// add is add and create.
func (c *call) add(words []string) {
	entity := ""
	if len(words) > 0 {
		entity = entityOf(words[0], added)
	}
	switch entity {
	case "":
		c.bare("No valid entity in add command\nInput line must include \"Account\", \"Cluster\", \"Coordinator\", \"Federation\", \"QOS\", \"Resource\", or \"User\"")
		return
	case "federation":
		c.addFederations(words[1:])
		return
	case "resource":
		c.addResource(words[1:])
		return
	}
	cl := c.fetch(false)
	if cl == nil {
		return
	}
	r := newRequest(entity)
	r.out, r.adding = true, true
	limits, first := false, words[1:]
	for i, w := range first {
		key, _, _, ok := cut(w)
		switch {
		case !ok && i == 0, !ok:
			r.names = append(r.names, parts(w)...)
		case r.isPlace(key):
			if err := r.takeWhere(w); err != nil {
				r.say(fmt.Errorf(" Unknown option: %s\n Use keyword 'where' to modify condition", w))
			}
			limits = limits || entity == "user" && !begins("Clusters", key, 1) && !begins("Names", key, 1) && !begins("Users", key, 1)
		default:
			n := len(r.set)
			r.say(r.takeSet(w, cl.Accounts))
			limits = limits || len(r.set) > n && !(entity == "user" && ownOfUser(r.set[n].Key))
		}
	}
	if c.complain(r) {
		return
	}
	switch entity {
	case "account":
		c.addAccounts(cl, r, limits)
	case "user":
		c.addUsers(cl, r, limits)
	case "qos":
		c.addQOS(cl, r)
	case "coordinator":
		c.addCoordinators(cl, r)
	case "cluster":
		c.addClusters(cl, r)
	}
}

// isPlace reports whether a word of add says where or who, not what.
func (r *request) isPlace(key string) bool {
	is := func(name string, min int) bool { return begins(name, key, min) }
	switch r.entity {
	case "account":
		return is("Names", 1) || is("Accounts", 1) || is("Acct", 4) || is("Clusters", 1)
	case "user":
		return is("Names", 1) || is("Users", 1) || is("Accounts", 2) || is("Acct", 4) || is("Clusters", 1) || is("Partitions", 3)
	case "qos":
		return is("Names", 1)
	case "coordinator":
		return true
	}
	return is("Names", 1)
}

func ownOfUser(key string) bool {
	return slices.Contains([]string{"AdminLevel", "DefaultAccount", "DefaultWCKey", "WCKeys"}, key)
}

// value returns what a word of the request is set to.
func (r *request) value(key string) string {
	for _, w := range r.set {
		if w.Key == key {
			return w.Value
		}
	}
	return ""
}

// change makes a change, or looks first and asks. print is given what it comes
// to, before anything is asked; it returns whether that is anything. problem is
// what is said when it may not be done.
func (c *call) change(ask sched.AccountAsk, print func(out sched.AccountsOutcome) bool, problem func(err error, t *rinkpb.AccountTrouble)) bool {
	outcomes, trouble, err := c.ask(!c.o.immediate, ask)
	switch {
	case errors.Is(err, errSaid):
		return false
	case err != nil:
		problem(err, trouble)
		c.code = 1
		return false
	}
	if !print(outcomes[0]) {
		c.code = 1
		return false
	}
	if c.o.immediate {
		return true
	}
	if !c.commit() {
		return false
	}
	if _, trouble, err = c.ask(false, ask); err != nil {
		problem(err, trouble)
		c.code = 1
		return false
	}
	return true
}

func (c *call) addAccounts(cl *cluster, r *request, limits bool) {
	if len(r.names) == 0 {
		c.fail("Need name of account to add.")
		return
	}
	desc, org := r.value("Description"), r.value("Organization")
	ask := sched.AccountAsk{Verb: "add", Entity: "account", Names: r.names, Where: r.where, Set: r.set}
	show := func(out sched.AccountsOutcome) bool {
		if len(out.Assocs) == 0 {
			c.print(" Nothing new added.\n")
			return false
		}
		c.print(" Adding Account(s)\n")
		for _, name := range out.Accounts {
			c.print("  %s\n", name)
		}
		c.print(" Settings\n  Description     = %s\n  Organization    = %s\n", or(desc, "Account Name"), or(org, "Parent/Account Name"))
		c.print(" Associations\n")
		for _, row := range out.Assocs {
			c.print("  A = %-10.10s C = %-10.10s\n", row.Account, cl.name)
		}
		if limits {
			c.print(" Settings\n")
			if r.value("Parent") == "" {
				r.set = append(r.set, sched.AccountWord{Key: "Parent", Op: "=", Value: sched.RootAccount})
			}
			c.print("%s", assocSettings(cl.Accounts, r.set))
		}
		return true
	}
	c.change(ask, show, func(err error, t *rinkpb.AccountTrouble) {
		if c.denies(cl, err, "accounts", ask, show) {
			return
		}
		c.trouble(cl, err, t, "account")
	})
}

// denies shows what a change would come to that was denied, and says so: Slurm's command
// shows it before it asks. It reports whether the change would have been one.
func (c *call) denies(cl *cluster, err error, what string, ask sched.AccountAsk, show func(sched.AccountsOutcome) bool) bool {
	if !denied(err) {
		return false
	}
	_, out, wrong := cl.Ask(ask, cl.name, c.env.Now())
	if wrong != nil {
		return false
	}
	if show(out) {
		c.fail("Problem adding %s: %s", what, errno(err))
	}
	return true
}

func denied(err error) bool { return errors.Is(err, slurm.ErrnoAccessDenied) }

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func (c *call) addUsers(cl *cluster, r *request, limits bool) {
	switch {
	case len(r.names) == 0:
		c.fail("Need name of user to add.")
		return
	case len(r.where.Accounts) == 0 && r.value("DefaultAccount") == "" && (r.value("WCKeys") == "" || !cl.knowsAll(r.names)):
		c.fail("Need name of account to add user to.")
		return
	}
	for _, name := range r.names {
		if _, err := hostuser.Lookup(strings.ToLower(name)); err != nil && cl.Users[strings.ToLower(name)] == nil && !c.o.immediate {
			if !c.sure(fmt.Sprintf("There is no uid for user '%s'\nAre you sure you want to continue?", name)) {
				c.code = 1
				return
			}
		}
	}
	c.names, c.unplaced = r.names, len(r.where.Accounts) == 0
	ask := sched.AccountAsk{Verb: "add", Entity: "user", Names: r.names, Where: r.where, Set: r.set}
	show := func(out sched.AccountsOutcome) bool {
		if len(out.Assocs)+len(out.Users)+len(out.WCKeys) == 0 {
			c.print(" Nothing new added.\n")
			return false
		}
		if len(out.Users) > 0 {
			c.print(" Adding User(s)\n")
			for _, name := range out.Users {
				c.print("  %s\n", name)
			}
			c.print("%s", userSettings(r))
		}
		if len(out.Assocs) > 0 {
			c.print(" Associations =\n")
		}
		for _, row := range out.Assocs {
			c.print("  U = %-9.9s A = %-10.10s C = %-10.10s", row.User, row.Account, cl.name)
			if row.Partition != "" {
				c.print(" P = %-10.10s", row.Partition)
			}
			c.print("\n")
		}
		if len(out.WCKeys) > 0 {
			c.print(" WCKeys =\n")
		}
		for _, k := range out.WCKeys {
			c.print("  U = %-9.9s W = %-10.10s C = %-10.10s\n", k.User, k.Name, cl.name)
		}
		if limits {
			c.print(" Non Default Settings\n%s", assocSettings(cl.Accounts, r.set))
		}
		return true
	}
	c.change(ask, show, func(err error, t *rinkpb.AccountTrouble) {
		if c.denies(cl, err, "users", ask, show) {
			return
		}
		c.trouble(cl, err, t, "user")
	})
}

// userSettings is what is said of new users themselves.
func userSettings(r *request) string {
	var b strings.Builder
	for _, s := range [][2]string{{"DefaultAccount", "Default Account"}, {"DefaultWCKey", "Default WCKey"}, {"AdminLevel", "Admin Level"}} {
		if v := r.value(s[0]); v != "" {
			if s[0] == "AdminLevel" {
				v = sched.ParseAdminLevel(v).String()
			}
			fmt.Fprintf(&b, "  %-15s = %s\n", s[1], v)
		}
	}
	if b.Len() == 0 {
		return ""
	}
	return " Settings =\n" + b.String()
}

// knowsAll reports whether all of these users are known.
func (cl *cluster) knowsAll(names []string) bool {
	return !slices.ContainsFunc(names, func(n string) bool { return cl.Users[strings.ToLower(n)] == nil })
}

func (c *call) addQOS(cl *cluster, r *request) {
	if len(r.names) == 0 {
		c.fail("Need name of qos to add.")
		return
	}
	ask := sched.AccountAsk{Verb: "add", Entity: "qos", Names: r.names, Set: r.set}
	show := func(out sched.AccountsOutcome) bool {
		if len(out.QOS) == 0 {
			c.print(" Nothing new added.\n")
			return false
		}
		c.print(" Adding QOS(s)\n")
		for _, name := range out.QOS {
			c.print("  %s\n", name)
		}
		c.print(" Settings\n  Description    = %s\n%s", or(r.value("Description"), out.QOS[len(out.QOS)-1]), qosSettings(cl.Accounts, r.set))
		return true
	}
	c.change(ask, show, func(err error, t *rinkpb.AccountTrouble) {
		if c.denies(cl, err, "QOS", ask, show) {
			return
		}
		c.trouble(cl, err, t, "qos")
	})
}

func (c *call) addCoordinators(cl *cluster, r *request) {
	switch {
	case len(r.names)+len(r.where.Accounts) == 0:
		c.fail("You need to specify conditions to to add the coordinator.")
		return
	case len(r.names) == 0:
		c.fail("You need to specify a user list here.")
		return
	case len(r.where.Accounts) == 0:
		c.fail("You need to specify an account list here.")
		return
	}
	ask := sched.AccountAsk{Verb: "add", Entity: "coordinator", Names: r.names, Where: r.where}
	show := func(sched.AccountsOutcome) bool {
		c.print(" Adding Coordinator User(s)\n")
		for _, name := range r.names {
			c.print("  %s\n", name)
		}
		c.print(" To Account(s) and all sub-accounts\n")
		for _, name := range r.where.Accounts {
			c.print("  %s\n", name)
		}
		return true
	}
	c.change(ask, show, func(err error, t *rinkpb.AccountTrouble) {
		if c.denies(cl, err, "coordinator", ask, show) {
			return
		}
		c.trouble(cl, err, t, "coordinator")
	})
}

// addClusters says that there is one cluster.
func (c *call) addClusters(cl *cluster, r *request) {
	if len(r.names) == 0 {
		c.fail("Need name of cluster to add.")
		return
	}
	for _, name := range r.names {
		if strings.EqualFold(name, cl.name) {
			c.print(" This cluster %s already exists.  Not adding.\n", name)
			continue
		}
		c.print(" Adding Cluster(s)\n  Name           = %s\n", name)
		if cl.level < sched.AdminAdministrator {
			c.fail("Problem adding clusters: %s", errno(slurm.ErrnoAccessDenied))
			continue
		}
		c.fail("The accounts are those of cluster %s alone: %s has its own.", cl.name, name)
	}
	c.code = 1
}

// modify is modify and update.
func (c *call) modify(words []string) {
	entity := ""
	if len(words) > 0 {
		entity = entityOf(words[0], modified)
	}
	switch entity {
	case "":
		c.bare("No valid entity in modify command\nInput line must include \"Account\", \"Cluster\", \"Federation\", \"Job\", \"QOS\", \"Resource\" or \"User\"")
		return
	case "job":
		c.modifyJob(words[1:])
		return
	case "federation":
		c.modifyFederations(words[1:])
		return
	case "resource":
		c.modifyResource(words[1:])
		return
	}
	cl := c.fetch(false)
	if cl == nil {
		return
	}
	r := newRequest(entity)
	r.out = entity == "qos"
	setting := false
	var usage, bare []string
	for _, w := range words[1:] {
		switch {
		case strings.EqualFold(w, "where"):
			setting = false
		case strings.EqualFold(w, "set"):
			setting = true
		case setting && entity != "cluster" && isRawUsage(w):
			usage = append(usage, w)
		case setting && !strings.Contains(w, "="):
			bare = append(bare, w)
		case setting:
			r.say(r.takeSet(w, cl.Accounts))
		default:
			r.say(r.takeWhere(w))
		}
	}
	for _, w := range bare {
		switch entity {
		case "account":
			r.say(errors.New(" Can't modify the name of an account"))
		case "user":
			r.say(fmt.Errorf(" Bad format on %s: End your option with an '=' sign", w))
		}
	}
	if c.complain(r) {
		if r.refused && len(r.set) == 0 {
			c.fail("You didn't give me anything to set")
		}
		return
	}
	if usage != nil {
		c.resetUsage(cl, r, usage)
		return
	}
	if len(r.set) == 0 {
		c.fail("You didn't give me anything to set")
		return
	}
	if r.set = slices.DeleteFunc(r.set, noLevel); len(r.set) == 0 {
		c.warn("sacctmgr: accounting_storage/slurmdbd: acct_storage_p_modify_users: Request didn't affect anything or your user doesn't have privilege to perform this action")
		c.print(" Nothing modified\n")
		c.code = 1
		return
	}
	if entity == "cluster" {
		c.print(" Setting\n  Default Limits:\n%s", assocSettings(cl.Accounts, r.set))
	}
	ask := sched.AccountAsk{Verb: "modify", Entity: entity, Names: r.names, Where: r.where, Set: r.set}
	c.change(ask, func(out sched.AccountsOutcome) bool { return c.printModified(cl, entity, out) }, func(err error, t *rinkpb.AccountTrouble) { c.trouble(cl, err, t, entity) })
}

// noLevel reports whether a word sets a level that there is not.
func noLevel(w sched.AccountWord) bool {
	return w.Key == "AdminLevel" && sched.ParseAdminLevel(w.Value) == sched.AdminNone && !strings.HasPrefix(strings.ToLower(w.Value), "n")
}

// printModified lists what a modification is about.
func (c *call) printModified(cl *cluster, entity string, out sched.AccountsOutcome) bool {
	if len(out.Accounts)+len(out.Users)+len(out.QOS)+len(out.Assocs) == 0 {
		c.print(" Nothing modified\n")
		return false
	}
	for _, l := range []struct {
		title string
		names []string
	}{{"accounts", out.Accounts}, {"users", out.Users}, {"qos", out.QOS}} {
		if len(l.names) > 0 {
			c.print(" Modified %s...\n", l.title)
			for _, n := range l.names {
				c.print("  %s\n", n)
			}
		}
	}
	if len(out.Assocs) == 0 {
		return true
	}
	switch entity {
	case "cluster":
		c.print(" Modified cluster defaults for associations...\n")
	default:
		c.print(" Modified %s associations...\n", entity)
	}
	for _, row := range out.Assocs {
		c.print("  %s\n", modifiedRow(cl.name, row, entity == "cluster"))
	}
	return true
}

// modifiedRow names an association as the lists of modified ones do.
func modifiedRow(cluster string, row sched.AssocRow, whole bool) string {
	switch {
	case whole && row.User == "":
		return fmt.Sprintf("C = %-10.10s A = %s", cluster, row.Account)
	case row.User == "" && row.Parent != "":
		return fmt.Sprintf("C = %-10.10s A = %s of %s", cluster, row.Account, row.Parent)
	case row.User == "":
		return fmt.Sprintf("C = %-10.10s A = %s", cluster, row.Account)
	case row.Partition != "":
		return fmt.Sprintf("C = %-10.10s A = %-20.20s U = %-9.9s P = %s", cluster, row.Account, row.User, row.Partition)
	}
	return fmt.Sprintf("C = %-10.10s A = %-20.20s U = %-9.9s", cluster, row.Account, row.User)
}

// remove is delete and remove.
func (c *call) remove(words []string) {
	entity := ""
	if len(words) > 0 {
		entity = entityOf(words[0], removed)
	}
	switch entity {
	case "":
		c.bare("No valid entity in delete command\nInput line must include \"Account\", \"Cluster\", \"Coordinator\", \"Federation\", \"QOS\", \"Resource\", or \"User\"")
		return
	case "federation":
		c.removeFederations(words[1:])
		return
	case "resource":
		c.removeResource(words[1:])
		return
	}
	cl := c.fetch(false)
	if cl == nil {
		return
	}
	r, given := newRequest(entity), false
	for _, w := range words[1:] {
		switch {
		case strings.EqualFold(w, "where"):
		case strings.EqualFold(w, "set"):
			r.say(fmt.Errorf(" Unknown condition: %s", w))
		default:
			err := r.takeWhere(w)
			r.say(err)
			given = given || err == nil
		}
	}
	if c.complain(r) {
		if !given && (entity == "account" || entity == "user" || entity == "qos") {
			c.fail("No conditions given to remove, not executing.")
		}
		return
	}
	if entity == "cluster" {
		if len(r.names)+len(r.where.Clusters) == 0 {
			c.fail("No conditions given to remove, not executing.")
			return
		}
		if len(r.names) > 0 && !containsFold(r.names, cl.name) && c.allowed(cl, sched.AdminAdministrator, "Error with request") {
			c.print(" Nothing deleted\n")
			c.code = 1
			return
		}
		if !c.allowed(cl, sched.AdminAdministrator, "Error with request") {
			return
		}
		c.fail("The accounts of cluster %s are part of it: they cannot go without it.", cl.name)
		return
	}
	if entity == "coordinator" {
		c.deleteCoordinators(cl, r)
		return
	}
	ask := sched.AccountAsk{Verb: "delete", Entity: entity, Names: r.names, Where: r.where}
	c.change(ask, func(out sched.AccountsOutcome) bool { return c.printDeleted(cl, out) }, func(err error, t *rinkpb.AccountTrouble) { c.trouble(cl, err, t, entity) })
}

// printDeleted lists what a deletion takes away.
func (c *call) printDeleted(cl *cluster, out sched.AccountsOutcome) bool {
	names := func(title string, list []string) {
		if len(list) > 0 {
			c.print(" Deleting %s...\n", title)
			for _, n := range list {
				c.print("  %s\n", n)
			}
		}
	}
	if len(out.Accounts)+len(out.Users)+len(out.QOS)+len(out.Assocs)+len(out.WCKeys) == 0 {
		c.print(" Nothing deleted\n")
		return false
	}
	names("accounts", out.Accounts)
	names("users", out.Users)
	names("QOS(s)", out.QOS)
	if len(out.WCKeys) > 0 {
		c.print(" Deleting user WCKeys...\n")
	}
	for _, k := range out.WCKeys {
		c.print("  C = %-10.10s W = %-20.20s U = %-9.9s\n", cl.name, k.Name, k.User)
	}
	if len(out.Assocs) > 0 {
		c.print(" Deleting user associations...\n")
		for _, row := range out.Assocs {
			c.print("  C = %-10.10s A = %-10.10s U = %-9.9s", cl.name, row.Account, row.User)
			if row.Partition != "" {
				c.print(" P = %s", row.Partition)
			}
			c.print("\n")
		}
	}
	names("users (No Associations)", out.Orphans)
	return true
}

func (c *call) deleteCoordinators(cl *cluster, r *request) {
	if len(r.names)+len(r.where.Accounts) == 0 {
		c.fail("You need to specify a user list or account list here.")
		return
	}
	if bad := c.unknownCoordinators(cl, r); bad {
		return
	}
	switch {
	case len(r.names) == 0:
		c.print(" Removing all users from Accounts\n")
	case len(r.where.Accounts) == 0:
		c.print(" Removing Coordinators with user name\n")
		for _, n := range r.names {
			c.print("  %s\n", n)
		}
		c.print(" From all accounts\n")
	default:
		c.print(" Removing Coordinators with user name\n")
		for _, n := range r.names {
			c.print("  %s\n", n)
		}
		c.print(" From Account(s)\n")
	}
	for _, n := range r.where.Accounts {
		c.print("  %s\n", n)
	}
	ask := sched.AccountAsk{Verb: "delete", Entity: "coordinator", Names: r.names, Where: r.where}
	c.change(ask, func(out sched.AccountsOutcome) bool {
		if len(out.Coordinators) == 0 {
			c.print(" Nothing removed\n")
			return false
		}
		c.print(" Removed Coordinators (sub accounts not listed)...\n")
		for _, row := range out.Coordinators {
			c.print("  U = %-9.9s A = %-10.10s\n", row.User, row.Account)
		}
		return true
	}, func(err error, t *rinkpb.AccountTrouble) { c.trouble(cl, err, t, "coordinator") })
}

func (c *call) unknownCoordinators(cl *cluster, r *request) (bad bool) {
	for _, n := range r.where.Accounts {
		if cl.Accounts.Accounts[strings.ToLower(n)] == nil {
			c.fail("You specified a non-existent account '%s'.", n)
			bad = true
		}
	}
	for _, n := range r.names {
		if cl.Users[strings.ToLower(n)] == nil {
			c.fail("You specified a non-existent user '%s'.", n)
			bad = true
		}
	}
	return bad
}
