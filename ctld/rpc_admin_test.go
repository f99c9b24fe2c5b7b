package ctld

import (
	"context"
	"testing"
	"time"

	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/sched"
)

// What a user may do is asked in the midst of reading the state, while something waits
// to change it: whoever would read the state once more for that would wait for ever.
func TestLevelsAreToldWhileTheStateIsRead(t *testing.T) {
	r := newBigRig(t, 1, "")
	const uid = 4000000 // of nobody that is known, and so of no level
	r.s.barn.Read(func(*state.State) {
		comment := "changed"
		go func() { // ends when the state has been read
			r.s.barn.Propose(context.Background(), state.Actor{}, state.UpdateNode{Nodes: []sched.NodeName{"n1"}, Comment: &comment})
		}()
		time.Sleep(200 * time.Millisecond) // it comes to wait
		told := make(chan struct{})
		go func() {
			r.s.administers(nobodyUID(t))
			r.s.administers(uid)
			close(told)
		}()
		select {
		case <-told:
		case <-time.After(20 * time.Second):
			t.Error("it waits for what waits for it")
		}
	})
}
