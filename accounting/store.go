package accounting

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/runink/rink/api/rinkpb"
)

// ErrInUse: another process has the history open.
var ErrInUse = errors.New("another process has it open")

// ErrClosed comes back from a Store after Close.
var ErrClosed = errors.New("the history is closed")

// maxQueued bounds the records waiting to be written, and maxBatch those
// written in one transaction.
const (
	maxQueued = 100_000
	maxBatch  = 10_000
)

// Store is the history of a cluster in one file. One goroutine, ended by Close,
// writes what Put queues; any number may read. Safe for use by many goroutines.
type Store struct {
	path   string
	keys   Sealer // nil: nothing is sealed
	file   atomic.Pointer[openFile]
	log    *slog.Logger
	recent recent            // the writer's
	known  map[string]uint32 // the writer's: words of the roll-ups
	cal    *calendar         // the writer's
	zone   *time.Location

	mu         sync.Mutex // guards what follows
	changed    *sync.Cond // something of it changed
	queue      []batch
	records    int    // in queue and being written
	last       uint64 // highest index put
	put        uint64 // batches ever queued
	written    uint64 // batches ever written
	applied    uint64 // highest index on disk
	failure    error  // why the last write failed; nil when it did not
	closing    bool
	others     func() bool // see RenewIf
	damaged    *openFile   // a reader found it so
	renewed    time.Time
	generation int            // of the file: how often it was renewed
	done       chan struct{}  // closed when the writer has ended
	letGo      sync.WaitGroup // of damaged files
}

// batch is the records of one log entry.
type batch struct {
	index    uint64
	records  []*rinkpb.Record
	imported bool // records have their own indexes; index, unless 0, is what they bring the history to
	fill     bool // records were fetched for a gap, or edit says that it is closed
	facts    bool // records are all that is known of nodes and reservations
	edit     func(*rinkpb.KeptHead)
}

// Open opens the history kept in dir and makes one if there is none. A file
// that is damaged, of a newer format or in use by another process is refused,
// by its name.
func Open(dir string, log *slog.Logger) (*Store, error) { return OpenSealed(dir, log, nil) }

// OpenSealed is Open with a key: what is in the file is sealed with it, and a file
// that is sealed otherwise, or not at all, is sealed anew first.
func OpenSealed(dir string, log *slog.Logger, keys Sealer) (*Store, error) {
	if log == nil {
		log = slog.Default()
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot keep a history: %w", err)
	}
	s := &Store{path: filepath.Join(dir, fileName), keys: keys, log: log, done: make(chan struct{}), known: map[string]uint32{}, zone: time.Local}
	s.cal = newCalendar(s.zone)
	s.changed = sync.NewCond(&s.mu)
	if err := s.open(nil); err != nil {
		return nil, fmt.Errorf("cannot open the history in %s: %w", s.path, err)
	}
	s.last = s.applied
	go s.write()
	return s, nil
}

