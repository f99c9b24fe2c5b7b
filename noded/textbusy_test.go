package noded

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"
)

func TestWhileTextBusy(t *testing.T) {
	tries := 0
	err := whileTextBusy(context.Background(), func() error {
		if tries++; tries < 4 {
			return fmt.Errorf("cannot execute: %w", syscall.ETXTBSY)
		}
		return nil
	})
	if err != nil || tries != 4 {
		t.Errorf("started after %d tries with %v, want 4 and no error", tries, err)
	}
	other := errors.New("another")
	tries = 0
	if err := whileTextBusy(context.Background(), func() error { tries++; return other }); !errors.Is(err, other) || tries != 1 {
		t.Errorf("another error was tried %d times: %v", tries, err)
	}
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	if err := whileTextBusy(gone, func() error { return syscall.ETXTBSY }); !errors.Is(err, syscall.ETXTBSY) {
		t.Errorf("an agent that stops waits on: %v", err)
	}
}
