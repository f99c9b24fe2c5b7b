package ctld

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/auth"
	"github.com/runink/rink/barn"
)

// joinedFile in StateSaveLocation says that this controller came to a cluster
// that there was: it never begins one.
const joinedFile = "joined"

// joinPatience is how long a controller that has no part in the cluster yet
// looks for one that takes it in.
const joinPatience = 30 * time.Second

// Join gets a controller its certificate and the cluster's authority with a
// one-time token, and keeps both in its StateSaveLocation. From then on it can be
// started.
func Join(ctx context.Context, opt Options) error {
	s := newServer(opt)
	dir := opt.Config.StateDir
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("cannot make StateSaveLocation: %w", err)
	}
	lock, err := lockDir(dir)
	if err != nil {
		return err
	}
	defer lock.Close()
	if _, err := auth.LoadAuthority(filepath.Join(dir, "ca")); err == nil {
		return fmt.Errorf("this controller has a part in cluster %s already (%s)", s.conf.ClusterName, dir)
	} else if !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return s.joinCluster(ctx, dir)
}

// joinCluster asks the controllers there are for a certificate and the cluster's
// authority: over the Unix socket of one on this host, where the kernel vouches,
// or with a one-time token. It asks again for some time while none answers.
func (s *Server) joinCluster(ctx context.Context, dir string) error {
	ctx, cancel := context.WithTimeout(ctx, joinPatience)
	defer cancel()
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		req, err := auth.NewRequest()
		if err != nil {
			return err
		}
		reply, err := s.askToJoin(ctx, req.CSR())
		var final *refusedError
		switch {
		case err == nil:
			return s.keepJoined(dir, req, reply)
		case errors.As(err, &final):
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("controller %s has no part in cluster %s yet, and none of its controllers takes it in (%w): run `rink token --controller %s` "+
				"where the cluster is, and here `rinkctld join TOKEN`", s.opt.Config.Name, s.conf.ClusterName, err, s.opt.Config.Name)
		case <-time.After(wait):
		}
	}
}

// refusedError is a controller's no, which asking again does not change.
type refusedError struct{ text string }

func (e *refusedError) Error() string {
	return "the cluster does not take this controller in: " + e.text
}

// keepJoined keeps what a join gave. The authority comes last: without it the
// next start joins again.
func (s *Server) keepJoined(dir string, req *auth.Request, reply *rinkpb.CertifyReply) error {
	name, now := s.opt.Config.Name, time.Now()
	ca, err := auth.ParseAuthority(reply.Authority)
	if err != nil {
		return fmt.Errorf("cannot use the cluster's authority as it was sent: %w", err)
	}
	self, err := req.Accept(reply.Cert, reply.Ca, auth.RoleController, name, now)
	if err != nil {
		return err
	}
	if self.Identity().Cluster != s.conf.ClusterName || ca.Cluster() != s.conf.ClusterName {
		return fmt.Errorf("the controllers of SlurmctldHost are cluster %s's, not %s's", ca.Cluster(), s.conf.ClusterName)
	}
	if err := os.WriteFile(filepath.Join(dir, joinedFile), []byte(now.UTC().Format(time.RFC3339)+"\n"), 0o600); err != nil {
		return fmt.Errorf("cannot keep that this controller joined: %w", err)
	}
	if err := self.Save(filepath.Join(dir, "identity")); err != nil {
		return err
	}
	return ca.Save(filepath.Join(dir, "ca"))
}

// askToJoin asks once whoever may answer.
func (s *Server) askToJoin(ctx context.Context, csr []byte) (*rinkpb.CertifyReply, error) {
	role, name := string(auth.RoleController), s.opt.Config.Name
	last := errors.New("no controller answers on this host, and there is no join token")
	for _, sock := range s.otherSockets() {
		reply, err := func() (*rinkpb.CertifyReply, error) {
			conn, err := grpc.NewClient("unix:"+sock, auth.LocalDialOptions()...)
			if err != nil {
				return nil, err
			}
			defer conn.Close()
			try, cancel := context.WithTimeout(ctx, 5*time.Second)
			defer cancel()
			return rinkpb.NewControllerClient(conn).Certify(try, &rinkpb.CertifyRequest{Role: role, Name: name, Csr: csr})
		}()
		if reply, err := certified(reply, err); err == nil {
			return reply, nil
		} else {
			last = err
		}
	}
	if s.opt.Config.Token == "" {
		return nil, last
	}
	token, err := auth.ParseToken(s.opt.Config.Token)
	if err != nil {
		return nil, &refusedError{err.Error()}
	}
	for _, h := range s.conf.SlurmctldHost {
		if h.Name == name {
			continue
		}
		conn, err := grpc.NewClient("passthrough:///"+controllerAddress(s.conf, h), auth.JoinDialOptions(token)...)
		if err != nil {
			last = err
			continue
		}
		try, cancel := context.WithTimeout(ctx, 10*time.Second)
		reply, err := rinkpb.NewJoinClient(conn).Join(try, &rinkpb.JoinRequest{Token: s.opt.Config.Token, Role: role, Name: name, Csr: csr})
		cancel()
		conn.Close()
		if status.Code(err) == codes.Unavailable || status.Code(err) == codes.DeadlineExceeded {
			last = err
			continue
		}
		return certified(reply, err)
	}
	return nil, last
}

