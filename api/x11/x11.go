// Package x11 is what passing on connections of the X Window System needs of its byte
// layouts: names of displays (X(7)), the file of authorizations (libXau's
// AuReadEntry) and the first words of a connection (X Window System Protocol,
// version 11, section 8).
package x11

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
)

// Cookie is the name of the one way to authorize that is passed on.
const Cookie = "MIT-MAGIC-COOKIE-1"

// FirstPort is the TCP port of display 0.
const FirstPort = 6000

// Display is a display by its name.
type Display struct {
	Host   string // "": on this host, by a Unix socket
	Number int
	Screen int
}

// ParseDisplay reads [host]:number[.screen].
func ParseDisplay(s string) (Display, error) {
	at := strings.LastIndexByte(s, ':')
	if at < 0 {
		return Display{}, fmt.Errorf("%q is not the name of a display", s)
	}
	d := Display{Host: s[:at]}
	number, screen, has := strings.Cut(s[at+1:], ".")
	var err error
	if d.Number, err = strconv.Atoi(number); err != nil || d.Number < 0 || d.Number > 0xffff-FirstPort {
		return Display{}, fmt.Errorf("%q is not the name of a display", s)
	}
	if has {
		if d.Screen, err = strconv.Atoi(screen); err != nil || d.Screen < 0 {
			return Display{}, fmt.Errorf("%q is not the name of a display", s)
		}
	}
	if d.Host == "unix" {
		d.Host = ""
	}
	return d, nil
}

// Socket is the Unix socket of a display on this host.
func (d Display) Socket() string { return fmt.Sprintf("/tmp/.X11-unix/X%d", d.Number) }

// Address is the TCP address of a display that has a host.
func (d Display) Address() string { return net.JoinHostPort(d.Host, strconv.Itoa(FirstPort+d.Number)) }

// Families of addresses in the file of authorizations.
const (
	FamilyInternet  = 0
	FamilyInternet6 = 6
	FamilyLocal     = 256
	FamilyWild      = 65535
)

// Entry is one authorization.
type Entry struct {
	Family  uint16
	Address string
	Number  string // of the display; "": any
	Name    string
	Data    []byte
}

// maxEntries bounds what is read of a file.
const maxEntries = 4096

// ReadEntries reads a file of authorizations. What is before a torn entry is returned
// with the error.
func ReadEntries(from io.Reader) ([]Entry, error) {
	r := bufio.NewReader(from)
	var list []Entry
	for len(list) < maxEntries {
		var family [2]byte
		if _, err := io.ReadFull(r, family[:]); errors.Is(err, io.EOF) {
			return list, nil
		} else if err != nil {
			return list, err
		}
		e := Entry{Family: binary.BigEndian.Uint16(family[:])}
		var parts [4][]byte
		for i := range parts {
			var size [2]byte
			if _, err := io.ReadFull(r, size[:]); err != nil {
				return list, fmt.Errorf("an authorization is torn: %w", io.ErrUnexpectedEOF)
			}
			parts[i] = make([]byte, binary.BigEndian.Uint16(size[:]))
			if _, err := io.ReadFull(r, parts[i]); err != nil {
				return list, fmt.Errorf("an authorization is torn: %w", io.ErrUnexpectedEOF)
			}
		}
		e.Address, e.Number, e.Name, e.Data = string(parts[0]), string(parts[1]), string(parts[2]), parts[3]
		list = append(list, e)
	}
	return list, fmt.Errorf("more than %d authorizations", maxEntries)
}

// Bytes is the entry as it is in the file. No part is longer than 65535 bytes.
func (e Entry) Bytes() []byte {
	out := binary.BigEndian.AppendUint16(nil, e.Family)
	for _, part := range []string{e.Address, e.Number, e.Name, string(e.Data)} {
		out = append(binary.BigEndian.AppendUint16(out, uint16(len(part))), part...)
	}
	return out
}

// Find returns the cookie for a display; nil when there is none. host is this host's
// name, and addrs are those of the display's, without which it is on this host.
func Find(list []Entry, d Display, host string, addrs []net.IP) []byte {
	for _, e := range list {
		if e.Name != Cookie || e.Number != "" && e.Number != strconv.Itoa(d.Number) {
			continue
		}
		match := e.Family == FamilyWild
		if e.Family == FamilyLocal && e.Address == host {
			match = match || len(addrs) == 0
			for _, a := range addrs {
				match = match || a.IsLoopback()
			}
		}
		for _, a := range addrs {
			if v4 := a.To4(); v4 != nil {
				match = match || e.Family == FamilyInternet && e.Address == string(v4)
			} else {
				match = match || e.Family == FamilyInternet6 && e.Address == string(a.To16())
			}
		}
		if match {
			return e.Data
		}
	}
	return nil
}

// Setup is the first thing a client says on a connection.
type Setup struct {
	Order        byte // 'B' or 'l': most or least significant byte first
	Major, Minor uint16
	Name         string
	Data         []byte
}

// maxAuth bounds the parts of an authorization on a connection.
const maxAuth = 1024

func orderOf(b byte) (binary.AppendByteOrder, binary.ByteOrder, error) {
	switch b {
	case 'B':
		return binary.BigEndian, binary.BigEndian, nil
	case 'l':
		return binary.LittleEndian, binary.LittleEndian, nil
	}
	return nil, nil, fmt.Errorf("byte order %q is not one", b)
}

func padded(n int) int { return (n + 3) &^ 3 }

// ReadSetup reads the beginning of a connection, and nothing behind it.
func ReadSetup(r io.Reader) (*Setup, error) {
	var head [12]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	_, order, err := orderOf(head[0])
	if err != nil {
		return nil, err
	}
	s := &Setup{Order: head[0], Major: order.Uint16(head[2:]), Minor: order.Uint16(head[4:])}
	name, data := int(order.Uint16(head[6:])), int(order.Uint16(head[8:]))
	if name > maxAuth || data > maxAuth {
		return nil, fmt.Errorf("an authorization of %d and %d bytes", name, data)
	}
	rest := make([]byte, padded(name)+padded(data))
	if _, err := io.ReadFull(r, rest); err != nil {
		return nil, err
	}
	s.Name, s.Data = string(rest[:name]), rest[padded(name):][:data]
	return s, nil
}

// Bytes is the beginning as it is sent.
func (s *Setup) Bytes() []byte {
	order, _, err := orderOf(s.Order)
	if err != nil {
		return nil
	}
	out := []byte{s.Order, 0}
	for _, n := range []uint16{s.Major, s.Minor, uint16(len(s.Name)), uint16(len(s.Data)), 0} {
		out = order.AppendUint16(out, n)
	}
	out = append(out, s.Name...)
	out = append(out, make([]byte, padded(len(s.Name))-len(s.Name))...)
	out = append(out, s.Data...)
	return append(out, make([]byte, padded(len(s.Data))-len(s.Data))...)
}

// Refusal is what a client is told that is not let in.
func Refusal(byteOrder byte, reason string) []byte {
	order, _, err := orderOf(byteOrder)
	if err != nil {
		return nil
	}
	reason = reason[:min(len(reason), 255)]
	out := []byte{0, byte(len(reason))}
	for _, n := range []int{11, 0, padded(len(reason)) / 4} {
		out = order.AppendUint16(out, uint16(n))
	}
	return append(append(out, reason...), make([]byte, padded(len(reason))-len(reason))...)
}
