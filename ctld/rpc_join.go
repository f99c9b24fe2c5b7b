package ctld

import (
	"context"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/auth"
	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// joiner serves daemons that have no certificate yet, under the TLS protocol
// name "rink-join" alone.
type joiner struct {
	rinkpb.UnimplementedJoinServer
	s *Server
}

// Join exchanges a one-time token for a certificate. The token is consumed
// through the log before the certificate is made: it is good once, whichever
// controller is asked.
func (g *joiner) Join(ctx context.Context, req *rinkpb.JoinRequest) (*rinkpb.CertifyReply, error) {
	tok, err := auth.ParseToken(req.Token)
	if err != nil {
		return nil, status.Error(codes.Unauthenticated, err.Error())
	}
	if err := g.s.useToken(ctx, tok.Hash(), req.Role, req.Name); err != nil {
		return nil, err
	}
	return g.s.certify(req.Role, req.Name, req.Csr)
}

// useToken consumes a token, through the leader where that is another controller.
func (s *Server) useToken(ctx context.Context, hash, role, name string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		if s.barn.IsLeader() {
			results, err := s.propose(ctx, state.UseToken{Hash: hash, Role: role, Name: name})
			if err != nil {
				return unavailable(err)
			}
			if results[0].Err != nil {
				return status.Error(codes.Unauthenticated, results[0].Err.Error())
			}
			return nil
		}
		l, changed := s.leaders.leader()
		if l.name != "" && l.name != s.opt.Config.Name {
			conn, err := s.peers.dial(l.name, l.addr)
			if err != nil {
				return status.Error(codes.Unavailable, err.Error())
			}
			_, err = rinkpb.NewMembersClient(conn).UseToken(ctx, &rinkpb.UseTokenRequest{Hash: hash, Role: role, Name: name})
			return err
		}
		select {
		case <-ctx.Done():
			return notLeading(s)
		case <-changed:
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// UseToken consumes the token of a daemon that joins through another controller.
func (p *members) UseToken(ctx context.Context, req *rinkpb.UseTokenRequest) (*rinkpb.Done, error) {
	if _, err := p.asking(ctx); err != nil {
		return nil, err
	}
	if !p.s.barn.IsLeader() {
		return nil, notLeading(p.s)
	}
	if err := p.s.useToken(ctx, req.Hash, req.Role, req.Name); err != nil {
		return nil, err
	}
	return &rinkpb.Done{}, nil
}

// Certify gives a daemon of this host its certificate; the kernel vouches that
// it is run by root or by the cluster's own user. A daemon that has a
// certificate gets a new one for the same role and name.
func (c *controller) Certify(ctx context.Context, req *rinkpb.CertifyRequest) (*rinkpb.CertifyReply, error) {
	who, err := auth.Caller(ctx)
	if err != nil {
		return nil, err
	}
	if renews := who.IsDaemon(auth.RoleNode) && req.Role == string(auth.RoleNode) && req.Name == who.Name; !renews &&
		(!c.local || who.Kind != auth.LocalPeer || !c.s.superUser(who.UID)) {
		return nil, status.Error(codes.PermissionDenied, "only root or the cluster's own user on a controller's host gets a certificate without a token")
	}
	return c.s.certify(req.Role, req.Name, req.Csr)
}

// knows returns the refusal of a daemon that is not in the configuration in force.
func (s *Server) knows(role, name string) *rinkpb.CertifyReply {
	known, errno := false, slurm.ErrnoInvalidNodeName
	switch auth.Role(role) {
	case auth.RoleNode:
		s.barn.Read(func(t *state.State) { known = t.Node(sched.NodeName(name)) != nil })
	case auth.RoleController:
		rank, _ := s.rankOf(name)
		known, errno = rank >= 0, slurm.ErrnoError
	}
	if known {
		return nil
	}
	return &rinkpb.CertifyReply{Status: &rinkpb.Status{Errno: int32(errno), Text: role + " " + name + " is not in the configuration"}}
}

func (s *Server) certify(role, name string, csr []byte) (*rinkpb.CertifyReply, error) {
	if s.noConfig() {
		return nil, status.Error(codes.Unavailable, "there is no configuration yet")
	}
	if reply := s.knows(role, name); reply != nil {
		return reply, nil
	}
	cert, err := s.ca.Issue(csr, auth.Role(role), name, time.Now())
	if err != nil {
		return &rinkpb.CertifyReply{Status: refuse(err)}, nil
	}
	reply := &rinkpb.CertifyReply{Status: &rinkpb.Status{}, Cert: cert, Ca: s.ca.Certificate()}
	if auth.Role(role) == auth.RoleController {
		// Each controller may lead, so each holds the authority.
		if reply.Authority, err = s.ca.Marshal(); err != nil {
			return nil, status.Error(codes.Internal, err.Error())
		}
	}
	s.log.Info("certificate issued", "role", role, "name", name)
	return reply, nil
}

// maxTokenLife bounds how long a join token may be good for.
const maxTokenLife = 7 * 24 * time.Hour

// CreateToken makes a one-time token with which a daemon joins.
func (c *controller) CreateToken(ctx context.Context, req *rinkpb.CreateTokenRequest) (*rinkpb.CreateTokenReply, error) {
	_, u, err := c.caller(ctx)
	if err != nil {
		return nil, err
	}
	if !c.s.superUser(u.UID) {
		return &rinkpb.CreateTokenReply{Status: refuse(slurm.ErrnoAccessDenied)}, nil
	}
	life := time.Duration(req.Lifetime) * time.Second
	if life <= 0 || life > maxTokenLife {
		life = time.Hour
	}
	tok, err := auth.NewToken(c.s.ca.Certificate())
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	expires := time.Now().Add(life)
	results, err := c.s.barn.Propose(ctx, actor(u), state.AddToken{Hash: tok.Hash(), Role: req.Role, Name: req.Name, Expires: expires})
	if err != nil {
		return nil, unavailable(err)
	}
	if results[0].Err != nil {
		return &rinkpb.CreateTokenReply{Status: refuse(results[0].Err)}, nil
	}
	return &rinkpb.CreateTokenReply{Status: &rinkpb.Status{}, Token: tok.Text(), Expires: expires.UnixNano()}, nil
}
