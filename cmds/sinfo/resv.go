package sinfo

import (
	"bufio"
	"fmt"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/show"
)

// listReservations is -T: the reservations, one a line.
func listReservations(env *cli.Env, o *options, v *view, client rinkpb.Controller) int {
	list, err := show.Reservations(env, client)
	if err != nil {
		fmt.Fprintf(env.Stderr, "slurm_load_reservations: %s\n", cli.Reason(err))
		return 1
	}
	if len(list) == 0 {
		fmt.Fprintln(env.Stdout, "No reservations in the system")
		return 0
	}
	width := len("RESV_NAME")
	for _, r := range list {
		width = max(width, len(r.Name))
	}
	w := bufio.NewWriter(env.Stdout)
	row := func(name, state, start, end, length, nodes string) {
		fmt.Fprintf(w, "%-*s  %8s  %19s  %19s  %11s  %s\n", width, name, state, start, end, length, nodes)
	}
	if !o.noHeader {
		row("RESV_NAME", "STATE", "START_TIME", "END_TIME", "DURATION", "NODELIST")
	}
	for _, r := range list {
		row(r.Name, v.ReservationState(r), v.Time(r.Start, "Unknown"), v.Time(r.End, "Unknown"), show.ReservationLength(r).String(),
			show.Or(show.CompressNodes(r.Nodes), show.Null))
	}
	if err := w.Flush(); err != nil {
		return fail(env, err)
	}
	return 0
}
