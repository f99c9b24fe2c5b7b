package barn

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"golang.org/x/sys/unix"
)

// filled makes a directory with a log and a snapshot, closes it and returns it
// with the tokens that are in it.
func filled(t testing.TB, snapshot bool) (dir string, want []string) {
	t.Helper()
	dir = t.TempDir()
	o := options(t, dir)
	o.TrailingRecords = 1
	b := open(t, o)
	for i := range 40 {
		add(t, b, fmt.Sprint("token", i))
	}
	if snapshot {
		if err := b.Snapshot(); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 10 {
		add(t, b, fmt.Sprint("late", i))
	}
	want = tokens(b)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, want
}

// one returns the file that a pattern below dir names.
func one(t testing.TB, dir, pattern string) string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(list) != 1 {
		t.Fatalf("%s names %v (%v)", pattern, list, err)
	}
	return list[0]
}

func cutFile(t testing.TB, path string, part float64) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, int64(float64(info.Size())*part)); err != nil {
		t.Fatal(err)
	}
}

func flipByte(t testing.TB, path string, at int64) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[at] ^= 0x5a
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestDamageIsNamed(t *testing.T) {
	const log, snap, meta = logName, "snapshots/*/state.bin", "snapshots/*/meta.json"
	dir, _ := filled(t, true)
	for _, c := range []struct {
		name string
		file string // the error must name it
		do   func(t *testing.T, path string)
		want string
	}{
		{"ErrLogHalf", log, func(t *testing.T, p string) { cutFile(t, p, 0.5) }, "was truncated"},
		{"ErrLogTiny", log, func(t *testing.T, p string) { cutFile(t, p, 0.01) }, ""},
		{"ErrLogEmpty", log, func(t *testing.T, p string) { cutFile(t, p, 0) }, "is empty"},
		{"ErrLogMissing", log, func(t *testing.T, p string) { os.Remove(p) }, "is missing"},
		{"ErrLogGarbage", log, func(t *testing.T, p string) { os.WriteFile(p, []byte(strings.Repeat("garbage ", 9000)), 0o600) }, "header pages"},
		{"ErrSnapshotHalf", snap, func(t *testing.T, p string) { cutFile(t, p, 0.5) }, "bytes long"},
		{"ErrSnapshotFlip", snap, func(t *testing.T, p string) { flipByte(t, p, 100) }, "CRC mismatch"},
		{"ErrSnapshotMissing", "snapshots/*", func(t *testing.T, p string) { os.Remove(filepath.Join(p, snapshotFile)) }, "state.bin"},
		{"ErrSnapshotMeta", "snapshots/*", func(t *testing.T, p string) { os.WriteFile(filepath.Join(p, snapshotMeta), []byte("{"), 0o600) }, "meta.json"},
		{"ErrSnapshotGone", log, func(t *testing.T, p string) { os.RemoveAll(filepath.Join(filepath.Dir(p), snapshotsName)) }, "there is no snapshot"},
		{"ErrIdentity", identityName, func(t *testing.T, p string) { cutFile(t, p, 0.5) }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			here := copyDir(t, dir)
			path := one(t, here, c.file)
			c.do(t, path)
			b, err := Open(options(t, here))
			if err == nil {
				b.Close()
				t.Fatalf("it was opened, with %v", tokens(b))
			}
			if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want ErrDamaged, %q and %q in it", err, path, c.want)
			}
			// Nobody is kept out by a failed attempt.
			if lock, err := lockDir(here); err != nil {
				t.Error(err)
			} else {
				lock.release()
			}
		})
	}
}

