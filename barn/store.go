package barn

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.etcd.io/bbolt"
)

// logName is the file of the Raft log, term and vote.
const logName = "raft.db"

// store is the log and stable store handed to Raft: bbolt, with its failures
// sorted into those that pass and those that do not.
//
// Raft panics when it cannot store its term or read an entry it must apply,
// and a panic in one of its goroutines would take the process down without a
// word to anybody. So such calls do not return an error to it:
//   - while the disk is full they wait for space; proposals are refused
//     meanwhile, and everything acknowledged is on disk already;
//   - on any other failure the barn fails (see Barn.Failed) and the calling
//     goroutine of Raft ends there, running its deferred calls.
type store struct {
	bolt *raftboltdb.BoltStore
	path string
	// fail makes the barn fail; closing is closed when it is being closed.
	fail    func(error)
	closing <-chan struct{}
	onFull  func(full bool, err error)
	// snapshot returns the index the newest snapshot covers.
	snapshot func() uint64
	// live is false while the barn is being opened: then every failure is
	// returned, for Open to report.
	live   atomic.Bool
	failed atomic.Bool
	full   atomic.Bool
	disk   diskWatch
	keys   Sealer // nil: nothing is sealed
	level  uint32 // the highest format level it knows
	// begun notes on the disk that there is a log now, after the first write of a
	// directory that had none; nil once that is done. Raft writes from one goroutine.
	begun func() error
	// fault, when set by a test, is asked before every write.
	fault func(op string) error
}

// fullRetry is how often a write that found the disk full is tried again.
const fullRetry = 200 * time.Millisecond

// openStore opens the log at path, having made sure that it is whole.
func openStore(path string, noSync bool) (*store, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return nil, err
	case info.Size() > 0:
		if err := checkBolt(path); err != nil {
			return nil, fmt.Errorf("%w: %q: %w", ErrDamaged, path, err)
		}
	}
	return openLog(path, noSync, false)
}

