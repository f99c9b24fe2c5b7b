package accounting

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"slices"

	bolt "go.etcd.io/bbolt"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/sched"
)

// Readers work in short transactions of so many records or index entries each:
// one that stays open keeps the file from being grown and its old pages from
// being used again.
const (
	recordsAtOnce = 500
	entriesAtOnce = 20_000
)

// Query returns the records that match, by job id and for one id by submission,
// earliest first. All that was put before is seen.
//
// live gives the records of the jobs the cluster has in memory, those that
// ended lately included, and may be nil; it is read through once, before the
// history is. Where the history has the final record of an incarnation, that is
// returned and not the live one. Live records get the steps that have ended
// from the history. Records returned are the caller's, except that live ones
// share what they have with those given.
//
// An error ends the sequence.
func (s *Store) Query(f Filter, live iter.Seq[*rinkpb.Record]) iter.Seq2[*rinkpb.Record, error] {
	return func(yield func(*rinkpb.Record, error) bool) {
		var current []*rinkpb.Record
		if live != nil {
			for r := range live {
				if f.Match(r) {
					current = append(current, r)
				}
			}
			slices.SortStableFunc(current, func(a, b *rinkpb.Record) int { return keyOf(a.Job).compare(keyOf(b.Job)) })
		}
		if err := s.Flush(); err != nil {
			yield(nil, err)
			return
		}
		d := &latest{all: f.Duplicates, yield: yield}
		for r, err := range s.kept(&f) {
			if err != nil {
				yield(nil, err)
				return
			}
			var ok bool
			if current, ok = s.giveLive(&f, current, r, d); !ok {
				return
			}
			if !d.give(r) {
				return
			}
		}
		if _, ok := s.giveLive(&f, current, nil, d); ok {
			d.flush()
		}
	}
}

// Unfinished returns those of the jobs of which the history has no final record. A
// query needs no others as live ones.
func (s *Store) Unfinished(jobs iter.Seq[*sched.Job]) ([]*sched.Job, error) {
	var list []*sched.Job
	err := s.view(func(tx *txn) error {
		list = nil
		final := tx.Bucket(bucketJobs)
		for j := range jobs {
			k := jobKey{job: uint32(j.ID), submitted: second(j.RecordedFrom().UnixNano()), restarts: j.Restarts}
			if !j.State.Ended() || final.Bucket.Get(k.bytes()) == nil {
				list = append(list, j)
			}
		}
		return nil
	})
	return list, err
}

// giveLive gives the live records that come before the kept record next, nil
// being the end, and drops those the history has the final record of. It
// returns what is left, and false when there is no more to be done.
func (s *Store) giveLive(f *Filter, live []*rinkpb.Record, next *rinkpb.Record, d *latest) ([]*rinkpb.Record, bool) {
	for len(live) > 0 {
		k := keyOf(live[0].Job)
		if next != nil {
			if c := k.compare(keyOf(next.Job)); c > 0 {
				return live, true
			} else if c == 0 {
				live = live[1:]
				continue
			}
		}
		full, err := s.complete(f, k, live[0])
		if err != nil {
			d.yield(nil, err)
			return nil, false
		}
		if full != nil && !d.give(full) {
			return nil, false
		}
		live = live[1:]
	}
	return nil, true
}

// complete returns a live record with its ended steps, or nil when the history
// has its final one.
func (s *Store) complete(f *Filter, k jobKey, r *rinkpb.Record) (*rinkpb.Record, error) {
	full := &rinkpb.Record{
		Job: r.Job, Steps: slices.Clone(r.Steps), Index: r.Index, Live: true, Batch: r.Batch, Requeued: r.Requeued, Cluster: r.Cluster,
	}
	final := false
	err := s.view(func(tx *txn) error {
		if tx.Bucket(bucketJobs).Get(k.bytes()) != nil {
			final = true
			return nil
		}
		if !f.Steps {
			full.Steps = nil
			return nil
		}
		return addSteps(tx, newWordReader(tx), k, full)
	})
	if err != nil || final {
		return nil, err
	}
	return full, nil
}

// latest passes records on; of those with one job id in a row only the last, and
// those of parts of a run, unless all are wanted.
type latest struct {
	all   bool
	yield func(*rinkpb.Record, error) bool
	held  *rinkpb.Record
}

func (l *latest) give(r *rinkpb.Record) bool {
	if l.all {
		return l.yield(r, nil)
	}
	before := l.held
	l.held = r
	return before == nil || before.Job.Id == r.Job.Id && !isPart(before) || l.yield(before, nil)
}

func (l *latest) flush() {
	if l.held != nil {
		l.yield(l.held, nil)
	}
}

