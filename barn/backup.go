package barn

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"

	"google.golang.org/protobuf/proto"

	"github.com/runink/rink/api/rinkpb"
)

// A backup is eight bytes of magic and frames: a kind, the length of the payload
// in four bytes, little endian, the payload, and the CRC-32C of all three. The
// first is the head; the last is the end, which counts what is before it and has
// its SHA-256. Nothing follows the end, so that a part of a backup is never taken
// for a whole one. With a key every payload but the head's and the end's is
// sealed, bound to its place.
const backupMagic = "RINKBKUP"

// backupFormat is the version of the frames and of what is in them.
const backupFormat = 1

// Section is a kind of frame.
type Section byte

// The sections of a backup. A backup has the state, the history after it and the
// files in any place.
const (
	sectionHead  Section = 'H'
	SectionState Section = 'S' // part of a snapshot
	SectionPast  Section = 'A' // part of the history's file
	SectionFile  Section = 'F' // a BackupFile
	sectionEnd   Section = 'E'
)

func (s Section) String() string {
	switch s {
	case sectionHead:
		return "the head"
	case SectionState:
		return "the state"
	case SectionPast:
		return "the history"
	case SectionFile:
		return "a file"
	case sectionEnd:
		return "the end"
	}
	return fmt.Sprintf("section %q", byte(s))
}

// maxFrame bounds a payload, backupChunk is how much of a section goes in one.
const (
	maxFrame    = 16 << 20
	backupChunk = 256 << 10
	frameHead   = 5
)

// BackupWriter writes a backup. It is one only once End has returned.
type BackupWriter struct {
	w    *bufio.Writer
	sum  hash.Hash
	keys Sealer
	end  rinkpb.BackupEnd
	err  error
}

// NewBackupWriter begins a backup. Format and Key of the head are set here; keys
// may be nil.
func NewBackupWriter(out io.Writer, head *rinkpb.BackupHead, keys Sealer) (*BackupWriter, error) {
	w := &BackupWriter{sum: sha256.New(), keys: keys}
	w.w = bufio.NewWriterSize(io.MultiWriter(out, w.sum), 2*backupChunk)
	if _, err := w.w.WriteString(backupMagic); err != nil {
		return nil, err
	}
	head = proto.CloneOf(head)
	head.Format = backupFormat
	if keys != nil {
		head.Key = keys.ID()
	}
	text, err := proto.Marshal(head)
	if err != nil {
		return nil, err
	}
	w.frame(sectionHead, text)
	return w, w.err
}

func (w *BackupWriter) frame(kind Section, payload []byte) {
	if w.err != nil {
		return
	}
	if len(payload) > maxFrame {
		w.err = fmt.Errorf("cannot back up %s: a frame of %d bytes, the bound is %d", kind, len(payload), maxFrame)
		return
	}
	if w.keys != nil && kind != sectionHead && kind != sectionEnd {
		payload = w.keys.Seal(payload, frameAD(kind, w.end.Frames))
	}
	head := [frameHead]byte{byte(kind)}
	binary.LittleEndian.PutUint32(head[1:], uint32(len(payload)))
	crc := crc32.Update(crc32.Checksum(head[:], castagnoli()), castagnoli(), payload)
	for _, part := range [][]byte{head[:], payload, binary.LittleEndian.AppendUint32(nil, crc)} {
		if _, err := w.w.Write(part); err != nil {
			w.err = err
			return
		}
	}
	w.end.Frames++
}

// frameAD binds a sealed frame to its kind and its place.
func frameAD(kind Section, number uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{'b', byte(kind)}, number)
}

// Section returns what writes to a section, in frames; flush it by Close.
func (w *BackupWriter) Section(kind Section) io.WriteCloser { return &sectionWriter{w: w, kind: kind} }

type sectionWriter struct {
	w    *BackupWriter
	kind Section
	buf  []byte
}

func (s *sectionWriter) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		take := min(len(p), backupChunk-len(s.buf))
		s.buf = append(s.buf, p[:take]...)
		if p = p[take:]; len(s.buf) == backupChunk {
			if err := s.Close(); err != nil {
				return n - len(p), err
			}
		}
	}
	return n, s.w.err
}

// Close writes what has gathered.
func (s *sectionWriter) Close() error {
	if len(s.buf) == 0 {
		return s.w.err
	}
	switch s.kind {
	case SectionState:
		s.w.end.StateBytes += uint64(len(s.buf))
	case SectionPast:
		s.w.end.HistoryBytes += uint64(len(s.buf))
	}
	s.w.frame(s.kind, s.buf)
	s.buf = s.buf[:0]
	return s.w.err
}

// File puts a small file into the backup.
func (w *BackupWriter) File(name string, data []byte) error {
	text, err := proto.Marshal(&rinkpb.BackupFile{Name: name, Data: data})
	if err != nil {
		return err
	}
	w.frame(SectionFile, text)
	w.end.Files++
	return w.err
}

// End writes the end.
func (w *BackupWriter) End() error {
	if w.err != nil {
		return w.err
	}
	if err := w.w.Flush(); err != nil { // all before the end goes into the sum
		return err
	}
	end := proto.CloneOf(&w.end)
	end.Sha256 = w.sum.Sum(nil)
	text, err := proto.Marshal(end)
	if err != nil {
		return err
	}
	w.frame(sectionEnd, text)
	if w.err != nil {
		return w.err
	}
	return w.w.Flush()
}

