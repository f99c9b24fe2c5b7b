package call

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/runink/rink/api/rinkpb"
)

// helloLimit is how long a daemon may take to answer a connection: one that hangs
// has not begun what it was asked.
const helloLimit = time.Second

// Conn is a connection to a daemon. It carries one call at a time.
//
// It is read and written by calls that block, not by way of the runtime's poller: a
// command waits for one answer, and has nothing else to do.
type Conn struct {
	file    *os.File
	path    string
	greeted bool   // the daemon has said hello
	asked   bool   // this side has
	in      []byte // read and not looked at: in[from:]
	from    int
}

// Dial connects to the daemon that listens at path. Whether it answers is seen by the
// first call.
func Dial(path string) (*Conn, error) {
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	// One that hangs lets connections queue up until there is no room.
	limit := syscall.NsecToTimeval(int64(helloLimit))
	syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_SNDTIMEO, &limit)
	syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &limit)
	for {
		if err = syscall.Connect(fd, &syscall.SockaddrUnix{Name: path}); !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		syscall.Close(fd)
		return nil, fmt.Errorf("cannot connect to %s: %w", path, err)
	}
	return &Conn{file: os.NewFile(uintptr(fd), path), path: path}, nil
}

// Close ends the connection, and the call there is.
func (c *Conn) Close() error {
	c.shutdown()
	return c.file.Close()
}

// shutdown has whoever reads or writes return at once.
func (c *Conn) shutdown() {
	c.control(func(fd int) { syscall.Shutdown(fd, syscall.SHUT_RDWR) })
}

func (c *Conn) control(f func(fd int)) {
	if raw, err := c.file.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) { f(int(fd)) })
	}
}

