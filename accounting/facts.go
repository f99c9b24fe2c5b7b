package accounting

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"google.golang.org/protobuf/proto"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/slurm"
)

// Beside jobs, history has what became of the cluster: what each node is at
// present (bucketNodes), what it was when it was down (bucketDowns), what all
// nodes had together from when on (bucketCapacity), and reservations.

// nodeFact takes in what a node is from a time on. When it was down until then,
// that is over: it is kept, and counted in the roll-ups.
func (w *writer) nodeFact(b batch, f *rinkpb.NodeFact) error {
	if f.Node == "" {
		return &recordError{what: "a node", err: errors.New("it has no name")}
	}
	if !b.imported {
		f = proto.CloneOf(f)
		f.Index = b.index
	}
	if f.End != 0 {
		return w.wasDown(f) // of another controller: one that is over
	}
	key := []byte(f.Node)
	was := &rinkpb.NodeFact{}
	if old := w.nodes.Get(key); old != nil {
		if err := proto.Unmarshal(old, was); err != nil {
			return &recordError{what: "node " + f.Node + ": cannot read what it was", err: err}
		}
		if was.Index > f.Index || b.imported && was.Index == f.Index {
			return nil
		}
	}
	if was.Down {
		over := proto.CloneOf(was)
		over.End = f.Start
		if err := w.wasDown(over); err != nil {
			return err
		}
	}
	if was.Tres != f.Tres && !b.imported {
		if err := w.capacity(f.Start, was.Tres, f.Tres); err != nil {
			return &recordError{what: "node " + f.Node + ": cannot count what it has", err: err}
		}
	}
	if f.Tres == "" && !f.Down {
		return w.nodes.Delete(key)
	}
	data, err := stable.Marshal(f)
	if err != nil {
		return err
	}
	return w.nodes.Put(key, data)
}

// wasDown keeps a span in which a node was down.
func (w *writer) wasDown(f *rinkpb.NodeFact) error {
	s := span{int64(second(f.Start)), int64(second(f.End))}
	if s.length() == 0 {
		return nil
	}
	key := append(appendNum(nil, uint32(s.from)), f.Node...)
	if old := w.downs.Get(key); old != nil {
		return nil // it came twice
	}
	list, err := tresAmounts(f.Tres)
	if err != nil {
		return &recordError{what: "node " + f.Node, err: err}
	}
	if err := w.rolls.away(s, downSeconds, list, 1); err != nil {
		return err
	}
	data, err := stable.Marshal(f)
	if err != nil {
		return err
	}
	return w.downs.Put(key, data)
}

// capacity notes that a node has other resources from a time on.
func (w *writer) capacity(at int64, was, now string) error {
	less, err := slurm.ParseTRES(was)
	if err != nil {
		return err
	}
	more, err := slurm.ParseTRES(now)
	if err != nil {
		return err
	}
	total, err := lastCapacity(w.capacities)
	if err != nil {
		return err
	}
	for _, item := range less {
		n, _ := total.Get(item.Key())
		total = total.With(item.Key(), max(0, n-item.Count))
	}
	for _, item := range more {
		n, _ := total.Get(item.Key())
		total = total.With(item.Key(), n+item.Count)
	}
	// Times of the log never go back; should one, what is later counts.
	key := appendNum(nil, second(at))
	if last, _ := w.capacities.Cursor().Last(); last != nil && bytes.Compare(last, key) > 0 {
		key = bytes.Clone(last)
	}
	return w.putCapacity(key, total)
}

func (w *writer) putCapacity(key []byte, total slurm.TRES) error {
	data, err := proto.Marshal(&rinkpb.KeptCapacity{Tres: total.Raw()})
	if err != nil {
		return err
	}
	return w.capacities.Put(key, data)
}

func lastCapacity(b *bucket) (slurm.TRES, error) {
	_, data := b.Cursor().Last()
	return parseCapacity(data)
}

func parseCapacity(data []byte) (slurm.TRES, error) {
	kept := &rinkpb.KeptCapacity{}
	if err := proto.Unmarshal(data, kept); err != nil {
		return nil, err
	}
	return slurm.ParseTRES(kept.Tres)
}

// takeCapacity is a row of another controller's: a fact with no node.
func (w *writer) takeCapacity(f *rinkpb.NodeFact) error {
	total, err := slurm.ParseTRES(f.Tres)
	if err != nil {
		return &recordError{what: "what the cluster had", err: err}
	}
	return w.putCapacity(appendNum(nil, second(f.Start)), total)
}

// reservation keeps a span of a reservation. It is told of when it begins, with
// the end it is to have, and again when that changes; the later one holds.
func (w *writer) reservation(b batch, s *rinkpb.ReservationSpan) error {
	if !b.imported {
		s = proto.CloneOf(s)
		s.Index = b.index
	}
	key := appendNum(appendNum(nil, second(s.Start)), s.Id)
	if old := w.spans.Get(key); old != nil {
		was := &rinkpb.ReservationSpan{}
		if err := proto.Unmarshal(old, was); err != nil {
			return &recordError{what: "reservation " + s.Name + ": cannot read what it was", err: err}
		}
		if was.Index > s.Index || b.imported && was.Index == s.Index {
			return nil
		}
		if err := w.countSpan(was, -1); err != nil {
			return err
		}
	}
	if s.End <= s.Start {
		return w.spans.Delete(key) // called off before it began
	}
	if err := w.countSpan(s, 1); err != nil {
		return err
	}
	data, err := stable.Marshal(s)
	if err != nil {
		return err
	}
	return w.spans.Put(key, data)
}

