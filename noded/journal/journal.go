// Package journal keeps small records for the process that comes after the one
// that wrote them: named, in groups that go all at once, in one file.
//
// It is one file, written at its end, because files are what a file system is
// slow at: ext4 gives an inode that was freed to nobody for five seconds, and
// looks at all of those each time that one is asked for, so that some hundred
// small files a second, made and removed, cost more than what they tell of.
//
// A record is there once Put returns, also if the process is killed then.
// Nothing is synced: what must outlive the machine does not belong here.
package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"sort"
	"sync"
)

// Journal is one open file. Its methods may be called at any time by anyone;
// the file may be opened by one process at a time, which its owner sees to.
//
// The file is a list of frames: the length of what follows the check, in four
// bytes; a CRC-32C of that; the kind; group and name, each after a byte with its
// length; the record. Numbers are little-endian.
type Journal struct {
	path string

	mu     sync.Mutex // guards what follows
	file   *os.File
	size   int64
	groups map[string]map[string]span
	held   int64 // bytes of the frames that groups names
}

// span is where a frame is.
type span struct{ at, n int64 }

const (
	kindPut  = 1
	kindDrop = 2 // of a record, or with no name of a group

	headSize = 8
	maxFrame = 64 << 20
	// slack is the size below which the file is not written anew.
	slack = 1 << 20
)

// castagnoli makes its tables when they are first needed: no command has to wait for
// them at its start.
var castagnoli = sync.OnceValue(func() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) })

// frame puts a record into its form.
func frame(kind byte, group, name string, body []byte) []byte {
	b := make([]byte, headSize, headSize+3+len(group)+len(name)+len(body))
	b = append(b, kind, byte(len(group)))
	b = append(b, group...)
	b = append(b, byte(len(name)))
	b = append(b, name...)
	b = append(b, body...)
	binary.LittleEndian.PutUint32(b, uint32(len(b)-headSize))
	binary.LittleEndian.PutUint32(b[4:], crc32.Checksum(b[headSize:], castagnoli()))
	return b
}

// read takes the first frame off data; n is its length. io.ErrUnexpectedEOF
// means that it was cut short.
func read(data []byte) (kind byte, group, name string, body []byte, n int64, err error) {
	if len(data) < headSize {
		return 0, "", "", nil, 0, io.ErrUnexpectedEOF
	}
	size := binary.LittleEndian.Uint32(data)
	if size < 3 || size > maxFrame {
		return 0, "", "", nil, 0, fmt.Errorf("a record of %d bytes", size)
	}
	if uint64(len(data)-headSize) < uint64(size) {
		return 0, "", "", nil, 0, io.ErrUnexpectedEOF
	}
	text := data[headSize : headSize+size]
	if crc32.Checksum(text, castagnoli()) != binary.LittleEndian.Uint32(data[4:]) {
		return 0, "", "", nil, 0, errors.New("its check does not match")
	}
	kind, rest := text[0], text[1:]
	word := func() (string, bool) {
		if len(rest) == 0 || len(rest) < 1+int(rest[0]) {
			return "", false
		}
		w := string(rest[1 : 1+rest[0]])
		rest = rest[1+rest[0]:]
		return w, true
	}
	group, ok1 := word()
	name, ok2 := word()
	if !ok1 || !ok2 || group == "" || kind != kindPut && kind != kindDrop || kind == kindPut && name == "" {
		return 0, "", "", nil, 0, errors.New("it is none of ours")
	}
	return kind, group, name, rest, headSize + int64(size), nil
}

// Open reads what is in the file, which is made if there is none, and goes on
// after it. A last record that was cut short was never there. When anything
// else cannot be read, the whole file is kept beside it as PATH.bad, what comes
// before that place counts, and trouble says so.
func Open(path string) (j *Journal, trouble, err error) {
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	j = &Journal{path: path, groups: map[string]map[string]span{}}
	for j.size < int64(len(data)) {
		kind, group, name, _, n, err := read(data[j.size:])
		if errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			trouble = fmt.Errorf("%s cannot be read from byte %d on and is kept as %s.bad: %w", path, j.size, path, err)
			if err := os.WriteFile(path+".bad", data, 0o600); err != nil {
				return nil, trouble, err
			}
			break
		}
		j.index(kind, group, name, span{j.size, n})
		j.size += n
	}
	if j.file, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return nil, trouble, err
	}
	if err := j.file.Truncate(j.size); err != nil {
		j.file.Close()
		return nil, trouble, err
	}
	return j, trouble, nil
}

