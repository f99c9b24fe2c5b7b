package accounting

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	bolt "go.etcd.io/bbolt"

	"github.com/runink/rink/api/rinkpb"
)

// Sealer keeps bytes from those who have not got its key. What is sealed says
// with which key; ad is not kept and must be the same for Open. Digest is a
// checksum that says nothing without the key.
type Sealer interface {
	ID() string // of the key that Seal uses
	Seal(plain, ad []byte) []byte
	Open(sealed, ad []byte) ([]byte, error)
	Digest(data []byte) []byte
}

// ErrSealed: the history is sealed with a key that is not there.
var ErrSealed = errors.New("sealed with a key that is not there")

// With a key the values of these buckets are sealed, each bound to its key and
// its bucket, and the sums of words are made with the key. What is left in the
// clear are keys: ids, uids, seconds and nodes' names.
var sealedBuckets = [][]byte{bucketJobs, bucketSteps, bucketWords, bucketRolls, bucketNodes, bucketDowns, bucketCapacity, bucketSpans}

// txn is a transaction in which values are sealed and opened on their way.
type txn struct {
	*bolt.Tx
	keys Sealer // nil: nothing is sealed
}

// bucket is a bucket of a txn. A value that cannot be opened makes it panic, as
// bbolt does on a damaged page; whoever runs transactions makes that an error.
type bucket struct {
	*bolt.Bucket
	name []byte
	keys Sealer
}

// Bucket returns a bucket, nil when there is none.
func (t *txn) Bucket(name []byte) *bucket {
	b := t.Tx.Bucket(name)
	if b == nil {
		return nil
	}
	own := &bucket{Bucket: b, name: name}
	if t.keys != nil && slices.ContainsFunc(sealedBuckets, func(s []byte) bool { return string(s) == string(name) }) {
		own.keys = t.keys
	}
	return own
}

func (b *bucket) ad(key []byte) []byte { return slices.Concat(b.name, []byte{0}, key) }

// open opens the value of a key.
func (b *bucket) open(key, value []byte) []byte {
	if b.keys == nil || value == nil {
		return value
	}
	plain, err := b.keys.Open(value, b.ad(key))
	if err != nil {
		panic(fmt.Errorf("%s %x: %w", b.name, key, err))
	}
	if plain == nil {
		plain = []byte{}
	}
	return plain
}

func (b *bucket) Get(key []byte) []byte { return b.open(key, b.Bucket.Get(key)) }

func (b *bucket) Put(key, value []byte) error {
	if b.keys != nil {
		value = b.keys.Seal(value, b.ad(key))
	}
	return b.Bucket.Put(key, value)
}

func (b *bucket) ForEach(f func(key, value []byte) error) error {
	return b.Bucket.ForEach(func(key, value []byte) error { return f(key, b.open(key, value)) })
}

func (b *bucket) Cursor() *cursor { return &cursor{b.Bucket.Cursor(), b} }

// cursor is a cursor of a bucket.
type cursor struct {
	*bolt.Cursor
	of *bucket
}

func (c *cursor) opened(key, value []byte) ([]byte, []byte) {
	if key == nil {
		return nil, nil
	}
	return key, c.of.open(key, value)
}

func (c *cursor) First() (key, value []byte)           { return c.opened(c.Cursor.First()) }
func (c *cursor) Last() (key, value []byte)            { return c.opened(c.Cursor.Last()) }
func (c *cursor) Next() (key, value []byte)            { return c.opened(c.Cursor.Next()) }
func (c *cursor) Prev() (key, value []byte)            { return c.opened(c.Cursor.Prev()) }
func (c *cursor) Seek(seek []byte) (key, value []byte) { return c.opened(c.Cursor.Seek(seek)) }

// checkKey compares what the file is sealed with to the key there is, and says
// whether it is to be sealed anew.
func checkKey(head *rinkpb.KeptHead, keys Sealer) (reseal bool, err error) {
	switch {
	case keys == nil && head.Key != "":
		return false, fmt.Errorf("%w: key %s, and no key is configured (StateEncryptionKeyFile)", ErrSealed, head.Key)
	case keys == nil:
		return false, nil
	}
	return head.Key != keys.ID(), nil
}

// sealAnew writes the history in path anew, sealed with keys, and puts it in the
// place of the old one when it is whole: of what was in the clear nothing is left
// in the file. The old one's own key must be among keys.
func sealAnew(path string, keys Sealer) error {
	next := path + ".sealing"
	if err := os.RemoveAll(next); err != nil {
		return err
	}
	from, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: lockPatience, ReadOnly: true})
	if err != nil {
		return err
	}
	to, err := bolt.Open(next, 0o600, &bolt.Options{Timeout: lockPatience, NoSync: true, FreelistType: bolt.FreelistMapType})
	if err != nil {
		return errors.Join(err, from.Close())
	}
	err = from.View(func(tx *bolt.Tx) error {
		plain := &txn{Tx: tx}
		head, err := readHead(plain)
		if err != nil {
			return err
		}
		if head.Key != "" {
			plain.keys = keys
		}
		for _, name := range allBuckets {
			if b := plain.Bucket(name); b != nil {
				if err := copyBucket(to, b, keys); err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
			}
		}
		head.Key = keys.ID()
		return to.Update(func(tx *bolt.Tx) error { return writeHead(&txn{Tx: tx}, head) })
	})
	if err == nil {
		err = to.Sync()
	}
	if err := errors.Join(err, to.Close(), from.Close()); err != nil {
		os.Remove(next)
		return err
	}
	if err := os.Rename(next, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// copyBucket copies a bucket, some of it in a transaction.
func copyBucket(to *bolt.DB, from *bucket, keys Sealer) error {
	err := to.Update(func(tx *bolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(from.name)
		if err != nil {
			return err
		}
		return b.SetSequence(from.Sequence())
	})
	if err != nil {
		return err
	}
	c := from.Cursor()
	key, value := c.First()
	for key != nil {
		err := to.Update(func(tx *bolt.Tx) error {
			b := (&txn{tx, keys}).Bucket(from.name)
			b.FillPercent = 1
			for range maxBatch {
				if key == nil {
					break
				}
				if string(from.name) == string(bucketSums) {
					key = nil // made below, from the words
					break
				}
				if err := b.Put(key, value); err != nil {
					return err
				}
				if string(from.name) == string(bucketWords) {
					sum := wordSumWith(keys, value)
					if err := tx.Bucket(bucketSums).Put(sum[:], key); err != nil {
						return err
					}
				}
				key, value = c.Next()
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
