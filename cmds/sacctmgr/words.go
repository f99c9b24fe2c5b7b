package sacctmgr

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/sched"
)

// request is what the words behind a verb and an entity ask for.
type request struct {
	entity string
	names  []string
	where  sched.AccountWhere
	set    []sched.AccountWord
	format []string
	flags  map[string]bool   // withassoc, tree, ...
	more   map[string]string // conditions of the rarer entities: start, actor, nodes, ...

	ofQOS   []string // the conditions that name QOS, as they were typed
	wrong   []string // what is said of words that mean nothing
	refused bool     // a value was, which leaves nothing to set
	adding  bool     // it is made anew
	out     bool     // it is said on stdout, as Slurm does for QOS
}

func newRequest(entity string) *request {
	return &request{entity: entity, flags: map[string]bool{}, more: map[string]string{}}
}

// condition is a word that says what is meant.
type condition struct {
	name string
	min  int
	take func(r *request, value string) error
}

// list adds names to a list of conditions.
func list(to func(r *request) *[]string) func(*request, string) error {
	return func(r *request, value string) error {
		p := to(r)
		*p = append(*p, parts(value)...)
		return nil
	}
}

// parts splits a list at commas and leaves out what is empty.
func parts(value string) []string {
	var out []string
	for p := range strings.SplitSeq(value, ",") {
		if p = strings.TrimSpace(p); p != "" {
			out = append(out, p)
		}
	}
	return out
}

func more(name string) func(*request, string) error {
	return func(r *request, value string) error { r.more[name] = value; return nil }
}

func flag(name string) func(*request, string) error {
	return func(r *request, _ string) error { r.flags[name] = true; return nil }
}

func format(r *request, value string) error {
	if r.format = append(r.format, parts(value)...); value == "" {
		r.format = append(r.format, "")
	}
	return nil
}

func admins(r *request, value string) error {
	for _, w := range parts(value) {
		r.where.Admins = append(r.where.Admins, sched.ParseAdminLevel(w))
	}
	return nil
}

func ids(r *request, value string) error {
	for _, w := range parts(value) {
		n, err := strconv.ParseUint(w, 10, 32)
		if err != nil {
			return fmt.Errorf("sacctmgr: error: Invalid value for %s (%s)", show.Or(map[string]string{"association": "AssocId", "qos": "QOS ID"}[r.entity], "ID"), w)
		}
		r.where.IDs = append(r.where.IDs, uint32(n))
	}
	return nil
}

