package sched

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/runink/rink/slurm"
)

// Usable reports whether jobs may start on n as far as its state goes. On one that
// is off, or coming up, they wait for it to come up.
func (n *Node) Usable() bool {
	switch n.State.Base() {
	case slurm.NodeIdle, slurm.NodeAllocated, slurm.NodeMixed:
	default:
		return false
	}
	const closed = slurm.NodeDrain | slurm.NodeFail | slurm.NodeInvalidReg | slurm.NodeNotResponding |
		slurm.NodePowerDown | slurm.NodePoweringDown | slurm.NodeRebootIssued | slurm.NodeExternal
	return n.State&closed == 0
}

// Exclusivity reports whether j, in partition p, has its nodes for itself
// alone, and whether it shares them with jobs of its own user only.
func Exclusivity(config *Config, j *Job, p *Partition) (whole, user bool) {
	whole = j.Need.Exclusive || config.WholeNodes
	if p != nil {
		whole = whole || strings.EqualFold(p.OverSubscribe, "EXCLUSIVE")
		user = p.ExclusiveUser
	}
	return whole, user || j.Spec != nil && j.Spec.Exclusive == "user"
}

// ShareLimit returns how many jobs may have a CPU at once when j, in partition
// p, is one of them.
func ShareLimit(config *Config, j *Job, p *Partition) int {
	if p == nil {
		return 1
	}
	if whole, _ := Exclusivity(config, j, p); whole {
		return 1
	}
	factor, _ := sharing(p, j.Need.Share)
	return factor
}

// MostSharing returns how many jobs may have a CPU at once in p, if they ask
// for it.
func MostSharing(p *Partition) int {
	factor, _ := sharing(p, true)
	return factor
}

// GresFits says why g is not free on n while used is in use, or nil.
func (n *Node) GresFits(used []GresAlloc, g GresAlloc) error {
	at := slices.IndexFunc(n.Gres, func(have NodeGres) bool { return have.Name == g.Name && have.Type == g.Type })
	if at < 0 {
		return fmt.Errorf("there is no %s: %w", gresName(g), slurm.ErrnoInvalidGres)
	}
	have := n.Gres[at]
	inUse := GresAlloc{}
	for _, u := range used {
		if u.Name == g.Name && u.Type == g.Type {
			inUse.Count, inUse.Index = inUse.Count+u.Count, append(inUse.Index, u.Index...)
		}
	}
	if g.Count < 0 || inUse.Count+g.Count > have.Count {
		return fmt.Errorf("%d of %d %s are in use, %d asked: %w", inUse.Count, have.Count, gresName(g), g.Count, slurm.ErrnoNodesBusy)
	}
	if !n.shareFits(used, g, &n.Gres[at]) {
		return fmt.Errorf("%s %v is in use: %w", gresName(g), g.Index, slurm.ErrnoNodesBusy)
	}
	for i, x := range g.Index {
		switch {
		case !isSharedGres(g.Name) && have.Place(x) < 0:
			return fmt.Errorf("there is no %s number %d: %w", gresName(g), x, slurm.ErrnoInvalidGres)
		case !isSharedGres(g.Name) && (slices.Contains(inUse.Index, x) || slices.Contains(g.Index[:i], x)):
			return fmt.Errorf("%s number %d is in use: %w", gresName(g), x, slurm.ErrnoNodesBusy)
		case slices.ContainsFunc(have.Sick, func(d SickDevice) bool { return d.Number == x }):
			return fmt.Errorf("%s number %d is out of service: %w", gresName(g), x, slurm.ErrnoNodesBusy)
		}
	}
	return nil
}

// CountsNamed refuses what a job is to get of a node's devices when it names some and
// not as many as it counts. It does not hold of what jobs have together: one that began
// when devices were only counted names none.
func (g GresAlloc) CountsNamed() error {
	if len(g.Index) > 0 && !isSharedGres(g.Name) && int64(len(g.Index)) != g.Count {
		return fmt.Errorf("%d %s are counted and %d of them named: %w", g.Count, gresName(g), len(g.Index), slurm.ErrnoInvalidGres)
	}
	return nil
}

// isSharedGres reports whether several units of a resource lie on one device.
func isSharedGres(name string) bool { return name == "shard" || name == "mps" }

func gresName(g GresAlloc) string {
	if g.Type == "" {
		return "gres/" + g.Name
	}
	return "gres/" + g.Name + ":" + g.Type
}

// AddGres returns used with g, in a slice of its own, in order of name and type.
func AddGres(used []GresAlloc, g GresAlloc) []GresAlloc {
	at, ok := findGres(used, g)
	if !ok {
		if g.Count == 0 && len(g.Index) == 0 {
			return used
		}
		g.Index = slices.Clone(g.Index)
		slices.Sort(g.Index)
		return slices.Insert(slices.Clip(used), at, g)
	}
	used = slices.Clone(used)
	index := append(slices.Clip(used[at].Index), g.Index...)
	slices.Sort(index)
	if isSharedGres(g.Name) {
		index = used[at].Index // entries of parts are by the GPU they lie on
	}
	used[at].Count, used[at].Index = used[at].Count+g.Count, index
	return used
}

// SubGres returns used without g, in a slice of its own; kinds of which nothing
// is left are gone.
func SubGres(used []GresAlloc, g GresAlloc) []GresAlloc {
	at, ok := findGres(used, g)
	if !ok {
		return used
	}
	used = slices.Clone(used)
	left := slices.Clone(used[at].Index)
	if !isSharedGres(g.Name) || used[at].Count <= g.Count {
		for _, x := range g.Index {
			if k := slices.Index(left, x); k >= 0 {
				left = slices.Delete(left, k, k+1)
			}
		}
	}
	if len(left) == 0 {
		left = nil
	}
	if used[at].Count, used[at].Index = used[at].Count-g.Count, left; used[at].Count > 0 || left != nil {
		return used
	}
	if used = slices.Delete(used, at, at+1); len(used) == 0 {
		return nil
	}
	return used
}

func findGres(used []GresAlloc, g GresAlloc) (int, bool) {
	return slices.BinarySearchFunc(used, g, func(a, b GresAlloc) int {
		by := cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Type, b.Type))
		if by == 0 && isSharedGres(a.Name) {
			return slices.Compare(a.Index, b.Index)
		}
		return by
	})
}

// PlusLicenses and MinusLicenses count what jobs hold: one item a name, in
// order of names, none with a count of zero.
func PlusLicenses(used, more slurm.Licenses) slurm.Licenses {
	if more.IsZero() {
		return used
	}
	return tidyLicenses(used.Plus(more))
}

// MinusLicenses is the other way of PlusLicenses.
func MinusLicenses(used, less slurm.Licenses) slurm.Licenses {
	if less.IsZero() {
		return used
	}
	return tidyLicenses(used.Minus(less))
}

func tidyLicenses(l slurm.Licenses) slurm.Licenses {
	items := slices.DeleteFunc(l.Items, func(x slurm.License) bool { return x.Count == 0 })
	slices.SortFunc(items, func(a, b slurm.License) int { return cmp.Compare(a.FullName(), b.FullName()) })
	if len(items) == 0 {
		items = nil
	}
	return slurm.Licenses{Items: items}
}
