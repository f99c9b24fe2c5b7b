package barn

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/runink/rink/barn/state"
)

// TestMain wants every goroutine of this package and of Raft to have ended
// with the barns of the tests.
func TestMain(m *testing.M) {
	code := m.Run()
	var left string
	for range 100 {
		if left = ourGoroutines(); left == "" {
			os.Exit(code)
		}
		time.Sleep(50 * time.Millisecond)
	}
	fmt.Fprintf(os.Stderr, "goroutines are left after all is closed:\n%s\n", left)
	os.Exit(max(code, 1))
}

func ourGoroutines() string {
	buf := make([]byte, 1<<20)
	var list []string
	for i, g := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if i > 0 && (strings.Contains(g, "rink/barn.") || strings.Contains(g, "hashicorp/raft")) {
			list = append(list, g)
		}
	}
	return strings.Join(list, "\n\n")
}

var system = state.Actor{System: true}

// token is a command that can be told apart again: a token of that name, which
// a second proposal of the same name refuses.
func token(name string) state.Command {
	return state.AddToken{Hash: name, Role: "node", Name: name, Expires: time.Unix(4_000_000_000, 0)}
}

// testWriter hands log lines to the test, until that is over.
type testWriter struct {
	t  testing.TB
	mu sync.Mutex
}

func (w *testWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.t != nil {
		w.t.Logf("%s", bytes.TrimRight(p, "\n"))
	}
	return len(p), nil
}

// testLevel is lowered to see all that Raft says.
const testLevel = slog.LevelInfo

func testLogger(t testing.TB, name string) *slog.Logger {
	w := &testWriter{t: t}
	t.Cleanup(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.t = nil
	})
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: testLevel})).With("at", name)
}

func options(t testing.TB, dir string) Options {
	return Options{Dir: dir, ID: "ctl1", Cluster: "test", Bootstrap: true, MinFree: -1, Logger: testLogger(t, "ctl1")}
}

// open opens a barn and waits until it leads; the test closes it.
func open(t testing.TB, o Options) *Barn {
	t.Helper()
	b, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	if _, _, err := b.WaitReady(within(t, 10*time.Second)); err != nil {
		t.Fatal(err)
	}
	return b
}

func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// add proposes tokens in one call and wants each to be accepted.
func add(t testing.TB, b *Barn, names ...string) []state.Result {
	t.Helper()
	var cmds []state.Command
	for _, n := range names {
		cmds = append(cmds, token(n))
	}
	results, err := b.Propose(within(t, 20*time.Second), system, cmds...)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range results {
		if r.Err != nil {
			t.Fatalf("%s was refused: %v", names[i], r.Err)
		}
	}
	return results
}

// tokens returns the names of the tokens there are, in order.
func tokens(b *Barn) []string {
	var list []string
	b.Read(func(s *state.State) {
		for _, t := range s.Dump().Tokens {
			list = append(list, t.Hash)
		}
	})
	return list
}

func wantTokens(t testing.TB, b *Barn, want ...string) {
	t.Helper()
	slices.Sort(want)
	if got := tokens(b); !slices.Equal(got, want) {
		t.Errorf("there are the tokens %v, want %v", got, want)
	}
}

