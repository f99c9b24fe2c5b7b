package barn

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"slices"
)

// The log is kept in a bbolt file. bbolt trusts its pages: it follows whatever
// page number it finds, and a damaged file makes it panic in goroutines of its
// own or touch memory that is not there. So the file is read through once, by
// plain reads, before bbolt may have it. The layout is bbolt's, version 2.
const (
	boltMagic       = 0xED0CDAED
	boltVersion     = 2
	boltPageHeader  = 16
	boltElement     = 16 // branch and leaf elements are of one size
	boltBucketHead  = 16
	boltBranch      = 0x01
	boltLeaf        = 0x02
	boltFreelist    = 0x10
	boltNoFreelist  = ^uint64(0)
	boltMetaSumFrom = boltPageHeader
	boltMetaSumLen  = 56
	boltMaxDepth    = 64
)

// boltMeta is what one of the two meta pages says.
type boltMeta struct {
	pageSize uint32
	root     uint64
	freelist uint64
	high     uint64 // the first page number never used
	txid     uint64
}

// boltChecker walks a bbolt file.
type boltChecker struct {
	file *os.File
	size int64
	meta boltMeta
	seen []bool // by page number: part of the tree or the free list
	in   string // the bucket being walked, "" for that of buckets
}

// The buckets of the Raft library and the names in the one that is not the
// log. A name that is not among them is a damaged one; a version of the library
// that keeps more is entered here.
const bucketLogs, bucketConf = "logs", "conf"

var confNames = []string{"CurrentTerm", "LastVoteTerm", "LastVoteCand"}

// checkKey checks the key of a value in bucket c.in.
func (c *boltChecker) checkKey(key []byte) error {
	switch {
	case c.in == bucketLogs && len(key) != 8:
		return fmt.Errorf("%x is not the index of an entry", key)
	case c.in == bucketConf && !slices.Contains(confNames, string(key)):
		return fmt.Errorf("%q is no name that Raft uses", key)
	case c.in == "":
		return fmt.Errorf("the value %q is in no bucket", key)
	}
	return nil
}

// checkBolt reads through the bbolt file at path and says what is wrong with
// its structure, naming the page. An empty file is not accepted.
func checkBolt(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	c := &boltChecker{file: file, size: info.Size()}
	if err := c.readMeta(); err != nil {
		return err
	}
	if need := int64(c.meta.high) * int64(c.meta.pageSize); c.meta.high > 1<<40 || need > c.size {
		return fmt.Errorf("it is %d bytes long, but its header tells of %d pages of %d bytes: it was truncated",
			c.size, c.meta.high, c.meta.pageSize)
	}
	c.seen = make([]bool, c.meta.high)
	c.seen[0], c.seen[1] = true, true
	if c.meta.freelist != boltNoFreelist {
		if err := c.walkFreelist(); err != nil {
			return err
		}
	}
	_, err = c.walk(c.meta.root, nil, 0, true)
	return err
}

// readMeta picks the newer of the two valid meta pages, as bbolt does.
func (c *boltChecker) readMeta() error {
	sizes := []int64{int64(os.Getpagesize())}
	for s := int64(1024); s <= 64<<10; s <<= 1 {
		sizes = append(sizes, s)
	}
	found := false
	try := func(off int64) {
		m, ok := c.metaAt(off)
		if ok && (!found || m.txid > c.meta.txid) {
			c.meta, found = m, true
		}
	}
	try(0)
	if found {
		try(int64(c.meta.pageSize))
		return nil
	}
	for _, s := range sizes {
		if try(s); found {
			return nil
		}
	}
	return fmt.Errorf("neither of its two header pages is whole")
}

func (c *boltChecker) metaAt(off int64) (boltMeta, bool) {
	var b [boltPageHeader + boltMetaSumLen + 8]byte
	if _, err := c.file.ReadAt(b[:], off); err != nil {
		return boltMeta{}, false
	}
	p := b[boltPageHeader:]
	sum := fnv.New64a()
	sum.Write(b[boltMetaSumFrom : boltMetaSumFrom+boltMetaSumLen])
	if le32(p) != boltMagic || le32(p[4:]) != boltVersion || le64(p[boltMetaSumLen:]) != sum.Sum64() {
		return boltMeta{}, false
	}
	m := boltMeta{pageSize: le32(p[8:]), root: le64(p[16:]), freelist: le64(p[32:]), high: le64(p[40:]), txid: le64(p[48:])}
	if m.pageSize < 1024 || m.pageSize > 64<<10 || m.high < 3 {
		return boltMeta{}, false
	}
	return m, true
}

// page reads page id whole, with what it overflows into, and marks it used.
func (c *boltChecker) page(id uint64) ([]byte, error) {
	if id < 2 || id >= c.meta.high {
		return nil, fmt.Errorf("page %d is referred to, but there are %d", id, c.meta.high)
	}
	size := int64(c.meta.pageSize)
	var head [boltPageHeader]byte
	if _, err := c.file.ReadAt(head[:], int64(id)*size); err != nil {
		return nil, fmt.Errorf("page %d cannot be read: %w", id, err)
	}
	if got := le64(head[:]); got != id {
		return nil, fmt.Errorf("page %d is damaged: it calls itself page %d", id, got)
	}
	pages := uint64(le32(head[12:])) + 1
	if pages > c.meta.high-id {
		return nil, fmt.Errorf("page %d is damaged: it claims to span %d pages", id, pages)
	}
	for i := id; i < id+pages; i++ {
		if c.seen[i] {
			return nil, fmt.Errorf("page %d is used twice", i)
		}
		c.seen[i] = true
	}
	buf := make([]byte, int64(pages)*size)
	if _, err := c.file.ReadAt(buf, int64(id)*size); err != nil && err != io.EOF {
		return nil, fmt.Errorf("page %d cannot be read: %w", id, err)
	}
	return buf, nil
}

