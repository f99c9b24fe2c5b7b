package api

import (
	"fmt"
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// IndexSetToProto converts a set of array indexes; nil for an empty one.
func IndexSetToProto(s slurm.IndexSet) *rinkpb.IndexSet {
	if s.Len() == 0 {
		return nil
	}
	runs := s.Runs()
	p := &rinkpb.IndexSet{Runs: make([]uint32, 0, 3*len(runs))}
	for _, r := range runs {
		p.Runs = append(p.Runs, r.Lo, r.Hi, max(r.Step, 1))
	}
	return p
}

// IndexSetFromProto refuses runs that are none and sets too large to hold.
func IndexSetFromProto(p *rinkpb.IndexSet) (slurm.IndexSet, error) {
	list := p.GetRuns()
	if len(list) == 0 {
		return slurm.IndexSet{}, nil
	}
	if len(list)%3 != 0 {
		return slurm.IndexSet{}, fmt.Errorf("cannot read array indexes: %d numbers are no list of low, high and step", len(list))
	}
	if len(list)/3 > maxRuns {
		return slurm.IndexSet{}, tooMany("runs of array indexes", len(list)/3)
	}
	// Each index of a run whose step is not 1 is remembered as a run by itself.
	runs := make([]slurm.IndexRange, len(list)/3)
	held := uint64(len(runs))
	for i := range runs {
		r := slurm.IndexRange{Lo: list[3*i], Hi: list[3*i+1], Step: list[3*i+2]}
		if r.Lo > r.Hi || r.Step == 0 {
			return slurm.IndexSet{}, fmt.Errorf("cannot read array indexes: %d-%d:%d is no range", r.Lo, r.Hi, r.Step)
		}
		if r.Step > 1 {
			held += uint64(r.Hi-r.Lo) / uint64(r.Step)
		}
		runs[i] = r
	}
	if held > maxRuns {
		return slurm.IndexSet{}, fmt.Errorf("cannot read array indexes: %d single ones, the bound is %d", held, maxRuns)
	}
	return slurm.IndexSetOf(runs...), nil
}

// DependsToProto converts the dependencies of a job with what has become of
// each.
func DependsToProto(list []sched.Depend) []*rinkpb.DependTerm {
	if len(list) == 0 {
		return nil
	}
	out := make([]*rinkpb.DependTerm, len(list))
	for i := range list {
		out[i] = termToProto(&list[i].DependTerm)
		out[i].State, out[i].At = uint32(list[i].State), TimeToProto(list[i].At)
	}
	return out
}

// DependsFromProto refuses kinds and states that there are not.
func DependsFromProto(list []*rinkpb.DependTerm) ([]sched.Depend, error) {
	if len(list) == 0 {
		return nil, nil
	}
	if len(list) > maxList {
		return nil, tooMany("dependencies", len(list))
	}
	out := make([]sched.Depend, len(list))
	for i, p := range list {
		term, err := termFromProto(p)
		if err != nil {
			return nil, err
		}
		if p.GetState() > uint32(sched.DependFailed) {
			return nil, fmt.Errorf("cannot read the state of a dependency: %d is none", p.GetState())
		}
		out[i] = sched.Depend{DependTerm: term, State: sched.DependState(p.GetState()), At: TimeFromProto(p.GetAt())}
	}
	return out, nil
}

func termsToProto(list []slurm.DependTerm) []*rinkpb.DependTerm {
	if len(list) == 0 {
		return nil
	}
	out := make([]*rinkpb.DependTerm, len(list))
	for i := range list {
		out[i] = termToProto(&list[i])
	}
	return out
}

func termsFromProto(list []*rinkpb.DependTerm) ([]slurm.DependTerm, error) {
	if len(list) == 0 {
		return nil, nil
	}
	if len(list) > maxList {
		return nil, tooMany("dependencies", len(list))
	}
	out := make([]slurm.DependTerm, len(list))
	for i, p := range list {
		var err error
		if out[i], err = termFromProto(p); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// termToProto writes the kind as a word; a delay is in nanoseconds.
func termToProto(t *slurm.DependTerm) *rinkpb.DependTerm {
	return &rinkpb.DependTerm{
		Type: t.Type.String(), Job: uint32(t.Job), HasTask: t.HasTask, Task: t.Task, AllTasks: t.AllTasks, Delay: int64(t.Delay),
	}
}

func termFromProto(p *rinkpb.DependTerm) (slurm.DependTerm, error) {
	kind, err := slurm.ParseDependType(p.GetType())
	if err != nil {
		return slurm.DependTerm{}, err
	}
	if p.GetDelay() < 0 {
		return slurm.DependTerm{}, fmt.Errorf("cannot read a dependency: a delay of %v", time.Duration(p.GetDelay()))
	}
	return slurm.DependTerm{
		Type: kind, Job: slurm.JobID(p.GetJob()), HasTask: p.GetHasTask(), Task: p.GetTask(), AllTasks: p.GetAllTasks(), Delay: time.Duration(p.GetDelay()),
	}, nil
}

// LicensesToProto converts the items; Any stands beside them in the message.
func LicensesToProto(l slurm.Licenses) []*rinkpb.License {
	if len(l.Items) == 0 {
		return nil
	}
	out := make([]*rinkpb.License, len(l.Items))
	for i, item := range l.Items {
		out[i] = &rinkpb.License{Name: item.Name, Server: item.Server, Count: item.Count, Bare: item.Bare}
	}
	return out
}

// LicensesFromProto refuses counts below zero.
func LicensesFromProto(list []*rinkpb.License, any bool) (slurm.Licenses, error) {
	out := slurm.Licenses{Any: any}
	if len(list) == 0 {
		return out, nil
	}
	if len(list) > maxList {
		return out, tooMany("licences", len(list))
	}
	out.Items = make([]slurm.License, len(list))
	for i, p := range list {
		if p.GetCount() < 0 {
			return out, fmt.Errorf("cannot read the licence %q: a count of %d", p.GetName(), p.GetCount())
		}
		out.Items[i] = slurm.License{Name: p.GetName(), Server: p.GetServer(), Count: p.GetCount(), Bare: p.GetBare()}
	}
	return out, nil
}

// constraintFromProto reads the text that a constraint prints.
func constraintFromProto(text string) (slurm.Constraint, error) {
	if text == "" {
		return slurm.Constraint{}, nil
	}
	return slurm.ParseConstraint(text)
}
