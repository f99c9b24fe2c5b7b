package sacctmgr

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/auth/hostuser"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// actions are what transactions are of.
var actions = []string{
	"Add Accounts", "Add Associations", "Add Coordinators", "Add Account Coord", "Add Clusters", "Add QOS", "Add Resources", "Add TRES", "Add Users", "Add WCKeys",
	"Modify Accounts", "Modify Associations", "Modify Clusters", "Modify Job", "Modify QOS", "Modify Resources", "Modify Users",
	"Remove Accounts", "Remove Account Coords", "Remove Associations", "Remove Coordinators", "Remove Clusters", "Remove QOS", "Remove Resources", "Remove Users", "Remove WCKeys",
}

func (c *call) showTransactions(r *request) {
	usual := []string{"Time", "Action", "Actor", "Where", "Info"}
	if r.flags["withassoc"] {
		usual = append(usual, "User", "Account", "Clusters")
	}
	out, ok := c.format(r, usual...)
	if !ok {
		return
	}
	from, to, ok := c.window(r)
	if !ok {
		return
	}
	for _, word := range parts(r.more["action"]) {
		if !containsFold(actions, word) {
			c.bare("sacctmgr: error: You gave a bad action '%s'.", word)
			return
		}
	}
	cl := c.fetch(true)
	if cl == nil {
		return
	}
	var rows []*row
	for _, n := range cl.notes {
		switch {
		case !from.IsZero() && n.At.Before(from), !to.IsZero() && !n.At.Before(to):
		case r.more["action"] != "" && !containsFold(parts(r.more["action"]), n.Action):
		case r.more["actor"] != "" && !containsFold(parts(r.more["actor"]), n.Actor):
		case len(r.where.IDs) > 0 && !slices.Contains(r.where.IDs, n.ID):
		case len(r.where.Accounts) > 0 && !about(n, r.where.Accounts, n.Accounts):
		case len(r.where.Users) > 0 && !about(n, r.where.Users, n.Users):
		case !r.where.Here(cl.name):
		default:
			rows = append(rows, &row{cl: cl, note: n})
		}
	}
	c.table(out, rows)
}

// about reports whether a transaction is about one of these, by what it is noted
// under or by its own words.
func about(n *sched.Transaction, wanted, noted []string) bool {
	return slices.ContainsFunc(wanted, func(name string) bool {
		return containsFold(noted, name) || n.Where == name || strings.Contains(n.Where, "'"+name+"'")
	})
}

// window reads Start= and End=.
func (c *call) window(r *request) (from, to time.Time, ok bool) {
	for name, at := range map[string]*time.Time{"start": &from, "end": &to} {
		if r.more[name] == "" {
			continue
		}
		t, err := slurm.ParseTime(r.more[name], c.env.Now(), false)
		if err != nil {
			c.bare("Invalid time specification (pos=0): %s", r.more[name])
			return from, to, false
		}
		*at = t
	}
	return from, to, true
}

// showConfig prints what of the configuration is about the accounts.
func (c *call) showConfig(*request) {
	if !c.controller() {
		return
	}
	ctx, cancel := c.env.Call(callLimit)
	defer cancel()
	reply, err := c.client.GetConfig(ctx, &rinkpb.GetConfigRequest{})
	if err != nil {
		c.bare("sacctmgr: error: %s", cli.Reason(cli.CallErr(err)))
		return
	}
	conf, _, err := slurm.ParseConf(mainFile(reply.Files), func(name string) ([]byte, error) {
		for _, f := range reply.Files {
			if f.Name == name || filepath.Base(f.Name) == filepath.Base(name) {
				return f.Text, nil
			}
		}
		return nil, fmt.Errorf("%s is not part of the configuration", name)
	})
	if conf == nil {
		c.bare("sacctmgr: error: %v", err)
		return
	}
	path, _ := cli.ConfigPath(c.env)
	c.print("Configuration data as of %s\n", stamp(c.env.Now()))
	tracked := "No"
	if conf.TrackWCKey {
		tracked = "Yes"
	}
	for _, line := range [][2]string{
		{"AccountingStorageEnforce", conf.AccountingStorageEnforce.String()}, {"AccountingStorageTRES", strings.Join(conf.AccountingStorageTRES, ",")},
		{"AccountingStorageType", "accounting_storage/rink"}, {"ClusterName", conf.ClusterName},
		{"PrivateData", orNone(strings.Join(conf.PrivateData, ","))}, {"SLURM_CONF", path}, {"SLURM_VERSION", cli.SurfaceVersion},
		{"TrackWCKey", tracked},
	} {
		c.print("%-22s = %s\n", line[0], line[1])
	}
}

// mainFile is the file that includes the others.
func mainFile(files []*rinkpb.ConfigFile) string {
	for _, f := range files {
		if base := filepath.Base(f.Name); base == "slurm.conf" || base == "rink.conf" {
			return f.Name
		}
	}
	if len(files) > 0 {
		return files[0].Name
	}
	return "slurm.conf"
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// showProblems lists what is odd about the accounts.
func (c *call) showProblems(r *request) {
	out, ok := c.format(r, "Clusters", "Account", "User", "Problem")
	if !ok {
		return
	}
	cl := c.fetch(false)
	if cl == nil {
		return
	}
	if cl.level < sched.AdminOperator {
		text := errno(slurm.ErrnoAccessDenied)
		c.bare("sacctmgr: error: %s\n Error with request: %s", text, text)
		return
	}
	for i := range out {
		if r.flags["tree"] && out[i].name == "Account" && out[i].width == 10 {
			out[i].width = -20
		}
	}
	var rows []*row
	meant := func(list []string, name string) bool { return len(list) == 0 || containsFold(list, name) }
	add := func(account, name, problem string) {
		if !r.where.Here(cl.name) || len(r.where.Partitions) > 0 || !meant(r.where.Accounts, account) || !meant(r.where.Users, name) {
			return
		}
		rows = append(rows, &row{cl: cl, text: map[string]string{"cluster": cl.name, "account": account, "user": name, "problem": problem}})
	}
	for _, v := range cl.Ordered() {
		if v.Key.User == "" && len(cl.Children(v.ID)) == 0 {
			add(v.Key.Account, "", "Account has no users")
		}
	}
	for _, u := range cl.Tables().Users {
		if _, err := hostuser.Lookup(u.Name); err != nil {
			add("", u.Name, "User does not have a uid")
		}
	}
	c.table(out, rows)
}

// showRunaways lists jobs that the history holds for running and that are not.
// There can be none: both are the same log.
func (c *call) showRunaways(r *request) {
	if _, ok := c.format(r, "ID"); !ok {
		return
	}
	cl := c.fetch(false)
	if cl == nil {
		return
	}
	if cl.level < sched.AdminOperator {
		c.bare("sacctmgr: error: You must have an AdminLevel>=Operator to fix runaway jobs")
		return
	}
	names := append(r.names, r.where.Clusters...)
	if len(names) == 0 {
		names = []string{cl.name}
	}
	for _, name := range names {
		c.print("Runaway Jobs: No runaway jobs found on cluster %s\n", name)
	}
}

func (c *call) showFederations(r *request) {
	c.empty(r, []string{"Federation", "Clusters", "ID%2", "Features", "FedState"})
}

// empty prints the head of a listing that has nothing in it.
func (c *call) empty(r *request, usual []string) {
	var out []field
	names := r.format
	if len(names) == 0 {
		names = usual
	}
	for _, name := range names {
		one, unknown := fields([]string{name})
		if unknown != "" {
			c.bare("Unknown field %s", unknown)
			return
		}
		out = append(out, one...)
	}
	c.table(out, nil)
}
