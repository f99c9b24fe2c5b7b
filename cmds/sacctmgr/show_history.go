package sacctmgr

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/auth/hostuser"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// timeOf is the controller's time when it was asked.
func timeOf(cl *cluster) time.Time { return time.Unix(0, cl.reply.Now) }

// showEvents lists since when the cluster counts what it counts, and when nodes were
// out of service: from midnight yesterday on unless another time is asked for.
func (c *call) showEvents(r *request) {
	wanted := func(kind string) bool {
		return r.more["event"] == "" || slices.ContainsFunc(parts(r.more["event"]), func(w string) bool { return begins(kind, w, 1) })
	}
	for _, word := range parts(r.more["event"]) {
		if !begins("cluster", word, 1) && !begins("node", word, 1) {
			c.fail("Unknown event type: '%s'  Valid events are Cluster and Node.", word)
			return
		}
	}
	usual := []string{"Clusters", "NodeNames", "TimeStart", "TimeEnd", "State", "Reason", "User"}
	if !wanted("node") {
		usual = []string{"Clusters", "TRES", "TimeStart", "TimeEnd", "ClusterNodes"}
	}
	out, ok := c.format(r, usual...)
	if !ok {
		return
	}
	from, to, ok := c.window(r)
	if !ok {
		return
	}
	open := slices.ContainsFunc(parts(r.more["condflags"]), func(w string) bool { return begins("open", w, 1) })
	now := c.env.Now()
	if from.IsZero() && !open && !r.flags["alltime"] {
		y, m, d := now.Date()
		from = time.Date(y, m, d-1, 0, 0, 0, 0, now.Location())
	}
	if to.IsZero() {
		to = now.Add(time.Second)
	}
	nodes, bad := slurm.ParseHostList(r.more["nodes"])
	if r.more["nodes"] != "" && bad != nil {
		c.bare("sacctmgr: error: Invalid node list %s", r.more["nodes"])
		return
	}
	cl := c.fetch(false)
	if cl == nil {
		return
	}
	ctx, cancel := c.env.Call(callLimit)
	defer cancel()
	req := &rinkpb.UsageRequest{Events: true, End: to.UnixNano()}
	if !from.IsZero() {
		req.Start = from.UnixNano()
	}
	reply, err := c.client.Usage(ctx, req)
	var conf *rinkpb.ConfigReply
	if err == nil {
		conf, err = c.client.GetConfig(ctx, &rinkpb.GetConfigRequest{})
	}
	if err != nil {
		c.bare("sacctmgr: error: %s", cli.Reason(cli.CallErr(err)))
		return
	}
	var rows []*row
	add := func(text map[string]string, start, end time.Time) {
		if !r.where.Here(cl.name) || open && !end.IsZero() {
			return
		}
		text["cluster"], text["start"], text["end"] = cl.name, stamp(start), "Unknown"
		over := timeOf(cl)
		if !end.IsZero() {
			text["end"], over = stamp(end), end
		}
		text["duration"] = max(slurm.Duration(over.Unix()-start.Unix()), 0).String()
		rows = append(rows, &row{cl: cl, text: text})
	}
	if began := time.Unix(0, conf.BootTime); wanted("cluster") && began.Before(to) && r.more["nodes"] == "" && r.more["state"] == "" && r.more["reason"] == "" && r.more["user"] == "" {
		add(map[string]string{
			"reason": "Cluster Registered TRES", "event": "Cluster", "eventraw": "1", "tres": tresText(cl),
			"clusternodes": slurm.HostListOf(cl.reply.Nodes...).String(), "stateraw": "0",
		}, began, time.Time{})
	}
	if !wanted("node") {
		c.table(out, rows)
		return
	}
	slices.SortStableFunc(reply.Events, func(a, b *rinkpb.NodeFact) int {
		return cmp.Or(strings.Compare(a.Node, b.Node), cmp.Compare(a.Start, b.Start))
	})
	for _, f := range reply.Events {
		text := eventOf(f)
		if r.more["nodes"] != "" && !nodes.Contains(f.Node) || !c.eventWanted(r, f, text) {
			continue
		}
		end := time.Time{}
		if f.End != 0 {
			end = time.Unix(0, f.End)
		}
		add(text, time.Unix(0, f.Start), end)
	}
	c.table(out, rows)
}

// eventOf is a time in which a node was out of service, column by column.
func eventOf(f *rinkpb.NodeFact) map[string]string {
	state := slurm.NodeState(f.State)
	word := strings.ToUpper(state.Base().String())
	switch {
	case state.Has(slurm.NodeDrain):
		word = "DRAIN"
	case state.Has(slurm.NodeFail):
		word = "FAIL"
	}
	who := f.User
	if u, err := hostuser.Lookup(f.User); err == nil {
		who = fmt.Sprintf("%s(%s)", f.User, u.Uid)
	}
	amounts := f.Tres
	if list, err := slurm.ParseTRES(f.Tres); err == nil {
		amounts = tres(list)
	}
	return map[string]string{
		"nodename": f.Node, "state": word, "stateraw": strconv.FormatUint(uint64(f.State), 10), "reason": f.Reason, "user": who,
		"event": "Node", "eventraw": "2", "tres": amounts,
	}
}

