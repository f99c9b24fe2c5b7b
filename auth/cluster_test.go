package auth

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	health "google.golang.org/grpc/health/grpc_health_v1"
)

// testAuthority makes the authority of a cluster in a directory of the test.
func testAuthority(t *testing.T, cluster string) *Authority {
	t.Helper()
	// Old enough to have issued certificates that have expired since.
	a, err := CreateAuthority(t.TempDir(), cluster, time.Now().Add(-60*24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// testCredentials are a daemon's credentials issued at that time.
func testCredentials(t *testing.T, a *Authority, role Role, name string, at time.Time) *Credentials {
	t.Helper()
	req, err := NewRequest()
	if err != nil {
		t.Fatal(err)
	}
	cert, err := a.Issue(req.CSR(), role, name, at)
	if err != nil {
		t.Fatal(err)
	}
	c, err := req.Accept(cert, a.Certificate(), role, name, at)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// whoServer answers Check and remembers who called it last.
type whoServer struct {
	health.UnimplementedHealthServer
	mu     sync.Mutex // guards the rest
	calls  int
	peer   Identity
	known  bool
	caller Identity
	err    error
}

func (w *whoServer) Check(ctx context.Context, _ *health.HealthCheckRequest) (*health.HealthCheckResponse, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls++
	w.peer, w.known = PeerFrom(ctx)
	w.caller, w.err = Caller(ctx)
	return &health.HealthCheckResponse{}, nil
}

func (w *whoServer) last() (calls int, peer Identity, known bool, caller Identity, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls, w.peer, w.known, w.caller, w.err
}

// serveWho serves a whoServer on the listener until the test ends.
func serveWho(t *testing.T, l net.Listener, opt grpc.ServerOption) *whoServer {
	t.Helper()
	w := &whoServer{}
	s := grpc.NewServer(opt)
	health.RegisterHealthServer(s, w)
	done := make(chan struct{})
	go func() { s.Serve(l); close(done) }()
	t.Cleanup(func() { s.Stop(); <-done })
	return w
}

// call makes one call to the target.
func call(t *testing.T, ctx context.Context, target string, opts []grpc.DialOption) error {
	t.Helper()
	conn, err := grpc.NewClient(target, opts...)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	_, err = health.NewHealthClient(conn).Check(ctx, &health.HealthCheckRequest{})
	return err
}

// testLog collects log lines.
type testLog struct {
	mu   sync.Mutex // guards text
	text strings.Builder
}

func (l *testLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *testLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *testLog) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// waitFor fails the test when ok does not become true in time.
func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited too long for %s", what)
		}
	}
}

// testListener serves the protocols on a port of its own until the test ends.
func testListener(t *testing.T, creds *Credentials, log *testLog, protos ...Protocol) *Listener {
	t.Helper()
	l, err := Listen("127.0.0.1:0", ListenerConfig{
		Credentials: creds, Protocols: protos, HandshakeTimeout: 500 * time.Millisecond, Log: log.logger(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}
