package launcher

import (
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/runink/rink/api/launcherpb"
)

// TestSubscriberThatStandsStillIsLeft has one that takes nothing cost no more than so
// much, and be told that it is left by the end of its line.
func TestSubscriberThatStandsStillIsLeft(t *testing.T) {
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ends := [2]*net.UnixConn{}
	for i, fd := range pair {
		f := os.NewFile(uintptr(fd), "pair")
		c, err := net.FileConn(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		ends[i] = c.(*net.UnixConn)
		defer ends[i].Close()
	}
	s := &server{slices: map[string]*entry{}, subs: map[*subscriber]bool{}}
	left := make(chan struct{})
	go func() { // stops when the connection is closed
		defer close(left)
		s.publish(newPeer(ends[0]))
	}()
	count := func() int {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.subs)
	}
	eventually(t, "it is a subscriber", func() bool { return count() == 1 })
	ev := &launcherpb.Event{Task: &launcherpb.TaskEnd{Slice: "1.0"}}
	for range 2 * maxBehind { // some are in the socket, and some in the hand of who sends
		s.mu.Lock()
		s.tell(ev)
		s.mu.Unlock()
	}
	if n := count(); n != 0 {
		t.Errorf("%d subscribers", n)
	}
	<-left
}
