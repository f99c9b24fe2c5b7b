package ctld

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/runink/rink/accounting"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/barn"
	"github.com/runink/rink/secrets/atrest"
)

// This file is what an operator does with what a stopped controller keeps, and
// with backups.

// restoring is the directory below a StateSaveLocation in which a restore gathers
// what it makes; as long as it is there the restore is not finished.
const restoring = ".restoring"

// Finding is about one thing that was read: what it is, what it holds, and what
// is wrong with it.
type Finding = barn.Finding

// VerifyPath reads everything in a backup, in a stopped controller's
// StateSaveLocation or in its barn alone, and says of each thing what it found.
func VerifyPath(path string, keys *atrest.Keys, say func(Finding)) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return verifyBackup(path, keys, say)
	}
	dir := path
	if _, err := os.Stat(filepath.Join(path, barnDir)); err == nil {
		dir = filepath.Join(path, barnDir)
	} else if _, err := os.Stat(filepath.Join(path, "barn.json")); err != nil {
		return fmt.Errorf("%s is no StateSaveLocation: it has no %s", path, barnDir)
	}
	if err := barn.Verify(barn.Options{Dir: dir, Keys: barnKeys(keys)}, say); err != nil {
		return err
	}
	where := filepath.Join(filepath.Dir(dir), historyDir)
	found, err := accounting.Verify(where, pastKeys(keys), func(err error) { say(Finding{What: where, Wrong: err}) })
	if errors.Is(err, fs.ErrNotExist) && dir == path {
		return nil
	}
	say(Finding{What: where, Found: found, Wrong: err})
	return nil
}

// openBackup opens a backup, "-" being in.
func openBackup(path string) (*os.File, error) {
	if path == "-" {
		return os.Stdin, nil
	}
	return os.Open(path)
}

// unpack reads a backup: the state goes to state, the history to a file in dir,
// which must be there, and each file to file.
func unpack(in io.Reader, dir string, keys *atrest.Keys, head func(*rinkpb.BackupHead) error, state func(io.Reader) error, file func(name string, data []byte) error) (*rinkpb.BackupHead, *rinkpb.BackupEnd, error) {
	history, err := os.OpenFile(filepath.Join(dir, "history.db"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, nil, err
	}
	defer history.Close()
	r, w := io.Pipe()
	done := make(chan error, 1)
	begun := false
	h, end, err := barn.ReadBackup(in, func(h *rinkpb.BackupHead) (barn.Sealer, error) {
		if err := head(h); err != nil {
			return nil, err
		}
		begun = true
		go func() { // ends when the writing end is closed
			err := state(r)
			if err == nil {
				_, err = io.Copy(io.Discard, r)
			}
			r.CloseWithError(err) // whoever writes on is told
			done <- err
		}()
		return barnKeys(keys), nil
	}, func(kind barn.Section, data []byte) error {
		switch kind {
		case barn.SectionState:
			if _, err := w.Write(data); err != nil {
				return fmt.Errorf("the state: %w", err)
			}
			return nil
		case barn.SectionPast:
			_, err := history.Write(data)
			return err
		}
		var f rinkpb.BackupFile
		if err := proto.Unmarshal(data, &f); err != nil {
			return err
		}
		return file(f.Name, f.Data)
	})
	w.CloseWithError(orEOF(err))
	if begun {
		if stateErr := <-done; err == nil && stateErr != nil {
			err = fmt.Errorf("the state: %w", stateErr)
		}
	}
	if err == nil {
		err = history.Sync()
	}
	return h, end, err
}

func orEOF(err error) error {
	if err == nil {
		return io.EOF
	}
	return err
}

func verifyBackup(path string, keys *atrest.Keys, say func(Finding)) error {
	in, err := openBackup(path)
	if err != nil {
		return err
	}
	defer in.Close()
	dir, err := os.MkdirTemp("", "rink-verify")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var seen barn.Seen
	files := 0
	head, end, err := unpack(in, dir, keys, func(*rinkpb.BackupHead) error { return nil }, func(r io.Reader) (err error) {
		seen, err = barn.CheckSnapshot(r)
		return err
	}, func(string, []byte) error { files++; return nil })
	if err != nil {
		say(Finding{What: path, Wrong: err})
		return nil
	}
	made := fmt.Sprintf("a backup of %s's, made %s by version %s", head.Controller, time.Unix(0, head.Created).UTC().Format(time.RFC3339), head.Version)
	if head.Key != "" {
		made += ", sealed with key " + head.Key
	}
	say(Finding{What: path, Found: fmt.Sprintf("%s, %d files", made, files)})
	say(Finding{What: path + ": the state", Found: fmt.Sprintf("%s, %d bytes", seen, end.StateBytes)})
	found, err := accounting.Verify(dir, pastKeys(keys), func(err error) { say(Finding{What: path + ": the history", Wrong: err}) })
	say(Finding{What: path + ": the history", Found: fmt.Sprintf("%s, %d bytes", found, end.HistoryBytes), Wrong: err})
	return nil
}

// RestoreOptions say where to.
type RestoreOptions struct {
	File          string // "-" is the standard input
	Dir           string // the StateSaveLocation, missing or empty
	Name, Address string // of the controller; empty: those of the one that made the backup
	Cluster       string // the backup must be of this one; empty: of any
	Keys          *atrest.Keys
	Log           *slog.Logger
}

// Restore makes Dir the StateSaveLocation of a cluster of one controller that
// begins with what a backup has: state, history and authority. It is whole when
// Restore returns nil; a directory in which it was interrupted is not used by a
// controller, and not restored into again.
func Restore(o RestoreOptions) (*rinkpb.BackupHead, error) {
	in, err := openBackup(o.File)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, err
	}
	if left, err := os.ReadDir(o.Dir); err != nil {
		return nil, err
	} else if len(left) > 0 {
		return nil, fmt.Errorf("%s is not empty: it has %s", o.Dir, left[0].Name())
	}
	tmp := filepath.Join(o.Dir, restoring)
	if err := os.Mkdir(tmp, 0o700); err != nil {
		return nil, err
	}
	head, err := o.gather(in, tmp)
	if err != nil {
		// Nothing was there before, so nothing is left.
		return head, errors.Join(err, os.RemoveAll(tmp))
	}
	// The barn comes last: with it the directory is a controller's.
	for _, name := range []string{caDir, historyDir, barnDir} {
		from := filepath.Join(tmp, name)
		if _, err := os.Stat(from); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := os.Rename(from, filepath.Join(o.Dir, name)); err != nil {
			return head, err
		}
	}
	if err := os.Remove(tmp); err != nil {
		return head, err
	}
	return head, syncDir(o.Dir)
}

