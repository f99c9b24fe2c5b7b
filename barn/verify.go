package barn

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc64"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/raft"

	"github.com/runink/rink/barn/state"
)

// Seen is what a snapshot says of itself.
type Seen struct {
	Index       uint64
	At          time.Time
	Cluster     string
	Jobs, Nodes int
}

func (s Seen) String() string {
	return fmt.Sprintf("cluster %s as of log entry %d (%s), %d jobs, %d nodes", s.Cluster, s.Index, s.At.UTC().Format(time.RFC3339), s.Jobs, s.Nodes)
}

// Finding is about one thing that was read: what it is, what it holds, and what
// is wrong with it.
type Finding struct {
	What, Found string
	Wrong       error
}

// maxFindings bounds what is said of one damaged log.
const maxFindings = 10

// Verify reads everything in the directory of a stopped barn and says of each
// thing what it found; it changes nothing. Of o only Dir and Keys are used. The
// error is one that kept it from looking: somebody has the directory open.
func Verify(o Options, say func(Finding)) error {
	if _, err := os.Stat(o.Dir); err != nil {
		return err
	}
	lock, err := lockDir(o.Dir)
	if err != nil {
		return err
	}
	defer lock.release()
	idPath := filepath.Join(o.Dir, identityName)
	id, err := whose(o.Dir)
	if err != nil {
		say(Finding{What: idPath, Wrong: err})
	} else {
		say(Finding{What: idPath, Found: id.String()})
	}
	newest := verifySnapshots(o, say)
	path := filepath.Join(o.Dir, logName)
	if err := checkBolt(path); err != nil {
		say(Finding{What: path, Wrong: err})
		return nil
	}
	s, err := openLog(path, true, true)
	if err != nil {
		say(Finding{What: path, Wrong: err})
		return nil
	}
	defer s.close()
	s.level, s.keys = FormatLevel, o.Keys
	s.snapshot = func() uint64 { return newest }
	found, wrong := s.verify(newest, say)
	if wrong == nil {
		wrong = s.checkEntries(newest)
	}
	say(Finding{What: path, Found: found, Wrong: wrong})
	return nil
}

// Verify reads everything the open barn has on its disk and says of each thing
// what it found.
func (b *Barn) Verify(say func(Finding)) {
	newest := verifySnapshots(b.o, say)
	found, wrong := b.store.verify(newest, say)
	say(Finding{What: b.store.path, Found: found, Wrong: wrong})
}

// whose reads what a directory says of itself.
func whose(dir string) (*identity, error) {
	text, err := os.ReadFile(filepath.Join(dir, identityName))
	if err != nil {
		return nil, err
	}
	id := &identity{}
	if err := json.Unmarshal(text, id); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if id.Format > diskFormat {
		return nil, fmt.Errorf("%w: it is of format %d, this version knows up to %d", ErrNewer, id.Format, diskFormat)
	}
	return id, nil
}

func (id *identity) String() string {
	text := fmt.Sprintf("controller %s of cluster %s, made %s", id.ID, id.Cluster, id.Created.Format(time.RFC3339))
	if id.Key != "" {
		text += ", sealed with key " + id.Key
	}
	return text
}

// Whose returns the cluster and the controller that a barn's directory belongs to.
func Whose(dir string) (cluster, id string, err error) {
	known, err := whose(dir)
	if err != nil {
		return "", "", fmt.Errorf("cannot tell whose directory %q is: %w", dir, err)
	}
	return known.Cluster, known.ID, nil
}

// verifySnapshots reads every snapshot and returns the index of the newest.
func verifySnapshots(o Options, say func(Finding)) (newest uint64) {
	dir := filepath.Join(o.Dir, snapshotsName)
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		say(Finding{What: dir, Wrong: err})
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if !e.IsDir() || filepath.Ext(path) == ".tmp" {
			continue
		}
		seen, index, err := verifySnapshot(path, o.Keys)
		if _, gone := os.Stat(path); gone != nil {
			continue // a newer one took its place meanwhile
		}
		newest = max(newest, index)
		f := Finding{What: path, Wrong: err}
		if err == nil {
			f.Found = seen.String()
		}
		say(f)
	}
	return newest
}

func verifySnapshot(path string, keys Sealer) (seen Seen, index uint64, err error) {
	if err := checkSnapshotDir(path); err != nil {
		return seen, 0, err
	}
	text, err := os.ReadFile(filepath.Join(path, snapshotMeta))
	if err != nil {
		return seen, 0, err
	}
	var meta struct {
		Index uint64
		CRC   []byte
	}
	if err := json.Unmarshal(text, &meta); err != nil {
		return seen, 0, err
	}
	file, err := os.Open(filepath.Join(path, snapshotFile))
	if err != nil {
		return seen, meta.Index, err
	}
	defer file.Close()
	sum := crc64.New(crc64.MakeTable(crc64.ECMA)) // the library's
	in, err := openSealed(io.TeeReader(file, sum), keys)
	if err != nil {
		return seen, meta.Index, err
	}
	if seen, err = CheckSnapshot(in); err != nil {
		return seen, meta.Index, err
	}
	if got := sum.Sum(nil); string(got) != string(meta.CRC) {
		return seen, meta.Index, fmt.Errorf("%w: its checksum is %x, %x was written", ErrDamaged, got, meta.CRC)
	}
	return seen, meta.Index, nil
}

// verify reads every entry whole, commands included.
func (s *store) verify(newest uint64, say func(Finding)) (found string, err error) {
	first, err := s.FirstIndex()
	if err != nil {
		return "", err
	}
	last, err := s.LastIndex()
	if err != nil {
		return "", err
	}
	term, _ := s.GetUint64(termKey)
	n, commands, wrong := 0, 0, 0
	var lastTerm uint64
	for i := first; i <= last && last > 0; i++ {
		var log raft.Log
		err := s.read(i, &log)
		var entries []state.Entry
		if err == nil && log.Type == raft.LogCommand {
			entries, err = decodeRecord(log.Data, s.level)
		}
		if errors.Is(err, raft.ErrLogNotFound) {
			if now, _ := s.FirstIndex(); i < now || i <= newest {
				continue // compacted meanwhile, or a hole before a snapshot that came from a peer
			}
			err = fmt.Errorf("%w: it is missing", ErrDamaged)
		}
		if err != nil {
			if wrong++; wrong <= maxFindings {
				say(Finding{What: fmt.Sprintf("%s: log entry %d", s.path, i), Wrong: err})
			}
			if errors.Is(err, ErrSealed) {
				break
			}
			continue
		}
		n, commands, lastTerm = n+1, commands+len(entries), log.Term
	}
	found = fmt.Sprintf("%d entries (%d to %d, the last of term %d), %d commands, now in term %d", n, first, last, lastTerm, commands, term)
	if wrong > 0 {
		return found, fmt.Errorf("%w: %d entries cannot be read", ErrDamaged, wrong)
	}
	return found, nil
}
