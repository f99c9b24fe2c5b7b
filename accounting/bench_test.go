package accounting

import (
	"os"
	"testing"
	"time"

	"github.com/runink/rink/api/rinkpb"
)

// benchJobs is how many records the benchmark works with.
const benchJobs = 100_000

// BenchmarkHistory writes 100,000 records as a busy cluster would, each job once
// at its end and once when its nodes are free, and looks jobs up among them. It
// prints bytes a record, records a second and the times of lookups.
func BenchmarkHistory(b *testing.B) {
	for range b.N {
		dir := b.TempDir()
		s := openTest(b, dir)
		began := time.Now()
		for i := range benchJobs {
			j := testJob(uint32(i)+1, i)
			usage := j.BatchUsage
			j.BatchUsage, j.BatchDone = nil, false
			s.Put(uint64(2*i)+1, []*rinkpb.Record{final(j)})
			done := testJob(uint32(i)+1, i)
			done.BatchUsage = usage
			s.Put(uint64(2*i)+2, []*rinkpb.Record{final(done)})
		}
		if err := s.Flush(); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(benchJobs/time.Since(began).Seconds(), "jobs/s")

		info, err := os.Stat(s.path)
		if err != nil {
			b.Fatal(err)
		}
		used := int64(0)
		err = s.view(func(tx *txn) error {
			// The file has room to grow and pages to be used again: count the rest.
			used = tx.Size() - int64(s.file.Load().db.Stats().FreePageN+s.file.Load().db.Stats().PendingPageN)*int64(s.file.Load().db.Info().PageSize)
			for _, name := range allBuckets {
				st := tx.Bucket(name).Stats()
				b.Logf("%-6s %7d keys, %9d bytes in %9d of pages", name, st.KeyN, st.LeafInuse+st.BranchInuse, st.LeafAlloc+st.BranchAlloc)
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(used)/benchJobs, "bytes/record")
		b.ReportMetric(float64(info.Size())/benchJobs, "file-bytes/record")

		timed := func(unit string, times int, query func(i int) Filter, want func(n int) bool) {
			began := time.Now()
			for i := range times {
				n := 0
				for _, err := range s.Query(query(i), nil) {
					if err != nil {
						b.Fatal(err)
					}
					n++
				}
				if !want(n) {
					b.Fatalf("%s: %d records", unit, n)
				}
			}
			b.ReportMetric(float64(time.Since(began).Microseconds())/float64(times), unit)
		}
		timed("µs/by-job", 10_000, func(i int) Filter {
			return Filter{Refs: []*rinkpb.JobRef{{Job: uint32(i*7%benchJobs) + 1}}, Steps: true}
		}, func(n int) bool { return n == 1 })
		timed("µs/user-hour", 20, func(i int) Filter {
			from := testDay.Add(time.Duration(i) * time.Hour)
			return Filter{UIDs: []uint32{3000 + uint32(i)}, Start: from, End: from.Add(time.Hour)}
		}, func(n int) bool { return n > 50 })
		timed("µs/minute", 20, func(i int) Filter {
			from := testDay.Add(time.Duration(i) * time.Hour)
			return Filter{Start: from, End: from.Add(time.Minute)}
		}, func(n int) bool { return n > 50 })
		timed("µs/all", 1, func(int) Filter { return Filter{} }, func(n int) bool { return n == benchJobs })
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
