// Package logs passes on what jobs print, line by line, to a collector that speaks
// Fluentd's forward protocol (version 1, with acknowledgements).
//
// What is read is put on disk in segments before it is sent, and a segment goes
// once the collector has acknowledged it: a collector that is away, or dies with a
// segment half taken, gets it again, under the same chunk id. How far each file has
// been read is in the segments themselves, so an agent that is killed reads on
// where the last segment ends. When the segments fill their room, what is there
// stays and reading stops; files wait, and of output that is in no file what does
// not fit is left out and counted. Nothing here is ever waited for by a job.
package logs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/vmihailenco/msgpack/v5"
)

const (
	maxLine    = 32 << 10 // longer lines come in pieces
	maxSegment = 512 << 10
	flushEvery = 200 * time.Millisecond
	pollEvery  = 250 * time.Millisecond
	// missingFor is how long a file that is not there is looked for once its
	// writer has ended.
	missingFor = 2 * time.Second
)

// Meta says whose output something is.
type Meta struct {
	Job, Restarts uint32
	Step          string // "batch" or a number
	Task          int32  // -1: of all tasks of the step on the node
	Node, Herd    string
	User          string
	Stream        string // "stdout" or "stderr"
}

// ID names the source in files and cursors.
func (m Meta) ID() string {
	return fmt.Sprintf("%d.%d.%s.%d.%s", m.Job, m.Restarts, m.Step, m.Task, m.Stream)
}

// Source is a file that is followed.
type Source struct {
	Meta     Meta
	Path     string
	UID, GID uint32
	Start    int64 // where this output begins in it
	Ended    bool  // nobody writes to it any more
}

// record is one line.
type record struct {
	Source  Meta
	At      int64 // nanoseconds
	Offset  int64 // of its first byte
	Line    []byte
	Skipped int64 // bytes before it that were left out
}

// segment is one file of the buffer, and one chunk on the wire.
type segment struct {
	Cursors map[string]int64 // how far each source has been read with it
	Records []record
}

// Options is what a Shipper is made with.
type Options struct {
	Dir     string // of its own
	Address string // host:port, or unix:PATH
	Tag     string
	Retry   time.Duration                   // the longest between two tries to reach the collector; 0: 10 seconds
	Room    int64                           // bytes of segments
	Open    func(*Source) (*os.File, error) // with the rights of the file's owner
	Log     *slog.Logger
}

// Shipper passes on. Its methods never wait for the collector.
type Shipper struct {
	opt  Options
	full chan struct{} // closed and replaced when room has been made
	more chan struct{} // holds one signal that there is a segment to send
	wake chan struct{} // holds one signal that the batch is large

	flushing sync.Mutex // held while a segment is written

	mu      sync.Mutex // guards all below
	cursors map[string]int64
	sources map[string]*followed
	pipes   map[string]*pipe
	batch   segment
	size    int   // of the batch
	held    int64 // bytes in segments
	next    uint64
	queue   []string // segments, the oldest first
	ctx     context.Context
	wg      sync.WaitGroup
}

type followed struct {
	src   Source
	ended chan struct{}
}

// pipe is output that is in no file.
type pipe struct {
	of      Meta
	offset  int64
	rest    []byte
	skipped int64
}

// New opens a buffer and takes up what is in it.
func New(opt Options) (*Shipper, error) {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Retry <= 0 {
		opt.Retry = 10 * time.Second
	}
	if err := os.MkdirAll(opt.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the buffer of logs: %w", err)
	}
	s := &Shipper{
		opt: opt, full: make(chan struct{}), more: make(chan struct{}, 1), wake: make(chan struct{}, 1), cursors: map[string]int64{},
		sources: map[string]*followed{}, pipes: map[string]*pipe{}, batch: segment{Cursors: map[string]int64{}},
	}
	if err := s.load(); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Shipper) load() error {
	if err := s.read("cursors", &s.cursors); err != nil && !errors.Is(err, fs.ErrNotExist) {
		// The segments say most of it again; an agent starts without the rest.
		s.opt.Log.Error("how far files were read cannot be read, and some of them may be passed on again", "error", err)
		path := filepath.Join(s.opt.Dir, "cursors")
		os.Rename(path, path+".bad")
		s.cursors = map[string]int64{}
	}
	list, err := os.ReadDir(s.opt.Dir)
	if err != nil {
		return fmt.Errorf("cannot read the buffer of logs: %w", err)
	}
	for _, e := range list {
		name := e.Name()
		switch filepath.Ext(name) {
		case ".seg":
			var seg segment
			if err := s.read(name, &seg); err != nil {
				s.opt.Log.Error("a segment of logs cannot be read and is left out", "segment", name, "error", err)
				os.Rename(filepath.Join(s.opt.Dir, name), filepath.Join(s.opt.Dir, name+".bad"))
				continue
			}
			for id, at := range seg.Cursors {
				s.cursors[id] = max(s.cursors[id], at)
			}
			n, _ := strconv.ParseUint(strings.TrimSuffix(name, ".seg"), 16, 64)
			s.next = max(s.next, n+1)
			s.queue = append(s.queue, name)
			if info, err := e.Info(); err == nil {
				s.held += info.Size()
			}
		case ".src":
			var src Source
			if err := s.read(name, &src); err != nil {
				s.opt.Log.Error("a file's place in the logs cannot be read", "file", name, "error", err)
				continue
			}
			s.sources[src.Meta.ID()] = newFollowed(src)
		case ".new":
			os.Remove(filepath.Join(s.opt.Dir, name))
		}
	}
	sort.Strings(s.queue)
	for id := range s.cursors {
		if s.sources[id] == nil {
			delete(s.cursors, id) // read to its end
		}
	}
	return nil
}

