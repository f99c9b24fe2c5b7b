package cmds_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestGPUClocks sets the clocks of a step's GPUs and looks at what the driver has.
func TestGPUClocks(t *testing.T) {
	c := startGPUs(t, gpuSetup{
		describe: func(node int) string {
			text := "driver 550.54.15 12040\n"
			for i := range 2 {
				clocks := "clocks=1"
				if node == 2 {
					clocks = "" // a driver that lets nobody set them
				}
				text += fmt.Sprintf("gpu %d uuid=GPU-%d name=NVIDIA_A100-SXM4-80GB pci=00000000:%02x:00.0 memory=81920 %s\n", i, i, 16+i, clocks)
			}
			return text
		},
		gres: "gpu:a100:2,shard:8",
	})
	state := func() string {
		text, _ := os.ReadFile(c.desc[0] + ".state")
		return string(text)
	}
	srun := func(node string, args ...string) string {
		t.Helper()
		cmd := exec.Command("srun", append([]string{"-w", node}, args...)...)
		cmd.Dir, cmd.Env = c.dir, append(os.Environ(), "SLURM_CONF="+c.conf)
		text, err := cmd.CombinedOutput()
		out := string(text)
		if err != nil {
			t.Fatalf("%v: %v: %s", args, err, out)
		}
		return strings.TrimSpace(out)
	}
	look := "cat " + c.desc[0] + ".state; true"
	for _, k := range []struct {
		name string
		node string
		args []string
		want string
	}{
		{"Verbose", "g1", []string{"--gres=gpu:1", "--gpu-freq=memory=low,highm1,verbose"}, "GpuFreq=memory_freq:877,graphics_freq:1395\nclocks 0 877 1395"},
		{"Both", "g1", []string{"--gpus=2", "--gpu-freq=800"}, "clocks 0 1593 810\nclocks 1 1593 810"},
		{"NotAsked", "g1", []string{"--gpus=2"}, ""},
		{"PartsOfOne", "g1", []string{"--gres=shard:1", "--gpu-freq=low,verbose"}, "GpuFreq=control_disabled"},
		{"NoGPU", "g1", []string{"--gpu-freq=low,verbose"}, ""},
		{"TheDriverDoesNot", "g2", []string{"--gpus=1", "--gpu-freq=low,verbose"}, "GpuFreq=control_disabled"},
	} {
		t.Run(k.name, func(t *testing.T) {
			if got := srun(k.node, append(k.args, "sh", "-c", look)...); got != k.want {
				t.Errorf("got %q, want %q", got, k.want)
			}
			if s := state(); s != "" {
				t.Errorf("left behind: %q", s)
			}
		})
	}
	// The agent dies while a step has clocks, and comes again once the step is gone.
	c.must("sbatch", "-w", "g1", "--gpus=1", "-o", "/dev/null", "--wrap", "srun --gpu-freq=low sleep 3")
	for end := time.Now().Add(20 * time.Second); !strings.Contains(state(), "210"); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the clocks were not set")
		}
	}
	c.agents[0].Process.Kill()
	c.agents[0].Wait()
	c.start(0)
	c.drain(time.Minute)
	if s := state(); s != "" {
		t.Errorf("left behind by an agent that died: %q", s)
	}
}
