package state

import (
	"errors"
	"time"

	"github.com/runink/rink/sched"
)

// ImportHistory takes records of jobs that ran on another cluster, or before this
// one was there, into the history. They are not jobs of the queue: what here
// changes is who has used how much, and accounting takes them from the event. Each is one record as
// accounting lays it out. Used is what they have used of whose shares.
type ImportHistory struct {
	Records [][]byte
	Used    []sched.PastUse
}

// HistoryImported tells of records for the history, and of what is to be counted
// as used.
type HistoryImported struct {
	Records [][]byte
	Used    []sched.PastUse
	At      time.Time
}

func (ImportHistory) command() {}
func (HistoryImported) event() {}

func (s *State) importHistory(c ImportHistory) error {
	if len(c.Records) == 0 {
		return errors.New("cannot import no records")
	}
	if len(c.Used) > 0 {
		s.ledger.AddPast(c.Used, s.at)
		s.view = nil
	}
	s.events = append(s.events, HistoryImported{Records: c.Records, Used: c.Used, At: s.at})
	return nil
}
