package launcher

import (
	"testing"

	"github.com/runink/rink/slice"
)

func TestTaskEndsAreToldBeforeTheExit(t *testing.T) {
	cl, c := rig(t)
	s := shell("events", "exit 4", groups(c, cl, t, "events"))
	s.Tasks = append(s.Tasks, shell("x", "read x; exit 5", slice.Cgroup{}).Tasks[0])
	live := subscribe(t, cl)
	launch(t, cl, s)
	e := nextEvent(t, live)
	if e.Task == nil || e.Slice != "events" || e.Task.Task != 0 || e.Task.Exit.Status.ExitStatus() != 4 {
		t.Fatalf("told %+v, want task 0's exit 4", e)
	}
	// One who comes later is told what has ended so far.
	late := subscribe(t, cl)
	if again := nextEvent(t, late); again.Task == nil || again.Task.Task != 0 || again.Task.Exit.Status != e.Task.Exit.Status {
		t.Fatalf("a late subscriber is told %+v", again)
	}
	files, err := cl.Attach(t.Context(), "events")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := files[1].Stdin.WriteString("go\n"); err != nil {
		t.Fatal(err)
	}
	for name, ch := range map[string]<-chan Event{"first": live, "late": late} {
		if e := nextEvent(t, ch); e.Task == nil || e.Task.Task != 1 || e.Task.Exit.Status.ExitStatus() != 5 {
			t.Errorf("%s subscriber: %+v, want task 1's exit 5", name, e)
		}
		if e := nextEvent(t, ch); e.Exit == nil || len(e.Exit.Tasks) != 2 || e.Exit.Tasks[0].Status.ExitStatus() != 4 {
			t.Errorf("%s subscriber: %+v, want the exit with both tasks", name, e)
		}
	}
	// A slice that is over is told as that alone.
	if e := nextEvent(t, subscribe(t, cl)); e.Exit == nil {
		t.Errorf("after the end: %+v, want the exit", e)
	}
}
