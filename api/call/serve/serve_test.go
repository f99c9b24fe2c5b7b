package serve

import (
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/runink/rink/api/call"
	"github.com/runink/rink/api/rinkpb"
)

// daemon says of each call what it was asked.
type daemon struct {
	rinkpb.UnimplementedControllerServer
	begun, gone chan struct{} // closed when a call that waits began, and when its context ended
}

func (d *daemon) Submit(ctx context.Context, req *rinkpb.SubmitRequest) (*rinkpb.SubmitReply, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	grpc.SetTrailer(ctx, metadata.Pairs("seen", strings.Join(md.Get("word"), "+")))
	switch req.Key {
	case "refuse":
		return nil, status.Error(codes.NotFound, "no such \xff thing")
	case "wait":
		close(d.begun)
		<-ctx.Done()
		close(d.gone)
		return nil, ctx.Err()
	}
	return &rinkpb.SubmitReply{Run: req.Key}, nil
}

func (d *daemon) ListJobs(_ *rinkpb.ListJobsRequest, stream rinkpb.Controller_ListJobsServer) error {
	for i := range 1000 {
		if err := stream.Send(&rinkpb.JobPage{Now: int64(i)}); err != nil {
			return err
		}
	}
	return nil
}

func (d *daemon) StepIO(stream rinkpb.Controller_StepIOServer) error {
	if d.begun != nil { // takes nothing
		close(d.begun)
		<-stream.Context().Done()
		close(d.gone)
		return nil
	}
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return status.Error(codes.ResourceExhausted, "enough")
		}
		if err != nil {
			return err
		}
		if err := stream.Send(&rinkpb.StepDown{Node: string(m.Stdin)}); err != nil {
			return err
		}
	}
}

func start(t *testing.T, d *daemon, opt Options) (*Server, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	opt.Credentials = insecure.NewCredentials()
	s := New(opt)
	rinkpb.RegisterControllerServer(s, d)
	go s.Serve(l) // ends with Stop
	t.Cleanup(s.Stop)
	return s, path
}