func newFollowed(src Source) *followed {
	f := &followed{src: src, ended: make(chan struct{})}
	if src.Ended {
		close(f.ended)
	}
	return f
}

func (s *Shipper) read(name string, into any) error {
	text, err := os.ReadFile(filepath.Join(s.opt.Dir, name))
	if err != nil {
		return err
	}
	return msgpack.Unmarshal(text, into)
}

func (s *Shipper) write(name string, what any) (int64, error) {
	text, err := msgpack.Marshal(what)
	if err != nil {
		return 0, err
	}
	path := filepath.Join(s.opt.Dir, name)
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		os.Remove(path + ".new")
		return 0, fmt.Errorf("cannot write the buffer of logs: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return 0, fmt.Errorf("cannot write the buffer of logs: %w", err)
	}
	return int64(len(text)), nil
}

// Run reads and sends until ctx ends.
func (s *Shipper) Run(ctx context.Context) {
	s.mu.Lock()
	s.ctx = ctx
	for _, f := range s.sources {
		s.wg.Go(func() { s.follow(ctx, f) })
	}
	s.mu.Unlock()
	s.wg.Go(func() { s.send(ctx) })
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			done := make(chan struct{})
			go func() { s.wg.Wait(); close(done) }() // ends when the file systems answer
			select {
			case <-done:
			case <-time.After(2 * time.Second): // one that hangs is not waited for
			}
			s.flush()
			return
		case <-tick.C:
		case <-s.wake:
		}
		s.flush()
	}
}

// Follow passes on what is written to a file, until it is told that its writer has
// ended, also by Shippers that come after this one.
func (s *Shipper) Follow(src Source) {
	id := src.Meta.ID()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sources[id] != nil {
		return
	}
	if _, err := s.write(id+".src", src); err != nil {
		s.opt.Log.Error("cannot follow a file", "file", src.Path, "error", err)
	}
	f := newFollowed(src)
	s.sources[id] = f
	if s.ctx != nil && s.ctx.Err() == nil {
		s.wg.Go(func() { s.follow(s.ctx, f) })
	}
}

// Finish says that nobody writes to a source of a step any more: what is there is
// read to its end.
func (s *Shipper) Finish(job, restarts uint32, step string) {
	prefix := fmt.Sprintf("%d.%d.%s.", job, restarts, step)
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, f := range s.sources {
		if !strings.HasPrefix(id, prefix) || f.src.Ended {
			continue
		}
		f.src.Ended = true
		if _, err := s.write(id+".src", f.src); err != nil {
			s.opt.Log.Error("cannot keep that a file has ended", "file", f.src.Path, "error", err)
		}
		close(f.ended)
	}
	for id, p := range s.pipes {
		if strings.HasPrefix(id, prefix) {
			if len(p.rest) > 0 {
				s.addLocked(record{Source: p.of, At: time.Now().UnixNano(), Offset: p.offset, Line: p.rest}, "", 0)
			}
			delete(s.pipes, id)
		}
	}
}

// room waits until there is some. It reports false when ctx has ended.
func (s *Shipper) room(ctx context.Context) bool {
	for {
		s.mu.Lock()
		ok, full := s.held+int64(s.size) < s.opt.Room, s.full
		s.mu.Unlock()
		if ok {
			return true
		}
		select { // what is not on disk yet is not waited for
		case s.wake <- struct{}{}:
		default:
		}
		select {
		case <-full:
		case <-ctx.Done():
			return false
		}
	}
}

