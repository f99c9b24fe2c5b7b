package noded

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/keepalive"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/auth"
)

// controllerAt is where a controller is said to be.
type controllerAt struct{ name, addr string }

// lines keeps the connections to controllers, and who of them leads.
type lines struct {
	self    *auth.Credentials
	mu      sync.Mutex // guards all below
	all     []controllerAt
	open    map[controllerAt]*grpc.ClientConn
	watched map[controllerAt]bool
	leader  string // by the newest term heard of, whoever told
	term    uint64
	changed chan struct{} // closed when leader changes
	// seen is the log entry up to which each user has seen the state, so that no
	// later call of theirs through here sees less.
	seen map[uint32]uint64
}

func newLines(self *auth.Credentials, conf Config) *lines {
	return &lines{
		self: self, all: conf.Controllers, open: map[controllerAt]*grpc.ClientConn{}, watched: map[controllerAt]bool{},
		changed: make(chan struct{}), seen: map[uint32]uint64{},
	}
}

// controllers lists where to try, the leader first.
func (l *lines) controllers() []controllerAt {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := slices.Clone(l.all)
	slices.SortStableFunc(out, func(a, b controllerAt) int {
		switch {
		case a.name == l.leader && b.name != l.leader:
			return -1
		case b.name == l.leader && a.name != l.leader:
			return 1
		}
		return 0
	})
	return out
}

// set replaces the controllers there are.
func (l *lines) set(all []controllerAt) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = all
}

// helloLimit is how long a controller may take to welcome this node.
func (l *lines) helloLimit() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.all) > 1 {
		return 5 * time.Second
	}
	return time.Minute
}

// leads notes that a controller leads in that term. What is older than what is
// known is nothing. It returns the one that led before, when that is another.
func (l *lines) leads(c controllerAt, term uint64) (old controllerAt, moved bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if term < l.term || term == l.term && l.leader == c.name {
		return old, false
	}
	for _, o := range l.all {
		if o.name == l.leader && o.name != c.name {
			old, moved = o, true
		}
	}
	l.leader, l.term = c.name, term
	close(l.changed)
	l.changed = make(chan struct{})
	return old, moved
}

// leaderChanged is closed when the next leader is heard of.
func (l *lines) leaderChanged() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed
}

// untilOtherLeads calls cancel once another controller than c is known to lead. It
// ends with ctx.
func (l *lines) untilOtherLeads(ctx context.Context, c controllerAt, cancel context.CancelFunc) {
	for {
		l.mu.Lock()
		changed := l.changed
		l.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
		l.mu.Lock()
		other := l.leader != c.name
		l.mu.Unlock()
		if other {
			cancel()
			return
		}
	}
}

func (l *lines) dial(c controllerAt) (*grpc.ClientConn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if conn := l.open[c]; conn != nil {
		return conn, nil
	}
	conn, err := grpc.NewClient("passthrough:///"+c.addr, append(auth.DialOptions(l.self, auth.RoleController, c.name),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 2 * time.Second}),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: quickBackoff, MinConnectTimeout: 3 * time.Second}))...)
	if err != nil {
		return nil, fmt.Errorf("cannot reach controller %s: %w", c.name, err)
	}
	l.open[c] = conn
	return conn, nil
}

// cut ends the line to a controller, and with it the calls that wait for it.
func (l *lines) cut(c controllerAt, conn *grpc.ClientConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[c] == conn {
		delete(l.open, c)
	}
	conn.Close()
}

func (l *lines) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, conn := range l.open {
		conn.Close()
	}
}

// saw notes how far a user has seen the state; sees tells.
func (l *lines) saw(uid uint32, index uint64) {
	const most = 4096 // users of one host
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.seen) >= most {
		clear(l.seen)
	}
	l.seen[uid] = max(l.seen[uid], index)
}

func (l *lines) sees(uid uint32) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seen[uid]
}

// watchLeaders has every controller tell who leads, as long as it is one of those
// there are, until ctx ends. It is called again when they change.
func (a *Agent) watchLeaders(ctx context.Context) {
	for _, c := range a.lines.controllers() {
		a.lines.mu.Lock()
		begin := !a.lines.watched[c] && ctx.Err() == nil
		a.lines.watched[c] = true
		a.lines.mu.Unlock()
		if begin {
			a.wg.Go(func() { a.watchLeader(ctx, c) })
		}
	}
}

func (a *Agent) watchLeader(ctx context.Context, c controllerAt) {
	defer func() {
		a.lines.mu.Lock()
		delete(a.lines.watched, c)
		a.lines.mu.Unlock()
	}()
	for wait := 50 * time.Millisecond; ctx.Err() == nil; wait = min(2*wait, 2*time.Second) {
		if !slices.Contains(a.lines.controllers(), c) {
			return
		}
		began := time.Now()
		if err := a.hearLeaders(ctx, c); err != nil && ctx.Err() == nil {
			a.log.Debug("a controller tells no leader", "controller", c.name, "error", err)
		}
		if time.Since(began) > 2*time.Second {
			wait = 50 * time.Millisecond
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// hearLeaders takes one controller's word on who leads until the line breaks.
func (a *Agent) hearLeaders(ctx context.Context, c controllerAt) error {
	conn, err := a.lines.dial(c)
	if err != nil {
		return err
	}
	stream, err := rinkpb.NewNodesClient(conn).Leaders(ctx, &rinkpb.LeadersRequest{})
	if err != nil {
		return err
	}
	for {
		now, err := stream.Recv()
		if err != nil {
			return err
		}
		for _, o := range a.lines.controllers() {
			if o.name != now.Leader {
				continue
			}
			if old, moved := a.lines.leads(o, now.Term); moved {
				a.wg.Go(func() { a.cutIfHung(ctx, old) })
			}
		}
	}
}

// cutIfHung ends the line to a controller that led and no longer answers, so that
// those who wait for it ask another.
func (a *Agent) cutIfHung(ctx context.Context, c controllerAt) {
	conn, err := a.lines.dial(c)
	if err != nil || conn.GetState() != connectivity.Ready {
		return
	}
	try, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if _, err := rinkpb.NewControllerClient(conn).Ping(try, &rinkpb.PingRequest{}); err != nil && ctx.Err() == nil {
		a.lines.cut(c, conn)
	}
}
