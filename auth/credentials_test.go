package auth

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestCredentialsSurviveARestart(t *testing.T) {
	a := testAuthority(t, "ref")
	c := testCredentials(t, a, RoleNode, "n1", time.Now())
	dir := filepath.Join(t.TempDir(), "spool")
	if err := c.Save(dir); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, identityFile))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %04o, want 0600", info.Mode().Perm())
	}
	again, err := LoadCredentials(dir)
	if err != nil {
		t.Fatal(err)
	}
	if again.Identity() != c.Identity() || !again.Expires().Equal(c.Expires()) {
		t.Errorf("read back %v until %v, want %v until %v", again.Identity(), again.Expires(), c.Identity(), c.Expires())
	}
	if err := again.Valid(time.Now()); err != nil {
		t.Error(err)
	}
	if err := again.Valid(time.Now().Add(31 * 24 * time.Hour)); err == nil || !strings.Contains(err.Error(), "node n1") {
		t.Errorf("after a month: %v, want expired", err)
	}
	if string(again.Authorities()) != string(a.Certificate()) {
		t.Error("the authority's certificate changed")
	}
}

func TestLoadCredentialsNamesWhatIsWrong(t *testing.T) {
	a := testAuthority(t, "ref")
	id := testCredentials(t, a, RoleNode, "n1", time.Now()).id.Load()
	other := testCredentials(t, a, RoleNode, "n2", time.Now()).id.Load()
	stranger := testAuthority(t, "ref")
	pem := func(data []byte, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	good := pem(encodePEM(id.key, id.cert, a.cert))
	for _, tt := range []struct{ name, data, want string }{
		{"Empty", "", "it is empty"},
		{"Cut", good[:len(good)-100], "part 3 is damaged"},
		{"NoAuthority", pem(encodePEM(id.key, id.cert)), "authority's certificate is missing"},
		{"OtherKey", pem(encodePEM(other.key, id.cert, a.cert)), "another private key"},
		{"OtherAuthority", pem(encodePEM(id.key, id.cert, stranger.cert)), "not issued by the authority"},
		{"DaemonAsAuthority", pem(encodePEM(id.key, id.cert, other.cert)), "should be an authority's"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, identityFile)
			if err := os.WriteFile(path, []byte(tt.data), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := LoadCredentials(dir)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("error %v, want one with %q and %s", err, tt.want, path)
			}
		})
	}
	if _, err := LoadCredentials(t.TempDir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v, want os.ErrNotExist", err)
	}
}

func TestAcceptRefuses(t *testing.T) {
	a, b := testAuthority(t, "ref"), testAuthority(t, "ref")
	now := time.Now()
	req, err := NewRequest()
	if err != nil {
		t.Fatal(err)
	}
	other, err := NewRequest()
	if err != nil {
		t.Fatal(err)
	}
	issue := func(csr []byte, role Role, name string, at time.Time) []byte {
		der, err := a.Issue(csr, role, name, at)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	for _, tt := range []struct {
		name      string
		cert, cas []byte
		want      string
	}{
		{"OtherKey", issue(other.CSR(), RoleNode, "n1", now), a.Certificate(), "another private key"},
		{"OtherName", issue(req.CSR(), RoleNode, "n2", now), a.Certificate(), "for node n2, not for node n1"},
		{"OtherRole", issue(req.CSR(), RoleController, "n1", now), a.Certificate(), "for controller n1, not for node n1"},
		{"OtherAuthority", issue(req.CSR(), RoleNode, "n1", now), b.Certificate(), "not issued by the authority"},
		{"Expired", issue(req.CSR(), RoleNode, "n1", now.Add(-40*24*time.Hour)), a.Certificate(), "expired"},
		{"NoAuthority", issue(req.CSR(), RoleNode, "n1", now), nil, "not issued by the authority"},
		{"Garbage", []byte("x"), a.Certificate(), "cannot use the certificate"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := req.Accept(tt.cert, tt.cas, RoleNode, "n1", now)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

func TestKeepRenewsAtTwoThirdsOfLife(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		a, err := CreateAuthority(filepath.Join(dir, "ca"), "ref", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		c := testCredentials(t, a, RoleNode, "n1", time.Now())
		if err := c.Save(dir); err != nil {
			t.Fatal(err)
		}
		born, first := time.Now(), c.Expires()
		var asked []time.Duration
		down := true
		renew := func(_ context.Context, csr []byte) ([]byte, []byte, error) {
			asked = append(asked, time.Since(born))
			if down {
				down = false
				return nil, nil, errors.New("no leader")
			}
			cert, err := a.Issue(csr, RoleNode, "n1", time.Now())
			return cert, a.Certificate(), err
		}
		log := &testLog{}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() { c.Keep(ctx, renew, log.logger()); close(done) }()
		time.Sleep(25 * 24 * time.Hour)
		synctest.Wait()
		cancel()
		<-done
		if len(asked) != 2 {
			t.Fatalf("asked %d times (%v), want a failure and a success", len(asked), asked)
		}
		if asked[0] < 19*24*time.Hour || asked[0] > 22*24*time.Hour {
			t.Errorf("asked after %v, want about twenty days", asked[0])
		}
		if pause := asked[1] - asked[0]; pause < time.Minute || pause > time.Hour {
			t.Errorf("asked again after %v", pause)
		}
		if !c.Expires().After(first) {
			t.Errorf("expires %v, as before", c.Expires())
		}
		kept, err := LoadCredentials(dir)
		if err != nil {
			t.Fatal(err)
		}
		if !kept.Expires().Equal(c.Expires()) {
			t.Errorf("kept until %v, in use until %v", kept.Expires(), c.Expires())
		}
		if !strings.Contains(log.String(), "no leader") {
			t.Errorf("the failure was not logged: %s", log)
		}
	})
}

func TestRenewKeepsTheOldOnAnAnswerForAnother(t *testing.T) {
	a := testAuthority(t, "ref")
	foreign := testAuthority(t, "elsewhere")
	c := testCredentials(t, a, RoleNode, "n1", time.Now())
	before := c.id.Load()
	for name, renew := range map[string]Renewer{
		"OtherName": func(_ context.Context, csr []byte) ([]byte, []byte, error) {
			cert, err := a.Issue(csr, RoleNode, "n2", time.Now())
			return cert, a.Certificate(), err
		},
		"OtherCluster": func(_ context.Context, csr []byte) ([]byte, []byte, error) {
			cert, err := foreign.Issue(csr, RoleNode, "n1", time.Now())
			return cert, foreign.Certificate(), err
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := c.Renew(context.Background(), renew); err == nil {
				t.Error("renewed")
			}
			if c.id.Load() != before {
				t.Error("the credentials changed")
			}
		})
	}
}
