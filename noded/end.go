package noded

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/noded/launcher"
	"github.com/runink/rink/slice"
)

// endJob ends what a job has here: TERM first and KILL after killWait, or KILL
// at once when now, which is for one that never began.
func (a *Agent) endJob(j *job, killWait time.Duration, now bool, words string) {
	j.mu.Lock()
	again := j.ending
	if j.going && !now { // it has been told, and has its time
		j.mu.Unlock()
		a.maybeFinish(j)
		return
	}
	j.ending, j.killWait, j.endNow, j.going = true, killWait, now, !now
	left := j.left
	ids := make([]string, 0, len(j.slices))
	var told []*running
	for id, r := range j.slices {
		if !again && !now {
			told = append(told, r)
		}
		ids = append(ids, id)
	}
	for id := range j.asides {
		ids = append(ids, id)
	}
	j.mu.Unlock()
	if !again {
		order := &rinkpb.EndJobHere{Job: j.key.job, Restarts: j.key.restarts, KillWait: int64(killWait / time.Second), Now: now, Left: left}
		if err := a.spool.put(j.key, "ending", order); err != nil {
			a.log.Error("cannot keep that a job is ending", "job", j.key.job, "error", err)
		}
	}
	gone := func() {
		j.mu.Lock()
		j.going = false
		j.mu.Unlock()
	}
	if len(ids) == 0 {
		gone()
		a.maybeFinish(j)
		return
	}
	slices.Sort(ids) // the steps, and then the script
	a.wg.Go(func() {
		defer gone()
		for _, r := range told {
			r.lastWord(a, j, killWait, words)
		}
		a.endSlices(ids, max(killWait, leastKillWait), now)
	})
}

// leastKillWait is what a job has between TERM and KILL when KillWait is less,
// as in Slurm.
const leastKillWait = 5 * time.Second

// failedWords is the reason of who goes because the job's script failed.
const failedWords = "(non-zero exit code or other failure mode)"

// endWords is what Slurm writes of who is to end.
func (a *Agent) endWords(what, why string) string {
	how := "CANCELLED AT " + time.Now().Format("2006-01-02T15:04:05")
	switch {
	case why == failedWords:
		how = "FAILED " + why
	case why != "":
		how += " " + why
	}
	return fmt.Sprintf("slurmstepd: error: *** %s ON %s %s ***", what, a.conf.Node, how)
}

// endSlices ends slices and returns when the launcher was told to kill those
// that would not go, or when the agent stops: the leader, and the spool, tell
// the next one to go on.
func (a *Agent) endSlices(ids []string, killWait time.Duration, now bool) {
	ctx, cancel := context.WithTimeout(a.work, killWait+30*time.Second)
	defer cancel()
	box := a.launcher()
	if !now {
		for _, id := range slices.Backward(ids) { // the script and its sruns first, while they have steps to tell of
			if _, _, batch, ok := parseSliceID(id); ok && batch {
				// The sruns of a script that goes at once tell how their tasks end.
				box.Spare(ctx, id) // a launcher of before knows nothing of it, and kills them
			}
			for _, sig := range []syscall.Signal{syscall.SIGCONT, syscall.SIGTERM} {
				if err := box.Signal(ctx, id, slice.TargetAll, sig); err != nil && ctx.Err() == nil &&
					!errors.Is(err, launcher.ErrNotFound) && !errors.Is(err, launcher.ErrBusy) {
					a.log.Warn("cannot signal a slice", "slice", id, "signal", sig, "error", err)
				}
			}
		}
		deadline := time.NewTimer(killWait)
		defer deadline.Stop()
		poll := time.NewTicker(50 * time.Millisecond)
		defer poll.Stop()
	waiting:
		for {
			select {
			case <-deadline.C:
				break waiting
			case <-a.stopped:
				return
			case <-poll.C:
				if !a.anyLive(ids) {
					return
				}
			}
		}
	}
	for _, id := range ids {
		if err := box.Kill(ctx, id); err != nil && ctx.Err() == nil && !errors.Is(err, launcher.ErrNotFound) {
			a.log.Warn("cannot kill a slice", "slice", id, "error", err)
		}
		a.expectEnd(id)
	}
}

func (a *Agent) anyLive(ids []string) bool {
	for _, id := range ids {
		k, _, _, ok := parseSliceID(id)
		if !ok {
			continue
		}
		if j := a.find(k); j != nil {
			j.mu.Lock()
			live := j.slices[id] != nil
			j.mu.Unlock()
			if live {
				return true
			}
		}
	}
	return false
}