func dial(t *testing.T, path string) *call.Conn {
	t.Helper()
	c, err := call.Dial(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// ask makes a call of one answer.
func ask(t *testing.T, ctx context.Context, c *call.Conn, key string, notes call.Notes) (*rinkpb.SubmitReply, *call.Call, error) {
	t.Helper()
	k, err := c.Begin(ctx, rinkpb.Controller_Submit_Call, notes, &rinkpb.SubmitRequest{Key: key})
	if err != nil {
		return nil, nil, err
	}
	reply := &rinkpb.SubmitReply{}
	if err := k.Recv(reply); err != nil {
		return nil, k, err
	}
	if err := k.Recv(&rinkpb.SubmitReply{}); !errors.Is(err, io.EOF) {
		t.Errorf("after the answer: %v", err)
	}
	return reply, k, nil
}

func TestCallsOfOneAnswer(t *testing.T) {
	var order []string
	around := func(name string) grpc.UnaryServerInterceptor {
		return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, h grpc.UnaryHandler) (any, error) {
			order = append(order, name+info.FullMethod)
			return h(ctx, req)
		}
	}
	_, path := start(t, &daemon{}, Options{Unary: []grpc.UnaryServerInterceptor{around("a"), around("b")}})
	c := dial(t, path)
	for _, key := range []string{"one", strings.Repeat("long", 1<<20), "three"} {
		reply, k, err := ask(t, t.Context(), c, key, call.Notes{{Key: "word", Value: "x"}, {Key: "word", Value: "y"}})
		if err != nil || reply.Run != key {
			t.Fatalf("%.10s: %v", key, err)
		}
		if got := k.Notes().Get("seen"); len(got) != 1 || got[0] != "x+y" || !k.Free() {
			t.Errorf("notes %v, free %v", got, k.Free())
		}
	}
	if len(order) != 6 || order[0] != "a"+rinkpb.Controller_Submit_Call || order[1] != "b"+rinkpb.Controller_Submit_Call {
		t.Errorf("interceptors: %v", order)
	}
	_, k, err := ask(t, t.Context(), c, "refuse", nil)
	if call.CodeOf(err) != call.NotFound || err.Error() != "no such \uFFFD thing" && err.Error() != `"no such \xff thing"` || !k.Free() {
		t.Errorf("refused: %v", err)
	}
	k, err = c.Begin(t.Context(), "/runink.v1.Controller/Nothing", nil, &rinkpb.SubmitRequest{})
	if err == nil {
		err = k.Recv(&rinkpb.SubmitReply{})
	}
	if call.CodeOf(err) != call.Code(codes.Unimplemented) {
		t.Errorf("unknown: %v", err)
	}
}

func TestStreams(t *testing.T) {
	_, path := start(t, &daemon{}, Options{})
	c := dial(t, path)
	k, err := c.Begin(t.Context(), rinkpb.Controller_ListJobs_Call, nil, &rinkpb.ListJobsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1001 {
		page := &rinkpb.JobPage{}
		switch err := k.Recv(page); {
		case i == 1000 && errors.Is(err, io.EOF):
		case err != nil || page.Now != int64(i):
			t.Fatalf("%d: %v %v", i, page, err)
		}
	}
	k, err = c.Begin(t.Context(), rinkpb.Controller_StepIO_Call, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"a", "b"} {
		down := &rinkpb.StepDown{}
		if err := k.Send(&rinkpb.StepUp{Stdin: []byte(text)}); err != nil {
			t.Fatal(err)
		}
		if err := k.Recv(down); err != nil || down.Node != text {
			t.Fatalf("%v %v", down, err)
		}
	}
	k.CloseSend()
	if err := k.Recv(&rinkpb.StepDown{}); call.CodeOf(err) != call.ResourceExhausted || err.Error() != "enough" || !k.Free() {
		t.Errorf("%v", err)
	}
}

// A call ends when its caller goes away, and when its time is over.
func TestCallsThatAreGivenUp(t *testing.T) {
	for name, end := range map[string]func(*call.Conn, context.CancelFunc){
		"Closed":   func(c *call.Conn, _ context.CancelFunc) { c.Close() },
		"Canceled": func(_ *call.Conn, cancel context.CancelFunc) { cancel() },
		"Late":     nil,
	} {
		t.Run(name, func(t *testing.T) {
			d := &daemon{begun: make(chan struct{}), gone: make(chan struct{})}
			_, path := start(t, d, Options{})
			c := dial(t, path)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if end == nil {
				ctx, cancel = context.WithTimeout(ctx, 2*time.Second)
				defer cancel()
			}
			k, err := c.Begin(ctx, rinkpb.Controller_Submit_Call, nil, &rinkpb.SubmitRequest{Key: "wait"})
			if err == nil {
				err = k.Up()
			}
			if err != nil {
				t.Fatal(err)
			}
			<-d.begun
			if end != nil {
				end(c, cancel)
			}
			<-d.gone
			want := map[string]call.Code{"Closed": call.Unavailable, "Canceled": call.Canceled, "Late": call.DeadlineExceeded}[name]
			if err := k.Recv(&rinkpb.SubmitReply{}); call.CodeOf(err) != want {
				t.Errorf("%v, want code %d", err, want)
			}
			if end != nil && k.Free() { // the daemon's own word that the time is over may come first, and then it is
				t.Error("its connection may carry another call")
			}
		})
	}
}

// A caller's end is seen although what it sent before was not taken.
func TestGoneBehindWhatWasNotTaken(t *testing.T) {
	d := &daemon{begun: make(chan struct{}), gone: make(chan struct{})}
	_, path := start(t, d, Options{})
	c := dial(t, path)
	k, err := c.Begin(t.Context(), rinkpb.Controller_StepIO_Call, nil, nil)
	for i := 0; i < 4 && err == nil; i++ {
		err = k.Send(&rinkpb.StepUp{Stdin: []byte("a")})
	}
	if err != nil {
		t.Fatal(err)
	}
	<-d.begun
	c.Close()
	<-d.gone
}

// A daemon that hangs has not begun what it was asked, and does not later.
func TestDaemonThatHangs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	k, err := dial(t, path).Begin(t.Context(), rinkpb.Controller_Submit_Call, nil, &rinkpb.SubmitRequest{Key: "x"})
	if err == nil {
		err = k.Up()
	}
	if !errors.Is(err, call.ErrNotUp) || call.CodeOf(err) != call.Unavailable {
		t.Fatalf("%v", err)
	}
	called := make(chan string, 1)
	s := New(Options{Credentials: insecure.NewCredentials(), Unary: []grpc.UnaryServerInterceptor{
		func(_ context.Context, req any, _ *grpc.UnaryServerInfo, _ grpc.UnaryHandler) (any, error) {
			called <- req.(*rinkpb.SubmitRequest).Key
			return &rinkpb.SubmitReply{}, nil
		}}})
	rinkpb.RegisterControllerServer(s, &daemon{})
	go s.Serve(l) // ends with Stop
	t.Cleanup(s.Stop)
	if _, _, err := ask(t, t.Context(), dial(t, path), "y", nil); err != nil {
		t.Fatal(err)
	}
	if key := <-called; key != "y" {
		t.Errorf("%q was begun", key)
	}
}

// Calls in progress end before the server has stopped with grace; connections that
// carry none are closed.
func TestGracefulStop(t *testing.T) {
	s, path := start(t, &daemon{}, Options{})
	free, busy := dial(t, path), dial(t, path)
	if _, _, err := ask(t, t.Context(), free, "x", nil); err != nil {
		t.Fatal(err)
	}
	k, err := busy.Begin(t.Context(), rinkpb.Controller_StepIO_Call, nil, nil)
	if err == nil {
		err = k.Send(&rinkpb.StepUp{Stdin: []byte("a")})
	}
	if err == nil {
		err = k.Recv(&rinkpb.StepDown{})
	}
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); s.GracefulStop() }()
	for free.Alive() {
		time.Sleep(time.Millisecond)
	}
	select {
	case <-done:
		t.Fatal("stopped before the call ended")
	default:
	}
	k.CloseSend()
	if err := k.Recv(&rinkpb.StepDown{}); call.CodeOf(err) != call.ResourceExhausted {
		t.Error(err)
	}
	<-done
}

