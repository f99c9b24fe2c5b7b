package sched

import (
	"errors"
	"fmt"
	"time"

	"github.com/runink/rink/slurm"
)

// SimJob is a job of a workload to be replayed. Times are in seconds.
type SimJob struct {
	Submit int64
	Run    int64 // how long it really runs; it is ended at its limit
	Limit  int64 // how long it may run; slurm.Unlimited for however long
	Procs  int   // CPUs, on any nodes
	User   string
	UID    uint32
	Name   string

	// What follows counts only when requests are resolved.
	Partition PartitionName // "": the default one
	Account   string
	QOS       string
	MemPerCPU slurm.MB // 0: the partition's default
}

// SimRun is when a replayed job ran, in seconds; Start and End are -1 of one that
// never started.
type SimRun struct{ Start, End int64 }

// Simulation replays workloads in virtual time on empty nodes, with the same
// Scheduler that a controller has. At each second at which anything happens
// first all ends count, then all submissions, then there is one plan, and what it
// starts runs at once.
type Simulation struct {
	Config *Config
	Nodes  []*Node
	// Full has every plan look at every job. Otherwise plans are as full as the
	// controller makes them, where that can make a difference.
	Full bool
	// Resolve has each job taken in as a submission is: defaults are filled in, and
	// what the configuration does not allow is refused. Otherwise jobs ask for
	// nothing but CPUs of the default partition.
	Resolve bool
}

// SimResult is what became of a workload.
type SimResult struct {
	Runs []SimRun // by job
	// Refused are the errors of the jobs that were not taken in, by job.
	Refused map[int]error
	// Paused is how many seconds of their runs jobs were suspended, by job.
	Paused  map[int]int64
	GaveWay SimGaveWay
}

// Simulate replays jobs, which are in order of their submission. Jobs that never
// start are left at -1.
func Simulate(config *Config, nodes []*Node, jobs []SimJob, full bool) ([]SimRun, error) {
	r, err := Simulation{Config: config, Nodes: nodes, Full: full}.Run(jobs)
	return r.Runs, err
}

// Run replays jobs, which are in order of their submission.
func (s Simulation) Run(jobs []SimJob) (SimResult, error) {
	r, err := newReplay(s, jobs)
	if err != nil {
		return SimResult{}, err
	}
	for r.advance() {
		r.endJobs()
		r.submitJobs()
		r.reprioritise()
		r.plan()
	}
	return SimResult{Runs: r.runs, Refused: r.refused, Paused: r.paused, GaveWay: r.gaveWay}, nil
}

// replay is a simulation on its way.
type replay struct {
	Simulation
	live    *Scheduler
	jobs    []SimJob
	runs    []SimRun
	refused map[int]error

	records []*Job // by job; nil before its submission and after its end
	next    int    // the next job to be submitted
	ends    simEnds
	end     []int64 // when each running job ends; what else is in ends is of the past
	now     int64
	at      time.Time // the same
	due     time.Time // when time alone changes the plan
	idle    int       // plans in a row that had nothing to wait for but themselves

	spec       *slurm.JobOptions
	partitions []PartitionName
	all        Totals

	// Priorities that grow with age are worked out anew every so often.
	period  int64
	last    int64
	waiting []int // jobs that wait, and some that started since

	// Jobs that give way to others.
	cut     map[int]PreemptMode // what becomes of those that do at their end
	left    map[int]int64       // seconds that suspended ones still have to run
	paused  map[int]int64
	gaveWay SimGaveWay

	paced bool // full plans come at the controller's pace
}