// copyDir copies what is on disk at this moment, as a crash would leave it.
func copyDir(t testing.TB, from string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

func TestSingleControllerLeadsWithinASecond(t *testing.T) {
	began := time.Now()
	b := open(t, options(t, t.TempDir()))
	if took := time.Since(began); took > time.Second {
		t.Errorf("it took %v", took)
	}
	if id, _ := b.Leader(); id != "ctl1" || !b.IsLeader() || b.Term() == 0 {
		t.Errorf("leader is %q, term %d", id, b.Term())
	}
	if s := b.Servers(); len(s) != 1 || s[0] != (Server{ID: "ctl1", Address: "ctl1", Voter: true, Leader: true}) {
		t.Errorf("servers are %v", s)
	}
	if b.Stats()["state"] != "Leader" {
		t.Errorf("stats are %v", b.Stats())
	}
	if err := errors.Join(b.VerifyLeader(within(t, time.Second)), b.Barrier(within(t, time.Second))); err != nil {
		t.Error(err)
	}
}

func TestAcknowledgedSurvivesACrash(t *testing.T) {
	dir := t.TempDir()
	b := open(t, options(t, dir))
	add(t, b, "a", "b")
	add(t, b, "c")
	term := b.Term()
	// The process is not closed: what it has on disk at this moment is what a
	// crash would leave.
	again := open(t, options(t, copyDir(t, dir)))
	wantTokens(t, again, "a", "b", "c")
	if again.Term() <= term {
		t.Errorf("term %d after term %d", again.Term(), term)
	}
	add(t, again, "d")
	wantTokens(t, again, "a", "b", "c", "d")
}

func TestCloseAndReopen(t *testing.T) {
	dir := t.TempDir()
	for i := range 3 {
		b := open(t, options(t, dir))
		add(t, b, fmt.Sprint(i))
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Propose(context.Background(), system, token("late")); !errors.Is(err, ErrClosed) {
			t.Errorf("proposing to a closed barn: %v", err)
		}
	}
	wantTokens(t, open(t, options(t, dir)), "0", "1", "2")
}

func TestSnapshotAndRestore(t *testing.T) {
	dir := t.TempDir()
	o := options(t, dir)
	o.TrailingRecords = 1
	b := open(t, o)
	for i := range 50 {
		add(t, b, fmt.Sprint("before", i))
	}
	index, at := b.Index()
	if err := b.Snapshot(); err != nil {
		t.Fatal(err)
	}
	copied := copyDir(t, dir)
	add(t, b, "after")
	if first, err := b.store.FirstIndex(); err != nil || first < index-20 {
		t.Errorf("the log begins at %d after a snapshot at %d (%v)", first, index, err)
	}
	want := tokens(b)

	restored := open(t, options(t, copied))
	if i, a := restored.Index(); i != index || !a.Equal(at) {
		t.Errorf("restored at %d, %v; want %d, %v", i, a, index, at)
	}
	b.Close()
	wantTokens(t, open(t, options(t, dir)), want...)
}

func TestSnapshotIsTakenBySize(t *testing.T) {
	o := options(t, t.TempDir())
	o.SnapshotBytes, o.TrailingRecords = 64<<10, 4096
	b := open(t, o)
	big := strings.Repeat("x", 8<<10)
	for i := range 40 {
		add(t, b, fmt.Sprint(i, big))
	}
	for range 200 {
		if n, err := b.snaps.newest(); err != nil {
			t.Fatal(err)
		} else if n > 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("there is no snapshot after five times the bytes for one")
}

func TestSecondOpenerIsRefused(t *testing.T) {
	dir := t.TempDir()
	open(t, options(t, dir))
	_, err := Open(options(t, dir))
	if !errors.Is(err, ErrHeld) || !strings.Contains(fmt.Sprint(err), fmt.Sprintf("pid %d", os.Getpid())) || !strings.Contains(fmt.Sprint(err), dir) {
		t.Errorf("got %v, want one that names pid %d and %s", err, os.Getpid(), dir)
	}
}

func TestDirectoryOfAnotherIsRefused(t *testing.T) {
	dir := t.TempDir()
	open(t, options(t, dir)).Close()
	for _, c := range []struct {
		name   string
		change func(*Options)
		want   string
	}{
		{"ErrCluster", func(o *Options) { o.Cluster = "other" }, `belongs to cluster "test"`},
		{"ErrID", func(o *Options) { o.ID = "ctl2" }, `belongs to controller "ctl1"`},
		{"ErrNoDir", func(o *Options) { o.Dir = "" }, "without Dir"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := options(t, dir)
			c.change(&o)
			if _, err := Open(o); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestResultsComeBackInOrder(t *testing.T) {
	b := open(t, options(t, t.TempDir()))
	const callers, rounds, each = 16, 20, 3
	var wg sync.WaitGroup
	for c := range callers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for r := range rounds {
				var cmds []state.Command
				for e := range each {
					cmds = append(cmds, token(fmt.Sprintf("%d/%d/%d", c, r, e)))
				}
				// The second of the same name is refused, which tells the
				// results apart.
				cmds = append(cmds, cmds[1])
				results, err := b.Propose(context.Background(), system, cmds...)
				if err != nil {
					t.Errorf("caller %d: %v", c, err)
					return
				}
				for i, res := range results {
					if (res.Err != nil) != (i == each) || res.Index != results[0].Index {
						t.Errorf("caller %d round %d: result %d is %+v", c, r, i, res)
					}
				}
			}
		}()
	}
	wg.Wait()
	if n := len(tokens(b)); n != callers*rounds*each {
		t.Errorf("there are %d tokens, want %d", n, callers*rounds*each)
	}
}

func TestTimeNeverGoesBack(t *testing.T) {
	dir := t.TempDir()
	o := options(t, dir)
	var mu sync.Mutex
	now := time.Now()
	o.now = func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(-time.Hour)
		return now
	}
	b := open(t, o)
	var last time.Time
	for i := range 5 {
		add(t, b, fmt.Sprint(i))
		_, at := b.Index()
		if at.Before(last) {
			t.Errorf("time went from %v to %v", last, at)
		}
		last = at
	}
	b.Close()
	b = open(t, o)
	add(t, b, "again")
	if _, at := b.Index(); at.Before(last) {
		t.Errorf("time went from %v to %v over a restart", last, at)
	}
}

func TestWatchersSeeAllInOrder(t *testing.T) {
	dir := t.TempDir()
	b := open(t, options(t, dir))
	early, err := b.Watch(0)
	if err != nil {
		t.Fatal(err)
	}
	add(t, b, "a")
	seen := 0
	late := b.Follow(func(s *state.State) { seen = len(s.Dump().Tokens) })
	for i := range 100 {
		add(t, b, fmt.Sprint(i))
	}
	if seen != 1 {
		t.Errorf("Follow saw %d tokens, want 1", seen)
	}
	var last uint64
	count := func(w *Watcher, want int) {
		t.Helper()
		last = 0
		for range want {
			batch, err := w.Next(within(t, 5*time.Second))
			if err != nil {
				t.Fatal(err)
			}
			if batch.Index <= last || batch.At.IsZero() {
				t.Fatalf("batch %+v after %d", batch, last)
			}
			last = batch.Index
		}
	}
	count(early, 101)
	count(late, 100)
	middle, err := b.Watch(last - 10)
	if err != nil {
		t.Fatal(err)
	}
	count(middle, 10)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := middle.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled wait gave %v", err)
	}
	b.Close()
	if _, err := middle.Next(context.Background()); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close a watcher got %v", err)
	}

	// After a restart a watcher made at once sees what is replayed.
	again, err := Open(options(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { again.Close() })
	w, err := again.Watch(0)
	if err != nil {
		t.Fatal(err)
	}
	count(w, 101)
}

func TestWatchFromLongAgoIsRefused(t *testing.T) {
	s := newStream()
	for i := range 2 * keptBatches {
		s.publish(Batch{Index: uint64(i + 1)})
	}
	var compacted *CompactedError
	if _, err := s.watch(5); !errors.As(err, &compacted) || !errors.Is(err, ErrCompacted) || compacted.Oldest != keptBatches {
		t.Errorf("got %v", err)
	}
	w, err := s.watch(keptBatches)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := w.Next(context.Background()); err != nil || b.Index != keptBatches+1 {
		t.Errorf("got %+v, %v", b, err)
	}
	s.publish(Batch{Index: 9999, Reset: true})
	if _, err := s.watch(3 * keptBatches); !errors.Is(err, ErrCompacted) {
		t.Errorf("watching from before a reset gave %v", err)
	}
}

// sink is a Sink that remembers in memory what it has consumed and what of
// that was flushed.
type sink struct {
	mu      sync.Mutex
	got     []uint64
	flushed uint64
	missed  [][2]uint64
	err     error
	inside  bool
}

func (s *sink) enter() {
	s.mu.Lock()
	if s.inside {
		panic("two calls at once")
	}
	s.inside = true
	s.mu.Unlock()
	time.Sleep(100 * time.Microsecond)
	s.mu.Lock()
	s.inside = false
}

func (s *sink) Consume(index uint64, at time.Time, events []state.Event) {
	s.enter()
	defer s.mu.Unlock()
	s.got = append(s.got, index)
}

func (s *sink) Flush() error {
	s.enter()
	defer s.mu.Unlock()
	if s.err == nil && len(s.got) > 0 {
		s.flushed = max(s.flushed, s.got[len(s.got)-1])
	}
	return s.err
}

func (s *sink) Applied() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.flushed
}

