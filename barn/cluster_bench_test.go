package barn

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"runtime/metrics"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/sched"
)

// Three controllers over TCP with real syncs, on one machine and one disk:
// proposals of so many callers at once, and of one alone.
func BenchmarkProposeOnThree(b *testing.B) {
	for _, callers := range []int{1, 16} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			c := newTCPCluster(b, 3, func(_ int, o *Options) { o.NoSync, o.SlowWrite = false, -1 })
			lead := c.barns[c.leader(-1)]
			took := make([]time.Duration, b.N)
			var next atomic.Int64
			var wg sync.WaitGroup
			b.ResetTimer()
			for range callers {
				wg.Go(func() {
					for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
						began := time.Now()
						if _, err := lead.Propose(context.Background(), system, state.Purge{}); err != nil {
							b.Error(err)
							return
						}
						took[n-1] = time.Since(began)
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			slices.Sort(took)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "proposals/s")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "ms-p99")
		})
	}
}

// A controller that was away for a hundred thousand entries, or RINK_ENTRIES of
// them, comes back by a snapshot of as many tokens and the rest of the log.
func BenchmarkCatchUp(b *testing.B) {
	n := 100_000
	if text := os.Getenv("RINK_ENTRIES"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			b.Fatalf("RINK_ENTRIES=%s is no number", text)
		}
	}
	for range b.N {
		c := newTCPCluster(b, 3, func(_ int, o *Options) {
			o.HeartbeatTimeout, o.ElectionTimeout, o.LeaderLease = 3*time.Second, 3*time.Second, 3*time.Second
		})
		lead := c.barns[c.leader(-1)]
		away := c.barns[2]
		if away == lead {
			away = c.barns[1]
		}
		dir, o := away.o.Dir, away.o
		if err := away.Close(); err != nil {
			b.Fatal(err)
		}
		const each = 100
		var next atomic.Int64
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				for i := next.Add(each); i <= int64(n); i = next.Add(each) {
					for k := range int64(each) {
						if _, err := lead.Propose(context.Background(), system, token(fmt.Sprint(i-k))); err != nil {
							b.Error(err)
							return
						}
					}
				}
			})
		}
		wg.Wait()
		if err := lead.Snapshot(); err != nil {
			b.Fatal(err)
		}
		index, _ := lead.Index()
		heap := watchHeap()
		began := time.Now()
		again, err := Open(reopened(b, o, dir))
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { again.Close() })
		if err := again.WaitApplied(within(b, 5*time.Minute), index); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(time.Since(began).Milliseconds()), "catch_up=ms")
		b.ReportMetric(heap(), "catch_up_memory=MB")
		b.ReportMetric(float64(n), "entries")
	}
}

// watchHeap begins to look at the heap; what it returns ends that and tells by how many
// megabytes it grew at most.
func watchHeap() (grew func() float64) {
	runtime.GC()
	look := func() uint64 {
		one := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		metrics.Read(one)
		return one[0].Value.Uint64()
	}
	first, most := look(), uint64(0)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() { // ends with stop
		defer close(done)
		for {
			most = max(most, look())
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return func() float64 {
		close(stop)
		<-done
		return (float64(most) - float64(first)) / 1e6
	}
}

// How long a submission waits at most while a snapshot of a hundred thousand jobs is
// taken, and while none is.
func BenchmarkSnapshotPause(b *testing.B) {
	o := options(b, b.TempDir())
	o.SnapshotRecords, o.SnapshotBytes = 1<<40, 1<<40 // when told to
	barn := open(b, o)
	propose(b, barn, state.SetConfig{Files: []state.ConfigFile{{Name: "slurm.conf", Text: []byte(storyConf + "MaxJobCount=200000\n")}}})
	for i := range 100 {
		var jobs []state.Command
		for k := range 1000 {
			jobs = append(jobs, state.SubmitJobs{Key: fmt.Sprint(i, "/", k), Jobs: []*sched.Job{storyJob(b, 0)}})
		}
		propose(b, barn, jobs...)
	}
	n := 0
	longest := func(until func() bool) (most time.Duration) {
		for !until() {
			n++
			began := time.Now()
			propose(b, barn, state.SubmitJobs{Key: fmt.Sprint("one", n), Jobs: []*sched.Job{storyJob(b, 0)}})
			most = max(most, time.Since(began))
		}
		return most
	}
	for b.Loop() {
		end := time.Now().Add(time.Second)
		calm := longest(func() bool { return time.Now().After(end) })
		done := make(chan error, 1)
		began := time.Now()
		go func() { done <- barn.Snapshot() }()
		busy := longest(func() bool { return len(done) > 0 })
		b.ReportMetric(float64(time.Since(began).Milliseconds()), "snapshot=ms")
		if err := <-done; err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(calm.Microseconds())/1000, "submission_longest=ms")
		b.ReportMetric(float64(busy.Microseconds())/1000, "submission_longest_during_snapshot=ms")
	}
}

// reopened are the options of a controller that comes back where it was.
func reopened(t testing.TB, o Options, dir string) Options {
	t.Helper()
	l, err := net.Listen("tcp", o.Address)
	if err != nil {
		t.Fatal(err)
	}
	o.Dir, o.Stream = dir, tcpStream{l}
	return o
}
