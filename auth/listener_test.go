package auth

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

var allProtocols = []Protocol{ProtoGRPC, ProtoRaft, ProtoJoin}

func TestGRPCBetweenDaemons(t *testing.T) {
	a := testAuthority(t, "ref")
	stranger := testAuthority(t, "ref")
	now := time.Now()
	c1 := testCredentials(t, a, RoleController, "c1", now)
	n1 := testCredentials(t, a, RoleNode, "n1", now)
	old := testCredentials(t, a, RoleNode, "n1", now.Add(-40*24*time.Hour))
	foreign := testCredentials(t, stranger, RoleNode, "n1", now)
	tok, err := NewToken(a.Certificate())
	if err != nil {
		t.Fatal(err)
	}
	// A client that trusts whatever it finds, with another authority's
	// certificate: the server must be the one to refuse.
	blind := &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{"h2"}, InsecureSkipVerify: true,
		Certificates: []tls.Certificate{foreign.id.Load().chain},
	}
	expired := blind.Clone()
	expired.Certificates = []tls.Certificate{old.id.Load().chain}
	none := blind.Clone()
	none.Certificates = nil
	tls12 := blind.Clone()
	tls12.Certificates = []tls.Certificate{n1.id.Load().chain}
	tls12.MinVersion, tls12.MaxVersion = tls.VersionTLS12, tls.VersionTLS12

	log := &testLog{}
	l := testListener(t, c1, log, allProtocols...)
	w := serveWho(t, l.GRPC(), grpc.Creds(ServerCredentials()))
	addr := l.Addr().String()

	for _, tt := range []struct {
		name string
		opts []grpc.DialOption
		want string // "" is success; in the error or, with "log: ", in the server's log
	}{
		{"OK", DialOptions(n1, RoleController, "c1"), ""},
		{"AnyController", DialOptions(n1, RoleController, ""), ""},
		{"OtherName", DialOptions(n1, RoleController, "c2"), "the server is controller c1, not controller c2"},
		{"OtherRole", DialOptions(n1, RoleNode, "c1"), "the server is controller c1, not node c1"},
		{"ServerOfAnotherAuthority", DialOptions(foreign, RoleController, "c1"), "unknown authority"},
		{"ClientOfAnotherAuthority", dialOptions(blind), "log: unknown authority"},
		{"ClientExpired", dialOptions(expired), "log: expired"},
		{"ClientWithoutCertificate", dialOptions(none), "log: provide a certificate"},
		{"TLS12", dialOptions(tls12), "protocol version"},
		{"JoinInsteadOfGRPC", JoinDialOptions(tok), "DeadlineExceeded"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before, _, _, _, _ := w.last()
			ctx := context.Background()
			if tt.name == "JoinInsteadOfGRPC" { // nobody serves joins here
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, 300*time.Millisecond)
				defer cancel()
			}
			err := call(t, ctx, addr, tt.opts)
			after, peer, known, caller, _ := w.last()
			if tt.want == "" {
				if want := n1.Identity(); err != nil || !known || peer != want || caller != want {
					t.Errorf("error %v, peer %+v %v, caller %+v; want %+v", err, peer, known, caller, want)
				}
				return
			}
			// With TLS 1.3 the client may see only that the connection broke.
			if words, ok := strings.CutPrefix(tt.want, "log: "); ok {
				waitFor(t, "the server's log to say "+words, func() bool { return strings.Contains(log.String(), words) })
				if err == nil {
					t.Error("no error")
				}
			} else if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
			if after != before {
				t.Error("the call was served")
			}
		})
	}
	waitFor(t, "the refusals in the log", func() bool { return strings.Contains(log.String(), "level=INFO msg=\"connection refused\"") })
}