// endHere carries out an order to end a job or one of its steps. A job that is
// not here is reported gone at once.
func (a *Agent) endHere(o *rinkpb.EndJobHere) {
	k := jobKey{o.Job, o.Restarts}
	j := a.find(k)
	killWait := time.Duration(o.KillWait) * time.Second
	if o.HasStep {
		if j == nil {
			return
		}
		id := stepSliceID(k, o.Step)
		j.mu.Lock()
		r := j.slices[id]
		again := r != nil && r.endedByUs
		if r != nil {
			r.endedByUs = true
		}
		j.mu.Unlock()
		if r != nil {
			overTime := o.Reason != "" // it has had its time, and gets that of a job to end
			switch {
			case r.io == nil || again:
			case overTime:
				r.io.terminated(o.Reason)
			default:
				r.io.cancelled(time.Duration(j.here.KillWait)*time.Second, o.Reason)
			}
			// A step that is cancelled, other than a job, is given no time: so does Slurm.
			ids := append([]string{id}, j.asidesOf(id)...)
			switch {
			case !overTime:
				a.wg.Go(func() { a.endSlices(ids, 0, true) })
			case !again:
				a.wg.Go(func() { a.endSlices(ids, killWait, false) })
			}
		}
		return
	}
	if j == nil {
		if a.epilogAlone(k, o) {
			return
		}
		a.mu.Lock()
		a.past.add(k)
		a.mu.Unlock()
		a.report(&rinkpb.Report{Report: &rinkpb.Report_NodeDone{NodeDone: &rinkpb.NodeDone{Job: o.Job, Restarts: o.Restarts}}})
		return
	}
	j.mu.Lock()
	j.endEnv = o.HookEnv
	j.mu.Unlock()
	if o.Left {
		a.leave(j)
	}
	a.endJob(j, killWait, o.Now, o.Reason)
}

// asidesOf are the slices of hooks that run beside one.
func (j *job) asidesOf(id string) (ids []string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for aside := range j.asides {
		if strings.HasPrefix(aside, id+".") {
			ids = append(ids, aside)
		}
	}
	return ids
}

// lastWord says why a slice is being ended where its owner will look for it:
// in the batch job's error file, or on the standard error of a step's srun. A
// file system that hangs is not waited for.
func (r *running) lastWord(a *Agent, j *job, killWait time.Duration, why string) {
	if r.io != nil {
		r.io.cancelled(killWait, why)
	}
	j.mu.Lock()
	note, again := r.note, r.worded
	r.worded = true
	j.mu.Unlock()
	if note == "" || again {
		return
	}
	text := a.endWords(fmt.Sprintf("JOB %d", j.key.job), why) + "\n"
	written := make(chan error, 1)
	go func() { written <- a.appendAs(j.here, note, text) }() // ends when the file system answers
	select {
	case err := <-written:
		if err != nil {
			a.log.Debug("cannot leave a last word", "file", note, "error", err)
		}
	case <-time.After(time.Second):
		a.log.Warn("cannot leave a last word: the file system does not answer", "file", note)
	}
}

// notePath is the file that a task's errors go to; "": none.
func notePath(t slice.Task) string {
	s := t.Stderr
	if s.Kind == slice.StreamStdout {
		s = t.Stdout
	}
	if s.Kind != slice.StreamFile {
		return ""
	}
	if filepath.IsAbs(s.Path) {
		return s.Path
	}
	return filepath.Join(t.Dir, s.Path)
}