// open opens the file; first, if not nil, is told of the head of one that is made.
func (s *Store) open(first func(*rinkpb.KeptHead)) (err error) {
	// bbolt trusts its pages: a damaged one makes it panic or fault.
	defer guard(&err)()
	info, statErr := os.Stat(s.path)
	fresh := errors.Is(statErr, os.ErrNotExist) || statErr == nil && info.Size() == 0
	if !fresh {
		if err := s.sealIfDue(); err != nil {
			return err
		}
	}
	db, err := bolt.Open(s.path, 0o600, &bolt.Options{Timeout: lockPatience, FreelistType: bolt.FreelistMapType, InitialMmapSize: addressSpace})
	if errors.Is(err, bolt.ErrTimeout) {
		return ErrInUse
	}
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			db.Close()
		}
	}()
	if fresh {
		err := db.Update(func(tx *bolt.Tx) error {
			for _, name := range allBuckets {
				if _, err := tx.CreateBucket(name); err != nil {
					return err
				}
			}
			head := &rinkpb.KeptHead{Format: formatNow, Zone: zoneName(s.zone)}
			if s.keys != nil {
				head.Key = s.keys.ID()
			}
			if first != nil {
				first(head)
			}
			return writeHead(&txn{tx, s.keys}, head)
		})
		if err != nil {
			return err
		}
		if err := syncDir(filepath.Dir(s.path)); err != nil {
			return err
		}
	}
	err = db.View(func(btx *bolt.Tx) error {
		tx := &txn{btx, s.keys}
		info, err := os.Stat(s.path)
		if err != nil {
			return err
		}
		if info.Size() < tx.Size() {
			return fmt.Errorf("it is cut short: it has %d of %d bytes", info.Size(), tx.Size())
		}
		head, err := readHead(tx)
		if err != nil {
			return err
		}
		s.mu.Lock()
		s.applied = head.Applied
		s.mu.Unlock()
		// The way to both ends of each bucket touches the pages that matter most.
		for _, name := range allBuckets {
			b := tx.Bucket(name)
			if b == nil && head.Format < formatNow && slices.ContainsFunc(laterBuckets, func(l []byte) bool { return bytes.Equal(l, name) }) {
				continue // it is about to be made
			}
			if b == nil {
				return fmt.Errorf("its %s are missing", name)
			}
			b.Cursor().First()
			b.Cursor().Last()
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.file.Store(&openFile{db: db})
	return s.bringUpToDate()
}

// lockPatience is how long another process that has the file is waited for.
const lockPatience = 3 * time.Second

// addressSpace is reserved for the file from the beginning: bbolt waits for all
// readers when it has to map more, and a backup reads for long.
const addressSpace = 8 << 30

// guard makes a panic or a memory fault in the rest of the caller an error.
// It is used as defer guard(&err)().
func guard(err *error) func() {
	old := debug.SetPanicOnFault(true)
	return func() {
		debug.SetPanicOnFault(old)
		if r := recover(); r != nil {
			*err = fmt.Errorf("%w: %v", ErrDamaged, r)
		}
	}
}

// sealIfDue looks at what the file is sealed with.
func (s *Store) sealIfDue() error {
	db, err := bolt.Open(s.path, 0o600, &bolt.Options{Timeout: lockPatience, ReadOnly: true})
	if errors.Is(err, bolt.ErrTimeout) {
		return ErrInUse
	} else if err != nil {
		return err
	}
	reseal := false
	err = db.View(func(tx *bolt.Tx) error {
		head, err := readHead(&txn{Tx: tx})
		if err == nil {
			reseal, err = checkKey(head, s.keys)
		}
		return err
	})
	if err := errors.Join(err, db.Close()); err != nil || !reseal {
		return err
	}
	s.log.Info("history: sealing it with another key", "file", s.path, "key", s.keys.ID())
	return sealAnew(s.path, s.keys)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// Put queues the records that follow from the log entry at index, in the order
// of the log. All of an entry's records go into one Put: the highest index on
// disk says that the entry is kept. Entries that were put before, as a restart
// replays them, are passed over, so that calling Put again is harmless.
//
// A record that is not Live is the final one of its incarnation and replaces
// what was put for it before; a batch script's usage put earlier stays unless
// there is a new one. Of a Live record only its steps that have ended and its
// Batch are kept, to be given back with the final record. Records are not
// changed, and must not be by the caller.
//
// Put waits while very much is queued, which only happens when the disk does
// not keep up or fails; that is logged, and what is queued is tried again. After
// Close it does nothing.
func (s *Store) Put(index uint64, records []*rinkpb.Record) {
	if len(records) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if index <= s.last {
		return
	}
	s.last = index
	s.enqueue(batch{index: index, records: records})
}

// Mark notes that the entries up to index are in the history, whether or not the
// last of them had records.
func (s *Store) Mark(index uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if index <= s.last {
		return
	}
	s.last = index
	s.enqueue(batch{index: index})
}

// enqueue waits for room and queues b; s.mu is held.
func (s *Store) enqueue(b batch) {
	for s.records > maxQueued && !s.closing {
		s.changed.Wait()
	}
	if s.closing {
		return
	}
	s.queue = append(s.queue, b)
	s.records += len(b.records)
	s.put++
	s.changed.Broadcast()
}

// Flush returns when all that was put before is on disk, or with the reason
// why it cannot be written at present.
func (s *Store) Flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for target := s.put; s.written < target; s.changed.Wait() {
		if s.failure != nil {
			return fmt.Errorf("cannot write the history in %s: %w", s.path, s.failure)
		}
		if s.stopped() {
			return ErrClosed
		}
	}
	return nil
}

// stopped reports whether the writer has ended; s.mu is held.
func (s *Store) stopped() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// Applied returns the highest log index whose records are on disk.
func (s *Store) Applied() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.applied
}

// Close writes what is queued, if the disk takes it, and closes the file.
func (s *Store) Close() error {
	s.mu.Lock()
	s.closing = true
	s.changed.Broadcast()
	s.mu.Unlock()
	<-s.done
	s.mu.Lock()
	failure := s.failure
	s.changed.Broadcast() // to those in Flush
	s.mu.Unlock()
	err := s.file.Load().close()
	over := make(chan struct{})
	go func() { // ends when the readers of a damaged file do, or with the process
		defer close(over)
		s.letGo.Wait()
	}()
	select {
	case <-over:
	case <-time.After(lockPatience):
	}
	if failure != nil {
		return fmt.Errorf("cannot write the history in %s: %w", s.path, failure)
	}
	if err != nil {
		return fmt.Errorf("cannot close the history in %s: %w", s.path, err)
	}
	return nil
}

// write is the writer: batches that queued up while the last ones were written
// become one transaction and one sync.
func (s *Store) write() {
	defer close(s.done)
	const shortest, longest = time.Second, time.Minute
	pause := shortest
	for {
		s.mu.Lock()
		for len(s.queue) == 0 && !s.closing && !s.renewDue() {
			s.changed.Wait()
		}
		if !s.closing && s.renewDue() {
			s.mu.Unlock()
			s.renewSoon(ErrDamaged)
			continue
		}
		if len(s.queue) == 0 {
			s.mu.Unlock()
			return
		}
		n, records := 0, 0
		for n < len(s.queue) && (n == 0 || records+len(s.queue[n].records) <= maxBatch) {
			records += len(s.queue[n].records)
			n++
		}
		now := s.queue[:n:n]
		s.mu.Unlock()

		applied, err := s.commit(now)
		if s.renewSoon(err) {
			continue
		}

		s.mu.Lock()
		if err == nil {
			s.queue = s.queue[n:]
			if len(s.queue) == 0 {
				s.queue = nil
			}
			s.records -= records
			s.written += uint64(n)
			s.applied = applied
			pause = shortest
		}
		s.failure = err
		s.changed.Broadcast()
		if err != nil {
			s.log.Error("history not written", "file", s.path, "error", err, "queued", s.records, "again", pause)
			if s.closing {
				s.mu.Unlock()
				return
			}
			s.pause(pause)
			pause = min(2*pause, longest)
		}
		s.mu.Unlock()
	}
}

// pause waits that long or for Close; s.mu is held.
func (s *Store) pause(d time.Duration) {
	over := false
	timer := time.AfterFunc(d, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		over = true
		s.changed.Broadcast()
	})
	defer timer.Stop()
	for !over && !s.closing {
		s.changed.Wait()
	}
}

