package launcher

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/runink/rink/api/launcherpb"
	"github.com/runink/rink/slice"
)

// journal is the file of the launcher's records: that a slice is begun, which
// its first process is, how it ended, and that it is forgotten. They have to
// outlive the launcher, not the machine: with that the slices end, the agent
// finds so by the id of the boot, and what it had not yet reported it reports
// as lost. So nothing waits for the disk.
//
// It is one file, written at its end, because files are what a file system is
// slow at: ext4 gives an inode that was freed to nobody for five seconds, and
// looks at all of those each time that one is asked for, so that some hundred
// files a second, made and removed, cost more than the slices they tell of.
//
// A frame is the length of what follows the check, in four bytes; a CRC-32C of
// that; the kind; the length of the slice's ID; the ID; and a message. All
// numbers are little-endian.
type journal struct {
	path string

	mu   sync.Mutex // guards what follows
	file *os.File
	size int64
	live map[string]*frames // of slices that are not forgotten
	held int64              // bytes of those
}

// frames is where the records of one slice are.
type frames struct {
	run, note, exit span
}

type span struct{ at, n int64 }

type kind byte

const (
	kindRun    kind = 1 // a Record: the slice is begun
	kindNote   kind = 2 // a Record: its first process
	kindExit   kind = 3 // an Exit
	kindForget kind = 4 // nothing: the slice is forgotten, or was never started
)

