package sacctmgr

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

var listed = []entityName{
	{"Accounts", 2, "account"}, {"Acct", 4, "account"}, {"Associations", 2, "association"}, {"Clusters", 2, "cluster"},
	{"Configuration", 2, "configuration"}, {"Coordinators", 4, "coordinator"}, {"Events", 1, "event"}, {"Federations", 1, "federation"}, {"Problems", 1, "problem"},
	{"QOS", 1, "qos"}, {"Resources", 4, "resource"}, {"Reservations", 4, "reservation"}, {"RunawayJobs", 2, "runawayjobs"}, {"Stats", 1, "stats"},
	{"Transactions", 1, "transaction"}, {"Txn", 2, "transaction"}, {"TRES", 3, "tres"}, {"Users", 1, "user"}, {"WCKeys", 1, "wckey"},
}

// list is list and show.
func (c *call) list(words []string) {
	entity := ""
	if len(words) > 0 {
		entity = entityOf(words[0], listed)
	}
	if entity == "" || entity == "coordinator" {
		c.code = 1
		fmt.Fprint(c.env.Stderr, `No valid entity in list command
Input line must include "Account", "Association", "Cluster", "Configuration",
"Event", "Federation", "Problem", "QOS", "Resource", "Reservation",
"RunAwayJobs", "Stats", "Transaction", "TRES", "User", or "WCKey"
`)
		return
	}
	r := newRequest(entity)
	r.flags["withassoc"] = c.o.assocs
	for i := 1; i < len(words); i++ {
		if strings.EqualFold(words[i], "where") || strings.EqualFold(words[i], "set") || entity == "configuration" || entity == "stats" {
			continue
		}
		key, _, _, is := cut(words[i])
		if entity == "user" && is && begins("WCKeys", key, 1) { // it is there for deleting
			r.say(r.unknownCondition(words[i]))
			continue
		}
		r.say(r.takeWhere(words[i]))
	}
	if c.complain(r) || c.textOnly(entity) {
		return
	}
	show := map[string]func(*request){
		"account": c.showAccounts, "association": c.showAssocs, "cluster": c.showClusters, "configuration": c.showConfig, "event": c.showEvents,
		"federation": c.showFederations, "problem": c.showProblems, "qos": c.showQOS, "resource": c.showResources, "reservation": c.showReservations,
		"runawayjobs": c.showRunaways, "stats": c.showStats, "transaction": c.showTransactions, "tres": c.showTRES, "user": c.showUsers, "wckey": c.showWCKeys,
	}
	show[entity](r)
}

// knowsQOS reports whether there is every QOS of a request's conditions, and says which is not.
func (c *call) knowsQOS(cl *cluster, r *request) bool {
	for _, name := range slices.Concat(r.where.QOS, r.where.DefaultQOS) {
		if cl.QOS[strings.ToLower(name)] != nil {
			continue
		}
		var names []string
		for _, q := range cl.QOSList() {
			names = append(names, q.Name)
		}
		c.bare("sacctmgr: error: You gave a bad qos '%s'. Valid QOS's are %s", name, strings.Join(names, ","))
		for _, word := range r.ofQOS {
			if _, _, value, _ := cut(word); slices.Contains(parts(value), name) {
				c.bare("%v", r.unknownCondition(word))
				break
			}
		}
		return false
	}
	return true
}

// format makes the fields of a listing: those asked for, or the usual ones.
func (c *call) format(r *request, usual ...string) ([]field, bool) {
	names := r.format
	if len(names) == 0 {
		names = usual
	}
	out, unknown := fields(names)
	if unknown != "" {
		c.bare("Unknown field %s", unknown)
		c.code = 1
		return nil, false
	}
	return out, true
}

// limitsOf are the limits of an association as they are shown: with what it has of
// those above, unless its own are asked for.
func limitsOf(r *request, cl *cluster, v *sched.Assoc) *sched.Limits {
	if r.flags["woplimits"] || r.flags["wopinfo"] {
		return &v.Limits
	}
	l := cl.Effective(v)
	return &l
}

func (r *request) row(cl *cluster, v *sched.Assoc) *row {
	return &row{cl: cl, assoc: v, limits: limitsOf(r, cl, v), own: r.flags["woplimits"] || r.flags["wopinfo"], bare: r.flags["wopinfo"]}
}

