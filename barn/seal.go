package barn

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
)

// Sealer keeps bytes from those who have not got its key. What is sealed says
// with which key; ad is not kept and must be the same for Open.
type Sealer interface {
	ID() string // of the key that Seal uses
	Overhead() int
	Seal(plain, ad []byte) []byte
	Open(sealed, ad []byte) ([]byte, error)
}

// ErrSealed: what is on the disk is sealed with a key that is not there.
var ErrSealed = errors.New("sealed with a key that is not there")

// A sealed log entry has its data sealed, bound to index, term and kind, and a
// mark behind the checksum in its extensions. Term, vote and the list of
// controllers stay as they are.
const sealedMark = 'E'

// sealEntry seals the data of an entry that is about to be stored.
func (s *store) sealEntry(l *raft.Log) {
	if s.keys == nil || l.Type != raft.LogCommand {
		l.Extensions = seal(l)
		return
	}
	l.Data = s.keys.Seal(l.Data, entryAD(l))
	l.Extensions = append(seal(l), sealedMark)
}

// openEntry checks an entry that was read, and opens it.
func (s *store) openEntry(l *raft.Log) error {
	ext := l.Extensions
	isSealed := len(ext) == 5 && ext[4] == sealedMark
	if isSealed {
		ext = ext[:4]
	}
	if !bytes.Equal(ext, seal(l)) {
		return fmt.Errorf("%w: %q: the checksum is not that of the entry", ErrDamaged, s.path)
	}
	l.Extensions = nil
	if !isSealed {
		return nil
	}
	if s.keys == nil {
		return fmt.Errorf("%w: log entry %d in %q", ErrSealed, l.Index, s.path)
	}
	plain, err := s.keys.Open(l.Data, entryAD(l))
	if err != nil {
		return fmt.Errorf("log entry %d in %q: %w", l.Index, s.path, err)
	}
	l.Data = plain
	return nil
}

func entryAD(l *raft.Log) []byte {
	ad := binary.BigEndian.AppendUint64([]byte{'e'}, l.Index)
	return append(binary.BigEndian.AppendUint64(ad, l.Term), byte(l.Type))
}

// A sealed file is a magic, sixteen random bytes and chunks of at most 64 KiB,
// each sealed with its length before it, bound to the random bytes, its number
// and whether it is the last: none can be taken out, moved or put elsewhere.
const (
	sealedMagic = "RKSEALED"
	sealedHead  = len(sealedMagic) + saltSize
	saltSize    = 16
	sealedChunk = 64 << 10
)

func chunkAD(salt []byte, number uint64, last bool) []byte {
	ad := binary.BigEndian.AppendUint64(append([]byte{'s'}, salt...), number)
	if last {
		return append(ad, 1)
	}
	return append(ad, 0)
}

// sealWriter seals what is written to it. Close writes the last chunk and leaves
// the file open.
type sealWriter struct {
	w      io.Writer
	keys   Sealer
	salt   []byte
	number uint64
	buf    []byte
	err    error
}

func newSealWriter(w io.Writer, keys Sealer) *sealWriter {
	s := &sealWriter{w: w, keys: keys, salt: make([]byte, saltSize)}
	rand.Read(s.salt)
	_, s.err = w.Write(append([]byte(sealedMagic), s.salt...))
	return s
}

func (s *sealWriter) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 && s.err == nil {
		if len(s.buf) == sealedChunk {
			s.put(false)
		}
		take := min(len(p), sealedChunk-len(s.buf))
		s.buf, p = append(s.buf, p[:take]...), p[take:]
	}
	return n - len(p), s.err
}

func (s *sealWriter) put(last bool) {
	sealed := s.keys.Seal(s.buf, chunkAD(s.salt, s.number, last))
	_, s.err = s.w.Write(append(binary.LittleEndian.AppendUint32(nil, uint32(len(sealed))), sealed...))
	s.number, s.buf = s.number+1, s.buf[:0]
}

func (s *sealWriter) Close() error {
	if s.err == nil {
		s.put(true)
	}
	return s.err
}

// openSealed returns what reads a file that may be sealed, after its first bytes.
func openSealed(in io.Reader, keys Sealer) (io.Reader, error) {
	r := bufio.NewReaderSize(in, 2*sealedChunk)
	head, err := r.Peek(sealedHead)
	if err != nil || string(head[:len(sealedMagic)]) != sealedMagic {
		return r, nil // plain, or damaged as whoever reads it will find
	}
	if keys == nil {
		return nil, ErrSealed
	}
	s := &sealReader{r: r, keys: keys, salt: bytes.Clone(head[len(sealedMagic):])}
	if _, err := r.Discard(sealedHead); err != nil {
		return nil, err
	}
	return s, s.next()
}

type sealReader struct {
	r      *bufio.Reader
	keys   Sealer
	salt   []byte
	number uint64
	buf    []byte
	last   bool
}

// next opens a chunk, so that a wrong key is found before anything is read.
func (s *sealReader) next() error {
	var length [4]byte
	if _, err := io.ReadFull(s.r, length[:]); err != nil {
		return fmt.Errorf("%w: cut short in sealed chunk %d", ErrDamaged, s.number)
	}
	size := int(binary.LittleEndian.Uint32(length[:]))
	if size > sealedChunk+s.keys.Overhead() {
		return fmt.Errorf("%w: sealed chunk %d has a length of %d", ErrDamaged, s.number, size)
	}
	sealed := make([]byte, size)
	if _, err := io.ReadFull(s.r, sealed); err != nil {
		return fmt.Errorf("%w: cut short in sealed chunk %d", ErrDamaged, s.number)
	}
	_, err := s.r.Peek(1)
	s.last = errors.Is(err, io.EOF)
	if s.buf, err = s.keys.Open(sealed, chunkAD(s.salt, s.number, s.last)); err != nil {
		return fmt.Errorf("sealed chunk %d: %w", s.number, err)
	}
	s.number++
	return nil
}