// signal carries out an order to signal a job or one of its steps.
func (a *Agent) signal(ctx context.Context, o *rinkpb.SignalJob) {
	k := jobKey{o.Job, o.Restarts}
	j := a.find(k)
	if j == nil {
		return
	}
	j.mu.Lock()
	var ids []string
	batchTarget := slice.TargetTasks
	for id, r := range j.slices {
		switch {
		case o.HasStep && !r.batch && r.step != nil && r.step.Step == o.Step,
			o.Batch && r.batch,
			o.Full && r.batch,
			!o.HasStep && !o.Full && !o.Batch && !r.batch:
			ids = append(ids, id)
		}
	}
	j.mu.Unlock()
	for _, id := range ids {
		j.mu.Lock()
		r := j.slices[id]
		j.mu.Unlock()
		if r != nil && r.io != nil && o.Signal == int32(syscall.SIGTERM) {
			r.io.terminated("")
		}
	}
	for _, id := range ids {
		target := slice.TargetTaskGroups
		if o.Full {
			target = slice.TargetAll
		} else if id == batchID(k) {
			target = batchTarget
		}
		if o.HasStep && o.Signal == int32(syscall.SIGKILL) { // nothing of it is to be left, as when it is ended
			target = slice.TargetAll
			for _, aside := range j.asidesOf(id) {
				a.wg.Go(func() { a.endSlices([]string{aside}, 0, true) })
			}
		}
		early := earlySignal{syscall.Signal(o.Signal), target}
		j.mu.Lock()
		r := j.slices[id]
		j.mu.Unlock()
		if r != nil && r.batch && (o.Signal == int32(syscall.SIGTERM) || o.Signal == int32(syscall.SIGKILL)) {
			a.wg.Go(func() { // the file may be on a file system that hangs
				r.lastWord(a, j, 0, "")
				a.signalSlice(ctx, j, id, early)
			})
			continue
		}
		a.signalSlice(ctx, j, id, early)
	}
}

// signalSlice signals a slice, or keeps the signal for one that is still being
// started: whoever sends it knows of the slice, and does not send it again.
func (a *Agent) signalSlice(ctx context.Context, j *job, id string, e earlySignal) {
	j.mu.Lock()
	if r := j.slices[id]; r != nil && !r.up {
		if len(r.early) < maxEarly {
			r.early = append(r.early, e)
		}
		j.mu.Unlock()
		return
	}
	j.mu.Unlock()
	if err := a.launcher().Signal(ctx, id, e.target, e.sig); err != nil && !errors.Is(err, launcher.ErrNotFound) {
		a.log.Warn("cannot signal a slice", "slice", id, "signal", e.sig, "error", err)
	}
}

// suspend stops or continues everything a job has here. What is to stop is asked
// to first (TSTP), and stopped a moment later, unless it goes on again before.
func (a *Agent) suspend(ctx context.Context, o *rinkpb.SuspendJob) {
	j := a.find(jobKey{o.Job, o.Restarts})
	if j == nil {
		return
	}
	j.mu.Lock()
	j.pauses++
	pause := j.pauses
	j.mu.Unlock()
	grace := time.Duration(o.Grace) * time.Millisecond
	switch {
	case o.Resume:
		a.signalAll(ctx, j, syscall.SIGCONT)
	case grace <= 0:
		a.signalAll(ctx, j, syscall.SIGSTOP)
	default:
		a.signalAll(ctx, j, syscall.SIGTSTP)
		time.AfterFunc(grace, func() { // once; does nothing when the job has gone on since
			j.mu.Lock()
			current := j.pauses == pause
			j.mu.Unlock()
			if current && ctx.Err() == nil {
				a.signalAll(ctx, j, syscall.SIGSTOP)
			}
		})
	}
}

// signalAll signals every process of every slice a job has here.
func (a *Agent) signalAll(ctx context.Context, j *job, sig syscall.Signal) {
	j.mu.Lock()
	var ids []string
	for id := range j.slices {
		ids = append(ids, id)
	}
	j.mu.Unlock()
	for _, id := range ids {
		if err := a.launcher().Signal(ctx, id, slice.TargetAll, sig); err != nil && !errors.Is(err, launcher.ErrNotFound) {
			a.log.Warn("cannot suspend or resume a slice", "slice", id, "error", err)
		}
	}
}

// leave notes that what j has here is no longer its own: what is sent here in its place
// does not start until it is gone.
func (a *Agent) leave(j *job) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.left {
		j.left = true
		a.leaving.Add(1)
	}
}

// leaverPoll is how often it is looked whether who is on the way out is gone.
const leaverPoll = 5 * time.Millisecond

// afterLeavers waits, before a slice of a job starts, until no other job is on its way out
// with its place given away, or the slice is not to be any more. It returns false when
// the agent stops.
func (a *Agent) afterLeavers(ctx context.Context, here *job, id string) bool {
	for a.leavers(here) && !a.unwanted(here, id) {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(leaverPoll):
		}
	}
	return true
}

// leavers reports whether a job other than here is on its way out with its place given
// away.
func (a *Agent) leavers(here *job) bool {
	if a.leaving.Load() == 0 {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, j := range a.jobs {
		j.mu.Lock()
		left := j.left && j != here
		j.mu.Unlock()
		if left {
			return true
		}
	}
	return false
}
