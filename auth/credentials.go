package auth

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

const identityFile = "identity.pem"

// Request is a daemon's request for a certificate. Its private key never
// leaves the daemon.
type Request struct {
	key *ecdsa.PrivateKey
	csr []byte
}

// NewRequest makes a private key and a request for a certificate of it.
func NewRequest() (*Request, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("cannot make a private key: %w", err)
	}
	return newRequest(key)
}

func newRequest(key *ecdsa.PrivateKey) (*Request, error) {
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "request"}}, key)
	if err != nil {
		return nil, fmt.Errorf("cannot make a certificate request: %w", err)
	}
	return &Request{key: key, csr: csr}, nil
}

// CSR returns the request in DER, for Authority.Issue.
func (r *Request) CSR() []byte { return r.csr }

// Accept makes credentials of the answer to the request: the certificate and
// the authority's, or several of those one after the other, in DER. It refuses
// an answer that is for another key, role or name, or that is not good now.
func (r *Request) Accept(cert, cas []byte, role Role, name string, now time.Time) (*Credentials, error) {
	c, err := x509.ParseCertificate(cert)
	if err != nil {
		return nil, fmt.Errorf("cannot use the certificate that was issued: %w", err)
	}
	roots, err := x509.ParseCertificates(cas)
	if err != nil {
		return nil, fmt.Errorf("cannot use the authority's certificate: %w", err)
	}
	id, err := newIdentity(r.key, c, roots)
	if err != nil {
		return nil, fmt.Errorf("cannot use the certificate that was issued: %w", err)
	}
	if id.who.Role != role || id.who.Name != name {
		return nil, fmt.Errorf("cannot use the certificate that was issued: it is for %s, not for %s %s", id.who, role, name)
	}
	if err := id.check(now); err != nil {
		return nil, fmt.Errorf("cannot use the certificate that was issued: %w", err)
	}
	creds := &Credentials{}
	creds.id.Store(id)
	return creds, nil
}

// Credentials are what a daemon proves with who it is, and by which it knows
// the others. They renew themselves under Keep; connections made from then on
// use the new ones. Safe for use by many goroutines.
type Credentials struct {
	id  atomic.Pointer[identity]
	mu  sync.Mutex // guards dir and the file in it
	dir string     // where they are kept; "" nowhere
}

// identity is one generation of a daemon's credentials; it never changes.
type identity struct {
	who   Identity
	cert  *x509.Certificate
	key   *ecdsa.PrivateKey
	roots []*x509.Certificate
	pool  *x509.CertPool
	// chain holds the certificate and the authority that issued it, so that a
	// daemon that joins can compare that one with the hash in its token.
	chain tls.Certificate
}

func newIdentity(key *ecdsa.PrivateKey, cert *x509.Certificate, roots []*x509.Certificate) (*identity, error) {
	if !key.PublicKey.Equal(cert.PublicKey) {
		return nil, errors.New("it is for another private key")
	}
	who, err := certIdentity(cert)
	if err != nil {
		return nil, err
	}
	id := &identity{who: who, cert: cert, key: key, roots: roots, pool: x509.NewCertPool()}
	var issuer *x509.Certificate
	for _, r := range roots {
		if !r.IsCA {
			return nil, fmt.Errorf("what should be an authority's certificate is for %q", r.Subject)
		}
		id.pool.AddCert(r)
		if cert.CheckSignatureFrom(r) == nil {
			issuer = r
		}
	}
	if issuer == nil {
		return nil, errors.New("it was not issued by the authority that came with it")
	}
	id.chain = tls.Certificate{Certificate: [][]byte{cert.Raw, issuer.Raw}, PrivateKey: key, Leaf: cert}
	return id, nil
}

// check verifies that the identity is good at that time for both sides of a
// connection.
func (id *identity) check(now time.Time) error {
	for _, use := range []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth} {
		if _, err := id.verify([]*x509.Certificate{id.cert}, use, now); err != nil {
			return err
		}
	}
	return nil
}

// verify tells who presented a chain of certificates, which must come from an
// authority of the cluster.
func (id *identity) verify(chain []*x509.Certificate, use x509.ExtKeyUsage, now time.Time) (Identity, error) {
	return verifyChain(chain, id.pool, id.who.Cluster, use, now)
}

func verifyChain(chain []*x509.Certificate, roots *x509.CertPool, cluster string, use x509.ExtKeyUsage, now time.Time) (Identity, error) {
	if len(chain) == 0 {
		return Identity{}, errors.New("no certificate was presented")
	}
	_, err := chain[0].Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: x509.NewCertPool(), CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{use},
	})
	if err != nil {
		return Identity{}, err
	}
	who, err := certIdentity(chain[0])
	if err != nil {
		return Identity{}, err
	}
	if who.Cluster != cluster {
		return Identity{}, fmt.Errorf("the certificate is for cluster %q, not for %q", who.Cluster, cluster)
	}
	return who, nil
}

// LoadCredentials reads the credentials kept in dir. The error wraps
// os.ErrNotExist when there are none, and names the file when it is damaged.
// Expired ones load; Valid tells.
func LoadCredentials(dir string) (*Credentials, error) {
	path := filepath.Join(dir, identityFile)
	data, err := readPrivate(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read this daemon's credentials: %w", err)
	}
	key, certs, err := parsePEM(data)
	if err == nil && len(certs) < 2 {
		err = errors.New("the authority's certificate is missing")
	}
	if err != nil {
		return nil, fmt.Errorf("cannot use this daemon's credentials in %s: %w", path, err)
	}
	id, err := newIdentity(key, certs[0], certs[1:])
	if err != nil {
		return nil, fmt.Errorf("cannot use this daemon's credentials in %s: its certificate is not good: %w", path, err)
	}
	c := &Credentials{dir: dir}
	c.id.Store(id)
	return c, nil
}

