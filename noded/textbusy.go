package noded

import (
	"context"
	"errors"
	"syscall"
	"time"
)

// textBusyFor is how long a program that is open for writing is tried again.
const textBusyFor = 2 * time.Second

// whileTextBusy starts something, again while the kernel says that its program
// is open for writing. The agent has just written the batch script, and any
// process started by this one in that moment, such as a launcher or a prolog,
// holds a copy of the descriptor until it has executed its own program.
func whileTextBusy(ctx context.Context, start func() error) error {
	deadline := time.Now().Add(textBusyFor)
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		err := start()
		if !errors.Is(err, syscall.ETXTBSY) || time.Now().After(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}