func (s *sink) Missed(from, to uint64, alone bool) {
	s.enter()
	defer s.mu.Unlock()
	s.missed = append(s.missed, [2]uint64{from, to})
	s.flushed = to
}

func TestSinksAreFedOnceAndFlushedBeforeASnapshot(t *testing.T) {
	dir := t.TempDir()
	s := &sink{}
	o := options(t, dir)
	o.Sinks = []Sink{s}
	b := open(t, o)
	for i := range 10 {
		add(t, b, fmt.Sprint(i))
	}
	index, _ := b.Index()
	if err := b.Snapshot(); err != nil {
		t.Fatal(err)
	}
	if s.Applied() < index {
		t.Errorf("a snapshot at %d was written while the sink had %d on disk", index, s.Applied())
	}
	add(t, b, "x", "y")
	crashed := copyDir(t, dir)
	onDisk := &sink{flushed: s.Applied()} // x and y were not flushed
	b.Close()
	if s.Applied() <= index || len(s.got) != 11 || !slices.IsSorted(s.got) {
		t.Errorf("the sink has %d, got %v", s.Applied(), s.got)
	}

	o = options(t, crashed)
	o.Sinks = []Sink{onDisk}
	b = open(t, o)
	b.Close()
	if !slices.Equal(onDisk.got, s.got[10:]) || len(onDisk.missed) > 0 {
		t.Errorf("after a crash the sink got %v, want %v; missed %v", onDisk.got, s.got[10:], onDisk.missed)
	}

	// A sink that lost everything is told what it will not get.
	lost := &sink{}
	o = options(t, copyDir(t, crashed))
	o.Sinks = []Sink{lost}
	open(t, o).Close()
	if len(lost.missed) != 1 || lost.missed[0] != [2]uint64{1, index} {
		t.Errorf("a sink without memory missed %v, want 1 to %d", lost.missed, index)
	}
}

