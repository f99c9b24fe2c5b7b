package pmi

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"syscall"
)

// entry is a line of the journal: what a task said, or what the nodes shared.
type entry struct {
	Rank  int         `json:"r,omitempty"`
	Cmd   string      `json:"c,omitempty"`
	Pairs [][2][]byte `json:"p,omitempty"`
	Fence *uint32     `json:"f,omitempty"`
}

// noted are the commands that leave something behind.
var noted = map[string]bool{
	"init": true, "put": true, "barrier_in": true, "kvs-put": true, "kvs-fence": true, "info-putnodeattr": true, "info-getnodeattr": true,
}

// maxJournal bounds what is written down, which tasks that do not tire would have grow
// until the disk is full.
const maxJournal = 2 << 30

// note writes down what a task said. Needs s.mu held.
func (s *Server) note(t *task, m *message) error {
	if s.replays || s.conf.Journal == nil || !noted[m.cmd] {
		return nil
	}
	e := entry{Rank: t.rank, Cmd: m.cmd}
	for _, p := range m.pairs {
		e.Pairs = append(e.Pairs, [2][]byte{[]byte(p.key), []byte(p.value)})
	}
	if err := s.write(&e); err != nil {
		return fmt.Errorf("cannot write down what it says: %w", err)
	}
	return nil
}

// noteShared writes down what came from all nodes. Needs s.mu held.
func (s *Server) noteShared(fence uint32, keys []Key) {
	if s.replays || s.conf.Journal == nil {
		return
	}
	e := entry{Fence: &fence}
	for _, k := range keys {
		e.Pairs = append(e.Pairs, [2][]byte{[]byte(k.Name), []byte(k.Value)})
	}
	s.write(&e) // without it a successor waits for srun to tell again
}

func (s *Server) write(e *entry) error {
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if s.kept += int64(len(text)) + 1; s.kept > maxJournal {
		return fmt.Errorf("more than %d bytes", int64(maxJournal))
	}
	_, err = s.conf.Journal.Write(append(text, '\n'))
	return err
}

// Replay has a new server take what another has written down, without a word
// to anybody, and then hand on again what the other may have had no answer to.
// A last line that is not whole is what the other died over.
func (s *Server) Replay(from io.Reader) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replays = true
	defer func() { s.replays = false }() // also when it is not whole: tasks wait for answers
	r := bufio.NewReader(from)
	for n := 1; ; n++ {
		line, err := r.ReadBytes('\n')
		s.kept += int64(len(line))
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		var e entry
		if err := json.Unmarshal(line, &e); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		if e.Fence != nil {
			keys := make([]Key, len(e.Pairs))
			for i, p := range e.Pairs {
				keys[i] = Key{string(p[0]), string(p[1])}
			}
			s.shared(*e.Fence, keys)
			continue
		}
		t := s.tasks[e.Rank]
		if t == nil {
			return fmt.Errorf("line %d: rank %d is not on this node", n, e.Rank)
		}
		m := &message{cmd: e.Cmd}
		for _, p := range e.Pairs {
			m.pairs = append(m.pairs, pair{string(p[0]), string(p[1])})
		}
		s.take(t, m) // what was refused then is refused again
	}
	s.replays = false // what is handed on now goes out
	if s.conf.Nodes > 1 && len(s.local) > 0 && s.allIn() {
		s.close()
	}
	return nil
}

func isReset(err error) bool { return errors.Is(err, syscall.ECONNRESET) }
