package state

import "fmt"

// Mark changes nothing: it is a place in the log that every controller knows, so
// that what they keep can be compared as of one and the same entry.
type Mark struct{ Name string }

// Marked tells of a Mark.
type Marked struct{ Name string }

// RaiseFormat says that every controller reads entries and snapshots of that
// level, so that from here on they may be written. It never goes down: what is
// in the log stays there.
type RaiseFormat struct{ To uint32 }

func (Mark) command()        {}
func (Marked) event()        {}
func (RaiseFormat) command() {}

// firstLevel is what a cluster begins with.
const firstLevel = 1

// FormatLevel is the level of what the cluster writes. See RaiseFormat.
func (s *State) FormatLevel() uint32 { return max(s.level, firstLevel) }

func (s *State) mark(c Mark) {
	s.events = append(s.events, Marked(c))
}

func (s *State) raiseFormat(c RaiseFormat) error {
	if c.To < s.FormatLevel() {
		return fmt.Errorf("cannot go back to format level %d: entries of level %d are in the log", c.To, s.FormatLevel())
	}
	s.level = c.To
	return nil
}
