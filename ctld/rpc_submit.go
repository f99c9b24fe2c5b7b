package ctld

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/runink/rink/api"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/auth"
	"github.com/runink/rink/barn"
	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// controller serves the commands, on the Unix socket (local) and on the TLS
// port.
type controller struct {
	rinkpb.UnimplementedControllerServer
	s     *Server
	local bool
}

// caller is who a call is made for, with the names the users' database has.
func (c *controller) caller(ctx context.Context) (auth.Identity, auth.User, error) {
	id, err := auth.Caller(ctx)
	if err != nil {
		return id, auth.User{}, err
	}
	if !id.IsUser() {
		return id, auth.User{}, status.Error(codes.PermissionDenied, "a daemon does not ask for this in its own name")
	}
	u, err := c.s.users.ByUID(id.UID)
	if err != nil {
		u = auth.User{UID: id.UID, GID: id.GID, Name: fmt.Sprint(id.UID), Group: fmt.Sprint(id.GID)}
	}
	return id, u, nil
}

// operator reports whether a user may touch what others own.
func (s *Server) operator(uid uint32) bool { return s.adminLevel(uid) >= sched.AdminOperator }

func actor(u auth.User) state.Actor { return state.Actor{UID: u.UID, User: u.Name} }

// refuse makes the status of an error: its slurm.Errno, its words, and the lines
// the command prints before them.
func refuse(err error, lines ...string) *rinkpb.Status {
	if err == nil {
		return &rinkpb.Status{}
	}
	var errno slurm.Errno
	if !errors.As(err, &errno) {
		errno = slurm.ErrnoError
	}
	return &rinkpb.Status{Errno: int32(errno), Text: err.Error(), Details: lines}
}

// unavailable is the error of a proposal that did not go through: nothing was
// done, or that is not known.
func unavailable(err error) error {
	var not *barn.NotLeaderError
	switch {
	case errors.As(err, &not) && not.LeaderID == "":
		return &notTaken{notTheLeader + ", and there is none at present"}
	case errors.As(err, &not):
		return &notTaken{notTheLeader + "; " + not.LeaderID + " is"}
	case errors.Is(err, barn.ErrFull), errors.Is(err, barn.ErrBusy), errors.Is(err, barn.ErrClosed):
		return &notTaken{"cannot commit: " + err.Error()}
	}
	return status.Errorf(codes.Unavailable, "cannot commit: %v", err)
}

// maxJobsAtOnce bounds the jobs of one submission.
const maxJobsAtOnce = 4096

// Submit accepts jobs, all or none. The ids it answers with are committed.
func (c *controller) Submit(ctx context.Context, req *rinkpb.SubmitRequest) (*rinkpb.SubmitReply, error) {
	_, u, err := c.caller(ctx)
	if err != nil {
		return nil, err
	}
	for _, jr := range req.Jobs {
		if jr.Options != nil {
			jr.Options.Cron = "" // jobs of crontabs come with their crontab
		}
	}
	cmd, notes, err := c.resolve(req, u)
	if err != nil {
		return &rinkpb.SubmitReply{Status: refuse(err, notes...)}, nil
	}
	results, err := c.s.barn.Propose(ctx, actor(u), cmd)
	if err != nil {
		return nil, unavailable(err)
	}
	r := results[0]
	if r.Err != nil {
		return &rinkpb.SubmitReply{Status: refuse(r.Err, append(notes, linesOf(r.Err)...)...)}, nil
	}
	c.s.diag.submitted(cmd.Jobs)
	reply := &rinkpb.SubmitReply{Status: &rinkpb.Status{}, Run: r.Run, Messages: notes}
	for _, id := range r.Jobs {
		reply.Ids = append(reply.Ids, uint32(id))
	}
	return reply, nil
}

