package accounting

import (
	"fmt"
	"slices"
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/slurm"
)

// Filter says which records a query wants: those that match each of its fields
// that is set. A list matches with any of its elements.
type Filter struct {
	Refs       []*rinkpb.JobRef // an id names a job, its array and its het job
	UIDs, GIDs []uint32
	Accounts   []string
	Names      []string
	Partitions []string
	QOS        []string
	Nodes      []string // jobs that held one of them
	States     []slurm.JobState
	// Start and End, in whole seconds, are the window; a zero one leaves that
	// side open. Without States it has the jobs that were eligible before its
	// end and had not ended before its start; with States those that were in one
	// of them at some time in it. Without a window States are the last ones.
	Start, End time.Time
	Duplicates bool // also earlier incarnations; otherwise the latest that matches
	Steps      bool // with their steps
}

// FilterOf reads the filter of a request. Whose jobs the caller may see, and
// what AllUsers comes to, is not decided here.
func FilterOf(r *rinkpb.HistoryRequest) (Filter, error) {
	f := Filter{
		Refs: r.Refs, UIDs: r.Uids, GIDs: r.Gids, Accounts: r.Accounts, Names: r.Names, Partitions: r.Partitions, QOS: r.Qos,
		Duplicates: r.Duplicates, Steps: r.Steps,
	}
	for _, n := range r.States {
		f.States = append(f.States, slurm.JobState(n))
	}
	if r.Nodes != "" {
		list, err := slurm.ParseHostList(r.Nodes)
		if err != nil {
			return Filter{}, fmt.Errorf("cannot look for jobs by node: %w", err)
		}
		f.Nodes = list.Hosts()
	}
	if r.HasWindow {
		if r.Start != 0 {
			f.Start = time.Unix(0, r.Start)
		}
		if r.End != 0 {
			f.End = time.Unix(0, r.End)
		}
	}
	return f, nil
}

// Match reports whether a record is one the filter wants. It does not look at
// Duplicates. Live records count as not ended unless their state is final.
func (f *Filter) Match(r *rinkpb.Record) bool {
	j := r.Job
	return (len(f.Refs) == 0 || slices.ContainsFunc(f.Refs, func(ref *rinkpb.JobRef) bool { return names(ref, j) })) &&
		among(f.UIDs, j.Uid) && among(f.GIDs, j.Gid) && among(f.Accounts, j.Account) && among(f.Names, j.Name) &&
		among(f.QOS, j.Qos) && f.matchPartition(j) && f.matchNodes(j) && f.matchTime(r)
}

func among[T comparable](list []T, v T) bool { return len(list) == 0 || slices.Contains(list, v) }

// matchPartition looks at the partition the job ran in, or at those it asked
// for when it did not run.
func (f *Filter) matchPartition(j *rinkpb.Job) bool {
	if len(f.Partitions) == 0 || slices.Contains(f.Partitions, j.Partition) {
		return true
	}
	return j.Start == 0 && slices.ContainsFunc(j.Partitions, func(p string) bool { return slices.Contains(f.Partitions, p) })
}

func (f *Filter) matchNodes(j *rinkpb.Job) bool {
	return len(f.Nodes) == 0 || slices.ContainsFunc(j.Alloc, func(a *rinkpb.NodeAlloc) bool { return slices.Contains(f.Nodes, a.Node) })
}

// names reports whether a reference is to this job.
func names(ref *rinkpb.JobRef, j *rinkpb.Job) bool {
	switch {
	case ref.HasHet:
		return j.HetId == ref.Job && j.HetOffset == ref.Het
	case ref.HasTask:
		return j.ArrayId == ref.Job && j.ArrayId != 0 && hasTask(j, ref.Task)
	case len(ref.Tasks.GetRuns()) > 0:
		return j.ArrayId == ref.Job && j.ArrayId != 0 && hasAnyTask(j, ref.Tasks)
	}
	return j.Id == ref.Job || ref.Job != 0 && (j.ArrayId == ref.Job || j.HetId == ref.Job)
}

// hasTask reports whether a record of an array stands for that task.
func hasTask(j *rinkpb.Job, task uint32) bool {
	if len(j.Tasks.GetRuns()) == 0 {
		return j.TaskId == task
	}
	return contains(j.Tasks, task)
}

