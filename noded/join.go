package noded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/auth"
)

// findIdentity brings up the agent's certificate: the one in its spool, or a
// new one. On a controller's host the kernel vouches for the agent; elsewhere
// a one-time token does. It keeps trying while no controller answers.
func (a *Agent) findIdentity(ctx context.Context) error {
	dir := filepath.Join(a.conf.Spool, "identity")
	creds, err := auth.LoadCredentials(dir)
	switch {
	case err == nil && creds.Valid(time.Now()) == nil &&
		creds.Identity().Name == a.conf.Node && creds.Identity().Cluster == a.conf.Conf.ClusterName:
		a.self = creds
		return nil
	case err != nil && !errors.Is(err, os.ErrNotExist):
		return err
	}
	said := false
	for wait := 20 * time.Millisecond; ; wait = min(wait*2, 2*time.Second) {
		req, err := auth.NewRequest()
		if err != nil {
			return err
		}
		cert, ca, err := a.ask(ctx, req.CSR())
		if err == nil {
			if a.self, err = req.Accept(cert, ca, auth.RoleNode, a.conf.Node, time.Now()); err != nil {
				return err
			}
			return a.self.Save(dir)
		}
		var final *refusedError
		if errors.As(err, &final) || ctx.Err() != nil {
			return err
		}
		if !said && wait > time.Second {
			said = true
			a.log.Warn("no certificate yet", "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// refusedError is a controller's no, which asking again does not change.
type refusedError struct{ text string }

func (e *refusedError) Error() string { return "the cluster gives no certificate: " + e.text }

// ask gets a certificate from the controller on this host, or from any with a
// token.
func (a *Agent) ask(ctx context.Context, csr []byte) (cert, ca []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var sockets []string
	for _, pattern := range a.conf.Local {
		found, _ := filepath.Glob(pattern)
		sockets = append(sockets, found...)
	}
	for i, sock := range sockets {
		r, err := a.askLocal(ctx, sock, csr)
		if err == nil || i == len(sockets)-1 && a.conf.Token == "" {
			return answer(r, err)
		}
	}
	if a.conf.Token == "" {
		return nil, nil, fmt.Errorf("no controller answers on this host (%s), and there is no join token", a.conf.Local[0])
	}
	token, err := auth.ParseToken(a.conf.Token)
	if err != nil {
		return nil, nil, &refusedError{err.Error()}
	}
	for _, c := range a.conf.Controllers {
		var conn *grpc.ClientConn
		if conn, err = grpc.NewClient("passthrough:///"+c.addr, auth.JoinDialOptions(token)...); err != nil {
			continue
		}
		var r *rinkpb.CertifyReply
		r, err = rinkpb.NewJoinClient(conn).Join(ctx, &rinkpb.JoinRequest{Token: a.conf.Token, Role: string(auth.RoleNode), Name: a.conf.Node, Csr: csr})
		conn.Close()
		if status.Code(err) != codes.Unavailable {
			return answer(r, err)
		}
	}
	return nil, nil, err
}

// askLocal asks a controller on this host.
func (a *Agent) askLocal(ctx context.Context, sock string, csr []byte) (*rinkpb.CertifyReply, error) {
	conn, err := grpc.NewClient("unix:"+sock, auth.LocalDialOptions()...)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	return rinkpb.NewControllerClient(conn).Certify(ctx, &rinkpb.CertifyRequest{Role: string(auth.RoleNode), Name: a.conf.Node, Csr: csr})
}

func answer(r *rinkpb.CertifyReply, err error) (cert, ca []byte, _ error) {
	switch status.Code(err) {
	case codes.OK:
	case codes.Unauthenticated, codes.PermissionDenied, codes.InvalidArgument:
		return nil, nil, &refusedError{status.Convert(err).Message()}
	default:
		return nil, nil, err
	}
	if r.GetStatus().GetErrno() != 0 {
		return nil, nil, &refusedError{r.Status.Text}
	}
	return r.Cert, r.Ca, nil
}

// renew gets a new certificate for the old one, over a connection made with
// the old one.
func (a *Agent) renew(ctx context.Context, csr []byte) (cert, ca []byte, err error) {
	for _, c := range a.lines.controllers() {
		var conn *grpc.ClientConn
		if conn, err = a.lines.dial(c); err != nil {
			continue
		}
		var r *rinkpb.CertifyReply
		r, err = rinkpb.NewControllerClient(conn).Certify(ctx, &rinkpb.CertifyRequest{Role: string(auth.RoleNode), Name: a.conf.Node, Csr: csr})
		if err == nil {
			return answer(r, nil)
		}
	}
	return nil, nil, err
}