func TestForwardingThroughANode(t *testing.T) {
	a := testAuthority(t, "ref")
	c1 := testCredentials(t, a, RoleController, "c1", time.Now())
	n1 := testCredentials(t, a, RoleNode, "n1", time.Now())
	l := testListener(t, c1, &testLog{}, ProtoGRPC)
	w := serveWho(t, l.GRPC(), grpc.Creds(ServerCredentials()))
	ctx := Outgoing(context.Background(), Identity{Kind: LocalPeer, UID: 1000, GID: 100})
	if err := call(t, ctx, l.Addr().String(), DialOptions(n1, RoleController, "c1")); err != nil {
		t.Fatal(err)
	}
	_, peer, _, caller, err := w.last()
	want := Identity{Kind: Forwarded, UID: 1000, GID: 100, Cluster: "ref", Role: RoleNode, Name: "n1"}
	if peer != n1.Identity() || caller != want || err != nil {
		t.Errorf("peer %+v, caller %+v %v, want %+v", peer, caller, err, want)
	}
}

func TestJoinPinsTheAuthority(t *testing.T) {
	a := testAuthority(t, "ref")
	stranger := testAuthority(t, "ref")
	now := time.Now()
	tok, err := NewToken(a.Certificate())
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		server *Credentials
		want   string
	}{
		{"OK", testCredentials(t, a, RoleController, "c1", now), ""},
		{"OtherAuthority", testCredentials(t, stranger, RoleController, "c1", now), "does not belong to the cluster"},
		{"Node", testCredentials(t, a, RoleNode, "n1", now), "the server is node n1, not controller"},
		{"Expired", testCredentials(t, a, RoleController, "c1", now.Add(-40*24*time.Hour)), "expired"},
		{"PinnedButNotSigned", impostor(t, a, stranger), "unknown authority"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := testListener(t, tt.server, &testLog{}, allProtocols...)
			grpcs := serveWho(t, l.GRPC(), grpc.Creds(ServerCredentials()))
			joins := serveWho(t, l.Join(), grpc.Creds(JoinServerCredentials()))
			// A joining daemon may claim to be anybody; it is nobody.
			ctx := metadata.AppendToOutgoingContext(context.Background(), keyUID, "0", keyGID, "0")
			err := call(t, ctx, l.Addr().String(), JoinDialOptions(tok))
			if n, _, _, _, _ := grpcs.last(); n != 0 {
				t.Error("the call reached the service for daemons")
			}
			n, peer, known, caller, callerErr := joins.last()
			if tt.want == "" {
				if err != nil || n != 1 {
					t.Fatalf("error %v, %d calls", err, n)
				}
				if known || peer != (Identity{}) || caller != (Identity{}) || callerErr == nil {
					t.Errorf("the server takes it for %+v %+v", peer, caller)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || n != 0 {
				t.Errorf("error %v, want one with %q; %d calls", err, tt.want, n)
			}
		})
	}
}

// impostor presents the real authority's certificate beside one that another
// authority issued.
func impostor(t *testing.T, real, other *Authority) *Credentials {
	c := testCredentials(t, other, RoleController, "c1", time.Now())
	id := *c.id.Load()
	id.chain.Certificate = [][]byte{id.cert.Raw, real.Certificate()}
	fake := &Credentials{}
	fake.id.Store(&id)
	return fake
}

