package ctld

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/runink/rink/api"
	"github.com/runink/rink/api/relay"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/auth"
	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// CreateStep places a step in a job's allocation, commits it and sends it to
// the agents of its nodes. When the job has no room now, the call waits for a
// step to end, unless told not to.
func (c *controller) CreateStep(ctx context.Context, req *rinkpb.CreateStepRequest) (*rinkpb.CreateStepReply, error) {
	_, u, err := c.caller(ctx)
	if err != nil {
		return nil, err
	}
	opts, err := api.JobOptionsFromProto(req.Options)
	if err != nil {
		return nil, invalid(err)
	}
	id := slurm.JobID(req.Job)
	if req.HasTask {
		c.s.barn.Read(func(t *state.State) {
			if list, err := find(t, &rinkpb.JobRef{Job: req.Job, HasTask: true, Task: req.Task}); err == nil {
				id = list[0].job.ID
			}
		})
	}
	for {
		room := c.s.waits.stepRoom(id)
		reply, busy, err := c.tryStep(ctx, req, opts, id, u)
		if err != nil {
			return nil, err
		}
		if !busy || req.DontWait || req.Immediate {
			return reply, nil
		}
		select {
		case <-room:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// tryStep places the step once. busy tells that waiting may help.
func (c *controller) tryStep(ctx context.Context, req *rinkpb.CreateStepRequest, opts *slurm.JobOptions, id slurm.JobID, u auth.User) (*rinkpb.CreateStepReply, bool, error) {
	unlock, err := c.s.stepLock.lock(ctx, id)
	if err != nil {
		return nil, false, err
	}
	defer unlock()
	var j *sched.Job
	var conf *sched.Config
	c.s.barn.Read(func(t *state.State) { j, conf = t.Job(id), t.Config() })
	refused := func(err error) *rinkpb.CreateStepReply {
		return &rinkpb.CreateStepReply{Status: refuse(err, linesOf(err)...)}
	}
	switch {
	case j == nil:
		return refused(slurm.ErrnoInvalidJobID), false, nil
	case j.UID != u.UID && u.UID != 0:
		return refused(slurm.ErrnoAccessDenied), false, nil
	case j.State.Base() == slurm.JobPending:
		return refused(slurm.ErrnoJobPending), false, nil
	case j.State.Ended() || j.State.Has(slurm.JobCompleting):
		return refused(slurm.ErrnoAlreadyDone), false, nil
	case j.State.Has(slurm.JobConfiguring):
		return refused(slurm.ErrnoPrologRunning), true, nil
	case j.State.Base() == slurm.JobSuspended:
		return refused(slurm.ErrnoJobSuspended), true, nil
	}
	if opts.Step.X11 != "" && (!slices.Contains(conf.Conf.PrologFlags, "X11") || len(req.X11Cookie) == 0 || len(req.X11Cookie) > maxCookie) {
		return refused(slurm.ErrnoX11NotAvail), false, nil
	}
	name := opts.Name
	if name == "" && len(req.Argv) > 0 {
		name = baseName(req.Argv[0])
	}
	if p := conf.Conf.SrunProlog; p != "" && opts.Step.Prolog == "" && !req.PrologDone {
		return &rinkpb.CreateStepReply{Status: &rinkpb.Status{}, RunProlog: p}, false, nil
	}
	c.s.barn.Read(func(t *state.State) { opts, err = sched.StepFeatures(j, opts, t.Node) })
	if err != nil {
		return refused(err), false, nil
	}
	step, fit, err := sched.PlaceStep(j, opts, name, conf, time.Now())
	switch {
	case err != nil:
		return refused(err), false, nil
	case fit == sched.StepWaits: // and there is no step yet
		return refused(slurm.ErrnoNodesBusy), true, nil
	case slices.ContainsFunc(step.Nodes, func(n sched.StepNode) bool { return len(n.Ranks) > conf.Conf.MaxTasksPerNode }):
		return refused(slurm.ErrnoBadTaskCount), false, nil
	}
	step.SubmitLine = req.SubmitLine
	results, err := c.s.barn.Propose(ctx, actor(u), state.StartStep{Job: id, Restarts: j.Restarts, Step: step, Key: req.Key})
	if err != nil {
		return nil, false, unavailable(err)
	}
	if results[0].Err != nil {
		return refused(results[0].Err), false, nil
	}
	c.s.barn.Read(func(t *state.State) {
		if now := t.Job(id); now != nil {
			j = now
		}
	})
	i := slices.IndexFunc(j.Steps, func(st *sched.Step) bool { return st.ID == results[0].Step })
	if i < 0 {
		return refused(slurm.ErrnoAlreadyDone), false, nil
	}
	step = j.Steps[i]
	orders, err := c.s.stepOrders(j, step, conf, req, opts)
	if err != nil {
		c.s.propose(ctx, state.EndStep{Job: id, Restarts: j.Restarts, Step: step.ID, State: slurm.JobFailed, Exit: sched.ExitCode{Code: 1}})
		return refused(err), false, nil
	}
	c.s.stepBook.start(j, step, orders)
	for node, order := range orders {
		c.s.sessions.send(node, &rinkpb.Order{Order: &rinkpb.Order_Step{Step: order}})
	}
	return &rinkpb.CreateStepReply{Status: &rinkpb.Status{}, Step: api.StepToProto(step), Job: api.JobToProto(j), Defaults: stepDefaults(conf.Conf)}, false, nil
}

// maxCookie bounds the cookie of a display.
const maxCookie = 256

// stepDefaults are what srun goes by where its options say nothing.
func stepDefaults(c *slurm.Conf) *rinkpb.StepDefaults {
	return &rinkpb.StepDefaults{Wait: int64(c.WaitTime), KillOnBadExit: c.KillOnBadExit, Epilog: c.SrunEpilog}
}

// stepOrders is the launch order of a step for each of its nodes.
func (s *Server) stepOrders(j *sched.Job, step *sched.Step, conf *sched.Config, req *rinkpb.CreateStepRequest, opts *slurm.JobOptions) (map[sched.NodeName]*rinkpb.LaunchStep, error) {
	argvOf := func(int) ([]string, error) { return req.Argv, nil }
	if len(req.MultiProg) > 0 {
		name := ""
		if len(req.Argv) > 0 {
			name = req.Argv[0]
		}
		prog, err := sched.ParseMultiProg(name, req.MultiProg, step.Tasks)
		if err != nil {
			return nil, err
		}
		argvOf = func(rank int) ([]string, error) {
			argv, err := prog(rank)
			if len(req.Argv) > 1 {
				argv = append(argv, req.Argv[1:]...) // behind the program's own words
			}
			return argv, err
		}
	}
	passes := sched.Propagates(conf.Conf, opts.Propagate)
	limits := slices.DeleteFunc(slices.Clone(req.Rlimits), func(l *rinkpb.Rlimit) bool { return !passes(l.Name) })
	common := mergeStepEnv(req.Env, sched.StepEnv(j, step, opts, conf))
	if req.AllTasks > 0 {
		all := fmt.Sprint(req.AllTasks)
		common = mergeStepEnv(common, []string{
			"SLURM_NTASKS=" + all, "SLURM_NPROCS=" + all, "SLURM_STEP_NUM_TASKS=" + all, "SLURM_STEP_NODELIST=" + req.AllNodes,
		})
	}
	var nodes []string
	bind := "" // what all of the nodes say
	for i, n := range step.Nodes {
		nodes = append(nodes, string(n.Node))
		if its := s.bindOn(n.Node); i == 0 || its == bind {
			bind = its
		} else {
			bind = ""
		}
	}
	bind = bindOf(opts, bind, s.partitionBind(j.Partition))
	var rankNodes []int32
	if mpi := mpiOf(opts, conf); mpi != "" {
		rankNodes = make([]int32, step.Tasks)
		for i, n := range step.Nodes {
			for _, rank := range n.Ranks {
				rankNodes[rank] = int32(i)
			}
		}
	}
	orders := make(map[sched.NodeName]*rinkpb.LaunchStep, len(step.Nodes))
	for i, n := range step.Nodes {
		at := slices.IndexFunc(j.Alloc, func(a sched.NodeAlloc) bool { return a.Node == n.Node })
		if at < 0 {
			return nil, fmt.Errorf("step %v is on node %s, which job %d does not hold: %w", step.ID, n.Node, j.ID, slurm.ErrnoError)
		}
		order := &rinkpb.LaunchStep{
			Here: s.jobHere(j, conf, at), Step: uint32(step.ID), Name: step.Name, Env: slices.Concat(stepGPUEnv(common, n.Gres), sched.TopologyEnv(conf, n.Node)), Cwd: req.Cwd,
			Input: opts.Input, Output: opts.Output, Error: opts.Error, Append: opts.OpenMode == "append",
			Pty: opts.Step.Pty, Rows: req.PtyRows, Cols: req.PtyCols, Label: opts.Step.Label, TotalTasks: int32(step.Tasks),
			CpusPerTask: int32(step.CPUsPerTask), Mem: int64(n.Mem), Gres: api.GresAllocsToProto(n.Gres),
			TaskProlog: opts.Step.TaskProlog, TaskEpilog: opts.Step.TaskEpilog, Stdin: req.Stdin, StdinTask: req.StdinTask,
			Unbuffered: opts.Step.Unbuffered, StepNodeIndex: int32(i), Cpus: int32(n.CPUs), CpuBind: bind, Distribution: opts.Distribution, Mpi: mpiOf(opts, conf), StepNodes: nodes, RankNodes: rankNodes, RankOffset: req.RankOffset,
			Container: opts.Container, Chdir: opts.Given["chdir"], Join: req.Join, JoinStep: req.JoinStep,
		}
		order.GresFiles, order.Here.GresFiles = s.deviceFiles(n.Node, n.Gres), s.deviceFiles(n.Node, j.Alloc[at].Gres)
		order.GpuBind, order.GpuFreq = sched.GPUBind(opts), cmp.Or(opts.GPUFreq, s.liveConf().GPUFreqDef)
		order.MemBind, order.X11, order.X11Cookie = opts.MemBind, opts.Step.X11, req.X11Cookie
		order.Here.Umask, order.Here.Rlimits = req.Umask, limits
		order.Here.Slice = sliceOf(conf, j.Partition, j.Spec.Isolation, opts.Isolation)
		for local, rank := range n.Ranks {
			argv, err := argvOf(rank)
			if err != nil {
				return nil, err
			}
			order.Tasks = append(order.Tasks, &rinkpb.TaskHere{Rank: int32(rank), Local: int32(local), Argv: argv})
		}
		orders[n.Node] = order
	}
	return orders, nil
}

// bindOn is how tasks are bound on a node when nobody says.
func (s *Server) bindOn(name sched.NodeName) (bind string) {
	s.barn.Read(func(t *state.State) {
		if n := t.Node(name); n != nil {
			bind = n.CPUBind
		}
	})
	return bind
}

// partitionBind is how tasks are bound in a partition when neither they nor their
// nodes say.
func (s *Server) partitionBind(name sched.PartitionName) (bind string) {
	s.barn.Read(func(t *state.State) {
		for _, p := range t.Partitions() {
			if p.Name == name {
				bind = p.CPUBind
			}
		}
	})
	return bind
}

// bindOf is how the tasks of a step are bound: as was asked for, as a hint has it, or
// as the nodes say, if they say the same, or the partition.
func bindOf(opts *slurm.JobOptions, nodes, partition string) string {
	asked := sched.CPUBind(opts)
	if asked == "" && (strings.Contains(opts.Hint, "compute_bound") || strings.Contains(opts.Hint, "memory_bound")) {
		asked = "cores"
	}
	switch bind := cmp.Or(nodes, partition); asked {
	case "quiet", "verbose":
		return strings.Trim(asked+","+bind, ",")
	case "":
		return bind
	}
	return asked
}

// mpiOf is how the tasks of a step are told of each other; "" is not at all.
func mpiOf(opts *slurm.JobOptions, conf *sched.Config) string {
	name := opts.Step.MPI
	if name == "" && conf.Conf != nil {
		name = strings.ToLower(conf.Conf.MpiDefault)
	}
	if name == "none" || name == "openmpi" {
		return ""
	}
	if strings.HasPrefix(name, "pmix_v") { // one server speaks all versions
		return "pmix"
	}
	return name
}

// stepGPUEnv names the GPUs that a step has on a node, in place of what its
// environment says of its job's.
func stepGPUEnv(env []string, gres []sched.GresAlloc) []string {
	out := slices.DeleteFunc(slices.Clone(env), func(kv string) bool {
		name := envName(kv)
		return name == "SLURM_GPUS_ON_NODE" || name == "SLURM_STEP_GPUS"
	})
	for _, kv := range gpuEnv(gres) {
		out = append(out, strings.Replace(kv, "SLURM_JOB_GPUS=", "SLURM_STEP_GPUS=", 1))
	}
	return out
}

// mergeStepEnv puts the step's variables over those srun was called with.
func mergeStepEnv(user, ours []string) []string {
	set := map[string]bool{}
	for _, kv := range ours {
		set[envName(kv)] = true
	}
	out := make([]string, 0, len(user)+len(ours))
	for _, kv := range user {
		if !set[envName(kv)] {
			out = append(out, kv)
		}
	}
	return append(out, ours...)
}

func envName(kv string) string {
	for i := range kv {
		if kv[i] == '=' {
			return kv[:i]
		}
	}
	return kv
}

func baseName(path string) string {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] == '/' {
			return path[i+1:]
		}
	}
	return path
}

// SignalStep signals a running step for its owner.
func (c *controller) SignalStep(ctx context.Context, req *rinkpb.SignalStepRequest) (*rinkpb.Done, error) {
	_, u, err := c.caller(ctx)
	if err != nil {
		return nil, err
	}
	var j *sched.Job
	c.s.barn.Read(func(t *state.State) { j = t.Job(slurm.JobID(req.Job)) })
	if j == nil || !c.s.superUser(u.UID) && j.UID != u.UID {
		return nil, status.Error(codes.NotFound, slurm.ErrnoInvalidJobID.Error())
	}
	for _, st := range j.Steps {
		if uint32(st.ID) == req.Step {
			c.s.signalStep(j, st, req.Signal, u.UID)
			return &rinkpb.Done{}, nil
		}
	}
	return nil, status.Error(codes.NotFound, slurm.ErrnoInvalidJobID.Error())
}

// StepIO carries a step's streams between srun and the agents of its nodes.
func (c *controller) StepIO(stream rinkpb.Controller_StepIOServer) error {
	id, u, err := c.caller(stream.Context())
	if err != nil {
		return err
	}
	check := func(a *rinkpb.StepAttach) error {
		var j *sched.Job
		c.s.barn.Read(func(t *state.State) { j = t.Job(slurm.JobID(a.Job)) })
		if j == nil || j.UID != u.UID && !c.s.superUser(u.UID) {
			return status.Error(codes.NotFound, slurm.ErrnoInvalidJobID.Error())
		}
		return nil
	}
	return relay.Serve(stream, check, func(ctx context.Context, node string) (rinkpb.Agent_StepIOClient, error) {
		conn, err := c.s.dialAgent(sched.NodeName(node))
		if err != nil {
			return nil, err
		}
		return rinkpb.NewAgentClient(conn).StepIO(auth.Outgoing(ctx, id))
	})
}

// dialAgent returns the connection to a node's agent, which is kept for the
// next call.
func (s *Server) dialAgent(name sched.NodeName) (*grpc.ClientConn, error) {
	var n *sched.Node
	s.barn.Read(func(t *state.State) { n = t.Node(name) })
	if n == nil {
		return nil, fmt.Errorf("node %s is not in the configuration", name)
	}
	return s.agents.dial(string(name), fmt.Sprintf("%s:%d", n.Addr, n.Port))
}

// stepDone gathers the ends of a step's tasks; the last node's report ends the
// step. A report that comes again changes nothing.
func (s *Server) stepDone(node sched.NodeName, d *rinkpb.StepDone) []state.Command {
	usage := api.UsageFromProto(d.Usage)
	return s.stepBook.done(s, node, d, onNode(usage, node))
}

// stepFailed is a step that one node could not start: its tasks there count as
// failed.
func (s *Server) stepFailed(node sched.NodeName, f *rinkpb.LaunchFailed) []state.Command {
	return s.stepBook.done(s, node, &rinkpb.StepDone{
		Job: f.Job, Restarts: f.Restarts, Step: f.Step, Error: f.Error,
		Tasks: []*rinkpb.TaskExit{{Rank: -1, Exit: &rinkpb.ExitCode{Code: 1}}},
	}, sched.Usage{})
}

// reconcileSteps compares the steps an agent holds of a job with those the
// state has on it: a step the agent does not know was lost with its order, and
// ends; what the agent reports later of it is ignored.
func (s *Server) reconcileSteps(sess *session, j *sched.Job, held *rinkpb.HeldJob) {
	for _, st := range j.Steps {
		if st.ID == slurm.StepBatch || !slices.ContainsFunc(st.Nodes, func(n sched.StepNode) bool { return n.Node == sess.node }) {
			continue
		}
		if held != nil && slices.Contains(held.Steps, uint32(st.ID)) {
			continue
		}
		if order := s.stepBook.order(j.ID, st.ID, sess.node); order != nil {
			sess.push(&rinkpb.Order{Order: &rinkpb.Order_Step{Step: order}})
			continue
		}
		s.wg.Go(func() { // one proposal; it ends with the barn at the latest
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			_, err := s.propose(ctx, state.EndStep{Job: j.ID, Restarts: j.Restarts, Step: st.ID, State: slurm.JobNodeFail, Exit: sched.ExitCode{Code: 1}})
			if err != nil && !errors.Is(err, context.Canceled) {
				s.log.Warn("cannot end a lost step", "job", j.ID, "step", st.ID, "error", err)
			}
		})
	}
}