// addLocked puts a record into the batch, which moves its file's cursor.
func (s *Shipper) addLocked(r record, id string, cursor int64) {
	s.batch.Records = append(s.batch.Records, r)
	s.size += len(r.Line) + 128
	if id != "" {
		s.batch.Cursors[id] = cursor
	}
	if s.size >= maxSegment {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

// flush puts the batch on disk as a segment. Output goes on being taken while the
// disk works.
func (s *Shipper) flush() {
	s.flushing.Lock() // segments are written in turn
	defer s.flushing.Unlock()
	s.mu.Lock()
	batch, size := s.batch, s.size
	name := fmt.Sprintf("%016x.seg", s.next)
	s.batch, s.size = segment{Cursors: map[string]int64{}}, 0
	s.mu.Unlock()
	if len(batch.Records) == 0 {
		return
	}
	n, err := s.write(name, batch)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.opt.Log.Error("cannot keep logs", "error", err)
		// It is tried again with the next.
		s.batch.Records = append(batch.Records, s.batch.Records...)
		for id, at := range batch.Cursors {
			s.batch.Cursors[id] = max(s.batch.Cursors[id], at)
		}
		s.size += size
		return
	}
	s.next++
	s.held += n
	s.queue = append(s.queue, name)
	for id, at := range batch.Cursors {
		if s.sources[id] != nil {
			s.cursors[id] = max(s.cursors[id], at)
		}
	}
	select {
	case s.more <- struct{}{}:
	default:
	}
}

// follow reads one file to the end of what its writer wrote.
func (s *Shipper) follow(ctx context.Context, f *followed) {
	id := f.src.Meta.ID()
	var file *os.File
	defer func() {
		if file != nil {
			file.Close()
		}
	}()
	s.mu.Lock()
	at, known := s.cursors[id]
	s.mu.Unlock()
	if !known {
		at = f.src.Start
	}
	var rest []byte
	buf := make([]byte, 64<<10)
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	var gone time.Time
	for {
		over := false
		select {
		case <-f.ended:
			over = true
		default:
		}
		if file == nil {
			var err error
			if file, err = s.opt.Open(&f.src); err != nil {
				file = nil
				if over && gone.IsZero() {
					gone = time.Now()
				}
				if over && time.Since(gone) > missingFor {
					s.opt.Log.Warn("a job's output cannot be read", "file", f.src.Path, "error", err)
					s.forget(id)
					return
				}
			}
		}
		for file != nil {
			if !s.room(ctx) {
				return
			}
			n, err := file.ReadAt(buf, at+int64(len(rest)))
			if n > 0 {
				rest = append(rest, buf[:n]...)
				at, rest = s.lines(f.src.Meta, id, at, rest, false)
			}
			if err != nil && !errors.Is(err, io.EOF) {
				s.opt.Log.Warn("a job's output cannot be read", "file", f.src.Path, "error", err)
				over = true
			}
			if n < len(buf) {
				break
			}
		}
		if over && file != nil {
			s.lines(f.src.Meta, id, at, rest, true)
			s.forget(id)
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-f.ended:
			if over {
				<-tick.C
			}
		case <-tick.C:
		}
	}
}

// lines adds the whole lines of text, which begins at an offset, and returns where
// the rest begins, and the rest; with all, the rest is a line.
func (s *Shipper) lines(m Meta, id string, at int64, text []byte, all bool) (int64, []byte) {
	now := time.Now().UnixNano()
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(text) > 0 {
		n := bytes.IndexByte(text, '\n')
		line, size := text, len(text)
		switch {
		case n >= 0 && n < maxLine:
			line, size = text[:n], n+1
		case len(text) >= maxLine:
			line, size = text[:maxLine], maxLine
		case !all:
			return at, bytes.Clone(text)
		}
		s.addLocked(record{Source: m, At: now, Offset: at, Line: bytes.Clone(line)}, id, at+int64(size))
		at, text = at+int64(size), text[size:]
	}
	return at, nil
}

// forget ends a file's following.
func (s *Shipper) forget(id string) {
	s.flush() // its last lines before its end
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sources, id)
	delete(s.cursors, id)
	if err := os.Remove(filepath.Join(s.opt.Dir, id+".src")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.opt.Log.Warn("cannot end the following of a file", "error", err)
	}
}
