//go:build !lean

package rinkpb

import "google.golang.org/protobuf/proto"

// Message is a message of this package.
type Message = proto.Message

// Marshal appends a message to b, as it goes over a wire.
func Marshal(b []byte, m Message) ([]byte, error) { return proto.MarshalOptions{}.MarshalAppend(b, m) }

// Unmarshal reads a message that Marshal wrote. The message may keep parts of data.
func Unmarshal(data []byte, m Message) error { return proto.Unmarshal(data, m) }

// Reset empties a message.
func Reset(m Message) { proto.Reset(m) }