// Save keeps the credentials in dir, the daemon's spool directory, in one file
// that its owner alone can read. From then on renewed ones are kept there too.
func (c *Credentials) Save(dir string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("cannot keep this daemon's credentials: %w", err)
	}
	if err := saveIdentity(dir, c.id.Load()); err != nil {
		return err
	}
	c.dir = dir
	return nil
}

func saveIdentity(dir string, id *identity) error {
	data, err := encodePEM(id.key, append([]*x509.Certificate{id.cert}, id.roots...)...)
	if err != nil {
		return err
	}
	if err := writePrivate(filepath.Join(dir, identityFile), data, true); err != nil {
		return fmt.Errorf("cannot keep this daemon's credentials: %w", err)
	}
	return nil
}

// Identity returns who the daemon is.
func (c *Credentials) Identity() Identity { return c.id.Load().who }

// Authorities returns the certificates, in DER one after the other, of the
// authorities the daemon trusts: what Accept wants of another daemon.
func (c *Credentials) Authorities() []byte {
	var ders [][]byte
	for _, r := range c.id.Load().roots {
		ders = append(ders, r.Raw)
	}
	return bytes.Join(ders, nil)
}

// Expires returns when the certificate ends.
func (c *Credentials) Expires() time.Time { return c.id.Load().cert.NotAfter }

// RenewAt returns when two thirds of the certificate's life are over.
func (c *Credentials) RenewAt() time.Time { return c.id.Load().renewAt() }

func (id *identity) renewAt() time.Time {
	life := id.cert.NotAfter.Sub(id.cert.NotBefore)
	return id.cert.NotBefore.Add(life / 3 * 2)
}

// Valid reports why the credentials are not good at that time; nil when they
// are.
func (c *Credentials) Valid(now time.Time) error {
	id := c.id.Load()
	if err := id.check(now); err != nil {
		return fmt.Errorf("cannot use the credentials of %s: %w", id.who, err)
	}
	return nil
}

// Renewer asks the cluster for a new certificate of the daemon it is called
// in: it takes a request (DER) to whoever holds the authority and returns what
// Request.Accept wants.
type Renewer func(ctx context.Context, csr []byte) (cert, cas []byte, err error)

// Renew replaces the credentials by new ones, with a new key, for the same role
// and name. On error the old ones stay.
func (c *Credentials) Renew(ctx context.Context, renew Renewer) error {
	old := c.id.Load()
	req, err := NewRequest()
	if err != nil {
		return err
	}
	cert, cas, err := renew(ctx, req.CSR())
	if err != nil {
		return fmt.Errorf("cannot renew the certificate of %s: %w", old.who, err)
	}
	fresh, err := req.Accept(cert, cas, old.who.Role, old.who.Name, time.Now())
	if err != nil {
		return fmt.Errorf("cannot renew the certificate of %s: %w", old.who, err)
	}
	id := fresh.id.Load()
	if id.who.Cluster != old.who.Cluster {
		return fmt.Errorf("cannot renew the certificate of %s: the new one is for cluster %q, not for %q", old.who, id.who.Cluster, old.who.Cluster)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	// The file first: credentials in use that a restart would not find are worse
	// than a renewal that is tried again.
	if c.dir != "" {
		if err := saveIdentity(c.dir, id); err != nil {
			return err
		}
	}
	c.id.Store(id)
	return nil
}

// Keep renews the credentials whenever two thirds of their life are over, and
// tries again with growing pauses when that fails. It returns when ctx ends.
func (c *Credentials) Keep(ctx context.Context, renew Renewer, log *slog.Logger) {
	const shortest, longest = time.Minute, time.Hour
	pause := shortest
	var retryAt time.Time
	// Daemons that joined in the same minute should not all renew in the same
	// minute: each adds up to a twentieth of the life to its own hour.
	spread := mathrand.Float64() / 20
	for {
		id := c.id.Load()
		life := id.cert.NotAfter.Sub(id.cert.NotBefore)
		at := id.renewAt().Add(time.Duration(spread * float64(life)))
		if retryAt.After(at) {
			at = retryAt
		}
		if wait := time.Until(at); wait > 0 {
			// Clocks are set and machines sleep: look again at least once an hour.
			timer := time.NewTimer(min(wait, longest))
			select {
			case <-ctx.Done():
				timer.Stop()
				return
			case <-timer.C:
			}
			continue
		}
		if ctx.Err() != nil {
			return
		}
		try, cancel := context.WithTimeout(ctx, time.Minute)
		err := c.Renew(try, renew)
		cancel()
		if err != nil {
			if ctx.Err() != nil {
				return
			}
			log.Error("certificate not renewed", "error", err, "expires", id.cert.NotAfter, "again", pause)
			retryAt = time.Now().Add(pause)
			pause = min(pause*2, longest)
			continue
		}
		pause, retryAt = shortest, time.Time{}
		log.Info("certificate renewed", "daemon", id.who.String(), "expires", c.Expires())
	}
}
