// Package serve is the daemons' side of package call: it answers the calls of a host's
// commands with the services a gRPC server has, and leaves connections that speak gRPC
// to such a server.
package serve

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/runink/rink/api/call"
	"github.com/runink/rink/api/rinkpb"
)

// beginLimit is how long a connection may take to say what it wants.
const beginLimit = 10 * time.Second

// Options are what calls are answered with.
type Options struct {
	// Credentials tell who is at the other end of a connection.
	Credentials credentials.TransportCredentials
	// Unary and Stream stand around the services' methods, the first outermost.
	Unary  []grpc.UnaryServerInterceptor
	Stream []grpc.StreamServerInterceptor
	// Unknown answers calls of services that are not registered; nil: nobody.
	Unknown grpc.StreamHandler
	// Codec makes messages of bytes; nil: protobuf.
	Codec Codec
}

// Codec makes bytes of messages and messages of bytes.
type Codec interface {
	Marshal(m any) ([]byte, error)
	Unmarshal(data []byte, m any) error
}

type protoCodec struct{}

func (protoCodec) Marshal(m any) ([]byte, error) { return proto.Marshal(m.(proto.Message)) }

func (protoCodec) Unmarshal(data []byte, m any) error {
	return proto.Unmarshal(data, m.(proto.Message))
}

// Server answers the calls of commands.
type Server struct {
	opt     Options
	methods map[string]method
	rest    *rest

	mu     sync.Mutex // guards all below
	at     []net.Listener
	conns  map[*conn]bool
	ending bool
	wg     sync.WaitGroup // connections
}

// method is how one is called.
type method struct {
	impl   any
	unary  *grpc.MethodDesc
	stream *grpc.StreamDesc
}

// New makes a server without services.
func New(opt Options) *Server {
	if opt.Codec == nil {
		opt.Codec = protoCodec{}
	}
	s := &Server{opt: opt, methods: map[string]method{}, conns: map[*conn]bool{}}
	s.rest = &rest{conns: make(chan net.Conn), done: make(chan struct{})}
	return s
}

// RegisterService adds a service; not once the server serves.
func (s *Server) RegisterService(desc *grpc.ServiceDesc, impl any) {
	for i := range desc.Methods {
		m := &desc.Methods[i]
		s.methods["/"+desc.ServiceName+"/"+m.MethodName] = method{impl: impl, unary: m}
	}
	for i := range desc.Streams {
		m := &desc.Streams[i]
		s.methods["/"+desc.ServiceName+"/"+m.StreamName] = method{impl: impl, stream: m}
	}
}

// Serve answers those who connect to a listener until the server is stopped; the
// error is grpc.ErrServerStopped then.
func (s *Server) Serve(l net.Listener) error {
	s.mu.Lock()
	if s.ending {
		s.mu.Unlock()
		l.Close()
		return grpc.ErrServerStopped
	}
	s.at = append(s.at, l)
	s.mu.Unlock()
	for wait := time.Millisecond; ; {
		raw, err := l.Accept()
		if err != nil {
			s.mu.Lock()
			ending := s.ending
			s.mu.Unlock()
			if ending {
				return grpc.ErrServerStopped
			}
			if errors.Is(err, net.ErrClosed) {
				return err
			}
			time.Sleep(wait) // out of descriptors, most likely: it passes
			wait = min(2*wait, time.Second)
			continue
		}
		wait = time.Millisecond
		ctx, cancel := context.WithCancel(context.Background())
		c := &conn{s: s, raw: raw, ctx: ctx, cancel: cancel}
		s.mu.Lock()
		if s.ending {
			s.mu.Unlock()
			raw.Close()
			cancel()
			continue
		}
		s.conns[c] = true
		s.wg.Add(1)
		s.mu.Unlock()
		go func() { // ends with its connection, which Stop closes
			defer s.wg.Done()
			c.serve()
			s.mu.Lock()
			delete(s.conns, c)
			s.mu.Unlock()
			cancel()
		}()
	}
}

