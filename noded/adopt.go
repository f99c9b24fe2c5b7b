package noded

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/auth"
	"github.com/runink/rink/noded/launcher"
	"github.com/runink/rink/slice"
)

// Sessions that come from outside, as by ssh, are taken into a job of their user's
// here: into a slice of the job's that has a process of its own, which does nothing
// but be there. They have the job's limits, and end with it.

// adopter is that slice of a job here.
type adopter struct {
	ready chan struct{} // closed when it is up, or err says why it is not
	err   error
	task  int // its process
	ended chan slice.Exit

	dropping sync.Mutex // held while it is ended
}

const adoptEnd = ".extern" // ends the id of its slice

func adoptID(k jobKey) string { return fmt.Sprintf("%d.%d%s", k.job, k.restarts, adoptEnd) }

// adopt takes a process into the newest job of its user that runs here, for root.
func (a *Agent) adopt(down grpc.ServerStream, who auth.Identity) error {
	m := &raw{}
	if err := down.RecvMsg(m); err != nil {
		return err
	}
	req := &rinkpb.AdoptRequest{}
	if err := proto.Unmarshal(m.data, req); err != nil {
		return status.Errorf(codes.InvalidArgument, "cannot read the request: %v", err)
	}
	if who.UID != 0 {
		return status.Error(codes.PermissionDenied, "only root may have a session adopted")
	}
	if req.Pid <= 1 {
		return status.Errorf(codes.InvalidArgument, "%d is not the process of a session", req.Pid)
	}
	j := a.newestOf(req.Uid)
	if j == nil {
		return status.Errorf(codes.NotFound, "user %d has no job on node %s", req.Uid, a.conf.Node)
	}
	if err := a.adoptInto(down.Context(), j, int(req.Pid)); err != nil {
		a.log.Warn("cannot adopt a session", "job", j.key.job, "pid", req.Pid, "error", err)
		return status.Errorf(codes.Internal, "cannot adopt process %d into job %d: %v", req.Pid, j.key.job, err)
	}
	a.log.Info("a session is adopted", "job", j.key.job, "uid", req.Uid, "pid", req.Pid)
	data, err := proto.Marshal(&rinkpb.AdoptReply{Job: j.key.job})
	if err != nil {
		return status.Errorf(codes.Internal, "cannot write the answer: %v", err)
	}
	return down.SendMsg(&raw{data: data})
}

// newestOf is the newest job of a user here that is not ending; nil: there is none.
func (a *Agent) newestOf(uid uint32) *job {
	var newest *job
	for _, j := range a.live() {
		j.mu.Lock()
		fits := j.here.Uid == uid && !j.ending
		j.mu.Unlock()
		if fits && (newest == nil || j.key.job > newest.key.job) {
			newest = j
		}
	}
	return newest
}

// adoptInto takes a process into a job. Should the process of the job's slice for that
// be gone, as for want of memory, there is a new one.
func (a *Agent) adoptInto(ctx context.Context, j *job, pid int) error {
	for again := false; ; again = true {
		e, err := a.adopterOf(ctx, j)
		if err == nil {
			// In the job's group and no other: the process may be gone, and its id another's.
			err = slice.Accompany(pid, e.task, a.groupParent()+"/"+groupOfJob(j.key))
		}
		if err == nil || again || e == nil || !errors.Is(err, slice.ErrNotInGroup) {
			return err
		}
		a.dropAdopter(j, e)
	}
}

