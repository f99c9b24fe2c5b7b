package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

const tokenPrefix = "rink1"

// Token lets one daemon join the cluster once. It carries the hash of the
// authority's certificate, by which the daemon knows the cluster before it has
// credentials of its own, and a secret, by which the cluster knows the daemon.
type Token struct {
	ca     [sha256.Size]byte
	secret [32]byte
}

// NewToken makes a token for the cluster whose authority has that certificate
// (DER).
func NewToken(authority []byte) (Token, error) {
	t := Token{ca: sha256.Sum256(authority)}
	if _, err := rand.Read(t.secret[:]); err != nil {
		return Token{}, fmt.Errorf("cannot make a token: %w", err)
	}
	return t, nil
}

// ParseToken reads what Text wrote. Errors do not quote the secret.
func ParseToken(s string) (Token, error) {
	parts := strings.Split(strings.TrimSpace(s), ".")
	if parts[0] != tokenPrefix {
		return Token{}, fmt.Errorf("cannot read the token: it does not begin with %q", tokenPrefix+".")
	}
	if len(parts) != 3 {
		return Token{}, fmt.Errorf("cannot read the token: it has %d parts (want 3)", len(parts))
	}
	var t Token
	for i, part := range []struct {
		name string
		to   []byte
	}{{"hash of the authority", t.ca[:]}, {"secret", t.secret[:]}} {
		data, err := base64.RawURLEncoding.Strict().DecodeString(parts[i+1])
		if err != nil || len(data) != len(part.to) {
			return Token{}, fmt.Errorf("cannot read the token: its %s is damaged", part.name)
		}
		copy(part.to, data)
	}
	return t, nil
}

// Text returns the token with its secret, to be given to the daemon that is to
// join.
func (t Token) Text() string {
	enc := base64.RawURLEncoding
	return tokenPrefix + "." + enc.EncodeToString(t.ca[:]) + "." + enc.EncodeToString(t.secret[:])
}

// String returns the token without its secret, for logs.
func (t Token) String() string {
	return tokenPrefix + "." + base64.RawURLEncoding.EncodeToString(t.ca[:]) + ".***"
}

// GoString keeps the secret out of %#v.
func (t Token) GoString() string { return "auth.Token(" + t.String() + ")" }

// Hash returns the SHA-256 of the secret in hexadecimal: what the cluster keeps
// of a token.
func (t Token) Hash() string {
	sum := sha256.Sum256(t.secret[:])
	return hex.EncodeToString(sum[:])
}

// Pins reports whether the certificate (DER) is the authority's that the token
// was made for.
func (t Token) Pins(authority []byte) bool {
	sum := sha256.Sum256(authority)
	return subtle.ConstantTimeCompare(sum[:], t.ca[:]) == 1
}

// pinned finds the pinned authority among the certificates a server presented.
func (t Token) pinned(chain []*x509.Certificate) (*x509.Certificate, error) {
	for _, c := range chain {
		if t.Pins(c.Raw) {
			if !c.IsCA || len(c.Subject.Organization) != 1 {
				return nil, errors.New("the certificate the token was made for is not an authority's")
			}
			return c, nil
		}
	}
	return nil, errors.New("the server does not belong to the cluster the token was made for")
}
