package daemon

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

func TestBusyPercent(t *testing.T) {
	for live, want := range map[uint64]int{0: 400, 10 << 20: 400, 48 << 20: 200, 96 << 20: 100, 1 << 30: 50} {
		if got := busyPercent(live); got != want {
			t.Errorf("of %d bytes: %d, want %d", live, got, want)
		}
	}
}

// A busy process is let off collecting, and one that waits again is not.
func TestCollectingFollowsTheLoad(t *testing.T) {
	now := func() int {
		p := debug.SetGCPercent(100)
		debug.SetGCPercent(p)
		return p
	}
	defer debug.SetGCPercent(now())
	debug.SetGCPercent(quietPercent)
	c := &collecting{percent: quietPercent}
	c.relax = time.AfterFunc(time.Hour, c.quiet)
	defer c.relax.Stop()
	c.next()
	for now() == quietPercent {
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
	c.quiet()
	if got := now(); got != quietPercent {
		t.Errorf("%d percent when quiet", got)
	}
}