// conditions are the words with which an entity is looked for.
func conditions(entity string) []condition {
	names := list(func(r *request) *[]string { return &r.names })
	accounts := list(func(r *request) *[]string { return &r.where.Accounts })
	users := func(r *request, value string) error {
		if r.where.Users = append(r.where.Users, parts(value)...); value == "" {
			r.where.Users = append(r.where.Users, "") // what is no user's: accounts alone
		}
		return nil
	}
	common := []condition{
		{"Format", 1, format}, {"Clusters", 1, list(func(r *request) *[]string { return &r.where.Clusters })},
		{"WithDeleted", 5, flag("withdeleted")},
	}
	tree := []condition{
		{"WithAssociations", 5, flag("withassoc")}, {"WithCoordinators", 5, flag("withcoord")}, {"WithRawQOS", 5, flag("withrawqos")},
		{"WOPInfo", 4, flag("wopinfo")}, {"WOPLimits", 4, flag("woplimits")}, {"WOLimits", 3, flag("wolimits")},
		{"Parents", 4, list(func(r *request) *[]string { return &r.where.Parents })},
		{"ParentName", 7, list(func(r *request) *[]string { return &r.where.Parents })},
		{"DefaultQOS", 8, list(func(r *request) *[]string { return &r.where.DefaultQOS })},
		{"QosLevel", 1, list(func(r *request) *[]string { return &r.where.QOS })},
	}
	partitions := condition{"Partitions", 3, list(func(r *request) *[]string { return &r.where.Partitions })}
	described := condition{"Descriptions", 1, list(func(r *request) *[]string { return &r.where.Descriptions })}
	switch entity {
	case "account":
		return slices.Concat([]condition{
			{"Accounts", 1, names}, {"Acct", 4, names}, {"Names", 1, names}, described,
			{"Organizations", 1, list(func(r *request) *[]string { return &r.where.Organizations })},
			{"Users", 1, users},
		}, common, tree)
	case "user":
		return slices.Concat([]condition{
			{"Users", 1, names}, {"Names", 1, names}, {"Accounts", 2, accounts}, {"Acct", 4, accounts}, {"AdminLevel", 2, admins},
			{"DefaultAccount", 8, list(func(r *request) *[]string { return &r.where.DefaultAccounts })},
			{"DefaultWCKey", 8, list(func(r *request) *[]string { return &r.where.DefaultWCKeys })}, partitions,
			{"WCKeys", 1, list(func(r *request) *[]string { return &r.where.WCKeys })},
		}, tree, common)
	case "association":
		return slices.Concat([]condition{
			partitions, {"Accounts", 2, accounts}, {"Acct", 4, accounts}, {"Users", 1, users}, {"Associations", 2, ids}, {"IDs", 1, ids},
			{"OnlyDefaults", 4, flag("onlydefaults")}, {"Tree", 4, flag("tree")}, {"WithSubAccounts", 5, flag("withsub")},
		}, common, tree)
	case "qos":
		return slices.Concat([]condition{
			{"Names", 1, names}, {"QOS", 1, names}, described, {"IDs", 1, ids},
			{"PreemptMode", 8, func(r *request, value string) error {
				for _, mode := range parts(value) {
					if !sched.IsPreemptMode(mode) {
						return fmt.Errorf("sacctmgr: error: Unknown preempt_mode given '%s'\n Bad Preempt Mode given: preemptmode=%s", mode, value)
					}
					r.where.PreemptModes = append(r.where.PreemptModes, mode)
				}
				return nil
			}},
		}, common)
	case "cluster":
		return slices.Concat([]condition{
			{"Names", 1, names}, {"Classification", 3, more("classification")}, {"Features", 3, more("features")}, {"Federation", 3, more("federation")},
			{"Flags", 2, more("flags")}, {"RPC", 1, more("rpc")}, {"WithFed", 5, flag("withfed")}, {"WOLimits", 3, flag("wolimits")},
		}, common)
	case "coordinator":
		return slices.Concat([]condition{{"Accounts", 1, accounts}, {"Acct", 4, accounts}, {"Names", 1, names}, {"Users", 1, names}}, common)
	case "transaction":
		return slices.Concat([]condition{
			{"Actions", 4, more("action")}, {"Actors", 4, more("actor")}, {"Accounts", 3, accounts}, {"Acct", 4, accounts}, {"End", 1, more("end")},
			{"IDs", 1, ids}, {"Start", 1, more("start")}, {"Users", 1, users}, {"WithAssoc", 5, flag("withassoc")},
		}, common)
	case "tres":
		return slices.Concat([]condition{{"Type", 2, more("type")}, {"Names", 1, names}, {"IDs", 1, ids}}, common)
	case "wckey":
		return slices.Concat([]condition{
			{"Names", 1, names}, {"WCKeys", 1, names}, {"IDs", 1, ids}, {"Users", 1, users}, {"Start", 2, more("start")}, {"End", 1, more("end")},
		}, common)
	case "event":
		return slices.Concat([]condition{
			{"All_Clusters", 6, flag("allclusters")}, {"All_Time", 6, flag("alltime")}, {"CondFlags", 2, more("condflags")}, {"End", 3, more("end")},
			{"Events", 2, more("event")}, {"MaxCPUs", 2, more("maxcpus")}, {"MinCPUs", 2, more("mincpus")}, {"Nodes", 1, more("nodes")},
			{"Reason", 1, more("reason")}, {"Start", 5, more("start")}, {"States", 4, more("state")}, {"Users", 1, more("user")},
		}, common)
	case "reservation":
		return slices.Concat([]condition{
			{"Names", 1, names}, {"IDs", 1, ids}, {"Nodes", 1, more("nodes")}, {"Start", 1, more("start")}, {"End", 1, more("end")},
		}, common)
	case "resource":
		return slices.Concat([]condition{
			{"Names", 1, names}, {"ServerType", 7, list(func(r *request) *[]string { return &r.where.ServerTypes })}, {"Servers", 1, list(func(r *request) *[]string { return &r.where.Servers })},
			described, {"Ids", 1, ids}, {"PercentAllowed", 1, more("percent")}, {"WithClusters", 5, flag("withclusters")},
		}, common)
	case "problem":
		return slices.Concat([]condition{
			{"Accounts", 2, accounts}, {"Acct", 4, accounts}, {"Users", 1, users}, partitions, {"IDs", 1, ids}, {"Tree", 4, flag("tree")},
		}, common, tree)
	case "runawayjobs", "federation":
		return slices.Concat([]condition{{"Names", 1, names}, {"Tree", 4, flag("tree")}}, common)
	}
	return common
}

// settings are the words of an entity's own that may be set, with the name the
// controller knows them by; limits are looked up beside them.
func settings(entity string) []struct {
	name string
	min  int
	key  string
} {
	type s = struct {
		name string
		min  int
		key  string
	}
	switch entity {
	case "account":
		return []s{{"Description", 3, "Description"}, {"Organization", 1, "Organization"}}
	case "user":
		return []s{{"AdminLevel", 2, "AdminLevel"}, {"DefaultAccount", 8, "DefaultAccount"}, {"DefaultWCKey", 8, "DefaultWCKey"}, {"NewName", 3, "NewName"}, {"WCKeys", 1, "WCKeys"}}
	}
	return nil
}

