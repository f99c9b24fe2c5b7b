package barn

import (
	"github.com/runink/rink/api"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/sched"
)

// setRoomCommand puts a command that makes or takes room into e: jobs that give
// way and go on, nodes that go off and come up, nodes a job goes on without.
func setRoomCommand(e *rinkpb.Entry, cmd state.Command) {
	switch c := cmd.(type) {
	case state.PreemptJobs:
		m := &rinkpb.PreemptJobs{Preempts: make([]*rinkpb.Preempt, len(c.Preempts))}
		for i := range c.Preempts {
			m.Preempts[i] = api.PreemptToProto(&c.Preempts[i])
		}
		e.Cmd = &rinkpb.Entry_PreemptJobs{PreemptJobs: m}
	case state.ResumeJobs:
		m := &rinkpb.ResumeJobs{Resumes: make([]*rinkpb.Resume, len(c.Resumes))}
		for i, r := range c.Resumes {
			m.Resumes[i] = &rinkpb.Resume{Job: uint32(r.Job), Restarts: r.Restarts}
		}
		e.Cmd = &rinkpb.Entry_ResumeJobs{ResumeJobs: m}
	case state.PowerNodes:
		e.Cmd = &rinkpb.Entry_PowerNodes{PowerNodes: &rinkpb.PowerNodes{Nodes: texts(c.Nodes), Step: uint32(c.Step), Reason: c.Reason}}
	case state.BeginJob:
		e.Cmd = &rinkpb.Entry_BeginJob{BeginJob: &rinkpb.BeginJob{Job: uint32(c.Job), Restarts: c.Restarts}}
	case state.ShrinkJob:
		e.Cmd = &rinkpb.Entry_ShrinkJob{ShrinkJob: &rinkpb.ShrinkJob{Job: uint32(c.Job), Restarts: c.Restarts, Nodes: texts(c.Nodes), Given: c.Given}}
	}
}

// roomCommandFrom is setRoomCommand undone.
func roomCommandFrom(e *rinkpb.Entry) (state.Command, error) {
	switch m := e.Cmd.(type) {
	case *rinkpb.Entry_PreemptJobs:
		c := state.PreemptJobs{}
		for _, p := range m.PreemptJobs.GetPreempts() {
			one, err := api.PreemptFromProto(p)
			if err != nil {
				return nil, err
			}
			c.Preempts = append(c.Preempts, one)
		}
		return c, nil
	case *rinkpb.Entry_ResumeJobs:
		c := state.ResumeJobs{}
		for _, p := range m.ResumeJobs.GetResumes() {
			r := sched.Resume{Restarts: p.GetRestarts()}
			setNumber(&r.Job, p.GetJob())
			c.Resumes = append(c.Resumes, r)
		}
		return c, nil
	case *rinkpb.Entry_PowerNodes:
		c := state.PowerNodes{Step: state.PowerStep(m.PowerNodes.GetStep()), Reason: m.PowerNodes.GetReason()}
		setTexts(&c.Nodes, m.PowerNodes.GetNodes())
		return c, nil
	case *rinkpb.Entry_BeginJob:
		c := state.BeginJob{Restarts: m.BeginJob.GetRestarts()}
		setNumber(&c.Job, m.BeginJob.GetJob())
		return c, nil
	case *rinkpb.Entry_ShrinkJob:
		c := state.ShrinkJob{Restarts: m.ShrinkJob.GetRestarts(), Given: m.ShrinkJob.GetGiven()}
		setNumber(&c.Job, m.ShrinkJob.GetJob())
		setTexts(&c.Nodes, m.ShrinkJob.GetNodes())
		return c, nil
	}
	return nil, ErrNewer
}
