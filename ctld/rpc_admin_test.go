package ctld

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/runink/rink/api/rinkpb"
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

// Active features alone leave a node those it might have, whatever else is said with
// them; and what one of several nodes refuses is told.
func TestActiveFeaturesBesideOtherWords(t *testing.T) {
	r := newBigRig(t, 2, "")
	modify := func(nodes string, words ...string) error {
		req := &rinkpb.ModifyNodeRequest{Nodes: nodes}
		for _, w := range words {
			k, v, _ := strings.Cut(w, "=")
			req.Changes = append(req.Changes, &rinkpb.KeyValue{Key: k, Value: v})
		}
		_, err := r.client.ModifyNode(context.Background(), req)
		return err
	}
	features := func() (s string) {
		r.s.barn.Read(func(t *state.State) { s = fmt.Sprint(t.Node("n1").AllFeatures(), t.Node("n1").Features) })
		return s
	}
	for _, words := range [][]string{{"activefeatures=x"}, {"activefeatures=x", "reason=why"}, {"activefeatures=x", "state=drain", "reason=why"}} {
		if err := modify("n1", "availablefeatures=x,y", "activefeatures=x,y"); err != nil {
			t.Fatal(err)
		}
		if err := modify("n1", words...); err != nil {
			t.Fatal(err)
		}
		if got := features(); got != "[x y] [x]" {
			t.Errorf("%v: %s", words, got)
		}
	}
	if err := modify("n2", "availablefeatures=z"); err != nil {
		t.Fatal(err)
	}
	if err := modify("n[1-2]", "activefeatures=x"); err == nil || !strings.Contains(err.Error(), "subset") {
		t.Errorf("n2 has no x, and the answer is %v", err)
	}
}
