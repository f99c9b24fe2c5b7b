package sacctmgr

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// row is what a line of a listing is about; what it is not about is nil.
type row struct {
	cl     *cluster
	acc    *sched.Account
	user   *sched.AccountUser
	assoc  *sched.Assoc
	limits *sched.Limits // of the association or the QOS, as they are shown
	own    bool          // what is inherited is left out
	bare   bool          // the parent is not told
	depth  int           // in the tree
	qos    *sched.QOS
	note   *sched.Transaction
	tres   *sched.TRESKind
	wckey  *sched.WCKey
	ofUser string
	text   map[string]string // of the rarer entities, by column
}

// column is a field that format= may ask for.
type column struct {
	name    string
	min     int
	aliases []string
	header  string
	width   int // below zero: left justified
	kind    slurm.AcctKind
	value   func(r *row) string
}

// columnKind is what the columns of that name hold.
func columnKind(name string) slurm.AcctKind {
	starts := func(list ...string) bool {
		return slices.ContainsFunc(list, func(p string) bool { return strings.HasPrefix(name, p) })
	}
	switch {
	case starts("Time"):
		return slurm.AcctMoment
	case name == "UsageFactor" || name == "UsageThreshold" || name == "LimitFactor":
		return slurm.AcctReal
	case strings.Contains(name, "TRES"):
		return slurm.AcctText
	case starts("Grp", "MaxJobs", "MaxSubmit", "MaxWall", "MaxCPU", "MaxNodes", "Count", "Duration"):
		return slurm.AcctNumber
	}
	switch name {
	case "ControlPort", "CPUCount", "NodeCount", "EventRaw", "StateRaw", "GraceTime", "ID", "LFT", "RGT", "MinPrioThreshold", "ParentID", "PreemptExemptTime", "Priority", "RPC", "Share":
		return slurm.AcctNumber
	}
	return slurm.AcctText
}

// find returns the column that a word means; nil when there is none. The first
// one in the table that fits is taken.
func find(word string) *column {
	for _, c := range columns() {
		if begins(c.name, word, c.min) || slices.ContainsFunc(c.aliases, func(a string) bool { return strings.EqualFold(a, word) }) {
			return &c
		}
	}
	return nil
}

// text is a column of the rarer entities.
func text(name string) func(*row) string { return func(r *row) string { return r.text[name] } }

// count prints a number of limits; nothing where there is none.
func count(of func(l *sched.Limits) int64) func(*row) string {
	return func(r *row) string {
		if r.limits == nil {
			return ""
		}
		if n := of(r.limits); n != sched.NoLimit {
			return strconv.FormatInt(n, 10)
		}
		return ""
	}
}

func amounts(of func(l *sched.Limits) slurm.TRES) func(*row) string {
	return func(r *row) string {
		if r.limits == nil {
			return ""
		}
		return tres(of(r.limits))
	}
}

// amount prints one kind of the amounts.
func amount(kind string, of func(l *sched.Limits) slurm.TRES) func(*row) string {
	return func(r *row) string {
		if r.limits == nil {
			return ""
		}
		n, ok := of(r.limits).Get(kind)
		if !ok {
			return ""
		}
		return strconv.FormatInt(n, 10)
	}
}

func wall(of func(l *sched.Limits) slurm.Duration) func(*row) string {
	return func(r *row) string {
		if r.limits == nil || of(r.limits) == 0 {
			return ""
		}
		return max(of(r.limits), 0).String()
	}
}

func factor(of func(q *sched.QOS) float64) func(*row) string {
	return func(r *row) string {
		if r.qos == nil || of(r.qos) < 0 {
			return ""
		}
		return fmt.Sprintf("%f", of(r.qos))
	}
}

// either is a column that is another thing for each kind of row.
func either(of ...func(r *row) (string, bool)) func(*row) string {
	return func(r *row) string {
		for _, f := range of {
			if s, ok := f(r); ok {
				return s
			}
		}
		return ""
	}
}

func accountName(r *row) string {
	switch {
	case r.assoc != nil:
		return strings.Repeat(" ", r.depth) + r.assoc.Key.Account
	case r.acc != nil:
		return r.acc.Name
	case r.note != nil:
		return strings.Join(r.note.Accounts, ",")
	}
	return r.text["account"]
}

