package noded

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// fence keeps out orders of leaders of the past. The newest term of which an order
// came is kept in the spool, so that it holds for the next agent too.
type fence struct {
	path string
	mu   sync.Mutex // guards term, and the file
	term uint64
}

func openFence(spool string) (*fence, error) {
	f := &fence{path: filepath.Join(spool, "term")}
	text, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the newest term: %w", err)
	}
	if f.term, err = strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64); err != nil {
		return nil, fmt.Errorf("spool file %s is corrupt: %w", f.path, err)
	}
	return f, nil
}

// pass lets an order of that term pass, or says why not.
func (f *fence) pass(term uint64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case term < f.term:
		return fmt.Errorf("an order of term %d comes after one of term %d", term, f.term)
	case term == f.term:
		return nil
	}
	if err := writeWhole(f.path, strconv.AppendUint(nil, term, 10), 0o600); err != nil {
		return err
	}
	f.term = term
	return nil
}

// silence breaks a line on which nothing has come for too long.
type silence struct {
	limit time.Duration
	heard time.Time
	timer *time.Timer
	over  atomic.Bool
}

// newSilence begins to listen; cancel breaks the line. A limit of zero is none.
func newSilence(limit time.Duration, cancel func()) *silence {
	s := &silence{limit: limit, heard: time.Now()}
	if limit > 0 {
		s.timer = time.AfterFunc(limit, func() { s.over.Store(true); cancel() })
	}
	return s
}

// broken is told of each thing that comes, and whether it came too late.
func (s *silence) broken() bool {
	if s.limit <= 0 {
		return false
	}
	now := time.Now()
	late := s.over.Load() || now.Sub(s.heard) > s.limit
	s.heard = now
	s.timer.Reset(s.limit)
	return late
}

func (s *silence) stop() {
	if s.timer != nil {
		s.timer.Stop()
	}
}