// gather makes the parts of a StateSaveLocation below tmp.
func (o *RestoreOptions) gather(in io.Reader, tmp string) (*rinkpb.BackupHead, error) {
	past := filepath.Join(tmp, historyDir)
	if err := os.Mkdir(past, 0o700); err != nil {
		return nil, err
	}
	var head *rinkpb.BackupHead
	_, _, err := unpack(in, past, o.Keys, func(h *rinkpb.BackupHead) error {
		head = h
		if o.Cluster != "" && o.Cluster != h.Cluster {
			return fmt.Errorf("it is of cluster %s, the configuration is of %s", h.Cluster, o.Cluster)
		}
		return nil
	}, func(r io.Reader) error {
		name, address := o.Name, o.Address
		if name == "" {
			name = head.Controller
		}
		if address == "" {
			address = head.Address
		}
		return barn.Restore(barn.Options{
			Dir: filepath.Join(tmp, barnDir), ID: name, Address: address, Cluster: head.Cluster, Keys: barnKeys(o.Keys), Logger: o.Log,
		}, head.Term, r)
	}, func(name string, data []byte) error {
		base, ok := strings.CutPrefix(name, caDir+"/")
		if !ok || base == "" || base != filepath.Base(base) || base == ".." || base == "." {
			return fmt.Errorf("%q is not a file of a backup", name)
		}
		if err := os.MkdirAll(filepath.Join(tmp, caDir), 0o700); err != nil {
			return err
		}
		return writeSynced(filepath.Join(tmp, caDir, base), data)
	})
	if err != nil {
		return head, err
	}
	// The history is opened once, as the controller will: what it is sealed with
	// is what the controller seals with.
	store, err := accounting.OpenSealed(past, o.Log, pastKeys(o.Keys))
	if err != nil {
		return head, err
	}
	at := store.Applied()
	if err := store.Close(); err != nil {
		return head, err
	}
	if at != head.History {
		return head, fmt.Errorf("the history is as of log entry %d, the backup says %d", at, head.History)
	}
	return head, nil
}

func writeSynced(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, bytes.NewReader(data))
	return errors.Join(err, f.Sync(), f.Close())
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// unfinishedRestore refuses a directory in which a restore did not come to its end.
func unfinishedRestore(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, restoring)); err == nil {
		return fmt.Errorf("%s holds a restore that was not finished (%s): empty it and restore again", dir, restoring)
	}
	return nil
}

// Recover makes this stopped controller a cluster of its own with all that is in
// its log, for when a majority of the controllers is lost for good.
func Recover(c Config, log *slog.Logger) (barn.Recovered, error) {
	var none barn.Recovered
	keys, err := c.ReadKeys()
	if err != nil {
		return none, err
	}
	lock, err := lockDir(c.StateDir)
	if err != nil {
		return none, err
	}
	defer lock.Close()
	store, err := accounting.OpenSealed(filepath.Join(c.StateDir, historyDir), log, pastKeys(keys))
	if err != nil {
		return none, err
	}
	defer store.Close()
	sink := &historySink{store: store, log: log, enforce: c.Conf.AccountingStorageEnforce, marks: &frozenMarks{done: true}}
	found, err := barn.Recover(barn.Options{
		Dir: filepath.Join(c.StateDir, barnDir), ID: c.Name, Address: c.Address, Cluster: c.Conf.ClusterName, Keys: barnKeys(keys),
		Sinks: []barn.Sink{sink}, Logger: log,
	})
	if err != nil {
		return found, err
	}
	return found, store.Flush()
}

// Reseal seals what a stopped controller keeps with the key of the configuration,
// as the controller would when it is started.
func Reseal(c Config, log *slog.Logger) error {
	keys, err := c.ReadKeys()
	if err != nil {
		return err
	}
	if keys == nil {
		return errors.New("StateEncryptionKeyFile is not set: there is no key to seal with")
	}
	lock, err := lockDir(c.StateDir)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := barn.Reseal(barn.Options{Dir: filepath.Join(c.StateDir, barnDir), ID: c.Name, Cluster: c.Conf.ClusterName, Keys: keys, Logger: log}); err != nil {
		return err
	}
	store, err := accounting.OpenSealed(filepath.Join(c.StateDir, historyDir), log, keys)
	if err != nil {
		return err
	}
	return store.Close()
}
