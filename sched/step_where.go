package sched

import (
	"strings"

	"github.com/runink/rink/slurm"
)

// StepFeatures returns what a step is asked for with those of its job's nodes left out
// that do not meet its --constraint. A job's own constraint chose its nodes, and
// leaves out none of them. node tells of a node by its name.
func StepFeatures(j *Job, o *slurm.JobOptions, node func(NodeName) *Node) (*slurm.JobOptions, error) {
	if o.Constraint == "" || j.Spec != nil && o.Constraint == j.Spec.Constraint {
		return o, nil
	}
	c, err := slurm.ParseConstraint(o.Constraint)
	if err != nil {
		return nil, refuse(slurm.ErrnoInvalidFeature, "step of job %d: %v", j.ID, err)
	}
	var away []string
	if o.ExcludeList != "" {
		away = append(away, o.ExcludeList)
	}
	lack := 0
	for i := range j.Alloc {
		if n := node(j.Alloc[i].Node); n == nil || !hasFeatures(c, n) {
			away = append(away, string(j.Alloc[i].Node))
			lack++
		}
	}
	switch lack {
	case 0:
		return o, nil
	case len(j.Alloc):
		return nil, refuse(slurm.ErrnoRequestedNodeConfigUnavailable, "no node of job %d meets %s", j.ID, o.Constraint)
	}
	out := *o
	out.ExcludeList = strings.Join(away, ",")
	return &out, nil
}
