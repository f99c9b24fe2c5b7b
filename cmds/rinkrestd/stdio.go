package rinkrestd

import (
	"io"
	"net"
	"sync"
	"time"
)

// stdio is standard input and output as a connection.
type stdio struct {
	in   io.Reader
	out  io.Writer
	once sync.Once
	done chan struct{}
}

func (c *stdio) Read(b []byte) (int, error)  { return c.in.Read(b) }
func (c *stdio) Write(b []byte) (int, error) { return c.out.Write(b) }
func (c *stdio) Close() error {
	c.once.Do(func() { close(c.done) })
	return nil
}
func (c *stdio) LocalAddr() net.Addr              { return stdioAddr{} }
func (c *stdio) RemoteAddr() net.Addr             { return stdioAddr{} }
func (c *stdio) SetDeadline(time.Time) error      { return nil }
func (c *stdio) SetReadDeadline(time.Time) error  { return nil }
func (c *stdio) SetWriteDeadline(time.Time) error { return nil }

type stdioAddr struct{}

func (stdioAddr) Network() string { return "stdio" }
func (stdioAddr) String() string  { return "stdio" }

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
func (l *single) Addr() net.Addr { return stdioAddr{} }