// cut parts KEY=VALUE, KEY+=VALUE and KEY-=VALUE; ok is false for a bare word.
func cut(word string) (key, op, value string, ok bool) {
	key, value, ok = strings.Cut(word, "=")
	op = "="
	if n := len(key) - 1; ok && n > 0 && (key[n] == '+' || key[n] == '-') {
		key, op = key[:n], key[n:]+"="
	}
	return key, op, strings.Trim(value, `"'`), ok
}

// where takes a word that says what is meant.
func (r *request) takeWhere(word string) error {
	key, _, value, ok := cut(word)
	for _, cond := range conditions(r.entity) {
		// A bare word is a name, unless it is one of the few that stand alone.
		alone := strings.HasPrefix(cond.name, "W") && cond.name != "WCKeys" || cond.name == "Tree" || cond.name == "OnlyDefaults" || strings.HasPrefix(cond.name, "All_")
		if begins(cond.name, key, cond.min) && ok != alone {
			if cond.name == "QosLevel" || cond.name == "DefaultQOS" {
				r.ofQOS = append(r.ofQOS, word)
			}
			return cond.take(r, value)
		}
	}
	if ok {
		return r.unknownCondition(word)
	}
	if r.entity == "association" || r.entity == "problem" {
		return ids(r, word)
	}
	r.names = append(r.names, parts(word)...)
	return nil
}

// unknownCondition is what is said of a word that is no condition.
func (r *request) unknownCondition(word string) error {
	text := " Unknown condition: " + word
	switch r.entity {
	case "association", "event", "problem", "transaction":
		return errors.New(text)
	case "qos":
		return errors.New(text + "\n Use keyword 'set' to modify SLURM_PRINT_VALUE")
	}
	return errors.New(text + "\n Use keyword 'set' to modify value")
}

// takeSet takes a word that says what is to be.
func (r *request) takeSet(word string, a *sched.Accounts) error {
	key, op, value, ok := cut(word)
	unknown := fmt.Errorf(" Unknown option: %s\n Use keyword 'where' to modify condition", word)
	if r.entity == "user" && r.adding {
		unknown = fmt.Errorf(" Unknown option: %s", word)
	}
	if !ok {
		return unknown
	}
	if r.entity == "account" && !r.adding {
		for _, fixed := range []string{"name", "cluster"} {
			if begins(fixed+"s", key, 1) {
				return fmt.Errorf(" Can't modify the %s of an account", fixed)
			}
		}
	}
	for _, s := range settings(r.entity) {
		if begins(s.name, key, s.min) {
			r.set = append(r.set, sched.AccountWord{Key: s.key, Op: op, Value: value})
			return nil
		}
	}
	def := sched.FindWord(r.entity == "qos", key)
	if def == nil || r.entity == "cluster" && def.Name == "Parent" || r.entity == "user" && def.Name == "Parent" {
		return unknown
	}
	w := sched.AccountWord{Key: def.Name, Op: op, Value: value}
	if err := a.CheckWord(r.entity == "qos", w, key); err != nil {
		return r.badValue(err, unknown, def)
	}
	r.set = append(r.set, w)
	return nil
}

// badValue is what is said of a value that a word cannot have.
func (r *request) badValue(err, unknown error, def *sched.WordDef) error {
	text := err.Error()
	switch {
	case def.Name == "DefaultQOS", def.Kind == sched.WordFlags, def.Name == "PreemptMode":
		return err
	case strings.HasPrefix(text, " "):
	default:
		text = "sacctmgr: error: " + text
	}
	if r.adding && r.entity != "qos" && strings.Contains(text, "Invalid unit type") {
		return fmt.Errorf("%s\n Nothing new added.", text)
	}
	if def.Name == "Preempt" {
		return fmt.Errorf("%s", text)
	}
	if r.entity == "qos" {
		r.refused = r.refused || strings.Contains(text, "Invalid value for")
		return errors.New(text)
	}
	return fmt.Errorf("%s\n%w", text, unknown)
}

// say remembers what is wrong with a word.
func (r *request) say(err error) {
	if err != nil {
		r.wrong = append(r.wrong, err.Error())
	}
}

// complain prints what is wrong, if anything is.
func (c *call) complain(r *request) bool {
	for _, text := range r.wrong {
		c.code = 1
		if r.entity == "qos" && strings.HasPrefix(text, " Unknown") && r.out {
			c.print("%s\n", text)
		} else {
			c.bare("%s", text)
		}
	}
	return len(r.wrong) > 0
}

// entityOf finds the entity a word means; "" when it means none.
func entityOf(word string, table []entityName) string {
	for _, e := range table {
		if begins(e.name, word, e.min) {
			return e.entity
		}
	}
	return ""
}

// entityName is an entity with how many letters of its name are enough.
type entityName struct {
	name   string
	min    int
	entity string
}