// eventWanted holds an event against what was asked for.
func (c *call) eventWanted(r *request, f *rinkpb.NodeFact, text map[string]string) bool {
	name, uid, _ := strings.Cut(strings.TrimSuffix(text["user"], ")"), "(")
	list, _ := slurm.ParseTRES(f.Tres)
	cpus, _ := list.Get("cpu")
	bound := func(word string) (int64, bool) {
		n, err := strconv.ParseInt(r.more[word], 10, 64)
		return n, err == nil
	}
	if least, ok := bound("mincpus"); ok && cpus < least {
		return false
	}
	if most, ok := bound("maxcpus"); ok && cpus > most {
		return false
	}
	switch {
	case r.more["state"] != "" && !slices.ContainsFunc(parts(r.more["state"]), func(w string) bool { return begins(text["state"], w, 2) }):
	case r.more["reason"] != "" && !slices.ContainsFunc(parts(r.more["reason"]), func(w string) bool { return strings.Contains(f.Reason, w) }):
	case r.more["user"] != "" && !containsFold(parts(r.more["user"]), name) && !containsFold(parts(r.more["user"]), uid):
	default:
		return true
	}
	return false
}

// showReservations lists reservations there are and were: one line for each time in
// which one stayed the same.
func (c *call) showReservations(r *request) {
	out, ok := c.format(r, "Clusters", "Name%15", "TRES%30", "TimeStart", "TimeEnd", "UnusedWall")
	if !ok {
		return
	}
	from, to, ok := c.window(r)
	if !ok {
		return
	}
	nodes, bad := slurm.ParseHostList(r.more["nodes"])
	if r.more["nodes"] != "" && bad != nil {
		c.bare("sacctmgr: error: Invalid node list %s", r.more["nodes"])
		return
	}
	cl := c.fetch(false)
	if cl == nil {
		return
	}
	req := &rinkpb.UsageRequest{Spans: true, End: time.Unix(1<<32-1, 0).UnixNano()}
	if !from.IsZero() {
		req.Start = from.UnixNano()
	}
	if !to.IsZero() {
		req.End = to.UnixNano()
	}
	ctx, cancel := c.env.Call(callLimit)
	defer cancel()
	reply, err := c.client.Usage(ctx, req)
	if err != nil {
		c.bare("sacctmgr: error: %s", cli.Reason(cli.CallErr(err)))
		return
	}
	var rows []*row
	for _, s := range reply.Spans {
		there, err := slurm.ParseHostList(s.Nodes)
		switch {
		case !r.where.Here(cl.name), len(r.names) > 0 && !containsFold(r.names, s.Name),
			len(r.where.IDs) > 0 && !slices.Contains(r.where.IDs, s.Id),
			r.more["nodes"] != "" && (err != nil || !slices.ContainsFunc(slices.Collect(nodes.All()), there.Contains)):
			continue
		}
		amounts := s.Tres
		if list, err := slurm.ParseTRES(s.Tres); err == nil {
			amounts = tres(list)
		}
		rows = append(rows, &row{cl: cl, text: map[string]string{
			"cluster": cl.name, "name": s.Name, "tres": amounts, "start": stamp(time.Unix(0, s.Start)), "end": stamp(time.Unix(0, s.End)),
			"unusedwall": fmt.Sprintf("%.6f", 0.0), "id": strconv.FormatUint(uint64(s.Id), 10), "associations": s.Associations,
			"flags": strings.Join(s.Flags, ","), "nodename": s.Nodes, "nodenames": s.Nodes,
		}})
	}
	c.table(out, rows)
}

// showStats prints what was asked of the controller, which is what answers here for
// slurmdbd. Roll-ups have no runs to tell of: they are counted as jobs end.
func (c *call) showStats(*request) {
	cl := c.fetch(false)
	if cl == nil {
		return
	}
	if cl.level < sched.AdminAdministrator {
		c.bare("sacctmgr: accounting_storage/slurmdbd: acct_storage_p_get_stats: RC:%d Your user doesn't have privilege to perform this action", slurm.ErrnoAccessDenied)
		return
	}
	ctx, cancel := c.env.Call(callLimit)
	defer cancel()
	reply, err := c.client.Diag(ctx, &rinkpb.DiagRequest{})
	if err == nil {
		err = cli.StatusErr(reply.Status)
	}
	if err != nil {
		c.bare("sacctmgr: error: %s", cli.Reason(cli.CallErr(err)))
		return
	}
	if c.o.encoding.On() {
		c.statsData(reply)
		return
	}
	moment := func(ns int64) string {
		t := time.Unix(0, ns).In(c.env.Now().Location())
		return fmt.Sprintf("%s (%d)", t.Format("Mon Jan 02 15:04:05 2006"), t.Unix())
	}
	stars := strings.Repeat("*", 67)
	c.print("%s\nsacctmgr show stats output at %s\nData since                    %s\nAll statistics are in microseconds\n%s\n",
		stars, moment(reply.Now), moment(reply.Since), stars)
	table := func(title, format string, list []*rinkpb.RpcCount) {
		c.print("\nRemote Procedure Call statistics by %s\n", title)
		for _, r := range list {
			c.print("\t"+format+" count:%-6d ave_time:%-6d total_time:%d\n", r.Name, r.Id, r.Count, r.Time/max(r.Count, 1), r.Time)
		}
	}
	table("message type", "%-25s(%5d)", reply.ByType)
	table("user", "%-20s(%10d)", reply.ByUser)
}
