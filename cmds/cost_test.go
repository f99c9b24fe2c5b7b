package cmds_test

import (
	"context"
	"fmt"
	"slices"
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

// BenchmarkQuorum is what durable submissions cost with three controllers on one
// machine, each with its own log on a disk that is waited for.
func BenchmarkQuorum(b *testing.B) {
	r := newRig(b, rigOptions{controllers: 3, agents: 1, cpus: 4})
	for range b.N {
		b.ReportMetric(submitFrom(b, r, 16, 1, 5*time.Second), "quorum_submissions=1/s")
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
