package barn

import (
	"errors"
	"os"
	"path/filepath"
)

// MembersOf returns the controllers of the cluster as the directory of a closed
// barn has them; none when there is no log yet. Of o only Dir and Keys are used.
func MembersOf(o Options) (list []Server, err error) {
	o.ID, o.Cluster = "nobody", "none"
	if o, err = o.withDefaults(); err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(o.Dir, logName)); errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	lock, err := lockDir(o.Dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, lock.release()) }()
	snaps, err := openSnapshots(o.Dir, o.Keys, newRaftLog(o.Logger))
	if err != nil {
		return nil, err
	}
	s, err := openStore(filepath.Join(o.Dir, logName), true)
	if err != nil {
		return nil, err
	}
	s.level, s.keys = FormatLevel, o.Keys
	defer func() { err = errors.Join(err, s.close()) }()
	found, err := lastOf(s, snaps)
	return found.Before, err
}
