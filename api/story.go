package api

import (
	"fmt"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// StoryToProto converts the story of a waiting job.
func StoryToProto(s *sched.Story) *rinkpb.Story {
	out := &rinkpb.Story{}
	for _, b := range s.Bars {
		out.Bars = append(out.Bars, &rinkpb.StoryBar{Why: whyToProto(b.Why), Until: TimeToProto(b.Until), Words: b.Words})
	}
	for i := range s.Places {
		p := &s.Places[i]
		q := &rinkpb.StoryPlace{
			Partition: string(p.Partition), Nodes: Int32(p.Nodes), Ahead: Int32(p.Ahead), Start: TimeToProto(p.Start), On: nodesToProto(p.On),
			Promised: p.Promised, Never: p.Never, Switches: TimeToProto(p.Switches), ReadyNodes: Int32(p.ReadyNodes), ReadyTasks: Int32(p.ReadyTasks),
			Bar: whyToProto(p.Bar),
			Wanted: &rinkpb.StoryWanted{MinNodes: Int32(p.Wanted.MinNodes), MaxNodes: Int32(p.Wanted.MaxNodes), Tasks: Int32(p.Wanted.Tasks),
				Cpus: Int32(p.Wanted.CPUs), CpusPerNode: Int32(p.Wanted.CPUsPerNode), MemPerNode: int64(p.Wanted.MemPerNode),
				MemPerCpu: int64(p.Wanted.MemPerCPU), Gres: p.Wanted.Gres, Limit: DurationToProto(p.Wanted.Limit)},
		}
		for _, id := range p.Endless {
			q.Endless = append(q.Endless, uint32(id))
		}
		for _, k := range p.Kept {
			q.Kept = append(q.Kept, &rinkpb.StoryKept{Reservation: k.Reservation, From: TimeToProto(k.From), Until: TimeToProto(k.Until), Nodes: nodesToProto(k.Nodes), Cpus: Int32(k.CPUs)})
		}
		for k := range p.Kinds {
			q.Kinds = append(q.Kinds, kindToProto(&p.Kinds[k]))
		}
		for _, a := range p.First {
			x := &rinkpb.StoryAhead{Job: uint32(a.Job), User: a.User, Priority: a.Priority, Nodes: Int32(a.Nodes), Cpus: Int32(a.CPUs),
				Limit: DurationToProto(a.Limit), Start: TimeToProto(a.Start), Array: IndexSetToProto(a.Array)}
			q.First = append(q.First, x)
		}
		out.Places = append(out.Places, q)
	}
	return out
}

func whyToProto(w sched.Why) *rinkpb.StoryWhy {
	return &rinkpb.StoryWhy{Reason: uint32(w.Reason), Text: w.Text, Detail: ObstaclesToProto(w.Detail)}
}

func kindToProto(k *sched.Kind) *rinkpb.StoryKind {
	out := &rinkpb.StoryKind{
		Cpus: Int32(k.CPUs), Memory: int64(k.Memory), Features: k.Features, Gres: k.Gres, Weight: k.Weight, Nodes: nodesToProto(k.Nodes),
		Away: nodesToProto(k.Away), Excluded: nodesToProto(k.Excluded), Full: nodesToProto(k.Full), Taken: nodesToProto(k.Taken),
		Ready: nodesToProto(k.Ready), Unsuited: ObstaclesToProto(k.Unsuited), Short: ObstaclesToProto(k.Short), FreeCpus: Int32(k.FreeCPUs),
		AwayWhy: k.AwayWhy,
	}
	for _, x := range k.Promises {
		out.Promises = append(out.Promises, &rinkpb.StoryPromised{Job: uint32(x.Job), From: TimeToProto(x.From), Nodes: nodesToProto(x.Nodes)})
	}
	return out
}

// StoryFromProto is the other way of StoryToProto.
func StoryFromProto(p *rinkpb.Story) (*sched.Story, error) {
	if p == nil {
		return nil, nil
	}
	s := &sched.Story{}
	why := func(w *rinkpb.StoryWhy) sched.Why {
		return sched.Why{Reason: slurm.Reason(w.GetReason()), Text: w.GetText(), Detail: ObstaclesFromProto(w.GetDetail())}
	}
	for _, b := range p.Bars {
		s.Bars = append(s.Bars, sched.Bar{Why: why(b.Why), Until: TimeFromProto(b.Until), Words: b.Words})
	}
	for _, q := range p.Places {
		w := q.GetWanted()
		place := sched.Place{
			Partition: sched.PartitionName(q.Partition), Bar: why(q.Bar), Nodes: int(q.Nodes), Ahead: int(q.Ahead), Start: TimeFromProto(q.Start),
			On: nodesFromProto(q.On), Promised: q.Promised, Never: q.Never, Switches: TimeFromProto(q.Switches),
			ReadyNodes: int(q.ReadyNodes), ReadyTasks: int(q.ReadyTasks),
			Wanted: sched.Wanted{MinNodes: int(w.GetMinNodes()), MaxNodes: int(w.GetMaxNodes()), Tasks: int(w.GetTasks()), CPUs: int(w.GetCpus()),
				CPUsPerNode: int(w.GetCpusPerNode()), MemPerNode: slurm.MB(w.GetMemPerNode()), MemPerCPU: slurm.MB(w.GetMemPerCpu()), Gres: w.GetGres(),
				Limit: DurationFromProto(w.GetLimit())},
		}
		for _, id := range q.Endless {
			place.Endless = append(place.Endless, slurm.JobID(id))
		}
		for _, k := range q.Kept {
			place.Kept = append(place.Kept, sched.Kept{Reservation: k.Reservation, From: TimeFromProto(k.From), Until: TimeFromProto(k.Until), Nodes: nodesFromProto(k.Nodes), CPUs: int(k.Cpus)})
		}
		for _, k := range q.Kinds {
			kind := sched.Kind{
				CPUs: int(k.Cpus), Memory: slurm.MB(k.Memory), Features: k.Features, Gres: k.Gres, Weight: k.Weight, Nodes: nodesFromProto(k.Nodes),
				Away: nodesFromProto(k.Away), Excluded: nodesFromProto(k.Excluded), Full: nodesFromProto(k.Full), Taken: nodesFromProto(k.Taken),
				Ready: nodesFromProto(k.Ready), Unsuited: ObstaclesFromProto(k.Unsuited), Short: ObstaclesFromProto(k.Short), FreeCPUs: int(k.FreeCpus),
				AwayWhy: k.AwayWhy,
			}
			for _, x := range k.Promises {
				kind.Promises = append(kind.Promises, sched.Promised{Job: slurm.JobID(x.Job), From: TimeFromProto(x.From), Nodes: nodesFromProto(x.Nodes)})
			}
			place.Kinds = append(place.Kinds, kind)
		}
		for _, x := range q.First {
			a := sched.Ahead{Job: slurm.JobID(x.Job), User: x.User, Priority: x.Priority, Nodes: int(x.Nodes), CPUs: int(x.Cpus),
				Limit: DurationFromProto(x.Limit), Start: TimeFromProto(x.Start)}
			var err error
			if a.Array, err = IndexSetFromProto(x.Array); err != nil {
				return nil, fmt.Errorf("cannot read the tasks of job %d: %w", x.Job, err)
			}
			place.First = append(place.First, a)
		}
		s.Places = append(s.Places, place)
	}
	return s, nil
}

func nodesToProto(list []sched.NodeName) []string {
	var out []string
	for _, n := range list {
		out = append(out, string(n))
	}
	return out
}

func nodesFromProto(list []string) []sched.NodeName {
	var out []sched.NodeName
	for _, n := range list {
		out = append(out, sched.NodeName(n))
	}
	return out
}
