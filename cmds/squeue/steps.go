package squeue

import (
	"math"
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
	null := func(names, header string) stepColumn { return constant(names, header, show.Null) }
	gres := func(s *step) string { return show.Or(s.PerNode().Display(), show.Null) }
	list := []stepColumn{
		stepText(0, "ArrayJobId", "ARRAY_JOB_ID", func(s *step) string { return s.Job.ArrayID.String() }), // 0 of a job that is no array
		stepCol(0, "ArrayTaskId", "ARRAY_TASK_ID", func(v *show.View, s *step) string { return v.ArrayTask(s.Job) }),
		stepCol(0, "Cluster", "CLUSTER", func(v *show.View, _ *step) string { return v.Cluster }),
		stepText(0, "Container", "CONTAINER", func(s *step) string { return show.Or(s.Job.Spec.Container, show.Null) }),
		stepText(0, "ContainerId", "CONTAINERID", func(s *step) string { return show.Or(s.Job.Spec.ContainerID, show.Null) }),
		null("ContainerType", "CONTAINERTYPE"),
		stepText(0, "CPUFreq", "CPU_FREQ", stepFrequency),
		null("cpus-per-tres", "CPUS_PER_TRES"),
		stepText(0, "JobId", "JOB_ID", func(s *step) string { return s.Job.ID.String() }),
		null("mem-per-tres", "MEM_PER_TRES"),
		stepText(0, "Network", "NETWORK", func(s *step) string { return show.Or(s.Job.Spec.Network, show.Null) }),
		stepText('N', "Nodes", "NODELIST", func(s *step) string { return s.NodeText() }),
		stepText(0, "NumCPUs", "NUM_CPUS", func(s *step) string { return strconv.Itoa(s.CPUsShown()) }),
		{Letter: 'A', Names: []string{"NumTasks"}, Header: "TASKS",
			Value:   func(_ *show.View, s *step) string { return strconv.Itoa(s.Tasks) },
			Compare: show.By(func(_ *show.View, s *step) int { return s.Tasks })},
		stepText('P', "Partition", "PARTITION", func(s *step) string { return string(s.Job.Partition) }),
		null("ResvPorts", "RESERVED_PORTS"),
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
		stepText('l', "TimeLimit", "TIME_LIMIT", func(s *step) string { return s.Limit().Short() }),
		{Letter: 'M', Names: []string{"TimeUsed"}, Header: "TIME",
			Value:   func(v *show.View, s *step) string { return s.TimeUsed(v.Now).Short() },
			Compare: show.By(func(v *show.View, s *step) slurm.Duration { return s.TimeUsed(v.Now) })},
		null("tres-bind", "TRES_BIND"),
		null("tres-freq", "TRES_FREQ"),
		null("tres-per-job tres-per-step", "TRES_PER_STEP"),
		stepText('b', "Gres tres-per-node", "TRES_PER_JOB", gres),
		null("tres-per-socket", "TRES_PER_SOCKET"),
		null("tres-per-task", "TRES_PER_TASK"),
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

// stepFrequency is what a step asked for of its CPUs' clock: lowest-highest:governor.
func stepFrequency(s *step) string {
	const unknown = "Unknown"
	low, high, governor := unknown, unknown, unknown
	asked, gov, _ := strings.Cut(s.CPUFreq, ":")
	a, b, ranged := strings.Cut(asked, "-")
	switch {
	case s.ID == slurm.StepBatch || s.ID == slurm.StepExtern:
		return "0-0:0"
	case asked == "":
	case slurm.IsGovernor(asked):
		governor = asked
	case ranged:
		low, high, governor = kiloHertz(a), kiloHertz(b), show.Or(gov, unknown)
	default:
		high = kiloHertz(a)
	}
	return low + "-" + high + ":" + governor
}

// kiloHertz writes a frequency given in kHz shorter; a word stays what it is.
func kiloHertz(text string) string {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return text
	}
	units := "KMG"
	for len(units) > 1 && n >= 1000 {
		n, units = n/1000, units[1:]
	}
	if n == math.Trunc(n) {
		return strconv.FormatFloat(n, 'f', 0, 64) + units[:1]
	}
	return strconv.FormatFloat(n, 'f', 2, 64) + units[:1]
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
