package sdiag

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/show"
)

// print writes what the controller told, as Slurm's command lays it out.
func print(w io.Writer, r *rinkpb.DiagReply, zone *time.Location) {
	line := func(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
	moment := func(ns int64) string {
		t := time.Unix(0, ns).In(zone)
		return fmt.Sprintf("%s (%d)", t.Format("Mon Jan 02 15:04:05 2006"), t.Unix())
	}
	stars := strings.Repeat("*", 55)
	line("%s\nsdiag output at %s\nData since      %s\n%s", stars, moment(r.Now), moment(r.Since), stars)
	line("Server thread count:  %d", r.Threads)
	line("Agent queue size:     %d", r.AgentQueue)
	line("Agent count:          %d", r.Agents)
	line("Agent thread count:   %d", r.AgentThreads)
	line("DBD Agent queue size: %d\n", r.HistoryQueue)
	line("Jobs submitted: %d", r.Submitted)
	line("Jobs started:   %d", r.Started)
	line("Jobs completed: %d", r.Completed)
	line("Jobs canceled:  %d", r.Canceled)
	line("Jobs failed:    %d\n", r.Failed)
	line("Job states ts:  %s", moment(r.StatesAt))
	line("Jobs pending:   %d", r.Pending)
	line("Jobs running:   %d", r.Running)

	m := r.Main
	line("\nMain schedule statistics (microseconds):")
	line("\tLast cycle:   %d", m.Last)
	line("\tMax cycle:    %d", m.Max)
	line("\tTotal cycles: %d", m.Cycles)
	if m.Cycles > 0 {
		line("\tMean cycle:   %d", mean(m.Sum, m.Cycles))
		line("\tMean depth cycle:  %d", mean(m.DepthSum, m.Cycles))
	}
	if n := perMinute(r, m.Cycles); n > 0 {
		line("\tCycles per minute: %d", n)
	}
	line("\tLast queue length: %d", m.Queue)

	b := r.Backfill
	line("\nBackfilling stats")
	line("\tTotal backfilled jobs (since last slurm start): %d", r.BackfilledAll)
	line("\tTotal backfilled jobs (since last stats cycle start): %d", r.Backfilled)
	line("\tTotal backfilled heterogeneous job components: %d", r.BackfilledHet)
	line("\tTotal cycles: %d", b.Cycles)
	at := b.LastAt
	if at == 0 {
		at = r.Booted
	}
	line("\tLast cycle when: %s", moment(at))
	line("\tLast cycle: %d", b.Last)
	line("\tMax cycle:  %d", b.Max)
	if b.Cycles > 0 {
		line("\tMean cycle: %d", mean(b.Sum, b.Cycles))
	}
	line("\tLast depth cycle: %d", b.LastDepth)
	line("\tLast depth cycle (try sched): %d", b.LastTried)
	if b.Cycles > 0 {
		line("\tDepth Mean: %d", mean(b.DepthSum, b.Cycles))
		line("\tDepth Mean (try depth): %d", mean(b.TriedSum, b.Cycles))
	}
	line("\tLast queue length: %d", b.Queue)
	if b.Cycles > 0 {
		line("\tQueue length mean: %d", mean(b.QueueSum, b.Cycles))
	}
	line("\tLast table size: %d", b.Table)
	if b.Cycles > 0 {
		line("\tMean table size: %d", mean(b.TableSum, b.Cycles))
	}

	line("\nLatency for 1000 calls to gettimeofday(): %d microseconds", r.Clock)
	line("\nRemote Procedure Call statistics by message type")
	for _, c := range r.ByType {
		line("\t%-40s(%5d) count:%-6d ave_time:%-6d total_time:%d", c.Name, c.Id, c.Count, mean(c.Time, c.Count), c.Time)
	}
	line("\nRemote Procedure Call statistics by user")
	for _, c := range r.ByUser {
		line("\t%-16s(%8d) count:%-6d ave_time:%-6d total_time:%d", c.Name, c.Id, c.Count, mean(c.Time, c.Count), c.Time)
	}
	line("\nPending RPC statistics")
	if len(r.Waiting) == 0 {
		line("\tNo pending RPCs")
	}
	for _, c := range r.Waiting {
		line("\t%-40s(%5d) count:%-6d", c.Name, c.Id, c.Count)
	}
}

// printControllers is how the controllers of a cluster with several stand: how far
// each is behind what is committed, in entries of the log, and how long ago it
// heard the leader. Slurm has nothing of the kind, so that it comes last.
func printControllers(w io.Writer, list []*rinkpb.ControllerState) {
	var commit uint64
	for _, c := range list {
		commit = max(commit, c.Health.GetCommit())
	}
	fmt.Fprintln(w, "\nControllers")
	for _, c := range list {
		fmt.Fprintf(w, "\t%-24s %-11s %-9s ", c.Name, show.ControllerRole(c), show.ControllerStanding(c))
		h := c.Health
		if !c.Up || h == nil {
			fmt.Fprintln(w, c.Error)
			continue
		}
		contact := "never"
		if h.Contact >= 0 {
			contact = strconv.FormatInt(h.Contact, 10) + "ms"
		}
		fmt.Fprintf(w, "term:%-6d applied:%-10d behind:%-6d contact:%s\n", h.Term, h.Applied, commit-min(commit, h.Applied), contact)
	}
}

// data is the same under the names of Slurm's data parser.
func data(r *rinkpb.DiagReply) show.Object {
	stamp := func(ns int64) show.Object { return show.Number(ns / int64(time.Second)) }
	m, b := r.Main, r.Backfill
	types, users, pending := []any{}, []any{}, []any{}
	for _, c := range r.ByType {
		types = append(types, show.Object{
			{Key: "type_id", Value: c.Id}, {Key: "message_type", Value: c.Name}, {Key: "count", Value: c.Count},
			{Key: "total_time", Value: c.Time}, {Key: "average_time", Value: show.Number(mean(c.Time, c.Count))},
			{Key: "queued", Value: 0}, {Key: "dropped", Value: 0}, {Key: "cycle_last", Value: 0}, {Key: "cycle_max", Value: 0}, // a call is answered at once
		})
	}
	for _, c := range r.ByUser {
		users = append(users, show.Object{
			{Key: "user_id", Value: c.Id}, {Key: "user", Value: c.Name}, {Key: "count", Value: c.Count},
			{Key: "total_time", Value: c.Time}, {Key: "average_time", Value: show.Number(mean(c.Time, c.Count))},
		})
	}
	for _, c := range r.Waiting {
		pending = append(pending, show.Object{{Key: "type_id", Value: c.Id}, {Key: "message_type", Value: c.Name}, {Key: "count", Value: c.Count}})
	}
	return show.Object{
		{Key: "parts_packed", Value: 1}, {Key: "req_time", Value: stamp(r.Now)}, {Key: "req_time_start", Value: stamp(r.Since)},
		{Key: "server_thread_count", Value: r.Threads}, {Key: "agent_queue_size", Value: r.AgentQueue}, {Key: "agent_count", Value: r.Agents},
		{Key: "agent_thread_count", Value: r.AgentThreads}, {Key: "dbd_agent_queue_size", Value: r.HistoryQueue},
		{Key: "gettimeofday_latency", Value: r.Clock}, {Key: "schedule_cycle_max", Value: m.Max}, {Key: "schedule_cycle_last", Value: m.Last},
		{Key: "schedule_cycle_sum", Value: m.Sum}, {Key: "schedule_cycle_total", Value: m.Cycles},
		{Key: "schedule_cycle_mean", Value: mean(m.Sum, m.Cycles)}, {Key: "schedule_cycle_mean_depth", Value: mean(m.DepthSum, m.Cycles)},
		{Key: "schedule_cycle_per_minute", Value: perMinute(r, m.Cycles)}, {Key: "schedule_cycle_depth", Value: m.DepthSum},
		{Key: "schedule_queue_length", Value: m.Queue}, {Key: "jobs_submitted", Value: r.Submitted}, {Key: "jobs_started", Value: r.Started},
		{Key: "jobs_completed", Value: r.Completed}, {Key: "jobs_canceled", Value: r.Canceled}, {Key: "jobs_failed", Value: r.Failed},
		{Key: "jobs_pending", Value: r.Pending}, {Key: "jobs_running", Value: r.Running}, {Key: "job_states_ts", Value: stamp(r.StatesAt)},
		{Key: "bf_backfilled_jobs", Value: r.BackfilledAll}, {Key: "bf_last_backfilled_jobs", Value: r.Backfilled},
		{Key: "bf_backfilled_het_jobs", Value: r.BackfilledHet}, {Key: "bf_cycle_counter", Value: b.Cycles},
		{Key: "bf_cycle_mean", Value: mean(b.Sum, b.Cycles)}, {Key: "bf_depth_mean", Value: mean(b.DepthSum, b.Cycles)},
		{Key: "bf_depth_mean_try", Value: mean(b.TriedSum, b.Cycles)}, {Key: "bf_cycle_sum", Value: b.Sum}, {Key: "bf_cycle_last", Value: b.Last},
		{Key: "bf_cycle_max", Value: b.Max}, {Key: "bf_last_depth", Value: b.LastDepth}, {Key: "bf_last_depth_try", Value: b.LastTried},
		{Key: "bf_depth_sum", Value: b.DepthSum}, {Key: "bf_depth_try_sum", Value: b.TriedSum}, {Key: "bf_queue_len", Value: b.Queue},
		{Key: "bf_queue_len_mean", Value: mean(b.QueueSum, b.Cycles)}, {Key: "bf_queue_len_sum", Value: b.QueueSum},
		{Key: "bf_table_size", Value: b.Table}, {Key: "bf_table_size_sum", Value: b.TableSum}, {Key: "bf_table_size_mean", Value: mean(b.TableSum, b.Cycles)},
		{Key: "bf_when_last_cycle", Value: stamp(b.LastAt)}, {Key: "bf_active", Value: false},
		{Key: "rpcs_by_message_type", Value: types}, {Key: "rpcs_by_user", Value: users}, {Key: "pending_rpcs", Value: pending},
		{Key: "pending_rpcs_by_hostlist", Value: []any{}},
	}
}