// GracefulStop takes no more calls and returns when those there are have ended.
func (s *Server) GracefulStop() {
	for _, c := range s.end() {
		c.rest()
	}
	s.wg.Wait()
}

// Stop ends all calls, and returns when they have.
func (s *Server) Stop() {
	for _, c := range s.end() {
		c.cancel()
		c.raw.Close()
	}
	s.wg.Wait()
}

func (s *Server) end() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.at {
		l.Close()
	}
	s.at, s.ending = nil, true
	var list []*conn
	for c := range s.conns {
		list = append(list, c)
	}
	return list
}

// Others is the listener of a gRPC server for those who speak gRPC. That server is
// stopped by itself.
func (s *Server) Others() net.Listener { return s.rest }

// rest hands connections on, until it is closed.
type rest struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func (r *rest) Accept() (net.Conn, error) {
	select {
	case c := <-r.conns:
		return c, nil
	case <-r.done:
		return nil, net.ErrClosed
	}
}

func (r *rest) Addr() net.Addr { return &net.UnixAddr{Net: "unix"} }

func (r *rest) Close() error {
	r.once.Do(func() { close(r.done) })
	return nil
}

// begun is a connection of which the beginning has been read. It stays a Unix socket
// for those who ask the kernel who is at the other end.
type begun struct {
	*net.UnixConn
	head []byte
}

func (b *begun) Read(p []byte) (int, error) {
	if len(b.head) > 0 {
		n := copy(p, b.head)
		b.head = b.head[n:]
		return n, nil
	}
	return b.UnixConn.Read(p)
}

// conn is a connection, which carries one call at a time.
type conn struct {
	s      *Server
	raw    net.Conn
	in     *bufio.Reader
	peer   *peer.Peer
	ctx    context.Context // ends when the connection is lost
	cancel context.CancelFunc

	mu    sync.Mutex // guards all below
	call  *stream    // in progress
	leave bool       // when there is none, the connection ends
}

// rest ends the connection once it carries no call.
func (c *conn) rest() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leave = true
	if c.call == nil {
		c.raw.Close()
	}
}

var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 8<<10) }}

func (c *conn) serve() {
	handed := false
	defer func() {
		if !handed {
			c.raw.Close()
		}
	}()
	hello := make([]byte, len(call.Hello))
	c.raw.SetReadDeadline(time.Now().Add(beginLimit))
	if _, err := io.ReadFull(c.raw, hello); err != nil {
		return
	}
	if string(hello) != call.Hello {
		unix, ok := c.raw.(*net.UnixConn)
		if ok && strings.HasPrefix(string(hello), "PRI ") {
			unix.SetReadDeadline(time.Time{})
			select {
			case c.s.rest.conns <- &begun{unix, hello}:
				handed = true
			case <-c.s.rest.done:
			case <-c.ctx.Done():
			}
		}
		return
	}
	_, info, err := c.s.opt.Credentials.ServerHandshake(c.raw)
	if err != nil {
		return
	}
	c.peer = &peer.Peer{Addr: c.raw.RemoteAddr(), LocalAddr: c.raw.LocalAddr(), AuthInfo: info}
	if _, err := c.raw.Write([]byte(call.Hello)); err != nil {
		return
	}
	c.in = readers.Get().(*bufio.Reader)
	c.in.Reset(c.raw)
	defer func() {
		c.in.Reset(nil)
		readers.Put(c.in)
	}()
	c.frames()
	c.cancel()
	c.mu.Lock()
	last := c.call
	c.mu.Unlock()
	if last != nil {
		<-last.done
	}
}

// frames reads what the caller sends until there is no more.
func (c *conn) frames() {
	var at *stream // the newest call, which may have ended
	first := true
	for {
		var head [call.FrameHead]byte
		if _, err := io.ReadFull(c.in, head[:]); err != nil {
			return
		}
		kind, n, err := call.Parse(head[:])
		if err != nil || kind != call.Message && n > maxHead {
			return
		}
		data, err := take(c.in, n)
		if err != nil {
			return
		}
		if first {
			first = false
			c.raw.SetReadDeadline(time.Time{})
		}
		switch {
		case kind == call.Head:
			if at != nil {
				if !at.closed { // a call within a call
					return
				}
				<-at.done
			}
			if at = c.begin(data); at == nil {
				return
			}
		case kind == call.Message && at != nil && !at.closed:
			if !c.pass(at, data) {
				return
			}
		case kind == call.Close && at != nil && !at.closed:
			at.closed = true
			close(at.in)
		default:
			return
		}
	}
}

