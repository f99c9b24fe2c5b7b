package auth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// Protocol is what is spoken on a TLS connection, agreed on in its handshake.
type Protocol string

// The protocols of the cluster's one TLS port.
const (
	// ProtoGRPC is gRPC between daemons, each with a certificate.
	ProtoGRPC Protocol = "h2"
	// ProtoRaft is the Raft stream between controllers.
	ProtoRaft Protocol = "rink-raft"
	// ProtoJoin is gRPC for the Join service alone; the client has no certificate.
	ProtoJoin Protocol = "rink-join"
)

// tlsInfo is the AuthInfo of a TLS connection; its identity is nobody on the
// server's side of a join.
type tlsInfo struct {
	credentials.CommonAuthInfo
	id Identity
}

func (tlsInfo) AuthType() string     { return "tls" }
func (i tlsInfo) Identity() Identity { return i.id }

func tlsAuthInfo(id Identity) credentials.AuthInfo {
	return tlsInfo{credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity}, id}
}

// serverTLS is the server's side of one handshake. Session tickets are off:
// connections live long, and each handshake looks at the certificates anew.
func serverTLS(creds *Credentials, proto Protocol) *tls.Config {
	id := creds.id.Load()
	conf := &tls.Config{
		MinVersion:             tls.VersionTLS13,
		NextProtos:             []string{string(proto)},
		Certificates:           []tls.Certificate{id.chain},
		SessionTicketsDisabled: true,
	}
	if proto == ProtoJoin {
		conf.ClientAuth = tls.NoClientCert
		return conf
	}
	conf.ClientAuth = tls.RequireAndVerifyClientCert
	conf.ClientCAs = id.pool
	conf.VerifyConnection = func(cs tls.ConnectionState) error {
		who, err := id.verify(cs.PeerCertificates, x509.ExtKeyUsageClientAuth, time.Now())
		if err != nil {
			return err
		}
		if proto == ProtoRaft && who.Role != RoleController {
			return fmt.Errorf("%s is not a controller", who)
		}
		return nil
	}
	return conf
}

// clientTLS is the client's side: the server must be of the role and, when one
// is given, the name expected. Servers are known by what their certificate is
// bound to and not by DNS, hence the verification of our own.
func clientTLS(creds *Credentials, proto Protocol, role Role, name string) *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		NextProtos:         []string{string(proto)},
		InsecureSkipVerify: true, // VerifyConnection does all of it
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &creds.id.Load().chain, nil
		},
		VerifyConnection: func(cs tls.ConnectionState) error {
			if err := spoken(cs, proto); err != nil {
				return err
			}
			who, err := creds.id.Load().verify(cs.PeerCertificates, x509.ExtKeyUsageServerAuth, time.Now())
			if err != nil {
				return err
			}
			return expected(who, role, name)
		},
	}
}

// joinTLS is the client's side of a join: the server must be a controller of
// the cluster whose authority the token pins.
func joinTLS(t Token) *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		NextProtos:         []string{string(ProtoJoin)},
		InsecureSkipVerify: true, // VerifyConnection does all of it
		VerifyConnection: func(cs tls.ConnectionState) error {
			if err := spoken(cs, ProtoJoin); err != nil {
				return err
			}
			ca, err := t.pinned(cs.PeerCertificates)
			if err != nil {
				return err
			}
			roots := x509.NewCertPool()
			roots.AddCert(ca)
			who, err := verifyChain(cs.PeerCertificates, roots, ca.Subject.Organization[0], x509.ExtKeyUsageServerAuth, time.Now())
			if err != nil {
				return err
			}
			return expected(who, RoleController, "")
		},
	}
}

// spoken refuses a server that did not agree on the protocol: what it would do
// with the bytes is anybody's guess.
func spoken(cs tls.ConnectionState, proto Protocol) error {
	if cs.NegotiatedProtocol != string(proto) {
		return fmt.Errorf("the server does not speak %s", proto)
	}
	return nil
}

func expected(who Identity, role Role, name string) error {
	if who.Role != role || name != "" && who.Name != name {
		want := string(role)
		if name != "" {
			want += " " + name
		}
		return fmt.Errorf("the server is %s, not %s", who, want)
	}
	return nil
}

// DialOptions are the options for a gRPC client of another daemon's TLS port,
// which must have a certificate of that role and, unless name is empty, that
// name.
func DialOptions(creds *Credentials, role Role, name string) []grpc.DialOption {
	return dialOptions(clientTLS(creds, ProtoGRPC, role, name))
}

// JoinDialOptions are the options for a client of the Join service of a
// controller of the cluster the token is for. Nothing is sent to any other.
func JoinDialOptions(t Token) []grpc.DialOption { return dialOptions(joinTLS(t)) }

func dialOptions(conf *tls.Config) []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithTransportCredentials(&tlsCreds{conf}), grpc.WithNoProxy(), grpc.WithDisableServiceConfig(),
	}
}

// tlsCreds are the client's side of a TLS connection.
type tlsCreds struct{ conf *tls.Config }

func (c *tlsCreds) ClientHandshake(ctx context.Context, _ string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn := tls.Client(raw, c.conf)
	if err := conn.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, nil, fmt.Errorf("cannot trust the daemon at %s: %w", raw.RemoteAddr(), err)
	}
	who, err := certIdentity(conn.ConnectionState().PeerCertificates[0])
	if err != nil {
		conn.Close()
		return nil, nil, err
	}
	return conn, tlsAuthInfo(who), nil
}

func (c *tlsCreds) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn.Close()
	return nil, nil, errors.New("cannot serve with a client's credentials")
}

func (c *tlsCreds) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "tls", SecurityVersion: "1.3"}
}

func (c *tlsCreds) Clone() credentials.TransportCredentials { return &tlsCreds{c.conf.Clone()} }

func (c *tlsCreds) OverrideServerName(string) error { return nil }

// ServerCredentials are the transport credentials of the gRPC server of a
// daemon. They take connections of a Unix socket, whose peer the kernel names,
// and of Listener.GRPC, whose peer the certificate named. Any other connection
// is refused.
func ServerCredentials() credentials.TransportCredentials { return serverCreds{ProtoGRPC} }

// JoinServerCredentials are the transport credentials of the gRPC server of the
// Join service. They take connections of Listener.Join alone, whose peers have
// no identity.
func JoinServerCredentials() credentials.TransportCredentials { return serverCreds{ProtoJoin} }

// serverCreds give connections that are past their handshake their identity.
type serverCreds struct{ proto Protocol }

func (c serverCreds) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, ours := raw.(*Conn)
	switch {
	case ours && conn.proto == c.proto:
		return conn, tlsAuthInfo(conn.id), nil
	case ours:
		return nil, nil, fmt.Errorf("cannot serve %s to %s: it speaks %s", c.proto, raw.RemoteAddr(), conn.proto)
	case c.proto != ProtoGRPC:
		return nil, nil, fmt.Errorf("cannot serve %s to %s: its handshake was not made here", c.proto, raw.RemoteAddr())
	}
	id, err := PeerOf(raw)
	if err != nil {
		return nil, nil, err
	}
	return raw, localAuthInfo(id), nil
}

func (c serverCreds) ClientHandshake(_ context.Context, _ string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn.Close()
	return nil, nil, errors.New("cannot dial with a server's credentials")
}

func (c serverCreds) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "rink"}
}

func (c serverCreds) Clone() credentials.TransportCredentials { return c }

func (c serverCreds) OverrideServerName(string) error { return nil }
