package barn

import (
	"context"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/runink/rink/barn/state"
)

// Sink is fed everything that happens, in log order, once: it keeps what the
// state forgets, such as accounting. Consume and Flush are called from one
// goroutine at a time, never both at once, and not from Apply: a slow sink
// delays snapshots, not proposals.
//
// A snapshot lets the log before it go, so before one is written each sink has
// consumed what it covers and Flush has put that on disk. After a restart the
// sink is fed only entries after Applied.
type Sink interface {
	// Consume takes what followed from the log entry index, committed at that
	// time. Entries that changed nothing come without events.
	Consume(index uint64, at time.Time, events []state.Event)
	// Flush puts all that was consumed on disk, with the index of the last
	// entry consumed.
	Flush() error
	// Applied returns the index of the last entry on disk when the barn is
	// opened; 0 for none.
	Applied() uint64
}

// GapSink is a Sink that wants to know of history it will never be fed,
// because a snapshot stands for it: entries from to to, both included. It
// happens when a controller catches up by a snapshot, and when a sink has lost
// what it had on disk. alone says that there is no other controller that could
// have it.
type GapSink interface {
	Sink
	Missed(from, to uint64, alone bool)
}

const noLimit = math.MaxUint64

// feeder feeds one sink. It runs from Open until the stream ends; Close waits
// for it.
type feeder struct {
	sink  Sink
	watch *Watcher
	alone func() bool // there is no other controller
	done  chan struct{}
	// limit is the last entry it may consume. It is lowered under the lock of
	// the state, when nothing after it has been published, and raised under mu.
	limit atomic.Uint64

	// mu guards the calls of sink and the fields below.
	mu       sync.Mutex
	moved    sync.Cond
	consumed uint64 // last index consumed or covered by a snapshot
	ended    bool
}

func newFeeder(sink Sink, w *Watcher, alone func() bool) *feeder {
	f := &feeder{sink: sink, watch: w, alone: alone, done: make(chan struct{}), consumed: sink.Applied()}
	f.moved.L = &f.mu
	f.limit.Store(noLimit)
	return f
}

// run feeds until the stream ends, then flushes.
func (f *feeder) run(warn func(error)) {
	defer close(f.done)
	for {
		b, err := f.watch.Next(context.Background())
		if err != nil {
			break
		}
		f.take(b)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = true
	f.moved.Broadcast()
	if err := f.sink.Flush(); err != nil {
		warn(fmt.Errorf("cannot flush a sink at the end: %w", err))
	}
}

func (f *feeder) take(b Batch) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if b.Index <= f.consumed {
		return
	}
	for b.Index > f.limit.Load() {
		f.moved.Wait() // for letGo
	}
	if !b.Reset {
		f.sink.Consume(b.Index, b.At, b.Events)
	} else if g, ok := f.sink.(GapSink); ok {
		g.Missed(f.consumed+1, b.Index, f.alone())
	}
	f.consumed = b.Index
	f.moved.Broadcast()
}

// flush waits until the sink has consumed index, then flushes it.
func (f *feeder) flush(index uint64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.consumed < index && !f.ended {
		f.moved.Wait()
	}
	if f.consumed < index {
		return ErrClosed
	}
	return f.sink.Flush()
}
