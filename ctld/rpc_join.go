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
	results, err := g.s.propose(ctx, state.UseToken{Hash: tok.Hash(), Role: req.Role, Name: req.Name})
	if err != nil {
		return nil, unavailable(err)
	}
	if results[0].Err != nil {
		return nil, status.Error(codes.Unauthenticated, results[0].Err.Error())
	}
	return g.s.certify(req.Role, req.Name, req.Csr)
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

func (s *Server) certify(role, name string, csr []byte) (*rinkpb.CertifyReply, error) {
	if s.noConfig() {
		return nil, status.Error(codes.Unavailable, "there is no configuration yet")
	}
	known := false
	s.barn.Read(func(t *state.State) { known = role == "node" && t.Node(sched.NodeName(name)) != nil })
	if !known {
		return &rinkpb.CertifyReply{Status: &rinkpb.Status{
			Errno: int32(slurm.ErrnoInvalidNodeName), Text: role + " " + name + " is not in the configuration",
		}}, nil
	}
	cert, err := s.ca.Issue(csr, auth.RoleNode, name, time.Now())
	if err != nil {
		return &rinkpb.CertifyReply{Status: refuse(err)}, nil
	}
	s.log.Info("certificate issued", "role", role, "name", name)
	return &rinkpb.CertifyReply{Status: &rinkpb.Status{}, Cert: cert, Ca: s.ca.Certificate()}, nil
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
