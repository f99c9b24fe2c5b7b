package noded

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/noded/launcher"
	"github.com/runink/rink/slice"
)

// jobKey names one incarnation of a job.
type jobKey struct{ job, restarts uint32 }

// job is what runs of one incarnation here. Its slices are the batch script
// and the steps.
type job struct {
	key  jobKey
	here *rinkpb.JobHere

	mu        sync.Mutex    // guards all below
	prologed  chan struct{} // closed when the prolog ran; nil before it was begun
	prologErr error
	slices    map[string]*running // by slice id, those not ended
	ending    bool                // told to end, or the batch script did
	killWait  time.Duration       // when ending: how long after TERM comes KILL
	endNow    bool                // when ending: KILL at once
	left      bool                // the node is no longer its own, and may be another's by now
	going     bool                // it was told to go, and has its time
	finished  bool
	pauses    uint64          // how often it was told to stop or go on
	mps       *mpsDaemon      // nil: it has none
	adopter   *adopter        // nil: no session was taken in
	asides    map[string]bool // task prologs and epilogs that run, by slice id
	begun     bool            // the batch script was begun: once is all there is of an incarnation
	stepsDone map[uint32]bool // steps that have ended here
	batch     *rinkpb.JobDone // how the batch script ended here
	gpuOver   bool            // it was ended for what it held of a GPU's memory
	derived   uint32          // the highest exit code of its steps here
	endEnv    []string        // how it ended, as the leader told the epilog
}

// running is one slice of a job.
type running struct {
	id        string
	batch     bool
	step      *rinkpb.LaunchStep // nil for the batch script
	io        *taskIO            // streams carried to srun; nil for the batch script
	note      string             // path of the file a last word on the job's end goes to
	worded    bool               // it was written
	held      *contained         // what its container needs
	spec      *slice.Spec        // as started by this agent, for the task epilogs
	endedByUs bool               // it is to end, also when it is only being started
	up        bool               // this agent has started it
	early     []earlySignal      // what came before it was up, to be sent then
	ends      map[int]slice.TaskExit
	overdue   *time.Timer // nil: its end is not expected yet
	oomTold   uint64      // kills for want of memory that ends of tasks were told with; of who is told of these
	oomSaid   bool        // its owner has been told
}

// letGo lets go of what was only needed for a slice that is not to be.
func (r *running) letGo() {
	if r != nil {
		r.held.close()
	}
}

// earlySignal is a signal for a slice that was still being started.
type earlySignal struct {
	sig    syscall.Signal
	target slice.Target
}

// maxEarly bounds the signals kept for a slice that is being started.
const maxEarly = 64

func batchID(k jobKey) string { return fmt.Sprintf("%d.%d.batch", k.job, k.restarts) }

func stepSliceID(k jobKey, step uint32) string {
	return fmt.Sprintf("%d.%d.%d", k.job, k.restarts, step)
}

// enter returns the job's entry, made when there is none; nil when the
// incarnation is finished here, or a later one was here already.
func (a *Agent) enter(here *rinkpb.JobHere) *job {
	k := jobKey{here.Job, here.Restarts}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.past.has(k) || a.past.has(jobKey{k.job, k.restarts + 1}) {
		return nil
	}
	for other := range a.jobs {
		if other.job == k.job && other.restarts > k.restarts && a.jobs[k] == nil {
			return nil
		}
	}
	j := a.jobs[k]
	if j == nil {
		a.drawUID(here)
		a.confine.choose(k, here)
		j = newJob(k, here)
		a.jobs[k] = j
	}
	return j
}

// noted returns an order for the job with what this agent has noted of it, which
// is kept with the first that came.
func (j *job) noted(here *rinkpb.JobHere) *rinkpb.JobHere {
	here.InsideUid, here.CpuSet = j.here.InsideUid, j.here.CpuSet
	return here
}

func newJob(k jobKey, here *rinkpb.JobHere) *job {
	return &job{key: k, here: here, slices: map[string]*running{}, stepsDone: map[uint32]bool{}, asides: map[string]bool{}}
}

func (a *Agent) find(k jobKey) *job {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.jobs[k]
}