// countSpan counts a reservation for maintenance as time the cluster was
// planned to be down.
func (w *writer) countSpan(s *rinkpb.ReservationSpan, n int64) error {
	if !hasFlag(s.Flags, "MAINT") {
		return nil
	}
	list, err := tresAmounts(s.Tres)
	if err != nil {
		return &recordError{what: "reservation " + s.Name, err: err}
	}
	from, to := int64(second(s.Start)), int64(second(s.End))
	if to-from > maxSpan {
		return nil // one without an end: its time is counted when it has one
	}
	return w.rolls.away(span{from, to}, plannedDownSeconds, list, n)
}

// maxSpan bounds what one reservation can make of roll-ups: a year.
const maxSpan = 366 * 24 * 3600

func hasFlag(list []string, flag string) bool {
	for _, f := range list {
		if f == flag {
			return true
		}
	}
	return false
}

// tresAmounts reads amounts as the roll-ups count them.
func tresAmounts(text string) ([]amount, error) {
	list, err := slurm.ParseTRES(text)
	if err != nil {
		return nil, err
	}
	out := make([]amount, 0, len(list))
	for _, item := range list {
		if item.Count > 0 {
			out = append(out, amount{item.Key(), item.Count})
		}
	}
	return out, nil
}

// Downs calls each for the spans in which nodes were down that reach into a
// window, in order of when they began; of a node that is down now the span has
// no end. Times are in seconds.
func (s *Store) Downs(from, to int64, each func(*rinkpb.NodeFact) error) error {
	if err := s.Flush(); err != nil {
		return err
	}
	return s.view(func(tx *txn) error {
		return downsIn(tx, from, to, each)
	})
}

// Spans are the reservations that reach into a window, in order of when they began:
// one is there once for each time in which it stayed the same. Times are in seconds.
func (s *Store) Spans(from, to int64) (list []*rinkpb.ReservationSpan, err error) {
	if err := s.Flush(); err != nil {
		return nil, err
	}
	err = s.view(func(tx *txn) error {
		list, err = spansIn(tx, from, to)
		return err
	})
	return list, err
}

func downsIn(tx *txn, from, to int64, each func(*rinkpb.NodeFact) error) error {
	c := tx.Bucket(bucketDowns).Cursor()
	for key, data := c.First(); key != nil; key, data = c.Next() {
		if len(key) < 4 {
			return errors.New("a node's span has a damaged key")
		}
		if int64(binary.BigEndian.Uint32(key)) >= to {
			break
		}
		f := &rinkpb.NodeFact{}
		if err := proto.Unmarshal(data, f); err != nil {
			return fmt.Errorf("a node's span is damaged: %w", err)
		}
		if int64(second(f.End)) > from {
			if err := each(f); err != nil {
				return err
			}
		}
	}
	c = tx.Bucket(bucketNodes).Cursor()
	for key, data := c.First(); key != nil; key, data = c.Next() {
		f := &rinkpb.NodeFact{}
		if err := proto.Unmarshal(data, f); err != nil {
			return fmt.Errorf("what node %s is cannot be read: %w", key, err)
		}
		if f.Down && int64(second(f.Start)) < to {
			if err := each(f); err != nil {
				return err
			}
		}
	}
	return nil
}

// capacityStep is what the cluster had from a second on.
type capacityStep struct {
	from  int64
	total slurm.TRES
}

// capacitiesIn are the steps that reach into a window.
func capacitiesIn(tx *txn, from, to int64) ([]capacityStep, error) {
	c := tx.Bucket(bucketCapacity).Cursor()
	seek := appendNum(nil, uint32(max(0, min(from, math.MaxUint32))))
	key, data := c.Seek(seek)
	if key == nil || !bytes.Equal(key, seek) {
		// What held at the beginning began before it.
		if key == nil {
			key, data = c.Last()
		} else if before, had := c.Prev(); before != nil {
			key, data = before, had
		} else {
			key, data = c.First()
		}
	}
	var list []capacityStep
	for ; key != nil; key, data = c.Next() {
		if len(key) != 4 {
			return nil, errors.New("what the cluster had has a damaged key")
		}
		at := int64(binary.BigEndian.Uint32(key))
		if at >= to {
			break
		}
		total, err := parseCapacity(data)
		if err != nil {
			return nil, fmt.Errorf("what the cluster had is damaged: %w", err)
		}
		list = append(list, capacityStep{at, total})
	}
	return list, nil
}

// spansIn are the reservations that reach into a window.
func spansIn(tx *txn, from, to int64) ([]*rinkpb.ReservationSpan, error) {
	var list []*rinkpb.ReservationSpan
	c := tx.Bucket(bucketSpans).Cursor()
	for key, data := c.First(); key != nil; key, data = c.Next() {
		s := &rinkpb.ReservationSpan{}
		if err := proto.Unmarshal(data, s); err != nil {
			return nil, fmt.Errorf("a reservation's span is damaged: %w", err)
		}
		if int64(second(s.Start)) >= to {
			break
		}
		if int64(second(s.End)) > from {
			list = append(list, s)
		}
	}
	return list, nil
}
