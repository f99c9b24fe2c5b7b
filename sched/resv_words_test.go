package sched

import (
	"errors"
	"testing"
	"time"

	"github.com/runink/rink/slurm"
)

// TestReservationsGrowAndShrink changes how long one is by a difference: what would
// leave nothing of it is refused, not passed over.
func TestReservationsGrowAndShrink(t *testing.T) {
	s := newStory()
	for _, line := range []string{"nodes n[1-2] cpus=4 mem=1000", "reservation r nodes=n1 starts=1h for=2h"} {
		if err := s.do(line, nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		op, value string
		want      time.Duration // 0: refused
	}{
		{"+=", "30", 150 * time.Minute},
		{"-=", "30", 90 * time.Minute},
		{"=", "30", 30 * time.Minute},
		{"-=", "120", 0},
		{"-=", "600", 0},
	} {
		got, err := ChangeReservation(s.view(), s.resvs[0], []ResvWord{{"duration", c.op, c.value}}, s.now)
		switch {
		case c.want == 0 && !errors.Is(err, slurm.ErrnoInvalidTime):
			t.Errorf("%s%s: %v", c.op, c.value, err)
		case c.want > 0 && (err != nil || got.End.Sub(got.Start) != c.want):
			t.Errorf("%s%s: %+v, %v", c.op, c.value, got, err)
		}
	}
}
