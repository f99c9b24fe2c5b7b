package launcher

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	"google.golang.org/protobuf/proto"
)

// maxFrame bounds a message: an environment and arguments of many tasks fit,
// a stray length does not have memory set aside for it.
const maxFrame = 64 << 20

// fdsPerSend keeps below what the kernel passes with one call.
const fdsPerSend = 250

// send writes one message and, with its bytes, descriptors.
func send(c *peer, m proto.Message, fds ...int) error {
	size := proto.Size(m)
	if size > maxFrame {
		return fmt.Errorf("cannot send a message of %d bytes (limit %d)", size, maxFrame)
	}
	frame, err := proto.MarshalOptions{UseCachedSize: true}.MarshalAppend(make([]byte, 4, 4+size), m)
	if err != nil {
		return err
	}
	binary.BigEndian.PutUint32(frame, uint32(len(frame)-4))
	for len(fds) > 0 {
		n := min(len(fds), fdsPerSend)
		// Descriptors travel with a byte of the message. Each lot of them
		// takes a few, and the last takes what is left below.
		part := frame[:1]
		if len(frame) == 1 {
			return errors.New("cannot send so many descriptors with so short a message")
		}
		if _, _, err := c.WriteMsgUnix(part, syscall.UnixRights(fds[:n]...), nil); err != nil {
			return err
		}
		fds, frame = fds[n:], frame[1:]
	}
	_, err = c.Write(frame)
	return err
}

// peer is the other end of a connection.
type peer struct {
	*net.UnixConn
	room []byte // what is read into
	have []byte // of it, what has come and belongs to the next message
	oob  []byte
}

// peerRoom holds most messages whole.
const peerRoom = 2048

func newPeer(c *net.UnixConn) *peer {
	return &peer{UnixConn: c, room: make([]byte, peerRoom), oob: make([]byte, syscall.CmsgSpace(fdsPerSend*4))}
}

// receive reads one message and the descriptors that come with it, which are
// the caller's to close, after an error too. It may read of the next message, but of
// one side only that sends no descriptors or one message at a time.
func receive(p *peer, m proto.Message) (fds []int, err error) {
	read := func(buf []byte) (int, error) {
		n, oobn, _, _, err := p.ReadMsgUnix(buf, p.oob)
		if oobn > 0 {
			got, perr := rights(p.oob[:oobn])
			fds = append(fds, got...)
			if err == nil {
				err = perr
			}
		}
		if err == nil && n == 0 {
			err = io.EOF
		}
		return n, err
	}
	// until has n bytes in p.have, which the room has place for.
	until := func(n int) error {
		if len(p.have) < n && cap(p.have) < n {
			p.have = p.room[:copy(p.room, p.have)]
		}
		for len(p.have) < n {
			got, err := read(p.have[len(p.have):cap(p.have)])
			if err != nil {
				return err
			}
			p.have = p.have[:len(p.have)+got]
		}
		return nil
	}
	if len(p.have) == 0 {
		p.have = p.room[:0]
	}
	if err := until(4); err != nil {
		return fds, err
	}
	size := binary.BigEndian.Uint32(p.have)
	if size > maxFrame {
		return fds, fmt.Errorf("cannot receive a message of %d bytes (limit %d)", size, maxFrame)
	}
	var body []byte
	if 4+int(size) <= len(p.room) {
		if err = until(4 + int(size)); err == nil {
			body, p.have = p.have[4:4+size], p.have[4+size:]
		}
	} else {
		body = make([]byte, size)
		n := copy(body, p.have[4:])
		for p.have = nil; n < len(body) && err == nil; {
			var got int
			got, err = read(body[n:])
			n += got
		}
	}
	if err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return fds, err
	}
	return fds, proto.Unmarshal(body, m)
}

func rights(oob []byte) ([]int, error) {
	msgs, err := syscall.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, err
	}
	var out []int
	for i := range msgs {
		got, err := syscall.ParseUnixRights(&msgs[i])
		if err != nil {
			return out, err
		}
		out = append(out, got...)
	}
	return out, nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		syscall.Close(fd)
	}
}

// peerUID asks the kernel who is at the other end.
func peerUID(c *peer) (int, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	uid := -1
	var cerr error
	err = raw.Control(func(fd uintptr) {
		var cred *syscall.Ucred
		if cred, cerr = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED); cerr == nil {
			uid = int(cred.Uid)
		}
	})
	return uid, errors.Join(err, cerr)
}
