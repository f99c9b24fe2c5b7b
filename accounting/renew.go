package accounting

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/runink/rink/api/rinkpb"
)

// ErrDamaged is in what comes back when pages of the file are not what was written.
var ErrDamaged = errors.New("the file is damaged")

// ErrRenewed comes back to who was filling a gap of a file that was found damaged and
// put aside meanwhile: the new file has a gap of its own.
var ErrRenewed = errors.New("the history was begun anew meanwhile")

// renewEvery is how soon after one renewal another may follow. What looks like a
// damaged file may be a fault that comes again with the next one.
const renewEvery = 10 * time.Minute

// errNobody: there is no other controller to have the history from.
var errNobody = errors.New("no other controller has the history")

// openFile is the file as it is open. Damage may leave bbolt with a lock taken that
// nobody gives back: then stuck says why, and nothing more is asked of it.
type openFile struct {
	db    *bolt.DB
	stuck atomic.Pointer[error]
}

func (f *openFile) blocked() error {
	if why := f.stuck.Load(); why != nil {
		return *why
	}
	return nil
}

// guarded calls what takes or gives back bbolt's own locks.
func (f *openFile) guarded(call func() error) (err error) {
	defer func() {
		if errors.Is(err, ErrDamaged) {
			f.stuck.CompareAndSwap(nil, &err)
		}
	}()
	defer guard(&err)()
	return call()
}

func (f *openFile) begin(write bool) (tx *bolt.Tx, err error) {
	if err := f.blocked(); err != nil {
		return nil, err
	}
	err = f.guarded(func() (err error) { tx, err = f.db.Begin(write); return })
	return tx, err
}

// end gives a transaction up, whose outcome was err.
func (f *openFile) end(tx *bolt.Tx, err *error) {
	rolled := f.guarded(tx.Rollback)
	if errors.Is(rolled, ErrDamaged) {
		*err = errors.Join(*err, rolled)
	}
}

// close closes the file, unless that would wait for ever.
func (f *openFile) close() error {
	if err := f.blocked(); err != nil {
		return err
	}
	return f.guarded(f.db.Close)
}

// update and look are transactions on the file. What damage makes bbolt do, panic or
// fault, is an error.
func (s *Store) update(f func(*txn) error) (err error) {
	file := s.file.Load()
	tx, err := file.begin(true)
	if err != nil {
		return err
	}
	committed := false
	defer func() {
		if !committed {
			file.end(tx, &err)
		}
	}()
	defer guard(&err)()
	if err := f(&txn{tx, s.keys}); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	committed = true
	return nil
}

func (s *Store) look(f func(*txn) error) (err error) {
	file := s.file.Load()
	defer func() {
		if errors.Is(err, ErrDamaged) {
			s.suspect(file)
		}
	}()
	tx, err := file.begin(false)
	if errors.Is(err, bolt.ErrDatabaseNotOpen) && s.file.Load() != file {
		return s.look(f)
	}
	if err != nil {
		return err
	}
	defer file.end(tx, &err)
	defer guard(&err)()
	return f(&txn{tx, s.keys})
}

// RenewIf says what becomes of the file when it is found damaged while it is open:
// if others reports that other controllers have the history too, it is put aside and
// a new one is begun, with one gap, to be filled from them. Otherwise, and without
// this call, it stays, and so does the error.
func (s *Store) RenewIf(others func() bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.others = others
}

// suspect has the writer renew a file of which a reader found damaged pages.
func (s *Store) suspect(f *openFile) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.damaged = f
	s.changed.Broadcast()
}

// mayRenew reports whether so much time has passed since the last renewal; s.mu is held.
func (s *Store) mayRenew() bool {
	return s.others != nil && (s.renewed.IsZero() || time.Since(s.renewed) >= renewEvery)
}

// renewDue reports whether a reader found the file damaged that is open, and whether
// it may be renewed; s.mu is held.
func (s *Store) renewDue() bool {
	return s.damaged != nil && s.damaged == s.file.Load() && s.mayRenew()
}

// renewSoon renews the file if err says that it is damaged and it may be renewed, and
// reports whether it did; the writer calls it.
func (s *Store) renewSoon(err error) bool {
	if !errors.Is(err, ErrDamaged) {
		return false
	}
	s.mu.Lock()
	may := s.mayRenew()
	s.mu.Unlock()
	if !may {
		return false
	}
	if err := s.renew(); err != nil {
		if !errors.Is(err, errNobody) {
			s.log.Error("history: a damaged file cannot be begun anew", "file", s.path, "error", err)
		}
		s.mu.Lock()
		s.damaged = nil // until the next one finds it so
		s.mu.Unlock()
		return false
	}
	return true
}

// renew puts the file aside and begins a new one that lacks all that was written; the
// writer calls it. What is queued is written to the new one, but for what was fetched
// for a gap of the old one. Failing, it leaves the file as it was, or none.
func (s *Store) renew() error {
	s.mu.Lock()
	others := s.others
	s.mu.Unlock()
	if others == nil || !others() {
		return errNobody
	}
	s.mu.Lock()
	to := s.last
	for _, b := range s.queue {
		if !b.fill {
			to = b.index - 1
			break
		}
	}
	s.mu.Unlock()
	old := s.file.Load()
	if _, err := PutAside(filepath.Dir(s.path), s.log); err != nil {
		return err
	}
	s.log.Warn("history: the file was damaged and is begun anew; what it had is fetched from another controller", "file", s.path, "from", 1, "to", to)
	err := s.open(func(head *rinkpb.KeptHead) {
		if to > 0 {
			head.Applied, head.Gaps = to, []*rinkpb.HistoryGap{{From: 1, To: to}}
		}
	})
	if err != nil {
		os.Remove(s.path) // there is nothing in it
		return fmt.Errorf("cannot begin a new history in %s: %w", s.path, err)
	}
	// Readers of the old file, a backup perhaps, take their time; close waits for them.
	s.letGo.Go(func() {
		if err := old.close(); err != nil {
			s.log.Warn("history: the damaged file cannot be closed", "error", err)
		}
	})
	clear(s.known)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.renewed, s.damaged = time.Now(), nil
	s.generation++
	s.queue = slices.DeleteFunc(s.queue, func(b batch) bool {
		if b.fill {
			s.records -= len(b.records)
			s.written++
		}
		return b.fill
	})
	s.changed.Broadcast()
	return nil
}
