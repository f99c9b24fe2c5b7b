package ctld

import (
	"sync"

	"google.golang.org/grpc"

	"github.com/runink/rink/auth"
)

// agentLines keeps a connection to each agent this controller has dialled, for
// the streams of steps.
type agentLines struct {
	self  *auth.Credentials
	mu    sync.Mutex // guards lines
	lines map[string]agentLine
}

type agentLine struct {
	addr string
	conn *grpc.ClientConn
}

func newAgentLines(self *auth.Credentials) *agentLines {
	return &agentLines{self: self, lines: map[string]agentLine{}}
}

// dial returns the connection to the agent of a node. The agent must show the
// certificate of that node.
func (a *agentLines) dial(node, addr string) (*grpc.ClientConn, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if l, ok := a.lines[node]; ok {
		if l.addr == addr {
			return l.conn, nil
		}
		l.conn.Close()
		delete(a.lines, node)
	}
	conn, err := grpc.NewClient("passthrough:///"+addr, append(auth.DialOptions(a.self, auth.RoleNode, node),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)))...)
	if err != nil {
		return nil, err
	}
	a.lines[node] = agentLine{addr, conn}
	return conn, nil
}

func (a *agentLines) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, l := range a.lines {
		l.conn.Close()
	}
	clear(a.lines)
}
