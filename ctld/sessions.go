package ctld

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/auth"
	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/sched"
)

// sessions are the standing lines to the agents. Only the leader has any.
type sessions struct {
	s       *Server
	mu      sync.Mutex // guards what follows
	leading uint64     // the term of this controller's lead; 0: it does not lead
	began   uint64     // the log entry up to which all was applied when it began to lead
	byNode  map[sched.NodeName]*session
}

// session is the line to one agent. Orders are queued without bound, since
// what is queued is bounded by the jobs of the node, and sent in order.
type session struct {
	node   sched.NodeName
	term   uint64 // of the lead it belongs to; every order carries it
	cancel context.CancelFunc
	mu     sync.Mutex // guards queue, lastID and welcomed
	queue  []*rinkpb.Order
	lastID uint64
	// welcomed: the first order is queued. What is ordered before it waits behind.
	welcomed bool
	early    []*rinkpb.Order
	more     chan struct{} // holds one signal that queue grew
}

func newSessions(s *Server) *sessions {
	return &sessions{s: s, byNode: map[sched.NodeName]*session{}}
}

// lead says in which term this controller leads, and what was applied when it
// began to; 0: it no longer does, and the agents are sent away to find the one that
// does.
func (ss *sessions) lead(term, began uint64) {
	ss.mu.Lock()
	ss.leading, ss.began = term, began
	ss.mu.Unlock()
	if term == 0 {
		ss.closeAll()
	}
}

// since reports whether this controller led when a log entry was committed.
func (ss *sessions) since(index uint64) bool {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	return ss.leading != 0 && index > ss.began
}

func (ss *sessions) closeAll() {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	for _, sess := range ss.byNode {
		sess.cancel()
	}
}

// electedWait is how long an agent that comes to a leader waits until it leads.
const electedWait = 3 * time.Second

// open makes this the node's only session; an older one is ended.
func (ss *sessions) open(node sched.NodeName, cancel context.CancelFunc) (*session, error) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	for began := time.Now(); ss.leading == 0 && time.Since(began) < electedWait; {
		// One that has just been elected leads in a moment.
		leader, _ := ss.s.barn.Leader()
		if leader != ss.s.opt.Config.Name {
			break
		}
		ss.mu.Unlock()
		time.Sleep(3 * time.Millisecond)
		ss.mu.Lock()
	}
	if ss.leading == 0 {
		leader, _ := ss.s.barn.Leader()
		return nil, status.Errorf(codes.Unavailable, "this controller does not lead; %q does", leader)
	}
	if old := ss.byNode[node]; old != nil {
		old.cancel()
	}
	sess := &session{node: node, term: ss.leading, cancel: cancel, more: make(chan struct{}, 1)}
	ss.byNode[node] = sess
	return sess, nil
}

// drop ends the line to a node, whose agent is to begin anew.
func (ss *sessions) drop(node sched.NodeName) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if sess := ss.byNode[node]; sess != nil {
		sess.cancel()
	}
}

func (ss *sessions) closed(sess *session) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if ss.byNode[sess.node] == sess {
		delete(ss.byNode, sess.node)
	}
}

// connected reports whether the node's agent is on the line.
func (ss *sessions) connected(node sched.NodeName) bool {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	return ss.byNode[node] != nil
}

// send queues an order for a node. An order for a node that is away is
// dropped: when its agent comes back, reconcile works out anew what it must do.
func (ss *sessions) send(node sched.NodeName, order *rinkpb.Order) {
	ss.mu.Lock()
	sess := ss.byNode[node]
	ss.mu.Unlock()
	if sess != nil {
		sess.push(order)
	}
}

func (sess *session) push(order *rinkpb.Order) {
	sess.mu.Lock()
	if !sess.welcomed && order.GetWelcome() == nil {
		sess.early = append(sess.early, order)
		sess.mu.Unlock()
		return
	}
	orders := []*rinkpb.Order{order}
	if !sess.welcomed {
		orders, sess.welcomed, sess.early = append(orders, sess.early...), true, nil
	}
	for _, o := range orders {
		sess.lastID++
		o.Id, o.Term = sess.lastID, sess.term
		sess.queue = append(sess.queue, o)
	}
	sess.mu.Unlock()
	select {
	case sess.more <- struct{}{}:
	default:
	}
}