// maxHead bounds what a call begins with, in bytes.
const maxHead = 64 << 10

// take reads n bytes. Room is made as they come, not for what somebody says will.
func take(r io.Reader, n int) ([]byte, error) {
	data := make([]byte, 0, min(n, 64<<10))
	for len(data) < n {
		if len(data) == cap(data) {
			data = slices.Grow(data, min(n-len(data), len(data)))
		}
		at := len(data)
		data = data[:min(n, cap(data))]
		if _, err := io.ReadFull(r, data[at:]); err != nil {
			return nil, err
		}
	}
	return data, nil
}

// pass gives a call what the caller sent, once it takes it. It returns false when
// the caller has gone meanwhile, which is not seen by reading: nothing is read here
// before this was taken.
func (c *conn) pass(st *stream, data []byte) bool {
	select {
	case st.in <- data:
		return true
	default:
	}
	look := time.NewTicker(goneLimit)
	defer look.Stop()
	for {
		select {
		case st.in <- data:
			return true
		case <-st.done:
			return true
		case <-look.C:
			if c.gone() {
				return false
			}
		}
	}
}

// goneLimit is how long it may take to see that a caller has gone.
const goneLimit = 500 * time.Millisecond

func (c *conn) gone() bool {
	sc, ok := c.raw.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return true
	}
	gone := false
	err = raw.Control(func(fd uintptr) {
		at := []unix.PollFd{{Fd: int32(fd)}}
		n, _ := unix.Poll(at, 0)
		gone = n > 0 && at[0].Revents&unix.POLLHUP != 0
	})
	return gone || err != nil
}

// begin has a call answered.
func (c *conn) begin(data []byte) *stream {
	head := &rinkpb.CallHead{}
	if err := proto.Unmarshal(data, head); err != nil {
		return nil
	}
	ctx, cancel := c.ctx, context.CancelFunc(nil)
	if head.Limit > 0 {
		ctx, cancel = context.WithTimeout(ctx, time.Duration(head.Limit))
	} else {
		ctx, cancel = context.WithCancel(ctx)
	}
	ctx = peer.NewContext(ctx, c.peer)
	md := metadata.MD{}
	for _, n := range head.Notes {
		md.Append(n.Key, n.Value)
	}
	st := &stream{c: c, method: head.Method, in: make(chan []byte, 1), done: make(chan struct{})}
	st.ctx = grpc.NewContextWithServerTransportStream(metadata.NewIncomingContext(ctx, md), st)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leave {
		cancel()
		return nil
	}
	c.call = st
	go func() { // ends with the call, whose context ends with the connection
		err := st.answer()
		cancel()
		st.end(err)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.call = nil
		close(st.done)
		if c.leave {
			c.raw.Close()
		}
	}()
	return st
}

// stream is one call. It is a grpc.ServerStream and a grpc.ServerTransportStream.
type stream struct {
	c      *conn
	method string
	ctx    context.Context
	in     chan []byte   // messages from the caller
	closed bool          // there are no more; for the reader of the connection
	done   chan struct{} // closed when the call has ended

	mu      sync.Mutex // guards trailer, and writing
	trailer metadata.MD
	reply   []byte // the one answer, which goes with the end
}

func (st *stream) Method() string           { return st.method }
func (st *stream) Context() context.Context { return st.ctx }

// SetHeader and SendHeader do nothing: no command looks at headers.
func (st *stream) SetHeader(metadata.MD) error  { return nil }
func (st *stream) SendHeader(metadata.MD) error { return nil }

func (st *stream) addTrailer(md metadata.MD) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.trailer = metadata.Join(st.trailer, md)
}

