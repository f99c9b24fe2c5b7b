package launcher

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/runink/rink/api/launcherpb"
)

// recorded is what a launcher that comes next would read, from a copy.
func recorded(t *testing.T, spool string) ([]*launcherpb.Record, []*launcherpb.Exit) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(spool, journalName))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, journalName), text, 0o600); err != nil {
		t.Fatal(err)
	}
	j, runs, exits, trouble, err := openJournal(dir)
	if err != nil || trouble != nil {
		t.Fatal(err, trouble)
	}
	j.close()
	return runs, exits
}

// journalState writes out what a journal holds, for comparison.
func journalState(runs []*launcherpb.Record, exits []*launcherpb.Exit) string {
	var list []string
	for _, r := range runs {
		list = append(list, fmt.Sprintf("%s runs as %d", r.GetSpec().GetId(), r.GetInitPid()))
	}
	for _, x := range exits {
		list = append(list, fmt.Sprintf("%s ended at %d", x.GetSlice(), x.GetEndedNs()))
	}
	sort.Strings(list)
	return strings.Join(list, "\n")
}

// Whatever is written, and wherever the last write is cut, the next launcher
// reads what was written whole, and the file stays in proportion to what lives.
func TestJournalKeepsWhatLives(t *testing.T) {
	for seed := range uint64(30) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		dir := t.TempDir()
		j, _, _, _, err := openJournal(dir)
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		model := map[string]string{}
		states := func() string {
			list := make([]string, 0, len(model))
			for _, s := range model {
				list = append(list, s)
			}
			sort.Strings(list)
			return strings.Join(list, "\n")
		}
		var sizes []int64
		pad := strings.Repeat("x", 1+rnd.IntN(4000))
		for n := range 3000 {
			id := fmt.Sprintf("%d.batch", rnd.IntN(20))
			was := model[id]
			switch {
			case was == "":
				err = j.add(kindRun, id, &launcherpb.Record{Spec: &launcherpb.Spec{Id: id, Hostname: pad}})
				model[id] = id + " runs as 0"
			case strings.HasSuffix(was, " 0"):
				err = j.add(kindNote, id, &launcherpb.Record{InitPid: int32(n)})
				model[id] = fmt.Sprintf("%s runs as %d", id, n)
			case strings.Contains(was, "runs"):
				err = j.add(kindExit, id, &launcherpb.Exit{Slice: id, EndedNs: int64(n)})
				model[id] = fmt.Sprintf("%s ended at %d", id, n)
			default:
				err = j.add(kindForget, id, nil)
				delete(model, id)
			}
			if err != nil {
				t.Fatal(err)
			}
			sizes, want = append(sizes, j.size), append(want, states())
			if j.size > journalSlack && j.size > 4*j.held+8192 {
				t.Fatalf("seed %d: %d bytes for %d", seed, j.size, j.held)
			}
		}
		j.close()
		// Cut within the last record: what was before it is there.
		last := len(sizes) - 1
		if sizes[last] > sizes[last-1] {
			cut := sizes[last-1] + rnd.Int64N(sizes[last]-sizes[last-1])
			if err := os.Truncate(filepath.Join(dir, journalName), cut); err != nil {
				t.Fatal(err)
			}
			last--
		}
		j, runs, exits, trouble, err := openJournal(dir)
		if err != nil || trouble != nil {
			t.Fatalf("seed %d: %v %v", seed, err, trouble)
		}
		if got := journalState(runs, exits); got != want[last] {
			t.Fatalf("seed %d:\n%s\nwant\n%s", seed, got, want[last])
		}
		// And it goes on from there.
		if err := j.add(kindRun, "new", &launcherpb.Record{Spec: &launcherpb.Spec{Id: "new"}}); err != nil {
			t.Fatal(err)
		}
		j.close()
		if runs, _ := recorded(t, dir); len(runs) == 0 {
			t.Fatalf("seed %d: nothing was added", seed)
		}
	}
}

// A record that cannot be written leaves those before it readable.
func TestJournalOnAFullDisk(t *testing.T) {
	dir := t.TempDir()
	j, _, _, _, err := openJournal(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer j.close()
	add := func(id string) error {
		return j.add(kindRun, id, &launcherpb.Record{Spec: &launcherpb.Spec{Id: id}})
	}
	if err := add("a"); err != nil {
		t.Fatal(err)
	}
	good := j.file
	if j.file, err = os.OpenFile("/dev/full", os.O_RDWR, 0); err != nil {
		t.Skip("no /dev/full: " + err.Error())
	}
	if err := add("b"); err == nil || !strings.Contains(err.Error(), "slice b") {
		t.Errorf("a record on a full disk: %v", err)
	}
	j.file.Close()
	j.file = good
	if err := add("c"); err != nil {
		t.Fatal(err)
	}
	if runs, _ := recorded(t, dir); journalState(runs, nil) != "a runs as 0\nc runs as 0" {
		t.Errorf("got %v", runs)
	}
}

func FuzzJournal(f *testing.F) {
	run, _ := frame(kindRun, "a", &launcherpb.Record{Spec: &launcherpb.Spec{Id: "a"}})
	exit, _ := frame(kindExit, "a", &launcherpb.Exit{Slice: "a"})
	f.Add(append(run, exit...))
	f.Add([]byte("\x02\x00\x00\x00junkjunk"))
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, journalName), data, 0o600); err != nil {
			t.Fatal(err)
		}
		j, runs, exits, _, err := openJournal(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer j.close()
		if j.size > int64(len(data)) || len(runs)+len(exits) > len(j.live) {
			t.Fatalf("%d of %d bytes, %d and %d of %d", j.size, len(data), len(runs), len(exits), len(j.live))
		}
	})
}
