package sacctmgr

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/slurm"
)

// modifyJob changes what history keeps of ended jobs.
func (c *call) modifyJob(words []string) {
	where := &rinkpb.HistoryRequest{AllUsers: true}
	set := &rinkpb.JobAmend{}
	setting, given, wrong := false, false, false
	for _, w := range words {
		switch {
		case strings.EqualFold(w, "where"):
			setting = false
		case strings.EqualFold(w, "set"):
			setting = true
		case setting:
			if !strings.Contains(w, "=") {
				c.fail("Bad format on %s: End your option with an '=' sign", w)
				return
			}
			known, err := amendment(set, w)
			switch {
			case err != nil:
				c.bare("%v", err)
				wrong = true
				continue
			case !known:
				c.print(" Unknown option: %s\n Use keyword 'where' to modify condition\n", w)
				wrong = true
			}
			given = given || known
		default:
			known, err := c.whichJobs(where, w)
			switch {
			case err != nil:
				c.bare("%v", err)
				return
			case !known:
				c.fail("Unknown condition: %s\n Use keyword 'set' to modify value", w)
				return
			}
		}
	}
	if !given {
		c.fail("You didn't give me anything to set")
		return
	}
	if wrong {
		c.code = 1
		return
	}
	reply := c.amend(&rinkpb.AmendHistoryRequest{Where: where, Set: set, DryRun: !c.o.immediate})
	if reply == nil {
		return
	}
	if len(reply.Jobs) == 0 {
		c.warn("sacctmgr: accounting_storage/slurmdbd: acct_storage_p_modify_job: Request didn't affect anything or your user doesn't have privilege to perform this action")
		c.print(" Nothing modified\n")
		c.code = 1
		return
	}
	c.print(" Modified jobs...\n")
	for _, j := range reply.Jobs {
		c.print("  %d submitted at %s\n", j.Job, time.Unix(0, j.Submit).In(c.env.Now().Location()).Format("2006-01-02T15:04:05"))
	}
	if !c.o.immediate && c.commit() {
		c.amend(&rinkpb.AmendHistoryRequest{Where: where, Set: set})
	}
}

// amend asks for the change; nil when it was not made, which is said.
func (c *call) amend(req *rinkpb.AmendHistoryRequest) *rinkpb.AmendHistoryReply {
	if !c.controller() {
		return nil
	}
	ctx, cancel := c.env.Call(callLimit)
	defer cancel()
	reply, err := c.client.AmendHistory(ctx, req)
	if err == nil {
		err = cli.StatusErr(reply.Status)
	} else {
		err = cli.CallErr(err)
	}
	switch {
	case err == nil:
		return reply
	case denied(err):
		c.bare("sacctmgr: error: Your user doesn't have privilege to perform this action\n Error with request: %s", errno(err))
	default:
		c.fail("Error with request: %s", errno(err))
	}
	return nil
}

// whichJobs takes a condition; false when it is none.
func (c *call) whichJobs(where *rinkpb.HistoryRequest, word string) (bool, error) {
	key, _, value, ok := cut(word)
	moment := func(to *int64) error {
		t, err := slurm.ParseTime(value, c.env.Now(), true)
		if err != nil {
			return err
		}
		*to, where.HasWindow = t.UnixNano(), true
		return nil
	}
	switch {
	case !ok:
		return false, nil
	case begins("Clusters", key, 1):
		return true, nil
	case begins("JobIDs", key, 1), begins("Jobs", key, 1):
		for _, p := range parts(value) {
			ref, err := slurm.ParseJobRef(p)
			if err != nil {
				return true, fmt.Errorf("sacctmgr: fatal: Bad job/step specified: %s", p)
			}
			where.Refs = append(where.Refs, show.Refs([]slurm.JobRef{ref})...)
		}
		return true, nil
	case begins("Users", key, 1):
		for _, p := range parts(value) {
			uid, err := cli.LookupUID(p)
			if err != nil {
				return true, fmt.Errorf("sacctmgr: error: Invalid user id: %s", p)
			}
			where.Uids, where.AllUsers = append(where.Uids, uid), false
		}
		return true, nil
	case begins("StartTime", key, 1):
		return true, moment(&where.Start)
	case begins("EndTime", key, 1):
		return true, moment(&where.End)
	}
	return false, nil
}

// amendment takes what is to be; false when there is nothing of that name.
func amendment(set *rinkpb.JobAmend, word string) (bool, error) {
	key, _, value, ok := cut(word)
	switch {
	case !ok:
		return false, nil
	case begins("AdminComment", key, 2):
		set.AdminComment = &value
	case begins("Comment", key, 1), begins("DerivedES", key, 9), begins("DES", key, 3):
		set.Comment = &value
	case begins("DerivedExitCode", key, 12), begins("DEC", key, 3):
		// A status as wait(2) has it: 256 is exit code 1.
		n, err := strconv.ParseUint(value, 10, 32)
		if err != nil {
			return true, fmt.Errorf("sacctmgr: error: Invalid value for DerivedExitCode (%s)", value)
		}
		set.DerivedExit = &rinkpb.ExitCode{Code: uint32(n >> 8 & 0xff), Signal: uint32(n & 0x7f)}
	case begins("NewWCKey", key, 7):
		set.Wckey = &value
	case begins("SystemComment", key, 1):
		set.SystemComment = &value
	default:
		return false, nil
	}
	return true, nil
}
