package ctld

import (
	"context"
	"errors"
	"time"

	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// turnReservations is what only time changes of reservations: they end and come
// again, go unused, lose nodes; and jobs whose reservation is over end.
func turnReservations(st *state.State, now time.Time) []state.Command {
	list := st.Reservations()
	if len(list) == 0 {
		return nil
	}
	var cmds []state.Command
	running, waiting := map[string]int{}, map[string]int{}
	grace := seconds(st.Config().Conf.ResvOverRun)
	for j := range st.Holding() {
		if j.Resv == "" || j.HasEnded() {
			continue
		}
		running[j.Resv]++
		if r := sched.ReservationOf(list, j.Resv); r != nil && r.ID == j.ResvID && r.EndsJobs(now, grace) && st.Config().Conf.ResvOverRun != slurm.Unlimited {
			cmds = append(cmds, state.EndJob{Job: j.ID, Restarts: j.Restarts, State: slurm.JobTimeout, Reason: slurm.ReasonTimeLimit})
		}
	}
	for j := range st.Pending() {
		for _, name := range sched.Wants(j) {
			waiting[name]++
		}
	}
	var view *sched.View
	for _, r := range list {
		next, over := r.Turn(now, running[r.Name], waiting[r.Name])
		if over {
			cmds = append(cmds, state.DropReservation{Name: r.Name, ID: r.ID, Over: true})
			continue
		}
		if next == r && r.NodeCnt > 0 {
			if view == nil {
				v := st.View()
				view = &v
			}
			next = sched.Replace(*view, r, now)
		}
		if next != r {
			cmds = append(cmds, state.SetReservation{Reservation: *next})
		}
	}
	return cmds
}

// resvView is the reservations as they stand at now, nil when there are none.
func resvView(st *state.State, now time.Time) *sched.ResvView {
	list := st.Reservations()
	if len(list) == 0 {
		return nil
	}
	return sched.NewResvView(list, st.Accounts(), now)
}

// modifyTries is how often a change that was overtaken by another is worked out
// anew.
const modifyTries = 4

// setReservation works a reservation out and commits it; anew when another change
// came first. It returns the reservation's name.
func (s *Server) setReservation(ctx context.Context, who state.Actor, work func(v sched.View, old *sched.Reservation) (*sched.Reservation, error), name string, create bool) (string, error) {
	for try := 0; ; try++ {
		var view sched.View
		var old *sched.Reservation
		s.barn.Read(func(st *state.State) { view, old = st.View(), st.Reservation(name) })
		if !create && old == nil {
			return "", slurm.ErrnoReservationInvalid
		}
		r, err := work(view, old)
		if err != nil {
			return "", err
		}
		results, err := s.barn.Propose(ctx, who, state.SetReservation{Reservation: *r, Create: create})
		if err != nil {
			return "", unavailable(err)
		}
		if err := results[0].Err; err == nil || !errors.Is(err, state.ErrStale) || try == modifyTries {
			return results[0].Name, err
		}
	}
}