func userName(r *row) string {
	switch {
	case r.user != nil:
		return r.user.Name
	case r.assoc != nil:
		return r.assoc.Key.User
	case r.note != nil:
		return strings.Join(r.note.Users, ",")
	case r.wckey != nil:
		return r.ofUser
	}
	return r.text["user"]
}

func clusterName(r *row) string {
	switch {
	case r.note != nil:
		return strings.Join(r.note.Clusters, ",")
	case r.text["cluster"] != "":
		return r.text["cluster"]
	case r.assoc != nil || r.wckey != nil:
		return r.cl.name
	}
	return ""
}

// wckeys are a key's name, or the keys of a user.
func wckeys(r *row) string {
	switch {
	case r.wckey != nil:
		return r.wckey.Name
	case r.user != nil:
		var names []string
		for _, k := range r.user.WCKeys {
			names = append(names, k.Name)
		}
		return strings.Join(names, ",")
	}
	return ""
}

// lineage is the way down the tree to an association, "/chem/0-alice/".
func lineage(r *row) string {
	if r.assoc == nil {
		return ""
	}
	path := "/"
	if r.assoc.Key.User != "" {
		path = "/0-" + r.assoc.Key.User + "/"
		if r.assoc.Key.Partition != "" {
			path += string(r.assoc.Key.Partition) + "/"
		}
	}
	for _, at := range r.cl.Chain(r.assoc) {
		if at.Key.User == "" && at.Key.Account != "root" {
			path = "/" + at.Key.Account + path
		}
	}
	return path
}

// coordinators are the users who coordinate an account, or the accounts that a
// user does, those above and below included.
func coordinators(r *row) string {
	var out []string
	switch {
	case r.user != nil:
		for name := range r.cl.Accounts.Accounts {
			if r.cl.Coordinates(r.user.Name, name) {
				out = append(out, name)
			}
		}
	case r.acc != nil:
		for _, at := range r.cl.Chain(r.cl.Own(r.acc.Name)) {
			if acc := r.cl.Accounts.Accounts[at.Key.Account]; acc != nil {
				out = append(out, acc.Coordinators...)
			}
		}
	}
	slices.Sort(out)
	return strings.Join(slices.Compact(out), ",")
}

func parentName(r *row) string {
	if r.assoc == nil || r.assoc.Key.User != "" || r.bare {
		return ""
	}
	if p := r.cl.ByID[r.assoc.Parent]; p != nil {
		return p.Key.Account
	}
	return ""
}

func shares(r *row) string {
	switch {
	case r.assoc == nil:
		return ""
	case r.assoc.Shares == sched.SharesParent:
		return "parent"
	}
	return strconv.FormatInt(r.assoc.Shares, 10)
}

// qosOf are the QOS of an association: what it may use, or with WOPLimits what is
// said of it itself.
func qosOf(r *row) []string {
	switch {
	case r.assoc == nil:
		return nil
	case r.own:
		return append(slices.Sorted(slices.Values(r.assoc.QOS)), r.assoc.QOSDelta...)
	}
	return r.cl.QOSOf(r.assoc)
}

func qosIDs(r *row) string {
	var out []int
	for _, name := range qosOf(r) {
		if q := r.cl.QOS[strings.TrimLeft(name, "+-")]; q != nil {
			out = append(out, int(q.ID))
		}
	}
	slices.Sort(out)
	var text []string
	for _, id := range out {
		text = append(text, strconv.Itoa(id))
	}
	return strings.Join(text, ",")
}

func defaultQOS(r *row) string {
	switch {
	case r.assoc == nil:
		return ""
	case r.own:
		return r.assoc.DefaultQOS
	}
	return r.cl.DefaultQOSOf(r.assoc)
}

func id(r *row) string {
	switch {
	case r.note != nil:
		return fmt.Sprint(r.note.ID)
	case r.assoc != nil:
		return fmt.Sprint(r.assoc.ID)
	case r.qos != nil:
		return fmt.Sprint(r.qos.ID)
	case r.tres != nil:
		return fmt.Sprint(r.tres.ID)
	case r.wckey != nil:
		return fmt.Sprint(r.wckey.ID)
	}
	return r.text["id"]
}

