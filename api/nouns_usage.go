package api

import (
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/sched"
)

// SpentToProto converts what was used.
func SpentToProto(u *sched.Spent) *rinkpb.Spent {
	p := &rinkpb.Spent{Epoch: TimeToProto(u.Epoch), Reset_: TimeToProto(u.Reset), Kinds: textList(u.Kinds), Month: TimeToProto(u.Month), NextMonth: TimeToProto(u.NextMonth)}
	for i := range u.Rows {
		r := &u.Rows[i]
		p.Rows = append(p.Rows, &rinkpb.SpentRow{Assoc: uint32(r.Assoc), Qos: r.QOS, Herd: string(r.Herd), Used: r.Used})
	}
	return p
}

// SpentFromProto is the inverse of SpentToProto.
func SpentFromProto(p *rinkpb.Spent) sched.Spent {
	u := sched.Spent{Epoch: TimeFromProto(p.GetEpoch()), Reset: TimeFromProto(p.GetReset_()), Kinds: textList(p.GetKinds()),
		Month: TimeFromProto(p.GetMonth()), NextMonth: TimeFromProto(p.GetNextMonth())}
	for _, r := range p.GetRows() {
		u.Rows = append(u.Rows, sched.SpentRow{Assoc: sched.AssocID(r.GetAssoc()), QOS: r.GetQos(), Herd: sched.PartitionName(r.GetHerd()), Used: r.GetUsed()})
	}
	return u
}
