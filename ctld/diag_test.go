package ctld

import (
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// Every call a command can make is counted under a name and a number of its own.
func TestMessagesHaveNames(t *testing.T) {
	for _, service := range []grpc.ServiceDesc{rinkpb.Controller_ServiceDesc, rinkpb.Nodes_ServiceDesc, rinkpb.Join_ServiceDesc, rinkpb.Members_ServiceDesc} {
		var names []string
		for _, m := range service.Methods {
			names = append(names, m.MethodName)
		}
		for _, m := range service.Streams {
			names = append(names, m.StreamName)
		}
		for _, name := range names {
			if messages[name].id == 0 {
				t.Errorf("%s has no name", name)
			}
		}
	}
}

func TestMessageOf(t *testing.T) {
	for _, c := range []struct {
		method string
		req    any
		want   string
	}{
		{"/rink.Controller/Submit", &rinkpb.SubmitRequest{Jobs: []*rinkpb.JobRequest{{Batch: true}}}, "REQUEST_SUBMIT_BATCH_JOB"},
		{"/rink.Controller/Submit", &rinkpb.SubmitRequest{Jobs: []*rinkpb.JobRequest{{}}}, "REQUEST_RESOURCE_ALLOCATION"},
		{"/rink.Controller/TestOnly", &rinkpb.SubmitRequest{Jobs: []*rinkpb.JobRequest{{}}}, "REQUEST_JOB_WILL_RUN"},
		{"/rink.Controller/ListJobs", &rinkpb.ListJobsRequest{}, "REQUEST_JOB_INFO"},
		{"/rink.Controller/ListJobs", &rinkpb.ListJobsRequest{Refs: []*rinkpb.JobRef{{}}}, "REQUEST_JOB_INFO_SINGLE"},
		{"/rink.Controller/Act", &rinkpb.ActRequest{Action: rinkpb.ActRequest_REQUEUE}, "REQUEST_JOB_REQUEUE"},
		{"/rink.Controller/Act", &rinkpb.ActRequest{Action: rinkpb.ActRequest_HOLD}, "REQUEST_UPDATE_JOB"},
	} {
		if got, _ := messageOf(c.method, c.req); got != c.want {
			t.Errorf("%s is counted as %s, want %s", c.method, got, c.want)
		}
	}
}

// What ends by itself is completed, whatever its exit code: so Slurm counts.
func TestDiagCountsJobs(t *testing.T) {
	d := newDiag(time.Unix(1, 0))
	d.submitted([]*sched.Job{{}, {Tasks: slurm.NewIndexSet(1, 2, 3)}})
	end := func(s slurm.JobState, requeued bool) {
		d.happened(state.JobEnded{Job: &sched.Job{State: s}, Requeued: requeued})
	}
	end(slurm.JobCompleted, false)
	end(slurm.JobFailed, false)
	end(slurm.JobTimeout, false)
	end(slurm.JobCancelled, false)
	end(slurm.JobNodeFail, false)
	end(slurm.JobNodeFail, true)
	d.happened(state.JobStarted{Job: &sched.Job{Scheduler: "Main"}})
	d.happened(state.JobStarted{Job: &sched.Job{Scheduler: "Backfill", HetID: 3}})
	if c := d.counts; c.submitted != 4 || c.completed != 3 || c.canceled != 1 || c.failed != 1 || c.started != 2 || c.backfilled != 1 || c.backfilledHet != 1 {
		t.Errorf("%+v", c)
	}
	d.counts.full = planCount{cycles: 4, last: 5, most: 9, sum: 20, lastAt: 7}
	d.called("X", 1, 0, time.Millisecond)
	d.reset(time.Unix(2, 0))
	if c := d.counts; c.submitted != 0 || c.full != (planCount{last: 5, lastAt: 7}) || d.backfilled != 1 || len(d.types) != 0 || d.since != time.Unix(2, 0) {
		t.Errorf("after a reset: %+v, %d backfilled ever", c, d.backfilled)
	}
}
