package cmds_test

import (
	"slices"
	"strings"
	"testing"
)

// TestGPUsOfTasks looks at what each task of a step sees, for the ways to say it.
func TestGPUsOfTasks(t *testing.T) {
	c := startGPUs(t, gpuSetup{describe: func(int) string {
		text := accountedGPUs([4]int{}, 0, "")
		for i, cpus := range []string{"0", "0", "1", "1"} { // near one CPU each pair
			text = strings.Replace(text, "uuid=GPU-"+string(rune('0'+i)), "cpus="+cpus+" uuid=GPU-"+string(rune('0'+i)), 1)
		}
		return text
	}, gres: "gpu:a100:4"})
	for _, k := range []struct {
		name, args, want string // want: of each task in order
	}{
		{"Single", "-w g1 -n4 --gpus=2 --gpu-bind=single:2", "0|0|1|1"},
		{"Map", "-w g1 -n4 --gpus=4 --gpu-bind=map_gpu:3,2,1,0", "3|2|1|0"},
		{"Mask", "-w g1 -n2 --gpus=4 --gpu-bind=mask_gpu:0x3,0xc", "0,1|2,3"},
		{"PerTask", "-w g1 -n2 --gpus=4 --gpu-bind=per_task:2", "0,1|2,3"},
		{"None", "-w g1 -n2 --gpus=4 --gpu-bind=none", "|"},
		{"NothingSaid", "-w g1 -n2 --gpus=2", "0,1|0,1"},
		{"GPUsPerTask", "-w g1 -n2 --gpus-per-task=2", "0,1|2,3"},
		{"TasksPerGPU", "-w g1 -n4 --ntasks-per-gpu=2", "0|0|1|1"},
		{"TRESPerTask", "-w g1 -n4 --tres-per-task=gres/gpu:1", "0|1|2|3"},
		{"TRESPerTaskOfAType", "-w g1 -n2 --tres-per-task=cpu=2,gres/gpu:a100=2", "0,1|2,3"},
		{"TRESPerTaskBoundOtherwise", "-w g1 -n2 --tres-per-task=gres/gpu=2 --tres-bind=gres/gpu:none", "|"},
		{"PerSocket", "-w g1 --gpus-per-socket=2 --sockets-per-node=2 -n1", "0,1,2,3"},
		{"TasksOfNodes", "-N2 -n4 --gpus-per-node=2 --gpus-per-task=1", "0|1|0|1"},
		{"TasksOfNodesUneven", "-N2 -n3 --gpus-per-node=4 --gpus-per-task=2", "0,1|2,3|0,1"},
	} {
		t.Run(k.name, func(t *testing.T) {
			out := c.must("srun", append(append([]string{"-l"}, strings.Fields(k.args)...), "sh", "-c", `echo "$CUDA_VISIBLE_DEVICES"`)...)
			lines := strings.Split(strings.TrimSpace(out), "\n")
			slices.Sort(lines)
			for i, line := range lines {
				_, lines[i], _ = strings.Cut(line, ": ")
			}
			if got := strings.Join(lines, "|"); strings.TrimSpace(got) != k.want {
				t.Errorf("%q, want %q", got, k.want)
			}
		})
	}
	// What a GPU brings with it.
	out := c.must("srun", "-w", "g1", "--gpus=2", "--cpus-per-gpu=3", "--mem-per-gpu=100", "sh", "-c", "scontrol show job $SLURM_JOB_ID")
	for _, want := range []string{"TRES=cpu=6,mem=200M,node=1,billing=6,gres/gpu=2,gres/gpu:a100=2", "CpusPerTres=gres:gpu:3", "MemPerTres=gres:gpu:100"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %s in\n%s", want, out)
		}
	}
}
