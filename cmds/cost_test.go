package cmds_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/runink/rink/api"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/slurm"
)

// heldJob is a submission that is committed and starts nothing: one job, or an
// array of so many tasks.
func heldJob(key string, tasks int) *rinkpb.SubmitRequest {
	o := &slurm.JobOptions{
		Name: "cost", NTasks: 1, CPUsPerTask: 1, MemPerCPU: 100, TimeLimit: 60, WorkDir: "/tmp", Output: "/dev/null", Hold: true,
		Given: map[string]bool{"job-name": true, "ntasks": true, "cpus-per-task": true, "mem-per-cpu": true, "time": true, "output": true, "hold": true},
	}
	if tasks > 1 {
		set, err := slurm.ParseArray(fmt.Sprintf("0-%d", tasks-1), 1<<20)
		if err != nil {
			panic(err)
		}
		o.Array, o.Given["array"] = &set, true
	}
	return &rinkpb.SubmitRequest{Key: key, Jobs: []*rinkpb.JobRequest{{
		Options: api.JobOptionsToProto(o), Script: []byte("#!/bin/sh\nexit 0\n"), ScriptName: "cost.sh", Batch: true,
		Env: []string{"HOME=/root", "PATH=/bin:/usr/bin"}, SubmitHost: "login1", SubmitLine: "sbatch cost.sh",
	}}}
}

// submitFrom has clients submit for some time, each over a line of its own to one
// of the controllers, and returns how many submissions were committed a second.
func submitFrom(b *testing.B, r *rig, clients, tasks int, limit time.Duration) float64 {
	b.Helper()
	var done atomic.Int64
	var wg sync.WaitGroup
	began := time.Now()
	for i := range clients {
		client, end := r.client(fmt.Sprintf("c%d", 1+i%3))
		wg.Go(func() {
			defer end()
			for n := 0; time.Since(began) < limit; n++ {
				reply, err := client.Submit(context.Background(), heldJob(fmt.Sprintf("%s/%d/%d/%d", b.Name(), tasks, i, n), tasks))
				if err != nil || reply.Status.GetErrno() != 0 {
					b.Errorf("client %d: %v %v", i, err, reply.GetStatus())
					return
				}
				done.Add(1)
			}
		})
	}
	wg.Wait()
	return float64(done.Load()) / time.Since(began).Seconds()
}

// controllerCPU is what the controllers have computed so far, in milliseconds.
func (r *rig) controllerCPU(b *testing.B) float64 {
	b.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	ticks := 0
	for name, p := range r.procs {
		if name[0] != 'c' {
			continue
		}
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
		if err != nil {
			b.Fatal(err)
		}
		words := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		for _, word := range words[11:13] { // user and system
			n, err := strconv.Atoi(word)
			if err != nil {
				b.Fatal(err)
			}
			ticks += n
		}
	}
	return float64(ticks) * 10 // the kernel counts in hundredths of a second
}

// BenchmarkQuorum is what durable submissions cost with three controllers on one
// machine, each with its own log on a disk that is waited for.
func BenchmarkQuorum(b *testing.B) {
	r := newRig(b, rigOptions{controllers: 3, agents: 1, cpus: 4})
	for range b.N {
		before := r.controllerCPU(b)
		rate := submitFrom(b, r, 16, 1, 5*time.Second)
		b.ReportMetric(rate, "quorum_submissions=1/s")
		b.ReportMetric((r.controllerCPU(b)-before)/(rate*5), "quorum_cpu_of_a_submission=ms") // of all three, whatever else the machine does
		b.ReportMetric(submitFrom(b, r, 16, 1000, 2*time.Second)*1000, "quorum_array_tasks=1/s")
	}
}

// BenchmarkQuorumIdle is how long one sbatch takes on an idle cluster, from
// reading its options to its id, without the start of its process.
func BenchmarkQuorumIdle(b *testing.B) {
	r := newRig(b, rigOptions{controllers: 3, agents: 1, cpus: 4})
	for range b.N {
		var took []float64
		for range 300 {
			t0 := time.Now()
			if _, err := r.sbatch("-H", "-o", "/dev/null", "--wrap", "true"); err != nil {
				b.Fatal(err)
			}
			took = append(took, float64(time.Since(t0))/1e6)
			time.Sleep(10 * time.Millisecond)
		}
		slices.Sort(took)
		b.ReportMetric(took[len(took)/2], "quorum_submit_p50=ms")
		b.ReportMetric(took[len(took)*99/100], "quorum_submit_p99=ms")
	}
}