// transport and server are the two faces of a call in gRPC, which differ by one
// result.
type transport = grpc.ServerTransportStream

func (st *stream) SetTrailer(md metadata.MD) error {
	st.addTrailer(md)
	return nil
}

type server struct{ *stream }

func (s server) SetTrailer(md metadata.MD) { s.addTrailer(md) }

var (
	_ transport         = (*stream)(nil)
	_ grpc.ServerStream = server{}
)

// frame is a message in its frame.
func (st *stream) frame(m any) ([]byte, error) {
	data, err := st.c.s.opt.Codec.Marshal(m)
	if err != nil {
		return nil, status.Errorf(codes.Internal, "cannot write a message: %v", err)
	}
	b := append(make([]byte, call.FrameHead, call.FrameHead+len(data)), data...)
	b[0] = byte(call.Message)
	if err := call.Seal(b); err != nil {
		return nil, status.Error(codes.ResourceExhausted, err.Error())
	}
	return b, nil
}

func (st *stream) SendMsg(m any) error {
	b, err := st.frame(m)
	if err != nil {
		return err
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if _, err := st.c.raw.Write(b); err != nil {
		return status.Error(codes.Unavailable, err.Error())
	}
	return nil
}

func (st *stream) RecvMsg(m any) error {
	select {
	case data, ok := <-st.in:
		if !ok {
			return io.EOF
		}
		if err := st.c.s.opt.Codec.Unmarshal(data, m); err != nil {
			return status.Errorf(codes.Internal, "cannot read a message: %v", err)
		}
		return nil
	case <-st.ctx.Done():
		return status.FromContextError(st.ctx.Err()).Err()
	}
}

// answer has the method called.
func (st *stream) answer() error {
	m, known := st.c.s.methods[st.method]
	switch {
	case known && m.unary != nil:
		reply, err := m.unary.Handler(m.impl, st.ctx, st.RecvMsg, chainUnary(st.c.s.opt.Unary))
		if err == nil {
			st.reply, err = st.frame(reply)
		}
		return err
	case known:
		info := &grpc.StreamServerInfo{FullMethod: st.method, IsClientStream: m.stream.ClientStreams, IsServerStream: m.stream.ServerStreams}
		return chainStream(st.c.s.opt.Stream, info, m.stream.Handler)(m.impl, server{st})
	case st.c.s.opt.Unknown != nil:
		return st.c.s.opt.Unknown(nil, server{st})
	}
	return status.Errorf(codes.Unimplemented, "unknown method %s", st.method)
}

// end tells the caller how the call ended, with its answer if there is one.
func (st *stream) end(err error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	how, ok := status.FromError(err)
	if !ok {
		how = status.FromContextError(err)
	}
	end := &rinkpb.CallEnd{Code: uint32(how.Code()), Text: how.Message()}
	for key, values := range st.trailer {
		for _, v := range values {
			end.Notes = append(end.Notes, &rinkpb.CallNote{Key: key, Value: v})
		}
	}
	b, err := call.Append(st.reply, call.End, end)
	if err != nil { // words that are not UTF-8
		b, err = call.Append(st.reply, call.End, &rinkpb.CallEnd{Code: end.Code, Text: fmt.Sprintf("%+q", end.Text)})
	}
	if err == nil {
		st.c.raw.Write(b) // of one who has gone nobody hears
	}
}

func chainUnary(list []grpc.UnaryServerInterceptor) grpc.UnaryServerInterceptor {
	if len(list) == 0 {
		return nil
	}
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		for i := len(list) - 1; i > 0; i-- {
			next, around := handler, list[i]
			handler = func(ctx context.Context, req any) (any, error) { return around(ctx, req, info, next) }
		}
		return list[0](ctx, req, info, handler)
	}
}

func chainStream(list []grpc.StreamServerInterceptor, info *grpc.StreamServerInfo, handler grpc.StreamHandler) grpc.StreamHandler {
	for i := len(list) - 1; i >= 0; i-- {
		next, around := handler, list[i]
		handler = func(srv any, ss grpc.ServerStream) error { return around(srv, ss, info, next) }
	}
	return handler
}
