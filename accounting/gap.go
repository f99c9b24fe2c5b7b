package accounting

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/runink/rink/api/rinkpb"
)

// A gap is a range of the log whose records are missing here, because a snapshot
// stood for it or the file was lost. It is noted in the file, so that fetching the
// records from another controller goes on after a restart where it was.
//
// While there is a gap, records of jobs and steps go on being written: each says
// of which entry it is, and the later one holds, whichever comes first. What is
// known of nodes and reservations builds on what was known before, so it is left
// out until it is fetched whole.
//
// A gap is closed in two passes. The first fetches all records of entries after
// its beginning, in pages, while the log goes on. The second is made while no
// entry is taken in: it fetches what changed since the first began, then the
// facts; after it the history is as the other's was when the pass began, and what
// the log still brings up to there is passed over. So both hold the same, which
// Sums is there to prove.

// ErrGap comes back from a history that is asked for what it lacks itself.
var ErrGap = errors.New("the history lacks a part of the log itself")

// Page is some records of one kind, and where the next page begins.
type Page struct {
	Records []*rinkpb.Record
	Cursor  []byte // for the next page
	Last    bool
	Applied uint64 // all of the log up to it was taken in before the page was read
}

// The kinds of pages, in their order; a cursor is a kind and a key.
const (
	pageJobs  = 'j'
	pageSteps = 's'
	pageFacts = 'f'
)

// maxPageBytes bounds a page, but for one of facts, which is whole.
const maxPageBytes = 4 << 20

// Missed notes that the records of a range of the log, both ends included, will
// not be put. lost says that there is nobody to fetch them from: then it is said
// and no gap is kept.
func (s *Store) Missed(from, to uint64, lost bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if to <= s.last || to < from {
		return
	}
	s.last = to
	b := batch{index: to}
	if lost {
		s.log.Error("history: entries of the log are missing from it, and there is no controller to fetch them from; restore a copy of its file if there is one",
			"file", s.path, "from", from, "to", to)
	} else {
		s.log.Warn("history: entries of the log are missing from it; they are fetched from another controller", "file", s.path, "from", from, "to", to)
		b.edit = func(head *rinkpb.KeptHead) { head.Gaps = append(head.Gaps, &rinkpb.HistoryGap{From: from, To: to}) }
	}
	s.enqueue(b)
}

// Gap returns the first gap that is known on disk, nil when there is none.
func (s *Store) Gap() (*rinkpb.HistoryGap, error) {
	if err := s.Flush(); err != nil {
		return nil, err
	}
	var gap *rinkpb.HistoryGap
	err := s.view(func(tx *txn) error {
		head, err := readHead(tx)
		if err == nil && len(head.Gaps) > 0 {
			// Later ones are closed with it.
			gap = head.Gaps[0]
			for _, g := range head.Gaps[1:] {
				gap.From, gap.To = min(gap.From, g.From), max(gap.To, g.To)
				if gap.From == g.From {
					gap.Cursor, gap.Seen = nil, 0
				}
			}
		}
		return err
	})
	return gap, err
}

// Page returns records of entries after from, beginning at cursor, which is empty
// or that of the page before. With facts what is known of nodes and reservations
// comes last, all of it. A history with a gap of its own gives ErrGap.
func (s *Store) Page(from uint64, cursor []byte, facts bool) (Page, error) {
	if err := s.Flush(); err != nil {
		return Page{}, err
	}
	p := Page{}
	err := s.view(func(tx *txn) error {
		head, err := readHead(tx)
		if err != nil {
			return err
		}
		if len(head.Gaps) > 0 {
			return ErrGap
		}
		p.Applied = head.Applied
		kind, after := byte(pageJobs), []byte(nil)
		if len(cursor) > 0 {
			kind, after = cursor[0], cursor[1:]
		}
		switch kind {
		case pageJobs:
			next, err := p.jobs(tx, from, after)
			p.goOn(pageJobs, next, pageSteps)
			return err
		case pageSteps:
			next, err := p.steps(tx, from, after)
			p.goOn(pageSteps, next, pageFacts)
			p.Last = next == nil && !facts
			return err
		case pageFacts:
			p.Last = true
			p.Records, err = factsIn(tx)
			return err
		}
		return fmt.Errorf("%q is not where a page begins", cursor)
	})
	return p, err
}

// goOn sets where the next page begins: at key, or with the next kind.
func (p *Page) goOn(kind byte, key []byte, then byte) {
	if key != nil {
		p.Cursor = append([]byte{kind}, key...)
		return
	}
	p.Cursor = []byte{then}
}

// pageBudget is what one page may read and hold.
type pageBudget struct{ looked, found, bytes int }

func (b *pageBudget) over() bool {
	return b.looked >= entriesAtOnce || b.found >= recordsAtOnce || b.bytes >= maxPageBytes
}

func (p *Page) add(b *pageBudget, r *rinkpb.Record) {
	p.Records = append(p.Records, r)
	b.found++
	b.bytes += proto.Size(r)
}

// jobs adds final records from a key on and returns the key it came to.
func (p *Page) jobs(tx *txn, from uint64, after []byte) ([]byte, error) {
	words := newWordReader(tx)
	c := tx.Bucket(bucketJobs).Cursor()
	b := &pageBudget{}
	key, data := c.Seek(after)
	for ; key != nil && !b.over(); key, data = c.Next() {
		b.looked++
		k, err := parseJobKey(key)
		if err != nil {
			return nil, err
		}
		if index, err := indexOf(data); err == nil && index <= from {
			continue // without laying it out
		}
		r, _, err := decodeJob(words, k, data)
		if err != nil {
			return nil, fmt.Errorf("the record of job %d is damaged: %w", k.job, err)
		}
		p.add(b, r)
	}
	return bytes.Clone(key), nil
}