// Close ends the use of the file.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.file.Close()
}

// index takes note of a frame. Needs mu held, or nobody else there.
func (j *Journal) index(kind byte, group, name string, s span) {
	names := j.groups[group]
	if kind == kindPut {
		if names == nil {
			names = map[string]span{}
			j.groups[group] = names
		}
		j.held += s.n - names[name].n
		names[name] = s
		return
	}
	for n, s := range names {
		if name == "" || n == name {
			j.held -= s.n
			delete(names, n)
		}
	}
	if len(names) == 0 {
		delete(j.groups, group)
	}
}

// Put keeps a record, in place of one of the same name. Group and name are of
// 1 to 255 bytes.
func (j *Journal) Put(group, name string, body []byte) error {
	if group == "" || len(group) > 255 || name == "" || len(name) > 255 || len(body) > maxFrame-1024 {
		return fmt.Errorf("cannot write record %q of %q, %d bytes, to %s", name, group, len(body), j.path)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.add(kindPut, group, name, body)
}

// Drop forgets a record, or without a name its whole group. To forget what is
// not there is no error.
func (j *Journal) Drop(group, name string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	names := j.groups[group]
	if _, ok := names[name]; !ok && (name != "" || names == nil) {
		return nil
	}
	return j.add(kindDrop, group, name, nil)
}

// add writes a frame. What was not written whole is taken back. Needs mu held.
func (j *Journal) add(kind byte, group, name string, body []byte) error {
	b := frame(kind, group, name, body)
	if n, err := j.file.WriteAt(b, j.size); err != nil {
		if n > 0 {
			j.file.Truncate(j.size)
		}
		return fmt.Errorf("cannot write record %q of %q: %w", name, group, err)
	}
	j.index(kind, group, name, span{j.size, int64(len(b))})
	j.size += int64(len(b))
	if j.size >= slack && j.size >= 4*j.held {
		// The record is written; that the file could not be made smaller is
		// no reason to say otherwise, and is tried again with the next.
		j.shrink()
	}
	return nil
}

// Get reads a record; false when there is none.
func (j *Journal) Get(group, name string) ([]byte, bool, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	s, ok := j.groups[group][name]
	if !ok {
		return nil, false, nil
	}
	data := make([]byte, s.n)
	_, err := j.file.ReadAt(data, s.at)
	var body []byte
	if err == nil {
		_, _, _, body, _, err = read(data)
	}
	if err != nil {
		return nil, false, fmt.Errorf("cannot read record %q of %q in %s: %w", name, group, j.path, err)
	}
	return body, true, nil
}

// Has reports whether there is a record.
func (j *Journal) Has(group, name string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	_, ok := j.groups[group][name]
	return ok
}

// Groups lists the groups that have a record, in order.
func (j *Journal) Groups() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return sorted(j.groups)
}

// Names lists the records of a group, in order.
func (j *Journal) Names(group string) []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return sorted(j.groups[group])
}

func sorted[V any](m map[string]V) []string {
	list := make([]string, 0, len(m))
	for k := range m {
		list = append(list, k)
	}
	sort.Strings(list)
	return list
}

// shrink writes the file anew, with what is not dropped. Needs mu held.
func (j *Journal) shrink() error {
	if len(j.groups) == 0 {
		if err := j.file.Truncate(0); err != nil {
			return err
		}
		j.size = 0
		return nil
	}
	text := make([]byte, 0, j.held)
	groups := make(map[string]map[string]span, len(j.groups))
	for group, names := range j.groups {
		groups[group] = make(map[string]span, len(names))
		for name, s := range names {
			at := int64(len(text))
			text = text[:at+s.n]
			if _, err := j.file.ReadAt(text[at:], s.at); err != nil {
				return err
			}
			groups[group][name] = span{at, s.n}
		}
	}
	aside := j.path + ".new"
	out, err := os.OpenFile(aside, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err = out.Write(text); err == nil {
		err = os.Rename(aside, j.path)
	}
	if err != nil {
		out.Close()
		os.Remove(aside)
		return err
	}
	j.file.Close()
	j.file, j.size, j.held, j.groups = out, int64(len(text)), int64(len(text)), groups
	return nil
}