// launchJob starts a batch script, once however often it is told to.
func (a *Agent) launchJob(ctx context.Context, order *rinkpb.LaunchJob) {
	j := a.enter(order.Here)
	if j == nil {
		return
	}
	id := batchID(j.key)
	j.mu.Lock()
	if j.begun || j.ending {
		// Also when the script has ended, and the rest does not know yet.
		j.mu.Unlock()
		return
	}
	j.begun = true
	j.slices[id] = &running{id: id, batch: true}
	j.mu.Unlock()
	// The job's own file comes last: with it the order counts as taken.
	err := a.spool.put(j.key, "launch", order)
	if err == nil {
		err = a.spool.put(j.key, "job", j.noted(order.Here))
	}
	if err != nil {
		a.launchFailed(j, id, nil, "spool", err, true)
		return
	}
	a.wg.Go(func() { a.startBatch(ctx, j, order) })
}

// startBatch runs the hooks of a job's start, in order: prolog, the slice.
func (a *Agent) startBatch(ctx context.Context, j *job, order *rinkpb.LaunchJob) {
	id := batchID(j.key)
	if err := a.prolog(ctx, j); err != nil {
		if ctx.Err() != nil {
			return // the agent stops
		}
		a.launchFailed(j, id, nil, "prolog", err, true)
		return
	}
	if err := a.readyMPS(ctx, j); err != nil {
		if ctx.Err() == nil {
			a.launchFailed(j, id, nil, "mps", err, true)
		}
		return
	}
	spec, err := a.batchSpec(j, order)
	if err != nil {
		a.launchFailed(j, id, nil, "setup", err, false)
		return
	}
	if len(spec.Tasks) > 0 {
		j.mu.Lock()
		if r := j.slices[id]; r != nil {
			r.note = notePath(spec.Tasks[0])
		}
		j.mu.Unlock()
	}
	if err := a.intoContainer(j, id, spec, order.Container, spec.Tasks[0].Argv[0], order.Chdir); err != nil {
		a.launchFailed(j, id, nil, "container", err, false)
		return
	}
	a.startSlice(ctx, j, id, nil, spec)
}

// startSlice has the launcher start a slice and deals with what may go wrong.
// A file or directory of the user's that cannot be had is the job's failure;
// a cgroup or namespace that cannot be set up is the node's, and the job goes
// back to the queue. It says whether the slice was started.
func (a *Agent) startSlice(ctx context.Context, j *job, id string, step *rinkpb.LaunchStep, spec *slice.Spec) bool {
	if list := a.prologsOf(step); len(list) > 0 {
		if err := a.prologsFor(ctx, j, id, spec, list); err != nil {
			if ctx.Err() == nil {
				a.launchFailed(j, id, step, "task prolog", err, false)
			}
			return false
		}
	}
	if !a.afterLeavers(ctx, j, id) {
		return false // the agent stops
	}
	if a.unwanted(j, id) {
		a.neverStarted(j, id, step)
		return false
	}
	j.mu.Lock()
	r := j.slices[id]
	if r != nil {
		r.spec = spec
	}
	j.mu.Unlock()
	files := a.logFiles(j, r, spec)
	err := whileTextBusy(ctx, func() error {
		_, _, err := a.launcher().Launch(ctx, spec)
		return err
	})
	if err == nil {
		a.logSources(files)
		a.metered(j, id, step)
		j.mu.Lock()
		unwanted, killWait, now := j.ending, j.killWait, j.endNow
		var early []earlySignal
		if r := j.slices[id]; r != nil {
			if r.endedByUs {
				unwanted, now = true, true
			}
			r.up, early, r.early = true, r.early, nil
		} else { // it took too long, and was given up
			unwanted, now = true, true
		}
		j.mu.Unlock()
		for _, e := range early {
			a.signalSlice(ctx, j, id, e)
		}
		if unwanted { // the order to end came while it started, and may have missed it
			a.wg.Go(func() { a.endSlices([]string{id}, killWait, now) })
		}
		return true
	}
	if ctx.Err() != nil {
		return false // the agent stops; its successor asks the launcher what became of it
	}
	var start *slice.StartError
	nodeFault := !errors.As(err, &start) && !errors.Is(err, slice.ErrInvalid)
	stage := "launch"
	if start != nil {
		stage = string(start.Stage)
		switch start.Stage {
		case slice.StageCgroup, slice.StageFork, slice.StageNamespace, slice.StageMount, slice.StageHostname, slice.StageNetwork, slice.StageConfine, slice.StageSetup:
			nodeFault = true
		}
	}
	if step == nil && start != nil && (start.Stage == slice.StageExec || isStream(start.Stage)) {
		a.scriptFailed(j, id, start)
		return false
	}
	if step != nil && start != nil && start.Task >= 0 {
		a.tasksFailed(j, id, step, start)
		return false
	}
	a.launchFailed(j, id, step, stage, err, nodeFault)
	return false
}

