package accounting

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/runink/rink/api/rinkpb"
)

// Last returns the jobs that ended last, n at most, in the order in which they
// ended. All that was put before is seen.
func (s *Store) Last(n int) ([]*rinkpb.Job, error) {
	if err := s.Flush(); err != nil {
		return nil, err
	}
	type ended struct {
		at  uint32
		key []byte
	}
	var list []ended
	err := s.view(func(tx *txn) error {
		// Each class is in the order of ends; the last n of all are among the last n
		// of each.
		c := tx.Bucket(bucketEnds).Cursor()
		for class := len(classes) - 1; class >= 0; class-- {
			key, _ := c.Seek([]byte{byte(class + 1)})
			if key == nil {
				key, _ = c.Last()
			} else {
				key, _ = c.Prev()
			}
			for left := n; left > 0 && key != nil && key[0] == byte(class); left-- {
				if len(key) < 5 {
					return fmt.Errorf("the key of an end has %d bytes", len(key))
				}
				list = append(list, ended{binary.BigEndian.Uint32(key[1:5]), bytes.Clone(key[5:])})
				key, _ = c.Prev()
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(list, func(a, b ended) int {
		if a.at != b.at {
			return int(int64(a.at) - int64(b.at))
		}
		return bytes.Compare(a.key, b.key)
	})
	list = list[max(0, len(list)-n):]
	out := make([]*rinkpb.Job, 0, len(list))
	for some := range slices.Chunk(list, recordsAtOnce) {
		err := s.view(func(tx *txn) error {
			words, jobs := newWordReader(tx), tx.Bucket(bucketJobs)
			for _, e := range some {
				k, err := parseJobKey(e.key)
				if err != nil {
					return err
				}
				data := jobs.Get(e.key)
				if data == nil {
					continue
				}
				r, _, err := decodeJob(words, k, data)
				if err != nil {
					return fmt.Errorf("the record of job %d is damaged: %w", k.job, err)
				}
				if !isPart(r) {
					out = append(out, r.Job)
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}