// Whatever bit of the log is damaged: the barn is refused with the file's
// name, or everything is still there because it was not in use. Two things
// cannot be told, for bbolt has no checksums there: a header page that is not
// whole looks like a commit that a crash cut short, which nobody was told of,
// and bbolt goes back to the one before; and a page number may come to be that
// of the page's version of a few commits ago.
func TestNoFlippedByteGoesUnseen(t *testing.T) {
	dir, want := filled(t, false)
	pristine, err := os.ReadFile(filepath.Join(dir, logName))
	if err != nil {
		t.Fatal(err)
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	// Most of the file is not in use; damage is done where there is something.
	var used []int
	untold := func(at int) bool {
		page := at - at%os.Getpagesize()
		p := pristine[page:]
		// What holds numbers of pages: a branch, and the leaf that says where buckets begin.
		return page < 2*os.Getpagesize() || le16(p[8:]) == boltBranch || le16(p[8:]) == boltLeaf && le16(p[10:]) > 0 && le32(p[boltPageHeader:]) == 1
	}
	for i, c := range pristine {
		if c != 0 {
			used = append(used, i)
		}
	}
	refused, opened := 0, 0
	for range 300 {
		at := used[rnd.IntN(len(used))]
		if rnd.IntN(4) == 0 {
			at = rnd.IntN(len(pristine))
		}
		bad := slices.Clone(pristine)
		bad[at] ^= byte(1 << rnd.IntN(8))
		path := filepath.Join(dir, logName)
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		o := options(t, dir)
		o.NoSync, o.Logger = true, nil
		b, err := Open(o)
		if err != nil {
			refused++
			if !strings.Contains(err.Error(), path) {
				t.Errorf("a bit at %d: %v does not name the file", at, err)
			}
			continue
		}
		opened++
		if _, _, err := b.WaitReady(within(t, 10*time.Second)); err != nil {
			t.Errorf("a bit at %d: %v", at, err)
		}
		got := tokens(b)
		if untold(at) && len(got) < len(want) && len(got) >= len(want)-3 {
			got = want // the last commits alone
		}
		if !slices.Equal(got, want) {
			t.Errorf("a bit at %d went unseen: %d tokens of %d", at, len(got), len(want))
		}
		b.Close()
	}
	t.Logf("%d refused, %d opened", refused, opened)
}

func TestCutLogIsRefusedAtEveryLength(t *testing.T) {
	dir, want := filled(t, false)
	path := filepath.Join(dir, logName)
	pristine, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for size := 0; size < len(pristine); size += 1777 {
		if err := os.WriteFile(path, pristine[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		b, err := Open(options(t, dir))
		if err == nil {
			if _, _, err := b.WaitReady(within(t, 10*time.Second)); err != nil {
				t.Error(err)
			}
			// Only pages that nothing is in may be missing.
			wantTokens(t, b, want...)
			b.Close()
			continue
		}
		if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), path) {
			t.Errorf("cut to %d: %v", size, err)
		}
	}
}

// A log that breaks while it is open, so that memory behind it is gone, is
// reported; the goroutine that read it ends and nothing panics.
func TestLogThatBreaksWhileOpen(t *testing.T) {
	dir, _ := filled(t, false)
	s, err := openStore(filepath.Join(dir, logName), true)
	if err != nil {
		t.Fatal(err)
	}
	failed := make(chan error, 1)
	s.fail, s.closing, s.snapshot = func(err error) { failed <- err }, make(chan struct{}), func() uint64 { return 0 }
	s.onFull = func(bool, error) {}
	s.live.Store(true)
	if err := os.Truncate(s.path, 8192); err != nil {
		t.Fatal(err)
	}
	ended := make(chan bool)
	go func() {
		defer close(ended)
		var log raft.Log
		err := s.GetLog(10, &log)
		t.Errorf("GetLog came back with %v", err)
	}()
	<-ended
	if err := <-failed; !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), s.path) {
		t.Errorf("got %v", err)
	}
	if err := s.StoreLog(&raft.Log{Index: 99}); err == nil {
		t.Error("a broken log took an entry")
	}
	s.close()
}

func TestUnfinishedSnapshotIsSwept(t *testing.T) {
	dir, want := filled(t, true)
	left := filepath.Join(dir, snapshotsName, "9-99-123.tmp")
	if err := os.MkdirAll(left, 0o700); err != nil {
		t.Fatal(err)
	}
	wantTokens(t, open(t, options(t, dir)), want...)
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there", left)
	}
}

