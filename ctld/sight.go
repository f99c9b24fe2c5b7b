package ctld

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// sight is how far the leader's state was at a time.
type sight struct {
	index uint64
	at    time.Time
}

// sightings are a follower's knowledge of how far the leader is.
type sightings struct {
	last  atomic.Pointer[sight]
	mu    sync.Mutex // held while the leader is asked
	asked time.Time  // when that began last
}

// saw notes a sight unless a later one is known, and returns the later one.
func (v *sightings) saw(at *sight) *sight {
	for {
		old := v.last.Load()
		if old != nil && (old.index > at.index || old.index == at.index && !at.at.After(old.at)) {
			return old
		}
		if v.last.CompareAndSwap(old, at) {
			return at
		}
	}
}

// within returns how far the leader had come at some time within staleness, and asks
// it again when that is more than a quarter of it ago; nil when it cannot be known.
// However many want to know, a leader that does not answer is asked for all of them.
func (v *sightings) within(ctx context.Context, ask func(context.Context) (uint64, bool)) *sight {
	const again = staleness / 4
	came := time.Now()
	if at := v.last.Load(); at != nil && came.Sub(at.at) < again {
		return at
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	now := time.Now()
	old := v.last.Load() // somebody else may just have asked
	if old != nil && now.Sub(old.at) < again {
		return old
	}
	if !v.asked.After(came) {
		v.asked = now
		ctx, cancel := context.WithTimeout(ctx, again)
		defer cancel()
		if index, ok := ask(ctx); ok {
			return v.saw(&sight{index, now})
		}
	}
	if old != nil && time.Since(old.at) < staleness {
		return old
	}
	return nil
}