// prologsFor runs the task prologs of a slice. What they say goes to srun or,
// for a batch script, to the agent's log.
func (a *Agent) prologsFor(ctx context.Context, j *job, id string, spec *slice.Spec, list []string) error {
	j.mu.Lock()
	r := j.slices[id]
	j.mu.Unlock()
	say := func(int, string) {}
	words := func(text string) { a.log.Warn("a task prolog complains", "slice", id, "text", text) }
	if r != nil && r.io != nil {
		say = func(i int, text string) {
			r.io.queue(&rinkpb.StepDown{Output: &rinkpb.TaskOutput{Rank: r.step.Tasks[i].Rank, Stream: 1, Data: []byte(text)}})
		}
		words = func(text string) { r.io.queue(&rinkpb.StepDown{Messages: []string{text}}) }
	}
	own := ""
	if r != nil {
		own = r.step.GetTaskProlog()
	}
	return a.taskPrologs(ctx, j, spec, list, own, say, words)
}

// unwanted says that a slice was told to end, perhaps before it was there.
func (a *Agent) unwanted(j *job, id string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	r := j.slices[id]
	return j.ending || r == nil || r.endedByUs
}

// neverStarted lets go of a slice that was told to end before it was started.
func (a *Agent) neverStarted(j *job, id string, step *rinkpb.LaunchStep) {
	if step == nil {
		j.mu.Lock()
		r := j.slices[id]
		delete(j.slices, id)
		j.mu.Unlock()
		r.letGo()
		a.maybeFinish(j)
		return
	}
	a.stepOver(j, id, step, &rinkpb.ExitCode{Signal: uint32(syscall.SIGKILL)}, nil, "")
}

// tasksFailed ends a step of which no task could execute its program: the
// user's fault, and told as the tasks' ends.
func (a *Agent) tasksFailed(j *job, id string, step *rinkpb.LaunchStep, e *slice.StartError) {
	words := make([]string, len(step.Tasks)) // one a task
	for i := range words {
		words[i] = a.execWords(j, e, step.Cwd)
	}
	a.stepOver(j, id, step, neverRan(e), words, e.Error())
}

// stepOver ends a step that has no slice.
func (a *Agent) stepOver(j *job, id string, step *rinkpb.LaunchStep, code *rinkpb.ExitCode, words []string, why string) {
	done := &rinkpb.StepDone{
		Job: j.key.job, Restarts: j.key.restarts, Step: step.Step, At: time.Now().UnixNano(), Error: why, Usage: &rinkpb.Usage{Tasks: int32(len(step.Tasks))},
	}
	for _, t := range step.Tasks {
		done.Tasks = append(done.Tasks, &rinkpb.TaskExit{Rank: t.Rank, Exit: code})
	}
	j.mu.Lock()
	r := j.slices[id]
	j.stepsDone[step.Step] = true
	delete(j.slices, id)
	j.mu.Unlock()
	r.letGo()
	a.report(&rinkpb.Report{Report: &rinkpb.Report_StepDone{StepDone: done}})
	if r != nil && r.io != nil {
		for i, w := range words {
			r.io.queue(&rinkpb.StepDown{Messages: []string{w}, MessagesRank: step.Tasks[min(i, len(step.Tasks)-1)].Rank})
		}
		r.io.connect(nil)
		r.io.sliceEnded(done.Tasks)
	}
	a.spool.drop(j.key, fmt.Sprintf("step.%d", step.Step))
	a.maybeFinish(j)
}