// commit writes batches in one transaction and returns the highest index that
// is on disk then.
func (s *Store) commit(batches []batch) (applied uint64, err error) {
	// Texts count as seen even if the transaction fails: that only makes a word
	// of one sooner.
	// Words given out in it are not there then.
	defer func() {
		if err != nil {
			clear(s.known)
		}
	}()
	err = s.update(func(tx *txn) error {
		head, err := readHead(tx)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		w := newWriter(tx, s)
		w.gap = len(head.Gaps) > 0
		for _, b := range batches {
			if b.facts {
				if err := w.replaceFacts(b.records); err != nil {
					return err
				}
				b.records = nil
			}
			for _, r := range b.records {
				err := w.record(b, r)
				// One bad record must not keep all later ones from being written.
				if bad := (*recordError)(nil); errors.As(err, &bad) {
					s.log.Error("record not kept", "file", s.path, "index", b.index, "error", err)
					continue
				}
				if err != nil {
					return err
				}
			}
			head.Applied = max(head.Applied, b.index)
			if b.edit != nil {
				b.edit(head)
				w.gap = len(head.Gaps) > 0
			}
		}
		if err := w.rolls.flush(); err != nil {
			return err
		}
		applied = head.Applied
		return writeHead(tx, head)
	})
	return applied, err
}
