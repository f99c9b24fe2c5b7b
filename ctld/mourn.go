package ctld

import (
	"errors"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/raft"

	"github.com/runink/rink/auth"
)

// watchedStream is the stream between controllers, with an eye on the lines that
// come in: when a leader's process dies the kernel closes them at once, long before
// it is missed.
type watchedStream struct {
	raft.StreamLayer
	lost func(controller string) // called in a goroutine of its own
}

// Accept returns the next line in.
func (w watchedStream) Accept() (net.Conn, error) {
	conn, err := w.StreamLayer.Accept()
	if c, ok := conn.(*auth.Conn); ok && err == nil {
		return &watchedConn{Conn: c, name: c.Identity().Name, lost: w.lost}, nil
	}
	return conn, err
}

type watchedConn struct {
	net.Conn
	name string
	lost func(string)
	once sync.Once
}

func (c *watchedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil && !errors.Is(err, net.ErrClosed) {
		c.once.Do(func() { go c.lost(c.name) })
	}
	return n, err
}

// lostLine looks whether a controller whose line broke is there no more. That
// nobody listens where it did is proof; silence is none.
func (s *Server) lostLine(name string) {
	b := s.opened.Load()
	if b == nil {
		return
	}
	leader, addr := b.Leader()
	if leader != name || name == s.opt.Config.Name {
		return
	}
	// A process is taken apart one line after the other: its port may still be open.
	for _, wait := range []time.Duration{0, 10 * time.Millisecond, 30 * time.Millisecond, 60 * time.Millisecond, 100 * time.Millisecond} {
		select {
		case <-time.After(wait):
		case <-s.halting:
			return
		}
		conn, err := net.DialTimeout("tcp", addr, 200*time.Millisecond)
		switch {
		case err == nil:
			conn.Close()
		case errors.Is(err, syscall.ECONNREFUSED):
			b.Succeed(name)
			return
		default:
			return
		}
	}
}