func certified(r *rinkpb.CertifyReply, err error) (*rinkpb.CertifyReply, error) {
	switch status.Code(err) {
	case codes.OK:
	case codes.Unauthenticated, codes.PermissionDenied, codes.InvalidArgument:
		return nil, &refusedError{status.Convert(err).Message()}
	default:
		return nil, err
	}
	if r.GetStatus().GetErrno() != 0 {
		return nil, &refusedError{r.Status.Text}
	}
	if len(r.Authority) == 0 {
		return nil, errors.New("the controller that answered has no authority to give")
	}
	return r, nil
}

// otherSockets are the sockets of other controllers on this host.
func (s *Server) otherSockets() []string {
	var out []string
	for _, pattern := range s.opt.Config.Others {
		found, _ := filepath.Glob(pattern)
		for _, sock := range found {
			if sock != s.opt.Config.Socket && !slices.Contains(out, sock) {
				out = append(out, sock)
			}
		}
	}
	return out
}

// clusterAnswers reports whether another controller of SlurmctldHost serves a
// cluster of this name, so that the first one, on a new disk, does not found it
// a second time.
func (s *Server) clusterAnswers(ctx context.Context) (string, bool) {
	for _, h := range s.conf.SlurmctldHost {
		if h.Name == s.opt.Config.Name {
			continue
		}
		addr := controllerAddress(s.conf, h)
		try, cancel := context.WithTimeout(ctx, time.Second)
		// Nothing is sent and nothing believed: who is there is all that is asked.
		d := tls.Dialer{NetDialer: &net.Dialer{}, Config: &tls.Config{
			MinVersion: tls.VersionTLS13, NextProtos: []string{string(auth.ProtoJoin)}, InsecureSkipVerify: true,
		}}
		conn, err := d.DialContext(try, "tcp", addr)
		cancel()
		if err != nil {
			continue
		}
		certs := conn.(*tls.Conn).ConnectionState().PeerCertificates
		conn.Close()
		if len(certs) > 0 && slices.Contains(certs[0].Subject.Organization, s.conf.ClusterName) {
			return h.Name, true
		}
	}
	return "", false
}

// founds reports whether this controller may begin the cluster: it is the first
// of SlurmctldHost, and never came to one that there was.
func (s *Server) founds(dir string) bool {
	if s.opt.Config.Rank > 0 {
		return false
	}
	_, err := os.Stat(filepath.Join(dir, joinedFile))
	return errors.Is(err, os.ErrNotExist)
}

// RemovedError says that an operator took this controller out of the cluster.
type RemovedError struct{ name, dir string }

func (e *RemovedError) Error() string {
	return fmt.Sprintf("controller %s was taken out of the cluster: to have it back, empty %s and join anew", e.name, e.dir)
}

// belong has this controller made one of the cluster's when it is started, and
// its address known should that have changed; later it asks again whenever nobody
// has led for some time, since a controller that was taken out is not told. It
// ends with ctx, or with an error when the cluster has let go of this controller.
func (s *Server) belong(ctx context.Context) error {
	const lonely = 10 * time.Second
	settled := s.enter(ctx)
	alone := time.Now()
	for {
		var removed *RemovedError
		if errors.As(settled, &removed) {
			return settled
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
		if leader, _ := s.barn.Leader(); leader != "" {
			alone = time.Now()
		} else if time.Since(alone) > lonely {
			alone, settled = time.Now(), s.tryEnter(ctx)
		}
	}
}

// enter asks until it is answered.
func (s *Server) enter(ctx context.Context) error {
	said := ""
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		err := s.tryEnter(ctx)
		var removed *RemovedError
		if err == nil || errors.As(err, &removed) || ctx.Err() != nil {
			return err
		}
		if text := err.Error(); wait > time.Second && text != said {
			said = text
			s.log.Warn("the cluster does not take this controller in yet", "error", text)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// tryEnter asks the controllers once.
func (s *Server) tryEnter(ctx context.Context) error {
	self, members := s.opt.Config.Name, s.barn.Servers()
	if leader, _ := s.barn.Leader(); leader == self {
		i := slices.IndexFunc(members, func(m barn.Server) bool { return m.ID == self })
		if i < 0 || members[i].Address == s.opt.Config.Address {
			return nil
		}
		return s.barn.AddVoter(ctx, self, s.opt.Config.Address)
	}
	if len(members) == 1 && members[0].ID == self {
		return nil // it leads in a moment
	}
	last := errors.New("there is no other controller in SlurmctldHost")
	for _, h := range s.conf.SlurmctldHost {
		if h.Name == self {
			continue
		}
		conn, err := s.peers.dial(h.Name, controllerAddress(s.conf, h))
		if err != nil {
			last = err
			continue
		}
		try, cancel := context.WithTimeout(ctx, 5*time.Second)
		reply, err := rinkpb.NewMembersClient(conn).Enter(try, &rinkpb.EnterRequest{
			Name: self, Address: s.opt.Config.Address, Last: s.barn.Standing().Last,
		})
		cancel()
		switch {
		case err != nil:
			last = fmt.Errorf("%s: %s", h.Name, status.Convert(err).Message())
		case reply.Removed:
			return &RemovedError{self, s.opt.Config.StateDir}
		case reply.Status.GetErrno() != 0:
			last = fmt.Errorf("%s: %s", h.Name, reply.Status.Text)
		default:
			return nil
		}
	}
	return last
}
