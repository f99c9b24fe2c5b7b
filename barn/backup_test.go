package barn

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/runink/rink/api/rinkpb"
)

// backup is a backup of b with some history and a file.
func backup(t testing.TB, b *Barn, past []byte, k Sealer) []byte {
	t.Helper()
	var out bytes.Buffer
	var m *Moment
	m, err := b.Hold(context.Background(), func(*Moment) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	w, err := NewBackupWriter(&out, &rinkpb.BackupHead{Cluster: m.Cluster, Index: m.Index, Term: m.Term}, k)
	if err != nil {
		t.Fatal(err)
	}
	s := w.Section(SectionState)
	if _, err := m.WriteTo(s); err != nil {
		t.Fatal(err)
	}
	p := w.Section(SectionPast)
	if _, err := p.Write(past); err != nil {
		t.Fatal(err)
	}
	for _, c := range []io.Closer{s, p} {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.File("ca/key", []byte("sesame")), w.End()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// readBack reads a backup into memory.
func readBack(b []byte, k Sealer) (parts map[Section][]byte, head *rinkpb.BackupHead, err error) {
	parts = map[Section][]byte{}
	head, _, err = ReadBackup(bytes.NewReader(b), func(*rinkpb.BackupHead) (Sealer, error) { return k, nil }, func(s Section, data []byte) error {
		parts[s] = append(parts[s], data...)
		return nil
	})
	return parts, head, err
}

func TestBackupAndRestore(t *testing.T) {
	b := open(t, options(t, t.TempDir()))
	add(t, b, "a", "b")
	if err := b.Snapshot(); err != nil {
		t.Fatal(err)
	}
	add(t, b, "c")
	past := bytes.Repeat([]byte("history "), 100_000)
	for _, k := range []Sealer{nil, keys("k")} {
		file := backup(t, b, past, k)
		if sealed := !bytes.Contains(file, []byte("history history")); sealed != (k != nil) {
			t.Errorf("the history is sealed: %v, with the key %v", sealed, k)
		}
		parts, head, err := readBack(file, k)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(parts[SectionPast], past) || len(parts[SectionFile]) == 0 {
			t.Errorf("read %d bytes of history and %d of files", len(parts[SectionPast]), len(parts[SectionFile]))
		}
		o := options(t, filepath.Join(t.TempDir(), "barn"))
		o.ID, o.Address = "ctl9", "ctl9"
		if err := Restore(o, head.Term, bytes.NewReader(parts[SectionState])); err != nil {
			t.Fatal(err)
		}
		if err := Verify(o, func(f Finding) {
			if f.Wrong != nil {
				t.Errorf("%s: %v", f.What, f.Wrong)
			}
		}); err != nil {
			t.Error(err)
		}
		fresh := open(t, o)
		wantTokens(t, fresh, "a", "b", "c")
		was, at := b.Index()
		if now, a := fresh.Index(); now != was || !a.Equal(at) {
			t.Errorf("it begins at entry %d (%v), the backup is as of %d (%v)", now, a, was, at)
		}
		if fresh.Term() < head.Term+termLead {
			t.Errorf("it is in term %d, the backup's is %d", fresh.Term(), head.Term)
		}
		add(t, fresh, "d")
		if err := Restore(o, head.Term, bytes.NewReader(parts[SectionState])); err == nil || !strings.Contains(err.Error(), "not empty") {
			t.Errorf("into a directory that is in use: %v", err)
		}
		fresh.Close()
		o.Bootstrap = false
		fresh = open(t, o)
		wantTokens(t, fresh, "a", "b", "c", "d")
		fresh.Close()
	}
	parts, head, err := readBack(backup(t, b, nil, nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	o := options(t, t.TempDir())
	o.Cluster = "other"
	if err := Restore(o, head.Term, bytes.NewReader(parts[SectionState])); err == nil || !strings.Contains(err.Error(), "cluster") {
		t.Errorf("for another cluster: %v", err)
	}
}

// No part of a backup is taken for one, and no flipped byte goes unseen.
func TestBackupDamage(t *testing.T) {
	b := open(t, options(t, t.TempDir()))
	add(t, b, "a")
	file := backup(t, b, []byte("history"), nil)
	for n := range len(file) {
		if _, _, err := readBack(file[:n], nil); !errors.Is(err, ErrDamaged) {
			t.Fatalf("cut to %d of %d bytes: %v", n, len(file), err)
		}
		bad := bytes.Clone(file)
		bad[n] ^= 0x10
		if _, _, err := readBack(bad, nil); err == nil {
			t.Fatalf("byte %d of %d changed: it was read", n, len(file))
		}
	}
	if _, _, err := readBack(append(bytes.Clone(file), 0), nil); err == nil || !strings.Contains(err.Error(), "more after the end") {
		t.Errorf("with more after it: %v", err)
	}
	sealed := backup(t, b, []byte("history"), keys("k"))
	if _, _, err := readBack(sealed, nil); err == nil || !strings.Contains(err.Error(), "key k") {
		t.Errorf("sealed, without a key: %v", err)
	}
	if _, _, err := readBack(sealed, keys("x")); err == nil || !strings.Contains(err.Error(), `key "k"`) {
		t.Errorf("sealed, with a wrong key: %v", err)
	}
}

// While the sinks are held they have taken in exactly what the moment has, and
// proposals go on.
func TestHoldIsExact(t *testing.T) {
	s := &sink{}
	o := options(t, t.TempDir())
	o.Sinks = []Sink{s}
	b := open(t, o)
	stop, done := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		for ; ; n++ {
			select {
			case <-stop:
				done <- n
				return
			default:
			}
			if _, err := b.Propose(context.Background(), system, token(fmt.Sprint(n))); err != nil {
				t.Error(err)
			}
		}
	}()
	for range 20 {
		m, err := b.Hold(context.Background(), func(m *Moment) error {
			before, _ := b.Index()
			for range 50 {
				if now, _ := b.Index(); now > before+3 {
					break
				}
				time.Sleep(time.Millisecond)
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			if n := len(s.got); n > 0 && (s.got[n-1] != m.Index || s.flushed != m.Index) {
				t.Errorf("held at entry %d the sink has entry %d, and %d on disk", m.Index, s.got[n-1], s.flushed)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		var text bytes.Buffer
		if _, err := m.WriteTo(&text); err != nil {
			t.Fatal(err)
		}
		if seen, err := CheckSnapshot(&text); err != nil || seen.Index != m.Index {
			t.Fatalf("the moment reads as %v (%v)", seen, err)
		}
	}
	close(stop)
	if n := <-done; n < 20 {
		t.Errorf("only %d proposals went through", n)
	}
}

// One controller of three, the others lost for good, becomes a cluster of its own
// with all that is in its log; its sink is fed what it lacks.
func TestRecoverFromALostMajority(t *testing.T) {
	c := newCluster(t, 3)
	lead := c.leader(-1)
	add(t, c.barns[lead], "a", "b")
	c.same()
	if err := c.barns[(lead+1)%3].Snapshot(); err != nil {
		t.Fatal(err)
	}
	add(t, c.barns[lead], "c")
	c.same()
	left := c.barns[(lead+1)%3]
	for _, b := range c.barns {
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
	other := c.barns[(lead+2)%3].o
	c.barns = nil
	o := options(t, other.Dir)
	o.ID, o.Address = other.ID, other.Address
	if _, err := Open(o); err == nil {
		t.Fatal("it leads alone without being made to")
	}
	// This one was never opened again after it had joined.
	o = options(t, left.o.Dir)
	o.ID, o.Address = left.o.ID, left.o.Address
	s := &sink{}
	o.Sinks = []Sink{s}
	found, err := Recover(o)
	if err != nil {
		t.Fatal(err)
	}
	if len(found.Before) != 3 || found.Index == 0 || found.Term == 0 {
		t.Errorf("found %+v", found)
	}
	if n := len(s.got); n == 0 || s.flushed == 0 {
		t.Errorf("the sink got %d entries and was flushed %d times", n, s.flushed)
	}
	o.Sinks = nil
	b := open(t, o)
	wantTokens(t, b, "a", "b", "c")
	add(t, b, "d")
	if servers := b.Servers(); len(servers) != 1 || servers[0].ID != o.ID {
		t.Errorf("the controllers are %v", servers)
	}
	if b.Term() <= found.Term {
		t.Errorf("it is in term %d, it was in %d", b.Term(), found.Term)
	}
	if _, err := Recover(o); !errors.Is(err, ErrHeld) {
		t.Errorf("while it is open: %v", err)
	}
	o.Dir = t.TempDir()
	if _, err := Recover(o); err == nil || !strings.Contains(err.Error(), "not the directory of a controller") {
		t.Errorf("an empty directory: %v", err)
	}
}

// Verify names what is wrong and where.
func TestVerifyNamesDamage(t *testing.T) {
	verify := func(dir string) string {
		var all []string
		if err := Verify(Options{Dir: dir}, func(f Finding) {
			if f.Wrong != nil {
				all = append(all, fmt.Sprintf("%s: %v", f.What, f.Wrong))
			}
		}); err != nil {
			t.Fatal(err)
		}
		return strings.Join(all, "\n")
	}
	dir, _ := filled(t, true)
	if got := verify(dir); got != "" {
		t.Fatalf("whole, it says %s", got)
	}
	for _, c := range []struct {
		name, want string
		damage     func(dir string)
	}{
		{"Snapshot", snapshotFile, func(dir string) { flipByte(t, one(t, dir, "snapshots/*/state.bin"), 40) }},
		{"SnapshotCut", snapshotFile, func(dir string) { cutFile(t, one(t, dir, "snapshots/*/state.bin"), 0.5) }},
		{"LogCut", logName, func(dir string) { cutFile(t, filepath.Join(dir, logName), 0.5) }},
		{"LogGone", logName, func(dir string) { os.Remove(filepath.Join(dir, logName)) }},
		{"Identity", identityName, func(dir string) { cutFile(t, filepath.Join(dir, identityName), 0.5) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			copied := copyDir(t, dir)
			c.damage(copied)
			if got := verify(copied); !strings.Contains(got, strings.TrimSuffix(c.want, ".bin")) && !strings.Contains(got, "snapshot") {
				t.Errorf("it says %q, want %s named", got, c.want)
			}
		})
	}
	b := open(t, options(t, dir))
	if err := Verify(Options{Dir: dir}, func(Finding) {}); !errors.Is(err, ErrHeld) {
		t.Errorf("while it is open: %v", err)
	}
	b.Verify(func(f Finding) {
		if f.Wrong != nil {
			t.Errorf("open: %s: %v", f.What, f.Wrong)
		}
	})
}
