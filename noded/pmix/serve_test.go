package pmix

import (
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/encoding/protodelim"

	"github.com/runink/rink/api/rinkpb"
)

// TestServerReadsWhileItSpeaks has an agent that sends mail and reads nothing while the
// server has more to say than a socket holds: it takes all the same, or both would
// wait for each other for ever.
func TestServerReadsWhileItSpeaks(t *testing.T) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var ends [2]net.Conn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "pair")
		ends[i], err = net.FileConn(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
	}
	agent, conn := ends[0], ends[1]
	lib := &fakeLibrary{}
	s := newServer()
	s.host = newHost(lib, s.say)
	lib.h = s.host
	s.take(conn)
	told, served := make(chan struct{}), make(chan struct{})
	go func() { s.tell(); close(told) }()
	go func() { s.serve(conn); close(served) }()
	send := func(o *rinkpb.PmixOrder) {
		t.Helper()
		agent.SetWriteDeadline(time.Now().Add(20 * time.Second))
		if _, err := protodelim.MarshalTo(agent, o); err != nil {
			t.Fatalf("the server does not read: %v", err)
		}
	}
	send(&rinkpb.PmixOrder{Step: &rinkpb.PmixStep{Space: "s", Node: 1, Nodes: make([]string, 2), RankNodes: []int32{0, 1}}})
	for !s.begun() {
		time.Sleep(time.Millisecond)
	}
	w := &heard{}
	fenced := make(chan int32, 1)
	go func() { fenced <- s.host.fence([]proc{{"s", everyRank}}, make([]byte, 8<<20), w) }()
	for i := range uint64(16) {
		send(&rinkpb.PmixOrder{Mail: &rinkpb.PmixMail{From: 0, To: 1, Seq: i + 1, Data: make([]byte, MaxPiece)}})
	}
	if got := <-fenced; got != success {
		t.Errorf("the fence is answered %d", got)
	}
	agent.Close()
	<-served
	close(s.more)
	<-told
}