// Alive reports whether the daemon holds on to a connection that carries no call.
func (c *Conn) Alive() bool {
	alive := false
	c.control(func(fd int) {
		var b [1]byte
		_, _, err := syscall.Recvfrom(fd, b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		alive = errors.Is(err, syscall.EAGAIN)
	})
	return alive
}

// fill reads until that many bytes are there, in the room of the buffer.
func (c *Conn) fill(n int) error {
	for len(c.in)-c.from < n {
		if c.from > 0 {
			c.in = c.in[:copy(c.in, c.in[c.from:])]
			c.from = 0
		}
		if cap(c.in) == 0 {
			c.in = make([]byte, 0, 8<<10)
		}
		got, err := c.file.Read(c.in[len(c.in):cap(c.in)])
		c.in = c.in[:len(c.in)+got]
		if got == 0 {
			if err == nil {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}

// frame reads the next frame. What it returns is the caller's.
func (c *Conn) frame() (Kind, []byte, error) {
	if err := c.hello(); err != nil {
		return 0, nil, err
	}
	if err := c.fill(FrameHead); err != nil {
		return 0, nil, err
	}
	kind, n, err := Parse(c.in[c.from:])
	if err != nil {
		return 0, nil, err
	}
	c.from += FrameHead
	data := make([]byte, n)
	got := copy(data, c.in[c.from:])
	c.from += got
	_, err = io.ReadFull(c.file, data[got:])
	return kind, data, err
}

// hello waits for the daemon's, unless it was there.
func (c *Conn) hello() error {
	if c.greeted {
		return nil
	}
	if err := c.fill(len(Hello)); err != nil {
		return err
	}
	if string(c.in[c.from:c.from+len(Hello)]) != Hello {
		return Errorf(Internal, "what listens at %s speaks another language", c.path)
	}
	c.from += len(Hello)
	c.greeted = true
	c.control(func(fd int) {
		syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &syscall.Timeval{})
		syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_SNDTIMEO, &syscall.Timeval{})
	})
	return nil
}

// Call is one call. One goroutine may send while another receives.
type Call struct {
	conn *Conn
	ctx  context.Context
	stop func() bool

	sending sync.Mutex // guards closed
	closed  bool

	ended bool
	whole bool  // ended by the daemon's word
	err   error // io.EOF: it ended well
	notes Notes
}

// Begin begins a call. When last is set it is all that is sent. ErrNotUp is within
// the error when nothing was done of it.
func (c *Conn) Begin(ctx context.Context, method string, notes Notes, last rinkpb.Message) (*Call, error) {
	head := &rinkpb.CallHead{Method: method, Notes: notes}
	if until, ok := ctx.Deadline(); ok {
		head.Limit = max(1, int64(time.Until(until)))
	}
	b := make([]byte, 0, 1<<10)
	if !c.asked {
		b = append(b, Hello...)
	}
	b, err := Append(b, Head, head)
	if err == nil && last != nil {
		if b, err = Append(b, Message, last); err == nil {
			b, err = Append(b, Close, nil)
		}
	}
	if err != nil {
		return nil, err
	}
	k := &Call{conn: c, ctx: ctx, closed: last != nil}
	k.stop = context.AfterFunc(ctx, func() { c.Close() })
	if _, err := c.file.Write(b); err != nil {
		return nil, k.lost(err)
	}
	c.asked = true
	return k, nil
}

// ErrNotUp is that a daemon does not answer: what it was asked it has not begun.
var ErrNotUp = errors.New("the daemon does not answer")

// Up waits until the daemon has said hello: what it was asked before that may have
// been done after that. The error has ErrNotUp within.
func (k *Call) Up() error {
	if k.ended {
		return nil
	}
	if err := k.conn.hello(); err != nil {
		return k.lost(err)
	}
	return nil
}

// lost ends a call whose connection is lost, or was cut when its context ended.
func (k *Call) lost(err error) error {
	var known *Error
	switch {
	case k.ended && k.err != nil:
		return k.err
	case k.ctx.Err() != nil && errors.Is(k.ctx.Err(), context.DeadlineExceeded):
		err = &Error{DeadlineExceeded, k.ctx.Err().Error()}
	case k.ctx.Err() != nil:
		err = &Error{Canceled, k.ctx.Err().Error()}
	case errors.As(err, &known):
	case !k.conn.heard():
		err = fmt.Errorf("%w: %w", &Error{Unavailable, k.conn.path + " does not answer"}, ErrNotUp)
	default:
		err = &Error{Unavailable, fmt.Sprintf("the connection to %s is lost: %v", k.conn.path, err)}
	}
	k.finish(err)
	return err
}

// heard reports whether the daemon said hello, even if too late. From now on nothing
// it says is heard; and as it says hello before it begins a call, and cannot any more,
// what has not been heard is not begun.
func (c *Conn) heard() bool {
	c.shutdown()
	return c.hello() == nil
}

func (k *Call) finish(err error) {
	k.stop()
	k.ended, k.err = true, err
}

// Send sends one more message. io.EOF is that the daemon has ended the call.
func (k *Call) Send(m rinkpb.Message) error {
	b, err := Append(nil, Message, m)
	if err != nil {
		return err
	}
	k.sending.Lock()
	defer k.sending.Unlock()
	if k.closed {
		return &Error{Internal, "cannot send after the end"}
	}
	if _, err := k.conn.file.Write(b); err != nil {
		return io.EOF // Recv says what is wrong
	}
	return nil
}

// CloseSend says that no more is sent.
func (k *Call) CloseSend() error {
	b, err := Append(nil, Close, nil)
	if err != nil {
		return err
	}
	k.sending.Lock()
	defer k.sending.Unlock()
	if !k.closed {
		k.closed = true
		k.conn.file.Write(b) // of an error Recv tells
	}
	return nil
}

// Recv reads the next message; io.EOF is that the call has ended well.
func (k *Call) Recv(m rinkpb.Message) error {
	if k.ended {
		return k.err
	}
	kind, data, err := k.conn.frame()
	if err != nil {
		return k.lost(err)
	}
	switch kind {
	case Message:
		if err := rinkpb.Unmarshal(data, m); err != nil {
			return k.lost(&Error{Internal, "cannot read an answer: " + err.Error()})
		}
		return nil
	case End:
		end := &rinkpb.CallEnd{}
		if err := rinkpb.Unmarshal(data, end); err != nil {
			return k.lost(&Error{Internal, "cannot read the end of a call: " + err.Error()})
		}
		k.notes, k.whole = end.Notes, true
		err = io.EOF
		if end.Code != 0 {
			err = &Error{Code(end.Code), end.Text}
		}
		k.finish(err)
		return err
	}
	return k.lost(Errorf(Internal, "cannot tell what a frame %q is", byte(kind)))
}

// Notes are what stood beside the answer. They are there when the call has ended.
func (k *Call) Notes() Notes { return k.notes }

// Over reports whether Recv has said that the call has ended.
func (k *Call) Over() bool { return k.ended }

// Free reports whether the connection may carry another call: this one was ended by
// both sides.
func (k *Call) Free() bool {
	k.sending.Lock()
	defer k.sending.Unlock()
	return k.whole && k.closed && k.ctx.Err() == nil
}
