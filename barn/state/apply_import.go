package state

import "errors"

// ImportHistory takes records of jobs that ran on another cluster, or before this
// one was there, into the history. They are not jobs of the queue: nothing here
// changes, and accounting takes them from the event. Each is one record as
// accounting lays it out.
type ImportHistory struct{ Records [][]byte }

// HistoryImported tells of records for the history.
type HistoryImported struct{ Records [][]byte }

func (ImportHistory) command() {}
func (HistoryImported) event() {}

func (s *State) importHistory(c ImportHistory) error {
	if len(c.Records) == 0 {
		return errors.New("cannot import no records")
	}
	s.events = append(s.events, HistoryImported{Records: c.Records})
	return nil
}
