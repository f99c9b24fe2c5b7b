package barn

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/runink/rink/barn/state"
)

// Moment is the whole state as it was after one log entry.
type Moment struct {
	Index   uint64
	Term    uint64 // not lower than that of the entry
	At      time.Time
	Cluster string

	dump *state.Dump
}

// WriteTo writes the moment as a snapshot, in the format in which the cluster
// writes them.
func (m *Moment) WriteTo(w io.Writer) (int64, error) {
	c := &counter{w: w}
	err := writeSnapshot(c, snapshotHead{index: m.Index, at: m.At, cluster: m.Cluster}, m.dump)
	return c.n, err
}

// Hold takes hold of the state as it is now, brings every sink to exactly the
// same entry and onto the disk, and calls held while they stay there; then
// feeding goes on. Proposals are not kept waiting, snapshots are, so held should
// be quick: it opens what it needs of the sinks' files as they are then.
//
// A sink that is ahead of the log, put back from a later copy, is an error.
func (b *Barn) Hold(ctx context.Context, held func(*Moment) error) (*Moment, error) {
	b.holding.Lock()
	defer b.holding.Unlock()
	term := b.raft.CurrentTerm()
	b.fsm.mu.RLock()
	m := &Moment{Index: b.fsm.index, Term: term, At: b.fsm.at, Cluster: b.fsm.cluster, dump: b.fsm.state.Dump()}
	for _, f := range b.feeders {
		f.hold(m.Index)
	}
	b.fsm.mu.RUnlock()
	defer func() {
		for _, f := range b.feeders {
			f.letGo()
		}
	}()
	for i, f := range b.feeders {
		if err := f.flushExactly(m.Index); err != nil {
			return nil, fmt.Errorf("cannot hold sink %d at log entry %d: %w", i, m.Index, err)
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	return m, held(m)
}

// hold keeps the sink from consuming entries after index, until letGo.
func (f *feeder) hold(index uint64) {
	f.limit.Store(index)
}

func (f *feeder) letGo() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.limit.Store(noLimit)
	f.moved.Broadcast()
}

// flushExactly is flush for a sink that must not have consumed more.
func (f *feeder) flushExactly(index uint64) error {
	if err := f.flush(index); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.consumed > index {
		return fmt.Errorf("it has taken in entry %d, the log has been applied up to %d", f.consumed, index)
	}
	return nil
}