func TestRaftIsForControllers(t *testing.T) {
	a := testAuthority(t, "ref")
	now := time.Now()
	c1 := testCredentials(t, a, RoleController, "c1", now)
	c2 := testCredentials(t, a, RoleController, "c2", now)
	n1 := testCredentials(t, a, RoleNode, "n1", now)
	l1 := testListener(t, c1, &testLog{}, allProtocols...)
	l2 := testListener(t, c2, &testLog{}, allProtocols...)
	names := map[string]string{l1.Addr().String(): "c1", l2.Addr().String(): "c2"}
	r1 := NewRaftLayer(l1, c1, l1.Addr().String(), func(a string) string { return names[a] })
	r2 := NewRaftLayer(l2, c2, "c2.example:6817", nil)
	if got := r2.Addr().String(); got != "c2.example:6817" {
		t.Errorf("advertised %q", got)
	}

	accepted := make(chan net.Conn, 1)
	go func() {
		conn, err := r1.Accept()
		if err == nil {
			accepted <- conn
		}
	}()
	conn, err := r2.Dial(raft.ServerAddress(l1.Addr().String()), 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	other := <-accepted
	defer other.Close()
	if id := other.(*Conn).Identity(); id != c2.Identity() {
		t.Errorf("accepted from %v, want %v", id, c2.Identity())
	}
	go conn.Write([]byte("hello"))
	buf := make([]byte, 5)
	if _, err := io.ReadFull(other, buf); err != nil || string(buf) != "hello" {
		t.Errorf("read %q, %v", buf, err)
	}

	// A node's certificate opens no Raft stream, and a node's port is none.
	rn := NewRaftLayer(l2, n1, "", nil)
	if conn, err := rn.Dial(raft.ServerAddress(l1.Addr().String()), 5*time.Second); err == nil {
		// With TLS 1.3 the refusal arrives with the first read.
		conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		if _, err := conn.Read(buf); err == nil || !strings.Contains(err.Error(), "certificate") {
			t.Errorf("a node's Raft stream: %v, want a refused certificate", err)
		}
		conn.Close()
	}
	ln := testListener(t, n1, &testLog{}, ProtoGRPC)
	if _, err := r1.Dial(raft.ServerAddress(ln.Addr().String()), 5*time.Second); err == nil {
		t.Error("a node's port took a Raft stream")
	}
	names[l2.Addr().String()] = "c3"
	if _, err := r1.Dial(raft.ServerAddress(l2.Addr().String()), 5*time.Second); err == nil || !strings.Contains(err.Error(), "not controller c3") {
		t.Errorf("error %v, want a refusal: the address is another's", err)
	}
	if _, err := ln.Raft().Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a protocol that is not served: %v, want net.ErrClosed", err)
	}
}

func TestRaftTransportOverTheLayer(t *testing.T) {
	a := testAuthority(t, "ref")
	c1 := testCredentials(t, a, RoleController, "c1", time.Now())
	c2 := testCredentials(t, a, RoleController, "c2", time.Now())
	l1 := testListener(t, c1, &testLog{}, allProtocols...)
	l2 := testListener(t, c2, &testLog{}, allProtocols...)
	t1 := raft.NewNetworkTransport(NewRaftLayer(l1, c1, l1.Addr().String(), nil), 2, 5*time.Second, io.Discard)
	defer t1.Close()
	t2 := raft.NewNetworkTransport(NewRaftLayer(l2, c2, l2.Addr().String(), nil), 2, 5*time.Second, io.Discard)
	defer t2.Close()
	go func() {
		rpc := <-t1.Consumer()
		rpc.Respond(&raft.RequestVoteResponse{Term: rpc.Command.(*raft.RequestVoteRequest).Term + 1}, nil)
	}()
	var resp raft.RequestVoteResponse
	if err := t2.RequestVote("c1", t1.LocalAddr(), &raft.RequestVoteRequest{Term: 4}, &resp); err != nil {
		t.Fatal(err)
	}
	if resp.Term != 5 {
		t.Errorf("term %d, want 5", resp.Term)
	}
}

func TestGarbageIsClosedQuietly(t *testing.T) {
	a := testAuthority(t, "ref")
	c1 := testCredentials(t, a, RoleController, "c1", time.Now())
	for _, tt := range []struct{ name, send string }{
		{"HTTP", "GET / HTTP/1.1\r\n\r\n"},
		{"Silence", ""},
		{"HalfAHello", "\x16\x03\x01\x02\x00\x01"},
		{"SlurmLike", "\x00\x00\x00\x10\x26\x00\x00\x00"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			log := &testLog{}
			l := testListener(t, c1, log, allProtocols...)
			w := serveWho(t, l.GRPC(), grpc.Creds(ServerCredentials()))
			conn, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := io.WriteString(conn, tt.send); err != nil {
				t.Fatal(err)
			}
			conn.SetReadDeadline(time.Now().Add(5 * time.Second))
			if _, err := io.Copy(io.Discard, conn); errors.Is(err, context.DeadlineExceeded) {
				t.Error("the connection stays open")
			}
			waitFor(t, "the debug line", func() bool { return strings.Contains(log.String(), "connection refused") })
			if s := log.String(); !strings.Contains(s, "level=DEBUG") || strings.Contains(s, "level=INFO") || strings.Contains(s, "level=WARN") {
				t.Errorf("log: %s", s)
			}
			if n, _, _, _, _ := w.last(); n != 0 {
				t.Error("a call was served")
			}
		})
	}
}

