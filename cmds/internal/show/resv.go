package show

import (
	"strconv"
	"time"

	"github.com/runink/rink/api"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// Reservations fetches the reservations in the order in which they were made.
func Reservations(env *cli.Env, client rinkpb.Controller) ([]*sched.Reservation, error) {
	ctx, cancel := env.Call(callLimit)
	defer cancel()
	reply, err := client.ListReservations(ctx, &rinkpb.ListReservationsRequest{})
	if err != nil {
		return nil, cli.CallErr(err)
	}
	list := make([]*sched.Reservation, 0, len(reply.Reservations))
	for _, p := range reply.Reservations {
		r, err := api.ReservationFromProto(p)
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, nil
}

// ReservationState is ACTIVE while a reservation is in force.
func (v *View) ReservationState(r *sched.Reservation) string {
	if r.Active(v.Now) {
		return "ACTIVE"
	}
	return "INACTIVE"
}

// ReservationLength is how long a reservation lasts.
func ReservationLength(r *sched.Reservation) slurm.Duration {
	return slurm.Duration(r.End.Sub(r.Start) / time.Second)
}

// ReservedCores counts the cores a reservation keeps.
func ReservedCores(r *sched.Reservation, nodes map[sched.NodeName]*Node) (cores int) {
	for _, name := range r.Nodes {
		n := nodes[name]
		if n == nil {
			continue
		}
		here := r.CPUsOn(name)
		if here == 0 {
			here = sched.UsableCPUs(n.Node)
		}
		cores += here / max(n.Threads, 1)
	}
	return cores
}

// ReservationData is everything known of a reservation.
func (v *View) ReservationData(r *sched.Reservation, cores int) Object {
	list := func(names []string) string { return List(names, "") }
	parts := []Object{}
	for _, c := range r.Cores {
		parts = append(parts, Object{{"node", string(c.Node)}, {"core", c.Cores.String()}})
	}
	flags := []string{}
	if s := r.Flags.String(); s != "" {
		flags = Words(s)
	}
	return Object{
		{"accounts", list(r.Accounts)}, {"burst_buffer", ""}, {"core_count", cores}, {"core_specializations", parts},
		{"end_time", Stamp(r.End)}, {"features", r.Features}, {"flags", flags}, {"groups", list(r.Groups)}, {"licenses", r.Licenses.String()},
		{"max_start_delay", int64(r.MaxStartDelay)}, {"name", r.Name}, {"node_count", len(r.Nodes)}, {"node_list", CompressNodes(r.Nodes)},
		{"partition", string(r.Partition)}, {"purge_completed", Object{{"time", Number(int64(r.PurgeAfter))}}}, {"start_time", Stamp(r.Start)},
		{"tres", r.TRES.String()}, {"users", list(r.Users)}, {"qos", list(r.QOS)}, {"comment", r.Comment}, {"id", strconv.FormatUint(uint64(r.ID), 10)},
	}
}
