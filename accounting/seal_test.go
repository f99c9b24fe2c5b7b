package accounting

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// testKeys seals by turning bytes around; the first letter is the key that seals.
type testKeys string

func (k testKeys) ID() string { return string(k[:1]) }

func (k testKeys) Seal(plain, ad []byte) []byte {
	sum := sha256.Sum256(append(bytes.Clone(ad), plain...))
	out := append([]byte{k[0]}, sum[:4]...)
	for _, b := range plain {
		out = append(out, b^k[0])
	}
	return out
}

func (k testKeys) Open(sealed, ad []byte) ([]byte, error) {
	if len(sealed) < 5 || !strings.Contains(string(k), string(sealed[:1])) {
		return nil, fmt.Errorf("sealed with key %q", sealed[:min(1, len(sealed))])
	}
	var plain []byte
	for _, b := range sealed[5:] {
		plain = append(plain, b^sealed[0])
	}
	if sum := sha256.Sum256(append(bytes.Clone(ad), plain...)); !bytes.Equal(sum[:4], sealed[1:5]) {
		return nil, errors.New("the seal is broken")
	}
	return plain, nil
}

func (k testKeys) Digest(data []byte) []byte {
	sum := sha256.Sum256(append([]byte(k[:1]), data...))
	return sum[:]
}

func openSealedTest(t *testing.T, dir string, keys Sealer) *Store {
	t.Helper()
	s, err := OpenSealed(dir, slog.New(slog.DiscardHandler), keys)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// What is kept can be read, says the same and goes on whatever it is sealed with;
// in the file nothing of it is to be found.
func TestHistorySealedAtRest(t *testing.T) {
	log := story(200)
	const secret = "nobody-may-read-this"
	for _, e := range log {
		for _, r := range e.records {
			if r.Job != nil {
				r.Job.Name = secret
			}
		}
	}
	plain := openTest(t, t.TempDir())
	put(plain, log)
	want := checksum(t, plain)

	dir := t.TempDir()
	path := filepath.Join(dir, fileName)
	s := openSealedTest(t, dir, nil)
	put(s, log[:100])
	s.Close()
	if text, _ := os.ReadFile(path); !bytes.Contains(text, []byte(secret)) {
		t.Fatal("the word is not there without a key: the test looks at the wrong thing")
	}
	for i, k := range []testKeys{"a", "ba", "b", "b"} {
		s := openSealedTest(t, dir, k)
		put(s, log[:min(len(log), 100+(i+1)*150)])
		if err := s.Flush(); err != nil {
			t.Fatal(err)
		}
		if found, err := s.Verify(func(err error) { t.Error(err) }); err != nil || !strings.Contains(found, "key "+k.ID()) {
			t.Errorf("verified: %s (%v)", found, err)
		}
		if i == 3 {
			put(s, log)
			if got := checksum(t, s); got != want {
				t.Errorf("its checksum is %x, in the clear it is %x", got, want)
			}
			jobs := collect(t, s.Query(Filter{}, nil))
			if len(jobs) == 0 || jobs[0].Job.Name != secret {
				t.Errorf("%d records", len(jobs))
			}
		}
		s.Close()
		if text, _ := os.ReadFile(path); bytes.Contains(text, []byte(secret)) {
			t.Errorf("with keys %q the word is in the file", string(k))
		}
	}
	if _, err := Open(dir, slog.New(slog.DiscardHandler)); !errors.Is(err, ErrSealed) || !strings.Contains(err.Error(), "key b") {
		t.Errorf("without a key: %v", err)
	}
	if _, err := OpenSealed(dir, slog.New(slog.DiscardHandler), testKeys("x")); err == nil || !strings.Contains(err.Error(), `key "b"`) {
		t.Errorf("with a wrong key: %v", err)
	}
	if _, err := Verify(dir, nil, func(error) {}); !errors.Is(err, ErrSealed) {
		t.Errorf("verifying without a key: %v", err)
	}
}

// A record that was changed is named, and the others are read.
func TestVerifyNamesDamagedRecords(t *testing.T) {
	dir := t.TempDir()
	s := openTest(t, dir)
	put(s, story(30))
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
	err := s.update(func(tx *txn) error {
		jobs := tx.Bucket(bucketJobs)
		key, _ := jobs.Cursor().First()
		if err := jobs.Put(bytes.Clone(key), []byte{0xff}); err != nil {
			return err
		}
		ends := tx.Bucket(bucketEnds)
		last, _ := ends.Cursor().Last()
		return ends.Delete(bytes.Clone(last))
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	var said []string
	found, err := Verify(dir, nil, func(err error) { said = append(said, err.Error()) })
	text := strings.Join(said, "\n")
	if err == nil || !strings.Contains(found, "30 jobs") || !strings.Contains(text, "jobs ") || !strings.Contains(text, "indexes by time") {
		t.Errorf("found %q (%v), said %s", found, err, text)
	}
	if _, err := Verify(t.TempDir(), nil, func(error) {}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a history: %v", err)
	}
}
