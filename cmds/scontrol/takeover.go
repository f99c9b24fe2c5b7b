package scontrol

import (
	"fmt"
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
			return c.noBackup(0)
		}
		rank = n
	}
	config, err := c.config()
	if err != nil {
		return c.failed("slurm_takeover error", err)
	}
	if hosts := len(config.SlurmctldHost); len(args) > 0 && rank >= hosts {
		return c.noBackup(rank)
	}
	ctx, cancel := c.env.Call(time.Minute)
	defer cancel()
	reply, err := c.client.ChangeControllers(ctx, &rinkpb.ChangeControllersRequest{Transfer: true, Rank: int32(rank)})
	if err == nil {
		if err = cli.StatusErr(reply.Status); err == nil {
			return 0
		}
		return c.failed("slurm_takeover error", err)
	}
	return c.failed("slurm_takeover error", cli.CallErr(err))
}

func (c *call) noBackup(index int) int {
	fmt.Fprintf(c.env.Stderr, "takeover: invalid backup controller index (%d)\n", index)
	return 1
}
