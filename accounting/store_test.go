package accounting

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
	"google.golang.org/protobuf/proto"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/slurm"
)

// entries returns how many keys each bucket has.
func entries(t *testing.T, s *Store) map[string]int {
	t.Helper()
	n := map[string]int{}
	err := s.view(func(tx *txn) error {
		for _, b := range allBuckets {
			n[string(b)] = tx.Bucket(b).Stats().KeyN
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestJobBatchAndStepsComeBackTogether(t *testing.T) {
	dir := t.TempDir()
	s := openTest(t, dir)
	j := testJob(7, 1)
	j.BatchUsage = nil
	j.BatchDone = false
	running := proto.CloneOf(j)
	running.State, running.End = uint32(slurm.JobRunning), 0
	step := func(id uint32, code uint32) *rinkpb.Step {
		return &rinkpb.Step{
			Id: id, Name: fmt.Sprintf("step%d", id), Tasks: 2, State: uint32(slurm.JobCompleted), Start: j.Start + int64(id), End: j.Start + 1e9,
			Nodes: []*rinkpb.StepNode{{Node: "n001", Cpus: 2, Mem: 50}}, ExitCode: &rinkpb.ExitCode{Code: code},
			Usage: &rinkpb.Usage{UserCpu: 5, MaxRss: 1 << 20, MaxRssNode: "n001", Tasks: 2},
		}
	}
	live := step(9, 1)
	live.End = 0
	batch := &rinkpb.Usage{UserCpu: 77, MaxRss: 5, MaxRssNode: "n001", Tasks: 1}

	// Two steps end long before the job does, and other jobs in between.
	s.Put(1, []*rinkpb.Record{{Job: running, Live: true, Steps: []*rinkpb.Step{step(0, 1), live}}})
	s.Put(2, []*rinkpb.Record{final(testJob(6, 2)), final(testJob(8, 3))})
	s.Put(3, []*rinkpb.Record{{Job: running, Live: true, Steps: []*rinkpb.Step{step(1, 2)}, Batch: batch}})
	if list := collect(t, s.Query(Filter{Refs: []*rinkpb.JobRef{{Job: 7}}}, nil)); len(list) != 0 {
		t.Errorf("a job that has not ended has %d records", len(list))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openTest(t, dir)
	s.Put(4, []*rinkpb.Record{{Job: j, Steps: []*rinkpb.Step{step(2, 3)}}})

	r := one(t, s, 7)
	same(t, "the batch script's usage", r.Batch, batch)
	if len(r.Steps) != 3 {
		t.Fatalf("%d steps, want 3", len(r.Steps))
	}
	for i, got := range r.Steps {
		same(t, fmt.Sprintf("step %d", i), got, step(uint32(i), uint32(i)+1))
	}
	want := asKept(j)
	want.BatchUsage = batch
	same(t, "the job", r.Job, want)

	// The nodes report later: the job again, its batch script, a step once more.
	j = proto.CloneOf(j)
	j.BatchDone, j.BatchUsage = true, &rinkpb.Usage{UserCpu: 99, Tasks: 1}
	late := step(2, 3)
	late.Usage.UserCpu = 1000
	s.Put(5, []*rinkpb.Record{{Job: j, Live: true, Steps: []*rinkpb.Step{late}}})
	s.Put(6, []*rinkpb.Record{final(j)})
	r = one(t, s, 7)
	same(t, "the job at last", r.Job, asKept(j))
	if len(r.Steps) != 3 || r.Steps[2].Usage.UserCpu != 1000 {
		t.Errorf("steps at last: %v", r.Steps)
	}
	if n := entries(t, s); n["jobs"] != 3 || n["steps"] != 3 || n["ends"] != 3 || n["users"] != 3 {
		t.Errorf("entries %v, want 3 of each", n)
	}
	// Without steps they are left out, and the batch script is not.
	list := collect(t, s.Query(Filter{Refs: []*rinkpb.JobRef{{Job: 7}}}, nil))
	if len(list) != 1 || len(list[0].Steps) != 0 || list[0].Batch.GetUserCpu() != 99 {
		t.Errorf("without steps: %v", list)
	}
}

func TestAFinalRecordReplacesItsIndexEntries(t *testing.T) {
	s := openTest(t, t.TempDir())
	j := testJob(7, 1)
	s.Put(1, []*rinkpb.Record{final(j)})
	moved := proto.CloneOf(j)
	moved.End += int64(24 * time.Hour)
	s.Put(2, []*rinkpb.Record{final(moved)})
	list := collect(t, s.Query(Filter{UIDs: []uint32{j.Uid}, Start: time.Unix(0, j.End).Add(time.Hour)}, nil))
	if len(list) != 1 || list[0].Job.End != moved.End {
		t.Errorf("%v, want the job with its new end", list)
	}
	if n := entries(t, s); n["ends"] != 1 || n["users"] != 1 {
		t.Errorf("entries %v, want one of each", n)
	}
}

func TestReplayWritesNothingTwice(t *testing.T) {
	dir := t.TempDir()
	s := openTest(t, dir)
	put := func(s *Store, index uint64) {
		j := testJob(uint32(index), int(index))
		s.Put(index, []*rinkpb.Record{final(j), {Job: testJob(1000, 1), Live: true, Steps: []*rinkpb.Step{{Id: uint32(index), End: 1, Start: 1}}}})
	}
	for i := range uint64(50) {
		put(s, 2*i+10)
	}
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
	if got := s.Applied(); got != 108 {
		t.Errorf("applied %d, want 108", got)
	}
	before, data := entries(t, s), fileBytes(t, s)
	check := func(s *Store) {
		t.Helper()
		for i := range uint64(50) { // from the first entry on, as a restart does
			put(s, 2*i+10)
		}
		s.Put(7, []*rinkpb.Record{final(testJob(9999, 1))})
		if err := s.Flush(); err != nil {
			t.Fatal(err)
		}
		if got := entries(t, s); fmt.Sprint(got) != fmt.Sprint(before) {
			t.Errorf("entries %v, want %v", got, before)
		}
		if got := s.Applied(); got != 108 {
			t.Errorf("applied %d, want 108", got)
		}
		if !bytes.Equal(fileBytes(t, s), data) {
			t.Error("the file changed")
		}
	}
	check(s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openTest(t, dir)
	check(s)
	put(s, 110)
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
	if n := entries(t, s); n["jobs"] != 51 || s.Applied() != 110 {
		t.Errorf("entries %v, applied %d after a new one", n, s.Applied())
	}
}

func fileBytes(t *testing.T, s *Store) []byte {
	t.Helper()
	data, err := os.ReadFile(s.path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestACopyTakenWhileOpenHasAllThatWasFlushed(t *testing.T) {
	s := openTest(t, t.TempDir())
	for i := range 500 {
		s.Put(uint64(i)+1, []*rinkpb.Record{final(testJob(uint32(i)+1, i))})
	}
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, fileName), fileBytes(t, s), 0o600); err != nil {
		t.Fatal(err)
	}
	c := openTest(t, other)
	if got := c.Applied(); got != 500 {
		t.Errorf("applied %d, want 500", got)
	}
	if n := len(collect(t, c.Query(Filter{}, nil))); n != 500 {
		t.Errorf("%d records, want 500", n)
	}
}

// childDir names, in the environment, the directory of the process that
// TestKilledProcess kills.
const childDir = "ACCOUNTING_TEST_DIR"

func TestMain(m *testing.M) {
	dir := os.Getenv(childDir)
	if dir == "" {
		os.Exit(m.Run())
	}
	s, err := Open(dir, slog.Default())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for i := s.Applied() + 1; ; i++ {
		s.Put(i, []*rinkpb.Record{final(testJob(uint32(i), int(i)))})
		if i%7 == 0 {
			if err := s.Flush(); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			fmt.Println(i)
		}
	}
}

func TestKilledProcessLosesNothingFlushed(t *testing.T) {
	dir := t.TempDir()
	flushed := uint64(0)
	for round := range 3 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childDir+"="+dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for range 20 {
			if !lines.Scan() {
				t.Fatal("the process ended by itself")
			}
			if flushed, err = strconv.ParseUint(lines.Text(), 10, 64); err != nil {
				t.Fatal(err)
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() { // what it flushed before it was gone
			if flushed, err = strconv.ParseUint(lines.Text(), 10, 64); err != nil {
				t.Fatal(err)
			}
		}
		cmd.Wait()
		s := openTest(t, dir)
		applied := s.Applied()
		if applied < flushed {
			t.Errorf("round %d: applied %d, but %d was flushed", round, applied, flushed)
		}
		list := collect(t, s.Query(Filter{}, nil))
		if uint64(len(list)) != applied {
			t.Errorf("round %d: %d records, applied %d", round, len(list), applied)
		}
		for i, r := range list {
			if r.Job.Id != uint32(i)+1 {
				t.Fatalf("round %d: record %d is of job %d", round, i, r.Job.Id)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDamagedFileIsRefusedByName(t *testing.T) {
	dir := t.TempDir()
	s := openTest(t, dir)
	for i := range 3000 {
		s.Put(uint64(i)+1, []*rinkpb.Record{final(testJob(uint32(i)+1, i))})
	}
	used := usedBytes(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(s.path)
	if err != nil {
		t.Fatal(err)
	}
	page := os.Getpagesize()
	for _, tt := range []struct {
		name   string
		damage func(b []byte) []byte
	}{
		{"Text", func([]byte) []byte { return []byte("this is not a history, whatever its name may say\n") }},
		{"CutToAPage", func(b []byte) []byte { return b[:page] }},
		{"CutInHalf", func(b []byte) []byte { return b[:used/2/page*page] }},
		{"CutAtTheEnd", func(b []byte) []byte { return b[:used-page] }},
		{"MetaPagesZeroed", func(b []byte) []byte { clear(b[:2*page]); return b }},
		{"AllButMetaZeroed", func(b []byte) []byte { clear(b[2*page:]); return b }},
		{"AllButMetaOnes", func(b []byte) []byte {
			for i := range b[2*page:] {
				b[2*page+i] = 0xff
			}
			return b
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, fileName)
			if err := os.WriteFile(path, tt.damage(bytes.Clone(good)), 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := Open(dir, slog.New(slog.DiscardHandler))
			if err == nil {
				s.Close()
				t.Fatal("it was opened")
			}
			if !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "cannot open the history") {
				t.Errorf("error %v, want one that names %s", err, path)
			}
		})
	}
}

// usedBytes returns how much of the file is in use; after it is room to grow.
func usedBytes(t *testing.T, s *Store) (used int) {
	t.Helper()
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := s.view(func(tx *txn) error { used = int(tx.Size()); return nil }); err != nil {
		t.Fatal(err)
	}
	return used
}

// Damage that Open does not come across is found by the reader that does.
func TestDamagedPageIsAnErrorOfTheQuery(t *testing.T) {
	dir := t.TempDir()
	s := openTest(t, dir)
	const jobs = 400
	for i := range jobs {
		s.Put(uint64(i)+1, []*rinkpb.Record{final(testJob(uint32(i)+1, i))})
	}
	used := usedBytes(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(s.path)
	if err != nil {
		t.Fatal(err)
	}
	page := os.Getpagesize()
	refused, found, clean := 0, 0, 0
	for p := 2; p < used/page; p++ {
		bad := bytes.Clone(good[:used])
		for i := range bad[p*page : (p+1)*page] {
			bad[p*page+i] = byte(i*7 + p)
		}
		dir := t.TempDir()
		path := filepath.Join(dir, fileName)
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(dir, slog.New(slog.DiscardHandler))
		if err != nil {
			refused++
			if !strings.Contains(err.Error(), path) {
				t.Errorf("page %d: %v", p, err)
			}
			continue
		}
		n := 0
		for r, qErr := range s.Query(Filter{Steps: true}, nil) {
			if qErr != nil {
				err = qErr
				break
			}
			if r.Job.Id != uint32(n)+1 {
				t.Errorf("page %d: record %d is of job %d", p, n, r.Job.Id)
			}
			n++
		}
		switch {
		case err == nil && n == jobs:
			clean++ // a page of an index, or one not in use
		case err == nil:
			t.Errorf("page %d: %d records of %d and no error", p, n, jobs)
		default:
			found++
			if !strings.Contains(err.Error(), path) {
				t.Errorf("page %d: %v", p, err)
			}
		}
		s.Close()
	}
	if refused == 0 || found == 0 {
		t.Errorf("%d refused, %d found by the query, %d not seen", refused, found, clean)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	s := openTest(t, dir)
	if _, err := Open(dir, nil); err == nil || !strings.Contains(err.Error(), "another process has it open") {
		t.Errorf("error %v, want a refusal: it is open", err)
	}
	err := s.update(func(tx *txn) error { return writeHead(tx, &rinkpb.KeptHead{Format: formatNow + 1}) })
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	if _, err := Open(dir, nil); err == nil || !strings.Contains(err.Error(), "has format 3 (this version reads up to 2)") {
		t.Errorf("error %v, want a refusal: a newer format", err)
	}

	foreign := t.TempDir()
	db, err := bolt.Open(filepath.Join(foreign, fileName), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Update(func(tx *bolt.Tx) error { _, err := tx.CreateBucket([]byte("logs")); return err }); err != nil {
		t.Fatal(err)
	}
	db.Close()
	if _, err := Open(foreign, nil); err == nil || !strings.Contains(err.Error(), "not a history") {
		t.Errorf("error %v, want a refusal: not a history", err)
	}
}

func TestFailedWritesAreToldAndTriedAgain(t *testing.T) {
	var log lockedBuffer
	s, err := Open(t.TempDir(), slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	// Take the words bucket away from under the writer: commits fail until it is
	// back.
	take := func(name, to []byte) {
		t.Helper()
		err := s.update(func(tx *txn) error {
			if _, err := tx.CreateBucket(to); err != nil {
				return err
			}
			return tx.DeleteBucket(name)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	take(bucketWords, []byte("elsewhere"))
	s.Put(1, []*rinkpb.Record{final(testJob(1, 1))})
	if err := s.Flush(); err == nil || !strings.Contains(err.Error(), s.path) {
		t.Errorf("Flush: %v, want an error that names %s", err, s.path)
	}
	for _, err := range s.Query(Filter{}, nil) {
		if err == nil {
			t.Error("a query answered without what was put")
		}
	}
	if got := s.Applied(); got != 0 {
		t.Errorf("applied %d while nothing is written", got)
	}
	if !strings.Contains(log.String(), "history not written") {
		t.Errorf("log: %s", log.String())
	}
	take([]byte("elsewhere"), bucketWords)
	for end := time.Now().Add(10 * time.Second); s.Applied() != 1; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it was not tried again")
		}
	}
	if err := s.Flush(); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

type lockedBuffer struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func TestABadRecordDoesNotStopTheOthers(t *testing.T) {
	var log lockedBuffer
	s, err := Open(t.TempDir(), slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	bad := testJob(2, 2)
	bad.Account = "\xff\xfe"
	s.Put(1, []*rinkpb.Record{final(testJob(1, 1)), {}, final(bad), final(testJob(3, 3))})
	var ids []uint32
	for _, r := range collect(t, s.Query(Filter{}, nil)) {
		ids = append(ids, r.Job.Id)
	}
	if !slices.Equal(ids, []uint32{1, 3}) {
		t.Errorf("jobs %v, want 1 and 3", ids)
	}
	if s := log.String(); !strings.Contains(s, "job 2: cannot lay out") || !strings.Contains(s, "it has no job") {
		t.Errorf("log: %s", s)
	}
}

func TestClosed(t *testing.T) {
	s := openTest(t, t.TempDir())
	s.Put(1, []*rinkpb.Record{final(testJob(1, 1))})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s.Applied() != 1 {
		t.Error("what was queued was not written")
	}
	s.Put(2, []*rinkpb.Record{final(testJob(2, 2))})
	for _, err := range s.Query(Filter{}, nil) {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("query: %v, want ErrClosed", err)
		}
	}
}

func TestPutFlushAndQueryTogether(t *testing.T) {
	s := openTest(t, t.TempDir())
	const each, writers = 300, 1
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for i := range each {
				s.Put(uint64(i)+1, []*rinkpb.Record{final(testJob(uint32(i)+1, i))})
			}
		})
	}
	for range 3 {
		wg.Go(func() {
			for range 10 {
				before := s.Applied()
				n := 0
				for r, err := range s.Query(Filter{Steps: true}, seqOf(final(testJob(1, 0)))) {
					if err != nil {
						t.Error(err)
						return
					}
					if r.Job.Id != uint32(n)+1 {
						t.Errorf("record %d is of job %d", n, r.Job.Id)
					}
					n++
				}
				if uint64(n) < before {
					t.Errorf("%d records when %d were on disk", n, before)
				}
			}
		})
		wg.Go(func() {
			for range 10 {
				if err := s.Flush(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := len(collect(t, s.Query(Filter{}, nil))); n != each {
		t.Errorf("%d records, want %d", n, each)
	}
}

func TestFetchingBringsAnotherControllersHistory(t *testing.T) {
	from := openTest(t, t.TempDir())
	running := testJob(5000, 1)
	running.State, running.End = uint32(slurm.JobRunning), 0
	for i := range 600 {
		index := uint64(i)*3 + 5
		j := testJob(uint32(i)+1, i)
		from.Put(index, []*rinkpb.Record{
			{Job: j, Steps: []*rinkpb.Step{{Id: 0, Name: "a", Start: j.Start, End: j.End}}, Requeued: i%2 == 0},
			{Job: running, Live: true, Steps: []*rinkpb.Step{{Id: uint32(i), Name: "b", Start: 1, End: 2}}},
		})
	}
	from.Put(8000, []*rinkpb.Record{{Job: running, Live: true, Batch: &rinkpb.Usage{UserCpu: 5}}})
	all := collect(t, from.Query(Filter{Steps: true}, nil))

	for _, tt := range []struct {
		name string
		have int // entries the other has applied already
	}{{"Empty", 0}, {"Half", 300}, {"AllButTheLast", 600}} {
		t.Run(tt.name, func(t *testing.T) {
			to := openTest(t, t.TempDir())
			for i := range tt.have {
				index := uint64(i)*3 + 5
				j := testJob(uint32(i)+1, i)
				to.Put(index, []*rinkpb.Record{
					{Job: j, Steps: []*rinkpb.Step{{Id: 0, Name: "a", Start: j.Start, End: j.End}}, Requeued: i%2 == 0},
					{Job: running, Live: true, Steps: []*rinkpb.Step{{Id: uint32(i), Name: "b", Start: 1, End: 2}}},
				})
			}
			if err := to.Flush(); err != nil {
				t.Fatal(err)
			}
			fetch(t, to, from)
			if to.Applied() != 8000 {
				t.Errorf("applied %d, want 8000", to.Applied())
			}
			got := collect(t, to.Query(Filter{Steps: true}, nil))
			if len(got) != len(all) {
				t.Fatalf("%d records, want %d", len(got), len(all))
			}
			for i := range got {
				if !proto.Equal(got[i], all[i]) {
					t.Fatalf("record %d is %v, want %v", i, got[i], all[i])
				}
			}
			// The running job ends: its steps and its batch script are there.
			ended := testJob(5000, 1)
			ended.BatchUsage = nil
			to.Put(8001, []*rinkpb.Record{final(ended)})
			if r := one(t, to, 5000); len(r.Steps) != 600 || r.Batch.GetUserCpu() != 5 {
				t.Errorf("%d steps, batch %v", len(r.Steps), r.Batch)
			}
			// What is replayed after it was fetched counts as before.
			to.Put(7000, []*rinkpb.Record{final(testJob(9999, 1))})
			if n := len(collect(t, to.Query(Filter{Refs: []*rinkpb.JobRef{{Job: 9999}}}, nil))); n != 0 {
				t.Error("an entry from before it was fetched was written")
			}
		})
	}
}