func (s *sealReader) Read(p []byte) (int, error) {
	for len(s.buf) == 0 {
		if s.last {
			return 0, io.EOF
		}
		if err := s.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, s.buf)
	s.buf = s.buf[n:]
	return n, nil
}

// plainSize is how many bytes a sealed file of that size holds. Every chunk but
// the last is full, and there is at least one.
func plainSize(size int64, keys Sealer) int64 {
	each := int64(4 + keys.Overhead())
	body := size - int64(sealedHead)
	chunks := max((body+each+sealedChunk-1)/(each+sealedChunk), 1)
	return max(body-chunks*each, 0)
}

// checkKey compares the key a directory was sealed with to those there are, and
// says whether what is in it is to be sealed anew.
func checkKey(o Options, known *identity) (reseal bool, err error) {
	switch {
	case known == nil:
		return false, nil
	case known.Key != "" && o.Keys == nil:
		return false, fmt.Errorf("%w: %q is sealed with key %s, and no key is configured (StateEncryptionKeyFile)", ErrSealed, o.Dir, known.Key)
	case o.Keys == nil:
		return false, nil
	}
	return known.Key != o.Keys.ID(), nil
}

// sealAnew rewrites the newest snapshot and the log of a closed barn so that all
// of it is sealed with the key that seals now, and removes what is older. Each item
// says for itself how it is sealed, so that this may stop anywhere and begin again.
func sealAnew(o Options, known *identity, log *raftLog) error {
	from := "in the clear"
	if known.Key != "" {
		from = "sealed with key " + known.Key
	}
	o.Logger.Info("sealing what is on the disk with another key", "dir", o.Dir, "key", o.Keys.ID(), "before", from)
	snaps, err := openSnapshots(o.Dir, o.Keys, log)
	if err != nil {
		return err
	}
	if err := snaps.sealAnew(); err != nil {
		return fmt.Errorf("cannot seal the snapshot anew: %w", err)
	}
	path := filepath.Join(o.Dir, logName)
	if _, err := os.Stat(path); err == nil {
		if err := sealLogAnew(o, path); err != nil {
			return fmt.Errorf("cannot seal the log anew: %w", err)
		}
	}
	return writeIdentity(o, known.Member)
}

func (s *snapshots) sealAnew() error {
	list, err := s.List()
	if err != nil || len(list) == 0 {
		return err
	}
	meta, in, err := s.Open(list[0].ID)
	if err != nil {
		return err
	}
	defer in.Close()
	_, trans := raft.NewInmemTransport("") // for the encoding of an old field alone
	defer trans.Close()
	sink, err := s.Create(meta.Version, meta.Index, meta.Term, meta.Configuration, meta.ConfigurationIndex, trans)
	if err != nil {
		return err
	}
	if _, err := io.Copy(sink, in); err != nil {
		return errors.Join(err, sink.Cancel())
	}
	if err := sink.Close(); err != nil {
		return err
	}
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() != sink.ID() {
			if err := os.RemoveAll(filepath.Join(s.dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// sealLogAnew copies the log, term and vote into a new file, sealed with the key
// that seals now, and puts that in its place.
func sealLogAnew(o Options, path string) error {
	next := path + ".sealing"
	if err := os.RemoveAll(next); err != nil {
		return err
	}
	old, err := openStore(path, true)
	if err != nil {
		return err
	}
	defer func() {
		if old != nil {
			old.close()
		}
	}()
	old.keys = o.Keys
	fresh, err := openStore(next, true) // on the disk when it is closed
	if err != nil {
		return err
	}
	fresh.keys = o.Keys
	err = copyLog(fresh, old)
	if err == nil {
		err = fresh.bolt.Sync()
	}
	if err := errors.Join(err, fresh.close(), old.close()); err != nil {
		old = nil
		return err
	}
	old = nil
	if err := os.Rename(next, path); err != nil {
		return err
	}
	return syncDir(o.Dir)
}

func copyLog(to, from *store) error {
	for _, name := range confNames {
		val, err := from.Get([]byte(name))
		if errors.Is(err, raftboltdb.ErrKeyNotFound) {
			continue
		} else if err != nil {
			return err
		}
		if err := to.Set([]byte(name), val); err != nil {
			return err
		}
	}
	first, err := from.FirstIndex()
	if err != nil {
		return err
	}
	last, err := from.LastIndex()
	if err != nil || first == 0 {
		return err
	}
	var some []*raft.Log
	size := 0
	for i := first; i <= last; i++ {
		l := &raft.Log{}
		if err := from.read(i, l); errors.Is(err, raft.ErrLogNotFound) {
			continue // a hole before a snapshot that came from a peer
		} else if err != nil {
			return err
		}
		some, size = append(some, l), size+len(l.Data)
		if i == last || len(some) == 1024 || size > 16<<20 {
			if err := to.StoreLogs(some); err != nil {
				return err
			}
			some, size = nil, 0
		}
	}
	return nil
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// Reseal seals the directory of a closed barn with the key that seals now, as Open
// does.
func Reseal(o Options) (err error) {
	if o, err = o.withDefaults(); err != nil {
		return err
	}
	lock, err := lockDir(o.Dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.release()) }()
	known, err := readIdentity(o)
	if err != nil {
		return err
	}
	reseal, err := checkKey(o, known)
	if err != nil || !reseal {
		return err
	}
	return sealAnew(o, known, newRaftLog(o.Logger))
}
