package auth

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestAuthorityIsKeptWholeAndPrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ca")
	a, err := CreateAuthority(dir, "ref", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 || entries[0].Name() != authorityFile {
		t.Errorf("the directory holds %v, want only %s", entries, authorityFile)
	}
	info, err := os.Stat(filepath.Join(dir, authorityFile))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %04o, want 0600", info.Mode().Perm())
	}
	again, err := LoadAuthority(dir)
	if err != nil {
		t.Fatal(err)
	}
	if again.Cluster() != "ref" || string(again.Certificate()) != string(a.Certificate()) || !again.key.Equal(a.key) {
		t.Error("the authority read back is another one")
	}
	if life := a.cert.NotAfter.Sub(time.Now()); life < 9*365*24*time.Hour || life > 11*365*24*time.Hour {
		t.Errorf("the authority lives %v", life)
	}
	if a.key.Curve != elliptic.P256() {
		t.Errorf("curve %v", a.key.Curve)
	}
}

func TestAuthorityIsMadeOnce(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	var mu sync.Mutex
	made := 0
	for range 8 {
		wg.Go(func() {
			_, err := CreateAuthority(dir, "ref", time.Now())
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				made++
			} else if !errors.Is(err, os.ErrExist) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if made != 1 {
		t.Errorf("%d authorities were made, want 1", made)
	}
	if _, err := LoadAuthority(dir); err != nil {
		t.Error(err)
	}
}

func TestLoadAuthorityNamesWhatIsWrong(t *testing.T) {
	a := testAuthority(t, "ref")
	other := testAuthority(t, "ref")
	good, err := a.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	daemon := testCredentials(t, a, RoleNode, "n1", time.Now()).id.Load()
	daemonPEM, err := encodePEM(daemon.key, daemon.cert)
	if err != nil {
		t.Fatal(err)
	}
	mixed, err := encodePEM(other.key, a.cert)
	if err != nil {
		t.Fatal(err)
	}
	keyEnd := strings.Index(string(good), "-----BEGIN CERT")
	for _, tt := range []struct {
		name string
		data string
		mode os.FileMode
		want string
	}{
		{"Empty", "", 0o600, "it is empty"},
		{"Garbage", "hello", 0o600, "part 1 is damaged"},
		{"CutInCertificate", string(good[:len(good)-60]), 0o600, "part 2 is damaged"},
		{"CutInKey", string(good[:40]), 0o600, "part 1 is damaged"},
		{"KeyAlone", string(good[:keyEnd]), 0o600, "no certificate"},
		{"CertificateAlone", string(good[keyEnd:]), 0o600, "want a private key"},
		{"KeyOfAnother", string(mixed), 0o600, "key does not belong"},
		{"OfADaemon", string(daemonPEM), 0o600, "not an authority's"},
		{"TrailingGarbage", string(good) + "zzz", 0o600, "part 3 is damaged"},
		{"ReadableByAll", string(good), 0o644, "mode 0644"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, authorityFile)
			if err := os.WriteFile(path, []byte(tt.data), tt.mode); err != nil {
				t.Fatal(err)
			}
			_, err := LoadAuthority(dir)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("error %v, want one with %q and %s", err, tt.want, path)
			}
		})
	}
	if _, err := LoadAuthority(t.TempDir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v, want os.ErrNotExist", err)
	}
}

func TestIssueBindsRoleAndName(t *testing.T) {
	a := testAuthority(t, "ref")
	req, err := NewRequest()
	if err != nil {
		t.Fatal(err)
	}
	der, err := a.Issue(req.CSR(), RoleNode, "n1", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	if got := cert.URIs[0].String(); got != "rink://ref/node/n1" {
		t.Errorf("URI %q", got)
	}
	if got := cert.Subject.String(); got != "CN=n1,OU=node,O=ref" {
		t.Errorf("subject %q", got)
	}
	if days := cert.NotAfter.Sub(time.Now()).Hours() / 24; days < 29 || days > 31 {
		t.Errorf("the certificate lives %v days", days)
	}
	if cert.IsCA || len(cert.DNSNames) > 0 {
		t.Errorf("the certificate allows more than it should: %v %v", cert.IsCA, cert.DNSNames)
	}
	who, err := certIdentity(cert)
	if err != nil {
		t.Fatal(err)
	}
	if want := (Identity{Kind: Daemon, Cluster: "ref", Role: RoleNode, Name: "n1"}); who != want {
		t.Errorf("identity %+v, want %+v", who, want)
	}
}

func TestIssueRefuses(t *testing.T) {
	a := testAuthority(t, "ref")
	req, err := NewRequest()
	if err != nil {
		t.Fatal(err)
	}
	broken := append([]byte(nil), req.CSR()...)
	broken[len(broken)-1] ^= 1
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	rsaCSR, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "x"}}, rsaKey)
	if err != nil {
		t.Fatal(err)
	}
	small, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	smallReq, err := newRequest(small)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		csr  []byte
		role Role
		dn   string
		at   time.Time
		want string
	}{
		{"UnknownRole", req.CSR(), "admin", "n1", time.Now(), `"admin" is not a role`},
		{"EmptyName", req.CSR(), RoleNode, "", time.Now(), "the name is empty"},
		{"NameWithSlash", req.CSR(), RoleNode, "n1/../c1", time.Now(), `'/' at character 3`},
		{"NameTooLong", req.CSR(), RoleNode, strings.Repeat("n", 65), time.Now(), "more than 64"},
		{"NotARequest", []byte("hello"), RoleNode, "n1", time.Now(), "cannot read its request"},
		{"BadSignature", broken, RoleNode, "n1", time.Now(), "not signed by its key"},
		{"RSA", rsaCSR, RoleNode, "n1", time.Now(), "want ECDSA"},
		{"SmallCurve", smallReq.CSR(), RoleNode, "n1", time.Now(), "curve P-224"},
		{"AuthorityExpired", req.CSR(), RoleNode, "n1", time.Now().Add(11 * 365 * 24 * time.Hour), "authority expired"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := a.Issue(tt.csr, tt.role, tt.dn, tt.at)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

func TestIssueDoesNotOutliveTheAuthority(t *testing.T) {
	a := testAuthority(t, "ref")
	req, err := NewRequest()
	if err != nil {
		t.Fatal(err)
	}
	der, err := a.Issue(req.CSR(), RoleNode, "n1", a.cert.NotAfter.Add(-24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	if !cert.NotAfter.Equal(a.cert.NotAfter) {
		t.Errorf("ends %v, the authority %v", cert.NotAfter, a.cert.NotAfter)
	}
}
