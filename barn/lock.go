package barn

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// lockName is the file in a barn's directory that its holder keeps locked and
// writes its process id into. The kernel drops the lock when the process dies,
// however it dies, so a stale file never keeps anybody out.
const lockName = "lock"

// lockPatience is how long the lock of another is waited for.
const lockPatience = time.Second

// dirLock is a held lock on a barn's directory.
type dirLock struct{ file *os.File }

// lockDir takes the lock of dir, or says who has it.
func lockDir(dir string) (*dirLock, error) {
	path := filepath.Join(dir, lockName)
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot open the lock file: %w", err)
	}
	err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	// A controller that was just killed holds the lock until the kernel has taken
	// the process apart.
	for end := time.Now().Add(lockPatience); errors.Is(err, unix.EWOULDBLOCK) && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	if err != nil {
		defer file.Close()
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("cannot lock %q: %w", path, err)
		}
		who := "another controller"
		buf := make([]byte, 32)
		if n, _ := file.ReadAt(buf, 0); n > 0 {
			if pid, err := strconv.Atoi(strings.TrimSpace(string(buf[:n]))); err == nil {
				who = fmt.Sprintf("the controller with pid %d", pid)
			}
		}
		return nil, fmt.Errorf("%w: %s holds the directory %q", ErrHeld, who, dir)
	}
	if err := file.Truncate(0); err == nil {
		_, err = file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
		if err != nil && !isFull(err) { // the pid is a courtesy; a full disk must not keep us from starting
			file.Close()
			return nil, fmt.Errorf("cannot write %q: %w", path, err)
		}
	}
	return &dirLock{file: file}, nil
}

// release gives the directory up. The file stays: removing it would let two
// later openers lock two different files.
func (l *dirLock) release() error { return l.file.Close() }
