package barn

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// testKeys is a Sealer that the tests of this package can see through: it turns
// bytes around and says who did.
type testKeys struct{ list []byte }

func keys(list string) *testKeys { return &testKeys{[]byte(list)} }

func (k *testKeys) ID() string    { return string(k.list[:1]) }
func (k *testKeys) Overhead() int { return 5 }

func (k *testKeys) Seal(plain, ad []byte) []byte {
	out := make([]byte, 5, 5+len(plain))
	out[0] = k.list[0]
	copy(out[1:], fmt.Sprintf("%04x", sumOf(plain, ad)))
	for _, b := range plain {
		out = append(out, b^out[0])
	}
	return out
}

func sumOf(plain, ad []byte) (n uint16) {
	for _, b := range append(bytes.Clone(ad), plain...) {
		n = n*31 + uint16(b) + 1
	}
	return n
}

func (k *testKeys) Open(sealed, ad []byte) ([]byte, error) {
	if len(sealed) < 5 || !bytes.Contains(k.list, sealed[:1]) {
		return nil, fmt.Errorf("sealed with key %q, here are %q", sealed[:min(1, len(sealed))], k.list)
	}
	plain := make([]byte, 0, len(sealed))
	for _, b := range sealed[5:] {
		plain = append(plain, b^sealed[0])
	}
	if string(sealed[1:5]) != fmt.Sprintf("%04x", sumOf(plain, ad)) {
		return nil, errors.New("the seal is broken")
	}
	return plain, nil
}

func TestSealedFileOfEveryLength(t *testing.T) {
	for _, n := range []int{0, 1, 100, sealedChunk - 1, sealedChunk, sealedChunk + 1, 3 * sealedChunk, 3*sealedChunk + 7} {
		plain := make([]byte, n)
		rand.New(rand.NewSource(int64(n))).Read(plain)
		var file bytes.Buffer
		w := newSealWriter(&file, keys("a"))
		for rest := plain; len(rest) > 0; {
			step := min(len(rest), 10_000)
			if _, err := w.Write(rest[:step]); err != nil {
				t.Fatal(err)
			}
			rest = rest[step:]
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if got := plainSize(int64(file.Len()), keys("a")); got != int64(n) {
			t.Errorf("a file of %d bytes is taken to hold %d, there are %d", file.Len(), got, n)
		}
		read := func(b []byte, k Sealer) ([]byte, error) {
			in, err := openSealed(bytes.NewReader(b), k)
			if err != nil {
				return nil, err
			}
			return io.ReadAll(in)
		}
		if got, err := read(file.Bytes(), keys("ba")); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%d bytes: read %d (%v)", n, len(got), err)
		}
		if _, err := read(file.Bytes(), nil); !errors.Is(err, ErrSealed) {
			t.Errorf("without a key: %v", err)
		}
		if _, err := read(file.Bytes(), keys("b")); err == nil {
			t.Error("with a wrong key it was read")
		}
		// A file without its last chunks is not a whole one.
		for _, cut := range []int{1, 10, sealedChunk + 9} {
			if cut < file.Len()-sealedHead {
				if got, err := read(file.Bytes()[:file.Len()-cut], keys("a")); err == nil {
					t.Errorf("%d bytes, cut by %d: read %d", n, cut, len(got))
				}
			}
		}
	}
}

// allFiles is every byte below a directory.
func allFiles(t *testing.T, dir string) []byte {
	t.Helper()
	var all []byte
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			var text []byte
			text, err = os.ReadFile(path)
			all = append(all, text...)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func sealedOptions(t testing.TB, dir string, k Sealer) Options {
	o := options(t, dir)
	o.Keys = k
	return o
}

// With a key nothing that was proposed is on the disk in the clear, in log nor
// snapshot; a directory from before there was a key is sealed when it is opened,
// and one that is sealed with another key anew.
func TestSealedAtRest(t *testing.T) {
	dir := t.TempDir()
	const secret = "the-word-nobody-may-read"
	b := open(t, options(t, dir))
	add(t, b, secret+"1")
	if err := b.Snapshot(); err != nil {
		t.Fatal(err)
	}
	add(t, b, secret+"2")
	b.Close()
	if n := bytes.Count(allFiles(t, dir), []byte(secret)); n == 0 {
		t.Fatal("the word is not there without a key: the test looks at the wrong thing")
	}
	want := []string{secret + "1", secret + "2"}
	for i, k := range []*testKeys{keys("a"), keys("a"), keys("ba"), keys("b")} {
		b := open(t, sealedOptions(t, dir, k))
		wantTokens(t, b, want...)
		more := fmt.Sprintf("%s%d", secret, i+3)
		add(t, b, more)
		want = append(want, more)
		if i%2 == 1 {
			if err := b.Snapshot(); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(allFiles(t, dir), []byte(secret)) {
			t.Errorf("with keys %s the word is on the disk in the clear", k.list)
		}
		if err := Verify(Options{Dir: dir, Keys: k}, func(f Finding) {
			if f.Wrong != nil {
				t.Errorf("%s: %v", f.What, f.Wrong)
			}
		}); err != nil {
			t.Error(err)
		}
	}
	if _, err := Open(options(t, dir)); !errors.Is(err, ErrSealed) || !strings.Contains(err.Error(), "key b") {
		t.Errorf("without a key: %v", err)
	}
	if _, err := Open(sealedOptions(t, dir, keys("x"))); err == nil || !strings.Contains(err.Error(), "sealed with key \"b\"") {
		t.Errorf("with a wrong key: %v", err)
	}
	b = open(t, sealedOptions(t, dir, keys("b")))
	wantTokens(t, b, want...)
}

// A follower that catches up by a snapshot gets it whatever key each has.
func TestSealedSnapshotGoesToAPeer(t *testing.T) {
	c := newClusterWith(t, 3, func(i int, o *Options) { o.Keys = keys(string(rune('a' + i))) })
	lead := c.leader(-1)
	var want []string
	for i := range 50 {
		want = append(want, fmt.Sprintf("%02d", i))
		add(t, c.barns[lead], want[i])
	}
	away := (lead + 1) % 3
	c.cut(away)
	add(t, c.barns[lead], "while it is away")
	c.shrink(lead)
	c.join(away)
	c.same()
	wantTokens(t, c.barns[away], append(want, "while it is away")...)
	if c.barns[away].snaps.index.Load() == 0 {
		t.Error("the follower has no snapshot")
	}
}

func TestResealingMayBeInterrupted(t *testing.T) {
	dir := t.TempDir()
	b := open(t, options(t, dir))
	add(t, b, "one")
	if err := b.Snapshot(); err != nil {
		t.Fatal(err)
	}
	add(t, b, "two")
	b.Close()
	// The snapshot is sealed, the log is not, and a half-written log lies there.
	o, err := sealedOptions(t, dir, keys("a")).withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	snaps, err := openSnapshots(dir, o.Keys, newRaftLog(o.Logger))
	if err != nil {
		t.Fatal(err)
	}
	if err := snaps.sealAnew(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, logName+".sealing"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	b = open(t, o)
	wantTokens(t, b, "one", "two")
}