func entityOwnName(r *row) string {
	switch {
	case r.qos != nil:
		return r.qos.Name
	case r.tres != nil:
		return r.tres.Name
	case r.acc != nil:
		return r.acc.Name
	}
	return r.text["name"]
}

func priority(r *row) string {
	switch {
	case r.qos != nil:
		return fmt.Sprint(r.qos.Priority)
	case r.limits != nil && r.limits.Priority != sched.NoLimit:
		return fmt.Sprint(r.limits.Priority)
	}
	return ""
}

func ofQOS(f func(q *sched.QOS) string) func(*row) string {
	return func(r *row) string {
		if r.qos == nil {
			return ""
		}
		return f(r.qos)
	}
}

func ofNote(f func(n *sched.Transaction) string) func(*row) string {
	return func(r *row) string {
		if r.note == nil {
			return ""
		}
		return f(r.note)
	}
}

// span is the numbers of an association's place in the tree, as a walk around the
// tree counts them.
func span(r *row, right bool) string {
	if r.assoc == nil {
		return ""
	}
	n := 0
	var found [2]int
	var walk func(id sched.AssocID)
	walk = func(id sched.AssocID) {
		for _, v := range r.cl.Children(id) {
			n++
			if v.ID == r.assoc.ID {
				found[0] = n
			}
			walk(v.ID)
			n++
			if v.ID == r.assoc.ID {
				found[1] = n
			}
		}
	}
	walk(0)
	return strconv.Itoa(found[map[bool]int{false: 0, true: 1}[right]])
}

