package sched

import (
	"strings"
	"testing"

	"github.com/runink/rink/slurm"
)

func arrayRest(indexes ...uint32) *Job {
	return &Job{ID: 10, ArrayID: 10, Tasks: slurm.NewIndexSet(indexes...), ArrayAll: slurm.NewIndexSet(1, 2, 3), Name: "a"}
}

func TestSplit(t *testing.T) {
	whole := arrayRest(1, 2, 3)
	rest, one := whole.Split(2, 11)
	if rest.Tasks.String() != "1,3" || rest.ID != 10 || one.ID != 11 || one.TaskID != 2 || one.ArrayID != 10 || one.Tasks.Len() != 0 || one.Name != "a" {
		t.Errorf("rest %v, one %+v", rest.Tasks, one)
	}
	if whole.Tasks.Len() != 3 || one.ArrayAll.Len() != 3 {
		t.Error("the array itself changed")
	}
	rest, one = arrayRest(3).Split(3, 11)
	if rest != nil || one.ID != 10 || one.TaskID != 3 || one.IsArrayRest() {
		t.Errorf("of the last task: rest %v, one %+v", rest, one)
	}
	for _, j := range []*Job{arrayRest(1, 2), {ID: 5}} {
		if rest, one := j.Split(3, 11); rest != nil || one != nil {
			t.Errorf("split off what is not there: %v %v", rest, one)
		}
	}
}

func TestLeft(t *testing.T) {
	for _, c := range []struct{ without, want string }{{"2", "1,3"}, {"1-2", "3"}, {"7", "1-3"}, {"1-9", ""}} {
		set, err := slurm.ParseIndexSet(c.without, 100)
		if err != nil {
			t.Fatal(err)
		}
		if got := arrayRest(1, 2, 3).Left(set).Tasks.String(); got != c.want {
			t.Errorf("without %s: %q, want %q", c.without, got, c.want)
		}
	}
}

func TestDisplayID(t *testing.T) {
	for want, j := range map[string]*Job{
		"12":       {ID: 12},
		"10_[1,3]": arrayRest(1, 3),
		"10_2":     {ID: 11, ArrayID: 10, TaskID: 2},
		"20+1":     {ID: 21, HetID: 20, HetOffset: 1},
	} {
		if got := j.DisplayID(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// Tasks with records of their own, as released ones have, count for the throttle and
// are bound by it.
func TestThrottleOfTasksApart(t *testing.T) {
	s := newStory()
	for _, line := range []string{"nodes n1 cpus=8", "pending 10 array=0-3%2", "pending 11", "pending 12", "pending 13"} {
		if err := s.do(line, &strings.Builder{}); err != nil {
			t.Fatal(err)
		}
	}
	for i, j := range s.pending[1:] {
		j.ArrayID, j.TaskID, j.Throttle = 10, uint32(10+i), 2
	}
	for running, want := range map[int]int{0: 2, 1: 1, 2: 0} {
		plan := Cycle(View{Config: s.cfg, Nodes: s.nodes, Pending: s.pending, RunningTasks: map[slurm.JobID]int{10: running}}, s.now)
		if len(plan.Starts) != want {
			t.Errorf("%d run: %d start, want %d", running, len(plan.Starts), want)
		}
		told := 0
		for _, w := range plan.Waits {
			if w.Reason == slurm.ReasonJobArrayTaskLimit {
				told++
			}
		}
		if told < 3 {
			t.Errorf("%d run: %d are told why they wait: %v", running, told, plan.Waits)
		}
	}
}
