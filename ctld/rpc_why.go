package ctld

import (
	"context"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/runink/rink/api"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// whyAsked is a question about a job that waits; the scheduling loop answers it between two
// plans, as its scheduler is its own.
type whyAsked struct {
	job   slurm.JobID
	reply chan<- *sched.Story // takes one answer; nil: the job does not wait
}

// answer tells why a job waits.
func (l *loop) answer(ctx context.Context, q whyAsked) {
	if !l.catchUp(ctx) {
		q.reply <- nil
		return
	}
	if st, ok := l.live.Explain(q.job, time.Now()); ok {
		q.reply <- &st
		return
	}
	q.reply <- nil
}

// explainWait is how long a whyAsked waits for the loop at most.
const explainWait = 30 * time.Second

// Explain tells, in full, why a job does not start. Where PrivateData hides jobs
// its owner and operators alone may ask, and the owner is not told whose the jobs
// ahead are.
func (c *controller) Explain(ctx context.Context, req *rinkpb.ExplainRequest) (*rinkpb.ExplainReply, error) {
	_, u, err := c.caller(ctx)
	if err != nil {
		return nil, err
	}
	var j *sched.Job
	var failed error
	c.s.barn.Read(func(t *state.State) {
		list, err := find(t, &rinkpb.JobRef{Job: req.Job, HasTask: req.HasTask, Task: req.Task})
		if err != nil || len(list) == 0 {
			failed = slurm.ErrnoInvalidJobID
			return
		}
		j = list[0].job
		for _, tg := range list {
			if tg.job.IsPending() {
				j = tg.job // of an array the part that waits
				break
			}
		}
	})
	if failed != nil {
		return &rinkpb.ExplainReply{Status: refuse(failed)}, nil
	}
	private := c.s.private("jobs") && !c.s.operator(u.UID)
	if private && j.UID != u.UID {
		return &rinkpb.ExplainReply{Status: refuse(slurm.ErrnoAccessDenied)}, nil
	}
	reply := &rinkpb.ExplainReply{Status: &rinkpb.Status{}, Job: api.JobToProto(j), Now: time.Now().UnixNano()}
	if !j.IsPending() {
		return reply, nil
	}
	ctx, cancel := context.WithTimeout(ctx, explainWait)
	defer cancel()
	answer := make(chan *sched.Story, 1)
	select {
	case c.s.loop.asks <- whyAsked{job: j.ID, reply: answer}:
	case <-ctx.Done():
		return nil, status.Error(codes.Unavailable, "this controller makes no plans at present")
	}
	select {
	case st := <-answer:
		if st == nil {
			return reply, nil // it has started in the meantime, or is about to
		}
		if private {
			hideOthers(st)
		}
		if c.s.private("reservations") && !c.s.operator(u.UID) {
			for i := range st.Places {
				st.Places[i].Kept = nil
			}
		}
		reply.Story = api.StoryToProto(st)
	case <-ctx.Done():
		return nil, status.Error(codes.DeadlineExceeded, "the planner did not answer in time")
	}
	return reply, nil
}

// hideOthers leaves out of a story whose jobs it tells of.
func hideOthers(st *sched.Story) {
	for i := range st.Places {
		p := &st.Places[i]
		p.First, p.Endless = nil, nil
		for k := range p.Kinds {
			for x := range p.Kinds[k].Promises {
				p.Kinds[k].Promises[x].Job = 0
			}
		}
	}
}
