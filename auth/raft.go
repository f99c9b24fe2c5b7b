package auth

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"

	"github.com/hashicorp/raft"
)

// RaftLayer is the stream layer of a controller's Raft transport: it accepts
// from a Listener and dials other controllers, each side knowing the other by
// its certificate.
type RaftLayer struct {
	net.Listener
	creds     *Credentials
	advertise raftAddr
	nameOf    func(address string) string
}

var _ raft.StreamLayer = (*RaftLayer)(nil)

// NewRaftLayer makes the stream layer of the controller that listens on l and
// that the others reach at the address advertised. nameOf says which
// controller is to be found at an address; "" is any controller, and a nil
// nameOf says that of all.
func NewRaftLayer(l *Listener, creds *Credentials, advertise string, nameOf func(address string) string) *RaftLayer {
	if nameOf == nil {
		nameOf = func(string) string { return "" }
	}
	return &RaftLayer{Listener: l.Raft(), creds: creds, advertise: raftAddr(advertise), nameOf: nameOf}
}

// Addr returns the advertised address.
func (r *RaftLayer) Addr() net.Addr { return r.advertise }

// Dial connects to the controller at that address. A timeout of zero is none.
func (r *RaftLayer) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	ctx := context.Background()
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	addr := string(address)
	d := tls.Dialer{NetDialer: &net.Dialer{}, Config: clientTLS(r.creds, ProtoRaft, RoleController, r.nameOf(addr))}
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("cannot reach the controller at %s: %w", addr, err)
	}
	return conn, nil
}

type raftAddr string

func (raftAddr) Network() string  { return "tcp" }
func (a raftAddr) String() string { return string(a) }
