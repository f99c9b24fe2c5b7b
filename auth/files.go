package auth

import (
	"fmt"
	"os"
	"path/filepath"
)

// readPrivate reads a file that holds a private key, and refuses one that
// others than its owner may read.
func readPrivate(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("%s holds a private key but has mode %04o (want 0600)", path, mode)
	}
	const most = 1 << 20
	if info.Size() > most {
		return nil, fmt.Errorf("%s is damaged: it has %d bytes", path, info.Size())
	}
	data := make([]byte, info.Size())
	n, err := f.ReadAt(data, 0)
	if err != nil && n < len(data) {
		return nil, fmt.Errorf("cannot read %s: %w", path, err)
	}
	return data, nil
}

// writePrivate puts data into a file that its owner alone can read. After a
// crash at any moment the file is there whole or as it was before. With replace
// an older file is replaced; without, the error wraps os.ErrExist.
func writePrivate(path string, data []byte, replace bool) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	temp := f.Name()
	defer func() {
		f.Close()
		if rmErr := os.Remove(temp); err == nil && rmErr != nil && !os.IsNotExist(rmErr) {
			err = rmErr
		}
	}()
	if _, err := f.Write(data); err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	if replace {
		err = os.Rename(temp, path)
	} else {
		err = os.Link(temp, path) // unlike a rename, refuses to replace
	}
	if err != nil {
		return err
	}
	return syncDir(dir)
}

// syncDir makes the names in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("cannot sync %s: %w", dir, err)
	}
	return nil
}
