package barn

import (
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/runink/rink/barn/state"
)

// fsm applies what Raft commits to the state. It is thin on purpose: what a
// command means is in barn/state, how it is written in encode.go.
type fsm struct {
	log     *slog.Logger
	cluster string
	fail    func(error)
	reads   uint32 // the highest format level it knows
	stream  *stream
	grownBy

	// mu guards state, index and at. Apply holds it while it changes the
	// state and publishes the events, so that readers see both or neither.
	mu    sync.RWMutex
	state *state.State
	index uint64    // of the last command applied
	marks []marked  // the last ones, with the state as it was
	at    time.Time // of the last command applied; never goes back

	// The fields below are Raft's FSM goroutine's own, but for feeders.
	dead error

	feedMu  sync.Mutex
	feeders []*feeder
	restore error // of the last Restore
}

// applied is what Apply answers to commit.
type applied struct {
	results []state.Result
	err     error // the record could not be applied; the barn has failed
}

func newFSM(o Options, fail func(error), wake chan<- struct{}) *fsm {
	f := &fsm{log: o.Logger, cluster: o.Cluster, fail: fail, reads: o.readsLevel(), stream: newStream(), state: state.New(o.Cluster)}
	f.limit, f.wake = o.SnapshotBytes, wake
	return f
}

func (f *fsm) setFeeders(list []*feeder) {
	f.feedMu.Lock()
	defer f.feedMu.Unlock()
	f.feeders = list
}

func (f *fsm) feederList() []*feeder {
	f.feedMu.Lock()
	defer f.feedMu.Unlock()
	return f.feeders
}

// Apply applies one committed record. A record that cannot be applied makes
// the barn fail: going on without it would leave this controller with another
// state than the others.
func (f *fsm) Apply(log *raft.Log) any {
	if f.dead != nil {
		return applied{err: f.dead}
	}
	results, err := f.apply(log)
	if err != nil {
		f.dead = fmt.Errorf("cannot apply log entry %d: %w", log.Index, err)
		f.fail(f.dead)
		return applied{err: f.dead}
	}
	f.grownBy.add(len(log.Data))
	return applied{results: results}
}

func (f *fsm) apply(log *raft.Log) (results []state.Result, err error) {
	entries, err := decodeRecord(log.Data, f.reads)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	defer func() {
		if r := recover(); r != nil {
			f.log.Error("applying panicked", "entry", log.Index, "panic", r, "stack", string(debug.Stack()))
			err = fmt.Errorf("%v", r)
		}
	}()
	for _, e := range entries {
		if raise, ok := e.Cmd.(state.RaiseFormat); ok {
			if err := f.checkLevel(raise.To); err != nil {
				return nil, err
			}
		}
	}
	results = make([]state.Result, len(entries))
	var events []state.Event
	at := f.at
	for i, e := range entries {
		// Clocks differ between controllers; the log's time only goes forward.
		if e.At.Before(at) {
			e.At = at
		}
		at = e.At
		var more []state.Event
		results[i], more = f.state.Apply(log.Index, e)
		results[i].Index = log.Index
		if events == nil {
			events = more
		} else {
			events = append(events, more...)
		}
	}
	f.index, f.at = log.Index, at
	f.noteMarks(events)
	f.stream.publish(Batch{Index: log.Index, At: at, Events: events})
	return results, nil
}

// Snapshot takes hold of the state as it is; writing it out is Persist's.
func (f *fsm) Snapshot() (raft.FSMSnapshot, error) {
	if f.dead != nil {
		return nil, f.dead
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	f.grownBy.reset()
	return &snapshotOf{f: f, dump: f.state.Dump(), index: f.index, at: f.at, cluster: f.cluster}, nil
}

// Restore replaces the state by a snapshot's.
func (f *fsm) Restore(source io.ReadCloser) error {
	err := f.load(source)
	f.feedMu.Lock()
	f.restore = err
	f.feedMu.Unlock()
	return err
}

func (f *fsm) load(source io.Reader) error {
	head, dump, err := readSnapshot(source)
	if err != nil {
		return err
	}
	if head.cluster != f.cluster {
		return fmt.Errorf("it is of cluster %q, not %q", head.cluster, f.cluster)
	}
	if err := f.checkLevel(dump.Level); err != nil {
		return err
	}
	fresh, err := state.Load(dump)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state, f.index, f.at = fresh, head.index, head.at
	f.stream.publish(Batch{Index: head.index, At: head.at, Reset: true})
	return nil
}

func (f *fsm) restoreError() error {
	f.feedMu.Lock()
	defer f.feedMu.Unlock()
	return f.restore
}