// resolve turns a submission into the command that will carry it: who may, is
// it sane, and all that depends on this controller's clock and users.
func (c *controller) resolve(req *rinkpb.SubmitRequest, u auth.User) (state.SubmitJobs, []string, error) {
	var cmd state.SubmitJobs
	var notes []string
	if len(req.Jobs) == 0 || len(req.Jobs) > maxJobsAtOnce {
		return cmd, nil, fmt.Errorf("a submission holds 1 to %d jobs, this one %d: %w", maxJobsAtOnce, len(req.Jobs), slurm.ErrnoError)
	}
	var conf *sched.Config
	var nodes []*sched.Node
	var accounts *sched.Accounts
	var count int
	var resv *sched.ResvView
	now := time.Now()
	c.s.barn.Read(func(t *state.State) {
		conf, nodes, accounts, count, resv = t.Config(), t.Nodes(), t.Accounts(), t.JobCount(), resvView(t, now)
	})
	if conf == nil {
		return cmd, nil, status.Error(codes.Unavailable, "the controller has no configuration yet")
	}
	if limit := conf.Conf.MaxJobCount; limit > 0 && count+len(req.Jobs) > limit {
		return cmd, nil, slurm.ErrnoAgain
	}
	cmd.Key, cmd.Het = req.Key, req.Het
	blobs := map[sched.BlobID]bool{}
	keep := func(data []byte) sched.BlobID {
		if len(data) == 0 {
			return ""
		}
		sum := sha256.Sum256(data)
		id := sched.BlobID(hex.EncodeToString(sum[:]))
		if !blobs[id] {
			blobs[id] = true
			cmd.Blobs = append(cmd.Blobs, state.Blob{ID: id, Data: data})
		}
		return id
	}
	for i, jr := range req.Jobs {
		opts, err := api.JobOptionsFromProto(jr.Options)
		if err != nil {
			return cmd, notes, fmt.Errorf("the request makes no sense: %w: %w", slurm.ErrnoError, err)
		}
		for _, n := range jr.Needs {
			if n < 0 || int(n) >= len(req.Jobs) || int(n) == i {
				return cmd, notes, fmt.Errorf("stage %q needs job %d of the submission, which is not there: %w", jr.Stage, n, slurm.ErrnoError)
			}
		}
		if most := conf.Conf.SchedulerParameters.Int("max_script_size", 4<<20); len(jr.Script) > most {
			return cmd, notes, fmt.Errorf("a script of %d bytes, at most %d: %w", len(jr.Script), most, slurm.ErrnoPathnameTooLong)
		}
		who := u
		if opts.UserID != "" || opts.GroupID != "" {
			var err error
			if who, err = c.s.onBehalf(u, opts.UserID, opts.GroupID); err != nil {
				return cmd, notes, err
			}
		}
		j, warn, err := sched.Resolve(sched.Request{
			Options: opts, UID: who.UID, GID: who.GID, User: who.Name, Group: who.Group, Groups: who.GroupNames,
			Batch: jr.Batch, ScriptName: jr.ScriptName, Operator: c.s.operator(u.UID), Accounts: accounts,
			Resv: resv,
		}, conf, nodes, now)
		notes = append(notes, warn...)
		if err != nil {
			return cmd, notes, err
		}
		j.UID, j.GID, j.User, j.Group = who.UID, who.GID, who.Name, who.Group
		j.SubmitHost, j.SubmitPID, j.SubmitLine = jr.SubmitHost, jr.SubmitPid, jr.SubmitLine
		j.Batch, j.Script, j.Env = jr.Batch, keep(jr.Script), keep(joinEnv(jr.Env))
		j.ScriptName, j.ScriptArgs, j.Stage = jr.ScriptName, jr.ScriptArgs, jr.Stage
		j.Umask = int(jr.Umask)
		c.s.chargeable(j, opts, now)
		j.Rlimits = nil
		passes := sched.Propagates(conf.Conf, opts.Propagate)
		for _, r := range jr.Rlimits {
			if !passes(r.Name) {
				continue
			}
			j.Rlimits = append(j.Rlimits, sched.Rlimit{Name: r.Name, Soft: r.Soft, Hard: r.Hard})
		}
		cmd.Jobs = append(cmd.Jobs, j)
		needs := make([]int, len(jr.Needs))
		for k, n := range jr.Needs {
			needs[k] = int(n)
		}
		cmd.Needs = append(cmd.Needs, needs)
	}
	if req.Het {
		if err := sched.ComponentsApart(cmd.Jobs); err != nil {
			return cmd, notes, err
		}
	}
	if req.RunName != "" {
		cmd.Run = &state.RunInfo{Name: req.RunName, User: u.Name, Day: now.Format("20060102")}
	}
	return cmd, notes, nil
}

