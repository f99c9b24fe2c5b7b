package ctld

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// invalid is a refusal of a word the request is made of.
func invalid(err error) error { return status.Error(codes.InvalidArgument, err.Error()) }

// ModifyNode changes nodes by scontrol's KEY=VALUE words.
func (c *controller) ModifyNode(ctx context.Context, req *rinkpb.ModifyNodeRequest) (*rinkpb.Done, error) {
	_, u, err := c.caller(ctx)
	if err != nil {
		return nil, err
	}
	if !c.s.administers(u.UID) {
		return nil, invalid(slurm.ErrnoUserIDMissing)
	}
	up := state.UpdateNode{ReasonUser: u.Name}
	list, err := slurm.ParseHostList(req.Nodes)
	if err != nil {
		return nil, invalid(slurm.ErrnoInvalidNodeName)
	}
	change, word := nodeStateChange{}, ""
	c.s.barn.Read(func(t *state.State) {
		for _, name := range list.Hosts() {
			if strings.EqualFold(name, "ALL") {
				for _, n := range t.Nodes() {
					up.Nodes = append(up.Nodes, n.Name)
				}
				continue
			}
			if t.Node(sched.NodeName(name)) == nil {
				err = slurm.ErrnoInvalidNodeName
			}
			up.Nodes = append(up.Nodes, sched.NodeName(name))
		}
	})
	if err != nil {
		return nil, invalid(err)
	}
	for _, w := range req.Changes {
		value := w.Value
		switch strings.ToLower(w.Key) {
		case "state":
			if change, err = nodeStateOf(value); err != nil {
				return nil, invalid(err)
			}
			word = value
		case "reason":
			up.Reason = &value
		case "weight":
			n, err := strconv.ParseUint(value, 10, 32)
			if err != nil {
				return nil, invalid(fmt.Errorf("Invalid Weight value %q", value))
			}
			weight := uint32(n)
			up.Weight = &weight
		case "availablefeatures", "features":
			up.Available = featureList(value)
		case "activefeatures":
			up.Features = featureList(value)
		case "nodeaddr":
			up.Addr = &value
		case "nodehostname":
			up.Hostname = &value
		case "cpubind":
			bind, err := slurm.ParseNodeBind(value)
			if err != nil {
				return nil, invalid(fmt.Errorf("Invalid CpuBind %w", err))
			}
			up.CPUBind = &bind
		case "gres":
			if value == "" {
				continue
			}
			if err := c.sameGres(up.Nodes, value); err != nil {
				return nil, invalid(err)
			}
		case "comment":
			up.Comment = &value
		case "extra":
			up.Extra = &value
		default:
			return nil, invalid(fmt.Errorf("Invalid input: %s", w.Key))
		}
	}
	for _, one := range []*string{up.Addr, up.Hostname} {
		if one != nil && (*one == "" || len(up.Nodes) != 1) {
			return nil, invalid(slurm.ErrnoInvalidNodeName) // each node has its own
		}
	}
	if change.needs && (up.Reason == nil || *up.Reason == "") {
		return nil, invalid(fmt.Errorf("You must specify a reason when DOWNING or DRAINING a node. Request denied"))
	}
	cmds := []state.Command{up}
	if word == "" && up.Reason != nil {
		cmds = c.reasons(up)
	}
	var impossible error
	if word != "" {
		c.s.barn.Read(func(t *state.State) { cmds, impossible = nodeUpdates(t, up, change, word, time.Now()) })
	}
	if up.Features != nil && up.Available == nil {
		cmds = c.activated(cmds)
	}
	if len(cmds) > 0 {
		results, err := c.s.barn.Propose(ctx, actor(u), cmds...)
		if err != nil {
			return nil, unavailable(err)
		}
		for i, r := range results {
			if _, is := cmds[i].(state.UpdateNode); !is || r.Err == nil { // a lost node's jobs may have ended already
				continue
			}
			if errors.Is(r.Err, slurm.ErrnoActiveFeatureNotSubset) {
				return nil, invalid(slurm.ErrnoActiveFeatureNotSubset)
			}
			return nil, invalid(r.Err)
		}
	}
	if impossible != nil {
		return nil, invalid(impossible)
	}
	return &rinkpb.Done{}, nil
}