// openLog opens a log that has been checked.
func openLog(path string, noSync, readOnly bool) (*store, error) {
	s := &store{path: path, fail: func(error) {}, onFull: func(bool, error) {}, snapshot: func() uint64 { return 0 }}
	err := s.guard(func() (err error) {
		s.bolt, err = raftboltdb.New(raftboltdb.Options{
			Path:   path,
			NoSync: noSync,
			BoltOptions: &bbolt.Options{
				Timeout:        2 * time.Second,
				NoFreelistSync: true,
				FreelistType:   bbolt.FreelistMapType,
				NoStatistics:   true,
				ReadOnly:       readOnly,
			},
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot open %q: %w", path, err)
	}
	return s, nil
}

// guard runs f and turns a panic in it, and a touch of memory behind the
// file's end, into an error.
func (s *store) guard(f func() error) (err error) {
	old := debug.SetPanicOnFault(true)
	defer func() {
		debug.SetPanicOnFault(old)
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %q: %v", ErrDamaged, s.path, r)
		}
	}()
	return f()
}

// isFull reports whether err says that there is no space left.
func isFull(err error) bool {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return true
	}
	// bbolt formats the cause of a failed growth into text.
	text := err.Error()
	return strings.Contains(text, syscall.ENOSPC.Error()) || strings.Contains(text, syscall.EDQUOT.Error())
}

func (s *store) write(op string, f func() error) error {
	if s.failed.Load() {
		return fmt.Errorf("cannot %s: the log %q failed before", op, s.path)
	}
	defer s.disk.watch()()
	err := s.guard(func() error {
		if s.fault != nil {
			if err := s.fault(op); err != nil {
				return err
			}
		}
		return f()
	})
	switch {
	case err == nil:
		if s.full.CompareAndSwap(true, false) {
			s.onFull(false, nil)
		}
		return nil
	case isFull(err):
		err = fmt.Errorf("%w: cannot %s in %q: %w", ErrFull, op, s.path, err)
		if s.live.Load() && s.full.CompareAndSwap(false, true) {
			s.onFull(true, err)
		}
		return err
	default:
		err = fmt.Errorf("cannot %s in %q: %w", op, s.path, err)
		s.broken(err)
		return err
	}
}

// broken fails the barn for good.
func (s *store) broken(err error) {
	if s.live.Load() && s.failed.CompareAndSwap(false, true) {
		s.fail(err)
	}
}

// must is write for what Raft cannot live without.
func (s *store) must(op string, f func() error) error {
	for {
		err := s.write(op, f)
		if err == nil || !s.live.Load() {
			return err
		}
		if !errors.Is(err, ErrFull) {
			runtime.Goexit()
		}
		select {
		case <-s.closing:
			runtime.Goexit()
		case <-time.After(fullRetry):
		}
	}
}

// FirstIndex returns the index of the first entry kept, 0 for none.
func (s *store) FirstIndex() (n uint64, err error) {
	err = s.guard(func() error { n, err = s.bolt.FirstIndex(); return err })
	return n, err
}

// LastIndex returns the index of the last entry kept, 0 for none.
func (s *store) LastIndex() (n uint64, err error) {
	err = s.guard(func() error { n, err = s.bolt.LastIndex(); return err })
	return n, err
}

// GetLog reads an entry.
func (s *store) GetLog(index uint64, log *raft.Log) error {
	err := s.read(index, log)
	if err == nil {
		return nil
	}
	if errors.Is(err, raft.ErrLogNotFound) {
		// Compacted away, or not there yet: Raft knows what to do. What lies
		// between the snapshot and the end was there when the barn was opened or
		// was appended since, so that it is missing is another matter. (Before
		// the snapshot's end there may be holes, when it came from a peer.)
		last, lerr := s.LastIndex()
		if lerr != nil || index <= s.snapshot() || index > last {
			return err
		}
		if again := s.read(index, log); again == nil {
			return nil // appended in between
		}
		err = fmt.Errorf("%w: it is missing, and the last is %d", ErrDamaged, last)
	}
	err = fmt.Errorf("cannot read log entry %d in %q: %w", index, s.path, err)
	if s.live.Load() {
		s.broken(err)
		runtime.Goexit()
	}
	return err
}

// StoreLog and StoreLogs append entries, on disk when they return. Raft
// answers an error here by giving up the lead, which is what a full disk calls
// for: the entries are refused and nothing is half done.
func (s *store) StoreLog(log *raft.Log) error { return s.StoreLogs([]*raft.Log{log}) }

// StoreLogs is as StoreLog.
func (s *store) StoreLogs(logs []*raft.Log) error {
	sealed := make([]raft.Log, len(logs))
	list := make([]*raft.Log, len(logs))
	for i, l := range logs {
		sealed[i] = *l
		s.sealEntry(&sealed[i])
		list[i] = &sealed[i]
	}
	return s.noted(s.write("append to the log", func() error { return s.bolt.StoreLogs(list) }))
}

// noted notes, after a write that went well, that there is a log.
func (s *store) noted(err error) error {
	if err == nil && s.begun != nil && s.begun() == nil {
		s.begun = nil // else with the next write
	}
	return err
}

// seal returns the checksum that is kept with an entry, in a field that Raft
// leaves to its user: bbolt has none for what it stores.
func seal(l *raft.Log) []byte {
	var head [17]byte
	binary.BigEndian.PutUint64(head[:], l.Index)
	binary.BigEndian.PutUint64(head[8:], l.Term)
	head[16] = byte(l.Type)
	sum := crc32.Update(crc32.Checksum(head[:], castagnoli()), castagnoli(), l.Data)
	return binary.BigEndian.AppendUint32(nil, sum)
}

// read reads an entry and breaks its seal.
func (s *store) read(index uint64, log *raft.Log) error {
	return s.guard(func() error {
		if err := s.bolt.GetLog(index, log); err != nil {
			return err
		}
		if log.Index != index {
			return fmt.Errorf("%w: %q: entry %d stands for entry %d", ErrDamaged, s.path, log.Index, index)
		}
		return s.openEntry(log)
	})
}

// DeleteRange removes entries; that it fails costs only space.
func (s *store) DeleteRange(min, max uint64) error {
	return s.write("cut the log", func() error { return s.bolt.DeleteRange(min, max) })
}

// Set keeps a value beside the log, with its checksum.
func (s *store) Set(key, val []byte) error {
	val = binary.BigEndian.AppendUint32(append([]byte(nil), val...), valueSum(key, val))
	return s.must("store "+string(key), func() error { return s.bolt.Set(key, val) })
}

// SetUint64 is as Set.
func (s *store) SetUint64(key []byte, val uint64) error {
	err := s.Set(key, binary.BigEndian.AppendUint64(nil, val))
	if val == 0 { // Raft's first start writes that there was no term, which is no beginning
		return err
	}
	return s.noted(err)
}

func valueSum(key, val []byte) uint32 {
	return crc32.Update(crc32.Checksum(key, castagnoli()), castagnoli(), val)
}

// Get reads a value. The error for one never set says "not found", as Raft
// wants it.
func (s *store) Get(key []byte) (val []byte, err error) {
	err = s.guard(func() error { val, err = s.bolt.Get(key); return err })
	if err != nil {
		return nil, err
	}
	n := len(val) - 4
	if n < 0 || binary.BigEndian.Uint32(val[n:]) != valueSum(key, val[:n]) {
		return nil, fmt.Errorf("%w: %q: the checksum is not that of %s", ErrDamaged, s.path, key)
	}
	return val[:n], nil
}

// GetUint64 is as Get; a value of another length is an error.
func (s *store) GetUint64(key []byte) (uint64, error) {
	val, err := s.Get(key)
	if err != nil {
		return 0, err
	}
	if len(val) != 8 {
		return 0, fmt.Errorf("%w: %q: %s is %d bytes long, not 8", ErrDamaged, s.path, key, len(val))
	}
	return binary.BigEndian.Uint64(val), nil
}

// close closes the file. After a failure bbolt may be stuck in a transaction
// that never ended, so it is not waited for long.
func (s *store) close() error {
	done := make(chan error, 1)
	go func() { done <- s.guard(s.bolt.Close) }()
	if !s.failed.Load() {
		return <-done
	}
	select {
	case err := <-done:
		return err
	case <-time.After(2 * time.Second):
		return fmt.Errorf("cannot close %q: it failed within a transaction", s.path)
	}
}

// termKey is where Raft keeps its term.
var termKey = []byte("CurrentTerm")

// checkEntries reads every entry after index from, the snapshot's, and says
// what is wrong with the log: a hole, an entry that cannot be read, a log that
// begins after the snapshot ends, a term that is lost.
func (s *store) checkEntries(from uint64) error {
	first, err := s.FirstIndex()
	if err != nil {
		return err
	}
	last, err := s.LastIndex()
	if err != nil {
		return err
	}
	now, err := s.GetUint64(termKey)
	if err != nil && err != raftboltdb.ErrKeyNotFound {
		return err
	}
	if now == 0 && max(last, from) > 0 {
		return fmt.Errorf("%w: %q has entries, but not the term they are of", ErrDamaged, s.path)
	}
	if last <= from {
		return nil
	}
	if first > from+1 {
		if from == 0 {
			return fmt.Errorf("%w: %q begins at entry %d, and there is no snapshot of what was before it in %q",
				ErrDamaged, s.path, first, filepath.Join(filepath.Dir(s.path), snapshotsName))
		}
		return fmt.Errorf("%w: %q begins at entry %d, but the last snapshot ends at entry %d", ErrDamaged, s.path, first, from)
	}
	var term uint64
	for i := from + 1; i <= last; i++ {
		var log raft.Log
		if err := s.GetLog(i, &log); err != nil {
			return err
		}
		if log.Term < term || log.Term > now {
			return fmt.Errorf("%w: entry %d of %q is of term %d, the one before of %d, and the present one is %d", ErrDamaged, i, s.path, log.Term, term, now)
		}
		term = log.Term
		if log.Type == raft.LogCommand {
			if err := checkRecord(log.Data, s.level); err != nil {
				return fmt.Errorf("entry %d of %q: %w", i, s.path, err)
			}
		}
	}
	return nil
}

// freeSpace returns how many bytes may be written in dir.
func freeSpace(dir string) (int64, error) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return 0, err
	}
	return int64(fs.Bavail) * fs.Bsize, nil
}
