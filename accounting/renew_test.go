package accounting

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/runink/rink/api/rinkpb"
)

// spoil overwrites the file of an open history, as a failing disk or a careless hand
// does.
func spoil(t *testing.T, s *Store, from, to int64, with func(i int) byte) {
	t.Helper()
	f, err := os.OpenFile(s.path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	bad := make([]byte, to-from)
	for i := range bad {
		bad[i] = with(i)
	}
	if _, err := f.WriteAt(bad, from); err != nil {
		t.Fatal(err)
	}
}

// A file that is damaged while it is open is begun anew, whoever comes across the
// damage, and has all of it again from another controller.
func TestAFileDamagedWhileOpenIsBegunAnew(t *testing.T) {
	log := story(150)
	want := openTest(t, t.TempDir())
	put(want, log)
	half := len(log) / 2
	for _, test := range []struct {
		name   string
		damage func(t *testing.T, s *Store, size int64)
		read   bool // a reader finds it, not the writer
	}{
		{"ZeroedWritten", func(t *testing.T, s *Store, size int64) { spoil(t, s, 0, size, func(int) byte { return 0 }) }, false},
		{"ZeroedRead", func(t *testing.T, s *Store, size int64) { spoil(t, s, 0, size, func(int) byte { return 0 }) }, true},
		{"OverwrittenWritten", func(t *testing.T, s *Store, size int64) {
			spoil(t, s, 0, size, func(i int) byte { return byte(i * 7) })
		}, false},
		{"AllButMetaRead", func(t *testing.T, s *Store, size int64) {
			spoil(t, s, int64(2*os.Getpagesize()), size, func(i int) byte { return byte(i * 7) })
		}, true},
		{"AllButMetaWritten", func(t *testing.T, s *Store, size int64) {
			spoil(t, s, int64(2*os.Getpagesize()), size, func(int) byte { return 0xff })
		}, false},
		{"CutToNothing", func(t *testing.T, s *Store, _ int64) {
			if err := os.Truncate(s.path, 0); err != nil {
				t.Fatal(err)
			}
		}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, err := Open(t.TempDir(), slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}()
			s.RenewIf(func() bool { return true })
			put(s, log[:half])
			size := int64(usedBytes(t, s))
			test.damage(t, s, size)
			if test.read {
				for _, err := range s.Query(Filter{Steps: true}, nil) {
					if err != nil {
						break
					}
				}
			}
			put(s, log[half:])
			gap, err := s.Gap()
			if err != nil {
				t.Fatal(err)
			}
			if gap == nil || gap.From != 1 || gap.To < log[half-1].index {
				t.Fatalf("the gap is %v, want one from 1 to %d or more", gap, log[half-1].index)
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(s.path), fileName+".damaged-1")); err != nil {
				t.Error(err)
			}
			if err := s.Fill(context.Background(), peerOf{s: want}, still(s)); err != nil {
				t.Fatal(err)
			}
			if got, want := checksum(t, s), checksum(t, want); got != want {
				t.Errorf("the sums are %x, want %x", got, want)
			}
		})
	}
}

// Without another controller a damaged file stays where it is, and is named.
func TestADamagedFileOfOneControllerStays(t *testing.T) {
	s, err := Open(t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s.RenewIf(func() bool { return false })
	log := story(60)
	put(s, log[:20])
	spoil(t, s, 0, int64(usedBytes(t, s)), func(int) byte { return 0 })
	put(s, log[20:])
	for range 2 {
		if err := s.Flush(); !errors.Is(err, ErrDamaged) {
			t.Errorf("flush: %v", err)
		}
		for _, err := range s.Query(Filter{}, nil) {
			if !errors.Is(err, ErrDamaged) {
				t.Errorf("query: %v", err)
			}
		}
	}
	if err := s.Close(); !errors.Is(err, ErrDamaged) {
		t.Errorf("close: %v", err)
	}
	if aside, _ := filepath.Glob(s.path + ".damaged-*"); len(aside) > 0 {
		t.Errorf("it was put aside as %q", aside)
	}
}

// A page that was fetched for the gap of a file that has been renewed since does not
// close the gap of the new one.
func TestWhatFilledTheFileBeforeDoesNotCloseItsGap(t *testing.T) {
	log := story(60)
	want := openTest(t, t.TempDir())
	put(want, log)
	s := openTest(t, t.TempDir())
	s.RenewIf(func() bool { return true })
	s.Missed(1, log[len(log)-1].index, false)
	damaged := false
	peer := peerOf{s: want, broken: func() error {
		if !damaged {
			damaged = true
			spoil(t, s, 0, int64(usedBytes(t, s)), func(int) byte { return 0 })
			for range s.Query(Filter{}, nil) {
			}
		}
		return nil
	}}
	if err := s.Fill(context.Background(), peer, still(s)); !errors.Is(err, ErrRenewed) {
		t.Fatalf("it was filled: %v", err)
	}
	if gap, err := s.Gap(); err != nil || gap == nil || gap.From != 1 {
		t.Fatalf("the gap is %v (%v)", gap, err)
	}
	if err := s.Fill(context.Background(), peer, still(s)); err != nil {
		t.Fatal(err)
	}
	if got, want := checksum(t, s), checksum(t, want); got != want {
		t.Errorf("the sums are %x, want %x", got, want)
	}
	s.Put(log[len(log)-1].index+1, []*rinkpb.Record{final(testJob(9999, 1))})
	if err := s.Flush(); err != nil {
		t.Error(err)
	}
}
