package accounting

import (
	"bytes"
	"fmt"
	"time"

	"github.com/runink/rink/api/rinkpb"
)

// zoneName names the zone of a file's days and months.
func zoneName(zone *time.Location) string { return zone.String() }

// bringUpToDate makes what a file lacks: one of format 1 has no roll-ups, and
// one that was written in another time zone has other days and months. Both are
// counted anew from the records, some thousands in a transaction; a restart goes
// on where it was.
func (s *Store) bringUpToDate() error {
	current := false
	err := s.look(func(tx *txn) error {
		head, err := readHead(tx)
		current = err == nil && head.Format == formatNow && head.Zone == zoneName(s.zone) && len(head.Rolled) == 0
		return err
	})
	if err != nil || current {
		return err
	}
	var after []byte
	err = s.update(func(tx *txn) error {
		head, err := readHead(tx)
		if err != nil {
			return err
		}
		if after = head.Rolled; head.Zone != zoneName(s.zone) || len(after) == 0 {
			s.log.Info("history: counting the roll-ups anew", "file", s.path, "format", head.Format, "zone", zoneName(s.zone))
			if tx.Bucket(bucketRolls) != nil {
				if err := tx.DeleteBucket(bucketRolls); err != nil {
					return err
				}
			}
			for _, name := range laterBuckets {
				if _, err := tx.CreateBucketIfNotExists(name); err != nil {
					return err
				}
			}
			if err := s.rollFacts(tx); err != nil {
				return err
			}
			after = []byte{0}
		}
		head.Format, head.Zone, head.Rolled = formatNow, zoneName(s.zone), after
		return writeHead(tx, head)
	})
	for err == nil && after != nil {
		err = s.update(func(tx *txn) error {
			head, err := readHead(tx)
			if err != nil {
				return err
			}
			if after, err = s.rollSome(tx, after); err != nil {
				return err
			}
			head.Rolled = after
			return writeHead(tx, head)
		})
	}
	if err != nil {
		clear(s.known)
		return fmt.Errorf("cannot count its roll-ups: %w", err)
	}
	return nil
}

// rollFacts counts in when nodes were down and reservations.
func (s *Store) rollFacts(tx *txn) error {
	w := newWriter(tx, s)
	const forever = 1 << 32
	err := downsIn(tx, 0, forever, func(f *rinkpb.NodeFact) error {
		if f.End == 0 {
			return nil
		}
		list, err := tresAmounts(f.Tres)
		if err != nil {
			return err
		}
		return w.rolls.away(span{int64(second(f.Start)), int64(second(f.End))}, downSeconds, list, 1)
	})
	if err != nil {
		return err
	}
	spans, err := spansIn(tx, 0, forever)
	if err != nil {
		return err
	}
	for _, r := range spans {
		if err := w.countSpan(r, 1); err != nil {
			return err
		}
	}
	return w.rolls.flush()
}

// rollSome counts in the records behind a key, and returns the key it came to;
// nil when that was the last.
func (s *Store) rollSome(tx *txn, after []byte) ([]byte, error) {
	w := newWriter(tx, s)
	c := w.jobs.Cursor()
	key, data := c.Seek(after)
	if bytes.Equal(key, after) {
		key, data = c.Next()
	}
	n := 0
	for ; key != nil && n < maxBatch; key, data = c.Next() {
		k, err := parseJobKey(key)
		if err != nil {
			return nil, err
		}
		r, used, err := decodeJob(w.reader, k, data)
		if err != nil {
			return nil, badJob(k, "cannot read its record", err)
		}
		if used == nil {
			if used, err = w.stepsUsed(k); err != nil {
				return nil, err
			}
		}
		if err := w.rolls.job(r, used, 1); err != nil {
			return nil, err
		}
		after = bytes.Clone(key)
		n++
	}
	if err := w.rolls.flush(); err != nil {
		return nil, err
	}
	if key == nil {
		return nil, nil
	}
	return after, nil
}
