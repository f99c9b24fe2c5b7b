package ctld

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/auth"
	"github.com/runink/rink/barn"
	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/slurm"
)

// peerLines keeps a connection to each other controller this one has dialled.
type peerLines struct {
	self  *auth.Credentials
	mu    sync.Mutex // guards lines
	lines map[string]agentLine
}

func newPeerLines(self *auth.Credentials) *peerLines {
	return &peerLines{self: self, lines: map[string]agentLine{}}
}

// peerBackoff is how a lost controller is dialled again.
var peerBackoff = backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second}

// dial returns the connection to a controller, which must show the certificate
// of that name.
func (p *peerLines) dial(name, addr string) (*grpc.ClientConn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l, ok := p.lines[name]; ok {
		if l.addr == addr {
			return l.conn, nil
		}
		l.conn.Close()
		delete(p.lines, name)
	}
	conn, err := grpc.NewClient("passthrough:///"+addr, append(auth.DialOptions(p.self, auth.RoleController, name),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 2 * time.Second}),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: peerBackoff, MinConnectTimeout: 2 * time.Second}))...)
	if err != nil {
		return nil, err
	}
	p.lines[name] = agentLine{addr, conn}
	return conn, nil
}

// drop gives up a connection that does not answer: a network that was cut delivers
// what is on its way much later than a new line would.
func (p *peerLines) drop(name string, conn *grpc.ClientConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lines[name].conn == conn {
		delete(p.lines, name)
	}
	conn.Close()
}

func (p *peerLines) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.lines {
		l.conn.Close()
	}
	clear(p.lines)
}

// members serves the other controllers.
type members struct {
	rinkpb.UnimplementedMembersServer
	s *Server
}

// asking returns the controller that calls; nobody else is served.
func (p *members) asking(ctx context.Context) (auth.Identity, error) {
	who, ok := auth.PeerFrom(ctx)
	if !ok || who.Role != auth.RoleController {
		return who, status.Error(codes.PermissionDenied, "this is between controllers")
	}
	return who, nil
}

// Enter makes the calling controller one of the cluster's: it is sent the log,
// and has a vote once it has caught up.
func (p *members) Enter(ctx context.Context, req *rinkpb.EnterRequest) (*rinkpb.EnterReply, error) {
	who, err := p.asking(ctx)
	if err != nil {
		return nil, err
	}
	if who.Name != req.Name {
		return nil, status.Errorf(codes.PermissionDenied, "controller %s does not enter for %s", who.Name, req.Name)
	}
	s := p.s
	if !s.barn.IsLeader() {
		return nil, notLeading(s)
	}
	rank, address := s.rankOf(req.Name)
	members := s.barn.Servers()
	switch {
	case req.Last > 0 && !slices.ContainsFunc(members, func(m barn.Server) bool { return m.ID == req.Name }):
		return &rinkpb.EnterReply{Status: &rinkpb.Status{Errno: int32(slurm.ErrnoError), Text: "controller " + req.Name + " was taken out of the cluster"}, Removed: true}, nil
	case rank < 0:
		return &rinkpb.EnterReply{Status: &rinkpb.Status{Errno: int32(slurm.ErrnoError),
			Text: "controller " + req.Name + " is not in SlurmctldHost of the configuration in force: add it and run scontrol reconfigure"}}, nil
	case address != req.Address:
		return &rinkpb.EnterReply{Status: &rinkpb.Status{Errno: int32(slurm.ErrnoError),
			Text: "controller " + req.Name + " says it is at " + req.Address + ", but the configuration in force has it at " + address}}, nil
	}
	for _, m := range members {
		if m.ID != req.Name {
			continue
		}
		if m.Address == req.Address {
			return &rinkpb.EnterReply{Status: &rinkpb.Status{}}, nil
		}
		if m.Voter {
			if err := s.barn.AddVoter(ctx, req.Name, req.Address); err != nil {
				return nil, status.Error(codes.Unavailable, err.Error())
			}
			return &rinkpb.EnterReply{Status: &rinkpb.Status{}}, nil
		}
	}
	if err := s.barn.AddNonvoter(ctx, req.Name, req.Address); err != nil {
		return nil, status.Error(codes.Unavailable, err.Error())
	}
	s.log.Info("controller enters", "name", req.Name, "address", req.Address)
	return &rinkpb.EnterReply{Status: &rinkpb.Status{}}, nil
}

// Health tells how this controller stands.
func (p *members) Health(ctx context.Context, _ *rinkpb.HealthRequest) (*rinkpb.ControllerHealth, error) {
	if _, err := p.asking(ctx); err != nil {
		return nil, err
	}
	return p.s.standing(), nil
}

func (s *Server) standing() *rinkpb.ControllerHealth {
	st := s.barn.Standing()
	applied, _ := s.barn.Index()
	leader, _ := s.barn.Leader()
	return &rinkpb.ControllerHealth{
		Name: s.opt.Config.Name, Version: s.opt.Version, Term: st.Term, Leader: leader, Applied: applied, Last: st.Last, Commit: st.Commit,
		Contact: st.Contact.Milliseconds(), Booted: s.start.UnixNano(), Snapshot: st.Snapshot, Full: st.Full,
	}
}

