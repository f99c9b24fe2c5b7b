package noded

import (
	"context"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/runink/rink/api/rinkpb"
)

const (
	// recentBytes is how much of a step's latest output is kept for those who
	// begin to watch.
	recentBytes = 64 << 10
	// maxBehind is how many messages one who watches may be behind.
	maxBehind = 1024
)

// watcher is somebody who watches a step beside its srun. Tasks never wait for
// one: who falls too far behind is sent away.
type watcher struct {
	queue  []*rinkpb.StepDown // guarded by taskIO.mu, as what follows
	behind bool
	more   chan struct{} // holds one signal that there is more
}

// show gives those who watch what srun is given. Needs t.mu held.
func (t *taskIO) show(m *rinkpb.StepDown) {
	if m.Output != nil && len(m.Output.Data) > 0 {
		t.recent = append(t.recent, m)
		t.recentSize += len(m.Output.Data)
		drop := 0
		for t.recentSize > recentBytes && drop < len(t.recent)-1 {
			t.recentSize -= len(t.recent[drop].Output.Data)
			drop++
		}
		t.recent = slices.Delete(t.recent, 0, drop)
	}
	for w := range t.watchers {
		if len(w.queue) >= maxBehind {
			w.behind = true
		} else {
			w.queue = append(w.queue, m)
		}
		select {
		case w.more <- struct{}{}:
		default:
		}
	}
}

// watch gives somebody the latest output, what comes, and the end. It leaves the
// step's srun alone.
func (t *taskIO) watch(ctx context.Context, send func(*rinkpb.StepDown) error) error {
	w := &watcher{more: make(chan struct{}, 1)}
	t.mu.Lock()
	for _, m := range t.recent {
		w.queue = append(w.queue, m)
	}
	for i := range t.tasks {
		if t.tasks[i].told {
			w.queue = append(w.queue, &rinkpb.StepDown{Exited: t.tasks[i].exit})
		}
	}
	if t.done {
		w.queue = append(w.queue, &rinkpb.StepDown{NodeDone: true})
	}
	if t.watchers == nil {
		t.watchers = map[*watcher]struct{}{}
	}
	t.watchers[w] = struct{}{}
	t.mu.Unlock()
	defer func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.watchers, w)
	}()
	for {
		t.mu.Lock()
		queue, behind := w.queue, w.behind
		w.queue = nil
		t.mu.Unlock()
		for _, m := range queue {
			if err := send(copyFor(m)); err != nil || m.NodeDone {
				return err
			}
		}
		if behind {
			return status.Error(codes.ResourceExhausted, "what the tasks write is not read fast enough")
		}
		select {
		case <-w.more:
		case <-ctx.Done():
			return ctx.Err()
		case <-t.a.stopped:
			return status.Error(codes.Unavailable, "the agent is being restarted")
		}
	}
}

// copyFor is the same message for another stream: each stream writes into what it
// sends.
func copyFor(m *rinkpb.StepDown) *rinkpb.StepDown {
	return &rinkpb.StepDown{
		Output: m.Output, Started: m.Started, Exited: m.Exited, NodeError: m.NodeError, NodeDone: m.NodeDone, Messages: m.Messages, MessagesRank: m.MessagesRank, AbortWait: m.AbortWait,
	}
}
