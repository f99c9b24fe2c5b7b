package sacctmgr

import (
	"slices"
	"strings"
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// dataOf are the listings that --json and --yaml print, with what they are called there.
var dataOf = map[string]string{
	"account": "accounts", "association": "associations", "cluster": "clusters", "qos": "qos", "stats": "statistics", "tres": "TRES", "user": "users", "wckey": "wckeys",
}

// rows prints the rows of a listing: as a table, or each noun once as data.
func (c *call) rows(r *request, out []field, rows []*row) {
	if !c.o.encoding.On() {
		c.table(out, rows)
		return
	}
	list := []any{}
	var before *row
	for _, one := range rows {
		switch {
		case one.qos != nil:
			list = append(list, qosData(one))
		case one.tres != nil:
			list = append(list, tresData(*one.tres, 0))
		case one.wckey != nil:
			list = append(list, wckeyData(one.cl, one.ofUser, *one.wckey))
		case r.entity == "cluster":
			list = append(list, clusterData(one))
		case one.acc != nil && (before == nil || before.acc != one.acc):
			list = append(list, accountData(r, one, rows))
		case one.user != nil && (before == nil || before.user != one.user):
			list = append(list, userData(r, one, rows))
		case one.acc == nil && one.user == nil && one.assoc != nil:
			list = append(list, assocData(one))
		}
		before = one
	}
	c.data(show.Object{{Key: dataOf[r.entity], Value: list}})
}

// data prints a document.
func (c *call) data(doc show.Object) {
	c.view.Encoding = c.o.encoding
	if err := c.view.DataWith(c.env, doc); err != nil {
		c.code = 1
		c.env.Errorf("%v", err)
	}
}

// pingData is what is said of the controller that keeps the accounts, and how long it took
// to answer, in microseconds.
func (c *call) pingData(reply *rinkpb.PingReply, up bool, took time.Duration) {
	status := "DOWN"
	if up {
		status = "UP"
	}
	c.data(show.Object{{Key: "pings", Value: []any{show.Object{
		{Key: "hostname", Value: show.Or(reply.GetLeader(), reply.GetHost())}, {Key: "responding", Value: up}, {Key: "latency", Value: took.Microseconds()},
		{Key: "primary", Value: true}, {Key: "status", Value: status},
	}}}})
}

func shortAssoc(cl *cluster, v *sched.Assoc) show.Object {
	if v == nil {
		return show.Object{}
	}
	return show.Object{
		{Key: "account", Value: v.Key.Account}, {Key: "cluster", Value: cl.name}, {Key: "partition", Value: string(v.Key.Partition)},
		{Key: "user", Value: v.Key.User}, {Key: "id", Value: uint32(v.ID)},
	}
}

// shortAssocs are the associations of the rows that are about the same noun.
func shortAssocs(r *request, rows []*row, same func(*row) bool) []any {
	list := []any{}
	for _, one := range rows {
		if r.flags["withassoc"] && one.assoc != nil && same(one) {
			list = append(list, shortAssoc(one.cl, one.assoc))
		}
	}
	return list
}

// coordData are coordinators, or what somebody coordinates; direct says that it is noted so, and
// does not follow from what is above.
func coordData(names string, direct func(name string) bool) []any {
	list := []any{}
	for _, name := range parts(names) {
		list = append(list, show.Object{{Key: "name", Value: name}, {Key: "direct", Value: direct(name)}})
	}
	return list
}

func accountData(r *request, one *row, rows []*row) show.Object {
	coords := []any{}
	if r.flags["withcoord"] {
		coords = coordData(coordinators(&row{cl: one.cl, acc: one.acc}), func(name string) bool { return slices.Contains(one.acc.Coordinators, name) })
	}
	return show.Object{
		{Key: "associations", Value: shortAssocs(r, rows, func(o *row) bool { return o.acc == one.acc })}, {Key: "coordinators", Value: coords},
		{Key: "description", Value: one.acc.Description}, {Key: "name", Value: one.acc.Name}, {Key: "organization", Value: one.acc.Organization},
		{Key: "flags", Value: append([]string{}, one.acc.Flags...)},
	}
}

func userData(r *request, one *row, rows []*row) show.Object {
	u, coords, keys := one.user, []any{}, []any{}
	if r.flags["withcoord"] {
		coords = coordData(coordinators(&row{cl: one.cl, user: u}), func(name string) bool {
			acc := one.cl.Accounts.Accounts[name]
			return acc != nil && slices.Contains(acc.Coordinators, u.Name)
		})
	}
	for _, k := range u.WCKeys {
		keys = append(keys, wckeyData(one.cl, u.Name, k))
	}
	return show.Object{
		{Key: "administrator_level", Value: []string{u.Admin.String()}},
		{Key: "associations", Value: shortAssocs(r, rows, func(o *row) bool { return o.user == u })}, {Key: "coordinators", Value: coords},
		{Key: "default", Value: show.Object{{Key: "account", Value: u.DefaultAccount}, {Key: "qos", Value: 0}, {Key: "wckey", Value: u.DefaultWCKey}}},
		{Key: "flags", Value: []string{"NONE"}}, {Key: "name", Value: u.Name}, {Key: "old_name", Value: ""}, {Key: "wckeys", Value: keys},
	}
}

func wckeyData(cl *cluster, user string, k sched.WCKey) show.Object {
	return show.Object{
		{Key: "accounting", Value: []any{}}, {Key: "cluster", Value: cl.name}, {Key: "id", Value: k.ID}, {Key: "name", Value: k.Name}, {Key: "user", Value: user},
		{Key: "flags", Value: []string{}},
	}
}

func clusterData(one *row) show.Object {
	cl := one.cl
	list := []any{}
	for _, p := range cl.reply.Tres {
		list = append(list, tresData(kindOf(cl, p.Type, p.Name), p.Count))
	}
	return show.Object{
		{Key: "controller", Value: show.Object{{Key: "host", Value: cl.reply.ControlHost}, {Key: "port", Value: cl.reply.ControlPort}}},
		{Key: "flags", Value: []string{}}, {Key: "name", Value: cl.name}, {Key: "nodes", Value: one.text["clusternodes"]},
		{Key: "associations", Value: show.Object{{Key: "root", Value: shortAssoc(cl, cl.Own(sched.RootAccount))}}},
		{Key: "rpc_version", Value: protocolVersion}, {Key: "tres", Value: list},
	}
}

func tresData(k sched.TRESKind, count int64) show.Object {
	return show.Object{{Key: "type", Value: k.Type}, {Key: "name", Value: k.Name}, {Key: "id", Value: k.ID}, {Key: "count", Value: count}}
}

// kindOf finds the kind of that name with its number; one that is not counted has none.
func kindOf(cl *cluster, kind, name string) sched.TRESKind {
	for _, k := range cl.TRES {
		if k.Type == kind && k.Name == name {
			return k
		}
	}
	return sched.TRESKind{Type: kind, Name: name}
}

// limitData turns limits into what the data parser has for them.
type limitData struct{ cl *cluster }

func (d limitData) tres(list slurm.TRES) []any {
	out := []any{}
	for _, item := range list {
		out = append(out, tresData(kindOf(d.cl, item.Type, item.Name), item.Count))
	}
	return out
}

func (d limitData) number(n int64) show.Object {
	if n == sched.NoLimit {
		return show.Endless()
	}
	return show.Number(n)
}

func (d limitData) minutes(t slurm.Duration) show.Object {
	if t == 0 {
		return show.Endless()
	}
	return show.Number(max(t, 0).Minutes())
}

func object(members ...any) show.Object {
	var o show.Object
	for i := 0; i < len(members); i += 2 {
		o = append(o, show.Member{Key: members[i].(string), Value: members[i+1]})
	}
	return o
}

func assocData(one *row) show.Object {
	v, l, d := one.assoc, one.limits, limitData{one.cl}
	qos := append([]string{}, qosOf(one)...)
	return object(
		"accounting", []any{}, "account", v.Key.Account, "cluster", one.cl.name, "comment", v.Comment,
		"default", object("qos", defaultQOS(one)), "flags", []string{}, "lineage", lineage(one),
		"max", object(
			"jobs", object(
				"per", object("count", d.number(l.GrpJobs), "accruing", d.number(l.GrpJobsAccrue), "submitted", d.number(l.GrpSubmitJobs), "wall_clock", d.minutes(l.MaxWall)),
				"active", d.number(l.MaxJobsPerUser), "accruing", d.number(l.MaxJobsAccruePerUser), "total", d.number(l.MaxSubmitPerUser),
			),
			"tres", object(
				"total", d.tres(l.GrpTRES), "group", object("minutes", d.tres(l.GrpTRESMins), "active", d.tres(l.GrpTRESRunMins)),
				"minutes", object("per", object("job", d.tres(l.MaxTRESMinsPerJob)), "total", d.tres(l.MaxTRESRunMinsPerUser)),
				"per", object("job", d.tres(l.MaxTRESPerJob), "node", d.tres(l.MaxTRESPerNode)),
			),
			"per", object("account", object("wall_clock", d.minutes(l.GrpWall))),
		),
		"id", uint32(v.ID), "is_default", v.IsDefault, "min", object("priority_threshold", d.number(l.MinPrioThreshold)),
		"parent_account", parentName(one), "partition", string(v.Key.Partition), "priority", d.number(l.Priority), "qos", qos, "shares_raw", v.Shares, "user", v.Key.User,
	)
}

// qosFlagData are the flags of a QOS by the data parser's names.
var qosFlagData = map[string]string{
	"DenyOnLimit": "DENY_LIMIT", "EnforceUsageThreshold": "ENFORCE_USAGE_THRESHOLD", "NoReserve": "NO_RESERVE", "PartitionMaxNodes": "PARTITION_MAXIMUM_NODE",
	"PartitionMinNodes": "PARTITION_MINIMUM_NODE", "OverPartQOS": "OVERRIDE_PARTITION_QOS", "PartitionTimeLimit": "PARTITION_TIME_LIMIT",
	"RequiresReservation": "REQUIRED_RESERVATION", "NoDecay": "NO_DECAY", "UsageFactorSafe": "USAGE_FACTOR_SAFE", "Relative": "RELATIVE",
}

func qosData(one *row) show.Object {
	q, l, d := one.qos, one.limits, limitData{one.cl}
	flags := []string{}
	for _, f := range q.Flags {
		flags = append(flags, show.Or(qosFlagData[f], f))
	}
	mode := "DISABLED"
	if m := strings.ToUpper(q.PreemptMode); m != "" && m != "CLUSTER" && m != "OFF" {
		mode = m
	}
	float := func(x float64, there bool) show.Object {
		if !there {
			return show.Endless()
		}
		return show.Float(x)
	}
	exempt := show.Endless()
	if q.PreemptExempt > 0 {
		exempt = show.Number(int64(q.PreemptExempt))
	}
	return object(
		"description", q.Description, "flags", flags, "id", q.ID,
		"limits", object(
			"grace_time", int64(q.GraceTime),
			"max", object(
				"active_jobs", object("accruing", d.number(l.GrpJobsAccrue), "count", d.number(l.GrpJobs)),
				"accruing", object("per", object("account", d.number(l.MaxJobsAccruePerAccount), "user", d.number(l.MaxJobsAccruePerUser))),
				"tres", object(
					"total", d.tres(l.GrpTRES),
					"minutes", object("total", d.tres(l.GrpTRESRunMins), "per", object("qos", d.tres(l.GrpTRESMins), "job", d.tres(l.MaxTRESMinsPerJob),
						"account", d.tres(l.MaxTRESRunMinsPerAccount), "user", d.tres(l.MaxTRESRunMinsPerUser))),
					"per", object("account", d.tres(l.MaxTRESPerAccount), "job", d.tres(l.MaxTRESPerJob), "node", d.tres(l.MaxTRESPerNode), "user", d.tres(l.MaxTRESPerUser)),
				),
				"wall_clock", object("per", object("qos", d.minutes(l.GrpWall), "job", d.minutes(l.MaxWall))),
				"jobs", object(
					"count", d.number(l.GrpSubmitJobs),
					"active_jobs", object("per", object("account", d.number(l.MaxJobsPerAccount), "user", d.number(l.MaxJobsPerUser))),
					"per", object("account", d.number(l.MaxSubmitPerAccount), "user", d.number(l.MaxSubmitPerUser)),
				),
			),
			"factor", float(q.LimitFactor, q.LimitFactor != 0),
			"min", object("priority_threshold", d.number(l.MinPrioThreshold), "tres", object("per", object("job", d.tres(l.MinTRESPerJob)))),
		),
		"name", q.Name,
		"preempt", object("list", append([]string{}, q.Preempt...), "mode", []string{mode}, "exempt_time", exempt),
		"priority", show.Number(int64(q.Priority)), "usage_factor", show.Float(q.UsageFactor), "usage_threshold", float(q.UsageThreshold, q.UsageThreshold >= 0),
	)
}

// textOnly says of a listing that it has no other form; true when it was asked for one.
func (c *call) textOnly(entity string) bool {
	if !c.o.encoding.On() || dataOf[entity] != "" {
		return false
	}
	c.code = 1
	c.env.Errorf("%s: it is printed as text only: leave out --json and --yaml", entity)
	return true
}

// statsData is showStats as data. Roll-ups that have no runs have none to count.
func (c *call) statsData(reply *rinkpb.DiagReply) {
	calls := func(key string, named bool, list []*rinkpb.RpcCount) (out []any) {
		for _, r := range list {
			var what any = r.Id
			if named {
				what = r.Name
			}
			out = append(out, object(key, what, "count", r.Count, "time", object("average", r.Time/max(r.Count, 1), "total", r.Time)))
		}
		return append([]any{}, out...)
	}
	never := object("count", 0, "last_run", 0, "duration", object("last", 0, "max", 0, "time", 0))
	c.data(show.Object{{Key: "statistics", Value: object(
		"time_start", reply.Since/int64(time.Second), "rollups", object("hourly", never, "daily", never, "monthly", never),
		"RPCs", calls("rpc", true, reply.ByType), "users", calls("user", true, reply.ByUser),
	)}})
}
