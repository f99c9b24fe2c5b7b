package pmix

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/encoding/protodelim"

	"github.com/runink/rink/api/rinkpb"
)

const (
	// Name is what the program is called when it is to be the server.
	Name = "rink-pmix"
	// Socket is where it listens for its agent, below the directory that it is given.
	Socket = "agent.sock"
	// maxMessage bounds one message between the two.
	maxMessage = 64 << 20
)

// server is the process: a host, and the agent that is connected now.
type server struct {
	host *host

	mu   sync.Mutex // guards what follows
	conn net.Conn
	wait []*rinkpb.PmixWord // what conn is still to be told
	more chan struct{}      // there is some

	begins sync.Mutex // guards ready
	ready  *rinkpb.PmixReady
}

// Main serves the step that the agent describes once it connects to the socket in
// the directory args[0], until a signal ends it.
func Main(args []string) int {
	if len(args) != 1 {
		fmt.Fprintf(os.Stderr, "%s: want the directory to serve in\n", Name)
		return 2
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	err := os.Chdir(args[0]) // the name of a socket is short
	var l net.Listener
	if err == nil {
		os.Remove(Socket)
		l, err = net.Listen("unix", Socket)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: cannot listen: %v\n", Name, err)
		return 1
	}
	s := newServer()
	go s.tell() // ends with the process
	lib, err := load()
	if err == nil {
		s.host = newHost(lib, s.say)
	}
	go func() { // ends with the process
		for {
			conn, cerr := l.Accept()
			if cerr != nil {
				return
			}
			if !trusted(conn) {
				conn.Close()
				continue
			}
			s.take(conn)
			if err != nil {
				s.say(&rinkpb.PmixWord{Error: err.Error()})
				continue
			}
			go s.serve(conn) // ends with the connection
		}
	}()
	<-stop
	if s.host != nil {
		s.host.lib.end()
	}
	return 0
}

// trusted says whether a connection comes from root or from the user that this
// process is run by.
func trusted(conn net.Conn) bool {
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return false
	}
	ok := false
	raw.Control(func(fd uintptr) {
		cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
		ok = err == nil && (cred.Uid == 0 || int(cred.Uid) == os.Getuid())
	})
	return ok
}

func newServer() *server { return &server{more: make(chan struct{}, 1)} }

// take makes a connection the one that is spoken to.
func (s *server) take(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		s.conn.Close()
	}
	s.conn, s.wait = conn, nil
}

// say tells the agent that is connected, without waiting for it: who says something
// may hold what is needed to go on reading, and an agent that is not read from does
// not read either. What gets lost with one is said again to the next.
func (s *server) say(w *rinkpb.PmixWord) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil {
		return
	}
	s.wait = append(s.wait, w)
	select {
	case s.more <- struct{}{}:
	default:
	}
}

// tell writes what is said.
func (s *server) tell() {
	for range s.more {
		s.mu.Lock()
		conn, all := s.conn, s.wait
		s.wait = nil
		s.mu.Unlock()
		for _, w := range all {
			if _, err := protodelim.MarshalTo(conn, w); err != nil {
				conn.Close()
				break
			}
		}
	}
}

// serve reads what an agent says until it is gone.
func (s *server) serve(conn net.Conn) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	for {
		o := &rinkpb.PmixOrder{}
		if err := (protodelim.UnmarshalOptions{MaxSize: maxMessage}).UnmarshalFrom(r, o); err != nil {
			return
		}
		var err error
		switch {
		case o.Step != nil:
			err = s.begin(o.Step)
		case !s.begun():
			err = fmt.Errorf("which step is not yet known")
		case o.Mail != nil:
			err = s.host.mail(o.Mail)
		case o.Kept != nil:
			s.host.kept(o.Kept.Node, o.Kept.Seq)
		}
		if err != nil {
			s.say(&rinkpb.PmixWord{Error: err.Error()})
		}
	}
}

// begin starts the library with the step, once, and says what the tasks need.
func (s *server) begin(step *rinkpb.PmixStep) error {
	s.begins.Lock()
	defer s.begins.Unlock()
	if s.ready != nil {
		s.say(&rinkpb.PmixWord{Ready: s.ready})
		s.host.again()
		return nil
	}
	if err := sane(step); err != nil {
		return err
	}
	s.host.step = step
	tasks, err := s.host.lib.begin(s.host, step)
	if err != nil {
		return err
	}
	s.ready = &rinkpb.PmixReady{Tasks: tasks}
	s.say(&rinkpb.PmixWord{Ready: s.ready})
	return nil
}

func (s *server) begun() bool {
	s.begins.Lock()
	defer s.begins.Unlock()
	return s.ready != nil
}

func sane(step *rinkpb.PmixStep) error {
	n := int32(len(step.Nodes))
	if step.Node < 0 || step.Node >= n || slices.ContainsFunc(step.RankNodes, func(at int32) bool { return at < 0 || at >= n }) {
		return fmt.Errorf("a step of %d nodes has none with the numbers it names", n)
	}
	return nil
}