// adopterOf returns the slice for sessions of a job, which it starts for the first. One
// that is returned with an error has nothing in it.
func (a *Agent) adopterOf(ctx context.Context, j *job) (*adopter, error) {
	j.mu.Lock()
	e := j.adopter
	first := e == nil
	if first {
		if j.ending {
			j.mu.Unlock()
			return nil, errors.New("the job is ending")
		}
		e = &adopter{ready: make(chan struct{}), ended: make(chan slice.Exit, 1)}
		j.adopter = e
	}
	j.mu.Unlock()
	if first {
		e.err = a.startAdopter(ctx, j, e)
		close(e.ready)
		if e.err != nil {
			a.dropAdopter(j, e) // the next session tries again
			return nil, e.err
		}
	}
	select {
	case <-e.ready:
		return e, e.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// startAdopter starts the slice. It has no namespaces: who comes to it has those of
// the machine, and it is by its cgroup that all of it is ended. Its process is root's,
// as the user must not be able to end it and so come in beside the job.
func (a *Agent) startAdopter(ctx context.Context, j *job, e *adopter) error {
	id := adoptID(j.key)
	iso, err := isolationOf(j.here)
	if err != nil {
		return err
	}
	null := slice.Stream{Kind: slice.StreamNull}
	spec := &slice.Spec{ID: id, Tasks: []slice.Task{{
		Argv: []string{"/bin/sleep", "2147483647"}, Dir: "/", Stdin: null, Stdout: null, Stderr: null,
	}}}
	if spec.Cgroup, err = a.cgroupOf(j, iso, "step_extern"); err != nil {
		return err
	}
	if !spec.Cgroup.On {
		return errors.New("jobs have no cgroups on this node")
	}
	a.mu.Lock()
	a.asides[id] = e.ended
	a.mu.Unlock()
	if _, _, err := a.launcher().Launch(ctx, spec); err != nil {
		return err
	}
	return a.findAdopter(ctx, j, e)
}

// findAdopter asks the launcher for the slice's process.
func (a *Agent) findAdopter(ctx context.Context, j *job, e *adopter) error {
	states, err := a.launcher().List(ctx)
	if err != nil {
		return err
	}
	for _, s := range states {
		if s.ID == adoptID(j.key) && len(s.PIDs) > 0 && s.PIDs[0] > 0 {
			e.task = s.PIDs[0]
			return nil
		}
	}
	return errors.New("the slice for sessions has ended")
}

// takeUpAdopter takes up what a former agent started. If it has ended meanwhile, the
// next session, or the end of the job, finds it so.
func (a *Agent) takeUpAdopter(ctx context.Context, j *job, s launcher.State) {
	e := &adopter{ready: make(chan struct{}), ended: make(chan slice.Exit, 1)}
	if s.Live {
		e.err = a.findAdopter(ctx, j, e)
	}
	close(e.ready)
	j.adopter = e
	a.mu.Lock()
	a.asides[adoptID(j.key)] = e.ended
	a.mu.Unlock()
}

// endAdopter ends the sessions that a job has here, once nothing else of it is left.
func (a *Agent) endAdopter(j *job) {
	j.mu.Lock()
	e := j.adopter
	j.mu.Unlock()
	if e == nil {
		return
	}
	select {
	case <-e.ready: // or it starts behind our back
	case <-a.work.Done():
		return
	}
	a.dropAdopter(j, e)
}

// keepExtern adds what the sessions of a slice for them used to what those of former
// ones of the job did, also for the agent's successor.
func (a *Agent) keepExtern(j *job, exit slice.Exit) {
	all := &rinkpb.Usage{}
	if _, err := a.spool.get(j.key, "extern", all); err != nil {
		a.log.Warn("cannot read what the sessions of a job have used", "job", j.key.job, "error", err)
	}
	one := usageOf(exit, nil)
	noTasks(one)
	one.MaxRss = max(all.MaxRss, int64(exit.Usage.MaxRSS))
	one.TotalRss, one.MaxVmSize = one.MaxRss, max(all.MaxVmSize, one.MaxVmSize)
	one.UserCpu += all.UserCpu
	one.SystemCpu += all.SystemCpu
	one.PagesMajor += all.PagesMajor
	one.ReadBytes += all.ReadBytes
	one.WriteBytes += all.WriteBytes
	if err := a.spool.put(j.key, "extern", one); err != nil {
		a.log.Error("cannot keep what the sessions of a job have used", "job", j.key.job, "error", err)
	}
}

// noTasks takes out what is said of single tasks: the one there is does nothing.
func noTasks(u *rinkpb.Usage) {
	u.CpuMin, u.CpuMax, u.RssMin, u.PagesMin, u.PagesMax, u.ReadMin, u.ReadMax, u.WriteMin, u.WriteMax = nil, nil, nil, nil, nil, nil, nil, nil, nil
}

// dropAdopter ends a slice for sessions, with all that is in it, unless that was done.
func (a *Agent) dropAdopter(j *job, e *adopter) {
	e.dropping.Lock()
	defer e.dropping.Unlock()
	j.mu.Lock()
	current := j.adopter == e
	j.mu.Unlock()
	if !current {
		return
	}
	id := adoptID(j.key)
	defer func() {
		a.dropAside(id)
		j.mu.Lock()
		j.adopter = nil
		j.mu.Unlock()
	}()
	err := a.launcher().Kill(a.work, id)
	if err != nil && !errors.Is(err, launcher.ErrNotFound) && a.work.Err() == nil {
		a.log.Warn("cannot end the sessions of a job", "job", j.key.job, "error", err)
	}
	if err == nil {
		select {
		case exit := <-e.ended:
			a.keepExtern(j, exit)
		case <-time.After(endGrace):
		case <-a.work.Done():
			return
		}
	}
	if err := a.launcher().Forget(a.work, id); err != nil && a.work.Err() == nil && !errors.Is(err, launcher.ErrNotFound) {
		a.log.Warn("the launcher does not forget a slice", "slice", id, "error", err)
	}
}
