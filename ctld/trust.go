package ctld

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/runink/rink/auth"
)

// openTrust brings up the cluster's own authority, made by the first
// controller when it first starts, and this controller's certificate.
func (s *Server) openTrust(ctx context.Context, dir string) error {
	where := filepath.Join(dir, "ca")
	now := time.Now()
	var err error
	s.ca, err = auth.LoadAuthority(where)
	if errors.Is(err, os.ErrNotExist) {
		if err := s.firstTrust(ctx, dir, where, now); err != nil {
			return err
		}
		s.ca, err = auth.LoadAuthority(where)
	}
	if err != nil {
		return err
	}
	if s.ca.Cluster() != s.conf.ClusterName {
		return fmt.Errorf("StateSaveLocation %s belongs to cluster %q, not %q", dir, s.ca.Cluster(), s.conf.ClusterName)
	}
	own := filepath.Join(dir, "identity")
	s.self, err = auth.LoadCredentials(own)
	if err == nil && s.self.Valid(now) == nil && s.self.Identity().Name == s.opt.Config.Name {
		return nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	req, err := auth.NewRequest()
	if err != nil {
		return err
	}
	cert, err := s.ca.Issue(req.CSR(), auth.RoleController, s.opt.Config.Name, now)
	if err != nil {
		return err
	}
	if s.self, err = req.Accept(cert, s.ca.Certificate(), auth.RoleController, s.opt.Config.Name, now); err != nil {
		return err
	}
	return s.self.Save(own)
}

// renewSelf answers this controller's own request for a new certificate.
func (s *Server) renewSelf(_ context.Context, csr []byte) (cert, ca []byte, err error) {
	cert, err = s.ca.Issue(csr, auth.RoleController, s.opt.Config.Name, time.Now())
	return cert, s.ca.Certificate(), err
}

// firstTrust founds the cluster's authority, or gets it from a controller of the
// cluster there is.
func (s *Server) firstTrust(ctx context.Context, dir, where string, now time.Time) error {
	if s.founds(dir) {
		other, there := s.clusterAnswers(ctx)
		if !there {
			_, err := auth.CreateAuthority(where, s.conf.ClusterName, now)
			return err
		}
		s.log.Info("the cluster is there already: this controller joins it", "answers", other)
	}
	return s.joinCluster(ctx, dir)
}