var accountAssocFields = []string{"Clusters", "ParentName", "User", "Share", "Priority", "GrpJobs", "GrpNodes", "GrpCPUs", "GrpMemory", "GrpSubmitJobs", "GrpWall",
	"GrpCPUMins", "MaxJobs", "MaxNodesPerJob", "MaxCPUsPerJob", "MaxSubmitJobs", "MaxWallDurationPerJob", "MaxCPUMinsPerJob", "QOSLevel", "DefaultQOS"}

func (c *call) showAccounts(r *request) {
	r.where.Accounts = r.names
	if !r.flags["withassoc"] && len(r.where.Clusters)+len(r.where.Parents)+len(r.where.Users)+len(r.where.QOS)+len(r.where.DefaultQOS) > 0 && !c.withAssocAnyway() {
		return
	}
	usual := []string{"Account", "Description", "Organization"}
	if r.flags["withassoc"] {
		usual = append(usual, accountAssocFields...)
	}
	if r.flags["withcoord"] {
		usual = append(usual, "Coordinators")
	}
	out, ok := c.format(r, usual...)
	if !ok {
		return
	}
	cl := c.fetch(false)
	if cl == nil || !c.knowsQOS(cl, r) {
		return
	}
	// Conditions on associations choose among those of an account: it is listed without any, too.
	of, placed := r.where, r.where
	of.Users, of.Parents, of.QOS, of.DefaultQOS = nil, nil, nil, nil
	placed.Accounts = nil
	var rows []*row
	for _, acc := range cl.Tables().Accounts {
		if !of.MatchesAccount(cl.Accounts, acc) {
			continue
		}
		n := len(rows)
		own := cl.Own(acc.Name)
		for _, v := range slices.Concat([]*sched.Assoc{own}, cl.Children(own.ID)) {
			if r.flags["withassoc"] && v.Key.Account == acc.Name && r.where.Here(cl.name) && placed.MatchesAssoc(cl.Accounts, v) {
				one := r.row(cl, v)
				one.acc = acc
				rows = append(rows, one)
			}
		}
		if len(rows) == n {
			rows = append(rows, &row{cl: cl, acc: acc})
		}
	}
	c.rows(r, out, rows)
}

// withAssocAnyway asks whether to go on with conditions that only associations
// have.
func (c *call) withAssocAnyway() bool {
	if c.sure("You requested options that are only valid when querying with the withassoc option.\nAre you sure you want to continue?") {
		return true
	}
	c.print("Aborted\n")
	return false
}

var userAssocFields = []string{"Clusters", "Account", "Partition", "Share", "Priority", "MaxJobs", "MaxNodesPerJob", "MaxCPUsPerJob", "MaxSubmitJobs",
	"MaxWallDurationPerJob", "MaxCPUMinsPerJob", "QOSLevel", "DefaultQOS"}

func (c *call) showUsers(r *request) {
	r.where.Users = r.names
	if !r.flags["withassoc"] && len(r.where.Accounts)+len(r.where.Partitions)+len(r.where.QOS)+len(r.where.DefaultQOS) > 0 && !c.withAssocAnyway() {
		return
	}
	cl := c.fetch(false)
	if cl == nil || !c.knowsQOS(cl, r) {
		return
	}
	usual := []string{"User", "DefaultAccount"}
	if cl.reply.TrackWckey {
		usual = append(usual, "DefaultWCKey")
	}
	usual = append(usual, "AdminLevel")
	if r.flags["withassoc"] {
		usual = append(usual, userAssocFields...)
	}
	if r.flags["withcoord"] {
		usual = append(usual, "Coordinators")
	}
	out, ok := c.format(r, usual...)
	if !ok {
		return
	}
	var rows []*row
	ordered := cl.Ordered()
	for _, u := range cl.Tables().Users {
		if !r.where.MatchesUser(cl.Accounts, u) {
			continue
		}
		if !r.flags["withassoc"] {
			rows = append(rows, &row{cl: cl, user: u})
			continue
		}
		n := len(rows)
		for _, v := range ordered {
			if v.Key.User == u.Name && r.where.Here(cl.name) && r.where.MatchesAssoc(cl.Accounts, v) {
				one := r.row(cl, v)
				one.user = u
				rows = append(rows, one)
			}
		}
		if len(rows) == n {
			rows = append(rows, &row{cl: cl, user: u})
		}
	}
	c.rows(r, out, rows)
}

