package sacctmgr

import (
	"fmt"
	"os"
	"strings"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// dumpHead stands at the beginning of a dump and tells what its lines mean.
const dumpHead = `# To edit this file start with a cluster line for the new cluster
# Cluster - 'cluster_name':MaxTRESPerJob=node=50
# Followed by Accounts you want in this fashion (root is created by default)...
# Parent - 'root'
# Account - 'cs':MaxTRESPerJob=node=5:MaxJobs=4:MaxTRESMinsPerJob=cpu=20:FairShare=399:MaxWallDurationPerJob=40:Description='Computer Science':Organization='LC'
# Any of the options after a ':' can be left out and they can be in any order.
# If you want to add any sub accounts just list the Parent THAT HAS ALREADY
# BEEN CREATED before the account line in this fashion...
# Parent - 'cs'
# Account - 'test':MaxTRESPerJob=node=1:MaxJobs=1:MaxTRESMinsPerJob=cpu=1:FairShare=1:MaxWallDurationPerJob=1:Description='Test Account':Organization='Test'
# To add users to a account add a line like this after a Parent - 'line'
# User - 'lipari':MaxTRESPerJob=node=2:MaxJobs=3:MaxTRESMinsPerJob=cpu=4:FairShare=1:MaxWallDurationPerJob=1
`

// dump writes the tree of accounts into a file that load reads, here and in
// Slurm.
func (c *call) dump(words []string) {
	name, file := "", ""
	for _, w := range words {
		key, _, value, ok := cut(w)
		switch {
		case !ok && name == "":
			name = w
		case !ok:
			c.fail("Can only do one cluster at a time.  Already doing %s", name) // and that one it does
		case ok && begins("Cluster", key, 1):
			name = value
		case ok && begins("File", key, 1):
			file = value
		default:
			c.fail("Unknown option: %s", w)
			return
		}
	}
	if name == "" {
		c.fail("We need a cluster to dump.")
		return
	}
	cl := c.fetch(false)
	if cl == nil {
		return
	}
	if !strings.EqualFold(name, cl.name) {
		c.fail("Cluster %s doesn't exist.", name)
		return
	}
	if file == "" {
		file = "./" + name + ".cfg"
		c.print(" No filename given, using %s.\n", file)
	}
	if cl.level < sched.AdminAdministrator {
		c.fail("Your user does not have sufficient privileges to dump clusters.")
		return
	}
	lines := dumpLines(cl)
	if err := os.WriteFile(file, []byte(dumpHead+strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		c.bare("sacctmgr: error: Couldn't write %s: %v", file, err)
		return
	}
	if !c.o.quiet && c.flush() == nil { // the lines stand behind what was said before
		for _, l := range lines {
			c.warn("sacctmgr: %s", l)
		}
	}
}

// dumpLines are the lines of a dump behind its head.
func dumpLines(cl *cluster) []string {
	root := cl.Own(sched.RootAccount)
	if root == nil {
		return nil
	}
	lines := []string{fmt.Sprintf("Cluster - '%s'%s", cl.name, dumpLimits(root))}
	var walk func(account string, id sched.AssocID)
	walk = func(account string, id sched.AssocID) {
		below := hierarchy(cl.Children(id), true)
		sorted := hierarchy(cl.Children(id), false)
		if len(below) == 0 {
			return
		}
		lines = append(lines, fmt.Sprintf("Parent - '%s'", account))
		for _, n := range sorted {
			lines = append(lines, dumpLine(cl, n.assoc))
		}
		for _, n := range sorted {
			if n.assoc.Key.User == "" {
				walk(n.assoc.Key.Account, n.assoc.ID)
			}
		}
	}
	walk(sched.RootAccount, root.ID)
	return lines
}

// dumpLine is an account or a user in one.
func dumpLine(cl *cluster, v *sched.Assoc) string {
	if v.Key.User == "" {
		acc := cl.Accounts.Accounts[v.Key.Account]
		return fmt.Sprintf("Account - '%s':Description='%s':Organization='%s'%s", acc.Name, acc.Description, acc.Organization, dumpLimits(v))
	}
	s := fmt.Sprintf("User - '%s'", v.Key.User)
	if v.Key.Partition != "" {
		s += fmt.Sprintf(":Partition='%s'", v.Key.Partition)
	}
	if u := cl.Users[v.Key.User]; u != nil {
		if u.DefaultAccount != "" {
			s += fmt.Sprintf(":DefaultAccount='%s'", u.DefaultAccount)
		}
		if u.DefaultWCKey != "" {
			s += fmt.Sprintf(":DefaultWCKey='%s'", u.DefaultWCKey)
		}
		if u.Admin > sched.AdminNone {
			s += fmt.Sprintf(":AdminLevel='%s'", u.Admin)
		}
		if of := directlyCoordinates(cl, u.Name); of != "" {
			s += fmt.Sprintf(":Coordinator='%s'", of)
		}
		if len(u.WCKeys) > 0 {
			var keys []string
			for _, k := range u.WCKeys {
				keys = append(keys, k.Name)
			}
			s += fmt.Sprintf(":WCKeys='%s'", strings.Join(keys, ","))
		}
	}
	return s + dumpLimits(v)
}

// directlyCoordinates lists the accounts a user was made coordinator of.
func directlyCoordinates(cl *cluster, user string) string {
	var out []string
	for _, acc := range cl.Tables().Accounts {
		if containsFold(acc.Coordinators, user) {
			out = append(out, acc.Name)
		}
	}
	return strings.Join(out, ",")
}

// sharesOfParent is how Slurm writes shares of "parent".
const sharesOfParent = 2147483647

// dumpLimits is what an association is given of its own.
func dumpLimits(v *sched.Assoc) string {
	l := &v.Limits
	var b strings.Builder
	put := func(key, value string) { fmt.Fprintf(&b, ":%s=%s", key, value) }
	count := func(key string, n int64) {
		if n != sched.NoLimit {
			put(key, fmt.Sprint(n))
		}
	}
	list := func(key string, t slurm.TRES) {
		if len(t) > 0 {
			put(key, tres(t))
		}
	}
	wall := func(key string, d slurm.Duration) {
		if d != 0 {
			put(key, fmt.Sprint(max(d, 0).Minutes()))
		}
	}
	if v.DefaultQOS != "" {
		put("DefaultQOS", "'"+v.DefaultQOS+"'")
	}
	shares := v.Shares
	if shares == sched.SharesParent {
		shares = sharesOfParent
	}
	put("Fairshare", fmt.Sprint(shares))
	list("GrpTRESMins", l.GrpTRESMins)
	list("GrpTRESRunMins", l.GrpTRESRunMins)
	list("GrpTRES", l.GrpTRES)
	count("GrpJobs", l.GrpJobs)
	count("GrpJobsAccrue", l.GrpJobsAccrue)
	count("GrpSubmitJobs", l.GrpSubmitJobs)
	wall("GrpWall", l.GrpWall)
	list("MaxTRESMinsPerJob", l.MaxTRESMinsPerJob)
	list("MaxTRESRunMins", l.MaxTRESRunMinsPerUser)
	list("MaxTRESPerJob", l.MaxTRESPerJob)
	list("MaxTRESPerNode", l.MaxTRESPerNode)
	count("MaxJobs", l.MaxJobsPerUser)
	count("MaxJobsAccrue", l.MaxJobsAccruePerUser)
	count("MaxSubmitJobs", l.MaxSubmitPerUser)
	wall("MaxWallDurationPerJob", l.MaxWall)
	count("MinPrioThreshold", l.MinPrioThreshold)
	count("Priority", l.Priority)
	switch {
	case len(v.QOS) > 0:
		names := append([]string(nil), v.QOS...)
		put("QOS", "'"+strings.Join(sorted(names), ",")+"'")
	case len(v.QOSDelta) > 0:
		put("QOS", "'"+strings.Join(v.QOSDelta, ",")+"'")
	}
	return b.String()
}
