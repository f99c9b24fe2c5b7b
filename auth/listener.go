package auth

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"
)

// ListenerConfig says what a Listener serves.
type ListenerConfig struct {
	// Credentials are the daemon's own.
	Credentials *Credentials
	// Protocols are those served; a client that asks for another is refused in
	// the handshake.
	Protocols []Protocol
	// HandshakeTimeout bounds the time from accepting a connection to having
	// handed it on; zero means five seconds.
	HandshakeTimeout time.Duration
	// Handshakes bounds how many connections may be in their handshake at once;
	// zero means 256.
	Handshakes int
	// Log gets a line for each connection that is refused; nil means slog.Default.
	Log *slog.Logger
}

// Listener is a daemon's one TLS port. It makes the handshakes and hands each
// connection to the net.Listener of the protocol agreed on, so that a server
// behind one of them sees only connections whose other end is known.
type Listener struct {
	inner   net.Listener
	conf    ListenerConfig
	subs    map[Protocol]*subListener
	slots   chan struct{} // one for each handshake under way
	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup // the accepting goroutine and the handshakes
}

// Listen opens the TCP address and serves it until Close.
func Listen(address string, conf ListenerConfig) (*Listener, error) {
	inner, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen: %w", err)
	}
	return NewListener(inner, conf), nil
}

// NewListener serves connections of inner, which it owns from then on.
func NewListener(inner net.Listener, conf ListenerConfig) *Listener {
	if conf.HandshakeTimeout == 0 {
		conf.HandshakeTimeout = 5 * time.Second
	}
	if conf.Handshakes == 0 {
		conf.Handshakes = 256
	}
	if conf.Log == nil {
		conf.Log = slog.Default()
	}
	l := &Listener{inner: inner, conf: conf, subs: map[Protocol]*subListener{}, slots: make(chan struct{}, conf.Handshakes)}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	for _, p := range conf.Protocols {
		l.subs[p] = &subListener{proto: p, addr: inner.Addr(), conns: make(chan *Conn, 64), done: make(chan struct{})}
	}
	l.running.Add(1)
	go l.accept() // ended by Close
	return l
}

// Addr returns the address listened on.
func (l *Listener) Addr() net.Addr { return l.inner.Addr() }

// GRPC returns the listener of connections from daemons with a certificate.
func (l *Listener) GRPC() net.Listener { return l.sub(ProtoGRPC) }

// Raft returns the listener of Raft streams from controllers.
func (l *Listener) Raft() net.Listener { return l.sub(ProtoRaft) }

// Join returns the listener of connections without a certificate, for the Join
// service alone.
func (l *Listener) Join() net.Listener { return l.sub(ProtoJoin) }

func (l *Listener) sub(p Protocol) net.Listener {
	if s := l.subs[p]; s != nil {
		return s
	}
	s := &subListener{proto: p, addr: l.inner.Addr(), done: make(chan struct{})}
	s.Close()
	return s
}

