package api

import (
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// TriggerToProto and TriggerFromProto carry a trigger.
func TriggerToProto(t *sched.Trigger) *rinkpb.Trigger {
	return &rinkpb.Trigger{
		Id: t.ID, Uid: t.UID, User: t.User, Kind: t.Kind, On: t.On, Nodes: t.Nodes, Job: uint32(t.Job), Offset: int64(t.Offset),
		Program: t.Program, Perm: t.Perm, Since: TimeToProto(t.Since),
	}
}

// TriggerFromProto is TriggerToProto undone.
func TriggerFromProto(p *rinkpb.Trigger) *sched.Trigger {
	return &sched.Trigger{
		ID: p.GetId(), UID: p.GetUid(), User: p.GetUser(), Kind: p.GetKind(), On: p.GetOn(), Nodes: p.GetNodes(), Job: slurm.JobID(p.GetJob()),
		Offset: time.Duration(p.GetOffset()), Program: p.GetProgram(), Perm: p.GetPerm(), Since: TimeFromProto(p.GetSince()),
	}
}