// columns is the table of fields, in the order in which they are looked up.
func columns() []column {
	job := func(l *sched.Limits) slurm.TRES { return l.MaxTRESPerJob }
	grp := func(l *sched.Limits) slurm.TRES { return l.GrpTRES }
	jobMins := func(l *sched.Limits) slurm.TRES { return l.MaxTRESMinsPerJob }
	user := func(l *sched.Limits) slurm.TRES { return l.MaxTRESPerUser }
	userRun := func(l *sched.Limits) slurm.TRES { return l.MaxTRESRunMinsPerUser }
	c := func(name string, min int, header string, width int, value func(*row) string, aliases ...string) column {
		return column{name: name, min: min, aliases: aliases, header: header, width: width, kind: columnKind(name), value: value}
	}
	return []column{
		c("Account", 3, "Account", 10, accountName, "Acct"),
		c("ActionRaw", 7, "ActionRaw", 10, ofNote(func(n *sched.Transaction) string { return n.Action })),
		c("Action", 4, "Action", 20, ofNote(func(n *sched.Transaction) string { return n.Action })),
		c("Actor", 4, "Actor", 10, ofNote(func(n *sched.Transaction) string { return n.Actor })),
		c("AdminLevel", 2, "Admin", 9, func(r *row) string {
			if r.user == nil {
				return ""
			}
			return r.user.Admin.String()
		}),
		c("Allowed", 2, "Allowed", 8, text("countallowed")),
		c("Associations", 2, "Assocs", 10, text("associations")),
		c("Allocated", 7, "Allocated", 9, text("allocated")),
		c("Classification", 3, "Class", 9, text("classification")),
		c("ClusterNodes", 8, "Cluster Nodes", 20, text("clusternodes")),
		c("Clusters", 2, "Cluster", 10, clusterName),
		c("Coordinators", 2, "Coord Accounts", 20, coordinators),
		c("Comment", 3, "Comment", 20, func(r *row) string {
			if r.assoc == nil {
				return ""
			}
			return r.assoc.Comment
		}),
		c("ControlHost", 8, "ControlHost", 15, text("controlhost")),
		c("ControlPort", 8, "ControlPort", 12, text("controlport")),
		c("Count", 3, "Count", 6, text("count")),
		c("CountAllowed", 6, "# Allowed", 10, text("countallowed")),
		c("CountUsed", 6, "# Used", 10, text("countused")),
		c("CPUCount", 2, "CPU Cnt", 7, text("cpucount")),
		c("DefaultAccount", 8, "Def Acct", 10, func(r *row) string {
			if r.user == nil {
				return ""
			}
			return r.user.DefaultAccount
		}),
		c("DefaultQOS", 8, "Def QOS", 9, defaultQOS),
		c("DefaultWCKey", 8, "Def WCKey", 10, func(r *row) string {
			if r.user == nil {
				return ""
			}
			return r.user.DefaultWCKey
		}),
		c("Description", 3, "Descr", 20, either(
			func(r *row) (string, bool) {
				if r.acc == nil {
					return "", false
				}
				return r.acc.Description, true
			},
			func(r *row) (string, bool) {
				if r.qos == nil {
					return "", false
				}
				return r.qos.Description, true
			})),
		c("Duration", 2, "Duration", 13, text("duration")),
		c("EventRaw", 6, "EventRaw", 8, text("eventraw")),
		c("Event", 2, "Event", 7, text("event")),
		c("Extra", 2, "Extra", 20, text("extra")),
		c("Features", 3, "Features", 20, text("features")),
		c("Federation", 3, "Federation", 10, text("federation")),
		c("FedState", 4, "FedState", 12, text("fedstate")),
		c("FedStateRaw", 9, "FedStateRaw", 11, text("fedstateraw")),
		c("Flags", 2, "Flags", 20, either(
			func(r *row) (string, bool) {
				if r.qos == nil {
					return "", false
				}
				return strings.Join(r.qos.Flags, ","), true
			},
			func(r *row) (string, bool) { return r.text["flags"], true })),
		c("GraceTime", 3, "GraceTime", 10, ofQOS(func(q *sched.QOS) string { return q.GraceTime.String() })),
		c("GrpCPUs", 6, "GrpCPUs", 8, amount("cpu", grp)),
		c("GrpCPUMins", 7, "GrpCPUMins", 11, amount("cpu", func(l *sched.Limits) slurm.TRES { return l.GrpTRESMins })),
		c("GrpCPURunMins", 7, "GrpCPURunMins", 13, amount("cpu", func(l *sched.Limits) slurm.TRES { return l.GrpTRESRunMins })),
		c("GrpTRES", 7, "GrpTRES", 13, amounts(grp)),
		c("GrpTRESMins", 7, "GrpTRESMins", 13, amounts(func(l *sched.Limits) slurm.TRES { return l.GrpTRESMins })),
		c("GrpTRESRunMins", 7, "GrpTRESRunMins", 13, amounts(func(l *sched.Limits) slurm.TRES { return l.GrpTRESRunMins })),
		c("GrpJobs", 4, "GrpJobs", 7, count(func(l *sched.Limits) int64 { return l.GrpJobs })),
		c("GrpJobsAccrue", 8, "GrpJobsAccrue", 13, count(func(l *sched.Limits) int64 { return l.GrpJobsAccrue })),
		c("GrpMemory", 4, "GrpMem", 7, amount("mem", grp)),
		c("GrpNodes", 4, "GrpNodes", 8, amount("node", grp)),
		c("GrpSubmitJobs", 4, "GrpSubmit", 9, count(func(l *sched.Limits) int64 { return l.GrpSubmitJobs })),
		c("GrpWall", 4, "GrpWall", 11, wall(func(l *sched.Limits) slurm.Duration { return l.GrpWall })),
		c("ID", 2, "ID", 6, id),
		c("Info", 2, "Info", 20, ofNote(func(n *sched.Transaction) string { return n.Info })),
		c("InstanceId", 9, "InstanceId", 20, text("instanceid")),
		c("InstanceType", 9, "InstanceType", 20, text("instancetype")),
		c("LastConsumed", 8, "LastConsumed", 12, text("lastconsumed")),
		c("LFT", 1, "LFT", 6, func(r *row) string { return span(r, false) }),
		c("Lineage", 4, "Lineage", -20, lineage),
		c("LimitFactor", 6, "LimitFactor", 11, ofQOS(func(q *sched.QOS) string {
			if q.LimitFactor == 0 {
				return ""
			}
			return fmt.Sprintf("%f", q.LimitFactor)
		})),
		c("MaxCPUMinsPerJob", 7, "MaxCPUMins", 11, amount("cpu", jobMins)),
		c("MaxCPURunMinsPerUser", 7, "MaxCPURunMinsPU", 15, amount("cpu", userRun), "MaxCPURunMinsPU"),
		c("MaxCPUsPerJob", 7, "MaxCPUs", 8, amount("cpu", job)),
		c("MaxCPUsPerUser", 11, "MaxCPUsPU", 9, amount("cpu", user), "MaxCPUsPU"),
		c("MaxTRES", 7, "MaxTRES", 13, amounts(job), "MaxTRESPJ", "MaxTRESPerJob"),
		c("MaxTRESPerNode", 11, "MaxTRESPerNode", 14, amounts(func(l *sched.Limits) slurm.TRES { return l.MaxTRESPerNode }), "MaxTRESPN"),
		c("MaxTRESMinsPerJob", 8, "MaxTRESMins", 13, amounts(jobMins), "MaxTRESMinsPJ"),
		c("MaxTRESRunMinsPerAccount", 18, "MaxTRESRunMinsPA", 15, amounts(func(l *sched.Limits) slurm.TRES { return l.MaxTRESRunMinsPerAccount }), "MaxTRESRunMinsPerAcct", "MaxTRESRunMinsPA"),
		c("MaxTRESRunMinsPerUser", 8, "MaxTRESRunMinsPU", 15, amounts(userRun), "MaxTRESRunMinsPU"),
		c("MaxTRESPerAccount", 11, "MaxTRESPA", 13, amounts(func(l *sched.Limits) slurm.TRES { return l.MaxTRESPerAccount }), "MaxTRESPerAcct", "MaxTRESPA"),
		c("MaxTRESPerUser", 11, "MaxTRESPU", 13, amounts(user), "MaxTRESPU"),
		c("MaxJobs", 4, "MaxJobs", 7, count(func(l *sched.Limits) int64 { return l.MaxJobsPerUser })),
		c("MaxJobsAccrue", 8, "MaxJobsAccrue", 13, count(func(l *sched.Limits) int64 { return l.MaxJobsAccruePerUser })),
		c("MaxJobsAccruePerAccount", 17, "MaxJobsAccruePA", 15, count(func(l *sched.Limits) int64 { return l.MaxJobsAccruePerAccount }), "MaxJobsAccruePerAcct", "MaxJobsAccruePA"),
		c("MaxJobsAccruePerUser", 17, "MaxJobsAccruePU", 15, count(func(l *sched.Limits) int64 { return l.MaxJobsAccruePerUser }), "MaxJobsAccruePU"),
		c("MaxJobsPerAccount", 11, "MaxJobsPA", 9, count(func(l *sched.Limits) int64 { return l.MaxJobsPerAccount }), "MaxJobsPerAcct", "MaxJobsPA"),
		c("MaxJobsPerUser", 11, "MaxJobsPU", 9, count(func(l *sched.Limits) int64 { return l.MaxJobsPerUser }), "MaxJobsPU"),
		c("MaxNodesPerJob", 4, "MaxNodes", 8, amount("node", job)),
		c("MaxNodesPerUser", 12, "MaxNodesPU", 10, amount("node", user), "MaxNodesPU"),
		c("MaxSubmitJobs", 4, "MaxSubmit", 9, count(func(l *sched.Limits) int64 { return l.MaxSubmitPerUser })),
		c("MaxSubmitJobsPerAccount", 17, "MaxSubmitPA", 11, count(func(l *sched.Limits) int64 { return l.MaxSubmitPerAccount }), "MaxSubmitJobsPerAcct", "MaxSubmitJobsPA", "MaxSubmitPA"),
		c("MaxSubmitJobsPerUser", 10, "MaxSubmitPU", 11, count(func(l *sched.Limits) int64 { return l.MaxSubmitPerUser }), "MaxSubmitJobsPU", "MaxSubmitPU"),
		c("MaxWallDurationPerJob", 4, "MaxWall", 11, wall(func(l *sched.Limits) slurm.Duration { return l.MaxWall })),
		c("MinCPUsPerJob", 7, "MinCPUs", 8, amount("cpu", func(l *sched.Limits) slurm.TRES { return l.MinTRESPerJob })),
		c("MinPrioThreshold", 4, "MinPrioThres", 12, count(func(l *sched.Limits) int64 { return l.MinPrioThreshold })),
		c("MinTRESPerJob", 7, "MinTRES", 13, amounts(func(l *sched.Limits) slurm.TRES { return l.MinTRESPerJob })),
		c("Name", 2, "Name", 10, entityOwnName),
		c("NodeCount", 5, "NodeCount", 9, text("nodecount")),
		c("NodeInx", 5, "NodeInx", 9, text("nodeinx")),
		c("NodeNames", 5, "NodeName", -15, text("nodename")),
		c("Organization", 1, "Org", 20, func(r *row) string {
			if r.acc == nil {
				return ""
			}
			return r.acc.Organization
		}),
		c("ParentID", 7, "ParentID", 8, func(r *row) string {
			if r.assoc == nil || r.assoc.Parent == 0 {
				return ""
			}
			return fmt.Sprint(r.assoc.Parent)
		}),
		c("ParentName", 7, "ParentName", 10, parentName),
		c("Partition", 4, "Partition", 10, func(r *row) string {
			if r.assoc == nil {
				return r.text["partition"]
			}
			return string(r.assoc.Key.Partition)
		}),
		c("PluginIDSelect", 2, "PluginIDSelect", 14, text("pluginid")),
		c("PreemptMode", 8, "PreemptMode", 11, ofQOS(func(q *sched.QOS) string { return q.PreemptMode })),
		c("Preempt", 7, "Preempt", 10, ofQOS(func(q *sched.QOS) string { return qosNames(q.Preempt) })),
		c("PreemptExemptTime", 8, "PreemptExemptTime", 19, ofQOS(func(q *sched.QOS) string {
			if q.PreemptExempt == 0 {
				return ""
			}
			return q.PreemptExempt.String()
		})),
		c("Priority", 3, "Priority", 10, priority),
		c("Problem", 1, "Problem", 40, text("problem")),
		c("QOSLevel", 3, "QOS", 20, func(r *row) string { return qosNames(qosOf(r)) }),
		c("QOSRAWLevel", 4, "QOS_RAW", 10, qosIDs, "QOS_RAW"),
		c("RGT", 2, "RGT", 6, func(r *row) string { return span(r, true) }),
		c("Reason", 1, "Reason", 30, text("reason")),
		c("RPC", 1, "RPC", 5, text("rpc")),
		c("Share", 1, "Share", 9, shares, "FairShare", "fair"),
		c("Server", 3, "Server", 10, text("server")), c("ServerType", 7, "ServerType", 10, text("servertype")),
		c("StateRaw", 6, "StateRaw", 8, text("stateraw")),
		c("State", 1, "State", 6, text("state")),
		c("TimeStamp", 2, "Time", 19, ofNote(func(n *sched.Transaction) string { return stamp(n.At) }), "Time"),
		c("TimeEligible", 6, "TimeEligible", 19, text("eligible"), "Eligible"),
		c("TimeEnd", 6, "TimeEnd", 19, text("end"), "End"),
		c("TimeStart", 7, "TimeStart", 19, text("start"), "Start"),
		c("TimeSubmit", 6, "TimeSubmit", 19, text("submit"), "Submit"),
		c("TRES", 2, "TRES", 20, text("tres")),
		c("Type", 2, "Type", 8, either(
			func(r *row) (string, bool) {
				if r.tres == nil {
					return "", false
				}
				return r.tres.Type, true
			},
			func(r *row) (string, bool) { return r.text["type"], true })),
		c("UnusedWall", 2, "UnusedWall", 10, text("unusedwall")),
		c("UsageFactor", 6, "UsageFactor", 11, factor(func(q *sched.QOS) float64 { return q.UsageFactor })),
		c("UsageThreshold", 6, "UsageThres", 10, factor(func(q *sched.QOS) float64 { return q.UsageThreshold })),
		c("User", 1, "User", 10, userName),
		c("WCKeys", 2, "WCKeys", 20, wckeys),
		c("Where", 2, "Where", 20, ofNote(func(n *sched.Transaction) string { return n.Where })),
	}
}

// stamp is a moment as a listing has it.
func stamp(t time.Time) string {
	if t.IsZero() {
		return "Unknown"
	}
	return t.Local().Format("2006-01-02T15:04:05")
}

// byName is the order of names.
func byName[T any](name func(T) string) func(a, b T) int {
	return func(a, b T) int { return cmp.Compare(name(a), name(b)) }
}
