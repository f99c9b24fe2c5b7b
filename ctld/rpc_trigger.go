package ctld

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/runink/rink/api"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// maxProgram bounds a trigger's program with its arguments, in bytes.
const maxProgram = 4096

// SetTrigger keeps a program to run when something happens. It runs as who asked,
// so that when the controller does not run as root, it keeps those of its own
// user alone.
func (c *controller) SetTrigger(ctx context.Context, req *rinkpb.SetTriggerRequest) (*rinkpb.TriggersReply, error) {
	_, u, err := c.caller(ctx)
	if err != nil {
		return nil, err
	}
	t := api.TriggerFromProto(req.Trigger)
	t.UID, t.User = u.UID, u.Name
	if err := c.checkTrigger(t); err != nil {
		return &rinkpb.TriggersReply{Status: refuse(err)}, nil
	}
	results, err := c.s.barn.Propose(ctx, actor(u), state.SetTrigger{Trigger: *t})
	if err != nil {
		return nil, unavailable(err)
	}
	if err := results[0].Err; err != nil {
		return &rinkpb.TriggersReply{Status: refuse(err)}, nil
	}
	t.ID = results[0].Number
	return &rinkpb.TriggersReply{Status: &rinkpb.Status{}, Triggers: []*rinkpb.Trigger{api.TriggerToProto(t)}}, nil
}

// triggerRules reports whether everybody may set triggers, and not only root, and
// whether nobody may.
func (c *controller) triggerRules() (all, off bool) {
	c.s.barn.Read(func(st *state.State) {
		if conf := st.Config(); conf != nil {
			_, all = conf.Conf.SlurmctldParameters.Get("allow_user_triggers")
			_, off = conf.Conf.SlurmctldParameters.Get("disable_triggers")
		}
	})
	return all, off
}

func (c *controller) checkTrigger(t *sched.Trigger) (err error) {
	program, _, _ := strings.Cut(t.Program, " ")
	all, off := c.triggerRules()
	switch {
	case off:
		return slurm.ErrnoDisabled
	case !c.s.superUser(t.UID) && !all, !c.s.runsAs(t.UID):
		return slurm.ErrnoAccessDenied
	case !filepath.IsAbs(program) || len(t.Program) > maxProgram || strings.ContainsRune(t.Program, 0):
		return slurm.ErrnoPathnameTooLong
	case !triggerKinds[t.On][t.Kind]:
		return fmt.Errorf("there is no event %q of %q: %w", t.Kind, t.On, slurm.ErrnoError)
	}
	c.s.barn.Read(func(st *state.State) {
		switch {
		case t.On == sched.TriggerOnJob:
			if j := st.Job(t.Job); j == nil || j.State.Ended() {
				err = slurm.ErrnoInvalidJobID
			}
		case t.On == sched.TriggerOnNode && t.Nodes != "":
			list, bad := slurm.ParseHostList(t.Nodes)
			if bad != nil {
				err = slurm.ErrnoInvalidNodeName
				return
			}
			for _, name := range list.Hosts() {
				if st.Node(sched.NodeName(name)) == nil {
					err = slurm.ErrnoInvalidNodeName
				}
			}
		}
	})
	return err
}

// ListTriggers lists all triggers.
func (c *controller) ListTriggers(ctx context.Context, _ *rinkpb.ListTriggersRequest) (*rinkpb.TriggersReply, error) {
	if _, _, err := c.caller(ctx); err != nil {
		return nil, err
	}
	reply := &rinkpb.TriggersReply{Status: &rinkpb.Status{}}
	c.s.barn.Read(func(st *state.State) {
		for _, t := range st.Triggers() {
			reply.Triggers = append(reply.Triggers, api.TriggerToProto(t))
		}
	})
	return reply, nil
}

// ClearTriggers forgets triggers: those that fit all that is said of them.
func (c *controller) ClearTriggers(ctx context.Context, req *rinkpb.ClearTriggersRequest) (*rinkpb.TriggersReply, error) {
	_, u, err := c.caller(ctx)
	if err != nil {
		return nil, err
	}
	if req.ByUser && req.Uid != u.UID && !c.s.operator(u.UID) {
		return &rinkpb.TriggersReply{Status: refuse(slurm.ErrnoAccessDenied)}, nil
	}
	var drop state.DropTriggers
	denied := false
	c.s.barn.Read(func(st *state.State) {
		for _, t := range st.Triggers() {
			switch {
			case req.Id != 0 && t.ID != req.Id, req.Job != 0 && (t.On != sched.TriggerOnJob || t.Job != slurm.JobID(req.Job)), req.ByUser && t.UID != req.Uid:
			case t.UID != u.UID && !c.s.operator(u.UID):
				denied = true
			default:
				drop.IDs = append(drop.IDs, t.ID)
			}
		}
	})
	switch {
	case len(drop.IDs) == 0 && denied:
		return &rinkpb.TriggersReply{Status: refuse(slurm.ErrnoAccessDenied)}, nil
	case len(drop.IDs) == 0:
		return &rinkpb.TriggersReply{Status: refuse(slurm.ErrnoNotThere)}, nil
	}
	if _, err := c.s.barn.Propose(ctx, actor(u), drop); err != nil {
		return nil, unavailable(err)
	}
	return &rinkpb.TriggersReply{Status: &rinkpb.Status{}}, nil
}
