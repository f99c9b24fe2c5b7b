package ctld

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/auth"
	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// maxNotice bounds a word left for a job's owner, in bytes.
const maxNotice = 4096

// Control does to the daemons what an operator asks, and leaves a word for a job's
// owner.
func (c *controller) Control(ctx context.Context, req *rinkpb.ControlRequest) (*rinkpb.ControlReply, error) {
	_, u, err := c.caller(ctx)
	if err != nil {
		return nil, err
	}
	switch {
	case req.What == rinkpb.ControlRequest_NOTIFY:
		err = c.notifyJob(req, u)
	case !c.s.administers(u.UID) && req.What == rinkpb.ControlRequest_SHUTDOWN:
		err = slurm.ErrnoUserIDMissing
	case !c.s.administers(u.UID):
		return nil, invalid(errors.New("Permission denied")) // the kernel's words, as in Slurm
	default:
		err = c.control(ctx, req)
	}
	return &rinkpb.ControlReply{Status: refuse(err)}, nil
}

func (c *controller) control(ctx context.Context, req *rinkpb.ControlRequest) error {
	nodes, err := c.agentsOf(req.Nodes)
	if err != nil {
		return err
	}
	switch req.What {
	case rinkpb.ControlRequest_SETDEBUG:
		if !slurm.ValidLogLevel(req.Level) {
			return slurm.ErrnoError
		}
		if req.Nodes != "" {
			c.tell(nodes, func() *rinkpb.Order {
				return &rinkpb.Order{Order: &rinkpb.Order_SetLevel{SetLevel: &rinkpb.SetLevel{Level: req.Level}}}
			})
			return nil
		}
		if c.s.opt.Level == nil {
			return slurm.ErrnoNotSupported
		}
		c.s.opt.Level.Set(slog.Level(slurm.LogLevel(req.Level)))
		c.s.log.Info("the level of the log was set", "level", req.Level)
	case rinkpb.ControlRequest_DEBUGFLAGS:
		// Logs are by level: any category that is switched on is a level with all of it.
		on := false
		for _, f := range req.Flags {
			if !slurm.ValidDebugFlag(strings.TrimLeft(f, "+-")) {
				return slurm.ErrnoError
			}
			on = on || !strings.HasPrefix(f, "-")
		}
		level := c.s.liveConf().SlurmctldDebug
		if req.Nodes != "" {
			level = c.s.liveConf().SlurmdDebug
		}
		if on {
			level = "debug"
		}
		return c.control(ctx, &rinkpb.ControlRequest{What: rinkpb.ControlRequest_SETDEBUG, Level: level, Nodes: req.Nodes})
	case rinkpb.ControlRequest_SHUTDOWN:
		if c.s.opt.Shutdown == nil {
			return slurm.ErrnoNotSupported
		}
		if req.All {
			all, err := c.agentsOf("ALL")
			if err != nil {
				return err
			}
			c.tell(all, func() *rinkpb.Order {
				return &rinkpb.Order{Order: &rinkpb.Order_ShutDown{ShutDown: &rinkpb.ShutDown{}}}
			})
		}
		c.s.log.Info("shut down by an operator", "agents too", req.All)
		c.s.haltOthers(ctx)
		c.s.opt.Shutdown()
	default:
		return slurm.ErrnoNotSupported
	}
	return nil
}

// agentsOf are the nodes of a host list; ALL are all of them.
func (c *controller) agentsOf(list string) ([]sched.NodeName, error) {
	if list == "" {
		return nil, nil
	}
	hosts, err := slurm.ParseHostList(list)
	if err != nil {
		return nil, slurm.ErrnoInvalidNodeName
	}
	var out []sched.NodeName
	c.s.barn.Read(func(t *state.State) {
		for _, name := range hosts.Hosts() {
			switch {
			case strings.EqualFold(name, "ALL"):
				for _, n := range t.Nodes() {
					out = append(out, n.Name)
				}
			case t.Node(sched.NodeName(name)) == nil:
				err = slurm.ErrnoInvalidNodeName
			default:
				out = append(out, sched.NodeName(name))
			}
		}
	})
	return out, err
}

func (c *controller) tell(nodes []sched.NodeName, order func() *rinkpb.Order) {
	for _, n := range nodes {
		c.s.sessions.send(n, order())
	}
}

// notifyJob leaves a line in the error file of a job's batch script.
func (c *controller) notifyJob(req *rinkpb.ControlRequest, u auth.User) (err error) {
	var to []*sched.Job
	c.s.barn.Read(func(t *state.State) {
		list, bad := find(t, req.Job)
		if err = bad; bad != nil {
			return
		}
		for _, tg := range list {
			if !c.s.mayTouch(u, tg.job) {
				err = slurm.ErrnoUserIDMissing
				return
			}
			if tg.job.State.Base() == slurm.JobRunning && tg.job.Batch && len(tg.job.Alloc) > 0 {
				to = append(to, tg.job)
			}
		}
	})
	if err != nil {
		return err
	}
	if len(to) == 0 {
		return slurm.ErrnoDisabled
	}
	text := strings.ToValidUTF8(req.Text, "?")
	text = strings.ReplaceAll(text[:min(len(text), maxNotice)], "\n", " ")
	for _, j := range to {
		c.s.sessions.send(j.Alloc[0].Node, &rinkpb.Order{Order: &rinkpb.Order_Notify{Notify: &rinkpb.NotifyJob{Job: uint32(j.ID), Restarts: j.Restarts, Text: text}}})
	}
	return nil
}
