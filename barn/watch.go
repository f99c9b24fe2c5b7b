package barn

import (
	"context"
	"sync"
	"time"

	"github.com/runink/rink/barn/state"
)

// Batch is what followed from one log entry: its events, in order. A batch
// without events tells of an entry that changed nothing.
type Batch struct {
	Index  uint64
	At     time.Time
	Events []state.Event
	// Reset is set when the whole state was replaced by a snapshot: whoever
	// follows events must read the state anew. Index is the last entry the
	// snapshot covers.
	Reset bool
}

// How much of the past is kept for watchers that begin with an index. An event
// keeps the record alive that was replaced, so that many are a queue of their own.
const (
	keptBatches = 1024
	keptEvents  = 1 << 13
)

// stream is the sequence of batches: a linked list to which Apply adds at one
// end and along which each watcher walks on its own. Adding never waits for a
// watcher; a watcher that stands still keeps alive what lies before it.
type stream struct {
	mu     sync.Mutex
	head   *link // the oldest kept
	tail   *link // not filled yet
	floor  uint64
	kept   int
	events int
	ended  bool
}

// link is one batch of the list. ready is closed once batch and next, or end,
// have been set; they do not change afterwards.
type link struct {
	batch Batch
	next  *link
	end   bool
	ready chan struct{}
}

func newStream() *stream {
	l := &link{ready: make(chan struct{})}
	return &stream{head: l, tail: l}
}

// publish adds a batch.
func (s *stream) publish(b Batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	t := s.tail
	t.batch, t.next = b, &link{ready: make(chan struct{})}
	s.tail = t.next
	close(t.ready)
	s.kept++
	s.events += len(b.Events)
	for s.kept > 1 && (s.kept > keptBatches || s.events > keptEvents || b.Reset) {
		s.floor = s.head.batch.Index
		s.events -= len(s.head.batch.Events)
		s.head = s.head.next
		s.kept--
	}
	if b.Reset {
		s.floor = b.Index
	}
}

// end lets watchers come to an end once they have seen everything.
func (s *stream) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		s.ended, s.tail.end = true, true
		close(s.tail.ready)
	}
}

// watch begins after index from, 0 for the oldest kept.
func (s *stream) watch(from uint64) (*Watcher, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if from == 0 {
		return &Watcher{at: s.head}, nil
	}
	if from < s.floor {
		return nil, &CompactedError{From: from, Oldest: s.floor}
	}
	at := s.head
	for at != s.tail && at.batch.Index <= from {
		at = at.next
	}
	return &Watcher{at: at}, nil
}

// watchTail begins with what comes next.
func (s *stream) watchTail() *Watcher {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &Watcher{at: s.tail}
}

// Watcher sees every batch in order, at its own pace. One goroutine uses it.
// It needs no closing: what nobody refers to is forgotten.
type Watcher struct{ at *link }

// Next waits for the next batch. It returns ErrClosed when the barn is closed
// and all batches have been seen, and the context's error when that ends first.
func (w *Watcher) Next(ctx context.Context) (Batch, error) {
	select {
	case <-w.at.ready:
	default:
		select {
		case <-w.at.ready:
		case <-ctx.Done():
			return Batch{}, ctx.Err()
		}
	}
	if w.at.end {
		return Batch{}, ErrClosed
	}
	b := w.at.batch
	w.at = w.at.next
	return b, nil
}

// Ready returns a channel that is closed when Next will not wait, for use in a
// select. It holds for the next call of Next only.
func (w *Watcher) Ready() <-chan struct{} { return w.at.ready }
