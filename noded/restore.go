package noded

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/noded/launcher"
	"github.com/runink/rink/slice"
)

// restore takes up again what was here before this agent: jobs in the spool,
// and slices the launcher still has or whose end nobody has taken.
func (a *Agent) restore(ctx context.Context) error {
	list := a.spool.list()
	states, err := a.launcher().List(ctx)
	if err != nil {
		return fmt.Errorf("cannot ask the launcher what runs: %w", err)
	}
	known := make(map[string]launcher.State, len(states))
	for _, s := range states {
		known[s.ID] = s
	}
	about, steps := a.reports.about(), a.reports.stepsAbout()
	for k := range about {
		if _, ok := list[k]; !ok {
			a.mu.Lock()
			a.past.add(k) // it is over, and the leader does not know yet
			a.mu.Unlock()
		}
	}
	for id, s := range known {
		if _, _, _, ok := parseSliceID(id); !ok && s.Live && !strings.HasSuffix(id, mpsEnd) && !strings.HasSuffix(id, adoptEnd) && !strings.HasSuffix(id, pmixEnd) {
			if err := a.launcher().Kill(ctx, id); err != nil { // a task prolog's: it is run again
				a.log.Warn("cannot kill a slice", "slice", id, "error", err)
			}
		}
	}
	for k, kept := range list {
		if err := a.restoreJob(ctx, k, kept, known, about[k], steps[k]); err != nil {
			// Should the leader hold it for running here, it sends the orders again;
			// what does run is found by them.
			a.log.Error("cannot take up a job", "job", k.job, "error", err)
			a.spool.drop(k, "")
		}
	}
	a.sweepPMIx(ctx, states)
	if err := a.spool.sweepOutput(a.ioBook.has); err != nil {
		a.log.Warn("cannot remove output that was kept for an srun", "error", err)
	}
	a.sweepShelf()
	return nil
}

// restoreJob takes up one job. reported says that its end is among the reports
// that are still kept, done which of its steps' ends are.
func (a *Agent) restoreJob(ctx context.Context, k jobKey, kept []uint32, known map[string]launcher.State, reported bool, done []uint32) error {
	here, launch := &rinkpb.JobHere{}, &rinkpb.LaunchJob{}
	end, batch := &rinkpb.EndJobHere{}, &rinkpb.JobDone{}
	if ok, err := a.spool.get(k, "job", here); err != nil || !ok {
		if err == nil {
			err = fmt.Errorf("its order was cut off half written")
		}
		return err
	}
	launched, err := a.spool.get(k, "launch", launch)
	if err != nil {
		return err
	}
	ending, err := a.spool.get(k, "ending", end)
	if err != nil {
		return err
	}
	over, err := a.spool.get(k, "done", batch)
	if err != nil {
		return err
	}
	prologed := a.spool.has(k, "prologed")
	if !launched && len(kept) == 0 && !prologed && !ending {
		return fmt.Errorf("nothing of it is here")
	}
	j := newJob(k, here)
	if over {
		j.batch, ending = batch, true
	}
	j.ending, j.begun = ending || reported, launched
	for _, n := range done {
		j.stepsDone[n] = true
	}
	id := batchID(k)
	_, live := known[id]
	if prologed || live {
		j.prologed = make(chan struct{})
		close(j.prologed)
	}
	start := false
	if launched && !over {
		r := &running{id: id, batch: true, up: true}
		var task slice.Task
		task.Dir = here.WorkDir
		a.batchStreams(j, launch, &task)
		r.note = notePath(task)
		// A slice that was never started is started now.
		start = !live && !j.ending
		if live || start {
			j.slices[id] = r
		}
		if live {
			a.metered(j, id, nil)
		}
		if live && len(a.epilogsOf(nil)) > 0 {
			if r.spec, err = a.batchSpec(j, launch); err == nil {
				err = a.intoContainer(j, id, r.spec, launch.Container, r.spec.Tasks[0].Argv[0], launch.Chdir)
			}
			if err != nil {
				r.spec = nil
				a.log.Warn("the task epilog of a job cannot run", "job", k.job, "error", err)
			}
		}
	}
	for _, n := range kept {
		step, id := &rinkpb.LaunchStep{}, stepSliceID(k, n)
		_, there := known[id]
		ok, err := a.spool.get(k, fmt.Sprintf("step.%d", n), step)
		if err != nil {
			a.log.Error("cannot take up a step", "slice", id, "error", err)
		}
		if !ok || !there {
			// The leader sends the order again if the step did not start.
			a.spool.drop(k, fmt.Sprintf("step.%d", n))
			continue
		}
		r := &running{id: id, step: step, up: true}
		r.io = newTaskIO(a, j, step)
		j.slices[id] = r
		a.metered(j, id, step)
		a.takeUpPMIx(r.io.pmix, known[id+pmixEnd].Live)
		if err := a.openDisplay(j, step, r.io); err != nil {
			a.log.Warn("the tasks of a step have no display any more", "slice", id, "error", err)
		}
		r.io.attach(ctx)
		if len(a.epilogsOf(step)) > 0 {
			if r.spec, _, err = a.stepSpec(j, step); err == nil {
				err = a.intoContainer(j, id, r.spec, step.Container, "", step.Chdir)
			}
			if err != nil {
				r.spec = nil
				a.log.Warn("the task epilog of a step cannot run", "slice", id, "error", err)
			}
		}
	}
	if known[mpsID(k)].Live {
		a.takeUpMPS(j)
	}
	if s, there := known[adoptID(k)]; there {
		a.takeUpAdopter(ctx, j, s)
	}
	a.confine.takeUp(k, here)
	a.mu.Lock()
	a.jobs[k] = j
	a.mu.Unlock()
	if end.Left {
		a.leave(j)
	}
	for id := range j.slices {
		if s := known[id]; s.Live && len(s.PIDs) > 0 && !slices.ContainsFunc(s.PIDs, func(pid int) bool { return pid != 0 }) {
			a.expectEnd(id) // its tasks had ended before this agent came
		}
	}
	switch {
	case start:
		a.wg.Go(func() { a.startBatch(a.work, j, launch) })
	case j.ending:
		killWait := end.KillWait
		if killWait == 0 {
			killWait = here.KillWait // it was not noted yet that the script's end is the job's
		}
		a.endJob(j, time.Duration(killWait)*time.Second, end.Now, "")
	}
	return nil
}
