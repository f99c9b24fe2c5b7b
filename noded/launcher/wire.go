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
func send(c *net.UnixConn, m proto.Message, fds ...int) error {
	body, err := proto.Marshal(m)
	if err != nil {
		return err
	}
	if len(body) > maxFrame {
		return fmt.Errorf("cannot send a message of %d bytes (limit %d)", len(body), maxFrame)
	}
	frame := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(body)), uint32(len(body)))
	frame = append(frame, body...)
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

// receive reads one message and the descriptors that come with it, which are
// the caller's to close, after an error too.
func receive(c *net.UnixConn, m proto.Message) (fds []int, err error) {
	oob := make([]byte, syscall.CmsgSpace(fdsPerSend*4))
	fill := func(buf []byte) error {
		for len(buf) > 0 {
			n, oobn, _, _, err := c.ReadMsgUnix(buf, oob)
			if oobn > 0 {
				got, perr := rights(oob[:oobn])
				fds = append(fds, got...)
				if err == nil {
					err = perr
				}
			}
			if err != nil {
				return err
			}
			if n == 0 {
				return io.EOF
			}
			buf = buf[n:]
		}
		return nil
	}
	var head [4]byte
	if err := fill(head[:]); err != nil {
		return fds, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > maxFrame {
		return fds, fmt.Errorf("cannot receive a message of %d bytes (limit %d)", size, maxFrame)
	}
	body := make([]byte, size)
	if err := fill(body); err != nil {
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
func peerUID(c *net.UnixConn) (int, error) {
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
