package noded

import (
	"errors"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestFileSystemThatDoesNotAnswer has a user whose file system lets calls wait: they
// have a few threads, and no more, and what comes of them too late touches nothing.
func TestFileSystemThatDoesNotAnswer(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: others' rights are taken on")
	}
	defer func(was time.Duration) { fileWait = was }(fileWait)
	fileWait = 20 * time.Millisecond
	var book turnBook
	user := &rights{uid: 65534, gid: 65534, turns: book.of(65534)}
	answer := make(chan struct{})
	var begun, ended sync.WaitGroup
	var wait sync.WaitGroup
	begun.Add(maxTurns)
	ended.Add(maxTurns)
	for range maxTurns {
		wait.Go(func() {
			n, err := as(user, func() (int, error) {
				begun.Done()
				<-answer
				defer ended.Done()
				return 7, nil
			})
			if n != 0 || !errors.Is(err, syscall.ETIMEDOUT) {
				t.Errorf("got %d, %v", n, err)
			}
		})
	}
	begun.Wait()
	wait.Wait()
	if err := user.do(func() error { t.Error("one more is begun"); return nil }); !errors.Is(err, syscall.ETIMEDOUT) {
		t.Errorf("one more: %v", err)
	}
	if err := (&rights{uid: 65533, gid: 65533, turns: book.of(65533)}).do(func() error { return nil }); err != nil {
		t.Errorf("another user: %v", err)
	}
	close(answer)
	ended.Wait()
	fileWait = time.Minute
	if n, err := as(user, func() (int, error) { return os.Getpid(), nil }); err != nil || n != os.Getpid() {
		t.Errorf("when it answers: %d, %v", n, err)
	}
}
