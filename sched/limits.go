package sched

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/runink/rink/slurm"
)

// Why is a reason for which a job waits, with the words shown instead of the
// reason's own where there are such. The zero value is no reason.
type Why struct {
	Reason slurm.Reason
	Text   string
	Detail []Obstacle
}

// IsZero reports whether nothing stands in the way.
func (w Why) IsZero() bool { return w.Reason == slurm.ReasonNone && w.Text == "" }

// Shown returns what squeue shows for it.
func (w Why) Shown() string {
	if w.Text != "" {
		return w.Text
	}
	return w.Reason.String()
}

// because is a reason without words of its own.
func because(r slurm.Reason, detail ...Obstacle) Why { return Why{Reason: r, Detail: detail} }

// heldBack says why j may not be looked at yet, whatever is free: it is held,
// or waits for a time or another job. The second result is when time alone ends
// that; zero: it does not.
func heldBack(j *Job, now time.Time) (Why, time.Time) {
	if j.HeldBy != HeldByNobody || j.Priority == 0 {
		switch {
		case j.State&slurm.JobResvDelHold != 0, j.Reason.Held() || j.ReasonText != "" && !j.LastSched.IsZero():
			return Why{Reason: j.Reason, Text: j.ReasonText}, time.Time{}
		case j.HeldBy == HeldByAdmin:
			return because(slurm.ReasonJobHeldAdmin), time.Time{}
		}
		return because(slurm.ReasonJobHeldUser), time.Time{}
	}
	if j.Begin.After(now) {
		return because(slurm.ReasonBeginTime), j.Begin
	}
	switch j.DependencyAt(now) {
	case DependFailed:
		return because(slurm.ReasonDependencyNeverSatisfied), time.Time{}
	case DependWaiting:
		return because(slurm.ReasonDependency), j.DependencyDue(now)
	}
	return Why{}, time.Time{}
}

// partitionBars says why the state, the limits or the access rules of p keep j
// from running there, however empty it is. size is what p's nodes come to.
func partitionBars(j *Job, p *Partition, size PartitionSize) Why {
	switch strings.ToUpper(p.State) {
	case "DOWN":
		return because(slurm.ReasonPartitionDown)
	case "INACTIVE":
		return because(slurm.ReasonPartitionInactive)
	}
	if w := accessBars(j, p); !w.IsZero() {
		return w
	}
	if w := sizeBars(j, p, size); !w.IsZero() {
		return w
	}
	return timeBars(j, p)
}

// accessBars says why p's lists of accounts and QOS keep j out.
func accessBars(j *Job, p *Partition) Why {
	refused := func(reason slurm.Reason, what, verb string, list []string, link, has string) Why {
		text := fmt.Sprintf("Job's %s not permitted to use this partition (%s %s %s %s %s)", what, p.Name, verb, strings.Join(list, ","), link, has)
		if has == "" {
			text = fmt.Sprintf("Job's %s not known, so it can't use this partition (%s %s %s)", what, p.Name, verb, strings.Join(list, ","))
		}
		return Why{Reason: reason, Text: text}
	}
	switch {
	case len(p.AllowAccounts) > 0 && !listed(p.AllowAccounts, j.Account):
		return refused(slurm.ReasonAccountNotAllowed, "account", "allows", p.AllowAccounts, "not", j.Account)
	case len(p.AllowAccounts) == 0 && listed(p.DenyAccounts, j.Account):
		return refused(slurm.ReasonAccountNotAllowed, "account", "denies", p.DenyAccounts, "including", j.Account)
	case len(p.AllowQOS) > 0 && !listed(p.AllowQOS, j.QOS):
		return refused(slurm.ReasonQOSNotAllowed, "QOS", "allows", p.AllowQOS, "not", j.QOS)
	case len(p.AllowQOS) == 0 && listed(p.DenyQOS, j.QOS):
		return refused(slurm.ReasonQOSNotAllowed, "QOS", "denies", p.DenyQOS, "including", j.QOS)
	}
	return Why{}
}

// listed reports whether an access list names something; ALL names everything.
func listed(list []string, name string) bool {
	return slices.ContainsFunc(list, func(x string) bool {
		return strings.EqualFold(x, name) && name != "" || strings.EqualFold(x, "ALL")
	})
}

// submitsFrom reports whether host is on a list of hosts, which may have ranges: the list
// was taken apart at its commas, those within brackets included.
func submitsFrom(list []string, host string) bool {
	hosts, err := slurm.ParseHostList(strings.Join(list, ","))
	if err != nil {
		return listed(list, host)
	}
	for name := range hosts.All() {
		if listed([]string{name}, host) {
			return true
		}
	}
	return false
}

// PartitionSize is how much a partition has altogether, whatever is in use.
type PartitionSize struct{ Nodes, CPUs int }

// timeBars says why j would run too long for p.
func timeBars(j *Job, p *Partition) Why {
	asked := j.TimeLimit
	if j.TimeMin > 0 {
		asked = j.TimeMin
	}
	if p.MaxTime <= 0 || asked <= p.MaxTime {
		return Why{}
	}
	return because(slurm.ReasonPartitionTimeLimit, Obstacle{What: "minutes", Where: string(p.Name),
		Asked: asked.Minutes(), There: p.MaxTime.Minutes()})
}

// sizeBars says why j is too wide or too narrow for p.
func sizeBars(j *Job, p *Partition, size PartitionSize) Why {
	n := &j.Need
	over := func(what string, asked, there int) Obstacle {
		return Obstacle{What: what, Where: string(p.Name), Asked: int64(asked), There: int64(there)}
	}
	if n.CPUs > size.CPUs && !n.OverCommit {
		return because(slurm.ReasonPartitionConfig, over("cpus", n.CPUs, size.CPUs))
	}
	most := size.Nodes
	if p.MaxNodes > 0 {
		most = min(most, p.MaxNodes)
	}
	if n.MinNodes > most {
		return because(slurm.ReasonPartitionNodeLimit, over("nodes", n.MinNodes, most))
	}
	if n.MaxNodes >= n.MinNodes && n.MaxNodes < p.MinNodes {
		return because(slurm.ReasonPartitionNodeLimit, over("nodes", n.MaxNodes, p.MinNodes))
	}
	return Why{}
}

// throttled says how many tasks of j's array may start now, and whether a bound
// on the array is what keeps it so low.
func throttled(j *Job, running int) (most int, bound bool) {
	tasks := j.Tasks.Len()
	if j.Throttle <= 0 {
		return tasks, false
	}
	free := max(j.Throttle-running, 0)
	return min(tasks, free), free < tasks
}
