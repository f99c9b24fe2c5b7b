package barn

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// identityName is the file that says whose directory this is. It is written
// when the controller first becomes part of a cluster; from then on an empty
// or missing log is a loss, and not a beginning.
const identityName = "barn.json"

// snapshotFile and snapshotMeta are the files of one snapshot; the names are
// the Raft library's.
const (
	snapshotFile = "state.bin"
	snapshotMeta = "meta.json"
)

// The versions of the directory's layout: 2 is written where it is sealed, which
// a version that knows 1 alone could not read.
const (
	diskFormat       = 2
	diskFormatPlain  = 1
	diskFormatSealed = 2
)

type identity struct {
	Format  int       `json:"format"`
	Cluster string    `json:"cluster"`
	ID      string    `json:"id"`
	Member  bool      `json:"member"`        // it has had a log
	Key     string    `json:"key,omitempty"` // what everything is sealed with; empty: it is in the clear
	Created time.Time `json:"created"`
}

// readIdentity returns what the directory says of itself, nil for nothing, and
// refuses a directory of another cluster or controller.
func readIdentity(o Options) (*identity, error) {
	path := filepath.Join(o.Dir, identityName)
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	var id identity
	if err := json.Unmarshal(text, &id); err != nil {
		return nil, fmt.Errorf("%w: %q: %w", ErrDamaged, path, err)
	}
	switch {
	case id.Format > diskFormat:
		return nil, fmt.Errorf("%w: %q is of format %d, this version knows up to %d", ErrNewer, path, id.Format, diskFormat)
	case id.Cluster != o.Cluster:
		return nil, fmt.Errorf("%q belongs to cluster %q, not %q", path, id.Cluster, o.Cluster)
	case id.ID != o.ID:
		return nil, fmt.Errorf("%q belongs to controller %q, not %q", path, id.ID, o.ID)
	}
	return &id, nil
}

// writeIdentity writes the file, on disk when it returns.
func writeIdentity(o Options, member bool) error {
	id := identity{Format: diskFormatPlain, Cluster: o.Cluster, ID: o.ID, Member: member, Created: o.now().UTC()}
	if o.Keys != nil {
		id.Format, id.Key = diskFormatSealed, o.Keys.ID()
	}
	text, err := json.MarshalIndent(id, "", "\t")
	if err != nil {
		return err
	}
	path := filepath.Join(o.Dir, identityName)
	if err := writeSynced(path+".new", append(text, '\n')); err != nil {
		return fmt.Errorf("cannot write %q: %w", path, err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("cannot write %q: %w", path, err)
	}
	return syncDir(o.Dir)
}

func writeSynced(path string, text []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// checkPresent refuses a directory that has lost its log: bbolt makes a new
// one where there is none or an empty one, and the cluster would begin anew.
func checkPresent(dir string, known bool) error {
	path := filepath.Join(dir, logName)
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return err
	case info.Size() > 0:
		return nil
	}
	what := "is missing"
	if err == nil {
		what = "is empty"
	}
	if known {
		return fmt.Errorf("%w: %q %s, but %q says that there was a log", ErrDamaged, path, what, filepath.Join(dir, identityName))
	}
	left, err := filepath.Glob(filepath.Join(dir, snapshotsName, "*", snapshotMeta))
	if err != nil {
		return err
	}
	if len(left) > 0 {
		return fmt.Errorf("%w: %q %s, but there is a snapshot, %q", ErrDamaged, path, what, filepath.Dir(left[0]))
	}
	return nil
}

// checkSnapshotDir makes sure that a snapshot has its two files and that they
// go together. Its checksum is verified when it is opened.
func checkSnapshotDir(path string) error {
	text, err := os.ReadFile(filepath.Join(path, snapshotMeta))
	if err != nil {
		return err
	}
	var meta struct {
		Version     int
		Index, Term uint64
		Size        int64
	}
	if err := json.Unmarshal(text, &meta); err != nil {
		return fmt.Errorf("%q: %w", filepath.Join(path, snapshotMeta), err)
	}
	if meta.Version != 1 || meta.Index == 0 {
		return fmt.Errorf("%q: version %d and index %d are not what was written", filepath.Join(path, snapshotMeta), meta.Version, meta.Index)
	}
	info, err := os.Stat(filepath.Join(path, snapshotFile))
	if err != nil {
		return err
	}
	if info.Size() != meta.Size {
		return fmt.Errorf("%q is %d bytes long, %d were written", filepath.Join(path, snapshotFile), info.Size(), meta.Size)
	}
	return nil
}
