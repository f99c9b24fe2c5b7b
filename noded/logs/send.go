package logs

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/vmihailenco/msgpack/v5"
)

// ackTime is how long an acknowledgement is waited for.
const ackTime = 30 * time.Second

// send sends the segments, the oldest first, each until it is acknowledged.
func (s *Shipper) send(ctx context.Context) {
	var line net.Conn
	drop := func() {
		if line != nil {
			line.Close()
			line = nil
		}
	}
	defer drop()
	wait := 100 * time.Millisecond
	told := false
	for {
		s.mu.Lock()
		name := ""
		if len(s.queue) > 0 {
			name = s.queue[0]
		}
		s.mu.Unlock()
		if name == "" {
			select {
			case <-ctx.Done():
				return
			case <-s.more:
			}
			continue
		}
		err := error(nil)
		if line == nil {
			line, err = s.dial(ctx)
		}
		if err == nil {
			err = s.sendOne(ctx, line, name)
		}
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			wait, told = 100*time.Millisecond, false
			continue
		}
		drop()
		if !told {
			s.opt.Log.Warn("the collector of logs does not take them; they are kept", "address", s.opt.Address, "error", err)
			told = true
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		wait = min(2*wait, s.opt.Retry)
	}
}

func (s *Shipper) dial(ctx context.Context) (net.Conn, error) {
	d := net.Dialer{Timeout: 5 * time.Second}
	if path, ok := strings.CutPrefix(s.opt.Address, "unix:"); ok {
		return d.DialContext(ctx, "unix", path)
	}
	return d.DialContext(ctx, "tcp", s.opt.Address)
}

// sendOne sends a segment and waits for its acknowledgement. Then how far its files
// were read is kept, and the segment goes.
func (s *Shipper) sendOne(ctx context.Context, line net.Conn, name string) error {
	var seg segment
	if err := s.read(name, &seg); err != nil {
		return s.sent(name, nil, fmt.Errorf("cannot read a segment: %w", err))
	}
	chunk := chunkID(s.opt.Dir, name, &seg)
	text, err := encode(s.opt.Tag, chunk, seg.Records)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { line.Close() })
	defer stop()
	line.SetDeadline(time.Now().Add(ackTime))
	if _, err := line.Write(text); err != nil {
		return err
	}
	var ack struct {
		Ack string `msgpack:"ack"`
	}
	if err := msgpack.NewDecoder(bufio.NewReaderSize(&bounded{line, 4096}, 256)).Decode(&ack); err != nil {
		return fmt.Errorf("no acknowledgement: %w", err)
	}
	if ack.Ack != chunk {
		return fmt.Errorf("an acknowledgement of %q, not of %q", ack.Ack, chunk)
	}
	return s.sent(name, &seg, nil)
}

// bounded ends a reader after so many bytes: an answer is short.
type bounded struct {
	from net.Conn
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errors.New("the answer is too long")
	}
	n, err := b.from.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// sent takes a segment out of the buffer.
func (s *Shipper) sent(name string, seg *segment, why error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	path := filepath.Join(s.opt.Dir, name)
	if why != nil {
		s.opt.Log.Error("a segment of logs is left out", "segment", name, "error", why)
		if info, err := os.Stat(path); err == nil {
			s.held -= info.Size()
		}
		os.Rename(path, path+".bad")
	} else {
		if _, err := s.write("cursors", s.cursors); err != nil {
			return err
		}
		if info, err := os.Stat(path); err == nil {
			s.held -= info.Size()
		}
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	if len(s.queue) > 0 && s.queue[0] == name {
		s.queue = s.queue[1:]
	}
	close(s.full)
	s.full = make(chan struct{})
	return nil
}

// chunkID names a segment to the collector, the same each time it is sent.
func chunkID(dir, name string, seg *segment) string {
	h := fnv.New128a()
	h.Write([]byte(dir + "\x00" + name))
	for _, r := range seg.Records {
		fmt.Fprintf(h, "\x00%s %d %d", r.Source.ID(), r.Offset, r.At)
	}
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// encode is a message of the forward protocol: the tag, the entries, and the
// option that asks for an acknowledgement.
func encode(tag, chunk string, records []record) ([]byte, error) {
	var b bytes.Buffer
	e := msgpack.NewEncoder(&b)
	step := func(errs ...error) error { return errors.Join(errs...) }
	err := step(e.EncodeArrayLen(3), e.EncodeString(tag), e.EncodeArrayLen(len(records)))
	for i := range records {
		r := &records[i]
		var when [8]byte // EventTime: seconds and nanoseconds
		binary.BigEndian.PutUint32(when[:], uint32(r.At/1e9))
		binary.BigEndian.PutUint32(when[4:], uint32(r.At%1e9))
		fields := 11
		if r.Skipped > 0 {
			fields++
		}
		err = step(err, e.EncodeArrayLen(2), e.EncodeExtHeader(0, 8))
		b.Write(when[:])
		m := &r.Source
		err = step(err, e.EncodeMapLen(fields),
			e.EncodeString("job"), e.EncodeUint(uint64(m.Job)), e.EncodeString("restarts"), e.EncodeUint(uint64(m.Restarts)),
			e.EncodeString("step"), e.EncodeString(m.Step), e.EncodeString("task"), e.EncodeInt(int64(m.Task)),
			e.EncodeString("node"), e.EncodeString(m.Node), e.EncodeString("herd"), e.EncodeString(m.Herd),
			e.EncodeString("user"), e.EncodeString(m.User), e.EncodeString("stream"), e.EncodeString(m.Stream),
			e.EncodeString("offset"), e.EncodeInt(r.Offset), e.EncodeString("line"), e.EncodeString(string(r.Line)),
			e.EncodeString("time"), e.EncodeString(time.Unix(0, r.At).UTC().Format(time.RFC3339Nano)))
		if r.Skipped > 0 {
			err = step(err, e.EncodeString("skipped"), e.EncodeInt(r.Skipped))
		}
	}
	err = step(err, e.EncodeMapLen(2), e.EncodeString("chunk"), e.EncodeString(chunk), e.EncodeString("size"), e.EncodeInt(int64(len(records))))
	return b.Bytes(), err
}