// Close stops listening, ends the handshakes under way and closes the listeners
// of the protocols. Connections already accepted from those stay open.
func (l *Listener) Close() error {
	l.cancel()
	err := l.inner.Close()
	for _, s := range l.subs {
		s.Close()
	}
	l.running.Wait()
	for _, s := range l.subs {
		s.drain()
	}
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (l *Listener) accept() {
	defer l.running.Done()
	pause := 5 * time.Millisecond
	for {
		select {
		case l.slots <- struct{}{}:
		case <-l.ctx.Done():
			return
		}
		conn, err := l.inner.Accept()
		if err != nil {
			<-l.slots
			if l.ctx.Err() != nil {
				return
			}
			if errors.Is(err, net.ErrClosed) {
				l.conf.Log.Error("no longer listening", "address", l.Addr().String(), "error", err)
				return
			}
			// Out of descriptors, most likely: it passes.
			l.conf.Log.Warn("cannot accept a connection", "address", l.Addr().String(), "error", err, "again", pause)
			select {
			case <-time.After(pause):
			case <-l.ctx.Done():
				return
			}
			pause = min(2*pause, time.Second)
			continue
		}
		pause = 5 * time.Millisecond
		l.running.Add(1)
		go l.handshake(conn) // ends by its deadline or by Close
	}
}

// handshake makes one connection's handshake and hands it on.
func (l *Listener) handshake(raw net.Conn) {
	defer l.running.Done()
	defer func() { <-l.slots }()
	ctx, cancel := context.WithTimeout(l.ctx, l.conf.HandshakeTimeout)
	defer cancel()

	conn := &Conn{Conn: tls.Server(raw, &tls.Config{MinVersion: tls.VersionTLS13, GetConfigForClient: l.config})}
	if err := conn.HandshakeContext(ctx); err != nil {
		raw.Close()
		l.refused(raw, err)
		return
	}
	cs := conn.ConnectionState()
	conn.proto = Protocol(cs.NegotiatedProtocol)
	if conn.proto != ProtoJoin {
		id, err := certIdentity(cs.PeerCertificates[0])
		if err != nil {
			conn.Close()
			l.refused(raw, err)
			return
		}
		conn.id = id
	}
	if !l.subs[conn.proto].deliver(ctx, conn) {
		conn.Close()
		l.conf.Log.Warn("connection dropped: nobody takes it", "from", raw.RemoteAddr().String(), "protocol", string(conn.proto))
	}
}

// config picks the protocol of a connection from those the client offers and,
// with it, what the client must present. The configuration speaks that protocol
// alone, so that no other can be agreed on.
func (l *Listener) config(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	for _, p := range hello.SupportedProtos {
		if l.subs[Protocol(p)] != nil {
			return serverTLS(l.conf.Credentials, Protocol(p)), nil
		}
	}
	return nil, fmt.Errorf("the client offers %q, none of which is served here", hello.SupportedProtos)
}

// refused logs a connection whose handshake failed. Port scanners and plain TCP
// are a matter of course; a certificate that is not good is worth knowing.
func (l *Listener) refused(raw net.Conn, err error) {
	level := slog.LevelInfo
	var plain tls.RecordHeaderError
	var op *net.OpError
	if errors.As(err, &plain) || errors.As(err, &op) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		level = slog.LevelDebug
	}
	l.conf.Log.Log(context.Background(), level, "connection refused", "from", raw.RemoteAddr().String(), "error", err)
}

// Conn is a TLS connection past its handshake.
type Conn struct {
	*tls.Conn
	proto Protocol
	id    Identity
}

// Identity returns the daemon at the other end; nobody on a join.
func (c *Conn) Identity() Identity { return c.id }

// Protocol returns what is spoken on the connection.
func (c *Conn) Protocol() Protocol { return c.proto }

// subListener is the net.Listener of one protocol.
type subListener struct {
	proto Protocol
	addr  net.Addr
	conns chan *Conn
	done  chan struct{} // closed by Close
	once  sync.Once
}

// deliver hands a connection to whoever accepts, and reports whether it was
// taken. Joins come from anybody: they are not waited with, so that they cannot
// take all the slots.
func (s *subListener) deliver(ctx context.Context, c *Conn) bool {
	if s.proto == ProtoJoin {
		select {
		case s.conns <- c:
		default:
			return false
		}
	} else {
		select {
		case s.conns <- c:
		case <-s.done:
			return false
		case <-ctx.Done():
			return false
		}
	}
	select {
	case <-s.done: // closed meanwhile: nobody will accept it
		s.drain()
	default:
	}
	return true
}

func (s *subListener) Accept() (net.Conn, error) {
	select {
	case <-s.done:
		return nil, s.closed()
	default:
	}
	select {
	case c := <-s.conns:
		return c, nil
	case <-s.done:
		return nil, s.closed()
	}
}

func (s *subListener) closed() error {
	return &net.OpError{Op: "accept", Net: string(s.proto), Addr: s.addr, Err: net.ErrClosed}
}

func (s *subListener) Addr() net.Addr { return s.addr }

// Close refuses connections of this protocol from now on.
func (s *subListener) Close() error {
	s.once.Do(func() { close(s.done) })
	s.drain()
	return nil
}

// drain closes connections nobody accepted.
func (s *subListener) drain() {
	for {
		select {
		case c := <-s.conns:
			c.Close()
		default:
			return
		}
	}
}
