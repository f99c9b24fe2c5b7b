package noded

import (
	"context"
	"errors"
	"fmt"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/slice"
)

// joinRunning has the tasks of a step enter a slice of its job that runs here
// (rink exec): they are in its namespaces and its container, as its user, and in
// the job's cgroup under a group of their own.
func (a *Agent) joinRunning(ctx context.Context, j *job, id string, spec *slice.Spec, order *rinkpb.LaunchStep) error {
	target, err := j.toJoin(id, order.JoinStep)
	if err != nil {
		return err
	}
	states, err := a.launcher().List(ctx)
	if err != nil {
		return fmt.Errorf("cannot ask the launcher what runs: %w", err)
	}
	for _, s := range states {
		if s.ID != target.id || !s.Live || s.FirstPid == 0 {
			continue
		}
		// Who it is inside, and what it is kept from, is made anew as it was made
		// for the other one.
		bundle := ""
		if target.step != nil {
			bundle = target.step.Container
		} else {
			launch := &rinkpb.LaunchJob{}
			if _, err := a.spool.get(j.key, "launch", launch); err != nil {
				return err
			}
			bundle = launch.Container
		}
		if err := a.intoContainer(j, id, spec, bundle, "", false); err != nil {
			return err
		}
		spec.Join, spec.Root, spec.Hostname = s.FirstPid, nil, ""
		spec.PrivateTmp, spec.Shm, spec.Mounts, spec.ReadOnly, spec.HideProcs = "", 0, nil, false, false
		spec.Namespaces = slice.Namespaces{User: spec.Namespaces.User}
		return nil
	}
	return errors.New("what was to be joined has just ended")
}

// toJoin chooses the running slice to join: of a step, or the batch script's, or
// else the first step's.
func (j *job) toJoin(self string, step int32) (*running, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var found *running
	for id, r := range j.slices {
		switch {
		case id == self, r.step != nil && r.step.Join:
		case step >= 0:
			if r.step != nil && r.step.Step == uint32(step) {
				return r, nil
			}
		case r.batch:
			return r, nil
		case found == nil || r.step.Step < found.step.Step:
			found = r
		}
	}
	if found == nil || step >= 0 {
		if step >= 0 {
			return nil, fmt.Errorf("step %d.%d does not run on this node", j.key.job, step)
		}
		return nil, fmt.Errorf("nothing of job %d runs on this node", j.key.job)
	}
	return found, nil
}