func (c *boltChecker) walkFreelist() error {
	p, err := c.page(c.meta.freelist)
	if err != nil {
		return err
	}
	if flags := le16(p[8:]); flags != boltFreelist {
		return fmt.Errorf("page %d is damaged: not a free list (type %#x)", c.meta.freelist, flags)
	}
	count, at := uint64(le16(p[10:])), uint64(boltPageHeader)
	if count == 0xFFFF {
		count, at = le64(p[at:]), at+8
	}
	if count > (uint64(len(p))-at)/8 {
		return fmt.Errorf("page %d is damaged: a free list of %d pages does not fit", c.meta.freelist, count)
	}
	for i := range count {
		id := le64(p[at+8*i:])
		if id < 2 || id >= c.meta.high || c.seen[id] {
			return fmt.Errorf("page %d is damaged: page %d cannot be free", c.meta.freelist, id)
		}
		c.seen[id] = true
	}
	return nil
}

// walk checks the tree below page id. Its keys must not come before min; top
// is true in the tree of buckets. It returns the last key.
func (c *boltChecker) walk(id uint64, min []byte, depth int, top bool) ([]byte, error) {
	if depth > boltMaxDepth {
		return nil, fmt.Errorf("page %d is damaged: the tree is too deep", id)
	}
	p, err := c.page(id)
	if err != nil {
		return nil, err
	}
	return c.elements(id, p, min, depth, top)
}

// elements checks the elements of a page in p, which may lie within another.
func (c *boltChecker) elements(id uint64, p, last []byte, depth int, top bool) ([]byte, error) {
	if len(p) < boltPageHeader {
		return nil, fmt.Errorf("page %d is damaged: a page within it is cut short", id)
	}
	flags, count := le16(p[8:]), int(le16(p[10:]))
	if flags != boltBranch && flags != boltLeaf {
		return nil, fmt.Errorf("page %d is damaged: unexpected type %#x", id, flags)
	}
	if boltPageHeader+count*boltElement > len(p) || (flags == boltBranch && count == 0) {
		return nil, fmt.Errorf("page %d is damaged: %d elements do not fit", id, count)
	}
	// Keys and values follow the elements without gaps, so that an element too
	// few is seen as well as one too many.
	next := uint64(boltPageHeader + count*boltElement)
	for i := range count {
		at := boltPageHeader + i*boltElement
		e := p[at:]
		var pos, ksize, vsize uint64
		if flags == boltBranch {
			pos, ksize = uint64(le32(e)), uint64(le32(e[4:]))
		} else {
			pos, ksize, vsize = uint64(le32(e[4:])), uint64(le32(e[8:])), uint64(le32(e[12:]))
		}
		start := uint64(at) + pos
		if start != next || start+ksize+vsize > uint64(len(p)) {
			return nil, fmt.Errorf("page %d is damaged: element %d of %d points to byte %d of %d, not to %d", id, i, count, start, len(p), next)
		}
		next = start + ksize + vsize
		key := p[start : start+ksize]
		if order := compareKeys(last, key); last != nil && (order > 0 || order == 0 && i > 0) {
			return nil, fmt.Errorf("page %d is damaged: key %x after %x", id, key, last)
		}
		last = key
		if flags == boltBranch {
			below, err := c.walk(le64(e[8:]), key, depth+1, top)
			if err != nil {
				return nil, err
			}
			if below != nil {
				last = below
			}
			continue
		}
		switch kind := le32(e); {
		case kind == 0:
			if err := c.checkKey(key); err != nil {
				return nil, fmt.Errorf("page %d is damaged: %w", id, err)
			}
			continue
		case kind != 1 || !top || string(key) != bucketLogs && string(key) != bucketConf:
			return nil, fmt.Errorf("page %d is damaged: there can be no bucket %q", id, key)
		}
		value := p[start+ksize : start+ksize+vsize]
		if len(value) < boltBucketHead {
			return nil, fmt.Errorf("page %d is damaged: bucket %q is cut short", id, key)
		}
		var err error
		c.in = string(key)
		if root := le64(value); root == 0 {
			_, err = c.elements(id, value[boltBucketHead:], nil, depth+1, false)
		} else {
			_, err = c.walk(root, nil, depth+1, false)
		}
		c.in = ""
		if err != nil {
			return nil, err
		}
	}
	return last, nil
}

func compareKeys(a, b []byte) int {
	switch {
	case string(a) < string(b):
		return -1
	case string(a) > string(b):
		return 1
	}
	return 0
}

func le16(b []byte) uint16 { return binary.NativeEndian.Uint16(b) }
func le32(b []byte) uint32 { return binary.NativeEndian.Uint32(b) }
func le64(b []byte) uint64 { return binary.NativeEndian.Uint64(b) }
