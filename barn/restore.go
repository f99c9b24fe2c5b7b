package barn

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/hashicorp/raft"

	"github.com/runink/rink/barn/state"
)

// termLead is how far the term of a cluster that was restored, or recovered by
// force, lies above what is known of it: agents refuse orders of a term lower
// than one they have seen, and the old cluster may have gone on for a while.
const termLead = 1 << 20

// CheckSnapshot reads a snapshot to its end, as one that could be restored, and
// says of which entry it is, of what cluster and how many jobs it has.
func CheckSnapshot(r io.Reader) (Seen, error) {
	head, dump, err := readSnapshot(r)
	if err != nil {
		return Seen{}, err
	}
	if dump.Level > FormatLevel {
		return Seen{}, fmt.Errorf("%w: the cluster writes format level %d, this version reads up to %d", ErrNewer, dump.Level, FormatLevel)
	}
	seen := Seen{Index: head.index, At: head.at, Cluster: head.cluster, Jobs: len(dump.Jobs), Nodes: len(dump.Nodes)}
	_, err = state.Load(dump)
	return seen, err
}

// Restore makes the directory o.Dir, which must be missing or empty, the barn of
// a cluster of the controller o.ID alone, at o.Address, that begins with the
// snapshot in r. term is not lower than that of the snapshot's last entry.
func Restore(o Options, term uint64, r io.Reader) (err error) {
	if o, err = o.withDefaults(); err != nil {
		return err
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return err
	}
	if left, err := os.ReadDir(o.Dir); err != nil {
		return err
	} else if len(left) > 0 {
		return fmt.Errorf("%q is not empty: it has %q", o.Dir, left[0].Name())
	}
	lock, err := lockDir(o.Dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.release()) }()
	head, dump, err := readSnapshot(r)
	if err != nil {
		return err
	}
	if head.cluster != o.Cluster {
		return fmt.Errorf("it is of cluster %q, not %q", head.cluster, o.Cluster)
	}
	if dump.Level > o.readsLevel() {
		return fmt.Errorf("%w: the cluster writes format level %d, this version reads up to %d", ErrNewer, dump.Level, o.readsLevel())
	}
	if head.index == 0 {
		return errors.New("nothing has happened in it: there is nothing to restore")
	}
	raftLog := newRaftLog(o.Logger)
	snaps, err := openSnapshots(o.Dir, o.Keys, raftLog)
	if err != nil {
		return err
	}
	_, trans := raft.NewInmemTransport(raft.ServerAddress(o.Address))
	defer trans.Close()
	alone := raft.Configuration{Servers: []raft.Server{{Suffrage: raft.Voter, ID: raft.ServerID(o.ID), Address: raft.ServerAddress(o.Address)}}}
	sink, err := snaps.Create(1, head.index, term, alone, head.index, trans)
	if err != nil {
		return fmt.Errorf("cannot write the snapshot: %w", err)
	}
	if err := writeSnapshot(sink, head, dump); err != nil {
		return errors.Join(err, sink.Cancel())
	}
	if err := sink.Close(); err != nil {
		return fmt.Errorf("cannot write the snapshot: %w", err)
	}
	// Last of what is read the Raft state.Load made: a dump that cannot be loaded
	// is refused before the log makes this a barn. (Load takes the dump's lists.)
	if _, err := state.Load(dump); err != nil {
		return err
	}
	s, err := openStore(filepath.Join(o.Dir, logName), o.NoSync)
	if err != nil {
		return err
	}
	if err := s.SetUint64(termKey, term+termLead); err != nil {
		return errors.Join(err, s.close())
	}
	if err := s.close(); err != nil {
		return err
	}
	return writeIdentity(o, true)
}
