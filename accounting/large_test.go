package accounting

import (
	"os"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/runink/rink/api/rinkpb"
)

// cpuTime is what this process has used so far: on a machine that others use too
// it says more than the clock.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkLargeHistory asks of a history of ten million records, or of
// RINK_RECORDS of them, what sacct and sreport ask, opens it, and writes on as a
// busy cluster does: one job a second over 115 days, 120 users in accounts. It
// takes a while and some gigabytes below RINK_BENCH_DIR (or the temporary
// directory), so without RINK_RECORDS it works with a hundredth.
func BenchmarkLargeHistory(b *testing.B) {
	n := 100_000
	if text := os.Getenv("RINK_RECORDS"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil || n < 1000 {
			b.Fatalf("RINK_RECORDS=%s is no number of records", text)
		}
	}
	for range b.N {
		dir, err := os.MkdirTemp(os.Getenv("RINK_BENCH_DIR"), "history")
		if err != nil {
			b.Fatal(err)
		}
		defer os.RemoveAll(dir)
		s := openTest(b, dir)
		s.file.Load().db.NoSync = true // while it is filled
		began := time.Now()
		for i := range n {
			s.Put(uint64(i)+1, []*rinkpb.Record{final(testJob(uint32(i)+1, i))})
		}
		if err := s.Flush(); err != nil {
			b.Fatal(err)
		}
		s.file.Load().db.NoSync = false
		if err := s.file.Load().db.Sync(); err != nil {
			b.Fatal(err)
		}
		b.Logf("filled in %v", time.Since(began).Round(time.Second))
		used := int64(0)
		err = s.view(func(tx *txn) error {
			used = tx.Size() - int64(s.file.Load().db.Stats().FreePageN+s.file.Load().db.Stats().PendingPageN)*int64(s.file.Load().db.Info().PageSize)
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(n), "records")
		b.ReportMetric(float64(used)/float64(n), "bytes/record")
		s.Close()

		began = time.Now()
		s = openTest(b, dir)
		b.ReportMetric(float64(time.Since(began).Microseconds())/1000, "ms-open")
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		b.ReportMetric(float64(m.HeapAlloc)/(1<<20), "MB-heap")

		end := testDay.Add(time.Duration(n) * time.Second)
		worst := func(unit string, times int, ask func(i int) int, least int) {
			var all []time.Duration
			used := cpuTime()
			for i := range times {
				began := time.Now()
				if got := ask(i); got < least {
					b.Fatalf("%s: %d found, want at least %d", unit, got, least)
				}
				all = append(all, time.Since(began))
			}
			b.ReportMetric(float64((cpuTime()-used).Microseconds())/1000/float64(times), "cpu-ms-"+unit)
			slices.Sort(all)
			b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, "ms-"+unit)
			b.ReportMetric(float64(all[len(all)-1].Microseconds())/1000, "ms-"+unit+"-worst")
		}
		count := func(f Filter) int {
			got := 0
			for _, err := range s.Query(f, nil) {
				if err != nil {
					b.Fatal(err)
				}
				got++
			}
			return got
		}
		worst("job", 200, func(i int) int {
			return count(Filter{Refs: []*rinkpb.JobRef{{Job: uint32(i*(n/211)) + 1}}, Steps: true})
		}, 1)
		worst("user-day", 20, func(i int) int {
			return count(Filter{UIDs: []uint32{3000 + uint32(i)}, Start: end.AddDate(0, 0, -1), End: end})
		}, 100)
		worst("month", 20, func(i int) int {
			from := end.AddDate(0, 0, -31).Add(-time.Duration(i) * time.Hour)
			u, err := s.Usage(&rinkpb.UsageRequest{Start: from.UnixNano(), End: from.AddDate(0, 0, 31).UnixNano(), Parties: true, Cluster: true}, nil, end.Unix())
			if err != nil {
				b.Fatal(err)
			}
			return len(u.Parties)
		}, 1)
		worst("month-sizes", 5, func(i int) int {
			from := end.AddDate(0, 0, -31).Add(-time.Duration(i) * time.Hour)
			u, err := s.Usage(&rinkpb.UsageRequest{Start: from.UnixNano(), End: from.AddDate(0, 0, 31).UnixNano(), Sizes: true, Cluster: true}, nil, end.Unix())
			if err != nil {
				b.Fatal(err)
			}
			return len(u.Sizes)
		}, 1)

		// On top of all that, each job at its end and when its nodes are free, on disk.
		const more = 50_000
		jobs := make([][2]*rinkpb.Record, more)
		for i := range jobs {
			done := testJob(uint32(n+i)+1, n+i)
			first := testJob(uint32(n+i)+1, n+i)
			first.BatchUsage = nil
			jobs[i] = [2]*rinkpb.Record{final(first), final(done)}
		}
		began = time.Now()
		for i, r := range jobs {
			s.Put(uint64(n+2*i)+1, []*rinkpb.Record{r[0]})
			s.Put(uint64(n+2*i)+2, []*rinkpb.Record{r[1]})
		}
		if err := s.Flush(); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(more/time.Since(began).Seconds(), "jobs/s")
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
