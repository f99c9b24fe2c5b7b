//go:build lean

package rinkpb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
	"unsafe"
)

// Message is a message of this package. Fields that this version does not know are
// not kept: nothing is passed on by what is built so.
type Message interface {
	Reset()
	write(w *writer)
	read(r *reader)
}

// Marshal appends a message to b, as it goes over a wire.
func Marshal(b []byte, m Message) ([]byte, error) {
	w := writer{buf: b}
	m.write(&w)
	return w.buf, w.err
}

// Unmarshal reads a message that Marshal wrote. The message keeps parts of data, which
// must not change any more.
func Unmarshal(data []byte, m Message) error {
	m.Reset()
	r := reader{buf: data, last: &last{}}
	m.read(&r)
	return r.err
}

// Reset empties a message.
func Reset(m Message) { m.Reset() }

func enumNumber(n int32) string { return strconv.Itoa(int(n)) }

func notZero(v float64) bool { return math.Float64bits(v) != 0 }

// The wire types: https://protobuf.dev/programming-guides/encoding
const (
	wireVarint = iota
	wireFixed64
	wireBytes
	wireGroup
	wireGroupEnd
	wireFixed32
)

// writer writes the fields of messages. A tag is a field's number and wire type.
type writer struct {
	buf []byte
	err error
}

func (w *writer) add(n uint64)             { w.buf = binary.AppendUvarint(w.buf, n) }
func (w *writer) put(tag uint64, n uint64) { w.add(tag); w.add(n) }

func (w *writer) addBool(v bool) {
	if v {
		w.add(1)
	} else {
		w.add(0)
	}
}
func (w *writer) addInt32(v int32)    { w.add(uint64(int64(v))) }
func (w *writer) addUint32(v uint32)  { w.add(uint64(v)) }
func (w *writer) addInt64(v int64)    { w.add(uint64(v)) }
func (w *writer) addUint64(v uint64)  { w.add(v) }
func (w *writer) addSint32(v int32)   { w.addSint64(int64(v)) }
func (w *writer) addSint64(v int64)   { w.add(uint64(v<<1) ^ uint64(v>>63)) }
func (w *writer) addFixed64(v uint64) { w.buf = binary.LittleEndian.AppendUint64(w.buf, v) }
func (w *writer) addFixed32(v uint32) { w.buf = binary.LittleEndian.AppendUint32(w.buf, v) }
func (w *writer) addDouble(v float64) { w.addFixed64(math.Float64bits(v)) }

func (w *writer) putBool(tag uint64, v bool)      { w.add(tag); w.addBool(v) }
func (w *writer) putInt32(tag uint64, v int32)    { w.put(tag, uint64(int64(v))) }
func (w *writer) putUint32(tag uint64, v uint32)  { w.put(tag, uint64(v)) }
func (w *writer) putInt64(tag uint64, v int64)    { w.put(tag, uint64(v)) }
func (w *writer) putUint64(tag uint64, v uint64)  { w.put(tag, v) }
func (w *writer) putSint32(tag uint64, v int32)   { w.add(tag); w.addSint32(v) }
func (w *writer) putSint64(tag uint64, v int64)   { w.add(tag); w.addSint64(v) }
func (w *writer) putFixed64(tag uint64, v uint64) { w.add(tag); w.addFixed64(v) }
func (w *writer) putFixed32(tag uint64, v uint32) { w.add(tag); w.addFixed32(v) }
func (w *writer) putDouble(tag uint64, v float64) { w.add(tag); w.addDouble(v) }

func (w *writer) putString(tag uint64, s string) {
	if !utf8.ValidString(s) {
		w.err = fmt.Errorf("%.40q is not valid UTF-8", s)
	}
	w.put(tag, uint64(len(s)))
	w.buf = append(w.buf, s...)
}

func (w *writer) putBytes(tag uint64, b []byte) {
	w.put(tag, uint64(len(b)))
	w.buf = append(w.buf, b...)
}

func (w *writer) putMessage(tag uint64, m Message) {
	w.add(tag)
	at := w.begin()
	m.write(w)
	w.end(at)
}

// nested writes what f writes as one field.
func (w *writer) nested(tag uint64, f func()) {
	w.add(tag)
	at := w.begin()
	f()
	w.end(at)
}

// begin leaves room for the length, in one byte, of what is written until end, which
// makes more room when it is longer: most is not.
func (w *writer) begin() int {
	w.buf = append(w.buf, 0)
	return len(w.buf)
}

func (w *writer) end(at int) {
	n := len(w.buf) - at
	if n < 1<<7 {
		w.buf[at-1] = byte(n)
		return
	}
	var size [binary.MaxVarintLen64]byte
	wide := binary.PutUvarint(size[:], uint64(n))
	w.buf = append(w.buf, size[:wide-1]...)
	copy(w.buf[at-1+wide:], w.buf[at:at+n])
	copy(w.buf[at-1:], size[:wide])
}

