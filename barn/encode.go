package barn

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"sync"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/runink/rink/api"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/barn/state"
)

// A log record is six bytes of header and a rinkpb.Batch: the letter R, the
// version of this frame, and the CRC-32C of what follows. The log's file has
// no checksums of its own.
const (
	recordMagic   = 'R'
	recordFrame   = 1
	recordHeader  = 6
	entryOverhead = 24 // at most so much is added to an entry's body: its time, its length
)

// batchFormat is the version of the commands: the format level of the one that
// was added last. A record says the highest level of the commands in it, so that
// an older version reads whatever it can make sense of.
const batchFormat = FormatLevel

// castagnoli makes its tables when they are first needed: no command has to wait for
// them at its start.
var castagnoli = sync.OnceValue(func() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) })

// encodeEntryBody encodes an entry but for its time, which is put before it
// when the entry goes into a record.
func encodeEntryBody(actor state.Actor, cmd state.Command) ([]byte, error) {
	e := &rinkpb.Entry{}
	if actor != (state.Actor{}) {
		e.Actor = &rinkpb.Actor{Uid: actor.UID, User: actor.User, System: actor.System}
	}
	if err := setCommand(e, cmd); err != nil {
		return nil, err
	}
	// What cannot be read back must not get into the log, where every
	// controller would stumble over it.
	if _, err := commandFrom(e); err != nil {
		return nil, fmt.Errorf("cannot encode %T: %w", cmd, err)
	}
	body, err := proto.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("cannot encode %T: %w", cmd, err)
	}
	return body, nil
}

// encodeRecord makes the log record of proposals, all at the same time.
func encodeRecord(at time.Time, proposals []*proposal) []byte {
	size, level := recordHeader+4, uint32(1)
	for _, p := range proposals {
		size += p.size
		level = max(level, p.level)
	}
	b := make([]byte, recordHeader, size)
	b[0], b[1] = recordMagic, recordFrame
	b = protowire.AppendTag(b, 1, protowire.VarintType) // Batch.format
	b = protowire.AppendVarint(b, uint64(level))
	stamp := protowire.AppendTag(nil, 1, protowire.VarintType) // Entry.at
	stamp = protowire.AppendVarint(stamp, uint64(api.TimeToProto(at)))
	for _, p := range proposals {
		for _, body := range p.bodies {
			b = protowire.AppendTag(b, 2, protowire.BytesType) // Batch.entries
			b = protowire.AppendVarint(b, uint64(len(stamp)+len(body)))
			b = append(append(b, stamp...), body...)
		}
	}
	binary.LittleEndian.PutUint32(b[2:], crc32.Checksum(b[recordHeader:], castagnoli()))
	return b
}

// openRecord returns the batch in a record, verified but not decoded.
func openRecord(b []byte) ([]byte, error) {
	if len(b) < recordHeader || b[0] != recordMagic {
		return nil, fmt.Errorf("%w: not a log record (%d bytes)", ErrDamaged, len(b))
	}
	if b[1] != recordFrame {
		return nil, fmt.Errorf("%w: a log record of frame %d, this version knows %d", ErrNewer, b[1], recordFrame)
	}
	if want, got := binary.LittleEndian.Uint32(b[2:]), crc32.Checksum(b[recordHeader:], castagnoli()); want != got {
		return nil, fmt.Errorf("%w: a log record of %d bytes has checksum %08x, %08x was written", ErrDamaged, len(b), got, want)
	}
	return b[recordHeader:], nil
}

// checkRecord reports whether a record can be decoded, but for its commands.
func checkRecord(b []byte, level uint32) error {
	body, err := openRecord(b)
	if err != nil {
		return err
	}
	num, typ, n := protowire.ConsumeTag(body)
	if n < 0 || num != 1 || typ != protowire.VarintType {
		return nil // written by other means; decodeRecord looks closer
	}
	if format, n := protowire.ConsumeVarint(body[n:]); n > 0 {
		return checkFormat("a log record", uint32(min(format, 1<<31)), level)
	}
	return nil
}

func checkFormat(what string, got, known uint32) error {
	if got > known {
		return fmt.Errorf("%w: %s is of format %d, this version reads up to %d", ErrNewer, what, got, known)
	}
	if got == 0 {
		return fmt.Errorf("%w: %s does not say its format", ErrDamaged, what)
	}
	return nil
}

// decodeRecord returns the entries of a record of at most the format level.
func decodeRecord(b []byte, level uint32) ([]state.Entry, error) {
	body, err := openRecord(b)
	if err != nil {
		return nil, err
	}
	var batch rinkpb.Batch
	if err := proto.Unmarshal(body, &batch); err != nil {
		return nil, fmt.Errorf("%w: a log record: %w", ErrDamaged, err)
	}
	if err := checkFormat("a log record", batch.Format, level); err != nil {
		return nil, err
	}
	entries := make([]state.Entry, len(batch.Entries))
	for i, e := range batch.Entries {
		if entries[i], err = entryFromProto(e); err != nil {
			return nil, fmt.Errorf("command %d of %d: %w", i+1, len(entries), err)
		}
	}
	return entries, nil
}

func entryFromProto(e *rinkpb.Entry) (state.Entry, error) {
	out := state.Entry{At: api.TimeFromProto(e.At)}
	if a := e.Actor; a != nil {
		out.Actor = state.Actor{UID: a.Uid, User: a.User, System: a.System}
	}
	var err error
	if out.Cmd, err = commandFrom(e); err != nil {
		return out, err
	}
	return out, nil
}