func (c *call) showAssocs(r *request) {
	usual := []string{"Clusters", "Account", "User", "Partition"}
	if !r.flags["wolimits"] {
		usual = append(usual, "Share", "Priority", "GrpJobs", "GrpTRES", "GrpSubmitJobs", "GrpWall", "GrpTRESMins", "MaxJobs", "MaxTRES", "MaxTRESPerNode",
			"MaxSubmitJobs", "MaxWallDurationPerJob", "MaxTRESMinsPerJob", "QOSLevel", "DefaultQOS", "GrpTRESRunMins")
	}
	out, ok := c.format(r, usual...)
	if !ok {
		return
	}
	cl := c.fetch(false)
	if cl == nil || !c.knowsQOS(cl, r) {
		return
	}
	for i := range out {
		if r.flags["tree"] && out[i].name == "Account" && out[i].width == 10 {
			out[i].width = -20
		}
	}
	var meant []*sched.Assoc
	within := map[sched.AssocID]bool{}
	accounts := r.where.Accounts
	for _, v := range cl.Ordered() {
		if !r.where.Here(cl.name) || r.flags["onlydefaults"] && !v.IsDefault {
			continue
		}
		w := r.where
		if r.flags["withsub"] && len(accounts) > 0 && within[v.Parent] {
			w.Accounts = nil
		}
		if w.MatchesAssoc(cl.Accounts, v) {
			within[v.ID] = true
			meant = append(meant, v)
		}
	}
	var rows []*row
	for _, n := range hierarchy(meant, r.flags["wopinfo"]) {
		one := r.row(cl, n.assoc)
		if r.flags["tree"] {
			one.depth = n.depth
		}
		rows = append(rows, one)
	}
	c.rows(r, out, rows)
}

// node is an association with how deep it stands among those listed.
type node struct {
	assoc *sched.Assoc
	depth int
}

// hierarchy orders associations as Slurm lists them: each below its parent, the
// users of an account before the accounts below it, both by name. What has no
// parent in the list stands at the top. Flat, users come before accounts, and
// each keep their order.
func hierarchy(list []*sched.Assoc, flat bool) []node {
	in := map[sched.AssocID]bool{}
	for _, v := range list {
		in[v.ID] = true
	}
	below := map[sched.AssocID][]*sched.Assoc{}
	for _, v := range list {
		parent := v.Parent
		if !in[parent] || flat {
			parent = 0
		}
		below[parent] = append(below[parent], v)
	}
	var out []node
	var walk func(id sched.AssocID, depth int)
	walk = func(id sched.AssocID, depth int) {
		level := below[id]
		slices.SortStableFunc(level, func(a, b *sched.Assoc) int {
			switch {
			case a.Key.User != "" && b.Key.User == "":
				return -1
			case a.Key.User == "" && b.Key.User != "":
				return 1
			case flat:
				return 0
			case a.Key.User != "":
				return strings.Compare(a.Key.User, b.Key.User)
			}
			return strings.Compare(a.Key.Account, b.Key.Account)
		})
		for _, v := range level {
			out = append(out, node{v, depth})
			if !flat {
				walk(v.ID, depth+1)
			}
		}
	}
	walk(0, 0)
	return out
}

func (c *call) showClusters(r *request) {
	usual := []string{"Clusters", "ControlHost", "ControlPort", "RPC"}
	if !r.flags["wolimits"] {
		usual = append(usual, "Share", "GrpJobs", "GrpTRES", "GrpSubmitJobs", "MaxJobs", "MaxTRES", "MaxSubmitJobs", "MaxWallDurationPerJob", "QOSLevel", "DefaultQOS")
	}
	if r.flags["withfed"] {
		usual = append(usual, "Federation", "ID", "Features", "FedState")
	}
	out, ok := c.format(r, usual...)
	if !ok {
		return
	}
	cl := c.fetch(false)
	if cl == nil {
		return
	}
	var rows []*row
	r.where.Clusters = append(r.where.Clusters, r.names...)
	meant := func() bool { // what a cluster is for nobody has said here
		return !slices.ContainsFunc(parts(r.more["classification"]), func(w string) bool { return begins("capability", w, 3) || begins("capacity", w, 4) }) &&
			(r.more["rpc"] == "" || slices.Contains(parts(r.more["rpc"]), strconv.Itoa(protocolVersion)))
	}
	if root := cl.Own(sched.RootAccount); root != nil && r.where.Here(cl.name) && meant() {
		one := r.row(cl, root)
		nodes := slurm.HostListOf(cl.reply.Nodes...)
		one.text = map[string]string{
			"cluster": cl.name, "controlhost": cl.reply.ControlHost, "controlport": fmt.Sprint(cl.reply.ControlPort), "rpc": fmt.Sprint(protocolVersion),
			"nodecount": fmt.Sprint(len(cl.reply.Nodes)), "clusternodes": nodes.String(), "tres": tresText(cl), "flags": "None", "id": "0", "fedstate": "NA",
			"pluginid": "0",
		}
		one.id0()
		rows = append(rows, one)
	}
	c.rows(r, out, rows)
}

