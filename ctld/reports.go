package ctld

import (
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/runink/rink/api"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/gpu"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// reported turns one report of an agent into the changes it means. Reports may
// come twice; the commands they make are refused by Apply the second time.
func (s *Server) reported(sess *session, r *rinkpb.Report) []state.Command {
	switch m := r.Report.(type) {
	case *rinkpb.Report_Heartbeat:
		s.soft.beat(sess.node, m.Heartbeat)
	case *rinkpb.Report_Accepted:
		// The order is in the agent's spool; nothing changes.
	case *rinkpb.Report_Done:
		return s.batchDone(m.Done)
	case *rinkpb.Report_NodeDone:
		return s.nodeDone(sess.node, m.NodeDone)
	case *rinkpb.Report_StepDone:
		return s.stepDone(sess.node, m.StepDone)
	case *rinkpb.Report_Failed:
		return s.launchFailed(sess.node, m.Failed)
	case *rinkpb.Report_Health:
		return s.health(sess.node, m.Health)
	case *rinkpb.Report_Trouble:
		return s.trouble(sess.node, m.Trouble)
	case *rinkpb.Report_Devices:
		return devices(sess.node, m.Devices)
	case *rinkpb.Report_Cut:
		return s.cuts.noted(s, sess.node, m.Cut)
	case *rinkpb.Report_Usage:
		s.soft.used(sess.node, m.Usage)
	case *rinkpb.Report_Sampled:
		s.asking.answered(sess.node, m.Sampled)
	case *rinkpb.Report_PrologDone:
		return s.prologs.done(s, slurm.JobID(m.PrologDone.Job), m.PrologDone.Restarts, string(sess.node))
	case *rinkpb.Report_Result:
		if m.Result.GetStatus().GetErrno() != 0 {
			s.log.Warn("order failed on node", "node", sess.node, "order", m.Result.Order, "error", m.Result.Status.Text)
		}
	}
	return nil
}

// batchDone ends a job whose batch script ended. Should the job have been
// ended before, by scancel or its time limit, how the script ended comes with
// the report that the node is free of it.
func (s *Server) batchDone(d *rinkpb.JobDone) []state.Command {
	id := slurm.JobID(d.Job)
	exit := api.ExitCodeFromProto(d.Exit)
	st, reason := endState(exit, d.Oom)
	exit = memoryExit(exit, d.Oom)
	var cmds []state.Command
	var live bool
	var requeueExit, holdExit bool
	var notBefore time.Time
	s.barn.Read(func(t *state.State) {
		j := t.Job(id)
		live = j != nil && j.Restarts == d.Restarts && (j.State.Base() == slurm.JobRunning || j.State.Base() == slurm.JobSuspended)
		if conf := t.Config(); conf != nil && j != nil {
			requeueExit = conf.Conf.RequeueExit.Contains(uint32(exit.Code))
			holdExit = conf.Conf.RequeueExitHold.Contains(uint32(exit.Code))
			notBefore = time.Now().Add(sched.RequeueDelay(conf))
		}
	})
	if live {
		end := state.EndJob{Job: id, Restarts: d.Restarts, State: st, Reason: reason, Exit: exit, Text: d.Error}
		if exit.Code != 0 && exit.Signal == 0 && (requeueExit || holdExit) {
			end.Requeue, end.NotBefore = true, notBefore
			if holdExit {
				end.Hold, end.Special = sched.HeldByUser, true
			}
		}
		cmds = append(cmds, end)
	}
	return cmds
}

// endState is the state and reason of a job or step whose processes ended so.
func endState(exit sched.ExitCode, oom bool) (slurm.JobState, slurm.Reason) {
	switch {
	case oom:
		return slurm.JobOutOfMemory, slurm.ReasonOutOfMemory
	case exit.Signal != 0 && exit.Code == 0:
		// Slurm's word for a script that a signal ended.
		return slurm.JobFailed, slurm.ReasonJobLaunchFailure
	case exit.Code != 0:
		return slurm.JobFailed, slurm.ReasonNonZeroExitCode
	}
	return slurm.JobCompleted, slurm.ReasonNone
}

// sigOOM is what Slurm notes as the signal that ended what ran out of memory.
const sigOOM = 125

// exitNotStarted is what Slurm notes as the signal of a job that could not be set up: no process of it ran.
const exitNotStarted = 53

// memoryExit is an exit code as it is noted where memory ran out: that alone, as
// in Slurm, also of a script that went on without what was killed.
func memoryExit(e sched.ExitCode, oom bool) sched.ExitCode {
	if oom {
		return sched.ExitCode{Signal: sigOOM}
	}
	return e
}

func (s *Server) nodeDone(node sched.NodeName, d *rinkpb.NodeDone) []state.Command {
	free := state.ReleaseNodes{
		Job: slurm.JobID(d.Job), Restarts: d.Restarts, Nodes: []sched.NodeName{node},
		Batch: d.Batch, Exit: memoryExit(api.ExitCodeFromProto(d.Exit), d.Oom), Usage: api.UsageFromProto(d.Usage),
	}
	if d.Extern != nil {
		free.Extern = onNode(api.UsageFromProto(d.Extern), node)
	}
	cmds := []state.Command{free}

	if d.Error != "" {
		drain := slurm.NodeDrain
		text := d.Error
		cmds = append(cmds, state.UpdateNode{Nodes: []sched.NodeName{node}, Set: drain, Reason: &text, ReasonUser: "root"})
	}
	return cmds
}

// trouble drains a node that asks for it, unless it is drained already, for a reason
// that somebody gave.
func (s *Server) trouble(node sched.NodeName, m *rinkpb.NodeTrouble) []state.Command {
	drained := false
	s.barn.Read(func(t *state.State) {
		n := t.Node(node)
		drained = n == nil || n.State.Has(slurm.NodeDrain)
	})
	if drained {
		return nil
	}
	return []state.Command{state.UpdateNode{Nodes: []sched.NodeName{node}, Set: slurm.NodeDrain, Reason: &m.Reason, ReasonUser: "root"}}
}

// launchFailed ends or requeues what could not be started as asked, with the
// reason, and drains the node when the fault is the node's.
func (s *Server) launchFailed(node sched.NodeName, f *rinkpb.LaunchFailed) []state.Command {
	var cmds []state.Command
	id := slurm.JobID(f.Job)
	text := f.Stage + ": " + f.Error
	s.log.Warn("launch failed", "node", node, "job", f.Job, "stage", f.Stage, "error", f.Error)
	if f.Stage == "prolog" {
		return s.prologFailed(node, f)
	}
	if f.IsStep {
		return append(cmds, s.stepFailed(node, f)...)
	}
	end := state.EndJob{Job: id, Restarts: f.Restarts, State: slurm.JobFailed, Reason: slurm.ReasonJobLaunchFailure, Exit: sched.ExitCode{Signal: exitNotStarted}, Text: text}
	if f.Requeue {
		end.Requeue, end.State, end.Exit = true, slurm.JobNodeFail, sched.ExitCode{}
		s.barn.Read(func(t *state.State) { end.NotBefore = time.Now().Add(sched.RequeueDelay(t.Config())) })
		if f.Drain {
			end.Hold = sched.HeldByNobody
		}
	}
	cmds = append(cmds, end)
	if f.Drain {
		cmds = append(cmds, state.UpdateNode{Nodes: []sched.NodeName{node}, Set: slurm.NodeDrain, Reason: &text, ReasonUser: "root"})
	}
	return cmds
}

// devices records what an agent says of its devices.
func devices(node sched.NodeName, d *rinkpb.SetDevices) []state.Command {
	c := state.SetDevices{Node: node}
	for _, f := range d.Sick {
		c.Sick = append(c.Sick, sched.SickFile{File: f.File, Why: f.Why, Missing: f.Missing})
	}
	return []state.Command{c}
}

// welcome takes a node into the cluster: what it found is committed, what it
// holds is compared with what it should, and it is told the difference.
//
// A job the state has on the node and the agent does not know is one of two
// things. If the agent's spool is the one it had when the job started, the
// order never arrived, and is sent again. If it is a new spool, whatever ran
// there is lost, and the job ends as a victim of its node.
func (s *Server) welcome(ctx context.Context, sess *session, hello *rinkpb.Hello) error {
	reg, err := foundOn(hello.Found)
	if err != nil {
		return status.Errorf(codes.InvalidArgument, "the hello of node %s makes no sense: %v", sess.node, err)
	}
	var known, lost bool
	var cmds []state.Command
	s.barn.Read(func(t *state.State) {
		n := t.Node(sess.node)
		if n == nil {
			return
		}
		known = true
		// What waits for a node to come up has nothing there to lose.
		lost = n.Registered && n.SpoolID != "" && n.SpoolID != reg.SpoolID && !n.Asleep()
		reg.Up, reg.Reason = true, ""
		if conf := t.Config().Conf; !conf.SlurmdParameters.Has("config_overrides") {
			reg.Up, reg.Reason = fitFor(n, reg)
		}
	})
	if !known {
		return status.Errorf(codes.NotFound, "node %s is not in the configuration", sess.node)
	}
	if lost {
		s.barn.Read(func(t *state.State) { cmds = append(cmds, nodeLost(t, sess.node, time.Now())...) })
	}
	cmds = append(cmds, reg)
	if _, err := s.propose(ctx, cmds...); err != nil {
		return status.Errorf(codes.Unavailable, "cannot commit the registration: %v", err)
	}
	held := make(map[slurm.JobID]*rinkpb.HeldJob, len(hello.Jobs))
	for _, h := range hello.Jobs {
		held[slurm.JobID(h.Job)] = h
	}
	var drop []*rinkpb.HeldJob
	var again []*sched.Job
	var gone []state.Command
	s.barn.Read(func(t *state.State) {
		for _, h := range hello.Jobs {
			j := t.Job(slurm.JobID(h.Job))
			if j == nil || j.Restarts != h.Restarts || !holds(j, sess.node) {
				drop = append(drop, h)
			}
		}
		for _, id := range t.Node(sess.node).Running {
			j := t.Job(id)
			if j == nil {
				continue
			}
			h := held[id]
			if h != nil && h.Restarts != j.Restarts {
				h = nil
			}
			switch {
			case h == nil && j.State.Has(slurm.JobCompleting):
				gone = append(gone, state.ReleaseNodes{Job: j.ID, Restarts: j.Restarts, Nodes: []sched.NodeName{sess.node}})
			default:
				again = append(again, j)
			}
		}
	})
	if _, err := s.propose(ctx, gone...); err != nil {
		return status.Errorf(codes.Unavailable, "cannot commit what is gone: %v", err)
	}
	sess.push(&rinkpb.Order{Order: &rinkpb.Order_Welcome{Welcome: &rinkpb.Welcome{
		Config: s.configFiles(), Drop: drop, Cluster: s.conf.ClusterName, Heartbeat: int64(s.heartbeat() / time.Second),
		Silence: s.silence().Milliseconds(),
	}}})
	for _, j := range again {
		if j.State.Has(slurm.JobCompleting) {
			sess.push(s.endOrder(j))
			continue
		}
		s.prepareOn(sess, j)
		if held[j.ID] == nil && j.Batch && (!j.State.Has(slurm.JobConfiguring) || !j.State.Has(slurm.JobPowerUpNode) && s.launchesEarly()) && j.Alloc[0].Node == sess.node {
			if order := s.launchOrder(j); order != nil {
				sess.push(order)
			}
		}
		s.reconcileSteps(sess, j, held[j.ID])
		if j.IsSuspended() {
			sess.push(&rinkpb.Order{Order: &rinkpb.Order_Suspend{Suspend: &rinkpb.SuspendJob{Job: uint32(j.ID), Restarts: j.Restarts}}})
		}
	}
	s.cuts.again(sess)
	s.log.Info("node joined", "node", sess.node, "jobs", len(hello.Jobs), "dropped", len(drop))
	return nil
}

// holds reports whether the job still has something on the node.
func holds(j *sched.Job, node sched.NodeName) bool {
	if j.State.Has(slurm.JobCompleting) {
		return slices.Contains(j.Completing, node)
	}
	return j.State.Base() == slurm.JobRunning && slices.Contains(j.Nodes(), node) ||
		j.State.Base() == slurm.JobSuspended && slices.Contains(j.Nodes(), node)
}

// fitFor compares what an agent found with what the configuration claims.
func fitFor(n *sched.Node, found state.RegisterNode) (bool, string) {
	switch {
	case found.CPUs < n.CPUs:
		return false, fmt.Sprintf("Low CPUs (%d < %d)", found.CPUs, n.CPUs)
	case found.Memory < n.Memory:
		return false, fmt.Sprintf("Low RealMemory (reported:%d < 100.00%% of configured:%d)", found.Memory, n.Memory)
	case found.TmpDisk < n.TmpDisk:
		return false, fmt.Sprintf("Low TmpDisk (%d < %d)", found.TmpDisk, n.TmpDisk)
	}
	if short := n.DeviceShortage(found.Gres); short != "" {
		return false, short
	}
	return true, ""
}

// foundOn reads what an agent found its machine to be.
func foundOn(p *rinkpb.RegisterNode) (state.RegisterNode, error) {
	r := state.RegisterNode{
		Node: sched.NodeName(p.Node), Arch: p.Arch, OS: p.Os, Version: p.Version, BootTime: api.TimeFromProto(p.BootTime),
		AgentStart: api.TimeFromProto(p.AgentStart), SpoolID: p.SpoolId, CPUs: int(p.Cpus), Boards: int(p.Boards), Sockets: int(p.Sockets),
		Cores: int(p.Cores), Threads: int(p.Threads), Memory: slurm.MB(p.Memory), TmpDisk: slurm.MB(p.TmpDisk),
	}
	for _, g := range p.Gres {
		one, err := api.NodeGresFromProto(g)
		if err != nil {
			return r, err
		}
		r.Gres = append(r.Gres, one)
	}
	r.Shapes, r.Cuts, r.Fabric = api.ShapesFromProto(p.Shapes), api.CutsFromProto(p.Cuts), p.Fabric
	if most := max(len(r.Shapes), len(r.Cuts)); most > maxGPUs {
		return r, fmt.Errorf("%d GPUs", most)
	}
	for _, s := range r.Shapes {
		if len(s.Profiles) > maxProfiles || slices.ContainsFunc(s.Profiles, func(p gpu.Profile) bool { return len(p.Spans) > maxSpans }) {
			return r, fmt.Errorf("GPU %s can be cut in too many ways", s.File)
		}
	}
	return r, nil
}
