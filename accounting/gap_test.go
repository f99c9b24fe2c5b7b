package accounting

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/runink/rink/api/rinkpb"
)

// peerOf is a controller that answers from its history; broken is asked before.
type peerOf struct {
	s      *Store
	broken func() error
	pages  *int
}

func (p peerOf) Page(_ context.Context, from, need uint64, cursor []byte, facts bool) (Page, error) {
	if p.broken != nil {
		if err := p.broken(); err != nil {
			return Page{}, err
		}
	}
	if p.pages != nil {
		*p.pages++
	}
	page, err := p.s.Page(from, cursor, facts)
	if err == nil && page.Applied < need {
		err = errors.New("it has less of the log")
	}
	return page, err
}

// still holds a history that nobody puts to.
func still(s *Store) func(context.Context, func(uint64) error) error {
	return func(_ context.Context, f func(uint64) error) error {
		if err := s.Flush(); err != nil {
			return err
		}
		return f(s.Applied())
	}
}

// fetch notes that what from has and to has not is missing, and fetches it.
func fetch(t testing.TB, to, from *Store) {
	t.Helper()
	if err := errors.Join(to.Flush(), from.Flush()); err != nil {
		t.Fatal(err)
	}
	to.Missed(to.Applied()+1, from.Applied(), false)
	if err := to.Fill(context.Background(), peerOf{s: from}, still(to)); err != nil {
		t.Fatal(err)
	}
	if gap, err := to.Gap(); err != nil || gap != nil {
		t.Fatalf("there is still a gap: %v (%v)", gap, err)
	}
}

