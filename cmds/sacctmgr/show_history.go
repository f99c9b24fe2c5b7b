package sacctmgr

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/runink/rink/api"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// timeOf is the controller's time when it was asked.
func timeOf(cl *cluster) time.Time { return time.Unix(0, cl.reply.Now) }

// showEvents lists the nodes that are out of service, and since when the cluster
// counts what it counts.
func (c *call) showEvents(r *request) {
	out, ok := c.format(r, "Clusters", "NodeNames", "TimeStart", "TimeEnd", "State", "Reason", "User")
	if !ok {
		return
	}
	from, to, ok := c.window(r)
	if !ok {
		return
	}
	cl := c.fetch(false)
	if cl == nil {
		return
	}
	ctx, cancel := c.env.Call(callLimit)
	defer cancel()
	list, err := c.client.ListNodes(ctx, &rinkpb.ListNodesRequest{})
	var conf *rinkpb.ConfigReply
	if err == nil {
		conf, err = c.client.GetConfig(ctx, &rinkpb.GetConfigRequest{})
	}
	if err != nil {
		c.bare("sacctmgr: error: %s", cli.Reason(cli.CallErr(err)))
		return
	}
	wanted := func(kind string) bool {
		return r.more["event"] == "" || slices.ContainsFunc(parts(r.more["event"]), func(w string) bool { return begins(kind, w, 1) })
	}
	var rows []*row
	now := timeOf(cl)
	add := func(text map[string]string, start time.Time) {
		if !from.IsZero() && now.Before(from) || !to.IsZero() && start.After(to) || !r.where.Here(cl.name) {
			return
		}
		text["cluster"], text["start"], text["end"] = cl.name, stamp(start), "Unknown"
		text["duration"] = slurm.Duration(now.Sub(start) / time.Second).String()
		rows = append(rows, &row{cl: cl, text: text})
	}
	if wanted("cluster") && r.more["nodes"] == "" && r.more["state"] == "" && r.more["reason"] == "" && r.more["user"] == "" {
		add(map[string]string{
			"reason": "Cluster Registered TRES", "event": "Cluster", "eventraw": "1", "tres": tresText(cl),
			"clusternodes": slurm.HostListOf(cl.reply.Nodes...).String(), "stateraw": "0",
		}, time.Unix(0, conf.BootTime))
	}
	nodes, bad := slurm.ParseHostList(r.more["nodes"])
	if r.more["nodes"] != "" && bad != nil {
		c.bare("sacctmgr: error: Invalid node list %s", r.more["nodes"])
		return
	}
	for _, p := range list.Nodes {
		n, err := api.NodeFromProto(p)
		if err != nil || !wanted("node") || n.ReasonTime.IsZero() || n.Reason == "" {
			continue
		}
		who := fmt.Sprintf("%s(%d)", n.ReasonUser, n.ReasonUID)
		state := strings.ToUpper(n.State.Base().String())
		if n.State.Has(slurm.NodeDrain) {
			state = "DRAIN"
		}
		switch {
		case r.more["nodes"] != "" && !nodes.Contains(string(n.Name)):
		case r.more["state"] != "" && !slices.ContainsFunc(parts(r.more["state"]), func(w string) bool { return begins(state, w, 2) }):
		case r.more["reason"] != "" && !slices.ContainsFunc(parts(r.more["reason"]), func(w string) bool { return strings.Contains(n.Reason, w) }):
		case r.more["user"] != "" && !containsFold(parts(r.more["user"]), n.ReasonUser) && !containsFold(parts(r.more["user"]), fmt.Sprint(n.ReasonUID)):
		default:
			add(map[string]string{
				"nodename": string(n.Name), "state": state, "stateraw": fmt.Sprint(uint32(n.State)), "reason": n.Reason, "user": who, "event": "Node", "eventraw": "2",
				"tres": tres(sched.NodesTRES([]*sched.Node{n}, trackedTRES(cl), slurm.Licenses{})),
			}, n.ReasonTime)
		}
	}
	c.table(out, rows)
}

// trackedTRES are the kinds that the site counts beside the usual ones.
func trackedTRES(cl *cluster) (keys []string) {
	for _, k := range cl.TRES {
		if k.ID > 1000 {
			keys = append(keys, k.Key())
		}
	}
	return keys
}

func (c *call) showReservations(r *request) {
	c.empty(r, []string{"Clusters", "Name%15", "TRES%30", "TimeStart", "TimeEnd", "UnusedWall"})
}

func (c *call) showStats(*request) {
	c.fail("There is no slurmdbd here whose calls could be counted; see sdiag for the controller's.")
}

// modifyJob is what Slurm's command does to the records of ended jobs.
func (c *call) modifyJob([]string) {
	c.fail("Records of ended jobs cannot be changed: the history is what the log says.")
}
