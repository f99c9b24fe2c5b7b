package cli

import (
	"context"
	"errors"
	"io"
	"strconv"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/runink/rink/api/rinkpb"
)

// The metadata of calls and answers: how far the state was, how fresh an answer is
// to be, and that nothing was done.
const (
	keyIndex    = "rink-index"
	keyRead     = "rink-read"
	keyNotTaken = "rink-not-taken"
)

const (
	// upLimit is how long a daemon may take to answer a connection: one that hangs
	// is passed over.
	upLimit = time.Second
	// tryLimit is how long one try of a quick call may take where there is another
	// daemon to ask.
	tryLimit = 6 * time.Second
	// downLimit is how long nobody may answer at all until a command gives up.
	downLimit = 5 * time.Second
)

// line is the way to the cluster: through one of the daemons of this host, and
// through another when that one is lost. A call is made again as long as nothing
// was done of it, or as doing it twice does no harm.
type line struct {
	socks []string
	read  string // RINK_READ: how fresh answers are to be

	mu    sync.Mutex // guards what follows
	at    int        // in socks
	heard bool       // the one at hand has just answered
	conn  *grpc.ClientConn
	index uint64 // how far the state was by the last answer
}

// slow are calls that may take as long as they like.
var slow = map[string]bool{
	rinkpb.Controller_CreateStep_FullMethodName: true, rinkpb.Controller_ImportHistory_FullMethodName: true, rinkpb.Controller_Usage_FullMethodName: true,
	rinkpb.Controller_StepStats_FullMethodName: true, rinkpb.Controller_Reconfigure_FullMethodName: true,
	rinkpb.Controller_ChangeControllers_FullMethodName: true, rinkpb.Controller_Explain_FullMethodName: true,
}

// once are calls not made again when it is not known what became of the first try.
func once(method string, req any) bool {
	switch method {
	case rinkpb.Controller_ChangeAccounts_FullMethodName, rinkpb.Controller_CreateToken_FullMethodName:
		return true
	case rinkpb.Controller_ModifyReservation_FullMethodName:
		return req.(*rinkpb.ModifyReservationRequest).Create
	case rinkpb.Controller_Act_FullMethodName:
		a := req.(*rinkpb.ActRequest).Action
		return a == rinkpb.ActRequest_REQUEUE || a == rinkpb.ActRequest_REQUEUEHOLD
	}
	return false
}

func (l *line) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn == nil {
		return nil
	}
	err := l.conn.Close()
	l.conn = nil
	return err
}

// up returns a connection that is up, of the first daemon that answers.
func (l *line) up(ctx context.Context) (*grpc.ClientConn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var last error
	for range l.socks {
		sock := l.socks[l.at]
		if l.conn == nil {
			heard := l.heard
			l.heard = false
			if last = nil; !heard {
				last = answers(sock)
			}
			if last != nil {
				l.at = (l.at + 1) % len(l.socks)
				continue
			}
			conn, err := grpc.NewClient("unix:"+sock,
				grpc.WithTransportCredentials(insecure.NewCredentials()),
				grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)),
				grpc.WithNoProxy(), grpc.WithDisableServiceConfig())
			if err != nil {
				return nil, err
			}
			l.conn = conn
		}
		if isUp(ctx, l.conn) {
			return l.conn, nil
		}
		last = status.Errorf(codes.Unavailable, "%s does not answer", sock)
		l.drop(l.conn)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, last
}

// drop gives up a connection, and has the next daemon tried. l.mu is held.
func (l *line) drop(conn *grpc.ClientConn) {
	if l.conn != conn {
		return
	}
	conn.Close()
	l.conn, l.at = nil, (l.at+1)%len(l.socks)
}

func isUp(ctx context.Context, conn *grpc.ClientConn) bool {
	ctx, cancel := context.WithTimeout(ctx, upLimit)
	defer cancel()
	for {
		state := conn.GetState()
		switch state {
		case connectivity.Ready:
			return true
		case connectivity.TransientFailure, connectivity.Shutdown:
			return false
		}
		conn.Connect()
		if !conn.WaitForStateChange(ctx, state) {
			return false
		}
	}
}

