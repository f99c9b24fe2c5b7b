package barn

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/runink/rink/barn/state"
)

// marked is the state as it was after a state.Mark.
type marked struct {
	name   string
	moment *Moment
}

// keptMarks bounds the states kept for those who compare; each keeps alive what
// was replaced since.
const keptMarks = 2

// noteMarks keeps the state as it is for each Mark among events; f.mu is held.
func (f *fsm) noteMarks(events []state.Event) {
	for _, e := range events {
		m, ok := e.(state.Marked)
		if !ok {
			continue
		}
		if len(f.marks) == keptMarks {
			f.marks = append(f.marks[:0:0], f.marks[1:]...)
		}
		f.marks = append(f.marks, marked{m.Name, &Moment{Index: f.index, At: f.at, Cluster: f.cluster, dump: f.state.Dump()}})
	}
}

// AtMark returns the state as it was after the state.Mark of that name, once, and
// false when it is not kept, or has not been applied here yet.
func (b *Barn) AtMark(name string) (*Moment, bool) {
	b.fsm.mu.Lock()
	defer b.fsm.mu.Unlock()
	for i, m := range b.fsm.marks {
		if m.name == name {
			b.fsm.marks = append(b.fsm.marks[:i:i], b.fsm.marks[i+1:]...)
			return m.moment, true
		}
	}
	return nil, false
}

// Sum returns a checksum of the whole state and how many bytes it was made of.
// Controllers that have applied the same entries have the same: what they share in
// memory makes no difference.
func (m *Moment) Sum() (sum, bytes uint64, err error) {
	h := sha256.New()
	c := &counter{w: h}
	if err := writeParts(c, snapshotHead{index: m.Index, at: m.At, cluster: m.Cluster}, m.dump, nil); err != nil {
		return 0, 0, fmt.Errorf("cannot sum up the state: %w", err)
	}
	return binary.BigEndian.Uint64(h.Sum(nil)), uint64(c.n), nil
}
