package sacct

import (
	"slices"
	"strconv"
	"time"

	"github.com/runink/rink/api"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// record is one incarnation of a job with its steps, the batch script first.
type record struct {
	job      *show.Job
	steps    []*sched.Step
	cluster  string
	requeued bool
	index    uint64
	billing  int64 // as it was charged; 0: to be worked out
	spec     *rinkpb.JobOptions
	qos      uint32 // the number of its QOS; 0: there is none of that name now
}

// row is a line: a job, or one of its steps.
type row struct {
	*record
	step *sched.Step // nil: the job itself
}

// newRecord reads a record as the controller sent it, with its steps or without. before
// is the one before it, or nil: what both were asked for with is read once.
func newRecord(p *rinkpb.Record, steps bool, before *record) (*record, error) {
	spec := p.Job.GetSpec()
	same := before != nil && spec != nil && before.spec == spec
	if same {
		p.Job.Spec = nil
	}
	j, err := api.JobFromProto(p.Job)
	if err != nil {
		return nil, err
	}
	if same {
		j.Spec = before.job.Spec
	}
	r := &record{job: show.NewJob(j), cluster: p.Cluster, requeued: p.Requeued, index: p.Index, billing: p.Billing, spec: spec}
	if !steps {
		return r, nil
	}
	batch := api.UsageFromProto(p.Batch)
	// The script is the first component's alone.
	if j.Batch && !j.Start.IsZero() && len(j.Alloc) > 0 && (j.HetID == 0 || j.HetOffset == 0) {
		r.steps = append(r.steps, batchStep(j, batch, p.Batch != nil))
	}
	if j.Extern && !j.Start.IsZero() && len(j.Alloc) > 0 {
		r.steps = append(r.steps, sched.ExternStep(j))
	}
	for _, sp := range p.Steps {
		s, err := api.StepFromProto(sp)
		if err != nil {
			return nil, err
		}
		at := slices.IndexFunc(r.steps, func(one *sched.Step) bool { return one.ID == s.ID })
		switch {
		case s.ID == slurm.StepBatch:
		case s.ID == slurm.StepExtern && at >= 0:
			r.steps[at].Usage = s.Usage // of sessions that were taken in
		default:
			r.steps = append(r.steps, s)
		}
	}
	return r, nil
}

// created is the second in which accounting first hears of such a record: when a
// job is submitted, and when it is sent back.
func (r *record) created() int64 { return r.job.RecordedFrom().Unix() }

// batchStep is the batch script as a step of its own, with what became of it.
func batchStep(j *sched.Job, usage sched.Usage, hasUsage bool) *sched.Step {
	s := show.BatchStep(j)
	if hasUsage {
		s.Usage = usage
	}
	if !j.BatchDone && !j.HasEnded() {
		return s
	}
	s.End = j.End
	base := j.State.Base()
	switch {
	case j.State.Has(slurm.JobResizing):
		s.State = j.State
	case !j.BatchDone:
		s.State = slurm.JobCancelled
		if base == slurm.JobCompleted || base == slurm.JobOutOfMemory {
			s.State = base
		}
		if s.State == slurm.JobCancelled && base != slurm.JobNodeFail {
			// It was cut off, and its node has yet to say so.
			s.ExitCode = sched.ExitCode{Signal: 15}
		}
	case base == slurm.JobOutOfMemory:
		s.State = base
	case j.BatchExit.Signal != 0:
		s.State = slurm.JobCancelled
	case j.BatchExit != sched.ExitCode{}:
		s.State = slurm.JobFailed
	default:
		s.State = slurm.JobCompleted
	}
	return s
}

// isJob reports whether the row is the job itself.
func (r *row) isJob() bool { return r.step == nil }

// id prints the row's id, the job's as users see it or plainly.
func (r *row) id(v *show.View, raw bool) string {
	id := r.job.ID.String()
	if !raw {
		id = v.ID(r.job)
	}
	if r.step != nil {
		id += "." + r.step.ID.String()
	}
	return id
}

// name is the job's or the step's name.
func (r *row) name() string {
	if r.step != nil {
		return r.step.Name
	}
	return r.job.Name
}

// state prints the row's state: who cancelled a job stands behind it.
func (r *row) state() string {
	if r.job.State.Has(slurm.JobResizing) {
		return slurm.JobState(slurm.JobResizing).String()
	}
	if r.step != nil {
		if base := r.step.State.Base(); base == slurm.JobCancelled && r.step.KilledBy != 0 {
			return base.String() + " by " + strconv.FormatUint(uint64(r.step.KilledBy-1), 10)
		}
		return r.step.State.Base().String()
	}
	base := r.job.State.Base()
	switch {
	case r.requeued && (base == slurm.JobCancelled || base == slurm.JobFailed || base == slurm.JobCompleted):
		return "REQUEUED"
	case base == slurm.JobCancelled && r.job.KilledBy != sched.KilledByNobody:
		return base.String() + " by " + strconv.FormatUint(uint64(r.job.KilledBy), 10)
	}
	return base.String()
}

// exitText prints how the row ended: of a step that went with its node nobody can say.
func exitText(_ *view, r *row) string {
	exit := r.exitCode()
	if r.step != nil && r.step.State.Base() == slurm.JobCancelled && r.job.State.Base() == slurm.JobNodeFail && exit == (sched.ExitCode{}) {
		return ""
	}
	if exit.Code >= 128 {
		exit.Code -= 128 // which a shell adds to a signal, and sacct takes away from every code
	}
	return show.ExitCode(exit)
}

// exitCode is how the row ended. A job that the controller ended has none of its
// own: accounting noted its end before its processes were gone.
func (r *row) exitCode() sched.ExitCode {
	if r.step != nil {
		return r.step.ExitCode
	}
	switch r.job.State.Base() {
	case slurm.JobCancelled, slurm.JobTimeout, slurm.JobPreempted, slurm.JobNodeFail, slurm.JobDeadline:
		return sched.ExitCode{}
	}
	return r.job.ExitCode
}

// span is when the row began and ended, clipped to a window when there is one;
// zero: not yet, or never.
func (r *row) span(o *options) (start, end time.Time) {
	start, end = r.job.Start, r.job.End
	if !r.job.HasEnded() {
		end = time.Time{}
	}
	if r.step != nil {
		start, end = r.step.Start, r.step.End
	} else if r.job.IsPending() {
		start = time.Time{}
	}
	if o.truncate {
		if !start.IsZero() && start.Before(o.start) {
			start = o.start
		}
		if end.IsZero() && !start.IsZero() || end.After(o.end) {
			end = o.cut
		}
	}
	return start, end
}

// elapsed is how long the row ran or has been running, in whole seconds of the
// clock, without the time it was suspended.
func (r *row) elapsed(v *view) slurm.Duration {
	start, end := r.span(v.o)
	if start.IsZero() {
		return 0
	}
	if end.IsZero() {
		end = v.Now
	}
	return max(0, slurm.Duration(end.Unix()-start.Unix())-r.suspended(v))
}

// suspended is how long the row was suspended.
func (r *row) suspended(v *view) slurm.Duration {
	d := r.job.SuspendedFor
	if r.job.IsSuspended() {
		d += max(0, v.Now.Sub(r.job.Suspended))
	}
	return show.Seconds(d)
}

// planned is how long the job waited for its resources.
func (r *row) planned(v *view) slurm.Duration {
	if r.job.Eligible.IsZero() {
		return 0
	}
	until := r.job.Start
	if until.IsZero() {
		until = v.Now
		if r.job.HasEnded() {
			until = r.job.End
		}
	}
	return max(0, slurm.Duration(until.Unix()-r.job.Eligible.Unix()))
}

// allocCPUs is what the row has or had of CPUs.
func (r *row) allocCPUs() int {
	if r.step != nil {
		n := 0
		for _, node := range r.step.Nodes {
			n += node.CPUs
		}
		return n
	}
	n := 0
	for _, a := range r.job.Alloc {
		n += a.CPUs
	}
	return n
}

// nodes are the nodes of the row.
func (r *row) nodes() []sched.NodeName {
	if r.step == nil {
		return r.job.Nodes()
	}
	names := make([]sched.NodeName, len(r.step.Nodes))
	for i, n := range r.step.Nodes {
		names[i] = n.Node
	}
	return names
}

// held is what the row holds or held, as accounting counts it.
func (r *row) held(v *view) slurm.TRES {
	if r.step != nil {
		return (&show.Step{Step: r.step, Job: r.job}).Held()
	}
	t := v.Allocated(r.job)
	if r.billing > 0 && len(t) > 0 {
		t = t.With("billing", r.billing)
	}
	return t
}

// cpuTime is what the row used of CPU time; a job's is that of its steps.
func (r *row) cpuTime() (user, system time.Duration) {
	if r.step != nil {
		return r.step.Usage.UserCPU, r.step.Usage.SystemCPU
	}
	for _, s := range r.steps {
		user += s.Usage.UserCPU
		system += s.Usage.SystemCPU
	}
	return user, system
}

// usage is what a step that has ended used, nil for a job and while the step
// runs.
func (r *row) usage() *show.StepUse {
	if r.step == nil || !r.step.State.Ended() || r.step.Usage == (sched.Usage{}) {
		return nil
	}
	return show.UseOf(r.step)
}

// limit is the job's time limit; one that never started and did not ask for any
// was not given its partition's, 0.
func (r *row) limit() slurm.Duration {
	if r.job.Start.IsZero() && r.job.Spec.TimeLimit == 0 {
		return 0
	}
	return r.job.TimeLimit
}

// cpus is what the row holds or held of CPUs, or asks for while it waits and
// asked for when it never started.
func (r *row) cpus() int {
	if n := r.allocCPUs(); n > 0 || r.step != nil || !r.job.Start.IsZero() {
		return n
	}
	return max(1, r.job.Need.CPUs)
}

// tasks is the number of the step's tasks, at least one.
func (r *row) tasks() int64 { return int64(max(1, r.step.Tasks)) }

// seconds is a span of time in seconds and microseconds.
func seconds(d time.Duration) show.Object {
	return show.Object{{Key: "seconds", Value: int64(d / time.Second)}, {Key: "microseconds", Value: int64(d % time.Second / time.Microsecond)}}
}

// waited prints how long the job waited, for so many CPUs; of one that was
// cancelled before it could have started there is no such time.
func (r *row) waited(v *view, cpus int) string {
	if j := r.job; j.Start.IsZero() && j.HasEnded() && !j.Eligible.IsZero() && j.End.Unix() < j.Eligible.Unix() {
		return "INVALID"
	}
	return (r.planned(v) * slurm.Duration(cpus)).String()
}