func newReplay(s Simulation, jobs []SimJob) (*replay, error) {
	p := s.Config.Partition(s.Config.Default)
	if p == nil && !s.Resolve {
		return nil, fmt.Errorf("cannot simulate: no partition is the default: %w", slurm.ErrnoInvalidPartition)
	}
	for i := range jobs {
		switch w := &jobs[i]; {
		case i > 0 && w.Submit < jobs[i-1].Submit:
			return nil, errors.New("cannot simulate jobs that are not in order of their submission")
		case w.Submit < 0 || w.Submit > endOfTime || w.Run < 0 || w.Run > endOfTime:
			return nil, fmt.Errorf("cannot simulate job %d of the workload, submitted at second %d and running for %d seconds: times end at %d", i+1, w.Submit, w.Run, endOfTime)
		}
	}
	r := &replay{Simulation: s, jobs: jobs, runs: make([]SimRun, len(jobs)), records: make([]*Job, len(jobs)),
		end: make([]int64, len(jobs)), cut: map[int]PreemptMode{}, left: map[int]int64{}, paused: map[int]int64{},
		live: NewScheduler(View{Config: s.Config, Nodes: s.Nodes, LicensesAll: s.Config.Licenses}),
		spec: &slurm.JobOptions{}, all: TotalsOf(s.Nodes)}
	for i := range r.runs {
		r.runs[i] = SimRun{-1, -1}
	}
	if p != nil {
		r.partitions = []PartitionName{p.Name}
	}
	t := r.live.t
	r.paced = !s.Full && !t.fifo && t.policy.promises > 0 && !t.policy.keepsPromises
	if multifactor(s.Config) {
		if r.period = 5 * 60; conf(s.Config).PriorityCalcPeriod > 0 && conf(s.Config).PriorityCalcPeriod != slurm.Unlimited {
			r.period = int64(conf(s.Config).PriorityCalcPeriod)
		}
	}
	return r, nil
}

// endOfTime is the last second that is counted, in 2106; a limit as long is none.
const endOfTime = 1<<32 - 1

// maxIdle bounds how many plans are made one after the other when nothing runs, no
// job is yet to come and none starts: those that wait then wait for ever.
const maxIdle = 100

// advance moves on to the next second at which anything happens. It reports
// whether there is one.
func (r *replay) advance() bool {
	now, any := int64(1<<63-1), false
	if r.next < len(r.jobs) {
		now, any = r.jobs[r.next].Submit, true
	}
	for len(r.ends) > 0 && r.end[r.ends[0].i] != r.ends[0].at {
		r.ends.pop()
	}
	if len(r.ends) > 0 {
		now, any = min(now, r.ends[0].at), true
	}
	if any {
		r.idle = 0
	} else if r.idle++; r.idle > maxIdle {
		return false
	}
	if !r.due.IsZero() {
		// A plan is made at whole seconds.
		at := r.due.Unix()
		if r.due.Nanosecond() > 0 {
			at++
		}
		now, any = min(now, at), true
	}
	r.now, r.at = now, time.Unix(now, 0).UTC()
	return any
}

// endJobs ends the jobs whose time has come.
func (r *replay) endJobs() {
	for len(r.ends) > 0 && r.ends[0].at == r.now {
		if e := r.ends.pop(); r.end[e.i] == e.at {
			r.endJob(e.i)
		}
	}
}

// endJob ends a job, or sends it back into the queue when it gave way to another.
func (r *replay) endJob(i int) {
	j := r.records[i]
	mode, cut := r.cut[i]
	r.end[i] = notRunning
	if cut {
		delete(r.cut, i)
		if mode == PreemptRequeue && j.Requeue {
			r.requeue(i)
			return
		}
		r.gaveWay.Ended++
	}
	was := *j
	j.State, j.End = slurm.JobCompleted, r.at
	r.live.Job(&was, j)
	r.records[i] = nil
}

// notRunning is when a job ends that does not run.
const notRunning = -1

// endsAt has a job end at a second.
func (r *replay) endsAt(i int, at int64) {
	r.runs[i].End, r.end[i] = at, at
	r.ends.push(simEnd{at, i})
}

// submitJobs submits the jobs whose time has come.
func (r *replay) submitJobs() {
	for ; r.next < len(r.jobs) && r.jobs[r.next].Submit == r.now; r.next++ {
		i := r.next
		j, err := r.record(&r.jobs[i])
		if err != nil {
			if r.refused == nil {
				r.refused = make(map[int]error)
			}
			r.refused[i] = err
			continue
		}
		j.ID, j.LastSched = slurm.JobID(i+1), r.at
		j.Priority = Priority(j, r.Config, r.all, Standing{}, r.at)
		r.records[i] = j
		if r.period > 0 {
			r.waiting = append(r.waiting, i)
		}
		r.live.Job(nil, j)
	}
}

