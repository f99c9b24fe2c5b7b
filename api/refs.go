package api

import (
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/slurm"
)

// JobRefToProto and JobRefFromProto carry the ways a person names jobs.
func JobRefToProto(r slurm.JobRef) *rinkpb.JobRef {
	p := &rinkpb.JobRef{Job: uint32(r.Job), HasStep: r.HasStep, Step: uint32(r.Step)}
	switch r.Part {
	case slurm.RefTask:
		p.HasTask, p.Task = true, r.Tasks.Min()
	case slurm.RefTasks:
		p.Tasks = IndexSetToProto(r.Tasks)
	case slurm.RefAllTasks:
		p.AllTasks = true
	case slurm.RefComponent:
		p.HasHet, p.Het = true, int32(r.Component)
	}
	return p
}

// JobRefFromProto is the other way round.
func JobRefFromProto(p *rinkpb.JobRef) slurm.JobRef {
	r := slurm.JobRef{Job: slurm.JobID(p.GetJob()), HasStep: p.GetHasStep(), Step: slurm.StepID(p.GetStep())}
	switch {
	case p.GetHasTask():
		r.Part, r.Tasks = slurm.RefTask, slurm.NewIndexSet(p.GetTask())
	case p.GetTasks() != nil:
		r.Part = slurm.RefTasks
		r.Tasks, _ = IndexSetFromProto(p.GetTasks()) // what is no set names no task
	case p.GetAllTasks():
		r.Part = slurm.RefAllTasks
	case p.GetHasHet():
		r.Part, r.Component = slurm.RefComponent, uint32(max(p.GetHet(), 0))
	}
	return r
}
