package accounting

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// A word is a run of bytes that many records share: a directory, a command
// line, what a thousand jobs asked for. It is kept once and records have its
// number. Words are never removed.

// shortest is the length below which a word would save nothing.
const shortest = 4

// wordWriter gives out words within one write transaction.
type wordWriter struct {
	words, sums *bucket
	recent      *recent
}

func newWordWriter(tx *txn, r *recent) *wordWriter {
	return &wordWriter{words: tx.Bucket(bucketWords), sums: tx.Bucket(bucketSums), recent: r}
}

// wordSum is the beginning of a text's checksum.
type wordSum [8]byte

// wordSumWith is a text's sum: made with the key where the history is sealed, so
// that nobody can try texts on it.
func wordSumWith(keys Sealer, text []byte) wordSum {
	if keys != nil {
		return wordSum(keys.Digest(text)[:8])
	}
	full := sha256.Sum256(text)
	return wordSum(full[:8])
}

// word returns the number of text, or 0 when it is better kept in the record.
// Most texts that come once never come again, so one becomes a word when it is
// seen for the second time, or at once when it must be.
func (w *wordWriter) word(text []byte, must bool) (uint32, error) {
	if len(text) < shortest && !must {
		return 0, nil
	}
	sum := wordSumWith(w.words.keys, text)
	if data := w.sums.Get(sum[:]); data != nil {
		if len(data) != 4 {
			return 0, errors.New("the sum of a word has a damaged value")
		}
		// A user may choose texts so that their sums are one: compare.
		if bytes.Equal(w.words.Get(data), text) {
			return binary.BigEndian.Uint32(data), nil
		}
		if !must {
			return 0, nil
		}
	}
	if !must && !w.recent.again(sum) {
		return 0, nil
	}
	next, err := w.words.NextSequence()
	if err != nil {
		return 0, err
	}
	if next > math.MaxUint32 {
		return 0, nil // the rest is kept in the records
	}
	num := appendNum(nil, uint32(next))
	if err := w.words.Put(num, text); err != nil {
		return 0, err
	}
	if err := w.sums.Put(sum[:], num); err != nil {
		return 0, err
	}
	return uint32(next), nil
}

// wordReader looks words up within one transaction. What it returns is valid as
// long as that. Jobs of one user share most of theirs, so that those looked up are
// remembered where nothing is written meanwhile.
type wordReader struct {
	words *bucket
	seen  map[uint32][]byte
}

func newWordReader(tx *txn) wordReader {
	return wordReader{tx.Bucket(bucketWords), map[uint32][]byte{}}
}

// maxSeen bounds what is remembered.
const maxSeen = 1 << 14

func (w wordReader) word(num uint32) ([]byte, error) {
	if data, ok := w.seen[num]; ok {
		return data, nil
	}
	data := w.words.Get(appendNum(nil, num))
	if data == nil {
		return nil, fmt.Errorf("word %d is missing", num)
	}
	if w.seen != nil && len(w.seen) < maxSeen {
		w.seen[num] = data
	}
	return data, nil
}

// recent remembers the sums of the texts seen last, in two generations so that
// forgetting costs nothing. The zero value is ready.
type recent struct{ now, before map[wordSum]struct{} }

// maxRecent bounds one generation: a few megabytes.
const maxRecent = 1 << 16

// again reports whether the sum was seen before, and remembers it.
func (r *recent) again(sum wordSum) bool {
	if _, ok := r.now[sum]; ok {
		return true
	}
	if r.now == nil || len(r.now) >= maxRecent {
		r.before, r.now = r.now, make(map[wordSum]struct{})
	}
	r.now[sum] = struct{}{}
	_, ok := r.before[sum]
	return ok
}
