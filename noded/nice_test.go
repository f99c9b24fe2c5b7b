package noded

import (
	"testing"

	"github.com/runink/rink/slurm"
)

func TestNiceOfSubmitter(t *testing.T) {
	for _, tt := range []struct {
		name                       string
		mode, submitted, own, want int
	}{
		{"AsSubmitted", 1, 5, 0, 5},
		{"AsSubmittedBelowTheAgent", 1, -3, 0, -3},
		{"NicerThanTheAgent", 2, 0, 4, 5},
		{"NicerAnyhow", 2, 7, 4, 7},
		{"NoNicerThanThereIs", 2, 0, 19, 19},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := *nicer(tt.mode, tt.submitted, tt.own); got != tt.want {
				t.Errorf("nice %d, want %d", got, tt.want)
			}
		})
	}
	env := []string{"A=b", "SLURM_PRIO_PROCESS=10"}
	if n := niceOf(&slurm.Conf{PropagatePrioProcess: 1}, env); n == nil || *n != 10 {
		t.Errorf("nice %v, want 10", n)
	}
	for _, bad := range [][]string{nil, {"SLURM_PRIO_PROCESS=x"}} {
		if n := niceOf(&slurm.Conf{PropagatePrioProcess: 1}, bad); n != nil {
			t.Errorf("%v: nice %d", bad, *n)
		}
	}
	if n := niceOf(&slurm.Conf{}, env); n != nil {
		t.Errorf("PropagatePrioProcess=0: nice %d", *n)
	}
}
