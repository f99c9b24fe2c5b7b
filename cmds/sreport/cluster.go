package sreport

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/runink/rink/api/rinkpb"
)

func clusterColumns() []column {
	return []column{
		{name: "Accounts", header: "Account", width: 15, aliases: []string{"Account", "Acct"}},
		{name: "Allocated", header: "Allocated", width: 8, wide: 17}, {name: "Cluster", header: "Cluster", width: 9},
		{name: "Down", header: "Down", width: 8, wide: 17}, {name: "Idle", header: "Idle", width: 8, wide: 17}, {name: "Login", header: "Login", width: 9},
		{name: "Overcommitted", header: "Over Comm", width: 9, wide: 18}, {name: "Planned", header: "Planned", width: 8, wide: 17, aliases: []string{"reserved"}},
		{name: "PlannedDown", header: "PLND Down", width: 8, wide: 17, aliases: []string{"PLNDDown"}}, {name: "Proper", header: "Proper Name", width: 15},
		{name: "QOS", header: "QOS", width: 12}, {name: "QOSID", header: "QOS ID", width: 8}, {name: "Reported", header: "Reported", width: 8, wide: 17},
		{name: "TresCount", header: "TRES Count", width: 10, aliases: []string{"cpucount", "count"}}, {name: "TresName", header: "TRES Name", width: 14},
		{name: "Used", header: "Used", width: 8, wide: 17}, {name: "WCKey", header: "WCKey", width: 15},
		{name: "Energy", header: "Energy", width: 8, wide: 17},
	}
}

// utilization parts the cluster's time into what was allocated, down and idle.
func (s *session) utilization(w *wish) int {
	reply, ok := s.fetch(w, &rinkpb.UsageRequest{ReservedIdle: true})
	if !ok {
		return 1
	}
	kinds, ok := s.counted(reply, "the Cluster Utilization report")
	if !ok {
		return 1
	}
	own := "Cluster,Allocated,Down,PlannedDown,Idle,Planned,Reported"
	if s.o.hasTRES {
		own = "Cluster,TresName,Allocated,Down,PlannedDown,Idle,Planned,Reported"
	}
	l := s.layout(clusterColumns(), own, w.format)
	if l == nil {
		return 1
	}
	for _, t := range reply.Tres {
		if slices.Contains(kinds, t.Tres) {
			l.widen(cellSeconds{"allocated": t.Allocated, "down": t.Down, "planneddown": t.PlannedDown, "idle": t.Idle, "planned": t.Planned,
				"overcommitted": t.Overcommitted, "reported": t.Reported})
		}
	}
	s.title(w, "Cluster Utilization", s.usageLine(), false)
	l.header()
	if len(reply.Tres) == 0 {
		return 0
	}
	for _, kind := range kinds {
		t := &rinkpb.ClusterUsage{Tres: kind}
		for _, have := range reply.Tres {
			if have.Tres == kind {
				t = have
			}
		}
		whole := t.Count * (reply.End - reply.Start) / 1e9
		l.row(cells{
			"cluster": s.cluster, "tresname": kind, "trescount": fmt.Sprint(t.Count), "allocated": s.amount(t.Allocated, t.Reported),
			"down": s.amount(t.Down, t.Reported), "planneddown": s.amount(t.PlannedDown, t.Reported), "idle": s.amount(t.Idle, t.Reported),
			"planned": s.amount(t.Planned, t.Reported), "overcommitted": s.amount(t.Overcommitted, t.Reported), "reported": s.amount(t.Reported, whole),
		})
	}
	return 0
}

// account is one account of the tree with what it and its users used.
type account struct {
	name     string
	kids     []*account
	all      usage // of all below it too
	users    map[string]*usage
	unlisted bool
}

