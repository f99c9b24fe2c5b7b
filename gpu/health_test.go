package gpu

import (
	"strings"
	"testing"
	"time"
)

// TestHealth follows a GPU that falls off the bus and comes back.
func TestHealth(t *testing.T) {
	var h Health
	at := time.Unix(1000, 0)
	step := func(after time.Duration, s Signs, want string) {
		t.Helper()
		at = at.Add(after)
		h.See(s, at, time.Minute)
		if got := h.Why(); (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Fatalf("at %v: %q, want %q", at, got, want)
		}
	}
	step(0, Signs{}, "")
	h.Error(31, at) // a program's own fault
	step(time.Second, Signs{}, "")
	h.Error(79, at)
	step(time.Second, Signs{Lost: true}, "XID 79: GPU has fallen off the bus; the driver has lost it")
	step(10*time.Minute, Signs{Lost: true}, "lost")
	step(time.Second, Signs{}, "XID 79") // it answers, but not for long
	step(30*time.Second, Signs{}, "XID 79")
	step(time.Minute, Signs{}, "")
	step(time.Second, Signs{RemapFailed: true}, "row remapping has failed")
	step(time.Second, Signs{Throttled: "thermal"}, "")
}
