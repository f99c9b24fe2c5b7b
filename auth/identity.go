// Package auth says who is asking. On a host of the cluster the kernel says it,
// through the peer credentials of a Unix socket; between daemons a certificate
// of the cluster's own authority says it, and a daemon may speak for a user of
// its host. What somebody may ask for is not decided here.
//
// A daemon without a certificate presents a one-time token to join; every
// other connection is refused before a byte of it reaches a service.
package auth

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"google.golang.org/grpc/peer"
)

// Role is what a daemon of the cluster is.
type Role string

// The roles a certificate can be bound to.
const (
	RoleController Role = "controller"
	RoleNode       Role = "node"
)

// ParseRole reads the name of a role.
func ParseRole(s string) (Role, error) {
	switch r := Role(s); r {
	case RoleController, RoleNode:
		return r, nil
	}
	return "", fmt.Errorf("%q is not a role (want %q or %q)", s, RoleController, RoleNode)
}

// Kind says who vouches for an identity.
type Kind uint8

// The kinds of identity. The zero value is nobody.
const (
	Nobody    Kind = iota
	LocalPeer      // a process of this host; the kernel vouches for UID, GID and PID
	Daemon         // a daemon of the cluster; its certificate vouches for Role and Name
	Forwarded      // a user, UID and GID, for whom the daemon Role and Name speaks
	TokenUser      // a user, UID and GID, by a signed token; Role and Name as of who passed it on, if anybody
)

// Identity is who is at the other end of a connection, or for whom a call is
// made. Which fields mean something is said by Kind.
type Identity struct {
	Kind     Kind
	UID, GID uint32
	PID      int32 // 0 when the process is not visible from here
	Cluster  string
	Role     Role
	Name     string
}

// IsUser reports whether id is a user: a process of this host, somebody a daemon
// speaks for, or who a token names. UID and GID are meaningful then.
func (id Identity) IsUser() bool {
	return id.Kind == LocalPeer || id.Kind == Forwarded || id.Kind == TokenUser
}

// IsDaemon reports whether id is a daemon of that role, by its own certificate
// and speaking for itself.
func (id Identity) IsDaemon(role Role) bool { return id.Kind == Daemon && id.Role == role }

// String describes id in words for logs and errors.
func (id Identity) String() string {
	switch id.Kind {
	case LocalPeer:
		return fmt.Sprintf("uid %d (process %d)", id.UID, id.PID)
	case Daemon:
		return fmt.Sprintf("%s %s", id.Role, id.Name)
	case Forwarded:
		return fmt.Sprintf("uid %d on %s %s", id.UID, id.Role, id.Name)
	case TokenUser:
		return fmt.Sprintf("uid %d by a token", id.UID)
	}
	return "nobody"
}

// identified is the AuthInfo of every connection whose other end is known.
type identified interface{ Identity() Identity }

// PeerFrom returns who is at the other end of the connection a call came in
// on, and false when the transport did not say.
func PeerFrom(ctx context.Context) (Identity, bool) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return Identity{}, false
	}
	info, ok := p.AuthInfo.(identified)
	if !ok {
		return Identity{}, false
	}
	id := info.Identity()
	return id, id.Kind != Nobody
}

// maxName is the longest common name X.520 allows, and the longest host name
// of Linux.
const maxName = 64

// CheckName reports why s cannot be the name of a cluster or of a daemon in a
// certificate; nil when it can.
func CheckName(s string) error {
	if s == "" {
		return errors.New("the name is empty")
	}
	if len(s) > maxName {
		return fmt.Errorf("%q has more than %d characters", s, maxName)
	}
	for i, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case i > 0 && (c == '-' || c == '_' || c == '.'):
		default:
			return fmt.Errorf("%q has a %q at character %d (want letters, digits, and within the name - _ .)", s, c, i+1)
		}
	}
	return nil
}

const uriScheme = "rink"

// nameURI is the subject alternative name that binds a certificate to a daemon.
func nameURI(cluster string, role Role, name string) *url.URL {
	return &url.URL{Scheme: uriScheme, Host: cluster, Path: "/" + string(role) + "/" + name}
}

// authorityURI marks the certificate of the cluster's authority.
func authorityURI(cluster string) *url.URL {
	return &url.URL{Scheme: uriScheme, Host: cluster, Path: "/authority"}
}

// certIdentity reads the identity a verified certificate is bound to. The
// subject must repeat what the URI says, so that what a person reads in a
// listing of the certificate is what is enforced.
func certIdentity(cert *x509.Certificate) (Identity, error) {
	if len(cert.URIs) != 1 || cert.URIs[0].Scheme != uriScheme {
		return Identity{}, errors.New("the certificate does not name a daemon of a cluster")
	}
	u := cert.URIs[0]
	r, name, ok := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	if !ok {
		return Identity{}, fmt.Errorf("the certificate is for %q, which is not a daemon", u)
	}
	role, err := ParseRole(r)
	if err != nil {
		return Identity{}, fmt.Errorf("the certificate is for %q: %w", u, err)
	}
	if err := CheckName(name); err != nil {
		return Identity{}, fmt.Errorf("the certificate is for %q: %w", u, err)
	}
	id := Identity{Kind: Daemon, Cluster: u.Host, Role: role, Name: name}
	sub := cert.Subject
	if *u != *nameURI(id.Cluster, role, name) || sub.CommonName != name ||
		len(sub.OrganizationalUnit) != 1 || sub.OrganizationalUnit[0] != r ||
		len(sub.Organization) != 1 || sub.Organization[0] != id.Cluster {
		return Identity{}, fmt.Errorf("the certificate is for %q but its subject says %q", u, sub)
	}
	return id, nil
}
