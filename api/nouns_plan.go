package api

import (
	"fmt"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// StartToProto converts the decision to start a job.
func StartToProto(s *sched.Start) *rinkpb.Start {
	return &rinkpb.Start{
		Job: uint32(s.Job), Task: s.Task, IsTask: s.IsTask, Restarts: s.Restarts, Partition: string(s.Partition),
		Alloc: NodeAllocsToProto(s.Alloc), Scheduler: s.Scheduler, TimeLimit: int64(s.TimeLimit),
		Reservation: s.Reservation,
	}
}

// StartFromProto is StartToProto undone.
func StartFromProto(p *rinkpb.Start) (*sched.Start, error) {
	alloc, err := NodeAllocsFromProto(p.GetAlloc())
	if err != nil {
		return nil, fmt.Errorf("cannot read the start of job %d: %w", p.GetJob(), err)
	}
	return &sched.Start{
		Job: slurm.JobID(p.GetJob()), Task: p.GetTask(), IsTask: p.GetIsTask(), Restarts: p.GetRestarts(),
		Partition: sched.PartitionName(p.GetPartition()), Alloc: alloc, Scheduler: p.GetScheduler(),
		TimeLimit: slurm.Duration(p.GetTimeLimit()), Reservation: p.GetReservation(),
	}, nil
}

// WaitToProto converts why a job waits.
func WaitToProto(w *sched.Wait) *rinkpb.Wait {
	return &rinkpb.Wait{
		Job: uint32(w.Job), Reason: uint32(w.Reason), Text: w.Text, Start: TimeToProto(w.Start), Nodes: names(w.Nodes),
		Detail: ObstaclesToProto(w.Detail),
	}
}

// WaitFromProto is WaitToProto undone.
func WaitFromProto(p *rinkpb.Wait) (*sched.Wait, error) {
	reason, err := ReasonFromProto(p.GetReason())
	if err != nil {
		return nil, fmt.Errorf("cannot read why job %d waits: %w", p.GetJob(), err)
	}
	if n := max(len(p.GetNodes()), len(p.GetDetail())); n > maxList {
		return nil, fmt.Errorf("cannot read why job %d waits: %w", p.GetJob(), tooMany("nodes or details", n))
	}
	return &sched.Wait{
		Job: slurm.JobID(p.GetJob()), Reason: reason, Text: p.GetText(), Start: TimeFromProto(p.GetStart()),
		Nodes: named[sched.NodeName](p.GetNodes()), Detail: ObstaclesFromProto(p.GetDetail()),
	}, nil
}

// ObstaclesToProto converts what keeps a job from starting.
func ObstaclesToProto(list []sched.Obstacle) []*rinkpb.Obstacle {
	if len(list) == 0 {
		return nil
	}
	out := make([]*rinkpb.Obstacle, len(list))
	for i, o := range list {
		out[i] = &rinkpb.Obstacle{What: o.What, Where: o.Where, Asked: o.Asked, There: o.There}
	}
	return out
}

// ObstaclesFromProto is ObstaclesToProto undone.
func ObstaclesFromProto(list []*rinkpb.Obstacle) []sched.Obstacle {
	if len(list) == 0 {
		return nil
	}
	out := make([]sched.Obstacle, len(list))
	for i, p := range list {
		out[i] = sched.Obstacle{What: p.GetWhat(), Where: p.GetWhere(), Asked: p.GetAsked(), There: p.GetThere()}
	}
	return out
}