// tree puts the accounts of a reply together, in the controller's order.
func tree(reply *rinkpb.UsageReply) []*account {
	at := map[string]*account{}
	var tops []*account
	get := func(name, parent string) *account {
		a := at[name]
		if a == nil {
			a = &account{name: name, users: map[string]*usage{}}
			at[name] = a
			if up := at[parent]; up != nil {
				up.kids = append(up.kids, a)
			} else {
				tops = append(tops, a)
			}
		}
		return a
	}
	for _, p := range reply.Accounts {
		get(p.Name, p.Parent)
	}
	for _, p := range reply.Parties {
		a := get(p.Party.Account, "root")
		u := a.users[p.Party.User]
		if u == nil {
			u = &usage{}
			a.users[p.Party.User] = u
		}
		u.add(p.Tres, p.Ended.GetEnergy())
		a.all.add(p.Tres, p.Ended.GetEnergy())
	}
	for _, t := range tops {
		t.sum()
	}
	return tops
}

// sum adds to each account what is below it.
func (a *account) sum() {
	for _, kid := range a.kids {
		kid.sum()
		for k, n := range kid.all.seconds {
			if a.all.seconds == nil {
				a.all.seconds = map[string]int64{}
			}
			a.all.seconds[k] += n
		}
		a.all.energy += kid.all.energy
	}
}

// walk calls f for the accounts of trees that are in a list of names, or below one that
// is, each before those below it, with how deep it is below that one.
func walk(list []*account, names []string, f func(a *account, depth int)) {
	var each func(a *account, depth int)
	each = func(a *account, depth int) {
		if depth < 0 && (len(names) == 0 || slices.Contains(names, a.name)) {
			depth = 0
		}
		if depth >= 0 {
			f(a, depth)
			depth++
		}
		for _, kid := range a.kids {
			each(kid, depth)
		}
	}
	for _, a := range list {
		each(a, -1)
	}
}

// usageFormat is a report's own format, its columns and then what was used.
func (s *session) usageFormat(columns string) string {
	if s.o.hasTRES {
		return columns + ",TresName,Used"
	}
	return columns + ",Used,Energy"
}

// usageRows prints a line for each kind of what was used.
func (s *session) usageRows(l *layout, kinds []string, whole map[string]int64, u *usage, c cells) {
	for _, kind := range kinds {
		c["cluster"], c["tresname"] = s.cluster, kind
		c["used"] = s.amount(u.of(kind), whole[kind])
		c["energy"] = s.amount(u.energy*perUnit(s.o.unit), whole["energy"])
		c["trescount"] = ""
		l.row(c)
	}
}

// perUnit undoes what amount divides by: joules are no time.
func perUnit(u unit) int64 { return max(1, u.per) }

