package slice

import (
	"context"
	"sort"
	"testing"
	"time"
)

func benchSpec(h *Host, kind string) *Spec {
	s := &Spec{ID: "bench", UID: 65534, GID: 65534,
		Tasks: []Task{{Argv: []string{"/bin/true"}, Dir: "/"}}}
	if kind != "plain" {
		s.Cgroup = Cgroup{On: true, Parent: h.parent, Levels: []Level{{Name: "job_1", Limits: Limits{MemoryMax: 1 << 30}}, {Name: "step_0"}}}
	}
	if kind == "full" {
		s.Cgroup.Levels[1].Limits = Limits{CPUs: 1, PIDsMax: 100, CPUSet: "0"}
		s.Namespaces = Namespaces{PID: true, Mount: true, UTS: true, IPC: true}
	}
	return s
}

func BenchmarkStart(b *testing.B) {
	h := testHost(b)
	for _, kind := range []string{"plain", "cgroup", "full"} {
		b.Run(kind, func(b *testing.B) {
			if kind != "plain" && h.Off != "" {
				b.Skip(h.Off)
			}
			spec := benchSpec(h, kind)
			var starts []time.Duration
			for b.Loop() {
				t0 := time.Now()
				s, err := h.Start(context.Background(), spec)
				if err != nil {
					b.Fatal(err)
				}
				starts = append(starts, time.Since(t0))
				s.Wait()
			}
			sort.Slice(starts, func(i, j int) bool { return starts[i] < starts[j] })
			b.ReportMetric(float64(starts[len(starts)/2].Microseconds()), "µs-p50-start")
			b.ReportMetric(float64(starts[len(starts)*99/100].Microseconds()), "µs-p99-start")
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "slices/s")
		})
	}
}