// onBehalf is the user root submits for with --uid and --gid.
func (s *Server) onBehalf(u auth.User, uid, gid string) (auth.User, error) {
	if !s.superUser(u.UID) {
		return u, slurm.ErrnoAccessDenied
	}
	who := u
	if uid != "" {
		var err error
		if who, err = s.users.ByName(uid); err != nil {
			return u, fmt.Errorf("Invalid user id %q: %w", uid, slurm.ErrnoUserIDMissing)
		}
	}
	if gid != "" {
		g, err := s.users.GID(gid)
		if err != nil {
			return u, fmt.Errorf("Invalid group id %q: %w", gid, slurm.ErrnoUserIDMissing)
		}
		name, err := s.users.GroupName(g)
		if err != nil {
			name = gid
		}
		who.GID, who.Group = g, name
	}
	return who, nil
}

// TestOnly says when and where a job would start, and submits nothing.
func (c *controller) TestOnly(ctx context.Context, req *rinkpb.SubmitRequest) (*rinkpb.TestOnlyReply, error) {
	_, u, err := c.caller(ctx)
	if err != nil {
		return nil, err
	}
	cmd, notes, err := c.resolve(req, u)
	if err != nil {
		// As in Slurm, what no node has enough of is not named here.
		if bad := (*sched.Refused)(nil); errors.As(err, &bad) && bad.Code == slurm.ErrnoRequestedNodeConfigUnavailable {
			notes = notes[:len(notes)-len(bad.Lines)]
		}
		return &rinkpb.TestOnlyReply{Status: refuse(err, notes...)}, nil
	}
	var view sched.View
	var next slurm.JobID
	c.s.barn.Read(func(t *state.State) { view, next = t.Machine(), t.NextJob(); view.Ledger = t.Limits() })
	j := cmd.Jobs[0].Clone()
	j.ID, j.Submit = next, time.Now()
	if err := view.Ledger.Admit(cmd.Jobs, time.Now()); err != nil {
		return &rinkpb.TestOnlyReply{Status: refuse(err, append(notes, linesOf(err)...)...)}, nil
	}
	got, err := sched.TestOnly(view, j, time.Now())
	if err != nil {
		return &rinkpb.TestOnlyReply{Status: refuse(err)}, nil
	}
	reply := &rinkpb.TestOnlyReply{
		Status: &rinkpb.Status{}, Start: got.Start.UnixNano(), Cpus: int32(got.CPUs), Partition: string(got.Partition), Job: uint32(next),
	}
	for _, n := range got.Nodes() {
		reply.Nodes = append(reply.Nodes, string(n))
	}
	return reply, nil
}

// WaitJob streams a job's record as it changes, until it has ended or, when
// only the start was asked for, until it holds its resources.
func (c *controller) WaitJob(req *rinkpb.WaitJobRequest, stream rinkpb.Controller_WaitJobServer) error {
	_, u, err := c.caller(stream.Context())
	if err != nil {
		return err
	}
	id := slurm.JobID(req.Job)
	changes, stop := c.s.waits.watch(id)
	defer stop()
	var j *sched.Job
	c.s.barn.Read(func(t *state.State) { j = t.Job(id) })
	if j == nil || !c.s.mayTouch(u, j) {
		return status.Error(codes.NotFound, slurm.ErrnoInvalidJobID.Error())
	}
	for {
		if err := stream.Send(api.JobToProto(j)); err != nil {
			return err
		}
		if j.State.Ended() || req.UntilStarted && j.State.Base() == slurm.JobRunning {
			return nil
		}
		select {
		case j = <-changes:
		case <-stream.Context().Done():
			return stream.Context().Err()
		}
	}
}

// CompleteJob ends an allocation whose command has ended.
func (c *controller) CompleteJob(ctx context.Context, req *rinkpb.CompleteJobRequest) (*rinkpb.Done, error) {
	_, u, err := c.caller(ctx)
	if err != nil {
		return nil, err
	}
	var j *sched.Job
	c.s.barn.Read(func(t *state.State) { j = t.Job(slurm.JobID(req.Job)) })
	if j == nil || j.Batch || !c.s.operator(u.UID) && j.UID != u.UID {
		return nil, status.Error(codes.NotFound, slurm.ErrnoInvalidJobID.Error())
	}
	exit := api.ExitCodeFromProto(req.Exit)
	oom := exit.Code == 0 && exit.Signal == sigOOM
	st, reason := endState(exit, oom)
	if _, err := c.s.barn.Propose(ctx, actor(u), state.EndJob{
		Job: j.ID, Restarts: j.Restarts, State: st, Reason: reason, Exit: exit,
	}); err != nil {
		return nil, unavailable(err)
	}
	return &rinkpb.Done{}, nil
}
