package barn

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"github.com/runink/rink/barn/state"
)

// snapshotsName is the directory of snapshots within a barn's directory; the
// name is the Raft library's.
const snapshotsName = "snapshots"

// keptSnapshots is how many are kept on disk. Only the newest is ever used by
// itself; the one before is there for a person to go back to.
const keptSnapshots = 2

// snapshots is the Raft library's store of snapshots in files, made strict: a
// snapshot that cannot be read is an error with its name and not one to be
// passed over, and what is left of an unfinished one is removed.
type snapshots struct {
	raft.SnapshotStore
	dir   string
	keys  Sealer        // nil: nothing is sealed
	index atomic.Uint64 // the newest one's

	mu   sync.Mutex
	path string // of the last Open
	err  error
}

func openSnapshots(dir string, keys Sealer, log *raftLog) (*snapshots, error) {
	s := &snapshots{dir: filepath.Join(dir, snapshotsName), keys: keys}
	if err := s.check(); err != nil {
		return nil, err
	}
	files, err := raft.NewFileSnapshotStoreWithLogger(dir, keptSnapshots, log)
	if err != nil {
		return nil, fmt.Errorf("cannot open %q: %w", s.dir, err)
	}
	s.SnapshotStore = files
	newest, err := s.newest()
	s.index.Store(newest)
	return s, err
}

// check removes unfinished snapshots and makes sure that the others have
// their files, at the length their description says.
func (s *snapshots) check() error {
	entries, err := os.ReadDir(s.dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(s.dir, e.Name())
		if !e.IsDir() {
			continue
		}
		if strings.HasSuffix(e.Name(), ".tmp") {
			if err := os.RemoveAll(path); err != nil {
				return fmt.Errorf("cannot remove an unfinished snapshot: %w", err)
			}
			continue
		}
		if err := checkSnapshotDir(path); err != nil {
			return fmt.Errorf("%w: snapshot %q: %w", ErrDamaged, path, err)
		}
	}
	return nil
}

// List returns the newest snapshot alone. Raft goes on to an older one when it
// cannot read a snapshot, and forgets what was in between; here it fails.
func (s *snapshots) List() ([]*raft.SnapshotMeta, error) {
	list, err := s.SnapshotStore.List()
	if len(list) > 1 {
		list = list[:1]
	}
	return list, err
}

// newest returns the index of the newest snapshot, 0 when there is none.
func (s *snapshots) newest() (uint64, error) {
	list, err := s.List()
	if err != nil || len(list) == 0 {
		return 0, err
	}
	return list[0].Index, nil
}

// Open opens a snapshot, once its checksum is verified.
func (s *snapshots) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	path := filepath.Join(s.dir, id, snapshotFile)
	meta, file, err := s.SnapshotStore.Open(id)
	if err != nil {
		err = fmt.Errorf("%w: snapshot %q: %w", ErrDamaged, path, err)
	} else {
		meta, file, err = s.open(path, meta, file)
	}
	s.mu.Lock()
	s.path, s.err = path, err
	s.mu.Unlock()
	return meta, file, err
}

// open returns what reads a snapshot's content. The size is that of the content,
// which Raft tells a peer that it sends the snapshot to.
func (s *snapshots) open(path string, meta *raft.SnapshotMeta, file io.ReadCloser) (*raft.SnapshotMeta, io.ReadCloser, error) {
	in, err := openSealed(file, s.keys)
	if err != nil {
		file.Close()
		return nil, nil, fmt.Errorf("snapshot %q: %w", path, err)
	}
	if _, ok := in.(*sealReader); ok {
		plain := *meta
		plain.Size = plainSize(meta.Size, s.keys)
		meta = &plain
	}
	return meta, struct {
		io.Reader
		io.Closer
	}{in, file}, nil
}

// last returns the file last opened, and what was wrong with it.
func (s *snapshots) last() (path string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.path, s.err
}

// Create begins a snapshot.
func (s *snapshots) Create(v raft.SnapshotVersion, index, term uint64, c raft.Configuration, cIndex uint64, t raft.Transport) (raft.SnapshotSink, error) {
	sink, err := s.SnapshotStore.Create(v, index, term, c, cIndex, t)
	if err != nil {
		s.sweep(fmt.Sprintf("%d-%d-", term, index))
		return nil, err
	}
	k := &snapshotSink{SnapshotSink: sink, store: s, index: index}
	if s.keys != nil {
		k.seal = newSealWriter(sink, s.keys)
	}
	return k, nil
}

// sweep removes unfinished snapshots whose names begin with prefix.
func (s *snapshots) sweep(prefix string) {
	left, _ := filepath.Glob(filepath.Join(s.dir, prefix+"*.tmp"))
	for _, path := range left {
		os.RemoveAll(path)
	}
}