func (l *line) outgoing(ctx context.Context) context.Context {
	l.mu.Lock()
	index := l.index
	l.mu.Unlock()
	if index > 0 {
		ctx = metadata.AppendToOutgoingContext(ctx, keyIndex, strconv.FormatUint(index, 10))
	}
	if l.read != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, keyRead, l.read)
	}
	return ctx
}

// saw notes how far the state was by an answer.
func (l *line) saw(trailer metadata.MD) {
	for _, v := range trailer.Get(keyIndex) {
		if n, err := strconv.ParseUint(v, 10, 64); err == nil {
			l.mu.Lock()
			l.index = max(l.index, n)
			l.mu.Unlock()
		}
	}
}

// Invoke makes a call of one answer.
func (l *line) Invoke(ctx context.Context, method string, req, reply any, opts ...grpc.CallOption) error {
	var heard = time.Now()
	var last error
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, 300*time.Millisecond) {
		conn, err := l.up(ctx)
		if err == nil {
			heard = time.Now()
			try, cancel := ctx, context.CancelFunc(func() {})
			limited := len(l.socks) > 1 && !slow[method]
			if limited {
				try, cancel = context.WithTimeout(ctx, tryLimit)
			}
			var trailer metadata.MD
			err = conn.Invoke(l.outgoing(try), method, req, reply, append(opts[:len(opts):len(opts)], grpc.Trailer(&trailer))...)
			cancel()
			l.saw(trailer)
			code := status.Code(err)
			// The other side may see that the try's time is over before this one does.
			hung := limited && ctx.Err() == nil
			if code != codes.Unavailable && !(hung && code == codes.DeadlineExceeded) {
				return err
			}
			last = err
			if len(trailer.Get(keyNotTaken)) == 0 {
				l.mu.Lock()
				l.drop(conn)
				l.mu.Unlock()
				if once(method, req) {
					return err
				}
			}
		} else if last == nil {
			last = err
		}
		if time.Since(heard) > downLimit {
			return status.Error(codes.Unavailable, last.Error())
		}
		select {
		case <-ctx.Done():
			return last
		case <-time.After(wait):
		}
	}
}

// NewStream begins a call that streams.
func (l *line) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	open := func() (grpc.ClientStream, error) {
		conn, err := l.up(ctx)
		if err != nil {
			return nil, status.Error(codes.Unavailable, err.Error())
		}
		return conn.NewStream(l.outgoing(ctx), desc, method, opts...)
	}
	first, err := open()
	if err != nil || desc.ClientStreams {
		return first, err
	}
	return &listing{ClientStream: first, ctx: ctx, l: l, open: open, anew: method == rinkpb.Controller_WaitJob_FullMethodName}, nil
}

// listing is a call with one request and many answers. Until the first of them is
// there it is made again when the line is lost; the word on a job is taken up again
// at any time, since each answer says all.
type listing struct {
	grpc.ClientStream
	ctx   context.Context // of the whole call, however often it is made
	l     *line
	open  func() (grpc.ClientStream, error)
	anew  bool
	req   any
	begun bool
}

func (s *listing) SendMsg(m any) error {
	s.req = m
	if err := s.ClientStream.SendMsg(m); err != nil && !errors.Is(err, io.EOF) { // EOF: what is wrong is told by RecvMsg
		return err
	}
	return nil
}

func (s *listing) CloseSend() error { return s.ClientStream.CloseSend() }

func (s *listing) RecvMsg(m any) error {
	lost := time.Now()
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, 300*time.Millisecond) {
		err := s.ClientStream.RecvMsg(m)
		if err == nil {
			s.begun = true
			return nil
		}
		s.l.saw(s.ClientStream.Trailer())
		if status.Code(err) != codes.Unavailable || s.begun && !s.anew {
			return err
		}
		for {
			select {
			case <-s.ctx.Done():
			case <-time.After(wait):
			}
			next, failed := s.open()
			if failed == nil {
				lost = time.Now()
				s.ClientStream = next
				if failed = next.SendMsg(s.req); failed == nil {
					failed = next.CloseSend()
				}
			}
			if failed == nil {
				break
			}
			if time.Since(lost) > downLimit || status.Code(failed) != codes.Unavailable {
				return err
			}
			wait = min(2*wait, 300*time.Millisecond)
		}
		if p, ok := m.(proto.Message); ok {
			proto.Reset(p)
		}
	}
}
