// Package call is how a command calls the daemon of its host, over the daemon's Unix
// socket. A call is what it is in gRPC, with a method's name, a time limit, notes
// beside it, messages in both directions and a code and notes at its end. It goes in
// frames of its own since a command lives for milliseconds: to set up HTTP/2 and gRPC
// takes both sides longer than most calls do. Package serve has the daemons' side.
//
// A connection begins with the caller's Hello, which the daemon answers with its
// own before it looks at anything else. One call after the other goes over it. The
// caller sends the frames Head, Message, ... and Close, and need not wait for the
// daemon's hello; the daemon answers with Message, ... and End. Who closes the
// connection gives up the call.
package call

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/runink/rink/api/rinkpb"
)

// Hello is what a connection begins with, either way. gRPC begins with "PRI ".
const Hello = "rink\x00\x00\x00\x01"

// MaxMessage bounds one message of a call in either direction, in bytes.
const MaxMessage = 64 << 20

// Kind is what a frame is.
type Kind byte

// The kinds of frames. Each frame is its kind, the length of what follows in four
// bytes, the first the highest, and that.
const (
	Head    Kind = 'H' // a rinkpb.CallHead
	Message Kind = 'M'
	Close   Kind = 'C' // the caller sends no more
	End     Kind = 'E' // a rinkpb.CallEnd
)

// FrameHead is how long the head of a frame is.
const FrameHead = 5

// Append appends a frame with one message, which may be nil for none.
func Append(b []byte, kind Kind, m rinkpb.Message) ([]byte, error) {
	at := len(b)
	b = append(b, byte(kind), 0, 0, 0, 0)
	if m != nil {
		var err error
		if b, err = rinkpb.Marshal(b, m); err != nil {
			return nil, &Error{Internal, "cannot write a message: " + err.Error()}
		}
	}
	if err := Seal(b[at:]); err != nil {
		return nil, err
	}
	return b, nil
}

// Seal puts the length into the head of a frame that is otherwise whole.
func Seal(frame []byte) error {
	n := len(frame) - FrameHead
	if n > MaxMessage {
		return &Error{ResourceExhausted, fmt.Sprintf("a message of %d bytes, at most %d", n, MaxMessage)}
	}
	binary.BigEndian.PutUint32(frame[1:], uint32(n))
	return nil
}

// Parse reads the head of a frame.
func Parse(head []byte) (Kind, int, error) {
	n := binary.BigEndian.Uint32(head[1:])
	if n > MaxMessage {
		return 0, 0, &Error{ResourceExhausted, fmt.Sprintf("a message of %d bytes, at most %d", n, MaxMessage)}
	}
	return Kind(head[0]), int(n), nil
}

// Code is how a call ended. The numbers are gRPC's.
type Code uint32

// The codes that somebody looks at.
const (
	OK                Code = 0
	Canceled          Code = 1
	Unknown           Code = 2
	DeadlineExceeded  Code = 4
	NotFound          Code = 5
	PermissionDenied  Code = 7
	ResourceExhausted Code = 8
	Internal          Code = 13
	Unavailable       Code = 14
	Unauthenticated   Code = 16
)

// Error is how a call ended that did not end well.
type Error struct {
	Code Code
	Text string
}

func (e *Error) Error() string { return e.Text }

// Errorf is an error of that code.
func Errorf(code Code, format string, args ...any) error {
	return &Error{code, fmt.Sprintf(format, args...)}
}

// CodeOf returns the code of an error: OK of none, Unknown of one that is no Error.
func CodeOf(err error) Code {
	if err == nil {
		return OK
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Unknown
}

// Notes are words beside a call or its answer, by key.
type Notes []*rinkpb.CallNote

// Get returns the values of a key.
func (n Notes) Get(key string) []string {
	var list []string
	for _, note := range n {
		if note.Key == key {
			list = append(list, note.Value)
		}
	}
	return list
}
