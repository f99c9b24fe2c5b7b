package noded

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/runink/rink/api/rinkpb"
)

func said(text string) *rinkpb.StepDown {
	return &rinkpb.StepDown{Output: &rinkpb.TaskOutput{Stream: 1, Data: []byte(text)}}
}

func (t *taskIO) showAll(list ...*rinkpb.StepDown) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, m := range list {
		t.show(m)
	}
}

// Who begins to watch sees the latest output, what comes, and the end.
func TestWatch(t *testing.T) {
	step := &taskIO{a: &Agent{stopped: make(chan struct{})}, tasks: []taskEnd{{told: true, exit: &rinkpb.TaskExit{Rank: 7}}}}
	step.showAll(said(strings.Repeat("x", recentBytes)), said("early "))
	var got strings.Builder
	seen := make(chan struct{}, 10)
	done := make(chan error, 1)
	go func() {
		done <- step.watch(context.Background(), func(m *rinkpb.StepDown) error {
			switch {
			case m.Output != nil:
				got.Write(m.Output.Data)
			case m.Exited != nil:
				fmt.Fprintf(&got, "exit of %d ", m.Exited.Rank)
			}
			seen <- struct{}{}
			return nil
		})
	}()
	<-seen
	<-seen
	step.showAll(said("late"), &rinkpb.StepDown{NodeDone: true})
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if want := "early exit of 7 late"; got.String() != want {
		t.Errorf("saw %q, want %q", got.String(), want)
	}
	if len(step.watchers) != 0 {
		t.Error("it is still watched")
	}
}

// Who does not keep up is sent away; the task goes on.
func TestWatchTooSlow(t *testing.T) {
	step := &taskIO{a: &Agent{stopped: make(chan struct{})}}
	first := make(chan struct{})
	hold := make(chan struct{})
	done := make(chan error, 1)
	go func() {
		done <- step.watch(context.Background(), func(*rinkpb.StepDown) error {
			select {
			case first <- struct{}{}:
				<-hold
			default:
			}
			return nil
		})
	}()
	for begun := false; !begun; {
		step.showAll(said("x"))
		select {
		case <-first:
			begun = true
		case <-time.After(time.Millisecond):
		}
	}
	for range 2 * maxBehind {
		step.showAll(said("x")) // never waits
	}
	close(hold)
	if err := <-done; status.Code(err) != codes.ResourceExhausted {
		t.Errorf("it ends with %v", err)
	}
}
