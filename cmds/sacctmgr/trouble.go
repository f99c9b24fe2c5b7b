package sacctmgr

import (
	"errors"
	"slices"
	"strings"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// trouble says why a change was refused, in Slurm's words for it.
func (c *call) trouble(cl *cluster, err error, p *rinkpb.AccountTrouble, entity string) {
	var t *sched.AccountTrouble
	var bad *sched.BadWord
	errors.As(err, &t)
	switch {
	case errors.As(err, &bad):
		c.bare("%s", bad.Text)
		return
	case errors.Is(err, slurm.ErrnoQOSPreemptionLoop):
		c.bare("sacctmgr: error: %s\n Error with request: %s", errno(err), errno(err))
		return
	case denied(err) && t != nil && t.Kind == sched.TroubleOwnAlone:
		c.bare("sacctmgr: error: You can only change your own default account, default wckey nothing else\n Error with request: %s", errno(slurm.ErrnoAccessDenied))
		return
	case denied(err) && t != nil && t.Kind == sched.TroubleNothingAllowed:
		c.bare("sacctmgr: accounting_storage/slurmdbd: acct_storage_p_modify_assocs: Request didn't affect anything or your user doesn't have privilege to perform this action")
		c.print(" Nothing modified\n")
		return
	case denied(err) && t != nil && t.Kind == sched.TroubleAdminLevel:
		c.bare("sacctmgr: error: You must be a super user to modify a users admin level\n Error with request: %s", errno(slurm.ErrnoAccessDenied))
		return
	case denied(err):
		c.bare("sacctmgr: error: Your user doesn't have privilege to perform this action\n Error with request: %s", errno(err))
		return
	case !errors.As(err, &t):
		c.fail("Error with request: %s", errno(err))
		return
	}
	switch t.Kind {
	case sched.TroubleNoAccount:
		switch entity {
		case "coordinator":
			c.fail("You specified a non-existent account '%s'.", t.Name)
		default:
			c.fail("This account '%s' doesn't exist.\n        Contact your admin to add this account.", t.Name)
			if c.unplaced || slices.ContainsFunc(c.names, func(n string) bool { return cl.Users[strings.ToLower(n)] != nil }) {
				c.print(" Nothing new added.\n")
			} else {
				c.fail("No associations or wckeys created.")
			}
		}
	case sched.TroubleNoParent:
		if entity == "account" && p.GetAsk() == 0 && cl.Accounts.Accounts[t.Name] == nil && c.adding {
			c.fail("Parent account '%s' doesn't exist on cluster %s\n        Contact your admin to add this account.\n No associations created.", t.Name, cl.name)
			return
		}
		c.fail("Parent Account %s doesn't exist.", t.Name)
	case sched.TroubleNoUser:
		c.fail("You specified a non-existent user '%s'.", t.Name)
	case sched.TroubleNoCluster:
		c.fail("This cluster '%s' doesn't exist.\n        Contact your admin to add it to accounting.", t.Name)
	case sched.TroubleNoQOS:
		c.bare("You gave a bad default qos '%s'.  Use 'list qos' to get complete list.", t.Name)
	case sched.TroubleRoot:
		c.fail("You are not allowed to remove the root account.\n Use remove cluster instead.")
	case sched.TroubleNoConditions:
		c.fail("No conditions given to remove, not executing.")
	case sched.TroubleNotIn:
		c.print(" Can't modify because these users aren't associated with new default account '%s'...\n", t.Name)
		for _, row := range t.Rows {
			c.print("  U = %s C = %s\n", row.User, cl.name)
		}
	case sched.TroubleNotOfUser:
		c.print(" Can't modify because these users aren't associated with new default wckey '%s'...\n", t.Name)
		for _, row := range t.Rows {
			c.print("  U = %s C = %s\n", row.User, cl.name)
		}
	case sched.TroubleTaken:
		c.fail("Error with request: the name '%s' is taken", t.Name)
	case sched.TroubleUnknown:
		c.fail("Unknown option: %s\n Use keyword 'where' to modify condition", t.Name)
	default:
		c.rowsInTheWay(cl, t, p)
	}
}

// rowsInTheWay lists the associations that a refusal is about.
func (c *call) rowsInTheWay(cl *cluster, t *sched.AccountTrouble, p *rinkpb.AccountTrouble) {
	switch t.Kind {
	case sched.TroubleDefaultAccount:
		c.fail("Error with request: You can not remove the default account of a user")
		for _, row := range t.Rows {
			c.fail(" C = %-15.15s A = %-10.10s U = %-9s", cl.name, row.Account, row.User)
		}
		c.fail("Please either remove the accounts listed above from list and resubmit,\n or change these users' default accounts to remove the account(s).\n Changes Discarded")
	case sched.TroubleDefaultQOS:
		c.fail("Associations listed below have these as their Default QOS.")
		for _, row := range t.Rows {
			if row.User == "" {
				c.fail(" DefQOS = %-10s C = %-10.10s A = %-20.20s", row.Parent, cl.name, row.Account)
			} else {
				c.fail(" DefQOS = %-10s C = %-10.10s A = %-20.20s U = %-9.9s", row.Parent, cl.name, row.Account, row.User)
			}
		}
		c.fail("Please either remove the qos' listed above from list and resubmit,\n or change the default qos to remove the qos.\n Changes Discarded")
	case sched.TroubleQOSAccess:
		c.fail("These associations don't have access to their default qos.\n Please give them access before they the default can be set to this.")
		for _, row := range t.Rows {
			c.fail(" DefQOS = %-10s C = %-10.10s A = %-20.20s U = %-9.9s", t.Name, cl.name, row.Account, row.User)
		}
		c.forgiven = true
	case sched.TroubleJobs:
		c.fail("Error with request: %s", slurm.ErrnoJobsRunningOnAssoc.Error())
		for i, row := range t.Rows {
			job := uint32(0)
			if i < len(p.GetJobs()) {
				job = p.GetJobs()[i]
			}
			c.fail(" JobID = %-10d C = %-10.10s A = %-10.10s U = %-9.9s", job, cl.name, row.Account, row.User)
		}
	default:
		c.fail("Error with request: %s", errno(t))
	}
}
