package srun

import (
	"syscall"
	"testing"
	"time"
)

func TestASignalThatComesTwiceAtOnceIsOne(t *testing.T) {
	e, at := make(echo), time.Now()
	for i, step := range []struct {
		sig   syscall.Signal
		after time.Duration
		want  bool
	}{
		{syscall.SIGINT, 0, false},
		{syscall.SIGINT, time.Millisecond, true},
		{syscall.SIGCONT, time.Millisecond, false},
		{syscall.SIGCONT, 2 * time.Millisecond, true},
		{syscall.SIGINT, 200 * time.Millisecond, false},
	} {
		if got := e.seen(step.sig, at.Add(step.after)); got != step.want {
			t.Errorf("%d: %v is taken for one that was seen: %t", i, step.sig, got)
		}
	}
}
