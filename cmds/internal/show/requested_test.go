package show

import (
	"testing"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// Memory for each GPU counts by the GPUs that a waiting job asks for, as a real
// Slurm lists it: --gpus=2 --mem-per-gpu=1G is mem=2G.
func TestMemoryOfAWaitingJobByItsGPUs(t *testing.T) {
	for name, need := range map[string]sched.Need{
		"of the job":   {CPUs: 1, GresPerJob: slurm.Gres{{Name: "gpu", Count: 2}}},
		"of each node": {CPUs: 1, MinNodes: 1, GresPerNode: slurm.Gres{{Name: "gpu", Type: "a100", Count: 2}}},
		"of each task": {CPUs: 2, Tasks: 2, GresPerTask: slurm.Gres{{Name: "gpu", Count: 1}}},
	} {
		j := &Job{Job: &sched.Job{Need: need, Spec: &slurm.JobOptions{MemPerGPU: 1024}}}
		got := (&View{}).Requested(j)
		mem := int64(0)
		for _, item := range got {
			if item.Type == "mem" {
				mem = item.Count
			}
		}
		if mem != 2048 {
			t.Errorf("%s: %v, want 2048 MB", name, got)
		}
	}
}
