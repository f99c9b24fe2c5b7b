package cmds_test

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/runink/rink/gpu/probe/probetest"
)

// cuttableGPUs are two A100 that can be cut into instances.
func cuttableGPUs(more string) string {
	text := "driver 550.54.15 12040\nlink 0 1 12\n"
	for i := range 2 {
		text += fmt.Sprintf("gpu %d uuid=GPU-%d name=NVIDIA_A100-SXM4-80GB pci=00000000:%02x:00.0 memory=81920 cut=1 fabric=0102030405060708090a0b0c0d0e0f10 clique=3 %s\n", i, i, 16+i, more)
	}
	return text
}

// TestGPUsCutOnDemand has a herd whose jobs may have GPUs cut: one is cut when a job
// asks for instances nobody made, is given in parts meanwhile, and is whole again
// afterwards, whatever becomes of its agent.
func TestGPUsCutOnDemand(t *testing.T) {
	c := startGPUs(t, gpuSetup{
		describe: func(int) string { return cuttableGPUs("") }, gres: "gpu:a100:2", herd: "MIGProfiles=1g.10gb,3g.40gb",
		conf: "MIGIdleTime=2\nPartitionName=plain Nodes=ALL State=UP\n",
	})
	run := func(args ...string) string {
		t.Helper()
		return strings.TrimSpace(c.must("srun", args...))
	}
	whole := func() {
		t.Helper()
		c.wait("scontrol", "Gres=gpu:a100:2\n", "show", "node", "-d", "g1")
		c.wait("scontrol", "GresDrain=N/A", "show", "node", "-d", "g1")
		if text, _ := os.ReadFile(c.desc[0] + ".state"); strings.Contains(string(text), "gi ") || strings.Contains(string(text), "mig 0 1") {
			t.Errorf("the driver's GPUs are left cut:\n%s", text)
		}
	}
	// The driver has files for all instances that could be; those of the first GPU
	// matter here.
	ofTwo := strings.Replace(sees, "/dev/nvidia? /dev/nvidia-caps/nvidia-cap2[1-8]", "/dev/nvidia[01] /dev/nvidia-caps/nvidia-cap29 /dev/nvidia-caps/nvidia-cap3? /dev/nvidia-caps/nvidia-cap4[012]", 1)
	seen := ofTwo + `echo "$CUDA_VISIBLE_DEVICES"`

	c.wait("scontrol", "GPUFabric=0102030405060708090a0b0c0d0e0f10.3", "show", "node", "-d", "g1")
	t.Run("TwoInstances", func(t *testing.T) {
		got := run("-w", "g1", "--gpus=1g.10gb:2", "sh", "-c", seen)
		if got != "nvidia0 nvidia-cap29 nvidia-cap30 nvidia-cap31 nvidia-cap32 \nMIG-made-0-1-0,MIG-made-0-2-0" {
			t.Errorf("got %q", got)
		}
		if n := c.must("scontrol", "show", "node", "-d", "g1"); !strings.Contains(n, "Gres=gpu:a100:2,gpu:1g.10gb:7") || !strings.Contains(n, "GresDrain=gpu:a100:1(IDX:0)") {
			t.Errorf("the node meanwhile:\n%s", n)
		}
		if got := run("-w", "g1", "--gres=gpu:a100:1", "sh", "-c", seen); got != "nvidia1 \n0" {
			t.Errorf("the one that is whole: %q", got)
		}
		whole()
	})
	t.Run("RefusedElsewhere", func(t *testing.T) {
		for _, args := range [][]string{
			{"-p", "plain", "--gpus=1g.10gb:1"}, // the herd may not
			{"--gpus=2g.20gb:1"},                // nor this one have that
			{"-N1", "--gres=gpu:3g.40gb:5"},     // and two GPUs have no room for five
		} {
			_, err := c.do("sbatch", append(args, "--wrap", "true")...)
			if err == nil || !strings.Contains(err.Error(), "Requested node configuration is not available") {
				t.Errorf("%v: %v", args, err)
			}
		}
	})
	t.Run("TheAgentDiesInBetween", func(t *testing.T) {
		probetest.Describe(t, c.desc[0], cuttableGPUs("die=3"))
		id := c.must("sbatch", "--parsable", "-w", "g1", "--gres=gpu:1g.10gb:1", "-o", "cut.%j", "--wrap", seen+"; sleep 5")
		c.agents[0].Wait()
		if text, _ := os.ReadFile(c.desc[0] + ".state"); strings.Count(string(text), "gi ") != 2 {
			t.Fatalf("the driver's GPUs are not half cut:\n%s", text)
		}
		probetest.Describe(t, c.desc[0], cuttableGPUs(""))
		c.start(0)
		c.wait("squeue", "R", "-h", "-j", id, "-o", "%t")
		// And while the job runs: what it has is found again.
		c.agents[0].Process.Signal(syscall.SIGKILL)
		c.agents[0].Wait()
		c.start(0)
		c.wait("scontrol", "GresUsed=gpu:a100:0(IDX:N/A),gpu:1g.10gb:1(IDX:2)", "show", "node", "-d", "g1")
		c.drain(time.Minute)
		if text, _ := os.ReadFile(c.dir + "/cut." + id); !strings.HasPrefix(string(text), "nvidia0 nvidia-cap29 nvidia-cap30 \nMIG-made-0-1-0") {
			t.Errorf("the job saw %q", text)
		}
		whole()
	})
	t.Run("ADriverThatWouldNeedAReset", func(t *testing.T) {
		probetest.Describe(t, c.desc[0], cuttableGPUs("stuck=1"))
		id := c.must("sbatch", "--parsable", "-w", "g1", "--gres=gpu:1g.10gb:1", "--wrap", "true")
		time.Sleep(4 * time.Second)
		if got := c.must("squeue", "-h", "-j", id, "-o", "%t %r"); got != "PD Resources" {
			t.Errorf("the job: %q", got)
		}
		whole()
		if got := run("-w", "g1", "--gres=gpu:a100:2", "sh", "-c", ofTwo); !strings.HasPrefix(got, "nvidia0 nvidia1") {
			t.Errorf("both whole: %q", got)
		}
		c.must("scancel", id)
	})
}
