package ctld

import (
	"slices"
	"strconv"
	"strings"

	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// nodeCount is NumNodes= of a job that has nodes: it keeps so many, the first ones,
// and gives the others back. It gets no more than it has.
func (up *jobUpdate) nodeCount(value string) error {
	n, err := strconv.Atoi(value)
	switch {
	case strings.Contains(value, "-"):
		return slurm.ErrnoNotPending
	case err == nil && n == 0:
		return slurm.ErrnoInvalidNodeCount
	case err != nil, n > len(up.j.Alloc): // thousands, or millions
		return slurm.ErrnoNotSupported
	}
	return up.keepNodes(up.j.Nodes()[:n])
}

// nodeList is NodeList= of a job that has nodes: it keeps these and gives the others
// back.
func (up *jobUpdate) nodeList(value string) error {
	names, err := slurm.ParseHostList(value)
	if err != nil {
		return slurm.ErrnoInvalidNodeName
	}
	has := up.j.Nodes()
	var keep []sched.NodeName
	for name := range names.All() {
		if !slices.Contains(has, sched.NodeName(name)) {
			return slurm.ErrnoInvalidNodeName
		}
		keep = append(keep, sched.NodeName(name))
	}
	if len(keep) == 0 || up.j.Batch && !slices.Contains(keep, has[0]) {
		return slurm.ErrnoInvalidNodeName // its script would be left behind
	}
	return up.keepNodes(keep)
}

func (up *jobUpdate) keepNodes(keep []sched.NodeName) error {
	less := slices.DeleteFunc(up.j.Nodes(), func(n sched.NodeName) bool { return slices.Contains(keep, n) })
	switch {
	case len(less) == 0:
		return nil
	case up.j.HetID != 0, up.t.Config().Conf.SchedulerParameters.Has("disable_job_shrink"):
		return slurm.ErrnoNotSupported
	case up.j.State.Has(slurm.JobConfiguring):
		return slurm.ErrnoTransitionStateNoUpdate
	}
	up.less = less
	return nil
}

// shrink is the command that gives back what an update takes from a job; nil: nothing.
func (up *jobUpdate) shrink() state.Command {
	if len(up.less) == 0 {
		return nil
	}
	return state.ShrinkJob{Job: up.j.ID, Restarts: up.j.Restarts, Nodes: up.less, Given: true}
}