const (
	journalName  = "records"
	frameHead    = 8
	maxRecord    = 64 << 20
	journalSlack = 1 << 20 // below this size the file is not written anew
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// frame puts a record into its form.
func frame(k kind, id string, m proto.Message) ([]byte, error) {
	b := make([]byte, frameHead, 512)
	b = append(b, byte(k), byte(len(id)))
	b = append(b, id...)
	if m != nil {
		var err error
		if b, err = (proto.MarshalOptions{}).MarshalAppend(b, m); err != nil {
			return nil, err
		}
	}
	binary.LittleEndian.PutUint32(b, uint32(len(b)-frameHead))
	binary.LittleEndian.PutUint32(b[4:], crc32.Checksum(b[frameHead:], castagnoli))
	return b, nil
}

// nextFrame reads a frame; io.ErrUnexpectedEOF means that it was cut short.
func nextFrame(data []byte) (k kind, id string, body []byte, n int64, err error) {
	if len(data) < frameHead {
		return 0, "", nil, 0, io.ErrUnexpectedEOF
	}
	size := binary.LittleEndian.Uint32(data)
	if size < 2 || size > maxRecord {
		return 0, "", nil, 0, fmt.Errorf("a record of %d bytes", size)
	}
	if uint64(len(data)-frameHead) < uint64(size) {
		return 0, "", nil, 0, io.ErrUnexpectedEOF
	}
	text := data[frameHead : frameHead+size]
	if crc32.Checksum(text, castagnoli) != binary.LittleEndian.Uint32(data[4:]) {
		return 0, "", nil, 0, errors.New("its check does not match")
	}
	if 2+int(text[1]) > len(text) {
		return 0, "", nil, 0, errors.New("the name of its slice is cut short")
	}
	return kind(text[0]), string(text[2 : 2+text[1]]), text[2+text[1]:], frameHead + int64(size), nil
}

// openJournal reads the records in dir and goes on after them. What cannot be
// read it puts aside as records.bad, with everything after it, and says so in
// trouble; a record that was cut short at the end was never acted on.
func openJournal(dir string) (j *journal, runs []*launcherpb.Record, exits []*launcherpb.Exit, trouble, err error) {
	j = &journal{path: filepath.Join(dir, journalName), live: map[string]*frames{}}
	data, err := os.ReadFile(j.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil, nil, err
	}
	for err = nil; j.size < int64(len(data)); {
		k, id, _, n, ferr := nextFrame(data[j.size:])
		if ferr == nil && (!slice.ValidID(id) || k < kindRun || k > kindForget) {
			ferr = fmt.Errorf("a record of kind %d of slice %q", k, id)
		}
		if ferr != nil {
			if !errors.Is(ferr, io.ErrUnexpectedEOF) {
				trouble = fmt.Errorf("%s at byte %d: %w", j.path, j.size, ferr)
				err = os.WriteFile(j.path+".bad", data, 0o600)
			}
			break
		}
		j.index(k, id, span{j.size, n})
		j.size += n
	}
	if err != nil {
		return nil, nil, nil, trouble, err
	}
	for id, f := range j.live {
		read := func(s span, m proto.Message) {
			if s.n == 0 {
				return
			}
			_, _, body, _, _ := nextFrame(data[s.at : s.at+s.n])
			if uerr := (proto.UnmarshalOptions{Merge: true}).Unmarshal(body, m); uerr != nil {
				trouble = errors.Join(trouble, fmt.Errorf("%s at byte %d: slice %s: %w", j.path, s.at, id, uerr))
			}
		}
		if f.exit.n > 0 {
			x := &launcherpb.Exit{}
			read(f.exit, x)
			x.Slice = id
			exits = append(exits, x)
			continue
		}
		r := &launcherpb.Record{}
		read(f.run, r)
		read(f.note, r)
		if r.GetSpec().GetId() == id {
			runs = append(runs, r)
		}
	}
	if j.file, err = os.OpenFile(j.path, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return nil, nil, nil, trouble, err
	}
	if err = j.file.Truncate(j.size); err != nil {
		j.file.Close()
		return nil, nil, nil, trouble, err
	}
	return j, runs, exits, trouble, nil
}

func (j *journal) close() error { return j.file.Close() }

// index takes note of a frame. Needs mu held, or nobody else there.
func (j *journal) index(k kind, id string, s span) {
	f := j.live[id]
	if k == kindForget {
		if f != nil {
			j.held -= f.run.n + f.note.n + f.exit.n
			delete(j.live, id)
		}
		return
	}
	if f == nil {
		f = &frames{}
		j.live[id] = f
	}
	at := &f.exit
	switch k {
	case kindRun:
		at = &f.run
	case kindNote:
		at = &f.note
	}
	j.held += s.n - at.n
	*at = s
}

// add writes a record. What was not written whole is taken back.
func (j *journal) add(k kind, id string, m proto.Message) error {
	b, err := frame(k, id, m)
	if err != nil {
		return fmt.Errorf("cannot write a record of slice %s: %w", id, err)
	}
	if len(b) > maxRecord || len(id) > 255 {
		return fmt.Errorf("cannot write a record of slice %s: %d bytes", id, len(b))
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if n, err := j.file.WriteAt(b, j.size); err != nil {
		if n > 0 {
			j.file.Truncate(j.size)
		}
		return fmt.Errorf("cannot write a record of slice %s: %w", id, err)
	}
	j.index(k, id, span{j.size, int64(len(b))})
	j.size += int64(len(b))
	if j.size < journalSlack || j.size < 4*j.held {
		return nil
	}
	// The record is written; that the file could not be made smaller is no
	// reason to say otherwise, and is tried again with the next.
	j.shrink()
	return nil
}

// shrink writes the file anew, without what is of forgotten slices. Needs mu held.
func (j *journal) shrink() error {
	if len(j.live) == 0 {
		if err := j.file.Truncate(0); err != nil {
			return err
		}
		j.size = 0
		return nil
	}
	out, err := os.OpenFile(j.path+".new", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer os.Remove(j.path + ".new")
	live := make(map[string]*frames, len(j.live))
	text := make([]byte, 0, j.held)
	for id, f := range j.live {
		to := &frames{}
		for _, s := range []struct{ from, to *span }{{&f.run, &to.run}, {&f.note, &to.note}, {&f.exit, &to.exit}} {
			if s.from.n == 0 {
				continue
			}
			at := len(text)
			text = text[:at+int(s.from.n)]
			if _, err := j.file.ReadAt(text[at:], s.from.at); err != nil {
				out.Close()
				return err
			}
			*s.to = span{int64(at), s.from.n}
		}
		live[id] = to
	}
	_, err = out.Write(text)
	if err == nil {
		err = os.Rename(j.path+".new", j.path)
	}
	if err != nil {
		out.Close()
		return err
	}
	j.file.Close()
	j.file, j.size, j.live, j.held = out, int64(len(text)), live, int64(len(text))
	return nil
}
