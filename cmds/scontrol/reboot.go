package scontrol

import (
	"fmt"
	"strings"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/show"
)

// reboot is "reboot [ASAP] [nextstate=DOWN|RESUME] [reason=TEXT] ALL|NODES".
func (c *call) reboot(args []string) int {
	req := &rinkpb.RebootNodesRequest{}
	for len(args) > 0 {
		key, value, given := strings.Cut(args[0], "=")
		switch {
		case strings.EqualFold(args[0], "asap"):
			req.Asap = true
		case given && strings.EqualFold(key, "nextstate"):
			if !strings.EqualFold(value, "DOWN") && !strings.EqualFold(value, "RESUME") {
				fmt.Fprintf(c.env.Stderr, "Invalid state: %s\nValid states: DOWN, RESUME\n", value)
				return 1
			}
			req.NextState = strings.ToUpper(value)
		case given && strings.EqualFold(key, "reason"):
			req.Reason = value
		default:
			if len(args) > 1 {
				fmt.Fprintf(c.env.Stderr, "too many arguments for keyword:reboot\n")
				return 1
			}
			req.Nodes = args[0]
		}
		args = args[1:]
	}
	if req.Nodes == "" {
		fmt.Fprintln(c.env.Stderr, "Missing node list. Specify ALL|<NodeList>")
		return 1
	}
	ctx, cancel := c.env.Call(show.CallLimit())
	defer cancel()
	if conf, err := c.config(); err == nil && conf != nil && conf.RebootProgram == "" {
		c.env.Errorf("RebootProgram isn't defined")
		fmt.Fprintln(c.env.Stderr, "scontrol_reboot_nodes error: Unspecified error")
		return 1
	}
	if _, err := c.client.RebootNodes(ctx, req); err != nil {
		return c.failed("scontrol_reboot_nodes error", cli.CallErr(err))
	}
	return 0
}

// cancelReboot takes back a reboot that has not begun.
func (c *call) cancelReboot(args []string) int {
	if len(args) == 0 {
		return c.missing("cancel_reboot")
	}
	return c.updateNodes(args[0], []*rinkpb.KeyValue{{Key: "State", Value: "CANCEL_REBOOT", Op: "="}})
}
