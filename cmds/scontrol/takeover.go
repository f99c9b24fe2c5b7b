package scontrol

import (
	"strconv"
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
)

// takeover hands the lead to a backup controller: the first, or the one whose place
// is given. The controller that led stays, and follows.
func (c *call) takeover(args []string) int {
	rank := 1
	if len(args) > 0 {
		n, err := strconv.Atoi(args[0])
		if err != nil || n < 1 {
			c.env.Errorf("Invalid backup controller index: %s", args[0])
			return 1
		}
		rank = n
	}
	ctx, cancel := c.env.Call(time.Minute)
	defer cancel()
	reply, err := c.client.ChangeControllers(ctx, &rinkpb.ChangeControllersRequest{Transfer: true, Rank: int32(rank)})
	if err == nil {
		if err = cli.StatusErr(reply.Status); err == nil {
			return 0
		}
		c.env.Errorf("slurm_takeover error: %v", err)
		return 1
	}
	return c.failed("slurm_takeover error", cli.CallErr(err))
}
