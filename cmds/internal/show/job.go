package show

import (
	"cmp"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// Job is a row of a listing of jobs: a record, or a part of it.
type Job struct {
	*sched.Job
	// Rest are the tasks the row stands for when they have no record of their own.
	// Where it is empty, Task says which one when the job is part of an array.
	Rest slurm.IndexSet
	Task uint32
	// Expected is when the scheduler thinks the job will start, and where; zero:
	// it has not said.
	Expected      time.Time
	ExpectedNodes []sched.NodeName
	// Shown is the partition the row is about when there is a row for each of a
	// pending job's partitions; "" when there is one for all.
	Shown sched.PartitionName
	// nodeCPUs are the CPUs of the largest node there is, 0 when nobody said.
	nodeCPUs int
	// nodeGPUs are the GPUs of the node that has the most.
	nodeGPUs int
	// nodeMemory is the memory of the largest node there is, which --mem=0 asks for as far as
	// one can say before the job has one; 0 when nobody said.
	nodeMemory slurm.MB
	// reasons is what AddReason made of several; "" when there is one.
	reasons string
}

// NewJob is the row for a whole record.
func NewJob(j *sched.Job) *Job { return JobOfTasks(j, j.Tasks) }

// JobOfTasks is the row for some of the tasks of an array's own record.
func JobOfTasks(j *sched.Job, tasks slurm.IndexSet) *Job {
	r := &Job{Job: j, Task: j.TaskID}
	switch {
	case j.ArrayID == 0:
	case tasks.Len() > 1, tasks.Len() == 1 && j.Tasks.Len() == 1 && (j.IsPending() || j.ID == j.ArrayID && j.HasEnded() && j.Start.IsZero()):
		// Slurm too shows the last task in brackets for as long as it has no record of its own,
		// and when it never got one.
		r.Rest = tasks
	case tasks.Len() == 1:
		r.Task = tasks.Min()
	}
	return r
}

// IsTask reports whether the row is about one task of an array.
func (j *Job) IsTask() bool { return j.ArrayID != 0 && j.Rest.IsEmpty() }

// IsRest reports whether the row is about several tasks of an array.
func (j *Job) IsRest() bool { return !j.Rest.IsEmpty() }

// Split yields a row for each task that the row stands for, in their order.
func (j *Job) Split(yield func(*Job) bool) {
	if !j.IsRest() || j.Cut == sched.TasksGone {
		yield(j)
		return
	}
	for task := range j.Rest.All() {
		one := *j
		one.Rest, one.Task = slurm.IndexSet{}, task
		if !yield(&one) {
			return
		}
	}
}

// Narrow returns the row with only those of its tasks that are in want, nil when
// there are none.
func (j *Job) Narrow(want slurm.IndexSet) *Job {
	if !j.IsRest() {
		if j.ArrayID != 0 && want.Contains(j.Task) {
			return j
		}
		return nil
	}
	some := j.Rest.Intersect(want)
	switch some.Len() {
	case 0:
		return nil
	case j.Rest.Len():
		return j
	}
	one := *j
	one.Rest, one.Task = slurm.IndexSet{}, 0
	if some.Len() > 1 {
		one.Rest = some
	} else {
		one.Task = some.Min()
	}
	return &one
}

// Select returns the part of a job that references name, nil when they name
// nothing of it.
func Select(j *Job, refs []slurm.JobRef) *Job {
	var tasks slurm.IndexSet
	for _, r := range refs {
		switch {
		case r.Part == slurm.RefComponent:
			if j.HetID == r.Job && uint32(j.HetOffset) == r.Component {
				return j
			}
		case r.Part == slurm.RefTask || r.Part == slurm.RefTasks:
			if j.ArrayID == r.Job {
				tasks = tasks.Union(r.Tasks)
			}
		case j.ID == r.Job || j.ArrayID == r.Job || j.HetID == r.Job:
			return j
		}
	}
	if tasks.IsEmpty() {
		return nil
	}
	return j.Narrow(tasks)
}

// IsLast reports whether the row is about the one task that is left to start of an
// array of several: it stands for itself, as those that have started do.
func (j *Job) IsLast() bool {
	return j.Rest.Len() == 1 && j.ArrayAll.Len() > 1 && j.Cut == sched.TasksWhole
}

// ID prints the job's id as users see it: 12, 12_3, 12_[4-10%2] or 12+1.
func (v *View) ID(j *Job) string {
	switch {
	case j.IsRest() && j.IsLast():
		return j.ArrayID.String() + "_" + v.ArrayTask(j)
	case j.IsRest() && j.Cut == sched.TasksGone:
		return j.ArrayID.String()
	case j.IsRest():
		return j.ArrayID.String() + "_[" + v.ArrayTask(j) + "]"
	case j.IsTask():
		return j.ArrayID.String() + "_" + strconv.FormatUint(uint64(j.Task), 10)
	case j.HetID != 0:
		return j.HetID.String() + "+" + strconv.Itoa(j.HetOffset)
	}
	return j.ID.String()
}

// ArrayTask prints which tasks of an array the row is about, N/A for none.
func (v *View) ArrayTask(j *Job) string {
	switch {
	case j.IsRest() && j.Cut == sched.TasksGone:
		return NA
	case j.IsRest():
		if j.IsLast() {
			return slurm.ArraySpec{Indexes: j.Rest}.Text(v.IndexText)
		}
		return slurm.ArraySpec{Indexes: j.Rest, Throttle: j.Throttle}.Text(v.IndexText)
	case j.IsTask():
		return strconv.FormatUint(uint64(j.Task), 10)
	}
	return NA
}

// ArrayJobID returns the id of the job's array, its own when it is in none.
func (j *Job) ArrayJobID() slurm.JobID {
	if j.ArrayID != 0 {
		return j.ArrayID
	}
	return j.ID
}

// Place is where a job stands in the order of ids as users see them: an array's tasks
// stand together in their order, before those that have not been started.
type Place struct {
	id   uint32
	task uint64
}

// Place returns the job's.
func (j *Job) Place() Place {
	switch {
	case j.IsLast():
		return Place{uint32(j.ArrayID), uint64(j.Rest.Min())}
	case j.IsRest():
		return Place{uint32(j.ArrayID), 1 << 32}
	case j.IsTask():
		return Place{uint32(j.ArrayID), uint64(j.Task)}
	}
	return Place{uint32(j.ID), 0}
}

// Compare orders places.
func (p Place) Compare(o Place) int {
	return cmp.Or(cmp.Compare(p.id, o.id), cmp.Compare(p.task, o.task))
}

// CompareID orders jobs by their ids as users see them.
func CompareID(a, b *Job) int { return a.Place().Compare(b.Place()) }

// IsPending reports whether the job waits, with nothing of it left on a node.
func (j *Job) IsPending() bool { return j.State.Base() == slurm.JobPending && !j.IsCompleting() }

// CPUs returns how many CPUs the job has, or asks for as long as it has none.
func (j *Job) CPUs() int {
	if len(j.Alloc) == 0 || j.IsPending() {
		return j.WantedCPUs()
	}
	n := 0
	for _, a := range j.Alloc {
		n += a.CPUs
	}
	return n
}

// WantedCPUs is how many CPUs a job that waits is said to want. Slurm does not count
// what --mincpus and --cpus-per-gpu make of it, and of a range of nodes without a
// number of tasks only the CPUs of one task.
func (j *Job) WantedCPUs() int {
	n, o := &j.Need, j.Spec
	one := max(1, n.CPUsPerTask)
	switch {
	case n.OverCommit:
		return n.CPUs
	case o.MinNodes > 0 && o.MaxNodes > o.MinNodes && !o.Given["ntasks"] && n.TasksPerNode == 0 && o.NTasksPerGPU == 0 && n.Tasks == n.MinNodes:
		return one
	case o.CPUsPerGPU > 0 || o.MinCPUs > 0:
		return max(n.Tasks*one, n.MinNodes)
	}
	return n.CPUs
}

// HeldNodes returns the nodes the job runs or ran on; while it completes, those
// that are not free yet.
func (j *Job) HeldNodes() []sched.NodeName {
	switch {
	case j.IsPending():
		return nil
	case j.IsCompleting() && len(j.Completing) > 0:
		return j.Completing
	}
	return j.Nodes()
}

// NodeCount returns the number of those nodes, or how many the job asks for at
// least as long as it has none.
func (j *Job) NodeCount() int {
	if n := len(j.HeldNodes()); n > 0 {
		return n
	}
	return j.wantedNodes()
}

// wantedNodes is how many nodes a job that waits is said to want: what it asked
// for, and no fewer than its tasks fill when each has a node's CPUs to itself
// for as many as go on one, or, once it was looked at, than have its GPUs. A job that
// asks for a number of tasks of several CPUs each counts a node more for what does
// not fill one, as Slurm has it.
func (j *Job) wantedNodes() int {
	least := max(1, j.Need.MinNodes)
	if !j.IsPending() {
		return least
	}
	if r := j.Reason; j.nodeGPUs > 0 && (r == slurm.ReasonResources || r == slurm.ReasonPriority) {
		gpus := j.Need.GresPerJob.Total("gpu") + j.Need.GresPerTask.Total("gpu")*int64(max(j.Need.Tasks, 1))
		least = max(least, (int(gpus)+j.nodeGPUs-1)/j.nodeGPUs)
	}
	switch per := j.Need.TasksPerNode; {
	case per > 0 && j.Spec.NTasks > 0:
		return max(j.Spec.MinNodes, j.Spec.NTasks/per, 1) // the last node, where it is not full, is not counted
	case j.nodeCPUs == 0 || per > 0:
		return least
	}
	if j.Need.CPUsPerTask > 1 && j.Spec.Given["ntasks"] {
		onOne := max(j.nodeCPUs/j.Need.CPUsPerTask, 1)
		n := max(least, j.Need.Tasks/onOne)
		if j.Need.Tasks%onOne > 0 {
			n++
		}
		return n
	}
	return max(least, (j.Need.Tasks+j.nodeCPUs-1)/j.nodeCPUs)
}

// MostNodes returns the most nodes the job takes; what it is said to want when it
// named no bound.
func (j *Job) MostNodes() int {
	if most := j.boundNodes(); most > 0 {
		return most
	}
	return j.wantedNodes()
}

// boundNodes is the most nodes the job named, or that its GPUs in all and on a node
// make; 0 for none.
func (j *Job) boundNodes() int {
	if len(j.Spec.GPUs) > 0 && (len(j.Spec.GPUsPerNode) > 0 || j.Spec.Gres.Total("gpu") > 0) {
		return j.Need.MaxNodes
	}
	return j.Spec.MaxNodes
}

// NodesAsked prints the number of nodes the job has; of one that waits and named
// a bound, the least and the most.
func (j *Job) NodesAsked() string {
	if most := j.boundNodes(); j.IsPending() && most > 0 {
		return strconv.Itoa(min(j.NodeCount(), most)) + "-" + strconv.Itoa(most)
	}
	return strconv.Itoa(j.NodeCount())
}

// CoresAsked and ThreadsAsked are how many cores a socket and threads a core must have,
// by the options or by what --hint comes to; 0: as many as there are.
func (j *Job) CoresAsked() int {
	if strings.Contains(j.Spec.Hint, "memory_bound") {
		return max(j.Spec.CoresPerSocket, 1)
	}
	return j.Spec.CoresPerSocket
}

// ThreadsAsked is described with CoresAsked.
func (j *Job) ThreadsAsked() int {
	for _, hint := range []string{"nomultithread", "compute_bound", "memory_bound"} {
		if strings.Contains(j.Spec.Hint, hint) {
			return max(j.Spec.ThreadsPerCore, 1)
		}
	}
	return j.Spec.ThreadsPerCore
}

// NodeText prints the nodes in ranges, nothing for none.
func (j *Job) NodeText() string { return CompressNodes(j.HeldNodes()) }

// BatchHost returns the node the batch script runs on, "" for none.
func (j *Job) BatchHost() string {
	if len(j.Alloc) == 0 || j.IsPending() {
		return ""
	}
	return string(j.Alloc[0].Node)
}

// PartitionText prints the partition the job runs in, or all it may start in.
func (j *Job) PartitionText() string {
	switch {
	case j.Shown != "":
		return string(j.Shown)
	case j.IsPending() && len(j.Partitions) > 1:
		names := make([]string, len(j.Partitions))
		for i, p := range j.Partitions {
			names[i] = string(p)
		}
		return strings.Join(names, ",")
	}
	return string(j.Partition)
}

// InPartition reports whether the job runs in one of these partitions or may
// start in one.
func (j *Job) InPartition(names []string) bool {
	if j.Shown != "" {
		return slices.Contains(names, string(j.Shown))
	}
	if j.IsPending() && len(j.Partitions) > 1 {
		return slices.ContainsFunc(j.Partitions, func(p sched.PartitionName) bool { return slices.Contains(names, string(p)) })
	}
	return slices.Contains(names, string(j.Partition))
}

// AddReason puts another reason behind what the row shows, unless it is there.
func (j *Job) AddReason(reason string) {
	if list := Words(j.ReasonText()); !slices.Contains(list, reason) {
		j.reasons = strings.Join(append(list, reason), ",")
	}
}

// ReasonText prints why the job waits or ended.
func (j *Job) ReasonText() string {
	if j.reasons != "" {
		return j.reasons
	}
	if j.Job.ReasonText != "" {
		return j.Job.ReasonText
	}
	return j.Reason.String()
}

// NodesOrReason prints where the job is, or in parentheses why it is nowhere.
func (j *Job) NodesOrReason() string {
	base := j.State.Base()
	if j.IsPending() || !j.IsCompleting() && (base == slurm.JobTimeout || base == slurm.JobOutOfMemory || base == slurm.JobDeadline || base == slurm.JobFailed) {
		return "(" + j.ReasonText() + ")"
	}
	return j.NodeText()
}

// StartAt returns when the job started or is expected to; zero: not known. Of a
// job that ended before it started, Slurm says that it started when it ended.
func (j *Job) StartAt(now time.Time) time.Time {
	switch {
	case j.HasEnded() && j.Start.IsZero():
		return j.End
	case !j.IsPending():
		return j.Start
	case !j.Expected.IsZero():
		return j.Expected
	case j.Begin.After(now):
		return j.Begin
	}
	return time.Time{}
}

// EndAt returns when the job ended or will at the latest; zero: not known, or
// never.
func (j *Job) EndAt(now time.Time) time.Time {
	switch {
	case j.HasEnded():
		return j.End
	case !j.IsPending() && !j.End.IsZero():
		return j.End
	case j.TimeLimit == slurm.Unlimited:
		return time.Time{}
	}
	start := j.StartAt(now)
	if start.IsZero() {
		return start
	}
	return start.Add(time.Duration(j.TimeLimit) * time.Second)
}

// Endless reports whether the job runs without a limit.
func (j *Job) Endless() bool {
	return j.TimeLimit == slurm.Unlimited && !j.HasEnded() && !j.IsPending()
}

// TimeUsed returns how long the job has been running, without the time it was
// suspended.
func (j *Job) TimeUsed(now time.Time) slurm.Duration {
	if j.IsPending() || j.Start.IsZero() {
		return 0
	}
	until := now
	switch {
	case j.HasEnded():
		return Seconds(max(0, wholeSeconds(j.Start, j.End)-j.SuspendedFor))
	case j.IsSuspended():
		until = j.Suspended
	}
	return Seconds(max(0, until.Sub(j.Start)-j.SuspendedFor))
}

// wholeSeconds is the time between two times as they are shown, to the second: so long
// is what has ended said to have run, here and in sacct.
func wholeSeconds(from, to time.Time) time.Duration {
	return time.Duration(to.Unix()-from.Unix()) * time.Second
}

// TimeLeft prints what is left of the job's time limit.
func (j *Job) TimeLeft(now time.Time) string {
	switch {
	case j.TimeLimit == slurm.Unlimited:
		return slurm.Unlimited.Short()
	case j.TimeLimit == 0:
		return "NOT_SET"
	}
	return (j.TimeLimit - j.TimeUsed(now)).Short()
}

// Limit prints the job's time limit.
func (j *Job) Limit() string {
	if j.TimeLimit == 0 {
		return "NOT_SET"
	}
	return j.TimeLimit.Short()
}

// Command prints the script with its arguments, "" when there is none. One that was named
// from the directory it lay in, or the one above, is named so.
func (j *Job) Command() string {
	if j.ScriptName == "" {
		return ""
	}
	path := j.ScriptName
	if !filepath.IsAbs(path) && !strings.HasPrefix(path, "./") && !strings.HasPrefix(path, "../") {
		path = filepath.Join(j.WorkDir, path)
	}
	return strings.Join(append([]string{path}, j.ScriptArgs...), " ")
}

// Dependency prints what the job still waits for, (null) for nothing. Whether
// another job of the same name runs is asked when the job could start: as long
// as something else keeps it from that, its singleton is open. Of a job that
// was submitted to be held nothing has been asked yet.
func (j *Job) Dependency() string {
	if len(j.Deps) == 0 {
		return Null
	}
	d := slurm.Dependencies{Any: j.DepsAny, Terms: make([]slurm.DependTerm, len(j.Deps))}
	held := j.IsPending() && j.HeldBy != sched.HeldByNobody
	asleep := held && j.Spec.Hold
	for i, dep := range j.Deps {
		if j.DepsAny && dep.State == sched.DependFulfilled && !asleep {
			return Null // one is enough
		}
		d.Terms[i] = dep.DependTerm
		held = held || j.IsPending() && dep.State != sched.DependFulfilled
	}
	return d.Display(func(t slurm.DependTerm) slurm.DependShow {
		i := slices.IndexFunc(j.Deps, func(dep sched.Depend) bool { return dep.DependTerm == t })
		switch {
		case i < 0:
			return slurm.DependHidden
		case asleep, t.Type == slurm.DependSingleton && held:
			return slurm.DependUnfulfilled
		case j.Deps[i].State == sched.DependFulfilled:
			return slurm.DependHidden
		case j.Deps[i].State == sched.DependFailed:
			return slurm.DependFailed
		}
		return slurm.DependUnfulfilled
	})
}

// TaskCount is the number of tasks the job asked for, and where it named none and has its nodes, one
// for each of them.
func (j *Job) TaskCount() int {
	n := max(1, j.Need.Tasks)
	if !j.IsPending() && j.Need.TasksPerNode > 0 {
		n = max(n, j.Need.TasksPerNode*len(j.Alloc))
	}
	if !j.IsPending() && !j.Spec.Given["ntasks"] && j.Need.TasksPerNode == 0 && j.Spec.NTasksPerGPU == 0 {
		n = max(n, len(j.Alloc))
	}
	return n
}

// TaskText is TaskCount as scontrol has it: of a job that was cancelled before it began,
// and did not say, it is not known any more.
func (j *Job) TaskText() string {
	if j.HasEnded() && len(j.Alloc) == 0 && !j.Spec.Given["ntasks"] && j.Need.TasksPerNode == 0 {
		return NA
	}
	return strconv.Itoa(j.TaskCount())
}

// Aging is since when the job's age counts; zero while it does not.
func (j *Job) Aging(now time.Time) time.Time {
	if j.IsPending() && (j.Begin.After(now) || j.HeldBy != sched.HeldByNobody || j.Reason == slurm.ReasonDependency) {
		return time.Time{}
	}
	return j.AgeSince()
}

// PriorityShown is the job's priority; while it is suspended it has none.
func (j *Job) PriorityShown() uint32 {
	if j.IsSuspended() {
		return 0
	}
	return j.Priority
}

// Sharing prints whether the job's nodes may be shared: NO, USER, MCS, TOPO, YES
// or OK.
func (j *Job) Sharing() string {
	switch {
	case j.Spec.Exclusive == "user" || j.Spec.Exclusive == "mcs" || j.Spec.Exclusive == "topo":
		return strings.ToUpper(j.Spec.Exclusive)
	case j.Need.Exclusive:
		return "NO"
	case j.Need.Share:
		return "YES"
	}
	return "OK"
}

// MinMemory prints the memory asked for, and whether it is for each CPU.
func (v *View) MinMemory(j *Job) (text string, perCPU bool) {
	switch {
	case j.Need.MemPerCPU > 0:
		return v.MB(j.Need.MemPerCPU), true
	case j.Need.MemPerNode > 0 && !j.Need.MemAllOfNode:
		return v.MB(j.Need.MemPerNode), false
	}
	return "0", false
}

// MinCPUs returns the least number of CPUs the job needs on a node.
func (j *Job) MinCPUs() int {
	return max(1, j.Need.MinCPUsNode, max(1, j.Need.CPUsPerTask)*max(1, j.Spec.NTasksPerNode))
}

// GresPerNode, GresPerJob, GresPerTask and GresPerSocket print the generic
// resources asked for, "" for none.
func (j *Job) GresPerNode() string {
	return append(slices.Clip(j.Spec.GPUsPerNode), j.Spec.Gres...).Display()
}

// GresPerJob is described at GresPerNode.
func (j *Job) GresPerJob() string { return j.Spec.GPUs.Display() }

// GresPerSocket is described at GresPerNode.
func (j *Job) GresPerSocket() string { return j.Spec.GPUsPerSocket.Display() }

// GresPerTask is described at GresPerNode.
func (j *Job) GresPerTask() string {
	if text := j.Spec.GPUsPerTask.Display(); text != "" || j.Spec.TRESPerTask == "" {
		return text
	}
	return j.Spec.TRESPerTask
}

// PriorityFraction prints a priority as a part of the highest there is.
func PriorityFraction(p uint32) string {
	return strconv.FormatFloat(float64(p)/(1<<32-1), 'f', 14, 64)
}

// HetSet prints the ids of all components of a heterogeneous job.
func (v *View) HetSet(j *Job) string {
	ids := slices.Clone(v.HetIDs[j.HetID])
	if len(ids) == 0 {
		ids = []slurm.JobID{j.ID}
	}
	indexes := make([]uint32, len(ids))
	for i, id := range ids {
		indexes[i] = uint32(id)
	}
	return slurm.NewIndexSet(indexes...).String()
}
