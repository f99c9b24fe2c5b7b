package scontrol

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/slurm"
)

// forever is the lifespan that stands for all time, in seconds.
const forever = 1<<32 - 1

// token is "token [username=NAME] [lifespan=SECONDS|infinite]": it prints what to put
// into the environment to act as a user.
func (c *call) token(args []string) int {
	req := &rinkpb.UserTokenRequest{}
	for _, a := range args {
		key, value, _ := strings.Cut(a, "=")
		ok := false
		switch strings.ToLower(key) {
		case "username":
			req.User, req.HasUser, ok = value, true, strings.Contains(a, "=")
		case "lifespan":
			req.Lifespan, ok = lifespan(value)
		}
		if !ok {
			fmt.Fprintf(c.env.Stderr, "Invalid option: `%s`\n", a)
			return 1
		}
	}
	reply, err := c.fetchToken(req)
	if errors.Is(err, errNotHere) {
		return 1
	}
	if err != nil {
		c.env.Errorf("slurm_fetch_token: error receiving response: %s", cli.Reason(cli.CallErr(err)))
	} else if err = cli.StatusErr(reply.Status); err == nil {
		return c.print("SLURM_JWT=" + reply.Token + "\n")
	} else if !cli.Is(err, slurm.ErrnoDisabled) { // the cluster has no tokens
		c.env.Errorf("slurm_fetch_token: error with request: %s", cli.Reason(err))
	}
	fmt.Fprintln(c.env.Stderr, "Error fetching token")
	return 1
}

func (c *call) fetchToken(req *rinkpb.UserTokenRequest) (*rinkpb.UserTokenReply, error) {
	if err := c.dial(); err != nil {
		return nil, err
	}
	ctx, cancel := c.env.Call(show.CallLimit())
	defer cancel()
	return c.client.UserToken(ctx, req)
}

// lifespan reads seconds; none and 0 are what is usual.
func lifespan(s string) (uint32, bool) {
	switch strings.ToLower(s) {
	case "":
		return 0, true
	case "infinite", "unlimited":
		return forever, true
	}
	n, err := strconv.ParseUint(s, 10, 32)
	return uint32(n), err == nil
}