// indexOf returns the entry a kept job is of.
func indexOf(data []byte) (uint64, error) {
	kept := &rinkpb.KeptJob{}
	err := proto.Unmarshal(data, kept)
	return kept.Index, err
}

// steps is as jobs.
func (p *Page) steps(tx *txn, from uint64, after []byte) ([]byte, error) {
	words := newWordReader(tx)
	c := tx.Bucket(bucketSteps).Cursor()
	b := &pageBudget{}
	key, data := c.Seek(after)
	for ; key != nil && !b.over(); key, data = c.Next() {
		b.looked++
		k, id, err := parseStepKey(key)
		if err != nil {
			return nil, err
		}
		kept, err := decodeStep(words, k, id, data)
		if err != nil {
			return nil, fmt.Errorf("the record of step %d.%d is damaged: %w", k.job, id, err)
		}
		if kept.Index > from {
			p.add(b, stepRecord(k, kept))
		}
	}
	return bytes.Clone(key), nil
}

// TakePage takes in a page that began at cursor. closing is the second pass: its
// pages are not noted, it begins again when it is interrupted.
func (s *Store) TakePage(cursor []byte, p Page, closing bool) error {
	return s.takePage(s.fileNow(), cursor, p, closing)
}

// fileNow says which file is open, in the order of renewals.
func (s *Store) fileNow() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.generation
}

// takePage is TakePage for the gap of one file.
func (s *Store) takePage(file int, cursor []byte, p Page, closing bool) error {
	b := batch{records: p.Records, imported: true, fill: true, facts: len(cursor) > 0 && cursor[0] == pageFacts}
	if !closing {
		b.edit = func(head *rinkpb.KeptHead) {
			for _, g := range head.Gaps {
				g.Cursor = p.Cursor
				if g.Seen == 0 || p.Applied < g.Seen {
					g.Seen = p.Applied
				}
			}
		}
	}
	return s.fillWith(file, b)
}

// fillWith writes what fills or closes the gap of a file, unless that is no longer the one
// that is open.
func (s *Store) fillWith(file int, b batch) error {
	s.mu.Lock()
	if s.generation != file {
		s.mu.Unlock()
		return ErrRenewed
	}
	s.last = max(s.last, b.index)
	s.enqueue(b)
	s.mu.Unlock()
	err := s.Flush()
	if err == nil && s.fileNow() != file {
		err = ErrRenewed
	}
	return err
}

// Closed notes that all gaps are closed, by what another controller had taken in
// up to an entry.
func (s *Store) Closed(applied uint64) error { return s.closed(s.fileNow(), applied) }

func (s *Store) closed(file int, applied uint64) error {
	return s.fillWith(file, batch{index: applied, fill: true, edit: func(head *rinkpb.KeptHead) { head.Gaps = nil }})
}

// replaceFacts puts what another controller knows of nodes and reservations in
// the place of what is known here.
func (w *writer) replaceFacts(records []*rinkpb.Record) error {
	for _, old := range []struct {
		b    *bucket
		undo func(data []byte) error
	}{
		{w.nodes, nil}, {w.capacities, nil},
		{w.downs, func(data []byte) error {
			f := &rinkpb.NodeFact{}
			if err := proto.Unmarshal(data, f); err != nil {
				return err
			}
			list, err := tresAmounts(f.Tres)
			if err != nil {
				return err
			}
			return w.rolls.away(span{int64(second(f.Start)), int64(second(f.End))}, downSeconds, list, -1)
		}},
		{w.spans, func(data []byte) error {
			r := &rinkpb.ReservationSpan{}
			if err := proto.Unmarshal(data, r); err != nil {
				return err
			}
			return w.countSpan(r, -1)
		}},
	} {
		var keys [][]byte
		err := old.b.ForEach(func(key, data []byte) error {
			keys = append(keys, bytes.Clone(key))
			if old.undo == nil {
				return nil
			}
			return old.undo(data)
		})
		if err != nil {
			return err
		}
		for _, key := range keys {
			if err := old.b.Delete(key); err != nil {
				return err
			}
		}
	}
	for _, r := range records {
		if err := w.takeFact(r); err != nil {
			return err
		}
	}
	return nil
}

// takeFact puts one of them as it is.
func (w *writer) takeFact(r *rinkpb.Record) error {
	switch {
	case r.GetReservation() != nil:
		return w.reservation(batch{imported: true}, r.Reservation)
	case r.GetNode() == nil:
		return &recordError{what: "a record", err: errors.New("it is not of a node nor of a reservation")}
	case r.Node.Node == "":
		return w.takeCapacity(r.Node)
	case r.Node.End != 0:
		return w.wasDown(r.Node)
	}
	data, err := stable.Marshal(r.Node)
	if err != nil {
		return err
	}
	return w.nodes.Put([]byte(r.Node.Node), data)
}

// factsIn are all facts, in the order in which they are taken in.
func factsIn(tx *txn) ([]*rinkpb.Record, error) {
	var found []*rinkpb.Record
	err := factsOf(tx, 0, func(r *rinkpb.Record) { found = append(found, r) })
	return slices.Clip(found), err
}