// sums are the checksums of a history as it is.
func sums(t testing.TB, s *Store) Sums {
	t.Helper()
	f, err := s.Freeze()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := f.Sums()
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func checksum(t testing.TB, s *Store) uint64 {
	t.Helper()
	got := sums(t, s)
	n := got.Rolls
	for _, r := range got.Ranges {
		n = n*31 + r.Sum + r.Records
	}
	return n
}

// entry is one log entry's records, with which both histories are fed.
type entry struct {
	index   uint64
	records []*rinkpb.Record
}

// story is a log in which jobs end, are requeued and released, steps report,
// nodes go down and come back, and reservations change.
func story(n int) []entry {
	var list []entry
	index := uint64(0)
	add := func(records ...*rinkpb.Record) {
		index++
		list = append(list, entry{index, records})
	}
	second := int64(1_700_000_000)
	for i := range n {
		second += 60
		id := uint32(i%(n*2/3)) + 1 // ids come again
		j := testJob(id, i)
		j.Submit, j.Eligible, j.Start, j.End = (second-500)*1e9, (second-400)*1e9, (second-300)*1e9, second*1e9
		step := &rinkpb.Step{Id: 0, Name: "s", Start: j.Start, End: j.End, Usage: &rinkpb.Usage{UserCpu: int64(i) * 1e9, MaxRss: int64(i)}}
		add(&rinkpb.Record{Job: j, Live: true, Steps: []*rinkpb.Step{step}})
		if i%5 == 0 {
			add(&rinkpb.Record{Job: j, Live: true, Batch: &rinkpb.Usage{UserCpu: 7}})
		}
		add(&rinkpb.Record{Job: j, Requeued: i%3 == 0, Billing: 9})
		if i%2 == 0 {
			add() // an entry without records
			add(&rinkpb.Record{Job: j, Batch: &rinkpb.Usage{UserCpu: 5}})
		}
		if i%4 == 0 {
			add(&rinkpb.Record{Job: j, Live: true, Steps: []*rinkpb.Step{{Id: 1, Name: "late", Start: j.Start, End: j.End, Usage: &rinkpb.Usage{UserCpu: 3}}}})
		}
		if i%7 == 0 {
			down := i/7%2 == 0
			add(&rinkpb.Record{Node: &rinkpb.NodeFact{Node: "n00" + string(rune('1'+i%3)), Tres: "1=8,2=1000,4=1", Start: second * 1e9, Down: down, Reason: "x"}})
		}
		if i%11 == 0 {
			add(&rinkpb.Record{Reservation: &rinkpb.ReservationSpan{
				Id: uint32(i/22 + 1), Name: "r", Start: (second + int64(i/22*7000)) * 1e9, End: (second + int64(i/22*7000) + 3600) * 1e9, Tres: "1=8", Flags: []string{"MAINT"},
			}})
		}
	}
	return list
}

func put(s *Store, list []entry) {
	for _, e := range list {
		s.Put(e.index, e.records)
	}
	if len(list) > 0 {
		s.Mark(list[len(list)-1].index)
	}
}

// Whatever range a history misses, and however far the log is on each side while
// it is fetched, both say the same in the end.
func TestFilledGapsLeaveTheSameHistory(t *testing.T) {
	log := story(150)
	n := len(log)
	want := openTest(t, t.TempDir())
	put(want, log)
	for _, c := range []struct {
		name     string
		from, to int // entries missed
		own      int // had by itself when the fetch begins
		peer     int // had by the peer then
	}{
		{"TheBeginning", 0, n / 2, n / 2, n},
		{"TheMiddle", n / 3, n / 2, n * 2 / 3, n},
		{"TheMiddlePeerBehind", n / 3, n / 2, n * 2 / 3, n * 3 / 5},
		{"PeerAhead", n / 4, n / 3, n / 3, n},
		{"Everything", 0, n, n, n},
		{"AllButTheLast", 0, n - 1, n - 1, n},
	} {
		t.Run(c.name, func(t *testing.T) {
			peer, s := openTest(t, t.TempDir()), openTest(t, t.TempDir())
			put(peer, log[:c.peer])
			put(s, log[:c.from])
			if err := s.Flush(); err != nil {
				t.Fatal(err)
			}
			s.Missed(uint64(c.from)+1, uint64(c.to), false)
			put(s, log[c.to:max(c.to, c.own)])
			// The log goes on on both sides between the pages.
			here, there := max(c.to, c.own), c.peer
			step := func() error {
				put(s, log[here:min(here+9, n)])
				put(peer, log[there:min(there+7, n)])
				here, there = min(here+9, n), min(there+7, n)
				return nil
			}
			hold := func(_ context.Context, f func(uint64) error) error {
				if err := s.Flush(); err != nil {
					return err
				}
				put(peer, log[there:max(there, here)]) // need is waited for
				there = max(there, here)
				step = func() error { put(peer, log[there:min(there+7, n)]); there = min(there+7, n); return nil }
				return f(uint64(here))
			}
			if err := s.Fill(context.Background(), peerOf{s: peer, broken: func() error { return step() }}, hold); err != nil {
				t.Fatal(err)
			}
			put(s, log[here:])
			put(peer, log[there:])
			if got := checksum(t, peer); got != checksum(t, want) {
				t.Fatal("the peer itself is another")
			}
			a, b := sums(t, s), sums(t, want)
			if checksum(t, s) != checksum(t, want) {
				t.Errorf("sums are\n%+v, want\n%+v", a, b)
			}
		})
	}
}

// Fetching goes on where it was after a line that broke, a restart, and with
// another peer.
func TestFetchingResumes(t *testing.T) {
	log := story(2000)
	peers := []*Store{openTest(t, t.TempDir()), openTest(t, t.TempDir())}
	for _, p := range peers {
		put(p, log)
	}
	dir := t.TempDir()
	s := openTest(t, dir)
	s.Missed(1, uint64(len(log)), false)
	pages, whole := 0, 0
	for try := 0; ; try++ {
		left := 2
		err := s.Fill(context.Background(), peerOf{s: peers[try%2], pages: &pages, broken: func() error {
			if left--; left < 0 && try < 3 {
				return errors.New("line lost")
			}
			return nil
		}}, still(s))
		if err == nil {
			break
		}
		if !strings.Contains(err.Error(), "line lost") {
			t.Fatal(err)
		}
		gap, err := s.Gap()
		if err != nil || gap == nil || len(gap.Cursor) == 0 {
			t.Fatalf("after a broken line the gap is %v (%v)", gap, err)
		}
		if _, err := s.Page(0, nil, true); !errors.Is(err, ErrGap) {
			t.Errorf("one that has a gap gives pages: %v", err)
		}
		s.Close()
		s = openTest(t, dir)
	}
	fresh := openTest(t, t.TempDir())
	fresh.Missed(1, uint64(len(log)), false)
	if err := fresh.Fill(context.Background(), peerOf{s: peers[0], pages: &whole}, still(fresh)); err != nil {
		t.Fatal(err)
	}
	if pages > whole+1 {
		t.Errorf("with three breaks %d pages were fetched, %d without", pages, whole)
	}
	if a, b := checksum(t, s), checksum(t, peers[0]); a != b || a != checksum(t, fresh) {
		t.Errorf("checksums are %x, %x and %x", a, b, checksum(t, fresh))
	}
}

func TestLostRangesAreSaid(t *testing.T) {
	var text lockedBuffer
	s, err := Open(t.TempDir(), slog.New(slog.NewTextHandler(&text, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.Missed(1, 50, true)
	s.Put(51, []*rinkpb.Record{final(testJob(1, 1))})
	if gap, err := s.Gap(); err != nil || gap != nil {
		t.Errorf("the gap is %v (%v)", gap, err)
	}
	if !strings.Contains(text.String(), "from=1 to=50") || s.Applied() != 51 {
		t.Errorf("applied %d, it says %s", s.Applied(), text.String())
	}
}

func TestDamagedFileIsPutAside(t *testing.T) {
	dir := t.TempDir()
	quiet := slog.New(slog.DiscardHandler)
	if aside, err := PutAside(dir, quiet); aside != "" || err != nil {
		t.Errorf("without a file: %q, %v", aside, err)
	}
	for i := 1; i <= 2; i++ {
		if err := os.WriteFile(filepath.Join(dir, fileName), []byte(strings.Repeat("not a history ", 4000)), 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := Open(dir, quiet); err == nil {
			s.Close()
			t.Fatal("a damaged file was opened")
		}
		aside, err := PutAside(dir, quiet)
		if err != nil || !strings.HasSuffix(aside, string(rune('0'+i))) {
			t.Errorf("put aside as %q (%v)", aside, err)
		}
	}
	openTest(t, dir)
}

// A frozen history is what it was, whatever comes later; its copy is a history.
func TestFrozenIsACopyOfOneMoment(t *testing.T) {
	log := story(100)
	s := openTest(t, t.TempDir())
	put(s, log[:len(log)/2])
	want := checksum(t, s)
	f, err := s.Freeze()
	if err != nil {
		t.Fatal(err)
	}
	put(s, log[len(log)/2:])
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file, err := os.Create(filepath.Join(dir, fileName))
	if err != nil {
		t.Fatal(err)
	}
	n, err := f.WriteTo(file)
	if err != nil || n != f.Size() {
		t.Errorf("wrote %d of %d bytes (%v)", n, f.Size(), err)
	}
	file.Close()
	f.Close()
	if checksum(t, s) == want {
		t.Error("the second half changed nothing")
	}
	c := openTest(t, dir)
	if got := checksum(t, c); got != want || c.Applied() != uint64(len(log)/2) {
		t.Errorf("the copy has checksum %x as of %d, want %x as of %d", got, c.Applied(), want, len(log)/2)
	}
}
