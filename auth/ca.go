package auth

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

const (
	authorityLife = 10 * 365 * 24 * time.Hour
	daemonLife    = 30 * 24 * time.Hour
	// backdate lets a daemon whose clock is behind use its certificate at once.
	backdate = time.Hour

	authorityFile = "authority.pem"
)

// Authority is the cluster's certificate authority. Whoever holds it can make
// itself any daemon of the cluster, so only controllers do.
type Authority struct {
	cluster string
	cert    *x509.Certificate
	key     *ecdsa.PrivateKey
	life    time.Duration // of the certificates it issues
}

// CreateAuthority makes the authority of a new cluster and keeps it in dir,
// which is made if need be: one file, whole or not at all, that its owner alone
// can read. The error wraps os.ErrExist when dir has an authority already.
func CreateAuthority(dir, cluster string, now time.Time) (*Authority, error) {
	if err := CheckName(cluster); err != nil {
		return nil, fmt.Errorf("cannot make an authority for the cluster: %w", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("cannot make the authority's key: %w", err)
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{Organization: []string{cluster}, CommonName: "authority of " + cluster},
		URIs:                  []*url.URL{authorityURI(cluster)},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(authorityLife),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("cannot make the authority's certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("cannot make the authority's certificate: %w", err)
	}
	a := &Authority{cluster: cluster, cert: cert, key: key, life: daemonLife}
	if err := a.Save(dir); err != nil {
		return nil, err
	}
	return a, nil
}

func newSerial() (*big.Int, error) {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("cannot draw a serial number: %w", err)
	}
	return n.Add(n, big.NewInt(1)), nil
}

// LoadAuthority reads the authority kept in dir. The error wraps
// os.ErrNotExist when there is none, and names the file when it is damaged.
func LoadAuthority(dir string) (*Authority, error) {
	path := filepath.Join(dir, authorityFile)
	data, err := readPrivate(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the cluster's authority: %w", err)
	}
	a, err := ParseAuthority(data)
	if err != nil {
		return nil, fmt.Errorf("cannot use the cluster's authority in %s: %w", path, err)
	}
	return a, nil
}

// ParseAuthority reads what Marshal wrote.
func ParseAuthority(data []byte) (*Authority, error) {
	key, certs, err := parsePEM(data)
	if err != nil {
		return nil, err
	}
	if len(certs) != 1 {
		return nil, fmt.Errorf("it has %d certificates (want one)", len(certs))
	}
	cert := certs[0]
	if !cert.IsCA || len(cert.Subject.Organization) != 1 {
		return nil, errors.New("its certificate is not an authority's")
	}
	cluster := cert.Subject.Organization[0]
	if len(cert.URIs) != 1 || *cert.URIs[0] != *authorityURI(cluster) {
		return nil, errors.New("its certificate is not the authority's of a cluster")
	}
	if !key.PublicKey.Equal(cert.PublicKey) {
		return nil, errors.New("its key does not belong to its certificate")
	}
	if err := cert.CheckSignatureFrom(cert); err != nil {
		return nil, fmt.Errorf("its certificate is damaged: %w", err)
	}
	return &Authority{cluster: cluster, cert: cert, key: key, life: daemonLife}, nil
}

// Marshal returns the authority with its private key as PEM, for another
// controller to Save.
func (a *Authority) Marshal() ([]byte, error) { return encodePEM(a.key, a.cert) }

// Save keeps the authority in dir as CreateAuthority does.
func (a *Authority) Save(dir string) error {
	data, err := a.Marshal()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("cannot keep the cluster's authority: %w", err)
	}
	if err := writePrivate(filepath.Join(dir, authorityFile), data, false); err != nil {
		return fmt.Errorf("cannot keep the cluster's authority: %w", err)
	}
	return nil
}

// Cluster returns the name of the cluster the authority speaks for.
func (a *Authority) Cluster() string { return a.cluster }

// Certificate returns the authority's certificate in DER.
func (a *Authority) Certificate() []byte { return a.cert.Raw }

