package sched

import (
	"slices"
	"strings"

	"github.com/runink/rink/slurm"
)

// account finds whom the job is charged to and which QOS it has. What is not
// there is refused where AccountingStorageEnforce says so; otherwise the job goes
// without.
func (r *resolver) account() error {
	a, j := r.req.Accounts, r.job
	if a == nil {
		return nil
	}
	enforce := conf(r.cfg).AccountingStorageEnforce
	j.Account = strings.ToLower(j.Account)
	if u := a.Users[r.req.User]; j.Account == "" && u != nil {
		j.Account = u.DefaultAccount
	}
	at := a.Find(r.req.User, j.Account, j.Partition)
	switch {
	case at != nil && at.Key.Partition != "" && len(r.parts) > 1:
		return refuse(slurm.ErrnoPartitionAssoc, "%s is in account %s for partition %s, and asks for several", r.req.User, j.Account, j.Partition)
	case at != nil:
		j.AssocID = at.ID
	case enforce.Associations:
		return refuse(slurm.ErrnoInvalidAccount, "%s is not in account %q for partition %s", r.req.User, j.Account, j.Partition)
	}
	if err := r.qos(a, at); err != nil {
		return err
	}
	if r.t != nil {
		r.t.qos = traitsOf(a)
	}
	return r.wckey(a, enforce.WCKeys)
}

// qos is account for the QOS.
func (r *resolver) qos(a *Accounts, at *Assoc) error {
	j, enforced := r.job, conf(r.cfg).AccountingStorageEnforce.QOS
	j.QOS = strings.ToLower(j.QOS)
	if j.QOS == "" && at != nil {
		j.QOS = a.usualQOS(at)
	}
	if !enforced {
		return nil
	}
	q := a.QOS[j.QOS]
	switch {
	case q == nil:
		return refuse(slurm.ErrnoInvalidQOS, "there is no QOS %q", j.QOS)
	case at != nil && !slices.Contains(a.QOSOf(at), j.QOS):
		return refuse(slurm.ErrnoInvalidQOS, "%s in account %s has no QOS %s", r.req.User, j.Account, j.QOS)
	case q.HasFlag("RequiresReservation") && r.o.Reservation == "":
		return refuse(slurm.ErrnoInvalidQOS, "QOS %s wants a reservation", j.QOS)
	}
	return nil
}

// usualQOS is the QOS of a job that asks for none: the default one of its
// association, the only one it may have, or else normal.
func (a *Accounts) usualQOS(at *Assoc) string {
	if name := a.DefaultQOSOf(at); name != "" {
		return name
	}
	if list := a.QOSOf(at); len(list) == 1 {
		return list[0]
	}
	return "normal"
}

// wckey fills in the wckey that is usual for the user, marked as such, and refuses
// one that is not the user's where they are enforced.
func (r *resolver) wckey(a *Accounts, enforced bool) error {
	u, track := a.Users[r.req.User], conf(r.cfg).TrackWCKey
	key := r.o.WCKey
	if key == "" && track && u != nil && (u.DefaultWCKey != "" || !enforced) {
		o := *r.o
		o.WCKey = "*" + u.DefaultWCKey
		r.o, r.job.Spec = &o, &o
		return nil
	}
	if !enforced {
		return nil
	}
	key = strings.TrimPrefix(key, "*")
	if u == nil || !slices.ContainsFunc(u.WCKeys, func(k WCKey) bool { return k.Name == key }) {
		return refuse(slurm.ErrnoInvalidWCKey, "%s has no wckey %q", r.req.User, key)
	}
	return nil
}

// Charge says what a job would be charged to in another account or with another
// QOS: a copy of it, or Slurm's refusal.
func Charge(a *Accounts, cfg *Config, j *Job, account, qos string) (*Job, error) {
	c := j.Clone()
	c.Account, c.QOS, c.AssocID = account, qos, 0
	r := &resolver{req: Request{User: j.User, UID: j.UID, Accounts: a}, o: j.Spec, cfg: cfg, job: c}
	for _, name := range j.Partitions {
		if p := cfg.Partition(name); p != nil {
			r.parts = append(r.parts, p)
		}
	}
	if err := r.account(); err != nil {
		return nil, err
	}
	return c, nil
}
