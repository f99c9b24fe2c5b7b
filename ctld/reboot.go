package ctld

import (
	"context"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// RebootNodes has nodes reboot once nothing runs on them. With asap nothing new
// starts there until then.
func (c *controller) RebootNodes(ctx context.Context, req *rinkpb.RebootNodesRequest) (*rinkpb.Done, error) {
	_, u, err := c.caller(ctx)
	if err != nil {
		return nil, err
	}
	if !c.s.administers(u.UID) {
		return nil, invalid(slurm.ErrnoAccessDenied)
	}
	list, err := slurm.ParseHostList(req.Nodes)
	if err != nil {
		return nil, invalid(slurm.ErrnoInvalidNodeName)
	}
	next := slurm.NodeState(0)
	switch strings.ToUpper(req.NextState) {
	case "":
		if req.Asap {
			next = slurm.NodeResume
		}
	case "RESUME":
		next = slurm.NodeResume
	case "DOWN":
		next = slurm.NodeDown
	default:
		return nil, invalid(slurm.ErrnoInvalidNodeState)
	}
	var cmds []state.Command
	c.s.barn.Read(func(t *state.State) {
		if t.Config() == nil {
			err = status.Error(codes.Unavailable, "there is no configuration yet")
			return
		}
		var names []sched.NodeName
		for _, name := range list.Hosts() {
			if strings.EqualFold(name, "ALL") {
				for _, n := range t.Nodes() {
					names = append(names, n.Name)
				}
				continue
			}
			if t.Node(sched.NodeName(name)) == nil {
				err = invalid(slurm.ErrnoInvalidNodeName)
				return
			}
			names = append(names, sched.NodeName(name))
		}
		for _, name := range names {
			n := t.Node(name)
			if n.State.Base() == slurm.NodeFuture || n.Quiet() || n.State&(slurm.NodeRebootRequested|slurm.NodeRebootIssued) != 0 {
				continue // it is asked for already, or there is nothing to reboot
			}
			up := state.UpdateNode{Nodes: []sched.NodeName{name}, Set: slurm.NodeRebootRequested, NextState: &next, ReasonUser: u.Name}
			reason := req.Reason
			if reason == "" && req.Asap {
				reason = "Reboot ASAP"
			}
			if reason == "" && n.Reason == "" {
				reason = "reboot requested"
			}
			if reason != "" {
				up.Reason = &reason
			}
			if req.Asap {
				up.Set |= slurm.NodeDrain
			}
			cmds = append(cmds, up)
		}
	})
	if err != nil {
		return nil, err
	}
	if len(cmds) > 0 {
		results, err := c.s.barn.Propose(ctx, actor(u), cmds...)
		if err != nil {
			return nil, unavailable(err)
		}
		if results[0].Err != nil {
			return nil, invalid(results[0].Err)
		}
	}
	return &rinkpb.Done{}, nil
}

// rebootWork is the leader's look at reboots: nodes that have become free are told
// to, and those that did not come back in time are DOWN.
func (s *Server) rebootWork(ctx context.Context, now time.Time) {
	var due, lost []sched.NodeName
	s.barn.Read(func(t *state.State) {
		conf := t.Config()
		if conf == nil || conf.Conf == nil {
			return
		}
		limit := seconds(conf.Conf.ResumeTimeout)
		for _, n := range t.Nodes() {
			switch {
			case n.State.Has(slurm.NodeRebootIssued):
				if limit > 0 && now.Sub(n.PowerAt) > limit {
					lost = append(lost, n.Name)
				}
			case n.State.Has(slurm.NodeRebootRequested) && len(n.Running) == 0 && s.sessions.connected(n.Name):
				due = append(due, n.Name)
			}
		}
	})
	var cmds []state.Command
	if len(due) > 0 {
		cmds = append(cmds, state.PowerNodes{Nodes: due, Step: state.PowerReboot})
	}
	if len(lost) > 0 {
		cmds = append(cmds, state.PowerNodes{Nodes: lost, Step: state.PowerNoReboot, Reason: "reboot timed out"})
	}
	if len(cmds) == 0 {
		return
	}
	if _, err := s.propose(ctx, cmds...); err != nil {
		if ctx.Err() == nil {
			s.log.Warn("cannot commit a reboot", "error", err)
		}
		return
	}
	for _, name := range due {
		told := false
		s.barn.Read(func(t *state.State) { n := t.Node(name); told = n != nil && n.State.Has(slurm.NodeRebootIssued) })
		if told { // a job may have been faster
			s.log.Info("tells a node to reboot", "node", name)
			s.sessions.send(name, rebootOrder())
		}
	}
}

func rebootOrder() *rinkpb.Order {
	return &rinkpb.Order{Order: &rinkpb.Order_Reboot{Reboot: &rinkpb.Reboot{}}}
}
