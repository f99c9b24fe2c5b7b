package sched

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/runink/rink/slurm"
)

// maxAwaited is how many of the jobs that a job depends on are told of.
const maxAwaited = 3

// awaited says in words how the jobs stand that a job depends on, as far as they
// are in line or run: "; 12 runs, for 00:10:00 more at most; 13 waits: Resources".
func (s *Scheduler) awaited(j *Job, now time.Time) string {
	var list []*Job
	for _, d := range j.Deps {
		switch {
		case d.StateAt(now) != DependWaiting:
		case d.Type == slurm.DependSingleton:
			for _, o := range s.holding {
				if o.UID == j.UID && o.Name == j.Name {
					list = append(list, o)
				}
			}
			for _, it := range s.items {
				if o := it.job; o.UID == j.UID && o.Name == j.Name && o.ID < j.ID {
					list = append(list, o)
				}
			}
		default:
			if o := s.holding[d.Job]; o != nil {
				list = append(list, o)
			} else if o := s.Pending(d.Job); o != nil {
				list = append(list, o)
			}
		}
	}
	slices.SortFunc(list, func(a, b *Job) int { return int(int64(a.ID) - int64(b.ID)) })
	list = slices.CompactFunc(list, func(a, b *Job) bool { return a.ID == b.ID })
	var b strings.Builder
	for i, o := range list {
		if i == maxAwaited {
			fmt.Fprintf(&b, "; and %d more", len(list)-i)
			break
		}
		fmt.Fprintf(&b, "; %d ", o.ID)
		switch left := o.End.Sub(now); {
		case o.IsPending():
			b.WriteString("waits: " + Why{Reason: o.Reason, Text: o.ReasonText}.Shown())
		case o.IsCompleting():
			b.WriteString("is completing")
		case o.IsSuspended():
			b.WriteString("is suspended")
		case o.End.IsZero():
			b.WriteString("runs without a limit")
		default:
			fmt.Fprintf(&b, "runs, for %v more at most", slurm.Duration(max(left, 0)/time.Second))
		}
	}
	return b.String()
}

// others are the components of a heterogeneous job that it cannot start without.
func (s *Scheduler) others(j *Job) []Bar {
	if j.HetID == 0 {
		return nil
	}
	var bars []Bar
	for _, o := range s.hets[j.HetID] {
		if o.ID == j.ID {
			continue
		}
		why := Why{Reason: o.Reason, Text: o.ReasonText}
		if o.Reason == slurm.ReasonNone {
			why = because(slurm.ReasonPriority)
		}
		bars = append(bars, Bar{Why: why, Words: fmt.Sprintf("starts only together with component %d+%d, job %d, which wants %d CPUs", o.HetID, o.HetOffset, o.ID, o.Need.CPUs)})
	}
	return bars
}

// awayWhy says why a node is out of service, as far as it says itself.
func awayWhy(n *Node) string {
	text := string(n.Name) + " is " + n.State.String()
	if n.Reason != "" {
		text += ": " + n.Reason
	}
	return text
}
