package accounting

import (
	"testing"
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/slurm"
)

// Slurm was asked on a live cluster: a job shows in a window that begins in the
// second it ended in, however late in that second it ended, and no longer in one
// that begins a second later.
func TestWindowBeginsInTheSecondOfTheEnd(t *testing.T) {
	at := time.Unix(1_795_872_105, 0)
	r := &rinkpb.Record{Job: &rinkpb.Job{
		Id: 1, State: uint32(slurm.JobCompleted), Submit: at.Add(-9 * time.Second).UnixNano(), Eligible: at.Add(-9 * time.Second).UnixNano(),
		Start: at.Add(-8 * time.Second).UnixNano(), End: at.Add(300 * time.Millisecond).UnixNano(),
	}}
	for _, tc := range []struct {
		name   string
		start  time.Duration
		states []slurm.JobState
		want   bool
	}{
		{"a second before", -time.Second, nil, true},
		{"in that second", 0, nil, true},
		{"late in that second", 900 * time.Millisecond, nil, true},
		{"a second after", time.Second, nil, false},
		{"by state, in that second", 0, []slurm.JobState{slurm.JobCompleted}, true},
		{"by state, a second after", time.Second, []slurm.JobState{slurm.JobCompleted}, false},
	} {
		f := Filter{Start: at.Add(tc.start), End: at.Add(time.Minute), States: tc.states}
		if got := f.Match(r); got != tc.want {
			t.Errorf("%s: got %v, want %v", tc.name, got, tc.want)
		}
	}
}
