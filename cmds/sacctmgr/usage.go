package sacctmgr

import (
	"fmt"
	"slices"
	"strings"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
)

// isRawUsage reports whether a word sets what was used.
func isRawUsage(w string) bool {
	key, _, _, ok := cut(w)
	return ok && begins("RawUsage", key, 7)
}

// resetUsage is "modify account|user|qos ... set RawUsage=0": what was used is
// forgotten. Other words of the same command are not looked at, as in Slurm.
func (c *call) resetUsage(cl *cluster, r *request, words []string) {
	for _, w := range words {
		if _, value, _ := strings.Cut(w, "="); strings.TrimSpace(value) != "0" {
			c.bare("sacctmgr: error: Raw usage can only be set to 0 (zero)")
			return
		}
	}
	req := &rinkpb.ResetUsageRequest{}
	switch r.entity {
	case "account":
		req.Accounts = append(slices.Clone(r.names), r.where.Accounts...)
	case "user":
		req.Users, req.Accounts = append(slices.Clone(r.names), r.where.Users...), r.where.Accounts
	case "qos":
		req.Qos = r.names
	}
	switch {
	case r.entity != "qos" && len(req.Accounts) == 0:
		c.bare("sacctmgr: error: An account must be specified")
		return
	case r.entity == "user" && len(req.Users) == 0:
		c.bare("sacctmgr: error: A user must be specified")
		return
	case r.entity == "qos" && len(req.Qos) == 0:
		c.bare("sacctmgr: error: A QOS must be specified")
		return
	}
	if len(r.where.Clusters) == 0 {
		c.print("No cluster specified, resetting on local cluster %s\n", cl.name)
	} else if !r.where.Here(cl.name) {
		c.bare("sacctmgr: error: Failed to find cluster %s in database", strings.Join(r.where.Clusters, ","))
		return
	}
	if problem := unknownIn(cl, req); problem != "" {
		c.bare("sacctmgr: error: %s", problem)
		return
	}
	if !c.sure("Would you like to reset usage?") {
		c.print(" Changes Discarded\n")
		return
	}
	ctx, cancel := c.env.Call(callLimit)
	defer cancel()
	reply, err := c.client.ResetUsage(ctx, req)
	if err == nil {
		err = cli.StatusErr(reply.Status)
	}
	switch {
	case err == nil:
	case denied(err):
		c.code = 1 // of which Slurm says nothing
	default:
		c.bare("sacctmgr: error: %s", cli.Reason(cli.CallErr(err)))
	}
}

// unknownIn says what of a request there is not.
func unknownIn(cl *cluster, req *rinkpb.ResetUsageRequest) string {
	for _, name := range req.Qos {
		if cl.QOS[name] == nil {
			return "Failed to find QOS " + name
		}
	}
	for _, account := range req.Accounts {
		if len(req.Users) == 0 && cl.Own(account) == nil {
			return fmt.Sprintf("Failed to find cluster %s account %s association in database", cl.name, account)
		}
		for _, user := range req.Users {
			if cl.Find(user, account, "") == nil {
				return fmt.Sprintf("Failed to find cluster %s account %s user %s association in database", cl.name, account, user)
			}
		}
	}
	return ""
}

// rollup is rollup [START [END]]: the roll-ups are made with each record that is kept, so
// that there is nothing to do.
func (c *call) rollup(words []string) {
	if len(words) > 2 {
		c.fail("Too many words: %s", strings.Join(words, " "))
		return
	}
	if c.fetch(false) != nil && !c.o.quiet {
		c.print(" Nothing to do: usage is added up as jobs end.\n")
	}
}
