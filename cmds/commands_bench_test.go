package cmds_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// BenchmarkCommands is what commands cost as processes, against a controller with an
// empty queue: their own processor time, which says more on a machine that does other
// things too than how long they took, and the controller's for a submission.
func BenchmarkCommands(b *testing.B) {
	dir := b.TempDir()
	build := exec.Command("go", "build", "-tags", "lean,urfave_cli_no_docs", "-o", filepath.Join(dir, "rink"), "../cmds/rink")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	r := newRig(b, rigOptions{controllers: 1, agents: 1, cpus: 4})
	vars := r.env("", io.Discard, io.Discard).Vars
	run := func(name string, args ...string) (cpu time.Duration) {
		c := exec.Command(filepath.Join(dir, "rink"), append([]string{name}, args...)...)
		c.Env = vars
		if out, err := c.CombinedOutput(); err != nil {
			b.Errorf("%s: %v\n%s", name, err, out)
		}
		return c.ProcessState.UserTime() + c.ProcessState.SystemTime()
	}
	ms := func(d time.Duration, n int) float64 { return float64(d) / float64(n) / 1e6 }
	submit := []string{"-H", "-o", "/dev/null", "--wrap", "true"}
	for range b.N {
		for _, c := range [][]string{{"squeue", "-V"}, {"squeue"}, {"sinfo"}, append([]string{"sbatch"}, submit...)} {
			const times = 200
			var cpu time.Duration
			for range times {
				cpu += run(c[0], c[1:]...)
			}
			name := c[0]
			if len(c) == 2 {
				name += "_version"
			}
			b.ReportMetric(ms(cpu, times), fmt.Sprintf("command_cpu_%s=ms", name))
		}
		const clients, each = 8, 50
		before, began := r.controllerCPU(b), time.Now()
		var wg sync.WaitGroup
		for range clients {
			wg.Go(func() {
				for range each {
					run("sbatch", submit...)
				}
			})
		}
		wg.Wait()
		b.ReportMetric(clients*each/time.Since(began).Seconds(), "sbatch_8_clients=1/s")
		b.ReportMetric((r.controllerCPU(b)-before)/(clients*each), "sbatch_8_clients_controller_cpu=ms")
	}
}
