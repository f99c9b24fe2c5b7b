package journal

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
)

// holds writes out what a journal has.
func holds(t *testing.T, j *Journal) string {
	t.Helper()
	var list []string
	for _, g := range j.Groups() {
		for _, n := range j.Names(g) {
			body, ok, err := j.Get(g, n)
			if err != nil || !ok || !j.Has(g, n) {
				t.Fatalf("%s/%s: %v %v", g, n, ok, err)
			}
			list = append(list, fmt.Sprintf("%s/%s=%.20s", g, n, body))
		}
	}
	return strings.Join(list, "\n")
}

func open(t *testing.T, path string) *Journal {
	t.Helper()
	j, trouble, err := Open(path)
	if err != nil || trouble != nil {
		t.Fatal(err, trouble)
	}
	return j
}

// Whatever is written, and wherever the last write is cut, the next process
// reads what was written whole, and the file stays in proportion to what lives.
func TestWhatIsNotDroppedIsKept(t *testing.T) {
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		path := filepath.Join(t.TempDir(), "records")
		j := open(t, path)
		model := map[string]string{}
		said := func() string {
			var list []string
			for k, v := range model {
				list = append(list, fmt.Sprintf("%s=%.20s", k, v))
			}
			sort.Strings(list)
			return strings.Join(list, "\n")
		}
		var before string
		var size int64
		pad := strings.Repeat("x", 1+rnd.IntN(4000))
		for n := range 4000 {
			before, size = said(), j.size
			group, name := fmt.Sprintf("%d.batch", rnd.IntN(20)), fmt.Sprint(rnd.IntN(5))
			var err error
			switch rnd.IntN(4) {
			case 0, 1:
				model[group+"/"+name] = fmt.Sprint(n, " ", pad)
				err = j.Put(group, name, []byte(model[group+"/"+name]))
			case 2:
				delete(model, group+"/"+name)
				err = j.Drop(group, name)
			case 3:
				for k := range model {
					if strings.HasPrefix(k, group+"/") {
						delete(model, k)
					}
				}
				err = j.Drop(group, "")
			}
			if err != nil {
				t.Fatal(err)
			}
			if j.size > slack && j.size > 4*j.held+8192 {
				t.Fatalf("seed %d: %d bytes for %d", seed, j.size, j.held)
			}
		}
		want := said()
		if got := holds(t, j); got != want {
			t.Fatalf("seed %d:\n%s\nwant\n%s", seed, got, want)
		}
		j.Close()
		if info, err := os.Stat(path); err == nil && info.Size() > size && size > 0 {
			// Cut within the last record: what was before it is there.
			if err := os.Truncate(path, size+rnd.Int64N(info.Size()-size)); err != nil {
				t.Fatal(err)
			}
			want = before
		}
		j = open(t, path)
		if got := holds(t, j); got != want {
			t.Fatalf("seed %d, cut:\n%s\nwant\n%s", seed, got, want)
		}
		// And it goes on from there.
		if err := j.Put("new", "one", nil); err != nil {
			t.Fatal(err)
		}
		j.Close()
		j = open(t, path)
		if !j.Has("new", "one") || j.Has("new", "two") {
			t.Fatalf("seed %d: nothing was added", seed)
		}
		j.Close()
	}
}

// A record that cannot be written leaves those before and after it readable.
func TestOnAFullDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records")
	j := open(t, path)
	if err := j.Put("a", "x", []byte("1")); err != nil {
		t.Fatal(err)
	}
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no /dev/full: " + err.Error())
	}
	good := j.file
	j.file = full
	if err := j.Put("b", "x", []byte("2")); err == nil || !strings.Contains(err.Error(), `record "x" of "b"`) {
		t.Errorf("a record on a full disk: %v", err)
	}
	full.Close()
	j.file = good
	if err := j.Put("c", "x", []byte("3")); err != nil {
		t.Fatal(err)
	}
	j.Close()
	j = open(t, path)
	defer j.Close()
	if got := holds(t, j); got != "a/x=1\nc/x=3" {
		t.Errorf("got %s", got)
	}
}

func TestWhatCannotBeReadIsPutAside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records")
	text := append(frame(kindPut, "a", "x", []byte("1")), frame(kindPut, "a", "y", []byte("2"))...)
	text[len(text)-1] ^= 1
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	j, trouble, err := Open(path)
	if err != nil || trouble == nil || !strings.Contains(trouble.Error(), path+".bad") {
		t.Fatal(trouble, err)
	}
	defer j.Close()
	if got := holds(t, j); got != "a/x=1" {
		t.Errorf("got %s", got)
	}
	if bad, err := os.ReadFile(path + ".bad"); err != nil || string(bad) != string(text) {
		t.Errorf("put aside: %q, %v", bad, err)
	}
}

func TestNamesAreBounded(t *testing.T) {
	j := open(t, filepath.Join(t.TempDir(), "records"))
	defer j.Close()
	long := strings.Repeat("g", 256)
	for _, c := range [][2]string{{"", "x"}, {"g", ""}, {long, "x"}, {"g", long}} {
		if err := j.Put(c[0], c[1], nil); err == nil {
			t.Errorf("group of %d bytes, name of %d: no error", len(c[0]), len(c[1]))
		}
	}
	if j.size != 0 {
		t.Errorf("%d bytes were written", j.size)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(append(frame(kindPut, "a", "x", []byte("1")), frame(kindDrop, "a", "", nil)...))
	f.Add([]byte("\x03\x00\x00\x00junkjunk"))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "records")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		j, _, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer j.Close()
		if j.size > int64(len(data)) || j.held > j.size {
			t.Fatalf("%d and %d of %d bytes", j.size, j.held, len(data))
		}
		holds(t, j)
	})
}
