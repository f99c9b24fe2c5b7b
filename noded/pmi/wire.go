// Package pmi is the process manager's side of PMI-1 and PMI-2, the protocols
// by which the tasks of an MPI program find each other: each task has a socket,
// puts what others need to know of it, waits for all others at a fence, and
// asks for what they have put.
//
// The formats are those of MPICH's "simple" PMI: PMI-1 is lines of key=value
// words, PMI-2 messages of key=value; behind six digits of length. Both begin
// with a line of PMI-1, in which the task says what it speaks.
package pmi

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// maxMessage bounds one message of a task.
const maxMessage = 1 << 20

// The longest names and values that may be put, as PMI-1 tells its clients.
const (
	maxName  = 256
	maxKey   = 64
	maxValue = 1024
)

// pair is one key=value of a message.
type pair struct{ key, value string }

// message is what a task says: a command and its arguments in their order.
type message struct {
	cmd   string
	pairs []pair
}

func (m *message) get(key string) string {
	for _, p := range m.pairs {
		if p.key == key {
			return p.value
		}
	}
	return ""
}

// readLine reads a message of PMI-1. A command of several lines begins with
// mcmd and ends with a line that says endcmd.
func readLine(r *bufio.Reader) (*message, error) {
	m := &message{}
	several, size := false, 0
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			if errors.Is(err, bufio.ErrBufferFull) {
				return nil, fmt.Errorf("a line of more than %d bytes", r.Size())
			}
			return nil, err
		}
		text := strings.TrimSuffix(string(line), "\n")
		if size += len(text); size > maxMessage {
			return nil, fmt.Errorf("a message of more than %d bytes", maxMessage)
		}
		if several {
			if text == "endcmd" {
				return m, nil
			}
			key, value, _ := strings.Cut(text, "=")
			m.pairs = append(m.pairs, pair{key, value})
			continue
		}
		for word := range strings.FieldsSeq(text) {
			key, value, ok := strings.Cut(word, "=")
			switch {
			case !ok:
				return nil, fmt.Errorf("%q is not key=value", word)
			case key == "cmd" && m.cmd == "":
				m.cmd = value
			case key == "mcmd" && m.cmd == "":
				m.cmd, several = value, true
			default:
				m.pairs = append(m.pairs, pair{key, value})
			}
		}
		if m.cmd == "" {
			return nil, fmt.Errorf("%q is no command", text)
		}
		if !several {
			return m, nil
		}
	}
}

// headerSize is the length that goes before a message of PMI-2.
const headerSize = 6

// readFramed reads a message of PMI-2.
func readFramed(r *bufio.Reader) (*message, error) {
	var header [headerSize]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return nil, err
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(header[:])), 10, 32)
	if err != nil || n > maxMessage {
		return nil, fmt.Errorf("%q is not the length of a message", header)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, err
	}
	return parseFramed(string(body))
}

// parseFramed reads key=value; pairs. A ";" in a value comes twice.
func parseFramed(text string) (*message, error) {
	m := &message{}
	for len(text) > 0 {
		key, rest, ok := strings.Cut(text, "=")
		if !ok || key == "" {
			return nil, fmt.Errorf("%q is not key=value;", text)
		}
		var value strings.Builder
		for {
			at := strings.IndexByte(rest, ';')
			if at < 0 {
				return nil, fmt.Errorf("the value of %q does not end", key)
			}
			value.WriteString(rest[:at])
			rest = rest[at+1:]
			if !strings.HasPrefix(rest, ";") {
				break
			}
			value.WriteByte(';')
			rest = rest[1:]
		}
		if key == "cmd" && m.cmd == "" {
			m.cmd = value.String()
		} else {
			m.pairs = append(m.pairs, pair{key, value.String()})
		}
		text = rest
	}
	if m.cmd == "" {
		return nil, errors.New("a message without a command")
	}
	return m, nil
}

// line is a message as PMI-1 has it.
func (m *message) line() []byte {
	var b strings.Builder
	b.WriteString("cmd=" + m.cmd)
	for _, p := range m.pairs {
		b.WriteString(" " + p.key + "=" + p.value)
	}
	return []byte(b.String() + "\n")
}

// framed is a message as PMI-2 has it.
func (m *message) framed() []byte {
	var b strings.Builder
	b.WriteString("cmd=" + m.cmd + ";")
	for _, p := range m.pairs {
		b.WriteString(p.key + "=" + strings.ReplaceAll(p.value, ";", ";;") + ";")
	}
	return fmt.Appendf(nil, "%*d%s", headerSize, b.Len(), b.String())
}

// Mapping says which ranks are on which node, in the form of the key
// PMI_process_mapping: blocks of a first node, a number of nodes, and the ranks
// that each has before the next node's begin.
func Mapping(nodeOf []int32) string {
	type block struct{ first, nodes, ranks int32 }
	var runs, blocks []block
	for _, n := range nodeOf {
		if k := len(runs) - 1; k >= 0 && runs[k].first == n {
			runs[k].ranks++
		} else {
			runs = append(runs, block{n, 1, 1})
		}
	}
	for _, r := range runs {
		if k := len(blocks) - 1; k >= 0 && blocks[k].ranks == r.ranks && blocks[k].first+blocks[k].nodes == r.first {
			blocks[k].nodes++
		} else {
			blocks = append(blocks, r)
		}
	}
	var b strings.Builder
	b.WriteString("(vector")
	for _, k := range blocks {
		fmt.Fprintf(&b, ",(%d,%d,%d)", k.first, k.nodes, k.ranks)
	}
	return b.String() + ")"
}
