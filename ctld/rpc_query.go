package ctld

import (
	"context"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/runink/rink/api"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// pageSize is how many records go in one message of a listing.
const pageSize = 500

// ListJobs streams the records that pass the filters. The records are taken
// under the lock as pointers, and turned into bytes outside it.
func (c *controller) ListJobs(req *rinkpb.ListJobsRequest, stream rinkpb.Controller_ListJobsServer) error {
	if _, _, err := c.caller(stream.Context()); err != nil {
		return err
	}
	var jobs []*sched.Job
	var failed error
	var cfg *sched.Config
	var nodeCPUs int
	var nodeGPUs int64
	var nodeMemory slurm.MB
	c.s.barn.Read(func(t *state.State) {
		cfg = t.Config()
		for _, n := range t.Nodes() {
			gpus := int64(0)
			for _, g := range n.Gres {
				if g.Name == "gpu" {
					gpus += g.Count
				}
			}
			nodeGPUs = max(nodeGPUs, gpus)
			nodeCPUs, nodeMemory = max(nodeCPUs, n.CPUs), max(nodeMemory, n.Memory)
		}
		if len(req.Refs) == 0 {
			if req.Ended {
				jobs = slices.Collect(t.Jobs())
			} else {
				jobs = liveJobs(t)
			}
			return
		}
		type part struct {
			id    slurm.JobID
			tasks int
		}
		seen := map[part]bool{} // an array may have very many
		for _, ref := range req.Refs {
			list, err := find(t, ref)
			if err != nil {
				if len(req.Refs) == 1 {
					failed = err
				}
				continue
			}
			for _, tg := range list {
				j := tg.job
				if tg.tasks.Len() > 0 && tg.tasks.Len() < j.Tasks.Len() {
					j = j.Clone()
					j.Tasks = tg.tasks
				}
				if key := (part{j.ID, j.Tasks.Len()}); !seen[key] {
					seen[key] = true
					jobs = append(jobs, j)
				}
			}
		}
	})
	now := time.Now().UnixNano()
	page := &rinkpb.JobPage{Now: now, NodeCpus: uint32(nodeCPUs), NodeMemory: int64(nodeMemory), NodeGpus: uint32(nodeGPUs)}
	for _, j := range jobs {
		if !wanted(j, req) {
			continue
		}
		if limit := sched.LimitShown(j, cfg); limit != j.TimeLimit {
			j = j.Clone()
			j.TimeLimit = limit
		}
		page.Jobs = append(page.Jobs, api.JobToProto(j))
		if req.Plan && j.State.Base() == slurm.JobPending {
			if w, ok := c.s.waits.expected(j.ID); ok {
				page.Expected = append(page.Expected, expected(w))
			}
		}
		if len(page.Jobs) == pageSize {
			if err := stream.Send(page); err != nil {
				return err
			}
			page = &rinkpb.JobPage{Now: now}
		}
	}
	page.Status = refuse(failed)
	return stream.Send(page)
}

func expected(w sched.Wait) *rinkpb.Expected {
	e := &rinkpb.Expected{Job: uint32(w.Job)}
	if !w.Start.IsZero() {
		e.Start = w.Start.UnixNano()
	}
	for _, n := range w.Nodes {
		e.Nodes = append(e.Nodes, string(n))
	}
	for _, o := range w.Detail {
		e.Detail = append(e.Detail, &rinkpb.Obstacle{What: o.What, Where: o.Where, Asked: o.Asked, There: o.There})
	}
	return e
}

func wanted(j *sched.Job, req *rinkpb.ListJobsRequest) bool {
	if len(req.Uids) > 0 && !slices.Contains(req.Uids, j.UID) {
		return false
	}
	if len(req.Names) > 0 && !slices.Contains(req.Names, j.Name) {
		return false
	}
	if len(req.Accounts) > 0 && !slices.Contains(req.Accounts, j.Account) {
		return false
	}
	if req.Run != "" && j.Run != req.Run {
		return false
	}
	if len(req.Partitions) > 0 && !slices.ContainsFunc(j.Partitions, func(p sched.PartitionName) bool {
		return slices.Contains(req.Partitions, string(p))
	}) {
		return false
	}
	return true
}

// ListNodes lists nodes in the configuration's order, with what is known of
// their load.
func (c *controller) ListNodes(ctx context.Context, req *rinkpb.ListNodesRequest) (*rinkpb.NodeList, error) {
	if _, _, err := c.caller(ctx); err != nil {
		return nil, err
	}
	var list []*sched.Node
	now := time.Now()
	var flags map[sched.NodeName]slurm.NodeState
	var in map[sched.NodeName]string
	c.s.barn.Read(func(t *state.State) {
		flags, in = sched.ReservedOn(t.Reservations(), now)
		if len(req.Names) == 0 {
			list = t.Nodes()
			return
		}
		for _, name := range req.Names {
			if n := t.Node(sched.NodeName(name)); n != nil {
				list = append(list, n)
			}
		}
	})
	idle := make(map[sched.NodeName]bool) // with nothing on them, and open to jobs
	reply := &rinkpb.NodeList{Now: now.UnixNano()}
	kinds := c.s.liveConf().GresTypes
	for _, n := range list {
		p := nodeToTell(n)
		for _, kind := range kinds {
			// Slurm counts of every kind what is in use, also where there is none.
			if !slices.ContainsFunc(n.Gres, func(g sched.NodeGres) bool { return g.Name == kind }) {
				p.UsedGres = append(p.UsedGres, &rinkpb.GresAlloc{Name: kind})
			}
		}
		p.State |= uint32(flags[n.Name])
		p.Reservation = in[n.Name]
		p.Connected = c.s.sessions.connected(n.Name)
		c.s.soft.fill(p)
		reply.Nodes = append(reply.Nodes, p)
		if slurm.NodeState(p.State) == slurm.NodeIdle && len(n.Running) == 0 && n.CompletingJobs == 0 {
			idle[n.Name] = true
		}
	}
	if planned := c.s.waits.plannedOf(idle); len(planned) > 0 {
		for _, p := range reply.Nodes {
			if planned[sched.NodeName(p.Name)] {
				p.State |= uint32(slurm.NodePlanned)
			}
		}
	}
	return reply, nil
}

// nodeToTell is a node without what the scheduler alone goes by: into what each of its
// GPUs could be cut is kilobytes.
func nodeToTell(n *sched.Node) *rinkpb.Node {
	told := *n
	told.Shapes = nil
	return api.NodeToProto(&told)
}

// ListPartitions lists the partitions in the configuration's order.
func (c *controller) ListPartitions(ctx context.Context, _ *rinkpb.ListPartitionsRequest) (*rinkpb.PartitionList, error) {
	if _, _, err := c.caller(ctx); err != nil {
		return nil, err
	}
	reply := &rinkpb.PartitionList{Now: time.Now().UnixNano()}
	c.s.barn.Read(func(t *state.State) {
		if conf := t.Config(); conf != nil {
			reply.TrackedTres = conf.Conf.AccountingStorageTRES
			for _, p := range conf.Partitions {
				q := api.PartitionToProto(p)
				if q.PreemptMode == "" {
					q.PreemptMode = clusterPreemptMode(conf.Conf)
				}
				reply.Partitions = append(reply.Partitions, q)
			}
		}
	})
	return reply, nil
}

// clusterPreemptMode is how jobs give way in a partition that says nothing of it.
func clusterPreemptMode(conf *slurm.Conf) string {
	if conf.PreemptType == "" || strings.EqualFold(conf.PreemptType, "preempt/none") {
		return ""
	}
	return strings.ToUpper(strings.Join(conf.PreemptMode, ","))
}

// GetConfig returns the configuration in force.
func (c *controller) GetConfig(ctx context.Context, req *rinkpb.GetConfigRequest) (*rinkpb.ConfigReply, error) {
	if _, _, err := c.caller(ctx); err != nil {
		return nil, err
	}
	reply := &rinkpb.ConfigReply{
		Files: c.s.configFiles(), BootTime: c.s.start.UnixNano(), Version: c.s.opt.Version, Controllers: c.s.configured(), Now: time.Now().UnixNano(),
	}
	if req.Ping {
		reply.Controllers = c.s.controllers(ctx)
	}
	c.s.barn.Read(func(t *state.State) { reply.NextJob = uint32(t.NextJob()) })
	return reply, nil
}

// Ping says who the controllers are and which leads.
func (c *controller) Ping(ctx context.Context, _ *rinkpb.PingRequest) (*rinkpb.PingReply, error) {
	leader, _ := c.s.barn.Leader()
	return &rinkpb.PingReply{
		Cluster: c.s.conf.ClusterName, Version: c.s.opt.Version, Host: c.s.host, Leader: leader, Up: leader != "", Controllers: c.s.controllers(ctx),
	}, nil
}

// GetScript returns a job's script to its owner or an operator.
func (c *controller) GetScript(ctx context.Context, req *rinkpb.GetScriptRequest) (*rinkpb.GetScriptReply, error) {
	_, u, err := c.caller(ctx)
	if err != nil {
		return nil, err
	}
	var j *sched.Job
	var script, env []byte
	c.s.barn.Read(func(t *state.State) {
		if j = t.Job(slurm.JobID(req.Job)); j != nil {
			script, _ = t.Blob(j.Script)
			env, _ = t.Blob(j.Env)
		}
	})
	switch {
	case j == nil:
		return &rinkpb.GetScriptReply{Status: refuse(slurm.ErrnoInvalidJobID)}, nil
	case !c.s.mayTouch(u, j):
		return &rinkpb.GetScriptReply{Status: refuse(slurm.ErrnoUserIDMissing)}, nil
	case script == nil:
		return &rinkpb.GetScriptReply{Status: refuse(slurm.ErrnoJobScriptMissing)}, nil
	}
	reply := &rinkpb.GetScriptReply{Status: &rinkpb.Status{}, Script: script}
	if req.Accounting {
		kept := c.s.liveConf().AccountingStoreFlags
		if !slices.Contains(kept, "job_script") {
			reply.Script = nil
		}
		if !slices.Contains(kept, "job_env") {
			req.Env = false
		}
	}
	if req.Env {
		reply.Env = splitEnv(env)
	}
	return reply, nil
}

// ListLicenses lists the cluster's licences and how many are in use.
func (c *controller) ListLicenses(ctx context.Context, _ *rinkpb.ListLicensesRequest) (*rinkpb.LicenseList, error) {
	if _, _, err := c.caller(ctx); err != nil {
		return nil, err
	}
	reply := &rinkpb.LicenseList{}
	c.s.barn.Read(func(t *state.State) {
		all, used := t.Licenses(), t.LicensesUsed()
		reserved := sched.ReservedLicenses(t.Reservations(), time.Now())
		for _, l := range all.Items {
			info := &rinkpb.LicenseInfo{Name: l.FullName(), Total: l.Count, Used: used.Get(l.FullName()), Reserved: reserved.Get(l.FullName()), Remote: t.Config().Conf.Licenses.Get(l.FullName()) == 0}
			reply.Licenses = append(reply.Licenses, info)
		}
	})
	return reply, nil
}

// ListRuns lists pipeline runs, newest last.
func (c *controller) ListRuns(ctx context.Context, req *rinkpb.ListRunsRequest) (*rinkpb.RunList, error) {
	if _, _, err := c.caller(ctx); err != nil {
		return nil, err
	}
	reply := &rinkpb.RunList{}
	c.s.barn.Read(func(t *state.State) {
		for _, r := range t.Runs() {
			if req.Id != "" && r.ID != req.Id {
				continue
			}
			p := &rinkpb.RunRecord{Id: r.ID, Name: r.Name, User: r.User, Submit: r.Submit.UnixNano(), Stages: r.Stages}
			for _, id := range r.Jobs {
				p.Jobs = append(p.Jobs, uint32(id))
			}
			reply.Runs = append(reply.Runs, p)
		}
	})
	if req.Id != "" && len(reply.Runs) == 0 {
		return nil, status.Errorf(codes.NotFound, "run %q is not known", req.Id)
	}
	return reply, nil
}
