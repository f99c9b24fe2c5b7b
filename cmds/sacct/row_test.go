package sacct

import (
	"testing"
	"time"

	"github.com/runink/rink/api"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// TestSessionsHaveOneRow has the step for what comes from outside once, before the
// numbered ones, with what sessions used, whether or not every job has one.
func TestSessionsHaveOneRow(t *testing.T) {
	at := time.Unix(1700000000, 0)
	for _, contain := range []bool{false, true} {
		j := &sched.Job{ID: 7, Extern: contain, State: slurm.JobCompleted, Start: at, End: at.Add(time.Minute), Alloc: []sched.NodeAlloc{{Node: "n1", CPUs: 1}}}
		extern := sched.ExternStep(j)
		extern.Usage = sched.Usage{UserCPU: time.Second, Tasks: 1}
		p := &rinkpb.Record{Job: api.JobToProto(j), Steps: []*rinkpb.Step{api.StepToProto(&sched.Step{ID: 0, State: slurm.JobCompleted}), api.StepToProto(extern)}}
		r, err := newRecord(p, true, nil)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for i, s := range r.steps {
			if s.ID != slurm.StepExtern {
				continue
			}
			if n++; s.Usage.UserCPU != time.Second || contain != (i == 0) || s.State != slurm.JobCompleted {
				t.Errorf("contain %v: step %d is %+v", contain, i, s)
			}
		}
		if n != 1 || len(r.steps) != 2 {
			t.Errorf("contain %v: %d of %d steps", contain, n, len(r.steps))
		}
	}
}
