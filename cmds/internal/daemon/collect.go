package daemon

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

// KeepSmall makes the collector prefer little memory to little work, which suits a
// process that mostly waits. While it does not wait, and the collector has work several
// times a second, it is let off until busyGarbage has come together: at 50 percent of
// a heap of 20 MB a fifth of what a controller under load computed was collecting.
func KeepSmall() {
	debug.SetGCPercent(quietPercent)
	c := &collecting{from: time.Now().Add(settled), percent: quietPercent}
	c.relax = time.AfterFunc(time.Hour, c.quiet)
	c.next()
}

const (
	quietPercent = 50
	mostPercent  = 400
	// busyGarbage is how much comes together between two rounds, in bytes.
	busyGarbage = 96 << 20
	// often is how soon after the last one a round says that a process is busy, and
	// waiting after how long without one it is not.
	often   = 300 * time.Millisecond
	waiting = 3 * time.Second
	// settled is how long a start takes, in which everything is made.
	settled = 5 * time.Second
)

// collecting follows the collector, round by round.
type collecting struct {
	mu      sync.Mutex // guards all below
	from    time.Time  // before that nothing is changed
	last    time.Time  // the last round
	percent int
	relax   *time.Timer
}

// next has round called after the next one: what nobody holds is cleaned up then.
func (c *collecting) next() {
	runtime.AddCleanup(&struct{ _ [32]byte }{}, (*collecting).round, c)
}

func (c *collecting) round() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if now.After(c.from) && (now.Sub(c.last) < often || c.percent != quietPercent) {
		c.set(busyPercent(liveHeap()))
		c.relax.Reset(waiting)
	}
	c.last = now
	c.next()
}

// quiet is called when there has been no round for a while.
func (c *collecting) quiet() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.set(quietPercent)
}

func (c *collecting) set(percent int) {
	if percent != c.percent {
		c.percent = percent
		debug.SetGCPercent(percent)
	}
}

// busyPercent is how far a heap may grow for busyGarbage.
func busyPercent(live uint64) int {
	return int(min(mostPercent, max(quietPercent, busyGarbage*100/max(live, 1))))
}

func liveHeap() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