// reader reads the fields of a message: next goes to one, and takeX or skip takes its
// value.
type reader struct {
	buf   []byte // what is left
	field uint64 // the tag of the field at hand
	deep  int    // messages around this one
	last  *last
	err   error
}

// last is the last message of those that others may share, and what it was read from.
type last struct {
	data []byte
	m    Message
}

// deepest is how far messages may be within one another.
const deepest = 100

var (
	errShort = errors.New("a message is cut off")
	errBad   = errors.New("a message makes no sense")
)

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.buf = nil
}

func (r *reader) varint() uint64 {
	if len(r.buf) > 0 && r.buf[0] < 1<<7 {
		n := uint64(r.buf[0])
		r.buf = r.buf[1:]
		return n
	}
	n, size := binary.Uvarint(r.buf)
	if size <= 0 {
		r.fail(errShort)
		return 0
	}
	r.buf = r.buf[size:]
	return n
}

func (r *reader) next() bool {
	if len(r.buf) == 0 {
		return false
	}
	if r.field = r.varint(); r.field>>3 == 0 {
		r.fail(errBad)
	}
	return r.err == nil
}

func (r *reader) takeBytes() []byte {
	n := r.varint()
	if n > uint64(len(r.buf)) {
		r.fail(errShort)
		return nil
	}
	b := r.buf[:n:n]
	r.buf = r.buf[n:]
	return b
}

// takeString returns a part of what is read: nobody changes it.
func (r *reader) takeString() string {
	b := r.takeBytes()
	return unsafe.String(unsafe.SliceData(b), len(b))
}

func (r *reader) takeFixed64() uint64 {
	if len(r.buf) < 8 {
		r.fail(errShort)
		return 0
	}
	v := binary.LittleEndian.Uint64(r.buf)
	r.buf = r.buf[8:]
	return v
}

func (r *reader) takeFixed32() uint32 {
	if len(r.buf) < 4 {
		r.fail(errShort)
		return 0
	}
	v := binary.LittleEndian.Uint32(r.buf)
	r.buf = r.buf[4:]
	return v
}

func (r *reader) takeBool() bool      { return r.varint() != 0 }
func (r *reader) takeInt32() int32    { return int32(r.varint()) }
func (r *reader) takeUint32() uint32  { return uint32(r.varint()) }
func (r *reader) takeInt64() int64    { return int64(r.varint()) }
func (r *reader) takeUint64() uint64  { return r.varint() }
func (r *reader) takeSint32() int32   { return int32(r.takeSint64()) }
func (r *reader) takeDouble() float64 { return math.Float64frombits(r.takeFixed64()) }

func (r *reader) takeSint64() int64 {
	n := r.varint()
	return int64(n>>1) ^ -int64(n&1)
}

// within returns a reader of the field at hand.
func (r *reader) within() reader {
	sub := reader{buf: r.takeBytes(), deep: r.deep + 1, last: r.last, err: r.err}
	if sub.deep > deepest {
		sub.fail(errBad)
	}
	return sub
}

func (r *reader) takeMessage(m Message) {
	sub := r.within()
	m.read(&sub)
	if sub.err != nil {
		r.fail(sub.err)
	}
}

// takeShared reads a message, or returns the last one when it is the same: all tasks of
// an array, and most of what one user submits, were asked for with the same options.
func takeShared[T any, P interface {
	*T
	Message
}](r *reader, m P) P {
	if m != nil { // a part of it came before
		r.takeMessage(m)
		return m
	}
	at := *r
	data := at.takeBytes()
	if was, ok := r.last.m.(P); ok && bytes.Equal(data, r.last.data) {
		*r = at
		return was
	}
	m = P(new(T))
	r.takeMessage(m)
	r.last.data, r.last.m = data, m
	return m
}

// enter calls f for each field of a message that has no type of its own.
func (r *reader) enter(f func(r *reader)) {
	sub := r.within()
	for sub.next() {
		f(&sub)
	}
	if sub.err != nil {
		r.fail(sub.err)
	}
}

// packed calls f for each value of a list.
func (r *reader) packed(f func(r *reader)) {
	sub := r.within()
	for sub.err == nil && len(sub.buf) > 0 {
		f(&sub)
	}
	if sub.err != nil {
		r.fail(sub.err)
	}
}

// skip passes over a field that is not known, or not of this type.
func (r *reader) skip() {
	switch r.field & 7 {
	case wireVarint:
		r.varint()
	case wireFixed64:
		r.takeFixed64()
	case wireBytes:
		r.takeBytes()
	case wireGroup:
		r.skipGroup()
	case wireFixed32:
		r.takeFixed32()
	default:
		r.fail(errBad)
	}
}

func (r *reader) skipGroup() {
	if r.deep++; r.deep > deepest {
		r.fail(errBad)
	}
	defer func() { r.deep-- }()
	for end := r.field>>3<<3 | wireGroupEnd; r.next(); r.skip() {
		if r.field == end {
			return
		}
	}
	r.fail(errShort)
}
