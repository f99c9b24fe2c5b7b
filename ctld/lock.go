package ctld

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// lockPatience is how long a lock is waited for: a controller that was just
// killed holds it until the kernel has taken the process apart.
const lockPatience = 3 * time.Second

// flockSoon takes the lock on f when it comes free within lockPatience.
func flockSoon(f *os.File) error {
	for end := time.Now().Add(lockPatience); ; time.Sleep(20 * time.Millisecond) {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil || time.Now().After(end) {
			return err
		}
	}
}

// lockDir makes this controller the only one that uses a StateSaveLocation, as
// long as the file returned stays open. It comes before anything in there is
// read, so that a second controller is told so and not what it tripped over.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot use StateSaveLocation: %w", err)
	}
	if err := flockSoon(f); err != nil {
		pid, _ := os.ReadFile(f.Name())
		f.Close()
		return nil, fmt.Errorf("StateSaveLocation %s is in use by another controller (process %s)", dir, strings.TrimSpace(string(pid)))
	}
	err = f.Truncate(0)
	if err == nil {
		_, err = fmt.Fprintf(f, "%d\n", os.Getpid())
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("cannot use StateSaveLocation: %w", err)
	}
	return f, nil
}