// protocolVersion is the number of the protocol of the Slurm that is followed, as
// tools look for it.
const protocolVersion = 9728

// id0 makes the row of a cluster: its number is that within a federation.
func (r *row) id0() {
	v := *r.assoc
	v.ID = 0
	r.assoc = &v
}

func (c *call) showQOS(r *request) {
	out, ok := c.format(r, "Name", "Priority", "GraceTime", "Preempt", "PreemptExemptTime", "PreemptMode", "Flags%40", "UsageThreshold", "UsageFactor", "GrpTRES", "GrpTRESMins",
		"GrpTRESRunMins", "GrpJobs", "GrpSubmitJobs", "GrpWall", "MaxTRES", "MaxTRESPerNode", "MaxTRESMinsPerJob", "MaxWallDurationPerJob", "MaxTRESPerUser", "MaxJobsPerUser",
		"MaxSubmitJobsPerUser", "MaxTRESPerAccount", "MaxJobsPerAccount", "MaxSubmitJobsPerAccount", "MinTRESPerJob")
	if !ok {
		return
	}
	cl := c.fetch(false)
	if cl == nil {
		return
	}
	var rows []*row
	for _, q := range cl.QOSList() {
		if r.where.MatchesQOS(r.names, q) {
			rows = append(rows, &row{cl: cl, qos: q, limits: &q.Limits})
		}
	}
	if len(r.names) > 0 {
		slices.SortFunc(rows, byName(func(r *row) string { return r.qos.Name }))
	}
	c.rows(r, out, rows)
}

func (c *call) showTRES(r *request) {
	out, ok := c.format(r, "Type", "Name%15", "ID")
	if !ok {
		return
	}
	cl := c.fetch(false)
	if cl == nil {
		return
	}
	var rows []*row
	types := parts(r.more["type"])
	for i := range cl.TRES {
		k := &cl.TRES[i]
		if (len(types) == 0 || containsFold(types, k.Type)) && (len(r.names) == 0 || containsFold(r.names, k.Name)) &&
			(len(r.where.IDs) == 0 || slices.Contains(r.where.IDs, k.ID)) {
			rows = append(rows, &row{cl: cl, tres: k})
		}
	}
	c.rows(r, out, rows)
}

func containsFold(list []string, s string) bool {
	return slices.ContainsFunc(list, func(x string) bool { return strings.EqualFold(x, s) })
}

func (c *call) showWCKeys(r *request) {
	out, ok := c.format(r, "WCKeys", "Clusters", "User")
	if !ok {
		return
	}
	for i := range out {
		switch {
		case out[i].name == "Name":
			out[i].header, out[i].value = "WCKey", wckeys
		case out[i].name == "WCKeys":
			out[i].header, out[i].width = "WCKey", 10
		}
	}
	cl := c.fetch(false)
	if cl == nil || !c.allowed(cl, sched.AdminOperator, "Error with request") {
		return
	}
	var rows []*row
	for _, u := range cl.Tables().Users {
		if len(r.where.Users) > 0 && !containsFold(r.where.Users, u.Name) || !r.where.Here(cl.name) {
			continue
		}
		for i := range u.WCKeys {
			k := &u.WCKeys[i]
			if (len(r.names) == 0 || containsFold(r.names, k.Name)) && (len(r.where.IDs) == 0 || slices.Contains(r.where.IDs, k.ID)) {
				rows = append(rows, &row{cl: cl, wckey: k, ofUser: u.Name})
			}
		}
	}
	c.rows(r, out, rows)
}

func tresText(cl *cluster) string {
	var list slurm.TRES
	for _, p := range cl.reply.Tres {
		list = append(list, slurm.TRESItem{Type: p.Type, Name: p.Name, Count: p.Count})
	}
	return tres(list)
}