// activated parts changes of the active features of nodes by node: each keeps what it
// might have.
func (c *controller) activated(cmds []state.Command) (parted []state.Command) {
	c.s.barn.Read(func(t *state.State) {
		for _, cmd := range cmds {
			up, is := cmd.(state.UpdateNode)
			if !is {
				parted = append(parted, cmd)
				continue
			}
			for _, name := range up.Nodes {
				one := up
				one.Nodes, one.Available = []sched.NodeName{name}, &[]string{}
				if n := t.Node(name); n != nil {
					*one.Available = append(*one.Available, n.AllFeatures()...)
				}
				parted = append(parted, one)
			}
		}
	})
	return parted
}

func featureList(value string) *[]string {
	list := []string{}
	if value != "" {
		list = strings.Split(value, ",")
	}
	return &list
}

// ModifyPartition changes, creates or deletes a partition until the next
// reconfiguration.
func (c *controller) ModifyPartition(ctx context.Context, req *rinkpb.ModifyPartitionRequest) (*rinkpb.Done, error) {
	_, u, err := c.caller(ctx)
	if err != nil {
		return nil, err
	}
	if !c.s.administers(u.UID) {
		return nil, invalid(slurm.ErrnoUserIDMissing)
	}
	var p *sched.Partition
	var nodes []*sched.Node
	var accounts *sched.Accounts
	c.s.barn.Read(func(t *state.State) {
		p, nodes, accounts = t.Config().Partition(sched.PartitionName(req.Name)), t.Nodes(), t.Accounts()
	})
	switch {
	case p == nil && !req.Create:
		return nil, invalid(slurm.ErrnoInvalidPartition)
	case p != nil && req.Create:
		return nil, invalid(slurm.ErrnoInvalidPartition)
	}
	var next sched.Partition
	if p != nil {
		next = *p
	} else {
		next = sched.DefaultPartition(sched.PartitionName(req.Name))
		next.MinNodes = 1
	}
	for _, w := range req.Changes {
		if w.Key == "qos" && w.Value != "" && accounts != nil && accounts.QOS[w.Value] == nil {
			return nil, invalid(slurm.ErrnoInvalidQOS)
		}
		if err := sched.ChangePartition(&next, w.Key, w.Value, nodes); err != nil {
			return nil, invalid(err)
		}
	}
	results, err := c.s.barn.Propose(ctx, actor(u), state.UpdatePartition{Partition: next, Delete: req.Delete})
	if err != nil {
		return nil, unavailable(err)
	}
	if results[0].Err != nil {
		return nil, invalid(results[0].Err)
	}
	return &rinkpb.Done{}, nil
}

// Reconfigure reads the configuration files again and puts them in force on
// all controllers and nodes at once.
func (c *controller) Reconfigure(ctx context.Context, _ *rinkpb.ReconfigureRequest) (*rinkpb.Done, error) {
	_, u, err := c.caller(ctx)
	if err != nil {
		return nil, err
	}
	if !c.s.administers(u.UID) {
		return nil, invalid(slurm.ErrnoUserIDMissing)
	}
	if err := c.s.reload(ctx, actor(u)); err != nil {
		return nil, err
	}
	return &rinkpb.Done{}, nil
}

// reload reads the configuration files again and has them replace what is in
// force. A file that does not hold together changes nothing.
func (s *Server) reload(ctx context.Context, who state.Actor) error {
	fresh, err := ReadConfig(s.opt.Config.Path, s.host)
	if err != nil {
		return invalid(err)
	}
	results, err := s.barn.Propose(ctx, who, state.SetConfig{Files: fresh.Files})
	if err != nil {
		return unavailable(err)
	}
	if results[0].Err != nil {
		return invalid(results[0].Err)
	}
	return nil
}

// reloadWhenTold reloads at each signal, until ctx ends.
func (s *Server) reloadWhenTold(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.opt.Reload:
		}
		if err := s.reload(ctx, systemActor); err != nil {
			s.log.Error("the configuration stays as it was", "error", err)
		} else {
			s.log.Info("configuration read again")
		}
	}
}

// ownerUID is the user the controller runs as, who may do what root may.
func (c Config) ownerUID() uint32 { return uint32(os.Geteuid()) }
