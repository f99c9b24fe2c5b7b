package sched

import (
	"slices"
	"strings"

	"github.com/runink/rink/slurm"
)

// Admits reports whether a job may use the reservation: its user is among the
// users or in one of the groups, its account among the accounts or below one,
// its QOS among the QOS; what is not named does not matter. groups are those of
// the job's user, and accounts the tree of accounts, nil where there is none.
func (r *Reservation) Admits(j *Job, groups []string, accounts *Accounts) bool {
	if !allows(r.Users, func(name string) bool { return name == j.User }) ||
		!allows(r.QOS, func(name string) bool { return name == j.QOS }) {
		return false
	}
	if !allows(r.Accounts, func(name string) bool { return under(accounts, j, name) }) {
		return false
	}
	return allows(r.Groups, func(name string) bool { return name == j.Group || slices.Contains(groups, name) })
}

// allows reports whether a list lets something in: one without names does, one
// of names that are kept out unless it is among them, another only if it is.
func allows(list []string, match func(string) bool) bool {
	if len(list) == 0 {
		return true
	}
	deny := strings.HasPrefix(list[0], "-")
	for _, name := range list {
		if match(strings.TrimPrefix(name, "-")) {
			return !deny
		}
	}
	return deny
}

// under reports whether a job's account is one, or below it in the tree.
func under(accounts *Accounts, j *Job, name string) bool {
	if j.Account == name {
		return true
	}
	if accounts == nil {
		return false
	}
	a := accounts.Assocs[AssocKey{Account: j.Account}]
	for range len(accounts.Assocs) {
		if a == nil || a.Parent == 0 {
			return false
		}
		if a = accounts.ByID[a.Parent]; a != nil && a.Key.User == "" && a.Key.Account == name {
			return true
		}
	}
	return false
}

// Uses reports whether a job that holds resources holds them in the reservation.
func Uses(j *Job, r *Reservation) bool { return j.Resv != "" && j.Resv == r.Name }

// Wants returns the names of the reservations a job asks for, in its order.
func Wants(j *Job) []string {
	if j.Spec == nil || j.Spec.Reservation == "" {
		return nil
	}
	return strings.FieldsFunc(j.Spec.Reservation, func(c rune) bool { return c == ',' })
}

// ReservationName is what listings show as a job's reservation: the one it is in,
// or those it asks for.
func (j *Job) ReservationName() string {
	if j.Resv != "" || j.Spec == nil {
		return j.Resv
	}
	return j.Spec.Reservation
}

// check refuses a request for reservations that are not there or do not let the
// job in.
func (v *ResvView) check(j *Job, groups []string) error {
	for _, name := range Wants(j) {
		var r *Reservation
		if v != nil {
			r = ReservationOf(v.list, name)
		}
		switch {
		case r == nil, !r.Has(slurm.ResvFlex|slurm.ResvTimeFloat) && !r.Repeats() && !r.End.After(v.now):
			return refuse(slurm.ErrnoReservationInvalid, "reservation %q is not known, or over", name)
		case !r.Admits(j, groups, v.accounts):
			return refuse(slurm.ErrnoReservationAccess, "reservation %s is not for %s of %s", name, j.User, j.Account)
		case r.Has(slurm.ResvTimeFloat):
			return refuse(slurm.ErrnoReservationAccess, "reservation %s never begins", name)
		}
	}
	return nil
}

// fitsReserved reports whether the nodes of a partition, or those of them that one
// of the job's reservations has, could ever hold it.
func (r *resolver) fitsReserved(p *Partition) bool {
	names := Wants(r.job)
	if len(names) == 0 || r.req.Resv == nil {
		return r.fits(p)
	}
	defer func() { r.resv = nil }()
	for _, name := range names {
		r.resv = ReservationOf(r.req.Resv.list, name)
		if r.resv.Has(slurm.ResvFlex) || len(r.resv.Nodes) == 0 || !r.resv.Active(r.now) {
			r.resv = nil
		}
		if r.fits(p) {
			return true
		}
	}
	return false
}

// outside is what is said when the job names nodes that none of its reservations
// has.
func (r *resolver) outside() []string {
	if r.req.Resv == nil || len(r.job.Need.NodeList) == 0 {
		return nil
	}
	for _, name := range Wants(r.job) {
		resv := ReservationOf(r.req.Resv.list, name)
		if resv.Has(slurm.ResvFlex) || !slices.ContainsFunc(r.job.Need.NodeList, func(n NodeName) bool { return !resv.HasNode(n) }) {
			return nil
		}
	}
	if len(Wants(r.job)) == 0 {
		return nil
	}
	return []string{"Problem using reservation"}
}

// ReservationOf returns the reservation of that name in a list, or nil.
func ReservationOf(list []*Reservation, name string) *Reservation {
	for _, r := range list {
		if r.Name == name {
			return r
		}
	}
	return nil
}
