package ctld

import (
	"context"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/runink/rink/api/prom"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// Metrics counts the cluster, in the text format of Prometheus: what jobs, nodes and
// partitions there are, what the scheduler and this controller did, and how the
// controllers stand. Times are in seconds.
func (c *controller) Metrics(ctx context.Context, _ *rinkpb.MetricsRequest) (*rinkpb.MetricsReply, error) {
	if _, _, err := c.caller(ctx); err != nil {
		return nil, err
	}
	var w prom.Writer
	s := c.s
	s.barn.Read(func(t *state.State) { countState(&w, t) })
	s.countWork(&w)
	leader, _ := s.barn.Leader()
	for _, one := range s.controllerStates(ctx) {
		w.Gauge("rink_controller_up", "1 for a controller that answers", boolean(one.Up), "controller", one.Name)
		w.Gauge("rink_controller_leads", "1 for the controller that leads", boolean(one.Name == leader), "controller", one.Name)
		if one.Health != nil {
			w.Gauge("rink_controller_term", "the term a controller is in", float64(one.Health.Term), "controller", one.Name)
			w.Gauge("rink_controller_applied_index", "the last log entry a controller has applied", float64(one.Health.Applied), "controller", one.Name)
		}
	}
	text, err := w.Text()
	if err != nil {
		return nil, status.Errorf(codes.Internal, "cannot write the metrics: %v", err)
	}
	return &rinkpb.MetricsReply{Text: text}, nil
}

// NodeMetrics is for agents: a controller has no node.
func (c *controller) NodeMetrics(context.Context, *rinkpb.MetricsRequest) (*rinkpb.MetricsReply, error) {
	return nil, status.Error(codes.Unimplemented, "a controller is no node; ask the agent of one")
}

// Adopt is for agents: a controller has no node.
func (c *controller) Adopt(context.Context, *rinkpb.AdoptRequest) (*rinkpb.AdoptReply, error) {
	return nil, status.Error(codes.Unimplemented, "a controller is no node; ask the agent of one")
}

func boolean(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// countState counts jobs, nodes and what is in use of them.
func countState(w *prom.Writer, t *state.State) {
	type place struct{ partition, state string }
	jobs, cpus, gpus := map[place]float64{}, map[place]float64{}, map[place]float64{}
	for j := range t.Jobs() {
		p := place{string(j.Partition), strings.ToLower(j.State.Base().String())}
		n := float64(max(1, j.Tasks.Len()))
		jobs[p] += n
		switch {
		case j.IsPending():
			cpus[p] += n * float64(j.Need.CPUs)
		case j.IsRunning():
			for i := range j.Alloc {
				cpus[p] += float64(j.Alloc[i].CPUs)
				for _, g := range j.Alloc[i].Gres {
					if g.Name == "gpu" {
						gpus[p] += float64(g.Count)
					}
				}
			}
		}
	}
	emit := func(name, help string, m map[place]float64) {
		for p, n := range m {
			w.Gauge(name, help, n, "partition", p.partition, "state", p.state)
		}
	}
	emit("rink_jobs", "jobs the controller knows, each task of an array counted", jobs)
	emit("rink_job_cpus", "CPUs that pending jobs ask for and running ones have", cpus)
	emit("rink_job_gpus", "GPUs that running jobs have", gpus)

	nodes := map[sched.NodeName]*sched.Node{}
	for _, n := range t.Nodes() {
		nodes[n.Name] = n
	}
	for _, p := range t.Partitions() {
		type gres struct{ name, typ string }
		states, held, total, sick := map[string]float64{}, map[gres]float64{}, map[gres]float64{}, map[gres]float64{}
		var all, used, mem, memUsed float64
		for _, name := range p.Nodes {
			n := nodes[name]
			if n == nil {
				continue
			}
			states[nodeWord(n)]++
			all += float64(n.CPUs)
			used += float64(n.UsedCPUs)
			mem += float64(n.Memory) * (1 << 20)
			memUsed += float64(n.UsedMem) * (1 << 20)
			for i := range n.Gres {
				g := gres{n.Gres[i].Name, n.Gres[i].Type}
				total[g] += float64(n.Gres[i].Count)
				sick[g] += float64(len(n.Gres[i].Sick))
			}
			for _, u := range n.UsedGres {
				held[gres{u.Name, u.Type}] += float64(u.Count)
			}
		}
		part := string(p.Name)
		for st, n := range states {
			w.Gauge("rink_nodes", "nodes of a partition", n, "partition", part, "state", st)
		}
		w.Gauge("rink_cpus", "CPUs of a partition's nodes", all, "partition", part)
		w.Gauge("rink_cpus_allocated", "CPUs that jobs have on a partition's nodes", used, "partition", part)
		w.Gauge("rink_memory_bytes", "memory of a partition's nodes", mem, "partition", part)
		w.Gauge("rink_memory_allocated_bytes", "memory that jobs have on a partition's nodes", memUsed, "partition", part)
		for g, n := range total {
			w.Gauge("rink_gres", "generic resources of a partition's nodes", n, "partition", part, "name", g.name, "type", g.typ)
			w.Gauge("rink_gres_allocated", "generic resources that jobs have", held[g], "partition", part, "name", g.name, "type", g.typ)
			w.Gauge("rink_gres_sick", "devices that are out of service", sick[g], "partition", part, "name", g.name, "type", g.typ)
		}
	}
}

// nodeWord is a node's state in one word, what keeps it from jobs first.
func nodeWord(n *sched.Node) string {
	switch {
	case n.State.Base() == slurm.NodeDown:
		return "down"
	case n.State.Has(slurm.NodeFail):
		return "fail"
	case n.State.Has(slurm.NodeNotResponding):
		return "not_responding"
	case n.State.Has(slurm.NodeDrain) && n.UsedCPUs > 0:
		return "draining"
	case n.State.Has(slurm.NodeDrain):
		return "drained"
	case n.State.Has(slurm.NodePoweredDown):
		return "powered_down"
	case n.UsedCPUs >= n.CPUs:
		return "allocated"
	case n.UsedCPUs > 0:
		return "mixed"
	case n.State.Base() == slurm.NodeIdle:
		return "idle"
	}
	return strings.ToLower(n.State.Base().String())
}

// countWork tells what this controller did since it came up.
func (s *Server) countWork(w *prom.Writer) {
	d := s.diag.reply(s)
	const second = 1e6 // microseconds
	w.Counter("rink_jobs_submitted_total", "jobs taken in", float64(d.Submitted))
	w.Counter("rink_jobs_started_total", "jobs started", float64(d.Started))
	for _, e := range []struct {
		how string
		n   int64
	}{{"completed", d.Completed}, {"cancelled", d.Canceled}, {"failed", d.Failed}} {
		w.Counter("rink_jobs_ended_total", "jobs that ended", float64(e.n), "how", e.how)
	}
	for _, p := range []struct {
		kind string
		plan *rinkpb.PlanCount
	}{{"main", d.Main}, {"backfill", d.Backfill}} {
		w.Counter("rink_scheduler_cycles_total", "plans made", float64(p.plan.GetCycles()), "kind", p.kind)
		w.Counter("rink_scheduler_cycle_seconds_total", "time spent on plans", float64(p.plan.GetSum())/second, "kind", p.kind)
		w.Gauge("rink_scheduler_last_cycle_seconds", "time the last plan took", float64(p.plan.GetLast())/second, "kind", p.kind)
		w.Gauge("rink_scheduler_queue_length", "jobs waiting when the last plan was made", float64(p.plan.GetQueue()), "kind", p.kind)
	}
	for _, r := range d.ByType {
		w.Counter("rink_rpcs_total", "calls answered", float64(r.Count), "message", r.Name)
		w.Counter("rink_rpc_seconds_total", "time spent on calls", float64(r.Time)/second, "message", r.Name)
	}
	w.Gauge("rink_agent_orders_waiting", "orders to agents that are not sent yet", float64(d.AgentQueue))
	w.Gauge("rink_history_waiting", "records of history that are not on disk yet", float64(s.store.Waiting()))
	w.Gauge("rink_start_time_seconds", "when this controller came up", float64(s.start.UnixNano())/float64(time.Second))
}