// ReadBackup reads a backup to its end. begin is called with the head and may
// refuse it, and says what opens the sealed; take is called with each payload, which
// it must not keep. What is damaged is named with the byte at which it is.
func ReadBackup(in io.Reader, begin func(*rinkpb.BackupHead) (Sealer, error), take func(Section, []byte) error) (*rinkpb.BackupHead, *rinkpb.BackupEnd, error) {
	r := &backupReader{r: bufio.NewReaderSize(in, 2*backupChunk), sum: sha256.New()}
	head, end, err := r.read(begin, take)
	if err != nil {
		return head, end, fmt.Errorf("%w (in frame %d, which begins at byte %d)", err, r.frames, r.at)
	}
	return head, end, nil
}

type backupReader struct {
	r      *bufio.Reader
	sum    hash.Hash
	at     int64 // where the frame begins
	frames uint64
	seen   rinkpb.BackupEnd
}

func (r *backupReader) read(begin func(*rinkpb.BackupHead) (Sealer, error), take func(Section, []byte) error) (*rinkpb.BackupHead, *rinkpb.BackupEnd, error) {
	magic := make([]byte, len(backupMagic))
	if _, err := io.ReadFull(r.r, magic); err != nil || string(magic) != backupMagic {
		return nil, nil, fmt.Errorf("%w: it is not a backup: it does not begin with %q", ErrDamaged, backupMagic)
	}
	r.sum.Write(magic)
	r.at = int64(len(magic))
	var head *rinkpb.BackupHead
	var keys Sealer
	for {
		before := r.sum.Sum(nil)
		kind, payload, size, err := r.next()
		if err != nil {
			return head, nil, err
		}
		if (kind == sectionHead) != (head == nil) {
			return head, nil, fmt.Errorf("%w: the head must come first, and once; there is %s", ErrDamaged, kind)
		}
		switch kind {
		case sectionHead:
			head = &rinkpb.BackupHead{}
			if err := proto.Unmarshal(payload, head); err != nil {
				return nil, nil, fmt.Errorf("%w: the head: %w", ErrDamaged, err)
			}
			if err := checkFormat("the backup", head.Format, backupFormat); err != nil {
				return head, nil, err
			}
			if keys, err = begin(head); err != nil {
				return head, nil, err
			}
			if head.Key != "" && keys == nil {
				return head, nil, fmt.Errorf("it is sealed with key %s, and there is no key", head.Key)
			}
			if head.Key == "" {
				keys = nil
			}
		case sectionEnd:
			end, err := r.finish(payload, before)
			return head, end, err
		case SectionState, SectionPast, SectionFile:
			if keys != nil {
				if payload, err = keys.Open(payload, frameAD(kind, r.frames)); err != nil {
					return head, nil, fmt.Errorf("%s: %w", kind, err)
				}
			}
			switch kind {
			case SectionState:
				r.seen.StateBytes += uint64(len(payload))
			case SectionPast:
				r.seen.HistoryBytes += uint64(len(payload))
			case SectionFile:
				r.seen.Files++
			}
			if err := take(kind, payload); err != nil {
				return head, nil, err
			}
		default:
			return head, nil, fmt.Errorf("%w: %s", ErrNewer, kind)
		}
		r.frames++
		r.at += size
	}
}

func (r *backupReader) next() (kind Section, payload []byte, size int64, err error) {
	short := func(err error) error {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return fmt.Errorf("%w: it is cut short: it has no end", ErrDamaged)
		}
		return err
	}
	var head [frameHead]byte
	if _, err := io.ReadFull(r.r, head[:]); err != nil {
		return 0, nil, 0, short(err)
	}
	kind = Section(head[0])
	length := binary.LittleEndian.Uint32(head[1:])
	if length > maxFrame+1024 {
		return kind, nil, 0, fmt.Errorf("%w: a length of %d bytes, the bound is %d", ErrDamaged, length, maxFrame)
	}
	var data bytes.Buffer // grows with what is there, whatever the length says
	if _, err := io.CopyN(&data, r.r, int64(length)+4); err != nil {
		return kind, nil, 0, short(err)
	}
	payload = data.Bytes()[:length]
	tail := data.Bytes()[length:]
	want := binary.LittleEndian.Uint32(tail)
	if got := crc32.Update(crc32.Checksum(head[:], castagnoli()), castagnoli(), payload); got != want {
		return kind, nil, 0, fmt.Errorf("%w: the checksum is %08x, %08x was written", ErrDamaged, got, want)
	}
	r.sum.Write(head[:])
	r.sum.Write(data.Bytes())
	return kind, payload, frameHead + int64(data.Len()), nil
}

// finish holds what the end says against what was read.
func (r *backupReader) finish(payload, sum []byte) (*rinkpb.BackupEnd, error) {
	end := &rinkpb.BackupEnd{}
	if err := proto.Unmarshal(payload, end); err != nil {
		return nil, fmt.Errorf("%w: the end: %w", ErrDamaged, err)
	}
	switch {
	case end.Frames != r.frames, end.StateBytes != r.seen.StateBytes, end.HistoryBytes != r.seen.HistoryBytes, end.Files != r.seen.Files:
		return end, fmt.Errorf("%w: the end tells of %d frames with %d bytes of state, %d of history and %d files; there are %d with %d, %d and %d", ErrDamaged,
			end.Frames, end.StateBytes, end.HistoryBytes, end.Files, r.frames, r.seen.StateBytes, r.seen.HistoryBytes, r.seen.Files)
	case !bytes.Equal(end.Sha256, sum):
		return end, fmt.Errorf("%w: its SHA-256 is %x, %x was written", ErrDamaged, sum, end.Sha256)
	}
	if _, err := r.r.ReadByte(); err != io.EOF {
		return end, fmt.Errorf("%w: there is more after the end", ErrDamaged)
	}
	return end, nil
}