// kept returns the records of the file that match, in the order of their keys.
func (s *Store) kept(f *Filter) iter.Seq2[*rinkpb.Record, error] {
	return func(yield func(*rinkpb.Record, error) bool) {
		keys, scan, err := s.candidates(f)
		if err != nil {
			yield(nil, err)
			return
		}
		next := &reader{f: f, keys: keys, scan: scan}
		for !next.done {
			if err := s.view(next.read); err != nil {
				yield(nil, err)
				return
			}
			for _, r := range next.found {
				if !yield(r, nil) {
					return
				}
			}
		}
	}
}

// reader reads matching records, some at a time: those of the keys, or all of
// the file.
type reader struct {
	f     *Filter
	scan  bool
	keys  []jobKey
	after []byte // where a scan goes on
	done  bool
	found []*rinkpb.Record
}

func (n *reader) read(tx *txn) error {
	n.found = n.found[:0]
	words := newWordReader(tx)
	jobs := tx.Bucket(bucketJobs)
	look := func(k jobKey, data []byte) error {
		r, _, err := decodeJob(words, k, data)
		if err != nil {
			return fmt.Errorf("the record of job %d is damaged: %w", k.job, err)
		}
		if !n.f.Match(r) {
			return nil
		}
		if n.f.Steps {
			if err := addSteps(tx, words, k, r); err != nil {
				return err
			}
		}
		n.found = append(n.found, r)
		return nil
	}
	if !n.scan {
		some := n.keys[:min(len(n.keys), recordsAtOnce)]
		for _, k := range some {
			data := jobs.Get(k.bytes())
			if data == nil {
				continue // the index was ahead of the record, or behind it
			}
			if err := look(k, data); err != nil {
				return err
			}
		}
		n.keys = n.keys[len(some):]
		n.done = len(n.keys) == 0
		return nil
	}
	c := jobs.Cursor()
	key, data := c.Seek(n.after)
	for range recordsAtOnce {
		if key == nil {
			n.done = true
			return nil
		}
		k, err := parseJobKey(key)
		if err != nil {
			return err
		}
		if err := look(k, data); err != nil {
			return err
		}
		key, data = c.Next()
	}
	if n.done = key == nil; !n.done {
		n.after = bytes.Clone(key)
	}
	return nil
}

// addSteps adds the steps of k that the file has to r; where r has one of the
// same id already, the kept one is the later.
func addSteps(tx *txn, words wordReader, k jobKey, r *rinkpb.Record) error {
	prefix := k.stepKey(0)[:stepPrefix]
	before := len(r.Steps)
	c := tx.Bucket(bucketSteps).Cursor()
	for key, data := c.Seek(prefix); bytes.HasPrefix(key, prefix); key, data = c.Next() {
		_, id, err := parseStepKey(key)
		if err != nil {
			return err
		}
		kept, err := decodeStep(words, k, id, data)
		if err != nil {
			return fmt.Errorf("the record of step %d.%d is damaged: %w", k.job, id, err)
		}
		if kept.Batch {
			if r.Batch == nil {
				r.Batch = kept.Step.Usage
			}
			continue
		}
		r.Steps = append(r.Steps, kept.Step)
	}
	if before > 0 {
		// Stable, and kept ones come last: of two with one id the last stays.
		slices.SortStableFunc(r.Steps, func(a, b *rinkpb.Step) int { return int(int64(a.Id) - int64(b.Id)) })
		all := r.Steps
		r.Steps = nil
		for i, step := range all {
			if i+1 == len(all) || all[i+1].Id != step.Id {
				r.Steps = append(r.Steps, step)
			}
		}
	}
	return nil
}

// candidates picks the index that narrows the search most and returns the keys
// it leads to, in order, or that all records must be looked at.
func (s *Store) candidates(f *Filter) (keys []jobKey, scan bool, err error) {
	from, to := f.window()
	switch {
	case len(f.Refs) > 0:
		keys, err = s.byRefs(f)
	case len(f.UIDs) > 0 && len(f.UIDs) <= 64:
		for _, uid := range f.UIDs {
			prefix := appendNum(nil, uid)
			if err = s.byTime(bucketUsers, prefix, from, to, &keys); err != nil {
				break
			}
		}
	case from > 0:
		err = s.byTime(bucketEnds, nil, from, to, &keys)
	default:
		return nil, true, nil
	}
	if err != nil {
		return nil, false, err
	}
	slices.SortFunc(keys, jobKey.compare)
	return slices.Compact(keys), false, nil
}

