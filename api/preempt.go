package api

import (
	"fmt"
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// PreemptModeFromProto refuses numbers that say nothing.
func PreemptModeFromProto(v uint32) (sched.PreemptMode, error) {
	if v > uint32(sched.PreemptSuspend) {
		return 0, fmt.Errorf("there is no way number %d to give way", v)
	}
	return sched.PreemptMode(v), nil
}

// PreemptToProto converts the decision that a job gives way.
func PreemptToProto(p *sched.Preempt) *rinkpb.Preempt {
	return &rinkpb.Preempt{Job: uint32(p.Job), Restarts: p.Restarts, Mode: uint32(p.Mode), Grace: int64(p.Grace), To: uint32(p.For),
		Alloc: NodeAllocsToProto(p.Alloc)}
}

// PreemptFromProto is PreemptToProto undone.
func PreemptFromProto(p *rinkpb.Preempt) (sched.Preempt, error) {
	out := sched.Preempt{Job: slurm.JobID(p.GetJob()), Restarts: p.GetRestarts(), Grace: time.Duration(p.GetGrace()), For: slurm.JobID(p.GetTo())}
	var err error
	if out.Mode, err = PreemptModeFromProto(p.GetMode()); err != nil {
		return out, err
	}
	out.Alloc, err = NodeAllocsFromProto(p.GetAlloc())
	return out, err
}