// snapshotSink removes what was written when it cannot be finished: the
// library leaves it there when the disk is full, where it hurts most.
type snapshotSink struct {
	raft.SnapshotSink
	store *snapshots
	index uint64
	seal  *sealWriter // nil: it is written in the clear
}

func (k *snapshotSink) Write(p []byte) (int, error) {
	if k.seal != nil {
		return k.seal.Write(p)
	}
	return k.SnapshotSink.Write(p)
}

func (k *snapshotSink) Close() error {
	if k.seal != nil {
		if err := k.seal.Close(); err != nil {
			return errors.Join(err, k.Cancel())
		}
		k.seal = nil // Raft closes twice
	}
	err := k.SnapshotSink.Close()
	if err != nil {
		k.store.sweep(k.ID())
		return err
	}
	for {
		old := k.store.index.Load()
		if k.index <= old || k.store.index.CompareAndSwap(old, k.index) {
			return nil
		}
	}
}

func (k *snapshotSink) Cancel() error {
	err := k.SnapshotSink.Cancel()
	k.store.sweep(k.ID())
	return err
}

// snapshotOf is the state at one moment, on its way into a snapshot.
type snapshotOf struct {
	f       *fsm
	dump    *state.Dump
	index   uint64
	at      time.Time
	cluster string
}

// Persist writes the snapshot, after every sink has on disk what the snapshot
// lets go of. It runs beside Apply.
func (s *snapshotOf) Persist(sink raft.SnapshotSink) error {
	for _, feeder := range s.f.feederList() {
		if err := feeder.flush(s.index); err != nil {
			sink.Cancel()
			return fmt.Errorf("cannot flush a sink before the snapshot: %w", err)
		}
	}
	w := &counter{w: sink}
	err := writeSnapshot(w, snapshotHead{index: s.index, at: s.at, cluster: s.cluster}, s.dump)
	if err != nil {
		sink.Cancel()
		return err
	}
	if err := sink.Close(); err != nil {
		return err
	}
	s.f.snapBytes.Store(w.n)
	return nil
}

// Release has nothing to give back: what the dump refers to is immutable.
func (s *snapshotOf) Release() {}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// Snapshot takes a snapshot now and lets the log before it go. Without
// anything new it does nothing.
func (b *Barn) Snapshot() error {
	b.tuneTrailing()
	err := b.raft.Snapshot().Error()
	switch {
	case err == nil, errors.Is(err, raft.ErrNothingNewToSnapshot):
		return nil
	case errors.Is(err, raft.ErrRaftShutdown):
		return fmt.Errorf("cannot take a snapshot: %w", ErrClosed)
	}
	return fmt.Errorf("cannot take a snapshot: %w", err)
}

// tuneTrailing bounds what a snapshot leaves in the log, by size: Raft counts
// records, and a record may be a handful of bytes or a megabyte.
func (b *Barn) tuneTrailing() {
	records, bytes := b.fsm.logRecords.Load(), b.fsm.logBytes.Load()
	if records == 0 {
		return
	}
	each := max(bytes/records, 1)
	rc := b.raft.ReloadableConfig()
	rc.TrailingLogs = min(b.o.TrailingRecords, uint64(max(b.o.SnapshotBytes/each, 16)))
	if err := b.raft.ReloadConfig(rc); err != nil {
		b.log.Warn("cannot bound what a snapshot leaves in the log", "error", err)
	}
}

// askSnapshots asks for a snapshot each time Apply says that the log has grown
// by a snapshot's worth of bytes. It runs until Close.
func (b *Barn) askSnapshots() {
	defer b.own.Done()
	for {
		select {
		case <-b.closing:
			return
		case <-b.snapWake:
			began := time.Now()
			if err := b.Snapshot(); err != nil {
				if !errors.Is(err, ErrClosed) {
					b.log.Error("the log grows without bound until a snapshot succeeds", "error", err)
				}
				select { // a full disk does not empty itself in an instant
				case <-b.closing:
				case <-time.After(time.Second):
				}
				continue
			}
			b.log.Info("snapshot taken", "bytes", b.fsm.snapBytes.Load(), "took", time.Since(began))
		}
	}
}

// grownBy counts what is applied and wakes askSnapshots when it is enough.
type grownBy struct {
	logBytes, logRecords atomic.Int64 // since the last snapshot began
	snapBytes            atomic.Int64 // size of the last snapshot
	limit                int64
	wake                 chan<- struct{}
}

func (g *grownBy) add(n int) {
	g.logRecords.Add(1)
	if g.logBytes.Add(int64(n)) < max(g.limit, g.snapBytes.Load()) {
		return
	}
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

func (g *grownBy) reset() {
	g.logBytes.Store(0)
	g.logRecords.Store(0)
}
