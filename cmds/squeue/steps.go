package squeue

import (
	"strconv"
	"strings"
	"time"

	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/slurm"
)

// step is a row of a listing of steps.
type step = show.Step

type stepColumn = show.Column[*show.View, *step]

func stepCol(letter byte, names, header string, value func(*show.View, *step) string) stepColumn {
	return stepColumn{Letter: letter, Names: strings.Fields(names), Header: header, Value: value}
}

func stepText(letter byte, names, header string, value func(*step) string) stepColumn {
	return stepCol(letter, names, header, func(_ *show.View, s *step) string { return value(s) })
}

// stepColumns is what squeue can print of a step.
func stepColumns() []stepColumn {
	constant := func(names, header, value string) stepColumn {
		return stepText(0, names, header, func(*step) string { return value })
	}
	gres := func(s *step) string { return show.Or(s.PerNode().Display(), show.Null) }
	list := []stepColumn{
		stepText(0, "ArrayJobId", "ARRAY_JOB_ID", func(s *step) string { return s.Job.ArrayJobID().String() }),
		stepCol(0, "ArrayTaskId", "ARRAY_TASK_ID", func(v *show.View, s *step) string { return v.ArrayTask(s.Job) }),
		stepCol(0, "Cluster", "CLUSTER", func(v *show.View, _ *step) string { return v.Cluster }),
		stepText(0, "Container", "CONTAINER", func(s *step) string { return show.Or(s.Job.Spec.Container, show.Null) }),
		stepText(0, "ContainerId", "CONTAINERID", func(s *step) string { return show.Or(s.Job.Spec.ContainerID, show.Null) }),
		constant("ContainerType", "CONTAINERTYPE", show.Null),
		stepText(0, "CPUFreq", "CPU_FREQ", func(s *step) string { return show.Or(s.Job.Spec.CPUFreq, show.NA) }),
		stepText(0, "cpus-per-tres", "CPUS_PER_TRES", func(s *step) string { return perGPU(s.Job.Spec.CPUsPerGPU) }),
		stepText(0, "JobId", "JOB_ID", func(s *step) string { return s.Job.ID.String() }),
		stepText(0, "mem-per-tres", "MEM_PER_TRES", func(s *step) string { return perGPU(int(s.Job.Spec.MemPerGPU)) }),
		stepText(0, "Network", "NETWORK", func(s *step) string { return show.Or(s.Job.Spec.Network, show.Null) }),
		stepText('N', "Nodes", "NODELIST", func(s *step) string { return s.NodeText() }),
		stepText(0, "NumCPUs", "NUM_CPUS", func(s *step) string { return strconv.Itoa(s.CPUs()) }),
		{Letter: 'A', Names: []string{"NumTasks"}, Header: "TASKS",
			Value:   func(_ *show.View, s *step) string { return strconv.Itoa(s.Tasks) },
			Compare: show.By(func(_ *show.View, s *step) int { return s.Tasks })},
		stepText('P', "Partition", "PARTITION", func(s *step) string { return string(s.Job.Partition) }),
		constant("ResvPorts", "RESERVED_PORTS", show.Null),
		{Letter: 'S', Names: []string{"StartTime"}, Header: "START_TIME",
			Value:   func(v *show.View, s *step) string { return v.Time(s.Start, show.NA) },
			Compare: func(_ *show.View, a, b *step) int { return a.Start.Compare(b.Start) }},
		stepText(0, "StdErr", "STDERR", func(s *step) string { return s.Job.Stderr() }),
		stepText(0, "StdIn", "STDIN", func(s *step) string { return s.Job.Stdin() }),
		stepText(0, "StdOut", "STDOUT", func(s *step) string { return s.Job.Stdout() }),
		{Letter: 'i', Names: []string{"StepId"}, Header: "STEPID",
			Value: func(v *show.View, s *step) string { return v.StepID(s) },
			Compare: func(_ *show.View, a, b *step) int {
				if n := show.CompareID(a.Job, b.Job); n != 0 {
					return n
				}
				return int(int64(a.ID) - int64(b.ID))
			}},
		stepText('j', "StepName", "NAME", func(s *step) string { return s.Name }),
		stepText('t', "StepState", "STATE", func(s *step) string { return s.State.String() }),
		// A step has no limit of its own: its job's ends it.
		stepText('l', "TimeLimit", "TIME_LIMIT", func(*step) string { return slurm.Unlimited.Short() }),
		{Letter: 'M', Names: []string{"TimeUsed"}, Header: "TIME",
			Value:   func(v *show.View, s *step) string { return s.TimeUsed(v.Now).Short() },
			Compare: show.By(func(v *show.View, s *step) slurm.Duration { return s.TimeUsed(v.Now) })},
		stepText(0, "tres-bind", "TRES_BIND", func(s *step) string { return tresBind(s.Job) }),
		stepText(0, "tres-freq", "TRES_FREQ", func(s *step) string { return prefixed("gpu:", s.Job.Spec.GPUFreq) }),
		constant("tres-per-job tres-per-step", "TRES_PER_STEP", show.NA),
		stepText('b', "Gres tres-per-node", "TRES_PER_JOB", gres),
		constant("tres-per-socket", "TRES_PER_SOCKET", show.NA),
		constant("tres-per-task", "TRES_PER_TASK", show.NA),
		{Letter: 'U', Names: []string{"UserId"}, Header: "UID",
			Value:   func(_ *show.View, s *step) string { return strconv.FormatUint(uint64(s.Job.UID), 10) },
			Compare: show.By(func(_ *show.View, s *step) uint32 { return s.Job.UID })},
		stepText('u', "UserName", "USER", func(s *step) string { return show.Or(s.Job.User, strconv.FormatUint(uint64(s.Job.UID), 10)) }),
	}
	for i := range list {
		list[i].Whole = list[i].Header == "NODELIST"
	}
	return list
}

// timeRange is what --running-over and --running-under ask for.
type timeRange struct {
	over, under       slurm.Duration
	hasOver, hasUnder bool
}

func (r timeRange) holds(j *show.Job, now time.Time) bool {
	if !r.hasOver && !r.hasUnder {
		return true
	}
	if !j.IsRunning() {
		return false
	}
	used := j.TimeUsed(now)
	return (!r.hasOver || used > r.over) && (!r.hasUnder || used < r.under)
}