// record makes the record of a job that is submitted now.
func (r *replay) record(w *SimJob) (*Job, error) {
	if !r.Resolve {
		return &Job{Spec: r.spec, UID: w.UID, User: w.User, Name: w.Name, Partitions: r.partitions, Partition: r.partitions[0],
			TimeLimit: slurm.Duration(w.Limit), State: slurm.JobPending, Submit: r.at, Eligible: r.at,
			Need: Need{MinNodes: 1, MaxNodes: AnyNodes, Tasks: w.Procs, CPUs: w.Procs, CPUsPerTask: 1, MinCPUsNode: 1}}, nil
	}
	o := &slurm.JobOptions{Given: map[string]bool{"ntasks": true, "time": true}, Name: w.Name, NTasks: w.Procs, TimeLimit: slurm.Duration(w.Limit),
		Account: w.Account, QOS: w.QOS}
	if w.Partition != "" {
		o.Partitions = []string{string(w.Partition)}
	}
	if w.MemPerCPU > 0 {
		o.MemPerCPU, o.Given["mem-per-cpu"] = w.MemPerCPU, true
	}
	j, _, err := Resolve(Request{Options: o, UID: w.UID, User: w.User, Batch: true}, r.Config, r.Nodes, r.at)
	if err != nil {
		return nil, err
	}
	// Limits are the log's, to the second.
	j.TimeLimit = slurm.Duration(w.Limit)
	return j, nil
}

// reprioritise works the priorities of the waiting jobs out as of the last time
// that the controller would have.
func (r *replay) reprioritise() {
	if r.period == 0 || r.now/r.period == r.last {
		return
	}
	r.last = r.now / r.period
	at := time.Unix(r.last*r.period, 0).UTC()
	kept := r.waiting[:0]
	for _, i := range r.waiting {
		j := r.records[i]
		if j == nil || !j.IsPending() {
			continue
		}
		kept = append(kept, i)
		if p := Priority(j, r.Config, r.all, Standing{}, at); p != j.Priority {
			was := *j
			j.Priority = p
			r.live.Job(&was, j)
		}
	}
	r.waiting = kept
}

// plan makes a plan and starts what it says.
func (r *replay) plan() {
	var plan Plan
	if r.paced {
		plan, _ = r.live.Paced(r.at)
	} else {
		plan = r.live.Plan(r.at, r.Full)
	}
	r.due = plan.Next
	for i := range plan.Starts {
		start := &plan.Starts[i]
		k := int(start.Job) - 1
		j := r.records[k]
		was := *j
		j.State, j.Alloc, j.Start, j.Partition = slurm.JobRunning, start.Alloc, r.at, start.Partition
		run := r.jobs[k].Run
		if limit := r.jobs[k].Limit; limit < endOfTime {
			j.End = r.at.Add(time.Duration(limit) * time.Second)
			run = min(run, limit+r.grace(start.Partition))
		}
		r.live.Job(&was, j)
		r.runs[k].Start = r.now
		r.endsAt(k, r.now+run)
	}
	for i := range plan.Preempts {
		r.giveWay(&plan.Preempts[i])
	}
	for i := range plan.Resumes {
		r.resume(&plan.Resumes[i])
	}
	if len(plan.Preempts)+len(plan.Resumes) > 0 {
		// The next plan gives away what this one had others leave.
		if soon := r.at.Add(time.Second); r.due.IsZero() || r.due.After(soon) {
			r.due = soon
		}
	}
}

// grace is how long a job may go on beyond its limit (OverTimeLimit).
func (r *replay) grace(name PartitionName) int64 {
	if p := r.Config.Partition(name); p != nil && p.OverTimeLimit > 0 {
		return int64(p.OverTimeLimit)
	}
	return int64(conf(r.Config).OverTimeLimit)
}

// simEnd is a job that ends.
type simEnd struct {
	at int64
	i  int
}

func (e simEnd) before(o simEnd) bool { return e.at < o.at || e.at == o.at && e.i < o.i }

// simEnds is a heap of ends, the first first.
type simEnds []simEnd

func (h *simEnds) push(e simEnd) {
	l := append(*h, e)
	for i := len(l) - 1; i > 0; {
		up := (i - 1) / 2
		if !l[i].before(l[up]) {
			break
		}
		l[i], l[up] = l[up], l[i]
		i = up
	}
	*h = l
}

func (h *simEnds) pop() simEnd {
	l := *h
	e, last := l[0], len(l)-1
	l[0] = l[last]
	l = l[:last]
	for i := 0; ; {
		m := i
		for k := 2*i + 1; k <= 2*i+2 && k < last; k++ {
			if l[k].before(l[m]) {
				m = k
			}
		}
		if m == i {
			break
		}
		l[i], l[m] = l[m], l[i]
		i = m
	}
	*h = l
	return e
}
