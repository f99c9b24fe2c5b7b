package cmds_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/runink/rink/gpu/probe/probetest"
)

// accountedGPUs are four A100 of which each uses as much as is said, and has drawn
// so much energy.
func accountedGPUs(busy [4]int, joules int, more string) string {
	text := "driver 550.54.15 12040\nlink 0 1 12\nlink 2 3 12\n"
	for i, n := range busy {
		text += fmt.Sprintf("gpu %d uuid=GPU-%d name=NVIDIA_A100-SXM4-80GB pci=00000000:%02x:00.0 memory=81920 util=%d used=512 energy=%d\n", i, i, 16+i, n, 1000*(joules+1))
	}
	return text + more
}

// TestGPUsAccounted looks at what is told of the GPUs of a job on two agents: by step
// and task while it runs and afterwards, and of a job with parts of one.
func TestGPUsAccounted(t *testing.T) {
	c := startGPUs(t, gpuSetup{describe: func(int) string { return accountedGPUs([4]int{}, 0, "") }, gres: "gpu:a100:4,shard:16"})
	id := c.must("sbatch", "--parsable", "-N2", "-n4", "--ntasks-per-node=2", "--gpus-per-node=2", "-o", "/dev/null", "--wrap",
		`srun -n4 --gpus-per-task=1 sh -c 'exec sleep 707.$SLURM_PROCID'; sleep 1`)
	parts := c.must("sbatch", "--parsable", "-w", "g1", "--gres=shard:4", "-o", "/dev/null", "--wrap", "exec sleep 708.1")
	idle := c.must("sbatch", "--parsable", "-w", "g2", "--gres=gpu:1", "-o", "/dev/null", "--wrap", "sleep 4")
	c.wait("squeue", "R\nR\nR", "-h", "-o", "%t")
	// The ranks 0 and 1 are on the first node, on a GPU each; 2 and 3 on the other.
	pid := func(n int) int {
		line := fmt.Sprintf("sleep\x00707.%d\x00", n)
		c.until(func() bool { return findPid(line) != 0 }, line)
		return findPid(line)
	}
	first := fmt.Sprintf("process 0 %d 1024\nruns 0 %d 90\nprocess 1 %d 2048\nruns 1 %d 50\n", pid(0), pid(0), pid(1), pid(1)) +
		fmt.Sprintf("process 2 %d 3072\nruns 2 %d 20\nprocess 2 1 77\nruns 2 1 40\n", pidOf(t, "sleep\x00708.1\x00"), pidOf(t, "sleep\x00708.1\x00"))
	second := fmt.Sprintf("process 0 %d 512\nprocess 1 %d 4096\nruns 1 %d 10\n", pid(2), pid(3), pid(3))
	show := func(joules int) {
		probetest.Describe(t, c.desc[0], accountedGPUs([4]int{90, 50, 60, 0}, joules, first))
		probetest.Describe(t, c.desc[1], accountedGPUs([4]int{0, 10, 0, 0}, joules, second))
	}
	show(0)
	time.Sleep(2500 * time.Millisecond) // the agents look twice
	show(100)

	got := c.wait("sstat", "gres/gpuutil=", "-nP", "-j", id+".0", "-o", "TRESUsageInMax")
	if !strings.Contains(got, "gres/gpumem=4G,gres/gpuutil=90,") {
		t.Errorf("sstat of the step: %s", got)
	}
	if got := c.must("sstat", "-nP", "-j", id+".0", "-o", "TRESUsageInMaxNode,TRESUsageInMaxTask,TRESUsageInMinTask"); !strings.Contains(got, "gres/gpumem=g2,gres/gpuutil=g1") ||
		!strings.Contains(got, "gres/gpumem=3,gres/gpuutil=0") || !strings.Contains(got, "gres/gpumem=2,gres/gpuutil=2") {
		t.Errorf("sstat of where that was: %s", got)
	}
	metrics := c.must("rink-metrics", "--name", "g1")
	for _, want := range []string{
		`rink_job_gpu_busy_ratio{account="root",gpu="2",job="` + parts + `",node="g1",partition="debug",user="root"} 0.2`,
		`rink_job_gpu_memory_used_bytes{account="root",gpu="1",job="` + id + `",node="g1",partition="debug",user="root"} 2.147483648e+09`,
		`rink_herd_gpus{node="g1",partition="debug"} 3`,
		`rink_herd_gpus_busy{node="g1",partition="debug"} 1.6`,
		`rink_herd_gpu_memory_used_bytes{node="g1",partition="debug"} 6.442450944e+09`,
		`rink_herd_gpu_energy_joules_total{node="g1",partition="debug"} 300`,
		`rink_gpu_energy_joules_total{gpu="3",name="NVIDIA A100-SXM4-80GB",node="g1",uuid="GPU-3"} 101`,
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("no %s in\n%s", want, metrics)
		}
	}
	c.must("scancel", id+".0", parts)
	c.drain(time.Minute)
	all := map[string]string{}
	for line := range strings.Lines(c.must("sacct", "-nP", "-j", id+","+parts+","+idle, "-o", "JobID,TRESUsageInTot,TRESUsageInAve,TRESUsageInMax,ConsumedEnergyRaw")) {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), "|")
		all[name] = rest
	}
	field := func(name string, n int, kind string) string {
		f := strings.Split(all[name], "|")
		if n < len(f) {
			for word := range strings.SplitSeq(f[n], ",") {
				if v, ok := strings.CutPrefix(word, kind+"="); ok {
					return v
				}
			}
		}
		return "none"
	}
	for _, k := range []struct {
		name  string
		field int
		kind  string
		want  string
	}{
		{id + ".0", 0, "gres/gpumem", "7.50G"},
		{id + ".0", 1, "gres/gpumem", "1920M"},
		{id + ".0", 2, "gres/gpumem", "4G"},
		{id + ".0", 2, "gres/gpuutil", "90"},
		{id + ".0", 0, "energy", "400"}, // all of four GPUs
		{parts + ".batch", 2, "gres/gpumem", "3G"},
		{parts + ".batch", 2, "gres/gpuutil", "20"}, // and not the forty of another
		{parts + ".batch", 0, "energy", "100"},
		{idle + ".batch", 0, "gres/gpumem", "0"},
		{idle + ".batch", 0, "gres/gpuutil", "0"},
		{id, 0, "gres/gpumem", "none"},
	} {
		if got := field(k.name, k.field, k.kind); got != k.want {
			t.Errorf("%s of %s, column %d: %q, want %q in %q", k.kind, k.name, k.field, got, k.want, all[k.name])
		}
	}
	if got := strings.Join(strings.Fields(c.must("sacct", "--json", "-j", id)), ""); !strings.Contains(got, `"name":"gpumem","id":1002,"count":4294967296,"task":3,"node":"g2"`) {
		t.Errorf("sacct --json does not tell whose memory was the most: %s", got)
	}
	var util int
	if fmt.Sscan(field(id+".0", 0, "gres/gpuutil"), &util); util < 30 || util > 150 {
		t.Errorf("the GPUs of the step, in percent of one: %q", all[id+".0"])
	}
	for _, k := range []struct {
		job  string
		want []string
	}{
		{id, []string{"GPU Memory Utilized: 7.50 GB", "GPU Utilized: 00:00:0"}},
		{parts, []string{"Memory Utilized: "}},
		{idle, []string{"GPU Utilized: 00:00:00\nGPU Efficiency: 0.00% of 00:00:0", "GPU Memory Utilized: 0.00 MB"}},
	} {
		got := c.must("seff", k.job)
		for _, w := range k.want {
			if !strings.Contains(got, w) {
				t.Errorf("seff %s does not say %q:\n%s", k.job, w, got)
			}
		}
	}
	if _, err := os.Stat(c.dir + "/g1/metered"); err == nil {
		t.Error("what was metered of jobs that are over is still written down")
	}
}