func TestSnapshotFailsWhileASinkCannotFlush(t *testing.T) {
	s := &sink{err: errors.New("no pen")}
	o := options(t, t.TempDir())
	o.Sinks = []Sink{s}
	b := open(t, o)
	add(t, b, "a")
	if err := b.Snapshot(); err == nil || !strings.Contains(err.Error(), "no pen") {
		t.Errorf("got %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(b.snaps.dir, "*")); len(left) > 0 {
		t.Errorf("%v was left behind", left)
	}
	s.mu.Lock()
	s.err = nil
	s.mu.Unlock()
	if err := b.Snapshot(); err != nil {
		t.Error(err)
	}
}

func TestProposalErrors(t *testing.T) {
	o := options(t, t.TempDir())
	o.MaxProposal = 1000
	b := open(t, o)
	if r, err := b.Propose(context.Background(), system); r != nil || err != nil {
		t.Errorf("no commands gave %v, %v", r, err)
	}
	if _, err := b.Propose(context.Background(), system, token(strings.Repeat("x", 2000))); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a large proposal gave %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := b.Propose(ctx, system, token("maybe"))
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled proposal gave %v", err)
	}
	if _, err := b.Propose(context.Background(), system, token("\xff")); err == nil {
		t.Error("a name that is not UTF-8 was taken")
	}
	add(t, b, "still works")
}

func TestWithoutBootstrapItWaits(t *testing.T) {
	o := options(t, t.TempDir())
	o.Bootstrap = false
	b, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if _, err := b.Propose(context.Background(), system, token("a")); !errors.Is(err, ErrNotLeader) {
		t.Errorf("got %v", err)
	}
	if err := b.AddVoter(within(t, time.Second), "ctl2", "elsewhere"); err == nil {
		t.Error("a controller was added without a stream to reach it by")
	}
}

// A controller that was started to join and ended before anybody reached it has lost
// nothing, and is started again.
func TestOneThatNobodyReachedStartsAgain(t *testing.T) {
	o := options(t, t.TempDir())
	o.Bootstrap = false
	for range 3 {
		b, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLeadershipIsTold(t *testing.T) {
	b := open(t, options(t, t.TempDir()))
	ch := b.Leadership()
	if l := <-ch; !l.Leader || l.Term != b.Term() {
		t.Errorf("told %+v in term %d", l, b.Term())
	}
	b.Close()
	for l := range ch {
		if l.Leader {
			t.Errorf("told %+v while closing", l)
		}
	}
	if _, ok := <-b.Leadership(); ok {
		t.Error("a closed barn tells of leadership")
	}
}

func TestRaftLogLevels(t *testing.T) {
	var out bytes.Buffer
	l := newRaftLog(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelInfo})))
	l.Info("entering follower state")
	l.Warn("heartbeat timeout reached, starting election")
	l.With("id", 5).Named("net").Warn("failed to contact", "server-id", raft.ServerID("x"))
	l.Error("failed to take snapshot", "error", errors.New("no pen"))
	want := []string{`level=WARN msg="raft.net: failed to contact" id=5 server-id=x`, `level=ERROR msg="raft: failed to take snapshot" error="no pen"`}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != len(want) {
		t.Fatalf("got %q", lines)
	}
	for i := range want {
		if !strings.HasSuffix(lines[i], want[i]) {
			t.Errorf("got %q, want %q", lines[i], want[i])
		}
	}
}
