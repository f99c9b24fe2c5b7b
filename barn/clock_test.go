package barn

import (
	"sync/atomic"
	"testing"
	"time"
)

// Clocks that jump, forward and back, on one controller and between leaders: the
// time in the log never goes back, and goes on when the clock has caught up.
func TestClockJumps(t *testing.T) {
	var off [3]atomic.Int64
	c := newClusterWith(t, 3, func(i int, o *Options) {
		o.now = func() time.Time { return time.Now().Add(time.Duration(off[i].Load())) }
	})
	last := time.Time{}
	step := func(what string, i int) {
		t.Helper()
		add(t, c.barns[i], what)
		_, at := c.barns[i].Index()
		if at.Before(last) {
			t.Errorf("%s: the log is at %v, it was at %v", what, at, last)
		}
		last = at
	}
	lead := c.leader(-1)
	step("begin", lead)
	off[lead].Store(int64(time.Hour))
	step("an hour ahead", lead)
	ahead := last
	off[lead].Store(-int64(24 * time.Hour))
	step("a day behind", lead)
	if err := c.barns[lead].TransferLeadership(within(t, 10*time.Second), ""); err != nil {
		t.Fatal(err)
	}
	next := c.leader(lead)
	step("another leader, whose clock is right", next)
	if !last.Equal(ahead) {
		t.Errorf("the log is at %v, it stays at %v until clocks come up to it", last, ahead)
	}
	off[next].Store(int64(2 * time.Hour))
	step("and then two hours ahead", next)
	if !last.After(ahead) {
		t.Errorf("the log stands at %v", last)
	}
	c.same()
}