// While there is no space proposals fail and say so; nothing acknowledged is
// lost, and when there is space again things go on.
func TestFullDisk(t *testing.T) {
	full := make(chan struct{}) // closed: full
	room := make(chan struct{}) // closed: no longer
	o := options(t, t.TempDir())
	o.HeartbeatTimeout, o.ElectionTimeout, o.LeaderLease = 100*time.Millisecond, 100*time.Millisecond, 50*time.Millisecond
	o.WriteFault = func(op string) error {
		select {
		case <-room:
			return nil
		default:
		}
		select {
		case <-full:
			return fmt.Errorf("write /somewhere: %w", syscall.ENOSPC)
		default:
			return nil
		}
	}
	b := open(t, o)
	told := b.Leadership()
	first := <-told
	add(t, b, "a")
	close(full)
	for range 5 {
		if _, err := b.Propose(within(t, 5*time.Second), system, token("b")); !errors.Is(err, ErrFull) && !errors.Is(err, ErrNotLeader) {
			t.Errorf("on a full disk: %v", err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	if _, err := b.Propose(within(t, 5*time.Second), system, token("b")); !errors.Is(err, ErrFull) {
		t.Errorf("on a full disk, after a while: %v", err)
	}
	wantTokens(t, b, "a")
	close(room)
	if _, _, err := b.WaitReady(within(t, 10*time.Second)); err != nil {
		t.Fatal(err)
	}
	add(t, b, "b")
	wantTokens(t, b, "a", "b")
	if err := b.Err(); err != nil {
		t.Errorf("a full disk made the barn fail: %v", err)
	}
	for l := range told {
		if l.Leader {
			if l.Term <= first.Term {
				t.Errorf("told %+v after %+v", l, first)
			}
			break
		}
	}
}

// A barn that waits for space can be closed.
func TestCloseOnAFullDisk(t *testing.T) {
	o := options(t, t.TempDir())
	o.HeartbeatTimeout, o.ElectionTimeout, o.LeaderLease = 100*time.Millisecond, 100*time.Millisecond, 50*time.Millisecond
	full := make(chan struct{})
	o.WriteFault = func(string) error {
		select {
		case <-full:
			return syscall.ENOSPC
		default:
			return nil
		}
	}
	b := open(t, o)
	close(full)
	if _, err := b.Propose(within(t, time.Second), system, token("a")); !errors.Is(err, ErrFull) {
		t.Errorf("got %v", err)
	}
	time.Sleep(400 * time.Millisecond) // it stands for election and cannot store its term
	done := make(chan error)
	go func() { done <- b.Close() }()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("Close does not come back")
	}
}

// A disk that fails ends it all, in words.
func TestBrokenDiskFails(t *testing.T) {
	o := options(t, t.TempDir())
	broken := make(chan struct{})
	o.WriteFault = func(string) error {
		select {
		case <-broken:
			return syscall.EIO
		default:
			return nil
		}
	}
	b := open(t, o)
	add(t, b, "a")
	close(broken)
	if _, err := b.Propose(within(t, 5*time.Second), system, token("b")); !errors.Is(err, ErrLost) {
		t.Errorf("got %v", err)
	}
	select {
	case err := <-b.Failed():
		if !errors.Is(err, syscall.EIO) || !strings.Contains(err.Error(), o.Dir) {
			t.Errorf("failed with %v", err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("it did not fail")
	}
	if _, err := b.Propose(within(t, 5*time.Second), system, token("c")); !errors.Is(err, ErrClosed) || !errors.Is(err, syscall.EIO) {
		t.Errorf("got %v", err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}

// The same on a real file system that is really full.
func TestFullFileSystem(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("barn-test", dir, "tmpfs", 0, "size=2m"); err != nil {
		t.Skipf("cannot mount a small file system: %v", err)
	}
	// Runs after the barn is closed, whose cleanup is registered later. The
	// library's file of a snapshot that failed is closed by the collector.
	t.Cleanup(func() {
		var err error
		for range 50 {
			runtime.GC()
			if err = unix.Unmount(dir, 0); err == nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
		t.Error(err)
	})
	o := options(t, dir)
	o.HeartbeatTimeout, o.ElectionTimeout, o.LeaderLease = 100*time.Millisecond, 100*time.Millisecond, 50*time.Millisecond
	b := open(t, o)
	fill := func() (names []string) {
		pad := strings.Repeat("x", 50<<10)
		for i := 0; ; i++ {
			name := fmt.Sprint(len(tokens(b)), i, pad)
			_, err := b.Propose(within(t, 10*time.Second), system, token(name))
			if err != nil {
				if !errors.Is(err, ErrFull) {
					t.Errorf("got %v, want ErrFull", err)
				}
				return names
			}
			names = append(names, name)
		}
	}
	want := fill()
	if len(want) < 5 {
		t.Errorf("only %d went in", len(want))
	}
	wantTokens(t, b, want...)
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT, "size=8m"); err != nil {
		t.Fatal(err)
	}
	for ctx := within(t, 10*time.Second); ; time.Sleep(10 * time.Millisecond) {
		_, err := b.Propose(ctx, system, token("there is room again"))
		if err == nil {
			break
		}
		if ctx.Err() != nil || !errors.Is(err, ErrNotLeader) && !errors.Is(err, ErrFull) {
			t.Fatal(err)
		}
	}
	want = append(want, "there is room again")
	wantTokens(t, b, want...)
	b.Close()
	again := open(t, o)
	wantTokens(t, again, want...)
	again.Close()

	// With some space kept free the lead is not even lost.
	o.MinFree = 1 << 20
	b = open(t, o)
	term := b.Term()
	want = append(want, fill()...)
	if !b.IsLeader() || b.Term() != term {
		t.Errorf("the lead was lost although space was kept free")
	}
	wantTokens(t, b, want...)
	if err := b.Snapshot(); err != nil {
		t.Logf("snapshot on a full disk: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, snapshotsName, "*.tmp")); len(left) > 0 {
		t.Errorf("a snapshot that found no space left %v", left)
	}
	b.Close()
}