// launchFailed reports a slice that did not start. The fault of the node sends
// the job back to the queue and the node out of service.
func (a *Agent) launchFailed(j *job, id string, step *rinkpb.LaunchStep, stage string, err error, nodeFault bool) {
	a.log.Warn("cannot start", "job", j.key.job, "slice", id, "stage", stage, "error", err)
	j.mu.Lock()
	r := j.slices[id]
	if step != nil {
		j.stepsDone[step.Step] = true
	}
	delete(j.slices, id)
	j.mu.Unlock()
	r.letGo()
	if step != nil {
		if r != nil && r.io != nil {
			if stage == "prolog" {
				err = errors.New("Job prolog failed") // the rest is for the log
			}
			r.io.failed(err)
		}
		a.spool.drop(j.key, fmt.Sprintf("step.%d", step.Step))
		a.report(&rinkpb.Report{Report: &rinkpb.Report_Failed{Failed: &rinkpb.LaunchFailed{
			Job: j.key.job, Restarts: j.key.restarts, IsStep: true, Step: step.Step, Stage: stage, Error: err.Error(), Drain: nodeFault,
		}}})
		a.maybeFinish(j)
		return
	}
	a.report(&rinkpb.Report{Report: &rinkpb.Report_Failed{Failed: &rinkpb.LaunchFailed{
		Job: j.key.job, Restarts: j.key.restarts, Stage: stage, Error: err.Error(), Drain: nodeFault, Requeue: nodeFault,
	}}})
	a.endJob(j, 0, true, "")
}

// report keeps a report until the leader has it. A disk that takes no more is
// said loudly; the report is sent all the same as long as the agent lives.
func (a *Agent) report(r *rinkpb.Report) {
	if err := a.reports.add(r); err != nil {
		a.log.Error("cannot keep a report", "error", err)
	}
}

// taskEnded passes on that one task of a step has ended.
func (a *Agent) taskEnded(ctx context.Context, id string, end slice.TaskEnd) {
	a.noteEnd(id, end)
	k, _, batch, ok := parseSliceID(id)
	if !ok || batch {
		return
	}
	j := a.find(k)
	if j == nil {
		return
	}
	j.mu.Lock()
	r := j.slices[id]
	j.mu.Unlock()
	if r == nil || r.io == nil || end.Task < 0 || end.Task >= len(r.step.Tasks) {
		return
	}
	told := &rinkpb.TaskExit{Rank: r.step.Tasks[end.Task].Rank, Exit: taskExitCode(end.Exit)}
	told.Oom = a.oomAtEnd(ctx, r, end.OOMKills, told.Exit.Signal == uint32(syscall.SIGKILL))
	if end.Exit.StartError != nil {
		r.io.queue(&rinkpb.StepDown{Messages: []string{a.execWords(j, end.Exit.StartError, r.step.Cwd)}, MessagesRank: told.Rank})
	} else {
		told.Core = end.Exit.Status.CoreDump()
	}
	r.io.taskEnded(end.Task, told)
}

