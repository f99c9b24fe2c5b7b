package state

import (
	"fmt"
	"slices"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// cutGPU notes that a GPU is to be cut, or made whole again.
func (s *State) cutGPU(c CutGPU) error {
	old := s.Node(c.Node)
	if old == nil {
		return fmt.Errorf("cannot reshape a GPU of node %q: %w", c.Node, slurm.ErrnoInvalidNodeName)
	}
	if err := old.MayCut(c.File, c.Profiles); err != nil {
		return err
	}
	n := *old
	cut := sched.Cut{File: c.File, Profiles: slices.Clone(c.Profiles)}
	n.Cuts = slices.Clone(n.Cuts)
	if at := n.CutOf(c.File); at >= 0 {
		n.Cuts[at] = cut
	} else {
		n.Cuts = append(n.Cuts, cut)
	}
	n.Gres = n.Outfit(sched.SickFiles(old.Gres))
	s.setNode(&n)
	return nil
}

// noteCut takes what an agent made of a GPU. What is not as it was wanted is not given
// to jobs: the agent is told again what is.
func (s *State) noteCut(c NoteCut) error {
	old := s.Node(c.Node)
	if old == nil {
		return fmt.Errorf("cannot note the shape of a GPU of node %q: %w", c.Node, slurm.ErrnoInvalidNodeName)
	}
	at := old.CutOf(c.File)
	if at < 0 {
		return fmt.Errorf("cannot note the shape of %s of node %s: nobody asked for another: %w", c.File, c.Node, slurm.ErrnoInvalidGres)
	}
	n := *old
	n.Cuts = slices.Clone(n.Cuts)
	cut := &n.Cuts[at]
	switch {
	case c.Whole:
		n.Cuts = slices.Delete(n.Cuts, at, at+1)
	case c.Error != "":
		if cut.Why = c.Error; !old.CutInUse(cut) {
			cut.Made = nil
		}
	default:
		made := sched.Cut{Made: slices.Clone(c.Made)}
		if old.CutInUse(cut) {
			return fmt.Errorf("cannot note the shape of %s of node %s: its instances are in use: %w", c.File, c.Node, slurm.ErrnoNodesBusy)
		}
		if cut.Made, cut.Why = nil, ""; made.IsAs(cut.Profiles) {
			cut.Made = made.Made
		}
	}
	n.Gres = n.Outfit(sched.SickFiles(old.Gres))
	s.setNode(&n)
	return nil
}

// cutsAsFound compares what was decided of GPUs with what an agent found them to be
// when it came up.
func cutsAsFound(old *sched.Node, found []sched.Cut) []sched.Cut {
	var out []sched.Cut
	for _, d := range old.Cuts {
		at := slices.IndexFunc(found, func(f sched.Cut) bool { return f.File == d.File })
		switch {
		case at < 0 && len(d.Profiles) == 0:
			continue // it is whole again
		case at >= 0 && found[at].IsAs(d.Profiles):
			d.Made, d.Why = slices.Clone(found[at].Made), ""
		case old.CutInUse(&d):
			d.Why = "they are not there any more" // until who has them is gone
		default:
			d.Made = nil
		}
		out = append(out, d)
	}
	for _, f := range found {
		if !slices.ContainsFunc(out, func(d sched.Cut) bool { return d.File == f.File }) {
			out = append(out, sched.Cut{File: f.File}) // nobody wants it so: it is to be whole
		}
	}
	return out
}