func TestClientWithoutAKnownProtocolIsRefused(t *testing.T) {
	a := testAuthority(t, "ref")
	c1 := testCredentials(t, a, RoleController, "c1", time.Now())
	l := testListener(t, c1, &testLog{}, ProtoGRPC)
	for _, protos := range [][]string{nil, {"http/1.1"}, {string(ProtoRaft)}, {string(ProtoJoin)}} {
		conn, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{InsecureSkipVerify: true, NextProtos: protos})
		if err == nil {
			conn.Close()
			t.Errorf("a client that offers %q got through", protos)
		}
	}
}

func TestSlowHandshakesDoNotHoldUpOthers(t *testing.T) {
	a := testAuthority(t, "ref")
	c1 := testCredentials(t, a, RoleController, "c1", time.Now())
	n1 := testCredentials(t, a, RoleNode, "n1", time.Now())
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	log := &testLog{}
	l := NewListener(inner, ListenerConfig{
		Credentials: c1, Protocols: allProtocols, HandshakeTimeout: 200 * time.Millisecond, Handshakes: 2, Log: log.logger(),
	})
	defer l.Close()
	serveWho(t, l.GRPC(), grpc.Creds(ServerCredentials()))
	for range 4 { // twice the slots, silent all of them
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	if err := call(t, context.Background(), l.Addr().String(), DialOptions(n1, RoleController, "c1")); err != nil {
		t.Errorf("behind silent connections: %v", err)
	}
}

func TestRenewedCredentialsServeNewConnections(t *testing.T) {
	a := testAuthority(t, "ref")
	c1 := testCredentials(t, a, RoleController, "c1", time.Now().Add(-40*24*time.Hour)) // expired
	n1 := testCredentials(t, a, RoleNode, "n1", time.Now())
	l := testListener(t, c1, &testLog{}, ProtoGRPC)
	serveWho(t, l.GRPC(), grpc.Creds(ServerCredentials()))
	opts := DialOptions(n1, RoleController, "c1")
	if err := call(t, context.Background(), l.Addr().String(), opts); err == nil {
		t.Fatal("an expired server was trusted")
	}
	err := c1.Renew(context.Background(), func(_ context.Context, csr []byte) ([]byte, []byte, error) {
		cert, err := a.Issue(csr, RoleController, "c1", time.Now())
		return cert, a.Certificate(), err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := call(t, context.Background(), l.Addr().String(), opts); err != nil {
		t.Errorf("after renewal: %v", err)
	}
}

func TestCloseEndsEverything(t *testing.T) {
	a := testAuthority(t, "ref")
	c1 := testCredentials(t, a, RoleController, "c1", time.Now())
	l, err := Listen("127.0.0.1:0", ListenerConfig{Credentials: c1, Protocols: allProtocols, HandshakeTimeout: time.Minute, Log: (&testLog{}).logger()})
	if err != nil {
		t.Fatal(err)
	}
	silent, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	ended := make(chan error, 3)
	for _, s := range []net.Listener{l.GRPC(), l.Raft(), l.Join()} {
		go func() { _, err := s.Accept(); ended <- err }()
	}
	time.Sleep(20 * time.Millisecond)
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	for range 3 {
		if err := <-ended; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept: %v, want net.ErrClosed", err)
		}
	}
	if err := l.Close(); err != nil {
		t.Errorf("a second Close: %v", err)
	}
}