// sliceEnded takes the end of a slice from the launcher. The report is on disk
// before the launcher is told to forget the slice.
func (a *Agent) sliceEnded(ctx context.Context, exit slice.Exit) {
	k, step, batch, ok := parseSliceID(exit.ID)
	if !ok {
		a.asideEnded(ctx, exit)
		return
	}
	j := a.find(k)
	if j == nil {
		a.launcher().Forget(ctx, exit.ID) // a finished job's
		return
	}
	j.mu.Lock()
	r := j.slices[exit.ID]
	var spec *slice.Spec
	if r != nil {
		spec, r.spec = r.spec, nil
	}
	told := r == nil && batch && j.batch != nil // one that was given up, or a former agent's
	j.mu.Unlock()
	if told {
		a.launcher().Forget(ctx, exit.ID)
		return
	}
	if spec != nil && !exit.Lost {
		if list := a.epilogsOf(r.step); len(list) > 0 {
			a.wg.Go(func() {
				if a.taskEpilogs(j, r, spec, list); a.work.Err() == nil {
					a.sliceEnded(a.work, exit)
				}
			})
			return
		}
	}
	if r != nil && r.io != nil && r.io.pmix != nil && !r.io.pmix.ended() {
		a.wg.Go(func() {
			if a.endPMIx(r.io.pmix); a.work.Err() == nil {
				a.sliceEnded(a.work, exit)
			}
		})
		return
	}
	if r != nil && exit.OOMKills > 0 && !r.oomSaid {
		r.oomSaid = true
		a.wg.Go(func() {
			if a.sayOOM(j, r, exit); a.work.Err() == nil {
				a.sliceEnded(a.work, exit)
			}
		})
		return
	}
	if r != nil && r.io != nil {
		// A step may be over before its streams were asked for; the launcher
		// has them until it forgets the slice.
		if r.io.attach(ctx); ctx.Err() != nil {
			return
		}
	}
	j.mu.Lock()
	oom := exit.OOMKills > 0 || j.gpuOver
	a.logEnded(exit.ID)
	if r != nil {
		defer r.held.close()
	}
	j.mu.Unlock()
	var ranks []*rinkpb.TaskHere
	if r != nil && r.step != nil {
		ranks = r.step.Tasks
	}
	usage := usageOf(exit, ranks)
	a.meter.end(exit.ID, usage)
	a.gear.clearClocks(exit.ID)
	j.mu.Lock()
	if r != nil && r.overdue != nil {
		r.overdue.Stop()
	}
	delete(j.slices, exit.ID)
	again := j.stepsDone[step] // a former agent reported it
	switch {
	case !batch:
		j.stepsDone[step] = true
	case !exit.Lost:
		// Before anybody hears of it: an order to end the job may come on that, find
		// nothing left here and report how the script ended.
		j.batch = &rinkpb.JobDone{
			Job: k.job, Restarts: k.restarts, Exit: exitCode(exit, 0), Oom: oom, Usage: usage, At: exit.Ended.UnixNano(), Error: startWords(exit),
		}
	}
	done := j.batch
	j.mu.Unlock()
	var ends []*rinkpb.TaskExit
	switch {
	case exit.Lost && batch:
		a.report(&rinkpb.Report{Report: &rinkpb.Report_Failed{Failed: &rinkpb.LaunchFailed{
			Job: k.job, Restarts: k.restarts, Stage: "launcher", Error: "the launcher of the node died with the job", Requeue: true,
		}}})
	case batch:
		a.report(&rinkpb.Report{Report: &rinkpb.Report_Done{Done: done}})
		// Without an order the job is over and forgotten meanwhile.
		if !a.spool.has(k, "job") {
			break
		}
		if err := a.spool.put(k, "done", done); err != nil {
			a.log.Error("cannot keep how a job ended", "job", k.job, "error", err)
		}
	default:
		done := &rinkpb.StepDone{Job: k.job, Restarts: k.restarts, Step: step, Usage: usage, At: exit.Ended.UnixNano(), Error: exit.Note}
		if r != nil && r.step != nil {
			for i, t := range r.step.Tasks {
				one := &rinkpb.TaskExit{Rank: t.Rank, Exit: exitCode(exit, i), Oom: oom}
				one.Core = i < len(exit.Tasks) && exit.Tasks[i].StartError == nil && exit.Tasks[i].Status.CoreDump()
				done.Tasks = append(done.Tasks, one)
			}
			usage.Tasks = int32(len(r.step.Tasks))
		} else {
			for i := range exit.Tasks {
				done.Tasks = append(done.Tasks, &rinkpb.TaskExit{Rank: -1, Exit: exitCode(exit, i), Oom: oom})
			}
		}
		if exit.Lost {
			done.Error = "the launcher of the node died with the step"
		}
		for _, t := range done.Tasks {
			j.mu.Lock()
			j.derived = max(j.derived, t.Exit.GetCode())
			j.mu.Unlock()
		}
		ends = done.Tasks
		if !again {
			a.report(&rinkpb.Report{Report: &rinkpb.Report_StepDone{StepDone: done}})
		}
	}
	forget := func() {
		if !batch {
			a.spool.drop(k, fmt.Sprintf("step.%d", step))
		}
		// One that was given up is there still, and is forgotten when its end comes.
		err := a.launcher().Forget(a.work, exit.ID)
		if err != nil && a.work.Err() == nil && !errors.Is(err, launcher.ErrNotFound) && !errors.Is(err, launcher.ErrBusy) {
			a.log.Warn("the launcher does not forget a slice", "slice", exit.ID, "error", err)
		}
	}
	if !batch && r != nil && r.io != nil {
		// The launcher has the pipes, for the next agent too, until srun has what
		// was written into them.
		r.io.sliceEnded(ends)
		r.io.whenOver(forget)
	} else {
		forget()
	}
	if batch {
		// The script's end is the job's: its steps are told to go.
		why := ""
		if done != nil && (done.Exit.GetCode() != 0 || done.Exit.GetSignal() != 0) {
			why = failedWords
		}
		a.endJob(j, time.Duration(j.here.KillWait)*time.Second, false, why)
		return
	}
	a.maybeFinish(j)
}

