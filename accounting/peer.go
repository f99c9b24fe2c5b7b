package accounting

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"iter"
	"log/slog"
	"math"
	"os"
	"path/filepath"

	"google.golang.org/protobuf/proto"

	"github.com/runink/rink/api/rinkpb"
)

// factsSince yields what is known of nodes and reservations from entries after
// index, and all that the cluster had since when: it is little.
func (s *Store) factsSince(index uint64, yield func(*rinkpb.Record, error) bool) {
	var found []*rinkpb.Record
	err := s.view(func(tx *txn) error {
		steps, err := capacitiesIn(tx, 0, math.MaxUint32)
		if err != nil {
			return err
		}
		for _, c := range steps {
			found = append(found, &rinkpb.Record{Node: &rinkpb.NodeFact{Start: c.from * 1e9, Tres: c.total.Raw()}})
		}
		add := func(f *rinkpb.NodeFact) {
			if f.Index > index {
				found = append(found, &rinkpb.Record{Node: f, Index: f.Index})
			}
		}
		for _, name := range [][]byte{bucketDowns, bucketNodes} {
			err := tx.Bucket(name).ForEach(func(key, data []byte) error {
				f := &rinkpb.NodeFact{}
				if err := proto.Unmarshal(data, f); err != nil {
					return fmt.Errorf("what is known of a node is damaged: %w", err)
				}
				add(f)
				return nil
			})
			if err != nil {
				return err
			}
		}
		spans, err := spansIn(tx, 0, math.MaxUint32)
		for _, r := range spans {
			if r.Index > index {
				found = append(found, &rinkpb.Record{Reservation: r, Index: r.Index})
			}
		}
		return err
	})
	if err != nil {
		yield(nil, err)
		return
	}
	for _, r := range found {
		if !yield(r, nil) {
			return
		}
	}
}

// Checksum sums up all that the history says: two that have taken in the same
// log up to the same entry have the same, however it came to them. It reads the
// whole file.
func (s *Store) Checksum() (uint64, error) {
	var sum uint64
	add := func(what string, m proto.Message) error {
		data, err := stable.Marshal(m)
		if err != nil {
			return err
		}
		hash := sha256.Sum256(append([]byte(what), data...))
		sum += binary.BigEndian.Uint64(hash[:]) // in any order
		return nil
	}
	for r, err := range s.Since(0) {
		if err == nil {
			err = add("record", r)
		}
		if err != nil {
			return 0, err
		}
	}
	err := s.view(func(tx *txn) error {
		q := &usageQuery{tx: tx, words: wordReader{tx.Bucket(bucketWords)}, names: map[uint32]string{}, keys: map[uint32]string{}}
		return tx.Bucket(bucketRolls).ForEach(func(key, data []byte) error {
			k, err := parseRollKey(key)
			if err != nil {
				return err
			}
			roll := &rinkpb.KeptRoll{}
			if err := proto.Unmarshal(data, roll); err != nil {
				return fmt.Errorf("a roll-up is damaged: %w", err)
			}
			// Words have other numbers elsewhere.
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
						if err := add(label, &rinkpb.TRESSeconds{Tres: name, Seconds: list[i]}); err != nil {
							return err
						}
					}
				}
			}
			rest := &rinkpb.KeptRoll{Jobs: roll.Jobs, Carried: roll.Carried, Planned: roll.Planned}
			if roll.Ended != nil && proto.Size(roll.Ended) > 0 {
				rest.Ended = roll.Ended
			}
			return add(fmt.Sprintf("%c %d %q", k.level, k.from, party), rest)
		})
	})
	return sum, err
}

// Rebuild makes a new history in dir of what a peer's has, its Since(0), and
// opens it. A file that is there already, damaged as it may be, is kept beside
// it under another name, which is logged.
func Rebuild(dir string, log *slog.Logger, peer iter.Seq2[*rinkpb.Record, error], applied uint64) (*Store, error) {
	if log == nil {
		log = slog.Default()
	}
	path := filepath.Join(dir, fileName)
	if _, err := os.Stat(path); err == nil {
		aside := ""
		for i := 1; ; i++ {
			aside = fmt.Sprintf("%s.damaged-%d", path, i)
			if _, err := os.Lstat(aside); os.IsNotExist(err) {
				break
			}
		}
		if err := os.Rename(path, aside); err != nil {
			return nil, fmt.Errorf("cannot put the damaged history aside: %w", err)
		}
		log.Warn("history: the damaged file is put aside, the history is fetched from a peer", "file", path, "aside", aside)
	} else {
		log.Warn("history: it is missing and is fetched from a peer", "file", path)
	}
	s, err := Open(dir, log)
	if err != nil {
		return nil, err
	}
	if err := s.Import(peer, applied); err != nil {
		s.Close()
		return nil, err
	}
	log.Info("history: fetched from a peer", "file", path, "applied", applied)
	return s, nil
}