func (s *session) accountByUser(w *wish) int {
	reply, ok := s.fetch(w, &rinkpb.UsageRequest{Parties: true, ReservedIdle: true})
	if !ok {
		return 1
	}
	kinds, ok := s.counted(reply, "")
	if !ok {
		return 1
	}
	columns := clusterColumns()
	if w.tree {
		columns[0].width, columns[0].left = 20, true
	}
	l := s.layout(columns, s.usageFormat("Cluster,Accounts,Login,Proper"), w.format)
	if l == nil {
		return 1
	}
	tops := tree(reply)
	walk(tops, w.accounts, func(a *account, _ int) { l.widenUsed(kinds, &a.all) })
	s.title(w, "Cluster/Account/User Utilization", s.usageLine(), true)
	l.header()
	whole := reported(reply)
	walk(tops, w.accounts, func(a *account, depth int) {
		pad := func(deeper int) string {
			if !w.tree || len(w.users) > 0 {
				return ""
			}
			return strings.Repeat(" ", depth+deeper)
		}
		if len(w.users) == 0 && !a.all.none() {
			s.usageRows(l, kinds, whole, &a.all, cells{"accounts": pad(0) + a.name})
		}
		for _, login := range sortedKeys(a.users) {
			if u := a.users[login]; !u.none() && (len(w.users) == 0 || slices.Contains(w.users, login)) {
				s.usageRows(l, kinds, whole, u, cells{"accounts": pad(1) + a.name, "login": login, "proper": properName(login)})
			}
		}
	})
	return 0
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// line is a row of a flat report, before it is printed.
type line struct {
	cells cells
	usage usage
}

// lines adds up the parties of a reply by what key makes of them; those for
// which it returns nothing are left out.
func lines(reply *rinkpb.UsageReply, key func(*rinkpb.Party) cells) []*line {
	at := map[string]*line{}
	var list []*line
	for _, p := range reply.Parties {
		c := key(p.Party)
		if c == nil {
			continue
		}
		id := fmt.Sprint(c)
		one := at[id]
		if one == nil {
			one = &line{cells: c}
			at[id] = one
			list = append(list, one)
		}
		one.usage.add(p.Tres, p.Ended.GetEnergy())
	}
	return list
}

// largest puts lines in order: who used most first, or by name.
func (s *session) largest(list []*line, kinds []string, names ...string) {
	slices.SortStableFunc(list, func(a, b *line) int {
		order := 0
		for _, n := range names {
			order = cmp.Or(order, strings.Compare(a.cells[n], b.cells[n]))
		}
		if s.o.byName {
			return order
		}
		return cmp.Or(cmp.Compare(b.usage.of(kinds[0]), a.usage.of(kinds[0])), order)
	})
}

func wanted(list []string, name string) bool { return len(list) == 0 || slices.Contains(list, name) }

// flat is a report whose lines are in the order of their size.
func (s *session) flat(w *wish, title, own string, key func(*rinkpb.Party) cells, columns []column, most int, names ...string) int {
	reply, ok := s.fetch(w, &rinkpb.UsageRequest{Parties: true, ReservedIdle: true})
	if !ok {
		return 1
	}
	kinds, ok := s.counted(reply, "")
	if !ok {
		return 1
	}
	l := s.layout(columns, own, w.format)
	if l == nil {
		return 1
	}
	list := slices.DeleteFunc(lines(reply, key), func(one *line) bool { return one.usage.none() })
	for _, one := range list {
		l.widenUsed(kinds, &one.usage)
	}
	s.title(w, title, s.usageLine(), true)
	l.header()
	s.largest(list, kinds, names...)
	whole := reported(reply)
	for i, one := range list {
		if most > 0 && i == most {
			break
		}
		if login := one.cells["login"]; login != "" {
			one.cells["proper"] = properName(login)
		}
		s.usageRows(l, kinds, whole, &one.usage, one.cells)
	}
	return 0
}

func (s *session) userByAccount(w *wish) int {
	columns := clusterColumns()
	if w.tree {
		columns[0].width, columns[0].left = 20, true
	}
	return s.flat(w, "Cluster/User/Account Utilization", s.usageFormat("Cluster,Login,Proper,Accounts"), func(p *rinkpb.Party) cells {
		if !wanted(w.users, p.User) || !wanted(w.accounts, p.Account) {
			return nil
		}
		return cells{"login": p.User, "accounts": p.Account}
	}, columns, 0, "login", "accounts")
}

func (s *session) userByWckey(w *wish) int {
	own := "Cluster,Login,Proper,WCKey,Used"
	if s.o.hasTRES {
		own = "Cluster,Login,Proper,WCKey,TresName,Used"
	}
	return s.flat(w, "Cluster/User/WCKey Utilization", own, func(p *rinkpb.Party) cells {
		if p.Wckey == "" || !wanted(w.users, p.User) || !wanted(w.wckeys, p.Wckey) {
			return nil
		}
		return cells{"login": p.User, "wckey": p.Wckey}
	}, clusterColumns(), 0, "login", "wckey")
}

// accountByQOS is by account and, within it, by quality of service.
func (s *session) accountByQOS(w *wish) int {
	byName := s.o.byName
	s.o.byName = true
	defer func() { s.o.byName = byName }()
	return s.flat(w, "Cluster/Account/QOS Utilization", s.usageFormat("Cluster,Accounts,QOS"), func(p *rinkpb.Party) cells {
		if !wanted(w.accounts, p.Account) || !wanted(w.qos, p.Qos) {
			return nil
		}
		return cells{"accounts": p.Account, "qos": p.Qos}
	}, clusterColumns(), 0, "accounts", "qos")
}

func (s *session) wckeyByUser(w *wish) int {
	reply, ok := s.fetch(w, &rinkpb.UsageRequest{Parties: true, ReservedIdle: true})
	if !ok {
		return 1
	}
	kinds, ok := s.counted(reply, "")
	if !ok {
		return 1
	}
	own := "Cluster,WCKey,Login,Proper,Used"
	if s.o.hasTRES {
		own = "Cluster,WCKey,Login,Proper,TresName,Used"
	}
	l := s.layout(clusterColumns(), own, w.format)
	if l == nil {
		return 1
	}
	keys := map[string]map[string]*usage{}
	for _, p := range reply.Parties {
		k := p.Party.Wckey
		if k == "" || !wanted(w.wckeys, k) || !wanted(w.users, p.Party.User) {
			continue
		}
		if keys[k] == nil {
			keys[k] = map[string]*usage{"": {}}
		}
		for _, login := range []string{"", p.Party.User} {
			if keys[k][login] == nil {
				keys[k][login] = &usage{}
			}
			keys[k][login].add(p.Tres, p.Ended.GetEnergy())
		}
	}
	for _, users := range keys {
		l.widenUsed(kinds, users[""])
	}
	s.title(w, "Cluster/WCKey/User Utilization", s.usageLine(), true)
	l.header()
	whole := reported(reply)
	for _, k := range sortedKeys(keys) {
		for _, login := range sortedKeys(keys[k]) {
			if u := keys[k][login]; !u.none() {
				s.usageRows(l, kinds, whole, u, cells{"wckey": k, "login": login, "proper": properName(login)})
			}
		}
	}
	return 0
}

// top is who used most.
func (s *session) top(w *wish) int {
	columns := []column{
		{name: "Accounts", header: "Account", width: 15, aliases: []string{"Account", "Acct"}}, {name: "Cluster", header: "Cluster", width: 9},
		{name: "Energy", header: "Energy", width: 8, wide: 17}, {name: "Login", header: "Login", width: 9}, {name: "Partition", header: "Partition", width: 15},
		{name: "Proper", header: "Proper Name", width: 15}, {name: "TresName", header: "TRES Name", width: 14}, {name: "Used", header: "Used", width: 8, wide: 17},
	}
	byPartition := strings.Contains(strings.ToLower(w.format), "partition")
	groups := map[string][]string{}
	key := func(p *rinkpb.Party) cells {
		if !wanted(w.users, p.User) || !wanted(w.accounts, p.Account) || !wanted(w.partitions, p.Partition) {
			return nil
		}
		c := cells{"login": p.User}
		if byPartition {
			c["partition"] = p.Partition
		}
		if w.group {
			if !slices.Contains(groups[p.User], p.Account) {
				groups[p.User] = append(groups[p.User], p.Account)
			}
		} else {
			c["accounts"] = p.Account
		}
		return c
	}
	if w.group {
		// Who is grouped is known only when all have been looked at.
		reply, ok := s.fetch(w, &rinkpb.UsageRequest{Parties: true, ReservedIdle: true})
		if !ok {
			return 1
		}
		order := []string{}
		for _, a := range reply.Accounts {
			order = append(order, a.Name)
		}
		lines(reply, key)
		for _, list := range groups {
			slices.SortStableFunc(list, func(a, b string) int { return rank(order, a) - rank(order, b) })
		}
		return s.flat(w, fmt.Sprintf("Top %d Users", w.top), s.usageFormat("Cluster,Login,Proper,Accounts"), func(p *rinkpb.Party) cells {
			c := key(p)
			if c != nil {
				c["accounts"] = strings.Join(groups[p.User], ", ")
			}
			return c
		}, columns, w.top, "login")
	}
	return s.flat(w, fmt.Sprintf("Top %d Users", w.top), s.usageFormat("Cluster,Login,Proper,Accounts"), key, columns, w.top, "login", "accounts")
}
