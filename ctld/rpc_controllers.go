package ctld

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/barn"
	"github.com/runink/rink/slurm"
)

// answerLimit is how long a controller has to say how it stands.
const answerLimit = time.Second

// ListControllers tells of each controller whether it answers and how far it is.
func (c *controller) ListControllers(ctx context.Context, _ *rinkpb.ListControllersRequest) (*rinkpb.ControllersReply, error) {
	if _, _, err := c.caller(ctx); err != nil {
		return nil, err
	}
	return &rinkpb.ControllersReply{Cluster: c.s.conf.ClusterName, Controllers: c.s.controllerStates(ctx)}, nil
}

// controllerStates are the controllers of SlurmctldHost in its order, then those
// that are members without being there. All are asked at once.
func (s *Server) controllerStates(ctx context.Context) []*rinkpb.ControllerState {
	var list []*rinkpb.ControllerState
	for i, info := range s.configured() {
		list = append(list, &rinkpb.ControllerState{Name: info.Name, Address: info.Address, Rank: int32(i)})
	}
	leader, _ := s.barn.Leader()
	for _, m := range s.barn.Servers() {
		i := slices.IndexFunc(list, func(c *rinkpb.ControllerState) bool { return c.Name == m.ID })
		if i < 0 {
			i = len(list)
			list = append(list, &rinkpb.ControllerState{Name: m.ID, Rank: -1})
		}
		list[i].Member, list[i].Voter, list[i].Address, list[i].Leader = true, m.Voter, m.Address, m.ID == leader
	}
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	var wg sync.WaitGroup
	for _, one := range list {
		wg.Go(func() {
			h, err := s.healthOf(ctx, one.Name, one.Address)
			if err != nil {
				one.Error = status.Convert(err).Message()
				return
			}
			one.Up, one.Health = true, h
		})
	}
	wg.Wait()
	return list
}

// controllers are those of SlurmctldHost, as scontrol ping tells of them.
func (s *Server) controllers(ctx context.Context) []*rinkpb.ControllerInfo {
	var out []*rinkpb.ControllerInfo
	for _, h := range s.liveConf().SlurmctldHost {
		out = append(out, &rinkpb.ControllerInfo{Name: h.Name, Address: h.Addr})
	}
	leader, _ := s.barn.Leader()
	if len(out) == 1 && out[0].Name == s.opt.Config.Name {
		out[0].Up, out[0].Leader = leader != "", leader == out[0].Name
		return out
	}
	for _, st := range s.controllerStates(ctx) {
		for _, info := range out {
			if info.Name == st.Name {
				info.Up, info.Leader = st.Up, st.Leader
			}
		}
	}
	return out
}

// ChangeControllers takes a controller out of the cluster, or hands the lead over.
func (c *controller) ChangeControllers(ctx context.Context, req *rinkpb.ChangeControllersRequest) (*rinkpb.ChangeControllersReply, error) {
	_, u, err := c.caller(ctx)
	if err != nil {
		return nil, err
	}
	s := c.s
	if !s.superUser(u.UID) && !s.administers(u.UID) {
		return &rinkpb.ChangeControllersReply{Status: refuse(slurm.ErrnoAccessDenied)}, nil
	}
	refused := func(format string, args ...any) (*rinkpb.ChangeControllersReply, error) {
		return &rinkpb.ChangeControllersReply{Status: &rinkpb.Status{Errno: int32(slurm.ErrnoError), Text: fmt.Sprintf(format, args...)}}, nil
	}
	members, self := s.barn.Servers(), s.opt.Config.Name
	member := func(name string) int {
		return slices.IndexFunc(members, func(m barn.Server) bool { return m.ID == name })
	}
	switch {
	case req.Remove != "":
		i := member(req.Remove)
		if i < 0 {
			return refused("there is no controller %q", req.Remove)
		}
		if len(members) == 1 {
			return refused("%s is the only controller", req.Remove)
		}
		if req.Remove == self {
			return refused("%s leads: hand the lead over first (rink controller transfer)", self)
		}
		if err := s.keepsQuorum(ctx, members, req.Remove); err != nil {
			return refused("%v", err)
		}
		if err := s.barn.Remove(ctx, req.Remove); err != nil {
			return nil, status.Error(codes.Unavailable, err.Error())
		}
		s.log.Warn("controller taken out", "name", req.Remove, "by", u.Name)
	case req.Transfer:
		to := req.To
		if to == "" && req.Rank > 0 {
			hosts := s.liveConf().SlurmctldHost
			if int(req.Rank) >= len(hosts) {
				return refused("there is no backup controller %d", req.Rank)
			}
			to = hosts[req.Rank].Name
		}
		if to == self {
			break
		}
		if to != "" {
			if i := member(to); i < 0 || !members[i].Voter {
				return refused("%q is no controller with a vote", to)
			}
		} else if len(members) < 2 {
			return refused("%s is the only controller", self)
		}
		if err := s.barn.TransferLeadership(ctx, to); err != nil {
			return refused("the lead was not handed over: %v", err)
		}
		s.log.Info("lead handed over", "to", to, "by", u.Name)
		to, err := s.leaderAfter(ctx, self)
		if err != nil {
			return nil, err
		}
		return &rinkpb.ChangeControllersReply{Status: &rinkpb.Status{}, Leader: to}, nil
	default:
		return refused("nothing to do")
	}
	return &rinkpb.ChangeControllersReply{Status: &rinkpb.Status{}, Leader: self}, nil
}

// keepsQuorum refuses to take a controller out when those that would be left do
// not answer in sufficient number: nothing could be committed any more.
func (s *Server) keepsQuorum(ctx context.Context, members []barn.Server, without string) error {
	voters, up := 0, 0
	for _, m := range members {
		if !m.Voter || m.ID == without {
			continue
		}
		voters++
		try, cancel := context.WithTimeout(ctx, answerLimit)
		if _, err := s.healthOf(try, m.ID, m.Address); err == nil {
			up++
		}
		cancel()
	}
	if up <= voters/2 {
		return fmt.Errorf("of the %d controllers that would be left %d answer: nothing could be committed", voters, up)
	}
	return nil
}

// leaderAfter waits until another controller than old is known to lead.
func (s *Server) leaderAfter(ctx context.Context, old string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		l, changed := s.leaders.leader()
		if l.name != "" && l.name != old {
			return l.name, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return "", status.Error(codes.Unavailable, "the lead was given up, and nobody has taken it yet")
		}
	}
}
