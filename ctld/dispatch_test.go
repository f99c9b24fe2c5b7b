package ctld

import (
	"slices"
	"testing"

	"github.com/runink/rink/sched"
)

func TestBatchScriptsAreToldTheirGPUs(t *testing.T) {
	for _, tt := range []struct {
		name string
		gres []sched.GresAlloc
		want []string
	}{
		{"None", nil, nil},
		{"OtherDevices", []sched.GresAlloc{{Name: "fpga", Count: 1, Index: []int{0}}}, nil},
		{"Two", []sched.GresAlloc{{Name: "gpu", Type: "a100", Count: 2, Index: []int{0, 1}}}, []string{"SLURM_JOB_GPUS=0,1", "SLURM_GPUS_ON_NODE=2"}},
		{"TwoTypes", []sched.GresAlloc{
			{Name: "gpu", Type: "v100", Count: 1, Index: []int{10}}, {Name: "gpu", Type: "a100", Count: 1, Index: []int{2}},
		}, []string{"SLURM_JOB_GPUS=2,10", "SLURM_GPUS_ON_NODE=2"}},
		{"NoFiles", []sched.GresAlloc{{Name: "gpu", Count: 3}}, []string{"SLURM_GPUS_ON_NODE=3"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := gpuEnv(tt.gres); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