// Issue answers a certificate request (DER) with a certificate (DER) that binds
// the request's key to a role and a name of the cluster for thirty days, as
// client and as server. What the request says of its subject is not looked at:
// the caller has found out who is asking.
func (a *Authority) Issue(csr []byte, role Role, name string, now time.Time) ([]byte, error) {
	if _, err := ParseRole(string(role)); err != nil {
		return nil, fmt.Errorf("cannot issue a certificate: %w", err)
	}
	if err := CheckName(name); err != nil {
		return nil, fmt.Errorf("cannot issue a certificate to a %s: %w", role, err)
	}
	req, err := x509.ParseCertificateRequest(csr)
	if err != nil {
		return nil, fmt.Errorf("cannot issue a certificate to %s %s: cannot read its request: %w", role, name, err)
	}
	if err := req.CheckSignature(); err != nil {
		return nil, fmt.Errorf("cannot issue a certificate to %s %s: its request is not signed by its key: %w", role, name, err)
	}
	switch k := req.PublicKey.(type) {
	case ed25519.PublicKey:
	case *ecdsa.PublicKey:
		if k.Curve != elliptic.P256() && k.Curve != elliptic.P384() {
			return nil, fmt.Errorf("cannot issue a certificate to %s %s: its key is on curve %s (want P-256 or P-384)", role, name, k.Curve.Params().Name)
		}
	default:
		return nil, fmt.Errorf("cannot issue a certificate to %s %s: its key is a %T (want ECDSA or Ed25519)", role, name, k)
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	until := now.Add(a.life)
	if until.After(a.cert.NotAfter) {
		until = a.cert.NotAfter
	}
	if !now.Before(until) {
		return nil, fmt.Errorf("cannot issue a certificate to %s %s: the cluster's authority expired on %s", role, name, a.cert.NotAfter.Format(time.RFC3339))
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject: pkix.Name{
			Organization: []string{a.cluster}, OrganizationalUnit: []string{string(role)}, CommonName: name,
		},
		URIs:                  []*url.URL{nameURI(a.cluster, role, name)},
		NotBefore:             now.Add(-backdate),
		NotAfter:              until,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, req.PublicKey, a.key)
	if err != nil {
		return nil, fmt.Errorf("cannot issue a certificate to %s %s: %w", role, name, err)
	}
	return der, nil
}

const (
	pemKey  = "PRIVATE KEY"
	pemCert = "CERTIFICATE"
)

func encodePEM(key *ecdsa.PrivateKey, certs ...*x509.Certificate) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("cannot write a private key: %w", err)
	}
	data := pem.EncodeToMemory(&pem.Block{Type: pemKey, Bytes: der})
	for _, c := range certs {
		data = append(data, pem.EncodeToMemory(&pem.Block{Type: pemCert, Bytes: c.Raw})...)
	}
	return data, nil
}

// parsePEM reads a private key and the certificates after it; anything else in
// data, or anything short of that, is damage.
func parsePEM(data []byte) (*ecdsa.PrivateKey, []*x509.Certificate, error) {
	var key *ecdsa.PrivateKey
	var certs []*x509.Certificate
	for n := 1; ; n++ {
		block, rest := pem.Decode(data)
		if block == nil {
			if len(data) > 0 && (n == 1 || len(bytes.TrimSpace(data)) > 0) {
				return nil, nil, fmt.Errorf("part %d is damaged", n)
			}
			break
		}
		data = rest
		switch {
		case n == 1 && block.Type == pemKey:
			k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			if err != nil {
				return nil, nil, fmt.Errorf("its private key is damaged: %w", err)
			}
			ec, ok := k.(*ecdsa.PrivateKey)
			if !ok {
				return nil, nil, fmt.Errorf("its private key is a %T (want ECDSA)", k)
			}
			key = ec
		case n > 1 && block.Type == pemCert:
			c, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, nil, fmt.Errorf("its certificate %d is damaged: %w", n-1, err)
			}
			certs = append(certs, c)
		default:
			return nil, nil, fmt.Errorf("part %d is a %q (want a private key, then certificates)", n, block.Type)
		}
	}
	if key == nil {
		return nil, nil, errors.New("it is empty")
	}
	if len(certs) == 0 {
		return nil, nil, errors.New("it has a private key but no certificate")
	}
	return key, certs, nil
}
