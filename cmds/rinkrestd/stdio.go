package rinkrestd

import (
	"errors"
	"io"
	"net"
	"sync"

	"github.com/runink/rink/cmds/internal/cli"
)

// stdio is the end of standard input and output that the server has.
type stdio struct {
	net.Conn
	once sync.Once
	done chan struct{}
}

func (c *stdio) Close() error {
	c.once.Do(func() { close(c.done) })
	return c.Conn.Close()
}

// single accepts one connection, and is closed when that is.
type single struct {
	conn  *stdio
	taken bool
}

func (l *single) Accept() (net.Conn, error) {
	if !l.taken {
		l.taken = true
		return l.conn, nil
	}
	<-l.conn.done
	return nil, net.ErrClosed
}

func (l *single) Close() error   { return l.conn.Close() }
func (l *single) Addr() net.Addr { return l.conn.LocalAddr() }

// serveOne answers one request on standard input and output: inetd, or a program that
// starts this one for itself. It is asked by whoever started it. A client that has said all
// it wants to is still there for the answer, so that the input's end is not passed on.
func (s *server) serveOne(env *cli.Env) error {
	ours, theirs := net.Pipe()
	conn := &stdio{Conn: theirs, done: make(chan struct{})}
	go func() { // ends with the input, or when the request is answered
		if n, _ := io.Copy(ours, env.Stdin); n == 0 {
			ours.Close() // nothing is asked
		}
	}()
	answered := make(chan error, 1)
	go func() { // ends when the server closes its end
		_, err := io.Copy(env.Stdout, ours)
		answered <- err
	}()
	web := s.http()
	web.SetKeepAlivesEnabled(false)
	web.Serve(&single{conn: conn}) // returns when the connection is closed
	if err := <-answered; err != nil && !errors.Is(err, io.ErrClosedPipe) {
		return err
	}
	return nil
}
