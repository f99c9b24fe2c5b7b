package accounting

import (
	"fmt"
	"time"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// What follows works out, from a job's or a step's record, what listings show of
// it. All of it is pure: the time is given. Differences of times are taken in
// whole seconds of the clock, as Slurm does, so that Start, End and Elapsed as
// printed agree.

// seconds returns b - a in whole seconds, and 0 when one is not set or they are
// in the wrong order.
func seconds(a, b time.Time) time.Duration {
	if a.IsZero() || b.IsZero() {
		return 0
	}
	return max(0, time.Duration(b.Unix()-a.Unix())*time.Second)
}

// ended returns when j ended, or now when it has not.
func ended(j *sched.Job, now time.Time) time.Time {
	if j.HasEnded() && !j.End.IsZero() {
		return j.End
	}
	return now
}

// Elapsed returns how long j ran, or has been running, without the time it was
// suspended. It is 0 for a job that did not start.
func Elapsed(j *sched.Job, now time.Time) time.Duration {
	if j.Start.IsZero() {
		return 0
	}
	return max(0, seconds(j.Start, ended(j, now))-SuspendedFor(j, now))
}

// SuspendedFor returns how long j was suspended in all, in whole seconds.
func SuspendedFor(j *sched.Job, now time.Time) time.Duration {
	d := j.SuspendedFor
	if j.IsSuspended() {
		d += max(0, now.Sub(j.Suspended))
	}
	return d.Truncate(time.Second)
}

// StepElapsed returns how long a step ran, or has been running.
func StepElapsed(s *sched.Step, now time.Time) time.Duration {
	end := s.End
	if end.IsZero() {
		end = now
	}
	return seconds(s.Start, end)
}

// Planned returns how long j waited, or has been waiting, for its resources
// since it was eligible. Slurm once called it Reserved.
func Planned(j *sched.Job, now time.Time) time.Duration {
	if !j.Start.IsZero() {
		return seconds(j.Eligible, j.Start)
	}
	return seconds(j.Eligible, ended(j, now))
}

// AllocCPUs returns the CPUs j held on all its nodes.
func AllocCPUs(j *sched.Job) int {
	n := 0
	for _, a := range j.Alloc {
		n += a.CPUs
	}
	return n
}

// AllocMem returns the memory j held on all its nodes.
func AllocMem(j *sched.Job) slurm.MB {
	var n slurm.MB
	for _, a := range j.Alloc {
		n += a.Mem
	}
	return n
}

// AllocGres returns the generic resources j held on all its nodes, by name and
// type in the order in which they first come.
func AllocGres(j *sched.Job) slurm.Gres {
	var list slurm.Gres
	for _, a := range j.Alloc {
		list = addGres(list, a.Gres)
	}
	return list
}

func addGres(list slurm.Gres, more []sched.GresAlloc) slurm.Gres {
next:
	for _, g := range more {
		for i := range list {
			if list[i].Name == g.Name && list[i].Type == g.Type {
				list[i].Count += g.Count
				continue next
			}
		}
		list = append(list, slurm.GresItem{Name: g.Name, Type: g.Type, Count: g.Count})
	}
	return list
}

// StepCPUs returns the CPUs of a step on all its nodes.
func StepCPUs(s *sched.Step) int {
	n := 0
	for _, a := range s.Nodes {
		n += a.CPUs
	}
	return n
}

// StepMem returns the memory of a step on all its nodes.
func StepMem(s *sched.Step) slurm.MB {
	var n slurm.MB
	for _, a := range s.Nodes {
		n += a.Mem
	}
	return n
}

// StepGres returns the generic resources of a step on all its nodes.
func StepGres(s *sched.Step) slurm.Gres {
	var list slurm.Gres
	for _, a := range s.Nodes {
		list = addGres(list, a.Gres)
	}
	return list
}

// StepNodes returns the names of a step's nodes, in order.
func StepNodes(s *sched.Step) []sched.NodeName {
	list := make([]sched.NodeName, len(s.Nodes))
	for i, a := range s.Nodes {
		list[i] = a.Node
	}
	return list
}

// CPUTime returns the CPU time j held, used or not: its elapsed time for each
// of its CPUs.
func CPUTime(j *sched.Job, now time.Time) time.Duration {
	return Elapsed(j, now) * time.Duration(AllocCPUs(j))
}

// StepCPUTime is CPUTime of a step.
func StepCPUTime(s *sched.Step, now time.Time) time.Duration {
	return StepElapsed(s, now) * time.Duration(StepCPUs(s))
}

// TotalUsage returns what a job's batch script and steps used together: sums of
// what adds up, and of what does not the largest with its place. Tasks of a step
// keep their numbers, so MaxRSSTask is that of whichever step was the largest.
func TotalUsage(batch sched.Usage, steps []*sched.Step) sched.Usage {
	sum := batch
	for _, s := range steps {
		u := &s.Usage
		sum.UserCPU += u.UserCPU
		sum.SystemCPU += u.SystemCPU
		sum.TotalRSS += u.TotalRSS
		sum.PagesMajor += u.PagesMajor
		sum.ReadBytes += u.ReadBytes
		sum.WriteBytes += u.WriteBytes
		sum.Tasks += u.Tasks
		sum.MaxVMSize = max(sum.MaxVMSize, u.MaxVMSize)
		if u.MaxRSS > sum.MaxRSS {
			sum.MaxRSS, sum.MaxRSSNode, sum.MaxRSSTask = u.MaxRSS, u.MaxRSSNode, u.MaxRSSTask
		}
	}
	return sum
}

// TotalCPU returns the CPU time that was used.
func TotalCPU(u sched.Usage) time.Duration { return u.UserCPU + u.SystemCPU }

// AveCPU and AveRSS are per task.
func AveCPU(u sched.Usage) time.Duration { return TotalCPU(u) / time.Duration(max(1, u.Tasks)) }

// AveRSS returns the mean over tasks of the most memory each had, in bytes.
func AveRSS(u sched.Usage) int64 { return u.TotalRSS / int64(max(1, u.Tasks)) }

// HasBatchStep reports whether j has a line of its own for its batch script.
func HasBatchStep(j *sched.Job) bool { return j.Batch && !j.Start.IsZero() }

// BatchState returns the state of j's batch script, which follows from how the
// job ended: a script that was cut off is CANCELLED whatever it was that cut it
// off, memory apart.
func BatchState(j *sched.Job) slurm.JobState {
	switch base := j.State.Base(); base {
	case slurm.JobPending, slurm.JobRunning, slurm.JobSuspended, slurm.JobCompleted, slurm.JobOutOfMemory:
		return base
	case slurm.JobFailed, slurm.JobBootFail:
		if j.BatchDone && j.BatchExit == (sched.ExitCode{}) {
			return slurm.JobCompleted
		}
		return slurm.JobFailed
	}
	if j.BatchDone && j.BatchExit == (sched.ExitCode{}) {
		return slurm.JobCompleted
	}
	return slurm.JobCancelled
}

// sigterm is what ends a batch script that is cut off.
const sigterm = 15

// BatchExit returns the exit code of j's batch script. Of one that was cut off
// and has not been reported it is the signal that did it.
func BatchExit(j *sched.Job) sched.ExitCode {
	switch {
	case j.BatchDone:
		return j.BatchExit
	case BatchState(j) == slurm.JobCancelled:
		return sched.ExitCode{Signal: sigterm}
	}
	return j.ExitCode
}

// StateText returns j's state as sacct prints it.
func StateText(j *sched.Job) string {
	if base := j.State.Base(); base == slurm.JobCancelled {
		return fmt.Sprintf("%s by %d", base, j.KilledBy)
	} else {
		return base.String()
	}
}

// DerivedExit returns the highest exit code of the steps, or that of the job's
// record if it is higher.
func DerivedExit(j *sched.Job, steps []*sched.Step) sched.ExitCode {
	high := j.DerivedExit
	for _, s := range steps {
		if e := s.ExitCode; e.Code > high.Code || e.Code == high.Code && e.Signal > high.Signal {
			high = e
		}
	}
	return high
}

// CPUEfficiency returns the part of the CPU time held that was used, 0 when
// none was held.
func CPUEfficiency(j *sched.Job, u sched.Usage, now time.Time) float64 {
	held := CPUTime(j, now)
	if held <= 0 {
		return 0
	}
	return float64(TotalCPU(u)) / float64(held)
}

// MemEfficiency returns the part of the memory held that was used, taking all
// tasks at their most, 0 when none was held.
func MemEfficiency(j *sched.Job, u sched.Usage) float64 {
	held := int64(AllocMem(j)) << 20
	if held <= 0 {
		return 0
	}
	return float64(max(u.MaxRSS, u.TotalRSS)) / float64(held)
}
