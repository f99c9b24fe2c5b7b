package ctld

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/runink/rink/api"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/auth"
	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// ListReservations lists the reservations in the order in which they were made, as
// they stand now.
func (c *controller) ListReservations(ctx context.Context, _ *rinkpb.ListReservationsRequest) (*rinkpb.ReservationList, error) {
	if _, _, err := c.caller(ctx); err != nil {
		return nil, err
	}
	now := time.Now()
	reply := &rinkpb.ReservationList{Now: now.UnixNano()}
	c.s.barn.Read(func(t *state.State) {
		for _, r := range t.Reservations() {
			reply.Reservations = append(reply.Reservations, api.ReservationToProto(r.At(now)))
		}
	})
	return reply, nil
}

// ModifyReservation makes, changes or deletes a reservation by scontrol's words.
// That is for operators; users may delete the ones that are theirs and say so.
func (c *controller) ModifyReservation(ctx context.Context, req *rinkpb.ModifyReservationRequest) (*rinkpb.ModifyReservationReply, error) {
	_, u, err := c.caller(ctx)
	if err != nil {
		return nil, err
	}
	name, err := c.modifyReservation(ctx, req, u)
	return &rinkpb.ModifyReservationReply{Status: refuse(err), Name: name}, nil
}

func (c *controller) modifyReservation(ctx context.Context, req *rinkpb.ModifyReservationRequest, u auth.User) (string, error) {
	if !c.s.operator(u.UID) && !(req.Delete && c.mayDelete(req.Name, u)) {
		return "", slurm.ErrnoUserIDMissing
	}
	if req.Delete {
		results, err := c.s.barn.Propose(ctx, actor(u), state.DropReservation{Name: req.Name})
		if err != nil {
			return "", unavailable(err)
		}
		return req.Name, results[0].Err
	}
	words := make([]sched.ResvWord, len(req.Changes))
	for i, kv := range req.Changes {
		words[i] = sched.ResvWord{Key: kv.Key, Op: kv.Op, Value: kv.Value}
	}
	return c.s.setReservation(ctx, actor(u), func(v sched.View, old *sched.Reservation) (*sched.Reservation, error) {
		now := time.Now()
		if req.Skip && old != nil {
			if next, ok := old.Skip(now); ok {
				return next, nil
			}
			return nil, slurm.ErrnoReservationNoSkip
		}
		var r *sched.Reservation
		var err error
		if req.Create {
			if r, err = sched.MakeReservation(v, words, now); err == nil {
				r.Name, r.Creator = req.Name, u.Name
			}
		} else {
			if err = c.knownLeavers(words); err == nil {
				r, err = sched.ChangeReservation(v, old, words, now)
			}
		}
		if err != nil {
			return nil, err
		}
		return r, c.knownPeople(r, v.Accounts)
	}, req.Name, req.Create)
}

// mayDelete reports whether a user may delete a reservation without being an
// operator.
func (c *controller) mayDelete(name string, u auth.User) bool {
	var r *sched.Reservation
	var v sched.View
	c.s.barn.Read(func(t *state.State) { r, v = t.Reservation(name), t.View() })
	return r != nil && r.Has(slurm.ResvUserDelete) && r.Admits(&sched.Job{User: u.Name, Group: u.Group}, u.GroupNames, v.Accounts)
}

// knownLeavers refuses to take somebody off a reservation who is not there at all.
func (c *controller) knownLeavers(words []sched.ResvWord) error {
	for _, w := range words {
		if w.Key != "users" || w.Op != "-=" {
			continue
		}
		for name := range strings.SplitSeq(w.Value, ",") {
			uid, err := strconv.ParseUint(name, 10, 32)
			if err == nil {
				_, err = c.s.users.ByUID(uint32(uid))
			} else {
				_, err = c.s.users.ByName(strings.TrimLeft(name, "+-"))
			}
			if name != "" && err != nil {
				return fmt.Errorf("user %q: %w", name, slurm.ErrnoUserIDMissing)
			}
		}
	}
	return nil
}

// knownPeople refuses a reservation for users, groups or accounts that are not
// there.
func (c *controller) knownPeople(r *sched.Reservation, accounts *sched.Accounts) error {
	for i, n := range r.Users {
		name := strings.TrimPrefix(n, "-")
		if uid, err := strconv.ParseUint(name, 10, 32); err == nil {
			if u, err := c.s.users.ByUID(uint32(uid)); err == nil {
				r.Users = slices.Clone(r.Users)
				r.Users[i] = strings.TrimSuffix(n, name) + u.Name
				continue
			}
		}
		if _, err := c.s.users.ByName(name); err != nil {
			return fmt.Errorf("user %q: %w", n, slurm.ErrnoUserIDMissing)
		}
	}
	for _, n := range r.Groups {
		if _, err := c.s.users.GID(strings.TrimPrefix(n, "-")); err != nil {
			return fmt.Errorf("group %q: %w", n, slurm.ErrnoGroupIDMissing)
		}
	}
	if accounts == nil {
		return nil
	}
	for _, n := range r.Accounts {
		if accounts.Accounts[strings.TrimPrefix(n, "-")] == nil {
			return fmt.Errorf("account %q: %w", n, slurm.ErrnoInvalidAccount)
		}
	}
	var enforced bool
	c.s.barn.Read(func(t *state.State) {
		enforced = t.Config().Conf != nil && t.Config().Conf.AccountingStorageEnforce.Associations
	})
	for _, u := range r.Users {
		if !enforced {
			break
		}
		for _, a := range r.Accounts {
			if u[0] != '-' && a[0] != '-' && accounts.Find(u, a, "") == nil {
				return fmt.Errorf("user %s has no association with account %s: %w", u, a, slurm.ErrnoInvalidAccount)
			}
		}
	}
	for _, n := range r.QOS {
		if accounts.QOS[strings.TrimPrefix(n, "-")] == nil {
			return fmt.Errorf("QOS %q: %w", n, slurm.ErrnoInvalidQOS)
		}
	}
	return nil
}
