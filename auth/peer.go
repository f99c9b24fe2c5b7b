package auth

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// localInfo is the AuthInfo of a connection over a Unix socket.
type localInfo struct {
	credentials.CommonAuthInfo
	id Identity
}

func (localInfo) AuthType() string     { return "local" }
func (i localInfo) Identity() Identity { return i.id }

// PeerOf returns who is at the other end of a connection over a Unix socket:
// on the accepting side the process that connected, on the connecting side the
// one that listens, each as it was at that moment.
func PeerOf(conn net.Conn) (Identity, error) {
	if a := conn.LocalAddr(); a == nil || a.Network() != "unix" {
		return Identity{}, fmt.Errorf("cannot ask the kernel who is at the other end of a %T: it is not a Unix socket", conn)
	}
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return Identity{}, fmt.Errorf("cannot ask the kernel who is at the other end of a %T", conn)
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return Identity{}, fmt.Errorf("cannot read the peer's credentials: %w", err)
	}
	var cred *unix.Ucred
	var optErr error
	if err := raw.Control(func(fd uintptr) {
		cred, optErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return Identity{}, fmt.Errorf("cannot read the peer's credentials: %w", err)
	}
	if optErr != nil {
		return Identity{}, fmt.Errorf("cannot read the peer's credentials: %w", optErr)
	}
	if cred.Uid == noID || cred.Gid == noID {
		return Identity{}, errors.New("cannot tell who is at the other end: the kernel has no credentials of it")
	}
	return Identity{Kind: LocalPeer, UID: cred.Uid, GID: cred.Gid, PID: cred.Pid}, nil
}

// noID is the uid and gid the kernel uses for "none".
const noID = ^uint32(0)

func localAuthInfo(id Identity) credentials.AuthInfo {
	return localInfo{credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity}, id}
}

// LocalDialOptions are the options for a gRPC client that talks to a daemon of
// this host over its Unix socket. The process that listens there must run as
// root, as the caller, or as one of the trusted uids (the cluster's own user);
// otherwise somebody else took the socket's place and the call fails before
// anything is sent.
func LocalDialOptions(trusted ...uint32) []grpc.DialOption {
	c := &localCreds{trusted: append([]uint32{0, uint32(os.Geteuid())}, trusted...)}
	return []grpc.DialOption{grpc.WithTransportCredentials(c), grpc.WithNoProxy(), grpc.WithDisableServiceConfig()}
}

// localCreds are the client's side of a Unix socket.
type localCreds struct{ trusted []uint32 }

func (c *localCreds) ClientHandshake(_ context.Context, _ string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	id, err := PeerOf(conn)
	if err == nil && !slices.Contains(c.trusted, id.UID) {
		err = fmt.Errorf("cannot trust the daemon at %s: it runs as uid %d, not as root, the cluster's user or the caller", conn.RemoteAddr(), id.UID)
	}
	if err != nil {
		conn.Close()
		return nil, nil, err
	}
	return conn, localAuthInfo(id), nil
}

func (c *localCreds) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn.Close()
	return nil, nil, errors.New("cannot serve with a client's credentials")
}

func (c *localCreds) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "local"}
}

func (c *localCreds) Clone() credentials.TransportCredentials {
	return &localCreds{trusted: slices.Clone(c.trusted)}
}

func (c *localCreds) OverrideServerName(string) error { return nil }

// ListenLocal makes the Unix socket of a daemon, which every user of the host
// may connect to. A socket left by a daemon that is gone is replaced; one that
// somebody answers at is not.
func ListenLocal(path string) (*net.UnixListener, error) {
	if info, err := os.Lstat(path); err == nil {
		if info.Mode()&os.ModeSocket == 0 {
			return nil, fmt.Errorf("cannot listen at %s: there is something there that is not a socket", path)
		}
		conn, err := net.DialTimeout("unix", path, time.Second)
		if err == nil {
			conn.Close()
			return nil, fmt.Errorf("cannot listen at %s: another daemon answers there", path)
		}
		if !errors.Is(err, syscall.ECONNREFUSED) {
			return nil, fmt.Errorf("cannot listen at %s: cannot tell whether another daemon is there: %w", path, err)
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("cannot replace the old socket: %w", err)
		}
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("cannot listen at %s: %w", path, err)
	}
	// Who may ask for what is decided by who they are, not by the socket's mode.
	if err := os.Chmod(path, 0o666); err != nil {
		l.Close()
		return nil, fmt.Errorf("cannot open %s to the users of the host: %w", path, err)
	}
	return l, nil
}
