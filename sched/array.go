package sched

import "github.com/runink/rink/slurm"

// Split takes one task out of an array's rest: one is the record of the task
// and rest what is left of the array. The task's record is new and gets id, but
// the last task left keeps the array's own record and id, and rest is nil. It
// returns nil twice when task is not waiting there. Neither is published.
func (j *Job) Split(task uint32, id slurm.JobID) (rest, one *Job) {
	if !j.IsArrayRest() || !j.Tasks.Contains(task) {
		return nil, nil
	}
	c := *j
	one = &c
	one.TaskID, one.Tasks = task, slurm.IndexSet{}
	if j.Tasks.Len() == 1 {
		return nil, one
	}
	one.ID = id
	return j.Left(slurm.NewIndexSet(task)), one
}

// TasksCut is what cancelling tasks before they had a record has left of their array's own.
// It decides how users see it.
type TasksCut uint8

const (
	TasksWhole TasksCut = iota // as it was submitted, or as the tasks that started have left it
	TasksSome                  // the last ones that went were cancelled: a single one left is 12_[3]
	TasksGone                  // all that were left were cancelled as tasks: it is 12, and ended
)

// IsLast reports whether an array's own record is that of the one task left to start of
// several: it stands for itself then, as those that have started do.
func (j *Job) IsLast() bool {
	return j.Tasks.Len() == 1 && j.ArrayAll.Len() > 1 && j.Cut == TasksWhole
}

// Left returns an array's rest without some of its tasks. It is not published.
func (j *Job) Left(without slurm.IndexSet) *Job {
	c := *j
	c.Cut = TasksWhole
	if without.Len() == 1 {
		c.Tasks = j.Tasks.Without(without.Min())
	} else {
		c.Tasks = j.Tasks.Minus(without)
	}
	return &c
}

// DisplayID returns the id of the job as users see it: 12, 12_3 for a task of array
// 12, 12_[4-9] for its rest, 12+1 for a component of a heterogeneous job.
func (j *Job) DisplayID() string {
	switch {
	case j.HetID != 0:
		return slurm.JobRef{Job: j.HetID, Part: slurm.RefComponent, Component: uint32(j.HetOffset)}.String()
	case j.ArrayID == 0:
		return j.ID.String()
	case j.IsArrayRest():
		return slurm.JobRef{Job: j.ArrayID, Part: slurm.RefTasks, Tasks: j.Tasks}.String()
	}
	return slurm.JobRef{Job: j.ArrayID, Part: slurm.RefTask, Tasks: slurm.NewIndexSet(j.TaskID)}.String()
}
