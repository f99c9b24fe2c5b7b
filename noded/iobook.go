package noded

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
)

// ioBook finds the streams of a step, also shortly after its end.
type ioBook struct {
	mu   sync.Mutex // guards list
	list map[stepName]*taskIO
	more chan struct{} // closed and replaced when a step is added
}

type stepName struct{ job, step uint32 }

func newIOBook() *ioBook { return &ioBook{list: map[stepName]*taskIO{}, more: make(chan struct{})} }

func (b *ioBook) add(t *taskIO) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.list[stepName{t.job.key.job, t.order.Step}] = t
	close(b.more)
	b.more = make(chan struct{})
}

func (b *ioBook) remove(t *taskIO) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := stepName{t.job.key.job, t.order.Step}
	if b.list[n] == t {
		delete(b.list, n)
	}
}

// has says whether there is a step whose slice has the id.
func (b *ioBook) has(id string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, t := range b.list {
		if t.id == id {
			return true
		}
	}
	return false
}

// closeFiles closes this agent's ends of all pipes, which ends the pumps. The
// launcher keeps its own: what was not read is there for the next agent.
func (b *ioBook) closeFiles() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, t := range b.list {
		t.mu.Lock()
		for _, f := range t.files {
			closeFiles(f)
		}
		t.mu.Unlock()
	}
}

// find waits for a step whose launch order may still be on its way.
func (b *ioBook) find(ctx context.Context, n stepName) (*taskIO, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		b.mu.Lock()
		t, more := b.list[n], b.more
		b.mu.Unlock()
		if t != nil {
			return t, nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return nil, status.Errorf(codes.NotFound, "step %d.%d is not on this node", n.job, n.step)
		}
	}
}

// stepIO serves the daemons of the cluster that carry a step's streams for an
// srun on their host.
type stepIO struct {
	rinkpb.UnimplementedAgentServer
	a *Agent
}

// StepIO attaches to one step of the caller's.
func (s *stepIO) StepIO(stream rinkpb.Agent_StepIOServer) error {
	who, err := auth.Caller(stream.Context())
	if err != nil {
		return err
	}
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	at := first.GetAttach()
	if at == nil {
		return status.Error(codes.InvalidArgument, "a step's streams begin with which step")
	}
	t, err := s.a.ioBook.find(stream.Context(), stepName{at.Job, at.Step})
	if err != nil {
		return err
	}
	if !who.IsUser() || who.UID != t.job.here.Uid && who.UID != 0 {
		return status.Error(codes.PermissionDenied, "the step is another user's")
	}
	switch {
	case at.Pmi && t.pmix != nil:
		return t.mailPMIx(stream.Context(), stream.Recv)
	case at.Pmi:
		return t.sharedPMI(stream.Recv)
	case at.X11 > 0:
		return t.tunnel(at.X11, stream.Recv, stream.Send)
	case at.Input:
		return t.takeInput(stream.Context(), stream.Recv)
	}
	go func() { // ends with the stream
		for {
			m, err := stream.Recv()
			if errors.Is(err, io.EOF) || err != nil {
				return
			}
			switch {
			case at.Watch && m.Rows == 0: // who watches may only say how large a window is
			case len(m.Taken) > 0:
				t.taken(m.Taken[0].Seq)
			case !at.ReadOnly:
				t.input(m)
			}
		}
	}()
	if at.Watch {
		return t.watch(stream.Context(), stream.Send)
	}
	var has uint64
	if len(at.Taken) > 0 {
		has = at.Taken[0].Seq
	}
	return t.serve(stream.Context(), has, stream.Send)
}