// rankOf is a controller's place in SlurmctldHost and the address it is reached
// at, by the configuration in force; -1 when it is not there.
func (s *Server) rankOf(name string) (int, string) {
	conf := s.liveConf()
	for i, h := range conf.SlurmctldHost {
		if h.Name == name {
			return i, controllerAddress(conf, h)
		}
	}
	return -1, ""
}

// healthOf asks another controller how it stands.
func (s *Server) healthOf(ctx context.Context, name, addr string) (*rinkpb.ControllerHealth, error) {
	if name == s.opt.Config.Name {
		return s.standing(), nil
	}
	conn, err := s.peers.dial(name, addr)
	if err != nil {
		return nil, err
	}
	return rinkpb.NewMembersClient(conn).Health(ctx, &rinkpb.HealthRequest{})
}

// Halt ends this daemon, as an operator has said to another controller.
func (p *members) Halt(ctx context.Context, _ *rinkpb.HaltRequest) (*rinkpb.Done, error) {
	who, err := p.asking(ctx)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(p.s.barn.Servers(), func(m barn.Server) bool { return m.ID == who.Name }) {
		return nil, status.Errorf(codes.PermissionDenied, "%s is no controller of this cluster", who.Name)
	}
	if p.s.opt.Shutdown == nil {
		return nil, status.Error(codes.Unimplemented, "this controller cannot be shut down from afar")
	}
	p.s.log.Info("shut down by an operator", "through", who.Name)
	p.s.opt.Shutdown()
	return &rinkpb.Done{}, nil
}

// haltTime is how long the other controllers have to say that they shut down.
const haltTime = 1500 * time.Millisecond

// haltOthers has the other controllers shut down. One that does not answer is said
// in the log and left alone: it may be down already.
func (s *Server) haltOthers(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), haltTime)
	defer cancel()
	var wg sync.WaitGroup
	for _, m := range s.barn.Servers() {
		if m.ID == s.opt.Config.Name {
			continue
		}
		wg.Go(func() {
			conn, err := s.peers.dial(m.ID, m.Address)
			if err == nil {
				_, err = rinkpb.NewMembersClient(conn).Halt(ctx, &rinkpb.HaltRequest{})
			}
			if err != nil {
				s.log.Warn("a controller was not shut down", "controller", m.ID, "error", err)
			}
		})
	}
	wg.Wait()
}

// steward gives controllers that have entered their vote once they have caught
// up. It runs while this controller leads.
func (s *Server) steward(ctx context.Context) {
	const near = 512 // log entries behind, which a follower makes up in a moment
	wait := 100 * time.Millisecond
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		wait = time.Second
		for _, m := range s.barn.Servers() {
			if m.Voter {
				continue
			}
			wait = 50 * time.Millisecond
			try, cancel := context.WithTimeout(ctx, time.Second)
			h, err := s.healthOf(try, m.ID, m.Address)
			cancel()
			if err != nil || h.Last+near < s.barn.Standing().Last {
				continue
			}
			if err := s.barn.AddVoter(ctx, m.ID, m.Address); err != nil {
				s.log.Warn("cannot give a controller its vote", "name", m.ID, "error", err)
				wait = time.Second
				continue
			}
			s.log.Info("controller has caught up and votes", "name", m.ID)
		}
	}
}

// nameAt is the controller that is to be found at an address; "" when that is
// not known.
func (s *Server) nameAt(addr string) string {
	conf := s.conf
	if b := s.opened.Load(); b != nil {
		var live *slurm.Conf
		b.Read(func(t *state.State) {
			if c := t.Config(); c != nil {
				live = c.Conf
			}
		})
		if live != nil {
			conf = live
		}
	}
	for _, h := range conf.SlurmctldHost {
		if controllerAddress(conf, h) == addr {
			return h.Name
		}
	}
	return ""
}

// lineReady waits a moment until the connection to the leader is up, and no longer
// than it leads.
func lineReady(ctx context.Context, conn *grpc.ClientConn, changed <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	stop := make(chan struct{})
	defer close(stop)
	go func() { // ends with the function
		select {
		case <-changed:
			cancel()
		case <-stop:
		}
	}()
	for {
		state := conn.GetState()
		switch state {
		case connectivity.Ready:
			return nil
		case connectivity.Shutdown:
			return &notTaken{"this controller is stopping"}
		}
		conn.Connect()
		if !conn.WaitForStateChange(ctx, state) {
			return &notTaken{"the leader cannot be reached"}
		}
	}
}

// ended is how a stream ended; nil for well.
func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// streamError prefers what the other side said over a broken pipe.
func streamError(stream grpc.ClientStream, err error) error {
	if errors.Is(err, io.EOF) {
		return stream.RecvMsg(&rinkpb.Done{})
	}
	return err
}