// byRefs finds the incarnations of the jobs named, of the tasks of arrays and
// the components of het jobs among them.
func (s *Store) byRefs(f *Filter) (keys []jobKey, err error) {
	ids := map[uint32]bool{}
	for _, ref := range f.Refs {
		ids[ref.Job] = true
	}
	err = s.view(func(tx *txn) error {
		groups := tx.Bucket(bucketGroups).Cursor()
		for _, ref := range f.Refs {
			prefix := appendNum(nil, ref.Job)
			for key, _ := groups.Seek(prefix); bytes.HasPrefix(key, prefix); key, _ = groups.Next() {
				if len(key) != 8 {
					return fmt.Errorf("a group's key has %d bytes", len(key))
				}
				ids[binary.BigEndian.Uint32(key[4:])] = true
			}
		}
		jobs := tx.Bucket(bucketJobs).Cursor()
		for id := range ids {
			prefix := appendNum(nil, id)
			for key, _ := jobs.Seek(prefix); bytes.HasPrefix(key, prefix); key, _ = jobs.Next() {
				k, err := parseJobKey(key)
				if err != nil {
					return err
				}
				keys = append(keys, k)
			}
		}
		return nil
	})
	return keys, err
}

// byTime adds to keys the jobs of an index by time that had not ended before
// from and counted before to; 0 is open. What the index cannot tell is left to
// Match.
func (s *Store) byTime(bucket, prefix []byte, from, to int64, keys *[]jobKey) error {
	for class, most := range classes {
		last := int64(1<<32 - 1) // a job of the class that counted before to has ended by then
		if to != 0 {
			last = min(last, to+int64(most))
		}
		if err := s.byClass(bucket, append(bytes.Clone(prefix), byte(class)), from, to, last, keys); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) byClass(bucket, prefix []byte, from, to, last int64, keys *[]jobKey) error {
	at := appendNum(bytes.Clone(prefix), uint32(max(0, min(from, 1<<32-1))))
	for at != nil {
		err := s.view(func(tx *txn) error {
			c := tx.Bucket(bucket).Cursor()
			key, value := c.Seek(at)
			at = nil
			for range entriesAtOnce {
				if !bytes.HasPrefix(key, prefix) {
					return nil
				}
				rest := key[len(prefix):]
				if len(rest) < 4 {
					return errors.New("an index has a damaged key")
				}
				end := binary.BigEndian.Uint32(rest)
				if int64(end) > last {
					return nil
				}
				k, err := parseJobKey(rest[4:])
				if err != nil {
					return err
				}
				began, err := fromOf(end, value)
				if err != nil {
					return err
				}
				if to == 0 || int64(began) <= to {
					*keys = append(*keys, k)
				}
				key, value = c.Next()
			}
			if bytes.HasPrefix(key, prefix) {
				at = bytes.Clone(key)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// view reads the file in one transaction.
func (s *Store) view(read func(tx *txn) error) error {
	err := s.look(read)
	if errors.Is(err, bolt.ErrDatabaseNotOpen) {
		return ErrClosed
	}
	if err != nil {
		return fmt.Errorf("cannot read the history in %s: %w", s.path, err)
	}
	return nil
}

// that is live. It reports whether more is wanted.
func (s *Store) stepsSince(index uint64, yield func(*rinkpb.Record, error) bool) bool {
	var after []byte
	for done := false; !done; {
		var found []*rinkpb.Record
		err := s.view(func(tx *txn) error {
			words := newWordReader(tx)
			c := tx.Bucket(bucketSteps).Cursor()
			key, data := c.Seek(after)
			for range recordsAtOnce {
				if key == nil {
					break
				}
				k, id, err := parseStepKey(key)
				if err != nil {
					return err
				}
				kept, err := decodeStep(words, k, id, data)
				if err != nil {
					return fmt.Errorf("the record of step %d.%d is damaged: %w", k.job, id, err)
				}
				if kept.Index > index {
					found = append(found, stepRecord(k, kept))
				}
				key, data = c.Next()
			}
			if done = key == nil; !done {
				after = bytes.Clone(key)
			}
			return nil
		})
		if err != nil {
			yield(nil, err)
			return false
		}
		for _, r := range found {
			if !yield(r, nil) {
				return false
			}
		}
	}
	return true
}

func stepRecord(k jobKey, kept *rinkpb.KeptStep) *rinkpb.Record {
	r := &rinkpb.Record{
		Job:   &rinkpb.Job{Id: k.job, Submit: int64(k.submitted) * 1e9, Restarts: k.restarts},
		Index: kept.Index, Live: true,
	}
	if kept.Batch {
		r.Batch = kept.Step.Usage
	} else {
		r.Steps = []*rinkpb.Step{kept.Step}
	}
	return r
}
