package accounting

import (
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/runink/rink/api"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// A job that gave nodes back has a record of what it was until then, and one of the
// rest; what it held counts once.
func TestPartsOfARun(t *testing.T) {
	begin := time.Date(2026, 10, 5, 10, 0, 0, 0, time.Local)
	at := func(s int) int64 { return nanos(begin.Add(time.Duration(s) * time.Second)) }
	rest := &rinkpb.Job{
		Id: 7, Uid: 3000, User: "ann", Account: "physics", Spec: &rinkpb.JobOptions{}, Need: &rinkpb.Need{Cpus: 4, MinNodes: 2}, Batch: true,
		Submit: at(0), Eligible: at(0), Start: at(100), End: at(400), State: uint32(slurm.JobCompleted), Resized: at(200),
		Alloc: []*rinkpb.NodeAlloc{{Node: "n1", Cpus: 4}},
	}
	part := proto.CloneOf(rest)
	part.Resized, part.End, part.State = 0, at(200), uint32(slurm.JobCompleted|slurm.JobResizing)
	part.Alloc = append(part.Alloc, &rinkpb.NodeAlloc{Node: "n2", Cpus: 4})

	s := openTest(t, t.TempDir())
	s.Put(1, []*rinkpb.Record{final(part)})
	live := proto.CloneOf(rest)
	live.State, live.End = uint32(slurm.JobRunning), 0
	if list := collect(t, s.Query(Filter{}, slices.Values([]*rinkpb.Record{{Job: live, Live: true}}))); len(list) != 2 || list[1].Job.State != live.State {
		t.Errorf("while it runs: %v", list)
	}
	j, err := api.JobFromProto(rest)
	if err != nil {
		t.Fatal(err)
	}
	if left, err := s.Unfinished(slices.Values([]*sched.Job{j})); err != nil || len(left) != 1 {
		t.Errorf("%v, %v: the record of the part is not that of the rest", left, err)
	}
	s.Put(2, []*rinkpb.Record{final(rest)})
	for _, c := range []struct {
		what   string
		filter Filter
		nodes  []int // of each record that is found
	}{
		{"all", Filter{}, []int{2, 1}},
		{"completed", Filter{States: []slurm.JobState{slurm.JobCompleted}}, []int{1}},
		{"resizing", Filter{States: []slurm.JobState{slurm.JobResizing}}, []int{2}},
		{"completed while the part ended", Filter{States: []slurm.JobState{slurm.JobCompleted}, Start: begin.Add(150 * time.Second), End: begin.Add(250 * time.Second)}, nil},
	} {
		var nodes []int
		for _, r := range collect(t, s.Query(c.filter, nil)) {
			nodes = append(nodes, len(r.Job.Alloc))
		}
		if !slices.Equal(nodes, c.nodes) {
			t.Errorf("%s: records of %v nodes, want %v", c.what, nodes, c.nodes)
		}
	}
	sums := fromUsage(t, s, begin.Unix(), begin.Add(time.Hour).Unix())
	if got := sums["ann/physics// cpu"]; got != 100*8+200*4 {
		t.Errorf("%d CPU seconds, want 8 CPUs for 100 s and 4 for 200: %v", got, sums)
	}
	if jobs, err := s.Last(10); err != nil || len(jobs) != 1 || len(jobs[0].Alloc) != 1 {
		t.Errorf("the last jobs: %v, %v", jobs, err)
	}
}
