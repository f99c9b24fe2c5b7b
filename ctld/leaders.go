package ctld

import (
	"context"
	"sync"

	"github.com/runink/rink/api/rinkpb"
)

// leaderBook is who leads as far as this controller knows, for those who wait for
// that to change.
type leaderBook struct {
	mu      sync.Mutex // guards what follows
	now     leaderAt
	changed chan struct{} // closed at the next change
}

// leaderAt is a leader and where it is reached; "" when none is known.
type leaderAt struct {
	name, addr string
	term       uint64
}

func newLeaderBook() *leaderBook { return &leaderBook{changed: make(chan struct{})} }

// leader returns who leads and what is closed when that changes.
func (b *leaderBook) leader() (leaderAt, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now, b.changed
}

func (b *leaderBook) set(l leaderAt) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.now == l {
		return
	}
	b.now = l
	close(b.changed)
	b.changed = make(chan struct{})
}

// followLeader keeps the book. It ends with ctx.
func (s *Server) followLeader(ctx context.Context) {
	changes, stop := s.barn.LeaderChanges()
	defer stop()
	for {
		name, addr := s.barn.Leader()
		s.leaders.set(leaderAt{name, addr, s.barn.Term()})
		select {
		case <-ctx.Done():
			return
		case <-changes:
		}
	}
}

// Leaders tells an agent who leads, now and at each change, so that it need not
// find out by its line breaking: a leader that hangs breaks none.
func (n *nodes) Leaders(_ *rinkpb.LeadersRequest, stream rinkpb.Nodes_LeadersServer) error {
	for {
		l, changed := n.s.leaders.leader()
		if l.name != "" {
			if err := stream.Send(&rinkpb.LeaderNow{Leader: l.name, Term: l.term, Controllers: n.s.configured()}); err != nil {
				return err
			}
		}
		select {
		case <-stream.Context().Done():
			return nil
		case <-n.s.halting:
			return nil
		case <-changed:
		}
	}
}

// configured are the controllers of SlurmctldHost with where they are reached.
func (s *Server) configured() []*rinkpb.ControllerInfo {
	conf := s.liveConf()
	out := make([]*rinkpb.ControllerInfo, len(conf.SlurmctldHost))
	for i, h := range conf.SlurmctldHost {
		out[i] = &rinkpb.ControllerInfo{Name: h.Name, Address: controllerAddress(conf, h)}
	}
	return out
}
