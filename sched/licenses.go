package sched

import "github.com/runink/rink/slurm"

// TakeLicenses says which licences a job that needs these would hold, given the
// free ones: all of them, or when any will do, the first there is enough of. It
// returns false when they are not free now.
func TakeLicenses(need, free slurm.Licenses) (slurm.Licenses, bool) {
	if need.IsZero() {
		return slurm.Licenses{}, true
	}
	if need.Any {
		for _, item := range need.Items {
			if free.Get(item.FullName()) >= item.Count {
				return slurm.Licenses{Items: []slurm.License{item}}, true
			}
		}
		return slurm.Licenses{}, false
	}
	// Several items may name the same licence.
	all := slurm.Licenses{}.Plus(need)
	for _, item := range all.Items {
		if free.Get(item.FullName()) < item.Count {
			return slurm.Licenses{}, false
		}
	}
	return all, true
}

// checkLicenses refuses licences the cluster does not have, or not so many of.
func checkLicenses(need, all slurm.Licenses) error {
	if need.IsZero() {
		return nil
	}
	if _, ok := TakeLicenses(need, all); !ok {
		return refuse(slurm.ErrnoInvalidLicenses, "cannot ever give licences %q: the cluster has %q", need, all)
	}
	return nil
}
