package accounting

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"sync"

	bolt "go.etcd.io/bbolt"
	"google.golang.org/protobuf/proto"

	"github.com/runink/rink/api/rinkpb"
)

// Frozen is the history as it was at one moment, while writing goes on. As long as
// it is not closed the file cannot use its old pages again and grows.
type Frozen struct {
	Applied uint64 // the entry it is as of
	s       *Store
	tx      *bolt.Tx
	once    sync.Once
}

// Freeze returns the history as it is with all that was put. Close it before the
// Store is closed, which waits for it.
func (s *Store) Freeze() (f *Frozen, err error) {
	if err := s.Flush(); err != nil {
		return nil, err
	}
	defer guard(&err)()
	tx, err := s.file.Load().begin(false)
	if err != nil {
		return nil, fmt.Errorf("cannot read the history in %s: %w", s.path, err)
	}
	f = &Frozen{s: s, tx: tx}
	head, err := readHead(f.txn())
	if err != nil {
		f.Close()
		return nil, err
	}
	if len(head.Gaps) > 0 {
		f.Close()
		return nil, fmt.Errorf("%w: entries %d to %d are yet to be fetched from another controller", ErrGap, head.Gaps[0].From, head.Gaps[0].To)
	}
	f.Applied = head.Applied
	return f, nil
}

func (f *Frozen) txn() *txn { return &txn{f.tx, f.s.keys} }

// Close lets go of it.
func (f *Frozen) Close() { f.once.Do(func() { f.tx.Rollback() }) }

// WriteTo writes the file as it was. What is sealed in it stays so.
func (f *Frozen) WriteTo(w io.Writer) (n int64, err error) {
	defer guard(&err)()
	return f.tx.WriteTo(w)
}

// Size is how many bytes WriteTo writes.
func (f *Frozen) Size() int64 { return f.tx.Size() }

// Sums are checksums of what a history says, by the entries its records are of:
// two that have taken in the same log have the same, however it came to them, in
// whatever order, and whatever they are sealed with.
type Sums struct {
	Applied uint64
	Width   uint64 // entries in a range
	Ranges  []Range
	Rolls   uint64 // of the roll-ups, and of what the cluster had
}

// Range is about the records of entries from First on.
type Range struct{ First, Records, Sum uint64 }

// maxRanges is into how many ranges sums are parted at most.
const maxRanges = 64

// Sums reads all of it.
func (f *Frozen) Sums() (sums Sums, err error) {
	defer guard(&err)()
	sums = Sums{Applied: f.Applied, Width: 1024}
	for f.Applied/sums.Width >= maxRanges {
		sums.Width *= 2
	}
	tx := f.txn()
	ranges := map[uint64]*Range{}
	err = recordsIn(tx, func(r *rinkpb.Record) error {
		if r.Index == 0 { // what the cluster had is of no entry
			return addSum(&sums.Rolls, "record", r)
		}
		first := r.Index / sums.Width * sums.Width
		if ranges[first] == nil {
			ranges[first] = &Range{First: first}
		}
		ranges[first].Records++
		return addSum(&ranges[first].Sum, "record", r)
	})
	if err != nil {
		return sums, err
	}
	for _, r := range ranges {
		sums.Ranges = append(sums.Ranges, *r)
	}
	slices.SortFunc(sums.Ranges, func(a, b Range) int {
		if a.First < b.First {
			return -1
		}
		return 1
	})
	return sums, rollSums(tx, &sums.Rolls)
}

func addSum(sum *uint64, what string, m proto.Message) error {
	data, err := stable.Marshal(m)
	if err != nil {
		return err
	}
	hash := sha256.Sum256(append([]byte(what), data...))
	*sum += binary.BigEndian.Uint64(hash[:]) // in any order
	return nil
}

// recordsIn gives everything that is kept: final records, steps, facts.
func recordsIn(tx *txn, give func(*rinkpb.Record) error) error {
	words := newWordReader(tx)
	err := tx.Bucket(bucketJobs).ForEach(func(key, data []byte) error {
		k, err := parseJobKey(key)
		if err != nil {
			return err
		}
		r, _, err := decodeJob(words, k, data)
		if err != nil {
			return fmt.Errorf("the record of job %d is damaged: %w", k.job, err)
		}
		return give(r)
	})
	if err != nil {
		return err
	}
	err = tx.Bucket(bucketSteps).ForEach(func(key, data []byte) error {
		k, id, err := parseStepKey(key)
		if err != nil {
			return err
		}
		kept, err := decodeStep(words, k, id, data)
		if err != nil {
			return fmt.Errorf("the record of step %d.%d is damaged: %w", k.job, id, err)
		}
		return give(stepRecord(k, kept))
	})
	if err != nil {
		return err
	}
	facts, err := factsIn(tx)
	if err != nil {
		return err
	}
	for _, r := range facts {
		if err := give(r); err != nil {
			return err
		}
	}
	return nil
}

// rollSums adds up the roll-ups. Words have other numbers elsewhere, so that what
// they stand for is summed.
func rollSums(tx *txn, sum *uint64) error {
	q := &usageQuery{tx: tx, words: newWordReader(tx), names: map[uint32]string{}, keys: map[uint32]string{}}
	return tx.Bucket(bucketRolls).ForEach(func(key, data []byte) error {
		k, err := parseRollKey(key)
		if err != nil {
			return err
		}
		roll := &rinkpb.KeptRoll{}
		if err := proto.Unmarshal(data, roll); err != nil {
			return fmt.Errorf("a roll-up is damaged: %w", err)
		}
		party := ""
		if k.party != wholeCluster {
			if _, err := q.party(map[string]*rinkpb.PartyUsage{}, k.party); err != nil {
				return err
			}
			party = q.keys[k.party]
		}
		for i, num := range roll.Tres {
			name, err := q.tres(num)
			if err != nil {
				return err
			}
			for what, list := range map[string][]int64{"held": roll.Held, "down": roll.Down, "planned": roll.PlannedDown} {
				if i < len(list) && list[i] != 0 {
					label := fmt.Sprintf("%c %d %q %s %s", k.level, k.from, party, what, name)
					if err := addSum(sum, label, &rinkpb.TRESSeconds{Tres: name, Seconds: list[i]}); err != nil {
						return err
					}
				}
			}
		}
		rest := &rinkpb.KeptRoll{Jobs: roll.Jobs, Carried: roll.Carried, Planned: roll.Planned}
		if roll.Ended != nil && proto.Size(roll.Ended) > 0 {
			rest.Ended = roll.Ended
		}
		return addSum(sum, fmt.Sprintf("%c %d %q", k.level, k.from, party), rest)
	})
}
