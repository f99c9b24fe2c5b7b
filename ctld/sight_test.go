package ctld

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A leader that does not answer is asked a few times for all who want to know, who
// else would wait for each other.
func TestASilentLeaderIsAskedForAll(t *testing.T) {
	const many = 30
	var v sightings
	var asked atomic.Int32
	var wg sync.WaitGroup
	for range many {
		wg.Go(func() {
			at := v.within(context.Background(), func(ctx context.Context) (uint64, bool) {
				asked.Add(1)
				<-ctx.Done()
				return 0, false
			})
			if at != nil {
				t.Errorf("seen at %d", at.index)
			}
		})
	}
	wg.Wait()
	if n := asked.Load(); n > many/3 { // two, but for those who came later
		t.Errorf("it was asked %d times", n)
	}
}

// What a call that was passed on has shown is not forgotten for an older answer.
func TestTheFurtherSightStays(t *testing.T) {
	var v sightings
	at := v.within(context.Background(), func(context.Context) (uint64, bool) {
		v.saw(&sight{105, time.Now()})
		return 100, true
	})
	if at == nil || at.index != 105 || v.last.Load().index != 105 {
		t.Errorf("the leader is at %+v", at)
	}
	later := time.Now().Add(time.Second)
	if at := v.saw(&sight{105, later}); !at.at.Equal(later) {
		t.Errorf("the same later is %+v", at)
	}
}
