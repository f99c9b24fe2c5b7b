package ctld

import (
	"cmp"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// account charges the job to another account. Like at submission, it must be one
// that its user is in, where that is enforced.
func (up *jobUpdate) account(value string) error {
	if up.j.State.Base() != slurm.JobPending {
		return slurm.ErrnoNotPending
	}
	if value == "" {
		return slurm.ErrnoInvalidAccount
	}
	charge, err := up.charge(value, cmp.Or(up.spec.QOS, up.j.QOS))
	if err != nil {
		return err
	}
	up.spec.Account = value
	up.spec.Given["account"] = true
	up.change.Account, up.change.Assoc = &charge.Account, &charge.AssocID
	return nil
}

// qos gives the job another QOS, one that its association may use.
func (up *jobUpdate) qos(value string) error {
	charge, err := up.charge(cmp.Or(up.spec.Account, up.j.Account), value)
	if err != nil {
		return err
	}
	if up.j.State.Base() != slurm.JobPending {
		return slurm.ErrnoNotPending
	}
	up.spec.QOS = value
	up.spec.Given["qos"] = true
	up.change.QOS = &charge.QOS
	up.charged = charge
	return nil
}

// charge works out whom the job is charged to with that account and QOS.
func (up *jobUpdate) charge(account, qos string) (*sched.Job, error) {
	return sched.Charge(up.t.Accounts(), up.t.Config(), up.j, account, qos)
}