func hasAnyTask(j *rinkpb.Job, tasks *rinkpb.IndexSet) bool {
	if len(j.Tasks.GetRuns()) == 0 {
		return contains(tasks, j.TaskId)
	}
	for r := tasks.Runs; len(r) >= 3; r = r[3:] {
		for i := uint64(r[0]); i <= uint64(r[1]); i += uint64(max(r[2], 1)) {
			if contains(j.Tasks, uint32(i)) {
				return true
			}
		}
	}
	return false
}

func contains(set *rinkpb.IndexSet, i uint32) bool {
	for r := set.Runs; len(r) >= 3; r = r[3:] {
		if r[0] <= i && i <= r[1] && (i-r[0])%max(r[2], 1) == 0 {
			return true
		}
	}
	return false
}

// life is when a job was what, in whole seconds as Slurm counts; 0 is never, or
// not yet. What its record says it held it held from held on.
type life struct{ eligible, start, held, end int64 }

func lifeOf(r *rinkpb.Record) life {
	sec := func(nanos int64) int64 {
		if nanos == 0 {
			return 0
		}
		return max(1, nanos/int64(time.Second))
	}
	j := r.Job
	l := life{eligible: sec(j.Eligible), start: sec(j.Start)}
	if l.held = l.start; l.start != 0 {
		l.held = max(l.start, sec(j.Resized))
	}
	if slurm.JobState(j.State).Ended() {
		l.end = sec(j.End)
	}
	return l
}

func (f *Filter) window() (start, end int64) {
	if !f.Start.IsZero() {
		start = f.Start.Unix()
	}
	if !f.End.IsZero() {
		end = f.End.Unix()
	}
	return start, end
}

func (f *Filter) matchTime(r *rinkpb.Record) bool {
	from, to := f.window()
	l := lifeOf(r)
	if len(f.States) == 0 {
		// A job that was held until it was cancelled was never eligible.
		return (to == 0 || l.eligible != 0 && l.eligible < to) && (from == 0 || l.end == 0 || l.end >= from)
	}
	now := slurm.JobState(r.Job.State)
	for _, want := range f.States {
		if from == 0 && to == 0 {
			if now.Base() == want && want.Flags() == 0 && !showsFlag(r) || want.Flags() != 0 && hasFlags(r, want) {
				return true
			}
			continue
		}
		if wasIn(r, l, want, from, to) {
			return true
		}
	}
	return false
}

// hasFlags reports whether a state that is flags alone, such as REQUEUED, is
// the record's.
func hasFlags(r *rinkpb.Record, want slurm.JobState) bool {
	flags := slurm.JobState(r.Job.State).Flags() &^ slurm.JobRequeued
	if showsFlag(r) && !isPart(r) { // of another end that is shown, and matches
		flags |= slurm.JobRequeued
	}
	return flags.Has(want.Flags())
}

// wasIn reports whether the job was in a state at some time in the window.
func wasIn(r *rinkpb.Record, l life, want slurm.JobState, from, to int64) bool {
	// overlaps: from a to b, b 0 being still so.
	overlaps := func(a, b int64) bool { return a != 0 && (to == 0 || a <= to) && (b == 0 || from <= b) }
	within := func(t int64) bool { return t != 0 && from <= t && (to == 0 || t <= to) }
	now := slurm.JobState(r.Job.State)
	switch {
	case want.Flags() != 0:
		return hasFlags(r, want) && (l.end == 0 || within(l.end))
	case want == slurm.JobPending:
		until := l.start
		if until == 0 {
			until = l.end
		}
		return overlaps(l.eligible, until)
	case want == slurm.JobRunning:
		return overlaps(l.start, l.end)
	case want == slurm.JobSuspended:
		since := r.Job.Suspended / int64(time.Second)
		return now.Base() == want && overlaps(since, 0) || within(since)
	}
	return now.Base() == want && within(l.end) && !showsFlag(r)
}

// isPart reports whether a record is of a part of a run: the job gave nodes back and
// went on.
func isPart(r *rinkpb.Record) bool { return slurm.JobState(r.Job.State).Has(slurm.JobResizing) }

// showsFlag reports whether REQUEUED is shown in place of how the run ended:
// what took it off its nodes, or back after its end, was somebody's word. Of a part
// of a run RESIZING is shown.
func showsFlag(r *rinkpb.Record) bool {
	if isPart(r) {
		return true
	}
	switch slurm.JobState(r.Job.State).Base() {
	case slurm.JobCancelled, slurm.JobFailed, slurm.JobCompleted:
		return r.Requeued
	}
	return false
}