// maybeFinish cleans up after a job that is told to end and has nothing left
// here, and reports that the node is free of it.
func (a *Agent) maybeFinish(j *job) {
	j.mu.Lock()
	if !j.ending || len(j.slices) > 0 || j.finished {
		j.mu.Unlock()
		return
	}
	j.finished = true
	gone := &rinkpb.NodeDone{Job: j.key.job, Restarts: j.key.restarts}
	if j.batch != nil {
		gone.Batch, gone.Exit, gone.Usage, gone.Oom = true, j.batch.Exit, j.batch.Usage, j.batch.Oom
	}
	ran := j.prologed != nil
	j.mu.Unlock()
	a.wg.Go(func() {
		a.endAdopter(j)
		extern := &rinkpb.Usage{}
		if there, err := a.spool.get(j.key, "extern", extern); there && err == nil {
			gone.Extern = extern
		}
		a.endMPS(j)
		if ran {
			err := a.epilog(a.work, j)
			if a.work.Err() != nil {
				return // the agent stops; its successor runs it again
			}
			if err != nil {
				gone.Error = epilogWords
			}
		}
		a.confine.free(j.key) // before anybody may be sent in its place
		a.report(&rinkpb.Report{Report: &rinkpb.Report_NodeDone{NodeDone: gone}})
		a.forget(j.key)
	})
}

// forget drops a job from the spool and from memory.
func (a *Agent) forget(k jobKey) {
	a.dropTmp(k)
	if err := a.spool.drop(k, ""); err != nil {
		a.log.Warn("cannot remove a job's spool", "job", k.job, "error", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if j := a.jobs[k]; j != nil {
		j.mu.Lock()
		if j.left {
			j.left = false
			a.leaving.Add(-1)
		}
		j.mu.Unlock()
	}
	delete(a.jobs, k)
	a.past.add(k)
}

// lookForLost ends, in this agent's book, the slices a new launcher knows
// nothing of: they died with the old one.
func (a *Agent) lookForLost(ctx context.Context) {
	states, err := a.launcher().List(ctx)
	if err != nil {
		return
	}
	known := map[string]bool{}
	for _, s := range states {
		known[s.ID] = true
	}
	a.mu.Lock()
	var lost []string
	for _, j := range a.jobs {
		j.mu.Lock()
		for id := range j.slices {
			if !known[id] {
				lost = append(lost, id)
			}
		}
		j.mu.Unlock()
	}
	a.mu.Unlock()
	for _, id := range lost {
		a.sliceEnded(ctx, slice.Exit{ID: id, Lost: true, Ended: time.Now()})
	}
}

// held lists the jobs that are here or were until a report that is still kept.
func (a *Agent) held() []*rinkpb.HeldJob {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []*rinkpb.HeldJob
	about := a.reports.about()
	for k, j := range a.jobs {
		h := &rinkpb.HeldJob{Job: k.job, Restarts: k.restarts, Running: true}
		j.mu.Lock()
		for _, r := range j.slices {
			if r.step != nil {
				h.Steps = append(h.Steps, r.step.Step)
			}
		}
		j.mu.Unlock()
		out = append(out, h)
		delete(about, k)
	}
	for k := range about {
		out = append(out, &rinkpb.HeldJob{Job: k.job, Restarts: k.restarts})
	}
	return out
}
