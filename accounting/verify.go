package accounting

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"
	"google.golang.org/protobuf/proto"

	"github.com/runink/rink/api/rinkpb"
)

// maxWrong bounds how many damaged records are named one by one.
const maxWrong = 10

// Verify reads everything in the history of a stopped controller in dir and says
// what it has; wrong is called for what is not as it was written. It changes
// nothing. A directory without a history is an os.ErrNotExist.
func Verify(dir string, keys Sealer, wrong func(error)) (found string, err error) {
	defer guard(&err)()
	path := filepath.Join(dir, fileName)
	if _, err := os.Stat(path); err != nil {
		return "", err
	}
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: lockPatience, ReadOnly: true})
	if errors.Is(err, bolt.ErrTimeout) {
		return "", ErrInUse
	} else if err != nil {
		return "", err
	}
	defer db.Close()
	err = db.View(func(tx *bolt.Tx) error {
		if info, err := os.Stat(path); err != nil {
			return err
		} else if info.Size() < tx.Size() {
			return fmt.Errorf("it is cut short: it has %d of %d bytes", info.Size(), tx.Size())
		}
		head, err := readHead(&txn{Tx: tx})
		if err != nil {
			return err
		}
		if head.Key != "" && keys == nil {
			return fmt.Errorf("%w: key %s", ErrSealed, head.Key)
		}
		v := verifier{tx: &txn{tx, keys}, head: head, wrong: wrong}
		if head.Key == "" {
			v.tx.keys = nil
		}
		found, err = v.all()
		return err
	})
	return found, err
}

// Verify is as the function of that name, of the history as it is now.
func (s *Store) Verify(wrong func(error)) (found string, err error) {
	err = s.view(func(tx *txn) error {
		head, err := readHead(tx)
		if err != nil {
			return err
		}
		v := verifier{tx: tx, head: head, wrong: wrong}
		found, err = v.all()
		return err
	})
	return found, err
}

type verifier struct {
	tx    *txn
	head  *rinkpb.KeptHead
	wrong func(error)
	bad   int
}

func (v *verifier) say(err error) {
	if v.bad++; v.bad <= maxWrong {
		v.wrong(err)
	}
}

// each calls f for everything in a bucket; what f says is wrong is told, and what
// cannot be opened, and the next one follows.
func (v *verifier) each(name []byte, f func(key, data []byte) error) (n int, err error) {
	b := v.tx.Bucket(name)
	if b == nil {
		return 0, fmt.Errorf("its %s are missing", name)
	}
	err = b.Bucket.ForEach(func(key, data []byte) error {
		n++
		if err := func() (err error) {
			defer guard(&err)()
			return f(key, b.open(key, data))
		}(); err != nil {
			v.say(fmt.Errorf("%s %x: %w", name, key, err))
		}
		return nil
	})
	return n, err
}

// all reads every bucket. That each job is where the indexes say is part of it.
func (v *verifier) all() (string, error) {
	words := newWordReader(v.tx)
	ends, users := v.tx.Bucket(bucketEnds), v.tx.Bucket(bucketUsers)
	jobs, err := v.each(bucketJobs, func(key, data []byte) error {
		k, err := parseJobKey(key)
		if err != nil {
			return err
		}
		r, _, err := decodeJob(words, k, data)
		if err != nil {
			return err
		}
		p := placeOf(r.Job)
		if ends.Get(p.endKey(k)) == nil || users.Get(p.userKey(k)) == nil {
			return fmt.Errorf("job %d is not in the indexes by time", k.job)
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	steps, err := v.each(bucketSteps, func(key, data []byte) error {
		k, id, err := parseStepKey(key)
		if err == nil {
			_, err = decodeStep(words, k, id, data)
		}
		return err
	})
	if err != nil {
		return "", err
	}
	message := func(m proto.Message) func(key, data []byte) error {
		return func(_, data []byte) error { return proto.Unmarshal(data, m) }
	}
	rolls := 0
	for _, b := range []struct {
		name  []byte
		check func(key, data []byte) error
		n     *int
	}{
		{bucketRolls, func(key, data []byte) error {
			if _, err := parseRollKey(key); err != nil {
				return err
			}
			return proto.Unmarshal(data, &rinkpb.KeptRoll{})
		}, &rolls},
		{bucketEnds, spanCheck(0), nil}, {bucketUsers, spanCheck(4), nil},
		{bucketNodes, message(&rinkpb.NodeFact{}), nil}, {bucketDowns, message(&rinkpb.NodeFact{}), nil},
		{bucketCapacity, message(&rinkpb.KeptCapacity{}), nil}, {bucketSpans, message(&rinkpb.ReservationSpan{}), nil},
		{bucketWords, func(_, _ []byte) error { return nil }, nil},
		{bucketSums, func(_, data []byte) error {
			if len(data) != 4 || words.words.Get(data) == nil {
				return errors.New("it leads to no word")
			}
			return nil
		}, nil},
	} {
		if v.head.Format < formatNow && v.tx.Bucket(b.name) == nil {
			continue
		}
		n, err := v.each(b.name, b.check)
		if err != nil {
			return "", err
		}
		if b.n != nil {
			*b.n = n
		}
	}
	found := fmt.Sprintf("%d jobs, %d steps, %d roll-ups, as of log entry %d", jobs, steps, rolls, v.head.Applied)
	for _, g := range v.head.Gaps {
		found += fmt.Sprintf(", without entries %d to %d, which are yet to be fetched", g.From, g.To)
	}
	if v.head.Key != "" {
		found += ", sealed with key " + v.head.Key
	}
	if v.bad > 0 {
		return found, fmt.Errorf("%d of its records are damaged", v.bad)
	}
	return found, nil
}

// spanCheck checks the entries of an index by time whose keys have so many bytes
// before the class.
func spanCheck(before int) func(key, data []byte) error {
	return func(key, data []byte) error {
		if len(key) < before+5+8 {
			return errors.New("its key is too short")
		}
		if _, err := parseJobKey(key[before+5:]); err != nil {
			return err
		}
		_, err := fromOf(1<<32-1, data)
		return err
	}
}