// Who speaks gRPC is answered by a gRPC server behind the same socket.
func TestOthers(t *testing.T) {
	s, path := start(t, &daemon{}, Options{})
	g := grpc.NewServer()
	rinkpb.RegisterControllerServer(g, &daemon{})
	done := make(chan error)
	go func() { done <- g.Serve(s.Others()) }()
	conn, err := grpc.NewClient("unix:"+path, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	reply, err := rinkpb.NewControllerClient(conn).Submit(t.Context(), &rinkpb.SubmitRequest{Key: "k"})
	if err != nil || reply.Run != "k" {
		t.Errorf("%v, %v", reply, err)
	}
	g.Stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// What makes no sense ends the connection, and the server goes on.
func TestNonsense(t *testing.T) {
	_, path := start(t, &daemon{}, Options{})
	for _, text := range []string{"GET / HTTP/1.0\r\n\r\n", call.Hello + "X\x00\x00\x00\x00", call.Hello + "H\xff\xff\xff\xff", call.Hello + "H\x00\x02\x00\x00",
		call.Hello + "M\x00\x00\x00\x00", call.Hello + "H\x00\x00\x00\x01\xff", call.Hello + "H\x00\x00\x00\x00H\x00\x00\x00\x00"} {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(5 * time.Second))
		conn.Write([]byte(text))
		if _, err := io.ReadAll(conn); err != nil && !strings.Contains(err.Error(), "reset") {
			t.Errorf("%q: %v", text, err)
		}
		conn.Close()
	}
	if _, _, err := ask(t, t.Context(), dial(t, path), "x", nil); err != nil {
		t.Error(err)
	}
}