// pump sends what is queued, and now and then that the line stands, until ctx ends.
func (sess *session) pump(ctx context.Context, stream rinkpb.Nodes_SessionServer, beat time.Duration) error {
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	for {
		sess.mu.Lock()
		queue := sess.queue
		sess.queue = nil
		sess.mu.Unlock()
		for _, o := range queue {
			if err := stream.Send(o); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C: // that there is somebody at this end
			if err := stream.Send(&rinkpb.Order{Term: sess.term}); err != nil {
				return err
			}
		case <-sess.more:
		}
	}
}

// broadcastConfig tells every agent of a new configuration.
func (ss *sessions) broadcastConfig() {
	files := ss.s.configFiles()
	ss.mu.Lock()
	defer ss.mu.Unlock()
	for _, sess := range ss.byNode {
		sess.push(&rinkpb.Order{Order: &rinkpb.Order_Config{Config: &rinkpb.NewConfig{Config: files}}})
	}
}

// nodes serves the agents.
type nodes struct {
	rinkpb.UnimplementedNodesServer
	s *Server
}

// reportBurst is how many waiting reports are committed together.
const reportBurst = 512

// Session is one agent's line: it says hello, is told what is expected of it,
// and then reports until the line breaks.
func (n *nodes) Session(stream rinkpb.Nodes_SessionServer) error {
	s := n.s
	who, ok := auth.PeerFrom(stream.Context())
	if !ok || who.Role != auth.RoleNode {
		return status.Error(codes.PermissionDenied, "only an agent opens a session")
	}
	node := sched.NodeName(who.Name)
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	hello := first.GetHello()
	if hello == nil || hello.Found == nil || hello.Found.Node != who.Name {
		return status.Errorf(codes.InvalidArgument, "a session of node %s begins with its hello", node)
	}
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	sess, err := s.sessions.open(node, cancel)
	if err != nil {
		return err
	}
	defer s.loop.line(node)
	defer s.sessions.closed(sess)
	if err := s.welcome(ctx, sess, hello); err != nil {
		s.log.Warn("node refused", "node", node, "error", err)
		return err
	}
	s.soft.seen(node)
	s.loop.line(node)

	reports := make(chan *rinkpb.Report, reportBurst)
	read := make(chan error, 1)
	go func() { // ends when the stream does, which the return below makes sure of
		for {
			r, err := stream.Recv()
			if err != nil {
				read <- err
				return
			}
			select {
			case reports <- r:
			case <-ctx.Done():
				read <- ctx.Err()
				return
			}
		}
	}()
	pumped := make(chan error, 1)
	go func() { pumped <- sess.pump(ctx, stream, s.heartbeat()) }() // ends with ctx or the stream
	defer func() { cancel(); <-pumped }()
	for {
		select {
		case <-ctx.Done():
			return status.Error(codes.Unavailable, "session ended by the controller")
		case err := <-pumped:
			pumped <- err
			return err
		case err := <-read:
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		case r := <-reports:
			burst := []*rinkpb.Report{r}
			for len(burst) < reportBurst && len(reports) > 0 {
				burst = append(burst, <-reports)
			}
			if err := s.takeReports(ctx, sess, burst); err != nil {
				return status.Errorf(codes.Unavailable, "cannot commit the reports of node %s: %v", node, err)
			}
		}
	}
}

// takeReports commits what a burst of reports says and acknowledges the last
// of those that carry a number.
func (s *Server) takeReports(ctx context.Context, sess *session, burst []*rinkpb.Report) error {
	var cmds []state.Command
	var last uint64
	s.soft.seen(sess.node)
	for _, r := range burst {
		cmds = append(cmds, s.reported(sess, r)...)
		last = max(last, r.Seq)
	}
	if _, err := s.propose(ctx, cmds...); err != nil {
		return err
	}
	if last > 0 {
		sess.push(&rinkpb.Order{Order: &rinkpb.Order_Ack{Ack: &rinkpb.Ack{Seq: last}}})
	}
	return nil
}
