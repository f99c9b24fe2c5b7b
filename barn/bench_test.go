package barn

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/runink/rink/barn/state"
)

// Proposals of one command each from so many goroutines at once, each on disk
// before the next of the same goroutine.
func BenchmarkPropose(b *testing.B) {
	for _, callers := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			o := options(b, b.TempDir())
			o.MinFree = 1
			barn := open(b, o)
			var next atomic.Int64
			var wg sync.WaitGroup
			b.ResetTimer()
			for range callers {
				wg.Add(1)
				go func() {
					defer wg.Done()
					for {
						n := next.Add(1)
						if n > int64(b.N) {
							return
						}
						if _, err := barn.Propose(context.Background(), system, state.Purge{}); err != nil {
							b.Error(err)
							return
						}
					}
				}()
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "proposals/s")
		})
	}
}

// Proposals of a hundred commands each.
func BenchmarkProposeMany(b *testing.B) {
	barn := open(b, options(b, b.TempDir()))
	cmds := make([]state.Command, 100)
	for i := range cmds {
		cmds[i] = state.Purge{}
	}
	for b.Loop() {
		if _, err := barn.Propose(context.Background(), system, cmds...); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(100*float64(b.N)/b.Elapsed().Seconds(), "commands/s")
}
