package sched

import (
	"fmt"
	"testing"
)

// TestGPUsOfSeveralTypes: a job takes the fewest nodes that have all types it asks for,
// and all of each.
func TestGPUsOfSeveralTypes(t *testing.T) {
	r := recordedConf(t, nil)
	for line, want := range map[string]string{
		"--gpus=a100:2,v100:1":     "n[1,3] cpu=2,mem=200M,node=2,billing=2,gres/gpu=3,gres/gpu:a100=2,gres/gpu:v100=1",
		"--gpus=a100:4,v100:2":     "n[1,3] cpu=2,mem=200M,node=2,billing=2,gres/gpu=6,gres/gpu:a100=4,gres/gpu:v100=2",
		"--gpus=a100:5,v100:1":     "n[1-3] cpu=3,mem=300M,node=3,billing=3,gres/gpu=6,gres/gpu:a100=5,gres/gpu:v100=1",
		"--gpus=a100:1,v100:1 -n4": "n[1,3] cpu=4,mem=400M,node=2,billing=4,gres/gpu=2,gres/gpu:a100=1,gres/gpu:v100=1",
	} {
		j, err := r.submit(t, line)
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		if got := fmt.Sprint(nodeListText(j.Nodes()), " ", JobTRES(j, r.cfg)); got != want {
			t.Errorf("%s: got %s\nwant %s", line, got, want)
		}
	}
}
