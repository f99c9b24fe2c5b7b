package barn

import (
	"github.com/runink/rink/api"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/sched"
)

func pastUsesToProto(list []sched.PastUse) []*rinkpb.PastUse {
	var out []*rinkpb.PastUse
	for i := range list {
		u := &list[i]
		out = append(out, &rinkpb.PastUse{
			Assoc: uint32(u.Assoc), Qos: u.QOS, From: api.TimeToProto(u.From), To: api.TimeToProto(u.To), Held: api.TRESToProto(u.Held), Charged: u.Charged,
		})
	}
	return out
}

func pastUsesFromProto(list []*rinkpb.PastUse) ([]sched.PastUse, error) {
	var out []sched.PastUse
	for _, p := range list {
		held, err := api.TRESFromProto(p.GetHeld())
		if err != nil {
			return nil, err
		}
		out = append(out, sched.PastUse{
			Assoc: sched.AssocID(p.GetAssoc()), QOS: p.GetQos(), From: api.TimeFromProto(p.GetFrom()), To: api.TimeFromProto(p.GetTo()), Held: held, Charged: p.GetCharged(),
		})
	}
	return out, nil
}
